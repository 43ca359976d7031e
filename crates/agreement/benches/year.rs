//! A made-up year of the Accord: judged cold, after one more entry, after the withdrawal of an old one.
//!
//! `cargo bench -p hamsaya-agreement --bench year`; `DAYS=30 PER_DAY=330` for another size. Numbers mean something on a quiet
//! machine only.
#![allow(clippy::unwrap_used)]
use hamsaya_agreement::year::Year;
use hamsaya_agreement::{Agreement, Standing, State, judge_explaining};
use hamsaya_record::logs::{Entry, LoggedAt, Logs};
use hamsaya_record::statement::{Reference, Rel, StatementId};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant as Clock;

fn files(folder: &Path, prefix: &str, into: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            files(&entry.path(), &format!("{name}/"), into);
        } else {
            into.insert(name, std::fs::read(entry.path()).unwrap());
        }
    }
}

fn number(name: &str, default: i64) -> i64 {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// Microseconds of a processor that this thread has had: on a busy machine these tell more than the clock.
fn worked_us() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    stat.split_whitespace().next().and_then(|ns| ns.parse::<u64>().ok()).unwrap_or(0) / 1000
}

/// Most memory that this process has used, in MB.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmHWM")).unwrap_or_default().to_string();
    line.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0) / 1024
}

fn main() {
    let mut all = BTreeMap::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../agreements/hamsaya-accord"), "", &mut all);
    let accord = Agreement::parse(&all).unwrap();
    let year = Year { seed: 7, days: number("DAYS", 365), per_day: number("PER_DAY", 330) as usize };
    let end = year.end(&accord);
    let entries: Vec<(Entry, LoggedAt)> = year.entries(&accord);
    println!("{} entries, {} days", entries.len(), year.days);
    let before = memory();
    let newest: BTreeMap<String, (Entry, LoggedAt)> =
        entries.iter().map(|timed| (timed.0.statement.kind.clone(), timed.clone())).collect();
    let old = entries.iter().find(|(e, _)| e.statement.kind == "ack").map(|(e, _)| e.clone());

    let logs = Logs::with_times(entries);
    let (clock, worked) = (Clock::now(), worked_us());
    let judgment = judge_explaining(&accord, &logs, end, end, |_| false).unwrap();
    println!("cold, without reasons: {} ms, {} us of a processor", clock.elapsed().as_millis(), worked_us() - worked);
    let count = |s| judgment.verdicts.iter().filter(|v| v.state == s).count();
    println!(
        "{} verdicts: {} kept, {} breached, {} pending, {} disputed",
        judgment.verdicts.len(),
        count(State::Kept),
        count(State::Breached),
        count(State::Pending),
        count(State::Disputed)
    );
    println!("most memory: {} MB, of which {before} MB are the entries", memory());

    drop(judgment);
    let mut standing = Standing::new(&accord);
    let (clock, worked) = (Clock::now(), worked_us());
    standing.follow(&logs, end, end).unwrap();
    println!("standing, cold: {} ms, {} us of a processor", clock.elapsed().as_millis(), worked_us() - worked);
    println!("most memory, standing: {} MB", memory());

    let mut logs = logs;
    let mut again = |what: &str, new: Option<(Entry, LoggedAt)>, later_s: i64| {
        logs = logs.with_more(new.into_iter().collect());
        let as_of = end.plus(later_s);
        let (clock, worked) = (Clock::now(), worked_us());
        standing.follow(&logs, as_of, as_of).unwrap();
        let (followed, busy, judged) = (clock.elapsed(), worked_us() - worked, standing.judged());
        let worked = worked_us();
        let grown = standing.judge(&logs, as_of, as_of, |_| false).unwrap();
        let written = worked_us() - worked;
        println!(
            "{what}: {followed:.2?}, {busy} us of a processor, {judged} verdicts made again; \
             all verdicts written down: {written} us more"
        );
        if number("COMPARE", 0) == 1 {
            let whole = judge_explaining(&accord, &logs, as_of, as_of, |_| false).unwrap();
            assert_eq!(grown.digest(), whole.digest());
        }
    };
    let newest = |kind: &str| newest.get(kind).cloned();
    let (Some(fresh), Some(mut withdrawal), Some(old)) = (newest("ack"), newest("withdraw"), old) else {
        println!("a year so short has no acknowledgement or withdrawal to repeat");
        return;
    };
    again("nothing new", None, 0);
    for n in 0..3u8 {
        let mut fresh = fresh.clone();
        fresh.0.statement_id = StatementId([1 + n; 32]);
        fresh.0.index += 1_000_000 + u64::from(n);
        fresh.1 = LoggedAt { lo: end, hi: end };
        again("one new entry (an acknowledgement)", Some(fresh), 0);
    }
    for (n, kind) in [(0, "reading"), (1, "gate_count"), (2, "lodged"), (3, "alert"), (4, "answered")] {
        let Some(mut fresh) = newest(kind) else { continue };
        fresh.0.statement_id = StatementId([10 + n; 32]);
        fresh.0.index += 3_000_000;
        fresh.1 = LoggedAt { lo: end, hi: end };
        again(&format!("one new entry ({kind})"), Some(fresh), 0);
    }
    withdrawal.0.statement.party = old.statement.party.clone();
    withdrawal.0.statement.refs = vec![Reference { rel: Rel::Withdraws, id: old.statement_id }];
    withdrawal.0.statement_id = StatementId([20; 32]);
    withdrawal.0.index += 2_000_000;
    withdrawal.1 = LoggedAt { lo: end, hi: end };
    again("an entry of last year withdrawn", Some(withdrawal), 0);
    again("one second later", None, 1);
    again("one hour later", None, 3_600);
    println!("most memory: {} MB", memory());
}
