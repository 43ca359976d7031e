//! What comes out: changes for those who revise, final verdicts for those who stream.
//!
//! ```text
//! point 7 shows  (1,2) (3,9)       turns at 8: (2,5) comes, (3,9) goes       point 8 shows  (1,2) (2,5)
//! ```
//! A row is written when it comes; as long as it holds, its text is copied.
use super::agenda::Agenda;
use super::rows::Rows;
use super::set::Change;
use super::timeline::OPEN;
use super::words::{Pool, Word};
use crate::formula::Type;
use std::cmp::Ordering;

#[derive(Clone, Debug, Default)]
pub(crate) struct Sink {
    layout: Layout,
    pub(crate) stream: bool,
    /// Changes since they were asked for, and how many points were reported then.
    pub(crate) log: Vec<Change>,
    pub(crate) reported: u32,
    /// For points that are not printed yet the rows that turn from there on, and those that are otherwise at this one
    /// point only.
    turns: Agenda,
    pulses: Agenda,
    /// Which rows hold at the point before the next one.
    holds: Vec<bool>,
    live: Verdict,
    /// What is shown at a point where rows are otherwise at this point only.
    moment: Verdict,
    spare: Verdict,
    turned: Vec<u32>,
    come: Vec<Shown>,
}

/// Rows that hold at a point, sorted by their values, and their text as MonPoly prints it: ` (1,2) (3,9)`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verdict {
    rows: Vec<Shown>,
    pub(crate) text: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Shown {
    /// The value that is sorted by first.
    first: i64,
    row: u32,
    /// Of its text.
    length: u32,
}

impl Verdict {
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
    pub(crate) fn rows(&self) -> impl Iterator<Item = u32> + '_ {
        self.rows.iter().map(|shown| shown.row)
    }
}

/// How rows are sorted and written.
#[derive(Clone, Debug, Default)]
struct Layout {
    /// Column of the root for each column of the result.
    order: Vec<usize>,
    types: Vec<Type>,
    /// Not all values that are sorted by first are small numbers.
    large: bool,
}

impl Layout {
    fn compare_words(&self, a: &[Word], b: &[Word], pool: &Pool) -> Ordering {
        for &i in &self.order {
            if a[i] != b[i] {
                return pool.order(a[i], b[i]);
            }
        }
        Ordering::Equal
    }

    fn shown(&mut self, row: u32, space: &Rows) -> Shown {
        let first = self.order.first().map_or(Some(0), |&i| space.row(row)[i].as_small());
        self.large |= first.is_none();
        Shown { first: first.unwrap_or(0), row, length: 0 }
    }

    #[inline]
    fn compare(&self, a: &Shown, b: &Shown, space: &Rows, pool: &Pool) -> Ordering {
        if !self.large && a.first != b.first {
            return a.first.cmp(&b.first);
        }
        self.compare_words(space.row(a.row), space.row(b.row), pool)
    }

    fn write(&self, words: &[Word], pool: &Pool, out: &mut Vec<u8>) {
        if self.order.is_empty() {
            return out.extend_from_slice(b" true");
        }
        let mut buffer = [0u8; 128];
        // A few small numbers are put together from the right, as their digits come.
        let mut columns = self.order.iter().rev().map(|&column| words[column].as_small());
        let put = |(at, end): (usize, u8), number: Option<i64>| {
            buffer[at - 1] = end;
            Some((digits(&mut buffer, at - 1, number?), b','))
        };
        if self.order.len() <= 6
            && let Some((at, _)) = columns.try_fold((128, b')'), put)
        {
            buffer[at - 2..at].copy_from_slice(b" (");
            return out.extend_from_slice(&buffer[at - 2..]);
        }
        out.extend_from_slice(b" (");
        for (i, (&column, &kind)) in self.order.iter().zip(&self.types).enumerate() {
            if i > 0 {
                out.push(b',');
            }
            match words[column].as_small() {
                Some(number) => write_number(out, number),
                None => pool.write(words[column], kind, out),
            }
        }
        out.push(b')');
    }

    /// What is left of a verdict without the rows that no longer hold and with those that come, which are sorted.
    fn weave(&self, from: &Verdict, come: &[Shown], holds: &[bool], to: &mut Verdict, space: &Rows, pool: &Pool) {
        to.rows.clear();
        to.text.clear();
        let add = |shown: &Shown, to: &mut Verdict| {
            let before = to.text.len();
            self.write(space.row(shown.row), pool, &mut to.text);
            to.rows.push(Shown { length: (to.text.len() - before) as u32, ..*shown });
        };
        let mut come = come.iter().peekable();
        // What stays is copied in runs: from these row and byte on up to here.
        let (mut run, mut at) = ((0, 0), (0, 0));
        let copy = |run: (usize, usize), at: (usize, usize), to: &mut Verdict| {
            to.rows.extend_from_slice(&from.rows[run.0..at.0]);
            to.text.extend_from_slice(&from.text[run.1..at.1]);
        };
        // Up to this value nothing comes.
        let until = |new: Option<&&Shown>| new.map_or(i64::MAX, |new| if self.large { i64::MIN } else { new.first });
        let mut clear = until(come.peek());
        for shown in &from.rows {
            let stays = holds[shown.row as usize];
            if !stays || shown.first >= clear {
                while let Some(new) = come.next_if(|new| self.compare(new, shown, space, pool) == Ordering::Less) {
                    copy(run, at, to);
                    run = at;
                    add(new, to);
                }
                clear = until(come.peek());
                if !stays {
                    copy(run, at, to);
                    run = (at.0 + 1, at.1 + shown.length as usize);
                }
            }
            at = (at.0 + 1, at.1 + shown.length as usize);
        }
        copy(run, at, to);
        come.for_each(|new| add(new, to));
    }
}

