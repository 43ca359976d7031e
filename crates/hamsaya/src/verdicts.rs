//! Verdicts as people read them, offline or from a node: one row each.
//!
//! ```text
//! C14(A1, P1)           kept      12 min before it was due                         done as agreed
//! C24.review(W1, P1)    breached  since 2026-12-15T21:00:00Z                       not done in time
//! C19.refind(A1, …)     pending   due 2026-12-30T17:00:00Z (10 d 1 h left)         time is left
//! ```
use crate::words::Words;
use hamsaya_agreement::{Cite, Reason, State, Verdict};
use hamsaya_record::Instant;
use serde_json::Value;

/// What a row says about one verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// `C16.access(Q1, P1)`.
    pub label: String,
    /// `kept breached pending disputed`.
    pub state: String,
    /// Reason code, e.g. `not_performed`.
    pub reason: String,
    /// When silence breaches it.
    pub due: Option<Instant>,
    /// When silence keeps it.
    pub until: Option<Instant>,
    /// Since when it is breached.
    pub breached_since: Option<Instant>,
    /// When it was settled as kept.
    pub kept_at: Option<Instant>,
    /// Between the act and the due instant.
    pub margin_s: Option<i64>,
    /// The entries, stated by one side only, that it hangs on.
    pub disputed: Vec<String>,
}

/// The code of a state in the HTTP API and in `locales/`.
pub fn state_code(state: State) -> &'static str {
    match state {
        State::Kept => "kept",
        State::Breached => "breached",
        State::Pending => "pending",
        State::Disputed => "disputed",
    }
}

/// The code of a reason in the HTTP API and in `locales/`.
pub fn reason_code(reason: Reason) -> &'static str {
    match reason {
        Reason::Performed => "performed",
        Reason::Discharged => "discharged",
        Reason::NotPerformed => "not_performed",
        Reason::Contravened => "contravened",
        Reason::Open => "open",
        Reason::OnDisputedFacts => "on_disputed_facts",
    }
}

impl Row {
    /// From a verdict of the library.
    pub fn of(verdict: &Verdict) -> Row {
        Row {
            label: verdict.label.clone(),
            state: state_code(verdict.state).into(),
            reason: reason_code(verdict.reason).into(),
            due: verdict.due,
            until: verdict.until,
            breached_since: verdict.breached_since,
            kept_at: verdict.kept_at,
            margin_s: verdict.margin_s,
            disputed: verdict.reasons.disputed.iter().map(|c| entry_name(&c.origin, c.index)).collect(),
        }
    }

    /// From a verdict of `GET /api/judgment`; what is absent stays absent.
    pub fn of_json(verdict: &Value) -> Row {
        let text = |key: &str| verdict[key].as_str().unwrap_or_default().to_string();
        let instant = |key: &str| verdict[key].as_str().and_then(|t| t.parse().ok());
        let cites = verdict["reasons"]["disputed"].as_array().map(Vec::as_slice).unwrap_or_default();
        let name =
            |c: &Value| entry_name(c["origin"].as_str().unwrap_or_default(), c["index"].as_u64().unwrap_or_default());
        Row {
            label: text("label"),
            state: text("state"),
            reason: text("reason"),
            due: instant("due"),
            until: instant("until"),
            breached_since: instant("breached_since"),
            kept_at: instant("kept_at"),
            margin_s: verdict["margin_s"].as_i64(),
            disputed: cites.iter().map(name).collect(),
        }
    }

    /// The instant that matters, then the time that is left at `now`.
    pub fn when(&self, words: &Words, now: Instant) -> String {
        let at = |instant: Instant| instant.to_string();
        let left = |instant: Instant| words.duration(instant.0.saturating_sub(now.0).max(0));
        match self.state.as_str() {
            "breached" => self.breached_since.map(|i| words.say("when-since", &[("instant", &at(i))])),
            "disputed" => Some(words.say("when-disputed", &[("entries", &self.disputed.join(", "))])),
            "kept" if self.reason == "discharged" => {
                self.kept_at.map(|i| words.say("when-discharged", &[("instant", &at(i))]))
            }
            "kept" => match (self.margin_s, self.kept_at) {
                (Some(s), _) => Some(words.say("when-margin", &[("margin", &words.duration(s))])),
                (None, kept_at) => kept_at.map(|i| words.say("when-kept", &[("instant", &at(i))])),
            },
            _ => match (self.due, self.until) {
                (Some(i), _) => Some(words.say("when-due", &[("instant", &at(i)), ("left", &left(i))])),
                (None, Some(i)) => Some(words.say("when-until", &[("instant", &at(i)), ("left", &left(i))])),
                (None, None) => Some(words.say("when-open-ended", &[])),
            },
        }
        .unwrap_or_default()
    }

