//! The attack table of the record's design: every row, and the tests that carry it out. What the record stops by itself is
//! tested here; what takes several nodes, in `crates/node/tests/it/in_memory.rs`.
//!
//! ```text
//! split view            split_view_of_a_party_and_one_witness_never_meets_two_quorums
//!                       split_view_cosignatures_on_another_tree_time_nothing
//!                       split_view_disputes_what_lies_beyond_the_last_common_head
//!                       node: split_view_settles_no_verdict_by_what_its_keeper_says
//! backdating            backdating_an_entry_is_not_logged_before_the_witnesses_last_saw_the_log_without_it
//!                       backdating_times_that_cross_are_disputed
//! backfill              backfill_must_be_what_the_hole_was_left_by_and_is_logged_when_it_came
//! reading removed       reading_removed_or_rewritten_is_seen
//! reading replayed      reading_replayed_counts_once_and_nowhere_else
//! false reading         false_reading_needs_the_key_of_the_device
//! withholding           node: withholding_a_log_from_one_party_withholds_nothing
//!                       node: withholding_by_an_old_checkpoint_withholds_nothing
//! veto by silence       veto_by_silence_of_one_witness_holds_nothing_up
//!                       node: veto_by_silence_three_of_four_witnesses_are_enough_and_two_are_not
//! stolen key            stolen_key_gets_no_cosignature_on_another_log_and_is_proven
//!                       stolen_key_makes_no_other_follow_it
//!                       stolen_key_disputes_what_it_signed_once_others_bear_it_out
//!                       node: stolen_key_settles_no_verdict_by_what_it_signed
//! old disk              old_disk_signs_nothing_before_the_witnesses_are_heard
//!                       node: old_disk_takes_back_what_the_world_has_seen
//!                       node: old_disk_that_is_older_than_any_copy_stops
//! private data          node: verdicts_split_by_private_data_are_refused
//! late cosignatures     verdicts_split_by_late_cosignatures_are_not
//! flood                 flood_is_bounded_in_every_direction
//!                       node: flood_of_refused_statements_is_an_entry_a_minute
//! guessed salts         guessed_salts_a_disclosure_with_a_short_salt_is_refused
//! ```
//! A reading of both sides' sensors is the agreement's to ask for.
use crate::keys::{self, CHAIR};
use crate::world::{P1, START, World, Writer, cosign, uuid};
use hamsaya_record::accept::{Acceptance, Accepted, Reason, Refusal};
use hamsaya_record::checkpoint::Checkpoint;
use hamsaya_record::envelope::{Envelope, INTAKE_BYTES_MAX, PAYLOAD_BYTES_MAX};
use hamsaya_record::exhibit::{self, Parts, Step, WriteError};
use hamsaya_record::follower::{FollowError, Follower};
use hamsaya_record::instant::Instant;
use hamsaya_record::key::{Role, SecretKey, Vkey};
use hamsaya_record::keyring::{Following, KeyChange};
use hamsaya_record::log::{Confirmation, Log, LogError};
use hamsaya_record::logs::{Head, Logged, Logs, VerifiedLog};
use hamsaya_record::note::{Note, SIGNATURES_MAX};
use hamsaya_record::statement::{
    Act, FieldValue, ITEMS_MAX, Occurred, Precision, Reference, Rel, Statement, StatementId,
};
use hamsaya_record::store::Memory;
use hamsaya_record::tiles::TilesError;
use hamsaya_record::verify::Replay;
use hamsaya_record::witness::{self, Witness, WitnessAnswer};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The log as a reader holds it, under its newest head.
fn read(writer: &Writer<Memory>) -> VerifiedLog {
    let origin = writer.log.origin();
    let mut replay = Replay::new(origin);
    let size = writer.log.size();
    let leaves = writer.log.tiles().entries(0, size).unwrap();
    leaves.iter().enumerate().for_each(|(index, leaf)| replay.leaf(index as u64, leaf));
    let root = writer.log.tiles().root();
    replay.under(Head { origin: origin.to_owned(), size, root })
}

fn logs(writer: &Writer<Memory>) -> Logs {
    Logs::verified(&Arc::new(writer.world.founding.clone()), vec![read(writer)])
}

fn within(logs: &Logs, index: u64) -> Option<(i64, i64)> {
    let n = logs.entries().iter().position(|e| e.index == index).unwrap();
    logs.logged_at(n, Instant(i64::MAX)).map(|at| (at.lo.0.saturating_sub(START), at.hi.0 - START))
}

