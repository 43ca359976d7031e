//! `hamsaya agreement show|check|diff|export|new|cases`.
mod check;
mod diff;
mod export;
mod page;
mod show;

use super::{Format, Outcome};
use crate::agreements;
use crate::complaint::Complaint;
use crate::words::Language;
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use hamsaya_agreement::case::Case;
use hamsaya_record::Instant;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Read an agreement, check it, compare two, run its cases
#[derive(Args)]
pub struct Agreement {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Show its commitments: text in one language, with the rule that a machine runs beside it
    Show {
        /// Folder of the agreement
        dir: PathBuf,
        /// Only this commitment, e.g. C14, or part, e.g. C16.access
        #[arg(long, value_name = "ID")]
        commitment: Option<String>,
        /// Language of the text and of the rule's keywords
        #[arg(long, value_enum, default_value_t)]
        lang: Language,
        /// Also the formula that nodes run
        #[arg(long)]
        formula: bool,
        /// For people or for scripts
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Look for what is wrong before anybody signs: numbers, deadlines, conflicts, loopholes
    ///
    /// What does not compile is an error, exit code 2. Everything else is a warning with its place, and where it takes one
    /// with a trace that shows it, which the judge has confirmed. The search is bounded: what was searched is printed.
    Check {
        /// Folder of the agreement
        dir: PathBuf,
        /// Only these commitments or parts, e.g. C14 or C16.access
        #[arg(long, value_name = "ID")]
        only: Vec<String>,
        /// How many statements are added to the trace that opens a duty
        #[arg(long, default_value_t = 8)]
        depth: usize,
        /// Look for no loopholes
        #[arg(long)]
        no_loopholes: bool,
        /// Exit code 1 if there is a warning
        #[arg(long)]
        strict: bool,
        /// For people or for scripts
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Say what differs between two texts, and which verdicts on a record would be otherwise
    ///
    /// Exit code 1 if something differs. The record is the old text's; under the new one it is judged as if it had been made
    /// under it. Nothing is changed by that.
    Diff {
        /// Folder of the old text
        old: PathBuf,
        /// Folder of the new text
        new: PathBuf,
        /// Folder of a node, or of a copied log, made under the old text; give it again for more
        #[arg(long, value_name = "DIR")]
        record: Vec<PathBuf>,
        /// A made-up year of the Accord in place of a record
        #[arg(long, value_name = "SEED", conflicts_with = "record")]
        year: Option<u64>,
        /// Statements a day of the made-up year
        #[arg(long, value_name = "N", default_value_t = 330, requires = "year")]
        per_day: usize,
        /// Days of the made-up year
        #[arg(long, value_name = "N", default_value_t = 365, requires = "year")]
        days: i64,
        /// Judge as of this instant; default: a day after the last entry
        #[arg(long, value_name = "T")]
        as_of: Option<Instant>,
        /// For people or for scripts
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Write the agreement for machines or for other people's tools, with its digest
    ///
    /// Without a form: one JSON document with texts, rules, formulas, kinds and members.
    Export {
        /// Folder of the agreement
        dir: PathBuf,
        #[command(flatten)]
        form: export::Form,
        /// Only this language of the agreement, e.g. ps
        #[arg(long, value_name = "LANGUAGE")]
        lang: Option<String>,
        /// File to write; default: standard output
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Begin an agreement of your own from a template that compiles
    New {
        /// Folder to make
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
            Verb::Show { dir, commitment, lang, formula, format } => {
                show::show(&agreements::read(dir)?, commitment.as_deref(), *lang, *formula, *format, out)?;
            }
            Verb::Check { dir, only, depth, no_loopholes, strict, format } => {
                let bounds = hamsaya_agreement::check::Bounds {
                    depth: *depth,
                    loopholes: !no_loopholes,
                    only: only.clone(),
                    ..Default::default()
                };
                return check::check(dir, &bounds, *strict, *format, out);
            }
            Verb::Diff { old, new, record, year, per_day, days, as_of, format } => {
                let on = diff::On { record, year: *year, per_day: *per_day, days: *days, as_of: *as_of };
                return diff::diff(&agreements::read(old)?, &agreements::read(new)?, &on, *format, out);
            }
            Verb::Export { dir, form, lang, out: file } => {
                export::export(dir, form, lang.as_deref(), file.as_deref(), out)?;
            }
            Verb::New { dir } => begin(dir, out)?,
            Verb::Cases { paths } => return cases(paths, out),
        }
        Ok(Outcome::NoBreach)
    }
}

/// Copies the template that the binary carries.
fn begin(dir: &Path, out: &mut dyn Write) -> Result<()> {
    if dir.exists() {
        return Err(Complaint::new("the folder is there already")
            .at(dir.display())
            .hint("name a folder that does not exist yet")
            .into());
    }
    agreements::write(&agreements::shipped("template")?, dir)?;
    let digest = crate::verdicts::hex(&agreements::read(dir)?.digest());
    writeln!(out, "{}: an agreement with one duty between two parties and a guarantor", dir.display())?;
    writeln!(out, "digest {digest}")?;
    writeln!(out, "hint: change 02-duties.md, then run `hamsaya agreement check {}`", dir.display())?;
    Ok(())
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
