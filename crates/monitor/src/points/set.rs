//! Sets of time-points as sorted, disjoint, non-adjacent intervals.
//!
//! ```text
//! {3, 4, 5, 9, 10, …}  is  [(3, 6), (9, OPEN)]        ends are not included
//! ```
use super::timeline::{OPEN, Point};
use smallvec::SmallVec;

/// First point, and the point after the last.
pub(crate) type Span = (Point, Point);

/// As kept with a row; two intervals need no allocation.
pub(crate) type Set = SmallVec<[Span; 2]>;

/// As passed around; a few need no allocation.
pub(crate) type Spans = SmallVec<[Span; 6]>;

/// That a row may differ on a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) row: u32,
    pub(crate) span: Span,
}

/// Everything.
pub(crate) const ALL: Span = (0, OPEN);

/// Index of the first interval that ends after `point`.
pub(crate) fn seek(set: &[Span], point: Point) -> usize {
    match set.last() {
        None => 0,
        // Most questions are about the end.
        Some(&(low, _)) if low <= point => set.len() - usize::from(set[set.len() - 1].1 > point),
        _ if set.len() < 8 => set.iter().take_while(|span| span.1 <= point).count(),
        _ => set.partition_point(|span| span.1 <= point),
    }
}

pub(crate) fn contains(set: &[Span], point: Point) -> bool {
    set.get(seek(set, point)).is_some_and(|&(low, _)| low <= point)
}

/// Appends an interval that does not begin before the last one.
pub(crate) fn push(out: &mut Spans, (low, high): Span) {
    if low >= high {
        return;
    }
    match out.last_mut() {
        Some(last) if last.1 >= low => last.1 = last.1.max(high),
        _ => out.push((low, high)),
    }
}

/// The part of a set inside a span, appended.
pub(crate) fn clip(set: &[Span], within: Span, out: &mut Spans) {
    for &(low, high) in &set[seek(set, within.0)..] {
        if low >= within.1 {
            return;
        }
        push(out, (low.max(within.0), high.min(within.1)));
    }
}

/// What a span has beside a set, appended.
pub(crate) fn clip_not(set: &[Span], within: Span, out: &mut Spans) {
    let mut from = within.0;
    for &(low, high) in &set[seek(set, within.0)..] {
        if low >= within.1 {
            break;
        }
        push(out, (from, low));
        from = high;
    }
    push(out, (from, within.1));
}

/// What two sorted lists have in common, appended.
pub(crate) fn both(a: &[Span], b: &[Span], out: &mut Spans) {
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        push(out, (a[i].0.max(b[j].0), a[i].1.min(b[j].1)));
        if a[i].1 < b[j].1 {
            i += 1;
        } else {
            j += 1;
        }
    }
}

/// What either of two sorted lists has, appended.
pub(crate) fn either(a: &[Span], b: &[Span], out: &mut Spans) {
    let (mut i, mut j) = (0, 0);
    while i < a.len() || j < b.len() {
        let left = j >= b.len() || i < a.len() && a[i].0 <= b[j].0;
        if left {
            push(out, a[i]);
            i += 1;
        } else {
            push(out, b[j]);
            j += 1;
        }
    }
}

/// The interval that holds `point`.
pub(crate) fn run(set: &[Span], point: Point) -> Option<Span> {
    set.get(seek(set, point)).copied().filter(|&(low, _)| low <= point)
}

/// From first to last, `None` for the empty set.
pub(crate) fn hull(set: &[Span]) -> Option<Span> {
    Some((set.first()?.0, set.last()?.1))
}

