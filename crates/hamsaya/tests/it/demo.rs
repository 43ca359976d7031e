//! The main job, end to end, with the built command: five nodes, one accord, one verdict.
use crate::command::{Ran, copy, hamsaya, root, scratch};
use hamsaya_record::Instant;
use hamsaya_record::accept::Acceptance;
use hamsaya_record::checkpoint::Checkpoint;
use hamsaya_record::cosignature;
use hamsaya_record::envelope::Envelope;
use hamsaya_record::key::SecretKey;
use hamsaya_record::log::Log;
use hamsaya_record::note::Note;
use hamsaya_record::statement::{Act, FieldValue, Statement};
use hamsaya_record::store::{Folder, Memory};
use hamsaya_record::witness::origin_hash;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// What one run of the demo printed, and where it left its folders.
pub struct Played {
    ran: Ran,
    pub place: PathBuf,
}

/// Plays once for all tests of this module; P1 is killed on the way.
pub fn played() -> &'static Played {
    static PLAYED: OnceLock<Played> = OnceLock::new();
    PLAYED.get_or_init(|| {
        let dir = scratch("demo");
        let ran = hamsaya(&["demo", "--once", "--kill", "P1", "--dir", dir.to_str().expect("UTF-8")]);
        let place = ran.out.lines().find_map(|l| l.strip_prefix("place: ")).unwrap_or_default().into();
        Played { ran, place }
    })
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn digests(out: &str) -> BTreeSet<&str> {
    out.lines().filter_map(|l| l.strip_prefix("digest ")).filter_map(|l| l.split(' ').next_back()).collect()
}

/// A copy of a folder that the demo left, for a test that damages it.
fn copied(node: &str, name: &str) -> PathBuf {
    let to = scratch(name).join(node);
    copy(&played().place.join(node), &to);
    to
}

fn judge(records: &[&str]) -> Ran {
    let agreement = root().join("agreements/hamsaya-accord");
    let mut arguments = vec!["judge".to_string(), "--agreement".into(), text(&agreement).into()];
    for record in records {
        arguments.extend(["--record".to_string(), text(&played().place.join(record)).to_string()]);
    }
    // H 620.
    arguments.extend(["--as-of".into(), "2026-12-20T16:00:00Z".into(), "--format".into(), "json".into()]);
    hamsaya(&arguments)
}

#[test]
fn the_demo_plays_the_golden_scenario() {
    let ran = &played().ran;
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
    for expected in [
        "C14(A1, P1) pending -> kept",
        "(P2 lodged #2)",
        "C32.lane(K1, P2) breached -> kept (late evidence: ",
        "C12(A1, P1) disputed -> kept",
        "C18.plan(A1, P1) pending -> kept",
        "C32.lane(K1, P2) kept -> breached (evidence withdrawn: ",
        "P1: process killed",
        "14 kept, 9 breached, 5 pending, 0 disputed",
        "acknowledged statements are held by all 4 nodes",
    ] {
        assert!(ran.out.contains(expected), "the demo does not say `{expected}`:\n{}", ran.out);
    }
    assert_eq!(ran.out.lines().filter(|l| l.starts_with("digest ")).count(), 4, "{}", ran.out);
    assert_eq!(digests(&ran.out).len(), 1, "{}", ran.out);
}

#[test]
fn the_folders_judge_offline_to_the_same_digest_in_any_order() {
    let ran = &played().ran;
    let one = judge(&["p1", "p2", "g1", "g2"]);
    assert_eq!(one.code, 1, "something is breached: {}", one.err);
    let other = judge(&["g2", "p2", "p1", "g1"]);
    assert_eq!(one.out, other.out, "the order of folders changes the judgment");
    let digest = digests(&ran.out).into_iter().next().expect("a digest").to_string();
    assert!(one.out.contains(&digest), "offline another digest than {digest}:\n{}", one.out);
    assert_eq!(judge(&["p1"]).out, one.out, "one node's folder holds all that is needed");
}

