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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

    #[test]
    fn known_checkpoint() {
        let checkpoint = Checkpoint::parse(TEXT).unwrap();
        assert_eq!((checkpoint.origin.as_str(), checkpoint.size), ("example.com/behind-the-sofa", 20_852_163));
        assert_eq!(checkpoint.root[..3], [0x0a, 0xc5, 0x18]);
        assert_eq!(checkpoint.to_text(), TEXT);
    }

    #[test]
    fn form() {
        let check = |text: &str, expected: &str| {
            let found = Checkpoint::parse(text).map_or_else(|e| e.to_string(), |c| c.size.to_string());
            assert!(found.contains(expected), "{text:?}: {found}");
        };
        let root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
        check(&format!("o\n0\n{root}\n"), "0");
        check(&format!("o\n9223372036854775807\n{root}\n"), "9223372036854775807");
        check(&format!("o\n9223372036854775808\n{root}\n"), "decimal size");
        check(&format!("o\n00\n{root}\n"), "decimal size");
        check(&format!("o\n07\n{root}\n"), "decimal size");
        check(&format!("o\n+7\n{root}\n"), "decimal size");
        check(&format!("o\n-1\n{root}\n"), "decimal size");
        check(&format!("o\n\n{root}\n"), "decimal size");
        check(&format!("o\n٧\n{root}\n"), "decimal size");
        check(&format!("\n7\n{root}\n"), "empty origin");
        check(&format!("o\n7\n{root}"), "no final newline");
        check(&format!("o\n7\n{root}\nextension\n"), "4 lines");
        check(&format!("o\n7\n{root}\n\n"), "4 lines");
        check("o\n7\n", "2 lines");
        check("", "no final newline");
        check("o\n7\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2J=\n", "32 bytes"); // tail bits
        check("o\n7\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I\n", "32 bytes");
        check("o\n7\nCsUYapGGPo4dkMgIAUqom_Xajj7h2fB2MPA3j2jxq2I=\n", "32 bytes");
        check("o\n7\nAAAA\n", "32 bytes");
    }

    #[test]
    fn opened_only_with_the_key_of_its_origin() {
        let key = SecretKey::from_seed("o", [1; 32]).unwrap();
        let checkpoint = Checkpoint { origin: "o".to_owned(), size: 7, root: [3; 32] };
        let note = checkpoint.sign(&key);
        let bytes = note.to_text().into_bytes();
        assert_eq!(Checkpoint::open(&bytes, key.vkey()), Ok((checkpoint.clone(), note)));
        let stranger = SecretKey::from_seed("o", [2; 32]).unwrap();
        assert_eq!(Checkpoint::open(&bytes, stranger.vkey()), Err(CheckpointError::Note(NoteError::Unsigned)));
        let mut other = bytes.clone();
        other[2] = b'8';
        let bad = NoteError::BadSignature(key.keyid());
        assert_eq!(Checkpoint::open(&other, key.vkey()), Err(CheckpointError::Note(bad)));
        // A key that signs under another origin than its name.
        let elsewhere = Checkpoint { origin: "p".to_owned(), ..checkpoint }.sign(&key).to_text();
        let expected = CheckpointError::Origin { found: "p".to_owned(), allowed: "o".to_owned() };
        assert_eq!(Checkpoint::open(elsewhere.as_bytes(), key.vkey()), Err(expected));
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>, text in "[^\n]{0,9}\n[0-9]{0,20}\n[A-Za-z0-9+/]{43}=\n") {
            let key = SecretKey::from_seed("o", [1; 32]).unwrap();
            let _ = Checkpoint::open(&bytes, key.vkey());
            let _ = Checkpoint::parse(&String::from_utf8_lossy(&bytes));
            if let Ok(checkpoint) = Checkpoint::parse(&text) {
                prop_assert_eq!(checkpoint.to_text(), text);
            }
        }
    }
}
