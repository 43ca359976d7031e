//! How long a statement takes until a quorum has cosigned it, and what goes over the wire: `make bench-record`.
//!
//! ```text
//! latency [PER_SECOND] [SECONDS]     five processes on loopback, statements at this rate, the pacing that ships
//! ```
//! From the moment a statement is sent to the answer that it is durable, and from there to a published checkpoint that
//! covers it. What goes over loopback is counted by the kernel; run it in a network namespace of its own, or other programs
//! are counted too.
use hamsaya_node::{Options, serve};
use hamsaya_record::Instant;
use hamsaya_record::checkpoint::Checkpoint;
use hamsaya_record::envelope::Envelope;
use hamsaya_record::statement::{Statement, StatementId};
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant as Monotonic, SystemTime};
use town::{NAMES, Town, key, notice};

// What the tests use of it; here, too, it may end the program.
#[allow(dead_code, clippy::unwrap_used)]
#[path = "../tests/it/town.rs"]
mod town;

/// Statements on their way at once.
const SENDERS: usize = 32;
/// Nodes that just started need a while.
const WARM: usize = 50;
const PATIENCE: Duration = Duration::from_secs(60);

fn main() {
    // Cargo adds `--bench`.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["node", home] => node(Path::new(home)),
        [] => measure(100, 30),
        [rate, seconds] => measure(rate.parse().expect("statements a second"), seconds.parse().expect("seconds")),
        _ => eprintln!("usage: latency [PER_SECOND SECONDS]"),
    }
}

/// One of the five, until its parent closes the pipe.
fn node(home: &Path) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let running = runtime.block_on(serve(home, Options::default())).unwrap_or_else(|e| panic!("{e}"));
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    runtime.block_on(running.stop());
}

/// Ends with its parent: its standard input closes.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// A statement, and when what became of it.
#[derive(Clone, Copy, Default)]
struct Seen {
    sent: Option<Monotonic>,
    accepted: Option<(Monotonic, u64)>,
}

fn measure(rate: usize, seconds: usize) {
    let town = Town::make("latency", "");
    let start = |name: &&str| {
        let own = std::env::current_exe().expect("this program");
        let child = Command::new(own).arg("node").arg(town.home(name)).stdin(Stdio::piped()).spawn();
        Process(child.expect("a process"))
    };
    let processes: Vec<Process> = NAMES.iter().map(start).collect();
    town::until("all nodes to answer", || match NAMES.iter().all(|name| answers(&town, name)) {
        true => Ok(()),
        false => Err("nothing".to_string()),
    });
    let statements = signed(&town, WARM + rate * seconds);
    let size = statements.iter().map(Vec::len).sum::<usize>() / statements.len();
    send(&town, &statements[..WARM], 20);
    let wire = over_loopback();
    let (seen, published) = send(&town, &statements[WARM..], rate);
    let wire = over_loopback() - wire;
    drop(processes);
    let mut durable = vec![];
    let mut proven = vec![];
    for Seen { sent, accepted } in &seen {
        let (Some(sent), Some((accepted, index))) = (sent, accepted) else { continue };
        durable.push(*accepted - *sent);
        let covers = published.iter().find(|(_, size)| size > index);
        proven.extend(covers.map(|(at, _)| at.saturating_duration_since(*accepted)));
    }
    println!("{} statements of {size} bytes at {rate}/s, five processes on loopback", seen.len());
    tell("sent until durable and answered", &mut durable);
    tell("answered until a quorum's checkpoint covers it", &mut proven);
    println!(
        "over loopback, all nodes, with headers: {} bytes a statement, {} checkpoints",
        wire / seen.len() as u64,
        published.len()
    );
    assert_eq!((durable.len(), proven.len()), (seen.len(), seen.len()), "every statement was accepted and proven");
}

fn tell(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at =
        |share: f64| times.get((times.len().saturating_sub(1) as f64 * share) as usize).map_or(0, Duration::as_millis);
    println!("{what}: {} ms p50, {} ms p99, {} ms most", at(0.5), at(0.99), at(1.0));
}

fn answers(town: &Town, name: &str) -> bool {
    let path = if name == "O1" { "/api/state" } else { "/log/checkpoint" };
    ureq::get(format!("{}{path}", town.urls[name])).call().is_ok_and(|answer| answer.status() == 200)
}

