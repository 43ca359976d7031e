//! The points domain: a formula over a log of time-points, as MonPoly reads it, revisable.
//!
//! ```
//! use hamsaya_monitor::{Points, Value, parse_formula, parse_signature};
//! let signature = parse_signature("lodged(int) ack(int)")?;
//! let formula = parse_formula("lodged(i) AND NOT EVENTUALLY[0,6h] ack(i)")?;
//! let mut points = Points::new(&formula, &signature)?;
//! let first = points.begin(0)?;
//! points.insert(first, "lodged", &[Value::Int(7)])?;
//! let second = points.begin(3_600)?;
//! points.finish()?;
//! assert_eq!(points.relation()?[0].tuples, [[Value::Int(7)]]);
//! points.changes()?;
//! points.insert(second, "ack", &[Value::Int(7)])?;               // late, and still in time
//! assert_eq!(points.changes()?[0].gone, [[Value::Int(7)]]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//! What holds is a function of the time-points and of the set of facts at each, whatever their order of arrival: the end of
//! the log, a late fact and a withdrawal go the same way through the operators (`nodes`). Within a time-point facts are a
//! set. After the log there is silence: [`Points::finish`] lets empty points follow, very far away. Where a term has no
//! value, e.g. by a division by zero, there is no answer beyond that point, until the facts that cause it are withdrawn.
mod agenda;
mod feed;
mod nodes;
mod plan;
mod reasons;
mod rows;
mod set;
mod sink;
mod sorts;
mod timeline;
mod timers;
mod windows;
mod words;

pub use feed::{BadLine, LogReader};
pub use reasons::Explainer;

use crate::fact::Value;
use crate::formula::{Diagnostics, Formula, Name, Signature, Type};
use crate::grounds::{PointFact, PointLog};
use nodes::{Node, Round};
use rows::Rows;
use set::Change;
use sink::{Sink, Verdict, write_number};
use smallvec::SmallVec;
use std::collections::BTreeMap;
use std::fmt;
use timeline::{OPEN, Timeline};
use words::{Pool, Word};

/// Facts are taken in together up to so many, unless somebody asks before.
const BATCH: usize = 1_024;

/// Why the monitor cannot go on, or why a fact does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PointsError {
    /// What was found.
    pub found: String,
    /// What is allowed.
    pub allowed: String,
    /// Where a term has no value: the time-point and its stamp.
    pub place: Option<(u32, i64)>,
}

impl fmt::Display for PointsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.found)?;
        if let Some((point, stamp)) = self.place {
            write!(f, " at stamp {stamp} (time point {point})")?;
        }
        write!(f, "; {}", self.allowed)
    }
}

impl std::error::Error for PointsError {}

/// What holds at one time-point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PointVerdict {
    /// Number of the time-point, from 0.
    pub point: u32,
    /// Its stamp.
    pub stamp: i64,
    /// Valuations of the columns, sorted; one empty valuation for a closed formula.
    pub tuples: Vec<Vec<Value>>,
}

/// What changed at one time-point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PointDelta {
    /// Number of the time-point, from 0.
    pub point: u32,
    /// Its stamp.
    pub stamp: i64,
    /// Valuations that no longer hold, sorted.
    pub gone: Vec<Vec<Value>>,
    /// Valuations that hold now, sorted.
    pub come: Vec<Vec<Value>>,
}

/// A formula over a log of time-points.
#[derive(Clone, Debug)]
pub struct Points {
    nodes: Vec<Node>,
    spaces: Vec<Rows>,
    pool: Pool,
    time: Timeline,
    root: usize,
    predicates: Vec<Predicate>,
    by_name: BTreeMap<Name, usize>,
    columns: Vec<Name>,
    types: Vec<Type>,
    order: Vec<usize>,
    /// Points that the operators have seen.
    seen: u32,
    started: bool,
    /// Facts since the last round.
    fresh: usize,
    /// Number of the log's own points, once it ended.
    ended: Option<u32>,
    /// The point of which a log that is read has not said yet that it is whole.
    unfinished: Option<u32>,
    /// Empty points that must follow the end, and how far apart.
    silence: (u32, i64),
    sink: Sink,
    /// Seconds back from the last stamp within which a fact may still change; `None`: everywhere.
    horizon: Option<i64>,
    /// Rows in use after the last tidying.
    tidy: usize,
    settled: Vec<u32>,
}

