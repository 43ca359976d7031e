//! The slow, obvious evaluator of the points domain: at every time-point every operator looks at every other one.
//!
//! ```text
//! f SINCE[a,b] g at i:   for each j <= i with stamp(i) - stamp(j) in [a,b],  each row of g at j:  f at each of j+1..=i
//! ```
//! It shares with the engine the formula, the parser and the values, nothing else. [`Naive::rows`] gives all valuations
//! of a formula's free variables that extend what is bound already; a conjunction takes first what can be listed. A
//! formula that cannot be listed at all is tried on every value of the log and the formula ([`Naive::guessed`] tells).
use hamsaya_monitor::*;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

/// One time-point: its stamp and its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    pub stamp: i64,
    pub events: BTreeSet<(Name, Vec<Value>)>,
}

/// A log from its text.
pub fn moments(log: &str, signature: &Signature) -> Vec<Moment> {
    let points = parse_log(log, signature).expect("a log");
    points.into_iter().map(|p| Moment { stamp: p.stamp, events: p.events.into_iter().collect() }).collect()
}

/// What holds at each time-point at which something does.
pub type Held = BTreeMap<u32, BTreeSet<Vec<Value>>>;

/// A value with room: whole numbers do not end at 64 bits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Val {
    Int(i128),
    Text(Arc<str>),
    Decimal(Ratio),
}

impl From<&Value> for Val {
    fn from(value: &Value) -> Val {
        match value {
            Value::Int(number) => Val::Int(i128::from(*number)),
            Value::Text(text) => Val::Text(text.clone()),
            Value::Decimal(ratio) => Val::Decimal(*ratio),
        }
    }
}

impl From<&Val> for Value {
    fn from(val: &Val) -> Value {
        match val {
            Val::Int(number) => match i64::try_from(*number) {
                Ok(number) => Value::Int(number),
                Err(_) => Value::Decimal(Ratio::whole(*number)),
            },
            Val::Text(text) => Value::Text(text.clone()),
            Val::Decimal(ratio) => Value::Decimal(*ratio),
        }
    }
}

impl Val {
    fn kind(&self) -> Type {
        match self {
            Val::Int(_) => Type::Int,
            Val::Text(_) => Type::Text,
            Val::Decimal(_) => Type::Decimal,
        }
    }

    fn ratio(&self) -> Ratio {
        match self {
            Val::Int(number) => Ratio::whole(*number),
            Val::Decimal(ratio) => *ratio,
            Val::Text(text) => panic!("\"{text}\" is no number"),
        }
    }
}

/// A valuation of some variables.
type Env = BTreeMap<Name, Val>;

type Rows = Rc<BTreeSet<Env>>;

/// Variables free in a formula.
fn free(f: &Formula) -> BTreeSet<Name> {
    fn of(term: &Term, into: &mut BTreeSet<Name>) {
        if let Term::Var(name) = term {
            into.insert(name.clone());
        }
        term.parts().for_each(|part| of(part, into));
    }
    let mut all = BTreeSet::new();
    match f {
        Formula::True => {}
        Formula::Atom { args, .. } => args.iter().for_each(|term| of(term, &mut all)),
        Formula::Compare { left, right, .. } => [left, right].into_iter().for_each(|term| of(term, &mut all)),
        Formula::Exists(names, inner) => {
            all = free(inner);
            all.retain(|name| !names.contains(name));
        }
        Formula::Aggregate { result, groups, .. } => {
            all.insert(result.clone());
            all.extend(groups.iter().cloned());
        }
        _ => parts(f).into_iter().for_each(|part| all.extend(free(part))),
    }
    all
}

/// The formulas right under one.
fn parts(f: &Formula) -> Vec<&Formula> {
    match f {
        Formula::True | Formula::Atom { .. } | Formula::Compare { .. } => vec![],
        Formula::And(parts) | Formula::Or(parts) => parts.iter().collect(),
        Formula::Not(f) | Formula::Exists(_, f) | Formula::Aggregate { formula: f, .. } => vec![f],
        Formula::Once(_, f) | Formula::Historically(_, f) | Formula::Eventually(_, f) | Formula::Always(_, f) => {
            vec![f]
        }
        Formula::Previous(_, f) | Formula::Next(_, f) => vec![f],
        Formula::Since(_, f, g) | Formula::Until(_, f, g) => vec![f, g],
        Formula::Let { formula, within, .. } => vec![formula, within],
        Formula::Reached(_) | Formula::Ts(_) | Formula::Breached { .. } | Formula::Duration { .. } => {
            panic!("{f} belongs to the clock domain")
        }
    }
}

