//! Valuations as rows of words, each with a number for as long as something is known of it.
//!
//! ```text
//! row 0: [1, 7]   row 1: [1, 8]         find([1, 8]) = 1
//! ```
//! Numbers of rows that are let go are used again. Nothing that is printed depends on them or on the order of the table.
use super::set::Span;
use super::timeline::{OPEN, Point};
use super::words::Word;
use smallvec::SmallVec;

/// No row.
pub(crate) const NONE: u32 = u32::MAX;

#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    pub(crate) arity: usize,
    words: Vec<Word>,
    index: Index,
    free: Vec<u32>,
    alive: Vec<bool>,
}

/// Row numbers by the hash of their words: open addressing, half full at most. A slot has 32 bits of the hash above the
/// number, so that hardly ever a row is read in vain, and none when the table grows.
#[derive(Clone, Debug, Default)]
struct Index {
    slots: Vec<u64>,
    used: usize,
}

const EMPTY: u64 = u64::MAX;

impl Index {
    /// The row, or the slot where it belongs.
    #[inline]
    fn find(&self, hash: u64, same: impl Fn(u32) -> bool) -> Result<u32, usize> {
        let Some(mask) = self.slots.len().checked_sub(1) else { return Err(0) };
        let mut at = (hash >> 32) as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot == EMPTY {
                return Err(at);
            }
            if (slot ^ hash) >> 32 == 0 && same(slot as u32) {
                return Ok(slot as u32);
            }
            at = (at + 1) & mask;
        }
    }
    /// Puts a row where [`Index::find`] found that it belongs.
    #[inline]
    fn insert(&mut self, at: usize, hash: u64, row: u32) {
        let entry = (hash & !0xffff_ffff) | u64::from(row);
        self.used += 1;
        if self.used * 2 > self.slots.len() {
            let size = (self.used * 2).next_power_of_two().max(16);
            for entry in std::mem::replace(&mut self.slots, vec![EMPTY; size]) {
                if entry != EMPTY {
                    self.place(entry);
                }
            }
            return self.place(entry);
        }
        self.slots[at] = entry;
    }
    fn place(&mut self, entry: u64) {
        let mask = self.slots.len() - 1;
        let mut at = (entry >> 32) as usize & mask;
        while self.slots[at] != EMPTY {
            at = (at + 1) & mask;
        }
        self.slots[at] = entry;
    }
    /// Takes out a row, and moves up what stands behind it only because its own place was taken.
    fn remove(&mut self, hash: u64, row: u32) {
        let mask = self.slots.len() - 1;
        let mut hole = (hash >> 32) as usize & mask;
        while self.slots[hole] as u32 != row || self.slots[hole] == EMPTY {
            hole = (hole + 1) & mask;
        }
        let mut at = hole;
        loop {
            at = (at + 1) & mask;
            let entry = self.slots[at];
            if entry == EMPTY {
                break;
            }
            // Whether its own place is at the hole or before it, counted in the direction of search.
            let own = (entry >> 32) as usize & mask;
            if at.wrapping_sub(own) & mask >= at.wrapping_sub(hole) & mask {
                self.slots[hole] = entry;
                hole = at;
            }
        }
        self.slots[hole] = EMPTY;
        self.used -= 1;
    }
}

fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ (product >> 64) as u64
}

#[inline]
fn hash(words: impl Iterator<Item = Word>) -> u64 {
    words.fold(0x9e37_79b9_7f4a_7c15, |state, word| fold(state ^ word.bits(), 0xa076_1d64_78bd_642f))
}

impl Rows {
    pub(crate) fn new(arity: usize) -> Rows {
        Rows { arity, ..Rows::default() }
    }
    /// Rows in use.
    pub(crate) fn count(&self) -> usize {
        self.alive.len() - self.free.len()
    }
    /// More than any number in use.
    pub(crate) fn bound(&self) -> usize {
        self.alive.len()
    }
    pub(crate) fn is_alive(&self, row: u32) -> bool {
        self.alive[row as usize]
    }
    /// Which numbers are in use.
    pub(crate) fn alive(&self) -> &[bool] {
        &self.alive
    }
    #[inline]
    pub(crate) fn row(&self, row: u32) -> &[Word] {
        let from = row as usize * self.arity;
        &self.words[from..from + self.arity]
    }
    /// Words of the rows in use.
    pub(crate) fn all(&self) -> impl Iterator<Item = Word> + '_ {
        let rows = (0..self.alive.len() as u32).filter(|&row| self.is_alive(row));
        rows.flat_map(|row| self.row(row).iter().copied())
    }
    pub(crate) fn find(&self, words: &[Word]) -> Option<u32> {
        self.index.find(hash(words.iter().copied()), |row| self.row(row) == words).ok()
    }
    /// The row with these words, a new one if there is none.
    #[inline]
    pub(crate) fn intern(&mut self, words: &[Word]) -> u32 {
        self.intern_all(words.iter().copied())
    }
    /// The row with these columns of a row, a new one if there is none.
    #[inline]
    pub(crate) fn intern_columns(&mut self, words: &[Word], columns: &[usize]) -> u32 {
        self.intern_all(columns.iter().map(|&i| words[i]))
    }
    #[inline]
    fn intern_all(&mut self, words: impl Iterator<Item = Word> + Clone) -> u32 {
        let hash = hash(words.clone());
        let same = |row: u32| self.row(row).iter().copied().eq(words.clone());
        let at = match self.index.find(hash, same) {
            Ok(row) => return row,
            Err(at) => at,
        };
        let row = match self.free.pop() {
            Some(row) => {
                let from = row as usize * self.arity;
                self.words[from..from + self.arity].iter_mut().zip(words).for_each(|(to, word)| *to = word);
                self.alive[row as usize] = true;
                row
            }
            None => {
                self.words.extend(words);
                self.alive.push(true);
                (self.alive.len() - 1) as u32
            }
        };
        self.index.insert(at, hash, row);
        row
    }
    /// Lets go of the rows that are marked.
    pub(crate) fn remove(&mut self, gone: &[bool]) {
        for row in (0..self.alive.len()).filter(|&row| gone[row]) {
            if std::mem::replace(&mut self.alive[row], false) {
                let from = row * self.arity;
                let words = &self.words[from..from + self.arity];
                self.index.remove(hash(words.iter().copied()), row as u32);
                self.free.push(row as u32);
            }
        }
    }
    pub(crate) fn bytes(&self) -> usize {
        self.words.capacity() * 8 + self.index.slots.capacity() * 8 + self.free.capacity() * 4 + self.alive.capacity()
    }
}

