//! The monitor: facts in, instances and deltas out.
//!
//! ```
//! use hamsaya_monitor::*;
//! let atom = |name: &str| Formula::Atom { name: name.into(), args: vec![Term::Var("a".into())] };
//! let rule = Rule {
//!     name: "C14".into(),
//!     opens: atom("lodged"),
//!     key: vec!["a".into()],
//!     since: None,
//!     must: Formula::Eventually(Window::new(0, 21_600), Box::new(atom("ack"))),
//!     lapses: None,
//! };
//! let signature = Signature::from([("lodged".into(), vec![Type::Text]), ("ack".into(), vec![Type::Text])]);
//! let mut monitor = Monitor::new(&Rules { definitions: vec![], rules: vec![rule] }, &signature)?;
//! let event = |name: &str, at| Fact {
//!     predicate: name.into(), args: vec![Value::text("A1")], from: at, to: at, admitted: true,
//! };
//! monitor.insert(FactId::new("1"), event("lodged", 0))?;
//! monitor.insert(FactId::new("2"), event("ack", 2_880))?;
//! monitor.advance(1_000);
//! assert_eq!((monitor.relation()[0].state, monitor.relation()[0].due), (State::Pending, Some(21_600)));
//! assert_eq!(monitor.next_change(1_000), Some(21_600));
//! let deltas = monitor.advance(10_000);
//! assert_eq!(deltas[0].after.as_ref().map(|i| (i.state, i.kept_at)), Some((State::Kept, Some(2_880))));
//! # Ok::<(), Diagnostics>(())
//! ```
//! Facts come in any order and may be withdrawn; what stands is a function of the set that is left, of the rules and of
//! `as_of`. An opening that has always held never began, so it opens no instance.
use crate::argument::Argument;
use crate::evidence::{Evidence, Goal, flip};
use crate::fact::{Fact, FactId, Instant, NEVER, SINCE_EVER, Value};
use crate::facts::{Facts, Pair, WhatIf};
use crate::formula::{Diagnostic, Diagnostics, Name, Rules, Signature, Term, Type};
use crate::intervals::minus;
use crate::openings::{Instants, Opening, Times};
use crate::program::{Program, V, Words, compile};
use crate::relation::{Breaches, Eval, Slots, gather};
use crate::revise::Books;
use crate::settle::How;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One row of a derived predicate.
pub type Tuple = Vec<Value>;

/// Which facts count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Asserted facts do not count (in a positive place; in a negative one they do).
    Certain,
    /// Asserted facts count (in a positive place).
    Possible,
}

/// How an instance stands at `as_of`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Settled true on the least favourable reading.
    Kept,
    /// Settled false on the certain reading.
    Breached,
    /// Not settled yet.
    Pending,
    /// Settled false only if facts hold that nobody has admitted.
    Disputed,
}

/// What tells one instance from another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceKey {
    /// Name of the rule.
    pub rule: Name,
    /// Values of the rule's key, in its order.
    pub valuation: Vec<Value>,
    /// Instant at which the opening began to hold.
    pub opened: Instant,
}

/// One opening of one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Rule, valuation, opening.
    pub key: InstanceKey,
    /// From when on acts count.
    pub since: Instant,
    /// When it would be breached under silence from the instant on that settled it, or from `as_of` on: the due
    /// instant. `None`: silence never breaches it.
    pub due: Option<Instant>,
    /// When silence would settle it as kept, e.g. the end of a prohibition; `None` if silence never does.
    pub until: Option<Instant>,
    /// How it stands.
    pub state: State,
    /// When it was breached (certain reading), or would be if the disputed facts hold.
    pub breached_since: Option<Instant>,
    /// When it was settled as kept (least favourable reading), or lapsed.
    pub kept_at: Option<Instant>,
    /// It ended because its ground fell before it was settled.
    pub lapsed: bool,
    /// Facts, only asserted, on which a disputed state hangs; sorted.
    pub disputed: Vec<FactId>,
}

