//! The slow, obvious monitor: it enumerates seconds and values and reads the design's table word for word.
//!
//! It shares no code with the engine. Time runs from [`LO`] to [`HI`]; whatever would be settled after [`CAP`] never is.
use hamsaya_monitor::*;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

const LO: i64 = -26;
const HI: i64 = 64;
const CAP: i64 = 44;
/// All values that a variable may take: those in facts, instants, and one that is nowhere.
const VALUES: std::ops::RangeInclusive<i64> = -2..=14;
const NOWHERE: i64 = 1000;

type Env = BTreeMap<Name, i64>;

type Asked = (usize, Vec<i64>, i64, bool);

/// Key, breach on the certain and on the least favourable reading.
type Breaches = Vec<(Env, i64, i64)>;

/// What the engine says of an instance, without the facts it hangs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub since: i64,
    pub due: Option<i64>,
    pub until: Option<i64>,
    pub state: State,
    pub breached_since: Option<i64>,
    pub kept_at: Option<i64>,
    pub lapsed: bool,
}

pub fn of(instance: &Instance) -> Verdict {
    Verdict {
        since: instance.since,
        due: instance.due,
        until: instance.until,
        state: instance.state,
        breached_since: instance.breached_since,
        kept_at: instance.kept_at,
        lapsed: instance.lapsed,
    }
}

struct Opening {
    key: Env,
    opened: i64,
    since: i64,
    certain: bool,
}

struct Times {
    certain: i64,
    possible: i64,
    kept: i64,
    lapsed: bool,
}

pub struct Oracle<'a> {
    rules: &'a Rules,
    facts: &'a [Fact],
    as_of: i64,
    free: RefCell<HashMap<usize, BTreeSet<Name>>>,
    holds: RefCell<HashMap<Asked, bool>>,
    settled: RefCell<HashMap<Asked, (i64, i64)>>,
    breaches: RefCell<HashMap<Name, Breaches>>,
}

