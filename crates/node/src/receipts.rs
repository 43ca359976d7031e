//! Who holds this node's entries, by his own signature: what mirrors signed, kept as receipts.
//!
//! ```text
//! published ──► mirror_s later ──► every mirror: add-checkpoint · add-entries, mostly of nothing ──► receipts.jsonl
//! {"by":"P2","size":13,"root":"Jx9y…","time":1795550404,"line":"— p2.example/mirror 1/xN…"}
//! ```
//! A copy is pulled by whoever keeps it. So that nobody can say afterwards that he never had an entry, its author brings it to
//! him: a mirror that pulled it already is brought nothing and signs; one that did not is brought what it lacks. Receipts are
//! evidence beside the record: no verdict reads them. A line that was not written when the process was killed is asked for
//! again with the next checkpoint.
use crate::config::Pacing;
use crate::node::{Node, Silence, head_of};
use crate::shell::Shell;
use crate::wire::{Carrier, Peer};
use hamsaya_record::Instant;
use hamsaya_record::checkpoint::Checkpoint;
use hamsaya_record::cosignature;
use hamsaya_record::founding::Founding;
use hamsaya_record::key::{Role, Vkey};
use hamsaya_record::mirror::{Holding, upload};
use hamsaya_record::note::{Note, NoteSignature};
use hamsaya_record::store::Store;
use hamsaya_record::tile::WIDTH;
use hamsaya_record::witness;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The file, one receipt a line.
pub const FILE: &str = "receipts.jsonl";
/// So often may a mirror ask for other entries than those that came, in a row.
const CONFLICTS_MAX: usize = 4;

/// That a mirror held the first `size` entries at a time, by its own clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The member whose mirror it is.
    pub by: String,
    /// So many entries.
    pub size: u64,
    /// Root of their tree, base64.
    pub root: String,
    /// Seconds since 1970.
    pub time: i64,
    /// The mirror's line under the checkpoint.
    pub line: String,
}

impl Receipt {
    /// Reads a mirror's answer to entries up to this checkpoint; `None`: it is not signed by its key.
    fn read(by: &str, mirror: &Vkey, note: &Note, lines: &str) -> Option<Receipt> {
        let checkpoint = Checkpoint::parse(&note.text).ok()?;
        lines.lines().find_map(|line| {
            let signature = NoteSignature::parse_line(line).ok().filter(|s| s.names(mirror))?;
            let time = i64::try_from(cosignature::verify(&note.text, &signature, mirror)?).ok()?;
            let root = note.text.lines().nth(2)?.to_string();
            Some(Receipt {
                by: by.to_string(),
                size: checkpoint.size,
                root,
                time,
                line: signature.to_line().trim_end().to_string(),
            })
        })
    }
}

/// All receipts for this node's log.
#[derive(Debug)]
pub(crate) struct Receipts {
    path: PathBuf,
    /// By member, then size: the earliest time.
    held: Mutex<BTreeMap<String, BTreeMap<u64, Receipt>>>,
}

impl Receipts {
    /// Reads them. The last line may be half written; any line that is none is left out.
    pub(crate) fn open(dir: &Path) -> io::Result<Receipts> {
        let path = dir.join(FILE);
        let text = match std::fs::read(&path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let receipts = Receipts { path, held: Mutex::default() };
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).for_each(|receipt| receipts.hold(receipt));
        Ok(receipts)
    }

    fn hold(&self, receipt: Receipt) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let of_member = held.entry(receipt.by.clone()).or_default();
        let earlier = of_member.get(&receipt.size).is_some_and(|known| known.time <= receipt.time);
        if !earlier {
            of_member.insert(receipt.size, receipt);
        }
    }

    fn keep(&self, receipt: Receipt) -> io::Result<()> {
        let mut line = serde_json::to_string(&receipt)?;
        // A line that was broken off by a kill stays alone.
        line.insert(0, '\n');
        OpenOptions::new().create(true).append(true).open(&self.path)?.write_all(line.as_bytes())?;
        self.hold(receipt);
        Ok(())
    }

    fn size(&self, member: &str) -> u64 {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.get(member).and_then(|of| of.last_key_value()).map_or(0, |(size, _)| *size)
    }

    /// The earliest receipt of each member for the entry at this index.
    pub(crate) fn of(&self, index: u64) -> Vec<Receipt> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let earliest = |of: &BTreeMap<u64, Receipt>| {
            of.range(index.saturating_add(1)..).map(|(_, receipt)| receipt).min_by_key(|receipt| receipt.time).cloned()
        };
        held.values().filter_map(earliest).collect()
    }
}

impl<S: Store> Node<S> {
    /// How much is published of the own log; 0: nothing is, or the node keeps none.
    fn published_size(&self) -> u64 {
        let published = self.own.as_ref().and_then(|own| own.log.published());
        published.and_then(head_of).map_or(0, |head| head.size)
    }

    /// The published checkpoint of the own log, and what a mirror that last heard of size `old` is told of it.
    fn announcement(&self, old: u64) -> Option<(Note, u64, Vec<u8>)> {
        let own = self.own.as_ref()?;
        let note = self.published(own.log.origin())?.newest();
        let size = Checkpoint::parse(&note.text).ok()?.size;
        let proof = own.log.tiles().prove_consistency(old, size).ok()?.unwrap_or_default();
        let body = witness::request(old, &proof, &note);
        Some((note, size, body))
    }

    /// Entries of the own log for a mirror.
    fn entries_for_mirror(&self, start: u64, end: u64, ticket: &[u8]) -> Option<Vec<u8>> {
        let own = self.own.as_ref()?;
        let fits = start <= end && end <= own.log.size();
        if fits { upload(own.log.tiles(), own.log.origin(), start, end, ticket).ok() } else { None }
    }
}

