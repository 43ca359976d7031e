//! A node's own log: batches, and the witnesses' cosignatures.
//!
//! ```text
//! batch ──► append ──► round: every witness is asked for the newest checkpoint
//!                        │ quorum: published        │ 409: once more from the size it names
//!                        │ no quorum in 2 s: the next round takes the newest again; what is still on its way counts
//!                        └ 422: it holds another tree: never asked again, alarm
//! ```
//! One request is in flight for each witness. A round aims all of them at one checkpoint, since only cosignatures on one
//! size make a quorum. On a slow line a round's answers come after the next has begun: the earlier one is kept, or a log
//! that grows all the time would never publish.
use crate::author::Author;
use crate::config::Pacing;
use crate::held::Held;
use crate::node::{Action, Answer, At, Cosigning, Hint, Node, Receipt, Setup, Silence, Status, Ticket, head_of};
use crate::reads::Day;
use crate::recovery::Recovery;
use hamsaya_record::Instant;
use hamsaya_record::accept::Accepted;
use hamsaya_record::cosignature;
use hamsaya_record::envelope::Envelope;
use hamsaya_record::founding::{Founding, MemberKey, MemberRole};
use hamsaya_record::key::{Role, SecretKey, Vkey};
use hamsaya_record::log::{Log, LogError};
use hamsaya_record::logs::{Entry, Head};
use hamsaya_record::merkle::{self, Hash};
use hamsaya_record::note::{Note, NoteSignature};
use hamsaya_record::policy::Policy;
use hamsaya_record::statement::{FieldValue, StatementId};
use hamsaya_record::store::Store;
use hamsaya_record::tiles::{Fault, TilesError};
use hamsaya_record::witness;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// A batch closes at so many entries.
const BATCH_ENTRIES_MAX: usize = 4_096;
/// A batch closes at so many bytes.
const BATCH_BYTES_MAX: usize = 8 << 20;
/// So many statements wait for the witnesses when a node starts.
const WAITING_MAX: usize = 1_024;
/// Tiles are put in their places so long after the log grew.
pub(crate) const SETTLE_MS: u64 = 5_000;
/// A round without quorum gives way to a newer checkpoint after so long.
const ROUND_MS: u64 = 2_000;
/// So many rounds that gave way may still find their quorum.
const EARLIER_MAX: usize = 8;

/// Whether a day of the read log is in our log.
pub(crate) enum Digested {
    /// It is.
    Stated,
    /// Not, and nothing can be stated now.
    NotYet,
    /// Not: this says it.
    Make(Envelope),
}

/// Waits that double from failure to failure.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BackOff {
    failures: u32,
    pub(crate) until_ms: u64,
}

impl BackOff {
    pub(crate) fn failed(&mut self, at: At, pacing: &Pacing) {
        let wait = pacing.back_off_ms.saturating_mul(1 << self.failures.min(16)).min(pacing.back_off_max_s * 1000);
        self.failures += 1;
        self.until_ms = at.elapsed_ms + wait;
    }

    pub(crate) fn over(&self, at: At) -> bool {
        self.until_ms <= at.elapsed_ms
    }
}

#[derive(Debug)]
struct Waiting {
    leaf: Vec<u8>,
    accepted: Accepted,
    tickets: Vec<Ticket>,
}

/// A question that a witness has not answered yet.
#[derive(Clone, Debug)]
struct Asked {
    note: Note,
    at: Instant,
}

/// A witness of this log.
#[derive(Debug)]
pub(crate) struct Cosigner {
    pub(crate) vkey: Vkey,
    /// What it last cosigned, as far as we know.
    pub(crate) size: u64,
    in_flight: Option<Asked>,
    /// Seconds that its clock was outside of question and answer, when that was too far.
    off_s: Option<i64>,
    /// The last round that it answered.
    answered: u64,
    /// It named another size, and was asked once more.
    again: bool,
    holds_another_tree: bool,
    back_off: BackOff,
}

/// What all witnesses are asked for.
#[derive(Debug)]
struct Round {
    number: u64,
    note: Note,
    size: u64,
    begun_ms: u64,
    begun_at: Option<Instant>,
}

