//! The facts a monitor holds: who supports which tuple, when.
//!
//! ```text
//! ack("A1", "P1")   certain {[t,t]}   possible {[t,t], [u,u]}   supported by "…#7:ack", "…#9:ack"
//! ```
//! A tuple holds while any live id supports it; it is certain where an admitted one does. An id that was withdrawn
//! stays withdrawn, whichever of the two came first. Looking a tuple up costs what is found, by its rarest column.
use crate::fact::{Fact, FactId, Instant, SINCE_EVER};
use crate::intervals::Intervals;
use crate::lookup::{Answers, Folding, hash_of_text, spread};
use crate::monitor::Put;
use crate::program::{V, Words};
use crate::relation::{Span, fits};
use hashbrown::HashTable;
use smallvec::SmallVec;
use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

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

    /// Whole intervals, of those that begin by `cut`.
    fn begun(&self, cut: Instant) -> Pair {
        self.map(|set| set.begun(cut))
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

/// Rows of values, each once, found by all of them or by some columns. The tables are asked and never walked: what is
/// found is in the order in which rows came. What is filed by a column is so from when that is first asked on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Columns {
    /// Of all rows, one after the other.
    values: Vec<V>,
    by_args: HashTable<u32>,
    columns: Vec<OnceLock<Answers<V, Few>>>,
    len: usize,
}

/// Values of one fact.
type Args = SmallVec<[V; 12]>;

/// Rows that share a value.
type Few = SmallVec<[u32; 4]>;

fn hash_of(args: impl Iterator<Item = V>) -> u64 {
    let mut hasher = Folding::new();
    args.for_each(|value| value.hash(&mut hasher));
    hasher.finish()
}

impl Columns {
    pub(crate) fn new(width: usize) -> Columns {
        Columns { columns: vec![OnceLock::new(); width], ..Columns::default() }
    }

