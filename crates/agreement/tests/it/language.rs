//! What the language of rules can say beside the plain clock: the calendar, annexes, places, moved clocks, receipts.
use crate::small::{ANSWER, GATE, check_files, files as small_files};
use hamsaya_agreement::{Agreement, judge};
use std::collections::BTreeMap;

const CHARTER: &str = r#"
in_force = "2026-01-01T00:00:00Z"
[season.harvest]
month = 1
day = 3
[[line]]
file = "annexes/line.geojson"
"#;

const KINDS: &str = r#"
[enum.benefit]
values = ["seats", "slots"]
[kind.reported]
act = "notify"
speech = "said"
[kind.reported.fields]
sector = "id"
day = "instant?"
number = "count?"
[kind.suspend]
act = "consent"
speech = "said"
[kind.suspend.fields]
benefit = "enum:benefit"
of = "party"
until = "instant?"
[kind.extend]
act = "consent"
speech = "said"
[kind.extend.fields]
commitment = "text"
part = "text?"
instance = "id?"
bearer = "party"
due = "instant"
[kind.toll]
act = "request"
speech = "said"
[kind.toll.fields]
toll = "id"
commitment = "text"
instance = "id?"
bearer = "party"
from = "instant"
to = "instant"
[kind.tolerate]
act = "answer"
speech = "said"
[kind.tolerate.fields]
toll = "id"
[kind.call]
act = "observe"
speech = "seen"
actor = "caller"
id = ["call"]
[kind.call.fields]
call = "id"
caller = "party"
called = "party"
[kind.built]
act = "observe"
speech = "seen"
harms = true
actor = "who"
id = ["works"]
[kind.built.fields]
works = "id"
who = "party"
"#;

const TERMS: &str = r#"
```accord
define by_both(entry: e) when
  exists p, q. (signed(entry: e, by: p) and signed(entry: e, by: q) and counterparty(party: p, of: q))
define extended(entry: e) when once (extend(entry: e) and by_both(entry: e))
define tolled(entry: e, accepted: a) when
  exists i, p, q. ((once (tolerate(entry: a, toll: i, by: q) and once[0 s, 48 h] toll(entry: e, toll: i, by: p)))
    and counterparty(party: q, of: p))
define paired(entry: e, other: o) when
  exists p, q. (((once same(entry: e, other: o)) or (once confirms(entry: o, target: e)) or (once confirms(entry: e, target: o)))
    and (once author(entry: e, by: p)) and (once author(entry: o, by: q)) and p != q)
define suspended(benefit: b, party: x) when
  exists e. ((not withdraws(target: e)) since[0 s, *] suspend(entry: e, benefit: b, of: x))
```
"#;

const SECTORS: &str = r#"
[columns.sector]
id = "id"
of = "party"
quiet = "bool?"
[[sector]]
id = "north"
of = "P1"
[[sector]]
id = "south"
of = "P2"
quiet = true
[columns.feast]
day = "instant"
[[feast]]
day = 2026-01-03T00:00:00Z
[columns.post]
name = "text"
[[post]]
name = "tower"
lat_e7 = 340_000_000
lon_e7 = 710_000_000
"#;

const LINE: &str = r#"{"type":"Feature","geometry":{"type":"LineString","coordinates":[[70.0,35.0],[72.0,35.0]]}}"#;

fn files(rules: &str) -> BTreeMap<String, Vec<u8>> {
    let mut files = small_files(rules);
    // A table of TOML ends where the next begins: what stands above all tables goes first.
    let (above, tables) = CHARTER.split_at(CHARTER.find("[season").unwrap());
    let charter = String::from_utf8(files["agreement.toml"].clone()).unwrap();
    files.insert("agreement.toml".into(), format!("{above}{charter}{tables}").into_bytes());
    for (name, more) in [("annexes/kinds.toml", KINDS), ("01-terms.md", TERMS)] {
        files.get_mut(name).unwrap().extend(more.bytes());
    }
    files.insert("annexes/sectors.toml".into(), SECTORS.into());
    files.insert("annexes/line.geojson".into(), LINE.into());
    files
}

#[track_caller]
fn check(rules: &str, trace: &str, expected: &[&str]) {
    check_files(&files(rules), trace, expected);
}

