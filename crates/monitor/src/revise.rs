//! What stands of every rule, and how it follows a change.
//!
//! ```text
//! ack("A1", "P1") comes   ->  C14 is judged again for the key ("A1", "P1"); no other key reads it
//! the clock moves on      ->  the keys of which some instant was waited for
//! ```
//! Whether an opening began at an instant says nothing of what comes after it: openings are found among all facts, also
//! those that lie ahead, and are shown once they have begun. Their times are read with facts cut at `as_of`; what is
//! settled by then stays so, what is not changes at an instant that is known beforehand. The one exception are facts that
//! hold beyond `as_of` and are cut there: who reads such facts is asked again until it is settled.
use crate::fact::{Instant, NEVER};
use crate::facts::{Changed, Columns, Pair};
use crate::intervals::plus;
use crate::monitor::{Instance, InstanceKey, Monitor, State, Tuple};
use crate::openings::{Opening, Times};
use crate::program::{Kind, Node, Program, Reads, V};
use crate::relation::{ALL, Breaches, Eval, Slots, Valuation, fits, gather};
use crate::touch::{Pattern, Patterns, Touch};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// More changed rows than this, and everything is judged again.
const MANY: usize = 4_096;

/// All that is known of what was judged.
#[derive(Clone, Debug, Default)]
pub(crate) struct Books {
    /// By rule.
    rules: Vec<Ledger>,
    /// Definitions whose rows are followed.
    followed: BTreeMap<usize, Followed>,
    judged: bool,
}

/// Keys, by number.
#[derive(Clone, Debug)]
struct Keys {
    columns: Columns,
    /// When a key is to be looked at again; also when it was and no longer is.
    wakes: BTreeSet<(Instant, usize)>,
}

/// One rule.
#[derive(Clone, Debug)]
struct Ledger {
    keys: Keys,
    /// Openings by key and instant; those ahead have no times yet.
    open: BTreeMap<(usize, Instant), (Opening, Option<Times>)>,
    /// Keys of which something is pending or disputed that may turn at any instant: facts hold beyond `as_of`.
    wavering: BTreeSet<usize>,
    /// Keys whose disputed facts are all that were looked at: that may be more than what matters.
    fragile: BTreeSet<usize>,
    breaches: Arc<Breaches>,
    /// All that is looked at in one way or another, through breaches too.
    looks: Reads,
}

/// Rows of one definition that hold at `as_of`.
#[derive(Clone, Debug)]
struct Followed {
    keys: Keys,
    /// Whether a row holds, and whether whoever follows it was told so.
    holds: Vec<(bool, bool)>,
    news: BTreeSet<usize>,
    /// How many definitions deep it rests on others.
    height: usize,
}

impl Ledger {
    /// Openings of a key.
    fn opened(&self, key: usize) -> impl Iterator<Item = (Instant, &Opening)> {
        let open = self.open.range((key, Instant::MIN)..=(key, NEVER));
        open.map(|((_, opened), (opening, _))| (*opened, opening))
    }
}

impl Keys {
    fn new(width: usize) -> Keys {
        Keys { columns: Columns::new(width), wakes: BTreeSet::new() }
    }

    fn number(&mut self, name: &[V]) -> usize {
        self.columns.row(name).unwrap_or_else(|| self.columns.add(name))
    }

    fn fitting(&self, pattern: &Pattern) -> impl Iterator<Item = usize> {
        self.columns.find(pattern).filter(move |&key| fits(pattern, self.columns.args(key)))
    }

    fn pattern(&self, key: usize) -> Pattern {
        self.columns.args(key).iter().copied().map(Some).collect()
    }

    /// Keys whose instant has come.
    fn woken(&mut self, as_of: Instant) -> BTreeSet<usize> {
        let mut woken = BTreeSet::new();
        while let Some((_, key)) = self.wakes.first().copied().filter(|(at, _)| *at <= as_of) {
            self.wakes.pop_first();
            woken.insert(key);
        }
        woken
    }
}

/// What is judged again, and by what it is evaluated.
struct Revision<'m> {
    monitor: &'m Monitor,
    touch: Touch,
    /// Where openings and rows are looked for: nothing is cut.
    whole: Eval<'m>,
    /// Where times are: facts are cut at `as_of`.
    cut: Eval<'m>,
    /// The same, but what has begun goes on.
    lasting: Eval<'m>,
    last: Instant,
    afresh: bool,
}

