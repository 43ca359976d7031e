//! Judging a record that grows: what an entry does not touch is not judged again.
//!
//! ```text
//! let mut standing = Standing::new(&agreement);
//! standing.judge(&logs, as_of, known_by, |_| false)       all commitments
//! standing.judge(&longer, as_of, known_by, |_| false)     those whose facts differ, or whose clock ran out meanwhile
//! ```
//!
//! Every judgment is the one that [`crate::judge_explaining`] gives, byte for byte; tests compare them. Commitments are
//! watched apart: each has its own rules, those whose breach it asks for, and the facts that these read. Facts are made from
//! the whole record each time, because whether a statement counts may hang on any other; they cost less than judging.
use crate::facts::{self, AGAIN, Facts};
use crate::judgment::{Bench, JudgeError, Judgment, Verdict, belongs};
use crate::lower::Program;
use crate::moves;
use crate::source::Agreement;
use hamsaya_monitor::{Fact, FactId, Monitor};
use hamsaya_record::instant::Instant;
use hamsaya_record::logs::Logs;
use hamsaya_record::statement::FieldValue;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The last judgment, and what it takes to make the next one.
pub struct Standing<'a> {
    agreement: &'a Agreement,
    watches: Vec<Watch>,
    /// Which watches read a predicate.
    readers: BTreeMap<Arc<str>, Vec<usize>>,
    /// Facts of the last judgment, under the names that monitors know them by.
    held: BTreeMap<FactId, (FactId, Fact)>,
    /// How often a name was taken: a monitor never forgets a withdrawal.
    taken: BTreeMap<FactId, usize>,
    as_of: Option<Instant>,
    judged: usize,
}

/// One commitment, watched.
struct Watch {
    program: Program,
    /// Clocks whose verdicts are read here: others only serve to know of their breach.
    own: Program,
    /// Commitments of all its clocks.
    of: BTreeSet<String>,
    monitor: Monitor,
    verdicts: Vec<Verdict>,
    /// A clock was moved: it starts anew each time.
    moved: bool,
}

impl<'a> Standing<'a> {
    /// Nothing has been judged yet.
    pub fn new(agreement: &'a Agreement) -> Self {
        let ids: BTreeSet<&str> = agreement.commitments().iter().map(|c| c.id.as_str()).collect();
        let clocks = &agreement.program().clocks;
        let id_of = |commitment: usize| agreement.commitments()[commitment].id.as_str();
        let mut watches = Vec::new();
        for id in ids {
            let rules = clocks.iter().filter(|(_, c)| id_of(c.commitment) == id);
            let parts: BTreeSet<String> =
                rules.filter_map(|(name, _)| name.split('~').next().map(str::to_string)).collect();
            if parts.is_empty() {
                continue;
            }
            let program = agreement.program().only(&parts);
            let mut own = Program { clocks: program.clocks.clone(), ..Program::default() };
            own.clocks.retain(|_, c| id_of(c.commitment) == id);
            let of = program.clocks.values().map(|c| id_of(c.commitment).to_string()).collect();
            let monitor = facts::monitor(&program.upper, Vec::new());
            watches.push(Watch { program, own, of, monitor, verdicts: Vec::new(), moved: false });
        }
        let mut readers: BTreeMap<Arc<str>, Vec<usize>> = BTreeMap::new();
        for (n, watch) in watches.iter().enumerate() {
            for predicate in watch.program.upper.signature.keys() {
                readers.entry(predicate.clone()).or_default().push(n);
            }
        }
        let (held, taken) = (BTreeMap::new(), BTreeMap::new());
        Standing { agreement, watches, readers, held, taken, as_of: None, judged: 0 }
    }