/// What one call of [`Monitor::advance`] changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delta {
    /// Which instance.
    pub key: InstanceKey,
    /// As it was; `None` if it was not open.
    pub before: Option<Instance>,
    /// As it is; `None` if it is no longer open.
    pub after: Option<Instance>,
}

/// What came of [`Monitor::put`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Put {
    /// The fact's number until it is forgotten; then another may have it. `None`: the id was withdrawn for good.
    pub number: Option<usize>,
    /// The number that its id had before: the same if it was told just so, another if what it named is forgotten.
    pub before: Option<usize>,
}

/// That no fact of a kind holds anywhere in an interval, other than those listed as present beside it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Absence {
    /// The predicate.
    pub predicate: Name,
    /// Values of its columns; `None` where any value counts.
    pub args: Vec<Option<Value>>,
    /// First instant of the range.
    pub from: Instant,
    /// Last instant of the range.
    pub to: Instant,
}

/// Why an instance stands as it does: the formula's nodes with the instant at which each was settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The formula's node, e.g. `EVENTUALLY[0,21600] ack(a, y)`.
    pub node: String,
    /// At which instant the node is read.
    pub at: Instant,
    /// Whether it is true there.
    pub holds: bool,
    /// When that was settled.
    pub settled: Instant,
    /// Facts that show it, for an atom.
    pub facts: Vec<FactId>,
    /// What follows it.
    pub children: Vec<Proof>,
}

/// The reasons of one instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Facts that opened it.
    pub opened_by: Vec<FactId>,
    /// Proof of its state.
    pub proof: Proof,
    /// Minimal evidence, present part: with `absent`, the verdict follows from these alone; sorted.
    pub present: Vec<FactId>,
    /// Minimal evidence, absent part; sorted.
    pub absent: Vec<Absence>,
}

/// Watches rules over facts.
#[derive(Clone, Debug)]
pub struct Monitor {
    program: Arc<Program>,
    facts: Facts,
    as_of: Instant,
    /// Sorted by key.
    instances: Vec<Instance>,
    books: Books,
}

/// So many instances that come are put in their places one by one.
const FEW: usize = 16;

/// On what a dispute hangs, beyond the facts that are named.
pub(crate) struct Hangs {
    /// No fact alone would change it, so all that were looked at are named.
    pub(crate) on_all: bool,
    /// No other fact is named before this instant, if nothing more is said.
    pub(crate) until: Instant,
    /// Nor if facts that hold beyond `as_of` go on.
    pub(crate) steady: bool,
}

impl Monitor {
    /// A monitor for these rules. All reasons for a refusal are given at once.
    pub fn new(rules: &Rules, signature: &Signature) -> Result<Monitor, Diagnostics> {
        let mut words = Words::default();
        let program = Arc::new(compile(rules, signature, &mut words)?);
        let facts = Facts::new(words, program.predicates.iter().map(|predicate| predicate.types.len()));
        let books = Books::new(&program);
        Ok(Monitor { program, facts, as_of: SINCE_EVER, instances: Vec::new(), books })
    }

    /// Takes a fact, at any time in the past. An id that was withdrawn stays withdrawn. Fails if the predicate is
    /// unknown or the columns do not fit, or if the id already names another fact.
    pub fn insert(&mut self, id: FactId, fact: Fact) -> Result<(), Diagnostics> {
        let index = self.fitting(&id, &fact)?;
        let (shown, predicate) = (id.clone(), fact.predicate.clone());
        self.facts.insert(id, index, &fact).map_err(|()| {
            Diagnostics(vec![Diagnostic {
                place: predicate,
                found: format!("id `{}` already names another fact", shown.0),
                hint: "an id names one fact for good; withdraw it and use a new id".to_string(),
            }])
        })
    }

    /// Takes a fact in place of the one that its id named before, if there was one.
    pub fn put(&mut self, id: FactId, fact: Fact) -> Result<Put, Diagnostics> {
        let index = self.fitting(&id, &fact)?;
        Ok(self.facts.put(id, index, &fact))
    }

