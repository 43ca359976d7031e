//! A mirror (C2SP tlog-mirror): says, under its own key, that it holds a log's entries and shows them.
//!
//! ```text
//! POST add-checkpoint   as a witness takes it: old 2 · proof · checkpoint        what is to come; nothing is signed
//! POST add-entries      u16 n, origin, u64 start, u64 end, u16 n, ticket, then packages:
//!                       the entries of start..256, of 256..512, … up to end, each u16 length and bytes;
//!                       u8 n, so many hashes that tie the subtree over the package to the checkpoint of size `end`
//!                       200: the mirror's cosignature · 202 or 409: what it holds, three lines
//! ```
//! A witness says that a log grew; a mirror's cosignature says besides that nobody can take the entries away from it any
//! more: it holds them, durably. Whoever sent them can show that, so nobody who mirrors a log can say that he never had it.
//!
//! Every package is checked before anything of it is kept, so wrong bytes never reach the copy, whoever sends them. The
//! entries between the copy and the checkpoint are kept in memory until all are there: a crash loses them, and the sender
//! is told from where to go on. Tickets stay empty: the last checkpoints are remembered instead.
use crate::checkpoint::Checkpoint;
use crate::cosignature;
use crate::instant::Instant;
use crate::key::{SecretKey, Vkey};
use crate::merkle::{self, Edge, Hash, PROOF_MAX};
use crate::note::{Note, NoteSignature};
use crate::store::{Store, StoreError, Version};
use crate::tile::WIDTH;
use crate::tiles::{Fault, Tiles, TilesError};
use crate::witness::{Grown, Kept, SKEW_S_MAX, WitnessAnswer, grown, origin_hash};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::{BTreeMap, VecDeque};

/// A sender puts no more packages into one request.
pub const PACKAGES_MAX: u64 = 32;
/// So many bytes of a log's entries wait for the rest; more are sent again later.
pub const WAITING_BYTES_MAX: usize = 64 << 20;
/// So far below the next entry may an upload begin: what is sent twice is checked twice.
const REPEATED_MAX: u64 = PACKAGES_MAX * WIDTH;
/// So many checkpoints are remembered whose entries may still be on their way.
const PENDING_MAX: usize = 8;

/// What a mirror has to say to `add-entries`. Status codes belong to whoever speaks HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MirrorAnswer {
    /// 200: its cosignature on the checkpoint of that size.
    Cosigned(NoteSignature),
    /// 202: it keeps what came; the rest is to follow.
    Partial(Holding),
    /// 409: not from there, or not up to there.
    Conflict(Holding),
    /// 404: no log of this name.
    UnknownOrigin,
    /// 400: nothing that can be used.
    Malformed(String),
    /// 422: the proof of a package fails.
    Unproven(String),
    /// 503: not now.
    Busy(String),
}

/// What a mirror holds of a log: the body of 202 and 409, `text/x.tlog.mirror-info`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// Size of a checkpoint up to which entries may be sent.
    pub size: u64,
    /// The first entry that it does not hold.
    pub next: u64,
    /// To be given back with the next request.
    pub ticket: Vec<u8>,
}

impl Holding {
    /// Three lines.
    pub fn to_text(&self) -> String {
        format!("{}\n{}\n{}\n", self.size, self.next, STANDARD.encode(&self.ticket))
    }

    /// Reads three lines; `None`: they are something else.
    pub fn parse(text: &str) -> Option<Holding> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let mut number = || {
            let line = lines.next()?;
            let plain = line.bytes().all(|b| b.is_ascii_digit()) && (line == "0" || !line.starts_with('0'));
            if plain { line.parse().ok() } else { None }
        };
        let (size, next) = (number()?, number()?);
        let ticket = STANDARD.decode(lines.next()?).ok()?;
        lines.next().is_none().then_some(Holding { size, next, ticket })
    }
}

