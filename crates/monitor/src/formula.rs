//! What a monitor is asked: rules, definitions and the formulas in them.
//!
//! ```text
//! rule C14   opens lodged(a, x, y)   must EVENTUALLY[0,21600] ack(a, y)
//! ```
use crate::fact::Value;
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

/// A formula of metric first-order temporal logic in the clock domain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Formula {
    /// Always true.
    True,
    /// A fact's predicate or a definition's name.
    Atom { name: Name, args: Vec<Term> },
    /// True from the instant that the term names on.
    Reached(Term),
    /// Binds or compares the current instant.
    Ts(Term),
    /// Compares two terms.
    Compare { op: Comparison, left: Term, right: Term },
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
    Breached { rule: Name, args: Vec<(Name, Term)> },
    /// `f` held for at least `at_least` seconds within the last `window`.
    Duration { window: Window, formula: Box<Formula>, at_least: i64 },
}

/// Type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Type {
    /// [`Value::Int`].
    Int,
    /// [`Value::Text`].
    Text,
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