impl<'a> Oracle<'a> {
    pub fn new(rules: &'a Rules, facts: &'a [Fact], as_of: i64) -> Oracle<'a> {
        Oracle {
            rules,
            facts,
            as_of,
            free: RefCell::default(),
            holds: RefCell::default(),
            settled: RefCell::default(),
            breaches: RefCell::default(),
        }
    }

    fn asked(&self, f: &Formula, env: &Env, t: i64, possible: bool) -> Asked {
        let place: *const Formula = f;
        let mut free = self.free.borrow_mut();
        let names = free.entry(place as usize).or_insert_with(|| self::free(f));
        (place as usize, names.iter().map(|name| env[name]).collect(), t, possible)
    }

    fn term(&self, term: &Term, env: &Env) -> i64 {
        match term {
            Term::Var(name) => env[name],
            Term::Const(Value::Int(number)) => *number,
            Term::Plus(a, b) => self.term(a, env) + self.term(b, env),
            Term::Minus(a, b) => self.term(a, env) - self.term(b, env),
            Term::Times(a, b) => self.term(a, env) * self.term(b, env),
            _ => panic!("not generated here"),
        }
    }

    fn window(&self, w: &Window, env: &Env) -> (i64, i64) {
        let far = match &w.to {
            Upper::Fixed(far) => *far,
            Upper::Var(name) => env[name],
            Upper::Unbounded => HI - LO,
        };
        (w.from, far)
    }

    /// Instants before `t` in the window. All that lie before the first one are like it.
    fn back(&self, w: &Window, env: &Env, t: i64) -> impl Iterator<Item = i64> {
        let (near, far) = self.window(w, env);
        (t - far..=t - near).map(|s| s.max(LO))
    }

    /// `possible`: in a positive place a fact counts if only asserted.
    fn holds(&self, f: &Formula, env: &Env, t: i64, possible: bool) -> bool {
        let at = self.asked(f, env, t, possible);
        if let Some(&known) = self.holds.borrow().get(&at) {
            return known;
        }
        let holds = self.look(f, env, t, possible);
        self.holds.borrow_mut().insert(at, holds);
        holds
    }

    fn look(&self, f: &Formula, env: &Env, t: i64, possible: bool) -> bool {
        match f {
            Formula::True => true,
            Formula::Atom { name, args } => {
                let matches = |row: &[i64]| {
                    args.iter().zip(row).all(|(arg, &v)| matches!(arg, Term::Any) || self.term(arg, env) == v)
                };
                let told = self.facts.iter().any(|fact| {
                    let row: Vec<i64> = fact.args.iter().map(number).collect();
                    fact.predicate == *name
                        && (fact.admitted || possible)
                        && fact.from <= t
                        && t <= fact.to.min(self.as_of)
                        && matches(&row)
                });
                let defined = self.rules.definitions.iter().filter(|d| d.name == *name).any(|d| {
                    let known: Vec<Option<i64>> = args
                        .iter()
                        .map(|arg| if matches!(arg, Term::Any) { None } else { Some(self.term(arg, env)) })
                        .collect();
                    self.some(&d.params, &known, &Env::new(), &mut |env| self.holds(&d.body, env, t, possible))
                });
                told || defined
            }
            Formula::Reached(term) => self.term(term, env) <= t,
            Formula::Ts(term) => self.term(term, env) == t,
            Formula::Compare { op, left, right } => {
                let (a, b) = (self.term(left, env), self.term(right, env));
                match op {
                    Comparison::Equal => a == b,
                    Comparison::NotEqual => a != b,
                    Comparison::Less => a < b,
                    Comparison::LessOrEqual => a <= b,
                    Comparison::Greater => a > b,
                    Comparison::GreaterOrEqual => a >= b,
                }
            }
            Formula::Not(f) => !self.holds(f, env, t, !possible),
            Formula::And(parts) => parts.iter().all(|part| self.holds(part, env, t, possible)),
            Formula::Or(parts) => parts.iter().any(|part| self.holds(part, env, t, possible)),
            Formula::Exists(names, f) => {
                self.some(names, &vec![None; names.len()], env, &mut |env| self.holds(f, env, t, possible))
            }
            Formula::Once(w, f) => self.back(w, env, t).any(|s| self.holds(f, env, s, possible)),
            Formula::Historically(w, f) => self.back(w, env, t).all(|s| self.holds(f, env, s, possible)),
            Formula::Since(w, f, g) => self
                .back(w, env, t)
                .any(|s| self.holds(g, env, s, possible) && (s + 1..=t).all(|r| self.holds(f, env, r, possible))),
            Formula::Previous(..) | Formula::Next(..) | Formula::Let { .. } | Formula::Aggregate { .. } => {
                panic!("not generated here")
            }
            Formula::Duration { window, formula, at_least } => {
                let held = self.back(window, env, t).filter(|&s| self.holds(formula, env, s, possible)).count();
                held as i64 >= *at_least
            }
            Formula::Breached { rule, args } => self.breaches(rule).iter().any(|(key, certain, worst)| {
                let since = if possible { *worst } else { *certain };
                since <= t
                    && since <= self.as_of
                    && args.iter().all(|(name, arg)| matches!(arg, Term::Any) || self.term(arg, env) == key[name])
            }),
            Formula::Eventually(..) | Formula::Always(..) | Formula::Until(..) => panic!("looks ahead"),
        }
    }

    /// Whether something holds for some values of the names that are not known.
    fn some(&self, names: &[Name], known: &[Option<i64>], env: &Env, ask: &mut dyn FnMut(&Env) -> bool) -> bool {
        let Some((name, rest)) = names.split_first() else { return ask(env) };
        let mut env = env.clone();
        let values: Vec<i64> = known[0].map_or_else(|| VALUES.chain([NOWHERE]).collect(), |v| vec![v]);
        values.into_iter().any(|value| {
            env.insert(name.clone(), value);
            self.some(rest, &known[1..], &env, ask)
        })
    }

    /// The design's table. `since`: where outermost windows begin.
    fn settled(&self, f: &Formula, env: &Env, t: i64, possible: bool, since: Option<i64>) -> (i64, i64) {
        if since.is_some() {
            return self.table(f, env, t, possible, since);
        }
        let at = self.asked(f, env, t, possible);
        if let Some(&known) = self.settled.borrow().get(&at) {
            return known;
        }
        let settled = self.table(f, env, t, possible, None);
        self.settled.borrow_mut().insert(at, settled);
        settled
    }

    fn table(&self, f: &Formula, env: &Env, t: i64, possible: bool, since: Option<i64>) -> (i64, i64) {
        if !ahead(f) {
            return if self.holds(f, env, t, possible) { (t, NEVER) } else { (NEVER, t) };
        }
        let never = |t: i64| if t > CAP { NEVER } else { t };
        let start = since.map_or(t, |since| since.min(t));
        let span = |w: &Window| {
            let (near, far) = self.window(w, env);
            start + near..=(t + far).min(HI)
        };
        let (sat, vio) = match f {
            Formula::Not(f) => {
                let (sat, vio) = self.settled(f, env, t, !possible, since);
                (vio, sat)
            }
            Formula::And(parts) => {
                let all: Vec<_> = parts.iter().map(|part| self.settled(part, env, t, possible, since)).collect();
                (greatest(all.iter().map(|x| x.0)), least(all.iter().map(|x| x.1)))
            }
            Formula::Or(parts) => {
                let all: Vec<_> = parts.iter().map(|part| self.settled(part, env, t, possible, since)).collect();
                (least(all.iter().map(|x| x.0)), greatest(all.iter().map(|x| x.1)))
            }
            Formula::Exists(names, f) => {
                let (mut sat, mut vio) = (NEVER, SINCE_EVER);
                self.some(names, &vec![None; names.len()], env, &mut |env| {
                    let one = self.settled(f, env, t, possible, since);
                    (sat, vio) = (sat.min(one.0), vio.max(one.1));
                    false
                });
                (sat, vio)
            }
            Formula::Eventually(w, f) => {
                let all: Vec<_> = span(w).map(|s| self.settled(f, env, s, possible, None)).collect();
                if all.is_empty() {
                    (NEVER, t)
                } else {
                    (least(all.iter().map(|x| x.0)), greatest(all.iter().map(|x| x.1)))
                }
            }
            Formula::Always(w, f) => {
                let all: Vec<_> = span(w).map(|s| self.settled(f, env, s, possible, None)).collect();
                if all.is_empty() {
                    (t, NEVER)
                } else {
                    (greatest(all.iter().map(|x| x.0)), least(all.iter().map(|x| x.1)))
                }
            }
            Formula::Until(w, f, g) => {
                let mut all = Vec::new();
                for s in span(w) {
                    let g = self.settled(g, env, s, possible, None);
                    let f: Vec<_> = (start..s).map(|r| self.settled(f, env, r, possible, None)).collect();
                    all.push((g.0.max(greatest(f.iter().map(|x| x.0))), g.1.min(least(f.iter().map(|x| x.1)))));
                }
                if all.is_empty() {
                    (NEVER, t)
                } else {
                    (least(all.iter().map(|x| x.0)), greatest(all.iter().map(|x| x.1)))
                }
            }
            _ => panic!("looks back"),
        };
        (never(sat), never(vio))
    }

    fn keys(&self, names: &[Name]) -> Vec<Env> {
        let mut all = vec![Env::new()];
        for name in names {
            all = all
                .into_iter()
                .flat_map(|env| {
                    VALUES.map(move |value| {
                        let mut env = env.clone();
                        env.insert(name.clone(), value);
                        env
                    })
                })
                .collect();
        }
        all
    }

    fn openings(&self, rule: &Rule) -> Vec<Opening> {
        let mut openings = Vec::new();
        let since: Vec<Name> = rule.since.iter().cloned().collect();
        let accounts: Vec<Option<i64>> = if since.is_empty() { vec![None] } else { VALUES.map(Some).collect() };
        for key in self.keys(&rule.key) {
            let opens = |t: i64, possible: bool| {
                accounts.iter().copied().find(|account| {
                    let mut env = key.clone();
                    if let (Some(name), Some(value)) = (&rule.since, account) {
                        env.insert(name.clone(), *value);
                    }
                    self.holds(&rule.opens, &env, t, possible)
                })
            };
            // Near the beginning of time stands what has always held.
            for t in LO + 12..=self.as_of {
                if opens(t, true).is_some() && opens(t - 1, true).is_none() {
                    let account = opens(t, false).or_else(|| opens(t, true)).flatten();
                    openings.push(Opening {
                        key: key.clone(),
                        opened: t,
                        since: account.map_or(t, |since| since.min(t)),
                        certain: opens(t, false).is_some(),
                    });
                }
            }
        }
        openings
    }

    fn times(&self, rule: &Rule, opening: &Opening) -> Times {
        let since = rule.since.as_ref().map(|_| opening.since);
        let (mut kept, mut possible) = self.settled(&rule.must, &opening.key, opening.opened, false, since);
        let mut certain = self.settled(&rule.must, &opening.key, opening.opened, true, since).1;
        if !opening.certain {
            certain = NEVER;
        }
        let mut lapsed = false;
        if let Some(lapses) = &rule.lapses {
            let first = |reading| (opening.opened..=CAP).find(|&t| self.holds(lapses, &opening.key, t, reading));
            if first(true).is_some_and(|c| c < certain) {
                certain = NEVER;
            }
            if let Some(c) = first(false).filter(|&c| c < possible && c < kept) {
                (possible, kept, lapsed) = (NEVER, c, true);
            }
        }
        Times { certain, possible, kept, lapsed }
    }

    fn breaches(&self, name: &Name) -> Vec<(Env, i64, i64)> {
        if let Some(known) = self.breaches.borrow().get(name) {
            return known.clone();
        }
        let rule = self.rules.rules.iter().find(|rule| rule.name == *name).unwrap();
        let all: Vec<_> = self
            .openings(rule)
            .into_iter()
            .map(|opening| {
                let times = self.times(rule, &opening);
                (opening.key, times.certain, times.possible)
            })
            .collect();
        self.breaches.borrow_mut().insert(name.clone(), all.clone());
        all
    }

    /// All instances.
    pub fn judge(&self) -> BTreeMap<InstanceKey, Verdict> {
        let mut all = BTreeMap::new();
        for rule in &self.rules.rules {
            for opening in self.openings(rule) {
                let times = self.times(rule, &opening);
                let by = |t: i64| t <= self.as_of;
                let state = if by(times.certain) {
                    State::Breached
                } else if by(times.possible) {
                    State::Disputed
                } else if by(times.kept) {
                    State::Kept
                } else {
                    State::Pending
                };
                let some = |t: i64| (t != NEVER).then_some(t);
                let (due, until) = match state {
                    State::Breached => (some(times.certain), None),
                    State::Disputed | State::Pending => (some(times.possible), some(times.kept)),
                    State::Kept => {
                        // As if nothing had been said from the instant on that settled it.
                        let silent = Oracle::new(self.rules, self.facts, (times.kept - 1).min(self.as_of));
                        let times = silent.times(rule, &opening);
                        (some(times.possible), some(times.kept))
                    }
                };
                let verdict = Verdict {
                    since: opening.since,
                    due,
                    until: if due.is_some() { None } else { until },
                    state,
                    breached_since: match state {
                        State::Breached => Some(times.certain),
                        State::Disputed => Some(times.possible),
                        _ => None,
                    },
                    kept_at: (state == State::Kept).then_some(times.kept),
                    lapsed: state == State::Kept && times.lapsed,
                };
                let valuation = rule.key.iter().map(|name| Value::Int(opening.key[name])).collect();
                all.insert(InstanceKey { rule: rule.name.clone(), valuation, opened: opening.opened }, verdict);
            }
        }
        all
    }

    /// Rows of a definition at an instant.
    pub fn derived(&self, name: &str, at: i64, possible: bool) -> BTreeSet<Tuple> {
        let mut rows = BTreeSet::new();
        for definition in self.rules.definitions.iter().filter(|d| &*d.name == name) {
            for env in self.keys(&definition.params) {
                if self.holds(&definition.body, &env, at, possible) {
                    rows.insert(definition.params.iter().map(|param| Value::Int(env[param])).collect());
                }
            }
        }
        rows
    }
}

