//! The operators: each keeps, for every row, the set of time-points at which it holds, and mends it where its inputs changed.
//!
//! ```text
//! insert ack(7) at point 9   ->  facts: row [7] may differ on [9,10)
//!                            ->  lodged AND NOT EVENTUALLY[0,6h] ack: seen through the window, row [7] may differ on [4,10);
//!                                rows [7, x] of lodged that hold somewhere in [4,10) are looked at again there
//! ```
//! One path serves the end of the log, late facts and withdrawals: an input says where a row *may* differ, the operator
//! recomputes its own row on the span that this can reach, and passes on where it really differs. So a result is a
//! function of the set of facts and of the time-points, whatever the order. The future is silent: an interval that goes on
//! is kept as `OPEN`; what the clock alone ends is waited for in [`Timers`].
//!
//! A window that only meets facts of the moment is never worked out: those who meet it look through it ([`Look`]). What such
//! a window ahead leaves open is put off in a stream until it is settled ([`Later`]), and is worked out once.
use super::agenda::Agenda;
use super::rows::{Filing, NONE, Rows, Side};
use super::set::{
    ALL, Change, Set, Span, Spans, both, clip, clip_not, contains, either, hull, push, replace, run, seek, trim,
};
use super::timeline::{Hint, OPEN, Point, Timeline};
use super::timers::Timers;
use super::windows::{FOREVER, Hints, Look, Reach, back, beyond, future, past};
use super::words::{Expr, Pool, Word, holds};
use crate::formula::{Aggregation, Comparison};
use crate::ratio::Ratio;
use smallvec::SmallVec;
use std::collections::BTreeMap;

/// What every operator has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Core {
    /// Which rows; operators that keep the valuations of their input share its rows.
    pub(crate) space: usize,
    sets: Vec<Set>,
    /// Where valuations without a row hold; empty for what is finite.
    pub(crate) default: Set,
    /// Whether the default may ever be anything but empty.
    pub(crate) open_ended: bool,
    pub(crate) changes: Vec<Change>,
}

/// Stands for a row of which nothing is known beside the default.
const UNTOUCHED: Span = (OPEN, 0);

impl Core {
    pub(crate) fn new(space: usize) -> Core {
        Core { space, ..Core::default() }
    }
    /// The set of a row; of [`NONE`] the default.
    pub(crate) fn set(&self, row: u32) -> &[Span] {
        match self.sets.get(row as usize) {
            Some(set) if !self.open_ended || set.first() != Some(&UNTOUCHED) => set,
            _ => &self.default,
        }
    }
    fn touch(&mut self, row: u32) -> &mut Set {
        if row == NONE {
            return &mut self.default;
        }
        if self.sets.len() <= row as usize {
            let open_ended = self.open_ended;
            self.sets.resize_with(row as usize + 1, || Core::untouched(open_ended));
        }
        let set = &mut self.sets[row as usize];
        if self.open_ended && set.first() == Some(&UNTOUCHED) {
            *set = self.default.clone();
        }
        set
    }
    /// Whether a row follows a default that may hold.
    fn is_untouched(&self, row: u32) -> bool {
        let set = self.sets.get(row as usize);
        self.open_ended && row != NONE && set.is_none_or(|set| set.first() == Some(&UNTOUCHED))
    }
    fn untouched(open_ended: bool) -> Set {
        if open_ended { SmallVec::from_slice(&[UNTOUCHED]) } else { Set::new() }
    }
    /// Makes a row's set what it is on a span, and passes on where it differed.
    #[inline]
    fn settle(&mut self, row: u32, within: Span, new: &[Span]) {
        // Nothing where nothing was, or one interval at the end: most changes are.
        if !self.open_ended && row != NONE {
            let set = self.sets.get_mut(row as usize);
            let at_end = set.as_ref().is_none_or(|set| set.last().is_none_or(|last| last.1 < within.0));
            match (set, new) {
                (_, []) if at_end => return,
                (Some(set), &[span]) if at_end => {
                    set.push(span);
                    return self.changes.push(Change { row, span });
                }
                _ => {}
            }
        }
        self.replace(row, within, new);
    }
    #[inline(never)]
    fn replace(&mut self, row: u32, within: Span, new: &[Span]) {
        let mut changes = std::mem::take(&mut self.changes);
        if self.is_untouched(row) {
            // It went with the default so far, also where that changed in this round; those who read it look at rows of
            // their own for themselves.
            let followed: SmallVec<[Change; 2]> = changes.iter().filter(|change| change.row == NONE).copied().collect();
            changes.extend(followed.iter().map(|change| Change { row, span: change.span }));
        }
        let before = changes.len();
        replace(self.touch(row), within, new, |span| changes.push(Change { row, span }));
        if row == NONE {
            // Rows of their own that were as the default is may differ from it now: nobody was told of them yet.
            for i in before..changes.len() {
                let span = changes[i].span;
                let own = self.sets.iter().enumerate().filter(|(_, set)| set.first() != Some(&UNTOUCHED));
                changes.extend(own.map(|(row, _)| Change { row: row as u32, span }));
            }
        }
        self.changes = changes;
    }
    /// Drops what is before `point`; rows that say more than the default after it are struck from `gone`.
    fn trim(&mut self, point: Point, keep: Option<Point>, gone: &mut [bool]) {
        let mut default = Spans::new();
        clip(&self.default, (point, OPEN), &mut default);
        for (set, gone) in self.sets.iter_mut().zip(gone) {
            match set.last() {
                Some(&UNTOUCHED) => continue,
                None if self.default.is_empty() => continue,
                Some(last) if last.1 > point || keep.is_some() => trim(set, point, keep),
                _ => *set = Set::new(),
            }
            if self.default.is_empty() {
                *gone &= set.is_empty();
            } else if *gone {
                let mut own = Spans::new();
                clip(set, (point, OPEN), &mut own);
                *gone = own == default;
            }
        }
    }
    fn drop_rows(&mut self, gone: &[bool]) {
        let open_ended = self.open_ended;
        for (set, _) in self.sets.iter_mut().zip(gone).filter(|(set, gone)| **gone && (open_ended || !set.is_empty())) {
            *set = Core::untouched(open_ended);
        }
    }
    pub(crate) fn bytes(&self) -> usize {
        let spilled: usize = self.sets.iter().filter(|set| set.spilled()).map(|set| set.capacity() * 8).sum();
        self.sets.capacity() * size_of::<Set>() + spilled
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) core: Core,
    pub(crate) kind: Kind,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// Facts of a predicate, all columns.
    Facts,
    /// TRUE at every point, or (not) a single row.
    Constant,
    Unary(Box<Unary>),
    Guard(Box<Guard>),
    Zip(Box<Zip>),
    Or(Box<Or>),
    Join(Box<Join>),
    Map(Box<Map>),
    Aggregate(Box<Aggregate>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Not,
    Past,
    Future,
    Previous,
    Next,
}

/// NOT, ONCE, EVENTUALLY, PREVIOUS, NEXT; HISTORICALLY and ALWAYS as the duals.
#[derive(Clone, Debug)]
pub(crate) struct Unary {
    pub(crate) child: usize,
    pub(crate) step: Step,
    pub(crate) reach: Reach,
    /// NOT before and after the window.
    pub(crate) dual: bool,
    /// Somebody asks for it as it is: it is kept. Else it is there for those who look through it.
    pub(crate) kept: bool,
    hints: Hints,
    timers: Timers,
    /// Rows to be looked at again with the next point.
    again: Vec<u32>,
    open: OpenRows,
}

/// Rows whose input goes on, for what new points change by their distance alone.
#[derive(Clone, Debug, Default)]
struct OpenRows {
    rows: Vec<u32>,
    place: Vec<u32>,
    default: bool,
}

impl OpenRows {
    fn note(&mut self, row: u32, open: bool) {
        if row == NONE {
            self.default = open;
            return;
        }
        if self.place.len() <= row as usize {
            self.place.resize(row as usize + 1, NONE);
        }
        let place = self.place[row as usize];
        if open && place == NONE {
            self.place[row as usize] = self.rows.len() as u32;
            self.rows.push(row);
        } else if !open && place != NONE {
            self.rows.swap_remove(place as usize);
            if let Some(&moved) = self.rows.get(place as usize) {
                self.place[moved as usize] = place;
            }
            self.place[row as usize] = NONE;
        }
    }
    fn all(&self) -> Vec<u32> {
        let mut rows = self.rows.clone();
        rows.extend(self.default.then_some(NONE));
        rows
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pairing {
    Since,
    Until,
}

/// `driver AND other AND NOT another`: a row of the driver where it passes some tests.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    pub(crate) driver: usize,
    pub(crate) tests: Vec<Test>,
    /// Of each test.
    hints: Vec<Hints>,
    later: Later,
}

/// Rows at points that a window ahead does not settle yet. In a stream they are put off until it does, and looked at once;
/// what changes at points before that is worked out at once.
#[derive(Clone, Debug, Default)]
struct Later {
    agenda: Agenda,
    due: Vec<u32>,
    hint: Hint,
}

impl Later {
    /// Points before the first are looked at, those before the second can be; with nothing to be put off, all.
    fn until(&mut self, looks: impl Iterator<Item = Look>, round: &Round<'_>) -> (Point, Point) {
        let far = looks.filter_map(|look| if let Look::Ahead(reach) = look { Some(reach.far) } else { None }).max();
        match far {
            Some(far) if !round.eager => {
                let until = back(round.time, round.time.len() - 1, far, &mut self.hint);
                self.agenda.skip(until);
                (self.agenda.next(), until)
            }
            _ => (OPEN, OPEN),
        }
    }
    /// The part of a change that is worked out at once; the rest is put off.
    fn split(&mut self, row: u32, (low, high): Span, done: Point) -> Span {
        (low.max(done)..high.max(done)).for_each(|point| self.agenda.put(row, point));
        (low, high.min(done))
    }
    /// Rows of a point that is settled now.
    fn take(&mut self, until: Point) -> Option<(Point, &[u32])> {
        let point = self.agenda.next();
        if self.agenda.is_empty() || point >= until {
            return None;
        }
        self.due.clear();
        self.agenda.take(&mut self.due);
        Some((point, &self.due))
    }
}

/// That another holds, or does not; its variables are among the driver's.
#[derive(Clone, Debug)]
pub(crate) struct Test {
    pub(crate) other: usize,
    pub(crate) negated: bool,
    /// How the other is seen.
    pub(crate) look: Look,
    /// Columns of the driver that are the other's, in the other's order.
    pub(crate) key: Vec<usize>,
    drivers: Drivers,
}

/// For each row of another, which is the key, the drivers that meet it; such a row may be there for their sake only.
#[derive(Clone, Debug, Default)]
struct Drivers {
    of_other: Vec<Side>,
    of_driver: Vec<u32>,
    filing: Filing,
}

impl Drivers {
    /// The other's row that a driver meets; the driver is filed with it.
    fn link(&mut self, key: &[usize], spaces: &mut [Rows], row: u32, driver: &Core, other: &Core) -> u32 {
        let known = *grown(&mut self.of_driver, row, NONE);
        let with = if known == NONE {
            let with = match spaces.get_disjoint_mut([driver.space, other.space]) {
                Ok([from, to]) => to.intern_columns(from.row(row), key),
                Err(_) => {
                    let words: SmallVec<[Word; 8]> = SmallVec::from_slice(spaces[driver.space].row(row));
                    spaces[other.space].intern_columns(&words, key)
                }
            };
            if self.of_other.len() <= with as usize {
                self.of_other.resize_with(with as usize + 1, Side::default);
            }
            self.of_driver[row as usize] = with;
            with
        } else {
            known
        };
        self.of_other[with as usize].file(&mut self.filing, row, hull(driver.set(row)));
        with
    }
    /// Drivers that meet a row of the other and may hold on a span.
    fn near(&self, with: u32, span: Span) -> impl Iterator<Item = u32> + '_ {
        self.of_other.get(with as usize).into_iter().flat_map(move |side| side.near(span))
    }
    /// Rows of the driver are let go.
    fn forget(&mut self, gone: &[bool]) {
        let mut touched = vec![false; self.of_other.len()];
        unlink(&mut self.of_driver, gone, NONE, |with| touched[with as usize] = true);
        for (drivers, _) in self.of_other.iter_mut().zip(&touched).filter(|(_, touched)| **touched) {
            drivers.forget(&mut self.filing, gone);
        }
    }
    fn bytes(&self) -> usize {
        self.of_other.capacity() * size_of::<Side>() + self.of_driver.capacity() * 4 + self.filing.bytes()
    }
}

/// `other SINCE driver`, `other UNTIL driver`: the other's variables are among the driver's.
#[derive(Clone, Debug)]
pub(crate) struct Zip {
    pub(crate) pairing: Pairing,
    pub(crate) driver: usize,
    pub(crate) other: usize,
    /// The other is negated.
    pub(crate) negated: bool,
    pub(crate) reach: Reach,
    /// Columns of the driver that are the other's, in the other's order.
    pub(crate) key: Vec<usize>,
    drivers: Drivers,
    hints: Hints,
    timers: Timers,
    /// Rows to be looked at again with the next point.
    again: Vec<u32>,
    open: OpenRows,
}

/// A union of two with the same variables.
#[derive(Clone, Debug)]
pub(crate) struct Or {
    pub(crate) parts: [usize; 2],
    /// For each column of the result the right side's column.
    pub(crate) order: Vec<usize>,
    links: [Vec<u32>; 2],
    rows: Vec<[u32; 2]>,
}

/// A conjunction of two finite ones; each has variables that the other lacks.
#[derive(Clone, Debug)]
pub(crate) struct Join {
    pub(crate) parts: [usize; 2],
    /// How each side is seen; one of them at most through a window.
    pub(crate) looks: [Look; 2],
    pub(crate) keys_of: [Vec<usize>; 2],
    /// Columns of the right side that follow the left's.
    pub(crate) extra: Vec<usize>,
    keys: Rows,
    slots: Vec<[Side; 2]>,
    of: [Vec<u32>; 2],
    filing: [Filing; 2],
    /// Rows of the right side that change in this round.
    turned: Vec<bool>,
    hints: Hints,
    later: Later,
}

/// Projection, constants, comparisons, arithmetic: a row for a row, if it passes.
#[derive(Clone, Debug)]
pub(crate) struct Map {
    pub(crate) child: usize,
    pub(crate) passes: Vec<(Comparison, Expr, Expr)>,
    pub(crate) columns: Vec<Expr>,
    /// Two rows never become one.
    pub(crate) injective: bool,
    links: Vec<u32>,
    /// For each row of the result, the rows behind it; if injective the only one.
    members: Vec<Side>,
    only: Vec<u32>,
    filing: Filing,
    /// Rows of the input that have no value, and why.
    faults: BTreeMap<u32, String>,
}

/// Not linked yet, as opposed to [`NONE`]: does not pass.
const UNLINKED: u32 = u32::MAX - 1;

#[derive(Clone, Debug)]
pub(crate) struct Aggregate {
    pub(crate) child: usize,
    pub(crate) op: Aggregation,
    /// Whether the values are whole numbers.
    pub(crate) whole: bool,
    /// What an aggregation without groups says of nothing.
    pub(crate) nothing: Word,
    pub(crate) over: usize,
    pub(crate) groups: Vec<usize>,
    keys: Rows,
    slots: Vec<Group>,
    of: Vec<u32>,
    filing: Filing,
    /// By group.
    faults: BTreeMap<u32, Vec<GroupFault>>,
    scratch: Scratch,
}

/// Lists that are used again.
#[derive(Clone, Debug, Default)]
struct Scratch {
    borders: Vec<(Point, bool, Word)>,
    pieces: Vec<Piece>,
    turned: Vec<(u32, Span)>,
    words: Vec<Word>,
    one: Spans,
}

#[derive(Clone, Debug, Default)]
struct Group {
    members: Side,
    /// Row of the result by span; sorted.
    pieces: SmallVec<[Piece; 2]>,
    /// Where in a round's list of spans its last one is.
    fresh: u32,
}

/// Where a group has no value, and why.
type GroupFault = (Span, String);

type Piece = (Point, Point, u32);

/// What one round may use.
pub(crate) struct Round<'e> {
    pub(crate) spaces: &'e mut [Rows],
    pub(crate) time: &'e Timeline,
    pub(crate) pool: &'e mut Pool,
    /// Points before this round.
    pub(crate) before: Point,
    /// The first round: what holds of nothing is worked out.
    pub(crate) first: bool,
    /// Somebody may ask for points that are not settled: nothing is put off until they are.
    pub(crate) eager: bool,
}

