//! When a formula is settled true, and when false.
//!
//! ```text
//! EVENTUALLY[0,48] (ok OR (refused AND EVENTUALLY[0,72] offer)) at 0, refused at 47:   sat never, vio 119
//! ```
//! For every instant s at which a formula is read there are two instants, sat and vio. As functions of s they consist
//! of few pieces that are constant or a fixed distance from s, so the table of the design is arithmetic on pieces:
//! minimum and maximum split where they cross, and within a window a minimum lies at its start or at the start of a
//! piece, a maximum at its end or at the end of a piece.
//!
//! EXISTS over what looks ahead is read for each value that facts name and for one that none names, which stands for
//! all others; a comparison of that one by order is settled neither way. In one corner this settles later than the
//! table: if such a comparison stands inside a window that looks back beside facts that are only asserted, a breach
//! may show when the next part of the formula settles it.
use crate::fact::{Instant, NEVER, SINCE_EVER};
use crate::facts::Pair;
use crate::intervals::{Far, Intervals, minus, plus};
use crate::program::{Expr, Kind, Node, Reach, Slot, V, bit};
use crate::relation::{Env, Eval, far, value};
use std::collections::{BTreeMap, BTreeSet};

/// What a piece says of every instant s in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Settled {
    /// At this instant; [`NEVER`] is never.
    At(Instant),
    /// So many seconds after s.
    After(i64),
}

