//! An exhibit: one statement with everything that proves who said it and when it was logged, in one file.
//!
//! ```text
//! 0193a1b2c3d4.exhibit.zip       stored, sorted, all dates 1980-01-01: the same exhibit is the same bytes
//!   statement.dsse.json          the entry
//!   proof.tlog-proof             it is in the log, under a checkpoint that a quorum of witnesses cosigned
//!   before.note, consistency.txt an earlier checkpoint of the same log, without it
//!   disclosures.txt              salted fields that the holder chose to show, one a line
//!   files/5d41402abc4b…          files that the statement names, as far as the holder chose to show them
//!   held/000000000013.tlog-proof it is in the log under a checkpoint that mirrors signed: whose mirrors hold it, since when
//!   policy.txt                   who the witnesses are, and how many make a quorum
//!   keys/founding.dsse.json      entry 0, which names all keys; keys/founding.tlog-proof: it is entry 0
//!   keys/000000000090.dsse.json  entries of kind `key` before it, and the proof of each: keys that took another's place
//!
//! 5d41402abc4b.exhibit.zip       the other kind: two checkpoints that one log signed and that cannot both be true
//!   first.note, second.note      the smaller first; consistency.txt: the root that the second has at the first's size, and
//!                                the proof from there to the second
//!   keys/founding.dsse.json      names the log's key
//! ```
//! [`verify`] needs no network, no node and no clock. What it cannot know is whether this founding is the one the reader
//! means: it reports the founding's id and the agreement's, to be compared with what both sides signed. The interval it
//! gives is proven by these two checkpoints alone; more checkpoints might narrow it. Nor can it know what was left out: that a
//! key had given way already, or was stolen, is in the log, and shows only in an exhibit whose maker put it there.
use crate::archive;
use crate::checkpoint::{Checkpoint, hash};
use crate::cosignature;
use crate::disclosure;
use crate::envelope::{Envelope, pae};
use crate::equivocation::Equivocation;
use crate::founding::Founding;
use crate::instant::Instant;
use crate::key::{Role, Vkey};
use crate::keyring::{KeyChange, Keyring};
use crate::logs::{Entry, LoggedAt, Signer};
use crate::merkle::{self, Hash, leaf_hash};
use crate::note::{Note, NoteSignature};
use crate::policy::{Numbers, Policy};
use crate::proof::Proof;
use crate::statement::{FieldValue, Statement, StatementId, hex, unhex};
use crate::timing::cosignatures;
use crate::verify;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// No exhibit is longer, in bytes.
pub const EXHIBIT_BYTES_MAX: usize = 64 * 1024 * 1024;

const STATEMENT: &str = "statement.dsse.json";
const PROOF: &str = "proof.tlog-proof";
const BEFORE: &str = "before.note";
const CONSISTENCY: &str = "consistency.txt";
const POLICY: &str = "policy.txt";
const DISCLOSURES: &str = "disclosures.txt";
const FOUNDING: &str = "keys/founding.dsse.json";
const FOUNDING_PROOF: &str = "keys/founding.tlog-proof";
const FILES: &str = "files/";
const HELD: &str = "held/";
const FIRST: &str = "first.note";
const SECOND: &str = "second.note";

/// What an exhibit is made of.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'p> {
    /// Origin of the log.
    pub origin: &'p str,
    /// Place of the entry in it.
    pub index: u64,
    /// The entry's bytes.
    pub leaf: &'p [u8],
    /// Entry 0.
    pub founding_leaf: &'p [u8],
    /// Cosigned checkpoints of the log, in any order; others are passed over. See [`notes`].
    pub notes: &'p [Note],
    /// Entries of kind `key` in the log that count, with their indexes; those after the entry are passed over.
    pub keys: &'p [(u64, Vec<u8>)],
    /// Disclosures to show, as [`disclosure`] makes them.
    pub disclosures: &'p [String],
    /// Checkpoints of the log with lines of mirrors, in any order; of each mirror the earliest that holds the entry is taken.
    pub held: &'p [Note],
}

/// Why an exhibit cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The founding, or a log that it does not name.
    #[error("founding: {0}")]
    Founding(String),
    /// No quorum cosigned a checkpoint that holds the entry.
    #[error(
        "no checkpoint of {origin} with entry {index} is cosigned by a quorum\nhint: wait until witnesses have cosigned"
    )]
    NotCosigned {
        /// Log.
        origin: String,
        /// Entry.
        index: u64,
    },
    /// The hashes of the tree cannot be read.
    #[error("hashes of the log: {0}")]
    Hashes(String),
    /// What was made does not verify: a part given does not belong to the others.
    #[error("{0}")]
    Parts(ExhibitError),
}

/// At which step an exhibit fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The archive: exactly the bytes that these files make.
    Archive,
    /// Entry 0 and the keys in it.
    Founding,
    /// The policy is the founding's.
    Policy,
    /// The entry is a statement of this agreement and log.
    Statement,
    /// Who signed the statement.
    Signatures,
    /// The entry is in the log that witnesses cosigned.
    Proof,
    /// The earlier checkpoint is of the same log.
    Before,
    /// The disclosures are of this statement.
    Disclosures,
    /// The files are those that this statement names.
    Files,
    /// Mirrors of the founding signed that they hold the entry.
    Held,
    /// Two checkpoints, signed by one log, that cannot both be true.
    Equivocation,
}

impl Step {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Step::Archive => "archive",
            Step::Founding => "founding",
            Step::Policy => "policy",
            Step::Statement => "statement",
            Step::Signatures => "signatures",
            Step::Proof => "proof",
            Step::Before => "before",
            Step::Disclosures => "disclosures",
            Step::Files => "files",
            Step::Held => "held",
            Step::Equivocation => "equivocation",
        }
    }
}

