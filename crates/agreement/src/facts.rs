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
//!
//! Facts follow a record that grows. An entry that came, went, or is timed otherwise touches what its statement says, what
//! is said of it, and the pairs that it forms; then the statements of which Article 1 says something else than before; and
//! nothing besides. A record judged for the first time is one that grew from nothing.
use crate::annex::{KindRule, Type};
use crate::distance;
use crate::lower::{BEHIND, DISTANCE, EXTENT, Program, RECEIPT, Stratum, WITHDRAWN, nothing};
use crate::places;
use crate::source::{Agreement, MemberRole, Speech, hex};
use hamsaya_monitor::{Fact, FactId, Monitor, NEVER, Name, Put, SINCE_EVER, Signature, Value};
use hamsaya_record::instant::Instant;
use hamsaya_record::logs::{Cosigned, Entry, Logged, LoggedAt, Logs};
use hamsaya_record::statement::{FieldValue, Occurred, Place, Rel, StatementId};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// An entry that counts for something: its kind is said or seen, it fits, it was known.
pub(crate) struct Known {
    pub entry: Arc<Entry>,
    pub at: LoggedAt,
    /// Nobody disputes when it was logged, nor that its log is one.
    timed: bool,
    kind: Arc<Spoken>,
    /// Its statement id, as rules see it.
    id: Value,
    /// Who states it, likewise.
    by: Value,
    /// Its log and index, as names of facts have them.
    stem: String,
    /// The author speaks of its own act.
    own: bool,
    /// It is in the record now; its place may be taken by another later.
    live: bool,
}

impl Known {
    /// For what was seen.
    fn occurred(&self) -> Option<&Occurred> {
        self.entry.statement.occurred_at.as_ref().filter(|_| self.kind.rule.speech == Speech::Seen)
    }

    /// Earlier logged, then by origin and index.
    fn order(&self) -> (Instant, &str, u64) {
        (self.at.hi, &self.entry.origin, self.entry.index)
    }

    fn statement(&self) -> StatementId {
        self.entry.statement_id
    }
}

/// A kind, and what its facts are called in both strata where anyone reads them.
struct Spoken {
    rule: KindRule,
    name: Value,
    lower: Positions,
    upper: Positions,
}

/// Names of a kind's facts by position (R2).
struct Positions {
    plain: Option<Name>,
    receipt: Option<Name>,
    late: Option<Name>,
    late_receipt: Option<Name>,
    agreed: Option<Name>,
    own: Option<Name>,
    word: Option<Name>,
    word_receipt: Option<Name>,
    /// With the field that holds its instant.
    also: Vec<(Name, String)>,
}

impl Positions {
    fn of(rule: &KindRule, signature: &Signature) -> Positions {
        let named = |name: &str| signature.get_key_value(name).map(|(name, _)| name.clone());
        let at = |position: &str| named(&format!("{}{position}", rule.name));
        let also = rule.also.iter().filter_map(|(fact, field)| Some((named(fact)?, field.clone())));
        Positions {
            plain: named(&rule.name),
            receipt: at(RECEIPT),
            late: at(".late"),
            late_receipt: at(&format!(".late{RECEIPT}")),
            agreed: at(".agreed"),
            own: at(".own"),
            word: at(".word"),
            word_receipt: at(&format!(".word{RECEIPT}")),
            also: also.collect(),
        }
    }
}

/// What facts are made of, and go together with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Ground {
    /// What holds whatever is said.
    Always,
    /// The statement at this place.
    Statement(usize),
    /// Two that speak of one thing.
    Pair(usize, usize),
    /// A statement taken back.
    Withdrawn(StatementId),
    /// A place that rules read.
    Place(String),
    /// An assertion.
    Claim(FactId),
    /// Who cosigned when.
    Witnesses,
    /// A tick of the calendar.
    Tick(Arc<str>, Instant),
}

