//! Keys by index: which key counts for which entries of a log, how one follows another, and what is left of a stolen one.
//!
//! ```text
//! #40  key {role, name, old: K0, next: h(K1)}               K0 names the key after it; nobody else knows it yet
//! #90  key {role, name, old: K0, new: K1, next: h(K2)}      signed by both: K0 counts up to #90, K1 from there on
//! #97  key {role, name, revoke: K1, good_size: 93, new: K2, next: h(K3)}     K1 was stolen; signed by K2, or a recovery key
//!      key {log, revoke: K1, good_size: 93}, ref `confirms`                  another node bears it out, in its own log
//! ```
//! Whoever steals a key cannot make another follow it: the follower was named, by its hash, while the key was still its
//! owner's. `key` is an act of the record, so the node's own key signs beside these. A key is in force in each log by that
//! log's own entries, never by a claimed time, so every mirror finds the same; an owner states the change in each log in
//! which the key is to count. A key that was in force once never is again under any name, role or owner.
//!
//! A revocation replaces the key at once, by the owner's word. What the key signed from `good_size` on is disputed only once
//! f+1 other nodes bear it out ([`crate::logs`]): else anybody could unsay what he admitted.
//!
//! Keys of logs, witnesses and mirrors do not follow one another yet.
use crate::founding::{Founding, MemberKey};
use crate::key::{Algorithm, Role, Vkey};
use crate::logs::Signer;
use crate::refusal::{Reason, Refusal};
use crate::statement::{FieldValue, Rel, Statement, StatementId, hex, unhex};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A key that takes another's place, and the hash of the one after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Following {
    /// The key.
    pub new: Vkey,
    /// [`Vkey::hash`] of the key after it.
    pub next: [u8; 32],
}

/// What a statement of kind `key` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyChange {
    /// A key of the founding names the key after it.
    Named {
        /// What it is for.
        role: Role,
        /// The key.
        old: Vkey,
        /// [`Vkey::hash`] of the key after it.
        next: [u8; 32],
    },
    /// A key gives way to the one that it named.
    Replaced {
        /// What both are for.
        role: Role,
        /// The key that goes.
        old: Vkey,
        /// The one that comes.
        following: Following,
    },
    /// Somebody else has the key, and what it signed in this log from a size on is not its owner's.
    Revoked {
        /// What it was for.
        role: Role,
        /// The key.
        old: Vkey,
        /// So many entries are good.
        good_size: u64,
        /// What takes its place; nothing if another has it already.
        following: Option<Following>,
    },
    /// A node bears out what another says of its own key.
    Confirmed {
        /// Log of the revocation.
        log: String,
        /// The key.
        old: Vkey,
        /// So many entries of that log are good.
        good_size: u64,
        /// The statement that is borne out.
        revocation: StatementId,
    },
}

fn bad(field: &str, found: impl fmt::Display, allowed: impl fmt::Display) -> Refusal {
    Refusal::new(Reason::BadField, format!("predicate.fields.{field}"), found.to_string(), allowed.to_string())
}

/// Fields of a statement that are taken one by one, so that none is left over.
struct Fields<'s>(BTreeMap<&'s str, &'s FieldValue>);

