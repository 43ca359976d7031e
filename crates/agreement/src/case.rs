//! Literate cases: a story, its entries, and the verdicts expected, on one page.
//!
//! `````text
//! ```scenario
//! start = "2026-11-24T20:00:00Z"
//! agreement = "hamsaya-accord"
//! ```
//! ```trace
//! #1  +0:00  P2 lodged(allegation: "A1", against: "P1") to P1 -- P2 lodges allegation A1.
//! #2  +0:48  P1 ack(allegation: "A1") answers #1 -- P1 acknowledges A1.
//!     +6:00  -- Nothing more is said.
//! ```
//! ```verdicts as_of +6:00
//! C14(A1, P1)   kept   margin 5:12
//! ```
//! `````
//!
//! One source for the case test, the demonstration and the manual. [`Case::play`] plays a case in memory, where everything
//! is logged at the instant of its row; [`Author`] gives the same statements to whoever signs and posts them.
use crate::judgment::{JudgeError, Judgment, State, Verdict, judge_explaining};
use crate::places::e7;
use crate::source::{Agreement, Diagnostic, Diagnostics, act_named};
use hamsaya_record::instant::Instant;
use hamsaya_record::logs::{Cosigned, Entry, LoggedAt, Logs, Signer};
use hamsaya_record::statement::{Act, FieldValue, Occurred, Place, Precision, Reference, Rel, Statement, StatementId};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

/// A case, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Its first heading.
    pub title: String,
    /// Hour 0.
    pub start: Instant,
    /// Folder of the agreement beside `cases`.
    pub agreement: String,
    /// Rows of all traces, in order.
    pub rows: Vec<Row>,
    /// All blocks of verdicts, in order.
    pub expected: Vec<Expected>,
}

/// One line of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// `#13a`, without which the row only moves the clock.
    pub label: Option<String>,
    /// When: everything in it is logged at this instant.
    pub at: Instant,
    /// What is stated.
    pub said: Option<Said>,
    /// Whose log the row's node cosigned, and at which size: `G1 cosigns P1 12`.
    pub cosigned: Option<(String, String, u64)>,
    /// What it does, in one sentence.
    pub narration: String,
    /// Line of the file.
    pub line: usize,
}

/// What a row states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Member whose log holds it, e.g. `G1`.
    pub log: String,
    /// Kind of statement.
    pub kind: String,
    /// Its fields.
    pub fields: BTreeMap<String, FieldValue>,
    /// When its author says that he stated it, if that was not when it was logged.
    pub stated: Option<Instant>,
    /// When it happened.
    pub occurred: Option<Occurred>,
    /// Whose keys sign; the log's own member if none is named.
    pub by: Vec<String>,
    /// Who speaks; the log's own member if nobody else is named.
    pub party: Option<String>,
    /// How it stands to other rows, by label.
    pub refs: Vec<(Rel, String)>,
    /// To whom.
    pub to: Vec<String>,
    /// Where.
    pub place: Option<Place>,
    /// An exercise.
    pub drill: bool,
}

/// Verdicts expected at an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Judged as of.
    pub as_of: Instant,
    /// By what was known by.
    pub known_by: Instant,
    /// Commitments, parts, ids or bearers to which the block keeps; empty: all instances.
    pub of: Vec<String>,
    /// A line an instance, as written.
    pub lines: Vec<String>,
    /// Line of the fence in the file.
    pub line: usize,
}

/// A block of verdicts that is not what the judge says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Line of the fence in the file.
    pub line: usize,
    /// Lines that stand there and that the judge does not say.
    pub expected: Vec<String>,
    /// Lines that the judge says and that do not stand there.
    pub found: Vec<String>,
}

const ROW: &str = "a row reads `#3 +0:48 P1 ack(allegation: \"A1\") answers #2 -- P1 acknowledges A1.`";

