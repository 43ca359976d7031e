//! `hamsaya monitor`: one temporal formula over one log of events, in MonPoly's syntax.
//!
//! ```text
//! $ hamsaya monitor --signature s --formula f --log -
//! @3600 (time point 4): (7,"post-3")
//! ```
mod reasons;

use super::{Format, Outcome};
use crate::complaint::Complaint;
use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use hamsaya_monitor::evaluate;
use hamsaya_monitor::{BadLine, Diagnostics, Explainer, Formula, LogReader, PointChecker, PointVerdict, Points};
use hamsaya_monitor::{Fact, LogPoint, NEVER, PointsError, SINCE_EVER, Signature, SyntaxError, Table, Type, Value};
use hamsaya_monitor::{parse_formula, parse_log, parse_signature, place_of, shortened};
use serde_json::json;
use std::fmt;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant as Clock;

/// Say where in time a formula holds over a log of events, in MonPoly's syntax
///
/// Points domain: verdicts for each time-point of the log, printed as soon as no later event can change them:
/// `@stamp (time point n): (values) (values)`. Clock domain: a formula holds between events too, and after the last one there
/// is silence for ever; each line is a valuation of the free variables with the intervals, both ends included, in seconds.
#[derive(Args)]
pub struct Monitor {
    /// Signature: names and types of the events
    #[arg(long, visible_alias = "sig", value_name = "FILE")]
    signature: PathBuf,
    /// Formula
    #[arg(long, value_name = "FILE")]
    formula: PathBuf,
    /// Log of events; `-`: standard input, read as it comes
    #[arg(long, value_name = "FILE")]
    log: PathBuf,
    /// Over time-points or over seconds
    #[arg(long, value_enum, default_value_t)]
    domain: Domain,
    /// Late and withdrawn events, applied after the log: `+@stamp NAME(values)` and `-@stamp NAME(values)`, one a line; `@stamp#2`
    /// is the second point of that stamp. Prints only the verdict lines that change, `-` before the old and `+` before the new
    #[arg(long, value_name = "FILE")]
    changes: Option<PathBuf>,
    /// Behind each verdict what it follows from: facts that are there, where there are none, and the steps between. No part of
    /// that can be spared, and a checker of its own goes through the steps before they are printed. Over time-points; the log is
    /// read to its end first; not together with `--changes`
    #[arg(long, conflicts_with = "changes")]
    explain: bool,
    /// Pass over lines from where they do not fit, and list them at the end
    #[arg(long)]
    skip_bad_lines: bool,
    /// Say at the end how much was read, and what it took
    #[arg(long)]
    stats: bool,
    /// Keep what is so many seconds old, though nothing can revise it here: for measurements
    #[arg(long, value_name = "SECONDS", hide = true)]
    horizon: Option<i64>,
    /// For people or for scripts
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What time is.
#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Domain {
    /// Time-points with stamps
    #[default]
    Points,
    /// Seconds
    Clock,
}

/// Bytes read at once.
const PIECE: usize = 1 << 18;

impl Monitor {
    pub fn run(&self, out: &mut dyn Write) -> Result<Outcome> {
        let signature = parse_signature(&read(&self.signature)?).map_err(|e| misfit(&self.signature, e))?;
        let text = read(&self.formula)?;
        let formula = parse_formula(&text).map_err(|e| misfit(&self.formula, e))?;
        match self.domain {
            Domain::Clock => self.clock((&formula, &text), &signature, out),
            Domain::Points => self.points((&formula, &text), &signature, out),
        }
    }