#[derive(Clone, Debug)]
struct Predicate {
    name: Name,
    types: Vec<Type>,
    /// What an event begins with if it is read fast: the name and its parenthesis, and which bits of 16 bytes those are.
    lead: Option<(u128, u128)>,
    /// `None`: the formula does not read it.
    node: Option<usize>,
}

impl Points {
    /// A monitor for a formula. Refused are unsafe variables, windows that look ahead without end, unknown predicates,
    /// and columns or types that do not fit.
    pub fn new(formula: &Formula, signature: &Signature) -> Result<Points, Diagnostics> {
        sorts::Sorts::check(formula, signature).map_err(Diagnostics)?;
        let plan = plan::Plan::new(formula, signature).map_err(|one| Diagnostics(vec![one]))?;
        let predicates: Vec<Predicate> = signature
            .iter()
            .map(|(name, types)| Predicate {
                name: name.clone(),
                types: types.clone(),
                lead: feed::lead(name, types),
                node: plan.facts.get(name).copied(),
            })
            .collect();
        let by_name = predicates.iter().enumerate().map(|(i, p)| (p.name.clone(), i)).collect();
        Ok(Points {
            settled: vec![0; plan.nodes.len()],
            nodes: plan.nodes,
            spaces: plan.spaces,
            pool: plan.pool,
            time: Timeline::default(),
            root: plan.root,
            predicates,
            by_name,
            columns: crate::query::columns(formula),
            sink: Sink::new(plan.order.clone(), plan.types.clone()),
            types: plan.types,
            order: plan.order,
            seen: 0,
            started: false,
            fresh: 0,
            ended: None,
            unfinished: None,
            silence: sorts::silence(formula),
            horizon: None,
            tidy: 0,
        })
    }

    /// Free variables of the formula, in MonPoly's order: the columns of every tuple.
    pub fn columns(&self) -> &[Name] {
        &self.columns
    }

    /// Types of the columns.
    pub fn types(&self) -> &[Type] {
        &self.types
    }

    /// Verdicts are taken by [`Points::final_verdicts`] as they become final, and what is older than `horizon` seconds
    /// and no longer within reach of the formula is let go; to be called before the first point.
    pub fn stream(&mut self, horizon: Option<i64>) {
        self.horizon = horizon;
        self.sink.stream = true;
    }

    /// Opens the next time-point and gives its number. Stamps never go back.
    pub fn begin(&mut self, stamp: i64) -> Result<u32, PointsError> {
        if self.ended.is_some() {
            return Err(refusal(format!("stamp {stamp} after the end of the log"), "nothing follows the end"));
        }
        let limit = i64::MAX / 8;
        if !(-limit..limit).contains(&stamp) {
            return Err(refusal(format!("stamp {stamp}"), "stamps have at most 60 bits"));
        }
        if let Some(last) = self.time.last()
            && stamp < last
        {
            return Err(refusal(
                format!("stamp {stamp} after stamp {last}"),
                "stamps do not go back over time-points (late facts: insert at an earlier point)",
            ));
        }
        if self.fresh >= BATCH || (self.time.len() - self.seen) as usize >= BATCH {
            self.round();
        }
        if self.time.len() >= OPEN - 64 {
            return Err(refusal(format!("more than {} time-points", OPEN - 64), "start a new run"));
        }
        self.time.push(stamp);
        Ok(self.time.len() - 1)
    }

    /// Number of the point that was opened last; 0 before the first.
    pub fn last_point(&self) -> u32 {
        self.reported().saturating_sub(1)
    }

    fn predicate(&self, name: &str) -> Result<usize, PointsError> {
        match self.by_name.get(name) {
            Some(&index) => Ok(index),
            None => Err(refusal(format!("no predicate `{name}`"), "declare it in the signature")),
        }
    }