/// The order in which MonPoly prints the columns.
pub fn columns(f: &Formula) -> Vec<Name> {
    fn add(into: &mut Vec<Name>, names: impl IntoIterator<Item = Name>) {
        for name in names {
            if !into.contains(&name) {
                into.push(name);
            }
        }
    }
    fn of(term: &Term, into: &mut Vec<Name>) {
        if let Term::Var(name) = term {
            add(into, [name.clone()]);
        }
        term.parts().for_each(|part| of(part, into));
    }
    let mut all = Vec::new();
    match f {
        Formula::Atom { args, .. } => args.iter().for_each(|term| of(term, &mut all)),
        Formula::Compare { op, left, right } => {
            let turned = matches!(op, Comparison::Greater | Comparison::GreaterOrEqual);
            let (first, second) = if turned { (right, left) } else { (left, right) };
            of(first, &mut all);
            of(second, &mut all);
        }
        Formula::Exists(names, inner) => {
            all = columns(inner);
            all.retain(|name| !names.contains(name));
        }
        Formula::Since(_, left, right) | Formula::Until(_, left, right) => {
            all = columns(right);
            add(&mut all, columns(left));
        }
        Formula::Aggregate { result, groups, .. } => add(&mut all, [result.clone()].into_iter().chain(groups.clone())),
        Formula::Let { within, .. } => all = columns(within),
        _ => parts(f).into_iter().for_each(|part| add(&mut all, columns(part))),
    }
    all
}

/// Names every bound variable apart and puts what LET defines in its place.
#[derive(Default)]
struct Apart {
    next: usize,
}

/// What LET named, where it stood: definitions that it sees itself.
#[derive(Clone)]
struct Defined {
    params: Vec<Name>,
    body: Formula,
    seen: Definitions,
}

type Definitions = BTreeMap<Name, Rc<Defined>>;
type Scope = BTreeMap<Name, Name>;

impl Apart {
    fn fresh(&mut self, name: &Name) -> Name {
        self.next += 1;
        format!("{name}#{}", self.next).into()
    }

    fn enter(&mut self, names: &[Name], scope: &Scope) -> (Vec<Name>, Scope) {
        let mut inner = scope.clone();
        let names = names.iter().map(|name| {
            let fresh = self.fresh(name);
            inner.insert(name.clone(), fresh.clone());
            fresh
        });
        (names.collect(), inner)
    }

    fn name(name: &Name, scope: &Scope) -> Name {
        scope.get(name).unwrap_or(name).clone()
    }

    fn term(term: &Term, scope: &Scope) -> Term {
        let of = |term: &Term| Box::new(Apart::term(term, scope));
        match term {
            Term::Var(name) => Term::Var(Apart::name(name, scope)),
            Term::Const(_) | Term::Any => term.clone(),
            Term::Plus(a, b) => Term::Plus(of(a), of(b)),
            Term::Minus(a, b) => Term::Minus(of(a), of(b)),
            Term::Times(a, b) => Term::Times(of(a), of(b)),
            Term::Divide(a, b) => Term::Divide(of(a), of(b)),
            Term::Modulo(a, b) => Term::Modulo(of(a), of(b)),
            Term::ToDecimal(a) => Term::ToDecimal(of(a)),
            Term::ToInt(a) => Term::ToInt(of(a)),
        }
    }