#[track_caller]
fn refused(rules: &str, expected: &str) {
    refused_files(&files(rules), expected);
}

#[track_caller]
fn refused_files(files: &BTreeMap<String, Vec<u8>>, expected: &str) {
    let Err(found) = Agreement::parse(files) else { panic!("accepted, expected: {expected}") };
    assert_eq!(found.0.iter().map(|d| d.message.as_str()).collect::<Vec<_>>().join(" | "), expected);
}

fn duty(opens: &str, must: &str) -> String {
    format!("commitment C1 : result, severity C\n  opens {opens}\n  bearer x\n  must {must}\n  remedy M1\n")
}

#[test]
fn the_calendar_opens_clocks() {
    let daily =
        duty("each day d and once asked() and sector(id: s, of: x)", "reported(sector: s, day: d, by: x) within 6 h");
    let trace = "#1 +0:00:01 P1 asked(ask: \"A\", from: \"P2\") -- from here on
         #2 +29:00 P1 reported(sector: \"north\", day: @+24:00) -- reports
         #3 +54:00:01 P2 reported(sector: \"south\", day: @+48:00) -- reports a second late";
    check(
        &daily,
        trace,
        &[
            "23:",
            "24: C1(2026-01-02, north, P1) pending due +30:00 | C1(2026-01-02, south, P2) pending due +30:00",
            "55: C1(2026-01-02, north, P1) kept margin 1:00 | C1(2026-01-02, south, P2) breached since +30:00 | C1(2026-01-03, north, P1) breached since +54:00 | C1(2026-01-03, south, P2) breached since +54:00",
        ],
    );
    // A season is the year in which it begins; numbers are what statements say.
    let yearly =
        duty("each harvest y and sector(id: s, of: x, quiet: true)", "reported(sector: s, number: y) within 1 h");
    check(
        &yearly,
        "#1 +48:30 P2 reported(sector: \"south\", number: 2026) -- reports",
        &["50: C1(2026, south, P2) kept margin 0:30"],
    );
    let ticking = duty("every 12 h from 2026-01-01T06:00:00Z t and party(party: x)", "reported(by: x) within 1 h");
    check(
        &ticking,
        "#1 +0:00 P1 asked(ask: \"A\", from: \"P2\") -- asks",
        &["6: C1(2026-01-01T06:00Z, P1) pending due +7:00 | C1(2026-01-01T06:00Z, P2) pending due +7:00"],
    );
    // Ticks end at the instant judged; the next one is known.
    let (agreement, case, logs) = crate::small::play_files(&files(&daily), trace);
    let at = case.start.plus(30 * 3600);
    let judgment = judge(&agreement, &logs, at, at).unwrap();
    assert_eq!(judgment.next_tick, Some(case.start.plus(48 * 3600)));
}

#[test]
fn a_calendar_needs_a_beginning_and_its_words() {
    refused(
        &duty("each ramp d and party(party: x)", "reported(by: x) within 6 h"),
        "found `each ramp`, allowed is day, week, month, quarter, year, harvest",
    );
    refused(&duty("asked(by: x)", "each day within 6 h"), "C1: found a tick outside `opens`");
    refused(
        &duty("every 1 s from 2026-01-01T00:00:00Z and party(party: x)", "reported(by: x) within 6 h"),
        "found a tick of less than a minute",
    );
    refused_files(
        &small_files(&duty("each day d and party(party: x)", "answered(by: x) within 6 h")),
        "found a tick, and nothing from which the calendar counts",
    );
}

#[test]
fn annexes_are_facts_and_are_checked() {
    let not_on_feasts = format!(
        "{}  exception feast: none when feast(day: d)\n",
        duty("each day d and sector(id: s, of: x, quiet: true)", "reported(sector: s) within 6 h")
            .replace("  remedy M1\n", "")
    ) + "  remedy M1\n";
    check(
        &not_on_feasts,
        "#1 +0:00 P1 asked(ask: \"A\", from: \"P2\") -- asks",
        &["49: C1(2026-01-01, south, P2) breached since +6:00 | C1(2026-01-02, south, P2) breached since +30:00"],
    );
    for (annex, expected) in [
        (
            "[columns.sector]\nid = \"ident\"\n",
            "columns.sector: column `id`: found the type `ident`, allowed is id, party, instant, duration, count, enum:<name>, text or bool",
        ),
        ("[columns.sector]\nid = \"id\"\n[[sector]]\n", "sector: found no `id`"),
        (
            "[columns.sector]\nof = \"party\"\n[[sector]]\nof = \"P9\"\n",
            "sector: `of`: found the text \"P9\", allowed is party",
        ),
        ("[columns.shut]\nid = \"id\"\n", "columns.shut: `shut` is a kind of the annex or a word of the record"),
        ("[columns.party]\nid = \"id\"\n", "columns.party: `party` is a kind of the annex or a word of the record"),
    ] {
        let mut files = small_files(ANSWER);
        files.insert("annexes/sectors.toml".into(), annex.into());
        refused_files(&files, expected);
    }
}