    fn change(&mut self, point: u32, predicate: &str, args: &[Value], comes: bool) -> Result<bool, PointsError> {
        let index = self.predicate(predicate)?;
        let types = &self.predicates[index].types;
        let fits = |(value, kind): (&Value, &Type)| {
            matches!(
                (value, kind),
                (Value::Int(_), Type::Int) | (Value::Text(_), Type::Text) | (Value::Decimal(_), Type::Decimal)
            )
        };
        if args.len() != types.len() || !args.iter().zip(types).all(fits) {
            let shown: Vec<String> = args.iter().map(Value::to_string).collect();
            let wanted: Vec<String> = types.iter().map(Type::to_string).collect();
            return Err(refusal(
                format!("fact {predicate}({})", shown.join(", ")),
                &format!("its columns are ({})", wanted.join(", ")),
            ));
        }
        let words: SmallVec<[Word; 8]> = args.iter().map(|value| self.pool.word(value)).collect();
        let was_there = self.predicates[index].node.map(|node| {
            let core = &self.nodes[node].core;
            self.spaces[core.space].find(&words).is_some_and(|row| set::contains(core.set(row), point))
        });
        self.put(index, point, &words, comes)?;
        Ok(was_there != Some(comes))
    }

    /// Adds a fact to a time-point that is there, the last or any earlier one. A fact that is there already is no change:
    /// then `false`. Of a predicate that the formula does not read nothing is known, and it is always `true`.
    pub fn insert(&mut self, point: u32, predicate: &str, args: &[Value]) -> Result<bool, PointsError> {
        self.change(point, predicate, args, true)
    }

    /// Takes a fact from a time-point. A fact that is not there is no change: then `false`. Of a predicate that the formula
    /// does not read nothing is known, and it is always `true`.
    pub fn withdraw(&mut self, point: u32, predicate: &str, args: &[Value]) -> Result<bool, PointsError> {
        self.change(point, predicate, args, false)
    }

    fn put(&mut self, predicate: usize, point: u32, words: &[Word], comes: bool) -> Result<(), PointsError> {
        let log = self.ended.unwrap_or(self.time.len());
        if point >= log || point < self.time.base() {
            return Err(refusal(
                format!("time-point {point}"),
                &format!("points {} to {} are kept", self.time.base(), i64::from(log) - 1),
            ));
        }
        let Some(node) = self.predicates[predicate].node else { return Ok(()) };
        let rows = &mut self.spaces[self.nodes[node].core.space];
        let row = if comes {
            rows.intern(words)
        } else {
            match rows.find(words) {
                Some(row) => row,
                None => return Ok(()),
            }
        };
        self.nodes[node].fact(row, point, comes);
        self.fresh += 1;
        Ok(())
    }

    /// Lets every operator take in what changed.
    fn round(&mut self) {
        if self.time.len() > 0 && (self.fresh > 0 || self.time.len() > self.seen) {
            let mut round = Round {
                spaces: &mut self.spaces,
                time: &self.time,
                pool: &mut self.pool,
                before: self.seen,
                first: !self.started,
                eager: !self.sink.stream,
            };
            for i in 0..self.nodes.len() {
                let (below, node) = self.nodes.split_at_mut(i);
                node[0].round(below, &mut round);
            }
            let core = &self.nodes[self.root].core;
            if !self.started && self.order.is_empty() {
                // What holds from the start of a closed formula is no change of its row.
                let set = core.set(0).to_vec();
                self.sink.note(set.into_iter().map(|span| Change { row: 0, span }));
            } else {
                self.sink.note(core.changes.iter().copied().filter(|change| change.row != rows::NONE));
            }
            for node in &mut self.nodes {
                node.core.changes.clear();
            }
            self.started = true;
            self.seen = self.time.len();
            self.fresh = 0;
            if self.horizon.is_some() {
                self.let_go();
            }
        }
    }

    /// The first place at which a term has no value. Beyond the end of the log there is one only for those who look there.
    fn fault(&self) -> Option<PointsError> {
        let end = if self.nodes.iter().any(Node::is_next) { self.time.len() } else { self.reported() };
        let faults = self.nodes.iter().enumerate();
        let (point, why) = faults.filter_map(|(i, node)| node.fault(&self.nodes[..i], self.time.base(), end)).min()?;
        Some(PointsError {
            found: why.to_string(),
            allowed: "the formula has no value there".to_string(),
            place: Some((point, self.time.stamp(point))),
        })
    }

    /// Takes in what changed, for those who ask for everything.
    fn answer(&mut self) -> Result<(), PointsError> {
        self.round();
        self.fault().map_or(Ok(()), Err)
    }

