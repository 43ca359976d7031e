//! Entries and hashes of one log in a store, and the one way in which they grow.
//!
//! ```text
//! 1 staging/<size>-<root>   all new tiles, in one object            a crash: staging is deleted, nothing happened
//! 2 self-check              separate code reads the staged bytes    a crash: the same
//! 3 lock                    swapped to the checkpoint: commit       a crash: staging is replayed on the next start
//! 4 tile/…                  created from the staged bytes           a crash: the same
//! 5 staging deleted                                                 a crash: deleted on the next start
//! ```
//! A node's own log and its copies of others grow alike; they differ in where the checkpoint comes from. Opening reads and
//! hashes every byte, so that nothing is built on what does not fit.
use crate::checkpoint::Checkpoint;
use crate::key::Vkey;
use crate::merkle::{self, Edge, Hash};
use crate::note::Note;
use crate::statement::hex;
use crate::store::{Store, StoreError, Version};
use crate::tile::{self, Level, Tile};
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
    edge: Edge,
    root: Hash,
    lock: Option<(Note, Version)>,
    /// Bytes of the bundle that is still growing; empty if it is full.
    bundle: Vec<u8>,
    /// Hashes of the tile that is still growing, at each level of tiles.
    growing: Vec<Vec<Hash>>,
    unknown: bool,
}

/// The tiles that some entries add, by name, with the state after them.
struct Grown {
    edge: Edge,
    bundle: Vec<u8>,
    growing: Vec<Vec<Hash>>,
    tiles: BTreeMap<Tile, Vec<u8>>,
}

impl<S: Store> Tiles<S> {
    /// Opens what the store holds; `visit` sees every entry in order. `key` is the log's: the lock must be signed by it.
    /// An empty store is an empty log.
    pub fn open(mut store: S, key: &Vkey, mut visit: impl FnMut(u64, &[u8])) -> Result<Tiles<S>, TilesError> {
        let Some((bytes, version)) = store.read("lock")? else {
            // Nothing was ever committed. Staging may be left of a first batch that was not; anything else is foreign.
            for left in store.list("")? {
                match left.starts_with("staging/") {
                    true => store.delete(&left)?,
                    false => {
                        return Err(Fault::new(
                            &left,
                            "there is no lock beside it",
                            "no lock",
                            "a lock or an empty folder",
                        )
                        .into());
                    }
                }
            }
            let (edge, root) = (Edge::new(), merkle::empty_root());
            return Ok(Tiles {
                store,
                edge,
                root,
                lock: None,
                bundle: Vec::new(),
                growing: Vec::new(),
                unknown: false,
            });
        };
        let (checkpoint, note) = Checkpoint::open(&bytes, key).map_err(|e| {
            Fault::new(
                "lock",
                "it is not a checkpoint signed by the log's key",
                e,
                format!("a checkpoint of {}", key.name()),
            )
        })?;
        if note.to_text().as_bytes() != bytes {
            return Err(Fault::new("lock", "it has more bytes than a note", "other bytes", "the note alone").into());
        }
        check_published(&store, key, &checkpoint)?;
        let wanted = staging_key(checkpoint.size, &checkpoint.root);
        for left in store.list("staging/")? {
            if left == wanted {
                let (staged, _) = store.read(&left)?.ok_or(StoreError::Moved(left.clone()))?;
                for (tile, bytes) in read_staging(&left, &staged)? {
                    store.create(&tile.to_string(), &bytes)?;
                }
            }
            store.delete(&left)?;
        }
        let tiles = read_all(store, checkpoint, &mut visit)?;
        Ok(Tiles { lock: Some((note, version)), ..tiles })
    }

