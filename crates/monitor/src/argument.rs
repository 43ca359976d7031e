//! An argument: why a verdict stands, complete enough that a stranger can check it.
//!
//! ```text
//! EVENTUALLY[0,21600] ack(a, y) with a = "A1", y = "P1"   holds at 0, surely by 2880      within 2880..2880
//!   ack(a, y) with a = "A1", y = "P1"                     holds at 2880, surely by 2880   facts "…#7:ack"
//! ```
//! Every step states its claim in full and says from what it follows; [`Checker`](crate::Checker) goes through it against
//! the rules and the facts. The [`Proof`](crate::Proof) of an explanation is the short form, for people.
//!
//! *By an instant* `T` means: as far as is known at T. What a formula says of an instant after T is open. So a formula
//! is settled true at the first T by which it surely holds, and settled false at the first by which it surely fails;
//! that this did not happen earlier is the claim that by T - 1 it perhaps fails, or perhaps holds.
use crate::fact::{FactId, Instant, Value};
use crate::formula::Name;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a variable stands for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Of {
    /// This value.
    One(Value),
    /// Each value that is not among these: the claim is made of all of them.
    Other(Vec<Value>),
}

/// What the variables of a claim stand for.
pub type Valuation = Arc<BTreeMap<Name, Of>>;

/// As of when a claim is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum By {
    /// The formula looks back: what it says of an instant is known there.
    Now,
    /// By this instant, however the rest turns out.
    Surely(Instant),
    /// By this instant, and the rest may still turn out so.
    Perhaps(Instant),
}

/// That a formula holds, or fails, at every instant of a stretch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The formula, as people write it.
    pub formula: Arc<str>,
    /// What its variables stand for.
    pub valuation: Valuation,
    /// First instant at which it is read.
    pub from: Instant,
    /// Last instant at which it is read.
    pub to: Instant,
    /// It holds; else it fails.
    pub holds: bool,
    /// Facts that are only asserted count; under a negation it is the other way round.
    pub asserted: bool,
    /// As of when.
    pub by: By,
}

/// A claim and what it follows from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What is claimed.
    pub claim: Claim,
    /// How it follows.
    pub why: Why,
    /// From which claims.
    pub steps: Vec<Step>,
}

/// How a claim follows from those below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// All instants lie beyond what is known, so nothing is settled there.
    Open,
    /// Terms alone show it, or an empty window.
    Plain,
    /// Just these facts are those of an atom in the stretch; none, for an atom that fails.
    Facts(Vec<FactId>),
    /// The stretch falls into parts, one below for each.
    Split,
    /// All parts of the formula are below; for `breached`, every key.
    All,
    /// This part of the formula alone, or this definition of a name.
    Part(usize),
    /// With this value of the first quantified variable.
    Value(Value),
    /// With each of these values of the first quantified variable, and last with any other.
    Each(Vec<Value>),
    /// By what is read throughout this stretch, which every window meets.
    Within(Instant, Instant),
    /// By what is read throughout all windows.
    Throughout,
    /// SINCE, UNTIL: the right side holds, or both sides fail, at the very instants.
    Here,
    /// SINCE, UNTIL: the left side fails at this instant (if at any), the right on this side of it.
    Broken(Option<Instant>),
    /// DUR: it held, or did not, in each of these stretches.
    Spans(Vec<(Instant, Instant)>),
    /// An instance was breached at an instant.
    Breach(Opened, Instant),
    /// All instants at which instances of one key might have opened.
    Openings(Vec<Piece>),
    /// That an instance was not breached is taken as given. Only in an argument from evidence.
    Given,
}

/// How an instance opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Values of the rule's key.
    pub key: Vec<Value>,
    /// When.
    pub opened: Instant,
    /// From when on acts count.
    pub since: Instant,
    /// It opens on admitted facts alone.
    pub certain: bool,
}

/// A stretch of instants at which no instance of one key was breached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// The opening fails.
    Closed(Instant, Instant),
    /// The opening held already at the instant before.
    Open(Instant, Instant),
    /// It opens at an instant, and was not breached because.
    Opened(Opened, Excuse),
}

/// Why an instance was not breached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excuse {
    /// It opens only on facts that are not admitted.
    NotAdmitted,
    /// What is owed perhaps still holds.
    Owed,
    /// It lapsed at an instant at which what is owed perhaps still held.
    Lapsed(Instant),
}

/// Why an instance stands as it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// How it opened.
    pub opened: Opened,
    /// When its state was settled; for a pending one the instant at which it is judged.
    pub settled: Instant,
    /// For a disputed one: why it is not breached.
    pub excuse: Option<Excuse>,
    /// It lapses: by silence at `until`, or, in an argument from evidence, at `settled`.
    pub lapses: bool,
    /// In the order in which [`Checker`](crate::Checker) asks for them.
    pub steps: Vec<Step>,
}
