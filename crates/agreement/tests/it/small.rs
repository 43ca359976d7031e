//! Rules of reading on an agreement small enough to see whole.
use hamsaya_agreement::case::Case;
use hamsaya_agreement::{Agreement, Diagnostics, judge};
use hamsaya_record::logs::Logs;
use std::collections::BTreeMap;

const CHARTER: &str = r#"
languages = ["en"]
[title]
en = "A small agreement"
[role]
lead = "G1"
[[member]]
name = "P1"
role = "party"
[[member]]
name = "P2"
role = "party"
[[member]]
name = "G1"
role = "guarantor"
"#;

const KINDS: &str = r#"
[enum.level]
order = ["low", "middle", "high"]
also = ["unknown"]
[kind.asked]
act = "notify"
speech = "said"
id = ["ask"]
[kind.asked.fields]
ask = "id"
from = "party"
urgent = "bool?"
[kind.answered]
act = "notify"
speech = "said"
[kind.answered.fields]
ask = "id"
[kind.graded]
act = "notify"
speech = "said"
[kind.graded.fields]
ask = "id"
level = "enum:level"
[kind.shut]
act = "observe"
speech = "seen"
harms = true
actor = "who"
id = ["gate"]
[kind.shut.fields]
who = "party"
gate = "id"
[kind.opened]
act = "observe"
speech = "seen"
guarantor_admits = true
actor = "who"
id = ["gate"]
[kind.opened.fields]
who = "party"
gate = "id"
[kind.withdrawn]
act = "withdraw"
speech = "said"
[kind.contested]
act = "notify"
speech = "said"
[kind.news]
act = "observe"
speech = "background"
"#;

const TERMS: &str = r#"# Article 1 - Terms {#art_1}
```accord
define agreed(entry: e, other: o) when
  exists p, q, f, t, g, u. (
    (once word(entry: e, by: p, from: f, to: t)) and (once word(entry: o, by: q, from: g, to: u))
    and (once same(entry: e, other: o)) and p != q and f <= u and g <= t)
define first(entry: e) when (once word(entry: e)) and not exists o.
  ((once same(entry: e, other: o)) and (once before(entry: o, other: e)) and not absent(entry: o))
define absent(entry: e) when exists t, l. ((once word(entry: e, to: t, logged: l)) and t > l)
define absent(entry: e) when once withdraws(target: e)
define admitted(entry: e) when exists k. ((once word(entry: e, kind: k)) and harms(kind: k) and once own(entry: e))
define admitted(entry: e) when (once own(entry: e)) and not once contests(target: e)
define admitted(entry: e) when exists o. agreed(entry: e, other: o)
define admitted(entry: e) when
  exists k, g. ((once word(entry: e, kind: k, by: g)) and guarantor(guarantor: g) and dagger(kind: k))
```
"#;

pub fn files(rules: &str) -> BTreeMap<String, Vec<u8>> {
    let duties = format!("# Article 2 - Duties {{#art_2}}\n## 1 Duty {{#art_2__para_1}}\n```accord\n{rules}```\n");
    [("agreement.toml", CHARTER), ("annexes/kinds.toml", KINDS), ("01-terms.md", TERMS), ("02-duties.md", &duties)]
        .into_iter()
        .map(|(name, text)| (name.to_string(), text.as_bytes().to_vec()))
        .collect()
}

pub fn parse(rules: &str) -> Result<Agreement, Diagnostics> {
    Agreement::parse(&files(rules))
}

pub fn play(rules: &str, trace: &str) -> (Agreement, Case, Logs) {
    play_files(&files(rules), trace)
}

/// Plays a trace on an agreement of which all files are given.
pub fn play_files(files: &BTreeMap<String, Vec<u8>>, trace: &str) -> (Agreement, Case, Logs) {
    let agreement = Agreement::parse(files).unwrap_or_else(|e| panic!("{e}"));
    let source = format!("```scenario\nstart = \"2026-01-01T00:00:00Z\"\n```\n```trace\n{}\n```\n", trace.trim());
    let case = Case::parse("small", &source).unwrap_or_else(|e| panic!("{e}"));
    let logs = case.play("small", &agreement).unwrap_or_else(|e| panic!("{e}"));
    (agreement, case, logs)
}

