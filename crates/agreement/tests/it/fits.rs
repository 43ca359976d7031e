//! Whether a statement fits the annex, as asked at intake.
use crate::accord;
use hamsaya_agreement::Agreement;
use hamsaya_record::Instant;
use hamsaya_record::statement::{Act, FieldValue, Occurred, Precision, Statement};

fn text(t: &str) -> FieldValue {
    FieldValue::Text(t.into())
}

fn statement(accord: &Agreement, act: Act, kind: &str, fields: &[(&str, FieldValue)]) -> Statement {
    let mut s = Statement::new(accord.digest(), act, kind, "id", "P1", "p1.example/hamsaya/1", Instant(0));
    s.fields = fields.iter().map(|(n, v)| (n.to_string(), v.clone())).collect();
    s
}

#[test]
fn fits() {
    let accord = accord();
    let lodged = |more: &[(&str, FieldValue)], without: &str| {
        let mut fields = vec![
            ("allegation", text("A1")),
            ("against", text("P1")),
            ("commitment", text("C12")),
            ("urgency", text("flash")),
            ("known_at", text("2026-11-24T18:30:00Z")),
            ("event", text("raid")),
            ("relief", text("joint_visit")),
        ];
        fields.retain(|(n, _)| *n != without && !more.iter().any(|(m, _)| m == n));
        fields.extend(more.iter().cloned());
        statement(&accord, Act::Allege, "lodged", &fields)
    };
    let mut seen = statement(&accord, Act::Observe, "works", &[("builder", text("P1")), ("works", text("W1"))]);
    let unseen = seen.clone();
    seen.occurred_at = Some(Occurred { from: Instant(0), to: Instant(1), precision: Precision::Second, edtf: None });
    for (s, expected) in [
        (lodged(&[], ""), "fits"),
        (seen, "fits"),
        (unseen, "bad_time occurred_at: found nothing"),
        (lodged(&[], "allegation"), "bad_field fields.allegation: found nothing"),
        (lodged(&[("allegation", text(""))], ""), "bad_field fields.allegation: found "),
        (lodged(&[("against", text("P9"))], ""), "bad_field fields.against: found P9"),
        (lodged(&[("urgency", text("soon"))], ""), "bad_field fields.urgency: found soon"),
        (lodged(&[("known_at", text("yesterday"))], ""), "bad_field fields.known_at: found yesterday"),
        (lodged(&[("known_at", FieldValue::Int(5))], ""), "bad_field fields.known_at: found 5"),
        (lodged(&[("person", text("name"))], ""), "unknown_field fields.person: found name"),
        (statement(&accord, Act::Notify, "lodged", &[]), "bad_field act: found notify"),
        (statement(&accord, Act::Allege, "loged", &[]), "unknown_kind kind: found loged"),
        (statement(&accord, Act::Record, "founding", &[("members", FieldValue::List(Vec::new()))]), "fits"),
    ] {
        let found = match accord.fits(&s) {
            Ok(()) => "fits".to_string(),
            Err(m) => {
                assert!(!m.allowed.is_empty() && !m.hint.is_empty(), "{m:?}");
                format!("{} {}: found {}", m.reason, m.field, m.found)
            }
        };
        assert_eq!(found, expected);
    }
    let near = accord.fits(&statement(&accord, Act::Allege, "loged", &[])).unwrap_err();
    assert_eq!(near.hint, "did you mean `lodged`?");
}

/// What rules judge is never salted: of a required field the statement itself shows it, of any other its disclosure.
#[test]
fn what_rules_judge_is_not_salted() {
    let accord = accord();
    let mut outage = statement(&accord, Act::Notify, "outage_notice", &[]);
    let plain = accord.fits(&outage).unwrap_err();
    outage.salted = vec![[1; 32]];
    let salted = accord.fits(&outage).unwrap_err();
    assert_eq!((&plain.field, &plain.found), (&salted.field, &salted.found));
    assert!(salted.hint.contains("in clear") && !plain.hint.contains("in clear"), "{salted:?}");
    let mut erasure = statement(&accord, Act::Record, "erasure", &[("what", text("x")), ("ground", text("law"))]);
    assert_eq!(accord.fits(&erasure), Ok(()));
    erasure.salted = vec![[1; 32]];
    assert_eq!(accord.fits(&erasure).unwrap_err().field, "fields._sd");

    for (kind, name, may) in [
        ("outage_notice", "note", true),
        ("outage_notice", "place_exact", true),
        ("lodged", "file_names", true),
        ("outage_notice", "sensor", false),
        ("certify", "allegation", false), // It may be absent; salted it may not be.
        ("outage_notice", "pap", false),
        ("outage_notice", "readers", false),
        ("verdict", "note", false),
        ("erasure", "note", false),
        ("outage", "note", false),
    ] {
        let found = accord.may_salt(kind, name);
        assert_eq!(found.is_ok(), may, "{kind} {name}: {found:?}");
        if let Err(misfit) = found {
            assert_eq!((misfit.reason, misfit.field), ("bad_field", format!("fields.{name}")));
        }
    }
    // Every field of every kind.
    for kind in accord.kinds() {
        assert!(kind.fields.iter().all(|(name, _)| accord.may_salt(&kind.name, name).is_err()), "{}", kind.name);
    }
}
