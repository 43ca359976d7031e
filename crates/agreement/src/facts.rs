//! From a record to facts, by the agreement's own Article 1.
//!
//! ```text
//! #18  G2  lane_open(closure: "K1")  occurred [H 160, H 160]  logged [H 260, H 260]
//!   lower stratum   word(#18, lane_open, G2, H 160, H 160, H 260) at H 260
//!                   Article 1: not absent, admitted (a guarantor's word, †), agreed with #17
//!   upper stratum   lane_open(…, by G2) at H 160        lane_open.late(…, by G2) at H 260
//!                   lane_open.agreed(…, by G2) at H 160 lane_open.word(…, by G2) at H 260 if it is the first
//! ```
//!
//! The lower stratum knows all that was known by `known_by`, whenever that was: whether a statement counts is a matter of
//! knowledge. The upper one holds facts at their own instants, and the monitor drops those after `as_of`.
use crate::annex::{KindRule, Type};
use crate::distance;
use crate::lower::{BEHIND, DISTANCE, EXTENT, Program, RECEIPT, Stratum, WITHDRAWN, nothing};
use crate::places;
use crate::source::{Agreement, MemberRole, Speech, hex};
use hamsaya_monitor::{Fact, FactId, Monitor, NEVER, Reading, SINCE_EVER, Value};
use hamsaya_record::instant::Instant;
use hamsaya_record::logs::{Cosigned, Entry, Logged, LoggedAt, Logs};
use hamsaya_record::statement::{FieldValue, Occurred, Place, Rel, StatementId};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// An entry that counts for something: its kind is said or seen, it fits, it was known.
pub(crate) struct Known<'a> {
    pub entry: &'a Entry,
    pub at: LoggedAt,
    /// Nobody disputes when it was logged.
    timed: bool,
    kind: &'a KindRule,
    /// Its statement id, as rules see it.
    id: Value,
    /// For what was seen.
    occurred: Option<&'a Occurred>,
    /// The author speaks of its own act.
    own: bool,
}

/// Facts of the upper stratum, and which entries stand behind each.
pub(crate) struct Facts<'a> {
    pub known: Vec<Known<'a>>,
    pub facts: Vec<(FactId, Fact)>,
    /// Positions in `known`.
    behind: BTreeMap<FactId, Vec<usize>>,
    /// What Article 1 says of seen statements, by position in `known`.
    agreed: BTreeMap<usize, BTreeSet<usize>>,
    /// Statements that a withdrawal takes back: withdrawn statement, withdrawing position.
    pub withdrawals: Vec<(StatementId, usize)>,
    /// Extensions that count, and tolls with their acceptance (R5), as positions in `known`.
    pub extensions: Vec<usize>,
    pub tolls: Vec<(usize, usize)>,
    asserted: Asserted,
    /// What stands behind assertions, as far as it was asked: explaining one costs more than judging.
    assertions: RefCell<BTreeMap<FactId, Vec<usize>>>,
}

impl Facts<'_> {
    /// Entries behind a fact, as positions in `known`, sorted.
    pub(crate) fn entries_behind(&self, fact: &FactId) -> Vec<usize> {
        // A fact that came back has a number behind its name.
        let fact = match fact.0.split_once(AGAIN) {
            Some((name, _)) => &FactId::new(name),
            None => fact,
        };
        if let Some(entries) = self.behind.get(fact) {
            return entries.clone();
        }
        if let Some(entries) = self.assertions.borrow().get(fact) {
            return entries.clone();
        }
        let entries = self.behind_assertion(fact);
        self.assertions.borrow_mut().insert(fact.clone(), entries.clone());
        entries
    }

    /// Notes which entries stand behind a fact that came later.
    pub(crate) fn stands_behind(&mut self, fact: FactId, mut entries: Vec<usize>) {
        entries.sort_unstable();
        self.behind.insert(fact, entries);
    }

    /// An assertion: what made its formula hold in the lower stratum. Explaining costs as much as there are facts, so the
    /// facts that speak of what it speaks of are asked first, and all only if those do not make it hold.
    fn behind_assertion(&self, fact: &FactId) -> Vec<usize> {
        let Asserted { stratum, told, args, judged_at } = &self.asserted;
        let near = args.get(fact).map(|args| self.asserted.near(args)).unwrap_or_default();
        for facts in [near, told.clone()] {
            if facts.is_empty() {
                continue;
            }
            let mut lower = monitor(stratum, facts);
            lower.advance(*judged_at);
            let instances = lower.relation().iter().map(|i| &i.key);
            let own = instances.filter(|key| assertion_id(&key.rule, &key.valuation) == *fact);
            let mut all = BTreeSet::new();
            for explanation in own.filter_map(|key| lower.explain(key)) {
                let facts = explanation.opened_by.iter().chain(&explanation.present);
                all.extend(facts.filter_map(|f| self.behind.get(f)).flatten());
            }
            if !all.is_empty() {
                return all.into_iter().collect();
            }
        }
        Vec::new()
    }

    /// Known entries of a kind with these values in these fields.
    pub(crate) fn stated(&self, kind: &str, given: &[(&str, &Value)]) -> impl Iterator<Item = usize> {
        let fits = move |k: &Known<'_>| k.kind.name == kind && given.iter().all(|(f, v)| value_of(k, f) == **v);
        (0..self.known.len()).filter(move |n| fits(&self.known[*n]))
    }

    /// Entries that state the same thing as this one, compatibly.
    pub(crate) fn corroborating(&self, entry: usize) -> impl Iterator<Item = usize> {
        self.agreed.get(&entry).into_iter().flatten().copied()
    }
}

