//! The checker for verdicts at time-points: do they follow from the evidence, as their proof says?
//!
//! ```text
//! lodged(i) AND NOT EVENTUALLY[0,6h] ack(i) with i = 8   holds at 0, by all parts
//!   lodged(i)                                            holds at 0: lodged(8) is present
//!   EVENTUALLY[0,6h] ack(i)                              fails at 0, at every point of the window
//!     ack(i)                                             fails at 0: ack(8) is absent at 0 to 2
//! ```
//! Like [`Checker`](crate::Checker) for the clock domain it shares no code with the engine and never searches: `follows`
//! says from which claims another follows, one rule for each operator. It is given the formula, the stamps and the
//! evidence; of everything else it knows nothing, so what it accepts holds in every log in which the evidence is true.
use crate::argument::{Of, Valuation};
use crate::checker::Fault;
use crate::fact::Value;
use crate::formula::{Aggregation, Comparison, Formula, Name, Signature, Term, Type, Upper, Window};
use crate::grounds::{Grounds, PointFact, PointLog, PointStep, Reason};
use crate::ratio::Ratio;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What proofs are checked against.
#[derive(Clone, Copy, Debug)]
pub struct PointChecker<'a> {
    /// The formula.
    pub formula: &'a Formula,
    /// Types of the columns.
    pub signature: &'a Signature,
    /// Stamps of the time-points, with those of the silence behind the log.
    pub stamps: &'a [i64],
}

/// Names that LET gives: columns, formula, and what is known outside.
type Lets = Option<Arc<Let>>;

struct Let {
    name: Name,
    params: Vec<Name>,
    formula: Formula,
    outer: Lets,
}

/// A claim that is needed.
#[derive(Clone)]
struct Goal {
    formula: Formula,
    lets: Lets,
    valuation: Valuation,
    point: u32,
    holds: bool,
}

/// What was looked for, or what is wrong.
type Found<T> = Result<T, &'static str>;

/// Steps below steps that are followed.
const DEPTH: usize = 2_000;

fn ensure(right: bool, found: &'static str) -> Found<()> {
    if right { Ok(()) } else { Err(found) }
}