/// A log that this node writes.
#[derive(Debug)]
pub struct Own<S> {
    pub(crate) log: Log<S>,
    pub(crate) held: Held,
    batch: Vec<Waiting>,
    batch_bytes: usize,
    batch_since_ms: u64,
    pub(crate) before_recovery: Vec<(Ticket, Vec<u8>)>,
    /// What the node has to say for itself once the witnesses have answered: until then the next number is not known.
    pub(crate) unsaid: Vec<(String, BTreeMap<String, FieldValue>)>,
    pub(crate) recovery: Option<Recovery>,
    pub(crate) policy: Policy,
    pub(crate) cosigners: BTreeMap<String, Cosigner>,
    round: Option<Round>,
    /// Rounds that gave way without a quorum, oldest first.
    earlier: VecDeque<Round>,
    rounds: u64,
    /// The last published checkpoint before the first untimed entry: it proves that the entry was not there yet.
    before: Option<Note>,
    checkpoints_at_ms: Option<u64>,
    /// A `checkpoints` entry with cosignatures up to this size waits in the batch.
    noted: u64,
    pub(crate) unsettled_since_ms: Option<u64>,
}

impl<S: Store> Own<S> {
    pub(crate) fn new(log: Log<S>, held: Held, policy: Policy, founding: &Founding, setup: &Setup) -> Own<S> {
        let cosigners = policy.counted().into_iter().filter_map(|witness| {
            let key = founding.keys_of(Role::Witness).find(|k| k.vkey == witness.vkey)?;
            let cosigner = Cosigner {
                vkey: witness.vkey.clone(),
                size: 0,
                in_flight: None,
                off_s: None,
                answered: 0,
                again: false,
                holds_another_tree: false,
                back_off: BackOff::default(),
            };
            setup.peers.contains(&key.node).then(|| (key.node.clone(), cosigner))
        });
        Own {
            cosigners: cosigners.collect(),
            log,
            held,
            batch: Vec::new(),
            batch_bytes: 0,
            batch_since_ms: 0,
            before_recovery: Vec::new(),
            unsaid: Vec::new(),
            recovery: None,
            policy,
            round: None,
            earlier: VecDeque::new(),
            rounds: 0,
            before: None,
            checkpoints_at_ms: None,
            noted: 0,
            unsettled_since_ms: None,
        }
    }

    /// Keeps a statement until the witnesses have answered; false if too many wait.
    pub(crate) fn wait(&mut self, ticket: Ticket, bytes: Vec<u8>) -> bool {
        let room = self.before_recovery.len() < WAITING_MAX;
        if room {
            self.before_recovery.push((ticket, bytes));
        }
        room
    }

    /// Puts an accepted statement into the batch. One that is in the log already is answered at once, one that is in the
    /// batch already together with its first copy.
    pub(crate) fn join(
        &mut self,
        accepted: Accepted,
        leaf: Vec<u8>,
        ticket: Option<Ticket>,
        at: At,
    ) -> Result<Option<Receipt>, TilesError> {
        if let Some(index) = accepted.already {
            let waiting = self.batch.iter_mut().find(|w| w.accepted.index == index);
            return match waiting {
                Some(waiting) => {
                    waiting.tickets.extend(ticket);
                    Ok(None)
                }
                None => {
                    let entry = self.log.tiles().entry(index)?.unwrap_or_default();
                    Ok(Some(Receipt {
                        origin: self.log.origin().to_string(),
                        index,
                        leaf_hash: merkle::leaf_hash(&entry),
                        statement_id: accepted.statement_id,
                        already: true,
                    }))
                }
            };
        }
        self.held.acceptance.apply(&accepted);
        if self.batch.is_empty() {
            self.batch_since_ms = at.elapsed_ms;
        }
        self.batch_bytes += leaf.len();
        self.batch.push(Waiting { leaf, accepted, tickets: ticket.into_iter().collect() });
        Ok(None)
    }