/// What is to be done with entries that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Tell the sender.
    Answer(MirrorAnswer),
    /// All are there: the copy follows to this checkpoint, then [`Mirror::cosign`] signs.
    Complete {
        /// Which log.
        origin: String,
        /// The checkpoint.
        note: Note,
        /// Its size.
        size: u64,
        /// The entries from the copy's size on.
        leaves: Vec<Vec<u8>>,
    },
}

/// A checkpoint that is not yet, or was, reached.
#[derive(Clone, Debug)]
struct Pending {
    checkpoint: Checkpoint,
    note: Note,
}

/// A checkpoint that was signed.
#[derive(Clone, Debug)]
struct Signed {
    size: u64,
    time: Instant,
    note: Note,
    version: Version,
}

#[derive(Clone, Debug, Default)]
struct Mirrored {
    /// Newest last.
    pending: VecDeque<Pending>,
    pending_version: Option<Version>,
    /// Entries from the copy's size on.
    waiting: Vec<Vec<u8>>,
    /// The copy's size, as far as it is known here.
    waiting_from: u64,
    waiting_bytes: usize,
    signed: Option<Signed>,
}

/// A mirror of some logs. The copies belong to somebody else, who follows the logs in other ways too.
#[derive(Debug)]
pub struct Mirror<S> {
    store: S,
    key: SecretKey,
    logs: BTreeMap<String, Vkey>,
    held: BTreeMap<String, Mirrored>,
}

impl<S: Store> Mirror<S> {
    /// Opens the state for these logs. A checkpoint that this mirror did not sign itself is a fault.
    pub fn open(store: S, key: SecretKey, logs: impl IntoIterator<Item = Vkey>) -> Result<Mirror<S>, TilesError> {
        let logs: BTreeMap<String, Vkey> = logs.into_iter().map(|log| (log.name().to_string(), log)).collect();
        let mut held = BTreeMap::new();
        for (origin, log) in &logs {
            let mut mirrored = Mirrored::default();
            let at = pending_key(origin);
            if let Some((bytes, version)) = store.read(&at)? {
                let (checkpoint, note) = Checkpoint::open(&bytes, log).map_err(|e| {
                    let (what, allowed) = ("it is not a checkpoint of the log", format!("a checkpoint of {origin}"));
                    Fault::new(&at, what, e.to_string(), allowed)
                })?;
                mirrored.pending.push_back(Pending { checkpoint, note });
                mirrored.pending_version = Some(version);
            }
            if let Some(kept) = Kept::read(&store, &signed_key(origin), log, key.vkey())? {
                let Kept { checkpoint, time, note, version } = kept;
                mirrored.signed = Some(Signed { size: checkpoint.size, time, note, version });
            }
            held.insert(origin.clone(), mirrored);
        }
        Ok(Mirror { store, key, logs, held })
    }

    /// Its key.
    pub fn vkey(&self) -> &Vkey {
        self.key.vkey()
    }

    /// The last checkpoint of a log that it signed, by the hash under which it is served.
    pub fn checkpoint_by_hash(&self, hash: &str) -> Option<&Note> {
        let (_, mirrored) = self.held.iter().find(|(origin, _)| origin_hash(origin) == hash)?;
        mirrored.signed.as_ref().map(|signed| &signed.note)
    }

