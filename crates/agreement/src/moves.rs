//! Deadlines are data: clocks that an extension or a toll has moved (R5).
//!
//! ```text
//! C16.access(Q1, P1)   opened H 0, due H 48
//!   extended to H 60   signed by both, logged H 40 <= 48        due H 60
//!   tolled H 50..H 54  asked H 52 <= 60, accepted H 53          due H 64
//! ```
//!
//! Which statements extend or toll at all is Article 1's to say (`extended(entry)`, `tolled(entry, accepted)`); here is the
//! arithmetic. An extension sets the due instant and absorbs what was asked before. Tolls that count stop the clock: the
//! due instant is the first by which as much time has run as the clock has, tolled time left out, and time that two tolls
//! share left out once. A statement counts if it was logged between the beginning and the due instant then in force.
//!
//! The statements name an instance by the fields `commitment`, `part?`, `instance?` and `bearer`: its label taken apart.
use crate::facts::{Facts, Known};
use crate::judgment::bearer;
use crate::lower::Clock;
use crate::source::Agreement;
use hamsaya_monitor::{Fact, FactId, Instance, InstanceKey, Monitor, NEVER, Value};
use hamsaya_record::instant::Instant;
use hamsaya_record::statement::FieldValue;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A signed move of some clock.
struct Move<'k> {
    /// From when on it counts.
    at: Instant,
    /// When it was asked for.
    asked: Instant,
    /// Commitment, part, instance, bearer.
    of: [&'k str; 4],
    what: What,
    /// Positions of its entries.
    entries: Vec<usize>,
}

#[derive(Clone, Copy)]
enum What {
    Due(Instant),
    Toll(Instant, Instant),
}

/// A clock that runs otherwise than the text says, and the entries that made it so.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Moved {
    fact: Fact,
    entries: Vec<usize>,
}

/// Clocks that are moved now, and by which facts the monitor knows.
#[derive(Default)]
pub(crate) struct Moves {
    held: BTreeMap<Moved, FactId>,
}

impl Moves {
    /// Sets all clocks back. What moves a clock is found by judging: from the beginning each time, so that it does not hang
    /// on what was found before.
    pub(crate) fn take_back(&mut self, facts: &mut Facts) {
        for id in std::mem::take(&mut self.held).values() {
            facts.monitor_mut().forget(id);
        }
    }

    /// Moves clocks. A moved clock can change what opens later, so it is asked again until nothing moves any more; breaches
    /// are stratified, so that this ends. Gives the instances that it changed.
    pub(crate) fn apply(&mut self, agreement: &Agreement, facts: &mut Facts, as_of: Instant) -> BTreeSet<InstanceKey> {
        let mut changed = BTreeSet::new();
        for _ in 0..=agreement.program().clocks.len() {
            let wanted = moved(agreement, &moves(facts, as_of), facts.monitor());
            if wanted.iter().eq(self.held.keys()) {
                break;
            }
            let monitor = facts.monitor_mut();
            for (_, id) in self.held.iter().filter(|(moved, _)| !wanted.contains(*moved)) {
                monitor.forget(id);
            }
            let mut next = BTreeMap::new();
            for moved in wanted {
                let Fact { predicate, args, from, .. } = &moved.fact;
                let id = FactId::new(format!("!{predicate} {from} {args:?}"));
                monitor
                    .put(id.clone(), moved.fact.clone())
                    .expect("its predicate was made from the columns of the key");
                next.insert(moved, id);
            }
            changed.extend(monitor.advance(as_of.0).into_iter().map(|delta| delta.key));
            self.held = next;
        }
        facts.moved_by(self.held.iter().map(|(moved, id)| (id.clone(), moved.entries.clone())).collect());
        changed
    }
}

