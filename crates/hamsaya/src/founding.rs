//! The founding: entry 0 of every log, the same bytes in all, signed by every node that keeps one. It names the
//! agreement, the members, their keys and, for each log, the witnesses whose word proves its times.
//!
//! ```text
//! "fields":{"members":[{"name":"P1","role":"party","origin":"p1.example/hamsaya/1"},…],
//!           "keys":[{"node":"P1","role":"office","vkey":"p1.example/chair+…"},…],
//!           "policies":{"p1.example/hamsaya/1":"log …\nwitness …\nquorum …\n"},"constants":{}}
//! ```
use crate::author::uuid_v7;
use crate::complaint::Complaint;
use crate::folder::Folder;
use anyhow::Result;
use hamsaya_record::Instant;
use hamsaya_record::envelope::Envelope;
use hamsaya_record::key::{Role, SecretKey, Vkey};
use hamsaya_record::policy;
use hamsaya_record::statement::{Act, FieldValue, Statement};
use std::collections::BTreeMap;

/// A node that will keep or witness logs.
#[derive(Clone, Debug)]
pub struct Member {
    /// `P1`.
    pub name: String,
    /// `party`, `guarantor` or `witness`.
    pub role: String,
    /// Its keys, by role.
    pub keys: Vec<(Role, SecretKey)>,
}

impl Member {
    /// Reads the keys of a folder; a key's file tells its role.
    pub fn of(name: &str, role: &str, folder: &Folder) -> Result<Member> {
        let keys = folder.keys()?.into_iter().map(|held| (role_of(&held.file), held.key)).collect();
        Ok(Member { name: name.into(), role: role.into(), keys })
    }

    fn key(&self, role: Role) -> Option<&SecretKey> {
        self.keys.iter().find(|(r, _)| *r == role).map(|(_, key)| key)
    }

    /// Name of its log; a witness-only institution keeps none.
    pub fn origin(&self) -> Option<&str> {
        self.key(Role::Log).map(|key| key.vkey().name())
    }
}

/// The file's name tells what a key is for: `log witness mirror node recovery`, `post-…` and `station` are devices, the
/// rest are offices.
pub fn role_of(file: &str) -> Role {
    match file {
        "station" => Role::Device,
        file if file.starts_with("post-") => Role::Device,
        file => file.parse().unwrap_or(Role::Office),
    }
}

/// Writes and signs the founding.
pub fn found(agreement: [u8; 32], members: &[Member], at: Instant) -> Result<Envelope> {
    let mut policies = BTreeMap::new();
    for member in members {
        if let Some(log) = member.key(Role::Log) {
            policies.insert(log.vkey().name().to_string(), FieldValue::Text(policy_of(member, log.vkey(), members)?));
        }
    }
    let fields = BTreeMap::from([
        ("members".to_string(), FieldValue::List(members.iter().map(member_value).collect())),
        ("keys".to_string(), FieldValue::List(members.iter().flat_map(key_values).collect())),
        ("policies".to_string(), FieldValue::Map(policies)),
        ("constants".to_string(), FieldValue::Map(BTreeMap::new())),
    ]);
    let first = members.iter().find(|m| m.origin().is_some());
    let first = first.ok_or_else(|| Complaint::new("no member keeps a log").hint("name a party or a guarantor"))?;
    let id = uuid_v7(at.0.max(0).unsigned_abs() * 1000, &agreement);
    let statement = Statement {
        source: format!("{}/founding", first.name.to_lowercase()),
        marking: "TLP:CLEAR".into(),
        fields,
        ..Statement::new(agreement, Act::Record, "founding", &id, &first.name, "*", at)
    };
    let signers: Vec<&SecretKey> =
        members.iter().filter(|m| m.origin().is_some()).filter_map(|m| m.key(Role::Node)).collect();
    Ok(Envelope::sign(statement.to_payload(), &signers))
}

/// Every other node is a witness; the quorum is floor((n+f)/2)+1, with as many liars f as n can bear.
fn policy_of(member: &Member, log: &Vkey, members: &[Member]) -> Result<String> {
    let others: Vec<(&str, &Vkey)> = members
        .iter()
        .filter(|m| m.name != member.name)
        .filter_map(|m| Some((m.name.as_str(), m.key(Role::Witness)?.vkey())))
        .collect();
    let n = others.len();
    if n == 0 {
        return Err(Complaint::new(format!("nobody witnesses the log of {}", member.name))
            .hint("a founding needs at least two members")
            .into());
    }
    let f = (n - 1) / 3;
    Ok(policy::write(log, others, (n + f) / 2 + 1))
}

fn text(value: &str) -> FieldValue {
    FieldValue::Text(value.into())
}

fn member_value(member: &Member) -> FieldValue {
    let mut map = BTreeMap::from([("name".to_string(), text(&member.name)), ("role".to_string(), text(&member.role))]);
    if let Some(origin) = member.origin() {
        map.insert("origin".into(), text(origin));
    }
    FieldValue::Map(map)
}

fn key_values(member: &Member) -> impl Iterator<Item = FieldValue> + '_ {
    member.keys.iter().map(|(role, key)| {
        FieldValue::Map(BTreeMap::from([
            ("node".to_string(), text(&member.name)),
            ("role".to_string(), text(role.name())),
            ("vkey".to_string(), text(&key.vkey().to_string())),
        ]))
    })
}