#[test]
fn two_grounds_are_one_instance() {
    let rules = |over: &str| {
        format!(
            "commitment C1 : result, severity C\n  opens asked(ask: a, by: x, from: y)\n  bearer y\n  must answered(ask: a, by: y) within 6 h\n  exception urgent: within 1 h when asked(ask: a, urgent: true)\n  exception ours: within 9 h when asked(ask: a, by: \"P1\") {over}\n  remedy M1\n"
        )
    };
    let trace = "#1 +0:00 P1 asked(ask: \"A\", from: \"P2\", urgent: true) -- both grounds
         #2 +0:00 P1 asked(ask: \"B\", from: \"P2\") -- one
         #3 +0:00 P2 asked(ask: \"C\", from: \"P1\") -- none";
    // The first in the text wins, unless the other is over it.
    check(
        &rules(""),
        trace,
        &["0: C1(A, P2) pending due +1:00 | C1(B, P2) pending due +9:00 | C1(C, P1) pending due +6:00"],
    );
    check(
        &rules("over urgent"),
        trace,
        &["0: C1(A, P2) pending due +9:00 | C1(B, P2) pending due +9:00 | C1(C, P1) pending due +6:00"],
    );
    refused(
        &rules("over urgent").replace("urgent: true)\n", "urgent: true) over ours\n"),
        "C1: exceptions are over each other in a circle",
    );
    // A ground that lifts the duty comes first, wherever it stands.
    let none = rules("").replace("  remedy", "  exception lifted: none when asked(ask: a, urgent: true)\n  remedy");
    check(&none, trace, &["0: C1(B, P2) pending due +9:00 | C1(C, P1) pending due +6:00"]);
    check(
        &none.replace("urgent: true)\n  exception ours", "urgent: true) over lifted\n  exception ours"),
        trace,
        &["0: C1(A, P2) pending due +1:00 | C1(B, P2) pending due +9:00 | C1(C, P1) pending due +6:00"],
    );
}

#[test]
fn a_suspended_benefit() {
    let rules = duty("asked(ask: a, from: x)", "answered(ask: a) within 6 h")
        .replace("  remedy", "  exception suspended: none when suspended(\"seats\", x)\n  remedy");
    check(
        &rules,
        "#1 +1:00 P1 suspend(benefit: \"seats\", of: \"P2\") -- suspends
         #2 +2:00 P1 asked(ask: \"A\", from: \"P2\") -- asks
         #3 +2:00 P2 asked(ask: \"B\", from: \"P1\") -- asks
         #4 +3:00 P1 withdrawn() withdraws #1 -- resumes
         #5 +4:00 P1 asked(ask: \"C\", from: \"P2\") -- asks again",
        &["4: C1(B, P1) pending due +8:00 | C1(C, P2) pending due +10:00"],
    );
    refused(
        &rules.replace("\"seats\"", "\"food\""),
        "`suspended`: the field `benefit`: found \"food\", allowed is seats, slots",
    );
}

#[test]
fn an_instant_that_a_statement_names() {
    let rules = duty("suspend(benefit: b, of: x, until: t) and asked(from: x)", "reached(t)").replace(
        "opens suspend(benefit: b, of: x, until: t) and asked(from: x)",
        "opens asked(from: x) and exists b, t. ((once suspend(benefit: b, of: x, until: t)) and not reached(t + 1 h))",
    );
    let rules = rules.replace("must reached(t)", "must reported(by: x) within 6 h");
    check(
        &rules,
        "#1 +0:00 P1 suspend(benefit: \"seats\", of: \"P2\", until: @+5:00) -- suspends
         #2 +5:59:59 P1 asked(ask: \"A\", from: \"P2\") -- asks before its end
         #3 +6:00 P1 asked(ask: \"B\", from: \"P2\") -- asks after it",
        &["7: C1(P2) pending due +11:59:59"],
    );
}