impl Case {
    /// Reads a case. `file` is for messages.
    pub fn parse(file: &str, source: &str) -> Result<Case, Diagnostics> {
        let mut problems = Vec::new();
        let mut problem = |line: usize, column: usize, message: String, hint: &str| {
            problems.push(Diagnostic { file: file.into(), line, column, message, hint: Some(hint.into()) });
        };
        let (mut title, mut start, mut agreement) = (String::new(), None, String::new());
        let (mut rows, mut expected) = (Vec::<Row>::new(), Vec::new());
        for (first, word, lines) in fences(source) {
            let mut words = word.split_whitespace();
            match words.next().unwrap_or_default() {
                "scenario" => {
                    for (n, line) in lines.iter().enumerate() {
                        let line = line.split('#').next().unwrap_or_default();
                        let Some((key, value)) = line.split_once('=') else { continue };
                        let value = value.trim().trim_matches('"');
                        match key.trim() {
                            "start" => match value.parse() {
                                Ok(instant) => start = Some(instant),
                                Err(e) => problem(first + 1 + n, 1, format!("start: {e}"), ""),
                            },
                            "agreement" => agreement = value.into(),
                            _ => {}
                        }
                    }
                }
                "trace" => {
                    let Some(start) = start else {
                        problem(
                            first,
                            1,
                            "found a trace before the scenario".into(),
                            "a case begins with ```scenario and its start",
                        );
                        continue;
                    };
                    for (n, line) in lines.iter().enumerate() {
                        if line.trim().is_empty() || line.trim().starts_with("//") {
                            continue;
                        }
                        match row(line, start, first + 1 + n) {
                            Ok(row) => {
                                if let Some(earlier) = rows.iter().find(|r| r.label.is_some() && r.label == row.label) {
                                    let message =
                                        format!("found a second row {}", row.label.clone().unwrap_or_default());
                                    let hint = format!("the first stands in line {}", earlier.line);
                                    problem(row.line, 1, message, &hint);
                                }
                                let refs = row.said.iter().flat_map(|s| &s.refs);
                                for (_, label) in refs {
                                    if !rows.iter().any(|r| r.label.as_ref() == Some(label)) {
                                        let message = format!("found a reference to {label}, which is no earlier row");
                                        problem(row.line, 1, message, "a statement refers to statements before it");
                                    }
                                }
                                rows.push(row);
                            }
                            Err((column, message)) => problem(first + 1 + n, column, message, ROW),
                        }
                    }
                }
                "verdicts" => {
                    let Some(start) = start else {
                        problem(
                            first,
                            1,
                            "found verdicts before the scenario".into(),
                            "a case begins with ```scenario and its start",
                        );
                        continue;
                    };
                    let (mut as_of, mut known_by, mut of) = (None, None, Vec::new());
                    while let Some(key) = words.next() {
                        if key == "of" {
                            of = words.by_ref().map(str::to_string).collect();
                            continue;
                        }
                        let at = words.next().and_then(|t| hours(t, start));
                        match (key, at) {
                            ("as_of", Some(at)) => as_of = Some(at),
                            ("known_by", Some(at)) => known_by = Some(at),
                            _ => problem(
                                first,
                                1,
                                format!("found `{word}`"),
                                "write ```verdicts as_of +48:00 known_by +300:00 of C05",
                            ),
                        }
                    }
                    match as_of {
                        Some(as_of) => expected.push(Expected {
                            as_of,
                            known_by: known_by.unwrap_or(as_of),
                            of,
                            lines: lines.iter().map(|l| l.trim_end().to_string()).filter(|l| !l.is_empty()).collect(),
                            line: first,
                        }),
                        None => {
                            problem(first, 1, "found verdicts without `as_of`".into(), "write ```verdicts as_of +48:00")
                        }
                    }
                }
                _ => {}
            }
        }
        for line in source.lines() {
            if let Some(heading) = line.strip_prefix("# ") {
                title = heading.trim().into();
                break;
            }
        }
        if start.is_none() {
            problem(1, 1, "found no scenario".into(), "a case begins with ```scenario and its start");
        }
        match start {
            Some(start) if problems.is_empty() => Ok(Case { title, start, agreement, rows, expected }),
            _ => Err(Diagnostics(problems)),
        }
    }

