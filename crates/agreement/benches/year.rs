//! A made-up year of the Accord: judged cold, after one more entry, after the withdrawal of an old one.
//!
//! `cargo bench -p hamsaya-agreement --bench year`; `DAYS=30 PER_DAY=330` for another size. Numbers mean something on a quiet
//! machine only.
#![allow(clippy::unwrap_used)]
use hamsaya_agreement::year::Year;
use hamsaya_agreement::{Agreement, Standing, State, judge_explaining};
use hamsaya_record::instant::Instant as RecordInstant;
use hamsaya_record::logs::{Entry, LoggedAt, Logs};
use hamsaya_record::statement::{Reference, Rel, StatementId};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant as Clock};

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

/// What one kind of change cost, each time.
#[derive(Default)]
struct Cost {
    walls: Vec<Duration>,
    worked_us: u64,
    judged: usize,
}

impl Cost {
    fn print(mut self, what: &str) {
        self.walls.sort();
        let Some(most) = self.walls.last() else { return };
        let (times, at) = (self.walls.len(), |percent: usize| self.walls[self.walls.len() * percent / 100]);
        println!(
            "{what}, {times} times: {:.2?} median, {:.2?} p90, {most:.2?} most; {} us of a processor on average; {} verdicts made again",
            at(50),
            at(90),
            self.worked_us / times as u64,
            self.judged
        );
    }
}

fn main() {
    let mut all = BTreeMap::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../agreements/hamsaya-accord"), "", &mut all);
    let accord = Agreement::parse(&all).unwrap();
    let days = number("DAYS", 365);
    let per_day = number("PER_DAY", 330) as usize;
    let end = Year { seed: 7, days, per_day }.end(&accord);
    let after = number("AFTER", 1);
    // A year, and the day after it, or several.
    let (entries, next): (Vec<_>, Vec<_>) =
        Year { seed: 7, days: days + after, per_day }.entries(&accord).into_iter().partition(|(_, at)| at.hi <= end);
    let next: Vec<(Entry, LoggedAt)> = next.into_iter().filter(|(_, at)| at.hi <= end.plus(after * 86_400)).collect();
    println!("{} entries, {days} days", entries.len());
    let before = memory();
    let withdrawal = entries.iter().rev().find(|(e, _)| e.statement.kind == "withdraw").cloned();
    let mut olds: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
    for (entry, _) in &entries {
        let olds = olds.entry(entry.statement.kind.clone()).or_default();
        if olds.len() < 20 {
            olds.push(entry.clone());
        }
    }

    let mut logs = Logs::with_times(entries);
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

    let mut follow = |cost: &mut Cost, logs: &Logs, as_of: RecordInstant| {
        let (clock, worked) = (Clock::now(), worked_us());
        standing.follow(logs, as_of, as_of).unwrap();
        cost.walls.push(clock.elapsed());
        cost.worked_us += worked_us() - worked;
        cost.judged += standing.judged();
        if number("COMPARE", 0) == 1 {
            let grown = standing.judge(logs, as_of, as_of, |_| false).unwrap();
            let whole = judge_explaining(&accord, logs, as_of, as_of, |_| false).unwrap();
            assert_eq!(grown.digest(), whole.digest());
        }
    };
    let mut nothing = Cost::default();
    for _ in 0..100 {
        follow(&mut nothing, &logs, end);
    }
    nothing.print("nothing new");
    let (mut whole_day, mut kinds): (Cost, BTreeMap<String, Cost>) = Default::default();
    for (entry, at) in next {
        let (kind, as_of) = (entry.statement.kind.clone(), at.hi);
        logs = logs.with_more(vec![(entry, at)]);
        let cost = kinds.entry(kind).or_default();
        follow(cost, &logs, as_of);
        whole_day.walls.extend(cost.walls.last());
    }
    whole_day.worked_us = kinds.values().map(|cost| cost.worked_us).sum();
    whole_day.judged = kinds.values().map(|cost| cost.judged).sum();
    whole_day.print("one new entry, of the day after");
    for (kind, cost) in kinds {
        cost.print(&format!("  {kind}"));
    }
    let end = end.plus(after * 86_400);
    let mut withdrawn = 0;
    for kind in ["ack", "sitrep", "gate_count", "lodged", "fire", "reading"] {
        let mut cost = Cost::default();
        for old in olds.remove(kind).unwrap_or_default() {
            let Some((mut entry, _)) = withdrawal.clone() else { break };
            withdrawn += 1;
            entry.statement.party = old.statement.party.clone();
            entry.statement.refs = vec![Reference { rel: Rel::Withdraws, id: old.statement_id }];
            entry.statement_id = StatementId(Sha256::digest(u64::to_be_bytes(withdrawn)).into());
            entry.index = 1_000_000 + withdrawn;
            logs = logs.with_more(vec![(entry, LoggedAt { lo: end, hi: end })]);
            follow(&mut cost, &logs, end);
        }
        cost.print(&format!("an early entry withdrawn ({kind})"));
    }
    let mut later = Cost::default();
    follow(&mut later, &logs, end.plus(3_600));
    later.print("one hour later");
    let (clock, worked) = (Clock::now(), worked_us());
    let judgment = standing.judge(&logs, end.plus(3_600), end.plus(3_600), |_| false).unwrap();
    let (wrote, worked) = (clock.elapsed(), worked_us() - worked);
    println!("all {} verdicts written down: {wrote:.2?}, {worked} us of a processor", judgment.verdicts.len());
    println!("most memory: {} MB", memory());
}
