//! Dilation of sets of time-points by windows of stamps, and what the clock will do to the result later.
//!
//! ```text
//! stamps 0 1 2 9 10      past([0,3) , window [1,8])  =  points 1..4  (9 - 2 <= 8; 10 - 2 <= 8 as well: up to 5)
//! ```
//! An interval that goes on (`OPEN`) is taken to go on for ever: what the next points do to that is told as they come.
use super::set::{Span, Spans, clip, push, seek};
use super::timeline::{Hint, OPEN, Point, Timeline};

/// Far end of a window without one.
pub(crate) const FOREVER: i64 = i64::MAX;

/// Distances of stamps, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reach {
    pub(crate) near: i64,
    pub(crate) far: i64,
}

impl Reach {
    pub(crate) fn is_everything(self) -> bool {
        self.near == 0 && self.far == FOREVER
    }
    pub(crate) fn has(self, distance: i64) -> bool {
        (self.near..=self.far).contains(&distance)
    }
    /// Whether neighbours so far apart leave points between them that neither reaches.
    pub(crate) fn leaves_holes(self, gap: i64) -> bool {
        self.near > 0 && self.far != FOREVER && gap > self.far - self.near
    }
}

/// How a join sees the rows of one of its sides: as they are, or through a window of which nothing is kept.
///
/// ```text
/// ONCE[0,9] A(a,b) AND B(a,c)      at a point of B the rows of A are looked at, as far back as the window goes
/// ```
/// For this the other side must be momentary: it holds at points that are there and never goes on. So nothing needs to be
/// waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Look {
    #[default]
    Plain,
    Back(Reach),
    Ahead(Reach),
}

impl Look {
    /// Where a row may be seen otherwise if it differs on a span; of points that are there.
    #[inline]
    pub(crate) fn reach(self, span: Span, time: &Timeline, hints: &mut Hints) -> Span {
        let Hints { low, high, .. } = hints;
        match self {
            Look::Plain => span,
            Look::Back(reach) => later(span, reach, time, low, high),
            Look::Ahead(reach) => earlier(span, reach, time, low, high),
        }
    }

    /// Where a row must be looked at to say how it is seen on a span.
    #[inline]
    pub(crate) fn source(self, span: Span, time: &Timeline, hints: &mut Hints) -> Span {
        let Hints { c, d, .. } = hints;
        match self {
            Look::Plain => span,
            Look::Back(reach) => earlier(span, reach, time, c, d),
            Look::Ahead(reach) => later(span, reach, time, c, d),
        }
    }

    /// Whether a row with this set is seen at a point.
    #[inline]
    pub(crate) fn sees(self, set: &[Span], point: Point, time: &Timeline, hints: &mut Hints) -> bool {
        if set.is_empty() {
            return false;
        }
        let (low, high) = self.source((point, point + 1), time, hints);
        low < high && set.get(seek(set, low)).is_some_and(|span| span.0 < high)
    }

    /// What is seen of a set inside a span, appended.
    #[inline]
    pub(crate) fn part(self, set: &[Span], within: Span, time: &Timeline, hints: &mut Hints, out: &mut Spans) {
        match self {
            Look::Plain => clip(set, within, out),
            _ if within.1 - within.0 == 1 => {
                if self.sees(set, within.0, time, hints) {
                    push(out, within);
                }
            }
            Look::Back(reach) => {
                past(set, reach, within, time, hints, out);
            }
            Look::Ahead(reach) => future(set, reach, within, time, hints, out),
        }
    }
}

/// Points that have one of a span at a distance in reach before them; maybe some between them too.
#[inline]
fn later((low, high): Span, reach: Reach, time: &Timeline, from: &mut Hint, to: &mut Hint) -> Span {
    let from = match reach.near {
        0 => low,
        near => time.first_from(time.stamp(low).saturating_add(near), from),
    };
    (from, beyond(time, high - 1, reach.far, to))
}

/// Points that have one of a span at a distance in reach after them; maybe some between them too.
#[inline]
fn earlier((low, high): Span, reach: Reach, time: &Timeline, from: &mut Hint, to: &mut Hint) -> Span {
    let to = match reach.near {
        0 => high,
        near => time.first_after(time.stamp(high - 1).saturating_sub(near), to),
    };
    (back(time, low, reach.far, from), to)
}

/// Searches of one operator; they move on together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hints {
    pub(crate) a: Hint,
    pub(crate) b: Hint,
    pub(crate) c: Hint,
    pub(crate) d: Hint,
    /// Of what changed.
    pub(crate) low: Hint,
    pub(crate) high: Hint,
}

/// Earliest point whose window back still holds `point`'s stamp less `far`.
pub(crate) fn back(time: &Timeline, point: Point, far: i64, hint: &mut Hint) -> Point {
    if far == FOREVER { 0 } else { time.first_from(time.stamp(point).saturating_sub(far), hint) }
}

