//! What `hamsaya agreement check` finds: nothing in the Accord, and every fault that is planted in a copy of it.
use crate::{agreements, files};
use hamsaya_agreement::Agreement;
use hamsaya_agreement::case::Case;
use hamsaya_agreement::check::{Bounds, Fault, Finding, Report, check};
use std::collections::BTreeMap;
use std::fmt::Write as _;

type Files = BTreeMap<String, Vec<u8>>;

fn shown(report: &Report) -> String {
    let mut text = String::new();
    for f in &report.findings {
        let _ = writeln!(text, "{}:{}:{} {}: {}\n  {}", f.file, f.line, f.column, f.fault.word(), f.message, f.hint);
        f.witness.iter().for_each(|w| text += &w.page);
    }
    let _ = writeln!(text, "{} texts, {} duties, {} traces", report.texts, report.duties, report.traces);
    report.unexplored.iter().for_each(|(d, why)| text += &format!("not explored {d}: {why}\n"));
    report.excused.iter().for_each(|e| text += &format!("excused {e:?}\n"));
    text
}

/// The Accord with one edit in one file.
fn edited(file: &str, from: &str, to: &str) -> Files {
    let mut files = files(&agreements().join("hamsaya-accord"));
    let text = String::from_utf8(files[file].clone()).unwrap();
    assert_eq!(text.matches(from).count(), 1, "{from}");
    files.insert(file.into(), text.replace(from, to).into_bytes());
    files
}

/// What is found in an edited Accord, looking at some commitments only. Nothing else may be found there.
#[track_caller]
fn found(file: &str, from: &str, to: &str, only: &str, fault: Fault) -> (Files, Finding) {
    let files = edited(file, from, to);
    let only = only.split(' ').filter(|o| !o.is_empty()).map(str::to_string).collect();
    let report = check(&files, &Bounds { only, ..Bounds::default() }).unwrap_or_else(|e| panic!("{e}"));
    let first = report.findings.iter().find(|f| f.fault == fault).unwrap_or_else(|| panic!("{}", shown(&report)));
    assert!(report.findings.iter().all(|f| f.fault == fault), "{}", shown(&report));
    (files, first.clone())
}

/// The witness is a page that the judge confirms: every line of its verdicts is what it says now.
#[track_caller]
fn confirmed(files: &Files, finding: &Finding) -> String {
    let page = &finding.witness.as_ref().unwrap_or_else(|| panic!("no witness: {finding:?}")).page;
    let agreement = Agreement::parse(files).unwrap();
    let case = Case::parse("witness", page).unwrap_or_else(|e| panic!("{e}{page}"));
    assert!(!case.rows.is_empty() && case.expected.iter().any(|e| !e.lines.is_empty()), "{page}");
    let logs = case.play("witness", &agreement).unwrap_or_else(|e| panic!("{e}{page}"));
    assert_eq!(case.check(&agreement, &logs).unwrap(), [], "{page}");
    // Verdicts that nobody gives are not confirmed.
    let mut wrong = case.clone();
    wrong.expected[0].lines[0] = "C14(A1, P1) kept margin 99:99".into();
    assert_ne!(wrong.check(&agreement, &logs).unwrap(), []);
    page.clone()
}

/// A wrong number in one language: in words, and in digits; and one that all texts say and the rule does not.
#[test]
fn a_wrong_number() {
    let ps = "د ادعا د رسېدو تایید د شپږو ساعتونو دننه";
    let (_, f) = found("04-territory.md", ps, &ps.replace("شپږو", "اوو"), "C99", Fault::Number);
    assert_eq!(f.message, "the text in `ps` says `اوو ساعتونو`, 7 hours, where `en` says 6 hours");
    assert_eq!(f.file, "04-territory.md");
    let ps = "د 72 ساعتونو دننه وايي چې کوم ګام";
    let (_, f) = found("04-territory.md", ps, &ps.replace("72", "۲۷"), "C99", Fault::Number);
    assert_eq!(f.message, "the text in `ps` says `۲۷ ساعتونو`, 27 hours, where `en` says 72 hours");
    let rule = "ack(allegation: a, by: y)  within 6 h";
    let (_, f) = found("04-territory.md", rule, &rule.replace("6 h", "5 h"), "C99", Fault::Number);
    let texts = "`en`, `fa-AF`, `ps`, `ur`";
    assert_eq!(
        f.message,
        format!("C14: the rule says `5 h`, the text in {texts} does not: its numbers are 6 hours, 1 hours")
    );
}