fn grown(list: &mut Vec<u32>, index: u32, with: u32) -> &mut u32 {
    if list.len() <= index as usize {
        list.resize(index as usize + 1, with);
    }
    &mut list[index as usize]
}

fn goes_on(set: &[Span], dual: bool) -> bool {
    set.last().is_some_and(|span| span.1 == OPEN) != dual
}

/// Whether a set begins or ends somewhere among points that have not come: how far that reaches, their stamps tell.
fn turns_after(set: &[Span], n: Point) -> bool {
    set.last().is_some_and(|span| span.0 >= n || (span.1 > n && span.1 != OPEN))
}

impl Unary {
    pub(crate) fn new(child: usize, step: Step, reach: Reach, dual: bool) -> Unary {
        Unary {
            child,
            step,
            reach,
            dual,
            kept: true,
            hints: Hints::default(),
            timers: Timers::default(),
            again: Vec::new(),
            open: OpenRows::default(),
        }
    }

    fn needs_open(&self) -> bool {
        match self.step {
            Step::Not => false,
            Step::Past | Step::Future => self.reach.near > 0 && self.reach.far != FOREVER,
            Step::Previous | Step::Next => !self.reach.is_everything(),
        }
    }

    fn round(&mut self, core: &mut Core, child: &Core, round: &mut Round<'_>) {
        let time = round.time;
        if round.first {
            // Of a closed formula row 0 says all; there are no others.
            let row = if round.spaces[core.space].arity == 0 { 0 } else { NONE };
            self.open.note(row, goes_on(child.set(row), self.dual));
            self.recompute(core, child, time, row, ALL);
        }
        let n = time.len();
        // Before anything is known to end: a row that went on until now has the new distances too.
        if n > round.before && self.needs_open() && (!self.open.rows.is_empty() || self.open.default) {
            self.distances(core, child, round);
        }
        if n > round.before {
            // The clock first: a row that begins to differ from the default starts with the default as it is by now.
            let now = time.last().unwrap_or(i64::MIN);
            while let Some((stamp, row)) = self.timers.due(now) {
                let from = time.first_from(stamp, &mut self.hints.d);
                let last = child.set(row).last().map(|span| time.stamp((span.1.min(n) - 1).max(time.base())));
                if self.is_plain(core) && last.is_some_and(|last| last.saturating_add(self.reach.far) < stamp) {
                    core.settle(row, (from, OPEN), &[]);
                    continue;
                }
                self.recompute(core, child, time, row, (from, OPEN));
            }
            for row in std::mem::take(&mut self.again) {
                self.changed(core, child, time, row, (round.before.saturating_sub(1), OPEN));
            }
        }
        for change in &child.changes {
            self.changed(core, child, time, change.row, change.span);
        }
    }

