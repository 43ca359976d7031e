//! Rows by the time-point at which they are looked at: a list for each of the next points.
//!
//! ```text
//! next 7:   7 -> rows 3, 9    8 -> nothing    9 -> row 3        take() gives 9, 3 and goes on to 8
//! ```
use super::timeline::Point;
use std::collections::VecDeque;

#[derive(Clone, Debug)]
pub(crate) struct Agenda {
    next: Point,
    /// For each point from the next one on its list in `cells`, a row and where the list goes on.
    heads: VecDeque<u32>,
    cells: Vec<(u32, u32)>,
    /// Cells that are not in use, as a list.
    free: u32,
    count: usize,
}

const END: u32 = u32::MAX;

impl Default for Agenda {
    fn default() -> Agenda {
        Agenda { next: 0, heads: VecDeque::new(), cells: Vec::new(), free: END, count: 0 }
    }
}

impl Agenda {
    /// The first point whose rows were not taken.
    pub(crate) fn next(&self) -> Point {
        self.next
    }
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }
    /// Enters a row for a point that is not before the next one.
    #[inline]
    pub(crate) fn put(&mut self, row: u32, point: Point) {
        let at = (point - self.next) as usize;
        if self.heads.len() <= at {
            self.heads.resize(at + 1, END);
        }
        self.count += 1;
        let head = &mut self.heads[at];
        let cell = (row, *head);
        *head = self.free;
        match self.cells.get_mut(self.free as usize) {
            Some(free) => self.free = std::mem::replace(free, cell).1,
            None => {
                *head = self.cells.len() as u32;
                self.cells.push(cell);
            }
        }
    }
    /// Appends the rows of the next point, and goes on to the one after it.
    #[inline]
    pub(crate) fn take(&mut self, rows: &mut Vec<u32>) {
        self.next += 1;
        let mut cell = self.heads.pop_front().unwrap_or(END);
        while cell != END {
            let (row, next) = std::mem::replace(&mut self.cells[cell as usize], (0, self.free));
            self.free = cell;
            self.count -= 1;
            rows.push(row);
            cell = next;
        }
    }
    /// Goes on to a point if nothing is entered.
    pub(crate) fn skip(&mut self, point: Point) {
        if self.is_empty() && point > self.next {
            self.heads.clear();
            self.next = point;
        }
    }
    pub(crate) fn bytes(&self) -> usize {
        self.heads.capacity() * 4 + self.cells.capacity() * 8
    }
}
