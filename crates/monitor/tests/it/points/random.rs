//! Random worlds: two ways to the same answer must agree, in whatever order its facts come and go.
//!
//! `HAMSAYA_CASES=100000 cargo test -p hamsaya-monitor --test it points::random` runs more of them. A failure prints
//! its seed and the smallest world found that still fails, and `HAMSAYA_SEED=n` runs that one alone.
use crate::points::draw::{
    World, any_event, event, looks_ahead, may_divide_by_zero, operators, simpler_worlds, size, written,
};
use crate::points::naive::{Held, Moment, Naive, columns};
use crate::random::Chance;
use hamsaya_monitor::*;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What became and what ceased at a time-point.
struct Change {
    point: u32,
    gone: BTreeSet<Vec<Value>>,
    come: BTreeSet<Vec<Value>>,
}

/// What takes a log point by point, with late facts and withdrawals, and answers for the whole of it.
///
/// An `Err` says that there is no answer, e.g. because something is divided by zero.
trait Engine: Sized {
    /// `None`: the formula is refused.
    fn new(formula: &Formula, signature: &Signature) -> Option<Self>;
    fn begin(&mut self, stamp: i64) -> Result<(), String>;
    fn insert(&mut self, point: u32, event: &(Name, Vec<Value>)) -> Result<(), String>;
    fn withdraw(&mut self, point: u32, event: &(Name, Vec<Value>)) -> Result<(), String>;
    fn finish(&mut self) -> Result<(), String>;
    fn relation(&mut self) -> Result<Held, String>;
    fn changes(&mut self) -> Result<Vec<Change>, String>;
    /// What holds at points before this one hangs on no point that is still to come.
    fn final_until(&mut self) -> u32;
}

/// Tuples as a set; that they come sorted, each once and of the right types is promised too.
fn set(points: &Points, tuples: Vec<Vec<Value>>) -> BTreeSet<Vec<Value>> {
    // A whole number beyond 64 bits is a fraction, and sorts as a number.
    let number = |value: &Value| match value {
        Value::Int(number) => Some(Ratio::whole(i128::from(*number))),
        Value::Decimal(ratio) => Some(*ratio),
        Value::Text(_) => None,
    };
    let order = |a: &Value, b: &Value| number(a).zip(number(b)).map_or_else(|| a.cmp(b), |(a, b)| a.cmp(&b));
    let less = |a: &Vec<Value>, b: &Vec<Value>| {
        let first = a.iter().zip(b).map(|(a, b)| order(a, b)).find(|order| order.is_ne());
        first.is_some_and(|order| order.is_lt())
    };
    assert!(tuples.is_sorted_by(less), "not in order: {tuples:?}");
    let fits = |(value, kind): (&Value, &Type)| match (value, kind) {
        (Value::Decimal(ratio), Type::Int) => ratio.under() == 1 && i64::try_from(ratio.over()).is_err(),
        (Value::Int(_), Type::Int) | (Value::Text(_), Type::Text) | (Value::Decimal(_), Type::Decimal) => true,
        _ => false,
    };
    for tuple in &tuples {
        let types = points.types();
        assert!(tuple.len() == types.len() && tuple.iter().zip(types).all(fits), "{tuple:?} {types:?}");
    }
    tuples.into_iter().collect()
}

impl Engine for Points {
    fn new(formula: &Formula, signature: &Signature) -> Option<Self> {
        let points = Points::new(formula, signature).ok()?;
        assert_eq!(points.columns(), columns(formula));
        Some(points)
    }

    fn begin(&mut self, stamp: i64) -> Result<(), String> {
        self.begin(stamp).map(drop).map_err(|error| error.to_string())
    }

    fn insert(&mut self, point: u32, (name, args): &(Name, Vec<Value>)) -> Result<(), String> {
        self.insert(point, name, args).map(drop).map_err(|error| error.to_string())
    }

    fn withdraw(&mut self, point: u32, (name, args): &(Name, Vec<Value>)) -> Result<(), String> {
        self.withdraw(point, name, args).map(drop).map_err(|error| error.to_string())
    }

    fn finish(&mut self) -> Result<(), String> {
        self.finish().map_err(|error| error.to_string())
    }

