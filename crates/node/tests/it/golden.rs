//! The golden scenario, stated on five nodes over loopback HTTP: every node judges as the case says, and all the same.
use crate::town::{Town, key};
use hamsaya_agreement::case::{Author, Case, Row, origins};
use hamsaya_record::envelope::Envelope;
use std::fs;

#[test]
fn five_nodes_play_the_golden_scenario() {
    let source = fs::read_to_string("../../agreements/cases/good/golden-scenario.md").unwrap();
    let case = Case::parse("golden-scenario.md", &source).unwrap();
    let town = Town::start("golden");
    let agreement = town.agreement.clone();
    let mut author = Author::new(&agreement, &origins(&agreement));
    let mut expected = case.expected.iter().filter(|e| e.as_of == e.known_by).peekable();
    for row in &case.rows {
        while let Some(block) = expected.next_if(|block| block.as_of < row.at) {
            check(&town, block.as_of, &block.lines);
        }
        town.set_clock(row.at);
        let entry = state(&town, &mut author, row);
        town.settle(entry.as_ref().map(|(origin, index)| (origin.as_str(), *index)), row.at);
    }
    for block in expected {
        check(&town, block.as_of, &block.lines);
    }
    let changes = town.get("P1", "/api/changes").json();
    crate::openapi::fits("get", "/api/changes", "200", &changes);
    let lane: Vec<String> = changes
        .as_array()
        .unwrap()
        .iter()
        .filter(|c| c["label"] == "C32.lane(K1, P2)")
        .map(|c| format!("{} -> {} {}", c["before"], c["after"], c["because"].is_array()))
        .collect();
    assert!(lane.contains(&"\"breached\" -> \"kept\" true".to_string()), "{lane:?}");
    assert!(lane.contains(&"\"kept\" -> \"breached\" true".to_string()), "{lane:?}");
}

fn state(town: &Town, author: &mut Author<'_>, row: &Row) -> Option<(String, u64)> {
    let said = row.said.as_ref()?;
    let statement = author.statement(row).unwrap();
    let by = if said.by.is_empty() { vec![said.log.clone()] } else { said.by.clone() };
    let keys: Vec<_> = by.iter().map(|name| key(name, "chair")).collect();
    let envelope = Envelope::sign(statement.to_payload(), &keys.iter().collect::<Vec<_>>());
    let receipt = town.state_statement(&said.log, &envelope);
    assert_eq!(receipt.status, 200, "{:?}: {}", row.label, String::from_utf8_lossy(&receipt.body));
    author.logged(row, &statement, envelope.statement_id());
    let receipt = receipt.json();
    Some((receipt["origin"].as_str().unwrap().to_string(), receipt["index"].as_u64().unwrap()))
}

/// Label and state of each instance, on every node.
fn check(town: &Town, as_of: hamsaya_record::Instant, lines: &[String]) {
    town.set_clock(as_of);
    town.settle(None, as_of);
    let mut expected: Vec<(String, String)> = lines
        .iter()
        .map(|line| {
            let (label, rest) = line.split_at(line.find(')').unwrap() + 1);
            (label.to_string(), rest.split_whitespace().next().unwrap().to_string())
        })
        .collect();
    expected.sort();
    for name in ["P1", "P2", "G1", "G2"] {
        let judgment = town.get(name, &format!("/api/judgment?as_of={as_of}&known_by={as_of}")).json();
        crate::openapi::fits("get", "/api/judgment", "200", &judgment);
        let text = |v: &serde_json::Value| v.as_str().unwrap().to_string();
        let mut found: Vec<(String, String)> =
            judgment["verdicts"].as_array().unwrap().iter().map(|v| (text(&v["label"]), text(&v["state"]))).collect();
        found.sort();
        assert_eq!(found, expected, "{name} at {as_of}");
    }
}
