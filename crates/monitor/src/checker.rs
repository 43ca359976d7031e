//! The checker: does a verdict follow from the rules and the facts, as its argument says?
//!
//! ```text
//! C14("A1", "P1") opened 0 is kept since 2880, because
//!   lodged(a, x, y)                 holds at 0 and fails at -1           so it opened at 0
//!   EVENTUALLY[0,21600] ack(a, y)   holds at 0, surely by 2880           so it is kept by then
//!   EVENTUALLY[0,21600] ack(a, y)   fails at 0, perhaps by 2879          but not earlier
//! ```
//! Written to be read from top to bottom by someone who does not trust the monitor. It shares no code with the engine:
//! it knows formulas, facts and arguments, and never searches. `verdict` says which claims make a verdict, `follows`
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
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;

/// Where an argument is at fault: a claim, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault(pub String);

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
struct Goal {
    formula: Formula,
    valuation: Valuation,
    from: Instant,
    to: Instant,
    holds: bool,
    asserted: bool,
    by: By,
    since: Option<Instant>,
    cut: Instant,
}

/// What was looked for, or what is wrong.
type Found<T> = Result<T, &'static str>;

/// The claims from which something follows. One of no instants needs no showing.
type Needs = Found<Vec<Goal>>;
type Span = (Instant, Instant);

/// What is not settled by this instant never is.
const LAST: Instant = NEVER - 2;

/// Steps below steps that are followed; formulas and what they read nest less.
const DEPTH: usize = 2_000;

fn ensure(right: bool, found: &'static str) -> Found<()> {
    if right { Ok(()) } else { Err(found) }
}