    fn relation(&mut self) -> Result<Held, String> {
        let verdicts = self.relation().map_err(|error| error.to_string())?;
        assert!(verdicts.is_sorted_by(|a, b| a.point < b.point) && verdicts.iter().all(|v| !v.tuples.is_empty()));
        Ok(verdicts.into_iter().map(|v| (v.point, set(self, v.tuples))).collect())
    }

    fn changes(&mut self) -> Result<Vec<Change>, String> {
        let deltas = self.changes().map_err(|error| error.to_string())?;
        let change = |d: PointDelta| Change { point: d.point, gone: set(self, d.gone), come: set(self, d.come) };
        Ok(deltas.into_iter().map(change).collect())
    }

    fn final_until(&mut self) -> u32 {
        self.final_until()
    }
}

/// The naive evaluator, again and again.
struct Again {
    formula: Formula,
    signature: Signature,
    log: Vec<Moment>,
    last: Held,
}

impl Engine for Again {
    fn new(formula: &Formula, signature: &Signature) -> Option<Self> {
        let (formula, signature) = (formula.clone(), signature.clone());
        Some(Again { formula, signature, log: Vec::new(), last: Held::new() })
    }

    fn begin(&mut self, stamp: i64) -> Result<(), String> {
        self.log.push(Moment { stamp, events: BTreeSet::new() });
        Ok(())
    }

    fn insert(&mut self, point: u32, event: &(Name, Vec<Value>)) -> Result<(), String> {
        self.log[point as usize].events.insert(event.clone());
        Ok(())
    }

    fn withdraw(&mut self, point: u32, event: &(Name, Vec<Value>)) -> Result<(), String> {
        self.log[point as usize].events.remove(event);
        Ok(())
    }

    fn finish(&mut self) -> Result<(), String> {
        Ok(())
    }

    fn relation(&mut self) -> Result<Held, String> {
        let naive = Naive::new(&self.formula, &self.signature, &self.log);
        let held = naive.held()?;
        if naive.guessed() { Err("some variable was tried on every value".to_string()) } else { Ok(held) }
    }

    fn changes(&mut self) -> Result<Vec<Change>, String> {
        let now = self.relation()?;
        let before = std::mem::replace(&mut self.last, now.clone());
        let at = |held: &Held, point| held.get(&point).cloned().unwrap_or_default();
        let points = before.keys().chain(now.keys()).copied().collect::<BTreeSet<u32>>();
        let change = |point| {
            let (before, now) = (at(&before, point), at(&now, point));
            let change = Change { point, gone: &before - &now, come: &now - &before };
            (before != now).then_some(change)
        };
        Ok(points.into_iter().filter_map(change).collect())
    }

    fn final_until(&mut self) -> u32 {
        self.log.len() as u32
    }
}

/// An engine that is asked in other words.
struct InOtherWords<E> {
    engine: E,
    /// Where each column stands in the order of the other words.
    places: Vec<usize>,
}

impl<E> InOtherWords<E> {
    fn ordered(&self, tuples: BTreeSet<Vec<Value>>) -> BTreeSet<Vec<Value>> {
        tuples.iter().map(|tuple| self.places.iter().map(|&i| tuple[i].clone()).collect()).collect()
    }
}

impl<E: Engine> Engine for InOtherWords<E> {
    fn new(formula: &Formula, signature: &Signature) -> Option<Self> {
        let other = in_other_words(formula);
        let order = columns(&other);
        let place = |name: &Name| order.iter().position(|other| other == name).expect("the same variables");
        let places = columns(formula).iter().map(place).collect();
        Some(InOtherWords { engine: E::new(&other, signature)?, places })
    }

    fn begin(&mut self, stamp: i64) -> Result<(), String> {
        self.engine.begin(stamp)
    }

    fn insert(&mut self, point: u32, event: &(Name, Vec<Value>)) -> Result<(), String> {
        self.engine.insert(point, event)
    }

    fn withdraw(&mut self, point: u32, event: &(Name, Vec<Value>)) -> Result<(), String> {
        self.engine.withdraw(point, event)
    }

    fn finish(&mut self) -> Result<(), String> {
        self.engine.finish()
    }

    fn relation(&mut self) -> Result<Held, String> {
        let held = self.engine.relation()?;
        Ok(held.into_iter().map(|(point, tuples)| (point, self.ordered(tuples))).collect())
    }

