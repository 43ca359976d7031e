//! What a node answers over HTTP.
use crate::town::{FAST, NAMES, START, Town, key, notice, origin, until};
use hamsaya_record::envelope::Envelope;
use hamsaya_record::statement::{FieldValue, Statement};
use hamsaya_record::witness::origin_hash;
use serde_json::Value;
use std::fs;

#[test]
fn a_statement_goes_round_and_what_is_refused_says_why() {
    let mut town = Town::start("http");
    // Without a clock nothing is stamped.
    let envelope = Envelope::sign(notice(&town).to_payload(), &[&key("P1", "liaison")]);
    assert_eq!(town.state_statement("P1", &envelope).status, 503);
    town.set_clock(START);
    let receipt = town.state_statement("P1", &envelope);
    assert_eq!(receipt.status, 200, "{}", String::from_utf8_lossy(&receipt.body));
    let receipt = receipt.json();
    assert_eq!((receipt["origin"].as_str(), receipt["already"].as_bool()), (Some(origin("P1").as_str()), Some(false)));
    let index = receipt["index"].as_u64().unwrap();
    town.holds(&origin("P1"), index, START);
    assert_eq!(town.state_statement("P1", &envelope).json()["already"], true);

    refusals(&town, &envelope);
    many(&town);
    c2sp_paths(&town);
    described(&town, index);
    compared(&town);
    as_described(&town, index);

    // The clock never goes back, and is moved from here only.
    let back = town.post("P1", "/api/clock", "application/json", b"{\"now\":\"2026-11-24T19:59:59Z\"}");
    assert_eq!((back.status, back.json()["type"].as_str()), (409, Some("urn:hamsaya:problem:clock_back")));

    // A node that starts again holds everything and says the same.
    let at = format!("as_of={START}&known_by={START}");
    let before = town.agree(&at);
    town.stop_node("P1");
    town.start_node("P1");
    town.set_clock(START);
    town.holds(&origin("P1"), index, START);
    assert_eq!(town.agree(&at), before);
}

fn refusals(town: &Town, good: &Envelope) {
    let chair = key("P1", "liaison");
    let with = |change: &dyn Fn(&mut Statement)| {
        let mut statement = notice(town);
        statement.id = "0193a1b2-c3d4-7e5f-8a9b-000000000009".into();
        change(&mut statement);
        Envelope::sign(statement.to_payload(), &[&chair]).to_leaf()
    };
    let mut forged = good.clone();
    forged.signatures[0].sig[3] ^= 1;
    // A signature that nobody knows fills the entry to 65,536 bytes.
    let mut long = good.clone();
    let sig = vec![7; 3 * ((65_536 - long.to_leaf().len()) / 4 - 12)];
    long.signatures.push(hamsaya_record::envelope::EnvelopeSignature { keyid: "zz".into(), sig });
    let short = 65_536 - long.to_leaf().len();
    long.signatures[1].keyid.push_str(&"z".repeat(short));
    assert_eq!(long.to_leaf().len(), 65_536);
    let before = town.get("P1", "/api/state").json()["refused"].as_u64().unwrap();
    let cases: Vec<(Vec<u8>, u16, &str)> = vec![
        (b"not json".to_vec(), 400, "bad_json"),
        (forged.to_leaf(), 403, "bad_signature"),
        (with(&|s| s.kind = "rumour".into()), 400, "unknown_kind"),
        (with(&|s| drop(s.fields.insert("person_name".into(), FieldValue::Text("x".into())))), 400, "unknown_field"),
        (with(&|s| s.home = origin("P2")), 409, "wrong_home"),
        (long.to_leaf(), 413, "too_large"),
        (vec![b' '; 1 << 20], 413, "too_large"),
    ];
    let count = cases.len() as u64;
    for (bytes, status, reason) in cases {
        let said = town.post("P1", "/api/statements", "application/json", &bytes);
        let problem = said.json();
        assert_eq!(
            (said.status, problem["type"].as_str()),
            (status, Some(format!("urn:hamsaya:problem:{reason}").as_str())),
            "{problem}"
        );
        assert_eq!(said.content_type, "application/problem+json");
        for field in ["title", "detail", "found", "allowed"] {
            assert!(problem[field].as_str().is_some_and(|t| !t.is_empty()), "{reason}: {field} in {problem}");
        }
    }
    let state = town.get("P1", "/api/state").json();
    assert_eq!(state["refused"].as_u64().unwrap() - before, count);
    let refused = town.get("P1", "/api/refusals").json();
    assert_eq!(refused["refusals"].as_array().unwrap().last().unwrap()["reason"], "too_large");
    let witness = town.post("O1", "/api/statements", "application/json", &good.to_leaf());
    assert_eq!((witness.status, witness.json()["type"].as_str()), (403, Some("urn:hamsaya:problem:no_log")));
}

