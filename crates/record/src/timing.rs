//! When an entry was logged, as the witnesses' cosignatures prove it.
//!
//! ```text
//! witness   cosigned size at time            entry 7        n = 4, q = 3, v = 3
//! P2        7 at 100, 9 at 160        e = 160  l = 100
//! G1        7 at 101, 8 at 158        e = 158  l = 101      hi = third smallest e = 160
//! G2        6 at  90, 9 at 161        e = 161  l =  90      lo = third largest  l =  90
//! O1        9 at 159                  e = 159
//! ```
//! Only notes that stand in `checkpoints` entries count, so that everybody who holds the same logs computes the same times,
//! and only those of the tree that is judged: what a witness saw of another tree of the log says nothing of this one's
//! entries (see [`crate::logs::Logs::verified`]). For a witness, e is its smallest time on a size beyond the entry, l its largest on a size that does not reach it. **hi**
//! is the q-th smallest e: by then q-f honest witnesses had it. **lo** is the v-th largest l: before it they had not
//! (record.md, section 4). With no more than f liars lo is never after hi. Where it is, there is no interval: the time is
//! disputed.
use crate::checkpoint::Checkpoint;
use crate::founding::Founding;
use crate::instant::Instant;
use crate::logs::{Logged, LoggedAt};
use crate::merkle::Hash;
use crate::note::Note;
use crate::policy::Numbers;
use crate::statement::{FieldValue, Statement};
use std::collections::BTreeMap;

/// One cosignature that stands in a `checkpoints` entry and verified.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sighting {
    /// Origin of the log that was cosigned.
    pub log: String,
    /// `<name>+<hex8>` of the witness's key.
    pub witness: String,
    /// Size that it cosigned.
    pub size: u64,
    /// Root that it cosigned.
    pub root: Hash,
    /// When, by its clock.
    pub time: Instant,
    /// Origin of the log in which this was logged.
    pub logged_in: String,
    /// Index there.
    pub logged_index: u64,
    /// When whoever logged it says that he did.
    pub stated_at: Instant,
}

/// The sightings that a statement of kind `checkpoints`, at this place, carries in `fields.notes`; none for other kinds. A
/// note that its log's policy does not trust carries none.
pub fn sightings(statement: &Statement, origin: &str, index: u64, founding: &Founding) -> Vec<Sighting> {
    if statement.kind != "checkpoints" || statement.drill {
        return Vec::new();
    }
    let Some(FieldValue::List(notes)) = statement.fields.get("notes") else { return Vec::new() };
    let mut found = Vec::new();
    for note in notes {
        let FieldValue::Text(note) = note else { continue };
        for (checkpoint, witness, time) in cosignatures(note.as_bytes(), founding) {
            found.push(Sighting {
                log: checkpoint.origin,
                witness,
                size: checkpoint.size,
                root: checkpoint.root,
                time,
                logged_in: origin.to_string(),
                logged_index: index,
                stated_at: statement.stated_at,
            });
        }
    }
    found
}

/// The verified cosignatures of a note by the witnesses that its log's policy counts: checkpoint, keyid, time.
pub fn cosignatures(note: &[u8], founding: &Founding) -> Vec<(Checkpoint, String, Instant)> {
    let Ok(note) = Note::parse(note) else { return Vec::new() };
    let Ok(checkpoint) = Checkpoint::parse(&note.text) else { return Vec::new() };
    let (Some(log), Some(policy)) = (founding.log_key(&checkpoint.origin), founding.policy(&checkpoint.origin)) else {
        return Vec::new();
    };
    let witnesses = policy.counted();
    let known = witnesses.iter().map(|w| &w.vkey).chain([log]);
    let Ok(verified) = note.verify(known) else { return Vec::new() };
    if !verified.iter().any(|v| v.key == log) {
        return Vec::new();
    }
    let times = verified.iter().filter_map(|v| Some((v.key.keyid(), Instant(i64::try_from(v.time?).ok()?))));
    times.map(|(keyid, time)| (checkpoint.clone(), keyid, time)).collect()
}

