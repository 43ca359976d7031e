//! The checker: does a verdict follow from the rules and the facts, as its argument says?
//!
//! ```text
//! C14("A1", "P1") opened 0 is kept since 2880, because
//!   lodged(a, x, y)                 holds at 0 and fails at -1           so it opened at 0
//!   EVENTUALLY[0,21600] ack(a, y)   holds at 0, surely by 2880           so it is kept by then
//!   EVENTUALLY[0,21600] ack(a, y)   fails at 0, perhaps by 2879          but not earlier
//! ```
//! Written to be read from top to bottom by someone who does not trust the monitor. It shares no code with the engine:
//! it knows formulas, facts and arguments, and never searches. `check` says which claims make a verdict, `follows`
//! from which claims another follows, one rule for each operator. What is accepted is true, whoever wrote it.
//!
//! Three ideas carry all rules. A formula *holds* or *fails* at every instant of a stretch. *By* an instant what lies
//! after it is open: `Surely` whatever it will be, `Perhaps` if it may still be so. And facts that are only asserted
//! count in a positive place if `asserted`, and under a negation if not; so what is owed is read with `asserted` by
//! who favours the one that owes it, and without by who does not.
//!
//! Not checked: [`Instance::disputed`], and in an argument from evidence that the instance did not open earlier and
//! that breaches which a formula reads did not happen.
use crate::argument::{Argument, By, Claim, Excuse, Of, Opened, Piece, Step, Valuation, Why};
use crate::fact::{Fact, FactId, Instant, NEVER, SINCE_EVER, Value};
use crate::formula::{Comparison, Formula, Name, Rule, Rules, Term, Upper};
use crate::monitor::{Absence, Instance, State};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Where an argument is at fault: a claim, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault(pub String);

type Checked = Result<(), Fault>;
type Span = (Instant, Instant);
/// Steps in the order in which they are asked for.
type Steps<'i, 's> = &'i mut std::slice::Iter<'s, Step>;

fn ensure(right: bool, place: impl ToString, found: &str) -> Checked {
    if right { Ok(()) } else { Err(Fault(format!("{}: {found}", place.to_string()))) }
}

/// What arguments are checked against.
#[derive(Clone, Copy, Debug)]
pub struct Checker<'a> {
    /// The rules.
    pub rules: &'a Rules,
    /// All facts; or those that are present, if the argument is one from evidence.
    pub facts: &'a BTreeMap<FactId, Fact>,
    /// For an argument from evidence: where facts are absent. All else may be either way.
    pub absent: Option<&'a [Absence]>,
    /// When it is judged. Later facts are dropped, and then there is silence.
    pub as_of: Instant,
}

/// A claim that is needed. Outermost windows begin at `since`, and facts end at `cut`.
#[derive(Clone)]
struct Goal<'f> {
    formula: &'f Formula,
    valuation: Valuation,
    from: Instant,
    to: Instant,
    holds: bool,
    asserted: bool,
    by: By,
    since: Option<Instant>,
    cut: Instant,
    depth: usize,
}

/// An instance whose opening was shown.
struct Owed<'o> {
    rule: &'o Rule,
    key: Valuation,
    opened: &'o Opened,
    cut: Instant,
    depth: usize,
}

/// What is not settled by this instant never is.
const LAST: Instant = NEVER - 2;

/// Steps below steps that are followed; formulas and what they read nest less.
const DEPTH: usize = 2_000;

