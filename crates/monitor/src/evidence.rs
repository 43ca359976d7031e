//! From which facts alone a verdict follows.
//!
//! ```text
//! C32.lane(K1) breached:   present closure(P2, K1) @ 150 h    absent lane_open(K1) in [150 h, 162 h]
//! ```
//! Evidence is weighed by reading formulas where only some facts are known to be there and some ranges are known to be
//! empty, and all else may be either way. A verdict that holds however that turns out follows from the evidence. What
//! is not needed is dropped, facts with the greatest ids first, then ranges, then the ends of ranges; so none of what
//! is left can be dropped. That a breach which a formula reads did *not* happen is taken as given.
use crate::fact::{FactId, Instant, NEVER, SINCE_EVER};
use crate::facts::{Facts, WhatIf};
use crate::formula::Comparison;
use crate::intervals::{Far, Intervals};
use crate::monitor::{Absence, State};
use crate::openings::Opening;
use crate::program::{Expr, Kind, Node, Program, Slot, V, bit, slots};
use crate::relation::{ALL, Env, Eval, Span, far, fits, linear, pattern, value, window_of};
use crate::settle::{Both, How, Level, World, candidates, settle};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A predicate and what is known of its columns.
pub(crate) type Asked = (usize, Vec<Option<V>>);

/// No fact of a predicate but those present holds in a range.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Gap {
    pub(crate) of: Asked,
    pub(crate) from: Instant,
    pub(crate) to: Instant,
    /// Cut around the facts that are there but not in the evidence.
    pub(crate) cut: bool,
}

/// What is known, where not everything is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    pub(crate) present: BTreeSet<usize>,
    pub(crate) absent: Vec<Gap>,
    /// All facts there are of what is asked.
    facts: Arc<BTreeMap<Asked, Vec<usize>>>,
}

impl Known {
    /// Where a gap says that nothing else holds: not where a fact is that the evidence does not name.
    fn empty(&self, gap: &Gap, facts: &Facts) -> Intervals {
        let whole = Intervals::one(gap.from, gap.to);
        if gap.cut {
            return whole;
        }
        let there = self.facts.get(&gap.of).map_or(&[][..], Vec::as_slice);
        let named = there.iter().filter(|i| !self.present.contains(i));
        let holes = named.map(|&i| (facts.told[i].from, facts.told[i].to)).collect();
        whole.difference(&Intervals::from_unsorted(holes))
    }
}

/// What is to follow.
#[derive(Clone, Debug)]
pub(crate) struct Goal {
    pub(crate) rule: usize,
    pub(crate) opening: Opening,
    pub(crate) state: State,
}

type Truths = BTreeMap<(usize, Level, Level, Span, Vec<Option<V>>), Arc<Intervals>>;

/// A world in which only part of the facts may be known.
pub(crate) struct Evidence<'a> {
    /// As things are, for openings and breaches.
    pub(crate) eval: Eval<'a>,
    /// `None`: everything is known.
    pub(crate) known: Option<Known>,
    touched: BTreeSet<usize>,
    /// What was asked, and for which instants.
    asked: BTreeMap<Asked, Span>,
    /// Where answers are needed; elsewhere they may be anything.
    span: Span,
    truths: Truths,
}