/// A log that shows two trees: what witnesses saw of the other one times nothing here, whichever way it would move.
#[test]
fn split_view_cosignatures_on_another_tree_time_nothing() {
    let mut writer = Writer::new(Memory::new());
    let index = writer.notice(START + 10);
    let honest = writer.cosigned(&[("p2", START + 30), ("g1", START + 31), ("g2", START + 32)]);
    let other_tree = |size: u64, times: &[(&str, i64)]| -> Note {
        let checkpoint = Checkpoint { origin: P1.to_owned(), size, root: [0x0B; 32] };
        cosign(&writer.world, &checkpoint.sign(writer.world.key(P1)), times)
    };
    // An early hi, and a late lo.
    let early = other_tree(2, &[("p2", START + 1), ("g1", START + 1), ("o1", START + 1)]);
    let late = other_tree(1, &[("p2", START + 90), ("g1", START + 90), ("g2", START + 90), ("o1", START + 90)]);
    // Beyond the head nobody can say which tree it is.
    let beyond = other_tree(99, &[("p2", START + 2), ("g1", START + 2), ("o1", START + 2)]);
    writer.carry(&[&early, &late, &beyond], START + 95);
    assert_eq!(within(&logs(&writer), index), None);
    writer.carry(&[&honest], START + 96);
    let found = logs(&writer);
    assert_eq!(within(&found, index), Some((i64::MIN, 32)));
    assert_eq!(found.cosigned(Instant(i64::MAX)).len(), 3, "whoever asks for cosignatures gets those of this tree");
    // Cut to where the cosignatures were not logged yet.
    let head = Head { origin: P1.to_owned(), size: 3, root: [0; 32] };
    assert_eq!(within(&found.cut(&[head]), index), None);
}

/// P1's key signed another tree. What a quorum had before stands; what came after is there, and settles nothing from when a
/// log shows both trees.
#[test]
fn split_view_disputes_what_lies_beyond_the_last_common_head() {
    let times = |after: i64| ["p2", "g1", "g2"].map(|witness| (witness, START + after));
    let tree = |writer: &Writer<Memory>, size: u64, root: u8| -> Note {
        Checkpoint { origin: P1.to_owned(), size, root: [root; 32] }.sign(writer.world.key(P1))
    };
    // A log with an entry before a quorum cosigned it, one after, and one that shows these notes.
    let shown = |notes: &dyn Fn(&Writer<Memory>) -> Vec<Note>| {
        let mut writer = Writer::new(Memory::new());
        let before = writer.notice(START + 10);
        let common = writer.cosigned(&times(20));
        writer.carry(&[&common], START + 21);
        let after = writer.notice(START + 30);
        let later = writer.cosigned(&times(40));
        writer.carry(&[&later], START + 41);
        let mut said = writer.statement(Act::Record, "equivocation");
        let notes = notes(&writer).iter().map(|note| FieldValue::Text(note.to_text())).collect();
        said.fields.insert("origin".to_owned(), FieldValue::Text(P1.to_owned()));
        said.fields.insert("notes".to_owned(), FieldValue::List(notes));
        let showing = writer.say(&said, START + 50);
        let last = writer.cosigned(&times(60));
        writer.carry(&[&last], START + 61);
        let logs = logs(&writer);
        let known = |index: u64, known_by: i64| {
            let n = logs.entries().iter().position(|e| e.index == index).unwrap();
            logs.logged(n, Instant(START + known_by))
        };
        let head = Head { origin: P1.to_owned(), size: showing, root: [0; 32] };
        let cut = logs.cut(&[head]);
        assert!((0..cut.entries().len()).all(|n| !matches!(cut.logged(n, Instant(i64::MAX)), Logged::Equivocated(_))));
        // Before it is known that anything is wrong, nothing is.
        assert!(matches!(known(after, 59), Logged::Within(_)));
        (known(before, 99), known(after, 99))
    };
    let is_disputed = |logged: Logged| match logged {
        Logged::Equivocated(at) => at.hi == Instant(START + 40),
        _ => false,
    };
    // Another tree of a size that we hold, and two of a size beyond.
    let (before, after) = shown(&|writer| vec![tree(writer, 4, 0x0B)]);
    assert!(matches!(before, Logged::Within(at) if at.hi == Instant(START + 20)));
    assert!(is_disputed(after), "{after:?}");
    let (before, after) = shown(&|writer| vec![tree(writer, 99, 0x0B), tree(writer, 99, 0x0C)]);
    assert!(matches!(before, Logged::Within(_)));
    assert!(matches!(after, Logged::Within(_)), "a quorum cosigned it before that size");
    // Of size 2 there is no common head but the founding.
    let (before, after) = shown(&|writer| vec![tree(writer, 2, 0x0B)]);
    assert!(matches!(before, Logged::Equivocated(_)));
    assert!(is_disputed(after), "{after:?}");
    // What is no other tree of this log, or not signed by it, accuses nobody.
    let own = |writer: &Writer<Memory>| writer.cosigned(&times(40));
    let unsigned = |writer: &Writer<Memory>| {
        Checkpoint { origin: P1.to_owned(), size: 4, root: [0x0B; 32] }.sign(writer.world.key("p2.example/hamsaya/1"))
    };
    let accused_falsely: [&dyn Fn(&Writer<Memory>) -> Vec<Note>; 4] = [
        &|writer| vec![own(writer), own(writer)],
        &|writer| vec![unsigned(writer)],
        &|writer| vec![tree(writer, 99, 0x0B)],
        &|_| Vec::new(),
    ];
    for notes in accused_falsely {
        let (before, after) = shown(notes);
        assert!(matches!((before, after), (Logged::Within(_), Logged::Within(_))));
    }
}

