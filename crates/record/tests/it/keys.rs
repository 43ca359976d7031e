//! Keys that follow one another in P1's log: what may be said, and what is refused clause by clause.
//!
//! ```text
//! chair  K0 (founding) ─► K1 ─► K2        node  N0 (founding) ─► N1
//! ```
use crate::world::{P1, START, World, uuid};
use hamsaya_record::accept::{Acceptance, Accepted, Reason, Refusal};
use hamsaya_record::envelope::Envelope;
use hamsaya_record::instant::Instant;
use hamsaya_record::key::{Role, SecretKey, Vkey};
use hamsaya_record::keyring::{Following, KeyChange};
use hamsaya_record::statement::{Act, FieldValue, Reference, Rel, Statement, StatementId};

pub(crate) const CHAIR: &str = "p1.example/chair";
const NODE: &str = "p1.example/node";
const RECOVERY: &str = "p1.example/recovery";

/// The `n`-th key of this name; the founding has number 0.
pub(crate) fn nth(world: &World, name: &str, n: u8) -> SecretKey {
    match n {
        0 => world.key(name).clone(),
        n => SecretKey::from_seed(name, [n; 32]).unwrap(),
    }
}

fn vkey(world: &World, name: &str, n: u8) -> Vkey {
    nth(world, name, n).vkey().clone()
}

/// That key `n` follows the one before it, and names the one after it.
pub(crate) fn following(world: &World, name: &str, n: u8) -> Following {
    Following { new: vkey(world, name, n), next: vkey(world, name, n + 1).hash() }
}

pub(crate) fn role(name: &str) -> Role {
    match name {
        NODE => Role::Node,
        RECOVERY => Role::Recovery,
        _ => Role::Office,
    }
}

pub(crate) fn naming(world: &World, name: &str) -> KeyChange {
    let next = vkey(world, name, 1).hash();
    KeyChange::Named { role: role(name), old: vkey(world, name, 0), next }
}

pub(crate) fn replaced(world: &World, name: &str, n: u8) -> KeyChange {
    let following = following(world, name, n);
    KeyChange::Replaced { role: role(name), old: vkey(world, name, n - 1), following }
}

/// Key `n` was stolen, when so many entries were good; key `n + 1` takes its place.
pub(crate) fn revoked(world: &World, name: &str, n: u8, good_size: u64) -> KeyChange {
    let following = Some(following(world, name, n + 1));
    KeyChange::Revoked { role: role(name), old: vkey(world, name, n), good_size, following }
}

