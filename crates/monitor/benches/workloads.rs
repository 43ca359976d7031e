//! The monitor's workloads: `cargo bench -p hamsaya-monitor` or `make bench-monitor`.
//!
//! Each case runs in a process of its own, so that its peak memory is its own. Text is made piece by piece outside of the
//! measured time; what is measured is reading, monitoring and writing the verdict lines, in seconds of this thread's
//! processor. `binary` feeds the same facts as values, without text. Arguments: names of cases, `runs=5`, `events=1000000`.
//!
//! `emit c events=10000000` writes the log of a case to standard output, `files c DIR` its signature and formula: for the
//! command itself, see `make bench-monitor-stream`. `one c events=20000` is one run, which `callgrind` below counts.
use hamsaya_monitor::{Explainer, LogReader, PointChecker, Points, Value, parse_formula, parse_signature};
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Instant;

/// SplitMix64.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn below(&mut self, limit: u64) -> i64 {
        (self.next() % limit) as i64
    }
    /// Geometric-like waiting time with the given mean, in whole seconds.
    fn wait(&mut self, mean: f64) -> i64 {
        let unit = ((self.next() >> 11) as f64 + 1.0) / (1u64 << 53) as f64;
        (-unit.ln() * mean) as i64
    }
}

struct Event {
    stamp: i64,
    name: &'static str,
    args: Vec<i64>,
}

const STAR: &str = "A(int,int) B(int,int) C(int,int)";
const CASE: &str = "lodged(int,int,int) ack(int,int) answered(int,int) extend(int)";

struct Workload {
    name: &'static str,
    what: &'static str,
    signature: &'static str,
    formula: &'static str,
    events: usize,
    goal: &'static str,
}

const WORKLOADS: [Workload; 6] = [
    Workload {
        name: "a",
        what: "star, w = 10 s, 1,000 events a point, domain 100,000",
        signature: STAR,
        formula: "((ONCE[0,10) A(a,b)) AND B(a,c)) AND EVENTUALLY[0,10) C(a,d)",
        events: 1_000_000,
        goal: "4 M",
    },
    Workload {
        name: "b",
        what: "star, w = 10,000 s, 1 event a point, domain 10,000",
        signature: STAR,
        formula: "((ONCE[0,10000) A(a,b)) AND B(a,c)) AND EVENTUALLY[0,10000) C(a,d)",
        events: 2_000_000,
        goal: "3 M",
    },
    Workload {
        name: "b10",
        what: "star, w = 1,000 s, 10 events a point, domain 10,000",
        signature: STAR,
        formula: "((ONCE[0,1000) A(a,b)) AND B(a,c)) AND EVENTUALLY[0,1000) C(a,d)",
        events: 1_000_000,
        goal: "-",
    },
    Workload {
        name: "c",
        what: "obligation, 1 event a point",
        signature: CASE,
        formula: "lodged(i,x,y) AND NOT EVENTUALLY[0,21600] ack(i,y)",
        events: 1_000_000,
        goal: "8 M",
    },
    Workload {
        name: "d",
        what: "chain, 1 event a point",
        signature: CASE,
        formula: "((lodged(i,x,y) AND NOT EVENTUALLY[0,21600] ack(i,y)) AND NOT EVENTUALLY[0,86400] answered(i,y)) \
                  AND NOT EVENTUALLY[0,86400] extend(i)",
        events: 1_000_000,
        goal: "5 M",
    },
    Workload {
        name: "e",
        what: "SUM by group over 10 s, 1,000 events a point",
        signature: STAR,
        formula: "s <- SUM b; a ONCE[0,10) A(a,b)",
        events: 1_000_000,
        goal: "3 M",
    },
];

