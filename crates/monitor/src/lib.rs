//! Temporal formulas over facts: where each valuation holds, why, and what changes when a fact
//! arrives late or is withdrawn.
//!
//! The monitor knows no parties, no law, no signatures, no clock and no float. Its result is a
//! function of the *set* of facts it holds.
#![deny(clippy::float_arithmetic)]

mod argue;
mod argument;
mod checker;
mod evidence;
mod fact;
mod facts;
mod formula;
mod grounds;
mod intervals;
mod lookup;
mod monitor;
mod openings;
mod points;
mod points_checker;
mod program;
mod proof;
mod query;
mod ratio;
mod relation;
mod revise;
mod settle;
mod syntax;
mod touch;

pub use argument::{Argument, By, Claim, Excuse, Of, Opened, Piece, Step, Valuation, Why};
pub use checker::{Checker, Fault};
pub use fact::{Fact, FactId, Instant, NEVER, SINCE_EVER, Value};
pub use formula::{
    Aggregation, Comparison, Definition, Diagnostic, Diagnostics, Formula, Name, Rule, Rules, Signature, Term, Type,
    Upper, Window,
};
pub use grounds::{Grounds, PointAbsence, PointFact, PointLog, PointStep, Reason};
pub use monitor::{Absence, Delta, Explanation, Instance, InstanceKey, Monitor, Proof, Put, Reading, State, Tuple};
pub use points::{BadLine, Explainer, LogReader, PointDelta, PointVerdict, Points, PointsError};
pub use points_checker::PointChecker;
pub use query::{Holding, Table, evaluate};
pub use ratio::Ratio;
pub use syntax::{LogPoint, SyntaxError, parse_formula, parse_log, parse_signature, place_of, shortened};
