//! From a formula to operators. What is unsafe as written is rewritten first, and refused by variable if that fails.
//!
//! ```text
//! P(x) AND NOT (Q(x) AND x > 3)      P(x) AND NOT (P(x) AND Q(x) AND x > 3)
//! P(x) AND (Q(x) OR x = 3)           (P(x) AND Q(x)) OR (P(x) AND x = 3)
//! HISTORICALLY[0,9] (P(x) OR x > 3)  NOT ONCE[0,9] (NOT P(x) AND NOT x > 3)      x is not bound: refused
//! ```
//! A relation is *finite* if it holds only of valuations that some fact gave, and *open-ended* if it may hold of all
//! others, as NOT P(x) does. Open-ended ones are fine wherever a finite one bounds their variables.
use super::nodes::{Aggregate, Core, Guard, Join, Kind, Map, Node, Or, Pairing, Step, Test, Unary, Zip};
use super::rows::Rows;
use super::windows::{FOREVER, Look, Reach};
use super::words::{Expr, Pool, Word};
use crate::fact::Value;
use crate::formula::{Aggregation, Comparison, Diagnostic, Formula, Name, Signature, Term, Type, Upper, Window};
use crate::query::columns;
use crate::ratio::Ratio;
use std::collections::BTreeMap;

/// Whether valuations that no fact gave may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Others {
    Never,
    Always,
    Sometimes,
}

/// An operator and what its columns mean.
#[derive(Clone, Debug)]
struct Planned {
    node: usize,
    vars: Vec<Name>,
    types: Vec<Type>,
    others: Others,
    /// Holds at points that are there, and never goes on beyond them.
    momentary: bool,
    /// How a join may see it in place of its input.
    look: Look,
}

impl Planned {
    fn at(&self, name: &str) -> Option<usize> {
        self.vars.iter().position(|v| **v == *name)
    }
    fn is_finite(&self) -> bool {
        self.others == Others::Never || self.vars.is_empty()
    }
    fn covers(&self, other: &Planned) -> bool {
        other.vars.iter().all(|v| self.vars.contains(v))
    }
}

#[derive(Default)]
pub(crate) struct Plan {
    pub(crate) nodes: Vec<Node>,
    pub(crate) spaces: Vec<Rows>,
    pub(crate) pool: Pool,
    /// The operator of each predicate's facts that the formula reads.
    pub(crate) facts: BTreeMap<Name, usize>,
    /// Column of the last operator for each column of the result.
    pub(crate) order: Vec<usize>,
    pub(crate) types: Vec<Type>,
    /// The operator whose rows are the result.
    pub(crate) root: usize,
    made: BTreeMap<String, usize>,
    lets: Vec<(Name, Planned, Vec<Name>)>,
    depth: usize,
    /// Formulas looked at, retries included: rewriting must not go on for ever.
    tries: usize,
}

/// Enough for any formula that people write.
const TRIES: usize = 20_000;

/// Tests of one guard, at most; more of them stand on each other.
const TESTS: usize = 8;

type Outcome = Result<Planned, Diagnostic>;

fn unsafe_variable(name: &Name, formula: &Formula, hint: &str) -> Diagnostic {
    Diagnostic {
        place: "formula".into(),
        found: format!("variable `{name}` is not bound in `{formula}`"),
        hint: hint.into(),
    }
}

fn reach(window: &Window) -> Reach {
    let far = match window.to {
        Upper::Fixed(to) => to,
        Upper::Unbounded | Upper::Var(_) => FOREVER,
    };
    Reach { near: window.from, far }
}

fn not(formula: &Formula) -> Formula {
    match formula {
        Formula::Not(inner) => (**inner).clone(),
        Formula::Compare { op, left, right } => {
            let op = match op {
                Comparison::Equal => Comparison::NotEqual,
                Comparison::NotEqual => Comparison::Equal,
                Comparison::Less => Comparison::GreaterOrEqual,
                Comparison::GreaterOrEqual => Comparison::Less,
                Comparison::LessOrEqual => Comparison::Greater,
                Comparison::Greater => Comparison::LessOrEqual,
            };
            Formula::Compare { op, left: left.clone(), right: right.clone() }
        }
        Formula::And(parts) => Formula::Or(parts.iter().map(not).collect()),
        Formula::Or(parts) => Formula::And(parts.iter().map(not).collect()),
        other => Formula::Not(Box::new(other.clone())),
    }
}

