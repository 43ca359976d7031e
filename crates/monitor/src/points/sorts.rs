//! Names and types: every refusal that needs no plan.
//!
//! ```text
//! (k <- MAX u; x ONCE Lodged(u, x)) AND k = "post-3"      `k` is an int: compared with "post-3"
//! ```
use crate::fact::Value;
use crate::formula::{Aggregation, Comparison, Diagnostic, Formula, Name, Signature, Term, Type, Upper, Window};
use std::collections::BTreeMap;

/// Nested this deep at most, so that no formula exhausts the stack.
pub(crate) const DEPTH: usize = 400;

/// Types of the variables: one entry for each binding, found again in the order of the walk.
#[derive(Default)]
pub(crate) struct Sorts {
    /// What each variable is equal to or known to be.
    known: Vec<Result<usize, Option<Type>>>,
    /// Predicates in scope: of the signature, or of a LET.
    predicates: BTreeMap<Name, Vec<usize>>,
    pub(crate) faults: Vec<Diagnostic>,
    depth: usize,
}

type Scope = Vec<(Name, usize)>;

impl Sorts {
    /// Checks a formula, and gives the types of its free variables.
    pub(crate) fn check(formula: &Formula, signature: &Signature) -> Result<BTreeMap<Name, Type>, Vec<Diagnostic>> {
        let mut sorts = Sorts::default();
        for (name, types) in signature {
            let columns = types.iter().map(|&t| sorts.fresh(Some(t))).collect();
            sorts.predicates.insert(name.clone(), columns);
        }
        let mut scope = Scope::new();
        sorts.formula(formula, &mut scope);
        if !sorts.faults.is_empty() {
            return Err(sorts.faults);
        }
        let found: Vec<(Name, usize)> = scope;
        Ok(found.into_iter().map(|(name, id)| (name, sorts.of(id).unwrap_or(Type::Int))).collect())
    }

    fn fresh(&mut self, kind: Option<Type>) -> usize {
        self.known.push(Err(kind));
        self.known.len() - 1
    }

    fn root(&self, mut id: usize) -> usize {
        while let Ok(next) = self.known[id] {
            id = next;
        }
        id
    }

    fn of(&self, id: usize) -> Option<Type> {
        self.known[self.root(id)].err().flatten()
    }

    fn refuse(&mut self, found: String, hint: impl Into<String>) {
        self.faults.push(Diagnostic { place: "formula".into(), found, hint: hint.into() });
    }

    fn variable(&mut self, name: &Name, scope: &mut Scope) -> usize {
        if let Some((_, id)) = scope.iter().rev().find(|(n, _)| n == name) {
            return *id;
        }
        let id = self.fresh(None);
        // A free variable is known from the outermost scope on.
        scope.insert(0, (name.clone(), id));
        id
    }

    fn equal(&mut self, a: usize, b: usize, shown: &dyn Fn() -> String) {
        let (a, b) = (self.root(a), self.root(b));
        if a == b {
            return;
        }
        match (self.of(a), self.of(b)) {
            (Some(x), Some(y)) if x != y => {
                self.refuse(format!("{}: {x} on one side, {y} on the other", shown()), "both sides have one type");
            }
            (None, _) => self.known[a] = Ok(b),
            _ => self.known[b] = Ok(a),
        }
    }

    fn term(&mut self, term: &Term, scope: &mut Scope, shown: &dyn Fn() -> String) -> usize {
        if term.parts().next().is_some() && self.depth > DEPTH {
            return self.fresh(None);
        }
        self.depth += 1;
        let id = match term {
            Term::Var(name) => self.variable(name, scope),
            Term::Any => self.fresh(None),
            Term::Const(Value::Int(_)) => self.fresh(Some(Type::Int)),
            Term::Const(Value::Text(_)) => self.fresh(Some(Type::Text)),
            Term::Const(Value::Decimal(_)) => self.fresh(Some(Type::Decimal)),
            Term::ToDecimal(a) => {
                let (a, int) = (self.term(a, scope, shown), self.fresh(Some(Type::Int)));
                self.equal(a, int, shown);
                self.fresh(Some(Type::Decimal))
            }
            Term::ToInt(a) => {
                let (a, decimal) = (self.term(a, scope, shown), self.fresh(Some(Type::Decimal)));
                self.equal(a, decimal, shown);
                self.fresh(Some(Type::Int))
            }
            _ => {
                let parts: Vec<usize> = term.parts().map(|part| self.term(part, scope, shown)).collect();
                for pair in parts.windows(2) {
                    self.equal(pair[0], pair[1], shown);
                }
                let whole = matches!(term, Term::Modulo(..));
                if whole {
                    let int = self.fresh(Some(Type::Int));
                    self.equal(parts[0], int, shown);
                }
                if self.of(parts[0]) == Some(Type::Text) {
                    self.refuse(format!("{}: a text in `{term}`", shown()), "only numbers are added or multiplied");
                }
                parts[0]
            }
        };
        self.depth -= 1;
        id
    }