/// Events in order of time.
fn events(workload: &str, count: usize) -> Box<dyn Iterator<Item = Event>> {
    let mut chance = Chance(7);
    match workload {
        "a" | "b" | "b10" | "e" => {
            let (each, domain) = match workload {
                "b" => (1, 10_000),
                "b10" => (10, 10_000),
                _ => (1_000, 100_000),
            };
            let kinds: &[&'static str] = if workload == "e" { &["A"] } else { &["A", "B", "C"] };
            Box::new((0..count).map(move |i| Event {
                stamp: (i / each) as i64,
                name: kinds[chance.below(kinds.len() as u64) as usize],
                args: vec![chance.below(domain), chance.below(domain)],
            }))
        }
        _ => {
            let mut waiting: std::collections::BTreeMap<(i64, i64, usize), (&'static str, Vec<i64>)> =
                std::collections::BTreeMap::new();
            let (mut next, mut case) = (0i64, 0i64);
            Box::new((0..count).map(move |_| {
                if let Some((&key, _)) = waiting.first_key_value().filter(|(key, _)| key.0 <= next) {
                    let (name, args) = waiting.remove(&key).unwrap_or_default();
                    return Event { stamp: key.0, name, args };
                }
                let (stamp, i) = (next, case);
                let x = chance.below(2);
                let y = 1 - x;
                if chance.below(20) > 0 {
                    waiting.insert((stamp + chance.wait(7_200.0), i, 0), ("ack", vec![i, y]));
                }
                if chance.below(10) > 0 {
                    waiting.insert((stamp + chance.wait(40_000.0), i, 1), ("answered", vec![i, y]));
                }
                if chance.below(10) < 3 {
                    waiting.insert((stamp + chance.wait(40_000.0), i, 2), ("extend", vec![i]));
                }
                case += 1;
                next += 1 + chance.wait(29.5);
                Event { stamp, name: "lodged", args: vec![i, x, y] }
            }))
        }
    }
}

/// Seconds that this process ran on a processor.
fn processor() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
}

fn peak_mib() -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0");
    line.split_whitespace().next().and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

fn machine() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .unwrap_or(": unknown")
        .trim_start_matches([' ', '\t', ':']);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{model}, {cores} cores")
}

fn monitor(workload: &Workload) -> Points {
    let signature = parse_signature(workload.signature).expect("a signature");
    let formula = parse_formula(workload.formula).expect("a formula");
    Points::new(&formula, &signature).expect("a safe formula")
}

/// The text of an event, and what ends the point before it.
fn write_event(workload: &Workload, event: &Event, open: &mut i64, text: &mut String) {
    let same = event.stamp == *open && matches!(workload.name, "a" | "e" | "b10");
    if !same {
        let end = if *open == i64::MIN { "" } else { ";\n" };
        let _ = write!(text, "{end}@{}", event.stamp);
        *open = event.stamp;
    }
    let _ = write!(text, " {}(", event.name);
    for (i, arg) in event.args.iter().enumerate() {
        let _ = write!(text, "{}{arg}", if i > 0 { "," } else { "" });
    }
    text.push(')');
}

/// Writes a log; whoever reads it may stop.
fn emit(workload: &Workload, count: usize) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let (mut text, mut open) = (String::new(), i64::MIN);
    let mut stream = events(workload.name, count).peekable();
    while stream.peek().is_some() {
        text.clear();
        stream.by_ref().take(8_192).for_each(|event| write_event(workload, &event, &mut open, &mut text));
        out.write_all(text.as_bytes())?;
    }
    out.write_all(b";\n")
}

/// Instructions an event in the second half of a run, as valgrind counts them: numbers that do not shake.
fn callgrind(this: &std::path::Path, workload: &Workload, count: usize) -> Option<f64> {
    let run = |count: usize| -> Option<f64> {
        let output = std::process::Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(this)
            .args(["one", workload.name, &format!("events={count}")])
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&output.stderr).to_string();
        let line = text.lines().find(|line| line.contains("Collected"))?;
        line.split_whitespace().last()?.parse().ok()
    };
    Some((run(count)? - run(count / 2)?) / (count - count / 2) as f64)
}

/// One run: seconds, verdict bytes, peak memory.
fn run(workload: &Workload, count: usize, horizon: Option<i64>, binary: bool) -> (f64, usize, f64, usize) {
    let mut points = monitor(workload);
    points.stream(horizon);
    let mut reader = LogReader::default();
    let (mut out, mut written, mut spent) = (Vec::new(), 0, 0.0);
    let mut stream = events(workload.name, count).peekable();
    let mut open = i64::MIN;
    let (mut text, mut batch): (String, Vec<Event>) = (String::new(), Vec::new());
    while stream.peek().is_some() {
        text.clear();
        batch.clear();
        for event in stream.by_ref().take(8_192) {
            if binary {
                batch.push(event);
                continue;
            }
            write_event(workload, &event, &mut open, &mut text);
        }
        let values: Vec<Vec<Value>> =
            batch.iter().map(|event| event.args.iter().map(|&arg| Value::Int(arg)).collect()).collect();
        let started = processor();
        if binary {
            for (event, values) in batch.iter().zip(&values) {
                let same = event.stamp == open && matches!(workload.name, "a" | "e" | "b10");
                if !same {
                    points.begin(event.stamp).expect("stamps in order");
                    open = event.stamp;
                }
                points.insert(points.last_point(), event.name, values).expect("a fact");
            }
        } else {
            let taken = points.feed(&mut reader, text.as_bytes(), true).expect("a log");
            assert_eq!(taken, text.len());
        }
        points.write_final(&mut out).expect("no fault");
        written += out.len();
        out.clear();
        spent += processor() - started;
    }
    let started = processor();
    points.finish().expect("no fault");
    points.write_final(&mut out).expect("no fault");
    written += out.len();
    spent += processor() - started;
    (spent, written, peak_mib(), points.bytes())
}