/// Makes `set` equal to `new` inside `within`, and tells on which spans it was not.
pub(crate) fn replace(set: &mut Set, within: Span, new: &[Span], mut changed: impl FnMut(Span)) {
    if within.0 >= within.1 {
        return;
    }
    // At the end: most changes are there.
    if set.last().is_none_or(|last| last.1 <= within.0) {
        for &(low, high) in new {
            match set.last_mut() {
                Some(last) if last.1 == low => last.1 = high,
                _ => set.push((low, high)),
            }
            changed((low, high));
        }
        return;
    }
    let first = seek(set, within.0);
    // The end of the last one goes, or all of it: the clock's doing, mostly.
    let is_last = first + 1 == set.len();
    if let ([], true, Some(last)) = (new, is_last, set.last_mut())
        && last.0 < within.1
        && last.1 <= within.1
    {
        let lost = (last.0.max(within.0), last.1);
        if last.0 < within.0 {
            last.1 = within.0;
        } else {
            set.pop();
        }
        return changed(lost);
    }
    let mut end = first;
    while end < set.len() && set[end].0 < within.1 {
        end += 1;
    }
    // The difference of what was and what is: a sweep over the borders of both.
    let mut flips: SmallVec<[Point; 8]> = SmallVec::new();
    for &(low, high) in &set[first..end] {
        flips.extend([low.max(within.0), high.min(within.1)]);
    }
    flips.extend(new.iter().flat_map(|&(low, high)| [low, high]));
    flips.sort_unstable();
    let mut i = 0;
    let mut open: Option<Point> = None;
    let mut differs = false;
    while i < flips.len() {
        let at = flips[i];
        let mut count = 0;
        while i < flips.len() && flips[i] == at {
            count += 1;
            i += 1;
        }
        if count % 2 == 1 {
            match open.take() {
                Some(from) => {
                    differs = true;
                    changed((from, at));
                }
                None => open = Some(at),
            }
        }
    }
    if !differs {
        return;
    }
    let left = set.get(first).filter(|span| first < end && span.0 < within.0).map(|span| (span.0, within.0));
    let right = set[first..end].last().filter(|span| span.1 > within.1).map(|span| (within.1, span.1));
    let mut middle: SmallVec<[Span; 4]> = SmallVec::new();
    // Neighbours that touch grow together.
    let mut add = |span: Span| match middle.last_mut() {
        Some(last) if last.1 >= span.0 => last.1 = last.1.max(span.1),
        _ => middle.push(span),
    };
    let before = first > 0 && set[first - 1].1 == within.0;
    if before {
        add(set[first - 1]);
    }
    left.into_iter().chain(new.iter().copied()).chain(right).for_each(&mut add);
    let mut until = end;
    if until < set.len() && middle.last().is_some_and(|last| last.1 == set[until].0) {
        let next = set[until];
        until += 1;
        if let Some(last) = middle.last_mut() {
            last.1 = next.1;
        }
    }
    let from = first - usize::from(before);
    // In place where the count stays, since that is the usual revision.
    if middle.len() == until - from {
        set[from..until].copy_from_slice(&middle);
    } else {
        let tail: SmallVec<[Span; 8]> = SmallVec::from_slice(&set[until..]);
        set.truncate(from);
        set.extend_from_slice(&middle);
        set.extend_from_slice(&tail);
    }
}

/// Drops the intervals that end at or before `point`; with `keep` all but the last that begins at or before it.
pub(crate) fn trim(set: &mut Set, point: Point, keep: Option<Point>) {
    let mut count = seek(set, point);
    if let Some(keep) = keep {
        let last = set.iter().take(count).rposition(|span| span.0 <= keep);
        count = count.min(last.unwrap_or(0));
    }
    if count > 0 {
        set.copy_within(count.., 0);
        set.truncate(set.len() - count);
        if set.spilled() && set.len() <= 2 {
            set.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every replacement on a short line, against booleans.
    #[test]
    fn replacing_is_what_it_says() {
        let to_set = |bits: u32| {
            let mut out = Spans::new();
            (0..7).filter(|i| bits >> i & 1 == 1).for_each(|i| push(&mut out, (i, i + 1)));
            out
        };
        for old in 0..128u32 {
            for new in 0..128u32 {
                for (low, high) in (0..8).flat_map(|l| (l..8).map(move |h| (l, h))) {
                    let mask = (0..7).filter(|i| (low..high).contains(i)).fold(0u32, |m, i| m | 1 << i);
                    let mut set: Set = to_set(old).into_iter().collect();
                    let mut flips = 0u32;
                    replace(&mut set, (low, high), &to_set(new & mask), |(a, b)| (a..b).for_each(|i| flips ^= 1 << i));
                    let wanted = old & !mask | new & mask;
                    assert_eq!(set[..], to_set(wanted)[..], "{old:b} {new:b} {low} {high}");
                    assert_eq!(flips, old ^ wanted, "{old:b} {new:b} {low} {high}");
                }
            }
        }
    }
}
