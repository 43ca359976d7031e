//! What a node asks before it signs anything: whether its disk is as new as what the world has seen of its log.
//!
//! ```text
//! start ──► AskNewest of every witness ──► v answered, none ahead of the disk ──► Running
//!              │ one is ahead: the disk is older ──► another's copy is fetched, taken back, and all are asked again
//!              │                                     nobody holds it: stopped
//!              └ another tree at one of our sizes: stopped
//! ```
//! v answers meet any quorum in an honest witness (record.md, section 4), so a disk restored from an old copy heals or
//! stops; it never signs a second story.
use crate::copies::{Wanted, trusted};
use crate::node::{Action, Event, News, Node, Silence, Status, Ticket, head_of};
use hamsaya_record::log::{Confirmation, LogError};
use hamsaya_record::note::Note;
use hamsaya_record::store::Store;
use hamsaya_record::tiles::TilesError;
use std::collections::BTreeSet;

/// Who has not answered is asked again after so long.
const AGAIN_MS: u64 = 500;

/// What is known so far.
#[derive(Debug, Default)]
pub(crate) struct Recovery {
    next_ms: u64,
    answered: BTreeSet<String>,
    /// Size that a witness cosigned and this disk does not hold.
    ahead: Option<u64>,
    /// Who was asked for a copy of what is lost, and does not hold it.
    short: BTreeSet<String>,
    /// The copy that is being fetched, and from whom.
    fetching: Option<(String, Wanted)>,
}

impl Recovery {
    pub(crate) fn wake_at(&self) -> u64 {
        self.next_ms
    }
}

impl<S: Store> Node<S> {
    /// A log that has entries asks first what the witnesses saw of it.
    pub(crate) fn begin_recovery(&mut self) {
        if let Some(own) = self.own.as_mut().filter(|own| own.log.size() > 0) {
            let needed = own.policy.numbers().map_or(own.cosigners.len(), |numbers| numbers.v);
            own.log.ask_first(needed.min(own.cosigners.len()));
            own.recovery = Some(Recovery::default());
            self.status = Status::Starting;
        }
    }

    pub(crate) fn ask_newest(&mut self) {
        let at = self.at;
        let Some(own) = &mut self.own else { return };
        let Some(recovery) = own.recovery.as_mut().filter(|r| r.next_ms <= at.elapsed_ms) else { return };
        recovery.next_ms = at.elapsed_ms + AGAIN_MS;
        let origin = own.log.origin().to_string();
        if recovery.ahead.is_none() {
            for peer in own.cosigners.keys().filter(|p| !recovery.answered.contains(*p)) {
                self.out.push(Action::AskNewest { peer: peer.clone(), origin: origin.clone() });
            }
        } else if recovery.fetching.is_none() {
            let keeps = |peer: &String| self.founding.member(peer).is_some_and(|m| m.origin.is_some());
            let peers = self.setup.peers.iter().filter(|p| keeps(p) && !recovery.short.contains(*p));
            for peer in peers {
                let (origin, peer) = (origin.clone(), peer.clone());
                self.out.push(Action::FetchCheckpoint { origin, peer, etag: None, hold_ms: 0 });
            }
        }
    }

    /// What a witness last cosigned of our log.
    pub(crate) fn newest_seen(&mut self, peer: &str, answer: Result<Option<Vec<u8>>, Silence>) {
        let Ok(note) = answer else { return };
        self.heard(peer);
        let Some(own) = &mut self.own else { return };
        let (Some(recovery), Some(cosigner)) = (&mut own.recovery, own.cosigners.get_mut(peer)) else { return };
        match own.log.confirm(&cosigner.vkey, note.as_deref()) {
            Ok(Confirmation::Counted { .. }) => {
                let seen = note.and_then(|note| head_of(&Note::parse(&note).ok()?));
                cosigner.size = seen.map_or(0, |head| head.size);
                recovery.answered.insert(peer.to_string());
                if own.log.unconfirmed() == 0 {
                    self.recovered();
                }
            }
            Ok(Confirmation::Ahead(note)) => {
                let size = head_of(&note).map_or(0, |head| head.size);
                recovery.ahead = recovery.ahead.max(Some(size));
                recovery.next_ms = self.at.elapsed_ms;
            }
            // What we did not sign is not ours: the witness has not answered.
            Ok(Confirmation::Foreign(_)) => (),
            Ok(Confirmation::Contradicted(_)) => self.stop(format!("{peer} cosigned another tree of our log")),
            Err(error) => self.stop(error.to_string()),
        }
    }

