//! How fast statements are accepted and made durable, and what a long log costs: `make bench-record`.
//!
//! ```text
//! record accept DIR [SECONDS]     signed statements, checked, appended and synced, against verify_strict alone
//! record long DIR [ENTRIES]       a log of ten million: start, proofs, memory, disk, every byte read again
//! ```
//! Both make their logs in DIR, on the disk that is there, and delete them. Times of one core are the thread's own, as the
//! kernel counts them: other work on the machine takes wall time, not these.
use ed25519_dalek::{Signature, VerifyingKey};
use hamsaya_record::accept::Acceptance;
use hamsaya_record::envelope::{Envelope, pae};
use hamsaya_record::founding::{Founding, Member, MemberKey, MemberRole};
use hamsaya_record::instant::Instant;
use hamsaya_record::key::{Role, SecretKey};
use hamsaya_record::log::Log;
use hamsaya_record::merkle;
use hamsaya_record::policy;
use hamsaya_record::statement::{Act, FieldValue, Occurred, Precision, Statement};
use hamsaya_record::store::{self, Folder};
use hamsaya_record::verify;
use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant as Monotonic};

type Outcome<T> = Result<T, Box<dyn Error>>;

const ORIGIN: &str = "p1.example/hamsaya/1";
const AGREEMENT: [u8; 32] = [0xA9; 32];
const START: i64 = 1_795_550_400;
/// As many as one founding holds.
const DEVICES: usize = 300;
const BATCH: usize = 4_096;
/// Entries of a long log have so many bytes.
const LONG_ENTRY: usize = 600;

fn main() -> Outcome<()> {
    // Cargo adds `--bench`.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["accept", dir] => accept(Path::new(dir), 60),
        ["accept", dir, seconds] => accept(Path::new(dir), seconds.parse()?),
        ["long", dir] => long(Path::new(dir), 10_000_000),
        ["long", dir, entries] => long(Path::new(dir), entries.parse()?),
        _ => Err("usage: record accept DIR [SECONDS] | record long DIR [ENTRIES]".into()),
    }
}

// --- Accepting

/// Time of this thread on a core, and on the clock.
#[derive(Clone, Copy, Default)]
struct Spent {
    core: Duration,
    wall: Duration,
}

impl Spent {
    fn of<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let (core, began) = (core_time(), Monotonic::now());
        let done = work();
        self.core += core_time().saturating_sub(core);
        self.wall += began.elapsed();
        done
    }

    fn micros_each(&self, count: usize) -> f64 {
        self.core.as_secs_f64() * 1e6 / count as f64
    }
}

/// What the kernel says that this thread has run; where it does not say, the wall clock.
fn core_time() -> Duration {
    let read = fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = read.and_then(|text| text.split_whitespace().next()?.parse().ok());
    nanos.map_or_else(|| std::time::UNIX_EPOCH.elapsed().unwrap_or_default(), Duration::from_nanos)
}

/// P1 with its devices, beside P2 and G1.
struct Town {
    founding_leaf: Vec<u8>,
    log: SecretKey,
    devices: Vec<SecretKey>,
}

fn key(name: &str) -> Outcome<SecretKey> {
    Ok(SecretKey::from_seed(name, store::version(name.as_bytes()))?)
}

