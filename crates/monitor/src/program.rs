//! Rules as the evaluator reads them: names resolved, types and variables checked, strata ordered.
//!
//! ```text
//! rule C14: variable `z` is not bound
//!   hint: name it in a fact or a definition beside it, or bind it with `z = ...`
//! ```
//! Promises: whatever passes here can be evaluated without an error, without an endless relation and within
//! [`DEPTH`] levels of nesting, definitions included. All reasons for a refusal are collected, not only the first.
use crate::fact::Value;
use crate::formula::{Comparison, Diagnostic, Diagnostics, Formula, Name, Rules, Signature, Term, Type, Upper, Window};
use crate::lookup::{hash_of_text, spread};
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

/// Nesting that is taken, through definitions and `breached`.
pub(crate) const DEPTH: usize = 200;

/// Variables that one rule or definition may have; sets of them are one machine word.
const VARIABLES: usize = 128;

/// A value inside: text as a number of [`Words`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum V {
    Int(i64),
    Word(u32),
    /// Some value that occurs nowhere: it stands for all those that no fact names.
    Fresh,
}

impl Hash for V {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        // One word each; a column holds numbers or texts, seldom both.
        hasher.write_u64(match self {
            V::Int(number) => *number as u64,
            V::Word(word) => u64::from(*word) << 1,
            V::Fresh => u64::MAX,
        });
    }
}

/// Texts seen so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Words {
    /// With the hash of each.
    by_text: HashTable<(u32, u32)>,
    texts: Vec<Arc<str>>,
}

impl Words {
    pub(crate) fn learn(&mut self, value: &Value) -> V {
        match value {
            Value::Int(number) => V::Int(*number),
            Value::Text(text) => {
                let Words { by_text, texts } = self;
                let at = hash_of_text(text);
                let same = |&(kept, word): &(u32, u32)| kept == at && texts[word as usize] == *text;
                let word = match by_text.entry(spread(at), same, |&(kept, _)| spread(kept)) {
                    Entry::Occupied(entry) => return V::Word(entry.get().1),
                    Entry::Vacant(entry) => {
                        let word = u32::try_from(texts.len()).expect("fewer than 2^32 texts fit in memory");
                        entry.insert((at, word));
                        word
                    }
                };
                texts.push(text.clone());
                V::Word(word)
            }
            // Refused before any fact or formula with one gets here; its print still tells two apart.
            Value::Decimal(ratio) => self.learn(&Value::text(ratio.to_string())),
        }
    }

    /// `None` for a text that was never learnt.
    pub(crate) fn know(&self, value: &Value) -> Option<V> {
        match value {
            Value::Int(number) => Some(V::Int(*number)),
            Value::Text(text) => {
                let at = hash_of_text(text);
                let same = |&(kept, word): &(u32, u32)| kept == at && self.texts[word as usize] == *text;
                self.by_text.find(spread(at), same).map(|&(_, word)| V::Word(word))
            }
            Value::Decimal(_) => None,
        }
    }

    pub(crate) fn say(&self, v: V) -> Value {
        match v {
            V::Int(number) => Value::Int(number),
            V::Word(word) => Value::Text(self.texts[word as usize].clone()),
            V::Fresh => Value::text("_"),
        }
    }
}

pub(crate) type Slot = usize;

/// A set of slots.
pub(crate) type Mask = u128;

/// An order of the parts of a conjunction, or the variables at fault.
type Order = Result<Arc<[usize]>, Mask>;

pub(crate) fn bit(slot: Slot) -> Mask {
    1 << slot
}

#[derive(Clone, Debug)]
pub(crate) enum Expr {
    Slot(Slot),
    Const(V),
    Any,
    Plus(Box<Expr>, Box<Expr>),
    Minus(Box<Expr>, Box<Expr>),
    Times(Box<Expr>, Box<Expr>),
}