impl Plan {
    /// Plans a formula that [`super::sorts::Sorts::check`] let pass.
    pub(crate) fn new(formula: &Formula, signature: &Signature) -> Result<Plan, Diagnostic> {
        let mut plan = Plan::default();
        let root = plan.formula(formula, signature)?;
        if let (false, Some(name)) = (root.is_finite(), root.vars.first()) {
            return Err(unsafe_variable(name, formula, "AND it with a fact that has the variable"));
        }
        for name in columns(formula) {
            match root.at(&name) {
                Some(column) => {
                    plan.order.push(column);
                    plan.types.push(root.types[column]);
                }
                None => return Err(unsafe_variable(&name, formula, "AND it with a fact that has the variable")),
            }
        }
        plan.root = root.node;
        plan.prune();
        plan.pool.pin();
        Ok(plan)
    }

    /// Drops what rewriting tried and gave up.
    fn prune(&mut self) {
        let mut used = vec![false; self.nodes.len()];
        used[self.root] = true;
        for i in (0..self.nodes.len()).rev().filter(|&i| i <= self.root) {
            if used[i] {
                self.nodes[i].children().into_iter().for_each(|child| used[child] = true);
            }
        }
        let mut new = vec![usize::MAX; self.nodes.len()];
        let mut spaces: BTreeMap<usize, usize> = BTreeMap::new();
        let (mut nodes, mut rows): (Vec<Node>, Vec<Rows>) = (Vec::new(), Vec::new());
        for (i, mut node) in std::mem::take(&mut self.nodes).into_iter().enumerate() {
            if !used[i] {
                continue;
            }
            let space = *spaces.entry(node.core.space).or_insert_with(|| {
                rows.push(std::mem::take(&mut self.spaces[node.core.space]));
                rows.len() - 1
            });
            node.core.space = space;
            node.renumber(&|child| new[child]);
            new[i] = nodes.len();
            nodes.push(node);
        }
        // A window that all see through is not kept.
        let mut kept = vec![false; nodes.len()];
        kept[new[self.root]] = true;
        for (i, node) in nodes.iter().enumerate() {
            node.sources(&nodes[..i]).into_iter().for_each(|source| kept[source] = true);
        }
        for (node, kept) in nodes.iter_mut().zip(kept) {
            if let Kind::Unary(window) = &mut node.kind {
                window.kept = kept;
            }
        }
        self.facts.retain(|_, node| used[*node]);
        self.facts.values_mut().for_each(|node| *node = new[*node]);
        self.root = new[self.root];
        (self.nodes, self.spaces) = (nodes, rows);
        self.made.clear();
    }

    fn space(&mut self, arity: usize) -> usize {
        let mut rows = Rows::new(arity);
        if arity == 0 {
            rows.intern(&[]);
        }
        self.spaces.push(rows);
        self.spaces.len() - 1
    }

    /// An operator, the same one for the same inputs.
    fn add(&mut self, key: String, space: Result<usize, usize>, kind: impl FnOnce() -> Kind) -> usize {
        if let Some(&node) = self.made.get(&key) {
            return node;
        }
        let space = match space {
            Ok(shared) => shared,
            Err(arity) => self.space(arity),
        };
        self.nodes.push(Node { core: Core::new(space), kind: kind() });
        self.made.insert(key, self.nodes.len() - 1);
        self.nodes.len() - 1
    }

    fn space_of(&self, node: usize) -> usize {
        self.nodes[node].core.space
    }

    fn constant(&mut self, value: Option<(Name, Type, Word)>, holds: bool) -> Planned {
        let key = format!("constant {value:?} {holds}");
        let arity = usize::from(value.is_some());
        let known = self.made.contains_key(&key);
        let node = self.add(key, Err(arity), || Kind::Constant);
        if !known {
            let words: Vec<Word> = value.iter().map(|v| v.2).collect();
            let space = self.space_of(node);
            let row = self.spaces[space].intern(&words);
            self.nodes[node].always(row, holds);
        }
        let (vars, types) = value.map(|(name, kind, _)| (name, kind)).into_iter().unzip();
        Planned { node, vars, types, others: Others::Never, momentary: false, look: Look::Plain }
    }

    fn formula(&mut self, formula: &Formula, signature: &Signature) -> Outcome {
        self.depth += 1;
        self.tries += 1;
        let result = if self.tries > TRIES {
            Err(Diagnostic {
                place: "formula".into(),
                found: format!("a formula of more than {TRIES} parts, with those that it would take to make it safe"),
                hint: "name parts with LET, and bind each variable by a fact in its own part".into(),
            })
        } else if self.depth > super::sorts::DEPTH {
            Err(Diagnostic {
                place: "formula".into(),
                found: format!("more than {} operators stand inside each other", super::sorts::DEPTH),
                hint: "name parts with LET".into(),
            })
        } else {
            self.one(formula, signature)
        };
        if let Ok(planned) = &result {
            self.mark(planned);
        }
        self.depth -= 1;
        result
    }

