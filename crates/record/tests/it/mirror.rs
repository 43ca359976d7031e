//! A mirror that is sent a log's entries: whole, in parts, twice, wrong, and beside a copy that grows by itself.
use hamsaya_record::checkpoint::Checkpoint;
use hamsaya_record::cosignature;
use hamsaya_record::follower::Follower;
use hamsaya_record::instant::Instant;
use hamsaya_record::key::SecretKey;
use hamsaya_record::log::Log;
use hamsaya_record::merkle::Hash;
use hamsaya_record::mirror::{self, Holding, Mirror, MirrorAnswer, Taken};
use hamsaya_record::note::Note;
use hamsaya_record::store::Memory;
use hamsaya_record::witness::{self, WitnessAnswer};
use proptest::prelude::*;

const ORIGIN: &str = "p1.example/hamsaya/1";
const NOW: Instant = Instant(1_795_550_400);

fn key() -> SecretKey {
    SecretKey::from_seed(ORIGIN, [7; 32]).expect("a key")
}

fn mirror_key() -> SecretKey {
    SecretKey::cosigner_from_seed("p2.example/mirror", [8; 32]).expect("a key")
}

/// A log and somebody who mirrors it.
struct Town {
    log: Log<Memory>,
    copy: Follower<Memory>,
    mirror: Mirror<Memory>,
    store: Memory,
}

impl Town {
    fn new() -> Town {
        let log = Log::open(Memory::new(), key(), |_, _| ()).expect("a log");
        let copy = Follower::open(Memory::new(), key().vkey().clone(), |_, _| ()).expect("a copy");
        let store = Memory::new();
        let mirror = Mirror::open(store.clone(), mirror_key(), [key().vkey().clone()]).expect("a mirror");
        Town { log, copy, mirror, store }
    }

    /// As after a kill.
    fn restart(&mut self) {
        self.store = self.store.copy();
        self.mirror = Mirror::open(self.store.clone(), mirror_key(), [key().vkey().clone()]).expect("opens again");
    }

    /// The log grows to this size; its checkpoint.
    fn grow(&mut self, size: u64) -> Note {
        let leaves: Vec<Vec<u8>> = (self.log.size()..size).map(|n| format!("entry {n}").into_bytes()).collect();
        if !leaves.is_empty() {
            self.log.append(&leaves, NOW).expect("appended");
        }
        self.log.tiles().lock().expect("a checkpoint").clone()
    }

    fn announce(&mut self, old: u64, note: &Note) -> Option<WitnessAnswer> {
        let size = Checkpoint::parse(&note.text).expect("a checkpoint").size;
        let proof = self.log.tiles().prove_consistency(old, size).expect("hashes").unwrap_or_default();
        let body = witness::request(old, &proof, note);
        let copy = self.copy.checkpoint().map(|_| (self.copy.size(), self.copy.tiles().root()));
        self.mirror.add_checkpoint(&body, |_| copy, |note| Some(note.clone())).expect("stored")
    }

    fn upload(&self, start: u64, end: u64) -> Vec<u8> {
        mirror::upload(self.log.tiles(), ORIGIN, start, end, b"").expect("entries")
    }

    /// As a node does: the copy follows once all is there, then the mirror signs.
    fn send(&mut self, body: &[u8]) -> MirrorAnswer {
        let tiles = self.copy.tiles();
        match self.mirror.add_entries(body, |origin| (origin == ORIGIN).then_some(tiles)).expect("read") {
            Taken::Answer(answer) => answer,
            Taken::Complete { origin, note, size, leaves } => {
                if size > self.copy.size() {
                    self.copy.advance(note.to_text().as_bytes(), &leaves).expect("followed");
                }
                self.mirror.cosign(&origin, size, self.copy.tiles(), NOW).expect("signed")
            }
        }
    }

    #[track_caller]
    fn is_mirrored(&self, answer: &MirrorAnswer, note: &Note) {
        let MirrorAnswer::Cosigned(signature) = answer else { panic!("{answer:?}") };
        assert_eq!(cosignature::verify(&note.text, signature, mirror_key().vkey()), Some(NOW.0 as u64));
        let size = Checkpoint::parse(&note.text).expect("a checkpoint").size;
        let root = self.log.tiles().root_at(size).expect("a root");
        assert_eq!(self.copy.tiles().root_at(size), Ok(root));
        let shown = self.mirror.checkpoint_by_hash(&witness::origin_hash(ORIGIN)).expect("a checkpoint is shown");
        assert!(shown.signatures.contains(signature) && shown.text == note.text);
        shown.verify([key().vkey(), mirror_key().vkey()]).expect("the log's signature stays");
    }
}

fn holding(size: u64, next: u64) -> Holding {
    Holding { size, next, ticket: Vec::new() }
}