impl World for Evidence<'_> {
    fn past(&mut self, node: &Node, env: &mut Env, how: How, from: Instant, to: Instant) -> Option<Both> {
        let unknown = node.free.iter().any(|&slot| env.get(slot) == Some(V::Fresh));
        if unknown {
            match &node.kind {
                Kind::Not(_) | Kind::And(_) | Kind::Or(_) | Kind::Exists(..) => return None,
                Kind::Compare(op, a, b) if self.eval.compare(*op, a, b, env).is_some() => {}
                // Of some value it may hold and of some it may not.
                Kind::Compare(..) | Kind::Reached(_) if self.most(how.pos) => {
                    return Some(Both::of(&Intervals::all(), from, to));
                }
                Kind::Compare(..) | Kind::Reached(_) => return Some(Both::constant(from, to, NEVER, NEVER)),
                _ => {}
            }
        }
        let set = self.within((from, to), |world| world.truth(node, env, how.pos, how.neg));
        Some(Both::of(&set, from, to))
    }

    fn anything(&self, how: How, from: Instant, to: Instant) -> Both {
        if self.known.is_none() {
            return Both::constant(from, to, NEVER, NEVER);
        }
        // Where not all is known it may be settled at once, the way that is not wanted.
        let whole = if self.most(how.pos) { Intervals::all() } else { Intervals::empty() };
        Both::of(&whole, from, to)
    }

    fn values(&mut self, name: Slot, atom: &Node, env: &mut Env, _cut: Instant) -> BTreeSet<V> {
        let is = |arg: &Expr| matches!(arg, Expr::Slot(slot) if *slot == name);
        match &atom.kind {
            Kind::Fact(predicate, args) => {
                let wanted = pattern(args, env);
                let mut found = BTreeSet::new();
                for row in self.rows(*predicate, &wanted) {
                    let row = self.eval.facts.tables[*predicate].args(row);
                    found.extend(args.iter().zip(row).filter(|(arg, _)| is(arg)).map(|(_, &value)| value));
                }
                found
            }
            Kind::Call(definition, args) => {
                let program = self.eval.program;
                let wanted = pattern(args, env);
                let mut found = BTreeSet::new();
                for body in &program.derived[*definition].bodies {
                    let mut inner = Env::new(body.slots);
                    for (&slot, value) in body.params.iter().zip(&wanted) {
                        if let Some(value) = value {
                            inner.set(slot, *value);
                        }
                    }
                    for (&slot, _) in body.params.iter().zip(args).filter(|(_, arg)| is(arg)) {
                        found.extend(self.range(slot, &body.node, &mut inner));
                    }
                }
                found
            }
            Kind::Breached(rule, args) => {
                let rows = self.eval.breached(*rule, pattern(args, env));
                let columns = args.iter().enumerate().filter(|(_, arg)| is(arg));
                columns.flat_map(|(i, _)| rows.iter().map(move |(row, _)| row[i])).collect()
            }
            _ => BTreeSet::new(),
        }
    }
}

impl<'a> Evidence<'a> {
    /// `eval`: as things are, or would be without some facts.
    pub(crate) fn new(eval: Eval<'a>) -> Evidence<'a> {
        Evidence {
            eval,
            known: None,
            touched: BTreeSet::new(),
            asked: BTreeMap::new(),
            span: ALL,
            truths: BTreeMap::new(),
        }
    }

    pub(crate) fn within<T>(&mut self, span: Span, ask: impl FnOnce(&mut Self) -> T) -> T {
        let outer = std::mem::replace(&mut self.span, span);
        let answer = ask(self);
        self.span = outer;
        answer
    }

    pub(crate) fn as_of(&self) -> Instant {
        self.eval.until
    }

    fn most(&self, level: Level) -> bool {
        self.known.is_some() && matches!(level, Level::CertainMost | Level::PossibleMost)
    }

    /// Rows that may fit a pattern and that some known fact supports.
    pub(crate) fn rows(&mut self, predicate: usize, wanted: &[Option<V>]) -> Vec<usize> {
        let table = &self.eval.facts.tables[predicate];
        if let Some(known) = &self.known {
            let told = known.present.iter().map(|&i| &self.eval.facts.told[i]);
            let rows: BTreeSet<usize> = told.filter(|told| told.predicate == predicate).map(|told| told.row).collect();
            return rows.into_iter().filter(|&row| fits(wanted, table.args(row))).collect();
        }
        let found = table.columns.find(wanted).filter(|&row| fits(wanted, table.args(row)));
        found.filter(|&row| self.told(predicate, row).next().is_some()).collect()
    }

    /// Known facts that support a row.
    pub(crate) fn told(&self, predicate: usize, row: usize) -> impl Iterator<Item = usize> + '_ {
        let facts = self.eval.facts;
        facts.tables[predicate].rows[row].told.iter().copied().filter(move |&i| {
            let told = &facts.told[i];
            told.live
                && told.from <= self.as_of()
                && !self.eval.what_if.removed.contains(&i)
                && self.known.as_ref().is_none_or(|known| known.present.contains(&i))
        })
    }

    /// Known facts that fit a pattern and meet a stretch of instants.
    pub(crate) fn told_within(&mut self, predicate: usize, wanted: &[Option<V>], (from, to): Span) -> Vec<usize> {
        let facts = self.eval.facts;
        let meets = |&i: &usize| facts.told[i].from <= to && facts.told[i].to >= from;
        if let Some(known) = &self.known {
            let fits = |&i: &usize| {
                let told = &facts.told[i];
                told.predicate == predicate && fits(wanted, facts.tables[predicate].args(told.row))
            };
            return known.present.iter().copied().filter(fits).filter(meets).collect();
        }
        let rows = self.rows(predicate, wanted);
        rows.into_iter().flat_map(|row| self.told(predicate, row).filter(meets).collect::<Vec<_>>()).collect()
    }

