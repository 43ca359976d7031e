//! Brings one mirror what it lacks of one log, and takes home what it signs.
//!
//! ```text
//! add-checkpoint   200: it heard · 409: it last heard of another size
//! add-entries      of nothing, mostly: it pulled them · 202, 409: from where to go on · 200: its line, a receipt
//! ```
//! The log is this node's own or a copy: whoever holds entries can bring them. What the mirror answers and that it does not
//! answer are told apart.
use crate::node::{Node, Silence};
use crate::receipts::Receipt;
use crate::shell::Shell;
use crate::wire::{Carrier, Peer};
use hamsaya_record::checkpoint::Checkpoint;
use hamsaya_record::key::Vkey;
use hamsaya_record::mirror::{Holding, upload};
use hamsaya_record::note::Note;
use hamsaya_record::store::Store;
use hamsaya_record::tile::WIDTH;
use hamsaya_record::witness::{self, origin_hash};
use std::sync::Arc;

/// So often may a mirror ask for other entries than those that came, in a row.
const CONFLICTS_MAX: usize = 4;

/// What a mirror is sent next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// `add-checkpoint`, with a proof that it goes on from this size.
    Checkpoint {
        /// What it last heard of.
        old: u64,
    },
    /// `add-entries`, as many as one request takes.
    Entries {
        /// From this one on.
        start: u64,
        /// Size of the checkpoint.
        end: u64,
        /// As the mirror gave it.
        ticket: Vec<u8>,
    },
}

/// The mirror says no, or makes its sender work for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

/// One log on its way to one mirror: what it is sent, and what its answers mean, whoever sends and by whatever line.
#[derive(Clone, Debug)]
pub struct Sending {
    next: Next,
    heard: u64,
    conflicts: usize,
}

impl Sending {
    /// To a mirror that last heard of this size, as far as is known.
    pub fn new(heard: u64) -> Sending {
        Sending { next: Next::Checkpoint { old: heard }, heard, conflicts: 0 }
    }

    /// What it is sent next.
    pub fn next(&self) -> &Next {
        &self.next
    }

    /// The size that it last heard of.
    pub fn heard(&self) -> u64 {
        self.heard
    }

    /// Takes its answer to that, status and text. `size`: that of the checkpoint. True: it signed, and the text holds its line.
    pub fn answered(&mut self, size: u64, status: u16, text: &str) -> Result<bool, Refused> {
        let held = Holding::parse(text);
        match (&self.next, status, held) {
            // Mostly it has pulled the entries: then there is nothing to bring.
            (Next::Checkpoint { .. }, 200, _) => {
                self.heard = size;
                (self.next, self.conflicts) = (Next::Entries { start: size, end: size, ticket: Vec::new() }, 0);
            }
            // What is told twice is not told again: the mirror knows more than was published when we last looked.
            (Next::Checkpoint { .. }, 409, _) if self.conflicts < CONFLICTS_MAX => {
                self.heard = text.trim().parse().map_err(|_| Refused)?;
                self.next = Next::Checkpoint { old: self.heard };
                self.conflicts += 1;
            }
            (Next::Entries { .. }, 200, _) => return Ok(true),
            // A mirror goes on by whole packages, or it makes us work for nothing.
            (Next::Entries { start, end, .. }, 202, Some(held))
                if held.next > *start && held.next < *end && held.next % WIDTH == 0 && held.size == *end =>
            {
                self.next = Next::Entries { start: held.next, end: *end, ticket: held.ticket };
            }
            (Next::Entries { end, .. }, 409, Some(held)) if held.size == *end && self.conflicts < CONFLICTS_MAX => {
                self.next = Next::Entries { start: held.next.min(*end), end: *end, ticket: held.ticket };
                self.conflicts += 1;
            }
            _ => return Err(Refused),
        }
        Ok(false)
    }
}

/// Why a mirror did not sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failed {
    /// It answered something else.
    Refused,
    /// It did not answer.
    Silent,
    /// This node has nothing to bring, or stops.
    Here,
}

impl From<Silence> for Failed {
    fn from(_: Silence) -> Failed {
        Failed::Silent
    }
}

impl<S: Store> Node<S> {
    /// The published checkpoint of a log that is held here, and what a mirror that last heard of size `old` is told of it.
    fn announcement(&self, origin: &str, old: u64) -> Option<(Note, u64, Vec<u8>)> {
        let note = self.published(origin)?.newest();
        let size = Checkpoint::parse(&note.text).ok()?.size;
        let proof = self.tiles(origin)?.prove_consistency(old, size).ok()?.unwrap_or_default();
        let body = witness::request(old, &proof, &note);
        Some((note, size, body))
    }

    /// Number of entries that are published of a log.
    pub(crate) fn published_size(&self, origin: &str) -> Option<u64> {
        Some(Checkpoint::parse(&self.published(origin)?.text).ok()?.size)
    }

    /// Entries of a log for a mirror.
    fn entries_for_mirror(&self, origin: &str, start: u64, end: u64, ticket: &[u8]) -> Option<Vec<u8>> {
        let tiles = self.tiles(origin)?;
        let fits = start <= end && end <= tiles.size();
        if fits { upload(tiles, origin, start, end, ticket).ok() } else { None }
    }
}

/// Who brings one mirror one log.
#[derive(Clone)]
pub(crate) struct Bringer {
    shell: Shell,
    carrier: Arc<Carrier>,
    peer: Peer,
    mirror: Vkey,
    origin: String,
    /// Size that the mirror last heard of.
    announced: u64,
}