impl Fields<'_> {
    fn text(&mut self, name: &str) -> Result<Option<&str>, Refusal> {
        match self.0.remove(name) {
            None => Ok(None),
            Some(FieldValue::Text(text)) => Ok(Some(text)),
            Some(_) => Err(bad(name, "no text", "a text")),
        }
    }

    fn needed(&mut self, name: &str) -> Result<&str, Refusal> {
        self.text(name)?.ok_or_else(|| bad(name, "nothing", "a text"))
    }

    fn vkey(&mut self, name: &str) -> Result<Option<Vkey>, Refusal> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        text.parse().map(Some).map_err(|error| bad(name, error, "a public key `name+hex8+base64`"))
    }

    fn following(&mut self) -> Result<Option<Following>, Refusal> {
        let (new, next) = (self.vkey("new")?, self.hash("next")?);
        match (new, next) {
            (Some(new), Some(next)) => Ok(Some(Following { new, next })),
            (None, None) => Ok(None),
            (Some(_), None) => Err(bad("next", "nothing", "SHA-256 of the public key after `new`, in hex")),
            (None, Some(_)) => Err(bad("new", "nothing", "the key that takes the place of the other")),
        }
    }

    fn hash(&mut self, name: &str) -> Result<Option<[u8; 32]>, Refusal> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        unhex(text).map(Some).map_err(|_| bad(name, format!("{text:?}"), "SHA-256 of a public key, 64 hex digits"))
    }

    fn size(&mut self, name: &str) -> Result<u64, Refusal> {
        match self.0.remove(name) {
            Some(FieldValue::Int(size)) if *size > 0 => Ok(size.unsigned_abs()),
            _ => Err(bad(name, "nothing of that kind", "a number of entries, at least 1: the founding is everybody's")),
        }
    }

    fn end<T>(self, change: T) -> Result<T, Refusal> {
        match self.0.keys().next() {
            None => Ok(change),
            Some(name) => Err(Refusal::new(
                Reason::UnknownField,
                format!("predicate.fields.{name}"),
                format!("field {name:?}"),
                "role, name, old, new, next; or role, name, revoke, good_size, new, next; or log, revoke, good_size",
            )),
        }
    }
}

impl KeyChange {
    /// Reads the fields of a statement of kind `key`; whether it may be said is [`Keyring::check`]'s.
    pub fn of(statement: &Statement) -> Result<KeyChange, Refusal> {
        if statement.drill {
            return Err(Refusal::new(Reason::BadField, "predicate.drill", "true", "no drill: keys change in earnest"));
        }
        let mut fields = Fields(statement.fields.iter().map(|(name, value)| (name.as_str(), value)).collect());
        if let Some(revocation) = statement.refs(Rel::Confirms).next() {
            let log = fields.needed("log")?.to_owned();
            let old = fields.vkey("revoke")?.ok_or_else(|| bad("revoke", "nothing", "the key that was stolen"))?;
            let good_size = fields.size("good_size")?;
            return fields.end(KeyChange::Confirmed { log, old, good_size, revocation });
        }
        let word = fields.needed("role")?;
        let role: Role = word.parse().map_err(|error| bad("role", error, "a role"))?;
        if !matches!(role, Role::Node | Role::Office | Role::Device | Role::Recovery) {
            return Err(bad("role", role, "node, office, device, recovery: the others do not change in this version"));
        }
        let name = fields.needed("name")?.to_owned();
        let (old, revoked) = (fields.vkey("old")?, fields.vkey("revoke")?);
        let change = match (old, revoked) {
            (Some(old), None) => match fields.0.contains_key("new") {
                true => match fields.following()? {
                    Some(following) => KeyChange::Replaced { role, old, following },
                    None => return Err(bad("new", "nothing", "the key that takes the place of the other")),
                },
                false => match fields.hash("next")? {
                    Some(next) => KeyChange::Named { role, old, next },
                    None => return Err(bad("next", "nothing", "SHA-256 of the public key after `old`, in hex")),
                },
            },
            (None, Some(old)) => {
                let good_size = fields.size("good_size")?;
                KeyChange::Revoked { role, old, good_size, following: fields.following()? }
            }
            _ => return Err(bad("old", "both `old` and `revoke`, or neither", "one of them")),
        };
        let keys = [Some(change.old()), change.following().map(|f| &f.new)];
        if let Some(other) = keys.into_iter().flatten().find(|key| key.name() != name) {
            return Err(bad("name", format!("{name:?} for {}", other.keyid()), "the name of the keys, which stays"));
        }
        if let Some(other) = keys.into_iter().flatten().find(|key| key.algorithm() != Algorithm::Ed25519) {
            return Err(bad("new", other.keyid(), "keys that sign statements, of type 0x01"));
        }
        fields.end(change)
    }

