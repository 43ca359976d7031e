//! Entries and hashes of one log in a store, and the one way in which they grow.
//!
//! ```text
//! 1 staging/<size>-<root>   all new tiles, in one object            a crash: staging is deleted, nothing happened
//! 2 self-check              other code reads the staged bytes       a crash: the same; only now the log signs
//! 3 lock                    swapped to the checkpoint: commit       a crash: staging is replayed on the next start
//! 4 tile/…                  created from the staged bytes           a crash: the same
//! 5 staging deleted                                                 a crash: deleted on the next start
//! ```
//! A node's own log and its copies of others grow alike; they differ in where the checkpoint comes from. Opening reads and
//! hashes every byte, so that nothing is built on what does not fit.
use crate::checkpoint::Checkpoint;
use crate::equivocation::Equivocation;
use crate::key::Vkey;
use crate::merkle::{self, Edge, Hash, leaf_hash, node_hash};
use crate::note::Note;
use crate::statement::{hex, unhex};
use crate::store::{Store, StoreError, Version};
use crate::tile::{self, Level, Tile, WIDTH};
use std::collections::BTreeMap;

/// A byte that does not fit: the state is unknown, and nothing is signed or built on it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {what}\n  found {found}\n  expected {expected}")]
pub struct Fault {
    /// Key in the store.
    pub key: String,
    /// What is wrong.
    pub what: String,
    /// What was found.
    pub found: String,
    /// What would fit.
    pub expected: String,
}

impl Fault {
    pub(crate) fn new(key: &str, what: &str, found: impl ToString, expected: impl ToString) -> Fault {
        Fault { key: key.to_string(), what: what.to_string(), found: found.to_string(), expected: expected.to_string() }
    }
}

/// Why tiles could not be opened or grown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TilesError {
    /// The store failed, or another process holds it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Bytes that do not fit.
    #[error("state unknown: {0}")]
    Fault(#[from] Box<Fault>),
    /// An earlier call failed; everything must be read again first.
    #[error("state unknown: an earlier write failed\nhint: start again, so that everything is read from the disk")]
    Unknown,
    /// The entries do not lead to the root of the checkpoint they came with.
    #[error("the entries lead to root {found}, the checkpoint says {expected}")]
    OtherRoot {
        /// Hex of the root over the entries.
        found: String,
        /// Hex of the root in the checkpoint.
        expected: String,
    },
    /// Nothing to add.
    #[error("found no entries, allowed is at least one")]
    NoEntries,
    /// An entry is longer than an entry can be.
    #[error("found an entry of {0} bytes, allowed are 65535")]
    EntryTooLarge(usize),
}

impl From<Fault> for TilesError {
    fn from(fault: Fault) -> TilesError {
        TilesError::Fault(Box::new(fault))
    }
}

/// Tiles of one log behind its `lock`.
#[derive(Debug)]
pub struct Tiles<S> {
    store: S,
    edge: RightEdge,
    root: Hash,
    lock: Option<(Note, Version)>,
    unknown: bool,
}

/// The right edge of a tree: what is needed to write its next tiles.
#[derive(Clone, Debug, Default)]
struct RightEdge {
    size: u64,
    /// Hashes of the tile that is still growing, at each level of tiles.
    rows: Vec<Vec<Hash>>,
    /// Bytes of the bundle that is still growing; empty if it is full.
    bundle: Vec<u8>,
    /// The tree before that bundle.
    base: Edge,
}

/// The tiles that some entries add, with the edge after them.
struct Grown {
    edge: RightEdge,
    root: Hash,
    tiles: Vec<(Tile, Vec<u8>)>,
}

impl RightEdge {
    /// The root, folded from the growing tiles: they hold all complete subtrees that the size's one-bits stand for.
    fn root(&self) -> Hash {
        let hash = |level: u8, n| {
            let row = self.rows.get(usize::from(level / 8)).map_or(&[][..], Vec::as_slice);
            tile::hash_at(row, level, n).ok_or(())
        };
        // The rows hold them by construction; a wrong root would not pass the self-check.
        merkle::root(self.size, hash).unwrap_or_default()
    }