    /// Facts that an atom finds at an instant.
    pub(crate) fn showing(&mut self, predicate: usize, args: &[Expr], env: &Env, at: Instant) -> Vec<FactId> {
        let wanted = pattern(args, env);
        let rows = self.rows(predicate, &wanted);
        let facts = self.eval.facts;
        let found = rows.into_iter().flat_map(|row| self.told(predicate, row).collect::<Vec<_>>());
        let found = found.filter(|&i| facts.told[i].from <= at && at <= facts.told[i].to.min(self.as_of()));
        let mut ids: Vec<FactId> = found.map(|i| facts.told[i].id.clone()).collect();
        ids.sort();
        ids
    }

    fn fact(&mut self, predicate: usize, wanted: &[Option<V>], level: Level) -> Intervals {
        let facts = self.eval.facts;
        let mut list = Vec::new();
        for i in self.told_within(predicate, wanted, self.span) {
            let told = &facts.told[i];
            if told.admitted || matches!(level, Level::PossibleLeast | Level::PossibleMost) {
                list.push((told.from, told.to.min(self.as_of())));
            }
            if self.known.is_none() {
                self.touched.insert(i);
            }
        }
        let least = Intervals::from_unsorted(list);
        let general: Vec<Option<V>> = wanted.iter().map(|value| value.filter(|&v| v != V::Fresh)).collect();
        match &self.known {
            None => {
                let (from, to) = (self.span.0, self.span.1.min(self.as_of()));
                if from <= to {
                    let asked = self.asked.entry((predicate, general)).or_insert((from, to));
                    *asked = (asked.0.min(from), asked.1.max(to));
                }
                least
            }
            Some(known) if self.most(level) => {
                let covers = |gap: &&Gap| {
                    gap.of.0 == predicate
                        && gap.of.1.iter().zip(&general).all(|(gap, asked)| gap.is_none() || gap == asked)
                };
                let empty = known.absent.iter().filter(covers);
                let empty = empty.fold(Intervals::empty(), |set, gap| set.union(&known.empty(gap, facts)));
                least.union(&empty.complement().up_to(self.as_of()))
            }
            Some(_) => least,
        }
    }

    /// Where a formula that looks back holds; all its variables are bound, perhaps to what no fact names.
    pub(crate) fn truth(&mut self, node: &Node, env: &mut Env, pos: Level, neg: Level) -> Arc<Intervals> {
        let at = (node.id, pos, neg, self.span, node.free.iter().map(|&slot| env.get(slot)).collect::<Vec<_>>());
        if let Some(known) = self.truths.get(&at) {
            return known.clone();
        }
        let set = Arc::new(self.work(node, env, pos, neg));
        self.truths.insert(at, set.clone());
        set
    }

    /// Truth of a formula inside a window that looks back.
    fn earlier(
        &mut self,
        node: &Node,
        env: &mut Env,
        pos: Level,
        neg: Level,
        (near, far): (i64, Far),
    ) -> Arc<Intervals> {
        let span = window_of(self.span, near, far);
        self.within(span, |world| world.truth(node, env, pos, neg))
    }

    fn work(&mut self, node: &Node, env: &mut Env, pos: Level, neg: Level) -> Intervals {
        let open = |most: bool| if most { Intervals::all() } else { Intervals::empty() };
        match &node.kind {
            Kind::True => Intervals::all(),
            Kind::Fact(predicate, args) => self.fact(*predicate, &pattern(args, env), pos),
            Kind::Call(definition, args) => {
                let program = self.eval.program;
                let wanted = pattern(args, env);
                let mut set = Intervals::empty();
                for body in &program.derived[*definition].bodies {
                    let mut inner = Env::new(body.slots);
                    let mut free = Vec::new();
                    for (&slot, value) in body.params.iter().zip(&wanted) {
                        match value {
                            Some(value) => inner.set(slot, *value),
                            None => free.push(slot),
                        }
                    }
                    set = set.union(&self.any(&free, &body.node, &mut inner, pos, neg));
                }
                set
            }
            Kind::Breached(rule, args) => self.breach(*rule, pattern(args, env), pos),
            Kind::Reached(term) => match value(term, env) {
                Some(V::Int(t)) => Intervals::one(t, NEVER),
                _ => open(self.most(pos)),
            },
            Kind::Ts(term) => match value(term, env) {
                Some(V::Int(t)) => Intervals::one(t, t),
                _ => open(self.most(pos)),
            },
            Kind::Compare(op, a, b) => {
                let most = self.most(pos);
                open(self.eval.compare(*op, a, b, env).unwrap_or(most))
            }
            Kind::Not(inner) => self.truth(inner, env, neg, pos).complement(),
            Kind::And(parts) => {
                let mut set = Intervals::all();
                for part in parts {
                    set = set.intersect(&self.truth(part, env, pos, neg));
                    // Where everything is known the rest is still looked at: what is absent there may count.
                    if set.is_empty() && self.known.is_some() {
                        break;
                    }
                }
                set
            }
            Kind::Or(parts) => {
                let mut set = Intervals::empty();
                for part in parts {
                    set = set.union(&self.truth(part, env, pos, neg));
                }
                set
            }
            Kind::Exists(names, inner) => self.any(names, inner, env, pos, neg),
            Kind::Once(reach, inner) => match far(reach, env) {
                Some(far) => self.earlier(inner, env, pos, neg, (reach.near, far)).once(reach.near, far),
                None => open(self.most(pos)),
            },
            Kind::Historically(reach, inner) => match far(reach, env) {
                Some(far) => self.earlier(inner, env, pos, neg, (reach.near, far)).historically(reach.near, far),
                None => open(self.most(pos)),
            },
            Kind::Duration(reach, inner, seconds) => match far(reach, env) {
                Some(far) => self.earlier(inner, env, pos, neg, (reach.near, far)).duration(reach.near, far, *seconds),
                None => open(self.most(pos)),
            },
            Kind::Since(reach, left, right) => match far(reach, env) {
                Some(far) => {
                    let right = self.earlier(right, env, pos, neg, (0, far));
                    self.earlier(left, env, pos, neg, (0, far)).since(&right, reach.near, far)
                }
                None => open(self.most(pos)),
            },
            Kind::Eventually(..) | Kind::Always(..) | Kind::Until(..) => Intervals::empty(),
        }
    }

