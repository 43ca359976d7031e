//! Two parties, two guarantors and a witness, for tests.
use crate::envelope::Envelope;
use crate::founding::{Founding, Member, MemberKey, MemberRole};
use crate::instant::Instant;
use crate::key::{Role, SecretKey};
use crate::policy;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// Id of the agreement of the test world.
pub(crate) const AGREEMENT: [u8; 32] = [0xA9; 32];

/// Keys by name, and the founding that they make.
pub(crate) struct World {
    keys: BTreeMap<String, SecretKey>,
    pub(crate) founding: Founding,
    pub(crate) founding_leaf: Vec<u8>,
}

impl World {
    pub(crate) const FOUNDING_ID: &str = "0193a1b2-c3d4-7e5f-8a9b-f00000000000";

    pub(crate) fn new() -> World {
        let seed = |name: &str| Sha256::digest(name).into();
        let mut keys = BTreeMap::new();
        let (mut members, mut member_keys) = (vec![], vec![]);
        for (name, role) in [
            ("P1", MemberRole::Party),
            ("P2", MemberRole::Party),
            ("G1", MemberRole::Guarantor),
            ("G2", MemberRole::Guarantor),
            ("O1", MemberRole::Witness),
        ] {
            let host = format!("{}.example", name.to_lowercase());
            let origin = (role != MemberRole::Witness).then(|| format!("{host}/hamsaya/1"));
            let mut roles = vec![(Role::Witness, format!("{host}/witness")), (Role::Node, format!("{host}/node"))];
            if let Some(origin) = &origin {
                roles.push((Role::Log, origin.clone()));
                roles.push((Role::Office, format!("{host}/chair")));
                roles.push((Role::Device, format!("{host}/post-07")));
                roles.push((Role::Recovery, format!("{host}/recovery")));
                roles.push((Role::Mirror, format!("{host}/mirror")));
            }
            for (role, key_name) in roles {
                let key = match role {
                    Role::Witness | Role::Mirror => SecretKey::cosigner_from_seed(&key_name, seed(&key_name)).unwrap(),
                    _ => SecretKey::from_seed(&key_name, seed(&key_name)).unwrap(),
                };
                member_keys.push(MemberKey { node: name.to_owned(), role, vkey: key.vkey().clone() });
                keys.insert(key_name, key);
            }
            members.push(Member { name: name.to_owned(), role, origin });
        }
        let stranger = "stranger.example";
        keys.insert(stranger.to_owned(), SecretKey::from_seed(stranger, seed(stranger)).unwrap());
        let mut policies = BTreeMap::new();
        for member in &members {
            let Some(origin) = &member.origin else { continue };
            let witnesses = member_keys
                .iter()
                .filter(|k| k.role == Role::Witness && k.node != member.name)
                .map(|k| (k.node.as_str(), &k.vkey));
            policies.insert(origin.clone(), policy::write(keys[origin].vkey(), witnesses, 3));
        }
        let founding = Founding::new(AGREEMENT, members, member_keys, policies, BTreeMap::new()).unwrap();
        let statement = founding.to_statement(World::FOUNDING_ID, "P1", "p1/node", Instant(1_795_550_400));
        let signers: Vec<&SecretKey> = founding.signers().map(|k| &keys[k.vkey.name()]).collect();
        let founding_leaf = Envelope::sign(statement.to_payload(), &signers).to_leaf();
        World { keys, founding, founding_leaf }
    }

    pub(crate) fn key(&self, name: &str) -> &SecretKey {
        &self.keys[name]
    }
}
