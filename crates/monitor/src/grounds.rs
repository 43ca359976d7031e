//! Why a verdict holds at a time-point: the facts and absences from which alone it follows, and the steps between.
//!
//! ```text
//! lodged(i) AND NOT EVENTUALLY[0,6h] ack(i)   with i = 8 at time-point 0
//!   present  lodged(8) at time-point 0
//!   absent   ack(8) at time-points 0 to 2
//! ```
//! [`PointChecker`](crate::PointChecker) goes through the steps against the evidence, and knows nothing else.
use crate::argument::{Of, Valuation};
use crate::fact::Value;
use crate::formula::Name;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A fact at a time-point.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PointFact {
    /// Number of the time-point, from 0.
    pub point: u32,
    /// The predicate.
    pub predicate: Name,
    /// One value for each column.
    pub args: Vec<Value>,
}

/// That no fact of a kind stands at any of some time-points, other than those listed as present.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PointAbsence {
    /// The predicate.
    pub predicate: Name,
    /// Values of its columns; `None` where any value counts.
    pub args: Vec<Option<Value>>,
    /// First time-point.
    pub from: u32,
    /// Last time-point; beyond the log there is silence.
    pub to: u32,
}

/// A log as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PointLog {
    /// Stamps of all time-points, with the empty ones of the silence that follows.
    pub stamps: Vec<i64>,
    /// Time-points of the log itself.
    pub logged: u32,
    /// All facts that the formula may read.
    pub facts: BTreeSet<PointFact>,
}

/// That a formula holds, or fails, at a time-point, and from what that follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PointStep {
    /// The formula, as people write it.
    pub formula: Arc<str>,
    /// What its variables stand for.
    pub valuation: Valuation,
    /// Where it is read.
    pub point: u32,
    /// It holds; else it fails.
    pub holds: bool,
    /// How it follows.
    pub why: Reason,
    /// From what.
    pub steps: Vec<Arc<PointStep>>,
}

/// How a claim follows from those below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// This fact is present.
    Fact(Vec<Value>),
    /// No fact fits, with these columns.
    Absent(Vec<Option<Value>>),
    /// Terms alone show it, or there is no such time-point.
    Plain,
    /// What stands below, all of it: every part, what is negated, the meaning of a name, every point of a window.
    All,
    /// This part alone.
    Part(usize),
    /// With this value of the first quantified variable.
    Value(Value),
    /// With each of these values of the first quantified variable, and last with any other.
    Each(Vec<Value>),
    /// By what is read at this point of the window; for SINCE and UNTIL by the right side there and the left between.
    At(u32),
    /// SINCE, UNTIL: the left side fails at this point (if at any), and the right at all points of the window that are
    /// not beyond it.
    Broken(Option<u32>),
    /// An aggregation: just these values of the variables that are neither result nor group, and no others.
    Rows(Vec<Name>, Vec<Vec<Value>>),
}

/// The reasons of one verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grounds {
    /// Facts that are there, sorted.
    pub present: Vec<PointFact>,
    /// Where facts are absent, sorted.
    pub absent: Vec<PointAbsence>,
    /// Why the verdict follows from these alone.
    pub proof: Arc<PointStep>,
}

/// A valuation from names and values.
pub(crate) fn valuation(names: &[Name], values: &[Value]) -> Valuation {
    Arc::new(names.iter().cloned().zip(values.iter().cloned().map(Of::One)).collect())
}
