//! The core in memory: a post office carries what nodes ask of each other, in order and at once.
use crate::town::{NAMES, START, accord, founding_leaf, key, origin, outage, setup};
use hamsaya_agreement::{Agreement, State};
use hamsaya_node::docket::Docket;
use hamsaya_node::node::{Action, Answer, At, Cosigning, Event, Explain, Hint, News, Node, Silence, Status, Stores};
use hamsaya_record::Instant;
use hamsaya_record::accept::Reason;
use hamsaya_record::checkpoint::Checkpoint;
use hamsaya_record::cosignature;
use hamsaya_record::envelope::Envelope;
use hamsaya_record::key::{Role, SecretKey};
use hamsaya_record::keyring::{Following, KeyChange};
use hamsaya_record::logs::Head;
use hamsaya_record::note::Note;
use hamsaya_record::statement::{Act, FieldValue, Reference, Rel, Statement, StatementId, hex};
use hamsaya_record::store::{Crash, Memory, Store};
use hamsaya_record::witness::{self, SKEW_S_MAX, WitnessAnswer, origin_hash};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, LazyLock};

static DOCKET: LazyLock<Docket> = LazyLock::new(Docket::default);

/// The stores of one node, which outlive it.
#[derive(Clone, Default)]
struct Disk {
    log: Memory,
    witness: Memory,
    copies: BTreeMap<String, Memory>,
}

struct World {
    agreement: Arc<Agreement>,
    leaf: Vec<u8>,
    disks: BTreeMap<String, Disk>,
    nodes: BTreeMap<String, Node<Memory>>,
    silent: BTreeSet<String>,
    /// Who gets no answer from whom.
    withheld: BTreeSet<(String, String)>,
    /// Who is shown this checkpoint, and no newer one, by whom.
    stale: BTreeMap<(String, String), Vec<u8>>,
    refusals_s: u64,
    /// Node keys that are at hand beside the founding's; with any, the first is the one in `keys/node.key`.
    node_keys: BTreeMap<String, Vec<SecretKey>>,
    now: Instant,
    /// Seconds that clocks are ahead; with any, nodes take time as the system's.
    ahead_s: BTreeMap<String, i64>,
    elapsed_ms: u64,
    answers: BTreeMap<u64, Answer>,
    hints: Vec<(String, Hint)>,
    tickets: u64,
    /// So long are a witness's answers on their way.
    slow_ms: u64,
    on_the_way: VecDeque<(u64, String, Event)>,
    /// What a node wants done besides answering a question.
    left: Vec<(String, Action)>,
}

impl World {
    fn new() -> World {
        World::with_clocks([])
    }

    fn with_clocks<const N: usize>(ahead_s: [(&str, i64); N]) -> World {
        let (_, agreement) = accord();
        let leaf = founding_leaf(&agreement);
        let mut world = World {
            agreement,
            leaf,
            disks: BTreeMap::new(),
            nodes: BTreeMap::new(),
            silent: BTreeSet::new(),
            withheld: BTreeSet::new(),
            stale: BTreeMap::new(),
            refusals_s: 0,
            node_keys: BTreeMap::new(),
            now: START,
            ahead_s: ahead_s.into_iter().map(|(name, s)| (name.to_string(), s)).collect(),
            elapsed_ms: 0,
            answers: BTreeMap::new(),
            hints: Vec::new(),
            tickets: 0,
            slow_ms: 0,
            on_the_way: VecDeque::new(),
            left: Vec::new(),
        };
        for name in NAMES {
            world.start(name);
        }
        world.settle();
        world
    }

    fn start(&mut self, name: &str) {
        let disk = self.disks.entry(name.into()).or_default().clone();
        let with_log = name != "O1";
        let copies = NAMES.iter().filter(|n| with_log && **n != name && **n != "O1").map(|n| origin(n));
        let all: BTreeMap<String, Memory> =
            copies.map(|o| (o.clone(), disk.copies.get(&o).cloned().unwrap_or_default())).collect();
        self.disks.get_mut(name).unwrap().copies = all.clone();
        let stores =
            Stores { log: with_log.then_some(disk.log), witness: Some(disk.witness), mirror: None, copies: all };
        let mut setup = setup(name, &self.agreement, &self.leaf);
        setup.pacing.refusals_s = self.refusals_s;
        if let Some([first, others @ ..]) = self.node_keys.get(name).map(Vec::as_slice) {
            (setup.keys.node, setup.keys.other_nodes) = (first.clone(), others.to_vec());
        }
        setup.skew_s_max = Some(SKEW_S_MAX).filter(|_| !self.ahead_s.is_empty());
        let node = Node::open(setup, stores).unwrap();
        self.nodes.insert(name.into(), node);
    }

    fn stop(&mut self, name: &str) {
        self.nodes.remove(name);
    }

    fn at(&self, name: &str) -> At {
        let ahead_s = self.ahead_s.get(name).copied().unwrap_or_default();
        At { now: Some(self.now.plus(ahead_s)), elapsed_ms: self.elapsed_ms }
    }

    /// Gives an event to a node, then carries what follows until all is quiet at this moment.
    fn tell(&mut self, name: &str, event: Event) {
        let mut events = VecDeque::from([(name.to_string(), event)]);
        let mut handled = 0;
        while let Some((name, event)) = events.pop_front() {
            handled += 1;
            assert!(handled < 20_000, "the nodes do not come to rest");
            let at = self.at(&name);
            let Some(node) = self.nodes.get_mut(&name) else { continue };
            self.left.extend(node.handle(event, at).into_iter().map(|action| (name.clone(), action)));
            while !self.left.is_empty() {
                let (name, action) = self.left.remove(0);
                if let Some(next) = self.carry(&name, action) {
                    events.push_back((name, next));
                }
            }
        }
    }

    fn carry(&mut self, name: &str, action: Action) -> Option<Event> {
        let is_withheld = |peer: &String| self.withheld.contains(&(name.to_string(), peer.clone()));
        Some(match action {
            Action::Reply { ticket, answer } => {
                self.answers.insert(ticket, answer);
                return None;
            }
            Action::Announce(hint) => {
                self.hints.push((name.to_string(), hint));
                return None;
            }
            Action::Judge(case) => {
                // All nodes of all tests share a docket, or the same record would be judged over and over.
                Event::Judged(Box::new(DOCKET.changed(&case)))
            }
            Action::AskWitness { peer, size, body } => {
                let answer = if is_withheld(&peer) { Err(silence()) } else { self.cosign(&peer, body) };
                let answered = Event::WitnessAnswered { peer, size, answer };
                if self.slow_ms > 0 {
                    self.on_the_way.push_back((self.elapsed_ms + self.slow_ms, name.to_string(), answered));
                    return None;
                }
                answered
            }
            Action::AskNewest { peer, origin } => {
                let key = format!("{}/checkpoint", origin_hash(&origin));
                let reached = if is_withheld(&peer) { Err(silence()) } else { self.reach(&peer) };
                let answer = reached.map(|disk| disk.witness.read(&key).ok().flatten().map(|(bytes, _)| bytes));
                Event::NewestSeen { peer, answer }
            }
            Action::FetchCheckpoint { origin, peer, etag, .. } => {
                let published = match self.stale.get(&(name.to_string(), peer.clone())) {
                    Some(note) => Ok(Some(note.clone())),
                    None if is_withheld(&peer) => Err(silence()),
                    None => self.published(&peer, &origin),
                };
                let answer = published.map(|note| match note {
                    None => News::Nothing { held: false },
                    Some(note) => {
                        let name = hex(&StatementId::of(&note).0);
                        match Some(&name) == etag.as_ref() {
                            true => News::Same { held: false },
                            false => News::Checkpoint { note, etag: Some(name) },
                        }
                    }
                });
                Event::PeerCheckpoint { origin, peer, answer }
            }
            Action::FetchEntries { origin, peer, tiles } => {
                let answer = self.reach(&peer).and_then(|_| {
                    let node = &self.nodes[&peer];
                    tiles.iter().map(|tile| node.tile(&origin, *tile).ok_or(silence())).collect()
                });
                Event::PeerEntries { origin, peer, answer }
            }
        })
    }

