//! Acceptance: the one rule by which an entry counts, at intake, in every follower and in every verification.
//!
//! ```text
//! let mut acceptance = Acceptance::found("p1.example/hamsaya/1", founding_leaf)?;
//! let accepted = acceptance.check(&envelope)?;      // at intake: nothing is changed yet
//! acceptance.apply(&accepted);                      // it is the next entry
//! let again = acceptance.replay(leaf);              // in a follower: what the log holds, it holds
//! ```
//! A function of the bytes in one log and nothing else, so that nodes that hold the same log agree on what counts in it.
//! An entry that a log holds although it is refused here stays as bytes and is absent for every judgment.
pub use crate::refusal::{Reason, Refusal};

use crate::envelope::{Envelope, pae};
use crate::founding::{Founding, MemberKey, MemberRole};
use crate::key::Role;
use crate::keyring::{KeyChange, Keyring};
use crate::logs::{Entry, Signer};
use crate::statement::{Act, Rel, Statement, StatementId};
use crate::timing::{Sighting, sightings};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A statement that may be the next entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The index it was checked for.
    pub index: u64,
    /// SHA-256 of the payload.
    pub statement_id: StatementId,
    /// What it says.
    pub statement: Statement,
    /// Who signed it, verified; sorted.
    pub signers: Vec<Signer>,
    /// The log holds these bytes already, at this index: intake answers with it and appends nothing.
    pub already: Option<u64>,
    /// The statement before it from its source is not in the log (yet).
    pub hole: bool,
    /// Another statement from its source has the same number, at this index: both are kept.
    pub source_equivocates: Option<u64>,
    /// Cosignatures that it carries.
    pub sightings: Vec<Sighting>,
    /// What it changes of the keys.
    change: Option<KeyChange>,
}

impl Accepted {
    /// The entry as judgments read it.
    pub fn into_entry(self, origin: Arc<str>) -> Entry {
        Entry {
            origin,
            index: self.index,
            statement_id: self.statement_id,
            statement: self.statement,
            signers: self.signers,
        }
    }
}

/// Where a statement stands among those of its source.
#[derive(Clone, Debug)]
struct Placed {
    id: StatementId,
    prev: Option<StatementId>,
    index: u64,
}

/// The statements of one source by number.
type Numbered = BTreeMap<u64, Vec<Placed>>;

#[derive(Clone, Debug)]
struct Known {
    index: u64,
    party: Arc<str>,
}

/// What one log holds, as far as acceptance asks.
#[derive(Clone, Debug)]
pub struct Acceptance {
    origin: Arc<str>,
    founding: Arc<Founding>,
    keyring: Keyring,
    size: u64,
    /// How much of this log each witness cosigned, as entries of this log show.
    witnessed: BTreeMap<String, u64>,
    /// The author's ids, each with the statement that first used it.
    ids: HashMap<Box<str>, StatementId>,
    statements: HashMap<StatementId, Known>,
    /// By party, then source, then number.
    sources: BTreeMap<Arc<str>, HashMap<Box<str>, Numbered>>,
}

impl Acceptance {
    /// The state after entry 0, which must be a founding in which this origin has a log.
    pub fn found(origin: &str, founding_leaf: &[u8]) -> Result<Acceptance, Refusal> {
        let founding = Founding::from_leaf(founding_leaf)?;
        if founding.keeper(origin).is_none() {
            let allowed = founding.origins().collect::<Vec<_>>().join(", ");
            return Err(Refusal::new(Reason::WrongHome, "", format!("{origin:?}"), allowed));
        }
        let envelope = Envelope::parse_leaf(founding_leaf)?;
        let statement = Statement::parse(&envelope.payload)?;
        let keyring = Keyring::founded(&founding);
        let mut acceptance = Acceptance {
            origin: origin.into(),
            founding: Arc::new(founding),
            keyring,
            size: 1,
            witnessed: BTreeMap::new(),
            ids: HashMap::new(),
            statements: HashMap::new(),
            sources: BTreeMap::new(),
        };
        // The founding is everybody's: it takes no number among the statements of a source.
        acceptance.remember(0, envelope.statement_id(), &statement);
        Ok(acceptance)
    }

