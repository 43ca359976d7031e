//! A log that grows, crashes and is tampered with; a copy that follows it; a witness that watches it.
use hamsaya_record::checkpoint::Checkpoint;
use hamsaya_record::cosignature;
use hamsaya_record::equivocation::Equivocation;
use hamsaya_record::follower::{Follow, FollowError, Follower};
use hamsaya_record::instant::Instant;
use hamsaya_record::key::SecretKey;
use hamsaya_record::log::{Confirmation, Log, LogError};
use hamsaya_record::merkle;
use hamsaya_record::note::Note;
use hamsaya_record::store::{self, Crash, Memory, Store, StoreError};
use hamsaya_record::tile::{self, Level, Tile};
use hamsaya_record::tiles::TilesError;
use hamsaya_record::witness::{self, Witness, WitnessAnswer};

const ORIGIN: &str = "p1.example/hamsaya/1";

fn key() -> SecretKey {
    SecretKey::from_seed(ORIGIN, [7; 32]).expect("a key")
}

fn witness_key() -> SecretKey {
    SecretKey::cosigner_from_seed("p2.example/witness", [9; 32]).expect("a key")
}

fn key_of(node: &str) -> SecretKey {
    let seed: [u8; 32] = std::array::from_fn(|i| node.as_bytes()[i % node.len()]);
    SecretKey::cosigner_from_seed(&format!("{node}.example/witness"), seed).expect("a key")
}

fn leaves(from: u64, to: u64) -> Vec<Vec<u8>> {
    (from..to).map(|n| format!("entry {n}").into_bytes()).collect()
}

fn open(store: &Memory) -> Result<Log<Memory>, TilesError> {
    Log::open(store.clone(), key(), |_, _| ())
}

/// Root by the definition, from all entries at once.
fn naive_root(entries: &[Vec<u8>]) -> merkle::Hash {
    match entries {
        [] => merkle::empty_root(),
        [one] => merkle::leaf_hash(one),
        _ => {
            let k = entries.len().next_power_of_two() / 2;
            merkle::node_hash(&naive_root(&entries[..k]), &naive_root(&entries[k..]))
        }
    }
}

#[test]
fn batches_of_any_size_lead_to_one_tree() {
    for batches in [vec![1, 2, 3], vec![255, 1, 1], vec![256], vec![700], vec![1; 40], vec![100, 412, 1, 511, 1024]] {
        let store = Memory::new();
        let mut log = open(&store).expect("an empty log");
        let mut size = 0;
        for n in &batches {
            let sequenced = log.append(&leaves(size, size + n), Instant(1)).expect("appended");
            assert_eq!((sequenced.first_index, sequenced.size), (size, size + n));
            size += n;
            assert_eq!(sequenced.root, naive_root(&leaves(0, size)), "{batches:?} at {size}");
        }
        let at_its_edge = Log::resume(store.copy(), key()).expect("opens at its edge");
        assert_eq!((at_its_edge.size(), at_its_edge.tiles().root()), (size, log.tiles().root()), "{batches:?}");
        log.settle().expect("settled");
        let mut names: Vec<String> = Tile::all(size).map(|tile| tile.to_string()).collect();
        names.sort();
        assert_eq!(store.list("tile/").expect("listed"), names, "one width of each tile");
        let mut resumed = Log::resume(store.copy(), key()).expect("opens at its edge");
        resumed.append(&leaves(size, size + 300), Instant(1)).expect("goes on");
        assert_eq!(resumed.tiles().root(), naive_root(&leaves(0, size + 300)), "{batches:?}");
        let mut visited = Vec::new();
        let again = Log::open(store.clone(), key(), |i, leaf| visited.push((i, leaf.to_vec()))).expect("opens again");
        assert_eq!(again.tiles().root(), naive_root(&leaves(0, size)));
        assert_eq!(visited, leaves(0, size).into_iter().enumerate().map(|(i, l)| (i as u64, l)).collect::<Vec<_>>());
        assert_eq!(store.list("staging/").expect("listed"), Vec::<String>::new());
        for old in [1, size / 3 + 1, size] {
            let proof = again.tiles().prove_consistency(old, size).expect("read").expect("a proof");
            let old_root = naive_root(&leaves(0, old));
            assert!(merkle::verify_consistency(old, &old_root, size, &again.tiles().root(), &proof));
            assert_eq!(again.tiles().root_at(old).expect("read"), old_root);
        }
        for index in [0, size / 2, size - 1] {
            let proof = again.tiles().prove_inclusion(index, size).expect("read").expect("a proof");
            let leaf = again.tiles().entry(index).expect("read").expect("an entry");
            assert!(merkle::verify_inclusion(&merkle::leaf_hash(&leaf), index, size, &proof, &again.tiles().root()));
        }
        assert_eq!(again.tiles().entries(1, size + 9).expect("read"), leaves(1, size));
    }
}

