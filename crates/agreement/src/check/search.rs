//! Bounded search over behaviours: what the judge says about many short traces.
//!
//! A duty is opened by the fewest statements that open it; then it is kept, in every way that its formula allows, early and
//! late, and so are the duties that this opens. If no trace keeps them all, there is a fault in the text, and the trace that
//! comes nearest shows it. Nothing is concluded from a formula: what is reported was judged.
use super::ways::{Env, Slot, Val, Way, Ways};
use super::{Bounds, Fault, Finding, Witness};
use crate::annex::Type;
use crate::block::{Clauses, CommitmentBlock, Effect, Expr, Item, Must};
use crate::calendar::Tick;
use crate::case::Case;
use crate::judgment::{Judgment, Reason, State, Verdict, judge_explaining};
use crate::lower::{lets, put_in, rule_name};
use crate::source::{Agreement, MemberRole, Speech};
use hamsaya_record::instant::Instant;
use std::collections::{BTreeMap, BTreeSet};

const DAY_S: i64 = 86_400;

/// One part of a commitment, as the search sees it.
pub(super) struct Part<'a> {
    pub name: String,
    pub file: &'a str,
    pub line: usize,
    pub column: usize,
    pub address: String,
    clauses: &'a Clauses,
    opens: Expr,
    must: Must,
    lapses: Vec<Expr>,
    lifts: Vec<(String, Expr)>,
    tick: Option<Tick>,
}

/// A statement of a trace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Said {
    at: i64,
    by: String,
    kind: String,
    fields: BTreeMap<String, Val>,
    signers: Vec<String>,
    placed: bool,
}

type Trace = Vec<Said>;

pub(super) struct Search<'a> {
    agreement: &'a Agreement,
    /// The same with the rules only that a trace can concern: judging costs less.
    near: Agreement,
    pub parts: Vec<Part<'a>>,
    ways: Ways<'a>,
    bounds: &'a Bounds,
    start: Instant,
    pub traces: usize,
    /// Traces left for what is being looked at.
    left: usize,
    pub unexplored: BTreeMap<String, String>,
}

/// How far one exploration came.
#[derive(Default)]
struct Explored {
    kept: Option<Trace>,
    /// The target was kept, and these others were not.
    clashes: Vec<(Trace, Vec<Verdict>, Instant)>,
    /// The target was not kept.
    missed: Option<(Trace, Verdict, Instant)>,
    /// What would have to be said before anybody can have heard of it.
    early: Vec<(Trace, Said)>,
    exhausted: bool,
}

impl<'a> Search<'a> {
    pub fn new(agreement: &'a Agreement, bounds: &'a Bounds) -> Self {
        let from = agreement.in_force().unwrap_or(Instant(1_767_225_600));
        let start = from.plus(40 * DAY_S);
        let mut parts = Vec::new();
        for source in agreement.items() {
            let Item::Commitment(block) = &source.item else { continue };
            for (n, clauses) in block.parts.iter().enumerate() {
                let address = agreement.commitments().get(source.first_commitment + n).map(|c| c.address.clone());
                parts.extend(part(&source.file, block, clauses, address.unwrap_or_default()));
            }
        }
        Search {
            agreement,
            near: agreement.clone(),
            parts,
            ways: Ways::new(agreement, start),
            bounds,
            start,
            traces: 0,
            left: 0,
            unexplored: BTreeMap::new(),
        }
    }

    fn wanted(&self, part: &Part<'_>) -> bool {
        let only = &self.bounds.only;
        only.is_empty() || only.iter().any(|o| part.name == *o || part.name.split('.').next() == Some(o))
    }

    /// Looks at every part that is wanted, then at pairs.
    pub fn run(&mut self, findings: &mut Vec<Finding>) {
        let mut opened = BTreeMap::new();
        let mut clashing = Vec::new();
        let mut impossible = BTreeSet::new();
        for n in 0..self.parts.len() {
            if !self.wanted(&self.parts[n]) {
                continue;
            }
            self.left = self.bounds.traces_per_duty;
            self.begin(n, n);
            let Some(trigger) = self.trigger(n) else {
                let name = self.parts[n].name.clone();
                if self.ways.unbuilt.is_empty() {
                    let message = format!("{name} never opens: no trace that was tried opens it");
                    let hint = "see whether its `opens` can hold: its comparisons, and what its definitions ask for";
                    findings.push(self.finding(n, Fault::NeverOpens, message, hint, None));
                } else {
                    self.unexplored.insert(name, self.unbuilt());
                }
                continue;
            };
            let explored = self.explore(n, &trigger);
            if !explored.clashes.is_empty() && explored.kept.is_none() {
                clashing.push((n, trigger.clone(), explored));
                opened.insert(n, trigger);
                continue;
            }
            let faulty = findings.len();
            self.conclude(n, &trigger, &explored, findings);
            if findings.len() > faulty {
                impossible.insert(self.parts[n].name.clone());
            } else if self.bounds.loopholes {
                self.left = self.bounds.traces_per_duty;
                self.loopholes(n, &trigger, findings);
            }
            opened.insert(n, trigger);
        }
        // A duty that nothing keeps conflicts with every other that opens with it: that is said once, of itself.
        for (n, trigger, mut explored) in clashing {
            for (_, others, _) in &mut explored.clashes {
                others.retain(|o| !impossible.contains(&label_of(o)));
            }
            if explored.clashes.iter().all(|(_, others, _)| !others.is_empty()) {
                self.left = self.bounds.traces_per_duty;
                self.begin(n, n);
                self.conclude(n, &trigger, &explored, findings);
            }
        }
        self.pairs(&opened, findings);
    }

    fn unbuilt(&self) -> String {
        self.ways.unbuilt.iter().cloned().collect::<Vec<_>>().join(", ")
    }

