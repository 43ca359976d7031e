//! Keys that change hands: a chair's key gives way to the next, and now and then somebody else has it.
//!
//! ```text
//! P1 names its next key ──► logged ──► P1 takes the next key ──► logged ──► the chair signs with number 1
//! somebody has P1's key ──► P1 says so, 20 to 60 s later ──► logged ──► the others bear it out, each in its own log
//! ```
//! A key changes in its owner's log alone; in the others it counts as founded. A party that lies changes none: it may have two
//! logs, and two minds on which key counts.
use crate::Rule;
use crate::author::Said;
use crate::chance::Chance;
use crate::plan::{Deed, Planned};
use crate::town::{KEEPERS, START, key, nth, origin};
use crate::world::{Happening, Posted, World};
use hamsaya_node::node::Receipt;
use hamsaya_record::Instant;
use hamsaya_record::envelope::Envelope;
use hamsaya_record::key::{Role, SecretKey};
use hamsaya_record::keyring::{Following, KeyChange};
use hamsaya_record::logs::{Logged, Logs};
use hamsaya_record::statement::{Act, Reference, Rel, Statement, StatementId};
use std::collections::BTreeMap;

/// What a keeper knows of its chair's key.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Chair {
    /// So many came before it.
    pub(crate) number: u64,
    /// Its log knows the hash of the next.
    named: bool,
    under_way: bool,
    /// Somebody else has it.
    stolen: bool,
}

/// A key that its owner has said was stolen.
#[derive(Debug)]
pub(crate) struct Theft {
    owner: &'static str,
    keyid: String,
    good_size: u64,
    revocation: StatementId,
    /// Entry that says so.
    said_at: u64,
    /// Who bore it out, and by which statement.
    borne_out: BTreeMap<&'static str, StatementId>,
}

impl World {
    /// The chair names the next key, or takes it.
    pub(crate) fn rotates(&mut self, by: &'static str) {
        if self.plan.liars.party == Some(by) {
            return;
        }
        let chair = self.chairs.entry(by).or_default();
        if chair.under_way {
            return;
        }
        chair.under_way = true;
        let (number, named) = (chair.number, chair.named);
        let [old, new, after] = [0, 1, 2].map(|n| nth(by, number + n));
        let (role, vkey, node) = (Role::Office, old.vkey().clone(), key(by, "node"));
        match named {
            false => {
                let change = KeyChange::Named { role, old: vkey, next: new.vkey().hash() };
                self.posts(by, "names its next key", &change, &[&old, &node]);
            }
            true => {
                let following = Following { new: new.vkey().clone(), next: after.vkey().hash() };
                let change = KeyChange::Replaced { role, old: vkey, following };
                self.posts(by, "takes its next key", &change, &[&old, &new, &node]);
            }
        }
    }

    /// Somebody else says something with the chair's key, if the owner will be able to help himself.
    pub(crate) fn steals(&mut self, by: &'static str, planned: Planned, chance: &mut Chance) {
        let may = self.plan.liars.party != Some(by);
        let Some(chair) = self.chairs.get_mut(by).filter(|chair| may && chair.named && !chair.stolen) else { return };
        chair.stolen = true;
        self.tell(format!("somebody else has the key of {by}'s chair"));
        self.speaks(Some(by));
        let wait = chance.between(20_000, 60_000);
        self.after(wait, Happening::Does(Planned { deed: Deed::FindsOut, ..planned }));
    }

    /// The owner says so. All that the key ever signed is in doubt.
    pub(crate) fn finds_out(&mut self, by: &'static str) {
        let Some(chair) = self.chairs.get_mut(by).filter(|chair| chair.stolen && !chair.under_way) else { return };
        chair.under_way = true;
        let number = chair.number;
        let [old, new, after] = [0, 1, 2].map(|n| nth(by, number + n));
        let following = Some(Following { new: new.vkey().clone(), next: after.vkey().hash() });
        let change = KeyChange::Revoked { role: Role::Office, old: old.vkey().clone(), good_size: 1, following };
        self.posts(by, "says that its key was stolen", &change, &[&new, &key(by, "node")]);
    }

