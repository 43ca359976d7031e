//! Arguments and the checker: what is true passes, what was tampered with does not.
use crate::random::{Case, Chance, each_case, monitor, show};
use hamsaya_monitor::*;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant as Clock};

type Facts = BTreeMap<FactId, Fact>;

fn by_id(case: &Case) -> Facts {
    case.facts.iter().cloned().collect()
}

fn checker<'a>(case: &'a Case, facts: &'a Facts) -> Checker<'a> {
    Checker { rules: &case.rules, facts, absent: None, as_of: case.as_of }
}

/// Every verdict of the cases, with its argument.
fn each_verdict(usual: u64, mut look: impl FnMut(&mut Case, &Monitor, &Instance, Argument)) {
    each_case(usual, |mut case| {
        let mut monitor = monitor(&case.rules, &case.facts).unwrap();
        monitor.advance(case.as_of);
        for instance in monitor.relation() {
            let argument =
                monitor.argue(&instance.key).unwrap_or_else(|| panic!("no argument\n{}", text(&case, instance)));
            look(&mut case, &monitor, instance, argument);
        }
    });
}

fn text(case: &Case, instance: &Instance) -> String {
    format!("seed {} as of {} {instance:?}\n{}", case.seed, case.as_of, show(&case.rules, &case.facts))
}

#[test]
fn every_verdict_has_an_argument_that_passes() {
    let mut passed = 0;
    each_verdict(200, |case, _, instance, argument| {
        let facts = by_id(case);
        let found = checker(case, &facts).check(instance, &argument);
        assert_eq!(found, Ok(()), "{}", text(case, instance));
        passed += 1;
    });
    println!("{passed} arguments pass");
}

/// Visits all steps, children after their parent.
fn steps<'s>(argument: &'s mut Argument, visit: &mut dyn FnMut(&mut Step)) {
    fn walk(step: &mut Step, visit: &mut dyn FnMut(&mut Step)) {
        visit(step);
        step.steps.iter_mut().for_each(|step| walk(step, visit));
    }
    argument.steps.iter_mut().for_each(|step| walk(step, visit));
}

fn shift(t: &mut i64, by: i64) {
    *t = if *t == NEVER { 1 } else { t.saturating_add(by) };
}

fn other(value: &mut Value) {
    *value = Value::Int(if let Value::Int(n) = value { *n + 1 } else { 0 });
}

fn tamper_opened(chance: &mut Chance, opened: &mut Opened) {
    match chance.below(4) {
        0 => shift(&mut opened.opened, 1),
        1 => shift(&mut opened.since, -1),
        2 => opened.certain = !opened.certain,
        _ => opened.key.iter_mut().take(1).for_each(other),
    }
}

fn tamper_excuse(chance: &mut Chance, excuse: &mut Excuse) {
    *excuse = match (*excuse, chance.below(2)) {
        (Excuse::Lapsed(t), 0) => Excuse::Lapsed(t + 1),
        (Excuse::Owed, _) => Excuse::NotAdmitted,
        _ => Excuse::Owed,
    };
}

/// A reason that is none here, unless it was there before.
fn strange(chance: &mut Chance) -> Why {
    chance.of(&[
        Why::Open,
        Why::Given,
        Why::Plain,
        Why::Throughout,
        Why::Part(99),
        Why::Spans(vec![]),
        Why::Facts(vec![]),
        Why::Openings(vec![]),
        Why::Split,
    ])
}