fn moves(facts: &Facts, as_of: Instant) -> Vec<Move<'_>> {
    fn text<'k>(k: &'k Known, field: &str) -> &'k str {
        match k.entry.statement.fields.get(field) {
            Some(FieldValue::Text(t)) => t.as_str(),
            _ => "",
        }
    }
    fn of(k: &Known) -> [&str; 4] {
        ["commitment", "part", "instance", "bearer"].map(|field| text(k, field))
    }
    let instant = |k: &Known, field: &str| match k.entry.statement.fields.get(field) {
        Some(FieldValue::Text(t)) => t.parse::<Instant>().ok(),
        _ => None,
    };
    let extensions = facts.extensions().filter_map(|n| {
        let k = &facts.known[n];
        let what = What::Due(instant(k, "due")?);
        Some(Move { at: k.at.hi, asked: k.at.hi, of: of(k), what, entries: vec![n] })
    });
    let tolls = facts.tolls().filter_map(|(n, accepted)| {
        let k = &facts.known[n];
        let what = What::Toll(instant(k, "from")?, instant(k, "to")?);
        let at = facts.known[accepted].at.hi.max(k.at.hi);
        Some(Move { at, asked: k.at.hi, of: of(k), what, entries: vec![n, accepted] })
    });
    let mut all: Vec<Move<'_>> = extensions.chain(tolls).filter(|m| m.at <= as_of).collect();
    let named = |n: &usize| (&facts.known[*n].entry.origin, facts.known[*n].entry.index);
    all.sort_by(|a, b| {
        let entries = a.entries.iter().map(named).cmp(b.entries.iter().map(named));
        (a.at, a.asked).cmp(&(b.at, b.asked)).then(entries)
    });
    all
}

/// All clocks that these moves move, given how every instance stands.
fn moved(agreement: &Agreement, moves: &[Move<'_>], monitor: &Monitor) -> BTreeSet<Moved> {
    if moves.is_empty() {
        return BTreeSet::new();
    }
    // Instances of one clock and key, by opening: a moved clock holds until the next opening.
    type Key<'i> = (&'i Arc<str>, &'i [Value]);
    let mut openings: BTreeMap<Key<'_>, BTreeMap<i64, (&Instance, &Clock)>> = BTreeMap::new();
    let named: BTreeSet<&str> = moves.iter().map(|m| m.of[0]).collect();
    for instance in monitor.relation() {
        let Some(clock) = agreement.program().clocks.get(&instance.key.rule) else { continue };
        if !named.contains(&*agreement.commitments()[clock.commitment].id) {
            continue;
        }
        let Some((_, predicate)) = &clock.window else { continue };
        let key = instance.key.valuation.get(..clock.visible.len()).unwrap_or(&[]);
        openings.entry((predicate, key)).or_default().entry(instance.key.opened).or_insert((instance, clock));
    }
    let mut all = BTreeSet::new();
    for ((predicate, key), openings) in openings {
        for (opened, (instance, clock)) in &openings {
            let Some((seconds, _)) = clock.window else { continue };
            let commitment = &agreement.commitments()[clock.commitment];
            let about = clock.about(key).join(", ");
            let bearer = bearer(&clock.bearer, key);
            let of = [&*commitment.id, commitment.part.as_deref().unwrap_or(""), &*about, &*bearer];
            let mine = moves.iter().filter(|m| m.of == of);
            // Acts count since the trigger, the clock runs from the opening.
            let (since, due) = (Instant(instance.since), Instant(*opened).plus(seconds));
            let (now, entries) = due_after(since, Instant(*opened), due, mine);
            if now == due {
                continue;
            }
            let next = openings.range(opened + 1..).next().map(|(next, _)| *next - 1);
            let within = now.0.saturating_sub(*opened).max(0);
            let args = key.iter().cloned().chain([Value::Int(within)]).collect();
            let to = next.unwrap_or(NEVER);
            let fact = Fact { predicate: predicate.clone(), args, from: *opened, to, admitted: true };
            all.insert(Moved { fact, entries });
        }
    }
    all
}

/// The due instant after all moves that count, and their entries. `moves` are in the order in which they take effect.
fn due_after<'m>(
    since: Instant,
    opened: Instant,
    default: Instant,
    moves: impl Iterator<Item = &'m Move<'m>>,
) -> (Instant, Vec<usize>) {
    // In force from an instant on.
    let mut dues = vec![(Instant(i64::MIN), default)];
    let (mut base, mut absorbed) = (default, Instant(i64::MIN));
    let mut tolls: Vec<(Instant, Instant)> = Vec::new();
    let mut entries: Vec<usize> = Vec::new();
    for m in moves {
        let in_force = dues.iter().rev().find(|(from, _)| *from <= m.asked).map_or(default, |(_, due)| *due);
        if m.asked < since || m.asked > in_force {
            continue;
        }
        match m.what {
            What::Due(due) if due >= m.at => {
                (base, absorbed) = (due, m.at);
                tolls.clear();
                entries = m.entries.clone();
            }
            What::Toll(from, to) if from < to && m.asked > absorbed => {
                tolls.push((from.max(opened), to));
                entries.extend(&m.entries);
            }
            _ => continue,
        }
        dues.push((m.at, stopped(base, &mut tolls)));
    }
    (dues.last().map_or(default, |(_, due)| *due), entries)
}