    /// Number of entries.
    pub fn size(&self) -> u64 {
        self.edge.size()
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

    /// Adds entries under the checkpoint that `checkpoint` gives for the new size and root. Durable when it returns; any
    /// error but its own refusals leaves the state unknown, and the caller opens again.
    pub fn grow<E: From<TilesError>>(
        &mut self,
        entries: &[impl AsRef<[u8]>],
        checkpoint: impl FnOnce(u64, Hash) -> Result<Note, E>,
    ) -> Result<(), E> {
        if self.unknown {
            return Err(TilesError::Unknown.into());
        }
        if let Some(long) = entries.iter().map(|e| e.as_ref().len()).find(|n| *n > tile::ENTRY_BYTES_MAX) {
            return Err(TilesError::EntryTooLarge(long).into());
        }
        let grown = self.grown(entries);
        let (size, root) = (grown.edge.size(), grown.edge.root());
        let note = checkpoint(size, root)?;
        // From here on an error means that we do not know what the disk holds.
        self.unknown = true;
        self.commit(&grown, &note, size, root).map_err(E::from)?;
        self.unknown = false;
        self.edge = grown.edge;
        self.root = root;
        self.bundle = grown.bundle;
        self.growing = grown.growing;
        Ok(())
    }

    fn commit(&mut self, grown: &Grown, note: &Note, size: u64, root: Hash) -> Result<(), TilesError> {
        let staging = staging_key(size, &root);
        let staged = write_staging(&grown.tiles);
        self.store.create(&staging, &staged)?;
        self_check(&staging, &staged, &self.edge, size, &root)?;
        let bytes = note.to_text().into_bytes();
        let old = self.lock.as_ref().map(|(_, version)| *version);
        // The commit point. Tiles are created after it, from staging: a crash between is healed when it is opened.
        let version = self.store.swap("lock", old, &bytes)?;
        for (tile, bytes) in &grown.tiles {
            self.store.create(&tile.to_string(), bytes)?;
        }
        self.store.delete(&staging)?;
        self.lock = Some((note.clone(), version));
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

    /// Writes the published checkpoint.
    pub(crate) fn publish(&mut self, note: &Note) -> Result<(), TilesError> {
        if self.unknown {
            return Err(TilesError::Unknown);
        }
        let old = self.store.read("checkpoint")?.map(|(_, version)| version);
        self.unknown = true;
        self.store.swap("checkpoint", old, note.to_text().as_bytes())?;
        self.unknown = false;
        Ok(())
    }

    fn grown(&self, entries: &[impl AsRef<[u8]>]) -> Grown {
        let old = self.edge.size();
        let mut grown = Grown {
            edge: self.edge.clone(),
            bundle: self.bundle.clone(),
            growing: self.growing.clone(),
            tiles: BTreeMap::new(),
        };
        for entry in entries {
            let entry = entry.as_ref();
            // Longer entries were refused above.
            let _ = tile::push_entry(&mut grown.bundle, entry);
            let (growing, tiles) = (&mut grown.growing, &mut grown.tiles);
            grown.edge.push(merkle::leaf_hash(entry), |level, n, hash| {
                push_hash(growing, level, hash, |at, full| {
                    tiles
                        .insert(Tile { level: Level::Hashes(at), n: n / tile::WIDTH, width: tile::WIDTH as u16 }, full);
                });
            });
            let size = grown.edge.size();
            if size.is_multiple_of(tile::WIDTH) {
                let full = Tile { level: Level::Entries, n: size / tile::WIDTH - 1, width: tile::WIDTH as u16 };
                grown.tiles.insert(full, std::mem::take(&mut grown.bundle));
            }
        }
        // What is full was kept on the way; what still grows is written at its present width.
        for tile in Tile::new_since(old, grown.edge.size()).filter(|t| !t.is_full()) {
            let bytes = match tile.level {
                Level::Entries => grown.bundle.clone(),
                Level::Hashes(level) => grown.growing.get(usize::from(level)).map(|h| h.concat()).unwrap_or_default(),
            };
            grown.tiles.insert(tile, bytes);
        }
        grown
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

/// Adds a complete hash to the tile that grows at its level; only every eighth level of the tree has tiles.
fn push_hash(growing: &mut Vec<Vec<Hash>>, level: u8, hash: Hash, full: impl FnOnce(u8, Vec<u8>)) {
    if !level.is_multiple_of(8) {
        return;
    }
    let at = usize::from(level / 8);
    while growing.len() <= at {
        growing.push(Vec::new());
    }
    growing[at].push(hash);
    if growing[at].len() as u64 == tile::WIDTH {
        full(level / 8, std::mem::take(&mut growing[at]).concat());
    }
}

fn staging_key(size: u64, root: &Hash) -> String {
    format!("staging/{size}-{}", hex(root))
}

fn write_staging(tiles: &BTreeMap<Tile, Vec<u8>>) -> Vec<u8> {
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
/// has ended a public log. Shares nothing with the code that built them but the hash functions.
fn self_check(key: &str, staged: &[u8], old: &Edge, size: u64, root: &Hash) -> Result<(), Fault> {
    let mut edge = old.clone();
    let mut hashes: BTreeMap<(u8, u64), Hash> = BTreeMap::new();
    let tiles = read_staging(key, staged)?;
    let fault = |tile: &Tile, what: &str| Fault::new(key, what, tile, "what the entries lead to");
    for (tile, bytes) in tiles.iter().filter(|(t, _)| t.level == Level::Entries) {
        let entries =
            tile.entries(bytes).map_err(|e| Fault::new(key, "a staged bundle does not parse", e, "a bundle"))?;
        let known = edge.size().saturating_sub(tile.start());
        for entry in entries.iter().skip(usize::try_from(known).unwrap_or(usize::MAX)) {
            edge.push(merkle::leaf_hash(entry), |level, n, hash| {
                hashes.insert((level, n), hash);
            });
        }
    }
    if edge.size() != size || edge.root() != *root || size <= old.size() {
        let found = format!("size {} root {}", edge.size(), hex(&edge.root()));
        return Err(Fault::new(
            key,
            "the staged entries lead elsewhere",
            found,
            format!("size {size} root {}", hex(root)),
        ));
    }
    for (tile, bytes) in &tiles {
        let Level::Hashes(level) = tile.level else { continue };
        let found = tile.hashes(bytes).map_err(|e| Fault::new(key, "a staged tile does not parse", e, "a tile"))?;
        for (i, hash) in found.iter().enumerate() {
            // Hashes older than this batch were checked when they were new.
            if hashes.get(&(8 * level, tile.start() + i as u64)).is_some_and(|expected| expected != hash) {
                return Err(fault(tile, "a staged hash is not that of its entries"));
            }
        }
    }
    Ok(())
}

/// The published checkpoint may lag behind the lock, never lead it.
fn check_published<S: Store>(store: &S, key: &Vkey, lock: &Checkpoint) -> Result<(), TilesError> {
    let Some((bytes, _)) = store.read("checkpoint")? else { return Ok(()) };
    let (published, note) = Checkpoint::open(&bytes, key).map_err(|e| {
        Fault::new(
            "checkpoint",
            "it is not a checkpoint signed by the log's key",
            e,
            format!("a checkpoint of {}", key.name()),
        )
    })?;
    if note.to_text().as_bytes() != bytes {
        return Err(Fault::new("checkpoint", "it has more bytes than a note", "other bytes", "the note alone").into());
    }
    let describe = |c: &Checkpoint| format!("size {} root {}", c.size, hex(&c.root));
    if published.size > lock.size || (published.size == lock.size && published.root != lock.root) {
        let what =
            "a checkpoint was published that the lock does not know: this disk is older than what the world has seen";
        return Err(Fault::new("checkpoint", what, describe(&published), describe(lock)).into());
    }
    Ok(())
}

fn read_tile<S: Store>(store: &S, tile: Tile) -> Result<Vec<u8>, TilesError> {
    let key = tile.to_string();
    match store.read(&key)? {
        Some((bytes, _)) => Ok(bytes),
        None => Err(Fault::new(&key, "it is missing", "nothing", "a tile").into()),
    }
}

/// Reads every tile that a log of this size has, hashes all entries, and compares every hash and the root.
fn read_all<S: Store>(
    store: S,
    checkpoint: Checkpoint,
    visit: &mut impl FnMut(u64, &[u8]),
) -> Result<Tiles<S>, TilesError> {
    let size = checkpoint.size;
    let mut edge = Edge::new();
    let mut growing: Vec<Vec<Hash>> = Vec::new();
    let mut bundle = Vec::new();
    // Roots at the sizes of older, partial tiles cannot be asked from a checkpoint; their bytes are prefixes of full ones.
    let mut hashed: BTreeMap<Tile, Vec<u8>> = BTreeMap::new();
    let mut bundles: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
    for tile in Tile::all(size).filter(|t| t.level == Level::Entries) {
        let bytes = read_tile(&store, tile)?;
        let key = tile.to_string();
        let entries =
            tile.entries(&bytes).map_err(|e| Fault::new(&key, "it is not a bundle", e, "a bundle of entries"))?;
        for (i, entry) in entries.iter().enumerate() {
            visit(tile.start() + i as u64, entry);
            edge.push(merkle::leaf_hash(entry), |level, n, hash| {
                push_hash(&mut growing, level, hash, |at, full| {
                    hashed
                        .insert(Tile { level: Level::Hashes(at), n: n / tile::WIDTH, width: tile::WIDTH as u16 }, full);
                });
            });
        }
        if !tile.is_full() {
            bundle = bytes.clone();
        }
        bundles.insert(tile.n, bytes);
    }
    for tile in Tile::all(size) {
        let Level::Hashes(level) = tile.level else { continue };
        let key = tile.to_string();
        let found = read_tile(&store, tile)?;
        let partial = || growing.get(usize::from(level)).map(|h| h.concat()).unwrap_or_default();
        let expected = if tile.is_full() { hashed.get(&tile).cloned().unwrap_or_default() } else { partial() };
        if found != expected {
            return Err(first_difference(&key, &found, &expected).into());
        }
        hashed.entry(tile).or_insert(expected);
    }
    let root = edge.root();
    if root != checkpoint.root {
        let what = "the entries do not lead to the root that the log signed: an entry was changed";
        return Err(Fault::new("lock", what, hex(&root), hex(&checkpoint.root)).into());
    }
    check_leftovers(&store, size, &hashed, &bundles)?;
    Ok(Tiles { store, edge, root, lock: None, bundle, growing, unknown: false })
}

fn first_difference(key: &str, found: &[u8], expected: &[u8]) -> Fault {
    let at = found.iter().zip(expected).position(|(a, b)| a != b).unwrap_or(found.len().min(expected.len()));
    let from = at / 32 * 32;
    let show = |bytes: &[u8]| -> String {
        let part = bytes.get(from..bytes.len().min(from + 32)).unwrap_or(&[]);
        part.iter().map(|b| format!("{b:02x}")).collect()
    };
    Fault::new(key, &format!("a hash is not that of its entries (byte {at})"), show(found), show(expected))
}

/// Partial tiles of earlier sizes stay; each must be a beginning of what replaced it. Other files do not belong here.
fn check_leftovers<S: Store>(
    store: &S,
    size: u64,
    hashed: &BTreeMap<Tile, Vec<u8>>,
    bundles: &BTreeMap<u64, Vec<u8>>,
) -> Result<(), TilesError> {
    for key in store.list("tile/")? {
        let tile = Tile::parse(&key).map_err(|e| Fault::new(&key, "it is not a tile's name", e, "a tile"))?;
        let Some(now) = Tile::at(tile.level, tile.n, size).filter(|now| now.width >= tile.width) else {
            return Err(Fault::new(
                &key,
                "the lock does not know it",
                "a tile beyond the log",
                format!("tiles of size {size}"),
            )
            .into());
        };
        if now == tile {
            continue;
        }
        let whole = match tile.level {
            Level::Entries => bundles.get(&tile.n).cloned().unwrap_or_default(),
            Level::Hashes(_) => hashed.get(&now).cloned().unwrap_or_default(),
        };
        let found = read_tile(store, tile)?;
        let fits = match tile.level {
            Level::Entries => tile.entries(&found).is_ok() && whole.starts_with(&found),
            Level::Hashes(_) => tile.hashes(&found).is_ok() && whole.starts_with(&found),
        };
        if !fits {
            let what = "an earlier, partial tile is not a beginning of the one that replaced it";
            return Err(Fault::new(&key, what, "other bytes", now).into());
        }
    }
    Ok(())
}
