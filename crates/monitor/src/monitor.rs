//! The monitor: facts in, instances and deltas out.
use crate::fact::{Fact, FactId, Instant, Value};
use crate::formula::{Diagnostics, Name, Rules, Signature};

/// One row of a derived predicate.
pub type Tuple = Vec<Value>;

/// Which facts count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Asserted facts do not count (in a positive place; in a negative one they do).
    Certain,
    /// Asserted facts count (in a positive place).
    Possible,
}

/// How an instance stands at `as_of`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Settled true on the least favourable reading.
    Kept,
    /// Settled false on the certain reading.
    Breached,
    /// Not settled yet.
    Pending,
    /// Settled false only if facts hold that nobody has admitted.
    Disputed,
}

/// What tells one instance from another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceKey {
    /// Name of the rule.
    pub rule: Name,
    /// Values of the rule's key, in its order.
    pub valuation: Vec<Value>,
    /// Instant at which the opening began to hold.
    pub opened: Instant,
}

/// One opening of one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Rule, valuation, opening.
    pub key: InstanceKey,
    /// From when on acts count.
    pub since: Instant,
    /// When it would be breached under silence from the instant on that settled it, or from `as_of` on: the due
    /// instant. `None`: silence never breaches it.
    pub due: Option<Instant>,
    /// When silence would settle it as kept, e.g. the end of a prohibition; `None` if silence never does.
    pub until: Option<Instant>,
    /// How it stands.
    pub state: State,
    /// When it was breached (certain reading), or would be if the disputed facts hold.
    pub breached_since: Option<Instant>,
    /// When it was settled as kept (least favourable reading), or lapsed.
    pub kept_at: Option<Instant>,
    /// It ended because its ground fell before it was settled.
    pub lapsed: bool,
    /// Facts, only asserted, on which a disputed state hangs; sorted.
    pub disputed: Vec<FactId>,
}

/// What one call of [`Monitor::advance`] changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delta {
    /// Which instance.
    pub key: InstanceKey,
    /// As it was; `None` if it was not open.
    pub before: Option<Instance>,
    /// As it is; `None` if it is no longer open.
    pub after: Option<Instance>,
}

/// That no fact of a kind holds throughout an interval.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Absence {
    /// The predicate.
    pub predicate: Name,
    /// Values of its columns; `None` where any value counts.
    pub args: Vec<Option<Value>>,
    /// First instant of the range.
    pub from: Instant,
    /// Last instant of the range.
    pub to: Instant,
}

/// Why an instance stands as it does: the formula's nodes with the instant at which each was settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The formula's node, e.g. `EVENTUALLY[0,21600] ack(a, y)`.
    pub node: String,
    /// At which instant the node is read.
    pub at: Instant,
    /// Whether it is true there.
    pub holds: bool,
    /// When that was settled.
    pub settled: Instant,
    /// Facts that show it, for an atom.
    pub facts: Vec<FactId>,
    /// What follows it.
    pub children: Vec<Proof>,
}

/// The reasons of one instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Facts that opened it.
    pub opened_by: Vec<FactId>,
    /// Proof of its state.
    pub proof: Proof,
    /// Minimal evidence, present part: with `absent`, the verdict follows from these alone; sorted.
    pub present: Vec<FactId>,
    /// Minimal evidence, absent part; sorted.
    pub absent: Vec<Absence>,
    /// A smallest set of facts whose removal changes the state, of at most 3; `None` if there is none so small.
    pub flip: Option<Vec<FactId>>,
}

/// Watches rules over facts.
pub struct Monitor {}

impl Monitor {
    /// A monitor for these rules. All reasons for a refusal are given at once.
    pub fn new(_rules: &Rules, _signature: &Signature) -> Result<Monitor, Diagnostics> {
        unimplemented!()
    }
    /// Takes a fact, at any time in the past. An id that was withdrawn stays withdrawn. Fails if the predicate is
    /// unknown or the columns do not fit, or if the id already names another fact.
    pub fn insert(&mut self, _id: FactId, _fact: Fact) -> Result<(), Diagnostics> {
        unimplemented!()
    }
    /// Withdraws a fact for good, also one that has not come yet.
    pub fn withdraw(&mut self, _id: FactId) {
        unimplemented!()
    }
    /// Judges at `as_of`: facts after it are dropped and then there is silence. Returns what changed since the last
    /// call, sorted by key.
    pub fn advance(&mut self, _as_of: Instant) -> Vec<Delta> {
        unimplemented!()
    }
    /// All instances as of the last [`Monitor::advance`], sorted by key.
    pub fn relation(&self) -> &[Instance] {
        unimplemented!()
    }
    /// Rows of a definition that hold at an instant, sorted.
    pub fn derived(&self, _definition: &str, _at: Instant, _reading: Reading) -> Vec<Tuple> {
        unimplemented!()
    }
    /// Why an instance stands as it does.
    pub fn explain(&self, _key: &InstanceKey) -> Option<Explanation> {
        unimplemented!()
    }
    /// The first instant after `after` at which some state changes if nothing more is said.
    pub fn next_change(&self, _after: Instant) -> Option<Instant> {
        unimplemented!()
    }
}