    /// Plays the case in memory: every entry is logged at the instant at which it is stated. A statement that does not
    /// fit the agreement's annexes is a fault of the case.
    pub fn play(&self, file: &str, agreement: &Agreement) -> Result<Logs, Diagnostics> {
        let mut author = Author::new(agreement, &origins(agreement));
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        let (mut entries, mut problems) = (Vec::new(), Vec::new());
        for row in &self.rows {
            let Some(said) = &row.said else { continue };
            let statement = match author.statement(row) {
                Ok(statement) => statement,
                Err(message) => {
                    problems.push(at_line(file, row.line, message, ROW));
                    continue;
                }
            };
            if let Err(misfit) = agreement.fits(&statement) {
                let message = format!("{}: found {}, allowed is {}", misfit.field, misfit.found, misfit.allowed);
                problems.push(at_line(file, row.line, message, &misfit.hint));
            }
            let statement_id = StatementId(Sha256::digest(statement.to_payload()).into());
            author.logged(row, &statement, statement_id);
            let signers = said.by.iter().map(|name| Signer {
                keyid: format!("{}.example/node+00000000", name.to_lowercase()),
                node: name.clone(),
                role: if matches!(statement.act, Act::Find | Act::Consent) { "office".into() } else { "node".into() },
            });
            let mut signers: Vec<Signer> = signers.collect();
            signers.sort();
            let index = counts.entry(statement.home.clone()).or_default();
            let origin: Arc<str> = Arc::from(statement.home.as_str());
            entries.push((
                Entry { origin, index: *index, statement_id, statement, signers },
                LoggedAt { lo: row.at, hi: row.at },
            ));
            *index += 1;
        }
        let cosigned = self.rows.iter().filter_map(|row| {
            let (by, log, size) = row.cosigned.clone()?;
            Some(Cosigned { log, by, time: row.at, size })
        });
        let cosigned = cosigned.collect();
        if problems.is_empty() {
            Ok(Logs::with_times(entries).with_cosigned(cosigned))
        } else {
            Err(Diagnostics(problems))
        }
    }

    /// Judges at every block of verdicts; gives the blocks in which the judge says something else.
    pub fn check(&self, agreement: &Agreement, logs: &Logs) -> Result<Vec<Mismatch>, JudgeError> {
        let mut all = Vec::new();
        for block in &self.expected {
            let judgment = judge_explaining(agreement, logs, block.as_of, block.known_by, |_| false)?;
            let plain = |l: &String| l.split_whitespace().collect::<Vec<_>>().join(" ");
            let found: Vec<String> = self.lines_of(&judgment, block).iter().map(plain).collect();
            let expected: Vec<String> = block.lines.iter().map(plain).collect();
            let missing = |all: &[String], from: &[String]| -> Vec<String> {
                let mut left = from.to_vec();
                let mut missing = Vec::new();
                for line in all {
                    match left.iter().position(|l| l == line) {
                        Some(n) => drop(left.remove(n)),
                        None => missing.push(line.clone()),
                    }
                }
                missing
            };
            let (expected, found) = (missing(&expected, &found), missing(&found, &expected));
            if !expected.is_empty() || !found.is_empty() {
                all.push(Mismatch { line: block.line, expected, found });
            }
        }
        Ok(all)
    }

    /// The source with every block of verdicts as the judge says it.
    pub fn blessed(&self, source: &str, agreement: &Agreement, logs: &Logs) -> Result<String, JudgeError> {
        let mut lines: Vec<String> = source.lines().map(str::to_string).collect();
        for block in self.expected.iter().rev() {
            let judgment = judge_explaining(agreement, logs, block.as_of, block.known_by, |_| false)?;
            let end =
                (block.line..lines.len()).find(|n| lines[*n].trim_start().starts_with("```")).unwrap_or(lines.len());
            lines.splice(block.line..end, self.lines_of(&judgment, block));
        }
        Ok(lines.join("\n") + "\n")
    }

    /// A judgment as a block of verdicts shows it, a line an instance, sorted.
    pub fn lines(&self, judgment: &Judgment) -> Vec<String> {
        self.shown(judgment.verdicts.iter())
    }

    fn lines_of(&self, judgment: &Judgment, block: &Expected) -> Vec<String> {
        self.shown(judgment.verdicts.iter().filter(|v| block.keeps(&v.label)))
    }

