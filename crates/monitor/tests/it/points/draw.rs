//! Random signatures, formulas and logs for the points domain, and smaller ones of a failing kind.
//!
//! ```text
//! p0(int) p1(int,string) p2()
//! (p1(i0, s1) AND NOT ONCE[0,3] p0(i0))
//! @0 p0(1) p1(0,"a");  @0;  @2 p2();
//! ```
//! Formulas are drawn so that a monitor takes them: what is negated, compared or demanded throughout is guarded by what
//! binds its variables. Now and then one is not, and whoever watches says so.
use crate::points::naive::Moment;
use crate::random::Chance;
use hamsaya_monitor::*;
use std::collections::BTreeSet;

/// One world to be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct World {
    pub signature: Signature,
    pub formula: Formula,
    pub log: Vec<Moment>,
}

impl World {
    pub fn draw(chance: &mut Chance) -> World {
        let signature = signature(chance);
        let mut names = Drawing::new(chance, &signature);
        let wanted = names.some_variables();
        let depth = names.chance.of(&[1, 1, 2, 2, 2, 3, 3, 4]);
        let formula = loop {
            let formula = names.formula(depth, &wanted);
            if size(&formula) <= 40 {
                break formula;
            }
        };
        let log = log(chance, &signature);
        World { signature, formula, log }
    }

    /// A long log of many values, for formulas that are not too deep.
    pub fn draw_long(chance: &mut Chance) -> World {
        let World { signature, formula, .. } = World::draw(chance);
        let (domain, busy) = (chance.of(&[10, 300, 5_000]), chance.of(&[2, 10, 30]));
        let mut stamp = 0;
        let log = (0..chance.between(200, 500)).map(|_| {
            stamp += chance.of(&[0, 1, 1, 1, 3, 30]);
            let mut events: BTreeSet<_> = (0..chance.below(busy)).map(|_| any_event(chance, &signature)).collect();
            let spread = |value: Value, chance: &mut Chance| match value {
                Value::Int(_) if !chance.one_in(4) => Value::Int(chance.between(0, domain)),
                value => value,
            };
            events = events
                .into_iter()
                .map(|(name, args)| (name, args.into_iter().map(|value| spread(value, chance)).collect()))
                .collect();
            Moment { stamp, events }
        });
        let log = log.collect();
        World { signature, formula, log }
    }

    /// Signature, formula and log as text that `hamsaya monitor` reads.
    pub fn text(&self) -> String {
        let types = |types: &[Type]| types.iter().map(Type::to_string).collect::<Vec<_>>().join(",");
        let mut text = String::new();
        for (name, columns) in &self.signature {
            text += &format!("{name}({}) ", types(columns));
        }
        text += &format!("\n{}\n", written(&self.formula));
        for moment in &self.log {
            text += &format!("@{}", moment.stamp);
            for (name, args) in &moment.events {
                text += &format!(" {}", event(name, args));
            }
            text += ";\n";
        }
        text
    }
}

/// A formula with parentheses wherever they may stand.
pub fn written(f: &Formula) -> String {
    let names = |names: &[Name]| names.join(", ");
    let chain = |parts: &[Formula], word: &str| parts.iter().map(written).collect::<Vec<_>>().join(word);
    let inner = match f {
        Formula::True | Formula::Atom { .. } => return f.to_string(),
        Formula::Not(f) => format!("NOT {}", written(f)),
        Formula::And(parts) => chain(parts, " AND "),
        Formula::Or(parts) => chain(parts, " OR "),
        Formula::Exists(bound, f) => format!("EXISTS {}. {}", names(bound), written(f)),
        Formula::Once(w, f) => format!("ONCE{w} {}", written(f)),
        Formula::Historically(w, f) => format!("HISTORICALLY{w} {}", written(f)),
        Formula::Eventually(w, f) => format!("EVENTUALLY{w} {}", written(f)),
        Formula::Always(w, f) => format!("ALWAYS{w} {}", written(f)),
        Formula::Previous(w, f) => format!("PREVIOUS{w} {}", written(f)),
        Formula::Next(w, f) => format!("NEXT{w} {}", written(f)),
        Formula::Since(w, f, g) => format!("{} SINCE{w} {}", written(f), written(g)),
        Formula::Until(w, f, g) => format!("{} UNTIL{w} {}", written(f), written(g)),
        Formula::Let { name, params, formula, within } => {
            format!("LET {name}({}) = {} IN {}", names(params), written(formula), written(within))
        }
        Formula::Aggregate { op, result, over, groups, formula } if groups.is_empty() => {
            format!("{result} <- {op} {over} {}", written(formula))
        }
        Formula::Aggregate { op, result, over, groups, formula } => {
            format!("{result} <- {op} {over}; {} {}", names(groups), written(formula))
        }
        _ => f.to_string(),
    };
    format!("({inner})")
}