    /// Tells an operator whether its default may be anything but empty.
    fn mark(&mut self, planned: &Planned) {
        let open_ended = planned.others != Others::Never || planned.vars.is_empty();
        self.nodes[planned.node].core.open_ended |= open_ended;
    }

    fn one(&mut self, formula: &Formula, signature: &Signature) -> Outcome {
        match formula {
            Formula::True => Ok(self.constant(None, true)),
            Formula::Atom { name, args } => self.atom(formula, name, args, signature),
            Formula::Compare { op, left, right } => self.comparison(formula, *op, left, right),
            Formula::Not(inner) => match &**inner {
                Formula::Not(twice) => self.formula(twice, signature),
                Formula::Compare { .. } => self.formula(&not(inner), signature),
                _ => match self.formula(inner, signature) {
                    Ok(child) => Ok(self.negation(child)),
                    Err(fault) => match &**inner {
                        Formula::And(_) | Formula::Or(_) => self.formula(&not(inner), signature).map_err(|_| fault),
                        _ => Err(fault),
                    },
                },
            },
            Formula::And(_) => {
                let mut parts = Vec::new();
                flatten(formula, &mut parts);
                self.conjunction(None, &parts, signature)
            }
            Formula::Or(parts) => {
                let mut planned = Vec::new();
                for part in parts {
                    planned.push(self.formula(part, signature)?);
                }
                self.union(planned, formula)
            }
            Formula::Exists(names, inner) => {
                let child = self.formula(inner, signature)?;
                self.project(child, names, formula)
            }
            Formula::Once(w, inner) => self.unary(inner, Step::Past, reach(w), signature),
            Formula::Eventually(w, inner) => self.unary(inner, Step::Future, reach(w), signature),
            Formula::Previous(w, inner) => self.unary(inner, Step::Previous, reach(w), signature),
            Formula::Next(w, inner) => self.unary(inner, Step::Next, reach(w), signature),
            Formula::Historically(w, inner) => self.dual(inner, Step::Past, reach(w), signature),
            Formula::Always(w, inner) => self.dual(inner, Step::Future, reach(w), signature),
            Formula::Since(w, left, right) => self.pair(formula, Pairing::Since, reach(w), left, right, signature),
            Formula::Until(w, left, right) => self.pair(formula, Pairing::Until, reach(w), left, right, signature),
            Formula::Let { name, params, formula: body, within } => {
                let planned = self.formula(body, signature)?;
                if let Some(param) = params.iter().find(|param| planned.at(param).is_none()) {
                    return Err(unsafe_variable(param, body, "a column of LET is a variable of its formula"));
                }
                self.lets.push((name.clone(), planned, params.clone()));
                let result = self.formula(within, signature);
                self.lets.pop();
                result
            }
            Formula::Aggregate { op, result, over, groups, formula: body } => {
                let child = self.formula(body, signature)?;
                if !child.is_finite() {
                    return Err(unsafe_variable(over, body, "an aggregation takes what facts give"));
                }
                let find = |name: &Name| {
                    child.at(name).ok_or_else(|| unsafe_variable(name, body, "name it in a fact of the formula"))
                };
                let at = find(over)?;
                let by = groups.iter().map(find).collect::<Result<Vec<usize>, _>>()?;
                let kind = match op {
                    Aggregation::Count => Type::Int,
                    Aggregation::Average | Aggregation::Median => Type::Decimal,
                    _ => child.types[at],
                };
                let nothing = match kind {
                    Type::Int => self.pool.number(0),
                    Type::Text => self.pool.text(""),
                    Type::Decimal => self.pool.word(&Value::Decimal(Ratio::whole(0))),
                };
                let key = format!("aggregate {} {op:?} {at} {by:?}", child.node);
                let whole = child.types[at] == Type::Int;
                let node = self.add(key, Err(1 + by.len()), || {
                    Kind::Aggregate(Box::new(Aggregate::new(child.node, *op, whole, nothing, at, by.clone())))
                });
                let vars = std::iter::once(result.clone()).chain(groups.iter().cloned()).collect();
                let types = std::iter::once(kind).chain(by.iter().map(|&i| child.types[i])).collect();
                let momentary = child.momentary && !by.is_empty();
                Ok(Planned { node, vars, types, others: Others::Never, momentary, look: Look::Plain })
            }
            Formula::Reached(_) | Formula::Ts(_) | Formula::Breached { .. } | Formula::Duration { .. } => {
                Err(Diagnostic {
                    place: "formula".into(),
                    found: format!("`{formula}` belongs to the clock domain"),
                    hint: "use --domain clock".into(),
                })
            }
        }
    }

