//! From rule blocks to what the monitor watches: types are checked, names resolved, positions decided (R2).
//!
//! ```text
//! opens  closure(closure: k, closer: x)          must  lane_open(closure: k)  within 12 h        bearer x
//!   closure.own(k, by = x) at its `to`             EVENTUALLY[0,43200] ( lane_open(k, by ≠ x) at its `to`
//!   or closure.word(k, by ≠ x) at its hi                              or lane_open.late(k, by = x) at its hi
//!                                                                     or lane_open.agreed(k, by = x) at the common end )
//! ```
//!
//! There are two strata. The *lower* one reads the record: who stated what, what was withdrawn, what was said; from it
//! come Article 1's `absent`, `admitted`, `agreed`, `first` and everything that is `assert`ed. The *upper* one reads facts
//! as the lower one lets them through, and holds the rules. Columns that no reader knows begin with `$`.
use crate::annex::{Charter, Enumeration, Kinds, Table, Type};
use crate::block::{
    Argument, Assert, At, Clauses, CommitmentBlock, Compared, Define, Effect, Exception, Expr, IntWord, Item, Metres,
    Must, Named, Operator, Span, Term,
};
use crate::calendar::Tick;
use crate::places;
use crate::source::{Diagnostic, Speech};
use hamsaya_monitor as monitor;
use hamsaya_monitor::{Comparison, Definition, Formula, Monitor, Rule, Rules, Signature, Value, Window};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// What Article 1 must say: what does not count, what is admitted, what corroborates what, what opens clocks.
pub(crate) const TERMS: &[(&str, &[&str])] =
    &[("absent", &["entry"]), ("admitted", &["entry"]), ("agreed", &["entry", "other"]), ("first", &["entry"])];

/// What Article 1 may say: which extensions and tolls move a clock (R5), and what both ends have logged (R2).
pub(crate) const MORE_TERMS: &[(&str, &[&str])] =
    &[("extended", &["entry"]), ("tolled", &["entry", "accepted"]), ("paired", &["entry", "other"])];

/// A value that is not there. No field holds an empty text, nor a number so small.
pub(crate) fn nothing(kind: &Type) -> Value {
    if kind.is_int() { Value::Int(i64::MIN) } else { Value::text("") }
}

/// An item of a rule block, the file it stands in, and the first of its descriptions among all commitments.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub file: String,
    pub first_commitment: usize,
    pub item: Item,
}

/// One stratum as the monitor takes it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stratum {
    pub rules: Rules,
    pub signature: Signature,
}

/// A compiled agreement.
#[derive(Clone, Debug, Default)]
pub(crate) struct Program {
    pub lower: Stratum,
    pub upper: Stratum,
    /// By rule of the upper stratum.
    pub clocks: BTreeMap<Arc<str>, Clock>,
    pub asserts: Vec<AssertColumns>,
    /// Columns of every predicate and definition, as the monitor has them.
    pub columns: BTreeMap<String, Vec<Column>>,
    /// Ticks that open clocks, by predicate.
    pub ticks: BTreeMap<String, Tick>,
    /// Rows of annexes that rules read: they always hold.
    pub annexed: Vec<(String, Vec<Value>)>,
    /// What distances are measured to, by name.
    pub places: BTreeMap<String, places::Named>,
    /// Kinds whose place rules read.
    pub placed: BTreeSet<String>,
    /// Seconds for which rules ask whether a witness is behind.
    pub lags: BTreeSet<i64>,
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, stratum) in [("lower", &self.lower), ("upper", &self.upper)] {
            writeln!(f, "{name} stratum")?;
            for (predicate, columns) in &stratum.signature {
                let columns: Vec<String> = columns.iter().map(ToString::to_string).collect();
                writeln!(f, "  predicate {predicate}({})", columns.join(", "))?;
            }
            for Definition { name, params, body } in &stratum.rules.definitions {
                writeln!(f, "  define {name}({}) {body}", params.join(", "))?;
            }
            for Rule { name, opens, key, since, must, lapses } in &stratum.rules.rules {
                let since = since.as_deref().unwrap_or("-");
                writeln!(f, "  rule {name}({}) since {since}\n    opens {opens}\n    must {must}", key.join(", "))?;
                if let Some(lapses) = lapses {
                    writeln!(f, "    lapses {lapses}")?;
                }
            }
        }
        for (name, clock) in &self.clocks {
            writeln!(f, "clock {name} {clock:?}")?;
        }
        let (asserts, columns) = (&self.asserts, &self.columns);
        writeln!(f, "asserts {asserts:?}\ncolumns {columns:?}\nticks {:?}", self.ticks)?;
        writeln!(f, "annexed {:?}\nplaces {:?} {:?}\nlags {:?}", self.annexed, self.places, self.placed, self.lags)
    }
}

impl Program {
    /// The rules of some parts, those whose breach they name, and the definitions that they rest on.
    pub(crate) fn only(&self, parts: &BTreeSet<String>) -> Program {
        let mut program = self.clone();
        program.upper = self.upper.only(|rule| rule.split('~').next().is_some_and(|name| parts.contains(name)));
        let rules = &program.upper.rules.rules;
        program.clocks.retain(|name, _| rules.iter().any(|r| r.name == *name));
        let signature = &program.upper.signature;
        program.ticks.retain(|predicate, _| signature.contains_key(predicate.as_str()));
        program
    }
}

impl Stratum {
    /// A definition and what it rests on.
    pub(crate) fn defining(&self, definition: &str) -> Stratum {
        // A rule that reads it stands in for it.
        let params = self.rules.definitions.iter().find(|d| &*d.name == definition).map(|d| d.params.clone());
        let key = params.unwrap_or_default();
        let args = key.iter().map(|name| monitor::Term::Var(name.clone())).collect();
        let opens = Formula::Atom { name: definition.into(), args };
        let rule = Rule { name: definition.into(), opens, key, since: None, must: Formula::True, lapses: None };
        let mut stratum = self.clone();
        stratum.rules.rules = vec![rule];
        stratum = stratum.only(|_| true);
        stratum.rules.rules.clear();
        stratum
    }

    /// The rules that are wanted, those whose breach they name, and what they rest on.
    pub(crate) fn only(&self, wanted: impl Fn(&str) -> bool) -> Stratum {
        let Rules { definitions, rules } = &self.rules;
        let mut kept: BTreeSet<&str> = BTreeSet::new();
        let mut names: BTreeSet<Arc<str>> = BTreeSet::new();
        let mut queue: Vec<&Formula> = Vec::new();
        for rule in rules.iter().filter(|r| wanted(&r.name)) {
            kept.insert(&rule.name);
            queue.extend([&rule.opens, &rule.must].into_iter().chain(&rule.lapses));
        }
        while let Some(formula) = queue.pop() {
            let mut atoms = Vec::new();
            names_of(formula, &mut atoms);
            for (name, is_rule) in atoms {
                if is_rule {
                    for rule in rules.iter().filter(|r| r.name == name) {
                        if kept.insert(&rule.name) {
                            queue.extend([&rule.opens, &rule.must].into_iter().chain(&rule.lapses));
                        }
                    }
                } else if names.insert(name.clone()) {
                    queue.extend(definitions.iter().filter(|d| d.name == name).map(|d| &d.body));
                }
            }
        }
        // A seen kind has several positions: whoever reads one is told by its bare name.
        let base = |name: &str| name.split('.').next().unwrap_or(name).to_string();
        let bases: BTreeSet<String> = names.iter().map(|n| base(n)).collect();
        let mut stratum = self.clone();
        stratum.rules.rules.retain(|r| kept.contains(&*r.name));
        stratum.rules.definitions.retain(|d| names.contains(&d.name));
        stratum.signature.retain(|name, _| bases.contains(&base(name)));
        stratum
    }
}

/// Names of predicates and definitions in a formula, and of the rules whose breach it asks for.
fn names_of(formula: &Formula, into: &mut Vec<(Arc<str>, bool)>) {
    match formula {
        Formula::Atom { name, .. } => into.push((name.clone(), false)),
        Formula::Breached { rule, .. } => into.push((rule.clone(), true)),
        Formula::Not(f)
        | Formula::Exists(_, f)
        | Formula::Once(_, f)
        | Formula::Historically(_, f)
        | Formula::Eventually(_, f)
        | Formula::Always(_, f)
        | Formula::Previous(_, f)
        | Formula::Next(_, f)
        | Formula::Aggregate { formula: f, .. }
        | Formula::Duration { formula: f, .. } => names_of(f, into),
        Formula::And(all) | Formula::Or(all) => all.iter().for_each(|f| names_of(f, into)),
        Formula::Since(_, a, b) | Formula::Until(_, a, b) | Formula::Let { formula: a, within: b, .. } => {
            names_of(a, into);
            names_of(b, into);
        }
        Formula::True | Formula::Reached(_) | Formula::Ts(_) | Formula::Compare { .. } => {}
    }
}

/// One column of a predicate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub name: String,
    pub kind: Type,
    pub optional: bool,
}

/// What is asserted, by name; its columns stand in [`Program::columns`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AssertColumns {
    pub name: String,
    pub has_admitted: bool,
}

/// Who owes what an instance is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Bearer {
    /// A member or an office.
    Named(String),
    /// A variable of the key.
    Key(usize),
    /// Several, together.
    Jointly(Vec<Bearer>),
}

/// What a rule of the upper stratum is to people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Clock {
    /// Its description among the agreement's commitments.
    pub commitment: usize,
    /// Position in the key, name and type of each variable that people see.
    pub visible: Vec<(usize, String, Type)>,
    pub bearer: Bearer,
    /// `must not …`.
    pub prohibition: bool,
    /// `must` is read at the opening: there is no time to act, hence no due instant and no margin.
    pub immediate: bool,
    /// Kinds that `must` names, with the fields that the key gives.
    pub reads: Vec<(String, Vec<(String, usize)>)>,
    /// Positions in the key of ticks, which people see in the label.
    pub ticks: Vec<(usize, Tick)>,
    /// Length of its clock, and the predicate that says where another one applies (R5).
    pub window: Option<(i64, Arc<str>)>,
}

/// How a name may stand in a formula.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Said,
    Seen,
    /// Of the record: facts of the lower stratum, and of the upper one where rules name them.
    Record,
    Defined,
    Asserted,
}

/// Columns of every statement after its own fields; then come those that no reader knows.
const IMPLICIT: &[(&str, Type, bool)] =
    &[("by", Type::Party, false), ("entry", Type::Entry, false), ("at", Type::Place, true)];

#[derive(Clone, Debug)]
struct Predicate {
    sort: Sort,
    columns: Vec<Column>,
    /// A definition whose last column is the statement that made it hold.
    carries: bool,
}

/// A state: a checkpoint that others cosigned so long ago has not been cosigned by this witness.
pub(crate) const BEHIND: &str = "behind";

const RECORD: &[(&str, &[(&str, Type)])] = &[
    (
        "word",
        &[
            ("entry", Type::Entry),
            ("kind", Type::Text),
            ("by", Type::Party),
            ("from", Type::Instant),
            ("to", Type::Instant),
            ("logged", Type::Instant),
        ],
    ),
    ("own", &[("entry", Type::Entry)]),
    ("author", &[("entry", Type::Entry), ("by", Type::Party)]),
    ("confirms", &[("entry", Type::Entry), ("target", Type::Entry)]),
    ("same", &[("entry", Type::Entry), ("other", Type::Entry)]),
    ("before", &[("entry", Type::Entry), ("other", Type::Entry)]),
    ("withdraws", &[("entry", Type::Entry), ("target", Type::Entry)]),
    ("contests", &[("entry", Type::Entry), ("target", Type::Entry), ("by", Type::Party)]),
    ("consents", &[("entry", Type::Entry), ("target", Type::Entry), ("by", Type::Party)]),
    ("cites", &[("entry", Type::Entry), ("target", Type::Entry)]),
    ("signed", &[("entry", Type::Entry), ("by", Type::Party)]),
    ("log", &[("of", Type::Id), ("witness", Type::Party)]),
    (BEHIND, &[("witness", Type::Party), ("log", Type::Id), ("for", Type::Duration)]),
    ("dagger", &[("kind", Type::Text)]),
    ("harms", &[("kind", Type::Text)]),
    ("party", &[("party", Type::Party)]),
    ("guarantor", &[("guarantor", Type::Party)]),
    ("counterparty", &[("party", Type::Party), ("of", Type::Party)]),
];

