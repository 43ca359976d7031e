//! Go's checksum database library is foreign truth: `vectors/sumdb.txt`, printed by `vectors/sumdb.go`.
use hamsaya_record::key::{SecretKey, Vkey};
use hamsaya_record::merkle::{self, Edge, Hash, leaf_hash};
use hamsaya_record::note::{Note, NoteSignature};
use hamsaya_record::statement::unhex;
use hamsaya_record::tile::{Level, Tile, hash_at};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

const VECTORS: &str = include_str!("../vectors/sumdb.txt");

/// Lines that start with this word, in words.
fn lines(kind: &str) -> impl Iterator<Item = Vec<&'static str>> {
    VECTORS.lines().filter_map(move |l| l.strip_prefix(kind)?.strip_prefix(' ')).map(|l| l.split(' ').collect())
}

fn hashes(words: &[&str]) -> Vec<Hash> {
    words.iter().map(|w| unhex(w).expect("64 hex digits")).collect()
}

fn number(word: &str) -> u64 {
    word.parse().expect("a number")
}

/// A tree of 200,000 entries as its tiles hold it, and its roots.
struct Tree {
    levels: BTreeMap<u8, Vec<Hash>>,
    roots: BTreeMap<u64, Hash>,
}

impl Tree {
    fn grow() -> Tree {
        let wanted: Vec<u64> =
            lines("root").map(|l| number(l[0])).chain(lines("consistency").map(|l| number(l[0]))).collect();
        let (mut edge, mut levels, mut roots) = (Edge::new(), BTreeMap::<u8, Vec<Hash>>::new(), BTreeMap::new());
        for i in 0..200_000 {
            edge.push(leaf_hash(format!("entry {i}").as_bytes()), |level, _, hash| {
                if level % 8 == 0 {
                    levels.entry(level / 8).or_default().push(hash);
                }
            });
            if wanted.contains(&edge.size()) {
                roots.insert(edge.size(), edge.root());
            }
        }
        Tree { levels, roots }
    }

    fn tile(&self, tile: Tile) -> &[Hash] {
        let Level::Hashes(level) = tile.level else { return &[] };
        &self.levels[&level][tile.start() as usize..][..usize::from(tile.width)]
    }

    /// Complete hashes, read from the tiles of a log of this size.
    fn reader(&self, size: u64) -> impl FnMut(u8, u64) -> Result<Hash, String> {
        move |level, n| {
            let tile = Tile::of_hash(level, n, size).ok_or_else(|| format!("no tile for {level}, {n}"))?;
            hash_at(self.tile(tile), level, n).ok_or_else(|| format!("{tile} does not reach {level}, {n}"))
        }
    }
}

#[test]
fn trees_and_tiles() {
    let tree = Tree::grow();
    for line in lines("root") {
        let (size, root) = (number(line[0]), hashes(&line[1..])[0]);
        assert_eq!(tree.roots[&size], root, "size {size}");
        assert_eq!(merkle::root(size, tree.reader(size)), Ok(root), "size {size}");
    }
    for line in lines("inclusion") {
        let (index, size, proof) = (number(line[0]), number(line[1]), hashes(&line[2..]));
        let ours = merkle::prove_inclusion(index, size, tree.reader(size));
        assert_eq!(ours.as_ref(), Ok(&Some(proof.clone())), "{index} in {size}");
        let leaf = leaf_hash(format!("entry {index}").as_bytes());
        assert!(merkle::verify_inclusion(&leaf, index, size, &proof, &tree.roots[&size]), "{index} in {size}");
    }
    for line in lines("consistency") {
        let (old, size, proof) = (number(line[0]), number(line[1]), hashes(&line[2..]));
        let ours = merkle::prove_consistency(old, size, tree.reader(size));
        assert_eq!(ours.as_ref(), Ok(&Some(proof.clone())), "{old} to {size}");
        let root = merkle::root(size, tree.reader(size)).expect("all tiles");
        assert!(merkle::verify_consistency(old, &tree.roots[&old], size, &root, &proof), "{old} to {size}");
    }
    for line in lines("tiles") {
        let (old, size) = (number(line[0]), number(line[1]));
        let ours: Vec<String> = Tile::new_since(old, size)
            .filter(|tile| tile.level != Level::Entries)
            .map(|tile| {
                let sum = Sha256::digest(tree.tile(tile).as_flattened());
                format!("{tile}={:02x}{:02x}{:02x}{:02x}", sum[0], sum[1], sum[2], sum[3])
            })
            .collect();
        assert_eq!(ours, line[2..], "{old} to {size}");
    }
}

#[test]
fn notes() {
    for line in lines("note") {
        let (secret, vkey) =
            (SecretKey::parse(line[0]).expect("a secret key"), line[1].parse::<Vkey>().expect("a key"));
        assert_eq!((secret.vkey(), secret.to_text().as_str()), (&vkey, line[0]));
        let text = line[2..].join(" ").replace('|', "\n");
        let note = Note::parse(text.as_bytes()).expect("a note");
        assert_eq!(note.verify([&vkey]).map(|v| v.len()), Ok(1));
        assert_eq!(NoteSignature::sign(&note.text, &secret), note.signatures[0]);
        assert_eq!(note.to_text(), text);
    }
}
