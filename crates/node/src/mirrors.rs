//! A node's mirror (C2SP tlog-mirror): entries may be brought to it, and it signs that it holds them.
//!
//! ```text
//! MirrorAsked ──► pending checkpoint, of a quorum ──► packages, each proven ──► the copy follows ──► signed
//! ```
//! Copies are pulled anyway ([`crate::copies`]); what is brought goes into the same copies by the same rule, that a quorum of
//! the log's witnesses cosigned the checkpoint. So nobody keeps a log from a node by keeping it from asking, and whoever
//! brings entries takes home a signature that the node has them.
use crate::copies::trusted;
use crate::node::{Action, Answer, Brought, Node, Status, Ticket};
use hamsaya_record::mirror::{MirrorAnswer, Taken};
use hamsaya_record::note::Note;
use hamsaya_record::store::Store;
use hamsaya_record::tiles::TilesError;

impl<S: Store> Node<S> {
    pub(crate) fn mirror_asked(&mut self, ticket: Ticket, brought: Brought, body: &[u8]) {
        let answer = match &self.status {
            Status::Stopped(why) => Answer::Paused(why.clone()),
            _ => self.mirrored(brought, body).unwrap_or_else(|error| {
                self.not_stored(&error);
                Answer::Paused(error.to_string())
            }),
        };
        self.out.push(Action::Reply { ticket, answer });
    }

    fn mirrored(&mut self, brought: Brought, body: &[u8]) -> Result<Answer, TilesError> {
        let Some(now) = self.at.now else {
            return Ok(Answer::Paused("the scenario's clock was not set yet".to_string()));
        };
        let (Some(mirror), copies) = (&mut self.mirror, &self.copies) else { return Ok(Answer::NoMirror) };
        let taken = match brought {
            Brought::Checkpoint => {
                let founding = &self.founding;
                let of_quorum = |note: &Note| {
                    let origin = note.text.lines().next()?;
                    trusted(founding, origin, note.to_text().as_bytes()).map(|(_, note)| note)
                };
                let copy = |origin: &str| {
                    let tiles = copies.get(origin)?.follower.tiles();
                    (tiles.size() > 0).then(|| (tiles.size(), tiles.root()))
                };
                let answer = mirror.add_checkpoint(body, copy, of_quorum)?;
                return Ok(answer.map_or(Answer::Noted, Answer::Witness));
            }
            Brought::Entries => mirror.add_entries(body, |origin| Some(copies.get(origin)?.follower.tiles()))?,
        };
        let (origin, note, size, leaves) = match taken {
            Taken::Answer(answer) => return Ok(Answer::Mirror(answer)),
            Taken::Complete { origin, note, size, leaves } => (origin, note, size, leaves),
        };
        if !self.brought(&origin, note, size, leaves) {
            let why = format!("the copy of {origin} could not follow to size {size}");
            return Ok(Answer::Mirror(MirrorAnswer::Busy(why)));
        }
        let (Some(mirror), Some(copy)) = (&mut self.mirror, self.copies.get(&origin)) else {
            return Ok(Answer::NoMirror);
        };
        Ok(Answer::Mirror(mirror.cosign(&origin, size, copy.follower.tiles(), now)?))
    }

    /// The last checkpoint of a log that the mirror signed, by the hash of its origin.
    pub fn mirrored_checkpoint(&self, hash: &str) -> Option<&Note> {
        self.mirror.as_ref()?.checkpoint_by_hash(hash)
    }
}
