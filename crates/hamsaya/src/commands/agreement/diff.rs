//! `hamsaya agreement diff`: what a new text changes, and which verdicts it would turn.
//!
//! ```text
//! C14  Acknowledge
//!   must       ack(allegation: a, by: y)  within 6 h
//!     becomes  ack(allegation: a, by: y)  within 3 h
//!
//! 42 of 24,310 verdicts would be otherwise
//! C14(A12, P1)   kept, 12 min before it was due   would be   breached since 2026-11-14T08:10:12Z
//! ```
use crate::agreements;
use crate::commands::{Format, Outcome};
use crate::verdicts::{hex, reason_code, state_code};
use anyhow::Result;
use hamsaya_agreement::year::Year;
use hamsaya_agreement::{Agreement, Commitment, Judgment, Reason, State, Verdict, judge_explaining};
use hamsaya_record::Instant;
use hamsaya_record::logs::Logs;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;

/// What the two texts are asked about.
pub struct On<'a> {
    pub record: &'a [PathBuf],
    pub year: Option<u64>,
    pub per_day: usize,
    pub days: i64,
    pub as_of: Option<Instant>,
}

/// What became of one commitment.
struct Changed {
    id: String,
    title: String,
    /// Languages in which the text differs.
    texts: Vec<String>,
    /// Lines of the rule: as it was, as it is.
    lines: Vec<(Option<String>, Option<String>)>,
    is_new: bool,
    is_gone: bool,
}

/// A verdict that would be otherwise.
struct Flip {
    label: String,
    opened: Instant,
    before: Option<Verdict>,
    after: Option<Verdict>,
}

pub fn diff(old: &Agreement, new: &Agreement, on: &On<'_>, format: Format, out: &mut dyn Write) -> Result<Outcome> {
    let changed = changed(old, new);
    // A definition can differ under a commitment that does not.
    let rules_differ = old.lowering() != new.lowering();
    let replayed = replay(old, new, on)?;
    match format {
        Format::Text => as_text(&changed, rules_differ, replayed.as_ref(), out)?,
        Format::Json => as_json(old, new, &changed, replayed.as_ref(), out)?,
    }
    let same = changed.is_empty() && !rules_differ && replayed.is_none_or(|(flips, _)| flips.is_empty());
    Ok(if same { Outcome::NoBreach } else { Outcome::Found })
}

fn changed(old: &Agreement, new: &Agreement) -> Vec<Changed> {
    let by_id = |a: &Agreement| -> BTreeMap<String, Commitment> {
        a.commitments().iter().rev().map(|c| (c.id.clone(), c.clone())).collect()
    };
    let (was, is) = (by_id(old), by_id(new));
    let ids: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
    let mut all = Vec::new();
    for id in ids {
        let (before, after) = (was.get(id), is.get(id));
        let either = after.or(before);
        let rule = |c: Option<&Commitment>| c.map(|c| rule_lines(&c.rule)).unwrap_or_default();
        let lines = pair(&rule(before), &rule(after));
        let text = |c: Option<&Commitment>, l: &String| c.and_then(|c| c.text.get(l)).map(|t| words(t));
        let languages: BTreeSet<&String> = before.into_iter().chain(after).flat_map(|c| c.text.keys()).collect();
        let texts = languages.into_iter().filter(|l| text(before, l) != text(after, l)).cloned().collect::<Vec<_>>();
        if lines.is_empty() && texts.is_empty() {
            continue;
        }
        let title = either.and_then(|c| c.title.get("en").or(c.title.values().next())).cloned().unwrap_or_default();
        all.push(Changed { id: id.clone(), title, texts, lines, is_new: before.is_none(), is_gone: after.is_none() });
    }
    all
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn rule_lines(rule: &str) -> Vec<String> {
    rule.lines().map(words).filter(|l| !l.is_empty() && !l.starts_with('#')).collect()
}

/// Lines that differ, each beside the line that takes its place: the longest common lines stay.
fn pair(old: &[String], new: &[String]) -> Vec<(Option<String>, Option<String>)> {
    let mut common = vec![vec![0usize; new.len() + 1]; old.len() + 1];
    for (i, a) in old.iter().enumerate().rev() {
        for (j, b) in new.iter().enumerate().rev() {
            common[i][j] = if a == b { common[i + 1][j + 1] + 1 } else { common[i + 1][j].max(common[i][j + 1]) };
        }
    }
    let (mut i, mut j, mut all) = (0, 0, Vec::new());
    let (mut gone, mut come) = (Vec::new(), Vec::new());
    let mut flush = |gone: &mut Vec<String>, come: &mut Vec<String>| {
        for n in 0..gone.len().max(come.len()) {
            all.push((gone.get(n).cloned(), come.get(n).cloned()));
        }
        gone.clear();
        come.clear();
    };
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            flush(&mut gone, &mut come);
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || i < old.len() && common[i + 1][j] >= common[i][j + 1] {
            gone.push(old[i].clone());
            i += 1;
        } else {
            come.push(new[j].clone());
            j += 1;
        }
    }
    flush(&mut gone, &mut come);
    all
}

