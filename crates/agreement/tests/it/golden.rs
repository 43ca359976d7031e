//! The golden scenario to the second: instants, reasons, changes, digests.
use crate::{accord, agreements};
use hamsaya_agreement::case::Case;
use hamsaya_agreement::{Agreement, Because, Cite, Judgment, Reason, State, Verdict, judge, judge_explaining};
use hamsaya_record::Instant;
use hamsaya_record::logs::Logs;

pub struct Golden {
    pub accord: Agreement,
    pub case: Case,
    pub logs: Logs,
}

pub fn golden() -> Golden {
    let accord = accord();
    let source = std::fs::read_to_string(agreements().join("cases/good/golden-scenario.md")).unwrap();
    let case = Case::parse("golden-scenario.md", &source).unwrap();
    let logs = case.play("golden-scenario.md", &accord).unwrap();
    Golden { accord, case, logs }
}

impl Golden {
    /// An instant in minutes from the start.
    pub fn at(&self, minutes: i64) -> Instant {
        self.case.start.plus(minutes * 60)
    }
    pub fn judge(&self, as_of: i64, known_by: i64) -> Judgment {
        judge(&self.accord, &self.logs, self.at(as_of * 60), self.at(known_by * 60)).unwrap()
    }
    pub fn briefly(&self, as_of: i64, known_by: i64) -> Judgment {
        judge_explaining(&self.accord, &self.logs, self.at(as_of * 60), self.at(known_by * 60), |_| false).unwrap()
    }
    /// Label of the row behind an entry.
    pub fn label(&self, cite: &Cite) -> String {
        let entry = self.logs.entries().iter().find(|e| e.statement_id == cite.statement_id).unwrap();
        let log = &entry.statement.source.to_uppercase();
        let rows = self.case.rows.iter().filter(|r| r.said.as_ref().is_some_and(|s| s.log == *log));
        rows.filter_map(|r| r.label.clone()).nth(entry.index as usize).unwrap()
    }
    fn labels(&self, cites: &[Cite]) -> Vec<String> {
        let mut all: Vec<String> = cites.iter().map(|c| self.label(c)).collect();
        all.sort();
        all
    }
}

fn verdict<'j>(judgment: &'j Judgment, label: &str) -> &'j Verdict {
    judgment.verdicts.iter().find(|v| v.label == label).unwrap_or_else(|| panic!("no {label}"))
}

/// Annex B: kept, breached, pending, disputed at H 48, 230, 620.
#[test]
fn counts() {
    let golden = golden();
    for (h, expected) in [(48, [4, 1, 1, 1]), (230, [8, 7, 4, 1]), (620, [14, 9, 5, 0])] {
        let judgment = golden.briefly(h, h);
        let count = |s| judgment.verdicts.iter().filter(|v| v.state == s).count();
        let found = [State::Kept, State::Breached, State::Pending, State::Disputed].map(count);
        assert_eq!(found, expected, "H {h}");
    }
}

#[test]
fn instants_to_the_second() {
    let golden = golden();
    let judgment = golden.briefly(620, 620);
    let h = |h: i64| Some(golden.at(h * 60));
    for (label, since, opened, due, breached_since, kept_at) in [
        ("C13.embargo(A1, P2)", 0, 0, None, h(5), None),
        ("C14(A1, P1)", 0, 0, h(1), None, Some(golden.at(48))),
        ("C16.access(Q1, P1)", 24, 24, h(119), None, h(100)),
        ("C17.finding(A1, Commission)", 300, 300, h(660), None, h(420)),
        ("C18.plan(A1, P1)", 420, 420, h(588), None, h(501)),
        ("C19.publish(A1, Commission)", 420, 420, h(612), None, h(501)),
        ("C19.refind(A1, Commission)", 501, 501, h(861), None, None),
        ("C24.review(W1, P2)", 145, 145, h(505), h(505), None),
        ("C32.lane(K1, P2)", 150, 150, h(162), h(162), None),
    ] {
        let v = verdict(&judgment, label);
        assert_eq!(
            (v.since, v.opened, v.due, v.breached_since, v.kept_at),
            (golden.at(since * 60), golden.at(opened * 60), due, breached_since, kept_at),
            "{label}"
        );
    }
    assert_eq!(verdict(&judgment, "C04.stay(G1)").until, h(2770));
    assert_eq!(verdict(&judgment, "C18.plan(A1, P1)").reason, Reason::Discharged);
    assert_eq!(verdict(&judgment, "C13.embargo(A1, P2)").reason, Reason::Contravened);
    assert_eq!(verdict(&judgment, "C16.access(Q1, P1)").address, "art_4__para_16");
}

/// C32.lane at H 230 by what was known at H 230, 300 and 620.
#[test]
fn what_was_known_when() {
    let golden = golden();
    for (known_by, state) in [(230, State::Breached), (300, State::Kept), (620, State::Breached)] {
        let judgment = golden.briefly(230, known_by);
        assert_eq!(verdict(&judgment, "C32.lane(K1, P2)").state, state, "known by H {known_by}");
    }
}