    /// State and reason in words.
    pub fn said(&self, words: &Words) -> (String, String) {
        (words.say(&format!("state-{}", self.state), &[]), words.say(&format!("reason-{}", self.reason), &[]))
    }
}

/// `p1.example/hamsaya/1 #12`.
pub fn entry_name(origin: &str, index: u64) -> String {
    format!("{origin} #{index}")
}

/// How many rows stand how, in words.
pub fn counts(rows: &[Row], words: &Words) -> String {
    let count = |state: &str| rows.iter().filter(|r| r.state == state).count().to_string();
    words.say(
        "counts",
        &[
            ("kept", count("kept").as_str()),
            ("breached", count("breached").as_str()),
            ("pending", count("pending").as_str()),
            ("disputed", count("disputed").as_str()),
        ],
    )
}

/// A table of verdicts, one a line.
pub fn table(rows: &[Row], words: &Words, now: Instant) -> String {
    if rows.is_empty() {
        return format!("{}\n", words.say("no-verdicts", &[]));
    }
    let cells = rows.iter().map(|row| {
        let (state, why) = row.said(words);
        vec![row.label.clone(), state, row.when(words, now), why]
    });
    let head = ["table-instance", "table-state", "table-when", "table-why"].map(|id| words.say(id, &[])).to_vec();
    columns(std::iter::once(head).chain(cells).collect())
}

/// The verdicts of two nodes beside each other; a row that differs is marked with `!`.
pub fn side_by_side(left: (&str, &[Row]), right: (&str, &[Row]), words: &Words, now: Instant) -> String {
    let mut labels: Vec<&str> = left.1.iter().map(|r| r.label.as_str()).collect();
    labels.extend(right.1.iter().map(|r| r.label.as_str()).filter(|l| left.1.iter().all(|r| r.label != *l)));
    let find = |rows: &[Row], label: &str| rows.iter().find(|r| r.label == label).cloned();
    let state = |row: &Option<Row>| row.as_ref().map_or("-".to_string(), |r| r.said(words).0);
    let head = ["table-instance", "", "", "", "table-when", "table-why"].map(|id| words.say(id, &[]));
    let mut cells = vec![head.to_vec()];
    cells[0][1] = left.0.to_string();
    cells[0][2] = right.0.to_string();
    cells[0][3] = String::new();
    for label in labels {
        let (l, r) = (find(left.1, label), find(right.1, label));
        let mark = if l == r { "" } else { "!" };
        let shown = l.as_ref().or(r.as_ref());
        let when = shown.map(|row| row.when(words, now)).unwrap_or_default();
        let why = shown.map(|row| row.said(words).1).unwrap_or_default();
        cells.push(vec![label.to_string(), state(&l), state(&r), mark.into(), when, why]);
    }
    columns(cells)
}

/// Lays cells out in columns two spaces apart.
pub fn columns(lines: Vec<Vec<String>>) -> String {
    let count = lines.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> =
        (0..count).map(|n| lines.iter().filter_map(|l| l.get(n)).map(|c| width(c)).max().unwrap_or(0)).collect();
    let mut text = String::new();
    for line in lines {
        let mut laid = String::new();
        for (cell, wide) in line.iter().zip(&widths).filter(|(_, wide)| **wide > 0) {
            laid.push_str(cell);
            laid.extend(std::iter::repeat_n(' ', wide - width(cell) + 2));
        }
        text.push_str(laid.trim_end());
        text.push('\n');
    }
    text
}

/// Places that a text takes on a terminal: format characters and combining marks take none.
fn width(text: &str) -> usize {
    let takes_none =
        |c: &char| matches!(c, '\u{200c}'..='\u{200f}' | '\u{2066}'..='\u{2069}' | '\u{064b}'..='\u{065f}');
    text.chars().filter(|c| !takes_none(c)).count()
}