    /// Origin of the log.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The founding of the log.
    pub fn founding(&self) -> &Arc<Founding> {
        &self.founding
    }

    /// Keys that sign statements here.
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// Number of entries, counted or not.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Index of a statement that counts.
    pub fn index_of(&self, id: &StatementId) -> Option<u64> {
        self.statements.get(id).map(|known| known.index)
    }

    /// The next number and the statement before it, for the author of the next statement from this source.
    pub fn next_of(&self, party: &str, source: &str) -> (u64, Option<StatementId>) {
        let last = self.sources.get(party).and_then(|s| s.get(source)).and_then(|placed| placed.last_key_value());
        match last {
            Some((seq, placed)) => (seq + 1, placed.first().map(|p| p.id)),
            None => (0, None),
        }
    }

    /// Checks whether this may be the next entry; changes nothing.
    pub fn check(&self, envelope: &Envelope) -> Result<Accepted, Refusal> {
        let statement = Statement::parse(&envelope.payload)?;
        self.check_belongs(&statement)?;
        let change = if statement.kind == "key" { Some(KeyChange::of(&statement)?) } else { None };
        let statement_id = envelope.statement_id();
        let already = self.index_of(&statement_id);
        let coming = change.as_ref().and_then(|change| change.coming(&statement.party));
        // What is here already was signed by keys that counted where it stands.
        let signers = self.check_signatures(envelope, already.unwrap_or(self.size), coming.as_ref())?;
        self.check_author(&statement, &signers)?;
        let mut accepted = Accepted {
            index: self.size,
            statement_id,
            statement,
            signers,
            already,
            hole: false,
            source_equivocates: None,
            sightings: Vec::new(),
            change,
        };
        if accepted.already.is_some() {
            return Ok(accepted);
        }
        if let Some(other) = self.ids.get(accepted.statement.id.as_str()) {
            let found = format!("{}, the id of statement {other}", accepted.statement.id);
            return Err(Refusal::new(Reason::BadField, "predicate.id", found, "one id for one statement")
                .hint("to send again, send the same bytes; to change it, state anew with a ref `supersedes`"));
        }
        if let Some(change) = &accepted.change {
            self.check_change(change, &accepted)?;
        }
        self.check_refs(&accepted.statement)?;
        self.check_number(&mut accepted)?;
        accepted.sightings = sightings(&accepted.statement, &self.origin, accepted.index, &self.founding);
        Ok(accepted)
    }

    /// Takes what was checked as the next entry.
    ///
    /// # Panics
    /// If another entry was applied since the check: it might be refused now.
    pub fn apply(&mut self, accepted: &Accepted) {
        assert_eq!(accepted.index, self.size, "an entry is applied at the index for which it was checked");
        self.size += 1;
        if accepted.already.is_some() {
            return; // The first copy counts.
        }
        self.remember(accepted.index, accepted.statement_id, &accepted.statement);
        for sighting in accepted.sightings.iter().filter(|s| *s.log == *self.origin) {
            let size = self.witnessed.entry(sighting.witness.clone()).or_default();
            *size = (*size).max(sighting.size);
        }
        if let Some(change) = &accepted.change {
            self.keyring.apply(change, accepted.index);
        }
        let statement = &accepted.statement;
        let placed = Placed { id: accepted.statement_id, prev: statement.prev, index: accepted.index };
        let party = self.party(&statement.party);
        let of_party = self.sources.entry(party).or_default();
        let of_source = match of_party.get_mut(statement.source.as_str()) {
            Some(of_source) => of_source,
            None => of_party.entry(statement.source.as_str().into()).or_default(),
        };
        of_source.entry(statement.seq).or_default().push(placed);
    }