/// An act at the due instant is in time; from that instant on, without it, the duty is breached.
#[test]
fn a_clock_runs_out_to_the_second() {
    let golden = golden();
    for (seconds, state) in [(-1, State::Pending), (0, State::Breached)] {
        let at = golden.at(162 * 60).plus(seconds);
        let judgment = judge_explaining(&golden.accord, &golden.logs, at, at, |_| false).unwrap();
        assert_eq!(verdict(&judgment, "C32.lane(K1, P2)").state, state, "{seconds} s");
    }
}

#[test]
fn reasons() {
    let golden = golden();
    let judgment = golden.judge(300, 300);
    for (label, opened_by, because) in [
        ("C14(A1, P1)", &["#2"][..], &["#3"][..]),
        ("C13.embargo(A1, P2)", &["#2"], &["#4"]),
        ("C16.access(Q1, P1)", &["#2", "#6"], &["#8", "#9"]),
        ("C32.lane(K1, P2)", &["#13a"], &["#17", "#18"]),
        ("C32.measure(K1, P2)", &["#14"], &["#14"]),
        ("C23(W1, P1)", &["#11"], &[]),
    ] {
        let reasons = &verdict(&judgment, label).reasons;
        assert_eq!(golden.labels(&reasons.opened_by), opened_by, "{label} opened by");
        assert_eq!(golden.labels(&reasons.because), because, "{label} because");
    }
    // Without G2's word, P2's own comes too late.
    let lane = &verdict(&judgment, "C32.lane(K1, P2)").reasons;
    assert_eq!(golden.labels(&lane.flip), ["#18"]);
    let disputed = &verdict(&judgment, "C12(A1, P1)").reasons.disputed;
    assert_eq!(golden.labels(disputed), ["#2"]);
    let filed = &verdict(&judgment, "C23(W1, P1)").reasons.missing;
    assert_eq!(filed.len(), 1);
    assert_eq!((filed[0].kind.as_str(), filed[0].from, filed[0].to), ("works_filed", None, Some(golden.at(-580 * 60))));
    for v in &judgment.verdicts {
        for missing in &v.reasons.missing {
            assert!(!missing.kind.contains(['.', '$']), "{missing:?}");
            assert!(missing.fields.iter().all(|(name, _)| !name.starts_with('$')), "{missing:?}");
        }
    }
}

/// Annex B: changed by evidence in rows 18, 20, 22 and 24; by the clock at 162, 174, 222 and 505.
#[test]
fn changes() {
    let golden = golden();
    let change = |label: &str, from: i64, to: i64| -> (Option<State>, Option<State>, Vec<String>) {
        let wanted = |v: &Verdict| v.label == label;
        let at = |h: i64| judge_explaining(&golden.accord, &golden.logs, golden.at(h * 60), golden.at(h * 60), wanted);
        let changes = at(to).unwrap().changes_since(&at(from).unwrap());
        let change = changes.iter().find(|c| [&c.before, &c.after].into_iter().flatten().any(|v| v.label == label));
        let change = change.unwrap_or_else(|| panic!("{label} does not change between H {from} and H {to}"));
        let because = match &change.because {
            Because::Clock => vec!["clock".to_string()],
            Because::Entries(cites) => golden.labels(cites),
        };
        (change.before.as_ref().map(|v| v.state), change.after.as_ref().map(|v| v.state), because)
    };
    let (k, b, p, d) = (Some(State::Kept), Some(State::Breached), Some(State::Pending), Some(State::Disputed));
    for (label, from, to, expected) in [
        ("C14(A1, P1)", -1, 0, (None, p, vec!["#2"])),
        ("C13.embargo(A1, P2)", 5, 6, (p, b, vec!["#4"])),
        ("C16.access(Q1, P1)", 46, 47, (p, p, vec!["#8"])),
        ("C32.lane(K1, P2)", 161, 162, (p, b, vec!["clock"])),
        ("C32.lane(K1, P2)", 259, 260, (b, k, vec!["#17", "#18"])),
        ("C12(A1, P1)", 419, 420, (d, k, vec!["#20"])),
        ("C18.plan(A1, P1)", 500, 501, (p, k, vec!["#22"])),
        ("C24.review(W1, P2)", 504, 505, (p, b, vec!["clock"])),
        ("C32.lane(K1, P2)", 614, 615, (k, b, vec!["#24"])),
    ] {
        let (before, after, because) = change(label, from, to);
        let expected = (expected.0, expected.1, expected.2.iter().map(|s| s.to_string()).collect());
        assert_eq!((before, after, because), expected, "{label} at H {to}");
    }
}

/// Twice the same judgment: nothing changes.
#[test]
fn nothing_changes_by_itself() {
    let golden = golden();
    assert!(golden.briefly(620, 620).changes_since(&golden.briefly(620, 620)).is_empty());
}