/// The log's own clock and what it says of itself move nothing, and a checkpoint without the entry says since
/// when it can have been there.
#[test]
fn backdating_an_entry_is_not_logged_before_the_witnesses_last_saw_the_log_without_it() {
    let mut writer = Writer::new(Memory::new());
    let without = writer.cosigned(&[("p2", START + 500), ("g1", START + 501), ("g2", START + 502)]);
    // It says that it was stated at the beginning, and the log's clock agrees.
    let index = writer.notice(START + 1);
    let with = writer.cosigned(&[("p2", START + 600), ("g1", START + 601), ("g2", START + 602)]);
    writer.carry(&[&without, &with], START + 603);
    assert_eq!(within(&logs(&writer), index), Some((500, 602)));
}

/// More witnesses lie than the policy bears: no interval is made up, and the judge is told so.
#[test]
fn backdating_times_that_cross_are_disputed() {
    let mut writer = Writer::new(Memory::new());
    let without = writer.cosigned(&[("g1", START + 90), ("g2", START + 91), ("o1", START + 92)]);
    let index = writer.notice(START + 10);
    let with = writer.cosigned(&[("p2", START + 30), ("g1", START + 31), ("g2", START + 32)]);
    writer.carry(&[&without, &with], START + 95);
    let found = logs(&writer);
    let n = found.entries().iter().position(|e| e.index == index).unwrap();
    let disputed = Logged::Disputed { by: Instant(START + 32), not_before: Instant(START + 90) };
    assert_eq!(found.logged(n, Instant(i64::MAX)), disputed);
    assert_eq!(found.logged_at(n, Instant(i64::MAX)), None);
    // While the later times are not known yet, nothing crosses.
    assert_eq!(within(&found, index), None);
    assert!(matches!(found.logged(n, Instant(START + 50)), Logged::Within(at) if at.hi == Instant(START + 32)));
}

/// A log of P1 with the founding and one more entry.
fn log_with(world: &World, leaf: &[u8]) -> Log<Memory> {
    let mut log = Log::open(Memory::new(), world.key(P1).clone(), |_, _| ()).unwrap();
    log.append(&[world.founding_leaf.clone(), leaf.to_vec()], Instant(START)).unwrap();
    log
}

fn witness_of(world: &World, name: &str) -> Witness<Memory> {
    let key = world.key(&format!("{name}.example/witness")).clone();
    Witness::open(Memory::new(), key, [world.key(P1).vkey().clone()]).unwrap()
}

/// P1 shows one tree to some and another to the rest, and P2's witness signs whatever it gets. However the three honest
/// witnesses are won, and though all are asked for both, no two trees meet a quorum.
#[test]
fn split_view_of_a_party_and_one_witness_never_meets_two_quorums() {
    let world = World::new();
    let trees = [log_with(&world, b"shown to P2"), log_with(&world, b"shown to G1")];
    let policy = world.founding.policy(P1).unwrap();
    let numbers = policy.numbers().unwrap();
    assert!(2 * numbers.q > numbers.n + numbers.f, "two readers' quorums share an honest witness");
    for shown_first in 0..8 {
        let liar = world.key("p2.example/witness").vkey().clone();
        let mut met: [Vec<Vkey>; 2] = [vec![liar.clone()], vec![liar]];
        for (n, name) in ["g1", "g2", "o1"].into_iter().enumerate() {
            let mut witness = witness_of(&world, name);
            let first = shown_first >> n & 1;
            for (old, tree) in [(0, first), (2, 1 - first)] {
                let body = witness::request(old, &[], trees[tree].signed().unwrap());
                match witness.add_checkpoint(&body, Instant(START)).unwrap() {
                    WitnessAnswer::Cosigned(_) => met[tree].push(witness.vkey().clone()),
                    answer => assert!(matches!(answer, WitnessAnswer::Unproven(_)), "{answer:?}"),
                }
            }
        }
        let quorums = met.iter().filter(|keys| policy.is_quorum(keys.iter())).count();
        assert!(quorums <= 1, "{shown_first:03b}");
    }
}

const DEVICE: &str = "p1.example/post-07";

/// Number `seq` of what P1's post 7 says, after `prev`.
fn reading(world: &World, seq: u64, prev: Option<StatementId>) -> Statement {
    let at = Instant(START + 60 * seq as i64);
    let id = uuid(0x0700 + seq);
    let mut s = Statement::new(world.founding.agreement(), Act::Observe, "reading", &id, "P1", P1, at);
    s.source = "p1/post-07".to_owned();
    (s.seq, s.prev) = (seq, prev);
    s.occurred_at = Some(Occurred { from: at, to: at, precision: Precision::Second, edtf: None });
    s.fields.insert("what".to_owned(), FieldValue::Text(format!("shot {seq}")));
    s
}

fn signed(world: &World, statement: &Statement, key: &str) -> Envelope {
    Envelope::sign(statement.to_payload(), &[world.key(key)])
}