    fn recovered(&mut self) {
        let Some(own) = &mut self.own else { return };
        own.recovery = None;
        self.status = Status::Running;
        let (unsaid, waiting) = (std::mem::take(&mut own.unsaid), std::mem::take(&mut own.before_recovery));
        for (kind, fields) in unsaid {
            self.say(&kind, fields);
        }
        for (ticket, bytes) in waiting {
            self.submitted_before(ticket, bytes);
        }
    }

    fn submitted_before(&mut self, ticket: Ticket, bytes: Vec<u8>) {
        let before = std::mem::take(&mut self.out);
        let more = self.handle(Event::Submitted { ticket, bytes }, self.at);
        self.out = before;
        self.out.extend(more);
    }

    pub(crate) fn is_own(&self, origin: &str) -> bool {
        self.own.as_ref().is_some_and(|own| own.log.origin() == origin)
    }

    /// Another node's copy of our log: as new as what we lost, or not.
    pub(crate) fn lost_checkpoint(&mut self, peer: &str, answer: Result<News, Silence>) {
        let Some(own) = &mut self.own else { return };
        let Some(recovery) = own.recovery.as_mut().filter(|r| r.fetching.is_none()) else { return };
        let Some(ahead) = recovery.ahead else { return };
        let Ok(news) = answer else { return };
        let found = match news {
            News::Checkpoint { note, .. } => trusted(&self.founding, own.log.origin(), &note),
            _ => None,
        };
        match found.filter(|(size, _)| *size >= ahead) {
            Some((size, note)) => {
                let wanted = Wanted::new(note, size, None);
                let tiles = wanted.next_bundles(own.log.size());
                recovery.fetching = Some((peer.to_string(), wanted));
                let origin = own.log.origin().to_string();
                self.out.push(Action::FetchEntries { origin, peer: peer.to_string(), tiles });
            }
            None => self.holds_no_copy(peer),
        }
    }

    pub(crate) fn lost_entries(&mut self, peer: &str, answer: Result<Vec<Vec<u8>>, Silence>) {
        let Some(own) = &mut self.own else { return };
        let Some(recovery) = &mut own.recovery else { return };
        let Some((_, mut wanted)) = recovery.fetching.take().filter(|(from, _)| from == peer) else { return };
        let held = own.log.size();
        match answer {
            Err(_) => (),
            Ok(bundles) if !wanted.take(held, &bundles) => self.holds_no_copy(peer),
            Ok(_) if !wanted.is_complete(held) => {
                let tiles = wanted.next_bundles(held);
                recovery.fetching = Some((peer.to_string(), wanted));
                let origin = own.log.origin().to_string();
                self.out.push(Action::FetchEntries { origin, peer: peer.to_string(), tiles });
            }
            Ok(_) => self.take_back(peer, &wanted),
        }
    }

    /// The lost entries are what we signed: they are ours again, and everybody is asked once more.
    fn take_back(&mut self, peer: &str, wanted: &Wanted) {
        let Some(own) = &mut self.own else { return };
        let from = own.log.size();
        match own.log.restore(wanted.note.to_text().as_bytes(), &wanted.leaves) {
            Ok(()) => (),
            // The peer sent other entries than we signed for: that is no copy, and says nothing of our disk.
            Err(LogError::Tiles(TilesError::OtherRoot { .. })) => return self.holds_no_copy(peer),
            Err(error) => return self.not_logged(error),
        }
        for (index, leaf) in (from..).zip(&wanted.leaves) {
            own.held.replay(index, leaf);
        }
        own.held.times(&mut self.timed);
        own.recovery = Some(Recovery::default());
        self.alarm(format!(
            "entries {from} to {} were lost on this disk and taken back from another node",
            wanted.size
        ));
        self.bench.record_changed(self.at);
    }

    fn holds_no_copy(&mut self, peer: &str) {
        let keepers = self.setup.peers.iter().filter(|p| self.founding.member(p).is_some_and(|m| m.origin.is_some()));
        let keepers = keepers.count();
        let Some(own) = &mut self.own else { return };
        let Some(recovery) = &mut own.recovery else { return };
        recovery.short.insert(peer.to_string());
        if let (Some(ahead), true) = (recovery.ahead, recovery.short.len() >= keepers) {
            let held = own.log.size();
            self.stop(format!(
                "a witness cosigned size {ahead} of our log, this disk holds {held} and nobody a copy of the rest: \
                 it is older than what the world has seen"
            ));
        }
    }
}