#[test]
fn judge_exits_0_while_nothing_is_breached_and_explains_a_verdict() {
    let agreement = root().join("agreements/hamsaya-accord");
    let record = played().place.join("g1");
    let at = |as_of: &str, more: &[&str]| {
        let fixed = ["judge", "--agreement", text(&agreement), "--record", text(&record), "--as-of", as_of];
        hamsaya(&[&fixed, more].concat())
    };
    // H 4: acknowledged in time, nothing yet on television.
    let early = at("2026-11-25T00:00:00Z", &[]);
    assert_eq!(early.code, 0, "{}{}", early.out, early.err);
    assert!(early.out.contains("C14(A1, P1)"), "{}", early.out);
    let explained = at("2026-12-20T16:00:00Z", &["--explain", "C32.lane(K1, P2)"]);
    assert_eq!(explained.code, 1, "{}", explained.err);
    assert!(explained.out.contains("opened by P1 closure"), "{}", explained.out);
    let urdu = at("2026-12-20T16:00:00Z", &["--lang", "ur"]);
    assert!(urdu.out.contains("خلاف ورزی"), "{}", urdu.out);
    let unknown = at("2026-12-20T16:00:00Z", &["--explain", "C99(A1)"]);
    assert_eq!(unknown.code, 2);
    assert!(unknown.err.starts_with("error: no verdict is called `C99(A1)`, found are "), "{}", unknown.err);
    let nonsense = at("tomorrow", &[]);
    assert_eq!(nonsense.code, 2);
    assert!(nonsense.err.contains("allowed is an instant like"), "{}", nonsense.err);
}

#[test]
fn every_folder_verifies_and_a_flipped_byte_does_not() {
    for node in ["p1", "p2", "g1", "g2", "o1"] {
        let ran = hamsaya(&["verify", text(&played().place.join(node))]);
        assert_eq!(ran.code, 0, "{node}: {}{}", ran.out, ran.err);
    }
    let dir = copied("p1", "flipped");
    let mut files = Vec::new();
    walk(&dir.join("log"), &mut files);
    walk(&dir.join("peers"), &mut files);
    assert!(files.len() > 10, "{files:?}");
    for file in files {
        let whole = fs::read(&file).expect("a file");
        if whole.is_empty() {
            continue;
        }
        let mut flipped = whole.clone();
        let place = whole.len() / 2;
        flipped[place] ^= 1;
        fs::write(&file, flipped).expect("a write");
        let ran = hamsaya(&["verify", text(&dir)]);
        assert_eq!(ran.code, 1, "{}: a flipped byte was not found", file.display());
        let name = file.file_name().and_then(|n| n.to_str()).expect("UTF-8");
        assert!(ran.out.contains(name), "{} is not named:\n{}", file.display(), ran.out);
        fs::write(&file, whole).expect("a write");
    }
}

#[test]
fn a_node_does_not_start_on_a_byte_that_does_not_fit() {
    let dir = copied("g2", "unknown");
    // Standard input has ended already, so a node that starts stops at once.
    let serve = ["serve", text(&dir), "--listen", "127.0.0.1:0", "--scenario-clock", "--stop-with-stdin"];
    let ran = hamsaya(&serve);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let mut files = Vec::new();
    walk(&dir.join("log/tile/entries"), &mut files);
    let bundle = files.first().expect("a bundle");
    let mut bytes = fs::read(bundle).expect("a bundle");
    bytes[100] ^= 1;
    fs::write(bundle, bytes).expect("a write");
    let ran = hamsaya(&serve);
    assert_eq!(ran.code, 2, "{}", ran.out);
    assert!(ran.err.starts_with("error: ") && ran.err.contains("tile/entries"), "{}", ran.err);
}