    /// The key that it is about.
    pub fn old(&self) -> &Vkey {
        match self {
            KeyChange::Named { old, .. }
            | KeyChange::Replaced { old, .. }
            | KeyChange::Revoked { old, .. }
            | KeyChange::Confirmed { old, .. } => old,
        }
    }

    /// The key that comes, if one does.
    pub fn following(&self) -> Option<&Following> {
        match self {
            KeyChange::Replaced { following, .. } => Some(following),
            KeyChange::Revoked { following, .. } => following.as_ref(),
            KeyChange::Named { .. } | KeyChange::Confirmed { .. } => None,
        }
    }

    /// The key that comes, as its owner's.
    pub(crate) fn coming(&self, party: &str) -> Option<MemberKey> {
        let role = match self {
            KeyChange::Replaced { role, .. } | KeyChange::Revoked { role, .. } => *role,
            KeyChange::Named { .. } | KeyChange::Confirmed { .. } => return None,
        };
        Some(MemberKey { node: party.to_owned(), role, vkey: self.following()?.new.clone() })
    }

    /// Its fields, as a statement of kind `key` bears them; what a confirmation refers to stands in its refs.
    pub fn to_fields(&self) -> BTreeMap<String, FieldValue> {
        let text = |text: &dyn fmt::Display| FieldValue::Text(text.to_string());
        let mut fields = match self {
            KeyChange::Named { role, old, .. } | KeyChange::Replaced { role, old, .. } => {
                vec![("role", text(role)), ("name", text(&old.name())), ("old", text(old))]
            }
            KeyChange::Revoked { role, old, .. } => {
                vec![("role", text(role)), ("name", text(&old.name())), ("revoke", text(old))]
            }
            KeyChange::Confirmed { log, old, .. } => vec![("log", text(log)), ("revoke", text(old))],
        };
        if let KeyChange::Revoked { good_size, .. } | KeyChange::Confirmed { good_size, .. } = self {
            fields.push(("good_size", FieldValue::Int(i64::try_from(*good_size).unwrap_or(i64::MAX))));
        }
        if let KeyChange::Named { next, .. } = self {
            fields.push(("next", text(&hex(next))));
        }
        if let Some(Following { new, next }) = self.following() {
            fields.extend([("new", text(new)), ("next", text(&hex(next)))]);
        }
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// A key and the entries of one log for which it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyInForce {
    /// Whose and what for.
    pub key: MemberKey,
    /// First index at which it counts.
    pub from: u64,
    /// First index at which it no longer does.
    pub until: Option<u64>,
    /// [`Vkey::hash`] of the only key that may follow it.
    pub next: Option<[u8; 32]>,
    /// Keyid of the one that did.
    pub followed_by: Option<String>,
}

impl KeyInForce {
    fn counts_at(&self, index: u64) -> bool {
        self.from <= index && self.until.is_none_or(|until| index < until)
    }
}

/// Keys whose signatures under statements count in one log, by keyid and index. Never by a claimed time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keyring {
    keys: BTreeMap<String, KeyInForce>,
    /// Every public key that was ever in use here, for whatever: none comes back.
    used: BTreeSet<[u8; 32]>,
}

impl Keyring {
    /// The keys of the founding, in force from entry 0. Cosigners sign no statements, so they are not in it.
    pub fn founded(founding: &Founding) -> Keyring {
        let signing = founding.keys().iter().filter(|k| k.vkey.algorithm() == Algorithm::Ed25519);
        let in_force =
            |key: &MemberKey| KeyInForce { key: key.clone(), from: 0, until: None, next: None, followed_by: None };
        Keyring {
            keys: signing.map(|key| (key.vkey.keyid(), in_force(key))).collect(),
            used: founding.keys().iter().map(|key| *key.vkey.public()).collect(),
        }
    }