    /// A duty that the calendar opens is looked at from one of its ticks.
    fn begin(&mut self, n: usize, with: usize) {
        self.near = self.nearby(&[n, with]);
        let from = self.agreement.in_force().unwrap_or(Instant(1_767_225_600)).plus(40 * DAY_S);
        let tick = self.parts[n].tick.as_ref().and_then(|t| t.first_from(self.agreement.seasons(), from));
        self.start = tick.map_or(from, |beat| beat.at);
        self.ways.starting(self.start);
    }

    // ---- traces

    /// The fewest statements that open a part.
    fn trigger(&mut self, n: usize) -> Option<Trace> {
        let members: Vec<(String, MemberRole)> =
            self.agreement.members().iter().map(|m| (m.name.clone(), m.role)).collect();
        let of = |role| members.iter().filter(move |(_, r)| *r == role).map(|(m, _)| m.clone());
        let parties: Vec<String> = of(MemberRole::Party).collect();
        let guarantors: Vec<String> = of(MemberRole::Guarantor).collect();
        let other = |p: &String| parties.iter().find(|q| *q != p).cloned().unwrap_or_else(|| p.clone());
        let mut casts: Vec<(String, String)> = parties.iter().map(|p| (p.clone(), other(p))).collect();
        casts.extend(parties.iter().filter_map(|p| Some((p.clone(), guarantors.first()?.clone()))));
        casts.extend(guarantors.iter().filter_map(|g| Some((g.clone(), parties.first()?.clone()))));
        for (bearer, toward) in casts {
            let part = &self.parts[n];
            let opens = part.opens.clone();
            let (mut env, mut slots) = (Env::new(), Vec::new());
            let bearers: Vec<String> =
                part.clauses.bearer.iter().flat_map(|b| b.names.iter().map(|n| n.name.clone())).collect();
            let towards: Vec<String> = part.clauses.toward.iter().map(|n| n.name.clone()).collect();
            for name in opens.free() {
                if self.agreement.charter().roles.contains_key(&name.name) {
                    continue;
                }
                let mut slot = Slot::named(&name.name);
                if bearers.first() == Some(&name.name) {
                    slot.value = Some(Val::Text(bearer.clone()));
                } else if towards.contains(&name.name) || bearers.contains(&name.name) {
                    slot.value = Some(Val::Text(toward.clone()));
                } else {
                    // Nobody asks or warns himself, if another can be asked.
                    slot = slot.unlike(Val::Text(bearer.clone()));
                }
                env.insert(name.name.clone(), slots.len());
                slots.push(slot);
            }
            if let Some(tick) = &part.tick {
                let beat = tick.first_from(self.agreement.seasons(), self.start);
                let named = tick_name(&opens);
                if let (Some(beat), Some(slot)) = (beat, named.and_then(|n| env.get(&n).copied())) {
                    slots[slot].value =
                        Some(if tick.is_instant() { Val::At(beat.value - self.start.0) } else { Val::Int(beat.value) });
                }
            }
            for way in self.ways.of(&opens, &env, slots, true) {
                let trace = self.said(&way, 0, &toward, None);
                let name = self.parts[n].name.clone();
                let judged = self.judge(&trace, 0);
                if judged.is_some_and(|j| j.verdicts.iter().any(|v| label_of(v) == name && v.opened == self.start)) {
                    return Some(trace);
                }
                if self.left == 0 {
                    return None;
                }
            }
        }
        None
    }

    /// The statements of a way, in time.
    fn said(&self, way: &Way, base: i64, whose: &str, answer: Option<&str>) -> Trace {
        let mut all = Vec::new();
        let text = |slot: usize| match way.value(slot, self.agreement) {
            Val::Text(t) => t,
            other => format!("{other:?}"),
        };
        for deed in &way.deeds {
            let Some(kind) = self.ways.kind(&deed.kind) else { continue };
            let at = base + deed.at;
            let mut fields = BTreeMap::new();
            for (field, slot) in &deed.fields {
                let wanted = kind.fields.iter().find(|(f, ..)| f == field).map(|(_, t, _)| t);
                let value = match way.value(*slot, self.agreement) {
                    // An instant of which nothing is known is that of the statement.
                    Val::At(0) if way.slots[*slot].value.is_none() => Val::At(at),
                    value => typed(value, wanted, self.start),
                };
                fields.insert(field.clone(), value);
            }
            let actor = kind.actor.as_ref().and_then(|a| match fields.get(a) {
                Some(Val::Text(t)) => Some(t.clone()),
                _ => None,
            });
            let member = |name: &String| self.agreement.members().iter().any(|m| m.name == *name);
            let by = deed.by.map(text).or(actor).or(answer.map(str::to_string)).unwrap_or_else(|| whose.to_string());
            // An office has no log: it speaks in that of a party.
            let by = if member(&by) { by } else { self.first_party() };
            let mut signers: Vec<String> = deed.signers.iter().map(|s| text(*s)).filter(member).collect();
            signers.sort();
            signers.dedup();
            all.push(Said { at, by, kind: deed.kind.clone(), fields, signers, placed: deed.placed });
        }
        all.sort_by_key(|s| s.at);
        all.dedup();
        all
    }

    fn first_party(&self) -> String {
        let mut parties = self.agreement.members().iter().filter(|m| m.role == MemberRole::Party);
        parties.next().map(|m| m.name.clone()).unwrap_or_default()
    }

