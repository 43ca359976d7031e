//! Proofs for a file or a letter (C2SP tlog-proof): that an entry is in a log whose checkpoint witnesses cosigned.
//!
//! ```text
//! c2sp.org/tlog-proof@v1
//! index 73894
//! gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=
//! …                                                   siblings, from the leaf's to the root's child
//!
//! example.com/fancylog                                the checkpoint, verbatim
//! …
//! ```
//! An optional line `extra <base64>` before the index is carried and never trusted.
use crate::checkpoint::{Checkpoint, CheckpointError, decimal, hash};
use crate::merkle::{self, Hash, PROOF_MAX};
use crate::note::{NOTE_BYTES_MAX, Note};
use crate::policy::Policy;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// First line of every proof.
pub const HEADER: &str = "c2sp.org/tlog-proof@v1";
/// No proof is longer, in bytes.
pub const PROOF_BYTES_MAX: usize = NOTE_BYTES_MAX + 128 * 1024;

/// A proof, read; nothing in it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Whatever the sender wanted to add; not authenticated.
    pub extra: Option<Vec<u8>>,
    /// Place of the entry in the log.
    pub index: u64,
    /// Siblings, from the leaf's to the root's child.
    pub hashes: Vec<Hash>,
    /// The checkpoint's note, verbatim.
    pub note: String,
}

/// Why a text is not a proof, or does not prove.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// A line that is not what should stand there.
    #[error("proof line {line}: found {found:?}, allowed is {allowed}")]
    Form {
        /// Which line, from 1.
        line: usize,
        /// What was found.
        found: String,
        /// What should be.
        allowed: &'static str,
    },
    /// The checkpoint.
    #[error("{0}")]
    Checkpoint(#[from] CheckpointError),
    /// A log that the policy does not name.
    #[error("found a checkpoint of {0:?}, allowed are the logs of the policy")]
    Log(String),
    /// Too few witnesses.
    #[error("found cosignatures by {found}, allowed is a quorum of the policy")]
    Quorum {
        /// Who cosigned.
        found: String,
    },
    /// The hashes lead elsewhere.
    #[error("entry {index} with this leaf hash is not in the tree of size {size}")]
    NotIncluded {
        /// Place claimed.
        index: u64,
        /// Size of the checkpoint.
        size: u64,
    },
}

impl Proof {
    /// Reads a proof, with the form of its checkpoint; verifies nothing.
    pub fn parse(bytes: &[u8]) -> Result<Proof, ProofError> {
        let mut number = 0;
        let form =
            |line, found: &str, allowed| ProofError::Form { line, found: found.chars().take(80).collect(), allowed };
        let text = match std::str::from_utf8(bytes) {
            Ok(text) if bytes.len() <= PROOF_BYTES_MAX => text,
            _ => return Err(form(0, "other bytes", "a short text in UTF-8")),
        };
        let mut rest = text;
        let mut next = |allowed| {
            number += 1;
            let Some((line, after)) = rest.split_once('\n') else { return Err(form(number, rest, allowed)) };
            rest = after;
            Ok((number, line, after))
        };
        let (line, found, _) = next(HEADER)?;
        if found != HEADER {
            return Err(form(line, found, HEADER));
        }
        let (mut line, mut found, _) = next("`index <n>`")?;
        let mut extra = None;
        if let Some(base64) = found.strip_prefix("extra ") {
            extra = Some(STANDARD.decode(base64).map_err(|_| form(line, found, "`extra <base64>`"))?);
            (line, found, _) = next("`index <n>`")?;
        }
        let index = found.strip_prefix("index ").and_then(decimal);
        let index = index.ok_or_else(|| form(line, found, "`index <n>` without leading zeros"))?;
        let mut hashes = Vec::new();
        let note = loop {
            let (line, found, after) = next("a hash, or an empty line before the checkpoint")?;
            if found.is_empty() {
                break after;
            }
            if hashes.len() == PROOF_MAX {
                return Err(form(line, found, "at most 63 hashes"));
            }
            hashes.push(hash(found).ok_or_else(|| form(line, found, "the base64 of 32 bytes"))?);
        };
        Checkpoint::parse(&Note::parse(note.as_bytes()).map_err(CheckpointError::Note)?.text)?;
        Ok(Proof { extra, index, hashes, note: note.to_owned() })
    }

    /// The bytes of the proof.
    pub fn to_text(&self) -> String {
        let mut out = format!("{HEADER}\n");
        if let Some(extra) = &self.extra {
            out.push_str(&format!("extra {}\n", STANDARD.encode(extra)));
        }
        out.push_str(&format!("index {}\n", self.index));
        for hash in &self.hashes {
            out.push_str(&STANDARD.encode(hash));
            out.push('\n');
        }
        out.push('\n');
        out.push_str(&self.note);
        out
    }

    /// Verifies that the entry of this leaf hash is in a log of the policy under a checkpoint that a quorum cosigned.
    pub fn verify(&self, leaf: &Hash, policy: &Policy) -> Result<Checkpoint, ProofError> {
        let note = Note::parse(self.note.as_bytes()).map_err(CheckpointError::Note)?;
        let origin = Checkpoint::parse(&note.text)?.origin;
        let log = policy.logs().iter().find(|l| l.vkey.name() == origin).ok_or(ProofError::Log(origin))?;
        let (checkpoint, note) = Checkpoint::open(self.note.as_bytes(), &log.vkey)?;
        let witnesses = policy.witnesses().iter().map(|w| &w.vkey);
        let cosigned = note.verify_any(witnesses).map_err(CheckpointError::Note)?;
        if !policy.is_quorum(cosigned.iter().map(|v| v.key)) {
            let names: Vec<&str> = cosigned.iter().map(|v| v.key.name()).collect();
            let found = if names.is_empty() { "nobody".to_owned() } else { names.join(", ") };
            return Err(ProofError::Quorum { found });
        }
        if !merkle::verify_inclusion(leaf, self.index, checkpoint.size, &self.hashes, &checkpoint.root) {
            return Err(ProofError::NotIncluded { index: self.index, size: checkpoint.size });
        }
        Ok(checkpoint)
    }
}