#[test]
fn a_crash_after_any_write_loses_nothing_acknowledged() {
    let mut crashes = 0;
    for start in [0u64, 3, 255, 300] {
        for at in 0.. {
            let mut came = false;
            for kind in [Crash::Before, Crash::After, Crash::Torn] {
                let store = Memory::new();
                let mut log = open(&store).expect("an empty log");
                if start > 0 {
                    log.append(&leaves(0, start), Instant(1)).expect("appended");
                }
                let mut acknowledged = start;
                let mut signed = log.signed().cloned();
                store.crash_at(at, kind);
                for n in [1, 2, 300] {
                    match log.append(&leaves(acknowledged, acknowledged + n), Instant(1)) {
                        Ok(sequenced) => (acknowledged, signed) = (sequenced.size, Some(sequenced.checkpoint)),
                        Err(_) => break,
                    }
                    // Tiles are put in their places once for two batches.
                    if n == 2 && log.settle().is_err() {
                        break;
                    }
                }
                came |= store.has_crashed();
                assert!(
                    !store.has_crashed() || log.append(&leaves(0, 1), Instant(1)).is_err(),
                    "it must be opened again first"
                );
                store.restart();
                let mut found = Vec::new();
                let at_its_edge = Log::resume(store.copy(), key()).expect("heals at its edge");
                let mut log = Log::open(store.clone(), key(), |_, leaf| found.push(leaf.to_vec())).expect("heals");
                assert_eq!((at_its_edge.size(), at_its_edge.tiles().root()), (log.size(), log.tiles().root()));
                assert!(log.size() >= acknowledged, "start {start}, write {at}, {kind:?}");
                assert_eq!(found, leaves(0, log.size()), "what was not acknowledged is whole or gone");
                // What was signed before is on the way to what is signed now.
                if let Some(old) = signed {
                    let old = Checkpoint::parse(&old.text).expect("a checkpoint");
                    assert_eq!(log.tiles().root_at(old.size).expect("read"), old.root);
                }
                let size = log.size();
                log.append(&leaves(size, size + 2), Instant(2)).expect("goes on");
                assert_eq!(log.tiles().root(), naive_root(&leaves(0, size + 2)));
            }
            if !came {
                break;
            }
            crashes += 1;
        }
    }
    assert!(crashes > 30, "only {crashes} crashes were tried");
}

/// The machine goes down, not only the process: of what no sync had covered, every second, or all of it, is lost.
#[test]
fn a_power_cut_after_any_write_loses_nothing_acknowledged() {
    for (start, keep) in [(0u64, 0), (3, 1), (255, 2)] {
        for at in 0.. {
            let mut came = false;
            for kind in [Crash::Before, Crash::After, Crash::Torn] {
                let store = Memory::new();
                let mut log = open(&store).expect("an empty log");
                if start > 0 {
                    log.append(&leaves(0, start), Instant(1)).expect("appended");
                }
                let mut acknowledged = start;
                store.crash_at(at, kind);
                for n in [2, 3, 300] {
                    match log.append(&leaves(acknowledged, acknowledged + n), Instant(1)) {
                        Ok(sequenced) => acknowledged = sequenced.size,
                        Err(_) => break,
                    }
                    // Tiles are put in their places once for two batches.
                    if n == 3 && log.settle().is_err() {
                        break;
                    }
                }
                came |= store.has_crashed();
                let mut nth = 0;
                store.restart_without(|_| {
                    nth += 1;
                    keep == 0 || nth % 2 == keep - 1
                });
                let mut found = Vec::new();
                let at_its_edge = Log::resume(store.copy(), key()).expect("heals at its edge");
                let log = Log::open(store.clone(), key(), |_, leaf| found.push(leaf.to_vec())).expect("heals");
                assert_eq!((at_its_edge.size(), at_its_edge.tiles().root()), (log.size(), log.tiles().root()));
                assert!(log.size() >= acknowledged, "start {start}, write {at}, {kind:?}");
                assert_eq!(found, leaves(0, log.size()));
            }
            if !came {
                break;
            }
        }
    }
}

