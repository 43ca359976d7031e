//! What a monitor is asked: rules, definitions and the formulas in them.
//!
//! ```text
//! rule C14   opens lodged(a, x, y)   must EVENTUALLY[0,21600] ack(a, y)
//! ```
use crate::fact::Value;
use crate::ratio::Ratio;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// A variable, predicate, definition or rule.
pub type Name = Arc<str>;

/// A variable, a value, or a sum of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Term {
    /// A variable.
    Var(Name),
    /// A value.
    Const(Value),
    /// Some value, whichever: existentially bound at its own atom.
    Any,
    /// Left plus right, integers.
    Plus(Box<Term>, Box<Term>),
    /// Left minus right, integers.
    Minus(Box<Term>, Box<Term>),
    /// Left times right, integers.
    Times(Box<Term>, Box<Term>),
    /// Left over right: exact for decimals, truncated towards zero for integers. Points domain only.
    Divide(Box<Term>, Box<Term>),
    /// What truncated division of integers leaves, with the sign of the left. Points domain only.
    Modulo(Box<Term>, Box<Term>),
    /// An integer as a decimal (`i2f`). Points domain only.
    ToDecimal(Box<Term>),
    /// A decimal without its fraction (`f2i`). Points domain only.
    ToInt(Box<Term>),
}

impl Term {
    /// The terms that it is made of, from left to right.
    pub fn parts(&self) -> impl Iterator<Item = &Term> {
        let (a, b) = match self {
            Term::Var(_) | Term::Const(_) | Term::Any => (None, None),
            Term::Plus(a, b) | Term::Minus(a, b) | Term::Times(a, b) | Term::Divide(a, b) | Term::Modulo(a, b) => {
                (Some(&**a), Some(&**b))
            }
            Term::ToDecimal(a) | Term::ToInt(a) => (Some(&**a), None),
        };
        a.into_iter().chain(b)
    }
}

/// Far end of a window.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Upper {
    /// So many seconds away, included.
    Fixed(i64),
    /// As many seconds away as the bound variable says, included.
    Var(Name),
    /// As far as there is time.
    Unbounded,
}

/// Distances in seconds from an instant, both ends included; half-open windows are written one second shorter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window {
    /// Near end, at least 0.
    pub from: i64,
    /// Far end.
    pub to: Upper,
}

impl Window {
    /// `[from, to]`.
    pub fn new(from: i64, to: i64) -> Window {
        Window { from, to: Upper::Fixed(to) }
    }
    /// `[from, *)`.
    pub fn unbounded(from: i64) -> Window {
        Window { from, to: Upper::Unbounded }
    }
}

/// How two terms compare. Texts compare by bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)] // The names say it.
pub enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// How an aggregation sums up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)] // The names say it.
pub enum Aggregation {
    Count,
    Sum,
    Min,
    Max,
    Average,
    Median,
}

