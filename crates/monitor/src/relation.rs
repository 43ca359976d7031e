//! Where in time each valuation of a formula that looks back holds.
//!
//! ```text
//! ONCE[0,10] works(x, w)   ->   x = "P1", w = "W1":  certain {[140,150]}  possible {[140,150]}
//! ```
//! A relation maps the variables that are not bound yet to a [`Pair`] of interval sets. Both readings are computed at
//! once: negation swaps them, so each fact counts by the polarity of its place. Conjunctions bind from left to right
//! in the order of [`Program::plan`], so that each part is looked up by what is known already.
use crate::fact::Instant;
use crate::fact::{NEVER, SINCE_EVER};
use crate::facts::{Columns, Facts, Pair, WhatIf};
use crate::formula::Comparison;
use crate::intervals::{Far, Intervals, minus};
use crate::lookup::Answers;
use crate::program::{Bound, Expr, Kind, Mask, Node, Program, Reach, Slot, V, binding, bit, slots};
use smallvec::{SmallVec, smallvec};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What the variables of one rule or definition are.
#[derive(Clone, Debug)]
pub(crate) struct Env {
    values: SmallVec<[V; 12]>,
    pub(crate) bound: Mask,
}

impl Env {
    pub(crate) fn new(slots: usize) -> Env {
        Env { values: smallvec![V::Fresh; slots], bound: 0 }
    }

    pub(crate) fn get(&self, slot: Slot) -> Option<V> {
        (self.bound & bit(slot) != 0).then(|| self.values[slot])
    }

    pub(crate) fn set(&mut self, slot: Slot, value: V) {
        self.values[slot] = value;
        self.bound |= bit(slot);
    }

    pub(crate) fn clear(&mut self, slot: Slot) {
        self.bound &= !bit(slot);
    }
}

/// Values of some variables; few, and those in place.
pub(crate) type Valuation = SmallVec<[V; 4]>;

/// Some variables.
pub(crate) type Slots = SmallVec<[Slot; 8]>;

/// A stretch of instants.
pub(crate) type Span = (Instant, Instant);

/// All instants.
pub(crate) const ALL: Span = (SINCE_EVER, NEVER);

/// Instants at which an operator over a window reads its inner formula to answer for a stretch.
pub(crate) fn window_of((from, to): Span, near: i64, far: Far) -> Span {
    (far.map_or(SINCE_EVER, |far| minus(from, far)), minus(to, near))
}

/// What was asked: a node or definition, the cut, where, and what was known.
type Asked = (usize, Instant, Span, Vec<Option<V>>);

/// Rows over `vars`, each valuation once.
#[derive(Debug)]
pub(crate) struct Relation {
    pub(crate) vars: Slots,
    pub(crate) rows: Vec<(Valuation, Pair)>,
}

/// Rows of a definition or of breaches, over all columns.
pub(crate) type Rows = Arc<Vec<(Valuation, Pair)>>;

/// Breaches of one rule, judged already, by key.
#[derive(Clone, Debug)]
pub(crate) struct Breaches {
    columns: Columns,
    rows: Vec<Breach>,
}

#[derive(Clone, Debug)]
struct Breach {
    at: Pair,
    /// As it was before the revision that is going on.
    was: Option<Pair>,
}

impl Breaches {
    pub(crate) fn new(width: usize) -> Breaches {
        Breaches { columns: Columns::new(width), rows: Vec::new() }
    }

    /// When the instances of a key are breached. Says where that is news.
    pub(crate) fn set(&mut self, key: &[V], at: Pair) -> Option<Span> {
        let row = match self.columns.row(key) {
            Some(row) => row,
            None if at.possible.is_empty() => return None,
            None => {
                self.rows.push(Breach { at: Pair::empty(), was: None });
                self.columns.add(key)
            }
        };
        let row = &mut self.rows[row];
        if row.at == at {
            return None;
        }
        // A breach stays.
        let from = [&row.at, &at].into_iter().filter_map(|pair| pair.possible.first_from(SINCE_EVER)).min();
        row.was = Some(std::mem::replace(&mut row.at, at));
        Some((from.unwrap_or(SINCE_EVER), NEVER))
    }

    /// Forgets what a key was.
    pub(crate) fn settle(&mut self, key: &[V]) {
        if let Some(row) = self.columns.row(key) {
            self.rows[row].was = None;
        }
    }