/// Many in one request: each is taken or refused for itself.
fn many(town: &Town) {
    let chair = key("P1", "liaison");
    let mut lines = Vec::new();
    for n in 0..300u64 {
        let mut statement = notice(town);
        statement.id = format!("0193a1b2-c3d4-7e5f-8a9b-0000000{:05x}", 0x1000 + n);
        statement.source = "p1/bulk".into();
        statement.seq = 2 * n + 1;
        statement.prev = Some(hamsaya_record::statement::StatementId([n as u8; 32]));
        lines.extend_from_slice(&Envelope::sign(statement.to_payload(), &[&chair]).to_leaf());
        lines.push(b'\n');
        if n == 7 {
            lines.extend_from_slice(b"{}\n");
        }
    }
    let said = town.post("P1", "/api/statements", "application/x-ndjson", &lines);
    let text = String::from_utf8(said.body).unwrap();
    let answers: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!((said.status, answers.len()), (200, 301));
    assert!(answers[8]["type"].as_str().unwrap().starts_with("urn:hamsaya:problem:"), "{}", answers[8]);
    let logged = answers.iter().filter(|a| a["index"].is_u64()).count();
    assert_eq!(logged, 300, "{}", answers.iter().find(|a| a["type"].is_string()).unwrap());
    let page = town.get("P1", &format!("/api/entries?origin={}&kind=outage_notice&limit=200", origin("P1"))).json();
    assert_eq!(page["entries"].as_array().unwrap().len(), 200);
    let next = page["next"].as_u64().unwrap();
    let rest = town
        .get("P1", &format!("/api/entries?origin={}&kind=outage_notice&limit=200&from={next}", origin("P1")))
        .json();
    assert_eq!((rest["entries"].as_array().unwrap().len(), rest["next"].is_null()), (101, true));
    town.holds(&origin("P1"), answers[300]["index"].as_u64().unwrap(), START);
    town.agree(&format!("as_of={START}&known_by={START}"));
}