    fn formula(&mut self, f: &Formula, scope: &Scope, definitions: &Definitions) -> Formula {
        let mut of = |f: &Formula| Box::new(self.formula(f, scope, definitions));
        match f {
            Formula::True => Formula::True,
            Formula::Atom { name, args } => {
                let args: Vec<Term> = args.iter().map(|term| Apart::term(term, scope)).collect();
                let Some(defined) = definitions.get(name) else { return Formula::Atom { name: name.clone(), args } };
                // P(2, y, _)   is   EXISTS a, b, c. body(a, b, c) AND a = 2 AND b = y
                let (params, inner) = self.enter(&defined.params, &Scope::new());
                let mut all = vec![self.formula(&defined.body, &inner, &defined.seen)];
                for (param, arg) in params.iter().zip(args).filter(|(_, arg)| *arg != Term::Any) {
                    all.push(Formula::Compare { op: Comparison::Equal, left: Term::Var(param.clone()), right: arg });
                }
                Formula::Exists(params, Box::new(Formula::And(all)))
            }
            Formula::Compare { op, left, right } => {
                Formula::Compare { op: *op, left: Apart::term(left, scope), right: Apart::term(right, scope) }
            }
            Formula::Not(f) => Formula::Not(of(f)),
            Formula::And(parts) => Formula::And(parts.iter().map(|f| *of(f)).collect()),
            Formula::Or(parts) => Formula::Or(parts.iter().map(|f| *of(f)).collect()),
            Formula::Once(w, f) => Formula::Once(w.clone(), of(f)),
            Formula::Historically(w, f) => Formula::Historically(w.clone(), of(f)),
            Formula::Eventually(w, f) => Formula::Eventually(w.clone(), of(f)),
            Formula::Always(w, f) => Formula::Always(w.clone(), of(f)),
            Formula::Previous(w, f) => Formula::Previous(w.clone(), of(f)),
            Formula::Next(w, f) => Formula::Next(w.clone(), of(f)),
            Formula::Since(w, f, g) => Formula::Since(w.clone(), of(f), of(g)),
            Formula::Until(w, f, g) => Formula::Until(w.clone(), of(f), of(g)),
            Formula::Exists(names, f) => {
                let (names, inner) = self.enter(names, scope);
                Formula::Exists(names, Box::new(self.formula(f, &inner, definitions)))
            }
            Formula::Aggregate { op, result, over, groups, formula } => {
                // Only the groups are the same variable inside and outside.
                let hidden: Vec<Name> = free(formula).into_iter().filter(|name| !groups.contains(name)).collect();
                let (_, inner) = self.enter(&hidden, scope);
                Formula::Aggregate {
                    op: *op,
                    result: Apart::name(result, scope),
                    over: Apart::name(over, &inner),
                    groups: groups.iter().map(|group| Apart::name(group, scope)).collect(),
                    formula: Box::new(self.formula(formula, &inner, definitions)),
                }
            }
            Formula::Let { name, params, formula, within } => {
                let defined = Defined { params: params.clone(), body: (**formula).clone(), seen: definitions.clone() };
                let mut inner = definitions.clone();
                inner.insert(name.clone(), Rc::new(defined));
                self.formula(within, scope, &inner)
            }
            Formula::Reached(_) | Formula::Ts(_) | Formula::Breached { .. } | Formula::Duration { .. } => {
                panic!("{f} belongs to the clock domain")
            }
        }
    }
}

/// Types of all variables, each of which has a name of its own.
fn types(f: &Formula, signature: &Signature) -> BTreeMap<Name, Type> {
    /// Type of a term, as far as known, and what follows for its variables if it is to be `wanted`.
    fn of(term: &Term, wanted: Option<Type>, types: &mut BTreeMap<Name, Type>) -> Option<Type> {
        match term {
            Term::Var(name) => {
                if let Some(wanted) = wanted {
                    types.insert(name.clone(), wanted);
                }
                types.get(name).copied()
            }
            Term::Const(value) => Some(Val::from(value).kind()),
            Term::Any => wanted,
            Term::ToDecimal(inner) => {
                of(inner, Some(Type::Int), types);
                Some(Type::Decimal)
            }
            Term::ToInt(inner) => {
                of(inner, Some(Type::Decimal), types);
                Some(Type::Int)
            }
            Term::Modulo(a, b) => {
                of(a, Some(Type::Int), types);
                of(b, Some(Type::Int), types)
            }
            Term::Plus(a, b) | Term::Minus(a, b) | Term::Times(a, b) | Term::Divide(a, b) => {
                let wanted = wanted.or_else(|| of(a, None, types)).or_else(|| of(b, None, types));
                of(a, wanted, types);
                of(b, wanted, types)
            }
        }
    }
    fn visit(f: &Formula, signature: &Signature, types: &mut BTreeMap<Name, Type>) {
        match f {
            Formula::Atom { name, args } => {
                for (term, wanted) in args.iter().zip(&signature[name]) {
                    of(term, Some(*wanted), types);
                }
            }
            Formula::Compare { left, right, .. } => {
                let wanted = of(left, None, types).or_else(|| of(right, None, types));
                of(left, wanted, types);
                of(right, wanted, types);
            }
            Formula::Aggregate { op, result, over, .. } => {
                let wanted = match op {
                    Aggregation::Count => Some(Type::Int),
                    Aggregation::Average | Aggregation::Median => Some(Type::Decimal),
                    Aggregation::Sum | Aggregation::Min | Aggregation::Max => types.get(over).copied(),
                };
                of(&Term::Var(result.clone()), wanted, types);
            }
            _ => {}
        }
        parts(f).into_iter().for_each(|part| visit(part, signature, types));
    }
    let mut types = BTreeMap::new();
    loop {
        let before = types.len();
        visit(f, signature, &mut types);
        if types.len() == before {
            return types;
        }
    }
}