impl Settled {
    fn of(self, s: Instant) -> Instant {
        match self {
            Settled::At(t) => t,
            Settled::After(d) => plus(s, d),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece {
    from: Instant,
    to: Instant,
    settled: Settled,
}

/// Pieces that cover a stretch of instants without a gap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fun(Vec<Piece>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pick {
    Least,
    Most,
}

impl Pick {
    fn of(self, a: Instant, b: Instant) -> Instant {
        if self == Pick::Least { a.min(b) } else { a.max(b) }
    }

    /// What no choice prefers.
    fn worst(self) -> Instant {
        if self == Pick::Least { NEVER } else { SINCE_EVER }
    }
}

impl Fun {
    fn constant(from: Instant, to: Instant, t: Instant) -> Fun {
        Fun(vec![Piece { from, to, settled: Settled::At(t) }])
    }

    fn itself(from: Instant, to: Instant) -> Fun {
        Fun(vec![Piece { from, to, settled: Settled::After(0) }])
    }

    fn push(&mut self, piece: Piece) {
        if let Some(last) = self.0.last_mut()
            && last.settled == piece.settled
        {
            last.to = piece.to;
            return;
        }
        self.0.push(piece);
    }

    /// s where the set holds, never elsewhere.
    fn within(set: &Intervals, from: Instant, to: Instant) -> Fun {
        let mut fun = Fun(Vec::new());
        let mut next = from;
        for &(begin, end) in set.meeting(from, to) {
            let (begin, end) = (begin.max(from), end.min(to));
            if begin > next {
                fun.push(Piece { from: next, to: minus(begin, 1), settled: Settled::At(NEVER) });
            }
            fun.push(Piece { from: begin, to: end, settled: Settled::After(0) });
            if end == to {
                return fun;
            }
            next = plus(end, 1);
        }
        fun.push(Piece { from: next, to, settled: Settled::At(NEVER) });
        fun
    }

    /// s where the set does not hold, never where it does.
    fn outside(set: &Intervals, from: Instant, to: Instant) -> Fun {
        let mut fun = Fun::within(set, from, to);
        for piece in &mut fun.0 {
            piece.settled = match piece.settled {
                Settled::At(_) => Settled::After(0),
                Settled::After(_) => Settled::At(NEVER),
            };
        }
        fun
    }

    pub(crate) fn at(&self, s: Instant) -> Instant {
        let i = self.0.partition_point(|piece| piece.to < s);
        self.0.get(i).or(self.0.last()).map_or(NEVER, |piece| piece.settled.of(s))
    }

    /// Where it is settled by an instant.
    pub(crate) fn by(&self, t: Instant) -> Intervals {
        let settled = self.0.iter().map(|piece| match piece.settled {
            Settled::At(at) if at <= t => (piece.from, piece.to),
            Settled::At(_) => (NEVER, SINCE_EVER),
            Settled::After(d) => (piece.from, piece.to.min(t.saturating_sub(d))),
        });
        Intervals::from_unsorted(settled.filter(|(from, to)| from <= to).collect())
    }

    /// The first instant at which the value is least.
    pub(crate) fn where_least(&self) -> Instant {
        self.0.iter().min_by_key(|piece| piece.settled.of(piece.from)).map_or(NEVER, |piece| piece.from)
    }

    /// The last instant at which the value is greatest.
    pub(crate) fn where_most(&self) -> Instant {
        self.0.iter().max_by_key(|piece| piece.settled.of(piece.to)).map_or(NEVER, |piece| piece.to)
    }

    /// The last instant that is settled at all.
    pub(crate) fn last_settled(&self) -> Option<Instant> {
        self.0.iter().rev().find(|piece| piece.settled != Settled::At(NEVER)).map(|piece| piece.to)
    }

    fn part(&self, from: Instant, to: Instant) -> Fun {
        let start = self.0.partition_point(|piece| piece.to < from);
        let pieces = self.0[start..].iter().take_while(|piece| piece.from <= to);
        Fun(pieces.map(|p| Piece { from: p.from.max(from), to: p.to.min(to), ..*p }).collect())
    }

    /// The lesser or greater of two at each instant.
    fn pick(&self, other: &Fun, pick: Pick) -> Fun {
        let mut fun = Fun(Vec::with_capacity(self.0.len() + other.0.len()));
        let (mut i, mut j) = (0, 0);
        while let (Some(a), Some(b)) = (self.0.get(i), other.0.get(j)) {
            let (from, to) = (a.from.max(b.from), a.to.min(b.to));
            choose(&mut fun, from, to, a.settled, b.settled, pick);
            if a.to == to {
                i += 1;
            }
            if b.to == to {
                j += 1;
            }
        }
        fun
    }

    /// The least or greatest value anywhere.
    fn best(&self, pick: Pick) -> Instant {
        let ends = self.0.iter().map(|piece| piece.settled.of(if pick == Pick::Least { piece.from } else { piece.to }));
        ends.fold(pick.worst(), |best, t| pick.of(best, t))
    }

    /// At each s of `[from, to]` the least or greatest value over `[s + near, s + far]`.
    fn window(&self, near: i64, far: Far, from: Instant, to: Instant, pick: Pick) -> Fun {
        // Moving the near (or far) end along is the function itself, shifted.
        let edge = if pick == Pick::Least { Some(near) } else { far };
        let mut fun = Fun(Vec::new());
        match edge {
            Some(edge) => {
                for p in &self.part(plus(from, edge), plus(to, edge)).0 {
                    let settled = match p.settled {
                        Settled::At(t) => Settled::At(t),
                        Settled::After(d) => Settled::After(d.saturating_add(edge)),
                    };
                    let begin = if fun.0.is_empty() { from } else { minus(p.from, edge) };
                    fun.push(Piece { from: begin, to: minus(p.to, edge).min(to), settled });
                }
                if let Some(last) = fun.0.last_mut() {
                    last.to = to;
                }
            }
            None => fun = Fun::constant(from, to, self.at(NEVER)),
        }
        // The ends of pieces inside the window: each counts for a stretch of s.
        let mut steps: BTreeMap<Instant, (Vec<Instant>, Vec<Instant>)> = BTreeMap::new();
        let inner = if pick == Pick::Least { self.0.get(1..) } else { self.0.get(..self.0.len() - 1) };
        for p in inner.unwrap_or(&[]) {
            let s = if pick == Pick::Least { p.from } else { p.to };
            let first = far.map_or(from, |far| minus(s, far)).max(from);
            let last = minus(s, near).min(to);
            if first <= last {
                let value = p.settled.of(s);
                steps.entry(first).or_default().0.push(value);
                steps.entry(plus(last, 1)).or_default().1.push(value);
            }
        }
        if steps.is_empty() {
            return fun;
        }
        let mut inside = Fun(Vec::new());
        let mut values: BTreeMap<Instant, usize> = BTreeMap::new();
        let mut begin = from;
        for (s, (enter, leave)) in steps {
            if s > to {
                break;
            }
            if s > begin {
                let best = if pick == Pick::Least { values.keys().next() } else { values.keys().next_back() };
                let settled = Settled::At(best.copied().unwrap_or(pick.worst()));
                inside.push(Piece { from: begin, to: minus(s, 1), settled });
                begin = s;
            }
            for value in enter {
                *values.entry(value).or_default() += 1;
            }
            for value in leave {
                if let Some(count) = values.get_mut(&value) {
                    *count -= 1;
                    if *count == 0 {
                        values.remove(&value);
                    }
                }
            }
        }
        let best = if pick == Pick::Least { values.keys().next() } else { values.keys().next_back() };
        inside.push(Piece { from: begin, to, settled: Settled::At(best.copied().unwrap_or(pick.worst())) });
        fun.pick(&inside, pick)
    }

    /// At each s of `[from, to]` the best value over `[start, s - 1]`; the worst where that is empty.
    fn before(&self, start: Instant, from: Instant, to: Instant, pick: Pick) -> Fun {
        let mut fun = Fun(Vec::new());
        fun.push(Piece { from: start, to: start, settled: Settled::At(pick.worst()) });
        let mut best = pick.worst();
        if start < to {
            for p in &self.part(start, minus(to, 1)).0 {
                let (first, last) = (plus(p.from, 1), plus(p.to, 1));
                let so_far = Settled::At(best);
                let here = match (pick, p.settled) {
                    // Within a piece the least value is the first.
                    (Pick::Least, settled) => Settled::At(settled.of(p.from)),
                    (Pick::Most, Settled::After(d)) => Settled::After(d.saturating_sub(1)),
                    (Pick::Most, at) => at,
                };
                choose(&mut fun, first, last, so_far, here, pick);
                let end = if pick == Pick::Least { p.from } else { p.to };
                best = pick.of(best, p.settled.of(end));
            }
            if let Some(last) = fun.0.last_mut() {
                last.to = to;
            }
        }
        fun.part(from, to)
    }
}

/// The lesser or greater of two over one stretch, split where they cross.
fn choose(fun: &mut Fun, from: Instant, to: Instant, a: Settled, b: Settled, pick: Pick) {
    let (fixed, moving) = match (a, b) {
        (Settled::At(x), Settled::At(y)) => {
            fun.push(Piece { from, to, settled: Settled::At(pick.of(x, y)) });
            return;
        }
        (Settled::After(x), Settled::After(y)) => {
            fun.push(Piece { from, to, settled: Settled::After(pick.of(x, y)) });
            return;
        }
        (Settled::At(c), Settled::After(d)) | (Settled::After(d), Settled::At(c)) => (c, d),
    };
    let (low, high) = match pick {
        Pick::Least => (Settled::After(moving), Settled::At(fixed)),
        Pick::Most => (Settled::At(fixed), Settled::After(moving)),
    };
    // Up to here the moving one is not greater.
    let cross = if fixed == NEVER || fixed == SINCE_EVER { fixed } else { fixed.saturating_sub(moving) };
    if cross >= to {
        fun.push(Piece { from, to, settled: low });
    } else if cross < from {
        fun.push(Piece { from, to, settled: high });
    } else {
        fun.push(Piece { from, to: cross, settled: low });
        fun.push(Piece { from: plus(cross, 1), to, settled: high });
    }
}

/// sat and vio over a stretch of instants.
#[derive(Clone, Debug)]
pub(crate) struct Both {
    pub(crate) sat: Fun,
    pub(crate) vio: Fun,
}

impl Both {
    pub(crate) fn constant(from: Instant, to: Instant, sat: Instant, vio: Instant) -> Both {
        Both { sat: Fun::constant(from, to, sat), vio: Fun::constant(from, to, vio) }
    }

    /// Of a formula that looks back and holds in the set.
    pub(crate) fn of(set: &Intervals, from: Instant, to: Instant) -> Both {
        Both { sat: Fun::within(set, from, to), vio: Fun::outside(set, from, to) }
    }

    pub(crate) fn swap(self) -> Both {
        Both { sat: self.vio, vio: self.sat }
    }

    fn and(&self, other: &Both) -> Both {
        Both { sat: self.sat.pick(&other.sat, Pick::Most), vio: self.vio.pick(&other.vio, Pick::Least) }
    }

    fn or(&self, other: &Both) -> Both {
        Both { sat: self.sat.pick(&other.sat, Pick::Least), vio: self.vio.pick(&other.vio, Pick::Most) }
    }
}

/// Which facts count. The two readings, each with the least and the most that is known of it: they differ only where
/// not everything is known, as when evidence is weighed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Admitted for sure.
    CertainLeast,
    /// Perhaps admitted.
    CertainMost,
    /// Asserted for sure.
    PossibleLeast,
    /// Perhaps asserted.
    PossibleMost,
}

/// How a formula is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct How {
    /// What counts in a positive place.
    pub(crate) pos: Level,
    /// What counts under a negation.
    pub(crate) neg: Level,
    /// Where outermost windows begin, if not where they are read.
    pub(crate) since: Option<Instant>,
    /// Facts after this instant are dropped.
    pub(crate) cut: Instant,
}

