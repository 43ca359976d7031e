//! `hamsaya agreement show|check|cases`.
use super::{Format, Outcome};
use crate::agreements;
use crate::complaint::Complaint;
use crate::words::Language;
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use hamsaya_agreement::Commitment;
use hamsaya_agreement::case::Case;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Read an agreement, check it, run its cases
#[derive(Args)]
pub struct Agreement {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Show its commitments: text in one language, with the rule that a machine runs
    Show {
        /// Folder of the agreement
        dir: PathBuf,
        /// Only this commitment, e.g. C14
        #[arg(long, value_name = "ID")]
        commitment: Option<String>,
        /// Language of the text
        #[arg(long, value_enum, default_value_t)]
        lang: Language,
        /// For people or for scripts
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Check that it can be read, compiled and judged; what is wrong is printed with its place
    Check {
        /// Folder of the agreement
        dir: PathBuf,
    },
    /// Play literate cases and compare the verdicts; exit code 1 if one is not as expected
    Cases {
        /// Cases, or folders of cases; each names its agreement, which is looked for beside the folder `cases`
        #[arg(default_value = "agreements/cases/good")]
        paths: Vec<PathBuf>,
    },
}

impl Agreement {
    pub fn run(&self, out: &mut dyn Write) -> Result<Outcome> {
        match &self.verb {
            Verb::Show { dir, commitment, lang, format } => {
                let agreement = agreements::read(dir)?;
                let wanted = |c: &&Commitment| commitment.as_ref().is_none_or(|id| *id == c.id);
                let shown: Vec<&Commitment> = agreement.commitments().iter().filter(wanted).collect();
                match format {
                    Format::Json => {
                        let values: Vec<Value> = shown.iter().map(|c| as_json(c)).collect();
                        writeln!(out, "{:#}", json!(values))?;
                    }
                    Format::Text => {
                        for commitment in shown {
                            write!(out, "{}", as_text(commitment, lang.tag()))?;
                        }
                    }
                }
            }
            Verb::Check { dir } => {
                let agreement = agreements::read(dir)?;
                let title = agreement.title().get("en").cloned().unwrap_or_default();
                let parts = agreement.commitments().len();
                let kinds = agreement.kinds().len();
                writeln!(out, "{title}: {parts} commitments and parts, {kinds} kinds of statements, nothing is wrong")?;
                writeln!(out, "digest {}", crate::verdicts::hex(&agreement.digest()))?;
            }
            Verb::Cases { paths } => return cases(paths, out),
        }
        Ok(Outcome::NoBreach)
    }
}

/// Plays every case; says what differs, line by line.
fn cases(paths: &[PathBuf], out: &mut dyn Write) -> Result<Outcome> {
    let mut outcome = Outcome::NoBreach;
    let mut agreements = BTreeMap::new();
    for path in paths.iter().map(|p| files_of(p)).collect::<Result<Vec<_>>>()?.concat() {
        let name = path.display().to_string();
        let source = fs::read_to_string(&path).with_context(|| format!("{name} cannot be read"))?;
        let case = Case::parse(&name, &source)?;
        let folder = beside_cases(&path, &case.agreement)?;
        let agreement = match agreements.entry(folder) {
            Entry::Occupied(read) => read.into_mut(),
            Entry::Vacant(place) => {
                let agreement = agreements::read(place.key())?;
                place.insert(agreement)
            }
        };
        let logs = case.play(&name, agreement)?;
        let mismatches = case.check(agreement, &logs)?;
        let (rows, blocks) = (case.rows.len(), case.expected.len());
        let said = if mismatches.is_empty() { "as expected" } else { "differs" };
        writeln!(out, "{name}: {rows} rows, {blocks} blocks of verdicts, {said}")?;
        for mismatch in mismatches {
            outcome = Outcome::Found;
            writeln!(out, "  {name}:{}", mismatch.line)?;
            for (what, lines) in [("expected", &mismatch.expected), ("found   ", &mismatch.found)] {
                lines.iter().try_for_each(|line| writeln!(out, "    {what} {line}"))?;
            }
        }
    }
    Ok(outcome)
}

fn files_of(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).with_context(|| format!("{} cannot be read", path.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(files_of(&path)?);
        } else {
            files.extend(path.extension().is_some_and(|e| e == "md").then_some(path));
        }
    }
    files.sort();
    Ok(files)
}

/// `agreements/<name>` for `agreements/cases/good/x.md`.
fn beside_cases(case: &Path, name: &str) -> Result<PathBuf> {
    let cases = case.ancestors().find(|a| a.file_name().is_some_and(|n| n == "cases"));
    let folder = cases.and_then(Path::parent).map(|beside| beside.join(name));
    Ok(folder.ok_or_else(|| {
        Complaint::new(format!("the case lies in no folder `cases`, so `{name}` cannot be found beside it"))
            .at(case.display())
    })?)
}

fn name(commitment: &Commitment) -> String {
    match &commitment.part {
        Some(part) => format!("{}.{part}", commitment.id),
        None => commitment.id.clone(),
    }
}

fn as_text(commitment: &Commitment, language: &str) -> String {
    // A text that is missing in this language is shown in English with its tag, never silently.
    let text = match (commitment.text.get(language), commitment.text.get("en")) {
        (Some(text), _) => text.trim().to_string(),
        (None, Some(text)) => format!("[en] {}", text.trim()),
        (None, None) => String::new(),
    };
    let title = commitment.title.get(language).or(commitment.title.get("en")).map(String::as_str).unwrap_or_default();
    let indented = |text: &str| text.lines().map(|l| format!("  {l}\n")).collect::<String>();
    format!(
        "{}  {title}\n{}, severity {}, {}\n\n{}\n{}\n",
        name(commitment),
        commitment.nature,
        commitment.severity,
        commitment.address,
        indented(&text),
        indented(commitment.rule.trim_end()),
    )
}

fn as_json(commitment: &Commitment) -> Value {
    json!({
        "id": commitment.id, "part": commitment.part, "address": commitment.address, "title": commitment.title,
        "text": commitment.text, "rule": commitment.rule, "nature": commitment.nature,
        "severity": commitment.severity, "remedies": commitment.remedies,
    })
}
