//! A report in words: one page, laid out by `html` and `pdf` alike.
//!
//! ```text
//! Cell { text: "C14(A1, P1)", is_code: true, links: [] }      a code: left to right, digits as they are
//! Cell { text: "۱۴", links: ["C14-kept"], … }                 a number of prose, which leads to what is behind it
//! ```
//!
//! Every code, instant, digest and entry name is a cell of its own, so that nothing can turn it round inside a line that
//! runs from right to left.
use super::{DAY_S, Fate, Instance, Line, Report, logged};
use crate::verdicts::{Row as Stands, entry_name, hex};
use crate::words::Words;
use hamsaya_agreement::{Because, Cite};
use hamsaya_record::Instant;
use std::collections::BTreeMap;

/// A report as it is laid out.
#[derive(Clone, Debug)]
pub struct Page {
    /// As BCP 47 writes it.
    pub lang: &'static str,
    /// `rtl` or `ltr`.
    pub dir: &'static str,
    pub title: String,
    /// Of the agreement.
    pub subtitle: String,
    /// What must stand over everything: marking, words that nobody has read yet, a record that ends too early.
    pub marking: String,
    pub notices: Vec<String>,
    /// Name and value.
    pub facts: Vec<(String, Vec<Cell>)>,
    pub sections: Vec<Section>,
}

/// A heading and what stands under it.
#[derive(Clone, Debug)]
pub struct Section {
    pub id: String,
    pub heading: String,
    pub lead: Vec<String>,
    /// Commands to be typed.
    pub commands: Vec<String>,
    pub table: Option<Table>,
}

/// Rows under a head.
#[derive(Clone, Debug)]
pub struct Table {
    pub head: Vec<Head>,
    pub rows: Vec<Row>,
}

/// A column.
#[derive(Clone, Debug)]
pub struct Head {
    pub text: String,
    /// Of numbers, which stand at the end of their column.
    pub is_number: bool,
}

/// A row, or a heading over rows if it has one cell alone.
#[derive(Clone, Debug)]
pub struct Row {
    /// To which links lead.
    pub id: Option<String>,
    pub is_heading: bool,
    pub cells: Vec<Vec<Cell>>,
}

/// A piece of text.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    pub text: String,
    /// Left to right, in all languages.
    pub is_code: bool,
    /// Where it leads, within the page.
    pub link: Option<String>,
    /// For colour, which never says anything alone: `kept breached pending disputed`.
    pub state: Option<&'static str>,
}

fn prose(text: impl Into<String>) -> Cell {
    Cell { text: text.into(), ..Cell::default() }
}

fn code(text: impl Into<String>) -> Cell {
    Cell { text: text.into(), is_code: true, ..Cell::default() }
}

impl Cell {
    fn leads_to(self, anchor: String) -> Cell {
        Cell { link: Some(anchor), ..self }
    }
}

/// `p1.example/hamsaya/1 #12` as an anchor.
fn anchor(cite: &Cite) -> String {
    format!("entry-{}-{}", cite.origin.replace(|c: char| !c.is_ascii_alphanumeric(), "-"), cite.index)
}

fn anchor_of(line: &str, fate: Fate) -> String {
    format!("{line}-{}", fate.code())
}

impl Page {
    /// Puts a report into words.
    pub fn of(report: &Report, words: &Words) -> Page {
        let wording = Wording { report, words };
        let language = words.language();
        let mut notices = Vec::new();
        if language.is_right_to_left() {
            notices.push(words.say("report-draft", &[]));
        }
        if report.record_until.is_none_or(|until| until < report.period.to) {
            notices.push(words.say("report-record-short", &[]));
        }
        Page {
            lang: language.tag(),
            dir: if language.is_right_to_left() { "rtl" } else { "ltr" },
            title: words.say("report-title", &[]),
            subtitle: wording.titled(&report.title),
            marking: report.marking.to_string(),
            notices,
            facts: wording.facts(),
            sections: vec![
                wording.summary(),
                wording.commitments(),
                wording.observed(),
                wording.revised(),
                wording.instances(),
                wording.entries(),
                wording.check(),
            ],
        }
    }
}

struct Wording<'a> {
    report: &'a Report,
    words: &'a Words,
}