/// Why an exhibit proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("exhibit, step {}: found {found}, allowed is {allowed}", step.name())]
pub struct ExhibitError {
    /// Where it fails; the steps before it hold.
    pub step: Step,
    /// What was found.
    pub found: String,
    /// What would hold.
    pub allowed: String,
}

impl ExhibitError {
    /// True if the bytes are no exhibit at all, so that there is nothing to say yes or no to.
    pub fn is_unreadable(&self) -> bool {
        self.step == Step::Archive
    }
}

fn fail(step: Step, found: impl fmt::Display, allowed: impl fmt::Display) -> ExhibitError {
    ExhibitError { step, found: found.to_string(), allowed: allowed.to_string() }
}

/// What an exhibit proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExhibitReport {
    /// Log that holds the entry.
    pub origin: String,
    /// Place of the entry there.
    pub index: u64,
    /// Size of the cosigned checkpoint.
    pub size: u64,
    /// SHA-256 of the statement.
    pub statement_id: StatementId,
    /// What was said.
    pub statement: Statement,
    /// Whose keys signed it.
    pub signers: Vec<Signer>,
    /// Witnesses that cosigned the checkpoint with the entry.
    pub cosigned_by: Vec<String>,
    /// When it was logged, by the two checkpoints.
    pub logged_at: LoggedAt,
    /// Id of the founding that all this rests on.
    pub founding_id: StatementId,
    /// Salted fields shown: name, and the value as JSON.
    pub disclosed: Vec<(String, String)>,
    /// SHA-256 of the files that are in it; each is one that the statement names.
    pub files: Vec<[u8; 32]>,
    /// Whose mirrors signed that they hold the entry, by name.
    pub held: Vec<Holder>,
}

/// That a member's mirror signed that it holds the first `size` entries of a log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holder {
    /// Whose.
    pub node: String,
    /// Its key, of the founding.
    pub keyid: String,
    /// When, by its clock.
    pub at: Instant,
    /// So many entries.
    pub size: u64,
}

/// The notes that entries of kind `checkpoints` carry, to choose from when an exhibit is made.
pub fn notes<'e>(entries: impl IntoIterator<Item = &'e Entry>) -> Vec<Note> {
    let carrying = entries.into_iter().filter(|entry| entry.statement.kind == "checkpoints");
    let lists = carrying.filter_map(|entry| match entry.statement.fields.get("notes") {
        Some(FieldValue::List(notes)) => Some(notes),
        _ => None,
    });
    let texts = lists.flatten().filter_map(|note| if let FieldValue::Text(text) = note { Some(text) } else { None });
    texts.filter_map(|text| Note::parse(text.as_bytes()).ok()).collect()
}

/// A checkpoint of the log with the verified cosignatures that notes have brought.
pub(crate) struct Cosigned {
    pub(crate) checkpoint: Checkpoint,
    log_line: NoteSignature,
    /// By keyid of the witness: time and line, earliest first.
    pub(crate) lines: BTreeMap<String, BTreeMap<Instant, NoteSignature>>,
}

impl Cosigned {
    /// The q-th smallest of the witnesses' earliest times.
    pub(crate) fn hi(&self, numbers: Numbers) -> Option<Instant> {
        let mut times: Vec<Instant> = self.lines.values().filter_map(|l| Some(*l.first_key_value()?.0)).collect();
        times.sort_unstable();
        times.get(numbers.q.checked_sub(1)?).copied()
    }

    /// The v-th largest of the witnesses' latest times.
    fn lo(&self, numbers: Numbers) -> Option<Instant> {
        let mut times: Vec<Instant> = self.lines.values().filter_map(|l| Some(*l.last_key_value()?.0)).collect();
        times.sort_unstable_by(|a, b| b.cmp(a));
        times.get(numbers.v.checked_sub(1)?).copied()
    }

    /// A note with one line of each witness.
    pub(crate) fn note(&self, pick: impl Fn(&BTreeMap<Instant, NoteSignature>) -> Option<&NoteSignature>) -> Note {
        let lines = [&self.log_line].into_iter().chain(self.lines.values().filter_map(pick));
        Note { text: self.checkpoint.to_text(), signatures: lines.cloned().collect() }
    }
}

/// The notes of one checkpoint, with the times that its witnesses seem to have cosigned at.
pub(crate) struct Claim<'n> {
    notes: Vec<&'n Note>,
    pub(crate) claimed: Cosigned,
}

/// Notes of the log by checkpoint; the same checkpoint may stand in many. Nothing is verified: there may be thousands.
pub(crate) fn claims<'n>(notes: &'n [Note], log: &Vkey, policy: &Policy) -> Vec<Claim<'n>> {
    let mut by_checkpoint: BTreeMap<Checkpoint, Claim> = BTreeMap::new();
    for note in notes {
        let Ok(checkpoint) = Checkpoint::parse(&note.text) else { continue };
        let Some(log_line) = note.signatures.iter().find(|line| line.names(log)) else { continue };
        if checkpoint.origin != log.name() {
            continue;
        }
        let claim = by_checkpoint.entry(checkpoint.clone()).or_insert_with(|| Claim {
            notes: Vec::new(),
            claimed: Cosigned { checkpoint, log_line: log_line.clone(), lines: BTreeMap::new() },
        });
        claim.notes.push(note);
        for witness in policy.witnesses() {
            for line in note.signatures.iter().filter(|line| line.names(&witness.vkey)) {
                if let Some(time) = time(line) {
                    claim.claimed.lines.entry(witness.vkey.keyid()).or_default().insert(time, line.clone());
                }
            }
        }
    }
    by_checkpoint.into_values().collect()
}