    fn shown<'v>(&self, verdicts: impl Iterator<Item = &'v Verdict> + Clone) -> Vec<String> {
        let width = verdicts.clone().map(|v| v.label.chars().count()).max().unwrap_or(0);
        let mut lines: Vec<String> = verdicts.map(|v| format!("{:width$}   {}", v.label, self.words(v))).collect();
        lines.sort();
        lines
    }

    fn words(&self, v: &Verdict) -> String {
        let at = |i: Instant| clock(i.0.saturating_sub(self.start.0), true);
        match v.state {
            State::Kept if v.reason == crate::Reason::Discharged => "kept discharged".into(),
            State::Kept => match v.margin_s {
                Some(margin) => format!("kept   margin {}", clock(margin, false)),
                None => "kept".into(),
            },
            State::Breached => match v.breached_since {
                Some(since) => format!("breached since {}", at(since)),
                None => "breached".into(),
            },
            State::Pending => match (v.due, v.until) {
                (Some(due), _) => format!("pending due {}", at(due)),
                (None, Some(until)) => format!("pending until {}", at(until)),
                (None, None) => "pending".into(),
            },
            State::Disputed => "disputed".into(),
        }
    }
}

impl Expected {
    /// Whether an instance belongs to this block: its commitment or part is named, if any is; and so is every id or bearer
    /// that the block names.
    fn keeps(&self, label: &str) -> bool {
        let (head, inner) = label.split_once('(').unwrap_or((label, ""));
        let inner: Vec<&str> = inner.trim_end_matches(')').split(", ").collect();
        let is_commitment =
            |w: &&String| w.strip_prefix('C').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        let (heads, others): (Vec<&String>, Vec<&String>) = self.of.iter().partition(is_commitment);
        let under = |w: &String| head == w || head.strip_prefix(w.as_str()).is_some_and(|rest| rest.starts_with('.'));
        (heads.is_empty() || heads.into_iter().any(under)) && others.iter().all(|w| inner.contains(&w.as_str()))
    }
}

/// A rule that must be refused: a page with an ```` ```accord ```` block and the ```` ```diagnostics ```` that it draws.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadCase {
    /// What stands under `diagnostics`.
    pub expected: String,
    /// Line of that fence.
    pub line: usize,
}

impl BadCase {
    /// Reads a bad case; `None` if it has no diagnostics.
    pub fn parse(source: &str) -> Option<BadCase> {
        let (line, _, lines) = fences(source).into_iter().find(|(_, word, _)| *word == "diagnostics")?;
        Some(BadCase { expected: lines.join("\n"), line })
    }

    /// What is said about the rules of this page when they stand in place of the commitments of the same number in an
    /// agreement.
    pub fn found(file: &str, source: &str, files: &BTreeMap<String, Vec<u8>>) -> String {
        let ids: Vec<&str> = fences(source)
            .into_iter()
            .filter(|(_, word, _)| *word == "accord")
            .flat_map(|(_, _, lines)| lines)
            .filter_map(|l| l.strip_prefix("commitment ")?.split([' ', ':']).next())
            .collect();
        let mut files: BTreeMap<String, Vec<u8>> = files
            .iter()
            .map(|(path, bytes)| match std::str::from_utf8(bytes) {
                Ok(text) if path.ends_with(".md") => (path.clone(), without(text, &ids).into_bytes()),
                _ => (path.clone(), bytes.clone()),
            })
            .collect();
        // The page becomes an article; the two lines that it needs for that take the place of its title.
        let rest: Vec<&str> = source.lines().skip(2).collect();
        let page = format!("# Article 99 {{#art_99}}\n## 1 Case {{#art_99__para_1}}\n{}\n", rest.join("\n"));
        let name = format!("99-{file}");
        files.insert(name.clone(), page.into_bytes());
        match Agreement::parse(&files) {
            Ok(_) => String::new(),
            Err(Diagnostics(mut all)) => {
                all.retain(|d| d.file == name);
                all.iter_mut().for_each(|d| d.file = file.to_string());
                Diagnostics(all).to_string().trim_end().to_string()
            }
        }
    }