/// A text that is missing.
#[test]
fn a_missing_text() {
    let mut files = files(&agreements().join("hamsaya-accord"));
    let text = String::from_utf8(files["04-territory.md"].clone()).unwrap();
    let (before, after) = text.split_once("::: text {lang=ps review=needed}\nمدعي علیه لوری د ادعا").unwrap();
    let (_, after) = after.split_once("\n:::\n").unwrap();
    files.insert("04-territory.md".into(), format!("{before}{after}").into_bytes());
    let report = check(&files, &Bounds { only: vec!["C99".into()], ..Bounds::default() }).unwrap();
    let said: Vec<&str> = report.findings.iter().map(|f| f.message.as_str()).collect();
    assert_eq!(said, ["art_4__para_14: found text in en, fa-AF, ur, none in `ps`"]);
}

/// An alert is to be closed within 72 hours, four days after somebody has acted upon it; access is to be granted within 48
/// hours, three days after a safe-conduct that nobody can give before he is asked.
#[test]
fn an_impossible_deadline() {
    let rule = "must       alert_close(alert: i, by: y)  within 72 h";
    let to = "must       (alert_close(alert: i, by: y) and once[96 h, *] alert_action(alert: i, by: y))  within 72 h";
    let (files, f) = planted("05-warnings.md", rule, to, "C20", Fault::Deadline);
    assert!(f.message.starts_with("C20.close cannot be kept in time: P"), "{}", f.message);
    confirmed(&files, &f);

    let rule = "  part safe\n    opens      team_track(request: q) and once access_req(request: q, holder: x)";
    let to = format!(
        "  part ready\n    opens      access_ok(request: q, by: x) and once access_req(request: q, holder: x)\n    bearer x\n    \
         must       once[72 h, *] safe_conduct(request: q, by: x)\n    remedy     M1\n{rule}"
    );
    let files = edited("04-territory.md", rule, &to);
    // As long as a refusal with another offer is left, access can be kept; then it cannot.
    let bounds = Bounds { only: vec!["C16.access".into(), "C16.ready".into()], ..Bounds::default() };
    let report = check(&files, &bounds).unwrap();
    assert!(
        report.findings.iter().all(|f| f.fault == Fault::Number || f.message.contains("C16.ready")),
        "{}",
        shown(&report)
    );
    let text = String::from_utf8(files["04-territory.md"].clone()).unwrap();
    let refusal = "\n                 or (access_refused(request: q, by: x) and eventually[0 s, 72 h] re_offer(request: q, by: x))";
    assert!(text.contains(refusal));
    let mut files = files;
    files.insert("04-territory.md".into(), text.replace(refusal, "").into_bytes());
    let bounds = Bounds { only: vec!["C16.access".into()], ..Bounds::default() };
    let report = check(&files, &bounds).unwrap();
    let f = report.findings.iter().find(|f| f.fault == Fault::Deadline).unwrap_or_else(|| panic!("{}", shown(&report)));
    assert_eq!(f.message, "whoever keeps C16.access cannot keep C16.ready, which follows from it");
    confirmed(&files, f);
}