/// What one witness saw of one log, arranged for two questions that are asked of every entry.
#[derive(Clone, Debug)]
struct Watch {
    /// Sizes, ascending, each with the smallest time on it or any later size.
    earliest: Vec<(u64, Instant)>,
    /// Times, ascending.
    times: Vec<Instant>,
    /// A tree of smallest sizes over `times`: node n stands over 2n and 2n + 1, the times over the second half.
    smallest: Vec<u64>,
}

impl Watch {
    fn new(mut seen: Vec<(u64, Instant)>) -> Watch {
        seen.sort_unstable();
        seen.dedup();
        let mut earliest = seen.clone();
        for n in (1..earliest.len()).rev() {
            earliest[n - 1].1 = earliest[n - 1].1.min(earliest[n].1);
        }
        seen.sort_unstable_by_key(|(size, time)| (*time, *size));
        // Wider than the times are many, so that an end always has a node.
        let width = (seen.len() + 1).next_power_of_two();
        let mut smallest = vec![u64::MAX; 2 * width];
        for (i, (size, _)) in seen.iter().enumerate() {
            smallest[width + i] = *size;
        }
        for node in (1..width).rev() {
            smallest[node] = smallest[2 * node].min(smallest[2 * node + 1]);
        }
        Watch { earliest, times: seen.into_iter().map(|(_, time)| time).collect(), smallest }
    }

    /// Smallest time on a size beyond `index`, if it is known by then.
    fn first_with(&self, index: u64, known_by: Instant) -> Option<Instant> {
        let at = self.earliest.partition_point(|(size, _)| *size <= index);
        self.earliest.get(at).map(|(_, time)| *time).filter(|time| *time <= known_by)
    }

    /// Largest time, known by then, on a size that does not reach `index`.
    fn last_without(&self, index: u64, known_by: Instant) -> Option<Instant> {
        let width = self.smallest.len() / 2;
        let end = self.times.partition_point(|time| *time <= known_by);
        // Up from the end: past subtrees to the left without such a size, then down into the first that has one.
        let mut node = width + end;
        while node > 1 {
            let left = node - 1;
            if node % 2 == 1 && self.smallest[left] <= index {
                node = left;
                while node < width {
                    node = 2 * node + usize::from(self.smallest[2 * node + 1] <= index);
                }
                return self.times.get(node - width).copied();
            }
            node /= 2;
        }
        None
    }
}

/// What all witnesses saw of one log.
#[derive(Clone, Debug)]
pub struct Times {
    numbers: Numbers,
    watches: Vec<Watch>,
}

impl Times {
    /// The times of one log. `numbers` are those of its policy.
    pub fn new<'s>(numbers: Numbers, sightings: impl IntoIterator<Item = &'s Sighting>) -> Times {
        let mut seen: BTreeMap<&str, Vec<(u64, Instant)>> = BTreeMap::new();
        for sighting in sightings {
            seen.entry(&sighting.witness).or_default().push((sighting.size, sighting.time));
        }
        Times { numbers, watches: seen.into_values().map(Watch::new).collect() }
    }

    /// When entry `index` was logged, by cosignatures with times up to `known_by`.
    pub fn logged(&self, index: u64, known_by: Instant) -> Logged {
        let Numbers { q, v, .. } = self.numbers;
        let mut with: Vec<Instant> = self.watches.iter().filter_map(|w| w.first_with(index, known_by)).collect();
        with.sort_unstable();
        let Some(hi) = q.checked_sub(1).and_then(|n| with.get(n)).copied() else { return Logged::Unproven };
        let mut without: Vec<Instant> = self.watches.iter().filter_map(|w| w.last_without(index, known_by)).collect();
        without.sort_unstable_by(|a, b| b.cmp(a));
        let lo = v.checked_sub(1).and_then(|n| without.get(n)).copied().unwrap_or(Instant(i64::MIN));
        Logged::of(LoggedAt { lo, hi })
    }
}

