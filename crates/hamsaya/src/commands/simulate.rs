//! `hamsaya simulate`: worlds of nodes in which everything goes wrong, each from one seed.
use super::{Format, Outcome};
use crate::{agreements, verdicts::hex};
use anyhow::Result;
use clap::Args;
use hamsaya_agreement::Agreement;
use hamsaya_simulator::{Counts, Options, Plant, run, shrink};
use serde_json::json;
use std::io::Write;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

/// After so many seeds a line says how far it is.
const PROGRESS: u64 = 100;

/// Play five nodes through crashes, cut lines, lost messages, rotten disks, wrong clocks and liars, and check what must hold
///
/// One seed, one story: the same everywhere. With one seed the story is told; with more, a line for every hundred. The first
/// seed in which something that must hold does not ends it: its story is told again without the events that do not matter,
/// and the line that plays it is printed. Exit code 1 then.
#[derive(Args)]
pub struct Simulate {
    /// The seed
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "seeds")]
    seed: u64,
    /// Seeds from A up to, not including, B
    #[arg(long, value_name = "A..B", value_parser = range)]
    seeds: Option<Range<u64>>,
    /// Of the events that the seed plans, only these happen
    #[arg(long, value_name = "N,...", value_delimiter = ',')]
    only: Option<Vec<usize>>,
    /// Plant a mistake in one node, to see that it is found
    #[arg(long, value_name = "NAME", value_parser = plant, hide = true)]
    plant: Option<Plant>,
    /// For people or for scripts (one JSON object a line)
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

fn range(text: &str) -> Result<Range<u64>, String> {
    let parsed = text.split_once("..").and_then(|(a, b)| Some(a.parse().ok()?..b.parse().ok()?));
    parsed.filter(|range| !range.is_empty()).ok_or_else(|| "allowed is a range that is not empty: 0..100".to_string())
}

fn plant(name: &str) -> Result<Plant, String> {
    let names = || Plant::ALL.iter().map(|plant| plant.name()).collect::<Vec<_>>().join(", ");
    Plant::ALL.iter().find(|plant| plant.name() == name).copied().ok_or_else(|| format!("allowed are {}", names()))
}

impl Simulate {
    pub fn run(&self, out: &mut dyn Write) -> Result<Outcome> {
        let agreement = Agreement::parse(&agreements::shipped("hamsaya-accord")?)?;
        let only = self.only.as_ref().map(|only| only.iter().copied().collect());
        let options = Options { plant: self.plant, only, ..Options::new(Arc::new(agreement)) };
        let seeds = self.seeds.clone().unwrap_or(self.seed..self.seed.saturating_add(1));
        let begun = Instant::now();
        let mut total = Counts::default();
        for seed in seeds.clone() {
            let mut outcome = run(seed, &options);
            let holds = outcome.failure.is_none();
            if !holds && self.seeds.is_some() {
                outcome = shrink(outcome, &options);
            }
            match self.format {
                Format::Json => writeln!(out, "{}", as_json(&outcome, self.seeds.is_none(), &self.again(&outcome)))?,
                Format::Text if self.seeds.is_none() || !holds => {
                    for line in &outcome.story {
                        writeln!(out, "{line}")?;
                    }
                    writeln!(out, "{}", summary(&outcome))?;
                }
                Format::Text => (),
            }
            if !holds {
                if self.format == Format::Text {
                    writeln!(out, "again: {}", self.again(&outcome))?;
                }
                return Ok(Outcome::Found);
            }
            add(&mut total, &outcome.counts);
            let done = seed + 1 - seeds.start;
            if self.format == Format::Text
                && self.seeds.is_some()
                && (done.is_multiple_of(PROGRESS) || seed + 1 == seeds.end)
            {
                let seconds = begun.elapsed().as_secs_f64();
                let each = seconds / done as f64;
                writeln!(out, "{done} seeds hold, {seconds:.0} s, {each:.3} s a seed: {}", counted(&total))?;
            }
            out.flush()?;
        }
        Ok(Outcome::NoBreach)
    }

    /// The line that plays this story again.
    fn again(&self, outcome: &hamsaya_simulator::Outcome) -> String {
        let plant = self.plant.map(|plant| format!(" --plant {}", plant.name())).unwrap_or_default();
        let events: Vec<String> = outcome.events.iter().map(usize::to_string).collect();
        let only = match outcome.failure.is_some() && self.seeds.is_some() || self.only.is_some() {
            true => format!(" --only {}", events.join(",")),
            false => String::new(),
        };
        format!("hamsaya simulate --seed {}{plant}{only}", outcome.seed)
    }
}

fn summary(outcome: &hamsaya_simulator::Outcome) -> String {
    let verdict = match &outcome.failure {
        None => "all holds".to_string(),
        Some(failure) => format!("FAILED: {failure}"),
    };
    let (counted, rest_s) = (counted(&outcome.counts), outcome.counts.rest_s);
    format!("seed {}: {counted}, rest after {rest_s} s: {verdict}", outcome.seed)
}

fn counted(counts: &Counts) -> String {
    let Counts { statements, logged, refused, crashes, partitions, lost, rotten, restored, lies, keys, forks, .. } =
        counts;
    format!(
        "{statements} statements ({logged} logged, {refused} refused), {crashes} crashes, {partitions} lines cut, {lost} \
         messages lost, {rotten} bits rotten, {restored} disks restored, {lies} lies, {keys} changes of keys, {forks} forks shown, {} entries, {} \
         verdicts",
        counts.entries, counts.verdicts
    )
}

fn add(total: &mut Counts, counts: &Counts) {
    let Counts { statements, logged, refused, crashes, partitions, lost, rotten, restored, lies, keys, forks, .. } =
        counts;
    let parts = [
        (&mut total.statements, statements),
        (&mut total.logged, logged),
        (&mut total.refused, refused),
        (&mut total.crashes, crashes),
        (&mut total.partitions, partitions),
        (&mut total.lost, lost),
        (&mut total.rotten, rotten),
        (&mut total.restored, restored),
        (&mut total.lies, lies),
        (&mut total.keys, keys),
        (&mut total.forks, forks),
        (&mut total.entries, &counts.entries),
        (&mut total.verdicts, &counts.verdicts),
    ];
    for (sum, part) in parts {
        *sum += part;
    }
}

fn as_json(outcome: &hamsaya_simulator::Outcome, with_story: bool, again: &str) -> serde_json::Value {
    let counts = outcome.counts;
    let mut value = json!({
        "seed": outcome.seed,
        "holds": outcome.failure.is_none(),
        "failure": outcome.failure.as_ref().map(|f| json!({"rule": f.rule.name(), "what": f.what})),
        "again": again,
        "counts": {
            "statements": counts.statements, "logged": counts.logged, "refused": counts.refused,
            "crashes": counts.crashes, "partitions": counts.partitions, "lost": counts.lost,
            "rotten": counts.rotten, "restored": counts.restored, "lies": counts.lies, "keys": counts.keys, "forks": counts.forks,
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