/// An event as it stands in a log.
pub fn event(name: &Name, args: &[Value]) -> String {
    let args: Vec<String> = args.iter().map(Value::to_string).collect();
    format!("{name}({})", args.join(","))
}

fn signature(chance: &mut Chance) -> Signature {
    let mut signature = Signature::new();
    for i in 0..2 + chance.below(3) {
        let width = [0, 1, 1, 1, 2, 2, 2, 3][chance.below(8) as usize];
        let kinds = [Type::Int, Type::Int, Type::Int, Type::Int, Type::Int, Type::Text, Type::Text, Type::Decimal];
        let columns = (0..width).map(|_| chance.of(&kinds)).collect();
        signature.insert(format!("p{i}").into(), columns);
    }
    signature
}

/// A value from a small domain, so that values meet.
fn value(chance: &mut Chance, kind: Type) -> Value {
    match kind {
        Type::Int if chance.one_in(60) => Value::Int(chance.of(&[1 << 33, -1 << 33])),
        Type::Int => Value::Int(chance.of(&[0, 0, 1, 1, 1, 2, 2, 3, -1])),
        Type::Text => Value::text(chance.of(&["a", "a", "b", "پوسته"])),
        Type::Decimal => Value::Decimal(Ratio::new(chance.of(&[1, 1, 3, -1]), 2).expect("halves")),
    }
}

/// Any event of a signature.
pub fn any_event(chance: &mut Chance, signature: &Signature) -> (Name, Vec<Value>) {
    let names: Vec<&Name> = signature.keys().collect();
    let name = chance.of(&names);
    let args = signature[name].iter().map(|kind| value(chance, *kind)).collect();
    (name.clone(), args)
}

fn log(chance: &mut Chance, signature: &Signature) -> Vec<Moment> {
    let mut stamp = chance.of(&[0, 0, 1, 5, -3, 1_700_000_000]);
    let points = if chance.one_in(10) { chance.below(30) } else { 2 + chance.below(11) };
    let busy = 1 + chance.below(7);
    (0..points)
        .map(|_| {
            stamp += match chance.below(12) {
                0..=3 => 0,
                4..=7 => 1,
                8..=10 => chance.between(2, 4),
                _ => chance.between(5, 40),
            };
            let n = chance.below(busy + 1);
            Moment { stamp, events: (0..n).map(|_| any_event(chance, signature)).collect() }
        })
        .collect()
}

/// How many operators a formula has.
pub fn size(f: &Formula) -> usize {
    1 + below(f).into_iter().map(size).sum::<usize>()
}

fn below(f: &Formula) -> Vec<&Formula> {
    match f {
        Formula::And(parts) | Formula::Or(parts) => parts.iter().collect(),
        Formula::Not(f) | Formula::Exists(_, f) | Formula::Aggregate { formula: f, .. } => vec![f],
        Formula::Once(_, f) | Formula::Historically(_, f) | Formula::Eventually(_, f) | Formula::Always(_, f) => {
            vec![f]
        }
        Formula::Previous(_, f) | Formula::Next(_, f) => vec![f],
        Formula::Since(_, f, g) | Formula::Until(_, f, g) => vec![f, g],
        Formula::Let { formula, within, .. } => vec![formula, within],
        _ => vec![],
    }
}

/// Whether a formula looks ahead.
pub fn looks_ahead(f: &Formula) -> bool {
    let here = matches!(f, Formula::Eventually(..) | Formula::Always(..) | Formula::Until(..) | Formula::Next(..));
    here || below(f).into_iter().any(looks_ahead)
}