    /// The source with the diagnostics as they are.
    pub fn blessed(&self, source: &str, found: &str) -> String {
        let mut lines: Vec<&str> = source.lines().collect();
        let end = (self.line..lines.len()).find(|n| lines[*n].starts_with("```")).unwrap_or(lines.len());
        lines.splice(self.line..end, found.lines());
        lines.join("\n") + "\n"
    }
}

/// An article without some commitments; lines stay where they are.
fn without(text: &str, ids: &[&str]) -> String {
    let mut skipping = false;
    let mut all = String::new();
    for line in text.lines() {
        let word = line.split([' ', '(']).next().unwrap_or_default();
        if ["define", "assert", "commitment", "```"].contains(&word) {
            let id = line.strip_prefix("commitment ").and_then(|l| l.split([' ', ':']).next());
            skipping = id.is_some_and(|id| ids.contains(&id));
        }
        if !skipping {
            all.push_str(line);
        }
        all.push('\n');
    }
    all
}

/// `+162:00`, `-1:30`, `4:48`, `+112:00:01`.
fn clock(seconds: i64, signed: bool) -> String {
    let sign = if seconds < 0 {
        "-"
    } else if signed {
        "+"
    } else {
        ""
    };
    let s = seconds.unsigned_abs();
    let mut text = format!("{sign}{}:{:02}", s / 3600, s / 60 % 60);
    if !s.is_multiple_of(60) {
        let _ = write!(text, ":{:02}", s % 60);
    }
    text
}

/// Origins that the agreement proposes, by member.
pub fn origins(agreement: &Agreement) -> BTreeMap<String, String> {
    let origin = |name: &str| format!("{}.example/hamsaya/1", name.to_lowercase());
    agreement.members().iter().map(|m| (m.name.clone(), m.origin.clone().unwrap_or_else(|| origin(&m.name)))).collect()
}

/// Writes the statements of a case: number, predecessor and references of each follow from the rows before it.
pub struct Author<'a> {
    agreement: &'a Agreement,
    origins: BTreeMap<String, String>,
    sources: BTreeMap<String, (u64, StatementId)>,
    ids: BTreeMap<String, StatementId>,
}