    fn find(&self, pattern: &[Option<V>], before: bool) -> Vec<(Valuation, Pair)> {
        let rows = self.columns.find(pattern).filter(|&row| fits(pattern, self.columns.args(row)));
        let at = |row: &Breach| if before { row.was.clone() } else { None }.unwrap_or_else(|| row.at.clone());
        rows.map(|row| (Valuation::from_slice(self.columns.args(row)), at(&self.rows[row]))).collect()
    }
}

/// What was worked out already.
#[derive(Default)]
struct Memo {
    nodes: Answers<Asked, Arc<Relation>>,
    calls: Answers<Asked, Rows>,
    /// All rows of definitions, where they were asked for.
    whole: BTreeMap<usize, Rows>,
    asked: Answers<(usize, Vec<Option<V>>), Rows>,
}

/// One evaluation: of one program over one set of facts, at one instant.
pub(crate) struct Eval<'a> {
    pub(crate) program: &'a Program,
    pub(crate) facts: &'a Facts,
    pub(crate) what_if: WhatIf,
    /// Facts after this instant are dropped.
    pub(crate) until: Instant,
    /// Breaches after this instant have not happened.
    pub(crate) horizon: Instant,
    /// Breaches by rule, where they are judged already; else they are looked for when asked.
    pub(crate) breaches: Vec<Option<Arc<Breaches>>>,
    /// Facts that were looked at, if anyone wants to know.
    pub(crate) touched: Option<BTreeSet<usize>>,
    /// Where answers are needed; elsewhere they may be anything. Only where facts are cut early is it less than all:
    /// those answers serve one instance, the others serve all.
    span: Span,
    memo: Memo,
    /// The same for one instance, where facts are cut early: nobody else asks for it.
    passing: Memo,
    /// The same of what was before the revision that is going on.
    earlier: Memo,
}