impl Expr {
    pub(crate) fn mask(&self) -> Mask {
        match self {
            Expr::Slot(slot) => bit(*slot),
            Expr::Const(_) | Expr::Any => 0,
            Expr::Plus(a, b) | Expr::Minus(a, b) | Expr::Times(a, b) => a.mask() | b.mask(),
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    Fixed(i64),
    Slot(Slot),
    Unbounded,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Reach {
    pub(crate) near: i64,
    pub(crate) far: Bound,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    True,
    Fact(usize, Vec<Expr>),
    Call(usize, Vec<Expr>),
    /// Arguments in the order of the rule's key.
    Breached(usize, Vec<Expr>),
    Reached(Expr),
    Ts(Expr),
    Compare(Comparison, Expr, Expr),
    Not(Box<Node>),
    And(Vec<Node>),
    Or(Vec<Node>),
    Exists(Vec<Slot>, Box<Node>),
    Once(Reach, Box<Node>),
    Historically(Reach, Box<Node>),
    Since(Reach, Box<Node>, Box<Node>),
    Eventually(Reach, Box<Node>),
    Always(Reach, Box<Node>),
    Until(Reach, Box<Node>, Box<Node>),
    Duration(Reach, Box<Node>, i64),
}

#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// Unique in the program.
    pub(crate) id: usize,
    pub(crate) kind: Kind,
    /// Free variables.
    pub(crate) mask: Mask,
    /// The same, ascending.
    pub(crate) free: Vec<Slot>,
    /// No future operator within.
    pub(crate) past: bool,
    /// Holds nowhere after the last fact: what it says up to an instant needs no second evaluation.
    pub(crate) dies: bool,
    /// As people write it.
    pub(crate) text: Arc<str>,
}

impl Node {
    /// The formulas that it is made of, from left to right.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &Node> {
        let (list, pair): (&[Node], [Option<&Node>; 2]) = match &self.kind {
            Kind::And(parts) | Kind::Or(parts) => (parts, [None, None]),
            Kind::Not(f)
            | Kind::Exists(_, f)
            | Kind::Once(_, f)
            | Kind::Historically(_, f)
            | Kind::Eventually(_, f)
            | Kind::Always(_, f)
            | Kind::Duration(_, f, _) => (&[], [Some(f), None]),
            Kind::Since(_, f, g) | Kind::Until(_, f, g) => (&[], [Some(f), Some(g)]),
            _ => (&[], [None, None]),
        };
        list.iter().chain(pair.into_iter().flatten())
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Body {
    /// Which of all definitions, in the order given.
    pub(crate) place: usize,
    pub(crate) params: Vec<Slot>,
    pub(crate) slots: usize,
    pub(crate) names: Arc<[Name]>,
    pub(crate) node: Node,
}

/// All definitions of one name.
#[derive(Clone, Debug)]
pub(crate) struct Derived {
    pub(crate) name: Name,
    pub(crate) bodies: Vec<Body>,
}

#[derive(Clone, Debug)]
pub(crate) struct Duty {
    pub(crate) name: Name,
    pub(crate) slots: usize,
    pub(crate) names: Arc<[Name]>,
    pub(crate) key: Vec<Slot>,
    pub(crate) since: Option<Slot>,
    pub(crate) opens: Node,
    pub(crate) must: Node,
    pub(crate) lapses: Option<Node>,
}

#[derive(Clone, Debug)]
pub(crate) struct Predicate {
    pub(crate) types: Vec<Type>,
    /// Read with `ts(x)` that binds x, so that its facts must be single instants.
    pub(crate) events_only: bool,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Program {
    pub(crate) predicates: Vec<Predicate>,
    pub(crate) predicate: BTreeMap<Name, usize>,
    pub(crate) derived: Vec<Derived>,
    pub(crate) definition: BTreeMap<Name, usize>,
    /// In the order given.
    pub(crate) duties: Vec<Duty>,
    pub(crate) duty: BTreeMap<Name, usize>,
    /// Rules such that every rule stands after those whose breaches it reads.
    pub(crate) order: Vec<usize>,
    pub(crate) nodes: usize,
    /// What each node reads by its id: by itself, and through definitions too.
    reads: Vec<[Reads; 2]>,
    /// Orders in which conjunctions are joined, each found once.
    plans: Arc<Mutex<Plans>>,
}

/// A set of predicates, of rules whose breaches are read, and of definitions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reads(Vec<u64>);

impl Reads {
    pub(crate) fn add(&mut self, place: usize) {
        if self.0.len() <= place / 64 {
            self.0.resize(place / 64 + 1, 0);
        }
        self.0[place / 64] |= 1 << (place % 64);
    }

    pub(crate) fn has(&self, place: usize) -> bool {
        self.0.get(place / 64).is_some_and(|word| word & 1 << (place % 64) != 0)
    }

    fn members(&self) -> impl Iterator<Item = usize> {
        self.0.iter().enumerate().flat_map(|(i, word)| slots(Mask::from(*word)).map(move |bit| 64 * i + bit))
    }

    pub(crate) fn add_all(&mut self, other: &Reads) {
        self.0.resize(self.0.len().max(other.0.len()), 0);
        self.0.iter_mut().zip(&other.0).for_each(|(own, other)| *own |= other);
    }

    pub(crate) fn meets(&self, other: &Reads) -> bool {
        self.0.iter().zip(&other.0).any(|(own, other)| own & other != 0)
    }
}

impl Program {
    /// How many definitions deep a definition rests on others.
    pub(crate) fn height(&self, definition: usize) -> usize {
        fn of(program: &Program, node: &Node) -> usize {
            match &node.kind {
                Kind::Call(definition, _) => 1 + program.height(*definition),
                _ => node.parts().map(|part| of(program, part)).max().unwrap_or(0),
            }
        }
        self.derived[definition].bodies.iter().map(|body| of(self, &body.node)).max().unwrap_or(0)
    }

    /// What a node reads, through definitions too.
    pub(crate) fn reads(&self, node: &Node) -> &Reads {
        &self.reads[node.id][1]
    }

    /// What a node reads by itself.
    pub(crate) fn reads_itself(&self, node: &Node) -> &Reads {
        &self.reads[node.id][0]
    }

    pub(crate) fn reads_breaches(&self, node: &Node) -> bool {
        (0..self.duties.len()).any(|rule| self.reads(node).has(self.breaches_of(rule)))
    }

    /// Whether no rule asks for anything once it is open.
    pub(crate) fn owes_nothing(&self) -> bool {
        self.duties.iter().all(|duty| matches!(duty.must.kind, Kind::True) && duty.lapses.is_none())
    }

    /// The place of a rule among what is read; predicates stand before all rules.
    pub(crate) fn breaches_of(&self, rule: usize) -> usize {
        self.predicates.len() + rule
    }

    /// The place of a definition there; those stand behind all rules.
    pub(crate) fn rows_of(&self, definition: usize) -> usize {
        self.predicates.len() + self.duties.len() + definition
    }

    /// Definitions that a node calls.
    pub(crate) fn called(&self, node: &Node) -> impl Iterator<Item = usize> {
        let first = self.rows_of(0);
        self.reads_itself(node).members().filter(move |place| *place >= first).map(move |place| place - first)
    }

    /// Notes what a node reads, and all its parts. Definitions that it calls come before it.
    fn note_reads(&self, node: &Node, all: &mut [[Reads; 2]]) {
        let mut reads = <[Reads; 2]>::default();
        match &node.kind {
            Kind::Fact(predicate, _) => reads.iter_mut().for_each(|reads| reads.add(*predicate)),
            Kind::Breached(rule, _) => reads.iter_mut().for_each(|reads| reads.add(self.breaches_of(*rule))),
            Kind::Call(definition, _) => {
                reads[0].add(self.rows_of(*definition));
                self.derived[*definition].bodies.iter().for_each(|body| reads[1].add_all(&all[body.node.id][1]));
            }
            _ => node.parts().for_each(|part| {
                self.note_reads(part, all);
                reads.iter_mut().zip(&all[part.id]).for_each(|(reads, part)| reads.add_all(part));
            }),
        }
        all[node.id] = reads;
    }

    /// An order in which the parts of a conjunction can be joined.
    pub(crate) fn plan(&self, id: usize, parts: &[Node], bound: Mask) -> Order {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner).plan(id, parts, bound)
    }
}

/// A definition or a rule in the graph of who reads whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Unit {
    Definition(usize),
    Rule(usize),
}

/// Names and types of variables of one rule or definition.
struct Scope {
    place: Name,
    free: BTreeMap<Name, Slot>,
    quantified: Vec<(Name, Slot)>,
    names: Vec<Name>,
    parent: Vec<Slot>,
    types: Vec<Option<Type>>,
}

impl Scope {
    fn new(place: &Name) -> Scope {
        Scope {
            place: place.clone(),
            free: BTreeMap::new(),
            quantified: Vec::new(),
            names: Vec::new(),
            parent: Vec::new(),
            types: Vec::new(),
        }
    }

    fn fresh(&mut self, name: &Name) -> Slot {
        self.names.push(name.clone());
        self.parent.push(self.parent.len());
        self.types.push(None);
        self.parent.len() - 1
    }

    fn slot(&mut self, name: &Name) -> Slot {
        if let Some((_, slot)) = self.quantified.iter().rev().find(|(n, _)| n == name) {
            return *slot;
        }
        if let Some(&slot) = self.free.get(name) {
            return slot;
        }
        let slot = self.fresh(name);
        self.free.insert(name.clone(), slot);
        slot
    }

    fn root(&self, mut slot: Slot) -> Slot {
        while self.parent[slot] != slot {
            slot = self.parent[slot];
        }
        slot
    }

    /// `false` if the two cannot be one type.
    fn same(&mut self, a: Slot, b: Slot) -> bool {
        let (a, b) = (self.root(a), self.root(b));
        match (self.types[a], self.types[b]) {
            (Some(x), Some(y)) if x != y => false,
            (x, y) => {
                self.parent[a] = b;
                self.types[b] = x.or(y);
                true
            }
        }
    }

    fn is(&mut self, slot: Slot, wanted: Type) -> bool {
        let root = self.root(slot);
        let found = *self.types[root].get_or_insert(wanted);
        found == wanted
    }

    fn type_of(&self, slot: Slot) -> Option<Type> {
        self.types[self.root(slot)]
    }
}

/// What an expression is, for types.
enum Sort {
    Known(Type),
    Slot(Slot),
    Anything,
}

struct Compiler<'a> {
    rules: &'a Rules,
    words: &'a mut Words,
    program: Program,
    /// Types of the columns of definitions, by the first body that says.
    columns: Vec<Vec<Option<Type>>>,
    found: Vec<Diagnostic>,
    plans: Plans,
    /// Future operators are allowed everywhere.
    everywhere: bool,
}

/// Checks and orders rules.
pub(crate) fn compile(rules: &Rules, signature: &Signature, words: &mut Words) -> Result<Program, Diagnostics> {
    let mut compiler = Compiler {
        rules,
        words,
        program: Program::default(),
        columns: Vec::new(),
        found: Vec::new(),
        plans: Plans::default(),
        everywhere: false,
    };
    for (name, types) in signature {
        compiler.program.predicate.insert(name.clone(), compiler.program.predicates.len());
        compiler.program.predicates.push(Predicate { types: types.clone(), events_only: false });
    }
    compiler.run();
    if compiler.found.is_empty() { Ok(compiler.program) } else { Err(Diagnostics(compiler.found)) }
}

/// Checks one formula by itself, which may look ahead anywhere.
pub(crate) fn compile_query(
    formula: &Formula,
    columns: &[Name],
    signature: &Signature,
    words: &mut Words,
) -> Result<(Program, Body), Diagnostics> {
    let place: Name = Arc::from("formula");
    let rules = Rules::default();
    let program = compile(&rules, signature, words)?;
    let mut compiler = Compiler {
        rules: &rules,
        words,
        program,
        columns: Vec::new(),
        found: Vec::new(),
        plans: Plans::default(),
        everywhere: true,
    };
    compiler.shallow(&place, formula);
    let mut scope = Scope::new(&place);
    let mut body = None;
    if compiler.found.is_empty() {
        let params: Vec<Slot> = columns.iter().map(|name| scope.slot(name)).collect();
        if compiler.few(&place, &scope)
            && let Some(node) = compiler.formula(formula, &mut scope, true)
        {
            compiler.safety(&scope, &node, 0);
            body = Some(Body { place: 0, params, slots: scope.names.len(), names: scope.names.into(), node });
        }
    }
    match body {
        Some(body) if compiler.found.is_empty() => Ok((compiler.program, body)),
        _ => Err(Diagnostics(compiler.found)),
    }
}

impl Compiler<'_> {
    fn refuse(&mut self, place: &Name, found: impl Into<String>, hint: impl Into<String>) {
        let diagnostic = Diagnostic { place: place.clone(), found: found.into(), hint: hint.into() };
        if !self.found.contains(&diagnostic) {
            self.found.push(diagnostic);
        }
    }