/// A place counts by its nearest possible point; one that is not stated is not far.
#[test]
fn places() {
    let rules = duty("built(works: w, who: x)", "reported(by: x) within 6 h").replace(
        "  remedy",
        "  exception far: none when exists p. ((once built(works: w, at: p)) and distance_m(p, line) > 1000 and distance_m(p, post) > 500)\n  remedy",
    );
    check(
        &rules,
        "#1 +0:00 P1 built(works: \"near\", who: \"P1\") occurred +0:00 at 35.0089,71.0 +- 0 -- 990 m from the line
         #2 +0:00 P1 built(works: \"far\", who: \"P1\") occurred +0:00 at 35.0091,71.0 +- 0 -- 1,012 m
         #3 +0:00 P1 built(works: \"vague\", who: \"P1\") occurred +0:00 at 35.02,71.0 +- 2000 -- perhaps 224 m
         #4 +0:00 P1 built(works: \"post\", who: \"P1\") occurred +0:00 at 34.001,71.0 +- 0 -- 111 m from the post
         #5 +0:00 P1 built(works: \"nowhere\", who: \"P1\") occurred +0:00 -- no place is stated",
        &[
            "1: C1(near, P1) pending due +6:00 | C1(nowhere, P1) pending due +6:00 | C1(post, P1) pending due +6:00 | C1(vague, P1) pending due +6:00",
        ],
    );
    let sized =
        duty("exists p. (asked(ask: a, from: x, at: p) and extent_m(p) <= 5000)", "answered(ask: a) within 6 h");
    check(
        &sized,
        "#1 +0:00 P1 asked(ask: \"A\", from: \"P2\") box 34.0,71.0,34.03,71.03 -- 4.3 km across
         #2 +0:00 P1 asked(ask: \"B\", from: \"P2\") box 34.0,71.0,34.05,71.05 -- 7.2 km across
         #3 +0:00 P1 asked(ask: \"C\", from: \"P2\") -- nowhere",
        &["1: C1(A, P2) pending due +6:00"],
    );
    refused(
        &duty(
            "exists p, q. (built(works: w, who: x, at: p) and asked(at: q) and distance_m(p, q) < 5)",
            "reported() within 1 h",
        ),
        "found the distance to `q`, allowed is one of post, line",
    );
    refused(
        &duty("exists p. (built(works: w, who: x, at: p) and distance_m(p, line) + 5 < 9)", "reported() within 1 h"),
        "found a calculation with metres",
    );
}

const ASKED: &str = "#1 +0:00 P1 asked(ask: \"A\", from: \"P2\") -- asks\n";

#[test]
fn an_extension_moves_the_clock() {
    let extend = |hour: &str, due: &str, by: &str| {
        format!(
            "#2 {hour} P1 extend(commitment: \"C1\", instance: \"A\", bearer: \"P2\", due: @{due}) by {by} -- extends\n"
        )
    };
    let check = |more: &str, expected: &[&str]| check(ANSWER, &format!("{ASKED}{more}"), expected);
    check(
        &extend("+5:00", "+20:00", "P1,P2"),
        &[
            "4: C1(A, P2) pending due +6:00",
            "5: C1(A, P2) pending due +20:00",
            "21: C1(A, P2) breached since +20:00",
            // Known later, it moves nothing before it was logged.
            "4/21: C1(A, P2) pending due +6:00",
        ],
    );
    check(
        &(extend("+5:00", "+20:00", "P1,P2") + "#3 +19:00 P2 answered(ask: \"A\") -- answers"),
        &["21: C1(A, P2) kept margin 1:00"],
    );
    check(&extend("+5:00", "+20:00", "P1"), &["21: C1(A, P2) breached since +6:00"]);
    check(&extend("+6:00:01", "+20:00", "P1,P2"), &["21: C1(A, P2) breached since +6:00"]);
    check(&extend("+6:00", "+20:00", "P1,P2"), &["21: C1(A, P2) breached since +20:00"]);
    // It names one instance.
    check(&extend("+5:00", "+20:00", "P1,P2").replace("\"A\"", "\"B\""), &["21: C1(A, P2) breached since +6:00"]);
    check(
        &extend("+5:00", "+20:00", "P1,P2").replace("\"P2\", due", "\"P1\", due"),
        &["21: C1(A, P2) breached since +6:00"],
    );
}