impl<'a> Author<'a> {
    /// An author for logs with these origins, by member.
    pub fn new(agreement: &'a Agreement, origins: &BTreeMap<String, String>) -> Author<'a> {
        Author { agreement, origins: origins.clone(), sources: BTreeMap::new(), ids: BTreeMap::new() }
    }

    /// The statement of a row that states something. Fails, with a message, if the row refers to one that was not logged
    /// or names a log that nobody has.
    pub fn statement(&self, row: &Row) -> Result<Statement, String> {
        let said = row.said.as_ref().ok_or("the row states nothing")?;
        let home = self.origins.get(&said.log).ok_or_else(|| {
            let known = self.origins.keys().cloned().collect::<Vec<_>>().join(", ");
            format!("found the log `{}`, allowed is one of {known}", said.log)
        })?;
        let kind = self.agreement.kinds().iter().find(|k| k.name == said.kind);
        let kind = kind.ok_or_else(|| format!("found the kind `{}`, which is not in annexes/kinds.toml", said.kind))?;
        let party = said.party.as_ref().unwrap_or(&said.log);
        let id = uuid_v7(row.at, row.label.as_deref().unwrap_or_default());
        let mut statement =
            Statement::new(self.agreement.digest(), act_named(&kind.act), &kind.name, &id, party, home, row.at);
        statement.source = said.log.to_lowercase();
        if let Some((seq, prev)) = self.sources.get(&statement.source) {
            statement.seq = seq + 1;
            statement.prev = Some(*prev);
        }
        statement.stated_at = said.stated.unwrap_or(row.at);
        statement.to = said.to.clone();
        statement.occurred_at = said.occurred.clone();
        statement.place = said.place.clone();
        statement.drill = said.drill;
        statement.fields = said.fields.clone();
        for (rel, label) in &said.refs {
            let id =
                self.ids.get(label).ok_or_else(|| format!("found a reference to {label}, which was not logged"))?;
            statement.refs.push(Reference { rel: *rel, id: *id });
        }
        Ok(statement)
    }

    /// Notes that a row's statement was logged: later rows follow and name it.
    pub fn logged(&mut self, row: &Row, statement: &Statement, id: StatementId) {
        self.sources.insert(statement.source.clone(), (statement.seq, id));
        if let Some(label) = &row.label {
            self.ids.insert(label.clone(), id);
        }
    }
}

/// A UUIDv7 that is the same whenever the case is played.
fn uuid_v7(at: Instant, label: &str) -> String {
    let ms = at.0.max(0) as u64 * 1000;
    let random = Sha256::digest(label.as_bytes());
    let mut bytes = [0u8; 16];
    bytes[..6].copy_from_slice(&ms.to_be_bytes()[2..]);
    bytes[6..].copy_from_slice(&random[..10]);
    bytes[6] = 0x70 | bytes[6] & 0x0f;
    bytes[8] = 0x80 | bytes[8] & 0x3f;
    let hex = crate::source::hex(&bytes);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

fn at_line(file: &str, line: usize, message: String, hint: &str) -> Diagnostic {
    Diagnostic { file: file.into(), line, column: 1, message, hint: Some(hint.into()) }
}

/// Fenced blocks: line of the fence, what stands behind it, lines within.
fn fences(source: &str) -> Vec<(usize, &str, Vec<&str>)> {
    let mut all = Vec::new();
    let mut open: Option<(usize, &str, Vec<&str>)> = None;
    for (n, line) in source.lines().enumerate() {
        match (&mut open, line.trim().strip_prefix("```")) {
            (None, Some(word)) => open = Some((n + 1, word.trim(), Vec::new())),
            (Some(_), Some("")) => all.extend(open.take()),
            (Some((_, _, lines)), _) => lines.push(line),
            (None, None) => {}
        }
    }
    all
}

/// `+0:48`, `-148:00`, `+112:00:01`: hours from the start.
fn hours(text: &str, start: Instant) -> Option<Instant> {
    let (sign, rest) = match text.strip_prefix('+') {
        Some(rest) => (1, rest),
        None => (-1, text.strip_prefix('-')?),
    };
    let mut parts = rest.split(':');
    let number = |p: Option<&str>, digits: usize| -> Option<i64> {
        let p = p?;
        (p.len() <= digits && !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit())).then(|| p.parse().ok())?
    };
    let (h, m) = (number(parts.next(), 7)?, number(parts.next(), 2)?);
    let s = match parts.next() {
        Some(s) => number(Some(s), 2)?,
        None => 0,
    };
    (parts.next().is_none() && m < 60 && s < 60).then(|| start.plus(sign * (h * 3600 + m * 60 + s)))
}

/// A row being read: what is left of it.
struct Line<'l> {
    whole: &'l str,
    rest: &'l str,
    start: Instant,
}

type Read<T> = Result<T, (usize, String)>;

