//! `hamsaya judge`: verdicts offline, from copies of the logs.
use super::{Format, Outcome};
use crate::agreements;
use crate::complaint::Complaint;
use crate::verdicts::{self, Row};
use crate::words::{Language, Words};
use anyhow::Result;
use clap::Args;
use hamsaya_agreement::{Commitment, Judgment, State, Verdict, judge, judge_explaining};
use hamsaya_node::api::shapes;
use hamsaya_record::Instant;
use std::io::Write;
use std::path::PathBuf;

/// Judge a record by an agreement, offline: what is kept, breached, pending and disputed, and why
///
/// Reads every log in the folders given, checks every signature and hash, and judges the largest consistent copy of each.
/// The order of the folders changes nothing. Exit code 1 if something is breached.
#[derive(Args)]
pub struct Judge {
    /// Folder of the agreement
    #[arg(long, value_name = "DIR")]
    agreement: PathBuf,
    /// Folder of a node, or of a copied log; give it again for more
    #[arg(long, value_name = "DIR", required = true)]
    record: Vec<PathBuf>,
    /// Judge as of this instant, e.g. 2026-12-20T16:00:00Z
    #[arg(long, value_name = "T")]
    as_of: Instant,
    /// Use only what is proven to have been logged by this instant; default: --as-of
    #[arg(long, value_name = "T")]
    known_by: Option<Instant>,
    /// Explain one verdict, e.g. "C14(A1, P1)": its reasons, with every entry
    #[arg(long, value_name = "LABEL")]
    explain: Option<String>,
    /// For people or for scripts
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Language of the words
    #[arg(long, value_enum, default_value_t)]
    lang: Language,
}

impl Judge {
    pub fn run(&self, out: &mut dyn Write) -> Result<Outcome> {
        let (agreement, logs) = agreements::read_with_record(&self.agreement, &self.record)?;
        let known_by = self.known_by.unwrap_or(self.as_of);
        let judgment = match (&self.explain, self.format) {
            // Reasons cost far more than verdicts: a table needs none, an explanation those of one.
            (None, Format::Json) => judge(&agreement, &logs, self.as_of, known_by)?,
            (asked, _) => {
                let wanted = |v: &Verdict| asked.as_deref().is_some_and(|label| plain(label) == plain(&v.label));
                judge_explaining(&agreement, &logs, self.as_of, known_by, wanted)?
            }
        };
        match (&self.explain, self.format) {
            (Some(label), _) => self.explain(&judgment, agreement.commitments(), label, out)?,
            (None, Format::Json) => writeln!(out, "{:#}", shapes::judgment(&judgment, agreement.commitments()))?,
            (None, Format::Text) => self.table(&judgment, out)?,
        }
        let is_breached = judgment.verdicts.iter().any(|v| v.state == State::Breached);
        Ok(if is_breached { Outcome::Found } else { Outcome::NoBreach })
    }

    fn table(&self, judgment: &Judgment, out: &mut dyn Write) -> Result<()> {
        let words = Words::of(self.lang)?;
        let rows: Vec<Row> = judgment.verdicts.iter().map(Row::of).collect();
        let (as_of, known_by) = (judgment.as_of.to_string(), judgment.known_by.to_string());
        writeln!(out, "{}", words.say("judged", &[("as_of", &as_of), ("known_by", &known_by)]))?;
        writeln!(out, "{}\n", verdicts::counts(&rows, &words))?;
        out.write_all(verdicts::table(&rows, &words, judgment.as_of).as_bytes())?;
        writeln!(out, "\n{}", words.say("digest", &[("hex", &verdicts::hex(&judgment.digest()))]))?;
        Ok(())
    }

    fn explain(&self, judgment: &Judgment, titles: &[Commitment], label: &str, out: &mut dyn Write) -> Result<()> {
        let found = judgment.verdicts.iter().find(|v| plain(&v.label) == plain(label)).ok_or_else(|| {
            let labels: Vec<&str> = judgment.verdicts.iter().map(|v| v.label.as_str()).collect();
            Complaint::new(format!("no verdict is called `{label}`, found are {}", labels.join(" ")))
                .at("--explain")
                .hint("take a label from the table that `hamsaya judge` prints without --explain")
        })?;
        let text = match self.format {
            Format::Text => verdicts::explain(found, &Words::of(self.lang)?, judgment.as_of),
            Format::Json => {
                let mut one = judgment.clone();
                one.verdicts = vec![found.clone()];
                format!("{:#}\n", shapes::judgment(&one, titles)["verdicts"][0])
            }
        };
        Ok(out.write_all(text.as_bytes())?)
    }
}

/// A label without white space: `C14(A1,P1)` names what is printed as `C14(A1, P1)`.
fn plain(label: &str) -> String {
    label.split_whitespace().collect()
}