    /// How many commitments were judged again by the last call.
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
        belongs(self.agreement, logs)?;
        let mut facts = facts::facts(self.agreement, logs, as_of, known_by);
        let told: BTreeMap<FactId, Fact> = std::mem::take(&mut facts.facts).into_iter().collect();
        let mut stale = self.clocks(as_of);
        let named = named_by_moves(&facts);
        for (n, watch) in self.watches.iter_mut().enumerate() {
            let moved = !named.is_disjoint(&watch.of);
            if moved || watch.moved {
                // What moves a clock is found by judging: from the beginning, as everybody else does.
                watch.monitor = facts::monitor(&watch.program.upper, Vec::new());
                let read = self.held.values().filter(|(_, f)| watch.program.upper.signature.contains_key(&f.predicate));
                for (id, fact) in read {
                    insert(&mut watch.monitor, id.clone(), fact.clone());
                }
                stale.insert(n);
            }
            watch.moved = moved;
        }
        self.tell(told, &mut stale);
        self.judged = stale.len();
        for n in stale {
            let watch = &mut self.watches[n];
            watch.monitor.advance(as_of.0);
            if watch.moved {
                moves::apply(self.agreement, &mut facts, &mut watch.monitor, as_of);
            }
            let bench =
                Bench { agreement: self.agreement, program: &watch.own, facts: &facts, monitor: &watch.monitor };
            watch.verdicts = bench.verdicts(&|_| false);
        }
        self.as_of = Some(as_of);
        let mut verdicts = Vec::new();
        for watch in &self.watches {
            // Reasons are asked of the monitor that knows them, and of no other.
            let asked = watch.verdicts.iter().any(&wanted);
            if asked {
                let bench =
                    Bench { agreement: self.agreement, program: &watch.own, facts: &facts, monitor: &watch.monitor };
                verdicts.extend(bench.verdicts(&wanted));
            } else {
                verdicts.extend(watch.verdicts.iter().cloned());
            }
        }
        let program = self.agreement.program();
        let monitor = &facts::monitor(&crate::lower::Stratum::default(), Vec::new());
        let bench = Bench { agreement: self.agreement, program, facts: &facts, monitor };
        Ok(bench.judgment(logs, as_of, known_by, verdicts))
    }

    /// Watches of which silence alone has changed something since the last judgment.
    fn clocks(&self, as_of: Instant) -> BTreeSet<usize> {
        let Some(last) = self.as_of.filter(|last| *last <= as_of) else {
            return (0..self.watches.len()).collect();
        };
        if last == as_of {
            return BTreeSet::new();
        }
        let runs_out = |watch: &Watch| watch.monitor.next_change(last.0).is_some_and(|at| at <= as_of.0);
        let mut stale: BTreeSet<usize> = (0..self.watches.len()).filter(|n| runs_out(&self.watches[*n])).collect();
        // What was known to lie ahead has come.
        let came = |at: i64| last.0 < at && at <= as_of.0;
        for (_, fact) in self.held.values().filter(|(_, f)| came(f.from) || came(f.to)) {
            stale.extend(self.readers.get(&fact.predicate).into_iter().flatten());
        }
        stale
    }

    /// Tells every watch what is new and what is gone.
    fn tell(&mut self, told: BTreeMap<FactId, Fact>, stale: &mut BTreeSet<usize>) {
        let gone: Vec<FactId> =
            self.held.iter().filter(|(id, (_, fact))| told.get(*id) != Some(fact)).map(|(id, _)| id.clone()).collect();
        for id in gone {
            let Some((known_as, fact)) = self.held.remove(&id) else { continue };
            for n in self.readers.get(&fact.predicate).into_iter().flatten() {
                self.watches[*n].monitor.withdraw(known_as.clone());
                stale.insert(*n);
            }
        }
        for (id, fact) in told {
            if self.held.contains_key(&id) {
                continue;
            }
            let times = self.taken.entry(id.clone()).or_default();
            let known_as = match *times {
                0 => id.clone(),
                n => FactId::new(format!("{}{AGAIN}{n}", id.0)),
            };
            *times += 1;
            for n in self.readers.get(&fact.predicate).into_iter().flatten() {
                insert(&mut self.watches[*n].monitor, known_as.clone(), fact.clone());
                stale.insert(*n);
            }
            self.held.insert(id, (known_as, fact));
        }
    }
}

fn insert(monitor: &mut Monitor, id: FactId, fact: Fact) {
    monitor.insert(id, fact).expect("facts are built by the columns that the rules were compiled for");
}

/// Commitments of which some statement moves a clock.
fn named_by_moves(facts: &Facts<'_>) -> BTreeSet<String> {
    let tolls = facts.tolls.iter().map(|(toll, _)| toll);
    let named = facts.extensions.iter().chain(tolls).filter_map(|n| {
        match facts.known[*n].entry.statement.fields.get("commitment") {
            Some(FieldValue::Text(commitment)) => Some(commitment.clone()),
            _ => None,
        }
    });
    named.collect()
}