/// One change to one step; it may be none.
fn tamper(chance: &mut Chance, step: &mut Step) {
    let by = chance.of(&[-1, 1]);
    match chance.below(14) {
        0 => shift(&mut step.claim.from, by),
        1 => shift(&mut step.claim.to, by),
        2 => step.claim.holds = !step.claim.holds,
        3 => step.claim.asserted = !step.claim.asserted,
        4 => {
            step.claim.by = match step.claim.by {
                By::Now => By::Surely(step.claim.to),
                By::Surely(t) if chance.below(2) == 0 => By::Surely(t + by),
                By::Surely(t) => By::Perhaps(t),
                By::Perhaps(t) if chance.below(2) == 0 => By::Perhaps(t + by),
                By::Perhaps(t) => By::Surely(t),
            };
        }
        5 => {
            let mut valuation = BTreeMap::clone(&step.claim.valuation);
            match valuation.values_mut().next() {
                Some(Of::One(value)) => other(value),
                Some(Of::Other(values)) if !values.is_empty() => values.truncate(values.len() - 1),
                Some(of) => *of = Of::One(Value::Int(0)),
                None => {
                    valuation.insert("x".into(), Of::One(Value::Int(0)));
                }
            }
            step.claim.valuation = valuation.into();
        }
        6 if !step.steps.is_empty() => {
            let gone = chance.below(step.steps.len() as u64) as usize;
            step.steps.remove(gone);
        }
        7 if step.steps.len() > 1 => step.steps.swap(0, 1),
        8 if !step.steps.is_empty() => step.steps.push(step.steps[0].clone()),
        9 => step.claim.formula = "TRUE".into(),
        10 => step.why = strange(chance),
        11 if !step.steps.is_empty() => *step = step.steps[0].clone(),
        _ => match &mut step.why {
            Why::Facts(ids) => match chance.below(3) {
                0 => ids.truncate(ids.len().saturating_sub(1)),
                1 => ids.push(FactId::new("f99")),
                _ => ids.iter_mut().take(1).for_each(|id| *id = FactId::new("f00")),
            },
            Why::Within(t, _) if chance.below(2) == 0 => shift(t, by),
            Why::Within(_, t) | Why::Broken(Some(t)) => shift(t, by),
            Why::Breach(_, t) if chance.below(2) == 0 => shift(t, by),
            Why::Breach(opened, _) => tamper_opened(chance, opened),
            Why::Value(value) => other(value),
            Why::Each(values) => values.truncate(values.len().saturating_sub(1)),
            Why::Spans(spans) => spans.iter_mut().take(1).for_each(|(from, _)| shift(from, by)),
            Why::Openings(pieces) => {
                let i = chance.below(pieces.len() as u64) as usize;
                match &mut pieces[i] {
                    Piece::Closed(_, t) | Piece::Open(_, t) => shift(t, by),
                    Piece::Opened(opened, _) if chance.below(2) == 0 => tamper_opened(chance, opened),
                    Piece::Opened(_, excuse) => tamper_excuse(chance, excuse),
                }
            }
            why => *why = strange(chance),
        },
    }
}

/// One change to any one step, or to the argument itself.
fn tampered(chance: &mut Chance, argument: &Argument) -> Argument {
    let mut other = argument.clone();
    let mut count = 0;
    steps(&mut other, &mut |_| count += 1);
    let at = chance.below(count + 2);
    if at == count {
        match chance.below(7) {
            0 => other.settled += 1,
            1 => other.lapses = !other.lapses,
            2 => tamper_opened(chance, &mut other.opened),
            3 => other.settled -= 1,
            4 => other.steps.reverse(),
            5 => other.steps.push(other.steps[0].clone()),
            _ => {
                other.steps.pop();
            }
        }
    } else if at == count + 1 {
        other.excuse = match other.excuse {
            Some(mut excuse) => {
                tamper_excuse(chance, &mut excuse);
                Some(excuse)
            }
            None => Some(Excuse::Owed),
        };
    }
    let mut i = 0;
    steps(&mut other, &mut |step| {
        if i == at {
            tamper(chance, step);
        }
        i += 1;
    });
    other
}

#[test]
fn an_argument_that_was_tampered_with_does_not_pass() {
    let mut refused = 0;
    each_verdict(200, |case, _, instance, argument| {
        let facts = by_id(case);
        for _ in 0..40 {
            let other = tampered(&mut case.chance, &argument);
            if other != argument {
                let found = checker(case, &facts).check(instance, &other);
                assert!(found.is_err(), "{}\n{argument:#?}\n{other:#?}", text(case, instance));
                refused += 1;
            }
        }
    });
    println!("{refused} arguments refused");
}

/// Every instant `t` in an argument and its instance becomes another: a lie that agrees with itself.
fn rewritten(instance: &Instance, argument: &Argument, t: i64, by: i64) -> (Instance, Argument) {
    let (mut instance, mut argument) = (instance.clone(), argument.clone());
    let turn = |x: &mut i64| {
        if *x == t {
            *x += by;
        }
    };
    let all = |x: &mut Option<i64>| x.iter_mut().for_each(turn);
    let opened = |opened: &mut Opened| {
        turn(&mut opened.opened);
        turn(&mut opened.since);
    };
    turn(&mut instance.key.opened);
    turn(&mut instance.since);
    [&mut instance.due, &mut instance.until, &mut instance.breached_since, &mut instance.kept_at]
        .into_iter()
        .for_each(all);
    turn(&mut argument.settled);
    opened(&mut argument.opened);
    if let Some(Excuse::Lapsed(t)) = &mut argument.excuse {
        turn(t);
    }
    steps(&mut argument, &mut |step| {
        turn(&mut step.claim.from);
        turn(&mut step.claim.to);
        if let By::Surely(t) | By::Perhaps(t) = &mut step.claim.by {
            turn(t);
        }
        match &mut step.why {
            Why::Within(a, b) => [a, b].into_iter().for_each(turn),
            Why::Broken(Some(t)) => turn(t),
            Why::Breach(o, t) => {
                opened(o);
                turn(t);
            }
            Why::Spans(spans) => spans.iter_mut().for_each(|(a, b)| [a, b].into_iter().for_each(turn)),
            Why::Openings(pieces) => pieces.iter_mut().for_each(|piece| match piece {
                Piece::Closed(a, b) | Piece::Open(a, b) => [a, b].into_iter().for_each(turn),
                Piece::Opened(o, excuse) => {
                    opened(o);
                    if let Excuse::Lapsed(t) = excuse {
                        turn(t);
                    }
                }
            }),
            _ => {}
        }
    });
    (instance, argument)
}

