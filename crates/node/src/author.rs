//! What a node says for itself: `checkpoints`, `refusal`, `equivocation`, `verdict`.
//!
//! ```text
//! {"act":"record","kind":"checkpoints","party":"P1","source":"p1/node","seq":3,"fields":{"notes":["…"]},"seen":[…]}
//! ```
//! Signed by the node's own key. The id is made of what is said, so that the same words at the same instant are the same
//! statement and no randomness is needed.
use hamsaya_record::Instant;
use hamsaya_record::accept::Acceptance;
use hamsaya_record::envelope::Envelope;
use hamsaya_record::key::SecretKey;
use hamsaya_record::logs::Head;
use hamsaya_record::statement::{Act, FieldValue, Occurred, Precision, Statement, StatementId};
use std::collections::BTreeMap;

pub(crate) struct Author<'a> {
    pub(crate) acceptance: &'a Acceptance,
    pub(crate) key: &'a SecretKey,
    pub(crate) name: &'a str,
    pub(crate) seen: Vec<Head>,
}

impl Author<'_> {
    pub(crate) fn state(self, kind: &str, fields: BTreeMap<String, FieldValue>, now: Instant) -> Envelope {
        let statement = self.draft(Act::Record, kind, "node", now);
        self.sign(statement, fields, now)
    }

    /// What is observed of a day, by its end, from a source of its own.
    pub(crate) fn state_day(
        self,
        kind: &str,
        source: &str,
        end: Instant,
        fields: BTreeMap<String, FieldValue>,
        now: Instant,
    ) -> Envelope {
        let mut statement = self.draft(Act::Observe, kind, source, now);
        let (from, to) = (Instant(end.0 - 86_400), Instant(end.0 - 1));
        statement.occurred_at = Some(Occurred { from, to, precision: Precision::Day, edtf: None });
        self.sign(statement, fields, now)
    }

    fn draft(&self, act: Act, kind: &str, source: &str, now: Instant) -> Statement {
        let (agreement, origin) = (self.acceptance.founding().agreement(), self.acceptance.origin());
        let mut statement = Statement::new(agreement, act, kind, "", self.name, origin, now);
        statement.source = format!("{}/{source}", self.name.to_lowercase());
        (statement.seq, statement.prev) = self.acceptance.next_of(self.name, &statement.source);
        statement
    }

    fn sign(self, mut statement: Statement, fields: BTreeMap<String, FieldValue>, now: Instant) -> Envelope {
        statement.seen = self.seen;
        statement.fields = fields;
        statement.id = uuid_v7(now, &StatementId::of(&statement.to_payload()).0);
        Envelope::sign(statement.to_payload(), &[self.key])
    }
}

/// A UUID of version 7 whose random part is given.
fn uuid_v7(at: Instant, seed: &[u8; 32]) -> String {
    let mut bytes = [0; 16];
    let milliseconds = at.0.max(0).unsigned_abs().saturating_mul(1000);
    bytes[..6].copy_from_slice(&milliseconds.to_be_bytes()[2..]);
    bytes[6..].copy_from_slice(&seed[..10]);
    bytes[6] = 0x70 | (bytes[6] & 0x0f);
    bytes[8] = 0x80 | (bytes[8] & 0x3f);
    let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_begins_with_its_instant() {
        let id = uuid_v7(Instant(1_795_550_400), &[0xff; 32]);
        assert_eq!(id, "01a20f24-ce00-7fff-bfff-ffffffffffff");
    }
}