/// Whatever fails before the commit point without a trace, the log goes on as if nothing had been asked.
#[test]
fn a_full_disk_refuses_and_does_not_stop_the_log() {
    struct Full(Memory, std::rc::Rc<std::cell::Cell<bool>>);
    impl Store for Full {
        fn read(&self, key: &str) -> Result<Option<(Vec<u8>, store::Version)>, StoreError> {
            self.0.read(key)
        }
        fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
            self.0.list(prefix)
        }
        fn create(&mut self, key: &str, bytes: &[u8]) -> Result<store::Created, StoreError> {
            if self.1.get() {
                return Err(StoreError::NotWritten { key: key.to_string(), what: "no space left".to_string() });
            }
            self.0.create(key, bytes)
        }
        fn swap(&mut self, key: &str, old: Option<store::Version>, bytes: &[u8]) -> Result<store::Version, StoreError> {
            self.0.swap(key, old, bytes)
        }
        fn delete(&mut self, key: &str) -> Result<(), StoreError> {
            self.0.delete(key)
        }
    }
    let full = std::rc::Rc::new(std::cell::Cell::new(false));
    let mut log = Log::open(Full(Memory::new(), full.clone()), key(), |_, _| ()).expect("an empty log");
    log.append(&leaves(0, 3), Instant(1)).expect("appended");
    full.set(true);
    let error = log.append(&leaves(3, 5), Instant(1)).expect_err("full").to_string();
    assert!(error.contains("no space left"), "{error}");
    let error = log.settle().expect_err("full").to_string();
    assert!(error.contains("no space left"), "{error}");
    full.set(false);
    log.append(&leaves(3, 5), Instant(1)).expect("goes on");
    assert_eq!(log.tiles().root(), naive_root(&leaves(0, 5)));
    log.settle().expect("what waited in staging is put in its place");
    assert!(!log.tiles().is_unsettled());
    assert_eq!(log.tiles().entries(0, 5).expect("read"), leaves(0, 5));
}

/// A disk that gives back other bytes than it was given: found by the self-check, before anything is signed.
#[test]
fn a_bit_flipped_between_writing_and_signing_is_found() {
    struct Flipping(Memory, usize);
    impl Store for Flipping {
        fn read(&self, key: &str) -> Result<Option<(Vec<u8>, store::Version)>, StoreError> {
            let mut read = self.0.read(key)?;
            if let Some((bytes, _)) = read.as_mut().filter(|_| key.starts_with("staging/")) {
                let at = self.1 % bytes.len();
                bytes[at] ^= 0x01;
            }
            Ok(read)
        }
        fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
            self.0.list(prefix)
        }
        fn create(&mut self, key: &str, bytes: &[u8]) -> Result<store::Created, StoreError> {
            self.0.create(key, bytes)
        }
        fn swap(&mut self, key: &str, old: Option<store::Version>, bytes: &[u8]) -> Result<store::Version, StoreError> {
            assert_ne!(key, "lock", "it was signed");
            self.0.swap(key, old, bytes)
        }
        fn delete(&mut self, key: &str) -> Result<(), StoreError> {
            self.0.delete(key)
        }
    }
    let store = Memory::new();
    let mut log = open(&store).expect("an empty log");
    log.append(&leaves(0, 300), Instant(1)).expect("appended");
    log.settle().expect("settled");
    let staged = {
        let copy = store.copy();
        copy.crash_at(1, Crash::Before);
        let mut log = open(&copy).expect("opens");
        log.append(&leaves(300, 310), Instant(1)).expect_err("crashed");
        copy.restart();
        let key = copy.list("staging/").expect("listed").remove(0);
        copy.read(&key).expect("read").expect("there").0.len()
    };
    for at in (0..staged).step_by(3) {
        let mut log = Log::open(Flipping(store.copy(), at), key(), |_, _| ()).expect("opens");
        let error = log.append(&leaves(300, 310), Instant(1)).expect_err("found").to_string();
        assert!(error.starts_with("state unknown: staging/310-"), "byte {at} of {staged}: {error}");
    }
}

/// In a log of which the last batch is in staging only, and in one at rest.
#[test]
fn a_flipped_byte_anywhere_is_found() {
    for at_rest in [false, true] {
        let store = Memory::new();
        let mut log = open(&store).expect("an empty log");
        for n in [3, 250, 20] {
            let size = log.size();
            let signed = log.append(&leaves(size, size + n), Instant(1)).expect("appended").checkpoint;
            log.publish(&signed).expect("published");
            if n == 250 || at_rest {
                log.settle().expect("settled");
            }
        }
        let keys = store.list("").expect("listed");
        assert_eq!(keys.len(), if at_rest { 7 } else { 5 }, "{keys:?}");
        for key in keys {
            let (bytes, _) = store.read(&key).expect("read").expect("there");
            for at in (0..bytes.len()).step_by(bytes.len() / 60 + 1) {
                let copy = store.copy();
                let mut flipped = bytes.clone();
                flipped[at] ^= 0x01;
                copy.tamper(&key, flipped);
                let error = open(&copy).expect_err("a flipped byte").to_string();
                let place = if error.contains(&key) { key.as_str() } else { "lock" };
                assert!(error.contains(place), "byte {at} of {key} was flipped, and blamed was {error}");
            }
            let copy = store.copy();
            copy.tamper(&key, bytes[..bytes.len() - 1].to_vec());
            assert!(open(&copy).is_err(), "{key} was cut and nobody noticed");
        }
    }
}

