//! Finds the grounds of one verdict: a plain evaluator, restricted to the point and the valuation that are asked.
//!
//! ```text
//! NOT ONCE[0,9] p(7) at point 4     p(7) fails at each of the points 2, 3, 4     absent: p(7) at 2 to 4
//! ```
//! What it says is proved from a world: first the whole log, where all that is not there is absent. The leaves of that
//! proof are evidence enough; then it is tried without each part of it, and what can be spared is left out. It shares
//! nothing with the operators (`nodes`), so that it is a second opinion as well. Where it does not find a proof, e.g.
//! beyond 64 bits or where very many values would have to be tried, there is no explanation.
use crate::argument::{Of, Valuation};
use crate::fact::Value;
use crate::formula::{Aggregation, Comparison, Formula, Name, Signature, Term, Type, Upper, Window};
use crate::grounds::{Grounds, PointAbsence, PointFact, PointLog, PointStep, Reason, valuation};
use crate::ratio::Ratio;
use std::cell::Cell;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Values that are tried for one variable, and rows of one aggregation, at most.
const WIDTH: usize = 400;
/// Steps of one proof, found or given up, and of all proofs that one reason takes.
const STEPS: usize = 2_000_000;
const ALL_STEPS: usize = 20_000_000;

/// A formula with its text; names that LET gives are resolved.
struct Node {
    id: usize,
    text: Arc<str>,
    kind: Kind,
}

type Ref = Arc<Node>;

enum Kind {
    True,
    Fact(Name, Vec<Term>),
    /// Columns of a LET and what they are; its formula, with the columns that may be anything quantified.
    Call(Vec<(Name, Term)>, Ref),
    Compare(Comparison, Term, Term),
    Not(Ref),
    /// All parts, or one of them.
    Parts(bool, Vec<Ref>),
    Exists(Name, Ref),
    /// The formula behind a LET, or a quantifier of no variable.
    Same(Ref),
    /// Looking back or not; at all points of the window or at one.
    Window {
        back: bool,
        all: bool,
        window: Window,
        inner: Ref,
    },
    Step {
        back: bool,
        window: Window,
        inner: Ref,
    },
    Pair {
        back: bool,
        window: Window,
        left: Ref,
        right: Ref,
    },
    Aggregate {
        op: Aggregation,
        result: Name,
        over: Name,
        groups: Vec<Name>,
        vars: Vec<Name>,
        inner: Ref,
        body: Formula,
    },
}

/// Makes nodes, each with a number of its own.
#[derive(Default)]
struct Maker {
    count: usize,
    lets: Vec<(Name, Vec<Name>, Formula, usize)>,
}

impl Maker {
    fn node(&mut self, text: String, kind: Kind) -> Ref {
        self.count += 1;
        Arc::new(Node { id: self.count, text: Arc::from(text), kind })
    }

    /// `None`: the formula belongs to the clock domain.
    fn make(&mut self, formula: &Formula) -> Option<Ref> {
        let kind = match formula {
            Formula::True => Kind::True,
            Formula::Atom { name, args } => return self.atom(formula, name, args),
            Formula::Compare { op, left, right } => Kind::Compare(*op, left.clone(), right.clone()),
            Formula::Not(f) => Kind::Not(self.make(f)?),
            Formula::And(parts) | Formula::Or(parts) => {
                let all = matches!(formula, Formula::And(_));
                Kind::Parts(all, parts.iter().map(|f| self.make(f)).collect::<Option<_>>()?)
            }
            Formula::Exists(names, f) => match names.split_first() {
                None => Kind::Same(self.make(f)?),
                Some((name, [])) => Kind::Exists(name.clone(), self.make(f)?),
                Some((name, rest)) => {
                    Kind::Exists(name.clone(), self.make(&Formula::Exists(rest.to_vec(), f.clone()))?)
                }
            },
            Formula::Once(w, f) | Formula::Historically(w, f) | Formula::Eventually(w, f) | Formula::Always(w, f) => {
                let back = matches!(formula, Formula::Once(..) | Formula::Historically(..));
                let all = matches!(formula, Formula::Historically(..) | Formula::Always(..));
                Kind::Window { back, all, window: w.clone(), inner: self.make(f)? }
            }
            Formula::Previous(w, f) | Formula::Next(w, f) => {
                let back = matches!(formula, Formula::Previous(..));
                Kind::Step { back, window: w.clone(), inner: self.make(f)? }
            }
            Formula::Since(w, f, g) | Formula::Until(w, f, g) => {
                let back = matches!(formula, Formula::Since(..));
                Kind::Pair { back, window: w.clone(), left: self.make(f)?, right: self.make(g)? }
            }
            Formula::Let { name, params, formula: body, within } => {
                self.lets.push((name.clone(), params.clone(), (**body).clone(), self.lets.len()));
                let within = self.make(within);
                self.lets.pop();
                Kind::Same(within?)
            }
            Formula::Aggregate { op, result, over, groups, formula: body } => {
                let vars = crate::query::columns(body).into_iter().filter(|v| !groups.contains(v)).collect();
                let (op, result, over, groups) = (*op, result.clone(), over.clone(), groups.clone());
                Kind::Aggregate { op, result, over, groups, vars, inner: self.make(body)?, body: (**body).clone() }
            }
            Formula::Reached(_) | Formula::Ts(_) | Formula::Breached { .. } | Formula::Duration { .. } => return None,
        };
        Some(self.node(formula.to_string(), kind))
    }