/// Like [`found`], where the edit also makes a rule say what no text says.
#[track_caller]
fn planted(file: &str, from: &str, to: &str, only: &str, fault: Fault) -> (Files, Finding) {
    let files = edited(file, from, to);
    let only = only.split(' ').map(str::to_string).collect();
    let report = check(&files, &Bounds { only, ..Bounds::default() }).unwrap_or_else(|e| panic!("{e}"));
    let first = report.findings.iter().find(|f| f.fault == fault).unwrap_or_else(|| panic!("{}", shown(&report)));
    assert!(report.findings.iter().all(|f| f.fault == fault || f.fault == Fault::Number), "{}", shown(&report));
    (files, first.clone())
}

/// Two duties that start together; and two that only meet when two things happen.
#[test]
fn two_duties_in_conflict() {
    let rule = "define flash(allegation: a) when once lodged(allegation: a, urgency: \"flash\")\n";
    let to = format!(
        "{rule}commitment C36 : prohibition, severity C\n  opens      lodged(allegation: a, by: x, against: y)\n  bearer y\n  \
         must not   ack(allegation: a, by: y)  for 24 h\n  remedy     M1\n"
    );
    let (files, f) = planted("04-territory.md", rule, &to, "C14 C36", Fault::Conflict);
    assert!(
        f.message.contains("C14") && f.message.contains("C36") && f.message.ends_with("cannot both be kept"),
        "{f:?}"
    );
    let page = confirmed(&files, &f);
    assert!(page.contains("C14(") && page.contains("C36("), "{page}");

    // A hazard is to be warned of within 12 hours; while a flag meeting is due, nobody warns of hazards.
    let rule = "commitment C22 : result, severity B\n";
    let to = format!(
        "commitment C37 : prohibition, severity C\n  opens      flag_req(meeting: m, by: x, asked: y)\n  bearer y\n  \
         must not   (exists z. hazard_warn(hazard: z, by: y))  for 24 h\n  remedy     M1\n{rule}"
    );
    let (files, f) = planted("05-warnings.md", rule, &to, "C22 C37", Fault::Conflict);
    assert!(f.message.contains("C22") && f.message.contains("C37"), "{f:?}");
    confirmed(&files, &f);
}

/// A duty that asks for a thing and its contrary; and one that asks for a number that no statement holds.
#[test]
fn a_duty_that_nothing_satisfies() {
    let rule = "must       plan(allegation: a, by: x)  within 7 d";
    let to = "must       (plan(allegation: a, by: x) and not plan(allegation: a, by: x))  within 7 d";
    let (files, f) = planted("04-territory.md", rule, to, "C18.plan", Fault::Unsatisfiable);
    assert_eq!(f.message, "C18.plan can be kept by nothing that anybody can state");
    let page = confirmed(&files, &f);
    assert!(page.contains("breached since"), "{page}");

    let rule = "must       session()  within 30 d";
    let to = "must       (exists m. (session(number: m) and m < 0))  within 30 d";
    let (files, f) = planted("02-machinery.md", rule, to, "C01.first", Fault::Unsatisfiable);
    assert_eq!(f.message, "C01.first can be kept by nothing that anybody can state");
    confirmed(&files, &f);
}

