//! Judging a record by an agreement.
use crate::source::Agreement;
use hamsaya_record::instant::Instant;
use hamsaya_record::logs::{Head, LoggedAt, Logs};
use hamsaya_record::statement::StatementId;

/// How an instance stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum State {
    Kept,
    Breached,
    Pending,
    Disputed,
}

/// Why it stands so, in one code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// What was owed was done, or what was barred was not.
    Performed,
    /// The ground of the duty fell before it was settled (R9).
    Discharged,
    /// The due instant passed without the act.
    NotPerformed,
    /// What was barred was done.
    Contravened,
    /// Time is left.
    Open,
    /// It hangs on facts that nobody has admitted.
    OnDisputedFacts,
}

/// An entry that a verdict cites.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cite {
    /// Origin of its log.
    pub origin: String,
    /// Index there.
    pub index: u64,
    /// Its statement.
    pub statement_id: StatementId,
    /// Kind of statement.
    pub kind: String,
    /// Who said it.
    pub party: String,
    /// When it is proven to have been logged.
    pub logged_at: LoggedAt,
}

/// An entry that is not there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Missing {
    /// Kind of statement (or the agreement's own word).
    pub kind: String,
    /// Field and value, where a certain value was looked for.
    pub fields: Vec<(String, String)>,
    /// From when; `None`: from the beginning.
    pub from: Option<Instant>,
    /// Until when; `None`: for ever.
    pub to: Option<Instant>,
}

/// Explanation as data; words come from `locales/`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reasons {
    /// Entries that opened the instance.
    pub opened_by: Vec<Cite>,
    /// Entries that settle it.
    pub because: Vec<Cite>,
    /// What was looked for and is not there.
    pub missing: Vec<Missing>,
    /// Entries, only asserted, on which a disputed state hangs.
    pub disputed: Vec<Cite>,
    /// A smallest set of entries whose removal would change the state.
    pub flip: Vec<Cite>,
    /// The proof, a line a node, indented by two spaces a level.
    pub proof: Vec<String>,
}

/// One opening of one part of one commitment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// As people write it: `C16.access(Q1, P1)`: values of the variables typed `id`, then the bearer.
    pub label: String,
    /// `C16`.
    pub commitment: String,
    /// `access`.
    pub part: Option<String>,
    /// `art_4__para_16`.
    pub address: String,
    /// Variable and value.
    pub valuation: Vec<(String, String)>,
    /// Who owes it.
    pub bearer: String,
    /// From when on acts count.
    pub since: Instant,
    /// When its clock opened.
    pub opened: Instant,
    /// When silence breaches it.
    pub due: Option<Instant>,
    /// When silence keeps it.
    pub until: Option<Instant>,
    /// How it stands.
    pub state: State,
    /// Why, in one code.
    pub reason: Reason,
    /// Since when it is breached.
    pub breached_since: Option<Instant>,
    /// When it was settled as kept.
    pub kept_at: Option<Instant>,
    /// Seconds between the act and the due instant.
    pub margin_s: Option<i64>,
    /// Why, in full.
    pub reasons: Reasons,
}

/// All verdicts on a record.
#[derive(Clone, Debug)]
pub struct Judgment {
    /// SHA-256 of the agreement.
    pub agreement: [u8; 32],
    /// Sorted heads of the logs that were judged.
    pub heads: Vec<Head>,
    /// Judged as of.
    pub as_of: Instant,
    /// By what was known by.
    pub known_by: Instant,
    /// Sorted as in the digest.
    pub verdicts: Vec<Verdict>,
}

/// What moved a verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Because {
    /// Only time passed.
    Clock,
    /// These entries came, were timed or were withdrawn.
    Entries(Vec<Cite>),
}

/// A verdict that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// As it was.
    pub before: Option<Verdict>,
    /// As it is.
    pub after: Option<Verdict>,
    /// What moved it.
    pub because: Because,
}

/// Why a record cannot be judged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JudgeError {
    /// The logs belong to another agreement.
    #[error(
        "the record belongs to agreement {found}, this is agreement {allowed}\nhint: give the agreement that the founding entry names"
    )]
    OtherAgreement {
        /// Hex of what the founding entries name.
        found: String,
        /// Hex of the agreement given.
        allowed: String,
    },
}

/// Judges `logs` by `agreement`: what is owed, kept, late and disputed at `as_of`, by what the witnesses prove to have
/// been logged by `known_by`. Pure; see agreement.md, "The judgment".
pub fn judge(
    _agreement: &Agreement,
    _logs: &Logs,
    _as_of: Instant,
    _known_by: Instant,
) -> Result<Judgment, JudgeError> {
    unimplemented!()
}

impl Judgment {
    /// The digest that nodes sign and compare.
    pub fn digest(&self) -> [u8; 32] {
        unimplemented!()
    }
    /// What differs from an earlier judgment, and why, in the order of the digest.
    pub fn changes_since(&self, _before: &Judgment) -> Vec<Change> {
        unimplemented!()
    }
}