/// Plays a trace and judges at each of some hours: `hour[/known by]: line | line`.
#[track_caller]
fn check(rules: &str, trace: &str, expected: &[&str]) {
    check_files(&files(rules), trace, expected);
}

/// The same for an agreement of which all files are given.
#[track_caller]
pub fn check_files(files: &BTreeMap<String, Vec<u8>>, trace: &str, expected: &[&str]) {
    let (agreement, case, logs) = play_files(files, trace);
    for line in expected {
        let (when, verdicts) = line.split_once(": ").unwrap_or((line.trim_end_matches(':'), ""));
        let (as_of, known_by) = when.split_once('/').unwrap_or((when, when));
        let hour = |h: &str| case.start.plus(h.parse::<i64>().unwrap() * 3600);
        let judgment = judge(&agreement, &logs, hour(as_of), hour(known_by)).unwrap();
        let found: Vec<String> =
            case.lines(&judgment).iter().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(found.join(" | "), verdicts, "at {when}");
    }
}

pub const ANSWER: &str = "
commitment C1 : result, severity C
  opens      asked(ask: a, by: x, from: y)
  bearer y   toward x
  must       answered(ask: a, by: y)  within 6 h
  exception  urgent: within 1 h  when asked(ask: a, urgent: true)
  remedy     M1
";

pub const GATE: &str = "
commitment C1 : result, severity B
  opens      shut(who: x, gate: g)
  bearer x
  must       opened(gate: g)  within 12 h
  remedy     M1
";

#[test]
fn an_act_at_the_due_instant_is_in_time() {
    check(
        ANSWER,
        "#1 +0:00 P1 asked(ask: \"A\", from: \"P2\") -- asks
         #2 +6:00 P2 answered(ask: \"A\") -- answers
         #3 +10:00 P1 asked(ask: \"B\", from: \"P2\") -- asks
         #4 +16:00:01 P2 answered(ask: \"B\") -- answers",
        &[
            "5: C1(A, P2) pending due +6:00",
            "6: C1(A, P2) kept margin 0:00",
            "20: C1(A, P2) kept margin 0:00 | C1(B, P2) breached since +16:00",
        ],
    );
}

#[test]
fn an_exception_is_decided_at_the_opening() {
    check(
        ANSWER,
        "#1 +0:00 P1 asked(ask: \"A\", from: \"P2\", urgent: true) -- asks
         #2 +0:00 P1 asked(ask: \"B\", from: \"P2\", urgent: false) -- asks",
        &["0: C1(A, P2) pending due +1:00 | C1(B, P2) pending due +6:00"],
    );
}

#[test]
fn a_withdrawn_request_lapses_from_the_withdrawal_on() {
    let trace = "#1 +0:00 P1 asked(ask: \"A\", from: \"P2\") -- asks
         #2 +3:00 P1 withdrawn() withdraws #1 -- withdraws";
    check(ANSWER, trace, &["2: C1(A, P2) pending due +6:00", "9: C1(A, P2) kept discharged"]);
    // Known later, it ends nothing earlier.
    check(ANSWER, trace, &["2/9: C1(A, P2) pending due +6:00"]);
    check(
        ANSWER,
        "#1 +0:00 P1 asked(ask: \"A\", from: \"P2\") -- asks
         #2 +7:00 P1 withdrawn() withdraws #1 -- withdraws, too late",
        &["9: C1(A, P2) breached since +6:00"],
    );
    check(
        ANSWER,
        "#1 +0:00 P1 asked(ask: \"A\", from: \"P2\") -- asks
         #2 +0:00 P1 asked(ask: \"B\", from: \"P2\") -- asks
         #3 +3:00 P1 withdrawn() withdraws #1,#2 -- withdraws both",
        &["9: C1(A, P2) kept discharged | C1(B, P2) kept discharged"],
    );
    // Nobody takes back what another said.
    check(
        ANSWER,
        "#1 +0:00 P1 asked(ask: \"A\", from: \"P2\") -- asks
         #2 +3:00 P2 withdrawn() withdraws #1 -- tries",
        &["9: C1(A, P2) breached since +6:00"],
    );
}