/// Whether a name is a word of the record.
pub(crate) fn is_of_record(name: &str) -> bool {
    RECORD.iter().any(|(word, _)| *word == name)
}

/// In how many ways an opening may come about.
const WAYS_MAX: usize = 256;

/// Predicates of the upper stratum that a withdrawal of a said statement makes true.
pub(crate) const WITHDRAWN: &str = "$withdrawn";

/// Metres of a place: `$distance_m(place, name, metres)`, `$extent_m(place, metres)`.
pub(crate) const DISTANCE: &str = "$distance_m";
pub(crate) const EXTENT: &str = "$extent_m";

/// What stands behind the name of a fact that counts by receipt (R2).
pub(crate) const RECEIPT: &str = ".receipt";

/// The nearest of some names, for hints.
pub(crate) fn nearest<'n>(found: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    fn distance(a: &str, b: &str) -> usize {
        let b: Vec<char> = b.chars().collect();
        let mut row: Vec<usize> = (0..=b.len()).collect();
        for (i, c) in a.chars().enumerate() {
            let mut corner = row[0];
            row[0] = i + 1;
            for (j, d) in b.iter().enumerate() {
                let next = (corner + usize::from(c != *d)).min(row[j] + 1).min(row[j + 1] + 1);
                corner = row[j + 1];
                row[j + 1] = next;
            }
        }
        row[b.len()]
    }
    let found: String = found.chars().take(40).collect();
    known
        .map(|n| (distance(&found, n), n))
        .filter(|(d, n)| *d <= 1 + n.len().min(found.len()) / 4)
        .min()
        .map(|(_, n)| n)
}

/// Compiles all rule blocks of an agreement. What is wrong is added to `problems`.
pub(crate) fn compile(
    charter: &Charter,
    kinds: &Kinds,
    tables: &[Table],
    lines: &places::Named,
    sources: &[Source],
    problems: &mut Vec<Diagnostic>,
) -> Program {
    let mut c = Compiler {
        charter,
        kinds,
        tables,
        lines,
        predicates: predicates(kinds, tables),
        commitments: BTreeMap::new(),
        file: String::new(),
        fresh: 0,
        broken: BTreeSet::new(),
        ticks: BTreeMap::new(),
        measured: BTreeSet::new(),
        placed: BTreeSet::new(),
        lags: BTreeSet::new(),
        moves: false,
        by_receipt: false,
        receipts: BTreeSet::new(),
        problems,
    };
    let definitions = c.definitions(sources);
    c.moves = definitions.iter().any(|d| d.name == "extended" || d.name == "tolled");
    c.commitments(sources);
    c.check_definitions(&definitions);
    c.check_terms(&definitions);
    let clocks = c.rules(sources);
    if !c.problems.is_empty() {
        return Program::default();
    }
    c.program(sources, &definitions, clocks)
}

fn predicates(kinds: &Kinds, tables: &[Table]) -> BTreeMap<String, Predicate> {
    let mut all = BTreeMap::new();
    let column = |name: &str, kind: Type| Column { name: name.into(), kind, optional: false };
    for table in tables {
        all.insert(
            table.name.clone(),
            Predicate { sort: Sort::Record, columns: table.columns.clone(), carries: false },
        );
    }
    for (name, columns) in RECORD {
        let columns = columns.iter().map(|(n, t)| column(n, t.clone())).collect();
        all.insert(name.to_string(), Predicate { sort: Sort::Record, columns, carries: false });
    }
    for kind in kinds.kinds.values() {
        let sort = match kind.speech {
            Speech::Said => Sort::Said,
            Speech::Seen => Sort::Seen,
            Speech::Background | Speech::Mechanism => continue,
        };
        let mut columns: Vec<Column> = kind
            .fields
            .iter()
            .filter(|(_, t, _)| *t != Type::Place)
            .map(|(n, t, optional)| Column { name: n.clone(), kind: t.clone(), optional: *optional })
            .collect();
        columns.extend(IMPLICIT.iter().map(|(name, kind, optional)| Column {
            name: name.to_string(),
            kind: kind.clone(),
            optional: *optional,
        }));
        if sort == Sort::Said {
            columns.push(column("$entry", Type::Entry));
        } else {
            columns.push(column("$from", Type::Instant));
            columns.push(column("$own", Type::Truth));
        }
        for (fact, _) in &kind.also {
            all.insert(fact.clone(), Predicate { sort, columns: columns.clone(), carries: false });
        }
        all.insert(kind.name.clone(), Predicate { sort, columns, carries: false });
    }
    all
}

/// All bodies of one definition, or of one assertion.
#[derive(Clone, Debug)]
struct Defined<'s> {
    name: &'s str,
    file: &'s str,
    bodies: Vec<Body<'s>>,
    asserted: bool,
}

#[derive(Clone, Debug)]
struct Body<'s> {
    at: At,
    file: &'s str,
    head: &'s [Argument],
    formula: &'s Expr,
    /// Of an assertion: what admits it.
    admits: bool,
}

/// What `breached(C14, a)` can name: the rules of each part, and the first variable of their keys.
#[derive(Clone, Debug, Default)]
struct Watched {
    parts: Vec<WatchedPart>,
}

#[derive(Clone, Debug)]
struct WatchedPart {
    part: Option<String>,
    rules: Vec<Arc<str>>,
    first: Option<String>,
}

type Scope = BTreeMap<String, Type>;

struct Compiler<'a> {
    charter: &'a Charter,
    kinds: &'a Kinds,
    tables: &'a [Table],
    lines: &'a places::Named,
    predicates: BTreeMap<String, Predicate>,
    commitments: BTreeMap<String, Watched>,
    /// Of what is being compiled.
    file: String,
    fresh: usize,
    /// Names of what could not be read.
    broken: BTreeSet<String>,
    ticks: BTreeMap<String, Tick>,
    /// What distances are measured to.
    measured: BTreeSet<String>,
    placed: BTreeSet<String>,
    lags: BTreeSet<i64>,
    /// Article 1 lets clocks be moved.
    moves: bool,
    /// What is being compiled counts by receipt.
    by_receipt: bool,
    receipts: BTreeSet<String>,
    problems: &'a mut Vec<Diagnostic>,
}

/// A part with its `let`s put in.
struct Part<'s> {
    name: String,
    at: At,
    clauses: &'s Clauses,
    opens: Expr,
    must: Must,
    lapses: Vec<Expr>,
    exceptions: Vec<(&'s Exception, Expr)>,
    /// Free variables of `opens`, in order.
    key: Vec<String>,
    /// Nothing is missing.
    whole: bool,
}

/// One choice of exceptions: which applies, and what it makes of the clock.
struct Variant<'p> {
    name: String,
    with: Option<&'p Expr>,
    without: Vec<&'p Expr>,
    effect: Option<&'p Effect>,
}

/// Where an atom stands, for R2.
#[derive(Clone, Copy)]
enum Place<'b> {
    /// In a `must`, positive or not.
    Must { positive: bool, bearers: &'b [monitor::Term] },
    /// Anywhere else.
    Plain,
}

impl Place<'_> {
    fn flipped(self) -> Self {
        match self {
            Place::Must { positive, bearers } => Place::Must { positive: !positive, bearers },
            Place::Plain => Place::Plain,
        }
    }
}

/// One way in which an opening can come about: conjuncts, with the statements that they hang on.
#[derive(Clone, Debug, Default)]
struct Way {
    all: Vec<Formula>,
    /// Number of `$e…` variables bound.
    entries: usize,
    /// `$since` is bound.
    since: bool,
    /// Variables that no one else sees.
    hidden: Vec<Arc<str>>,
}

/// The far end of a clock that was moved.
const MOVED: &str = "$within";

