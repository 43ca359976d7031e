//! The adherence report: what was owed in a period, and what became of it.
//!
//! ```text
//! hamsaya report --agreement agreements/hamsaya-accord --record p1 --month 2026-12 --lang ur --out reports
//!   reports/2026-12.ur.html   reports/2026-12.ur.pdf         for people
//!   reports/2026-12.csv       2026-12-commitments.csv  2026-12-coverage.csv   for programs, the same in every language
//! ```
//!
//! Everything is computed here, once, from one judgment; `page` puts it into words, `html` and `pdf` lay the same page
//! out, so that no two languages and no two formats can differ in a number. A period is `[from, to)`: an instance belongs
//! to it if its clock ran in it. Judged as of `to`, by what was known by `known_by` (as of `known_by` if that is earlier: nobody
//! knows then what silence comes to mean); what the evidence that came since `from` changed about earlier verdicts is listed
//! apart.
pub mod html;
pub mod page;

use crate::verdicts::{entry_name, known, reason_code, state_code};
use hamsaya_agreement::{
    Agreement, Change, Cite, Commitment, JudgeError, Judgment, Reason, State, Verdict, judge_explaining,
};
use hamsaya_record::Instant;
use hamsaya_record::logs::Logs;
use hamsaya_record::statement::{FieldValue, MARKINGS};
use std::collections::{BTreeMap, BTreeSet};

/// Kinds of statement by which a sector says what it saw in a day, that it saw nothing, and how it looked.
const REPORTED: &str = "sitrep";
const NIL: &str = "nil_report";
const LOOKED: &str = "coverage";
/// Annex table of the sectors that are to be looked at.
const SECTORS: &str = "sector";
/// Seconds of a day.
const DAY_S: i64 = 86_400;

/// From an instant to another, the second not included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// First instant.
    pub from: Instant,
    /// The instant after the last.
    pub to: Instant,
}

/// How many instances of a commitment stand how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Kept in the period.
    pub kept: usize,
    /// Breached in the period.
    pub breached: usize,
    /// Not settled at its end.
    pub pending: usize,
    /// Hang on what one side alone states.
    pub disputed: usize,
    /// Their ground fell: nothing is owed any more.
    pub discharged: usize,
    /// Breached before the period.
    pub before: usize,
}

/// What became of an instance in the period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)] // As in [`Counts`].
pub enum Fate {
    Breached,
    Disputed,
    Pending,
    Kept,
    Discharged,
    Before,
}

impl Fate {
    /// All, worst first.
    pub const ALL: [Fate; 6] =
        [Fate::Breached, Fate::Disputed, Fate::Pending, Fate::Kept, Fate::Discharged, Fate::Before];

    /// In `locales/`, in CSV and in anchors.
    pub fn code(self) -> &'static str {
        match self {
            Fate::Breached => "breached",
            Fate::Disputed => "disputed",
            Fate::Pending => "pending",
            Fate::Kept => "kept",
            Fate::Discharged => "discharged",
            Fate::Before => "before",
        }
    }

    /// Whether and how an instance belongs to a period.
    fn of(verdict: &Verdict, period: Period) -> Option<Fate> {
        let settled = match verdict.state {
            State::Kept => verdict.kept_at,
            State::Breached => verdict.breached_since,
            State::Pending | State::Disputed => None,
        };
        let is_earlier = settled.is_some_and(|at| at < period.from);
        match verdict.state {
            _ if verdict.opened >= period.to => None,
            State::Breached if is_earlier => Some(Fate::Before),
            _ if is_earlier => None,
            State::Kept if verdict.reason == Reason::Discharged => Some(Fate::Discharged),
            State::Kept => Some(Fate::Kept),
            State::Breached => Some(Fate::Breached),
            State::Pending => Some(Fate::Pending),
            State::Disputed => Some(Fate::Disputed),
        }
    }
}

impl Counts {
    /// Of one fate.
    pub fn of(&self, fate: Fate) -> usize {
        match fate {
            Fate::Breached => self.breached,
            Fate::Disputed => self.disputed,
            Fate::Pending => self.pending,
            Fate::Kept => self.kept,
            Fate::Discharged => self.discharged,
            Fate::Before => self.before,
        }
    }