impl Checker<'_> {
    /// Whether an instance stands as it says; from evidence, whether it has the state that it says.
    pub fn check(&self, instance: &Instance, argument: &Argument) -> Result<(), Fault> {
        self.shown(self.verdict(instance, argument), &argument.steps, &instance.key.rule, 0)
    }

    /// Each step claims what is needed, and that is shown by the steps below it.
    fn shown(&self, needs: Needs, steps: &[Step], place: &dyn Display, depth: usize) -> Result<(), Fault> {
        let fault = |found| Fault(format!("{place}: {found}"));
        let needed: Vec<Goal> = needs.map_err(fault)?.into_iter().filter(|goal| goal.from <= goal.to).collect();
        let fit = needed.len() == steps.len() && depth < DEPTH;
        ensure(fit, "a step is missing, or left over, or they nest too deep").map_err(fault)?;
        let mut pairs = needed.into_iter().zip(steps);
        pairs.try_for_each(|(goal, step)| self.shown(self.below(&goal, step), &step.steps, &goal.formula, depth + 1))
    }

    /// From which claims a verdict follows.
    fn verdict(&self, instance: &Instance, argument: &Argument) -> Needs {
        use State::{Breached, Disputed, Kept, Pending};
        let (key, opened) = (&instance.key, &argument.opened);
        let same = (&key.valuation, key.opened, instance.since) == (&opened.key, opened.opened, opened.since);
        ensure(same, "the argument is of another instance")?;
        let (exact, state, t) = (self.absent.is_none(), instance.state, argument.settled);
        let settled = t <= self.as_of && opened.opened <= self.as_of && (state != Pending || t == self.as_of);
        let (breached, kept) = (matches!(state, Breached | Disputed).then_some(t), (state == Kept).then_some(t));
        let instants = !exact || (breached, kept) == (instance.breached_since, instance.kept_at);
        ensure(settled && instants, "it is settled at another instant")?;
        ensure((state == Disputed) == argument.excuse.is_some(), "an excuse is for disputes")?;
        ensure(state != Breached || opened.certain, "it opens only on facts that are not admitted")?;
        ensure(state == Kept || !instance.lapsed, "a lapse keeps it")?;
        let lapsed = if exact { instance.lapsed } else { state == Kept && argument.lapses };

        let (mut owed, mut goals) = self.opening(&key.rule, opened, self.as_of)?;
        goals.extend(owed.stands(state, lapsed, t, state == Breached, exact)?);
        if let Some(excuse) = argument.excuse {
            goals.extend(self.excused(&owed, excuse, true, self.as_of)?);
        }
        if exact && breached.is_some() {
            let due = (instance.due, instance.until, argument.lapses) == (breached, None, false);
            ensure(due, "it was due when it was breached")?;
        } else if exact {
            // What silence would have brought from what settled it on, or brings from now on.
            owed.cut = if state == Kept { self.as_of.min(t - 1) } else { self.as_of };
            let (silence, end) = match (instance.due, instance.until) {
                (Some(due), None) => (Breached, due),
                (None, Some(until)) => (Kept, until),
                (None, None) => (Pending, LAST),
                _ => return Err("it is either due, or kept by silence"),
            };
            ensure(silence == Kept || !argument.lapses, "it does not lapse")?;
            ensure(silence == Pending || end < LAST, "it is settled at no instant")?;
            goals.extend(owed.stands(silence, argument.lapses, end, false, true)?);
        }
        Ok(goals)
    }

    fn rule(&self, name: &Name) -> Found<&Rule> {
        self.rules.rules.iter().find(|rule| rule.name == *name).ok_or("no such rule")
    }

    /// That an instance opened, and since when acts count.
    fn opening<'o>(&'o self, rule: &Name, opened: &'o Opened, cut: Instant) -> Found<(Owed<'o>, Vec<Goal>)> {
        let (rule, at, since) = (self.rule(rule)?, opened.opened, opened.since);
        let right = at > SINCE_EVER && at < LAST && since <= at && opened.key.len() == rule.key.len();
        ensure(right, "it opens at no instant, or for no key")?;
        ensure(rule.since.is_some() || since == at, "acts count from the opening on")?;
        let key = Arc::new(rule.key.iter().cloned().zip(opened.key.iter().cloned().map(Of::One)).collect());
        let owed = Owed { rule, key, opened, cut };
        let (some, asserted) = (opens(rule, rule.opens.clone()), !opened.certain);
        let shown = |formula: &Formula, asserted, holds, t| Goal { asserted, holds, ..owed.goal(formula, (t, t)) };
        let mut goals = vec![shown(&some, asserted, true, at)];
        if self.absent.is_some() {
            return Ok((owed, goals));
        }
        // That it opens on admitted facts shows that it opens; else that it does not is shown as well.
        goals.push(shown(&some, true, false, at - 1));
        goals.extend(asserted.then(|| shown(&some, false, false, at)));
        if let Some(name) = &rule.since {
            // The earliest account of its beginning; of those that are certain, if one is.
            let (left, right) = (Term::Var(name.clone()), Term::Const(since.into()));
            let earlier = vec![rule.opens.clone(), Formula::Compare { op: Comparison::Less, left, right }];
            goals.push(shown(&opens(rule, Formula::And(earlier)), asserted, false, at));
            let account = shown(&rule.opens, asserted, true, at).with(name, Of::One(since.into()));
            goals.extend((since < at).then_some(account));
        }
        Ok((owed, goals))
    }

    /// That an instance was not breached by an instant.
    fn excused(&self, owed: &Owed<'_>, excuse: Excuse, asserted: bool, by: Instant) -> Needs {
        match excuse {
            Excuse::Owed => Ok(vec![owed.must(asserted, true, By::Perhaps(by))]),
            Excuse::Lapsed(t) => owed.stands(State::Kept, true, t, asserted, !asserted),
            Excuse::NotAdmitted if self.absent.is_some() && asserted => {
                let (at, opens) = (owed.opened.opened, opens(owed.rule, owed.rule.opens.clone()));
                Ok(vec![Goal { asserted: false, holds: false, ..owed.goal(&opens, (at, at)) }])
            }
            Excuse::NotAdmitted if asserted && !owed.opened.certain => Ok(vec![]),
            Excuse::NotAdmitted => Err("it opens on admitted facts"),
        }
    }

    /// From which claims that of a step follows.
    fn below(&self, goal: &Goal, step: &Step) -> Needs {
        let Goal { from, to, holds, asserted, by, .. } = *goal;
        let (formula, valuation) = (Arc::from(goal.formula.to_string()), goal.valuation.clone());
        let needed = Claim { formula, valuation, from, to, holds, asserted, by };
        ensure(step.claim == needed, "another claim is needed here")?;
        if step.why == Why::Split {
            let parts = || step.steps.iter().map(|part| (part.claim.from, part.claim.to));
            ensure(tile(parts(), (from, to)), "parts leave a gap")?;
            return Ok(parts().map(|(from, to)| Goal { from, to, ..goal.clone() }).collect());
        }
        if ahead(&goal.formula) && Windows::of(goal).is_none_or(|w| !w.empty()) {
            return self.follows(goal, &step.why);
        }
        // What looks back is known where it is read, and no earlier.
        match by {
            By::Perhaps(t) if from > t => {
                return ensure(step.why == Why::Open, "nothing is known there").map(|()| vec![]);
            }
            By::Surely(t) | By::Perhaps(t) => ensure(to <= t, "it is read after what is known")?,
            By::Now => {}
        }
        self.follows(&Goal { since: None, by: By::Now, ..goal.clone() }, &step.why)
    }

    /// One rule for each operator; that a conjunction fails is shown as that a disjunction holds, and so on.
    fn follows(&self, goal: &Goal, why: &Why) -> Needs {
        use Formula::{Always, And, Atom, Eventually, Exists, Historically, Once, Or, Since, Until};
        let part = |formula: &Formula| Goal { formula: formula.clone(), ..goal.clone() };
        let read = |f: &Formula, (from, to): Span| Goal { from, to, since: None, ..part(f) };
        let (a, b, holds, windows) = (goal.from, goal.to, goal.holds, Windows::of(goal));
        let back = matches!(goal.formula, Since(..));
        let start = goal.since.map_or(a, |since| since.min(a));
        match (&goal.formula, holds, why, windows) {
            (_, _, Why::Plain, None) => ensure(plain(goal) == Some(true), "its terms do not show it").map(|()| vec![]),
            (Atom { name, args }, true, Why::Part(i), _) => Ok(vec![self.body(goal, name, args, *i)?]),
            (Atom { name, args }, false, Why::All, _) if self.bodies(name).next().is_some() => {
                self.bodies(name).map(|i| self.body(goal, name, args, i)).collect()
            }
            (Atom { name, args }, _, Why::Facts(ids), _) if self.bodies(name).next().is_none() => {
                self.atom(goal, name, args, ids).map(|()| vec![])
            }
            (Formula::Breached { rule, args }, true, Why::Breach(opened, t), _) => {
                self.breach(goal, rule, args, opened, *t)
            }
            (Formula::Breached { rule, args }, false, why, _) => self.no_breach(goal, self.rule(rule)?, args, why),
            (Formula::Not(f), _, Why::All, _) => Ok(vec![Goal { holds: !holds, asserted: !goal.asserted, ..part(f) }]),
            (And(parts), true, Why::All, _) | (Or(parts), false, Why::All, _) => Ok(parts.iter().map(part).collect()),
            (And(parts), false, Why::Part(i), _) | (Or(parts), true, Why::Part(i), _) => {
                Ok(vec![part(parts.get(*i).ok_or("no such part")?)])
            }
            (Exists(names, f), _, why, _) => {
                let Some((name, rest)) = names.split_first() else { return Ok(vec![part(f)]) };
                let inner = if rest.is_empty() { part(f) } else { part(&Exists(rest.to_vec(), f.clone())) };
                let one = |value: &Value| inner.with(name, Of::One(value.clone()));
                match why {
                    Why::Value(value) if holds => Ok(vec![one(value)]),
                    // Each of these values, and then any other.
                    Why::Each(values) if !holds => {
                        let other = inner.with(name, Of::Other(values.clone()));
                        Ok(values.iter().map(one).chain([other]).collect())
                    }
                    _ => Err("it does not follow in this way"),
                }
            }
            (Formula::Duration { at_least, formula, .. }, _, Why::Spans(spans), Some(w)) => {
                let apart = spans.is_sorted_by(|a, b| a.1 < b.0) && spans.iter().all(|(a, b)| a <= b);
                let right = if w.empty() { (*at_least <= 0) == holds } else { w.lasts(goal, spans, *at_least) };
                ensure(apart && right, "it lasts too long, or too short")?;
                Ok(spans.iter().map(|&span| read(formula, span)).collect())
            }
            (f, _, Why::Plain, Some(w)) if w.empty() && !matches!(f, Formula::Duration { .. }) => {
                ensure(holds == matches!(f, Historically(..) | Always(..)), "its window is empty").map(|()| vec![])
            }
            (_, _, _, Some(w)) if w.empty() => Err("its window is empty"),
            (Once(_, f) | Eventually(_, f), true, Why::Within(c, d), Some(w))
            | (Historically(_, f) | Always(_, f), false, Why::Within(c, d), Some(w)) => {
                ensure(w.meets(*c, *d), "a window does not meet it").map(|()| vec![read(f, (*c, *d))])
            }
            (Once(_, f) | Eventually(_, f), false, Why::Throughout, Some(w))
            | (Historically(_, f) | Always(_, f), true, Why::Throughout, Some(w))
            | (Since(_, _, f) | Until(_, _, f), false, Why::Broken(None), Some(w)) => {
                Ok(vec![read(f, (w.first.0, w.last.1))])
            }
            // The right side somewhere in every window, the left between there and here.
            (Since(_, f, g) | Until(_, f, g), true, Why::Within(c, d), Some(w)) => {
                ensure(w.meets(*c, *d), "a window does not meet it")?;
                let between = if back { (plus(*c, 1), b) } else { (start, minus(*d, 1)) };
                Ok(vec![read(g, (*c, *d)), read(f, between)])
            }
            // The right side holds here; or both fail, the right one only if that is in the window.
            (Since(w, f, g) | Until(w, f, g), _, Why::Here, _) if goal.since.is_none() && (w.from == 0 || !holds) => {
                let left = (!holds).then(|| read(f, (a, b)));
                Ok(left.into_iter().chain((w.from == 0).then(|| read(g, (a, b)))).collect())
            }
            // Nothing beyond a break helps, so the right side fails on this side of it.
            (Since(_, f, g) | Until(_, f, g), false, Why::Broken(Some(r)), Some(w)) => {
                let between = if back { *r <= a } else { *r >= start && (a == b || *r >= b) };
                ensure(between, "the break lies elsewhere")?;
                let right = if back { (w.first.0.max(*r), w.last.1) } else { (w.first.0, w.last.1.min(*r)) };
                Ok(vec![read(f, (*r, *r)), read(g, right)])
            }
            _ => Err("it does not follow in this way"),
        }
    }

    /// An atom holds where the facts that are named cover the stretch, and fails where there is none.
    fn atom(&self, goal: &Goal, name: &Name, args: &[Term], ids: &[FactId]) -> Found<()> {
        let (from, to) = (goal.from, goal.to.min(goal.cut));
        let (no, perhaps, yes) = (0, 1, 2); // Where a variable stands for many values, a fact perhaps fits.
        let column = |(arg, value): (&Term, &Value)| match term(arg, &goal.valuation) {
            _ if *arg == Term::Any => yes,
            Some(Of::One(wanted)) if wanted == *value => yes,
            Some(Of::Other(values)) if !values.contains(value) => perhaps,
            None => perhaps,
            _ => no,
        };
        let fits = |fact: &Fact| {
            let of = *name == fact.predicate && args.len() == fact.args.len() && (fact.admitted || goal.asserted);
            let there = fact.from <= to && from <= fact.to.min(goal.cut);
            if of && there { args.iter().zip(&fact.args).map(column).min().unwrap_or(yes) } else { no }
        };
        if goal.holds {
            let named: Vec<_> = self.facts.iter().filter(|(_, fact)| fits(fact) == yes).collect();
            ensure(named.iter().map(|(id, _)| *id).eq(ids), "these are not the facts")?;
            let spans = named.iter().map(|(_, fact)| (fact.from, fact.to.min(goal.cut))).collect();
            return ensure(cover(spans, (from, goal.to)), "its facts leave a gap");
        }
        ensure(ids.is_empty() && self.facts.values().all(|fact| fits(fact) == no), "there is such a fact")?;
        // Where not all facts are known, they must be said to be absent.
        let Some(absent) = self.absent.filter(|_| from <= to) else { return Ok(()) };
        let same = |(column, arg): (&Option<Value>, &Term)| {
            column.as_ref().is_none_or(|v| term(arg, &goal.valuation) == Some(Of::One(v.clone())))
        };
        let gaps = absent.iter().filter(|gap| gap.predicate == *name && gap.args.iter().zip(args).all(same));
        ensure(cover(gaps.map(|gap| (gap.from, gap.to)).collect(), (from, to)), "it may be there")
    }

    /// The definitions of a name.
    fn bodies(&self, name: &Name) -> impl Iterator<Item = usize> {
        (0..self.rules.definitions.len()).filter(move |&i| self.rules.definitions[i].name == *name)
    }

    /// One definition of a name, read with its arguments.
    fn body(&self, goal: &Goal, name: &Name, args: &[Term], i: usize) -> Found<Goal> {
        let definition = self.rules.definitions.get(i).filter(|d| d.name == *name && d.params.len() == args.len());
        let definition = definition.ok_or("no such definition")?;
        let (valuation, some) = bind(definition.params.iter().zip(args), &goal.valuation);
        let body = definition.body.clone();
        let formula = if some.is_empty() { body } else { Formula::Exists(some, Box::new(body)) };
        Ok(Goal { formula, valuation, ..goal.clone() })
    }

    /// That an instance had been breached by the first instant of the stretch.
    fn breach(&self, goal: &Goal, rule: &Name, args: &[(Name, Term)], opened: &Opened, t: Instant) -> Needs {
        let (owed, mut goals) = self.opening(rule, opened, goal.cut)?;
        let (wanted, _) = bind(args.iter().map(|(name, arg)| (name, arg)), &goal.valuation);
        let right = wanted.iter().all(|(name, of)| owed.key.get(name) == Some(of));
        let read = (opened.certain || goal.asserted) && opened.opened <= goal.cut && t <= goal.from.min(goal.cut);
        ensure(right && read, "another instance was breached, or later")?;
        goals.extend(owed.stands(State::Breached, false, t, !goal.asserted, false)?);
        Ok(goals)
    }

    /// That no instance had been breached by the last instant of the stretch: for every key, then for every opening.
    fn no_breach(&self, goal: &Goal, rule: &Rule, args: &[(Name, Term)], why: &Why) -> Needs {
        let (valuation, _) = bind(args.iter().map(|(name, arg)| (name, arg)), &goal.valuation);
        let free: Vec<Name> = rule.key.iter().filter(|name| !valuation.contains_key(*name)).cloned().collect();
        let pieces = match why {
            Why::All if !free.is_empty() => {
                let args = rule.key.iter().map(|name| (name.clone(), Term::Var(name.clone()))).collect();
                let every = Formula::Breached { rule: rule.name.clone(), args };
                return Ok(vec![Goal { formula: Formula::Exists(free, Box::new(every)), valuation, ..goal.clone() }]);
            }
            Why::Given if self.absent.is_some() => return Ok(vec![]),
            Why::Openings(pieces) if free.is_empty() => pieces,
            _ => return Err("it does not follow in this way"),
        };
        let spans = pieces.iter().map(|piece| match piece {
            Piece::Closed(from, to) | Piece::Open(from, to) => (*from, *to),
            Piece::Opened(opened, _) => (opened.opened, opened.opened),
        });
        ensure(tile(spans, (SINCE_EVER, goal.cut)), "openings leave a gap")?;
        let formula = opens(rule, rule.opens.clone());
        let opens = Goal { formula, valuation, asserted: true, by: By::Now, ..goal.clone() };
        let mut goals = Vec::new();
        for piece in pieces {
            match *piece {
                Piece::Closed(from, to) => goals.push(Goal { from, to, holds: false, ..opens.clone() }),
                Piece::Open(from, to) => goals.push(Goal { from: minus(from, 1), to, holds: true, ..opens.clone() }),
                Piece::Opened(ref opened, excuse) => {
                    let (owed, opening) = self.opening(&rule.name, opened, goal.cut)?;
                    ensure(owed.key == opens.valuation, "it opens for another key")?;
                    goals.extend(opening);
                    goals.extend(self.excused(&owed, excuse, !goal.asserted, goal.to.min(goal.cut))?);
                }
            }
        }
        Ok(goals)
    }
}

