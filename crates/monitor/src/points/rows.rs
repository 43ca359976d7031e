//! Valuations as rows of words, each with a number for as long as something is known of it.
//!
//! ```text
//! row 0: [1, 7]   row 1: [1, 8]         find([1, 8]) = 1
//! ```
//! Numbers of rows that are let go are used again. Nothing that is printed depends on them or on the order of the table.
use super::set::Span;
use super::timeline::{OPEN, Point};
use super::words::Word;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use smallvec::SmallVec;

/// No row.
pub(crate) const NONE: u32 = u32::MAX;

#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    pub(crate) arity: usize,
    words: Vec<Word>,
    table: HashTable<u32>,
    free: Vec<u32>,
    alive: Vec<bool>,
}

fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ (product >> 64) as u64
}

fn hash(words: &[Word]) -> u64 {
    let mut state = 0x9e37_79b9_7f4a_7c15;
    for word in words {
        state = fold(state ^ word.bits(), 0xa076_1d64_78bd_642f);
    }
    fold(state, 0xe703_7ed1_a0b4_28db)
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
        self.table.find(hash(words), |&row| self.row(row) == words).copied()
    }
    /// The row with these words, a new one if there is none.
    pub(crate) fn intern(&mut self, words: &[Word]) -> u32 {
        let (arity, all) = (self.arity, &self.words);
        let at = |row: u32| &all[row as usize * arity..(row as usize + 1) * arity];
        let same = |&row: &u32| at(row).iter().zip(words).all(|(a, b)| a == b);
        let entry = match self.table.entry(hash(words), same, |&row| hash(at(row))) {
            Entry::Occupied(entry) => return *entry.get(),
            Entry::Vacant(entry) => entry,
        };
        let row = match self.free.pop() {
            Some(row) => {
                let from = row as usize * arity;
                self.words[from..from + arity].copy_from_slice(words);
                self.alive[row as usize] = true;
                row
            }
            None => {
                self.words.extend_from_slice(words);
                self.alive.push(true);
                (self.alive.len() - 1) as u32
            }
        };
        entry.insert(row);
        row
    }
    /// Lets go of the rows that are marked.
    pub(crate) fn remove(&mut self, gone: &[bool]) {
        self.table.retain(|&mut row| !gone[row as usize]);
        for (row, alive) in self.alive.iter_mut().enumerate() {
            if gone[row] && *alive {
                *alive = false;
                self.free.push(row as u32);
            }
        }
    }
    pub(crate) fn bytes(&self) -> usize {
        self.words.capacity() * 8 + self.table.capacity() * 5 + self.free.capacity() * 4 + self.alive.capacity()
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