impl PointChecker<'_> {
    /// Whether the formula holds at a time-point with these values of its columns, by this evidence alone.
    pub fn check(&self, point: u32, columns: &[(Name, Value)], grounds: &Grounds) -> Result<(), Fault> {
        let one = |(name, value): &(Name, Value)| (name.clone(), Of::One(value.clone()));
        let (formula, valuation) = (self.formula.clone(), Arc::new(columns.iter().map(one).collect()));
        self.claim(&Goal { formula, lets: None, valuation, point, holds: true }, &grounds.proof, grounds, 0)
    }

    /// Whether all that the evidence says is true of a log.
    pub fn is_true_of(grounds: &Grounds, log: &PointLog) -> bool {
        grounds.present.iter().all(|fact| log.facts.contains(fact))
            && grounds.absent.iter().all(|gap| {
                let column = |(column, value): (&Option<Value>, &Value)| column.as_ref().is_none_or(|v| v == value);
                let hit = |fact: &&PointFact| {
                    let there = fact.predicate == gap.predicate && gap.from <= fact.point && fact.point <= gap.to;
                    there && gap.args.len() == fact.args.len() && gap.args.iter().zip(&fact.args).all(column)
                };
                log.facts.iter().filter(hit).all(|fact| grounds.present.contains(fact))
            })
    }

    fn claim(&self, goal: &Goal, step: &PointStep, grounds: &Grounds, depth: usize) -> Result<(), Fault> {
        let fault = |found| Fault(format!("{} at {}: {found}", goal.formula, goal.point));
        let same = (step.point, step.holds, &step.valuation) == (goal.point, goal.holds, &goal.valuation);
        ensure(same && *step.formula == goal.formula.to_string(), "another claim is needed here").map_err(fault)?;
        ensure(depth < DEPTH && (goal.point as usize) < self.stamps.len(), "it is too deep or too far")
            .map_err(fault)?;
        let goals = self.follows(goal, &step.why, grounds).map_err(fault)?;
        ensure(goals.len() == step.steps.len(), "a step is missing, or left over").map_err(fault)?;
        goals.iter().zip(&step.steps).try_for_each(|(goal, step)| self.claim(goal, step, grounds, depth + 1))
    }

    /// From which claims a claim follows.
    fn follows(&self, goal: &Goal, why: &Reason, grounds: &Grounds) -> Found<Vec<Goal>> {
        use Formula::{
            Aggregate, Always, And, Atom, Compare, Eventually, Exists, Historically, Let, Next, Not, Once, Or,
            Previous, Since, True, Until,
        };
        let (point, holds) = (goal.point, goal.holds);
        let at = |f: &Formula, point: u32| Goal { formula: f.clone(), point, ..goal.clone() };
        let here = |f: &Formula| at(f, point);
        let none = |right: bool, found| ensure(right, found).map(|()| vec![]);
        match (&goal.formula, holds, why) {
            (True, true, Reason::Plain) => Ok(vec![]),
            (Compare { op, left, right }, _, Reason::Plain) => {
                none(compare(*op, left, right, &goal.valuation) == Some(holds), "its terms do not show it")
            }
            (Atom { name, args }, _, why) => match (find(&goal.lets, name), why) {
                (Some(of), Reason::All) => Ok(vec![goal.meaning(&of, args)?]),
                (None, Reason::Fact(fact)) if holds => {
                    let fact = PointFact { point, predicate: name.clone(), args: fact.clone() };
                    let fits = args.len() == fact.args.len()
                        && args.iter().zip(&fact.args).all(|(arg, value)| {
                            *arg == Term::Any || term(arg, &goal.valuation) == Some(Of::One(value.clone()))
                        });
                    none(fits && grounds.present.contains(&fact), "there is no such fact")
                }
                (None, Reason::Absent(columns)) if !holds => {
                    none(absent(goal, name, args, columns, grounds), "it may be there")
                }
                _ => Err("it does not follow in this way"),
            },
            (Not(f), _, Reason::All) => Ok(vec![Goal { holds: !holds, ..here(f) }]),
            (And(parts), true, Reason::All) | (Or(parts), false, Reason::All) => Ok(parts.iter().map(here).collect()),
            (And(parts), false, Reason::Part(i)) | (Or(parts), true, Reason::Part(i)) => {
                Ok(vec![here(parts.get(*i).ok_or("no such part")?)])
            }
            (Exists(names, f), _, why) => {
                let Some((name, rest)) = names.split_first() else { return Ok(vec![here(f)]) };
                let inner = if rest.is_empty() { here(f) } else { here(&Exists(rest.to_vec(), f.clone())) };
                let one = |value: &Value| inner.with(name, Of::One(value.clone()));
                match why {
                    Reason::Value(value) if holds => Ok(vec![one(value)]),
                    // Each of these values, and then any other.
                    Reason::Each(values) if !holds => {
                        let other = inner.with(name, Of::Other(values.clone()));
                        Ok(values.iter().map(one).chain([other]).collect())
                    }
                    _ => Err("it does not follow in this way"),
                }
            }
            (Once(w, f) | Eventually(w, f), true, Reason::At(j))
            | (Historically(w, f) | Always(w, f), false, Reason::At(j)) => {
                ensure(self.window(goal, w).contains(j), "it is not in the window").map(|()| vec![at(f, *j)])
            }
            (Once(w, f) | Eventually(w, f), false, Reason::All)
            | (Historically(w, f) | Always(w, f), true, Reason::All) => {
                Ok(self.window(goal, w).into_iter().map(|j| at(f, j)).collect())
            }
            (Previous(w, f) | Next(w, f), _, why) => {
                let next = if goal.back() { point.checked_sub(1) } else { Some(point + 1) };
                match (next.filter(|j| self.window(goal, w).contains(j)), why) {
                    (Some(j), Reason::All) => Ok(vec![at(f, j)]),
                    (None, Reason::Plain) if !holds => Ok(vec![]),
                    _ => Err("it does not follow in this way"),
                }
            }
            (Since(w, f, g) | Until(w, f, g), true, Reason::At(j)) => {
                ensure(self.window(goal, w).contains(j), "it is not in the window")?;
                let between = if goal.back() { *j + 1..point + 1 } else { point..*j };
                Ok([at(g, *j)].into_iter().chain(between.map(|k| at(f, k))).collect())
            }
            // Nothing beyond a break helps, so the right side fails on this side of it.
            (Since(w, f, g) | Until(w, f, g), false, Reason::Broken(broken)) => {
                let back = goal.back();
                let right = broken.is_none_or(|r| if back { r <= point } else { r >= point });
                ensure(right, "the break lies elsewhere")?;
                let near = |j: &u32| broken.is_none_or(|r| if back { *j >= r } else { *j <= r });
                let rights = self.window(goal, w).into_iter().filter(near).map(|j| at(g, j));
                Ok(broken.map(|r| at(f, r)).into_iter().chain(rights).collect())
            }
            (Let { name, params, formula, within }, _, Reason::All) => {
                let (name, params, formula) = (name.clone(), params.clone(), (**formula).clone());
                let named = self::Let { name, params, formula, outer: goal.lets.clone() };
                Ok(vec![Goal { lets: Some(Arc::new(named)), ..here(within) }])
            }
            (Aggregate { op, result, over, groups, formula }, _, Reason::Rows(names, rows)) => {
                let of = |group: &Name| Some((group.clone(), goal.valuation.get(group)?.clone()));
                let group = Goal { valuation: Arc::new(groups.iter().filter_map(of).collect()), ..here(formula) };
                ensure(rows.iter().all(|row| row.len() == names.len()), "a row has other columns")?;
                ensure(rows.is_sorted_by(|a, b| a < b) && group.valuation.len() == groups.len(), "rows come twice")?;
                let row = |row: &Vec<Value>| {
                    let more = names.iter().zip(row).fold(group.clone(), |g, (n, v)| g.with(n, Of::One(v.clone())));
                    Goal { holds: true, ..more }
                };
                let taken: Vec<Goal> = rows.iter().map(row).collect();
                let values = taken.iter().map(|row| row.valuation.get(over).cloned());
                let value = match aggregated(*op, values.collect::<Option<Vec<_>>>().ok_or("nothing is taken")?)? {
                    None if groups.is_empty() => Some(self.nothing(*op, over, formula, &goal.lets)?),
                    value => value,
                };
                let right = match (value, goal.valuation.get(result)) {
                    (None, _) => !holds,
                    (Some(value), Some(Of::One(wanted))) => (value == *wanted) == holds,
                    (Some(value), Some(Of::Other(not))) => !holds && not.contains(&value),
                    (Some(_), None) => false,
                };
                ensure(right, "it does not sum up to that")?;
                let others = others(names, rows, formula).map(|formula| Goal { formula, holds: false, ..group });
                Ok(taken.into_iter().chain(others).collect())
            }
            _ => Err("it does not follow in this way"),
        }
    }

    /// What no rows sum up to where there are no groups.
    fn nothing(&self, op: Aggregation, over: &Name, formula: &Formula, lets: &Lets) -> Found<Value> {
        let kind = match op {
            Aggregation::Count => Some(Type::Int),
            Aggregation::Average | Aggregation::Median => Some(Type::Decimal),
            _ => self.kind(over, formula, lets),
        };
        match kind.ok_or("it is not known of what type it is")? {
            Type::Int => Ok(Value::Int(0)),
            Type::Text => Ok(Value::text("")),
            Type::Decimal => Ok(Value::Decimal(Ratio::whole(0))),
        }
    }

    /// The type of a free variable, from a column in which it stands.
    fn kind(&self, name: &Name, formula: &Formula, lets: &Lets) -> Option<Type> {
        use Formula::{
            Aggregate, Always, And, Atom, Eventually, Exists, Historically, Let, Next, Not, Once, Or, Previous, Since,
            Until,
        };
        match formula {
            Atom { name: predicate, args } => {
                let column = args.iter().position(|arg| matches!(arg, Term::Var(v) if v == name))?;
                match find(lets, predicate) {
                    Some(of) => self.kind(of.params.get(column)?, &of.formula, &of.outer),
                    None => self.signature.get(predicate)?.get(column).copied(),
                }
            }
            Not(f)
            | Once(_, f)
            | Historically(_, f)
            | Eventually(_, f)
            | Always(_, f)
            | Previous(_, f)
            | Next(_, f) => self.kind(name, f, lets),
            And(parts) | Or(parts) => parts.iter().find_map(|part| self.kind(name, part, lets)),
            Since(_, f, g) | Until(_, f, g) => self.kind(name, g, lets).or_else(|| self.kind(name, f, lets)),
            Exists(names, f) if !names.contains(name) => self.kind(name, f, lets),
            Let { name: of, params, formula, within } => {
                let (of, params, formula) = (of.clone(), params.clone(), (**formula).clone());
                let named = self::Let { name: of, params, formula, outer: lets.clone() };
                self.kind(name, within, &Some(Arc::new(named)))
            }
            Aggregate { groups, formula, .. } if groups.contains(name) => self.kind(name, formula, lets),
            Aggregate { op, result, over, formula, .. } if result == name => match op {
                Aggregation::Count => Some(Type::Int),
                Aggregation::Average | Aggregation::Median => Some(Type::Decimal),
                _ => self.kind(over, formula, lets),
            },
            _ => None,
        }
    }

    /// The points of a window, the nearest first.
    fn window(&self, goal: &Goal, window: &Window) -> Vec<u32> {
        let stamp = |j: u32| i128::from(self.stamps[j as usize]);
        let far = if let Upper::Fixed(far) = window.to { i128::from(far) } else { i128::MAX };
        let within = |j: &u32| {
            let distance = (stamp(goal.point) - stamp(*j)).abs();
            i128::from(window.from) <= distance && distance <= far
        };
        let last = self.stamps.len() as u32;
        if goal.back() {
            (0..=goal.point).rev().filter(within).collect()
        } else {
            (goal.point..last).filter(within).collect()
        }
    }
}