    /// The log ended: from here on there is silence. Facts at the log's points may still come and go.
    pub fn finish(&mut self) -> Result<(), PointsError> {
        if self.ended.is_some() {
            return Ok(());
        }
        self.unfinished = None;
        self.round();
        self.ended = Some(self.time.len());
        if let Some(last) = self.time.last() {
            for i in 1..=i64::from(self.silence.0) {
                self.time.push(last.saturating_add(self.silence.1.saturating_mul(i)));
            }
        }
        self.round();
        Ok(())
    }

    fn reported(&self) -> u32 {
        self.ended.unwrap_or(self.time.len())
    }

    fn tuple(&self, row: u32) -> Vec<Value> {
        let words = self.spaces[self.nodes[self.root].core.space].row(row);
        self.order.iter().map(|&i| self.pool.value(words[i])).collect()
    }

    /// Points before the result's row is worth anything are never asked for.
    fn sorted(&self, rows: &mut [u32]) {
        let space = &self.spaces[self.nodes[self.root].core.space];
        self.sink.sort(rows, space, &self.pool);
    }

    /// Everything that holds at the log's points. After [`Points::finish`] that is under silence. Before it, the points
    /// from [`Points::final_until`] on are not settled: what is still to come is left open there, and may be taken to go on
    /// as the last point does; in a stream it may be missing.
    pub fn relation(&mut self) -> Result<Vec<PointVerdict>, PointsError> {
        self.answer()?;
        let mut at: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        let end = self.reported();
        let core = &self.nodes[self.root].core;
        let space = &self.spaces[core.space];
        for row in (0..space.bound() as u32).filter(|&row| space.is_alive(row)) {
            for &(low, high) in core.set(row) {
                for point in low.max(self.time.base())..high.min(end) {
                    at.entry(point).or_default().push(row);
                }
            }
        }
        let verdict = |(point, mut rows): (u32, Vec<u32>)| {
            self.sorted(&mut rows);
            let tuples = rows.into_iter().map(|row| self.tuple(row)).collect();
            PointVerdict { point, stamp: self.time.stamp(point), tuples }
        };
        Ok(at.into_iter().map(verdict).collect())
    }

    /// The log as it stands: for an [`Explainer`], after [`Points::finish`]; not for a stream, which lets go of what it read.
    pub fn log(&self) -> PointLog {
        let stamps = (self.time.base()..self.time.len()).map(|point| self.time.stamp(point)).collect();
        let mut log = PointLog { stamps, logged: self.reported(), ..PointLog::default() };
        for predicate in &self.predicates {
            let Some(node) = predicate.node else { continue };
            let core = &self.nodes[node].core;
            let space = &self.spaces[core.space];
            for row in (0..space.bound() as u32).filter(|&row| space.is_alive(row)) {
                let args: Vec<Value> = space.row(row).iter().map(|&word| self.pool.value(word)).collect();
                for &(low, high) in core.set(row) {
                    let fact = |point| PointFact { point, predicate: predicate.name.clone(), args: args.clone() };
                    log.facts.extend((low..high.min(self.time.len())).map(fact));
                }
            }
        }
        log
    }

    /// Rows that went and came by point, since the last call.
    fn turned(&mut self) -> Result<BTreeMap<u32, [Vec<u32>; 2]>, PointsError> {
        self.answer()?;
        let end = self.reported();
        let known = std::mem::replace(&mut self.sink.reported, end);
        let mut at: BTreeMap<u32, [Vec<u32>; 2]> = BTreeMap::new();
        let core = &self.nodes[self.root].core;
        let space = &self.spaces[core.space];
        let mut flips = std::mem::take(&mut self.sink.log);
        flips.sort_unstable_by_key(|change| change.row);
        for of_row in flips.chunk_by(|a, b| a.row == b.row) {
            let mut borders: Vec<u32> = of_row.iter().flat_map(|change| [change.span.0, change.span.1]).collect();
            borders.sort_unstable();
            for pair in odd(&borders).chunks(2) {
                let to = pair.get(1).copied().unwrap_or(OPEN).min(known);
                for point in pair[0].max(self.time.base())..to {
                    let now = set::contains(core.set(of_row[0].row), point);
                    at.entry(point).or_default()[usize::from(now)].push(of_row[0].row);
                }
            }
        }
        // Points that are new to the caller.
        let rows = if known < end { space.bound() as u32 } else { 0 };
        for row in (0..rows).filter(|&row| space.is_alive(row)) {
            let set = core.set(row);
            for &(low, high) in &set[set::seek(set, known)..] {
                for point in low.max(known)..high.min(end) {
                    at.entry(point).or_default()[1].push(row);
                }
            }
        }
        Ok(at)
    }