#[test]
fn a_toll_moves_the_clock_by_its_length() {
    let toll = |asked: &str, accepted: &str, by: &str, from: &str, to: &str| {
        format!(
            "#2 {asked} P2 toll(toll: \"T\", commitment: \"C1\", instance: \"A\", bearer: \"P2\", from: @{from}, to: @{to}) to P1 -- asks to stop the clock
             #3 {accepted} {by} tolerate(toll: \"T\") answers #2 -- accepts\n"
        )
    };
    let check = |more: &str, expected: &[&str]| check(ANSWER, &format!("{ASKED}{more}"), expected);
    check(
        &toll("+3:00", "+4:00", "P1", "+1:00", "+3:00"),
        &["3: C1(A, P2) pending due +6:00", "4: C1(A, P2) pending due +8:00", "9: C1(A, P2) breached since +8:00"],
    );
    // Accepted after the due instant, within 48 h: breached in between.
    check(
        &toll("+5:00", "+7:00", "P1", "+1:00", "+5:00"),
        &["6: C1(A, P2) breached since +6:00", "7: C1(A, P2) pending due +10:00"],
    );
    check(&toll("+5:00", "+53:00:01", "P1", "+1:00", "+5:00"), &["60: C1(A, P2) breached since +6:00"]);
    check(&toll("+5:00", "+7:00", "P2", "+1:00", "+5:00"), &["9: C1(A, P2) breached since +6:00"]);
}

/// A duty that opens by a breach does not open when the clock was moved, and its own clock can be.
#[test]
fn what_rests_on_a_moved_clock_follows() {
    let rules = format!(
        "{ANSWER}commitment C2 : result, severity C
  opens (once asked(ask: a, from: y)) and breached(C1, a)
  bearer y
  must graded(ask: a) within 10 h
  remedy M1
"
    );
    let extend = |n: u8, hour: &str, commitment: &str, due: &str| {
        format!(
            "#{n} {hour} P1 extend(commitment: \"{commitment}\", instance: \"A\", bearer: \"P2\", due: @{due}) by P1,P2 -- extends\n"
        )
    };
    let moved = extend(2, "+5:00", "C1", "+20:00");
    check(
        &rules,
        &format!("{ASKED}{moved}"),
        &["10: C1(A, P2) pending due +20:00", "21: C1(A, P2) breached since +20:00 | C2(A, P2) pending due +30:00"],
    );
    let both = format!("{ASKED}{moved}{}", extend(3, "+25:00", "C2", "+50:00"));
    check(&rules, &both, &["40: C1(A, P2) breached since +20:00 | C2(A, P2) pending due +50:00"]);
    // The extension of what opened at H 6 would have been too late for what opens at H 20, and the other way round.
    let late = format!("{ASKED}{moved}{}", extend(3, "+17:00", "C2", "+50:00"));
    check(&rules, &late, &["40: C1(A, P2) breached since +20:00 | C2(A, P2) breached since +30:00"]);
}

/// The clock runs from the opening, also where acts count since an earlier trigger.
#[test]
fn a_clock_that_opened_after_its_trigger_moves_from_its_opening() {
    check(
        GATE,
        "#1 +3:00 P2 shut(who: \"P1\", gate: \"G\") occurred +1:00 -- says that P1 shut
         #2 +4:00 P1 shut(who: \"P1\", gate: \"G\") occurred +1:00 -- admits it
         #3 +5:00 P1 extend(commitment: \"C1\", instance: \"G\", bearer: \"P1\", due: @+20:00) by P1,P2 -- extends
         #4 +6:00 P1 extend(commitment: \"C1\", instance: \"G\", bearer: \"P1\", due: @+15:00) by P1,P2 -- sets it back",
        &["4: C1(G, P1) pending due +15:00", "5: C1(G, P1) pending due +20:00", "6: C1(G, P1) pending due +15:00"],
    );
}