    /// A trace as a page that a reader can follow and the judge can play.
    fn rows(&self, trace: &Trace) -> String {
        let mut text = String::new();
        for (n, said) in trace.iter().enumerate() {
            let kind = self.ways.kind(&said.kind);
            let fields: Vec<String> = said.fields.iter().map(|(f, v)| format!("{f}: {}", shown(v))).collect();
            let seen = kind.is_some_and(|k| k.speech == Speech::Seen);
            let occurred = if seen { format!(" occurred {}", clock(said.at)) } else { String::new() };
            let by = if said.signers.is_empty() { String::new() } else { format!(" by {}", said.signers.join(",")) };
            let place = if said.placed { self.point() } else { String::new() };
            let answers = kind.filter(|k| k.act == "answer").and_then(|_| {
                let ids =
                    |s: &Said| s.fields.values().filter(|v| matches!(v, Val::Text(_))).cloned().collect::<Vec<_>>();
                let mine = ids(said);
                trace[..n].iter().rposition(|s| s.by != said.by && ids(s).iter().any(|v| mine.contains(v)))
            });
            let answers = answers.map(|a| format!(" answers #{}", a + 1)).unwrap_or_default();
            text += &format!(
                "#{} {} {} {}({}){occurred}{by}{place}{answers} -- {}\n",
                n + 1,
                clock(said.at),
                said.by,
                said.kind,
                fields.join(", "),
                self.sentence(said),
            );
        }
        text
    }

    fn sentence(&self, said: &Said) -> String {
        let kind = self.ways.kind(&said.kind);
        let ids = kind.into_iter().flat_map(|k| &k.id).filter_map(|id| match said.fields.get(id) {
            Some(Val::Text(t)) => Some(t.clone()),
            _ => None,
        });
        let ids: Vec<String> = ids.collect();
        let what = said.kind.replace('_', " ");
        let of = if ids.is_empty() { String::new() } else { format!(" {}", ids.join(", ")) };
        format!("{} states: {what}{of}.", said.by)
    }

    /// A point on the first line, near whatever is measured to it.
    fn point(&self) -> String {
        let named = self.agreement.program().places.values().find_map(|p| p.first_point());
        let (lat, lon) = named.unwrap_or((340_000_000, 710_000_000));
        let degrees = |e7: i64| {
            format!("{}{}.{:07}", if e7 < 0 { "-" } else { "" }, e7.abs() / 10_000_000, e7.abs() % 10_000_000)
        };
        format!(" at {},{} +- 0", degrees(lat), degrees(lon))
    }

    fn page(&self, trace: &Trace) -> String {
        format!("```scenario\nstart = \"{}\"\n```\n```trace\n{}```\n", self.start, self.rows(trace))
    }