/// Revises one fact at a time in a long history: microseconds of each.
fn revise(workload: &Workload, count: usize, changes: usize) -> Vec<f64> {
    let mut points = monitor(workload);
    let mut acks: Vec<(u32, i64, i64)> = Vec::new();
    let mut last = 0;
    for event in events("c", count) {
        last = points.begin(event.stamp).expect("stamps in order");
        let args: Vec<Value> = event.args.iter().map(|&arg| Value::Int(arg)).collect();
        points.insert(last, event.name, &args).expect("a fact");
        if event.name == "ack" {
            acks.push((last, event.args[0], event.args[1]));
        }
    }
    points.finish().expect("no fault");
    points.changes().expect("no fault");
    let mut chance = Chance(11);
    let mut took = Vec::new();
    for i in 0..changes {
        let (point, case, y) = acks[chance.below(acks.len() as u64) as usize];
        let args = [Value::Int(case), Value::Int(y)];
        let started = Instant::now();
        if i % 2 == 0 {
            points.withdraw(point, "ack", &args).expect("a fact");
        } else {
            // Late, and somewhere else.
            points.insert((point + 50).min(last), "ack", &args).expect("a fact");
        }
        let deltas = points.changes().expect("no fault");
        took.push(started.elapsed().as_secs_f64() * 1e6);
        std::hint::black_box(deltas);
    }
    took.sort_by(f64::total_cmp);
    took
}

