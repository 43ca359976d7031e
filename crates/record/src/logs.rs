//! The verified entries of every log under given heads: all that a judgment reads.
use crate::instant::Instant;
use crate::statement::{Statement, StatementId};
use std::sync::Arc;

/// One log under judgment: the sorted `(origin, size, root)` of a judgment's header.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Head {
    /// Origin of the log.
    pub origin: String,
    /// Number of entries.
    pub size: u64,
    /// Root hash of the tree over them (RFC 6962).
    pub root: [u8; 32],
}

/// When the witnesses' cosignatures prove that an entry was logged: not before `lo`, by `hi`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LoggedAt {
    /// Before this instant it was not in the log. [`i64::MIN`] if no cosignature says so.
    pub lo: Instant,
    /// By this instant it was.
    pub hi: Instant,
}

/// Whose key signed an entry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Signer {
    /// `<key name>+<hex8>`.
    pub keyid: String,
    /// The node (party, guarantor, institution) that the key belongs to, e.g. `P1`.
    pub node: String,
    /// `log witness mirror node office device recovery`.
    pub role: String,
}

/// One verified entry that carries a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Origin of the log that holds it.
    pub origin: Arc<str>,
    /// Its place there.
    pub index: u64,
    /// SHA-256 of its payload.
    pub statement_id: StatementId,
    /// What it says.
    pub statement: Statement,
    /// Who signed it, verified; sorted.
    pub signers: Vec<Signer>,
}

/// Verified logs. Built by [`crate::logs`] from folders or a node's memory; given to `judge`.
#[derive(Clone, Debug, Default)]
pub struct Logs {
    heads: Vec<Head>,
    entries: Vec<Entry>,
    fixed_times: Option<Vec<LoggedAt>>,
}

impl Logs {
    /// Entries with the interval of each given beforehand, for literate cases and tests; the heads are empty.
    pub fn with_times(timed: Vec<(Entry, LoggedAt)>) -> Logs {
        let mut timed = timed;
        timed.sort_by(|(a, _), (b, _)| (&a.origin, a.index).cmp(&(&b.origin, b.index)));
        let (entries, times) = timed.into_iter().unzip();
        Logs { heads: Vec::new(), entries, fixed_times: Some(times) }
    }

    /// Heads of all logs, sorted by origin.
    pub fn heads(&self) -> &[Head] {
        &self.heads
    }

    /// All entries, sorted by origin, then index. Founding and `checkpoints` entries are among them.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// When the `n`-th of [`Logs::entries`] is proven to have been logged by cosignatures with times up to `known_by`;
    /// `None`: not proven by then, so nobody is held to know it.
    pub fn logged_at(&self, n: usize, known_by: Instant) -> Option<LoggedAt> {
        let times = self.fixed_times.as_ref()?;
        times.get(n).copied().filter(|t| t.hi <= known_by)
    }
}