/// What it takes to say what stands behind an assertion.
struct Asserted {
    /// The rules of assertions, and nothing else.
    stratum: Stratum,
    /// The facts that they read.
    told: Vec<(FactId, Fact)>,
    args: BTreeMap<FactId, Vec<Value>>,
    judged_at: i64,
}

impl Asserted {
    /// Facts that share an id with an assertion, or a statement with such a fact, and those that hold whatever is said.
    /// Empty if it speaks of members only, whom every statement names.
    fn near(&self, args: &[Value]) -> Vec<(FactId, Fact)> {
        let constant = |id: &FactId| id.0.starts_with('=');
        let members: BTreeSet<&Value> =
            self.told.iter().filter(|(id, _)| constant(id)).flat_map(|(_, f)| &f.args).collect();
        let mut values: BTreeSet<&Value> =
            args.iter().filter(|v| matches!(v, Value::Text(_)) && !members.contains(v)).collect();
        if values.is_empty() {
            return Vec::new();
        }
        let is_statement = |v: &&Value| matches!(v, Value::Text(t) if t.len() == 64);
        let mut near: BTreeSet<usize> = BTreeSet::new();
        loop {
            let before = near.len();
            for (n, (_, fact)) in self.told.iter().enumerate() {
                if !near.contains(&n) && fact.args.iter().any(|v| values.contains(v)) {
                    near.insert(n);
                    values.extend(fact.args.iter().filter(is_statement));
                }
            }
            if near.len() == before {
                break;
            }
        }
        let chosen = self.told.iter().enumerate().filter(|(n, (id, _))| near.contains(n) || constant(id));
        chosen.map(|(_, told)| told.clone()).collect()
    }
}

/// Stands between the name of a fact and how often it came back.
pub(crate) const AGAIN: char = '\u{1}';

/// `backed("A1", "P1")` asserted and `backed.admitted("A1", "P1")` are one fact.
fn assertion_id(rule: &str, valuation: &[Value]) -> FactId {
    let name = rule.trim_start_matches("assert ").trim_end_matches(".admitted");
    FactId::new(format!("~{name}{valuation:?}"))
}

/// Turns a record into facts.
pub(crate) fn facts<'a>(agreement: &'a Agreement, logs: &'a Logs, as_of: Instant, known_by: Instant) -> Facts<'a> {
    let known = known(agreement, logs, known_by);
    let by_id = first_copies(&known);
    let program = agreement.program();

    // Named by log and index, so that a fact has one name whatever else is known.
    let names: Vec<String> = known.iter().map(|k| format!("{} {:012}", k.entry.origin, k.entry.index)).collect();
    let mut lower = Emission::new(&program.lower, &names);
    record_facts(agreement, &known, &by_id, &mut lower);
    said_facts(&known, &by_id, &BTreeMap::new(), &mut lower);
    // Silence after what is known; never before what is judged.
    let judged_at = as_of.max(known_by).0;
    let Stratum { rules: asserting, signature: reads } = program.lower.only(|rule| rule.starts_with("assert "));
    let read = |facts: &[(FactId, Fact)]| -> Vec<(FactId, Fact)> {
        facts.iter().filter(|(_, f)| reads.contains_key(&f.predicate)).cloned().collect()
    };
    let mut told = read(&lower.facts);
    let mut stratum = monitor(&program.lower, std::mem::take(&mut lower.facts));
    stratum.advance(judged_at);
    // Which statements speak of one thing is asked of those that count at all.
    let absent = Terms { known: &known, by_id: &by_id, lower: &stratum, judged_at }.entries("absent");
    let alike = alike(&known, &by_id, &absent);
    alike_facts(&known, &alike, &mut lower);
    told.extend(read(&lower.facts));
    let stratum_of_asserts = Stratum { rules: asserting, signature: reads };
    let mut asserted = Asserted { stratum: stratum_of_asserts, told, args: BTreeMap::new(), judged_at };
    if !lower.facts.is_empty() {
        tell(&mut stratum, std::mem::take(&mut lower.facts));
        stratum.advance(judged_at);
    }
    let (lower, lower_behind) = (stratum, lower.behind);

    let mut upper = Emission::new(&program.upper, &names);
    upper.open = (0..known.len()).filter(|n| !known[*n].timed).collect();
    alike_facts(&known, &alike, &mut upper);
    let terms = Terms { known: &known, by_id: &by_id, lower: &lower, judged_at };
    let prompt = terms.prompt();
    behind(agreement, logs, known_by, &mut upper);
    let agreed = seen_facts(&terms, &prompt, &mut upper);
    said_facts(&known, &by_id, &prompt, &mut upper);
    record_facts(agreement, &known, &by_id, &mut upper);
    for (predicate, tick) in &program.ticks {
        let from = agreement.in_force().unwrap_or(as_of);
        for beat in tick.between(agreement.seasons(), from, as_of) {
            upper.tick(predicate, beat.at, beat.value);
        }
    }
    for assert in &program.asserts {
        let admitted: BTreeSet<Vec<Value>> = if assert.has_admitted {
            let name = format!("{}.admitted", assert.name);
            lower.derived(&name, judged_at, Reading::Possible).into_iter().collect()
        } else {
            BTreeSet::new()
        };
        for args in lower.derived(&assert.name, judged_at, Reading::Possible) {
            let id = assertion_id(&assert.name, &args);
            let admitted = admitted.contains(&args);
            asserted.args.insert(id.clone(), args.clone());
            upper.always(id, &assert.name, args, admitted);
        }
    }
    let extensions = terms.entries("extended").into_iter().collect();
    let tolls = terms.pairs("tolled").into_iter().collect();
    let withdrawals = withdrawals(&known, &by_id);
    for (target, by) in &withdrawals {
        let args = vec![Value::text(hex(&target.0))];
        // One statement may take back several.
        let mark = format!(" {}", hex(&target.0));
        upper.event(WITHDRAWN, &mark, args, known[*by].at.hi, true, vec![*by]);
    }
    let mut behind = upper.behind;
    behind.extend(lower_behind);
    let facts = upper.facts;
    Facts { known, facts, behind, agreed, withdrawals, extensions, tolls, asserted, assertions: RefCell::default() }
}