    fn note(&mut self, fate: Fate) {
        *match fate {
            Fate::Breached => &mut self.breached,
            Fate::Disputed => &mut self.disputed,
            Fate::Pending => &mut self.pending,
            Fate::Kept => &mut self.kept,
            Fate::Discharged => &mut self.discharged,
            Fate::Before => &mut self.before,
        } += 1;
    }

    /// What was owed in the period.
    pub fn owed(&self) -> usize {
        self.kept + self.breached + self.pending + self.disputed
    }

    /// Kept, of what was settled in the period; `None`: nothing was.
    pub fn share(&self) -> Option<(usize, usize)> {
        let settled = self.kept + self.breached;
        (settled > 0).then_some((self.kept, settled))
    }

    /// Implementation as the Peace Accords Matrix grades it (Joshi, Quinn and Regan 2015, "Annualized implementation data
    /// on comprehensive intrastate peace accords"): 0 none, 1 minimal, 2 intermediate, 3 full. Derived: by the share kept
    /// of what was settled in the period, none, less than half, less than all, all.
    pub fn score(&self) -> Option<u8> {
        let (kept, settled) = self.share()?;
        Some(match kept {
            0 => 0,
            _ if kept == settled => 3,
            _ if 2 * kept < settled => 1,
            _ => 2,
        })
    }
}

/// One commitment, or part of one, of which something stood in the period.
#[derive(Clone, Debug)]
pub struct Line {
    /// `C16`, `access`.
    pub commitment: String,
    /// Its part.
    pub part: Option<String>,
    /// `art_4`.
    pub article: String,
    /// Title by language.
    pub title: BTreeMap<String, String>,
    /// How its instances stand.
    pub counts: Counts,
    /// The least time by which one was kept before it was due.
    pub least_margin_s: Option<i64>,
    /// The longest time that one has been overdue at the end of the period.
    pub most_overdue_s: Option<i64>,
}

impl Line {
    /// `C16.access`.
    pub fn name(&self) -> String {
        name(&self.commitment, self.part.as_deref())
    }
}

/// One instance of the period.
#[derive(Clone, Debug)]
pub struct Instance {
    /// What became of it.
    pub fate: Fate,
    /// As it stands.
    pub verdict: Verdict,
}

impl Instance {
    /// Entries behind it, in order, each once.
    pub fn entries(&self) -> BTreeSet<&Cite> {
        let reasons = &self.verdict.reasons;
        reasons.opened_by.iter().chain(&reasons.because).chain(&reasons.disputed).collect()
    }
}

/// Who looked where, on the days of the period that are over; a day is named by the instant at which it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// Sector of the annex.
    pub sector: String,
    /// Whose it is, if the annex says so.
    pub of: Option<String>,
    /// Days of which it reported what it saw.
    pub reported: usize,
    /// Days of which it said that it looked and saw nothing.
    pub nothing_seen: usize,
    /// Days of which it said neither: "nothing" alone, without how it looked, says no more than silence.
    pub not_looked: Vec<Instant>,
}

/// A report as data, the same in every language.
#[derive(Clone, Debug)]
pub struct Report {
    /// Its period.
    pub period: Period,
    /// Judged as of.
    pub as_of: Instant,
    /// By what was known by.
    pub known_by: Instant,
    /// Title of the agreement by language.
    pub title: BTreeMap<String, String>,
    /// Titles of its articles, in order, by address and language.
    pub articles: Vec<(String, BTreeMap<String, String>)>,
    /// The judgment at the end of the period.
    pub judgment: Judgment,
    /// Until when the record goes: the last instant by which an entry is proven to have been there.
    pub record_until: Option<Instant>,
    /// The strictest marking of the entries behind it.
    pub marking: &'static str,
    /// Commitments of which something stood in the period, in the order of the text.
    pub lines: Vec<Line>,
    /// Commitments of which nothing was owed.
    pub idle: Vec<String>,
    /// All together.
    pub counts: Counts,
    /// Instances of the period, in the order of the lines, worst first.
    pub instances: Vec<Instance>,
    /// Verdicts on the time before the period that are not what they were when it began.
    pub revised: Vec<Change>,
    /// Where the agreement names sectors and a kind that says who looked.
    pub observed: Vec<Observed>,
    /// Every entry that is cited.
    pub entries: BTreeSet<Cite>,
}

