//! The facts a monitor holds: who supports which tuple, when.
//!
//! ```text
//! ack("A1", "P1")   certain {[t,t]}   possible {[t,t], [u,u]}   supported by "…#7:ack", "…#9:ack"
//! ```
//! A tuple holds while any live id supports it; it is certain where an admitted one does. An id that was withdrawn
//! stays withdrawn, whichever of the two came first. Looking a tuple up costs what is found, by its rarest column.
use crate::fact::{Fact, FactId, Instant, SINCE_EVER, Value};
use crate::intervals::Intervals;
use crate::program::{V, Words};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Where something holds, on either reading: `certain` is within `possible`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) certain: Arc<Intervals>,
    pub(crate) possible: Arc<Intervals>,
}

impl Pair {
    pub(crate) fn same(set: Intervals) -> Pair {
        let set = Arc::new(set);
        Pair { certain: set.clone(), possible: set }
    }

    pub(crate) fn new(certain: Intervals, possible: Intervals) -> Pair {
        Pair { certain: Arc::new(certain), possible: Arc::new(possible) }
    }

    pub(crate) fn empty() -> Pair {
        Pair::same(Intervals::empty())
    }

    /// The same monotone operation on both readings, once if they are one.
    pub(crate) fn map(&self, f: impl Fn(&Intervals) -> Intervals) -> Pair {
        if Arc::ptr_eq(&self.certain, &self.possible) {
            Pair::same(f(&self.certain))
        } else {
            Pair::new(f(&self.certain), f(&self.possible))
        }
    }

    pub(crate) fn with(&self, other: &Pair, f: impl Fn(&Intervals, &Intervals) -> Intervals) -> Pair {
        if Arc::ptr_eq(&self.certain, &self.possible) && Arc::ptr_eq(&other.certain, &other.possible) {
            Pair::same(f(&self.certain, &other.certain))
        } else {
            Pair::new(f(&self.certain, &other.certain), f(&self.possible, &other.possible))
        }
    }

    pub(crate) fn up_to(&self, cut: Instant) -> Pair {
        if self.possible.last().is_none_or(|last| last <= cut) {
            return self.clone();
        }
        self.map(|set| set.up_to(cut))
    }

    /// Both readings up to `cut`, and no more before `from` than is at hand.
    pub(crate) fn stretch(&self, from: Instant, cut: Instant) -> Pair {
        if from == SINCE_EVER {
            return self.up_to(cut);
        }
        self.map(|set| set.stretch(from, cut))
    }

    /// Negation: what is certain turns impossible, and the reverse.
    pub(crate) fn not(&self) -> Pair {
        let turned = self.map(Intervals::complement);
        Pair { certain: turned.possible, possible: turned.certain }
    }

    /// `self AND NOT other`.
    pub(crate) fn without(&self, other: &Pair) -> Pair {
        let other = Pair { certain: other.possible.clone(), possible: other.certain.clone() };
        self.with(&other, Intervals::difference)
    }
}

/// Rows found by the values of some of their columns. The tables are asked and never walked: what is found is in the
/// order in which rows came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Columns {
    by_args: BTreeMap<Vec<V>, usize>,
    columns: Vec<BTreeMap<V, Vec<usize>>>,
    len: usize,
}

impl Columns {
    pub(crate) fn new(width: usize) -> Columns {
        Columns { by_args: BTreeMap::new(), columns: vec![BTreeMap::new(); width], len: 0 }
    }

    pub(crate) fn width(&self) -> usize {
        self.columns.len()
    }

    pub(crate) fn row(&self, args: &[V]) -> Option<usize> {
        self.by_args.get(args).copied()
    }

    pub(crate) fn add(&mut self, args: &[V]) -> usize {
        let row = self.len;
        self.len += 1;
        self.by_args.insert(args.to_vec(), row);
        for (column, &value) in self.columns.iter_mut().zip(args) {
            column.entry(value).or_default().push(row);
        }
        row
    }

    /// Rows with a value in any column.
    pub(crate) fn naming(&self, value: V) -> impl Iterator<Item = usize> {
        self.columns.iter().flat_map(move |column| column.get(&value)).flatten().copied()
    }

    /// Rows that may fit the pattern: all that share its rarest known value.
    pub(crate) fn find(&self, pattern: &[Option<V>]) -> Found<'_> {
        if let Some(args) = pattern.iter().copied().collect::<Option<Vec<V>>>() {
            return Found::One(self.row(&args));
        }
        let mut best: Option<&[usize]> = None;
        for (column, value) in self.columns.iter().zip(pattern) {
            if let Some(value) = value {
                let rows = column.get(value).map_or(&[][..], Vec::as_slice);
                if best.is_none_or(|b| rows.len() < b.len()) {
                    best = Some(rows);
                }
            }
        }
        best.map_or(Found::All(0..self.len), |rows| Found::Some(rows.iter()))
    }
}