pub struct Naive {
    /// Boxed, so that no part of it moves: parts are known by their addresses.
    formula: Box<Formula>,
    columns: Vec<Name>,
    types: BTreeMap<Name, Type>,
    /// The log's points, then empty ones that are far from everything and from each other.
    stamps: Vec<i128>,
    in_log: usize,
    facts: Vec<BTreeMap<Name, BTreeSet<Vec<Val>>>>,
    values: BTreeSet<Val>,
    free: HashMap<*const Formula, Rc<BTreeSet<Name>>>,
    listable: RefCell<HashMap<(*const Formula, BTreeSet<Name>), bool>>,
    known: RefCell<HashMap<(*const Formula, usize, Env), Rows>>,
    guessed: Cell<bool>,
    fault: RefCell<Option<String>>,
}

/// Seconds between the points after the log.
const FAR: i128 = 1 << 80;

impl Naive {
    pub fn new(formula: &Formula, signature: &Signature, log: &[Moment]) -> Naive {
        let columns = columns(formula);
        let formula = Box::new(Apart::default().formula(formula, &Scope::new(), &Definitions::new()));
        fn nexts(f: &Formula) -> usize {
            let deepest = parts(f).into_iter().map(nexts).max().unwrap_or(0);
            deepest + usize::from(matches!(f, Formula::Next(..)))
        }
        let mut stamps: Vec<i128> = log.iter().map(|p| i128::from(p.stamp)).collect();
        // NEXT looks at one more point each; one is to spare.
        let last = stamps.last().copied().unwrap_or(0);
        stamps.extend((1..=nexts(&formula) as i128 + 1).map(|n| last + n * FAR));
        let mut facts: Vec<BTreeMap<Name, BTreeSet<Vec<Val>>>> = vec![BTreeMap::new(); stamps.len()];
        let mut values = BTreeSet::new();
        for (point, at) in log.iter().zip(&mut facts) {
            for (name, args) in &point.events {
                let args: Vec<Val> = args.iter().map(Val::from).collect();
                values.extend(args.iter().cloned());
                at.entry(name.clone()).or_default().insert(args);
            }
        }
        constants(&formula, &mut values);
        let types = types(&formula, signature);
        let mut naive = Naive {
            types,
            formula,
            columns,
            stamps,
            in_log: log.len(),
            facts,
            values,
            free: HashMap::new(),
            listable: RefCell::default(),
            known: RefCell::default(),
            guessed: Cell::new(false),
            fault: RefCell::default(),
        };
        fn note(f: &Formula, into: &mut HashMap<*const Formula, Rc<BTreeSet<Name>>>) {
            into.insert(f, Rc::new(free(f)));
            parts(f).into_iter().for_each(|part| note(part, into));
        }
        note(&naive.formula, &mut naive.free);
        naive
    }

    /// Everything that holds at the log's points; or which term has no value.
    pub fn held(&self) -> Result<Held, String> {
        let mut held = Held::new();
        for at in 0..self.in_log {
            let rows = self.rows(&self.formula, at, &Env::new());
            let tuple = |row: &Env| self.columns.iter().map(|name| Value::from(&row[name])).collect();
            let tuples: BTreeSet<Vec<Value>> = rows.iter().map(tuple).collect();
            if !tuples.is_empty() {
                held.insert(at as u32, tuples);
            }
        }
        self.fault.borrow().clone().map_or(Ok(held), Err)
    }

