//! `hamsaya agreement show`: what people read, beside what nodes run.
//!
//! ```text
//! C14  Acknowledge
//! result, severity C, art_4__para_14
//!
//!   The accused party acknowledges an allegation      commitment C14 : result, severity C
//!   within six hours, or within one hour when it is      opens      lodged(allegation: a, by: x, against: y)
//! ```
//!
//! In Dari, Pashto and Urdu the rule stands under the text: terminals lay out lines of both directions side by side each in
//! its own way.
use crate::commands::Format;
use crate::complaint::Complaint;
use crate::words::Language;
use anyhow::Result;
use hamsaya_agreement::{Agreement, Commitment};
use serde_json::{Value, json};
use std::io::Write;

const TEXT_WIDTH: usize = 56;

pub fn show(
    agreement: &Agreement,
    only: Option<&str>,
    language: Language,
    formula: bool,
    format: Format,
    out: &mut dyn Write,
) -> Result<()> {
    let wanted = |c: &&Commitment| only.is_none_or(|id| id == c.id || id == name(c));
    let shown: Vec<&Commitment> = agreement.commitments().iter().filter(wanted).collect();
    if let (Some(id), true) = (only, shown.is_empty()) {
        let mut ids: Vec<&str> = agreement.commitments().iter().map(|c| c.id.as_str()).collect();
        ids.dedup();
        return Err(Complaint::new(format!("no commitment is called `{id}`, found are {}", ids.join(" ")))
            .at("--commitment")
            .hint("name a commitment like C14, or one of its parts like C16.access")
            .into());
    }
    if format == Format::Json {
        let values: Vec<Value> = shown.iter().map(|c| as_json(agreement, c, formula)).collect();
        writeln!(out, "{:#}", json!(values))?;
        return Ok(());
    }
    let mut last = "";
    for commitment in shown {
        // The parts of a commitment share text and rule.
        if last != commitment.id {
            write!(out, "{}", as_text(commitment, language))?;
            last = &commitment.id;
        }
        for formula in agreement.formulas(commitment).iter().filter(|_| formula) {
            writeln!(out, "{}", indented(formula))?;
        }
    }
    Ok(())
}

/// `C16.access`.
pub fn name(commitment: &Commitment) -> String {
    match &commitment.part {
        Some(part) => format!("{}.{part}", commitment.id),
        None => commitment.id.clone(),
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|l| format!("  {l}\n")).collect()
}

fn as_text(commitment: &Commitment, language: Language) -> String {
    let tag = language.tag();
    // A text that is missing in this language is shown in English with its tag, never silently.
    let text = match (commitment.text.get(tag), commitment.text.get("en")) {
        (Some(text), _) => text.trim().to_string(),
        (None, Some(text)) => format!("[en] {}", text.trim()),
        (None, None) => String::new(),
    };
    let title = commitment.title.get(tag).or(commitment.title.get("en")).map(String::as_str).unwrap_or_default();
    let rule = commitment.rule_in(tag);
    let body = match language {
        Language::En => beside(&text, rule.trim_end()),
        _ => format!("{}\n{}", indented(&text), indented(rule.trim_end())),
    };
    format!(
        "{}  {title}\n{}, severity {}, {}\n\n{body}\n",
        commitment.id, commitment.nature, commitment.severity, commitment.address,
    )
}

/// Text in a column, the rule in another.
fn beside(text: &str, rule: &str) -> String {
    let mut left = Vec::new();
    for paragraph in text.split("\n\n") {
        if !left.is_empty() {
            left.push(String::new());
        }
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > TEXT_WIDTH {
                left.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line += word;
        }
        left.push(line);
    }
    let right: Vec<&str> = rule.lines().collect();
    let rows = left.len().max(right.len());
    let mut all = String::new();
    for n in 0..rows {
        let (text, rule) = (left.get(n).map_or("", String::as_str), right.get(n).copied().unwrap_or_default());
        let row = format!("  {text:TEXT_WIDTH$}    {rule}");
        all += row.trim_end();
        all.push('\n');
    }
    all
}

pub fn as_json(agreement: &Agreement, commitment: &Commitment, formula: bool) -> Value {
    let mut value = json!({
        "id": commitment.id, "part": commitment.part, "address": commitment.address, "title": commitment.title,
        "text": commitment.text, "rule": commitment.rule, "nature": commitment.nature,
        "severity": commitment.severity, "remedies": commitment.remedies, "audited": commitment.audited,
    });
    if formula {
        value["formulas"] = json!(agreement.formulas(commitment));
    }
    value
}