    /// Appends an entry; `full` gets every tile that this fills. False, and nothing done, if the entry is too long.
    #[must_use]
    fn push(&mut self, leaf: &[u8], mut full: impl FnMut(Tile, Vec<u8>)) -> bool {
        if !tile::push_entry(&mut self.bundle, leaf) {
            return false;
        }
        let n = self.size / WIDTH;
        self.size += 1;
        if self.size.is_multiple_of(WIDTH) {
            full(Tile { level: Level::Entries, n, width: WIDTH as u16 }, std::mem::take(&mut self.bundle));
        }
        let mut hash = leaf_hash(leaf);
        for level in 0.. {
            if self.rows.len() == level {
                self.rows.push(Vec::new());
            }
            let row = &mut self.rows[level];
            row.push(hash);
            if (row.len() as u64) < WIDTH {
                break;
            }
            let row = std::mem::take(row);
            if level == 0 {
                row.iter().for_each(|leaf| self.base.push(*leaf, |_, _, _| ()));
            }
            hash = fold_pairs(&row);
            let n = (self.size >> (8 * level)) / WIDTH - 1;
            full(Tile { level: Level::Hashes(level as u8), n, width: WIDTH as u16 }, row.concat());
        }
        true
    }

    /// The growing tiles.
    fn partial(&self) -> impl Iterator<Item = (Tile, Vec<u8>)> {
        let bundle = Tile::at(Level::Entries, self.size / WIDTH, self.size).map(|tile| (tile, self.bundle.clone()));
        let rows = self.rows.iter().enumerate().filter(|(_, row)| !row.is_empty()).map(|(level, row)| {
            let n = (self.size >> (8 * level)) / WIDTH;
            (Tile { level: Level::Hashes(level as u8), n, width: row.len() as u16 }, row.concat())
        });
        bundle.into_iter().chain(rows)
    }

    /// The edge after these entries, and the tiles they ask for; the length of one that is too long.
    fn grow(&self, entries: &[impl AsRef<[u8]>]) -> Result<Grown, usize> {
        let mut edge = self.clone();
        let mut tiles = Vec::new();
        for entry in entries {
            let entry = entry.as_ref();
            if !edge.push(entry, |tile, bytes| tiles.push((tile, bytes))) {
                return Err(entry.len());
            }
        }
        // What is full was kept on the way; of what still grows, what grew is written at its present width.
        tiles.extend(edge.partial().filter(|(tile, _)| Tile::at(tile.level, tile.n, self.size) != Some(*tile)));
        Ok(Grown { root: edge.root(), edge, tiles })
    }
}

fn fold_pairs(row: &[Hash]) -> Hash {
    let mut row = row.to_vec();
    while row.len() > 1 {
        let (pairs, _) = row.as_chunks::<2>();
        row = pairs.iter().map(|[left, right]| node_hash(left, right)).collect();
    }
    row.first().copied().unwrap_or_default()
}

impl<S: Store> Tiles<S> {
    /// Opens what the store holds; `visit` sees every entry in order. `key` is the log's: the lock must be signed by it.
    /// An empty store is an empty log. What a crash left is healed; the first thing that does not fit is the error.
    pub fn open(store: S, key: &Vkey, visit: impl FnMut(u64, &[u8])) -> Result<Tiles<S>, TilesError> {
        let mut read = ReadTree::read(&store, key, visit)?;
        match read.faults.is_empty() {
            true => read.heal(store),
            false => Err(read.faults.swap_remove(0).into()),
        }
    }

    /// As [`Tiles::open`], for who wants to know everything that does not fit. Staging objects of what was never committed
    /// are looked at too.
    pub(crate) fn open_or_faults(
        store: S,
        key: &Vkey,
        visit: impl FnMut(u64, &[u8]),
    ) -> Result<Tiles<S>, (Vec<Fault>, Option<TilesError>)> {
        let fail = |error: TilesError| (Vec::new(), Some(error));
        let mut read = ReadTree::read(&store, key, visit).map_err(fail)?;
        read.check_abandoned(&store).map_err(fail)?;
        match read.faults.is_empty() {
            true => read.heal(store).map_err(fail),
            false => Err((read.faults, None)),
        }
    }