impl<'l> Line<'l> {
    fn column(&self) -> usize {
        self.whole[..self.whole.len() - self.rest.len()].chars().count() + 1
    }
    fn fail<T>(&self, allowed: &str) -> Read<T> {
        let found: String = self.rest.chars().take(24).collect();
        let found = if found.is_empty() { "the end of the line".into() } else { format!("`{}`", found.trim_end()) };
        Err((self.column(), format!("found {found}, allowed is {allowed}")))
    }
    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }
    fn peek(&self) -> &'l str {
        let end = self.rest.find(char::is_whitespace).unwrap_or(self.rest.len());
        &self.rest[..end]
    }
    fn word(&mut self) -> &'l str {
        let word = self.peek();
        self.rest = &self.rest[word.len()..];
        self.space();
        word
    }
    fn name(&mut self, allowed: &str) -> Read<&'l str> {
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        if end == 0 {
            return self.fail(allowed);
        }
        let name = &self.rest[..end];
        self.rest = &self.rest[end..];
        Ok(name)
    }
    fn sign(&mut self, sign: char) -> Read<()> {
        self.space();
        match self.rest.strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest;
                self.space();
                Ok(())
            }
            None => self.fail(&format!("`{sign}`")),
        }
    }
    fn time(&mut self) -> Read<Instant> {
        match hours(self.peek(), self.start) {
            Some(at) => {
                self.word();
                Ok(at)
            }
            None => self.fail("hours from the start like `+0:48` or `-148:00`"),
        }
    }
    fn value(&mut self) -> Read<FieldValue> {
        if let Some(rest) = self.rest.strip_prefix('"') {
            let Some(end) = rest.find('"') else { return self.fail("a text closed by `\"`") };
            self.rest = &rest[end + 1..];
            return Ok(FieldValue::Text(rest[..end].into()));
        }
        if let Some(rest) = self.rest.strip_prefix('@') {
            let end = rest.find([',', ')', ' ']).unwrap_or(rest.len());
            let Some(at) = hours(&rest[..end], self.start) else { return self.fail("an instant like `@+572:00`") };
            self.rest = &rest[end..];
            return Ok(FieldValue::Text(at.to_string()));
        }
        let end = self.rest.find([',', ')', ' ']).unwrap_or(self.rest.len());
        let value = match &self.rest[..end] {
            "true" => FieldValue::Bool(true),
            "false" => FieldValue::Bool(false),
            number => match number.parse() {
                Ok(n) => FieldValue::Int(n),
                Err(_) => {
                    return self.fail("a number, a text in double quotes, true, false or an instant like `@+5:00`");
                }
            },
        };
        self.rest = &self.rest[end..];
        Ok(value)
    }
    fn labels(&mut self, rel: Rel, into: &mut Vec<(Rel, String)>) -> Read<()> {
        for label in self.peek().split(',') {
            if !is_label(label) {
                return self.fail("a label like `#2`");
            }
            into.push((rel, label.into()));
        }
        self.word();
        Ok(())
    }
    fn names(&mut self) -> Vec<String> {
        self.word().split(',').filter(|n| !n.is_empty()).map(str::to_string).collect()
    }
    fn degrees(&mut self, limit: i64) -> Read<i64> {
        let end = self.rest.find([',', ' ']).unwrap_or(self.rest.len());
        match e7(&self.rest[..end]).filter(|d| d.abs() <= limit * 10_000_000) {
            Some(degrees) => {
                self.rest = &self.rest[end..];
                Ok(degrees)
            }
            None => self.fail("degrees like `34.1217`, of at most 7 decimals"),
        }
    }
}

fn is_label(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('#') else { return false };
    let letters = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    letters.len() < rest.len() && letters.len() <= 1 && letters.bytes().all(|b| b.is_ascii_lowercase())
}

fn row(line: &str, start: Instant, number: usize) -> Read<Row> {
    let mut l = Line { whole: line, rest: line, start };
    l.space();
    let label = is_label(l.peek()).then(|| l.word().to_string());
    let at = l.time()?;
    let cosigned = cosigned(&mut l)?;
    let said = if l.peek() == "--" { None } else { Some(said(&mut l)?) };
    if l.word() != "--" {
        return l.fail("`--`, then one sentence");
    }
    if label.is_none() && said.is_some() {
        return Err((1, "found a statement without label".into()));
    }
    Ok(Row { label, at, said, cosigned, narration: l.rest.trim().into(), line: number })
}

/// `G1 cosigns P1 12`: who, whose log, at which size.
fn cosigned(l: &mut Line<'_>) -> Read<Option<(String, String, u64)>> {
    let mut words = l.rest.split_whitespace();
    let (Some(by), Some("cosigns")) = (words.next(), words.next()) else { return Ok(None) };
    let (by, log) = (by.to_string(), words.next().unwrap_or_default().to_string());
    l.word();
    l.word();
    l.word();
    match l.peek().parse() {
        Ok(size) => {
            l.word();
            Ok(Some((by, log, size)))
        }
        Err(_) => l.fail("whose log and its size, e.g. `G1 cosigns P1 12`"),
    }
}

