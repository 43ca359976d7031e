//! Salted fields over HTTP: handed to whom their author chooses, read where they were given, erased where they lie.
use crate::rights::{Maker, item, problem};
use crate::town::{START, Said, Town, key, origin, until};
use hamsaya_node::disclosures::{DISCLOSURES, Disclosures};
use hamsaya_record::disclosure::{self, Disclosure};
use hamsaya_record::envelope::Envelope;
use hamsaya_record::exhibit;
use hamsaya_record::statement::{FieldValue, Statement, StatementId};
use serde_json::{Value, json};
use std::fs;

const DUTY: [(&str, &str); 1] = [("hamsaya-purpose", "duty")];

fn text(text: &str) -> FieldValue {
    FieldValue::Text(text.into())
}

fn place(precision_m: i64) -> FieldValue {
    let members = [("lat_e7", 341_234_567), ("lon_e7", 710_987_654), ("precision_m", precision_m)];
    FieldValue::Map(members.map(|(name, number)| (name.to_string(), FieldValue::Int(number))).into())
}

/// An allegation of P1 with a note, an exact place, a field that is never to be salted, and a decoy.
struct Sealed {
    id: StatementId,
    index: u64,
    statement: Statement,
    note: Disclosure,
    exact: Disclosure,
    judged: Disclosure,
}

fn sealed(maker: &mut Maker<'_>) -> Sealed {
    let mut statement = maker.statement("lodged", "P1", "sealed");
    for (name, value) in [
        ("allegation", "A1"),
        ("against", "P2"),
        ("commitment", "C12"),
        ("urgency", "routine"),
        ("event", "raid"),
        ("relief", "information"),
    ] {
        statement.fields.insert(name.into(), text(value));
    }
    statement.to = vec!["P2".into()];
    let note = Disclosure::make(*b"saltsaltsaltsalt", "note", &text("smoke behind the old mill")).unwrap();
    let exact = Disclosure::make(*b"pepperpepperpepp", "place_exact", &place(10)).unwrap();
    let judged = Disclosure::make(*b"cuminecumincumin", "readers", &FieldValue::List(vec![])).unwrap();
    let decoy = disclosure::digest("nothing");
    statement.salted = disclosure::sorted([note.digest(), exact.digest(), judged.digest(), decoy]);
    let id = StatementId::of(&statement.to_payload());
    // As the command does: kept before it is sent.
    let kept = Disclosures::at(&maker.town.home("P1"));
    assert_eq!(kept.keep(&id, &statement, &[note.line().to_string(), exact.line().to_string()]).unwrap(), 2);
    let index = maker.logged(&statement);
    Sealed { id, index, statement, note, exact, judged }
}

fn give(town: &Town, to: &str, by: (&str, &str), id: &StatementId, lines: &[&str]) -> Said {
    let body = json!({"disclosures": lines}).to_string();
    town.post_as(to, &format!("/api/disclosures?statement={id}"), &key(by.0, by.1), body.as_bytes())
}

fn shown(town: &Town, at: &str, (member, office): (&str, &str), index: u64) -> Value {
    let said = town.get_as(at, &item(&origin("P1"), index), Some(&key(member, office)), &DUTY);
    assert_eq!(said.status, 200, "{at} {member} {office}: {}", String::from_utf8_lossy(&said.body));
    let item = said.json();
    crate::openapi::fits("get", "/api/entries/item", "200", &item);
    item
}

fn file(town: &Town, node: &str, id: &StatementId) -> std::path::PathBuf {
    town.home(node).join(DISCLOSURES).join(format!("{id}.txt"))
}