    /// What the distances of new points change for rows that go on.
    fn distances(&mut self, core: &mut Core, child: &Core, round: &mut Round<'_>) {
        let time = round.time;
        for point in round.before.max(1)..time.len() {
            let gap = time.stamp(point) - time.stamp(point - 1);
            let within = match self.step {
                Step::Past if self.reach.leaves_holes(gap) => {
                    let stamp = time.stamp(point - 1).saturating_add(self.reach.far).saturating_add(1);
                    for row in self.open.all() {
                        self.timers.set(row, stamp);
                    }
                    continue;
                }
                Step::Future if self.reach.leaves_holes(gap) => {
                    let from = time.first_after(time.stamp(point - 1) - self.reach.near, &mut self.hints.d);
                    (from, back(time, point, self.reach.far, &mut self.hints.d))
                }
                Step::Previous if !self.reach.has(gap) => (point, point + 1),
                Step::Next if !self.reach.has(gap) => (point - 1, point),
                _ => continue,
            };
            for row in self.open.all() {
                self.recompute(core, child, time, row, within);
            }
        }
    }

    /// ONCE[0,t] of what facts gave: the most frequent, and the least work.
    fn is_plain(&self, core: &Core) -> bool {
        self.step == Step::Past && self.reach.near == 0 && self.reach.far != FOREVER && !self.dual && !core.open_ended
    }

    fn changed(&mut self, core: &mut Core, child: &Core, time: &Timeline, row: u32, (low, high): Span) {
        if high - low == 1 && high <= time.len() && self.is_plain(core) {
            let set = child.set(row);
            if contains(set, low) && !turns_after(set, time.len()) {
                // It holds from there on as far as the window goes, whatever else there is.
                let end = beyond(time, low, self.reach.far, &mut self.hints.high);
                let end = if end < time.len() { end } else { OPEN };
                if end == OPEN {
                    self.timers.set(row, time.stamp(low).saturating_add(self.reach.far).saturating_add(1));
                }
                return core.settle(row, (low, end), &[(low, end)]);
            }
        }
        if self.needs_open() {
            self.open.note(row, goes_on(child.set(row), self.dual));
        }
        let n = time.len();
        let within = match self.step {
            Step::Not => (low, high),
            Step::Past => {
                let from = if self.reach.near == 0 || low >= n {
                    low
                } else {
                    let begins = time.stamp(low).saturating_add(self.reach.near);
                    // What was taken to go on ended before.
                    let ended = match low.checked_sub(1) {
                        Some(before) if self.reach.far != FOREVER => {
                            time.stamp(before).saturating_add(self.reach.far).saturating_add(1)
                        }
                        _ => i64::MAX,
                    };
                    let stamp = begins.min(ended);
                    let from = time.first_from(stamp, &mut self.hints.low);
                    if from >= n {
                        self.timers.set(row, stamp);
                    }
                    from
                };
                let to = if high >= n { OPEN } else { beyond(time, high - 1, self.reach.far, &mut self.hints.high) };
                (from, if to >= n { OPEN } else { to })
            }
            Step::Future => {
                let mut from = if low >= n { low } else { back(time, low, self.reach.far, &mut self.hints.low) };
                if self.reach.near > 0 && low > 0 && low <= n {
                    let stamp = time.stamp(low - 1).saturating_sub(self.reach.near);
                    from = from.min(time.first_after(stamp, &mut self.hints.b));
                }
                (from, high)
            }
            Step::Previous => (low.saturating_add(1), high.saturating_add(1)),
            Step::Next => (low.saturating_sub(1), if high == OPEN { OPEN } else { high - 1 }),
        };
        self.recompute(core, child, time, row, within);
    }

    fn recompute(&mut self, core: &mut Core, child: &Core, time: &Timeline, row: u32, within: Span) {
        // From now on the row waits for its own sake.
        let within = if core.is_untouched(row) { (within.0, OPEN) } else { within };
        if within.0 >= within.1 {
            return;
        }
        let mut new = Spans::new();
        let set = child.set(row);
        let n = time.len();
        // The dual reads what is not, as far as the window can see.
        let mut turned = Spans::new();
        let set = if self.dual {
            let from = match self.step {
                Step::Past if n > 0 => back(time, within.0.min(n - 1), self.reach.far, &mut self.hints.a),
                _ => within.0.saturating_sub(1),
            };
            clip_not(set, (from.min(within.0), OPEN), &mut turned);
            &turned[..]
        } else {
            set
        };
        if self.step != Step::Not && turns_after(set, n) && !self.again.contains(&row) {
            self.again.push(row);
        }
        match self.step {
            Step::Not => clip_not(set, within, &mut new),
            Step::Past => {
                let due = past(set, self.reach, within, time, &mut self.hints, &mut new);
                self.timers.set(row, due);
            }
            Step::Future => future(set, self.reach, within, time, &mut self.hints, &mut new),
            Step::Previous => {
                let mut all = Spans::new();
                for &(low, high) in &set[seek(set, within.0.saturating_sub(1))..] {
                    if low.saturating_add(1) >= within.1 {
                        break;
                    }
                    let end = match high {
                        OPEN => OPEN,
                        // The point after it has not come yet.
                        high if high >= n => {
                            if !self.again.contains(&row) {
                                self.again.push(row);
                            }
                            n
                        }
                        high => high + 1,
                    };
                    push(&mut all, (low + 1, end));
                }
                self.near_enough(&all, within, time, &mut new, |point| (point >= 1).then(|| point - 1));
            }
            Step::Next => {
                let mut all = Spans::new();
                for &(low, high) in &set[seek(set, within.0)..] {
                    if low.saturating_sub(1) >= within.1 {
                        break;
                    }
                    push(&mut all, (low.saturating_sub(1), if high == OPEN { OPEN } else { high - 1 }));
                }
                self.near_enough(&all, within, time, &mut new, Some);
            }
        }
        if self.dual {
            let mut not = Spans::new();
            clip_not(&new, within, &mut not);
            new = not;
        }
        core.settle(row, within, &new);
    }

    /// Of `all` inside `within`, the points whose gap is in reach: the gap after the point that `before` gives.
    fn near_enough(
        &self,
        all: &[Span],
        within: Span,
        time: &Timeline,
        new: &mut Spans,
        before: impl Fn(Point) -> Option<Point>,
    ) {
        let n = time.len();
        let mut inside = Spans::new();
        clip(all, within, &mut inside);
        let shifted = before(1) == Some(0);
        for (low, high) in inside {
            let low = if shifted { low.max(1) } else { low };
            if self.reach.is_everything() {
                push(new, (low, high));
                continue;
            }
            let mut from = low;
            for point in low..high.min(n) {
                let far_off = match before(point) {
                    Some(p) if p < time.base() => true,
                    Some(p) if p + 1 < n => !self.reach.has(time.stamp(p + 1) - time.stamp(p)),
                    // The gap is not known yet.
                    Some(_) => false,
                    None => true,
                };
                if far_off {
                    push(new, (from, point));
                    from = point + 1;
                }
            }
            push(new, (from, high));
        }
    }
}

impl Test {
    pub(crate) fn new(other: usize, negated: bool, look: Look, key: Vec<usize>) -> Test {
        Test { other, negated, look, key, drivers: Drivers::default() }
    }
}

impl Guard {
    pub(crate) fn new(driver: usize, tests: Vec<Test>) -> Guard {
        Guard { driver, hints: vec![Hints::default(); tests.len()], tests, later: Later::default() }
    }

    fn round(&mut self, core: &mut Core, driver: &Core, others: &[&Core], round: &mut Round<'_>) {
        let (done, until) = self.later.until(self.tests.iter().map(|test| test.look), round);
        if round.first && round.spaces[driver.space].arity == 0 {
            self.changed(core, driver, others, Change { row: 0, span: ALL }, done, round);
        }
        for (i, other) in others.iter().enumerate() {
            for change in &other.changes {
                if change.row != NONE {
                    self.other_changed(core, driver, others, i, *change, done, round.time);
                    continue;
                }
                for row in 0..self.tests[i].drivers.of_other.len() as u32 {
                    if other.is_untouched(row) {
                        self.other_changed(core, driver, others, i, Change { row, ..*change }, done, round.time);
                    }
                }
            }
        }
        for change in &driver.changes {
            // A driver is finite, or closed: then row 0 says all.
            if change.row != NONE {
                self.changed(core, driver, others, *change, done, round);
            }
        }
        while let Some((point, rows)) = self.later.take(until) {
            for &row in rows {
                let within = (point, point + 1);
                recheck(core, row, driver.set(row), &self.tests, others, within, round.time, &mut self.hints);
            }
        }
    }

    fn changed(
        &mut self,
        core: &mut Core,
        driver: &Core,
        others: &[&Core],
        Change { row, span }: Change,
        done: Point,
        round: &mut Round<'_>,
    ) {
        for (test, other) in self.tests.iter_mut().zip(others) {
            test.drivers.link(&test.key, round.spaces, row, driver, other);
        }
        let now = if done == OPEN { span } else { self.later.split(row, span, done) };
        recheck(core, row, driver.set(row), &self.tests, others, now, round.time, &mut self.hints);
    }

    #[allow(clippy::too_many_arguments)] // What it reads is lent apart, as with `recheck`.
    fn other_changed(
        &mut self,
        core: &mut Core,
        driver: &Core,
        others: &[&Core],
        i: usize,
        change: Change,
        done: Point,
        time: &Timeline,
    ) {
        let test = &self.tests[i];
        if test.drivers.of_other.get(change.row as usize).is_none_or(Side::is_empty) {
            return;
        }
        let (low, high) = test.look.reach(change.span, time, &mut self.hints[i]);
        let span = (low, high.min(done));
        if span.0 >= span.1 {
            return;
        }
        for row in test.drivers.near(change.row, span) {
            // Where the driver itself changed, that tells what is to be done.
            let set = driver.set(row);
            let (low, high) = hull(set).unwrap_or((OPEN, 0));
            let within = (span.0.max(low), span.1.min(high));
            recheck(core, row, set, &self.tests, others, within, time, &mut self.hints);
        }
    }
}