    fn reach(&self, peer: &str) -> Result<&Disk, Silence> {
        let is_there = self.nodes.contains_key(peer) && !self.silent.contains(peer);
        is_there.then(|| &self.disks[peer]).ok_or(silence())
    }

    fn store(&self, peer: &str, of: &str) -> Result<Memory, Silence> {
        let disk = self.reach(peer)?;
        if origin(peer) == of { Ok(disk.log.clone()) } else { disk.copies.get(of).cloned().ok_or(silence()) }
    }

    fn published(&self, peer: &str, of: &str) -> Result<Option<Vec<u8>>, Silence> {
        let read = self.store(peer, of)?.read("checkpoint").map_err(|_| silence())?;
        Ok(read.map(|(bytes, _)| bytes))
    }

    fn cosign(&mut self, peer: &str, body: Vec<u8>) -> Result<Cosigning, Silence> {
        self.reach(peer)?;
        self.tickets += 1;
        let (ticket, at) = (self.tickets, self.at(peer));
        let node = self.nodes.get_mut(peer).unwrap();
        let actions = node.handle(Event::WitnessAsked { ticket, body }, at);
        let mut answer = None;
        for action in actions {
            match action {
                Action::Reply { ticket: told, answer: Answer::Witness(said) } if told == ticket => answer = Some(said),
                other => self.left.push((peer.to_string(), other)),
            }
        }
        Ok(match answer.ok_or(silence())? {
            WitnessAnswer::Cosigned(line) => Cosigning::Lines(line.to_line().into_bytes()),
            WitnessAnswer::Conflict { size } => Cosigning::Conflict(size),
            WitnessAnswer::Unproven(why) => Cosigning::Unproven(why),
            other => Cosigning::Refused(format!("{other:?}")),
        })
    }

    /// Lets time pass, from one thing that is due to the next.
    fn pass(&mut self, ms: u64) {
        let end = self.elapsed_ms + ms;
        loop {
            for name in NAMES {
                self.tell(name, Event::Tick);
            }
            while let Some((_, name, event)) = self.on_the_way.pop_front_if(|(due, _, _)| *due <= self.elapsed_ms) {
                self.tell(&name, event);
            }
            let arrives = self.on_the_way.front().map(|(due, _, _)| *due);
            let due = self.nodes.values().filter_map(|n| n.wake_at()).chain(arrives).min().unwrap_or(end);
            if self.elapsed_ms >= end {
                return;
            }
            self.elapsed_ms = due.max(self.elapsed_ms + 1).min(end);
        }
    }

    /// Lets time pass by all clocks, in steps of 5 s.
    fn live(&mut self, seconds: i64) {
        for _ in 0..seconds / 5 {
            self.now = self.now.plus(5);
            self.pass(5_000);
        }
    }

    /// Nobody reaches this node, and it reaches nobody.
    fn cut_off(&mut self, name: &str) {
        self.silent.insert(name.into());
        self.withheld.extend(NAMES.map(|peer| (name.to_string(), peer.to_string())));
    }

    fn join_again(&mut self) {
        self.silent.clear();
        self.withheld.clear();
    }

    fn settle(&mut self) {
        self.pass(3_000);
    }

    fn submit(&mut self, name: &str, bytes: Vec<u8>) -> u64 {
        self.tickets += 1;
        let ticket = self.tickets;
        self.tell(name, Event::Submitted { ticket, bytes });
        ticket
    }

    /// P1's chair says something.
    fn said(&self, n: u64) -> Statement {
        let id = format!("0193a1b2-c3d4-7e5f-8a9b-{n:012x}");
        let mut statement =
            Statement::new(self.agreement.digest(), Act::Notify, "sitrep", &id, "P1", &origin("P1"), self.now);
        (statement.act, statement.kind) = (Act::Observe, "incident".into());
        statement
    }

    fn sizes(&self, name: &str) -> BTreeMap<String, u64> {
        self.nodes[name].heads().into_iter().map(|h| (h.origin, h.size)).collect()
    }

    fn digest(&self, name: &str) -> String {
        let case = self.nodes[name].case(self.now, self.now).unwrap();
        hex(&case.judge(&Explain::None).unwrap().digest())
    }
}

fn silence() -> Silence {
    Silence("nobody answers".into())
}

/// A lodged allegation by P2, signed by its chair.
fn lodged(world: &World) -> Envelope {
    let mut statement = Statement::new(
        world.agreement.digest(),
        Act::Allege,
        "lodged",
        "0193a1b2-c3d4-7e5f-8a9b-000000000001",
        "P2",
        &origin("P2"),
        world.now,
    );
    let text = |t: &str| FieldValue::Text(t.into());
    statement.to = vec!["P1".into()];
    statement.fields = [
        ("allegation", text("A1")),
        ("against", text("P1")),
        ("commitment", text("C12")),
        ("urgency", text("flash")),
        ("known_at", text(&world.now.to_string())),
        ("event", text("raid")),
        ("relief", text("joint_visit")),
    ]
    .into_iter()
    .map(|(k, v)| (k.to_string(), v))
    .collect();
    Envelope::sign(statement.to_payload(), &[&key("P2", "chair")])
}

#[test]
fn an_entry_is_durable_then_answered_then_witnessed_then_held_by_all() {
    let mut world = World::new();
    // The founding, and the entry that proves its time.
    assert_eq!(world.sizes("P1").values().copied().collect::<Vec<_>>(), [2, 2, 2, 2]);
    let envelope = lodged(&world);
    let ticket = world.submit("P2", envelope.to_leaf());
    assert_eq!(world.answers.get(&ticket), None, "the batch is open");
    world.pass(10);
    let Some(Answer::Logged(receipt)) = world.answers.get(&ticket) else { panic!("{:?}", world.answers.get(&ticket)) };
    assert_eq!((receipt.index, receipt.already), (2, false));
    world.settle();
    for name in ["P1", "P2", "G1", "G2"] {
        assert_eq!(world.sizes(name)[&origin("P2")], 4, "{name}: the entry and its proof of time");
        let state = world.nodes[name].case(world.now, world.now).unwrap().judge(&Explain::None).unwrap();
        assert!(state.verdicts.iter().any(|v| v.label == "C14(A1, P1)"), "{name}");
        assert_eq!(world.digest(name), world.digest("P1"), "{name}");
        assert_eq!(world.nodes[name].status(), &Status::Running);
    }
    // The same bytes again are the same entry.
    let again = world.submit("P2", envelope.to_leaf());
    let Some(Answer::Logged(receipt)) = world.answers.get(&again) else { panic!() };
    assert_eq!((receipt.index, receipt.already), (2, true));
}