/// A start at the right edge does not read the whole log, and sees every byte that it goes on from.
#[test]
fn a_flipped_byte_at_the_edge_is_found_without_reading_the_rest() {
    for (size, at_rest) in [(256u64, true), (300, true), (300, false), (65_536, true), (65_800, true)] {
        let store = Memory::new();
        let mut log = open(&store).expect("an empty log");
        log.append(&leaves(0, size - 20), Instant(1)).expect("appended");
        log.settle().expect("settled");
        log.append(&leaves(size - 20, size), Instant(1)).expect("appended");
        if at_rest {
            log.settle().expect("settled");
        }
        let edge = Tile::all(size).filter(|tile| {
            let shift = if let Level::Hashes(level) = tile.level { 8 * u32::from(level) } else { 0 };
            tile.n == ((size >> shift) - 1) / tile::WIDTH
        });
        let staged = store.list("staging/").expect("listed");
        let named = edge.map(|tile| tile.to_string()).filter(|key| store.read(key).is_ok_and(|read| read.is_some()));
        let keys: Vec<String> = named.chain(staged).chain(["lock".to_string()]).collect();
        for name in &keys {
            let (bytes, _) = store.read(name).expect("read").expect("there");
            for at in (0..bytes.len()).step_by(bytes.len() / 40 + 1) {
                let copy = store.copy();
                let mut flipped = bytes.clone();
                flipped[at] ^= 0x01;
                copy.tamper(name, flipped);
                assert!(Log::resume(copy, key()).is_err(), "{size}: byte {at} of {name}");
            }
        }
        for other in store.list("tile/").expect("listed").iter().filter(|other| !keys.contains(other)) {
            if at_rest {
                store.tamper(other, b"not read".to_vec());
            }
        }
        let resumed = Log::resume(store.copy(), key()).expect("opens at its edge");
        assert_eq!((resumed.size(), resumed.tiles().root()), (size, log.tiles().root()));
    }
}

/// Staged, self-checked, signed, locked: two files, two folders. Tiles cost nothing until they are settled.
#[test]
fn a_batch_costs_four_syncs() {
    let root = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("four-syncs");
    let _ = std::fs::remove_dir_all(&root);
    let folder = store::Folder::open(&root).expect("a folder");
    let mut log = Log::open(folder, key(), |_, _| ()).expect("an empty log");
    let mut append = |n: u64, settle: bool| {
        let size = log.size();
        let before = log.tiles().store().syncs();
        log.append(&leaves(size, size + n), Instant(1)).expect("appended");
        if settle {
            log.settle().expect("settled");
        }
        log.tiles().store().syncs() - before
    };
    append(1, true);
    for n in [1, 1, 300, 4096] {
        assert_eq!(append(n, false), 4, "{n} entries");
    }
    let settled = append(1, true);
    assert!(settled <= 4 + 2 * (4_400 / 256 + 2) + 12, "{settled} syncs for all tiles of five batches");
}

#[test]
fn an_older_disk_than_the_world_has_seen_is_refused() {
    let store = Memory::new();
    let mut log = open(&store).expect("an empty log");
    log.append(&leaves(0, 5), Instant(1)).expect("appended");
    let (old_lock, _) = store.read("lock").expect("read").expect("there");
    let signed = log.append(&leaves(5, 9), Instant(1)).expect("appended").checkpoint;
    log.publish(&signed).expect("published");
    store.tamper("lock", old_lock);
    let error = open(&store).expect_err("refused").to_string();
    assert!(error.contains("older than what the world has seen"), "{error}");
}

#[test]
fn the_clock_must_not_go_back() {
    let mut log = open(&Memory::new()).expect("an empty log");
    log.append(&leaves(0, 1), Instant(100)).expect("appended");
    assert!(log.append(&leaves(1, 2), Instant(99)).is_err());
    log.append(&leaves(1, 2), Instant(100)).expect("an instant may last");
}