#[test]
fn a_lie_that_agrees_with_itself_does_not_pass() {
    let (mut refused, mut indifferent) = (0, 0);
    each_verdict(200, |case, _, instance, mut argument| {
        let facts = by_id(case);
        let mut instants = BTreeSet::from([instance.key.opened, argument.settled]);
        steps(&mut argument, &mut |step| instants.extend([step.claim.from, step.claim.to]));
        for t in instants.into_iter().filter(|&t| t > SINCE_EVER && t < NEVER) {
            for by in [-1, 1] {
                let (other, lie) = rewritten(instance, &argument, t, by);
                let passes = checker(case, &facts).check(&other, &lie).is_ok();
                // Another way to show the same is none of our business.
                assert!(!passes || other == *instance, "{}\n{other:?}\n{argument:#?}", text(case, instance));
                *if passes { &mut indifferent } else { &mut refused } += 1;
            }
        }
        // Another state, by the same argument.
        for state in [State::Kept, State::Breached, State::Pending, State::Disputed] {
            let breached = matches!(state, State::Breached | State::Disputed).then_some(argument.settled);
            let kept_at = (state == State::Kept).then_some(argument.settled);
            let other = Instance { state, breached_since: breached, kept_at, ..instance.clone() };
            let passes = checker(case, &facts).check(&other, &argument).is_ok();
            assert_eq!(passes, state == instance.state, "{}", text(case, instance));
        }
    });
    println!("{refused} lies refused, {indifferent} indifferent");
}

#[test]
fn an_argument_passes_only_where_the_verdict_is_true() {
    let (mut refused, mut passed) = (0, 0);
    each_verdict(200, |case, _, instance, argument| {
        for _ in 0..6 {
            let mut facts = by_id(case);
            let ids: Vec<FactId> = facts.keys().cloned().collect();
            if ids.is_empty() {
                continue;
            }
            let id = case.chance.of(&ids);
            let mut fact = facts.remove(&id).unwrap();
            match case.chance.below(5) {
                0 => fact.admitted = !fact.admitted,
                1 => fact.from = fact.from.saturating_sub(1),
                2 => fact.to = fact.to.saturating_add(1),
                3 => fact.args.iter_mut().for_each(other),
                _ => fact.from = NEVER,
            }
            if fact.from < NEVER {
                facts.insert(id, fact);
            }
            let list: Vec<_> = facts.iter().map(|(id, fact)| (id.clone(), fact.clone())).collect();
            let Some(mut there) = monitor(&case.rules, &list) else { continue };
            there.advance(case.as_of);
            if checker(case, &facts).check(instance, &argument).is_err() {
                refused += 1;
                continue;
            }
            passed += 1;
            let same = there.relation().iter().find(|i| i.key == instance.key);
            let same = same.map(|i| Instance { disputed: instance.disputed.clone(), ..i.clone() });
            assert_eq!(same.as_ref(), Some(instance), "{}", text(case, instance));
        }
    });
    println!("in other worlds {passed} pass, {refused} are refused");
}

/// Of numbers, the median, the 99th of a hundred, and the greatest.
fn spread<T: Ord + Copy + std::fmt::Debug>(mut list: Vec<T>) -> String {
    list.sort();
    let at = |part: usize| list[(list.len() - 1) * part / 100];
    format!("median {:?}, p99 {:?}, most {:?}", at(50), at(99), at(100))
}