    /// Takes one `add-checkpoint`: `Ok(None)` is 200 with an empty body. `copy`: size and root of the copy; `trusted`: what is
    /// kept of a note, if its cosignatures are enough for the copy to follow it. An error leaves the state unknown: open the
    /// mirror again.
    pub fn add_checkpoint(
        &mut self,
        body: &[u8],
        copy: impl Fn(&str) -> Option<(u64, Hash)>,
        trusted: impl Fn(&Note) -> Option<Note>,
    ) -> Result<Option<WitnessAnswer>, StoreError> {
        let held = &self.held;
        // The copy may have gone past what was announced here.
        let last = |origin: &str| {
            let pending =
                held.get(origin).and_then(|m| m.pending.back()).map(|p| (p.checkpoint.size, p.checkpoint.root));
            pending.into_iter().chain(copy(origin)).max_by_key(|(size, _)| *size)
        };
        let Grown { origin, checkpoint, note, .. } = match grown(body, &self.logs, last, trusted) {
            Ok(grown) => grown,
            Err(answer) => return Ok(Some(answer)),
        };
        let Some(mirrored) = self.held.get_mut(origin) else { return Ok(Some(WitnessAnswer::UnknownOrigin)) };
        if mirrored.pending.back().is_some_and(|last| last.checkpoint == checkpoint) {
            return Ok(None); // Told twice: nothing is written twice.
        }
        let version = self.store.swap(&pending_key(origin), mirrored.pending_version, note.to_text().as_bytes())?;
        mirrored.pending_version = Some(version);
        mirrored.pending.retain(|p| p.checkpoint.size != checkpoint.size);
        mirrored.pending.push_back(Pending { checkpoint, note });
        if mirrored.pending.len() > PENDING_MAX {
            mirrored.pending.pop_front();
        }
        Ok(None)
    }

    /// Takes one `add-entries`, whole or as much of it as came. `copy`: the copy's tiles.
    pub fn add_entries<'c, C: Store + 'c>(
        &mut self,
        body: &[u8],
        copy: impl FnOnce(&str) -> Option<&'c Tiles<C>>,
    ) -> Result<Taken, TilesError> {
        let answer = |answer| Ok(Taken::Answer(answer));
        let mut reader = Reader(body);
        let Some(Upload { origin, start, end }) = Upload::read(&mut reader) else {
            return answer(MirrorAnswer::Malformed("found no origin, start, end and ticket".to_string()));
        };
        let origin = String::from_utf8_lossy(origin);
        let origin = origin.into_owned();
        let (Some(mirrored), Some(tiles)) = (self.held.get_mut(&origin), copy(&origin)) else {
            return answer(MirrorAnswer::UnknownOrigin);
        };
        mirrored.catch_up(tiles.size());
        let next = mirrored.next();
        let signed_size = mirrored.signed.as_ref().map_or(0, |signed| signed.size);
        let pending = mirrored.pending.iter().find(|p| p.checkpoint.size == end && end >= signed_size).cloned();
        let Some(pending) = pending.filter(|_| start <= end && start <= next && next - start <= REPEATED_MAX) else {
            return answer(MirrorAnswer::Conflict(mirrored.holding(end)));
        };
        let (mut at, mut came) = (start, 0u64);
        while at < end {
            let first = at - at % WIDTH;
            let stop = end.min(first + WIDTH);
            let Some((entries, proof)) = reader.package(stop - at) else { break };
            let mut subtree = Edge::new();
            for known in mirrored.entries(tiles, first, at)? {
                subtree.push(merkle::leaf_hash(&known), |_, _, _| ());
            }
            entries.iter().for_each(|entry| subtree.push(merkle::leaf_hash(entry), |_, _, _| ()));
            let (hash, tree) = (subtree.root(), &pending.checkpoint);
            if !merkle::verify_subtree(first, stop, &hash, tree.size, &tree.root, &proof) {
                let what = format!("the proof of entries {at} to {stop} does not lead to the root of size {end}");
                return answer(MirrorAnswer::Unproven(what));
            }
            let known = usize::try_from(mirrored.next().saturating_sub(at)).unwrap_or(usize::MAX);
            let new = entries.get(known..).unwrap_or(&[]);
            let bytes: usize = new.iter().map(|entry| held_bytes(entry)).sum();
            if mirrored.waiting_bytes + bytes > WAITING_BYTES_MAX {
                return answer(MirrorAnswer::Busy(format!("{WAITING_BYTES_MAX} bytes of {origin} wait for the rest")));
            }
            mirrored.waiting_bytes += bytes;
            mirrored.waiting.extend(new.iter().map(|entry| entry.to_vec()));
            (at, came) = (stop, came + 1);
        }
        if at < end {
            return answer(match came {
                0 => MirrorAnswer::Malformed("found no whole package".to_string()),
                _ => MirrorAnswer::Partial(mirrored.holding(end)),
            });
        }
        let count = usize::try_from(end.saturating_sub(mirrored.waiting_from)).unwrap_or(usize::MAX);
        let rest = mirrored.waiting.split_off(count.min(mirrored.waiting.len()));
        let leaves = std::mem::replace(&mut mirrored.waiting, rest);
        mirrored.waiting_from += leaves.len() as u64;
        mirrored.waiting_bytes -= leaves.iter().map(|entry| held_bytes(entry)).sum::<usize>();
        Ok(Taken::Complete { origin, note: pending.note, size: end, leaves })
    }

