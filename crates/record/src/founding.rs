//! The founding: entry 0, the same bytes in every log, signed by the node key of everyone who keeps one.
//!
//! ```json
//! {"act":"record","kind":"founding","home":"*","fields":{
//!   "members":[{"name":"P1","role":"party","origin":"p1.example/hamsaya/1"},{"name":"O1","role":"witness"}],
//!   "keys":[{"node":"P1","role":"log","vkey":"p1.example/hamsaya/1+1a2b3c4d+AZ…"},
//!           {"node":"O1","role":"witness","vkey":"o1.example/witness+5e6f7a8b+BD…"}],
//!   "policies":{"p1.example/hamsaya/1":"log p1.example/hamsaya/1+…\nwitness O1 …\nquorum O1\n"},
//!   "constants":{"heartbeat_s":60}}}
//! ```
//! It fixes for life the agreement id, the members, their first keys, and for each log the policy by which its
//! checkpoints count. A [`Founding`] that exists is consistent: one key has one owner and one role, every log has its key
//! and its policy, and no node witnesses its own log.
use crate::envelope::Envelope;
use crate::instant::Instant;
use crate::key::{Role, Vkey, is_key_name};
use crate::policy::Policy;
use crate::refusal::{Reason, Refusal};
use crate::statement::{Act, FieldValue, Statement};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What a member is to the agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MemberRole {
    /// Owes and is owed; keeps a log.
    Party,
    /// Watches over the agreement; keeps a log.
    Guarantor,
    /// Cosigns checkpoints only, and sees sizes and hashes only.
    Witness,
}

impl MemberRole {
    /// All.
    pub const ALL: [MemberRole; 3] = [MemberRole::Party, MemberRole::Guarantor, MemberRole::Witness];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            MemberRole::Party => "party",
            MemberRole::Guarantor => "guarantor",
            MemberRole::Witness => "witness",
        }
    }

    /// The role of that name.
    pub fn from_name(name: &str) -> Option<MemberRole> {
        MemberRole::ALL.into_iter().find(|r| r.name() == name)
    }
}

impl fmt::Display for MemberRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A node of the federation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its short name, e.g. `P1`.
    pub name: String,
    /// What it is.
    pub role: MemberRole,
    /// Origin of its log; absent for a witness.
    pub origin: Option<String>,
}

/// A key of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberKey {
    /// The member's name.
    pub node: String,
    /// What the key is for.
    pub role: Role,
    /// The key.
    pub vkey: Vkey,
}

/// Entry 0, read and found consistent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Founding {
    agreement: [u8; 32],
    members: Vec<Member>,
    keys: Vec<MemberKey>,
    policies: BTreeMap<String, (String, Policy)>,
    constants: BTreeMap<String, FieldValue>,
}

impl Founding {
    /// A founding of these parts; `policies` by origin. Refused unless they fit each other.
    pub fn new(
        agreement: [u8; 32],
        members: Vec<Member>,
        keys: Vec<MemberKey>,
        policies: BTreeMap<String, String>,
        constants: BTreeMap<String, FieldValue>,
    ) -> Result<Founding, Refusal> {
        check_members(&members)?;
        check_keys(&members, &keys)?;
        let mut read = BTreeMap::new();
        for (origin, text) in policies {
            let policy = Policy::parse(text.as_bytes())
                .map_err(|error| bad("policies", format!("{origin}: {error}"), "a policy for each log"))?;
            read.insert(origin, (text, policy));
        }
        let founding = Founding { agreement, members, keys, policies: read, constants };
        founding.check_policies()?;
        Ok(founding)
    }

    /// Reads entry 0 and verifies that the node key of every member with a log signed it.
    pub fn from_leaf(leaf: &[u8]) -> Result<Founding, Refusal> {
        let envelope = Envelope::parse_leaf(leaf)?;
        let statement = Statement::parse(&envelope.payload)?;
        let founding = Founding::from_statement(&statement).map_err(|r| r.within("predicate"))?;
        founding.check_signatures(&envelope)?;
        Ok(founding)
    }