fn time(line: &NoteSignature) -> Option<Instant> {
    cosignature::time(line).and_then(|time| i64::try_from(time).ok()).map(Instant)
}

impl Claim<'_> {
    /// What of it verifies.
    pub(crate) fn verify(&self, founding: &Founding) -> Cosigned {
        let Cosigned { checkpoint, log_line, .. } = &self.claimed;
        let mut cosigned =
            Cosigned { checkpoint: checkpoint.clone(), log_line: log_line.clone(), lines: BTreeMap::new() };
        for note in &self.notes {
            for (_, keyid, time) in cosignatures(note.to_text().as_bytes(), founding) {
                if let Some(line) = self.claimed.lines.get(&keyid).and_then(|lines| lines.get(&time)) {
                    cosigned.lines.entry(keyid).or_default().insert(time, line.clone());
                }
            }
        }
        cosigned
    }
}

/// Of checkpoints that hold what they claim, the one with the least key; `key` of a claim is never more than `key` of what
/// of it verifies, so most are never verified.
pub(crate) fn least<K: Ord>(
    claims: &[Claim<'_>],
    key: impl Fn(&Cosigned) -> Option<K>,
    mut verify: impl FnMut(&Claim<'_>) -> Option<Cosigned>,
) -> Option<Cosigned> {
    let mut candidates: Vec<(K, &Claim)> = claims.iter().filter_map(|c| Some((key(&c.claimed)?, c))).collect();
    candidates.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut best: Option<(K, Cosigned)> = None;
    for (claimed, claim) in candidates {
        if best.as_ref().is_some_and(|(key, _)| *key <= claimed) {
            break;
        }
        let Some(cosigned) = verify(claim) else { continue };
        let Some(key) = key(&cosigned) else { continue };
        if best.as_ref().is_none_or(|(least, _)| key < *least) {
            best = Some((key, cosigned));
        }
    }
    best.map(|(_, cosigned)| cosigned)
}

/// Makes the exhibit of an entry, with the narrowest interval that two of the notes prove. `read` gives the complete
/// hash at (tree level, n) of the log.
pub fn write<E: fmt::Display>(
    parts: &Parts<'_>,
    mut read: impl FnMut(u8, u64) -> Result<Hash, E>,
) -> Result<Vec<u8>, WriteError> {
    let founding = Founding::from_leaf(parts.founding_leaf).map_err(|error| WriteError::Founding(error.to_string()))?;
    let named = founding.policy(parts.origin).zip(founding.policy_text(parts.origin));
    let (policy, policy_text) =
        named.ok_or_else(|| WriteError::Founding(format!("found log {:?}, which has no policy", parts.origin)))?;
    let numbers = policy
        .numbers()
        .ok_or_else(|| WriteError::Founding("found a policy of groups of groups, allowed is one group".to_owned()))?;
    let hashes = |error: E| WriteError::Hashes(error.to_string());
    let short = || WriteError::Hashes("the log is shorter than its checkpoint".to_owned());

    let log = founding.log_key(parts.origin).ok_or_else(|| WriteError::Founding("found no log key".to_owned()))?;
    let claims = claims(parts.notes, log, policy);
    let mut unread = None;
    let mut verify_claim = |claim: &Claim<'_>| {
        let Checkpoint { size, root, .. } = &claim.claimed.checkpoint;
        match merkle::root(*size, &mut read) {
            // Of a log that shows two heads, only the checkpoints of this tree prove anything here.
            Ok(found) => (found == *root).then(|| claim.verify(&founding)),
            Err(error) => {
                unread.get_or_insert(error.to_string());
                None
            }
        }
    };
    // The earliest proof; of two as early the smaller checkpoint.
    let holds = |c: &Cosigned| (c.checkpoint.size > parts.index).then_some(c.checkpoint.size);
    let with = least(&claims, |c| holds(c).and_then(|size| Some((c.hi(numbers)?, size))), &mut verify_claim);
    let hi = with.as_ref().and_then(|c| c.hi(numbers));
    // The latest checkpoint without it; of two as late the larger.
    let lacks = |c: &Cosigned| (1..=parts.index).contains(&c.checkpoint.size).then_some(c.checkpoint.size);
    let up_to_hi = |c: &Cosigned| Some(c.lo(numbers)?.min(hi?));
    let before = least(&claims, |c| lacks(c).and_then(|size| Some(Reverse((up_to_hi(c)?, size)))), &mut verify_claim);
    // Times that cross are told by more liars than are tolerated: then there is no lower bound.
    let before = before.filter(|c| c.lo(numbers) <= hi);
    let with = match (with, unread) {
        (Some(with), _) => with,
        (None, Some(error)) => return Err(WriteError::Hashes(error)),
        (None, None) => {
            return Err(WriteError::NotCosigned { origin: parts.origin.to_owned(), index: parts.index });
        }
    };
    let note = with.note(|lines| Some(lines.first_key_value()?.1)).to_text();
    let size = with.checkpoint.size;
    let mut prove = |index| {
        let hashes = merkle::prove_inclusion(index, size, &mut read).map_err(hashes)?.ok_or_else(short)?;
        Ok(Proof { extra: None, index, hashes, note: note.clone() }.to_text().into_bytes())
    };

    let mut files = BTreeMap::from([
        (STATEMENT.to_owned(), parts.leaf.to_vec()),
        (POLICY.to_owned(), policy_text.as_bytes().to_vec()),
        (FOUNDING.to_owned(), parts.founding_leaf.to_vec()),
        (PROOF.to_owned(), prove(parts.index)?),
        (FOUNDING_PROOF.to_owned(), prove(0)?),
    ]);
    for (index, leaf) in parts.keys.iter().filter(|(index, _)| *index < parts.index) {
        files.insert(key_file(*index), leaf.clone());
        files.insert(key_proof_file(*index), prove(*index)?);
    }
    if let Some(before) = before {
        let proof = merkle::prove_consistency(before.checkpoint.size, size, &mut read).map_err(hashes)?;
        let lines = proof.ok_or_else(short)?.into_iter().map(|hash| STANDARD.encode(hash) + "\n").collect::<String>();
        files.insert(CONSISTENCY.to_owned(), lines.into_bytes());
        files.insert(BEFORE.to_owned(), before.note(|lines| Some(lines.last_key_value()?.1)).to_text().into_bytes());
    }
    for (size, note) in earliest_held(parts, &founding, log, &mut read) {
        let hashes = merkle::prove_inclusion(parts.index, size, &mut read).map_err(hashes)?.ok_or_else(short)?;
        let proof = Proof { extra: None, index: parts.index, hashes, note: note.to_text() };
        files.insert(held_file(size), proof.to_text().into_bytes());
    }
    if !parts.disclosures.is_empty() {
        let lines = disclosure::to_text(parts.disclosures.iter().map(String::as_str));
        files.insert(DISCLOSURES.to_owned(), lines.into_bytes());
    }
    let bytes =
        archive::write(&files).map_err(|error| WriteError::Parts(fail(Step::Archive, error, "files to archive")))?;
    // Nobody should carry an exhibit to the other side that does not hold.
    verify(&bytes).map_err(WriteError::Parts)?;
    Ok(bytes)
}

/// Of each mirror the earliest line that says that it holds the entry, under the checkpoint that it is of, by size. What does not
/// verify or is of another tree is passed over.
fn earliest_held<E>(
    parts: &Parts<'_>,
    founding: &Founding,
    log: &Vkey,
    mut read: impl FnMut(u8, u64) -> Result<Hash, E>,
) -> BTreeMap<u64, Note> {
    let mut earliest: BTreeMap<String, (Instant, u64, &Note, NoteSignature)> = BTreeMap::new();
    for note in parts.held {
        let Ok(checkpoint) = Checkpoint::parse(&note.text) else { continue };
        let is_of_tree = checkpoint.origin == parts.origin
            && checkpoint.size > parts.index
            && merkle::root(checkpoint.size, &mut read).is_ok_and(|root| root == checkpoint.root);
        for (holder, line) in mirrors(note, founding).into_iter().filter(|_| is_of_tree) {
            let found = (holder.at, checkpoint.size, note, line);
            match earliest.get(&holder.keyid) {
                Some((at, size, ..)) if (*at, *size) <= (found.0, found.1) => (),
                _ => {
                    earliest.insert(holder.keyid, found);
                }
            }
        }
    }
    let mut notes: BTreeMap<u64, Note> = BTreeMap::new();
    for (_, size, note, line) in earliest.into_values() {
        let of_log = note.signatures.iter().find(|l| l.names(log) && log_signed(&note.text, l, log));
        let held = notes.entry(size).or_insert_with(|| Note { text: note.text.clone(), signatures: Vec::new() });
        of_log.into_iter().chain([&line]).for_each(|line| held.add(line.clone()));
    }
    for note in notes.values_mut() {
        // The same lines are the same bytes, in whatever order they came: the log's first.
        note.signatures.sort_by_key(|line| (!line.names(log), line.name.clone(), line.bytes.clone()));
    }
    notes
}

/// The lines of mirrors of the founding under a note, each verified.
fn mirrors(note: &Note, founding: &Founding) -> Vec<(Holder, NoteSignature)> {
    let size = Checkpoint::parse(&note.text).map_or(0, |checkpoint| checkpoint.size);
    let holder = |line: &NoteSignature| {
        let key = founding.keys_of(Role::Mirror).find(|key| line.names(&key.vkey))?;
        let at = i64::try_from(cosignature::verify(&note.text, line, &key.vkey)?).ok().map(Instant)?;
        Some((Holder { node: key.node.clone(), keyid: key.vkey.keyid(), at, size }, line.clone()))
    };
    note.signatures.iter().filter_map(holder).collect()
}

fn log_signed(text: &str, line: &NoteSignature, log: &Vkey) -> bool {
    line.bytes.as_slice().try_into().is_ok_and(|signature| log.verify(text.as_bytes(), signature))
}

fn held_file(size: u64) -> String {
    format!("{HELD}{size:012}.tlog-proof")
}

/// The size of the checkpoint that such a file holds.
fn held_size(name: &str) -> Option<u64> {
    let size = name.strip_prefix(HELD)?.split('.').next()?.parse().ok()?;
    (name == held_file(size)).then_some(size)
}

/// Whose mirrors hold the entry: every line is of the log or of a mirror, each mirror signed once, and all of it verifies.
fn check_held(
    files: &BTreeMap<String, Vec<u8>>,
    (origin, index): (&str, u64),
    leaf: &Hash,
    founding: &Founding,
) -> Result<Vec<Holder>, ExhibitError> {
    let mut held: Vec<Holder> = Vec::new();
    for (name, size, bytes) in files.iter().filter_map(|(name, bytes)| Some((name, held_size(name)?, bytes))) {
        let proof = Proof::parse(bytes).map_err(|error| fail(Step::Held, error, "a proof"))?;
        if proof.extra.is_some() || proof.to_text().as_bytes() != bytes {
            return Err(fail(Step::Held, "an extra line or another spelling", "the proof alone"));
        }
        let note = Note::parse(proof.note.as_bytes()).map_err(|error| fail(Step::Held, error, "a note"))?;
        let checkpoint = Checkpoint::parse(&note.text).map_err(|error| fail(Step::Held, error, "a checkpoint"))?;
        if (checkpoint.origin.as_str(), checkpoint.size, proof.index) != (origin, size, index) {
            let found = format!("entry {} of {} at size {}", proof.index, checkpoint.origin, checkpoint.size);
            return Err(fail(Step::Held, found, format!("entry {index} of {origin} at size {size}, as {name} says")));
        }
        if note.to_text() != proof.note || !merkle::verify_inclusion(leaf, index, size, &proof.hashes, &checkpoint.root)
        {
            return Err(fail(Step::Held, "hashes that lead elsewhere", "a proof that holds"));
        }
        let signed = mirrors(&note, founding);
        let of_log = founding
            .log_key(origin)
            .is_some_and(|log| note.signatures.iter().any(|line| line.names(log) && log_signed(&note.text, line, log)));
        if signed.is_empty() {
            return Err(fail(Step::Held, "no line of a mirror that verifies", "one by a mirror's key of the founding"));
        }
        if signed.len() + usize::from(of_log) != note.signatures.len() {
            let found = "a line by nobody whom the founding names as a mirror, or one that fails";
            return Err(fail(Step::Held, found, "the log's line and mirrors' lines"));
        }
        held.extend(signed.into_iter().map(|(holder, _)| holder));
    }
    held.sort();
    if let Some(twice) = held.windows(2).find(|two| two[0].keyid == two[1].keyid) {
        return Err(fail(Step::Held, format!("two lines of {}", twice[0].keyid), "one, the earliest"));
    }
    Ok(held)
}

/// The same exhibit with files that its statement names in it.
pub fn with_files(exhibit: &[u8], files: impl IntoIterator<Item = Vec<u8>>) -> Result<Vec<u8>, WriteError> {
    let mut all = extract(exhibit).map_err(WriteError::Parts)?;
    for bytes in files {
        all.insert(format!("{FILES}{}", hex(&Sha256::digest(&bytes).into())), bytes);
    }
    let bytes =
        archive::write(&all).map_err(|error| WriteError::Parts(fail(Step::Archive, error, "files to archive")))?;
    verify(&bytes).map_err(WriteError::Parts)?;
    Ok(bytes)
}

fn key_file(index: u64) -> String {
    format!("keys/{index:012}.dsse.json")
}

fn key_proof_file(index: u64) -> String {
    format!("keys/{index:012}.tlog-proof")
}

/// The entry whose bytes or proof a file holds.
fn key_index(name: &str) -> Option<u64> {
    let index = name.strip_prefix("keys/")?.split('.').next()?.parse().ok()?;
    (name == key_file(index) || name == key_proof_file(index)).then_some(index)
}

/// The SHA-256 by which a file of the statement stands in an archive.
fn file_digest(name: &str) -> Option<[u8; 32]> {
    unhex(name.strip_prefix(FILES)?).ok()
}

/// The files of an exhibit's archive.
fn extract(bytes: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, ExhibitError> {
    let files = archive::read(bytes, EXHIBIT_BYTES_MAX).map_err(|broken| {
        let place = if broken.file == "archive" { String::new() } else { format!("{}: ", broken.file) };
        fail(Step::Archive, format!("{place}{}", broken.found), broken.allowed)
    })?;
    let known = [STATEMENT, PROOF, BEFORE, CONSISTENCY, POLICY, DISCLOSURES, FOUNDING, FOUNDING_PROOF, FIRST, SECOND];
    let is_known = |name: &str| {
        known.contains(&name) || key_index(name).is_some() || file_digest(name).is_some() || held_size(name).is_some()
    };
    if let Some(name) = files.keys().find(|name| !is_known(name)) {
        return Err(fail(Step::Archive, format!("a file {name:?}"), "the files of an exhibit"));
    }
    Ok(files)
}

/// What an exhibit can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exhibit {
    /// A statement, with its place and its time.
    Statement(Box<ExhibitReport>),
    /// Two heads of one log.
    Equivocation(Box<EquivocationReport>),
}

/// What an exhibit of an equivocation proves: the holder of this key signed both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EquivocationReport {
    /// The log's name.
    pub origin: String,
    /// Id of the key that signed both.
    pub keyid: String,
    /// Who keeps the log.
    pub keeper: String,
    /// The smaller checkpoint, and the witnesses that cosigned it.
    pub first: (Checkpoint, Vec<String>),
    /// The larger, or the other of the same size.
    pub second: (Checkpoint, Vec<String>),
    /// Root that the second has at the size of the first; not the first's.
    pub root: Hash,
    /// Id of the agreement, of the founding.
    pub agreement: [u8; 32],
    /// Id of the founding that names the key.
    pub founding_id: StatementId,
}

