//! Checkpoints (C2SP tlog-checkpoint): a log's promise about its first `size` entries.
//!
//! ```text
//! p1.example/hamsaya/1                              origin
//! 3                                                 size
//! CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=      root hash
//! ```
//! We write and accept no extension lines. The log's key is named like the origin. A log never signs two checkpoints
//! between which no consistency proof exists.
use crate::key::{SecretKey, Vkey};
use crate::merkle::Hash;
use crate::note::{Note, NoteError, NoteSignature};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The text of a checkpoint, read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Checkpoint {
    /// Name of the log.
    pub origin: String,
    /// Number of entries.
    pub size: u64,
    /// RFC 6962 root over them.
    pub root: Hash,
}

/// Why a checkpoint was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The note around it.
    #[error("checkpoint: {0}")]
    Note(#[from] NoteError),
    /// Not exactly origin, size, root.
    #[error("checkpoint: found {found}, allowed is {allowed}")]
    Form {
        /// What does not fit.
        found: String,
        /// What would.
        allowed: &'static str,
    },
    /// Another log's.
    #[error("checkpoint: found origin {found:?}, allowed is {allowed:?}")]
    Origin {
        /// Origin found.
        found: String,
        /// Origin of the log.
        allowed: String,
    },
}

impl Checkpoint {
    /// The three lines.
    pub fn to_text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root))
    }

    /// Reads the three lines of a note text.
    pub fn parse(text: &str) -> Result<Checkpoint, CheckpointError> {
        let form = |found: &str, allowed| CheckpointError::Form { found: found.chars().take(80).collect(), allowed };
        let lines: Vec<&str> = match text.strip_suffix('\n') {
            Some(body) => body.split('\n').take(5).collect(),
            None => return Err(form("no final newline", "lines that end in a newline")),
        };
        let [origin, size, root] = lines[..] else {
            return Err(form(&format!("{} lines", lines.len()), "three lines: origin, size, root"));
        };
        if origin.is_empty() {
            return Err(form("an empty origin", "the name of a log"));
        }
        let size = decimal(size).ok_or_else(|| form(size, "a decimal size without leading zeros below 2^63"))?;
        let root = hash(root).ok_or_else(|| form(root, "the base64 of 32 bytes"))?;
        Ok(Checkpoint { origin: origin.to_owned(), size, root })
    }

    /// Signs it into a note with the log's key.
    pub fn sign(&self, key: &SecretKey) -> Note {
        let text = self.to_text();
        let signature = NoteSignature::sign(&text, key);
        Note { text, signatures: vec![signature] }
    }

    /// Reads a note and verifies the log's signature in it: the key's name must be the origin. Cosignatures are left to
    /// the caller.
    pub fn open(bytes: &[u8], log: &Vkey) -> Result<(Checkpoint, Note), CheckpointError> {
        let note = Note::parse(bytes)?;
        note.verify([log])?;
        let checkpoint = Checkpoint::parse(&note.text)?;
        if checkpoint.origin != log.name() {
            return Err(CheckpointError::Origin { found: checkpoint.origin, allowed: log.name().to_owned() });
        }
        Ok((checkpoint, note))
    }
}

/// ASCII decimal without leading zeros, below 2^63.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let canonical = text == "0" || (!text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit()));
    text.parse().ok().filter(|n| canonical && *n <= i64::MAX as u64)
}

/// Padded base64 of 32 bytes.
pub(crate) fn hash(text: &str) -> Option<Hash> {
    if text.len() != 44 {
        return None;
    }
    STANDARD.decode(text).ok()?.try_into().ok()
}