fn name(commitment: &str, part: Option<&str>) -> String {
    part.map_or(commitment.to_string(), |part| format!("{commitment}.{part}"))
}

impl Report {
    /// Reports on a period of a record.
    pub fn of(agreement: &Agreement, logs: &Logs, period: Period, known_by: Instant) -> Result<Report, JudgeError> {
        let wanted = |verdict: &Verdict| Fate::of(verdict, period).is_some();
        let as_of = period.to.min(known_by);
        let judgment = judge_explaining(agreement, logs, as_of, known_by, wanted)?;
        let place: BTreeMap<(&str, Option<&str>), usize> =
            agreement.commitments().iter().enumerate().map(|(n, c)| ((c.id.as_str(), c.part.as_deref()), n)).collect();
        let at = |v: &Verdict| place.get(&(v.commitment.as_str(), v.part.as_deref())).copied();
        let mut instances: Vec<Instance> = judgment
            .verdicts
            .iter()
            .filter_map(|v| Some(Instance { fate: Fate::of(v, period)?, verdict: v.clone() }))
            .collect();
        instances.sort_by(|a, b| {
            let key = |i: &Instance| (at(&i.verdict), i.fate, i.verdict.opened, i.verdict.label.clone());
            key(a).cmp(&key(b))
        });
        let mut lines: Vec<Line> = Vec::new();
        let mut counts = Counts::default();
        for instance in &instances {
            let verdict = &instance.verdict;
            counts.note(instance.fate);
            let is_same = |line: &Line| line.commitment == verdict.commitment && line.part == verdict.part;
            if !lines.last().is_some_and(is_same) {
                let commitment = at(verdict).map(|n| &agreement.commitments()[n]);
                lines.push(Line {
                    commitment: verdict.commitment.clone(),
                    part: verdict.part.clone(),
                    article: article_of(&verdict.address).to_string(),
                    title: commitment.map(|c| c.title.clone()).unwrap_or_default(),
                    counts: Counts::default(),
                    least_margin_s: None,
                    most_overdue_s: None,
                });
            }
            if let Some(line) = lines.last_mut() {
                line.note(instance, as_of);
            }
        }
        let stood: BTreeSet<String> = lines.iter().map(|line| line.commitment.clone()).collect();
        let mut idle: Vec<String> = Vec::new();
        for Commitment { id, .. } in agreement.commitments() {
            if !stood.contains(id) && idle.last() != Some(id) {
                idle.push(id.clone());
            }
        }
        let entries: BTreeSet<Cite> = instances.iter().flat_map(Instance::entries).cloned().collect();
        let revised = revised(agreement, logs, period, known_by)?;
        let observed = observed(agreement, logs, period, known_by);
        let record_until = (0..logs.entries().len()).filter_map(|n| logs.logged_at(n, known_by)).map(|at| at.hi).max();
        Ok(Report {
            period,
            as_of,
            known_by,
            title: agreement.title().clone(),
            articles: agreement.articles().iter().map(|a| (a.address.clone(), a.title.clone())).collect(),
            record_until,
            marking: marking(logs, &entries, known_by),
            lines,
            idle,
            counts,
            instances,
            revised,
            observed,
            entries,
            judgment,
        })
    }

    /// Sum of the scores of all lines that have one, and the most it could be.
    pub fn score(&self) -> (usize, usize) {
        let scores: Vec<u8> = self.lines.iter().filter_map(|line| line.counts.score()).collect();
        (scores.iter().map(|&score| usize::from(score)).sum(), 3 * scores.len())
    }
}