#[test]
fn a_copy_follows_only_what_the_log_promised() {
    let mut log = open(&Memory::new()).expect("an empty log");
    let copy_store = Memory::new();
    let mut copy = Follower::open(copy_store.clone(), key().vkey().clone(), |_, _| ()).expect("an empty copy");
    let one = log.append(&leaves(0, 300), Instant(1)).expect("appended").checkpoint.to_text();
    assert_eq!(copy.advance(one.as_bytes(), &leaves(0, 300)), Ok(Follow::Grown { from: 0, to: 300 }));
    assert_eq!(copy.advance(one.as_bytes(), &[] as &[Vec<u8>]), Ok(Follow::Same));
    let two = log.append(&leaves(300, 310), Instant(1)).expect("appended").checkpoint.to_text();
    assert!(matches!(
        copy.advance(two.as_bytes(), &leaves(300, 309)),
        Err(FollowError::Count { found: 9, expected: 10 })
    ));
    assert!(matches!(
        copy.advance(two.as_bytes(), &leaves(301, 311)),
        Err(FollowError::Tiles(TilesError::OtherRoot { .. }))
    ));
    assert_eq!(
        copy.advance(two.as_bytes(), &leaves(300, 310)),
        Ok(Follow::Grown { from: 300, to: 310 }),
        "wrong entries do not stop it"
    );
    assert_eq!(copy.advance(one.as_bytes(), &[] as &[Vec<u8>]), Ok(Follow::Older));
    let copy = Follower::open(copy_store, key().vkey().clone(), |_, _| ()).expect("opens again");
    assert_eq!(copy.tiles().root(), log.tiles().root());
}

#[test]
fn a_copy_that_crashes_shows_its_readers_what_it_holds() {
    let mut log = open(&Memory::new()).expect("an empty log");
    let one = log.append(&leaves(0, 3), Instant(1)).expect("appended").checkpoint.to_text();
    let two = log.append(&leaves(3, 7), Instant(1)).expect("appended").checkpoint.to_text();
    let follow = |store: &Memory| Follower::open(store.clone(), key().vkey().clone(), |_, _| ());
    for at in 0.. {
        let mut came = false;
        for kind in [Crash::Before, Crash::After] {
            let store = Memory::new();
            let mut copy = follow(&store).expect("an empty copy");
            copy.advance(one.as_bytes(), &leaves(0, 3)).expect("followed");
            store.crash_at(at, kind);
            let followed = copy.advance(two.as_bytes(), &leaves(3, 7));
            came |= store.has_crashed();
            assert_eq!(followed.is_ok(), !store.has_crashed());
            store.restart_without(|_| true);
            let mut copy = follow(&store).expect("heals");
            let held = copy.checkpoint().map(Note::to_text);
            assert!(held.as_ref() == Some(&one) || held.as_ref() == Some(&two), "write {at}, {kind:?}");
            assert_eq!(copy.tiles().public("checkpoint").expect("read"), held.map(String::into_bytes));
            assert_eq!(copy.tiles().public("lock"), Ok(None), "readers get no more than they may");
            let rest = leaves(copy.size(), 7);
            copy.advance(two.as_bytes(), &rest).expect("goes on");
            assert_eq!(copy.tiles().root(), log.tiles().root());
        }
        if !came {
            break;
        }
    }
}

#[test]
fn an_old_disk_heals_or_stops() {
    let (store, witnesses) = (Memory::new(), [witness_key(), key_of("g1"), key_of("g2")]);
    let mut log = open(&store).expect("an empty log");
    log.append(&leaves(0, 5), Instant(1)).expect("appended");
    let old = store.copy();
    let five = log.signed().expect("signed").to_text();
    let nine = log.append(&leaves(5, 9), Instant(1)).expect("appended").checkpoint.to_text();

    let start = |store: &Memory| {
        let mut log = open(store).expect("fits, though it is old");
        log.ask_first(2);
        log
    };
    let mut log = start(&old);
    assert!(matches!(log.append(&leaves(5, 6), Instant(2)), Err(LogError::Unconfirmed { found: 0, needed: 2 })));
    let ask = |log: &mut Log<Memory>, n: usize, answer: Option<&str>| {
        log.confirm(witnesses[n].vkey(), answer.map(str::as_bytes)).expect("read")
    };
    assert_eq!(ask(&mut log, 0, Some(&five)), Confirmation::Counted { answers: 1, needed: 2 });
    assert_eq!(ask(&mut log, 0, None), Confirmation::Counted { answers: 1, needed: 2 }, "one witness counts once");
    assert!(matches!(ask(&mut log, 1, Some(&five.replace("\n5\n", "\n4\n"))), Confirmation::Foreign(_)));
    let Confirmation::Ahead(newer) = ask(&mut log, 1, Some(&nine)) else { panic!("it is ahead") };
    log.restore(newer.to_text().as_bytes(), &leaves(6, 10)).expect_err("other entries");
    log.restore(newer.to_text().as_bytes(), &leaves(5, 9)).expect("the entries it signed for");
    assert_eq!(ask(&mut log, 1, Some(&nine)), Confirmation::Counted { answers: 2, needed: 2 });
    log.append(&leaves(9, 10), Instant(2)).expect("goes on");
    let again = open(&old).expect("opens again");
    assert_eq!(again.tiles().root(), naive_root(&leaves(0, 10)));

    // Two copies were written to: what the witness holds is not of this tree.
    let mut double = open(&Memory::new()).expect("its double");
    for n in [5, 2] {
        double.append(&leaves(20, 20 + n), Instant(1)).expect("appended");
    }
    for other in [double.signed().expect("signed").to_text(), {
        let mut small = open(&Memory::new()).expect("a small one");
        small.append(&leaves(30, 33), Instant(1)).expect("appended").checkpoint.to_text()
    }] {
        let mut log = start(&store);
        let Confirmation::Contradicted(evidence) = ask(&mut log, 2, Some(&other)) else { panic!("it is not") };
        assert!(evidence.is_proven(key().vkey()));
        assert!(!evidence.is_proven(&SecretKey::from_seed(ORIGIN, [8; 32]).expect("a key").vkey().clone()));
        let honest = Equivocation { root: Checkpoint::parse(&evidence.first.text).expect("one").root, ..*evidence };
        assert!(!honest.is_proven(key().vkey()));
        assert!(matches!(log.append(&leaves(9, 10), Instant(2)), Err(LogError::Contradicted)));
    }
}

