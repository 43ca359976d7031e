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
        let mut told = None;
        for _ in 0..CONFLICTS_MAX {
            let (origin, old) = (self.origin.clone(), self.announced);
            let asked = self.shell.ask(move |node| node.announcement(&origin, old)).await;
            let (note, size, body) = asked.ok().flatten().ok_or(Failed::Here)?;
            let (status, text) = self.announce(body).await?;
            match (status, text.trim().parse()) {
                (200, _) => {
                    self.announced = size;
                    told = Some((note, size));
                    break;
                }
                // What is told twice is not told again: the mirror knows more than was published when we last looked.
                (409, Ok(known)) => self.announced = known,
                _ => return Err(Failed::Refused),
            }
        }
        // Or it heard of another size each time.
        let (note, end) = told.ok_or(Failed::Refused)?;
        // Mostly it has pulled them: then there is nothing to bring.
        let (mut start, mut ticket, mut conflicts) = (end, Vec::new(), 0);
        loop {
            let (origin, with) = (self.origin.clone(), ticket.clone());
            let asked = self.shell.ask(move |node| node.entries_for_mirror(&origin, start, end, &with)).await;
            let body = asked.ok().flatten().ok_or(Failed::Here)?;
            let (status, text) = self.send(body).await?;
            let held = Holding::parse(&text);
            match (status, held) {
                (200, _) => {
                    return Receipt::read(&self.peer.name, &self.mirror, &note, &text).ok_or(Failed::Refused);
                }
                // A mirror goes on by whole packages, or it makes us work for nothing.
                (202, Some(held)) if held.next > start && held.next % WIDTH == 0 && held.size == end => {
                    (start, ticket) = (held.next, held.ticket);
                }
                (409, Some(held)) if held.size == end && conflicts < CONFLICTS_MAX => {
                    conflicts += 1;
                    (start, ticket) = (held.next.min(end), held.ticket);
                }
                _ => return Err(Failed::Refused),
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
