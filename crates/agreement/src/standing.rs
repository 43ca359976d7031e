//! Judging a record that grows: what an entry does not touch is not judged again.
//!
//! ```text
//! let mut standing = Standing::new(&agreement);
//! standing.judge(&logs, as_of, known_by, |_| false)       everything
//! standing.judge(&longer, as_of, known_by, |_| false)     what the new entries touch, and whose clock ran out meanwhile
//! ```
//!
//! Every judgment is a function of the logs and the two instants alone, whatever was judged before; one of a record for the
//! first time is made in the same way. Time may go back: then everything is judged again. Facts follow the record
//! (`facts`), the monitor follows the facts, and verdicts follow the monitor; a clock that was moved is set anew each time.
use crate::digest::{Order, Rank};
use crate::facts::Facts;
use crate::judgment::{Bench, JudgeError, Judgment, State, Verdict, bearer};
use crate::lower::Clock;
use crate::moves::Moves;
use crate::source::{Agreement, hex};
use hamsaya_monitor::{FactId, Instance, InstanceKey, Value};
use hamsaya_record::instant::Instant;
use hamsaya_record::logs::Logs;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Deref;

/// The last judgment, and what it takes to make the next one.
pub struct Standing<A> {
    agreement: A,
    order: Order,
    facts: Facts,
    moves: Moves,
    shown: BTreeMap<Shown, One>,
    /// In the order of the digest.
    verdicts: BTreeMap<(Rank, Shown), Verdict>,
    /// By which facts.
    disputed: BTreeMap<Shown, Vec<FactId>>,
    judged: usize,
}

/// What people see as one instance: commitment, bearer, what it is about, when it opened.
type Shown = (usize, String, Vec<Value>, Instant);

/// Columns that no reader knows can split what is one instance to people, as when two statements open it at the same
/// instant. The first that still has its ground stands for all.
#[derive(Default)]
struct One {
    instances: BTreeSet<InstanceKey>,
    rank: Option<Rank>,
}

impl<A> fmt::Debug for Standing<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Standing").field("verdicts", &self.verdicts.len()).finish_non_exhaustive()
    }
}

fn shown(clock: &Clock, key: &InstanceKey) -> Shown {
    let visible = clock.visible.iter().filter_map(|(n, ..)| key.valuation.get(*n).cloned()).collect();
    (clock.commitment, bearer(&clock.bearer, &key.valuation), visible, Instant(key.opened))
}

impl<A: Deref<Target = Agreement>> Standing<A> {
    /// Nothing has been judged yet.
    pub fn new(agreement: A) -> Self {
        let (order, facts) = (Order::of(&agreement), Facts::new(&agreement));
        Standing {
            agreement,
            order,
            facts,
            moves: Moves::default(),
            shown: BTreeMap::new(),
            verdicts: BTreeMap::new(),
            disputed: BTreeMap::new(),
            judged: 0,
        }
    }

    /// How many verdicts were made again by the last call.
    pub fn judged(&self) -> usize {
        self.judged
    }

    /// Judges `logs` as they are now. They need not hold what they held before, and `as_of` may go back.
    pub fn judge(
        &mut self,
        logs: &Logs,
        as_of: Instant,
        known_by: Instant,
        wanted: impl Fn(&Verdict) -> bool,
    ) -> Result<Judgment, JudgeError> {
        self.follow(logs, as_of, known_by)?;
        let bench = self.bench();
        let mut verdicts = Vec::with_capacity(self.verdicts.len());
        for ((_, shown), verdict) in &self.verdicts {
            let mut verdict = verdict.clone();
            if wanted(&verdict)
                && let Some(instance) = self.standing_for(shown)
            {
                bench.explain(instance, &mut verdict.reasons);
            }
            verdicts.push(verdict);
        }
        Ok(bench.judgment(logs, as_of, known_by, verdicts))
    }

    /// Follows the record and the clock, without writing all verdicts down: [`Standing::judge`] then costs no more than
    /// that.
    pub fn follow(&mut self, logs: &Logs, as_of: Instant, known_by: Instant) -> Result<(), JudgeError> {
        let Standing { agreement, facts, moves, .. } = self;
        moves.take_back(facts);
        facts.follow(agreement, logs, as_of, known_by);
        if let Some(stranger) = facts.stranger() {
            return Err(JudgeError::OtherAgreement { found: hex(stranger), allowed: hex(&agreement.digest()) });
        }
        let deltas = facts.monitor_mut().advance(as_of.0);
        let mut touched: BTreeSet<InstanceKey> = deltas.into_iter().map(|delta| delta.key).collect();
        touched.extend(moves.apply(agreement, facts, as_of));
        // Whoever disputes cites entries: what is behind a fact can change while the fact stays.
        let retold = self.facts.retold();
        let otherwise = |facts: &Vec<FactId>| retold.is_none_or(|retold| facts.iter().any(|f| retold.contains(f)));
        let disputed = self.disputed.iter().filter(|(_, facts)| otherwise(facts));
        let mut stale: BTreeSet<Shown> = disputed.map(|(shown, _)| shown.clone()).collect();
        for key in touched {
            let Some(clock) = self.agreement.program().clocks.get(&key.rule) else { continue };
            let shown = shown(clock, &key);
            let one = self.shown.entry(shown.clone()).or_default();
            match self.facts.monitor().instance(&key) {
                Some(_) => one.instances.insert(key),
                None => one.instances.remove(&key),
            };
            stale.insert(shown);
        }
        self.judged = stale.len();
        for shown in stale {
            self.write(shown);
        }
        Ok(())
    }

    /// Writes down the verdict on what is shown as one.
    fn write(&mut self, shown: Shown) {
        if let Some(rank) = self.shown.get_mut(&shown).and_then(|one| one.rank.take()) {
            self.verdicts.remove(&(rank, shown.clone()));
        }
        self.disputed.remove(&shown);
        let Some(instance) = self.standing_for(&shown) else {
            self.shown.remove(&shown);
            return;
        };
        let Some(clock) = self.agreement.program().clocks.get(&instance.key.rule) else { return };
        let verdict = self.bench().verdict(instance, clock, shown.1.clone());
        let rank = self.order.rank(&verdict);
        if verdict.state == State::Disputed {
            let facts = instance.disputed.clone();
            self.disputed.insert(shown.clone(), facts);
        }
        if let Some(one) = self.shown.get_mut(&shown) {
            one.rank = Some(rank.clone());
        }
        self.verdicts.insert((rank, shown), verdict);
    }

    /// The instance whose verdict is shown.
    fn standing_for(&self, shown: &Shown) -> Option<&Instance> {
        let instances = self.shown.get(shown)?.instances.iter();
        let mut instances = instances.filter_map(|key| self.facts.monitor().instance(key));
        let first = instances.next()?;
        Some(if first.lapsed { instances.find(|instance| !instance.lapsed).unwrap_or(first) } else { first })
    }

    fn bench(&self) -> Bench<'_> {
        Bench { agreement: &self.agreement, facts: &self.facts }
    }
}
