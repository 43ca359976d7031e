//! The agreement: articles that people read, rules that nodes run.
//!
//! ```text
//! commitment C14 : result, severity C
//!   opens      lodged(allegation: a, by: x, against: y)
//!   bearer y   toward x
//!   must       ack(allegation: a, by: y)  within 6 h
//!   exception  flash: within 1 h  when flash(allegation: a)
//!   remedy     M1
//! ```
//!
//! `judge(agreement, logs, as_of, known_by) -> Judgment` is a pure function: any order of arrival, any machine, the
//! same bytes. No transport, no storage, no probabilities, no prose in one language.
//!
//! `article`, `annex` and `block` read the folder; `lower` turns rules into the monitor's; `facts` turns a record into
//! facts by the agreement's own Article 1, `calendar` and `places` add what no statement says; `moves` finds the clocks
//! that were extended or tolled; `judgment` asks the monitor and names what it answers; `standing` does so again when the
//! record has grown. `check` looks for faults of a text before anybody signs it. `interchange` writes text and rules in the
//! formats of other people's tools, `terms` says in short what a rule demands.
#![deny(clippy::float_arithmetic)]

mod annex;
mod article;
mod block;
mod calendar;
pub mod case;
pub mod check;
mod digest;
pub mod distance;
mod facts;
pub mod interchange;
mod judgment;
mod keywords;
mod lower;
mod moves;
mod places;
pub mod rights;
mod source;
mod standing;
mod terms;
pub mod year;

pub use digest::{Child, Difference, Hash};
pub use judgment::{
    Because, Change, Cite, JudgeError, Judgment, Missing, Reason, Reasons, State, Verdict, judge, judge_explaining,
};
pub use keywords::translated;
pub use source::{
    Agreement, Article, Commitment, Diagnostic, Diagnostics, Kind, Member, MemberRole, Misfit, Paragraph, Speech,
};
pub use standing::Standing;
pub use terms::{Begin, Clock, Instead, Terms, Whom};
