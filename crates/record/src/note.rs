//! Signed notes (C2SP signed-note).
//!
//! ```text
//! p1.example/hamsaya/1
//! 3
//! CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
//!
//! — p1.example/hamsaya/1 Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
//! ```
//! The last empty line parts the text, which ends in a newline, from the signatures: `— <name> <base64(u32 id ‖ sig)>`.
//! Signatures of unknown keys are kept and ignored; one of a known key that fails refuses the whole note.
use crate::cosignature;
use crate::key::{Algorithm, SecretKey, Vkey, is_key_name};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// No note is longer, in bytes.
pub const NOTE_BYTES_MAX: usize = 256 * 1024;
/// No note has more signatures.
pub const SIGNATURES_MAX: usize = 64;

/// One signature line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NoteSignature {
    /// Name of the key.
    pub name: String,
    /// Id of the key.
    pub id: u32,
    /// What follows the id; 64 bytes for type 0x01, 72 for 0x04.
    pub bytes: Vec<u8>,
}

impl NoteSignature {
    /// Signs a text with a key of type 0x01.
    pub fn sign(text: &str, key: &SecretKey) -> NoteSignature {
        let vkey = key.vkey();
        NoteSignature { name: vkey.name().to_owned(), id: vkey.id(), bytes: key.sign(text.as_bytes()).to_vec() }
    }

    /// True if this line says that it is by that key.
    pub fn names(&self, key: &Vkey) -> bool {
        self.id == key.id() && self.name == key.name()
    }

    /// Reads one line, without its newline.
    pub fn parse_line(line: &str) -> Result<NoteSignature, NoteError> {
        let bad = || NoteError::SignatureLine(line.chars().take(80).collect());
        let (name, base64) = line.strip_prefix("— ").and_then(|l| l.split_once(' ')).ok_or_else(bad)?;
        let bytes = STANDARD.decode(base64).map_err(|_| bad())?;
        let (id, signature) = bytes.split_first_chunk::<4>().ok_or_else(bad)?;
        if !is_key_name(name) || signature.is_empty() {
            return Err(bad());
        }
        Ok(NoteSignature { name: name.to_owned(), id: u32::from_be_bytes(*id), bytes: signature.to_vec() })
    }

    /// The line with its newline.
    pub fn to_line(&self) -> String {
        let mut bytes = self.id.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.bytes);
        format!("— {} {}\n", self.name, STANDARD.encode(bytes))
    }

    /// Checks the signature over `text` by `key`, which it must name. The time is that of a cosignature.
    fn verify(&self, text: &str, key: &Vkey) -> Option<Option<u64>> {
        match key.algorithm() {
            Algorithm::Ed25519 => {
                let signature = self.bytes.as_slice().try_into().ok()?;
                key.verify(text.as_bytes(), signature).then_some(None)
            }
            Algorithm::Cosignature => cosignature::verify(text, self, key).map(Some),
        }
    }
}

/// Text with signature lines, not yet verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What is signed; ends in a newline.
    pub text: String,
    /// All lines, in the order found.
    pub signatures: Vec<NoteSignature>,
}

/// A line that verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<'k> {
    /// Whose.
    pub key: &'k Vkey,
    /// The time in it, for a cosignature.
    pub time: Option<u64>,
}

/// Why a note was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Too long.
    #[error("found a note of {0} bytes, allowed are {NOTE_BYTES_MAX}")]
    TooLarge(usize),
    /// Not UTF-8, or a control character other than newline.
    #[error("the note is not UTF-8 without control characters")]
    Text,
    /// No text, empty line, signatures.
    #[error("a note is a text, an empty line, and signature lines that end in a newline")]
    Form,
    /// More lines than allowed.
    #[error("found {0} signatures, allowed are {SIGNATURES_MAX}")]
    TooMany(usize),
    /// A line that is not `— <name> <base64>`.
    #[error("found signature line {0:?}, allowed is `— <name> <base64>` of at least five bytes")]
    SignatureLine(String),
    /// A known key's signature fails.
    #[error("the signature by {0} does not fit the text")]
    BadSignature(String),
    /// No known key signed.
    #[error("no known key signed the note")]
    Unsigned,
}