    /// What changed at the log's points since the last call; not for a stream.
    pub fn changes(&mut self) -> Result<Vec<PointDelta>, PointsError> {
        let at = self.turned()?;
        let delta = |(point, mut rows): (u32, [Vec<u32>; 2])| {
            rows.iter_mut().for_each(|rows| self.sorted(rows));
            let [gone, come] = rows.map(|rows| rows.into_iter().map(|row| self.tuple(row)).collect());
            PointDelta { point, stamp: self.time.stamp(point), gone, come }
        };
        Ok(at.into_iter().map(delta).collect())
    }

    /// Appends the verdict lines that changed since the last call: the old one behind a `-`, the new one behind a `+`.
    pub fn write_changes(&mut self, out: &mut Vec<u8>) -> Result<(), PointsError> {
        let at = self.turned()?;
        let core = &self.nodes[self.root].core;
        let space = &self.spaces[core.space];
        let mut now: BTreeMap<u32, Vec<u32>> = at.keys().map(|&point| (point, Vec::new())).collect();
        for row in (0..space.bound() as u32).filter(|&row| space.is_alive(row)) {
            for &(low, high) in core.set(row) {
                for (_, rows) in now.range_mut(low..high) {
                    rows.push(row);
                }
            }
        }
        let mut text = Vec::new();
        for (point, [gone, come]) in at {
            let mut new = now.remove(&point).unwrap_or_default();
            let mut old: Vec<u32> = new.iter().copied().filter(|row| !come.contains(row)).chain(gone).collect();
            for (sign, rows) in [(b'-', &mut old), (b'+', &mut new)] {
                if !rows.is_empty() {
                    self.sorted(rows);
                    out.push(sign);
                    text.clear();
                    self.sink.write(rows, space, &self.pool, &mut text);
                    write_line(out, point, self.time.stamp(point), &text);
                }
            }
        }
        Ok(())
    }

    /// Points with a stamp, those that are kept.
    pub fn points_at(&self, stamp: i64) -> std::ops::Range<u32> {
        let mut hint = 0;
        let end = self.reported();
        self.time.first_from(stamp, &mut hint).min(end)..self.time.first_after(stamp, &mut hint).min(end)
    }

    /// Points before this one are final: no point that is still to come changes them, nor what is still to come of one that
    /// [`Points::feed`] is in the middle of.
    pub fn final_until(&mut self) -> u32 {
        let known = self.whole();
        self.settled_until(known)
    }

    /// Points of which all facts are known.
    fn whole(&self) -> u32 {
        self.unfinished.unwrap_or(self.time.len())
    }

    /// Points that are final as soon as the facts up to `known` are.
    fn settled_until(&mut self, known: u32) -> u32 {
        for i in 0..self.nodes.len() {
            self.settled[i] = self.nodes[i].settled(&self.settled[..i], &self.time, known);
        }
        self.settled[self.root].min(self.reported())
    }

    /// Verdicts that became final since the last call, of points at which something holds; after [`Points::stream`].
    /// Where a term has no value, first what was final before, and with the next call the error.
    pub fn final_verdicts(&mut self) -> Result<Vec<PointVerdict>, PointsError> {
        let mut verdicts = Vec::new();
        self.each_final(&mut |points, point, stamp, verdict| {
            let tuples = verdict.rows().map(|row| points.tuple(row)).collect();
            verdicts.push(PointVerdict { point, stamp, tuples });
        })?;
        Ok(verdicts)
    }

    /// Appends final verdicts as MonPoly prints them, `@stamp (time point n): (1,"a") (2,"b")`, a line each; errors come as
    /// with [`Points::final_verdicts`].
    pub fn write_final(&mut self, out: &mut Vec<u8>) -> Result<(), PointsError> {
        self.each_final(&mut |_, point, stamp, verdict| write_line(out, point, stamp, &verdict.text))
    }