    fn atom(&mut self, formula: &Formula, name: &Name, args: &[Term]) -> Option<Ref> {
        let Some(at) = self.lets.iter().rposition(|(n, ..)| n == name) else {
            return Some(self.node(formula.to_string(), Kind::Fact(name.clone(), args.to_vec())));
        };
        let (_, params, body, outer) = self.lets[at].clone();
        let (some, known): (Vec<_>, Vec<_>) =
            params.into_iter().zip(args.iter().cloned()).partition(|(_, arg)| *arg == Term::Any);
        let some: Vec<Name> = some.into_iter().map(|(param, _)| param).collect();
        let body = if some.is_empty() { body } else { Formula::Exists(some, Box::new(body)) };
        // What the LET's formula reads stands outside of it.
        let hidden = self.lets.split_off(outer);
        let inner = self.make(&body);
        self.lets.extend(hidden);
        Some(self.node(formula.to_string(), Kind::Call(known, inner?)))
    }
}

impl Maker {
    /// That an aggregation's formula holds of other values than those of its rows, too. `Some(None)`: there are no others.
    fn others(&mut self, vars: &[Name], rows: &[Vec<Value>], body: &Formula, inner: &Ref) -> Option<Option<Ref>> {
        let equal = |(name, value): (&Name, &Value)| {
            let (left, right) = (Term::Var(name.clone()), Term::Const(value.clone()));
            Formula::Compare { op: Comparison::Equal, left, right }
        };
        let (mut formula, mut node) = (body.clone(), inner.clone());
        if !rows.is_empty() {
            if vars.is_empty() {
                return Some(None);
            }
            let known = rows.iter().map(|row| Formula::And(vars.iter().zip(row).map(equal).collect()));
            let known = Formula::Not(Box::new(Formula::Or(known.collect())));
            let parts = vec![node, self.make(&known)?];
            formula = Formula::And(vec![formula, known]);
            node = self.node(formula.to_string(), Kind::Parts(true, parts));
        }
        for i in (0..vars.len()).rev() {
            let text = Formula::Exists(vars[i..].to_vec(), Box::new(formula.clone())).to_string();
            node = self.node(text, Kind::Exists(vars[i].clone(), node));
        }
        Some(Some(node))
    }
}

/// What is known: facts, and where there are none; or everything.
struct World<'w> {
    stamps: &'w [i64],
    signature: &'w Signature,
    present: Present,
    absent: Option<Absent>,
}

/// Tuples by predicate and time-point.
type Present = Arc<BTreeMap<(Name, u32), Vec<Vec<Value>>>>;
type Absent = BTreeMap<(Name, u32), Vec<Vec<Option<Value>>>>;

type Proved = Option<Arc<PointStep>>;
type Unit = (Name, Vec<Option<Value>>, u32);

struct Prover<'w> {
    world: World<'w>,
    maker: Maker,
    known: BTreeMap<(usize, u32, bool, Valuation), Proved>,
    steps: usize,
}

/// Finds reasons of verdicts of one formula over one log.
pub struct Explainer<'l> {
    root: Ref,
    made: usize,
    signature: &'l Signature,
    log: &'l PointLog,
    all: Present,
    spent: Cell<usize>,
}