/// Where each row is filed in the one [`Side`] that holds it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filing {
    hull: Vec<Span>,
    place: Vec<u32>,
}

/// Filed nowhere.
const NOWHERE: Span = (1, 0);

impl Filing {
    fn reach(&mut self, row: u32) {
        let wanted = row as usize + 1;
        if self.hull.len() < wanted {
            self.hull.resize(wanted, NOWHERE);
            self.place.resize(wanted, NONE);
        }
    }
    /// From the first to the last point of a row as it is filed.
    pub(crate) fn hull(&self, row: u32) -> Span {
        self.hull[row as usize]
    }
    pub(crate) fn bytes(&self) -> usize {
        self.hull.capacity() * 8 + self.place.capacity() * 4
    }
}

/// The rows behind one key, found by time: those that go on, and those that ended, by their first point.
#[derive(Clone, Debug, Default)]
pub(crate) struct Side {
    open: SmallVec<[u32; 2]>,
    ended: SmallVec<[(Point, u32); 2]>,
    /// Longest hull of one that ended.
    longest: u32,
}

impl Side {
    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty() && self.ended.is_empty()
    }

    /// Files a row by the hull of its set; `None` takes it out.
    pub(crate) fn file(&mut self, filing: &mut Filing, row: u32, hull: Option<Span>) {
        filing.reach(row);
        let new = hull.unwrap_or(NOWHERE);
        let old = std::mem::replace(&mut filing.hull[row as usize], new);
        if old == new || (old.1 == OPEN && new.1 == OPEN) {
            return;
        }
        let ended = |span: Span| span.1 != OPEN && span != NOWHERE;
        if old == NOWHERE && ended(new) && self.ended.last().is_none_or(|&last| last < (new.0, row)) {
            self.longest = self.longest.max(new.1 - new.0);
            return self.ended.push((new.0, row));
        }
        if ended(new) {
            self.longest = self.longest.max(new.1 - new.0);
            if ended(old) && old.0 == new.0 {
                return;
            }
        }
        if old.1 == OPEN {
            let place = filing.place[row as usize] as usize;
            self.open.swap_remove(place);
            if let Some(&moved) = self.open.get(place) {
                filing.place[moved as usize] = place as u32;
            }
        } else if ended(old)
            && let Ok(at) = self.ended.binary_search(&(old.0, row))
        {
            self.ended.remove(at);
        }
        if new.1 == OPEN {
            filing.place[row as usize] = self.open.len() as u32;
            self.open.push(row);
        } else if ended(new) {
            match self.ended.last() {
                Some(&last) if last > (new.0, row) => {
                    let at = self.ended.partition_point(|&entry| entry < (new.0, row));
                    self.ended.insert(at, (new.0, row));
                }
                _ => self.ended.push((new.0, row)),
            }
        }
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = u32> + '_ {
        self.open.iter().copied().chain(self.ended.iter().map(|&(_, row)| row))
    }

    /// Rows whose hull may meet `within`.
    pub(crate) fn near(&self, within: Span) -> impl Iterator<Item = u32> + '_ {
        let from = within.0.saturating_sub(self.longest);
        let start = match self.ended.last() {
            Some(&(last, _)) if last < from => self.ended.len(),
            _ => self.ended.partition_point(|&(low, _)| low < from),
        };
        let ended = self.ended[start..].iter().take_while(move |&&(low, _)| low < within.1).map(|&(_, row)| row);
        self.open.iter().copied().chain(ended)
    }

    /// Takes out the rows that are let go.
    pub(crate) fn forget(&mut self, filing: &mut Filing, gone: &[bool]) {
        let stays = |filing: &mut Filing, row: u32| {
            if gone[row as usize] {
                filing.hull[row as usize] = NOWHERE;
            }
            !gone[row as usize]
        };
        self.ended.retain(|entry| stays(filing, entry.1));
        self.open.retain(|row| stays(filing, *row));
        for (place, &row) in self.open.iter().enumerate() {
            filing.place[row as usize] = place as u32;
        }
        if self.is_empty() {
            *self = Side::default();
        }
    }
}