/// A formula of metric first-order temporal logic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Formula {
    /// Always true.
    True,
    /// A fact's predicate or a definition's name.
    Atom {
        /// Of the predicate or definition.
        name: Name,
        /// One for each column.
        args: Vec<Term>,
    },
    /// True from the instant that the term names on.
    Reached(Term),
    /// Binds or compares the current instant.
    Ts(Term),
    /// Compares two terms.
    Compare {
        /// How.
        op: Comparison,
        /// Left of the sign.
        left: Term,
        /// Right of the sign.
        right: Term,
    },
    /// Negation.
    Not(Box<Formula>),
    /// Conjunction.
    And(Vec<Formula>),
    /// Disjunction.
    Or(Vec<Formula>),
    /// Projection.
    Exists(Vec<Name>, Box<Formula>),
    /// At some instant in the window before now.
    Once(Window, Box<Formula>),
    /// At every instant in the window before now.
    Historically(Window, Box<Formula>),
    /// Left at every instant after some instant in the window before now at which right holds.
    Since(Window, Box<Formula>, Box<Formula>),
    /// At some instant in the window from now.
    Eventually(Window, Box<Formula>),
    /// At every instant in the window from now.
    Always(Window, Box<Formula>),
    /// Left from now up to, not including, some instant in the window at which right holds.
    Until(Window, Box<Formula>, Box<Formula>),
    /// Holds from the instant at which an instance of `rule` is breached on, for good. `args` name variables of
    /// that rule's key; a variable of the key that is not named is some value.
    Breached {
        /// Which rule.
        rule: Name,
        /// Variable of its key, and what it is.
        args: Vec<(Name, Term)>,
    },
    /// At the time-point before this one, if the gap is in the window. Points domain only.
    Previous(Window, Box<Formula>),
    /// At the time-point after this one, if the gap is in the window. Points domain only.
    Next(Window, Box<Formula>),
    /// Names `formula` as a predicate inside `within`. Points domain only.
    Let {
        /// The new predicate; it hides one of the same name.
        name: Name,
        /// Its columns: all free variables of `formula`, each once.
        params: Vec<Name>,
        /// What it means.
        formula: Box<Formula>,
        /// Where it is known.
        within: Box<Formula>,
    },
    /// `result <- OP over; groups formula`: over the set of assignments of all free variables of `formula`, grouped.
    /// Points domain only.
    Aggregate {
        /// Which.
        op: Aggregation,
        /// Variable of the result.
        result: Name,
        /// Variable whose values are taken, with multiplicity.
        over: Name,
        /// Variables that stay free.
        groups: Vec<Name>,
        /// Where the assignments come from.
        formula: Box<Formula>,
    },
    /// `f` held for at least `at_least` seconds within the last `window`.
    Duration {
        /// Window before now.
        window: Window,
        /// What held.
        formula: Box<Formula>,
        /// How many seconds (instants) of the window, not necessarily in one piece.
        at_least: i64,
    },
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Term::Var(name) => write!(f, "{name}"),
            Term::Const(Value::Decimal(ratio)) => exactly(f, *ratio),
            Term::Const(value) => write!(f, "{value}"),
            Term::Any => write!(f, "_"),
            Term::Plus(a, b) => write!(f, "({a} + {b})"),
            Term::Minus(a, b) => write!(f, "({a} - {b})"),
            Term::Times(a, b) => write!(f, "({a} * {b})"),
            Term::Divide(a, b) => write!(f, "({a} / {b})"),
            Term::Modulo(a, b) => write!(f, "({a} MOD {b})"),
            Term::ToDecimal(a) => write!(f, "i2f({a})"),
            Term::ToInt(a) => write!(f, "f2i({a})"),
        }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.to {
            // Empty, as it can be written.
            Upper::Fixed(to) if *to < 0 => write!(f, "[{},{})", self.from, to + 1),
            Upper::Fixed(to) => write!(f, "[{},{to}]", self.from),
            Upper::Var(name) => write!(f, "[{},{name}]", self.from),
            Upper::Unbounded => write!(f, "[{},*)", self.from),
        }
    }
}

impl fmt::Display for Aggregation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Aggregation::Count => "CNT",
            Aggregation::Sum => "SUM",
            Aggregation::Min => "MIN",
            Aggregation::Max => "MAX",
            Aggregation::Average => "AVG",
            Aggregation::Median => "MED",
        })
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Comparison::Equal => "=",
            Comparison::NotEqual => "!=",
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
        })
    }
}

/// Writes `items` with `between` between them.
fn joined<T: fmt::Display>(f: &mut fmt::Formatter<'_>, items: &[T], between: &str) -> fmt::Result {
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            f.write_str(between)?;
        }
        write!(f, "{item}")?;
    }
    Ok(())
}

/// A constant, so that it reads back as the same fraction: a decimal if it is one.
fn exactly(f: &mut fmt::Formatter<'_>, ratio: Ratio) -> fmt::Result {
    let (mut power, mut digits) = (1i128, 0);
    while power % ratio.under() != 0 && digits < 38 {
        power *= 10;
        digits += 1;
    }
    let scaled = ratio.over().unsigned_abs().checked_mul((power / ratio.under()).unsigned_abs());
    match scaled {
        Some(number) if power % ratio.under() == 0 => {
            let sign = if ratio.over() < 0 { "-" } else { "" };
            let power = power.unsigned_abs();
            let (whole, fraction) = (number / power, number % power);
            // Of the largest numbers not even a zero more fits.
            match digits {
                0 if whole >= 10u128.pow(37) => write!(f, "{sign}{whole}."),
                _ => write!(f, "{sign}{whole}.{fraction:0width$}", width = digits.max(1)),
            }
        }
        _ => write!(f, "({}.0 / {}.0)", ratio.over(), ratio.under()),
    }
}

/// What takes all that follows must stand in parentheses where something follows.
fn takes_the_rest(formula: &Formula) -> bool {
    match formula {
        Formula::Once(..)
        | Formula::Historically(..)
        | Formula::Eventually(..)
        | Formula::Always(..)
        | Formula::Previous(..)
        | Formula::Next(..) => true,
        Formula::Not(inner) => takes_the_rest(inner),
        _ => false,
    }
}