impl<'l> Explainer<'l> {
    /// `None`: the formula belongs to the clock domain.
    pub fn new(formula: &Formula, signature: &'l Signature, log: &'l PointLog) -> Option<Explainer<'l>> {
        let mut maker = Maker::default();
        let root = maker.make(formula)?;
        Some(Explainer { root, made: maker.count, signature, log, all: by_place(&log.facts), spent: Cell::new(0) })
    }

    fn proof(&self, evidence: Option<(&BTreeSet<PointFact>, &BTreeSet<Unit>)>, point: u32, of: &Valuation) -> Proved {
        if self.spent.get() > ALL_STEPS {
            return None;
        }
        let mut absent: Absent = BTreeMap::new();
        for (name, args, point) in evidence.into_iter().flat_map(|(_, absent)| absent) {
            absent.entry((name.clone(), *point)).or_default().push(args.clone());
        }
        let present = evidence.map_or_else(|| self.all.clone(), |(present, _)| by_place(present));
        let world =
            World { stamps: &self.log.stamps, signature: self.signature, present, absent: evidence.map(|_| absent) };
        let maker = Maker { count: self.made, lets: Vec::new() };
        let mut prover = Prover { world, maker, known: BTreeMap::new(), steps: 0 };
        let found = prover.prove(&self.root, of, point, true);
        self.spent.set(self.spent.get() + prover.steps);
        found
    }

    /// Why the formula holds at a time-point with these values of its columns; `None` if no reason was found.
    pub fn grounds(&self, point: u32, columns: &[Name], tuple: &[Value]) -> Option<Grounds> {
        let (log, goal) = (self.log, valuation(columns, tuple));
        self.spent.set(0);
        let proof = self.proof(None, point, &goal)?;
        let (mut present, mut absent) = (BTreeSet::new(), BTreeSet::new());
        leaves(&proof, &mut present, &mut absent, &mut BTreeSet::new());
        // Where any value counts, what is there must be said.
        let fits = |fact: &PointFact, (name, args, point): &Unit| {
            let same = |(column, value): (&Option<Value>, &Value)| column.as_ref().is_none_or(|v| v == value);
            (fact.point, &fact.predicate) == (*point, name) && args.iter().zip(&fact.args).all(same)
        };
        for unit in absent.iter().filter(|(_, args, _)| args.contains(&None)) {
            let there = log
                .facts
                .range(least(unit.2, &unit.0)..)
                .take_while(|fact| (fact.point, &fact.predicate) == (unit.2, &unit.0));
            present.extend(there.filter(|fact| fits(fact, unit)).cloned());
        }
        let units: Vec<Unit> = absent.iter().cloned().collect();
        spare(&units, &mut |gone| {
            let rest: BTreeSet<Unit> = absent.iter().filter(|unit| !gone.contains(unit)).cloned().collect();
            let spared = self.proof(Some((&present, &rest)), point, &goal).is_some();
            if spared {
                absent = rest;
            }
            spared
        });
        let facts: Vec<PointFact> = present.iter().cloned().collect();
        spare(&facts, &mut |gone| {
            let facts: BTreeSet<PointFact> = present.iter().filter(|fact| !gone.contains(fact)).cloned().collect();
            // An absence that is not true without the fact goes with it.
            let rest: BTreeSet<Unit> =
                absent.iter().filter(|unit| !gone.iter().any(|fact| fits(fact, unit))).cloned().collect();
            let spared = self.proof(Some((&facts, &rest)), point, &goal).is_some();
            if spared {
                (present, absent) = (facts, rest);
            }
            spared
        });
        let proof = self.proof(Some((&present, &absent)), point, &goal)?;
        let mut ranges: Vec<PointAbsence> = Vec::new();
        for (predicate, args, point) in absent {
            match ranges
                .last_mut()
                .filter(|last| (&last.predicate, &last.args, last.to + 1) == (&predicate, &args, point))
            {
                Some(last) => last.to = point,
                None => ranges.push(PointAbsence { predicate, args, from: point, to: point }),
            }
        }
        Some(Grounds { present: present.into_iter().collect(), absent: ranges, proof })
    }

    /// Why it holds by some evidence alone, if it does.
    pub fn follows(
        &self,
        (present, absent): (&[PointFact], &[PointAbsence]),
        point: u32,
        (columns, tuple): (&[Name], &[Value]),
    ) -> Option<Arc<PointStep>> {
        let units = |gap: &PointAbsence| {
            let (name, args) = (gap.predicate.clone(), gap.args.clone());
            (gap.from..=gap.to).map(move |point| (name.clone(), args.clone(), point))
        };
        let (present, absent) = (present.iter().cloned().collect(), absent.iter().flat_map(units).collect());
        self.spent.set(0);
        self.proof(Some((&present, &absent)), point, &valuation(columns, tuple))
    }
}

fn by_place(facts: &BTreeSet<PointFact>) -> Present {
    let mut present: BTreeMap<(Name, u32), Vec<Vec<Value>>> = BTreeMap::new();
    for fact in facts {
        present.entry((fact.predicate.clone(), fact.point)).or_default().push(fact.args.clone());
    }
    Arc::new(present)
}

/// Sorts before all facts of a predicate at a point.
fn least(point: u32, predicate: &Name) -> PointFact {
    PointFact { point, predicate: predicate.clone(), args: Vec::new() }
}

/// Tries to do without parts of a list: without all, else without either half.
fn spare<T>(list: &[T], without: &mut dyn FnMut(&[T]) -> bool) {
    if list.is_empty() || without(list) || list.len() == 1 {
        return;
    }
    let (a, b) = list.split_at(list.len() / 2);
    spare(a, without);
    spare(b, without);
}

fn leaves(
    step: &Arc<PointStep>,
    present: &mut BTreeSet<PointFact>,
    absent: &mut BTreeSet<Unit>,
    seen: &mut BTreeSet<*const PointStep>,
) {
    if !seen.insert(Arc::as_ptr(step)) {
        return;
    }
    let predicate = || Name::from(step.formula.split('(').next().unwrap_or_default());
    match &step.why {
        Reason::Fact(args) => {
            present.insert(PointFact { point: step.point, predicate: predicate(), args: args.clone() });
        }
        Reason::Absent(args) => {
            absent.insert((predicate(), args.clone(), step.point));
        }
        _ => step.steps.iter().for_each(|step| leaves(step, present, absent, seen)),
    }
}