    fn each_final(&mut self, visit: &mut dyn FnMut(&Points, u32, i64, &Verdict)) -> Result<(), PointsError> {
        self.round();
        let whole = self.whole();
        let at = |fault: &PointsError| fault.place.map_or(0, |(point, _)| point);
        let fault = self.fault().filter(|fault| at(fault) < whole || self.unfinished.is_none());
        let known = fault.as_ref().filter(|fault| fault.place.is_some()).map_or(whole, at);
        let until = self.settled_until(known);
        let mut sink = std::mem::take(&mut self.sink);
        let mut visited = false;
        while sink.printed() < until {
            let point = sink.printed();
            let space = &self.spaces[self.nodes[self.root].core.space];
            let verdict = sink.next(space, &self.pool);
            if !verdict.is_empty() {
                visited = true;
                visit(self, point, self.time.stamp(point), verdict);
            }
        }
        self.sink = sink;
        match fault {
            Some(fault) if !visited => Err(fault),
            _ => Ok(()),
        }
    }

    /// Bytes in use for rows, sets, indexes and stamps, as far as they are counted.
    pub fn bytes(&self) -> usize {
        self.time.bytes()
            + self.pool.bytes()
            + self.nodes.iter().map(Node::bytes).sum::<usize>()
            + self.spaces.iter().map(Rows::bytes).sum::<usize>()
            + self.sink.bytes()
    }

    /// Drops what neither the formula nor the horizon reaches.
    fn let_go(&mut self) {
        let rows: usize = self.spaces.iter().map(Rows::count).sum();
        if rows >= 3 * self.tidy + 4 * BATCH {
            self.let_rows_go();
        }
        if self.pool.is_untidy() {
            let keys = self.nodes.iter().filter_map(Node::keys);
            self.pool.keep(self.spaces.iter().chain(keys).flat_map(Rows::all));
        }
    }

    fn let_rows_go(&mut self) {
        let Some(last) = self.time.last() else { return };
        let mut hint = self.time.len();
        let back = self.time.first_from(last.saturating_sub(self.horizon.unwrap_or(0)), &mut hint);
        // A row that ends where printing goes on is still shown.
        let own = self.sink.printed().saturating_sub(1).min(back);
        let mut needs: Vec<(u32, Option<u32>)> = vec![(own, None); self.nodes.len()];
        for i in (0..self.nodes.len()).rev() {
            for child in self.nodes[i].children() {
                let (point, keep) = self.nodes[i].needs(child, needs[i].0, &self.time);
                let merged = match (needs[child].1, keep) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                };
                needs[child] = (needs[child].0.min(point), merged);
            }
        }
        let mut gone: Vec<Vec<bool>> = self.spaces.iter().map(|space| space.alive().to_vec()).collect();
        for (node, need) in self.nodes.iter_mut().zip(&needs) {
            node.trim_default(need.0, need.1);
            node.let_go(need.0, need.1, &mut gone[node.core.space]);
        }
        // The one row of what has no columns is always there.
        self.spaces.iter().zip(&mut gone).filter(|(space, _)| space.arity == 0).for_each(|(_, gone)| gone.fill(false));
        let mut struck = true;
        while struck {
            struck = false;
            for (i, node) in self.nodes.iter().enumerate() {
                struck |= node.keep(&self.nodes[..i], &mut gone);
            }
        }
        for i in 0..self.nodes.len() {
            let (below, node) = self.nodes.split_at_mut(i);
            for child in node[0].children() {
                node[0].forget(child, &gone[below[child].core.space]);
            }
            node[0].drop_rows(below, &gone);
        }
        for (space, gone) in self.spaces.iter_mut().zip(&gone) {
            space.remove(gone);
        }
        let oldest = needs.iter().map(|need| need.0).min().unwrap_or(0);
        self.time.forget(oldest.saturating_sub(1).min(self.seen.saturating_sub(1)));
        self.tidy = self.spaces.iter().map(Rows::count).sum();
    }
}

/// Of sorted borders those that stand there an odd number of times.
fn odd(borders: &[u32]) -> Vec<u32> {
    borders.chunk_by(|a, b| a == b).filter(|same| same.len() % 2 == 1).map(|same| same[0]).collect()
}

fn write_line(out: &mut Vec<u8>, point: u32, stamp: i64, rows: &[u8]) {
    out.push(b'@');
    write_number(out, stamp);
    out.extend_from_slice(b" (time point ");
    write_number(out, i64::from(point));
    out.extend_from_slice(b"):");
    out.extend_from_slice(rows);
    out.push(b'\n');
}

fn refusal(found: String, allowed: &str) -> PointsError {
    PointsError { found, allowed: allowed.to_string(), place: None }
}