/// `K1` of `("p1.example/chair", 1)`.
pub(crate) type Keys<'k> = &'k [(&'k str, u8)];

/// P1's log as acceptance sees it.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) acceptance: Acceptance,
    said: u64,
    pub(crate) leaves: Vec<Vec<u8>>,
}

impl Case {
    pub(crate) fn new(world: &World) -> Case {
        let acceptance = Acceptance::found(P1, &world.founding_leaf).unwrap();
        Case { acceptance, said: 0, leaves: vec![world.founding_leaf.clone()] }
    }

    /// A statement by P1, from a source of its own, so that its number is in no one's way.
    pub(crate) fn statement(&self, act: Act, kind: &str) -> Statement {
        let n = self.acceptance.size() + self.said;
        let at = Instant(START + n as i64);
        let mut s = Statement::new(self.acceptance.founding().agreement(), act, kind, &uuid(n), "P1", P1, at);
        s.source = format!("p1/{n}");
        s
    }

    pub(crate) fn changing(&self, change: &KeyChange) -> Statement {
        Statement { fields: change.to_fields(), ..self.statement(Act::Record, "key") }
    }

    pub(crate) fn take(&mut self, world: &World, statement: &Statement, keys: Keys) -> Result<Accepted, Refusal> {
        let envelope = signed(world, statement, keys);
        let accepted = self.acceptance.check(&envelope)?;
        self.acceptance.apply(&accepted);
        self.leaves.push(envelope.to_leaf());
        Ok(accepted)
    }

    pub(crate) fn change(&mut self, world: &World, change: &KeyChange, keys: Keys) -> Result<Accepted, Refusal> {
        let statement = self.changing(change);
        self.take(world, &statement, keys)
    }

    /// Whether a notice that these keys sign would count as the next entry.
    pub(crate) fn counts(&self, world: &World, keys: Keys) -> Result<(), Reason> {
        let statement = self.statement(Act::Notify, "op_notice");
        self.acceptance.check(&signed(world, &statement, keys)).map(|_| ()).map_err(|refusal| refusal.reason)
    }
}

pub(crate) fn signed(world: &World, statement: &Statement, keys: Keys) -> Envelope {
    let keys: Vec<SecretKey> = keys.iter().map(|(name, n)| nth(world, name, *n)).collect();
    Envelope::sign(statement.to_payload(), &keys.iter().collect::<Vec<_>>())
}

/// P1's chair has named the key after its own; then, up to `n`, each follows the one before.
pub(crate) fn up_to(world: &World, name: &str, n: u8) -> Case {
    let mut case = Case::new(world);
    case.change(world, &naming(world, name), &[(name, 0), (NODE, 0)]).unwrap();
    for n in 1..=n {
        let node = (NODE, if name == NODE { n } else { 0 });
        case.change(world, &replaced(world, name, n), &[(name, n - 1), (name, n), node]).unwrap();
    }
    case
}

#[test]
fn a_key_gives_way_to_the_one_it_named_from_its_index_on() {
    let world = World::new();
    let case = up_to(&world, CHAIR, 2);
    // Entries 1, 2 and 3: K0 names K1, K1 follows, K2 follows.
    let ring = case.acceptance.keyring();
    let counts = |n: u8| -> Vec<u64> {
        let keyid = vkey(&world, CHAIR, n).keyid();
        (0..6).filter(|index| ring.in_force(&keyid, *index).is_some()).collect()
    };
    assert_eq!((counts(0), counts(1), counts(2)), (vec![0, 1, 2], vec![2, 3], vec![3, 4, 5]));
    let newest = ring.newest(&vkey(&world, CHAIR, 0).keyid()).unwrap();
    assert_eq!((newest.key.vkey.clone(), newest.key.node.as_str()), (vkey(&world, CHAIR, 2), "P1"));
    assert_eq!(case.counts(&world, &[(CHAIR, 2)]), Ok(()));
    assert_eq!(case.counts(&world, &[(NODE, 0)]), Ok(()), "the others go on");
    for old in [0, 1] {
        assert_eq!(case.counts(&world, &[(CHAIR, old)]), Err(Reason::KeyNotInForce));
        // Who signs beside it does not heal it: which of them speaks is not for the reader to guess.
        assert_eq!(case.counts(&world, &[(CHAIR, old), (CHAIR, 2)]), Err(Reason::KeyNotInForce));
    }
    // Before its index a key is a stranger's.
    let before = up_to(&world, CHAIR, 1);
    assert_eq!(before.counts(&world, &[(CHAIR, 2)]), Err(Reason::UnknownKey));
    assert_eq!(before.counts(&world, &[(CHAIR, 1)]), Ok(()));
}

#[test]
fn the_nodes_own_key_gives_way_too() {
    let world = World::new();
    let case = up_to(&world, NODE, 1);
    let verdict = |n| {
        let said = case.statement(Act::Record, "refusal");
        case.acceptance.check(&signed(&world, &said, &[(NODE, n)])).map(|_| ()).map_err(|refusal| refusal.reason)
    };
    assert_eq!((verdict(0), verdict(1)), (Err(Reason::KeyNotInForce), Ok(())));
}

#[track_caller]
fn check(world: &World, case: &Case, statement: &Statement, keys: Keys, expected: Result<(), (Reason, &str)>) {
    let found = case.acceptance.check(&signed(world, statement, keys));
    match (&found, expected) {
        (Ok(_), Ok(())) => (),
        (Err(refusal), Err((reason, words))) if refusal.reason == reason && refusal.to_string().contains(words) => {}
        _ => panic!("expected {expected:?}, found {found:?}"),
    }
}

/// What each clause refuses; beside it, what it lets pass.
#[test]
fn refused() {
    let world = World::new();
    let (named, founded) = (up_to(&world, CHAIR, 0), Case::new(&world));
    let to_k1 = named.changing(&replaced(&world, CHAIR, 1));
    let all: Keys = &[(CHAIR, 0), (CHAIR, 1), (NODE, 0)];
    check(&world, &named, &to_k1, all, Ok(()));

    // Each of the three signs.
    let missing = |words| Err((Reason::MissingSignature, words));
    check(&world, &named, &to_k1, &all[1..], missing("none by the key itself"));
    check(&world, &named, &to_k1, &[all[0], all[2]], missing("none by the key that comes"));
    check(&world, &named, &to_k1, &all[..2], missing("the node's own key, for act `record`"));
    let others = [all[0], all[1], ("p2.example/node", 0)];
    check(&world, &named, &to_k1, &others, missing("none by the node's own key"));
    let mut forged = signed(&world, &to_k1, all);
    let keyid = vkey(&world, CHAIR, 1).keyid();
    forged.signatures.iter_mut().find(|s| s.keyid == keyid).unwrap().sig[7] ^= 1;
    assert_eq!(named.acceptance.check(&forged).unwrap_err().reason, Reason::BadSignature);

    // Only the key that was named follows, and none follows where none was named.
    let another = KeyChange::Replaced {
        role: Role::Office,
        old: vkey(&world, CHAIR, 0),
        following: Following { new: vkey(&world, CHAIR, 7), ..following(&world, CHAIR, 1) },
    };
    let keys: Keys = &[(CHAIR, 0), (CHAIR, 7), (NODE, 0)];
    check(&world, &named, &named.changing(&another), keys, Err((Reason::BadField, "a key with hash")));
    check(&world, &founded, &founded.changing(&another), keys, Err((Reason::BadField, "was not named before")));
    // What is named stays named.
    let again = KeyChange::Named { role: Role::Office, old: vkey(&world, CHAIR, 0), next: [7; 32] };
    check(&world, &named, &named.changing(&again), &[all[0], all[2]], Err((Reason::BadField, "named already")));
    check(&world, &founded, &founded.changing(&again), &[all[0], all[2]], Ok(()));
    check(&world, &founded, &founded.changing(&again), &all[2..], missing("none by the key itself"));

    // Name, role and owner stay.
    let with = |name: &str, value: &dyn ToString| {
        let mut said = to_k1.clone();
        said.fields.insert(name.to_owned(), FieldValue::Text(value.to_string()));
        said
    };
    let bad = |words| Err((Reason::BadField, words));
    check(&world, &named, &with("name", &"p1.example/desk"), all, bad("the name of the keys, which stays"));
    let renamed = SecretKey::from_seed("p1.example/desk", [1; 32]).unwrap();
    check(&world, &named, &with("new", renamed.vkey()), all, bad("the name of the keys, which stays"));
    check(&world, &named, &with("role", &Role::Device), all, bad("which p1.example/chair+"));
    check(&world, &named, &with("role", &Role::Log), all, bad("the others do not change in this version"));
    check(&world, &named, &with("role", &"chief"), all, bad("role"));
    let cosigner = SecretKey::cosigner_from_seed(CHAIR, [1; 32]).unwrap();
    check(&world, &named, &with("new", cosigner.vkey()), all, bad("of type 0x01"));
    let theirs = "p2.example/chair";
    let of_p2 = KeyChange::Replaced {
        role: Role::Office,
        old: vkey(&world, theirs, 0),
        following: following(&world, theirs, 1),
    };
    let keys: Keys = &[(theirs, 0), (theirs, 1), (NODE, 0)];
    check(&world, &named, &named.changing(&of_p2), keys, Err((Reason::NotAuthor, "a key of P2")));
    let stranger = KeyChange::Named { role: Role::Office, old: vkey(&world, CHAIR, 9), next: [7; 32] };
    check(&world, &named, &named.changing(&stranger), &all[2..], Err((Reason::UnknownKey, "a key of the founding")));

    // No key comes twice, as itself, as another's or as what it was for; nor is one named that is known.
    for (name, n) in [(CHAIR, 0), (NODE, 0), (RECOVERY, 0)] {
        let public = *vkey(&world, name, n).public();
        let same = Vkey::new(CHAIR, Role::Office.algorithm(), &public).unwrap();
        check(&world, &named, &with("new", &same), &[(CHAIR, 0), (NODE, 0)], bad("once more"));
        let next = hamsaya_record::statement::hex(&same.hash());
        check(&world, &named, &with("next", &next), all, bad("the hash of a key in use"));
    }
    let itself = hamsaya_record::statement::hex(&vkey(&world, CHAIR, 1).hash());
    check(&world, &named, &with("next", &itself), all, bad("the hash of a key in use"));
    let gone = up_to(&world, CHAIR, 1);
    check(&world, &gone, &gone.changing(&replaced(&world, CHAIR, 1)), &all[1..], Err((Reason::BadField, "once more")));

    // Its fields are these and no others.
    for (name, words) in [("role", "nothing"), ("name", "nothing"), ("old", "one of them"), ("next", "nothing")] {
        let mut said = to_k1.clone();
        said.fields.remove(name);
        check(&world, &named, &said, all, bad(words));
    }
    check(&world, &named, &with("why", &"it was time"), all, Err((Reason::UnknownField, "why")));
    check(&world, &named, &with("next", &"soon"), all, bad("64 hex digits"));
    check(&world, &named, &with("revoke", &vkey(&world, CHAIR, 0)), all, bad("one of them"));
    let drill = Statement { drill: true, ..to_k1.clone() };
    check(&world, &named, &drill, all, bad("keys change in earnest"));
    // It is the record's act, in this log.
    let elsewhere = Statement { home: "p2.example/hamsaya/1".to_owned(), ..to_k1.clone() };
    check(&world, &named, &elsewhere, all, Err((Reason::WrongHome, "p2.example")));
}

/// The same for a key that was stolen.
#[test]
fn a_revocation_is_refused() {
    let world = World::new();
    let missing = |words| Err((Reason::MissingSignature, words));
    let bad = |words| Err((Reason::BadField, words));
    let (founded, named) = (Case::new(&world), up_to(&world, CHAIR, 0));
    let k0 = named.changing(&revoked(&world, CHAIR, 0, 1));
    // By the key that was named before, or by a recovery key; the new one and the node's sign in any case.
    check(&world, &named, &k0, &[(CHAIR, 1), (NODE, 0)], Ok(()));
    check(&world, &named, &k0, &[(CHAIR, 1)], missing("the node's own key"));
    check(&world, &named, &k0, &[(NODE, 0)], missing("none by the key that comes"));
    check(&world, &named, &k0, &[(NODE, 0), (RECOVERY, 0)], missing("none by the key that comes"));
    let other = KeyChange::Revoked {
        role: Role::Office,
        old: vkey(&world, CHAIR, 0),
        good_size: 1,
        following: Some(following(&world, CHAIR, 8)),
    };
    for case in [&named, &founded] {
        let said = case.changing(&other);
        check(&world, case, &said, &[(CHAIR, 8), (NODE, 0)], missing("nor by a recovery key"));
        check(&world, case, &said, &[(CHAIR, 8), (CHAIR, 0), (NODE, 0)], missing("nor by a recovery key"));
        check(&world, case, &said, &[(CHAIR, 8), (NODE, 0), ("p2.example/recovery", 0)], missing("nor by a recovery"));
        check(&world, case, &said, &[(CHAIR, 8), (NODE, 0), (RECOVERY, 0)], Ok(()));
    }
    // The node's key cannot speak against itself being stolen; its follower can.
    let node = up_to(&world, NODE, 0);
    let n0 = node.changing(&revoked(&world, NODE, 0, 1));
    check(&world, &node, &n0, &[(NODE, 1)], Ok(()));
    check(&world, &node, &n0, &[(NODE, 0)], missing("the node's own key"));
    // Nor the recovery key for itself.
    let itself = KeyChange::Revoked {
        role: Role::Recovery,
        old: vkey(&world, RECOVERY, 0),
        good_size: 1,
        following: Some(following(&world, RECOVERY, 8)),
    };
    let keys: Keys = &[(RECOVERY, 0), (RECOVERY, 8), (NODE, 0)];
    check(&world, &founded, &founded.changing(&itself), keys, missing("nor by a recovery key"));

    // Nobody has seen more than the founding; and the founding is everybody's.
    let size = |good_size: i64| {
        let mut said = k0.clone();
        said.fields.insert("good_size".to_owned(), FieldValue::Int(good_size));
        said
    };
    let keys: Keys = &[(CHAIR, 1), (NODE, 0)];
    check(&world, &named, &size(2), keys, bad("a quorum of witnesses cosigned"));
    check(&world, &named, &size(0), keys, bad("good_size"));
    check(&world, &named, &size(-1), keys, bad("good_size"));
    for name in ["good_size", "next", "new"] {
        let mut said = k0.clone();
        said.fields.remove(name);
        check(&world, &named, &said, keys, bad(name));
    }

    // One that gave way already was stolen before: then nothing takes its place, and the one that did says so.
    let gone = up_to(&world, CHAIR, 1);
    let before = |following| {
        gone.changing(&KeyChange::Revoked { role: Role::Office, old: vkey(&world, CHAIR, 0), good_size: 1, following })
    };
    check(&world, &gone, &before(None), &[(CHAIR, 1), (NODE, 0)], Ok(()));
    check(&world, &gone, &before(None), &[(RECOVERY, 0), (NODE, 0)], Ok(()));
    check(&world, &gone, &before(None), &[(NODE, 0)], missing("the key that took its place"));
    let again = before(Some(following(&world, CHAIR, 2)));
    check(&world, &gone, &again, &[(CHAIR, 1), (CHAIR, 2), (NODE, 0)], bad("another has taken its place"));
    let in_force =
        KeyChange::Revoked { role: Role::Office, old: vkey(&world, CHAIR, 1), good_size: 1, following: None };
    check(&world, &gone, &gone.changing(&in_force), &[(RECOVERY, 0), (NODE, 0)], bad("the key that takes its place"));

    // It counts at once.
    let mut said = up_to(&world, CHAIR, 0);
    said.change(&world, &revoked(&world, CHAIR, 0, 1), &[(CHAIR, 1), (NODE, 0)]).unwrap();
    assert_eq!(said.counts(&world, &[(CHAIR, 0)]), Err(Reason::KeyNotInForce));
    assert_eq!(said.counts(&world, &[(CHAIR, 1)]), Ok(()));

    // Who bears it out says so in his own log, of a log that there is.
    let confirming = |log: &str, party: &str, home: &str| {
        let old = vkey(&world, CHAIR, 0);
        let change = KeyChange::Confirmed { log: log.to_owned(), old, good_size: 1, revocation: StatementId([7; 32]) };
        let mut said = Statement { party: party.to_owned(), home: home.to_owned(), ..named.changing(&change) };
        said.refs = vec![Reference { rel: Rel::Confirms, id: StatementId([7; 32]) }];
        said
    };
    let p2 = "p2.example/hamsaya/1";
    let theirs = Case { acceptance: Acceptance::found(p2, &world.founding_leaf).unwrap(), ..Case::new(&world) };
    let node: Keys = &[("p2.example/node", 0)];
    check(&world, &theirs, &confirming(P1, "P2", p2), node, Ok(()));
    check(&world, &theirs, &confirming(P1, "P2", p2), &[("p2.example/chair", 0)], missing("the node's own key"));
    let g1: Keys = &[("g1.example/node", 0)];
    check(&world, &theirs, &confirming(P1, "G1", p2), g1, Err((Reason::NotAuthor, "P2, who keeps this log")));
    check(&world, &theirs, &confirming("p9.example/hamsaya/1", "P2", p2), node, bad("p9.example"));
    let mut more = confirming(P1, "P2", p2);
    more.fields.insert("role".to_owned(), FieldValue::Text("office".to_owned()));
    check(&world, &theirs, &more, node, Err((Reason::UnknownField, "role")));
}

/// What was signed before and comes after the key is gone does not count, whatever time it claims; what is here already is
/// answered as it was.
#[test]
fn by_index_never_by_a_claimed_time() {
    let world = World::new();
    let mut case = up_to(&world, CHAIR, 0);
    let early = case.statement(Act::Notify, "op_notice");
    let late = Statement { id: uuid(0x99), stated_at: Instant(START - 3600), ..early.clone() };
    case.take(&world, &early, &[(CHAIR, 0)]).unwrap();
    let to_k1 = case.changing(&replaced(&world, CHAIR, 1));
    let all: Keys = &[(CHAIR, 0), (CHAIR, 1), (NODE, 0)];
    case.take(&world, &to_k1, all).unwrap();
    let check = |statement: &Statement, keys| case.acceptance.check(&signed(&world, statement, keys));
    assert_eq!(check(&late, &[(CHAIR, 0)]).unwrap_err().reason, Reason::KeyNotInForce);
    assert_eq!(check(&early, &[(CHAIR, 0)]).unwrap().already, Some(2));
    assert_eq!(check(&to_k1, all).unwrap().already, Some(3), "who did not hear the answer asks again");
}

/// A key counts in the log that says so: a log of which the owner says nothing knows nothing of it.
#[test]
fn in_each_log_by_its_own_entries() {
    let world = World::new();
    let mut other = Acceptance::found("p2.example/hamsaya/1", &world.founding_leaf).unwrap();
    let case = up_to(&world, CHAIR, 1);
    let here = |statement: Statement| Statement { home: "p2.example/hamsaya/1".to_owned(), ..statement };
    let notice = here(case.statement(Act::Notify, "op_notice"));
    assert_eq!(other.check(&signed(&world, &notice, &[(CHAIR, 1)])).unwrap_err().reason, Reason::UnknownKey);
    for (n, change) in [naming(&world, CHAIR), replaced(&world, CHAIR, 1)].into_iter().enumerate() {
        let mut said = here(case.changing(&change));
        (said.id, said.source) = (uuid(0xA0 + n as u64), format!("p1/a{n}"));
        let accepted = other.check(&signed(&world, &said, &[(CHAIR, 0), (CHAIR, 1), (NODE, 0)]));
        other.apply(&accepted.unwrap());
    }
    assert!(other.check(&signed(&world, &notice, &[(CHAIR, 1)])).is_ok());
    assert_eq!(other.check(&signed(&world, &notice, &[(CHAIR, 0)])).unwrap_err().reason, Reason::KeyNotInForce);
}

/// Six statements in every order, some of which make others count and some not: what counts is what the slow rule says, and
/// whoever reads the log afterwards finds the same.
#[test]
fn in_every_order() {
    let world = World::new();
    let case = Case::new(&world);
    // What it needs: the number of the key in force, and whether it has named another; what it leaves.
    struct Said {
        envelope: Envelope,
        by: u8,
        named: Option<bool>,
        leaves: (u8, bool),
    }
    let said = |n: u64, statement: Statement, keys: Keys, by, named, leaves| {
        let statement = Statement { id: uuid(0xB0 + n), source: format!("p1/b{n}"), ..statement };
        Said { envelope: signed(&world, &statement, keys), by, named, leaves }
    };
    let notice = |n: u8| said(n.into(), case.statement(Act::Notify, "op_notice"), &[(CHAIR, n)], n, None, (n, true));
    let change = |n: u64, change: KeyChange, keys: Keys, by, named| {
        said(n, case.changing(&change), keys, by, Some(named), (if named { by + 1 } else { by }, true))
    };
    let all = [
        change(3, naming(&world, CHAIR), &[(CHAIR, 0), (NODE, 0)], 0, false),
        change(4, replaced(&world, CHAIR, 1), &[(CHAIR, 0), (CHAIR, 1), (NODE, 0)], 0, true),
        change(5, replaced(&world, CHAIR, 2), &[(CHAIR, 1), (CHAIR, 2), (NODE, 0)], 1, true),
        notice(0),
        notice(1),
        notice(2),
    ];
    let mut orders: Vec<Vec<usize>> = vec![vec![]];
    for n in 0..all.len() {
        let with = |order: &Vec<usize>| -> Vec<Vec<usize>> {
            (0..=order.len()).map(|at| [&order[..at], &[n], &order[at..]].concat()).collect()
        };
        orders = orders.iter().flat_map(with).collect();
    }
    assert_eq!(orders.len(), 720);
    let mut counted = std::collections::BTreeSet::new();
    for order in orders {
        let (mut slow, mut state) = (Vec::new(), (0, false));
        for said in order.iter().map(|n| &all[*n]) {
            let counts = said.by == state.0 && said.named.is_none_or(|named| named == state.1);
            if counts && said.named.is_some() {
                state = said.leaves;
            }
            slow.push(counts);
        }
        let mut mirror = Case::new(&world).acceptance;
        let found: Vec<bool> = order.iter().map(|n| mirror.replay(&all[*n].envelope.to_leaf()).is_ok()).collect();
        assert_eq!(found, slow, "{order:?}");
        counted.insert(found.iter().filter(|counts| **counts).count());
    }
    assert_eq!(counted, (2..=6).collect(), "from two that count in a bad order to all in the good one");
}