fn c2sp_paths(town: &Town) {
    let hash = origin_hash(&origin("P1"));
    let note = town.get("P1", "/log/checkpoint");
    assert_eq!((note.status, note.content_type.as_str()), (200, "text/plain; charset=utf-8"));
    for (name, path) in [("P1", format!("/peer/{hash}/checkpoint")), ("P2", format!("/peer/{hash}/checkpoint"))] {
        let copy = town.get(name, &path);
        let head = |bytes: &[u8]| String::from_utf8_lossy(bytes).lines().take(3).collect::<Vec<_>>().join("\n");
        assert_eq!(head(&copy.body), head(&note.body), "{name}");
    }
    let tile = town.get("P1", "/log/tile/entries/000");
    assert_eq!((tile.status, tile.content_type.as_str()), (200, "application/octet-stream"));
    assert_eq!(town.get("P2", &format!("/peer/{hash}/tile/entries/000")).body, tile.body);
    assert_eq!(town.get("P1", "/log/tile/0/000").body.len(), 8192);
    // As the tile was when a smaller checkpoint was published.
    let partial = town.get("P1", "/log/tile/entries/000.p/3");
    assert_eq!((partial.status, tile.body.starts_with(&partial.body)), (200, true));
    // Whoever has it asks for the rest; what is no such question is answered with the whole.
    let rest = town.get_rest("P1", "/log/tile/entries/000", partial.body.len());
    assert_eq!((rest.status, [&partial.body[..], &rest.body].concat()), (206, tile.body.clone()));
    assert_eq!(town.get_rest("P1", "/log/tile/entries/000", tile.body.len()).status, 200);
    assert_eq!(town.get("P2", &format!("/peer/{hash}/tile/0/000.p/3")).body.len(), 3 * 32);
    for path in
        ["/log/tile/0/000.p/0", "/log/tile/99/000", "/log/tile/entries/abc", "/log/tile/../lock", "/log/tile/0/777"]
    {
        assert_eq!(town.get("P1", path).status, 404, "{path}");
    }
    assert_eq!(town.get("O1", "/log/checkpoint").status, 403);
    let seen = town.get("O1", &format!("/witness/{hash}/checkpoint"));
    assert_eq!(seen.status, 200);
    assert_eq!(town.get("O1", &format!("/witness/{}/checkpoint", origin_hash("nobody"))).status, 404);
    let text = String::from_utf8(note.body).unwrap();
    let ask = |body: String| town.post("O1", "/witness/add-checkpoint", "text/plain", body.as_bytes());
    assert_eq!(ask("nonsense".into()).status, 400);
    assert_eq!(ask(format!("old 0\n\n{}", text.replace("p1.example", "p9.example"))).status, 404);
    let conflict = ask(format!("old 0\n\n{text}"));
    assert_eq!((conflict.status, conflict.content_type.as_str()), (409, "text/x.tlog.size"));
    let size = text.lines().nth(1).unwrap();
    assert_eq!(String::from_utf8(conflict.body).unwrap(), format!("{size}\n"));
    let forged = text.replacen(&format!("\n{size}\n"), "\n9999\n", 1);
    assert_eq!(ask(format!("old {size}\n\n{forged}")).status, 403);
    assert_eq!(ask(format!("old {size}\n{}\n\n{text}", "A".repeat(43) + "=")).status, 422);
    let again = ask(format!("old {size}\n\n{text}"));
    assert_eq!((again.status, again.content_type.as_str()), (200, "text/plain; charset=utf-8"));
    assert!(String::from_utf8(again.body).unwrap().starts_with("— o1.example/witness "));
}

fn described(town: &Town, index: u64) {
    let state = town.get("P1", "/api/state").json();
    assert_eq!((state["status"].as_str(), state["clock"].as_str()), (Some("running"), Some("scenario")));
    assert_eq!(state["heads"].as_array().unwrap().len(), 4);
    assert_eq!(state["heads"][0]["quorum"], 3);
    let item = town.get("G1", &format!("/api/entries/item?origin={}&index={index}", origin("P1"))).json();
    assert_eq!(
        (item["kind"].as_str(), item["logged_at"]["hi"].as_str()),
        (Some("outage_notice"), Some("2026-11-24T20:00:00Z"))
    );
    let digest = town.get("P1", "/api/digest").json();
    let leaf = serde_json::to_vec(&digest["signed"]).unwrap();
    let signed = Envelope::parse_intake(&leaf).unwrap();
    let statement = Statement::parse(&signed.payload).unwrap();
    assert_eq!(
        (statement.kind.as_str(), statement.fields.get("digest")),
        ("verdict", Some(&FieldValue::Text(digest["digest"].as_str().unwrap().into())))
    );
    assert_eq!(signed.signatures[0].keyid, key("P1", "node").keyid());
    let exhibit = town.get("P2", &format!("/api/exhibit?origin={}&index={index}", origin("P1")));
    assert_eq!((exhibit.status, exhibit.content_type.as_str()), (200, "application/zip"));
    let report = hamsaya_record::exhibit::verify(&exhibit.body).unwrap();
    assert_eq!((report.origin, report.index), (origin("P1"), index));
    let bundle = town.get("P2", "/api/bundle");
    assert_eq!((bundle.status, bundle.content_type.as_str()), (200, "application/zip"));
    let report = hamsaya_record::bundle::verify(&bundle.body).unwrap();
    assert!(report.logs.iter().any(|log| log.origin == origin("P1") && log.size > index), "{report:?}");
    assert!(report.redactions.iter().any(|r| r.origin == origin("P1") && r.index == index), "{report:?}");
    let agreement = town.get("P1", "/api/agreement?lang=ps").json();
    assert!(agreement["articles"].as_array().unwrap().len() >= 10);
    assert_eq!(town.get("P1", "/api/agreement?lang=xx").status, 400);
    assert_eq!(town.get("P1", "/api/crossings").json()["crossings"][0]["id"], "torkham");
    assert_eq!(town.get("P1", "/api/lines").status, 200);
    assert_eq!(town.get("P1", "/api/judgment?as_of=yesterday").status, 400);
    assert_eq!(town.get("P1", "/api/nothing").status, 404);
    let page = town.get("P1", "/");
    assert_eq!((page.status, page.content_type.as_str()), (200, "text/html; charset=utf-8"));
    assert_eq!(town.get("P1", "/assets/none.js").status, 404);
}

