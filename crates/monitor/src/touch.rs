//! What a change can touch: keys of rules and rows of definitions that may not be what they were.
//!
//! ```text
//! preceded(e) when EXISTS o. (ONCE same(e, o) AND ONCE before(o, e) AND NOT absent(o))
//!   same("7", "3") came    ->  preceded("7")
//!   absent("3") came       ->  whatever stands beside it for o = "3":  same(e, "3")  ->  preceded("7"), preceded("9")
//! ```
//! A formula that looks at no changed row for some valuation is what it was for that valuation. So every atom is laid over
//! the changed rows of its predicate; what that binds is followed through the atoms without which the formula around it
//! holds nowhere, until all columns asked for are known, or nothing more leads there: then the pattern has a gap, and all
//! that fit it are touched. Atoms are read as they are and as they were, because one change can undo what another did.
//!
//! With each pattern goes the stretch of instants at which the formula may not be what it was there: a window carries a
//! change as far as it reaches, and no further.
//!
//! More may be named than what changed, never less.
use crate::fact::{NEVER, SINCE_EVER};
use crate::intervals::plus;
use crate::program::{Bound, Expr, Kind, Node, Program, Reach, Reads, Slot, V, binding, bit, looked_up};
use crate::relation::{ALL, Env, Eval, Span, Valuation, pattern};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Values of some columns; whatever fits may have changed.
pub(crate) type Pattern = Vec<Option<V>>;

/// An atom that more rows than this answer leads nowhere in particular.
const FEW: usize = 512;

/// More patterns than this are one without any value.
const MANY: usize = 4_096;

/// What may have changed, and when.
pub(crate) type Patterns = BTreeMap<Pattern, Span>;

/// The changes of one revision, as far as they were asked for.
#[derive(Default)]
pub(crate) struct Touch {
    /// Changed rows by predicate, and when each changed.
    facts: BTreeMap<usize, BTreeMap<usize, Span>>,
    /// Keys by rule whose breach is news, and from when on.
    pub(crate) breaches: BTreeMap<usize, Vec<(Valuation, Span)>>,
    definitions: BTreeMap<usize, Arc<Patterns>>,
    /// Predicates and rules of all these.
    changed: Reads,
}

/// How far a change is carried by the operators around it: so much is added to its first instant and to its last.
#[derive(Clone, Copy, Debug)]
struct Carry {
    first: Option<i64>,
    last: Option<i64>,
}

impl Carry {
    const NOWHERE: Carry = Carry { first: Some(0), last: Some(0) };
    const EVERYWHERE: Carry = Carry { first: None, last: None };

    fn more(self, first: Option<i64>, last: Option<i64>) -> Carry {
        let sum = |a: Option<i64>, b: Option<i64>| Some(a?.saturating_add(b?));
        Carry { first: sum(self.first, first), last: sum(self.last, last) }
    }

    /// Through a window that looks back.
    fn back(self, near: i64, reach: &Reach) -> Carry {
        self.more(Some(near), far(reach))
    }

    /// Through a window that looks ahead.
    fn ahead(self, near: i64, reach: &Reach) -> Carry {
        self.more(far(reach).map(i64::wrapping_neg), Some(-near))
    }

    fn of(self, (from, to): Span) -> Span {
        (self.first.map_or(SINCE_EVER, |by| plus(from, by)), self.last.map_or(NEVER, |by| plus(to, by)))
    }
}

fn far(reach: &Reach) -> Option<i64> {
    if let Bound::Fixed(far) = reach.far { Some(far) } else { None }
}

/// The shortest stretch with both in it.
fn hull(a: Span, b: Span) -> Span {
    (a.0.min(b.0), a.1.max(b.1))
}

/// Where patterns are looked for, and what was found.
struct Search<'n> {
    targets: &'n [Slot],
    found: Patterns,
}