impl Bringer {
    /// `mirror`: the peer's key.
    pub(crate) fn new(shell: &Shell, peer: &Peer, mirror: &Vkey, origin: &str) -> Bringer {
        Bringer {
            shell: shell.clone(),
            carrier: Arc::new(Carrier::new(peer.tls.clone())),
            peer: peer.clone(),
            mirror: mirror.clone(),
            origin: origin.to_string(),
            announced: 0,
        }
    }

    /// Announces what is published and brings what is lacking.
    pub(crate) async fn bring(&mut self) -> Result<Receipt, Failed> {
        let (mut sending, mut told) = (Sending::new(self.announced), None);
        loop {
            let origin = self.origin.clone();
            let (status, text) = match sending.next().clone() {
                Next::Checkpoint { old } => {
                    let asked = self.shell.ask(move |node| node.announcement(&origin, old)).await;
                    let (note, size, body) = asked.ok().flatten().ok_or(Failed::Here)?;
                    told = Some((note, size));
                    self.announce(body).await?
                }
                Next::Entries { start, end, ticket } => {
                    let asked = self.shell.ask(move |node| node.entries_for_mirror(&origin, start, end, &ticket)).await;
                    self.send(asked.ok().flatten().ok_or(Failed::Here)?).await?
                }
            };
            let (note, size) = told.as_ref().ok_or(Failed::Here)?;
            let signed = sending.answered(*size, status, &text);
            self.announced = sending.heard();
            if signed.map_err(|Refused| Failed::Refused)? {
                return Receipt::read(&self.peer.name, &self.mirror, note, &text).ok_or(Failed::Refused);
            }
        }
    }

    /// The checkpoint of the log that the mirror shows as signed, with its receipt; `None`: it shows none.
    pub(crate) async fn signed(&self) -> Result<Option<(Note, Receipt)>, Failed> {
        let url = format!("{}/mirror/{}/checkpoint", self.peer.url, origin_hash(&self.origin));
        let carrier = self.carrier.clone();
        let asked = tokio::task::spawn_blocking(move || carrier.look(&url)).await;
        let (status, text) = asked.map_err(|_| Failed::Here)??;
        match status {
            200 => {
                let note = Note::parse(text.as_bytes()).map_err(|_| Failed::Refused)?;
                let lines = text.split_once("\n\n").map_or("", |(_, lines)| lines);
                Ok(Receipt::read(&self.peer.name, &self.mirror, &note, lines).map(|receipt| (note, receipt)))
            }
            404 => Ok(None),
            _ => Err(Failed::Refused),
        }
    }

    async fn announce(&self, body: Vec<u8>) -> Result<(u16, String), Failed> {
        let (carrier, url) = (self.carrier.clone(), format!("{}/mirror/add-checkpoint", self.peer.url));
        let asked = tokio::task::spawn_blocking(move || carrier.announce(&url, &body));
        Ok(asked.await.map_err(|_| Failed::Here)??)
    }

    async fn send(&self, body: Vec<u8>) -> Result<(u16, String), Failed> {
        let key = self.shell.ask(|node| node.node_key().clone()).await.map_err(|_| Failed::Here)?;
        let (carrier, url) = (self.carrier.clone(), format!("{}/mirror/add-entries", self.peer.url));
        let asked = tokio::task::spawn_blocking(move || carrier.bring(&url, &body, &key));
        Ok(asked.await.map_err(|_| Failed::Here)??)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(start: u64) -> Next {
        Next::Entries { start, end: 700, ticket: b"t".to_vec() }
    }

    #[test]
    fn goes_on_from_where_the_mirror_says() {
        let mut sending = Sending::new(0);
        assert_eq!(sending.answered(700, 409, "12\n"), Ok(false));
        assert_eq!((sending.next(), sending.heard()), (&Next::Checkpoint { old: 12 }, 12));
        assert_eq!(sending.answered(700, 200, ""), Ok(false));
        assert_eq!(sending.next(), &Next::Entries { start: 700, end: 700, ticket: vec![] });
        assert_eq!(sending.heard(), 700);
        let holds = |next: u64| Holding { size: 700, next, ticket: b"t".to_vec() }.to_text();
        for (status, next) in [(409, 13), (202, 256), (202, 512)] {
            assert_eq!(sending.answered(700, status, &holds(next)), Ok(false), "{status} {next}");
            assert_eq!(sending.next(), &entries(next));
        }
        // Not on, backwards, within a package, beyond the end, up to another size.
        for (next, size) in [(512, 700), (256, 700), (600, 700), (768, 700), (768, 900)] {
            let holds = Holding { size, next, ticket: vec![] }.to_text();
            assert_eq!(sending.clone().answered(700, 202, &holds), Err(Refused), "{next} {size}");
        }
        assert_eq!(sending.answered(700, 200, "— m 1+x\n"), Ok(true));
    }

    #[test]
    fn a_mirror_that_never_agrees_is_left() {
        for (status, text) in [(409, "12\n".to_string()), (403, String::new()), (500, "?".into()), (409, "x\n".into())]
        {
            let mut sending = Sending::new(0);
            let answers = std::iter::from_fn(|| Some(sending.answered(700, status, &text)));
            assert!(answers.take(CONFLICTS_MAX + 1).any(|answer| answer == Err(Refused)), "{status} {text}");
        }
        let mut sending = Sending::new(0);
        let _ = sending.answered(700, 200, "");
        let holds = Holding { size: 700, next: 3, ticket: vec![] }.to_text();
        let answers = std::iter::from_fn(|| Some(sending.answered(700, 409, &holds)));
        assert!(answers.take(CONFLICTS_MAX + 1).any(|answer| answer == Err(Refused)));
    }
}