fn compared(town: &Town) {
    let compared = town.get("P1", "/api/digest/compare?peer=P2").json();
    assert_eq!(compared["equal"], true, "{compared}");
    assert_eq!(compared["mine"], compared["theirs"]);
    assert_eq!(town.get("P1", "/api/digest/compare?peer=P9").status, 400);
    let branch = town.get("P1", "/api/digest/node?path=").json();
    assert!(branch["children"].is_array(), "{branch}");
}

fn as_described(town: &Town, index: u64) {
    let place = format!("origin={}&index={index}", origin("P1"));
    for (path, query) in [
        ("/api/state", ""),
        ("/api/judgment", ""),
        ("/api/digest", ""),
        ("/api/digest/node", "path="),
        ("/api/digest/compare", "peer=P2"),
        ("/api/changes", ""),
        ("/api/agreement", "lang=fa-AF"),
        ("/api/agreement", ""),
        ("/api/entries", "limit=1000"),
        ("/api/entries/item", &place),
        ("/api/lines", ""),
        ("/api/crossings", ""),
        ("/api/refusals", ""),
        ("/api/openapi.json", ""),
    ] {
        let said = town.get("P1", &format!("{path}?{query}"));
        assert_eq!(said.status, 200, "{path}");
        crate::openapi::fits("get", path, "200", &said.json());
    }
    crate::openapi::fits("get", "/api/state", "200", &town.get("O1", "/api/state").json());
    crate::openapi::fits(
        "get",
        "/api/entries/item",
        "404",
        &town.get("P1", "/api/entries/item?origin=x&index=1").json(),
    );
    let judged = town.get("O1", "/api/judgment");
    assert_eq!(judged.status, 403);
    crate::openapi::fits("get", "/api/judgment", "403", &judged.json());
}

/// A bit that changes under a running node is found by its scrub, while statements go on coming.
#[test]
fn a_running_node_finds_what_rots() {
    let mut town = Town::make("scrub", &format!("{FAST}scrub_s = 1\n"));
    NAMES.iter().for_each(|name| town.start_node(name));
    town.set_clock(START);
    let notice = notice(&town);
    let said = town.state_statement("P1", &Envelope::sign(notice.to_payload(), &[&key("P1", "liaison")]));
    assert_eq!(said.status, 200, "{}", said.text());
    town.holds(&origin("P1"), 1, START);
    let alarms =
        |town: &Town| town.get_as("P1", "/api/state", Some(&key("P1", "chair")), &[]).json()["alarms"].to_string();
    // Time stands still, so the log does too, once its witnesses' word is in it.
    let log = town.home("P1").join("log");
    let newest = || {
        let lock = fs::read_to_string(log.join("lock")).unwrap_or_default();
        log.join(format!("tile/0/000.p/{}", lock.lines().nth(1).unwrap_or_default()))
    };
    until("all tiles in their places", || if newest().exists() { Ok(()) } else { Err(format!("{:?}", newest())) });
    assert_eq!(alarms(&town), "[]");
    let tile = newest();
    let mut bytes = fs::read(&tile).unwrap();
    bytes[7] ^= 1;
    fs::write(&tile, bytes).unwrap();
    until("an alarm", || match alarms(&town) {
        said if said.contains("log/tile/0/000.p/") && said.contains("record fsck") => Ok(()),
        said => Err(said),
    });
}