/// Where a row of the driver passes the tests.
#[allow(clippy::too_many_arguments)] // The operator's own parts and what it reads, apart so that they can be lent apart.
fn recheck(
    core: &mut Core,
    row: u32,
    set: &[Span],
    tests: &[Test],
    others: &[&Core],
    within: Span,
    time: &Timeline,
    hints: &mut [Hints],
) {
    if within.0 >= within.1 {
        return;
    }
    let tests = tests.iter().zip(others).zip(hints).map(|((test, other), hints)| {
        let with = test.drivers.of_driver[row as usize];
        (test, other.set(with), hints)
    });
    if within.1 - within.0 == 1 {
        let mut passes = tests.map(|(test, with, hints)| test.look.sees(with, within.0, time, hints) != test.negated);
        let holds = contains(set, within.0) && passes.all(|passes| passes);
        return core.settle(row, within, if holds { std::slice::from_ref(&within) } else { &[] });
    }
    let mut new = Spans::new();
    clip(set, within, &mut new);
    for (test, with, hints) in tests {
        if new.is_empty() {
            break;
        }
        let (mut seen, mut lacks) = (Spans::new(), Spans::new());
        test.look.part(with, within, time, hints, &mut seen);
        if test.negated {
            clip_not(&seen, within, &mut lacks);
            seen = lacks;
        }
        let all = std::mem::take(&mut new);
        both(&all, &seen, &mut new);
    }
    core.settle(row, within, &new);
}

impl Zip {
    pub(crate) fn new(
        pairing: Pairing,
        driver: usize,
        other: usize,
        negated: bool,
        reach: Reach,
        key: Vec<usize>,
    ) -> Zip {
        Zip {
            pairing,
            driver,
            other,
            negated,
            reach,
            key,
            drivers: Drivers::default(),
            hints: Hints::default(),
            timers: Timers::default(),
            again: Vec::new(),
            open: OpenRows::default(),
        }
    }

    fn waits(&self) -> bool {
        self.pairing == Pairing::Since && self.reach.near > 0 && self.reach.far != FOREVER
            || self.pairing == Pairing::Until && self.reach.near > 0
    }

    fn link(&mut self, spaces: &mut [Rows], row: u32, driver: &Core, other: &Core) -> u32 {
        self.drivers.link(&self.key, spaces, row, driver, other)
    }

    fn round(&mut self, core: &mut Core, driver: &Core, other: &Core, round: &mut Round<'_>) {
        let time = round.time;
        if round.first && round.spaces[driver.space].arity == 0 {
            let with = self.link(round.spaces, 0, driver, other);
            self.recompute(core, driver, other, time, 0, with, ALL);
        }
        // Before anything is known to end: a row that went on until now has the new distances too.
        if time.len() > round.before && self.waits() && !self.open.rows.is_empty() {
            self.distances(core, driver, other, round);
        }
        // The other side first, while drivers are filed as they were: one that goes with it is still found.
        for change in &other.changes {
            if change.row != NONE {
                self.other_changed(core, driver, other, time, change.row, change.span);
                continue;
            }
            for with in 0..self.drivers.of_other.len() as u32 {
                if other.is_untouched(with) {
                    self.other_changed(core, driver, other, time, with, change.span);
                }
            }
        }
        for change in &driver.changes {
            if change.row == NONE {
                continue; // A driver is finite, or closed: then row 0 says all.
            }
            let with = self.link(round.spaces, change.row, driver, other);
            let set = driver.set(change.row);
            if self.waits() {
                self.open.note(change.row, goes_on(set, false));
            }
            let within = self.affected(time, other.set(with), change.span, true);
            self.recompute(core, driver, other, time, change.row, with, within);
        }
        if time.len() > round.before {
            for row in std::mem::take(&mut self.again) {
                let with = self.link(round.spaces, row, driver, other);
                let since = round.before.saturating_sub(1);
                let within = self.affected(time, other.set(with), (since, OPEN), true);
                self.recompute(core, driver, other, time, row, with, within);
            }
            let Some(now) = time.last() else { return };
            while let Some((stamp, row)) = self.timers.due(now) {
                let from = time.first_from(stamp, &mut self.hints.d);
                let with = self.link(round.spaces, row, driver, other);
                self.recompute(core, driver, other, time, row, with, (from, OPEN));
            }
        }
    }

    fn distances(&mut self, core: &mut Core, driver: &Core, other: &Core, round: &mut Round<'_>) {
        let time = round.time;
        for point in round.before.max(1)..time.len() {
            if !self.reach.leaves_holes(time.stamp(point) - time.stamp(point - 1)) {
                continue;
            }
            for row in self.open.all() {
                if self.pairing == Pairing::Since {
                    let stamp = time.stamp(point - 1).saturating_add(self.reach.far).saturating_add(1);
                    self.timers.set(row, stamp);
                } else {
                    let from = time.first_after(time.stamp(point - 1) - self.reach.near, &mut self.hints.d);
                    let to = back(time, point, self.reach.far, &mut self.hints.d);
                    let with = self.drivers.of_driver[row as usize];
                    self.recompute(core, driver, other, time, row, with, (from, to));
                }
            }
        }
    }

    fn other_changed(&mut self, core: &mut Core, driver: &Core, other: &Core, time: &Timeline, with: u32, span: Span) {
        if self.drivers.of_other.get(with as usize).is_none_or(Side::is_empty) {
            return;
        }
        let within = self.affected(time, other.set(with), span, false);
        // A driver may hold outside of what it reaches.
        let seen = match self.pairing {
            Pairing::Since => (0, within.1),
            Pairing::Until => (within.0, OPEN),
        };
        let rows: SmallVec<[u32; 8]> = self.drivers.near(with, seen).collect();
        for row in rows {
            self.recompute(core, driver, other, time, row, with, within);
        }
    }

    /// How far a change of one side can reach, the other side being `other`.
    fn affected(&mut self, time: &Timeline, other: &[Span], (low, high): Span, of_driver: bool) -> Span {
        let n = time.len();
        // Interval of the other side (as negated) that holds a point.
        let run_at = |point: Point| -> Option<Span> {
            if !self.negated {
                return run(other, point);
            }
            let at = seek(other, point);
            if other.get(at).is_some_and(|span| span.0 <= point) {
                return None;
            }
            let from = at.checked_sub(1).map_or(0, |before| other[before].1);
            Some((from, other.get(at).map_or(OPEN, |span| span.0)))
        };
        match self.pairing {
            Pairing::Since => {
                if high >= n {
                    return (low, OPEN);
                }
                let to = match run_at(high) {
                    None => high,
                    Some(run) => run.1.min(match beyond(time, high - 1, self.reach.far, &mut self.hints.b) {
                        to if to >= n => OPEN,
                        to => to.max(high),
                    }),
                };
                (low, to)
            }
            Pairing::Until => {
                let from = match low.checked_sub(1).and_then(run_at) {
                    None => low,
                    Some(run) if low < n => run.0.max(back(time, low, self.reach.far, &mut self.hints.a)).min(low),
                    Some(run) => run.0.min(low),
                };
                // What was taken to go on may have kept earlier points true.
                let from = if self.reach.near > 0 && of_driver && low > 0 && low <= n {
                    let stamp = time.stamp(low - 1).saturating_sub(self.reach.near);
                    from.min(time.first_after(stamp, &mut self.hints.b))
                } else {
                    from
                };
                (from, high)
            }
        }
    }

    #[allow(clippy::too_many_arguments)] // The operator's own parts and what it reads, apart so that they can be lent apart.
    fn recompute(
        &mut self,
        core: &mut Core,
        driver: &Core,
        other: &Core,
        time: &Timeline,
        row: u32,
        with: u32,
        within: Span,
    ) {
        if within.0 >= within.1 {
            return;
        }
        let set = driver.set(row);
        let with = other.set(with);
        let n = time.len();
        let mut runs = Spans::new();
        // Runs that meet the span, whole.
        let wide = if n > 0 && self.pairing == Pairing::Since {
            back(time, within.0.min(n - 1), self.reach.far, &mut self.hints.a).min(within.0)
        } else {
            within.0
        };
        if self.negated {
            clip_not(with, (wide, OPEN), &mut runs)
        } else {
            clip(with, (wide, OPEN), &mut runs)
        }
        // A run that ends with the log may reach the next point.
        let reaches = self.pairing == Pairing::Until && runs.iter().any(|span| span.1 == n) && goes_on(set, false);
        if (reaches || turns_after(set, n) || turns_after(&runs, n)) && !self.again.contains(&row) {
            self.again.push(row);
        }
        let (mut new, mut piece, mut part) = (Spans::new(), Spans::new(), Spans::new());
        for &(low, high) in runs.iter().filter(|span| span.1 > within.0).take_while(|span| span.0 < within.1) {
            piece.clear();
            part.clear();
            let inside = (low.max(within.0), high.min(within.1));
            if self.pairing == Pairing::Since {
                clip(set, (low.saturating_sub(1), high), &mut piece);
                let due = past(&piece, self.reach, inside, time, &mut self.hints, &mut part);
                self.timers.set(row, due);
            } else {
                clip(set, (low, high.saturating_add(1)), &mut piece);
                future(&piece, self.reach, inside, time, &mut self.hints, &mut part);
            }
            part.iter().for_each(|&span| push(&mut new, span));
        }
        if self.reach.near == 0 {
            let (mut own, mut all) = (Spans::new(), Spans::new());
            clip(set, within, &mut own);
            either(&own, &new, &mut all);
            new = all;
        }
        core.settle(row, within, &new);
    }
}

