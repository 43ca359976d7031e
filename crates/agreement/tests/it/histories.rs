//! Random histories: the judgment is a function of the set of what is known, and what grows is judged like what was whole.
//!
//! `HAMSAYA_HISTORIES=10000 cargo test -p hamsaya-agreement --test it histories` for as many as one likes.
use crate::accord;
use crate::small::{ANSWER, GATE, parse};
use hamsaya_agreement::case::Case;
use hamsaya_agreement::year::{Chance, Year};
use hamsaya_agreement::{Agreement, Standing, State, judge_explaining};
use hamsaya_record::Instant;
use hamsaya_record::logs::{Entry, LoggedAt, Logs};

type Timed = Vec<(Entry, LoggedAt)>;

/// Some hours of two parties and a guarantor: asked, answered, shut, opened, graded, taken back, contested; some of it late.
fn small_history(agreement: &Agreement, chance: &mut Chance) -> (Timed, Instant, i64) {
    let mut rows: Vec<[u64; 7]> =
        (0..1 + chance.below(14)).map(|_| [30, 3, 8, 3, 2, 6, 1 << 20].map(|n| chance.below(n))).collect();
    rows.sort();
    let mut text = String::new();
    for (n, [hour, log, kind, who, id, ago, target]) in rows.iter().enumerate() {
        let party = |n: &u64| ["P1", "P2", "G1"][*n as usize];
        let (log, who, id) = (party(log), party(who), ["A", "B"][*id as usize]);
        let seen = format!("occurred {:+}:00", *hour as i64 - *ago as i64);
        let to = (n > 0).then(|| format!("#{}", target % n as u64 + 1));
        let said = match (kind, &to) {
            (0, _) => format!("asked(ask: \"{id}\", from: \"{who}\", urgent: {})", target % 2 == 0),
            (1, _) => format!("answered(ask: \"{id}\")"),
            (2, _) => format!("shut(who: \"{who}\", gate: \"{id}\") {seen}"),
            (3 | 4, _) => format!("opened(who: \"{who}\", gate: \"{id}\") {seen}"),
            (5, _) => format!("graded(ask: \"{id}\", level: \"high\")"),
            (6, Some(to)) => format!("withdrawn() withdraws {to}"),
            (_, to) => format!("contested() {}", to.as_ref().map(|t| format!("answers {t}")).unwrap_or_default()),
        };
        text += &format!("#{} +{hour}:00 {log} {said} -- row\n", n + 1);
    }
    let source = format!("```scenario\nstart = \"2026-01-01T00:00:00Z\"\n```\n```trace\n{text}```\n");
    let case = Case::parse("history", &source).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let logs = case.play("history", agreement).unwrap_or_else(|e| panic!("{e}\n{text}"));
    (timed(&logs), case.start, 40)
}

fn timed(logs: &Logs) -> Timed {
    let at = |n| logs.logged_at(n, Instant(i64::MAX)).unwrap();
    logs.entries().iter().enumerate().map(|(n, e)| (Entry::clone(e), at(n))).collect()
}

fn shuffled(entries: &Timed, chance: &mut Chance) -> Timed {
    let mut all = entries.clone();
    for n in (1..all.len()).rev() {
        all.swap(n, chance.below(n as u64 + 1) as usize);
    }
    all
}

/// What the good cases of the Accord tell, and how many hours that takes.
fn literate(accord: &Agreement) -> Vec<(Timed, Instant, i64)> {
    let told = crate::cases::pages("cases/good").into_iter().filter_map(|page| {
        let source = std::fs::read_to_string(page).ok()?;
        let case = Case::parse("case", &source).ok()?;
        let entries = timed(&case.play("case", accord).ok()?);
        let last = entries.iter().map(|(_, at)| at.hi).max()?;
        Some((entries, case.start, 1 + (last.0 - case.start.0) / 3_600 + 200))
    });
    let all: Vec<_> = told.collect();
    let kinds = |kind: &str| all.iter().flat_map(|(entries, ..)| entries).any(|(e, _)| e.statement.kind == kind);
    assert!(["withdraw", "contested", "consent", "extend", "toll_accepted"].into_iter().all(kinds));
    all
}