impl Note {
    /// A text with no signature yet; it must end in a newline.
    pub fn new(text: String) -> Result<Note, NoteError> {
        check_text(text.as_bytes())?;
        if !text.ends_with('\n') {
            return Err(NoteError::Form);
        }
        Ok(Note { text, signatures: Vec::new() })
    }

    /// Reads the form of a note; verifies nothing.
    pub fn parse(bytes: &[u8]) -> Result<Note, NoteError> {
        let whole = check_text(bytes)?;
        let at = whole.rfind("\n\n").ok_or(NoteError::Form)?;
        let (text, lines) = (&whole[..at + 1], &whole[at + 2..]);
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Form)?;
        let count = lines.split('\n').count();
        if count > SIGNATURES_MAX {
            return Err(NoteError::TooMany(count));
        }
        let signatures = lines.split('\n').map(NoteSignature::parse_line).collect::<Result<_, _>>()?;
        Ok(Note { text: text.to_owned(), signatures })
    }

    /// The bytes of the note.
    pub fn to_text(&self) -> String {
        let mut out = String::with_capacity(self.text.len() + 1 + 160 * self.signatures.len());
        let _ = writeln!(out, "{}", self.text);
        for signature in &self.signatures {
            out.push_str(&signature.to_line());
        }
        out
    }

    /// Adds a line unless the very same is there.
    pub fn add(&mut self, signature: NoteSignature) {
        if !self.signatures.contains(&signature) {
            self.signatures.push(signature);
        }
    }

    /// Of several cosignatures of one key keeps the earliest and the latest: the others prove nothing that these do not.
    /// So a log that is quiet for a year has a note as short as on its first day.
    pub fn thin(&mut self) {
        let mut outer: BTreeMap<(String, u32), (u64, u64)> = BTreeMap::new();
        for signature in &self.signatures {
            if let Some(time) = cosignature::time(signature) {
                let seen = outer.entry((signature.name.clone(), signature.id)).or_insert((time, time));
                *seen = (seen.0.min(time), seen.1.max(time));
            }
        }
        self.signatures.retain(|signature| match cosignature::time(signature) {
            Some(time) => {
                let seen = outer.get(&(signature.name.clone(), signature.id));
                seen.is_none_or(|(earliest, latest)| time == *earliest || time == *latest)
            }
            None => true,
        });
    }

    /// The note with one line of each key, as readers elsewhere want it: of several cosignatures the latest, which says how
    /// fresh it is.
    pub fn newest(&self) -> Note {
        let mut newest: BTreeMap<(&str, u32), (Option<u64>, usize)> = BTreeMap::new();
        for (n, signature) in self.signatures.iter().enumerate() {
            let time = cosignature::time(signature);
            let kept = newest.entry((&signature.name, signature.id)).or_insert((time, n));
            if time > kept.0 {
                *kept = (time, n);
            }
        }
        let kept: BTreeSet<usize> = newest.into_values().map(|(_, n)| n).collect();
        let signatures = kept.into_iter().filter_map(|n| self.signatures.get(n).cloned()).collect();
        Note { text: self.text.clone(), signatures }
    }

    /// Verifies every line of a known key: all must fit, and there must be one. Lines of unknown keys are ignored.
    /// The verified lines come in the order of the note; one key may cosign at several times.
    pub fn verify<'k>(&self, known: impl IntoIterator<Item = &'k Vkey>) -> Result<Vec<Verified<'k>>, NoteError> {
        let verified = self.verify_any(known)?;
        if verified.is_empty() { Err(NoteError::Unsigned) } else { Ok(verified) }
    }

    /// As [`Note::verify`], but no line need be there.
    pub fn verify_any<'k>(&self, known: impl IntoIterator<Item = &'k Vkey>) -> Result<Vec<Verified<'k>>, NoteError> {
        let known: Vec<&Vkey> = known.into_iter().collect();
        let mut verified = Vec::new();
        for signature in &self.signatures {
            for key in known.iter().filter(|k| signature.names(k)) {
                match signature.verify(&self.text, key) {
                    Some(time) => verified.push(Verified { key, time }),
                    None => return Err(NoteError::BadSignature(key.keyid())),
                }
            }
        }
        Ok(verified)
    }
}