/// Rows that may fit a pattern.
pub(crate) enum Found<'a> {
    One(Option<usize>),
    Some(std::slice::Iter<'a, usize>),
    All(std::ops::Range<usize>),
}

impl Found<'_> {
    /// How many at most.
    pub(crate) fn count_most(&self) -> usize {
        match self {
            Found::One(row) => usize::from(row.is_some()),
            Found::Some(rows) => rows.len(),
            Found::All(rows) => rows.len(),
        }
    }
}

impl Iterator for Found<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        match self {
            Found::One(row) => row.take(),
            Found::Some(rows) => rows.next().copied(),
            Found::All(rows) => rows.next(),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) args: Vec<V>,
    /// Facts that support it, live or not.
    pub(crate) told: Vec<usize>,
    pair: Pair,
    /// As it was before the revision that is going on.
    was: Option<Pair>,
    stale: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) id: FactId,
    pub(crate) predicate: usize,
    pub(crate) row: usize,
    pub(crate) from: Instant,
    pub(crate) to: Instant,
    pub(crate) admitted: bool,
    pub(crate) live: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) rows: Vec<Row>,
    /// How many facts hold for longer than an instant.
    pub(crate) lasting: usize,
    pub(crate) columns: Columns,
}

/// A question what if: facts left out, facts taken as admitted.
#[derive(Clone, Debug, Default)]
pub(crate) struct WhatIf {
    pub(crate) removed: BTreeSet<usize>,
    pub(crate) admitted: BTreeSet<usize>,
    /// As everything was before the revision that is going on.
    pub(crate) before: bool,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) words: Words,
    pub(crate) told: Vec<Told>,
    by_id: BTreeMap<FactId, usize>,
    withdrawn: BTreeSet<FactId>,
    pub(crate) tables: Vec<Table>,
    stale: Vec<(usize, usize)>,
    /// Told and withdrawn since the last [`Facts::refresh`]; of the latter, those that may be told again.
    coming: Vec<usize>,
    going: Vec<usize>,
    forgotten: Vec<usize>,
    /// Places of `told` that are free.
    free: Vec<usize>,
    /// Facts that begin after the instant of the last refresh.
    ahead: BTreeSet<(Instant, usize)>,
}

impl Facts {
    pub(crate) fn new(words: Words, widths: impl Iterator<Item = usize>) -> Facts {
        let tables = widths.map(|width| Table { rows: Vec::new(), lasting: 0, columns: Columns::new(width) }).collect();
        Facts { words, tables, ..Facts::default() }
    }

    /// `Err`: the id already names another fact.
    pub(crate) fn insert(&mut self, id: FactId, predicate: usize, fact: &Fact) -> Result<(), ()> {
        if self.withdrawn.contains(&id) {
            return Ok(());
        }
        let args: Vec<V> = fact.args.iter().map(|value| self.words.learn(value)).collect();
        if let Some(&known) = self.by_id.get(&id) {
            let told = &self.told[known];
            let same = told.predicate == predicate
                && self.tables[predicate].rows[told.row].args == args
                && (told.from, told.to, told.admitted) == (fact.from, fact.to, fact.admitted);
            return if same { Ok(()) } else { Err(()) };
        }
        let table = &mut self.tables[predicate];
        let row = match table.columns.row(&args) {
            Some(row) => row,
            None => {
                let row = table.columns.add(&args);
                table.rows.push(Row { args, told: Vec::new(), pair: Pair::empty(), was: None, stale: false });
                row
            }
        };
        let index = self.free.pop().unwrap_or(self.told.len());
        self.by_id.insert(id.clone(), index);
        let (from, to, admitted) = (fact.from, fact.to, fact.admitted);
        let told = Told { id, predicate, row, from, to, admitted, live: true };
        match self.told.get_mut(index) {
            Some(place) => *place = told,
            None => self.told.push(told),
        }
        self.tables[predicate].lasting += usize::from(from != to);
        self.coming.push(index);
        Ok(())
    }

    /// Whether an id names just this fact.
    pub(crate) fn is(&self, id: &FactId, predicate: usize, fact: &Fact) -> bool {
        let Some(told) = self.by_id.get(id).map(|&index| &self.told[index]) else { return false };
        let args = &self.tables[predicate].rows.get(told.row).map(|row| &row.args);
        let same = |(value, v): (&Value, &V)| self.words.know(value) == Some(*v);
        told.predicate == predicate
            && (told.from, told.to, told.admitted) == (fact.from, fact.to, fact.admitted)
            && args.is_some_and(|args| args.len() == fact.args.len() && fact.args.iter().zip(args).all(same))
    }