impl Checker<'_> {
    /// Whether an instance stands as it says; from evidence, whether it has the state that it says.
    pub fn check(&self, instance: &Instance, argument: &Argument) -> Checked {
        use State::{Breached, Disputed, Kept, Pending};
        let (key, opened, place, steps) =
            (&instance.key, &argument.opened, &instance.key.rule, &mut argument.steps.iter());
        let same = (&key.valuation, key.opened, instance.since) == (&opened.key, opened.opened, opened.since);
        ensure(same, place, "the argument is of another instance")?;
        let (exact, state, t, at) = (self.absent.is_none(), instance.state, argument.settled, opened.opened);
        let settled = SINCE_EVER < t && t <= self.as_of && at <= self.as_of && (state != Pending || t == self.as_of);
        let breached_since = matches!(state, Breached | Disputed).then_some(t);
        let instants = (breached_since, (state == Kept).then_some(t)) == (instance.breached_since, instance.kept_at);
        ensure(settled && (instants || !exact), place, "it is settled at another instant")?;
        ensure((state == Disputed) == argument.excuse.is_some(), place, "an excuse is for disputes")?;
        let lapsed = if exact { instance.lapsed } else { argument.lapses };
        ensure(state == Kept || !instance.lapsed, place, "a lapse keeps it")?;

        let mut owed = self.opening(self.rule(place)?, opened, self.as_of, 0, steps)?;
        match state {
            Breached => {
                ensure(opened.certain, place, "it opens only on facts that are not admitted")?;
                self.must(&owed, true, false, By::Surely(t), steps)?;
                self.lapse(&owed, true, false, (at, t - 1), steps)?;
            }
            Disputed => {
                self.must(&owed, false, false, By::Surely(t), steps)?;
                self.lapse(&owed, false, false, (at, t - 1), steps)?;
                argument.excuse.map_or(Ok(()), |excuse| self.excused(&owed, excuse, true, self.as_of, steps))?;
            }
            Kept if lapsed => self.lapsed(&owed, t, exact, steps)?,
            Kept if !exact => self.must(&owed, false, true, By::Surely(t), steps)?,
            Kept => self.silence(&owed, None, Some(t), false, steps)?,
            Pending => {
                self.must(&owed, false, true, By::Perhaps(t), steps)?;
                self.must(&owed, false, false, By::Perhaps(t), steps)?;
                self.lapse(&owed, false, false, (at, t), steps)?;
            }
        }
        if exact && breached_since.is_some() {
            self.must(&owed, state == Breached, true, By::Perhaps(t - 1), steps)?;
            let due = (instance.due, instance.until, argument.lapses) == (breached_since, None, false);
            ensure(due, place, "it was due when it was breached")?;
        } else if exact {
            // What silence would have brought from what settled it on, or brings from now on.
            owed.cut = if state == Kept { self.as_of.min(t - 1) } else { self.as_of };
            self.silence(&owed, instance.due, instance.until, argument.lapses, steps)?;
        }
        ensure(steps.next().is_none(), place, "steps are left over")
    }

    fn rule(&self, name: &Name) -> Result<&Rule, Fault> {
        self.rules.rules.iter().find(|rule| rule.name == *name).ok_or_else(|| Fault(format!("{name}: no such rule")))
    }

    /// That an instance opened, and since when acts count.
    fn opening<'o>(
        &self,
        rule: &'o Rule,
        opened: &'o Opened,
        cut: Instant,
        depth: usize,
        steps: Steps<'_, '_>,
    ) -> Result<Owed<'o>, Fault> {
        let (at, since) = (opened.opened, opened.since);
        let right = at > SINCE_EVER && at < LAST && since <= at && opened.key.len() == rule.key.len();
        ensure(right, &rule.name, "it opens at no instant, or for no key")?;
        let key = Arc::new(rule.key.iter().cloned().zip(opened.key.iter().cloned().map(Of::One)).collect());
        let (owed, exact) = (Owed { rule, key, opened, cut, depth }, self.absent.is_none());
        let (some, asserted) = (opens(rule, rule.opens.clone()), !opened.certain);
        let mut needed = vec![(some.clone(), asserted, true, at)];
        if exact {
            // That it opens on admitted facts shows that it opens; else that it does not is shown as well.
            needed.push((some.clone(), true, false, at - 1));
            needed.extend(asserted.then_some((some, false, false, at)));
        }
        if let (Some(name), true) = (&rule.since, exact) {
            // The earliest account of its beginning; of those that are certain, if one is.
            let (left, right) = (Term::Var(name.clone()), Term::Const(Value::Int(since)));
            let earlier = vec![rule.opens.clone(), Formula::Compare { op: Comparison::Less, left, right }];
            needed.push((opens(rule, Formula::And(earlier)), asserted, false, at));
        }
        for (formula, asserted, holds, t) in &needed {
            let goal = self.goal(&owed, formula, (*t, *t));
            self.need(Goal { asserted: *asserted, holds: *holds, ..goal }, steps)?;
        }
        match &rule.since {
            Some(name) if exact && since < at => {
                let goal = self.goal(&owed, &rule.opens, (at, at));
                let valuation = with(&goal.valuation, name, Of::One(Value::Int(since)));
                self.need(Goal { valuation, asserted, ..goal }, steps)?;
            }
            None => ensure(since == at, &rule.name, "acts count from the opening on")?,
            _ => {}
        }
        Ok(owed)
    }

    fn goal<'f>(&self, owed: &Owed<'_>, formula: &'f Formula, (from, to): Span) -> Goal<'f> {
        let (valuation, cut, depth) = (owed.key.clone(), owed.cut, owed.depth);
        Goal { formula, valuation, from, to, holds: true, asserted: true, by: By::Now, since: None, cut, depth }
    }

    /// That what is owed holds or fails, as of an instant.
    fn must(&self, owed: &Owed<'_>, asserted: bool, holds: bool, by: By, steps: Steps<'_, '_>) -> Checked {
        let since = owed.rule.since.as_ref().map(|_| owed.opened.since);
        let goal = self.goal(owed, &owed.rule.must, (owed.opened.opened, owed.opened.opened));
        self.need(Goal { asserted, holds, by, since, ..goal }, steps)
    }

    /// That the lapse holds or fails throughout a stretch.
    fn lapse(&self, owed: &Owed<'_>, asserted: bool, holds: bool, span: Span, steps: Steps<'_, '_>) -> Checked {
        match &owed.rule.lapses {
            Some(lapses) => self.need(Goal { asserted, holds, ..self.goal(owed, lapses, span) }, steps),
            None => ensure(!holds, &owed.rule.name, "it never lapses"),
        }
    }

    /// That an instance lapsed, and was not breached by then; with `exact`, nor kept, nor lapsed earlier.
    fn lapsed(&self, owed: &Owed<'_>, t: Instant, exact: bool, steps: Steps<'_, '_>) -> Checked {
        ensure(owed.opened.opened <= t && t < LAST, &owed.rule.name, "it lapses at no instant")?;
        self.lapse(owed, false, true, (t, t), steps)?;
        self.must(owed, false, true, By::Perhaps(t), steps)?;
        if exact {
            self.must(owed, false, false, By::Perhaps(t), steps)?;
            self.lapse(owed, false, false, (owed.opened.opened, t - 1), steps)?;
        }
        Ok(())
    }

    /// When silence would breach an instance, or else settle it as kept, or lapsed; `None` is never.
    fn silence(
        &self,
        owed: &Owed<'_>,
        due: Option<Instant>,
        until: Option<Instant>,
        lapses: bool,
        steps: Steps<'_, '_>,
    ) -> Checked {
        let (place, before) = (&owed.rule.name, |t: Option<Instant>| t.map_or(LAST, |t| t - 1));
        ensure(
            [due, until].iter().flatten().all(|&t| SINCE_EVER < t && t < LAST),
            place,
            "it is settled at no instant",
        )?;
        ensure(until.is_none() || due.is_none(), place, "it is either due or kept by silence")?;
        ensure(until.is_some() || !lapses, place, "it does not lapse")?;
        if let (true, Some(until)) = (lapses, until) {
            return self.lapsed(owed, until, true, steps);
        }
        if let Some(t) = due.or(until) {
            self.must(owed, false, due.is_none(), By::Surely(t), steps)?;
        }
        if until.is_none() {
            self.must(owed, false, true, By::Perhaps(before(due)), steps)?;
        }
        if due.is_none() {
            self.must(owed, false, false, By::Perhaps(before(until)), steps)?;
        }
        self.lapse(owed, false, false, (owed.opened.opened, before(due.or(until))), steps)
    }

    /// That an instance was not breached by an instant.
    fn excused(&self, owed: &Owed<'_>, excuse: Excuse, asserted: bool, by: Instant, steps: Steps<'_, '_>) -> Checked {
        let (at, place) = (owed.opened.opened, &owed.rule.name);
        match excuse {
            Excuse::Owed => self.must(owed, asserted, true, By::Perhaps(by), steps),
            Excuse::Lapsed(t) if !asserted => self.lapsed(owed, t, true, steps),
            Excuse::Lapsed(t) => {
                ensure(at <= t && t < LAST, place, "it lapses at no instant")?;
                self.lapse(owed, true, true, (t, t), steps)?;
                self.must(owed, true, true, By::Perhaps(t), steps)
            }
            Excuse::NotAdmitted if self.absent.is_some() && asserted => {
                let opens = opens(owed.rule, owed.rule.opens.clone());
                self.need(Goal { asserted: false, holds: false, ..self.goal(owed, &opens, (at, at)) }, steps)
            }
            Excuse::NotAdmitted => ensure(asserted && !owed.opened.certain, place, "it opens on admitted facts"),
        }
    }

    /// The next step claims this, and it follows. Of no instants nothing needs to be shown.
    fn need(&self, goal: Goal<'_>, steps: Steps<'_, '_>) -> Checked {
        if goal.from > goal.to {
            return Ok(());
        }
        steps.next().map_or(ensure(false, goal.formula, "a step is missing"), |step| self.claim(goal, step))
    }

    fn claim(&self, mut goal: Goal<'_>, step: &Step) -> Checked {
        let Goal { formula, from, to, holds, asserted, by, .. } = goal;
        let (place, valuation) = (format!("{formula} in {from}..{to}"), goal.valuation.clone());
        let needed = Claim { formula: Arc::from(formula.to_string()), valuation, from, to, holds, asserted, by };
        ensure(step.claim == needed, &place, "another claim is needed here")?;
        goal.depth += 1;
        ensure(goal.depth < DEPTH, &place, "steps nest too deep")?;
        let steps = &mut step.steps.iter();
        if step.why == Why::Split {
            let mut next = Some(from);
            for part in &step.steps {
                let Claim { from, to, .. } = part.claim;
                ensure(next == Some(from) && from <= to, &place, "parts leave a gap")?;
                self.need(Goal { from, to, ..goal.clone() }, steps)?;
                next = to.checked_add(1);
            }
            return ensure(next == to.checked_add(1), &place, "parts leave a gap");
        }
        // What looks back is known where it is read, and no earlier.
        if !ahead(formula) || windowed(formula) && self.window(&goal).is_none() {
            goal.since = None;
            match by {
                By::Perhaps(t) if from > t => {
                    return ensure(step.why == Why::Open && step.steps.is_empty(), &place, "nothing is known there");
                }
                By::Surely(t) | By::Perhaps(t) => ensure(to <= t, &place, "it is read after what is known")?,
                By::Now => {}
            }
            goal.by = By::Now;
        }
        self.follows(&goal, &step.why, steps)?;
        ensure(steps.next().is_none(), &place, "steps are left over")
    }

    /// One rule for each operator; that a conjunction fails is shown as that a disjunction holds, and so on.
    fn follows(&self, goal: &Goal<'_>, why: &Why, steps: Steps<'_, '_>) -> Checked {
        use Formula::{
            Always, And, Atom, Breached, Compare, Eventually, Exists, Historically, Once, Or, Reached, Since, Ts, Until,
        };
        let wrong = || ensure(false, goal.formula, "it does not follow in this way");
        let part = |formula| Goal { formula, ..goal.clone() };
        let read = |formula, (from, to)| Goal { formula, from, to, since: None, ..goal.clone() };
        let (a, b, holds) = (goal.from, goal.to, goal.holds);
        match (goal.formula, holds, why) {
            (Formula::True, true, Why::Plain) => Ok(()),
            (Reached(_) | Ts(_) | Compare { .. }, _, Why::Plain) => {
                ensure(self.plain(goal) == Some(true), goal.formula, "its terms do not show it")
            }
            (Atom { name, args }, true, Why::Part(i)) => self.body(goal, name, args, *i, steps),
            (Atom { name, args }, false, Why::All) if self.bodies(name).next().is_some() => {
                self.bodies(name).try_for_each(|i| self.body(goal, name, args, i, steps))
            }
            (Atom { name, args }, _, Why::Facts(ids)) if self.bodies(name).next().is_none() => {
                self.atom(goal, name, args, ids)
            }
            (Breached { rule, args }, true, Why::Breach(opened, t)) => self.breach(goal, rule, args, opened, *t, steps),
            (Breached { .. }, false, Why::Given) => ensure(self.absent.is_some(), goal.formula, "nothing is given"),
            (Breached { rule, args }, false, _) => self.no_breach(goal, self.rule(rule)?, args, why, steps),
            (Formula::Not(f), _, Why::All) => {
                self.need(Goal { holds: !holds, asserted: !goal.asserted, ..part(f) }, steps)
            }
            (And(parts), true, Why::All) | (Or(parts), false, Why::All) => {
                parts.iter().try_for_each(|f| self.need(part(f), steps))
            }
            (And(parts), false, Why::Part(i)) | (Or(parts), true, Why::Part(i)) => {
                parts.get(*i).map_or_else(wrong, |f| self.need(part(f), steps))
            }
            (Exists(names, f), ..) => {
                let Some((name, rest)) = names.split_first() else { return self.need(part(f), steps) };
                let rest = Exists(rest.to_vec(), f.clone());
                let formula = if names.len() == 1 { f } else { &rest };
                let mut of =
                    |of| self.need(Goal { valuation: with(&goal.valuation, name, of), ..part(formula) }, &mut *steps);
                match why {
                    Why::Value(value) if holds => of(Of::One(value.clone())),
                    // Each of these values, and then any other.
                    Why::Each(values) if !holds => {
                        values.iter().try_for_each(|value| of(Of::One(value.clone())))?;
                        of(Of::Other(values.clone()))
                    }
                    _ => wrong(),
                }
            }
            (f, _, Why::Plain) if windowed(f) && self.window(goal).is_none() => {
                ensure(holds == matches!(f, Historically(..) | Always(..)), f, "its window is empty")
            }
            (Once(_, f) | Eventually(_, f), true, Why::Within(c, d))
            | (Historically(_, f) | Always(_, f), false, Why::Within(c, d)) => {
                ensure(self.window(goal).is_some_and(|w| w.meets(*c, *d)), goal.formula, "a window does not meet it")?;
                self.need(read(f, (*c, *d)), steps)
            }
            (Once(_, f) | Eventually(_, f), false, Why::Throughout)
            | (Historically(_, f) | Always(_, f), true, Why::Throughout) => {
                self.window(goal).map_or_else(wrong, |w| self.need(read(f, (w.first, w.last)), steps))
            }
            (Since(w, f, g) | Until(w, f, g), _, _) => {
                let Some(windows) = self.window(goal) else { return wrong() };
                let (back, start) = (matches!(goal.formula, Since(..)), goal.since.map_or(a, |since| since.min(a)));
                match *why {
                    // The right side somewhere in every window, the left between there and here.
                    Why::Within(c, d) if holds => {
                        ensure(windows.meets(c, d), goal.formula, "a window does not meet it")?;
                        self.need(read(g, (c, d)), &mut *steps)?;
                        self.need(read(f, if back { (plus(c, 1), b) } else { (start, minus(d, 1)) }), steps)
                    }
                    // The right side holds here; or both fail, the right only if that is in the window.
                    Why::Here if goal.since.is_none() && (w.from == 0 || !holds) => {
                        let none = (NEVER, SINCE_EVER);
                        self.need(read(f, if holds { none } else { (a, b) }), &mut *steps)?;
                        self.need(read(g, if w.from > 0 { none } else { (a, b) }), steps)
                    }
                    // Nothing beyond a break helps, so the right side fails on this side of it.
                    Why::Broken(broken) if !holds => {
                        let (mut from, mut to) = (windows.first, windows.last);
                        if let Some(r) = broken {
                            let between = if back { r <= a } else { r >= start && (a == b || r >= b) };
                            ensure(between, goal.formula, "the break lies elsewhere")?;
                            self.need(read(f, (r, r)), &mut *steps)?;
                            (from, to) = if back { (from.max(r), to) } else { (from, to.min(r)) };
                        }
                        self.need(read(g, (from, to)), steps)
                    }
                    _ => wrong(),
                }
            }
            (Formula::Duration { at_least, formula, .. }, _, Why::Spans(spans)) => {
                ensure(spans.is_sorted_by(|a, b| a.1 < b.0), goal.formula, "spans overlap")?;
                spans.iter().try_for_each(|&span| self.need(read(formula, span), &mut *steps))?;
                let right =
                    self.window(goal).map_or((*at_least <= 0) == holds, |w| w.known && w.lasts(goal, spans, *at_least));
                ensure(right && spans.iter().all(|(a, b)| a <= b), goal.formula, "it lasts too long, or too short")
            }
            _ => wrong(),
        }
    }

    /// An atom holds where the facts that are named cover the stretch, and fails where there is none.
    fn atom(&self, goal: &Goal<'_>, name: &Name, args: &[Term], ids: &[FactId]) -> Checked {
        let (from, to) = (goal.from, goal.to.min(goal.cut));
        // Where a variable stands for many values, a fact may fit.
        let column = |(arg, value): (&Term, &Value)| match term(arg, &goal.valuation) {
            _ if *arg == Term::Any => Some(true),
            Some(Of::One(wanted)) => Some(wanted == *value),
            Some(Of::Other(values)) if values.contains(value) => Some(false),
            _ => None,
        };
        let fits = |fact: &Fact| {
            let counts = *name == fact.predicate && args.len() == fact.args.len() && (fact.admitted || goal.asserted);
            let columns: Vec<_> = args.iter().zip(&fact.args).map(column).collect();
            let not = !counts || fact.from > to || fact.to.min(goal.cut) < from || columns.contains(&Some(false));
            if not { Some(false) } else { columns.into_iter().collect::<Option<Vec<_>>>().map(|_| true) }
        };
        if goal.holds {
            let named: Vec<_> = self.facts.iter().filter(|(_, fact)| fits(fact) == Some(true)).collect();
            ensure(named.iter().map(|(id, _)| *id).eq(ids), goal.formula, "these are not the facts")?;
            let spans = named.iter().map(|(_, fact)| (fact.from, fact.to.min(goal.cut))).collect();
            return ensure(cover(spans, (from, goal.to)), goal.formula, "its facts leave a gap");
        }
        let none = ids.is_empty() && self.facts.values().all(|fact| fits(fact) == Some(false));
        ensure(none, goal.formula, "there is such a fact")?;
        // Where not all facts are known, they must be said to be absent.
        let Some(absent) = self.absent.filter(|_| from <= to) else { return Ok(()) };
        let same = |(column, arg): (&Option<Value>, &Term)| {
            column.as_ref().is_none_or(|v| term(arg, &goal.valuation) == Some(Of::One(v.clone())))
        };
        let gaps = absent.iter().filter(|gap| gap.predicate == *name && gap.args.iter().zip(args).all(same));
        ensure(cover(gaps.map(|gap| (gap.from, gap.to)).collect(), (from, to)), goal.formula, "it may be there")
    }

    /// The definitions of a name.
    fn bodies(&self, name: &Name) -> impl Iterator<Item = usize> {
        (0..self.rules.definitions.len()).filter(move |&i| self.rules.definitions[i].name == *name)
    }

    /// One definition of a name, read with its arguments.
    fn body(&self, goal: &Goal<'_>, name: &Name, args: &[Term], i: usize, steps: Steps<'_, '_>) -> Checked {
        let definition = self.rules.definitions.get(i).filter(|d| d.name == *name && d.params.len() == args.len());
        let Some(definition) = definition else { return ensure(false, goal.formula, "no such definition") };
        let (valuation, some) = bind(definition.params.iter().zip(args), &goal.valuation);
        let whole = Formula::Exists(some.clone(), Box::new(definition.body.clone()));
        let formula = if some.is_empty() { &definition.body } else { &whole };
        self.need(Goal { formula, valuation, ..goal.clone() }, steps)
    }

    /// That an instance had been breached by the first instant of the stretch.
    fn breach(
        &self,
        goal: &Goal<'_>,
        rule: &Name,
        args: &[(Name, Term)],
        opened: &Opened,
        t: Instant,
        steps: Steps<'_, '_>,
    ) -> Checked {
        let owed = self.opening(self.rule(rule)?, opened, goal.cut, goal.depth, steps)?;
        let (wanted, _) = bind(args.iter().map(|(name, arg)| (name, arg)), &goal.valuation);
        let right = wanted.iter().all(|(name, of)| owed.key.get(name) == Some(of))
            && (opened.certain || goal.asserted)
            && opened.opened <= goal.cut
            && t <= goal.from.min(goal.cut);
        ensure(right && t > SINCE_EVER, goal.formula, "another instance was breached, or later")?;
        self.must(&owed, !goal.asserted, false, By::Surely(t), steps)?;
        self.lapse(&owed, !goal.asserted, false, (opened.opened, t - 1), steps)
    }

    /// That no instance had been breached by the last instant of the stretch: for every key, then for every opening.
    fn no_breach(
        &self,
        goal: &Goal<'_>,
        rule: &Rule,
        args: &[(Name, Term)],
        why: &Why,
        steps: Steps<'_, '_>,
    ) -> Checked {
        let (valuation, _) = bind(args.iter().map(|(name, arg)| (name, arg)), &goal.valuation);
        let free: Vec<Name> = rule.key.iter().filter(|name| !valuation.contains_key(*name)).cloned().collect();
        let pieces = match why {
            Why::All if !free.is_empty() => {
                let args = rule.key.iter().map(|name| (name.clone(), Term::Var(name.clone()))).collect();
                let every = Formula::Breached { rule: rule.name.clone(), args };
                let formula = &Formula::Exists(free, Box::new(every));
                return self.need(Goal { formula, valuation, ..goal.clone() }, steps);
            }
            Why::Openings(pieces) if free.is_empty() => pieces,
            _ => return ensure(false, goal.formula, "it does not follow in this way"),
        };
        let (opens, mut next) = (opens(rule, rule.opens.clone()), Some(SINCE_EVER));
        let (asserted, by) = (!goal.asserted, goal.to.min(goal.cut));
        let goal = &Goal { formula: &opens, valuation, asserted: true, by: By::Now, ..goal.clone() };
        for piece in pieces {
            let (from, to) = match piece {
                Piece::Closed(from, to) | Piece::Open(from, to) => (*from, *to),
                Piece::Opened(opened, _) => (opened.opened, opened.opened),
            };
            ensure(next == Some(from) && from <= to, &rule.name, "openings leave a gap")?;
            next = to.checked_add(1);
            match piece {
                Piece::Closed(..) => self.need(Goal { from, to, holds: false, ..goal.clone() }, steps)?,
                Piece::Open(..) => self.need(Goal { from: minus(from, 1), to, holds: true, ..goal.clone() }, steps)?,
                Piece::Opened(opened, excuse) => {
                    let owed = self.opening(rule, opened, goal.cut, goal.depth, steps)?;
                    ensure(owed.key == goal.valuation, &rule.name, "it opens for another key")?;
                    self.excused(&owed, *excuse, asserted, by, steps)?;
                }
            }
        }
        ensure(next.is_none_or(|next| next > goal.cut), &rule.name, "openings leave a gap")
    }

    /// Whether terms alone show it; `None` if that is not known.
    fn plain(&self, goal: &Goal<'_>) -> Option<bool> {
        let (from, to) = (goal.from, goal.to);
        let (holds, fails) = match goal.formula {
            Formula::Reached(t) => match term(t, &goal.valuation)? {
                Of::One(Value::Int(t)) => (t <= from, to < t),
                _ => return None,
            },
            Formula::Ts(t) => match term(t, &goal.valuation)? {
                Of::One(Value::Int(t)) => (from == t && to == t, t < from || to < t),
                // All of these instants are among the values that it does not have.
                Of::Other(values) => {
                    let among: BTreeSet<_> =
                        values.iter().filter(|v| (&from.into()..=&to.into()).contains(v)).collect();
                    (false, among.len() as i128 == i128::from(to) - i128::from(from) + 1)
                }
                Of::One(_) => return None,
            },
            Formula::Compare { op, left, right } => {
                let holds = compare(*op, left, right, &goal.valuation)?;
                (holds, !holds)
            }
            _ => return None,
        };
        Some(if goal.holds { holds } else { fails })
    }

    /// The windows at the first and at the last instant of a stretch; `None` if they are empty.
    fn window(&self, goal: &Goal<'_>) -> Option<Windows> {
        use Formula::{Always, Duration, Eventually, Historically, Once, Since, Until};
        let (window, back) = match goal.formula {
            Once(w, _) | Historically(w, _) | Since(w, ..) | Duration { window: w, .. } => (w, true),
            Eventually(w, _) | Always(w, _) | Until(w, ..) => (w, false),
            _ => return None,
        };
        let upper = if let Upper::Var(name) = &window.to { goal.valuation.get(name) } else { None };
        // If it may be any, the window is within an unbounded one.
        let far = match (&window.to, upper) {
            (Upper::Fixed(far), _) | (_, Some(Of::One(Value::Int(far)))) => Some(*far),
            _ => None,
        };
        let known = far.is_some() || window.to == Upper::Unbounded;
        let (near, start) = (window.from, |t: Instant| goal.since.map_or(t, |since| since.min(t)));
        let first = |t| if back { far.map_or(SINCE_EVER, |far| minus(t, far)) } else { plus(start(t), near) };
        let last = |t| if back { minus(t, near) } else { far.map_or(NEVER, |far| plus(t, far)) };
        let (first, begun, ended, last) = (first(goal.from), first(goal.to), last(goal.from), last(goal.to));
        far.is_none_or(|far| near <= far).then_some(Windows { near, far, known, first, ended, begun, last })
    }
}