    /// Signs a checkpoint that the copy has reached. The entries are durable: the copy is locked beyond them.
    pub fn cosign<C: Store>(
        &mut self,
        origin: &str,
        size: u64,
        copy: &Tiles<C>,
        now: Instant,
    ) -> Result<MirrorAnswer, TilesError> {
        let Some(mirrored) = self.held.get_mut(origin) else { return Ok(MirrorAnswer::UnknownOrigin) };
        mirrored.catch_up(copy.size());
        let signed = mirrored.signed.as_ref();
        let pending = mirrored.pending.iter().find(|p| p.checkpoint.size == size);
        let pending = pending.filter(|_| signed.is_none_or(|signed| signed.size <= size));
        let Some(Pending { checkpoint, note }) = pending else {
            return Ok(MirrorAnswer::Conflict(mirrored.holding(size)));
        };
        if copy.size() < size || copy.root_at(size)? != checkpoint.root {
            return Ok(MirrorAnswer::Unproven(format!(
                "the entries up to {size} do not lead to the root that was signed"
            )));
        }
        // What was signed stays signed: whoever asks again makes nobody write again.
        let own = signed
            .filter(|signed| signed.size == size)
            .and_then(|signed| signed.note.signatures.iter().find(|line| line.names(self.key.vkey())));
        if let Some(line) = own {
            return Ok(MirrorAnswer::Cosigned(line.clone()));
        }
        if let Some(before) = signed.map(|signed| signed.time).filter(|before| *before > now) {
            // As a witness: a little is waited for, and a clock that was far off was wrong before.
            if before.0.saturating_sub(now.0) <= SKEW_S_MAX {
                return Ok(MirrorAnswer::Busy(format!(
                    "this mirror last signed at {before}, its clock says {now}: it waits"
                )));
            }
        }
        let Some(cosignature) = cosignature::sign(&note.text, u64::try_from(now.0).unwrap_or(0), &self.key) else {
            return Ok(MirrorAnswer::Busy(format!("the mirror has no time to sign with: {now}")));
        };
        let mut note = note.clone();
        note.add(cosignature.clone());
        let version = signed.map(|signed| signed.version);
        let version = self.store.swap(&signed_key(origin), version, note.to_text().as_bytes())?;
        mirrored.signed = Some(Signed { size, time: now, note, version });
        Ok(MirrorAnswer::Cosigned(cosignature))
    }
}

impl Mirrored {
    /// The copy holds so much: what waits begins there. Where the copy could not follow, what was given to it is lost.
    fn catch_up(&mut self, size: u64) {
        let known = size.checked_sub(self.waiting_from).unwrap_or(u64::MAX);
        let known = usize::try_from(known).unwrap_or(usize::MAX).min(self.waiting.len());
        self.waiting_bytes -= self.waiting.drain(..known).map(|entry| held_bytes(&entry)).sum::<usize>();
        self.waiting_from = size;
    }

    fn next(&self) -> u64 {
        self.waiting_from + self.waiting.len() as u64
    }

    /// Entries that are held, in the copy or waiting.
    fn entries<C: Store>(&self, copy: &Tiles<C>, from: u64, to: u64) -> Result<Vec<Vec<u8>>, TilesError> {
        let mut entries = copy.entries(from, to)?;
        let place = |index: u64| usize::try_from(index.saturating_sub(self.waiting_from)).unwrap_or(usize::MAX);
        entries.extend(self.waiting.get(place(from)..place(to)).unwrap_or(&[]).iter().cloned());
        Ok(entries)
    }