#[test]
fn an_exhibit_verifies_without_node_and_network_and_a_changed_byte_does_not() {
    let dir = scratch("exhibit");
    let file = dir.join("x.exhibit.zip");
    let ran = hamsaya(&["record", "exhibit", text(&played().place.join("g1")), "P1#2", "-o", text(&file)]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let ran = hamsaya(&["verify", text(&file)]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("works_filed by P1"), "{}", ran.out);
    let whole = fs::read(&file).expect("the exhibit");
    for place in (0..whole.len()).step_by(whole.len() / 40) {
        let mut changed = whole.clone();
        changed[place] ^= 1;
        fs::write(&file, changed).expect("a write");
        assert_ne!(hamsaya(&["verify", text(&file)]).code, 0, "byte {place} of {} may be changed", whole.len());
    }
}

/// G1 says, in its log, that P2's was dark: who reads the folder is told.
#[test]
fn gaps_are_read_from_the_logs_of_a_folder() {
    let home = copied("g1", "gaps");
    let key = |node: &str, what: &str| {
        let path = played().place.join(node).join("keys").join(format!("{what}.key"));
        SecretKey::parse(&fs::read_to_string(path).expect("a key")).expect("a key")
    };
    let last = home.join("peers").join(origin_hash("p2.example/hamsaya/1")).join("checkpoint");
    let last = fs::read_to_string(last).expect("P2's checkpoint");
    // Of each witness the latest time: by the third a quorum had cosigned.
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    for line in Note::parse(last.as_bytes()).expect("a note").signatures {
        let time = cosignature::time(&line).unwrap_or_default();
        seen.entry(line.name).and_modify(|known| *known = time.max(*known)).or_insert(time);
    }
    let mut seen: Vec<u64> = seen.into_values().collect();
    seen.sort_unstable();
    let from = Instant(i64::try_from(seen[seen.len() - 3]).expect("a time"));
    let now = "2026-12-20T16:06:40Z".parse::<Instant>().expect("an instant");
    let mut leaves: Vec<Vec<u8>> = Vec::new();
    let store = Folder::open(&home.join("log")).expect("a folder");
    let mut log = Log::open(store, key("g1", "log"), |_, leaf| leaves.push(leaf.to_vec())).expect("G1's log");
    let mut acceptance = Acceptance::found(log.origin(), &leaves[0]).expect("the founding");
    leaves[1..].iter().for_each(|leaf| drop(acceptance.replay(leaf)));
    let agreement = acceptance.founding().agreement();
    let id = "0193a1b2-c3d4-7e5f-8a9b-0000000000da";
    let mut said = Statement::new(agreement, Act::Record, "checkpoints", id, "G1", log.origin(), now);
    said.source = "g1/node".into();
    (said.seq, said.prev) = acceptance.next_of("G1", &said.source);
    said.fields.insert("notes".into(), FieldValue::List(vec![FieldValue::Text(last)]));
    let entry = Envelope::sign(said.to_payload(), &[&key("g1", "node")]);
    acceptance.check(&entry).expect("accepted");
    let index = log.append(&[entry.to_leaf()], now).expect("appended").first_index;
    let mut note = log.signed().expect("a checkpoint").clone();
    for witness in ["p1", "p2", "g2"] {
        let line = cosignature::sign(&note.text, now.0.unsigned_abs(), &key(witness, "witness"));
        note.add(line.expect("a time"));
    }
    log.publish(&note).expect("published");
    log.settle().expect("settled");
    drop(log);
    let ran = hamsaya(&["state", text(&home)]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let told = format!("node  dark from             told by\nP2    {from}  G1#{index}\n");
    assert!(ran.out.contains(&told), "{}", ran.out);
}

/// P2's mirror signed that it holds the entry: the exhibit that P1 makes of it says so.
#[test]
fn an_exhibit_says_whose_mirror_holds_the_entry_since_when() {
    let home = copied("p1", "held");
    let mirror = fs::read_to_string(played().place.join("p2/keys/mirror.key")).expect("a key");
    let mirror = SecretKey::parse(&mirror).expect("a key");
    let published = fs::read(home.join("log/checkpoint")).expect("a checkpoint");
    let note = Note::parse(&published).expect("a note");
    let checkpoint = Checkpoint::parse(&note.text).expect("a checkpoint");
    let at: Instant = "2026-12-20T16:00:00Z".parse().expect("an instant");
    let line = |text: &str| {
        let signed = cosignature::sign(text, at.0.unsigned_abs(), &mirror).expect("a time");
        signed.to_line().trim_end().to_string()
    };
    let verified = |line: String| {
        let root = note.text.lines().nth(2).expect("a root");
        let receipt = json!({"by": "P2", "size": checkpoint.size, "root": root, "time": at.0, "line": line});
        fs::write(home.join("receipts.jsonl"), receipt.to_string()).expect("a write");
        let file = home.join("x.exhibit.zip");
        let ran = hamsaya(&["record", "exhibit", text(&home), "P1#2", "-o", text(&file)]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        let ran = hamsaya(&["verify", text(&file)]);
        fs::remove_file(&file).expect("removed");
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        ran.out
    };
    let out = verified(line(&note.text));
    let size = checkpoint.size;
    let expected = format!("held       by P2 since {at}, as its mirror signed at size {size} ({})\n", mirror.keyid());
    assert!(out.contains(&expected), "{out}");
    // A receipt that was tampered with proves nothing, and is left out.
    assert!(!verified(line("another text\n")).contains("held "));
}

/// P1's log key signs a second log. Whoever holds both heads can show it to anybody.
#[test]
fn two_heads_of_one_log_are_proven_without_node_and_network() {
    let (dir, home, g1) = (scratch("heads"), played().place.join("p1"), played().place.join("g1"));
    let key = fs::read_to_string(home.join("keys/log.key")).expect("a key");
    let key = SecretKey::parse(&key).expect("a key");
    let mut founding = fs::read(home.join("founding.json")).expect("a founding");
    founding.truncate(founding.trim_ascii_end().len());
    let head = |entries: &[&[u8]]| {
        let mut log = Log::open(Memory::new(), key.clone(), |_, _| ()).expect("an empty log");
        log.append(&[&founding[..]], Instant(1)).expect("appended");
        log.append(entries, Instant(1)).expect("appended").checkpoint.to_text()
    };
    let (one, other) = (dir.join("one"), dir.join("other"));
    fs::write(&one, head(&[b"what P2 is shown"])).expect("a write");
    fs::write(&other, head(&[b"what G1 is shown"])).expect("a write");
    let file = dir.join("x.exhibit.zip");
    let published = home.join("log/checkpoint");
    // Of one size; and of two, the larger of which G1 has followed.
    for (first, second) in [(&one, &other), (&published, &other)] {
        let ran = hamsaya(&["record", "equivocation", text(&g1), text(first), text(second), "--output", text(&file)]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        let ran = hamsaya(&["verify", text(&file)]);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        let proven = format!("equivocation proven: {} signed two logs", key.keyid());
        assert!(ran.out.contains(&proven), "{}", ran.out);
    }
    let ran = hamsaya(&["record", "equivocation", text(&g1), text(&one), text(&one), "--output", text(&file)]);
    assert_eq!(ran.code, 2, "one checkpoint proves nothing");
}

#[test]
fn a_public_bundle_lists_what_it_withholds_entry_by_entry_and_a_changed_byte_does_not_fit() {
    let dir = scratch("bundle");
    let (file, g2) = (dir.join("bundle.zip"), played().place.join("g2"));
    let ran = hamsaya(&["record", "bundle", text(&g2), "-o", text(&file)]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let ran = hamsaya(&["verify", text(&file)]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let whole = fs::read(&file).expect("the bundle");
    let report = hamsaya_record::bundle::verify(&whole).expect("it fits");
    // The incidents are public, the scenario's statements are not.
    let entries: serde_json::Value =
        serde_json::from_str(&hamsaya(&["record", "list", text(&g2), "--format", "json"]).out).expect("entries");
    let entries = entries.as_array().expect("entries");
    let place = |e: &serde_json::Value| (e["origin"].as_str().expect("a log").to_string(), e["index"].as_u64());
    let public = |log: &hamsaya_record::bundle::PublicLog| {
        log.shown.iter().map(|s| (log.origin.clone(), Some(s.index))).collect::<Vec<_>>()
    };
    let shown: Vec<_> = report.logs.iter().flat_map(public).collect();
    let withheld: Vec<_> = report.redactions.iter().map(|r| (r.origin.clone(), Some(r.index))).collect();
    assert_eq!(shown.len(), 11);
    let mut seen = 0;
    for log in &report.logs {
        for entry in entries.iter().filter(|e| e["origin"] == log.origin && e["index"].as_u64() < Some(log.size)) {
            let is_public = entry["marking"] == "TLP:CLEAR";
            assert_eq!(
                (shown.contains(&place(entry)), withheld.contains(&place(entry))),
                (is_public, !is_public),
                "{entry}"
            );
            seen += 1;
        }
    }
    assert_eq!(seen, shown.len() + withheld.len());
    for line in ["marking, which is above TLP:CLEAR", "11 shown", "nothing else was in these logs"] {
        assert!(ran.out.contains(line), "{}", ran.out);
    }
    for place in (0..whole.len()).step_by(whole.len() / 12) {
        let mut changed = whole.clone();
        changed[place] ^= 1;
        fs::write(&file, changed).expect("a write");
        let ran = hamsaya(&["verify", text(&file)]);
        assert!(ran.code == 1 && ran.out.starts_with("does not fit: "), "byte {place}: {}{}", ran.out, ran.err);
    }
}

#[test]
fn entries_are_listed_and_shown_from_a_folder() {
    let g2 = played().place.join("g2");
    let ran = hamsaya(&["record", "list", text(&g2), "--kind", "incident"]);
    assert_eq!((ran.code, ran.out.lines().count()), (0, 11), "{}", ran.err);
    // Where it stands depends on how many cosignatures P2 logged before.
    let listed = hamsaya(&["record", "list", text(&g2), "--kind", "lodged"]);
    let index = listed.out.split('#').nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap_or_default();
    let ran = hamsaya(&["record", "show", text(&g2), &format!("P2#{index}")]);
    assert!(
        ran.out.contains("\"kind\": \"lodged\"") && ran.out.contains("\"hi\": \"2026-11-24T20:00:00Z\""),
        "{}",
        ran.out
    );
    let ran = hamsaya(&["record", "show", text(&g2), "P9#2"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.starts_with("error: there is no log `P9`, found are "), "{}", ran.err);
}

fn walk(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            if path.file_name().is_none_or(|n| n != "staging") {
                walk(&path, files);
            }
        } else {
            files.push(path);
        }
    }
}