#[test]
fn at_rest_nothing_is_written() {
    let mut world = World::new();
    let before = world.sizes("P1");
    world.pass(30_000);
    assert_eq!(world.sizes("P1"), before, "heartbeats add no entries");
    world.now = world.now.plus(60);
    world.pass(30_000);
    assert_eq!(world.sizes("P1"), before);
    // Each witness cosigned twice; readers elsewhere take one line of each key.
    for (holder, of) in [("P1", "P1"), ("P2", "P1"), ("G2", "P2")] {
        let note = Note::parse(&world.published(holder, &origin(of)).unwrap().unwrap()).unwrap();
        let keys: BTreeSet<(&str, u32)> = note.signatures.iter().map(|s| (s.name.as_str(), s.id)).collect();
        assert_eq!((keys.len(), note.signatures.len()), (5, 5), "{holder} of {of}:\n{}", note.to_text());
        let times: BTreeSet<u64> = note.signatures.iter().filter_map(cosignature::time).collect();
        assert_eq!(times, [u64::try_from(world.now.0).unwrap()].into(), "{holder} of {of}: the latest");
    }
}

#[test]
fn veto_by_silence_three_of_four_witnesses_are_enough_and_two_are_not() {
    let mut world = World::new();
    world.silent.insert("O1".into());
    let envelope = lodged(&world);
    world.submit("P2", envelope.to_leaf());
    world.settle();
    assert_eq!(world.sizes("P1")[&origin("P2")], 4);
    world.silent.insert("G2".into());
    let statement = {
        let mut s = Statement::parse(&envelope.payload).unwrap();
        s.id = "0193a1b2-c3d4-7e5f-8a9b-000000000002".into();
        (s.seq, s.prev) = (1, Some(envelope.statement_id()));
        s.fields.insert("allegation".into(), FieldValue::Text("A2".into()));
        s
    };
    let second = Envelope::sign(statement.to_payload(), &[&key("P2", "chair")]);
    let ticket = world.submit("P2", second.to_leaf());
    world.settle();
    assert!(matches!(world.answers.get(&ticket), Some(Answer::Logged(_))), "sequencing goes on without quorum");
    assert_eq!(world.sizes("P1")[&origin("P2")], 4, "but nobody rests on it");
    world.silent.clear();
    world.pass(70_000);
    assert_eq!(world.sizes("P1")[&origin("P2")], 6);
    assert_eq!(world.digest("P1"), world.digest("G2"));
}

/// Honest clocks are 30 s off at most: those at both ends of that take each other's cosignatures, and all times are within
/// 30 s of the truth. Whoever is further off is dropped by those who are too far from him, and heard of.
/// A line on which every answer comes after the next round has begun: what it says of the earlier one counts.
#[test]
fn a_log_that_grows_all_the_time_publishes_over_a_slow_line() {
    let mut world = World::new();
    world.slow_ms = 2_500;
    let device = key("P1", "post-07");
    let mut prev = None;
    for seq in 0..12 {
        let mut statement = world.said(1000 + seq);
        statement.source = "p1/post-07".into();
        (statement.act, statement.kind) = (Act::Notify, "outage_notice".into());
        outage(&world.agreement, &mut statement);
        (statement.seq, statement.prev) = (seq, prev);
        let envelope = Envelope::sign(statement.to_payload(), &[&device]);
        prev = Some(envelope.statement_id());
        let ticket = world.submit("P1", envelope.to_leaf());
        world.pass(1_000);
        let answer = &world.answers[&ticket];
        assert!(matches!(answer, Answer::Logged(_)), "{answer:?}");
    }
    let published = world.sizes("P1")[&origin("P1")];
    assert!(published > 8, "while it grows: {published}");
}

#[test]
fn honest_clocks_take_each_others_word_and_others_are_named() {
    let mut world = World::with_clocks([("P1", -30), ("P2", 30), ("G1", -30), ("G2", 30), ("O1", 40)]);
    world.submit("P2", lodged(&world).to_leaf());
    world.settle();
    assert_eq!(world.sizes("P1")[&origin("P2")], 4);
    for name in ["P1", "P2", "G1", "G2"] {
        let node = &world.nodes[name];
        let logs = node.logs_at(&node.heads());
        let n = logs.entries().iter().position(|e| e.statement.kind == "lodged").unwrap();
        let at = logs.logged_at(n, Instant(i64::MAX)).unwrap();
        assert!(at.lo <= START.plus(30) && at.hi >= START.plus(-30), "{name}: {at:?}");
        let named = node.alarms().iter().any(|alarm| alarm == "the clock of O1 is 70 s from ours");
        assert_eq!(named, ["P1", "G1"].contains(&name), "{name}: {:?}", node.alarms());
    }
}

/// A node whose own clock is wrong is told so, gets no quorum, and holds nobody else up.
#[test]
fn a_wrong_clock_of_ones_own_is_not_the_witnesses() {
    let mut world = World::with_clocks([("P2", -61)]);
    let ticket = world.submit("P2", lodged(&world).to_leaf());
    world.settle();
    assert!(matches!(world.answers.get(&ticket), Some(Answer::Logged(_))));
    let alarms = world.nodes["P2"].alarms();
    assert!(alarms.iter().any(|a| a.ends_with("too far from ours: look at this node's own")), "{alarms:?}");
    assert_eq!(world.sizes("P1").get(&origin("P2")), None, "nobody rests on what it logs");
    assert_eq!(world.sizes("P1")[&origin("G1")], 2, "three witnesses besides it are enough");
}

#[test]
fn a_node_that_starts_again_asks_before_it_signs() {
    let mut world = World::new();
    let envelope = lodged(&world);
    world.submit("P2", envelope.to_leaf());
    world.settle();
    world.stop("P2");
    for witness in ["G1", "G2"] {
        world.silent.insert(witness.into());
    }
    world.start("P2");
    let mut statement = Statement::parse(&envelope.payload).unwrap();
    statement.id = "0193a1b2-c3d4-7e5f-8a9b-000000000003".into();
    (statement.seq, statement.prev) = (1, Some(envelope.statement_id()));
    let next = Envelope::sign(statement.to_payload(), &[&key("P2", "chair")]);
    let ticket = world.submit("P2", next.to_leaf());
    world.settle();
    assert_eq!(world.nodes["P2"].status(), &Status::Starting, "two of four have answered");
    assert_eq!(world.answers.get(&ticket), None, "nothing is signed, nobody is told anything");
    world.silent.clear();
    world.settle();
    assert_eq!(world.nodes["P2"].status(), &Status::Running);
    assert!(matches!(world.answers.get(&ticket), Some(Answer::Logged(r)) if r.index == 4));
    world.settle();
    assert_eq!(world.digest("P1"), world.digest("P2"));
}

/// The entries of a log that show another's checkpoint, as P1 holds it: when each was stated.
fn shows(world: &World, log: &str, other: &str) -> Vec<i64> {
    let node = &world.nodes["P1"];
    let logs = node.logs_at(&node.heads());
    let is_of = |note: &FieldValue| matches!(note, FieldValue::Text(text) if text.starts_with(&format!("{other}\n")));
    let shows = |value: Option<&FieldValue>| matches!(value, Some(FieldValue::List(notes)) if notes.iter().any(is_of));
    let entries = logs.entries().iter().filter(|e| *e.origin == *log && e.statement.kind == "checkpoints");
    let found = entries.filter(|e| shows(e.statement.fields.get("notes")));
    found.map(|e| e.statement.stated_at.0 - START.0).collect()
}

