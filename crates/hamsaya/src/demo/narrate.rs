//! What the demo says of each step: one line, and below it what changed.
//!
//! ```text
//! +260:00  G2  #18  lane_open     G2 states the same from its observers' sheet.
//!                                 C32.lane(K1, P2) breached -> kept (late evidence: P2 lane_open #17, G2 lane_open #18)
//! ```
use crate::verdicts::Row;
use crate::words::Words;
use hamsaya_record::Instant;
use serde_json::Value;
use std::collections::BTreeMap;

/// A verdict that is not what it was, between two looks at one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// `C32.lane(K1, P2)`.
    pub label: String,
    /// As it was; `None`: it was not open.
    pub before: Option<Row>,
    /// As it is; `None`: it is not open any more.
    pub after: Option<Row>,
}

/// What moved, in the order of the judgment.
pub fn moved(before: &[Row], after: &[Row]) -> Vec<Moved> {
    let find = |rows: &[Row], label: &str| rows.iter().find(|r| r.label == label).cloned();
    let stands = |row: &Option<Row>| row.as_ref().map(|r| (r.state.clone(), r.reason.clone()));
    let gone = before.iter().filter(|b| after.iter().all(|a| a.label != b.label));
    let labels = after.iter().chain(gone).map(|r| r.label.clone());
    labels
        .map(|label| Moved { before: find(before, &label), after: find(after, &label), label })
        .filter(|m| stands(&m.before) != stands(&m.after))
        .collect()
}

/// Hours from the start: `+0:48`, `-148:00`.
pub fn hours(at: Instant, start: Instant) -> String {
    let s = at.0 - start.0;
    let sign = if s < 0 { '-' } else { '+' };
    let s = s.unsigned_abs();
    let seconds = if s.is_multiple_of(60) { String::new() } else { format!(":{:02}", s % 60) };
    format!("{sign}{}:{:02}{seconds}", s / 3600, s / 60 % 60)
}

/// Says why verdicts moved; knows the scenario's names of entries.
pub struct Because<'a> {
    /// Recent changes of a node, `GET /api/changes`.
    pub changes: &'a Value,
    /// Statement id to the scenario's label, e.g. `#18`.
    pub labels: &'a BTreeMap<String, String>,
    /// Whether the step takes evidence back.
    pub withdraws: bool,
}

impl Because<'_> {
    /// `C32.lane(K1, P2) breached -> kept (late evidence: …)`.
    pub fn said(&self, moved: &Moved, words: &Words, now: Instant) -> String {
        let because = self.because(moved, words);
        let state = |row: &Row| row.said(words).0;
        let label = moved.label.as_str();
        match (&moved.before, &moved.after) {
            (Some(before), Some(after)) => {
                let (before, after) = (state(before), state(after));
                let said = [("label", label), ("before", &before), ("after", &after), ("because", &because)];
                words.say("change", &said)
            }
            (None, Some(after)) => {
                let after = format!("{} {}", state(after), after.when(words, now));
                words.say("change-opened", &[("label", label), ("after", after.trim_end()), ("because", &because)])
            }
            (_, None) => words.say("change-gone", &[("label", label), ("because", &because)]),
        }
    }

    fn because(&self, moved: &Moved, words: &Words) -> String {
        let state = moved.after.as_ref().map(|r| r.state.as_str());
        let is_it = |change: &&Value| {
            change["label"] == moved.label.as_str()
                && change["after"]["state"].as_str().or(change["after"].as_str()) == state
        };
        let change = self.changes.as_array().into_iter().flatten().rev().find(is_it);
        let cites = change.and_then(|c| c["because"].as_array()).map(Vec::as_slice).unwrap_or_default();
        if cites.is_empty() {
            return words.say("because-clock", &[]);
        }
        let entries = cites.iter().map(|c| self.entry(c)).collect::<Vec<_>>().join(", ");
        let was_settled = moved.before.as_ref().is_some_and(|r| r.state == "breached" || r.state == "kept");
        let id = match (self.withdraws && was_settled, was_settled) {
            (true, _) => "because-withdrawn",
            (false, true) => "because-late",
            (false, false) => "because-entries",
        };
        words.say(id, &[("entries", &entries)])
    }

    fn entry(&self, cite: &Value) -> String {
        let text = |key: &str| cite[key].as_str().unwrap_or_default();
        let place = match self.labels.get(text("statement_id")) {
            Some(label) => label.clone(),
            None => format!("{} #{}", text("origin"), cite["index"]),
        };
        format!("{} {} {place}", text("party"), text("kind"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_counted_from_the_start() {
        let start = Instant(1_795_550_400);
        for (seconds, text) in
            [(0, "+0:00"), (2_880, "+0:48"), (-532_800, "-148:00"), (541_800, "+150:30"), (61, "+0:01:01")]
        {
            assert_eq!(hours(start.plus(seconds), start), text);
        }
    }
}
