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
use crate::openings::{Opening, Times};
use crate::program::{Program, V, Words, compile};
use crate::relation::{Breaches, Eval, gather};
use crate::settle::How;
use std::collections::BTreeSet;

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
    program: Program,
    facts: Facts,
    as_of: Instant,
    /// Sorted by key.
    instances: Vec<Instance>,
}

impl Monitor {
    /// A monitor for these rules. All reasons for a refusal are given at once.
    pub fn new(rules: &Rules, signature: &Signature) -> Result<Monitor, Diagnostics> {
        let mut words = Words::default();
        let program = compile(rules, signature, &mut words)?;
        let facts = Facts::new(words, program.predicates.iter().map(|predicate| predicate.types.len()));
        Ok(Monitor { program, facts, as_of: SINCE_EVER, instances: Vec::new() })
    }

    /// Takes a fact, at any time in the past. An id that was withdrawn stays withdrawn. Fails if the predicate is
    /// unknown or the columns do not fit, or if the id already names another fact.
    pub fn insert(&mut self, id: FactId, fact: Fact) -> Result<(), Diagnostics> {
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
        let (shown, predicate) = (id.clone(), fact.predicate.clone());
        self.facts.insert(id, index, &fact).map_err(|()| {
            Diagnostics(vec![Diagnostic {
                place: predicate,
                found: format!("id `{}` already names another fact", shown.0),
                hint: "an id names one fact for good; withdraw it and use a new id".to_string(),
            }])
        })
    }

    /// Withdraws a fact for good, also one that has not come yet.
    pub fn withdraw(&mut self, id: FactId) {
        self.facts.withdraw(id);
    }

    /// Judges at `as_of`: facts after it are dropped and then there is silence. Returns what changed since the last
    /// call, sorted by key.
    pub fn advance(&mut self, as_of: Instant) -> Vec<Delta> {
        self.facts.refresh();
        self.as_of = as_of;
        let after = self.judge();
        let before = std::mem::replace(&mut self.instances, after);
        difference(before, &self.instances)
    }

    /// All instances as of the last [`Monitor::advance`], sorted by key.
    pub fn relation(&self) -> &[Instance] {
        &self.instances
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
            self.state_if(goal.rule, &goal.opening, WhatIf { removed: removed.clone(), ..WhatIf::default() }).0
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

    fn say(&self, row: &[V]) -> Tuple {
        row.iter().map(|&v| self.facts.words.say(v)).collect()
    }

    /// Every opening of every rule with its times, rules in the order of strata.
    fn each_rule(&self, eval: &mut Eval<'_>, mut visit: impl FnMut(usize, &Opening, &Times, &mut Eval<'_>)) {
        for &rule in &self.program.order {
            let width = self.program.duties[rule].key.len();
            let mut breaches = Vec::new();
            for opening in eval.openings(rule, &vec![None; width]) {
                let times = eval.times(rule, &opening, eval.until);
                if opening.opened <= eval.horizon {
                    breaches.push((opening.key.clone(), times.breached(eval.horizon)));
                }
                visit(rule, &opening, &times, eval);
            }
            eval.breaches[rule] = Some(Breaches::new(width, gather(Vec::new(), breaches).rows));
        }
    }

    fn judge(&self) -> Vec<Instance> {
        let mut eval = Eval::new(&self.program, &self.facts, self.as_of, self.as_of);
        let mut instances = Vec::new();
        self.each_rule(&mut eval, |rule, opening, times, eval| {
            if opening.opened <= self.as_of {
                instances.push(self.instance(rule, opening, times, eval));
            }
        });
        instances.sort_by(|a, b| a.key.cmp(&b.key));
        instances
    }

    fn instance(&self, rule: usize, opening: &Opening, times: &Times, eval: &mut Eval<'_>) -> Instance {
        let some = |t: Instant| (t != NEVER).then_some(t);
        let state = times.state(self.as_of);
        let silence = match state {
            // As it would have gone had nothing been said from the instant on that settled it.
            State::Kept => {
                let cut = minus(times.kept, 1).min(self.as_of);
                let silence = eval.times(rule, opening, cut);
                eval.forget(cut);
                silence
            }
            _ => *times,
        };
        let due = some(if state == State::Breached { times.certain } else { silence.possible });
        let until = if due.is_none() { some(silence.kept) } else { None };
        Instance {
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
            disputed: if state == State::Disputed { self.disputed(rule, opening) } else { Vec::new() },
        }
    }

    /// The state of one opening if some facts were not there or were admitted; `None` if it did not open.
    fn state_if(&self, rule: usize, opening: &Opening, what_if: WhatIf) -> (Option<State>, BTreeSet<usize>) {
        let mut eval = Eval::new(&self.program, &self.facts, self.as_of, self.as_of);
        eval.what_if = what_if;
        eval.touched = Some(BTreeSet::new());
        let pattern: Vec<Option<V>> = opening.key.iter().copied().map(Some).collect();
        let found = eval.openings(rule, &pattern).into_iter().find(|o| o.opened == opening.opened);
        let state = found.map(|found| eval.times(rule, &found, self.as_of).state(self.as_of));
        (state, eval.touched.unwrap_or_default())
    }

    /// Facts, only asserted, on which a disputed state hangs: those that alone would change it, or all that play in.
    fn disputed(&self, rule: usize, opening: &Opening) -> Vec<FactId> {
        let (_, touched) = self.state_if(rule, opening, WhatIf::default());
        let doubted: Vec<usize> = touched.into_iter().filter(|&i| !self.facts.told[i].admitted).collect();
        let changes = |what_if| self.state_if(rule, opening, what_if).0 != Some(State::Disputed);
        let hangs = |&fact: &usize| {
            let one = BTreeSet::from([fact]);
            changes(WhatIf { removed: one.clone(), ..WhatIf::default() })
                || changes(WhatIf { admitted: one, ..WhatIf::default() })
        };
        let mut alone: Vec<usize> = doubted.iter().copied().filter(hangs).collect();
        if alone.is_empty() {
            alone = doubted;
        }
        let mut ids: Vec<FactId> = alone.into_iter().map(|i| self.facts.told[i].id.clone()).collect();
        ids.sort();
        ids
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
