//! A proof that reads is written back byte for byte.
#![no_main]
use hamsaya_record::policy::Policy;
use hamsaya_record::proof::Proof;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(proof) = Proof::parse(bytes) {
        assert_eq!(proof.to_text().as_bytes(), bytes);
        let policy = Policy::parse(b"quorum none\n").expect("a policy");
        assert!(proof.verify(&[0; 32], &policy).is_err());
    }
});