#[test]
fn a_dark_log_is_logged_once_by_each_of_the_others_until_it_is_back() {
    let mut world = World::with_clocks([("P1", 0)]);
    world.live(20);
    let dark = origin("P2");
    let others = ["P1", "G1", "G2"];
    world.cut_off("P2");
    let last = world.now;
    let ticket = world.submit("P2", lodged(&world).to_leaf());
    world.live(295);
    for name in others {
        assert!(shows(&world, &origin(name), &dark).is_empty(), "{name}: not yet");
        assert_eq!(world.nodes[name].dark_since(&dark), None, "{name}");
    }
    world.live(10);
    assert!(matches!(world.answers.get(&ticket), Some(Answer::Logged(_))), "its keeper goes on");
    for name in others {
        assert_eq!(shows(&world, &origin(name), &dark), [320], "{name}: 300 s after the last");
        assert_eq!(world.nodes[name].dark_since(&dark), Some(last), "{name}");
        assert_eq!(world.nodes[name].dark_since(&origin("G1")), None, "{name}");
    }
    // It is not said again: not in the same darkness, and not by who starts anew.
    world.stop("G1");
    world.start("G1");
    world.live(400);
    for name in others {
        assert_eq!(shows(&world, &origin(name), &dark).len(), 1, "{name}");
        assert_eq!(world.nodes[name].dark_since(&dark), Some(last), "{name}");
    }
    let logs = world.nodes["P1"].logs_at(&world.nodes["P1"].heads());
    let gaps = logs.gaps(&dark, 300);
    assert_eq!(gaps.iter().map(|g| (g.from, g.to, g.told.len())).collect::<Vec<_>>(), [(last, None, 3)]);
    world.join_again();
    let again = world.now;
    world.live(80);
    for name in others {
        assert_eq!(world.nodes[name].dark_since(&dark), None, "{name}");
        let [_, back] = shows(&world, &origin(name), &dark)[..] else { panic!("{name}") };
        assert!((0..=80).contains(&(START.plus(back).0 - again.0)), "{name}: {back}");
    }
    for name in others.into_iter().chain(["P2"]) {
        let node = &world.nodes[name];
        let logs = node.logs_at(&node.heads());
        let n = logs.entries().iter().position(|e| e.statement.kind == "lodged").unwrap();
        let logged_at = logs.logged_at(n, Instant(i64::MAX)).unwrap();
        assert_eq!(logs.entries()[n].statement.stated_at, last, "{name}: as its author says");
        assert!(logged_at.hi >= again, "{name}: {logged_at:?}, and it cannot look timely");
        let [gap] = &logs.gaps(&dark, 300)[..] else { panic!("{name}: {:?}", logs.gaps(&dark, 300)) };
        assert_eq!((gap.from, gap.told.len()), (last, 3), "{name}");
        assert!(gap.to.is_some_and(|to| to >= again && to <= again.plus(80)), "{name}: {gap:?}");
    }
    // P2 heard nobody, and says of nobody that he was dark.
    for of in others {
        assert!(shows(&world, &dark, &origin(of)).is_empty(), "{of}");
    }
    let written = world.sizes("P1");
    world.live(400);
    assert_eq!(world.sizes("P1"), written, "then nothing more is said");
}

#[test]
fn who_is_cut_off_says_of_nobody_that_he_is_silent() {
    let mut world = World::with_clocks([("P1", 0)]);
    world.live(20);
    assert!(world.nodes["G1"].hears_others("P2"));
    world.cut_off("P2");
    world.live(310);
    assert!(world.nodes["G1"].hears_others("P2"), "it hears P1 and G2");
    world.cut_off("G1");
    world.live(310);
    assert!(!world.nodes["G1"].hears_others("P2"), "it hears nobody");
    world.join_again();
    world.live(70);
    assert!(world.nodes["G1"].hears_others("P2"));
    // What P2 answers says nothing of a line on which P2 is asked.
    world.cut_off("G1");
    world.withheld.remove(&("G1".to_string(), "P2".to_string()));
    world.live(310);
    assert!(world.nodes["G1"].hears_others("P1") && !world.nodes["G1"].hears_others("P2"));
}

/// Who was away himself, or whose clock jumped, tells of nobody's darkness; where time stands still nobody does.
#[test]
fn a_node_that_was_away_makes_nobody_dark() {
    let mut world = World::with_clocks([("P1", 0)]);
    world.live(20);
    world.stop("P1");
    world.live(400);
    world.start("P1");
    world.live(60);
    for of in ["P2", "G1", "G2"] {
        assert!(shows(&world, &origin("P1"), &origin(of)).is_empty(), "{of}");
        assert_eq!(shows(&world, &origin(of), &origin("P1")).len(), 2, "{of} says that P1 was dark, and is back");
    }
    world.ahead_s.insert("P1".into(), 3_600);
    world.live(60);
    assert!(shows(&world, &origin("P1"), &origin("G1")).is_empty());

    let mut world = World::new();
    let before = world.sizes("P1");
    world.cut_off("P2");
    world.now = world.now.plus(400);
    world.pass(400_000);
    assert_eq!((world.sizes("P1"), world.nodes["P1"].dark_since(&origin("P2"))), (before, None));
}

/// P2's disk as it was before its last entries, put back.
fn put_back_an_old_disk(world: &mut World, old: Memory) {
    world.stop("P2");
    let disk = Disk { log: old, ..world.disks["P2"].clone() };
    world.disks.insert("P2".into(), disk);
    world.start("P2");
    world.settle();
}

#[test]
fn old_disk_takes_back_what_the_world_has_seen() {
    let mut world = World::new();
    let old = world.disks["P2"].log.copy();
    let ticket = world.submit("P2", lodged(&world).to_leaf());
    world.settle();
    put_back_an_old_disk(&mut world, old);
    assert_eq!(world.nodes["P2"].status(), &Status::Running);
    assert!(matches!(world.answers.get(&ticket), Some(Answer::Logged(_))));
    assert_eq!(world.sizes("P2"), world.sizes("P1"));
    assert_eq!(world.digest("P1"), world.digest("P2"));
}

/// Who is asked first for what is lost sends other entries: the next one is asked.
#[test]
fn an_old_disk_takes_no_forged_entries_back() {
    let mut world = World::new();
    let old = world.disks["P2"].log.copy();
    world.submit("P2", lodged(&world).to_leaf());
    world.settle();
    let copy = &world.disks["G1"].copies[&origin("P2")];
    for key in copy.list("tile/entries/").unwrap() {
        let (mut bytes, _) = copy.read(&key).unwrap().unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        copy.tamper(&key, bytes);
    }
    put_back_an_old_disk(&mut world, old);
    assert_eq!(world.nodes["P2"].status(), &Status::Running);
    assert_eq!(world.sizes("P2"), world.sizes("P1"));
}