/// What Article 1 says of statements.
struct Terms<'f, 'a> {
    known: &'f [Known<'a>],
    by_id: &'f BTreeMap<StatementId, usize>,
    lower: &'f Monitor,
    judged_at: i64,
}

impl Terms<'_, '_> {
    /// Positions of the statements of which a term holds.
    fn entries(&self, term: &str) -> BTreeSet<usize> {
        let position = self.positions();
        let rows = self.lower.derived(term, self.judged_at, Reading::Possible);
        rows.iter().filter_map(|row| position.get(row.first()?).copied()).collect()
    }

    /// The same for a term of two statements.
    fn pairs(&self, term: &str) -> BTreeSet<(usize, usize)> {
        let position = self.positions();
        let rows = self.lower.derived(term, self.judged_at, Reading::Possible);
        let pair = |row: &Vec<Value>| match row.as_slice() {
            [one, other] => Some((*position.get(one)?, *position.get(other)?)),
            _ => None,
        };
        rows.iter().filter_map(pair).filter(|(one, other)| one != other).collect()
    }

    fn positions(&self) -> BTreeMap<&Value, usize> {
        self.by_id.values().map(|n| (&self.known[*n].id, *n)).collect()
    }

    /// When a statement counts by receipt: at the later of the two times of stating, once both ends have logged it; never
    /// later than when it was logged. A time of stating after the logging is no time of stating.
    fn prompt(&self) -> BTreeMap<usize, Instant> {
        let stated = |n: usize| Some(self.known[n].entry.statement.stated_at).filter(|at| *at <= self.known[n].at.hi);
        let mut prompt: BTreeMap<usize, Instant> = BTreeMap::new();
        for (one, other) in self.pairs("paired") {
            if let (Some(a), Some(b)) = (stated(one), stated(other)) {
                for n in [one, other] {
                    let at = prompt.entry(n).or_insert(self.known[n].at.hi);
                    *at = a.max(b).min(*at);
                }
            }
        }
        prompt
    }
}

/// A monitor that holds these facts.
pub(crate) fn monitor(stratum: &Stratum, facts: Vec<(FactId, Fact)>) -> Monitor {
    let mut monitor = Monitor::new(&stratum.rules, &stratum.signature)
        .expect("the agreement was refused at parsing if its rules cannot be watched");
    tell(&mut monitor, facts);
    monitor
}

fn tell(monitor: &mut Monitor, facts: Vec<(FactId, Fact)>) {
    for (id, fact) in facts {
        monitor.insert(id, fact).expect("facts are built by the columns that the rules were compiled for");
    }
}

