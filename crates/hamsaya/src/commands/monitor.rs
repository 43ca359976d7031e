//! `hamsaya monitor`: one temporal formula over one log of events, in MonPoly's syntax.
use super::{Format, Outcome};
use crate::complaint::Complaint;
use anyhow::{Context, Result};
use clap::Args;
use hamsaya_monitor::{Fact, NEVER, SINCE_EVER, Value};
use hamsaya_monitor::{LogPoint, SyntaxError, Table, evaluate, parse_formula, parse_log, parse_signature};
use serde_json::json;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// Say where in time a formula holds over a log of events, in MonPoly's syntax
///
/// Clock domain: a formula holds between events too, and after the last one there is silence for ever. Each line is a valuation
/// of the free variables with the intervals, both ends included, in seconds.
#[derive(Args)]
pub struct Monitor {
    /// Signature: names and types of the events
    #[arg(long, value_name = "FILE")]
    sig: PathBuf,
    /// Formula
    #[arg(long, value_name = "FILE")]
    formula: PathBuf,
    /// Log of events; `-`: standard input
    #[arg(long, value_name = "FILE")]
    log: PathBuf,
    /// For people or for scripts
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Monitor {
    pub fn run(&self, out: &mut dyn Write) -> Result<Outcome> {
        let signature = parse_signature(&read(&self.sig)?).map_err(|e| misfit(&self.sig, e))?;
        let formula = parse_formula(&read(&self.formula)?).map_err(|e| misfit(&self.formula, e))?;
        let points = parse_log(&read(&self.log)?, &signature).map_err(|e| misfit(&self.log, e))?;
        let facts: Vec<Fact> = points.iter().flat_map(LogPoint::facts).collect();
        let table = evaluate(&formula, &signature, &facts)
            .map_err(|e| Complaint::new(e.to_string().trim_end()).at(self.formula.display()))?;
        match self.format {
            Format::Text => {
                writeln!(out, "({})", table.columns.join(","))?;
                write!(out, "{table}")?;
            }
            Format::Json => writeln!(out, "{:#}", as_json(&table))?,
        }
        Ok(Outcome::NoBreach)
    }
}

fn read(path: &Path) -> Result<String> {
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}

fn misfit(path: &Path, error: SyntaxError) -> Complaint {
    Complaint::new(format!("found {}, expected {}", error.found, error.expected)).at(format!(
        "{}:{}:{}",
        path.display(),
        error.line,
        error.column
    ))
}

fn as_json(table: &Table) -> serde_json::Value {
    let value = |value: &Value| match value {
        Value::Int(n) => json!(n),
        Value::Text(text) => json!(&**text),
        Value::Decimal(ratio) => json!(ratio.to_string()),
    };
    let end = |instant: i64| (instant != NEVER && instant != SINCE_EVER).then_some(instant);
    let rows = table.rows.iter().map(|(values, intervals)| {
        json!({
            "values": values.iter().map(value).collect::<Vec<_>>(),
            "intervals": intervals.iter().map(|(from, to)| json!([end(*from), end(*to)])).collect::<Vec<_>>(),
        })
    });
    json!({"columns": table.columns.iter().map(|c| &**c).collect::<Vec<_>>(), "rows": rows.collect::<Vec<_>>()})
}