    fn changes(&mut self) -> Result<Vec<Change>, String> {
        let changes = self.engine.changes()?;
        let change = |c: Change| Change { point: c.point, gone: self.ordered(c.gone), come: self.ordered(c.come) };
        Ok(changes.into_iter().map(change).collect())
    }

    fn final_until(&mut self) -> u32 {
        self.engine.final_until()
    }
}

/// Another formula with the same meaning.
fn in_other_words(f: &Formula) -> Formula {
    let of = |f: &Formula| Box::new(in_other_words(f));
    let not = |f: Box<Formula>| Box::new(Formula::Not(f));
    match f {
        Formula::Not(f) => Formula::Not(not(not(of(f)))),
        // From the other end, one by one.
        Formula::And(parts) => {
            parts.iter().map(in_other_words).reduce(|left, part| Formula::And(vec![part, left])).expect("parts")
        }
        Formula::Or(parts) => {
            parts.iter().map(in_other_words).reduce(|left, part| Formula::Or(vec![part, left])).expect("parts")
        }
        Formula::Exists(names, f) => {
            names.iter().fold(in_other_words(f), |f, name| Formula::Exists(vec![name.clone()], Box::new(f)))
        }
        Formula::Once(w, f) => Formula::Since(w.clone(), Box::new(Formula::True), of(f)),
        Formula::Eventually(w, f) => Formula::Until(w.clone(), Box::new(Formula::True), of(f)),
        Formula::Historically(w, f) if w.from > 0 => Formula::Not(Box::new(Formula::Once(w.clone(), not(of(f))))),
        Formula::Historically(w, f) => {
            Formula::And(vec![*of(f), Formula::Not(Box::new(Formula::Once(w.clone(), not(of(f)))))])
        }
        Formula::Always(w, f) if w.from > 0 => Formula::Not(Box::new(Formula::Eventually(w.clone(), not(of(f))))),
        Formula::Always(w, f) => {
            Formula::And(vec![*of(f), Formula::Not(Box::new(Formula::Eventually(w.clone(), not(of(f)))))])
        }
        Formula::Previous(w, f) => Formula::Previous(w.clone(), of(f)),
        Formula::Next(w, f) => Formula::Next(w.clone(), of(f)),
        // Now, or it held at the point before and the left holds still.
        Formula::Since(w, f, g) if *w == Window::unbounded(0) => {
            let (f, g) = (of(f), of(g));
            let before = Formula::Since(w.clone(), f.clone(), g.clone());
            Formula::Or(vec![*g, Formula::And(vec![*f, Formula::Previous(w.clone(), Box::new(before))])])
        }
        Formula::Since(w, f, g) => Formula::Since(w.clone(), of(f), of(g)),
        Formula::Until(w, f, g) => Formula::Until(w.clone(), of(f), of(g)),
        Formula::Let { name, params, formula, within } => {
            Formula::Let { name: name.clone(), params: params.clone(), formula: of(formula), within: of(within) }
        }
        Formula::Aggregate { op, result, over, groups, formula } => Formula::Aggregate {
            op: *op,
            result: result.clone(),
            over: over.clone(),
            groups: groups.clone(),
            formula: of(formula),
        },
        _ => f.clone(),
    }
}

fn seeds() -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    match number("HAMSAYA_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("HAMSAYA_CASES").unwrap_or(1_000),
    }
}

/// The first of many seeds, or the only one.
fn few(seeds: std::ops::Range<u64>) -> std::ops::Range<u64> {
    seeds.start..seeds.start + (seeds.end - seeds.start).div_ceil(20)
}

type Expected = Result<Result<Held, &'static str>, String>;

/// What can be said of one world.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Same(Held),
    Refused,
    /// The naive evaluator cannot answer: a term has no value, or nothing lists a variable.
    Unanswered(&'static str),
    Differs(String),
}

fn shown(held: &Held) -> String {
    let tuple = |tuple: &Vec<Value>| format!("({})", tuple.iter().map(Value::to_string).collect::<Vec<_>>().join(","));
    let point = |(at, tuples): (&u32, &BTreeSet<Vec<Value>>)| {
        format!("\n    {at}: {}", tuples.iter().map(tuple).collect::<String>())
    };
    if held.is_empty() { " nothing".to_string() } else { held.iter().map(point).collect() }
}