#[test]
fn a_log_is_mirrored_as_it_grows() {
    let mut town = Town::new();
    let mut old = 0;
    for size in [1, 2, 255, 256, 257, 700, 701, 1024, 1025, 3000] {
        let note = town.grow(size);
        assert_eq!(town.announce(old, &note), None);
        let body = town.upload(old, size);
        let answer = town.send(&body);
        town.is_mirrored(&answer, &note);
        old = size;
    }
    // Nothing to send: only to be signed anew.
    let note = town.grow(3000);
    let body = town.upload(3000, 3000);
    let answer = town.send(&body);
    town.is_mirrored(&answer, &note);
}

#[test]
fn what_is_too_long_for_one_request_comes_in_several() {
    let mut town = Town::new();
    let size = 256 * 33 + 5;
    let note = town.grow(size);
    assert_eq!(town.announce(0, &note), None);
    let first = town.upload(0, size);
    assert_eq!(town.send(&first), MirrorAnswer::Partial(holding(size, 256 * 32)));
    let rest = town.upload(256 * 32, size);
    let answer = town.send(&rest);
    town.is_mirrored(&answer, &note);
}

#[test]
fn a_request_that_broke_off_is_gone_on_with_from_where_it_was() {
    let mut town = Town::new();
    let note = town.grow(700);
    assert_eq!(town.announce(0, &note), None);
    let whole = town.upload(0, 700);
    assert!(matches!(town.send(&whole[..2_000]), MirrorAnswer::Malformed(_)), "no whole package");
    assert_eq!(town.send(&whole[..whole.len() - 1]), MirrorAnswer::Partial(holding(700, 512)));
    // From the middle of what is held: the rest of a package's entries are known already.
    for start in [300, 512] {
        let rest = town.upload(start, 700);
        let cut = rest.len() - 1;
        let found = town.send(&rest[..cut]);
        match start {
            512 => assert!(matches!(found, MirrorAnswer::Malformed(_)), "{found:?}"),
            _ => assert_eq!(found, MirrorAnswer::Partial(holding(700, 512))),
        }
    }
    let rest = town.upload(512, 700);
    let answer = town.send(&rest);
    town.is_mirrored(&answer, &note);
}

#[test]
fn a_mirror_that_was_killed_says_from_where_to_go_on() {
    let mut town = Town::new();
    let note = town.grow(700);
    assert_eq!(town.announce(0, &note), None);
    let whole = town.upload(0, 700);
    assert_eq!(town.send(&whole[..whole.len() - 1]), MirrorAnswer::Partial(holding(700, 512)));
    town.restart();
    let rest = town.upload(512, 700);
    assert_eq!(town.send(&rest), MirrorAnswer::Conflict(holding(700, 0)), "what was announced is remembered");
    let answer = town.send(&whole);
    town.is_mirrored(&answer, &note);
    // What it signed it remembers, and shows.
    town.restart();
    town.is_mirrored(&answer, &note);
}

#[test]
fn every_answer_of_the_specification() {
    let mut town = Town::new();
    let first = town.grow(300);
    // Nothing was announced.
    let body = town.upload(0, 300);
    assert_eq!(town.send(&body), MirrorAnswer::Conflict(holding(0, 0)));
    assert_eq!(town.announce(0, &first), None);
    assert_eq!(town.announce(0, &first), Some(WitnessAnswer::Conflict { size: 300 }));
    // To ask what it holds.
    let ask = mirror::upload(town.log.tiles(), ORIGIN, 0, 0, b"").expect("a request");
    assert_eq!(town.send(&ask), MirrorAnswer::Conflict(holding(300, 0)));
    let unknown = mirror::upload(town.log.tiles(), "p9.example/hamsaya/1", 0, 300, b"").expect("a request");
    assert_eq!(town.send(&unknown), MirrorAnswer::UnknownOrigin);
    assert!(matches!(town.send(b"\x00"), MirrorAnswer::Malformed(_)));
    assert!(matches!(town.send(&body[..40]), MirrorAnswer::Malformed(_)), "no package");
    let ahead = town.upload(256, 300);
    assert_eq!(town.send(&ahead), MirrorAnswer::Conflict(holding(300, 0)), "begins after what is held");
    // One wrong byte in an entry, then in a proof.
    for at in [60, body.len() - 1] {
        let mut wrong = body.clone();
        wrong[at] ^= 1;
        let found = town.send(&wrong);
        assert!(matches!(found, MirrorAnswer::Unproven(_)), "byte {at}: {found:?}");
    }
    assert_eq!(
        town.send(&ask),
        MirrorAnswer::Conflict(holding(300, 256)),
        "the first package of the last request was right"
    );
    // Another checkpoint meanwhile: up to the first one may still be sent, and no rewinding after the second.
    let second = town.grow(400);
    assert_eq!(town.announce(300, &second), None);
    let answer = town.send(&body);
    town.is_mirrored(&answer, &first);
    let rest = town.upload(300, 400);
    let answer = town.send(&rest);
    town.is_mirrored(&answer, &second);
    assert_eq!(town.send(&body), MirrorAnswer::Conflict(holding(400, 400)));
    // A ticket of somebody else's does no harm.
    let with_ticket = mirror::upload(town.log.tiles(), ORIGIN, 400, 400, b"somebody's").expect("a request");
    let answer = town.send(&with_ticket);
    town.is_mirrored(&answer, &second);
}