/// The statements of kind `equivocation` that a node holds: who says so, of which log.
fn accusations(world: &World, name: &str) -> Vec<(String, String)> {
    let node = &world.nodes[name];
    let entries = node.logs_at(&node.heads()).entries().to_vec();
    let accused = entries.iter().filter(|e| e.statement.kind == "equivocation").map(|e| {
        let Some(FieldValue::Text(of)) = e.statement.fields.get("origin") else { panic!("{e:?}") };
        (e.statement.party.clone(), of.clone())
    });
    accused.collect()
}

/// P1 shows one witness a larger tree that no proof joins to the last one. As soon as the log that all hold is as long,
/// that witness can prove it, though nobody else was shown the other tree.
#[test]
fn a_tree_that_one_witness_was_shown_is_in_the_record_with_its_proof() {
    let mut world = World::new();
    let size = world.sizes("G1")[&origin("P1")];
    let other = Checkpoint { origin: origin("P1"), size: size + 1, root: [7; 32] }.sign(&key("P1", "log"));
    let answer = world.cosign("G1", witness::request(size, &[[9; 32]], &other)).unwrap();
    assert!(matches!(answer, Cosigning::Unproven(_)), "{answer:?}");
    world.settle();
    assert_eq!(accusations(&world, "G1"), [], "a proof may be spoilt on its way");
    let statement = world.said(1);
    world.submit("P1", Envelope::sign(statement.to_payload(), &[&key("P1", "chair")]).to_leaf());
    world.settle();
    world.settle();
    for name in ["P1", "P2", "G1", "G2"] {
        assert_eq!(accusations(&world, name), [("G1".to_string(), origin("P1"))], "{name}");
    }
}

/// P1 acknowledges in time, in a log of which it signed two trees: on every node that is neither kept nor breached, while
/// what P2 says stands.
#[test]
fn split_view_settles_no_verdict_by_what_its_keeper_says() {
    for (is_shown, expected) in [(false, (State::Kept, vec![])), (true, (State::Disputed, vec!["ack"]))] {
        let mut world = World::new();
        let lodged = lodged(&world);
        world.submit("P2", lodged.to_leaf());
        world.settle();
        if is_shown {
            let size = world.sizes("G1")[&origin("P1")];
            let other = Checkpoint { origin: origin("P1"), size: size + 1, root: [7; 32] }.sign(&key("P1", "log"));
            let answer = world.cosign("G1", witness::request(size, &[[9; 32]], &other)).unwrap();
            assert!(matches!(answer, Cosigning::Unproven(_)), "{answer:?}");
        }
        let mut ack = world.said(1);
        (ack.act, ack.kind) = (Act::Answer, "ack".into());
        ack.refs = vec![Reference { rel: Rel::Answers, id: lodged.statement_id() }];
        ack.fields = BTreeMap::from([("allegation".to_string(), FieldValue::Text("A1".into()))]);
        let ticket = world.submit("P1", Envelope::sign(ack.to_payload(), &[&key("P1", "chair")]).to_leaf());
        world.settle();
        world.settle();
        assert!(matches!(world.answers.get(&ticket), Some(Answer::Logged(_))), "{:?}", world.answers.get(&ticket));
        let later = world.now.plus(4 * 3600);
        for name in ["P1", "P2", "G1", "G2"] {
            let judgment = world.nodes[name].case(later, later).unwrap().judge(&Explain::None).unwrap();
            let verdict = judgment.verdicts.iter().find(|v| v.label == "C14(A1, P1)").unwrap();
            let cited: Vec<&str> = verdict.reasons.disputed.iter().map(|cite| cite.kind.as_str()).collect();
            assert_eq!((verdict.state, cited), expected, "{name}");
            assert_eq!(world.digest(name), world.digest("P2"), "{name}");
        }
    }
}

/// A thief acknowledges with the key of P1's chair. P1 says when its log was still good, and others bear it out: of the
/// acknowledgement nothing more is settled than that it stands there. One other could be P1's friend. At the heads from before
/// that, and as was known before it, every node still finds what it found, whatever it has learned since.
#[test]
fn stolen_key_settles_no_verdict_by_what_it_signed() {
    let kept = (State::Kept, vec![]);
    let disputed = (State::Disputed, vec!["ack"]);
    for (bearing_out, expected) in [(&["G1"][..], kept.clone()), (&["G2", "P2"], disputed)] {
        let mut world = World::new();
        let [old, node] = [key("P1", "chair"), key("P1", "node")];
        let [new, after] = [[1; 32], [2; 32]].map(|seed| SecretKey::from_seed(old.vkey().name(), seed).unwrap());
        let (role, vkey) = (Role::Office, old.vkey().clone());
        let change = |world: &mut World, by: &str, n: u64, change: &KeyChange, keys: &[&SecretKey]| {
            let mut said = world.said(n);
            (said.act, said.kind) = (Act::Record, "key".into());
            (said.party, said.home, said.source) = (by.into(), origin(by), format!("{}/keys/{n}", by.to_lowercase()));
            said.fields = change.to_fields();
            if let KeyChange::Confirmed { revocation, .. } = change {
                said.refs = vec![Reference { rel: Rel::Confirms, id: *revocation }];
            }
            let ticket = world.submit(by, Envelope::sign(said.to_payload(), keys).to_leaf());
            world.settle();
            world.settle();
            match world.answers.get(&ticket) {
                Some(Answer::Logged(receipt)) => receipt.clone(),
                other => panic!("{other:?}"),
            }
        };
        let named = KeyChange::Named { role, old: vkey.clone(), next: new.vkey().hash() };
        let good_size = change(&mut world, "P1", 0x71, &named, &[&old, &node]).index + 1;
        let lodged = lodged(&world);
        world.submit("P2", lodged.to_leaf());
        world.settle();
        let mut ack = world.said(1);
        (ack.act, ack.kind) = (Act::Answer, "ack".into());
        ack.refs = vec![Reference { rel: Rel::Answers, id: lodged.statement_id() }];
        ack.fields = BTreeMap::from([("allegation".to_string(), FieldValue::Text("A1".into()))]);
        world.submit("P1", Envelope::sign(ack.to_payload(), &[&old]).to_leaf());
        world.settle();
        world.settle();

        let asked = world.now.plus(4 * 3600);
        let found = |world: &World, name: &str, heads: &[Head], known_by: Instant| {
            let judgment = world.nodes[name].case_at(heads, asked, known_by).unwrap().judge(&Explain::None).unwrap();
            let verdict = judgment.verdicts.iter().find(|v| v.label == "C14(A1, P1)").unwrap();
            let cited: Vec<String> = verdict.reasons.disputed.iter().map(|cite| cite.kind.clone()).collect();
            ((verdict.state, cited), hex(&judgment.digest()))
        };
        let (before, known_before) = (world.nodes["P2"].heads(), world.now);
        let at_first = found(&world, "P2", &before, asked);
        assert_eq!(at_first.0, (State::Kept, vec![]));

        world.now = world.now.plus(3600);
        let following = Some(Following { new: new.vkey().clone(), next: after.vkey().hash() });
        let revoked = KeyChange::Revoked { role, old: vkey.clone(), good_size, following };
        let revocation = change(&mut world, "P1", 0x72, &revoked, &[&new, &node]).statement_id;
        let borne_out = KeyChange::Confirmed { log: origin("P1"), old: vkey, good_size, revocation };
        for (n, by) in (0x73..).zip(bearing_out) {
            change(&mut world, by, n, &borne_out, &[&key(by, "node")]);
        }
        let now = world.nodes["P2"].heads();
        let one = found(&world, "P2", &now, asked);
        let cited = expected.1.iter().map(|kind| kind.to_string()).collect();
        assert_eq!(one.0, (expected.0, cited), "{bearing_out:?}");
        for name in ["P1", "P2", "G1", "G2"] {
            assert_eq!(found(&world, name, &now, asked), one, "{name}");
            assert_eq!(found(&world, name, &before, asked), at_first, "{name} at the heads from before");
            assert_eq!(found(&world, name, &now, known_before).0, at_first.0, "{name}, as was known before");
        }
        // The thief is out.
        let late = Statement { id: "0193a1b2-c3d4-7e5f-8a9b-0000000000ff".into(), ..ack };
        let ticket = world.submit("P1", Envelope::sign(late.to_payload(), &[&old]).to_leaf());
        world.settle();
        let refused = matches!(&world.answers[&ticket], Answer::Refused(r) if r.reason == Reason::KeyNotInForce);
        assert!(refused, "{:?}", world.answers[&ticket]);
    }
}

