//! The attack table of the record's design, a test for each that the record itself must stop.
use crate::world::{P1, START, Writer, cosign};
use hamsaya_record::checkpoint::Checkpoint;
use hamsaya_record::instant::Instant;
use hamsaya_record::logs::{Head, Logged, Logs, VerifiedLog};
use hamsaya_record::note::Note;
use hamsaya_record::store::Memory;
use hamsaya_record::verify::Replay;
use std::sync::Arc;

/// The log as a reader holds it, under its newest head.
fn read(writer: &Writer<Memory>) -> VerifiedLog {
    let mut replay = Replay::new(P1);
    let size = writer.log.size();
    let leaves = writer.log.tiles().entries(0, size).unwrap();
    leaves.iter().enumerate().for_each(|(index, leaf)| replay.leaf(index as u64, leaf));
    let root = writer.log.tiles().root();
    replay.under(Head { origin: P1.to_owned(), size, root })
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
fn cosignatures_on_another_tree_time_nothing() {
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

/// Backdating: the log's own clock and what it says of itself move nothing, and a checkpoint without the entry says since
/// when it can have been there.
#[test]
fn an_entry_is_not_logged_before_the_witnesses_last_saw_the_log_without_it() {
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
fn times_that_cross_are_disputed() {
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