/// When a clock runs out that would at `base` and stands still during all `tolls`.
fn stopped(base: Instant, tolls: &mut [(Instant, Instant)]) -> Instant {
    tolls.sort_unstable();
    let (mut due, mut counted) = (base, Instant(i64::MIN));
    for &(from, to) in tolls.iter() {
        let from = from.max(counted);
        if from < due && to > from {
            due = due.plus(to.0.saturating_sub(from.0));
        }
        counted = counted.max(to);
    }
    due
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(moves: &[(i64, i64, What)]) -> i64 {
        let moves: Vec<Move<'_>> = moves
            .iter()
            .enumerate()
            .map(|(n, (asked, at, what))| Move {
                at: Instant(*at),
                asked: Instant(*asked),
                of: [""; 4],
                what: *what,
                entries: vec![n],
            })
            .collect();
        due_after(Instant(0), Instant(0), Instant(48), moves.iter()).0.0
    }

    fn extend(at: i64, to: i64) -> (i64, i64, What) {
        (at, at, What::Due(Instant(to)))
    }
    fn toll(asked: i64, accepted: i64, from: i64, to: i64) -> (i64, i64, What) {
        (asked, accepted, What::Toll(Instant(from), Instant(to)))
    }

    #[test]
    fn extensions() {
        for (what, moves, expected) in [
            ("none", vec![], 48),
            ("set", vec![extend(40, 60)], 60),
            ("at the due instant", vec![extend(48, 60)], 60),
            ("a second late", vec![extend(49, 60)], 48),
            ("before the beginning", vec![extend(-1, 60)], 48),
            ("again, by the new due instant", vec![extend(40, 60), extend(59, 80)], 80),
            ("shorter", vec![extend(10, 20)], 20),
            ("into the past", vec![extend(30, 20)], 48),
        ] {
            assert_eq!(due(&moves), expected, "{what}");
        }
    }

    #[test]
    fn tolls() {
        for (what, moves, expected) in [
            ("once", vec![toll(10, 12, 5, 10)], 53),
            ("overlapping count once", vec![toll(10, 12, 5, 10), toll(11, 13, 8, 15)], 58),
            ("twice the same", vec![toll(10, 12, 5, 10), toll(11, 13, 5, 10)], 53),
            ("beyond the due instant: the clock stands still till its end", vec![toll(40, 41, 40, 60)], 68),
            ("one that only the first lets in", vec![toll(40, 41, 40, 60), toll(50, 51, 62, 64)], 70),
            ("after the due instant", vec![toll(40, 41, 48, 60)], 48),
            ("before the opening, the part within", vec![toll(1, 2, -10, 5)], 53),
            ("asked in time, accepted after", vec![toll(47, 60, 30, 40)], 58),
            ("asked late", vec![toll(49, 50, 30, 40)], 48),
            ("absorbed by an extension", vec![toll(10, 12, 5, 10), extend(20, 60)], 60),
            ("asked before an extension, accepted after", vec![extend(20, 60), toll(10, 25, 5, 10)], 60),
            ("after an extension", vec![extend(20, 60), toll(30, 31, 25, 30)], 65),
            ("of no length", vec![toll(10, 12, 10, 10)], 48),
        ] {
            assert_eq!(due(&moves), expected, "{what}");
        }
    }
}
