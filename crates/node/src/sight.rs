//! What one reader sees of the record, and of verdicts that rest on it.
//!
//! ```text
//! P1 #12  TLP:AMBER+STRICT, of the other party     not seen: `TLP:AMBER+STRICT`
//! C14(A1, P1)  rests on P1 #12                     not seen either: what is derived carries the marking of what it is from
//! C14(A2, P1)  rests on P1 #13                     seen
//! ```
//! A verdict is a finding: who reads the column `finding` sees it, unless something that it rests on is marked beyond the
//! reader. What it rests on is known only by its reasons, and those cost far more than verdicts. So a wider ring is drawn
//! first, without reasons: every value that a statement beyond the reader names, and every value that is named together with
//! one of these. A verdict that names none of them rests on none of these statements.
use crate::node::Node;
use hamsaya_agreement::rights::{Denied, Reader, Rights};
use hamsaya_agreement::{Because, Change, Cite, Reasons, Verdict};
use hamsaya_record::statement::{FieldValue, Statement};
use hamsaya_record::store::Store;
use std::collections::{BTreeMap, BTreeSet};

/// Entries that a reader does not see, and what may hang on them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sight {
    denied: BTreeMap<(String, u64), Denied>,
    tainted: BTreeSet<String>,
}

impl Sight {
    /// What `reader` sees of all that a node holds.
    pub(crate) fn of<S: Store>(node: &Node<S>, rights: &Rights, reader: Reader<'_>) -> Sight {
        let held = node.all_held();
        let entries: Vec<_> = held.values().flat_map(|held| held.entries()).collect();
        let mut sight = Sight::default();
        let mut marked = Vec::new();
        for entry in &entries {
            if let Err(denied) = rights.may_read(reader, &entry.statement) {
                if !matches!(denied, Denied::Right { .. }) {
                    marked.push(&entry.statement);
                }
                sight.denied.insert((entry.origin.to_string(), entry.index), denied);
            }
        }
        if marked.is_empty() {
            return sight;
        }
        let members: BTreeSet<&str> = node.founding().members().iter().map(|m| m.name.as_str()).collect();
        let named = |statement: &Statement| -> Vec<String> {
            let values = statement.fields.values().filter_map(|value| match value {
                FieldValue::Text(text) if !members.contains(text.as_str()) => Some(text.clone()),
                FieldValue::Int(number) => Some(number.to_string()),
                _ => None,
            });
            values.collect()
        };
        sight.tainted.extend(marked.into_iter().flat_map(named));
        // What is named together goes together, until nothing is added.
        let mut others: Vec<Vec<String>> =
            entries.iter().map(|entry| named(&entry.statement)).filter(|values| values.len() > 1).collect();
        loop {
            let (touched, rest): (Vec<_>, Vec<_>) =
                others.into_iter().partition(|values| values.iter().any(|v| sight.tainted.contains(v)));
            if touched.is_empty() {
                break;
            }
            sight.tainted.extend(touched.into_iter().flatten());
            others = rest;
        }
        sight
    }

    /// Whether a verdict can rest on something marked beyond the reader: only its reasons tell.
    pub(crate) fn may_hide(&self, valuation: &[(String, String)]) -> bool {
        !self.tainted.is_empty() && valuation.iter().any(|(_, value)| self.tainted.contains(value))
    }

    /// Whether anything is marked beyond the reader.
    pub(crate) fn hides(&self) -> bool {
        self.denied.values().any(|denied| !matches!(denied, Denied::Right { .. }))
    }

    /// Why the reader does not see this entry, by marking or by column.
    fn denied(&self, cite: &Cite) -> Option<&Denied> {
        self.denied.get(&(cite.origin.clone(), cite.index))
    }

    /// What a verdict, with its reasons, rests on and the reader is not to know of.
    pub(crate) fn beyond(&self, verdict: &Verdict) -> Option<&Denied> {
        let Reasons { opened_by, because, disputed, .. } = &verdict.reasons;
        self.marked(opened_by.iter().chain(because).chain(disputed))
    }

    /// The first of these that is marked beyond the reader.
    pub(crate) fn marked<'c>(&self, mut cites: impl Iterator<Item = &'c Cite>) -> Option<&Denied> {
        cites.find_map(|cite| self.denied(cite).filter(|denied| !matches!(denied, Denied::Right { .. })))
    }

    /// Whether the reader sees this entry.
    pub(crate) fn sees(&self, cite: &Cite) -> bool {
        self.denied(cite).is_none()
    }

    /// Whether a change of a verdict is told: neither it nor what changed it is, or may rest on what is, beyond the reader.
    pub(crate) fn shows(&self, change: &Change) -> bool {
        let because: &[Cite] = match &change.because {
            Because::Clock => &[],
            Because::Entries(entries) => entries,
        };
        let verdicts = || change.before.iter().chain(&change.after);
        self.marked(because.iter()).is_none() && !verdicts().any(|v| self.may_hide(&v.valuation))
    }

    /// Takes out of the reasons what the reader does not see, and the proof with it, which names the same.
    pub(crate) fn redact(&self, reasons: &mut Reasons) {
        let mut redacted = false;
        for cites in [&mut reasons.opened_by, &mut reasons.because, &mut reasons.disputed, &mut reasons.flip] {
            let before = cites.len();
            cites.retain(|cite| self.denied(cite).is_none());
            redacted |= cites.len() < before;
        }
        if redacted {
            reasons.proof = Vec::new();
        }
    }
}