/// The latest instant as of which a quorum had cosigned a log, of cosignatures by witness and time: of each witness the
/// largest time, and of these the q-th largest.
pub fn last_quorum<'w>(numbers: Numbers, cosigned: impl IntoIterator<Item = (&'w str, Instant)>) -> Option<Instant> {
    let mut latest: BTreeMap<&str, Instant> = BTreeMap::new();
    for (witness, time) in cosigned {
        let known = latest.entry(witness).or_insert(time);
        *known = time.max(*known);
    }
    let mut times: Vec<Instant> = latest.into_values().collect();
    times.sort_unstable_by(|a, b| b.cmp(a));
    numbers.q.checked_sub(1).and_then(|n| times.get(n)).copied()
}

/// A log without a fresh quorum checkpoint for this long is dark, in seconds (record.md, section 4).
pub const DARK_S: i64 = 300;

/// A time in which no quorum cosigned a log, as other logs tell.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gap {
    /// As of when a quorum last cosigned it before.
    pub from: Instant,
    /// As of when one did again; `None`: no log shows that yet.
    pub to: Option<Instant>,
    /// Entries that tell of it: origin, index, and when each was stated. Of one log alone it may be that its node was cut off.
    pub told: Vec<(String, u64, Instant)>,
}

/// The gaps of one log, in order, from its sightings in all logs.
///
/// Who logs a checkpoint of another's log logs the newest that he holds. If a quorum cosigned it `dark_s` or longer before he
/// said so, he tells of a gap. Whoever shows a fresher one of that time refutes him: what is proven counts, not what is told.
pub fn gaps(log: &str, numbers: Numbers, sightings: &[Sighting], dark_s: i64) -> Vec<Gap> {
    let of_log = || sightings.iter().filter(|s| s.log == log);
    let mut shown: BTreeMap<(&str, u64), Vec<&Sighting>> = BTreeMap::new();
    let mut times: BTreeMap<&str, Vec<Instant>> = BTreeMap::new();
    for sighting in of_log() {
        times.entry(&sighting.witness).or_default().push(sighting.time);
        if sighting.logged_in != log {
            shown.entry((&sighting.logged_in, sighting.logged_index)).or_default().push(sighting);
        }
    }
    times.values_mut().for_each(|times| times.sort_unstable());
    let is_dark = |from: Instant, at: Instant| at.0.saturating_sub(from.0) >= dark_s;
    let mut found: BTreeMap<Instant, Gap> = BTreeMap::new();
    for ((origin, index), shown) in shown {
        let Some(stated_at) = shown.first().map(|s| s.stated_at) else { continue };
        let told = last_quorum(numbers, shown.iter().map(|s| (s.witness.as_str(), s.time)));
        if !told.is_some_and(|told| is_dark(told, stated_at)) {
            continue;
        }
        let after = |times: &[Instant]| times.partition_point(|time| *time <= stated_at);
        let before = times.iter().filter_map(|(w, times)| Some((*w, *times.get(after(times).checked_sub(1)?)?)));
        let Some(from) = last_quorum(numbers, before).filter(|from| is_dark(*from, stated_at)) else { continue };
        let mut again: Vec<Instant> = times.values().filter_map(|times| times.get(after(times)).copied()).collect();
        again.sort_unstable();
        let to = numbers.q.checked_sub(1).and_then(|n| again.get(n)).copied();
        let gap = found.entry(from).or_insert_with(|| Gap { from, to, told: Vec::new() });
        gap.told.push((origin.to_string(), index, stated_at));
        // Who tells later passes over what some witnesses cosigned in between.
        gap.to = [gap.to, to].into_iter().flatten().min();
    }
    found.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sighting(witness: &str, size: u64, time: i64) -> Sighting {
        let logged_in = String::new();
        Sighting {
            log: String::new(),
            witness: witness.to_string(),
            size,
            root: [0; 32],
            time: Instant(time),
            logged_in,
            logged_index: 0,
            stated_at: Instant(0),
        }
    }

    fn times(seen: &[(&str, u64, i64)]) -> Times {
        let sightings: Vec<Sighting> = seen.iter().map(|(w, s, t)| sighting(w, *s, *t)).collect();
        Times::new(Numbers::of(4, 3), &sightings)
    }

    #[test]
    fn the_third_of_four_proves() {
        let seen = [
            ("P2", 7, 100),
            ("P2", 9, 160),
            ("G1", 7, 101),
            ("G1", 8, 158),
            ("G2", 6, 90),
            ("G2", 9, 161),
            ("O1", 9, 159),
        ];
        for (index, known_by, expected) in [
            (7, 1000, Some((90, 160))),
            (7, 160, Some((90, 160))),
            (7, 159, None),
            (8, 1000, Some((90, 161))),
            (9, 1000, None),
            (6, 1000, Some((i64::MIN, 159))),
        ] {
            let found = within(times(&seen).logged(index, Instant(known_by)));
            assert_eq!(found, expected, "entry {index}, known by {known_by}");
        }
    }

    #[test]
    fn one_witness_counts_once_however_often_it_signs() {
        let seen = [("P2", 5, 10), ("P2", 6, 11), ("P2", 7, 12), ("G1", 5, 10)];
        assert_eq!(times(&seen).logged(0, Instant(99)), Logged::Unproven);
    }

    fn within(logged: Logged) -> Option<(i64, i64)> {
        logged.within().map(|t| (t.lo.0, t.hi.0))
    }

    /// Two of four lie, one more than the policy bears: there is no interval that holds.
    #[test]
    fn times_that_cross_are_no_interval() {
        let seen = [("P2", 8, 100), ("G1", 8, 101), ("G2", 8, 300), ("G2", 7, 290), ("O1", 7, 280), ("O1", 8, 281)];
        let crossing = [("P2", 7, 285), ("G1", 7, 285)];
        let all: Vec<_> = seen.into_iter().chain(crossing).collect();
        assert_eq!(within(times(&seen).logged(7, Instant(999))), Some((i64::MIN, 281)));
        let found = times(&all).logged(7, Instant(999));
        assert_eq!(found, Logged::Disputed { by: Instant(281), not_before: Instant(285) });
    }

    #[test]
    fn gaps_are_told_by_others_and_refuted_by_what_is_fresher() {
        // Where, index there, when it was stated, and who cosigned when, of the log P1.
        type Told<'t> = (&'t str, u64, i64, [(&'t str, i64); 3]);
        let three = |time| [("P2", time), ("G1", time), ("G2", time + 1)];
        let check = |told: &[Told<'_>], expected: &[(i64, Option<i64>, &[&str])]| {
            let mut all = Vec::new();
            for (logged_in, logged_index, stated_at, cosigned) in told {
                for (witness, time) in cosigned {
                    all.push(Sighting {
                        log: "P1".to_string(),
                        logged_in: logged_in.to_string(),
                        logged_index: *logged_index,
                        stated_at: Instant(*stated_at),
                        ..sighting(witness, 5, *time)
                    });
                }
            }
            let found = gaps("P1", Numbers::of(4, 3), &all, 300);
            let told = |gap: &Gap| gap.told.iter().map(|(origin, ..)| origin.clone()).collect::<Vec<_>>();
            let found: Vec<_> = found.iter().map(|g| (g.from.0, g.to.map(|to| to.0), told(g))).collect();
            let expected: Vec<_> = expected
                .iter()
                .map(|(f, t, o)| (*f, *t, o.iter().map(|o| o.to_string()).collect::<Vec<_>>()))
                .collect();
            assert_eq!(found, expected, "{all:?}");
        };
        check(&[("P2", 7, 400, three(100))], &[(100, None, &["P2"])]);
        check(&[("P2", 7, 399, three(100))], &[]);
        // What a log shows of itself tells nothing of its own darkness.
        check(&[("P1", 7, 400, three(100))], &[]);
        // Two witnesses are no quorum.
        check(&[("P2", 7, 400, [("P2", 100), ("G1", 100), ("G1", 99)])], &[]);
        check(&[("G1", 9, 401, three(100)), ("P2", 7, 400, three(100))], &[(100, None, &["G1", "P2"])]);
        // It came back: its own log shows when.
        check(&[("P2", 7, 400, three(100)), ("P1", 9, 901, three(900))], &[(100, Some(901), &["P2"])]);
        // P2 was cut off: others saw the log meanwhile.
        check(&[("P2", 7, 400, three(100)), ("G1", 9, 250, three(240))], &[]);
        check(&[("P2", 7, 400, three(100)), ("G1", 9, 60, three(50))], &[(100, None, &["P2"])]);
        // A quorum at 100 is fresher than P2 knew, and it is dark all the same.
        check(&[("P2", 7, 400, three(80)), ("G1", 9, 120, three(100))], &[(100, None, &["P2"])]);
        check(
            &[("P2", 7, 400, three(100)), ("P2", 8, 500, three(499)), ("P2", 9, 900, three(600))],
            &[(100, Some(500), &["P2"]), (600, None, &["P2"])],
        );
    }

    /// The definition, word for word.
    fn naive(seen: &[(u8, u64, i64)], index: u64, known_by: i64) -> Logged {
        let known = |w: u8| seen.iter().filter(move |s| s.0 == w && s.2 <= known_by);
        let mut e: Vec<i64> = (0..4).filter_map(|w| known(w).filter(|s| s.1 > index).map(|s| s.2).min()).collect();
        let mut l: Vec<i64> = (0..4).filter_map(|w| known(w).filter(|s| s.1 <= index).map(|s| s.2).max()).collect();
        e.sort();
        l.sort();
        l.reverse();
        let (Some(hi), lo) = (e.get(2).map(|e| Instant(*e)), Instant(l.get(2).copied().unwrap_or(i64::MIN))) else {
            return Logged::Unproven;
        };
        if lo <= hi { Logged::Within(LoggedAt { lo, hi }) } else { Logged::Disputed { by: hi, not_before: lo } }
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(seen in prop::collection::vec((0u8..4, 0u64..8, 1i64..20), 0..30), index in 0u64..8, known_by in 0i64..22) {
            let sightings: Vec<Sighting> = seen.iter().map(|(w, s, t)| sighting(&format!("W{w}"), *s, *t)).collect();
            let found = Times::new(Numbers::of(4, 3), &sightings).logged(index, Instant(known_by));
            prop_assert_eq!(found, naive(&seen, index, known_by));
        }

        /// Three honest witnesses whose clocks only go forward, and one liar who says anything: the interval holds the truth.
        #[test]
        fn one_liar_of_four_crosses_nothing(
            steps in prop::collection::vec((0u8..3, 1i64..5), 1..40),
            lies in prop::collection::vec((0u64..9, 1i64..90), 0..9),
            index in 0u64..8,
        ) {
            let (mut size, mut now, mut appended) = (0u64, 0, None);
            let mut all = Vec::new();
            for (witness, wait) in steps {
                now += wait;
                size += u64::from(wait % 2 == 1);
                appended = appended.or((size > index).then_some(now));
                all.push(sighting(&format!("W{witness}"), size, now));
            }
            all.extend(lies.iter().map(|(size, time)| sighting("W3", *size, *time)));
            match Times::new(Numbers::of(4, 3), &all).logged(index, Instant(i64::MAX)) {
                Logged::Unproven => (),
                Logged::Within(at) => {
                    let appended = Instant(appended.unwrap_or(i64::MAX));
                    prop_assert!(at.lo <= appended && appended <= at.hi, "{at:?} without {appended}");
                }
                disputed => prop_assert!(false, "{disputed:?}"),
            }
        }
    }
}