/// Whether a formula has a divisor other than a plain number.
pub fn may_divide_by_zero(f: &Formula) -> bool {
    fn of(term: &Term) -> bool {
        let plain = |b: &Term| matches!(b, Term::Const(Value::Int(number)) if *number != 0);
        let here = matches!(term, Term::Divide(_, b) | Term::Modulo(_, b) if !plain(b));
        here || term.parts().any(of)
    }
    match f {
        Formula::Atom { args, .. } => args.iter().any(of),
        Formula::Compare { left, right, .. } => of(left) || of(right),
        _ => below(f).into_iter().any(may_divide_by_zero),
    }
}

/// Operators that occur in a formula.
pub fn operators(f: &Formula, into: &mut BTreeSet<&'static str>) {
    into.insert(match f {
        Formula::True => "TRUE",
        Formula::Atom { .. } => "atom",
        Formula::Compare { .. } => "comparison",
        Formula::Not(_) => "NOT",
        Formula::And(_) => "AND",
        Formula::Or(_) => "OR",
        Formula::Exists(..) => "EXISTS",
        Formula::Once(..) => "ONCE",
        Formula::Historically(..) => "HISTORICALLY",
        Formula::Since(_, f, _) if matches!(**f, Formula::Not(_)) => "NOT SINCE",
        Formula::Since(..) => "SINCE",
        Formula::Eventually(..) => "EVENTUALLY",
        Formula::Always(..) => "ALWAYS",
        Formula::Until(_, f, _) if matches!(**f, Formula::Not(_)) => "NOT UNTIL",
        Formula::Until(..) => "UNTIL",
        Formula::Previous(..) => "PREVIOUS",
        Formula::Next(..) => "NEXT",
        Formula::Let { .. } => "LET",
        Formula::Aggregate { op: Aggregation::Count, .. } => "CNT",
        Formula::Aggregate { op: Aggregation::Sum, .. } => "SUM",
        Formula::Aggregate { op: Aggregation::Min, .. } => "MIN",
        Formula::Aggregate { op: Aggregation::Max, .. } => "MAX",
        Formula::Aggregate { op: Aggregation::Average, .. } => "AVG",
        Formula::Aggregate { op: Aggregation::Median, .. } => "MED",
        Formula::Reached(_) | Formula::Ts(_) | Formula::Breached { .. } | Formula::Duration { .. } => "clock domain",
    });
    below(f).into_iter().for_each(|f| operators(f, into));
}

/// A variable's type stands in its name: i0, s1, d2.
fn kind(name: &Name) -> Type {
    match name.as_bytes()[0] {
        b'i' => Type::Int,
        b's' => Type::Text,
        _ => Type::Decimal,
    }
}

fn var(name: &Name) -> Term {
    Term::Var(name.clone())
}

fn compare(op: Comparison, left: Term, right: Term) -> Formula {
    Formula::Compare { op, left, right }
}

fn not(f: Formula) -> Formula {
    Formula::Not(Box::new(f))
}

struct Drawing<'c> {
    chance: &'c mut Chance,
    /// The signature's, and above them what LET has named here.
    predicates: Vec<(Name, Vec<Type>)>,
}

