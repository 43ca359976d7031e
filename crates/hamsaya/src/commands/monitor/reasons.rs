//! The reasons of a verdict as lines:
//!
//! ```text
//! @0 (time point 0): (8,"post-3")
//!   there     lodged(8,"post-3") @0 (time point 0)
//!   not there ack(8) @0 (time point 0) to @30000 (time point 2)
//!   so        (lodged(i, post) AND NOT EVENTUALLY[0,21600] ack(i)) holds at 0
//!               lodged(i, post) holds at 0
//! ```
use hamsaya_monitor::{Grounds, Of, PointAbsence, PointLog, PointStep, PointVerdict, Term, Type, Valuation, Value};
use serde_json::json;
use std::fmt::Write;

fn value(value: &Value) -> String {
    Term::Const(value.clone()).to_string()
}

fn event(name: &str, args: impl Iterator<Item = String>) -> String {
    format!("{name}({})", args.collect::<Vec<_>>().join(","))
}

fn gap(absence: &PointAbsence) -> String {
    let column = |column: &Option<Value>| column.as_ref().map_or("_".to_string(), value);
    event(&absence.predicate, absence.args.iter().map(column))
}

fn at(point: u32, log: &PointLog) -> String {
    match log.stamps.get(point as usize).filter(|_| point < log.logged) {
        Some(stamp) => format!("@{stamp} (time point {point})"),
        None => "after the end".to_string(),
    }
}

/// The verdict's own line, as without reasons.
fn line(verdict: &PointVerdict, types: &[Type]) -> String {
    let shown = |(value, kind): (&Value, &Type)| match (value, kind) {
        (Value::Decimal(ratio), Type::Int) => ratio.over().to_string(),
        (value, _) => value.to_string(),
    };
    let tuple = |tuple: &Vec<Value>| tuple.iter().zip(types).map(shown).collect::<Vec<_>>().join(",");
    let tuples: String = verdict.tuples.iter().map(|values| format!(" ({})", tuple(values))).collect();
    let tuples = if types.is_empty() { " true".to_string() } else { tuples };
    format!("@{} (time point {}):{tuples}\n", verdict.stamp, verdict.point)
}

/// A verdict and its reasons.
pub(super) fn text(verdict: &PointVerdict, types: &[Type], why: Option<&Grounds>, log: &PointLog) -> String {
    let mut text = line(verdict, types);
    let Some(why) = why else {
        return text + "  no reason was found: numbers beyond 64 bits, or too many values to try\n";
    };
    for fact in &why.present {
        let _ = writeln!(
            text,
            "  there     {} {}",
            event(&fact.predicate, fact.args.iter().map(value)),
            at(fact.point, log)
        );
    }
    for absence in &why.absent {
        let (from, to) = (at(absence.from, log), at(absence.to, log));
        let to = if from == to { String::new() } else { format!(" to {to}") };
        let _ = writeln!(text, "  not there {} {from}{to}", gap(absence));
    }
    let mut head = "  so        ";
    for step in proof(why) {
        let _ = writeln!(text, "{head}{step}");
        head = "            ";
    }
    text
}

/// The same for scripts.
pub(super) fn json(why: Option<&Grounds>, log: &PointLog) -> serde_json::Value {
    let Some(why) = why else { return serde_json::Value::Null };
    let stamp = |point: u32| log.stamps.get(point as usize).filter(|_| point < log.logged);
    let there = why.present.iter().map(|fact| {
        let event = event(&fact.predicate, fact.args.iter().map(value));
        json!({"event": event, "stamp": stamp(fact.point), "time_point": fact.point})
    });
    let absent = why.absent.iter().map(|absence| {
        let last = (absence.to < log.logged).then_some(absence.to);
        json!({"event": gap(absence), "from_time_point": absence.from, "to_time_point": last})
    });
    json!({"there": there.collect::<Vec<_>>(), "not_there": absent.collect::<Vec<_>>(), "so": proof(why)})
}

fn proof(why: &Grounds) -> Vec<String> {
    let mut lines = Vec::new();
    steps(std::slice::from_ref(&why.proof), None, 0, &mut lines);
    lines
}

/// Steps below one, each deeper than that; the same at one point after another is one line.
fn steps(list: &[std::sync::Arc<PointStep>], above: Option<&Valuation>, depth: usize, lines: &mut Vec<String>) {
    let alike = |a: &PointStep, b: &PointStep| {
        let same = (&a.formula, &a.valuation, a.holds, &a.why) == (&b.formula, &b.valuation, b.holds, &b.why);
        same && a.steps.is_empty() && b.steps.is_empty() && a.point.abs_diff(b.point) == 1
    };
    for run in list.chunk_by(|a, b| alike(a, b)) {
        let step = &run[0];
        let (from, to) = (step.point.min(run[run.len() - 1].point), step.point.max(run[run.len() - 1].point));
        let place = if from == to { format!("{from}") } else { format!("{from} to {to}") };
        let verb = if step.holds { "holds" } else { "fails" };
        let mut with = String::new();
        for (name, of) in
            step.valuation.iter().filter(|(name, of)| above.is_none_or(|above| above.get(*name) != Some(of)))
        {
            let of = match of {
                Of::One(one) => format!("= {}", value(one)),
                Of::Other(not) if not.is_empty() => "anything".to_string(),
                Of::Other(not) => format!("none of {}", not.iter().map(value).collect::<Vec<_>>().join(", ")),
            };
            let _ = write!(with, "{} {name} {of}", if with.is_empty() { " with" } else { "," });
        }
        lines.push(format!("{}{} {verb} at {place}{with}", "  ".repeat(depth), step.formula));
        steps(&step.steps, Some(&step.valuation), depth + 1, lines);
    }
}