    fn batch_closes_at(&self, pacing: &Pacing) -> Option<u64> {
        let full = self.batch.len() >= BATCH_ENTRIES_MAX || self.batch_bytes >= BATCH_BYTES_MAX;
        (!self.batch.is_empty()).then_some(if full { 0 } else { self.batch_since_ms + pacing.batch_ms })
    }

    pub(crate) fn batch_is_due(&self, at: At, pacing: &Pacing) -> bool {
        self.batch_closes_at(pacing).is_some_and(|due| due <= at.elapsed_ms)
    }

    /// Appends the batch; the replies may leave once this returns.
    pub(crate) fn close_batch(&mut self, now: Instant) -> Result<Vec<Action>, LogError> {
        let leaves: Vec<&[u8]> = self.batch.iter().map(|w| w.leaf.as_slice()).collect();
        self.log.append(&leaves, now)?;
        self.batch_bytes = 0;
        let mut replies = Vec::new();
        for waiting in std::mem::take(&mut self.batch) {
            let receipt = Receipt {
                origin: self.log.origin().to_string(),
                index: waiting.accepted.index,
                leaf_hash: merkle::leaf_hash(&waiting.leaf),
                statement_id: waiting.accepted.statement_id,
                already: false,
            };
            for ticket in waiting.tickets {
                replies.push(Action::Reply { ticket, answer: Answer::Logged(receipt.clone()) });
            }
            self.held.push(waiting.accepted, &waiting.leaf);
        }
        Ok(replies)
    }

    /// Everybody who waits for the batch, which itself stays.
    pub(crate) fn tickets(&mut self) -> Vec<Ticket> {
        self.batch.iter_mut().flat_map(|waiting| std::mem::take(&mut waiting.tickets)).collect()
    }

    /// Every witness is asked again for the newest checkpoint.
    pub(crate) fn begin_again(&mut self) {
        self.round = None;
        self.earlier.clear();
    }

    /// Everybody who waits, when nothing will be appended any more.
    pub(crate) fn abandon(&mut self) -> Vec<Ticket> {
        let batch = std::mem::take(&mut self.batch).into_iter().flat_map(|w| w.tickets);
        batch.chain(std::mem::take(&mut self.before_recovery).into_iter().map(|(ticket, _)| ticket)).collect()
    }

    /// When the batch closes, a witness can be asked again, or the next round begins.
    pub(crate) fn wake_at(&self, at: At, pacing: &Pacing, stands_still: bool) -> Option<u64> {
        let round = self.round.as_ref().map(|round| {
            let next = match (self.log.size() > round.size, self.published_size() >= round.size) {
                (true, true) => 0,
                (true, false) => round.begun_ms + ROUND_MS,
                (false, true) if stands_still && round.begun_at == at.now => u64::MAX,
                (false, true) => round.begun_ms + pacing.heartbeat_s * 1000,
                (false, false) => u64::MAX,
            };
            let behind = self
                .cosigners
                .values()
                .filter(|c| c.answered < round.number && c.in_flight.is_none() && !c.holds_another_tree);
            behind.map(|c| c.back_off.until_ms).min().unwrap_or(u64::MAX).min(next)
        });
        [self.batch_closes_at(pacing), round].into_iter().flatten().min()
    }

    fn published_size(&self) -> u64 {
        self.log.published().and_then(head_of).map_or(0, |head| head.size)
    }

    /// Begins the next round if there is something new to cosign, or the heartbeat is due.
    fn next_round(&mut self, at: At, pacing: &Pacing, stands_still: bool) {
        let Some(signed) = self.log.signed() else { return };
        let (size, published) = (self.log.size(), self.published_size());
        let begin = match &self.round {
            None => true,
            Some(round) if size > round.size => published >= round.size || at.elapsed_ms >= round.begun_ms + ROUND_MS,
            // Where time stands still, as in a scenario, the same cosignatures would come again.
            Some(round) => {
                let is_due = at.elapsed_ms >= round.begun_ms + pacing.heartbeat_s * 1000;
                published == size && is_due && !(stands_still && round.begun_at == at.now)
            }
        };
        if begin {
            self.rounds += 1;
            let round =
                Round { number: self.rounds, note: signed.clone(), size, begun_ms: at.elapsed_ms, begun_at: at.now };
            self.earlier.extend(self.round.replace(round).filter(|round| round.size > published));
            if self.earlier.len() > EARLIER_MAX {
                self.earlier.pop_front();
            }
        }
    }