/// Makes the exhibit of two heads. Witnesses' lines stay as they are: the two signatures of the log prove it alone.
pub fn write_equivocation(found: &Equivocation, founding_leaf: &[u8]) -> Result<Vec<u8>, WriteError> {
    let founding = Founding::from_leaf(founding_leaf).map_err(|error| WriteError::Founding(error.to_string()))?;
    let origin = Checkpoint::parse(&found.first.text).map_or(String::new(), |checkpoint| checkpoint.origin);
    // Lines that do not verify would be bytes that nothing vouches for.
    let note = |note: &Note| verify::trusted(note, &founding, &origin).to_text().into_bytes();
    let lines = [found.root].iter().chain(&found.proof).map(|hash| STANDARD.encode(hash) + "\n").collect::<String>();
    let files = BTreeMap::from(
        [
            (FIRST, note(&found.first)),
            (SECOND, note(&found.second)),
            (CONSISTENCY, lines.into_bytes()),
            (FOUNDING, founding_leaf.to_vec()),
        ]
        .map(|(name, bytes)| (name.to_owned(), bytes)),
    );
    let bytes =
        archive::write(&files).map_err(|error| WriteError::Parts(fail(Step::Archive, error, "files to archive")))?;
    check_equivocation(&files).map_err(WriteError::Parts)?;
    Ok(bytes)
}