    fn run(&mut self) {
        let rules = self.rules;
        let mut bodies: Vec<Vec<usize>> = Vec::new();
        for (i, definition) in rules.definitions.iter().enumerate() {
            let name = &definition.name;
            if self.program.predicate.contains_key(name) {
                self.refuse(
                    name,
                    format!("`{name}` is both a predicate of the signature and a definition"),
                    "rename one",
                );
            }
            let index = match self.program.definition.get(name) {
                Some(&index) => index,
                None => {
                    let index = self.program.derived.len();
                    self.program.definition.insert(name.clone(), index);
                    self.program.derived.push(Derived { name: name.clone(), bodies: Vec::new() });
                    self.columns.push(vec![None; definition.params.len()]);
                    bodies.push(Vec::new());
                    index
                }
            };
            if self.columns[index].len() != definition.params.len() {
                self.refuse(
                    name,
                    format!(
                        "`{name}` is defined with {} and with {} columns",
                        self.columns[index].len(),
                        definition.params.len()
                    ),
                    "definitions of one name are a union and have the same columns",
                );
            }
            bodies[index].push(i);
        }
        for (i, rule) in rules.rules.iter().enumerate() {
            if self.program.duty.insert(rule.name.clone(), i).is_some() {
                self.refuse(&rule.name, format!("two rules are named `{}`", rule.name), "rename one");
            }
        }
        // Depth before anything recursive looks at a formula.
        for definition in &rules.definitions {
            self.shallow(&definition.name, &definition.body);
        }
        for rule in &rules.rules {
            for formula in [Some(&rule.opens), Some(&rule.must), rule.lapses.as_ref()].into_iter().flatten() {
                self.shallow(&rule.name, formula);
            }
        }
        if !self.found.is_empty() {
            return;
        }
        let Some(order) = self.strata(&bodies) else { return };
        let mut duties: Vec<Option<Duty>> = vec![None; rules.rules.len()];
        for &unit in &order {
            match unit {
                Unit::Definition(index) => {
                    for &i in &bodies[index] {
                        self.definition(index, i);
                    }
                }
                Unit::Rule(i) => {
                    duties[i] = self.rule(i);
                    self.program.order.push(i);
                }
            }
        }
        self.program.duties = duties.into_iter().flatten().collect();
        let program = &self.program;
        let mut reads = vec![<[Reads; 2]>::default(); program.nodes];
        for unit in order {
            match unit {
                Unit::Definition(index) => {
                    program.derived[index].bodies.iter().for_each(|body| program.note_reads(&body.node, &mut reads));
                }
                Unit::Rule(i) => {
                    let nodes = program.duties.get(i).into_iter();
                    let nodes = nodes.flat_map(|duty| [&duty.opens, &duty.must].into_iter().chain(&duty.lapses));
                    nodes.for_each(|node| program.note_reads(node, &mut reads));
                }
            }
        }
        self.program.reads = reads;
    }

    fn shallow(&mut self, place: &Name, formula: &Formula) {
        if depth(formula) > DEPTH {
            self.refuse(
                place,
                format!("the formula nests deeper than {DEPTH}"),
                "split it into definitions that are not nested",
            );
        }
    }