    /// Takes the next entry of a log as it is. A refusal says that it counts for nothing; the log has it all the same, and
    /// so has this.
    pub fn replay(&mut self, leaf: &[u8]) -> Result<Accepted, Refusal> {
        match Envelope::parse_leaf(leaf).and_then(|envelope| self.check(&envelope)) {
            Ok(accepted) => {
                self.apply(&accepted);
                Ok(accepted)
            }
            Err(refusal) => {
                self.size += 1;
                Err(refusal)
            }
        }
    }

    fn remember(&mut self, index: u64, id: StatementId, statement: &Statement) {
        let party = self.party(&statement.party);
        self.ids.insert(statement.id.as_str().into(), id);
        self.statements.insert(id, Known { index, party });
    }

    /// The one copy of a party's name.
    fn party(&mut self, name: &str) -> Arc<str> {
        match self.sources.get_key_value(name) {
            Some((party, _)) => party.clone(),
            None => {
                let party: Arc<str> = name.into();
                self.sources.insert(party.clone(), HashMap::new());
                party
            }
        }
    }

    fn check_belongs(&self, statement: &Statement) -> Result<(), Refusal> {
        let refuse =
            |reason, field: &str, found: String, allowed: String| Err(Refusal::new(reason, field, found, allowed));
        if statement.agreement != self.founding.agreement() {
            let (found, allowed) = (StatementId(statement.agreement), StatementId(self.founding.agreement()));
            return refuse(Reason::WrongAgreement, "subject[0].digest.sha256", found.to_string(), allowed.to_string());
        }
        if statement.home == "*" || matches!(statement.kind.as_str(), "founding" | "policy") {
            // A second founding never; new policies this version has not.
            let allowed = "the kinds of Annex A; founding only as entry 0".to_owned();
            return refuse(Reason::UnknownKind, "predicate.kind", format!("{:?}", statement.kind), allowed);
        }
        if *statement.home != *self.origin {
            return refuse(
                Reason::WrongHome,
                "predicate.home",
                format!("{:?}", statement.home),
                self.origin.to_string(),
            );
        }
        Ok(())
    }

