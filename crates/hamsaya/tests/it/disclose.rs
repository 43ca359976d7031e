//! Salted fields with the built command on five running nodes: the commands of docs/guide/disclosures.md, and what goes wrong.
use crate::command::{hamsaya, root};
use crate::keys::{Town, index, ran, text, until};
use serde_json::json;
use std::fs;

/// `a "b c" d` as a shell would part it.
fn words(line: &str) -> Vec<String> {
    let parts = line.split('"').enumerate();
    let words = parts.flat_map(|(n, part)| match n % 2 {
        0 => part.split_whitespace().map(str::to_string).collect(),
        _ => vec![part.to_string()],
    });
    words.collect()
}

#[test]
fn what_is_said_now_is_shown_later_to_whom_its_author_chooses() {
    let town = Town::start("disclose");
    let p1 = town.home("p1");
    let (dir, out) = (text(&p1), town.dir.join("out"));
    fs::create_dir_all(&out).expect("a folder");
    let guide = fs::read_to_string(root().join("docs/guide/disclosures.md")).expect("the page");
    let blocks: Vec<&str> = guide.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let [say, show, erase] = blocks[..] else { panic!("{} blocks of commands", blocks.len()) };
    let play = |line: &str, id: &str, entry: &str| {
        let filled = line.replace("$P1", dir).replace("$ID", id).replace("$ENTRY", entry).replace("$OUT", text(&out));
        let words = words(&filled);
        ran(&words.iter().skip(1).map(String::as_str).collect::<Vec<_>>())
    };

    let said = play(say, "", "");
    let at = index(&said);
    let id = said.out.split("statement ").nth(1).expect("an id").trim().to_string();
    let entry = format!("P1#{at}");
    let kept = fs::read_to_string(p1.join(format!("disclosures/{id}.txt"))).expect("what was kept");
    assert_eq!(kept.lines().count(), 2);
    let mut shown = Vec::new();
    for line in show.lines() {
        // Whoever has no node has to wait until enough witnesses have cosigned it.
        if line.contains("record exhibit") {
            until("an exhibit", || {
                let made = hamsaya(&["record", "exhibit", dir, &entry, "-o", text(&out.join("none.zip"))]);
                (made.code == 0).then_some(()).ok_or(made.err)
            });
        }
        shown.push(play(line, &id, &entry));
    }
    assert!(shown[0].out.starts_with("P2  note  1 new, 3 withheld there"), "{}", shown[0].out);
    assert!(shown[3].out.contains("disclosed  note: \"smoke behind the old mill\""), "{}", shown[3].out);
    let file = fs::read_to_string(out.join("note.txt")).expect("a file");
    assert!(file.lines().count() == 1 && kept.contains(&file));

    // P2's people read the note at P2, G1's nothing at G1; the author all of it at home, offline too.
    let note = json!({"note": "smoke behind the old mill"});
    let at_p2 = town.item("p2", &entry).expect("an entry");
    assert_eq!((&at_p2["disclosed"], &at_p2["withheld"]), (&note, &json!(3)));
    let at_g1 = until("G1 to have it", || town.item("g1", &entry));
    assert_eq!((&at_g1["disclosed"], &at_g1["withheld"]), (&json!({}), &json!(4)));
    let at_p1 = town.item("p1", &entry).expect("an entry");
    assert_eq!((&at_p1["disclosed"]["note"], &at_p1["withheld"]), (&note["note"], &json!(2)));
    let offline = ran(&["record", "show", dir, &entry]);
    assert!(offline.out.contains("smoke behind the old mill"), "{}", offline.out);
    // From the running node of the author; to a node by its URL; again.
    let liaison = p1.join("keys/liaison.key");
    let again = [
        "record",
        "disclose",
        &town.url("p1"),
        &id,
        "--field",
        "note",
        "--to",
        &town.url("p2"),
        "--as",
        text(&liaison),
    ];
    assert!(ran(&again).out.contains("  note  0 new, 3 withheld there"));

    // What is wrong is said, and nothing is sent.
    let refused = |arguments: &[&str], expected: &str| {
        let found = hamsaya(arguments);
        assert!(found.code == 2 && found.err.contains(expected), "{arguments:?}: {}{}", found.out, found.err);
    };
    let kinds = ["record", "append", dir, "--kind", "outage_notice", "--field", "cause=power"];
    refused(&[&kinds[..], &["--salted", "sensor=T4"]].concat(), "`sensor` of kind `outage_notice`, salted");
    refused(
        &[&kinds[..], &["--field", "sensor=T4", "--salted", "driver_phone=1"]].concat(),
        "driver_phone: found another name",
    );
    refused(
        &[&kinds[..], &["--field", "sensor=T4", "--salted", "note=a", "--salted", "note=b"]].concat(),
        "is there already",
    );
    refused(&[&kinds[..], &["--field", "sensor=T4", "--salted", "place_exact=here"]].concat(), "LAT,LON,METRES");
    // A place says no more than its precision.
    let place = |text: &'static str| [&kinds[..], &["--field", "sensor=T4", "--dry-run", "--place", text]].concat();
    refused(&place("34.1234567,71.0987654,1000"), "write 34.1235,71.0988,1000");
    assert_eq!(ran(&place("34.1234,71.0987,1000")).out.lines().count(), 1);
    refused(&["record", "disclose", dir, &id, "--field", "more", "--to", "P2"], "found are note place_exact");
    refused(&["record", "disclose", dir, &id, "--to", "P9"], "`P9` is no node, found are G1 G2 O1 P1 P2");
    let p2 = town.home("p2");
    refused(&["record", "disclose", text(&p2), &id, "--field", "note", "--to", "G1"], "P2 did not sign it");
    let dry = [&kinds[..], &["--field", "sensor=T4", "--salted", "note=a", "--dry-run"]].concat();
    assert_eq!(ran(&dry).out.lines().count(), 2, "the envelope, and the disclosure");
    let files = || fs::read_dir(p1.join("disclosures")).expect("a folder").count();
    // Free text is looked through before it is signed; who writes a number into it says why.
    let number =
        [&kinds[..], &["--field", "sensor=T4", "--salted", "note=ask Haji Karim, 0700 123 456", "--dry-run"]].concat();
    refused(&number, "a telephone number, `0700 123 456`, in note");
    refused(&[&kinds[..], &["--field", "sensor=T4 or ۰۷۰۰۱۲۳۴۵۶"]].concat(), "in sensor");
    let said = ran(&[&number[..], &["--unmasked", "the caller asks to be called back"]].concat());
    assert_eq!(said.out.lines().count(), 3, "{}", said.out);
    // What the node refuses leaves no words behind.
    let late = [&kinds[..], &["--field", "sensor=", "--salted", "note=a"]].concat();
    refused(&late, "bad_field");
    assert_eq!(files(), 1);
    refused(
        &[&kinds[..], &["--field", "sensor=T4", "--salted", "note=a", "--node", "http://127.0.0.1:9"]].concat(),
        "no node answers",
    );
    refused(&["record", "bundle", dir, "--disclose", &format!("{entry}:note")], "which the public does not see");

    // Gone for good.
    play(erase.trim(), &id, &entry);
    until("all to erase it", || {
        let left = ["p1", "p2"].map(|node| town.home(node).join(format!("disclosures/{id}.txt")).exists());
        (left == [false, false]).then_some(()).ok_or(format!("{left:?}"))
    });
    let gone = town.item("p2", &entry).expect("an entry");
    assert_eq!((&gone["disclosed"], &gone["erased"]["ground"]), (&json!({}), &json!("rights")));
    refused(&["record", "disclose", dir, &id, "--to", "P2"], "nothing is kept here");
    // Nor from a folder that nobody has started since, with words from an old disk.
    fs::write(p1.join(format!("disclosures/{id}.txt")), &kept).expect("a file");
    let offline = ran(&["record", "show", dir, &entry]);
    assert!(!offline.out.contains("mill") && offline.out.contains("\"ground\": \"rights\""), "{}", offline.out);
    refused(&["record", "exhibit", dir, &entry, "--disclose", "note"], "no disclosure of `note` is kept here");
}