impl How {
    /// What helps counts if asserted, what hurts only if admitted.
    pub(crate) fn favourable(since: Option<Instant>, cut: Instant) -> How {
        How { pos: Level::PossibleLeast, neg: Level::CertainMost, since, cut }
    }

    /// What hurts counts if asserted, what helps only if admitted.
    pub(crate) fn harsh(since: Option<Instant>, cut: Instant) -> How {
        How { pos: Level::CertainLeast, neg: Level::PossibleMost, since, cut }
    }

    pub(crate) fn possible(self) -> bool {
        matches!(self.pos, Level::PossibleLeast | Level::PossibleMost)
    }

    pub(crate) fn swap(self) -> How {
        How { pos: self.neg, neg: self.pos, ..self }
    }

    fn inner(self) -> How {
        How { since: None, ..self }
    }
}

/// Where formulas are read.
pub(crate) trait World {
    /// sat and vio of a formula that looks back; `None`: look at its parts.
    fn past(&mut self, node: &Node, env: &mut Env, how: How, from: Instant, to: Instant) -> Option<Both>;

    /// Values that a variable takes in an atom that names it.
    fn values(&mut self, name: Slot, atom: &Node, env: &mut Env, cut: Instant) -> BTreeSet<V>;

    /// Of a window that may end anywhere: settled neither way.
    fn anything(&self, _how: How, from: Instant, to: Instant) -> Both {
        Both::constant(from, to, NEVER, NEVER)
    }
}