impl Touch {
    pub(crate) fn fact(&mut self, predicate: usize, row: usize, span: Span) {
        let rows = self.facts.entry(predicate).or_default();
        rows.entry(row).and_modify(|known| *known = hull(*known, span)).or_insert(span);
        self.changed.add(predicate);
    }

    pub(crate) fn breach(&mut self, program: &Program, rule: usize, key: Valuation, span: Span) {
        self.breaches.entry(rule).or_default().push((key, span));
        self.changed.add(program.breaches_of(rule));
    }

    /// Whether anything changed that is read.
    pub(crate) fn concerns(&self, reads: &Reads) -> bool {
        self.changed.meets(reads)
    }

    /// Whether anything changed that a node reads; of definitions, some row.
    pub(crate) fn concerns_itself(&mut self, node: &Node, eval: &mut Eval<'_>) -> bool {
        let program = eval.program;
        if !self.concerns(program.reads(node)) {
            return false;
        }
        self.concerns(program.reads_itself(node))
            || program.called(node).any(|index| !self.definition(index, eval).is_empty())
    }

    /// Patterns over the columns of a definition.
    pub(crate) fn definition(&mut self, index: usize, eval: &mut Eval<'_>) -> Arc<Patterns> {
        if let Some(known) = self.definitions.get(&index) {
            return known.clone();
        }
        let program = eval.program;
        let mut all = Patterns::new();
        for body in &program.derived[index].bodies {
            for (pattern, span) in self.formula(&body.node, &body.params, body.slots, eval) {
                add(&mut all, pattern, span);
            }
        }
        // Where nothing is owed nothing hangs on the facts behind a row: one that is what it was concerns nobody.
        if program.owes_nothing() && all.len() <= FEW {
            all.retain(|pattern, _| {
                let row = |eval: &mut Eval<'_>| eval.call(index, pattern.clone(), NEVER);
                pattern.iter().any(Option::is_none) || row(eval) != eval.before(row)
            });
        }
        let all = Arc::new(thinned(all));
        if !all.is_empty() {
            self.changed.add(program.rows_of(index));
        }
        self.definitions.insert(index, all.clone());
        all
    }

    /// Patterns over some variables of a formula that has so many.
    pub(crate) fn formula(&mut self, node: &Node, targets: &[Slot], slots: usize, eval: &mut Eval<'_>) -> Patterns {
        let mut search = Search { targets, found: Patterns::new() };
        self.walk(node, &mut Vec::new(), Carry::NOWHERE, slots, eval, &mut search);
        thinned(search.found)
    }

    /// `beside`: atoms that must hold somewhere for this part to matter.
    fn walk<'n>(
        &mut self,
        node: &'n Node,
        beside: &mut Vec<&'n Node>,
        carry: Carry,
        slots: usize,
        eval: &mut Eval<'_>,
        search: &mut Search<'n>,
    ) {
        if !self.concerns_itself(node, eval) {
            return;
        }
        let outer = beside.len();
        match &node.kind {
            Kind::Fact(predicate, args) => {
                let facts = eval.facts;
                for (&row, &span) in self.facts.get(predicate).into_iter().flatten() {
                    let row = facts.tables[*predicate].args(row);
                    if let Some(mut env) = laid_over(args, slots, |i| Some(row[i])) {
                        search.follow(&mut env, beside, carry.of(span), eval);
                    }
                }
            }
            Kind::Call(definition, args) => {
                for (row, &span) in self.definition(*definition, eval).iter() {
                    if let Some(mut env) = laid_over(args, slots, |i| row[i]) {
                        search.follow(&mut env, beside, carry.of(span), eval);
                    }
                }
            }
            Kind::Breached(rule, args) => {
                for (row, span) in self.breaches.get(rule).into_iter().flatten() {
                    if let Some(mut env) = laid_over(args, slots, |i| Some(row[i])) {
                        search.follow(&mut env, beside, carry.of(*span), eval);
                    }
                }
            }
            Kind::And(parts) => {
                for (i, part) in parts.iter().enumerate() {
                    // What looks ahead may be settled late by the very absence of what stands beside it.
                    for (_, other) in parts.iter().enumerate().filter(|(j, other)| *j != i && other.past) {
                        needed(other, beside);
                    }
                    self.walk(part, beside, carry, slots, eval, search);
                    beside.truncate(outer);
                }
            }
            Kind::Since(reach, left, right) => {
                self.walk(right, beside, carry.back(reach.near, reach), slots, eval, search);
                needed(right, beside);
                self.walk(left, beside, carry.back(0, reach), slots, eval, search);
                beside.truncate(outer);
            }
            Kind::Until(reach, left, right) => {
                self.walk(left, beside, carry.ahead(0, reach), slots, eval, search);
                self.walk(right, beside, carry.ahead(reach.near, reach), slots, eval, search);
            }
            _ => {
                let carry = match &node.kind {
                    Kind::Once(reach, _) | Kind::Historically(reach, _) | Kind::Duration(reach, ..) => {
                        carry.back(reach.near, reach)
                    }
                    Kind::Eventually(reach, _) | Kind::Always(reach, _) => carry.ahead(reach.near, reach),
                    // It is read for each value that facts name, wherever they do.
                    Kind::Exists(..) if !node.past => Carry::EVERYWHERE,
                    _ => carry,
                };
                node.parts().for_each(|part| self.walk(part, beside, carry, slots, eval, search));
            }
        }
    }
}