impl Books {
    pub(crate) fn new(program: &Program) -> Books {
        let ledger = |duty: &crate::program::Duty| {
            let (keys, breaches) = (Keys::new(duty.key.len()), Arc::new(Breaches::new(duty.key.len())));
            Ledger {
                keys,
                open: BTreeMap::new(),
                wavering: BTreeSet::new(),
                fragile: BTreeSet::new(),
                breaches,
                looks: Reads::default(),
            }
        };
        let mut rules: Vec<Ledger> = program.duties.iter().map(ledger).collect();
        for &rule in &program.order {
            let duty = &program.duties[rule];
            let mut looks = Reads::default();
            for node in [&duty.opens, &duty.must].into_iter().chain(&duty.lapses) {
                looks.add_all(program.reads(node));
            }
            for other in (0..rules.len()).filter(|&other| looks.has(program.breaches_of(other))).collect::<Vec<_>>() {
                looks.add_all(&rules[other].looks);
            }
            rules[rule].looks = looks;
        }
        Books { rules, ..Books::default() }
    }

    /// Follows the rows of a definition from the next revision on.
    pub(crate) fn follow(&mut self, program: &Program, definition: usize, width: usize) {
        let (keys, height) = (Keys::new(width), program.height(definition));
        let followed = Followed { keys, holds: Vec::new(), news: BTreeSet::new(), height };
        self.followed.entry(definition).or_insert(followed);
        self.judged = false;
    }

    /// Rows that hold now and did not, or did and no longer do, since this was asked last.
    pub(crate) fn turned(&mut self, definition: usize, say: impl Fn(&[V]) -> Tuple) -> Vec<(Tuple, bool)> {
        let Some(followed) = self.followed.get_mut(&definition) else { return Vec::new() };
        let mut turned = Vec::new();
        for row in std::mem::take(&mut followed.news) {
            let (holds, told) = &mut followed.holds[row];
            if std::mem::replace(told, *holds) != *holds {
                turned.push((say(followed.keys.columns.args(row)), *holds));
            }
        }
        turned.sort();
        turned
    }

    /// Follows a change of facts, given the rows that changed, and of the instant. Gives each instance that may differ as
    /// it is now; all instances if there is no telling, and then `true`.
    pub(crate) fn revise(
        &mut self,
        monitor: &Monitor,
        changed: &[Changed],
        last: Instant,
    ) -> (BTreeMap<InstanceKey, Option<Instance>>, bool) {
        let as_of = monitor.as_of();
        let afresh = !self.judged || as_of < last || changed.len() > MANY;
        self.judged = true;
        let mut found = BTreeMap::new();
        if !afresh && as_of == last && changed.is_empty() {
            return (found, false);
        }
        let (program, facts) = (monitor.program(), monitor.facts());
        let mut touch = Touch::default();
        for &Changed { predicate, row, span } in changed {
            touch.fact(predicate, row, span);
        }
        let mut lasting = Eval::new(program, facts, as_of, as_of);
        lasting.what_if.lasting = true;
        let mut revision = Revision {
            monitor,
            touch,
            whole: Eval::new(program, facts, NEVER, as_of),
            cut: Eval::new(program, facts, as_of, as_of),
            lasting,
            last,
            afresh,
        };
        for &rule in &program.order {
            let ledger = &mut self.rules[rule];
            revision.rule(rule, ledger, &mut found);
            for eval in [&mut revision.whole, &mut revision.cut, &mut revision.lasting] {
                eval.breaches[rule] = Some(ledger.breaches.clone());
            }
        }
        // Whoever asks for rows of another comes after it.
        let mut followed: Vec<(usize, &mut Followed)> = self.followed.iter_mut().map(|(&d, f)| (d, f)).collect();
        followed.sort_by_key(|(_, followed)| followed.height);
        for (definition, followed) in followed {
            revision.follow(definition, followed);
        }
        let news = std::mem::take(&mut revision.touch.breaches);
        drop(revision);
        for (rule, keys) in news {
            let breaches = Arc::make_mut(&mut self.rules[rule].breaches);
            keys.iter().for_each(|(key, _)| breaches.settle(key));
        }
        (found, afresh)
    }
}