impl Sink {
    pub(crate) fn new(order: Vec<usize>, types: Vec<Type>) -> Sink {
        Sink { layout: Layout { order, types, large: false }, ..Sink::default() }
    }

    /// First point that is not printed yet.
    pub(crate) fn printed(&self) -> u32 {
        self.turns.next()
    }

    pub(crate) fn note(&mut self, changes: impl Iterator<Item = Change>) {
        if !self.stream {
            return self.log.extend(changes);
        }
        let printed = self.printed();
        for Change { row, span } in changes {
            let (low, high) = (span.0.max(printed), span.1.max(printed));
            if high - low == 1 {
                self.pulses.put(row, low);
            } else if low < high {
                self.turns.put(row, low);
                if high != OPEN {
                    self.turns.put(row, high);
                }
            }
        }
    }

    pub(crate) fn sort(&self, rows: &mut [u32], space: &Rows, pool: &Pool) {
        rows.sort_unstable_by(|&a, &b| self.layout.compare_words(space.row(a), space.row(b), pool));
    }

    /// Appends rows as text.
    pub(crate) fn write(&self, rows: &[u32], space: &Rows, pool: &Pool, out: &mut Vec<u8>) {
        rows.iter().for_each(|&row| self.layout.write(space.row(row), pool, out));
    }

    /// Goes on to the next point, and gives what holds there.
    pub(crate) fn next(&mut self, space: &Rows, pool: &Pool) -> &Verdict {
        self.turned.clear();
        self.turns.take(&mut self.turned);
        if !self.turned.is_empty() {
            self.flip(space, pool);
            self.layout.weave(&self.live, &self.come, &self.holds, &mut self.spare, space, pool);
            std::mem::swap(&mut self.live, &mut self.spare);
            self.turned.clear();
        }
        self.pulses.take(&mut self.turned);
        if self.turned.is_empty() {
            return &self.live;
        }
        self.flip(space, pool);
        self.layout.weave(&self.live, &self.come, &self.holds, &mut self.moment, space, pool);
        self.turned.iter().for_each(|&row| self.holds[row as usize] ^= true);
        &self.moment
    }

    /// Rows that were noted an odd number of times are turned; those that hold then come.
    fn flip(&mut self, space: &Rows, pool: &Pool) {
        if self.turned.len() > 1 {
            self.turned.sort_unstable();
            let mut kept = 0;
            for i in 0..self.turned.len() {
                // The same row twice is nothing.
                if kept > 0 && self.turned[kept - 1] == self.turned[i] {
                    kept -= 1;
                } else {
                    self.turned[kept] = self.turned[i];
                    kept += 1;
                }
            }
            self.turned.truncate(kept);
        }
        self.come.clear();
        for &row in &self.turned {
            if self.holds.len() <= row as usize {
                self.holds.resize(row as usize + 1, false);
            }
            self.holds[row as usize] ^= true;
            if self.holds[row as usize] {
                let shown = self.layout.shown(row, space);
                self.come.push(shown);
            }
        }
        let layout = &self.layout;
        self.come.sort_unstable_by(|a, b| layout.compare(a, b, space, pool));
    }

    pub(crate) fn bytes(&self) -> usize {
        let lists = [&self.live, &self.moment, &self.spare];
        let verdicts: usize = lists.iter().map(|list| list.rows.capacity() * 16 + list.text.capacity()).sum();
        self.log.capacity() * 12 + self.turns.bytes() + self.pulses.bytes() + self.holds.capacity() + verdicts
    }
}

pub(crate) fn write_number(out: &mut Vec<u8>, number: i64) {
    let mut buffer = [0u8; 20];
    let at = digits(&mut buffer, 20, number);
    out.extend_from_slice(&buffer[at..]);
}

/// All numbers of two digits.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut i = 0;
    while i < 100 {
        pairs[i] = [b'0' + i as u8 / 10, b'0' + i as u8 % 10];
        i += 1;
    }
    pairs
};

/// Writes a number into a buffer so that it ends before `at`, and gives where it begins; that is at most 20 bytes before.
fn digits(buffer: &mut [u8], mut at: usize, number: i64) -> usize {
    let end = at;
    let mut rest = number.unsigned_abs();
    while rest >= 10 {
        at -= 2;
        buffer[at..at + 2].copy_from_slice(&PAIRS[(rest % 100) as usize]);
        rest /= 100;
    }
    // A single digit is left over, or none.
    if rest > 0 || at == end {
        at -= 1;
        buffer[at] = b'0' + rest as u8;
    }
    if number < 0 {
        at -= 1;
        buffer[at] = b'-';
    }
    at
}