impl Goal {
    fn with(&self, name: &Name, of: Of) -> Goal {
        let mut valuation = BTreeMap::clone(&self.valuation);
        valuation.insert(name.clone(), of);
        Goal { valuation: Arc::new(valuation), ..self.clone() }
    }

    fn back(&self) -> bool {
        use Formula::{Historically, Once, Previous, Since};
        matches!(self.formula, Once(..) | Historically(..) | Since(..) | Previous(..))
    }

    /// The formula of a LET, read with its arguments; what is not named is some value.
    fn meaning(&self, of: &Let, args: &[Term]) -> Found<Goal> {
        ensure(of.params.len() == args.len(), "it has other columns")?;
        let columns = of.params.iter().zip(args);
        let some: Vec<Name> = columns.clone().filter(|(_, arg)| **arg == Term::Any).map(|(p, _)| p.clone()).collect();
        let known = columns.filter(|(_, arg)| **arg != Term::Any);
        let value = |arg| term(arg, &self.valuation).unwrap_or(Of::Other(Vec::new()));
        let valuation = Arc::new(known.map(|(param, arg)| (param.clone(), value(arg))).collect());
        let formula = of.formula.clone();
        let formula = if some.is_empty() { formula } else { Formula::Exists(some, Box::new(formula)) };
        Ok(Goal { formula, lets: of.outer.clone(), valuation, ..self.clone() })
    }
}