/// The node's own key gives way while the node runs: with the next one at hand it goes on with that. After a start it takes
/// what the log says, whichever file that is in; with none of them it does not start.
#[test]
fn the_nodes_own_key_gives_way_while_it_runs() {
    let mut world = World::new();
    let old = key("P1", "node");
    let [new, after] = [[1; 32], [2; 32]].map(|seed| SecretKey::from_seed(old.vkey().name(), seed).unwrap());
    world.stop("P1");
    world.node_keys.insert("P1".into(), vec![old.clone(), new.clone()]);
    world.start("P1");
    world.settle();
    let (role, vkey) = (Role::Node, old.vkey().clone());
    let following = Following { new: new.vkey().clone(), next: after.vkey().hash() };
    let named = KeyChange::Named { role, old: vkey.clone(), next: new.vkey().hash() };
    let replaced = KeyChange::Replaced { role, old: vkey, following };
    for (n, change, keys) in [(0x81, &named, &[&old][..]), (0x82, &replaced, &[&old, &new])] {
        let mut said = world.said(n);
        (said.act, said.kind, said.source) = (Act::Record, "key".into(), format!("p1/keys/{n}"));
        said.fields = change.to_fields();
        let ticket = world.submit("P1", Envelope::sign(said.to_payload(), keys).to_leaf());
        world.settle();
        assert!(matches!(world.answers[&ticket], Answer::Logged(_)), "{:?}", world.answers[&ticket]);
    }
    world.settle();
    // What it says for itself about the time of that entry, it says with the new key.
    let last = |world: &World, name: &str| {
        let logs = world.nodes[name].logs_at(&world.nodes[name].heads());
        let own = logs.entries().iter().rfind(|e| *e.origin == *origin("P1")).unwrap().clone();
        (own.statement.kind.clone(), own.signers[0].keyid.clone())
    };
    assert_eq!(last(&world, "P1"), ("checkpoints".to_string(), new.keyid()));
    assert_eq!(last(&world, "G2"), last(&world, "P1"), "on every mirror alike");
    assert_eq!(world.nodes["P1"].alarms(), &[] as &[String]);
    for at_hand in [vec![new.clone()], vec![old.clone(), new.clone()], vec![new, after, old.clone()]] {
        world.stop("P1");
        world.node_keys.insert("P1".into(), at_hand);
        world.start("P1");
        world.settle();
        assert_eq!(world.nodes["P1"].status(), &Status::Running);
    }
    world.stop("P1");
    let disk = &world.disks["P1"];
    let stores = Stores {
        log: Some(disk.log.clone()),
        witness: Some(disk.witness.clone()),
        mirror: None,
        copies: disk.copies.clone(),
    };
    let refused = Node::open(setup("P1", &world.agreement, &world.leaf), stores).unwrap_err().to_string();
    assert!(refused.contains(&old.keyid()) && refused.contains("expected p1.example/node+"), "{refused}");
}

/// A node on an old disk finds two trees of another log before it has its own entries back. It says so after them: a
/// number that it has used already would make it look like one that equivocates itself.
#[test]
fn what_is_found_on_an_old_disk_is_said_after_what_was_lost() {
    let mut world = World::new();
    let old = world.disks["G1"].log.copy();
    // G1 says something for itself that P1 does not see.
    world.withheld.extend([("G1", "P1"), ("P1", "G1")].map(|(a, b)| (a.to_string(), b.to_string())));
    world.submit("G1", b"no statement".to_vec());
    world.settle();
    let lost = world.sizes("P2")[&origin("G1")];
    world.withheld = ["P2", "G2", "O1"].map(|other| ("G1".to_string(), other.to_string())).into();
    world.stop("G1");
    let disk = Disk { log: old, ..world.disks["G1"].clone() };
    world.disks.insert("G1".into(), disk);
    world.start("G1");
    let size = world.sizes("G1")[&origin("P1")];
    let other = Checkpoint { origin: origin("P1"), size: size + 1, root: [7; 32] }.sign(&key("P1", "log"));
    let answer = world.cosign("G1", witness::request(size, &[[9; 32]], &other)).unwrap();
    assert!(matches!(answer, Cosigning::Unproven(_)), "{answer:?}");
    let statement = world.said(1);
    world.submit("P1", Envelope::sign(statement.to_payload(), &[&key("P1", "chair")]).to_leaf());
    world.settle();
    let alarms = world.nodes["G1"].alarms();
    assert!(alarms.iter().any(|alarm| alarm.contains("different logs to different readers")), "{alarms:?}");
    assert_eq!(world.nodes["G1"].status(), &Status::Starting);
    world.withheld.clear();
    world.settle();
    world.settle();
    assert_eq!(world.nodes["G1"].status(), &Status::Running);
    assert!(lost > 2 && world.sizes("G1")[&origin("G1")] > lost);
    let held = |name: &str| -> Vec<(String, u64, StatementId)> {
        let logs = world.nodes[name].logs_at(&world.nodes[name].heads());
        logs.entries().iter().map(|e| (e.origin.to_string(), e.index, e.statement_id)).collect()
    };
    assert_eq!(held("G1"), held("P2"));
    assert_eq!(accusations(&world, "P2"), [("G1".to_string(), origin("P1"))]);
}

/// A bit that rots in one's own log is not the witnesses' tree: no proof out of it is shown.
#[test]
fn a_rotten_tile_of_ones_own_stops_the_node_and_blames_no_witness() {
    let mut world = World::new();
    world.silent.insert("O1".to_string());
    world.submit("P2", lodged(&world).to_leaf());
    // Until the tiles are in their places.
    world.pass(10_000);
    let log = &world.disks["P2"].log;
    for key in log.list("tile/0/").unwrap() {
        let (mut bytes, _) = log.read(&key).unwrap().unwrap();
        bytes.iter_mut().for_each(|byte| *byte ^= 1);
        log.tamper(&key, bytes);
    }
    // Who was away is to be shown how the log has grown.
    world.silent.clear();
    world.now = world.now.plus(61);
    world.pass(61_000);
    let Status::Stopped(why) = world.nodes["P2"].status() else { panic!("{:?}", world.nodes["P2"].status()) };
    assert!(why.contains("no longer lead to the root that was signed"), "{why}");
    assert!(!world.nodes["P2"].alarms().iter().any(|alarm| alarm.contains("another tree")));
}

