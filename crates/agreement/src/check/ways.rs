//! Ways in which a formula can come to hold: which statements, by whom, how long before or after.
//!
//! ```text
//! once[72 h, *] closure_notice(closure: k, by: x)     x states closure_notice(closure: k) 72 h before
//! decided(matter: d) or seised(matter: d)             two ways, a statement each
//! ```
//!
//! Only what is positive is built; what a formula denies, and arithmetic beyond one comparison, is left to the judge, who
//! has the last word on every trace. What cannot be built is noted, so that nobody takes silence for a finding.
use crate::annex::{KindRule, Type};
use crate::block::{Argument, Compared, Define, Expr, Item, Named, Term};
use crate::source::Agreement;
use hamsaya_record::instant::Instant;
use std::collections::{BTreeMap, BTreeSet};

/// More ways of one formula than this are not followed.
const WAYS_MAX: usize = 24;
/// How deep definitions are followed.
const DEPTH_MAX: usize = 12;
/// What `once` means at the least when it stands in `opens`: a minute before.
const BEFORE_S: i64 = 60;

/// A value of a field.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Val {
    Text(String),
    Int(i64),
    /// An instant, in seconds from the trace's start.
    At(i64),
    /// A statement of the way, by its position.
    Deed(usize),
    Place,
}

/// What is known of a variable.
#[derive(Clone, Debug, Default)]
pub(super) struct Slot {
    pub value: Option<Val>,
    pub kind: Option<Type>,
    not: Vec<Val>,
    /// A word from which an unbound id is named.
    word: String,
    least: Option<i64>,
}

impl Slot {
    pub fn named(word: &str) -> Slot {
        Slot { word: word.into(), ..Slot::default() }
    }
    pub fn unlike(mut self, value: Val) -> Slot {
        self.not.push(value);
        self
    }
}

/// One statement that a way needs.
#[derive(Clone, Debug)]
pub(super) struct Deed {
    /// Seconds from the instant at which the formula is to hold.
    pub at: i64,
    pub kind: String,
    pub by: Option<usize>,
    pub fields: BTreeMap<String, usize>,
    pub signers: Vec<usize>,
    pub placed: bool,
}

/// One way.
#[derive(Clone, Debug, Default)]
pub(super) struct Way {
    pub deeds: Vec<Deed>,
    pub slots: Vec<Slot>,
}

pub(super) type Env = BTreeMap<String, usize>;

/// Builds ways; what it could not build stands in `unbuilt`.
pub(super) struct Ways<'a> {
    agreement: &'a Agreement,
    definitions: BTreeMap<&'a str, Vec<(&'a [Argument], &'a Expr)>>,
    /// Fact names beside kinds, e.g. `lodged_known`.
    also: BTreeMap<&'a str, &'a str>,
    start: Instant,
    pub unbuilt: BTreeSet<String>,
}

impl<'a> Ways<'a> {
    pub fn new(agreement: &'a Agreement, start: Instant) -> Self {
        let mut definitions: BTreeMap<&str, Vec<(&[Argument], &Expr)>> = BTreeMap::new();
        for source in agreement.items() {
            match &source.item {
                Item::Define(Define { name, head, body }) => {
                    definitions.entry(&name.name).or_default().push((head, body));
                }
                Item::Assert(a) => definitions.entry(&a.name.name).or_default().push((&a.head, &a.asserted)),
                _ => {}
            }
        }
        let kinds = agreement.rules().kinds.values();
        let also = kinds.flat_map(|k| k.also.iter().map(|(fact, _)| (fact.as_str(), k.name.as_str()))).collect();
        Ways { agreement, definitions, also, start, unbuilt: BTreeSet::new() }
    }

    pub fn starting(&mut self, start: Instant) {
        self.start = start;
        self.unbuilt.clear();
    }