    /// Asks every witness that is free for the round's checkpoint.
    fn requests(&mut self, at: At) -> Result<Vec<Action>, TilesError> {
        let (Some(round), Some(now)) = (&self.round, at.now) else { return Ok(Vec::new()) };
        let mut actions = Vec::new();
        for (peer, cosigner) in &mut self.cosigners {
            let free = cosigner.in_flight.is_none() && !cosigner.holds_another_tree && cosigner.back_off.over(at);
            if !free || cosigner.answered >= round.number {
                continue;
            }
            if cosigner.size > round.size {
                // It has cosigned a newer one in the meantime.
                cosigner.answered = round.number;
                continue;
            }
            let proof = match cosigner.size {
                0 => Vec::new(),
                old => growth(&self.log, old, &round.note)?,
            };
            let body = witness::request(cosigner.size, &proof, &round.note);
            cosigner.in_flight = Some(Asked { note: round.note.clone(), at: now });
            actions.push(Action::AskWitness { peer: peer.clone(), size: round.size, body });
        }
        Ok(actions)
    }

    /// Takes a witness's lines for the checkpoint that it was asked for. `Ok(true)`: the published checkpoint is another.
    fn cosigned(&mut self, peer: &str, lines: &[u8], now: Instant, skew_s_max: Option<i64>) -> Result<bool, LogError> {
        let published = self.published_size();
        let Some(cosigner) = self.cosigners.get_mut(peer) else { return Ok(false) };
        let Some(Asked { note: asked, at: asked_at }) = cosigner.in_flight.take() else { return Ok(false) };
        let Some(head) = head_of(&asked) else { return Ok(false) };
        let line = std::str::from_utf8(lines).unwrap_or("").lines().filter_map(|l| NoteSignature::parse_line(l).ok());
        let mut ours = line.filter(|s| s.names(&cosigner.vkey));
        let found = ours.find_map(|s| Some((cosignature::verify(&asked.text, &s, &cosigner.vkey)?, s)));
        let Some((time, signature)) = found else {
            return Err(LogError::Foreign(format!("{peer} answered without a cosignature that fits")));
        };
        // It signed between the question and the answer, whatever they took on their way.
        let time = i64::try_from(time).unwrap_or(i64::MAX);
        let off_s = time.saturating_sub(now.0).max(asked_at.0.saturating_sub(time)).max(0);
        cosigner.off_s = Some(off_s).filter(|off| skew_s_max.is_some_and(|max| *off > max));
        if cosigner.off_s.is_some() {
            return Err(LogError::Foreign(self.whose_clock(peer, off_s)));
        }
        cosigner.size = cosigner.size.max(head.size);
        cosigner.again = false;
        cosigner.back_off = BackOff::default();
        let mut rounds = self.round.iter_mut().chain(&mut self.earlier);
        if let Some(round) = rounds.find(|r| r.note.text == asked.text) {
            cosigner.answered = round.number;
            round.note.add(signature);
            // One witness, one time in a round: the note stays as short as the policy.
            let cosigners = self.cosigners.values().map(|c| &c.vkey);
            let met: Vec<&Vkey> = cosigners.filter(|key| round.note.signatures.iter().any(|s| s.names(key))).collect();
            if !self.policy.is_quorum(met) {
                return Ok(false);
            }
            let note = round.note.clone();
            self.earlier.retain(|round| round.size > head.size);
            return self.publish(note, head.size, published);
        }
        if head.size == published {
            // Later than the quorum, and worth keeping.
            let mut late = asked;
            late.add(signature);
            return self.publish(late, head.size, published);
        }
        Ok(false)
    }

