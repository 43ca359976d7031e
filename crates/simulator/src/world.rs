//! The world: a row of happenings in order of time, the network between nodes, and what goes wrong.
//!
//! ```text
//! node ──action──► network: lost? cut? late? ──► other node ──answer──► network ──► event at the node
//! ```
//! A question that gets no answer ends in silence after ten seconds, as it does over HTTP. Verdicts are not made when a
//! node asks for them but at a few points, where they are compared.
use crate::author::{Authors, Heard, Said};
use crate::chance::Chance;
use crate::town::{Disk, KEEPERS, NAMES, SKEW_S, START, founding_leaf, has_log, key, origin, setup};
use crate::{Counts, Failure, Options, Outcome, Rule, Sabotage};
use hamsaya_node::node::{Action, Answer, At, Cosigning, Event, News, Node, Receipt, Silence, Status, Ticket};
use hamsaya_record::Instant;
use hamsaya_record::accept::Refusal;
use hamsaya_record::checkpoint::Checkpoint;
use hamsaya_record::merkle::{self, Hash};
use hamsaya_record::statement::StatementId;
use hamsaya_record::store::{Crash, Memory, Store};
use hamsaya_record::tile::Tile;
use hamsaya_record::witness::{self, WitnessAnswer, origin_hash};
use std::collections::{BTreeMap, BTreeSet};

/// A question without an answer ends after so long.
pub(crate) const SILENCE_MS: u64 = 10_000;
/// An author who was not answered sends again after so long.
const RESEND_MS: u64 = 7_000;
/// Trouble ends here.
const HEALING_MS: u64 = 600_000;
/// After healing, newest checkpoints have a quorum by then.
const QUORUM_MS: u64 = 120_000;
/// After healing, all is at rest by then.
const REST_MS: u64 = 300_000;
/// Nothing changed for so long: that is rest.
const CALM_MS: u64 = 30_000;

/// What one node asks of another.
#[derive(Clone, Debug)]
enum Ask {
    Cosign { size: u64, body: Vec<u8> },
    Newest { origin: String },
    Checkpoint { origin: String, etag: Option<String> },
    Entries { origin: String, tiles: Vec<Tile> },
}

impl Ask {
    fn silence(&self, peer: &str) -> Event {
        let (peer, silence) = (peer.to_string(), Silence("nobody answers".into()));
        match self {
            Ask::Cosign { size, .. } => Event::WitnessAnswered { peer, size: *size, answer: Err(silence) },
            Ask::Newest { .. } => Event::NewestSeen { peer, answer: Err(silence) },
            Ask::Checkpoint { origin, .. } => {
                Event::PeerCheckpoint { origin: origin.clone(), peer, answer: Err(silence) }
            }
            Ask::Entries { origin, .. } => Event::PeerEntries { origin: origin.clone(), peer, answer: Err(silence) },
        }
    }
}

/// A question on its way.
#[derive(Clone, Debug)]
struct Letter {
    from: &'static str,
    /// Which run of the sender's process asks: a later one does not want the answer.
    run: u64,
    to: &'static str,
    sent_ms: u64,
    ask: Ask,
}

