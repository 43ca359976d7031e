//! Who speaks: the chairs of the four keepers, in statements of all kinds that the agreement has.
//!
//! ```text
//! lodged(allegation: "X2", against: "P1", …)     random values that fit, as the agreement itself says what fits
//! ```
//! Some say late what happened hours ago, some take back what they said, some contest or confirm what another said, and
//! now and then one says what will be refused.
use crate::chance::Chance;
use crate::town::{KEEPERS, START, nth, origin};
use hamsaya_agreement::{Agreement, Speech};
use hamsaya_record::Instant;
use hamsaya_record::envelope::Envelope;
use hamsaya_record::key::SecretKey;
use hamsaya_record::statement::{Act, FieldValue, Occurred, Precision, Reference, Rel, Statement, StatementId};
use std::collections::BTreeMap;

/// Kinds by which commitments open and end, said more often than the others.
const FREQUENT: [&str; 8] =
    ["lodged", "ack", "closure", "lane_open", "access_req", "access_given", "op_notice", "gate_reopened"];

/// A statement that was logged, which others may answer.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) id: StatementId,
    pub(crate) by: String,
    pub(crate) statement: Statement,
}

/// What somebody says next.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) what: String,
    pub(crate) leaf: Vec<u8>,
    pub(crate) statement: Statement,
    pub(crate) id: StatementId,
}

/// All authors: each numbers its statements.
#[derive(Debug, Default)]
pub(crate) struct Authors {
    last: BTreeMap<String, (u64, StatementId)>,
    before: BTreeMap<String, (u64, StatementId)>,
    /// By keeper: the number of its chair's key in its own log.
    pub(crate) chairs: BTreeMap<String, u64>,
    said: u64,
}

impl Authors {
    /// A statement of this keeper's chair, at this instant by its clock; `forks`: at a number that it has used.
    pub(crate) fn say(
        &mut self,
        by: &str,
        forks: bool,
        agreement: &Agreement,
        heard: &[Heard],
        now: Instant,
        chance: &mut Chance,
    ) -> Said {
        self.said += 1;
        let id = format!("0193a1b2-c3d4-7e5f-8a9b-{:012x}", self.said);
        let new = |act: Act, kind: &str| Statement::new(agreement.digest(), act, kind, &id, by, &origin(by), now);
        let mine: Vec<&Heard> = heard.iter().filter(|h| h.by == by).collect();
        let others: Vec<&Heard> = heard.iter().filter(|h| h.by != by).collect();
        let seen: Vec<&&Heard> = others.iter().filter(|h| h.statement.act == Act::Observe).collect();
        let mut word = "";
        let mut statement = match (chance.below(8), chance.pick(&mine), chance.pick(&others), chance.pick(&seen)) {
            (0, Some(target), ..) => {
                word = "takes back";
                let mut s = new(Act::Withdraw, "withdraw");
                s.refs.push(Reference { rel: Rel::Withdraws, id: target.id });
                s.fields.insert("what".into(), FieldValue::Text(target.id.to_string()));
                s
            }
            (1, _, Some(target), _) => {
                word = "disputes";
                let mut s = new(Act::Allege, "contested");
                s.refs.push(Reference { rel: Rel::Cites, id: target.id });
                s
            }
            (2, .., Some(target)) => {
                word = "confirms";
                let mut s = new(target.statement.act, &target.statement.kind);
                s.refs.push(Reference { rel: Rel::Confirms, id: target.id });
                s.fields.clone_from(&target.statement.fields);
                s.occurred_at.clone_from(&target.statement.occurred_at);
                s
            }
            _ => {
                let kinds: Vec<_> = agreement
                    .kinds()
                    .iter()
                    .filter(|k| matches!(k.speech, Speech::Said | Speech::Seen) && k.act != "record")
                    .collect();
                let frequent: Vec<_> = kinds.iter().filter(|k| FREQUENT.contains(&k.name.as_str())).copied().collect();
                let from = if chance.one_in(2) && !frequent.is_empty() { &frequent } else { &kinds };
                let kind = chance.pick(from).expect("an agreement has kinds");
                let mut s = new(Act::from_name(&kind.act).unwrap_or(Act::Notify), &kind.name);
                if kind.speech == Speech::Seen || s.act == Act::Observe {
                    // Half is said at once, half late.
                    let ago = if chance.one_in(2) { chance.below(60) } else { chance.between(600, 4 * 3600) };
                    let to = now.plus(-i64::try_from(ago).unwrap_or(0));
                    let from = to.plus(-i64::try_from(chance.below(900)).unwrap_or(0));
                    s.occurred_at = Some(Occurred { from, to, precision: Precision::Minute, edtf: None });
                    word = if ago >= 600 { "says late" } else { "" };
                }
                for (name, wanted) in &kind.fields {
                    if let Some(value) = self.value(&s, name, wanted, agreement, chance) {
                        s.fields.insert(name.clone(), value);
                    }
                }
                s
            }
        };
        if matches!(statement.act, Act::Allege | Act::Request) {
            statement.to = vec![if by == "P1" { "P2" } else { "P1" }.into()];
        }
        if let (Act::Answer, Some(target)) = (statement.act, chance.pick(&others)) {
            statement.refs.push(Reference { rel: Rel::Answers, id: target.id });
        }
        if chance.one_in(25) {
            word = "says what does not fit";
            statement.kind = "rumour".into();
        }
        statement.source = format!("{}/chair", by.to_lowercase());
        let after = if forks { self.before.get(by) } else { self.last.get(by) };
        if let Some((seq, id)) = after {
            (statement.seq, statement.prev) = (seq + 1, Some(*id));
        }
        let signers: Vec<SecretKey> = match statement.act {
            Act::Consent | Act::Find => KEEPERS.iter().map(|n| self.chair(n, by)).collect(),
            _ => vec![self.chair(by, by)],
        };
        let envelope = Envelope::sign(statement.to_payload(), &signers.iter().collect::<Vec<_>>());
        let id = envelope.statement_id();
        if !forks && let Some(last) = self.last.insert(by.into(), (statement.seq, id)) {
            self.before.insert(by.into(), last);
        }
        let what = format!("{}{}{}", word, if word.is_empty() { "says " } else { ": " }, statement.kind);
        Said { what, leaf: envelope.to_leaf(), statement, id }
    }

