//! A note that reads is written back byte for byte.
#![no_main]
use hamsaya_record::key::Vkey;
use hamsaya_record::note::Note;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(note) = Note::parse(bytes) {
        assert_eq!(note.to_text().as_bytes(), bytes);
        let key: Vkey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".parse().expect("a known key");
        let _ = note.verify([&key]);
    }
});