fn known<'a>(agreement: &'a Agreement, logs: &'a Logs, known_by: Instant) -> Vec<Known<'a>> {
    let mut all = Vec::new();
    for (n, entry) in logs.entries().iter().enumerate() {
        let statement = &entry.statement;
        let Some(kind) = agreement.rules().kinds.get(&statement.kind) else { continue };
        if !matches!(kind.speech, Speech::Said | Speech::Seen)
            || statement.drill
            || statement.agreement != agreement.digest()
            || agreement.fits(statement).is_err()
        {
            continue;
        }
        let (at, timed) = match logs.logged(n, known_by) {
            Logged::Unproven => continue,
            Logged::Within(at) => (at, true),
            // It is there, but more witnesses lie than the policy bears. Asserted when a quorum says that it came, it leaves
            // open both that it came then and that it did not.
            Logged::Disputed { by, .. } => (LoggedAt { lo: Instant(i64::MIN), hi: by }, false),
        };
        let actor = match kind.actor.as_deref() {
            Some("by") | None => Some(statement.party.as_str()),
            Some(field) => match statement.fields.get(field) {
                Some(FieldValue::Text(actor)) => Some(actor.as_str()),
                _ => None,
            },
        };
        all.push(Known {
            entry,
            at,
            timed,
            kind,
            id: Value::text(hex(&entry.statement_id.0)),
            occurred: statement.occurred_at.as_ref().filter(|_| kind.speech == Speech::Seen),
            own: actor == Some(statement.party.as_str()),
        });
    }
    all
}

/// A statement that stands in several places counts once, by its first logged copy. Gives positions by statement.
fn first_copies(known: &[Known<'_>]) -> BTreeMap<StatementId, usize> {
    let mut first: BTreeMap<StatementId, usize> = BTreeMap::new();
    for (n, k) in known.iter().enumerate() {
        let earlier = first.entry(k.entry.statement_id).or_insert(n);
        if order(k) < order(&known[*earlier]) {
            *earlier = n;
        }
    }
    first
}

/// Earlier logged, then by origin and index.
fn order<'k>(k: &'k Known<'_>) -> (Instant, &'k str, u64) {
    (k.at.hi, &k.entry.origin, k.entry.index)
}

/// Facts on their way into a monitor: only predicates that it watches.
struct Emission<'p> {
    stratum: &'p Stratum,
    /// Of the entries that are known.
    names: &'p [String],
    facts: Vec<(FactId, Fact)>,
    behind: BTreeMap<FactId, Vec<usize>>,
    /// Entries of which nothing is settled: what rests on them is asserted only.
    open: BTreeSet<usize>,
}

impl<'p> Emission<'p> {
    fn new(stratum: &'p Stratum, names: &'p [String]) -> Self {
        Emission { stratum, names, facts: Vec::new(), behind: BTreeMap::new(), open: BTreeSet::new() }
    }

    fn watches(&self, predicate: &str) -> bool {
        self.stratum.signature.contains_key(predicate)
    }

    fn event(
        &mut self,
        predicate: &str,
        mark: &str,
        args: Vec<Value>,
        at: Instant,
        admitted: bool,
        behind: Vec<usize>,
    ) {
        let Some((name, _)) = self.stratum.signature.get_key_value(predicate) else { return };
        // Entries are in the order of origin and index, so ids sort as they do.
        let admitted = admitted && !behind.iter().any(|n| self.open.contains(n));
        let mut id = String::new();
        for n in &behind {
            if !id.is_empty() {
                id.push('+');
            }
            id += &self.names[*n];
        }
        id.push(' ');
        id += predicate;
        id += mark;
        let id = FactId::new(id);
        self.facts.push((id.clone(), Fact { predicate: name.clone(), args, from: at.0, to: at.0, admitted }));
        self.behind.insert(id, behind);
    }

    fn always(&mut self, id: FactId, predicate: &str, args: Vec<Value>, admitted: bool) {
        let Some((name, _)) = self.stratum.signature.get_key_value(predicate) else { return };
        self.facts.push((id, Fact { predicate: name.clone(), args, from: SINCE_EVER, to: NEVER, admitted }));
    }

    /// A tick of the calendar, behind which no entry stands.
    fn tick(&mut self, predicate: &str, at: Instant, value: i64) {
        let Some((name, _)) = self.stratum.signature.get_key_value(predicate) else { return };
        let id = FactId::new(format!("={predicate} {}", at.0));
        let fact =
            Fact { predicate: name.clone(), args: vec![Value::Int(value)], from: at.0, to: at.0, admitted: true };
        self.behind.insert(id.clone(), Vec::new());
        self.facts.push((id, fact));
    }

    /// What held for a while, without a statement that says so.
    fn state(&mut self, predicate: &str, args: Vec<Value>, from: i64, to: i64) {
        let Some((name, _)) = self.stratum.signature.get_key_value(predicate) else { return };
        let id = FactId::new(format!("={predicate}{args:?} {from}"));
        self.behind.insert(id.clone(), Vec::new());
        self.facts.push((id, Fact { predicate: name.clone(), args, from, to, admitted: true }));
    }