    /// What the judge says of a trace at an instant, in seconds from the start. `None`: it cannot be played.
    fn judge(&mut self, trace: &Trace, as_of: i64) -> Option<Judgment> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        self.traces += 1;
        let case = Case::parse("witness", &self.page(trace)).ok()?;
        let logs = case.play("witness", &self.near).ok()?;
        let at = self.start.plus(as_of);
        judge_explaining(&self.near, &logs, at, at, |_| false).ok()
    }

    /// The rules that what is said for these parts can concern: theirs, and those that open by a kind which theirs name, and
    /// so on. Nothing that the calendar opens, these parts aside.
    fn nearby(&self, parts: &[usize]) -> Agreement {
        let mut near: BTreeSet<usize> = parts.iter().copied().collect();
        let mut kinds = BTreeSet::new();
        loop {
            for n in &near {
                let part = &self.parts[*n];
                let musts: Vec<&Expr> = match &part.must {
                    Must::Now(f) | Must::Within(f, _) | Must::NotFor(f, _) => vec![f],
                    Must::NotUntil(f, g) => vec![f, g],
                };
                for formula in musts.into_iter().chain([&part.opens]).chain(&part.lapses) {
                    for denied in [false, true] {
                        kinds.extend(self.ways.kinds_of(formula, denied));
                    }
                }
            }
            let more = (0..self.parts.len()).filter(|n| {
                let part = &self.parts[*n];
                !near.contains(n) && part.tick.is_none() && !self.ways.kinds_of(&part.opens, false).is_disjoint(&kinds)
            });
            let more: Vec<usize> = more.collect();
            if more.is_empty() {
                break;
            }
            near.extend(more);
        }
        let names = near.iter().map(|n| self.parts[*n].name.clone()).collect();
        self.agreement.only(&names)
    }

    /// Judges a trace once more, from the page that is shown, and writes beside it what the judge says.
    fn witness(&mut self, title: &str, trace: &Trace, as_of: i64, of: &BTreeSet<String>) -> Option<Witness> {
        let of: Vec<&str> = of.iter().map(String::as_str).collect();
        let block = format!("```verdicts as_of {} of {}\n```\n", clock(as_of), of.join(" "));
        let page = format!("# {title}\n\n{}{block}", self.page(trace));
        let case = Case::parse("witness", &page).ok()?;
        let logs = case.play("witness", self.agreement).ok()?;
        let page = case.blessed(&page, self.agreement, &logs).ok()?;
        let again = Case::parse("witness", &page).ok()?;
        self.traces += 1;
        let confirmed = again.check(self.agreement, &logs).ok()?.is_empty();
        confirmed.then_some(Witness { page })
    }

    // ---- keeping

    fn index(&self, name: &str) -> Option<usize> {
        self.parts.iter().position(|p| p.name == name)
    }

    /// Verdicts on what a trace opened: not what the calendar opens, the target aside.
    fn concerned<'j>(&self, judgment: &'j Judgment, n: usize, until: Instant) -> Vec<&'j Verdict> {
        let target = &self.parts[n].name;
        let all = judgment.verdicts.iter().filter(|v| {
            let name = label_of(v);
            let calendar = self.index(&name).is_some_and(|p| self.parts[p].tick.is_some());
            v.opened <= until && (!calendar || name == *target && v.opened == self.start)
        });
        all.collect()
    }

    /// Tries to keep the duty that a trigger opens, and all that follow from it.
    fn explore(&mut self, n: usize, trigger: &Trace) -> Explored {
        let mut explored = Explored::default();
        let coined = coined(trigger);
        let mut stack: Vec<(Trace, BTreeSet<(String, Instant)>)> = vec![(trigger.clone(), BTreeSet::new())];
        let mut tried = BTreeSet::new();
        let Some(first) = self.judge(trigger, 0) else { return explored };
        let name = self.parts[n].name.clone();
        let is_target = |v: &Verdict, start: Instant| label_of(v) == name && v.opened == start;
        let start = self.start;
        let target_due = first.verdicts.iter().filter(|v| is_target(v, start)).filter_map(|v| v.due).max();
        let until = target_due.unwrap_or(start);
        while let Some((trace, repaired)) = stack.pop() {
            if !tried.insert(trace.clone()) {
                continue;
            }
            let Some(judgment) = self.judge(&trace, until.0 - start.0) else {
                explored.exhausted |= self.left == 0;
                if self.left == 0 {
                    break;
                }
                continue;
            };
            let due = self.concerned(&judgment, n, until).iter().filter_map(|v| v.due.or(v.until)).max();
            let end = due.unwrap_or(until).max(until).min(start.plus(400 * DAY_S)).plus(1);
            let Some(judgment) = self.judge(&trace, end.0 - start.0) else {
                explored.exhausted |= self.left == 0;
                continue;
            };
            let concerned = self.concerned(&judgment, n, until);
            // What was breached before this duty opened is what opened it.
            let before = |v: &Verdict| {
                let same = |o: &Verdict| o.label == v.label && o.opened == v.opened && o.state == State::Breached;
                !is_target(v, start) && first.verdicts.iter().any(same)
            };
            let mut breached: Vec<Verdict> = concerned
                .iter()
                .filter(|v| v.state == State::Breached && !before(v))
                .map(|v| Verdict::clone(v))
                .collect();
            breached.sort_by_key(|v| (!is_target(v, start), v.breached_since, v.label.clone()));
            if breached.is_empty() {
                if concerned.iter().any(|v| is_target(v, start)) {
                    explored.kept = Some(trace);
                    return explored;
                }
                continue;
            }
            let missed = breached.iter().find(|v| is_target(v, start)).cloned();
            match missed {
                Some(verdict) => {
                    explored.missed.get_or_insert((trace.clone(), verdict, end));
                }
                None => explored.clashes.push((trace.clone(), breached.clone(), end)),
            }
            let Some(worst) = breached.iter().find(|v| !repaired.contains(&(v.label.clone(), v.opened))) else {
                continue;
            };
            if trace.len() >= trigger.len() + self.bounds.depth {
                continue;
            }
            let mut next = Vec::new();
            for more in self.keeping(worst, &trace) {
                let mut longer = trace.clone();
                longer.extend(more.iter().cloned());
                longer.sort_by_key(|s| s.at);
                longer.dedup();
                if let Some(early) = more.iter().find(|s| too_early(s, &coined, &self.ways)) {
                    explored.early.push((longer, early.clone()));
                    continue;
                }
                let mut done = repaired.clone();
                done.insert((worst.label.clone(), worst.opened));
                next.push((longer, done));
            }
            next.reverse();
            stack.extend(next);
        }
        explored
    }

    /// Statements that would keep an instance, way by way: at its due instant, at once, halfway.
    fn keeping(&mut self, verdict: &Verdict, trace: &Trace) -> Vec<Trace> {
        let Some(n) = self.index(&label_of(verdict)) else { return Vec::new() };
        let must = match &self.parts[n].must {
            Must::Now(f) | Must::Within(f, _) => f.clone(),
            // A prohibition is kept by leaving it; what ends it may be said.
            Must::NotUntil(_, g) => g.clone(),
            Must::NotFor(..) => return Vec::new(),
        };
        let within = matches!(self.parts[n].must, Must::Within(..));
        let opened = verdict.opened.0 - self.start.0;
        let due = verdict.due.map_or(opened, |d| d.0 - self.start.0);
        let bases = if within { vec![due, opened, opened + (due - opened) / 2] } else { vec![opened] };
        let mut all = Vec::new();
        let ways = self.bound(verdict, &must);
        for base in bases {
            for way in &ways {
                let said = self.said(way, base, &verdict.bearer, Some(&verdict.bearer));
                let new: Trace = said.into_iter().filter(|s| !trace.contains(s)).collect();
                if !new.is_empty() && !all.contains(&new) {
                    all.push(new);
                }
            }
        }
        all
    }

    /// Ways of a formula of an instance's rule, its variables bound.
    fn bound(&mut self, verdict: &Verdict, formula: &Expr) -> Vec<Way> {
        let (mut env, mut slots) = (Env::new(), Vec::new());
        for (name, value) in &verdict.valuation {
            let mut slot = Slot::named(name);
            slot.value = Some(match (value.parse::<Instant>(), value.parse::<i64>()) {
                (Ok(at), _) => Val::At(at.0 - self.start.0),
                (_, Ok(n)) => Val::Int(n),
                _ => Val::Text(value.clone()),
            });
            env.insert(name.clone(), slots.len());
            slots.push(slot);
        }
        self.ways.of(formula, &env, slots, false)
    }

    fn conclude(&mut self, n: usize, trigger: &Trace, explored: &Explored, findings: &mut Vec<Finding>) {
        if explored.kept.is_some() {
            return;
        }
        let name = self.parts[n].name.clone();
        // A ban that the very act opens which it bars: it is kept by never opening.
        let bars = matches!(self.parts[n].must, Must::NotFor(..) | Must::NotUntil(..));
        let at_once = explored.missed.as_ref().is_some_and(|(_, v, _)| v.breached_since == Some(v.opened));
        if bars && at_once {
            return;
        }
        if !self.ways.unbuilt.is_empty() || explored.exhausted {
            let why = if explored.exhausted { "more ways than the bound allows".into() } else { self.unbuilt() };
            self.unexplored.insert(name, why);
            return;
        }
        self.left = self.left.max(20);
        if explored.clashes.is_empty() {
            let Some((trace, verdict, end)) = &explored.missed else { return };
            // Would it be kept if one could speak of a thing before it is there?
            for (early, said) in explored.early.iter().take(8) {
                let end = end.0 - self.start.0;
                let Some(judged) = self.judge(early, end) else { continue };
                if judged.verdicts.iter().any(|v| v.label == verdict.label && v.state == State::Kept) {
                    let message = format!(
                        "{name} cannot be kept in time: {} would have to state `{}` at {}, before anybody can have heard of it",
                        said.by,
                        said.kind,
                        clock(said.at)
                    );
                    let title = format!("{name} in {}: the time that it leaves", self.parts[n].address);
                    let witness = self.witness(&title, trace, end, &[name.clone()].into());
                    let hint = "give the first step more time, or ask for less between the two";
                    findings.push(self.finding(n, Fault::Deadline, message, hint, witness));
                    return;
                }
            }
            let message = format!("{name} can be kept by nothing that anybody can state");
            let title = format!("{name} in {}: whatever is stated", self.parts[n].address);
            let tried = explored.missed.as_ref().map(|(t, ..)| t).unwrap_or(trigger);
            let end = end.0 - self.start.0;
            let witness = self.witness(&title, tried, end, &[name.clone()].into());
            let hint = "see whether its `must` contradicts itself, or names a value that no statement has";
            findings.push(self.finding(n, Fault::Unsatisfiable, message, hint, witness));
            return;
        }
        // The target can be kept, and then another cannot.
        let fewest = explored.clashes.iter().min_by_key(|(t, b, _)| (b.len(), t.len()));
        let Some((trace, others, end)) = fewest else { return };
        let mut with: BTreeSet<String> = others.iter().map(label_of).collect();
        let list = with.iter().cloned().collect::<Vec<_>>().join(", ");
        with.insert(name.clone());
        let end = end.0 - self.start.0;
        let from_the_beginning = self.judge(trigger, end).is_some_and(|j| {
            others.iter().all(|o| j.verdicts.iter().any(|v| v.label == o.label && v.opened == o.opened))
        });
        let title = format!("{name} is kept, {list} is not");
        let witness = self.witness(&title, trace, end, &with);
        let (fault, message, hint) = if from_the_beginning {
            let message = format!("{name} and {list} cannot both be kept");
            (Fault::Conflict, message, "say which of them gives way: an exception, or a `lapses`")
        } else {
            let message = format!("whoever keeps {name} cannot keep {list}, which follows from it");
            (Fault::Deadline, message, "give the duty that follows more time, or the first one less to do")
        };
        findings.push(self.finding(n, fault, message, hint, witness));
    }

    fn finding(&self, n: usize, fault: Fault, message: String, hint: &str, witness: Option<Witness>) -> Finding {
        let part = &self.parts[n];
        Finding {
            fault,
            file: part.file.into(),
            line: part.line,
            column: part.column,
            message,
            hint: hint.into(),
            witness,
        }
    }

    // ---- pairs

    /// Where one duty asks for what another bars: both are opened at once.
    fn pairs(&mut self, opened: &BTreeMap<usize, Trace>, findings: &mut Vec<Finding>) {
        let mut pairs = Vec::new();
        for (a, part) in self.parts.iter().enumerate() {
            let asked = match &part.must {
                Must::Now(f) | Must::Within(f, _) => self.ways.kinds_of(f, false),
                _ => continue,
            };
            for (b, other) in self.parts.iter().enumerate() {
                let barred = match &other.must {
                    Must::NotFor(f, _) | Must::NotUntil(f, _) => self.ways.kinds_of(f, false),
                    Must::Now(f) | Must::Within(f, _) => self.ways.kinds_of(f, true),
                };
                if a != b && !asked.is_disjoint(&barred) && (self.wanted(part) || self.wanted(other)) {
                    pairs.push((a, b));
                }
            }
        }
        for (a, b) in pairs {
            let already =
                |f: &Finding| f.message.contains(&self.parts[a].name) && f.message.contains(&self.parts[b].name);
            if self.parts[a].tick.is_some() || self.parts[b].tick.is_some() || findings.iter().any(already) {
                continue;
            }
            self.left = self.bounds.traces_per_duty;
            self.begin(a, b);
            let mut both = match opened.get(&a) {
                Some(trace) => trace.clone(),
                None => match self.trigger(a) {
                    Some(trace) => trace,
                    None => continue,
                },
            };
            let other = match opened.get(&b) {
                Some(trace) => trace.clone(),
                None => match self.trigger(b) {
                    Some(trace) => trace,
                    None => continue,
                },
            };
            both.extend(other);
            both.sort();
            both.dedup();
            both.sort_by_key(|s| s.at);
            // Unless both are open, or one is breached from the beginning, nothing is learned.
            let names = [self.parts[a].name.clone(), self.parts[b].name.clone()];
            let Some(judged) = self.judge(&both, 0) else { continue };
            let open =
                |name: &String| judged.verdicts.iter().any(|v| label_of(v) == *name && v.state != State::Breached);
            if !names.iter().all(open) {
                continue;
            }
            let explored = self.explore(a, &both);
            self.conclude(a, &both, &explored, findings);
        }
    }

    // ---- loopholes

    /// What a bearer can do alone to owe for ever and never be late.
    fn loopholes(&mut self, n: usize, trigger: &Trace, findings: &mut Vec<Finding>) {
        let Some(judged) = self.judge(trigger, 0) else { return };
        let name = self.parts[n].name.clone();
        let target = judged.verdicts.iter().find(|v| label_of(v) == name && v.opened == self.start).cloned();
        let Some(target) = target else { return };
        self.lapse(n, trigger, &target, findings);
        if target.state == State::Pending && target.due.is_some() && self.parts[n].tick.is_none() {
            self.moved(n, trigger, &target, findings);
            self.delay(n, trigger, &target, findings);
        }
    }

    /// `lapses` that the bearer's own word brings about.
    fn lapse(&mut self, n: usize, trigger: &Trace, target: &Verdict, findings: &mut Vec<Finding>) {
        let opened = target.opened.0 - self.start.0;
        for formula in self.parts[n].lapses.clone() {
            for way in self.bound(target, &formula) {
                let said = self.said(&way, opened + 60, &target.bearer, Some(&target.bearer));
                if said.is_empty() || !said.iter().all(|s| alone(s, &target.bearer)) {
                    continue;
                }
                let mut trace = trigger.clone();
                trace.extend(said.iter().cloned());
                trace.sort_by_key(|s| s.at);
                let as_of = target.due.map_or(opened + 120, |d| d.0 - self.start.0 + 1);
                let Some(judged) = self.judge(&trace, as_of) else { continue };
                let gone = |v: &&Verdict| v.label == target.label && v.reason == Reason::Discharged;
                if judged.verdicts.iter().any(|v| gone(&v)) {
                    let name = self.parts[n].name.clone();
                    let kinds = said.iter().map(|s| format!("`{}`", s.kind)).collect::<Vec<_>>().join(" and ");
                    let message = format!(
                        "{} can end {name} alone, without doing what it owes, by stating {kinds}",
                        target.bearer
                    );
                    let title = format!("{name} lapses by its own bearer's word");
                    let witness = self.witness(&title, &trace, as_of, &[name].into());
                    let hint = "let only the other side, a guarantor or both together end it";
                    findings.push(self.finding(n, Fault::Loophole, message, hint, witness));
                    return;
                }
            }
        }
    }

    /// A clock that the bearer alone moves, again and again.
    fn moved(&mut self, n: usize, trigger: &Trace, target: &Verdict, findings: &mut Vec<Finding>) {
        let Some(due) = target.due.map(|d| d.0 - self.start.0) else { return };
        let rounds = self.bounds.rounds;
        for tolls in [false, true] {
            let Some(mover) = self.mover(tolls) else { continue };
            let mut trace = trigger.clone();
            let mut last = due;
            for round in 0..rounds as i64 {
                let said = self.moving(&mover, target, last, round);
                trace.extend(said);
                last += 30 * DAY_S;
            }
            let Some(judged) = self.judge(&trace, due + (rounds as i64 - 1) * 30 * DAY_S + 1) else { return };
            let still = |v: &&Verdict| v.label == target.label && v.state == State::Pending;
            if judged.verdicts.iter().any(|v| still(&v)) {
                let name = self.parts[n].name.clone();
                let message = format!(
                    "{} can put off {name} for ever: alone, by `{}`, it moves the due instant, {rounds} times in this trace, and nothing stops another time",
                    target.bearer, mover[0]
                );
                let title = format!("{name}: put off {rounds} times, never late");
                let as_of = due + (rounds as i64 - 1) * 30 * DAY_S + 1;
                let witness = self.witness(&title, &trace, as_of, &[name].into());
                let hint = "Article 1 says whose consent moves a clock; let it be the other side's or a guarantor's";
                findings.push(self.finding(n, Fault::Loophole, message, hint, witness));
                return;
            }
        }
    }

    /// Kinds that move clocks: one that names a commitment and a due instant; or one from and to, and its acceptance.
    fn mover(&self, tolls: bool) -> Option<Vec<String>> {
        let kinds = &self.agreement.rules().kinds;
        let has = |k: &crate::annex::KindRule, all: &[&str]| all.iter().all(|f| k.fields.iter().any(|(g, ..)| g == f));
        if !tolls {
            let extend = kinds.values().find(|k| k.name == "extend" && has(k, &["commitment", "bearer", "due"]))?;
            return Some(vec![extend.name.clone()]);
        }
        let toll = kinds.values().find(|k| k.name == "toll" && has(k, &["toll", "commitment", "from", "to"]))?;
        let accepted = kinds.values().find(|k| k.name == "toll_accepted" && has(k, &["toll"]))?;
        Some(vec![toll.name.clone(), accepted.name.clone()])
    }

    fn moving(&self, mover: &[String], target: &Verdict, due: i64, round: i64) -> Trace {
        let at = due - 3_600.min((due - (target.opened.0 - self.start.0)).max(2) / 2);
        let mut all = Vec::new();
        for (n, name) in mover.iter().enumerate() {
            let Some(kind) = self.ways.kind(name) else { continue };
            let mut fields = BTreeMap::new();
            for (field, wanted, optional) in &kind.fields {
                let value = match field.as_str() {
                    "commitment" => Val::Text(target.commitment.clone()),
                    "part" => match &target.part {
                        Some(part) => Val::Text(part.clone()),
                        None => continue,
                    },
                    // The label taken apart: its ids, without the bearer.
                    "instance" => match target.label.split_once('(').and_then(|(_, rest)| rest.split_once(", ")) {
                        Some((first, _)) => Val::Text(first.into()),
                        None => continue,
                    },
                    "bearer" => Val::Text(target.bearer.clone()),
                    "due" | "to" => Val::At(due + 30 * DAY_S),
                    "from" => Val::At(due),
                    "toll" => Val::Text(format!("T{}", round + 1)),
                    _ if *optional => continue,
                    _ => {
                        let mut slot = Slot::named(field);
                        slot.kind = Some(wanted.clone());
                        super::ways::default(&slot, Some(self.agreement))
                    }
                };
                fields.insert(field.clone(), value);
            }
            let by = target.bearer.clone();
            all.push(Said { at: at + n as i64, by, kind: name.clone(), fields, signers: Vec::new(), placed: false });
        }
        all
    }

    /// Duties that the bearer keeps by a statement that opens the same duty again.
    fn delay(&mut self, n: usize, trigger: &Trace, target: &Verdict, findings: &mut Vec<Finding>) {
        // Only kinds that open something can renew a duty.
        let opening: BTreeSet<String> = self.parts.iter().flat_map(|p| self.ways.kinds_of(&p.opens, false)).collect();
        let asked = match &self.parts[n].must {
            Must::Within(f, _) => self.ways.kinds_of(f, false),
            _ => return,
        };
        if asked.is_disjoint(&opening) {
            return;
        }
        let mut stack: Vec<(Trace, Vec<Verdict>)> = vec![(trigger.clone(), vec![target.clone()])];
        while let Some((trace, path)) = stack.pop() {
            let Some(current) = path.last().cloned() else { continue };
            if path.len() > self.bounds.depth {
                continue;
            }
            for (longer, opened) in self.renewals(&trace, &current, &target.bearer) {
                for verdict in opened {
                    let mut path = path.clone();
                    let again = path.iter().any(|p| matter(p) == matter(&verdict));
                    path.push(verdict.clone());
                    if !again {
                        stack.push((longer.clone(), path));
                        continue;
                    }
                    if self.report_delay(n, longer.clone(), &verdict, target, findings) {
                        return;
                    }
                }
                if self.left == 0 {
                    return;
                }
            }
        }
    }

    /// What `who` can state alone to keep an instance at its due instant, and what this opens for him or for an office.
    fn renewals(&mut self, trace: &Trace, current: &Verdict, who: &str) -> Vec<(Trace, Vec<Verdict>)> {
        let (Some(n), Some(due)) = (self.index(&label_of(current)), current.due) else { return Vec::new() };
        let must = match &self.parts[n].must {
            Must::Within(f, _) => f.clone(),
            _ => return Vec::new(),
        };
        let due = due.0 - self.start.0;
        let mut all = Vec::new();
        for way in self.bound(current, &must) {
            let said = self.said(&way, due, who, Some(who));
            if said.is_empty() || !said.iter().all(|s| alone(s, who)) {
                continue;
            }
            let mut longer = trace.clone();
            longer.extend(said);
            longer.sort_by_key(|s| s.at);
            let Some(judged) = self.judge(&longer, due + 1) else { continue };
            let of = |v: &&Verdict| v.label == current.label && v.opened == current.opened;
            let kept = judged.verdicts.iter().find(of).is_some_and(|v| v.state == State::Kept);
            let opened: Vec<Verdict> = judged
                .verdicts
                .iter()
                .filter(|v| v.opened.0 - self.start.0 >= due && v.opened > current.opened)
                .filter(|v| v.bearer == who || !self.agreement.members().iter().any(|m| m.name == v.bearer))
                .filter(|v| v.state == State::Pending && v.due.is_some())
                .cloned()
                .collect();
            let late = |v: &Verdict| v.bearer == who && v.breached_since.is_some_and(|at| at > self.start);
            if kept && !judged.verdicts.iter().any(late) {
                all.push((longer, opened));
            }
        }
        all
    }

    /// Goes round a few times more; it is a loophole if nobody is late and the matter could have been ended.
    fn report_delay(
        &mut self,
        n: usize,
        mut trace: Trace,
        again: &Verdict,
        target: &Verdict,
        findings: &mut Vec<Finding>,
    ) -> bool {
        let round = matter(again);
        let mut current = again.clone();
        let mut rounds = 1;
        // It is a loophole only if the duty could also have been ended: else it recurs by nature.
        let mut ends = false;
        let mut steps = 0;
        while rounds < self.bounds.rounds && steps < self.bounds.depth * self.bounds.rounds {
            steps += 1;
            self.left = self.left.max(20);
            let ways = self.renewals(&trace, &current, &target.bearer);
            ends |= ways.iter().any(|(_, opened)| opened.iter().all(|v| matter(v) != matter(&current)));
            let next = ways.into_iter().find_map(|(longer, opened)| opened.into_iter().next().map(|v| (longer, v)));
            let Some((longer, verdict)) = next else { return false };
            trace = longer;
            if matter(&verdict) == round {
                rounds += 1;
            }
            current = verdict;
        }
        if !ends && !self.ended_by_others(&current, &trace) {
            return false;
        }
        let due = current.due.map_or(0, |d| d.0 - self.start.0);
        let name = self.parts[n].name.clone();
        let last = trace.last().map(|s| s.kind.clone()).unwrap_or_default();
        let message = format!(
            "{} can put off {name} for ever: each `{last}` keeps one duty and opens the same duty again, {rounds} times in this trace, and nothing stops another time",
            target.bearer
        );
        let title = format!("{name}: put off {rounds} times, never late");
        let witness = self.witness(&title, &trace, due - 1, &[label_of(&current), name].into());
        let hint = "let the delaying answer count once, or shorten the time with every round";
        findings.push(self.finding(n, Fault::Loophole, message, hint, witness));
        true
    }

    /// Whether some way of keeping an instance does not open it again.
    fn ended_by_others(&mut self, current: &Verdict, trace: &Trace) -> bool {
        for more in self.keeping(current, trace) {
            let mut longer = trace.clone();
            longer.extend(more);
            longer.sort_by_key(|s| s.at);
            let as_of = current.due.map_or(0, |d| d.0 - self.start.0 + 1);
            let Some(judged) = self.judge(&longer, as_of) else { continue };
            let kept = judged
                .verdicts
                .iter()
                .any(|v| v.label == current.label && v.opened == current.opened && v.state == State::Kept);
            let again = judged.verdicts.iter().any(|v| matter(v) == matter(current) && v.opened > current.opened);
            if kept && !again {
                return true;
            }
        }
        false
    }

    /// Parts that do not bind where their bearer says so beforehand: no fault, and worth knowing.
    pub fn excuses(&mut self) -> Vec<(String, String, String)> {
        let mut all = Vec::new();
        for n in 0..self.parts.len() {
            for (exception, when) in self.parts[n].lifts.clone() {
                let kinds: Vec<String> = self.ways.kinds_of(&when, false).into_iter().collect();
                if !kinds.is_empty() {
                    all.push((self.parts[n].name.clone(), exception, kinds.join(", ")));
                }
            }
        }
        all
    }
}