    /// Union over all values of some variables.
    fn any(&mut self, names: &[Slot], inner: &Node, env: &mut Env, pos: Level, neg: Level) -> Intervals {
        let Some((&name, rest)) = names.split_first() else {
            return self.truth(inner, env, pos, neg).as_ref().clone();
        };
        let mut values = self.range(name, inner, env);
        values.insert(V::Fresh);
        let mut set = Intervals::empty();
        for value in values {
            env.set(name, value);
            set = set.union(&self.any(rest, inner, env, pos, neg));
            env.clear(name);
        }
        set
    }

    /// Values of a variable that are worth a look.
    pub(crate) fn range(&mut self, name: Slot, node: &Node, env: &mut Env) -> BTreeSet<V> {
        // Where everything is known, the least of what any part of a conjunction leaves is enough.
        let narrow = if self.known.is_none() { self.narrow(name, node, env) } else { None };
        let cut = self.as_of();
        let mut values = narrow.unwrap_or_else(|| candidates(self, name, node, env, cut, 0));
        self.instants(name, node, &mut values);
        if self.known.is_some() {
            self.terms(name, node, env, &mut values);
        }
        values
    }

    /// Values at which a term around a variable is one that matters: where not all is known, nothing else need bind it.
    fn terms(&mut self, name: Slot, node: &Node, env: &mut Env, values: &mut BTreeSet<V>) {
        if node.mask & bit(name) == 0 {
            return;
        }
        let program = self.eval.program;
        let around = |arg: &Expr| linear(arg).filter(|&(slot, more)| slot == name && more != 0).map(|(_, more)| more);
        let mut add = |found: V, more: i64| {
            if let V::Int(n) = found {
                values.insert(V::Int(n.saturating_sub(more)));
            }
        };
        match &node.kind {
            Kind::Fact(predicate, args) => {
                for (column, more) in args.iter().enumerate().filter_map(|(i, arg)| Some((i, around(arg)?))) {
                    for row in self.rows(*predicate, &vec![None; args.len()]) {
                        add(self.eval.facts.tables[*predicate].args(row)[column], more);
                    }
                }
            }
            Kind::Call(definition, args) => {
                for (column, more) in args.iter().enumerate().filter_map(|(i, arg)| Some((i, around(arg)?))) {
                    for body in &program.derived[*definition].bodies {
                        for found in self.range(body.params[column], &body.node, &mut Env::new(body.slots)) {
                            add(found, more);
                        }
                    }
                }
            }
            Kind::Compare(_, a, b) => {
                for (side, term) in [(a, b), (b, a)] {
                    if let (Some(more), Some(found)) = (around(side), value(term, env)) {
                        add(found, more);
                    }
                }
            }
            _ => node.parts().for_each(|part| self.terms(name, part, env, values)),
        }
    }