impl Drawing<'_> {
    fn new<'c>(chance: &'c mut Chance, signature: &Signature) -> Drawing<'c> {
        let predicates = signature.iter().map(|(name, types)| (name.clone(), types.clone())).collect();
        Drawing { chance, predicates }
    }

    /// Predicates that are not hidden by a LET of the same name.
    fn visible(&self) -> Vec<(Name, Vec<Type>)> {
        let mut seen = BTreeSet::new();
        self.predicates.iter().rev().filter(|(name, _)| seen.insert(name.clone())).cloned().collect()
    }

    /// A type, more often one that more columns have.
    fn kind(&mut self) -> Type {
        let mut kinds: Vec<Type> = self.visible().into_iter().flat_map(|(_, types)| types).collect();
        kinds.extend([Type::Int, Type::Int, Type::Decimal]);
        self.chance.of(&kinds)
    }

    /// A variable of a type, from few names so that they are bound again elsewhere.
    fn variable(&mut self, kind: Type, taken: &[Name]) -> Name {
        let letter = match kind {
            Type::Int => 'i',
            Type::Text => 's',
            Type::Decimal => 'd',
        };
        let n = self.chance.below(3);
        let free = |name: &Name| !taken.contains(name);
        (0..).map(|i| Name::from(format!("{letter}{}", (n + i) % 3 + 3 * (i / 3)))).find(free).expect("endless")
    }

    fn another(&mut self, taken: &[Name]) -> Name {
        let kind = self.kind();
        self.variable(kind, taken)
    }

    fn some_variables(&mut self) -> Vec<Name> {
        let mut wanted = Vec::new();
        for _ in 0..self.chance.of(&[0, 1, 1, 1, 2, 2, 3]) {
            wanted.push(self.another(&wanted));
        }
        wanted
    }

    fn subset(&mut self, names: &[Name]) -> Vec<Name> {
        names.iter().filter(|_| self.chance.below(3) > 0).cloned().collect()
    }

    fn window(&mut self, past: bool) -> Window {
        let from = self.chance.of(&[0, 0, 0, 0, 1, 1, 2, 4]);
        match self.chance.below(16) {
            0..=2 if past => Window::unbounded(from),
            3 => Window::new(from, from + self.chance.of(&[50, 1_000_000])),
            _ => Window::new(from, from + self.chance.of(&[0, 0, 1, 1, 2, 3, 5])),
        }
    }

    fn constant(&mut self, kind: Type) -> Term {
        Term::Const(value(self.chance, kind))
    }

    /// A term of a type over some variables.
    fn term(&mut self, depth: u32, wanted: Type, vars: &[Name]) -> Term {
        let fitting: Vec<Name> = vars.iter().filter(|name| kind(name) == wanted).cloned().collect();
        let leaf = depth == 0 || wanted == Type::Text || self.chance.one_in(2);
        if leaf {
            return match fitting.is_empty() || self.chance.one_in(4) {
                true => self.constant(wanted),
                false => var(&self.chance.of(&fitting)),
            };
        }
        let of = |all: &mut Self, kind| Box::new(all.term(depth - 1, kind, vars));
        match (wanted, self.chance.below(7)) {
            (Type::Int, 0) => Term::ToInt(of(self, Type::Decimal)),
            (Type::Decimal, 0 | 1) => Term::ToDecimal(of(self, Type::Int)),
            (_, 2) => Term::Minus(of(self, wanted), of(self, wanted)),
            (_, 3) => Term::Times(of(self, wanted), of(self, wanted)),
            // Rarely by what may be zero.
            (_, 4) if self.chance.one_in(8) => Term::Divide(of(self, wanted), of(self, wanted)),
            (Type::Int, 4) => {
                Term::Divide(of(self, wanted), Box::new(Term::Const(Value::Int(self.chance.of(&[2, 3, -2])))))
            }
            (Type::Int, 5) => {
                Term::Modulo(of(self, wanted), Box::new(Term::Const(Value::Int(self.chance.of(&[2, 3, -2])))))
            }
            _ => Term::Plus(of(self, wanted), of(self, wanted)),
        }
    }

    fn comparison(&mut self, vars: &[Name]) -> Formula {
        let kind = match vars.is_empty() {
            true => Type::Int,
            false => kind(&self.chance.of(vars)),
        };
        let op = self.chance.of(&[
            Comparison::Equal,
            Comparison::Equal,
            Comparison::Less,
            Comparison::LessOrEqual,
            Comparison::Greater,
            Comparison::GreaterOrEqual,
            Comparison::NotEqual,
        ]);
        let depth = if self.chance.one_in(3) { 2 } else { 0 };
        compare(op, self.term(depth, kind, vars), self.term(0, kind, vars))
    }

    /// Arguments of an atom: the variable `next` in one column, in the others whatever fits.
    fn args(&mut self, types: &[Type], next: Option<&Name>, wanted: &[Name]) -> Vec<Term> {
        let places: Vec<usize> = (0..types.len()).filter(|&i| next.is_some_and(|n| types[i] == kind(n))).collect();
        let place = if places.is_empty() { usize::MAX } else { self.chance.of(&places) };
        let mut args = Vec::new();
        for (i, column) in types.iter().enumerate() {
            let others: Vec<Name> = wanted.iter().filter(|name| kind(name) == *column).cloned().collect();
            args.push(match (next, self.chance.below(10)) {
                (Some(name), _) if i == place => var(name),
                (_, 0..=5) if !others.is_empty() => var(&self.chance.of(&others)),
                (_, 0..=7) => Term::Any,
                _ => self.constant(*column),
            });
        }
        args
    }

    /// Atoms that bind exactly these variables.
    fn leaf(&mut self, wanted: &[Name]) -> Formula {
        if wanted.is_empty() {
            match self.chance.below(24) {
                0 => return Formula::True,
                1 => return not(Formula::True),
                2 => return self.comparison(&[]),
                _ => {}
            }
        }
        let visible = self.visible();
        let mut left = wanted.to_vec();
        self.chance.shuffle(&mut left);
        let mut atoms = Vec::new();
        let mut bound: Vec<Name> = Vec::new();
        loop {
            let next = left.first().cloned();
            let fits = |(_, types): &&(Name, Vec<Type>)| next.as_ref().is_none_or(|name| types.contains(&kind(name)));
            let fitting: Vec<_> = visible.iter().filter(fits).cloned().collect();
            match next {
                // No predicate has such a column, or there is another way.
                Some(next) if fitting.is_empty() || !bound.is_empty() && self.chance.one_in(8) => {
                    let term = self.term(1, kind(&next), &bound);
                    atoms.push(compare(Comparison::Equal, var(&next), term));
                    bound.push(next);
                }
                _ if visible.is_empty() => atoms.push(Formula::True),
                next => {
                    let (name, types) = self.chance.of(&fitting);
                    let args = self.args(&types, next.as_ref(), wanted);
                    bound.extend(wanted.iter().filter(|name| args.contains(&var(name))).cloned());
                    atoms.push(Formula::Atom { name, args });
                }
            }
            left.retain(|name| !bound.contains(name));
            if left.is_empty() {
                break;
            }
        }
        match atoms.len() {
            1 => atoms.remove(0),
            _ => Formula::And(atoms),
        }
    }

    /// Conjunctions in any order.
    fn all(&mut self, mut parts: Vec<Formula>) -> Formula {
        if self.chance.one_in(3) {
            self.chance.shuffle(&mut parts);
        }
        Formula::And(parts)
    }

    /// A part that needs its variables bound by others.
    fn guarded(&mut self, depth: u32, bound: &[Name]) -> Formula {
        let vars = self.subset(bound);
        match self.chance.below(14) {
            0..=3 => not(self.formula(depth, &vars)),
            4 | 5 => self.comparison(bound),
            6 => not(self.comparison(bound)),
            7 => Formula::Historically(self.window(true), Box::new(self.formula(depth, &vars))),
            8 => Formula::Always(self.window(false), Box::new(self.formula(depth, &vars))),
            9 => Formula::Historically(self.window(true), Box::new(not(self.formula(depth, &vars)))),
            10 => Formula::Always(self.window(false), Box::new(not(self.formula(depth, &vars)))),
            // Whatever z is such that f, it is such that g, as FORALL is read.
            11 | 12 => {
                let z = self.another(bound);
                let mut inner = vars.clone();
                inner.push(z.clone());
                let f = self.formula(depth, &inner);
                let inner = self.subset(&inner);
                let g = self.formula(depth.saturating_sub(1), &inner);
                not(Formula::Exists(vec![z], Box::new(Formula::And(vec![f, not(g)]))))
            }
            // IMPLIES.
            _ => {
                let f = not(self.formula(depth.saturating_sub(1), &vars));
                let vars = self.subset(bound);
                Formula::Or(vec![f, self.formula(depth.saturating_sub(1), &vars)])
            }
        }
    }

    /// What holds up to now, of SINCE or UNTIL whose other side binds `bound`.
    fn left(&mut self, depth: u32, bound: &[Name]) -> Formula {
        let vars = self.subset(bound);
        match self.chance.below(20) {
            0..=8 => self.formula(depth, &vars),
            9 => Formula::True,
            10 => self.guarded(depth, bound),
            _ => not(self.formula(depth, &vars)),
        }
    }

    /// A formula whose free variables are exactly `wanted`, and that lists their values.
    fn formula(&mut self, depth: u32, wanted: &[Name]) -> Formula {
        if depth == 0 || self.chance.one_in(10) {
            return self.leaf(wanted);
        }
        let less = depth - 1;
        let of = |all: &mut Self| Box::new(all.formula(less, wanted));
        match self.chance.below(42) {
            0..=2 => {
                let mut parts = Vec::new();
                let mut left = wanted.to_vec();
                for last in [false, true] {
                    let mut vars = self.subset(wanted);
                    if last {
                        vars.extend(left.iter().filter(|name| !vars.contains(name)).cloned().collect::<Vec<_>>());
                    }
                    left.retain(|name| !vars.contains(name));
                    parts.push(self.formula(less, &vars));
                }
                self.all(parts)
            }
            3..=9 => {
                let mut parts = vec![*of(self), self.guarded(less, wanted)];
                if self.chance.one_in(4) {
                    parts.push(self.guarded(0, wanted));
                }
                self.all(parts)
            }
            10 | 11 if !wanted.is_empty() => {
                let x = self.chance.of(wanted);
                let rest: Vec<Name> = wanted.iter().filter(|name| **name != x).cloned().collect();
                let term = self.term(2, kind(&x), &rest);
                let sides = if self.chance.one_in(3) { (term, var(&x)) } else { (var(&x), term) };
                let parts = vec![self.formula(less, &rest), compare(Comparison::Equal, sides.0, sides.1)];
                self.all(parts)
            }
            12..=14 => {
                let mut parts = vec![*of(self), *of(self)];
                if self.chance.one_in(5) {
                    parts.push(self.leaf(wanted));
                }
                Formula::Or(parts)
            }
            15 | 16 => {
                let z = self.another(wanted);
                let mut inner = wanted.to_vec();
                inner.push(z.clone());
                let mut names = vec![z];
                if self.chance.one_in(4) {
                    let more = self.another(&inner);
                    inner.push(more.clone());
                    names.push(more);
                }
                Formula::Exists(names, Box::new(self.formula(less, &inner)))
            }
            17 | 18 => Formula::Once(self.window(true), of(self)),
            19 | 20 => Formula::Eventually(self.window(false), of(self)),
            21 | 22 => Formula::Previous(self.window(true), of(self)),
            23 | 24 => Formula::Next(self.window(true), of(self)),
            // Few predicates have decimals; averages are some.
            25 if wanted.iter().any(|name| kind(name) == Type::Decimal) => self.aggregate(less, wanted),
            25..=29 => {
                let right = of(self);
                Formula::Since(self.window(true), Box::new(self.left(less, wanted)), right)
            }
            30..=33 => {
                let right = of(self);
                Formula::Until(self.window(false), Box::new(self.left(less, wanted)), right)
            }
            34 if wanted.is_empty() => match self.chance.below(3) {
                0 => Formula::Historically(self.window(true), of(self)),
                1 => Formula::Always(self.window(false), of(self)),
                _ => not(*of(self)),
            },
            34 => not(not(*of(self))),
            35..=38 => self.aggregate(less, wanted),
            39 | 40 => self.naming(less, wanted),
            // The present is in the window, and lists what holds in all of it.
            _ => match self.chance.below(2) {
                0 => Formula::Historically(Window { from: 0, ..self.window(true) }, of(self)),
                _ => Formula::Always(Window { from: 0, ..self.window(false) }, of(self)),
            },
        }
    }

    fn aggregate(&mut self, depth: u32, wanted: &[Name]) -> Formula {
        let results: Vec<Name> = wanted.iter().filter(|name| kind(name) != Type::Text).cloned().collect();
        let result = match results.is_empty() {
            false => results.iter().find(|n| kind(n) == Type::Decimal).unwrap_or(&self.chance.of(&results)).clone(),
            // It may be closed from outside.
            true => {
                let kind = self.chance.of(&[Type::Int, Type::Int, Type::Decimal]);
                self.variable(kind, wanted)
            }
        };
        let groups: Vec<Name> = wanted.iter().filter(|name| **name != result).cloned().collect();
        let mut inner = groups.clone();
        for _ in 0..1 + self.chance.below(2) {
            inner.push(self.another(&inner));
        }
        let numbers: Vec<Name> = inner.iter().filter(|name| kind(name) != Type::Text).cloned().collect();
        let alike: Vec<Name> = inner.iter().filter(|name| kind(name) == kind(&result)).cloned().collect();
        let (op, over) = match (kind(&result), self.chance.below(5)) {
            (Type::Int, 0) if !inner.is_empty() => (Aggregation::Count, self.chance.of(&inner)),
            (Type::Decimal, 0 | 1) if !numbers.is_empty() => (Aggregation::Average, self.chance.of(&numbers)),
            (Type::Decimal, 2) if !numbers.is_empty() => (Aggregation::Median, self.chance.of(&numbers)),
            (_, n) if !alike.is_empty() => {
                let ops = [Aggregation::Sum, Aggregation::Min, Aggregation::Max];
                (ops[n as usize % 3], self.chance.of(&alike))
            }
            (Type::Int, _) if !inner.is_empty() => (Aggregation::Count, self.chance.of(&inner)),
            (Type::Decimal, _) if !numbers.is_empty() => (Aggregation::Average, self.chance.of(&numbers)),
            _ => return self.leaf(wanted),
        };
        let mut order = groups;
        self.chance.shuffle(&mut order);
        let formula = Box::new(self.formula(depth, &inner));
        let aggregate = Formula::Aggregate { op, result: result.clone(), over, groups: order, formula };
        match wanted.contains(&result) {
            true => aggregate,
            false => Formula::Exists(vec![result], Box::new(aggregate)),
        }
    }

    fn naming(&mut self, depth: u32, wanted: &[Name]) -> Formula {
        let mut params = self.some_variables();
        let formula = Box::new(self.formula(depth, &params));
        self.chance.shuffle(&mut params);
        let fresh = Name::from(format!("q{}", self.predicates.len()));
        let name = match self.chance.one_in(4) {
            true => self.chance.of(&self.visible()).0,
            false => fresh,
        };
        self.predicates.push((name.clone(), params.iter().map(kind).collect()));
        let within = Box::new(self.formula(depth, wanted));
        self.predicates.pop();
        Formula::Let { name, params, formula, within }
    }
}