/// An instance whose opening is shown.
struct Owed<'o> {
    rule: &'o Rule,
    key: Valuation,
    opened: &'o Opened,
    cut: Instant,
}

impl Owed<'_> {
    fn goal(&self, formula: &Formula, (from, to): Span) -> Goal {
        let (formula, valuation, cut) = (formula.clone(), self.key.clone(), self.cut);
        Goal { formula, valuation, from, to, holds: true, asserted: true, by: By::Now, since: None, cut }
    }

    /// That what is owed holds or fails, as of an instant.
    fn must(&self, asserted: bool, holds: bool, by: By) -> Goal {
        let (at, since) = (self.opened.opened, self.rule.since.as_ref().map(|_| self.opened.since));
        Goal { asserted, holds, by, since, ..self.goal(&self.rule.must, (at, at)) }
    }

    /// That it stands so by an instant, or is kept by a lapse; if `exact`, that it did not stand so earlier.
    fn stands(&self, state: State, lapses: bool, t: Instant, asserted: bool, exact: bool) -> Needs {
        let (at, must) = (self.opened.opened, |holds, by| self.must(asserted, holds, by));
        let lapse = |holds, span| {
            self.rule.lapses.iter().map(|lapses| Goal { asserted, holds, ..self.goal(lapses, span) }).collect()
        };
        ensure(SINCE_EVER < t, "it is settled at no instant")?;
        ensure(!lapses || self.rule.lapses.is_some() && at <= t && t < LAST, "it lapses never, or at no instant")?;
        let (surely, perhaps, before) = (By::Surely(t), By::Perhaps(t), By::Perhaps(t - 1));
        // What is claimed of the lapse, and of what is owed; and that neither did so earlier.
        let (lapsed, shown, only) = match state {
            State::Kept if lapses => (lapse(true, (t, t)), vec![must(true, perhaps)], vec![must(false, perhaps)]),
            State::Kept => (vec![], vec![must(true, surely)], vec![must(false, before)]),
            State::Pending => (lapse(false, (at, t)), vec![must(true, perhaps), must(false, perhaps)], vec![]),
            _ => (lapse(false, (at, t - 1)), vec![must(false, surely)], vec![must(true, before)]),
        };
        let open = if state == State::Kept { lapse(false, (at, t - 1)) } else { vec![] };
        Ok([lapsed, shown].into_iter().chain([only, open].into_iter().filter(|_| exact)).flatten().collect())
    }
}