    /// Order of evaluation, or diagnostics for cycles, doubled depth and names that stand for nothing.
    fn strata(&mut self, bodies: &[Vec<usize>]) -> Option<Vec<Unit>> {
        let rules = self.rules;
        let mut reads: BTreeMap<Unit, (BTreeSet<Unit>, usize)> = BTreeMap::new();
        let reader = |formulas: &[&Formula], program: &Program| {
            let mut units = BTreeSet::new();
            for formula in formulas {
                each(formula, &mut |f| match f {
                    Formula::Atom { name, .. } => {
                        if let Some(&index) = program.definition.get(name) {
                            units.insert(Unit::Definition(index));
                        }
                    }
                    Formula::Breached { rule, .. } => {
                        if let Some(&index) = program.duty.get(rule) {
                            units.insert(Unit::Rule(index));
                        }
                    }
                    _ => {}
                });
            }
            let deepest = formulas.iter().map(|f| depth(f)).max().unwrap_or(0);
            (units, deepest)
        };
        for (index, list) in bodies.iter().enumerate() {
            let formulas: Vec<&Formula> = list.iter().map(|&i| &rules.definitions[i].body).collect();
            reads.insert(Unit::Definition(index), reader(&formulas, &self.program));
        }
        for (i, rule) in rules.rules.iter().enumerate() {
            let formulas: Vec<&Formula> =
                [Some(&rule.opens), Some(&rule.must), rule.lapses.as_ref()].into_iter().flatten().collect();
            reads.insert(Unit::Rule(i), reader(&formulas, &self.program));
        }
        let mut order = Vec::new();
        let mut depths: BTreeMap<Unit, usize> = BTreeMap::new();
        let mut waiting: BTreeMap<Unit, usize> = reads.iter().map(|(&u, (r, _))| (u, r.len())).collect();
        let mut readers: BTreeMap<Unit, Vec<Unit>> = BTreeMap::new();
        for (&unit, (read, _)) in &reads {
            for &other in read {
                readers.entry(other).or_default().push(unit);
            }
        }
        let mut ready: BTreeSet<Unit> = waiting.iter().filter(|&(_, &n)| n == 0).map(|(&u, _)| u).collect();
        while let Some(unit) = ready.pop_first() {
            let (read, own) = &reads[&unit];
            let total = own + read.iter().filter_map(|u| depths.get(u)).max().unwrap_or(&0);
            depths.insert(unit, total);
            if total > DEPTH && read.iter().all(|u| depths.get(u).is_none_or(|&d| d <= DEPTH)) {
                let place = self.name(unit);
                self.refuse(
                    &place,
                    format!("with the definitions it reads it nests deeper than {DEPTH}"),
                    "flatten the definitions",
                );
            }
            order.push(unit);
            for &next in readers.get(&unit).map_or(&[][..], |r| r) {
                if let Some(left) = waiting.get_mut(&next) {
                    *left -= 1;
                    if *left == 0 {
                        ready.insert(next);
                    }
                }
            }
        }
        if order.len() < reads.len() {
            let mut left: BTreeSet<Unit> = reads.keys().copied().filter(|u| !order.contains(u)).collect();
            while let Some(&start) = left.first() {
                // Every unit left reads another one left, so walking along must come back.
                let mut path = vec![start];
                let mut next = start;
                while let Some(&to) = reads[&next].0.iter().find(|u| waiting.get(u).is_some_and(|&n| n > 0)) {
                    if let Some(at) = path.iter().position(|&u| u == to) {
                        let cycle: Vec<Unit> = path[at..].to_vec();
                        let names: Vec<String> =
                            cycle.iter().chain([&to]).map(|&u| format!("`{}`", self.name(u))).collect();
                        let place = self.name(cycle[0]);
                        self.refuse(
                            &place,
                            format!("reads itself: {}", names.join(" -> ")),
                            "definitions and breaches must be stratified: none may depend on itself",
                        );
                        break;
                    }
                    path.push(to);
                    next = to;
                }
                for unit in path {
                    left.remove(&unit);
                }
            }
        }
        self.found.is_empty().then_some(order)
    }

    fn name(&self, unit: Unit) -> Name {
        match unit {
            Unit::Definition(index) => self.program.derived[index].name.clone(),
            Unit::Rule(i) => self.rules.rules[i].name.clone(),
        }
    }

    fn definition(&mut self, index: usize, i: usize) {
        let definition = &self.rules.definitions[i];
        let place = &definition.name;
        let mut scope = Scope::new(place);
        let mut params = Vec::new();
        for param in &definition.params {
            if scope.free.contains_key(param) {
                self.refuse(place, format!("column `{param}` is named twice"), "give each column a name of its own");
            }
            params.push(scope.slot(param));
        }
        if !self.few(place, &scope) {
            return;
        }
        let Some(node) = self.formula(&definition.body, &mut scope, false) else { return };
        let wanted = params.iter().fold(0, |mask, &slot| mask | bit(slot));
        self.unlisted(&scope, node.mask & !wanted, "a column of the definition");
        self.unlisted_in(&scope, wanted & !node.mask);
        self.safety(&scope, &node, 0);
        for (column, &slot) in params.iter().enumerate() {
            let found = scope.type_of(slot);
            let before = self.columns[index].get(column).copied().flatten();
            match (before, found) {
                (Some(a), Some(b)) if a != b => self.refuse(
                    place,
                    format!(
                        "column `{}` is a {} here and a {} in another definition",
                        definition.params[column],
                        a.word(),
                        b.word()
                    ),
                    "definitions of one name are a union and have the same types",
                ),
                (None, Some(_)) => {
                    if let Some(cell) = self.columns[index].get_mut(column) {
                        *cell = found;
                    }
                }
                _ => {}
            }
        }
        let slots = scope.names.len();
        let names = scope.names.into();
        self.program.derived[index].bodies.push(Body { place: i, params, slots, names, node });
    }

    fn rule(&mut self, i: usize) -> Option<Duty> {
        let rule = &self.rules.rules[i];
        let place = &rule.name;
        let mut scope = Scope::new(place);
        let mut key = Vec::new();
        for name in &rule.key {
            if scope.free.contains_key(name) {
                self.refuse(
                    place,
                    format!("key variable `{name}` is named twice"),
                    "name each variable of the key once",
                );
            }
            key.push(scope.slot(name));
        }
        if !self.few(place, &scope) {
            return None;
        }
        let keys = key.iter().fold(0, |mask, &slot| mask | bit(slot));
        let since = rule.since.as_ref().map(|name| scope.slot(name));
        if let Some(slot) = since {
            if keys & bit(slot) != 0 {
                self.refuse(
                    place,
                    format!("`{}` is both `since` and part of the key", scope.names[slot]),
                    "use two variables",
                );
            }
            if !scope.is(slot, Type::Int) {
                self.refuse(place, "`since` is not an instant", "bind it to a column of type int");
            }
        }
        let opens = self.formula(&rule.opens, &mut scope, false);
        let must = self.formula(&rule.must, &mut scope, true);
        let lapses = match &rule.lapses {
            Some(formula) => Some(self.formula(formula, &mut scope, false)?),
            None => None,
        };
        let (opens, must) = (opens?, must?);
        let wanted = keys | since.map_or(0, bit);
        self.unlisted(&scope, opens.mask & !wanted, "in the key (project it with EXISTS)");
        self.unlisted_in(&scope, wanted & !opens.mask);
        self.safety(&scope, &opens, 0);
        for node in [Some(&must), lapses.as_ref()].into_iter().flatten() {
            self.unlisted(&scope, node.mask & !keys, "in the key of the rule");
            self.safety(&scope, node, keys);
        }
        let slots = scope.names.len();
        Some(Duty { name: place.clone(), slots, names: scope.names.into(), key, since, opens, must, lapses })
    }