impl Search<'_> {
    /// Binds the targets through atoms beside, as far as they lead.
    fn follow(&mut self, env: &mut Env, beside: &[&Node], span: Span, eval: &mut Eval<'_>) {
        let open: Vec<Slot> = self.targets.iter().copied().filter(|&slot| env.get(slot).is_none()).collect();
        // What must stand beside it and never did.
        let missing = |atom: &&Node, env: &mut Env, eval: &mut Eval<'_>| {
            matches!(atom.kind, Kind::Fact(..))
                && atom.mask & !env.bound == 0
                && eval.relation(atom, env, NEVER).rows.is_empty()
                && eval.before(|eval| eval.relation(atom, env, NEVER)).rows.is_empty()
        };
        if open.is_empty() && beside.iter().any(|atom| missing(atom, env, eval)) {
            return;
        }
        let leads = beside.iter().filter_map(|atom| {
            let cost = cost(atom, env, eval)?;
            let nearer = open.iter().any(|&slot| atom.mask & bit(slot) != 0);
            Some((!nearer, cost, *atom))
        });
        let best = if open.is_empty() { None } else { leads.min_by_key(|(far, cost, _)| (*far, *cost)) };
        let Some((_, _, atom)) = best.filter(|_| self.found.len() <= MANY) else {
            add(&mut self.found, self.targets.iter().map(|&slot| env.get(slot)).collect(), span);
            return;
        };
        let now = eval.relation(atom, env, NEVER);
        let then = eval.before(|eval| eval.relation(atom, env, NEVER));
        let rows: BTreeSet<&Valuation> = now.rows.iter().chain(&then.rows).map(|(row, _)| row).collect();
        for row in rows {
            for (&slot, &value) in now.vars.iter().zip(row) {
                env.set(slot, value);
            }
            self.follow(env, beside, span, eval);
            for &slot in &now.vars {
                env.clear(slot);
            }
        }
    }
}