#[test]
fn a_clock_behind_the_witnesses_signs_nothing() {
    let store = Memory::new();
    let mut log = open(&store).expect("an empty log");
    let mut note = log.append(&leaves(0, 5), Instant(1)).expect("appended").checkpoint;
    note.add(hamsaya_record::cosignature::sign(&note.text, 1000, &witness_key()).expect("cosigned"));
    log.publish(&note).expect("published");
    let mut log = open(&store).expect("opens again");
    assert!(matches!(log.append(&leaves(5, 6), Instant(939)), Err(LogError::ClockBack { .. })));
    log.append(&leaves(5, 6), Instant(940)).expect("within the allowed skew");
}

#[test]
fn two_heads_prove_themselves() {
    let (mut log, mut other) = (open(&Memory::new()).expect("a log"), open(&Memory::new()).expect("its double"));
    let mut copy = Follower::open(Memory::new(), key().vkey().clone(), |_, _| ()).expect("a copy");
    let one = log.append(&leaves(0, 5), Instant(1)).expect("appended").checkpoint;
    let two = other.append(&leaves(1, 6), Instant(1)).expect("appended").checkpoint;
    copy.advance(one.to_text().as_bytes(), &leaves(0, 5)).expect("followed");
    match copy.advance(two.to_text().as_bytes(), &[] as &[Vec<u8>]) {
        Err(FollowError::Inconsistent { ours, theirs }) => assert_eq!((*ours, *theirs), (one, two)),
        other => panic!("{other:?}"),
    }
}

fn ask(witness: &mut Witness<Memory>, old: u64, log: &Log<Memory>, now: i64) -> WitnessAnswer {
    let proof = log.tiles().prove_consistency(old, log.size()).expect("read").unwrap_or_default();
    let body = witness::request(old, &proof, log.signed().expect("signed"));
    witness.add_checkpoint(&body, Instant(now)).expect("a store that works")
}