fn check_text(bytes: &[u8]) -> Result<&str, NoteError> {
    if bytes.len() > NOTE_BYTES_MAX {
        return Err(NoteError::TooLarge(bytes.len()));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| NoteError::Text)?;
    if text.bytes().any(|b| b < 0x20 && b != b'\n') {
        return Err(NoteError::Text);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    /// The example of Go's sumdb/note.
    const SIGNED: &str = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n\
        \n\
        — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    fn peter() -> Vkey {
        PETER.parse().unwrap()
    }

    #[test]
    fn known_note() {
        let note = Note::parse(SIGNED.as_bytes()).unwrap();
        assert_eq!(note.to_text(), SIGNED);
        let key = peter();
        assert_eq!(note.verify([&key]), Ok(vec![Verified { key: &key, time: None }]));
        let secret = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
        let again = NoteSignature::sign(&note.text, &SecretKey::parse(secret).unwrap());
        assert_eq!(again, note.signatures[0]);
    }

    /// C2SP signed-note's own example: the text holds an empty line, the last one parts.
    #[test]
    fn the_last_empty_line_parts() {
        let text = "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n";
        let line = "— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n";
        let note = Note::parse(format!("{text}\n{line}").as_bytes()).unwrap();
        assert_eq!(note.text, text);
        assert_eq!((note.signatures[0].id, note.signatures[0].bytes.len()), (0x367b_a04b, 64));
    }

    #[test]
    fn form() {
        let check = |text: &str, expected: Result<usize, NoteError>| {
            assert_eq!(Note::parse(text.as_bytes()).map(|n| n.signatures.len()), expected, "{text:?}");
        };
        let line = "— k AAAAAAA=\n";
        check(&format!("t\n\n{line}"), Ok(1));
        check(&format!("t\n\n{line}{line}"), Ok(2));
        check(&format!("\n\n{line}"), Ok(1));
        check(&format!("t\n{line}"), Err(NoteError::Form));
        check("t\n\n", Err(NoteError::Form));
        check("", Err(NoteError::Form));
        check("t\n\n— k AAAAAAA=", Err(NoteError::Form));
        check(&format!("t\r\n\r\n{line}"), Err(NoteError::Text));
        check(&format!("t\t\n\n{line}"), Err(NoteError::Text));
        check(&format!("t\0\n\n{line}"), Err(NoteError::Text));
        for bad in [
            "- k AAAAAAA=",          // no em dash
            "—  AAAAAAA=",           // no name
            "— k  AAAAAAA=",         // two spaces
            "— k+ AAAAAAA=",         // plus
            "— k\u{2003}x AAAAAAA=", // Unicode space
            "— k AAAAAA==",          // four bytes: an id and no signature
            "— k AAAAAAB=",          // tail bits
            "— k AAAAAAA",           // no padding
            "— k AAAA_AA=",          // url-safe
            "— k",
            "x",
        ] {
            check(&format!("t\n\n{line}{bad}\n"), Err(NoteError::SignatureLine(bad.to_owned())));
        }
        assert_eq!(Note::parse(b"\xff\n\n- k AAAAAAA=\n"), Err(NoteError::Text));
    }

    #[test]
    fn limits() {
        let lines = |n: usize| format!("t\n\n{}", "— k AAAAAAA=\n".repeat(n));
        assert_eq!(Note::parse(lines(64).as_bytes()).map(|n| n.signatures.len()), Ok(64));
        assert_eq!(Note::parse(lines(65).as_bytes()), Err(NoteError::TooMany(65)));
        let long = vec![b'a'; NOTE_BYTES_MAX + 1];
        assert_eq!(Note::parse(&long), Err(NoteError::TooLarge(NOTE_BYTES_MAX + 1)));
    }

    #[test]
    fn who_signed() {
        let (a, b) = (SecretKey::from_seed("a", [1; 32]).unwrap(), SecretKey::from_seed("b", [2; 32]).unwrap());
        // The name of one key with the bytes of another.
        let twin = SecretKey::from_seed("a", [3; 32]).unwrap();
        let (ka, kb, kt) = (a.vkey(), b.vkey(), twin.vkey());
        let mut note = Note::new("t\n".to_owned()).unwrap();
        assert_eq!(note.verify([ka]), Err(NoteError::Unsigned));
        assert_eq!(note.verify_any([ka]), Ok(vec![]));
        note.add(NoteSignature::sign(&note.text, &a));
        assert_eq!(note.verify([kb]), Err(NoteError::Unsigned));
        assert_eq!(note.verify([kt]), Err(NoteError::Unsigned), "same name, other id: unknown");
        assert_eq!(note.verify([ka, kb]).map(|v| v.len()), Ok(1));
        note.add(NoteSignature::sign(&note.text, &b));
        note.add(NoteSignature::sign(&note.text, &b));
        assert_eq!(note.verify([ka, kb]).map(|v| v.len()), Ok(2));
        // A known key that fails refuses the note; the same line is ignored if the key is unknown.
        note.signatures[1].bytes[5] ^= 1;
        assert_eq!(note.verify([ka, kb]), Err(NoteError::BadSignature(kb.keyid())));
        assert_eq!(note.verify([ka]).map(|v| v.len()), Ok(1));
        note.signatures[1].bytes.pop();
        assert_eq!(note.verify([ka, kb]), Err(NoteError::BadSignature(kb.keyid())));
        assert_eq!(Note::new("t".to_owned()), Err(NoteError::Form));
        assert_eq!(Note::new("t\u{1}\n".to_owned()), Err(NoteError::Text));
    }

    #[test]
    fn the_earliest_and_the_latest_cosignature_are_kept() {
        let log = SecretKey::from_seed("l", [1; 32]).unwrap();
        let (v, w) = ["v", "w"].map(|n| SecretKey::cosigner_from_seed(n, [n.as_bytes()[0]; 32]).unwrap()).into();
        let mut note = Note::new("t\n".to_owned()).unwrap();
        note.add(NoteSignature::sign(&note.text, &log));
        for (key, time) in [(&v, 5), (&w, 9), (&v, 7), (&v, 6), (&w, 3), (&w, 4)] {
            note.add(cosignature::sign(&note.text, time, key).unwrap());
        }
        note.thin();
        let kept: Vec<(&str, Option<u64>)> =
            note.signatures.iter().map(|s| (s.name.as_str(), cosignature::time(s))).collect();
        assert_eq!(kept, [("l", None), ("v", Some(5)), ("w", Some(9)), ("v", Some(7)), ("w", Some(3))]);
        let newest = note.newest();
        let shown: Vec<(&str, Option<u64>)> =
            newest.signatures.iter().map(|s| (s.name.as_str(), cosignature::time(s))).collect();
        assert_eq!(shown, [("l", None), ("w", Some(9)), ("v", Some(7))], "one line of each key");
        assert_eq!((newest.newest(), &newest.text), (newest.clone(), &note.text));
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>, text in "(.|\n){0,60}\n\n(— .{0,60}\n){0,3}") {
            let _ = Note::parse(&bytes);
            if let Ok(note) = Note::parse(text.as_bytes()) {
                prop_assert_eq!(note.to_text(), text);
                let _ = note.verify([&peter()]);
            }
        }
    }
}