    /// Verdicts with their reasons, once the log has ended.
    fn explained(
        &self,
        points: &mut Points,
        (formula, signature): (&Formula, &Signature),
        reader: &LogReader,
        (whole, out): (&Mutex<()>, &mut dyn Write),
    ) -> Result<()> {
        let verdicts = points.relation().map_err(|e| self.stopped(&e, reader))?;
        let (log, types) = (points.log(), points.types().to_vec());
        let columns = points.columns().to_vec();
        let Some(explainer) = Explainer::new(formula, signature, &log) else { return Ok(()) };
        let checker = PointChecker { formula, signature, stamps: &log.stamps };
        let mut lines = Vec::new();
        for verdict in verdicts {
            for tuple in &verdict.tuples {
                let why = explainer.grounds(verdict.point, &columns, tuple);
                if let Some(why) = &why {
                    let named: Vec<_> = columns.iter().cloned().zip(tuple.iter().cloned()).collect();
                    let fault = match checker.check(verdict.point, &named, why) {
                        Ok(()) if PointChecker::is_true_of(why, &log) => None,
                        Ok(()) => Some("its evidence is not that of the log".to_string()),
                        Err(fault) => Some(fault.0),
                    };
                    if let Some(fault) = fault {
                        let what = format!("the reason of a verdict does not pass its check: {fault}");
                        let at = format!("@{} (time point {})", verdict.stamp, verdict.point);
                        return Err(Complaint::new(what).at(at).hint("report this as a fault of the program").into());
                    }
                }
                let one = PointVerdict { tuples: vec![tuple.clone()], ..verdict };
                match self.format {
                    Format::Text => write!(lines, "{}", reasons::text(&one, &types, why.as_ref(), &log))?,
                    Format::Json => {
                        let mut line = verdict_json(&one, &types);
                        line["because"] = reasons::json(why.as_ref(), &log);
                        serde_json::to_writer(&mut lines, &line)?;
                        lines.push(b'\n');
                    }
                }
                write_whole(whole, out, &mut lines)?;
            }
        }
        Ok(())
    }

    fn clock(&self, (formula, text): (&Formula, &str), signature: &Signature, out: &mut dyn Write) -> Result<Outcome> {
        if self.explain {
            let what = "`--explain` explains verdicts at time-points, found `--domain clock`";
            return Err(Complaint::new(what).at("--explain").hint("leave one of the two out").into());
        }
        let points = parse_log(&read(&self.log)?, signature).map_err(|e| misfit(&self.log, e))?;
        let facts: Vec<Fact> = points.iter().flat_map(LogPoint::facts).collect();
        let table = evaluate(formula, signature, &facts).map_err(|e| self.refused(&e, text))?;
        match self.format {
            Format::Text => {
                writeln!(out, "({})", table.columns.join(","))?;
                write!(out, "{table}")?;
            }
            Format::Json => writeln!(out, "{:#}", as_json(&table))?,
        }
        Ok(Outcome::NoBreach)
    }

    fn refused(&self, diagnostics: &Diagnostics, text: &str) -> Complaint {
        let first = &diagnostics.0[0];
        // The clock domain names the predicate that it does not read, before it looks at the formula.
        let of_signature = first.found.contains("has a float column");
        let file = if of_signature { self.signature.display() } else { self.formula.display() };
        let at = match place_of(text, &first.found) {
            Some((line, column)) => format!("{file}:{line}:{column}"),
            None => file.to_string(),
        };
        let more = match diagnostics.0.len() {
            1 => String::new(),
            2 => "; there is one more such error".to_string(),
            count => format!("; there are {} more such errors", count - 1),
        };
        Complaint::new(first.found.clone()).at(at).hint(format!("{}{more}", first.hint))
    }

    fn points(
        &self,
        (formula, written): (&Formula, &str),
        signature: &Signature,
        out: &mut dyn Write,
    ) -> Result<Outcome> {
        let started = Clock::now();
        let mut points = Points::new(formula, signature).map_err(|e| self.refused(&e, written))?;
        if self.changes.is_none() && !self.explain {
            points.stream(Some(self.horizon.unwrap_or(0)));
        }
        let mut reader = LogReader::default();
        let mut bad: Vec<SyntaxError> = Vec::new();
        let mut text: Vec<u8> = Vec::new();
        let mut source: Box<dyn Read> = match self.log.to_str() {
            Some("-") => Box::new(std::io::stdin()),
            _ => Box::new(fs::File::open(&self.log).with_context(|| format!("{} cannot be read", self.log.display()))?),
        };
        // Held while lines are written, so that an interruption never tears one.
        let whole = Arc::new(Mutex::new(()));
        stop_between_lines(&whole);
        let mut lines: Vec<u8> = Vec::new();
        let mut passing = false;
        loop {
            let from = text.len();
            text.resize(from + PIECE, 0);
            let count =
                source.read(&mut text[from..]).with_context(|| format!("{} cannot be read", self.log.display()))?;
            text.truncate(from + count);
            let last = count == 0;
            let mut at = 0;
            loop {
                if passing {
                    match points.pass_over(&mut reader, &text[at..]) {
                        Some(more) => at += more,
                        None => {
                            at = text.len();
                            break;
                        }
                    }
                    passing = false;
                }
                match points.feed(&mut reader, &text[at..], last) {
                    Ok(taken) => {
                        at += taken;
                        break;
                    }
                    Err(BadLine { taken, error }) if self.skip_bad_lines => {
                        at += taken;
                        bad.push(error);
                        passing = true;
                    }
                    Err(BadLine { error, .. }) => {
                        self.emit(&mut points, &reader, &mut lines, &whole, out)?;
                        return Err(misfit(&self.log, error).into());
                    }
                }
            }
            text.drain(..at);
            if last {
                break;
            }
            self.emit(&mut points, &reader, &mut lines, &whole, out)?;
        }
        points.finish().map_err(|e| self.stopped(&e, &reader))?;
        self.emit(&mut points, &reader, &mut lines, &whole, out)?;
        if self.explain {
            self.explained(&mut points, (formula, signature), &reader, (&whole, out))?;
        }
        if let Some(path) = &self.changes {
            points.changes().map_err(|e| self.stopped(&e, &reader))?;
            apply(&mut points, signature, path)?;
            self.changed(&mut points, &reader, &mut lines)?;
            write_whole(&whole, out, &mut lines)?;
        }
        for error in &bad {
            let SyntaxError { line, column, found, expected } = error;
            say(format_args!(
                "warning: {}:{line}:{column}: found {found}, expected {expected}; the line is passed over from there",
                self.log.display()
            ));
        }
        if self.stats {
            let seconds = started.elapsed().as_secs_f64();
            let (facts, count) = (reader.facts, reader.points);
            say(format_args!(
                "{facts} events at {count} time-points in {seconds:.3} s ({:.0} events a second)",
                facts as f64 / seconds.max(1e-9)
            ));
            say(format_args!("{} bytes held by the monitor, {} at most by the process", points.bytes(), peak()));
            if !bad.is_empty() {
                say(format_args!("{} lines passed over", bad.len()));
            }
        }
        Ok(Outcome::NoBreach)
    }