/// Verdicts that differ, and how many there are.
fn replay(old: &Agreement, new: &Agreement, on: &On<'_>) -> Result<Option<(Vec<Flip>, usize)>> {
    let (logs, last): (Logs, Option<Instant>) = match on.year {
        Some(seed) => {
            let year = Year { seed, days: on.days, per_day: on.per_day };
            (year.logs(old), Some(year.end(old)))
        }
        None if on.record.is_empty() => return Ok(None),
        None => (agreements::record_of(old, on.record)?, None),
    };
    let latest = logs.entries().iter().map(|e| e.statement.stated_at).max();
    let as_of = on.as_of.or(last).or(latest.map(|at| at.plus(86_400))).unwrap_or(Instant(0));
    let judge = |agreement: &Agreement| judge_explaining(agreement, &logs, as_of, as_of, |_| false);
    let (before, after): (Judgment, Judgment) = (judge(old)?, judge(&new.in_place_of(old))?);
    // A duty that follows from another may begin elsewhere: it is the same one, the n-th of its name.
    let (was, is) = (numbered(&before), numbered(&after));
    let keys: BTreeSet<_> = was.keys().chain(is.keys()).cloned().collect();
    let total = keys.len();
    let mut flips = Vec::new();
    for key in keys {
        let (before, after) = (was.get(&key).copied(), is.get(&key).copied());
        let said = |v: Option<&Verdict>| v.map(|v| (v.state, v.reason));
        if said(before) != said(after)
            && let Some(either) = before.or(after)
        {
            flips.push(Flip {
                label: either.label.clone(),
                opened: either.opened,
                before: before.cloned(),
                after: after.cloned(),
            });
        }
    }
    Ok(Some((flips, total)))
}

/// Verdicts by label, and which of that label.
fn numbered(judgment: &Judgment) -> BTreeMap<(String, usize), &Verdict> {
    let mut all: Vec<&Verdict> = judgment.verdicts.iter().collect();
    all.sort_by_key(|v| v.opened);
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut numbered = BTreeMap::new();
    for verdict in all {
        let n = counts.entry(&verdict.label).or_default();
        numbered.insert((verdict.label.clone(), *n), verdict);
        *n += 1;
    }
    numbered
}

fn stands(verdict: Option<&Verdict>) -> String {
    let Some(v) = verdict else { return "not there".into() };
    match (v.state, v.margin_s, v.breached_since, v.due) {
        (State::Kept, ..) if v.reason == Reason::Discharged => "discharged".into(),
        (State::Kept, Some(margin), ..) => format!("kept, {} min before it was due", margin / 60),
        (State::Breached, _, Some(since), _) => format!("breached since {since}"),
        (State::Pending, .., Some(due)) => format!("pending, due {due}"),
        (state, ..) => state_code(state).into(),
    }
}

fn as_text(
    changed: &[Changed],
    rules_differ: bool,
    replayed: Option<&(Vec<Flip>, usize)>,
    out: &mut dyn Write,
) -> Result<()> {
    for c in changed {
        let what = match (c.is_new, c.is_gone) {
            (true, _) => "  is new",
            (_, true) => "  is gone",
            _ => "",
        };
        writeln!(out, "{}  {}{what}", c.id, c.title)?;
        for (before, after) in &c.lines {
            match (before, after) {
                (Some(before), Some(after)) => writeln!(out, "  {before}\n    becomes  {after}")?,
                (Some(before), None) => writeln!(out, "  {before}\n    is gone")?,
                (None, Some(after)) => writeln!(out, "  {after}\n    is new")?,
                (None, None) => {}
            }
        }
        if !c.texts.is_empty() {
            writeln!(out, "  the text differs in {}", c.texts.join(", "))?;
        }
        writeln!(out)?;
    }
    match (changed.is_empty(), rules_differ) {
        (true, false) => writeln!(out, "no commitment differs")?,
        (true, true) => writeln!(out, "no commitment differs; definitions, kinds or annexes that they rest on do")?,
        _ => {}
    }
    let Some((flips, total)) = replayed else { return Ok(()) };
    writeln!(out, "{} of {total} verdicts would be otherwise", flips.len())?;
    let width = flips.iter().map(|f| f.label.chars().count()).max().unwrap_or(0);
    for flip in flips {
        let (before, after) = (stands(flip.before.as_ref()), stands(flip.after.as_ref()));
        writeln!(out, "  {:width$}  {before}, would be {after}", flip.label)?;
    }
    Ok(())
}

fn as_json(
    old: &Agreement,
    new: &Agreement,
    changed: &[Changed],
    replayed: Option<&(Vec<Flip>, usize)>,
    out: &mut dyn Write,
) -> Result<()> {
    let changed = changed.iter().map(|c| {
        let lines = c.lines.iter().map(|(before, after)| json!({ "before": before, "after": after }));
        json!({
            "id": c.id, "title": c.title, "texts": c.texts, "rule": lines.collect::<Vec<_>>(), "is_new": c.is_new,
            "is_gone": c.is_gone,
        })
    });
    let verdict = |v: &Option<Verdict>| match v {
        Some(v) => json!({
            "state": state_code(v.state), "reason": reason_code(v.reason),
            "due": v.due.map(|i| i.to_string()), "breached_since": v.breached_since.map(|i| i.to_string()),
            "margin_s": v.margin_s,
        }),
        None => Value::Null,
    };
    let replay = replayed.map(|(flips, total)| {
        let flips = flips.iter().map(|f| {
            json!({
                "label": f.label, "opened": f.opened.to_string(), "before": verdict(&f.before), "after": verdict(&f.after),
            })
        });
        json!({ "verdicts": total, "flips": flips.collect::<Vec<_>>() })
    });
    let value = json!({
        "old": hex(&old.digest()), "new": hex(&new.digest()), "changed": changed.collect::<Vec<_>>(), "replay": replay,
    });
    writeln!(out, "{value:#}")?;
    Ok(())
}