/// An answer that may be put off, again and again; a dispute that goes round the ladder; a clock that its bearer moves alone;
/// a duty that its bearer ends by a word.
#[test]
fn an_endless_delay() {
    // `cannot_yet_say` was enough for now, and acknowledging once more was enough after it.
    let mut files = files(&agreements().join("hamsaya-accord"));
    let text = String::from_utf8(files["04-territory.md"].clone()).unwrap();
    let (before, after) = text.split_once("commitment C15 : result, severity C\n").unwrap();
    let (_, after) = after.split_once("```").unwrap();
    let lodged = "(once lodged(allegation: a, by: x, against: y))";
    let rule = format!(
        "commitment C15 : result, severity C\n  part first\n    opens      {lodged} and (ack(allegation: a, by: y) or breached(C14, a))\n    \
         bearer y   toward x\n    must       (answered_in_substance(allegation: a, by: y) or \
         answered_first(allegation: a, by: y, answer: \"cannot_yet_say\"))  within 24 h\n    remedy     C35\n  part later\n    \
         opens      {lodged} and answered_first(allegation: a, by: y, answer: \"cannot_yet_say\")\n    bearer y   toward x\n    \
         must       (answered_in_substance(allegation: a, by: y) or ack(allegation: a, by: y))  within 72 h\n    remedy     C35\n"
    );
    files.insert("04-territory.md".into(), format!("{before}{rule}```{after}").into_bytes());
    let bounds = Bounds { only: vec!["C15".into()], ..Bounds::default() };
    let report = check(&files, &bounds).unwrap_or_else(|e| panic!("{e}"));
    let f = report.findings.iter().find(|f| f.fault == Fault::Loophole).unwrap_or_else(|| panic!("{}", shown(&report)));
    assert!(f.message.contains("can put off C15.first for ever"), "{}", f.message);
    let page = confirmed(&files, f);
    assert!(page.matches("answered_first").count() >= 3 && page.contains("pending due"), "{page}");

    let rule = "must       decided(matter: d, level: \"ministers\")  within 15 d";
    let to = "must       (decided(matter: d, level: \"ministers\") or seised(matter: d, level: \"post\"))  within 15 d";
    let (files, f) = planted("10-life.md", rule, to, "C35.post", Fault::Loophole);
    assert!(f.message.contains("can put off C35.post for ever"), "{}", f.message);
    confirmed(&files, &f);

    let rule = "define extended(entry: e) when once (extend(entry: e) and by_both(entry: e))";
    let (files, f) =
        planted("01-terms.md", rule, "define extended(entry: e) when once extend(entry: e)", "C14", Fault::Loophole);
    assert!(f.message.contains("can put off C14 for ever: alone, by `extend`"), "{}", f.message);
    confirmed(&files, &f);

    let rule = "must       crime_reply(request: i, by: y)  within 48 h";
    let to = format!("{rule}\n  lapses     seised(matter: i, by: y)");
    let (files, f) = planted("05-warnings.md", rule, &to, "C21", Fault::Loophole);
    assert!(f.message.contains("can end C21 alone"), "{}", f.message);
    confirmed(&files, &f);
}

/// Twice the same, and bounded: what was searched is counted.
#[test]
fn deterministic_and_bounded() {
    let files = files(&agreements().join("hamsaya-accord"));
    let bounds = Bounds { only: vec!["C14".into(), "C20".into()], ..Bounds::default() };
    let (one, other) = (check(&files, &bounds).unwrap(), check(&files, &bounds).unwrap());
    assert_eq!(one, other);
    assert!(one.traces > 10 && one.traces < 4 * 3 * bounds.traces_per_duty, "{}", one.traces);
}

#[test]
fn the_accord_is_clean() {
    let only = std::env::var("HAMSAYA_ONLY").unwrap_or_default();
    let only = only.split(',').filter(|o| !o.is_empty()).map(str::to_string).collect();
    let report = check(&files(&agreements().join("hamsaya-accord")), &Bounds { only, ..Bounds::default() }).unwrap();
    if std::env::var_os("HAMSAYA_ONLY").is_some() {
        eprintln!("{}", shown(&report));
    }
    assert!(report.findings.is_empty(), "{}", shown(&report));
    // Every number of every text was compared, and hardly a duty is beyond the search.
    assert!(report.texts >= 200 && report.duties >= 70 && report.unexplored.len() <= 3, "{}", shown(&report));
}

#[test]
fn the_other_agreements_are_clean() {
    for name in ["river-ceasefire", "template"] {
        let files = files(&agreements().join(name));
        let report = check(&files, &Bounds::default()).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(report.findings.is_empty() && report.unexplored.is_empty(), "{name}: {}", shown(&report));
    }
}
