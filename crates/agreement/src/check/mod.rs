//! What can be wrong with an agreement that compiles, looked for before anybody signs.
//!
//! ```text
//! warning: the text in `ps` says `اووه ساعتونو` where `en` says 6 hours
//!   04-territory.md:401:31
//! warning: P1 can put off C15 for ever: each `answered_first` keeps one duty and opens the same duty again
//!   04-territory.md:455:12
//!   #1 +0:00 P2 lodged(allegation: "A1", …) -- P2 states: lodged A1.
//!   …
//! ```
//!
//! [`check`] is deterministic and bounded: it says how many traces it judged, and which duties it could not explore. What it
//! finds it shows as a page that [`crate::judge`] was asked about once more; what it does not find may still be there.
mod numbers;
mod search;
mod ways;

use crate::source::{Agreement, Diagnostics};
use std::collections::BTreeMap;

/// How far the search goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Statements added to the trace that opens a duty.
    pub depth: usize,
    /// Traces judged for one duty, or one pair of duties.
    pub traces_per_duty: usize,
    /// How often a delay must be repeated to be called endless.
    pub rounds: usize,
    /// Look for loopholes, too.
    pub loopholes: bool,
    /// Keep to these commitments or parts, e.g. `C14` or `C16.access`; empty: all.
    pub only: Vec<String>,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds { depth: 8, traces_per_duty: 160, rounds: 4, loopholes: true, only: Vec::new() }
    }
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A number of one text is not that of another, or not the rule's.
    Number,
    /// A text is there in one language and missing in another.
    Translation,
    /// A duty that nothing opens.
    NeverOpens,
    /// A duty that nothing that can be stated keeps.
    Unsatisfiable,
    /// A deadline that cannot be met, given what it depends on.
    Deadline,
    /// Two duties that cannot both be kept.
    Conflict,
    /// A duty that its bearer can escape or put off for ever, alone.
    Loophole,
}

impl Fault {
    /// Its word in reports for machines.
    pub fn word(self) -> &'static str {
        match self {
            Fault::Number => "number",
            Fault::Translation => "translation",
            Fault::NeverOpens => "never_opens",
            Fault::Unsatisfiable => "unsatisfiable",
            Fault::Deadline => "deadline",
            Fault::Conflict => "conflict",
            Fault::Loophole => "loophole",
        }
    }
}

/// A trace that shows a fault: a literate case, with the verdicts that the judge gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// A page that `hamsaya agreement cases` plays.
    pub page: String,
}

/// One fault, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What sort of fault.
    pub fault: Fault,
    /// File within the folder.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, in characters.
    pub column: usize,
    /// What was found.
    pub message: String,
    /// What to do.
    pub hint: String,
    /// The trace that shows it, if it needs one.
    pub witness: Option<Witness>,
}

/// What was looked for, and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Faults, by file and line.
    pub findings: Vec<Finding>,
    /// Texts whose numbers were compared.
    pub texts: usize,
    /// Commitments and parts that a clock governs.
    pub duties: usize,
    /// Traces that were judged.
    pub traces: usize,
    /// Duties that were not explored, and what stood in the way.
    pub unexplored: BTreeMap<String, String>,
    /// Duties that do not bind where their exception's ground is stated: duty, exception, kinds.
    pub excused: Vec<(String, String, String)>,
}

/// Checks a folder, by path within it. Fails if it does not compile.
pub fn check(files: &BTreeMap<String, Vec<u8>>, bounds: &Bounds) -> Result<Report, Diagnostics> {
    let agreement = Agreement::parse(files)?;
    let mut findings = Vec::new();
    let texts = numbers::check(&agreement, files, &mut findings);
    let mut search = search::Search::new(&agreement, bounds);
    search.run(&mut findings);
    let excused = search.excuses();
    findings.sort_by(|a, b| (&a.file, a.line, a.column, a.fault).cmp(&(&b.file, b.line, b.column, b.fault)));
    let (duties, traces, unexplored) = (search.parts.len(), search.traces, search.unexplored);
    Ok(Report { findings, texts, duties, traces, unexplored, excused })
}
