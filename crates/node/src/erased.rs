//! What was erased: content beside a log that is gone for good, and the ground that its keeper gave for it.
//!
//! ```json
//! {"act":"record","kind":"erasure","party":"P1","fields":{"what":"5d41402a…","ground":"rights"}}
//! ```
//! `what` is, in hex, the SHA-256 of a file, or the id of the statement whose disclosures are meant. Content is its keeper's, so
//! only the log of its keeper erases it, in his own name, by two of his offices; a drill erases nothing, and what is withdrawn later stays erased. From
//! the moment that such an entry is in the log the content is answered as gone; whoever holds it deletes it, at the latest
//! when he starts again. The hash, the ground and every proof stay: no verdict reads content.
use crate::node::Node;
use hamsaya_record::founding::Founding;
use hamsaya_record::key::Role;
use hamsaya_record::logs::Entry;
use hamsaya_record::statement::{Act, FieldValue, unhex};
use hamsaya_record::store::Store;
use std::collections::{BTreeMap, BTreeSet};

/// The kind that erases.
pub const ERASURE: &str = "erasure";

/// Why something is gone, and where that is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// `law`, `rights` or `safety`.
    pub ground: String,
    /// Log.
    pub origin: String,
    /// Place in it.
    pub index: u64,
}

/// All that the keeper of one log erased.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    by_what: BTreeMap<[u8; 32], Erasure>,
}

impl Erased {
    /// Of the entries of one log.
    pub fn of<'e>(founding: &Founding, entries: impl IntoIterator<Item = &'e Entry>) -> Erased {
        let mut erased = Erased::default();
        entries.into_iter().for_each(|entry| erased.see(founding, entry));
        erased
    }

    /// Takes the next entry of the log. The first that erases something counts.
    pub(crate) fn see(&mut self, founding: &Founding, entry: &Entry) {
        let statement = &entry.statement;
        let keeper = founding.keeper(&entry.origin).map(|member| member.name.as_str());
        if statement.kind != ERASURE || statement.drill || keeper != Some(statement.party.as_str()) {
            return;
        }
        // Two persons, in every log: what they gave away they do not take back by one key.
        let offices: BTreeSet<&str> = entry
            .signers
            .iter()
            .filter(|signer| signer.role == Role::Office.name() && Some(signer.node.as_str()) == keeper)
            .map(|signer| signer.keyid.as_str())
            .collect();
        if statement.act != Act::Record || offices.len() < 2 {
            return;
        }
        let word = |name: &str| match statement.fields.get(name) {
            Some(FieldValue::Text(word)) => Some(word.as_str()),
            _ => None,
        };
        let Some(what) = word("what").and_then(|what| unhex(what).ok()) else { return };
        let ground = word("ground").unwrap_or_default().to_string();
        self.by_what.entry(what).or_insert(Erasure { ground, origin: entry.origin.to_string(), index: entry.index });
    }

    /// Why this is gone; `None`: it is not.
    pub fn get(&self, what: &[u8; 32]) -> Option<&Erasure> {
        self.by_what.get(what)
    }

    /// All that is gone.
    pub fn whats(&self) -> impl Iterator<Item = &[u8; 32]> {
        self.by_what.keys()
    }
}

impl<S: Store> Node<S> {
    /// What the keeper of a log erased; `None`: this node does not hold that log.
    pub fn erased(&self, origin: &str) -> Option<&Erased> {
        Some(self.all_held().get(origin)?.erased())
    }

    /// All that the keeper of the own log erased.
    pub(crate) fn erased_files(&self) -> Vec<[u8; 32]> {
        self.own.iter().flat_map(|own| own.held.erased().whats()).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hamsaya_record::Instant;
    use hamsaya_record::founding::{Member, MemberKey, MemberRole};
    use hamsaya_record::key::SecretKey;
    use hamsaya_record::logs::Signer;
    use hamsaya_record::statement::{Statement, StatementId, hex};

    fn founding() -> Founding {
        let members = ["P1", "P2"].map(|name| Member {
            name: name.into(),
            role: MemberRole::Party,
            origin: Some(format!("{name}/log").to_lowercase()),
        });
        let keys = ["P1", "P2"].into_iter().flat_map(|name| {
            let key = |role: Role, at: &str, seed: u8| {
                let key = match role {
                    Role::Witness => SecretKey::cosigner_from_seed(at, [seed; 32]),
                    _ => SecretKey::from_seed(at, [seed; 32]),
                };
                MemberKey { node: name.into(), role, vkey: key.unwrap().vkey().clone() }
            };
            let (host, seed) = (name.to_lowercase(), name.as_bytes()[1]);
            [
                key(Role::Log, &format!("{host}/log"), seed),
                key(Role::Witness, &format!("{host}/witness"), seed + 10),
                key(Role::Node, &format!("{host}/node"), seed + 20),
            ]
        });
        let keys: Vec<MemberKey> = keys.collect();
        let policies = ["P1", "P2"].map(|name| {
            let log = keys.iter().find(|k| k.node == name && k.role == Role::Log).unwrap();
            let others = keys.iter().filter(|k| k.node != name && k.role == Role::Witness);
            let others = others.map(|k| (k.node.as_str(), &k.vkey));
            (format!("{name}/log").to_lowercase(), hamsaya_record::policy::write(&log.vkey, others, 1))
        });
        Founding::new([7; 32], members.into(), keys, BTreeMap::from(policies), BTreeMap::new()).unwrap()
    }

    fn entry(index: u64, party: &str, ground: &str, change: impl FnOnce(&mut Statement)) -> Entry {
        let mut statement = Statement::new([7; 32], Act::Record, ERASURE, "", party, "p1/log", Instant(0));
        statement.fields.insert("what".into(), FieldValue::Text(hex(&[1; 32])));
        statement.fields.insert("ground".into(), FieldValue::Text(ground.into()));
        change(&mut statement);
        let signer = |office: &str, role: Role| Signer {
            keyid: format!("p1/{office}+00000000"),
            node: "P1".into(),
            role: role.name().into(),
        };
        // A ground of two words names its one office.
        let mut signers =
            vec![signer("node", Role::Node), signer("chair", Role::Office), signer("legal", Role::Office)];
        if ground == "by one" {
            signers.pop();
        }
        Entry { origin: "p1/log".into(), index, statement_id: StatementId([0; 32]), statement, signers }
    }

    #[test]
    fn the_keeper_alone_erases_and_the_first_word_counts() {
        let check = |entries: &[Entry], expected: Option<(&str, u64)>| {
            let erased = Erased::of(&founding(), entries);
            assert_eq!(erased.get(&[1; 32]).map(|e| (e.ground.as_str(), e.index)), expected);
            assert_eq!(erased.whats().count(), usize::from(expected.is_some()));
        };
        check(&[], None);
        check(&[entry(3, "P1", "rights", |_| ())], Some(("rights", 3)));
        check(&[entry(3, "P1", "rights", |_| ()), entry(4, "P1", "law", |_| ())], Some(("rights", 3)));
        check(&[entry(3, "P2", "rights", |_| ())], None);
        check(&[entry(3, "P1", "by one", |_| ())], None);
        check(&[entry(3, "P1", "rights", |s| s.act = Act::Notify)], None);
        check(&[entry(3, "P1", "rights", |s| s.drill = true)], None);
        check(&[entry(3, "P1", "rights", |s| s.kind = "audit".into())], None);
        check(&[entry(3, "P1", "law", |s| drop(s.fields.insert("what".into(), FieldValue::Text("f1".into()))))], None);
    }
}
