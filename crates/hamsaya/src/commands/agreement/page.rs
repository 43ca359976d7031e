//! The agreement on one page: every article and paragraph, in one language or in all beside each other, what its rules demand
//! in words, and the rules as nodes run them.
//!
//! ```text
//! 14  Acknowledge                         تأیید دریافت
//!     The accused side acknowledges …     طرف متهم …           each from its own side
//!     Begins  allegation (lodged) …       آغاز  ادعا …         what the rule says, in words of locales/
//!     commitment C14 : result, severity C …
//! ```
//!
//! Nothing runs on the page and nothing is fetched. What is missing in a language is said to be missing, never replaced.
use crate::complaint::Complaint;
use crate::sheet;
use crate::verdicts::hex;
use crate::words::{Language, Words};
use clap::ValueEnum;
use hamsaya_agreement::{Agreement, Begin, Clock, Commitment, Instead, Paragraph, Terms, Whom, translated};
use maud::{Markup, html};
use std::collections::BTreeMap;

use super::show::name;

const STYLE: &str = include_str!("page.css");

/// A language of the agreement, with the words of the page in it; in English, if the project does not speak it.
struct Column {
    tag: String,
    words: Words,
}

impl Column {
    fn of(tag: &str) -> Result<Column, Complaint> {
        let spoken = Language::value_variants().iter().find(|l| l.tag() == tag);
        Ok(Column { tag: tag.into(), words: Words::for_print(spoken.copied().unwrap_or_default())? })
    }

    /// Of the agreement's own text, which may be in a language that has no words here.
    fn dir(&self) -> &'static str {
        let right_to_left = ["ar", "dv", "fa", "he", "ku", "ps", "sd", "ug", "ur", "yi"];
        let language = self.tag.split('-').next().unwrap_or_default();
        if right_to_left.contains(&language) { "rtl" } else { "ltr" }
    }

    fn say(&self, id: &str) -> String {
        self.words.say(id, &[])
    }
}

/// Lays the agreement out in these languages.
pub fn page(agreement: &Agreement, languages: &[&str]) -> Result<String, Complaint> {
    let columns = languages.iter().map(|tag| Column::of(tag)).collect::<Result<Vec<_>, _>>()?;
    let page = Page { agreement, columns: &columns };
    // With several languages the frame is English: each column has its own direction.
    let (lang, dir) = match &columns[..] {
        [one] => (one.tag.as_str(), one.dir()),
        _ => ("en", "ltr"),
    };
    let title = columns.iter().find_map(|c| agreement.title().get(&c.tag));
    Ok(sheet::html(lang, dir, title.map_or("", String::as_str), STYLE, &page.body()))
}

struct Page<'a> {
    agreement: &'a Agreement,
    columns: &'a [Column],
}

impl Page<'_> {
    fn body(&self) -> Markup {
        html! {
            div style=(format!("--n: {}", self.columns.len())) {
                header {
                    h1 { (self.beside(|c| html! { (self.agreement.title().get(&c.tag).map_or("–", String::as_str)) })) }
                    (self.beside(|c| self.facts(c)))
                }
                nav { ol {
                    @for article in self.agreement.articles() {
                        li { a href={ "#" (article.address) } { (self.titled(&article.title)) } }
                    }
                } }
                main {
                    @for article in self.agreement.articles() {
                        section id=(article.address) {
                            h2 { (self.beside(|c| title(c, &article.title, ""))) }
                            @if !article.text.is_empty() {
                                (self.beside(|c| text(c, &article.text, article.drafts.contains(&c.tag))))
                            }
                            @for paragraph in &article.paragraphs { (self.paragraph(paragraph)) }
                        }
                    }
                }
            }
        }
    }

    /// The same in every language, each in a column of its own.
    fn beside(&self, one: impl Fn(&Column) -> Markup) -> Markup {
        html! { div.langs { @for c in self.columns { div lang=(c.tag) dir=(c.dir()) { (one(c)) } } } }
    }

    /// In the first language that has it.
    fn titled<'t>(&self, title: &'t BTreeMap<String, String>) -> &'t str {
        self.columns.iter().find_map(|c| title.get(&c.tag)).map_or("–", String::as_str)
    }

    fn facts(&self, c: &Column) -> Markup {
        let agreement = self.agreement;
        let is_draft = |a: &hamsaya_agreement::Article| {
            a.drafts.contains(&c.tag) || a.paragraphs.iter().any(|p| p.drafts.contains(&c.tag))
        };
        html! {
            @if agreement.articles().iter().any(is_draft) { p.notice { (c.say("reading-draft")) } }
            dl {
                @if let Some(bound) = agreement.in_force() {
                    div { dt { (c.say("reading-in-force")) } dd {
                        (c.words.day(bound)) " " span.instant { (code(&bound.to_string())) }
                    } }
                }
                div { dt { (c.say("reading-members")) } dd {
                    @for (n, member) in agreement.members().iter().enumerate() {
                        @if n > 0 { " · " }
                        (code(&member.name)) " " (c.say(&format!("role-{}", member.role.word())))
                    }
                } }
                div { dt { (c.say("reading-digest")) } dd { (code(&hex(&agreement.digest()))) } }
            }
            p.note { (c.say("reading-folder")) }
        }
    }

    fn paragraph(&self, paragraph: &Paragraph) -> Markup {
        let commitments = self.agreement.commitments().iter().filter(|c| c.address == paragraph.address);
        let commitments: Vec<&Commitment> = commitments.collect();
        let words = self.beside(|c| {
            html! {
                (text(c, &paragraph.text, paragraph.drafts.contains(&c.tag)))
                (self.reading(c, &commitments))
            }
        });
        html! {
            section id=(paragraph.address) {
                h3 { (self.beside(|c| title(c, &paragraph.title, &c.words.number(&paragraph.number)))) }
                @if paragraph.rule.is_empty() {
                    (words)
                } @else if let [c] = self.columns {
                    div.beside { (words) (rule(&paragraph.rule, c)) }
                } @else {
                    (words)
                    pre.rule dir="ltr" lang="en" { (paragraph.rule.trim_end()) }
                }
            }
        }
    }

    /// What the rules under a paragraph demand, in words; the rule says it exactly.
    fn reading(&self, c: &Column, commitments: &[&Commitment]) -> Markup {
        html! {
            @if !commitments.is_empty() {
                dl.reading {
                    @for (n, commitment) in commitments.iter().enumerate() {
                        div.part { dt { (code(&name(commitment))) " " (kind_of_duty(c, commitment)) } }
                        @if let Some(terms) = self.agreement.terms(commitment) { (demands(c, &terms, commitment)) }
                        // What no rule can look at is the commitment's, said once beside its parts.
                        @if let Some(by) = commitment.audited.as_ref().filter(|_| n == 0) {
                            (line(c, "reading-audited", html! { bdi lang="en" { (by) } }))
                        }
                    }
                }
            }
        }
    }
}