    /// Whether some variable was tried on every value there is, because nothing listed it.
    pub fn guessed(&self) -> bool {
        self.guessed.get()
    }

    /// All valuations of the free variables of `f` that extend `env` and with which `f` holds at a time-point.
    fn rows(&self, f: &Formula, at: usize, env: &Env) -> Rows {
        let free = &self.free[&std::ptr::from_ref(f)];
        let env: Env =
            env.iter().filter(|(name, _)| free.contains(*name)).map(|(n, v)| (n.clone(), v.clone())).collect();
        let key = (std::ptr::from_ref(f), at, env);
        if let Some(rows) = self.known.borrow().get(&key) {
            return rows.clone();
        }
        let (_, _, env) = &key;
        let bound: BTreeSet<Name> = env.keys().cloned().collect();
        let open = free.iter().find(|name| !bound.contains(*name));
        let rows = match open {
            Some(name) if !self.listable(f, &bound) => {
                self.guessed.set(true);
                let mut rows = BTreeSet::new();
                for value in self.values.iter().filter(|v| self.types.get(name).is_none_or(|t| *t == v.kind())) {
                    let mut env = env.clone();
                    env.insert(name.clone(), value.clone());
                    rows.extend(self.rows(f, at, &env).iter().cloned());
                }
                rows
            }
            _ => self.evaluated(f, at, env),
        };
        let rows = Rc::new(rows);
        self.known.borrow_mut().insert(key, rows.clone());
        rows
    }

    /// Whether `f` holds; all its variables are bound.
    fn holds(&self, f: &Formula, at: usize, env: &Env) -> bool {
        !self.rows(f, at, env).is_empty()
    }

    /// The time-points at or before this one whose distance is in the window.
    fn back(&self, at: usize, window: &Window) -> Vec<usize> {
        (0..=at).filter(|&j| within(window, self.stamps[at] - self.stamps[j])).collect()
    }

    /// The time-points at or after this one whose distance is in the window.
    fn ahead(&self, at: usize, window: &Window) -> Vec<usize> {
        (at..self.stamps.len()).filter(|&j| within(window, self.stamps[j] - self.stamps[at])).collect()
    }

    /// Rows of `f` at any of some time-points.
    fn at_some(&self, f: &Formula, points: Vec<usize>, env: &Env) -> BTreeSet<Env> {
        points.into_iter().flat_map(|j| self.rows(f, j, env).iter().cloned().collect::<Vec<_>>()).collect()
    }

    /// Rows of `f` at all of some time-points.
    fn at_each(&self, f: &Formula, points: Vec<usize>, at: usize, env: &Env) -> BTreeSet<Env> {
        // With free variables the present is one of the points, or all are bound.
        let all_bound = self.free[&std::ptr::from_ref(f)].iter().all(|name| env.contains_key(name));
        let candidates = if all_bound { BTreeSet::from([env.clone()]) } else { (*self.rows(f, at, env)).clone() };
        candidates.into_iter().filter(|env| points.iter().all(|&j| self.holds(f, j, env))).collect()
    }

