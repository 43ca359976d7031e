//! RFC 6962 Merkle trees: hashes, proofs, and a tree that grows at its right edge.
//!
//! ```text
//! leaf = SHA-256(0x00 ‖ entry)      node = SHA-256(0x01 ‖ left ‖ right)      empty = SHA-256("")
//!
//!              root(5)              the hash at (level, n) covers entries n·2^level .. (n+1)·2^level;
//!             /       \             only complete subtrees have one, and everything else,
//!         (2,0)       (0,4)         roots and proofs alike, folds from those.
//!        /     \
//!    (1,0)     (1,1)
//!    /  \      /  \
//!   0    1    2    3    4
//! ```
//! Proofs are computed from any reader of complete hashes, so they work from tiles. Reading may fail; hashing cannot.
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

/// A SHA-256.
pub type Hash = [u8; 32];

/// No proof is longer: 63 levels, since sizes stay below 2^63.
pub const PROOF_MAX: usize = 63;

/// Root of the tree without entries.
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

/// Hash of an entry.
pub fn leaf_hash(entry: &[u8]) -> Hash {
    Sha256::new().chain_update([0x00]).chain_update(entry).finalize().into()
}

/// Hash of two subtrees.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([0x01]).chain_update(left).chain_update(right).finalize().into()
}

/// A tree of which only the right edge is remembered: the complete subtrees that the size's one-bits stand for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edge {
    size: u64,
    /// Largest subtree first.
    subtrees: Vec<Hash>,
}

impl Edge {
    /// The empty tree.
    pub fn new() -> Edge {
        Edge::default()
    }

    /// The edge of a tree of which complete hashes can be read.
    pub fn read<E>(size: u64, mut reader: impl FnMut(u8, u64) -> Result<Hash, E>) -> Result<Edge, E> {
        let mut subtrees = Vec::new();
        for (level, n) in cover(0, size) {
            subtrees.push(reader(level, n)?);
        }
        Ok(Edge { size, subtrees })
    }

    /// Number of entries.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends the hash of an entry. `complete` is told of every hash that this completes: the leaf's, then upward.
    pub fn push(&mut self, leaf: Hash, mut complete: impl FnMut(u8, u64, Hash)) {
        let (mut hash, mut n, mut level) = (leaf, self.size, 0);
        complete(level, n, hash);
        while n & 1 == 1 {
            let Some(left) = self.subtrees.pop() else { break };
            hash = node_hash(&left, &hash);
            n >>= 1;
            level += 1;
            complete(level, n, hash);
        }
        self.subtrees.push(hash);
        self.size += 1;
    }

    /// Root over all entries.
    pub fn root(&self) -> Hash {
        fold(&self.subtrees)
    }

    /// The remembered complete subtrees (tree level, n, hash), largest first.
    pub fn subtrees(&self) -> impl Iterator<Item = (u8, u64, Hash)> {
        cover(0, self.size).zip(&self.subtrees).map(|((level, n), hash)| (level, n, *hash))
    }
}

/// The root of a tree at each of its sizes: tells which checkpoints are of this tree. Clones share what they hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roots {
    edge: Edge,
    roots: Arc<Vec<Hash>>,
}

impl Roots {
    /// Appends the hash of an entry.
    pub fn push(&mut self, leaf: Hash) {
        self.edge.push(leaf, |_, _, _| ());
        Arc::make_mut(&mut self.roots).push(self.edge.root());
    }

    /// Root over the first `size` entries; `None` beyond the tree.
    pub fn at(&self, size: u64) -> Option<Hash> {
        match size.checked_sub(1) {
            None => Some(empty_root()),
            Some(n) => self.roots.get(usize::try_from(n).ok()?).copied(),
        }
    }
}

/// Folds neighbouring subtrees, largest first, into the hash over all of them.
fn fold(subtrees: &[Hash]) -> Hash {
    match subtrees.split_last() {
        None => empty_root(),
        Some((last, rest)) => rest.iter().rev().fold(*last, |right, left| node_hash(left, &right)),
    }
}

/// The complete subtrees (level, n) that cover entries `from..to`, left to right, where `from` is 0 or the start of a
/// subtree at least as large as `to - from`.
fn cover(from: u64, to: u64) -> impl Iterator<Item = (u8, u64)> {
    let mut at = from;
    std::iter::from_fn(move || {
        let left = to.checked_sub(at).filter(|n| *n > 0)?;
        let level = left.ilog2();
        let n = at >> level;
        at += 1 << level;
        Some((level as u8, n))
    })
}