/// Three readings, each naming the one before.
fn three_readings(world: &World) -> [Envelope; 3] {
    let one = signed(world, &reading(world, 0, None), DEVICE);
    let two = signed(world, &reading(world, 1, Some(one.statement_id())), DEVICE);
    let three = signed(world, &reading(world, 2, Some(two.statement_id())), DEVICE);
    [one, two, three]
}

fn take(acceptance: &mut Acceptance, envelope: &Envelope) -> Result<Accepted, Refusal> {
    let accepted = acceptance.check(envelope)?;
    acceptance.apply(&accepted);
    Ok(accepted)
}

fn reason(found: Result<Accepted, Refusal>) -> Reason {
    found.expect_err("refused").reason
}

/// P1 holds a reading back, and later wants another in its place.
#[test]
fn backfill_must_be_what_the_hole_was_left_by_and_is_logged_when_it_came() {
    let mut writer = Writer::new(Memory::new());
    let [one, two, three] = three_readings(&writer.world);
    let log = |writer: &mut Writer<Memory>, envelope: &Envelope, now: i64| {
        let accepted = take(&mut writer.acceptance, envelope).unwrap();
        writer.log.append(&[envelope.to_leaf()], Instant(now)).unwrap();
        accepted
    };
    assert!(!log(&mut writer, &one, START).hole);
    assert!(log(&mut writer, &three, START + 120).hole, "what is missing is seen at once");
    let mut another = reading(&writer.world, 1, Some(one.statement_id()));
    another.fields.insert("what".to_owned(), FieldValue::Text("nothing".to_owned()));
    let another = signed(&writer.world, &another, DEVICE);
    assert_eq!(reason(writer.acceptance.check(&another)), Reason::SourceEquivocates);
    let times = |at: i64| [("p2", START + at), ("g1", START + at), ("g2", START + at)];
    let without = writer.cosigned(&times(900));
    let filler = log(&mut writer, &two, START + 901);
    assert!(!filler.hole);
    let with = writer.cosigned(&times(960));
    writer.carry(&[&without, &with], START + 961);
    // It says that it was stated 60 s after the start.
    assert_eq!(within(&logs(&writer), filler.index), Some((900, 960)));
}

#[test]
fn reading_removed_or_rewritten_is_seen() {
    let world = World::new();
    let [one, two, three] = three_readings(&world);
    // At intake: a number that is left out is a hole, a number used twice is shown.
    let mut acceptance = Acceptance::found(P1, &world.founding_leaf).unwrap();
    assert!(!take(&mut acceptance, &one).unwrap().hole);
    assert!(acceptance.check(&three).unwrap().hole);
    let rewritten = Statement { id: uuid(0x0799), ..reading(&world, 0, None) };
    let rewritten = take(&mut acceptance, &signed(&world, &rewritten, DEVICE)).unwrap();
    assert_eq!(rewritten.source_equivocates, Some(1), "both are kept, and point at each other");
    // Afterwards: who holds a copy takes no log without it.
    let leaves = [&one, &two, &three].map(Envelope::to_leaf);
    let mut log = Log::open(Memory::new(), world.key(P1).clone(), |_, _| ()).unwrap();
    log.append(&[&world.founding_leaf], Instant(START)).unwrap();
    let note = log.append(&leaves, Instant(START)).unwrap().checkpoint.to_text();
    let copy = || Follower::open(Memory::new(), world.key(P1).vkey().clone(), |_, _| ()).unwrap();
    let without = [&world.founding_leaf, &leaves[0], &leaves[2], &leaves[2]];
    let refused = copy().advance(note.as_bytes(), &without);
    assert!(matches!(refused, Err(FollowError::Tiles(TilesError::OtherRoot { .. }))), "{refused:?}");
    let short = copy().advance(note.as_bytes(), &[&world.founding_leaf, &leaves[0], &leaves[2]]);
    assert!(matches!(short, Err(FollowError::Count { found: 3, expected: 4 })), "{short:?}");
    let with = [&world.founding_leaf, &leaves[0], &leaves[1], &leaves[2]];
    assert!(copy().advance(note.as_bytes(), &with).is_ok());
}

#[test]
fn reading_replayed_counts_once_and_nowhere_else() {
    let world = World::new();
    let [one, two, _] = three_readings(&world);
    let mut acceptance = Acceptance::found(P1, &world.founding_leaf).unwrap();
    take(&mut acceptance, &one).unwrap();
    take(&mut acceptance, &two).unwrap();
    assert_eq!(take(&mut acceptance, &one).unwrap().already, Some(1), "the first copy counts");
    // In another's log, and in the log of another agreement.
    let elsewhere = Acceptance::found("p2.example/hamsaya/1", &world.founding_leaf).unwrap();
    assert_eq!(reason(elsewhere.check(&one)), Reason::WrongHome);
    let other = Statement { agreement: [0x5A; 32], ..reading(&world, 2, Some(two.statement_id())) };
    assert_eq!(reason(acceptance.check(&signed(&world, &other, DEVICE))), Reason::WrongAgreement);
    // The same id on other bytes.
    let again = Statement { seq: 2, prev: Some(two.statement_id()), ..reading(&world, 0, None) };
    assert_eq!(reason(acceptance.check(&signed(&world, &again, DEVICE))), Reason::BadField);
}