impl Or {
    pub(crate) fn new(parts: [usize; 2], order: Vec<usize>) -> Or {
        Or { parts, order, links: [Vec::new(), Vec::new()], rows: Vec::new() }
    }

    fn link(&mut self, round: &mut Round<'_>, space: usize, from: usize, side: usize, row: u32) -> u32 {
        let known = *grown(&mut self.links[side], row, NONE);
        if known != NONE {
            return known;
        }
        let words = round.spaces[from].row(row);
        let key: SmallVec<[Word; 8]> = match side {
            0 => SmallVec::from_slice(words),
            _ => self.order.iter().map(|&i| words[i]).collect(),
        };
        let out = round.spaces[space].intern(&key);
        self.links[side][row as usize] = out;
        if self.rows.len() <= out as usize {
            self.rows.resize(out as usize + 1, [NONE; 2]);
        }
        self.rows[out as usize][side] = row;
        out
    }

    fn round(&mut self, core: &mut Core, sides: [&Core; 2], round: &mut Round<'_>) {
        if round.first {
            if core_arity(round, core) == 0 {
                for (side, from) in sides.iter().enumerate() {
                    self.link(round, core.space, from.space, side, 0);
                }
                self.recompute(core, sides, 0, ALL);
            } else {
                self.recompute(core, sides, NONE, ALL);
            }
        }
        for (side, from) in sides.iter().enumerate() {
            for change in &from.changes {
                if change.row != NONE {
                    let out = self.link(round, core.space, from.space, side, change.row);
                    self.recompute(core, sides, out, change.span);
                    continue;
                }
                self.recompute(core, sides, NONE, change.span);
                for out in 0..self.rows.len() as u32 {
                    if self.rows[out as usize][side] == NONE && self.rows[out as usize] != [NONE; 2] {
                        self.recompute(core, sides, out, change.span);
                    }
                }
            }
        }
    }

    fn recompute(&mut self, core: &mut Core, sides: [&Core; 2], out: u32, within: Span) {
        let rows = if out == NONE { [NONE; 2] } else { self.rows[out as usize] };
        let (mut a, mut b, mut new) = (Spans::new(), Spans::new(), Spans::new());
        clip(sides[0].set(rows[0]), within, &mut a);
        clip(sides[1].set(rows[1]), within, &mut b);
        either(&a, &b, &mut new);
        core.settle(out, within, &new);
    }
}

fn core_arity(round: &Round<'_>, core: &Core) -> usize {
    round.spaces[core.space].arity
}

impl Join {
    pub(crate) fn new(parts: [usize; 2], looks: [Look; 2], keys_of: [Vec<usize>; 2], extra: Vec<usize>) -> Join {
        Join {
            parts,
            looks,
            keys: Rows::new(keys_of[0].len()),
            keys_of,
            extra,
            slots: Vec::new(),
            of: [Vec::new(), Vec::new()],
            filing: [Filing::default(), Filing::default()],
            turned: Vec::new(),
            hints: Hints::default(),
            later: Later::default(),
        }
    }

    fn round(&mut self, core: &mut Core, sides: [&Core; 2], round: &mut Round<'_>) {
        for row in sides[1].changes.iter().map(|change| change.row as usize) {
            if self.turned.len() <= row {
                self.turned.resize(row + 1, false);
            }
            self.turned[row] = true;
        }
        let (done, until) = self.later.until(self.looks.into_iter(), round);
        // The left side is met with the right as it was filed, so that a pair that goes together is found; then the right
        // side with the left as it is.
        self.meet(core, sides, 0, done, round);
        for change in &sides[1].changes {
            self.turned[change.row as usize] = false;
        }
        self.meet(core, sides, 1, done, round);
        let momentary = usize::from(self.looks[0] != Look::Plain);
        let mut later = std::mem::take(&mut self.later);
        while let Some((point, rows)) = later.take(until) {
            for &row in rows {
                self.pair(core, sides, momentary, row, (point, point + 1), round);
            }
        }
        self.later = later;
    }

    fn meet(&mut self, core: &mut Core, sides: [&Core; 2], side: usize, done: Point, round: &mut Round<'_>) {
        let from = sides[side];
        for change in &from.changes {
            let slot = match *grown(&mut self.of[side], change.row, NONE) {
                NONE => {
                    let words = round.spaces[from.space].row(change.row);
                    let slot = self.keys.intern_columns(words, &self.keys_of[side]);
                    if slot as usize >= self.slots.len() {
                        self.slots.push([Side::default(), Side::default()]);
                    }
                    self.of[side][change.row as usize] = slot;
                    slot
                }
                slot => slot,
            };
            let filing = &mut self.filing[side];
            self.slots[slot as usize][side].file(filing, change.row, hull(from.set(change.row)));
        }
        for &Change { row, span } in &from.changes {
            let (low, high) = self.looks[side].reach(span, round.time, &mut self.hints);
            let now = match self.looks[1 - side] {
                Look::Ahead(_) if done != OPEN => self.later.split(row, span, done),
                _ => (low, high.min(done)),
            };
            self.pair(core, sides, side, row, now, round);
        }
    }

    /// What a row of one side and those of the other have in common on a span.
    fn pair(&mut self, core: &mut Core, sides: [&Core; 2], side: usize, own: u32, span: Span, round: &mut Round<'_>) {
        // A row that was put off may be gone by now.
        let Some(slot) = self.slots.get(self.of[side][own as usize] as usize) else { return };
        let others = &slot[1 - side];
        if span.0 >= span.1 || others.is_empty() {
            return;
        }
        let (from, against) = (sides[side], sides[1 - side]);
        let [look, look_against] = [self.looks[side], self.looks[1 - side]];
        let (mut a, mut b, mut new) = (Spans::new(), Spans::new(), Spans::new());
        for row in others.near(look_against.source(span, round.time, &mut self.hints)) {
            let turned = side == 0 && self.turned.get(row as usize) == Some(&true);
            // A window reaches far, a row that is momentary does not.
            let within = if look == Look::Plain || turned {
                span
            } else {
                let (low, high) = self.filing[1 - side].hull(row);
                (span.0.max(low), span.1.min(high))
            };
            if within.0 >= within.1 {
                continue;
            }
            a.clear();
            look_against.part(against.set(row), within, round.time, &mut self.hints, &mut a);
            if a.is_empty() && !turned {
                continue;
            }
            let pair = if side == 0 { [own, row] } else { [row, own] };
            let left = round.spaces[sides[0].space].row(pair[0]);
            let mut words: SmallVec<[Word; 8]> = SmallVec::from_slice(left);
            let right = round.spaces[sides[1].space].row(pair[1]);
            words.extend(self.extra.iter().map(|&i| right[i]));
            b.clear();
            new.clear();
            look.part(from.set(own), within, round.time, &mut self.hints, &mut b);
            both(&a, &b, &mut new);
            let space = &mut round.spaces[core.space];
            let known = if new.is_empty() { space.find(&words) } else { Some(space.intern(&words)) };
            let Some(out) = known else { continue };
            core.settle(out, within, &new);
        }
    }
}

impl Map {
    pub(crate) fn new(child: usize, arity: usize, passes: Vec<(Comparison, Expr, Expr)>, columns: Vec<Expr>) -> Map {
        let injective = (0..arity).all(|i| columns.contains(&Expr::Column(i)));
        Map {
            child,
            passes,
            columns,
            injective,
            links: Vec::new(),
            members: Vec::new(),
            only: Vec::new(),
            filing: Filing::default(),
            faults: BTreeMap::new(),
        }
    }

    fn link(&mut self, space: usize, from: usize, row: u32, round: &mut Round<'_>) -> u32 {
        let known = *grown(&mut self.links, row, UNLINKED);
        if known != UNLINKED {
            return known;
        }
        let words: SmallVec<[Word; 8]> = SmallVec::from_slice(round.spaces[from].row(row));
        let out = match self.image(&words, round.pool) {
            Ok(Some(columns)) => {
                let out = round.spaces[space].intern(&columns);
                if self.injective {
                    *grown(&mut self.only, out, NONE) = row;
                } else if self.members.len() <= out as usize {
                    self.members.resize_with(out as usize + 1, Side::default);
                }
                out
            }
            Ok(None) => NONE,
            Err(fault) => {
                self.faults.insert(row, fault);
                NONE
            }
        };
        self.links[row as usize] = out;
        out
    }

    fn image(&self, words: &[Word], pool: &mut Pool) -> Result<Option<SmallVec<[Word; 8]>>, String> {
        for (op, left, right) in &self.passes {
            let (left, right) = (left.value(words, pool)?, right.value(words, pool)?);
            if !holds(*op, pool.order(left, right)) {
                return Ok(None);
            }
        }
        self.columns.iter().map(|column| column.value(words, pool)).collect::<Result<_, _>>().map(Some)
    }

    fn round(&mut self, core: &mut Core, child: &Core, round: &mut Round<'_>) {
        if round.first {
            if round.spaces[child.space].arity == 0 {
                self.link(core.space, child.space, 0, round);
                self.changed(core, child, 0, ALL, round);
            }
            if core.open_ended && round.spaces[child.space].arity > 0 {
                self.recompute(core, child, NONE, NONE, ALL);
            }
        }
        for change in &child.changes {
            if change.row == NONE {
                // Of a closed formula row 0 says all.
                if core.open_ended && round.spaces[child.space].arity > 0 {
                    self.recompute(core, child, NONE, NONE, change.span);
                }
            } else {
                self.changed(core, child, change.row, change.span, round);
            }
        }
    }