impl Revision<'_> {
    /// Judges again what is touched of one rule.
    fn rule(&mut self, rule: usize, ledger: &mut Ledger, found: &mut BTreeMap<InstanceKey, Option<Instance>>) {
        let (monitor, as_of) = (self.monitor, self.monitor.as_of());
        let duty = &monitor.program().duties[rule];
        if self.afresh {
            *ledger = Ledger {
                keys: Keys::new(duty.key.len()),
                open: BTreeMap::new(),
                wavering: BTreeSet::new(),
                fragile: BTreeSet::new(),
                breaches: Arc::new(Breaches::new(duty.key.len())),
                looks: std::mem::take(&mut ledger.looks),
            };
        }
        // Keys to be judged again, with their openings.
        let mut again: BTreeMap<usize, BTreeMap<Instant, Opening>> = BTreeMap::new();
        let opened = match self.afresh {
            true => Patterns::from([(vec![None; duty.key.len()], ALL)]),
            false if !self.touch.concerns_itself(&duty.opens, &mut self.whole) => Patterns::new(),
            false => self.touch.formula(&duty.opens, &duty.key, duty.slots, &mut self.whole),
        };
        for (pattern, (from, to)) in opened {
            // It begins to hold at an instant for what is said of that one and of the one before.
            let concerned = |opened: Instant| from <= opened && opened <= plus(to, 1);
            let mut now: BTreeMap<usize, BTreeMap<Instant, Opening>> = BTreeMap::new();
            for opening in self.whole.openings(rule, &pattern) {
                now.entry(ledger.keys.number(&opening.key)).or_default().insert(opening.opened, opening);
            }
            for key in ledger.keys.fitting(&pattern) {
                let openings = now.remove(&key).unwrap_or_default();
                if openings.keys().copied().any(concerned) || ledger.opened(key).any(|(opened, _)| concerned(opened)) {
                    again.insert(key, openings);
                }
            }
        }
        for key in self.touched(rule, ledger) {
            again
                .entry(key)
                .or_insert_with(|| ledger.opened(key).map(|(opened, opening)| (opened, opening.clone())).collect());
        }
        let instance_key = |opening: &Opening| InstanceKey {
            rule: duty.name.clone(),
            valuation: monitor.say(&opening.key),
            opened: opening.opened,
        };
        let mut parts = std::iter::once(&duty.must).chain(&duty.lapses);
        let outlasted = !again.is_empty() && parts.clone().any(|node| outlasts(node, monitor));
        let one_way = outlasted && parts.all(|node| one_way(node, monitor));
        for (key, openings) in again {
            let before: Vec<Instant> = ledger.opened(key).map(|(opened, _)| opened).collect();
            for opened in before {
                if let Some((opening, Some(_))) = ledger.open.remove(&(key, opened)) {
                    found.insert(instance_key(&opening), None);
                }
            }
            ledger.fragile.remove(&key);
            ledger.wavering.remove(&key);
            let mut breaches: Vec<(Valuation, Pair)> = Vec::new();
            for (opened, opening) in openings {
                if opened > as_of {
                    ledger.keys.wakes.insert((opened, key));
                    ledger.open.insert((key, opened), (opening, None));
                    continue;
                }
                let instants = self.cut.instants(rule, &opening, as_of);
                let times = Times::of(instants);
                breaches.push((Valuation::new(), times.breached(as_of)));
                let (instance, hangs) = monitor.shown(rule, &opening, &times, outlasted, &mut self.cut);
                let open = matches!(instance.state, State::Pending | State::Disputed);
                // Between facts that are cut at once and facts that go on lies whatever the next instants bring.
                let steady =
                    |eval: &mut Eval<'_>| one_way && hangs.steady && eval.instants(rule, &opening, as_of) == instants;
                if open && outlasted && !steady(&mut self.lasting) {
                    ledger.wavering.insert(key);
                }
                if hangs.on_all {
                    ledger.fragile.insert(key);
                }
                let instants = [times.certain, times.possible, times.kept, hangs.until];
                let ahead = instants.into_iter().filter(|&at| as_of < at && at != NEVER);
                ledger.keys.wakes.extend(ahead.map(|at| (at, key)));
                found.insert(instance.key.clone(), Some(instance));
                ledger.open.insert((key, opened), (opening, Some(times)));
            }
            let mut rows = gather(Slots::new(), breaches).rows;
            let at = rows.pop().map_or_else(Pair::empty, |(_, pair)| pair);
            let news = Arc::make_mut(&mut ledger.breaches).set(ledger.keys.columns.args(key), at);
            if let Some(span) = news.filter(|_| !self.afresh) {
                let key = Valuation::from_slice(ledger.keys.columns.args(key));
                self.touch.breach(monitor.program(), rule, key, span);
            }
        }
    }

    /// Keys of a rule that are to be judged again, though not opened anew.
    fn touched(&mut self, rule: usize, ledger: &mut Ledger) -> BTreeSet<usize> {
        let (monitor, as_of) = (self.monitor, self.monitor.as_of());
        let duty = &monitor.program().duties[rule];
        let mut keys = ledger.keys.woken(as_of);
        if self.afresh {
            return keys;
        }
        for (node, lapses) in [(Some(&duty.must), false), (duty.lapses.as_ref(), true)] {
            let Some(node) = node.filter(|node| self.touch.concerns_itself(node, &mut self.whole)) else { continue };
            for (pattern, (from, to)) in self.touch.formula(node, &duty.key, duty.slots, &mut self.whole) {
                // What is owed is read at the opening, and acts count since an instant before; a lapse at any instant after.
                let reads = |opening: &Opening| match lapses {
                    true => opening.opened <= to,
                    false => from <= opening.opened && opening.since.min(opening.opened) <= to,
                };
                let fitting = ledger.keys.fitting(&pattern);
                keys.extend(fitting.filter(|&key| ledger.opened(key).any(|(_, opening)| reads(opening))));
            }
        }
        if self.touch.concerns(&ledger.looks) {
            keys.extend(&ledger.fragile);
        }
        if self.last < as_of {
            keys.extend(&ledger.wavering);
        }
        keys
    }

    fn follow(&mut self, definition: usize, followed: &mut Followed) {
        let as_of = self.monitor.as_of();
        let Followed { keys, holds, news, .. } = followed;
        let mut patterns = match self.afresh {
            true => {
                keys.wakes.clear();
                BTreeSet::from([vec![None; keys.columns.width()]])
            }
            false => self.touch.definition(definition, &mut self.whole).keys().cloned().collect(),
        };
        patterns.extend(keys.woken(as_of).into_iter().map(|key| keys.pattern(key)));
        for pattern in patterns {
            let mut now: BTreeMap<usize, bool> = keys.fitting(&pattern).map(|key| (key, false)).collect();
            for (row, pair) in self.whole.call(definition, pattern, NEVER).iter() {
                let row = keys.number(row);
                holds.resize(keys.columns.len(), (false, false));
                now.insert(row, pair.possible.contains(as_of));
                let turns = match pair.possible.holding(as_of) {
                    Some((_, NEVER)) => None,
                    Some((_, to)) => Some(to + 1),
                    None => pair.possible.first_from(as_of),
                };
                keys.wakes.extend(turns.map(|at| (at, row)));
            }
            for (row, is) in now {
                if std::mem::replace(&mut holds[row].0, is) != is {
                    news.insert(row);
                }
            }
        }
    }
}