impl Prover<'_> {
    fn prove(&mut self, node: &Ref, of: &Valuation, point: u32, holds: bool) -> Proved {
        let key = (node.id, point, holds, of.clone());
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        self.steps += 1;
        if self.steps > STEPS {
            return None;
        }
        let found = self.follow(node, of, point, holds).map(|(why, steps)| {
            Arc::new(PointStep { formula: node.text.clone(), valuation: of.clone(), point, holds, why, steps })
        });
        self.known.insert(key, found.clone());
        found
    }

    fn all(
        &mut self,
        goals: impl IntoIterator<Item = (Ref, u32)>,
        of: &Valuation,
        holds: bool,
    ) -> Option<Vec<Arc<PointStep>>> {
        goals.into_iter().map(|(node, point)| self.prove(&node, of, point, holds)).collect()
    }

    fn follow(&mut self, node: &Ref, of: &Valuation, point: u32, holds: bool) -> Option<(Reason, Vec<Arc<PointStep>>)> {
        let one = |step: Arc<PointStep>| (Reason::All, vec![step]);
        match &node.kind {
            Kind::True => holds.then_some((Reason::Plain, vec![])),
            Kind::Fact(name, args) => self.fact(name, args, of, point, holds).map(|why| (why, vec![])),
            Kind::Call(args, inner) => {
                let known = args.iter().map(|(param, arg)| (param.clone(), term(arg, of).unwrap_or(Of::Other(vec![]))));
                self.prove(inner, &Arc::new(known.collect()), point, holds).map(one)
            }
            Kind::Compare(op, left, right) => {
                (compare(*op, left, right, of)? == holds).then_some((Reason::Plain, vec![]))
            }
            Kind::Not(inner) => self.prove(inner, of, point, !holds).map(one),
            Kind::Same(inner) => self.prove(inner, of, point, holds).map(one),
            Kind::Parts(all, parts) if *all == holds => {
                let goals = parts.iter().map(|part| (part.clone(), point));
                Some((Reason::All, self.all(goals.collect::<Vec<_>>(), of, holds)?))
            }
            Kind::Parts(_, parts) => parts
                .iter()
                .enumerate()
                .find_map(|(i, part)| Some((Reason::Part(i), vec![self.prove(part, of, point, holds)?]))),
            Kind::Exists(name, inner) if holds => self.listed(name, inner, of, point).into_iter().find_map(|value| {
                let step = self.prove(inner, &with(of, name, Of::One(value.clone())), point, true)?;
                Some((Reason::Value(value), vec![step]))
            }),
            Kind::Exists(name, inner) => {
                let listed: Vec<Value> = self.listed(name, inner, of, point).into_iter().collect();
                [vec![], listed].into_iter().find_map(|values| {
                    let last = self.prove(inner, &with(of, name, Of::Other(values.clone())), point, false)?;
                    let each =
                        values.iter().map(|v| self.prove(inner, &with(of, name, Of::One(v.clone())), point, false));
                    let mut steps = each.collect::<Option<Vec<_>>>()?;
                    steps.push(last);
                    Some((Reason::Each(values), steps))
                })
            }
            Kind::Window { back, all, window, inner } => {
                let points = self.points(*back, window, point);
                if *all == holds {
                    let goals: Vec<_> = points.into_iter().map(|j| (inner.clone(), j)).collect();
                    return Some((Reason::All, self.all(goals, of, holds)?));
                }
                points.into_iter().find_map(|j| Some((Reason::At(j), vec![self.prove(inner, of, j, holds)?])))
            }
            Kind::Step { back, window, inner } => {
                let next = if *back { point.checked_sub(1) } else { Some(point + 1) };
                match next.filter(|&j| self.points(*back, window, point).contains(&j)) {
                    Some(j) => self.prove(inner, of, j, holds).map(one),
                    None => (!holds).then_some((Reason::Plain, vec![])),
                }
            }
            Kind::Pair { back, window, left, right } => {
                let points = self.points(*back, window, point);
                if holds {
                    return points.into_iter().find_map(|j| {
                        let mut steps = vec![self.prove(right, of, j, true)?];
                        let between: Vec<_> = if *back { (j + 1..=point).collect() } else { (point..j).collect() };
                        steps.extend(self.all(between.into_iter().map(|k| (left.clone(), k)), of, true)?);
                        Some((Reason::At(j), steps))
                    });
                }
                let last = u32::try_from(self.world.stamps.len()).ok()?;
                let near: Vec<u32> = if *back { (0..=point).rev().collect() } else { (point..last).collect() };
                // The right side fails at more and more points; behind a break the rest does not matter.
                let mut rights = Vec::new();
                for r in near {
                    let outside = points.last().is_none_or(|&far| if *back { r < far } else { r > far });
                    if outside {
                        break;
                    }
                    if points.contains(&r) {
                        match self.prove(right, of, r, false) {
                            Some(step) => rights.push(step),
                            None => return None,
                        }
                    }
                    if points.last() != Some(&r)
                        && let Some(step) = self.prove(left, of, r, false)
                    {
                        let mut steps = vec![step];
                        steps.extend(rights);
                        return Some((Reason::Broken(Some(r)), steps));
                    }
                }
                Some((Reason::Broken(None), rights))
            }
            Kind::Aggregate { op, result, over, groups, vars, inner, body } => {
                let group: Valuation =
                    Arc::new(groups.iter().filter_map(|g| Some((g.clone(), of.get(g)?.clone()))).collect());
                let rows = self.rows(vars, inner, &group, point)?;
                let value = self.sum(*op, over, groups, vars, (inner, &group, &rows));
                let right = match (value, of.get(result)?) {
                    (None, _) => return None,
                    (Some(None), _) => !holds,
                    (Some(Some(value)), Of::One(wanted)) => (value == *wanted) == holds,
                    (Some(Some(value)), Of::Other(not)) => !holds && not.contains(&value),
                };
                if !right {
                    return None;
                }
                let mut steps = Vec::new();
                for row in &rows {
                    let row = vars.iter().zip(row).fold(group.clone(), |of, (n, v)| with(&of, n, Of::One(v.clone())));
                    steps.push(self.prove(inner, &row, point, true)?);
                }
                if let Some(others) = self.maker.others(vars, &rows, body, inner)? {
                    steps.push(self.prove(&others, &group, point, false)?);
                }
                Some((Reason::Rows(vars.clone(), rows), steps))
            }
        }
    }

    fn fact(&mut self, name: &Name, args: &[Term], of: &Valuation, point: u32, holds: bool) -> Option<Reason> {
        let key = (name.clone(), point);
        let wanted: Vec<Option<Of>> = args.iter().map(|arg| term(arg, of)).collect();
        let there = self.world.present.get(&key).into_iter().flatten();
        // 0: does not fit; 1: perhaps, where a variable stands for many values; 2: fits.
        let fits = |tuple: &Vec<Value>| {
            let columns = args.iter().zip(&wanted).zip(tuple).map(|((arg, wanted), value)| match wanted {
                _ if *arg == Term::Any => 2,
                Some(Of::One(v)) => {
                    if v == value {
                        2
                    } else {
                        0
                    }
                }
                Some(Of::Other(not)) if not.contains(value) => 0,
                _ => 1,
            });
            columns.min().unwrap_or(2)
        };
        if holds {
            return there.into_iter().find(|tuple| fits(tuple) == 2).map(|tuple| Reason::Fact(tuple.clone()));
        }
        if there.into_iter().any(|tuple| fits(tuple) > 0) {
            return None;
        }
        let pattern: Vec<Option<Value>> =
            wanted.into_iter().map(|of| if let Some(Of::One(v)) = of { Some(v) } else { None }).collect();
        let known = match &self.world.absent {
            None => true,
            Some(absent) => absent
                .get(&key)
                .into_iter()
                .flatten()
                .any(|args| args.iter().zip(&pattern).all(|(column, wanted)| column.is_none() || column == wanted)),
        };
        known.then_some(Reason::Absent(pattern))
    }

    /// Points of a window, the nearest first.
    fn points(&self, back: bool, window: &Window, point: u32) -> Vec<u32> {
        let stamp = |j: u32| i128::from(self.world.stamps[j as usize]);
        let here = stamp(point);
        let within = |&j: &u32| (here - stamp(j)).abs() >= i128::from(window.from);
        let reached = |&j: &u32| match window.to {
            Upper::Fixed(to) => (here - stamp(j)).abs() <= i128::from(to),
            _ => true,
        };
        if back {
            return (0..=point).rev().take_while(reached).filter(within).collect();
        }
        (point..self.world.stamps.len() as u32).take_while(reached).filter(within).collect()
    }

    /// Values worth a look for a variable of a formula at a point.
    fn listed(&mut self, name: &Name, node: &Ref, of: &Valuation, point: u32) -> BTreeSet<Value> {
        let mut values = BTreeSet::new();
        let mut scope = vec![(name.clone(), node.clone())];
        self.gather(name, node, of, (point, point), &mut scope, &mut values);
        values
    }

    /// Adds the values that facts, constants and aggregations give a variable at points of a range.
    fn gather(
        &mut self,
        name: &Name,
        node: &Ref,
        of: &Valuation,
        range: (u32, u32),
        scope: &mut Vec<(Name, Ref)>,
        values: &mut BTreeSet<Value>,
    ) {
        if scope.len() > 12 || values.len() > WIDTH {
            return;
        }
        let is = |term: &Term| matches!(term, Term::Var(v) if v == name);
        match &node.kind {
            Kind::True => {}
            Kind::Fact(predicate, args) => {
                let facts = self.world.present.range((predicate.clone(), range.0)..=(predicate.clone(), range.1));
                for tuple in facts.flat_map(|(_, tuples)| tuples) {
                    // What cannot fit for its other columns is no candidate.
                    let fits = args.iter().zip(tuple).all(|(arg, value)| match term(arg, of) {
                        Some(Of::One(v)) => is(arg) || v == *value,
                        _ => true,
                    });
                    if fits {
                        values
                            .extend(args.iter().zip(tuple).filter(|(arg, _)| is(arg)).map(|(_, value)| value.clone()));
                    }
                }
            }
            Kind::Call(args, inner) => {
                let known: BTreeMap<Name, Of> = args
                    .iter()
                    .filter(|(_, arg)| !is(arg))
                    .filter_map(|(param, arg)| Some((param.clone(), term(arg, of)?)))
                    .collect();
                let known = Arc::new(known);
                for (param, arg) in args {
                    if is(arg) {
                        let mut inside = vec![(param.clone(), inner.clone())];
                        self.gather(param, inner, &known, range, &mut inside, values);
                    }
                }
            }
            Kind::Compare(_, left, right) => {
                for (one, other) in [(left, right), (right, left)] {
                    if is(one) {
                        values.extend(self.possible(other, of, range, scope));
                    }
                }
            }
            Kind::Not(inner) | Kind::Same(inner) => self.gather(name, inner, of, range, scope, values),
            Kind::Parts(_, parts) => {
                for part in parts {
                    self.gather(name, part, of, range, scope, values);
                }
            }
            Kind::Exists(inside, inner) if inside != name => {
                let mut outer = BTreeMap::clone(of);
                outer.remove(inside);
                scope.push((inside.clone(), inner.clone()));
                self.gather(name, inner, &Arc::new(outer), range, scope, values);
                scope.pop();
            }
            Kind::Exists(..) => {}
            Kind::Window { back, window, inner, .. } => {
                let range = self.reach(*back, window, range);
                self.gather(name, inner, of, range, scope, values);
            }
            Kind::Step { back, inner, .. } => {
                let last = self.world.stamps.len() as u32 - 1;
                let (a, b) = range;
                let range = if *back { (a.saturating_sub(1), b) } else { (a, (b + 1).min(last)) };
                self.gather(name, inner, of, range, scope, values);
            }
            Kind::Pair { back, window, left, right } => {
                let range = self.reach(*back, window, range);
                self.gather(name, right, of, range, scope, values);
                self.gather(name, left, of, range, scope, values);
            }
            Kind::Aggregate { op, result, over, groups, vars, inner, .. } => {
                let known: BTreeMap<Name, Of> =
                    groups.iter().filter_map(|g| Some((g.clone(), of.get(g)?.clone()))).collect();
                if groups.contains(name) {
                    self.gather(name, inner, &Arc::new(known.clone()), range, scope, values);
                }
                if result != name {
                    return;
                }
                let mut rows = vec![known];
                for group in groups {
                    let mut more = Vec::new();
                    for row in rows {
                        match row.get(group) {
                            Some(Of::One(_)) => more.push(row),
                            _ => {
                                let mut found = BTreeSet::new();
                                let of = Arc::new(row.clone());
                                let mut inside = vec![(group.clone(), inner.clone())];
                                self.gather(group, inner, &of, range, &mut inside, &mut found);
                                for value in found {
                                    let mut row = row.clone();
                                    row.insert(group.clone(), Of::One(value));
                                    more.push(row);
                                }
                            }
                        }
                    }
                    rows = more;
                }
                for row in rows.into_iter().take(WIDTH) {
                    let row = Arc::new(row);
                    for point in (range.0..=range.1).take(WIDTH) {
                        if let Some(found) = self.rows(vars, inner, &row, point)
                            && let Some(Some(value)) = self.sum(*op, over, groups, vars, (inner, &row, &found))
                        {
                            values.insert(value);
                        }
                    }
                }
            }
        }
    }

    /// Values that a term may have, where variables that are quantified further in have values of their own.
    fn possible(
        &mut self,
        of_term: &Term,
        of: &Valuation,
        range: (u32, u32),
        scope: &mut Vec<(Name, Ref)>,
    ) -> BTreeSet<Value> {
        if let Some(Of::One(value)) = term(of_term, of) {
            return BTreeSet::from([value]);
        }
        let mut names = BTreeSet::new();
        variables(of_term, &mut names);
        let mut rows = vec![BTreeMap::clone(of)];
        for name in names {
            if let Some(Of::One(_)) = of.get(&name) {
                continue;
            }
            let Some((at, node)) =
                scope.iter().enumerate().rev().find(|(_, (n, _))| *n == name).map(|(i, s)| (i, s.1.clone()))
            else {
                return BTreeSet::new();
            };
            let mut found = BTreeSet::new();
            let inner = scope.split_off(at);
            scope.push((Name::from(""), node.clone()));
            self.gather(&name, &node, of, range, scope, &mut found);
            scope.pop();
            scope.extend(inner);
            let more = rows.iter().flat_map(|row| {
                found.iter().map(|value| {
                    let mut row = row.clone();
                    row.insert(name.clone(), Of::One(value.clone()));
                    row
                })
            });
            rows = more.take(WIDTH * 4).collect();
        }
        let value = |row| if let Some(Of::One(value)) = term(of_term, &Arc::new(row)) { Some(value) } else { None };
        rows.into_iter().filter_map(value).collect()
    }

    /// All points that windows of points of a range reach, and those between.
    fn reach(&self, back: bool, window: &Window, (from, to): (u32, u32)) -> (u32, u32) {
        let far = |point: u32| self.points(back, &Window { from: 0, to: window.to.clone() }, point).last().copied();
        if back { (far(from).unwrap_or(from), to) } else { (from, far(to).unwrap_or(to)) }
    }

    /// What rows sum up to; `Some(None)`: there is no group, `None`: it is not known.
    fn sum(
        &self,
        op: Aggregation,
        over: &Name,
        groups: &[Name],
        vars: &[Name],
        (inner, group, rows): (&Ref, &Valuation, &[Vec<Value>]),
    ) -> Option<Option<Value>> {
        if !rows.is_empty() {
            return aggregate(op, over, vars, group, rows).map(Some);
        }
        if !groups.is_empty() {
            return Some(None);
        }
        Some(Some(match of_type(op, || self.kind(over, inner))? {
            Type::Int => Value::Int(0),
            Type::Text => Value::text(""),
            Type::Decimal => Value::Decimal(Ratio::whole(0)),
        }))
    }

    /// The type of a free variable, from a column in which it stands.
    fn kind(&self, name: &Name, node: &Ref) -> Option<Type> {
        match &node.kind {
            Kind::True | Kind::Compare(..) => None,
            Kind::Fact(predicate, args) => {
                let column = args.iter().position(|arg| matches!(arg, Term::Var(v) if v == name))?;
                self.world.signature.get(predicate)?.get(column).copied()
            }
            Kind::Call(args, inner) => {
                let (param, _) = args.iter().find(|(_, arg)| matches!(arg, Term::Var(v) if v == name))?;
                self.kind(param, inner)
            }
            Kind::Not(inner) | Kind::Same(inner) => self.kind(name, inner),
            Kind::Window { inner, .. } | Kind::Step { inner, .. } => self.kind(name, inner),
            Kind::Parts(_, parts) => parts.iter().find_map(|part| self.kind(name, part)),
            Kind::Exists(inside, inner) => {
                if inside == name {
                    None
                } else {
                    self.kind(name, inner)
                }
            }
            Kind::Pair { left, right, .. } => self.kind(name, right).or_else(|| self.kind(name, left)),
            Kind::Aggregate { groups, inner, .. } if groups.contains(name) => self.kind(name, inner),
            Kind::Aggregate { op, result, over, inner, .. } if result == name => {
                of_type(*op, || self.kind(over, inner))
            }
            Kind::Aggregate { .. } => None,
        }
    }

    /// All values of some variables with which a formula holds; `None` if they are very many.
    fn rows(&mut self, vars: &[Name], node: &Ref, of: &Valuation, point: u32) -> Option<Vec<Vec<Value>>> {
        let mut rows = Vec::new();
        self.rows_from(vars, node, of, point, &mut Vec::new(), &mut rows)?;
        Some(rows)
    }

    fn rows_from(
        &mut self,
        vars: &[Name],
        node: &Ref,
        of: &Valuation,
        point: u32,
        row: &mut Vec<Value>,
        rows: &mut Vec<Vec<Value>>,
    ) -> Option<()> {
        let Some((name, rest)) = vars.split_first() else {
            if self.prove(node, of, point, true).is_some() {
                rows.push(row.clone());
            }
            return (rows.len() <= WIDTH).then_some(());
        };
        let scope = vars.iter().rev().map(|name| (name.clone(), node.clone()));
        let (mut scope, mut values) = (scope.collect::<Vec<_>>(), BTreeSet::new());
        self.gather(name, node, of, (point, point), &mut scope, &mut values);
        for value in values {
            let of = with(of, name, Of::One(value.clone()));
            // Nothing below, if it fails whatever the rest is.
            let any = rest.iter().fold(of.clone(), |of, name| with(&of, name, Of::Other(vec![])));
            if !rest.is_empty() && self.prove(node, &any, point, false).is_some() {
                continue;
            }
            row.push(value);
            self.rows_from(rest, node, &of, point, row, rows)?;
            row.pop();
        }
        Some(())
    }
}

