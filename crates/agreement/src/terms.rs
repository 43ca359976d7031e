//! What a commitment demands, apart from its formulas: enough to say it in words.
//!
//! ```text
//! C14   begins lodged · binds y (lodged: against) toward x (lodged: by) · owed ack · within 6 h · flash: within 1 h
//! ```
//!
//! A summary: what a formula says beyond the names in it stands in the rule alone.
use crate::block::{Clauses, Effect, Expr, Item, Must, Named, Term};
use crate::calendar::Tick;
use crate::source::{Agreement, Commitment};
use std::collections::BTreeMap;

/// The terms of a commitment or of one part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// What begins it, in the order of the rule.
    pub begins: Vec<Begin>,
    /// Whom it binds.
    pub bearers: Vec<Whom>,
    /// Whether several bearers owe it as one; otherwise each does.
    pub jointly: bool,
    /// Toward whom.
    pub toward: Vec<Whom>,
    /// Kinds and definitions that are owed, or barred.
    pub course: Vec<String>,
    /// By when, or for how long.
    pub clock: Clock,
    /// Names of exceptions, and what holds instead.
    pub exceptions: Vec<(String, Instead)>,
    /// Kinds and definitions by which it ends without breach.
    pub lapses: Vec<String>,
}

/// What begins a duty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begin {
    /// A kind of statement, or a definition.
    Fact(String),
    /// A tick of the calendar: `day week month quarter year every`, or a season's name.
    Tick(String),
}

/// Somebody in a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whom {
    /// As the rule calls it.
    pub name: String,
    /// The member or body that fills the office, if it is one.
    pub filled_by: Option<String>,
    /// Kind and field of the fact that names it, if one of those that begin the duty does.
    pub said_by: Option<(String, String)>,
}

/// The clock of a duty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// It holds at the instant at which the duty begins.
    AtOnce,
    /// Done within so many seconds.
    WithinS(i64),
    /// Not done for so many seconds.
    BarredForS(i64),
    /// Not done until something else is.
    BarredUntil,
}

/// What an exception puts in the place of the plain duty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Instead {
    /// Another clock.
    Clock(Clock),
    /// Other bearers.
    Bearers(Vec<Whom>),
    /// No duty.
    Nothing,
}

impl Agreement {
    /// The terms of a commitment or part. `None`: no rule can look, and people do.
    pub fn terms(&self, commitment: &Commitment) -> Option<Terms> {
        let block = self.items().iter().find_map(|source| match &source.item {
            Item::Commitment(block) if block.id.name == commitment.id => Some(block),
            _ => None,
        })?;
        let is_it = |c: &&Clauses| c.part.as_ref().map(|p| &p.name) == commitment.part.as_ref();
        let clauses = block.parts.iter().find(is_it)?;
        let lets = block.lets.iter().chain(&clauses.lets).map(|(n, f)| (n.name.as_str(), f)).collect();
        Reader { agreement: self, lets }.terms(clauses)
    }
}

struct Reader<'a> {
    agreement: &'a Agreement,
    lets: BTreeMap<&'a str, &'a Expr>,
}

impl<'a> Reader<'a> {
    fn terms(&self, clauses: &'a Clauses) -> Option<Terms> {
        let (opens, must, bearers) = (clauses.opens.as_ref()?, clauses.must.as_ref()?, clauses.bearer.as_ref()?);
        let begins = self.facts(opens);
        let whom = |names: &[Named]| names.iter().map(|n| self.whom(n, &begins)).collect::<Vec<_>>();
        let (course, clock) = match must {
            Must::Now(f) => (f, Clock::AtOnce),
            Must::Within(f, d) => (f, Clock::WithinS(*d)),
            Must::NotFor(f, d) => (f, Clock::BarredForS(*d)),
            Must::NotUntil(f, _) => (f, Clock::BarredUntil),
        };
        let exceptions = clauses.exceptions.iter().map(|e| {
            let instead = match &e.effect {
                Effect::Within(d) => Instead::Clock(Clock::WithinS(*d)),
                Effect::For(d) => Instead::Clock(Clock::BarredForS(*d)),
                Effect::Bearer(other) => Instead::Bearers(whom(&other.names)),
                Effect::None => Instead::Nothing,
            };
            (e.name.name.clone(), instead)
        });
        Some(Terms {
            bearers: whom(&bearers.names),
            jointly: bearers.jointly,
            toward: whom(&clauses.toward),
            course: self.names(course),
            clock,
            exceptions: exceptions.collect(),
            lapses: once(clauses.lapses.iter().flat_map(|f| self.names(f)).collect()),
            begins: once(begins.iter().map(|f| f.begin()).collect()),
        })
    }

    fn whom(&self, name: &Named, begins: &[Fact<'_>]) -> Whom {
        let is_it = |term: &Term| matches!(term, Term::Var(v) if v.name == name.name);
        let said_by = begins.iter().find_map(|fact| match fact {
            Fact::Atom { name, args } => {
                let field = args.iter().find(|a| is_it(&a.term))?;
                Some((name.name.clone(), field.field.name.clone()))
            }
            Fact::Tick(_) => None,
        });
        let filled_by = self.agreement.charter().roles.get(&name.name).cloned();
        Whom { name: name.name.clone(), said_by: said_by.filter(|_| filled_by.is_none()), filled_by }
    }

    fn names(&self, f: &'a Expr) -> Vec<String> {
        let facts = self.facts(f);
        once(facts.iter().filter_map(|f| f.name()).collect())
    }

    /// Facts that a formula asks for; not those whose absence it asks for.
    fn facts(&self, f: &'a Expr) -> Vec<Fact<'a>> {
        match f {
            Expr::Atom { name, args } => vec![Fact::Atom { name, args }],
            Expr::Let(name) => self.lets.get(name.name.as_str()).map(|f| self.facts(f)).unwrap_or_default(),
            Expr::Each { tick, .. } => vec![Fact::Tick(tick)],
            Expr::Not(_) | Expr::Breached { .. } | Expr::Reached(_) | Expr::Compare { .. } => Vec::new(),
            Expr::And(all) | Expr::Or(all) => all.iter().flat_map(|f| self.facts(f)).collect(),
            Expr::Exists(_, f)
            | Expr::Once(_, f)
            | Expr::Historically(_, f)
            | Expr::Eventually(_, f)
            | Expr::Always(_, f)
            | Expr::Seconds { formula: f, .. } => self.facts(f),
            Expr::Since(_, a, b) | Expr::Until(_, a, b) => [self.facts(a), self.facts(b)].concat(),
        }
    }
}

#[derive(Clone, Copy)]
enum Fact<'a> {
    Atom { name: &'a Named, args: &'a [crate::block::Argument] },
    Tick(&'a Tick),
}

impl Fact<'_> {
    fn name(&self) -> Option<String> {
        match self {
            Fact::Atom { name, .. } => Some(name.name.clone()),
            Fact::Tick(_) => None,
        }
    }

    fn begin(&self) -> Begin {
        match self {
            Fact::Atom { name, .. } => Begin::Fact(name.name.clone()),
            Fact::Tick(tick) => Begin::Tick(tick.word().to_string()),
        }
    }
}

/// The first of each, in order.
fn once<T: PartialEq>(all: Vec<T>) -> Vec<T> {
    all.into_iter().fold(Vec::new(), |mut kept, one| {
        if !kept.contains(&one) {
            kept.push(one);
        }
        kept
    })
}