    /// Where `ts(x)` binds x, an event beside it says to which instants.
    fn instants(&self, name: Slot, node: &Node, values: &mut BTreeSet<V>) {
        fn look(program: &Program, node: &Node, found: &mut (BTreeSet<usize>, BTreeSet<Slot>)) {
            match &node.kind {
                Kind::Fact(predicate, _) => {
                    found.0.insert(*predicate);
                }
                Kind::Call(definition, _) => {
                    let mut within = (BTreeSet::new(), BTreeSet::new());
                    program.derived[*definition].bodies.iter().for_each(|body| look(program, &body.node, &mut within));
                    found.0.extend(within.0);
                }
                Kind::Ts(Expr::Slot(slot)) => {
                    found.1.insert(*slot);
                }
                _ => node.parts().for_each(|part| look(program, part, found)),
            }
        }
        let mut found = Default::default();
        look(self.eval.program, node, &mut found);
        if found.1.contains(&name) {
            let told = self.eval.facts.told.iter().enumerate();
            let told = told.filter(|(i, told)| {
                told.live
                    && told.from == told.to
                    && told.from <= self.as_of()
                    && found.0.contains(&told.predicate)
                    && self.known.as_ref().is_none_or(|known| known.present.contains(i))
            });
            values.extend(told.map(|(_, told)| V::Int(told.from)));
        }
    }

    fn narrow(&mut self, name: Slot, node: &Node, env: &mut Env) -> Option<BTreeSet<V>> {
        if node.mask & bit(name) == 0 {
            return None;
        }
        match &node.kind {
            Kind::Fact(_, args) | Kind::Call(_, args) | Kind::Breached(_, args) => {
                let direct = args.iter().any(|arg| matches!(arg, Expr::Slot(slot) if *slot == name));
                let cut = self.as_of();
                direct.then(|| self.values(name, node, env, cut))
            }
            Kind::Compare(Comparison::Equal, a, b) => [(a, b), (b, a)].into_iter().find_map(|(side, term)| {
                let direct = matches!(side, Expr::Slot(slot) if *slot == name) && term.mask() & bit(name) == 0;
                direct.then(|| value(term, env)).flatten().map(|value| BTreeSet::from([value]))
            }),
            Kind::And(parts) => {
                let mut best: Option<BTreeSet<V>> = None;
                for part in parts {
                    if let Some(found) = self.narrow(name, part, env)
                        && best.as_ref().is_none_or(|best| found.len() < best.len())
                    {
                        best = Some(found);
                    }
                }
                best
            }
            Kind::Or(parts) => {
                let mut all = BTreeSet::new();
                for part in parts {
                    all.extend(self.narrow(name, part, env)?);
                }
                Some(all)
            }
            Kind::Exists(_, f) | Kind::Once(_, f) | Kind::Since(_, _, f) => self.narrow(name, f, env),
            _ => None,
        }
    }

    /// Where some instance of a rule has been breached.
    fn breach(&mut self, rule: usize, wanted: Vec<Option<V>>, level: Level) -> Intervals {
        if wanted.contains(&Some(V::Fresh)) {
            return Intervals::empty();
        }
        let certain = matches!(level, Level::CertainLeast | Level::CertainMost);
        let rows = self.eval.breached(rule, wanted.clone());
        let pick = |pair: &crate::facts::Pair| if certain { pair.certain.clone() } else { pair.possible.clone() };
        let given = rows.iter().map(|(_, pair)| pick(pair)).fold(Intervals::empty(), |set, more| set.union(&more));
        if self.most(level) || given.is_empty() {
            return given;
        }
        let mut set = Intervals::empty();
        let (open_pos, open_neg) = if certain {
            (Level::CertainLeast, Level::PossibleMost)
        } else {
            (Level::PossibleLeast, Level::CertainMost)
        };
        for opening in self.eval.openings(rule, &wanted) {
            if opening.opened <= self.as_of() && self.opens(rule, &opening, open_pos, open_neg) {
                let t = self.violated(rule, &opening, open_neg, open_pos);
                if t <= self.as_of() && self.lapse(rule, &opening, open_neg, open_pos) >= t {
                    set = set.union(&Intervals::one(t, NEVER));
                }
            }
        }
        set
    }

    pub(crate) fn env(&self, rule: usize, opening: &Opening) -> Env {
        let duty = &self.eval.program.duties[rule];
        let mut env = Env::new(duty.slots);
        for (&slot, &value) in duty.key.iter().zip(&opening.key) {
            env.set(slot, value);
        }
        env
    }

    /// Whether the rule's opening holds at the instant.
    pub(crate) fn opens(&mut self, rule: usize, opening: &Opening, pos: Level, neg: Level) -> bool {
        let program = self.eval.program;
        let duty = &program.duties[rule];
        let mut env = self.env(rule, opening);
        let free: Vec<Slot> = slots(duty.opens.mask & !env.bound).collect();
        let at = opening.opened;
        self.within((at, at), |world| world.any(&free, &duty.opens, &mut env, pos, neg)).contains(at)
    }

