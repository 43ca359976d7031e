//! A small world of nodes: seed in, same story out.
//!
//! ```text
//! let outcome = simulator::run(7, &Options::new(agreement));
//! 0:01:12.418 P2 says lodged
//! 0:01:13.002 G1 and P2 are cut off from each other
//! 0:01:15.730 P1 crashes in a write to its log
//! …
//! failure: acknowledged_entries_survive: G1 lacks entry 7 of P2
//! ```
//! The nodes are those of [`hamsaya_node`], each with stores in memory; time, chance and the network are this crate's. One
//! thread, no clock, no randomness but the seed: a failure comes back with its seed, and [`shrink`] leaves out of its story
//! what does not matter.
//!
//! What goes wrong:
//! - the network: messages are late, overtake each other, come twice and get lost; pairs, single nodes and halves of the
//!   world are cut off;
//! - processes and machines: a process dies before, after or half way through any of its next writes; with the machine goes
//!   what was not durable yet; a disk is replaced by an older copy of itself;
//! - disks: a bit rots in a tile of a log or of a copy, and is served until somebody reads it;
//! - keys, in half of the seeds: chairs change theirs; one is stolen and used, its owner says so and others bear it out;
//! - clocks: up to 30 s wrong, and they jump within that; a liar's is an hour wrong for a while;
//! - liars, in two of three seeds: a party that shows two trees of its log, says two things at one number, withholds its
//!   log, floods everybody with what is no evidence, forges what it serves; and one witness, the party itself or a guarantor
//!   that colludes with it, that cosigns anything, hours early or late, or nothing.
//!
//! Then all is mended, and what [`Rule`] lists must have held at every step and hold now. A store keeps what it said is
//! durable, and shows no half-written object but a staged one that nothing names yet: to lose or tear more is a mistake that
//! can be [planted](Plant).
mod author;
mod chance;
mod check;
mod keys;
mod network;
mod plan;
mod reading;
mod shelf;
mod shrink;
mod town;
mod trouble;
mod world;

use hamsaya_agreement::Agreement;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

pub use shrink::shrink;

/// What kind of story.
#[derive(Clone, Debug)]
pub struct Options {
    /// What all nodes judge by; made for the members P1, P2, G1 and G2.
    pub agreement: Arc<Agreement>,
    /// So many statements are made.
    pub statements: u64,
    /// One node makes a mistake: to see that it is found.
    pub plant: Option<Plant>,
    /// Of the events that a seed plans, only those with these numbers happen; `None`: all.
    pub only: Option<BTreeSet<usize>>,
}

impl Options {
    /// A story of about eight minutes.
    pub fn new(agreement: Arc<Agreement>) -> Options {
        Options { agreement, statements: 24, plant: None, only: None }
    }
}

macro_rules! plants {
    ($($(#[$doc:meta])* $plant:ident = $name:literal,)*) => {
        /// A mistake that can be planted, at an honest node.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Plant { $($(#[$doc])* $plant,)* }

        impl Plant {
            /// All of them.
            pub const ALL: &[Plant] = &[$(Plant::$plant),*];

            /// In a few words with hyphens.
            pub fn name(self) -> &'static str {
                match self { $(Plant::$plant => $name,)* }
            }
        }
    };
}

plants! {
    /// A log's disk forgets, when the machine goes down, the last batch that it had called durable.
    LosesDurableWrite = "loses-durable-write",
    /// A log acknowledges a statement as soon as it is accepted.
    AcknowledgesBeforeDurable = "acknowledges-before-durable",
    /// A log acknowledges every third statement and never logs it.
    AcknowledgesWithoutLogging = "acknowledges-without-logging",
    /// A witness does not ask for the proof that a log has grown.
    WitnessSkipsProof = "witness-skips-proof",
    /// A witness does not look at the size that it cosigned last.
    WitnessSignsSmaller = "witness-signs-smaller",
    /// Two processes sequence one log, and neither looks whether the other swapped the lock.
    TwoSequencers = "two-sequencers",
    /// A node judges bundles as they came, without hashing them.
    ReadsUnverifiedTile = "reads-unverified-tile",
    /// A node judges as if nothing had been withdrawn.
    ForgetsWithdrawals = "forgets-withdrawals",
    /// A node takes the second smallest time for the quorum's.
    WrongQuorumTime = "wrong-quorum-time",
    /// A node counts cosignatures that it saw and nobody logged.
    CountsUnloggedCosignatures = "counts-unlogged-cosignatures",
    /// A node judges without the last entry of each log.
    OverlooksLastEntry = "overlooks-last-entry",
}

/// What must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// What was acknowledged is durable by then, there after every start, and in the end in every copy.
    AcknowledgedEntriesSurvive,
    /// An honest log signs no two checkpoints that cannot both be true, and no two honest nodes ever hold two trees of any
    /// log.
    OneTree,
    /// An honest witness cosigns no smaller size than before, and no two trees.
    WitnessesRemember,
    /// Who showed two trees stands in the record with the proof.
    SplitViewsAreExposed,
    /// And nobody else stands there so.
    NobodyIsAccusedFalsely,
    /// Nodes that hold the same logs compute the same times and verdicts, byte for byte.
    SameVerdicts,
    /// The proven interval of an entry is one, and contains the instant at which the entry became durable.
    TimesAreTrue,
    /// After healing, each honest log has a quorum under its newest checkpoint within 120 s and comes to rest.
    QuorumAfterHealing,
    /// What a stolen key signed is disputed, once its owner and enough others have said so; and nothing else is.
    StolenKeysAreDisputed,
    /// Every honest statement is answered in the end: logged, or refused with a reason.
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
            Rule::WitnessesRemember => "witnesses_remember",
            Rule::SplitViewsAreExposed => "split_views_are_exposed",
            Rule::NobodyIsAccusedFalsely => "nobody_is_accused_falsely",
            Rule::SameVerdicts => "same_verdicts",
            Rule::TimesAreTrue => "times_are_true",
            Rule::QuorumAfterHealing => "quorum_after_healing",
            Rule::StolenKeysAreDisputed => "stolen_keys_are_disputed",
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
    /// Bits that changed on a disk.
    pub rotten: u64,
    /// Disks that were replaced by older ones.
    pub restored: u64,
    /// Ways in which somebody lied.
    pub lies: u64,
    /// Changes of keys that were logged.
    pub keys: u64,
    /// Checkpoints of two trees that an honest witness was asked to cosign.
    pub forks: u64,
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
    /// Numbers of the planned events that happened.
    pub events: BTreeSet<usize>,
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
