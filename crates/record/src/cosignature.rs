//! Cosignatures (C2SP tlog-cosignature 1.0.1, type 0x04): a witness saw this checkpoint, consistent, at this time.
//!
//! ```text
//! cosignature/v1
//! time 1795550400
//! p1.example/hamsaya/1
//! 3
//! CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
//! ```
//! is what is signed: two lines before the whole text of the note. The line in the note holds u64 time ‖ 64 bytes.
use crate::key::{SecretKey, Vkey};
use crate::note::NoteSignature;

/// Times are from 1 to this, in seconds since 1970.
pub const TIME_MAX: u64 = i64::MAX as u64;

/// The bytes that a cosigner signs.
pub fn message(text: &str, time: u64) -> Vec<u8> {
    let mut message = format!("cosignature/v1\ntime {time}\n").into_bytes();
    message.extend_from_slice(text.as_bytes());
    message
}

/// Cosigns a note text with a key of type 0x04; `None` if the time is not in 1..=[`TIME_MAX`].
pub fn sign(text: &str, time: u64, key: &SecretKey) -> Option<NoteSignature> {
    if time == 0 || time > TIME_MAX {
        return None;
    }
    let mut bytes = time.to_be_bytes().to_vec();
    bytes.extend_from_slice(&key.sign(&message(text, time)));
    Some(NoteSignature { name: key.vkey().name().to_owned(), id: key.vkey().id(), bytes })
}

/// The time in a cosignature line, unverified; `None` if it has not the form of one.
pub fn time(signature: &NoteSignature) -> Option<u64> {
    if signature.bytes.len() != 72 {
        return None;
    }
    let time = u64::from_be_bytes(*signature.bytes.first_chunk()?);
    (1..=TIME_MAX).contains(&time).then_some(time)
}

/// The time of a cosignature by `key` over `text`; `None` if it does not verify.
pub fn verify(text: &str, signature: &NoteSignature, key: &Vkey) -> Option<u64> {
    let time = time(signature)?;
    let bytes = signature.bytes[8..].try_into().ok()?;
    key.verify(&message(text, time), bytes).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::{Note, NoteError};

    const TEXT: &str = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

    #[test]
    fn what_is_signed() {
        let expected = format!("cosignature/v1\ntime 1679315147\n{TEXT}");
        assert_eq!(message(TEXT, 1_679_315_147), expected.as_bytes());
    }

    /// The example of C2SP tlog-cosignature.
    #[test]
    fn known_line() {
        let line = "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==";
        let signature = NoteSignature::parse_line(line).unwrap();
        assert_eq!((signature.id, time(&signature)), (0x8d66_cf3f, Some(1_679_315_147)));
        assert_eq!(signature.to_line(), format!("{line}\n"));
    }

    #[test]
    fn times() {
        let key = SecretKey::cosigner_from_seed("w", [1; 32]).unwrap();
        let other = SecretKey::cosigner_from_seed("w", [2; 32]).unwrap();
        for t in [1, 1_679_315_147, TIME_MAX] {
            let signature = sign(TEXT, t, &key).unwrap();
            assert_eq!(signature.bytes.len(), 72);
            assert_eq!(verify(TEXT, &signature, key.vkey()), Some(t));
            assert_eq!(verify(TEXT, &signature, other.vkey()), None);
            assert_eq!(verify(&TEXT[1..], &signature, key.vkey()), None);
            // The time is signed too.
            let mut later = signature.clone();
            later.bytes[7] ^= 1;
            assert_eq!(verify(TEXT, &later, key.vkey()), None);
        }
        assert_eq!(sign(TEXT, 0, &key), None);
        assert_eq!(sign(TEXT, TIME_MAX + 1, &key), None);
        let mut zero = sign(TEXT, 1, &key).unwrap();
        zero.bytes[7] = 0;
        assert_eq!(time(&zero), None);
        zero.bytes[0] = 0x80;
        assert_eq!(time(&zero), None);
    }

    /// One witness may have cosigned twice; a cosignature is never taken for a plain signature or the other way round.
    #[test]
    fn in_a_note() {
        let cosigner = SecretKey::cosigner_from_seed("w", [1; 32]).unwrap();
        let signer = SecretKey::from_seed("w", [1; 32]).unwrap();
        let mut note = Note::new(TEXT.to_owned()).unwrap();
        note.add(sign(TEXT, 7, &cosigner).unwrap());
        note.add(sign(TEXT, 9, &cosigner).unwrap());
        let times = note.verify([cosigner.vkey()]).unwrap().iter().map(|v| v.time).collect::<Vec<_>>();
        assert_eq!(times, [Some(7), Some(9)]);
        assert_eq!(note.verify([signer.vkey()]), Err(NoteError::Unsigned));
        let mut plain = NoteSignature::sign(TEXT, &signer);
        plain.id = cosigner.vkey().id();
        note.add(plain);
        assert_eq!(note.verify([cosigner.vkey()]), Err(NoteError::BadSignature(cosigner.keyid())));
    }

    /// Lines of type 0x06 (ML-DSA-44) are kept and not counted in version 1.
    #[test]
    fn lines_of_other_types_are_kept() {
        let key = SecretKey::from_seed("example.com/behind-the-sofa", [1; 32]).unwrap();
        let mut note = Note::new(TEXT.to_owned()).unwrap();
        note.add(NoteSignature::sign(TEXT, &key));
        note.add(NoteSignature { name: "w".to_owned(), id: 6, bytes: vec![9; 8 + 2420] });
        let read = Note::parse(note.to_text().as_bytes()).unwrap();
        assert_eq!(read, note);
        assert_eq!(read.verify([key.vkey()]).map(|v| v.len()), Ok(1));
    }
}