impl<'a> Eval<'a> {
    pub(crate) fn new(program: &'a Program, facts: &'a Facts, until: Instant, horizon: Instant) -> Eval<'a> {
        Eval {
            program,
            facts,
            what_if: WhatIf::default(),
            until,
            horizon,
            breaches: program.duties.iter().map(|_| None).collect(),
            touched: None,
            span: ALL,
            memo: Memo::default(),
            passing: Memo::default(),
            earlier: Memo::default(),
        }
    }

    /// Asks something of what was before the revision that is going on.
    pub(crate) fn before<T>(&mut self, ask: impl FnOnce(&mut Self) -> T) -> T {
        std::mem::swap(&mut self.memo, &mut self.earlier);
        self.what_if.before = true;
        let answer = ask(self);
        self.what_if.before = false;
        std::mem::swap(&mut self.memo, &mut self.earlier);
        answer
    }

    /// Forgets what was worked out where facts are cut early.
    pub(crate) fn forget(&mut self) {
        self.passing = Memo::default();
    }

    fn memo(&mut self, cut: Instant) -> &mut Memo {
        if cut == self.until { &mut self.memo } else { &mut self.passing }
    }

    /// `None`: of some values that no fact names it holds, and of some it does not.
    pub(crate) fn compare(&self, op: Comparison, a: &Expr, b: &Expr, env: &Env) -> Option<bool> {
        let values = match (linear(a), linear(b)) {
            // One variable on both sides: it does not matter what it is.
            (Some((x, i)), Some((y, j))) if x == y && env.get(x) == Some(V::Fresh) => (V::Int(i), V::Int(j)),
            _ => (value(a, env).unwrap_or(V::Fresh), value(b, env).unwrap_or(V::Fresh)),
        };
        let order = match values {
            (V::Fresh, V::Fresh) => return None,
            (V::Fresh, _) | (_, V::Fresh) => {
                return match op {
                    Comparison::Equal => Some(false),
                    Comparison::NotEqual => Some(true),
                    _ => None,
                };
            }
            (V::Int(a), V::Int(b)) => a.cmp(&b),
            (V::Word(a), V::Word(b)) if a == b => Ordering::Equal,
            (a, b) => self.facts.words.say(a).cmp(&self.facts.words.say(b)),
        };
        Some(match op {
            Comparison::Equal => order == Ordering::Equal,
            Comparison::NotEqual => order != Ordering::Equal,
            Comparison::Less => order == Ordering::Less,
            Comparison::LessOrEqual => order != Ordering::Greater,
            Comparison::Greater => order == Ordering::Greater,
            Comparison::GreaterOrEqual => order != Ordering::Less,
        })
    }

    /// Asks something of a stretch of instants.
    pub(crate) fn within<T>(&mut self, span: Span, cut: Instant, ask: impl FnOnce(&mut Self) -> T) -> T {
        let outer = std::mem::replace(&mut self.span, if cut == self.until { ALL } else { span });
        let answer = ask(self);
        self.span = outer;
        answer
    }

    /// Where a formula holds whose variables are all bound.
    pub(crate) fn holds(&mut self, node: &Node, env: &mut Env, cut: Instant) -> Pair {
        let relation = self.relation(node, env, cut);
        relation.rows.first().map_or_else(Pair::empty, |(_, pair)| pair.clone())
    }

    /// The relation of a formula that looks back, over its variables that are not bound.
    pub(crate) fn relation(&mut self, node: &Node, env: &mut Env, cut: Instant) -> Arc<Relation> {
        if node.dies && cut < self.until && !matches!(node.kind, Kind::Fact(..)) {
            let until = self.until;
            let whole = self.within(ALL, until, |eval| eval.relation(node, env, until));
            let (from, to) = self.span;
            let rows = whole.rows.iter().map(|(row, pair)| (row.clone(), pair.stretch(from, cut.min(to))));
            let rows = rows.filter(|(_, pair)| !pair.possible.is_empty()).collect();
            return Arc::new(Relation { vars: whole.vars.clone(), rows });
        }
        let leaf = matches!(
            node.kind,
            Kind::True | Kind::Fact(..) | Kind::Call(..) | Kind::Reached(_) | Kind::Ts(_) | Kind::Compare(..)
        );
        // Something bound that the formula does not read: it will be asked again for other values of that.
        let again = !leaf && env.bound & !node.mask != 0;
        if !again {
            return Arc::new(self.work(node, env, cut));
        }
        let at = (node.id, cut, self.span, node.free.iter().map(|&slot| env.get(slot)).collect::<Vec<_>>());
        if let Some(known) = self.memo(cut).nodes.get(&at) {
            return known.clone();
        }
        let relation = Arc::new(self.work(node, env, cut));
        self.memo(cut).nodes.insert(at, relation.clone());
        relation
    }

    fn work(&mut self, node: &Node, env: &mut Env, cut: Instant) -> Relation {
        match &node.kind {
            Kind::True => unit(Pair::same(Intervals::all())),
            Kind::Fact(predicate, args) => self.fact(node, *predicate, args, env, cut),
            Kind::Call(definition, args) => {
                let pattern = pattern(args, env);
                let rows = self.call(*definition, pattern, cut);
                self.fit(node, args, env, &rows)
            }
            Kind::Breached(rule, args) => {
                let pattern = pattern(args, env);
                let rows = self.breached(*rule, pattern);
                let limit = if cut == self.until { self.horizon } else { cut };
                let rows: Vec<_> = rows
                    .iter()
                    .map(|(row, pair)| (row.clone(), pair.map(|set| begun_by(set, limit))))
                    .filter(|(_, pair)| !pair.possible.is_empty())
                    .collect();
                self.fit(node, args, env, &rows)
            }
            Kind::Reached(term) => match value(term, env) {
                Some(V::Int(t)) => unit(Pair::same(Intervals::one(t, NEVER))),
                _ => unit(Pair::new(Intervals::empty(), Intervals::all())),
            },
            Kind::Ts(term) => match value(term, env) {
                Some(V::Int(t)) => unit(Pair::same(Intervals::one(t, t))),
                _ => unit(Pair::empty()),
            },
            Kind::Compare(op, a, b) => self.comparison(*op, a, b, env),
            Kind::Not(inner) => unit(self.holds(inner, env, cut).not()),
            Kind::And(parts) => self.conjunction(node, parts, env, cut),
            Kind::Or(parts) => {
                let mut rows = Vec::new();
                let vars = unbound(node, env);
                for part in parts {
                    rows.extend(self.relation(part, env, cut).rows.iter().cloned());
                }
                gather(vars, rows)
            }
            Kind::Exists(_, inner) => {
                let whole = self.relation(inner, env, cut);
                let vars = unbound(node, env);
                let columns: Vec<usize> = (0..whole.vars.len()).filter(|&i| vars.contains(&whole.vars[i])).collect();
                let rows = whole
                    .rows
                    .iter()
                    .map(|(row, pair)| (columns.iter().map(|&i| row[i]).collect(), pair.clone()))
                    .collect();
                gather(vars, rows)
            }
            Kind::Once(reach, inner) => {
                let Some(far) = far(reach, env) else {
                    return Relation { vars: unbound(node, env), rows: Vec::new() };
                };
                let span = window_of(self.span, reach.near, far);
                let whole = self.within(span, cut, |eval| eval.relation(inner, env, cut));
                let rows =
                    whole.rows.iter().map(|(row, pair)| (row.clone(), pair.map(|set| set.once(reach.near, far))));
                let rows = rows.filter(|(_, pair)| !pair.possible.is_empty()).collect();
                Relation { vars: whole.vars.clone(), rows }
            }
            Kind::Historically(reach, inner) => {
                let Some(far) = far(reach, env) else { return unit(Pair::empty()) };
                let span = window_of(self.span, reach.near, far);
                let pair = self.within(span, cut, |eval| eval.holds(inner, env, cut));
                unit(pair.map(|set| set.historically(reach.near, far)))
            }
            Kind::Duration(reach, inner, seconds) => {
                let Some(far) = far(reach, env) else { return unit(Pair::empty()) };
                let span = window_of(self.span, reach.near, far);
                let pair = self.within(span, cut, |eval| eval.holds(inner, env, cut));
                // What the inner formula carries along from before the window does not matter.
                let pair = if self.span == ALL { pair } else { pair.stretch(span.0, span.1) };
                unit(pair.map(|set| set.duration(reach.near, far, *seconds)))
            }
            Kind::Since(reach, left, right) => self.carried(node, reach, left, right, env, cut, false),
            // Rules never ask what looks ahead for a relation; a formula by itself does.
            Kind::Eventually(reach, inner) => {
                let Some(far) = far(reach, env) else {
                    return Relation { vars: unbound(node, env), rows: Vec::new() };
                };
                let whole = self.relation(inner, env, cut);
                let ahead = |set: &Intervals| set.mirror().once(reach.near, far).mirror();
                let rows = whole.rows.iter().map(|(row, pair)| (row.clone(), pair.map(ahead)));
                let rows = rows.filter(|(_, pair)| !pair.possible.is_empty()).collect();
                Relation { vars: whole.vars.clone(), rows }
            }
            Kind::Always(reach, inner) => {
                let Some(far) = far(reach, env) else { return unit(Pair::empty()) };
                unit(self.holds(inner, env, cut).map(|set| set.mirror().historically(reach.near, far).mirror()))
            }
            Kind::Until(reach, left, right) => self.carried(node, reach, left, right, env, cut, true),
        }
    }

    fn fact(&mut self, node: &Node, predicate: usize, args: &[Expr], env: &Env, cut: Instant) -> Relation {
        let pattern: SmallVec<[Option<V>; 12]> = args.iter().map(|arg| value(arg, env)).collect();
        let facts = self.facts;
        let table = &facts.tables[predicate];
        let vars = unbound(node, env);
        let places = places(args, &vars);
        let mut rows = Vec::new();
        for index in table.columns.find(&pattern) {
            let row = table.args(index);
            if !fits(&pattern, row) {
                continue;
            }
            let Some(valuation) = read(args, &places, row, vars.len()) else { continue };
            if let Some(touched) = &mut self.touched {
                let told = &table.rows[index].told;
                touched.extend(told.iter().filter(|&&t| facts.told[t].live && facts.told[t].from <= cut));
            }
            let pair = facts.pair(predicate, index, (self.span.0, cut.min(self.span.1)), &self.what_if);
            if !pair.possible.is_empty() {
                rows.push((valuation, pair));
            }
        }
        gather(vars, rows)
    }

    /// Rows of a definition that fit a pattern.
    pub(crate) fn call(&mut self, definition: usize, pattern: Vec<Option<V>>, cut: Instant) -> Rows {
        let first = pattern.first().copied().flatten();
        if let (Some(first), Some(whole)) = (first, self.memo(cut).whole.get(&definition)) {
            // Rows are sorted.
            let begin = whole.partition_point(|(row, _)| row[0] < first);
            let rows = whole[begin..].iter().take_while(|(row, _)| row[0] == first);
            return Arc::new(rows.filter(|(row, _)| fits(&pattern, row)).cloned().collect());
        }
        let at = (definition, cut, self.span, pattern);
        if let Some(known) = self.memo(cut).calls.get(&at) {
            return known.clone();
        }
        let program = self.program;
        let mut rows = Vec::new();
        for body in &program.derived[definition].bodies {
            let mut env = Env::new(body.slots);
            for (&slot, value) in body.params.iter().zip(&at.3) {
                if let Some(value) = value {
                    env.set(slot, *value);
                }
            }
            let relation = self.relation(&body.node, &mut env, cut);
            // A column that the pattern knows, or the place of its variable in the relation's rows.
            let columns: Vec<Result<V, usize>> = body
                .params
                .iter()
                .map(|&slot| env.get(slot).ok_or_else(|| relation.vars.partition_point(|&var| var < slot)))
                .collect();
            for (row, pair) in &relation.rows {
                rows.push((columns.iter().map(|c| c.unwrap_or_else(|i| row[i])).collect(), pair.clone()));
            }
        }
        let rows: Rows = Arc::new(gather(Slots::new(), rows).rows);
        if at.3.iter().all(Option::is_none) && cut == self.until {
            self.memo.whole.insert(definition, rows.clone());
        }
        self.memo(cut).calls.insert(at, rows.clone());
        rows
    }

    /// Breaches of a rule for the keys that fit a pattern, from the instant of the breach on.
    pub(crate) fn breached(&mut self, rule: usize, pattern: Vec<Option<V>>) -> Rows {
        if let Some(known) = &self.breaches[rule] {
            return Arc::new(known.find(&pattern, self.what_if.before));
        }
        let at = (rule, pattern);
        if let Some(known) = self.memo.asked.get(&at) {
            return known.clone();
        }
        let mut rows = Vec::new();
        for opening in self.openings(rule, &at.1) {
            let times = self.times(rule, &opening, self.until);
            rows.push((opening.key, times.breached(self.horizon)));
        }
        let rows: Rows = Arc::new(gather(Slots::new(), rows).rows);
        self.memo.asked.insert(at, rows.clone());
        rows
    }

    /// Rows over all columns, read through the arguments of an atom.
    fn fit(&self, node: &Node, args: &[Expr], env: &Env, rows: &[(Valuation, Pair)]) -> Relation {
        let pattern = pattern(args, env);
        let vars = unbound(node, env);
        let places = places(args, &vars);
        let found = rows.iter().filter(|(row, _)| fits(&pattern, row));
        let found =
            found.filter_map(|(row, pair)| Some((read(args, &places, row, vars.len())?, pair.clone()))).collect();
        gather(vars, found)
    }

    fn comparison(&self, op: Comparison, a: &Expr, b: &Expr, env: &Env) -> Relation {
        if op == Comparison::Equal
            && let Some((slot, term)) = binding(a, b, env.bound)
        {
            let value = value(term, env).unwrap_or(V::Fresh);
            return Relation { vars: smallvec![slot], rows: vec![(smallvec![value], Pair::same(Intervals::all()))] };
        }
        match self.compare(op, a, b, env) {
            Some(true) => unit(Pair::same(Intervals::all())),
            Some(false) => unit(Pair::empty()),
            None => unit(Pair::new(Intervals::empty(), Intervals::all())),
        }
    }

    fn conjunction(&mut self, node: &Node, parts: &[Node], env: &mut Env, cut: Instant) -> Relation {
        let wanted = unbound(node, env);
        let Ok(order) = self.program.plan(node.id, parts, env.bound) else {
            return Relation { vars: wanted, rows: Vec::new() };
        };
        let mut vars = Slots::new();
        let mut rows: Vec<(Valuation, Pair)> = vec![(Valuation::new(), Pair::same(Intervals::all()))];
        for &i in order.iter() {
            let part = &parts[i];
            let added: Slots = unbound(part, env).into_iter().filter(|slot| !vars.contains(slot)).collect();
            let mut next = Vec::new();
            for (row, pair) in rows {
                for (&slot, &value) in vars.iter().zip(&row) {
                    env.set(slot, value);
                }
                self.join(part, &added, row, &pair, env, cut, &mut next);
                for &slot in &vars {
                    env.clear(slot);
                }
            }
            rows = next;
            vars.extend(added);
        }
        let columns: Slots = wanted.iter().filter_map(|slot| vars.iter().position(|var| var == slot)).collect();
        if columns.iter().enumerate().any(|(i, &column)| i != column) {
            for (row, _) in &mut rows {
                *row = columns.iter().map(|&i| row[i]).collect();
            }
        }
        Relation { vars: wanted, rows }
    }

    /// One row of a conjunction with one more part.
    #[allow(clippy::too_many_arguments)]
    fn join(
        &mut self,
        part: &Node,
        added: &[Slot],
        row: Valuation,
        pair: &Pair,
        env: &mut Env,
        cut: Instant,
        next: &mut Vec<(Valuation, Pair)>,
    ) {
        if let (Kind::Ts(_), [_]) = (&part.kind, added) {
            // The plan puts this behind a part that leaves single instants.
            for t in pair.possible.iter().flat_map(|(from, to)| from..=to) {
                let now = Pair::same(Intervals::one(t, t));
                let mut row = row.clone();
                row.push(V::Int(t));
                next.push((row, pair.with(&now, Intervals::intersect)));
            }
            return;
        }
        if let Kind::Not(inner) = &part.kind {
            let left = pair.without(&self.holds(inner, env, cut));
            if !left.possible.is_empty() {
                next.push((row, left));
            }
            return;
        }
        let relation = self.relation(part, env, cut);
        for (more, other) in &relation.rows {
            let both = pair.with(other, Intervals::intersect);
            if !both.possible.is_empty() {
                let mut row = row.clone();
                row.extend_from_slice(more);
                next.push((row, both));
            }
        }
    }

    /// SINCE, and UNTIL as the same thing the other way round.
    #[allow(clippy::too_many_arguments)]
    fn carried(
        &mut self,
        node: &Node,
        reach: &Reach,
        left: &Node,
        right: &Node,
        env: &mut Env,
        cut: Instant,
        ahead: bool,
    ) -> Relation {
        let vars = unbound(node, env);
        let Some(far) = far(reach, env) else { return Relation { vars, rows: Vec::new() } };
        let span = window_of(self.span, 0, far);
        let whole = self.within(span, cut, |eval| eval.relation(right, env, cut));
        let mut rows = Vec::new();
        for (row, pair) in &whole.rows {
            for (&slot, &value) in whole.vars.iter().zip(row) {
                env.set(slot, value);
            }
            let carried = self.within(span, cut, |eval| eval.holds(left, env, cut));
            for &slot in &whole.vars {
                env.clear(slot);
            }
            let pair = carried.with(pair, |left, right| {
                if ahead {
                    left.mirror().since(&right.mirror(), reach.near, far).mirror()
                } else {
                    left.since(right, reach.near, far)
                }
            });
            if !pair.possible.is_empty() {
                rows.push((row.clone(), pair));
            }
        }
        Relation { vars, rows }
    }
}