    fn negation(&mut self, child: Planned) -> Planned {
        let others = match child.others {
            Others::Never => Others::Always,
            Others::Always => Others::Never,
            Others::Sometimes => Others::Sometimes,
        };
        let space = self.space_of(child.node);
        let key = format!("not {}", child.node);
        let all = Reach { near: 0, far: FOREVER };
        let node = self.add(key, Ok(space), || Kind::Unary(Box::new(Unary::new(child.node, Step::Not, all, false))));
        let negated = Planned { node, others, momentary: false, look: Look::Plain, ..child };
        self.mark(&negated);
        negated
    }

    fn unary_node(&mut self, child: &Planned, step: Step, reach: Reach, dual: bool) -> usize {
        let space = self.space_of(child.node);
        let key = format!("unary {} {step:?} {reach:?} {dual}", child.node);
        self.add(key, Ok(space), || Kind::Unary(Box::new(Unary::new(child.node, step, reach, dual))))
    }

    fn unary(&mut self, inner: &Formula, step: Step, reach: Reach, signature: &Signature) -> Outcome {
        let child = self.formula(inner, signature)?;
        let node = self.unary_node(&child, step, reach, false);
        let others = match child.others {
            Others::Always if reach.near == 0 && matches!(step, Step::Past | Step::Future) => Others::Always,
            Others::Never => Others::Never,
            _ => Others::Sometimes,
        };
        let look = match step {
            Step::Past if child.momentary => Look::Back(reach),
            Step::Future if child.momentary => Look::Ahead(reach),
            _ => Look::Plain,
        };
        Ok(Planned { node, others, momentary: false, look, ..child })
    }

    /// HISTORICALLY and ALWAYS.
    fn dual(&mut self, inner: &Formula, step: Step, reach: Reach, signature: &Signature) -> Outcome {
        let child = match self.formula(inner, signature) {
            Ok(child) => child,
            // NOT ONCE NOT, where what is negated may be safe.
            Err(fault) => {
                let window = Window {
                    from: reach.near,
                    to: if reach.far == FOREVER { Upper::Unbounded } else { Upper::Fixed(reach.far) },
                };
                let turned = Box::new(not(inner));
                let turned = if step == Step::Past {
                    Formula::Once(window, turned)
                } else {
                    Formula::Eventually(window, turned)
                };
                let child = self.formula(&turned, signature).map_err(|_| fault)?;
                return Ok(self.negation(child));
            }
        };
        let node = self.unary_node(&child, step, reach, true);
        let others = match child.others {
            Others::Always => Others::Always,
            Others::Never if reach.near == 0 => Others::Never,
            _ => Others::Sometimes,
        };
        Ok(Planned { node, others, momentary: false, look: Look::Plain, ..child })
    }

    fn zip(&mut self, pairing: Pairing, driver: Planned, other: &Planned, negated: bool, reach: Reach) -> Planned {
        let key: Vec<usize> = other.vars.iter().filter_map(|v| driver.at(v)).collect();
        let name = format!("zip {pairing:?} {} {} {negated} {reach:?} {key:?}", driver.node, other.node);
        let space = self.space_of(driver.node);
        let node = self.add(name, Ok(space), || {
            Kind::Zip(Box::new(Zip::new(pairing, driver.node, other.node, negated, reach, key)))
        });
        Planned { node, others: Others::Never, momentary: false, look: Look::Plain, ..driver }
    }

    /// `driver AND other` or `driver AND NOT other`; one test more for a driver that has some already.
    fn guard(&mut self, driver: Planned, other: &Planned, negated: bool) -> Planned {
        let key: Vec<usize> = other.vars.iter().filter_map(|v| driver.at(v)).collect();
        let look = if driver.momentary { other.look } else { Look::Plain };
        let (behind, mut tests) = match &self.nodes[driver.node].kind {
            Kind::Guard(guard) if guard.tests.len() < TESTS => (guard.driver, guard.tests.clone()),
            _ => (driver.node, Vec::new()),
        };
        tests.push(Test::new(other.node, negated, look, key));
        let shown: Vec<_> = tests.iter().map(|test| (test.other, test.negated, test.look, &test.key)).collect();
        let name = format!("guard {behind} {shown:?}");
        let space = self.space_of(behind);
        let node = self.add(name, Ok(space), || Kind::Guard(Box::new(Guard::new(behind, tests))));
        Planned { node, others: Others::Never, look: Look::Plain, ..driver }
    }

    fn pair(
        &mut self,
        formula: &Formula,
        pairing: Pairing,
        reach: Reach,
        left: &Formula,
        right: &Formula,
        signature: &Signature,
    ) -> Outcome {
        let driver = self.formula(right, signature)?;
        if let (false, Some(name)) = (driver.is_finite(), driver.vars.first()) {
            let hint =
                "the right side of SINCE and UNTIL binds it by a fact, or one beside it does and the window ends";
            return Err(unsafe_variable(name, formula, hint));
        }
        self.paired(formula, driver, pairing, reach, left, signature)
    }