#[derive(Clone, Debug)]
enum Happening {
    Wake { node: &'static str, run: u64 },
    Arrives(Letter),
    Hears { node: &'static str, run: u64, event: Box<Event> },
    Speaks,
    Sends { said: usize },
    Reaches { said: usize },
    Answered { said: usize, answer: Answer },
    Trouble,
    Mends { cut: (&'static str, &'static str) },
    Dies { node: &'static str },
    Starts { node: &'static str },
    Looks,
    Heals,
    Rests,
}

/// One node's place in the world.
struct Home {
    disk: Disk,
    node: Option<Node<Memory>>,
    /// Counts its processes.
    run: u64,
    started_ms: u64,
    died_ms: u64,
    /// Seconds that its clock is ahead.
    skew_s: i64,
    wake_ms: Option<u64>,
}

/// A statement on its way into a log.
pub(crate) struct Posted {
    pub(crate) said: Said,
    pub(crate) receipt: Option<Receipt>,
    pub(crate) refusal: Option<Refusal>,
}

/// All that there is.
pub(crate) struct World {
    seed: u64,
    pub(crate) options: Options,
    chance: Chance,
    leaf: Vec<u8>,
    now_ms: u64,
    queue: BTreeMap<(u64, u64), Happening>,
    queued: u64,
    homes: BTreeMap<&'static str, Home>,
    /// Who is cut off from whom.
    cuts: BTreeSet<(&'static str, &'static str)>,
    authors: Authors,
    pub(crate) posted: Vec<Posted>,
    heard: Vec<Heard>,
    tickets: BTreeMap<Ticket, usize>,
    next_ticket: Ticket,
    /// By origin and size: roots that a log's key signed.
    pub(crate) signed: BTreeMap<String, BTreeMap<u64, Hash>>,
    /// By origin: when each entry became durable, in milliseconds.
    pub(crate) appended_ms: BTreeMap<String, Vec<u64>>,
    healed: bool,
    /// Sizes of the logs when trouble ended.
    at_healing: BTreeMap<String, u64>,
    quorum_reached: bool,
    calm: Option<(u64, Vec<u64>)>,
    done: bool,
    story: Vec<String>,
    failure: Option<Failure>,
    pub(crate) counts: Counts,
    digest: Option<[u8; 32]>,
}

impl World {
    pub(crate) fn new(seed: u64, options: &Options) -> World {
        let mut world = World {
            seed,
            options: options.clone(),
            chance: Chance::new(seed),
            leaf: founding_leaf(&options.agreement),
            now_ms: 0,
            queue: BTreeMap::new(),
            queued: 0,
            homes: BTreeMap::new(),
            cuts: BTreeSet::new(),
            authors: Authors::default(),
            posted: Vec::new(),
            heard: Vec::new(),
            tickets: BTreeMap::new(),
            next_ticket: 0,
            signed: BTreeMap::new(),
            appended_ms: BTreeMap::new(),
            healed: false,
            at_healing: BTreeMap::new(),
            quorum_reached: false,
            calm: None,
            done: false,
            story: Vec::new(),
            failure: None,
            counts: Counts::default(),
            digest: None,
        };
        for name in NAMES {
            let ahead = i64::try_from(world.chance.below(2 * SKEW_S.unsigned_abs() + 1)).unwrap_or(SKEW_S);
            let home = Home {
                disk: Disk::of(name),
                node: None,
                run: 0,
                started_ms: 0,
                died_ms: 0,
                skew_s: ahead - SKEW_S,
                wake_ms: None,
            };
            world.tell(format!("{name} has a clock that is {:+} s off", home.skew_s));
            world.homes.insert(name, home);
            world.at(0, Happening::Starts { node: name });
        }
        let gap = HEALING_MS / (options.statements + 1);
        for n in 0..options.statements {
            let at = n * gap + world.chance.between(1_000, 2 * gap);
            world.at(at, Happening::Speaks);
        }
        for _ in 0..12 {
            let at = world.chance.below(HEALING_MS - 30_000);
            world.at(at, Happening::Trouble);
        }
        world.at(HEALING_MS / 2, Happening::Looks);
        world.at(HEALING_MS, Happening::Heals);
        world
    }

    /// From the first happening to rest, or to the first rule that does not hold.
    pub(crate) fn play(mut self) -> Outcome {
        while let Some(((at, _), happening)) = self.queue.pop_first() {
            self.now_ms = at;
            self.happen(happening);
            if self.done || self.failure.is_some() {
                break;
            }
        }
        if let Some(failure) = &self.failure {
            self.story.push(format!("{} failure: {failure}", clock(self.now_ms)));
        }
        self.counts.seconds = self.now_ms / 1000;
        Outcome { seed: self.seed, story: self.story, failure: self.failure, counts: self.counts, digest: self.digest }
    }

    fn at(&mut self, ms: u64, happening: Happening) {
        self.queued += 1;
        self.queue.insert((ms.max(self.now_ms), self.queued), happening);
    }

    fn after(&mut self, ms: u64, happening: Happening) {
        self.at(self.now_ms + ms, happening);
    }

    pub(crate) fn tell(&mut self, line: String) {
        self.story.push(format!("{} {line}", clock(self.now_ms)));
    }

    pub(crate) fn fail(&mut self, rule: Rule, what: String) {
        if self.failure.is_none() {
            self.failure = Some(Failure { rule, what });
        }
    }

    /// True time.
    pub(crate) fn now(&self) -> Instant {
        instant(self.now_ms)
    }

    /// Nodes that run and keep logs.
    pub(crate) fn keepers(&self) -> Vec<(&'static str, &Node<Memory>)> {
        KEEPERS.iter().filter_map(|name| Some((*name, self.homes.get(name)?.node.as_ref()?))).collect()
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Wake { node, run } => {
                if let Some(home) = self.homes.get_mut(node).filter(|home| home.run == run) {
                    home.wake_ms = None;
                    self.handle(node, Event::Tick);
                }
            }
            Happening::Arrives(letter) => self.arrives(letter),
            Happening::Hears { node, run, event } => {
                if self.homes.get(node).is_some_and(|home| home.run == run) {
                    self.handle(node, *event);
                }
            }
            Happening::Speaks => self.speaks(),
            Happening::Sends { said } => self.sends(said),
            Happening::Reaches { said } => self.reaches(said),
            Happening::Answered { said, answer } => self.answered(said, answer),
            Happening::Trouble => self.trouble(),
            Happening::Mends { cut } => {
                if self.cuts.remove(&cut) {
                    self.tell(format!("{} and {} reach each other again", cut.0, cut.1));
                }
            }
            Happening::Dies { node } => self.dies(node, "loses power"),
            Happening::Starts { node } => self.starts(node),
            Happening::Looks => {
                self.compare(false);
            }
            Happening::Heals => self.heals(),
            Happening::Rests => self.rests(),
        }
    }

    // --- Processes

    fn starts(&mut self, name: &'static str) {
        let now_ms = self.now_ms;
        let Some(home) = self.homes.get_mut(name).filter(|home| home.node.is_none()) else { return };
        // Whether the machine went down or the process only; what was not durable is then gone or not.
        let machine = self.chance.one_in(2);
        let chance = &mut self.chance;
        for (_, store) in home.disk.all() {
            store.restart_without(|_| machine && chance.one_in(2));
        }
        home.run += 1;
        home.started_ms = now_ms;
        home.wake_ms = None;
        let (first, died_ms) = (home.run == 1, home.died_ms);
        match Node::open(setup(name, &self.options.agreement, &self.leaf), home.disk.stores(name)) {
            Ok(node) => home.node = Some(node),
            Err(error) => return self.fail(Rule::NodesRun, format!("{name} cannot start again: {error}")),
        }
        if !first {
            self.tell(format!("{name} starts again"));
        }
        // A write that was durable when the process died shows only now.
        self.watch(name, died_ms);
        self.handle(name, Event::Tick);
    }

    fn dies(&mut self, name: &'static str, why: &str) {
        let now_ms = self.now_ms;
        let Some(home) = self.homes.get_mut(name).filter(|home| home.node.is_some()) else { return };
        home.node = None;
        home.died_ms = now_ms;
        self.counts.crashes += 1;
        self.tell(format!("{name} {why}"));
        let pause = if self.healed { 1_000 } else { self.chance.between(500, 45_000) };
        self.after(pause, Happening::Starts { node: name });
    }

    /// Gives a node an event, and carries out what it wants done.
    fn handle(&mut self, name: &'static str, event: Event) {
        let now_ms = self.now_ms;
        let Some(home) = self.homes.get_mut(name) else { return };
        let Some(node) = home.node.as_mut() else { return };
        let at = At { now: Some(instant(now_ms).plus(home.skew_s)), elapsed_ms: now_ms - home.started_ms };
        let actions = node.handle(event, at);
        let stopped = match node.status() {
            Status::Stopped(why) => Some(why.clone()),
            Status::Running | Status::Starting => None,
        };
        if home.disk.has_crashed() {
            let stores = home.disk.all();
            let place = stores.iter().find(|(_, store)| store.has_crashed()).map_or("", |(place, _)| place.as_str());
            let why = format!("crashes in a write to {place}");
            // The process is gone before it says anything, or the disk failed and it still says what it has to say.
            if self.chance.one_in(2) {
                self.carry_all(name, actions);
            }
            return self.dies(name, &why);
        }
        self.watch(name, now_ms);
        if let Some(why) = stopped {
            return self.fail(Rule::NodesRun, format!("{name} stopped: {why}"));
        }
        self.carry_all(name, actions);
        self.schedule(name);
    }

    fn schedule(&mut self, name: &'static str) {
        let now_ms = self.now_ms;
        let Some(home) = self.homes.get_mut(name) else { return };
        let Some(wake) = home.node.as_ref().and_then(Node::wake_at) else { return };
        let wake = wake.saturating_add(home.started_ms).max(now_ms + 1);
        if home.wake_ms.is_none_or(|set| wake < set) && wake < u64::MAX / 2 {
            home.wake_ms = Some(wake);
            let run = home.run;
            self.at(wake, Happening::Wake { node: name, run });
        }
    }

    /// Looks at what a log committed: when its entries came, and what its key signed.
    fn watch(&mut self, name: &'static str, at_ms: u64) {
        let Some(home) = self.homes.get(name).filter(|_| has_log(name)) else { return };
        let Ok(Some((lock, _))) = home.disk.log.read("lock") else { return };
        let origin = origin(name);
        let times = self.appended_ms.entry(origin).or_default();
        let Some(checkpoint) = checkpoint_in(&lock) else { return };
        let size = usize::try_from(checkpoint.size).unwrap_or(usize::MAX);
        if size > times.len() {
            times.resize(size, at_ms);
        }
        self.signs(name, &checkpoint);
    }

    fn signs(&mut self, name: &str, checkpoint: &Checkpoint) {
        let sizes = self.signed.entry(checkpoint.origin.clone()).or_default();
        if *sizes.entry(checkpoint.size).or_insert(checkpoint.root) != checkpoint.root {
            self.fail(Rule::OneTree, format!("{name} signed two trees of size {}", checkpoint.size));
        }
    }

    // --- The network

    fn carry_all(&mut self, name: &'static str, actions: Vec<Action>) {
        for action in actions {
            self.carry(name, action);
        }
    }

    fn carry(&mut self, name: &'static str, action: Action) {
        let (peer, ask) = match action {
            Action::Reply { ticket, answer } => {
                if let Some(said) = self.tickets.remove(&ticket) {
                    match self.is_lost() {
                        true => self.counts.lost += 1,
                        false => {
                            let delay = self.delay();
                            self.after(delay, Happening::Answered { said, answer });
                        }
                    }
                }
                return;
            }
            Action::Announce(_) | Action::Judge(_) => return,
            Action::AskWitness { peer, size, body } => {
                let body = self.body(name, &peer, body);
                if let Some(checkpoint) = note_in(&body).and_then(checkpoint_in) {
                    self.signs(name, &checkpoint);
                }
                (peer, Ask::Cosign { size, body })
            }
            Action::AskNewest { peer, origin } => (peer, Ask::Newest { origin }),
            Action::FetchCheckpoint { origin, peer, etag, .. } => (peer, Ask::Checkpoint { origin, etag }),
            Action::FetchEntries { origin, peer, tiles } => (peer, Ask::Entries { origin, tiles }),
        };
        let Some(to) = NAMES.into_iter().find(|n| *n == peer) else { return };
        let run = self.homes.get(name).map_or(0, |home| home.run);
        let letter = Letter { from: name, run, to, sent_ms: self.now_ms, ask };
        if self.is_lost() || self.is_cut(name, to) {
            return self.no_answer(&letter);
        }
        let delay = self.delay();
        // Now and then a question is asked twice over.
        if !self.healed && self.chance.one_in(40) {
            let again = Letter { run: u64::MAX, ..letter.clone() };
            let later = delay + self.delay();
            self.after(later, Happening::Arrives(again));
        }
        self.after(delay, Happening::Arrives(letter));
    }

    fn no_answer(&mut self, letter: &Letter) {
        self.counts.lost += 1;
        let event = Box::new(letter.ask.silence(letter.to));
        self.at(letter.sent_ms + SILENCE_MS, Happening::Hears { node: letter.from, run: letter.run, event });
    }

    fn is_lost(&mut self) -> bool {
        !self.healed && self.chance.one_in(16)
    }

    /// Mostly quick, sometimes so late that others overtake it.
    fn delay(&mut self) -> u64 {
        match !self.healed && self.chance.one_in(12) {
            true => self.chance.between(500, 4_000),
            false => self.chance.between(5, 150),
        }
    }

    fn is_cut(&self, a: &'static str, b: &'static str) -> bool {
        self.cuts.contains(&pair(a, b))
    }

    fn arrives(&mut self, letter: Letter) {
        if self.is_cut(letter.from, letter.to) || self.homes.get(letter.to).is_none_or(|home| home.node.is_none()) {
            return self.no_answer(&letter);
        }
        let Some(event) = self.reply(&letter) else { return self.no_answer(&letter) };
        if self.is_lost() || self.is_cut(letter.from, letter.to) {
            return self.no_answer(&letter);
        }
        let delay = self.delay();
        self.after(delay, Happening::Hears { node: letter.from, run: letter.run, event: Box::new(event) });
    }

    /// What a node answers now; `None`: it fell silent over it.
    fn reply(&mut self, letter: &Letter) -> Option<Event> {
        let peer = letter.to.to_string();
        let disk = self.homes.get(letter.to)?.disk.clone();
        let held = |of: &str| if origin(letter.to) == of { Some(&disk.log) } else { disk.copies.get(of) };
        Some(match &letter.ask {
            Ask::Cosign { size, body } => {
                let answer = self.cosign(letter.to, body.clone())?;
                Event::WitnessAnswered { peer, size: *size, answer: Ok(answer) }
            }
            Ask::Newest { origin } => {
                let note = disk.witness.read(&format!("{}/checkpoint", origin_hash(origin))).ok()?;
                Event::NewestSeen { peer, answer: Ok(note.map(|(bytes, _)| bytes)) }
            }
            Ask::Checkpoint { origin, etag } => {
                let news = match held(origin)?.read("checkpoint").ok()? {
                    None => News::Nothing { held: false },
                    Some((note, _)) => {
                        let name = StatementId::of(&note).to_string();
                        match Some(&name) == etag.as_ref() {
                            true => News::Same { held: false },
                            false => News::Checkpoint { note, etag: Some(name) },
                        }
                    }
                };
                Event::PeerCheckpoint { origin: origin.clone(), peer, answer: Ok(news) }
            }
            Ask::Entries { origin, tiles } => {
                // A tile may be in staging only: the node knows.
                let node = self.homes.get(letter.to)?.node.as_ref()?;
                let bundles = tiles.iter().map(|tile| node.tile(origin, *tile));
                let answer = bundles.collect::<Option<Vec<_>>>().ok_or(Silence("not there".into()));
                Event::PeerEntries { origin: origin.clone(), peer, answer }
            }
        })
    }

    fn cosign(&mut self, name: &'static str, body: Vec<u8>) -> Option<Cosigning> {
        self.next_ticket += 1;
        let (ticket, now_ms) = (self.next_ticket, self.now_ms);
        // The answer is among the actions, which `handle` would carry to an author; so it is taken out first.
        let home = self.homes.get_mut(name)?;
        let node = home.node.as_mut()?;
        let at = At { now: Some(instant(now_ms).plus(home.skew_s)), elapsed_ms: now_ms - home.started_ms };
        let mut answer = None;
        let mut rest = Vec::new();
        for action in node.handle(Event::WitnessAsked { ticket, body }, at) {
            match action {
                Action::Reply { ticket: told, answer: Answer::Witness(said) } if told == ticket => answer = Some(said),
                other => rest.push(other),
            }
        }
        if home.disk.has_crashed() {
            self.dies(name, "crashes in a write to its witness states");
            return None;
        }
        self.watch(name, now_ms);
        self.carry_all(name, rest);
        self.schedule(name);
        Some(match answer? {
            WitnessAnswer::Cosigned(line) => Cosigning::Lines(line.to_line().into_bytes()),
            WitnessAnswer::Conflict { size } => Cosigning::Conflict(size),
            WitnessAnswer::Unproven(why) => Cosigning::Unproven(why),
            other => Cosigning::Refused(format!("{other:?}")),
        })
    }

    /// The body as the node wrote it, unless the node is dishonest.
    fn body(&self, name: &str, peer: &str, body: Vec<u8>) -> Vec<u8> {
        if self.options.sabotage != Some(Sabotage::ShowsTwoTrees(name.into())) || peer != "O1" {
            return body;
        }
        match note_in(&body).and_then(checkpoint_in) {
            Some(checkpoint) if checkpoint.size >= 4 => {
                let other = Checkpoint { root: merkle::leaf_hash(b"another story"), ..checkpoint };
                witness::request(0, &[], &other.sign(&key(name, "log")))
            }
            _ => body,
        }
    }

    // --- Authors

    fn speaks(&mut self) {
        let by = self.chance.pick(&["P1", "P2", "P1", "P2", "G1", "G2"]).copied().unwrap_or("P1");
        let now = self.now().plus(self.homes.get(by).map_or(0, |home| home.skew_s));
        let said = self.authors.say(by, &self.options.agreement, &self.heard, now, &mut self.chance);
        self.tell(format!("{by} {}", said.what));
        self.counts.statements += 1;
        self.posted.push(Posted { said, receipt: None, refusal: None });
        let said = self.posted.len() - 1;
        // A post without a line sends later what it says now.
        let wait = if self.chance.one_in(6) { self.chance.between(20_000, 90_000) } else { 0 };
        self.after(wait, Happening::Sends { said });
    }

    fn sends(&mut self, said: usize) {
        if self.posted.get(said).is_none_or(|p| p.receipt.is_some() || p.refusal.is_some()) {
            return;
        }
        self.after(RESEND_MS, Happening::Sends { said });
        match self.is_lost() {
            true => self.counts.lost += 1,
            false => {
                let delay = self.delay();
                self.after(delay, Happening::Reaches { said });
            }
        }
    }

    fn reaches(&mut self, said: usize) {
        let Some(posted) = self.posted.get(said) else { return };
        let (by, leaf, id) = (posted.said.by.clone(), posted.said.leaf.clone(), posted.said.id);
        let Some(name) = KEEPERS.into_iter().find(|n| *n == by) else { return };
        if self.options.sabotage == Some(Sabotage::Forgets(by)) && said.is_multiple_of(3) {
            let index = self.appended_ms.get(&origin(name)).map_or(0, Vec::len) as u64;
            let leaf_hash = merkle::leaf_hash(&leaf);
            let receipt = Receipt { origin: origin(name), index, leaf_hash, statement_id: id, already: false };
            return self.answered(said, Answer::Logged(receipt));
        }
        self.next_ticket += 1;
        let ticket = self.next_ticket;
        self.tickets.insert(ticket, said);
        self.handle(name, Event::Submitted { ticket, bytes: leaf });
    }

    fn answered(&mut self, said: usize, answer: Answer) {
        let Some(posted) = self.posted.get_mut(said) else { return };
        let (by, kind) = (posted.said.by.clone(), posted.said.statement.kind.clone());
        match answer {
            Answer::Logged(receipt) => match &posted.receipt {
                Some(before) if before.index != receipt.index => {
                    let what = format!("{by} acknowledged one {kind} as entry {} and {}", before.index, receipt.index);
                    self.fail(Rule::AcknowledgedEntriesSurvive, what);
                }
                Some(_) => (),
                None => {
                    let index = receipt.index;
                    let heard = Heard { id: posted.said.id, by: by.clone(), statement: posted.said.statement.clone() };
                    posted.receipt = Some(receipt);
                    self.heard.push(heard);
                    self.counts.logged += 1;
                    self.tell(format!("{by} has logged {kind} as entry {index}"));
                }
            },
            Answer::Refused(refusal) if posted.refusal.is_none() => {
                let reason = refusal.reason;
                posted.refusal = Some(refusal);
                self.counts.refused += 1;
                self.tell(format!("{by} refuses {kind}: {reason}"));
            }
            Answer::Refused(_) | Answer::NoLog | Answer::Paused(_) | Answer::Witness(_) => (),
        }
    }

    // --- Trouble and its end

    fn trouble(&mut self) {
        let Some(name) = self.chance.pick(&NAMES).copied() else { return };
        match self.chance.below(5) {
            0 => {
                let others: Vec<&'static str> = NAMES.into_iter().filter(|n| *n != name).collect();
                let Some(other) = self.chance.pick(&others).copied() else { return };
                self.cut(name, other);
            }
            1 => {
                for other in NAMES.into_iter().filter(|n| *n != name) {
                    self.cut(name, other);
                }
            }
            2 => self.after(0, Happening::Dies { node: name }),
            _ => {
                let crash = if self.chance.one_in(2) { Crash::Before } else { Crash::After };
                let write = self.chance.below(8);
                let store = self.chance.below(4);
                let Some(home) = self.homes.get(name) else { return };
                let copies: Vec<&Memory> = home.disk.copies.values().collect();
                // The own log is where most can go wrong.
                match store {
                    0 => home.disk.witness.crash_at(write, crash),
                    1 => match self.chance.pick(&copies) {
                        Some(copy) => copy.crash_at(write, crash),
                        None => home.disk.witness.crash_at(write, crash),
                    },
                    _ => home.disk.log.crash_at(write, crash),
                }
            }
        }
    }

    fn cut(&mut self, a: &'static str, b: &'static str) {
        let cut = pair(a, b);
        if self.cuts.insert(cut) {
            self.counts.partitions += 1;
            self.tell(format!("{} and {} are cut off from each other", cut.0, cut.1));
        }
        let wait = self.chance.between(5_000, 90_000);
        self.after(wait, Happening::Mends { cut });
    }

    fn heals(&mut self) {
        self.tell("all is mended".into());
        self.healed = true;
        self.cuts.clear();
        for name in NAMES {
            if let Some(home) = self.homes.get(name).filter(|home| home.node.is_some()) {
                // Crashes that did not come do not come any more.
                home.disk.all().iter().for_each(|(_, store)| store.restart());
            }
            self.starts(name);
        }
        self.at_healing = self.sizes();
        self.after(1_000, Happening::Rests);
    }

    /// Entries that each log has committed.
    fn sizes(&self) -> BTreeMap<String, u64> {
        self.appended_ms.iter().map(|(origin, times)| (origin.clone(), times.len() as u64)).collect()
    }

    /// Looks every second whether all is at rest; then the rules are checked.
    fn rests(&mut self) {
        let since_ms = self.now_ms - HEALING_MS;
        let heads: Vec<BTreeMap<String, u64>> = self
            .keepers()
            .iter()
            .map(|(_, node)| node.heads().into_iter().map(|head| (head.origin, head.size)).collect())
            .collect();
        let everywhere = |wanted: &BTreeMap<String, u64>| {
            heads.len() == KEEPERS.len()
                && heads.iter().all(|held| wanted.iter().all(|(o, size)| held.get(o).is_some_and(|h| h >= size)))
        };
        if !self.quorum_reached && everywhere(&self.at_healing) {
            self.quorum_reached = true;
            self.tell(format!("all hold what was logged before, with quorum, {} s after healing", since_ms / 1000));
        }
        if !self.quorum_reached && since_ms > QUORUM_MS {
            let what = format!("after {} s: logs {:?}, published {heads:?}", since_ms / 1000, self.at_healing);
            return self.fail(Rule::QuorumAfterHealing, what);
        }
        let sizes = self.sizes();
        let waiting = self.posted.iter().filter(|p| p.receipt.is_none() && p.refusal.is_none()).count() as u64;
        let spoken = self.counts.statements == self.options.statements;
        let state: Vec<u64> = sizes.values().copied().collect();
        if !(everywhere(&sizes) && waiting == 0 && spoken) {
            self.calm = None;
        } else if self.calm.as_ref().is_none_or(|(_, before)| *before != state) {
            self.calm = Some((self.now_ms, state));
        }
        if self.calm.as_ref().is_some_and(|(since, _)| self.now_ms - since >= CALM_MS) {
            self.counts.rest_s = since_ms / 1000;
            self.tell("all is at rest".into());
            self.counts.entries = sizes.values().sum();
            self.done = true;
            self.check_end();
            self.digest = self.compare(true);
            return;
        }
        if since_ms > REST_MS {
            let (rule, what) = match waiting {
                0 => (Rule::QuorumAfterHealing, format!("no rest: logs {sizes:?}, published {heads:?}")),
                n => (Rule::EveryStatementIsAnswered, format!("{n} statements have no answer")),
            };
            return self.fail(rule, format!("{what} after {} s", since_ms / 1000));
        }
        self.after(1_000, Happening::Rests);
    }
}

fn instant(ms: u64) -> Instant {
    START.plus(i64::try_from(ms / 1000).unwrap_or(i64::MAX))
}

fn pair(a: &'static str, b: &'static str) -> (&'static str, &'static str) {
    if a < b { (a, b) } else { (b, a) }
}

/// `0:01:12.418`
fn clock(ms: u64) -> String {
    let s = ms / 1000;
    format!("{}:{:02}:{:02}.{:03}", s / 3600, s / 60 % 60, s % 60, ms % 1000)
}

/// The checkpoint of an `add-checkpoint` body.
fn note_in(body: &[u8]) -> Option<&[u8]> {
    let at = body.windows(2).position(|w| w == b"\n\n")?;
    body.get(at + 2..)
}

fn checkpoint_in(note: &[u8]) -> Option<Checkpoint> {
    let text = std::str::from_utf8(note).ok()?;
    Checkpoint::parse(text.get(..text.find("\n\n")? + 1)?).ok()
}