/// A bit of our own copy is no proof against its log.
#[test]
fn a_rotten_copy_accuses_nobody() {
    let mut world = World::new();
    let statement = world.said(1);
    world.submit("P1", Envelope::sign(statement.to_payload(), &[&key("P1", "chair")]).to_leaf());
    world.settle();
    let copy = &world.disks["G1"].copies[&origin("P1")];
    for key in copy.list("tile/0/").unwrap() {
        let (mut bytes, _) = copy.read(&key).unwrap().unwrap();
        bytes[0] ^= 1;
        copy.tamper(&key, bytes);
    }
    // The next heartbeat brings new cosignatures on the same size.
    world.now = world.now.plus(61);
    world.pass(61_000);
    let Status::Stopped(why) = world.nodes["G1"].status() else { panic!("{:?}", world.nodes["G1"].status()) };
    assert!(why.contains("our copy of p1.example/hamsaya/1"), "{why}");
    assert_eq!(accusations(&world, "P2"), []);
}

#[test]
fn old_disk_that_is_older_than_any_copy_stops() {
    let mut world = World::new();
    let old = world.disks["P2"].log.copy();
    // Two witnesses see the entry; without quorum nobody copies it.
    world.silent.extend(["G1".to_string(), "G2".to_string()]);
    world.submit("P2", lodged(&world).to_leaf());
    world.settle();
    world.silent.clear();
    put_back_an_old_disk(&mut world, old);
    let Status::Stopped(why) = world.nodes["P2"].status() else { panic!("{:?}", world.nodes["P2"].status()) };
    assert!(why.contains("older than what the world has seen"), "{why}");
}

#[test]
fn a_crash_at_any_write_loses_nothing_that_was_answered() {
    for write in 0..10 {
        for crash in [Crash::Before, Crash::After, Crash::Torn] {
            let mut world = World::new();
            world.disks["P2"].log.crash_at(write, crash);
            let ticket = world.submit("P2", lodged(&world).to_leaf());
            world.settle();
            world.disks["P2"].log.restart();
            world.stop("P2");
            world.start("P2");
            world.settle();
            assert_eq!(world.nodes["P2"].status(), &Status::Running, "write {write} {crash:?}");
            if let Some(Answer::Logged(receipt)) = world.answers.get(&ticket).cloned() {
                let held = world.sizes("P1")[&origin("P2")];
                assert!(held > receipt.index, "write {write} {crash:?}: answered {} held {held}", receipt.index);
            }
            assert_eq!(world.digest("P1"), world.digest("P2"), "write {write} {crash:?}");
        }
    }
}

/// At every write of a commit and of what follows it: no room. Nothing is signed, whoever sends something is told so, and
/// once there is room everything is taken, in the same process.
#[test]
fn a_full_disk_signs_nothing_and_goes_on_when_there_is_room() {
    for write in 0.. {
        let mut world = World::new();
        let disk = world.disks["P2"].log.clone();
        disk.full_at(write);
        let first = lodged(&world).to_leaf();
        let ticket = world.submit("P2", first.clone());
        // Beyond the moment at which tiles are put in their places.
        world.pass(10_000);
        let signed = world.disks["P2"].log.read("lock").unwrap();
        let was_full = disk.is_full();
        if was_full {
            let told = world.submit("P2", first.clone());
            let is_there = matches!(world.answers[&ticket], Answer::Logged(_));
            let paused = matches!(world.answers[&told], Answer::Paused(_));
            assert!(is_there || paused, "write {write}: {:?}", world.answers[&told]);
            assert_eq!(world.nodes["P2"].status(), &Status::Running, "write {write}");
            // Late cosignatures that found no room come again with a heartbeat; nothing waits then.
            let told = world.nodes["P2"].alarms().iter().any(|a| a.contains("no room"));
            assert!(is_there || told, "write {write}");
            world.pass(5_000);
            assert_eq!(world.disks["P2"].log.read("lock").unwrap(), signed, "write {write}: nothing is signed");
            world.digest("P2");
            disk.make_room();
            world.pass(10_000);
            assert_eq!(world.nodes["P2"].alarms(), [""; 0], "write {write}");
        }
        let answered = world.answers[&ticket].clone();
        let again = world.submit("P2", first);
        let Answer::Logged(receipt) = world.answers[&again].clone() else {
            panic!("write {write}: {:?} {:?}", world.answers[&again], world.nodes["P2"].status())
        };
        assert!(receipt.already, "write {write}: what waited is logged, once");
        if let Answer::Logged(first) = answered {
            assert_eq!(first.index, receipt.index, "write {write}");
        }
        world.pass(10_000);
        for name in ["P1", "G1", "G2"] {
            assert_eq!(world.sizes(name), world.sizes("P2"), "write {write}");
            assert_eq!(world.digest(name), world.digest("P2"), "write {write}");
        }
        assert!(world.sizes("P2")[&origin("P2")] > receipt.index, "write {write}: it is published");
        // Every byte that is there fits.
        world.stop("P2");
        world.start("P2");
        world.settle();
        assert_eq!(world.nodes["P2"].status(), &Status::Running, "write {write}");
        if !was_full {
            assert!(write > 8, "a commit and what follows it are more than {write} writes");
            return;
        }
    }
}

#[test]
fn a_full_disk_holds_up_no_other_node() {
    let mut world = World::new();
    let disk = world.disks["P1"].clone();
    disk.witness.full_at(0);
    disk.copies.values().for_each(|copy| copy.full_at(0));
    let ticket = world.submit("P2", lodged(&world).to_leaf());
    world.pass(5_000);
    assert!(matches!(world.answers[&ticket], Answer::Logged(_)), "{:?}", world.answers[&ticket]);
    assert_eq!(world.sizes("G1")[&origin("P2")], 4, "three witnesses are a quorum");
    assert_eq!((world.sizes("P1")[&origin("P2")], world.nodes["P1"].status()), (2, &Status::Running));
    disk.witness.make_room();
    disk.copies.values().for_each(Memory::make_room);
    world.pass(60_000);
    assert_eq!(world.sizes("P1"), world.sizes("P2"));
    assert_eq!(world.digest("P1"), world.digest("P2"));
    let note = Note::parse(&world.published("P1", &origin("P2")).unwrap().unwrap()).unwrap();
    assert_eq!(note.text.lines().nth(1), Some("4"), "readers of the folder are shown it too");
}

