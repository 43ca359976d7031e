//! The golden scenario, stated on five nodes over loopback HTTP: every node judges as the case says, and all the same.
use crate::town::{Town, key, until};
use hamsaya_agreement::MemberRole;
use hamsaya_agreement::case::{Author, Case, Expected, Row, origins};
use hamsaya_record::envelope::Envelope;
use hamsaya_record::statement::Rel;
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
            town.set_clock(block.as_of);
            check(&town, block);
        }
        town.set_clock(row.at);
        if let Some((origin, index)) = state(&town, &mut author, &case, row) {
            town.holds(&origin, index, row.at);
        }
        // Evidence that came late, and evidence that was taken back, change the verdict.
        match row.label.as_deref() {
            Some("#18") => changed(&town, "breached", "kept"),
            Some("#24") => changed(&town, "kept", "breached"),
            _ => (),
        }
    }
    let mut now = case.rows.last().unwrap().at;
    for block in expected.chain(case.expected.iter().filter(|e| e.as_of != e.known_by)) {
        // A clock never goes back, not even to ask about earlier.
        now = now.max(block.as_of).max(block.known_by);
        town.set_clock(now);
        check(&town, block);
    }
}

/// Waits until P1 has told that the lane's verdict changed so, because of entries.
fn changed(town: &Town, before: &str, after: &str) {
    until(&format!("C32.lane {before} -> {after}"), || {
        let changes = town.get("P1", "/api/changes").json();
        crate::openapi::fits("get", "/api/changes", "200", &changes);
        let mut of_lane = changes.as_array().expect("a list").iter().filter(|c| c["label"] == "C32.lane(K1, P2)");
        let found = of_lane.any(|c| c["before"] == before && c["after"] == after && c["because"].is_array());
        found.then_some(()).ok_or(changes.to_string())
    });
}

fn state(town: &Town, author: &mut Author<'_>, case: &Case, row: &Row) -> Option<(String, u64)> {
    let said = row.said.as_ref()?;
    let statement = author.statement(row).unwrap();
    let by = if said.by.is_empty() { vec![said.log.clone()] } else { said.by.clone() };
    let offices: Vec<&str> = crate::town::OFFICES.into_iter().chain(["post-07"]).collect();
    // What is withdrawn takes the keys that it took to say it.
    let taken_back = said.refs.iter().find(|(rel, _)| *rel == Rel::Withdraws);
    let earlier = |label: &String| case.rows.iter().find(|row| row.label.as_ref() == Some(label));
    let earlier = taken_back.and_then(|(_, label)| earlier(label)?.said.as_ref());
    let kind = earlier.map_or(statement.kind.as_str(), |said| said.kind.as_str());
    let signers = |name: &String| {
        let member = if name.starts_with('P') { MemberRole::Party } else { MemberRole::Guarantor };
        let mut files = town.agreement.rights().signers(kind, member, &offices).unwrap();
        if by.len() > 1 {
            files.truncate(1);
        }
        files.into_iter().map(|file| key(name, file)).collect::<Vec<_>>()
    };
    let keys: Vec<_> = by.iter().flat_map(signers).collect();
    let envelope = Envelope::sign(statement.to_payload(), &keys.iter().collect::<Vec<_>>());
    let receipt = town.state_statement(&said.log, &envelope);
    assert_eq!(receipt.status, 200, "{:?}: {}", row.label, String::from_utf8_lossy(&receipt.body));
    author.logged(row, &statement, envelope.statement_id());
    let receipt = receipt.json();
    Some((receipt["origin"].as_str().unwrap().to_string(), receipt["index"].as_u64().unwrap()))
}

/// All nodes reach one digest, with label and state of each instance as the case says.
fn check(town: &Town, block: &Expected) {
    let at = format!("as_of={}&known_by={}", block.as_of, block.known_by);
    town.agree(&at);
    let mut expected: Vec<(String, String)> = block
        .lines
        .iter()
        .map(|line| {
            let (label, rest) = line.split_at(line.find(')').unwrap() + 1);
            (label.to_string(), rest.split_whitespace().next().unwrap().to_string())
        })
        .collect();
    expected.sort();
    let judgment = town.get("P1", &format!("/api/judgment?{at}")).json();
    crate::openapi::fits("get", "/api/judgment", "200", &judgment);
    let text = |v: &serde_json::Value| v.as_str().unwrap().to_string();
    let verdicts = judgment["verdicts"].as_array().unwrap().iter();
    let mut found: Vec<(String, String)> = verdicts.map(|v| (text(&v["label"]), text(&v["state"]))).collect();
    found.sort();
    assert_eq!(found, expected, "{at}");
    explained(town, &at, &judgment);
}

/// Reasons are found for whom they are asked for, and the digest does not depend on it.
fn explained(town: &Town, at: &str, all: &serde_json::Value) {
    let Some(last) = all["verdicts"].as_array().unwrap().last() else { return };
    let label = last["label"].as_str().unwrap();
    for (asked, wanted) in [("none", None), (&*label.replace(' ', "%20"), Some(label))] {
        let judgment = town.get("P1", &format!("/api/judgment?{at}&explain={asked}")).json();
        assert_eq!(judgment["digest"], all["digest"], "{at}");
        for verdict in judgment["verdicts"].as_array().unwrap() {
            let is_wanted = Some(verdict["label"].as_str().unwrap()) == wanted;
            assert_eq!(
                verdict["reasons"]["proof"] != serde_json::json!([]),
                is_wanted,
                "{asked}: {}",
                verdict["label"]
            );
            assert!(!is_wanted || verdict["reasons"] == last["reasons"], "{asked}");
        }
    }
}