/// Formulas one step simpler; not all of them will be taken.
fn simpler(f: &Formula) -> Vec<Formula> {
    let mut all: Vec<Formula> = below(f).into_iter().cloned().collect();
    let one = |all: &mut Vec<Formula>, f: &Formula, wrap: &dyn Fn(Box<Formula>) -> Formula| {
        all.extend(simpler(f).into_iter().map(|f| wrap(Box::new(f))));
    };
    let narrower = |w: &Window| {
        let mut all = Vec::new();
        if w.from > 0 {
            all.push(Window { from: w.from - 1, to: w.to.clone() });
        }
        match w.to {
            Upper::Fixed(to) if to > w.from => {
                all.push(Window::new(w.from, w.from.max(to / 2)));
                all.push(Window::new(w.from, to - 1));
            }
            Upper::Fixed(to) if w.from > 0 => all.push(Window::new(w.from - 1, to - 1)),
            _ => {}
        }
        all
    };
    let windows = |all: &mut Vec<Formula>, w: &Window, wrap: &dyn Fn(Window) -> Formula| {
        all.extend(narrower(w).into_iter().map(wrap));
    };
    match f {
        Formula::Not(f) => one(&mut all, f, &Formula::Not),
        Formula::Exists(names, f) => {
            one(&mut all, f, &|f| Formula::Exists(names.clone(), f));
            for i in 0..if names.len() > 1 { names.len() } else { 0 } {
                let mut less = names.clone();
                less.remove(i);
                all.push(Formula::Exists(less, f.clone()));
            }
        }
        Formula::Once(w, f) => {
            windows(&mut all, w, &|w| Formula::Once(w, f.clone()));
            one(&mut all, f, &|f| Formula::Once(w.clone(), f));
        }
        Formula::Historically(w, f) => {
            windows(&mut all, w, &|w| Formula::Historically(w, f.clone()));
            one(&mut all, f, &|f| Formula::Historically(w.clone(), f));
        }
        Formula::Eventually(w, f) => {
            windows(&mut all, w, &|w| Formula::Eventually(w, f.clone()));
            one(&mut all, f, &|f| Formula::Eventually(w.clone(), f));
        }
        Formula::Always(w, f) => {
            windows(&mut all, w, &|w| Formula::Always(w, f.clone()));
            one(&mut all, f, &|f| Formula::Always(w.clone(), f));
        }
        Formula::Previous(w, f) => {
            all.push(Formula::Previous(Window::unbounded(0), f.clone()));
            one(&mut all, f, &|f| Formula::Previous(w.clone(), f));
        }
        Formula::Next(w, f) => {
            all.push(Formula::Next(Window::unbounded(0), f.clone()));
            one(&mut all, f, &|f| Formula::Next(w.clone(), f));
        }
        Formula::Since(w, f, g) => {
            all.push(Formula::Once(w.clone(), g.clone()));
            windows(&mut all, w, &|w| Formula::Since(w, f.clone(), g.clone()));
            one(&mut all, f, &|f| Formula::Since(w.clone(), f, g.clone()));
            one(&mut all, g, &|g| Formula::Since(w.clone(), f.clone(), g));
        }
        Formula::Until(w, f, g) => {
            all.push(Formula::Eventually(w.clone(), g.clone()));
            windows(&mut all, w, &|w| Formula::Until(w, f.clone(), g.clone()));
            one(&mut all, f, &|f| Formula::Until(w.clone(), f, g.clone()));
            one(&mut all, g, &|g| Formula::Until(w.clone(), f.clone(), g));
        }
        Formula::And(parts) | Formula::Or(parts) => {
            let wrap = |parts| if matches!(f, Formula::And(_)) { Formula::And(parts) } else { Formula::Or(parts) };
            for i in 0..parts.len() {
                if parts.len() > 2 {
                    let mut less = parts.clone();
                    less.remove(i);
                    all.push(wrap(less));
                }
                for part in simpler(&parts[i]) {
                    let mut parts = parts.clone();
                    parts[i] = part;
                    all.push(wrap(parts));
                }
            }
        }
        Formula::Let { name, params, formula, within } => {
            one(&mut all, formula, &|formula| Formula::Let {
                name: name.clone(),
                params: params.clone(),
                formula,
                within: within.clone(),
            });
            one(&mut all, within, &|within| Formula::Let {
                name: name.clone(),
                params: params.clone(),
                formula: formula.clone(),
                within,
            });
        }
        Formula::Aggregate { op, result, over, groups, formula } => {
            let with = |groups: &[Name], formula: &Formula| Formula::Aggregate {
                op: *op,
                result: result.clone(),
                over: over.clone(),
                groups: groups.to_vec(),
                formula: Box::new(formula.clone()),
            };
            for i in 0..groups.len() {
                let mut less = groups.clone();
                less.remove(i);
                all.push(with(&less, formula));
            }
            all.extend(simpler(formula).iter().map(|f| with(groups, f)));
        }
        Formula::Atom { name, args } => {
            for i in (0..args.len()).filter(|&i| args[i] != Term::Any) {
                let mut args = args.clone();
                args[i] = Term::Any;
                all.push(Formula::Atom { name: name.clone(), args });
            }
            if !args.is_empty() {
                all.push(Formula::True);
            }
        }
        Formula::Compare { op, left, right } => {
            all.extend(left.parts().map(|part| compare(*op, part.clone(), right.clone())));
            all.extend(right.parts().map(|part| compare(*op, left.clone(), part.clone())));
            all.push(Formula::True);
        }
        _ => {}
    }
    all
}