/// As it is read: what is shown reads back as the same formula.
impl fmt::Display for Formula {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Formula::True => write!(f, "TRUE"),
            Formula::Atom { name, args } => {
                write!(f, "{name}(")?;
                joined(f, args, ", ")?;
                write!(f, ")")
            }
            Formula::Reached(term) => write!(f, "reached({term})"),
            Formula::Ts(term) => write!(f, "ts({term})"),
            Formula::Compare { op, left, right } => write!(f, "{left} {op} {right}"),
            Formula::Not(inner) => write!(f, "NOT {inner}"),
            Formula::And(parts) | Formula::Or(parts) => {
                f.write_str("(")?;
                let between = if matches!(self, Formula::And(_)) { " AND " } else { " OR " };
                for (i, part) in parts.iter().enumerate() {
                    f.write_str(if i > 0 { between } else { "" })?;
                    match i + 1 < parts.len() && takes_the_rest(part) {
                        true => write!(f, "({part})")?,
                        false => write!(f, "{part}")?,
                    }
                }
                f.write_str(")")
            }
            Formula::Exists(names, inner) => {
                f.write_str("(EXISTS ")?;
                joined(f, names, ", ")?;
                write!(f, ". {inner})")
            }
            Formula::Once(window, inner) => write!(f, "ONCE{window} {inner}"),
            Formula::Historically(window, inner) => write!(f, "HISTORICALLY{window} {inner}"),
            Formula::Since(window, left, right) => write!(f, "({left} SINCE{window} {right})"),
            Formula::Eventually(window, inner) => write!(f, "EVENTUALLY{window} {inner}"),
            Formula::Always(window, inner) => write!(f, "ALWAYS{window} {inner}"),
            Formula::Until(window, left, right) => write!(f, "({left} UNTIL{window} {right})"),
            Formula::Breached { rule, args } => {
                write!(f, "breached({rule}")?;
                for (name, term) in args {
                    write!(f, ", {name}: {term}")?;
                }
                write!(f, ")")
            }
            Formula::Previous(window, inner) => write!(f, "PREVIOUS{window} {inner}"),
            Formula::Next(window, inner) => write!(f, "NEXT{window} {inner}"),
            Formula::Let { name, params, formula, within } => {
                write!(f, "(LET {name}(")?;
                joined(f, params, ", ")?;
                write!(f, ") = {formula} IN {within})")
            }
            Formula::Aggregate { op, result, over, groups, formula } => {
                write!(f, "({result} <- {op} {over}")?;
                for (i, group) in groups.iter().enumerate() {
                    write!(f, "{} {group}", if i == 0 { ";" } else { "," })?;
                }
                write!(f, " {formula})")
            }
            Formula::Duration { window, formula, at_least } => write!(f, "DUR{window} ({formula}) >= {at_least}"),
        }
    }
}

/// Type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Type {
    /// [`Value::Int`].
    Int,
    /// [`Value::Text`].
    Text,
    /// [`Value::Decimal`]. Points domain only.
    Decimal,
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Type::Int => "int",
            Type::Text => "string",
            Type::Decimal => "float",
        })
    }
}

/// Predicates that facts may have, with the types of their columns.
pub type Signature = BTreeMap<Name, Vec<Type>>;

/// A derived predicate, looking only back. Several definitions of one name are a union.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Name of the derived predicate.
    pub name: Name,
    /// Its columns: all free variables of the body.
    pub params: Vec<Name>,
    /// What it means.
    pub body: Formula,
}

/// `opens F, must G [, lapses L]`: every valuation of `key` and instant at which F begins to hold opens an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Unique among rules.
    pub name: Name,
    /// Looks only back. Its free variables are `key`, and `since` if given.
    pub opens: Formula,
    /// The variables that tell instances apart, in the order of the valuation.
    pub key: Vec<Name>,
    /// Variable of `opens` that holds the instant from which acts count: the outermost window of `must` begins
    /// there instead of at the opening. Not part of the key.
    pub since: Option<Name>,
    /// What is owed, read at the opening. Its free variables are among `key`.
    pub must: Formula,
    /// Ends an instance that is not settled yet as kept (`discharged`). Looks only back, and is searched from the
    /// opening on. Its free variables are among `key`.
    pub lapses: Option<Formula>,
}

/// All that a monitor watches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Derived predicates, in any order; they must be stratified.
    pub definitions: Vec<Definition>,
    /// Rules, in any order.
    pub rules: Vec<Rule>,
}

/// Why rules cannot be watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Name of the rule or definition.
    pub place: Name,
    /// What was found.
    pub found: String,
    /// What can be done.
    pub hint: String,
}

/// Every reason, not only the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for d in &self.0 {
            writeln!(f, "{}: {}\n  hint: {}", d.place, d.found, d.hint)?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}