/// The value of an expression, if it is known.
pub(crate) fn value(expr: &Expr, env: &Env) -> Option<V> {
    let numbers = |a: &Expr, b: &Expr| match (value(a, env)?, value(b, env)?) {
        (V::Int(a), V::Int(b)) => Some(Some((a, b))),
        _ => Some(None),
    };
    let sum = |pair: Option<(i64, i64)>, f: fn(i64, i64) -> i64| pair.map_or(V::Fresh, |(a, b)| V::Int(f(a, b)));
    match expr {
        Expr::Slot(slot) => env.get(*slot),
        Expr::Const(value) => Some(*value),
        Expr::Any => None,
        Expr::Plus(a, b) => Some(sum(numbers(a, b)?, i64::saturating_add)),
        Expr::Minus(a, b) => Some(sum(numbers(a, b)?, i64::saturating_sub)),
        Expr::Times(a, b) => Some(sum(numbers(a, b)?, i64::saturating_mul)),
    }
}

/// A variable and what is added to it.
pub(crate) fn linear(expr: &Expr) -> Option<(Slot, i64)> {
    match expr {
        Expr::Slot(slot) => Some((*slot, 0)),
        Expr::Plus(a, b) => match (a.as_ref(), b.as_ref()) {
            (a, Expr::Const(V::Int(n))) | (Expr::Const(V::Int(n)), a) => {
                linear(a).map(|(slot, m)| (slot, m.saturating_add(*n)))
            }
            _ => None,
        },
        Expr::Minus(a, b) => match b.as_ref() {
            Expr::Const(V::Int(n)) => linear(a).map(|(slot, m)| (slot, m.saturating_sub(*n))),
            _ => None,
        },
        _ => None,
    }
}

