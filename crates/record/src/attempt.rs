//! Attempts: a guarantor brought a log to somebody's mirror, and what became of it.
//!
//! ```text
//! {"act":"record","kind":"attempt","party":"G1", … "fields":{"origin":"p1.example/hamsaya/1","size":13,"to":"P2",
//!  "tries":3,"first":"2026-11-24T19:00:00Z","last":"2026-11-24T19:15:00Z","result":"timeout"}}
//! ```
//! **Delivered** is an entry to whoever it is addressed to, though his mirror did not sign, when min(f+1, guarantors)
//! guarantors each say, in their own logs, that it refused or was silent, three times or more over 900 s or longer: so one at
//! least of them is honest, and he had his chance. It is delivered at the latest of the instants by which these entries were
//! proven to be logged, of the guarantors that were first. Guarantors are those of the founding other than sender and
//! addressee.
use crate::founding::{Founding, MemberRole};
use crate::instant::Instant;
use crate::logs::Logs;
use crate::statement::{FieldValue, Statement};
use std::collections::BTreeMap;

/// So often at least is a mirror tried before it counts that it refuses or is silent.
pub const TRIES_MIN: u64 = 3;
/// So many seconds lie at least between the first and the last of these tries.
pub const OVER_S: i64 = 900;

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// The mirror signed that it holds the entries.
    Consigned,
    /// It answered that it does not take them.
    Refused,
    /// It did not answer.
    Timeout,
}

impl Outcome {
    const ALL: [Outcome; 3] = [Outcome::Consigned, Outcome::Refused, Outcome::Timeout];

    /// `consigned refused timeout`.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Consigned => "consigned",
            Outcome::Refused => "refused",
            Outcome::Timeout => "timeout",
        }
    }
}

/// That the first `size` entries of a log were brought to a member's mirror.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attempt {
    /// Which log.
    pub origin: String,
    /// So many entries.
    pub size: u64,
    /// The member whose mirror it is.
    pub to: String,
    /// How often it was tried.
    pub tries: u64,
    /// When first.
    pub first: Instant,
    /// When last.
    pub last: Instant,
    /// What became of it.
    pub result: Outcome,
}

impl Attempt {
    /// What a statement of kind `attempt` says; `None`: it is none, or says something else.
    pub fn of(statement: &Statement) -> Option<Attempt> {
        if statement.kind != "attempt" || statement.drill {
            return None;
        }
        let text = |name: &str| match statement.fields.get(name)? {
            FieldValue::Text(text) => Some(text.as_str()),
            _ => None,
        };
        let number = |name: &str| match statement.fields.get(name)? {
            FieldValue::Int(number) => u64::try_from(*number).ok(),
            _ => None,
        };
        let result = text("result")?;
        Some(Attempt {
            origin: text("origin")?.to_string(),
            size: number("size")?,
            to: text("to")?.to_string(),
            tries: number("tries")?,
            first: text("first")?.parse().ok()?,
            last: text("last")?.parse().ok()?,
            result: Outcome::ALL.into_iter().find(|outcome| outcome.name() == result)?,
        })
    }

    /// The fields of such a statement.
    pub fn to_fields(&self) -> BTreeMap<String, FieldValue> {
        let number = |n: u64| FieldValue::Int(i64::try_from(n).unwrap_or(i64::MAX));
        let text = |text: &str| FieldValue::Text(text.to_string());
        let fields = [
            ("origin", text(&self.origin)),
            ("size", number(self.size)),
            ("to", text(&self.to)),
            ("tries", number(self.tries)),
            ("first", text(&self.first.to_string())),
            ("last", text(&self.last.to_string())),
            ("result", text(self.result.name())),
        ];
        fields.into_iter().map(|(name, value)| (name.to_string(), value)).collect()
    }

    /// Whether so many tries over so long came to nothing that it was the mirror's doing.
    pub fn is_final(&self) -> bool {
        let over_s = self.last.0.saturating_sub(self.first.0);
        self.result != Outcome::Consigned && self.tries >= TRIES_MIN && over_s >= OVER_S
    }