    /// The key of this id, in force or not.
    pub fn get(&self, keyid: &str) -> Option<&KeyInForce> {
        self.keys.get(keyid)
    }

    /// The key of this id if it counts at that index.
    pub fn in_force(&self, keyid: &str, index: u64) -> Option<&MemberKey> {
        self.keys.get(keyid).filter(|known| known.counts_at(index)).map(|known| &known.key)
    }

    /// The key that has taken the place of this one, perhaps after others; itself if none has.
    pub fn newest(&self, keyid: &str) -> Option<&KeyInForce> {
        let mut known = self.keys.get(keyid)?;
        // Every key follows one that was there before it, so this comes to an end.
        while let Some(after) = known.followed_by.as_ref().and_then(|keyid| self.keys.get(keyid)) {
            known = after;
        }
        Some(known)
    }

    /// Whether this may be said as entry `index` of a log in which a quorum of witnesses cosigned `witnessed` entries, by
    /// these signers, whose signatures are verified. Changes nothing.
    pub fn check(
        &self,
        change: &KeyChange,
        party: &str,
        signers: &[Signer],
        index: u64,
        witnessed: u64,
    ) -> Result<(), Refusal> {
        let signed_by = |keyid: &str| signers.iter().any(|s| s.keyid == keyid);
        let missing = |found: &str, allowed: String| {
            Err(Refusal::new(Reason::MissingSignature, "signatures", found.to_owned(), allowed))
        };
        let old = change.old().keyid();
        // A key that its owner says is stolen speaks for him in nothing, least of all in this.
        let distrusted = matches!(change, KeyChange::Revoked { .. });
        let node = |s: &&Signer| s.node == party && s.role == Role::Node.name() && !(distrusted && s.keyid == old);
        if !signers.iter().any(|s| node(&s)) {
            return missing("none by the node's own key", format!("one by the node key of {party}, for kind `key`"));
        }
        let (role, following) = match change {
            KeyChange::Confirmed { .. } => return Ok(()),
            KeyChange::Named { role, .. } => (role, None),
            KeyChange::Replaced { role, following, .. } => (role, Some(following)),
            KeyChange::Revoked { role, following, .. } => (role, following.as_ref()),
        };
        let Some(known) = self.keys.get(&old).filter(|known| known.key.vkey == *change.old()) else {
            let allowed = "a key of the founding, or one that followed it in this log";
            return Err(Refusal::new(Reason::UnknownKey, "predicate.fields.old", old, allowed));
        };
        if known.key.node != party {
            let found = format!("{old}, a key of {}", known.key.node);
            return Err(Refusal::new(Reason::NotAuthor, "predicate.party", found, "a party's own keys"));
        }
        if known.key.role != *role {
            return Err(bad("role", role, format!("{}, which {old} has for life", known.key.role)));
        }
        self.check_following(change, following)?;
        if let Some(Following { new, .. }) = following
            && !signed_by(&new.keyid())
        {
            return missing("none by the key that comes", format!("one by {}", new.keyid()));
        }
        let fits = following.is_some_and(|f| known.next == Some(f.new.hash()));
        let in_force = known.counts_at(index);
        let retired =
            || Refusal::new(Reason::KeyNotInForce, "predicate.fields.old", old.clone(), "a key in force here");
        match change {
            KeyChange::Revoked { good_size, .. } => {
                // Before that nobody outside had seen the log: what is good of it is not for its keeper alone to say.
                let allowed = witnessed.max(1);
                if *good_size > allowed {
                    let allowed =
                        format!("at most {allowed}: so much of it a quorum of witnesses cosigned, as logged here");
                    return Err(bad("good_size", good_size, allowed));
                }
                // Neither the stolen one vouches for its follower, nor the follower for itself.
                let vouches = |s: &Signer| s.keyid != old && following.is_none_or(|f| f.new.keyid() != s.keyid);
                let recovery = |s: &Signer| s.node == party && s.role == Role::Recovery.name() && vouches(s);
                let by_newest = !in_force && self.newest(&old).is_some_and(|k| signed_by(&k.key.vkey.keyid()));
                match (in_force, following) {
                    (true, None) => Err(bad("new", "nothing", "the key that takes its place")),
                    (false, Some(_)) => Err(bad("new", "a key", "nothing: another has taken its place already")),
                    _ if fits || by_newest || signers.iter().any(recovery) => Ok(()),
                    (true, Some(_)) => missing(
                        "none by the key that was named before, nor by a recovery key",
                        format!("one by either, of {party}"),
                    ),
                    (false, None) => missing(
                        "none by the key that took its place, nor by a recovery key",
                        format!("one by either, of {party}"),
                    ),
                }
            }
            _ if !in_force => Err(retired()),
            _ if !signed_by(&old) => missing("none by the key itself", format!("one by {old}")),
            KeyChange::Named { .. } if known.next.is_some() => {
                Err(bad("next", "another", "the one that is named already: it is what a thief cannot change"))
            }
            KeyChange::Replaced { .. } if known.next.is_none() => Err(bad(
                "new",
                "a key that was not named before",
                "the key that `old` named, by its hash, in an earlier entry",
            )
            .hint("state `key` with `next` alone first")),
            KeyChange::Replaced { following, .. } if !fits => {
                let allowed = known.next.map(|next| hex(&next)).unwrap_or_default();
                Err(bad("new", format!("a key with hash {}", hex(&following.new.hash())), allowed))
            }
            _ => Ok(()),
        }
    }