    fn changed(&mut self, core: &mut Core, child: &Core, row: u32, span: Span, round: &mut Round<'_>) {
        let out = self.link(core.space, child.space, row, round);
        if out == NONE {
            return;
        }
        if !self.injective {
            self.members[out as usize].file(&mut self.filing, row, hull(child.set(row)));
        }
        self.recompute(core, child, row, out, span);
    }

    fn recompute(&mut self, core: &mut Core, child: &Core, row: u32, out: u32, within: Span) {
        let mut new = Spans::new();
        if self.injective || out == NONE {
            clip(child.set(row), within, &mut new);
        } else {
            let (mut one, mut all) = (Spans::new(), Spans::new());
            for member in self.members[out as usize].near(within) {
                one.clear();
                clip(child.set(member), within, &mut one);
                if one.first() == Some(&within) {
                    return core.settle(out, within, &one);
                }
                if !one.is_empty() {
                    all.clear();
                    either(&one, &new, &mut all);
                    std::mem::swap(&mut all, &mut new);
                }
            }
        }
        core.settle(out, within, &new);
    }
}

impl Aggregate {
    pub(crate) fn new(
        child: usize,
        op: Aggregation,
        whole: bool,
        nothing: Word,
        over: usize,
        groups: Vec<usize>,
    ) -> Aggregate {
        Aggregate {
            child,
            op,
            whole,
            nothing,
            over,
            keys: Rows::new(groups.len()),
            groups,
            slots: Vec::new(),
            of: Vec::new(),
            filing: Filing::default(),
            faults: BTreeMap::new(),
            scratch: Scratch::default(),
        }
    }

    /// The group of a row.
    fn slot(&mut self, words: &[Word]) -> u32 {
        let slot = self.keys.intern_columns(words, &self.groups);
        if slot as usize >= self.slots.len() {
            self.slots.push(Group::default());
        }
        slot
    }

    fn round(&mut self, core: &mut Core, child: &Core, round: &mut Round<'_>) {
        // Each group's last span stands in `fresh`; spans that touch are taken together.
        let mut spans: Vec<(u32, Span)> = Vec::with_capacity(child.changes.len());
        if round.first && self.groups.is_empty() {
            let slot = self.slot(&[]);
            spans.push((slot, ALL));
        }
        for change in &child.changes {
            let slot = match *grown(&mut self.of, change.row, NONE) {
                NONE => {
                    let slot = self.slot(round.spaces[child.space].row(change.row));
                    self.of[change.row as usize] = slot;
                    slot
                }
                slot => slot,
            };
            let members = &mut self.slots[slot as usize].members;
            members.file(&mut self.filing, change.row, hull(child.set(change.row)));
            let group = &mut self.slots[slot as usize];
            match spans.get_mut(group.fresh as usize) {
                Some((of, span)) if *of == slot && span.0 <= change.span.1 && change.span.0 <= span.1 => {
                    *span = (span.0.min(change.span.0), span.1.max(change.span.1));
                }
                _ => {
                    group.fresh = spans.len() as u32;
                    spans.push((slot, change.span));
                }
            }
        }
        for (slot, span) in spans {
            self.recompute(core, child, slot, span, round);
        }
    }

    fn recompute(&mut self, core: &mut Core, child: &Core, slot: u32, within: Span, round: &mut Round<'_>) {
        let Scratch { borders, pieces, turned, words, one } = &mut self.scratch;
        let group = &mut self.slots[slot as usize];
        // Borders at which members come and go.
        borders.clear();
        for row in group.members.near(within) {
            one.clear();
            clip(child.set(row), within, one);
            let value = round.spaces[child.space].row(row)[self.over];
            for &(low, high) in one.iter() {
                borders.push((low, true, value));
                if high < within.1 {
                    borders.push((high, false, value));
                }
            }
        }
        if borders.len() > 1 {
            borders.sort_unstable_by_key(|&(point, comes, value)| (point, comes, value.bits()));
        }
        words.clear();
        words.push(self.nothing);
        words.extend_from_slice(self.keys.row(slot));
        pieces.clear();
        let mut sum = Summary::new(self.op, self.whole);
        let mut faults: Vec<GroupFault> = Vec::new();
        let mut from = within.0;
        let mut i = 0;
        while from < within.1 {
            while i < borders.len() && borders[i].0 == from {
                sum.note(borders[i].2, borders[i].1, round.pool);
                i += 1;
            }
            let to = borders.get(i).map_or(within.1, |border| border.0);
            let value = match sum.value(round.pool) {
                Ok(None) if self.groups.is_empty() => Some(self.nothing),
                Ok(value) => value,
                Err(fault) => {
                    faults.push(((from, to), fault));
                    None
                }
            };
            if let Some(value) = value {
                words[0] = value;
                let row = round.spaces[core.space].intern(words);
                match pieces.last_mut() {
                    Some(last) if last.2 == row && last.1 == from => last.1 = to,
                    _ => pieces.push((from, to, row)),
                }
            }
            from = to;
        }
        without_value(&mut self.faults, slot, within, faults);
        // Rows that were or are there on the span.
        let old = &mut group.pieces;
        let first = old.partition_point(|piece| piece.1 <= within.0);
        let end = first + old[first..].iter().take_while(|piece| piece.0 < within.1).count();
        // Mostly one value comes, goes or takes the place of another, up to the end.
        let overlaps = |piece: &Piece| piece.0 < within.1 && piece.1 <= within.1;
        let settle = |core: &mut Core, piece: &Piece| core.settle(piece.2, within, &[(piece.0, piece.1)]);
        match (&pieces[..], &old[first..]) {
            ([], []) => return,
            ([new], []) => {
                old.push(*new);
                return settle(core, new);
            }
            (new @ ([] | [_]), &[last]) if overlaps(&last) && new.first().is_none_or(|new| new.2 != last.2) => {
                old.truncate(first);
                if last.0 < within.0 {
                    old.push((last.0, within.0, last.2));
                }
                old.extend(new.iter().copied());
                core.settle(last.2, within, &[]);
                return new.iter().for_each(|new| settle(core, new));
            }
            _ => {}
        }
        turned.clear();
        turned.extend(old[first..end].iter().map(|piece| (piece.2, (0, 0))));
        turned.extend(pieces.iter().map(|piece| (piece.2, (piece.0, piece.1))));
        turned.sort_unstable();
        for of_row in turned.chunk_by(|a, b| a.0 == b.0) {
            one.clear();
            of_row.iter().for_each(|&(_, span)| push(one, span));
            core.settle(of_row[0].0, within, one);
        }
        // What the pieces on the borders have outside of the span stays.
        if let Some(&(low, _, row)) = old[first..end].first().filter(|piece| piece.0 < within.0) {
            match pieces.first_mut().filter(|next| next.2 == row && next.0 == within.0) {
                Some(next) => next.0 = low,
                None => pieces.insert(0, (low, within.0, row)),
            }
        }
        if let Some(&(_, high, row)) = old[first..end].last().filter(|piece| piece.1 > within.1) {
            match pieces.last_mut().filter(|last| last.2 == row && last.1 == within.1) {
                Some(last) => last.1 = high,
                None => pieces.push((within.1, high, row)),
            }
        }
        let kept = pieces.len().min(end - first);
        old[first..first + kept].copy_from_slice(&pieces[..kept]);
        if kept < pieces.len() {
            old.insert_many(end, pieces[kept..].iter().copied());
        } else if first + kept < end {
            old.drain(first + kept..end);
        }
    }
}

/// Says where a group has no value, inside a span.
fn without_value(faults: &mut BTreeMap<u32, Vec<GroupFault>>, slot: u32, within: Span, new: Vec<GroupFault>) {
    if new.is_empty() && faults.is_empty() {
        return;
    }
    let mut kept = new;
    for ((low, high), why) in faults.remove(&slot).unwrap_or_default() {
        let outside = [(low, high.min(within.0)), (low.max(within.1), high)];
        kept.extend(outside.into_iter().filter(|span| span.0 < span.1).map(|span| (span, why.clone())));
    }
    if !kept.is_empty() {
        faults.insert(slot, kept);
    }
}

/// Values of a group, as they come and go.
struct Summary {
    op: Aggregation,
    whole: bool,
    count: i128,
    /// The sum of whole numbers that are small, so few that it fits.
    small: i128,
    /// The sum of the others as `over * 2^64 + under`, so that what it is on the way never matters.
    over: i128,
    under: i128,
    /// The sum of fractions, as long as it fits.
    sum: Option<Ratio>,
    /// Sorted, for those that need the order, and for fractions.
    values: Vec<Word>,
}

impl Summary {
    fn new(op: Aggregation, whole: bool) -> Summary {
        Summary { op, whole, count: 0, small: 0, over: 0, under: 0, sum: Some(Ratio::whole(0)), values: Vec::new() }
    }

    fn note(&mut self, word: Word, comes: bool, pool: &Pool) {
        let sign = if comes { 1 } else { -1 };
        self.count += sign;
        match self.op {
            Aggregation::Count => return,
            Aggregation::Sum | Aggregation::Average => {
                if let (Some(number), true) = (word.as_small(), self.whole) {
                    self.small += sign * i128::from(number);
                    return;
                }
                let value = pool.ratio(word).unwrap_or(Ratio::whole(0));
                if self.whole {
                    self.over += sign * (value.over() >> 64);
                    self.under += sign * (value.over() & i128::from(u64::MAX));
                    return;
                }
                self.sum = self.sum.and_then(|sum| if comes { sum.plus(value) } else { sum.minus(value) });
            }
            Aggregation::Min | Aggregation::Max | Aggregation::Median => {}
        }
        let at = self.values.partition_point(|&other| pool.order(other, word) == std::cmp::Ordering::Less);
        if comes {
            self.values.insert(at, word);
        } else if self.values.get(at) == Some(&word) {
            self.values.remove(at);
        }
    }