fn town() -> Outcome<Town> {
    let (mut members, mut keys, mut policies, mut signers) = (vec![], vec![], BTreeMap::new(), vec![]);
    let mut add = |node: &str, role, key: &SecretKey| {
        keys.push(MemberKey { node: node.to_owned(), role, vkey: key.vkey().clone() });
    };
    let parties = [("P1", MemberRole::Party), ("P2", MemberRole::Party), ("G1", MemberRole::Guarantor)];
    let mut cosigners = vec![];
    for (name, role) in parties {
        let host = format!("{}.example", name.to_lowercase());
        let origin = format!("{host}/hamsaya/1");
        let (log, node) = (key(&origin)?, key(&format!("{host}/node"))?);
        let name_of_witness = format!("{host}/witness");
        let seed = store::version(name_of_witness.as_bytes());
        let witness = SecretKey::cosigner_from_seed(&name_of_witness, seed)?;
        add(name, Role::Log, &log);
        add(name, Role::Node, &node);
        add(name, Role::Witness, &witness);
        members.push(Member { name: name.to_owned(), role, origin: Some(origin) });
        cosigners.push((name, log, witness));
        signers.push(node);
    }
    for (name, log, _) in &cosigners {
        let others = cosigners.iter().filter(|(other, _, _)| other != name);
        let others = others.map(|(other, _, witness)| (*other, witness.vkey()));
        policies.insert(log.vkey().name().to_owned(), policy::write(log.vkey(), others, 2));
    }
    let mut devices = vec![];
    for n in 0..DEVICES {
        let device = key(&format!("p1.example/p{n}"))?;
        add("P1", Role::Device, &device);
        devices.push(device);
    }
    let founding = Founding::new(AGREEMENT, members, keys, policies, BTreeMap::new())?;
    let statement = founding.to_statement("0193a1b2-c3d4-7e5f-8a9b-f00000000000", "P1", "p1/node", Instant(START));
    let leaf = Envelope::sign(statement.to_payload(), &signers.iter().collect::<Vec<_>>()).to_leaf();
    Ok(Town { founding_leaf: leaf, log: key(ORIGIN)?, devices })
}

/// Devices take turns; each numbers what it says.
struct Posts<'t> {
    town: &'t Town,
    said: u64,
    last: Vec<Option<Statement>>,
}

impl Posts<'_> {
    /// A statement as it comes to the node, and its number.
    fn next(&mut self) -> (usize, Vec<u8>) {
        let device = (self.said % DEVICES as u64) as usize;
        let at = Instant(START + self.said as i64 / 1000);
        let id = format!("0193a1b2-c3d4-7e5f-8a9b-{:012x}", self.said + 1);
        let mut s = Statement::new(AGREEMENT, Act::Observe, "fire", &id, "P1", ORIGIN, at);
        s.source = format!("p1/post-{device:03}");
        if let Some(last) = &self.last[device] {
            s.seq = last.seq + 1;
            s.prev = Some(hamsaya_record::statement::StatementId::of(&last.to_payload()));
        }
        s.occurred_at = Some(Occurred { from: at.plus(-60), to: at, precision: Precision::Minute, edtf: None });
        s.fields.insert("bursts".to_owned(), FieldValue::Int(3));
        s.fields.insert("crossing".to_owned(), FieldValue::Text("torkham".to_owned()));
        let envelope = Envelope::sign(s.to_payload(), &[&self.town.devices[device]]);
        self.said += 1;
        self.last[device] = Some(s);
        (device, envelope.to_leaf())
    }
}