/// Nothing that a world can hold may panic; if it does, that is the answer.
fn caught<T>(ask: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(ask)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        format!("panicked: {}", text.unwrap_or("without a word"))
    })
}

/// The naive evaluator's answer, if it has one that can be relied on.
fn naive(world: &World) -> Result<Held, &'static str> {
    let naive = Naive::new(&world.formula, &world.signature, &world.log);
    let held = naive.held().map_err(|_| "no value")?;
    // Values that only arithmetic or an aggregation makes are not among those that it tries.
    if naive.guessed() { Err("not listed") } else { Ok(held) }
}

/// Compares what an engine found with what is expected of it.
fn judged(found: Result<Option<Result<Held, String>>, String>, expected: Expected, world: &World) -> Said {
    if let Ok(None) = found {
        return Said::Refused;
    }
    let expected = match expected {
        Ok(Ok(held)) => held,
        Ok(Err(reason)) => return Said::Unanswered(reason),
        Err(panic) => return Said::Differs(format!("  the naive evaluator {panic}")),
    };
    match found {
        Ok(None) => unreachable!("refused"),
        Ok(Some(Ok(found))) if found == expected => Said::Same(found),
        Ok(Some(Ok(found))) => Said::Differs(format!("  found{}\n  expected{}", shown(&found), shown(&expected))),
        // Whether a term is looked at can hang on what a conjunction takes first.
        Ok(Some(Err(_))) if may_divide_by_zero(&world.formula) => Said::Unanswered("no value, perhaps"),
        Ok(Some(Err(said))) => Said::Differs(format!("  found {said}\n  expected{}", shown(&expected))),
        Err(panic) => Said::Differs(format!("  {panic}\n  expected{}", shown(&expected))),
    }
}

/// A log told in order, and then the end; `None`: the formula is refused.
fn in_order<E: Engine>(world: &World) -> Result<Option<Result<Held, String>>, String> {
    let told = |mut engine: E| {
        for (at, moment) in world.log.iter().enumerate() {
            engine.begin(moment.stamp)?;
            moment.events.iter().try_for_each(|event| engine.insert(at as u32, event))?;
        }
        engine.finish()?;
        engine.relation()
    };
    caught(|| E::new(&world.formula, &world.signature).map(told))
}

/// The naive evaluator's answer, unless it panics.
fn by_naive(world: &World) -> Expected {
    caught(|| naive(world))
}

/// The engine's own answer to the log told in order: for logs that are too long for the naive evaluator.
fn by_order(world: &World) -> Expected {
    in_order::<Points>(world).map(|found| found.unwrap_or(Err(String::new())).map_err(|_| "refused, or no value"))
}

enum Step {
    Begin(i64),
    Insert(u32, (Name, Vec<Value>)),
    Withdraw(u32, (Name, Vec<Value>)),
    Finish,
    Ask,
}

/// A history that ends with a world's log: facts come at their point or later, others come and go between.
fn history(chance: &mut Chance, world: &World) -> Vec<Step> {
    let points = world.log.len();
    // Steps after each begin, and after the end.
    let mut slots: Vec<Vec<Step>> = (0..=points).map(|_| Vec::new()).collect();
    let asks = chance.of(&[0, 2, 4, 100]);
    for (at, moment) in world.log.iter().enumerate() {
        let foreign: BTreeSet<_> = (0..chance.below(3)).map(|_| any_event(chance, &world.signature)).collect();
        let stays = moment.events.iter().map(|event| (event, true));
        let goes = foreign.iter().filter(|event| !moment.events.contains(event)).map(|event| (event, false));
        let mut told: Vec<_> = stays.chain(goes).collect();
        chance.shuffle(&mut told);
        for (event, stays) in told {
            // It comes and goes by turns, each time in a slot not before the last.
            let turns = if stays { chance.of(&[1, 1, 1, 3]) } else { chance.of(&[2, 2, 4]) };
            let mut slot = if chance.one_in(2) { at } else { chance.between(at as i64, points as i64) as usize };
            for turn in 0..turns {
                let step = || match turn % 2 {
                    0 => Step::Insert(at as u32, event.clone()),
                    _ => Step::Withdraw(at as u32, event.clone()),
                };
                slots[slot].push(step());
                // What is there or gone already is no change.
                if chance.one_in(12) {
                    slots[slot].push(step());
                }
                slot = chance.between(slot as i64, points as i64) as usize;
            }
        }
    }
    let mut steps = Vec::new();
    for (at, slot) in slots.into_iter().enumerate() {
        steps.push(world.log.get(at).map_or(Step::Finish, |moment| Step::Begin(moment.stamp)));
        for step in slot {
            steps.push(step);
            if asks > 0 && chance.one_in(asks) {
                steps.push(Step::Ask);
            }
        }
    }
    steps
}

