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
//! More may be named than what changed, never less.
use crate::fact::NEVER;
use crate::program::{Expr, Kind, Node, Slot, V, binding, bit};
use crate::relation::{Env, Eval, Valuation, pattern};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Values of some columns; whatever fits may have changed.
pub(crate) type Pattern = Vec<Option<V>>;

/// An atom that more rows than this answer leads nowhere in particular.
const FEW: usize = 512;

/// More patterns than this are one without any value.
const MANY: usize = 4_096;

/// The changes of one revision, as far as they were asked for.
#[derive(Default)]
pub(crate) struct Touch {
    /// Changed rows by predicate.
    pub(crate) facts: BTreeMap<usize, Vec<usize>>,
    /// Keys by rule whose breach is news.
    pub(crate) breaches: BTreeMap<usize, Vec<Valuation>>,
    definitions: BTreeMap<usize, Arc<BTreeSet<Pattern>>>,
}

/// Where patterns are looked for, and what was found.
struct Search<'n> {
    targets: &'n [Slot],
    found: BTreeSet<Pattern>,
}

impl Touch {
    /// Patterns over the columns of a definition.
    pub(crate) fn definition(&mut self, index: usize, eval: &mut Eval<'_>) -> Arc<BTreeSet<Pattern>> {
        if let Some(known) = self.definitions.get(&index) {
            return known.clone();
        }
        let program = eval.program;
        let mut all = BTreeSet::new();
        for body in &program.derived[index].bodies {
            all.extend(self.formula(&body.node, &body.params, body.slots, eval));
        }
        let all = Arc::new(thinned(all));
        self.definitions.insert(index, all.clone());
        all
    }

    /// Patterns over some variables of a formula that has so many.
    pub(crate) fn formula(
        &mut self,
        node: &Node,
        targets: &[Slot],
        slots: usize,
        eval: &mut Eval<'_>,
    ) -> BTreeSet<Pattern> {
        let mut search = Search { targets, found: BTreeSet::new() };
        self.walk(node, &mut Vec::new(), slots, eval, &mut search);
        thinned(search.found)
    }

    /// `beside`: atoms that must hold somewhere for this part to matter.
    fn walk<'n>(
        &mut self,
        node: &'n Node,
        beside: &mut Vec<&'n Node>,
        slots: usize,
        eval: &mut Eval<'_>,
        search: &mut Search<'n>,
    ) {
        let outer = beside.len();
        match &node.kind {
            Kind::Fact(predicate, args) => {
                let facts = eval.facts;
                for &row in self.facts.get(predicate).into_iter().flatten() {
                    let row = facts.tables[*predicate].args(row);
                    if let Some(mut env) = laid_over(args, slots, |i| Some(row[i])) {
                        search.follow(&mut env, beside, eval);
                    }
                }
            }
            Kind::Call(definition, args) => {
                for row in self.definition(*definition, eval).iter() {
                    if let Some(mut env) = laid_over(args, slots, |i| row[i]) {
                        search.follow(&mut env, beside, eval);
                    }
                }
            }
            Kind::Breached(rule, args) => {
                for row in self.breaches.get(rule).into_iter().flatten() {
                    if let Some(mut env) = laid_over(args, slots, |i| Some(row[i])) {
                        search.follow(&mut env, beside, eval);
                    }
                }
            }
            Kind::And(parts) => {
                for (i, part) in parts.iter().enumerate() {
                    // What looks ahead may be settled late by the very absence of what stands beside it.
                    for (_, other) in parts.iter().enumerate().filter(|(j, other)| *j != i && other.past) {
                        needed(other, beside);
                    }
                    self.walk(part, beside, slots, eval, search);
                    beside.truncate(outer);
                }
            }
            Kind::Since(_, left, right) => {
                self.walk(right, beside, slots, eval, search);
                needed(right, beside);
                self.walk(left, beside, slots, eval, search);
                beside.truncate(outer);
            }
            _ => node.parts().for_each(|part| self.walk(part, beside, slots, eval, search)),
        }
    }
}

impl Search<'_> {
    /// Binds the targets through atoms beside, as far as they lead.
    fn follow(&mut self, env: &mut Env, beside: &[&Node], eval: &mut Eval<'_>) {
        let open: Vec<Slot> = self.targets.iter().copied().filter(|&slot| env.get(slot).is_none()).collect();
        let leads = beside.iter().filter_map(|atom| {
            let cost = cost(atom, env, eval)?;
            let nearer = open.iter().any(|&slot| atom.mask & bit(slot) != 0);
            Some((!nearer, cost, *atom))
        });
        let best = if open.is_empty() { None } else { leads.min_by_key(|(far, cost, _)| (*far, *cost)) };
        let Some((_, _, atom)) = best.filter(|_| self.found.len() <= MANY) else {
            self.found.insert(self.targets.iter().map(|&slot| env.get(slot)).collect());
            return;
        };
        let now = eval.relation(atom, env, NEVER);
        let then = eval.before(|eval| eval.relation(atom, env, NEVER));
        let rows: BTreeSet<&Valuation> = now.rows.iter().chain(&then.rows).map(|(row, _)| row).collect();
        for row in rows {
            for (&slot, &value) in now.vars.iter().zip(row) {
                env.set(slot, value);
            }
            self.follow(env, beside, eval);
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
    let (Kind::Fact(_, args) | Kind::Call(_, args) | Kind::Breached(_, args)) = &atom.kind else {
        // A comparison, and it binds.
        let Kind::Compare(_, a, b) = &atom.kind else { return None };
        return binding(a, b, env.bound).map(|_| 0);
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
        Kind::And(parts) => parts.iter().for_each(|part| needed(part, into)),
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

/// One pattern without any value says all there is to say.
fn thinned(found: BTreeSet<Pattern>) -> BTreeSet<Pattern> {
    let everything = found.iter().find(|pattern| pattern.iter().all(Option::is_none));
    match everything {
        Some(everything) => BTreeSet::from([everything.clone()]),
        None if found.len() > MANY => {
            let width = found.first().map_or(0, Vec::len);
            BTreeSet::from([vec![None; width]])
        }
        None => found,
    }
}