    /// Reads the fields of a founding statement; signatures are not looked at.
    pub fn from_statement(statement: &Statement) -> Result<Founding, Refusal> {
        if statement.act != Act::Record || statement.kind != "founding" {
            return Err(Refusal::new(Reason::UnknownKind, "kind", format!("{:?}", statement.kind), "founding"));
        }
        if statement.home != "*" {
            return Err(Refusal::new(Reason::WrongHome, "home", format!("{:?}", statement.home), "*"));
        }
        let mut fields = statement.fields.clone();
        let members = read_members(fields.remove("members")).map_err(|r| r.within("fields"))?;
        let keys = read_keys(fields.remove("keys")).map_err(|r| r.within("fields"))?;
        let mut policies = BTreeMap::new();
        for (origin, text) in map("policies", fields.remove("policies")).map_err(|r| r.within("fields"))? {
            let FieldValue::Text(text) = text else {
                return Err(bad("fields.policies", origin, "a policy text for each origin"));
            };
            policies.insert(origin, text);
        }
        let constants = fields.remove("constants").map_or(Ok(BTreeMap::new()), |c| map("constants", Some(c)))?;
        if let Some(key) = fields.keys().next() {
            let allowed = "members, keys, policies, constants";
            return Err(Refusal::new(Reason::UnknownField, format!("fields.{key}"), format!("field {key:?}"), allowed));
        }
        Founding::new(statement.agreement, members, keys, policies, constants).map_err(|r| r.within("fields"))
    }

