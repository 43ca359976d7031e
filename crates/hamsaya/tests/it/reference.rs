//! docs/reference/cli.md is what the command says of itself.
use crate::command::{hamsaya, root};
use std::fs;

#[test]
fn the_reference_is_the_one_committed() {
    let ran = hamsaya(&["reference"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let path = root().join("docs/reference/cli.md");
    if std::env::var_os("HAMSAYA_BLESS").is_some() {
        fs::write(&path, &ran.out).expect("docs/reference/cli.md");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == ran.out, "docs/reference/cli.md is not what `hamsaya reference` prints\nhint: make bless");
}

#[test]
fn every_command_says_what_it_does() {
    let ran = hamsaya(&["--help"]);
    assert_eq!(ran.code, 0);
    for line in ran.out.lines().skip_while(|l| *l != "Commands:").skip(1).take_while(|l| !l.is_empty()) {
        assert!(line.split_whitespace().count() > 2, "`{line}` says nothing");
    }
}

#[test]
fn completions_are_printed_for_a_shell() {
    assert!(hamsaya(&["completions", "bash"]).out.contains("_hamsaya()"));
}
