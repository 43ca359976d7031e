//! What intake accepts becomes a leaf, and a leaf has one spelling.
#![no_main]
use hamsaya_record::envelope::Envelope;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(envelope) = Envelope::parse_intake(bytes) {
        assert_eq!(Envelope::parse_leaf(&envelope.to_leaf()), Ok(envelope));
    }
    if let Ok(envelope) = Envelope::parse_leaf(bytes) {
        assert_eq!(envelope.to_leaf(), bytes);
    }
});