    /// SINCE or UNTIL, the right side planned already.
    fn paired(
        &mut self,
        formula: &Formula,
        driver: Planned,
        pairing: Pairing,
        reach: Reach,
        left: &Formula,
        signature: &Signature,
    ) -> Outcome {
        let (negated, inner) = match left {
            Formula::Not(inner) => (true, &**inner),
            left => (false, left),
        };
        let (other, negated) = match self.formula(inner, signature) {
            Ok(other) => (other, negated),
            Err(_) => (self.formula(left, signature)?, false),
        };
        if let Some(name) = other.vars.iter().find(|v| driver.at(v).is_none()) {
            return Err(unsafe_variable(name, formula, "each variable of the left side stands on the right side too"));
        }
        Ok(self.zip(pairing, driver, &other, negated, reach))
    }

    /// `guard AND (left SINCE right)`, where the right side alone does not bind all variables: of the valuations of the
    /// guard, those matter at a point that hold at one whose window reaches there. For UNTIL that is a point before; for
    /// SINCE one after, so the window must end, and a verdict is final that much later.
    fn pair_under(
        &mut self,
        guard: Planned,
        formula: &Formula,
        (window, left, right): (&Window, &Formula, &Formula),
        fault: Diagnostic,
        signature: &Signature,
    ) -> Outcome {
        let (pairing, step) = match formula {
            Formula::Since(..) => (Pairing::Since, Step::Future),
            _ => (Pairing::Until, Step::Past),
        };
        let reach = reach(window);
        if reach.far == FOREVER || columns(right).iter().any(|name| guard.at(name).is_none()) {
            return Err(fault);
        }
        let kept: Vec<usize> = columns(formula).iter().filter_map(|name| guard.at(name)).collect();
        let near = self.map(guard.clone(), Vec::new(), &kept, None);
        let node = self.unary_node(&near, step, Reach { near: 0, far: reach.far }, false);
        let near = Planned { node, momentary: false, look: Look::Plain, ..near };
        let Ok(driver) = self.guarded(near, right, signature) else { return Err(fault) };
        let Ok(planned) = self.paired(formula, driver, pairing, reach, left, signature) else { return Err(fault) };
        Ok(self.join(guard, planned))
    }

    fn join(&mut self, left: Planned, right: Planned) -> Planned {
        if left.covers(&right) {
            return self.guard(left, &right, false);
        }
        if right.covers(&left) {
            return self.guard(right, &left, false);
        }
        let shared: Vec<(usize, usize)> =
            left.vars.iter().enumerate().filter_map(|(i, v)| right.at(v).map(|j| (i, j))).collect();
        let extra: Vec<usize> = (0..right.vars.len()).filter(|&j| left.at(&right.vars[j]).is_none()).collect();
        let (a, b): (Vec<usize>, Vec<usize>) = shared.into_iter().unzip();
        let key = format!("join {} {} {a:?} {b:?}", left.node, right.node);
        let arity = left.vars.len() + extra.len();
        let look = |one: &Planned, other: &Planned| if other.momentary { one.look } else { Look::Plain };
        let looks = [look(&left, &right), look(&right, &left)];
        let node = self.add(key, Err(arity), || {
            Kind::Join(Box::new(Join::new([left.node, right.node], looks, [a, b], extra.clone())))
        });
        let momentary = left.momentary || right.momentary;
        let mut joined = Planned { node, momentary, look: Look::Plain, ..left };
        joined.vars.extend(extra.iter().map(|&j| right.vars[j].clone()));
        joined.types.extend(extra.iter().map(|&j| right.types[j]));
        joined
    }

    fn union(&mut self, planned: Vec<Planned>, formula: &Formula) -> Outcome {
        let mut parts = planned.into_iter();
        let Some(mut all) = parts.next() else { return Ok(self.constant(None, false)) };
        for part in parts {
            let missing = part.vars.iter().find(|v| all.at(v).is_none());
            if let Some(name) = missing.or_else(|| all.vars.iter().find(|v| part.at(v).is_none())) {
                return Err(unsafe_variable(name, formula, "each part of OR has the same free variables"));
            }
            let order: Vec<usize> = all.vars.iter().filter_map(|v| part.at(v)).collect();
            let key = format!("or {} {} {order:?}", all.node, part.node);
            let node = self.add(key, Err(all.vars.len()), || Kind::Or(Box::new(Or::new([all.node, part.node], order))));
            let others = match (all.others, part.others) {
                (Others::Always, _) | (_, Others::Always) => Others::Always,
                (Others::Never, Others::Never) => Others::Never,
                _ => Others::Sometimes,
            };
            let momentary = all.momentary && part.momentary;
            all = Planned { node, others, momentary, look: Look::Plain, ..all };
            self.mark(&all);
        }
        Ok(all)
    }

