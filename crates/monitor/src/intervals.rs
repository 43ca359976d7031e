//! Sets of instants as sorted, disjoint, closed intervals that do not touch.
//!
//! ```text
//! {[1,3], [7,7]}  ONCE[1,2]  {[2,5], [8,9]}
//! ```
//! All operators are one merge of two sorted lists. [`SINCE_EVER`] and [`NEVER`] are no instants but the ends of the
//! line, so arithmetic on them stands still and arithmetic that would pass them stops there.
use crate::fact::{Instant, NEVER, SINCE_EVER};
use smallvec::{SmallVec, smallvec};

/// A set of instants. Most hold one interval, and that in place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Intervals(SmallVec<[(Instant, Instant); 1]>);

/// `t + d` on the line with its two ends.
pub(crate) fn plus(t: Instant, d: i64) -> Instant {
    if t == NEVER || t == SINCE_EVER { t } else { t.saturating_add(d) }
}

/// `t - d` on the line with its two ends.
pub(crate) fn minus(t: Instant, d: i64) -> Instant {
    if t == NEVER || t == SINCE_EVER { t } else { t.saturating_sub(d) }
}

/// A window's far end, resolved: `None` is unbounded.
pub(crate) type Far = Option<i64>;

impl Intervals {
    pub(crate) fn empty() -> Intervals {
        Intervals(SmallVec::new())
    }

    pub(crate) fn all() -> Intervals {
        Intervals(smallvec![(SINCE_EVER, NEVER)])
    }

    pub(crate) fn one(from: Instant, to: Instant) -> Intervals {
        let mut set = Intervals::empty();
        set.push(from, to);
        set
    }

    /// From intervals in any order, which may overlap.
    pub(crate) fn from_unsorted(mut list: Vec<(Instant, Instant)>) -> Intervals {
        list.sort_unstable();
        let mut set = Intervals::empty();
        for (from, to) in list {
            set.push(from, to);
        }
        set
    }

