//! Entries and hashes of one log in a store, and the one way in which they grow.
//!
//! ```text
//! 1 staging/<size>-<root>   all new tiles, in one object            a crash: staging is deleted, nothing happened
//! 2 self-check              other code reads the staged bytes       a crash: the same; only now the log signs
//! 3 lock                    swapped to the checkpoint: commit       a crash: staging is replayed on the next start
//!   …                       answers leave, more batches come        a crash: all of their staging is
//! 4 tile/…                  the newest of each created from staging a crash: the same
//! 5 staging deleted                                                 a crash: deleted on the next start
//! ```
//! A node's own log and its copies of others grow alike; they differ in where the checkpoint comes from. Opening reads and
//! hashes every byte, so that nothing is built on what does not fit.
//!
//! The last two steps are [`Tiles::settle`]: once for many batches, so that a batch costs four syncs, and a tile that grew
//! in each of them is written once. Until then it is read from memory. A partial tile of an earlier size is the beginning of
//! what it grew into: it is cut from that when it is asked for ([`Tiles::tile`]), and not kept.
use crate::checkpoint::Checkpoint;
use crate::equivocation::Equivocation;
use crate::key::Vkey;
use crate::merkle::{self, Edge, Hash, leaf_hash, node_hash};
use crate::note::Note;
use crate::statement::{hex, unhex};
use crate::store::{Store, StoreError, Version};
use crate::tile::{self, Level, Tile, WIDTH};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

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

impl TilesError {
    /// True if nothing was changed, as when the disk is full: the same can be asked again once there is room. After any
    /// other error of a write the state is unknown.
    pub fn is_not_written(&self) -> bool {
        matches!(self, TilesError::Store(StoreError::NotWritten { .. }))
    }
}

impl From<Fault> for TilesError {
    fn from(fault: Fault) -> TilesError {
        TilesError::Fault(Box::new(fault))
    }
}

/// Staging is cleared at the latest when it holds so many batches,
const STAGED_MAX: usize = 64;
/// or when the tiles in it are so many bytes.
const PENDING_BYTES_MAX: usize = 16 << 20;

/// Tiles of one log behind its `lock`.
#[derive(Debug)]
pub struct Tiles<S> {
    store: S,
    edge: RightEdge,
    root: Hash,
    lock: Option<(Note, Version)>,
    unknown: bool,
    /// The newest of each tile that is in staging only.
    pending: BTreeMap<(Level, u64), (Tile, Vec<u8>)>,
    pending_bytes: usize,
    /// Staging objects that hold them.
    staged: Vec<String>,
    /// Size of which all tiles are in their places.
    settled: u64,
}

