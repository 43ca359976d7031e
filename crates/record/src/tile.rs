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

    /// The bytes of this tile, with which those of a wider one of its number begin; `None` if they are too few.
    pub fn cut<'b>(&self, wider: &'b [u8]) -> Option<&'b [u8]> {
        let length = match self.level {
            Level::Hashes(_) => 32 * usize::from(self.width),
            Level::Entries => {
                let mut rest = wider;
                for _ in 0..self.width {
                    (_, rest) = next_entry(rest)?;
                }
                wider.len() - rest.len()
            }
        };
        wider.get(..length)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::{leaf_hash, prove_consistency, prove_inclusion, verify_consistency, verify_inclusion};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn check(path: &str, expected: Option<(Level, u64, u16)>) {
        let found = Tile::parse(path).ok();
        assert_eq!(found.map(|t| (t.level, t.n, t.width)), expected, "{path}");
        if let Some(tile) = found {
            assert_eq!(tile.to_string(), path);
        }
    }

    #[test]
    fn paths() {
        use Level::{Entries, Hashes};
        check("tile/0/x001/x234/067", Some((Hashes(0), 1_234_067, 256)));
        check("tile/0/000", Some((Hashes(0), 0, 256)));
        check("tile/0/000.p/1", Some((Hashes(0), 0, 1)));
        check("tile/0/999.p/255", Some((Hashes(0), 999, 255)));
        check("tile/63/x001/000", Some((Hashes(63), 1000, 256)));
        check("tile/entries/x001/x000/000.p/70", Some((Entries, 1_000_000, 70)));
        check("tile/entries/x018/x446/x744/x073/x709/x551/615", Some((Entries, u64::MAX, 256)));
        for path in [
            "",
            "tile",
            "tile/0",
            "tile/0/",
            "tile/64/000",
            "tile/00/000",
            "tile/-1/000",
            "tile/8/0000",
            "tile/0/00",
            "tile/0/x000/001", // a leading group of zeros
            "tile/0/x001/234/067",
            "tile/0/x001",
            "tile/0/001/x000",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/01",
            "tile/0/000.p/",
            "tile/0/000.p",
            "tile/0/000.p/1/",
            "tile/0/000.p/1.p/1",
            "/tile/0/000",
            "tile/data/000",
            "tile/entries/x018/x446/x744/x073/x709/x551/616",
            "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
            "tile/0/٠٠٠",
            "tile/0/../000",
        ] {
            check(path, None);
        }
    }

    #[test]
    fn which_tiles_a_size_has() {
        let all = |size| Tile::all(size).map(|t| t.to_string()).collect::<Vec<_>>();
        assert!(all(0).is_empty());
        assert_eq!(all(1), ["tile/entries/000.p/1", "tile/0/000.p/1"]);
        assert_eq!(all(256), ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"]);
        assert_eq!(
            all(513),
            [
                "tile/entries/000",
                "tile/entries/001",
                "tile/entries/002.p/1",
                "tile/0/000",
                "tile/0/001",
                "tile/0/002.p/1",
                "tile/1/000.p/2"
            ]
        );
        // C2SP's example: a tree of 70,000 has 273 full tiles and one of 112, one full tile and one of 17, one of 1.
        let tiles: Vec<Tile> = Tile::all(70_000).collect();
        let of = |level| tiles.iter().filter(|t| t.level == Level::Hashes(level)).map(|t| t.width).collect::<Vec<_>>();
        assert_eq!((of(0).len(), of(0)[272], of(0)[273]), (274, 256, 112));
        assert_eq!((of(1), of(2), of(3)), (vec![256, 17], vec![1], vec![]));
    }

    #[test]
    fn growing_creates_what_is_new() {
        for (old, size) in [(0, 1), (1, 1), (1, 2), (255, 256), (255, 257), (256, 257), (300, 70_000), (65_535, 65_536)]
        {
            let before: Vec<Tile> = Tile::all(old).collect();
            let expected: Vec<Tile> = Tile::all(size).filter(|t| !before.contains(t)).collect();
            assert_eq!(Tile::new_since(old, size).collect::<Vec<_>>(), expected, "{old} to {size}");
        }
    }

    #[test]
    fn hash_tiles() {
        let tile = Tile::parse("tile/0/000.p/2").unwrap();
        assert_eq!(tile.hashes(&[7; 64]).unwrap(), [[7; 32], [7; 32]]);
        for length in [0, 32, 63, 65, 96] {
            let expected = TileError::Length { tile, found: length, allowed: 64 };
            assert_eq!(tile.hashes(&vec![7; length]), Err(expected));
        }
        assert_eq!(Tile::parse("tile/0/000").unwrap().hashes(&[1; 8192]).map(|h| h.len()), Ok(256));
    }

    #[test]
    fn bundles() {
        let tile = Tile::parse("tile/entries/000.p/3").unwrap();
        let mut bundle = vec![];
        for entry in [&b"abc"[..], b"", b"d"] {
            assert!(push_entry(&mut bundle, entry));
        }
        assert_eq!(bundle, b"\0\x03abc\0\0\0\x01d");
        assert_eq!(tile.entries(&bundle).unwrap(), [&b"abc"[..], b"", b"d"]);
        for end in 0..bundle.len() {
            assert!(tile.entries(&bundle[..end]).is_err(), "cut at {end}");
        }
        bundle.push(0);
        assert_eq!(tile.entries(&bundle), Err(TileError::Bundle { tile, found: 3, rest: 1 }));
        let longest = vec![1; ENTRY_BYTES_MAX];
        let mut bundle = vec![];
        assert!(push_entry(&mut bundle, &longest));
        assert!(!push_entry(&mut bundle, &vec![1; ENTRY_BYTES_MAX + 1]));
        assert_eq!(Tile { width: 1, ..tile }.entries(&bundle).unwrap(), [&longest]);
    }

    #[test]
    fn entries_and_hashes_lie_in() {
        let of_entry = |index, size| Tile::of_entry(index, size).map(|(t, i)| (t.to_string(), i));
        assert_eq!(of_entry(0, 1), Some(("tile/entries/000.p/1".to_owned(), 0)));
        assert_eq!(of_entry(255, 256), Some(("tile/entries/000".to_owned(), 255)));
        assert_eq!(of_entry(256, 300), Some(("tile/entries/001.p/44".to_owned(), 0)));
        assert_eq!(of_entry(300, 300), None);
        let of_hash = |level, n, size| Tile::of_hash(level, n, size).map(|t| t.to_string());
        assert_eq!(of_hash(7, 1, 300).as_deref(), Some("tile/0/000"));
        assert_eq!(of_hash(8, 0, 300).as_deref(), Some("tile/1/000.p/1"));
        assert_eq!(of_hash(3, 32, 300).as_deref(), Some("tile/0/001.p/44"));
        assert_eq!(of_hash(255, u64::MAX, u64::MAX), None);
        assert_eq!(hash_at(&[[0; 32]; 3], 2, 0), None);
        assert!(hash_at(&[[0; 32]; 256], 7, u64::MAX).is_some());
    }

    /// Tiles written as the tree grows serve every proof.
    #[test]
    fn proofs_from_tiles() {
        let size = 70_000u64;
        let mut edge = merkle::Edge::new();
        let mut levels: BTreeMap<u8, Vec<Hash>> = BTreeMap::new();
        let mut roots = vec![edge.root()];
        for i in 0..size {
            edge.push(leaf_hash(&i.to_be_bytes()), |level, _, hash| {
                if level % 8 == 0 {
                    levels.entry(level / 8).or_default().push(hash);
                }
            });
            roots.push(edge.root());
        }
        let reader = |size: u64| {
            let levels = &levels;
            move |level: u8, n: u64| {
                let tile = Tile::of_hash(level, n, size).ok_or("no such tile")?;
                let Level::Hashes(l) = tile.level else { return Err("no tile of hashes") };
                let start = tile.start() as usize;
                hash_at(&levels[&l][start..start + usize::from(tile.width)], level, n).ok_or("beyond the tile")
            }
        };
        for n in [1, 255, 256, 257, 65_535, 65_536, 65_537, size] {
            assert_eq!(merkle::root(n, reader(n)), Ok(roots[n as usize]), "{n}");
            for index in [0, n / 3, n - 1] {
                let proof = prove_inclusion(index, n, reader(n)).unwrap().unwrap();
                assert!(verify_inclusion(&leaf_hash(&index.to_be_bytes()), index, n, &proof, &roots[n as usize]));
            }
            for old in [1, n / 2, n - 1, n].into_iter().filter(|o| *o > 0) {
                let proof = prove_consistency(old, n, reader(n)).unwrap().unwrap();
                assert!(verify_consistency(old, &roots[old as usize], n, &roots[n as usize], &proof));
            }
        }
    }

    proptest! {
        #[test]
        fn never_panics(path in "(tile/)?([0-9]{1,2}|entries)/(x?[0-9]{1,3}/){0,3}[0-9]{3}(\\.p/[0-9]{0,3})?", other in ".{0,40}", bytes: Vec<u8>) {
            for path in [&path, &other] {
                if let Ok(tile) = Tile::parse(path) {
                    prop_assert_eq!(&tile.to_string(), path);
                    let _ = (tile.start(), tile.entries(&bytes).is_ok(), tile.hashes(&bytes).is_ok());
                }
            }
        }

        #[test]
        fn bundles_read_what_was_written(entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..257)) {
            let mut bundle = vec![];
            for entry in &entries {
                prop_assert!(push_entry(&mut bundle, entry));
            }
            let tile = Tile { level: Level::Entries, n: 0, width: entries.len() as u16 };
            prop_assert_eq!(tile.entries(&bundle).unwrap(), entries);
        }
    }
}