fn title(c: &Column, titles: &BTreeMap<String, String>, number: &str) -> Markup {
    html! { @if !number.is_empty() { (number) "\u{2003}" } (titles.get(&c.tag).map_or("–", String::as_str)) }
}

/// A text in its blocks; codes, which stand between backticks, keep their direction.
fn text(c: &Column, texts: &BTreeMap<String, String>, is_draft: bool) -> Markup {
    let Some(text) = texts.get(&c.tag) else { return html! { p.missing { (c.say("reading-missing")) } } };
    html! {
        div.text .draft[is_draft] {
            @for block in text.split("\n\n").filter(|b| !b.trim().is_empty()) {
                p {
                    @for (n, piece) in block.split('`').enumerate() {
                        @if n % 2 == 0 { (piece) } @else { code { (piece) } }
                    }
                }
            }
        }
    }
}

fn code(text: &str) -> Markup {
    html! { bdi.code dir="ltr" { (text) } }
}

fn line(c: &Column, label: &str, value: Markup) -> Markup {
    html! { div { dt { (c.say(label)) } dd { (value) } } }
}

fn kind_of_duty(c: &Column, commitment: &Commitment) -> Markup {
    let severity = c.words.say("reading-severity", &[("severity", &commitment.severity)]);
    html! { @for nature in commitment.nature.split(", ") { "· " (c.say(&format!("nature-{nature}"))) " " } "· " (severity) }
}

fn demands(c: &Column, terms: &Terms, commitment: &Commitment) -> Markup {
    let is_barred = matches!(terms.clock, Clock::BarredForS(_) | Clock::BarredUntil);
    let begins = terms.begins.iter().map(|b| match b {
        Begin::Fact(kind) => fact(c, kind),
        Begin::Tick(tick) => match format!("tick-{tick}") {
            id if c.words.has(&id) => html! { (c.say(&id)) },
            _ => code(tick),
        },
    });
    html! {
        (line(c, "reading-begins", listed(begins)))
        (line(c, "reading-binds", html! { (people(&terms.bearers)) @if terms.jointly { " " (c.say("reading-jointly")) } }))
        @if !terms.toward.is_empty() { (line(c, "reading-toward", people(&terms.toward))) }
        (line(c, if is_barred { "reading-barred" } else { "reading-owed" }, listed(terms.course.iter().map(|k| fact(c, k)))))
        (line(c, "reading-clock", html! { (clock(c, terms.clock)) }))
        @for (name, instead) in &terms.exceptions {
            (line(c, "reading-exception", html! { (code(name)) ": " (instead_of(c, instead)) }))
        }
        @if !terms.lapses.is_empty() { (line(c, "reading-lapses", listed(terms.lapses.iter().map(|k| fact(c, k))))) }
        @if !commitment.remedies.is_empty() {
            (line(c, "reading-remedy", listed(commitment.remedies.iter().map(|r| code(r)))))
        }
    }
}

fn listed(all: impl Iterator<Item = Markup>) -> Markup {
    html! { @for (n, one) in all.enumerate() { @if n > 0 { " · " } (one) } }
}