/// Whoever is not the post cannot make its readings, nor change one on the way.
#[test]
fn false_reading_needs_the_key_of_the_device() {
    let world = World::new();
    let acceptance = Acceptance::found(P1, &world.founding_leaf).unwrap();
    let honest = reading(&world, 0, None);
    let check = |key: &str| acceptance.check(&signed(&world, &honest, key));
    assert!(check(DEVICE).is_ok());
    assert_eq!(reason(check("stranger.example")), Reason::UnknownKey);
    for key in ["p2.example/post-07", "g1.example/node", "p2.example/chair"] {
        assert_eq!(reason(check(key)), Reason::NotAuthor, "{key}");
    }
    assert_eq!(reason(check(P1)), Reason::KeyNotInForce, "the log's own key states nothing");
    let mut forged = signed(&world, &honest, "stranger.example");
    forged.signatures[0].keyid = signed(&world, &honest, DEVICE).signatures[0].keyid.clone();
    assert_eq!(reason(acceptance.check(&forged)), Reason::BadSignature);
    // What the device signed, with another number, time or word in it.
    let (mut changed, genuine) = (0, signed(&world, &honest, DEVICE));
    for at in 0..genuine.payload.len() {
        let mut touched = genuine.clone();
        touched.payload[at] = match touched.payload[at] {
            digit @ b'0'..=b'8' => digit + 1,
            letter @ b'a'..=b'y' => letter + 1,
            _ => continue,
        };
        changed += 1;
        assert!(acceptance.check(&touched).is_err(), "byte {at}");
    }
    assert!(changed > 100, "{changed}");
}

/// One witness of four that is silent holds up no proof; two do, and that is known.
#[test]
fn veto_by_silence_of_one_witness_holds_nothing_up() {
    for (silent, expected) in [("", true), ("o1", true), ("p2", true), ("p2 o1", false)] {
        let mut writer = Writer::new(Memory::new());
        let index = writer.notice(START);
        let all = [("p2", START + 10), ("g1", START + 11), ("g2", START + 12), ("o1", START + 13)];
        let heard: Vec<(&str, i64)> = all.into_iter().filter(|(name, _)| !silent.contains(name)).collect();
        let note = writer.cosigned(&heard);
        writer.carry(&[&note], START + 20);
        assert_eq!(within(&logs(&writer), index).is_some(), expected, "without {silent}");
    }
}

/// A thief signs with P1's log key. Whoever has seen the true log signs nothing of his, and can prove it.
#[test]
fn stolen_key_gets_no_cosignature_on_another_log_and_is_proven() {
    let world = World::new();
    let (log, thief) = (log_with(&world, b"what P1 said"), log_with(&world, b"what the thief says"));
    let mut larger = log_with(&world, b"what the thief says");
    larger.append(&[b"and more"], Instant(START)).unwrap();
    let mut copy = Follower::open(Memory::new(), world.key(P1).vkey().clone(), |_, _| ()).unwrap();
    let leaves = log.tiles().entries(0, 2).unwrap();
    copy.advance(log.signed().unwrap().to_text().as_bytes(), &leaves).unwrap();
    let stolen = thief.signed().unwrap();
    for name in ["p2", "g1", "g2", "o1"] {
        let mut witness = witness_of(&world, name);
        let ask = |witness: &mut Witness<Memory>, old, proof: &[_], note: &Note| {
            witness.add_checkpoint(&witness::request(old, proof, note), Instant(START)).unwrap()
        };
        assert!(matches!(ask(&mut witness, 0, &[], log.signed().unwrap()), WitnessAnswer::Cosigned(_)));
        assert!(matches!(ask(&mut witness, 2, &[], stolen), WitnessAnswer::Unproven(_)));
        let proof = larger.tiles().prove_consistency(2, 3).unwrap().unwrap();
        assert!(matches!(ask(&mut witness, 2, &proof, larger.signed().unwrap()), WitnessAnswer::Unproven(_)));
        assert!(matches!(ask(&mut witness, 0, &[], stolen), WitnessAnswer::Conflict { size: 2 }));
        let evidence = witness.contradiction(stolen).expect("both were signed");
        assert!(evidence.is_proven(world.key(P1).vkey()));
    }
    let shown = copy.advance(stolen.to_text().as_bytes(), &[] as &[Vec<u8>]);
    assert!(matches!(shown, Err(FollowError::Inconsistent { .. })), "{shown:?}");
}