    pub(crate) fn how(&self, rule: usize, opening: &Opening, pos: Level, neg: Level) -> How {
        let since = self.eval.program.duties[rule].since.map(|_| opening.since);
        How { pos, neg, since, cut: self.as_of() }
    }

    /// sat and vio of what is owed, or of a part of it.
    pub(crate) fn settled(&mut self, node: &Node, env: &mut Env, how: How, at: Instant) -> (Instant, Instant) {
        let both = settle(self, node, env, how, at, at);
        (both.sat.at(at), both.vio.at(at))
    }

    pub(crate) fn owed(&mut self, rule: usize, opening: &Opening, pos: Level, neg: Level) -> (Instant, Instant) {
        let program = self.eval.program;
        let mut env = self.env(rule, opening);
        let how = self.how(rule, opening, pos, neg);
        self.settled(&program.duties[rule].must, &mut env, how, opening.opened)
    }

    pub(crate) fn violated(&mut self, rule: usize, opening: &Opening, pos: Level, neg: Level) -> Instant {
        self.owed(rule, opening, pos, neg).1
    }

    pub(crate) fn lapse(&mut self, rule: usize, opening: &Opening, pos: Level, neg: Level) -> Instant {
        let program = self.eval.program;
        let Some(lapses) = &program.duties[rule].lapses else { return NEVER };
        let mut env = self.env(rule, opening);
        let span = (opening.opened, NEVER);
        self.within(span, |world| world.truth(lapses, &mut env, pos, neg)).first_from(opening.opened).unwrap_or(NEVER)
    }

    /// Whether the state follows from what is known.
    pub(crate) fn follows(&mut self, goal: &Goal) -> bool {
        use Level::{CertainLeast, CertainMost, PossibleLeast, PossibleMost};
        let (rule, opening, as_of) = (goal.rule, &goal.opening, self.as_of());
        match goal.state {
            State::Breached => {
                let opens = self.opens(rule, opening, CertainLeast, PossibleMost);
                let latest = self.violated(rule, opening, PossibleMost, CertainLeast);
                let lapse = self.lapse(rule, opening, PossibleMost, CertainLeast);
                opens && latest <= as_of && lapse >= latest
            }
            State::Kept => {
                let opens = self.opens(rule, opening, PossibleLeast, CertainMost);
                let (latest, _) = self.owed(rule, opening, CertainLeast, PossibleMost);
                if !opens || latest <= as_of {
                    return opens;
                }
                let lapse = self.lapse(rule, opening, CertainLeast, PossibleMost);
                let (_, earliest) = self.owed(rule, opening, CertainLeast, PossibleMost);
                lapse <= as_of && earliest > lapse
            }
            State::Disputed => {
                let opens = self.opens(rule, opening, PossibleLeast, CertainMost);
                let latest = self.violated(rule, opening, CertainMost, PossibleLeast);
                let lapse = self.lapse(rule, opening, CertainMost, PossibleLeast);
                if !opens || latest > as_of || lapse < latest {
                    return false;
                }
                let earliest = self.violated(rule, opening, PossibleLeast, CertainMost);
                earliest > as_of
                    || !self.opens(rule, opening, CertainMost, PossibleLeast)
                    || self.lapse(rule, opening, PossibleLeast, CertainMost) < earliest
            }
            State::Pending => {
                self.opens(rule, opening, PossibleLeast, CertainMost)
                    && self.violated(rule, opening, CertainLeast, PossibleMost) > as_of
                    && self.owed(rule, opening, CertainMost, PossibleLeast).0 > as_of
                    && self.lapse(rule, opening, CertainMost, PossibleLeast) > as_of
            }
        }
    }

    /// From now on nothing is known but this. Of instants at which a fact is that is not named, a range says nothing.
    pub(crate) fn know(&mut self, present: &[FactId], absent: &[Absence]) {
        let program = self.eval.program;
        let facts = self.eval.facts;
        let present = facts.numbers(present);
        let mut known = Known { present, absent: Vec::new(), facts: Arc::default() };
        for Absence { predicate, args, from, to } in absent {
            let args = args.iter().map(|value| value.as_ref().map_or(Some(None), |v| facts.words.know(v).map(Some)));
            let (Some(&predicate), Some(args)) = (program.predicate.get(predicate), args.collect::<Option<Vec<_>>>())
            else {
                continue;
            };
            let told = self.told_within(predicate, &args, (*from, *to));
            let told = told.into_iter().filter(|i| !known.present.contains(i));
            let holes = told.map(|i| (facts.told[i].from, facts.told[i].to)).collect();
            let left = Intervals::one(*from, *to).difference(&Intervals::from_unsorted(holes));
            let of = (predicate, args);
            known.absent.extend(left.iter().map(|(from, to)| Gap { of: of.clone(), from, to, cut: true }));
        }
        self.known = Some(known);
    }