/// First point that is more than `far` after `point`.
pub(crate) fn beyond(time: &Timeline, point: Point, far: i64, hint: &mut Hint) -> Point {
    if far == FOREVER { time.len() } else { time.first_after(time.stamp(point).saturating_add(far), hint) }
}

/// Points of `within` that have a point of `source` at most `far` and at least `near` before them, appended to `out`.
/// Returns the stamp at which the clock alone changes the end of that (`i64::MAX`: never).
pub(crate) fn past(
    source: &[Span],
    reach: Reach,
    within: Span,
    time: &Timeline,
    hints: &mut Hints,
    out: &mut Spans,
) -> i64 {
    let n = time.len();
    if n == 0 {
        return i64::MAX;
    }
    let mut due = i64::MAX;
    // A span that begins after the log is told what is waited for.
    let from = back(time, within.0.min(n - 1), reach.far, &mut hints.a);
    let mut put = |low: Point, high: Point| push(out, (low.max(within.0), high.min(within.1)));
    // Where the reach of a point ends; a border that has not come yet is waited for.
    let end = |q: Point, due: &mut i64, hint: &mut Hint| {
        if reach.far == FOREVER {
            return OPEN;
        }
        let end = beyond(time, q, reach.far, hint);
        if end < n {
            return end;
        }
        *due = (*due).min(time.stamp(q).saturating_add(reach.far).saturating_add(1));
        OPEN
    };
    'intervals: for &(low, high) in &source[seek(source, from)..] {
        let stop = high.min(within.1).min(n);
        let mut q = low.max(from);
        if q >= stop {
            if reach.near == 0 && low >= n {
                put(low, high);
                continue;
            }
            break;
        }
        let goes_on = high == OPEN && within.1 == OPEN;
        if reach.near == 0 {
            let end = if goes_on { OPEN } else { end(stop - 1, &mut due, &mut hints.b) };
            put(q, end);
            continue;
        }
        let holes = reach.leaves_holes(time.gap);
        loop {
            let stamp = time.stamp(q);
            let start = time.first_from(stamp.saturating_add(reach.near), &mut hints.c);
            if start >= n {
                due = due.min(stamp.saturating_add(reach.near));
                break 'intervals;
            }
            // The last point before a hole.
            let mut last = stop - 1;
            if holes {
                last = q;
                while last + 1 < stop {
                    if reach.leaves_holes(time.stamp(last + 1) - time.stamp(last)) {
                        let close = beyond(time, last, reach.far, &mut hints.b);
                        let next = time.first_from(time.stamp(last + 1).saturating_add(reach.near), &mut hints.d);
                        if close < next || next >= n {
                            break;
                        }
                    }
                    last += 1;
                }
            }
            if last + 1 == stop {
                let end = if goes_on { OPEN } else { end(last, &mut due, &mut hints.b) };
                put(start, end);
                continue 'intervals;
            }
            let end = end(last, &mut due, &mut hints.b);
            put(start, end);
            if end == OPEN {
                break 'intervals;
            }
            q = last + 1;
        }
    }
    due
}

/// Points of `within` that have a point of `source` at most `far` and at least `near` after them, appended to `out`.
pub(crate) fn future(source: &[Span], reach: Reach, within: Span, time: &Timeline, hints: &mut Hints, out: &mut Spans) {
    let n = time.len();
    // How far what is there may matter.
    let cut = within.1 < n && source.last().is_some_and(|last| last.1 > within.1);
    let until = if !cut { n } else { beyond(time, within.1 - 1, reach.far, &mut hints.a) };
    let mut put = |low: Point, high: Point| push(out, (low.max(within.0), high.min(within.1)));
    for &(low, high) in &source[seek(source, within.0)..] {
        let stop = high.min(until);
        let mut q = low.max(within.0);
        if q >= n {
            // Of points that have not come only those are asked for: they hold as the source does.
            if reach.near == 0 || high == OPEN {
                put(q, high);
            }
            continue;
        }
        if q >= stop {
            break;
        }
        // Points that have not come are taken to hold as the last one does.
        let goes_on = high == OPEN && stop == n;
        let holes = reach.leaves_holes(time.gap);
        loop {
            let start = back(time, q, reach.far, &mut hints.b);
            let mut last = stop - 1;
            if holes {
                last = q;
                while last + 1 < stop && !reach.leaves_holes(time.stamp(last + 1) - time.stamp(last)) {
                    last += 1;
                }
            }
            let ends = last + 1 == stop;
            let end = match reach.near {
                _ if ends && goes_on => OPEN,
                0 if ends && stop == n => high,
                0 => last + 1,
                near => time.first_after(time.stamp(last).saturating_sub(near), &mut hints.c),
            };
            put(start, end);
            if ends {
                break;
            }
            q = last + 1;
        }
    }
}