impl Goal {
    fn with(&self, name: &Name, of: Of) -> Goal {
        let mut valuation = BTreeMap::clone(&self.valuation);
        valuation.insert(name.clone(), of);
        Goal { valuation: Arc::new(valuation), ..self.clone() }
    }
}

/// The windows at the first and at the last instant of a stretch; those between lie between them.
struct Windows {
    near: i64,
    far: Option<i64>,
    /// It is known where they end; else they lie within unbounded ones.
    known: bool,
    first: Span,
    last: Span,
}

impl Windows {
    fn of(goal: &Goal) -> Option<Windows> {
        use Formula::{Always, Duration, Eventually, Historically, Once, Since, Until};
        let (window, back) = match &goal.formula {
            Once(w, _) | Historically(w, _) | Since(w, ..) | Duration { window: w, .. } => (w, true),
            Eventually(w, _) | Always(w, _) | Until(w, ..) => (w, false),
            _ => return None,
        };
        let upper = if let Upper::Var(name) = &window.to { goal.valuation.get(name) } else { None };
        let far = match (&window.to, upper) {
            (Upper::Fixed(far), _) | (_, Some(Of::One(Value::Int(far)))) => Some(*far),
            _ => None,
        };
        let (near, known) = (window.from, far.is_some() || window.to == Upper::Unbounded);
        let at = |t: Instant| match back {
            true => (far.map_or(SINCE_EVER, |far| minus(t, far)), minus(t, near)),
            false => (plus(goal.since.map_or(t, |since| since.min(t)), near), far.map_or(NEVER, |far| plus(t, far))),
        };
        Some(Windows { near, far, known, first: at(goal.from), last: at(goal.to) })
    }

