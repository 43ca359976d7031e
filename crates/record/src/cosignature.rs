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
