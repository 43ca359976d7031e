//! A small world of nodes: seed in, same story out.
//!
//! ```text
//! let outcome = simulator::run(7, &Options::new(agreement));
//! 0:01:12.418 P2 says lodged
//! 0:01:13.002 G1 and P2 are cut off from each other
//! 0:01:15.730 P1 crashes in a write to its log
//! …
//! failure: an acknowledged entry is gone: G1 lacks entry 7 of P2
//! ```
//! The nodes are those of [`hamsaya_node`], each with stores in memory; time, chance and the network are this crate's.
//! Messages are late, overtake each other and get lost, nodes are cut off, clocks are up to 40 s wrong, processes die in
//! the middle of a write and lose what was not durable. Then all is mended, and what [`Rule`] lists must hold. One thread,
//! no clock, no randomness but the seed: a failure comes back with its seed.
mod author;
mod chance;
mod check;
mod town;
mod world;

use hamsaya_agreement::Agreement;
use std::fmt;
use std::sync::Arc;

/// What kind of story.
#[derive(Clone, Debug)]
pub struct Options {
    /// What all nodes judge by; made for the members P1, P2, G1 and G2.
    pub agreement: Arc<Agreement>,
    /// So many statements are made.
    pub statements: u64,
    /// Somebody does what no node may do: to see that it is found.
    pub sabotage: Option<Sabotage>,
}

impl Options {
    /// A story of about ten minutes.
    pub fn new(agreement: Arc<Agreement>) -> Options {
        Options { agreement, statements: 40, sabotage: None }
    }
}

/// What a broken or dishonest node does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// This node acknowledges every third statement without logging it.
    Forgets(String),
    /// This node shows one witness another tree than the others.
    ShowsTwoTrees(String),
    /// This node judges without the last entry of each log.
    Overlooks(String),
}

/// What must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// What was acknowledged is in the log, and in every copy.
    AcknowledgedEntriesSurvive,
    /// A log signs no two checkpoints that cannot both be true.
    OneTree,
    /// Nodes that hold the same logs compute the same times and verdicts, byte for byte.
    SameVerdicts,
    /// The proven interval of an entry is one, and does not end before the entry was there.
    TimesAreTrue,
    /// After healing, each log has a quorum under its newest checkpoint within 120 s and comes to rest.
    QuorumAfterHealing,
    /// Every statement is answered in the end: logged, or refused with a reason.
    EveryStatementIsAnswered,
    /// A node that no fault of its own stopped runs, and starts again after one that did.
    NodesRun,
}

impl Rule {
    /// One word for scripts.
    pub fn name(self) -> &'static str {
        match self {
            Rule::AcknowledgedEntriesSurvive => "acknowledged_entries_survive",
            Rule::OneTree => "one_tree",
            Rule::SameVerdicts => "same_verdicts",
            Rule::TimesAreTrue => "times_are_true",
            Rule::QuorumAfterHealing => "quorum_after_healing",
            Rule::EveryStatementIsAnswered => "every_statement_is_answered",
            Rule::NodesRun => "nodes_run",
        }
    }
}

/// A rule that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which.
    pub rule: Rule,
    /// Where and how.
    pub what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule.name(), self.what)
    }
}

/// How much happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Statements that were made.
    pub statements: u64,
    /// Of these, those that were logged.
    pub logged: u64,
    /// Of these, those that were refused.
    pub refused: u64,
    /// Processes that died.
    pub crashes: u64,
    /// Times that two nodes were cut off from each other.
    pub partitions: u64,
    /// Messages that did not arrive.
    pub lost: u64,
    /// Entries in all logs at the end.
    pub entries: u64,
    /// Verdicts at the end.
    pub verdicts: u64,
    /// Seconds that passed in the world.
    pub seconds: u64,
    /// Of these, from healing to rest.
    pub rest_s: u64,
}

/// What a seed tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// What happened, a line each.
    pub story: Vec<String>,
    /// The first rule that did not hold.
    pub failure: Option<Failure>,
    /// How much happened.
    pub counts: Counts,
    /// SHA-256 over the verdicts that all nodes reach at the end.
    pub digest: Option<[u8; 32]>,
}

/// Plays one seed.
pub fn run(seed: u64, options: &Options) -> Outcome {
    world::World::new(seed, options).play()
}