/// Verifies an exhibit of either kind, all of it.
pub fn read(bytes: &[u8]) -> Result<Exhibit, ExhibitError> {
    let files = extract(bytes)?;
    match files.contains_key(FIRST) {
        true => check_equivocation(&files).map(|report| Exhibit::Equivocation(Box::new(report))),
        false => check_statement(&files).map(|report| Exhibit::Statement(Box::new(report))),
    }
}

/// Verifies an exhibit of a statement, all of it: a byte that nothing vouches for would be a way to mislead.
pub fn verify(bytes: &[u8]) -> Result<ExhibitReport, ExhibitError> {
    check_statement(&extract(bytes)?)
}

/// What proves that an entry is in its log: parts of an exhibit that stand for themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// C2SP tlog-proof.
    pub proof: Vec<u8>,
    /// The entry.
    pub entry: Vec<u8>,
    /// C2SP tlog-policy: whose cosignatures count.
    pub policy: Vec<u8>,
}

/// Takes them out of an exhibit of a statement, which is verified.
pub fn proven(bytes: &[u8]) -> Result<Proven, ExhibitError> {
    let mut files = extract(bytes)?;
    check_statement(&files)?;
    let [proof, entry, policy] = [PROOF, STATEMENT, POLICY].map(|name| files.remove(name).unwrap_or_default());
    Ok(Proven { proof, entry, policy })
}