    /// As if a fact had never been told. Gives its predicate and row.
    pub(crate) fn forget(&mut self, id: &FactId) -> Option<(usize, usize)> {
        let index = self.by_id.remove(id)?;
        self.going.push(index);
        self.forgotten.push(index);
        Some((self.told[index].predicate, self.told[index].row))
    }

    pub(crate) fn withdraw(&mut self, id: FactId) {
        if let Some(&index) = self.by_id.get(&id) {
            self.going.push(index);
        }
        self.withdrawn.insert(id);
    }

    /// Inner numbers of facts; those that are unknown are left out.
    pub(crate) fn numbers(&self, ids: &[FactId]) -> BTreeSet<usize> {
        ids.iter().filter_map(|id| self.by_id.get(id).copied()).collect()
    }

    fn mark(&mut self, predicate: usize, row: usize) {
        let found = &mut self.tables[predicate].rows[row];
        if !found.stale {
            found.stale = true;
            self.stale.push((predicate, row));
        }
    }

    /// Takes in what was told and withdrawn since the last call, and moves from one instant to another. Gives the rows that
    /// are not what they were, or have begun meanwhile; what they were is at hand until [`Facts::settle`].
    pub(crate) fn refresh(&mut self, last: Instant, as_of: Instant) -> Vec<(usize, usize)> {
        for index in std::mem::take(&mut self.coming) {
            let told = &self.told[index];
            let (predicate, row) = (told.predicate, told.row);
            if told.from > as_of {
                self.ahead.insert((told.from, index));
            }
            self.tables[predicate].rows[row].told.push(index);
            self.mark(predicate, row);
        }
        for index in std::mem::take(&mut self.going) {
            let told = &mut self.told[index];
            if !std::mem::replace(&mut told.live, false) {
                continue;
            }
            let (predicate, row) = (told.predicate, told.row);
            self.tables[predicate].lasting -= usize::from(told.from != told.to);
            self.ahead.remove(&(told.from, index));
            self.mark(predicate, row);
        }
        let mut changed = std::mem::take(&mut self.stale);
        for &(predicate, row) in &changed {
            let pair = self.supported(predicate, row, &WhatIf::default());
            let found = &mut self.tables[predicate].rows[row];
            found.was = Some(std::mem::replace(&mut found.pair, pair));
            found.stale = false;
            found.told.retain(|&index| self.told[index].live);
        }
        self.free.append(&mut self.forgotten);
        if as_of < last {
            let live = self.told.iter().enumerate().filter(|(_, told)| told.live && told.from > as_of);
            self.ahead = live.map(|(index, told)| (told.from, index)).collect();
        }
        while let Some((_, index)) = self.ahead.first().copied().filter(|(from, _)| *from <= as_of) {
            self.ahead.pop_first();
            changed.push((self.told[index].predicate, self.told[index].row));
        }
        changed
    }

    /// Forgets what changed rows were.
    pub(crate) fn settle(&mut self, changed: &[(usize, usize)]) {
        for &(predicate, row) in changed {
            self.tables[predicate].rows[row].was = None;
        }
    }

    fn supported(&self, predicate: usize, row: usize, what_if: &WhatIf) -> Pair {
        let (mut certain, mut possible) = (Vec::new(), Vec::new());
        let mut doubted = false;
        for &index in &self.tables[predicate].rows[row].told {
            let told = &self.told[index];
            if !told.live || what_if.removed.contains(&index) {
                continue;
            }
            possible.push((told.from, told.to));
            if told.admitted || what_if.admitted.contains(&index) {
                certain.push((told.from, told.to));
            } else {
                doubted = true;
            }
        }
        let possible = Intervals::from_unsorted(possible);
        if doubted { Pair::new(Intervals::from_unsorted(certain), possible) } else { Pair::same(possible) }
    }

    /// Where a row holds from about one instant on, cut at another.
    pub(crate) fn pair(&self, predicate: usize, row: usize, (from, cut): (Instant, Instant), what_if: &WhatIf) -> Pair {
        let found = &self.tables[predicate].rows[row];
        let asked = |index: &usize| what_if.removed.contains(index) || what_if.admitted.contains(index);
        let nothing = what_if.removed.is_empty() && what_if.admitted.is_empty();
        if what_if.before {
            found.was.as_ref().unwrap_or(&found.pair).stretch(from, cut)
        } else if nothing || !found.told.iter().any(asked) {
            found.pair.stretch(from, cut)
        } else {
            self.supported(predicate, row, what_if).stretch(from, cut)
        }
    }
}