    fn few(&mut self, place: &Name, scope: &Scope) -> bool {
        let few = scope.names.len() < VARIABLES;
        if !few {
            self.refuse(place, format!("more than {VARIABLES} variables"), "split it into definitions");
        }
        few
    }

    fn unlisted(&mut self, scope: &Scope, mask: Mask, allowed: &str) {
        let place = scope.place.clone();
        for slot in slots(mask) {
            let name = &scope.names[slot];
            self.refuse(
                &place,
                format!("variable `{name}` is free but not {allowed}"),
                format!("bind it with `EXISTS {name}.` or list it"),
            );
        }
    }

    fn unlisted_in(&mut self, scope: &Scope, mask: Mask) {
        let place = scope.place.clone();
        for slot in slots(mask) {
            let name = &scope.names[slot];
            self.refuse(
                &place,
                format!("variable `{name}` does not occur in the formula"),
                "name it in a fact or a definition",
            );
        }
    }

    fn safety(&mut self, scope: &Scope, node: &Node, bound: Mask) {
        let place = scope.place.clone();
        match self.plans.safe(node, bound) {
            Ok(()) => {
                let mut events = BTreeSet::new();
                self.plans.bindings_of_now(node, bound, &mut events);
                for predicate in events {
                    self.program.predicates[predicate].events_only = true;
                }
            }
            Err(mask) => {
                let names: Vec<&str> = slots(mask).map(|slot| &*scope.names[slot]).collect();
                let (noun, verb) = if names.len() == 1 { ("variable", "is") } else { ("variables", "are") };
                let first = names.first().copied().unwrap_or("x");
                self.refuse(
                    &place,
                    format!("{noun} `{}` {verb} not bound in `{}`", names.join("`, `"), node.text),
                    format!("name `{first}` in a fact or a definition beside it, or bind it with `{first} = ...`"),
                );
            }
        }
    }

    /// One level of a formula. `future`: future operators are allowed here.
    fn formula(&mut self, formula: &Formula, scope: &mut Scope, future: bool) -> Option<Node> {
        let kind = match formula {
            Formula::True => Kind::True,
            Formula::Atom { name, args } => return self.atom(formula, name, args, scope),
            Formula::Breached { rule, args } => return self.breached(formula, rule, args, scope),
            Formula::Reached(term) => Kind::Reached(self.integer(term, scope, formula)?),
            Formula::Ts(term) => Kind::Ts(self.integer(term, scope, formula)?),
            Formula::Compare { op, left, right } => return self.compare(formula, *op, left, right, scope),
            Formula::Not(inner) => Kind::Not(Box::new(self.formula(inner, scope, future)?)),
            Formula::And(parts) => Kind::And(self.parts(parts, scope, future)?),
            Formula::Or(parts) => Kind::Or(self.parts(parts, scope, future)?),
            Formula::Exists(names, inner) => return self.exists(formula, names, inner, scope, future),
            Formula::Once(w, inner) => Kind::Once(self.window(w, scope, formula)?, self.boxed(inner, scope, false)?),
            Formula::Historically(w, inner) => {
                Kind::Historically(self.window(w, scope, formula)?, self.boxed(inner, scope, false)?)
            }
            Formula::Since(w, left, right) => Kind::Since(
                self.window(w, scope, formula)?,
                self.boxed(left, scope, false)?,
                self.boxed(right, scope, false)?,
            ),
            Formula::Duration { window, formula: inner, at_least } => {
                Kind::Duration(self.window(window, scope, formula)?, self.boxed(inner, scope, false)?, *at_least)
            }
            Formula::Previous(..) | Formula::Next(..) | Formula::Let { .. } | Formula::Aggregate { .. } => {
                self.points_only(scope, formula);
                return None;
            }
            Formula::Eventually(..) | Formula::Always(..) | Formula::Until(..) if !future => {
                let place = scope.place.clone();
                self.refuse(
                    &place,
                    format!("`{formula}` looks ahead"),
                    "only `must` looks ahead, and not under ONCE, HISTORICALLY, SINCE or DUR",
                );
                return None;
            }
            Formula::Eventually(w, inner) => {
                Kind::Eventually(self.window(w, scope, formula)?, self.boxed(inner, scope, true)?)
            }
            Formula::Always(w, inner) => Kind::Always(self.window(w, scope, formula)?, self.boxed(inner, scope, true)?),
            Formula::Until(w, left, right) => Kind::Until(
                self.window(w, scope, formula)?,
                self.boxed(left, scope, true)?,
                self.boxed(right, scope, true)?,
            ),
        };
        Some(self.node(kind, formula))
    }

    fn points_only(&mut self, scope: &Scope, found: &dyn std::fmt::Display) {
        let place = scope.place.clone();
        self.refuse(&place, format!("`{found}` belongs to the points domain"), "the clock domain has no time-points");
    }

    fn boxed(&mut self, formula: &Formula, scope: &mut Scope, future: bool) -> Option<Box<Node>> {
        self.formula(formula, scope, future || self.everywhere).map(Box::new)
    }

    fn parts(&mut self, parts: &[Formula], scope: &mut Scope, future: bool) -> Option<Vec<Node>> {
        let nodes: Vec<Option<Node>> = parts.iter().map(|part| self.formula(part, scope, future)).collect();
        nodes.into_iter().collect()
    }

    fn node(&mut self, kind: Kind, formula: &Formula) -> Node {
        let mask = kind_mask(&kind);
        let past = match &kind {
            Kind::Eventually(..) | Kind::Always(..) | Kind::Until(..) => false,
            Kind::Not(f) | Kind::Exists(_, f) => f.past,
            Kind::And(parts) | Kind::Or(parts) => parts.iter().all(|p| p.past),
            _ => true,
        };
        let dies = match &kind {
            Kind::Fact(..) => true,
            Kind::Call(index, _) => self.program.derived[*index].bodies.iter().all(|body| body.node.dies),
            Kind::And(parts) => parts.iter().any(|p| p.dies),
            Kind::Or(parts) => parts.iter().all(|p| p.dies),
            Kind::Exists(_, f) => f.dies,
            _ => false,
        };
        self.program.nodes += 1;
        let id = self.program.nodes - 1;
        Node { id, kind, mask, free: slots(mask).collect(), past, dies, text: Arc::from(formula.to_string()) }
    }