    /// [`Naive::rows`], if `f` is listable or all its variables are bound; `env` has nothing else.
    fn evaluated(&self, f: &Formula, at: usize, env: &Env) -> BTreeSet<Env> {
        let given = |holds: bool| if holds { BTreeSet::from([env.clone()]) } else { BTreeSet::new() };
        match f {
            Formula::True => given(true),
            Formula::Atom { name, args } => {
                let tuples = self.facts[at].get(name);
                tuples.into_iter().flatten().filter_map(|tuple| self.matched(args, tuple, env)).collect()
            }
            Formula::Compare { op, left, right } => {
                let (l, r) = (self.value(left, env), self.value(right, env));
                let found = match (op, left, l, right, r) {
                    // One side is bound here.
                    (Comparison::Equal, Term::Var(name), None, _, Some(v))
                    | (Comparison::Equal, _, Some(v), Term::Var(name), None) => Some((name, v)),
                    (_, _, Some(l), _, Some(r)) => return given(compared(*op, &l, &r)),
                    // No value.
                    _ => None,
                };
                let extended = found.map(|(name, v)| {
                    let mut env = env.clone();
                    env.insert(name.clone(), v);
                    env
                });
                extended.into_iter().collect()
            }
            Formula::Not(inner) => match &**inner {
                Formula::Not(twice) => (*self.rows(twice, at, env)).clone(),
                _ => given(!self.holds(inner, at, env)),
            },
            Formula::And(parts) => {
                let mut left: Vec<&Formula> = parts.iter().collect();
                let mut bound: BTreeSet<Name> = env.keys().cloned().collect();
                let mut rows = BTreeSet::from([env.clone()]);
                while !left.is_empty() {
                    // What nothing lists comes last, and is guessed.
                    let next = left.iter().position(|part| self.listable(part, &bound)).unwrap_or(0);
                    let part = left.remove(next);
                    bound.extend(self.free[&std::ptr::from_ref(part)].iter().cloned());
                    rows = rows.iter().flat_map(|row| self.extended(part, at, row)).collect();
                }
                rows
            }
            Formula::Or(parts) => parts.iter().flat_map(|part| self.extended(part, at, env)).collect(),
            Formula::Exists(names, inner) => {
                let without = |row: &Env| {
                    let mut row = row.clone();
                    row.retain(|name, _| !names.contains(name));
                    row
                };
                self.rows(inner, at, env).iter().map(without).collect()
            }
            Formula::Once(w, inner) => self.at_some(inner, self.back(at, w), env),
            Formula::Eventually(w, inner) => self.at_some(inner, self.ahead(at, w), env),
            Formula::Historically(w, inner) => self.at_each(inner, self.back(at, w), at, env),
            Formula::Always(w, inner) => self.at_each(inner, self.ahead(at, w), at, env),
            Formula::Previous(w, inner) => {
                let points = self.back(at, w).into_iter().filter(|&j| j + 1 == at).collect();
                self.at_some(inner, points, env)
            }
            Formula::Next(w, inner) => {
                let points = self.ahead(at, w).into_iter().filter(|&j| j == at + 1).collect();
                self.at_some(inner, points, env)
            }
            Formula::Since(w, left, right) => {
                let mut rows = BTreeSet::new();
                for j in self.back(at, w) {
                    let found = self.extended(right, j, env);
                    rows.extend(found.into_iter().filter(|row| (j + 1..=at).all(|k| self.holds(left, k, row))));
                }
                rows
            }
            Formula::Until(w, left, right) => {
                let mut rows = BTreeSet::new();
                for j in self.ahead(at, w) {
                    let found = self.extended(right, j, env);
                    rows.extend(found.into_iter().filter(|row| (at..j).all(|k| self.holds(left, k, row))));
                }
                rows
            }
            Formula::Aggregate { op, result, over, groups, formula } => {
                let mut outside = env.clone();
                outside.retain(|name, _| groups.contains(name));
                let mut taken: BTreeMap<Env, Vec<Val>> = BTreeMap::new();
                if groups.is_empty() {
                    taken.insert(Env::new(), Vec::new());
                }
                for row in self.rows(formula, at, &outside).iter() {
                    let group = groups.iter().map(|name| (name.clone(), row[name].clone())).collect();
                    taken.entry(group).or_default().push(row[over].clone());
                }
                let mut rows = BTreeSet::new();
                for (mut row, values) in taken {
                    let value = self.summed(*op, over, values);
                    if env.get(result).is_none_or(|wanted| *wanted == value) {
                        row.insert(result.clone(), value);
                        rows.insert(row);
                    }
                }
                rows
            }
            _ => panic!("{f} is put in place or belongs to the clock domain"),
        }
    }

    /// `row` with the variables of `f` added, once for each way in which it holds.
    fn extended(&self, f: &Formula, at: usize, row: &Env) -> Vec<Env> {
        let add = |more: &Env| row.iter().chain(more).map(|(name, value)| (name.clone(), value.clone())).collect();
        self.rows(f, at, row).iter().map(add).collect()
    }

    /// `env` with what the arguments of an atom bind, if the tuple fits.
    fn matched(&self, args: &[Term], tuple: &[Val], env: &Env) -> Option<Env> {
        let mut env = env.clone();
        for (arg, value) in args.iter().zip(tuple) {
            if let Term::Var(name) = arg
                && env.entry(name.clone()).or_insert_with(|| value.clone()) != value
            {
                return None;
            }
        }
        let fits = |(arg, value): (&Term, &Val)| *arg == Term::Any || self.value(arg, &env).as_ref() == Some(value);
        args.iter().zip(tuple).all(fits).then_some(env)
    }