/// A thief has the chair's key and the node's. The chair's follower was named by its hash before: he can neither put his own
/// in its place nor name another, and once the owner uses it he is out.
#[test]
fn stolen_key_makes_no_other_follow_it() {
    let world = World::new();
    let mut case = keys::up_to(&world, CHAIR, 0);
    let his = SecretKey::from_seed(CHAIR, [0x66; 32]).unwrap();
    let [old, node] = [world.key(CHAIR), world.key("p1.example/node")];
    let next = SecretKey::from_seed(CHAIR, [0x67; 32]).unwrap().vkey().hash();
    let following = Following { new: his.vkey().clone(), next };
    let (role, chair) = (Role::Office, old.vkey().clone());
    let tries = [
        KeyChange::Replaced { role, old: chair.clone(), following: following.clone() },
        KeyChange::Named { role, old: chair.clone(), next: his.vkey().hash() },
        KeyChange::Revoked { role, old: chair, good_size: 1, following: Some(following) },
    ];
    let refused = |case: &keys::Case| {
        for change in &tries {
            let payload = case.changing(change).to_payload();
            for signers in [&[old, &his, node][..], &[old, node], &[&his, node], &[old, &his]] {
                assert!(case.acceptance.check(&Envelope::sign(payload.clone(), signers)).is_err(), "{change:?}");
            }
        }
    };
    refused(&case);
    assert_eq!(case.counts(&world, &[(CHAIR, 0)]), Ok(()), "he says what he likes until then");
    let all = [(CHAIR, 0), (CHAIR, 1), ("p1.example/node", 0)];
    case.change(&world, &keys::replaced(&world, CHAIR, 1), &all).unwrap();
    refused(&case);
    assert_eq!(case.counts(&world, &[(CHAIR, 0)]), Err(Reason::KeyNotInForce));
    assert_eq!(case.counts(&world, &[(CHAIR, 1)]), Ok(()));
}

/// P1 says that its chair's key was stolen and when the log was still good. One other node that bears it out might be its
/// friend; of two, one is honest. What the key signed after that is disputed from when the second is known to have said so.
#[test]
fn stolen_key_disputes_what_it_signed_once_others_bear_it_out() {
    let chair = |writer: &mut Writer<Memory>, key: &SecretKey, now: i64| {
        let said = Statement { source: "p1/chair".to_owned(), ..writer.statement(Act::Notify, "op_notice") };
        let (seq, prev) = writer.acceptance.next_of("P1", "p1/chair");
        writer.take(&Envelope::sign(Statement { seq, prev, ..said }.to_payload(), &[key]), START + now)
    };
    let change = |writer: &mut Writer<Memory>, change: &KeyChange, keys: &[&SecretKey], now: i64| {
        let said = Statement { fields: change.to_fields(), ..writer.statement(Act::Record, "key") };
        let envelope = Envelope::sign(said.to_payload(), keys);
        (writer.take(&envelope, START + now), envelope.statement_id())
    };
    let timed = |writer: &mut Writer<Memory>, witnesses: [&str; 3], at: i64| {
        let note = writer.cosigned(&witnesses.map(|witness| (witness, START + at)));
        writer.carry(&[&note], START + at + 1);
    };
    let p1 = || Writer::new(Memory::new());
    let (world, mut log) = (World::new(), p1());
    let [k0, k1, node] =
        [keys::nth(&world, CHAIR, 0), keys::nth(&world, CHAIR, 1), world.key("p1.example/node").clone()];
    let by = ["p2", "g1", "g2"];
    change(&mut log, &keys::naming(&world, CHAIR), &[&k0, &node], 1);
    let before = chair(&mut log, &k0, 2);
    timed(&mut log, by, 10);
    let good_size = before + 1;
    let after = chair(&mut log, &k0, 20);
    let others = log.notice(START + 21);
    // Of what only the thief has seen, nothing is good, and what no quorum saw is not P1's to choose.
    let too_late = keys::revoked(&world, CHAIR, 0, log.log.size());
    let said = Statement { fields: too_late.to_fields(), ..log.statement(Act::Record, "key") };
    let refused = log.acceptance.check(&Envelope::sign(said.to_payload(), &[&k1, &node])).unwrap_err();
    assert!(refused.field.ends_with("good_size") && refused.allowed.contains(&good_size.to_string()), "{refused}");
    timed(&mut log, by, 30);
    let (said_at, revocation) = change(&mut log, &keys::revoked(&world, CHAIR, 0, good_size), &[&k1, &node], 40);
    let new = chair(&mut log, &k1, 41);
    timed(&mut log, by, 50);

    let bears_out = |party: &'static str, good_size: u64, revocation: StatementId, at: i64| {
        let mut writer = Writer::of(party, Memory::new());
        let change = KeyChange::Confirmed { log: P1.to_owned(), old: k0.vkey().clone(), good_size, revocation };
        let mut said = Statement { fields: change.to_fields(), ..writer.statement(Act::Record, "key") };
        said.refs = vec![Reference { rel: Rel::Confirms, id: revocation }];
        // Twice is not two.
        for _ in 0..2 {
            writer.say(&said, START + at);
            said = Statement { id: uuid(0x77), source: "more".to_owned(), seq: 0, prev: None, ..said };
        }
        let witnesses = ["p1", "p2", "g1", "g2", "o1"].into_iter().filter(|w| *w != party.to_lowercase());
        let times: Vec<(&str, i64)> = witnesses.map(|witness| (witness, START + at + 10)).collect();
        let note = writer.cosigned(&times);
        writer.carry(&[&note], START + at + 11);
        read(&writer)
    };
    let (g1, g2) = (bears_out("G1", good_size, revocation, 60), bears_out("G2", good_size, revocation, 80));
    let other_size = bears_out("G2", good_size + 1, revocation, 80);
    let other_statement = bears_out("G2", good_size, StatementId([7; 32]), 80);
    let founding = Arc::new(world.founding.clone());
    let under = |others: &[&VerifiedLog]| {
        let logs = others.iter().copied().cloned().chain([read(&log)]).collect();
        Logs::verified(&founding, logs)
    };
    let known = |logs: &Logs, index: u64, known_by: i64| {
        let n = logs.entries().iter().position(|e| *e.origin == *P1 && e.index == index).unwrap();
        logs.logged(n, Instant(START + known_by))
    };
    let all = under(&[&g1, &g2]);
    assert!(matches!(known(&all, after, 999), Logged::Stolen(at) if at.hi == Instant(START + 30)));
    assert_eq!(known(&all, after, 999), known(&under(&[&g2, &g1]), after, 999), "in whatever order they come");
    for index in [before, others, said_at, new] {
        assert!(matches!(known(&all, index, 999), Logged::Within(_)), "{index}");
    }
    // The second is known from 90 on; before that, and where it says something else or is not there, nothing is disputed.
    assert!(matches!(known(&all, after, 89), Logged::Within(_)));
    assert!(matches!(known(&all, after, 90), Logged::Stolen(_)));
    for fewer in [&[][..], &[&g1], &[&g2], &[&g1, &other_size], &[&g1, &other_statement]] {
        assert!(matches!(known(&under(fewer), after, 999), Logged::Within(_)));
    }
    // At earlier heads it is as it was.
    let heads = |size_of_g2: u64| -> Vec<Head> {
        let size = |head: &Head| if head.origin == g2.head.origin { size_of_g2 } else { head.size };
        all.heads().iter().map(|head| Head { size: size(head), ..head.clone() }).collect()
    };
    assert!(matches!(known(&all.cut(&heads(1)), after, 999), Logged::Within(_)));
    assert!(matches!(known(&all.cut(&heads(g2.head.size)), after, 999), Logged::Stolen(_)));
}