    /// The statement of this founding, to be signed by [`Founding::signers`].
    pub fn to_statement(&self, id: &str, party: &str, source: &str, stated_at: Instant) -> Statement {
        let text = |t: &str| FieldValue::Text(t.to_owned());
        let object = |members: Vec<(&str, FieldValue)>| {
            FieldValue::Map(members.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
        };
        let mut statement = Statement::new(self.agreement, Act::Record, "founding", id, party, "*", stated_at);
        statement.source = source.to_owned();
        let members = self.members.iter().map(|m| {
            let mut member = vec![("name", text(&m.name)), ("role", text(m.role.name()))];
            if let Some(origin) = &m.origin {
                member.push(("origin", text(origin)));
            }
            object(member)
        });
        let keys = self.keys.iter().map(|k| {
            object(vec![("node", text(&k.node)), ("role", text(k.role.name())), ("vkey", text(&k.vkey.to_string()))])
        });
        let policies = self.policies.iter().map(|(origin, (policy, _))| (origin.clone(), text(policy)));
        statement.fields = BTreeMap::from([
            ("members".to_owned(), FieldValue::List(members.collect())),
            ("keys".to_owned(), FieldValue::List(keys.collect())),
            ("policies".to_owned(), FieldValue::Map(policies.collect())),
            ("constants".to_owned(), FieldValue::Map(self.constants.clone())),
        ]);
        statement
    }

    /// Id of the agreement, for life.
    pub fn agreement(&self) -> [u8; 32] {
        self.agreement
    }

    /// All members, as stated.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The member of this name.
    pub fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|m| m.name == name)
    }

    /// The member that keeps the log of this origin.
    pub fn keeper(&self, origin: &str) -> Option<&Member> {
        self.members.iter().find(|m| m.origin.as_deref() == Some(origin))
    }

    /// All keys, as stated.
    pub fn keys(&self) -> &[MemberKey] {
        &self.keys
    }

    /// Keys of this role.
    pub fn keys_of(&self, role: Role) -> impl Iterator<Item = &MemberKey> {
        self.keys.iter().filter(move |k| k.role == role)
    }

    /// The key that signs the checkpoints of this origin.
    pub fn log_key(&self, origin: &str) -> Option<&Vkey> {
        self.keys_of(Role::Log).map(|k| &k.vkey).find(|k| k.name() == origin)
    }

    /// The policy for the checkpoints of this origin.
    pub fn policy(&self, origin: &str) -> Option<&Policy> {
        self.policies.get(origin).map(|(_, policy)| policy)
    }

    /// Its text.
    pub fn policy_text(&self, origin: &str) -> Option<&str> {
        self.policies.get(origin).map(|(text, _)| text.as_str())
    }

    /// Constants of the mechanism.
    pub fn constants(&self) -> &BTreeMap<String, FieldValue> {
        &self.constants
    }

    /// Origins of all logs, sorted.
    pub fn origins(&self) -> impl Iterator<Item = &str> {
        self.policies.keys().map(String::as_str)
    }

    /// Node keys of members with a log: who must sign entry 0.
    pub fn signers(&self) -> impl Iterator<Item = &MemberKey> {
        self.keys_of(Role::Node).filter(|k| self.member(&k.node).is_some_and(|m| m.origin.is_some()))
    }

    fn check_signatures(&self, envelope: &Envelope) -> Result<(), Refusal> {
        let message = crate::envelope::pae(&envelope.payload);
        for key in self.signers() {
            let keyid = key.vkey.keyid();
            let Some(signature) = envelope.signatures.iter().find(|s| s.keyid == keyid) else {
                let found = format!("none by {keyid}");
                let allowed = "signatures by the node key of every member with a log";
                return Err(Refusal::new(Reason::MissingSignature, "signatures", found, allowed));
            };
            let fits = signature.sig.as_slice().try_into().is_ok_and(|sig| key.vkey.verify(&message, sig));
            if !fits {
                let found = format!("a signature by {keyid} that fails");
                return Err(Refusal::new(Reason::BadSignature, "signatures", found, "signatures over the payload"));
            }
        }
        Ok(())
    }

    fn check_policies(&self) -> Result<(), Refusal> {
        for member in &self.members {
            let Some(origin) = &member.origin else { continue };
            let policy = self
                .policy(origin)
                .ok_or_else(|| bad("policies", format!("none for {origin}"), "a policy for each log"))?;
            let logs: Vec<&Vkey> = policy.logs().iter().map(|l| &l.vkey).collect();
            if Some(logs.as_slice()) != self.log_key(origin).map(|k| [k]).as_ref().map(|k| k.as_slice()) {
                let found = format!("{} log lines for {origin}", logs.len());
                return Err(bad("policies", found, "one log line, with the log's key"));
            }
            for witness in policy.witnesses() {
                let known = self.keys.iter().find(|k| k.vkey == witness.vkey && k.role == Role::Witness);
                if known.is_none_or(|k| k.node == member.name) {
                    let found = format!("witness {} of {origin}", witness.vkey.keyid());
                    return Err(bad("policies", found, "witness keys of other members"));
                }
            }
        }
        match self.policies.keys().find(|origin| self.keeper(origin).is_none()) {
            Some(origin) => Err(bad("policies", origin.clone(), "origins of members")),
            None => Ok(()),
        }
    }
}

fn bad(field: &'static str, found: impl fmt::Display, allowed: &'static str) -> Refusal {
    Refusal::new(Reason::BadField, field, found, allowed)
}

fn check_members(members: &[Member]) -> Result<(), Refusal> {
    let (mut names, mut origins) = (BTreeSet::new(), BTreeSet::new());
    for member in members {
        if !is_key_name(&member.name) || member.name.len() > 64 || !names.insert(&member.name) {
            return Err(bad("members", format!("name {:?}", member.name), "names without spaces and `+`, each once"));
        }
        match &member.origin {
            Some(origin) if member.role == MemberRole::Witness => {
                return Err(bad(
                    "members",
                    format!("witness {} with log {origin}", member.name),
                    "witnesses without a log",
                ));
            }
            None if member.role != MemberRole::Witness => {
                return Err(bad(
                    "members",
                    format!("{} {} without origin", member.role, member.name),
                    "a log for each",
                ));
            }
            Some(origin) if !is_key_name(origin) || origin == "*" || !origins.insert(origin) => {
                return Err(bad("members", format!("origin {origin:?}"), "origins without spaces and `+`, each once"));
            }
            _ => {}
        }
    }
    if origins.is_empty() {
        return Err(bad("members", "no log", "at least one member with a log"));
    }
    Ok(())
}

