//! `hamsaya report`: what was owed in a period, and what became of it.
use super::Outcome;
use crate::agreements;
use crate::complaint::Complaint;
use crate::report::page::Page;
use crate::report::{self, Period, Report as Data};
use crate::sheet::pdf;
use crate::verdicts::hex;
use crate::words::{Language, Words};
use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use hamsaya_record::Instant;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Report on a period: what was owed, kept, breached, disputed; where nobody looked; which earlier verdicts changed
///
/// Writes into a folder a page to read (HTML and PDF, in each language asked for) and tables for programs (CSV, the same in
/// every language). Every number leads to the instances behind it, every instance to its entries. Reads copies of the logs
/// as `hamsaya judge` does, checks them all, and never needs a node.
#[derive(Args)]
pub struct Report {
    /// Folder of the agreement
    #[arg(long, value_name = "DIR")]
    agreement: PathBuf,
    /// Folder of a node, or of a copied log; give it again for more
    #[arg(long, value_name = "DIR", required = true)]
    record: Vec<PathBuf>,
    /// The month, e.g. 2026-12
    #[arg(long, value_name = "YYYY-MM", conflicts_with_all = ["from", "to"], required_unless_present = "from")]
    month: Option<String>,
    /// First instant of the period, e.g. 2026-12-01T00:00:00Z
    #[arg(long, value_name = "T", requires = "to")]
    from: Option<Instant>,
    /// The instant after its last
    #[arg(long, value_name = "T", requires = "from")]
    to: Option<Instant>,
    /// Use only what is proven to have been logged by this instant; default: the end of the period
    #[arg(long, value_name = "T")]
    known_by: Option<Instant>,
    /// Language of the page; give it again for more
    #[arg(long, value_enum, default_values_t = [Language::En])]
    lang: Vec<Language>,
    /// What to write; give it again for more, default: all
    #[arg(long, value_enum)]
    format: Vec<Kind>,
    /// Folder that the files are written into
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
}

/// What a report is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// One page for a browser
    Html,
    /// The same page for paper
    Pdf,
    /// Tables for programs
    Csv,
}

impl Report {
    pub fn run(&self, out: &mut dyn Write) -> Result<Outcome> {
        let (period, name) = self.period()?;
        let (agreement, logs) = agreements::read_with_record(&self.agreement, &self.record)?;
        let report = Data::of(&agreement, &logs, period, self.known_by.unwrap_or(period.to))?;
        fs::create_dir_all(&self.out).with_context(|| format!("{} cannot be made", self.out.display()))?;
        let wants = |kind| self.format.is_empty() || self.format.contains(&kind);
        let no_browser = || pdf::no_browser("--format pdf", "--format html --format csv need none");
        let browser = if wants(Kind::Pdf) { Some(pdf::browser().ok_or_else(no_browser)?) } else { None };
        let mut files: Vec<(String, Vec<u8>)> = Vec::new();
        for &language in &self.lang {
            let page = Page::of(&report, &Words::for_print(language)?);
            let tag = language.tag();
            let html = report::html::html(&page);
            if let Some(browser) = &browser {
                files.push((format!("{name}.{tag}.pdf"), pdf::pdf(browser, &html)?));
            }
            if wants(Kind::Html) {
                files.push((format!("{name}.{tag}.html"), html.into_bytes()));
            }
        }
        if wants(Kind::Csv) {
            files.push((format!("{name}.csv"), report::instances_csv(&report)?));
            files.push((format!("{name}-commitments.csv"), report::commitments_csv(&report)?));
            files.push((format!("{name}-coverage.csv"), report::coverage_csv(&report)?));
        }
        for (name, bytes) in files {
            let path = self.out.join(name);
            write_whole(&path, &bytes).with_context(|| format!("{} cannot be written", path.display()))?;
            writeln!(out, "{}", path.display())?;
        }
        writeln!(out, "digest {}", hex(&report.judgment.digest()))?;
        Ok(if report.counts.breached > 0 { Outcome::Found } else { Outcome::NoBreach })
    }

    /// The period, and what its files are called.
    fn period(&self) -> Result<(Period, String)> {
        let (from, to, name) = match (&self.month, self.from, self.to) {
            (Some(month), ..) => {
                let (from, to) = month_of(month).ok_or_else(|| {
                    Complaint::new(format!("`{month}` is no month, allowed is a year and a month like 2026-12"))
                        .at("--month")
                })?;
                (from, to, month.clone())
            }
            (None, Some(from), Some(to)) => {
                let day = |i: Instant| i.to_string()[..10].to_string();
                (from, to, format!("{}_{}", day(from), day(to)))
            }
            _ => return Err(Complaint::new("no period is given").hint("give --month, or --from and --to").into()),
        };
        if from >= to {
            return Err(Complaint::new(format!("the period from {from} to {to} is empty"))
                .at("--to")
                .hint("its end is after its beginning")
                .into());
        }
        Ok((Period { from, to }, name))
    }
}

/// First instants of a month and of the next.
fn month_of(month: &str) -> Option<(Instant, Instant)> {
    let (year, number) = month.split_once('-')?;
    let is_plain = year.len() == 4 && number.len() == 2 && month.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    let (y, m): (u32, u32) = (year.parse().ok()?, number.parse().ok()?);
    let first = |y: u32, m: u32| format!("{y:04}-{m:02}-01T00:00:00Z").parse().ok();
    let next = if m == 12 { (y + 1, 1) } else { (y, m + 1) };
    if is_plain { Some((first(y, m)?, first(next.0, next.1)?)) } else { None }
}

/// A file that is there is whole: it takes its name only when it is written.
fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let draft = path.with_extension("part");
    fs::write(&draft, bytes)?;
    fs::rename(draft, path)
}
