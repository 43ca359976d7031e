//! Finds the argument for a verdict, step by step, for [`Checker`](crate::Checker) to go through.
//!
//! ```text
//! (p(x) OR q(x)) holds in 3..9    split:  by part 0 in 3..5, by part 1 in 6..9
//! ```
//! For every formula it is known where it holds, and where it is settled; so an argument is written down from the top,
//! and at each choice the one is taken that reaches furthest. Where a variable stands for all values that no fact
//! names, a choice may turn out not to be provable of all of them; then the next one is tried.
use crate::argument::{Argument, By, Claim, Excuse, Of, Opened, Piece, Step, Valuation, Why};
use crate::evidence::{Evidence, Goal};
use crate::fact::{FactId, Instant, NEVER, SINCE_EVER, Value};
use crate::formula::{Comparison, Name, Type};
use crate::intervals::{Far, Intervals, minus, plus};
use crate::monitor::{Instance, State};
use crate::openings::Opening;
use crate::program::{Expr, Kind, Node, Reach, Slot, V, bit};
use crate::relation::{Env, Span, far, linear, pattern, value};
use crate::settle::{How, Level, settle};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is not settled by this instant never is: the ends of the line are no instants.
const LAST: Instant = NEVER - 2;

/// What is to be shown of a formula.
#[derive(Clone, Copy, Debug)]
struct Ask {
    holds: bool,
    asserted: bool,
    by: By,
    since: Option<Instant>,
}

impl Ask {
    fn now(asserted: bool, holds: bool) -> Ask {
        Ask { holds, asserted, by: By::Now, since: None }
    }

    fn turned(self) -> Ask {
        Ask { holds: !self.holds, asserted: !self.asserted, ..self }
    }

    /// Inside a window.
    fn inner(self) -> Ask {
        Ask { since: None, ..self }
    }

    /// Which facts count: where not all is known, what holds for sure, and what does for sure not fail.
    fn levels(self) -> (Level, Level) {
        match (self.asserted, self.holds) {
            (true, true) => (Level::PossibleLeast, Level::CertainMost),
            (true, false) => (Level::PossibleMost, Level::CertainLeast),
            (false, true) => (Level::CertainLeast, Level::PossibleMost),
            (false, false) => (Level::CertainMost, Level::PossibleLeast),
        }
    }
}

/// Variables of one rule or definition, inside and as the argument states them.
#[derive(Clone)]
struct Scope {
    env: Env,
    names: Arc<[Name]>,
    of: Valuation,
    /// Variables that stand for all values but these.
    other: BTreeMap<Slot, Vec<V>>,
}

/// Where the window of an operator begins and ends, seen from an instant, and the other way round.
struct Windows {
    near: i64,
    far: Far,
    back: bool,
    since: Option<Instant>,
}

impl Windows {
    fn new(reach: &Reach, far: Far, back: bool, ask: Ask) -> Windows {
        Windows { near: reach.near, far, back, since: if back { None } else { ask.since } }
    }

    fn start(&self, t: Instant) -> Instant {
        self.since.map_or(t, |since| since.min(t))
    }

    fn first(&self, t: Instant) -> Instant {
        match self.back {
            true => self.far.map_or(SINCE_EVER, |far| minus(t, far)),
            false => plus(self.start(t), self.near),
        }
    }

    fn last(&self, t: Instant) -> Instant {
        match self.back {
            true => minus(t, self.near),
            false => self.far.map_or(NEVER, |far| plus(t, far)),
        }
    }

    /// The last instant whose window begins by another.
    fn begun_by(&self, s: Instant) -> Instant {
        match self.back {
            _ if self.since.is_some() => NEVER,
            true => self.far.map_or(NEVER, |far| plus(s, far)),
            false => minus(s, self.near),
        }
    }

    /// The last instant whose window ends by another.
    fn ended_by(&self, s: Instant) -> Instant {
        match self.back {
            _ if self.since.is_some() => NEVER,
            true => plus(s, self.near),
            false => self.far.map_or(if s == NEVER { NEVER } else { SINCE_EVER }, |far| minus(s, far)),
        }
    }
}

type Argued = Option<Step>;