    /// The key of a chair that counts in a log: its keeper's may have given way there, the others' have not.
    fn chair(&self, name: &str, log: &str) -> SecretKey {
        nth(name, if name == log { self.chairs.get(name).copied().unwrap_or_default() } else { 0 })
    }

    /// A value for a field. Few names and numbers, so that statements meet; the values of an enumeration are those that the
    /// agreement names when it is shown one that is not there.
    fn value(
        &self,
        statement: &Statement,
        name: &str,
        wanted: &str,
        agreement: &Agreement,
        chance: &mut Chance,
    ) -> Option<FieldValue> {
        if wanted.ends_with('?') && chance.one_in(2) {
            return None;
        }
        let wanted = wanted.trim_end_matches('?');
        let text = |t: String| Some(FieldValue::Text(t));
        match wanted {
            "party" => text(if chance.one_in(2) { "P1" } else { "P2" }.into()),
            "instant" => text(START.plus(i64::try_from(chance.below(7200)).unwrap_or(0) - 3600).to_string()),
            "duration" | "count" => Some(FieldValue::Int(i64::try_from(chance.below(4000)).unwrap_or(0))),
            "bool" => Some(FieldValue::Bool(chance.one_in(2))),
            "place" => Some(FieldValue::Map(BTreeMap::new())),
            _ if wanted.starts_with("enum:") => {
                let mut probe = statement.clone();
                probe.fields = BTreeMap::from([(name.to_string(), FieldValue::Text("no value has this name".into()))]);
                let allowed = agreement.fits(&probe).err().map(|misfit| misfit.allowed).unwrap_or_default();
                let values: Vec<&str> = allowed.split(", ").collect();
                text(chance.pick(&values).copied().unwrap_or_default().to_string())
            }
            "text" if name == "commitment" => text(format!("C{}", chance.between(1, 30))),
            _ => text(format!("X{}", chance.between(1, 4))),
        }
    }
}
