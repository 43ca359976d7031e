//! A witness (C2SP tlog-witness 1.0.0): cosigns what it has seen grow and not change.
//!
//! ```text
//! old 2                                   size that the sender believes this witness last cosigned
//! Fsa4jm0TA…                              consistency proof, a hash a line
//!
//! p1.example/hamsaya/1                    the checkpoint
//! 3
//! …
//! ```
//! A cosignature says: at this time, by my clock, the log had these entries, and it had the ones before. The state is
//! durable before the answer leaves, so a crash can never make a witness sign two stories. Its times do not go back: a
//! clock that is set back a little is waited for. One that is set back by more than honest clocks differ was wrong before,
//! and what it said then no honest log took.
use crate::checkpoint::Checkpoint;
use crate::cosignature;
use crate::equivocation::Equivocation;
use crate::instant::Instant;
use crate::key::{SecretKey, Vkey};
use crate::merkle::{self, Hash, PROOF_MAX};
use crate::note::{Note, NoteSignature};
use crate::statement::hex;
use crate::store::{Store, StoreError, Version, version};
use crate::tiles::{Fault, TilesError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeMap;

/// What a witness says to a checkpoint. Status codes belong to whoever speaks HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WitnessAnswer {
    /// 200: the cosignature line.
    Cosigned(NoteSignature),
    /// 404: no log of this name.
    UnknownOrigin,
    /// 403: not signed by the log's key.
    NotTrusted(String),
    /// 400: not a request of the protocol.
    Malformed(String),
    /// 409: another size was cosigned last.
    Conflict {
        /// The size that was.
        size: u64,
    },
    /// 422: the proof does not join the two.
    Unproven(String),
    /// 503: the witness's clock went back a little; it cosigns nothing until it has caught up.
    ClockBack {
        /// When it last cosigned this log.
        before: Instant,
        /// What its clock says.
        now: Instant,
    },
}

/// Clocks that are no further apart, in seconds, may both be honest: each is within half of it from true time.
pub const SKEW_S_MAX: i64 = 60;

/// Where the state of a log lies, and where it can be read: hex of SHA-256 over its origin.
pub fn origin_hash(origin: &str) -> String {
    hex(&version(origin.as_bytes()))
}

#[derive(Clone, Debug)]
struct Seen {
    size: u64,
    root: Hash,
    time: Instant,
    note: Note,
    version: Version,
}

/// A witness of some logs.
#[derive(Debug)]
pub struct Witness<S> {
    store: S,
    key: SecretKey,
    logs: BTreeMap<String, Vkey>,
    seen: BTreeMap<String, Seen>,
}

impl<S: Store> Witness<S> {
    /// Opens the state for these logs. A state that this witness did not cosign itself is a fault: it never signs again
    /// over what it does not remember.
    pub fn open(store: S, key: SecretKey, logs: impl IntoIterator<Item = Vkey>) -> Result<Witness<S>, TilesError> {
        let logs: BTreeMap<String, Vkey> = logs.into_iter().map(|log| (log.name().to_string(), log)).collect();
        let mut seen = BTreeMap::new();
        for (origin, log) in &logs {
            let Some(kept) = Kept::read(&store, &state_key(origin), log, key.vkey())? else { continue };
            let Kept { checkpoint, time, note, version } = kept;
            seen.insert(origin.clone(), Seen { size: checkpoint.size, root: checkpoint.root, time, note, version });
        }
        Ok(Witness { store, key, logs, seen })
    }

    /// Its key.
    pub fn vkey(&self) -> &Vkey {
        self.key.vkey()
    }

    /// The last checkpoint of a log that it cosigned, with its cosignature.
    pub fn checkpoint(&self, origin: &str) -> Option<&Note> {
        self.seen.get(origin).map(|seen| &seen.note)
    }

    /// The same, by the hash under which it is served.
    pub fn checkpoint_by_hash(&self, hash: &str) -> Option<&Note> {
        self.seen.iter().find(|(origin, _)| origin_hash(origin) == hash).map(|(_, seen)| &seen.note)
    }