/// A log told by a history. Whenever it is asked, the changes add up to what holds, and at final points that is what
/// holds of the log so far.
fn told<E: Engine>(world: &World, steps: &[Step], short: bool) -> Result<Option<Result<Held, String>>, String> {
    let mut replayed = Held::new();
    let mut so_far = World { log: Vec::new(), ..world.clone() };
    let tell = |mut engine: E| {
        for (i, step) in steps.iter().chain([&Step::Ask]).enumerate() {
            match step {
                Step::Begin(stamp) => {
                    engine.begin(*stamp)?;
                    so_far.log.push(Moment { stamp: *stamp, events: BTreeSet::new() });
                }
                Step::Insert(at, event) => {
                    engine.insert(*at, event)?;
                    so_far.log[*at as usize].events.insert(event.clone());
                }
                Step::Withdraw(at, event) => {
                    engine.withdraw(*at, event)?;
                    so_far.log[*at as usize].events.remove(event);
                }
                Step::Finish => engine.finish()?,
                Step::Ask => {
                    let last = i == steps.len();
                    let changes = match engine.changes() {
                        // Where a term has no value there is no answer, until the facts that cause it are withdrawn.
                        Err(_) if !last => continue,
                        changes => changes?,
                    };
                    replay(&mut replayed, changes);
                    let mut held = engine.relation()?;
                    assert_eq!(replayed, held, "changes do not add up to what holds");
                    if short && let Ok(mut expected) = naive(&so_far) {
                        let until = engine.final_until();
                        held.retain(|point, _| *point < until);
                        expected.retain(|point, _| *point < until);
                        let said = || format!("at step {i}: found{}\n  expected{}", shown(&held), shown(&expected));
                        assert!(held == expected, "{}", said());
                    }
                }
            }
        }
        engine.relation()
    };
    caught(|| E::new(&world.formula, &world.signature).map(tell))
}

/// A log that streams, with facts that come late by at most the horizon: the verdicts as they become final, and how it
/// was told. Nobody asks while a late fact is still to come.
fn streamed(world: &World, chance: &mut Chance) -> (Result<Option<Result<Held, String>>, String>, String) {
    let horizon = chance.of(&[Some(0), Some(0), Some(3), Some(20), None]);
    let every = chance.of(&[1, 1, 4, 1_000]);
    let mut coming: BTreeMap<usize, Vec<(u32, (Name, Vec<Value>))>> = BTreeMap::new();
    for (at, moment) in world.log.iter().enumerate() {
        let in_time = |other: &&Moment| horizon.is_none_or(|horizon| other.stamp - moment.stamp <= horizon);
        let last = at + world.log[at..].iter().take_while(in_time).count() - 1;
        for event in &moment.events {
            let slot = if chance.one_in(4) { chance.between(at as i64, last as i64) as usize } else { at };
            coming.entry(slot).or_default().push((at as u32, event.clone()));
        }
    }
    let mut steps = Vec::new();
    let stream = |mut points: Points| {
        let mut held = Held::new();
        points.stream(horizon);
        for (at, moment) in world.log.iter().enumerate() {
            steps.push(Step::Begin(moment.stamp));
            Engine::begin(&mut points, moment.stamp)?;
            for (point, event) in coming.remove(&at).unwrap_or_default() {
                steps.push(Step::Insert(point, event.clone()));
                Engine::insert(&mut points, point, &event)?;
            }
            assert!(looks_ahead(&world.formula) || points.final_until() as usize == at + 1, "what is past is final");
            let waited_for = coming.values().flatten().any(|(point, _)| *point as usize <= at);
            if !waited_for && chance.one_in(every) {
                steps.push(Step::Ask);
                take_final(&mut points, &mut held, world)?;
            }
        }
        steps.extend([Step::Finish, Step::Ask]);
        Engine::finish(&mut points)?;
        take_final(&mut points, &mut held, world)?;
        Ok(held)
    };
    let found = caught(|| Points::new(&world.formula, &world.signature).ok().map(stream));
    (found, format!("horizon {horizon:?}\n{}", steps_shown(&steps)))
}