impl World for Eval<'_> {
    fn past(&mut self, node: &Node, env: &mut Env, how: How, from: Instant, to: Instant) -> Option<Both> {
        let unknown = node.free.iter().any(|&slot| env.get(slot) == Some(V::Fresh));
        if unknown && matches!(node.kind, Kind::Not(_) | Kind::And(_) | Kind::Or(_) | Kind::Exists(..)) {
            return None;
        }
        let pair: Pair = self.within((from, to), how.cut, |eval| eval.holds(node, env, how.cut));
        if unknown {
            // Settled only where it would be for any value that no fact names.
            return Some(Both {
                sat: Fun::within(&pair.certain, from, to),
                vio: Fun::outside(&pair.possible, from, to),
            });
        }
        Some(Both::of(if how.possible() { &pair.possible } else { &pair.certain }, from, to))
    }

    fn values(&mut self, name: Slot, atom: &Node, env: &mut Env, cut: Instant) -> BTreeSet<V> {
        let relation = self.relation(atom, env, cut);
        let Some(column) = relation.vars.iter().position(|&var| var == name) else { return BTreeSet::new() };
        relation.rows.iter().map(|(row, _)| row[column]).collect()
    }
}

/// sat and vio of a formula at each instant of `[from, to]`; all its variables are bound.
pub(crate) fn settle(world: &mut impl World, node: &Node, env: &mut Env, how: How, from: Instant, to: Instant) -> Both {
    if node.past
        && let Some(both) = world.past(node, env, how, from, to)
    {
        return both;
    }
    match &node.kind {
        Kind::Not(inner) => settle(world, inner, env, how.swap(), from, to).swap(),
        Kind::And(parts) if parts.is_empty() => {
            Both { sat: Fun::itself(from, to), vio: Fun::constant(from, to, NEVER) }
        }
        Kind::Or(parts) if parts.is_empty() => Both { sat: Fun::constant(from, to, NEVER), vio: Fun::itself(from, to) },
        Kind::And(parts) => {
            let mut both = Both::constant(from, to, SINCE_EVER, NEVER);
            for part in parts {
                both = both.and(&settle(world, part, env, how, from, to));
            }
            both
        }
        Kind::Or(parts) => {
            let mut both = Both::constant(from, to, NEVER, SINCE_EVER);
            for part in parts {
                both = both.or(&settle(world, part, env, how, from, to));
            }
            both
        }
        Kind::Exists(names, inner) => {
            let none = Both::constant(from, to, NEVER, SINCE_EVER);
            exists(world, names, inner, env, how, (from, to), none)
        }
        Kind::Eventually(reach, inner) => window(world, reach, inner, env, how, (from, to), false),
        Kind::Always(reach, inner) => window(world, reach, inner, env, how, (from, to), true),
        Kind::Until(reach, left, right) => until(world, reach, (left, right), env, how, (from, to)),
        // Every formula that looks back is answered above.
        _ => Both::constant(from, to, NEVER, NEVER),
    }
}