    /// `None` if it does not fit.
    fn total(&self, pool: &Pool) -> Option<Ratio> {
        if self.whole {
            if (self.over, self.under) == (0, 0) {
                return Some(Ratio::whole(self.small));
            }
            let (over, under) = (self.over + (self.small >> 64), self.under + (self.small & i128::from(u64::MAX)));
            let over = over + (under >> 64);
            let under = under & i128::from(u64::MAX);
            return over.checked_mul(1 << 64)?.checked_add(under).map(Ratio::whole);
        }
        // What did not fit on the way may fit now.
        let again = || self.values.iter().try_fold(Ratio::whole(0), |sum, &value| sum.plus(pool.ratio(value)?));
        self.sum.or_else(again)
    }

    fn value(&self, pool: &mut Pool) -> Result<Option<Word>, String> {
        if self.count == 0 {
            return Ok(None);
        }
        let too_big = || "a number of more than 127 bits".to_string();
        let decimal = |ratio: Option<Ratio>, pool: &mut Pool| {
            ratio.map(|ratio| pool.word(&crate::fact::Value::Decimal(ratio))).ok_or_else(too_big)
        };
        let total = |pool: &Pool| self.total(pool).ok_or_else(|| "a sum of more than 127 bits".to_string());
        Ok(Some(match self.op {
            Aggregation::Count => pool.number(self.count),
            Aggregation::Sum if self.whole => pool.number(total(pool)?.over()),
            Aggregation::Sum => decimal(Some(total(pool)?), pool)?,
            Aggregation::Average => decimal(total(pool)?.divide(Ratio::whole(self.count)), pool)?,
            Aggregation::Min => self.values[0],
            Aggregation::Max => self.values[self.values.len() - 1],
            Aggregation::Median => {
                let middle = self.values.len() / 2;
                let upper = pool.ratio(self.values[middle]).ok_or_else(too_big)?;
                if self.values.len() % 2 == 1 {
                    decimal(Some(upper), pool)?
                } else {
                    let lower = pool.ratio(self.values[middle - 1]).ok_or_else(too_big)?;
                    decimal(upper.plus(lower).and_then(|sum| sum.divide(Ratio::whole(2))), pool)?
                }
            }
        }))
    }
}

/// Takes the links of rows that are let go away, and tells of each.
fn unlink(links: &mut [u32], gone: &[bool], with: u32, mut each: impl FnMut(u32)) {
    for (link, _) in links.iter_mut().zip(gone).filter(|(_, gone)| **gone) {
        if *link != with {
            each(std::mem::replace(link, with));
        }
    }
}

/// Takes away the links to what is let go, of rows that hold nowhere.
fn cut(links: &mut [u32], gone: &[bool], with: u32) {
    for link in links {
        if gone.get(*link as usize) == Some(&true) {
            *link = with;
        }
    }
}

/// Takes marked slots away.
fn let_go_slots<const N: usize>(keys: &mut Rows, gone: &[bool], links: [&mut Vec<u32>; N]) {
    if gone.contains(&true) {
        keys.remove(gone);
        links.into_iter().for_each(|links| cut(links, gone, NONE));
    }
}

impl Node {
    /// Inputs.
    pub(crate) fn children(&self) -> SmallVec<[usize; 2]> {
        match &self.kind {
            Kind::Facts | Kind::Constant => SmallVec::new(),
            Kind::Unary(unary) => SmallVec::from_slice(&[unary.child]),
            Kind::Zip(zip) => SmallVec::from_slice(&[zip.driver, zip.other]),
            Kind::Or(or) => SmallVec::from_slice(&or.parts),
            Kind::Guard(guard) => {
                std::iter::once(guard.driver).chain(guard.tests.iter().map(|test| test.other)).collect()
            }
            Kind::Join(join) => SmallVec::from_slice(&join.parts),
            Kind::Map(map) => SmallVec::from_slice(&[map.child]),
            Kind::Aggregate(aggregate) => SmallVec::from_slice(&[aggregate.child]),
        }
    }

    pub(crate) fn renumber(&mut self, new: &dyn Fn(usize) -> usize) {
        match &mut self.kind {
            Kind::Facts | Kind::Constant => {}
            Kind::Unary(unary) => unary.child = new(unary.child),
            Kind::Guard(guard) => {
                guard.driver = new(guard.driver);
                guard.tests.iter_mut().for_each(|test| test.other = new(test.other));
            }
            Kind::Zip(zip) => (zip.driver, zip.other) = (new(zip.driver), new(zip.other)),
            Kind::Or(or) => or.parts = or.parts.map(new),
            Kind::Join(join) => join.parts = join.parts.map(new),
            Kind::Map(map) => map.child = new(map.child),
            Kind::Aggregate(aggregate) => aggregate.child = new(aggregate.child),
        }
    }

    /// Stamp from which the clock alone may change something.
    fn waits_for(&self) -> i64 {
        match &self.kind {
            Kind::Unary(unary) if !unary.kept => i64::MAX,
            Kind::Unary(unary) if !unary.again.is_empty() || unary.needs_open() => i64::MIN,
            Kind::Unary(unary) => unary.timers.next(),
            Kind::Guard(guard) if !guard.later.agenda.is_empty() => i64::MIN,
            Kind::Join(join) if !join.later.agenda.is_empty() => i64::MIN,
            Kind::Zip(zip) if zip.waits() || !zip.again.is_empty() => i64::MIN,
            Kind::Zip(zip) => zip.timers.next(),
            _ => i64::MAX,
        }
    }

    /// Inputs as they are read: what is seen through a window is read behind it.
    pub(crate) fn sources(&self, below: &[Node]) -> SmallVec<[usize; 2]> {
        let behind = |child: usize, look: Look| match &below[child].kind {
            Kind::Unary(window) if look != Look::Plain => window.child,
            _ => child,
        };
        match &self.kind {
            Kind::Guard(guard) => {
                let others = guard.tests.iter().map(|test| behind(test.other, test.look));
                std::iter::once(guard.driver).chain(others).collect()
            }
            Kind::Join(join) => (0..2).map(|side| behind(join.parts[side], join.looks[side])).collect(),
            _ => self.children(),
        }
    }

    /// Takes in what the inputs, all before it in `below`, changed.
    pub(crate) fn round(&mut self, below: &[Node], round: &mut Round<'_>) {
        let sources = self.sources(below);
        let idle = sources.iter().all(|&source| below[source].core.changes.is_empty());
        let clock = round.time.len() > round.before && round.time.last().is_some_and(|now| self.waits_for() <= now);
        if idle && !clock && !round.first {
            return;
        }
        let core = &mut self.core;
        match &mut self.kind {
            Kind::Facts => {}
            Kind::Constant => {
                if round.first {
                    let set: Set = core.set(0).iter().copied().collect();
                    core.changes.extend(set.iter().map(|&span| Change { row: 0, span }));
                }
            }
            Kind::Unary(unary) if unary.kept => unary.round(core, &below[unary.child].core, round),
            Kind::Unary(_) => {}
            Kind::Guard(guard) => {
                let others: SmallVec<[&Core; 4]> = sources[1..].iter().map(|&other| &below[other].core).collect();
                guard.round(core, &below[guard.driver].core, &others, round);
            }
            Kind::Zip(zip) => zip.round(core, &below[zip.driver].core, &below[zip.other].core, round),
            Kind::Or(or) => {
                let [a, b] = or.parts;
                or.round(core, [&below[a].core, &below[b].core], round);
            }
            Kind::Join(join) => join.round(core, [&below[sources[0]].core, &below[sources[1]].core], round),
            Kind::Map(map) => map.round(core, &below[map.child].core, round),
            Kind::Aggregate(aggregate) => aggregate.round(core, &below[aggregate.child].core, round),
        }
    }

    /// A fact at a point comes or goes.
    pub(crate) fn fact(&mut self, row: u32, point: Point, comes: bool) {
        let span = (point, point + 1);
        self.core.settle(row, span, if comes { std::slice::from_ref(&span) } else { &[] });
    }

    /// Sets a closed constant.
    pub(crate) fn always(&mut self, row: u32, holds: bool) {
        *self.core.touch(row) = if holds { SmallVec::from_slice(&[ALL]) } else { SmallVec::new() };
    }

    /// The first point before `end` at which something has no value, and why; `below` are the nodes before this one.
    pub(crate) fn fault(&self, below: &[Node], from: Point, end: Point) -> Option<(Point, &str)> {
        let first = |set: &[Span]| {
            let point = set.get(seek(set, from))?.0.max(from);
            (point < end).then_some(point)
        };
        match &self.kind {
            Kind::Map(map) => {
                let child = &below[map.child].core;
                map.faults.iter().filter_map(|(&row, why)| Some((first(child.set(row))?, &**why))).min()
            }
            Kind::Aggregate(aggregate) => {
                let faults = aggregate.faults.values().flatten();
                faults.filter_map(|(span, why)| Some((first(std::slice::from_ref(span))?, &**why))).min()
            }
            _ => None,
        }
    }

    /// Whether a verdict may hang on the next point, however far away it is.
    pub(crate) fn is_next(&self) -> bool {
        matches!(&self.kind, Kind::Unary(unary) if unary.step == Step::Next)
    }

    /// Points before this one are settled for good, given that the inputs' are, and that the facts' are up to `known`.
    pub(crate) fn settled(&mut self, below: &[Point], time: &Timeline, known: Point) -> Point {
        let inputs = self.children().iter().map(|&child| below[child]).min().unwrap_or(known);
        let (reach, hints) = match &mut self.kind {
            Kind::Unary(unary) if unary.step == Step::Future => (unary.reach, &mut unary.hints),
            Kind::Zip(zip) if zip.pairing == Pairing::Until => (zip.reach, &mut zip.hints),
            Kind::Unary(unary) if unary.step == Step::Next => return inputs.saturating_sub(1),
            _ => return inputs,
        };
        match inputs.min(time.len().saturating_sub(1)) {
            0 => 0,
            seen => back(time, seen, reach.far, &mut hints.d).min(seen),
        }
    }