/// The windows at the first and the last instant of a stretch; those between lie between them.
struct Windows {
    near: i64,
    far: Option<i64>,
    known: bool,
    /// Where the first window begins and ends.
    first: Instant,
    ended: Instant,
    /// Where the last window begins and ends.
    begun: Instant,
    last: Instant,
}

impl Windows {
    /// Every window has an instant in the stretch.
    fn meets(&self, from: Instant, to: Instant) -> bool {
        self.known && from <= to && from <= self.ended && self.begun <= to
    }

    /// Whether DUR holds, or fails, at every instant of the goal if its formula does so in the spans.
    fn lasts(&self, goal: &Goal<'_>, spans: &[Span], at_least: i64) -> bool {
        const END: i128 = 1 << 100; // Beyond all windows.
        let wide = |t: Instant| {
            if t == NEVER {
                END
            } else if t == SINCE_EVER {
                -END
            } else {
                i128::from(t)
            }
        };
        let (near, far) = (i128::from(self.near), self.far.map(i128::from));
        let begin = |t: i128| far.map_or(-END, |far| t - far);
        let held = |t: i128| -> i128 {
            let inside = |&(a, b): &Span| (wide(b).min(t - near) - wide(a).max(begin(t)) + 1).max(0);
            spans.iter().map(inside).sum()
        };
        // Between the instants at which a window begins or ends beside the end of a span, the sum changes evenly.
        let ends = spans.iter().flat_map(|&(a, b)| [wide(a) - 1, wide(a), wide(b), wide(b) + 1]);
        let turns = ends.flat_map(|t| [t + near, t + far.unwrap_or(0)]);
        // A window at an end of the line has what lies before it, too.
        let (first, last) = (wide(goal.from).max(-END / 2), wide(goal.to).min(END / 2));
        turns.chain([first, last]).filter(|t| (first..=last).contains(t)).all(|t| {
            let rest = t - near - begin(t) + 1 - held(t);
            if goal.holds { held(t) >= i128::from(at_least) } else { rest < i128::from(at_least) }
        })
    }
}