impl Evidence<'_> {
    /// The argument for an instance as it stands; from all facts, or from the evidence that is known. `silent`: the
    /// facts as they were before what settled it.
    pub(crate) fn argument(&mut self, goal: &Goal, instance: &Instance, silent: &mut Evidence<'_>) -> Option<Argument> {
        let (rule, as_of) = (goal.rule, self.as_of());
        let exact = self.known.is_none();
        let mut opening = goal.opening.clone();
        let mut steps = Vec::new();
        if !exact {
            // Either reading will do for all but a breach.
            opening.certain = opening.certain && self.opens(rule, &opening, Level::CertainLeast, Level::PossibleMost);
        }
        let opened = self.opened(rule, &opening, &mut steps)?;
        let at = opening.opened;
        let day_before = |t: Instant| t.saturating_sub(1);
        let mut argument = Argument { opened, settled: as_of, excuse: None, lapses: false, steps: Vec::new() };
        let surely = |t| By::Surely(t);
        let perhaps = |t| By::Perhaps(t);
        match instance.state {
            State::Breached => {
                let t = self.violated(rule, &opening, Level::PossibleMost, Level::CertainLeast);
                argument.settled = t;
                self.lapses_in(rule, &opening, true, false, (at, day_before(t)), &mut steps)?;
                steps.push(self.must(rule, &opening, true, false, surely(t))?);
                if exact {
                    steps.push(self.must(rule, &opening, true, true, perhaps(day_before(t)))?);
                }
            }
            State::Disputed => {
                let t = self.violated(rule, &opening, Level::CertainMost, Level::PossibleLeast);
                argument.settled = t;
                self.lapses_in(rule, &opening, false, false, (at, day_before(t)), &mut steps)?;
                steps.push(self.must(rule, &opening, false, false, surely(t))?);
                if exact {
                    steps.push(self.must(rule, &opening, false, true, perhaps(day_before(t)))?);
                }
                argument.excuse = Some(self.excuse(rule, &opening, true, as_of, &mut steps)?);
            }
            State::Kept => {
                let sat = self.owed(rule, &opening, Level::CertainLeast, Level::PossibleMost).0;
                let lapse = self.lapse(rule, &opening, Level::CertainLeast, Level::PossibleMost);
                let lapses = if exact { instance.lapsed } else { sat > as_of };
                argument.settled = if lapses { lapse } else { sat };
                let t = argument.settled;
                if lapses {
                    argument.lapses = !exact;
                    self.lapsed(rule, &opening, t, exact, &mut steps)?;
                } else {
                    steps.push(self.must(rule, &opening, false, true, surely(t))?);
                    if exact {
                        steps.push(self.must(rule, &opening, false, false, perhaps(day_before(t)))?);
                        self.lapses_in(rule, &opening, false, false, (at, day_before(t)), &mut steps)?;
                    }
                }
            }
            State::Pending => {
                self.lapses_in(rule, &opening, false, false, (at, as_of), &mut steps)?;
                steps.push(self.must(rule, &opening, false, true, perhaps(as_of))?);
                steps.push(self.must(rule, &opening, false, false, perhaps(as_of))?);
            }
        }
        if exact && !matches!(instance.state, State::Breached | State::Disputed) {
            argument.lapses = silent.silence(rule, &opening, instance, &mut steps)?;
        }
        argument.steps = steps;
        Some(argument)
    }

    /// What silence would bring, with facts cut where they are here. Whether it would lapse.
    fn silence(&mut self, rule: usize, opening: &Opening, instance: &Instance, steps: &mut Vec<Step>) -> Option<bool> {
        let at = opening.opened;
        if let Some(due) = instance.due {
            self.lapses_in(rule, opening, false, false, (at, due - 1), steps)?;
            steps.push(self.must(rule, opening, false, false, By::Surely(due))?);
            steps.push(self.must(rule, opening, false, true, By::Perhaps(due - 1))?);
            return Some(false);
        }
        if let Some(until) = instance.until {
            let sat = self.owed(rule, opening, Level::CertainLeast, Level::PossibleMost).0;
            if sat != until {
                self.lapsed(rule, opening, until, true, steps)?;
                return Some(true);
            }
            steps.push(self.must(rule, opening, false, true, By::Surely(until))?);
            steps.push(self.must(rule, opening, false, false, By::Perhaps(until - 1))?);
            self.lapses_in(rule, opening, false, false, (at, until - 1), steps)?;
            return Some(false);
        }
        self.lapses_in(rule, opening, false, false, (at, LAST), steps)?;
        steps.push(self.must(rule, opening, false, true, By::Perhaps(LAST))?);
        steps.push(self.must(rule, opening, false, false, By::Perhaps(LAST))?);
        Some(false)
    }

    fn key(&self, rule: usize, opening: &Opening) -> Scope {
        let duty = &self.eval.program.duties[rule];
        let of = duty
            .key
            .iter()
            .zip(&opening.key)
            .map(|(&slot, &v)| (duty.names[slot].clone(), Of::One(self.eval.facts.words.say(v))));
        let (names, of) = (duty.names.clone(), Arc::new(of.collect()));
        Scope { env: self.env(rule, opening), names, of, other: BTreeMap::new() }
    }

    /// How an instance opened, with the steps that show it.
    fn opened(&mut self, rule: usize, opening: &Opening, steps: &mut Vec<Step>) -> Option<Opened> {
        let program = self.eval.program;
        let duty = &program.duties[rule];
        let (scope, at, certain) = (self.key(rule, opening), opening.opened, opening.certain);
        let since: Vec<Slot> = duty.since.into_iter().collect();
        let opened = Opened {
            key: opening.key.iter().map(|&v| self.eval.facts.words.say(v)).collect(),
            opened: at,
            since: opening.since,
            certain,
        };
        steps.push(self.some(&since, &duty.opens, &scope, Ask::now(!certain, true), (at, at))?);
        if self.known.is_some() {
            return Some(opened);
        }
        steps.push(self.some(&since, &duty.opens, &scope, Ask::now(true, false), (at - 1, at - 1))?);
        if !certain {
            steps.push(self.some(&since, &duty.opens, &scope, Ask::now(false, false), (at, at))?);
        }
        if let Some(slot) = duty.since {
            let ask = Ask::now(!certain, false);
            steps.push(self.no_earlier_account(slot, &duty.opens, &scope, opening.since, ask, at)?);
            if opening.since < at {
                let mut scope = scope.clone();
                self.set(&mut scope, slot, V::Int(opening.since), Of::One(Value::Int(opening.since)));
                steps.push(self.argue(&duty.opens, &scope, Ask::now(!certain, true), (at, at))?);
            }
        }
        Some(opened)
    }

    /// `EXISTS since. (opens AND since < account)` fails.
    fn no_earlier_account(
        &mut self,
        slot: Slot,
        opens: &Node,
        scope: &Scope,
        account: Instant,
        ask: Ask,
        at: Instant,
    ) -> Argued {
        let name = scope.names[slot].clone();
        let earlier: Arc<str> = Arc::from(format!("{name} < {account}"));
        let both: Arc<str> = Arc::from(format!("({} AND {earlier})", opens.text));
        let text: Arc<str> = Arc::from(format!("(EXISTS {name}. {both})"));
        let mut env = scope.env.clone();
        let values: Vec<V> = self.listed(slot, opens, &mut env).into_iter().collect();
        let said: Vec<Value> = values.iter().map(|&v| self.eval.facts.words.say(v)).collect();
        let mut steps = Vec::new();
        for value in values.iter().copied().map(Some).chain([None]) {
            let mut inner = scope.clone();
            match value {
                Some(v) => {
                    let of = Of::One(self.eval.facts.words.say(v));
                    self.set(&mut inner, slot, v, of);
                }
                None => self.set_other(&mut inner, slot, &values, &said),
            }
            let late = matches!(value, Some(V::Int(v)) if v >= account);
            let (why, child) = if late {
                let claim = claim(&earlier, &inner, ask, (at, at));
                (Why::Part(1), Step { claim, why: Why::Plain, steps: vec![] })
            } else {
                (Why::Part(0), self.argue(opens, &inner, ask, (at, at))?)
            };
            steps.push(Step { claim: claim(&both, &inner, ask, (at, at)), why, steps: vec![child] });
        }
        Some(Step { claim: claim(&text, scope, ask, (at, at)), why: Why::Each(said), steps })
    }

    fn must(&mut self, rule: usize, opening: &Opening, asserted: bool, holds: bool, by: By) -> Argued {
        let program = self.eval.program;
        let duty = &program.duties[rule];
        let (scope, at) = (self.key(rule, opening), opening.opened);
        let since = duty.since.map(|_| opening.since);
        self.argue(&duty.must, &scope, Ask { holds, asserted, by, since }, (at, at))
    }

    fn lapses_in(
        &mut self,
        rule: usize,
        opening: &Opening,
        asserted: bool,
        holds: bool,
        span: Span,
        steps: &mut Vec<Step>,
    ) -> Option<()> {
        let program = self.eval.program;
        let Some(lapses) = &program.duties[rule].lapses else { return (!holds).then_some(()) };
        if span.0 <= span.1 {
            let scope = self.key(rule, opening);
            steps.push(self.argue(lapses, &scope, Ask::now(asserted, holds), span)?);
        }
        Some(())
    }

    fn lapsed(&mut self, rule: usize, opening: &Opening, t: Instant, exact: bool, steps: &mut Vec<Step>) -> Option<()> {
        self.lapses_in(rule, opening, false, true, (t, t), steps)?;
        steps.push(self.must(rule, opening, false, true, By::Perhaps(t))?);
        if exact {
            steps.push(self.must(rule, opening, false, false, By::Perhaps(t))?);
            self.lapses_in(rule, opening, false, false, (opening.opened, t.saturating_sub(1)), steps)?;
        }
        Some(())
    }

    /// Why an instance was not breached by an instant.
    fn excuse(
        &mut self,
        rule: usize,
        opening: &Opening,
        asserted: bool,
        by: Instant,
        steps: &mut Vec<Step>,
    ) -> Option<Excuse> {
        if asserted && !opening.certain {
            if self.known.is_none() {
                return Some(Excuse::NotAdmitted);
            }
            let program = self.eval.program;
            let duty = &program.duties[rule];
            let since: Vec<Slot> = duty.since.into_iter().collect();
            let (scope, at) = (self.key(rule, opening), opening.opened);
            if let Some(step) = self.some(&since, &duty.opens, &scope, Ask::now(false, false), (at, at)) {
                steps.push(step);
                return Some(Excuse::NotAdmitted);
            }
        }
        let (pos, neg) = Ask::now(asserted, true).levels();
        let vio = self.owed(rule, opening, pos, neg).1;
        if vio > by
            && let Some(step) = self.must(rule, opening, asserted, true, By::Perhaps(by))
        {
            steps.push(step);
            return Some(Excuse::Owed);
        }
        let t = self.lapse(rule, opening, pos, neg);
        if !asserted {
            self.lapsed(rule, opening, t, true, steps)?;
        } else {
            self.lapses_in(rule, opening, true, true, (t, t), steps)?;
            steps.push(self.must(rule, opening, true, true, By::Perhaps(t))?);
        }
        Some(Excuse::Lapsed(t))
    }

    fn set(&self, scope: &mut Scope, slot: Slot, v: V, of: Of) {
        scope.env.set(slot, v);
        scope.other.remove(&slot);
        let mut valuation = BTreeMap::clone(&scope.of);
        valuation.insert(scope.names[slot].clone(), of);
        scope.of = Arc::new(valuation);
    }

    fn set_other(&self, scope: &mut Scope, slot: Slot, values: &[V], said: &[Value]) {
        self.set(scope, slot, V::Fresh, Of::Other(said.to_vec()));
        scope.other.insert(slot, values.to_vec());
    }

    /// Where a claim is true, within a stretch.
    fn region(&mut self, node: &Node, scope: &Scope, ask: Ask, (from, to): Span) -> Intervals {
        let ((pos, neg), mut env) = (ask.levels(), scope.env.clone());
        let set = match ask.by {
            By::Now => {
                let set = self.within((from, to), |world| world.truth(node, &mut env, pos, neg));
                if ask.holds { Intervals::clone(&set) } else { set.complement() }
            }
            By::Surely(t) | By::Perhaps(t) => {
                let how = How { pos, neg, since: ask.since, cut: self.as_of() };
                let both = settle(self, node, &mut env, how, from, to);
                match (ask.by, ask.holds) {
                    (By::Surely(_), true) => both.sat.by(t),
                    (By::Surely(_), false) => both.vio.by(t),
                    (_, true) => both.vio.by(t).complement(),
                    (_, false) => both.sat.by(t).complement(),
                }
            }
        };
        set.intersect(&Intervals::one(from, to))
    }

    /// The same with some variables quantified.
    fn some_region(&mut self, names: &[Slot], inner: &Node, scope: &Scope, ask: Ask, span: Span) -> Intervals {
        let Some((&name, rest)) = names.split_first() else { return self.region(inner, scope, ask, span) };
        let mut env = scope.env.clone();
        let mut values = self.listed(name, inner, &mut env);
        values.insert(V::Fresh);
        let mut all: Option<Intervals> = None;
        for value in values {
            let mut scope = scope.clone();
            scope.env.set(name, value);
            let set = self.some_region(rest, inner, &scope, ask, span);
            all = Some(match all {
                None => set,
                Some(all) if ask.holds => all.union(&set),
                Some(all) => all.intersect(&set),
            });
        }
        all.unwrap_or_default()
    }

    /// Covers a stretch by choices that are right in parts of it; those that reach furthest first.
    fn choose(
        &mut self,
        (from, to): Span,
        regions: &[Intervals],
        whole: Claim,
        mut make: impl FnMut(&mut Self, usize, Span) -> Argued,
    ) -> Argued {
        let (mut at, mut parts) = (from, Vec::new());
        loop {
            let ends = regions.iter().enumerate();
            let ends = ends.filter_map(|(i, set)| set.holding(at).map(|(_, end)| (end.min(to), i)));
            let mut ends: Vec<(Instant, usize)> = ends.collect();
            ends.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
            let (end, step) = ends.into_iter().find_map(|(end, i)| Some((end, make(self, i, (at, end))?)))?;
            parts.push(step);
            if end == to {
                return split(parts, whole);
            }
            at = end + 1;
        }
    }

    /// The steps to a claim about a formula, if it can be shown.
    fn argue(&mut self, node: &Node, scope: &Scope, ask: Ask, span: Span) -> Argued {
        let (from, to) = span;
        let windows = match &node.kind {
            Kind::Once(r, _) | Kind::Historically(r, _) | Kind::Since(r, ..) | Kind::Duration(r, ..) => Some((r, true)),
            Kind::Eventually(r, _) | Kind::Always(r, _) | Kind::Until(r, ..) => Some((r, false)),
            _ => None,
        };
        // A window that may end anywhere is within an unbounded one.
        let end = windows.and_then(|(reach, _)| far(reach, &scope.env));
        let anywhere = windows.is_some() && end.is_none();
        let empty = windows.is_some_and(|(reach, _)| end.flatten().is_some_and(|far| far < reach.near));
        let windows = windows.map(|(reach, back)| Windows::new(reach, end.flatten(), back, ask));
        let mut inner = ask;
        if node.past || empty {
            match ask.by {
                By::Perhaps(t) if from > t => return step(node, scope, ask, span, Why::Open, vec![]),
                By::Perhaps(t) if to > t => {
                    let parts = [(from, t), (t + 1, to)].map(|span| self.argue(node, scope, ask, span));
                    return split(parts.into_iter().collect::<Option<_>>()?, claim(&node.text, scope, ask, span));
                }
                By::Surely(t) if to > t => return None,
                _ => inner.by = By::Now,
            }
        }
        let plain = |shown: bool| if shown { step(node, scope, ask, span, Why::Plain, vec![]) } else { None };
        match &node.kind {
            Kind::True => plain(ask.holds),
            Kind::Fact(predicate, args) => {
                let ids = self.facts_of(node, *predicate, args, scope, inner, span)?;
                step(node, scope, ask, span, Why::Facts(ids), vec![])
            }
            Kind::Reached(_) | Kind::Ts(_) | Kind::Compare(..) => {
                plain(self.shown_by_terms(node, scope, span)? == ask.holds)
            }
            Kind::Call(definition, args) => self.call(node, *definition, args, scope, (ask, inner), span),
            Kind::Breached(rule, args) if ask.holds => {
                let child = self.breach_of(*rule, args, scope, inner, from)?;
                step(node, scope, ask, span, child.0, child.1)
            }
            Kind::Breached(..) if self.known.is_some() => step(node, scope, ask, span, Why::Given, vec![]),
            Kind::Breached(rule, args) => {
                let (why, steps) = self.no_breach(*rule, args, scope, inner, span)?;
                step(node, scope, ask, span, why, steps)
            }
            Kind::Not(f) => {
                let below = self.argue(f, scope, inner.turned(), span)?;
                step(node, scope, ask, span, Why::All, vec![below])
            }
            Kind::And(parts) | Kind::Or(parts) => {
                if matches!(node.kind, Kind::And(_)) == ask.holds {
                    let steps = parts.iter().map(|part| self.argue(part, scope, inner, span));
                    let steps = steps.collect::<Option<_>>()?;
                    return step(node, scope, ask, span, Why::All, steps);
                }
                let regions: Vec<_> = parts.iter().map(|part| self.region(part, scope, inner, span)).collect();
                self.choose(span, &regions, claim(&node.text, scope, ask, span), |world, i, span| {
                    let below = world.argue(&parts[i], scope, inner, span)?;
                    step(node, scope, ask, span, Why::Part(i), vec![below])
                })
            }
            Kind::Exists(names, f) if names.is_empty() => {
                let below = self.argue(f, scope, inner, span)?;
                step(node, scope, ask, span, Why::All, vec![below])
            }
            Kind::Exists(names, f) => self.some_as(&node.text, names, f, scope, (ask, inner), span),
            kind => {
                if empty {
                    let holds = matches!(kind, Kind::Historically(..) | Kind::Always(..))
                        || matches!(kind, Kind::Duration(_, _, seconds) if *seconds <= 0);
                    let why = if matches!(kind, Kind::Duration(..)) { Why::Spans(vec![]) } else { Why::Plain };
                    return if holds == ask.holds { step(node, scope, ask, span, why, vec![]) } else { None };
                }
                let w = windows?;
                let below = inner.inner();
                match kind {
                    Kind::Once(_, f) | Kind::Historically(_, f) | Kind::Eventually(_, f) | Kind::Always(_, f) => {
                        if matches!(kind, Kind::Once(..) | Kind::Eventually(..)) == ask.holds {
                            if anywhere {
                                return None;
                            }
                            return self.somewhere(node, f, &w, scope, (ask, below), span);
                        }
                        let below = self.argue(f, scope, below, (w.first(from), w.last(to)))?;
                        step(node, scope, ask, span, Why::Throughout, vec![below])
                    }
                    Kind::Duration(..) if anywhere => None,
                    Kind::Since(..) | Kind::Until(..) if anywhere && ask.holds => None,
                    Kind::Duration(_, f, _) => {
                        let all = (w.first(from), w.last(to));
                        let spans = self.region(f, scope, below, all);
                        let steps = spans.iter().map(|span| self.argue(f, scope, below, span));
                        let steps = steps.collect::<Option<_>>()?;
                        step(node, scope, ask, span, Why::Spans(spans.iter().collect()), steps)
                    }
                    Kind::Since(_, f, g) | Kind::Until(_, f, g) if ask.holds => {
                        self.carried(node, (f, g), &w, scope, (ask, below), span)
                    }
                    Kind::Since(_, f, g) | Kind::Until(_, f, g) => {
                        self.broken(node, (f, g), &w, scope, (ask, below), span)
                    }
                    _ => None,
                }
            }
        }
    }

    /// All facts of an atom in a stretch; `None` unless they, or their absence, show the claim.
    fn facts_of(
        &mut self,
        node: &Node,
        predicate: usize,
        args: &[Expr],
        scope: &Scope,
        ask: Ask,
        (from, to): Span,
    ) -> Option<Vec<FactId>> {
        let facts = self.eval.facts;
        let unknown = |v: &V| *v == V::Fresh;
        let wanted = pattern(args, &scope.env);
        let general: Vec<Option<V>> = wanted.iter().map(|v| v.filter(|v| !unknown(v))).collect();
        let until = to.min(self.as_of());
        let found = if from > until { Vec::new() } else { self.told_within(predicate, &general, (from, until)) };
        // A variable that stands for many values may be one that a fact has, unless it is known not to be.
        let may = |row: &[V]| {
            args.iter().zip(row).zip(&wanted).all(|((arg, v), wanted)| match (arg, wanted) {
                (Expr::Slot(slot), Some(V::Fresh)) => scope.other.get(slot).is_some_and(|not| !not.contains(v)),
                _ => true,
            })
        };
        let counts = |&i: &usize| {
            let told = &facts.told[i];
            (told.admitted || ask.asserted) && may(facts.tables[predicate].args(told.row))
        };
        let mut found: Vec<usize> = found.into_iter().filter(counts).collect();
        if ask.holds {
            let spans = found.iter().map(|&i| (facts.told[i].from, facts.told[i].to.min(self.as_of()))).collect();
            let whole = Intervals::one(from, to).difference(&Intervals::from_unsorted(spans)).is_empty();
            if !whole || wanted.iter().flatten().any(unknown) {
                return None;
            }
            found.sort_by(|&a, &b| facts.told[a].id.cmp(&facts.told[b].id));
            return Some(found.into_iter().map(|i| facts.told[i].id.clone()).collect());
        }
        let absent = found.is_empty() && self.region(node, scope, ask, (from, to)) == Intervals::one(from, to);
        absent.then(Vec::new)
    }

    /// What terms alone say throughout a stretch, as far as the checker will believe it.
    fn shown_by_terms(&self, node: &Node, scope: &Scope, (from, to): Span) -> Option<bool> {
        let other = |expr: &Expr| match expr {
            Expr::Slot(slot) => scope.other.get(slot),
            _ => None,
        };
        match &node.kind {
            Kind::Reached(term) => match value(term, &scope.env) {
                Some(V::Int(t)) if t <= from => Some(true),
                Some(V::Int(t)) if t > to => Some(false),
                _ => None,
            },
            Kind::Ts(term) => match (value(term, &scope.env), other(term)) {
                (Some(V::Int(t)), _) if from == t && to == t => Some(true),
                (Some(V::Int(t)), _) if t < from || to < t => Some(false),
                (_, Some(not)) => {
                    let among = not.iter().filter(|v| matches!(v, V::Int(t) if (from..=to).contains(t))).count();
                    let all = i128::from(to) - i128::from(from) + 1;
                    (i128::try_from(among).ok() == Some(all)).then_some(false)
                }
                _ => None,
            },
            Kind::Compare(op, a, b) if linear(a).zip(linear(b)).is_some_and(|((x, _), (y, _))| x == y) => {
                self.eval.compare(*op, a, b, &scope.env)
            }
            Kind::Compare(op, left, right) => {
                match (value(left, &scope.env), value(right, &scope.env), other(left), other(right)) {
                    (Some(V::Fresh), Some(v), Some(not), _) | (Some(v), Some(V::Fresh), _, Some(not))
                        if v != V::Fresh =>
                    {
                        match op {
                            Comparison::Equal if not.contains(&v) => Some(false),
                            Comparison::NotEqual if not.contains(&v) => Some(true),
                            _ => None,
                        }
                    }
                    (Some(a), Some(b), ..) if a != V::Fresh && b != V::Fresh => {
                        self.eval.compare(*op, left, right, &scope.env)
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// A definition holds by one of its bodies, and fails by all of them.
    fn call(
        &mut self,
        node: &Node,
        definition: usize,
        args: &[Expr],
        scope: &Scope,
        (ask, inner): (Ask, Ask),
        span: Span,
    ) -> Argued {
        let program = self.eval.program;
        let mut bodies = Vec::new();
        for body in &program.derived[definition].bodies {
            let (within, some) = self.bound((&body.params, args), scope, (body.slots, &body.names))?;
            bodies.push((body, within, some));
        }
        if !ask.holds {
            let steps =
                bodies.iter().map(|(body, within, some)| self.some(some, &body.node, within, inner.inner(), span));
            let steps = steps.collect::<Option<_>>()?;
            return step(node, scope, ask, span, Why::All, steps);
        }
        let regions: Vec<_> = bodies
            .iter()
            .map(|(body, within, some)| self.some_region(some, &body.node, within, inner.inner(), span))
            .collect();
        self.choose(span, &regions, claim(&node.text, scope, ask, span), |world, i, span| {
            let (body, within, some) = &bodies[i];
            let below = world.some(some, &body.node, within, inner.inner(), span)?;
            step(node, scope, ask, span, Why::Part(body.place), vec![below])
        })
    }

    /// A formula with some of its variables quantified.
    fn some(&mut self, names: &[Slot], inner: &Node, scope: &Scope, ask: Ask, span: Span) -> Argued {
        if names.is_empty() {
            return self.argue(inner, scope, ask, span);
        }
        let list: Vec<&str> = names.iter().map(|&slot| &*scope.names[slot]).collect();
        let text: Arc<str> = Arc::from(format!("(EXISTS {}. {})", list.join(", "), inner.text));
        let mut below = ask;
        if inner.past {
            match ask.by {
                By::Perhaps(t) if span.0 > t => {
                    return Some(Step { claim: claim(&text, scope, ask, span), why: Why::Open, steps: vec![] });
                }
                By::Perhaps(t) if span.1 > t => {
                    let parts = [(span.0, t), (t + 1, span.1)].map(|span| self.some(names, inner, scope, ask, span));
                    return split(parts.into_iter().collect::<Option<_>>()?, claim(&text, scope, ask, span));
                }
                By::Surely(t) if span.1 > t => return None,
                _ => below.by = By::Now,
            }
        }
        self.some_as(&text, names, inner, scope, (ask, below), span)
    }

    fn some_as(
        &mut self,
        text: &Arc<str>,
        names: &[Slot],
        inner: &Node,
        scope: &Scope,
        (ask, below): (Ask, Ask),
        span: Span,
    ) -> Argued {
        let (&name, rest) = names.split_first()?;
        let mut env = scope.env.clone();
        let listed: Vec<V> = self.listed(name, inner, &mut env).into_iter().collect();
        if !ask.holds {
            // Perhaps it fails whatever the variable is; else each value is looked at.
            for values in [&[][..], &listed] {
                let said: Vec<Value> = values.iter().map(|&v| self.eval.facts.words.say(v)).collect();
                let mut others = scope.clone();
                self.set_other(&mut others, name, values, &said);
                let Some(last) = self.some(rest, inner, &others, below, span) else { continue };
                let mut steps = Vec::new();
                for (&v, of) in values.iter().zip(&said) {
                    let mut one = scope.clone();
                    self.set(&mut one, name, v, Of::One(of.clone()));
                    steps.push(self.some(rest, inner, &one, below, span)?);
                }
                steps.push(last);
                return Some(Step { claim: claim(text, scope, ask, span), why: Why::Each(said), steps });
            }
            return None;
        }
        let mut values: Vec<(V, Value)> = listed.iter().map(|&v| (v, self.eval.facts.words.say(v))).collect();
        let fresh = self.fresh(name, inner, &listed);
        let known = values.len();
        values.extend(fresh);
        let mut regions = Vec::new();
        for (i, (v, of)) in values.iter().enumerate() {
            if i == known {
                let covered = regions.iter().fold(Intervals::empty(), |all, set| all.union(set));
                if covered == Intervals::one(span.0, span.1) {
                    break;
                }
            }
            let mut one = scope.clone();
            self.set(&mut one, name, *v, Of::One(of.clone()));
            regions.push(self.some_region(rest, inner, &one, below, span));
        }
        self.choose(span, &regions, claim(text, scope, ask, span), |world, i, span| {
            let mut one = scope.clone();
            world.set(&mut one, name, values[i].0, Of::One(values[i].1.clone()));
            let under = world.some(rest, inner, &one, below, span)?;
            let why = Why::Value(values[i].1.clone());
            Some(Step { claim: claim(text, scope, ask, span), why, steps: vec![under] })
        })
    }

    /// All values of a variable that a step must look at one by one.
    fn listed(&mut self, name: Slot, node: &Node, env: &mut Env) -> BTreeSet<V> {
        let mut values = self.range(name, node, env);
        self.keys(name, node, env, &mut values);
        values.remove(&V::Fresh);
        values
    }

    /// Values that come from openings of rules whose breaches are read.
    fn keys(&mut self, name: Slot, node: &Node, env: &mut Env, values: &mut BTreeSet<V>) {
        if node.mask & bit(name) == 0 {
            return;
        }
        let program = self.eval.program;
        match &node.kind {
            Kind::Breached(rule, args) => {
                let duty = &program.duties[*rule];
                let mut inner = Env::new(duty.slots);
                for (&slot, value) in duty.key.iter().zip(pattern(args, env)) {
                    if let Some(value) = value.filter(|&v| v != V::Fresh) {
                        inner.set(slot, value);
                    }
                }
                for (&slot, arg) in duty.key.iter().zip(args) {
                    if matches!(arg, Expr::Slot(of) if *of == name) {
                        inner.clear(slot);
                        values.extend(self.listed(slot, &duty.opens, &mut inner));
                    }
                }
            }
            Kind::Call(definition, args) => {
                for body in &program.derived[*definition].bodies {
                    let mut inner = Env::new(body.slots);
                    for (&slot, value) in body.params.iter().zip(pattern(args, env)) {
                        if let Some(value) = value.filter(|&v| v != V::Fresh) {
                            inner.set(slot, value);
                        }
                    }
                    for (&slot, arg) in body.params.iter().zip(args) {
                        if matches!(arg, Expr::Slot(of) if *of == name) {
                            inner.clear(slot);
                            self.keys(slot, &body.node, &mut inner, values);
                        }
                    }
                }
            }
            _ => node.parts().for_each(|part| self.keys(name, part, env, values)),
        }
    }

    /// Values that no fact need name.
    fn fresh(&self, name: Slot, node: &Node, listed: &[V]) -> Vec<(V, Value)> {
        fn look(program: &crate::program::Program, name: Slot, node: &Node) -> Option<Type> {
            match &node.kind {
                Kind::Fact(predicate, args) => {
                    let column = args.iter().position(|arg| matches!(arg, Expr::Slot(slot) if *slot == name))?;
                    Some(program.predicates[*predicate].types[column])
                }
                Kind::Call(definition, args) => {
                    let column = args.iter().position(|arg| matches!(arg, Expr::Slot(slot) if *slot == name))?;
                    let bodies = &program.derived[*definition].bodies;
                    bodies.iter().find_map(|body| look(program, body.params[column], &body.node))
                }
                Kind::Breached(rule, args) => {
                    let column = args.iter().position(|arg| matches!(arg, Expr::Slot(slot) if *slot == name))?;
                    let duty = &program.duties[*rule];
                    look(program, duty.key[column], &duty.opens)
                }
                _ => node.parts().find_map(|part| look(program, name, part)),
            }
        }
        if look(self.eval.program, name, node) == Some(Type::Text) {
            let mut text = "_".to_string();
            while self.eval.facts.words.know(&Value::text(&text)).is_some() {
                text.push('_');
            }
            return vec![(V::Fresh, Value::text(text))];
        }
        let numbers = listed.iter().filter_map(|v| if let V::Int(n) = v { Some(*n) } else { None });
        let most = numbers.clone().max().unwrap_or(0).saturating_add(1_000);
        let near = numbers.flat_map(|n| [n.saturating_sub(1), n.saturating_add(1)]);
        let all: BTreeSet<i64> = near.chain([most, -1_000]).collect();
        all.into_iter().map(|n| (V::Int(n), Value::Int(n))).filter(|(v, _)| !listed.contains(v)).collect()
    }

    /// An instance that was breached by an instant.
    fn breach_of(
        &mut self,
        rule: usize,
        args: &[Expr],
        scope: &Scope,
        ask: Ask,
        by: Instant,
    ) -> Option<(Why, Vec<Step>)> {
        let wanted = pattern(args, &scope.env);
        if wanted.contains(&Some(V::Fresh)) {
            return None;
        }
        let by = by.min(self.as_of());
        let favours = !ask.asserted;
        let (pos, neg) = Ask::now(favours, false).levels();
        for mut opening in self.eval.openings(rule, &wanted) {
            if opening.opened > self.as_of() {
                continue;
            }
            let t = self.violated(rule, &opening, pos, neg);
            if t > by || self.lapse(rule, &opening, pos, neg) < t {
                continue;
            }
            if self.known.is_some() {
                opening.certain =
                    opening.certain && self.opens(rule, &opening, Level::CertainLeast, Level::PossibleMost);
            }
            if favours && !opening.certain {
                continue;
            }
            let mut steps = Vec::new();
            let Some(opened) = self.opened(rule, &opening, &mut steps) else { continue };
            let span = (opening.opened, t.saturating_sub(1));
            if self.lapses_in(rule, &opening, favours, false, span, &mut steps).is_none() {
                continue;
            }
            let Some(must) = self.must(rule, &opening, favours, false, By::Surely(t)) else { continue };
            steps.push(must);
            return Some((Why::Breach(opened, t), steps));
        }
        None
    }

    /// For every key, that no instance was breached by the last instant of a stretch.
    fn no_breach(
        &mut self,
        rule: usize,
        args: &[Expr],
        scope: &Scope,
        ask: Ask,
        span: Span,
    ) -> Option<(Why, Vec<Step>)> {
        let duty = &self.eval.program.duties[rule];
        let (key, free) = self.bound((&duty.key, args), scope, (duty.slots, &duty.names))?;
        let ask = ask.inner();
        if free.is_empty() {
            let (pieces, steps) = self.openings_of(rule, &key, ask, span.1.min(self.as_of()))?;
            return Some((Why::Openings(pieces), steps));
        }
        Some((Why::All, vec![self.every_key(rule, &free, &key, ask, span)?]))
    }

    /// Columns of a definition, or of a rule's key, as arguments say what they are; and those that are some value.
    fn bound(
        &self,
        (columns, args): (&[Slot], &[Expr]),
        scope: &Scope,
        (slots, names): (usize, &Arc<[Name]>),
    ) -> Option<(Scope, Vec<Slot>)> {
        let of = Arc::new(BTreeMap::new());
        let mut inner = Scope { env: Env::new(slots), names: names.clone(), of, other: BTreeMap::new() };
        let mut some = Vec::new();
        for ((&slot, wanted), arg) in columns.iter().zip(pattern(args, &scope.env)).zip(args) {
            match (wanted, arg) {
                (None, _) => some.push(slot),
                (Some(V::Fresh), Expr::Slot(of)) => {
                    let stated = scope.of.get(&scope.names[*of])?.clone();
                    self.set(&mut inner, slot, V::Fresh, stated);
                    if let Some(not) = scope.other.get(of) {
                        inner.other.insert(slot, not.clone());
                    }
                }
                (Some(V::Fresh), _) => self.set_other(&mut inner, slot, &[], &[]),
                (Some(v), _) => self.set(&mut inner, slot, v, Of::One(self.eval.facts.words.say(v))),
            }
        }
        Some((inner, some))
    }

    fn every_key(&mut self, rule: usize, free: &[Slot], key: &Scope, ask: Ask, span: Span) -> Argued {
        let program = self.eval.program;
        let duty = &program.duties[rule];
        let name = |slot: &Slot| &*duty.names[*slot];
        let args: Vec<String> = duty.key.iter().map(|slot| format!(", {0}: {0}", name(slot))).collect();
        let breached = format!("breached({}{})", duty.name, args.concat());
        let Some((&first, rest)) = free.split_first() else {
            let (pieces, steps) = self.openings_of(rule, key, ask, span.1.min(self.as_of()))?;
            return Some(Step {
                claim: claim(&Arc::from(breached), key, ask, span),
                why: Why::Openings(pieces),
                steps,
            });
        };
        let list: Vec<&str> = free.iter().map(name).collect();
        let claim = claim(&Arc::from(format!("(EXISTS {}. {breached})", list.join(", "))), key, ask, span);
        let mut env = key.env.clone();
        let listed: Vec<V> = self.listed(first, &duty.opens, &mut env).into_iter().collect();
        for values in [&[][..], &listed] {
            let said: Vec<Value> = values.iter().map(|&v| self.eval.facts.words.say(v)).collect();
            let mut others = key.clone();
            self.set_other(&mut others, first, values, &said);
            let Some(last) = self.every_key(rule, rest, &others, ask, span) else { continue };
            let mut steps = Vec::new();
            for (&v, of) in values.iter().zip(&said) {
                let mut one = key.clone();
                self.set(&mut one, first, v, Of::One(of.clone()));
                steps.push(self.every_key(rule, rest, &one, ask, span)?);
            }
            steps.push(last);
            return Some(Step { claim, why: Why::Each(said), steps });
        }
        None
    }

    fn openings_of(&mut self, rule: usize, key: &Scope, ask: Ask, by: Instant) -> Option<(Vec<Piece>, Vec<Step>)> {
        let program = self.eval.program;
        let duty = &program.duties[rule];
        let since: Vec<Slot> = duty.since.into_iter().collect();
        let cut = self.as_of();
        let opens = self.some_region(&since, &duty.opens, key, Ask::now(true, true), (SINCE_EVER, cut));
        let wanted: Vec<Option<V>> = duty.key.iter().map(|&slot| key.env.get(slot)).collect();
        let (mut pieces, mut steps, mut at) = (Vec::new(), Vec::new(), SINCE_EVER);
        for (from, to) in opens.iter().chain([(NEVER, NEVER)]) {
            let end = minus(from, 1).min(cut);
            if at <= end && from > at {
                pieces.push(Piece::Closed(at, end));
                steps.push(self.some(&since, &duty.opens, key, Ask::now(true, false), (at, end))?);
            }
            if from == NEVER {
                break;
            }
            if from != SINCE_EVER {
                let opening = self.eval.openings(rule, &wanted).into_iter().find(|o| o.opened == from)?;
                let opened = self.opened(rule, &opening, &mut steps)?;
                let excuse = self.excuse(rule, &opening, !ask.asserted, by, &mut steps)?;
                pieces.push(Piece::Opened(opened, excuse));
            }
            let (from, to) = (plus(from, 1), to.min(cut));
            if from <= to {
                pieces.push(Piece::Open(from, to));
                steps.push(self.some(&since, &duty.opens, key, Ask::now(true, true), (minus(from, 1), to))?);
            }
            if to == NEVER {
                break;
            }
            at = plus(to, 1);
        }
        Some((pieces, steps))
    }

    /// An operator that needs one instant of each window.
    fn somewhere(
        &mut self,
        node: &Node,
        f: &Node,
        w: &Windows,
        scope: &Scope,
        (ask, below): (Ask, Ask),
        (from, to): Span,
    ) -> Argued {
        let set = self.region(f, scope, below, (w.first(from), w.last(to)));
        let (mut at, mut parts) = (from, Vec::new());
        loop {
            let meeting = set.meeting(w.first(at), w.last(at));
            let options: Vec<_> =
                if from == to && !w.back { meeting.to_vec() } else { meeting.iter().rev().copied().collect() };
            let (end, part) = options.into_iter().find_map(|(c, d)| {
                let end = w.begun_by(d).min(to);
                let (c, d) = (c.max(w.first(at)), d.min(w.last(end)));
                // One instant that all windows share, or else a stretch.
                let (first, last) = (c.max(w.first(end)), d.min(w.last(at)));
                let (c, d) = match (first <= last, w.back) {
                    (true, true) => (last, last),
                    (true, false) => (first, first),
                    (false, _) => (c, d),
                };
                let below = self.argue(f, scope, below, (c, d))?;
                Some((end, step(node, scope, ask, (at, end), Why::Within(c, d), vec![below])?))
            })?;
            parts.push(part);
            if end == to {
                return split(parts, claim(&node.text, scope, ask, (from, to)));
            }
            at = end + 1;
        }
    }

    /// SINCE or UNTIL that holds.
    fn carried(
        &mut self,
        node: &Node,
        (f, g): (&Node, &Node),
        w: &Windows,
        scope: &Scope,
        (ask, below): (Ask, Ask),
        (from, to): Span,
    ) -> Argued {
        let rights = self.region(g, scope, below, (w.first(from), w.last(to)));
        let reach = if w.back { (w.first(from), to) } else { (w.start(from), w.last(to)) };
        let lefts = self.region(f, scope, below, reach);
        let (mut at, mut parts) = (from, Vec::new());
        loop {
            let here = rights.holding(at).filter(|_| w.near == 0 && w.since.is_none());
            let mut options: Vec<(Instant, Why)> = here.map(|(_, end)| (end.min(to), Why::Here)).into_iter().collect();
            if w.back {
                let left = lefts.holding(at);
                let begin = left.map_or(at, |(begin, _)| minus(begin, 1)).max(w.first(at));
                for &(c, d) in rights.meeting(begin, w.last(at)).iter().rev() {
                    let stop = if let Some((_, stop)) = left { stop } else { at };
                    let end = w.begun_by(d).min(stop).min(to);
                    let c = d.min(w.last(at)).max(c).max(begin);
                    options.push((end, Why::Within(c, d.min(w.last(end)))));
                }
            } else {
                let start = w.start(at);
                let stop = lefts.holding(start).map_or(start, |(_, stop)| plus(stop, 1));
                for &(c, d) in rights.meeting(w.first(at), w.last(at).min(stop)) {
                    let c = c.max(w.first(at));
                    let d = d.min(stop);
                    let end = w.begun_by(d).min(to);
                    if end >= at {
                        options.push((end, Why::Within(c, c.max(w.first(end)))));
                    }
                }
            }
            options.sort_by_key(|option| std::cmp::Reverse(option.0));
            let (end, part) = options.into_iter().find_map(|(end, why)| {
                let mut steps = Vec::new();
                match why {
                    Why::Within(c, d) => {
                        steps.push(self.argue(g, scope, below, (c, d))?);
                        let (from, to) = if w.back { (plus(c, 1), end) } else { (w.start(at), minus(d, 1)) };
                        if from <= to {
                            steps.push(self.argue(f, scope, below, (from, to))?);
                        }
                    }
                    _ => steps.push(self.argue(g, scope, below, (at, end))?),
                }
                Some((end, step(node, scope, ask, (at, end), why, steps)?))
            })?;
            parts.push(part);
            if end == to {
                return split(parts, claim(&node.text, scope, ask, (from, to)));
            }
            at = end + 1;
        }
    }

    /// SINCE or UNTIL that fails.
    fn broken(
        &mut self,
        node: &Node,
        (f, g): (&Node, &Node),
        w: &Windows,
        scope: &Scope,
        (ask, below): (Ask, Ask),
        (from, to): Span,
    ) -> Argued {
        let rights = self.region(g, scope, below, (w.first(from).min(from), w.last(to).max(to)));
        let reach = if w.back { (w.first(from), to) } else { (w.start(from), w.last(to)) };
        let lefts = self.region(f, scope, below, reach);
        let (mut at, mut parts) = (from, Vec::new());
        loop {
            let mut options: Vec<(Instant, Why)> = Vec::new();
            let until = |set: &Intervals, t: Instant| set.holding(t).map(|(_, end)| end);
            if let Some(end) = until(&lefts, at)
                && w.since.is_none()
            {
                let right = if w.near > 0 { Some(to) } else { until(&rights, at) };
                options.extend(right.map(|right| (end.min(right).min(to), Why::Here)));
            }
            let first = w.first(at);
            if let Some(end) = until(&rights, first) {
                options.push((w.ended_by(end).min(to), Why::Broken(None)));
            }
            if w.back {
                let r = lefts.meeting(SINCE_EVER, at).last().map(|&(_, end)| end.min(at));
                if let Some(r) = r {
                    let first = first.max(r);
                    let end = match until(&rights, first) {
                        Some(end) => w.ended_by(end),
                        // Before the break lie all windows that end before it.
                        None => w.ended_by(minus(first, 1)),
                    };
                    options.push((end.min(to), Why::Broken(Some(r))));
                }
            } else if let Some(r) = lefts.first_from(w.start(at)) {
                let last = if w.since.is_some() { to } else { r.min(to) };
                let end = match until(&rights, first) {
                    _ if first > r => last,
                    Some(end) if end >= r => last,
                    Some(end) => w.ended_by(end).min(last),
                    None => SINCE_EVER,
                };
                options.push((end, Why::Broken(Some(r))));
            }
            options.retain(|(end, _)| *end >= at);
            options.sort_by_key(|option| std::cmp::Reverse(option.0));
            let (end, part) = options.into_iter().find_map(|(end, why)| {
                let mut steps = Vec::new();
                match why {
                    Why::Broken(r) => {
                        let (mut first, mut last) = (w.first(at), w.last(end));
                        if let Some(r) = r {
                            steps.push(self.argue(f, scope, below, (r, r))?);
                            (first, last) = if w.back { (first.max(r), last) } else { (first, last.min(r)) };
                        }
                        if first <= last {
                            steps.push(self.argue(g, scope, below, (first, last))?);
                        }
                    }
                    _ => {
                        steps.push(self.argue(f, scope, below, (at, end))?);
                        if w.near == 0 {
                            steps.push(self.argue(g, scope, below, (at, end))?);
                        }
                    }
                }
                Some((end, step(node, scope, ask, (at, end), why, steps)?))
            })?;
            parts.push(part);
            if end == to {
                return split(parts, claim(&node.text, scope, ask, (from, to)));
            }
            at = end + 1;
        }
    }
}

fn claim(text: &Arc<str>, scope: &Scope, ask: Ask, (from, to): Span) -> Claim {
    let (formula, valuation) = (text.clone(), scope.of.clone());
    Claim { formula, valuation, from, to, holds: ask.holds, asserted: ask.asserted, by: ask.by }
}

fn step(node: &Node, scope: &Scope, ask: Ask, span: Span, why: Why, steps: Vec<Step>) -> Argued {
    Some(Step { claim: claim(&node.text, scope, ask, span), why, steps })
}

/// One step from those for its parts.
fn split(mut parts: Vec<Step>, claim: Claim) -> Argued {
    if parts.len() == 1 {
        return parts.pop();
    }
    Some(Step { claim, why: Why::Split, steps: parts })
}