/// A verdict with its reasons, each entry named.
pub fn explain(verdict: &Verdict, words: &Words, now: Instant) -> String {
    let row = Row::of(verdict);
    let (state, why) = row.said(words);
    let mut lines = vec![format!("{}  {}  {}  {}", row.label, state, row.when(words, now), why)];
    let title = format!("{}  {}", verdict.address, valuation(verdict));
    lines.push(format!("  {}", title.trim_end()));
    let since = verdict.since.to_string();
    lines.push(format!("  {}", words.say("explain-owes", &[("bearer", &verdict.bearer), ("instant", &since)])));
    for (id, cites) in [
        ("explain-opened-by", &verdict.reasons.opened_by),
        ("explain-because", &verdict.reasons.because),
        ("explain-disputed", &verdict.reasons.disputed),
    ] {
        lines.extend(cites.iter().map(|c| format!("  {}", words.say(id, &[("entry", &cited(c, words))]))));
    }
    for missing in &verdict.reasons.missing {
        let fields: Vec<String> = missing.fields.iter().map(|(k, v)| format!("{k}: {v}")).collect();
        let kind = format!("{}({})", missing.kind, fields.join(", "));
        let (from, to) = (missing.from.map(|i| i.to_string()), missing.to.map(|i| i.to_string()));
        let said = match (&from, &to) {
            (Some(from), Some(to)) => words.say("explain-missing", &[("kind", &kind), ("from", from), ("to", to)]),
            (Some(from), None) => words.say("explain-missing-open", &[("kind", &kind), ("from", from)]),
            (None, Some(to)) => words.say("explain-missing-until", &[("kind", &kind), ("to", to)]),
            (None, None) => words.say("explain-missing-ever", &[("kind", &kind)]),
        };
        lines.push(format!("  {said}"));
    }
    lines.extend(
        verdict.reasons.flip.iter().map(|c| format!("  {}", words.say("explain-flip", &[("entry", &cited(c, words))]))),
    );
    if !verdict.reasons.proof.is_empty() {
        lines.push(format!("  {}", words.say("explain-proof", &[])));
        lines.extend(verdict.reasons.proof.iter().map(|line| format!("    {line}")));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// An instant that something proves; before all others stands "nothing proves one".
pub fn known(instant: Instant) -> Option<Instant> {
    (instant.0 != i64::MIN).then_some(instant)
}

fn valuation(verdict: &Verdict) -> String {
    let values: Vec<String> = verdict.valuation.iter().map(|(k, v)| format!("{k} = {v}")).collect();
    values.join(", ")
}

fn cited(cite: &Cite, words: &Words) -> String {
    words.say(
        "entry-cited",
        &[
            ("party", cite.party.as_str()),
            ("kind", cite.kind.as_str()),
            ("origin", cite.origin.as_str()),
            ("index", &cite.index.to_string()),
            ("instant", &cite.logged_at.hi.to_string()),
        ],
    )
}

/// Lower-case hex, as digests are printed.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Language;

    fn row(state: &str, reason: &str) -> Row {
        Row {
            label: "C14(A1, P1)".into(),
            state: state.into(),
            reason: reason.into(),
            due: Some(Instant(1_795_550_400)),
            until: None,
            breached_since: Some(Instant(1_795_550_400)),
            kept_at: Some(Instant(1_795_549_680)),
            margin_s: Some(720),
            disputed: vec!["p2.example/hamsaya/1 #1".into()],
        }
    }

    #[test]
    fn a_row_says_the_instant_first_and_the_time_left_second() {
        let words = Words::of(Language::En).unwrap();
        let now = Instant(1_795_550_400 - 5_400);
        for (state, reason, text) in [
            ("pending", "open", "due 2026-11-24T20:00:00Z (1 h 30 min left)"),
            ("breached", "not_performed", "since 2026-11-24T20:00:00Z"),
            ("kept", "performed", "12 min before it was due"),
            ("kept", "discharged", "discharged 2026-11-24T19:48:00Z"),
            ("disputed", "on_disputed_facts", "hangs on p2.example/hamsaya/1 #1"),
        ] {
            assert_eq!(row(state, reason).when(&words, now), text, "{state} {reason}");
        }
    }

    #[test]
    fn two_nodes_stand_side_by_side_and_a_difference_is_marked() {
        let words = Words::of(Language::En).unwrap();
        let (kept, breached) = (row("kept", "performed"), row("breached", "not_performed"));
        let text = side_by_side(("P1", &[kept]), ("P2", &[breached]), &words, Instant(0));
        assert_eq!(
            text,
            "instance     P1    P2           when                      why\n\
             C14(A1, P1)  kept  breached  !  12 min before it was due  done as agreed\n"
        );
    }
}