fn signed(town: &Town, count: usize) -> Vec<Vec<u8>> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let device = key("P1", "post-07");
    let mut last: Option<Statement> = None;
    let next = (0..count).map(|n| {
        let mut s = notice(town);
        s.id = format!("0193a1b2-c3d4-7e5f-8a9b-{:012x}", n + 1);
        s.stated_at = Instant(now as i64);
        s.source = "p1/post-07".to_string();
        if let Some(last) = &last {
            s.seq = last.seq + 1;
            s.prev = Some(StatementId::of(&last.to_payload()));
        }
        let bytes = Envelope::sign(s.to_payload(), &[&device]).to_leaf();
        last = Some(s);
        bytes
    });
    next.collect()
}

/// Sends them at this rate, and watches what P1 publishes until the last is covered.
fn send(town: &Town, statements: &[Vec<u8>], rate: usize) -> (Vec<Seen>, Vec<(Monotonic, u64)>) {
    let next = AtomicUsize::new(0);
    let seen = Mutex::new(vec![Seen::default(); statements.len()]);
    let published = Mutex::new(Vec::new());
    let done = AtomicBool::new(false);
    let began = Monotonic::now();
    let url = &town.urls["P1"];
    std::thread::scope(|scope| {
        scope.spawn(|| watch(url, &published, &done));
        let senders: Vec<_> = (0..SENDERS)
            .map(|_| {
                scope.spawn(|| {
                    let agent = ureq::Agent::new_with_defaults();
                    loop {
                        let n = next.fetch_add(1, Ordering::Relaxed);
                        let Some(bytes) = statements.get(n) else { return };
                        let due = began + Duration::from_secs_f64(n as f64 / rate as f64);
                        std::thread::sleep(due.saturating_duration_since(Monotonic::now()));
                        let sent = Monotonic::now();
                        let answer = agent
                            .post(format!("{url}/api/statements"))
                            .content_type("application/json")
                            .send(&bytes[..]);
                        let body = answer.and_then(|mut answer| answer.body_mut().read_to_vec()).unwrap_or_default();
                        let accepted = Monotonic::now();
                        let index = serde_json::from_slice::<serde_json::Value>(&body)
                            .ok()
                            .and_then(|json| json["index"].as_u64());
                        seen.lock().expect("nobody panics")[n] =
                            Seen { sent: Some(sent), accepted: index.map(|index| (accepted, index)) };
                    }
                })
            })
            .collect();
        senders.into_iter().for_each(|sender| sender.join().expect("a sender ends"));
        let last = seen.lock().expect("nobody panics").iter().filter_map(|seen| Some(seen.accepted?.1)).max();
        let deadline = Monotonic::now() + PATIENCE;
        let is_covered = || published.lock().expect("nobody panics").last().is_some_and(|(_, size)| Some(*size) > last);
        while !is_covered() && Monotonic::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        done.store(true, Ordering::Relaxed);
    });
    (seen.into_inner().expect("nobody panics"), published.into_inner().expect("nobody panics"))
}

/// Asks for P1's checkpoint, again and again; the node holds the question until there is another.
fn watch(url: &str, published: &Mutex<Vec<(Monotonic, u64)>>, done: &AtomicBool) {
    let agent = ureq::Agent::new_with_defaults();
    let mut etag = String::new();
    while !done.load(Ordering::Relaxed) {
        let ask = agent.get(format!("{url}/log/checkpoint")).header("prefer", "wait=1").header("if-none-match", &etag);
        let Ok(mut answer) = ask.call() else { continue };
        etag = answer.headers().get("etag").and_then(|v| v.to_str().ok()).unwrap_or_default().to_string();
        let text = answer.body_mut().read_to_string().unwrap_or_default();
        if let Some((body, _)) = text.split_once("\n\n")
            && let Ok(checkpoint) = Checkpoint::parse(&format!("{body}\n"))
        {
            published.lock().expect("nobody panics").push((Monotonic::now(), checkpoint.size));
        }
    }
}

/// Bytes that the kernel has carried over loopback.
fn over_loopback() -> u64 {
    let table = fs::read_to_string("/proc/net/dev").unwrap_or_default();
    let line = table.lines().find_map(|line| line.trim_start().strip_prefix("lo:"));
    line.and_then(|counts| counts.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