#[test]
fn what_is_given_to_one_is_read_there_and_by_its_own_alone() {
    let mut town = Town::start("disclosures");
    town.set_clock(START);
    let Sealed { id, index, statement, note, exact, judged } = sealed(&mut Maker { town: &town, made: 0 });
    town.holds(&origin("P1"), index, START);
    let hidden = |item: &Value| item["disclosed"] == json!({}) && item["withheld"] == 4;

    // The author's own offices see what was kept, a place no finer than the marking allows; nobody else does, there or elsewhere.
    let own = shown(&town, "P1", ("P1", "liaison"), index);
    assert_eq!(
        (&own["disclosed"]["note"], &own["withheld"]),
        (&json!("smoke behind the old mill"), &json!(2)),
        "{own}"
    );
    assert_eq!(own["disclosed"]["place_exact"]["precision_m"], 1_000);
    assert_eq!(own["disclosed"]["place_exact"]["s_e7"].as_i64().unwrap() % 100_000, 0);
    for (at, who) in
        [("P1", ("P2", "liaison")), ("P1", ("G1", "observer")), ("P2", ("P2", "liaison")), ("P2", ("P1", "liaison"))]
    {
        assert!(hidden(&shown(&town, at, who, index)), "{who:?} at {at}");
    }

    // Only who signed gives, only what is of the statement is taken, and what is not is not repeated.
    let refused = [
        (give(&town, "P2", ("P2", "liaison"), &id, &[note.line()]), 403, "right"),
        (give(&town, "P2", ("G1", "observer"), &id, &[note.line()]), 403, "right"),
        (give(&town, "P2", ("P1", "node"), &id, &[note.line()]), 403, "right"),
        (give(&town, "P2", ("P1", "training"), &id, &[note.line()]), 403, "right"),
        (give(&town, "P2", ("P1", "liaison"), &StatementId([7; 32]), &[note.line()]), 404, "not_found"),
        (give(&town, "P2", ("P1", "liaison"), &id, &[note.line(), "WyJ4Il0"]), 400, "bad_disclosure"),
        (give(&town, "P2", ("P1", "liaison"), &id, &[note.line(), note.line()]), 400, "bad_disclosure"),
        (give(&town, "P2", ("P1", "liaison"), &id, &[note.line(), judged.line()]), 400, "bad_field"),
        (give(&town, "P2", ("P1", "liaison"), &id, &["x".repeat(1_049_000).as_str()]), 413, "too_large"),
        (give(&town, "O1", ("P1", "liaison"), &id, &[note.line()]), 401, "signed_request"),
        (town.post("P2", &format!("/api/disclosures?statement={id}"), "application/json", b"{}"), 403, "right"),
        (town.post("P2", &format!("/api/disclosures?statement={id}"), "text/plain", b"{}"), 400, "bad_parameter"),
    ];
    for (said, status, expected) in &refused {
        let body = String::from_utf8_lossy(&said.body);
        assert_eq!((said.status, problem(said).as_str()), (*status, *expected), "{body}");
        assert!(!body.contains(note.line()) && !body.contains("mill") && !body.contains("WyJ4Il0"), "{body}");
    }
    assert!(!town.home("P2").join(DISCLOSURES).exists(), "nothing was kept");

    // What is red is there for nobody whom it does not name, whatever is asked of it.
    let red = {
        let mut maker = Maker { town: &town, made: 40 };
        let mut statement = maker.statement("outage_notice", "P1", "red");
        statement.marking = "TLP:RED".into();
        statement.fields.insert("readers".into(), FieldValue::List(vec![text("sector_liaison")]));
        statement.salted = vec![note.digest()];
        let at = maker.logged(&statement);
        town.holds_as("P2", &origin("P1"), at);
        StatementId::of(&statement.to_payload())
    };
    for (office, status) in [("chair", 404), ("liaison", 200)] {
        let said = give(&town, "P2", ("P1", office), &red, &[note.line()]);
        let nothing = give(&town, "P2", ("P1", office), &StatementId([7; 32]), &[note.line()]);
        assert_eq!(said.status, status, "{office}: {}", String::from_utf8_lossy(&said.body));
        let lines = town.get_as("P2", &format!("/api/disclosures?statement={red}"), Some(&key("P2", office)), &DUTY);
        assert_eq!(lines.status, if status == 404 { 404 } else { 403 }, "read here, and not taken away");
        if status == 404 {
            let body = String::from_utf8_lossy(&said.body).replace(&red.to_string(), &StatementId([7; 32]).to_string());
            assert_eq!(body, String::from_utf8_lossy(&nothing.body));
        }
    }

    let digest = town.agree(&format!("as_of={START}"));
    // P2 is given the note. The same again changes nothing; two values under one name are believed by nobody.
    for new in [1, 0] {
        let said = give(&town, "P2", ("P1", "liaison"), &id, &[note.line()]);
        assert_eq!(said.status, 200, "{}", String::from_utf8_lossy(&said.body));
        crate::openapi::fits("post", "/api/disclosures", "200", &said.json());
        assert_eq!((&said.json()["new"], &said.json()["withheld"]), (&json!(new), &json!(3)));
    }
    let read = shown(&town, "P2", ("P2", "liaison"), index);
    assert_eq!((&read["disclosed"], &read["withheld"]), (&json!({"note": "smoke behind the old mill"}), &json!(3)));
    assert!(read["erased"].is_null());
    for (at, who) in
        [("P1", ("P2", "liaison")), ("P2", ("P1", "liaison")), ("P2", ("G1", "observer")), ("G1", ("G1", "observer"))]
    {
        assert!(hidden(&shown(&town, at, who, index)), "{who:?} at {at}");
    }
    let gate = town.get_as("P2", &item(&origin("P1"), index), Some(&key("P2", "gate")), &DUTY);
    assert_eq!(
        (gate.status, problem(&gate).as_str()),
        (403, "right"),
        "the rights of the entry are those of its fields"
    );
    let reads =
        town.get_as("P2", "/api/reads", Some(&key("P1", "data-protection")), &[("hamsaya-purpose", "audit")]).json();
    let last =
        reads["reads"].as_array().unwrap().iter().rfind(|r| r["office"] == "liaison" && r["node"] == "P2").unwrap();
    assert_eq!(last["entries"], json!([format!("{}#{index}", origin("P1"))]));
    let list = town.get_as("P2", "/api/entries?limit=1000", Some(&key("P2", "liaison")), &DUTY);
    assert!(!String::from_utf8_lossy(&list.body).contains("mill"));

    // Lines are handed on where they were given, and go into an exhibit; a place that is too fine stays.
    let lines = |at: &str, who: (&str, &str)| {
        town.get_as(at, &format!("/api/disclosures?statement={id}"), Some(&key(who.0, who.1)), &DUTY)
    };
    let handed = lines("P2", ("P2", "liaison")).json();
    crate::openapi::fits("get", "/api/disclosures", "200", &handed);
    assert_eq!(handed["disclosures"], json!([note.line()]));
    assert_eq!(problem(&lines("P2", ("P1", "liaison"))), "right");
    let author = lines("P1", ("P1", "liaison")).json();
    assert_eq!((&author["disclosures"], &author["stay"]), (&json!([note.line()]), &json!(["place_exact"])));
    let of = |at: &str, office: (&str, &str), name: &str| {
        let path = format!("/api/exhibit?origin={}&index={index}&disclose={name}", origin("P1"));
        town.get_as(at, &path, Some(&key(office.0, office.1)), &DUTY)
    };
    let made = of("P2", ("P2", "liaison"), "note");
    assert_eq!(made.status, 200, "{}", String::from_utf8_lossy(&made.body));
    let report = exhibit::verify(&made.body).unwrap();
    assert_eq!(report.disclosed, [("note".to_string(), "\"smoke behind the old mill\"".to_string())]);
    assert_eq!(report.statement, statement);
    assert_eq!(problem(&of("P1", ("P1", "liaison"), "note,place_exact")), "handling");
    assert_eq!(problem(&of("P2", ("P2", "liaison"), "place_exact")), "not_found");
    assert_eq!(problem(&of("P1", ("P2", "liaison"), "note")), "right");
    let bare = of("P1", ("P2", "liaison"), "");
    assert_eq!(exhibit::verify(&bare.body).unwrap().disclosed, []);

    // No judgment reads them.
    for node in ["P1", "P2", "G1", "G2"] {
        assert_eq!(town.digest(node, &format!("as_of={START}")), digest, "{node}");
    }
    // They are there after a start, and a file that somebody changed is not read as something else.
    town.stop_node("P2");
    town.start_node("P2");
    town.set_clock(START);
    town.holds(&origin("P1"), index, START);
    assert_eq!(shown(&town, "P2", ("P2", "liaison"), index)["withheld"], 3);
    // A node that asks what its log came to does not know what was erased: until it does it shows nothing.
    for node in ["P1", "P2", "G1", "G2", "O1"] {
        town.stop_node(node);
    }
    town.start_node("P1");
    assert_eq!(town.get("P1", "/api/state").json()["status"], "starting");
    assert!(hidden(&shown(&town, "P1", ("P1", "liaison"), index)));
    for path in [
        format!("/api/disclosures?statement={id}"),
        format!("/api/exhibit?origin={}&index={index}&disclose=note", origin("P1")),
    ] {
        let said = &town.get_as("P1", &path, Some(&key("P1", "liaison")), &DUTY);
        assert_eq!((said.status, problem(said).as_str()), (503, "paused"), "{}", String::from_utf8_lossy(&said.body));
    }
    for node in ["P2", "G1", "G2", "O1"] {
        town.start_node(node);
    }
    town.set_clock(START);
    town.holds(&origin("P1"), index, START);
    for (node, withheld) in [("P1", 2), ("P2", 3)] {
        until("a node to know its log", || {
            let item = shown(&town, node, (node, "liaison"), index);
            (item["withheld"] == withheld).then_some(()).ok_or(item.to_string())
        });
    }
    let path = file(&town, "P2", &id);
    fs::write(&path, format!("{}\n", exact.line().to_lowercase())).unwrap();
    let said = town.get_as("P2", &item(&origin("P1"), index), Some(&key("P2", "liaison")), &DUTY);
    assert_eq!((said.status, problem(&said).as_str()), (500, "internal"));
    assert!(!String::from_utf8_lossy(&said.body).contains(&exact.line().to_lowercase()));
}

