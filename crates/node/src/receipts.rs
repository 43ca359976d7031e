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
use crate::bringing::Bringer;
use crate::config::Pacing;
use crate::shell::Shell;
use crate::wire::Peer;
use hamsaya_record::Instant;
use hamsaya_record::checkpoint::Checkpoint;
use hamsaya_record::cosignature;
use hamsaya_record::founding::Founding;
use hamsaya_record::key::{Role, Vkey};
use hamsaya_record::note::{Note, NoteSignature};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The file, one receipt a line.
pub const FILE: &str = "receipts.jsonl";

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
    /// The log's; absent in receipts that were kept before it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
}

impl Receipt {
    /// Reads a mirror's answer to entries up to this checkpoint; `None`: it is not signed by its key.
    pub(crate) fn read(by: &str, mirror: &Vkey, note: &Note, lines: &str) -> Option<Receipt> {
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
                log: note
                    .signatures
                    .iter()
                    .find(|s| s.name == checkpoint.origin)
                    .map(|s| s.to_line().trim_end().to_string()),
            })
        })
    }
}

impl Receipt {
    /// The checkpoint that was signed, with both lines; `None`: it is not one of this log.
    pub fn note(&self, origin: &str) -> Option<Note> {
        let mut note = Note::new(format!("{origin}\n{}\n{}\n", self.size, self.root)).ok()?;
        for line in self.log.iter().chain([&self.line]) {
            note.add(NoteSignature::parse_line(line).ok()?);
        }
        Some(note)
    }
}

/// The checkpoints of a node's own log that mirrors signed, each with an entry, as its folder has them.
pub fn notes(dir: &Path, origin: &str, index: u64) -> io::Result<Vec<Note>> {
    Ok(Receipts::open(dir)?.of(index).iter().filter_map(|receipt| receipt.note(origin)).collect())
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

/// Brings every mirror of the founding what is published, as long as the node runs.
pub(crate) fn start(
    shell: &Shell,
    receipts: &Arc<Receipts>,
    name: &str,
    peers: &[Peer],
    founding: &Founding,
    pacing: Pacing,
) {
    let Some(origin) = founding.member(name).and_then(|member| member.origin.as_deref()) else { return };
    for peer in peers {
        let Some(key) = founding.keys_of(Role::Mirror).find(|key| key.node == peer.name) else { continue };
        let errand = Errand {
            shell: shell.clone(),
            receipts: receipts.clone(),
            bringer: Bringer::new(shell, peer, &key.vkey, origin),
            origin: origin.to_string(),
            by: peer.name.clone(),
            pacing,
        };
        tokio::spawn(errand.run());
    }
}

struct Errand {
    shell: Shell,
    receipts: Arc<Receipts>,
    bringer: Bringer,
    origin: String,
    by: String,
    pacing: Pacing,
}

impl Errand {
    async fn run(mut self) {
        let (mut hints, mut stopping) = (self.shell.hints(), self.shell.stopping());
        let after = Duration::from_millis(self.pacing.mirror_ms);
        let mut back_off_ms = self.pacing.back_off_ms;
        loop {
            hints.borrow_and_update();
            let origin = self.origin.clone();
            let published = self.shell.ask(move |node| node.published_size(&origin)).await;
            let Ok(published) = published else { return };
            let waits = match published.is_some_and(|size| size > self.receipts.size(&self.by)) {
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
            let brought = self.bringer.bring().await;
            if brought.is_ok_and(|receipt| self.receipts.keep(receipt).is_ok()) {
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
}

/// The receipts of one entry as the interface gives them.
pub(crate) fn shown(receipts: &[Receipt]) -> serde_json::Value {
    let one = |receipt: &Receipt| serde_json::json!({"by": receipt.by, "at": Instant(receipt.time).to_string(), "size": receipt.size, "line": receipt.line});
    receipts.iter().map(one).collect()
}