fn exists(
    world: &mut impl World,
    names: &[Slot],
    inner: &Node,
    env: &mut Env,
    how: How,
    (from, to): (Instant, Instant),
    sofar: Both,
) -> Both {
    let Some((&name, rest)) = names.split_first() else {
        return sofar.or(&settle(world, inner, env, how, from, to));
    };
    let mut values = candidates(world, name, inner, env, how.cut, 0);
    // Every value that no fact names is like any other such value.
    values.insert(V::Fresh);
    let mut both = sofar;
    for value in values {
        env.set(name, value);
        both = exists(world, rest, inner, env, how, (from, to), both);
        env.clear(name);
    }
    both
}

/// All values that a variable may take where the formula holds, and perhaps more. `busy`: variables being
/// looked for already.
pub(crate) fn candidates(
    world: &mut impl World,
    name: Slot,
    node: &Node,
    env: &mut Env,
    cut: Instant,
    busy: u128,
) -> BTreeSet<V> {
    let mut found = BTreeSet::new();
    if node.mask & bit(name) != 0 {
        collect(world, name, node, node, env, (cut, busy), &mut found);
    }
    found
}

fn collect(
    world: &mut impl World,
    name: Slot,
    node: &Node,
    whole: &Node,
    env: &mut Env,
    (cut, busy): (Instant, u128),
    found: &mut BTreeSet<V>,
) {
    if node.mask & bit(name) == 0 {
        return;
    }
    match &node.kind {
        Kind::Fact(_, args) | Kind::Call(_, args) | Kind::Breached(_, args) => {
            if args.iter().any(|arg| matches!(arg, Expr::Slot(slot) if *slot == name)) {
                found.extend(world.values(name, node, env, cut));
            }
        }
        Kind::Compare(_, a, b) => {
            for (side, term) in [(a, b), (b, a)] {
                if matches!(side, Expr::Slot(slot) if *slot == name) && term.mask() & (busy | bit(name)) == 0 {
                    terms(world, term, whole, env, (cut, busy | bit(name)), found);
                }
            }
        }
        Kind::Not(f)
        | Kind::Exists(_, f)
        | Kind::Once(_, f)
        | Kind::Historically(_, f)
        | Kind::Duration(_, f, _)
        | Kind::Eventually(_, f)
        | Kind::Always(_, f) => collect(world, name, f, whole, env, (cut, busy), found),
        Kind::And(parts) | Kind::Or(parts) => {
            for part in parts {
                collect(world, name, part, whole, env, (cut, busy), found);
            }
        }
        Kind::Since(_, f, g) | Kind::Until(_, f, g) => {
            collect(world, name, f, whole, env, (cut, busy), found);
            collect(world, name, g, whole, env, (cut, busy), found);
        }
        Kind::True | Kind::Reached(_) | Kind::Ts(_) => {}
    }
}

/// All values a term may take.
fn terms(
    world: &mut impl World,
    term: &Expr,
    whole: &Node,
    env: &mut Env,
    (cut, busy): (Instant, u128),
    found: &mut BTreeSet<V>,
) {
    if let Some(value) = value(term, env) {
        found.insert(value);
        return;
    }
    let Some(slot) = crate::program::slots(term.mask() & !env.bound).next() else { return };
    for value in candidates(world, slot, whole, env, cut, busy) {
        env.set(slot, value);
        terms(world, term, whole, env, (cut, busy), found);
        env.clear(slot);
    }
}