/// Takes what became final, until there is nothing more; then a term without a value is told of.
fn take_final(points: &mut Points, held: &mut Held, world: &World) -> Result<(), String> {
    loop {
        let mut written = Vec::new();
        points.clone().write_final(&mut written).map_err(|error| error.to_string())?;
        let mut lines = String::new();
        for verdict in points.final_verdicts().map_err(|error| error.to_string())? {
            assert!(held.last_key_value().is_none_or(|(last, _)| *last < verdict.point), "final points are in order");
            assert_eq!(verdict.stamp, world.log[verdict.point as usize].stamp);
            lines += &line(&verdict, points.types());
            held.insert(verdict.point, set(points, verdict.tuples));
        }
        assert_eq!(String::from_utf8(written).expect("UTF-8"), lines);
        if lines.is_empty() {
            return Ok(());
        }
    }
}

/// A verdict as MonPoly prints it.
fn line(verdict: &PointVerdict, types: &[Type]) -> String {
    let value = |(value, kind): (&Value, &Type)| match (value, kind) {
        (Value::Decimal(ratio), Type::Int) => ratio.over().to_string(),
        _ => value.to_string(),
    };
    let tuple = |tuple: &Vec<Value>| format!(" ({})", tuple.iter().zip(types).map(value).collect::<Vec<_>>().join(","));
    let tuples: String = match verdict.tuples[..] {
        [ref only] if only.is_empty() => " true".to_string(),
        _ => verdict.tuples.iter().map(tuple).collect(),
    };
    format!("@{} (time point {}):{tuples}\n", verdict.stamp, verdict.point)
}

fn replay(held: &mut Held, changes: Vec<Change>) {
    assert!(changes.is_sorted_by(|a, b| a.point < b.point), "changes are in order");
    for change in changes {
        assert!(!change.gone.is_empty() || !change.come.is_empty(), "a change of nothing");
        let tuples = held.entry(change.point).or_default();
        change.gone.iter().for_each(|tuple| assert!(tuples.remove(tuple), "{tuple:?} goes and was not there"));
        change
            .come
            .into_iter()
            .for_each(|tuple| assert!(tuples.insert(tuple.clone()), "{tuple:?} comes and was there"));
        if tuples.is_empty() {
            held.remove(&change.point);
        }
    }
}

/// The smallest world found that still differs, and how it was told.
fn shrunk(mut world: World, judge: impl Fn(&World) -> (Said, String)) -> String {
    'again: loop {
        for less in simpler_worlds(&world) {
            if less != world && matches!(judge(&less).0, Said::Differs(_)) {
                world = less;
                continue 'again;
            }
        }
        let (said, steps) = judge(&world);
        let Said::Differs(said) = said else { panic!("{} fails now and then", world.text()) };
        return format!("{}{said}\n{steps}", world.text());
    }
}

fn steps_shown(steps: &[Step]) -> String {
    let line = |step: &Step| match step {
        Step::Begin(stamp) => format!("begin {stamp}\n"),
        Step::Insert(at, (name, args)) => format!("insert {at} {}\n", event(name, args)),
        Step::Withdraw(at, (name, args)) => format!("withdraw {at} {}\n", event(name, args)),
        Step::Finish => "finish\n".to_string(),
        Step::Ask => "ask\n".to_string(),
    };
    steps.iter().map(line).collect()
}

/// How it went, for whoever reads the output.
#[derive(Default)]
struct Tally {
    same: usize,
    with_verdicts: usize,
    refused: usize,
    unanswered: BTreeMap<&'static str, usize>,
    operators: BTreeMap<&'static str, usize>,
}

