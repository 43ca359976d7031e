//! What comes out: changes for those who revise, final verdicts for those who stream.
use super::rows::Rows;
use super::set::Change;
use super::timeline::OPEN;
use super::words::{Pool, Word};
use std::cmp::Ordering;
use std::collections::VecDeque;

const END: u32 = u32::MAX;

#[derive(Clone, Debug)]
pub(crate) struct Sink {
    /// Column of the root for each column of the result.
    order: Vec<usize>,
    pub(crate) stream: bool,
    /// Changes since they were asked for, and how many points were reported then.
    pub(crate) log: Vec<Change>,
    pub(crate) reported: u32,
    printed: u32,
    /// For each point that is not printed yet, the rows that turn there, as a list in `cells`.
    heads: VecDeque<u32>,
    cells: Vec<(u32, u32)>,
    free: u32,
    /// Rows that hold at the point before the next one, sorted by their values.
    live: Vec<u32>,
    holds: Vec<bool>,
}

impl Sink {
    pub(crate) fn new(order: Vec<usize>) -> Sink {
        Sink {
            order,
            stream: false,
            log: Vec::new(),
            reported: 0,
            printed: 0,
            heads: VecDeque::new(),
            cells: Vec::new(),
            free: END,
            live: Vec::new(),
            holds: Vec::new(),
        }
    }

    /// First point that is not printed yet.
    pub(crate) fn printed(&self) -> u32 {
        self.printed
    }

    pub(crate) fn note(&mut self, changes: impl Iterator<Item = Change>) {
        if !self.stream {
            return self.log.extend(changes);
        }
        for Change { row, span } in changes {
            self.turn(row, span.0.max(self.printed));
            if span.1 != OPEN {
                self.turn(row, span.1.max(self.printed));
            }
        }
    }

    fn turn(&mut self, row: u32, point: u32) {
        let at = (point - self.printed) as usize;
        if self.heads.len() <= at {
            self.heads.resize(at + 1, END);
        }
        let cell = (row, self.heads[at]);
        self.heads[at] = if self.free == END {
            self.cells.push(cell);
            self.cells.len() as u32 - 1
        } else {
            let index = self.free;
            self.free = std::mem::replace(&mut self.cells[index as usize], cell).1;
            index
        };
    }

    pub(crate) fn compare(&self, a: &[Word], b: &[Word], pool: &Pool) -> Ordering {
        for &i in &self.order {
            if a[i] != b[i] {
                return pool.order(a[i], b[i]);
            }
        }
        Ordering::Equal
    }

    pub(crate) fn sort(&self, rows: &mut [u32], space: &Rows, pool: &Pool) {
        rows.sort_unstable_by(|&a, &b| self.compare(space.row(a), space.row(b), pool));
    }

    /// Goes on to the next point, and gives the rows that hold there, sorted.
    pub(crate) fn next(&mut self, space: &Rows, pool: &Pool) -> &[u32] {
        let mut cell = self.heads.pop_front().unwrap_or(END);
        self.printed += 1;
        if cell == END {
            return &self.live;
        }
        let mut turned = Vec::new();
        while cell != END {
            let (row, next) = std::mem::replace(&mut self.cells[cell as usize], (0, self.free));
            self.free = cell;
            turned.push(row);
            cell = next;
        }
        turned.sort_unstable();
        let mut come: Vec<u32> = Vec::new();
        let mut gone = false;
        for same in turned.chunk_by(|a, b| a == b).filter(|same| same.len() % 2 == 1) {
            let row = same[0];
            if self.holds.len() <= row as usize {
                self.holds.resize(row as usize + 1, false);
            }
            self.holds[row as usize] ^= true;
            if self.holds[row as usize] {
                come.push(row);
            } else {
                gone = true;
            }
        }
        if gone {
            let holds = &self.holds;
            self.live.retain(|&row| holds[row as usize]);
        }
        if !come.is_empty() {
            self.sort(&mut come, space, pool);
            if self.live.is_empty() {
                self.live = come;
            } else {
                let mut merged = Vec::with_capacity(self.live.len() + come.len());
                let mut i = 0;
                for row in come {
                    while i < self.live.len()
                        && self.compare(space.row(self.live[i]), space.row(row), pool) == Ordering::Less
                    {
                        merged.push(self.live[i]);
                        i += 1;
                    }
                    merged.push(row);
                }
                merged.extend_from_slice(&self.live[i..]);
                self.live = merged;
            }
        }
        &self.live
    }

    pub(crate) fn bytes(&self) -> usize {
        self.log.capacity() * 12 + self.heads.capacity() * 4 + self.cells.capacity() * 8 + self.live.capacity() * 4
    }
}
