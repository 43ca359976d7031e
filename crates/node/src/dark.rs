//! Logs that went dark: no quorum has cosigned one for `dark_s` (300 s), so the others say so, each in its own log.
//!
//! ```text
//! P2 19:00:00  a quorum's last cosignature, and then nothing
//! P1 19:05:00  checkpoints {notes: [P2's last, verbatim]}         once
//! P1 19:21:30  checkpoints {notes: [P2's next]}                   it came back
//! ```
//! What stands there is how far the log was known to be. What its keeper logs meanwhile nobody cosigned, so its proven time
//! comes after the gap, whatever time he claims. The gaps can be read from the logs by anybody:
//! [`hamsaya_record::timing::gaps`].
//!
//! A log is dark by two clocks: by the one that stamps, and by the one that paces. So neither a clock that jumped nor a node
//! that was itself switched off makes the others dark; and a node that hears nobody else says nothing, since it is cut off
//! itself. Where time stands still, as in a scenario, nothing is.
use crate::copies::Copy;
use crate::node::{At, Node, Status};
use hamsaya_record::Instant;
use hamsaya_record::founding::Founding;
use hamsaya_record::note::Note;
use hamsaya_record::statement::FieldValue;
use hamsaya_record::store::Store;
use hamsaya_record::timing::{self, Sighting};
use std::collections::{BTreeMap, BTreeSet};

/// How fresh a copy's checkpoint is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Freshness {
    /// As of when a quorum last cosigned it.
    as_of: Option<Instant>,
    /// When that was last found to be later than before, by the clock that paces; `None`: it is as it was read from the disk.
    renewed_ms: Option<u64>,
    /// It was logged that the log went dark, as of then, and not yet that it came back.
    said: Option<Instant>,
}

impl Freshness {
    /// The copy's checkpoint may have another line.
    pub(crate) fn renew(&mut self, note: Option<&Note>, founding: &Founding, at: At) {
        let as_of = note.and_then(|note| as_of(founding, note));
        if as_of > self.as_of {
            (self.as_of, self.renewed_ms) = (as_of, Some(at.elapsed_ms));
        }
    }

    /// Since when the log is dark.
    fn dark_since(&self, at: At, dark_s: u64) -> Option<Instant> {
        self.due_ms(at, dark_s).filter(|due| *due <= at.elapsed_ms).and(self.as_of)
    }

    /// When it is, by the clock that paces, if nothing comes.
    fn due_ms(&self, at: At, dark_s: u64) -> Option<u64> {
        let (as_of, now, renewed_ms) = (self.as_of?, at.now?, self.renewed_ms?);
        let left_s = as_of.0.saturating_add(seconds(dark_s)).saturating_sub(now.0).max(0);
        let by_time = at.elapsed_ms.saturating_add(left_s.unsigned_abs().saturating_mul(1000));
        Some(by_time.max(renewed_ms.saturating_add(dark_s.saturating_mul(1000))))
    }

    /// A quorum cosigned it a short while ago, and it was said that none did.
    fn is_back(&self, at: At, dark_s: u64) -> bool {
        let (Some(as_of), Some(now), Some(said)) = (self.as_of, at.now, self.said) else { return false };
        as_of > said && now.0.saturating_sub(as_of.0) < seconds(dark_s)
    }
}

fn seconds(s: u64) -> i64 {
    i64::try_from(s).unwrap_or(i64::MAX)
}

/// As of when a quorum cosigned the checkpoint.
pub(crate) fn as_of(founding: &Founding, note: &Note) -> Option<Instant> {
    let cosigned = timing::cosignatures(note.to_text().as_bytes(), founding);
    let numbers = founding.policy(note.text.lines().next()?)?.numbers()?;
    timing::last_quorum(numbers, cosigned.iter().map(|(_, witness, time)| (witness.as_str(), *time)))
}

impl<S: Store> Node<S> {
    /// What the copies and the own log say after a start.
    pub(crate) fn recall_dark(&mut self) {
        let dark_s = seconds(self.setup.pacing.dark_s);
        let sightings = self.own.as_ref().map_or(&[][..], |own| own.held.sightings());
        for (origin, copy) in &mut self.copies {
            copy.freshness.as_of = copy.follower.checkpoint().and_then(|note| as_of(&self.founding, note));
            let Some(numbers) = self.founding.policy(origin).and_then(|policy| policy.numbers()) else { continue };
            let Some(last) = sightings.iter().rev().find(|s| s.log == *origin) else { continue };
            let together = |s: &&Sighting| s.log == *origin && s.logged_index == last.logged_index;
            let shown = sightings.iter().rev().filter(together).map(|s| (s.witness.as_str(), s.time));
            let as_of = timing::last_quorum(numbers, shown);
            copy.freshness.said = as_of.filter(|as_of| last.stated_at.0.saturating_sub(as_of.0) >= dark_s);
        }
    }

    /// Logs at once that other logs went dark, or came back.
    pub(crate) fn log_dark(&mut self) {
        if self.own.is_none() || self.status != Status::Running || self.at.now.is_none() {
            return;
        }
        let (at, dark_s, stands_still) = (self.at, self.setup.pacing.dark_s, self.setup.skew_s_max.is_none());
        let mut notes = Vec::new();
        let keepers = self.copies.values().map(|copy| copy.keeper.clone());
        let hears: BTreeSet<String> = keepers.filter(|keeper| self.hears_others(keeper)).collect();
        for copy in self.copies.values_mut() {
            let freshness = &mut copy.freshness;
            // Counted from when this node began to ask, and to be answered.
            let is_cut_off = freshness.said.is_none() && !hears.contains(&copy.keeper);
            if is_cut_off || freshness.renewed_ms.is_none() {
                freshness.renewed_ms = Some(at.elapsed_ms);
            }
            if stands_still {
                continue;
            }
            let went_dark = freshness.dark_since(at, dark_s).filter(|_| freshness.said.is_none());
            let came_back = freshness.is_back(at, dark_s);
            if went_dark.is_some() || came_back {
                freshness.said = went_dark;
                notes.extend(copy.follower.checkpoint().map(|note| FieldValue::Text(note.to_text())));
            }
        }
        if !notes.is_empty() {
            self.say("checkpoints", BTreeMap::from([("notes".to_string(), FieldValue::List(notes))]));
        }
    }

    /// When the next log is dark, if it stays silent.
    pub(crate) fn dark_due_at(&self) -> Option<u64> {
        self.setup.skew_s_max?;
        let unsaid = self.copies.values().map(|copy| &copy.freshness).filter(|freshness| freshness.said.is_none());
        let due = unsaid.filter_map(|freshness| freshness.due_ms(self.at, self.setup.pacing.dark_s));
        due.min()
    }

    /// As of when a quorum last cosigned a log that is dark now; `None`: it is not, or is this node's own.
    pub fn dark_since(&self, origin: &str) -> Option<Instant> {
        self.setup.skew_s_max?;
        let copy: &Copy<S> = self.copies.get(origin)?;
        copy.freshness.dark_since(self.at, self.setup.pacing.dark_s)
    }
}
