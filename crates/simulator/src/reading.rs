//! What a node holds of the logs: as it has it in memory, and as a stranger reads it from its disk.
//!
//! ```text
//! read("P2", heads)     what the node judges
//! reread("P2", heads)   the same logs out of its stores, by the code that verifies a folder
//! ```
//! Planted mistakes of a judge are made here, on what it reads.
use crate::Plant;
use crate::town::{QUORUM, START, founding_leaf};
use crate::world::World;
use hamsaya_record::checkpoint::Checkpoint;
use hamsaya_record::founding::Founding;
use hamsaya_record::logs::{Head, Logs};
use hamsaya_record::note::Note;
use hamsaya_record::statement::Act;
use hamsaya_record::store::{Memory, Overlay, Store};
use hamsaya_record::tiles::Tiles;
use hamsaya_record::timing::{Sighting, cosignatures};
use hamsaya_record::verify::Replay;
use std::sync::Arc;

impl World {
    /// What a keeper judges at these heads.
    pub(crate) fn read(&self, name: &'static str, heads: &[Head]) -> Logs {
        let planted = self.options.plant.filter(|_| name == self.planted);
        match planted {
            Some(
                Plant::ReadsUnverifiedTile
                | Plant::ForgetsWithdrawals
                | Plant::WrongQuorumTime
                | Plant::CountsUnloggedCosignatures,
            ) => self.reread(name, heads, planted),
            Some(Plant::OverlooksLastEntry) => {
                let shorter = heads.iter().filter(|h| h.size > 1).map(|h| Head { size: h.size - 1, ..h.clone() });
                self.logs_at(name, heads).cut(&shorter.collect::<Vec<_>>())
            }
            _ => self.logs_at(name, heads),
        }
    }

    fn logs_at(&self, name: &str, heads: &[Head]) -> Logs {
        self.homes.get(name).and_then(|home| home.node.as_ref()).map(|node| node.logs_at(heads)).unwrap_or_default()
    }

    /// What lies on its disk under these heads.
    pub(crate) fn reread(&self, name: &'static str, heads: &[Head], planted: Option<Plant>) -> Logs {
        let Some(home) = self.homes.get(name) else { return Logs::default() };
        let quorum = if planted == Some(Plant::WrongQuorumTime) { QUORUM - 1 } else { QUORUM };
        let leaf = founding_leaf(&self.options.agreement, quorum);
        let Ok(founding) = Founding::from_leaf(&leaf).map(Arc::new) else { return Logs::default() };
        let mut logs = Vec::new();
        for head in heads {
            let Some(store) = home.disk.held(name, &head.origin) else { continue };
            let mut replay = Replay::new(&head.origin);
            for (index, leaf) in (0..head.size).zip(leaves(store, &founding, &head.origin)) {
                let received = self.received.get(&(head.origin.clone(), index));
                let received = received.filter(|_| planted == Some(Plant::ReadsUnverifiedTile));
                replay.leaf(index, received.unwrap_or(&leaf));
            }
            let mut log = replay.under(head.clone());
            if planted == Some(Plant::ForgetsWithdrawals) {
                log.entries.retain(|entry| entry.statement.act != Act::Withdraw);
            }
            if planted == Some(Plant::CountsUnloggedCosignatures) {
                log.sightings.extend(seen(store, &founding, head));
            }
            logs.push(log);
        }
        Logs::verified(&founding, logs)
    }
}

/// The entries of a log that a store holds, in their places or staged.
fn leaves(store: &Memory, founding: &Founding, log: &str) -> Vec<Vec<u8>> {
    let mut leaves = Vec::new();
    if let Some(key) = founding.log_key(log) {
        // What does not fit ends it, and is missed by whoever compares.
        let _ = Tiles::open(Overlay::new(store.clone()), key, |_, leaf| leaves.push(leaf.to_vec()));
    }
    leaves
}

/// The cosignatures under the checkpoint that a store publishes, as if they had been logged.
fn seen(store: &Memory, founding: &Founding, head: &Head) -> Vec<Sighting> {
    let Ok(Some((note, _))) = store.read("checkpoint") else { return Vec::new() };
    let lines = cosignatures(&note, founding).into_iter();
    let sighting = |(checkpoint, witness, time): (Checkpoint, String, _)| Sighting {
        log: head.origin.clone(),
        witness,
        size: checkpoint.size,
        root: checkpoint.root,
        time,
        logged_in: head.origin.clone(),
        logged_index: 0,
        stated_at: START,
    };
    lines.map(sighting).collect()
}

/// The checkpoint of a signed note; its signatures are not looked at.
pub(crate) fn checkpoint_in(note: &[u8]) -> Option<Checkpoint> {
    let note = Note::parse(note).ok()?;
    Checkpoint::parse(&note.text).ok()
}
