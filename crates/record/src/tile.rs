//! Tiles (C2SP tlog-tiles): where a log's hashes and entries lie.
//!
//! ```text
//! tile/0/x001/x234/067        256 hashes of entries; 8,192 bytes
//! tile/1/000.p/3              the first three hashes over 256 entries each
//! tile/entries/000.p/70       entries 0 to 69: u16 length ‖ entry, again and again
//! ```
//! Level L of tiles holds the complete hashes of tree level 8·L. A tile that will grow has its width in its name, so
//! every name stands for one content for ever.
use crate::merkle::{self, Hash};
use std::fmt;
use std::str::FromStr;

/// Hashes or entries in a full tile.
pub const WIDTH: u64 = 256;
/// An entry's longest form in a bundle.
pub const ENTRY_BYTES_MAX: usize = 65_535;

/// What a tile holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Entries themselves: a bundle.
    Entries,
    /// Complete hashes of tree level 8 times this.
    Hashes(u8),
}

/// Name of one tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    /// What it holds.
    pub level: Level,
    /// Its number at this level, from 0.
    pub n: u64,
    /// How many it holds: 1 to 256.
    pub width: u16,
}

/// Why bytes are not the tile they should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TileError {
    /// Not a path of a tile.
    #[error("found {0:?}, allowed is tile/<L>/<N>[.p/<W>] or tile/entries/<N>[.p/<W>]")]
    Path(String),
    /// A tile of hashes of the wrong length.
    #[error("{tile}: found {found} bytes, allowed are {allowed}")]
    Length {
        /// Which.
        tile: Tile,
        /// Its length.
        found: usize,
        /// As its width asks.
        allowed: usize,
    },
    /// A bundle that ends inside an entry, or after its last.
    #[error("{tile}: found {found} whole entries and {rest} more bytes, allowed are exactly {} entries", tile.width)]
    Bundle {
        /// Which.
        tile: Tile,
        /// Entries read.
        found: usize,
        /// Bytes left after them.
        rest: usize,
    },
}

impl Tile {
    /// The bundle that holds entry `index` of a log of `size`, and the entry's place in it.
    pub fn of_entry(index: u64, size: u64) -> Option<(Tile, usize)> {
        let tile = Tile::at(Level::Entries, index / WIDTH, size)?;
        (index < size).then_some((tile, (index % WIDTH) as usize))
    }

    /// The tile of this level and number in a log of `size`, if it holds anything.
    pub fn at(level: Level, n: u64, size: u64) -> Option<Tile> {
        let shift = match level {
            Level::Entries => 0,
            Level::Hashes(l) if l < 8 => 8 * u32::from(l),
            Level::Hashes(_) => return None,
        };
        let held = (size >> shift).saturating_sub(n.checked_mul(WIDTH)?).min(WIDTH);
        (held > 0).then_some(Tile { level, n, width: held as u16 })
    }

    /// The tile that holds, or lets compute, the complete hash at (tree level, n), for a log of `size`.
    pub fn of_hash(level: u8, n: u64, size: u64) -> Option<Tile> {
        let (tile, inner) = (level / 8, level % 8);
        Tile::at(Level::Hashes(tile), n >> (8 - inner), size)
    }

    /// All tiles of a log of `size`, bundles first, then upward.
    pub fn all(size: u64) -> impl Iterator<Item = Tile> {
        Tile::new_since(0, size)
    }

    /// Tiles of a log of `size` that a log of `old` has not: what growing from one to the other creates.
    pub fn new_since(old: u64, size: u64) -> impl Iterator<Item = Tile> {
        let levels = std::iter::once(Level::Entries).chain((0..8).map(Level::Hashes));
        levels.flat_map(move |level| {
            let shift = if let Level::Hashes(l) = level { 8 * u32::from(l) } else { 0 };
            let (before, after) = (old >> shift, size >> shift);
            // Tile `before / WIDTH` is the first that can have grown.
            let (first, end) = if after > before { (before / WIDTH, after.div_ceil(WIDTH)) } else { (0, 0) };
            (first..end).filter_map(move |n| Tile::at(level, n, size))
        })
    }

    /// True if no later tile can replace it.
    pub fn is_full(&self) -> bool {
        u64::from(self.width) == WIDTH
    }

    /// First entry (of a bundle) or hash at its tree level.
    pub fn start(&self) -> u64 {
        self.n.saturating_mul(WIDTH)
    }

    /// The tile when it is full.
    pub fn full(self) -> Tile {
        Tile { width: WIDTH as u16, ..self }
    }