/// Worlds one step simpler.
pub fn simpler_worlds(world: &World) -> Vec<World> {
    let mut all = Vec::new();
    let with_log = |log: Vec<Moment>| World { log, ..world.clone() };
    for i in 0..world.log.len() {
        let mut log = world.log.clone();
        log.remove(i);
        all.push(with_log(log));
    }
    for i in 0..world.log.len() {
        for event in &world.log[i].events {
            let mut log = world.log.clone();
            log[i].events.remove(event);
            all.push(with_log(log));
        }
    }
    all.extend(simpler(&world.formula).into_iter().map(|formula| World { formula, ..world.clone() }));
    // All later points a little earlier, the first at zero.
    for i in 0..world.log.len() {
        let before = if i == 0 { 0 } else { world.log[i - 1].stamp };
        let gap = world.log[i].stamp - before;
        for less in [gap, gap / 2, 1].into_iter().filter(|&less| less > 0 && less <= gap || i == 0 && less < 0) {
            let mut log = world.log.clone();
            log[i..].iter_mut().for_each(|moment| moment.stamp -= less);
            all.push(with_log(log));
        }
    }
    // One predicate stays: a history draws facts.
    for name in world.signature.keys().filter(|_| world.signature.len() > 1) {
        let used = world.text().matches(&format!("{name}(")).count();
        if used == 1 {
            let mut signature = world.signature.clone();
            signature.remove(name);
            all.push(World { signature, ..world.clone() });
        }
    }
    all
}