impl Compiler<'_> {
    fn problem(&mut self, at: At, message: impl Into<String>, hint: impl Into<String>) {
        let hint = hint.into();
        self.problems.push(Diagnostic {
            file: self.file.clone(),
            line: at.line,
            column: at.column,
            message: message.into(),
            hint: (!hint.is_empty()).then_some(hint),
        });
    }

    fn fresh(&mut self, what: &str) -> Arc<str> {
        self.fresh += 1;
        Arc::from(format!("${what}{}", self.fresh))
    }

    // ---- names

    /// Gathers definitions and assertions by name; every body must have the same fields.
    fn definitions<'s>(&mut self, sources: &'s [Source]) -> Vec<Defined<'s>> {
        let mut all: BTreeMap<&'s str, Defined<'s>> = BTreeMap::new();
        for source in sources {
            self.file = source.file.clone();
            let (name, bodies, asserted): (&'s Named, Vec<Body<'s>>, bool) = match &source.item {
                Item::Define(Define { name, head, body }) => {
                    let body = Body { at: name.at, file: &source.file, head, formula: body, admits: false };
                    (name, vec![body], false)
                }
                Item::Assert(Assert { name, head, asserted, admitted }) => {
                    let body = |formula, admits| Body { at: name.at, file: &source.file, head, formula, admits };
                    let mut bodies = vec![body(asserted, false)];
                    bodies.extend(admitted.iter().map(|f| body(f, true)));
                    (name, bodies, true)
                }
                Item::Broken(name) => {
                    self.broken.insert(name.name.clone());
                    continue;
                }
                Item::Commitment(_) => continue,
            };
            if let Some(taken) = self.predicates.get(&name.name) {
                let what = match taken.sort {
                    Sort::Record => "a word of the record",
                    _ => "a kind of the annex",
                };
                self.problem(
                    name.at,
                    format!("`{}` is {what} and cannot be defined", name.name),
                    "choose another name",
                );
                continue;
            }
            if self.reserved(&name.name) {
                self.problem(name.at, format!("`{}` is a word of the language", name.name), "choose another name");
                continue;
            }
            let mut fields = BTreeSet::new();
            for argument in bodies.iter().flat_map(|b| b.head.iter().take(if b.admits { 0 } else { usize::MAX })) {
                if !fields.insert(argument.field.name.as_str()) {
                    let message = format!("`{}` has the field `{}` twice", name.name, argument.field.name);
                    self.problem(argument.field.at, message, "every field has a name of its own");
                }
                if matches!(argument.term, Term::Any(_) | Term::Sum(..)) {
                    let message = format!("`{}`: the field `{}` is no variable", name.name, argument.field.name);
                    self.problem(argument.field.at, message, "a head holds variables and values");
                }
            }
            match all.get_mut(name.name.as_str()) {
                None => {
                    let defined = Defined { name: &name.name, file: &source.file, bodies, asserted };
                    all.insert(&name.name, defined);
                }
                Some(earlier) if earlier.asserted || asserted => {
                    let message = format!("`{}` is asserted and defined a second time", name.name);
                    self.problem(name.at, message, "join the formulas with `or`");
                }
                Some(earlier) => {
                    let of = |b: &Body<'_>| b.head.iter().map(|a| a.field.name.clone()).collect::<BTreeSet<_>>();
                    let (here, there) = (of(&bodies[0]), of(&earlier.bodies[0]));
                    if here != there {
                        let list = |s: &BTreeSet<String>| s.iter().cloned().collect::<Vec<_>>().join(", ");
                        let first = earlier.bodies[0].at;
                        let message = format!(
                            "`{}` has the fields {}, its first definition in {}:{} has {}",
                            name.name,
                            list(&here),
                            earlier.file,
                            first.line,
                            list(&there)
                        );
                        self.problem(name.at, message, "definitions of one name have the same fields");
                    } else {
                        earlier.bodies.extend(bodies);
                    }
                }
            }
        }
        all.into_values().collect()
    }

    fn reserved(&self, name: &str) -> bool {
        [
            "breached",
            "reached",
            "each",
            "every",
            "distance_m",
            "extent_m",
            "seconds",
            "once",
            "historically",
            "eventually",
            "always",
            "not",
            "exists",
            "true",
            "false",
        ]
        .contains(&name)
    }

    /// Notes the rules of every commitment, so that `breached(…)` can name them wherever it stands.
    fn commitments(&mut self, sources: &[Source]) {
        for source in sources {
            let Item::Commitment(block) = &source.item else { continue };
            let mut watched = Watched::default();
            for clauses in &block.parts {
                let Some(opens) = &clauses.opens else { continue };
                let Some(opens) = put_in(opens, &lets(block, clauses)) else { continue };
                let name = rule_name(block, clauses);
                let bearers = clauses.bearer.as_ref().map_or(1, |b| if b.jointly { 1 } else { b.names.len() });
                watched.parts.push(WatchedPart {
                    part: clauses.part.as_ref().map(|p| p.name.clone()),
                    rules: variant_names(clauses)
                        .iter()
                        .flat_map(|v| (0..v.1.unwrap_or(bearers)).map(|n| full_name(&name, &v.0, n)))
                        .flat_map(|rule| {
                            let twin = self.moves && matches!(clauses.must, Some(Must::Within(..)));
                            [Some(rule.clone()), twin.then(|| moved_name(&rule))].into_iter().flatten()
                        })
                        .collect(),
                    first: opens.free().iter().map(|n| n.name.clone()).find(|n| !self.charter.roles.contains_key(n)),
                });
            }
            self.commitments.entry(block.id.name.clone()).or_insert(watched);
        }
    }

    // ---- types

    /// Types of all definitions, in the order in which they rest on each other.
    fn check_definitions(&mut self, definitions: &[Defined<'_>]) {
        let by_name: BTreeMap<&str, &Defined<'_>> = definitions.iter().map(|d| (d.name, d)).collect();
        let mut done = BTreeSet::new();
        for definition in definitions {
            self.check_definition(definition, &by_name, &mut done, &mut Vec::new());
        }
    }

    fn check_definition<'s>(
        &mut self,
        definition: &'s Defined<'s>,
        all: &BTreeMap<&'s str, &'s Defined<'s>>,
        done: &mut BTreeSet<&'s str>,
        path: &mut Vec<&'s str>,
    ) {
        if done.contains(definition.name) {
            return;
        }
        if path.contains(&definition.name) {
            let from = path.iter().position(|n| *n == definition.name).unwrap_or(0);
            let mut round = path[from..].to_vec();
            round.push(definition.name);
            self.file = definition.file.into();
            let message = format!("`{}` rests on itself: {}", definition.name, round.join(" -> "));
            self.problem(definition.bodies[0].at, message, "a definition rests only on others");
            self.broken.insert(definition.name.to_string());
            done.insert(definition.name);
            return;
        }
        if path.len() > 200 {
            self.file = definition.file.into();
            self.problem(
                definition.bodies[0].at,
                "definitions rest on each other more than 200 deep",
                "join some of them",
            );
            done.insert(definition.name);
            return;
        }
        path.push(definition.name);
        for body in &definition.bodies {
            let mut names = Vec::new();
            body.formula.walk(&mut |e| {
                if let Expr::Atom { name, .. } = e {
                    names.push(name.name.as_str());
                }
            });
            for name in names {
                if let Some(other) = all.get(name) {
                    self.check_definition(other, all, done, path);
                }
            }
        }
        path.pop();
        if !done.insert(definition.name) {
            return;
        }
        let mut columns: Vec<Column> = Vec::new();
        for body in &definition.bodies {
            self.file = body.file.into();
            let mut scope = Scope::new();
            self.no_tick(definition.name, body.formula);
            self.infer(body.formula, &mut scope);
            let free: BTreeSet<String> = self.free(body.formula).into_iter().map(|n| n.name).collect();
            let mut in_head = BTreeSet::new();
            for argument in body.head {
                let kind = match &argument.term {
                    Term::Var(v) if self.charter.roles.contains_key(&v.name) => Type::Party,
                    Term::Var(v) => {
                        in_head.insert(v.name.clone());
                        if !free.contains(&v.name) {
                            let message = format!(
                                "`{}`: the variable `{}` does not appear in the formula",
                                definition.name, v.name
                            );
                            self.problem(v.at, message, "every variable of the head is bound by the formula");
                        }
                        scope.get(&v.name).cloned().unwrap_or(Type::Text)
                    }
                    Term::Int(_, word, _) => int_type(*word),
                    _ => Type::Text,
                };
                match columns.iter_mut().find(|c| c.name == argument.field.name) {
                    Some(column) => column.kind = wider(&column.kind, &kind),
                    None => columns.push(Column { name: argument.field.name.clone(), kind, optional: false }),
                }
            }
            for variable in self.free(body.formula) {
                if !in_head.contains(&variable.name) {
                    let message = format!("`{}`: the variable `{}` is not in the head", definition.name, variable.name);
                    let hint = format!("add it to the head, or write `exists {}. (…)`", variable.name);
                    self.problem(variable.at, message, hint);
                }
            }
        }
        let carries = !definition.asserted && definition.bodies.iter().all(|b| self.always_carries(b.formula));
        let sort = if definition.asserted { Sort::Asserted } else { Sort::Defined };
        self.predicates.insert(definition.name.into(), Predicate { sort, columns, carries });
    }

    /// Whether this formula can only come to hold by a statement that was said at that instant.
    fn always_carries(&self, formula: &Expr) -> bool {
        match formula {
            Expr::Atom { name, .. } => {
                self.predicates.get(&name.name).is_some_and(|p| p.sort == Sort::Said || p.carries)
            }
            Expr::And(all) => all.iter().any(|f| self.always_carries(f)),
            Expr::Or(all) => all.iter().all(|f| self.always_carries(f)),
            Expr::Exists(_, f) => self.always_carries(f),
            _ => false,
        }
    }

    fn no_tick(&mut self, place: &str, formula: &Expr) {
        let mut found = None;
        formula.walk(&mut |e| {
            if let Expr::Each { at, .. } = e {
                found = Some(*at);
            }
        });
        if let Some(at) = found {
            self.problem(
                at,
                format!("{place}: found a tick outside `opens`"),
                "the calendar opens clocks, e.g. `opens each day d`",
            );
        }
    }

    /// Article 1 must define how statements count.
    fn check_terms(&mut self, definitions: &[Defined<'_>]) {
        for (name, fields) in TERMS.iter().chain(MORE_TERMS) {
            let may_lack = MORE_TERMS.iter().any(|(n, _)| n == name);
            if self.broken.contains(*name) || may_lack && !definitions.iter().any(|d| d.name == *name) {
                continue;
            }
            let Some(definition) = definitions.iter().find(|d| d.name == *name && !d.asserted) else {
                self.file = "01-terms.md".into();
                let message = format!("found no definition of `{name}({})`", fields.join(", "));
                self.problem(
                    At { line: 1, column: 1 },
                    message,
                    "Article 1 says how statements count: absent, admitted, agreed, first",
                );
                continue;
            };
            let has: BTreeSet<&str> = definition.bodies[0].head.iter().map(|a| a.field.name.as_str()).collect();
            if has != fields.iter().copied().collect() {
                self.file = definition.file.into();
                let message = format!("`{name}` has the wrong fields, allowed is `{name}({})`", fields.join(", "));
                self.problem(definition.bodies[0].at, message, "");
            }
        }
    }

    /// Free variables, without the names of roles, which are values.
    fn free(&self, formula: &Expr) -> Vec<Named> {
        formula.free().into_iter().filter(|n| !self.charter.roles.contains_key(&n.name)).cloned().collect()
    }

    fn known_names(&self) -> impl Iterator<Item = &str> {
        self.predicates.keys().map(String::as_str).filter(|n| !n.starts_with('$'))
    }

    /// Finds the types of the variables and says what does not fit.
    fn infer(&mut self, formula: &Expr, scope: &mut Scope) {
        match formula {
            Expr::Atom { name, args } => self.infer_atom(name, args, scope),
            Expr::Let(name) => {
                let message = format!("found `{}`, which is no formula", name.name);
                self.problem(
                    name.at,
                    message,
                    "a kind has parentheses, `ack(allegation: a)`; a short name needs a `let` above it",
                );
            }
            Expr::Breached { commitment, part, term } => self.infer_breached(commitment, part.as_ref(), term, scope),
            Expr::Compare { left, op, right, at } => self.infer_comparison(left, *op, right, *at, scope),
            Expr::Each { tick, name, at } => self.infer_tick(tick, name.as_ref(), *at, scope),
            Expr::Reached(term) => self.infer_term("`reached`", &Type::Instant, term, scope),
            Expr::Not(f)
            | Expr::Once(_, f)
            | Expr::Historically(_, f)
            | Expr::Eventually(_, f)
            | Expr::Always(_, f)
            | Expr::Seconds { formula: f, .. } => self.infer(f, scope),
            Expr::And(all) | Expr::Or(all) => {
                // Comparisons last: atoms give types.
                for later in [false, true] {
                    for f in all.iter().filter(|f| has_atom(f) != later) {
                        self.infer(f, scope);
                    }
                }
            }
            Expr::Since(_, a, b) | Expr::Until(_, a, b) => {
                self.infer(a, scope);
                self.infer(b, scope);
            }
            Expr::Exists(names, f) => {
                let outer: Vec<Option<Type>> = names.iter().map(|n| scope.remove(&n.name)).collect();
                self.infer(f, scope);
                for (name, outer) in names.iter().zip(outer) {
                    if self.charter.roles.contains_key(&name.name) {
                        self.problem(name.at, format!("`{}` is a role, no variable", name.name), "choose another name");
                    }
                    scope.remove(&name.name);
                    if let Some(kind) = outer {
                        scope.insert(name.name.clone(), kind);
                    }
                }
            }
        }
    }

    fn infer_atom(&mut self, name: &Named, args: &[Argument], scope: &mut Scope) {
        if self.broken.contains(&name.name) {
            return;
        }
        let Some(predicate) = self.predicates.get(&name.name).cloned() else {
            if let Some(kind) = self.kinds.kinds.get(&name.name) {
                let what = if kind.speech == Speech::Background { "background" } else { "the mechanism's own" };
                self.problem(name.at, format!("the kind `{}` is {what}", name.name), "no rule reads it");
                return;
            }
            let hint = nearest(&name.name, self.known_names()).map(|n| format!("did you mean `{n}`?"));
            let hint = hint.unwrap_or("kinds stand in annexes/kinds.toml, other names need a `define`".into());
            self.problem(name.at, format!("found `{}`, which is no kind and not defined", name.name), hint);
            return;
        };
        if name.name == BEHIND && !args.iter().any(|a| a.field.name == "for" && matches!(a.term, Term::Int(..))) {
            self.problem(
                name.at,
                "`behind`: found no `for` with a duration",
                "e.g. `behind(witness: g, log: m, for: 6 h)`",
            );
        }
        let mut seen = BTreeSet::new();
        for Argument { field, term } in args {
            if !seen.insert(field.name.as_str()) {
                self.problem(field.at, format!("`{}`: the field `{}` stands twice", name.name, field.name), "");
            }
            let Some(column) = predicate.columns.iter().find(|c| c.name == field.name && !c.name.starts_with('$'))
            else {
                let known: Vec<&str> =
                    predicate.columns.iter().map(|c| c.name.as_str()).filter(|c| !c.starts_with('$')).collect();
                let near = nearest(&field.name, known.iter().copied()).map(|n| format!("did you mean `{n}`?"));
                let message =
                    format!("`{}`: found the field `{}`, allowed is {}", name.name, field.name, known.join(", "));
                self.problem(field.at, message, near.unwrap_or_default());
                continue;
            };
            let column = column.clone();
            self.infer_term(&format!("`{}`: the field `{}`", name.name, field.name), &column.kind, term, scope);
        }
    }

    fn infer_tick(&mut self, tick: &Tick, name: Option<&Named>, at: At, scope: &mut Scope) {
        if let Tick::Season(season) = tick
            && !self.charter.seasons.contains_key(season)
        {
            let seasons: String = self.charter.seasons.keys().map(|s| format!(", {s}")).collect();
            let message = format!("found `each {season}`, allowed is day, week, month, quarter, year{seasons}");
            self.problem(at, message, "a season stands in agreement.toml as [season.NAME] with month and day");
        }
        if self.charter.in_force.is_none() {
            self.problem(
                at,
                "found a tick, and nothing from which the calendar counts",
                "agreement.toml says `in_force`",
            );
        }
        if let Some(name) = name {
            let kind = if tick.is_instant() { Type::Instant } else { Type::Count };
            self.infer_term("the tick", &kind, &Term::Var(name.clone()), scope);
        }
    }

    fn infer_term(&mut self, what: &str, wanted: &Type, term: &Term, scope: &mut Scope) {
        match term {
            Term::Any(_) => {}
            Term::Var(v) if self.charter.roles.contains_key(&v.name) => {
                if narrower(wanted, &Type::Party).is_none() {
                    let message = format!("{what} is of type {}, found the role `{}`", wanted.name(), v.name);
                    self.problem(v.at, message, "");
                }
            }
            Term::Var(v) => match scope.get(&v.name) {
                None => {
                    scope.insert(v.name.clone(), wanted.clone());
                }
                Some(has) => match narrower(has, wanted) {
                    Some(kind) => {
                        scope.insert(v.name.clone(), kind);
                    }
                    None => {
                        let message = format!(
                            "{what} is of type {}, the variable `{}` of type {}",
                            wanted.name(),
                            v.name,
                            has.name()
                        );
                        self.problem(v.at, message, "use another variable");
                    }
                },
            },
            Term::Text(text, at) => self.infer_text(what, wanted, text, *at),
            Term::Int(_, word, at) => {
                let fits = match word {
                    IntWord::Truth => *wanted == Type::Truth,
                    _ => wanted.is_int() && *wanted != Type::Truth,
                };
                if !fits {
                    let message = format!("{what} is of type {}, found {}", wanted.name(), int_type(*word).name());
                    let hint = match wanted {
                        Type::Truth => "write true or false",
                        Type::Duration | Type::Count | Type::Instant => "write a number or a duration like `6 h`",
                        _ => "texts stand in double quotes",
                    };
                    self.problem(*at, message, hint);
                }
            }
            Term::Metres(metres) => {
                let Metres { of, to, at } = metres.as_ref();
                if !wanted.is_int() {
                    self.problem(*at, format!("{what} is of type {}, found metres", wanted.name()), "");
                }
                self.infer_term("a measure", &Type::Place, &Term::Var(of.clone()), scope);
                let known = || {
                    let tables = self.tables.iter().filter(|t| !t.places.is_empty()).map(|t| t.name.as_str());
                    tables.chain((!self.lines.is_empty()).then_some(places::LINE))
                };
                if let Some(to) = to
                    && !known().any(|n| n == to.name)
                {
                    let known = known().collect::<Vec<_>>().join(", ");
                    let message = format!("found the distance to `{}`, allowed is one of {known}", to.name);
                    self.problem(
                        to.at,
                        message,
                        "distances are measured to a place of the annexes, not between statements",
                    );
                }
            }
            Term::Sum(a, _, b) => {
                if !wanted.is_int() {
                    self.problem(term.at(), format!("{what} is of type {}, found a sum", wanted.name()), "");
                }
                for side in [a, b] {
                    self.infer_term(what, &Type::Count, side, scope);
                }
            }
        }
    }

    fn infer_text(&mut self, what: &str, wanted: &Type, text: &str, at: At) {
        let allowed: Vec<String> = match wanted {
            Type::Enum(e) => match self.kinds.enums.get(e) {
                Some(e) if !e.has(text) => e.order.iter().chain(&e.also).cloned().collect(),
                _ => return,
            },
            Type::Party => {
                let members = self.charter.members.iter().map(|m| m.name.clone());
                let all: Vec<String> = members.chain(self.charter.roles.values().cloned()).collect();
                if all.iter().any(|m| m == text) {
                    return;
                }
                all
            }
            other if other.is_int() => {
                let message = format!("{what} is of type {}, found the text \"{text}\"", other.name());
                return self.problem(at, message, "numbers and durations stand without quotes");
            }
            _ => return,
        };
        let hint = nearest(text, allowed.iter().map(String::as_str)).map(|n| format!("did you mean \"{n}\"?"));
        self.problem(
            at,
            format!("{what}: found \"{text}\", allowed is {}", allowed.join(", ")),
            hint.unwrap_or_default(),
        );
    }

    fn infer_breached(&mut self, commitment: &Named, part: Option<&Named>, term: &Term, scope: &mut Scope) {
        if self.broken.contains(&commitment.name) {
            return;
        }
        let Some(watched) = self.commitments.get(&commitment.name) else {
            let hint = nearest(&commitment.name, self.commitments.keys().map(String::as_str));
            let hint = hint.map(|n| format!("did you mean `{n}`?")).unwrap_or_default();
            self.problem(commitment.at, format!("found the commitment `{}`, which has no rule", commitment.name), hint);
            return;
        };
        if let Some(part) = part.filter(|p| !watched.parts.iter().any(|w| w.part.as_ref() == Some(&p.name))) {
            let parts: Vec<&str> = watched.parts.iter().filter_map(|w| w.part.as_deref()).collect();
            let message = format!("{} has no part `{}`, allowed is {}", commitment.name, part.name, parts.join(", "));
            self.problem(part.at, message, "");
        }
        // The first variable of every key is an id or a text; the monitor checks the rest.
        if let Term::Var(v) = term {
            scope.entry(v.name.clone()).or_insert(Type::Id);
        }
    }

    fn term_type(&self, term: &Term, scope: &Scope) -> Option<Type> {
        match term {
            Term::Var(v) if self.charter.roles.contains_key(&v.name) => Some(Type::Party),
            Term::Var(v) => scope.get(&v.name).cloned(),
            Term::Text(..) => Some(Type::Text),
            Term::Int(_, word, _) => Some(int_type(*word)),
            Term::Any(_) => None,
            Term::Sum(..) | Term::Metres(_) => Some(Type::Count),
        }
    }

    fn infer_comparison(&mut self, left: &Term, op: Compared, right: &Term, at: At, scope: &mut Scope) {
        for side in [left, right] {
            if let Term::Any(at) = side {
                self.problem(*at, "found `_` in a comparison", "name the value that is compared");
            }
        }
        for side in [left, right] {
            let mut within = false;
            side.walk(&mut |t| within |= matches!(t, Term::Metres(_)) && !std::ptr::eq(t, side));
            let both = matches!((left, right), (Term::Metres(_), Term::Metres(_)));
            if within || both {
                self.problem(at, "found a calculation with metres", "compare one measure with a number");
                return;
            }
            if matches!(side, Term::Metres(_)) {
                self.infer_term("the comparison", &Type::Count, side, scope);
            }
        }
        let (l, r) = (self.term_type(left, scope), self.term_type(right, scope));
        match (&l, &r) {
            (None, Some(kind)) => self.infer_term("the other side of the comparison", kind, left, scope),
            (Some(kind), _) => self.infer_term("the other side of the comparison", kind, right, scope),
            (None, None) => {
                let message = "found a comparison of two variables that no kind gives a type";
                self.problem(at, message, "name the kind that binds them in the same formula");
            }
        }
        // A text on the left is checked against what the right side is.
        if let (Some(Type::Text), Some(kind)) = (&l, &r) {
            self.infer_term("the other side of the comparison", kind, left, scope);
        }
        if matches!(op, Compared::Equal | Compared::NotEqual) {
            return;
        }
        let kind = match (l, r) {
            (Some(Type::Enum(e)), _) | (_, Some(Type::Enum(e))) => Type::Enum(e),
            (Some(k), _) | (None, Some(k)) => k,
            (None, None) => return,
        };
        match &kind {
            Type::Enum(e) => {
                let ordered = self.kinds.enums.get(e).is_some_and(|e| !e.order.is_empty());
                let constant = matches!((left, right), (Term::Text(..), _) | (_, Term::Text(..)));
                if !ordered {
                    self.problem(
                        at,
                        format!("the values of enum:{e} have no order"),
                        "compare them by `=` or `!=`, or give the enumeration an `order`",
                    );
                } else if !constant {
                    self.problem(
                        at,
                        format!("two variables of enum:{e} cannot be compared yet"),
                        "compare each with a value",
                    );
                }
            }
            kind if kind.is_int() => {}
            kind => {
                self.problem(at, format!("values of type {} have no order", kind.name()), "compare them by `=` or `!=`")
            }
        }
    }

    // ---- rules

    fn rules(&mut self, sources: &[Source]) -> Vec<(Rule, Clock)> {
        let mut rules = Vec::new();
        for source in sources {
            let Item::Commitment(block) = &source.item else { continue };
            self.file = source.file.clone();
            self.commitment(block, source.first_commitment, &mut rules);
        }
        rules
    }

    fn commitment(&mut self, block: &CommitmentBlock, first: usize, rules: &mut Vec<(Rule, Clock)>) {
        if block.parts.is_empty() && block.audited.is_none() && !block.broken {
            let message = format!("commitment {} has no rule", block.id.name);
            self.problem(block.id.at, message, "write opens, bearer, must and remedy, or `audited \"…\"`");
        }
        for (n, clauses) in block.parts.iter().enumerate() {
            let only_remedy = clauses.opens.is_none() && clauses.must.is_none() && clauses.bearer.is_none();
            if block.audited.is_some() && only_remedy {
                continue;
            }
            let Some(part) = self.part(block, clauses) else { continue };
            self.part_rules(&part, first + n, rules);
        }
    }

    /// Checks that a part is whole, and puts in its `let`s.
    fn part<'s>(&mut self, block: &CommitmentBlock, clauses: &'s Clauses) -> Option<Part<'s>> {
        let name = rule_name(block, clauses);
        let at = clauses.part.as_ref().map_or(block.id.at, |p| p.at);
        let mut missing = Vec::new();
        for (there, what) in [
            (clauses.opens.is_some(), "opens"),
            (clauses.bearer.is_some(), "bearer"),
            (clauses.must.is_some(), "must"),
            (!clauses.remedies.is_empty(), "remedy"),
        ] {
            if !there {
                missing.push(format!("`{what}`"));
            }
        }
        if !missing.is_empty() && !clauses.broken {
            self.problem(
                at,
                format!("{name}: found no {}", missing.join(", no ")),
                "a clock has opens, bearer, must and remedy",
            );
        }
        let lets = lets(block, clauses);
        let put = |this: &mut Self, formula: &Expr| {
            let put = put_in(formula, &lets);
            if put.is_none() {
                this.problem(at, format!("{name}: its `let`s grow beyond 10,000 formulas or 200 deep"), "use `define`");
            }
            put
        };
        // What is there is checked, also where something is missing.
        let whole = missing.is_empty() && !clauses.broken;
        let opens = match &clauses.opens {
            Some(f) => put(self, f)?,
            None => Expr::And(Vec::new()),
        };
        let must = match &clauses.must {
            Some(Must::Now(f)) => Must::Now(put(self, f)?),
            Some(Must::Within(f, d)) => Must::Within(put(self, f)?, *d),
            Some(Must::NotFor(f, d)) => Must::NotFor(put(self, f)?, *d),
            Some(Must::NotUntil(f, g)) => Must::NotUntil(put(self, f)?, put(self, g)?),
            None => Must::Now(Expr::And(Vec::new())),
        };
        let lapses = clauses.lapses.iter().map(|f| put(self, f)).collect::<Option<Vec<_>>>()?;
        let exceptions =
            clauses.exceptions.iter().map(|e| Some((e, put(self, &e.when)?))).collect::<Option<Vec<_>>>()?;
        let key: Vec<String> = self.free(&opens).into_iter().map(|n| n.name).collect();
        Some(Part { name, at, clauses, opens, must, lapses, exceptions, key, whole })
    }

    fn part_rules(&mut self, part: &Part<'_>, commitment: usize, rules: &mut Vec<(Rule, Clock)>) {
        let before = self.problems.len();
        let scope = self.check_part(part);
        let Some(bearers) = &part.clauses.bearer else { return };
        if part.clauses.opens.is_some() {
            bearers.names.iter().for_each(|n| drop(self.bearer(part, n)));
        }
        if self.problems.len() > before || !part.whole {
            return;
        }
        let ticks = ticks(part);
        for variant in variants(part) {
            let bearers = match variant.effect {
                Some(Effect::Bearer(instead)) => instead,
                _ => bearers,
            };
            let all: Vec<(monitor::Term, Bearer)> = bearers.names.iter().map(|n| self.bearer(part, n)).collect();
            if self.problems.len() > before {
                return;
            }
            let groups: Vec<(Vec<monitor::Term>, Bearer)> = if bearers.jointly {
                let (terms, named): (Vec<_>, Vec<_>) = all.into_iter().unzip();
                vec![(terms, Bearer::Jointly(named))]
            } else {
                all.into_iter().map(|(t, b)| (vec![t], b)).collect()
            };
            for (n, (terms, bearer)) in groups.into_iter().enumerate() {
                let name = full_name(&part.name, &variant.name, n);
                let visible = part
                    .key
                    .iter()
                    .enumerate()
                    .map(|(i, v)| (i, v.clone(), scope.get(v).cloned().unwrap_or(Type::Text)))
                    .collect();
                let prohibition = matches!(part.must, Must::NotFor(..) | Must::NotUntil(..));
                let immediate = matches!(&part.must, Must::Now(f) if !looks_ahead(f));
                let window = match (&part.must, variant.effect) {
                    (Must::Within(..), Some(Effect::Within(instead))) => Some(*instead),
                    (Must::Within(_, seconds), _) => Some(*seconds),
                    _ => None,
                };
                let moved: Arc<str> = Arc::from(format!("$moved {name}"));
                let window = window.filter(|_| self.moves).map(|seconds| (seconds, moved));
                let clock = Clock {
                    commitment,
                    visible,
                    bearer,
                    prohibition,
                    immediate,
                    reads: reads(part),
                    ticks: ticks.clone(),
                    window,
                };
                if clock.window.is_some() {
                    let twin = self.rule(part, &variant, &terms, moved_name(&name), &clock, true);
                    rules.push((twin, clock.clone()));
                }
                let rule = self.rule(part, &variant, &terms, name, &clock, false);
                rules.push((rule, clock));
            }
        }
    }

    fn bearer(&mut self, part: &Part<'_>, name: &Named) -> (monitor::Term, Bearer) {
        if let Some(n) = part.key.iter().position(|k| *k == name.name) {
            return (monitor::Term::Var(Arc::from(name.name.as_str())), Bearer::Key(n));
        }
        let named = match self.charter.roles.get(&name.name) {
            Some(member) => member.clone(),
            None if self.charter.members.iter().any(|m| m.name == name.name) => name.name.clone(),
            None => {
                let known: Vec<&str> = part.key.iter().chain(self.charter.roles.keys()).map(String::as_str).collect();
                let message =
                    format!("{}: found the bearer `{}`, allowed is one of {}", part.name, name.name, known.join(", "));
                self.problem(
                    name.at,
                    message,
                    "a bearer is a variable of `opens`, a role of agreement.toml or a member",
                );
                String::new()
            }
        };
        (monitor::Term::Const(Value::text(&named)), Bearer::Named(named))
    }

    /// Types of a part's variables; everything outside `opens` uses only variables of `opens`.
    fn check_part(&mut self, part: &Part<'_>) -> Scope {
        let mut scope = Scope::new();
        self.infer(&part.opens, &mut scope);
        if let Some(ahead) = first_ahead(&part.opens) {
            let message = format!("{}: `opens` looks ahead by `{ahead}`", part.name);
            self.problem(part.at, message, "a clock opens by what is past; say what is owed in `must`");
        }
        let musts: Vec<&Expr> = match &part.must {
            Must::Now(f) | Must::Within(f, _) | Must::NotFor(f, _) => vec![f],
            Must::NotUntil(f, g) => vec![f, g],
        };
        let whens = part.exceptions.iter().map(|(_, f)| f);
        for (what, formula) in musts
            .into_iter()
            .map(|f| ("must", f))
            .chain(part.lapses.iter().map(|f| ("lapses", f)))
            .chain(whens.map(|f| ("exception", f)))
        {
            self.no_tick(&part.name, formula);
            self.infer(formula, &mut scope);
            for variable in self.free(formula) {
                if part.clauses.opens.is_some() && !part.key.contains(&variable.name) {
                    let message = format!(
                        "{}: `{what}` uses the variable `{}`, which `opens` does not bind",
                        part.name, variable.name
                    );
                    let hint =
                        format!("write `exists {}. (…)`, or leave the field out: then it is some value", variable.name);
                    self.problem(variable.at, message, hint);
                }
            }
            if what != "must"
                && let Some(ahead) = first_ahead(formula)
            {
                let message = format!("{}: `{what}` looks ahead by `{ahead}`", part.name);
                self.problem(part.at, message, "only `must` looks ahead");
            }
        }
        if part.clauses.by_receipt && !self.predicates.contains_key("paired") {
            let message = format!("{}: found `by receipt`, and nothing that says what a receipt is", part.name);
            self.problem(part.at, message, "Article 1 defines `paired(entry, other)`: what both ends have logged");
        }
        if ranked(&part.exceptions).is_none() {
            let message = format!("{}: exceptions are over each other in a circle", part.name);
            self.problem(part.at, message, "of two exceptions one gives way");
        }
        for (exception, _) in &part.exceptions {
            if part.exceptions.iter().filter(|(e, _)| e.name.name == exception.name.name).count() > 1 {
                let message = format!("{}: two exceptions are named `{}`", part.name, exception.name.name);
                self.problem(exception.name.at, message, "every exception has a name of its own");
            }
            let fits = match (&exception.effect, &part.must) {
                _ if part.clauses.must.is_none() => true,
                (Effect::Within(_), Must::Within(..)) | (Effect::For(_), Must::NotFor(..)) => true,
                (Effect::None | Effect::Bearer(_), _) => true,
                (Effect::Within(_) | Effect::For(_), _) => false,
            };
            if !fits {
                let message = format!(
                    "{}: the exception `{}` moves a clock that `must` does not have",
                    part.name, exception.name.name
                );
                self.problem(
                    exception.name.at,
                    message,
                    "`within` moves `must … within`, `for` moves `must not … for`",
                );
            }
            if let Some(over) = &exception.over
                && !part.exceptions.iter().any(|(e, _)| e.name.name == over.name && e.name.name != exception.name.name)
            {
                let message = format!("{}: found `over {}`, which is no other exception here", part.name, over.name);
                self.problem(over.at, message, "");
            }
        }
        scope
    }

    /// One rule of the upper stratum. `moved`: its clock is as long as [`Clock::window`]'s predicate says; the plain rule
    /// opens where that says nothing.
    fn rule(
        &mut self,
        part: &Part<'_>,
        variant: &Variant<'_>,
        bearers: &[monitor::Term],
        name: Arc<str>,
        clock: &Clock,
        moved: bool,
    ) -> Rule {
        self.by_receipt = part.clauses.by_receipt;
        let mut ways = self.ways(&part.opens, Way::default(), Some(bearers));
        self.by_receipt = false;
        self.check_ways(&ways, part.at, &part.name);
        for way in &mut ways {
            if let Some(f) = variant.with {
                let f = self.formula(f, Place::Plain);
                way.all.push(f);
            }
            for f in &variant.without {
                let f = self.formula(f, Place::Plain);
                way.all.push(Formula::Not(Box::new(f)));
            }
        }
        let (mut opens, entries, since) = join_ways(ways);
        let mut key: Vec<Arc<str>> = part.key.iter().map(|k| Arc::from(k.as_str())).collect();
        if let Some((_, predicate)) = &clock.window {
            let mut args: Vec<monitor::Term> = key.iter().cloned().map(monitor::Term::Var).collect();
            args.push(monitor::Term::Var(Arc::from(MOVED)));
            let atom = Formula::Atom { name: predicate.clone(), args };
            opens = if moved {
                Formula::And(vec![atom, opens])
            } else {
                let none = Formula::Exists(vec![Arc::from(MOVED)], Box::new(atom));
                Formula::And(vec![opens, Formula::Not(Box::new(none))])
            };
        }
        key.extend((0..entries).map(entry_variable));
        if moved {
            key.push(Arc::from(MOVED));
        }
        let place = Place::Must { positive: true, bearers };
        self.by_receipt = part.clauses.by_receipt;
        let must = match (&part.must, variant.effect) {
            (Must::Now(f), _) => self.formula(f, place),
            (Must::Within(f, d), effect) => {
                let d = if let Some(Effect::Within(instead)) = effect { *instead } else { *d };
                let window = match moved {
                    true => Window { from: 0, to: monitor::Upper::Var(Arc::from(MOVED)) },
                    false => Window::new(0, d),
                };
                Formula::Eventually(window, Box::new(self.formula(f, place)))
            }
            (Must::NotFor(f, d), effect) => {
                let d = if let Some(Effect::For(instead)) = effect { *instead } else { *d };
                let barred = self.formula(f, place.flipped());
                Formula::Always(Window::new(0, d), Box::new(Formula::Not(Box::new(barred))))
            }
            (Must::NotUntil(f, g), _) => {
                let barred = self.formula(f, place.flipped());
                let end = self.formula(g, place);
                Formula::Until(Window::unbounded(0), Box::new(Formula::Not(Box::new(barred))), Box::new(end))
            }
        };
        self.by_receipt = false;
        let mut lapses: Vec<Formula> = part.lapses.iter().map(|f| self.formula(f, Place::Plain)).collect();
        lapses.extend(
            (0..entries).map(|n| Formula::Atom {
                name: Arc::from(WITHDRAWN),
                args: vec![monitor::Term::Var(entry_variable(n))],
            }),
        );
        let lapses = match lapses.len() {
            0 => None,
            1 => lapses.pop(),
            _ => Some(Formula::Or(lapses)),
        };
        Rule { name, opens, key, since: since.then(|| Arc::from("$since")), must, lapses }
    }

    /// The ways in which an opening can come about. Seen atoms that stand here, not under a temporal operator and not
    /// negated, open a clock by their first statement (R2) if `bearers` are given; said ones bring their statement along.
    fn ways(&mut self, formula: &Expr, way: Way, bearers: Option<&[monitor::Term]>) -> Vec<Way> {
        match formula {
            Expr::And(all) => {
                let mut ways = vec![way];
                for f in all {
                    ways = ways.into_iter().flat_map(|w| self.ways(f, w, bearers)).collect();
                    // `part_rules` and `definition` refuse so many; here they only must not grow.
                    ways.truncate(WAYS_MAX + 1);
                }
                ways
            }
            Expr::Or(all) => all.iter().flat_map(|f| self.ways(f, way.clone(), bearers)).collect(),
            Expr::Exists(names, f) => {
                let inner = Way { all: Vec::new(), ..way.clone() };
                let inner = self.ways(f, inner, bearers);
                inner
                    .into_iter()
                    .map(|w| {
                        let body = Formula::Exists(
                            names.iter().map(|n| Arc::from(n.name.as_str())).collect(),
                            Box::new(and(w.all)),
                        );
                        let mut all = way.all.clone();
                        all.push(body);
                        Way { all, ..w }
                    })
                    .collect()
            }
            Expr::Atom { name, args } => {
                let Some(predicate) = self.predicates.get(&name.name).cloned() else { return vec![way] };
                match (predicate.sort, bearers) {
                    (Sort::Seen, Some(bearers)) => self.opening(&name.name, &predicate, args, way, bearers),
                    (Sort::Said, _) => {
                        let mut way = way;
                        let entry = monitor::Term::Var(entry_variable(way.entries));
                        way.entries += 1;
                        let name = self.by_receipt(&name.name);
                        way.all.push(self.atom(&name, &predicate, args, &[("$entry", entry)]));
                        vec![way]
                    }
                    (Sort::Defined, _) if predicate.carries => {
                        let mut way = way;
                        let entry = monitor::Term::Var(entry_variable(way.entries));
                        way.entries += 1;
                        way.all.push(self.atom(&name.name, &predicate, args, &[("$entry", entry)]));
                        vec![way]
                    }
                    _ => {
                        let mut way = way;
                        way.all.push(self.formula(formula, Place::Plain));
                        vec![way]
                    }
                }
            }
            other => {
                let mut way = way;
                way.all.push(self.formula(other, Place::Plain));
                vec![way]
            }
        }
    }

    fn check_ways(&mut self, ways: &[Way], at: At, name: &str) {
        if ways.len() > WAYS_MAX {
            let message = format!("`{name}` can come about in more than {WAYS_MAX} ways");
            self.problem(at, message, "name some of its alternatives with `define`");
        }
    }

    /// A seen kind that opens a clock: the bearer's own statement of its own act at `to`, anybody else's at hi.
    fn opening(
        &mut self,
        name: &str,
        predicate: &Predicate,
        args: &[Argument],
        way: Way,
        bearers: &[monitor::Term],
    ) -> Vec<Way> {
        let by = self.fresh("by");
        let own = self.fresh("own");
        let stated = args.iter().find(|a| a.field.name == "by");
        let by_term = match stated {
            Some(a) => self.term(&a.term),
            None => monitor::Term::Any,
        };
        let (by_term, hidden_by) =
            if by_term == monitor::Term::Any { (monitor::Term::Var(by.clone()), true) } else { (by_term, false) };
        let since = |way: &Way| if way.since { monitor::Term::Any } else { monitor::Term::Var(Arc::from("$since")) };
        let mut ways = Vec::new();
        for bearer in bearers {
            let mut mine = way.clone();
            let from = since(&mine);
            let extra = [("by", if hidden_by { bearer.clone() } else { by_term.clone() }), ("$from", from)];
            mine.all.push(self.atom(&format!("{name}.own"), predicate, args, &extra));
            if !hidden_by {
                mine.all.push(compare(Comparison::Equal, by_term.clone(), bearer.clone()));
            }
            mine.since = true;
            ways.push(mine);
        }
        let mut others = way.clone();
        let from = since(&others);
        let extra = [("by", by_term.clone()), ("$own", monitor::Term::Var(own.clone())), ("$from", from)];
        let word = self.by_receipt(name).replacen(name, &format!("{name}.word"), 1);
        others.all.push(self.atom(&word, predicate, args, &extra));
        let mut not_own: Vec<Formula> =
            bearers.iter().map(|b| compare(Comparison::NotEqual, by_term.clone(), b.clone())).collect();
        let strangers = and(std::mem::take(&mut not_own));
        others.all.push(Formula::Or(vec![
            strangers,
            compare(Comparison::Equal, monitor::Term::Var(own.clone()), monitor::Term::Const(Value::Int(0))),
        ]));
        others.since = true;
        others.hidden.push(own);
        if hidden_by {
            others.hidden.push(by);
        }
        ways.push(others);
        ways
    }

    fn term(&self, term: &Term) -> monitor::Term {
        match term {
            Term::Var(v) => match self.charter.roles.get(&v.name) {
                Some(member) => monitor::Term::Const(Value::text(member)),
                None => monitor::Term::Var(Arc::from(v.name.as_str())),
            },
            Term::Text(t, _) => monitor::Term::Const(Value::text(t)),
            Term::Int(n, _, _) => monitor::Term::Const(Value::Int(*n)),
            // Measures were refused wherever they are not compared.
            Term::Any(_) | Term::Metres(_) => monitor::Term::Any,
            Term::Sum(a, op, b) => {
                let (a, b) = (Box::new(self.term(a)), Box::new(self.term(b)));
                match op {
                    Operator::Plus => monitor::Term::Plus(a, b),
                    Operator::Minus => monitor::Term::Minus(a, b),
                    Operator::Times => monitor::Term::Times(a, b),
                }
            }
        }
    }

    /// An atom with its columns in order. Values of `extra` go before what the author wrote.
    fn atom(
        &mut self,
        name: &str,
        predicate: &Predicate,
        args: &[Argument],
        extra: &[(&str, monitor::Term)],
    ) -> Formula {
        let mut guards = Vec::new();
        let mut columns = Vec::new();
        if args.iter().any(|a| a.field.name == "at" && !matches!(a.term, Term::Any(_))) {
            self.placed.insert(name.split('.').next().unwrap_or(name).to_string());
        }
        if name == BEHIND {
            self.lags.extend(args.iter().filter_map(|a| if let Term::Int(n, ..) = a.term { Some(n) } else { None }));
        }
        for column in &predicate.columns {
            let given = extra.iter().find(|(n, _)| *n == column.name).map(|(_, t)| t.clone());
            let term = given.unwrap_or_else(|| {
                args.iter().find(|a| a.field.name == column.name).map_or(monitor::Term::Any, |a| self.term(&a.term))
            });
            // A field that is not there has no value that could be bound.
            if column.optional && matches!(term, monitor::Term::Var(_)) {
                guards.push(compare(Comparison::NotEqual, term.clone(), monitor::Term::Const(nothing(&column.kind))));
            }
            columns.push(term);
        }
        if predicate.carries {
            let entry = extra.iter().find(|(n, _)| *n == "$entry").map(|(_, t)| t.clone());
            columns.push(entry.unwrap_or(monitor::Term::Any));
        }
        let atom = Formula::Atom { name: Arc::from(name), args: columns };
        if guards.is_empty() {
            atom
        } else {
            let mut all = vec![atom];
            all.extend(guards);
            Formula::And(all)
        }
    }

    /// Any formula, each atom by the place in which it stands (R2).
    fn formula(&mut self, formula: &Expr, place: Place<'_>) -> Formula {
        match formula {
            Expr::Atom { name, args } => {
                let Some(predicate) = self.predicates.get(&name.name).cloned() else { return Formula::True };
                match (predicate.sort, place) {
                    (Sort::Seen, Place::Must { positive: true, bearers }) => {
                        self.performance(&name.name, &predicate, args, bearers)
                    }
                    (Sort::Said, Place::Must { .. }) => {
                        let name = self.by_receipt(&name.name);
                        self.atom(&name, &predicate, args, &[])
                    }
                    _ => self.atom(&name.name, &predicate, args, &[]),
                }
            }
            Expr::Let(_) => Formula::True,
            Expr::Each { tick, name, .. } => {
                let predicate = tick.predicate();
                self.ticks.insert(predicate.clone(), tick.clone());
                let value =
                    name.as_ref().map_or(monitor::Term::Any, |n| monitor::Term::Var(Arc::from(n.name.as_str())));
                Formula::Atom { name: Arc::from(predicate), args: vec![value] }
            }
            Expr::Reached(term) => Formula::Reached(self.term(term)),
            Expr::Breached { commitment, part, term } => self.breached(commitment, part.as_ref(), term),
            Expr::Compare { left, op, right, .. } => self.comparison(left, *op, right),
            Expr::Not(f) => Formula::Not(Box::new(self.formula(f, place.flipped()))),
            Expr::And(all) => and(all.iter().map(|f| self.formula(f, place)).collect()),
            Expr::Or(all) => Formula::Or(all.iter().map(|f| self.formula(f, place)).collect()),
            Expr::Exists(names, f) => Formula::Exists(
                names.iter().map(|n| Arc::from(n.name.as_str())).collect(),
                Box::new(self.formula(f, place)),
            ),
            Expr::Once(w, f) => Formula::Once(window(w), Box::new(self.formula(f, place))),
            Expr::Historically(w, f) => Formula::Historically(window(w), Box::new(self.formula(f, place))),
            Expr::Eventually(w, f) => Formula::Eventually(window(w), Box::new(self.formula(f, place))),
            Expr::Always(w, f) => Formula::Always(window(w), Box::new(self.formula(f, place))),
            Expr::Since(w, a, b) => {
                Formula::Since(window(w), Box::new(self.formula(a, place)), Box::new(self.formula(b, place)))
            }
            Expr::Until(w, a, b) => {
                Formula::Until(window(w), Box::new(self.formula(a, place)), Box::new(self.formula(b, place)))
            }
            Expr::Seconds { window: w, formula, at_least } => Formula::Duration {
                window: window(w),
                formula: Box::new(self.formula(formula, place)),
                at_least: *at_least,
            },
        }
    }

    /// A seen kind as performance: anybody else's word when it occurred, the bearer's own when it was logged, or when it
    /// occurred if somebody else says so too.
    fn performance(
        &mut self,
        name: &str,
        predicate: &Predicate,
        args: &[Argument],
        bearers: &[monitor::Term],
    ) -> Formula {
        let stated = args.iter().find(|a| a.field.name == "by").map(|a| self.term(&a.term));
        let stated = stated.filter(|t| *t != monitor::Term::Any);
        let mut any = Vec::new();
        let by = self.fresh("by");
        let by_term = stated.clone().unwrap_or(monitor::Term::Var(by.clone()));
        let mut others = vec![self.atom(name, predicate, args, &[("by", by_term.clone())])];
        others.extend(bearers.iter().map(|b| compare(Comparison::NotEqual, by_term.clone(), b.clone())));
        let others = and(others);
        any.push(if stated.is_none() { Formula::Exists(vec![by], Box::new(others)) } else { others });
        for bearer in bearers {
            let late = self.by_receipt(name).replacen(name, &format!("{name}.late"), 1);
            for position in [late, format!("{name}.agreed")] {
                let own = self.atom(&position, predicate, args, &[("by", bearer.clone())]);
                any.push(match &stated {
                    Some(by) => and(vec![own, compare(Comparison::Equal, by.clone(), bearer.clone())]),
                    None => own,
                });
            }
        }
        Formula::Or(any)
    }

    /// The name of a fact that counts when it was logged, or when both ends had stated it.
    fn by_receipt(&mut self, name: &str) -> String {
        if !self.by_receipt {
            return name.to_string();
        }
        self.receipts.insert(name.to_string());
        format!("{name}{RECEIPT}")
    }

    /// A measure of a place, compared: the metres are a fact about the place.
    fn measured(&mut self, measure: &Metres, op: Comparison, number: &Term, left: bool) -> Formula {
        let metres = self.fresh("metres");
        let place = monitor::Term::Var(Arc::from(measure.of.name.as_str()));
        let value = monitor::Term::Var(metres.clone());
        let atom = match &measure.to {
            Some(to) => {
                self.measured.insert(to.name.clone());
                let args = vec![place, monitor::Term::Const(Value::text(&to.name)), value.clone()];
                Formula::Atom { name: Arc::from(DISTANCE), args }
            }
            None => Formula::Atom { name: Arc::from(EXTENT), args: vec![place, value.clone()] },
        };
        let number = self.term(number);
        let compared = if left { compare(op, value, number) } else { compare(op, number, value) };
        Formula::Exists(vec![metres], Box::new(Formula::And(vec![atom, compared])))
    }

    fn breached(&mut self, commitment: &Named, part: Option<&Named>, term: &Term) -> Formula {
        let term = self.term(term);
        let Some(watched) = self.commitments.get(&commitment.name) else { return Formula::True };
        let mut any = Vec::new();
        for watched in watched.parts.iter().filter(|w| part.is_none_or(|p| w.part.as_ref() == Some(&p.name))) {
            for rule in &watched.rules {
                let args = watched.first.iter().map(|v| (Arc::from(v.as_str()), term.clone())).collect();
                any.push(Formula::Breached { rule: rule.clone(), args });
            }
        }
        if any.len() == 1 { any.remove(0) } else { Formula::Or(any) }
    }

    /// `l >= "probable"` becomes equality with one of the values from there on.
    fn comparison(&mut self, left: &Term, op: Compared, right: &Term) -> Formula {
        let ordered = |c: Compared| !matches!(c, Compared::Equal | Compared::NotEqual);
        let (variable, value, op) = match (left, right) {
            (other, Term::Text(value, _)) if ordered(op) => (other, value, op),
            (Term::Text(value, _), other) if ordered(op) => (other, value, mirrored(op)),
            _ => {
                let op = match op {
                    Compared::Equal => Comparison::Equal,
                    Compared::NotEqual => Comparison::NotEqual,
                    Compared::Less => Comparison::Less,
                    Compared::LessOrEqual => Comparison::LessOrEqual,
                    Compared::Greater => Comparison::Greater,
                    Compared::GreaterOrEqual => Comparison::GreaterOrEqual,
                };
                return match (left, right) {
                    (Term::Metres(m), number) => self.measured(m, op, number, true),
                    (number, Term::Metres(m)) => self.measured(m, op, number, false),
                    _ => compare(op, self.term(left), self.term(right)),
                };
            }
        };
        let term = self.term(variable);
        // Types were checked: some ordered enumeration holds the value. Two that do must agree on what is higher.
        let values = self.kinds.enums.values().find(|e: &&Enumeration| e.order.iter().any(|v| v == value));
        let order: &[String] = values.map_or(&[], |e| &e.order);
        let at = order.iter().position(|v| v == value).unwrap_or(0);
        let chosen: Vec<Formula> = order
            .iter()
            .enumerate()
            .filter(|(n, _)| match op {
                Compared::Less => *n < at,
                Compared::LessOrEqual => *n <= at,
                Compared::Greater => *n > at,
                _ => *n >= at,
            })
            .map(|(_, v)| compare(Comparison::Equal, term.clone(), monitor::Term::Const(Value::text(v))))
            .collect();
        match chosen.len() {
            0 => Formula::Not(Box::new(Formula::True)),
            1 => chosen.into_iter().next().unwrap_or(Formula::True),
            _ => Formula::Or(chosen),
        }
    }

    // ---- the program

    fn program(&mut self, sources: &[Source], definitions: &[Defined<'_>], clocks: Vec<(Rule, Clock)>) -> Program {
        let by_name: BTreeMap<&str, &Defined<'_>> = definitions.iter().map(|d| (d.name, d)).collect();
        let reach = |start: Vec<&Expr>, into_asserts: bool| {
            let mut reached: BTreeSet<String> = BTreeSet::new();
            let mut queue = start;
            while let Some(formula) = queue.pop() {
                formula.walk(&mut |e| {
                    if let Expr::Atom { name, .. } = e {
                        reached.insert(name.name.clone());
                    }
                });
                for name in reached.clone() {
                    if let Some(d) = by_name.get(name.as_str())
                        && (into_asserts || !d.asserted)
                        && reached.insert(format!("\0{name}"))
                    {
                        queue.extend(d.bodies.iter().map(|b| b.formula));
                    }
                }
            }
            reached.retain(|n| !n.starts_with('\0'));
            reached
        };
        let lower_roots: Vec<&Defined<'_>> = definitions.iter().filter(|d| d.asserted || is_term(d.name)).collect();
        let mut lower_names =
            reach(lower_roots.iter().flat_map(|d| d.bodies.iter().map(|b| b.formula)).collect(), true);
        lower_names.extend(lower_roots.iter().map(|d| d.name.to_string()));
        let mut starts: Vec<&Expr> = Vec::new();
        let mut bare = BTreeSet::new();
        for source in sources {
            let Item::Commitment(block) = &source.item else { continue };
            for clauses in &block.parts {
                starts.extend(block.lets.iter().chain(&clauses.lets).map(|(_, f)| f));
                starts.extend(&clauses.opens);
                starts.extend(&clauses.lapses);
                starts.extend(clauses.exceptions.iter().map(|e| &e.when));
                match &clauses.must {
                    Some(Must::Now(f) | Must::Within(f, _) | Must::NotFor(f, _)) => starts.push(f),
                    Some(Must::NotUntil(f, g)) => starts.extend([f, g]),
                    None => {}
                }
            }
        }
        bare.extend(reach(starts, false));
        let upper_names = bare;

        for definition in definitions {
            let in_lower = lower_names.contains(definition.name);
            if !in_lower {
                continue;
            }
            for body in &definition.bodies {
                self.file = body.file.into();
                let (mut seen, mut breached) = (None, None);
                body.formula.walk(&mut |e| match e {
                    Expr::Atom { name, .. }
                        if self.predicates.get(&name.name).is_some_and(|p| {
                            p.sort == Sort::Seen || (p.sort == Sort::Asserted && lower_names.contains(&name.name))
                        }) =>
                    {
                        seen = Some(name.clone());
                    }
                    Expr::Breached { commitment, .. } => breached = Some(commitment.clone()),
                    _ => {}
                });
                const WHY: &str = "Article 1's terms and assertions rest on what is said and on the record, not on what they let through";
                if let Some(name) = seen {
                    let message = format!("`{}` decides what counts and cannot read `{}`", definition.name, name.name);
                    self.problem(name.at, message, WHY);
                }
                if let Some(name) = breached {
                    let message = format!("`{}` decides what counts and cannot read breaches", definition.name);
                    self.problem(name.at, message, WHY);
                }
            }
        }
        for name in &upper_names {
            if is_term(name)
                && let Some(d) = by_name.get(name.as_str())
            {
                self.file = d.file.into();
                let message = format!("rules cannot read `{name}`, which decides what counts");
                self.problem(d.bodies[0].at, message, "rules read facts as Article 1 lets them through");
            }
        }

        if let Some(absent) = by_name.get("absent") {
            let read = reach(absent.bodies.iter().map(|b| b.formula).collect(), true);
            if let Some(word) = ["same", "before"].into_iter().find(|word| read.contains(*word)) {
                self.file = absent.file.into();
                let message = format!("`absent` reads `{word}`, which is asked of statements that are not absent");
                self.problem(
                    absent.bodies[0].at,
                    message,
                    "whether a statement counts at all rests on itself and on what refers to it",
                );
            }
        }

        let mut program = Program::default();
        for (lower, names) in [(true, &lower_names), (false, &upper_names)] {
            let mut stratum = Stratum::default();
            for definition in definitions.iter().filter(|d| names.contains(d.name)) {
                if definition.asserted {
                    if lower {
                        self.assertion(definition, &mut stratum);
                    }
                    continue;
                }
                for body in &definition.bodies {
                    stratum.rules.definitions.push(self.definition(definition.name, body));
                }
            }
            if !lower {
                stratum.rules.rules = clocks.iter().map(|(r, _)| r.clone()).collect();
                for clock in clocks.iter().map(|(_, c)| c) {
                    let Some((_, moved)) = &clock.window else { continue };
                    let key = clock.visible.iter().map(|(.., kind)| monitor_type(kind)).chain([monitor::Type::Int]);
                    stratum.signature.insert(moved.clone(), key.collect());
                }
                for tick in self.ticks.keys() {
                    stratum.signature.insert(Arc::from(tick.as_str()), vec![monitor::Type::Int]);
                }
            }
            self.signature(names, lower, &mut stratum);
            program
                .columns
                .extend(names.iter().filter_map(|n| Some((n.clone(), self.predicates.get(n)?.columns.clone()))));
            if lower {
                program.lower = stratum;
            } else {
                program.upper = stratum;
            }
        }
        program.asserts = definitions
            .iter()
            .filter(|d| d.asserted)
            .map(|d| AssertColumns { name: d.name.into(), has_admitted: d.bodies.len() > 1 })
            .collect();
        let read = |name: &String| lower_names.contains(name) || upper_names.contains(name);
        program.annexed = self
            .tables
            .iter()
            .filter(|t| read(&t.name))
            .flat_map(|t| t.rows.iter().map(|row| (t.name.clone(), row.clone())))
            .collect();
        program.ticks = std::mem::take(&mut self.ticks);
        program.placed = std::mem::take(&mut self.placed);
        program.lags = std::mem::take(&mut self.lags);
        for name in &self.measured {
            let table = self.tables.iter().find(|t| t.name == *name);
            program.places.insert(name.clone(), table.map_or_else(|| self.lines.clone(), |t| t.places.clone()));
        }
        program.clocks = clocks.into_iter().map(|(r, c)| (r.name, c)).collect();
        self.try_monitors(&program, definitions, sources);
        program
    }

    fn signature(&self, names: &BTreeSet<String>, lower: bool, stratum: &mut Stratum) {
        let types = |columns: &[Column]| columns.iter().map(|c| monitor_type(&c.kind)).collect();
        for name in names {
            let Some(predicate) = self.predicates.get(name) else { continue };
            let columns: Vec<monitor::Type> = types(&predicate.columns);
            match predicate.sort {
                Sort::Said | Sort::Record => {
                    if !lower && self.receipts.contains(name) {
                        stratum.signature.insert(Arc::from(format!("{name}{RECEIPT}")), columns.clone());
                    }
                    stratum.signature.insert(Arc::from(name.as_str()), columns);
                }
                Sort::Seen => {
                    let by_receipt = if self.receipts.contains(name) { &[".word", ".late"][..] } else { &[] };
                    for position in by_receipt {
                        stratum.signature.insert(Arc::from(format!("{name}{position}{RECEIPT}")), columns.clone());
                    }
                    for position in ["", ".own", ".word", ".late", ".agreed"] {
                        stratum.signature.insert(Arc::from(format!("{name}{position}")), columns.clone());
                    }
                }
                Sort::Asserted if !lower => {
                    stratum.signature.insert(Arc::from(name.as_str()), columns);
                }
                Sort::Asserted | Sort::Defined => {}
            }
        }
        let (text, int) = (monitor::Type::Text, monitor::Type::Int);
        if !lower {
            stratum.signature.insert(Arc::from(WITHDRAWN), vec![text]);
        }
        if !self.placed.is_empty() {
            stratum.signature.insert(Arc::from(DISTANCE), vec![text, text, int]);
            stratum.signature.insert(Arc::from(EXTENT), vec![text, int]);
        }
    }

    /// Columns in the order of the first definition; values in the head become equalities.
    fn head(&mut self, name: &str, head: &[Argument]) -> (Vec<Arc<str>>, Vec<Formula>) {
        let columns = self.predicates.get(name).map(|p| p.columns.clone()).unwrap_or_default();
        let (mut params, mut equal) = (Vec::<Arc<str>>::new(), Vec::new());
        for column in &columns {
            let term = head.iter().find(|a| a.field.name == column.name).map(|a| self.term(&a.term));
            match term {
                Some(monitor::Term::Var(v)) if !params.contains(&v) => params.push(v),
                Some(term) => {
                    let fresh = self.fresh("head");
                    equal.push(compare(Comparison::Equal, monitor::Term::Var(fresh.clone()), term));
                    params.push(fresh);
                }
                None => {}
            }
        }
        (params, equal)
    }

    fn definition(&mut self, name: &str, body: &Body<'_>) -> Definition {
        let (mut params, equal) = self.head(name, body.head);
        let carries = self.predicates.get(name).is_some_and(|p| p.carries);
        if !carries {
            let mut all = vec![self.formula(body.formula, Place::Plain)];
            all.extend(equal);
            return Definition { name: Arc::from(name), params, body: and(all) };
        }
        let mut ways = self.ways(body.formula, Way::default(), None);
        self.check_ways(&ways, body.at, name);
        for way in &mut ways {
            way.all.extend(equal.iter().cloned());
            // Only the first statement is passed on.
            way.hidden.extend((1..way.entries).map(entry_variable));
            way.entries = 1;
        }
        let (formula, ..) = join_ways(ways);
        params.push(entry_variable(0));
        Definition { name: Arc::from(name), params, body: formula }
    }

    /// An assertion is two definitions of the lower stratum, and a rule whose explanation says what asserts it.
    fn assertion(&mut self, definition: &Defined<'_>, stratum: &mut Stratum) {
        for body in &definition.bodies {
            let (params, equal) = self.head(definition.name, body.head);
            let mut all = vec![self.formula(body.formula, Place::Plain)];
            all.extend(equal);
            let name = if body.admits { format!("{}.admitted", definition.name) } else { definition.name.to_string() };
            let formula = and(all);
            stratum.rules.definitions.push(Definition {
                name: Arc::from(name.as_str()),
                params: params.clone(),
                body: formula.clone(),
            });
            stratum.rules.rules.push(Rule {
                name: Arc::from(format!("assert {name}")),
                opens: formula,
                key: params,
                since: None,
                must: Formula::True,
                lapses: None,
            });
        }
    }

    /// What the monitor refuses is reported where it stands in the text.
    fn try_monitors(&mut self, program: &Program, definitions: &[Defined<'_>], sources: &[Source]) {
        for stratum in [&program.lower, &program.upper] {
            let Err(monitor::Diagnostics(refused)) = Monitor::new(&stratum.rules, &stratum.signature) else { continue };
            for refusal in refused {
                let place = refusal.place.trim_start_matches("assert ");
                let base = place.split(['.', '~']).next().unwrap_or(place);
                let definition = definitions.iter().find(|d| d.name == base);
                let found = definition.map(|d| (d.file.to_string(), d.bodies[0].at)).or_else(|| {
                    sources.iter().find_map(|s| match &s.item {
                        Item::Commitment(c) if c.id.name == base => {
                            let part = c.parts.iter().find(|p| {
                                p.part
                                    .as_ref()
                                    .is_some_and(|n| place.split('~').next() == Some(&format!("{base}.{}", n.name)))
                            });
                            let at = part.and_then(|p| p.part.as_ref()).map_or(c.id.at, |n| n.at);
                            Some((s.file.clone(), at))
                        }
                        _ => None,
                    })
                });
                let (file, at) = found.unwrap_or_else(|| ("agreement.toml".into(), At { line: 1, column: 1 }));
                self.file = file;
                self.problem(at, format!("{place}: {}", refusal.found), refusal.hint);
            }
        }
    }
}

fn is_term(name: &str) -> bool {
    TERMS.iter().chain(MORE_TERMS).any(|(term, _)| *term == name)
}

fn monitor_type(kind: &Type) -> monitor::Type {
    if kind.is_int() { monitor::Type::Int } else { monitor::Type::Text }
}

/// Ticks that open a part, by the position of their variable in the key.
fn ticks(part: &Part<'_>) -> Vec<(usize, Tick)> {
    let mut ticks = BTreeMap::new();
    part.opens.walk(&mut |e| {
        if let Expr::Each { tick, name: Some(name), .. } = e
            && let Some(n) = part.key.iter().position(|k| *k == name.name)
        {
            ticks.insert(n, tick.clone());
        }
    });
    ticks.into_iter().collect()
}

/// The rule beside a rule whose clock was moved.
fn moved_name(rule: &str) -> Arc<str> {
    Arc::from(format!("{rule}~moved"))
}

fn entry_variable(n: usize) -> Arc<str> {
    Arc::from(format!("$e{n}"))
}

fn compare(op: Comparison, left: monitor::Term, right: monitor::Term) -> Formula {
    Formula::Compare { op, left, right }
}

fn and(mut all: Vec<Formula>) -> Formula {
    match all.len() {
        0 => Formula::True,
        1 => all.remove(0),
        _ => {
            let mut flat = Vec::with_capacity(all.len());
            for f in all {
                match f {
                    Formula::And(inner) => flat.extend(inner),
                    other => flat.push(other),
                }
            }
            // Comparisons first: where one fails, whoever looks for reasons need not look further.
            flat.sort_by_key(|f| !matches!(f, Formula::Compare { .. }));
            Formula::And(flat)
        }
    }
}

fn window(span: &Span) -> Window {
    match span.to {
        Some(to) => Window::new(span.from, to),
        None => Window::unbounded(span.from),
    }
}

/// Joins the ways of an opening: all bind the same variables. A way that hangs on no statement wins over one that does,
/// so that one opening is not counted twice.
fn join_ways(ways: Vec<Way>) -> (Formula, usize, bool) {
    let entries = ways.iter().map(|w| w.entries).max().unwrap_or(0);
    let since = ways.iter().any(|w| w.since);
    let close = |mut all: Vec<Formula>, hidden: &[Arc<str>], entries_bound: usize, since_bound: bool| {
        for n in entries_bound..entries {
            all.push(compare(
                Comparison::Equal,
                monitor::Term::Var(entry_variable(n)),
                monitor::Term::Const(Value::text("")),
            ));
        }
        if since && !since_bound {
            all.push(Formula::Ts(monitor::Term::Var(Arc::from("$since"))));
        }
        let body = and(all);
        if hidden.is_empty() { body } else { Formula::Exists(hidden.to_vec(), Box::new(body)) }
    };
    let states: Vec<Formula> = ways
        .iter()
        .filter(|w| entries > 0 && w.entries == 0 && !w.since)
        .map(|w| Formula::Not(Box::new(and(w.all.clone()))))
        .collect();
    let mut any: Vec<Formula> = ways
        .into_iter()
        .map(|w| {
            let mut all = w.all;
            if w.entries > 0 {
                all.extend(states.iter().cloned());
            }
            close(all, &w.hidden, w.entries, w.since)
        })
        .collect();
    let joined = if any.len() == 1 { any.remove(0) } else { Formula::Or(any) };
    (joined, entries, since)
}

/// Atoms of `must`, with the fields that variables of the key stand for.
fn reads(part: &Part<'_>) -> Vec<(String, Vec<(String, usize)>)> {
    let formulas = match &part.must {
        Must::Now(f) | Must::Within(f, _) | Must::NotFor(f, _) => vec![f],
        Must::NotUntil(f, g) => vec![f, g],
    };
    let mut reads = Vec::new();
    for formula in formulas {
        formula.walk(&mut |e| {
            let Expr::Atom { name, args } = e else { return };
            let given = args.iter().filter_map(|a| match &a.term {
                Term::Var(v) => Some((a.field.name.clone(), part.key.iter().position(|k| *k == v.name)?)),
                _ => None,
            });
            reads.push((name.name.clone(), given.collect()));
        });
    }
    reads
}

fn mirrored(op: Compared) -> Compared {
    match op {
        Compared::Less => Compared::Greater,
        Compared::LessOrEqual => Compared::GreaterOrEqual,
        Compared::Greater => Compared::Less,
        Compared::GreaterOrEqual => Compared::LessOrEqual,
        other => other,
    }
}

fn int_type(word: IntWord) -> Type {
    match word {
        IntWord::Count => Type::Count,
        IntWord::Duration => Type::Duration,
        IntWord::Truth => Type::Truth,
        IntWord::Instant => Type::Instant,
    }
}

/// The type of a variable that stands in two places; `None` if no value fits both.
fn narrower(a: &Type, b: &Type) -> Option<Type> {
    match (a, b) {
        (a, b) if a == b => Some(a.clone()),
        (Type::Text, other) | (other, Type::Text) if !other.is_int() && *other != Type::Place => Some(other.clone()),
        (Type::Id, Type::Entry) | (Type::Entry, Type::Id) => Some(Type::Id),
        (a, b) if a.is_int() && b.is_int() && *a != Type::Truth && *b != Type::Truth => {
            Some(if *a == Type::Count { b.clone() } else { a.clone() })
        }
        _ => None,
    }
}

/// The type of a column that two definitions fill.
fn wider(a: &Type, b: &Type) -> Type {
    match (a, b) {
        (a, b) if a == b => a.clone(),
        (a, b) if a.is_int() && b.is_int() => Type::Count,
        _ => Type::Text,
    }
}

fn has_atom(formula: &Expr) -> bool {
    let mut has = false;
    formula.walk(&mut |e| has |= matches!(e, Expr::Atom { .. } | Expr::Breached { .. } | Expr::Each { .. }));
    has
}

fn looks_ahead(formula: &Expr) -> bool {
    first_ahead(formula).is_some()
}

fn first_ahead(formula: &Expr) -> Option<&'static str> {
    let mut ahead = None;
    formula.walk(&mut |e| {
        let word = match e {
            Expr::Eventually(..) => "eventually",
            Expr::Always(..) => "always",
            Expr::Until(..) => "until",
            _ => return,
        };
        ahead = ahead.or(Some(word));
    });
    ahead
}