/// `t + d`; the ends of the line stand still.
fn plus(t: Instant, d: i64) -> Instant {
    if t == NEVER || t == SINCE_EVER { t } else { t.saturating_add(d) }
}

fn minus(t: Instant, d: i64) -> Instant {
    if t == NEVER || t == SINCE_EVER { t } else { t.saturating_sub(d) }
}

fn with(valuation: &Valuation, name: &Name, of: Of) -> Valuation {
    let mut more = BTreeMap::clone(valuation);
    more.insert(name.clone(), of);
    Arc::new(more)
}

/// The opening for some beginning.
fn opens(rule: &Rule, opens: Formula) -> Formula {
    rule.since.iter().fold(opens, |f, since| Formula::Exists(vec![since.clone()], Box::new(f)))
}

/// Columns by their arguments, which may be any value where that is not known; and those that are some value.
fn bind<'n>(args: impl Iterator<Item = (&'n Name, &'n Term)>, outer: &Valuation) -> (Valuation, Vec<Name>) {
    let (some, known): (Vec<_>, Vec<_>) = args.partition(|(_, arg)| **arg == Term::Any);
    let of = |arg| term(arg, outer).unwrap_or(Of::Other(Vec::new()));
    let known = known.into_iter().map(|(name, arg)| (name.clone(), of(arg))).collect();
    (Arc::new(known), some.into_iter().map(|(name, _)| name.clone()).collect())
}