/// Where the bytes of a tile can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Here they are.
    Here(Vec<u8>),
    /// In the store, under the name of a tile that begins with them: see [`Tile::cut`].
    Stored(Tile),
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

    /// Opens a log of any size in no time: what is read is the lock, whose signature must hold, staging, and the right edge.
    /// The last bundle must lead to the last tile of hashes, each tile to the one above it, and all of them to the root
    /// that the lock signs; so must every bundle that is in staging only. Older tiles are not looked at, as they are not
    /// needed to go on: [`Tiles::open`] reads them, and so does every reader that checks a proof.
    pub fn resume(store: S, key: &Vkey) -> Result<Tiles<S>, TilesError> {
        let mut read = ReadTree::read_edge(&store, key)?;
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
    /// entry is too long, nothing could be written, or `checkpoint` refuses, nothing was added; any other error leaves the
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
        // Before the batch, not after it: a disk that is full here refuses the batch, and none that was committed.
        if self.staged.len() >= STAGED_MAX || self.pending_bytes >= PENDING_BYTES_MAX {
            self.settle()?;
        }
        let grown = self.edge.grow(entries).map_err(TilesError::EntryTooLarge)?;
        let (size, root) = (grown.edge.size, grown.root);
        let staging = staging_key(size, &root);
        // From here on an error means that we do not know what the disk holds.
        self.unknown = true;
        match self.stage(&staging, &grown) {
            Ok(()) => {}
            Err(error) => {
                self.unknown = !error.is_not_written();
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
        let old = self.lock.as_ref().map(|(_, version)| *version);
        // The commit point. The tiles stay in staging for now: a crash is healed from there.
        let version = match self.store.swap("lock", old, note.to_text().as_bytes()) {
            Ok(version) => version,
            Err(error) => {
                // Somebody else committed first, or there was no room for the lock: this batch is on no log. A start names
                // what stays of it.
                let nowhere = matches!(error, StoreError::Moved(_) | StoreError::NotWritten { .. });
                let is_gone = nowhere && self.store.delete(&staging).is_ok();
                let error = TilesError::from(error);
                self.unknown = !(is_gone && error.is_not_written());
                return Err(error.into());
            }
        };
        self.lock = Some((note, version));
        self.staged.push(staging);
        for (tile, bytes) in grown.tiles {
            self.pending_bytes += bytes.len();
            let before = self.pending.insert((tile.level, tile.n), (tile, bytes));
            self.pending_bytes -= before.map_or(0, |(_, bytes)| bytes.len());
        }
        self.edge = grown.edge;
        self.root = root;
        self.unknown = false;
        Ok(())
    }

    /// True if tiles are in staging only.
    pub fn is_unsettled(&self) -> bool {
        !self.staged.is_empty()
    }

    /// Puts the tiles that are in staging only into their places, durably, and clears staging. Nothing is promised by this
    /// that was not before; whoever drives the log calls it some seconds after it grew. If nothing could be written, staging
    /// stays and it can be tried again; any other error leaves the state unknown.
    pub fn settle(&mut self) -> Result<(), TilesError> {
        if self.unknown {
            return Err(TilesError::Unknown);
        }
        if self.staged.is_empty() {
            return Ok(());
        }
        self.unknown = true;
        for (tile, bytes) in self.pending.values() {
            if let Err(error) = self.store.create(&tile.to_string(), bytes) {
                self.unknown = !matches!(error, StoreError::NotWritten { .. });
                return Err(error.into());
            }
        }
        // What is deleted from staging is durable in its place first: the store sees to that.
        for key in std::mem::take(&mut self.staged) {
            self.store.delete(&key)?;
        }
        for (level, n) in std::mem::take(&mut self.pending).into_keys() {
            if let Some(before) = Tile::at(level, n, self.settled).filter(|tile| !tile.is_full()) {
                self.store.delete(&before.to_string())?;
            }
        }
        self.pending_bytes = 0;
        self.settled = self.size();
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

    /// Replaces the lock by a note of the same size and root, e.g. with more cosignatures.
    pub(crate) fn relock(&mut self, note: Note) -> Result<(), TilesError> {
        if self.unknown {
            return Err(TilesError::Unknown);
        }
        let old = self.lock.as_ref().map(|(_, version)| *version);
        let swapped = self.store.swap("lock", old, note.to_text().as_bytes()).map_err(TilesError::from);
        self.unknown = swapped.as_ref().is_err_and(|error| !error.is_not_written());
        self.lock = Some((note, swapped?));
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
        let swapped = self.store.swap(key, old, note.to_text().as_bytes()).map_err(TilesError::from);
        self.unknown = swapped.as_ref().is_err_and(|error| !error.is_not_written());
        swapped.map(drop)
    }

    /// The complete hash at (tree level, n).
    pub fn hash(&self, level: u8, n: u64) -> Result<Hash, TilesError> {
        self.hashes()(level, n)
    }

    /// Complete hashes for one proof, which asks for several of a tile: each tile is read once.
    fn hashes(&self) -> impl FnMut(u8, u64) -> Result<Hash, TilesError> {
        let size = self.size();
        let mut read: BTreeMap<Tile, Cow<'_, [u8]>> = BTreeMap::new();
        move |level, n| {
            let missing = || {
                let found = format!("{level}/{n}");
                Fault::new("tile", "a hash beyond the log was asked for", found, format!("size {size}"))
            };
            let tile = Tile::of_hash(level, n, size).ok_or_else(missing)?;
            let bytes = match read.entry(tile) {
                Entry::Occupied(read) => read.into_mut(),
                Entry::Vacant(place) => place.insert(self.newest(tile)?),
            };
            let fault = |e| Fault::new(&tile.to_string(), "it is not a tile", e, "a tile");
            let hashes = tile.hashes(bytes).map_err(fault)?;
            Ok(tile::hash_at(hashes, level, n).ok_or_else(missing)?)
        }
    }

    /// The bytes of a tile at its present width.
    fn newest(&self, tile: Tile) -> Result<Cow<'_, [u8]>, TilesError> {
        match self.pending.get(&(tile.level, tile.n)) {
            Some((_, bytes)) => Ok(Cow::Borrowed(bytes)),
            None => read_tile(&self.store, tile).map(Cow::Owned),
        }
    }

    /// The bytes of `checkpoint` or of a tile, for readers; `None` for other keys and for what is not there.
    pub fn public(&self, key: &str) -> Result<Option<Vec<u8>>, TilesError> {
        match Tile::parse(key) {
            Ok(tile) => self.tile(tile),
            Err(_) if key == "checkpoint" => Ok(self.store.read(key)?.map(|(bytes, _)| bytes)),
            Err(_) => Ok(None),
        }
    }

    /// A tile as it is or as it was at a smaller size; `None` beyond the log.
    pub fn tile(&self, tile: Tile) -> Result<Option<Vec<u8>>, TilesError> {
        match self.locate(tile) {
            None => Ok(None),
            Some(Place::Here(bytes)) => Ok(Some(bytes)),
            Some(Place::Stored(newest)) => Ok(tile.cut(&read_tile(&self.store, newest)?).map(<[u8]>::to_vec)),
        }
    }

    /// Where a tile can be read, for whoever reads beside the one that writes.
    pub fn locate(&self, tile: Tile) -> Option<Place> {
        let newest = Tile::at(tile.level, tile.n, self.size()).filter(|newest| tile.width <= newest.width)?;
        match self.pending.get(&(tile.level, tile.n)) {
            Some((_, bytes)) => tile.cut(bytes).map(|bytes| Place::Here(bytes.to_vec())),
            None => Some(Place::Stored(newest)),
        }
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
            let bytes = self.newest(tile)?;
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
        merkle::root(size, self.hashes())
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
        merkle::prove_inclusion(index, size, self.hashes())
    }

    /// Proof that the subtree over the entries `start..end` is one of the first `size`.
    pub fn prove_subtree(&self, start: u64, end: u64, size: u64) -> Result<Option<Vec<Hash>>, TilesError> {
        if size > self.size() {
            return Ok(None);
        }
        merkle::prove_subtree(start, end, size, self.hashes())
    }

    /// Proof that the first `old` entries are the first of `size`.
    pub fn prove_consistency(&self, old: u64, size: u64) -> Result<Option<Vec<Hash>>, TilesError> {
        if size > self.size() {
            return Ok(None);
        }
        merkle::prove_consistency(old, size, self.hashes())
    }
}

fn staging_key(size: u64, root: &Hash) -> String {
    format!("staging/{size}-{}", hex(root))
}

/// Size and root in the name of a staging object.
fn named(key: &str) -> Option<(u64, Hash)> {
    let (size, root) = key.strip_prefix("staging/")?.split_once('-')?;
    let found = (crate::checkpoint::decimal(size)?, unhex(root).ok()?);
    (staging_key(found.0, &found.1) == key).then_some(found)
}

fn write_staging(tiles: &[(Tile, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(tiles.iter().map(|(_, bytes)| bytes.len() + 48).sum());
    for (tile, bytes) in tiles {
        out.extend_from_slice(format!("{tile} {}\n", bytes.len()).as_bytes());
        out.extend_from_slice(bytes);
    }
    out
}

fn read_staging<'s>(key: &str, staged: &'s [u8]) -> Result<Vec<(Tile, &'s [u8])>, Fault> {
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
        tiles.push((tile, bytes));
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
                // Tiles hold every eighth level.
                if level % 8 == 0 {
                    complete.insert((level, n), hash);
                }
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
    /// In this staging object, the tile of this number.
    Staged(usize, usize),
}

/// Everything that lies below a lock, hashed again.
struct ReadTree {
    lock: Option<(Checkpoint, Note, Version)>,
    edge: RightEdge,
    /// What does not fit.
    faults: Vec<Fault>,
    /// Tiles of the staging objects up to the lock: they may not be in their places yet.
    staged: Vec<Staged>,
    /// All staging objects.
    staging: Vec<String>,
    /// Partial tiles in the store that have grown since.
    superseded: Vec<String>,
}

/// A staging object of what was committed.
struct Staged {
    key: String,
    size: u64,
    root: Hash,
    tiles: Vec<(Tile, Vec<u8>)>,
}

impl ReadTree {
    /// The lock, the published checkpoint, and staging.
    fn begin<S: Store>(store: &S, key: &Vkey) -> Result<ReadTree, TilesError> {
        let staging = store.list("staging/")?;
        let mut read = ReadTree {
            lock: None,
            edge: RightEdge::default(),
            faults: Vec::new(),
            staged: Vec::new(),
            staging,
            superseded: Vec::new(),
        };
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
        read.read_staged(store)?;
        Ok(read)
    }

    /// Every byte.
    fn read<S: Store>(store: &S, key: &Vkey, mut visit: impl FnMut(u64, &[u8])) -> Result<ReadTree, TilesError> {
        let mut read = ReadTree::begin(store, key)?;
        if read.lock.is_none() {
            return Ok(read);
        }
        let (size, root) = read.head();
        let mut found: BTreeMap<(Level, u64), Vec<(u16, Found)>> = BTreeMap::new();
        for (at, staged) in read.staged.iter().enumerate() {
            for (nth, (tile, _)) in staged.tiles.iter().enumerate() {
                found.entry((tile.level, tile.n)).or_default().push((tile.width, Found::Staged(at, nth)));
            }
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

    /// The staging objects that the log can rest on: of no larger size than the lock's.
    fn read_staged<S: Store>(&mut self, store: &S) -> Result<(), TilesError> {
        let (size, _) = self.head();
        for key in &self.staging {
            let Some((named, root)) = named(key).filter(|(named, _)| *named <= size) else { continue };
            let Some((bytes, _)) = store.read(key)? else { continue };
            match read_staging(key, &bytes) {
                Ok(tiles) => {
                    let other = tiles.iter().find(|(tile, _)| Tile::at(tile.level, tile.n, named) != Some(*tile));
                    self.faults.extend(other.map(|(tile, _)| {
                        Fault::new(key, "it holds a tile of another size", tile, format!("tiles of size {named}"))
                    }));
                    let tiles = tiles.into_iter().map(|(tile, bytes)| (tile, bytes.to_vec())).collect();
                    self.staged.push(Staged { key: key.clone(), size: named, root, tiles });
                }
                Err(fault) => self.faults.push(fault),
            }
        }
        // By size, as they came: their names are sorted as text.
        self.staged.sort_by_key(|staged| staged.size);
        self.check_staged_bundles();
        Ok(())
    }

    /// The right edge alone.
    fn read_edge<S: Store>(store: &S, key: &Vkey) -> Result<ReadTree, TilesError> {
        let mut read = ReadTree::begin(store, key)?;
        let (size, root) = read.head();
        if size == 0 || !read.faults.is_empty() {
            return Ok(read);
        }
        match read.edge_of(store, size) {
            Ok(edge) if edge.root() == root => read.edge = edge,
            Ok(edge) => {
                let what = "the right edge does not lead to the root that the log signed";
                read.faults.push(Fault::new("lock", what, hex(&edge.root()), hex(&root)));
            }
            Err(TilesError::Fault(fault)) => read.faults.push(*fault),
            Err(error) => return Err(error),
        }
        Ok(read)
    }

    /// Staged bundles lead to the hashes that are staged with them.
    fn check_staged_bundles(&mut self) {
        for staged in &self.staged {
            for (tile, bytes) in staged.tiles.iter().filter(|(tile, _)| tile.level == Level::Entries) {
                let hashes = Tile { level: Level::Hashes(0), ..*tile };
                let hashes = staged.tiles.iter().find(|(other, _)| *other == hashes).map(|(_, bytes)| &bytes[..]);
                let fit = tile.entries(bytes).is_ok_and(|entries| {
                    let found: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
                    hashes == Some(found.as_flattened())
                });
                if !fit {
                    let what = "a staged bundle is not what its hashes say";
                    self.faults.push(Fault::new(&staged.key, what, tile, "the entries that were signed for"));
                }
            }
        }
    }

    /// Reads the last tile of each level, from the last bundle upward; each must lead to the next.
    fn edge_of<S: Store>(&self, store: &S, size: u64) -> Result<RightEdge, TilesError> {
        let last = |level: Level, held: u64| {
            let tile = Tile::at(level, held.saturating_sub(1) / WIDTH, size);
            tile.ok_or_else(|| Fault::new("lock", "it has a size that no log can have", size, "a smaller one"))
        };
        let tile = last(Level::Entries, size)?;
        let bundle = self.newest(store, tile)?;
        let entries =
            tile.entries(&bundle).map_err(|e| Fault::new(&tile.to_string(), "it is not a bundle", e, "a bundle"))?;
        // Hashes with which the tile above must end.
        let mut below: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
        let mut rows = Vec::new();
        for level in 0..8 {
            let held = size >> (8 * level);
            if held == 0 {
                break;
            }
            let tile = last(Level::Hashes(level), held)?;
            let bytes = self.newest(store, tile)?;
            let fault = |what, found: &str| Fault::new(&tile.to_string(), what, found, "what leads to the signed root");
            let hashes = tile.hashes(&bytes).map_err(|e| fault("it is not a tile", &e.to_string()))?;
            if !hashes.ends_with(&below) {
                return Err(fault("it does not end with what lies below it", &hex(&hashes[hashes.len() - 1])).into());
            }
            // A full tile has left the edge: the one above ends with the hash over it.
            below = if tile.is_full() { vec![fold_pairs(hashes)] } else { Vec::new() };
            rows.push(if tile.is_full() { Vec::new() } else { hashes.to_vec() });
        }
        let hash = |level: u8, n| {
            let row = rows.get(usize::from(level / 8)).map_or(&[][..], Vec::as_slice);
            let missing = || Fault::new("lock", "the right edge has a gap", format!("{level}/{n}"), "a hash");
            tile::hash_at(row, level, n).ok_or_else(missing)
        };
        let base = Edge::read(size - size % WIDTH, hash)?;
        let bundle = if size.is_multiple_of(WIDTH) { Vec::new() } else { bundle.into_owned() };
        Ok(RightEdge { size, rows, bundle, base })
    }

    /// A tile of the lock's size, from the newest staging object that has it, or from its place.
    fn newest<S: Store>(&self, store: &S, tile: Tile) -> Result<Cow<'_, [u8]>, TilesError> {
        let mut staged = self.staged.iter().rev().flat_map(|staged| &staged.tiles);
        match staged.find(|(other, _)| *other == tile) {
            Some((_, bytes)) => Ok(Cow::Borrowed(bytes)),
            None => read_tile(store, tile).map(Cow::Owned),
        }
    }

    /// What a crash left is finished as in ordinary work: the staged tiles are created, then their objects are deleted.
    fn heal<S: Store>(self, mut store: S) -> Result<Tiles<S>, TilesError> {
        let (size, _) = self.head();
        for (tile, bytes) in self.staged.iter().flat_map(|staged| &staged.tiles) {
            if Tile::at(tile.level, tile.n, size) == Some(*tile) {
                store.create(&tile.to_string(), bytes)?;
            }
        }
        for key in self.staging.iter().chain(&self.superseded) {
            store.delete(key)?;
        }
        let lock = self.lock.map(|(_, note, version)| (note, version));
        Ok(Tiles {
            store,
            root: self.edge.root(),
            edge: self.edge,
            lock,
            unknown: false,
            pending: BTreeMap::new(),
            pending_bytes: 0,
            staged: Vec::new(),
            settled: size,
        })
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
                Some((_, Found::Staged(at, nth))) => Some(self.staged[*at].tiles[*nth].1.clone()),
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
                    let key = self.place(&tile, place.map(|(_, found)| found));
                    self.faults.push(Fault::new(&key, "it is not a bundle", error, "a bundle of entries"));
                    return Ok(());
                }
            };
            let mut full = Vec::new();
            for entry in entries {
                visit(self.edge.size, entry);
                // An entry out of a bundle is never too long.
                let _ = self.edge.push(entry, |tile, bytes| full.push((tile, bytes)));
                self.check_staged_root();
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

    /// A staging object is named after the root that was signed over it.
    fn check_staged_root(&mut self) {
        for staged in self.staged.iter().filter(|staged| staged.size == self.edge.size) {
            let root = self.edge.root();
            if root != staged.root {
                let what = "it is named after another root than its entries lead to";
                self.faults.push(Fault::new(&staged.key, what, hex(&staged.root), hex(&root)));
            }
        }
    }

    /// Compares everything found of one tile with the bytes it should have. A partial tile of an earlier size must be the
    /// beginning of what it grew into.
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
            let is_superseded = width < tile.width;
            let tile = Tile { width, ..tile };
            let key = self.place(&tile, Some(&place));
            let bytes = match place {
                Found::Staged(at, nth) => Cow::Borrowed(&self.staged[at].tiles[nth].1),
                Found::Stored => Cow::Owned(read_tile(store, tile)?),
            };
            let expected = tile.cut(expected);
            if expected != Some(&bytes[..]) {
                let fault = first_difference(&key, &bytes, expected.unwrap_or_default());
                self.faults.push(fault);
            } else if is_superseded && matches!(place, Found::Stored) {
                self.superseded.push(key);
            }
        }
        Ok(())
    }

    /// Where a tile's bytes lie.
    fn place(&self, tile: &Tile, found: Option<&Found>) -> String {
        match found {
            Some(Found::Staged(at, _)) => self.staged[*at].key.clone(),
            Some(Found::Stored) | None => tile.to_string(),
        }
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

    /// Staging objects beyond the lock were never committed; still, they must be what a crash can leave.
    fn check_abandoned<S: Store>(&mut self, store: &S) -> Result<(), TilesError> {
        let head = self.head();
        for key in self.staging.iter().filter(|key| named(key).is_none_or(|(size, _)| size > head.0)) {
            let Some((bytes, _)) = store.read(key)? else { continue };
            match named(key) {
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

/// Entry 0 of a log, unverified; `None` if there is no log.
pub(crate) fn first_entry<S: Store>(store: &S) -> Result<Option<Vec<u8>>, Fault> {
    let is_first = |tile: &Tile| tile.level == Level::Entries && tile.n == 0;
    let list = |prefix: &str| store.list(prefix).unwrap_or_default();
    let read = |key: &str| store.read(key).ok().flatten().map(|(bytes, _)| bytes);
    let stored = list("tile/entries/000").into_iter().filter_map(|key| {
        let tile = Tile::parse(&key).ok().filter(is_first)?;
        Some((key.clone(), tile, read(&key)?))
    });
    let staged = list("staging/").into_iter().filter_map(|key| {
        let staged = read(&key)?;
        let (tile, bytes) = read_staging(&key, &staged).ok()?.into_iter().find(|(tile, _)| is_first(tile))?;
        let bytes = bytes.to_vec();
        Some((key, tile, bytes))
    });
    let Some((key, tile, bytes)) = stored.chain(staged).next() else { return Ok(None) };
    let fault = |e: String| Fault::new(&key, "it is not a bundle", e, "a bundle that begins with the founding");
    let entries = tile.entries(&bytes).map_err(|e| fault(e.to_string()))?;
    entries.first().map(|entry| Some(entry.to_vec())).ok_or_else(|| fault("no entry".to_string()))
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