    fn window(&mut self, window: &Window, ahead: bool, shown: &Formula) {
        match &window.to {
            Upper::Unbounded if ahead => self.refuse(
                format!("`{shown}` looks ahead without end"),
                "give the window an end, e.g. [0,6h]; over time-points a verdict must become final",
            ),
            Upper::Unbounded => {}
            Upper::Fixed(to) if *to < window.from => {
                self.refuse(
                    format!("the window {window} of `{shown}` is empty"),
                    "its near end is at most its far end",
                );
            }
            Upper::Fixed(_) => {}
            Upper::Var(_) => self.refuse(
                format!("the window {window} of `{shown}` ends at a variable"),
                "that belongs to the clock domain",
            ),
        }
        if window.from < 0 {
            self.refuse(format!("the window {window} of `{shown}` begins before 0"), "distances are at least 0");
        }
    }

    fn formula(&mut self, formula: &Formula, scope: &mut Scope) {
        self.depth += 1;
        if self.depth > DEPTH {
            if self.depth == DEPTH + 1 {
                self.refuse(format!("more than {DEPTH} operators stand inside each other"), "name parts with LET");
            }
            self.depth -= 1;
            return;
        }
        match formula {
            Formula::True => {}
            Formula::Atom { name, args } => self.atom(formula, name, args, scope),
            Formula::Compare { op, left, right } => {
                let shown = || format!("`{formula}`");
                // In MonPoly's order of columns.
                let turned = matches!(op, Comparison::Greater | Comparison::GreaterOrEqual);
                let (first, second) = if turned { (right, left) } else { (left, right) };
                let a = self.term(first, scope, &shown);
                let b = self.term(second, scope, &shown);
                self.equal(a, b, &shown);
            }
            Formula::Not(f) => self.formula(f, scope),
            Formula::And(parts) | Formula::Or(parts) => parts.iter().for_each(|part| self.formula(part, scope)),
            Formula::Exists(names, f) => self.bound(names, f, scope),
            Formula::Once(w, f) | Formula::Historically(w, f) | Formula::Previous(w, f) | Formula::Next(w, f) => {
                self.window(w, false, formula);
                self.formula(f, scope);
            }
            Formula::Eventually(w, f) | Formula::Always(w, f) => {
                self.window(w, true, formula);
                self.formula(f, scope);
            }
            Formula::Since(w, f, g) | Formula::Until(w, f, g) => {
                self.window(w, matches!(formula, Formula::Until(..)), formula);
                self.formula(g, scope);
                self.formula(f, scope);
            }
            Formula::Let { name, params, formula: body, within } => {
                let mut inner: Scope = params.iter().map(|p| (p.clone(), self.fresh(None))).collect();
                let known = inner.len();
                self.formula(body, &mut inner);
                let extra: Vec<String> = inner[..inner.len() - known].iter().map(|(n, _)| n.to_string()).collect();
                if !extra.is_empty() {
                    self.refuse(
                        format!("LET `{name}` leaves `{}` free", extra.join("`, `")),
                        "its columns are all free variables of its formula",
                    );
                }
                let columns = inner[inner.len() - known..].iter().map(|(_, id)| *id).collect();
                let hidden = self.predicates.insert(name.clone(), columns);
                self.formula(within, scope);
                match hidden {
                    Some(columns) => self.predicates.insert(name.clone(), columns),
                    None => self.predicates.remove(name),
                };
            }
            Formula::Aggregate { op, result, over, groups, formula: body } => {
                let mut inner: Scope = groups.iter().map(|g| (g.clone(), self.fresh(None))).collect();
                let count = inner.len();
                self.formula(body, &mut inner);
                let find = |name: &Name| inner.iter().rev().find(|(n, _)| n == name).map(|(_, id)| *id);
                let mut named = vec![over];
                named.extend(groups);
                let free = crate::query::columns(body);
                for name in named {
                    if !free.contains(name) {
                        self.refuse(
                            format!("`{name}` does not occur free in the formula of `{formula}`"),
                            "an aggregation takes and groups by variables of its formula",
                        );
                    }
                }
                let over = find(over).unwrap_or_else(|| self.fresh(None));
                let groups_ids: Vec<usize> = inner[inner.len() - count..].iter().map(|(_, id)| *id).collect();
                let of_result = match op {
                    Aggregation::Count => self.fresh(Some(Type::Int)),
                    Aggregation::Average | Aggregation::Median => self.fresh(Some(Type::Decimal)),
                    _ => over,
                };
                if matches!(op, Aggregation::Sum | Aggregation::Average | Aggregation::Median)
                    && self.of(over) == Some(Type::Text)
                {
                    self.refuse(format!("{op} of texts in `{formula}`"), "CNT, MIN and MAX take texts");
                }
                let outer = self.variable(result, scope);
                let shown = || format!("`{result}` of `{formula}`");
                self.equal(outer, of_result, &shown);
                for (group, id) in groups.iter().zip(groups_ids) {
                    let outer = self.variable(group, scope);
                    self.equal(outer, id, &|| format!("`{group}` of `{formula}`"));
                }
            }
            Formula::Reached(_) | Formula::Ts(_) | Formula::Breached { .. } | Formula::Duration { .. } => {
                self.refuse(format!("`{formula}` belongs to the clock domain"), "use --domain clock, or leave it out");
            }
        }
        self.depth -= 1;
    }