    /// Adds an interval that begins no earlier than the last one. One that holds no instant is left out.
    fn push(&mut self, from: Instant, to: Instant) {
        if from > to || from == NEVER || to == SINCE_EVER {
            return;
        }
        if let Some(last) = self.0.last_mut()
            && from <= plus(last.1, 1)
        {
            last.1 = last.1.max(to);
            return;
        }
        self.0.push((from, to));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Instant, Instant)> + '_ {
        self.0.iter().copied()
    }

    pub(crate) fn contains(&self, t: Instant) -> bool {
        self.holding(t).is_some()
    }

    /// The interval that holds `t`.
    pub(crate) fn holding(&self, t: Instant) -> Option<(Instant, Instant)> {
        let i = self.0.partition_point(|&(_, to)| to < t);
        self.0.get(i).copied().filter(|&(from, _)| from <= t)
    }

    /// The first instant at or after `t`.
    pub(crate) fn first_from(&self, t: Instant) -> Option<Instant> {
        let i = self.0.partition_point(|&(_, to)| to < t);
        self.0.get(i).map(|&(from, _)| from.max(t))
    }

    /// The part of the list that meets `[from, to]`, not cut to it.
    pub(crate) fn meeting(&self, from: Instant, to: Instant) -> &[(Instant, Instant)] {
        let start = self.0.partition_point(|&(_, end)| end < from);
        let len = self.0[start..].partition_point(|&(begin, _)| begin <= to);
        &self.0[start..start + len]
    }

    /// Last instant, `None` if empty.
    pub(crate) fn last(&self) -> Option<Instant> {
        self.0.last().map(|&(_, to)| to)
    }

    /// Instants up to `cut`, included.
    pub(crate) fn up_to(&self, cut: Instant) -> Intervals {
        self.stretch(SINCE_EVER, cut)
    }

    /// Instants up to `cut`, included; of those before `from` only what hangs together with later ones.
    pub(crate) fn stretch(&self, from: Instant, cut: Instant) -> Intervals {
        let mut set = Intervals(SmallVec::from_slice(self.meeting(from, cut)));
        if let Some(last) = set.0.last_mut() {
            last.1 = last.1.min(cut);
            if last.0 > last.1 || last.1 == SINCE_EVER {
                set.0.pop();
            }
        }
        set
    }

    /// Intervals that begin by `cut`, whole.
    pub(crate) fn begun(&self, cut: Instant) -> Intervals {
        Intervals(SmallVec::from_slice(self.meeting(SINCE_EVER, cut)))
    }

    pub(crate) fn union(&self, other: &Intervals) -> Intervals {
        if self.is_empty() {
            return other.clone();
        }
        if other.is_empty() {
            return self.clone();
        }
        let mut set = Intervals(SmallVec::with_capacity(self.0.len() + other.0.len()));
        let (mut i, mut j) = (0, 0);
        while i < self.0.len() || j < other.0.len() {
            let left = j == other.0.len() || (i < self.0.len() && self.0[i] <= other.0[j]);
            let (from, to) = if left { self.0[i] } else { other.0[j] };
            if left {
                i += 1;
            } else {
                j += 1;
            }
            set.push(from, to);
        }
        set
    }

    pub(crate) fn intersect(&self, other: &Intervals) -> Intervals {
        let (few, many) = if self.0.len() <= other.0.len() { (self, other) } else { (other, self) };
        let mut set = Intervals::empty();
        for &(from, to) in &few.0 {
            for &(begin, end) in many.meeting(from, to) {
                set.push(from.max(begin), to.min(end));
            }
        }
        set
    }

    /// The same set with time running the other way.
    pub(crate) fn mirror(&self) -> Intervals {
        let turn = |t: Instant| match t {
            NEVER => SINCE_EVER,
            SINCE_EVER => NEVER,
            t => -t,
        };
        Intervals(self.0.iter().rev().map(|&(from, to)| (turn(to), turn(from))).collect())
    }

    /// Members that are not in `other`.
    pub(crate) fn difference(&self, other: &Intervals) -> Intervals {
        let mut set = Intervals::empty();
        for &(from, to) in &self.0 {
            let mut begin = from;
            let mut open = true;
            for &(a, b) in other.meeting(from, to) {
                if a > begin {
                    set.push(begin, minus(a, 1));
                }
                open = b < to;
                begin = plus(b, 1);
            }
            if open {
                set.push(begin, to);
            }
        }
        set
    }

    pub(crate) fn complement(&self) -> Intervals {
        let mut set = Intervals::empty();
        let mut from = SINCE_EVER;
        for &(begin, end) in &self.0 {
            if begin != SINCE_EVER {
                set.push(from, minus(begin, 1));
            }
            from = plus(end, 1);
        }
        if from != NEVER {
            set.push(from, NEVER);
        }
        set
    }

    /// Instants `t` with a member in `[t - far, t - near]`: ONCE.
    pub(crate) fn once(&self, near: i64, far: Far) -> Intervals {
        if far.is_some_and(|far| far < near) {
            return Intervals::empty();
        }
        let mut set = Intervals::empty();
        for &(from, to) in &self.0 {
            let end = far.map_or(NEVER, |far| plus(to, far));
            set.push(plus(from, near), end);
        }
        set
    }

    /// Instants `t` with every instant of `[t - far, t - near]` a member: HISTORICALLY.
    pub(crate) fn historically(&self, near: i64, far: Far) -> Intervals {
        self.complement().once(near, far).complement()
    }

    /// `self SINCE[near, far] right`.
    pub(crate) fn since(&self, right: &Intervals, near: i64, far: Far) -> Intervals {
        if far.is_some_and(|far| far < near) {
            return Intervals::empty();
        }
        let mut list = Vec::new();
        if near == 0 {
            list.extend_from_slice(&right.0);
        }
        let step = near.max(1);
        if far.is_none_or(|far| far >= step) {
            for &(begin, end) in &right.0 {
                // The left side carries from `s` to `s + 1` only where it holds at `s + 1`.
                for &(from, to) in self.meeting(plus(begin, 1), plus(end, 1)) {
                    let first = begin.max(minus(from, 1));
                    let last = end.min(minus(to, 1));
                    if first <= last {
                        list.push((plus(first, step), far.map_or(to, |far| to.min(plus(last, far)))));
                    }
                }
            }
        }
        list.retain(|&(from, to)| from <= to);
        Intervals::from_unsorted(list)
    }

    /// Instants `t` with at least `seconds` members in `[t - far, t - near]`.
    pub(crate) fn duration(&self, near: i64, far: Far, seconds: i64) -> Intervals {
        if seconds <= 0 {
            return Intervals::all();
        }
        if far.is_some_and(|far| far < near) || self.is_empty() {
            return Intervals::empty();
        }
        // Members up to an instant, as running sums: the count in the window at t is below(t - near) - below(t - far - 1),
        // and it is linear between the instants where an end of the window crosses an end of an interval.
        let (near, far) = (i128::from(near), far.map(i128::from));
        let mut sums: Vec<(i128, i128, i128)> = Vec::with_capacity(self.0.len());
        let mut sum = 0;
        for &(from, to) in &self.0 {
            // The ends of the line lie beyond every window.
            let from = if from == SINCE_EVER { -(1 << 100) } else { i128::from(from) };
            let to = if to == NEVER { 1 << 100 } else { i128::from(to) };
            sums.push((from, to, sum));
            sum += to - from + 1;
        }
        let below = |x: i128| -> i128 {
            let i = sums.partition_point(|&(from, _, _)| from <= x);
            if i == 0 {
                return 0;
            }
            let (from, to, before) = sums[i - 1];
            before + x.min(to) - from + 1
        };
        let count = |t: i128| below(t - near) - far.map_or(0, |far| below(t - far - 1));
        let mut cuts = Vec::with_capacity(self.0.len() * 4 + 2);
        for &(from, to, _) in &sums {
            for edge in [from - 1, to] {
                cuts.push(edge + near);
                if let Some(far) = far {
                    cuts.push(edge + far + 1);
                }
            }
        }
        let (least, most) = (i128::from(SINCE_EVER), i128::from(NEVER));
        cuts.push(least);
        cuts.push(most);
        cuts.retain(|&t| (least..=most).contains(&t));
        cuts.sort_unstable();
        cuts.dedup();
        let wanted = i128::from(seconds);
        let mut set = Intervals::empty();
        for pair in cuts.windows(2) {
            let (a, b) = (pair[0], pair[1]);
            let (at_a, at_b) = (count(a), count(b));
            let (from, to) = match (at_a >= wanted, at_b >= wanted) {
                (true, true) => (a, b),
                (false, false) => continue,
                // The slope between two cuts is 1, 0 or -1.
                (false, true) => (a + (wanted - at_a), b),
                (true, false) => (a, a + (at_a - wanted)),
            };
            set.push(clamp(from), clamp(to));
        }
        set
    }
}

/// Back from wide numbers to the line.
fn clamp(t: i128) -> Instant {
    i64::try_from(t).unwrap_or(if t > 0 { NEVER } else { SINCE_EVER })
}