    fn project(&mut self, child: Planned, names: &[Name], formula: &Formula) -> Outcome {
        let kept: Vec<usize> = (0..child.vars.len()).filter(|&i| !names.contains(&child.vars[i])).collect();
        if kept.len() == child.vars.len() {
            return Ok(child);
        }
        if !child.is_finite() {
            let name = names.iter().find(|n| child.at(n).is_some()).unwrap_or(&names[0]);
            return Err(unsafe_variable(name, formula, "AND it with a fact that has the variable"));
        }
        Ok(self.map(child, Vec::new(), &kept, None))
    }

    fn map(
        &mut self,
        child: Planned,
        passes: Vec<(Comparison, Expr, Expr)>,
        kept: &[usize],
        new: Option<(Name, Type, Expr)>,
    ) -> Planned {
        let mut exprs: Vec<Expr> = kept.iter().map(|&i| Expr::Column(i)).collect();
        let mut vars: Vec<Name> = kept.iter().map(|&i| child.vars[i].clone()).collect();
        let mut types: Vec<Type> = kept.iter().map(|&i| child.types[i]).collect();
        if let Some((name, kind, expr)) = new {
            exprs.push(expr);
            vars.push(name);
            types.push(kind);
        }
        let key = format!("map {} {passes:?} {exprs:?}", child.node);
        let arity = child.vars.len();
        let node = self.add(key, Err(exprs.len()), || Kind::Map(Box::new(Map::new(child.node, arity, passes, exprs))));
        let others = if arity == 0 { Others::Never } else { child.others };
        let momentary = child.momentary && !vars.is_empty();
        Planned { node, vars, types, others, momentary, look: Look::Plain }
    }

    fn atom(&mut self, formula: &Formula, name: &Name, args: &[Term], signature: &Signature) -> Outcome {
        let bound = self.lets.iter().rposition(|(n, _, _)| n == name);
        let (base, columns): (Planned, Vec<usize>) = match bound {
            Some(at) => {
                let (_, planned, params) = &self.lets[at];
                let columns = params.iter().filter_map(|param| planned.at(param)).collect();
                (planned.clone(), columns)
            }
            None => {
                let types = signature.get(name).cloned().unwrap_or_default();
                let arity = types.len();
                let node = self.add(format!("facts {name}"), Err(arity), || Kind::Facts);
                self.facts.insert(name.clone(), node);
                let vars = (0..arity).map(|i| Name::from(format!("{i}"))).collect();
                let planned =
                    Planned { node, vars, types, others: Others::Never, momentary: arity > 0, look: Look::Plain };
                (planned, (0..arity).collect())
            }
        };
        // The first place of each variable, in the order of the base's columns.
        let mut named: Vec<Option<Name>> = vec![None; base.vars.len()];
        for (arg, &column) in args.iter().zip(&columns) {
            if let Term::Var(v) = arg
                && !named.contains(&Some(v.clone()))
            {
                named[column] = Some(v.clone());
            }
        }
        let at = |v: &str| named.iter().position(|n| n.as_deref() == Some(v));
        let mut passes = Vec::new();
        for (arg, &column) in args.iter().zip(&columns) {
            match arg {
                Term::Any => {}
                Term::Var(v) if at(v) == Some(column) => {}
                term => {
                    let kind = base.types[column];
                    let Some(expr) = Expr::new(term, kind, &mut self.pool, &at) else {
                        let free = first_unbound(term, &|v| at(v).is_some()).unwrap_or_else(|| "_".into());
                        return Err(unsafe_variable(&free, formula, "give it a column of its own"));
                    };
                    passes.push((Comparison::Equal, Expr::Column(column), expr));
                }
            }
        }
        let kept: Vec<usize> = (0..named.len()).filter(|&i| named[i].is_some()).collect();
        let vars: Vec<Name> = named.iter().map(|n| n.clone().unwrap_or_else(|| "_".into())).collect();
        let renamed = Planned { vars, ..base };
        if passes.is_empty() && kept.len() == renamed.vars.len() {
            return Ok(renamed);
        }
        if renamed.others != Others::Never {
            return Err(Diagnostic {
                place: "formula".into(),
                found: format!("`{formula}` reads an open-ended LET with a constant or a repeated variable"),
                hint: "AND the LET's formula with a fact that bounds its variables".into(),
            });
        }
        Ok(self.map(renamed, passes, &kept, None))
    }