/// What is known of each column.
pub(crate) fn pattern(args: &[Expr], env: &Env) -> Vec<Option<V>> {
    args.iter().map(|arg| value(arg, env)).collect()
}

/// A window's far end; `None` outside: it is no number.
pub(crate) fn far(reach: &Reach, env: &Env) -> Option<Far> {
    match reach.far {
        Bound::Fixed(far) => Some(Some(far)),
        Bound::Unbounded => Some(None),
        Bound::Slot(slot) => match env.get(slot) {
            Some(V::Int(far)) => Some(Some(far)),
            _ => None,
        },
    }
}

/// Free variables of a node that are not bound, ascending.
fn unbound(node: &Node, env: &Env) -> Slots {
    slots(node.mask & !env.bound).collect()
}

fn unit(pair: Pair) -> Relation {
    let rows = if pair.possible.is_empty() { Vec::new() } else { vec![(Valuation::new(), pair)] };
    Relation { vars: Slots::new(), rows }
}

/// For each column the place of its variable, where it is to be bound.
fn places(args: &[Expr], vars: &[Slot]) -> SmallVec<[Option<usize>; 12]> {
    args.iter()
        .map(|arg| if let Expr::Slot(slot) = arg { vars.iter().position(|var| var == slot) } else { None })
        .collect()
}