impl Tally {
    fn count(&mut self, world: &World, said: &Said) {
        match said {
            Said::Same(held) => {
                self.same += 1;
                self.with_verdicts += usize::from(!held.is_empty());
                let mut all = BTreeSet::new();
                operators(&world.formula, &mut all);
                all.into_iter().for_each(|operator| *self.operators.entry(operator).or_default() += 1);
            }
            Said::Refused => self.refused += 1,
            Said::Unanswered(reason) => *self.unanswered.entry(reason).or_default() += 1,
            Said::Differs(_) => {}
        }
    }

    fn print(&self) {
        let Tally { same, with_verdicts, refused, unanswered, operators } = self;
        println!("{same} agree, {with_verdicts} of them with verdicts; {refused} refused, {unanswered:?}");
        println!("{operators:?}");
    }
}

/// Draws a world for each seed, and says of the first few that differ what is left of them.
fn each_world(
    draw: fn(&mut Chance) -> World,
    seeds: impl Iterator<Item = u64>,
    judge: impl Fn(&World, &Chance) -> (Said, String),
) {
    let mut tally = Tally::default();
    let mut failed = Vec::new();
    for seed in seeds {
        let mut chance = Chance::mixed(seed);
        let world = draw(&mut chance);
        let (said, _) = judge(&world, &chance);
        tally.count(&world, &said);
        if matches!(said, Said::Differs(_)) {
            failed.push(format!("seed {seed}\n{}", shrunk(world, |world| judge(world, &chance))));
        }
        if failed.len() == 5 {
            break;
        }
    }
    tally.print();
    assert!(failed.is_empty(), "\n{}", failed.join("\n"));
}

fn each_world_in_order<E: Engine>() {
    each_world(World::draw, seeds(), |world, _| (judged(in_order::<E>(world), by_naive(world), world), String::new()));
}

fn each_history<E: Engine>() {
    each_world(World::draw, seeds(), |world, chance| {
        let steps = history(&mut chance.clone(), world);
        let found = told::<E>(world, &steps, true);
        // Whether there is an answer hangs on the facts that are left as well.
        let alone = in_order::<E>(world);
        if found.is_ok() && alone.is_ok() && found != alone {
            return (Said::Differs(format!("  found {found:?}\n  in order {alone:?}")), steps_shown(&steps));
        }
        (judged(found, by_naive(world), world), steps_shown(&steps))
    });
}

#[test]
fn engine_and_naive_evaluator_agree() {
    each_world_in_order::<Points>();
}

#[test]
fn any_history_is_its_last_set_of_facts() {
    each_history::<Points>();
}

#[test]
fn a_stream_says_the_same_once() {
    each_world(World::draw, seeds(), |world, chance| {
        let (found, steps) = streamed(world, &mut chance.clone());
        (judged(found, by_naive(world), world), steps)
    });
}

#[test]
fn long_histories_are_their_last_sets_of_facts() {
    each_world(World::draw_long, few(seeds()), |world, chance| {
        let steps = history(&mut chance.clone(), world);
        (judged(told::<Points>(world, &steps, false), by_order(world), world), steps_shown(&steps))
    });
}

#[test]
fn long_streams_say_the_same_once() {
    each_world(World::draw_long, few(seeds()), |world, chance| {
        let (found, steps) = streamed(world, &mut chance.clone());
        (judged(found, by_order(world), world), steps)
    });
}

#[test]
fn other_words_say_the_same() {
    each_world_in_order::<InOtherWords<Again>>();
    each_world_in_order::<InOtherWords<Points>>();
}

#[test]
fn other_words_say_the_same_of_any_history() {
    each_history::<InOtherWords<Points>>();
}

#[test]
fn what_is_drawn_is_of_every_kind_and_reads_back() {
    let mut all = BTreeSet::new();
    for seed in seeds() {
        let world = World::draw(&mut Chance::mixed(seed));
        operators(&world.formula, &mut all);
        assert!(size(&world.formula) <= 40);
        let text = written(&world.formula);
        assert_eq!(parse_formula(&text).as_ref(), Ok(&world.formula), "{text}");
        let shown = world.formula.to_string();
        assert_eq!(parse_formula(&shown).as_ref(), Ok(&world.formula), "{shown}");
    }
    assert_eq!(all.len(), 24, "{all:?}");
}