    /// Evidence, if the log signed another root than the one cosigned last, for the same size: what stands behind an answer
    /// of `Unproven` that is the log's fault.
    pub fn contradiction(&self, theirs: &Note) -> Option<Equivocation> {
        let origin = Checkpoint::parse(&theirs.text).ok()?.origin;
        let (seen, log) = (self.seen.get(&origin)?, self.logs.get(&origin)?);
        Equivocation::of_one_size(&seen.note, theirs, log)
    }

    /// Answers one `add-checkpoint`. The checks stand in the order of the specification, since a sender acts on the
    /// first that fails. An error leaves the state unknown: open the witness again.
    pub fn add_checkpoint(&mut self, body: &[u8], now: Instant) -> Result<WitnessAnswer, StoreError> {
        let last = |origin: &str| self.seen.get(origin).map(|seen| (seen.size, seen.root));
        let Grown { origin, log, checkpoint, note } = match grown(body, &self.logs, last, |note| Some(note.clone())) {
            Ok(grown) => grown,
            Err(answer) => return Ok(answer),
        };
        let seen = self.seen.get(origin);
        if let Some(before) = seen.map(|s| s.time).filter(|t| (now.0..=now.0.saturating_add(SKEW_S_MAX)).contains(&t.0))
            && before != now
        {
            return Ok(WitnessAnswer::ClockBack { before, now });
        }
        let time = u64::try_from(now.0).unwrap_or(0);
        let Some(cosignature) = cosignature::sign(&note.text, time, &self.key) else {
            return Ok(WitnessAnswer::Malformed(format!("the witness has no time to sign with: {now}")));
        };
        let mut cosigned = note;
        // Only the log's line and ours are kept: the others' are theirs to serve.
        cosigned.signatures.retain(|s| s.names(log));
        cosigned.add(cosignature.clone());
        let version = self.store.swap(&state_key(origin), seen.map(|s| s.version), cosigned.to_text().as_bytes())?;
        let seen = Seen { size: checkpoint.size, root: checkpoint.root, time: now, note: cosigned, version };
        self.seen.insert(origin.to_string(), seen);
        Ok(WitnessAnswer::Cosigned(cosignature))
    }
}

/// A checkpoint of another's log that we signed and keep, a witness's or a mirror's.
pub(crate) struct Kept {
    pub(crate) checkpoint: Checkpoint,
    /// When we signed it.
    pub(crate) time: Instant,
    pub(crate) note: Note,
    pub(crate) version: Version,
}

impl Kept {
    /// Reads one that `key` signed; `None`: none is there.
    pub(crate) fn read<S: Store>(store: &S, at: &str, log: &Vkey, key: &Vkey) -> Result<Option<Kept>, TilesError> {
        let Some((bytes, version)) = store.read(at)? else { return Ok(None) };
        let fault = |what: &str, found: String| {
            Fault::new(at, what, found, format!("a checkpoint of {} that we cosigned", log.name()))
        };
        let (checkpoint, note) =
            Checkpoint::open(&bytes, log).map_err(|e| fault("it is not a checkpoint of the log", e.to_string()))?;
        let own = note.signatures.iter().find(|s| s.names(key));
        let time = own.and_then(|s| cosignature::verify(&note.text, s, key)).and_then(|t| i64::try_from(t).ok());
        let Some(time) = time.map(Instant) else {
            return Err(fault("our own cosignature is missing or fails", format!("size {}", checkpoint.size)).into());
        };
        if note.to_text().as_bytes() != bytes {
            return Err(fault("it has more bytes than a note", "other bytes".to_string()).into());
        }
        Ok(Some(Kept { checkpoint, time, note, version }))
    }
}

/// A checkpoint that goes on from the last one.
pub(crate) struct Grown<'l> {
    pub(crate) origin: &'l str,
    pub(crate) log: &'l Vkey,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) note: Note,
}