#[test]
fn what_a_withdrawn_answer_performed_stays() {
    check(
        ANSWER,
        "#1 +0:00 P1 asked(ask: \"A\", from: \"P2\") -- asks
         #2 +3:00 P2 answered(ask: \"A\") -- answers
         #3 +4:00 P2 withdrawn() withdraws #2 -- withdraws",
        &["9: C1(A, P2) kept margin 3:00"],
    );
}

/// R2: the bearer's own word opens when it occurred, anybody else's when it was logged.
#[test]
fn whose_word_opens_a_clock() {
    check(
        GATE,
        "#1 +3:00 P1 shut(who: \"P1\", gate: \"G\") occurred +1:00 -- says that it shut
         #2 +4:00 P2 shut(who: \"P1\", gate: \"G\") occurred +1:00 -- says so too",
        &["5: C1(G, P1) pending due +13:00"],
    );
    check(
        GATE,
        "#1 +3:00 P2 shut(who: \"P1\", gate: \"G\") occurred +1:00 -- says that P1 shut
         #2 +4:00 P1 shut(who: \"P1\", gate: \"G\") occurred +0:00..+1:00 -- admits it, and opens it no earlier",
        &["5: C1(G, P1) pending due +15:00"],
    );
}

/// R4: what nobody admitted is disputed, never breached.
#[test]
fn only_asserted() {
    check(
        GATE,
        "#1 +3:00 P2 shut(who: \"P1\", gate: \"G\") occurred +1:00 -- says that P1 shut",
        &["5: C1(G, P1) pending due +15:00", "15: C1(G, P1) disputed"],
    );
}

/// R2: one's own late word cures nothing; somebody else's, or a corroborated one, does.
#[test]
fn whose_word_performs() {
    let shut = "#1 +0:00 P1 shut(who: \"P1\", gate: \"G\") occurred +0:00 -- shuts\n";
    for (name, more, expected) in [
        ("own, in time", "#2 +9:00 P1 opened(who: \"P1\", gate: \"G\") occurred +8:00 -- says", "kept margin 3:00"),
        ("own, late", "#2 +13:00 P1 opened(who: \"P1\", gate: \"G\") occurred +8:00 -- says", "breached since +12:00"),
        (
            "a guarantor's, late",
            "#2 +13:00 G1 opened(who: \"P1\", gate: \"G\") occurred +8:00 -- says",
            "kept margin 4:00",
        ),
        (
            "own, late, corroborated",
            "#2 +13:00 P1 opened(who: \"P1\", gate: \"G\") occurred +8:00..+10:00 -- says
             #3 +14:00 P2 opened(who: \"P1\", gate: \"G\") occurred +7:00..+9:00 -- says so too",
            "kept margin 3:00",
        ),
        (
            "corroborated in vain: the intervals do not meet",
            "#2 +13:00 P1 opened(who: \"P1\", gate: \"G\") occurred +8:00 -- says
             #3 +20:00 P2 opened(who: \"P1\", gate: \"G\") occurred +15:00 -- says otherwise",
            "breached since +12:00",
        ),
        (
            "corroborated elsewhere",
            "#2 +13:00 P1 opened(who: \"P1\", gate: \"G\") occurred +8:00 at 34.0,71.0 +- 100 -- says
             #3 +14:00 P1 opened(who: \"P1\", gate: \"G\") occurred +8:00 at 35.0,71.0 +- 100 -- says again",
            "breached since +12:00",
        ),
        (
            "withdrawn",
            "#2 +9:00 P1 opened(who: \"P1\", gate: \"G\") occurred +8:00 -- says
             #3 +10:00 P1 withdrawn() withdraws #2 -- takes it back",
            "breached since +12:00",
        ),
        (
            "of the future",
            "#2 +1:00 P1 opened(who: \"P1\", gate: \"G\") occurred +8:00 -- says",
            "breached since +12:00",
        ),
        (
            "a drill",
            "#2 +9:00 P1 opened(who: \"P1\", gate: \"G\") occurred +8:00 drill -- plays",
            "breached since +12:00",
        ),
    ] {
        println!("{name}");
        check(GATE, &format!("{shut}{more}"), &[&format!("30: C1(G, P1) {expected}")]);
    }
}