/// What LET says that a name means.
fn find(lets: &Lets, name: &Name) -> Lets {
    let of = lets.as_ref()?;
    if of.name == *name { Some(of.clone()) } else { find(&of.outer, name) }
}

/// An atom fails where no fact that is present may fit, and all others are said to be absent.
fn absent(goal: &Goal, name: &Name, args: &[Term], columns: &[Option<Value>], grounds: &Grounds) -> bool {
    let known: Vec<Option<Of>> = args.iter().map(|arg| term(arg, &goal.valuation)).collect();
    let may = |(of, value): (&Option<Of>, &Value)| match of {
        Some(Of::One(wanted)) => wanted == value,
        Some(Of::Other(not)) => !not.contains(value),
        None => true,
    };
    let here = |fact: &&PointFact| fact.point == goal.point && fact.predicate == *name;
    let none = !grounds.present.iter().filter(here).any(|fact| known.iter().zip(&fact.args).all(may));
    let one = |of: &Option<Of>| if let Some(Of::One(value)) = of { Some(value.clone()) } else { None };
    let stated = known.iter().map(one).eq(columns.iter().cloned());
    let covers = |(gap, wanted): (&Option<Value>, &Option<Value>)| gap.is_none() || gap == wanted;
    none && stated
        && grounds.absent.iter().any(|gap| {
            let there = gap.predicate == *name && gap.from <= goal.point && goal.point <= gap.to;
            there && gap.args.len() == args.len() && gap.args.iter().zip(columns).all(covers)
        })
}

/// That the formula of an aggregation holds of other values than those of its rows, too.
fn others(names: &[Name], rows: &[Vec<Value>], formula: &Formula) -> Option<Formula> {
    let equal = |(name, value): (&Name, &Value)| {
        let (left, right) = (Term::Var(name.clone()), Term::Const(value.clone()));
        Formula::Compare { op: Comparison::Equal, left, right }
    };
    let known = rows.iter().map(|row| Formula::And(names.iter().zip(row).map(equal).collect())).collect();
    let other = Formula::And(vec![formula.clone(), Formula::Not(Box::new(Formula::Or(known)))]);
    let some = if rows.is_empty() { formula.clone() } else { other };
    match (names.is_empty(), rows.is_empty()) {
        (true, true) => Some(some),
        (true, false) => None,
        (false, _) => Some(Formula::Exists(names.to_vec(), Box::new(some))),
    }
}