    /// More witnesses than may lie are off: then it is not theirs.
    fn whose_clock(&self, peer: &str, off_s: i64) -> String {
        let off = self.cosigners.values().filter(|c| c.off_s.is_some()).count();
        match self.policy.numbers() {
            Some(numbers) if off > numbers.f => {
                format!("the clocks of {off} of {} witnesses are too far from ours: look at this node's own", numbers.n)
            }
            _ => format!("the clock of {peer} is {off_s} s from ours"),
        }
    }

    fn publish(&mut self, note: Note, size: u64, published: u64) -> Result<bool, LogError> {
        let before = self.log.published().cloned();
        self.log.publish(&note)?;
        if size > published {
            self.before = before.clone();
        }
        Ok(self.log.published() != before.as_ref())
    }
}

/// Proof that a checkpoint of this log goes on from a smaller size. It is tried before it is shown: a bit that rotted on
/// our own disk would make every witness say, rightly, that it holds another tree.
fn growth<S: Store>(log: &Log<S>, old: u64, note: &Note) -> Result<Vec<Hash>, TilesError> {
    let (tiles, head) = (log.tiles(), head_of(note).ok_or(TilesError::Unknown)?);
    let proof = tiles.prove_consistency(old, head.size)?.unwrap_or_default();
    let leads_there = match old == head.size {
        true => proof.is_empty(),
        false => merkle::verify_consistency(old, &tiles.root_at(old)?, head.size, &head.root, &proof),
    };
    if leads_there {
        return Ok(proof);
    }
    Err(Fault {
        key: "tile".to_string(),
        what: "the tiles no longer lead to the root that was signed".to_string(),
        found: format!("no proof from size {old} to size {}", head.size),
        expected: "what they were when they were read".to_string(),
    }
    .into())
}

impl<S: Store> Node<S> {
    /// An empty log begins with the founding.
    pub(crate) fn log_founding(&mut self) {
        let (Some(now), Some(own)) = (self.at.now, &mut self.own) else { return };
        if own.log.size() > 0 {
            return;
        }
        match own.log.append(&[&self.setup.founding_leaf], now) {
            Ok(_) => own.held.replay(0, &self.setup.founding_leaf),
            Err(error) => self.not_logged(error),
        }
    }

    pub(crate) fn ask_witnesses(&mut self) {
        let (Some(_), Some(own), Status::Running) = (self.at.now, &mut self.own, &self.status) else { return };
        own.next_round(self.at, &self.setup.pacing, self.setup.skew_s_max.is_none());
        match own.requests(self.at) {
            Ok(requests) => self.out.extend(requests),
            Err(error) => self.stop(error.to_string()),
        }
    }

    pub(crate) fn witness_answered(&mut self, peer: &str, size: u64, answer: Result<Cosigning, Silence>) {
        if answer.is_ok() {
            self.heard(peer);
        }
        let (Some(now), Some(own)) = (self.at.now, &mut self.own) else { return };
        let Some(cosigner) = own.cosigners.get_mut(peer) else { return };
        let asked = cosigner.in_flight.as_ref().and_then(|asked| head_of(&asked.note)).map(|head| head.size);
        if asked != Some(size) {
            return;
        }
        let failed = |cosigner: &mut Cosigner, at: At, pacing: &Pacing| {
            cosigner.in_flight = None;
            cosigner.back_off.failed(at, pacing);
        };
        match answer {
            Ok(Cosigning::Lines(lines)) => match own.cosigned(peer, &lines, now, self.setup.skew_s_max) {
                Ok(true) => {
                    let (origin, size) = (own.log.origin().to_string(), own.published_size());
                    self.out.push(Action::Announce(Hint::Head { origin, size }));
                    self.bench.record_changed(self.at);
                }
                Ok(false) => (),
                Err(LogError::Foreign(what)) => {
                    if let Some(cosigner) = own.cosigners.get_mut(peer) {
                        failed(cosigner, self.at, &self.setup.pacing);
                    }
                    self.alarm(what);
                }
                Err(error) => self.not_logged(error),
            },
            Ok(Cosigning::Conflict(theirs)) if !cosigner.again && theirs <= own.log.size() => {
                cosigner.in_flight = None;
                cosigner.size = theirs;
                cosigner.again = true;
            }
            Ok(Cosigning::Conflict(theirs)) if theirs > own.log.size() => {
                self.stop(format!("{peer} cosigned size {theirs} of our log, which has no such size"));
            }
            Ok(Cosigning::Conflict(theirs)) => {
                cosigner.again = false;
                cosigner.size = theirs;
                failed(cosigner, self.at, &self.setup.pacing);
            }
            Ok(Cosigning::Unproven(what)) => {
                cosigner.in_flight = None;
                cosigner.holds_another_tree = true;
                self.alarm(format!("witness {peer} holds another tree: {what}"));
            }
            Ok(Cosigning::Refused(_)) | Err(_) => failed(cosigner, self.at, &self.setup.pacing),
        }
    }