    /// The number of a fact that was told.
    pub fn number(&self, id: &FactId) -> Option<usize> {
        self.facts.number(id)
    }

    /// The id of a fact, by its number.
    pub fn id(&self, number: usize) -> Option<&FactId> {
        self.facts.told.get(number).map(|told| &told.id)
    }

    /// As if a fact had never been told. Unlike one that was withdrawn it may be told again. Gives the values that it named.
    pub fn forget(&mut self, id: &FactId) -> Option<Tuple> {
        let (predicate, row) = self.facts.forget(id)?;
        Some(self.say(self.facts.tables[predicate].args(row)))
    }

    /// The predicate of a fact that fits it.
    fn fitting(&self, id: &FactId, fact: &Fact) -> Result<usize, Diagnostics> {
        let refuse = |found: String, hint: String| {
            Err(Diagnostics(vec![Diagnostic { place: fact.predicate.clone(), found, hint }]))
        };
        let Some(&index) = self.program.predicate.get(&fact.predicate) else {
            return refuse(
                format!("fact `{}` is of `{}`, which is no predicate", id.0, fact.predicate),
                "declare it in the signature".to_string(),
            );
        };
        let predicate = &self.program.predicates[index];
        let fits = |(value, wanted): (&Value, &Type)| {
            matches!((value, wanted), (Value::Int(_), Type::Int) | (Value::Text(_), Type::Text))
        };
        if fact.args.len() != predicate.types.len() || !fact.args.iter().zip(&predicate.types).all(fits) {
            let found: Vec<String> = fact.args.iter().map(|v| Term::Const(v.clone()).to_string()).collect();
            return refuse(
                format!("fact `{}` is {}({})", id.0, fact.predicate, found.join(", ")),
                format!("its columns are {:?}", predicate.types),
            );
        }
        if fact.from > fact.to || fact.from == NEVER || fact.to == SINCE_EVER {
            return refuse(
                format!("fact `{}` holds from {} to {}, which is no instant", id.0, fact.from, fact.to),
                "`from` is at most `to`".to_string(),
            );
        }
        if predicate.events_only && fact.from != fact.to {
            return refuse(
                format!("fact `{}` holds from {} to {}", id.0, fact.from, fact.to),
                format!("`{}` is read with ts(x) that binds x, so its facts are single instants", fact.predicate),
            );
        }
        Ok(index)
    }

    /// Withdraws a fact for good, also one that has not come yet.
    pub fn withdraw(&mut self, id: FactId) {
        self.facts.withdraw(id);
    }

    /// Judges at `as_of`: facts after it are dropped and then there is silence. Returns what changed since the last
    /// call, sorted by key.
    pub fn advance(&mut self, as_of: Instant) -> Vec<Delta> {
        let last = std::mem::replace(&mut self.as_of, as_of);
        let changed = self.facts.refresh(last, as_of);
        let mut books = std::mem::take(&mut self.books);
        let (found, afresh) = books.revise(self, &changed, last);
        self.books = books;
        self.facts.settle(&changed);
        if afresh {
            let after = found.into_values().flatten().collect();
            let before = std::mem::replace(&mut self.instances, after);
            return difference(before, &self.instances);
        }
        self.take_in(found)
    }