/// Hash over `from..to` under the condition of [`cover`].
fn range_hash<E>(from: u64, to: u64, reader: &mut impl FnMut(u8, u64) -> Result<Hash, E>) -> Result<Hash, E> {
    let mut subtrees = Vec::new();
    for (level, n) in cover(from, to) {
        subtrees.push(reader(level, n)?);
    }
    Ok(fold(&subtrees))
}

/// Root of the first `size` entries.
pub fn root<E>(size: u64, mut reader: impl FnMut(u8, u64) -> Result<Hash, E>) -> Result<Hash, E> {
    range_hash(0, size, &mut reader)
}

/// Largest power of two smaller than `n`, which must be at least 2.
fn split(n: u64) -> u64 {
    1 << (n - 1).ilog2()
}

/// Hashes from the leaf's sibling to the root's child that tie entry `index` to the root of `size`. `None` if the entry is
/// not among them.
pub fn prove_inclusion<E>(
    index: u64,
    size: u64,
    mut reader: impl FnMut(u8, u64) -> Result<Hash, E>,
) -> Result<Option<Vec<Hash>>, E> {
    if index >= size {
        return Ok(None);
    }
    // Down from the root: keep the half with the entry, note the other.
    let (mut from, mut to, mut siblings) = (0, size, Vec::new());
    while to - from > 1 {
        let middle = from + split(to - from);
        if index < middle {
            siblings.push((middle, to));
            to = middle;
        } else {
            siblings.push((from, middle));
            from = middle;
        }
    }
    let mut proof = Vec::with_capacity(siblings.len());
    for (from, to) in siblings.into_iter().rev() {
        proof.push(range_hash(from, to, &mut reader)?);
    }
    Ok(Some(proof))
}

/// Hashes that tie the root of `old` entries to the root of `size`; empty for equal sizes. `None` if `old` is 0 or larger.
pub fn prove_consistency<E>(
    old: u64,
    size: u64,
    mut reader: impl FnMut(u8, u64) -> Result<Hash, E>,
) -> Result<Option<Vec<Hash>>, E> {
    if old == 0 || old > size {
        return Ok(None);
    }
    // Down from the root to the subtree that ends where the old tree ended.
    let (mut from, mut to, mut parts) = (0, size, Vec::new());
    while to != old {
        let middle = from + split(to - from);
        if old <= middle {
            parts.push((middle, to));
            to = middle;
        } else {
            parts.push((from, middle));
            from = middle;
        }
    }
    if from != 0 {
        // Otherwise this subtree is the whole old tree, whose root the verifier knows.
        parts.push((from, to));
    }
    let mut proof = Vec::with_capacity(parts.len());
    for (from, to) in parts.into_iter().rev() {
        proof.push(range_hash(from, to, &mut reader)?);
    }
    Ok(Some(proof))
}

