//! Literate cases: any text is read or refused.
#![no_main]
use hamsaya_agreement::case::Case;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = Case::parse("case.md", text);
});