    fn weigh(&mut self, known: Known, asked: &mut dyn FnMut(&mut Self) -> bool) -> bool {
        self.known = Some(known);
        self.truths.clear();
        let follows = asked(self);
        self.known = None;
        self.truths.clear();
        follows
    }

    /// Everything that was looked at while something was asked where all is known.
    fn looked_at(&mut self, asked: &mut dyn FnMut(&mut Self) -> bool) -> Known {
        self.known = None;
        self.truths.clear();
        self.touched.clear();
        self.asked.clear();
        asked(self);
        self.truths.clear();
        let mut facts = BTreeMap::new();
        let mut absent = Vec::new();
        for (of, (from, to)) in std::mem::take(&mut self.asked) {
            let told = self.told_within(of.0, &of.1, (from, to));
            self.touched.extend(&told);
            facts.insert(of.clone(), told);
            absent.push(Gap { of, from, to, cut: false });
        }
        // The more general first: they are dropped first.
        absent.sort_by_key(|gap| (gap.of.1.iter().flatten().count(), gap.clone()));
        Known { present: std::mem::take(&mut self.touched), absent, facts: Arc::new(facts) }
    }

    /// Drops facts as long as what is asked still follows; the greatest ids go first.
    fn lean(&mut self, mut known: Known, asked: &mut dyn FnMut(&mut Self) -> bool) -> Known {
        let facts = self.eval.facts;
        let mut ids: Vec<usize> = known.present.iter().copied().collect();
        ids.sort_by(|&a, &b| facts.told[b].id.cmp(&facts.told[a].id));
        // In chunks: a chunk can go at once exactly if its members can go one by one.
        let mut chunks: Vec<Vec<usize>> = vec![ids];
        while let Some(mut chunk) = chunks.pop() {
            if chunk.is_empty() {
                continue;
            }
            let less = Known { present: &known.present - &chunk.iter().copied().collect(), ..known.clone() };
            if self.weigh(less.clone(), asked) {
                known = less;
            } else if chunk.len() > 1 {
                let second = chunk.split_off(chunk.len() / 2);
                chunks.push(second);
                chunks.push(chunk);
            }
        }
        known
    }

    /// Cuts ranges around the facts that were dropped, drops what is not needed, then the ends of what is.
    fn narrowed(&mut self, mut known: Known, asked: &mut dyn FnMut(&mut Self) -> bool) -> Known {
        known.absent = self.pieces(&known);
        let mut chunks: Vec<Vec<Gap>> = vec![known.absent.clone()];
        while let Some(mut chunk) = chunks.pop() {
            if chunk.is_empty() {
                continue;
            }
            let mut less = known.clone();
            less.absent.retain(|gap| !chunk.contains(gap));
            if self.weigh(less.clone(), asked) {
                known = less;
            } else if chunk.len() > 1 {
                let second = chunk.split_off(chunk.len() / 2);
                chunks.push(second);
                chunks.push(chunk);
            }
        }
        // The line begins before its first instant: a range that must reach that one has no beginning.
        let since_ever = |from: Instant| if from == SINCE_EVER + 1 { SINCE_EVER } else { from };
        for i in 0..known.absent.len() {
            for begin in [true, false] {
                let gap = &known.absent[i];
                // The shortest range that will do, by halving: one that will do still will when longer.
                let (mut short, mut long) = if begin {
                    (i128::from(gap.to), i128::from(gap.from))
                } else {
                    (i128::from(gap.from), i128::from(gap.to))
                };
                // Most ends stay, and one try shows it: the first tries are steps from the end itself, each double.
                let mut step = 1_i128;
                while (short - long).abs() > 0 {
                    let half = ((short - long).abs() + 1) / 2;
                    let by = half.min(step);
                    let middle = if begin { long + by } else { long - by };
                    step = step.saturating_mul(2);
                    let Ok(t) = Instant::try_from(middle) else { break };
                    let mut less = known.clone();
                    if begin {
                        less.absent[i].from = t;
                    } else {
                        less.absent[i].to = t;
                    }
                    if self.weigh(less.clone(), asked) {
                        known = less;
                        long = middle;
                    } else if begin {
                        short = middle - 1;
                    } else {
                        short = middle + 1;
                    }
                }
            }
        }
        for gap in &mut known.absent {
            gap.from = since_ever(gap.from);
        }
        known
    }

