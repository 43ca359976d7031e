//! What the command says when it cannot do what was asked: found, allowed, where, hint; exit code 2.
use crate::command::{hamsaya, root, scratch};
use std::fs;

#[track_caller]
fn check(arguments: &[&str], expected: &[&str]) {
    let ran = hamsaya(arguments);
    assert_eq!(ran.code, 2, "{arguments:?}: {ran:?}");
    for text in expected {
        assert!(ran.err.contains(text), "{arguments:?} does not say `{text}`:\n{}", ran.err);
    }
    assert!(ran.out.is_empty(), "{arguments:?} prints {}", ran.out);
}

#[test]
fn a_node_that_does_not_answer() {
    check(&["state", "http://127.0.0.1:9"], &["error: no node answers", "  http://127.0.0.1:9", "hint: start it with"]);
}

#[test]
fn a_folder_without_an_agreement() {
    let dir = scratch("no-agreement");
    let dir = dir.to_str().expect("UTF-8");
    check(
        &["agreement", "check", dir],
        &["error: the folder holds no agreement: `agreement.toml` is missing", dir, "hint: give a folder like"],
    );
}

#[test]
fn a_key_that_is_not_there() {
    let dir = scratch("no-key");
    check(
        &["keys", "show", dir.to_str().expect("UTF-8"), "chair"],
        &["error: the folder holds no keys", "hint: make them"],
    );
}

#[test]
fn a_node_is_never_made_over_another() {
    let dir = scratch("node-twice").join("p1");
    let dir = dir.to_str().expect("UTF-8");
    let agreement = root().join("agreements/hamsaya-accord");
    let agreement = agreement.to_str().expect("UTF-8");
    let made = ["init", "node", dir, "--name", "P1", "--role", "party", "--agreement", agreement];
    let ran = hamsaya(&made);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let keys = hamsaya(&["keys", "list", dir]);
    // Log, witness, mirror and node, and one of each office that the agreement knows.
    assert_eq!(keys.out.lines().count(), 18, "{}", keys.out);
    std::fs::write(format!("{dir}/keys/store.key"), "id\nsecret\n").expect("written");
    let beside_a_buckets = hamsaya(&["keys", "list", dir]);
    assert_eq!((beside_a_buckets.code, &beside_a_buckets.out), (0, &keys.out), "{}", beside_a_buckets.err);
    std::fs::remove_file(format!("{dir}/keys/store.key")).expect("removed");
    assert!(keys.out.contains("p1.example/hamsaya/1+"), "{}", keys.out);
    assert!(!keys.out.contains("PRIVATE"), "a secret was printed");
    check(&made, &["error: the folder already holds a node", "node.toml", "hint: give a folder that is empty"]);
}

/// An account is an office's that the agreement knows; its password is kept as a hash.
#[test]
fn offices_get_accounts_and_lose_them() {
    let dir = scratch("accounts").join("p1");
    let dir = dir.to_str().expect("UTF-8");
    let agreement = root().join("agreements/hamsaya-accord");
    let agreement = agreement.to_str().expect("UTF-8");
    let made = hamsaya(&["init", "node", dir, "--name", "P1", "--role", "party", "--agreement", agreement]);
    assert_eq!(made.code, 0, "{}", made.err);
    let set = hamsaya(&["accounts", "set", dir, "--office", "liaison", "--generate"]);
    assert!(set.out.starts_with("liaison (sector_liaison) may sign in\npassword "), "{} {}", set.out, set.err);
    let password = set.out.trim_end().rsplit(' ').next().unwrap_or_default();
    let kept = fs::read_to_string(std::path::Path::new(dir).join("accounts.toml")).expect("the accounts");
    assert!(kept.contains("$argon2id$") && !kept.contains(password), "{kept}");
    assert_eq!(hamsaya(&["accounts", "list", dir]).out, "liaison  sector_liaison  password\n");
    let enrolled = hamsaya(&["accounts", "enrol", dir, "--office", "chair"]);
    let once = "chair (commission_chair) may sign in once, within 24 hours\ncode ";
    assert!(enrolled.out.starts_with(once), "{} {}", enrolled.out, enrolled.err);
    let code = enrolled.out.trim_end().rsplit(' ').next().unwrap_or_default();
    let kept = fs::read_to_string(std::path::Path::new(dir).join("accounts.toml")).expect("the accounts");
    assert!(code.len() == 23 && !kept.contains(code) && kept.contains("$argon2id$"), "{kept}");
    let listed = hamsaya(&["accounts", "list", dir]).out;
    assert_eq!(listed, "chair  commission_chair  code\nliaison  sector_liaison  password\n");
    check(
        &["accounts", "remove", dir, "--office", "chair", "--passkey", "key-1"],
        &["error: chair has no passkey `key-1`, it has: none"],
    );
    assert_eq!(hamsaya(&["accounts", "remove", dir, "--office", "chair"]).code, 0);
    check(
        &["accounts", "set", dir, "--office", "observer", "--generate"],
        &["error: no role is held by `observer`, allowed are ", "--office", "hint: roles.toml"],
    );
    check(&["accounts", "set", dir, "--office", "chair"], &["error: the password has 0 characters"]);
    assert_eq!(hamsaya(&["accounts", "remove", dir, "--office", "liaison"]).code, 0);
    assert_eq!(hamsaya(&["accounts", "list", dir]).out, "");
}

#[cfg(unix)]
#[test]
fn a_secret_key_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = scratch("modes");
    let folder = dir.to_str().expect("UTF-8");
    let ran = hamsaya(&["keys", "new", folder, "--key", "chair", "--name", "p1.example/chair"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.starts_with("p1.example/chair+"), "{}", ran.out);
    let mode = fs::metadata(dir.join("keys/chair.key")).expect("the key").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    check(
        &["keys", "new", folder, "--key", "chair", "--name", "p1.example/chair"],
        &["error: the key cannot be written", "hint: a key is never written over another"],
    );
}

#[test]
fn a_period_that_is_none() {
    fn of<'a>(more: &[&'a str]) -> Vec<&'a str> {
        [&["report", "--agreement", "x", "--record", "y"], more].concat()
    }
    check(&of(&["--month", "2026-13"]), &["error: `2026-13` is no month, allowed is a year and a month like 2026-12"]);
    check(&of(&["--month", "december"]), &["`december` is no month", "--month"]);
    check(
        &of(&["--from", "2026-12-02T00:00:00Z", "--to", "2026-12-01T00:00:00Z"]),
        &["error: the period from 2026-12-02T00:00:00Z to 2026-12-01T00:00:00Z is empty", "hint: its end is after"],
    );
    check(&of(&[]), &["--month"]);
}
