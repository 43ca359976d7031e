//! Openings of a rule, and the instants at which each is settled.
//!
//! ```text
//! C14(A1, P1) opened 0:   kept 2880, would have been breached 21600
//! ```
//! Breach on the certain reading counts only if the opening and what hurts are admitted and what helps is not even
//! asserted. Breach on the possible reading and keeping are read least favourably. A lapse that comes first settles an
//! instance as kept.
use crate::fact::{Instant, NEVER, SINCE_EVER};
use crate::facts::Pair;
use crate::intervals::Intervals;
use crate::monitor::State;
use crate::program::V;
use crate::relation::{Env, Eval, Valuation};
use crate::settle::{How, settle};

/// One opening of a rule.
#[derive(Clone, Debug)]
pub(crate) struct Opening {
    pub(crate) key: Valuation,
    pub(crate) opened: Instant,
    pub(crate) since: Instant,
    /// It opens on the certain reading too.
    pub(crate) certain: bool,
}

/// When an opening is settled; [`NEVER`] if it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    /// Breach on the certain reading.
    pub(crate) certain: Instant,
    /// Breach on the least favourable reading.
    pub(crate) possible: Instant,
    /// Kept on the least favourable reading, or lapsed.
    pub(crate) kept: Instant,
    pub(crate) lapsed: bool,
}

/// What the times of an opening are made of. Each of them only grows or only falls as facts of which every mention helps,
/// or every mention hurts, hold for longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Instants {
    certain: Instant,
    possible: Instant,
    kept: Instant,
    /// The first lapse, on the possible reading and on the certain one.
    lapse: [Instant; 2],
}

impl Times {
    pub(crate) fn of(Instants { mut certain, mut possible, mut kept, lapse: [perhaps, surely] }: Instants) -> Times {
        if perhaps < certain {
            certain = NEVER;
        }
        let lapsed = surely < possible.min(kept);
        if lapsed {
            (possible, kept) = (NEVER, surely);
        }
        Times { certain, possible, kept, lapsed }
    }

    pub(crate) fn state(&self, as_of: Instant) -> State {
        if self.certain <= as_of {
            State::Breached
        } else if self.possible <= as_of {
            State::Disputed
        } else if self.kept <= as_of {
            State::Kept
        } else {
            State::Pending
        }
    }

    /// Where the breach holds, if it has come by `horizon`.
    pub(crate) fn breached(&self, horizon: Instant) -> Pair {
        let from = |t: Instant| if t <= horizon { Intervals::one(t, NEVER) } else { Intervals::empty() };
        if self.certain == self.possible {
            return Pair::same(from(self.certain));
        }
        Pair::new(from(self.certain), from(self.possible))
    }
}

impl Eval<'_> {
    /// Openings for the keys that fit a pattern, sorted by key as inside, then by instant.
    pub(crate) fn openings(&mut self, rule: usize, pattern: &[Option<V>]) -> Vec<Opening> {
        let program = self.program;
        let duty = &program.duties[rule];
        let mut env = Env::new(duty.slots);
        for (&slot, value) in duty.key.iter().zip(pattern) {
            if let Some(value) = value {
                env.set(slot, *value);
            }
        }
        let relation = self.relation(&duty.opens, &mut env, self.until);
        let column = |slot| relation.vars.iter().position(|&var| var == slot);
        let columns: Vec<Result<V, usize>> =
            duty.key.iter().map(|&slot| env.get(slot).ok_or_else(|| column(slot).unwrap_or(0))).collect();
        let since = duty.since.and_then(column);
        let mut rows: Vec<(Valuation, Instant, &Pair)> = relation
            .rows
            .iter()
            .map(|(row, pair)| {
                let key = columns.iter().map(|c| c.unwrap_or_else(|i| row[i])).collect();
                let since = match since.map(|i| row[i]) {
                    Some(V::Int(t)) => t,
                    _ => NEVER,
                };
                (key, since, pair)
            })
            .collect();
        rows.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        let mut openings = Vec::new();
        for group in rows.chunk_by(|a, b| a.0 == b.0) {
            let all = |f: fn(&Pair) -> &Intervals| {
                Intervals::from_unsorted(group.iter().flat_map(|(_, _, pair)| f(pair).iter()).collect())
            };
            let possible = all(|pair| &pair.possible);
            let certain = all(|pair| &pair.certain);
            for (opened, _) in possible.iter().filter(|&(from, _)| from != SINCE_EVER) {
                // Of several accounts of when it began, the earliest that is certain; else the earliest.
                let by = |f: fn(&Pair) -> &Intervals| group.iter().find(|(_, _, pair)| f(pair).contains(opened));
                let row = by(|pair| &pair.certain).or_else(|| by(|pair| &pair.possible));
                openings.push(Opening {
                    key: group[0].0.clone(),
                    opened,
                    since: row.map_or(opened, |(_, since, _)| opened.min(*since)),
                    certain: certain.contains(opened),
                });
            }
        }
        openings
    }

    /// When an opening is settled if facts after `cut` are dropped.
    pub(crate) fn times(&mut self, rule: usize, opening: &Opening, cut: Instant) -> Times {
        Times::of(self.instants(rule, opening, cut))
    }

    /// The instants that settle an opening if facts after `cut` are dropped.
    pub(crate) fn instants(&mut self, rule: usize, opening: &Opening, cut: Instant) -> Instants {
        let program = self.program;
        let duty = &program.duties[rule];
        let mut env = Env::new(duty.slots);
        for (&slot, &value) in duty.key.iter().zip(&opening.key) {
            env.set(slot, value);
        }
        let since = duty.since.map(|_| opening.since);
        let at = opening.opened;
        let harsh = settle(self, &duty.must, &mut env, How::harsh(since, cut), at, at);
        let (possible, kept) = (harsh.vio.at(at), harsh.sat.at(at));
        let mut instants = Instants { certain: NEVER, possible, kept, lapse: [NEVER; 2] };
        if opening.certain && possible != NEVER {
            let mild = settle(self, &duty.must, &mut env, How::favourable(since, cut), at, at);
            instants.certain = mild.vio.at(at);
        }
        if let Some(lapses) = &duty.lapses {
            let pair = self.within((at, NEVER), cut, |eval| eval.holds(lapses, &mut env, cut));
            instants.lapse = [&pair.possible, &pair.certain].map(|set| set.first_from(at).unwrap_or(NEVER));
        }
        instants
    }
}