/// Checks one history; gives how many verdicts were seen in each state.
fn hold(
    agreement: &Agreement,
    entries: &Timed,
    start: Instant,
    hours: i64,
    chance: &mut Chance,
    seen: &mut [usize; 4],
) {
    let hour = |chance: &mut Chance| start.plus(chance.below(hours as u64) as i64 * 3_600);
    let (as_of, known_by) = (hour(chance), hour(chance));
    let judge = |entries: &Timed, as_of, known_by| {
        judge_explaining(agreement, &Logs::with_times(entries.clone()), as_of, known_by, |_| false).unwrap()
    };
    // Any order of arrival, with everything known and with a part of it.
    for known_by in [known_by, start.plus(hours * 3_600)] {
        let (one, other) = (judge(entries, as_of, known_by), judge(&shuffled(entries, chance), as_of, known_by));
        assert_eq!(one.digest(), other.digest());
        assert_eq!(one.verdicts, other.verdicts);
        for v in &one.verdicts {
            let state =
                [State::Kept, State::Breached, State::Pending, State::Disputed].iter().position(|s| *s == v.state);
            seen[state.unwrap()] += 1;
        }
    }
    // In batches, in any order, while the clock runs on or, now and then, back. Some entries are timed otherwise for a while,
    // some so that nobody can say when they came, some go again.
    let mut standing = Standing::new(agreement);
    let (mut arriving, mut here) = (shuffled(entries, chance), Timed::new());
    let mut at = start;
    while !arriving.is_empty() {
        let batch = 1 + chance.below(1 + entries.len() as u64 / 3) as usize;
        here.extend(arriving.drain(..batch.min(arriving.len())));
        let mut passing = here.clone();
        for _ in 0..chance.below(3) {
            let n = chance.below(passing.len() as u64) as usize;
            if passing.len() > 1 && chance.below(4) == 0 {
                passing.swap_remove(n);
                continue;
            }
            let time = &mut passing[n].1;
            match chance.below(3) {
                0 => time.hi = time.hi.plus(chance.below(9) as i64 * 3_600),
                1 => time.lo = time.lo.plus(-(chance.below(9) as i64) * 3_600),
                _ => time.lo = time.hi.plus(chance.below(9) as i64 * 3_600),
            }
        }
        for now in [&passing, &here] {
            at = if chance.below(8) == 0 { hour(chance) } else { at.plus(chance.below(9) as i64 * 3_600) };
            let known_by = if chance.below(3) == 0 { hour(chance) } else { start.plus(hours * 3_600) };
            let grown = standing.judge(&Logs::with_times(now.clone()), at, known_by, |_| false).unwrap();
            let whole = judge(now, at, known_by);
            assert_eq!(grown.verdicts, whole.verdicts);
            assert_eq!(grown.digest(), whole.digest());
        }
    }
}

#[test]
fn permuted_and_grown() {
    let count: u64 = std::env::var("HAMSAYA_HISTORIES").ok().and_then(|n| n.parse().ok()).unwrap_or(100);
    let small = parse(&format!("{ANSWER}{}", GATE.replace("C1", "C2"))).unwrap();
    let accord = accord();
    let mut seen = [0; 4];
    let literate = literate(&accord);
    for seed in 0..count {
        let mut chance = Chance(seed);
        // Most are short; one in twenty-five is two days of the Accord, and one a literate case: some contest, consent, extend
        // or toll.
        if seed % 25 == 12 {
            let (entries, start, hours) = &literate[chance.below(literate.len() as u64) as usize];
            hold(&accord, entries, *start, *hours, &mut chance, &mut seen);
        } else if seed % 25 == 24 {
            let year = Year { seed, days: 2, per_day: 60 };
            let start = accord.in_force().unwrap();
            hold(&accord, &year.entries(&accord), start, 96, &mut chance, &mut seen);
        } else {
            let (entries, start, hours) = small_history(&small, &mut chance);
            hold(&small, &entries, start, hours, &mut chance, &mut seen);
        }
    }
    eprintln!("{count} histories: {} kept, {} breached, {} pending, {} disputed", seen[0], seen[1], seen[2], seen[3]);
    assert!(count < 100 || seen.iter().all(|n| *n > 0), "{seen:?}");
}

/// A moved clock, seen growing.
#[test]
fn a_moved_clock_grows() {
    let source = std::fs::read_to_string(crate::agreements().join("cases/good/golden-scenario.md")).unwrap();
    let case = Case::parse("golden", &source).unwrap();
    let accord = accord();
    let entries = timed(&case.play("golden", &accord).unwrap());
    let mut standing = Standing::new(&accord);
    for n in (1..=entries.len()).step_by(3).chain([entries.len()]) {
        let logs = Logs::with_times(entries[..n].to_vec());
        let at = case.start.plus(n as i64 * 20 * 3_600);
        let (grown, whole) = (
            standing.judge(&logs, at, at, |_| true).unwrap(),
            judge_explaining(&accord, &logs, at, at, |_| true).unwrap(),
        );
        assert_eq!(grown.digest(), whole.digest());
        for (a, b) in grown.verdicts.iter().zip(&whole.verdicts) {
            assert_eq!((&a.label, a.state, &a.reasons.because), (&b.label, b.state, &b.reasons.because));
        }
    }
    // Nothing new, no time passed: nothing is judged.
    let logs = Logs::with_times(entries);
    let at = case.start.plus(700 * 3_600);
    standing.judge(&logs, at, at, |_| false).unwrap();
    standing.judge(&logs, at, at, |_| false).unwrap();
    assert!(standing.judged() < 5, "{}", standing.judged());
}