    /// From which point on this one needs its input `child`, to be right from `own` on; and the stamp at or before which
    /// the last interval is kept for a window without end.
    pub(crate) fn needs(&self, child: usize, own: Point, time: &Timeline) -> (Point, Option<Point>) {
        let mut hint = own;
        let mut reach_back = |reach: Reach| {
            if own >= time.len() || own < time.base() {
                return (own.min(time.base()), (reach.far == FOREVER).then_some(0));
            }
            if reach.far != FOREVER {
                return (back(time, own, reach.far, &mut hint).min(own).saturating_sub(1), None);
            }
            let keep = time.first_after(time.stamp(own).saturating_sub(reach.near), &mut hint);
            (own.saturating_sub(1), Some(keep.saturating_sub(1).min(own)))
        };
        match &self.kind {
            Kind::Unary(unary) => match unary.step {
                Step::Past => reach_back(unary.reach),
                Step::Previous => (own.saturating_sub(1), None),
                _ => (own, None),
            },
            Kind::Zip(zip) if zip.pairing == Pairing::Since => {
                let (point, keep) = reach_back(zip.reach);
                (point, keep.filter(|_| child == zip.driver))
            }
            _ => (own, None),
        }
    }

    /// Drops what the rows had before `point`; those of which something is still known are struck from `gone`.
    pub(crate) fn let_go(&mut self, point: Point, keep: Option<Point>, gone: &mut [bool]) {
        self.core.trim(point, keep, gone);
        let (timers, again) = match &self.kind {
            Kind::Unary(unary) => (&unary.timers, &unary.again),
            Kind::Zip(zip) => (&zip.timers, &zip.again),
            _ => return,
        };
        timers.strike(gone);
        again.iter().filter(|&&row| row != NONE).for_each(|&row| gone[row as usize] = false);
    }

    /// Rows that are there for the sake of rows of an input that stay are struck from `gone`, which has the rows of every
    /// space; true if there were any.
    pub(crate) fn keep(&self, below: &[Node], gone: &mut [Vec<bool>]) -> bool {
        let space = |child: usize| below[child].core.space;
        let own = self.core.space;
        let mut struck = false;
        let mut strike = |gone: &mut [Vec<bool>], space: usize, row: usize, stays: &dyn Fn(&[Vec<bool>]) -> bool| {
            if gone[space][row] && stays(gone) {
                gone[space][row] = false;
                struck = true;
            }
        };
        let mut keys_stay = |gone: &mut [Vec<bool>], driver: usize, other: usize, drivers: &Drivers| {
            let driver = space(driver);
            for (with, drivers) in drivers.of_other.iter().enumerate() {
                strike(gone, space(other), with, &|gone| drivers.rows().any(|row| !gone[driver][row as usize]));
            }
        };
        match &self.kind {
            Kind::Guard(guard) => {
                guard.tests.iter().for_each(|test| keys_stay(gone, guard.driver, test.other, &test.drivers));
            }
            Kind::Zip(zip) => keys_stay(gone, zip.driver, zip.other, &zip.drivers),
            Kind::Or(or) => {
                let from = or.parts.map(space);
                for (out, parts) in or.rows.iter().enumerate() {
                    let stays = |gone: &[Vec<bool>], side: usize| {
                        parts[side] != NONE && !gone[from[side]][parts[side] as usize]
                    };
                    strike(gone, own, out, &|gone| stays(gone, 0) || stays(gone, 1));
                }
            }
            Kind::Map(map) => {
                let from = space(map.child);
                for (out, &row) in map.only.iter().enumerate() {
                    strike(gone, own, out, &|gone| row != NONE && !gone[from][row as usize]);
                }
                for (out, members) in map.members.iter().enumerate() {
                    strike(gone, own, out, &|gone| members.rows().any(|row| !gone[from][row as usize]));
                }
            }
            _ => {}
        }
        struck
    }

    pub(crate) fn trim_default(&mut self, point: Point, keep: Option<Point>) {
        trim(&mut self.core.default, point, keep);
        if let Kind::Aggregate(aggregate) = &mut self.kind {
            for group in &mut aggregate.slots {
                let gone = group.pieces.partition_point(|piece| piece.1 <= point);
                group.pieces.drain(..gone);
            }
        }
    }

    /// Numbers of rows are given away: this operator has them in its own sets, or as what rows that hold nowhere lead to.
    /// `gone` has the rows of every space, and every operator forgot its input's.
    pub(crate) fn drop_rows(&mut self, below: &[Node], gone: &[Vec<bool>]) {
        let own = &gone[self.core.space];
        self.core.drop_rows(own);
        let open = match &mut self.kind {
            Kind::Unary(unary) => &mut unary.open,
            Kind::Zip(zip) => {
                cut(&mut zip.drivers.of_driver, &gone[below[zip.other].core.space], NONE);
                &mut zip.open
            }
            Kind::Guard(guard) => {
                for test in &mut guard.tests {
                    cut(&mut test.drivers.of_driver, &gone[below[test.other].core.space], NONE);
                }
                return;
            }
            Kind::Map(map) => return cut(&mut map.links, own, UNLINKED),
            _ => return,
        };
        if !open.rows.is_empty() {
            (0..own.len()).filter(|&row| own[row]).for_each(|row| open.note(row as u32, false));
        }
    }

    /// Rows of an input are let go.
    pub(crate) fn forget(&mut self, child: usize, gone: &[bool]) {
        match &mut self.kind {
            Kind::Facts | Kind::Constant | Kind::Unary(_) => {}
            Kind::Guard(guard) if child == guard.driver => {
                guard.tests.iter_mut().for_each(|test| test.drivers.forget(gone));
            }
            Kind::Zip(zip) if child == zip.driver => zip.drivers.forget(gone),
            Kind::Guard(_) | Kind::Zip(_) => {}
            Kind::Or(or) => {
                for side in (0..2).filter(|&side| or.parts[side] == child) {
                    unlink(&mut or.links[side], gone, NONE, |out| or.rows[out as usize][side] = NONE);
                }
            }
            Kind::Join(join) => {
                let mut touched = vec![false; join.slots.len()];
                for side in (0..2).filter(|&side| join.parts[side] == child) {
                    let mut here = vec![false; join.slots.len()];
                    unlink(&mut join.of[side], gone, NONE, |slot| here[slot as usize] = true);
                    for (slot, _) in here.iter().enumerate().filter(|(_, here)| **here) {
                        join.slots[slot][side].forget(&mut join.filing[side], gone);
                        touched[slot] = true;
                    }
                }
                for (slot, touched) in join.slots.iter().zip(&mut touched).filter(|(_, touched)| **touched) {
                    *touched = slot.iter().all(Side::is_empty);
                }
                let [left, right] = &mut join.of;
                let_go_slots(&mut join.keys, &touched, [left, right]);
            }
            Kind::Map(map) => {
                let mut touched = vec![false; map.members.len()];
                unlink(&mut map.links, gone, UNLINKED, |out| match out {
                    NONE => {}
                    out if map.injective => map.only[out as usize] = NONE,
                    out => touched[out as usize] = true,
                });
                for (side, _) in map.members.iter_mut().zip(&touched).filter(|(_, touched)| **touched) {
                    side.forget(&mut map.filing, gone);
                }
                map.faults.retain(|&row, _| !gone[row as usize]);
            }
            Kind::Aggregate(aggregate) => {
                let mut touched = vec![false; aggregate.slots.len()];
                unlink(&mut aggregate.of, gone, NONE, |slot| touched[slot as usize] = true);
                for (group, _) in aggregate.slots.iter_mut().zip(&touched).filter(|(_, touched)| **touched) {
                    group.members.forget(&mut aggregate.filing, gone);
                }
                // Its pieces may have ended since.
                let with_key = !aggregate.groups.is_empty();
                for (group, touched) in aggregate.slots.iter().zip(&mut touched) {
                    *touched = with_key && group.members.is_empty() && group.pieces.is_empty();
                }
                aggregate.faults.retain(|&slot, _| !touched[slot as usize]);
                let_go_slots(&mut aggregate.keys, &touched, [&mut aggregate.of]);
            }
        }
    }

    /// Values of the keys that it keeps.
    pub(crate) fn keys(&self) -> Option<&Rows> {
        match &self.kind {
            Kind::Join(join) => Some(&join.keys),
            Kind::Aggregate(aggregate) => Some(&aggregate.keys),
            _ => None,
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        let own = match &self.kind {
            Kind::Unary(unary) => unary.timers.bytes(),
            Kind::Guard(guard) => {
                guard.later.agenda.bytes() + guard.tests.iter().map(|test| test.drivers.bytes()).sum::<usize>()
            }
            Kind::Zip(zip) => zip.drivers.bytes() + zip.timers.bytes(),
            Kind::Join(join) => {
                join.later.agenda.bytes()
                    + join.keys.bytes()
                    + join.slots.capacity() * size_of::<[Side; 2]>()
                    + join.filing.iter().map(Filing::bytes).sum::<usize>()
            }
            Kind::Map(map) => {
                map.links.capacity() * 4 + map.members.capacity() * size_of::<Side>() + map.filing.bytes()
            }
            Kind::Aggregate(aggregate) => {
                aggregate.keys.bytes() + aggregate.slots.capacity() * size_of::<Group>() + aggregate.filing.bytes()
            }
            Kind::Or(or) => or.rows.capacity() * 8,
            Kind::Facts | Kind::Constant => 0,
        };
        self.core.bytes() + own
    }
}