    fn stopped(&self, error: &PointsError, reader: &LogReader) -> Complaint {
        let line = error.place.and_then(|(point, _)| reader.line_of(point));
        let at = line.map_or(String::new(), |line| format!(":{line}"));
        let found = match error.place {
            Some((point, stamp)) => format!("{} at stamp {stamp} (time point {point})", error.found),
            None => error.found.clone(),
        };
        Complaint::new(found).at(format!("{}{at}", self.log.display())).hint(error.allowed.clone())
    }

    /// Writes what became final, before anything else is said.
    fn emit(
        &self,
        points: &mut Points,
        reader: &LogReader,
        lines: &mut Vec<u8>,
        whole: &Mutex<()>,
        out: &mut dyn Write,
    ) -> Result<()> {
        while self.changes.is_none() && !self.explain {
            match self.format {
                Format::Text => points.write_final(lines).map_err(|e| self.stopped(&e, reader))?,
                Format::Json => {
                    for verdict in points.final_verdicts().map_err(|e| self.stopped(&e, reader))? {
                        serde_json::to_writer(&mut *lines, &verdict_json(&verdict, points.types()))?;
                        lines.push(b'\n');
                    }
                }
            }
            if lines.is_empty() {
                break;
            }
            write_whole(whole, out, lines)?;
        }
        Ok(())
    }

    fn changed(&self, points: &mut Points, reader: &LogReader, lines: &mut Vec<u8>) -> Result<()> {
        if self.format == Format::Text {
            points.write_changes(lines).map_err(|e| self.stopped(&e, reader))?;
            return Ok(());
        }
        let types = points.types().to_vec();
        for delta in points.changes().map_err(|e| self.stopped(&e, reader))? {
            let line = json!({
                "stamp": delta.stamp,
                "time_point": delta.point,
                "gone": tuples_json(&delta.gone, &types),
                "come": tuples_json(&delta.come, &types),
            });
            serde_json::to_writer(&mut *lines, &line)?;
            lines.push(b'\n');
        }
        Ok(())
    }
}

fn hold(whole: &Mutex<()>) -> MutexGuard<'_, ()> {
    // Nothing is guarded but the moment, so a panic elsewhere leaves nothing broken.
    whole.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn write_whole(whole: &Mutex<()>, out: &mut dyn Write, lines: &mut Vec<u8>) -> Result<()> {
    let held = hold(whole);
    out.write_all(lines)?;
    out.flush()?;
    drop(held);
    lines.clear();
    Ok(())
}

/// On Ctrl-C the process ends between two lines, with 130 as shells expect.
fn stop_between_lines(whole: &Arc<Mutex<()>>) {
    let whole = Arc::clone(whole);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else { return };
    std::thread::spawn(move || {
        if runtime.block_on(tokio::signal::ctrl_c()).is_ok() {
            let _held = hold(&whole);
            std::process::exit(130);
        }
    });
}

