//! Who lives in the world: P1, P2, G1, G2 with logs and O1 that only witnesses; keys made from their names.
//!
//! ```text
//! key("P1", "witness")     p1.example/witness, from SHA-256 of that name: no secret of anybody's
//! ```
use crate::shelf::Shelf;
use hamsaya_agreement::Agreement;
use hamsaya_node::config::Pacing;
use hamsaya_node::node::{Keys, Setup, Stores};
use hamsaya_record::Instant;
use hamsaya_record::envelope::Envelope;
use hamsaya_record::founding::{Founding, Member, MemberKey, MemberRole};
use hamsaya_record::key::{Role, SecretKey};
use hamsaya_record::policy;
use hamsaya_record::store::{Memory, version};
use hamsaya_record::witness::SKEW_S_MAX;
use std::collections::BTreeMap;
use std::sync::Arc;

/// All nodes.
pub(crate) const NAMES: [&str; 5] = ["P1", "P2", "G1", "G2", "O1"];
/// Those that keep a log, and judge.
pub(crate) const KEEPERS: [&str; 4] = ["P1", "P2", "G1", "G2"];
/// When a story begins.
pub(crate) const START: Instant = Instant(1_795_550_400);
/// Of the four witnesses of a log.
pub(crate) const QUORUM: usize = 3;
/// Honest clocks are this far from true at most, in seconds.
pub(crate) const SKEW_S: i64 = SKEW_S_MAX / 2;

pub(crate) fn has_log(name: &str) -> bool {
    KEEPERS.contains(&name)
}

pub(crate) fn origin(name: &str) -> String {
    format!("{}.example/hamsaya/1", name.to_lowercase())
}

/// The key of a node for `log`, `witness`, `node` or an office.
pub(crate) fn key(node: &str, what: &str) -> SecretKey {
    let name = if what == "log" { origin(node) } else { format!("{}.example/{what}", node.to_lowercase()) };
    let seed = version(name.as_bytes());
    let key = match what {
        "witness" => SecretKey::cosigner_from_seed(&name, seed),
        _ => SecretKey::from_seed(&name, seed),
    };
    key.expect("a host and a path are a key name")
}

/// The key of a chair after so many others.
pub(crate) fn nth(node: &str, number: u64) -> SecretKey {
    let first = key(node, "chair");
    match number {
        0 => first,
        number => SecretKey::from_seed(first.vkey().name(), version(format!("{node} {number}").as_bytes()))
            .expect("a host and a path are a key name"),
    }
}

/// Entry 0 of every log: each log is witnessed by the four other nodes, of whom so many make a quorum.
pub(crate) fn founding_leaf(agreement: &Agreement, quorum: usize) -> Vec<u8> {
    let (mut members, mut keys) = (Vec::new(), Vec::new());
    for name in NAMES {
        let role = match &name[..1] {
            "P" => MemberRole::Party,
            "G" => MemberRole::Guarantor,
            _ => MemberRole::Witness,
        };
        members.push(Member { name: name.into(), role, origin: has_log(name).then(|| origin(name)) });
        let mut all = vec![(Role::Witness, "witness"), (Role::Node, "node")];
        if has_log(name) {
            all.extend([(Role::Log, "log"), (Role::Office, "chair")]);
        }
        for (role, what) in all {
            keys.push(MemberKey { node: name.into(), role, vkey: key(name, what).vkey().clone() });
        }
    }
    let policies = KEEPERS.iter().map(|name| {
        let others = keys.iter().filter(|k| k.role == Role::Witness && k.node != *name);
        let others = others.map(|k| (k.node.as_str(), &k.vkey));
        (origin(name), policy::write(key(name, "log").vkey(), others, quorum))
    });
    let policies = policies.collect();
    let founding = Founding::new(agreement.digest(), members, keys, policies, BTreeMap::new())
        .expect("members, keys and policies are made for each other");
    let id = "0193a1b2-c3d4-7e5f-8a9b-f00000000000";
    let statement = founding.to_statement(id, "P1", "p1/node", START.plus(-200 * 3600));
    let signers = KEEPERS.map(|name| key(name, "node"));
    Envelope::sign(statement.to_payload(), &signers.iter().collect::<Vec<_>>()).to_leaf()
}

pub(crate) fn setup(name: &str, agreement: &Arc<Agreement>, founding_leaf: &[u8]) -> Setup {
    Setup {
        name: name.into(),
        keys: Keys {
            log: has_log(name).then(|| key(name, "log")),
            witness: key(name, "witness"),
            mirror: None,
            node: key(name, "node"),
            other_nodes: Vec::new(),
        },
        founding_leaf: founding_leaf.to_vec(),
        agreement: has_log(name).then(|| agreement.clone()),
        pacing: Pacing::default(),
        peers: NAMES.iter().filter(|n| **n != name).map(|n| n.to_string()).collect(),
        skew_s_max: Some(SKEW_S_MAX),
        rights: false,
    }
}

/// The member whose process this is: a second process of P1 is called `P1*`.
pub(crate) fn who(process: &'static str) -> &'static str {
    process.trim_end_matches('*')
}

/// The second process of a member.
pub(crate) fn twin(name: &str) -> &'static str {
    match name {
        "P1" => "P1*",
        "P2" => "P2*",
        "G1" => "G1*",
        "G2" => "G2*",
        _ => "O1*",
    }
}

/// The stores of one node, which outlive its process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    pub(crate) log: Memory,
    pub(crate) witness: Memory,
    /// By origin.
    pub(crate) copies: BTreeMap<String, Memory>,
}

impl Disk {
    pub(crate) fn of(name: &str) -> Disk {
        let others = KEEPERS.iter().filter(|n| **n != name && has_log(name));
        Disk { copies: others.map(|n| (origin(n), Memory::new())).collect(), ..Disk::default() }
    }

    /// Another disk with the same bytes.
    pub(crate) fn copy(&self) -> Disk {
        let copies = self.copies.iter().map(|(origin, store)| (origin.clone(), store.copy()));
        Disk { log: self.log.copy(), witness: self.witness.copy(), copies: copies.collect() }
    }

    pub(crate) fn stores(&self, name: &str, careless: bool) -> Stores<Shelf> {
        let shelf = |memory| Shelf::of(memory).careless(careless);
        Stores {
            log: has_log(name).then(|| shelf(&self.log)),
            witness: Some(shelf(&self.witness)),
            mirror: None,
            copies: self.copies.iter().map(|(origin, store)| (origin.clone(), shelf(store))).collect(),
        }
    }

    /// What it holds of a log.
    pub(crate) fn held(&self, name: &str, of: &str) -> Option<&Memory> {
        if origin(name) == of { Some(&self.log) } else { self.copies.get(of) }
    }

    /// Each store with a name for people.
    pub(crate) fn all(&self) -> Vec<(String, &Memory)> {
        let copies = self.copies.iter().map(|(origin, store)| (format!("its copy of {origin}"), store));
        [("its log".to_string(), &self.log), ("its witness states".to_string(), &self.witness)]
            .into_iter()
            .chain(copies)
            .collect()
    }

    pub(crate) fn has_crashed(&self) -> bool {
        self.log.has_crashed() || self.witness.has_crashed() || self.copies.values().any(Memory::has_crashed)
    }
}