/// Whether it may matter after `as_of` that facts which hold for longer are cut there.
fn outlasts(node: &Node, monitor: &Monitor) -> bool {
    let outlasts = |node: &Node| outlasts(node, monitor);
    match &node.kind {
        Kind::Fact(predicate, _) => monitor.facts().tables[*predicate].lasting > 0,
        Kind::Call(definition, _) => {
            monitor.program().derived[*definition].bodies.iter().any(|body| outlasts(&body.node))
        }
        // Beside what holds nowhere after the last event nothing else that looks back matters there.
        Kind::And(parts) => {
            let mut lasting = parts.iter().filter(|part| outlasts(part)).peekable();
            let ends = |part: &Node| part.past && part.dies && !outlasts(part);
            lasting.peek().is_some() && !(lasting.all(|part| part.past) && parts.iter().any(ends))
        }
        _ => node.parts().any(outlasts),
    }
}

/// Whether everything that outlasts `as_of` counts for a formula, or everything against it.
fn one_way(node: &Node, monitor: &Monitor) -> bool {
    fn ways(node: &Node, counts: bool, monitor: &Monitor, found: &mut [bool; 2]) {
        if !outlasts(node, monitor) {
            return;
        }
        match &node.kind {
            Kind::Fact(..) => found[usize::from(counts)] = true,
            Kind::Call(definition, _) => {
                let bodies = monitor.program().derived[*definition].bodies.iter();
                bodies.for_each(|body| ways(&body.node, counts, monitor, found));
            }
            Kind::Not(inner) => ways(inner, !counts, monitor, found),
            _ => node.parts().for_each(|part| ways(part, counts, monitor, found)),
        }
    }
    // What a rule's breaches would be if facts went on is not asked.
    if monitor.program().reads_breaches(node) {
        return false;
    }
    let mut found = [false; 2];
    ways(node, true, monitor, &mut found);
    found != [true; 2]
}