fn check_keys(members: &[Member], keys: &[MemberKey]) -> Result<(), Refusal> {
    let (mut publics, mut keyids) = (BTreeSet::new(), BTreeSet::new());
    for key in keys {
        let keyid = key.vkey.keyid();
        let Some(member) = members.iter().find(|m| m.name == key.node) else {
            return Err(bad("keys", format!("{keyid} of {:?}", key.node), "keys of members"));
        };
        if key.vkey.algorithm() != key.role.algorithm() {
            let found = format!("{keyid} of type {:#04x} as {}", key.vkey.algorithm() as u8, key.role);
            return Err(bad("keys", found, "type 0x04 for witness and mirror, 0x01 for the others"));
        }
        if key.role == Role::Log && member.origin.as_deref() != Some(key.vkey.name()) {
            return Err(bad("keys", keyid, "a log key named like the origin of its member"));
        }
        if !publics.insert(*key.vkey.public()) || !keyids.insert(keyid.clone()) {
            return Err(bad("keys", format!("{keyid} twice"), "one role for one key"));
        }
    }
    for member in members.iter().filter(|m| m.origin.is_some()) {
        let count = |role| keys.iter().filter(|k| k.node == member.name && k.role == role).count();
        if count(Role::Log) != 1 || count(Role::Node) != 1 {
            let found = format!("{} log and {} node keys of {}", count(Role::Log), count(Role::Node), member.name);
            return Err(bad("keys", found, "one of each for every member with a log"));
        }
    }
    Ok(())
}

fn map(field: &'static str, value: Option<FieldValue>) -> Result<BTreeMap<String, FieldValue>, Refusal> {
    match value {
        Some(FieldValue::Map(map)) => Ok(map),
        _ => Err(bad(field, "no object", "an object")),
    }
}