#[test]
fn a_witness_answers_in_the_order_of_the_specification() {
    let store = Memory::new();
    let mut witness = Witness::open(store.clone(), witness_key(), [key().vkey().clone()]).expect("a witness");
    let mut log = open(&Memory::new()).expect("an empty log");
    log.append(&leaves(0, 5), Instant(1)).expect("appended");
    let check = |witness: &mut Witness<Memory>, body: &str| {
        witness.add_checkpoint(body.as_bytes(), Instant(50)).expect("works")
    };
    let note = log.signed().expect("signed").to_text();
    assert!(matches!(check(&mut witness, "old 0\n"), WitnessAnswer::Malformed(_)));
    assert_eq!(check(&mut witness, &format!("old 0\n\n{}", note.replace("p1.", "p9."))), WitnessAnswer::UnknownOrigin);
    assert!(matches!(
        check(&mut witness, &format!("old 0\n\n{}", note.replace("\n5\n", "\n6\n"))),
        WitnessAnswer::NotTrusted(_)
    ));
    assert!(matches!(check(&mut witness, &format!("old 9\n\n{note}")), WitnessAnswer::Malformed(_)), "old > size");
    for old in ["old 05", "old 0\r", "old +0", "old  0", "old 0\n", "old", "old 99999999999999999999", "new 0"] {
        let answer = check(&mut witness, &format!("{old}\n\n{note}"));
        assert!(matches!(answer, WitnessAnswer::Malformed(_) | WitnessAnswer::UnknownOrigin), "{old:?}: {answer:?}");
    }
    assert_eq!(check(&mut witness, &format!("old 3\n\n{note}")), WitnessAnswer::Conflict { size: 0 });
    let hash = "A".repeat(43) + "=";
    assert!(
        matches!(check(&mut witness, &format!("old 0\n{hash}\n\n{note}")), WitnessAnswer::Unproven(_)),
        "old 0 takes no proof"
    );
    assert!(witness.checkpoint(ORIGIN).is_none(), "nothing was cosigned yet");
    let WitnessAnswer::Cosigned(line) = ask(&mut witness, 0, &log, 50) else { panic!("cosigned") };
    let note = log.signed().expect("signed");
    assert_eq!(hamsaya_record::cosignature::verify(&note.text, &line, witness_key().vkey()), Some(50));

    log.append(&leaves(5, 9), Instant(1)).expect("appended");
    assert_eq!(ask(&mut witness, 4, &log, 51), WitnessAnswer::Conflict { size: 5 });
    let grown = log.signed().expect("signed").to_text();
    assert!(matches!(check(&mut witness, &format!("old 5\n{hash}\n\n{grown}")), WitnessAnswer::Unproven(_)));
    assert!(matches!(ask(&mut witness, 5, &log, 52), WitnessAnswer::Cosigned(_)));
    assert!(matches!(ask(&mut witness, 9, &log, 60), WitnessAnswer::Cosigned(_)), "the same size again is a heartbeat");

    let mut other = open(&Memory::new()).expect("its double");
    other.append(&leaves(1, 10), Instant(1)).expect("appended");
    assert!(matches!(ask(&mut witness, 9, &other, 61), WitnessAnswer::Unproven(_)), "another root for the same size");
    let evidence = witness.contradiction(other.signed().expect("signed")).expect("two roots of one size");
    assert!(evidence.is_proven(key().vkey()));
    assert_eq!(witness.contradiction(log.signed().expect("signed")), None);

    let again = Witness::open(store.clone(), witness_key(), [key().vkey().clone()]).expect("opens again");
    assert_eq!(again.checkpoint(ORIGIN), witness.checkpoint(ORIGIN));
    assert_eq!(again.checkpoint_by_hash(&witness::origin_hash(ORIGIN)), witness.checkpoint(ORIGIN));
    let state = store.list("").expect("listed").remove(0);
    let (bytes, _) = store.read(&state).expect("read").expect("there");
    for at in 0..bytes.len() {
        let copy = store.copy();
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x01;
        copy.tamper(&state, flipped);
        assert!(
            Witness::open(copy, witness_key(), [key().vkey().clone()]).is_err(),
            "byte {at} of its state was flipped"
        );
    }
}

#[test]
fn a_witness_waits_for_a_clock_that_was_set_back_a_little() {
    let store = Memory::new();
    let open_witness = || Witness::open(store.clone(), witness_key(), [key().vkey().clone()]).expect("a witness");
    let mut witness = open_witness();
    let mut log = open(&Memory::new()).expect("an empty log");
    log.append(&leaves(0, 5), Instant(1)).expect("appended");
    assert!(matches!(ask(&mut witness, 0, &log, 1000), WitnessAnswer::Cosigned(_)));
    let back = |now| WitnessAnswer::ClockBack { before: Instant(1000), now: Instant(now) };
    assert_eq!(ask(&mut witness, 5, &log, 999), back(999));
    let mut witness = open_witness();
    assert_eq!(ask(&mut witness, 5, &log, 940), back(940), "it is remembered");
    assert!(matches!(ask(&mut witness, 5, &log, 1000), WitnessAnswer::Cosigned(_)), "the same instant is not back");
    // Ahead by more than an honest clock can be, it was wrong, and is right again.
    assert!(matches!(ask(&mut witness, 5, &log, 939), WitnessAnswer::Cosigned(_)));
}

#[test]
fn a_witness_that_crashes_never_tells_two_stories() {
    for crash in [Crash::Before, Crash::After, Crash::Torn] {
        let store = Memory::new();
        let (mut log, mut other) = (open(&Memory::new()).expect("a log"), open(&Memory::new()).expect("its double"));
        log.append(&leaves(0, 5), Instant(1)).expect("appended");
        other.append(&leaves(1, 6), Instant(1)).expect("appended");
        let mut witness = Witness::open(store.clone(), witness_key(), [key().vkey().clone()]).expect("a witness");
        store.crash_at(0, crash);
        let body = witness::request(0, &[], log.signed().expect("signed"));
        assert!(witness.add_checkpoint(&body, Instant(50)).is_err(), "nothing is answered that is not durable");
        store.restart();
        let mut witness = Witness::open(store, witness_key(), [key().vkey().clone()]).expect("opens again");
        let answer = ask(&mut witness, 0, &other, 51);
        match crash {
            Crash::Before | Crash::Torn => assert!(matches!(answer, WitnessAnswer::Cosigned(_))),
            Crash::After => assert_eq!(answer, WitnessAnswer::Conflict { size: 5 }),
        }
    }
}

