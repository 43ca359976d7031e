//! The network between nodes, and what liars do with it.
//!
//! ```text
//! node ──action──► network: lost? cut? late? twice? ──► other node ──answer──► network ──► event at the node
//! ```
//! A question that gets no answer ends in silence after ten seconds, as it does over HTTP. A liar's process is an honest
//! one: its lies are made on what it sends and on what is answered in its name.
use crate::author::Heard;
use crate::plan::Lie;
use crate::reading::checkpoint_in;
use crate::town::{KEEPERS, NAMES, key, origin, twin, who};
use crate::world::{Happening, Home, Posted, World, instant, note_in};
use crate::{Plant, Rule};
use hamsaya_node::node::{Action, Answer, At, Cosigning, Event, Hint, News, Receipt, Silence};
use hamsaya_record::checkpoint::Checkpoint;
use hamsaya_record::cosignature;
use hamsaya_record::merkle;
use hamsaya_record::note::{Note, NoteSignature};
use hamsaya_record::statement::StatementId;
use hamsaya_record::store::{Memory, Store};
use hamsaya_record::tile::Tile;
use hamsaya_record::witness::{Witness, WitnessAnswer, origin_hash};

/// A question without an answer ends after so long.
pub(crate) const SILENCE_MS: u64 = 10_000;
/// An author who was not answered sends again after so long.
const RESEND_MS: u64 = 7_000;
/// What a lying witness is off.
const FALSE_S: i64 = 3600;

/// What one node asks of another.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
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

/// A question on its way from a process to a member.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    pub(crate) from: &'static str,
    /// Which run of the sender's process asks: a later one does not want the answer.
    run: u64,
    to: &'static str,
    sent_ms: u64,
    ask: Ask,
}

impl World {
    pub(crate) fn carry_all(&mut self, process: &'static str, actions: Vec<Action>) {
        for action in actions {
            self.carry(process, action);
        }
    }