    /// Reads a path, in its one spelling.
    pub fn parse(path: &str) -> Result<Tile, TileError> {
        path.parse()
    }

    /// The hashes of a tile of hashes, which must be as many as its width.
    pub fn hashes<'b>(&self, bytes: &'b [u8]) -> Result<&'b [Hash], TileError> {
        let (hashes, rest) = bytes.as_chunks::<32>();
        if hashes.len() != usize::from(self.width) || !rest.is_empty() {
            return Err(TileError::Length { tile: *self, found: bytes.len(), allowed: 32 * usize::from(self.width) });
        }
        Ok(hashes)
    }

    /// The entries of a bundle, which must be as many as its width.
    pub fn entries<'b>(&self, bytes: &'b [u8]) -> Result<Vec<&'b [u8]>, TileError> {
        let mut entries = Vec::with_capacity(self.width.into());
        let mut rest = bytes;
        while entries.len() < usize::from(self.width) {
            match next_entry(rest) {
                Some((entry, after)) => {
                    entries.push(entry);
                    rest = after;
                }
                None => break,
            }
        }
        if entries.len() != usize::from(self.width) || !rest.is_empty() {
            return Err(TileError::Bundle { tile: *self, found: entries.len(), rest: rest.len() });
        }
        Ok(entries)
    }
}

fn next_entry(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(u16::from_be_bytes(*length).into())
}

/// Appends an entry to the bytes of a bundle; `false`, and nothing done, if it is longer than [`ENTRY_BYTES_MAX`].
#[must_use]
pub fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> bool {
    let Ok(length) = u16::try_from(entry.len()) else { return false };
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    true
}

/// The complete hash at (tree level, n) from the hashes of the tile that [`Tile::of_hash`] names; `None` if they do not
/// reach so far.
pub fn hash_at(hashes: &[Hash], level: u8, n: u64) -> Option<Hash> {
    let inner = level % 8;
    let count = 1usize << inner;
    let from = ((n % (WIDTH >> inner)) << inner) as usize;
    let mut fold = merkle::Edge::new();
    for hash in hashes.get(from..from + count)? {
        fold.push(*hash, |_, _, _| ());
    }
    Some(fold.root())
}

/// Fills the digits of a tile's number: `x001/x234/067`.
fn write_number(f: &mut fmt::Formatter<'_>, n: u64) -> fmt::Result {
    if n >= 1000 {
        write_groups(f, n / 1000)?;
    }
    write!(f, "{:03}", n % 1000)
}

fn write_groups(f: &mut fmt::Formatter<'_>, n: u64) -> fmt::Result {
    if n >= 1000 {
        write_groups(f, n / 1000)?;
    }
    write!(f, "x{:03}/", n % 1000)
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.level {
            Level::Entries => f.write_str("tile/entries/")?,
            Level::Hashes(level) => write!(f, "tile/{level}/")?,
        }
        write_number(f, self.n)?;
        if !self.is_full() {
            write!(f, ".p/{}", self.width)?;
        }
        Ok(())
    }
}

impl FromStr for Tile {
    type Err = TileError;
    fn from_str(path: &str) -> Result<Tile, TileError> {
        let read = || {
            let (level, rest) = path.strip_prefix("tile/")?.split_once('/')?;
            let level = match level {
                "entries" => Level::Entries,
                digits => Level::Hashes(short_decimal(digits).filter(|l| *l < 64)? as u8),
            };
            let (number, width) = match rest.split_once(".p/") {
                Some((number, width)) => (number, short_decimal(width).filter(|w| (1..256).contains(w))?),
                None => (rest, 256),
            };
            let mut n = 0u64;
            let groups: Vec<&str> = number.split('/').collect();
            let (last, leading) = groups.split_last()?;
            for group in leading.iter().map(|g| g.strip_prefix('x')).chain([Some(*last)]) {
                let group = group.filter(|g| g.len() == 3 && g.bytes().all(|b| b.is_ascii_digit()))?;
                n = n.checked_mul(1000)?.checked_add(group.parse().ok()?)?;
            }
            let tile = Tile { level, n, width };
            // A number has one spelling: no leading group of zeros.
            (tile.to_string() == path).then_some(tile)
        };
        read().ok_or_else(|| TileError::Path(path.chars().take(80).collect()))
    }
}

fn short_decimal(text: &str) -> Option<u16> {
    let digits = text.len() <= 3 && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| digits && (text == "0" || !text.starts_with('0')))
}