/// Explains verdicts of a history, evenly spread, and checks each reason: microseconds of both, sorted.
fn explain(workload: &Workload, count: usize, verdicts: usize) -> (Vec<f64>, Vec<f64>, usize) {
    let signature = parse_signature(workload.signature).expect("a signature");
    let formula = parse_formula(workload.formula).expect("a formula");
    let mut points = monitor(workload);
    for event in events(workload.name, count) {
        let last = points.begin(event.stamp).expect("stamps in order");
        let args: Vec<Value> = event.args.iter().map(|&arg| Value::Int(arg)).collect();
        points.insert(last, event.name, &args).expect("a fact");
    }
    points.finish().expect("no fault");
    let held = points.relation().expect("no fault");
    let (log, columns) = (points.log(), points.columns().to_vec());
    let all: Vec<_> = held.iter().flat_map(|v| v.tuples.iter().map(|tuple| (v.point, tuple))).collect();
    let explainer = Explainer::new(&formula, &signature, &log).expect("a formula that can be explained");
    let checker = PointChecker { formula: &formula, signature: &signature, stamps: &log.stamps };
    let (mut explained, mut checked) = (Vec::new(), Vec::new());
    for (point, tuple) in all.iter().step_by((all.len() / verdicts).max(1)).take(verdicts) {
        let started = Instant::now();
        let why = explainer.grounds(*point, &columns, tuple).expect("a reason");
        explained.push(started.elapsed().as_secs_f64() * 1e6);
        let named: Vec<_> = columns.iter().cloned().zip(tuple.iter().cloned()).collect();
        let started = Instant::now();
        checker.check(*point, &named, &why).expect("a reason that passes");
        assert!(PointChecker::is_true_of(&why, &log), "evidence that is in the log");
        checked.push(started.elapsed().as_secs_f64() * 1e6);
    }
    explained.sort_by(f64::total_cmp);
    checked.sort_by(f64::total_cmp);
    (explained, checked, all.len())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let number = |name: &str, usual: usize| {
        let found = arguments.iter().find_map(|argument| argument.strip_prefix(name)?.strip_prefix('='));
        found.and_then(|value| value.parse().ok()).unwrap_or(usual)
    };
    if arguments.first().is_some_and(|argument| argument == "one") {
        let workload = WORKLOADS.iter().find(|w| w.name == arguments[1]).expect("a workload");
        let count = number("events", workload.events);
        let horizon = if arguments.iter().any(|a| a == "keep") { None } else { Some(0) };
        let (seconds, written, peak, held) = run(workload, count, horizon, arguments.iter().any(|a| a == "binary"));
        println!("{seconds} {written} {peak} {held}");
        return;
    }
    let case = || WORKLOADS.iter().find(|w| arguments.get(1).is_some_and(|name| w.name == name)).expect("a workload");
    if arguments.first().is_some_and(|argument| argument == "emit") {
        let workload = case();
        // A reader that stops early is no fault.
        let _ = emit(workload, number("events", workload.events));
        return;
    }
    if arguments.first().is_some_and(|argument| argument == "files") {
        let directory = std::path::Path::new(arguments.get(2).expect("a directory"));
        std::fs::write(directory.join("signature"), case().signature).expect("a file");
        std::fs::write(directory.join("formula"), case().formula).expect("a file");
        return;
    }
    if arguments.first().is_some_and(|argument| argument == "callgrind") {
        let this = std::env::current_exe().expect("this program");
        let there = std::process::Command::new("valgrind").arg("--version").output().is_ok();
        if !there {
            println!(
                "skipped: valgrind was not found, so no instructions are counted (hint: apt-get install valgrind)"
            );
            return;
        }
        let events = number("events", 40_000);
        println!("case instructions an event, generator included (callgrind, the second half of {events} events)");
        for workload in &WORKLOADS {
            match callgrind(&this, workload, events) {
                Some(count) => println!("{:<4} {count:>12.0}", workload.name),
                None => println!("{:<4} skipped: valgrind gave no count", workload.name),
            }
        }
        return;
    }
    let wanted = |name: &str| {
        let mut names = arguments.iter().filter(|argument| !argument.contains('=')).peekable();
        names.peek().is_none() || names.any(|argument| argument == name)
    };
    let runs = number("runs", 3);
    println!("machine: {}; medians of {runs} runs, processor seconds", machine());
    println!(
        "{:<4} {:<54} {:>12} {:>12} {:>12} {:>9} {:>9} {:>6}",
        "case", "", "text ev/s", "binary ev/s", "kept ev/s", "peak MiB", "verdicts", "goal"
    );
    let this = std::env::current_exe().expect("this program");
    for workload in WORKLOADS.iter().filter(|w| wanted(w.name)) {
        let count = number("events", workload.events);
        let measure = |more: &[&str]| {
            let (mut seconds, mut rest) = (Vec::new(), (0usize, 0.0f64));
            for _ in 0..runs {
                let events = format!("events={count}");
                let output = std::process::Command::new(&this)
                    .args(["one", workload.name, &events])
                    .args(more)
                    .output()
                    .expect("a run");
                let text = String::from_utf8_lossy(&output.stdout).to_string();
                let fields: Vec<f64> = text.split_whitespace().filter_map(|field| field.parse().ok()).collect();
                assert_eq!(fields.len(), 4, "{}", String::from_utf8_lossy(&output.stderr));
                seconds.push(fields[0]);
                rest = (fields[1] as usize, fields[2]);
            }
            (count as f64 / median(seconds), rest)
        };
        let (text, (written, peak)) = measure(&[]);
        let (binary, _) = measure(&["binary"]);
        let (kept, _) = measure(&["keep"]);
        println!(
            "{:<4} {:<54} {text:>12.0} {binary:>12.0} {kept:>12.0} {peak:>9.1} {written:>9} {:>6}",
            workload.name, workload.what, workload.goal
        );
    }
    if wanted("f") {
        let workload = &WORKLOADS[3];
        let count = number("events", workload.events);
        let took = revise(workload, count, 10_000);
        println!(
            "f    one fact late or withdrawn in {count} events of c: median {:.1} us, p99 {:.1} us, most {:.1} us (goal 50, 500); {:.0} MiB",
            took[took.len() / 2],
            took[took.len() * 99 / 100],
            took[took.len() - 1],
            peak_mib()
        );
    }
    if wanted("explain") {
        // All of these histories lies in one window: a reason names each point of it, and is tried without each.
        let workload = &WORKLOADS[3];
        for count in [125, 250, 500] {
            let (explained, checked, all) = explain(workload, count, 1_000);
            let line = |took: &[f64]| {
                let at = |part: usize| took[(took.len() - 1) * part / 100];
                format!("median {:.0} us, p99 {:.0} us", at(50), at(99))
            };
            println!(
                "explain {all} verdicts in {count} events of c: finding {}; checking {}",
                line(&explained),
                line(&checked)
            );
        }
    }
}
