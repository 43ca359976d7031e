//! What counts in one log: its accepted entries, and the cosignatures that they carry.
//!
//! ```text
//! let mut held = Held::new(origin, founding_leaf)?;
//! log opened with |index, leaf| held.replay(index, leaf)
//! held.at(head)                 the verified log up to a head, to be judged
//! ```
use crate::erased::Erased;
use crate::naming::Naming;
use crate::node::OpenError;
use hamsaya_record::accept::{Acceptance, Accepted, Refusal};
use hamsaya_record::envelope::Envelope;
use hamsaya_record::founding::Founding;
use hamsaya_record::logs::{Entry, Head, Signer, VerifiedLog};
use hamsaya_record::merkle::{Roots, leaf_hash};
use hamsaya_record::statement::Statement;
use hamsaya_record::timing::Sighting;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One log as far as it counts.
#[derive(Clone, Debug)]
pub struct Held {
    pub(crate) acceptance: Acceptance,
    entries: Vec<Arc<Entry>>,
    sightings: Vec<Sighting>,
    /// So many of the sightings were told already.
    told: usize,
    roots: Roots,
    erased: Erased,
    naming: Naming,
    founding: Arc<Entry>,
    founding_leaf: Vec<u8>,
    /// Entry 0 of the log was another one.
    other_founding: bool,
}

impl Held {
    /// Of a log that begins with this founding.
    pub(crate) fn new(origin: &str, founding_leaf: &[u8]) -> Result<Held, Refusal> {
        let acceptance = Acceptance::found(origin, founding_leaf)?;
        let envelope = Envelope::parse_leaf(founding_leaf)?;
        let statement = Statement::parse(&envelope.payload)?;
        // Their signatures were verified when the founding was read.
        let signers = acceptance.founding().signers().map(|key| Signer {
            keyid: key.vkey.keyid(),
            node: key.node.clone(),
            role: key.role.name().to_string(),
        });
        let mut signers: Vec<Signer> = signers.collect();
        signers.sort();
        let entry =
            Entry { origin: origin.into(), index: 0, statement_id: envelope.statement_id(), statement, signers };
        Ok(Held {
            acceptance,
            entries: Vec::new(),
            sightings: Vec::new(),
            told: 0,
            roots: Roots::default(),
            erased: Erased::default(),
            naming: Naming::default(),
            founding: Arc::new(entry),
            founding_leaf: founding_leaf.to_vec(),
            other_founding: false,
        })
    }

    /// Takes the next entry of the log as it is.
    pub(crate) fn replay(&mut self, index: u64, leaf: &[u8]) {
        self.roots.push(leaf_hash(leaf));
        if index == 0 {
            self.other_founding = leaf != self.founding_leaf;
            self.entries.push(self.founding.clone());
            return;
        }
        // A refused entry stays in the log as bytes and counts for nothing.
        if let Ok(accepted) = self.acceptance.replay(leaf) {
            self.count(accepted);
        }
    }

    /// Takes an entry that acceptance has applied already.
    pub(crate) fn push(&mut self, accepted: Accepted, leaf: &[u8]) {
        self.roots.push(leaf_hash(leaf));
        self.count(accepted);
    }

    fn count(&mut self, mut accepted: Accepted) {
        // The first copy counts.
        if accepted.already.is_some() {
            return;
        }
        self.sightings.append(&mut accepted.sightings);
        let entry = accepted.into_entry(self.founding.origin.clone());
        self.erased.see(self.acceptance.founding(), &entry);
        // A file is its keeper's: what another member says in this log gives nobody a right to it.
        let keeper = self.acceptance.founding().keeper(&entry.origin).map(|member| member.name.as_str());
        if let Some(keeper) = keeper.filter(|keeper| *keeper == entry.statement.party) {
            self.naming.see(keeper, &entry);
        }
        self.entries.push(Arc::new(entry));
    }

    /// What its keeper erased.
    pub fn erased(&self) -> &Erased {
        &self.erased
    }

    /// Entries by which the log's keeper names a file and opens it to whom they mean, in order.
    pub(crate) fn opening(&self, sha256: &[u8; 32]) -> impl Iterator<Item = &Arc<Entry>> {
        self.naming.opened(sha256).filter_map(|index| self.entry(index))
    }

    /// Entries by which he names it lower than he may, which open nothing.
    pub(crate) fn idle(&self, sha256: &[u8; 32]) -> impl Iterator<Item = &Arc<Entry>> {
        self.naming.idle(sha256).filter_map(|index| self.entry(index))
    }

    pub(crate) fn check(&self, origin: &str) -> Result<(), OpenError> {
        if self.other_founding { Err(OpenError::OtherFounding(origin.to_string())) } else { Ok(()) }
    }

    /// Entries that count, in order.
    pub(crate) fn entries(&self) -> &[Arc<Entry>] {
        &self.entries
    }

    /// The entry at this index, if it counts.
    pub(crate) fn entry(&self, index: u64) -> Option<&Arc<Entry>> {
        let at = self.entries.partition_point(|e| e.index < index);
        self.entries.get(at).filter(|e| e.index == index)
    }

    /// First entry from `size` on that is not itself about checkpoints.
    pub(crate) fn first_plain_from(&self, size: u64) -> Option<u64> {
        let at = self.entries.partition_point(|e| e.index < size);
        self.entries[at..].iter().find(|e| e.statement.kind != "checkpoints").map(|e| e.index)
    }

    /// Cosignatures that its entries carry, in order.
    pub(crate) fn sightings(&self) -> &[Sighting] {
        &self.sightings
    }

    /// Tells of the cosignatures that came since it was last asked.
    pub(crate) fn times(&mut self, timed: &mut Timed) {
        self.sightings[self.told..].iter().for_each(|sighting| timed.see(sighting));
        self.told = self.sightings.len();
    }

    /// The log up to a head.
    pub(crate) fn at(&self, head: Head) -> VerifiedLog {
        let entries = self.entries[..self.entries.partition_point(|e| e.index < head.size)].to_vec();
        let sightings = self.sightings[..self.sightings.partition_point(|s| s.logged_index < head.size)].to_vec();
        VerifiedLog { head, entries, sightings, roots: self.roots.clone() }
    }
}

/// How far logged cosignatures prove the times of each log's entries.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timed {
    /// By log, then witness: the largest size that it cosigned.
    sizes: BTreeMap<String, BTreeMap<String, u64>>,
}

impl Timed {
    fn see(&mut self, sighting: &Sighting) {
        let by_witness = self.sizes.entry(sighting.log.clone()).or_default();
        let size = by_witness.entry(sighting.witness.clone()).or_default();
        *size = (*size).max(sighting.size);
    }

    /// Entries below this have the cosignatures of a quorum: one alone, logged by whoever, proves nothing.
    pub(crate) fn size(&self, founding: &Founding, log: &str) -> u64 {
        let numbers = founding.policy(log).and_then(|policy| policy.numbers());
        let mut sizes: Vec<u64> = self.sizes.get(log).into_iter().flatten().map(|(_, size)| *size).collect();
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        numbers.and_then(|n| sizes.get(n.q.checked_sub(1)?).copied()).unwrap_or_default()
    }
}