    fn comparison(&mut self, formula: &Formula, op: Comparison, left: &Term, right: &Term) -> Outcome {
        let nobody = |_: &str| None;
        for (one, other) in [(left, right), (right, left)] {
            let (Comparison::Equal, Term::Var(name)) = (op, one) else { continue };
            let Some(kind) = kind_of(other, &|_| None) else { continue };
            let kind = kind.unwrap_or(Type::Int);
            if let Some(expr) = Expr::new(other, kind, &mut self.pool, &nobody) {
                let word = self.value(&expr)?;
                return Ok(self.constant(Some((name.clone(), kind, word)), true));
            }
        }
        let name = first_unbound(left, &|_| false).or_else(|| first_unbound(right, &|_| false));
        if let Some(name) = name {
            return Err(unsafe_variable(&name, formula, "AND the comparison with a fact that has the variable"));
        }
        let kind = kind_of(left, &|_| None).flatten().unwrap_or(Type::Int);
        let (a, b) = (Expr::new(left, kind, &mut self.pool, &nobody), Expr::new(right, kind, &mut self.pool, &nobody));
        let (Some(a), Some(b)) = (a, b) else {
            return Err(unsafe_variable(&"_".into(), formula, "a comparison has no `_`"));
        };
        let (a, b) = (self.value(&a)?, self.value(&b)?);
        let holds = super::words::holds(op, self.pool.order(a, b));
        Ok(self.constant(None, holds))
    }

    fn value(&mut self, expr: &Expr) -> Result<Word, Diagnostic> {
        expr.value(&[], &mut self.pool).map_err(|found| Diagnostic {
            place: "formula".into(),
            found,
            hint: "write the value itself".into(),
        })
    }

    /// Joins what is finite, then brings in everything else as soon as its variables are bound.
    fn conjunction(&mut self, start: Option<Planned>, parts: &[&Formula], signature: &Signature) -> Outcome {
        let mut finite: Vec<Planned> = start.into_iter().collect();
        let mut waiting: Vec<&Formula> = Vec::new();
        for &part in parts {
            if !matches!(part, Formula::Compare { .. } | Formula::Not(_))
                && let Ok(planned) = self.formula(part, signature)
                && planned.is_finite()
            {
                finite.push(planned);
                continue;
            }
            waiting.push(part);
        }
        let mut current: Option<Planned> = None;
        while !finite.is_empty() {
            let near = current.as_ref().and_then(|c| {
                let shares = |p: &Planned| p.vars.is_empty() || p.vars.iter().any(|v| c.at(v).is_some());
                finite.iter().position(shares)
            });
            let next = finite.remove(near.unwrap_or(0));
            current = Some(match current {
                None => next,
                Some(current) => self.join(current, next),
            });
        }
        let mut current = match current {
            Some(current) => current,
            // Several open-ended ones are what is in none of their complements.
            None if parts.len() > 1 => {
                let turned: Vec<Formula> = parts.iter().map(|part| not(part)).collect();
                if let Ok(union) = self.formula(&Formula::Or(turned), signature) {
                    return Ok(self.negation(union));
                }
                self.constant(None, true)
            }
            None => self.constant(None, true),
        };
        let mut fault = None;
        while !waiting.is_empty() {
            let mut left = Vec::new();
            let count = waiting.len();
            fault = None;
            for part in waiting {
                match self.guarded(current.clone(), part, signature) {
                    Ok(planned) => current = planned,
                    Err(why) => {
                        fault.get_or_insert(why);
                        left.push(part);
                    }
                }
            }
            waiting = left;
            if waiting.len() == count {
                break;
            }
        }
        match fault {
            Some(fault) if !waiting.is_empty() => Err(fault),
            _ => Ok(current),
        }
    }