/// A disk is put back as it was: the log signs nothing before enough witnesses say that they know of nothing newer.
#[test]
fn old_disk_signs_nothing_before_the_witnesses_are_heard() {
    let world = World::new();
    let store = Memory::new();
    let mut log = Log::open(store.clone(), world.key(P1).clone(), |_, _| ()).unwrap();
    log.append(&[&world.founding_leaf], Instant(START)).unwrap();
    let old = store.copy();
    log.append(&[b"acknowledged"], Instant(START)).unwrap();
    let newest = log.signed().unwrap().to_text();
    let witness = |name: &str| world.key(&format!("{name}.example/witness")).vkey().clone();

    let mut log = Log::open(old, world.key(P1).clone(), |_, _| ()).unwrap();
    log.ask_first(world.founding.policy(P1).unwrap().numbers().unwrap().v);
    let refused = log.append(&[b"another"], Instant(START));
    assert!(matches!(refused, Err(LogError::Unconfirmed { found: 0, needed: 3 })), "{refused:?}");
    for name in ["g1", "g1", "g2"] {
        // The same witness twice is one; two know nothing.
        log.confirm(&witness(name), None).unwrap();
        assert!(matches!(log.append(&[b"another"], Instant(START)), Err(LogError::Unconfirmed { .. })));
    }
    let told = log.confirm(&witness("o1"), Some(newest.as_bytes())).unwrap();
    assert!(matches!(told, Confirmation::Ahead(_)), "{told:?}");
    assert!(matches!(log.append(&[b"another"], Instant(START)), Err(LogError::Unconfirmed { .. })), "still");
    log.restore(newest.as_bytes(), &[b"acknowledged"]).unwrap();
    log.confirm(&witness("o1"), Some(newest.as_bytes())).unwrap();
    log.append(&[b"another"], Instant(START)).unwrap();
    assert_eq!(log.tiles().entry(1).unwrap().as_deref(), Some(&b"acknowledged"[..]));
}

/// A cosignature that one reader has and another has not moves no verdict: it counts once it is logged, for everybody, and
/// at no earlier heads.
#[test]
fn verdicts_split_by_late_cosignatures_are_not() {
    let mut writer = Writer::new(Memory::new());
    let index = writer.notice(START);
    let three = writer.cosigned(&[("p2", START + 30), ("g1", START + 31), ("g2", START + 32)]);
    let fourth = writer.cosigned(&[("o1", START + 20)]);
    writer.carry(&[&three], START + 33);
    let head = read(&writer).head;
    let (before, others) = (logs(&writer), logs(&writer));
    // Our node has the fourth, by hand or published; the other has not.
    writer.log.publish(&three).unwrap();
    writer.log.publish(&fourth).unwrap();
    let ours = logs(&writer);
    assert_eq!(within(&ours, index), Some((i64::MIN, 32)));
    assert_eq!(ours.cosigned(Instant(i64::MAX)), others.cosigned(Instant(i64::MAX)));
    writer.carry(&[&fourth], START + 40);
    let later = logs(&writer);
    assert_eq!(within(&later, index), Some((i64::MIN, 31)), "a third of four is earlier now, for all");
    let cut = later.cut(&[head]);
    assert_eq!((within(&cut, index), cut.heads()), (within(&before, index), before.heads()));
}