/// Whether stretches leave no gap in another.
fn cover(mut spans: Vec<Span>, (from, to): Span) -> bool {
    spans.sort_unstable();
    let reach = |next: Option<Instant>, &(begin, end): &Span| match next {
        Some(next) if begin <= next && next <= end => end.checked_add(1),
        next => next,
    };
    spans.iter().fold(Some(from), reach).is_none_or(|next| next > to)
}

/// What a term stands for; `None` if that is not known.
fn term(term: &Term, valuation: &Valuation) -> Option<Of> {
    let sum = |a: &Term, b: &Term, f: fn(i64, i64) -> i64| match (self::term(a, valuation), self::term(b, valuation)) {
        (Some(Of::One(Value::Int(a))), Some(Of::One(Value::Int(b)))) => Some(Of::One(Value::Int(f(a, b)))),
        _ => None,
    };
    match term {
        Term::Var(name) => valuation.get(name).cloned(),
        Term::Const(value) => Some(Of::One(value.clone())),
        Term::Plus(a, b) => sum(a, b, i64::saturating_add),
        Term::Minus(a, b) => sum(a, b, i64::saturating_sub),
        Term::Times(a, b) => sum(a, b, i64::saturating_mul),
        _ => None,
    }
}

/// `None` if it depends on what a variable stands for.
fn compare(op: Comparison, left: &Term, right: &Term, valuation: &Valuation) -> Option<bool> {
    use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
    let order = match (term(left, valuation), term(right, valuation)) {
        (Some(Of::One(a)), Some(Of::One(b))) => a.cmp(&b),
        (Some(Of::Other(not)), Some(Of::One(v))) | (Some(Of::One(v)), Some(Of::Other(not))) if not.contains(&v) => {
            return [(Equal, false), (NotEqual, true)].into_iter().find(|(o, _)| *o == op).map(|(_, holds)| holds);
        }
        // One variable on both sides: it does not matter what it is.
        _ => match (linear(left)?, linear(right)?) {
            ((x, a), (y, b)) if x == y => a.cmp(&b),
            _ => return None,
        },
    };
    Some(match op {
        Equal => order.is_eq(),
        NotEqual => order.is_ne(),
        Less => order.is_lt(),
        LessOrEqual => order.is_le(),
        Greater => order.is_gt(),
        GreaterOrEqual => order.is_ge(),
    })
}

/// A variable and what is added to it.
fn linear(term: &Term) -> Option<(&Name, i64)> {
    match term {
        Term::Var(name) => Some((name, 0)),
        Term::Plus(a, b) | Term::Minus(a, b) => match (linear(a)?, &**b, term) {
            ((x, sum), Term::Const(Value::Int(n)), Term::Plus(..)) => Some((x, sum.checked_add(*n)?)),
            ((x, sum), Term::Const(Value::Int(n)), _) => Some((x, sum.checked_sub(*n)?)),
            _ => None,
        },
        _ => None,
    }
}

/// Whether a formula has a window at its head.
fn windowed(formula: &Formula) -> bool {
    use Formula::{Always, Eventually, Historically, Once, Since, Until};
    matches!(formula, Once(..) | Historically(..) | Since(..) | Eventually(..) | Always(..) | Until(..))
}

/// Whether a formula looks ahead.
fn ahead(formula: &Formula) -> bool {
    match formula {
        Formula::Eventually(..) | Formula::Always(..) | Formula::Until(..) => true,
        Formula::Not(f) | Formula::Exists(_, f) => ahead(f),
        Formula::And(parts) | Formula::Or(parts) => parts.iter().any(ahead),
        _ => false,
    }
}