    /// Logs the cosignatures that prove when entries were logged: of this log at once, of another only if its keeper has
    /// not done so for long. Entries about checkpoints need no proof of their own, or this would never come to rest.
    pub(crate) fn log_checkpoints(&mut self) {
        let due = self.checkpoints_due_at().is_some_and(|due| due <= self.at.elapsed_ms);
        let (Some(_), Some(own), Status::Running, true) = (self.at.now, &self.own, &self.status, due) else { return };
        let published = own.published_size();
        let mut notes: Vec<Note> = Vec::new();
        if self.has_untimed(own) {
            notes.extend(own.before.clone());
            notes.extend(own.log.published().cloned());
        }
        let vouch = self.setup.pacing.vouch_s * 1000;
        let late = self.copies.values().filter(|c| c.untimed_since_ms.is_some_and(|t| self.at.elapsed_ms >= t + vouch));
        notes.extend(late.filter_map(|copy| copy.follower.checkpoint().cloned()));
        let texts = notes.iter().map(|note| FieldValue::Text(note.to_text())).collect();
        let at_ms = self.at.elapsed_ms;
        self.say("checkpoints", BTreeMap::from([("notes".to_string(), FieldValue::List(texts))]));
        for copy in self.copies.values_mut() {
            copy.untimed_since_ms = None;
        }
        if let Some(own) = &mut self.own {
            own.checkpoints_at_ms = Some(at_ms);
            own.noted = own.noted.max(published);
            own.before = None;
        }
    }

    /// Whether published entries of this log, other than those about checkpoints, have no proven time yet.
    fn has_untimed(&self, own: &Own<S>) -> bool {
        let timed = self.timed.size(&self.founding, own.log.origin()).max(own.noted);
        own.held.first_plain_from(timed).is_some_and(|first| first < own.published_size())
    }

    /// When the next `checkpoints` entry is due, if one is.
    pub(crate) fn checkpoints_due_at(&self) -> Option<u64> {
        let own = self.own.as_ref()?;
        let vouch = self.setup.pacing.vouch_s * 1000;
        let vouched = self.copies.values().filter_map(|copy| Some(copy.untimed_since_ms? + vouch)).min();
        let due = if self.has_untimed(own) { Some(0) } else { vouched }?;
        Some(due.max(own.checkpoints_at_ms.map_or(0, |last| last + self.setup.pacing.checkpoints_s * 1000)))
    }

    /// States something for the node itself, in its own log; what is found out while it asks the witnesses waits for them.
    pub(crate) fn say(&mut self, kind: &str, fields: BTreeMap<String, FieldValue>) {
        if let (Status::Starting, Some(own)) = (&self.status, &mut self.own) {
            own.unsaid.push((kind.to_string(), fields));
            return;
        }
        let Some(envelope) = self.stated(kind, fields) else { return };
        let Some(own) = &mut self.own else { return };
        let joined = own
            .held
            .acceptance
            .check(&envelope)
            .map_err(|e| e.to_string())
            .and_then(|accepted| own.join(accepted, envelope.to_leaf(), None, self.at).map_err(|e| e.to_string()));
        if let Err(error) = joined {
            self.alarm(format!("a `{kind}` of our own was not accepted: {error}"));
        }
    }