    /// Value of a term; `None` if a variable of it is not bound, or if it has no value, which is noted.
    fn value(&self, term: &Term, env: &Env) -> Option<Val> {
        let both = |a: &Term, b: &Term| Some((self.value(a, env)?, self.value(b, env)?));
        let zero = |b: &Val| {
            let is_zero = b.ratio() == Ratio::whole(0);
            if is_zero {
                self.fail(format!("division by zero in `{term}`"));
            }
            is_zero
        };
        // 128 bits are room enough for what is asked, unless large numbers are multiplied again and again.
        let whole = |number: Option<i128>| match number {
            Some(number) => Some(Val::Int(number)),
            None => self.fail(format!("{term} is too large")),
        };
        let exact = |ratio: Option<Ratio>| match ratio {
            Some(ratio) => Some(Val::Decimal(ratio)),
            None => self.fail(format!("{term} is too large")),
        };
        match term {
            Term::Var(name) => env.get(name).cloned(),
            Term::Const(value) => Some(Val::from(value)),
            Term::Any => None,
            Term::Plus(a, b) => match both(a, b)? {
                (Val::Int(a), Val::Int(b)) => whole(a.checked_add(b)),
                (a, b) => exact(a.ratio().plus(b.ratio())),
            },
            Term::Minus(a, b) => match both(a, b)? {
                (Val::Int(a), Val::Int(b)) => whole(a.checked_sub(b)),
                (a, b) => exact(a.ratio().minus(b.ratio())),
            },
            Term::Times(a, b) => match both(a, b)? {
                (Val::Int(a), Val::Int(b)) => whole(a.checked_mul(b)),
                (a, b) => exact(a.ratio().times(b.ratio())),
            },
            Term::Divide(a, b) => match both(a, b)? {
                (_, b) if zero(&b) => None,
                (Val::Int(a), Val::Int(b)) => whole(a.checked_div(b)),
                (a, b) => exact(a.ratio().divide(b.ratio())),
            },
            Term::Modulo(a, b) => match both(a, b)? {
                (_, b) if zero(&b) => None,
                (Val::Int(a), Val::Int(b)) => whole(a.checked_rem(b)),
                (a, b) => panic!("{a:?} MOD {b:?}"),
            },
            Term::ToDecimal(a) => Some(Val::Decimal(self.value(a, env)?.ratio())),
            Term::ToInt(a) => Some(Val::Int(self.value(a, env)?.ratio().truncated())),
        }
    }

    /// There is no answer.
    fn fail(&self, said: String) -> Option<Val> {
        self.fault.borrow_mut().get_or_insert(said);
        None
    }

    fn summed(&self, op: Aggregation, over: &Name, mut values: Vec<Val>) -> Val {
        let decimal = || Ratio::whole(0);
        let nothing = match self.types.get(over) {
            Some(Type::Text) => Val::Text("".into()),
            Some(Type::Decimal) => Val::Decimal(decimal()),
            _ => Val::Int(0),
        };
        values.sort();
        let sum = |values: &[Val]| {
            let mut sum = decimal();
            for value in values {
                sum = sum.plus(value.ratio()).expect("room");
            }
            sum
        };
        let count = values.len();
        match op {
            Aggregation::Count => Val::Int(count as i128),
            Aggregation::Min => values.first().cloned().unwrap_or(nothing),
            Aggregation::Max => values.last().cloned().unwrap_or(nothing),
            Aggregation::Sum => match nothing {
                Val::Int(_) => Val::Int(sum(&values).over()),
                _ => Val::Decimal(sum(&values)),
            },
            Aggregation::Average => {
                Val::Decimal(sum(&values).divide(Ratio::whole(count as i128)).unwrap_or_else(decimal))
            }
            // The middle one; of an even number, half way between the two in the middle.
            Aggregation::Median if count == 0 => Val::Decimal(decimal()),
            Aggregation::Median => {
                let middle = [values[(count - 1) / 2].clone(), values[count / 2].clone()];
                Val::Decimal(sum(&middle).divide(Ratio::whole(2)).expect("two"))
            }
        }
    }