/// Two instances are one matter if part and values are the same, instants aside.
fn matter(v: &Verdict) -> (String, Vec<String>) {
    let values = v.valuation.iter().map(|(_, value)| value.clone()).filter(|v| v.parse::<Instant>().is_err());
    (label_of(v), values.collect())
}

/// `C16.access`.
fn label_of(v: &Verdict) -> String {
    match &v.part {
        Some(part) => format!("{}.{part}", v.commitment),
        None => v.commitment.clone(),
    }
}

fn alone(said: &Said, bearer: &str) -> bool {
    said.by == bearer && said.signers.iter().all(|s| s == bearer)
}

/// Ids of a trigger: who named each first, and when.
fn coined(trigger: &Trace) -> BTreeMap<String, (i64, String)> {
    let mut all = BTreeMap::new();
    for said in trigger {
        for value in said.fields.values() {
            if let Val::Text(id) = value {
                all.entry(id.clone()).or_insert((said.at, said.by.clone()));
            }
        }
    }
    all
}

/// Nobody names an id before whoever coined it, and nobody answers what was not said.
fn too_early(said: &Said, coined: &BTreeMap<String, (i64, String)>, ways: &Ways<'_>) -> bool {
    let Some(kind) = ways.kind(&said.kind) else { return false };
    kind.fields.iter().filter(|(_, t, _)| *t == Type::Id).any(|(field, ..)| match said.fields.get(field) {
        Some(Val::Text(id)) => {
            coined.get(id).is_some_and(|(at, by)| said.at < *at && (*by != said.by || kind.act == "answer"))
        }
        _ => false,
    })
}