/// The values of the variables in a row; `None` if one variable would have two values.
fn read(args: &[Expr], places: &[Option<usize>], row: &[V], width: usize) -> Option<Valuation> {
    let mut valuation: Valuation = smallvec![V::Fresh; width];
    let mut set = 0u128;
    for (column, place) in places.iter().enumerate().take(args.len()) {
        if let Some(place) = place {
            if set & bit(*place) != 0 && valuation[*place] != row[column] {
                return None;
            }
            valuation[*place] = row[column];
            set |= bit(*place);
        }
    }
    Some(valuation)
}

pub(crate) fn fits(pattern: &[Option<V>], row: &[V]) -> bool {
    pattern.iter().zip(row).all(|(wanted, found)| wanted.is_none_or(|wanted| wanted == *found))
}

/// A breach is one interval from its instant on, or none.
fn begun_by(set: &Intervals, limit: Instant) -> Intervals {
    match set.first_from(SINCE_EVER) {
        Some(begin) if begin <= limit => set.clone(),
        _ => Intervals::empty(),
    }
}

/// Each valuation once, with the union of its intervals, sorted.
pub(crate) fn gather(vars: Slots, mut rows: Vec<(Valuation, Pair)>) -> Relation {
    rows.retain(|(_, pair)| !pair.possible.is_empty());
    if rows.is_sorted_by(|a, b| a.0 < b.0) {
        return Relation { vars, rows };
    }
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    let mut merged: Vec<(Valuation, Pair)> = Vec::with_capacity(rows.len());
    let mut rows = rows.into_iter().peekable();
    while let Some((row, pair)) = rows.next() {
        if rows.peek().is_none_or(|(next, _)| *next != row) {
            merged.push((row, pair));
            continue;
        }
        let mut pairs = vec![pair];
        while let Some((_, pair)) = rows.next_if(|(next, _)| *next == row) {
            pairs.push(pair);
        }
        merged.push((row, union(&pairs)));
    }
    Relation { vars, rows: merged }
}

fn union(pairs: &[Pair]) -> Pair {
    if let [a, b] = pairs {
        return a.with(b, Intervals::union);
    }
    let certain = pairs.iter().flat_map(|pair| pair.certain.iter()).collect();
    let certain = Intervals::from_unsorted(certain);
    if pairs.iter().all(|pair| Arc::ptr_eq(&pair.certain, &pair.possible)) {
        return Pair::same(certain);
    }
    Pair::new(certain, Intervals::from_unsorted(pairs.iter().flat_map(|pair| pair.possible.iter()).collect()))
}