/// Most memory that the process had, as the system tells it.
fn peak() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or_else(|| "unknown".to_string(), |line| line.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Late and withdrawn events, one a line.
fn apply(points: &mut Points, signature: &Signature, path: &Path) -> Result<()> {
    for (i, line) in read(path)?.lines().enumerate() {
        let at = format!("{}:{}", path.display(), i + 1);
        let whole = line.trim_end();
        let line = whole.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let complain =
            |found: String, expected: &str| Complaint::new(format!("found {found}, expected {expected}")).at(&at);
        let comes = line.starts_with('+');
        let rest = line.strip_prefix(['+', '-']).and_then(|rest| rest.strip_prefix('@'));
        let Some((when, event)) = rest.and_then(|rest| rest.split_once(char::is_whitespace)) else {
            return Err(
                complain(format!("`{}`", shortened(line)), "`+@stamp NAME(values)` or `-@stamp NAME(values)`").into()
            );
        };
        let (stamp, nth) = when.split_once('#').unwrap_or((when, "1"));
        let (Ok(stamp), Ok(nth)) = (stamp.parse::<i64>(), nth.parse::<u32>()) else {
            return Err(complain(
                format!("`@{}`", shortened(when)),
                "a stamp, or a stamp and the number of its point, e.g. @60#2",
            )
            .into());
        };
        let there = points.points_at(stamp);
        let Some(point) = nth.checked_sub(1).and_then(|n| there.clone().nth(n as usize)) else {
            let allowed = match there.len() {
                0 => "the stamp of a time-point of the log: it has none with that stamp".to_string(),
                count => format!("one of the {count} time-points of that stamp"),
            };
            return Err(complain(format!("`@{}`", shortened(when)), &allowed).into());
        };
        let head = format!("@{stamp} ");
        let read = parse_log(&format!("{head}{event}"), signature).map_err(|e| {
            let before = whole.chars().count() - event.chars().count();
            let column = (before + e.column).saturating_sub(head.chars().count());
            Complaint::new(format!("found {}, expected {}", e.found, e.expected)).at(format!("{at}:{column}"))
        })?;
        for (name, args) in read.iter().flat_map(|point| &point.events) {
            let done = if comes { points.insert(point, name, args) } else { points.withdraw(point, name, args) };
            if !done.map_err(|e| Complaint::new(e.found).at(&at).hint(e.allowed))? {
                let (event, why) =
                    (line.trim_start_matches(['+', '-']), if comes { "is there already" } else { "is not there" });
                say(format_args!("warning: {at}: `{}` {why}, nothing changes", shortened(event)));
            }
        }
    }
    Ok(())
}

/// A line for people beside the output; where nobody listens it is not missed.
fn say(line: fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "{line}");
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

fn value_json(value: &Value, kind: Type) -> serde_json::Value {
    match (value, kind) {
        (Value::Int(n), _) => json!(n),
        (Value::Text(text), _) => json!(&**text),
        (Value::Decimal(ratio), Type::Int) => json!(ratio.over().to_string()),
        // As printed: a script that wants more reads the fraction from the text of a longer formula.
        (Value::Decimal(ratio), _) => {
            let printed = ratio.to_string();
            serde_json::from_str(&printed).unwrap_or_else(|_| json!(printed))
        }
    }
}

fn tuples_json(tuples: &[Vec<Value>], types: &[Type]) -> serde_json::Value {
    let tuple = |tuple: &Vec<Value>| tuple.iter().zip(types).map(|(value, &kind)| value_json(value, kind)).collect();
    tuples.iter().map(tuple).collect::<Vec<serde_json::Value>>().into()
}

fn verdict_json(verdict: &PointVerdict, types: &[Type]) -> serde_json::Value {
    json!({
        "stamp": verdict.stamp,
        "time_point": verdict.point,
        "tuples": tuples_json(&verdict.tuples, types),
    })
}

fn as_json(table: &Table) -> serde_json::Value {
    let end = |instant: i64| (instant != NEVER && instant != SINCE_EVER).then_some(instant);
    let rows = table.rows.iter().map(|(values, intervals)| {
        json!({
            "values": values.iter().map(|value| value_json(value, Type::Int)).collect::<Vec<_>>(),
            "intervals": intervals.iter().map(|(from, to)| json!([end(*from), end(*to)])).collect::<Vec<_>>(),
        })
    });
    json!({"columns": table.columns.iter().map(|c| &**c).collect::<Vec<_>>(), "rows": rows.collect::<Vec<_>>()})
}