fn typed(value: Val, wanted: Option<&Type>, start: Instant) -> Val {
    match (wanted, value) {
        (Some(Type::Instant), Val::Text(t)) => match t.parse::<Instant>() {
            Ok(at) => Val::At(at.0 - start.0),
            Err(_) => Val::Text(t),
        },
        (Some(Type::Id | Type::Text | Type::Enum(_) | Type::Party), Val::Int(n)) => Val::Text(n.to_string()),
        (_, value) => value,
    }
}

fn shown(value: &Val) -> String {
    match value {
        Val::Text(t) if t == "true" || t == "false" => t.clone(),
        Val::Text(t) => format!("\"{t}\""),
        Val::Int(n) => n.to_string(),
        Val::At(at) => format!("@{}", clock(*at)),
        Val::Deed(_) | Val::Place => "\"?\"".into(),
    }
}

/// `+48:00`, `-0:30`, `+0:15:01`.
pub(super) fn clock(seconds: i64) -> String {
    let (sign, s) = (if seconds < 0 { '-' } else { '+' }, seconds.abs());
    let (h, m, s) = (s / 3_600, s / 60 % 60, s % 60);
    if s == 0 { format!("{sign}{h}:{m:02}") } else { format!("{sign}{h}:{m:02}:{s:02}") }
}