fn of_type(op: Aggregation, over: impl FnOnce() -> Option<Type>) -> Option<Type> {
    match op {
        Aggregation::Count => Some(Type::Int),
        Aggregation::Average | Aggregation::Median => Some(Type::Decimal),
        _ => over(),
    }
}

/// What rows sum up to, if there are any.
fn aggregate(op: Aggregation, over: &Name, vars: &[Name], group: &Valuation, rows: &[Vec<Value>]) -> Option<Value> {
    let at = vars.iter().position(|name| name == over);
    let value = |row: &Vec<Value>| match (at, group.get(over)) {
        (Some(at), _) => Some(row[at].clone()),
        (None, Some(Of::One(value))) => Some(value.clone()),
        _ => None,
    };
    let mut values = rows.iter().map(value).collect::<Option<Vec<_>>>()?;
    values.sort_by(order);
    let sum = |values: &[Value]| values.iter().try_fold(Ratio::whole(0), |sum, value| sum.plus(number(value)?));
    let (count, whole) = (values.len(), matches!(values[0], Value::Int(_)));
    let found = match op {
        Aggregation::Count => Value::Int(i64::try_from(count).ok()?),
        Aggregation::Min => values[0].clone(),
        Aggregation::Max => values[count - 1].clone(),
        Aggregation::Sum if whole => Value::Int(i64::try_from(sum(&values)?.over()).ok()?),
        Aggregation::Sum => Value::Decimal(sum(&values)?),
        Aggregation::Average => Value::Decimal(sum(&values)?.divide(Ratio::whole(count as i128))?),
        Aggregation::Median => {
            let middle = [values[(count - 1) / 2].clone(), values[count / 2].clone()];
            Value::Decimal(sum(&middle)?.divide(Ratio::whole(2))?)
        }
    };
    Some(found)
}