/// A statement that is contested is only asserted: what it kept is disputed.
#[test]
fn contested() {
    check(
        GATE,
        "#1 +0:00 P1 shut(who: \"P1\", gate: \"G\") occurred +0:00 -- shuts
         #2 +9:00 P1 opened(who: \"P1\", gate: \"G\") occurred +8:00 -- says
         #3 +11:00 P2 contested() answers #2 -- contests it",
        &["10: C1(G, P1) kept margin 3:00", "30: C1(G, P1) disputed"],
    );
}

/// Acts count since the beginning of the trigger, also before the clock opened.
#[test]
fn acts_count_since_the_trigger() {
    check(
        GATE,
        "#1 +5:00 P2 opened(who: \"P1\", gate: \"G\") occurred +4:00 -- says that it opened again
         #2 +6:00 P1 opened(who: \"P1\", gate: \"G\") occurred +4:00 -- says so too
         #3 +7:00 P2 shut(who: \"P1\", gate: \"G\") occurred +3:00..+3:30 -- says that it had shut
         #4 +8:00 P1 shut(who: \"P1\", gate: \"G\") occurred +3:00..+3:30 -- admits it",
        &["9: C1(G, P1) kept margin 15:00"],
    );
}

#[test]
fn several_bearers_and_jointly() {
    let rules = |bearer: &str| {
        format!(
            "commitment C1 : result, severity C\n  opens asked(ask: a, by: x, from: y)\n  bearer {bearer}\n  must answered(ask: a) within 6 h\n  remedy M1\n"
        )
    };
    let trace = "#1 +0:00 P1 asked(ask: \"A\", from: \"P2\") -- asks";
    check(&rules("x, y"), trace, &["1: C1(A, P1) pending due +6:00 | C1(A, P2) pending due +6:00"]);
    check(&rules("jointly x, y"), trace, &["1: C1(A, P1 & P2) pending due +6:00"]);
    check(&rules("lead"), trace, &["1: C1(A, G1) pending due +6:00"]);
}

/// `breached` opens another duty; a duty that opens either way opens once.
#[test]
fn silence_gains_nothing() {
    let rules = "
commitment C1 : result, severity C
  opens asked(ask: a, by: x, from: y)
  bearer y
  must answered(ask: a, by: y) within 6 h
  remedy C2
commitment C2 : result, severity C
  opens (once asked(ask: a, from: y)) and (answered(ask: a, by: y) or breached(C1, a))
  bearer y
  must graded(ask: a, by: y) within 24 h
  remedy M1
";
    check(
        rules,
        "#1 +0:00 P1 asked(ask: \"A\", from: \"P2\") -- asks
         #2 +9:00 P2 answered(ask: \"A\") -- answers late
         #3 +10:00 P1 asked(ask: \"B\", from: \"P2\") -- asks
         #4 +11:00 P2 answered(ask: \"B\") -- answers",
        &[
            "12: C1(A, P2) breached since +6:00 | C1(B, P2) kept margin 5:00 | C2(A, P2) pending due +30:00 | C2(B, P2) pending due +35:00",
        ],
    );
}

