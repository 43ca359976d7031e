//! No policy panics, whatever cosigns.
#![no_main]
use hamsaya_record::policy::Policy;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(policy) = Policy::parse(bytes) {
        let all = policy.witnesses().iter().map(|w| &w.vkey);
        assert!(policy.is_quorum(all), "all witnesses together are always a quorum");
        assert!(policy.counted().len() <= policy.witnesses().len());
        let _ = policy.numbers();
    }
});