/// The checks of `add-checkpoint`, a witness's and a mirror's, in the order of the specification. `last`: size and root of
/// what came last; `trusted`: what is kept of a note that the log signed, `None` if that is not enough.
pub(crate) fn grown<'l>(
    body: &[u8],
    logs: &'l BTreeMap<String, Vkey>,
    last: impl Fn(&str) -> Option<(u64, Hash)>,
    trusted: impl Fn(&Note) -> Option<Note>,
) -> Result<Grown<'l>, WitnessAnswer> {
    use WitnessAnswer::{Conflict, Malformed, NotTrusted, UnknownOrigin, Unproven};
    let found = "found no empty line between proof and checkpoint";
    let (head, note) = split_body(body).ok_or_else(|| Malformed(found.to_string()))?;
    let origin = note.split(|b| *b == b'\n').next().and_then(|l| std::str::from_utf8(l).ok()).unwrap_or("");
    let (origin, log) = logs.get_key_value(origin).ok_or(UnknownOrigin)?;
    let note = Note::parse(note).map_err(|e| Malformed(e.to_string()))?;
    note.verify([log]).map_err(|e| NotTrusted(e.to_string()))?;
    let too_few = "found too few cosignatures, needed is a quorum of the log's witnesses";
    let note = trusted(&note).ok_or_else(|| NotTrusted(too_few.to_string()))?;
    let checkpoint = Checkpoint::parse(&note.text).map_err(|e| Malformed(e.to_string()))?;
    let (old, proof) = read_head(head).map_err(Malformed)?;
    if old > checkpoint.size {
        return Err(Malformed(format!("old size {old} is larger than size {}", checkpoint.size)));
    }
    let last = last(origin);
    let size = last.map_or(0, |(size, _)| size);
    if old != size {
        return Err(Conflict { size });
    }
    let old_root = last.map_or_else(merkle::empty_root, |(_, root)| root);
    check_growth(old, &old_root, &checkpoint, &proof).map_err(Unproven)?;
    Ok(Grown { origin, log, checkpoint, note })
}

/// Body of an `add-checkpoint` for a checkpoint that grew from `old`.
pub fn request(old: u64, proof: &[Hash], checkpoint: &Note) -> Vec<u8> {
    let mut body = format!("old {old}\n");
    for hash in proof {
        body.push_str(&STANDARD.encode(hash));
        body.push('\n');
    }
    body.push('\n');
    body.push_str(&checkpoint.to_text());
    body.into_bytes()
}

/// The checkpoint in the body of an `add-checkpoint`, whoever signed it.
pub fn asked(body: &[u8]) -> Option<Note> {
    Note::parse(split_body(body)?.1).ok()
}

fn state_key(origin: &str) -> String {
    format!("{}/checkpoint", origin_hash(origin))
}

fn split_body(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = body.windows(2).position(|two| two == b"\n\n")?;
    Some((&body[..at + 1], &body[at + 2..]))
}

/// `old <n>` and the proof.
fn read_head(head: &[u8]) -> Result<(u64, Vec<Hash>), String> {
    let text = std::str::from_utf8(head).map_err(|_| "the request is not UTF-8".to_string())?;
    // Every line ends in a newline and nothing else.
    let mut lines = text.strip_suffix('\n').unwrap_or(text).split('\n');
    let first = lines.next().unwrap_or("");
    let old = first
        .strip_prefix("old ")
        .filter(|n| *n == "0" || (!n.starts_with('0') && n.bytes().all(|b| b.is_ascii_digit())));
    let old = old.and_then(|n| n.parse().ok()).ok_or_else(|| format!("found {first:?}, allowed is `old <size>`"))?;
    let mut proof = Vec::new();
    for line in lines {
        let hash = STANDARD.decode(line).ok().and_then(|b| Hash::try_from(b).ok());
        proof.push(hash.ok_or_else(|| format!("found proof line {line:?}, allowed is base64 of 32 bytes"))?);
    }
    if proof.len() > PROOF_MAX {
        return Err(format!("found {} proof lines, allowed are {PROOF_MAX}", proof.len()));
    }
    Ok((old, proof))
}

fn check_growth(old: u64, old_root: &Hash, new: &Checkpoint, proof: &[Hash]) -> Result<(), String> {
    if new.size == 0 && new.root != merkle::empty_root() {
        return Err("a log without entries has the root SHA-256 of nothing".to_string());
    }
    if old == 0 || old == new.size {
        if !proof.is_empty() {
            return Err(format!("a proof from size {old} to size {} is empty", new.size));
        }
        return match old == 0 || new.root == *old_root {
            true => Ok(()),
            false => Err(format!("another root was cosigned for size {old}")),
        };
    }
    match merkle::verify_consistency(old, old_root, new.size, &new.root, proof) {
        true => Ok(()),
        false => Err(format!("the proof does not lead from size {old} to size {}", new.size)),
    }
}