/// What following an atom may cost; `None`: it says nothing new, or too much.
fn cost(atom: &Node, env: &Env, eval: &Eval<'_>) -> Option<usize> {
    if atom.mask & !env.bound == 0 {
        return None;
    }
    let args = match &atom.kind {
        Kind::Fact(_, args) | Kind::Call(_, args) | Kind::Breached(_, args) => args,
        // A comparison, and it binds.
        Kind::Compare(_, a, b) => return binding(a, b, env.bound).map(|_| 0),
        // Facts beside each other, of which none leads on alone.
        Kind::And(parts) => {
            let known = |part: &Node| matches!(&part.kind, Kind::Fact(_, args) if looked_up(args, env.bound));
            let plan = || eval.program.plan(atom.id, parts, env.bound);
            return (parts.iter().any(known) && plan().is_ok()).then_some(FEW + 2);
        }
        _ => return None,
    };
    let sums = args.iter().filter(|arg| !matches!(arg, Expr::Slot(_))).fold(0, |mask, arg| mask | arg.mask());
    let pattern = pattern(args, env);
    if sums & !env.bound != 0 || pattern.iter().all(Option::is_none) {
        return None;
    }
    match &atom.kind {
        Kind::Fact(predicate, _) => {
            let rows = eval.facts.tables[*predicate].columns.find(&pattern).count_most();
            (rows <= FEW).then_some(rows)
        }
        // Asked only where no fact leads on.
        _ => args.iter().any(|arg| matches!(arg, Expr::Slot(_)) && arg.mask() & env.bound != 0).then_some(FEW + 1),
    }
}

/// Atoms without which a formula that looks back holds nowhere.
fn needed<'n>(node: &'n Node, into: &mut Vec<&'n Node>) {
    match &node.kind {
        Kind::Fact(..) | Kind::Call(..) | Kind::Breached(..) => into.push(node),
        Kind::Compare(crate::formula::Comparison::Equal, ..) => into.push(node),
        Kind::And(parts) => {
            parts.iter().for_each(|part| needed(part, into));
            if parts.iter().filter(|part| matches!(part.kind, Kind::Fact(..))).count() > 1 {
                into.push(node);
            }
        }
        Kind::Exists(_, inner) | Kind::Once(_, inner) | Kind::Since(_, _, inner) => needed(inner, into),
        _ => {}
    }
}

/// What an atom's variables are if it is to read a row.
fn laid_over(args: &[Expr], slots: usize, row: impl Fn(usize) -> Option<V>) -> Option<Env> {
    let mut env = Env::new(slots);
    for (i, arg) in args.iter().enumerate() {
        match (arg, row(i)) {
            (Expr::Const(constant), Some(value)) if *constant != value => return None,
            (arg, Some(value)) => {
                if let Some((slot, value)) = solved(arg, value) {
                    match env.get(slot) {
                        Some(known) if known != value => return None,
                        _ => env.set(slot, value),
                    }
                }
            }
            _ => {}
        }
    }
    Some(env)
}

/// What the one variable of an expression is if that is to have a value: `d - 3` is 7 for d = 10. `None`: not known.
fn solved(arg: &Expr, value: V) -> Option<(Slot, V)> {
    let shifted = |inner: &Expr, by: Option<i64>| solved(inner, V::Int(by?));
    match (arg, value) {
        (Expr::Slot(slot), value) => Some((*slot, value)),
        // Where a sum has come to an end of the line, more than one value gives it.
        (_, V::Int(i64::MIN | i64::MAX)) => None,
        (Expr::Plus(a, b), V::Int(sum)) => match (a.as_ref(), b.as_ref()) {
            (inner, Expr::Const(V::Int(n))) | (Expr::Const(V::Int(n)), inner) => shifted(inner, sum.checked_sub(*n)),
            _ => None,
        },
        (Expr::Minus(a, b), V::Int(left)) => match b.as_ref() {
            Expr::Const(V::Int(n)) => shifted(a, left.checked_add(*n)),
            _ => None,
        },
        _ => None,
    }
}

fn add(found: &mut Patterns, pattern: Pattern, span: Span) {
    found.entry(pattern).and_modify(|known| *known = hull(*known, span)).or_insert(span);
}

/// One pattern without any value says all there is to say.
fn thinned(found: Patterns) -> Patterns {
    let everything = found.keys().any(|pattern| pattern.iter().all(Option::is_none));
    if !everything && found.len() <= MANY {
        return found;
    }
    let width = found.keys().next().map_or(0, Vec::len);
    let span = found.into_values().reduce(hull).unwrap_or(ALL);
    Patterns::from([(vec![None; width], span)])
}
