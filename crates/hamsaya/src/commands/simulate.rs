//! `hamsaya simulate`: worlds of nodes in which everything goes wrong, each from one seed.
use super::{Format, Outcome};
use crate::{agreements, verdicts::hex};
use anyhow::Result;
use clap::Args;
use hamsaya_agreement::Agreement;
use hamsaya_simulator::{Options, run};
use serde_json::json;
use std::io::Write;
use std::sync::Arc;

/// Play five nodes through crashes, cut lines, lost messages and wrong clocks, and check what must hold
///
/// One seed, one story: the same everywhere. With one seed the story is told; with more, a line for each. Exit code 1 if
/// something that must hold does not; then the line that plays it again is printed.
#[derive(Args)]
pub struct Simulate {
    /// The seed, or the first of them
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How many seeds, from --seed on
    #[arg(long, value_name = "M", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// For people or for scripts (one JSON object a line)
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Simulate {
    pub fn run(&self, out: &mut dyn Write) -> Result<Outcome> {
        let agreement = Agreement::parse(&agreements::shipped("hamsaya-accord")?)?;
        let options = Options::new(Arc::new(agreement));
        let mut failed = 0u64;
        for seed in self.seed..self.seed.saturating_add(self.seeds) {
            let outcome = run(seed, &options);
            match self.format {
                Format::Json => writeln!(out, "{}", as_json(&outcome, self.seeds == 1))?,
                Format::Text => {
                    if self.seeds == 1 || outcome.failure.is_some() {
                        for line in &outcome.story {
                            writeln!(out, "{line}")?;
                        }
                    }
                    writeln!(out, "{}", summary(&outcome))?;
                    if outcome.failure.is_some() {
                        writeln!(out, "again: hamsaya simulate --seed {seed}")?;
                    }
                }
            }
            out.flush()?;
            failed += u64::from(outcome.failure.is_some());
        }
        if self.seeds > 1 && self.format == Format::Text {
            writeln!(out, "{} of {} seeds hold", self.seeds - failed, self.seeds)?;
        }
        Ok(if failed > 0 { Outcome::Found } else { Outcome::NoBreach })
    }
}

fn summary(outcome: &hamsaya_simulator::Outcome) -> String {
    let counts = outcome.counts;
    let verdict = match &outcome.failure {
        None => "all holds".to_string(),
        Some(failure) => format!("FAILED: {failure}"),
    };
    format!(
        "seed {}: {} statements ({} logged, {} refused), {} crashes, {} partitions, {} messages lost, {} entries, \
         {} verdicts, rest after {} s: {verdict}",
        outcome.seed,
        counts.statements,
        counts.logged,
        counts.refused,
        counts.crashes,
        counts.partitions,
        counts.lost,
        counts.entries,
        counts.verdicts,
        counts.rest_s
    )
}

fn as_json(outcome: &hamsaya_simulator::Outcome, with_story: bool) -> serde_json::Value {
    let counts = outcome.counts;
    let mut value = json!({
        "seed": outcome.seed,
        "holds": outcome.failure.is_none(),
        "failure": outcome.failure.as_ref().map(|f| json!({"rule": f.rule.name(), "what": f.what})),
        "again": format!("hamsaya simulate --seed {}", outcome.seed),
        "counts": {
            "statements": counts.statements, "logged": counts.logged, "refused": counts.refused,
            "crashes": counts.crashes, "partitions": counts.partitions, "lost": counts.lost,
            "entries": counts.entries, "verdicts": counts.verdicts,
            "seconds": counts.seconds, "rest_s": counts.rest_s,
        },
        "digest": outcome.digest.map(|digest| hex(&digest)),
    });
    if with_story || outcome.failure.is_some() {
        value["story"] = json!(outcome.story);
    }
    value
}