/// What is left of ranges where facts are that are not named; here instants are few.
fn true_of(absent: &[Absence], facts: &Facts, present: &[FactId]) -> Vec<Absence> {
    let mut left = Vec::new();
    for gap in absent {
        let column = |(column, value): (&Option<Value>, &Value)| column.as_ref().is_none_or(|v| v == value);
        let of = |fact: &Fact| fact.predicate == gap.predicate && gap.args.iter().zip(&fact.args).all(column);
        let there: Vec<&Fact> =
            facts.iter().filter(|(id, fact)| !present.contains(id) && of(fact)).map(|(_, fact)| fact).collect();
        let mut from = Some(gap.from);
        let ends = there.iter().flat_map(|f| [f.from.saturating_sub(1), f.to]);
        let mut ends: Vec<i64> = ends.chain([gap.to]).filter(|t| (gap.from..=gap.to).contains(t)).collect();
        ends.sort();
        ends.dedup();
        for to in ends {
            if let Some(from) = from
                && from <= to
                && !there.iter().any(|f| f.from <= to && from <= f.to)
            {
                left.push(Absence { from, to, ..gap.clone() });
            }
            from = to.checked_add(1);
        }
    }
    left
}

#[test]
fn evidence_is_minimal_and_its_argument_passes() {
    let (mut verdicts, mut dropped, mut given_up) = (0, 0, Vec::new());
    let (mut present, mut absent, mut size) = (Vec::new(), Vec::new(), Vec::new());
    let mut times: [Vec<Duration>; 4] = Default::default();
    let mut timed = |i: usize, start: Clock| times[i].push(start.elapsed());
    each_verdict(100, |case, monitor, instance, mut argument| {
        let start = Clock::now();
        let why = monitor.explain(&instance.key).unwrap();
        timed(0, start);
        let start = Clock::now();
        let from = monitor.argue_from(&instance.key, &why.present, &why.absent);
        timed(1, start);
        let facts: Facts = by_id(case).into_iter().filter(|(id, _)| why.present.contains(id)).collect();
        // In rare corners, as where the end of a window is quantified, all that was looked at is not enough.
        let Some(from) = from else {
            given_up.push(case.seed);
            return;
        };
        let start = Clock::now();
        let alone = Checker { absent: Some(&why.absent), ..checker(case, &facts) };
        let found = alone.check(instance, &from);
        verdicts += 1;
        timed(2, start);
        assert_eq!(found, Ok(()), "{}{why:?}", text(case, instance));
        for i in 0..why.present.len() + why.absent.len() {
            let (mut present, mut absent) = (why.present.clone(), why.absent.clone());
            if i < present.len() {
                present.remove(i);
            } else {
                absent.remove(i - present.len());
            }
            // Without any one part it does not follow, and the argument does not pass.
            let less = monitor.argue_from(&instance.key, &present, &absent);
            assert!(less.is_none(), "{}{why:?}", text(case, instance));
            let absent = true_of(&absent, &by_id(case), &present);
            let facts: Facts = by_id(case).into_iter().filter(|(id, _)| present.contains(id)).collect();
            let alone = Checker { absent: Some(&absent), ..checker(case, &facts) };
            assert!(alone.check(instance, &from).is_err(), "{}{why:?}", text(case, instance));
            dropped += 1;
        }
        let facts = by_id(case);
        let start = Clock::now();
        assert_eq!(checker(case, &facts).check(instance, &argument), Ok(()));
        timed(3, start);
        let mut count = 0;
        steps(&mut argument, &mut |_| count += 1);
        size.push(count);
        present.push(why.present.len());
        absent.push(why.absent.len());
    });
    assert!(given_up.len() * 1_000 <= verdicts, "no evidence for verdicts of seeds {given_up:?}");
    println!("{} verdicts have no evidence, of seeds {given_up:?}", given_up.len());
    println!("{verdicts} verdicts, {dropped} parts of evidence dropped, each loses its verdict");
    println!("facts present: {}\nranges absent: {}\nsteps: {}", spread(present), spread(absent), spread(size));
    let names = ["explain", "argue from evidence", "check evidence", "check all"];
    for (name, list) in names.into_iter().zip(times) {
        println!("{name}: {}", spread(list));
    }
}

/// What auditors read stays short, and shares no code with what it checks: it knows data only.
#[test]
fn the_checker_is_short_and_alone() {
    let text = include_str!("../../src/checker.rs");
    let code = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).count();
    println!("checker.rs: {code} lines of code, {} with what explains them", text.lines().count());
    assert!(code < 500, "{code} lines of code");
    for line in text.lines().filter(|line| line.starts_with("use crate::")) {
        let from = line.trim_start_matches("use crate::").split("::").next().unwrap_or_default();
        assert!(["argument", "fact", "formula", "monitor"].contains(&from), "{line}");
        let data = ["{Absence, Instance, State};", "monitor"];
        assert!(from != data[1] || line.ends_with(data[0]), "{line}");
    }
}