impl Line {
    fn note(&mut self, instance: &Instance, as_of: Instant) {
        self.counts.note(instance.fate);
        let verdict = &instance.verdict;
        match instance.fate {
            Fate::Kept => {
                let margins = self.least_margin_s.into_iter().chain(verdict.margin_s);
                self.least_margin_s = margins.min();
            }
            Fate::Breached => {
                let overdue = verdict.breached_since.map(|since| as_of.0.saturating_sub(since.0));
                self.most_overdue_s = self.most_overdue_s.into_iter().chain(overdue).max();
            }
            _ => {}
        }
    }
}

/// `art_4__para_16` stands in `art_4`.
fn article_of(address: &str) -> &str {
    address.split("__").next().unwrap_or(address)
}

/// What was judged when the period began, and what is judged of the same instant now.
fn revised(agreement: &Agreement, logs: &Logs, period: Period, known_by: Instant) -> Result<Vec<Change>, JudgeError> {
    let briefly = |_: &Verdict| false;
    let then = judge_explaining(agreement, logs, period.from, period.from, briefly)?;
    let now = judge_explaining(agreement, logs, period.from, known_by, briefly)?;
    let moved: BTreeSet<String> = now
        .changes_since(&then)
        .into_iter()
        .filter_map(|change| change.before.or(change.after))
        .map(|verdict| verdict.label)
        .collect();
    if moved.is_empty() {
        return Ok(Vec::new());
    }
    // Reasons of those alone: finding them costs far more than judging.
    let wanted = |verdict: &Verdict| moved.contains(&verdict.label);
    let then = judge_explaining(agreement, logs, period.from, period.from, wanted)?;
    Ok(judge_explaining(agreement, logs, period.from, known_by, wanted)?.changes_since(&then))
}

/// Derived things carry the highest marking of their inputs.
fn marking(logs: &Logs, cited: &BTreeSet<Cite>, known_by: Instant) -> &'static str {
    let ids: BTreeSet<_> = cited.iter().map(|cite| cite.statement_id).collect();
    let counts = |kind: &str| [REPORTED, NIL, LOOKED].contains(&kind);
    let behind = logs.entries().iter().enumerate().filter(|(n, entry)| {
        ids.contains(&entry.statement_id)
            || counts(&entry.statement.kind) && logs.logged_at(*n, known_by).is_some_and(|at| at.hi <= known_by)
    });
    let rank = |marking: &str| MARKINGS.iter().position(|known| *known == marking).unwrap_or(MARKINGS.len() - 1);
    MARKINGS[behind.map(|(_, entry)| rank(&entry.statement.marking)).max().unwrap_or(0)]
}

/// Per sector and day: reported, looked and saw nothing, or did not look.
fn observed(agreement: &Agreement, logs: &Logs, period: Period, known_by: Instant) -> Vec<Observed> {
    let has = |kind: &str| agreement.kinds().iter().any(|k| k.name == kind);
    let (Some(sectors), true) = (agreement.rows(SECTORS), has(LOOKED)) else { return Vec::new() };
    let mut said: BTreeSet<(&str, &str, &str)> = BTreeSet::new();
    for (n, entry) in logs.entries().iter().enumerate() {
        let statement = &entry.statement;
        let is_known = logs.logged_at(n, known_by).is_some_and(|at| at.hi <= known_by);
        if !is_known || statement.drill || ![REPORTED, NIL, LOOKED].contains(&statement.kind.as_str()) {
            continue;
        }
        if let (Some(FieldValue::Text(sector)), Some(FieldValue::Text(day))) =
            (statement.fields.get("sector_of"), statement.fields.get("day"))
        {
            said.insert((&statement.kind, sector, day));
        }
    }
    // Days that ended in the period; one that ends with it belongs to it.
    let first = period.from.0.div_euclid(DAY_S) + 1;
    let last = period.to.0.min(known_by.0).div_euclid(DAY_S);
    let row = |row: BTreeMap<String, String>| {
        let sector = row.get("id").cloned().unwrap_or_default();
        let of = row.get("of").cloned();
        let mut one = Observed { sector, of, reported: 0, nothing_seen: 0, not_looked: Vec::new() };
        for day in (first..=last).map(|day| Instant(day * DAY_S)) {
            let text = day.to_string();
            let is_said = |kind| said.contains(&(kind, one.sector.as_str(), text.as_str()));
            if is_said(REPORTED) {
                one.reported += 1;
            } else if is_said(NIL) && is_said(LOOKED) {
                one.nothing_seen += 1;
            } else {
                one.not_looked.push(day);
            }
        }
        one
    };
    sectors.into_iter().map(row).collect()
}

