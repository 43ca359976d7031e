//! Random histories and random damage.
use crate::golden::golden;
use crate::small::{ANSWER, GATE, files as small_files, parse};
use crate::{agreements, files};
use hamsaya_agreement::case::Case;
use hamsaya_agreement::{Agreement, judge, judge_explaining};
use hamsaya_record::Instant;
use hamsaya_record::logs::{Entry, LoggedAt, Logs};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn timed(logs: &Logs) -> Vec<(Entry, LoggedAt)> {
    let at = |n| logs.logged_at(n, Instant(i64::MAX)).expect("everything is timed");
    logs.entries().iter().enumerate().map(|(n, e)| (Entry::clone(e), at(n))).collect()
}

/// Rows of a trace on the small agreement, at hours 0 to 30.
fn trace() -> impl Strategy<Value = String> {
    let party = || prop::sample::select(vec!["P1", "P2", "G1"]);
    let id = || prop::sample::select(vec!["A", "B"]);
    let row = (0i64..30, party(), 0usize..7, party(), id(), 0i64..6, any::<bool>(), any::<prop::sample::Index>());
    prop::collection::vec(row, 1..12).prop_map(|mut rows| {
        rows.sort_by_key(|r| r.0);
        let mut text = String::new();
        for (n, (hour, log, kind, who, id, ago, flag, target)) in rows.iter().enumerate() {
            let seen = format!("occurred {:+}:00", hour - ago);
            let to = if n == 0 { None } else { Some(format!("#{}", target.index(n) + 1)) };
            let said = match kind {
                0 => format!("asked(ask: \"{id}\", from: \"{who}\", urgent: {flag})"),
                1 => format!("answered(ask: \"{id}\")"),
                2 => format!("shut(who: \"{who}\", gate: \"{id}\") {seen}"),
                3 => format!("opened(who: \"{who}\", gate: \"{id}\") {seen}"),
                4 => format!("graded(ask: \"{id}\", level: \"high\")"),
                5 if to.is_some() => format!("withdrawn() withdraws {}", to.unwrap()),
                _ => format!("contested() {}", to.map(|t| format!("answers {t}")).unwrap_or_default()),
            };
            let drill = if *flag && *kind == 3 { "drill" } else { "" };
            text += &format!("#{} +{hour}:00 {log} {said} {drill} -- row\n", n + 1);
        }
        text
    })
}