/// Whatever anybody sends is bounded before it costs anything.
#[test]
fn flood_is_bounded_in_every_direction() {
    let world = World::new();
    let too_large = |refusal: Refusal| assert_eq!(refusal.reason, Reason::TooLarge, "{refusal}");
    too_large(Envelope::parse_intake(&vec![b'['; INTAKE_BYTES_MAX + 1]).unwrap_err());
    let acceptance = Acceptance::found(P1, &world.founding_leaf).unwrap();
    let mut long = reading(&world, 0, None);
    long.fields.insert("what".to_owned(), FieldValue::Text("x".repeat(PAYLOAD_BYTES_MAX)));
    let envelope = signed(&world, &long, DEVICE);
    too_large(Envelope::parse_intake(&envelope.to_leaf()).unwrap_err());
    let mut wide = reading(&world, 0, None);
    wide.to = (0..=ITEMS_MAX).map(|n| format!("P{n}")).collect();
    assert!(acceptance.check(&signed(&world, &wide, DEVICE)).is_err());
    let mut signatures = signed(&world, &reading(&world, 0, None), DEVICE);
    signatures.signatures = vec![signatures.signatures[0].clone(); 9];
    assert!(Envelope::parse_intake(&signatures.to_leaf()).is_err());
    let deep = format!("{}1{}", "[".repeat(60_000), "]".repeat(60_000));
    assert!(Envelope::parse_intake(deep.as_bytes()).is_err());

    let log = log_with(&world, b"one");
    let note = log.signed().unwrap().to_text();
    let lines = note.lines().last().unwrap().to_owned() + "\n";
    let many = note.clone() + &lines.repeat(SIGNATURES_MAX);
    assert!(Note::parse(many.as_bytes()).is_err());
    let mut witness = witness_of(&world, "g1");
    let proof = vec![[7; 32]; 64];
    let body = witness::request(0, &proof, log.signed().unwrap());
    let answer = witness.add_checkpoint(&body, Instant(START)).unwrap();
    assert!(matches!(answer, WitnessAnswer::Malformed(_)), "{answer:?}");
}

/// A field is hidden by its salt: 16 random bytes, or whoever guesses the value can prove that he did.
#[test]
fn guessed_salts_a_disclosure_with_a_short_salt_is_refused() {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use sha2::{Digest as _, Sha256};
    for (salt, holds) in [("16 random bytes!", true), ("short", false), ("", false), ("15 random bytes", false)] {
        let mut writer = Writer::new(Memory::new());
        let salt = URL_SAFE_NO_PAD.encode(salt);
        let disclosure = URL_SAFE_NO_PAD.encode(format!(r#"["{salt}","words","near the old mill"]"#));
        let mut said = writer.statement(Act::Notify, "op_notice");
        said.salted = vec![Sha256::digest(&disclosure).into()];
        let index = writer.say(&said, START);
        let notes = [writer.cosigned(&[("p2", START + 30), ("g1", START + 31), ("g2", START + 32)])];
        let tiles = writer.log.tiles();
        let leaf = tiles.entry(index).unwrap().unwrap();
        let disclosures = [disclosure];
        let founding_leaf = &writer.world.founding_leaf;
        let parts = Parts {
            origin: P1,
            index,
            leaf: &leaf,
            founding_leaf,
            notes: &notes,
            keys: &[],
            disclosures: &disclosures,
            held: &[],
        };
        let written = exhibit::write(&parts, |level, n| tiles.hash(level, n));
        let refused = matches!(&written, Err(WriteError::Parts(error)) if error.step == Step::Disclosures);
        assert_eq!((written.is_ok(), refused), (holds, !holds), "{salt:?}: {written:?}");
    }
}

/// The table above is the list: every test in it exists, and every test here is in it.
#[test]
fn the_table_names_every_test() {
    let here = include_str!("attacks.rs");
    let node = include_str!("../../../node/tests/it/in_memory.rs");
    let tests = |source: &str| -> BTreeSet<String> {
        let after = source.split("#[test]\n").skip(1);
        let names = after.filter_map(|text| text.trim_start().strip_prefix("fn ")?.split_once('('));
        names.map(|(name, _)| name.to_string()).collect()
    };
    let (mut own, others) = (tests(here), tests(node));
    own.remove("the_table_names_every_test");
    let table = here.split("```").nth(1).unwrap().lines().filter_map(|line| line.get(26..));
    let (named, beside): (Vec<&str>, Vec<&str>) = table.partition(|name| !name.starts_with("node: "));
    assert_eq!(named.into_iter().map(str::to_string).collect::<BTreeSet<_>>(), own);
    for name in beside.iter().filter_map(|name| name.strip_prefix("node: ")) {
        assert!(others.contains(name), "{name}");
    }
}