/// `p1.example/hamsaya/1 #12; …`.
fn names<'c>(cites: impl IntoIterator<Item = &'c Cite>) -> String {
    let names: Vec<String> = cites.into_iter().map(|c| entry_name(&c.origin, c.index)).collect();
    names.join("; ")
}

fn at(instant: Option<Instant>) -> String {
    instant.map(|i| i.to_string()).unwrap_or_default()
}

fn number<N: ToString>(number: Option<N>) -> String {
    number.map(|n| n.to_string()).unwrap_or_default()
}

/// Every instance of the period, a line each.
pub fn instances_csv(report: &Report) -> csv::Result<Vec<u8>> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record([
        "instance",
        "commitment",
        "part",
        "bearer",
        "fate",
        "state",
        "reason",
        "opened",
        "due",
        "until",
        "kept_at",
        "breached_since",
        "margin_s",
        "opened_by",
        "because",
        "disputed",
    ])?;
    for Instance { fate, verdict: v } in &report.instances {
        csv.write_record([
            v.label.clone(),
            v.commitment.clone(),
            v.part.clone().unwrap_or_default(),
            v.bearer.clone(),
            fate.code().into(),
            state_code(v.state).into(),
            reason_code(v.reason).into(),
            v.opened.to_string(),
            at(v.due),
            at(v.until),
            at(v.kept_at),
            at(v.breached_since),
            number(v.margin_s),
            names(&v.reasons.opened_by),
            names(&v.reasons.because),
            names(&v.reasons.disputed),
        ])?;
    }
    finished(csv)
}

/// Every commitment that stood in the period, a line each.
pub fn commitments_csv(report: &Report) -> csv::Result<Vec<u8>> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record([
        "commitment",
        "part",
        "owed",
        "kept",
        "breached",
        "pending",
        "disputed",
        "discharged",
        "breached_before",
        "least_margin_s",
        "most_overdue_s",
        "score",
    ])?;
    for line in &report.lines {
        let c = line.counts;
        let counts = [c.owed(), c.kept, c.breached, c.pending, c.disputed, c.discharged, c.before];
        let mut record = vec![line.commitment.clone(), line.part.clone().unwrap_or_default()];
        record.extend(counts.map(|n| n.to_string()));
        record.extend([number(line.least_margin_s), number(line.most_overdue_s), number(c.score())]);
        csv.write_record(record)?;
    }
    finished(csv)
}

/// Every sector and day on which nobody looked, after the counts of each sector.
pub fn coverage_csv(report: &Report) -> csv::Result<Vec<u8>> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(["sector", "of", "days_reported", "days_nothing_seen", "days_not_looked", "not_looked_on"])?;
    for one in &report.observed {
        let days: Vec<String> = one.not_looked.iter().map(|day| day.to_string()[..10].to_string()).collect();
        csv.write_record([
            one.sector.clone(),
            one.of.clone().unwrap_or_default(),
            one.reported.to_string(),
            one.nothing_seen.to_string(),
            one.not_looked.len().to_string(),
            days.join(" "),
        ])?;
    }
    finished(csv)
}

fn finished(csv: csv::Writer<Vec<u8>>) -> csv::Result<Vec<u8>> {
    csv.into_inner().map_err(|e| csv::Error::from(std::io::Error::other(e.to_string())))
}

/// When an entry is proven to have been logged: `lo` only where something proves it.
pub fn logged(cite: &Cite) -> (Option<Instant>, Instant) {
    (known(cite.logged_at.lo), cite.logged_at.hi)
}