    fn atom(&mut self, formula: &Formula, name: &Name, args: &[Term], scope: &mut Scope) -> Option<Node> {
        let place = scope.place.clone();
        let predicate = self.program.predicate.get(name).copied();
        let definition = self.program.definition.get(name).copied();
        let types: Vec<Option<Type>> = match (predicate, definition) {
            (Some(index), _) => self.program.predicates[index].types.iter().map(|&t| Some(t)).collect(),
            (None, Some(index)) => self.columns[index].clone(),
            (None, None) => {
                let near = self.nearest(name);
                self.refuse(&place, format!("`{name}` is neither a predicate nor a definition"), near);
                return None;
            }
        };
        if types.len() != args.len() {
            self.refuse(
                &place,
                format!("`{formula}` has {} columns", args.len()),
                format!("`{name}` has {}", types.len()),
            );
            return None;
        }
        let mut exprs = Vec::new();
        for (term, wanted) in args.iter().zip(&types) {
            let (expr, sort) = self.term(term, scope, formula)?;
            if let Some(wanted) = wanted {
                self.expect(&place, scope, sort, *wanted, term, formula)?;
            }
            exprs.push(expr);
        }
        let kind = match (predicate, definition) {
            (Some(index), _) => Kind::Fact(index, exprs),
            (None, Some(index)) => Kind::Call(index, exprs),
            (None, None) => return None,
        };
        Some(self.node(kind, formula))
    }

    /// A hint with the known name that begins alike, if there is one.
    fn nearest(&self, name: &Name) -> String {
        let names = self.program.predicate.keys().chain(self.program.definition.keys());
        let alike = |other: &&Name| {
            other.chars().zip(name.chars()).take_while(|(a, b)| a == b).count() * 2 >= name.chars().count().max(2)
        };
        match names.filter(alike).min() {
            Some(other) => format!("did you mean `{other}`?"),
            None => "declare it in the signature or define it".to_string(),
        }
    }

    fn breached(&mut self, formula: &Formula, rule: &Name, args: &[(Name, Term)], scope: &mut Scope) -> Option<Node> {
        let place = scope.place.clone();
        let Some(&index) = self.program.duty.get(rule) else {
            self.refuse(&place, format!("`{formula}` names no rule"), "name a rule");
            return None;
        };
        let key = self.rules.rules[index].key.clone();
        let mut exprs = vec![Expr::Any; key.len()];
        for (name, term) in args {
            let Some(column) = key.iter().position(|k| k == name) else {
                self.refuse(
                    &place,
                    format!("`{formula}` names `{name}`, which is not in the key of `{rule}`"),
                    format!("its key is {}", key.join(", ")),
                );
                return None;
            };
            exprs[column] = self.term(term, scope, formula)?.0;
        }
        Some(self.node(Kind::Breached(index, exprs), formula))
    }

    fn compare(
        &mut self,
        formula: &Formula,
        op: Comparison,
        left: &Term,
        right: &Term,
        scope: &mut Scope,
    ) -> Option<Node> {
        let place = scope.place.clone();
        let (a, left_sort) = self.term(left, scope, formula)?;
        let (b, right_sort) = self.term(right, scope, formula)?;
        if matches!(a, Expr::Any) || matches!(b, Expr::Any) {
            self.refuse(&place, format!("`{formula}` compares with `_`"), "name a variable");
            return None;
        }
        let fits = match (left_sort, right_sort) {
            (Sort::Slot(x), Sort::Slot(y)) => scope.same(x, y),
            (Sort::Slot(x), Sort::Known(t)) | (Sort::Known(t), Sort::Slot(x)) => scope.is(x, t),
            (Sort::Known(t), Sort::Known(u)) => t == u,
            _ => true,
        };
        if !fits {
            self.refuse(&place, format!("`{formula}` compares an int with a text"), "compare values of one type");
            return None;
        }
        Some(self.node(Kind::Compare(op, a, b), formula))
    }

    fn exists(
        &mut self,
        formula: &Formula,
        names: &[Name],
        inner: &Formula,
        scope: &mut Scope,
        future: bool,
    ) -> Option<Node> {
        let mut bound = Vec::new();
        for name in names {
            let slot = scope.fresh(name);
            scope.quantified.push((name.clone(), slot));
            bound.push(slot);
        }
        let inner = self.formula(inner, scope, future);
        scope.quantified.truncate(scope.quantified.len() - names.len());
        if scope.names.len() > VARIABLES {
            let place = scope.place.clone();
            self.refuse(&place, format!("more than {VARIABLES} variables"), "split it into definitions");
            return None;
        }
        Some(self.node(Kind::Exists(bound, Box::new(inner?)), formula))
    }

    fn window(&mut self, window: &Window, scope: &mut Scope, formula: &Formula) -> Option<Reach> {
        let place = scope.place.clone();
        let far = match &window.to {
            Upper::Fixed(to) => Bound::Fixed(*to),
            Upper::Unbounded => Bound::Unbounded,
            Upper::Var(name) => {
                let slot = scope.slot(name);
                if slot >= VARIABLES {
                    self.refuse(&place, format!("more than {VARIABLES} variables"), "split it into definitions");
                    return None;
                }
                if !scope.is(slot, Type::Int) {
                    self.refuse(
                        &place,
                        format!("`{name}` ends a window of `{formula}` but is a text"),
                        "use a duration",
                    );
                    return None;
                }
                Bound::Slot(slot)
            }
        };
        let empty = window.from < 0 || matches!(far, Bound::Fixed(to) if to < window.from);
        if empty {
            self.refuse(
                &place,
                format!("the window {window} of `{formula}` is empty"),
                "a window is [from,to] with 0 <= from <= to",
            );
            return None;
        }
        Some(Reach { near: window.from, far })
    }

    fn integer(&mut self, term: &Term, scope: &mut Scope, formula: &Formula) -> Option<Expr> {
        let place = scope.place.clone();
        let (expr, sort) = self.term(term, scope, formula)?;
        if matches!(expr, Expr::Any) {
            self.refuse(&place, format!("`{formula}` reads `_`"), "name a variable");
            return None;
        }
        self.expect(&place, scope, sort, Type::Int, term, formula)?;
        Some(expr)
    }

    fn expect(
        &mut self,
        place: &Name,
        scope: &mut Scope,
        sort: Sort,
        wanted: Type,
        term: &Term,
        formula: &Formula,
    ) -> Option<()> {
        let fits = match sort {
            Sort::Known(found) => found == wanted,
            Sort::Slot(slot) => scope.is(slot, wanted),
            Sort::Anything => true,
        };
        if !fits {
            let other = if wanted == Type::Int { Type::Text } else { Type::Int };
            self.refuse(
                place,
                format!("`{term}` in `{formula}` is a {}", other.word()),
                format!("a {} is expected there", wanted.word()),
            );
            return None;
        }
        Some(())
    }