fn said(l: &mut Line<'_>) -> Read<Said> {
    let log = l.name("whose log, e.g. `P1`")?.to_string();
    l.space();
    let kind = l.name("a kind with its fields, e.g. `ack(allegation: \"A1\")`")?.to_string();
    let mut fields = BTreeMap::new();
    l.sign('(')?;
    while !l.rest.starts_with(')') {
        let name = l.name("a field's name")?.to_string();
        l.sign(':')?;
        let value = l.value()?;
        if fields.insert(name.clone(), value).is_some() {
            return Err((l.column(), format!("found the field `{name}` twice")));
        }
        l.space();
        if !l.rest.starts_with(')') {
            l.sign(',')?;
        }
    }
    l.sign(')')?;
    let mut said = Said {
        by: Vec::new(),
        log,
        kind,
        fields,
        stated: None,
        occurred: None,
        party: None,
        refs: Vec::new(),
        to: Vec::new(),
        place: None,
        drill: false,
    };
    while l.peek() != "--" {
        match l.word() {
            "occurred" => {
                let (from, to) = match l.peek().split_once("..") {
                    Some((from, to)) => (hours(from, l.start), hours(to, l.start)),
                    None => (hours(l.peek(), l.start), hours(l.peek(), l.start)),
                };
                let (Some(from), Some(to)) = (from, to) else { return l.fail("an interval like `-2:30..-1:30`") };
                if to < from {
                    return l.fail("an interval that ends after it begins");
                }
                l.word();
                said.occurred = Some(Occurred { from, to, precision: Precision::Second, edtf: None });
            }
            "stated" => said.stated = Some(l.time()?),
            "precision" => {
                let precision = match l.peek() {
                    "second" => Precision::Second,
                    "minute" => Precision::Minute,
                    "hour" => Precision::Hour,
                    "day" => Precision::Day,
                    "week" => Precision::Week,
                    _ => return l.fail("second, minute, hour, day or week"),
                };
                l.word();
                match &mut said.occurred {
                    Some(occurred) => occurred.precision = precision,
                    None => return l.fail("`occurred` before `precision`"),
                }
            }
            "by" => said.by = l.names(),
            "party" => said.party = Some(l.word().into()),
            "to" => said.to = l.names(),
            "answers" => l.labels(Rel::Answers, &mut said.refs)?,
            "withdraws" => l.labels(Rel::Withdraws, &mut said.refs)?,
            "confirms" => l.labels(Rel::Confirms, &mut said.refs)?,
            "cites" => l.labels(Rel::Cites, &mut said.refs)?,
            "supersedes" => l.labels(Rel::Supersedes, &mut said.refs)?,
            "same_incident_as" => l.labels(Rel::SameIncidentAs, &mut said.refs)?,
            "drill" => said.drill = true,
            "flash" => drop(said.fields.insert("flash".into(), FieldValue::Bool(true))),
            "at" => {
                let lat = l.degrees(90)?;
                l.sign(',')?;
                let lon = l.degrees(180)?;
                l.space();
                let precision_m = match l.rest.strip_prefix("+-") {
                    Some(rest) => {
                        l.rest = rest.trim_start();
                        match l.peek().trim_end_matches('m').parse::<i64>() {
                            Ok(m) if m >= 0 => m,
                            _ => return l.fail("metres"),
                        }
                    }
                    None => return l.fail("`+-` and metres"),
                };
                l.word();
                said.place =
                    Some(Place { s_e7: lat, n_e7: lat, w_e7: lon, e_e7: lon, precision_m, gazetteer_id: None });
            }
            "box" => {
                let s_e7 = l.degrees(90)?;
                l.sign(',')?;
                let w_e7 = l.degrees(180)?;
                l.sign(',')?;
                let n_e7 = l.degrees(90)?;
                l.sign(',')?;
                let e_e7 = l.degrees(180)?;
                l.space();
                if s_e7 > n_e7 || w_e7 > e_e7 {
                    return l.fail("a box as south, west, north, east");
                }
                said.place = Some(Place { s_e7, w_e7, n_e7, e_e7, precision_m: 0, gazetteer_id: None });
            }
            "" => return l.fail("`--`, then one sentence"),
            other => {
                return Err((
                    l.column(),
                    format!(
                        "found `{other}`, allowed is occurred, precision, stated, by, party, to, answers, withdraws, confirms, cites, supersedes, same_incident_as, at, box, drill or `--`"
                    ),
                ));
            }
        }
    }
    if said.by.is_empty() {
        said.by = vec![said.log.clone()];
    }
    Ok(said)
}