/// The copy follows by itself too: what came both ways is kept once.
#[test]
fn beside_a_copy_that_is_pulled() {
    let mut town = Town::new();
    let first = town.grow(300);
    let early: Vec<Vec<u8>> = town.log.tiles().entries(0, 300).expect("entries");
    let second = town.grow(600);
    assert_eq!(town.announce(0, &second), None);
    let body = town.upload(0, 600);
    let half = mirror::upload(town.log.tiles(), ORIGIN, 0, 600, b"").expect("a request");
    let cut = half.len() - 200;
    assert_eq!(town.send(&half[..cut]), MirrorAnswer::Partial(holding(600, 512)));
    town.copy.advance(first.to_text().as_bytes(), &early).expect("followed");
    let rest = town.upload(512, 600);
    let answer = town.send(&rest);
    town.is_mirrored(&answer, &second);
    // It is past what was announced: that is taken as known.
    let third = town.grow(900);
    let more = town.log.tiles().entries(600, 900).expect("entries");
    town.copy.advance(third.to_text().as_bytes(), &more).expect("followed");
    let fourth = town.grow(901);
    assert_eq!(town.announce(600, &fourth), Some(WitnessAnswer::Conflict { size: 900 }));
    assert_eq!(town.announce(900, &fourth), None);
    // The size signed last may be signed anew; an upload that ends before it is too late.
    let answer = town.send(&body);
    town.is_mirrored(&answer, &second);
    let last = town.upload(900, 901);
    let answer = town.send(&last);
    town.is_mirrored(&answer, &fourth);
}

#[test]
fn a_clock_that_goes_back_is_waited_for_and_nothing_smaller_is_signed() {
    let mut town = Town::new();
    let note = town.grow(3);
    assert_eq!(town.announce(0, &note), None);
    let body = town.upload(0, 3);
    assert!(matches!(town.send(&body), MirrorAnswer::Cosigned(_)));
    let kept = town.mirror.cosign(ORIGIN, 3, town.copy.tiles(), NOW.plus(-1)).expect("read");
    assert!(matches!(kept, MirrorAnswer::Cosigned(_)), "what was signed is shown again: {kept:?}");
    let note = town.grow(4);
    assert_eq!(town.announce(3, &note), None);
    let more = town.log.tiles().entries(3, 4).expect("entries");
    town.copy.advance(note.to_text().as_bytes(), &more).expect("followed");
    let early = town.mirror.cosign(ORIGIN, 4, town.copy.tiles(), NOW.plus(-1)).expect("read");
    assert!(matches!(early, MirrorAnswer::Busy(_)), "{early:?}");
    assert!(matches!(town.mirror.cosign(ORIGIN, 2, town.copy.tiles(), NOW), Ok(MirrorAnswer::Conflict(_))));
}

#[test]
fn what_a_mirror_holds_is_three_lines() {
    assert_eq!(Holding::parse("700\n512\n\n"), Some(holding(700, 512)));
    let with_ticket = Holding { size: 0, next: 0, ticket: b"resume".to_vec() };
    assert_eq!(Holding::parse(&with_ticket.to_text()), Some(with_ticket));
    for other in ["", "700\n512\n", "700\n512", "0700\n512\n\n", "700\n-1\n\n", "700\n512\n\n\n", "700\n512\n?\n"] {
        assert_eq!(Holding::parse(other), None, "{other:?}");
    }
}

proptest! {
    /// Foreign bytes are answered, and wrong ones never reach the copy.
    #[test]
    fn foreign_bytes(noise: Vec<u8>, place in 0usize..12_000, byte: u8, cut in 0usize..12_000) {
        let mut town = Town::new();
        let note = town.grow(300);
        town.announce(0, &note);
        let mut body = town.upload(0, 300);
        if let Some(at) = body.get_mut(place) {
            *at = byte;
        }
        body.truncate(cut);
        let head = town.upload(0, 300)[..40].to_vec();
        for body in [noise.clone(), [head, noise].concat(), body] {
            if let MirrorAnswer::Cosigned(_) = town.send(&body) {
                let root: Hash = town.log.tiles().root();
                prop_assert_eq!(town.copy.tiles().root(), root);
            }
        }
    }
}
