//! Reasons of verdicts at time-points: what they name is true and enough, none of it can be spared, the checker accepts
//! the proof and nothing that was changed in it.
use crate::points::draw::{World, any_event};
use crate::points::naive::{Moment, Naive};
use crate::random::Chance;
use hamsaya_monitor::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

fn monitor(world: &World) -> Option<Points> {
    let mut points = Points::new(&world.formula, &world.signature).ok()?;
    for moment in &world.log {
        let point = points.begin(moment.stamp).ok()?;
        for (name, args) in &moment.events {
            points.insert(point, name, args).ok()?;
        }
    }
    points.finish().ok()?;
    Some(points)
}

/// Verdicts of random worlds, a few of each, with what is known.
fn each_verdict(usual: usize, mut look: impl FnMut(&mut Chance, &World, &PointLog, u32, &[Name], &[Value])) {
    let wanted = std::env::var("HAMSAYA_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(usual);
    let (mut seed, mut seen) = (0, 0);
    while seen < wanted {
        let mut chance = Chance::mixed(seed);
        seed += 1;
        let world = World::draw(&mut chance);
        let Some(mut points) = monitor(&world) else { continue };
        let Ok(verdicts) = points.relation() else { continue };
        let (log, columns) = (points.log(), points.columns().to_vec());
        let all: Vec<(u32, Vec<Value>)> =
            verdicts.into_iter().flat_map(|v| v.tuples.into_iter().map(move |tuple| (v.point, tuple))).collect();
        for _ in 0..all.len().min(3) {
            let (point, tuple) = chance.of(&all);
            look(&mut chance, &world, &log, point, &columns, &tuple);
            seen += 1;
        }
    }
    println!("seeds 0 to {}", seed - 1);
}

fn checked(
    world: &World,
    log: &PointLog,
    point: u32,
    columns: &[Name],
    tuple: &[Value],
    why: &Grounds,
) -> Result<(), Fault> {
    let named: Vec<(Name, Value)> = columns.iter().cloned().zip(tuple.iter().cloned()).collect();
    PointChecker { formula: &world.formula, signature: &world.signature, stamps: &log.stamps }.check(point, &named, why)
}

fn count(step: &PointStep) -> usize {
    1 + step.steps.iter().map(|step| count(step)).sum::<usize>()
}

fn spread(mut list: Vec<usize>) -> String {
    list.sort_unstable();
    let at = |part: usize| list[(list.len() - 1) * part / 100];
    format!("median {}, p99 {}, most {}", at(50), at(99), at(100))
}

/// Another log of which the evidence is true.
fn other_log(chance: &mut Chance, world: &World, log: &PointLog, why: &Grounds) -> Vec<Moment> {
    let mut moments = world.log.clone();
    for _ in 0..12 {
        let point = chance.below(moments.len() as u64) as usize;
        let event = any_event(chance, &world.signature);
        moments[point].events.insert(event);
    }
    for (point, moment) in moments.iter_mut().enumerate() {
        let keep = |name: &Name, args: &[Value], chance: &mut Chance| {
            let fact = PointFact { point: point as u32, predicate: name.clone(), args: args.to_vec() };
            let column = |(c, v): (&Option<Value>, &Value)| c.as_ref().is_none_or(|c| c == v);
            let denied = why.absent.iter().any(|gap| {
                let there = gap.predicate == *name && gap.from <= fact.point && fact.point <= gap.to;
                there && gap.args.iter().zip(args).all(column)
            });
            why.present.contains(&fact) || !denied && chance.below(3) > 0
        };
        let events = std::mem::take(&mut moment.events);
        moment.events = events.into_iter().filter(|(name, args)| keep(name, args, chance)).collect();
    }
    let said = why
        .present
        .iter()
        .all(|fact| moments[fact.point as usize].events.contains(&(fact.predicate.clone(), fact.args.clone())));
    assert!(said, "{log:?}");
    moments
}

#[test]
fn reasons_are_true_enough_and_minimal() {
    let (mut explained, mut given_up, mut dropped, mut worlds) = (0, Vec::new(), 0, 0);
    let (mut present, mut absent, mut steps, mut took) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    each_verdict(1_000, |chance, world, log, point, columns, tuple| {
        let explainer = Explainer::new(&world.formula, &world.signature, log).expect("over points");
        let started = Instant::now();
        let found = explainer.grounds(point, columns, tuple);
        let found_us = started.elapsed().as_micros() as usize;
        let Some(why) = found else {
            given_up.push(world.formula.to_string());
            return;
        };
        let text = || format!("{}\nat {point} {tuple:?}\n{why:#?}", world.text());
        assert!(PointChecker::is_true_of(&why, log), "{}", text());
        let started = Instant::now();
        let passes = checked(world, log, point, columns, tuple, &why);
        took.push((found_us, started.elapsed().as_micros() as usize));
        assert_eq!(passes, Ok(()), "{}", text());
        explained += 1;
        // It holds in any other log in which the evidence is true, says an evaluator that shares no code.
        for _ in 0..3 {
            let other = other_log(chance, world, log, &why);
            let naive = Naive::new(&world.formula, &world.signature, &other);
            if let Ok(held) = naive.held()
                && !naive.guessed()
            {
                assert!(held.get(&point).is_some_and(|tuples| tuples.contains(tuple)), "{}\n{other:?}", text());
                worlds += 1;
            }
        }
        // Without any one fact, or the absence at any one point, it does not follow.
        let less = |present: &[PointFact], absent: &[PointAbsence]| {
            explainer.follows((present, absent), point, (columns, tuple))
        };
        assert!(less(&why.present, &why.absent).is_some(), "{}", text());
        for i in 0..why.present.len() {
            let mut some = why.present.clone();
            let gone = some.remove(i);
            // Of an absence that is not true without it, what remains.
            let column = |(c, v): (&Option<Value>, &Value)| c.as_ref().is_none_or(|c| c == v);
            let true_still = |gap: &PointAbsence| {
                let hit = gap.predicate == gone.predicate && gap.args.iter().zip(&gone.args).all(column);
                let parts = [(gap.from, gone.point.saturating_sub(1)), (gone.point + 1, gap.to)];
                let hit = hit && gap.from <= gone.point && gone.point <= gap.to;
                let parts = if hit { parts.to_vec() } else { vec![(gap.from, gap.to)] };
                let part = |(from, to): (u32, u32)| {
                    (from <= to && (!hit || to != gone.point)).then(|| PointAbsence { from, to, ..gap.clone() })
                };
                parts.into_iter().filter_map(part).collect::<Vec<_>>()
            };
            let gaps: Vec<PointAbsence> = why.absent.iter().flat_map(true_still).collect();
            assert!(less(&some, &gaps).is_none(), "without {gone:?}\n{}", text());
            dropped += 1;
        }
        for (i, gap) in why.absent.iter().enumerate() {
            for at in gap.from..=gap.to {
                let mut gaps = why.absent.clone();
                gaps.remove(i);
                let parts = [(gap.from, at.checked_sub(1)), (at + 1, Some(gap.to))];
                let part = |(from, to): (u32, Option<u32>)| {
                    to.filter(|&to| from <= to).map(|to| PointAbsence { from, to, ..gap.clone() })
                };
                gaps.extend(parts.into_iter().filter_map(part));
                assert!(less(&why.present, &gaps).is_none(), "without {gap:?} at {at}\n{}", text());
                dropped += 1;
            }
        }
        present.push(why.present.len());
        absent.push(why.absent.len());
        steps.push(count(&why.proof));
    });
    println!("{explained} verdicts explained, {} not; {dropped} parts dropped, each loses its verdict", given_up.len());
    println!("{worlds} other logs with the same evidence have the same verdict");
    println!("facts present: {}\nranges absent: {}\nsteps: {}", spread(present), spread(absent), spread(steps));
    let (finding, checking) = took.into_iter().unzip();
    println!("finding a reason, in us: {}\nchecking it, in us: {}", spread(finding), spread(checking));
    given_up.iter().take(6).for_each(|formula| println!("not explained: {formula}"));
    assert!(given_up.len() * 20 <= explained, "{} of {explained} without reasons", given_up.len());
}

/// One change to one step of a proof; it may be none.
fn tamper(chance: &mut Chance, step: &PointStep, at: &mut i64) -> Arc<PointStep> {
    let mut step = step.clone();
    *at -= 1;
    if *at == -1 {
        match chance.below(9) {
            0 => step.point += 1,
            1 => step.holds = !step.holds,
            2 => step.formula = "TRUE".into(),
            3 => {
                let mut of = BTreeMap::clone(&step.valuation);
                of.insert("x".into(), Of::One(Value::Int(99)));
                step.valuation = Arc::new(of);
            }
            4 => {
                step.steps.pop();
            }
            5 => step.steps.extend(step.steps.first().cloned()),
            6 if step.steps.len() > 1 => step.steps.swap(0, 1),
            _ => {
                step.why = match step.why {
                    Reason::Fact(mut args) => {
                        args.push(Value::Int(1));
                        Reason::Fact(args)
                    }
                    Reason::Absent(args) => {
                        Reason::Fact(args.into_iter().map(|v| v.unwrap_or(Value::Int(0))).collect())
                    }
                    Reason::Plain => Reason::Part(99),
                    Reason::All => Reason::At(step.point),
                    Reason::Part(i) => Reason::Part(i + 50),
                    Reason::Value(_) => Reason::Each(vec![]),
                    Reason::Each(mut values) => {
                        values.push(Value::text("beyond"));
                        Reason::Each(values)
                    }
                    Reason::At(j) => Reason::At(j + 1),
                    Reason::Broken(Some(r)) => Reason::Broken(Some(r + 1)),
                    Reason::Broken(None) => Reason::Broken(Some(step.point)),
                    Reason::Rows(names, mut rows) => {
                        rows.push(names.iter().map(|_| Value::text("beyond")).collect());
                        Reason::Rows(names, rows)
                    }
                };
            }
        }
    } else {
        step.steps = step.steps.iter().map(|step| tamper(chance, step, at)).collect();
    }
    Arc::new(step)
}

#[test]
fn a_proof_that_was_tampered_with_does_not_pass() {
    let mut refused = 0;
    each_verdict(300, |chance, world, log, point, columns, tuple| {
        let explainer = Explainer::new(&world.formula, &world.signature, log).expect("over points");
        let Some(why) = explainer.grounds(point, columns, tuple) else { return };
        for _ in 0..20 {
            let mut at = chance.below(count(&why.proof) as u64) as i64;
            let proof = tamper(chance, &why.proof, &mut at);
            if proof != why.proof {
                let other = Grounds { proof, ..why.clone() };
                assert!(checked(world, log, point, columns, tuple, &other).is_err(), "{}\n{other:#?}", world.text());
                refused += 1;
            }
        }
        // The proof of other evidence, and of another verdict.
        for i in 0..why.present.len() + why.absent.len() {
            let mut other = why.clone();
            match i < why.present.len() {
                true => drop(other.present.remove(i)),
                false => drop(other.absent.remove(i - why.present.len())),
            }
            // What is only said to be there beside an absence of anything is not read by a proof.
            if PointChecker::is_true_of(&other, log) {
                assert!(checked(world, log, point, columns, tuple, &other).is_err(), "{}\n{other:#?}", world.text());
                refused += 1;
            }
        }
        assert!(checked(world, log, point + 1, columns, tuple, &why).is_err());
    });
    println!("{refused} proofs refused");
}