    /// What holds whatever is said.
    fn constant(&mut self, predicate: &str, args: Vec<Value>) {
        if self.watches(predicate) {
            let id = FactId::new(format!("={predicate}{args:?}"));
            self.behind.insert(id.clone(), Vec::new());
            self.always(id, predicate, args, true);
        }
    }
}

/// What the record says of statements, for Article 1's block.
fn record_facts(
    agreement: &Agreement,
    known: &[Known<'_>],
    by_id: &BTreeMap<StatementId, usize>,
    into: &mut Emission<'_>,
) {
    let members = agreement.members();
    for member in members {
        let name = Value::text(&member.name);
        match member.role {
            MemberRole::Party => {
                into.constant("party", vec![name.clone()]);
                for other in members.iter().filter(|m| m.role == MemberRole::Party && m.name != member.name) {
                    into.constant("counterparty", vec![name.clone(), Value::text(&other.name)]);
                }
            }
            MemberRole::Guarantor => into.constant("guarantor", vec![name.clone()]),
            MemberRole::Witness => {}
        }
        // Nobody cosigns his own log.
        for witness in members.iter().filter(|m| member.origin.is_some() && m.name != member.name) {
            into.constant("log", vec![name.clone(), Value::text(&witness.name)]);
        }
    }
    for (table, row) in &agreement.program().annexed {
        into.constant(table, row.clone());
    }
    measures(agreement.program(), known, by_id, into);
    for kind in agreement.rules().kinds.values() {
        if kind.guarantor_admits {
            into.constant("dagger", vec![Value::text(&kind.name)]);
        }
        if kind.harms {
            into.constant("harms", vec![Value::text(&kind.name)]);
        }
    }
    let signs: BTreeSet<&str> = members
        .iter()
        .filter(|m| matches!(m.role, MemberRole::Party | MemberRole::Guarantor))
        .map(|m| m.name.as_str())
        .collect();
    for &n in by_id.values() {
        let k = &known[n];
        let by = || Value::text(&k.entry.statement.party);
        if into.watches("author") {
            into.event("author", "", vec![k.id.clone(), by()], k.at.hi, true, vec![n]);
        }
        if let Some(occurred) = k.occurred {
            let args = vec![
                k.id.clone(),
                Value::text(&k.kind.name),
                by(),
                Value::Int(occurred.from.0),
                Value::Int(occurred.to.0),
                Value::Int(k.at.hi.0),
            ];
            into.event("word", "", args, k.at.hi, true, vec![n]);
            if k.own {
                into.event("own", "", vec![k.id.clone()], k.at.hi, true, vec![n]);
            }
        }
        if into.watches("signed") {
            let signers: BTreeSet<&str> = k.entry.signers.iter().map(|s| s.node.as_str()).collect();
            for (i, signer) in signers.intersection(&signs).enumerate() {
                let args = vec![k.id.clone(), Value::text(signer)];
                into.event("signed", &format!(" {i}"), args, k.at.hi, true, vec![n]);
            }
        }
        for (i, reference) in k.entry.statement.refs.iter().enumerate() {
            let target = Value::text(hex(&reference.id.0));
            let mark = format!(" {i}");
            let pair = vec![k.id.clone(), target.clone()];
            match reference.rel {
                // Only the author takes a statement back.
                Rel::Withdraws => {
                    let theirs = by_id.get(&reference.id).map(|t| &known[*t].entry.statement.party);
                    if theirs == Some(&k.entry.statement.party) {
                        into.event("withdraws", &mark, pair, k.at.hi, true, vec![n]);
                    }
                }
                Rel::Cites => into.event("cites", &mark, pair, k.at.hi, true, vec![n]),
                Rel::Confirms => into.event("confirms", &mark, pair, k.at.hi, true, vec![n]),
                _ => {}
            }
            if !matches!(reference.rel, Rel::Withdraws | Rel::Supersedes) {
                for (predicate, word) in [("contests", "contested"), ("consents", "consent")] {
                    if k.kind.name == word {
                        let args = vec![k.id.clone(), target.clone(), by()];
                        into.event(predicate, &mark, args, k.at.hi, true, vec![n]);
                    }
                }
            }
        }
    }
}

/// Which statements speak of one thing, and which of two was logged first.
fn alike_facts(known: &[Known<'_>], alike: &BTreeSet<(usize, usize)>, into: &mut Emission<'_>) {
    for &(earlier, later) in alike {
        let ids = |a: usize, b: usize| vec![known[a].id.clone(), known[b].id.clone()];
        let at = known[earlier].at.hi.max(known[later].at.hi);
        into.event("same", "", ids(earlier, later), at, true, vec![earlier, later]);
        into.event("same", "", ids(later, earlier), at, true, vec![later, earlier]);
        into.event("before", "", ids(earlier, later), at, true, vec![earlier, later]);
    }
}

/// When a witness was behind: from so many seconds after another cosigned a checkpoint until it cosigned that one or a
/// later one itself.
fn behind(agreement: &Agreement, logs: &Logs, known_by: Instant, into: &mut Emission<'_>) {
    if !into.watches(BEHIND) {
        return;
    }
    let mut by_log: BTreeMap<String, Vec<Cosigned>> = BTreeMap::new();
    for cosigned in logs.cosigned(known_by) {
        by_log.entry(cosigned.log.clone()).or_default().push(cosigned);
    }
    for (log, cosigned) in &mut by_log {
        cosigned.sort_by_key(|c| (c.time, c.size));
        for witness in agreement.members() {
            for seconds in &agreement.program().lags {
                for (from, to) in lags(cosigned, &witness.name, *seconds) {
                    let args = vec![Value::text(&witness.name), Value::text(log), Value::Int(*seconds)];
                    into.state(BEHIND, args, from, to);
                }
            }
        }
    }
}

/// Stretches in which a witness was behind, disjoint, in order. `cosigned` is of one log, in the order of time.
fn lags(cosigned: &[Cosigned], witness: &str, seconds: i64) -> Vec<(i64, i64)> {
    // Sizes that it had reached, ascending, each with the first instant.
    let mut reached: Vec<(u64, i64)> = Vec::new();
    for c in cosigned.iter().filter(|c| c.by == witness) {
        if reached.last().is_none_or(|(size, _)| *size < c.size) {
            reached.push((c.size, c.time.0));
        }
    }
    let mut lags: Vec<(i64, i64)> = Vec::new();
    let mut largest = 0;
    for c in cosigned.iter().filter(|c| c.by != witness) {
        if c.size <= largest {
            continue;
        }
        largest = c.size;
        let caught_up = reached.partition_point(|(size, _)| *size < c.size);
        let until = reached.get(caught_up).map_or(NEVER, |(_, time)| *time);
        let from = c.time.0.saturating_add(seconds);
        if until <= from {
            continue;
        }
        let to = if until == NEVER { NEVER } else { until - 1 };
        match lags.last_mut() {
            // Larger checkpoints come later and are reached no earlier.
            Some((_, end)) if *end == NEVER || *end >= from - 1 => *end = to,
            _ => lags.push((from, to)),
        }
    }
    lags
}

/// Metres of the places that rules read, each place once.
fn measures(program: &Program, known: &[Known<'_>], by_id: &BTreeMap<StatementId, usize>, into: &mut Emission<'_>) {
    if !into.watches(EXTENT) {
        return;
    }
    let read = by_id.values().map(|n| &known[*n]).filter(|k| program.placed.contains(&k.kind.name));
    let all: BTreeMap<String, &Place> =
        read.filter_map(|k| k.entry.statement.place.as_ref()).map(|p| (places::text(p), p)).collect();
    for (text, place) in all {
        for (name, named) in &program.places {
            let metres = Value::Int(named.distance_m(place));
            into.constant(DISTANCE, vec![Value::text(&text), Value::text(name), metres]);
        }
        into.constant(EXTENT, vec![Value::text(&text), Value::Int(places::extent_m(place))]);
    }
}

/// Pairs of seen statements that speak of one thing, the earlier logged first: of one kind, with the same identifying
/// fields or one confirming the other, at places that may be one. Of those by one author each is held against his first
/// only: whoever says the same a thousand times adds a thousand pairs, not a million.
fn alike(
    known: &[Known<'_>],
    by_id: &BTreeMap<StatementId, usize>,
    absent: &BTreeSet<usize>,
) -> BTreeSet<(usize, usize)> {
    let place = |n: usize| known[n].entry.statement.place.as_ref();
    let fits = |a: usize, b: usize| match (place(a), place(b)) {
        (Some(a), Some(b)) => distance::overlap(a, b),
        _ => true,
    };
    let author = |n: usize| known[n].entry.statement.party.as_str();
    let mut pairs = BTreeSet::new();
    let mut groups: BTreeMap<(&str, Vec<Value>), Vec<usize>> = BTreeMap::new();
    for &n in by_id.values().filter(|n| known[**n].occurred.is_some() && !absent.contains(n)) {
        let k = &known[n];
        if !k.kind.id.is_empty() {
            let id = k.kind.id.iter().map(|field| value_of(k, field)).collect();
            groups.entry((&k.kind.name, id)).or_default().push(n);
        }
        for reference in k.entry.statement.refs.iter().filter(|r| r.rel == Rel::Confirms) {
            if let Some(&other) = by_id.get(&reference.id)
                && !absent.contains(&other)
                && author(n) != author(other)
                && known[other].kind.name == k.kind.name
                && fits(n, other)
            {
                let later = order(&known[n]) > order(&known[other]);
                pairs.insert(if later { (other, n) } else { (n, other) });
            }
        }
    }
    for group in groups.values_mut() {
        group.sort_by(|a, b| order(&known[*a]).cmp(&order(&known[*b])));
        pairs.extend(among(group, author, fits));
    }
    pairs
}

/// Pairs of a group that stands in the order of logging.
fn among<'a>(
    group: &[usize],
    author: impl Fn(usize) -> &'a str,
    fits: impl Fn(usize, usize) -> bool,
) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    let mut voices: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for &n in group {
        for (voice, earlier) in &voices {
            if *voice == author(n) {
                pairs.extend(earlier.first().map(|first| (*first, n)));
            } else {
                pairs.extend(earlier.iter().filter(|e| fits(**e, n)).map(|e| (*e, n)));
            }
        }
        voices.entry(author(n)).or_default().push(n);
    }
    pairs
}

/// A field's value as the monitor has it.
fn value_of(k: &Known<'_>, field: &str) -> Value {
    match field {
        "by" => return Value::text(&k.entry.statement.party),
        "entry" => return k.id.clone(),
        _ => {}
    }
    let kind = k.kind.fields.iter().find(|(n, ..)| n == field).map_or(&Type::Text, |(_, t, _)| t);
    match k.entry.statement.fields.get(field) {
        Some(FieldValue::Int(n)) => Value::Int(*n),
        Some(FieldValue::Bool(b)) => Value::Int(i64::from(*b)),
        Some(FieldValue::Text(t)) if *kind == Type::Instant => {
            t.parse::<Instant>().map_or_else(|_| nothing(kind), |i| Value::Int(i.0))
        }
        Some(FieldValue::Text(t)) if !kind.is_int() => Value::text(t),
        _ => nothing(kind),
    }
}

/// Columns of a statement: its fields, then `by`, `entry` and `at`, then those that no reader knows.
fn columns(k: &Known<'_>) -> Vec<Value> {
    let mut columns: Vec<Value> =
        k.kind.fields.iter().filter(|(_, t, _)| *t != Type::Place).map(|(n, ..)| value_of(k, n)).collect();
    columns.push(Value::text(&k.entry.statement.party));
    columns.push(k.id.clone());
    columns.push(Value::text(k.entry.statement.place.as_ref().map(places::text).unwrap_or_default()));
    match k.occurred {
        Some(occurred) => {
            columns.push(Value::Int(occurred.from.0));
            columns.push(Value::Int(i64::from(k.own)));
        }
        None => columns.push(k.id.clone()),
    }
    columns
}

/// Said kinds are facts by being logged, at hi, and admitted; extra facts stand at the instant that a field names.
fn said_facts(
    known: &[Known<'_>],
    by_id: &BTreeMap<StatementId, usize>,
    prompt: &BTreeMap<usize, Instant>,
    into: &mut Emission<'_>,
) {
    for &n in by_id.values() {
        let k = &known[n];
        if k.kind.speech != Speech::Said {
            continue;
        }
        if into.watches(&k.kind.name) {
            into.event(&k.kind.name, "", columns(k), k.at.hi, true, vec![n]);
        }
        let by_receipt = format!("{}{RECEIPT}", k.kind.name);
        if into.watches(&by_receipt) {
            let at = prompt.get(&n).copied().unwrap_or(k.at.hi);
            into.event(&by_receipt, "", columns(k), at, true, vec![n]);
        }
        for (fact, field) in &k.kind.also {
            if into.watches(fact)
                && let Value::Int(at) = value_of(k, field)
                && at != i64::MIN
            {
                into.event(fact, "", columns(k), Instant(at), true, vec![n]);
            }
        }
    }
}

/// Seen kinds, as Article 1 lets them through. Gives which statements corroborate which.
fn seen_facts(
    terms: &Terms<'_, '_>,
    prompt: &BTreeMap<usize, Instant>,
    into: &mut Emission<'_>,
) -> BTreeMap<usize, BTreeSet<usize>> {
    let Terms { known, by_id, .. } = terms;
    let (absent, admitted, first) = (terms.entries("absent"), terms.entries("admitted"), terms.entries("first"));
    let mut agreed: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for (one, other) in terms.pairs("agreed") {
        if !absent.contains(&one) && !absent.contains(&other) {
            agreed.entry(one).or_default().insert(other);
        }
    }
    for &n in by_id.values() {
        let k = &known[n];
        let Some(occurred) = k.occurred.filter(|_| !absent.contains(&n)) else { continue };
        let kind = k.kind.name.as_str();
        if !into.watches(kind) {
            continue;
        }
        let admitted = admitted.contains(&n);
        let args = columns(k);
        into.event(kind, "", args.clone(), occurred.to, admitted, vec![n]);
        into.event(&format!("{kind}.late"), "", args.clone(), k.at.hi, admitted, vec![n]);
        let prompt = prompt.get(&n).copied().unwrap_or(k.at.hi);
        into.event(&format!("{kind}.late{RECEIPT}"), "", args.clone(), prompt, admitted, vec![n]);
        for &other in agreed.get(&n).into_iter().flatten() {
            let end = known[other].occurred.map_or(occurred.to, |o| o.to).min(occurred.to);
            into.event(&format!("{kind}.agreed"), "", args.clone(), end, admitted, vec![n, other]);
        }
        if first.contains(&n) {
            if k.own {
                into.event(&format!("{kind}.own"), "", args.clone(), occurred.to, admitted, vec![n]);
            }
            into.event(&format!("{kind}.word{RECEIPT}"), "", args.clone(), prompt, admitted, vec![n]);
            into.event(&format!("{kind}.word"), "", args, k.at.hi, admitted, vec![n]);
        }
    }
    agreed
}

/// Statements taken back by their own author, each by its first withdrawal.
fn withdrawals(known: &[Known<'_>], by_id: &BTreeMap<StatementId, usize>) -> Vec<(StatementId, usize)> {
    let mut first: BTreeMap<StatementId, usize> = BTreeMap::new();
    for &n in by_id.values() {
        let statement = &known[n].entry.statement;
        for reference in statement.refs.iter().filter(|r| r.rel == Rel::Withdraws) {
            let theirs = by_id.get(&reference.id).map(|t| &known[*t].entry.statement.party);
            if theirs != Some(&statement.party) {
                continue;
            }
            let earlier = first.entry(reference.id).or_insert(n);
            if order(&known[n]) < order(&known[*earlier]) {
                *earlier = n;
            }
        }
    }
    first.into_iter().collect()
}

/// For readers of a column's value: instants and truths are numbers to the monitor.
pub(crate) fn shown(kind: &Type, value: &Value) -> String {
    match (kind, value) {
        (Type::Instant, Value::Int(n)) => Instant(*n).to_string(),
        (Type::Truth, Value::Int(n)) => (*n != 0).to_string(),
        (_, Value::Int(n)) => n.to_string(),
        (_, Value::Text(t)) => t.to_string(),
        (_, Value::Decimal(d)) => d.to_string(),
    }
}

/// A name in the upper stratum, back to the kind that a reader knows, and whether its `by` was put in by the compiler.
pub(crate) fn reader_name(predicate: &Arc<str>) -> Option<(&str, bool)> {
    if predicate.starts_with('$') {
        return None;
    }
    match predicate.split_once('.') {
        Some((kind, _)) => Some((kind, true)),
        None => Some((predicate, false)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A flood by one author costs as much as it is long, whoever else speaks of the same thing.
    #[test]
    fn a_flood_is_not_squared() {
        let author = |n: usize| ["P1", "P1", "P1", "P1", "P2", "G1"][n.min(5)];
        let flood: Vec<usize> = (0..10_000).map(|n| if n == 3_000 { 4 } else { n.min(3) }).chain([5]).collect();
        let pairs = among(&flood, author, |_, _| true);
        assert!(pairs.len() <= 4 * flood.len(), "{} pairs of {} statements", pairs.len(), flood.len());
        // His own, at whatever place, against his first; another's, against all that may be of one place.
        assert_eq!(
            among(&[0, 1, 4, 2, 5], author, |_, _| true),
            [(0, 1), (0, 4), (1, 4), (0, 2), (4, 2), (0, 5), (1, 5), (2, 5), (4, 5)]
        );
        assert_eq!(among(&[0, 1, 4], author, |a, b| a + b != 5), [(0, 1), (0, 4)]);
    }

    #[test]
    fn who_is_behind() {
        let check = |all: &[(&str, i64, u64)], expected: &[(i64, i64)]| {
            let mut cosigned: Vec<Cosigned> = all
                .iter()
                .map(|(by, time, size)| Cosigned {
                    log: "P1".into(),
                    by: by.to_string(),
                    time: Instant(*time),
                    size: *size,
                })
                .collect();
            cosigned.sort_by_key(|c| (c.time, c.size));
            assert_eq!(lags(&cosigned, "G1", 10), expected, "{all:?}");
        };
        check(&[], &[]);
        check(&[("G1", 5, 3)], &[]);
        check(&[("P2", 5, 3), ("G1", 15, 3)], &[]);
        check(&[("P2", 5, 3), ("G1", 16, 3)], &[(15, 15)]);
        check(&[("P2", 5, 3)], &[(15, NEVER)]);
        // It was first, or has cosigned a larger one.
        check(&[("G1", 4, 3), ("P2", 5, 3), ("O1", 50, 3)], &[]);
        check(&[("P2", 5, 3), ("G1", 14, 4)], &[]);
        // Always a little behind a log that grows is not behind.
        check(&[("P2", 0, 1), ("G1", 9, 1), ("P2", 8, 2), ("G1", 17, 2), ("P2", 16, 3), ("G1", 25, 3)], &[]);
        // Two stretches, and two that are one.
        check(&[("P2", 0, 1), ("G1", 12, 1), ("P2", 20, 2), ("G1", 40, 2)], &[(10, 11), (30, 39)]);
        check(&[("P2", 0, 1), ("G1", 12, 1), ("P2", 2, 2), ("G1", 40, 2)], &[(10, 39)]);
    }
}