#[test]
fn ordered_enumerations() {
    let rules = "
commitment C1 : result, severity C
  opens exists l. (graded(ask: a, by: y, level: l) and l >= \"middle\")
  bearer y
  must answered(ask: a) within 1 h
  remedy M1
";
    check(
        rules,
        "#1 +0:00 P1 graded(ask: \"A\", level: \"low\") -- grades
         #2 +0:00 P1 graded(ask: \"B\", level: \"middle\") -- grades
         #3 +0:00 P1 graded(ask: \"C\", level: \"high\") -- grades
         #4 +0:00 P1 graded(ask: \"D\", level: \"unknown\") -- grades",
        &["0: C1(B, P1) pending due +1:00 | C1(C, P1) pending due +1:00"],
    );
}

/// Every fault of a block is named at once, where it stands.
#[test]
fn diagnostics() {
    let Err(found) = parse(
        "commitment C1 : results, severity D
  opens      asked(ask: a, by: x, frm: y)
  bearer z
  must       answerd(ask: a)  within 6
  remedy     M1
commitment C2 : result, severity C
  opens      graded(ask: a, level: \"hi\") and each
  must       answered(ask: a) within 6 hours
",
    ) else {
        panic!("accepted")
    };
    insta::assert_snapshot!(found, @r#"
    error: commitment C1: found `results`, allowed is conduct, result, prohibition, power, permission
      02-duties.md:4:17
    hint: e.g. `commitment C14 : result, severity C`
    error: commitment C1: found severity `D`, allowed is A, B or C
      02-duties.md:4:35
    hint: e.g. `commitment C14 : result, severity C`
    error: `asked`: found the field `frm`, allowed is ask, from, urgent, by, entry, at
      02-duties.md:5:35
    hint: did you mean `from`?
    error: C1: found the bearer `z`, allowed is one of a, x, y, lead
      02-duties.md:6:10
    hint: a bearer is a variable of `opens`, a role of agreement.toml or a member
    error: found `6` without a unit of time
      02-duties.md:7:38
    hint: durations are written `20 s`, `15 min`, `6 h`, `30 d`
    error: found `must`, allowed is day, week, month, quarter, year or a season of agreement.toml
      02-duties.md:11:3
    hint: e.g. `each day d`, `each quarter q`, `every 12 h from 2026-11-01T00:00:00Z t`
    error: found `hours`, allowed is a unit of time: s, min, h or d
      02-duties.md:11:40
    hint: durations are written `20 s`, `15 min`, `6 h`, `30 d`
    "#);
    let Err(found) = parse(
        "define late(ask: a) when once[1 h, *] asked(ask: a) and not early(ask: a)
define early(ask: a) when not late(ask: a) and asked(ask: a)
commitment C1 : result, severity C
  opens      asked(ask: a, frm: y, urgent: 1) and eventually answered(ask: a)
  bearer z
  must       answerd(ask: a) and graded(ask: a, level: \"hi\") and graded(ask: b, level: a)
  lapses     breached(C9, a)
  exception  quick: for 1 h when news() over slow
  remedy     M1
",
    ) else {
        panic!("accepted")
    };
    insta::assert_snapshot!(found, @r#"
    error: `early` rests on itself: early -> late -> early
      02-duties.md:5:8
    hint: a definition rests only on others
    error: C1: `opens` looks ahead by `eventually`
      02-duties.md:6:12
    hint: a clock opens by what is past; say what is owed in `must`
    error: `asked`: found the field `frm`, allowed is ask, from, urgent, by, entry, at
      02-duties.md:7:28
    hint: did you mean `from`?
    error: `asked`: the field `urgent` is of type bool, found count
      02-duties.md:7:44
    hint: write true or false
    error: C1: found the bearer `z`, allowed is one of a, y, lead
      02-duties.md:8:10
    hint: a bearer is a variable of `opens`, a role of agreement.toml or a member
    error: found `answerd`, which is no kind and not defined
      02-duties.md:9:14
    hint: did you mean `answered`?
    error: `graded`: the field `level`: found "hi", allowed is low, middle, high, unknown
      02-duties.md:9:56
    error: C1: `must` uses the variable `b`, which `opens` does not bind
      02-duties.md:9:78
    hint: write `exists b. (…)`, or leave the field out: then it is some value
    error: `graded`: the field `level` is of type enum:level, the variable `a` of type id
      02-duties.md:9:88
    hint: use another variable
    error: found the commitment `C9`, which has no rule
      02-duties.md:10:23
    hint: did you mean `C1`?
    error: C1: the exception `quick` moves a clock that `must` does not have
      02-duties.md:11:14
    hint: `within` moves `must … within`, `for` moves `must not … for`
    error: the kind `news` is background
      02-duties.md:11:34
    hint: no rule reads it
    error: C1: found `over slow`, which is no other exception here
      02-duties.md:11:46
    "#);
}