#[test]
fn safeguard_06_what_is_erased_is_gone_everywhere_and_its_hash_and_reason_stay() {
    let mut town = Town::start("erased-disclosures");
    town.set_clock(START);
    let mut maker = Maker { town: &town, made: 0 };
    let Sealed { id, index, note, exact, .. } = sealed(&mut maker);
    town.holds(&origin("P1"), index, START);
    for to in ["P2", "G1"] {
        assert_eq!(give(&town, to, ("P1", "liaison"), &id, &[note.line()]).status, 200);
    }
    town.agree(&format!("as_of={START}"));
    let branches = |town: &Town| {
        let said = town.get("P1", &format!("/api/digest/node?as_of={START}&path=")).json();
        assert!(said["children"].as_array().is_some_and(|c| !c.is_empty()), "{said}");
        said["children"].clone()
    };
    let before = branches(&town);

    // The law, or a right, takes the words away: two persons and the node say so in the log that has the statement.
    let erasure = |maker: &mut Maker<'_>, member: &str| {
        let mut statement = maker.statement("erasure", member, "legal");
        statement.fields.insert("what".into(), text(&id.to_string()));
        statement.fields.insert("ground".into(), text("rights"));
        statement
    };
    let own = erasure(&mut maker, "P1");
    let keys = ["legal", "chair", "node"].map(|what| key("P1", what));
    let alone = maker.send(&own, &[&keys[0], &keys[2]]);
    assert_eq!(problem(&alone), "second_signature_required");
    // What P2 says of P1's statement erases nothing.
    let foreign = erasure(&mut maker, "P2");
    let said = maker.send(&foreign, &["legal", "chair", "node"].map(|what| key("P2", what)).each_ref());
    assert_eq!(said.status, 200, "{}", String::from_utf8_lossy(&said.body));
    town.holds(&origin("P2"), said.json()["index"].as_u64().unwrap(), START);
    assert_eq!(shown(&town, "P2", ("P2", "liaison"), index)["withheld"], 3);

    // One node is away when it is said.
    town.stop_node("G1");
    let said = town.state_statement("P1", &Envelope::sign(own.to_payload(), &keys.each_ref()));
    assert_eq!(said.status, 200, "{}", String::from_utf8_lossy(&said.body));
    let erased_at = said.json()["index"].as_u64().unwrap();
    town.start_node("G1");
    town.set_clock(START);
    town.holds(&origin("P1"), erased_at, START);
    for node in ["P1", "P2", "G1"] {
        until(&format!("{node} to erase"), || {
            (!file(&town, node, &id).exists()).then_some(()).ok_or("the file is there".to_string())
        });
    }
    for (at, who) in [("P1", ("P1", "liaison")), ("P2", ("P2", "liaison")), ("G1", ("G1", "observer"))] {
        let item = shown(&town, at, who, index);
        assert_eq!((&item["disclosed"], &item["withheld"]), (&json!({}), &json!(4)), "{item}");
        assert_eq!(item["erased"], json!({"ground": "rights", "origin": origin("P1"), "index": erased_at}));
    }
    // It does not come back: not from its author, not from an old disk.
    let again = give(&town, "P2", ("P1", "liaison"), &id, &[note.line()]);
    assert_eq!((again.status, problem(&again).as_str()), (410, "erased"));
    assert!(!file(&town, "P2", &id).exists());
    town.stop_node("P2");
    fs::write(file(&town, "P2", &id), disclosure::to_text([note.line(), exact.line()])).unwrap();
    fs::write(file(&town, "P2", &id).with_extension("half"), note.line()).unwrap();
    town.start_node("P2");
    town.set_clock(START);
    until("P2 to erase what an old disk brought", || {
        let left = fs::read_dir(town.home("P2").join(DISCLOSURES)).unwrap().count();
        (left == 0).then_some(()).ok_or(format!("{left} files"))
    });
    // Nothing of a verdict hung on it, and what proves the statement proves it.
    town.agree(&format!("as_of={START}"));
    assert_eq!(branches(&town), before);
    let path = format!("/api/exhibit?origin={}&index={index}", origin("P1"));
    let exhibit = exhibit::verify(&town.get("P1", &path).body).unwrap();
    assert_eq!((exhibit.statement_id, exhibit.disclosed.len()), (id, 0));
    let asked = town.get_as("P1", &(path + "&disclose=note"), Some(&key("P1", "liaison")), &DUTY);
    assert_eq!((asked.status, problem(&asked).as_str()), (410, "erased"));
}