    /// Whether [`Naive::evaluated`] lists all valuations of `f` once these variables are bound.
    fn listable(&self, f: &Formula, bound: &BTreeSet<Name>) -> bool {
        let free = &self.free[&std::ptr::from_ref(f)];
        let bound: BTreeSet<Name> = bound.intersection(free).cloned().collect();
        let key = (std::ptr::from_ref(f), bound);
        if let Some(&known) = self.listable.borrow().get(&key) {
            return known;
        }
        let bound = &key.1;
        let closed = bound.len() == free.len();
        let of = |term: &Term| {
            let probe = Formula::Compare { op: Comparison::Equal, left: term.clone(), right: term.clone() };
            self::free(&probe)
        };
        let covers = |f: &Formula, bound: &BTreeSet<Name>| self.free[&std::ptr::from_ref(f)].is_subset(bound);
        let both = |f: &Formula| bound | &*self.free[&std::ptr::from_ref(f)];
        let listable = match f {
            Formula::True => true,
            Formula::Atom { args, .. } => {
                let direct: BTreeSet<Name> = args.iter().filter(|a| matches!(a, Term::Var(_))).flat_map(of).collect();
                args.iter().all(|arg| of(arg).is_subset(&(bound | &direct)))
            }
            Formula::Compare { op, left, right } => {
                let binds = |one: &Term, other: &Term| matches!(one, Term::Var(_)) && of(other).is_subset(bound);
                closed || *op == Comparison::Equal && (binds(left, right) || binds(right, left))
            }
            Formula::Not(inner) => match &**inner {
                Formula::Not(twice) => self.listable(twice, bound),
                _ => closed && self.listable(inner, bound),
            },
            Formula::And(parts) => {
                let mut left: Vec<&Formula> = parts.iter().collect();
                let mut bound = bound.clone();
                while let Some(next) = left.iter().position(|part| self.listable(part, &bound)) {
                    let part = left.remove(next);
                    bound.extend(self.free[&std::ptr::from_ref(part)].iter().cloned());
                }
                left.is_empty()
            }
            Formula::Or(parts) => parts.iter().all(|part| both(part) == **free && self.listable(part, bound)),
            Formula::Exists(_, f) | Formula::Once(_, f) | Formula::Eventually(_, f) => self.listable(f, bound),
            Formula::Previous(_, f) | Formula::Next(_, f) => self.listable(f, bound),
            Formula::Historically(w, f) | Formula::Always(w, f) => (closed || w.from == 0) && self.listable(f, bound),
            Formula::Since(_, f, g) | Formula::Until(_, f, g) => {
                self.listable(g, bound) && covers(f, &both(g)) && self.listable(f, &both(g))
            }
            Formula::Aggregate { groups, formula, .. } => {
                self.listable(formula, &bound.iter().filter(|name| groups.contains(name)).cloned().collect())
            }
            _ => false,
        };
        self.listable.borrow_mut().insert(key, listable);
        listable
    }
}

fn within(window: &Window, distance: i128) -> bool {
    let to = match window.to {
        Upper::Fixed(to) => distance <= i128::from(to),
        Upper::Unbounded => true,
        Upper::Var(_) => panic!("{window} belongs to the clock domain"),
    };
    i128::from(window.from) <= distance && to
}

fn compared(op: Comparison, left: &Val, right: &Val) -> bool {
    assert_eq!(left.kind(), right.kind(), "{left:?} {op} {right:?}");
    match op {
        Comparison::Equal => left == right,
        Comparison::NotEqual => left != right,
        Comparison::Less => left < right,
        Comparison::LessOrEqual => left <= right,
        Comparison::Greater => left > right,
        Comparison::GreaterOrEqual => left >= right,
    }
}

/// The values that stand in a formula.
fn constants(f: &Formula, into: &mut BTreeSet<Val>) {
    fn of(term: &Term, into: &mut BTreeSet<Val>) {
        if let Term::Const(value) = term {
            into.insert(Val::from(value));
        }
        term.parts().for_each(|part| of(part, into));
    }
    match f {
        Formula::Atom { args, .. } => args.iter().for_each(|term| of(term, into)),
        Formula::Compare { left, right, .. } => [left, right].into_iter().for_each(|term| of(term, into)),
        _ => parts(f).into_iter().for_each(|part| constants(part, into)),
    }
}