fn founding_id(founding_leaf: &[u8]) -> StatementId {
    StatementId::of(&Envelope::parse_leaf(founding_leaf).map_or(Vec::new(), |envelope| envelope.payload))
}

fn check_equivocation(files: &BTreeMap<String, Vec<u8>>) -> Result<EquivocationReport, ExhibitError> {
    const FILES: [&str; 4] = [CONSISTENCY, FIRST, FOUNDING, SECOND];
    if !files.keys().map(String::as_str).eq(FILES) {
        let found = files.keys().cloned().collect::<Vec<_>>().join(", ");
        return Err(fail(Step::Archive, found, FILES.join(", ")));
    }
    let founding_leaf = &files[FOUNDING];
    let founding = Founding::from_leaf(founding_leaf).map_err(|error| fail(Step::Founding, error, "a founding"))?;
    let note = |name: &'static str| {
        let note = Note::parse(&files[name]).map_err(|error| fail(Step::Equivocation, error, "a note"))?;
        let checkpoint =
            Checkpoint::parse(&note.text).map_err(|error| fail(Step::Equivocation, error, "a checkpoint"))?;
        if note.to_text().as_bytes() != files[name] {
            return Err(fail(Step::Equivocation, format!("another spelling of {name}"), "the note alone"));
        }
        Ok((note, checkpoint))
    };
    let ((first, smaller), (second, larger)) = (note(FIRST)?, note(SECOND)?);
    let named = founding.log_key(&smaller.origin).zip(founding.keeper(&smaller.origin));
    let (log, keeper) = named.ok_or_else(|| {
        fail(Step::Equivocation, format!("log {:?}", smaller.origin), "a log that the founding names")
    })?;
    let hashes = read_hashes(&files[CONSISTENCY]).filter(|hashes| !hashes.is_empty());
    let hashes = hashes.ok_or_else(|| fail(Step::Equivocation, "other bytes", "hashes in base64, one a line"))?;
    let found = Equivocation { first, second, root: hashes[0], proof: hashes[1..].to_vec() };
    if !found.is_proven(log) {
        let (what, allowed) =
            ("two checkpoints that can both be true, or signatures that fail", "two heads signed by one log");
        return Err(fail(Step::Equivocation, what, allowed));
    }
    let cosigners = |note: &Note| {
        let lines = cosignatures(note.to_text().as_bytes(), &founding);
        if 1 + lines.len() != note.signatures.len() {
            let found = "a signature by nobody whom the policy names, or one that fails";
            return Err(fail(Step::Equivocation, found, "the log and its witnesses"));
        }
        Ok(lines.into_iter().map(|(_, keyid, _)| keyid).collect::<BTreeSet<_>>().into_iter().collect())
    };
    Ok(EquivocationReport {
        origin: smaller.origin.clone(),
        keyid: log.keyid(),
        keeper: keeper.name.clone(),
        root: found.root,
        first: (smaller, cosigners(&found.first)?),
        second: (larger, cosigners(&found.second)?),
        agreement: founding.agreement(),
        founding_id: founding_id(founding_leaf),
    })
}

/// Hashes in base64, one a line, in their one spelling.
fn read_hashes(lines: &[u8]) -> Option<Vec<Hash>> {
    let text = std::str::from_utf8(lines).ok().filter(|text| text.is_empty() || text.ends_with('\n'))?;
    let hashes: Vec<Hash> = text.lines().map(hash).collect::<Option<_>>()?;
    let spelled = hashes.iter().map(|hash| STANDARD.encode(hash) + "\n").collect::<String>();
    (spelled == text).then_some(hashes)
}