    /// Puts instances that were judged again in their places.
    fn take_in(&mut self, found: BTreeMap<InstanceKey, Option<Instance>>) -> Vec<Delta> {
        let mut deltas = Vec::new();
        let (mut gone, mut come) = (BTreeSet::new(), Vec::new());
        for (key, after) in found {
            match (self.instances.binary_search_by(|instance| instance.key.cmp(&key)), after) {
                (Ok(at), Some(after)) => {
                    if self.instances[at] != after {
                        let before = std::mem::replace(&mut self.instances[at], after.clone());
                        deltas.push(Delta { key, before: Some(before), after: Some(after) });
                    }
                }
                (Ok(at), None) => {
                    gone.insert(at);
                    deltas.push(Delta { key, before: Some(self.instances[at].clone()), after: None });
                }
                (Err(_), Some(after)) => {
                    come.push(after.clone());
                    deltas.push(Delta { key, before: None, after: Some(after) });
                }
                (Err(_), None) => {}
            }
        }
        if !gone.is_empty() {
            let mut at = 0..;
            self.instances.retain(|_| !at.next().is_some_and(|at| gone.contains(&at)));
        }
        // Room for one is made by moving what lies behind it; for many, once.
        if come.len() <= FEW {
            for instance in come {
                let at = self.instances.partition_point(|held| held.key < instance.key);
                self.instances.insert(at, instance);
            }
        } else {
            self.instances.extend(come);
            self.instances.sort_by(|a, b| a.key.cmp(&b.key));
        }
        deltas
    }

    /// From the next [`Monitor::advance`] on, keeps the rows of a definition that hold at that instant, asserted facts
    /// counting in positive places.
    pub fn follow(&mut self, definition: &str) {
        if let Some(&index) = self.program.definition.get(definition) {
            let width = self.program.derived[index].bodies.first().map_or(0, |body| body.params.len());
            self.books.follow(&self.program, index, width);
        }
    }

    /// Rows of a followed definition that hold and did not when this was asked last, or the reverse; sorted.
    pub fn turned(&mut self, definition: &str) -> Vec<(Tuple, bool)> {
        let Some(&index) = self.program.definition.get(definition) else { return Vec::new() };
        let Monitor { books, facts, .. } = self;
        books.turned(index, |row| row.iter().map(|&v| facts.words.say(v)).collect())
    }

    /// The facts of some predicates that stand, in no order that means anything; only those that name a value, if one is
    /// given.
    pub fn told(&self, wanted: impl Fn(&str) -> bool, naming: Option<&Value>) -> Vec<(FactId, Fact)> {
        let mut told = Vec::new();
        let naming = match naming.map(|value| self.facts.words.know(value)) {
            Some(None) => return told,
            Some(value) => value,
            None => None,
        };
        for (predicate, &index) in self.program.predicate.iter().filter(|(predicate, _)| wanted(predicate)) {
            let table = &self.facts.tables[index];
            let rows: BTreeSet<usize> = match naming {
                Some(value) => table.columns.naming(value).collect(),
                None => (0..table.rows.len()).collect(),
            };
            for row in rows {
                for fact in table.rows[row].told.iter().map(|&at| &self.facts.told[at]).filter(|fact| fact.live) {
                    let (from, to, admitted) = (fact.from, fact.to, fact.admitted);
                    let args = self.say(table.args(row));
                    told.push((fact.id.clone(), Fact { predicate: predicate.clone(), args, from, to, admitted }));
                }
            }
        }
        told
    }

    /// All instances as of the last [`Monitor::advance`], sorted by key.
    pub fn relation(&self) -> &[Instance] {
        &self.instances
    }

    /// One of [`Monitor::relation`].
    pub fn instance(&self, key: &InstanceKey) -> Option<&Instance> {
        let at = self.instances.binary_search_by(|instance| instance.key.cmp(key)).ok()?;
        self.instances.get(at)
    }

    /// Rows of a definition that hold at an instant, sorted.
    pub fn derived(&self, definition: &str, at: Instant, reading: Reading) -> Vec<Tuple> {
        let Some(&index) = self.program.definition.get(definition) else { return Vec::new() };
        let width = self.program.derived[index].bodies.first().map_or(0, |body| body.params.len());
        let mut eval = Eval::new(&self.program, &self.facts, self.as_of, self.as_of);
        let rows = eval.call(index, vec![None; width], self.as_of);
        let holds = |pair: &Pair| match reading {
            Reading::Certain => pair.certain.contains(at),
            Reading::Possible => pair.possible.contains(at),
        };
        let rows = rows.iter().filter(|(_, pair)| holds(pair));
        let mut rows: Vec<Tuple> = rows.map(|(row, _)| self.say(row)).collect();
        rows.sort();
        rows
    }