/// The objects of a list, each with exactly these texts; those whose name ends in `?` may be absent.
fn objects<const N: usize>(
    field: &'static str,
    value: Option<FieldValue>,
    names: [&'static str; N],
) -> Result<Vec<[Option<String>; N]>, Refusal> {
    let Some(FieldValue::List(items)) = value else { return Err(bad(field, "no list", "a list of objects")) };
    let read = |item: FieldValue| {
        let FieldValue::Map(mut object) = item else { return Err(bad(field, "no object", "a list of objects")) };
        let mut texts = [const { None }; N];
        for (text, name) in texts.iter_mut().zip(names) {
            let (name, optional) = name.strip_suffix('?').map_or((name, false), |n| (n, true));
            *text = match object.remove(name) {
                Some(FieldValue::Text(text)) => Some(text),
                None if optional => None,
                _ => {
                    return Err(bad(
                        field,
                        format!("an object without text `{name}`"),
                        "name and role, or node, role and vkey",
                    ));
                }
            };
        }
        match object.keys().next() {
            Some(key) => Err(Refusal::new(Reason::UnknownField, field, format!("field {key:?}"), names.join(", "))),
            None => Ok(texts),
        }
    };
    items.into_iter().map(read).collect()
}

fn read_members(value: Option<FieldValue>) -> Result<Vec<Member>, Refusal> {
    let mut members = Vec::new();
    for [name, role, origin] in objects("members", value, ["name", "role", "origin?"])? {
        let (name, role) = (name.unwrap_or_default(), role.unwrap_or_default());
        let role = MemberRole::from_name(&role)
            .ok_or_else(|| bad("members", format!("role {role:?}"), "party, guarantor, witness"))?;
        members.push(Member { name, role, origin });
    }
    Ok(members)
}

fn read_keys(value: Option<FieldValue>) -> Result<Vec<MemberKey>, Refusal> {
    let mut keys = Vec::new();
    for [node, role, vkey] in objects("keys", value, ["node", "role", "vkey"])? {
        let read = |error: crate::key::KeyError| bad("keys", error, "a known role and a sound key");
        let role = role.unwrap_or_default().parse().map_err(read)?;
        let vkey = vkey.unwrap_or_default().parse().map_err(read)?;
        keys.push(MemberKey { node: node.unwrap_or_default(), role, vkey });
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::World;

    #[test]
    fn reads_what_it_writes() {
        let world = World::new();
        assert_eq!(Founding::from_leaf(&world.founding_leaf), Ok(world.founding.clone()));
        let origin = "p1.example/hamsaya/1";
        let numbers = world.founding.policy(origin).and_then(Policy::numbers).unwrap();
        assert_eq!((numbers.n, numbers.f, numbers.q, numbers.v), (4, 1, 3, 3));
        assert_eq!(world.founding.log_key(origin).map(Vkey::name), Some(origin));
        assert_eq!(world.founding.origins().count(), 4);
        assert_eq!(world.founding.signers().count(), 4);
    }

    #[test]
    fn every_member_with_a_log_must_have_signed() {
        let world = World::new();
        let whole = Envelope::parse_leaf(&world.founding_leaf).unwrap();
        for i in 0..4 {
            let mut envelope = whole.clone();
            envelope.signatures.remove(i);
            assert_eq!(Founding::from_leaf(&envelope.to_leaf()).unwrap_err().reason, Reason::MissingSignature);
            let mut envelope = whole.clone();
            envelope.signatures[i].sig[40] ^= 1;
            assert_eq!(Founding::from_leaf(&envelope.to_leaf()).unwrap_err().reason, Reason::BadSignature);
        }
    }

    /// Parts of a founding, to be spoiled.
    struct Parts {
        members: Vec<Member>,
        keys: Vec<MemberKey>,
        policies: BTreeMap<String, String>,
    }

    #[track_caller]
    fn check(spoil: impl FnOnce(&mut Parts), expected: &str) {
        let founding = World::new().founding;
        let mut parts = Parts {
            members: founding.members.clone(),
            keys: founding.keys.clone(),
            policies: founding.policies.iter().map(|(k, (t, _))| (k.clone(), t.clone())).collect(),
        };
        spoil(&mut parts);
        let found = Founding::new([0; 32], parts.members, parts.keys, parts.policies, BTreeMap::new());
        let found = found.map_or_else(|r| r.to_string(), |_| "accepted".to_owned());
        assert!(found.contains(expected), "{found}");
    }

    #[test]
    fn parts_fit_each_other() {
        let p1 = "p1.example/hamsaya/1";
        check(|_| (), "accepted");
        check(|p| p.members[1].name = "P1".to_owned(), "name \"P1\"");
        check(|p| p.members[0].origin = None, "party P1 without origin");
        check(|p| p.members[4].origin = Some("x".to_owned()), "witness O1 with log x");
        check(|p| p.members[1].origin = Some(p1.to_owned()), "origin \"p1.example/hamsaya/1\"");
        check(|p| p.members.clear(), "no log");
        check(|p| p.keys[0].node = "P9".to_owned(), "of \"P9\"");
        check(|p| p.keys[0].role = Role::Node, "of type 0x04 as node");
        check(|p| p.keys[1].role = Role::Witness, "of type 0x01 as witness");
        check(|p| p.keys[2].node = "P2".to_owned(), "a log key named like the origin");
        check(|p| p.keys.push(p.keys[1].clone()), "twice");
        check(|p| drop(p.keys.remove(1)), "1 log and 0 node keys of P1");
        check(|p| drop(p.policies.remove(p1)), "none for p1.example/hamsaya/1");
        check(|p| drop(p.policies.insert("x".to_owned(), "quorum none\n".to_owned())), "origins of members");
        check(|p| drop(p.policies.insert(p1.to_owned(), "quorum nobody\n".to_owned())), "policy line 1");
        check(|p| drop(p.policies.insert(p1.to_owned(), "quorum none\n".to_owned())), "0 log lines");
        let own = |p: &mut Parts| {
            let text = format!("log {}\nwitness P1 {}\nquorum P1\n", p.keys[2].vkey, p.keys[0].vkey);
            p.policies.insert(p1.to_owned(), text);
        };
        check(own, "witness keys of other members");
    }
}
