//! Agreement folders: one file of a small agreement is any bytes; whatever they are, it is read or refused.
#![no_main]
use hamsaya_agreement::Agreement;
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeMap;

const CHARTER: &str = "[[member]]\nname = \"P1\"\nrole = \"party\"\n";
const KINDS: &str = "[kind.ack]\nact = \"answer\"\nspeech = \"said\"\n[kind.ack.fields]\nallegation = \"id\"\n";
const TERMS: &str = "# Article 1 {#art_1}\n```accord\n\
    define absent(entry: e) when once withdraws(target: e)\n\
    define admitted(entry: e) when once own(entry: e)\n\
    define agreed(entry: e, other: o) when once same(entry: e, other: o)\n\
    define first(entry: e) when once word(entry: e)\n```\n";

fuzz_target!(|data: &[u8]| {
    let Some((file, bytes)) = data.split_first() else { return };
    let names = ["agreement.toml", "annexes/kinds.toml", "01-terms.md", "02-duties.md"];
    let texts = [CHARTER, KINDS, TERMS, ""].map(|t| t.as_bytes().to_vec());
    let mut files: BTreeMap<String, Vec<u8>> = names.iter().map(|n| n.to_string()).zip(texts).collect();
    files.insert(names[usize::from(*file) % names.len()].to_string(), bytes.to_vec());
    if let Err(found) = Agreement::parse(&files) {
        assert!(!found.0.is_empty());
    }
});