    /// Why an instance stands as it does, as of the last [`Monitor::advance`].
    pub fn explain(&self, key: &InstanceKey) -> Option<Explanation> {
        let at = self.instances.binary_search_by(|instance| instance.key.cmp(key)).ok()?;
        let instance = &self.instances[at];
        let goal = self.goal(instance)?;
        let rule = goal.rule;
        let mut evidence = Evidence::new(self.world(WhatIf::default()));
        let opened_by = evidence.opened_by(&goal);
        let (present, absent) = evidence.minimal(&goal);
        let present = evidence.ids(&present);
        let duty = &self.program.duties[rule];
        let mut env = evidence.env(rule, &goal.opening);
        let since = duty.since.map(|_| goal.opening.since);
        let proof = match (&duty.lapses, instance.lapsed, instance.kept_at) {
            (Some(lapses), true, Some(lapsed)) => {
                evidence.prove(lapses, &mut env, How::harsh(None, self.as_of), lapsed)
            }
            _ => {
                let breached = instance.state == State::Breached;
                let how = if breached { How::favourable(since, self.as_of) } else { How::harsh(since, self.as_of) };
                evidence.prove(&duty.must, &mut env, how, key.opened)
            }
        };
        Some(Explanation { opened_by, proof, present, absent })
    }

    /// Facts that opened an instance, and those of its minimal evidence: what [`Monitor::explain`] names, without the rest.
    pub fn supported_by(&self, key: &InstanceKey) -> Option<BTreeSet<FactId>> {
        let goal = self.goal(self.instance(key)?)?;
        let mut evidence = Evidence::new(self.world(WhatIf::default()));
        let mut all: BTreeSet<FactId> = evidence.opened_by(&goal).into_iter().collect();
        let present = evidence.present(&goal);
        all.extend(evidence.ids(&present));
        Some(all)
    }

    /// The argument for an instance as it stands, complete enough for [`check`](crate::check).
    pub fn argue(&self, key: &InstanceKey) -> Option<Argument> {
        let at = self.instances.binary_search_by(|instance| instance.key.cmp(key)).ok()?;
        let instance = &self.instances[at];
        let goal = self.goal(instance)?;
        let cut = match instance.kept_at {
            Some(kept) => minus(kept, 1).min(self.as_of),
            None => self.as_of,
        };
        let mut silent = Evidence::new(Eval::new(&self.program, &self.facts, cut, cut));
        Evidence::new(self.world(WhatIf::default())).argument(&goal, instance, &mut silent)
    }

    /// The argument for the state of an instance from present facts and absence ranges alone, for
    /// [`check_evidence`](crate::check_evidence); `None` if it does not follow from these.
    pub fn argue_from(&self, key: &InstanceKey, present: &[FactId], absent: &[Absence]) -> Option<Argument> {
        let at = self.instances.binary_search_by(|instance| instance.key.cmp(key)).ok()?;
        let instance = &self.instances[at];
        let goal = self.goal(instance)?;
        let mut evidence = Evidence::new(self.world(WhatIf::default()));
        evidence.know(present, absent);
        let mut silent = Evidence::new(self.world(WhatIf::default()));
        if evidence.follows(&goal) { evidence.argument(&goal, instance, &mut silent) } else { None }
    }

    /// A smallest set of facts whose removal changes the state, of at most 3, and leaves the instance open; `None` if
    /// there is none so small. Asked apart from [`Monitor::explain`], since it costs as much again.
    pub fn flip(&self, key: &InstanceKey) -> Option<Vec<FactId>> {
        let at = self.instances.binary_search_by(|instance| instance.key.cmp(key)).ok()?;
        let goal = self.goal(&self.instances[at])?;
        let without = |removed: &BTreeSet<usize>| {
            let what_if = WhatIf { removed: removed.clone(), ..WhatIf::default() };
            self.times_if(goal.rule, &goal.opening, what_if).0.map(|times| times.state(self.as_of))
        };
        let facts = flip(&goal, |what_if| self.world(what_if), without)?;
        Some(Evidence::new(self.world(WhatIf::default())).ids(&facts))
    }