/// Explanations name the extension; a change names it as its reason.
#[test]
fn a_moved_clock_is_explained() {
    let trace = format!(
        "{ASKED}#2 +5:00 P1 extend(commitment: \"C1\", instance: \"A\", bearer: \"P2\", due: @+20:00) by P1,P2 -- extends"
    );
    let (agreement, case, logs) = crate::small::play_files(&files(ANSWER), &trace);
    let at = |h: i64| judge(&agreement, &logs, case.start.plus(h * 3600), case.start.plus(h * 3600)).unwrap();
    let kinds = |cites: &[hamsaya_agreement::Cite]| cites.iter().map(|c| c.kind.clone()).collect::<Vec<_>>().join(" ");
    assert_eq!(kinds(&at(9).verdicts[0].reasons.opened_by), "asked extend");
    let changes = at(5).changes_since(&at(4));
    let hamsaya_agreement::Because::Entries(because) = &changes[0].because else { panic!("{changes:?}") };
    assert!(kinds(because).contains("extend"), "{because:?}");
}

/// R2: in a clock by receipt what both ends have logged counts at the later time of stating.
#[test]
fn receipts() {
    let rules = |receipt: &str| {
        format!(
            "commitment C1 : result, severity C\n  opens asked(ask: a, by: x, from: y)\n  bearer y\n  must answered(ask: a, by: y) within 15 min {receipt}\n  remedy M1\n"
        )
    };
    let trace = "#1 +0:00 P1 asked(ask: \"A\", from: \"P2\") -- asks
         #2 +3:00 P2 answered(ask: \"A\") stated +0:10 -- says that it answered at 0:10; logged at 3:00
         #3 +4:00 P1 graded(ask: \"A\", level: \"high\") stated +0:12 confirms #2 -- says that it heard so at 0:12";
    check(&rules(""), trace, &["5: C1(A, P2) breached since +0:15"]);
    check(&rules("by receipt"), trace, &["3: C1(A, P2) breached since +0:15", "5: C1(A, P2) kept margin 0:03"]);
    // One's own two statements are no pair; nor is a time of stating after the logging.
    check(&rules("by receipt"), &trace.replace("+4:00 P1", "+4:00 P2"), &["5: C1(A, P2) breached since +0:15"]);
    check(&rules("by receipt"), &trace.replace("stated +0:12", "stated +4:01"), &["5: C1(A, P2) breached since +0:15"]);
    // A pair opens a clock, too: both ends stated the call by 0:04.
    let calls = "commitment C1 : result, severity C\n  opens call(call: i, caller: x, called: y)\n  bearer y\n  must answered(ask: i) within 15 min by receipt\n  remedy M1\n";
    check(
        calls,
        "#1 +1:00 P1 call(call: \"H\", caller: \"P1\", called: \"P2\") occurred +0:00 stated +0:03 -- states its call
         #2 +2:00 P2 call(call: \"H\", caller: \"P1\", called: \"P2\") occurred +0:00 stated +0:04 -- states it too",
        &["1: C1(H, P2) pending due +1:15", "2: C1(H, P2) breached since +0:19"],
    );
    refused_files(
        &small_files(&rules("by receipt")),
        "C1: found `by receipt`, and nothing that says what a receipt is",
    );
}

#[test]
fn what_is_absent_is_asked_first() {
    let mut files = small_files(ANSWER);
    let terms = "\n```accord\ndefine absent(entry: e) when exists o. once same(entry: e, other: o)\n```\n";
    files.get_mut("01-terms.md").unwrap().extend(terms.bytes());
    refused_files(&files, "`absent` reads `same`, which is asked of statements that are not absent");
}

/// A flood of moves that name nothing moves nothing.
#[test]
fn other_clocks_stay() {
    check(
        GATE,
        "#1 +0:00 P1 shut(who: \"P1\", gate: \"G\") occurred +0:00 -- shuts
         #2 +1:00 P1 extend(commitment: \"C9\", instance: \"G\", bearer: \"P1\", due: @+90:00) by P1,P2 -- extends what is not there
         #3 +1:00 P1 extend(commitment: \"C1\", part: \"x\", instance: \"G\", bearer: \"P1\", due: @+90:00) by P1,P2 -- a part that is not there",
        &["13: C1(G, P1) breached since +12:00"],
    );
}