    /// Who signed, by the keys that count at this index and the one that comes with the statement itself.
    fn check_signatures(
        &self,
        envelope: &Envelope,
        index: u64,
        coming: Option<&MemberKey>,
    ) -> Result<Vec<Signer>, Refusal> {
        let message = pae(&envelope.payload);
        let mut signers = Vec::with_capacity(envelope.signatures.len());
        for signature in &envelope.signatures {
            let known = self.keyring.get(&signature.keyid).is_some();
            let coming = coming.filter(|key| !known && key.vkey.keyid() == signature.keyid);
            if !known && coming.is_none() {
                continue;
            }
            let refuse = |reason, allowed: &'static str| {
                Err(Refusal::new(reason, "signatures", format!("a signature by {}", signature.keyid), allowed))
            };
            let key = match coming.or_else(|| self.keyring.in_force(&signature.keyid, index)) {
                Some(key) if matches!(key.role, Role::Node | Role::Office | Role::Device | Role::Recovery) => key,
                Some(_) => return refuse(Reason::KeyNotInForce, "keys of role node, office, device or recovery"),
                None => return refuse(Reason::KeyNotInForce, "keys in force at this index"),
            };
            match signature.sig.as_slice().try_into() {
                Ok(sig) if key.vkey.verify(&message, sig) => signers.push(Signer {
                    keyid: signature.keyid.clone(),
                    node: key.node.clone(),
                    role: key.role.name().to_owned(),
                }),
                _ => {
                    return refuse(Reason::BadSignature, "a signature that fits `DSSEv1 <len> <type> <len> <payload>`");
                }
            }
        }
        if signers.is_empty() {
            let found = envelope.signatures.iter().map(|s| s.keyid.as_str()).collect::<Vec<_>>().join(", ");
            return Err(Refusal::new(Reason::UnknownKey, "signatures", found, "at least one by a key of the record")
                .hint("a keyid is `<key name>+<hex8>` as in the founding"));
        }
        Ok(signers)
    }

    /// Who must have signed, for the act and the party named.
    fn check_author(&self, statement: &Statement, signers: &[Signer]) -> Result<(), Refusal> {
        let missing = |found: String, allowed: &'static str| {
            Err(Refusal::new(Reason::MissingSignature, "signatures", found, allowed))
        };
        let by = || signers.iter().map(|s| s.keyid.as_str()).collect::<Vec<_>>().join(", ");
        let has = |role: Role| signers.iter().any(|s| s.role == role.name());
        match statement.act {
            Act::Find if !has(Role::Office) => return missing(by(), "the key of an office, for act `find`"),
            Act::Record if !has(Role::Node) => return missing(by(), "the node's own key, for act `record`"),
            Act::Consent => {
                let mut parties: Vec<&str> = signers
                    .iter()
                    .filter(|s| s.role == Role::Node.name() || s.role == Role::Office.name())
                    .filter(|s| self.founding.member(&s.node).is_some_and(|m| m.role == MemberRole::Party))
                    .map(|s| s.node.as_str())
                    .collect();
                parties.sort_unstable();
                parties.dedup();
                if parties.len() < 2 {
                    return missing(by(), "node or office keys of at least two parties, for act `consent`");
                }
            }
            _ => {}
        }
        if signers.iter().any(|s| s.node == statement.party) {
            return Ok(());
        }
        // A body such as the Commission has no node: several nodes sign for it.
        let body = matches!(statement.act, Act::Find | Act::Consent)
            && self.founding.member(&statement.party).is_none()
            && signers.iter().any(|s| s.node != signers[0].node);
        if body {
            return Ok(());
        }
        let found = format!("party {:?} signed by {}", statement.party, by());
        Err(Refusal::new(Reason::NotAuthor, "predicate.party", found, "a party whose key signed"))
    }

    /// Who changes keys, and whether they may. Who bears out what another says speaks for the log in which he does.
    fn check_change(&self, change: &KeyChange, accepted: &Accepted) -> Result<(), Refusal> {
        let party = accepted.statement.party.as_str();
        if let KeyChange::Confirmed { log, .. } = change {
            let keeper = self.founding.keeper(&self.origin).map(|member| member.name.as_str());
            if keeper != Some(party) {
                let allowed = format!("{}, who keeps this log", keeper.unwrap_or_default());
                return Err(Refusal::new(Reason::NotAuthor, "predicate.party", party, allowed));
            }
            if self.founding.keeper(log).is_none() {
                let allowed = self.founding.origins().collect::<Vec<_>>().join(", ");
                return Err(Refusal::new(Reason::BadField, "predicate.fields.log", format!("{log:?}"), allowed));
            }
        }
        self.keyring.check(change, party, &accepted.signers, accepted.index, self.witnessed())
    }

    /// So many entries of this log a quorum of its witnesses cosigned, as its own entries show.
    fn witnessed(&self) -> u64 {
        let quorum = self.founding.policy(&self.origin).and_then(|policy| policy.numbers()).map(|numbers| numbers.q);
        let mut sizes: Vec<u64> = self.witnessed.values().copied().collect();
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        quorum.and_then(|q| sizes.get(q.checked_sub(1)?).copied()).unwrap_or_default()
    }

    /// What was said is withdrawn or superseded only by who said it, where it was said.
    fn check_refs(&self, statement: &Statement) -> Result<(), Refusal> {
        for reference in statement.refs.iter().filter(|r| matches!(r.rel, Rel::Supersedes | Rel::Withdraws)) {
            match self.statements.get(&reference.id) {
                None => {
                    let found = format!("`{}` {}, which is not in this log", reference.rel.name(), reference.id);
                    let allowed = "an earlier statement in the same log";
                    return Err(Refusal::new(Reason::BadRef, "predicate.refs", found, allowed)
                        .hint("a withdrawal goes to the log that holds what it withdraws"));
                }
                Some(known) if *known.party != *statement.party => {
                    let found =
                        format!("`{}` by {} of a statement by {}", reference.rel.name(), statement.party, known.party);
                    return Err(Refusal::new(Reason::NotAuthor, "predicate.refs", found, "the same party"));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Numbers of a source: a gap is a hole, a filler must fit its neighbours, a number used twice is kept and shown.
    fn check_number(&self, accepted: &mut Accepted) -> Result<(), Refusal> {
        let statement = &accepted.statement;
        let Some(placed) = self.sources.get(statement.party.as_str()).and_then(|s| s.get(statement.source.as_str()))
        else {
            accepted.hole = statement.seq > 0;
            return Ok(());
        };
        if let Some(other) = placed.get(&statement.seq).and_then(|p| p.first()) {
            accepted.source_equivocates = Some(other.index);
            return Ok(());
        }
        let before = statement.seq.checked_sub(1).and_then(|seq| placed.get(&seq));
        accepted.hole = statement.seq > 0 && before.is_none();
        if let Some(before) = before
            && !before.iter().any(|p| Some(p.id) == statement.prev)
        {
            let found = statement.prev.map_or("nothing".to_owned(), |id| id.to_string());
            let allowed = format!("{}, number {} of {}", before[0].id, statement.seq - 1, statement.source);
            return Err(Refusal::new(Reason::SourceEquivocates, "predicate.prev", found, allowed));
        }
        if let Some(after) = placed.get(&(statement.seq + 1))
            && !after.iter().any(|p| p.prev == Some(accepted.statement_id))
        {
            let found = accepted.statement_id.to_string();
            let allowed = match after[0].prev {
                Some(id) => format!("{id}, which number {} of {} names", statement.seq + 1, statement.source),
                None => "what the next number names".to_owned(),
            };
            return Err(Refusal::new(Reason::SourceEquivocates, "predicate.seq", found, allowed));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{AGREEMENT, World};
    use crate::instant::Instant;
    use crate::statement::{FieldValue, Occurred, Precision, Reference};

    fn uuid(n: u64) -> String {
        format!("0193a1b2-c3d4-7e5f-8a9b-{n:012x}")
    }

    /// A statement in P1's log by P1's post.
    fn said(n: u64) -> Statement {
        let mut s = Statement::new(
            AGREEMENT,
            Act::Notify,
            "op_notice",
            &uuid(n),
            "P1",
            "p1.example/hamsaya/1",
            Instant(1_795_550_400),
        );
        s.source = "p1/post-07".to_owned();
        s
    }

    fn at(mut s: Statement, seq: u64, prev: Option<StatementId>) -> Statement {
        s.seq = seq;
        s.prev = prev;
        s
    }

    struct Case {
        world: World,
        acceptance: Acceptance,
    }

    impl Case {
        fn new() -> Case {
            let world = World::new();
            let acceptance = Acceptance::found("p1.example/hamsaya/1", &world.founding_leaf).unwrap();
            Case { world, acceptance }
        }

        fn sealed(&self, s: &Statement, keys: &[&str]) -> Envelope {
            let keys: Vec<_> = keys.iter().map(|k| self.world.key(k)).collect();
            Envelope::sign(s.to_payload(), &keys)
        }

        /// Applies; gives its id.
        fn log(&mut self, s: &Statement, keys: &[&str]) -> StatementId {
            let envelope = self.sealed(s, keys);
            let accepted = self.acceptance.check(&envelope).unwrap();
            self.acceptance.apply(&accepted);
            accepted.statement_id
        }

        #[track_caller]
        fn check(&self, s: &Statement, keys: &[&str], expected: Result<(), Reason>) {
            let found = self.acceptance.check(&self.sealed(s, keys));
            match (&found, expected) {
                (Ok(_), Ok(())) => {}
                (Err(refusal), Err(reason)) if refusal.reason == reason => {}
                _ => panic!("expected {expected:?}, found {found:?}"),
            }
        }
    }

    #[test]
    fn belongs_here() {
        let c = Case::new();
        c.check(&said(1), &["p1.example/post-07"], Ok(()));
        let mut s = said(1);
        s.agreement = [1; 32];
        c.check(&s, &["p1.example/post-07"], Err(Reason::WrongAgreement));
        let mut s = said(1);
        s.home = "p2.example/hamsaya/1".to_owned();
        c.check(&s, &["p1.example/post-07"], Err(Reason::WrongHome));
        let founding = c.acceptance.founding().to_statement(&uuid(1), "P1", "p1/node", Instant(0));
        c.check(&founding, &["p1.example/node"], Err(Reason::UnknownKind));
        assert_eq!(Acceptance::found("o1.example", &c.world.founding_leaf).unwrap_err().reason, Reason::WrongHome);
    }

    #[test]
    fn signatures() {
        let c = Case::new();
        c.check(&said(1), &["p1.example/node"], Ok(()));
        c.check(&said(1), &["stranger.example"], Err(Reason::UnknownKey));
        c.check(&said(1), &["p1.example/node", "stranger.example"], Ok(()));
        c.check(&said(1), &["p2.example/node"], Err(Reason::NotAuthor));
        c.check(&said(1), &["p1.example/hamsaya/1"], Err(Reason::KeyNotInForce));
        // A cosigner's keyid is unknown here: it signs no statements.
        c.check(&said(1), &["p1.example/witness"], Err(Reason::UnknownKey));
        // One known signature that fails refuses all, whoever else signed.
        let mut envelope = c.sealed(&said(1), &["p1.example/node", "p1.example/post-07"]);
        envelope.signatures[0].sig[3] ^= 1;
        assert_eq!(c.acceptance.check(&envelope).unwrap_err().reason, Reason::BadSignature);
        envelope.signatures[0].sig.truncate(63);
        assert_eq!(c.acceptance.check(&envelope).unwrap_err().reason, Reason::BadSignature);
        envelope.signatures[0].keyid = "p1.example/node+00000000".to_owned();
        let accepted = c.acceptance.check(&envelope).unwrap();
        assert_eq!(accepted.signers.iter().map(|s| s.role.as_str()).collect::<Vec<_>>(), ["device"]);
    }

    #[test]
    fn acts_and_who_signs_them() {
        let c = Case::new();
        let act = |act, kind: &str, party: &str| {
            let mut s = said(1);
            (s.act, s.kind, s.party) = (act, kind.to_owned(), party.to_owned());
            s
        };
        let finding = act(Act::Find, "finding", "Commission");
        c.check(&finding, &["p1.example/chair", "p2.example/chair"], Ok(()));
        c.check(&finding, &["p1.example/chair"], Err(Reason::NotAuthor));
        c.check(&finding, &["p1.example/node", "p2.example/node"], Err(Reason::MissingSignature));
        c.check(&act(Act::Find, "opinion", "P1"), &["p1.example/chair"], Ok(()));
        // A body is no member: nobody speaks for P2 but P2.
        c.check(&act(Act::Find, "finding", "P2"), &["p1.example/chair", "g1.example/node"], Err(Reason::NotAuthor));
        c.check(
            &act(Act::Notify, "op_notice", "Commission"),
            &["p1.example/chair", "p2.example/chair"],
            Err(Reason::NotAuthor),
        );

        let extend = act(Act::Consent, "extend", "P1");
        c.check(&extend, &["p1.example/chair", "p2.example/node"], Ok(()));
        c.check(&extend, &["p1.example/chair", "p1.example/node"], Err(Reason::MissingSignature));
        c.check(&extend, &["p1.example/chair", "g1.example/node"], Err(Reason::MissingSignature));
        c.check(&extend, &["p1.example/post-07", "p2.example/node"], Err(Reason::MissingSignature));

        c.check(&act(Act::Record, "verdict", "P1"), &["p1.example/node"], Ok(()));
        c.check(&act(Act::Record, "verdict", "P1"), &["p1.example/chair"], Err(Reason::MissingSignature));
        c.check(&act(Act::Record, "key", "P1"), &["p1.example/node"], Err(Reason::BadField));
        c.check(&act(Act::Record, "policy", "P1"), &["p1.example/node"], Err(Reason::UnknownKind));
        c.check(&act(Act::Record, "finding", "P1"), &["p1.example/node"], Err(Reason::UnknownKind));
        c.check(&act(Act::Notify, "verdict", "P1"), &["p1.example/node"], Err(Reason::UnknownKind));

        c.check(&act(Act::Observe, "fire", "P1"), &["p1.example/node"], Err(Reason::BadTime));
        let mut fire = act(Act::Observe, "fire", "P1");
        fire.occurred_at =
            Some(Occurred { from: Instant(0), to: Instant(0), precision: Precision::Second, edtf: None });
        c.check(&fire, &["p1.example/node"], Ok(()));
        c.check(&act(Act::Allege, "lodged", "P1"), &["p1.example/node"], Err(Reason::BadField));
        c.check(&act(Act::Request, "access_req", "P1"), &["p1.example/node"], Err(Reason::BadField));
        c.check(&act(Act::Answer, "ack", "P1"), &["p1.example/node"], Err(Reason::BadRef));
        let mut ack = act(Act::Answer, "ack", "P1");
        ack.refs = vec![Reference { rel: Rel::Answers, id: StatementId([1; 32]) }];
        c.check(&ack, &["p1.example/node"], Ok(()));
    }

    #[test]
    fn withdrawn_by_the_same_party_where_it_was_said() {
        let mut c = Case::new();
        let first = c.log(&said(1), &["p1.example/post-07"]);
        let withdraw = |rel, id, party: &str| {
            let mut s = said(2);
            (s.act, s.kind, s.party, s.source) =
                (Act::Withdraw, "withdraw".to_owned(), party.to_owned(), "desk".to_owned());
            s.refs = vec![Reference { rel, id }];
            s
        };
        c.check(&withdraw(Rel::Withdraws, first, "P1"), &["p1.example/node"], Ok(()));
        c.check(&withdraw(Rel::Withdraws, first, "P2"), &["p2.example/node"], Err(Reason::NotAuthor));
        c.check(&withdraw(Rel::Withdraws, StatementId([9; 32]), "P1"), &["p1.example/node"], Err(Reason::BadRef));
        c.check(&withdraw(Rel::Cites, first, "P1"), &["p1.example/node"], Err(Reason::BadRef));
        let mut anew = said(2);
        anew.source = "desk".to_owned();
        anew.refs = vec![Reference { rel: Rel::Supersedes, id: StatementId([9; 32]) }];
        c.check(&anew, &["p1.example/node"], Err(Reason::BadRef));
    }

    #[test]
    fn sent_again() {
        let mut c = Case::new();
        c.log(&said(1), &["p1.example/post-07"]);
        let again = c.acceptance.check(&c.sealed(&said(1), &["p1.example/post-07"])).unwrap();
        assert_eq!((again.already, again.index), (Some(1), 2));
        let mut other = said(1);
        other.fields.insert("place".to_owned(), FieldValue::Text("x".to_owned()));
        c.check(&other, &["p1.example/post-07"], Err(Reason::BadField));
        // A log that holds a copy goes on; the first counts.
        let leaf = c.sealed(&said(1), &["p1.example/post-07"]).to_leaf();
        assert_eq!(c.acceptance.replay(&leaf).unwrap().already, Some(1));
        assert_eq!((c.acceptance.size(), c.acceptance.index_of(&again.statement_id)), (3, Some(1)));
        // The founding's id is taken too.
        let mut taken = said(2);
        taken.id = World::FOUNDING_ID.to_owned();
        c.check(&taken, &["p1.example/post-07"], Err(Reason::BadField));
    }

    #[test]
    fn numbers_of_a_source() {
        let mut c = Case::new();
        let post = ["p1.example/post-07"];
        let chain: Vec<Statement> = (0..5)
            .scan(None, |prev, n| {
                let s = at(said(10 + n), n, *prev);
                *prev = Some(StatementId::of(&s.to_payload()));
                Some(s)
            })
            .collect();
        let id = |n: usize| StatementId::of(&chain[n].to_payload());
        assert_eq!(c.acceptance.next_of("P1", "p1/post-07"), (0, None));
        c.log(&chain[0], &post);
        assert_eq!(c.acceptance.next_of("P1", "p1/post-07"), (1, Some(id(0))));

        // Another predecessor than the one logged.
        c.check(&at(said(99), 1, Some(id(3))), &post, Err(Reason::SourceEquivocates));
        // A gap is accepted as a hole.
        let accepted = c.acceptance.check(&c.sealed(&chain[3], &post)).unwrap();
        assert!(accepted.hole);
        c.log(&chain[3], &post);
        assert_eq!(c.acceptance.next_of("P1", "p1/post-07"), (4, Some(id(3))));
        // A late filler fits both neighbours or is refused.
        c.check(&at(said(98), 2, Some(id(1))), &post, Err(Reason::SourceEquivocates));
        c.check(&chain[2], &post, Ok(()));
        c.log(&chain[1], &post);
        c.check(&at(said(98), 2, Some(id(0))), &post, Err(Reason::SourceEquivocates));
        let accepted = c.acceptance.check(&c.sealed(&chain[2], &post)).unwrap();
        assert!(!accepted.hole);
        c.log(&chain[2], &post);

        // Two at one number: both are kept, and either may be gone on from.
        let other = at(said(97), 3, Some(id(2)));
        let accepted = c.acceptance.check(&c.sealed(&other, &post)).unwrap();
        assert_eq!(accepted.source_equivocates, Some(2));
        c.log(&other, &post);
        c.check(&chain[4], &post, Ok(()));
        c.check(&at(said(96), 4, Some(StatementId::of(&other.to_payload()))), &post, Ok(()));
        c.check(&at(said(96), 4, Some(id(2))), &post, Err(Reason::SourceEquivocates));

        // Numbers are by party and source.
        let mut desk = said(95);
        desk.source = "p1/desk".to_owned();
        c.check(&desk, &post, Ok(()));
    }

    #[test]
    fn replaying_the_leaves_gives_the_same_state() {
        let mut c = Case::new();
        let (a, b) = (said(1), at(said(2), 1, Some(StatementId::of(&said(1).to_payload()))));
        let mut leaves = vec![];
        for s in [&a, &b] {
            let envelope = c.sealed(s, &["p1.example/post-07"]);
            leaves.push(envelope.to_leaf());
            let accepted = c.acceptance.check(&envelope).unwrap();
            c.acceptance.apply(&accepted);
        }
        leaves.insert(1, b"not an envelope".to_vec());
        let mut again = Acceptance::found("p1.example/hamsaya/1", &c.world.founding_leaf).unwrap();
        let found: Vec<_> =
            leaves.iter().map(|leaf| again.replay(leaf).map(|a| a.index).map_err(|r| r.reason)).collect();
        assert_eq!(found, [Ok(1), Err(Reason::BadJson), Ok(3)]);
        assert_eq!(again.next_of("P1", "p1/post-07"), c.acceptance.next_of("P1", "p1/post-07"));
        assert_eq!(again.size(), 4);
    }
}
