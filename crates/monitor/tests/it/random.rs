//! Random rules and facts: engine and oracle must agree, and what the engine promises of itself must hold.
//!
//! `HAMSAYA_CASES=100000 cargo test -p hamsaya-monitor --test it random` runs more of them. A failure prints its seed,
//! and `HAMSAYA_SEED=n` runs that one alone.
use crate::oracle::{Oracle, of};
use hamsaya_monitor::*;
use std::collections::{BTreeMap, BTreeSet};

/// A small generator of numbers: splitmix64.
#[derive(Clone)]
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Chance {
        Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(1))
    }

    /// Mixed first: else the numbers of one seed are those of the one before it, one later, and cases repeat.
    pub fn mixed(seed: u64) -> Chance {
        let mut chance = Chance(seed);
        Chance(chance.next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Less than `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub fn of<T: Clone>(&mut self, list: &[T]) -> T {
        list[self.below(list.len() as u64) as usize].clone()
    }

    pub fn between(&mut self, from: i64, to: i64) -> i64 {
        from + self.below((to - from + 1) as u64) as i64
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for i in (1..list.len()).rev() {
            list.swap(i, self.below(i as u64 + 1) as usize);
        }
    }
}

pub fn signature() -> Signature {
    [("p", 1), ("q", 1), ("r", 2), ("e", 0)]
        .into_iter()
        .map(|(name, width)| (Name::from(name), vec![Type::Int; width]))
        .collect()
}

/// What a formula may name.
#[derive(Clone)]
struct May {
    defined: Vec<Name>,
    breached: Vec<(Name, Vec<Name>)>,
    ahead: bool,
    next: usize,
    /// Quantified over what looks ahead. Comparing them inside a window that looks back is the one corner that the
    /// engine reads less eagerly than the oracle (see settle.rs).
    late: Vec<Name>,
}

fn var(name: &Name) -> Term {
    Term::Var(name.clone())
}

fn term(chance: &mut Chance, vars: &[Name]) -> Term {
    if vars.is_empty() || chance.one_in(6) {
        return Term::Const(Value::Int(chance.between(0, 3)));
    }
    let x = var(&chance.of(vars));
    match chance.below(10) {
        0 => Term::Plus(Box::new(x), Box::new(Term::Const(Value::Int(1)))),
        1 => Term::Minus(Box::new(x), Box::new(Term::Const(Value::Int(1)))),
        _ => x,
    }
}

fn window(chance: &mut Chance, vars: &[Name]) -> Window {
    let from = if chance.one_in(3) { chance.between(1, 2) } else { 0 };
    match chance.below(8) {
        0 => Window::unbounded(from),
        1 if !vars.is_empty() => Window { from, to: Upper::Var(chance.of(vars)) },
        _ => Window::new(from, from + chance.between(0, 4)),
    }
}

fn atom(chance: &mut Chance, vars: &[Name], may: &May) -> Formula {
    let arg = |chance: &mut Chance| if chance.one_in(6) { Term::Any } else { term(chance, vars) };
    match chance.below(9) {
        0 => Formula::Atom { name: "e".into(), args: vec![] },
        1 | 2 => Formula::Atom { name: "r".into(), args: vec![arg(chance), arg(chance)] },
        3 if !may.defined.is_empty() => Formula::Atom { name: chance.of(&may.defined), args: vec![arg(chance)] },
        4 if !may.breached.is_empty() => {
            let (rule, key) = chance.of(&may.breached);
            Formula::Breached { rule, args: key.into_iter().map(|name| (name, arg(chance))).collect() }
        }
        n => Formula::Atom { name: if n % 2 == 0 { "p" } else { "q" }.into(), args: vec![arg(chance)] },
    }
}

/// An atom that binds a variable.
fn guard(chance: &mut Chance, x: &Name, vars: &[Name], may: &May) -> Formula {
    match chance.below(7) {
        0 => Formula::Atom { name: "r".into(), args: vec![var(x), term(chance, vars)] },
        1 => Formula::Atom { name: "r".into(), args: vec![Term::Any, var(x)] },
        2 if !may.defined.is_empty() => Formula::Atom { name: chance.of(&may.defined), args: vec![var(x)] },
        3 if !may.breached.is_empty() => {
            let (rule, key) = chance.of(&may.breached);
            Formula::Breached { rule, args: key.into_iter().map(|name| (name, var(x))).collect() }
        }
        n => Formula::Atom { name: if n % 2 == 0 { "p" } else { "q" }.into(), args: vec![var(x)] },
    }
}

/// A formula whose free variables are among `vars`; most are known where it stands.
fn formula(chance: &mut Chance, depth: u32, vars: &[Name], may: &mut May) -> Formula {
    if depth == 0 {
        let compared: Vec<Name> = vars.iter().filter(|x| may.ahead || !may.late.contains(x)).cloned().collect();
        let vars = &compared[..];
        return match chance.below(12) {
            0 if !vars.is_empty() => Formula::Compare {
                op: chance.of(&[Comparison::Equal, Comparison::NotEqual, Comparison::Less, Comparison::GreaterOrEqual]),
                left: var(&chance.of(vars)),
                right: term(chance, vars),
            },
            1 => Formula::Reached(term(chance, vars)),
            2 if !vars.is_empty() => Formula::Ts(term(chance, vars)),
            3 if chance.one_in(3) => Formula::True,
            _ => atom(chance, vars, may),
        };
    }
    let less = depth - 1;
    let boxed = |chance: &mut Chance, may: &mut May| Box::new(formula(chance, less, vars, may));
    let kinds = if may.ahead { 16 } else { 12 };
    match chance.below(kinds) {
        0 | 1 => Formula::Not(boxed(chance, may)),
        2 | 3 => Formula::And(vec![formula(chance, less, vars, may), formula(chance, less, vars, may)]),
        4 => Formula::Or(vec![formula(chance, less, vars, may), formula(chance, less, vars, may)]),
        5 | 6 => {
            may.next += 1;
            let x: Name = format!("z{}", may.next).into();
            let mut more = vars.to_vec();
            let guard = match chance.below(8) {
                0 if !vars.is_empty() => {
                    Formula::Compare { op: Comparison::Equal, left: var(&x), right: term(chance, vars) }
                }
                1 if !may.ahead => Formula::And(vec![atom(chance, vars, may), Formula::Ts(var(&x))]),
                2 if may.ahead => Formula::Eventually(window(chance, vars), Box::new(guard(chance, &x, vars, may))),
                _ => guard(chance, &x, vars, may),
            };
            more.push(x.clone());
            if may.ahead {
                may.late.push(x.clone());
            }
            let body = formula(chance, less, &more, may);
            Formula::Exists(vec![x], Box::new(Formula::And(vec![body, guard])))
        }
        n @ 7..=10 => {
            let ahead = std::mem::replace(&mut may.ahead, false);
            let w = window(chance, vars);
            let f = match n {
                7 => Formula::Once(w, boxed(chance, may)),
                8 => Formula::Historically(w, boxed(chance, may)),
                9 => Formula::Duration { window: w, formula: boxed(chance, may), at_least: chance.between(1, 3) },
                _ => Formula::Since(w, boxed(chance, may), boxed(chance, may)),
            };
            may.ahead = ahead;
            f
        }
        11 => atom(chance, vars, may),
        12 | 13 => Formula::Eventually(window(chance, vars), boxed(chance, may)),
        14 => Formula::Always(window(chance, vars), boxed(chance, may)),
        _ => Formula::Until(window(chance, vars), boxed(chance, may), boxed(chance, may)),
    }
}

pub fn rules(chance: &mut Chance) -> Rules {
    let mut may = May { defined: vec![], breached: vec![], ahead: false, next: 0, late: vec![] };
    let x: Name = "x".into();
    let mut definitions = Vec::new();
    for i in 0..chance.below(3) {
        let name: Name = format!("d{i}").into();
        for _ in 0..1 + chance.below(2) {
            let depth = chance.below(3) as u32;
            let mut body = formula(chance, depth, std::slice::from_ref(&x), &mut may);
            if chance.below(4) > 0 {
                body = Formula::And(vec![body, guard(chance, &x, &[], &may)]);
            }
            if chance.one_in(3) {
                body = Formula::Once(window(chance, &[]), Box::new(body));
            }
            definitions.push(Definition { name: name.clone(), params: vec![x.clone()], body });
        }
        may.defined.push(name);
    }
    let mut rules = Vec::new();
    for i in 0..1 + chance.below(2) {
        let name: Name = format!("rule{i}").into();
        let mut key: Vec<Name> = vec![x.clone()];
        let mut parts = vec![guard(chance, &x, &[], &may)];
        match chance.below(6) {
            0 => key.clear(),
            1 => {
                key.push("y".into());
                parts.push(guard(chance, &"y".into(), &key[..1], &may));
            }
            _ => {}
        }
        if key.is_empty() {
            parts = vec![formula(chance, 1, &[], &mut may)];
        }
        if chance.one_in(3) {
            let depth = chance.below(3) as u32;
            parts.push(formula(chance, depth, &key, &mut may));
        }
        let since = chance.one_in(4).then(|| Name::from("from"));
        if let Some(since) = &since {
            parts.push(guard(chance, since, &key, &may));
        }
        may.ahead = true;
        let depth = 1 + chance.below(3) as u32;
        let must = if chance.one_in(4) {
            formula(chance, depth, &key, &mut may)
        } else {
            let w = Window::new(chance.between(0, 1), chance.between(1, 7));
            let f = Box::new(formula(chance, depth - 1, &key, &mut may));
            match chance.below(5) {
                0 => Formula::Not(Box::new(Formula::Eventually(w, f))),
                1 => Formula::Always(w, f),
                2 => Formula::Until(w, f, Box::new(formula(chance, depth - 1, &key, &mut may))),
                _ => Formula::Eventually(w, f),
            }
        };
        may.ahead = false;
        let lapses = chance.one_in(6).then(|| formula(chance, 1, &key, &mut may));
        let opens = if parts.len() == 1 { parts.remove(0) } else { Formula::And(parts) };
        rules.push(Rule { name: name.clone(), opens, key: key.clone(), since, must, lapses });
        may.breached.push((name, key));
    }
    Rules { definitions, rules }
}

pub fn facts(chance: &mut Chance) -> Vec<(FactId, Fact)> {
    let n = 2 + chance.below(14);
    (0..n)
        .map(|i| {
            let (name, width) = chance.of(&[("p", 1), ("p", 1), ("q", 1), ("r", 2), ("e", 0)]);
            let args = (0..width).map(|_| Value::Int(chance.between(0, 3))).collect();
            let from = chance.between(0, 9);
            let (from, to) = match chance.below(12) {
                0 => (from, from + chance.between(0, 4)),
                1 => (SINCE_EVER, from),
                2 => (from, NEVER),
                3 if chance.one_in(2) => (SINCE_EVER, NEVER),
                _ => (from, from),
            };
            let admitted = !chance.one_in(3);
            (FactId::new(format!("f{i:02}")), Fact { predicate: name.into(), args, from, to, admitted })
        })
        .collect()
}

/// A monitor for rules and facts; `None` if either is refused.
pub fn monitor(rules: &Rules, facts: &[(FactId, Fact)]) -> Option<Monitor> {
    let mut monitor = Monitor::new(rules, &signature()).ok()?;
    for (id, fact) in facts {
        monitor.insert(id.clone(), fact.clone()).ok()?;
    }
    Some(monitor)
}

fn cases(usual: u64) -> Vec<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    match number("HAMSAYA_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("HAMSAYA_CASES").unwrap_or(usual)).collect(),
    }
}

pub fn show(rules: &Rules, facts: &[(FactId, Fact)]) -> String {
    let mut text = String::new();
    for d in &rules.definitions {
        text += &format!("define {}({}) {}\n", d.name, d.params.join(", "), d.body);
    }
    for r in &rules.rules {
        let lapses = r.lapses.as_ref().map_or(String::new(), |f| format!("\n  lapses {f}"));
        let since = r.since.as_ref().map_or(String::new(), |x| format!(" since {x}"));
        text += &format!("{}[{}]{since}\n  opens {}\n  must {}{lapses}\n", r.name, r.key.join(", "), r.opens, r.must);
    }
    for (id, f) in facts {
        text += &format!("{} {}{:?} {}..{} {}\n", id.0, f.predicate, f.args, f.from, f.to, f.admitted);
    }
    text
}

/// A case that both take: rules, facts, instant.
pub struct Case {
    pub seed: u64,
    pub rules: Rules,
    pub facts: Vec<(FactId, Fact)>,
    pub as_of: i64,
    pub chance: Chance,
}

/// `usual`: how many, unless HAMSAYA_CASES says otherwise.
pub fn each_case(usual: u64, mut check: impl FnMut(Case)) {
    let mut taken = 0;
    for seed in cases(usual) {
        let mut chance = Chance::mixed(seed);
        let found = (0..200).find_map(|_| {
            let rules = rules(&mut chance);
            Monitor::new(&rules, &signature()).is_ok().then_some(rules)
        });
        let rules = found.expect("some rules are taken");
        let facts = facts(&mut chance);
        let as_of = chance.between(2, 12);
        // Facts that are refused because ts(x) wants events are left out.
        let mut probe = Monitor::new(&rules, &signature()).unwrap();
        let facts: Vec<_> =
            facts.into_iter().filter(|(id, fact)| probe.insert(id.clone(), fact.clone()).is_ok()).collect();
        taken += 1;
        check(Case { seed, rules, facts, as_of, chance });
    }
    assert!(taken > 0);
}

fn differs(rules: &Rules, facts: &[(FactId, Fact)], as_of: i64) -> Option<String> {
    let mut monitor = monitor(rules, facts)?;
    monitor.advance(as_of);
    let engine: BTreeMap<_, _> = monitor.relation().iter().map(|i| (i.key.clone(), of(i))).collect();
    let plain: Vec<Fact> = facts.iter().map(|(_, fact)| fact.clone()).collect();
    let oracle = Oracle::new(rules, &plain, as_of);
    let expected = oracle.judge();
    if engine != expected {
        let keys: BTreeSet<_> = engine.keys().chain(expected.keys()).collect();
        let key = keys.into_iter().find(|key| engine.get(key) != expected.get(key));
        let (key, e, o) = key.map(|key| (key, engine.get(key), expected.get(key)))?;
        return Some(format!("{key:?}\n  engine {e:?}\n  oracle {o:?}"));
    }
    for definition in &rules.definitions {
        for at in [0, as_of / 2, as_of, as_of + 1] {
            for (reading, possible) in [(Reading::Certain, false), (Reading::Possible, true)] {
                let engine: BTreeSet<_> = monitor.derived(&definition.name, at, reading).into_iter().collect();
                let expected = oracle.derived(&definition.name, at, possible);
                if engine != expected {
                    return Some(format!(
                        "{} at {at} {reading:?}\n  engine {engine:?}\n  oracle {expected:?}",
                        definition.name
                    ));
                }
            }
        }
    }
    None
}

/// Formulas one step simpler.
fn simpler(f: &Formula) -> Vec<Formula> {
    let mut all: Vec<Formula> = Vec::new();
    let one = |all: &mut Vec<Formula>, f: &Formula, wrap: &dyn Fn(Box<Formula>) -> Formula| {
        all.push(f.clone());
        all.extend(simpler(f).into_iter().map(|f| wrap(Box::new(f))));
    };
    match f {
        Formula::Not(f) => one(&mut all, f, &Formula::Not),
        Formula::Exists(names, f) => one(&mut all, f, &|f| Formula::Exists(names.clone(), f)),
        Formula::Once(w, f) => one(&mut all, f, &|f| Formula::Once(w.clone(), f)),
        Formula::Historically(w, f) => one(&mut all, f, &|f| Formula::Historically(w.clone(), f)),
        Formula::Eventually(w, f) => one(&mut all, f, &|f| Formula::Eventually(w.clone(), f)),
        Formula::Always(w, f) => one(&mut all, f, &|f| Formula::Always(w.clone(), f)),
        Formula::Duration { window, formula, at_least } => {
            one(&mut all, formula, &|f| Formula::Duration { window: window.clone(), formula: f, at_least: *at_least })
        }
        Formula::Since(w, f, g) => {
            one(&mut all, f, &|f| Formula::Since(w.clone(), f, g.clone()));
            one(&mut all, g, &|g| Formula::Since(w.clone(), f.clone(), g));
        }
        Formula::Until(w, f, g) => {
            one(&mut all, f, &|f| Formula::Until(w.clone(), f, g.clone()));
            one(&mut all, g, &|g| Formula::Until(w.clone(), f.clone(), g));
        }
        Formula::And(parts) | Formula::Or(parts) => {
            let wrap = |parts| if matches!(f, Formula::And(_)) { Formula::And(parts) } else { Formula::Or(parts) };
            all.extend(parts.iter().cloned());
            for i in 0..parts.len() {
                for part in simpler(&parts[i]) {
                    let mut parts = parts.clone();
                    parts[i] = part;
                    all.push(wrap(parts));
                }
            }
        }
        _ => {}
    }
    all
}

/// Rules one step simpler.
fn simpler_rules(rules: &Rules) -> Vec<Rules> {
    let mut all = Vec::new();
    for i in 0..rules.rules.len() {
        let mut less = rules.clone();
        less.rules.remove(i);
        all.push(less);
        let with = |edit: &dyn Fn(&mut Rule)| {
            let mut less = rules.clone();
            edit(&mut less.rules[i]);
            less
        };
        all.push(with(&|rule| rule.lapses = None));
        all.push(with(&|rule| rule.since = None));
        all.extend(simpler(&rules.rules[i].opens).into_iter().map(|f| with(&|rule| rule.opens = f.clone())));
        all.extend(simpler(&rules.rules[i].must).into_iter().map(|f| with(&|rule| rule.must = f.clone())));
    }
    for i in 0..rules.definitions.len() {
        let mut less = rules.clone();
        less.definitions.remove(i);
        all.push(less);
        for body in simpler(&rules.definitions[i].body) {
            let mut less = rules.clone();
            less.definitions[i].body = body;
            all.push(less);
        }
    }
    all
}

/// The smallest case that still fails.
fn shrink<F: Fn(&Rules, &[(FactId, Fact)]) -> Option<String>>(
    mut rules: Rules,
    mut facts: Vec<(FactId, Fact)>,
    fails: F,
) -> String {
    'again: loop {
        for i in 0..facts.len() {
            let mut less = facts.clone();
            less.remove(i);
            if fails(&rules, &less).is_some() {
                facts = less;
                continue 'again;
            }
        }
        for less in simpler_rules(&rules) {
            if less != rules && fails(&less, &facts).is_some() {
                rules = less;
                continue 'again;
            }
        }
        return format!("{}{}", show(&rules, &facts), fails(&rules, &facts).unwrap_or_default());
    }
}

#[test]
fn engine_and_oracle_agree() {
    let mut seen: BTreeMap<(State, bool), usize> = BTreeMap::new();
    each_case(1_000, |case| {
        let mut monitor = monitor(&case.rules, &case.facts).unwrap();
        monitor.advance(case.as_of);
        for instance in monitor.relation() {
            *seen.entry((instance.state, instance.lapsed)).or_default() += 1;
        }
        if differs(&case.rules, &case.facts, case.as_of).is_some() {
            let text = shrink(case.rules, case.facts, |rules, facts| differs(rules, facts, case.as_of));
            panic!("seed {}, as of {}\n{text}", case.seed, case.as_of);
        }
    });
    println!("{seen:?}");
}

#[test]
fn any_order_is_one_batch() {
    each_case(1_000, |mut case| {
        let mut batch = monitor(&case.rules, &case.facts).unwrap();
        batch.advance(case.as_of);
        // The same facts in another order, among others that are withdrawn before or after they come.
        enum Step {
            Tell(FactId, Fact),
            Put(FactId, Fact),
            Withdraw(FactId),
            Forget(FactId),
            Advance(i64),
        }
        let mut steps: Vec<Step> = case.facts.iter().map(|(id, fact)| Step::Tell(id.clone(), fact.clone())).collect();
        let mut probe = Monitor::new(&case.rules, &signature()).unwrap();
        for (id, fact) in facts(&mut case.chance) {
            let id = FactId::new(format!("gone {}", id.0));
            if probe.insert(id.clone(), fact.clone()).is_ok() {
                steps.push(Step::Tell(id.clone(), fact));
                steps.push(Step::Withdraw(id));
            }
        }
        for _ in 0..8 {
            steps.push(Step::Advance(case.chance.between(0, 14)));
        }
        case.chance.shuffle(&mut steps);
        // Some of them said otherwise at first, or told, forgotten and told again.
        let mut at = steps.len();
        while at > 0 {
            at -= 1;
            let Step::Tell(id, fact) = &steps[at] else { continue };
            let (id, fact) = (id.clone(), fact.clone());
            let before = case.chance.between(0, at as i64) as usize;
            match case.chance.between(0, 6) {
                0 => {
                    steps.insert(at, Step::Forget(id.clone()));
                    steps.insert(before, Step::Tell(id, fact));
                }
                1 => {
                    steps[at] = Step::Put(id.clone(), fact.clone());
                    let other = Fact { admitted: !fact.admitted, to: fact.to.max(fact.from), ..fact };
                    steps.insert(before, Step::Put(id, other));
                }
                _ => {}
            }
        }
        steps.push(Step::Advance(case.as_of));
        let mut other = Monitor::new(&case.rules, &signature()).unwrap();
        let mut replayed: BTreeMap<InstanceKey, Instance> = BTreeMap::new();
        let mut rows: BTreeMap<String, BTreeSet<Vec<Value>>> = BTreeMap::new();
        for definition in &case.rules.definitions {
            other.follow(&definition.name);
            rows.entry(definition.name.to_string()).or_default();
        }
        for step in steps {
            match step {
                Step::Tell(id, fact) => other.insert(id, fact).unwrap(),
                Step::Put(id, fact) => _ = other.put(id, fact).unwrap(),
                Step::Withdraw(id) => other.withdraw(id),
                Step::Forget(id) => _ = other.forget(&id),
                Step::Advance(at) => {
                    let deltas = other.advance(at);
                    assert!(deltas.is_sorted_by(|a, b| a.key < b.key));
                    for delta in deltas {
                        assert_eq!(replayed.get(&delta.key), delta.before.as_ref());
                        assert_ne!(delta.before, delta.after);
                        match delta.after {
                            Some(after) => replayed.insert(delta.key, after),
                            None => replayed.remove(&delta.key),
                        };
                    }
                    assert!(replayed.values().eq(other.relation()));
                    for (name, rows) in &mut rows {
                        for (row, holds) in other.turned(name) {
                            assert!(if holds { rows.insert(row) } else { rows.remove(&row) });
                        }
                        let derived = other.derived(name, at, Reading::Possible);
                        assert!(rows.iter().eq(&derived), "seed {}", case.seed);
                    }
                    // As one batch of what stands now.
                    let mut batch = Monitor::new(&case.rules, &signature()).unwrap();
                    for (id, fact) in other.told(|_| true, None) {
                        batch.insert(id, fact).unwrap();
                    }
                    batch.advance(at);
                    let seed = case.seed;
                    assert_eq!(batch.relation(), other.relation(), "seed {seed}\n{}", show(&case.rules, &case.facts));
                }
            }
        }
        assert_eq!(batch.relation(), other.relation(), "seed {}\n{}", case.seed, show(&case.rules, &case.facts));
    });
}

/// States of all instances, by key.
fn states(rules: &Rules, facts: &[(FactId, Fact)], as_of: i64) -> BTreeMap<InstanceKey, State> {
    let mut monitor = monitor(rules, facts).unwrap();
    monitor.advance(as_of);
    monitor.relation().iter().map(|i| (i.key.clone(), i.state)).collect()
}

#[test]
fn the_verdict_follows_from_its_evidence() {
    each_case(1_000, |mut case| {
        let mut monitor = monitor(&case.rules, &case.facts).unwrap();
        monitor.advance(case.as_of);
        let reads_breaches = case.rules.rules.len() > 1;
        for instance in monitor.relation() {
            let why = monitor.explain(&instance.key).unwrap();
            let of = |ids: &[FactId]| -> Vec<(FactId, Fact)> {
                case.facts.iter().filter(|(id, _)| ids.contains(id)).cloned().collect()
            };
            // Breaches that did not happen are taken as given, so other facts might bring them about.
            for _ in 0..if reads_breaches { 0 } else { 4 } {
                let mut world = of(&why.present);
                for (id, fact) in facts(&mut case.chance) {
                    let barred = why.absent.iter().any(|gap| {
                        gap.predicate == fact.predicate
                            && gap.args.iter().zip(&fact.args).all(|(gap, arg)| gap.as_ref().is_none_or(|v| v == arg))
                            && gap.from <= fact.to
                            && fact.from <= gap.to
                    });
                    let id = FactId::new(format!("new {}", id.0));
                    let mut probe = Monitor::new(&case.rules, &signature()).unwrap();
                    if !barred && probe.insert(id.clone(), fact.clone()).is_ok() {
                        world.push((id, fact));
                    }
                }
                // It may be that it opens earlier there, or since another instant; then it is another instance.
                let mut there = self::monitor(&case.rules, &world).unwrap();
                there.advance(case.as_of);
                let same = there.relation().iter().find(|i| i.key == instance.key && i.since == instance.since);
                if let Some(other) = same {
                    assert_eq!(
                        other.state,
                        instance.state,
                        "seed {} as of {} {:?}\n{}{why:?}\nworld\n{}",
                        case.seed,
                        case.as_of,
                        instance.key,
                        show(&case.rules, &case.facts),
                        show(&Rules::default(), &world)
                    );
                }
            }
            // Removals: no smaller flip than the one named, and that one works.
            let without = |gone: &[&FactId]| {
                let left: Vec<_> = case.facts.iter().filter(|(id, _)| !gone.contains(&id)).cloned().collect();
                let state = states(&case.rules, &left, case.as_of).get(&instance.key).copied();
                state.is_some_and(|state| state != instance.state)
            };
            let text = || format!("seed {} {:?}\n{}{why:?}", case.seed, instance.key, show(&case.rules, &case.facts));
            let single: Vec<&FactId> = case.facts.iter().map(|(id, _)| id).filter(|id| without(&[*id])).collect();
            match &monitor.flip(&instance.key) {
                Some(flip) => {
                    assert!(without(&flip.iter().collect::<Vec<_>>()), "{}", text());
                    assert!(flip.is_sorted() && flip.len() <= 3);
                    if flip.len() == 1 {
                        assert_eq!(flip[0], *single[0], "{}", text());
                    } else {
                        assert!(single.is_empty(), "{}", text());
                    }
                }
                None => assert!(reads_breaches || single.is_empty(), "{} {single:?}", text()),
            }
            let asserted = |id: &FactId| case.facts.iter().any(|(i, fact)| i == id && !fact.admitted);
            assert!(instance.disputed.iter().all(asserted));
            assert_eq!(instance.state == State::Disputed, !instance.disputed.is_empty(), "{}", text());
        }
    });
}

#[test]
fn the_next_change_is_the_first() {
    each_case(1_000, |case| {
        let mut monitor = monitor(&case.rules, &case.facts).unwrap();
        monitor.advance(case.as_of);
        // Silence: what is known now, and nothing more.
        let known: Vec<_> = case
            .facts
            .iter()
            .filter(|(_, fact)| fact.from <= case.as_of)
            .map(|(id, fact)| (id.clone(), Fact { to: fact.to.min(case.as_of), ..fact.clone() }))
            .collect();
        let Some(mut silent) = self::monitor(&case.rules, &known) else { return };
        for after in [case.as_of, case.as_of + 3] {
            let mut states = |at: i64| {
                silent.advance(at);
                silent.relation().iter().map(|i| (i.key.clone(), i.state)).collect::<Vec<_>>()
            };
            let now = states(after);
            let expected = (after + 1..after + 40).find(|&t| states(t) != now);
            let found = monitor.next_change(after).filter(|&t| t < after + 40);
            assert_eq!(
                found,
                expected,
                "seed {} as of {} after {after}\n{}",
                case.seed,
                case.as_of,
                show(&case.rules, &case.facts)
            );
        }
    });
}