    fn empty(&self) -> bool {
        self.far.is_some_and(|far| far < self.near)
    }

    /// Every window has an instant in the stretch.
    fn meets(&self, from: Instant, to: Instant) -> bool {
        self.known && from <= to && from <= self.first.1 && self.last.0 <= to
    }

    /// Whether DUR holds, or fails, at every instant of the goal if its formula does so in the spans.
    fn lasts(&self, goal: &Goal, spans: &[Span], at_least: i64) -> bool {
        const END: i128 = 1 << 100; // Beyond all windows.
        let wide = |t: Instant| match t {
            NEVER => END,
            SINCE_EVER => -END,
            t => i128::from(t),
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
            self.known && if goal.holds { held(t) >= i128::from(at_least) } else { rest < i128::from(at_least) }
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

/// Whether stretches follow one upon another from end to end of another.
fn tile(spans: impl Iterator<Item = Span>, (from, to): Span) -> bool {
    let follow = |next: Option<Instant>, (a, b): Span| (next == Some(a) && a <= b).then(|| b.checked_add(1));
    spans.into_iter().try_fold(Some(from), follow) == Some(to.checked_add(1))
}

/// Whether stretches leave no gap in another.
fn cover(mut spans: Vec<Span>, (from, to): Span) -> bool {
    spans.sort_unstable();
    let reach = |next: Option<Instant>, &(begin, end): &Span| {
        if next.is_some_and(|next| begin <= next && next <= end) { end.checked_add(1) } else { next }
    };
    spans.iter().fold(Some(from), reach).is_none_or(|next| next > to)
}

/// Whether terms alone show it; `None` if that is not known.
fn plain(goal: &Goal) -> Option<bool> {
    let (from, to) = (goal.from, goal.to);
    let (holds, fails) = match &goal.formula {
        Formula::True => (true, false),
        Formula::Reached(t) => match term(t, &goal.valuation)? {
            Of::One(Value::Int(t)) => (t <= from, to < t),
            _ => return None,
        },
        Formula::Ts(t) => match term(t, &goal.valuation)? {
            Of::One(Value::Int(t)) => (from == t && to == t, t < from || to < t),
            Of::One(_) => return None,
            // All of these instants are among the values that it does not have.
            Of::Other(values) => (false, to.checked_sub(from)? < 64 && (from..=to).all(|t| values.contains(&t.into()))),
        },
        Formula::Compare { op, left, right } => {
            let holds = compare(*op, left, right, &goal.valuation)?;
            (holds, !holds)
        }
        _ => return None,
    };
    Some(if goal.holds { holds } else { fails })
}

/// What a term stands for; `None` if that is not known.
fn term(term: &Term, valuation: &Valuation) -> Option<Of> {
    let (a, b, f): (_, _, fn(i64, i64) -> i64) = match term {
        Term::Var(name) => return valuation.get(name).cloned(),
        Term::Const(value) => return Some(Of::One(value.clone())),
        Term::Plus(a, b) => (a, b, i64::saturating_add),
        Term::Minus(a, b) => (a, b, i64::saturating_sub),
        Term::Times(a, b) => (a, b, i64::saturating_mul),
        _ => return None,
    };
    match (self::term(a, valuation), self::term(b, valuation)) {
        (Some(Of::One(Value::Int(a))), Some(Of::One(Value::Int(b)))) => Some(Of::One(Value::Int(f(a, b)))),
        _ => None,
    }
}

/// `None` if it depends on what a variable stands for.
fn compare(op: Comparison, left: &Term, right: &Term, valuation: &Valuation) -> Option<bool> {
    use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
    let order = match (term(left, valuation), term(right, valuation)) {
        (Some(Of::One(a)), Some(Of::One(b))) => a.cmp(&b),
        (Some(Of::Other(not)), Some(Of::One(v))) | (Some(Of::One(v)), Some(Of::Other(not))) if not.contains(&v) => {
            return matches!(op, Equal | NotEqual).then_some(op == NotEqual);
        }
        // One variable on both sides: it does not matter what it is.
        _ => match (linear(left)?, linear(right)?) {
            ((x, a), (y, b)) if x == y => a.cmp(&b),
            _ => return None,
        },
    };
    Some(match order {
        Ordering::Less => matches!(op, Less | LessOrEqual | NotEqual),
        Ordering::Equal => matches!(op, Equal | LessOrEqual | GreaterOrEqual),
        Ordering::Greater => matches!(op, Greater | GreaterOrEqual | NotEqual),
    })
}

/// A variable and what is added to it.
fn linear(term: &Term) -> Option<(&Name, i64)> {
    let (a, b, sign) = match term {
        Term::Var(name) => return Some((name, 0)),
        Term::Plus(a, b) => (a, b, 1),
        Term::Minus(a, b) => (a, b, -1),
        _ => return None,
    };
    let ((x, sum), Term::Const(Value::Int(n))) = (linear(a)?, &**b) else { return None };
    Some((x, sum.checked_add(n.checked_mul(sign)?)?))
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