#[test]
fn a_folder_is_held_by_one_and_grows_as_memory_does() {
    let root = std::env::temp_dir().join(format!("hamsaya-growth-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&root);
    let folder = || hamsaya_record::store::Folder::open(&root);
    let mut log = Log::open(folder().expect("opens"), key(), |_, _| ()).expect("an empty log");
    assert!(folder().expect_err("held").to_string().contains("another process holds this log"));
    let memory = Memory::new();
    let mut twin = open(&memory).expect("an empty log");
    for n in [1u64, 300, 2] {
        let size = log.size();
        for log in [&mut log as &mut dyn Grow, &mut twin] {
            log.grow(&leaves(size, size + n));
        }
    }
    let disk = hamsaya_record::store::Folder::read_only(&root);
    assert_eq!(disk.list("").expect("listed"), memory.list("").expect("listed"));
    for key in memory.list("").expect("listed") {
        assert_eq!(disk.read(&key).expect("read"), memory.read(&key).expect("read"), "{key}");
    }
    drop(log);
    Log::open(folder().expect("free again"), key(), |_, _| ()).expect("opens again");
    std::fs::remove_dir_all(&root).expect("removed");
}

trait Grow {
    fn grow(&mut self, leaves: &[Vec<u8>]);
}

impl<S: Store> Grow for Log<S> {
    fn grow(&mut self, leaves: &[Vec<u8>]) {
        self.append(leaves, Instant(1)).expect("appended");
    }
}

/// Readers elsewhere refuse two lines of one key, so they get the latest, which says how fresh the log is; the earliest, which
/// says since when its entries are there, is kept, whatever crashes.
#[test]
fn readers_get_one_line_of_each_key_and_the_log_keeps_the_earliest_and_the_latest() {
    let times = |note: &Note| -> Vec<u64> { note.signatures.iter().filter_map(cosignature::time).collect() };
    let cosigned = |note: &Note, at: &[u64]| {
        let mut note = note.clone();
        for time in at {
            note.add(cosignature::sign(&note.text, *time, &witness_key()).expect("signed"));
        }
        note
    };
    let shown = |store: &Memory| {
        let (bytes, _) = store.read("checkpoint").expect("read").expect("there");
        times(&Note::parse(&bytes).expect("a note"))
    };
    for write in 0.. {
        let mut came = false;
        for kind in [Crash::Before, Crash::After] {
            let store = Memory::new();
            let mut log = open(&store).expect("an empty log");
            let signed = log.append(&leaves(0, 3), Instant(1)).expect("appended").checkpoint;
            log.publish(&cosigned(&signed, &[100])).expect("published");
            assert_eq!((shown(&store), store.read("cosigned").expect("read")), (vec![100], None));
            store.crash_at(write, kind);
            let published = [160, 220].map(|time| log.publish(&cosigned(&signed, &[time])));
            came |= store.has_crashed();
            assert_eq!(published.iter().all(Result::is_ok), !store.has_crashed());
            store.restart_without(|_| true);
            let mut log = open(&store).expect("heals");
            let kept = times(log.published().expect("published"));
            assert_eq!(kept.iter().min(), Some(&100), "write {write}, {kind:?}: {kept:?}");
            assert_eq!(shown(&store).len(), 1);
            log.publish(&cosigned(&signed, &[220])).expect("published");
            assert_eq!((times(log.published().expect("published")), shown(&store)), (vec![220, 100], vec![220]));
            // What was kept of a smaller tree is no part of the next.
            let next = log.append(&leaves(3, 5), Instant(301)).expect("appended").checkpoint;
            log.publish(&cosigned(&next, &[300])).expect("published");
            let log = open(&store).expect("opens");
            assert_eq!((times(log.published().expect("published")), shown(&store)), (vec![300], vec![300]));
        }
        if !came {
            assert!(write >= 3, "{write} writes");
            break;
        }
    }
    let store = Memory::new();
    let mut copy = Follower::open(store.clone(), key().vkey().clone(), |_, _| ()).expect("an empty copy");
    let signed = open(&Memory::new()).expect("a log").append(&leaves(0, 3), Instant(1)).expect("appended").checkpoint;
    for time in [100, 160, 220] {
        let note = cosigned(&signed, &[time]).to_text();
        copy.advance(note.as_bytes(), &leaves(copy.size(), 3)).expect("followed");
    }
    assert_eq!((times(copy.checkpoint().expect("held")), shown(&store)), (vec![100, 220], vec![220]));
    let copy = Follower::open(store.clone(), key().vkey().clone(), |_, _| ()).expect("opens");
    assert_eq!((times(copy.checkpoint().expect("held")), shown(&store)), (vec![100, 220], vec![220]));
}