    fn pieces(&self, known: &Known) -> Vec<Gap> {
        let facts = self.eval.facts;
        let cut = |gap: &Gap| {
            let of = gap.of.clone();
            let pieces: Vec<_> = known.empty(gap, facts).iter().collect();
            pieces.into_iter().map(move |(from, to)| Gap { of: of.clone(), from, to, cut: true })
        };
        known.absent.iter().flat_map(cut).collect()
    }

    /// Facts that opened an instance.
    pub(crate) fn opened_by(&mut self, goal: &Goal) -> Vec<FactId> {
        let (pos, neg) = if goal.opening.certain {
            (Level::CertainLeast, Level::PossibleMost)
        } else {
            (Level::PossibleLeast, Level::CertainMost)
        };
        let mut asked = |world: &mut Self| world.opens(goal.rule, &goal.opening, pos, neg);
        let known = self.looked_at(&mut asked);
        let known = self.lean(known, &mut asked);
        self.ids(&known.present)
    }

    /// Facts of which none can be dropped: with what is absent the state follows from these.
    pub(crate) fn present(&mut self, goal: &Goal) -> BTreeSet<usize> {
        let mut asked = |world: &mut Self| world.follows(goal);
        let known = self.looked_at(&mut asked);
        if self.weigh(known.clone(), &mut asked) { self.lean(known, &mut asked).present } else { known.present }
    }

    /// Facts present and ranges absent from which alone the state follows and of which none can be dropped.
    pub(crate) fn minimal(&mut self, goal: &Goal) -> (BTreeSet<usize>, Vec<Absence>) {
        let mut asked = |world: &mut Self| world.follows(goal);
        let mut known = self.looked_at(&mut asked);
        if self.weigh(known.clone(), &mut asked) {
            known = self.lean(known, &mut asked);
            known = self.narrowed(known, &mut asked);
        } else {
            known.absent = self.pieces(&known);
        }
        let program = self.eval.program;
        let words = &self.eval.facts.words;
        let name = |index: usize| program.predicate.iter().find(|&(_, &i)| i == index).map(|(name, _)| name.clone());
        let mut absent: Vec<Absence> = known
            .absent
            .iter()
            .filter_map(|gap| {
                let args = gap.of.1.iter().map(|value| value.map(|v| words.say(v))).collect();
                Some(Absence { predicate: name(gap.of.0)?, args, from: gap.from, to: gap.to })
            })
            .collect();
        absent.sort();
        (known.present, absent)
    }

    pub(crate) fn ids(&self, facts: &BTreeSet<usize>) -> Vec<FactId> {
        let mut ids: Vec<FactId> = facts.iter().map(|&i| self.eval.facts.told[i].id.clone()).collect();
        ids.sort();
        ids
    }

    pub(crate) fn program(&self) -> &'a crate::program::Program {
        self.eval.program
    }
}

/// How often a flip may be tried before the search gives up.
const TRIES: usize = 20_000;

/// A smallest set of at most three facts without which an instance that is still open stands otherwise; of several
/// the first by ids. What is not part of the evidence for a state can go without changing it, so only evidence is
/// tried, and then the evidence that is left.
pub(crate) fn flip<'a>(
    goal: &Goal,
    world: impl Fn(WhatIf) -> Eval<'a>,
    state_without: impl Fn(&BTreeSet<usize>) -> Option<State>,
) -> Option<BTreeSet<usize>> {
    let order = |set: &BTreeSet<usize>, world: &Evidence<'_>| world.ids(set);
    let mut tries = 0;
    let mut rows: BTreeSet<BTreeSet<usize>> = BTreeSet::from([BTreeSet::new()]);
    for size in 1..=3 {
        let mut next = BTreeSet::new();
        let mut found: Vec<BTreeSet<usize>> = Vec::new();
        for removed in &rows {
            let mut evidence = Evidence::new(world(WhatIf { removed: removed.clone(), ..WhatIf::default() }));
            let (present, _) = evidence.minimal(goal);
            for fact in present {
                let mut more = removed.clone();
                more.insert(fact);
                if next.contains(&more) || found.contains(&more) {
                    continue;
                }
                tries += 1;
                if tries > TRIES {
                    return None;
                }
                match state_without(&more) {
                    Some(state) if state != goal.state => found.push(more),
                    Some(_) if size < 3 => {
                        next.insert(more);
                    }
                    _ => {}
                }
            }
        }
        let names = Evidence::new(world(WhatIf::default()));
        if let Some(best) = found.into_iter().min_by_key(|set| order(set, &names)) {
            return Some(best);
        }
        rows = next;
    }
    None
}
