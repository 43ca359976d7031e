//! `hamsaya agreement check`: faults with their places, and the traces that show them.
use crate::agreements;
use crate::commands::{Format, Outcome};
use anyhow::Result;
use hamsaya_agreement::Agreement;
use hamsaya_agreement::check::{Bounds, Finding, Report, check as look};
use serde_json::json;
use std::io::Write;
use std::path::Path;

pub fn check(dir: &Path, bounds: &Bounds, strict: bool, format: Format, out: &mut dyn Write) -> Result<Outcome> {
    let files = agreements::files(dir)?;
    let agreement = Agreement::parse(&files)?;
    let report = look(&files, bounds)?;
    match format {
        Format::Text => as_text(&agreement, &report, bounds, out)?,
        Format::Json => as_json(&agreement, &report, bounds, out)?,
    }
    Ok(if strict && !report.findings.is_empty() { Outcome::Found } else { Outcome::NoBreach })
}

fn as_text(agreement: &Agreement, report: &Report, bounds: &Bounds, out: &mut dyn Write) -> Result<()> {
    for Finding { file, line, column, message, hint, witness, .. } in &report.findings {
        writeln!(out, "warning: {message}\n  {file}:{line}:{column}\nhint: {hint}")?;
        if let Some(witness) = witness {
            writeln!(out, "witness, as the judge confirms it:")?;
            witness.page.lines().try_for_each(|line| writeln!(out, "  {line}"))?;
        }
        writeln!(out)?;
    }
    for (duty, why) in &report.unexplored {
        writeln!(out, "note: {duty} was not explored: {why}")?;
    }
    for (duty, exception, kinds) in &report.excused {
        writeln!(out, "note: {duty} does not bind under its exception `{exception}`, which rests on {kinds}")?;
    }
    let title = agreement.title().get("en").cloned().unwrap_or_default();
    let (parts, kinds) = (agreement.commitments().len(), agreement.kinds().len());
    let found = match report.findings.len() {
        0 => "nothing is wrong".into(),
        1 => "1 warning".into(),
        n => format!("{n} warnings"),
    };
    writeln!(out, "{title}: {parts} commitments and parts, {kinds} kinds of statements, {found}")?;
    let loopholes =
        if bounds.loopholes { format!("delays of {} rounds", bounds.rounds) } else { "no loopholes".into() };
    writeln!(
        out,
        "searched: the numbers of {} texts; {} duties in {} traces, each of at most {} statements beyond what opens the duty, at most {} traces a duty, {loopholes}",
        report.texts, report.duties, report.traces, bounds.depth, bounds.traces_per_duty
    )?;
    writeln!(out, "digest {}", crate::verdicts::hex(&agreement.digest()))?;
    Ok(())
}

fn as_json(agreement: &Agreement, report: &Report, bounds: &Bounds, out: &mut dyn Write) -> Result<()> {
    let findings = report.findings.iter().map(|f| {
        json!({
            "fault": f.fault.word(), "file": f.file, "line": f.line, "column": f.column, "message": f.message,
            "hint": f.hint, "witness": f.witness.as_ref().map(|w| &w.page),
        })
    });
    let excused = report.excused.iter().map(|(d, e, k)| json!({ "duty": d, "exception": e, "kinds": k }));
    let value = json!({
        "digest": crate::verdicts::hex(&agreement.digest()),
        "findings": findings.collect::<Vec<_>>(),
        "unexplored": report.unexplored,
        "excused": excused.collect::<Vec<_>>(),
        "searched": {
            "texts": report.texts, "duties": report.duties, "traces": report.traces, "depth": bounds.depth,
            "traces_per_duty": bounds.traces_per_duty, "rounds": bounds.rounds, "loopholes": bounds.loopholes,
        },
    });
    writeln!(out, "{value:#}")?;
    Ok(())
}