    /// What the sender is told: the size that was asked for, if entries may be sent up to it.
    fn holding(&self, asked: u64) -> Holding {
        let sizes = || self.pending.iter().map(|p| p.checkpoint.size);
        let asked = sizes().find(|size| *size == asked && self.signed.as_ref().is_none_or(|s| s.size <= *size));
        Holding { size: asked.or(sizes().next_back()).unwrap_or(0), next: self.next(), ticket: Vec::new() }
    }
}

/// The head of `add-entries`.
struct Upload<'b> {
    origin: &'b [u8],
    start: u64,
    end: u64,
}

impl<'b> Upload<'b> {
    fn read(reader: &mut Reader<'b>) -> Option<Upload<'b>> {
        let origin = reader.prefixed()?;
        let (start, end) = (reader.u64()?, reader.u64()?);
        // We give none; one that somebody else gave is not looked into.
        reader.prefixed()?;
        Some(Upload { origin, start, end })
    }
}

/// Big-endian numbers and the bytes that they count.
struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn u64(&mut self) -> Option<u64> {
        Some(u64::from_be_bytes(self.take(8)?.try_into().ok()?))
    }

    fn prefixed(&mut self) -> Option<&'b [u8]> {
        let count = u16::from_be_bytes(self.take(2)?.try_into().ok()?);
        self.take(usize::from(count))
    }

    /// The next package, which holds so many entries, if all of it is there.
    fn package(&mut self, count: u64) -> Option<(Vec<&'b [u8]>, Vec<Hash>)> {
        let entries = (0..count).map(|_| self.prefixed()).collect::<Option<_>>()?;
        let hashes = usize::from(*self.take(1)?.first()?);
        // More are no proof; none fails where the proof is looked at.
        let proof = self.take(hashes * 32)?.chunks_exact(32).take(PROOF_MAX + 1);
        Some((entries, proof.filter_map(|hash| hash.try_into().ok()).collect()))
    }
}

/// Body of an `add-entries` for entries `start..end` of a log that holds them: as many packages as one request takes, each
/// tied to the checkpoint of size `end`.
pub fn upload<S: Store>(
    tiles: &Tiles<S>,
    origin: &str,
    start: u64,
    end: u64,
    ticket: &[u8],
) -> Result<Vec<u8>, TilesError> {
    let mut body = Vec::new();
    let prefixed = |body: &mut Vec<u8>, bytes: &[u8]| {
        // An origin, a ticket and an entry are no longer; what were longer would be cut and refused.
        let count = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
        body.extend(count.to_be_bytes());
        body.extend(&bytes[..usize::from(count)]);
    };
    prefixed(&mut body, origin.as_bytes());
    body.extend(start.to_be_bytes());
    body.extend(end.to_be_bytes());
    prefixed(&mut body, ticket);
    let mut at = start;
    for _ in 0..PACKAGES_MAX {
        if at >= end || body.len() > WAITING_BYTES_MAX / 2 {
            break;
        }
        let first = at - at % WIDTH;
        let stop = end.min(first + WIDTH);
        tiles.entries(at, stop)?.iter().for_each(|entry| prefixed(&mut body, entry));
        let proof = tiles.prove_subtree(first, stop, end)?.unwrap_or_default();
        body.push(u8::try_from(proof.len()).unwrap_or(u8::MAX));
        body.extend(proof.iter().flatten());
        at = stop;
    }
    Ok(body)
}

/// What an entry takes while it waits: entries of nothing take room too.
fn held_bytes(entry: &[u8]) -> usize {
    entry.len() + 64
}

fn pending_key(origin: &str) -> String {
    format!("{}/pending", origin_hash(origin))
}

fn signed_key(origin: &str) -> String {
    format!("{}/checkpoint", origin_hash(origin))
}