    fn posts(&mut self, by: &'static str, what: &str, change: &KeyChange, keys: &[&SecretKey]) {
        let number = self.posted.len();
        let now = self.clock_at(by).and_then(|at| at.now).unwrap_or(START);
        let id = format!("0193a1b2-c3d4-7e5f-8a9c-{number:012x}");
        let agreement = self.options.agreement.digest();
        let mut statement = Statement::new(agreement, Act::Record, "key", &id, by, &origin(by), now);
        statement.source = format!("{}/keys/{number}", by.to_lowercase());
        statement.fields = change.to_fields();
        if let KeyChange::Confirmed { revocation, .. } = change {
            statement.refs.push(Reference { rel: Rel::Confirms, id: *revocation });
        }
        let envelope = Envelope::sign(statement.to_payload(), keys);
        let (leaf, id) = (envelope.to_leaf(), envelope.statement_id());
        self.tell(format!("{by} {what}"));
        self.counts.statements += 1;
        let said = Said { what: what.into(), leaf, statement, id };
        self.posted.push(Posted { said, by, receipt: None, refusal: None, forgiven: false });
        self.after(0, Happening::Sends { said: number });
    }

    /// A change of keys is logged: what is to be done next.
    pub(crate) fn key_logged(&mut self, by: &'static str, statement: &Statement, receipt: &Receipt) {
        let Ok(change) = KeyChange::of(statement) else { return };
        self.counts.keys += 1;
        if let KeyChange::Confirmed { revocation, .. } = change {
            if let Some(theft) = self.thefts.iter_mut().find(|theft| theft.revocation == revocation) {
                theft.borne_out.insert(by, receipt.statement_id);
            }
            return;
        }
        let chair = self.chairs.entry(by).or_default();
        chair.under_way = false;
        match change {
            KeyChange::Revoked { old, good_size, .. } => {
                *chair = Chair { number: chair.number + 1, named: true, ..Chair::default() };
                let (keyid, revocation) = (old.keyid(), receipt.statement_id);
                let said_at = receipt.index;
                self.thefts.push(Theft {
                    owner: by,
                    keyid,
                    good_size,
                    revocation,
                    said_at,
                    borne_out: BTreeMap::new(),
                });
                let change = KeyChange::Confirmed { log: origin(by), old, good_size, revocation };
                for other in KEEPERS.into_iter().filter(|other| *other != by) {
                    self.posts(other, &format!("bears {by} out"), &change, &[&key(other, "node")]);
                }
            }
            KeyChange::Replaced { .. } => chair.number += 1,
            _ => {
                chair.named = true;
                self.rotates(by);
            }
        }
        let number = self.chairs.get(by).map_or(0, |chair| chair.number);
        self.authors.chairs.insert(by.into(), number);
    }

    /// A change of keys is refused: the owner tries again another time.
    pub(crate) fn key_refused(&mut self, by: &'static str) {
        if let Some(chair) = self.chairs.get_mut(by) {
            chair.under_way = false;
        }
    }

    /// Whether a key that signed in this log was stolen, as far as its owner has said.
    pub(crate) fn has_theft(&self, log: &str) -> bool {
        self.thefts.iter().any(|theft| origin(theft.owner) == log)
    }

    /// What a stolen key signed is disputed once its owner's word and two others' are proven to be logged, and nothing else is.
    /// Until then it is not: a node that cannot sign has the others vouch for its entries after a minute, and what stood on a
    /// lost disk alone nobody has said.
    pub(crate) fn check_stolen(&self, name: &str, logs: &Logs, known_by: Instant) -> Option<(Rule, String)> {
        let stands = |id: StatementId| {
            let n = logs.entries().iter().position(|entry| entry.statement_id == id);
            n.is_some_and(|n| logs.logged(n, known_by) != Logged::Unproven)
        };
        let shared = |(keeper, id): &(&&str, &StatementId)| {
            self.can_have_quorum(keeper) && !self.plan.liars.include(keeper) && stands(**id)
        };
        for (n, entry) in logs.entries().iter().enumerate() {
            let stolen = self.thefts.iter().find(|theft| {
                *entry.origin == *origin(theft.owner)
                    && (theft.good_size..theft.said_at).contains(&entry.index)
                    && entry.signers.iter().any(|s| s.keyid == theft.keyid)
            });
            let found = logs.logged(n, known_by);
            let place = format!("entry {} of {}", entry.index, entry.origin);
            match (stolen, found) {
                (Some(theft), Logged::Within(_)) => {
                    let sure = self.can_have_quorum(theft.owner) && !self.excused.contains(theft.owner);
                    if sure && stands(theft.revocation) && theft.borne_out.iter().filter(shared).count() > 1 {
                        return Some((Rule::StolenKeysAreDisputed, format!("{name} takes {place} for its owner's")));
                    }
                }
                (None, Logged::Stolen(_)) => {
                    return Some((Rule::StolenKeysAreDisputed, format!("{name} disputes {place} without cause")));
                }
                _ => (),
            }
        }
        None
    }
}