fn least(all: impl Iterator<Item = i64>) -> i64 {
    all.fold(NEVER, i64::min)
}

fn greatest(all: impl Iterator<Item = i64>) -> i64 {
    all.fold(SINCE_EVER, i64::max)
}

fn number(value: &Value) -> i64 {
    match value {
        Value::Int(number) => *number,
        _ => panic!("not generated here"),
    }
}

/// Free variables of a formula.
fn free(f: &Formula) -> BTreeSet<Name> {
    fn term(t: &Term, into: &mut BTreeSet<Name>) {
        match t {
            Term::Var(name) => {
                into.insert(name.clone());
            }
            Term::Plus(a, b) | Term::Minus(a, b) | Term::Times(a, b) => {
                term(a, into);
                term(b, into);
            }
            _ => {}
        }
    }
    let mut all = BTreeSet::new();
    let window = |w: &Window, all: &mut BTreeSet<Name>| {
        if let Upper::Var(name) = &w.to {
            all.insert(name.clone());
        }
    };
    match f {
        Formula::True => {}
        Formula::Atom { args, .. } => args.iter().for_each(|arg| term(arg, &mut all)),
        Formula::Breached { args, .. } => args.iter().for_each(|(_, arg)| term(arg, &mut all)),
        Formula::Reached(t) | Formula::Ts(t) => term(t, &mut all),
        Formula::Compare { left, right, .. } => {
            term(left, &mut all);
            term(right, &mut all);
        }
        Formula::Not(f) => all = free(f),
        Formula::And(parts) | Formula::Or(parts) => all = parts.iter().flat_map(free).collect(),
        Formula::Exists(names, f) => all = free(f).into_iter().filter(|name| !names.contains(name)).collect(),
        Formula::Once(w, f) | Formula::Historically(w, f) | Formula::Eventually(w, f) | Formula::Always(w, f) => {
            all = free(f);
            window(w, &mut all);
        }
        Formula::Duration { window: w, formula, .. } => {
            all = free(formula);
            window(w, &mut all);
        }
        Formula::Since(w, f, g) | Formula::Until(w, f, g) => {
            all = free(f);
            all.extend(free(g));
            window(w, &mut all);
        }
        _ => panic!("not generated here"),
    }
    all
}

/// Whether a formula looks ahead.
fn ahead(f: &Formula) -> bool {
    match f {
        Formula::Eventually(..) | Formula::Always(..) | Formula::Until(..) => true,
        Formula::Not(f) | Formula::Exists(_, f) => ahead(f),
        Formula::And(parts) | Formula::Or(parts) => parts.iter().any(ahead),
        _ => false,
    }
}