/// Brings every mirror of the founding what is published, as long as the node runs.
pub(crate) fn start(shell: &Shell, receipts: &Arc<Receipts>, peers: &[Peer], founding: &Founding, pacing: Pacing) {
    for peer in peers {
        let Some(key) = founding.keys_of(Role::Mirror).find(|key| key.node == peer.name) else { continue };
        let errand = Errand {
            shell: shell.clone(),
            receipts: receipts.clone(),
            carrier: Arc::new(Carrier::new(peer.tls.clone())),
            peer: peer.clone(),
            mirror: key.vkey.clone(),
            announced: 0,
            pacing,
        };
        tokio::spawn(errand.run());
    }
}

struct Errand {
    shell: Shell,
    receipts: Arc<Receipts>,
    carrier: Arc<Carrier>,
    peer: Peer,
    mirror: Vkey,
    /// Size that the mirror last heard of.
    announced: u64,
    pacing: Pacing,
}

impl Errand {
    async fn run(mut self) {
        let (mut hints, mut stopping) = (self.shell.hints(), self.shell.stopping());
        let after = Duration::from_millis(self.pacing.mirror_ms);
        let mut back_off_ms = self.pacing.back_off_ms;
        loop {
            hints.borrow_and_update();
            let Ok(published) = self.shell.ask(|node| node.published_size()).await else { return };
            let waits = match published > self.receipts.size(&self.peer.name) {
                // First who mirrors may pull by himself, and more may be published.
                true => Some(after),
                false => None,
            };
            let is_due = tokio::select! {
                () = tokio::time::sleep(waits.unwrap_or_default()), if waits.is_some() => true,
                changed = hints.changed(), if waits.is_none() => match changed {
                    Ok(()) => false,
                    Err(_) => return,
                },
                _ = stopping.wait_for(|stop| *stop) => return,
            };
            if !is_due {
                continue;
            }
            if self.bring().await.is_ok() {
                back_off_ms = self.pacing.back_off_ms;
                continue;
            }
            // Why a mirror does not answer is seen where its log and its witness do not either.
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(back_off_ms)) => (),
                _ = stopping.wait_for(|stop| *stop) => return,
            }
            back_off_ms = (back_off_ms * 2).min(self.pacing.back_off_max_s * 1000);
        }
    }

    /// Announces what is published, brings what is lacking, and keeps the receipt.
    async fn bring(&mut self) -> Result<(), Silence> {
        let gone = |what: &str| Silence(what.to_string());
        let mut told = None;
        for _ in 0..CONFLICTS_MAX {
            let old = self.announced;
            let asked = self.shell.ask(move |node| node.announcement(old)).await.map_err(|_| gone("the node stops"))?;
            let (note, size, body) = asked.ok_or_else(|| gone("nothing is published"))?;
            let (status, text) = self.post("add-checkpoint", body, true).await?;
            match (status, text.trim().parse()) {
                (200, _) => {
                    self.announced = size;
                    told = Some((note, size));
                    break;
                }
                // What is told twice is not told again: the mirror knows more than was published when we last looked.
                (409, Ok(known)) => self.announced = known,
                (status, _) => return Err(Silence(format!("{status}: {text}"))),
            }
        }
        let (note, end) = told.ok_or_else(|| gone("the mirror heard of another size each time"))?;
        // Mostly it has pulled them: then there is nothing to bring.
        let (mut start, mut ticket, mut conflicts) = (end, Vec::new(), 0);
        loop {
            let with = ticket.clone();
            let asked = self.shell.ask(move |node| node.entries_for_mirror(start, end, &with)).await;
            let body = asked.map_err(|_| gone("the node stops"))?.ok_or_else(|| gone("the log has other entries"))?;
            let (status, text) = self.post("add-entries", body, false).await?;
            let held = Holding::parse(&text);
            match (status, held) {
                (200, _) => {
                    let receipt = Receipt::read(&self.peer.name, &self.mirror, &note, &text);
                    let receipt = receipt.ok_or_else(|| gone("the mirror's signature fails"))?;
                    return self.receipts.keep(receipt).map_err(|error| Silence(error.to_string()));
                }
                // A mirror goes on by whole packages, or it makes us work for nothing.
                (202, Some(held)) if held.next > start && held.next % WIDTH == 0 && held.size == end => {
                    (start, ticket) = (held.next, held.ticket);
                }
                (409, Some(held)) if held.size == end && conflicts < CONFLICTS_MAX => {
                    conflicts += 1;
                    (start, ticket) = (held.next.min(end), held.ticket);
                }
                _ => return Err(Silence(format!("{status}: {text}"))),
            }
        }
    }

    async fn post(&self, what: &'static str, body: Vec<u8>, is_checkpoint: bool) -> Result<(u16, String), Silence> {
        let (carrier, url) = (self.carrier.clone(), format!("{}/mirror/{what}", self.peer.url));
        let asked = tokio::task::spawn_blocking(move || carrier.bring(&url, &body, is_checkpoint));
        asked.await.map_err(|error| Silence(error.to_string()))?
    }
}

/// The receipts of one entry as the interface gives them.
pub(crate) fn shown(receipts: &[Receipt]) -> serde_json::Value {
    let one = |receipt: &Receipt| serde_json::json!({"by": receipt.by, "at": Instant(receipt.time).to_string(), "size": receipt.size, "line": receipt.line});
    receipts.iter().map(one).collect()
}