    /// Number of entries.
    pub fn size(&self) -> u64 {
        self.edge.size
    }

    /// Root over them.
    pub fn root(&self) -> Hash {
        self.root
    }

    /// The checkpoint they are committed by; `None` for an empty log.
    pub fn lock(&self) -> Option<&Note> {
        self.lock.as_ref().map(|(note, _)| note)
    }

    /// The store, to read from.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// Adds entries under the checkpoint that `checkpoint` gives for the new size and root. Durable when it returns. If an
    /// entry is too long, nothing could be written, or `checkpoint` refuses, nothing happened; any other error leaves the
    /// state unknown, and the caller opens again.
    pub fn grow<E: From<TilesError>>(
        &mut self,
        entries: &[impl AsRef<[u8]>],
        checkpoint: impl FnOnce(u64, Hash) -> Result<Note, E>,
    ) -> Result<(), E> {
        if self.unknown {
            return Err(TilesError::Unknown.into());
        }
        if entries.is_empty() {
            return Err(TilesError::NoEntries.into());
        }
        let grown = self.edge.grow(entries).map_err(TilesError::EntryTooLarge)?;
        let (size, root) = (grown.edge.size, grown.root);
        let staging = staging_key(size, &root);
        // From here on an error means that we do not know what the disk holds.
        self.unknown = true;
        match self.stage(&staging, &grown) {
            Ok(()) => {}
            Err(error) => {
                self.unknown = !matches!(error, TilesError::Store(StoreError::NotWritten { .. }));
                return Err(error.into());
            }
        }
        let note = match checkpoint(size, root) {
            Ok(note) => note,
            Err(refusal) => {
                self.store.delete(&staging).map_err(TilesError::from)?;
                self.unknown = false;
                return Err(refusal);
            }
        };
        self.commit(&staging, &grown, note).map_err(E::from)?;
        self.edge = grown.edge;
        self.root = root;
        self.unknown = false;
        Ok(())
    }

    /// Writes the new tiles in one object, and reads it back as a stranger would.
    fn stage(&mut self, staging: &str, grown: &Grown) -> Result<(), TilesError> {
        self.store.create(staging, &write_staging(&grown.tiles))?;
        let staged = self.store.read(staging)?.map(|(bytes, _)| bytes).unwrap_or_default();
        let old = (self.edge.size, self.root);
        Ok(self_check(staging, &self.edge.base, old, &staged, (grown.edge.size, grown.root))?)
    }

    fn commit(&mut self, staging: &str, grown: &Grown, note: Note) -> Result<(), TilesError> {
        let old = self.lock.as_ref().map(|(_, version)| *version);
        // The commit point. Tiles are created after it, from staging: a crash between is healed when it is opened.
        let version = self.store.swap("lock", old, note.to_text().as_bytes())?;
        self.lock = Some((note, version));
        for (tile, bytes) in &grown.tiles {
            self.store.create(&tile.to_string(), bytes)?;
        }
        self.store.delete(staging)?;
        Ok(())
    }

    /// Replaces the lock by a note of the same size and root, e.g. with more cosignatures.
    pub(crate) fn relock(&mut self, note: Note) -> Result<(), TilesError> {
        if self.unknown {
            return Err(TilesError::Unknown);
        }
        let old = self.lock.as_ref().map(|(_, version)| *version);
        self.unknown = true;
        let version = self.store.swap("lock", old, note.to_text().as_bytes())?;
        self.unknown = false;
        self.lock = Some((note, version));
        Ok(())
    }

    /// Writes the published checkpoint, with one line of each key: readers elsewhere refuse two.
    pub(crate) fn publish(&mut self, note: &Note) -> Result<(), TilesError> {
        self.put("checkpoint", &note.newest())
    }

    /// Writes the published checkpoint with all lines that are kept of it.
    pub(crate) fn keep_cosigned(&mut self, note: &Note) -> Result<(), TilesError> {
        self.put("cosigned", note)
    }

    fn put(&mut self, key: &str, note: &Note) -> Result<(), TilesError> {
        if self.unknown {
            return Err(TilesError::Unknown);
        }
        let old = self.store.read(key)?.map(|(_, version)| version);
        self.unknown = true;
        self.store.swap(key, old, note.to_text().as_bytes())?;
        self.unknown = false;
        Ok(())
    }

