//! One formula over one set of facts: where in time each valuation holds.
//!
//! ```text
//! (ONCE[0,10] p(x)) AND q(x)     ->     x
//!                                       (1): [4,4] [9,10]
//! ```
//! This is the clock domain of `hamsaya monitor`. Future operators look ahead here too; after the last fact there is
//! silence for ever. Only what is certain is listed.
use crate::fact::{Fact, FactId, Instant, NEVER, SINCE_EVER, Value};
use crate::facts::Facts;
use crate::formula::{Comparison, Diagnostic, Diagnostics, Formula, Name, Signature, Term, Type, Upper};
use crate::program::{Words, compile_query};
use crate::relation::{Env, Eval};
use std::fmt;

/// Values of the free variables, and the intervals in which the formula holds of them.
pub type Holding = (Vec<Value>, Vec<(Instant, Instant)>);

/// Where each valuation of a formula holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Free variables of the formula, in MonPoly's order.
    pub columns: Vec<Name>,
    /// Valuations with the intervals, both ends included, in which they hold; sorted. [`SINCE_EVER`] and [`NEVER`] are
    /// the ends of the line. A closed formula has the one valuation that is empty.
    pub rows: Vec<Holding>,
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (row, intervals) in &self.rows {
            let values: Vec<String> = row.iter().map(|value| Term::Const(value.clone()).to_string()).collect();
            write!(f, "({}):", values.join(","))?;
            for &(from, to) in intervals {
                match (from, to) {
                    (SINCE_EVER, NEVER) => write!(f, " (*,*)")?,
                    (SINCE_EVER, to) => write!(f, " (*,{to}]")?,
                    (from, NEVER) => write!(f, " [{from},*)")?,
                    (from, to) => write!(f, " [{from},{to}]")?,
                }
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// Free variables in MonPoly's order of columns.
pub(crate) fn columns(formula: &Formula) -> Vec<Name> {
    let mut columns = Vec::new();
    free(formula, &mut Vec::new(), &mut columns, 0);
    columns
}

/// Evaluates a formula over facts.
pub fn evaluate(formula: &Formula, signature: &Signature, facts: &[Fact]) -> Result<Table, Diagnostics> {
    let mut words = Words::default();
    if let Some((name, _)) = signature.iter().find(|(_, types)| types.contains(&Type::Decimal)) {
        return Err(Diagnostics(vec![Diagnostic {
            place: name.clone(),
            found: format!("`{name}` has a float column, which the clock domain does not read"),
            hint: "leave the predicate out, or use --domain points".to_string(),
        }]));
    }
    let columns = columns(formula);
    let (program, body) = compile_query(formula, &columns, signature, &mut words)?;
    let mut held = Facts::new(words, program.predicates.iter().map(|predicate| predicate.types.len()));
    for (i, fact) in facts.iter().enumerate() {
        let refuse = |found: String| {
            let hint = "facts fit the signature".to_string();
            Err(Diagnostics(vec![Diagnostic { place: fact.predicate.clone(), found, hint }]))
        };
        let Some(&index) = program.predicate.get(&fact.predicate) else {
            return refuse(format!("`{}` is no predicate", fact.predicate));
        };
        let types = &program.predicates[index].types;
        let fits = |(value, wanted): (&Value, &Type)| {
            matches!((value, wanted), (Value::Int(_), Type::Int) | (Value::Text(_), Type::Text))
        };
        let events = program.predicates[index].events_only && fact.from != fact.to;
        if fact.args.len() != types.len() || !fact.args.iter().zip(types).all(fits) || fact.from > fact.to || events {
            return refuse(format!("fact {i} of `{}` does not fit", fact.predicate));
        }
        // Ids are the places in the list, so none comes twice.
        let _ = held.insert(FactId::new(format!("{i:020}")), index, fact);
    }
    held.refresh(NEVER, NEVER);
    let mut eval = Eval::new(&program, &held, NEVER, NEVER);
    let relation = eval.relation(&body.node, &mut Env::new(body.slots), NEVER);
    let places: Vec<Option<usize>> =
        body.params.iter().map(|slot| relation.vars.iter().position(|var| var == slot)).collect();
    let mut rows: Vec<Holding> = relation
        .rows
        .iter()
        .filter(|(_, pair)| !pair.certain.is_empty())
        .map(|(row, pair)| {
            let values = places.iter().flatten().map(|&i| held.words.say(row[i])).collect();
            (values, pair.certain.iter().collect())
        })
        .collect();
    rows.sort();
    Ok(Table { columns, rows })
}

/// Free variables in MonPoly's order: from left to right, but SINCE and UNTIL give their right side first, and so do
/// `>` and `>=`.
fn free(formula: &Formula, bound: &mut Vec<Name>, found: &mut Vec<Name>, depth: usize) {
    if depth > crate::program::DEPTH {
        return; // Refused when it is compiled.
    }
    let depth = depth + 1;
    let one = |name: &Name, bound: &[Name], found: &mut Vec<Name>| {
        if !bound.contains(name) && !found.contains(name) {
            found.push(name.clone());
        }
    };
    let terms = |list: &[&Term], bound: &[Name], found: &mut Vec<Name>| {
        let mut stack: Vec<&Term> = list.iter().rev().copied().collect();
        while let Some(term) = stack.pop() {
            match term {
                Term::Var(name) => one(name, bound, found),
                term => {
                    let parts: Vec<&Term> = term.parts().collect();
                    stack.extend(parts.into_iter().rev());
                }
            }
        }
    };
    match formula {
        Formula::True => {}
        Formula::Atom { args, .. } => terms(&args.iter().collect::<Vec<_>>(), bound, found),
        Formula::Breached { args, .. } => terms(&args.iter().map(|(_, term)| term).collect::<Vec<_>>(), bound, found),
        Formula::Reached(term) | Formula::Ts(term) => terms(&[term], bound, found),
        Formula::Compare { op: Comparison::Greater | Comparison::GreaterOrEqual, left, right } => {
            terms(&[right, left], bound, found);
        }
        Formula::Compare { left, right, .. } => terms(&[left, right], bound, found),
        Formula::Not(f) => free(f, bound, found, depth),
        Formula::And(parts) | Formula::Or(parts) => {
            for part in parts {
                free(part, bound, found, depth);
            }
        }
        Formula::Exists(names, f) => {
            let outer = bound.len();
            bound.extend(names.iter().cloned());
            free(f, bound, found, depth);
            bound.truncate(outer);
        }
        Formula::Once(w, f)
        | Formula::Historically(w, f)
        | Formula::Eventually(w, f)
        | Formula::Always(w, f)
        | Formula::Previous(w, f)
        | Formula::Next(w, f)
        | Formula::Duration { window: w, formula: f, .. } => {
            free(f, bound, found, depth);
            if let Upper::Var(name) = &w.to {
                one(name, bound, found);
            }
        }
        Formula::Let { within, .. } => free(within, bound, found, depth),
        Formula::Aggregate { result, groups, .. } => {
            for name in std::iter::once(result).chain(groups) {
                one(name, bound, found);
            }
        }
        Formula::Since(w, f, g) | Formula::Until(w, f, g) => {
            free(g, bound, found, depth);
            free(f, bound, found, depth);
            if let Upper::Var(name) = &w.to {
                one(name, bound, found);
            }
        }
    }
}
