//! A disclosure that reads is kept byte for byte, and what it says is written and read alike.
#![no_main]
use hamsaya_record::disclosure::Disclosure;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(line) = std::str::from_utf8(bytes) else { return };
    if let Ok(disclosure) = Disclosure::parse(line) {
        assert_eq!(disclosure.line(), line);
        let again = Disclosure::make([7; 16], disclosure.name(), disclosure.value());
        assert!(again.is_ok_and(|again| again.value() == disclosure.value()));
    }
});
