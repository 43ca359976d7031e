//! Founding a federation: who its nodes are, their keys, and for each log the witnesses whose word proves its times.
//!
//! Every other node is a witness of a log. With n of them, f = floor((n-1)/3) may lie, and a quorum is
//! floor((n+f)/2)+1: for the demo's n = 4 it is 3.
use crate::author::uuid_v7;
use crate::complaint::Complaint;
use crate::folder::Folder;
use anyhow::Result;
use hamsaya_record::Instant;
use hamsaya_record::envelope::Envelope;
use hamsaya_record::founding::{Founding, Member, MemberKey, MemberRole};
use hamsaya_record::key::{Role, SecretKey, Vkey};
use hamsaya_record::policy;
use std::collections::BTreeMap;

/// The file's name tells what a key is for: `log witness mirror node recovery`; `post-…` and `station` are devices, the
/// rest are offices.
pub fn role_of(file: &str) -> Role {
    match file {
        file if file.starts_with("post-") || file.starts_with("station") => Role::Device,
        file => file.parse().unwrap_or(Role::Office),
    }
}

/// Writes the founding of these folders and signs it with the node key of each that keeps a log.
pub fn found(agreement: [u8; 32], folders: &[Folder], at: Instant) -> Result<Envelope> {
    let (mut members, mut keys, mut secrets) = (Vec::new(), Vec::new(), Vec::<SecretKey>::new());
    for folder in folders {
        let (name, word) = (folder.setting("name")?, folder.setting("role")?);
        let role = MemberRole::from_name(&word).ok_or_else(|| {
            Complaint::new(format!("role `{word}` is unknown, allowed are party guarantor witness"))
                .at(folder.path("node.toml").display())
        })?;
        let held = folder.keys()?;
        let origin = held.iter().find(|h| h.file == "log").map(|h| h.key.vkey().name().to_string());
        members.push(Member { name: name.clone(), role, origin });
        for one in held {
            let role = role_of(&one.file);
            keys.push(MemberKey { node: name.clone(), role, vkey: one.key.vkey().clone() });
            secrets.push(one.key);
        }
    }
    let policies = policies(&members, &keys)?;
    let founding = Founding::new(agreement, members, keys, policies, BTreeMap::new())?;
    let first = founding.members().iter().find(|m| m.origin.is_some());
    let first = first.ok_or_else(|| Complaint::new("no member keeps a log").hint("add a party or a guarantor"))?;
    let id = uuid_v7(at.0.max(0).unsigned_abs() * 1000, &agreement);
    let statement = founding.to_statement(&id, &first.name, &format!("{}/node", first.name.to_lowercase()), at);
    let is_signer = |key: &&SecretKey| founding.signers().any(|signer| signer.vkey == *key.vkey());
    let signers: Vec<&SecretKey> = secrets.iter().filter(is_signer).collect();
    Ok(Envelope::sign(statement.to_payload(), &signers))
}

fn policies(members: &[Member], keys: &[MemberKey]) -> Result<BTreeMap<String, String>> {
    let mut policies = BTreeMap::new();
    for member in members.iter().filter(|m| m.origin.is_some()) {
        let of_role = |role: Role| keys.iter().filter(move |k| k.role == role);
        let Some(log) = of_role(Role::Log).find(|k| k.node == member.name) else { continue };
        let others: Vec<(&str, &Vkey)> =
            of_role(Role::Witness).filter(|k| k.node != member.name).map(|k| (k.node.as_str(), &k.vkey)).collect();
        let n = others.len();
        if n == 0 {
            return Err(Complaint::new(format!("nobody witnesses the log of {}", member.name))
                .hint("a founding needs the folders of at least two nodes")
                .into());
        }
        let f = (n - 1) / 3;
        policies.insert(log.vkey.name().to_string(), policy::write(&log.vkey, others, (n + f) / 2 + 1));
    }
    Ok(policies)
}