    /// The complete hash at (tree level, n).
    pub fn hash(&self, level: u8, n: u64) -> Result<Hash, TilesError> {
        let size = self.size();
        let missing = || {
            Fault::new("tile", "a hash beyond the log was asked for", format!("{level}/{n}"), format!("size {size}"))
        };
        let tile = Tile::of_hash(level, n, size).ok_or_else(missing)?;
        let bytes = read_tile(&self.store, tile)?;
        let hashes = tile.hashes(&bytes).map_err(|e| Fault::new(&tile.to_string(), "it is not a tile", e, "a tile"))?;
        Ok(tile::hash_at(hashes, level, n).ok_or_else(missing)?)
    }

    /// The bytes of `checkpoint` or of a tile, for readers; `None` for other keys and for what is not there.
    pub fn public(&self, key: &str) -> Result<Option<Vec<u8>>, TilesError> {
        if key != "checkpoint" && Tile::parse(key).is_err() {
            return Ok(None);
        }
        Ok(self.store.read(key)?.map(|(bytes, _)| bytes))
    }

    /// One entry.
    pub fn entry(&self, index: u64) -> Result<Option<Vec<u8>>, TilesError> {
        Ok(self.entries(index, index + 1)?.pop())
    }

    /// Entries `from..to`, as far as there are any.
    pub fn entries(&self, from: u64, to: u64) -> Result<Vec<Vec<u8>>, TilesError> {
        let (mut at, to) = (from, to.min(self.size()));
        let mut out = Vec::new();
        while at < to {
            let Some((tile, place)) = Tile::of_entry(at, self.size()) else { break };
            let bytes = read_tile(&self.store, tile)?;
            let entries =
                tile.entries(&bytes).map_err(|e| Fault::new(&tile.to_string(), "it is not a bundle", e, "a bundle"))?;
            let count = usize::try_from(to - at).unwrap_or(usize::MAX);
            out.extend(entries.iter().skip(place).take(count).map(|e| e.to_vec()));
            at = tile.start() + tile::WIDTH;
        }
        Ok(out)
    }

    /// Root of the first `size` entries.
    pub fn root_at(&self, size: u64) -> Result<Hash, TilesError> {
        merkle::root(size, |level, n| self.hash(level, n))
    }

    /// Evidence, if a signed checkpoint that is no larger than these tiles is not of their tree.
    pub fn contradiction(&self, theirs: &Note) -> Result<Option<Equivocation>, TilesError> {
        let (Ok(checkpoint), Some(ours)) = (Checkpoint::parse(&theirs.text), self.lock()) else { return Ok(None) };
        if checkpoint.size == 0 || checkpoint.size > self.size() {
            return Ok(None);
        }
        let root = self.root_at(checkpoint.size)?;
        if root == checkpoint.root {
            return Ok(None);
        }
        let proof = self.prove_consistency(checkpoint.size, self.size())?.unwrap_or_default();
        Ok(Some(Equivocation { first: theirs.clone(), second: ours.clone(), root, proof }))
    }

    /// Proof that entry `index` is among the first `size`.
    pub fn prove_inclusion(&self, index: u64, size: u64) -> Result<Option<Vec<Hash>>, TilesError> {
        if size > self.size() {
            return Ok(None);
        }
        merkle::prove_inclusion(index, size, |level, n| self.hash(level, n))
    }

    /// Proof that the first `old` entries are the first of `size`.
    pub fn prove_consistency(&self, old: u64, size: u64) -> Result<Option<Vec<Hash>>, TilesError> {
        if size > self.size() {
            return Ok(None);
        }
        merkle::prove_consistency(old, size, |level, n| self.hash(level, n))
    }
}

fn staging_key(size: u64, root: &Hash) -> String {
    format!("staging/{size}-{}", hex(root))
}