/// What values sum up to; `None` if there are none.
fn aggregated(op: Aggregation, values: Vec<Of>) -> Found<Option<Value>> {
    let one = |of| if let Of::One(value) = of { Some(value) } else { None };
    let mut values = values.into_iter().map(one).collect::<Option<Vec<Value>>>().ok_or("a value is not known")?;
    values.sort_by(order);
    let (Some(first), Some(last), count) = (values.first(), values.last(), values.len()) else { return Ok(None) };
    let large = "it is too large";
    let sum = |values: &[Value]| {
        let add = |sum: Ratio, value: &Value| sum.plus(number(value)?);
        values.iter().try_fold(Ratio::whole(0), add).ok_or(large)
    };
    let int = |n: i128| i64::try_from(n).map(Value::Int).map_err(|_| large);
    Ok(Some(match op {
        Aggregation::Count => int(count as i128)?,
        Aggregation::Min => first.clone(),
        Aggregation::Max => last.clone(),
        Aggregation::Sum if matches!(first, Value::Int(_)) => int(sum(&values)?.over())?,
        Aggregation::Sum => Value::Decimal(sum(&values)?),
        Aggregation::Average => Value::Decimal(sum(&values)?.divide(Ratio::whole(count as i128)).ok_or(large)?),
        Aggregation::Median => {
            let middle = [values[(count - 1) / 2].clone(), values[count / 2].clone()];
            Value::Decimal(sum(&middle)?.divide(Ratio::whole(2)).ok_or(large)?)
        }
    }))
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

/// What a term stands for; `None` if that is not known.
fn term(term: &Term, of: &Valuation) -> Option<Of> {
    use Value::{Decimal, Int};
    // Beyond 64 bits a whole number looks like a decimal, and it does not say which it is.
    let value = |term: &Term| match self::term(term, of) {
        Some(Of::One(Decimal(ratio))) if i64::try_from(ratio.truncated()).is_err() => None,
        Some(Of::One(value)) => Some(value),
        _ => None,
    };
    let both = |a, b| Some((value(a)?, value(b)?));
    Some(Of::One(match term {
        Term::Var(name) => return of.get(name).cloned(),
        Term::Const(value) => value.clone(),
        Term::Any => return None,
        Term::ToDecimal(a) => Decimal(number(&value(a)?)?),
        Term::ToInt(a) => Int(i64::try_from(number(&value(a)?)?.truncated()).ok()?),
        Term::Plus(a, b) => match both(a, b)? {
            (Int(a), Int(b)) => Int(a.checked_add(b)?),
            (a, b) => Decimal(number(&a)?.plus(number(&b)?)?),
        },
        Term::Minus(a, b) => match both(a, b)? {
            (Int(a), Int(b)) => Int(a.checked_sub(b)?),
            (a, b) => Decimal(number(&a)?.minus(number(&b)?)?),
        },
        Term::Times(a, b) => match both(a, b)? {
            (Int(a), Int(b)) => Int(a.checked_mul(b)?),
            (a, b) => Decimal(number(&a)?.times(number(&b)?)?),
        },
        Term::Divide(a, b) => match both(a, b)? {
            (Int(a), Int(b)) => Int(a.checked_div(b)?),
            (a, b) => Decimal(number(&a)?.divide(number(&b)?)?),
        },
        Term::Modulo(a, b) => match both(a, b)? {
            (Int(a), Int(b)) => Int(a.checked_rem(b)?),
            _ => return None,
        },
    }))
}

/// `None` if it depends on what a variable stands for.
fn compare(op: Comparison, left: &Term, right: &Term, of: &Valuation) -> Option<bool> {
    use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
    let order = match (term(left, of), term(right, of)) {
        (Some(Of::One(a)), Some(Of::One(b))) => order(&a, &b),
        (Some(Of::Other(not)), Some(Of::One(v))) | (Some(Of::One(v)), Some(Of::Other(not))) if not.contains(&v) => {
            return matches!(op, Equal | NotEqual).then_some(op == NotEqual);
        }
        _ if matches!((left, right), (Term::Var(a), Term::Var(b)) if a == b) => Ordering::Equal,
        _ => return None,
    };
    Some(match order {
        Ordering::Less => matches!(op, Less | LessOrEqual | NotEqual),
        Ordering::Equal => matches!(op, Equal | LessOrEqual | GreaterOrEqual),
        Ordering::Greater => matches!(op, Greater | GreaterOrEqual | NotEqual),
    })
}