fn check_statement(files: &BTreeMap<String, Vec<u8>>) -> Result<ExhibitReport, ExhibitError> {
    let file = |name: &'static str| {
        files
            .get(name)
            .map(Vec::as_slice)
            .ok_or_else(|| fail(Step::Archive, format!("no {name}"), "all files of an exhibit"))
    };
    if files.contains_key(SECOND) {
        return Err(fail(Step::Archive, SECOND, "the files of one kind of exhibit"));
    }
    let (leaf, founding_leaf) = (file(STATEMENT)?, file(FOUNDING)?);

    let founding = Founding::from_leaf(founding_leaf).map_err(|error| fail(Step::Founding, error, "a founding"))?;
    let proof = read_proof(file(PROOF)?)?;
    let origin =
        Note::parse(proof.note.as_bytes()).ok().and_then(|note| Some(Checkpoint::parse(&note.text).ok()?.origin));
    let origin = origin.ok_or_else(|| fail(Step::Proof, "no checkpoint", "a checkpoint"))?;
    let named = founding.policy(&origin).zip(founding.policy_text(&origin));
    let (policy, policy_text) =
        named.ok_or_else(|| fail(Step::Policy, format!("log {origin:?}"), "a log that the founding names"))?;
    if file(POLICY)? != policy_text.as_bytes() {
        return Err(fail(Step::Policy, "another policy", format!("that of the founding for {origin}")));
    }
    let numbers = policy.numbers().ok_or_else(|| fail(Step::Policy, "groups of groups", "one group"))?;

    let envelope = Envelope::parse_leaf(leaf).map_err(|error| fail(Step::Statement, error, "an entry"))?;
    let statement = Statement::parse(&envelope.payload).map_err(|error| fail(Step::Statement, error, "a statement"))?;
    if statement.agreement != founding.agreement() {
        let found = format!("a statement under agreement {}", StatementId(statement.agreement));
        return Err(fail(Step::Statement, found, StatementId(founding.agreement())));
    }
    if statement.home != origin && leaf != founding_leaf {
        return Err(fail(Step::Statement, format!("a statement for log {:?}", statement.home), &origin));
    }
    let keyring = read_keyring(files, &founding, policy, &proof)?;
    let signers = check_signers(&envelope, &statement, &founding, &keyring, proof.index)?;

    let (checkpoint, with) = check_proof(&proof, &leaf_hash(leaf), &origin, &founding, policy)?;
    let founded = read_proof(file(FOUNDING_PROOF)?)?;
    if founded.index != 0 || founded.note != proof.note {
        return Err(fail(Step::Proof, "a proof of something else", "entry 0 under the same checkpoint"));
    }
    check_proof(&founded, &leaf_hash(founding_leaf), &origin, &founding, policy)?;
    let hi = with.hi(numbers).ok_or_else(|| fail(Step::Proof, "too few witnesses", "a quorum"))?;

    let before = match (files.get(BEFORE), files.get(CONSISTENCY)) {
        (Some(note), Some(lines)) => {
            Some(check_before(note, lines, (&checkpoint, proof.index), &founding, policy, numbers)?)
        }
        (None, None) => None,
        _ => return Err(fail(Step::Before, "one file without the other", "before.note with consistency.txt")),
    };
    if let Some(lo) = before.filter(|lo| *lo > hi) {
        return Err(fail(Step::Before, format!("{lo}"), format!("an instant up to {hi}")));
    }
    let disclosed = match files.get(DISCLOSURES) {
        None => Vec::new(),
        Some(lines) => {
            let read = disclosure::read(&statement, lines);
            let read = read.map_err(|e| fail(Step::Disclosures, e, "salted fields of the statement, sorted"))?;
            read.into_iter().map(|d| (d.name().to_owned(), d.value_text())).collect()
        }
    };
    let shown = check_files(files, &statement)?;
    let held = check_held(files, (&origin, proof.index), &leaf_hash(leaf), &founding)?;
    Ok(ExhibitReport {
        origin,
        index: proof.index,
        size: checkpoint.size,
        statement_id: envelope.statement_id(),
        statement,
        signers,
        cosigned_by: with.lines.into_keys().collect(),
        logged_at: LoggedAt { lo: before.unwrap_or(Instant(i64::MIN)), hi },
        founding_id: founding_id(founding_leaf),
        disclosed,
        files: shown,
        held,
    })
}

/// Each file is named by the statement, and has the bytes that are named.
fn check_files(files: &BTreeMap<String, Vec<u8>>, statement: &Statement) -> Result<Vec<[u8; 32]>, ExhibitError> {
    let mut held = Vec::new();
    for (digest, bytes) in files.iter().filter_map(|(name, bytes)| Some((file_digest(name)?, bytes))) {
        if !statement.files.iter().any(|file| file.sha256 == digest) {
            return Err(fail(Step::Files, format!("a file {}", hex(&digest)), "files that the statement names"));
        }
        let found: [u8; 32] = Sha256::digest(bytes).into();
        if found != digest {
            return Err(fail(Step::Files, format!("bytes with SHA-256 {}", hex(&found)), hex(&digest)));
        }
        held.push(digest);
    }
    Ok(held)
}

fn read_proof(bytes: &[u8]) -> Result<Proof, ExhibitError> {
    let proof = Proof::parse(bytes).map_err(|error| fail(Step::Proof, error, "a proof"))?;
    if proof.extra.is_some() || proof.to_text().as_bytes() != bytes {
        return Err(fail(Step::Proof, "an extra line or another spelling", "the proof alone"));
    }
    Ok(proof)
}