fn write_staging(tiles: &[(Tile, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (tile, bytes) in tiles {
        out.extend_from_slice(format!("{tile} {}\n", bytes.len()).as_bytes());
        out.extend_from_slice(bytes);
    }
    out
}

fn read_staging(key: &str, staged: &[u8]) -> Result<Vec<(Tile, Vec<u8>)>, Fault> {
    let bad = |at: usize| {
        Fault::new(key, "it is not a list of tiles", format!("byte {at}"), "`<path> <length>` and so many bytes")
    };
    let (mut rest, mut tiles) = (staged, Vec::new());
    while !rest.is_empty() {
        let at = staged.len() - rest.len();
        let end = rest.iter().position(|b| *b == b'\n').ok_or_else(|| bad(at))?;
        let line = std::str::from_utf8(&rest[..end]).map_err(|_| bad(at))?;
        let (path, length) = line.split_once(' ').ok_or_else(|| bad(at))?;
        let tile = Tile::parse(path).map_err(|_| bad(at))?;
        let length: usize = length.parse().map_err(|_| bad(at))?;
        let (bytes, after) = rest[end + 1..].split_at_checked(length).ok_or_else(|| bad(at))?;
        tiles.push((tile, bytes.to_vec()));
        rest = after;
    }
    Ok(tiles)
}

/// Reads the staged bytes as a stranger would, before anything is signed: one flipped bit between an entry and its hash
/// has ended a public log. Every staged hash is computed again from staged entries by other code than built them, and the
/// old root from the entries that were there before. `base` is the tree before the bundle that grew.
fn self_check(key: &str, base: &Edge, old: (u64, Hash), staged: &[u8], new: (u64, Hash)) -> Result<(), Fault> {
    let fault = |what: &str, found: String, expected: String| Err(Fault::new(key, what, found, expected));
    let mut tiles = read_staging(key, staged)?;
    tiles.sort();
    let mut expected: Vec<Tile> = Tile::new_since(old.0, new.0).collect();
    expected.sort();
    if new.0 <= old.0 || tiles.iter().map(|(tile, _)| *tile).ne(expected) {
        let found = format!("{} tiles", tiles.len());
        return fault("other tiles are staged", found, format!("those between size {} and {}", old.0, new.0));
    }
    let mut edge = base.clone();
    let mut complete = BTreeMap::new();
    let mut old_root = (edge.size() == old.0).then(|| edge.root());
    for (tile, bytes) in tiles.iter().filter(|(tile, _)| tile.level == Level::Entries) {
        if tile.start() != edge.size() {
            return fault("a staged bundle leaves a gap", tile.to_string(), format!("entry {} next", edge.size()));
        }
        let entries =
            tile.entries(bytes).map_err(|e| Fault::new(key, "a staged bundle does not parse", e, "a bundle"))?;
        for entry in entries {
            edge.push(leaf_hash(entry), |level, n, hash| {
                complete.insert((level, n), hash);
            });
            if edge.size() == old.0 {
                old_root = Some(edge.root());
            }
        }
    }
    let describe = |(size, root): (u64, Hash)| format!("size {size} root {}", hex(&root));
    if old_root != Some(old.1) {
        let found = old_root.map_or("no such size".to_string(), |root| describe((old.0, root)));
        return fault("the staged entries do not go on from the log", found, describe(old));
    }
    if (edge.size(), edge.root()) != new {
        return fault("the staged entries lead elsewhere", describe((edge.size(), edge.root())), describe(new));
    }
    for (tile, bytes) in &tiles {
        let Level::Hashes(level) = tile.level else { continue };
        let hashes = tile.hashes(bytes).map_err(|e| Fault::new(key, "a staged tile does not parse", e, "a tile"))?;
        let tree_level = 8 * level;
        let older_fit = if tile.is_full() {
            let mut inner = Edge::new();
            hashes.iter().for_each(|hash| inner.push(*hash, |_, _, _| ()));
            complete.get(&(tree_level + 8, tile.n)) == Some(&inner.root())
        } else {
            // The one-bits of the size within this level cover all that the tile holds.
            let here = |l: &u8| (tree_level..tree_level + 8).contains(l);
            edge.subtrees().filter(|(l, _, _)| here(l)).all(|(l, n, hash)| tile::hash_at(hashes, l, n) == Some(hash))
        };
        let newest = tile.start() + hashes.len() as u64 - 1;
        if !older_fit || complete.get(&(tree_level, newest)) != hashes.last() {
            return fault(
                "a staged hash is not that of its entries",
                tile.to_string(),
                "what they lead to".to_string(),
            );
        }
    }
    Ok(())
}

/// Where the bytes of a tile were found.
enum Found {
    Stored,
    Staged(Vec<u8>),
}

/// Everything that lies below a lock, hashed again.
struct ReadTree {
    lock: Option<(Checkpoint, Note, Version)>,
    edge: RightEdge,
    /// What does not fit.
    faults: Vec<Fault>,
    /// Tiles of the staging object that the lock names: they may not be in their places yet.
    staged: Vec<(Tile, Vec<u8>)>,
    /// All staging objects.
    staging: Vec<String>,
}

impl ReadTree {
    fn read<S: Store>(store: &S, key: &Vkey, mut visit: impl FnMut(u64, &[u8])) -> Result<ReadTree, TilesError> {
        let staging = store.list("staging/")?;
        let mut read =
            ReadTree { lock: None, edge: RightEdge::default(), faults: Vec::new(), staged: Vec::new(), staging };
        match store.read("lock")? {
            Some((bytes, version)) => match read_lock(&bytes, key) {
                Ok((checkpoint, note)) => read.lock = Some((checkpoint, note, version)),
                Err(fault) => {
                    read.faults.push(fault);
                    return Ok(read);
                }
            },
            // Nothing was ever committed. Staging may be left of a first batch that was not; anything else is foreign.
            None => {
                let foreign = store.list("")?.into_iter().filter(|left| !left.starts_with("staging/"));
                let what = "there is no lock beside it";
                read.faults =
                    foreign.map(|left| Fault::new(&left, what, "no lock", "a lock or an empty folder")).collect();
                return Ok(read);
            }
        }
        read.check_published(store, key)?;
        let (size, root) = read.head();
        let wanted = staging_key(size, &root);
        if let Some((bytes, _)) = store.read(&wanted)? {
            match read_staging(&wanted, &bytes) {
                Ok(tiles) => read.staged = tiles,
                Err(fault) => read.faults.push(fault),
            }
        }
        let mut found: BTreeMap<(Level, u64), Vec<(u16, Found)>> = BTreeMap::new();
        for (tile, bytes) in &read.staged {
            found.entry((tile.level, tile.n)).or_default().push((tile.width, Found::Staged(bytes.clone())));
        }
        for key in store.list("tile/")? {
            match Tile::parse(&key) {
                Ok(tile) if Tile::at(tile.level, tile.n, size).is_some_and(|now| tile.width <= now.width) => {
                    found.entry((tile.level, tile.n)).or_default().push((tile.width, Found::Stored));
                }
                Ok(_) => {
                    let (found, expected) = ("a tile beyond the log", format!("tiles of size {size}"));
                    read.faults.push(Fault::new(&key, "the lock does not know it", found, expected));
                }
                Err(error) => read.faults.push(Fault::new(&key, "it is not a tile's name", error, "a tile")),
            }
        }
        let first = read.faults.len();
        read.tiles(store, size, found, &mut visit)?;
        if read.edge.size == size && read.edge.root() != root {
            read.blame_bundles(first, root);
        }
        Ok(read)
    }

    /// What a crash left is finished as in ordinary work: the staged tiles are created, then their object is deleted.
    fn heal<S: Store>(self, mut store: S) -> Result<Tiles<S>, TilesError> {
        for (tile, bytes) in self.staged {
            store.create(&tile.to_string(), &bytes)?;
        }
        for key in self.staging {
            store.delete(&key)?;
        }
        let lock = self.lock.map(|(_, note, version)| (note, version));
        Ok(Tiles { store, root: self.edge.root(), edge: self.edge, lock, unknown: false })
    }

    /// Size and root that the lock promises.
    fn head(&self) -> (u64, Hash) {
        self.lock.as_ref().map_or((0, merkle::empty_root()), |(checkpoint, _, _)| (checkpoint.size, checkpoint.root))
    }

    /// Reads all bundles in order and compares every tile with what the entries ask for.
    fn tiles<S: Store>(
        &mut self,
        store: &S,
        size: u64,
        mut found: BTreeMap<(Level, u64), Vec<(u16, Found)>>,
        visit: &mut impl FnMut(u64, &[u8]),
    ) -> Result<(), TilesError> {
        for n in 0..size.div_ceil(WIDTH) {
            let Some(tile) = Tile::at(Level::Entries, n, size) else { break };
            let place = found.get(&(Level::Entries, n)).and_then(|f| f.iter().find(|(width, _)| *width == tile.width));
            let bytes = match place {
                Some((_, Found::Staged(bytes))) => Some(bytes.clone()),
                Some((_, Found::Stored)) => store.read(&tile.to_string())?.map(|(bytes, _)| bytes),
                None => None,
            };
            let Some(bytes) = bytes else {
                self.faults.push(Fault::new(&tile.to_string(), "it is missing", "nothing", "a bundle of entries"));
                return Ok(());
            };
            let entries = match tile.entries(&bytes) {
                Ok(entries) => entries,
                Err(error) => {
                    let key = self.place(&tile, matches!(place, Some((_, Found::Staged(_)))));
                    self.faults.push(Fault::new(&key, "it is not a bundle", error, "a bundle of entries"));
                    return Ok(());
                }
            };
            let mut full = Vec::new();
            for entry in entries {
                visit(self.edge.size, entry);
                // An entry out of a bundle is never too long.
                let _ = self.edge.push(entry, |tile, bytes| full.push((tile, bytes)));
            }
            for (tile, bytes) in full {
                self.compare(store, tile, &bytes, found.remove(&(tile.level, tile.n)))?;
            }
        }
        let partial: Vec<(Tile, Vec<u8>)> = self.edge.partial().collect();
        for (tile, bytes) in partial {
            self.compare(store, tile, &bytes, found.remove(&(tile.level, tile.n)))?;
        }
        Ok(())
    }

    /// Compares everything found of one tile with the bytes it should have. Partial tiles of earlier sizes stay; each must
    /// be a beginning of what replaced it.
    fn compare<S: Store>(
        &mut self,
        store: &S,
        tile: Tile,
        expected: &[u8],
        found: Option<Vec<(u16, Found)>>,
    ) -> Result<(), TilesError> {
        let found = found.unwrap_or_default();
        if !found.iter().any(|(width, _)| *width == tile.width) {
            self.faults.push(Fault::new(&tile.to_string(), "it is missing", "nothing", "a tile"));
        }
        for (width, place) in found {
            let tile = Tile { width, ..tile };
            let key = self.place(&tile, matches!(place, Found::Staged(_)));
            let bytes = match place {
                Found::Staged(bytes) => bytes,
                Found::Stored => read_tile(store, tile)?,
            };
            let length = match tile.level {
                Level::Hashes(_) => 32 * usize::from(width),
                Level::Entries => bundle_length(expected, width),
            };
            if expected.get(..length) != Some(&bytes[..]) {
                self.faults.push(first_difference(&key, &bytes, expected.get(..length).unwrap_or(expected)));
            }
        }
        Ok(())
    }

    /// Where a tile's bytes lie.
    fn place(&self, tile: &Tile, staged: bool) -> String {
        let (size, root) = self.head();
        if staged { staging_key(size, &root) } else { tile.to_string() }
    }

    /// The entries have another root than the signed one, so it is not the hashes that changed. The bundle whose hashes are
    /// not those of its tile is to blame; if all are, the lock is.
    fn blame_bundles(&mut self, first: usize, root: Hash) {
        let mut blamed = Vec::new();
        for fault in self.faults.drain(first..) {
            match Tile::parse(&fault.key) {
                Ok(tile) if tile.level == Level::Hashes(0) => {
                    let bundle = Tile { level: Level::Entries, ..tile };
                    let what = format!("an entry was changed: its hash is not the one in {tile}");
                    blamed.push(Fault { key: bundle.to_string(), what, found: fault.expected, expected: fault.found });
                }
                Ok(Tile { level: Level::Hashes(_), .. }) => {}
                _ => blamed.push(fault),
            }
        }
        if blamed.is_empty() {
            let what = "the entries do not lead to the root that the log signed";
            blamed.push(Fault::new("lock", what, hex(&self.edge.root()), hex(&root)));
        }
        self.faults.extend(blamed);
    }

    /// The published checkpoint may lag behind the lock, never lead it.
    fn check_published<S: Store>(&mut self, store: &S, key: &Vkey) -> Result<(), TilesError> {
        let Some((bytes, _)) = store.read("checkpoint")? else { return Ok(()) };
        let (size, root) = self.head();
        let fault = match Checkpoint::open(&bytes, key) {
            Err(error) => Some(Fault::new(
                "checkpoint",
                "it is not a checkpoint signed by the log's key",
                error,
                format!("a checkpoint of {}", key.name()),
            )),
            Ok((_, note)) if note.to_text().as_bytes() != bytes => {
                Some(Fault::new("checkpoint", "it has more bytes than a note", "other bytes", "the note alone"))
            }
            Ok((published, _)) if published.size > size || (published.size == size && published.root != root) => {
                let describe = |size: u64, root: &Hash| format!("size {size} root {}", hex(root));
                let what = "a checkpoint was published that the lock does not know: this disk is older than what the world has seen";
                Some(Fault::new("checkpoint", what, describe(published.size, &published.root), describe(size, &root)))
            }
            Ok(_) => None,
        };
        self.faults.extend(fault);
        Ok(())
    }

    /// Staging objects that the lock does not name were never committed; still, they must be what a crash can leave.
    fn check_abandoned<S: Store>(&mut self, store: &S) -> Result<(), TilesError> {
        let head = self.head();
        let wanted = staging_key(head.0, &head.1);
        for key in self.staging.iter().filter(|key| **key != wanted) {
            let Some((bytes, _)) = store.read(key)? else { continue };
            let named = key.strip_prefix("staging/").and_then(|name| name.split_once('-'));
            let named = named.and_then(|(size, root)| Some((crate::checkpoint::decimal(size)?, unhex(root).ok()?)));
            match named {
                Some(new) if self.faults.is_empty() => {
                    self.faults.extend(self_check(key, &self.edge.base, head, &bytes, new).err())
                }
                Some(_) => {}
                None => self.faults.push(Fault::new(key, "it is not a staging object", key, "staging/<size>-<root>")),
            }
        }
        Ok(())
    }
}

fn read_lock(bytes: &[u8], key: &Vkey) -> Result<(Checkpoint, Note), Fault> {
    let (checkpoint, note) = Checkpoint::open(bytes, key).map_err(|e| {
        let expected = format!("a checkpoint of {}", key.name());
        Fault::new("lock", "it is not a checkpoint signed by the log's key", e, expected)
    })?;
    if note.to_text().as_bytes() != bytes {
        return Err(Fault::new("lock", "it has more bytes than a note", "other bytes", "the note alone"));
    }
    Ok((checkpoint, note))
}

/// Bytes of the first `width` entries of a bundle.
fn bundle_length(bundle: &[u8], width: u16) -> usize {
    let mut at = 0;
    for _ in 0..width {
        let Some(length) = bundle.get(at..at + 2) else { return usize::MAX };
        at += 2 + usize::from(u16::from_be_bytes([length[0], length[1]]));
    }
    at
}

fn read_tile<S: Store>(store: &S, tile: Tile) -> Result<Vec<u8>, TilesError> {
    let key = tile.to_string();
    match store.read(&key)? {
        Some((bytes, _)) => Ok(bytes),
        None => Err(Fault::new(&key, "it is missing", "nothing", "a tile").into()),
    }
}

fn first_difference(key: &str, found: &[u8], expected: &[u8]) -> Fault {
    let at = found.iter().zip(expected).position(|(a, b)| a != b).unwrap_or(found.len().min(expected.len()));
    let from = at / 32 * 32;
    let show = |bytes: &[u8]| -> String {
        let part = bytes.get(from..bytes.len().min(from + 32)).unwrap_or(&[]);
        part.iter().map(|b| format!("{b:02x}")).collect()
    };
    Fault::new(
        key,
        &format!("it is not what the entries and the signed root ask for (byte {at})"),
        show(found),
        show(expected),
    )
}