fn accept(dir: &Path, seconds: u64) -> Outcome<()> {
    let town = town()?;
    let root = fresh(dir, "bench-accept")?;
    let mut log = Log::open(Folder::open(&root)?, town.log.clone(), |_, _| ())?;
    log.append(&[&town.founding_leaf], Instant(START))?;
    let mut acceptance = Acceptance::found(ORIGIN, &town.founding_leaf)?;
    let mut posts = Posts { town: &town, said: 0, last: vec![None; DEVICES] };
    let (mut reading, mut checking, mut writing, mut appending) = <(Spent, Spent, Spent, Spent)>::default();
    let (mut alone, mut strict) = (Spent::default(), Spent::default());
    let (mut count, mut bytes, mut batches) = (0usize, 0usize, Vec::new());
    let syncs = log.tiles().store().syncs();
    let verifying = town.devices.iter().map(|device| VerifyingKey::from_bytes(device.vkey().public()));
    let verifying: Vec<VerifyingKey> = verifying.collect::<Result<_, _>>()?;
    while (reading.wall + checking.wall + writing.wall + appending.wall).as_secs() < seconds {
        // Signing is the devices' work: it is not counted.
        let came: Vec<(usize, Vec<u8>)> = (0..BATCH).map(|_| posts.next()).collect();
        let began = [reading, checking, writing, appending].map(|spent| spent.wall).iter().sum::<Duration>();
        let envelopes = reading
            .of(|| came.iter().map(|(_, intake)| Envelope::parse_intake(intake)).collect::<Result<Vec<_>, _>>())?;
        checking.of(|| {
            envelopes.iter().try_for_each(|envelope| {
                let accepted = acceptance.check(envelope)?;
                acceptance.apply(&accepted);
                Ok::<_, hamsaya_record::accept::Refusal>(())
            })
        })?;
        let leaves: Vec<Vec<u8>> = writing.of(|| envelopes.iter().map(Envelope::to_leaf).collect());
        appending.of(|| log.append(&leaves, Instant(START + count as i64 / 1000)))?;
        let ended = [reading, checking, writing, appending].map(|spent| spent.wall).iter().sum::<Duration>();
        batches.push(ended - began);
        count += BATCH;
        bytes += leaves.iter().map(Vec::len).sum::<usize>();
        // The limit, in the same run: the same signatures, and nothing else.
        let messages: Vec<Vec<u8>> = envelopes.iter().map(|envelope| pae(&envelope.payload)).collect();
        let all_fit = alone.of(|| {
            envelopes.iter().zip(&came).zip(&messages).all(|((envelope, (device, _)), message)| {
                let sig = envelope.signatures[0].sig.as_slice().try_into();
                sig.is_ok_and(|sig| town.devices[*device].vkey().verify(message, sig))
            })
        });
        let all_strict = strict.of(|| {
            envelopes.iter().zip(&came).zip(&messages).all(|((envelope, (device, _)), message)| {
                let sig = envelope.signatures[0].sig.as_slice().try_into();
                sig.is_ok_and(|sig| verifying[*device].verify_strict(message, &Signature::from_bytes(sig)).is_ok())
            })
        });
        assert!(all_fit && all_strict, "a signature that was accepted verifies");
    }
    let syncs = log.tiles().store().syncs() - syncs;
    appending.of(|| log.settle())?;
    let all = [reading, checking, writing, appending];
    let core: Duration = all.iter().map(|spent| spent.core).sum();
    let wall: Duration = all.iter().map(|spent| spent.wall).sum();
    let per_core = count as f64 / core.as_secs_f64();
    let limit = count as f64 / alone.core.as_secs_f64();
    batches.sort_unstable();
    let at = |share: f64| batches[((batches.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    println!(
        "accepted, appended and synced: {count} statements of {} bytes, {DEVICES} keys, batches of {BATCH}",
        bytes / count
    );
    println!("  {:9.0} /s on the wall clock, {:.1} s", count as f64 / wall.as_secs_f64(), wall.as_secs_f64());
    println!("  {per_core:9.0} /s of one core, {:.1} s", core.as_secs_f64());
    println!("  {limit:9.0} /s of one core by the signatures' checks alone: the ratio is {:.2}", per_core / limit);
    let limit = count as f64 / strict.core.as_secs_f64();
    println!("  {limit:9.0} /s of one core by verify_strict alone: the ratio is {:.2}", per_core / limit);
    println!(
        "  {:9.1} ms p50, {:.1} ms p99 a batch; {:.1} syncs a batch with all tiles",
        at(0.5),
        at(0.99),
        syncs as f64 / batches.len() as f64
    );
    println!("microseconds of one core for a statement");
    for (what, spent) in [
        ("read", reading),
        ("check", checking),
        ("of that the signature", alone),
        ("verify_strict instead", strict),
        ("write", writing),
        ("append", appending),
    ] {
        println!("  {:9.1} {what}", spent.micros_each(count));
    }
    println!("memory at most {} MiB", peak_mib());
    drop((log, acceptance));
    let mut reread = Spent::default();
    let verified = reread.of(|| verify::node_folder(&root)).map_err(|faults| format!("{faults:?}"))?;
    let size: u64 = verified.logs.iter().map(|log| log.size).sum();
    println!(
        "fsck, every byte and signature: {:.0} entries/s of one core, {size} entries in {:.1} s",
        size as f64 / reread.core.as_secs_f64(),
        reread.wall.as_secs_f64()
    );
    println!("on disk {:.0} bytes an entry", on_disk(&root)? as f64 / size as f64);
    Ok(fs::remove_dir_all(&root)?)
}

// --- A long log

fn long(dir: &Path, entries: u64) -> Outcome<()> {
    let root = fresh(dir, "bench-long")?;
    let leaf = |n: u64| {
        let mut leaf = format!("{{\"entry\":{n},\"rest\":\"").into_bytes();
        leaf.resize(LONG_ENTRY - 2, b'.');
        leaf.extend_from_slice(b"\"}");
        leaf
    };
    let open = |root: &Path| -> Outcome<Log<Folder>> { Ok(Log::resume(Folder::open(root)?, key(ORIGIN)?)?) };
    let mut log = open(&root)?;
    let mut growing = Spent::default();
    // The last batch is small, and left in staging, as a process leaves it that is killed.
    let last = entries.saturating_sub(1_000);
    while log.size() < last {
        let leaves: Vec<Vec<u8>> = (log.size()..last.min(log.size() + BATCH as u64)).map(leaf).collect();
        growing.of(|| log.append(&leaves, Instant(START)))?;
    }
    log.settle()?;
    log.append(&(last..entries).map(leaf).collect::<Vec<_>>(), Instant(START))?;
    let root_before = log.tiles().root();
    drop(log);
    println!(
        "{entries} entries of {LONG_ENTRY} bytes, appended in {:.0} s ({:.0}/s of one core)",
        growing.wall.as_secs_f64(),
        entries as f64 / growing.core.as_secs_f64()
    );
    println!(
        "on disk {:.1} bytes an entry, {:.0} of them the entry",
        on_disk(&root)? as f64 / entries as f64,
        LONG_ENTRY + 2
    );
    for what in ["after a kill", "again"] {
        let before = resident_mib();
        let mut starting = Spent::default();
        let log = starting.of(|| open(&root))?;
        assert_eq!((log.size(), log.tiles().root()), (entries, root_before));
        println!(
            "start {what}: {:.1} ms, {:.1} ms of one core; memory grew by {} MiB",
            starting.wall.as_secs_f64() * 1e3,
            starting.core.as_secs_f64() * 1e3,
            resident_mib() - before
        );
    }
    let log = open(&root)?;
    let (mut took, mut n) = (Vec::new(), 1u64);
    for _ in 0..10_000 {
        n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let index = (n >> 20) % entries;
        let began = Monotonic::now();
        let proof = log.tiles().prove_inclusion(index, entries)?.unwrap_or_default();
        took.push(began.elapsed());
        let hash = merkle::leaf_hash(&leaf(index));
        assert!(merkle::verify_inclusion(&hash, index, entries, &proof, &root_before), "the proof of {index}");
    }
    took.sort_unstable();
    println!("an inclusion proof: {} us p50, {} us p99", took[5_000].as_micros(), took[9_900].as_micros());
    drop(log);
    let mut reading = Spent::default();
    let log = reading.of(|| Ok::<_, Box<dyn Error>>(Log::open(Folder::open(&root)?, key(ORIGIN)?, |_, _| ())?))?;
    assert_eq!(log.tiles().root(), root_before);
    println!(
        "every byte read and hashed: {:.0} entries/s of one core, {:.0} s",
        entries as f64 / reading.core.as_secs_f64(),
        reading.wall.as_secs_f64()
    );
    println!("memory at most {} MiB, of growing, starting, proving and reading", peak_mib());
    drop(log);
    Ok(fs::remove_dir_all(&root)?)
}

// --- The machine

fn fresh(dir: &Path, name: &str) -> Outcome<PathBuf> {
    let root = dir.join(name);
    if root.exists() {
        fs::remove_dir_all(&root)?;
    }
    fs::create_dir_all(&root)?;
    Ok(root)
}

/// Bytes of all files, in whole blocks as the disk gives them.
fn on_disk(root: &Path) -> Outcome<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        let about = entry.metadata()?;
        bytes += if about.is_dir() { on_disk(&entry.path())? } else { about.len().div_ceil(4096) * 4096 };
    }
    Ok(bytes)
}

fn peak_mib() -> u64 {
    status_mib("VmHWM:")
}

fn resident_mib() -> u64 {
    status_mib("VmRSS:")
}

fn status_mib(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).map_or(0, |kib| kib / 1024)
}