/// A kind in the reader's words, if there are any, and as rules call it.
fn fact(c: &Column, kind: &str) -> Markup {
    let id = format!("kind-{kind}");
    html! { @if c.words.has(&id) { (c.say(&id)) " " } (code(kind)) }
}

fn people(all: &[Whom]) -> Markup {
    listed(all.iter().map(|whom| match (&whom.filled_by, &whom.said_by) {
        (Some(member), _) => html! { bdi { (member) } },
        (_, Some((kind, field))) => html! { (code(&whom.name)) " (" (code(&format!("{kind}.{field}"))) ")" },
        _ => code(&whom.name),
    }))
}

fn clock(c: &Column, clock: Clock) -> String {
    let lasting = |id: &str, s: i64| c.words.say(id, &[("duration", &c.words.duration(s))]);
    match clock {
        Clock::AtOnce => c.say("clock-at-once"),
        Clock::WithinS(s) => lasting("clock-within", s),
        Clock::BarredForS(0) => c.say("clock-ever"),
        Clock::BarredForS(s) => lasting("clock-for", s),
        Clock::BarredUntil => c.say("clock-until"),
    }
}

fn instead_of(c: &Column, instead: &Instead) -> Markup {
    html! {
        @match instead {
            Instead::Clock(other) => { (clock(c, *other)) }
            Instead::Bearers(others) => { (people(others)) }
            Instead::Nothing => { (c.say("reading-nothing")) }
        }
    }
}

/// The rule with the keywords of the page's language. Names and numbers run from left to right in every language.
fn rule(rule: &str, c: &Column) -> Markup {
    let text = translated(rule.trim_end(), "en", &c.tag);
    if c.dir() == "ltr" || text == rule.trim_end() {
        return html! { pre.rule dir="ltr" { (text) } };
    }
    html! {
        pre.rule dir="rtl" {
            @for line in text.lines() {
                @for (is_latin, piece) in runs(line) {
                    @if is_latin { bdi dir="ltr" { (piece) } } @else { (piece) }
                }
                "\n"
            }
        }
    }
}

/// A line in pieces that run one way; a comment is one. Brackets that a piece leaves open or closes without having opened, and signs at its
/// ends, belong to the line.
fn runs(line: &str) -> Vec<(bool, &str)> {
    let is_arabic = |word: &str| word.chars().any(|c| ('\u{600}'..='\u{6ff}').contains(&c));
    let mut all = Vec::new();
    if line.trim_start().starts_with('#') {
        return vec![(!is_arabic(line), line)];
    }
    let mut rest = line;
    while !rest.is_empty() {
        // Up to the next word in the script of the line.
        let mut end = 0;
        for word in rest.split_inclusive(' ') {
            if is_arabic(word) {
                break;
            }
            end += word.len();
        }
        let (latin, after) = rest.split_at(end);
        let from = latin.len() - latin.trim_start_matches(|c: char| !is_of_a_name(c)).len();
        let (before, inner) = latin.split_at(from);
        let to = inner.trim_end_matches(|c: char| c != ')' && !is_of_a_name(c)).len();
        let to = balanced(&inner[..to]);
        all.extend(
            [(false, before), (true, &inner[..to]), (false, &inner[to..])].into_iter().filter(|(_, p)| !p.is_empty()),
        );
        let own = after.split_inclusive(' ').take_while(|word| is_arabic(word)).map(str::len).sum();
        let (own, next) = after.split_at(own);
        all.extend((!own.is_empty()).then_some((false, own)));
        rest = next;
    }
    all
}

fn is_of_a_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '"' || c == '_'
}

/// Where a piece ends, without brackets that it closes and did not open.
fn balanced(piece: &str) -> usize {
    let mut end = piece.len();
    while piece[..end].ends_with(')') && piece[..end].matches(')').count() > piece[..end].matches('(').count() {
        end -= 1;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_parted_where_its_direction_changes() {
        for (line, pieces) in [
            (
                "  متعهد y   دربرابر x",
                vec![(false, "  "), (false, "متعهد "), (true, "y"), (false, "   "), (false, "دربرابر "), (true, "x")],
            ),
            (
                "باید ack(allegation: a, by: y)  ظرف 6 ساعت",
                vec![
                    (false, "باید "),
                    (true, "ack(allegation: a, by: y)"),
                    (false, "  "),
                    (false, "ظرف "),
                    (true, "6"),
                    (false, " "),
                    (false, "ساعت"),
                ],
            ),
            ("(باری same(entry: e)) و", vec![(false, "(باری "), (true, "same(entry: e)"), (false, ") "), (false, "و")]),
            ("commitment C1", vec![(true, "commitment C1")]),
            ("# Why, in words.", vec![(true, "# Why, in words.")]),
            ("", vec![]),
        ] {
            let found = runs(line);
            assert_eq!(found.iter().map(|(_, p)| *p).collect::<String>(), line);
            assert_eq!(found, pieces, "{line}");
        }
    }
}