pub(crate) fn rule_name(block: &CommitmentBlock, clauses: &Clauses) -> String {
    match &clauses.part {
        Some(part) => format!("{}.{}", block.id.name, part.name),
        None => block.id.name.clone(),
    }
}

fn full_name(name: &str, variant: &str, bearer: usize) -> Arc<str> {
    let mut full = name.to_string();
    if !variant.is_empty() {
        full.push('~');
        full.push_str(variant);
    }
    if bearer > 0 {
        full.push_str(&format!("~{}", bearer + 1));
    }
    Arc::from(full)
}

/// Names of the variants of a part, with the number of bearers where an exception names others.
fn variant_names(clauses: &Clauses) -> Vec<(String, Option<usize>)> {
    let mut names = vec![(String::new(), None)];
    for exception in &clauses.exceptions {
        match &exception.effect {
            Effect::None => {}
            Effect::Bearer(b) => {
                names.push((exception.name.name.clone(), Some(if b.jointly { 1 } else { b.names.len() })));
            }
            _ => names.push((exception.name.name.clone(), None)),
        }
    }
    names
}

/// Exceptions, each before those that give way to it: whoever is `over` another stands before it; for the rest those that
/// lift the duty come first, then they stand as in the text. `None`: `over` goes round in a circle.
fn ranked<'p>(exceptions: &'p [(&'p Exception, Expr)]) -> Option<Vec<&'p (&'p Exception, Expr)>> {
    let mut left: Vec<_> = exceptions.iter().collect();
    left.sort_by_key(|(e, _)| !matches!(e.effect, Effect::None));
    let mut ranked = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let over = |a: &Exception, b: &Exception| a.over.as_ref().is_some_and(|o| o.name == b.name.name);
        let first = left.iter().position(|(e, _)| !left.iter().any(|(other, _)| over(other, e)))?;
        ranked.push(left.remove(first));
    }
    Some(ranked)
}

/// Which exception applies is decided at the opening: the first in rank whose ground holds, or none. So one opening is one
/// instance, however many grounds there are.
fn variants<'p>(part: &'p Part<'_>) -> Vec<Variant<'p>> {
    let ranked = ranked(&part.exceptions).unwrap_or_default();
    let mut before: Vec<&Expr> = Vec::new();
    let mut all = Vec::new();
    for (exception, when) in ranked {
        if !matches!(exception.effect, Effect::None) {
            all.push(Variant {
                name: exception.name.name.clone(),
                with: Some(when),
                without: before.clone(),
                effect: Some(&exception.effect),
            });
        }
        before.push(when);
    }
    all.insert(0, Variant { name: String::new(), with: None, without: before, effect: None });
    all
}

pub(crate) fn lets<'b>(block: &'b CommitmentBlock, clauses: &'b Clauses) -> Vec<(&'b str, &'b Expr)> {
    block.lets.iter().chain(&clauses.lets).map(|(n, f)| (n.name.as_str(), f)).collect()
}