    fn carry(&mut self, process: &'static str, action: Action) {
        let (peer, ask) = match action {
            Action::Reply { ticket, answer } => return self.replies(process, ticket, answer),
            Action::Announce(Hint::Head { .. }) => return self.check_heads(who(process)),
            Action::Announce(_) | Action::Judge(_) => return,
            Action::AskWitness { peer, size, body } => (peer, Ask::Cosign { size, body }),
            Action::AskNewest { peer, origin } => (peer, Ask::Newest { origin }),
            Action::FetchCheckpoint { origin, peer, etag, .. } => (peer, Ask::Checkpoint { origin, etag }),
            Action::FetchEntries { origin, peer, tiles } => (peer, Ask::Entries { origin, tiles }),
        };
        let Some(to) = NAMES.into_iter().find(|n| *n == peer) else { return };
        let run = self.homes.get(process).map_or(0, |home| home.run);
        let letter = Letter { from: process, run, to, sent_ms: self.now_ms, ask };
        if self.has_two_trees(who(process)) {
            match &letter.ask {
                // A liar does not wait for what witnesses remember of it.
                Ask::Newest { .. } => {
                    let event = Box::new(Event::NewestSeen { peer: to.into(), answer: Ok(None) });
                    return self.after(1, Happening::Hears { node: process, run, event });
                }
                Ask::Cosign { .. } if !self.shows(process, to) => return self.no_answer(&letter),
                _ => (),
            }
        }
        if self.is_lost() || self.is_cut(process, to) {
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

    pub(crate) fn is_lost(&mut self) -> bool {
        !self.healed && self.chance.one_in(16)
    }

    /// Mostly quick, sometimes so late that others overtake it.
    pub(crate) fn delay(&mut self) -> u64 {
        match !self.healed && self.chance.one_in(12) {
            true => self.chance.between(500, 4_000),
            false => self.chance.between(5, 150),
        }
    }

    fn is_cut(&self, a: &'static str, b: &'static str) -> bool {
        self.cuts.contains(&pair(who(a), who(b)))
    }

    pub(crate) fn arrives(&mut self, letter: Letter) {
        if self.is_cut(letter.from, letter.to) {
            return self.no_answer(&letter);
        }
        let Some(event) = self.reply(&letter) else { return self.no_answer(&letter) };
        if self.is_lost() || self.is_cut(letter.from, letter.to) {
            return self.no_answer(&letter);
        }
        let delay = self.delay();
        self.after(delay, Happening::Hears { node: letter.from, run: letter.run, event: Box::new(event) });
    }

    /// What is answered now; `None`: nothing.
    fn reply(&mut self, letter: &Letter) -> Option<Event> {
        let (to, from) = (letter.to, who(letter.from));
        let peer = to.to_string();
        if let Ask::Cosign { size, body } = &letter.ask {
            let answer = self.cosigns(to, body.clone())?;
            // A liar does not stop because it was found out.
            let beyond = |n: u64| self.has_two_trees(from) && n > self.lock_of(letter.from).map_or(0, |c| c.size);
            let answer = match answer {
                Cosigning::Conflict(n) if beyond(n) => Cosigning::Refused("it knows the other tree".into()),
                answer => answer,
            };
            return Some(Event::WitnessAnswered { peer, size: *size, answer: Ok(answer) });
        }
        // A member has one witness, whichever tree of its log it shows: more would be another liar beside the plan's.
        let asks_witness = matches!(letter.ask, Ask::Newest { .. });
        let process = if self.has_two_trees(to) && !asks_witness { self.face(to, from) } else { to };
        // The witness of a node that waits for a person goes on.
        let is_there = |home: &&Home| home.node.is_some() || home.given_up && asks_witness;
        let home = self.homes.get(process).filter(is_there)?;
        let disk = home.disk.clone();
        let withheld = |of: &str| of == origin(to) && self.lies(Lie::WithholdsLog) && self.plan.liars.party == Some(to);
        Some(match &letter.ask {
            Ask::Cosign { .. } => return None,
            Ask::Newest { origin } => {
                if self.lies(Lie::WithholdsCosignatures) && self.plan.liars.witness == Some(to) && from != "P2" {
                    return None;
                }
                let note = disk.witness.read(&format!("{}/checkpoint", origin_hash(origin))).ok()?;
                Event::NewestSeen { peer, answer: Ok(note.map(|(bytes, _)| bytes)) }
            }
            Ask::Checkpoint { origin, .. } | Ask::Entries { origin, .. } if withheld(origin) && from != "G2" => {
                return None;
            }
            Ask::Checkpoint { origin, etag } => {
                let news = match disk.held(to, origin)?.read("checkpoint").ok()? {
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
                let node = self.homes.get(process)?.node.as_ref()?;
                let bundles = tiles.iter().map(|tile| node.tile(origin, *tile));
                let mut answer = bundles.collect::<Option<Vec<_>>>().ok_or(Silence("not there".into()));
                if let Ok(bundles) = &mut answer {
                    if self.plan.liars.include(to) && self.lies(Lie::ForgesTiles) && self.chance.one_in(2) {
                        bundles.iter_mut().for_each(|bytes| self.chance.flip(bytes));
                    }
                    self.receives(letter.from, origin, tiles, bundles);
                }
                Event::PeerEntries { origin: origin.clone(), peer, answer }
            }
        })
    }

    /// A planted node keeps entries as they came.
    fn receives(&mut self, by: &'static str, of: &str, tiles: &[Tile], bundles: &[Vec<u8>]) {
        if self.options.plant != Some(Plant::ReadsUnverifiedTile) || by != self.planted {
            return;
        }
        for (tile, bytes) in tiles.iter().zip(bundles) {
            let entries = tile.entries(bytes).unwrap_or_default();
            for (index, entry) in (tile.start()..).zip(entries) {
                self.received.insert((of.to_string(), index), entry.to_vec());
            }
        }
    }

    // --- Witnesses

    /// What a member answers to `add-checkpoint`, and what that says about both.
    fn cosigns(&mut self, name: &'static str, body: Vec<u8>) -> Option<Cosigning> {
        let note = note_in(&body).and_then(|note| Note::parse(note).ok());
        let checkpoint = note.as_ref().and_then(|note| Checkpoint::parse(&note.text).ok());
        let lies = self.plan.liars.witness == Some(name);
        if lies && self.lies(Lie::WithholdsCosignatures) && self.chance.one_in(2) {
            return None;
        }
        let false_s = match lies && self.lies(Lie::FalseTimes) {
            true => self.chance.pick(&[-FALSE_S, 0, FALSE_S]).copied().unwrap_or(0),
            false => 0,
        };
        let planted = self.options.plant.filter(|_| name == self.planted);
        let planted = planted.filter(|p| matches!(p, Plant::WitnessSkipsProof | Plant::WitnessSignsSmaller));
        let careless = match planted {
            Some(Plant::WitnessSkipsProof) => self.has_grown(name, &body, checkpoint.as_ref()),
            Some(_) => true,
            None => lies && self.lies(Lie::SignsAll),
        };
        let at = self.clock_at(name)?;
        let sign = |note: &Note, by_s: i64| {
            let time = u64::try_from(at.now?.plus(by_s).0).ok()?;
            cosignature::sign(&note.text, time, &key(name, "witness")).map(WitnessAnswer::Cosigned)
        };
        // A liar's witness, and that of a log which nobody can go on with, needs no log beside it.
        let alone = planted.is_some() || self.plan.liars.party == Some(name) || self.homes.get(name)?.given_up;
        let mut answer = match &note {
            Some(note) if careless => sign(note, 0)?,
            _ if alone => self.witness_of(name)?.add_checkpoint(&body, at.now?).ok()?,
            _ => self.witness_answer(name, body, at)?,
        };
        if let (WitnessAnswer::Cosigned(line), Some(note), Some(_)) = (&answer, &note, planted) {
            self.keeps(name, note, line.clone());
        }
        if let (WitnessAnswer::Cosigned(_), Some(note), true) = (&answer, &note, false_s != 0) {
            answer = sign(note, false_s)?;
        }
        if let Some(checkpoint) = checkpoint.filter(|_| !lies) {
            self.check_witness(name, &checkpoint, &answer);
        }
        Some(match answer {
            WitnessAnswer::Cosigned(line) => Cosigning::Lines(line.to_line().into_bytes()),
            WitnessAnswer::Conflict { size } => Cosigning::Conflict(size),
            WitnessAnswer::Unproven(why) => Cosigning::Unproven(why),
            other => Cosigning::Refused(format!("{other:?}")),
        })
    }

    /// What the member's node answers.
    fn witness_answer(&mut self, name: &'static str, body: Vec<u8>, at: At) -> Option<WitnessAnswer> {
        self.next_ticket += 1;
        let (ticket, now_ms) = (self.next_ticket, self.now_ms);
        // The answer is among the actions, which `handle` would carry to an author; so it is taken out first.
        let home = self.homes.get_mut(name)?;
        let node = home.node.as_mut()?;
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
        answer
    }

    /// The witness of a member without the node around it.
    fn witness_of(&self, name: &'static str) -> Option<Witness<Memory>> {
        let store = self.homes.get(name)?.disk.witness.clone();
        let logs = KEEPERS.iter().filter(|n| **n != name).map(|n| key(n, "log").vkey().clone());
        Witness::open(store, key(name, "witness"), logs).ok()
    }

    /// A planted witness remembers what it signed last, whatever that was.
    fn keeps(&self, name: &str, note: &Note, line: NoteSignature) {
        let origin = note.text.lines().next().unwrap_or_default();
        let mut kept = note.clone();
        kept.signatures.retain(|s| s.name == origin);
        kept.add(line);
        if let Some(home) = self.homes.get(name) {
            home.disk.witness.tamper(&format!("{}/checkpoint", origin_hash(origin)), kept.to_text().into_bytes());
        }
    }

    /// Whether this request begins where the witness stands and goes beyond: the proof decides.
    fn has_grown(&self, name: &str, body: &[u8], checkpoint: Option<&Checkpoint>) -> bool {
        let Some((home, checkpoint)) = self.homes.get(name).zip(checkpoint) else { return false };
        let at = format!("{}/checkpoint", origin_hash(&checkpoint.origin));
        let held = home.disk.witness.read(&at).ok().flatten().and_then(|(note, _)| checkpoint_in(&note));
        held.is_some_and(|held| {
            body.starts_with(format!("old {}\n", held.size).as_bytes()) && checkpoint.size > held.size
        })
    }

    // --- The liar's two trees

    pub(crate) fn lies(&self, lie: Lie) -> bool {
        self.lies.contains(&lie)
    }

    pub(crate) fn has_two_trees(&self, name: &str) -> bool {
        self.lies(Lie::TwoTrees) && self.plan.liars.party == Some(name)
    }

    /// The process that a member is shown.
    fn face(&self, name: &'static str, to: &str) -> &'static str {
        if self.shown_twin.contains(to) { twin(name) } else { name }
    }

    /// Whether a process of the liar asks this witness: those of its side, who is in with it, and sometimes any.
    fn shows(&mut self, process: &'static str, to: &'static str) -> bool {
        self.face(who(process), to) == process || self.plan.liars.witness == Some(to) || self.chance.one_in(2)
    }

    // --- Authors

    /// Somebody says something: who is given, or anybody.
    pub(crate) fn speaks(&mut self, by: Option<&'static str>) {
        let any = self.chance.pick(&["P1", "P2", "P1", "P2", "G1", "G2"]).copied().unwrap_or("P1");
        let by = by.unwrap_or(any);
        let now = self.now().plus(self.homes.get(by).map_or(0, |home| home.skew_s));
        let forks = self.plan.liars.party == Some(by) && self.chance.one_in(4);
        let said = self.authors.say(by, forks, &self.options.agreement, &self.heard, now, &mut self.chance);
        self.tell(format!("{by} {}{}", said.what, if forks { ", at a number that it used before" } else { "" }));
        self.counts.statements += 1;
        self.posted.push(Posted { said, by, receipt: None, refusal: None, forgiven: false });
        let said = self.posted.len() - 1;
        // A post without a line sends later what it says now.
        let wait = if self.chance.one_in(6) { self.chance.between(20_000, 90_000) } else { 0 };
        self.after(wait, Happening::Sends { said });
    }

    pub(crate) fn sends(&mut self, said: usize) {
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

    pub(crate) fn reaches(&mut self, said: usize) {
        let Some(posted) = self.posted.get(said) else { return };
        let (name, leaf, id) = (posted.by, posted.said.leaf.clone(), posted.said.id);
        let receipt = || {
            let index = self.appended_ms.get(name).map_or(0, Vec::len) as u64;
            let leaf_hash = merkle::leaf_hash(&leaf);
            Receipt { origin: origin(name), index, leaf_hash, statement_id: id, already: false }
        };
        match self.options.plant.filter(|_| name == self.planted) {
            Some(Plant::AcknowledgesWithoutLogging) if said.is_multiple_of(3) => {
                let receipt = receipt();
                return self.acknowledged(said, receipt);
            }
            Some(Plant::AcknowledgesBeforeDurable) => {
                let receipt = receipt();
                self.check_acknowledged(name, &receipt);
            }
            _ => (),
        }
        self.next_ticket += 1;
        let ticket = self.next_ticket;
        self.tickets.insert(ticket, said);
        let second = twin(name);
        let process = if self.homes.contains_key(second) && self.chance.one_in(2) { second } else { name };
        self.handle(process, Event::Submitted { ticket, bytes: leaf });
    }

    /// A node answers an author, who may not hear it.
    fn replies(&mut self, process: &'static str, ticket: u64, answer: Answer) {
        if let Answer::Logged(receipt) = &answer {
            self.check_acknowledged(process, receipt);
        }
        let Some(said) = self.tickets.remove(&ticket) else { return };
        match self.is_lost() {
            true => self.counts.lost += 1,
            false => {
                let delay = self.delay();
                self.after(delay, Happening::Answered { said, answer });
            }
        }
    }

    pub(crate) fn answered(&mut self, said: usize, answer: Answer) {
        let Some(posted) = self.posted.get_mut(said) else { return };
        match answer {
            Answer::Logged(receipt) => self.acknowledged(said, receipt),
            Answer::Refused(refusal) if posted.refusal.is_none() && posted.receipt.is_none() => {
                let (by, kind) = (posted.by, posted.said.statement.kind.clone());
                let line = format!("{by} refuses {kind}: {}", refusal.reason);
                posted.refusal = Some(refusal);
                self.counts.refused += 1;
                self.tell(line);
                if kind == "key" {
                    self.key_refused(by);
                }
            }
            Answer::Refused(_) | Answer::NoLog | Answer::Paused(_) | Answer::Witness(_) => (),
            Answer::NoMirror | Answer::Noted | Answer::Mirror(_) => (),
        }
    }

    fn acknowledged(&mut self, said: usize, receipt: Receipt) {
        let Some(posted) = self.posted.get_mut(said) else { return };
        let (by, kind) = (posted.by, posted.said.statement.kind.clone());
        match &posted.receipt {
            Some(before) if before.index != receipt.index && !posted.forgiven && self.plan.liars.party != Some(by) => {
                let what = format!("{by} acknowledged one {kind} as entry {} and {}", before.index, receipt.index);
                self.fail(Rule::AcknowledgedEntriesSurvive, what);
            }
            Some(_) => (),
            None => {
                let index = receipt.index;
                let heard = Heard { id: posted.said.id, by: by.into(), statement: posted.said.statement.clone() };
                posted.receipt = Some(receipt.clone());
                self.counts.logged += 1;
                self.tell(format!("{by} has logged {kind} as entry {index}"));
                match kind.as_str() {
                    "key" => self.key_logged(by, &heard.statement, &receipt),
                    _ => self.heard.push(heard),
                }
            }
        }
    }

    /// What a process's clock says.
    pub(crate) fn clock_at(&self, process: &str) -> Option<At> {
        let home = self.homes.get(process)?;
        let now = instant(self.now_ms).plus(home.skew_s);
        Some(At { now: Some(now), elapsed_ms: self.now_ms.saturating_sub(home.started_ms) })
    }
}

pub(crate) fn pair(a: &'static str, b: &'static str) -> (&'static str, &'static str) {
    if a < b { (a, b) } else { (b, a) }
}