    /// Takes a statement of kind `key` as entry `index`, if it may be said; for readers who hold some of the log's entries only
    /// and cannot know what its witnesses had seen.
    pub(crate) fn follow(&mut self, statement: &Statement, signers: &[Signer], index: u64) -> Result<(), Refusal> {
        let change = KeyChange::of(statement)?;
        self.check(&change, &statement.party, signers, index, u64::MAX)?;
        self.apply(&change, index);
        Ok(())
    }

    /// Neither a key that comes, nor the one after it, was ever in use here.
    fn check_following(&self, change: &KeyChange, following: Option<&Following>) -> Result<(), Refusal> {
        if let Some(Following { new, .. }) = following
            && (self.used.contains(new.public()) || self.keys.contains_key(&new.keyid()))
        {
            return Err(bad(
                "new",
                format!("{} once more", new.keyid()),
                "a key that was never used here: one role for one key",
            ));
        }
        let next = match change {
            KeyChange::Named { next, .. } => Some(next),
            _ => following.map(|f| &f.next),
        };
        let was_used = |next: &[u8; 32]| {
            let coming = following.map(|f| f.new.public());
            self.used.iter().chain(coming).any(|public| <[u8; 32]>::from(Sha256::digest(public)) == *next)
        };
        match next {
            Some(next) if was_used(next) => {
                Err(bad("next", "the hash of a key in use", "the hash of a key that nobody has seen"))
            }
            _ => Ok(()),
        }
    }

    /// Takes what was checked, as entry `index`. That entry is signed by the key that goes and by the one that comes: both
    /// count at it.
    pub fn apply(&mut self, change: &KeyChange, index: u64) {
        let keyid = change.old().keyid();
        let Some(known) = self.keys.get_mut(&keyid) else { return };
        match change {
            KeyChange::Confirmed { .. } => (),
            KeyChange::Named { next, .. } => known.next = Some(*next),
            KeyChange::Replaced { .. } | KeyChange::Revoked { .. } => {
                let Some(Following { new, next }) = change.following() else { return };
                known.until = Some(index + 1);
                known.followed_by = Some(new.keyid());
                let key = MemberKey { vkey: new.clone(), ..known.key.clone() };
                self.used.insert(*new.public());
                let next = Some(*next);
                self.keys.insert(new.keyid(), KeyInForce { key, from: index, until: None, next, followed_by: None });
            }
        }
    }
}