    pub(crate) fn width(&self) -> usize {
        self.columns.len()
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn args(&self, row: usize) -> &[V] {
        let width = self.columns.len();
        &self.values[row * width..(row + 1) * width]
    }

    pub(crate) fn row(&self, args: &[V]) -> Option<usize> {
        let same = |&row: &u32| self.args(row as usize) == args;
        self.by_args.find(hash_of(args.iter().copied()), same).map(|&row| row as usize)
    }

    /// A row that is not there yet.
    pub(crate) fn add(&mut self, args: &[V]) -> usize {
        let row = u32::try_from(self.len).expect("fewer than 2^32 rows fit in memory");
        self.len += 1;
        self.values.extend(args);
        let Columns { values, by_args, columns, .. } = self;
        let width = columns.len();
        let of = |row: &u32| hash_of(values[*row as usize * width..][..width].iter().copied());
        by_args.insert_unique(hash_of(args.iter().copied()), row, of);
        for (column, &value) in columns.iter_mut().zip(args) {
            if let Some(filed) = column.get_mut() {
                filed.entry(value, Few::new).push(row);
            }
        }
        row as usize
    }

    /// Rows by their value in a column.
    fn filed(&self, column: usize) -> &Answers<V, Few> {
        self.columns[column].get_or_init(|| {
            let mut filed = Answers::default();
            for row in 0..self.len {
                filed.entry(self.args(row)[column], Few::new).push(row as u32);
            }
            filed
        })
    }

    /// Rows with a value in any column.
    pub(crate) fn naming(&self, value: V) -> impl Iterator<Item = usize> {
        let found = (0..self.width()).filter_map(move |column| self.filed(column).get(&value));
        found.flatten().map(|&row| row as usize)
    }

    /// Rows that may fit the pattern: all that share its rarest known value.
    pub(crate) fn find(&self, pattern: &[Option<V>]) -> Found<'_> {
        if pattern.iter().all(Option::is_some) {
            let same = |&row: &u32| fits(pattern, self.args(row as usize));
            let row = self.by_args.find(hash_of(pattern.iter().copied().flatten()), same);
            return Found::One(row.map(|&row| row as usize));
        }
        let mut best: Option<&[u32]> = None;
        for (column, value) in pattern.iter().enumerate() {
            if let Some(value) = value {
                let rows = self.filed(column).get(value).map_or(&[][..], Few::as_slice);
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
    Some(std::slice::Iter<'a, u32>),
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
            Found::Some(rows) => rows.next().map(|&row| row as usize),
            Found::All(rows) => rows.next(),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// Facts that support it, live or not.
    pub(crate) told: SmallVec<[usize; 2]>,
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

impl Table {
    /// Values of a row.
    pub(crate) fn args(&self, row: usize) -> &[V] {
        self.columns.args(row)
    }
}

/// A question what if: facts left out, facts taken as admitted.
#[derive(Clone, Debug, Default)]
pub(crate) struct WhatIf {
    pub(crate) removed: BTreeSet<usize>,
    pub(crate) admitted: BTreeSet<usize>,
    /// As everything was before the revision that is going on.
    pub(crate) before: bool,
    /// What has begun goes on as it was told to, also after the instant at which facts are cut.
    pub(crate) lasting: bool,
}

/// A row of a predicate that is not what it was, and when: facts came or went there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Changed {
    pub(crate) predicate: usize,
    pub(crate) row: usize,
    pub(crate) span: Span,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) words: Words,
    pub(crate) told: Vec<Told>,
    /// With the hash of each id.
    by_id: HashTable<(u32, u32)>,
    withdrawn: BTreeSet<FactId>,
    pub(crate) tables: Vec<Table>,
    stale: Vec<(usize, usize)>,
    /// When rows changed since the last [`Facts::refresh`].
    changed: Vec<Changed>,
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
        let (at, args) = (hash_of_text(&id.0), self.learnt(fact));
        match self.known(&id, at) {
            _ if self.withdrawn.contains(&id) => Ok(()),
            Some(known) if self.is(known, predicate, &args, fact) => Ok(()),
            Some(_) => Err(()),
            None => {
                self.add(id, at, predicate, &args, fact);
                Ok(())
            }
        }
    }

    /// Takes a fact in place of the one that its id named.
    pub(crate) fn put(&mut self, id: FactId, predicate: usize, fact: &Fact) -> Put {
        let (at, args) = (hash_of_text(&id.0), self.learnt(fact));
        let before = self.known(&id, at);
        if before.is_some_and(|known| self.is(known, predicate, &args, fact)) {
            return Put { number: before, before };
        }
        self.forget(&id);
        let withdrawn = self.withdrawn.contains(&id);
        Put { number: (!withdrawn).then(|| self.add(id, at, predicate, &args, fact)), before }
    }

    fn learnt(&mut self, fact: &Fact) -> Args {
        fact.args.iter().map(|value| self.words.learn(value)).collect()
    }

    /// A fact whose id, of this hash, names none.
    fn add(&mut self, id: FactId, at: u32, predicate: usize, args: &[V], fact: &Fact) -> usize {
        let table = &mut self.tables[predicate];
        let row = match table.columns.row(args) {
            Some(row) => row,
            None => {
                table.rows.push(Row { told: SmallVec::new(), pair: Pair::empty(), was: None, stale: false });
                table.columns.add(args)
            }
        };
        let index = self.free.pop().unwrap_or(self.told.len());
        let (from, to, admitted) = (fact.from, fact.to, fact.admitted);
        let told = Told { id, predicate, row, from, to, admitted, live: true };
        match self.told.get_mut(index) {
            Some(place) => *place = told,
            None => self.told.push(told),
        }
        let number = u32::try_from(index).expect("fewer than 2^32 facts fit in memory");
        self.by_id.insert_unique(spread(at), (at, number), |&(kept, _)| spread(kept));
        self.tables[predicate].lasting += usize::from(from != to);
        self.coming.push(index);
        index
    }

    /// The fact that an id names, given the id's hash.
    fn known(&self, id: &FactId, at: u32) -> Option<usize> {
        let same = |&(kept, index): &(u32, u32)| kept == at && self.told[index as usize].id == *id;
        self.by_id.find(spread(at), same).map(|&(_, index)| index as usize)
    }

    /// The fact that an id names.
    pub(crate) fn number(&self, id: &FactId) -> Option<usize> {
        self.known(id, hash_of_text(&id.0))
    }

    /// Whether that is this fact.
    fn is(&self, known: usize, predicate: usize, args: &[V], fact: &Fact) -> bool {
        let told = &self.told[known];
        told.predicate == predicate
            && (told.from, told.to, told.admitted) == (fact.from, fact.to, fact.admitted)
            && self.tables[predicate].args(told.row) == args
    }

    /// As if a fact had never been told. Gives its predicate and row.
    pub(crate) fn forget(&mut self, id: &FactId) -> Option<(usize, usize)> {
        let at = hash_of_text(&id.0);
        let same = |&(kept, index): &(u32, u32)| kept == at && self.told[index as usize].id == *id;
        let index = self.by_id.find_entry(spread(at), same).ok()?.remove().0.1 as usize;
        self.going.push(index);
        self.forgotten.push(index);
        Some((self.told[index].predicate, self.told[index].row))
    }

    pub(crate) fn withdraw(&mut self, id: FactId) {
        if let Some(index) = self.number(&id) {
            self.going.push(index);
        }
        self.withdrawn.insert(id);
    }

    /// Inner numbers of facts; those that are unknown are left out.
    pub(crate) fn numbers(&self, ids: &[FactId]) -> BTreeSet<usize> {
        ids.iter().filter_map(|id| self.number(id)).collect()
    }

    fn mark(&mut self, index: usize) {
        let Told { predicate, row, from, to, .. } = self.told[index];
        self.changed.push(Changed { predicate, row, span: (from, to) });
        let found = &mut self.tables[predicate].rows[row];
        if !found.stale {
            found.stale = true;
            self.stale.push((predicate, row));
        }
    }

    /// Takes in what was told and withdrawn since the last call, and moves from one instant to another. Gives the rows that
    /// are not what they were, or have begun meanwhile; what they were is at hand until [`Facts::settle`].
    pub(crate) fn refresh(&mut self, last: Instant, as_of: Instant) -> Vec<Changed> {
        for index in std::mem::take(&mut self.coming) {
            let told = &self.told[index];
            let (predicate, row) = (told.predicate, told.row);
            if told.from > as_of {
                self.ahead.insert((told.from, index));
            }
            self.tables[predicate].rows[row].told.push(index);
            self.mark(index);
        }
        for index in std::mem::take(&mut self.going) {
            let told = &mut self.told[index];
            if !std::mem::replace(&mut told.live, false) {
                continue;
            }
            self.tables[told.predicate].lasting -= usize::from(told.from != told.to);
            self.ahead.remove(&(told.from, index));
            self.mark(index);
        }
        for (predicate, row) in std::mem::take(&mut self.stale) {
            let pair = self.supported(predicate, row, &WhatIf::default());
            let found = &mut self.tables[predicate].rows[row];
            found.was = Some(std::mem::replace(&mut found.pair, pair));
            found.stale = false;
            found.told.retain(|&mut index| self.told[index].live);
        }
        self.free.append(&mut self.forgotten);
        if as_of < last {
            let live = self.told.iter().enumerate().filter(|(_, told)| told.live && told.from > as_of);
            self.ahead = live.map(|(index, told)| (told.from, index)).collect();
        }
        let mut changed = std::mem::take(&mut self.changed);
        while let Some((_, index)) = self.ahead.first().copied().filter(|(from, _)| *from <= as_of) {
            self.ahead.pop_first();
            let Told { predicate, row, from, to, .. } = self.told[index];
            changed.push(Changed { predicate, row, span: (from, to) });
        }
        changed
    }

    /// Forgets what changed rows were.
    pub(crate) fn settle(&mut self, changed: &[Changed]) {
        for &Changed { predicate, row, .. } in changed {
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
            if what_if.lasting { found.pair.begun(cut) } else { found.pair.stretch(from, cut) }
        } else {
            let pair = self.supported(predicate, row, what_if);
            if what_if.lasting { pair.begun(cut) } else { pair.stretch(from, cut) }
        }
    }
}