    /// `guard AND formula`, where the guard bounds variables that the formula does not.
    fn guarded(&mut self, guard: Planned, formula: &Formula, signature: &Signature) -> Outcome {
        match formula {
            Formula::True => Ok(guard),
            Formula::Compare { op, left, right } => self.filter(guard, formula, *op, left, right),
            Formula::And(_) => {
                let mut parts = Vec::new();
                flatten(formula, &mut parts);
                self.conjunction(Some(guard), &parts, signature)
            }
            Formula::Not(inner) => {
                if let Formula::Not(twice) = &**inner {
                    return self.guarded(guard, twice, signature);
                }
                if let Formula::Compare { .. } | Formula::Or(_) = &**inner
                    && let Ok(planned) = self.guarded(guard.clone(), &not(inner), signature)
                {
                    return Ok(planned);
                }
                if let Some(name) = columns(inner).iter().find(|v| guard.at(v).is_none()) {
                    return Err(unsafe_variable(name, formula, "AND it with a fact that has the variable"));
                }
                let negative = match self.formula(inner, signature) {
                    Ok(planned) => planned,
                    Err(_) => {
                        let with = self.guarded(guard.clone(), inner, signature)?;
                        let order = guard.vars.iter().filter_map(|v| with.at(v)).collect::<Vec<_>>();
                        self.map(with, Vec::new(), &order, None)
                    }
                };
                Ok(self.guard(guard, &negative, true))
            }
            _ => match self.formula(formula, signature) {
                Ok(planned) if planned.is_finite() => Ok(self.join(guard, planned)),
                Ok(planned) => match planned.vars.iter().find(|v| guard.at(v).is_none()) {
                    Some(name) => Err(unsafe_variable(name, formula, "AND it with a fact that has the variable")),
                    None => Ok(self.guard(guard, &planned, false)),
                },
                Err(fault) => match formula {
                    Formula::Or(parts) => {
                        let mut planned = Vec::new();
                        for part in parts {
                            planned.push(self.guarded(guard.clone(), part, signature)?);
                        }
                        self.union(planned, formula)
                    }
                    Formula::Exists(names, inner) if names.iter().all(|n| guard.at(n).is_none()) => {
                        let planned = self.guarded(guard, inner, signature)?;
                        self.project(planned, names, formula)
                    }
                    Formula::Since(window, left, right) | Formula::Until(window, left, right) => {
                        self.pair_under(guard, formula, (window, left, right), fault, signature)
                    }
                    _ => Err(fault),
                },
            },
        }
    }

    fn filter(&mut self, guard: Planned, formula: &Formula, op: Comparison, left: &Term, right: &Term) -> Outcome {
        let bound = |v: &str| guard.at(v);
        let is_bound = |v: &str| bound(v).is_some();
        let type_of = |v: &str| bound(v).map(|i| guard.types[i]);
        let all: Vec<usize> = (0..guard.vars.len()).collect();
        match (first_unbound(left, &is_bound), first_unbound(right, &is_bound)) {
            (None, None) => {
                let kind = kind_of(left, &type_of).flatten().or_else(|| kind_of(right, &type_of).flatten());
                let kind = kind.unwrap_or(Type::Int);
                let a = Expr::new(left, kind, &mut self.pool, &bound);
                let b = Expr::new(right, kind, &mut self.pool, &bound);
                let (Some(a), Some(b)) = (a, b) else {
                    return Err(unsafe_variable(&"_".into(), formula, "a comparison has no `_`"));
                };
                Ok(self.map(guard, vec![(op, a, b)], &all, None))
            }
            (unbound_left, unbound_right) => {
                for (one, other, free) in [(left, right, &unbound_right), (right, left, &unbound_left)] {
                    if let (Comparison::Equal, Term::Var(name), None) = (op, one, free) {
                        let kind = kind_of(other, &type_of).flatten().unwrap_or(Type::Int);
                        if let Some(expr) = Expr::new(other, kind, &mut self.pool, &bound) {
                            return Ok(self.map(guard, Vec::new(), &all, Some((name.clone(), kind, expr))));
                        }
                    }
                }
                let name = unbound_left.or(unbound_right).unwrap_or_else(|| "_".into());
                Err(unsafe_variable(&name, formula, "AND the comparison with a fact that has the variable"))
            }
        }
    }
}

fn flatten<'f>(formula: &'f Formula, parts: &mut Vec<&'f Formula>) {
    match formula {
        Formula::And(inner) => inner.iter().for_each(|part| flatten(part, parts)),
        other => parts.push(other),
    }
}

fn first_unbound(term: &Term, bound: &dyn Fn(&str) -> bool) -> Option<Name> {
    match term {
        Term::Var(name) => (!bound(name)).then(|| name.clone()),
        Term::Any => Some("_".into()),
        _ => term.parts().find_map(|part| first_unbound(part, bound)),
    }
}

/// Type of a term: `None` if it has unbound variables, `Some(None)` if nothing tells.
fn kind_of(term: &Term, type_of: &dyn Fn(&str) -> Option<Type>) -> Option<Option<Type>> {
    match term {
        Term::Var(name) => type_of(name).map(Some),
        Term::Const(Value::Int(_)) | Term::ToInt(_) | Term::Modulo(..) => Some(Some(Type::Int)),
        Term::Const(Value::Text(_)) => Some(Some(Type::Text)),
        Term::Const(Value::Decimal(_)) | Term::ToDecimal(_) => Some(Some(Type::Decimal)),
        Term::Any => None,
        _ => {
            let mut found = None;
            for part in term.parts() {
                found = found.or(kind_of(part, type_of)?);
            }
            Some(found)
        }
    }
}