    fn term(&mut self, term: &Term, scope: &mut Scope, formula: &Formula) -> Option<(Expr, Sort)> {
        Some(match term {
            Term::Var(name) => {
                let slot = scope.slot(name);
                if slot >= VARIABLES {
                    let place = scope.place.clone();
                    self.refuse(&place, format!("more than {VARIABLES} variables"), "split it into definitions");
                    return None;
                }
                (Expr::Slot(slot), Sort::Slot(slot))
            }
            Term::Const(Value::Decimal(_))
            | Term::Divide(..)
            | Term::Modulo(..)
            | Term::ToDecimal(_)
            | Term::ToInt(_) => {
                self.points_only(scope, term);
                return None;
            }
            Term::Const(value) => {
                let sort = if matches!(value, Value::Int(_)) { Type::Int } else { Type::Text };
                (Expr::Const(self.words.learn(value)), Sort::Known(sort))
            }
            Term::Any => (Expr::Any, Sort::Anything),
            Term::Plus(a, b) | Term::Minus(a, b) | Term::Times(a, b) => {
                let a = Box::new(self.integer(a, scope, formula)?);
                let b = Box::new(self.integer(b, scope, formula)?);
                let expr = match term {
                    Term::Plus(..) => Expr::Plus(a, b),
                    Term::Minus(..) => Expr::Minus(a, b),
                    _ => Expr::Times(a, b),
                };
                (expr, Sort::Known(Type::Int))
            }
        })
    }
}

impl Type {
    fn word(self) -> &'static str {
        match self {
            Type::Int => "int",
            Type::Text => "text",
            Type::Decimal => "decimal",
        }
    }
}

/// Members of a set of slots, ascending.
pub(crate) fn slots(mask: Mask) -> impl Iterator<Item = Slot> {
    let mut left = mask;
    std::iter::from_fn(move || {
        let slot = (left != 0).then(|| left.trailing_zeros() as Slot)?;
        left &= left - 1;
        Some(slot)
    })
}

fn kind_mask(kind: &Kind) -> Mask {
    let reach = |r: &Reach| if let Bound::Slot(slot) = r.far { bit(slot) } else { 0 };
    match kind {
        Kind::True => 0,
        Kind::Fact(_, args) | Kind::Call(_, args) | Kind::Breached(_, args) => {
            args.iter().fold(0, |mask, arg| mask | arg.mask())
        }
        Kind::Reached(term) | Kind::Ts(term) => term.mask(),
        Kind::Compare(_, a, b) => a.mask() | b.mask(),
        Kind::Not(f) => f.mask,
        Kind::And(parts) | Kind::Or(parts) => parts.iter().fold(0, |mask, part| mask | part.mask),
        Kind::Exists(bound, f) => bound.iter().fold(f.mask, |mask, &slot| mask & !bit(slot)),
        Kind::Once(r, f) | Kind::Historically(r, f) | Kind::Eventually(r, f) | Kind::Always(r, f) => reach(r) | f.mask,
        Kind::Duration(r, f, _) => reach(r) | f.mask,
        Kind::Since(r, f, g) | Kind::Until(r, f, g) => reach(r) | f.mask | g.mask,
    }
}

/// How deep a formula nests, terms included; without recursion, so that any formula can be asked.
fn depth(formula: &Formula) -> usize {
    let mut deepest = 0;
    let mut stack = vec![(formula, 1)];
    while let Some((f, level)) = stack.pop() {
        deepest = deepest.max(level + terms_depth(f));
        if deepest > DEPTH {
            return deepest;
        }
        for child in children(f) {
            stack.push((child, level + 1));
        }
    }
    deepest
}

fn terms_depth(formula: &Formula) -> usize {
    let mut stack: Vec<(&Term, usize)> = match formula {
        Formula::Atom { args, .. } => args.iter().map(|t| (t, 0)).collect(),
        Formula::Breached { args, .. } => args.iter().map(|(_, t)| (t, 0)).collect(),
        Formula::Reached(t) | Formula::Ts(t) => vec![(t, 0)],
        Formula::Compare { left, right, .. } => vec![(left, 0), (right, 0)],
        _ => Vec::new(),
    };
    let mut deepest = 0;
    while let Some((term, level)) = stack.pop() {
        deepest = deepest.max(level);
        if deepest > DEPTH {
            return deepest;
        }
        for part in term.parts() {
            stack.push((part, level + 1));
        }
    }
    deepest
}

fn children(formula: &Formula) -> Vec<&Formula> {
    match formula {
        Formula::Not(f)
        | Formula::Exists(_, f)
        | Formula::Once(_, f)
        | Formula::Historically(_, f)
        | Formula::Eventually(_, f)
        | Formula::Always(_, f)
        | Formula::Previous(_, f)
        | Formula::Next(_, f)
        | Formula::Aggregate { formula: f, .. }
        | Formula::Duration { formula: f, .. } => vec![f],
        Formula::Let { formula: f, within: g, .. } => vec![f, g],
        Formula::Since(_, f, g) | Formula::Until(_, f, g) => vec![f, g],
        Formula::And(parts) | Formula::Or(parts) => parts.iter().collect(),
        _ => Vec::new(),
    }
}

fn each<'f>(formula: &'f Formula, visit: &mut impl FnMut(&'f Formula)) {
    let mut stack = vec![formula];
    while let Some(f) = stack.pop() {
        visit(f);
        stack.extend(children(f));
    }
}

/// What was found about safety and order, so that nested conjunctions are not looked at again and again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plans {
    safe: BTreeMap<(usize, Mask), Result<(), Mask>>,
    orders: BTreeMap<(usize, Mask), Order>,
}

impl Plans {
    /// Whether a node's relation is finite once the variables in `bound` are known; else the variables at fault.
    pub(crate) fn safe(&mut self, node: &Node, bound: Mask) -> Result<(), Mask> {
        let at = (node.id, bound & node.mask);
        if let Some(&known) = self.safe.get(&at) {
            return known;
        }
        let result = self.look(node, at.1);
        self.safe.insert(at, result);
        result
    }

    fn look(&mut self, node: &Node, bound: Mask) -> Result<(), Mask> {
        let all = |mask: Mask| if mask & !bound == 0 { Ok(()) } else { Err(mask & !bound) };
        match &node.kind {
            Kind::True => Ok(()),
            // A variable of its own column is bound here; one inside a sum must be known.
            Kind::Fact(_, args) | Kind::Call(_, args) | Kind::Breached(_, args) => {
                let sums = args.iter().filter(|a| !matches!(a, Expr::Slot(_))).fold(0, |mask, arg| mask | arg.mask());
                all(sums)
            }
            Kind::Reached(term) | Kind::Ts(term) => all(term.mask()),
            Kind::Compare(Comparison::Equal, a, b) => match binding(a, b, bound) {
                Some(_) => Ok(()),
                None => all(a.mask() | b.mask()),
            },
            Kind::Compare(_, a, b) => all(a.mask() | b.mask()),
            Kind::Not(f) => {
                all(f.mask)?;
                self.safe(f, bound)
            }
            Kind::And(parts) => self.plan(node.id, parts, bound).map(|_| ()),
            Kind::Or(parts) => {
                for part in parts {
                    self.safe(part, bound)?;
                    let missing = node.mask & !(part.mask | bound);
                    if missing != 0 {
                        return Err(missing);
                    }
                }
                Ok(())
            }
            Kind::Exists(names, f) => self.safe(f, names.iter().fold(bound, |mask, &slot| mask & !bit(slot))),
            Kind::Once(r, f) | Kind::Eventually(r, f) => {
                reach_known(r, bound)?;
                self.safe(f, bound)
            }
            Kind::Historically(r, f) | Kind::Always(r, f) | Kind::Duration(r, f, _) => {
                reach_known(r, bound)?;
                all(f.mask)?;
                self.safe(f, bound)
            }
            Kind::Since(r, f, g) | Kind::Until(r, f, g) => {
                reach_known(r, bound)?;
                self.safe(g, bound)?;
                let bound = bound | g.mask;
                if f.mask & !bound != 0 {
                    return Err(f.mask & !bound);
                }
                self.safe(f, bound)
            }
        }
    }

