//! What the clock alone will change: rows by the stamp at which they must be looked at again.
use super::rows::NONE;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// One outstanding stamp a row; an earlier one replaces a later.
#[derive(Clone, Debug)]
pub(crate) struct Timers {
    /// In order; most come so.
    queue: VecDeque<(i64, u32)>,
    heap: BinaryHeap<Reverse<(i64, u32)>>,
    at: Vec<i64>,
    at_default: i64,
}

impl Default for Timers {
    fn default() -> Timers {
        Timers { queue: VecDeque::new(), heap: BinaryHeap::new(), at: Vec::new(), at_default: i64::MAX }
    }
}

impl Timers {
    fn slot(&mut self, row: u32) -> &mut i64 {
        if row == NONE {
            return &mut self.at_default;
        }
        if self.at.len() <= row as usize {
            self.at.resize(row as usize + 1, i64::MAX);
        }
        &mut self.at[row as usize]
    }
    pub(crate) fn set(&mut self, row: u32, stamp: i64) {
        if stamp == i64::MAX || *self.slot(row) <= stamp {
            return;
        }
        *self.slot(row) = stamp;
        match self.queue.back() {
            Some(&(last, _)) if last > stamp => self.heap.push(Reverse((stamp, row))),
            _ => self.queue.push_back((stamp, row)),
        }
    }
    /// Earliest stamp.
    pub(crate) fn next(&self) -> i64 {
        let queue = self.queue.front().map_or(i64::MAX, |entry| entry.0);
        self.heap.peek().map_or(queue, |entry| queue.min(entry.0.0))
    }
    /// A row whose stamp has come.
    pub(crate) fn due(&mut self, now: i64) -> Option<(i64, u32)> {
        loop {
            if self.next() > now {
                return None;
            }
            let from_queue = self.queue.front().is_some_and(|entry| entry.0 == self.next());
            let popped = if from_queue { self.queue.pop_front() } else { self.heap.pop().map(|entry| entry.0) };
            let (stamp, row) = popped?;
            if *self.slot(row) == stamp {
                *self.slot(row) = i64::MAX;
                return Some((stamp, row));
            }
        }
    }
    /// Rows that wait are struck from a list.
    pub(crate) fn strike(&self, list: &mut [bool]) {
        for (at, listed) in self.at.iter().zip(list) {
            *listed &= *at == i64::MAX;
        }
    }
    pub(crate) fn bytes(&self) -> usize {
        self.queue.capacity() * 16 + self.heap.capacity() * 16 + self.at.capacity() * 8
    }
}