impl Wording<'_> {
    fn say(&self, id: &str) -> String {
        self.words.say(id, &[])
    }

    fn section(&self, id: &str, lead: Vec<String>, table: Option<Table>) -> Section {
        Section { id: id.into(), heading: self.say(&format!("report-{id}")), lead, commands: Vec::new(), table }
    }

    /// In the reader's language, or in the first that there is.
    fn titled(&self, title: &BTreeMap<String, String>) -> String {
        let own = title.get(self.words.language().tag()).or_else(|| title.get("en"));
        own.or_else(|| title.values().next()).cloned().unwrap_or_default()
    }

    fn head(&self, columns: &[(&str, bool)]) -> Vec<Head> {
        columns.iter().map(|&(id, is_number)| Head { text: self.say(id), is_number }).collect()
    }

    fn facts(&self) -> Vec<(String, Vec<Cell>)> {
        let report = self.report;
        let period = report.period;
        let days = self.words.say(
            "report-period",
            &[("from", &self.words.day(period.from)), ("to", &self.words.day(period.to.plus(-1)))],
        );
        let logs: Vec<Cell> = report
            .judgment
            .heads
            .iter()
            .map(|head| code(format!("{}  {}  {}", head.origin, head.size, hex(&head.root))))
            .collect();
        let instant = |i: Instant| vec![code(i.to_string())];
        let mut facts = vec![
            ("report-from-to", vec![prose(days), code(format!("{} / {}", period.from, period.to))]),
            ("report-judged", instant(report.as_of)),
            ("report-known-by", instant(report.known_by)),
        ];
        if let Some(until) = report.record_until {
            facts.push(("report-record-until", instant(until)));
        }
        facts.extend([
            ("report-agreement", vec![code(hex(&report.judgment.agreement))]),
            ("report-judgment", vec![code(hex(&report.judgment.digest()))]),
            ("report-logs", logs),
        ]);
        facts.into_iter().map(|(id, cells)| (self.say(id), cells)).collect()
    }

    fn summary(&self) -> Section {
        let (counts, words) = (self.report.counts, self.words);
        let number = |n: usize| words.number(n);
        let mut lead = Vec::new();
        if counts.owed() == 0 {
            lead.push(self.say("report-summary-nothing"));
        } else {
            lead.push(words.say(
                "report-summary-lead",
                &[
                    ("owed", &number(counts.owed())),
                    ("kept", &number(counts.kept)),
                    ("breached", &number(counts.breached)),
                    ("pending", &number(counts.pending)),
                    ("disputed", &number(counts.disputed)),
                ],
            ));
        }
        let (score, most) = self.report.score();
        if most > 0 {
            lead.push(words.say("report-summary-score", &[("score", &number(score)), ("most", &number(most))]));
        }
        lead.push(self.say("report-of-entries"));
        let code_and_name = [("utc", "UTC"), ("z", "Z")];
        lead.push(words.say("report-instants", &code_and_name));
        let fates = Fate::ALL.iter().filter(|fate| counts.of(**fate) > 0);
        let rows = fates.map(|&fate| Row {
            id: None,
            is_heading: false,
            cells: vec![
                vec![self.fate(fate)],
                vec![prose(number(counts.of(fate))).leads_to(format!("fate-{}", fate.code()))],
            ],
        });
        let head = vec![Head { text: String::new(), is_number: false }, Head { text: String::new(), is_number: true }];
        let table = Table { head, rows: rows.collect() };
        self.section("summary", lead, (!table.rows.is_empty()).then_some(table))
    }

    fn fate(&self, fate: Fate) -> Cell {
        let state = match fate {
            Fate::Breached | Fate::Before => "breached",
            Fate::Disputed => "disputed",
            Fate::Pending => "pending",
            Fate::Kept | Fate::Discharged => "kept",
        };
        Cell { state: Some(state), ..prose(self.say(&format!("fate-{}", fate.code()))) }
    }

    fn commitments(&self) -> Section {
        let words = self.words;
        let mut lead = vec![self.say("report-commitments-score")];
        if !self.report.idle.is_empty() {
            let idle = self.report.idle.join(", ");
            lead.push(words.say("report-idle", &[("commitments", &idle)]));
        }
        let head = self.head(&[
            ("col-commitment", false),
            ("report-owed", true),
            ("fate-kept", true),
            ("fate-breached", true),
            ("fate-pending", true),
            ("fate-disputed", true),
            ("fate-discharged", true),
            ("fate-before", true),
            ("col-share", true),
            ("col-margin", false),
            ("col-overdue", false),
            ("col-score", true),
        ]);
        let mut rows = Vec::new();
        let mut article = "";
        for line in &self.report.lines {
            if line.article != article {
                article = &line.article;
                let title = self.report.articles.iter().find(|(address, _)| address == article);
                let text = title.map(|(_, title)| self.titled(title)).unwrap_or_default();
                let number = article.trim_start_matches("art_").to_string();
                rows.push(Row {
                    id: None,
                    is_heading: true,
                    cells: vec![vec![prose(format!("{} · {text}", words.number(number)))]],
                });
            }
            rows.push(self.line(line));
        }
        self.section("commitments", lead, Some(Table { head, rows }))
    }

    fn line(&self, line: &Line) -> Row {
        let (words, counts, name) = (self.words, line.counts, line.name());
        let none = || vec![prose("–")];
        let count = |fate: Fate| match counts.of(fate) {
            0 => none(),
            n => vec![prose(words.number(n)).leads_to(anchor_of(&name, fate))],
        };
        let length = |seconds: Option<i64>| seconds.map_or_else(none, |s| vec![prose(words.duration(s))]);
        let share = counts.share().map_or_else(none, |(kept, settled)| {
            // One number: isolates inside it would part it from its sign.
            let said = words.say("percent", &[("n", &words.number(100 * kept / settled))]);
            vec![prose(said.replace(['\u{2068}', '\u{2069}'], ""))]
        });
        Row {
            id: Some(name.clone()),
            is_heading: false,
            cells: vec![
                vec![code(name.clone()), prose(self.titled(&line.title))],
                vec![prose(words.number(counts.owed()))],
                count(Fate::Kept),
                count(Fate::Breached),
                count(Fate::Pending),
                count(Fate::Disputed),
                count(Fate::Discharged),
                count(Fate::Before),
                share,
                length(line.least_margin_s),
                length(line.most_overdue_s),
                counts.score().map_or_else(none, |score| vec![prose(words.number(score))]),
            ],
        }
    }

    fn observed(&self) -> Section {
        let observed = &self.report.observed;
        let mut lead = vec![self.say("report-observed-lead")];
        let days = observed.iter().map(|o| o.reported + o.nothing_seen + o.not_looked.len()).max().unwrap_or(0);
        if days == 0 {
            lead.push(self.say("report-observed-none"));
            return self.section("observed", lead, None);
        }
        let head = self.head(&[
            ("col-sector", false),
            ("col-party", false),
            ("col-reported", true),
            ("col-nothing-seen", true),
            ("col-not-looked", true),
            ("col-not-looked-on", false),
        ]);
        let number = |n: usize| vec![prose(self.words.number(n))];
        let rows = observed.iter().map(|one| Row {
            id: None,
            is_heading: false,
            cells: vec![
                vec![code(&one.sector)],
                vec![code(one.of.clone().unwrap_or_default())],
                number(one.reported),
                number(one.nothing_seen),
                number(one.not_looked.len()),
                spans(&one.not_looked).into_iter().map(code).collect(),
            ],
        });
        let table = Table { head, rows: rows.collect() };
        self.section("observed", lead, Some(table))
    }

    fn revised(&self) -> Section {
        let mut lead = vec![self.say("report-revised-lead")];
        if self.report.revised.is_empty() {
            lead.push(self.say("report-revised-none"));
            return self.section("revised", lead, None);
        }
        let head = self.head(&[("col-instance", false), ("col-was", false), ("col-is", false), ("col-because", false)]);
        let state = |verdict: &Option<hamsaya_agreement::Verdict>| match verdict {
            Some(verdict) => {
                let row = Stands::of(verdict);
                vec![prose(row.said(self.words).0)]
            }
            None => vec![prose(self.say("fell-away"))],
        };
        let rows = self.report.revised.iter().map(|change| {
            let label = change.after.as_ref().or(change.before.as_ref()).map(|v| v.label.clone()).unwrap_or_default();
            let because = match &change.because {
                Because::Clock => vec![prose(self.say("because-clock"))],
                Because::Entries(cites) => self.cites(cites.iter()),
            };
            let cells = vec![vec![code(label)], state(&change.before), state(&change.after), because];
            Row { id: None, is_heading: false, cells }
        });
        let table = Table { head, rows: rows.collect() };
        self.section("revised", lead, Some(table))
    }

    /// Names of entries, each leading to its row if it has one.
    fn cites<'c>(&self, cites: impl Iterator<Item = &'c Cite>) -> Vec<Cell> {
        let cell = |cite: &Cite| {
            let cell = code(entry_name(&cite.origin, cite.index));
            if self.report.entries.contains(cite) { cell.leads_to(anchor(cite)) } else { cell }
        };
        cites.map(cell).collect()
    }

    fn instances(&self) -> Section {
        let head =
            self.head(&[("col-instance", false), ("col-when", false), ("col-why", false), ("col-entries", false)]);
        let mut rows = Vec::new();
        for fate in Fate::ALL {
            let mut line = String::new();
            for instance in self.report.instances.iter().filter(|i| i.fate == fate) {
                if line.is_empty() {
                    rows.push(Row {
                        id: Some(format!("fate-{}", fate.code())),
                        is_heading: true,
                        cells: vec![vec![self.fate(fate)]],
                    });
                }
                let name = super::name(&instance.verdict.commitment, instance.verdict.part.as_deref());
                let mut row = self.instance(instance);
                if name != line {
                    row.id = Some(anchor_of(&name, fate));
                    line = name;
                }
                rows.push(row);
            }
        }
        let table = (!rows.is_empty()).then_some(Table { head, rows });
        self.section("instances", Vec::new(), table)
    }

    fn instance(&self, instance: &Instance) -> Row {
        let stands = Stands::of(&instance.verdict);
        let when = stands.when(self.words, self.report.as_of);
        let why = stands.said(self.words).1;
        Row {
            id: None,
            is_heading: false,
            cells: vec![
                vec![code(&instance.verdict.label)],
                vec![prose(when)],
                vec![prose(why)],
                self.cites(instance.entries().into_iter()),
            ],
        }
    }

    fn entries(&self) -> Section {
        let head = self.head(&[
            ("col-entry", false),
            ("col-party", false),
            ("col-kind", false),
            ("col-logged", false),
            ("col-statement", false),
        ]);
        let rows = self.report.entries.iter().map(|cite| {
            let kind = format!("kind-{}", cite.kind);
            let kind = if self.words.has(&kind) { prose(self.say(&kind)) } else { code(&cite.kind) };
            let (lo, hi) = logged(cite);
            let lo = lo.map_or("…".to_string(), |lo| lo.to_string());
            Row {
                id: Some(anchor(cite)),
                is_heading: false,
                cells: vec![
                    vec![code(entry_name(&cite.origin, cite.index))],
                    vec![code(&cite.party)],
                    vec![kind],
                    vec![code(format!("{lo} / {hi}"))],
                    vec![code(cite.statement_id.to_string())],
                ],
            }
        });
        let rows: Vec<Row> = rows.collect();
        let table = (!rows.is_empty()).then_some(Table { head, rows });
        self.section("entries", vec![self.say("report-entries-lead")], table)
    }

    fn check(&self) -> Section {
        let report = self.report;
        let judge = format!(
            "hamsaya judge --agreement DIR --record DIR --as-of {} --known-by {}",
            report.as_of, report.known_by
        );
        let some = report.entries.first().map_or("LOG#N".to_string(), |c| format!("{}#{}", c.origin, c.index));
        Section {
            commands: vec![judge, format!("hamsaya record exhibit DIR {some} && hamsaya verify *.exhibit.zip")],
            ..self.section("check", vec![self.say("report-check-judge"), self.say("report-check-entry")], None)
        }
    }
}

/// Days, those that follow each other as one: `2026-12-01…2026-12-04`.
fn spans(days: &[Instant]) -> Vec<String> {
    let date = |day: Instant| day.to_string()[..10].to_string();
    days.chunk_by(|a, b| b.0 - a.0 == DAY_S)
        .filter_map(|run| match run {
            [] => None,
            [one] => Some(date(*one)),
            [first, .., last] => Some(format!("{}…{}", date(*first), date(*last))),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_that_follow_each_other_are_said_as_one() {
        let day = |n: i64| Instant(n * 86_400);
        assert_eq!(spans(&[day(0), day(1), day(2), day(5)]), ["1970-01-01…1970-01-03", "1970-01-06"]);
        assert!(spans(&[]).is_empty());
    }
}