    /// An order in which the parts of a conjunction can be joined: filters first, then what is looked up by a known
    /// column, then the rest; `ts(x)` that binds comes last, when the instants are few.
    fn plan(&mut self, id: usize, parts: &[Node], bound: Mask) -> Order {
        let all = parts.iter().fold(0, |mask, part| mask | part.mask);
        let at = (id, bound & all);
        if let Some(known) = self.orders.get(&at) {
            return known.clone();
        }
        let result = self.order(parts, at.1).map(Arc::from);
        self.orders.insert(at, result.clone());
        result
    }

    fn order(&mut self, parts: &[Node], bound: Mask) -> Result<Vec<usize>, Mask> {
        let mut bound = bound;
        let mut left: Vec<usize> = (0..parts.len()).collect();
        let mut order = Vec::with_capacity(parts.len());
        let past = parts.iter().all(|p| p.past);
        while !left.is_empty() {
            let mut best: Option<(u32, usize)> = None;
            for (at, &i) in left.iter().enumerate() {
                let cost = cost(&parts[i], bound);
                if best.is_none_or(|(least, _)| cost < least) && self.safe(&parts[i], bound).is_ok() {
                    best = Some((cost, at));
                }
            }
            let at = match best {
                Some((_, at)) => at,
                None => match left.iter().position(|&i| past && binds_now(&parts[i], bound).is_some()) {
                    Some(at) if order.iter().any(|&i: &usize| events(&parts[i]).is_some()) => at,
                    _ => {
                        let mut faults = 0;
                        for &i in &left {
                            faults |= self.safe(&parts[i], bound).err().unwrap_or(0);
                        }
                        return Err(faults);
                    }
                },
            };
            let i = left.remove(at);
            bound |= parts[i].mask;
            order.push(i);
        }
        Ok(order)
    }

    /// Collects the predicates that must be events because a `ts(x)` beside them binds x.
    fn bindings_of_now(&mut self, node: &Node, bound: Mask, found: &mut BTreeSet<usize>) {
        match &node.kind {
            Kind::And(parts) => {
                let Ok(order) = self.plan(node.id, parts, bound) else { return };
                let mut known = bound;
                for (at, &i) in order.iter().enumerate() {
                    if binds_now(&parts[i], known).is_some() {
                        found.extend(order[..at].iter().find_map(|&j| events(&parts[j])).into_iter().flatten());
                    }
                    self.bindings_of_now(&parts[i], known, found);
                    known |= parts[i].mask;
                }
            }
            Kind::Or(parts) => parts.iter().for_each(|part| self.bindings_of_now(part, bound, found)),
            Kind::Exists(names, f) => {
                self.bindings_of_now(f, names.iter().fold(bound, |mask, &slot| mask & !bit(slot)), found);
            }
            Kind::Not(f)
            | Kind::Once(_, f)
            | Kind::Historically(_, f)
            | Kind::Eventually(_, f)
            | Kind::Always(_, f)
            | Kind::Duration(_, f, _) => self.bindings_of_now(f, bound, found),
            Kind::Since(_, f, g) | Kind::Until(_, f, g) => {
                self.bindings_of_now(g, bound, found);
                self.bindings_of_now(f, bound | g.mask, found);
            }
            _ => {}
        }
    }
}

fn reach_known(reach: &Reach, bound: Mask) -> Result<(), Mask> {
    match reach.far {
        Bound::Slot(slot) if bound & bit(slot) == 0 => Err(bit(slot)),
        _ => Ok(()),
    }
}

/// `x = term` with x unknown and the term known: the variable and the term.
pub(crate) fn binding<'e>(a: &'e Expr, b: &'e Expr, bound: Mask) -> Option<(Slot, &'e Expr)> {
    match (a, b) {
        (Expr::Slot(x), term) | (term, Expr::Slot(x)) if bound & bit(*x) == 0 && term.mask() & !bound == 0 => {
            Some((*x, term))
        }
        (Expr::Slot(y), Expr::Slot(x)) if bound & bit(*x) == 0 && bound & bit(*y) != 0 => Some((*x, a)),
        _ => None,
    }
}

/// `ts(x)` with x unknown.
fn binds_now(node: &Node, bound: Mask) -> Option<Slot> {
    match node.kind {
        Kind::Ts(Expr::Slot(x)) if bound & bit(x) == 0 => Some(x),
        _ => None,
    }
}

fn cost(node: &Node, bound: Mask) -> u32 {
    let known = node.mask & !bound == 0;
    match &node.kind {
        Kind::True | Kind::Reached(_) | Kind::Ts(_) | Kind::Compare(..) => 0,
        Kind::Fact(_, args) if known && !args.is_empty() => 1,
        Kind::Not(f) if matches!(f.kind, Kind::Fact(..)) => 1,
        _ if known => 2,
        Kind::Fact(_, args) => {
            if looked_up(args, bound) {
                3
            } else {
                7
            }
        }
        Kind::Call(_, args) | Kind::Breached(_, args) => {
            if looked_up(args, bound) {
                5
            } else {
                8
            }
        }
        _ if node.mask & bound == 0 => 9,
        _ if of_facts(node, bound) == Some(true) => 4,
        _ => 6,
    }
}

/// Whether some column is known.
pub(crate) fn looked_up(args: &[Expr], bound: Mask) -> bool {
    args.iter().any(|arg| !matches!(arg, Expr::Any) && arg.mask() & !bound == 0)
}

/// Whether a formula is of facts and nothing that is derived, and then whether one of them is looked up.
fn of_facts(node: &Node, bound: Mask) -> Option<bool> {
    match &node.kind {
        Kind::Call(..) | Kind::Breached(..) => None,
        Kind::Fact(_, args) => Some(looked_up(args, bound)),
        _ => node.parts().try_fold(false, |found, part| Some(of_facts(part, bound)? | found)),
    }
}

/// Predicates whose facts limit a node to single instants if they are events; `None` if nothing does.
fn events(node: &Node) -> Option<BTreeSet<usize>> {
    match &node.kind {
        Kind::Fact(index, _) => Some(BTreeSet::from([*index])),
        Kind::And(parts) => parts.iter().find_map(events),
        Kind::Or(parts) if !parts.is_empty() => {
            let sets: Option<Vec<_>> = parts.iter().map(events).collect();
            Some(sets?.into_iter().flatten().collect())
        }
        Kind::Exists(_, f) => events(f),
        _ => None,
    }
}