/// The keys in force at the entry, as far as the entries of kind `key` show that came with it. Each is proven to be where it
/// says, and may be said there.
fn read_keyring(
    files: &BTreeMap<String, Vec<u8>>,
    founding: &Founding,
    policy: &Policy,
    proof: &Proof,
) -> Result<Keyring, ExhibitError> {
    let mut keyring = Keyring::founded(founding);
    // They are named by their indexes, in as many digits, so they come in order.
    for (name, index) in files.keys().filter_map(|name| Some((name, key_index(name)?))) {
        let (Some(leaf), Some(shown)) = (files.get(&key_file(index)), files.get(&key_proof_file(index))) else {
            return Err(fail(Step::Archive, name, "an entry of kind `key` with its proof"));
        };
        if *name != key_file(index) {
            continue; // The proof was read with the entry.
        }
        let shown = read_proof(shown)?;
        if shown.index != index || index >= proof.index || shown.note != proof.note {
            return Err(fail(Step::Proof, name, "an earlier entry under the same checkpoint"));
        }
        let checkpoint = shown.verify(&leaf_hash(leaf), policy);
        let origin = checkpoint.map_err(|error| fail(Step::Proof, error, "a proof that holds"))?.origin;
        let envelope = Envelope::parse_leaf(leaf).map_err(|error| fail(Step::Signatures, error, "an entry"))?;
        let said = Statement::parse(&envelope.payload).map_err(|error| fail(Step::Signatures, error, "a statement"))?;
        if said.agreement != founding.agreement() || said.home != origin || said.kind != "key" {
            return Err(fail(Step::Signatures, name, "a statement of kind `key` for this log"));
        }
        let signers = check_signers(&envelope, &said, founding, &keyring, index)?;
        keyring.follow(&said, &signers, index).map_err(|error| fail(Step::Signatures, error, "keys that follow"))?;
    }
    Ok(keyring)
}

/// Whose keys signed; all known must fit, and the party that speaks is among them.
pub(crate) fn check_signers(
    envelope: &Envelope,
    statement: &Statement,
    founding: &Founding,
    keyring: &Keyring,
    index: u64,
) -> Result<Vec<Signer>, ExhibitError> {
    let change = if statement.kind == "key" { KeyChange::of(statement).ok() } else { None };
    let coming = change.and_then(|change| change.coming(&statement.party));
    let message = pae(&envelope.payload);
    let mut signers = Vec::new();
    for signature in &envelope.signatures {
        let comes = coming.as_ref().filter(|key| key.vkey.keyid() == signature.keyid);
        let Some(key) = keyring.in_force(&signature.keyid, index).or(comes) else { continue };
        if !signature.sig.as_slice().try_into().is_ok_and(|sig| key.vkey.verify(&message, sig)) {
            let found = format!("a signature by {} that fails", signature.keyid);
            return Err(fail(Step::Signatures, found, "signatures over the statement"));
        }
        let (node, role) = (key.node.clone(), key.role.name().to_owned());
        signers.push(Signer { keyid: signature.keyid.clone(), node, role });
    }
    if signers.is_empty() {
        return Err(fail(Step::Signatures, "none by a key of the founding, nor by one that followed", "at least one"));
    }
    if founding.member(&statement.party).is_some() && !signers.iter().any(|s| s.node == statement.party) {
        return Err(fail(Step::Signatures, format!("none by {}", statement.party), "one by the party that speaks"));
    }
    signers.sort();
    Ok(signers)
}

fn check_proof(
    proof: &Proof,
    leaf: &Hash,
    origin: &str,
    founding: &Founding,
    policy: &Policy,
) -> Result<(Checkpoint, Cosigned), ExhibitError> {
    let checkpoint = proof.verify(leaf, policy).map_err(|error| fail(Step::Proof, error, "a proof that holds"))?;
    let cosigned = read_cosigned(Step::Proof, proof.note.as_bytes(), origin, founding, policy)?;
    Ok((checkpoint, cosigned))
}

/// A note each line of which is by the log or by a witness, and verifies.
pub(crate) fn read_cosigned(
    step: Step,
    bytes: &[u8],
    origin: &str,
    founding: &Founding,
    policy: &Policy,
) -> Result<Cosigned, ExhibitError> {
    let note = Note::parse(bytes).map_err(|error| fail(step, error, "a note"))?;
    if note.to_text().as_bytes() != bytes {
        return Err(fail(step, "another spelling of the note", "the note alone"));
    }
    let lines = note.signatures.len();
    let notes = [note];
    let log = founding.log_key(origin).ok_or_else(|| fail(step, "no log key", "a log of the founding"))?;
    let claim = claims(&notes, log, policy).pop();
    let cosigned = claim.ok_or_else(|| fail(step, "another log's note", "a checkpoint of the log"))?.verify(founding);
    if cosigned.lines.is_empty() {
        return Err(fail(step, "no cosignature that fits", "a cosigned checkpoint of the log"));
    }
    if 1 + cosigned.lines.values().map(BTreeMap::len).sum::<usize>() != lines {
        return Err(fail(step, "a signature by nobody whom the policy names", "the log and its witnesses"));
    }
    Ok(cosigned)
}

/// The earlier checkpoint is of the same log, and the entry is not under it; the instant before which it was not logged.
fn check_before(
    note: &[u8],
    lines: &[u8],
    (checkpoint, index): (&Checkpoint, u64),
    founding: &Founding,
    policy: &Policy,
    numbers: Numbers,
) -> Result<Instant, ExhibitError> {
    let before = read_cosigned(Step::Before, note, &checkpoint.origin, founding, policy)?;
    let Checkpoint { size, root, .. } = &before.checkpoint;
    if *size > index {
        return Err(fail(Step::Before, format!("size {size}"), format!("at most {index}: without the entry")));
    }
    let proof = read_hashes(lines);
    let holds = |proof: &Vec<Hash>| merkle::verify_consistency(*size, root, checkpoint.size, &checkpoint.root, proof);
    if !proof.as_ref().is_some_and(holds) {
        return Err(fail(Step::Before, "a proof that leads elsewhere", "one from the earlier checkpoint to the later"));
    }
    before.lo(numbers).ok_or_else(|| fail(Step::Before, "too few witnesses", format!("{} of them", numbers.v)))
}