    /// A statement by the node's own key, signed; appended nowhere.
    pub fn stated(&self, kind: &str, fields: BTreeMap<String, FieldValue>) -> Option<Envelope> {
        let (now, own) = (self.at.now?, self.own.as_ref()?);
        let seen = self.copies.values().filter_map(|copy| copy.follower.checkpoint()).filter_map(head_of).collect();
        Some(self.author(own, seen).state(kind, fields, now))
    }

    /// The statement that ends a day of the read log, to be submitted; what a day was is stated once.
    pub(crate) fn read_digest(&self, day: &Day) -> Digested {
        let (Some(now), Some(own)) = (self.at.now, self.own.as_ref()) else { return Digested::NotYet };
        let end = FieldValue::Text(day.end.to_string());
        let same = |e: &&Arc<Entry>| e.statement.kind == "read_digest" && e.statement.fields.get("day") == Some(&end);
        if own.held.entries().iter().rev().any(|e| same(&e)) {
            return Digested::Stated;
        }
        if self.status != Status::Running {
            return Digested::NotYet;
        }
        let reads = FieldValue::Int(i64::try_from(day.reads).unwrap_or(i64::MAX));
        let fields = [("day", end), ("reads", reads), ("head", FieldValue::Text(day.head.clone()))];
        let author = self.author(own, Vec::new());
        let fields = fields.into_iter().map(|(k, v)| (k.to_string(), v)).collect();
        Digested::Make(author.state_day("read_digest", "reads", day.end, fields, now))
    }

    /// What the log says of days of the read log.
    pub(crate) fn read_digests(&self) -> Vec<Day> {
        let entries = self.own.iter().flat_map(|own| own.held.entries()).filter(|e| e.statement.kind == "read_digest");
        let day = |entry: &Arc<Entry>| {
            let fields = &entry.statement.fields;
            match (fields.get("day")?, fields.get("reads")?, fields.get("head")?) {
                (FieldValue::Text(end), FieldValue::Int(reads), FieldValue::Text(head)) => {
                    Some(Day { end: end.parse().ok()?, reads: u64::try_from(*reads).ok()?, head: head.clone() })
                }
                _ => None,
            }
        };
        entries.filter_map(day).collect()
    }

    /// The key with which it states something, and signs what it asks of others.
    pub(crate) fn node_key(&self) -> &SecretKey {
        let counts = self.own.as_ref().and_then(|own| self.setup.keys.node_for(&own.held.acceptance));
        // If none counts, a statement is refused, and the refusal says which was found.
        counts.unwrap_or(&self.setup.keys.node)
    }

    /// A key that a member's log, or the founding for who keeps none, says is in force.
    pub(crate) fn key_in_force(&self, keyid: &str) -> Option<MemberKey> {
        for held in self.all_held().values() {
            let acceptance = &held.acceptance;
            let keeper = self.founding.keeper(acceptance.origin()).map(|m| m.name.as_str());
            let key = acceptance.keyring().in_force(keyid, acceptance.size());
            if let Some(key) = key.filter(|key| Some(key.node.as_str()) == keeper) {
                return Some(key.clone());
            }
        }
        let keeps_none = |key: &&MemberKey| self.founding.member(&key.node).is_some_and(|m| m.origin.is_none());
        self.founding.keys().iter().filter(keeps_none).find(|key| key.vkey.keyid() == keyid).cloned()
    }

    fn author<'a>(&'a self, own: &'a Own<S>, seen: Vec<Head>) -> Author<'a> {
        Author { acceptance: &own.held.acceptance, key: self.node_key(), name: &self.setup.name, seen }
    }

    /// Number of the next statement of a source of this member, and the last one's id.
    pub(crate) fn next_of(&self, source: &str) -> Option<(u64, Option<StatementId>)> {
        Some(self.own.as_ref()?.held.acceptance.next_of(&self.setup.name, source))
    }

    /// Whether it keeps no log.
    pub fn is_witness_only(&self) -> bool {
        self.role == MemberRole::Witness
    }
}
