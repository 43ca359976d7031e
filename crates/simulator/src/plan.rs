//! What a seed has in store: who speaks when, what breaks when, and who lies.
//!
//! ```text
//! 12  0:03:41  P1 begins to show two trees of its log
//! 13  0:03:58  a bit rots in G2's copy of P2's log
//! ```
//! Every event has a number and chance of its own, so that a story can be told again without some of them: that is how a
//! failure is shrunk.
use crate::Options;
use crate::chance::Chance;
use crate::town::NAMES;

/// Trouble ends here.
pub(crate) const HEALING_MS: u64 = 400_000;

/// Who may lie. No log has more lying witnesses than its policy bears: one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Liars {
    /// Lies with its log.
    pub(crate) party: Option<&'static str>,
    /// Lies as a witness: the party itself, or a guarantor that colludes with it.
    pub(crate) witness: Option<&'static str>,
}

impl Liars {
    pub(crate) fn include(&self, name: &str) -> bool {
        [self.party, self.witness].into_iter().flatten().any(|liar| liar == name)
    }
}

/// What a liar does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lie {
    /// The party shows one tree of its log to some, another to the others.
    TwoTrees,
    /// The party answers nothing about its log, or only to some.
    WithholdsLog,
    /// The witness answers nothing to some.
    WithholdsCosignatures,
    /// The witness cosigns an hour early or late, and the party takes it.
    FalseTimes,
    /// The witness cosigns whatever it is shown.
    SignsAll,
    /// What it serves of any log has other bytes.
    ForgesTiles,
}

const LIES: [Lie; 6] =
    [Lie::TwoTrees, Lie::WithholdsLog, Lie::WithholdsCosignatures, Lie::FalseTimes, Lie::SignsAll, Lie::ForgesTiles];

/// What happens to the world from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Somebody says something.
    Speaks,
    /// Two are cut off from each other.
    Cuts,
    /// One is cut off from all.
    Isolates,
    /// The world falls into two halves.
    Splits,
    /// A process is gone, or a machine.
    Dies,
    /// A process dies within a write, before it, after it or half way.
    Crashes,
    /// A bit changes on a disk.
    Rots,
    /// A clock jumps, and stays honest.
    Jumps,
    /// A disk is replaced by an older copy of itself.
    Restores,
    /// The liar's clock is an hour off for a while.
    LosesTime,
    /// The liar sends much that is no evidence to everybody.
    Floods,
    /// The liar begins to lie like this.
    Lies(Lie),
    /// Times and trees are compared.
    Looks,
    /// A chair's key gives way to the next.
    Rotates,
    /// Somebody else has a chair's key, and uses it.
    Steals,
    /// Its owner finds out.
    FindsOut,
}

/// One event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Planned {
    pub(crate) number: usize,
    pub(crate) at_ms: u64,
    pub(crate) deed: Deed,
    /// Seeds the choices that the event asks for.
    pub(crate) salt: u64,
}

/// All of a seed.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) liars: Liars,
    pub(crate) events: Vec<Planned>,
}

impl Plan {
    pub(crate) fn of(options: &Options, chance: &mut Chance) -> Plan {
        let mut liars = Liars::default();
        let mut deeds = Vec::new();
        if !chance.one_in(3) {
            liars.party = chance.pick(&["P1", "P2"]).copied();
            liars.witness = if chance.one_in(2) { liars.party } else { chance.pick(&["G1", "G2"]).copied() };
            deeds.extend(LIES.iter().filter(|_| chance.one_in(2)).map(|lie| (Deed::Lies(*lie), 20_000, 250_000)));
            deeds.extend([(Deed::Floods, 20_000, 350_000), (Deed::LosesTime, 20_000, 250_000)]);
            deeds.retain(|(deed, ..)| matches!(deed, Deed::Lies(_)) || chance.one_in(3));
        }
        let gap = HEALING_MS / (options.statements + 1);
        deeds.extend((0..options.statements).map(|n| (Deed::Speaks, n * gap + 1_000, (n + 2) * gap)));
        for _ in 0..12 {
            let deed = match chance.below(16) {
                0 | 1 => Deed::Cuts,
                2 => Deed::Isolates,
                3 => Deed::Splits,
                4 | 5 => Deed::Dies,
                6 | 7 => Deed::Rots,
                8 | 9 => Deed::Jumps,
                10 => Deed::Restores,
                _ => Deed::Crashes,
            };
            deeds.push((deed, 0, HEALING_MS - 60_000));
        }
        deeds.extend([2, 4].map(|third| (Deed::Looks, HEALING_MS * third / 6, HEALING_MS * third / 6)));
        let events = deeds.into_iter().enumerate().map(|(number, (deed, from, to))| Planned {
            number,
            at_ms: chance.between(from, to),
            deed,
            salt: chance.next(),
        });
        let mut events: Vec<Planned> = events.collect();
        // With chance of their own: what else a seed has in store stays what it was.
        let mut own = Chance::new(events.first().map_or(0, |event| event.salt));
        if own.one_in(2) {
            let (rotates, steals) = ((Deed::Rotates, 10_000, 200_000), (Deed::Steals, 150_000, HEALING_MS - 100_000));
            for (deed, from, to) in [rotates, rotates, rotates, rotates, steals, steals] {
                let number = events.len();
                events.push(Planned { number, at_ms: own.between(from, to), deed, salt: own.next() });
            }
        }
        events.retain(|event| options.only.as_ref().is_none_or(|only| only.contains(&event.number)));
        Plan { liars, events }
    }
}

/// The others of a name.
pub(crate) fn others(name: &str) -> impl Iterator<Item = &'static str> {
    NAMES.into_iter().filter(move |other| *other != name)
}