fn tick_name(opens: &Expr) -> Option<String> {
    let mut found = None;
    opens.walk(&mut |e| {
        if let Expr::Each { name: Some(name), .. } = e {
            found.get_or_insert(name.name.clone());
        }
    });
    found
}

fn part<'a>(file: &'a str, block: &'a CommitmentBlock, clauses: &'a Clauses, address: String) -> Option<Part<'a>> {
    let lets = lets(block, clauses);
    let put = |f: &Expr| put_in(f, &lets);
    let opens = put(clauses.opens.as_ref()?)?;
    let must = match clauses.must.as_ref()? {
        Must::Now(f) => Must::Now(put(f)?),
        Must::Within(f, d) => Must::Within(put(f)?, *d),
        Must::NotFor(f, d) => Must::NotFor(put(f)?, *d),
        Must::NotUntil(f, g) => Must::NotUntil(put(f)?, put(g)?),
    };
    let lapses = clauses.lapses.iter().filter_map(put).collect();
    let lifts = clauses.exceptions.iter().filter(|e| matches!(e.effect, Effect::None));
    let lifts = lifts.filter_map(|e| Some((e.name.name.clone(), put(&e.when)?))).collect();
    let mut tick = None;
    opens.walk(&mut |e| {
        if let Expr::Each { tick: found, .. } = e {
            tick.get_or_insert(found.clone());
        }
    });
    let at = clauses.part.as_ref().map_or(block.id.at, |p| p.at);
    Some(Part {
        name: rule_name(block, clauses),
        file,
        line: at.line,
        column: at.column,
        address,
        clauses,
        opens,
        must,
        lapses,
        lifts,
        tick,
    })
}