    fn covers(&self, origin: &str, index: u64, to: &str) -> bool {
        self.origin == origin && self.to == to && index < self.size
    }
}

/// That an entry counts as delivered, though whoever it is for never signed that he has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// By then.
    pub at: Instant,
    /// The attempts that say so: origin and index of each guarantor's entry.
    pub told: Vec<(String, u64)>,
}

/// Whether the entry at this place is delivered to a member by attempts, as proven by cosignatures with times up to
/// `known_by`. That it is addressed to him the caller has seen.
pub fn delivered(
    logs: &Logs,
    founding: &Founding,
    origin: &str,
    index: u64,
    to: &str,
    known_by: Instant,
) -> Option<Delivered> {
    let sender = founding.keeper(origin)?;
    let f = founding.policy(origin)?.numbers()?.f;
    let is_guarantor = |name: &str| {
        name != sender.name && name != to && founding.member(name).is_some_and(|m| m.role == MemberRole::Guarantor)
    };
    let needed = founding.members().iter().filter(|m| is_guarantor(&m.name)).count().min(f + 1);
    // The first final word of each guarantor, by name.
    let mut words: BTreeMap<&str, (Instant, &str, u64)> = BTreeMap::new();
    for (n, entry) in logs.entries().iter().enumerate().filter(|(_, e)| e.statement.kind == "attempt") {
        let Some(keeper) = founding.keeper(&entry.origin).map(|m| m.name.as_str()) else { continue };
        let is_own_word = keeper == entry.statement.party && is_guarantor(keeper);
        let says = |attempt: Attempt| attempt.is_final() && attempt.covers(origin, index, to);
        if !is_own_word || !Attempt::of(&entry.statement).is_some_and(says) {
            continue;
        }
        let Some(at) = logs.logged_at(n, known_by) else { continue };
        let word = (at.hi, &*entry.origin, entry.index);
        let first = words.entry(keeper).or_insert(word);
        *first = word.min(*first);
    }
    let mut first: Vec<(Instant, &str, u64)> = words.into_values().collect();
    first.sort_unstable();
    let at = needed.checked_sub(1).and_then(|last| first.get(last))?.0;
    let told = first[..needed].iter().map(|(_, origin, index)| (origin.to_string(), *index)).collect();
    Some(Delivered { at, told })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::World;
    use crate::logs::{Entry, LoggedAt};
    use crate::statement::{Act, StatementId};

    const FROM: i64 = 1_795_550_400;

    fn origin(name: &str) -> String {
        format!("{}.example/hamsaya/1", name.to_lowercase())
    }

    /// An attempt to bring the first 13 entries of P1's log to P2.
    fn attempt() -> Attempt {
        let (first, last) = (Instant(FROM), Instant(FROM + OVER_S));
        Attempt { origin: origin("P1"), size: 13, to: "P2".into(), tries: 3, first, last, result: Outcome::Timeout }
    }

    /// Stated by somebody in somebody's log, at an index, and proven to be there by a time.
    fn logged(party: &str, log: &str, index: u64, attempt: &Attempt, hi: i64) -> (Entry, LoggedAt) {
        let at = Instant(FROM);
        let mut statement = Statement::new([0xA9; 32], Act::Record, "attempt", "", party, &origin(log), at);
        statement.fields = attempt.to_fields();
        let statement_id = StatementId([0; 32]);
        let entry = Entry { origin: origin(log).into(), index, statement_id, statement, signers: Vec::new() };
        (entry, LoggedAt { lo: at, hi: Instant(FROM + hi) })
    }

    /// When entry 12 of P1 is delivered to P2, in seconds, and by which entries.
    fn found(logs: Vec<(Entry, LoggedAt)>, known_by: i64) -> Option<(i64, String)> {
        let world = World::new();
        let logs = Logs::with_times(logs);
        let found = delivered(&logs, &world.founding, &origin("P1"), 12, "P2", Instant(FROM + known_by))?;
        let told: Vec<String> = found.told.iter().map(|(origin, index)| format!("{}#{index}", &origin[..2])).collect();
        Some((found.at.0 - FROM, told.join(" ")))
    }

    #[test]
    fn two_guarantors_deliver_at_the_later_of_their_times() {
        let both = || vec![logged("G1", "G1", 7, &attempt(), 1000), logged("G2", "G2", 4, &attempt(), 950)];
        assert_eq!(found(both(), 2000), Some((1000, "g2#4 g1#7".into())));
        assert_eq!(found(both(), 1000), Some((1000, "g2#4 g1#7".into())));
        assert_eq!(found(both(), 999), None, "not known yet");
        // The first word of each counts, whichever entry has it.
        let mut more = both();
        more.push(logged("G1", "G1", 8, &attempt(), 1200));
        more.push(logged("G2", "G2", 9, &attempt(), 940));
        assert_eq!(found(more, 2000), Some((1000, "g2#9 g1#7".into())));
    }

    #[test]
    fn each_boundary() {
        let check = |change: &dyn Fn(&mut Attempt), expected: bool| {
            let mut changed = attempt();
            change(&mut changed);
            let logs = vec![logged("G1", "G1", 7, &changed, 1000), logged("G2", "G2", 4, &attempt(), 950)];
            assert_eq!(found(logs, 2000).is_some(), expected, "{changed:?}");
        };
        check(&|a| a.result = Outcome::Refused, true);
        check(&|a| a.result = Outcome::Consigned, false);
        check(&|a| a.tries = 2, false);
        check(&|a| a.tries = 4, true);
        check(&|a| a.last = Instant(FROM + OVER_S - 1), false);
        check(&|a| a.last = Instant(FROM - OVER_S), false);
        check(&|a| a.first = Instant(FROM - 1), true);
        check(&|a| a.origin = origin("P2"), false);
        check(&|a| a.to = "G2".into(), false);
        check(&|a| a.size = 12, false);
        check(&|a| a.size = 1000, true);
    }

    #[test]
    fn whose_word_it_is() {
        let with = |other: Vec<(Entry, LoggedAt)>| {
            found([vec![logged("G1", "G1", 7, &attempt(), 1000)], other].concat(), 2000)
        };
        assert_eq!(with(vec![]), None, "one guarantor too few");
        assert_eq!(with(vec![logged("G1", "G1", 8, &attempt(), 1000)]), None, "twice the same one");
        assert_eq!(with(vec![logged("P1", "P1", 4, &attempt(), 950)]), None, "the sender himself");
        assert_eq!(with(vec![logged("G2", "G1", 8, &attempt(), 950)]), None, "in another's log");
        let mut drill = logged("G2", "G2", 4, &attempt(), 950);
        drill.0.statement.drill = true;
        assert_eq!(with(vec![drill]), None, "a drill");
        let mut disputed = logged("G2", "G2", 4, &attempt(), 950);
        disputed.1.lo = Instant(FROM + 951);
        assert_eq!(with(vec![disputed]), None, "nobody can say when it was logged");
    }

    #[test]
    fn what_is_written_is_read() {
        let statement = logged("G1", "G1", 7, &attempt(), 0).0.statement;
        assert_eq!(Attempt::of(&statement), Some(attempt()));
        for name in attempt().to_fields().keys() {
            let mut without = statement.clone();
            without.fields.remove(name);
            assert_eq!(Attempt::of(&without), None, "without {name}");
            without.fields.insert(name.clone(), FieldValue::Bool(true));
            assert_eq!(Attempt::of(&without), None, "{name} is something else");
        }
        let mut other = statement.clone();
        other.fields.insert("result".into(), FieldValue::Text("lost".into()));
        assert_eq!(Attempt::of(&other), None);
        other.fields.insert("size".into(), FieldValue::Int(-1));
        assert_eq!(Attempt::of(&other), None);
    }
}