    fn bound(&mut self, names: &[Name], inner: &Formula, scope: &mut Scope) {
        let free = scope.len();
        scope.extend(names.iter().map(|name| (name.clone(), self.fresh(None))));
        self.formula(inner, scope);
        // Free variables that were met inside stand at the front.
        let new = scope.len() - free - names.len();
        scope.drain(free + new..);
    }

    fn atom(&mut self, formula: &Formula, name: &Name, args: &[Term], scope: &mut Scope) {
        let Some(columns) = self.predicates.get(name).cloned() else {
            let known: Vec<String> = self.predicates.keys().map(|k| format!("`{k}`")).collect();
            let hint = match known.len() {
                0 => "the signature declares none".to_string(),
                _ => format!("known are {}", known.join(", ")),
            };
            return self.refuse(format!("no predicate `{name}`"), hint);
        };
        if columns.len() != args.len() {
            return self
                .refuse(format!("`{formula}` has {} columns", args.len()), format!("`{name}` has {}", columns.len()));
        }
        for (i, (arg, column)) in args.iter().zip(columns).enumerate() {
            let shown = || format!("column {} of `{formula}`", i + 1);
            let arg = self.term(arg, scope, &shown);
            self.equal(column, arg, &shown);
        }
    }
}

/// Empty points that must follow the end of a log for its last points to be settled, and how far apart: one for each NEXT,
/// farther away than all windows together.
pub(crate) fn silence(formula: &Formula) -> (u32, i64) {
    let (mut steps, mut reach) = (1, 0i64);
    let mut add = |window: &Window| {
        let to = if let Upper::Fixed(to) = window.to { to } else { 0 };
        reach = reach.saturating_add(to).saturating_add(window.from);
    };
    let mut stack = vec![formula];
    while let Some(f) = stack.pop() {
        match f {
            Formula::Once(w, g) | Formula::Historically(w, g) | Formula::Eventually(w, g) | Formula::Always(w, g) => {
                add(w);
                stack.push(g);
            }
            Formula::Next(w, g) | Formula::Previous(w, g) => {
                steps += 1;
                add(w);
                stack.push(g);
            }
            Formula::Since(w, g, h) | Formula::Until(w, g, h) => {
                add(w);
                stack.extend([&**g, &**h]);
            }
            Formula::Not(g) | Formula::Exists(_, g) | Formula::Aggregate { formula: g, .. } => stack.push(g),
            Formula::And(parts) | Formula::Or(parts) => stack.extend(parts),
            Formula::Let { formula: g, within: h, .. } => stack.extend([&**g, &**h]),
            _ => {}
        }
    }
    (steps, reach.saturating_add(10_000_000_000).min(i64::MAX / 64))
}