/// EVENTUALLY, and ALWAYS as its dual.
fn window(
    world: &mut impl World,
    reach: &Reach,
    inner: &Node,
    env: &mut Env,
    how: How,
    (from, to): (Instant, Instant),
    always: bool,
) -> Both {
    let Some(far) = far(reach, env) else { return world.anything(how, from, to) };
    if far.is_some_and(|far| far < reach.near) {
        let empty = Both { sat: Fun::constant(from, to, NEVER), vio: Fun::itself(from, to) };
        return if always { empty.swap() } else { empty };
    }
    let begin = plus(how.since.map_or(from, |since| since.min(from)), reach.near);
    let end = far.map_or(NEVER, |far| plus(to, far));
    let child = settle(world, inner, env, how.inner(), begin, end);
    let child = if always { child.swap() } else { child };
    let both = match how.since {
        // Read at one instant, with a window that begins elsewhere.
        Some(_) => Both::constant(from, to, child.sat.best(Pick::Least), child.vio.best(Pick::Most)),
        None => Both {
            sat: child.sat.window(reach.near, far, from, to, Pick::Least),
            vio: child.vio.window(reach.near, far, from, to, Pick::Most),
        },
    };
    if always { both.swap() } else { both }
}

fn until(
    world: &mut impl World,
    reach: &Reach,
    (left, right): (&Node, &Node),
    env: &mut Env,
    how: How,
    (from, to): (Instant, Instant),
) -> Both {
    let Some(far) = far(reach, env) else { return world.anything(how, from, to) };
    if far.is_some_and(|far| far < reach.near) {
        return Both { sat: Fun::constant(from, to, NEVER), vio: Fun::itself(from, to) };
    }
    let start = how.since.map_or(from, |since| since.min(from));
    let end = far.map_or(NEVER, |far| plus(to, far));
    let f = settle(world, left, env, how.inner(), start, end);
    let g = settle(world, right, env, how.inner(), plus(start, reach.near), end);
    let until = |t: Instant| {
        let (first, last) = (plus(t, reach.near), far.map_or(NEVER, |far| plus(t.max(from), far)));
        let sat = g.sat.part(first, last).pick(&f.sat.before(t, first, last, Pick::Most), Pick::Most);
        let vio = g.vio.part(first, last).pick(&f.vio.before(t, first, last, Pick::Least), Pick::Least);
        (sat.best(Pick::Least), vio.best(Pick::Most))
    };
    if from == to {
        let (sat, vio) = until(start);
        return Both::constant(from, to, sat, vio);
    }
    let edges = turns(&[&f.sat, &f.vio, &g.sat, &g.vio], reach.near, far, from, to);
    let (mut sat, mut vio) = (Fun(Vec::new()), Fun(Vec::new()));
    for pair in edges.windows(2) {
        let (first, last) = (pair[0], if pair[1] == NEVER { NEVER } else { pair[1] - 1 });
        let (a, b) = (until(first), until(last));
        let piece = |a: Instant, b: Instant| Piece {
            from: first,
            to: last,
            settled: if a == b && first < last || a == NEVER {
                Settled::At(a)
            } else {
                Settled::After(a.saturating_sub(first))
            },
        };
        sat.push(piece(a.0, b.0));
        vio.push(piece(a.1, b.1));
    }
    Both { sat, vio }
}

/// Instants of `[from, to]` between which UNTIL is one piece, with one past the end: wherever an end of the window
/// meets an end of a piece, or something that moves along meets something that stands still.
fn turns(funs: &[&Fun], near: i64, far: Far, from: Instant, to: Instant) -> Vec<Instant> {
    let shifts: BTreeSet<i64> = [0, 1, near, near.saturating_add(1)]
        .into_iter()
        .chain(far.iter().flat_map(|&far| [far.saturating_sub(1), far, far.saturating_add(1)]))
        .collect();
    let (mut fixed, mut moving) = (BTreeSet::new(), BTreeSet::new());
    let mut edges = BTreeSet::from([from]);
    for piece in funs.iter().flat_map(|fun| &fun.0) {
        for s in [piece.from, piece.to, plus(piece.to, 1)] {
            edges.extend(shifts.iter().map(|&d| minus(s, d)));
            fixed.insert(piece.settled.of(s));
        }
        match piece.settled {
            Settled::At(t) => {
                fixed.insert(t);
            }
            Settled::After(d) => {
                moving.extend(shifts.iter().map(|&shift| d.saturating_add(shift)));
                moving.extend(shifts.iter().map(|&shift| d.saturating_add(shift).saturating_sub(1)));
            }
        }
    }
    for &t in &fixed {
        for &d in &moving {
            edges.extend([minus(t, d), plus(minus(t, d), 1)]);
        }
    }
    edges.retain(|&s| from <= s && s <= to && s != NEVER && s != SINCE_EVER);
    edges.insert(from);
    let mut edges: Vec<Instant> = edges.into_iter().collect();
    edges.push(plus(to, 1));
    edges
}
