//! The agreement: articles that people read, rules that nodes run.
//!
//! `judge(agreement, logs, as_of, known_by) -> Judgment` is a pure function: any order of arrival, any machine, the
//! same bytes. No transport, no storage, no probabilities, no prose in one language.
#![deny(clippy::float_arithmetic)]

mod digest;
pub mod distance;
mod judgment;
mod source;

pub use judgment::{Because, Change, Cite, JudgeError, Judgment, Missing, Reason, Reasons, State, Verdict, judge};
pub use source::{Agreement, Commitment, Diagnostic, Diagnostics, Kind, Member, MemberRole, Misfit};