fn small(trace: &str) -> (Agreement, Case, Logs) {
    let agreement = parse(&format!("{ANSWER}{}", GATE.replace("C1", "C2"))).unwrap();
    let source = format!("```scenario\nstart = \"2026-01-01T00:00:00Z\"\n```\n```trace\n{trace}```\n");
    let case = Case::parse("random", &source).unwrap_or_else(|e| panic!("{e}\n{trace}"));
    let logs = case.play("random", &agreement).unwrap_or_else(|e| panic!("{e}\n{trace}"));
    (agreement, case, logs)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// The judgment is a function of the set of entries.
    #[test]
    fn any_order_of_arrival(trace in trace(), order in any::<prop::sample::Index>()) {
        let (agreement, case, logs) = small(&trace);
        let mut shuffled = timed(&logs);
        let n = shuffled.len();
        shuffled.rotate_left(order.index(n));
        shuffled.reverse();
        let at = case.start.plus(40 * 3600);
        let a = judge(&agreement, &logs, at, at).unwrap();
        let b = judge(&agreement, &Logs::with_times(shuffled), at, at).unwrap();
        prop_assert_eq!(a.digest(), b.digest());
        prop_assert_eq!(a.verdicts, b.verdicts);
    }

    /// What was not known by an instant plays no part in what was known by it; nor does what is judged by nothing.
    #[test]
    fn known_by_hides_the_rest(trace in trace(), as_of in 0i64..40, known_by in 0i64..40) {
        let (agreement, case, logs) = small(&trace);
        let at = |h: i64| case.start.plus(h * 3600);
        let known: Vec<_> = timed(&logs).into_iter().filter(|(e, t)| t.hi <= at(known_by) && !e.statement.drill).collect();
        let a = judge_explaining(&agreement, &logs, at(as_of), at(known_by), |_| false).unwrap();
        let b = judge_explaining(&agreement, &Logs::with_times(known), at(as_of), at(known_by), |_| false).unwrap();
        prop_assert_eq!(a.digest(), b.digest());
    }

    /// A breach that only time brought stays when more time passes and nobody says anything.
    #[test]
    fn silence_never_unbreaches(trace in trace(), later in 0i64..50) {
        let (agreement, case, logs) = small(&trace);
        let at = |h: i64| case.start.plus(h * 3600);
        let a = judge_explaining(&agreement, &logs, at(40), at(40), |_| false).unwrap();
        let b = judge_explaining(&agreement, &logs, at(40 + later), at(40 + later), |_| false).unwrap();
        for v in a.verdicts.iter().filter(|v| v.state == hamsaya_agreement::State::Breached) {
            let still = b.verdicts.iter().find(|w| w.label == v.label && w.opened == v.opened).unwrap();
            prop_assert_eq!(still.breached_since, v.breached_since, "{}", v.label);
        }
    }

    /// Bytes that are no agreement are refused, not a panic.
    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400), file in 0usize..4) {
        let mut files = small_files(ANSWER);
        let name = files.keys().nth(file).unwrap().clone();
        files.insert(name, bytes);
        let _ = Agreement::parse(&files);
    }

    /// Words of the language in any order.
    #[test]
    fn any_words(words in prop::collection::vec(prop::sample::select(vec![
        "define", "assert", "commitment", "part", "let", "opens", "bearer", "must", "lapses", "exception", "remedy", "when", "not", "and",
        "or", "since", "until", "once", "eventually", "exists", "within", "for", "breached", "seconds", "(", ")", "[", "]", ",", ":", ".",
        "=", ">=", "C1", "x", "a", "asked", "ask", "6", "h", "\"P1\"", "true", "_", "*", "\n", "result", "severity", "C", "M1",
    ]), 0..120)) {
        let _ = parse(&words.join(" "));
    }

    #[test]
    fn any_case(text in "[ -~\n]{0,300}", row in "[#0-9a-z+:., ()\"@-]{0,80}") {
        let _ = Case::parse("random", &text);
        let _ = Case::parse("random", &format!("```scenario\nstart = \"2026-01-01T00:00:00Z\"\n```\n```trace\n#1 +0:00 P1 {row}\n```\n"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// A damaged Accord is refused with diagnostics that point into it, or still is one; never a panic.
    #[test]
    fn a_damaged_accord(file in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), take in 0usize..40, put in "[a-z(){}:,.\"` \n#]{0,12}") {
        let mut files: BTreeMap<String, Vec<u8>> = files(&agreements().join("hamsaya-accord"));
        let texts: Vec<String> = files.keys().filter(|p| p.ends_with(".md") || p.ends_with(".toml")).cloned().collect();
        let name = &texts[file.index(texts.len())];
        let bytes = files.get_mut(name).unwrap();
        let from = at.index(bytes.len());
        let to = (from + take).min(bytes.len());
        bytes.splice(from..to, put.bytes());
        if let Err(found) = Agreement::parse(&files) {
            prop_assert!(!found.0.is_empty());
            for d in &found.0 {
                let text = files.get(&d.file).unwrap_or_else(|| panic!("{d:?}"));
                let lines = text.split(|b| *b == b'\n').count();
                prop_assert!(d.line >= 1 && d.line <= lines + 1 && d.column >= 1, "{:?}", d);
            }
        }
    }
}

/// 5,000 entries that no rule reads change nothing.
#[test]
fn background_does_not_matter() {
    let golden = golden();
    let mut all = timed(&golden.logs);
    let (mut other, at) = all.iter().find(|(e, _)| e.statement.kind == "reading").unwrap().clone();
    other.statement.kind = "incident".into();
    for n in 0..5_000u64 {
        other.index = 1_000 + n;
        other.statement_id.0[..8].copy_from_slice(&n.to_be_bytes());
        all.push((other.clone(), at));
    }
    let many = Logs::with_times(all);
    let at = golden.at(620 * 60);
    let judgment = judge_explaining(&golden.accord, &many, at, at, |_| false).unwrap();
    assert_eq!(judgment.digest(), golden.briefly(620, 620).digest());
}