    /// The kind behind a name that stands in a rule.
    pub fn kind(&self, name: &str) -> Option<&'a KindRule> {
        let kinds = &self.agreement.rules().kinds;
        kinds.get(name).or_else(|| kinds.get(*self.also.get(name)?))
    }

    /// Kinds that a formula names, also by definitions; `denied`: those that stand under an odd number of `not`s.
    pub fn kinds_of(&self, formula: &Expr, denied: bool) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        self.gather(formula, !denied, 0, &mut found);
        found
    }

    fn gather(&self, formula: &Expr, wanted: bool, depth: usize, into: &mut BTreeSet<String>) {
        if depth > DEPTH_MAX {
            return;
        }
        match formula {
            Expr::Atom { name, .. } => {
                if let Some(kind) = self.kind(&name.name) {
                    if wanted {
                        into.insert(kind.name.clone());
                    }
                } else {
                    for (_, body) in self.definitions.get(name.name.as_str()).into_iter().flatten() {
                        self.gather(body, wanted, depth + 1, into);
                    }
                }
            }
            Expr::Not(f) => self.gather(f, !wanted, depth, into),
            Expr::And(all) | Expr::Or(all) => all.iter().for_each(|f| self.gather(f, wanted, depth, into)),
            Expr::Exists(_, f)
            | Expr::Once(_, f)
            | Expr::Historically(_, f)
            | Expr::Eventually(_, f)
            | Expr::Always(_, f)
            | Expr::Seconds { formula: f, .. } => self.gather(f, wanted, depth, into),
            Expr::Since(_, a, b) | Expr::Until(_, a, b) => {
                self.gather(a, wanted, depth, into);
                self.gather(b, wanted, depth, into);
            }
            Expr::Let(_) | Expr::Breached { .. } | Expr::Each { .. } | Expr::Reached(_) | Expr::Compare { .. } => {}
        }
    }

    /// Ways of a formula whose free variables have slots already.
    pub fn of(&mut self, formula: &Expr, env: &Env, slots: Vec<Slot>, opening: bool) -> Vec<Way> {
        let way = Way { deeds: Vec::new(), slots };
        let mut env = env.clone();
        let mut ways = self.formula(formula, &mut env, way, 0, opening, 0);
        ways.truncate(WAYS_MAX);
        ways
    }

    fn fresh(way: &mut Way, word: &str) -> usize {
        way.slots.push(Slot { word: word.into(), ..Slot::default() });
        way.slots.len() - 1
    }

    fn slot(&self, name: &Named, env: &mut Env, way: &mut Way) -> usize {
        if let Some(slot) = env.get(&name.name) {
            return *slot;
        }
        let slot = Self::fresh(way, &name.name);
        match self.agreement.charter().roles.get(&name.name) {
            Some(member) => way.slots[slot].value = Some(Val::Text(member.clone())),
            None => {
                env.insert(name.name.clone(), slot);
            }
        }
        slot
    }

    fn term(&mut self, term: &Term, env: &mut Env, way: &mut Way) -> Option<usize> {
        match term {
            Term::Var(name) => Some(self.slot(name, env, way)),
            Term::Any(_) => None,
            Term::Text(..) | Term::Int(..) => {
                let slot = Self::fresh(way, "");
                way.slots[slot].value = self.constant(term, way, env);
                Some(slot)
            }
            Term::Sum(..) => {
                let value = self.constant(term, way, env);
                if value.is_none() {
                    self.unbuilt.insert("a sum of unknown values".into());
                }
                let slot = Self::fresh(way, "");
                way.slots[slot].value = value;
                Some(slot)
            }
            Term::Metres(_) => {
                self.unbuilt.insert("a distance".into());
                None
            }
        }
    }

    /// The value of a term, as far as it is known.
    fn constant(&self, term: &Term, way: &Way, env: &Env) -> Option<Val> {
        use crate::block::{IntWord, Operator};
        Some(match term {
            Term::Text(text, _) => Val::Text(text.clone()),
            Term::Int(n, IntWord::Instant, _) => Val::At(n.checked_sub(self.start.0)?),
            Term::Int(n, IntWord::Truth, _) => Val::Text((*n != 0).to_string()),
            Term::Int(n, ..) => Val::Int(*n),
            Term::Var(v) => match env.get(&v.name) {
                Some(slot) => way.slots[*slot].value.clone()?,
                None => Val::Text(self.agreement.charter().roles.get(&v.name)?.clone()),
            },
            Term::Sum(a, op, b) => {
                let (a, b) = (self.constant(a, way, env)?, self.constant(b, way, env)?);
                let apply = |a: i64, b: i64| match op {
                    Operator::Plus => a.checked_add(b),
                    Operator::Minus => a.checked_sub(b),
                    Operator::Times => a.checked_mul(b),
                };
                match (a, b) {
                    (Val::Int(a), Val::Int(b)) => Val::Int(apply(a, b)?),
                    (Val::At(a), Val::Int(b)) => Val::At(apply(a, b)?),
                    _ => return None,
                }
            }
            Term::Any(_) | Term::Metres(_) => return None,
        })
    }

    fn unify(way: &mut Way, a: usize, b: usize) -> bool {
        if a == b {
            return true;
        }
        let (left, right) = (way.slots[a].clone(), way.slots[b].clone());
        let value = match (&left.value, &right.value) {
            (Some(x), Some(y)) if x != y => return false,
            (Some(x), _) | (None, Some(x)) => Some(x.clone()),
            (None, None) => {
                // Two unknowns that are to be one: both get the same name now.
                let kind = left.kind.clone().or(right.kind.clone());
                let slot = Slot { kind, ..left.clone() };
                Some(default(&slot, None))
            }
        };
        for slot in [a, b] {
            way.slots[slot].value = value.clone();
            way.slots[slot].kind = left.kind.clone().or(right.kind.clone());
        }
        true
    }

    fn bind(way: &mut Way, slot: usize, value: Val) -> bool {
        match &way.slots[slot].value {
            Some(has) => *has == value,
            None => {
                let allowed = !way.slots[slot].not.contains(&value);
                way.slots[slot].value = Some(value);
                allowed
            }
        }
    }

    fn formula(&mut self, formula: &Expr, env: &mut Env, way: Way, at: i64, opening: bool, depth: usize) -> Vec<Way> {
        if depth > DEPTH_MAX * 4 {
            self.unbuilt.insert("definitions that rest on each other too deep".into());
            return Vec::new();
        }
        match formula {
            Expr::Atom { name, args } => self.atom(name, args, env, way, at, opening, depth),
            Expr::And(all) => {
                // What binds variables goes first, comparisons last.
                let mut order: Vec<&Expr> = all.iter().collect();
                order.sort_by_key(|f| self.rank(f));
                let mut ways = vec![(way, env.clone())];
                for f in order {
                    let mut next = Vec::new();
                    for (way, env) in ways {
                        let mut inner = env.clone();
                        for built in self.formula(f, &mut inner, way, at, opening, depth + 1) {
                            next.push((built, inner.clone()));
                        }
                    }
                    next.truncate(WAYS_MAX);
                    ways = next;
                }
                if let Some((_, last)) = ways.last() {
                    *env = last.clone();
                }
                ways.into_iter().map(|(way, _)| way).collect()
            }
            Expr::Or(all) => {
                let mut ways = Vec::new();
                for f in all {
                    ways.extend(self.formula(f, &mut env.clone(), way.clone(), at, opening, depth + 1));
                }
                ways
            }
            Expr::Exists(names, f) => {
                let mut inner = env.clone();
                for name in names {
                    inner.remove(&name.name);
                }
                let mut way = way;
                for name in names {
                    let slot = Self::fresh(&mut way, &name.name);
                    inner.insert(name.name.clone(), slot);
                }
                let built = self.formula(f, &mut inner, way, at, opening, depth + 1);
                for (name, slot) in inner {
                    if !names.iter().any(|n| n.name == name) {
                        env.entry(name).or_insert(slot);
                    }
                }
                built
            }
            Expr::Once(span, f) => {
                let back =
                    if opening { span.from.max(span.to.map_or(BEFORE_S, |to| to.min(BEFORE_S))) } else { span.from };
                self.formula(f, env, way, at - back, opening, depth + 1)
            }
            Expr::Since(span, _, f) => {
                let back = span.from.max(span.to.map_or(BEFORE_S, |to| to.min(BEFORE_S)));
                self.formula(f, env, way, at - back, opening, depth + 1)
            }
            Expr::Eventually(span, f) => self.formula(f, env, way, at + span.from, opening, depth + 1),
            Expr::Until(span, _, f) => self.formula(f, env, way, at + span.from, opening, depth + 1),
            // The judge says whether what is denied is there.
            Expr::Not(_) => vec![way],
            Expr::Each { .. } => vec![way],
            Expr::Compare { left, op, right, .. } => self.compare(left, *op, right, env, way),
            Expr::Breached { commitment, part, term } => {
                self.breach(commitment, part.as_ref(), term, env, way, at, depth)
            }
            Expr::Historically(..) | Expr::Always(..) | Expr::Seconds { .. } => {
                self.unbuilt.insert("a state that must last".into());
                vec![way]
            }
            Expr::Reached(_) => {
                self.unbuilt.insert("an instant that a statement names".into());
                vec![way]
            }
            Expr::Let(_) => vec![way],
        }
    }

    fn rank(&self, formula: &Expr) -> usize {
        match formula {
            Expr::Atom { name, .. } if self.kind(&name.name).is_some() => 0,
            Expr::Atom { name, .. } if self.definitions.contains_key(name.name.as_str()) => 2,
            Expr::Atom { name, .. } if self.agreement.program().annexed.iter().any(|(t, _)| *t == name.name) => 1,
            Expr::Atom { .. } => 3,
            Expr::Compare { .. } => 4,
            Expr::Breached { .. } => 2,
            _ => 1,
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn atom(
        &mut self,
        name: &Named,
        args: &[Argument],
        env: &mut Env,
        mut way: Way,
        at: i64,
        opening: bool,
        depth: usize,
    ) -> Vec<Way> {
        if let Some(kind) = self.kind(&name.name) {
            let mut deed = Deed {
                at,
                kind: kind.name.clone(),
                by: None,
                fields: BTreeMap::new(),
                signers: Vec::new(),
                placed: false,
            };
            let mut entry = None;
            for Argument { field, term } in args {
                let Some(slot) = self.term(term, env, &mut way) else { continue };
                match field.name.as_str() {
                    "by" => {
                        way.slots[slot].kind = Some(Type::Party);
                        deed.by = Some(slot);
                    }
                    "entry" => entry = Some(slot),
                    "at" => {
                        deed.placed = true;
                        if !Self::bind(&mut way, slot, Val::Place) {
                            return Vec::new();
                        }
                    }
                    field => {
                        if let Some((_, wanted, _)) = kind.fields.iter().find(|(f, ..)| f == field) {
                            way.slots[slot].kind.get_or_insert(wanted.clone());
                        }
                        deed.fields.insert(field.into(), slot);
                    }
                }
            }
            for (field, wanted, optional) in &kind.fields {
                if *optional || deed.fields.contains_key(field) {
                    continue;
                }
                if matches!(wanted, Type::Place | Type::Entry) {
                    self.unbuilt.insert(format!("the field `{field}` of `{}`", kind.name));
                    continue;
                }
                let slot = Self::fresh(&mut way, field);
                way.slots[slot].kind = Some(wanted.clone());
                deed.fields.insert(field.clone(), slot);
            }
            way.deeds.push(deed);
            if let Some(slot) = entry {
                let position = Val::Deed(way.deeds.len() - 1);
                if !Self::bind(&mut way, slot, position) {
                    return Vec::new();
                }
            }
            return vec![way];
        }
        if let Some(bodies) = self.definitions.get(name.name.as_str()).cloned() {
            if depth > DEPTH_MAX * 3 {
                self.unbuilt.insert(format!("`{}`", name.name));
                return Vec::new();
            }
            let mut ways = Vec::new();
            'bodies: for (head, body) in bodies {
                let mut way = way.clone();
                let mut inner = Env::new();
                for argument in head {
                    let given = args.iter().find(|a| a.field.name == argument.field.name);
                    let given = given.and_then(|a| self.term(&a.term, env, &mut way));
                    match &argument.term {
                        Term::Var(v) => match (given, inner.get(&v.name).copied()) {
                            (Some(slot), Some(earlier)) => {
                                if !Self::unify(&mut way, slot, earlier) {
                                    continue 'bodies;
                                }
                            }
                            (Some(slot), None) => {
                                inner.insert(v.name.clone(), slot);
                            }
                            (None, Some(_)) => {}
                            (None, None) => {
                                let slot = Self::fresh(&mut way, &v.name);
                                inner.insert(v.name.clone(), slot);
                            }
                        },
                        constant => {
                            let value = self.constant(constant, &way, &inner);
                            if let (Some(slot), Some(value)) = (given, value)
                                && !Self::bind(&mut way, slot, value)
                            {
                                continue 'bodies;
                            }
                        }
                    }
                }
                ways.extend(self.formula(body, &mut inner, way, at, opening, depth + 1));
            }
            return ways;
        }
        self.of_record(name, args, env, way)
    }

    /// Words of the record and of annexes: they bind variables, and state nothing.
    fn of_record(&mut self, name: &Named, args: &[Argument], env: &mut Env, mut way: Way) -> Vec<Way> {
        let mut slots = BTreeMap::new();
        for Argument { field, term } in args {
            if let Some(slot) = self.term(term, env, &mut way) {
                slots.insert(field.name.as_str(), slot);
            }
        }
        let members = |role| {
            let all = self.agreement.members().iter();
            all.filter(move |m| m.role == role).map(|m| m.name.clone()).collect::<Vec<String>>()
        };
        let (parties, guarantors) = (members(crate::MemberRole::Party), members(crate::MemberRole::Guarantor));
        let choose = |way: &Way, rows: Vec<Vec<(usize, Val)>>| -> Vec<Way> {
            let fits = |row: Vec<(usize, Val)>| {
                let mut way = way.clone();
                row.into_iter().all(|(slot, value)| Self::bind(&mut way, slot, value)).then_some(way)
            };
            rows.into_iter().filter_map(fits).take(4).collect()
        };
        let text = |t: &String| Val::Text(t.clone());
        match name.name.as_str() {
            "party" | "guarantor" => {
                let of = if name.name == "party" { &parties } else { &guarantors };
                let Some(slot) = slots.get(name.name.as_str()) else { return vec![way] };
                choose(&way, of.iter().map(|m| vec![(*slot, text(m))]).collect())
            }
            "counterparty" => {
                let mut rows = Vec::new();
                for p in &parties {
                    for q in parties.iter().filter(|q| *q != p) {
                        let row = slots.get("party").map(|s| (*s, text(p)));
                        rows.push(row.into_iter().chain(slots.get("of").map(|s| (*s, text(q)))).collect());
                    }
                }
                choose(&way, rows)
            }
            "signed" => {
                let (Some(entry), by) = (slots.get("entry"), slots.get("by")) else { return vec![way] };
                let Some(Val::Deed(deed)) = way.slots[*entry].value else {
                    self.unbuilt.insert("who signed an unknown statement".into());
                    return vec![way];
                };
                way.deeds[deed].signers.extend(by);
                vec![way]
            }
            "dagger" | "harms" => vec![way],
            other => {
                let program = self.agreement.program();
                let columns = program.columns.get(other);
                let rows: Vec<_> = program.annexed.iter().filter(|(t, _)| t == other).map(|(_, row)| row).collect();
                let Some(columns) = columns.filter(|_| !rows.is_empty()) else {
                    self.unbuilt.insert(format!("`{other}`"));
                    return vec![way];
                };
                let bound = |row: &Vec<hamsaya_monitor::Value>| {
                    let cells = columns.iter().zip(row).filter_map(|(column, value)| {
                        let value = match value {
                            hamsaya_monitor::Value::Int(n) if column.kind == Type::Instant => Val::At(n - self.start.0),
                            hamsaya_monitor::Value::Int(n) => Val::Int(*n),
                            value => Val::Text(value.to_string().trim_matches('"').into()),
                        };
                        Some((*slots.get(column.name.as_str())?, value))
                    });
                    cells.collect::<Vec<_>>()
                };
                choose(&way, rows.into_iter().map(bound).collect())
            }
        }
    }

    fn compare(&mut self, left: &Term, op: Compared, right: &Term, env: &mut Env, mut way: Way) -> Vec<Way> {
        for side in [left, right] {
            if let Term::Metres(_) = side {
                // Where a place is built, it is a point on the line: near everything that is measured to it.
                return vec![way];
            }
        }
        let (a, b) = (self.constant(left, &way, env), self.constant(right, &way, env));
        let unknown = |term: &Term| match term {
            Term::Var(v) => env.get(&v.name).copied(),
            _ => None,
        };
        let holds = match (&a, &b) {
            (Some(a), Some(b)) => match op {
                Compared::Equal => a == b,
                Compared::NotEqual => a != b,
                // Ordered enumerations and instants are left to the judge, numbers are not.
                _ => match (a, b) {
                    (Val::Int(a), Val::Int(b)) => match op {
                        Compared::Less => a < b,
                        Compared::LessOrEqual => a <= b,
                        Compared::Greater => a > b,
                        _ => a >= b,
                    },
                    _ => true,
                },
            },
            (None, Some(value)) | (Some(value), None) => {
                let (term, op) = if a.is_none() { (left, op) } else { (right, mirrored(op)) };
                let Some(slot) = unknown(term) else {
                    self.unbuilt.insert("a calculation".into());
                    return vec![way];
                };
                match (op, value) {
                    (Compared::Equal, value) => Self::bind(&mut way, slot, value.clone()),
                    (Compared::NotEqual, value) => {
                        way.slots[slot].not.push(value.clone());
                        true
                    }
                    (op, Val::Int(n)) => {
                        let n = *n;
                        let chosen = match op {
                            Compared::Less => n - 1,
                            Compared::Greater => n + 1,
                            _ => n,
                        };
                        // No field holds a number below 0.
                        let counts = matches!(way.slots[slot].kind, Some(Type::Count | Type::Duration));
                        let least = way.slots[slot].least.unwrap_or(i64::MIN);
                        chosen >= least && !(counts && chosen < 0) && Self::bind(&mut way, slot, Val::Int(chosen))
                    }
                    (op, Val::At(t)) => {
                        let t = *t;
                        let chosen = match op {
                            Compared::Less => t - 1,
                            Compared::Greater => t + 1,
                            _ => t,
                        };
                        Self::bind(&mut way, slot, Val::At(chosen))
                    }
                    (op, Val::Text(value)) => {
                        let value = self.ordered(value, op);
                        value.is_some_and(|v| Self::bind(&mut way, slot, Val::Text(v)))
                    }
                    _ => true,
                }
            }
            (None, None) => {
                match (unknown(left), unknown(right), op) {
                    (Some(l), Some(r), Compared::Equal) => Self::unify(&mut way, l, r),
                    (Some(l), Some(r), Compared::NotEqual) => {
                        // One gets a name now, the other must have another.
                        let value = default(&way.slots[l], None);
                        way.slots[l].value = Some(value.clone());
                        way.slots[r].not.push(value);
                        true
                    }
                    _ => {
                        self.unbuilt.insert("a comparison of two unknown values".into());
                        true
                    }
                }
            }
        };
        if holds { vec![way] } else { Vec::new() }
    }

    /// A value of an ordered enumeration that stands so to `value`.
    fn ordered(&self, value: &str, op: Compared) -> Option<String> {
        let enums = self.agreement.rules().enums.values();
        let order = enums.map(|e| &e.order).find(|order| order.iter().any(|v| v == value))?;
        let at = order.iter().position(|v| v == value)?;
        let at = match op {
            Compared::Less => at.checked_sub(1)?,
            Compared::Greater => at + 1,
            _ => at,
        };
        order.get(at).cloned()
    }

    /// A breach of another duty: what opened it, so long before that its time is over.
    #[allow(clippy::too_many_arguments)]
    fn breach(
        &mut self,
        commitment: &Named,
        part: Option<&Named>,
        term: &Term,
        env: &mut Env,
        mut way: Way,
        at: i64,
        depth: usize,
    ) -> Vec<Way> {
        use crate::block::Must;
        let agreement = self.agreement;
        let slot = self.term(term, env, &mut way);
        let blocks = agreement.items().iter().filter_map(|s| match &s.item {
            Item::Commitment(block) if block.id.name == commitment.name => Some(block),
            _ => None,
        });
        let mut ways = Vec::new();
        for block in blocks {
            for clauses in &block.parts {
                if part.is_some_and(|p| clauses.part.as_ref().is_none_or(|c| c.name != p.name)) {
                    continue;
                }
                let (Some(opens), Some(Must::Within(_, seconds))) = (&clauses.opens, &clauses.must) else {
                    self.unbuilt.insert(format!("a breach of {}", commitment.name));
                    continue;
                };
                let Some(opens) = crate::lower::put_in(opens, &crate::lower::lets(block, clauses)) else { continue };
                let mut inner = Env::new();
                let mut way = way.clone();
                for (n, name) in opens.free().into_iter().enumerate() {
                    let slot = slot.filter(|_| n == 0).unwrap_or_else(|| Self::fresh(&mut way, &name.name));
                    inner.insert(name.name.clone(), slot);
                }
                ways.extend(self.formula(&opens, &mut inner, way, at - seconds, true, depth + 1));
            }
        }
        ways
    }
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

/// A value for a variable of which nothing else is known.
pub(super) fn default(slot: &Slot, agreement: Option<&Agreement>) -> Val {
    let named = |n: usize| {
        let letters: String = slot.word.split('_').filter_map(|w| w.chars().next()).collect();
        Val::Text(format!("{}{n}", if letters.is_empty() { "X".into() } else { letters.to_uppercase() }))
    };
    let candidates: Vec<Val> = match &slot.kind {
        Some(Type::Party) => {
            let members = agreement.map(Agreement::members).unwrap_or_default().iter();
            members.map(|m| Val::Text(m.name.clone())).collect()
        }
        Some(Type::Instant) => vec![Val::At(0)],
        Some(Type::Duration) => vec![Val::Int(3_600)],
        Some(Type::Count) => (1..4).map(Val::Int).collect(),
        Some(Type::Truth) => ["true", "false"].map(|p| Val::Text(p.into())).to_vec(),
        Some(Type::Enum(e)) => {
            let values = agreement.and_then(|a| a.rules().enums.get(e));
            values.into_iter().flat_map(|e| e.order.iter().chain(&e.also)).map(|v| Val::Text(v.clone())).collect()
        }
        Some(Type::Place) => vec![Val::Place],
        _ => (1..4).map(named).collect(),
    };
    let mut free = candidates.iter().filter(|v| !slot.not.contains(v));
    free.next().or(candidates.first()).cloned().unwrap_or_else(|| named(1))
}

impl Way {
    /// The value of a slot, by name if it has none.
    pub fn value(&self, slot: usize, agreement: &Agreement) -> Val {
        self.slots[slot].value.clone().unwrap_or_else(|| default(&self.slots[slot], Some(agreement)))
    }
}