/// The root that an inclusion proof leads to; `None` if it has not the right length.
pub fn root_from_inclusion(leaf: &Hash, index: u64, size: u64, proof: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    let (mut n, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in proof {
        if last == 0 {
            return None;
        }
        if n & 1 == 1 || n == last {
            hash = node_hash(sibling, &hash);
            while n & 1 == 0 && n != 0 {
                // The last subtree of a level had no sibling there.
                n >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        n >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(hash)
}

/// True if the proof ties the leaf hash at `index` to the root of `size`.
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> bool {
    root_from_inclusion(leaf, index, size, proof).as_ref() == Some(root)
}

/// True if the proof shows that the tree of `size` extends the one of `old`. Anything extends the empty tree, with an
/// empty proof.
pub fn verify_consistency(old: u64, old_root: &Hash, size: u64, root: &Hash, proof: &[Hash]) -> bool {
    if old > size {
        return false;
    }
    if old == size {
        return proof.is_empty() && old_root == root && (size > 0 || *root == empty_root());
    }
    if old == 0 {
        return proof.is_empty() && *old_root == empty_root();
    }
    // RFC 9162, 2.1.4.2: a complete old tree starts from its own root.
    let (first, rest) = if old.is_power_of_two() {
        (old_root, proof)
    } else {
        match proof.split_first() {
            Some(split) => split,
            None => return false,
        }
    };
    let (mut n, mut last) = (old - 1, size - 1);
    while n & 1 == 1 {
        n >>= 1;
        last >>= 1;
    }
    let (mut old_hash, mut hash) = (*first, *first);
    for sibling in rest {
        if last == 0 {
            return false;
        }
        if n & 1 == 1 || n == last {
            old_hash = node_hash(sibling, &old_hash);
            hash = node_hash(sibling, &hash);
            while n & 1 == 0 && n != 0 {
                n >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        n >>= 1;
        last >>= 1;
    }
    last == 0 && old_hash == *old_root && hash == *root
}

/// Hashes that tie the subtree over the entries `start..end` to the root of `size` (draft-ietf-plants-merkle-tree-certs,
/// 4.4). `None` if these are no subtree: `start` is a multiple of the least power of two that holds them all.
pub fn prove_subtree<E>(
    start: u64,
    end: u64,
    size: u64,
    mut reader: impl FnMut(u8, u64) -> Result<Hash, E>,
) -> Result<Option<Vec<Hash>>, E> {
    if !is_subtree(start, end) || end > size {
        return Ok(None);
    }
    // As for consistency: down from the root to where the entries end, and further if they begin later.
    let (mut from, mut to, mut parts, mut is_known) = (0, size, Vec::new(), true);
    let mut start = start;
    while (from, to) != (start, end) {
        let middle = from + split(to - from);
        if end <= middle {
            parts.push((middle, to));
            to = middle;
        } else {
            parts.push((from, middle));
            if start < middle {
                // What the verifier knows reaches to both sides: the rest of it is a part of its own.
                (start, is_known) = (middle, false);
            }
            from = middle;
        }
    }
    if !is_known {
        parts.push((from, to));
    }
    let mut proof = Vec::with_capacity(parts.len());
    for (from, to) in parts.into_iter().rev() {
        proof.push(range_hash(from, to, &mut reader)?);
    }
    Ok(Some(proof))
}

/// Whether `start..end` are the entries of a subtree, complete or at the right edge of some tree.
fn is_subtree(start: u64, end: u64) -> bool {
    let width = end.checked_sub(start).filter(|n| *n > 0).and_then(u64::checked_next_power_of_two);
    width.is_some_and(|width| start.is_multiple_of(width))
}

/// True if the proof ties the subtree over `start..end`, whose hash is given, to the root of `size`.
pub fn verify_subtree(start: u64, end: u64, hash: &Hash, size: u64, root: &Hash, proof: &[Hash]) -> bool {
    if !is_subtree(start, end) || end > size {
        return false;
    }
    // First and last entry of the subtree, last of the tree; upwards all three halve.
    let mut at = [start, end - 1, size - 1];
    let up = |at: &mut [u64; 3]| at.iter_mut().for_each(|n| *n >>= 1);
    let is_at_edge = at[1] == at[2];
    while at[0] != at[1] && (is_at_edge || at[1] & 1 == 1) {
        up(&mut at);
    }
    let (begin, rest) = match at[0] == at[1] {
        true => (hash, proof),
        false => match proof.split_first() {
            Some(split) => split,
            None => return false,
        },
    };
    let (mut part, mut whole) = (*begin, *begin);
    for sibling in rest {
        if at[2] == 0 {
            return false;
        }
        if at[1] & 1 == 1 || at[1] == at[2] {
            if at[0] < at[1] {
                part = node_hash(sibling, &part);
            }
            whole = node_hash(sibling, &whole);
            while at[1] & 1 == 0 && at[1] != 0 {
                up(&mut at);
            }
        } else {
            whole = node_hash(&whole, sibling);
        }
        up(&mut at);
    }
    at[2] == 0 && part == *hash && whole == *root
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    /// RFC 6962, 2.1: MTH as written there.
    fn slow_root(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => empty_root(),
            [leaf] => *leaf,
            _ => {
                let k = split(leaves.len() as u64) as usize;
                node_hash(&slow_root(&leaves[..k]), &slow_root(&leaves[k..]))
            }
        }
    }

    /// RFC 6962, 2.1.1: PATH.
    fn slow_path(m: usize, leaves: &[Hash]) -> Vec<Hash> {
        if leaves.len() <= 1 {
            return vec![];
        }
        let k = split(leaves.len() as u64) as usize;
        let (mut path, other) = if m < k {
            (slow_path(m, &leaves[..k]), slow_root(&leaves[k..]))
        } else {
            (slow_path(m - k, &leaves[k..]), slow_root(&leaves[..k]))
        };
        path.push(other);
        path
    }

    /// RFC 6962, 2.1.2: SUBPROOF.
    fn slow_subproof(m: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
        if m == leaves.len() {
            return if whole { vec![] } else { vec![slow_root(leaves)] };
        }
        let k = split(leaves.len() as u64) as usize;
        let (mut proof, other) = if m <= k {
            (slow_subproof(m, &leaves[..k], whole), slow_root(&leaves[k..]))
        } else {
            (slow_subproof(m - k, &leaves[k..], false), slow_root(&leaves[..k]))
        };
        proof.push(other);
        proof
    }

    /// draft-ietf-plants-merkle-tree-certs, 4.4.1: SUBTREE_SUBPROOF.
    fn slow_subtree(start: usize, end: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
        if (start, end) == (0, leaves.len()) {
            return if whole { vec![] } else { vec![slow_root(leaves)] };
        }
        let k = split(leaves.len() as u64) as usize;
        let (mut proof, other) = if end <= k {
            (slow_subtree(start, end, &leaves[..k], whole), slow_root(&leaves[k..]))
        } else if k <= start {
            (slow_subtree(start - k, end - k, &leaves[k..], whole), slow_root(&leaves[..k]))
        } else {
            (slow_subtree(0, end - k, &leaves[k..], false), slow_root(&leaves[..k]))
        };
        proof.push(other);
        proof
    }

    fn leaves(n: usize) -> Vec<Hash> {
        (0..n).map(|i| leaf_hash(&(i as u32).to_be_bytes())).collect()
    }

    fn reader(leaves: &[Hash]) -> impl FnMut(u8, u64) -> Result<Hash, Infallible> {
        |level, n| {
            let (from, to) = ((n << level) as usize, ((n + 1) << level) as usize);
            Ok(slow_root(&leaves[from..to]))
        }
    }

    #[test]
    fn subtrees_agree_with_the_recursive_definition_and_nothing_else_passes() {
        for size in 1..40u64 {
            let leaves = leaves(size as usize);
            let root = slow_root(&leaves);
            for (start, end) in (0..size).flat_map(|start| (start..=size + 1).map(move |end| (start, end))) {
                let found = prove_subtree(start, end, size, reader(&leaves)).unwrap();
                let width = (end - start).max(1).next_power_of_two();
                assert_eq!(
                    found.is_some(),
                    end > start && end <= size && start % width == 0,
                    "{start}..{end} of {size}"
                );
                let Some(proof) = found else { continue };
                assert_eq!(
                    proof,
                    slow_subtree(start as usize, end as usize, &leaves, true),
                    "{start}..{end} of {size}"
                );
                let hash = slow_root(&leaves[start as usize..end as usize]);
                let fits =
                    |hash: &Hash, root: &Hash, proof: &[Hash]| verify_subtree(start, end, hash, size, root, proof);
                assert!(fits(&hash, &root, &proof), "{start}..{end} of {size}");
                let other = leaf_hash(b"other");
                assert!(!fits(&other, &root, &proof), "another part: {start}..{end} of {size}");
                assert!(!fits(&hash, &other, &proof), "another tree: {start}..{end} of {size}");
                for n in 0..proof.len() {
                    let mut spoilt = proof.clone();
                    spoilt[n] = other;
                    assert!(!fits(&hash, &root, &spoilt), "hash {n}: {start}..{end} of {size}");
                }
                assert!(!fits(&hash, &root, &[&proof[..], &[other]].concat()), "too long: {start}..{end} of {size}");
                if let Some((_, short)) = proof.split_last() {
                    assert!(!fits(&hash, &root, short), "too short: {start}..{end} of {size}");
                }
            }
        }
    }

    fn hex(hash: Hash) -> String {
        hash.iter().map(|b| format!("{b:02x}")).collect()
    }

    #[test]
    fn known_roots() {
        // The test vectors of Certificate Transparency's reference implementation.
        let entries: [&[u8]; 8] = [
            b"",
            b"\x00",
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ];
        let roots = [
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let mut edge = Edge::new();
        assert_eq!(hex(edge.root()), roots[0]);
        for (entry, root) in entries.iter().zip(&roots[1..]) {
            edge.push(leaf_hash(entry), |_, _, _| ());
            assert_eq!(hex(edge.root()), *root, "size {}", edge.size());
        }
    }

    #[test]
    fn agrees_with_the_recursive_definition() {
        for size in 0..70u64 {
            let leaves = leaves(size as usize);
            let slow = slow_root(&leaves);
            let mut edge = Edge::new();
            for leaf in &leaves {
                edge.push(*leaf, |level, n, hash| assert_eq!(Ok(hash), reader(&leaves)(level, n)));
            }
            assert_eq!(edge.root(), slow);
            assert_eq!(root(size, reader(&leaves)), Ok(slow));
            assert_eq!(Edge::read(size, reader(&leaves)), Ok(edge));

            for index in 0..size {
                let proof = prove_inclusion(index, size, reader(&leaves)).unwrap().unwrap();
                assert_eq!(proof, slow_path(index as usize, &leaves), "inclusion {index} in {size}");
                assert!(verify_inclusion(&leaves[index as usize], index, size, &proof, &slow));
            }
            for old in 1..=size {
                let proof = prove_consistency(old, size, reader(&leaves)).unwrap().unwrap();
                assert_eq!(proof, slow_subproof(old as usize, &leaves, true), "consistency {old} to {size}");
                assert!(verify_consistency(old, &slow_root(&leaves[..old as usize]), size, &slow, &proof));
            }
        }
    }

    #[test]
    fn no_other_proof_verifies() {
        for size in 1..18u64 {
            let leaves = leaves(size as usize);
            let slow = slow_root(&leaves);
            for index in 0..size {
                let proof = slow_path(index as usize, &leaves);
                let leaf = leaves[index as usize];
                for other in (0..size + 2).filter(|i| *i != index) {
                    assert!(!verify_inclusion(&leaf, other, size, &proof, &slow), "{index} as {other} in {size}");
                }
                for wrong in mutations(&proof) {
                    assert!(!verify_inclusion(&leaf, index, size, &wrong, &slow));
                }
            }
            for old in 1..size {
                let proof = slow_subproof(old as usize, &leaves, true);
                let old_root = slow_root(&leaves[..old as usize]);
                for wrong in mutations(&proof) {
                    assert!(!verify_consistency(old, &old_root, size, &slow, &wrong), "{old} to {size}");
                }
                assert!(!verify_consistency(old, &slow, size, &slow, &proof));
                assert!(!verify_consistency(old, &old_root, size, &old_root, &proof));
                for other in (0..size + 2).filter(|o| *o != old) {
                    assert!(!verify_consistency(other, &old_root, size, &slow, &proof));
                }
            }
        }
    }

    fn mutations(proof: &[Hash]) -> Vec<Vec<Hash>> {
        let mut out = vec![[proof, &[[7; 32]]].concat(), [&[[7; 32]], proof].concat()];
        for i in 0..proof.len() {
            let mut flipped = proof.to_vec();
            flipped[i][31] ^= 1;
            out.push(flipped);
            let mut shorter = proof.to_vec();
            shorter.remove(i);
            out.push(shorter);
        }
        out
    }

    #[test]
    fn edges_of_the_range() {
        let none = |_: u8, _: u64| -> Result<Hash, Infallible> { unreachable!() };
        assert_eq!(prove_inclusion(0, 0, none), Ok(None));
        assert_eq!(prove_inclusion(5, 5, none), Ok(None));
        assert_eq!(prove_consistency(0, 5, none), Ok(None));
        assert_eq!(prove_consistency(6, 5, none), Ok(None));
        assert_eq!(prove_consistency(5, 5, none), Ok(Some(vec![])));
        let (empty, some) = (empty_root(), [1; 32]);
        assert!(verify_consistency(0, &empty, 0, &empty, &[]));
        assert!(!verify_consistency(0, &some, 0, &some, &[]));
        assert!(verify_consistency(0, &empty, 9, &some, &[]));
        assert!(!verify_consistency(0, &empty, 9, &some, &[some]));
        assert!(!verify_consistency(3, &some, 9, &some, &[]));
        assert!(!verify_inclusion(&some, 0, 0, &[], &some));
        let long = vec![some; 64];
        assert!(!verify_inclusion(&some, 0, u64::MAX, &long, &some));
        assert!(!verify_consistency(u64::MAX - 1, &some, u64::MAX, &some, &long));
    }
}