/// Puts `let`s in where they are named: a `let` sees only those above it. `None` if that makes too much of it.
pub(crate) fn put_in(formula: &Expr, lets: &[(&str, &Expr)]) -> Option<Expr> {
    let mut budget = 10_000usize;
    put_in_within(formula, lets, 200, &mut budget)
}

fn put_in_within(formula: &Expr, lets: &[(&str, &Expr)], depth: usize, budget: &mut usize) -> Option<Expr> {
    *budget = budget.checked_sub(1)?;
    let depth = depth.checked_sub(1)?;
    let mut put = |f: &Expr| put_in_within(f, lets, depth, budget).map(Box::new);
    Some(match formula {
        Expr::Let(name) => match lets.iter().rposition(|(n, _)| *n == name.name) {
            Some(n) => return put_in_within(lets[n].1, &lets[..n], depth, budget),
            None => formula.clone(),
        },
        Expr::Atom { .. } | Expr::Breached { .. } | Expr::Each { .. } | Expr::Reached(_) | Expr::Compare { .. } => {
            formula.clone()
        }
        Expr::Not(f) => Expr::Not(put(f)?),
        Expr::And(all) => Expr::And(all.iter().map(|f| put(f).map(|f| *f)).collect::<Option<_>>()?),
        Expr::Or(all) => Expr::Or(all.iter().map(|f| put(f).map(|f| *f)).collect::<Option<_>>()?),
        Expr::Exists(names, f) => Expr::Exists(names.clone(), put(f)?),
        Expr::Once(w, f) => Expr::Once(*w, put(f)?),
        Expr::Historically(w, f) => Expr::Historically(*w, put(f)?),
        Expr::Eventually(w, f) => Expr::Eventually(*w, put(f)?),
        Expr::Always(w, f) => Expr::Always(*w, put(f)?),
        Expr::Since(w, a, b) => Expr::Since(*w, put(a)?, put(b)?),
        Expr::Until(w, a, b) => Expr::Until(*w, put(a)?, put(b)?),
        Expr::Seconds { window, formula, at_least } => {
            Expr::Seconds { window: *window, formula: put(formula)?, at_least: *at_least }
        }
    })
}