    /// The facts as they are, or as they would be.
    fn world(&self, what_if: WhatIf) -> Eval<'_> {
        let mut eval = Eval::new(&self.program, &self.facts, self.as_of, self.as_of);
        eval.what_if = what_if;
        eval
    }

    /// The opening behind an instance, and the state to be shown for it.
    fn goal(&self, instance: &Instance) -> Option<Goal> {
        let key = &instance.key;
        let rule = *self.program.duty.get(&key.rule)?;
        let pattern: Vec<Option<V>> =
            key.valuation.iter().map(|value| self.facts.words.know(value).map(Some)).collect::<Option<_>>()?;
        let openings = self.world(WhatIf::default()).openings(rule, &pattern);
        let opening = openings.into_iter().find(|opening| opening.opened == key.opened)?;
        Some(Goal { rule, opening, state: instance.state })
    }

    /// The first instant after `after` (and after the last [`Monitor::advance`]) at which some state changes, or an
    /// instance opens, if nothing more is said.
    pub fn next_change(&self, after: Instant) -> Option<Instant> {
        let after = after.max(self.as_of);
        let mut eval = Eval::new(&self.program, &self.facts, self.as_of, after);
        let mut next = NEVER;
        self.each_rule(&mut eval, |_, opening, times, _| {
            let changes = [opening.opened, times.certain, times.possible, times.kept];
            let changes = changes.into_iter().filter(|&t| t > after);
            next = changes.fold(next, Instant::min);
        });
        (next != NEVER).then_some(next)
    }

    pub(crate) fn say(&self, row: &[V]) -> Tuple {
        row.iter().map(|&v| self.facts.words.say(v)).collect()
    }

    /// Every opening of every rule with its times, rules in the order of strata.
    fn each_rule(&self, eval: &mut Eval<'_>, mut visit: impl FnMut(usize, &Opening, &Times, &mut Eval<'_>)) {
        for &rule in &self.program.order {
            let width = self.program.duties[rule].key.len();
            let mut breaches = Vec::new();
            let mut known = Breaches::new(width);
            for opening in eval.openings(rule, &vec![None; width]) {
                let times = eval.times(rule, &opening, eval.until);
                if opening.opened <= eval.horizon {
                    breaches.push((opening.key.clone(), times.breached(eval.horizon)));
                }
                visit(rule, &opening, &times, eval);
            }
            for (key, at) in gather(Slots::new(), breaches).rows {
                known.set(&key, at);
            }
            eval.breaches[rule] = Some(Arc::new(known));
        }
    }

    /// An opening as it is shown. `outlasted`: it may matter after `as_of` that some facts hold for longer.
    pub(crate) fn shown(
        &self,
        rule: usize,
        opening: &Opening,
        times: &Times,
        outlasted: bool,
        eval: &mut Eval<'_>,
    ) -> (Instance, Hangs) {
        let some = |t: Instant| (t != NEVER).then_some(t);
        let state = times.state(self.as_of);
        let silence = match state {
            // As it would have gone had nothing been said from the instant on that settled it.
            State::Kept => {
                let cut = minus(times.kept, 1).min(self.as_of);
                let silence = eval.times(rule, opening, cut);
                eval.forget();
                silence
            }
            _ => *times,
        };
        let due = some(if state == State::Breached { times.certain } else { silence.possible });
        let until = if due.is_none() { some(silence.kept) } else { None };
        let (disputed, hangs) = match state {
            State::Disputed => self.disputed(rule, opening, outlasted),
            _ => (Vec::new(), Hangs { on_all: false, until: NEVER, steady: true }),
        };
        let instance = Instance {
            key: InstanceKey {
                rule: self.program.duties[rule].name.clone(),
                valuation: self.say(&opening.key),
                opened: opening.opened,
            },
            since: opening.since,
            due,
            until,
            state,
            breached_since: match state {
                State::Breached => Some(times.certain),
                State::Disputed => Some(times.possible),
                _ => None,
            },
            kept_at: (state == State::Kept).then_some(times.kept),
            lapsed: state == State::Kept && times.lapsed,
            disputed,
        };
        (instance, hangs)
    }

    /// The times of one opening if some facts were not there or were admitted; `None` if it did not open. And the facts
    /// that were looked at.
    fn times_if(&self, rule: usize, opening: &Opening, what_if: WhatIf) -> (Option<Times>, BTreeSet<usize>) {
        let (instants, touched) = self.instants_if(rule, opening, what_if);
        (instants.map(Times::of), touched)
    }

    fn instants_if(&self, rule: usize, opening: &Opening, what_if: WhatIf) -> (Option<Instants>, BTreeSet<usize>) {
        let mut eval = Eval::new(&self.program, &self.facts, self.as_of, self.as_of);
        eval.what_if = what_if;
        eval.touched = Some(BTreeSet::new());
        let pattern: Vec<Option<V>> = opening.key.iter().copied().map(Some).collect();
        let found = eval.openings(rule, &pattern).into_iter().find(|o| o.opened == opening.opened);
        let instants = found.map(|found| eval.instants(rule, &found, self.as_of));
        (instants, eval.touched.unwrap_or_default())
    }

    /// Facts, only asserted, on which a disputed state hangs: those that alone would change it, or all that play in.
    fn disputed(&self, rule: usize, opening: &Opening, outlasted: bool) -> (Vec<FactId>, Hangs) {
        let (_, touched) = self.times_if(rule, opening, WhatIf::default());
        let doubted: Vec<usize> = touched.into_iter().filter(|&i| !self.facts.told[i].admitted).collect();
        let (mut until, mut steady) = (NEVER, true);
        let mut changes = |what_if: WhatIf| {
            let instants = self.instants_if(rule, opening, what_if.clone()).0;
            steady = steady
                && (!outlasted || self.instants_if(rule, opening, WhatIf { lasting: true, ..what_if }).0 == instants);
            let Some(times) = instants.map(Times::of) else { return true };
            let instants = [times.certain, times.possible, times.kept];
            until = instants.into_iter().filter(|&at| at > self.as_of).fold(until, Instant::min);
            times.state(self.as_of) != State::Disputed
        };
        let mut hangs = |&fact: &usize| {
            let one = BTreeSet::from([fact]);
            changes(WhatIf { removed: one.clone(), ..WhatIf::default() })
                || changes(WhatIf { admitted: one, ..WhatIf::default() })
        };
        let mut alone: Vec<usize> = doubted.iter().copied().filter(|fact| hangs(fact)).collect();
        let on_all = alone.is_empty();
        if on_all {
            alone = doubted;
        }
        let mut ids: Vec<FactId> = alone.into_iter().map(|i| self.facts.told[i].id.clone()).collect();
        ids.sort();
        (ids, Hangs { on_all, until, steady })
    }

    pub(crate) fn program(&self) -> &Program {
        &self.program
    }

    pub(crate) fn facts(&self) -> &Facts {
        &self.facts
    }

    pub(crate) fn as_of(&self) -> Instant {
        self.as_of
    }
}

/// What differs between two relations, both sorted by key.
fn difference(before: Vec<Instance>, after: &[Instance]) -> Vec<Delta> {
    let mut deltas = Vec::new();
    let mut after = after.iter().peekable();
    for old in before {
        while let Some(new) = after.next_if(|new| new.key < old.key) {
            deltas.push(Delta { key: new.key.clone(), before: None, after: Some(new.clone()) });
        }
        match after.next_if(|new| new.key == old.key) {
            Some(new) if *new == old => {}
            new => deltas.push(Delta { key: old.key.clone(), before: Some(old), after: new.cloned() }),
        }
    }
    deltas.extend(after.map(|new| Delta { key: new.key.clone(), before: None, after: Some(new.clone()) }));
    deltas
}
