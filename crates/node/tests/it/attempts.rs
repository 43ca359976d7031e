//! Withholding: guarantors bring a party's log to the other's mirror, and log what became of it.
use crate::openapi::fits;
use crate::town::{FAST, NAMES, START, Town, key, notice, origin, until};
use hamsaya_record::Instant;
use hamsaya_record::envelope::Envelope;
use hamsaya_record::statement::StatementId;
use serde_json::Value;
use std::cell::Cell;
use std::fs;

/// P1 says something to P2: its index, and what the next statement names.
fn say(town: &Town, seq: u64, prev: Option<StatementId>) -> (u64, StatementId) {
    let mut statement = notice(town);
    statement.id = format!("0193a1b2-c3d4-7e5f-8a9b-{seq:012x}");
    (statement.to, statement.seq, statement.prev) = (vec!["P2".into()], seq, prev);
    let envelope = Envelope::sign(statement.to_payload(), &[&key("P1", "liaison")]);
    let said = town.state_statement("P1", &envelope);
    assert_eq!(said.status, 200, "{}", said.text());
    (said.json()["index"].as_u64().expect("an index"), envelope.statement_id())
}

/// An entry of P1's, as a node has it.
fn item(town: &Town, name: &str, index: u64) -> Value {
    let said = town.get(name, &format!("/api/entries/item?origin={}&index={index}", origin("P1")));
    assert_eq!(said.status, 200, "{}", said.text());
    said.json()
}

/// What guarantors log of their attempts, as P1 has it.
fn attempts(town: &Town) -> Vec<Value> {
    town.get("P1", "/api/entries?kind=attempt").json()["entries"].as_array().cloned().unwrap_or_default()
}

/// Moves all clocks on, minute by minute, until P1's entry is delivered; the instants between are too few for a cheat.
fn deliver(town: &Town, now: &Cell<Instant>, index: u64) -> Value {
    until("two guarantors to have tried", || {
        now.set(now.get().plus(60));
        town.set_clock(now.get());
        let item = item(town, "P1", index);
        item["delivered"].as_array().map(|_| ()).ok_or_else(|| format!("{:?}", attempts(town)))
    });
    let item = item(town, "P1", index);
    fits("get", "/api/entries/item", "200", &item);
    item["delivered"].clone()
}

/// Each guarantor's own word, and the later of their times.
fn is_proven(town: &Town, index: u64, delivered: &Value, result: &str) {
    let delivered = &delivered[0];
    assert_eq!(delivered["to"], "P2");
    let told = delivered["attempts"].as_array().expect("a list");
    assert_eq!(told.len(), 2, "{delivered}");
    let mut latest = String::new();
    for place in told {
        let is_it = |e: &&Value| e["origin"] == place["origin"] && e["index"] == place["index"];
        let logged = attempts(town);
        let entry = logged.iter().find(is_it).expect("an entry that P1 holds");
        let fields = &entry["statement"]["predicate"]["fields"];
        let fields = if fields.is_null() { &entry["fields"] } else { fields };
        let instant = |name: &str| fields[name].as_str().expect("an instant").parse::<Instant>().expect("an instant");
        assert_eq!((&fields["result"], &fields["to"]), (&result.into(), &"P2".into()), "{entry}");
        assert_eq!(fields["origin"], origin("P1"));
        assert!(fields["tries"].as_u64() >= Some(3) && instant("last").0 - instant("first").0 >= 900, "{entry}");
        assert!(fields["size"].as_u64() > Some(index), "{entry}");
        latest = latest.max(entry["logged_at"]["hi"].as_str().expect("a time").to_string());
    }
    assert_eq!(delivered["at"], latest);
}

#[test]
fn who_is_silent_or_refuses_is_delivered_to_by_two_guarantors() {
    let mut town = Town::make("attempts", &format!("{FAST}attempt_ms = 60\n"));
    NAMES.iter().filter(|name| **name != "P2").for_each(|name| town.start_node(name));
    let now = Cell::new(START);
    town.set_clock(START);
    let (first, prev) = say(&town, 0, None);
    let delivered = deliver(&town, &now, first);
    is_proven(&town, first, &delivered, "timeout");
    // Everybody who holds these logs finds the same.
    until("G1 to find the same", || {
        let found = item(&town, "G1", first)["delivered"].clone();
        if found == delivered { Ok(()) } else { Err(found.to_string()) }
    });
    // It is up again and pulls, but signs for nothing.
    fs::remove_file(town.home("P2").join("keys/mirror.key")).expect("a key");
    town.start_node("P2");
    town.set_clock(now.get());
    let (second, _) = say(&town, 1, Some(prev));
    let delivered = deliver(&town, &now, second);
    is_proven(&town, second, &delivered, "refused");
    let of_second = |e: &&Value| e.to_string().contains("refused");
    assert_eq!(attempts(&town).iter().filter(of_second).count(), 2, "one of each guarantor");
}

#[test]
fn what_its_author_does_not_bring_and_nobody_pulls_guarantors_bring() {
    let mut town = Town::make("attempts-deaf", &format!("{FAST}attempt_ms = 60\n"));
    let change = |name: &str, change: &dyn Fn(&str) -> String| {
        let settings = town.home(name).join("node.toml");
        let text = fs::read_to_string(&settings).expect("settings");
        fs::write(&settings, change(&text)).expect("written");
    };
    change("P1", &|text| text.replace("mirror_ms = 20", "mirror_ms = 3600000"));
    change("P2", &|text| text.split("[[peer]]").next().expect("a beginning").to_string());
    NAMES.iter().for_each(|name| town.start_node(name));
    town.set_clock(START);
    let (index, _) = say(&town, 0, None);
    until("a guarantor to have brought it", || {
        let logged = attempts(&town);
        let brought = logged.iter().any(|e| e.to_string().contains("consigned"));
        if brought { Ok(()) } else { Err(format!("{logged:?}")) }
    });
    assert_eq!(item(&town, "P2", index)["index"], index, "it holds what it never asked for");
    assert_eq!(item(&town, "P1", index)["delivered"], Value::Null, "whoever has it needs no fiction");
}