#[test]
fn refusals_have_reasons_are_counted_and_told_to_the_record() {
    let mut world = World::new();
    let good = lodged(&world);
    let statement = Statement::parse(&good.payload).unwrap();
    let chair = key("P2", "chair");
    let signed = |s: &Statement| Envelope::sign(s.to_payload(), &[&chair]).to_leaf();
    let with = |change: &dyn Fn(&mut Statement)| {
        let mut s = statement.clone();
        change(&mut s);
        signed(&s)
    };
    let mut forged = good.clone();
    forged.signatures[0].sig[7] ^= 1;
    let cases: Vec<(Vec<u8>, Reason)> = vec![
        (b"{".to_vec(), Reason::BadJson),
        (forged.to_leaf(), Reason::BadSignature),
        (Envelope::sign(good.payload.clone(), &[&key("X9", "chair")]).to_leaf(), Reason::UnknownKey),
        (with(&|s| s.kind = "rumour".into()), Reason::UnknownKind),
        (with(&|s| drop(s.fields.insert("name_of_person".into(), FieldValue::Text("x".into())))), Reason::UnknownField),
        (with(&|s| drop(s.fields.insert("urgency".into(), FieldValue::Text("soonish".into())))), Reason::BadField),
        (with(&|s| s.home = origin("P1")), Reason::WrongHome),
        (with(&|s| s.agreement = [7; 32]), Reason::WrongAgreement),
        (with(&|s| s.party = "P1".into()), Reason::NotAuthor),
        (vec![b' '; 200_000], Reason::TooLarge),
    ];
    let count = cases.len() as u64;
    for (bytes, expected) in cases {
        let ticket = world.submit("P2", bytes);
        let Some(Answer::Refused(refusal)) = world.answers.get(&ticket) else {
            panic!("{expected}: {:?}", world.answers.get(&ticket))
        };
        assert_eq!(refusal.reason, expected, "{refusal}");
        assert!(!refusal.found.is_empty() || !refusal.allowed.is_empty());
    }
    world.settle();
    assert_eq!(world.nodes["P2"].refusals().0, count);
    let told = |world: &World| {
        let logs = world.nodes["P1"].logs_at(&world.nodes["P1"].heads());
        let of_refusals = logs.entries().iter().filter(|e| e.statement.kind == "refusal");
        of_refusals.filter(|e| *e.origin == *origin("P2")).count()
    };
    assert!(told(&world) >= 1, "P1 can read in P2's log what P2 refused");
    // Counted from the log again when the node starts again.
    world.stop("P2");
    world.start("P2");
    assert_eq!(world.nodes["P2"].refusals().0, count);
}

#[test]
fn thousands_of_entries_are_judged_a_few_times() {
    let mut world = World::new();
    let mut prev = None;
    let chair = key("P1", "chair");
    let judged =
        |world: &World| world.hints.iter().filter(|(n, h)| n == "P1" && matches!(h, Hint::Head { .. })).count();
    let before = judged(&world);
    for seq in 0..600 {
        let mut statement = world.said(1000 + seq);
        statement.kind = "nil_report".into();
        statement.occurred_at = None;
        let kind = world.agreement.kinds().iter().find(|k| k.name == "nil_report").unwrap();
        statement.act = Act::from_name(&kind.act).unwrap();
        statement.occurred_at = Some(hamsaya_record::statement::Occurred {
            from: world.now,
            to: world.now,
            precision: hamsaya_record::statement::Precision::Minute,
            edtf: None,
        });
        for (name, wanted) in kind.fields.iter().filter(|(_, wanted)| !wanted.ends_with('?')) {
            let value = match wanted.as_str() {
                "party" => FieldValue::Text("P1".into()),
                "instant" => FieldValue::Text(world.now.to_string()),
                "count" | "duration" => FieldValue::Int(1),
                "bool" => FieldValue::Bool(true),
                _ => FieldValue::Text("x".into()),
            };
            statement.fields.insert(name.clone(), value);
        }
        (statement.seq, statement.prev) = (seq, prev);
        let envelope = Envelope::sign(statement.to_payload(), &[&chair]);
        prev = Some(envelope.statement_id());
        let ticket = world.submit("P1", envelope.to_leaf());
        if let Some(Answer::Refused(refusal)) = world.answers.get(&ticket) {
            panic!("{refusal}");
        }
    }
    world.settle();
    assert_eq!(world.sizes("P2")[&origin("P1")], 603);
    assert_eq!(world.digest("P1"), world.digest("P2"));
    assert!(judged(&world) - before < 20, "a batch is one head");
}

/// P2 shows its log to all but P1: P1 gets it from the others' copies, the same bytes.
#[test]
fn withholding_a_log_from_one_party_withholds_nothing() {
    let mut world = World::new();
    world.withheld.insert(("P1".into(), "P2".into()));
    world.submit("P2", lodged(&world).to_leaf());
    world.pass(30_000);
    assert_eq!(world.sizes("P1")[&origin("P2")], 4);
    assert_eq!(world.sizes("P1"), world.sizes("G1"));
    assert_eq!(world.digest("P1"), world.digest("G1"));
    assert!(
        world.nodes["P1"].logs_at(&world.nodes["P1"].heads()).entries().iter().any(|e| e.statement.kind == "lodged")
    );
}

/// P2 goes on showing P1 the checkpoint of yesterday: P1 asks the others, too, and has what they have.
#[test]
fn withholding_by_an_old_checkpoint_withholds_nothing() {
    let mut world = World::new();
    let old = world.published("P2", &origin("P2")).unwrap().unwrap();
    world.stale.insert(("P1".into(), "P2".into()), old);
    world.submit("P2", lodged(&world).to_leaf());
    world.pass(70_000);
    assert_eq!(world.sizes("G1")[&origin("P2")], 4);
    assert_eq!(world.sizes("P1"), world.sizes("G1"));
    assert_eq!(world.digest("P1"), world.digest("G1"));
}

/// A field that a rule needs cannot be hidden: it is refused where it comes in, and absent where it stands. One that may be
/// left out can be, and is then left out for every judge, whoever was shown it.
#[test]
fn verdicts_split_by_private_data_are_refused() {
    let mut world = World::new();
    let open = Statement::parse(&lodged(&world).payload).unwrap();
    let hide = |field: &str| {
        let mut hidden = open.clone();
        hidden.fields.remove(field).unwrap();
        hidden.salted = vec![[7; 32]];
        (Envelope::sign(hidden.to_payload(), &[&key("P2", "chair")]).to_leaf(), hidden)
    };
    for field in ["allegation", "against", "commitment", "event"] {
        let (bytes, hidden) = hide(field);
        let ticket = world.submit("P2", bytes);
        let Some(Answer::Refused(refusal)) = world.answers.get(&ticket) else { panic!("{field} may be hidden") };
        let found = (refusal.reason, refusal.field.clone());
        assert_eq!(found, (Reason::BadField, format!("predicate.fields.{field}")));
        assert!(world.agreement.fits(&hidden).is_err(), "nor does it count in a copy");
    }
    let ticket = world.submit("P2", hide("urgency").0);
    world.pass(30_000);
    assert!(matches!(world.answers.get(&ticket), Some(Answer::Logged(_))), "{:?}", world.answers.get(&ticket));
    assert_eq!(world.digest("P1"), world.digest("P2"));
    assert_eq!(world.digest("P1"), world.digest("G1"));
}

/// Hundreds of statements that are refused within a minute are one entry, with their number.
#[test]
fn flood_of_refused_statements_is_an_entry_a_minute() {
    let mut world = World::new();
    world.stop("P2");
    world.refusals_s = 60;
    world.start("P2");
    world.settle();
    let before = world.sizes("P2")[&origin("P2")];
    for n in 0..500 {
        world.submit("P2", format!("{{{n}").into_bytes());
        world.pass(10);
    }
    world.pass(65_000);
    let logs = world.nodes["P2"].logs_at(&world.nodes["P2"].heads());
    let told: Vec<_> = logs.entries().iter().filter(|e| e.statement.kind == "refusal").collect();
    assert!((1..=2).contains(&told.len()), "{}", told.len());
    assert_eq!(world.nodes["P2"].refusals().0, 500);
    assert!(world.sizes("P2")[&origin("P2")] <= before + 4, "{:?}", world.sizes("P2"));
}