/// A fact on its way into a monitor, and the one or two entries behind it.
type Told = (FactId, Fact, Behind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Behind {
    Nothing,
    One(usize),
    Two(usize, usize),
}

impl Behind {
    fn places(self) -> Vec<usize> {
        match self {
            Behind::Nothing => Vec::new(),
            Behind::One(n) => vec![n],
            Behind::Two(n, other) => vec![n, other],
        }
    }
}

/// Words of the record that a stratum reads.
struct Words {
    author: Option<Name>,
    word: Option<Name>,
    own: Option<Name>,
    signed: Option<Name>,
    withdraws: Option<Name>,
    cites: Option<Name>,
    confirms: Option<Name>,
    contests: Option<Name>,
    consents: Option<Name>,
    same: Option<Name>,
    before: Option<Name>,
}

impl Words {
    fn of(signature: &Signature) -> Words {
        let named = |name: &str| signature.get_key_value(name).map(|(name, _)| name.clone());
        Words {
            author: named("author"),
            word: named("word"),
            own: named("own"),
            signed: named("signed"),
            withdraws: named("withdraws"),
            cites: named("cites"),
            confirms: named("confirms"),
            contests: named("contests"),
            consents: named("consents"),
            same: named("same"),
            before: named("before"),
        }
    }
}

/// More facts than this are not told apart when they are retold.
const MANY: usize = 4_096;

/// A stratum, told what its rules read.
struct Telling {
    signature: Signature,
    words: Words,
    monitor: Monitor,
    /// Numbers of the facts that a statement gives, by its place.
    stated: Vec<Vec<usize>>,
    /// Numbers of facts on all other grounds.
    grounds: BTreeMap<Ground, Vec<usize>>,
    /// Entries behind facts, by number.
    behind: Vec<Behind>,
    /// Values that are named by what came or went, where anyone wants to know.
    news: Option<BTreeSet<Value>>,
    /// Facts behind which other entries may stand than before; `None`: all.
    retold: Option<BTreeSet<FactId>>,
}

impl Telling {
    fn new(stratum: &Stratum) -> Telling {
        let monitor = monitor(stratum);
        let signature = stratum.signature.clone();
        let words = Words::of(&signature);
        let (stated, grounds, behind) = (Vec::new(), BTreeMap::new(), Vec::new());
        Telling { signature, words, monitor, stated, grounds, behind, news: None, retold: None }
    }

    fn watches(&self, predicate: &str) -> bool {
        self.signature.contains_key(predicate)
    }

    fn named(&self, predicate: &str) -> Option<&Name> {
        self.signature.get_key_value(predicate).map(|(name, _)| name)
    }

    /// Entries behind a fact.
    fn behind(&self, fact: &FactId) -> Behind {
        let number = self.monitor.number(fact);
        number.and_then(|number| self.behind.get(number).copied()).unwrap_or(Behind::Nothing)
    }

    /// Notes a fact that is retold. Of many, all are.
    fn note(&mut self, fact: Option<FactId>) {
        if let Some(retold) = &mut self.retold {
            retold.extend(fact);
            if retold.len() > MANY {
                self.retold = None;
            }
        }
    }

    /// What is told on this ground, in place of what was.
    fn tell(&mut self, ground: Ground, told: Vec<Told>) {
        let held = match &ground {
            Ground::Statement(n) => self.stated.get_mut(*n).map(std::mem::take),
            ground => self.grounds.remove(ground),
        };
        for number in held.into_iter().flatten() {
            let Some(id) = self.monitor.id(number).cloned() else { continue };
            if told.iter().all(|(now, ..)| *now != id) {
                let forgotten = self.monitor.forget(&id);
                if let Some(news) = &mut self.news {
                    news.extend(forgotten.into_iter().flatten());
                }
                self.behind[number] = Behind::Nothing;
            }
        }
        if told.is_empty() {
            return;
        }
        let mut numbers: Vec<usize> = Vec::with_capacity(told.len());
        for (id, fact, behind) in told {
            let args = self.news.as_ref().map(|_| fact.args.clone());
            let name = self.retold.as_ref().map(|_| id.clone());
            let put = put(&mut self.monitor, id, fact);
            let Some(number) = put.number else { continue };
            if put.before != put.number {
                if let (Some(news), Some(args)) = (&mut self.news, args) {
                    news.extend(args);
                }
                // Another fact may have that number soon.
                if let Some(before) = put.before {
                    self.behind[before] = Behind::Nothing;
                    numbers.retain(|number| *number != before);
                }
            }
            if self.behind.len() <= number {
                self.behind.resize(number + 1, Behind::Nothing);
            }
            if put.before != put.number || self.behind[number] != behind {
                self.behind[number] = behind;
                self.note(name);
            }
            numbers.push(number);
        }
        match ground {
            Ground::Statement(n) => {
                if self.stated.len() <= n {
                    self.stated.resize(n + 1, Vec::new());
                }
                self.stated[n] = numbers;
            }
            ground => _ = self.grounds.insert(ground, numbers),
        }
    }
}

/// Whose words are linked, either way.
#[derive(Default)]
struct Links {
    from: BTreeMap<StatementId, BTreeSet<StatementId>>,
    to: BTreeMap<StatementId, BTreeSet<StatementId>>,
}

impl Links {
    fn set(&mut self, one: StatementId, other: StatementId, holds: bool) {
        for (map, key, value) in [(&mut self.from, one, other), (&mut self.to, other, one)] {
            let linked = map.entry(key).or_default();
            if holds {
                linked.insert(value)
            } else {
                linked.remove(&value)
            };
            if linked.is_empty() {
                map.remove(&key);
            }
        }
    }

    fn with(&self, one: &StatementId) -> impl Iterator<Item = StatementId> {
        [&self.from, &self.to].into_iter().flat_map(|map| map.get(one)).flatten().copied()
    }
}

/// What Article 1 says of statements.
#[derive(Default)]
struct Terms {
    absent: BTreeSet<StatementId>,
    admitted: BTreeSet<StatementId>,
    first: BTreeSet<StatementId>,
    agreed: Links,
    paired: Links,
    extended: BTreeSet<StatementId>,
    tolled: BTreeSet<(StatementId, StatementId)>,
}

/// An assertion.
struct Claim {
    name: Name,
    args: Vec<Value>,
    asserted: bool,
    admitted: bool,
}

/// What stands behind an assertion, and when that is to be asked again.
struct Explained {
    entries: Vec<usize>,
    /// It is the same while nothing names one of these; `None`: whatever comes may change it.
    names: Option<BTreeSet<Value>>,
    /// And from this instant on, until this one.
    from: i64,
    until: i64,
}

impl Explained {
    fn stays(&self, news: &BTreeSet<Value>, at: i64) -> bool {
        let unnamed = self.names.as_ref().is_some_and(|names| names.is_disjoint(news));
        (unnamed || news.is_empty()) && self.from <= at && at < self.until
    }
}

/// Statements with the same identifying fields, and the pairs that they form.
#[derive(Default)]
struct Group {
    members: BTreeSet<usize>,
    /// Sorted.
    pairs: Vec<(usize, usize)>,
    /// Who came, went or changed: its pairs are to be found again.
    stirred: Vec<usize>,
}

/// Name of a kind, and values of its identifying fields.
type GroupKey = Vec<Value>;

/// An entry as it was looked at last, and its place among the known if it has one.
struct Looked {
    entry: Arc<Entry>,
    logged: Logged,
    place: Option<usize>,
}

/// The entries of a log as they were looked at last, in order. All are looked at on every change, so they lie close.
#[derive(Default)]
struct Log {
    entries: Vec<Arc<Entry>>,
    logged: Vec<Logged>,
    places: Vec<Option<usize>>,
}

impl Log {
    fn push(&mut self, held: Looked) {
        self.entries.push(held.entry);
        self.logged.push(held.logged);
        self.places.push(held.place);
    }

    /// Takes out all from one on.
    fn split_off(&mut self, at: usize) -> impl Iterator<Item = Looked> + use<> {
        let rest = self.entries.split_off(at).into_iter();
        let rest = rest.zip(self.logged.split_off(at)).zip(self.places.split_off(at));
        rest.map(|((entry, logged), place)| Looked { entry, logged, place })
    }
}

/// Terms of Article 1 that facts rest on.
const TERMED: &[&str] = &["absent", "admitted", "first", "agreed", "paired", "extended", "tolled"];

/// Facts of a record, and which entries stand behind each.
pub(crate) struct Facts {
    kinds: BTreeMap<String, Arc<Spoken>>,
    /// Stand in for who states something.
    names: BTreeMap<String, Value>,
    /// Parties and guarantors.
    signs: BTreeSet<String>,
    /// By log, in order.
    looked: BTreeMap<Arc<str>, Log>,
    /// Founding entries of other agreements.
    strangers: BTreeMap<(Arc<str>, u64), [u8; 32]>,
    pub known: Vec<Known>,
    free: Vec<usize>,
    /// A statement may stand in several places; it counts once, by its first logged copy.
    copies: BTreeMap<StatementId, Vec<usize>>,
    first: BTreeMap<StatementId, usize>,
    /// Places of statements that refer to one.
    referring: BTreeMap<StatementId, BTreeSet<usize>>,
    /// Absent, whoever else speaks of the same thing.
    disregarded: BTreeSet<StatementId>,
    groups: BTreeMap<GroupKey, Group>,
    stirred: Vec<GroupKey>,
    /// Pairs of which one confirms the other, by that one.
    confirming: BTreeMap<usize, Vec<(usize, usize)>>,
    /// How often a pair is found alike, and pairs of which that changed.
    alike: BTreeMap<(usize, usize), usize>,
    repaired: BTreeSet<(usize, usize)>,
    terms: Terms,
    /// Statements that a withdrawal takes back: withdrawn statement, place of the withdrawal.
    pub withdrawals: BTreeMap<StatementId, usize>,
    /// Statements that a statement which has gone took back.
    released: BTreeSet<StatementId>,
    claims: BTreeMap<FactId, Claim>,
    /// Kinds whose place rules read, and how many such statements are at a place.
    placed: BTreeSet<String>,
    places: BTreeMap<String, usize>,
    ticked: BTreeSet<(Instant, Arc<str>)>,
    ticked_to: Option<Instant>,
    lower: Telling,
    upper: Telling,
    /// Watches what is absent apart, if that hangs on who speaks of the same thing.
    before_alike: Option<Telling>,
    /// Entries that moved a clock, by the fact that says so.
    moved: BTreeMap<FactId, Vec<usize>>,
    /// The rules of assertions, and nothing else.
    asserting: Stratum,
    /// Watches these, and is told nothing.
    asserting_alone: Monitor,
    /// Predicates of facts that hold whatever is said.
    lasting: BTreeSet<Name>,
    /// What stands behind assertions, as far as it was asked: explaining one costs more than judging.
    assertions: RefCell<BTreeMap<FactId, Explained>>,
    judged_at: i64,
}

impl Facts {
    /// Of an empty record.
    pub(crate) fn new(agreement: &Agreement) -> Facts {
        let program = agreement.program();
        let asserting = program.lower.only(|rule| rule.starts_with("assert "));
        let rules = agreement.rules().kinds.values();
        let spoken = rules.filter(|rule| matches!(rule.speech, Speech::Said | Speech::Seen)).map(|rule| {
            let [lower, upper] = [&program.lower, &program.upper].map(|s| Positions::of(rule, &s.signature));
            (rule.name.clone(), Arc::new(Spoken { rule: rule.clone(), name: Value::text(&rule.name), lower, upper }))
        });
        let members = agreement.members().iter();
        let signs = members.filter(|m| matches!(m.role, MemberRole::Party | MemberRole::Guarantor));
        let mut facts = Facts {
            kinds: spoken.collect(),
            names: BTreeMap::new(),
            signs: signs.map(|m| m.name.clone()).collect(),
            looked: BTreeMap::new(),
            strangers: BTreeMap::new(),
            known: Vec::new(),
            free: Vec::new(),
            copies: BTreeMap::new(),
            first: BTreeMap::new(),
            referring: BTreeMap::new(),
            disregarded: BTreeSet::new(),
            groups: BTreeMap::new(),
            stirred: Vec::new(),
            confirming: BTreeMap::new(),
            alike: BTreeMap::new(),
            repaired: BTreeSet::new(),
            terms: Terms::default(),
            withdrawals: BTreeMap::new(),
            released: BTreeSet::new(),
            claims: BTreeMap::new(),
            placed: program.placed.clone(),
            places: BTreeMap::new(),
            ticked: BTreeSet::new(),
            ticked_to: None,
            lower: Telling::new(&program.lower),
            upper: Telling::new(&program.upper),
            before_alike: None,
            moved: BTreeMap::new(),
            lasting: BTreeSet::new(),
            asserting_alone: monitor(&asserting),
            asserting,
            assertions: RefCell::default(),
            judged_at: i64::MIN,
        };
        let absent = program.lower.defining("absent");
        if ["same", "before"].iter().any(|word| absent.signature.contains_key(*word)) {
            facts.before_alike = Some(Telling::new(&absent));
        }
        facts.lasting.extend([DISTANCE, EXTENT].map(Name::from));
        for telling in [Some(&mut facts.lower), Some(&mut facts.upper), facts.before_alike.as_mut()] {
            let Some(telling) = telling else { continue };
            let always = always(agreement, telling);
            facts.lasting.extend(always.iter().map(|(_, fact, _)| fact.predicate.clone()));
            telling.tell(Ground::Always, always);
        }
        for term in TERMED {
            facts.lower.monitor.follow(term);
        }
        for assert in &program.asserts {
            facts.lower.monitor.follow(&assert.name);
            facts.lower.monitor.follow(&format!("{}.admitted", assert.name));
        }
        if let Some(telling) = &mut facts.before_alike {
            telling.monitor.follow("absent");
        }
        facts
    }

    /// The agreement that a founding entry names, if it is another.
    pub(crate) fn stranger(&self) -> Option<&[u8; 32]> {
        self.strangers.values().next()
    }

    /// The monitor of the upper stratum.
    pub(crate) fn monitor(&self) -> &Monitor {
        &self.upper.monitor
    }

    pub(crate) fn monitor_mut(&mut self) -> &mut Monitor {
        &mut self.upper.monitor
    }

    /// Entries behind a fact, as places in `known`, sorted.
    pub(crate) fn entries_behind(&self, fact: &FactId) -> Vec<usize> {
        for telling in [&self.upper, &self.lower] {
            let behind = telling.behind(fact).places();
            if !behind.is_empty() {
                return behind;
            }
        }
        if let Some(entries) = self.moved.get(fact) {
            return entries.clone();
        }
        if !self.claims.contains_key(fact) {
            return Vec::new();
        }
        if let Some(explained) = self.assertions.borrow().get(fact) {
            return explained.entries.clone();
        }
        let explained = self.behind_assertion(fact);
        let entries = explained.entries.clone();
        self.assertions.borrow_mut().insert(fact.clone(), explained);
        entries
    }

    /// Facts behind which other entries may stand than before the last [`Facts::follow`]; `None`: all.
    pub(crate) fn retold(&self) -> Option<&BTreeSet<FactId>> {
        self.upper.retold.as_ref()
    }

    /// Notes which entries moved a clock, by the facts that say so.
    pub(crate) fn moved_by(&mut self, moved: BTreeMap<FactId, Vec<usize>>) {
        self.moved = moved;
    }

    /// An assertion: what made its formula hold in the lower stratum. Explaining costs as much as there are facts, so the
    /// facts that speak of what it speaks of are asked first, and all only if those do not make it hold.
    fn behind_assertion(&self, fact: &FactId) -> Explained {
        let near = self.claims.get(fact).and_then(|claim| self.near(&claim.args));
        if let Some((facts, names)) = near {
            let (entries, until) = self.explained(fact, facts);
            if !entries.is_empty() {
                return Explained { entries, names: Some(names), from: self.judged_at, until };
            }
        }
        let everything = self.lower.monitor.told(|predicate| self.asserting.signature.contains_key(predicate), None);
        let (entries, until) = self.explained(fact, everything);
        Explained { entries, names: None, from: self.judged_at, until }
    }

    /// Entries behind an assertion if there were only these facts, and until when time alone changes nothing about it.
    fn explained(&self, fact: &FactId, facts: Vec<(FactId, Fact)>) -> (Vec<usize>, i64) {
        let mut lower = self.asserting_alone.clone();
        for (id, fact) in facts {
            put(&mut lower, id, fact);
        }
        lower.advance(self.judged_at);
        let instances = lower.relation().iter().map(|i| &i.key);
        let own = instances.filter(|key| assertion_id(&key.rule, &key.valuation) == *fact);
        let mut all = BTreeSet::new();
        for facts in own.filter_map(|key| lower.supported_by(key)) {
            all.extend(facts.iter().flat_map(|f| self.lower.behind(f).places()));
        }
        (all.into_iter().collect(), lower.next_change(self.judged_at).unwrap_or(NEVER))
    }

    /// Facts that share an id with an assertion, or a statement with such a fact, and those that hold whatever is said; and
    /// all that they were found by. `None` if it speaks of members only, whom every statement names.
    fn near(&self, args: &[Value]) -> Option<(Vec<(FactId, Fact)>, BTreeSet<Value>)> {
        let told = |value: Option<&Value>, wanted: &dyn Fn(&str) -> bool| {
            let read = |predicate: &str| self.asserting.signature.contains_key(predicate) && wanted(predicate);
            self.lower.monitor.told(read, value)
        };
        // What always holds has predicates of its own.
        let lasting = |predicate: &str| self.lasting.contains(predicate);
        let mut near: BTreeMap<FactId, Fact> = told(None, &lasting).into_iter().collect();
        let members: BTreeSet<Value> = near.values().flat_map(|fact| fact.args.clone()).collect();
        let mut values: Vec<Value> =
            args.iter().filter(|v| matches!(v, Value::Text(_)) && !members.contains(v)).cloned().collect();
        let mut names: BTreeSet<Value> = values.iter().cloned().collect();
        while let Some(value) = values.pop() {
            for (id, fact) in told(Some(&value), &|_| true) {
                let statements = fact.args.iter().filter(|v| matches!(v, Value::Text(t) if t.len() == 64));
                values.extend(statements.filter(|v| names.insert(Value::clone(v))).cloned());
                near.insert(id, fact);
            }
        }
        (!names.is_empty()).then(|| (near.into_iter().collect(), names))
    }

    /// Known entries of a kind with these values in these fields.
    pub(crate) fn stated(&self, kind: &str, given: &[(&str, &Value)]) -> impl Iterator<Item = usize> {
        let fits = move |k: &Known| k.kind.rule.name == kind && given.iter().all(|(f, v)| value_of(k, f) == **v);
        let first = |k: &Known| k.live;
        (0..self.known.len()).filter(move |n| first(&self.known[*n]) && fits(&self.known[*n]))
    }

    /// Entries that state the same thing as this one, compatibly.
    pub(crate) fn corroborating(&self, entry: usize) -> impl Iterator<Item = usize> {
        let one = self.known[entry].statement();
        let is_first = self.first.get(&one) == Some(&entry) && !self.terms.absent.contains(&one);
        let others = self.terms.agreed.from.get(&one).filter(|_| is_first).into_iter().flatten();
        others.filter(|other| !self.terms.absent.contains(*other)).filter_map(|other| self.first.get(other).copied())
    }

    /// Extensions that count, as places.
    pub(crate) fn extensions(&self) -> impl Iterator<Item = usize> {
        self.terms.extended.iter().filter_map(|id| self.first.get(id).copied())
    }

    /// Tolls with their acceptance (R5), as places.
    pub(crate) fn tolls(&self) -> impl Iterator<Item = (usize, usize)> {
        let place = |id: &StatementId| self.first.get(id).copied();
        self.terms.tolled.iter().filter_map(move |(toll, accepted)| Some((place(toll)?, place(accepted)?)))
    }

    /// Follows the record to what it is now. The monitor is told, and not asked yet.
    pub(crate) fn follow(&mut self, agreement: &Agreement, logs: &Logs, as_of: Instant, known_by: Instant) {
        // Silence after what is known; never before what is judged.
        let judged_at = as_of.max(known_by).0;
        self.judged_at = judged_at;
        self.lower.news = Some(BTreeSet::new()).filter(|_| !self.assertions.get_mut().is_empty());
        self.upper.retold = Some(BTreeSet::new()).filter(|_| !self.known.is_empty());
        let (changed, freed) = self.look(agreement, logs, known_by);

        // What is said by a statement, and what those that refer to it say of it.
        let mut touched = changed.clone();
        for id in &changed {
            touched.extend(self.referring_to(id));
        }
        for n in self.counted(&touched) {
            let mut told = self.of_record(n, &self.lower);
            told.extend(self.said(n, &self.known[n].kind.lower, None));
            if let Some(apart) = &mut self.before_alike {
                let read = told.iter().filter(|(_, fact, _)| apart.watches(&fact.predicate)).cloned();
                apart.tell(Ground::Statement(n), read.collect());
            }
            self.lower.tell(Ground::Statement(n), told);
        }
        // Which statements speak of one thing is asked of those that count at all.
        let apart = self.before_alike.as_mut().unwrap_or(&mut self.lower);
        apart.monitor.advance(judged_at);
        let turned = apart.monitor.turned("absent");
        if self.before_alike.is_none() {
            self.terms.take("absent", &turned);
        }
        let mut again = touched.clone();
        for (id, absent) in turned.iter().filter_map(|(row, holds)| Some((statement_of(row.first()?)?, *holds))) {
            if absent {
                self.disregarded.insert(id)
            } else {
                self.disregarded.remove(&id)
            };
            again.insert(id);
            again.extend(self.referring_to(&id));
            touched.insert(id);
        }
        self.pair(&again);
        self.lower.monitor.advance(judged_at);
        if let Some(news) = self.lower.news.take() {
            let gone = self.assertions.get_mut().extract_if(.., |_, explained| !explained.stays(&news, judged_at));
            gone.for_each(|(fact, _)| self.upper.note(Some(fact)));
        }

        // Of whom Article 1 says otherwise than before, and who is linked with any of these.
        for term in TERMED {
            let turned = self.lower.monitor.turned(term);
            self.terms.take(term, &turned);
            touched.extend(turned.iter().flat_map(|(row, _)| row).filter_map(statement_of));
        }
        let linked: Vec<StatementId> =
            touched.iter().flat_map(|id| self.terms.agreed.with(id).chain(self.terms.paired.with(id))).collect();
        touched.extend(linked);
        for n in self.counted(&touched) {
            let upper = &self.known[n].kind.upper;
            let prompt = self.prompt(n);
            let mut told = self.seen(n, prompt);
            told.extend(self.said(n, upper, prompt));
            told.extend(self.of_record(n, &self.upper));
            self.upper.tell(Ground::Statement(n), told);
        }
        self.take_back(&touched);
        self.claim(agreement);
        self.tick(agreement, as_of);
        if self.upper.watches(BEHIND) {
            let told = behind(agreement, logs, known_by, &self.upper);
            self.upper.tell(Ground::Witnesses, told);
        }
        self.free.extend(freed);
    }

    /// Statements that refer to one.
    fn referring_to(&self, id: &StatementId) -> Vec<StatementId> {
        self.referring.get(id).into_iter().flatten().map(|n| self.known[*n].statement()).collect()
    }

    /// Places of the counted copies of statements.
    fn counted(&self, ids: &BTreeSet<StatementId>) -> Vec<usize> {
        ids.iter().filter_map(|id| self.first.get(id).copied()).collect()
    }

    /// Looks through the record for entries that came, went, or are timed otherwise. Gives the statements of which
    /// something changed, and places that will be free when nothing speaks of them any more.
    fn look(&mut self, agreement: &Agreement, logs: &Logs, known_by: Instant) -> (BTreeSet<StatementId>, Vec<usize>) {
        let mut gone: Vec<Looked> = Vec::new();
        let mut come: Vec<(Arc<str>, usize)> = Vec::new();
        let mut looked = std::mem::take(&mut self.looked);
        let entries = logs.entries();
        let mut begin = 0;
        let mut origins: BTreeSet<Arc<str>> = BTreeSet::new();
        while let Some(first) = entries.get(begin) {
            let origin = first.origin.clone();
            let end = begin + entries[begin..].partition_point(|e| e.origin == origin);
            let log = looked.entry(origin.clone()).or_default();
            let same = |entry: &Arc<Entry>, logged: Logged, n: usize| {
                (Arc::ptr_eq(entry, &entries[n]) || *entry == entries[n]) && logged == logs.logged(n, known_by)
            };
            let held = log.entries.iter().zip(&entries[begin..end]);
            let untouched = held.take_while(|(held, entry)| Arc::ptr_eq(held, entry)).count();
            let untouched = logs.logged_alike(begin, &log.logged[..untouched], known_by);
            let mut rest = log.split_off(untouched).peekable();
            for (n, entry) in entries.iter().enumerate().take(end).skip(begin + untouched) {
                while let Some(held) = rest.next_if(|held| held.entry.index < entry.index) {
                    gone.push(held);
                }
                match rest.next_if(|held| held.entry.index == entry.index) {
                    Some(held) if same(&held.entry, held.logged, n) => {
                        log.push(held);
                        continue;
                    }
                    held => gone.extend(held),
                }
                come.push((origin.clone(), log.entries.len()));
                log.push(Looked { entry: entry.clone(), logged: logs.logged(n, known_by), place: None });
            }
            gone.extend(rest);
            origins.insert(origin);
            begin = end;
        }
        let ended: Vec<Arc<str>> = looked.keys().filter(|origin| !origins.contains(*origin)).cloned().collect();
        for origin in ended {
            gone.extend(looked.remove(&origin).into_iter().flat_map(|mut log| log.split_off(0)));
        }

        let mut changed = BTreeSet::new();
        let mut freed = Vec::new();
        let mut leaving: Vec<usize> = Vec::new();
        for held in gone {
            self.strangers.remove(&(held.entry.origin.clone(), held.entry.index));
            if let Some(n) = held.place {
                changed.insert(held.entry.statement_id);
                leaving.push(n);
            }
        }
        let mut coming: Vec<Known> = Vec::new();
        let mut places: Vec<(Arc<str>, usize)> = Vec::new();
        for (origin, n) in come {
            let (entry, logged) = (looked[&origin].entries[n].clone(), looked[&origin].logged[n]);
            let statement = &entry.statement;
            if statement.kind == "founding" && statement.agreement != agreement.digest() {
                self.strangers.insert((origin.clone(), entry.index), statement.agreement);
            }
            if let Some(known) = self.consider(agreement, entry, logged) {
                changed.insert(known.statement());
                coming.push(known);
                places.push((origin, n));
            }
        }
        // Whatever was counted of these statements is taken out, and then put back as it is now.
        for id in &changed {
            if let Some(n) = self.first.remove(id) {
                self.leaves(n);
            }
        }
        for n in leaving {
            self.known[n].live = false;
            let id = self.known[n].statement();
            if let Some(copies) = self.copies.get_mut(&id) {
                copies.retain(|copy| *copy != n);
                if copies.is_empty() {
                    self.copies.remove(&id);
                }
            }
            freed.push(n);
        }
        for (known, (origin, at)) in coming.into_iter().zip(places) {
            let id = known.statement();
            let n = match self.free.pop() {
                Some(n) => {
                    self.known[n] = known;
                    n
                }
                None => {
                    self.known.push(known);
                    self.known.len() - 1
                }
            };
            self.copies.entry(id).or_default().push(n);
            if let Some(place) = looked.get_mut(&origin).and_then(|log| log.places.get_mut(at)) {
                *place = Some(n);
            }
        }
        self.looked = looked;
        for id in &changed {
            let copies = self.copies.get(id).into_iter().flatten();
            if let Some(&n) = copies.min_by_key(|n| self.known[**n].order()) {
                self.first.insert(*id, n);
                self.enters(agreement, n);
            }
        }
        (changed, freed)
    }

    /// What an entry is to rules, if it counts for anything.
    fn consider(&mut self, agreement: &Agreement, entry: Arc<Entry>, logged: Logged) -> Option<Known> {
        let statement = &entry.statement;
        let kind = self.kinds.get(&statement.kind)?.clone();
        if statement.drill || statement.agreement != agreement.digest() {
            return None;
        }
        let (at, timed) = match logged {
            Logged::Unproven => return None,
            Logged::Within(at) => (at, true),
            // It is there, but more witnesses lie than the policy bears. Asserted when a quorum says that it came, it leaves
            // open both that it came then and that it did not.
            Logged::Disputed { by, .. } => (LoggedAt { lo: Instant(i64::MIN), hi: by }, false),
            // Its keeper signed another tree, or the key that signed it was stolen: that it says so is asserted, and nothing is
            // settled by it.
            Logged::Equivocated(at) | Logged::Stolen(at) => (at, false),
        };
        agreement.fits(statement).ok()?;
        let party = statement.party.as_str();
        let own = match kind.rule.actor.as_deref() {
            Some("by") | None => true,
            Some(field) => matches!(statement.fields.get(field), Some(FieldValue::Text(actor)) if actor == party),
        };
        let id = Value::text(hex(&entry.statement_id.0));
        let by = match self.names.get(party) {
            Some(by) => by.clone(),
            None => self.names.entry(party.to_string()).or_insert(Value::text(party)).clone(),
        };
        let stem = format!("{} {:012}", entry.origin, entry.index);
        Some(Known { at, timed, kind, id, by, stem, own, live: true, entry })
    }

    /// The counted copy of a statement goes, perhaps to come back as it is now.
    fn leaves(&mut self, n: usize) {
        if let Some(key) = self.group_of(n) {
            self.stir(key, n, false);
        }
        for pair in self.confirming.remove(&n).unwrap_or_default() {
            self.unpair(pair);
        }
        for reference in &self.known[n].entry.statement.refs {
            if let Some(referring) = self.referring.get_mut(&reference.id) {
                referring.remove(&n);
                if referring.is_empty() {
                    self.referring.remove(&reference.id);
                }
            }
            if reference.rel == Rel::Withdraws {
                self.released.insert(reference.id);
            }
        }
        if let Some(text) = self.read_place(n).map(places::text)
            && let Some(count) = self.places.get_mut(&text)
        {
            *count -= 1;
            if *count == 0 {
                self.places.remove(&text);
                self.tell_all(Ground::Place(text), |_| Vec::new());
            }
        }
        self.tell_all(Ground::Statement(n), |_| Vec::new());
    }

    fn enters(&mut self, agreement: &Agreement, n: usize) {
        for reference in &self.known[n].entry.statement.refs {
            self.referring.entry(reference.id).or_default().insert(n);
        }
        if let Some(place) = self.read_place(n).cloned() {
            let text = places::text(&place);
            let count = self.places.entry(text.clone()).or_default();
            *count += 1;
            if *count == 1 {
                let told = |telling: &Telling| metres(agreement.program(), &place, telling);
                self.tell_all(Ground::Place(text), told);
            }
        }
    }

    /// Tells every stratum.
    fn tell_all(&mut self, ground: Ground, told: impl Fn(&Telling) -> Vec<Told>) {
        for telling in [Some(&mut self.lower), Some(&mut self.upper), self.before_alike.as_mut()].into_iter().flatten()
        {
            let told = told(telling);
            telling.tell(ground.clone(), told);
        }
    }

    /// The place of a statement, if rules read it.
    fn read_place(&self, n: usize) -> Option<&Place> {
        let k = &self.known[n];
        k.entry.statement.place.as_ref().filter(|_| self.placed.contains(&k.kind.rule.name))
    }

    fn group_of(&self, n: usize) -> Option<GroupKey> {
        let k = &self.known[n];
        let ids = &k.kind.rule.id;
        let named = || [k.kind.name.clone()].into_iter().chain(ids.iter().map(|field| value_of(k, field))).collect();
        (k.occurred().is_some() && !ids.is_empty()).then(named)
    }

    fn stir(&mut self, key: GroupKey, n: usize, counts: bool) {
        let group = self.groups.entry(key.clone()).or_default();
        if group.stirred.is_empty() {
            self.stirred.push(key);
        }
        group.stirred.push(n);
        if counts {
            group.members.insert(n);
        } else {
            group.members.remove(&n);
        }
    }

    fn unpair(&mut self, pair: (usize, usize)) {
        if let Some(count) = self.alike.get_mut(&pair) {
            *count -= 1;
            if *count == 0 {
                self.alike.remove(&pair);
            }
        }
        self.repaired.insert(pair);
    }

    fn repair(&mut self, pair: (usize, usize)) {
        *self.alike.entry(pair).or_default() += 1;
        self.repaired.insert(pair);
    }

    /// Pairs of seen statements that speak of one thing, the earlier logged first: of one kind, with the same identifying
    /// fields or one confirming the other, at places that may be one. Of those by one author each is held against his first
    /// only: whoever says the same a thousand times adds a thousand pairs, not a million. Tells which speak of one thing,
    /// and which of two was logged first.
    fn pair(&mut self, again: &BTreeSet<StatementId>) {
        for n in self.counted(again) {
            let counts = !self.disregarded.contains(&self.known[n].statement());
            if let Some(key) = self.group_of(n) {
                self.stir(key, n, counts);
            }
            for pair in self.confirming.remove(&n).unwrap_or_default() {
                self.unpair(pair);
            }
            if counts && self.known[n].occurred().is_some() {
                let confirmed = self.confirmed_by(n);
                confirmed.iter().for_each(|pair| self.repair(*pair));
                if !confirmed.is_empty() {
                    self.confirming.insert(n, confirmed);
                }
            }
        }
        for key in std::mem::take(&mut self.stirred) {
            let Some(mut group) = self.groups.remove(&key) else { continue };
            let mut members: Vec<usize> = group.members.iter().copied().collect();
            members.sort_by(|a, b| self.known[*a].order().cmp(&self.known[*b].order()));
            let author = |n: usize| self.known[n].entry.statement.party.as_str();
            let mut pairs = among(&members, author, |a, b| self.overlap(a, b));
            pairs.sort_unstable();
            let before = std::mem::replace(&mut group.pairs, pairs);
            // Pairs of which nothing changed are told as they are.
            let stirred: BTreeSet<usize> = std::mem::take(&mut group.stirred).into_iter().collect();
            let stays = |(one, other): &(usize, usize), beside: &[(usize, usize)]| {
                !stirred.contains(one) && !stirred.contains(other) && beside.binary_search(&(*one, *other)).is_ok()
            };
            for pair in before.iter().filter(|pair| !stays(pair, &group.pairs)) {
                self.unpair(*pair);
            }
            for pair in group.pairs.iter().filter(|pair| !stays(pair, &before)) {
                self.repair(*pair);
            }
            if !group.members.is_empty() {
                self.groups.insert(key, group);
            }
        }
        // Those that are gone first: of two that changed places, the one left has some of the same facts.
        let repaired = std::mem::take(&mut self.repaired);
        let (left, gone): (Vec<_>, Vec<_>) = repaired.into_iter().partition(|pair| self.alike.contains_key(pair));
        for (earlier, later) in gone.into_iter().chain(left) {
            let [lower, upper] = [&self.lower, &self.upper].map(|telling| self.alike(earlier, later, telling));
            self.lower.tell(Ground::Pair(earlier, later), lower);
            self.upper.tell(Ground::Pair(earlier, later), upper);
        }
    }

    /// Whether the places of two statements may be one.
    fn overlap(&self, a: usize, b: usize) -> bool {
        let place = |n: usize| self.known[n].entry.statement.place.as_ref();
        match (place(a), place(b)) {
            (Some(a), Some(b)) => distance::overlap(a, b),
            _ => true,
        }
    }

    /// Pairs of a statement with those of others that it confirms.
    fn confirmed_by(&self, n: usize) -> Vec<(usize, usize)> {
        let k = &self.known[n];
        let confirmed = k.entry.statement.refs.iter().filter(|r| r.rel == Rel::Confirms).filter_map(|reference| {
            let other = *self.first.get(&reference.id)?;
            let o = &self.known[other];
            let fits = !self.disregarded.contains(&reference.id)
                && k.by != o.by
                && k.kind.name == o.kind.name
                && self.overlap(n, other);
            fits.then_some(if k.order() > o.order() { (other, n) } else { (n, other) })
        });
        let confirmed: BTreeSet<(usize, usize)> = confirmed.collect();
        confirmed.into_iter().collect()
    }

    fn alike(&self, earlier: usize, later: usize, into: &Telling) -> Vec<Told> {
        let mut told = Vec::new();
        if !self.alike.contains_key(&(earlier, later)) {
            return told;
        }
        let ids = |a: usize, b: usize| vec![self.known[a].id.clone(), self.known[b].id.clone()];
        let at = self.known[earlier].at.hi.max(self.known[later].at.hi);
        let mut event = |name: &Option<Name>, a: usize, b: usize| {
            if let Some(name) = name {
                told.push(self.event(name, "", ids(a, b), at, true, Behind::Two(a, b)));
            }
        };
        event(&into.words.same, earlier, later);
        event(&into.words.same, later, earlier);
        event(&into.words.before, earlier, later);
        told
    }

    /// A fact at an instant. What rests on an entry of which it is not settled when it came is asserted only.
    fn event(&self, name: &Name, mark: &str, args: Vec<Value>, at: Instant, admitted: bool, behind: Behind) -> Told {
        // Named by log and index, so that a fact has one name whatever else is known, and names sort as entries do.
        let known = |n: usize| (self.known[n].stem.as_str(), self.known[n].timed);
        let (one, plus, other, timed) = match behind {
            Behind::Nothing => ("", "", "", true),
            Behind::One(n) => (known(n).0, "", "", known(n).1),
            Behind::Two(n, o) => (known(n).0, "+", known(o).0, known(n).1 && known(o).1),
        };
        let id = [one, plus, other, " ", name, mark].concat();
        let (predicate, admitted) = (name.clone(), admitted && timed);
        (FactId::new(id), Fact { predicate, args, from: at.0, to: at.0, admitted }, behind)
    }

    /// What the record says of a statement, for Article 1's block.
    fn of_record(&self, n: usize, into: &Telling) -> Vec<Told> {
        let (k, words) = (&self.known[n], &into.words);
        let mut told = Vec::new();
        let mut event = |name: &Option<Name>, mark: &str, args: &[&Value]| {
            if let Some(name) = name {
                let args = args.iter().copied().cloned().collect();
                told.push(self.event(name, mark, args, k.at.hi, true, Behind::One(n)));
            }
        };
        event(&words.author, "", &[&k.id, &k.by]);
        if let Some(occurred) = k.occurred() {
            let [from, to, hi] = [occurred.from, occurred.to, k.at.hi].map(|at| Value::Int(at.0));
            event(&words.word, "", &[&k.id, &k.kind.name, &k.by, &from, &to, &hi]);
            if k.own {
                event(&words.own, "", &[&k.id]);
            }
        }
        if words.signed.is_some() {
            let signers: BTreeSet<&str> = k.entry.signers.iter().map(|s| s.node.as_str()).collect();
            for (i, signer) in signers.into_iter().filter(|s| self.signs.contains(*s)).enumerate() {
                event(&words.signed, &format!(" {i}"), &[&k.id, &Value::text(signer)]);
            }
        }
        for (i, reference) in k.entry.statement.refs.iter().enumerate() {
            let (target, mark) = (Value::text(hex(&reference.id.0)), format!(" {i}"));
            match reference.rel {
                // Only the author takes a statement back.
                Rel::Withdraws if self.is_own(n, &reference.id) => event(&words.withdraws, &mark, &[&k.id, &target]),
                Rel::Cites => event(&words.cites, &mark, &[&k.id, &target]),
                Rel::Confirms => event(&words.confirms, &mark, &[&k.id, &target]),
                _ => {}
            }
            if !matches!(reference.rel, Rel::Withdraws | Rel::Supersedes) {
                for (predicate, word) in [(&words.contests, "contested"), (&words.consents, "consent")] {
                    if k.kind.rule.name == word {
                        event(predicate, &mark, &[&k.id, &target, &k.by]);
                    }
                }
            }
        }
        told
    }

    /// Whether a statement that counts is by the author of another.
    fn is_own(&self, n: usize, of: &StatementId) -> bool {
        self.first.get(of).is_some_and(|target| self.known[*target].by == self.known[n].by)
    }

    /// Said kinds are facts by being logged, at hi, and admitted; extra facts stand at the instant that a field names.
    fn said(&self, n: usize, names: &Positions, prompt: Option<Instant>) -> Vec<Told> {
        let k = &self.known[n];
        let mut told = Vec::new();
        if k.kind.rule.speech != Speech::Said {
            return told;
        }
        if names.plain.is_none() && names.receipt.is_none() && names.also.is_empty() {
            return told;
        }
        let args = columns(k);
        let mut event = |name: &Name, at| {
            told.push(self.event(name, "", args.clone(), at, true, Behind::One(n)));
        };
        if let Some(name) = &names.plain {
            event(name, k.at.hi);
        }
        if let Some(name) = &names.receipt {
            event(name, prompt.unwrap_or(k.at.hi));
        }
        for (name, field) in &names.also {
            if let Value::Int(at) = value_of(k, field)
                && at != i64::MIN
            {
                event(name, Instant(at));
            }
        }
        told
    }

    /// Seen kinds, as Article 1 lets them through.
    fn seen(&self, n: usize, prompt: Option<Instant>) -> Vec<Told> {
        let (k, terms) = (&self.known[n], &self.terms);
        let names = &k.kind.upper;
        let mut told = Vec::new();
        let id = k.statement();
        let (Some(occurred), Some(plain)) = (k.occurred(), &names.plain) else { return told };
        if terms.absent.contains(&id) {
            return told;
        }
        let args = columns(k);
        let admitted = terms.admitted.contains(&id);
        let mut event = |name: &Option<Name>, at: Instant, behind: Behind| {
            if let Some(name) = name {
                told.push(self.event(name, "", args.clone(), at, admitted, behind));
            }
        };
        let one = Behind::One(n);
        let prompt = prompt.unwrap_or(k.at.hi);
        event(&Some(plain.clone()), occurred.to, one);
        event(&names.late, k.at.hi, one);
        event(&names.late_receipt, prompt, one);
        for other in self.corroborating(n) {
            let end = self.known[other].occurred().map_or(occurred.to, |o| o.to).min(occurred.to);
            event(&names.agreed, end, Behind::Two(n, other));
        }
        if terms.first.contains(&id) {
            if k.own {
                event(&names.own, occurred.to, one);
            }
            event(&names.word_receipt, prompt, one);
            event(&names.word, k.at.hi, one);
        }
        told
    }

    /// When a statement counts by receipt: at the later of the two times of stating, once both ends have logged it; never
    /// later than when it was logged. A time of stating after the logging is no time of stating.
    fn prompt(&self, n: usize) -> Option<Instant> {
        let k = &self.known[n];
        let stated = |k: &Known| Some(k.entry.statement.stated_at).filter(|at| *at <= k.at.hi);
        let own = stated(k)?;
        let others = self.terms.paired.with(&self.known[n].entry.statement_id);
        let others = others.filter_map(|other| stated(&self.known[*self.first.get(&other)?]));
        others.map(|other| own.max(other).min(k.at.hi)).min()
    }

    /// Statements taken back by their own author, each by its first withdrawal.
    fn take_back(&mut self, touched: &BTreeSet<StatementId>) {
        let mut targets = std::mem::take(&mut self.released);
        for n in self.counted(touched) {
            let refs = &self.known[n].entry.statement.refs;
            targets.extend(refs.iter().filter(|r| r.rel == Rel::Withdraws).map(|r| r.id));
        }
        targets
            .extend(touched.iter().filter(|id| self.referring.contains_key(*id) || self.withdrawals.contains_key(*id)));
        for target in targets {
            let withdraws = |n: &usize| {
                let mut refs = self.known[*n].entry.statement.refs.iter();
                refs.any(|r| r.rel == Rel::Withdraws && r.id == target) && self.is_own(*n, &target)
            };
            let by = self.referring.get(&target).into_iter().flatten().copied().filter(withdraws);
            let first = by.min_by_key(|n| self.known[*n].order());
            let mut told = Vec::new();
            if let (Some(n), Some(name)) = (first, self.upper.named(WITHDRAWN)) {
                // One statement may take back several.
                let (id, mark) = (hex(&target.0), format!(" {}", hex(&target.0)));
                told.push(self.event(name, &mark, vec![Value::text(id)], self.known[n].at.hi, true, Behind::One(n)));
            }
            self.upper.tell(Ground::Withdrawn(target), told);
            match first {
                Some(n) => self.withdrawals.insert(target, n),
                None => self.withdrawals.remove(&target),
            };
        }
    }

    /// What is asserted, or no longer is.
    fn claim(&mut self, agreement: &Agreement) {
        for assert in &agreement.program().asserts {
            for (definition, admits) in [(assert.name.clone(), false), (format!("{}.admitted", assert.name), true)] {
                for (args, holds) in self.lower.monitor.turned(&definition) {
                    let id = assertion_id(&assert.name, &args);
                    let claim = self.claims.entry(id.clone()).or_insert_with(|| Claim {
                        name: Name::from(assert.name.as_str()),
                        args,
                        asserted: false,
                        admitted: false,
                    });
                    *if admits { &mut claim.admitted } else { &mut claim.asserted } = holds;
                    let mut told = Vec::new();
                    if claim.asserted && self.upper.watches(&claim.name) {
                        let (predicate, args) = (claim.name.clone(), claim.args.clone());
                        let fact = Fact { predicate, args, from: SINCE_EVER, to: NEVER, admitted: claim.admitted };
                        told.push((id.clone(), fact, Behind::Nothing));
                    }
                    if !claim.asserted && !claim.admitted {
                        self.claims.remove(&id);
                    }
                    self.upper.tell(Ground::Claim(id), told);
                }
            }
        }
    }

    /// Ticks of the calendar up to an instant, behind which no entry stands.
    fn tick(&mut self, agreement: &Agreement, as_of: Instant) {
        if self.ticked_to == Some(as_of) {
            return;
        }
        let from = agreement.in_force().unwrap_or(as_of);
        // Only those that are new are asked for, unless time went back or has no beginning.
        let go_on = self.ticked_to.filter(|to| *to <= as_of && agreement.in_force().is_some());
        if go_on.is_none() {
            for (at, predicate) in std::mem::take(&mut self.ticked) {
                self.upper.tell(Ground::Tick(predicate, at), Vec::new());
            }
        }
        let from = go_on.map_or(from, |to| from.max(to.plus(1)));
        for (predicate, tick) in &agreement.program().ticks {
            let Some(name) = self.upper.named(predicate).cloned() else { continue };
            for beat in tick.between(agreement.seasons(), from, as_of) {
                let id = FactId::new(format!("={predicate} {}", beat.at.0));
                let (predicate, args) = (name.clone(), vec![Value::Int(beat.value)]);
                let fact = Fact { predicate, args, from: beat.at.0, to: beat.at.0, admitted: true };
                self.upper.tell(Ground::Tick(name.clone(), beat.at), vec![(id, fact, Behind::Nothing)]);
                self.ticked.insert((beat.at, name.clone()));
            }
        }
        self.ticked_to = Some(as_of);
    }
}

impl Terms {
    /// Takes in rows that turned.
    fn take(&mut self, term: &str, turned: &[(Vec<Value>, bool)]) {
        for (row, holds) in turned {
            let ids: Option<Vec<StatementId>> = row.iter().map(statement_of).collect();
            match (term, ids.as_deref()) {
                ("absent", Some([id])) => set(&mut self.absent, *id, *holds),
                ("admitted", Some([id])) => set(&mut self.admitted, *id, *holds),
                ("first", Some([id])) => set(&mut self.first, *id, *holds),
                ("extended", Some([id])) if *holds => _ = self.extended.insert(*id),
                ("extended", Some([id])) => _ = self.extended.remove(id),
                ("agreed", Some([one, other])) if one != other => self.agreed.set(*one, *other, *holds),
                ("paired", Some([one, other])) if one != other => self.paired.set(*one, *other, *holds),
                ("tolled", Some([one, other])) if one != other && *holds => _ = self.tolled.insert((*one, *other)),
                ("tolled", Some([one, other])) => _ = self.tolled.remove(&(*one, *other)),
                _ => {}
            }
        }
    }
}

fn set(terms: &mut BTreeSet<StatementId>, id: StatementId, holds: bool) {
    if holds {
        terms.insert(id)
    } else {
        terms.remove(&id)
    };
}

/// The statement that a rule's value names.
fn statement_of(value: &Value) -> Option<StatementId> {
    if let Value::Text(text) = value { text.parse().ok() } else { None }
}

/// `backed("A1", "P1")` asserted and `backed.admitted("A1", "P1")` are one fact.
fn assertion_id(rule: &str, valuation: &[Value]) -> FactId {
    let name = rule.trim_start_matches("assert ").trim_end_matches(".admitted");
    FactId::new(format!("~{name}{valuation:?}"))
}

/// A monitor that was told nothing.
fn monitor(stratum: &Stratum) -> Monitor {
    Monitor::new(&stratum.rules, &stratum.signature)
        .expect("the agreement was refused at parsing if its rules cannot be watched")
}

fn put(monitor: &mut Monitor, id: FactId, fact: Fact) -> Put {
    monitor.put(id, fact).expect("facts are built by the columns that the rules were compiled for")
}

/// What held for a while, or always, without a statement that says so.
fn state(name: &Name, args: Vec<Value>, from: i64, to: i64) -> Told {
    let since = if from == SINCE_EVER { String::new() } else { format!(" {from}") };
    let id = FactId::new(format!("={name}{args:?}{since}"));
    (id, Fact { predicate: name.clone(), args, from, to, admitted: true }, Behind::Nothing)
}

/// What holds whatever is said.
fn always(agreement: &Agreement, into: &Telling) -> Vec<Told> {
    let mut told = Vec::new();
    let mut constant = |predicate: &str, args: Vec<Value>| {
        told.extend(into.named(predicate).map(|name| state(name, args, SINCE_EVER, NEVER)));
    };
    let members = agreement.members();
    for member in members {
        let name = Value::text(&member.name);
        match member.role {
            MemberRole::Party => {
                constant("party", vec![name.clone()]);
                for other in members.iter().filter(|m| m.role == MemberRole::Party && m.name != member.name) {
                    constant("counterparty", vec![name.clone(), Value::text(&other.name)]);
                }
            }
            MemberRole::Guarantor => constant("guarantor", vec![name.clone()]),
            MemberRole::Witness => {}
        }
        // Nobody cosigns his own log.
        for witness in members.iter().filter(|m| member.origin.is_some() && m.name != member.name) {
            constant("log", vec![name.clone(), Value::text(&witness.name)]);
        }
    }
    for (table, row) in &agreement.program().annexed {
        constant(table, row.clone());
    }
    for kind in agreement.rules().kinds.values() {
        if kind.guarantor_admits {
            constant("dagger", vec![Value::text(&kind.name)]);
        }
        if kind.harms {
            constant("harms", vec![Value::text(&kind.name)]);
        }
    }
    told
}

/// Metres of a place that rules read.
fn metres(program: &Program, place: &Place, into: &Telling) -> Vec<Told> {
    let mut told = Vec::new();
    if !into.watches(EXTENT) {
        return told;
    }
    let text = places::text(place);
    if let Some(name) = into.named(DISTANCE) {
        for (to, named) in &program.places {
            let args = vec![Value::text(&text), Value::text(to), Value::Int(named.distance_m(place))];
            told.push(state(name, args, SINCE_EVER, NEVER));
        }
    }
    if let Some(name) = into.named(EXTENT) {
        told.push(state(name, vec![Value::text(&text), Value::Int(places::extent_m(place))], SINCE_EVER, NEVER));
    }
    told
}

/// When a witness was behind: from so many seconds after another cosigned a checkpoint until it cosigned that one or a
/// later one itself.
fn behind(agreement: &Agreement, logs: &Logs, known_by: Instant, into: &Telling) -> Vec<Told> {
    let mut told = Vec::new();
    let Some(name) = into.named(BEHIND) else { return told };
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
                    told.push(state(name, args, from, to));
                }
            }
        }
    }
    told
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
fn value_of(k: &Known, field: &str) -> Value {
    match field {
        "by" => return k.by.clone(),
        "entry" => return k.id.clone(),
        _ => {}
    }
    let kind = k.kind.rule.fields.iter().find(|(n, ..)| n == field).map_or(&Type::Text, |(_, t, _)| t);
    value_in(k, field, kind)
}

/// The value of a field of a type.
fn value_in(k: &Known, field: &str, kind: &Type) -> Value {
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
fn columns(k: &Known) -> Vec<Value> {
    let fields = k.kind.rule.fields.iter().filter(|(_, t, _)| *t != Type::Place);
    let mut columns: Vec<Value> = fields.map(|(field, kind, _)| value_in(k, field, kind)).collect();
    columns.push(k.by.clone());
    columns.push(k.id.clone());
    columns.push(Value::text(k.entry.statement.place.as_ref().map(places::text).unwrap_or_default()));
    match k.occurred() {
        Some(occurred) => {
            columns.push(Value::Int(occurred.from.0));
            columns.push(Value::Int(i64::from(k.own)));
        }
        None => columns.push(k.id.clone()),
    }
    columns
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
