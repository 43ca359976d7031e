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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cosignature;
    use crate::key::SecretKey;
    use crate::merkle::{Edge, leaf_hash, prove_inclusion};
    use crate::note::NoteError;
    use crate::policy;
    use proptest::prelude::*;
    use std::convert::Infallible;

    fn leaf(i: u64) -> Hash {
        leaf_hash(&i.to_be_bytes())
    }

    fn log() -> SecretKey {
        SecretKey::from_seed("example.com/log", [1; 32]).unwrap()
    }

    fn witness(n: u8) -> SecretKey {
        SecretKey::cosigner_from_seed(&format!("w{n}"), [100 + n; 32]).unwrap()
    }

    fn two_of_three() -> Policy {
        let keys: Vec<SecretKey> = (1..4).map(witness).collect();
        let text = policy::write(log().vkey(), keys.iter().map(|k| (k.vkey().name(), k.vkey())), 2);
        Policy::parse(text.as_bytes()).unwrap()
    }

    /// Entry 4 of 7, cosigned by these.
    fn proof(cosigners: &[u8]) -> Proof {
        let mut edge = Edge::new();
        let mut hashes = std::collections::BTreeMap::new();
        for i in 0..7 {
            edge.push(leaf(i), |level, n, hash| {
                hashes.insert((level, n), hash);
            });
        }
        let read = |level, n| Ok::<_, Infallible>(hashes[&(level, n)]);
        let checkpoint = Checkpoint { origin: "example.com/log".to_owned(), size: 7, root: edge.root() };
        let mut note = checkpoint.sign(&log());
        for n in cosigners {
            note.add(cosignature::sign(&note.text, 1_795_550_400, &witness(*n)).unwrap());
        }
        Proof { extra: None, index: 4, hashes: prove_inclusion(4, 7, read).unwrap().unwrap(), note: note.to_text() }
    }

    #[test]
    fn reads_what_it_writes() {
        let mut proof = proof(&[1, 3]);
        let text = proof.to_text();
        assert!(text.starts_with("c2sp.org/tlog-proof@v1\nindex 4\n"), "{text}");
        assert_eq!(Proof::parse(text.as_bytes()), Ok(proof.clone()));
        proof.extra = Some(b"more".to_vec());
        assert!(proof.to_text().starts_with("c2sp.org/tlog-proof@v1\nextra bW9yZQ==\nindex 4\n"));
        assert_eq!(Proof::parse(proof.to_text().as_bytes()), Ok(proof));
    }

    #[test]
    fn verifies() {
        let policy = two_of_three();
        assert_eq!(proof(&[1, 3]).verify(&leaf(4), &policy).map(|c| c.size), Ok(7));
        assert!(matches!(proof(&[1]).verify(&leaf(4), &policy), Err(ProofError::Quorum { .. })));
        assert!(matches!(proof(&[1, 9]).verify(&leaf(4), &policy), Err(ProofError::Quorum { .. })));
        assert_eq!(proof(&[1, 2]).verify(&leaf(5), &policy), Err(ProofError::NotIncluded { index: 4, size: 7 }));
        // Extra data is carried and has no say.
        let extra = Proof { extra: Some(vec![1]), ..proof(&[1, 2]) };
        assert!(extra.verify(&leaf(4), &policy).is_ok());
        let mut moved = proof(&[1, 2]);
        moved.index = 5;
        assert!(moved.verify(&leaf(4), &policy).is_err());
        let mut forged = proof(&[1, 2]);
        forged.note = forged.note.replacen("\n7\n", "\n8\n", 1);
        let bad = NoteError::BadSignature(log().keyid());
        assert_eq!(forged.verify(&leaf(4), &policy), Err(ProofError::Checkpoint(CheckpointError::Note(bad))));
        let mut elsewhere = proof(&[1, 2]);
        elsewhere.note = elsewhere.note.replace("example.com/log", "example.com/other");
        assert_eq!(elsewhere.verify(&leaf(4), &policy), Err(ProofError::Log("example.com/other".to_owned())));
    }

    #[test]
    fn form() {
        let good = proof(&[1, 3]).to_text();
        let check = |from: &str, to: &str, expected: &str| {
            let spoiled = good.replacen(from, to, 1);
            assert_ne!(spoiled, good);
            let found = Proof::parse(spoiled.as_bytes()).map_or_else(|e| e.to_string(), |_| "accepted".to_owned());
            assert!(found.contains(expected), "{spoiled}: {found}");
        };
        check("@v1", "@v2", "proof line 1");
        check("index 4", "index 04", "proof line 2");
        check("index 4", "index", "proof line 2");
        check("index 4", "index  4", "proof line 2");
        check("index 4\n", "", "proof line 2");
        check("index 4", "extra ****\nindex 4", "proof line 2");
        check("index 4", "extra AA==\nextra AA==\nindex 4", "proof line 3");
        check("index 4", "index 4\nAAAA", "proof line 3");
        check("\n\n", "\n", "proof line 6");
        check(
            "index 4",
            &format!("index 4\n{}", [format!("{}=", "A".repeat(43)).as_str(); 63].join("\n")),
            "at most 63 hashes",
        );
        assert!(Proof::parse(good.split_once("\n\n").unwrap().0.as_bytes()).is_err());
        assert!(Proof::parse(b"\xff").is_err());
        assert!(Proof::parse(&vec![b'\n'; PROOF_BYTES_MAX + 1]).is_err());
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>, cut in 0usize..600, noise in ".{0,9}") {
            let mut text = proof(&[1, 3]).to_text();
            if text.is_char_boundary(cut) {
                text.insert_str(cut, &noise);
            }
            for bytes in [&bytes[..], text.as_bytes()] {
                if let Ok(proof) = Proof::parse(bytes) {
                    prop_assert_eq!(Proof::parse(proof.to_text().as_bytes()), Ok(proof.clone()));
                    let _ = proof.verify(&leaf(4), &two_of_three());
                }
            }
        }
    }
}