fn with(of: &Valuation, name: &Name, what: Of) -> Valuation {
    let mut more = BTreeMap::clone(of);
    more.insert(name.clone(), what);
    Arc::new(more)
}

fn variables(term: &Term, names: &mut BTreeSet<Name>) {
    if let Term::Var(name) = term {
        names.insert(name.clone());
    }
    term.parts().for_each(|part| variables(part, names));
}

fn number(value: &Value) -> Option<Ratio> {
    match value {
        Value::Int(n) => Some(Ratio::whole(i128::from(*n))),
        Value::Decimal(ratio) => Some(*ratio),
        Value::Text(_) => None,
    }
}

fn order(a: &Value, b: &Value) -> Ordering {
    number(a).zip(number(b)).map_or_else(|| a.cmp(b), |(a, b)| a.cmp(&b))
}

/// What a term stands for; `None` if that is not known, or beyond 64 bits.
fn term(of_term: &Term, of: &Valuation) -> Option<Of> {
    // Beyond 64 bits a whole number looks like a decimal, and it does not say which it is.
    let value = |term: &Term| match self::term(term, of) {
        Some(Of::One(Value::Decimal(ratio))) if i64::try_from(ratio.truncated()).is_err() => None,
        Some(Of::One(value)) => Some(value),
        _ => None,
    };
    let found = match of_term {
        Term::Var(name) => return of.get(name).cloned(),
        Term::Const(value) => value.clone(),
        Term::Any => return None,
        Term::ToDecimal(a) => Value::Decimal(number(&value(a)?)?),
        Term::ToInt(a) => Value::Int(i64::try_from(number(&value(a)?)?.truncated()).ok()?),
        Term::Plus(a, b) | Term::Minus(a, b) | Term::Times(a, b) | Term::Divide(a, b) | Term::Modulo(a, b) => {
            match (of_term, value(a)?, value(b)?) {
                (Term::Plus(..), Value::Int(a), Value::Int(b)) => Value::Int(a.checked_add(b)?),
                (Term::Minus(..), Value::Int(a), Value::Int(b)) => Value::Int(a.checked_sub(b)?),
                (Term::Times(..), Value::Int(a), Value::Int(b)) => Value::Int(a.checked_mul(b)?),
                (Term::Divide(..), Value::Int(a), Value::Int(b)) => Value::Int(a.checked_div(b)?),
                (Term::Modulo(..), Value::Int(a), Value::Int(b)) => Value::Int(a.checked_rem(b)?),
                (Term::Plus(..), Value::Decimal(a), Value::Decimal(b)) => Value::Decimal(a.plus(b)?),
                (Term::Minus(..), Value::Decimal(a), Value::Decimal(b)) => Value::Decimal(a.minus(b)?),
                // The sign of a decimal: nothing less it.
                (Term::Minus(..), Value::Int(0), Value::Decimal(b)) => Value::Decimal(Ratio::whole(0).minus(b)?),
                (Term::Times(..), Value::Decimal(a), Value::Decimal(b)) => Value::Decimal(a.times(b)?),
                (Term::Divide(..), Value::Decimal(a), Value::Decimal(b)) => Value::Decimal(a.divide(b)?),
                _ => return None,
            }
        }
    };
    Some(Of::One(found))
}

/// `None` if it depends on what a variable stands for.
fn compare(op: Comparison, left: &Term, right: &Term, of: &Valuation) -> Option<bool> {
    let order = match (term(left, of), term(right, of)) {
        (Some(Of::One(a)), Some(Of::One(b))) => order(&a, &b),
        (Some(Of::Other(not)), Some(Of::One(v))) | (Some(Of::One(v)), Some(Of::Other(not))) if not.contains(&v) => {
            return matches!(op, Comparison::Equal | Comparison::NotEqual).then_some(op == Comparison::NotEqual);
        }
        _ if matches!((left, right), (Term::Var(a), Term::Var(b)) if a == b) => Ordering::Equal,
        _ => return None,
    };
    Some(super::words::holds(op, order))
}
