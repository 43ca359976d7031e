//! The time-points of a log, by number and by stamp.
//!
//! ```text
//! point   0    1    2    3
//! stamp  10   10   14   90        first_from(11) = 2   first_after(14) = 3   first_from(91) = 4 (not there yet)
//! ```
//! Points before the first one kept count as infinitely long ago, so only what may forget them lets them go.

/// Number of a time-point, from 0. [`OPEN`] stands for "as far as the log goes".
pub(crate) type Point = u32;

/// After every time-point.
pub(crate) const OPEN: Point = Point::MAX;

/// Seconds; far enough from both ends of `i64` for windows to be added and taken away.
pub(crate) const LONG_AGO: i64 = i64::MIN / 4;

#[derive(Clone, Debug, Default)]
pub(crate) struct Timeline {
    stamps: Vec<i64>,
    /// Points that were let go.
    base: Point,
    /// Largest distance of two neighbours so far.
    pub(crate) gap: i64,
}

/// Where a search ended last; the next one is near.
pub(crate) type Hint = u32;

impl Timeline {
    /// Number of points, those let go included.
    pub(crate) fn len(&self) -> Point {
        self.base + self.stamps.len() as Point
    }
    /// First point that is still kept.
    pub(crate) fn base(&self) -> Point {
        self.base
    }
    pub(crate) fn push(&mut self, stamp: i64) {
        if let Some(last) = self.stamps.last() {
            self.gap = self.gap.max(stamp - last);
        }
        self.stamps.push(stamp);
    }
    pub(crate) fn last(&self) -> Option<i64> {
        self.stamps.last().copied()
    }
    /// Stamp of a point of the log.
    pub(crate) fn stamp(&self, point: Point) -> i64 {
        if point < self.base { LONG_AGO } else { self.stamps[(point - self.base) as usize] }
    }
    /// First point with a stamp of at least `stamp`; [`Timeline::len`] if there is none yet.
    pub(crate) fn first_from(&self, stamp: i64, hint: &mut Hint) -> Point {
        let stamps = &self.stamps[..];
        let at = (hint.saturating_sub(self.base) as usize).min(stamps.len());
        if at > 0 && stamps[at - 1] < stamp && stamps.get(at).is_none_or(|&next| next >= stamp) {
            *hint = self.base + at as Point;
        } else {
            *hint = self.base + self.gallop(stamp, at) as Point;
        }
        *hint
    }
    fn gallop(&self, stamp: i64, mut at: usize) -> usize {
        let stamps = &self.stamps[..];
        // Gallop away from the hint, then halve.
        let (mut low, mut high);
        if at < stamps.len() && stamps[at] < stamp {
            let mut step = 1;
            low = at + 1;
            loop {
                at += step;
                if at >= stamps.len() {
                    high = stamps.len();
                    break;
                }
                if stamps[at] >= stamp {
                    high = at;
                    break;
                }
                low = at + 1;
                step *= 2;
            }
        } else {
            let mut step = 1;
            high = at;
            loop {
                if at == 0 {
                    low = 0;
                    break;
                }
                at = at.saturating_sub(step);
                if stamps[at] < stamp {
                    low = at + 1;
                    break;
                }
                high = at;
                step *= 2;
            }
        }
        while low < high {
            let middle = low + (high - low) / 2;
            if stamps[middle] < stamp {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
    /// First point with a stamp of more than `stamp`; [`Timeline::len`] if there is none yet.
    pub(crate) fn first_after(&self, stamp: i64, hint: &mut Hint) -> Point {
        self.first_from(stamp.saturating_add(1), hint)
    }
    /// Forgets the points before `point`.
    pub(crate) fn forget(&mut self, point: Point) {
        if point > self.base {
            let count = ((point - self.base) as usize).min(self.stamps.len());
            self.stamps.drain(..count);
            self.base += count as Point;
        }
    }
    pub(crate) fn bytes(&self) -> usize {
        self.stamps.capacity() * 8
    }
}
