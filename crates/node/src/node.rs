//! One node without sockets, files, clocks or threads: events in, actions out.
//!
//! ```text
//! Submitted{ticket, bytes} ──► check ──► batch ──► durable append ──► Reply{ticket, Logged{index}}
//!                                                     │
//!                       AskWitness ◄── newest checkpoint ──► at quorum: published, `checkpoints` entry, others pull
//! PeerCheckpoint, PeerEntries ──► verified copies ──► Judge{logs, as_of} ──► Judged ──► changes, Announce
//! ```
//! Whoever drives it brings the time of each event and carries out the actions: the shell with HTTP and a folder, the
//! simulator with messages and memory. The same code runs in both.
//!
//! Nothing is acknowledged before it is durable, nothing is signed before enough witnesses said what they last saw of this
//! log. A disk that is full is waited for; after any other write that failed nothing more is done at all: the process stops
//! and reads everything again.
use crate::bench::Bench;
use crate::config::Pacing;
use crate::copies::Copy;
use crate::held::{Held, Timed};
use crate::own::{Own, SETTLE_MS};
use crate::recovery::Recovery;
use crate::refusals::Refusals;
use crate::room::Full;
use hamsaya_agreement::{Agreement, Change, JudgeError, Judgment, Misfit, Verdict};
use hamsaya_record::Instant;
use hamsaya_record::accept::{Acceptance, Reason, Refusal};
use hamsaya_record::attempt::Attempt;
use hamsaya_record::checkpoint::Checkpoint;
use hamsaya_record::envelope::Envelope;
use hamsaya_record::follower::Follower;
use hamsaya_record::founding::{Founding, MemberRole};
use hamsaya_record::key::{Role, SecretKey};
use hamsaya_record::log::Log;
use hamsaya_record::logs::{Head, Logs};
use hamsaya_record::merkle::Hash;
use hamsaya_record::mirror::{Mirror, MirrorAnswer};
use hamsaya_record::note::Note;
use hamsaya_record::statement::{Rel, Statement, StatementId};
use hamsaya_record::store::Store;
use hamsaya_record::tile::Tile;
use hamsaya_record::tiles::TilesError;
use hamsaya_record::witness::{Witness, WitnessAnswer};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Who is waiting for an answer; the driver's number.
pub type Ticket = u64;

/// When an event happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct At {
    /// By the clock that stamps; `None`: a scenario's clock that was not set yet, and nothing is stamped.
    pub now: Option<Instant>,
    /// Milliseconds since the node started, which only pace it.
    pub elapsed_ms: u64,
}

/// What happens to a node.
#[derive(Clone, Debug)]
pub enum Event {
    /// Time passed.
    Tick,
    /// Somebody sent a statement.
    Submitted {
        /// Who waits.
        ticket: Ticket,
        /// The envelope as it came.
        bytes: Vec<u8>,
    },
    /// Somebody sent more bytes than are read.
    Overlong {
        /// Who waits.
        ticket: Ticket,
    },
    /// A log asks for a cosignature.
    WitnessAsked {
        /// Who waits.
        ticket: Ticket,
        /// Body of `add-checkpoint`.
        body: Vec<u8>,
    },
    /// Somebody brings this node's mirror a checkpoint, or entries up to one.
    MirrorAsked {
        /// Who waits.
        ticket: Ticket,
        /// What it is.
        brought: Brought,
        /// Body of `add-checkpoint` or `add-entries`.
        body: Vec<u8>,
    },
    /// What a witness says to our checkpoint.
    WitnessAnswered {
        /// Which.
        peer: String,
        /// Size of the checkpoint that it was asked for.
        size: u64,
        /// What it said.
        answer: Result<Cosigning, Silence>,
    },
    /// What a witness last saw of our log; `None`: nothing.
    NewestSeen {
        /// Which.
        peer: String,
        /// The note.
        answer: Result<Option<Vec<u8>>, Silence>,
    },
    /// A log's published checkpoint.
    PeerCheckpoint {
        /// Which log.
        origin: String,
        /// Who was asked.
        peer: String,
        /// What came.
        answer: Result<News, Silence>,
    },
    /// Bundles of a log's entries, in the order asked for.
    PeerEntries {
        /// Which log.
        origin: String,
        /// Who was asked.
        peer: String,
        /// What came.
        answer: Result<Vec<Vec<u8>>, Silence>,
    },
    /// What became of bringing another's log to a member's mirror.
    Attempted(Attempt),
    /// A judgment that was asked for, with what changed since the last one.
    Judged(Box<Result<(Arc<Judgment>, Vec<Change>), JudgeError>>),
}

/// What a mirror is brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Brought {
    /// A checkpoint, with a proof that it goes on from the last.
    Checkpoint,
    /// Entries up to a checkpoint that was brought before.
    Entries,
}

/// What a node wants done.
#[derive(Clone, Debug)]
pub enum Action {
    /// Tell whoever waits.
    Reply {
        /// Who waits.
        ticket: Ticket,
        /// What to say.
        answer: Answer,
    },
    /// Ask a witness to cosign.
    AskWitness {
        /// Which.
        peer: String,
        /// Size of the checkpoint in the body.
        size: u64,
        /// Body of `add-checkpoint`.
        body: Vec<u8>,
    },
    /// Ask a witness what it last saw of our log.
    AskNewest {
        /// Which.
        peer: String,
        /// Our log.
        origin: String,
    },
    /// Ask for a log's published checkpoint, from its keeper or from another who holds a copy.
    FetchCheckpoint {
        /// Which log.
        origin: String,
        /// Whom to ask.
        peer: String,
        /// What this peer last gave, as it names it: only something else is news.
        etag: Option<String>,
        /// The answer may wait so long for news.
        hold_ms: u64,
    },
    /// Ask for bundles of a log's entries.
    FetchEntries {
        /// Which log.
        origin: String,
        /// Whom to ask.
        peer: String,
        /// Which bundles; a full one may stand for a partial one.
        tiles: Vec<Tile>,
    },
    /// Judge, away from here.
    Judge(Case),
    /// Tell whoever listens.
    Announce(Hint),
}

/// A record to be judged.
#[derive(Clone, Debug)]
pub struct Case {
    /// By what.
    pub agreement: Arc<Agreement>,
    /// What.
    pub logs: Arc<Logs>,
    /// As of when.
    pub as_of: Instant,
    /// By what was known when.
    pub known_by: Instant,
    /// The judgment before it, if what changed since then is asked for.
    pub before: Option<Earlier>,
}

/// A judgment with what it was made from.
#[derive(Clone, Debug)]
pub struct Earlier {
    /// What was judged.
    pub logs: Arc<Logs>,
    /// How.
    pub judgment: Arc<Judgment>,
}

/// Which verdicts are explained. Finding reasons costs far more than judging.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Explain {
    /// None is: judgment alone.
    None,
    /// Those with these labels.
    Only(BTreeSet<String>),
    /// Every one.
    All,
}

impl Explain {
    pub(crate) fn wants(&self, verdict: &Verdict) -> bool {
        match self {
            Explain::None => false,
            Explain::Only(labels) => labels.contains(&verdict.label),
            Explain::All => true,
        }
    }

    /// Whether a judgment explained so far says all that `other` asks for.
    pub(crate) fn covers(&self, other: &Explain) -> bool {
        match (self, other) {
            (Explain::All, _) | (_, Explain::None) => true,
            (Explain::Only(held), Explain::Only(asked)) => held.is_superset(asked),
            _ => false,
        }
    }
}

impl Case {
    /// Judges it. The digest is the same whatever is explained.
    pub fn judge(&self, explain: &Explain) -> Result<Judgment, JudgeError> {
        let wanted = |verdict: &Verdict| explain.wants(verdict);
        hamsaya_agreement::judge_explaining(&self.agreement, &self.logs, self.as_of, self.known_by, wanted)
    }

    /// The case that was judged before this one.
    pub(crate) fn earlier(&self) -> Option<Case> {
        let Earlier { logs, judgment } = self.before.clone()?;
        let (as_of, known_by) = (judgment.as_of, judgment.known_by);
        Some(Case { agreement: self.agreement.clone(), logs, as_of, known_by, before: None })
    }
}

/// What whoever waits is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is in the log, durably.
    Logged(Receipt),
    /// It is not evidence, for this reason.
    Refused(Refusal),
    /// This node keeps no log.
    NoLog,
    /// Not now.
    Paused(String),
    /// What the witness says.
    Witness(WitnessAnswer),
    /// This node mirrors nothing.
    NoMirror,
    /// The mirror has noted a checkpoint.
    Noted,
    /// What the mirror says to entries.
    Mirror(MirrorAnswer),
}

/// Where a statement stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Log.
    pub origin: String,
    /// Place in it.
    pub index: u64,
    /// Hash of the entry in the tree.
    pub leaf_hash: Hash,
    /// SHA-256 of the payload.
    pub statement_id: StatementId,
    /// It was there before.
    pub already: bool,
}

/// What a witness answers to `add-checkpoint`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cosigning {
    /// Its lines.
    Lines(Vec<u8>),
    /// It last cosigned another size.
    Conflict(u64),
    /// It holds another tree.
    Unproven(String),
    /// It will not, for another reason.
    Refused(String),
}

/// What a question for a checkpoint brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Nothing new. True if the peer held the question as long as it was asked to.
    Same {
        /// The peer waited before it said so.
        held: bool,
    },
    /// Nothing is published there.
    Nothing {
        /// The peer waited before it said so.
        held: bool,
    },
    /// A checkpoint.
    Checkpoint {
        /// The note.
        note: Vec<u8>,
        /// The peer's name for these bytes.
        etag: Option<String>,
    },
}

/// No usable answer, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silence(pub String);

/// Something that whoever listens may want to fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hint {
    /// A log has another published checkpoint, or our own has other entries.
    Head {
        /// Which.
        origin: String,
        /// Its size.
        size: u64,
    },
    /// Verdicts changed.
    Verdict {
        /// Whose, by label.
        labels: Vec<String>,
    },
    /// The clock was moved.
    Clock {
        /// To.
        now: Instant,
    },
}

/// Whether a node does its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It does.
    Running,
    /// It asks the witnesses what they last saw of its log; until enough have answered it signs nothing.
    Starting,
    /// It stopped, for this reason; start the process again.
    Stopped(String),
}

/// Secret keys that a node works with. Those of offices and devices are not its own.
#[derive(Clone, Debug)]
pub struct Keys {
    /// Signs checkpoints; absent for a witness.
    pub log: Option<SecretKey>,
    /// Cosigns.
    pub witness: SecretKey,
    /// Signs that entries of the others' logs are held; absent where none was founded.
    pub mirror: Option<SecretKey>,
    /// Signs what the node itself states.
    pub node: SecretKey,
    /// The one after it, and those before: its log says which counts, and an old disk may say another.
    pub other_nodes: Vec<SecretKey>,
}

impl Keys {
    /// The key with which the node states the next entry of its log; `None`: the log knows another.
    pub(crate) fn node_for(&self, acceptance: &Acceptance) -> Option<&SecretKey> {
        let counts = |key: &&SecretKey| acceptance.keyring().in_force(&key.keyid(), acceptance.size()).is_some();
        [&self.node].into_iter().chain(&self.other_nodes).find(counts)
    }
}

/// Who a node is.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Its name in the founding.
    pub name: String,
    /// Its keys.
    pub keys: Keys,
    /// Entry 0 of every log.
    pub founding_leaf: Vec<u8>,
    /// What it judges by; absent for a witness.
    pub agreement: Option<Arc<Agreement>>,
    /// How fast it goes.
    pub pacing: Pacing,
    /// Names of the nodes that it can reach.
    pub peers: Vec<String>,
    /// A cosignature this far from our clock is dropped; `None`: none is.
    pub skew_s_max: Option<i64>,
    /// Whether the agreement's roles.toml is asked who may state what. A world of whose offices only the chair has a key
    /// does without.
    pub rights: bool,
}

/// Where a node keeps its bytes.
#[derive(Clone, Debug, Default)]
pub struct Stores<S> {
    /// Its own log; absent for a witness.
    pub log: Option<S>,
    /// States of the logs that it witnesses.
    pub witness: Option<S>,
    /// What its mirror was told and signed; needed if it has a mirror's key.
    pub mirror: Option<S>,
    /// Copies of the other logs, by origin.
    pub copies: BTreeMap<String, S>,
}

/// Why a node cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A store that is held by another, or bytes that do not fit.
    #[error("{place}: {error}")]
    Tiles {
        /// Which log or state.
        place: String,
        /// Why.
        error: TilesError,
    },
    /// The founding is not one, or not this node's.
    #[error("founding: {0}")]
    Founding(Refusal),
    /// The agreement is not the one founded.
    #[error(
        "the founding names agreement {founded}, the folder holds {found}\nhint: put back the agreement as it was signed"
    )]
    OtherAgreement {
        /// Hex of what was founded.
        founded: String,
        /// Hex of what was given.
        found: String,
    },
    /// A key, store or name that the founding asks for is missing, or is another.
    #[error("found {found}, expected {expected}")]
    Misfit {
        /// What was found.
        found: String,
        /// What the founding says.
        expected: String,
    },
    /// A log whose first entry is not the founding.
    #[error("{0}: entry 0 is not the founding of this folder")]
    OtherFounding(String),
}

/// One node.
#[derive(Debug)]
pub struct Node<S> {
    pub(crate) setup: Setup,
    pub(crate) role: MemberRole,
    pub(crate) founding: Arc<Founding>,
    pub(crate) at: At,
    pub(crate) status: Status,
    pub(crate) own: Option<Own<S>>,
    pub(crate) copies: BTreeMap<String, Copy<S>>,
    pub(crate) witness: Witness<S>,
    pub(crate) mirror: Option<Mirror<S>>,
    pub(crate) bench: Bench,
    pub(crate) refusals: Refusals,
    /// When a peer last answered.
    pub(crate) seen_at: BTreeMap<String, Instant>,
    /// The same by the clock that paces.
    pub(crate) heard_ms: BTreeMap<String, u64>,
    pub(crate) timed: Timed,
    pub(crate) alarms: Vec<String>,
    pub(crate) full: Option<Full>,
    pub(crate) out: Vec<Action>,
}

impl<S: Store> Node<S> {
    /// Opens a node: reads and checks every byte of its stores.
    pub fn open(mut setup: Setup, stores: Stores<S>) -> Result<Node<S>, OpenError> {
        let founding = Arc::new(Founding::from_leaf(&setup.founding_leaf).map_err(OpenError::Founding)?);
        let role = check_identity(&setup, &founding)?;
        if role == MemberRole::Witness {
            // It sees no entries, so it judges nothing, even if it keeps the text.
            setup.agreement = None;
        }
        let origin = founding.member(&setup.name).and_then(|m| m.origin.clone());
        let tiles = |place: &str, error: TilesError| OpenError::Tiles { place: place.to_string(), error };
        let mut timed = Timed::default();
        let mut own = None;
        let mut copies = BTreeMap::new();
        let missing =
            |what: &str| OpenError::Misfit { found: "no store".to_string(), expected: format!("a store for {what}") };
        if let (Some(origin), Some(key)) = (&origin, setup.keys.log.clone()) {
            let mut held = Held::new(origin, &setup.founding_leaf).map_err(OpenError::Founding)?;
            let store = stores.log.ok_or_else(|| missing(origin))?;
            let log = Log::open(store, key, |index, leaf| held.replay(index, leaf)).map_err(|e| tiles("log", e))?;
            held.check(origin)?;
            check_node_key(&setup, &founding, &held.acceptance)?;
            held.times(&mut timed);
            let policy = founding.policy(origin).cloned().ok_or_else(|| missing(origin))?;
            own = Some(Own::new(log, held, policy, &founding, &setup));
        }
        let mut stores_of_copies = stores.copies;
        for other in founding.origins().filter(|o| role != MemberRole::Witness && Some(*o) != origin.as_deref()) {
            let (Some(key), Some(keeper)) = (founding.log_key(other), founding.keeper(other)) else { continue };
            let mut held = Held::new(other, &setup.founding_leaf).map_err(OpenError::Founding)?;
            let store = stores_of_copies.remove(other).ok_or_else(|| missing(other))?;
            let follower = Follower::open(store, key.clone(), |index, leaf| held.replay(index, leaf))
                .map_err(|e| tiles(other, e))?;
            held.check(other)?;
            held.times(&mut timed);
            copies.insert(other.to_string(), Copy::new(follower, held, &keeper.name));
        }
        let store = stores.witness.ok_or_else(|| missing("the witness"))?;
        let logs = founding.origins().filter(|o| Some(*o) != origin.as_deref()).filter_map(|o| founding.log_key(o));
        let witness =
            Witness::open(store, setup.keys.witness.clone(), logs.cloned()).map_err(|e| tiles("witness", e))?;
        // Who keeps copies of nothing mirrors nothing.
        let mirror = match setup.keys.mirror.clone().filter(|_| !copies.is_empty()) {
            None => None,
            Some(key) => {
                let store = stores.mirror.ok_or_else(|| missing("the mirror"))?;
                let logs = copies.keys().filter_map(|origin| founding.log_key(origin)).cloned();
                Some(Mirror::open(store, key, logs).map_err(|e| tiles("mirror", e))?)
            }
        };
        let mut node = Node {
            status: Status::Running,
            bench: Bench::new(setup.agreement.clone()),
            refusals: own.as_ref().map(|own: &Own<S>| Refusals::counted(&own.held)).unwrap_or_default(),
            setup,
            role,
            founding,
            at: At::default(),
            own,
            copies,
            witness,
            mirror,
            seen_at: BTreeMap::new(),
            heard_ms: BTreeMap::new(),
            timed,
            alarms: Vec::new(),
            full: None,
            out: Vec::new(),
        };
        node.recall_dark();
        node.begin_recovery();
        Ok(node)
    }

    /// Takes an event and says what is to be done about it, in this order.
    pub fn handle(&mut self, event: Event, at: At) -> Vec<Action> {
        let moved = self.at.now != at.now;
        self.at = At { elapsed_ms: at.elapsed_ms.max(self.at.elapsed_ms), now: at.now };
        if moved {
            self.clock_moved();
        }
        match event {
            Event::Tick => (),
            Event::Submitted { ticket, bytes } => self.submitted(ticket, bytes),
            Event::Overlong { ticket } => self.overlong(ticket),
            Event::WitnessAsked { ticket, body } => self.witness_asked(ticket, &body),
            Event::MirrorAsked { ticket, brought, body } => self.mirror_asked(ticket, brought, &body),
            Event::WitnessAnswered { peer, size, answer } => self.witness_answered(&peer, size, answer),
            Event::NewestSeen { peer, answer } => self.newest_seen(&peer, answer),
            Event::PeerCheckpoint { origin, peer, answer } => self.peer_checkpoint(&origin, &peer, answer),
            Event::PeerEntries { origin, peer, answer } => self.peer_entries(&origin, &peer, answer),
            Event::Attempted(attempt) => self.say("attempt", attempt.to_fields()),
            Event::Judged(judged) => self.judged(*judged),
        }
        self.go_on();
        std::mem::take(&mut self.out)
    }

    /// What is due by now, whatever the event was.
    fn go_on(&mut self) {
        if matches!(self.status, Status::Stopped(_)) {
            return;
        }
        if self.waits_for_room() {
            return self.judge();
        }
        self.ask_newest();
        self.log_founding();
        self.log_refusals();
        self.log_checkpoints();
        self.log_dark();
        self.close_batch();
        self.ask_witnesses();
        self.pull();
        self.judge();
        self.settle(SETTLE_MS);
    }

    /// Puts tiles into their places in every log that grew so long ago.
    fn settle(&mut self, after_ms: u64) {
        let elapsed_ms = self.at.elapsed_ms;
        let is_due = |since: &mut Option<u64>, is_unsettled: bool| {
            let began = *since.get_or_insert(elapsed_ms);
            let is_due = is_unsettled && began.saturating_add(after_ms) <= elapsed_ms;
            if is_due || !is_unsettled {
                *since = None;
            }
            is_due
        };
        let mut failed = Vec::new();
        if let Some(own) = &mut self.own
            && is_due(&mut own.unsettled_since_ms, own.log.tiles().is_unsettled())
        {
            failed.extend(own.log.settle().err());
        }
        for copy in self.copies.values_mut() {
            if is_due(&mut copy.unsettled_since_ms, copy.follower.tiles().is_unsettled()) {
                failed.extend(copy.follower.settle().err());
            }
        }
        for error in failed {
            self.not_stored(&error);
        }
    }

    /// The process ends in order: what would be replayed on the next start is put in its place now.
    pub fn close(&mut self) {
        if !matches!(self.status, Status::Stopped(_)) {
            self.settle(0);
        }
    }

    /// Milliseconds of pacing at which something is due without any event.
    pub fn wake_at(&self) -> Option<u64> {
        let asking = self.own.as_ref().and_then(|own| own.recovery.as_ref()).map(Recovery::wake_at);
        let stands_still = self.setup.skew_s_max.is_none();
        let pacing = &self.setup.pacing;
        match (&self.status, self.at.now) {
            (Status::Stopped(_), _) => None,
            // Without time nothing is stamped, so nothing else is done.
            (_, None) => asking,
            (status, Some(_)) => {
                let pulls = self.copies.values().filter_map(|copy| copy.wake_at()).min();
                let bench = self.bench.wake_at(self.at, pacing);
                let signs = self.own.as_ref().filter(|_| *status == Status::Running);
                let own = signs.and_then(|own| own.wake_at(self.at, pacing, stands_still));
                let refusals = signs.and_then(|_| self.refusals.wake_at(pacing));
                let checkpoints = signs.and_then(|_| self.checkpoints_due_at());
                let dark = signs.and_then(|_| self.dark_due_at());
                let logs = self.own.iter().map(|own| own.unsettled_since_ms);
                let unsettled = logs.chain(self.copies.values().map(|copy| copy.unsettled_since_ms)).flatten().min();
                let settles = unsettled.map(|since| since + SETTLE_MS);
                if let Some(full) = &self.full {
                    return [bench, Some(full.until_ms)].into_iter().flatten().min();
                }
                [asking, pulls, bench, own, refusals, checkpoints, dark, settles].into_iter().flatten().min()
            }
        }
    }

    fn clock_moved(&mut self) {
        if let Some(now) = self.at.now {
            // A scenario's clock jumps, and each jump is judged; the system's matters only when an open clock runs out.
            if self.setup.skew_s_max.is_none() {
                self.bench.record_changed(self.at);
                self.out.push(Action::Announce(Hint::Clock { now }));
            }
        }
    }

    fn submitted(&mut self, ticket: Ticket, bytes: Vec<u8>) {
        let answer = match (&self.status, &mut self.own) {
            (Status::Stopped(why), _) => Answer::Paused(why.clone()),
            (_, None) => Answer::NoLog,
            (_, Some(_)) if self.at.now.is_none() => Answer::Paused("the scenario's clock was not set yet".to_string()),
            (Status::Starting, Some(own)) => match own.wait(ticket, bytes) {
                true => return,
                false => Answer::Paused("too many statements wait for the witnesses".to_string()),
            },
            (Status::Running, Some(_)) if self.full.is_some() => {
                Answer::Paused(self.full.as_ref().map_or_else(String::new, |full| full.why.clone()))
            }
            (Status::Running, Some(_)) => match self.take(ticket, &bytes) {
                Ok(None) => return,
                Ok(Some(receipt)) => Answer::Logged(receipt),
                Err(refusal) => {
                    self.refusals.count(self.at, &bytes, &refusal);
                    Answer::Refused(refusal)
                }
            },
        };
        self.out.push(Action::Reply { ticket, answer });
    }

    fn overlong(&mut self, ticket: Ticket) {
        let refusal = Refusal::new(Reason::TooLarge, "", "a longer body than is read", "at most 65535 bytes")
            .hint("files stay outside the log: name them by digest");
        self.refusals.count(self.at, b"", &refusal);
        self.out.push(Action::Reply { ticket, answer: Answer::Refused(refusal) });
    }

    /// Intake: the record's rule, then the agreement's. What is new joins the batch; what is there is answered at once.
    fn take(&mut self, ticket: Ticket, bytes: &[u8]) -> Result<Option<Receipt>, Refusal> {
        let Some(own) = &mut self.own else { return Ok(None) };
        let envelope = Envelope::parse_intake(bytes)?;
        let accepted = own.held.acceptance.check(&envelope)?;
        if let Some(agreement) = &self.setup.agreement {
            agreement.fits(&accepted.statement).map_err(refused)?;
            if self.setup.rights {
                digits_say_something(&accepted.statement)?;
                let member = |name: &str| member_role(&self.founding, name);
                let statement = &accepted.statement;
                let back = statement.refs.iter().find(|r| matches!(r.rel, Rel::Withdraws | Rel::Supersedes));
                let taken_back = back.and_then(|r| own.held.entries().iter().rev().find(|e| e.statement_id == r.id));
                let of_kind = taken_back.map_or(statement.kind.as_str(), |entry| entry.statement.kind.as_str());
                agreement.rights().may_state(statement, of_kind, &accepted.signers, member).map_err(refused)?;
            }
        }
        own.join(accepted, envelope.to_leaf(), Some(ticket), self.at)
            .map_err(|error| Refusal::new(Reason::BadField, "", error, "an entry that can be read again"))
    }

    /// Makes the batch entries. From here on they are durable, and only now is anybody told.
    fn close_batch(&mut self) {
        let (Some(now), Some(own)) = (self.at.now, &mut self.own) else { return };
        if self.status != Status::Running || !own.batch_is_due(self.at, &self.setup.pacing) {
            return;
        }
        match own.close_batch(now) {
            Ok(replies) => {
                own.held.times(&mut self.timed);
                let hint = Hint::Head { origin: own.log.origin().to_string(), size: own.log.size() };
                self.out.extend(replies);
                self.out.push(Action::Announce(hint));
            }
            Err(error) => self.not_logged(error),
        }
    }

    fn witness_asked(&mut self, ticket: Ticket, body: &[u8]) {
        let answer = match (&self.status, self.at.now) {
            (Status::Stopped(why), _) => Answer::Paused(why.clone()),
            (_, None) => Answer::Paused("the scenario's clock was not set yet".to_string()),
            (_, Some(now)) => match self.witness.add_checkpoint(body, now) {
                Ok(answer) => {
                    if matches!(answer, WitnessAnswer::Unproven(_)) {
                        self.suspect(body);
                    }
                    Answer::Witness(answer)
                }
                Err(error) => {
                    let paused = Answer::Paused(error.to_string());
                    self.not_stored(&TilesError::Store(error));
                    paused
                }
            },
        };
        self.out.push(Action::Reply { ticket, answer });
    }

    /// Stops for good: what the disk holds is not known, or must not be built on.
    pub(crate) fn stop(&mut self, why: String) {
        if let Some(own) = &mut self.own {
            for ticket in own.abandon() {
                self.out.push(Action::Reply { ticket, answer: Answer::Paused(why.clone()) });
            }
        }
        self.alarm(format!("stopped: {why}"));
        self.status = Status::Stopped(why);
    }

    pub(crate) fn alarm(&mut self, what: String) {
        if !self.alarms.contains(&what) {
            self.alarms.push(what);
        }
    }

    /// A peer answered.
    pub(crate) fn heard(&mut self, peer: &str) {
        if let Some(now) = self.at.now {
            self.seen_at.insert(peer.to_string(), now);
            self.heard_ms.insert(peer.to_string(), self.at.elapsed_ms);
        }
    }

    /// Whether any peer but this one answered of late, within half the time after which a log is dark. Who hears nobody is cut
    /// off, and can say of nobody that he is silent.
    pub fn hears_others(&self, than: &str) -> bool {
        let since_ms = self.at.elapsed_ms.saturating_sub(self.setup.pacing.dark_s.saturating_mul(500));
        self.heard_ms.iter().any(|(peer, heard_ms)| peer != than && *heard_ms >= since_ms)
    }

    /// Published heads: those that everybody judges at.
    pub fn heads(&self) -> Vec<Head> {
        let own = self.own.as_ref().and_then(|own| own.log.published());
        let copies = self.copies.values().filter_map(|copy| copy.follower.checkpoint());
        let mut heads: Vec<Head> = own.into_iter().chain(copies).filter_map(head_of).collect();
        heads.sort();
        heads
    }

    /// Verified logs up to these heads, as far as this node holds them.
    pub fn logs_at(&self, heads: &[Head]) -> Logs {
        let held = self.all_held();
        let logs = heads.iter().filter_map(|head| Some(held.get(head.origin.as_str())?.at(head.clone()))).collect();
        Logs::verified(&self.founding, logs)
    }

    /// The record at the published heads, to be judged.
    pub fn case(&self, as_of: Instant, known_by: Instant) -> Option<Case> {
        self.case_at(&self.heads(), as_of, known_by)
    }

    /// The record at earlier heads, to be judged.
    pub fn case_at(&self, heads: &[Head], as_of: Instant, known_by: Instant) -> Option<Case> {
        let agreement = self.setup.agreement.clone()?;
        Some(Case { agreement, logs: Arc::new(self.logs_at(heads)), as_of, known_by, before: None })
    }

    /// Root of a log at an earlier size, if this node holds so much of it.
    pub fn head_at(&self, origin: &str, size: u64) -> Option<Head> {
        let root = match &self.own {
            Some(own) if own.log.origin() == origin && size <= own.log.size() => own.log.tiles().root_at(size),
            _ => {
                let copy = self.copies.get(origin).filter(|copy| size <= copy.follower.size())?;
                copy.follower.tiles().root_at(size)
            }
        };
        Some(Head { origin: origin.to_string(), size, root: root.ok()? })
    }

    pub(crate) fn all_held(&self) -> BTreeMap<&str, &Held> {
        let own = self.own.iter().map(|own| (own.log.origin(), &own.held));
        own.chain(self.copies.iter().map(|(origin, copy)| (origin.as_str(), &copy.held))).collect()
    }

    /// Name of this node.
    pub fn name(&self) -> &str {
        &self.setup.name
    }

    /// Whether it works.
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// The founding.
    pub fn founding(&self) -> &Arc<Founding> {
        &self.founding
    }

    /// State of its own log's acceptance, for authors.
    pub fn acceptance(&self) -> Option<&Acceptance> {
        self.own.as_ref().map(|own| &own.held.acceptance)
    }
}

/// Name, role and keys must be those of the founding.
fn check_identity(setup: &Setup, founding: &Founding) -> Result<MemberRole, OpenError> {
    let misfit = |found: String, expected: String| Err(OpenError::Misfit { found, expected });
    let Some(member) = founding.member(&setup.name) else {
        let names: Vec<&str> = founding.members().iter().map(|m| m.name.as_str()).collect();
        return misfit(format!("name {}", setup.name), format!("a member: {}", names.join(" ")));
    };
    // The node key of who keeps a log is what his log says.
    let keys = match member.origin {
        Some(_) => (Role::Log, setup.keys.log.as_ref()),
        None => (Role::Node, Some(&setup.keys.node)),
    };
    let mirror = setup.keys.mirror.as_ref().map(|key| (Role::Mirror, Some(key)));
    for (role, key) in [(Role::Witness, Some(&setup.keys.witness)), keys].into_iter().chain(mirror) {
        let Some(founded) = founding.keys_of(role).find(|k| k.node == setup.name) else {
            return misfit(format!("no {role} key of {} in the founding", setup.name), format!("a key of role {role}"));
        };
        if key.map(|k| k.vkey()) != Some(&founded.vkey) {
            let found = key.map_or_else(|| format!("no {role} key"), |k| format!("{role} key {}", k.keyid()));
            return misfit(found, founded.vkey.keyid());
        }
    }
    match &setup.agreement {
        Some(agreement) if agreement.digest() != founding.agreement() => {
            let [founded, found] = [founding.agreement(), agreement.digest()].map(|d| StatementId(d).to_string());
            Err(OpenError::OtherAgreement { founded, found })
        }
        None if member.role != MemberRole::Witness => {
            misfit("no agreement".to_string(), StatementId(founding.agreement()).to_string())
        }
        _ => Ok(member.role),
    }
}

/// One of the node keys at hand must be the founding's, or the one that followed it in the log.
fn check_node_key(setup: &Setup, founding: &Founding, acceptance: &Acceptance) -> Result<(), OpenError> {
    let is_own = |key: &SecretKey| {
        let known = acceptance.keyring().get(&key.keyid());
        known.is_some_and(|k| k.key.node == setup.name && k.key.role == Role::Node && k.key.vkey == *key.vkey())
    };
    match setup.keys.node_for(acceptance) {
        Some(key) if is_own(key) => Ok(()),
        _ => {
            let founded = founding.keys_of(Role::Node).find(|k| k.node == setup.name).map(|k| k.vkey.keyid());
            let newest = founded.and_then(|keyid| acceptance.keyring().newest(&keyid)).map(|k| k.key.vkey.keyid());
            let expected = newest.unwrap_or_else(|| format!("a node key of {}", setup.name));
            Err(OpenError::Misfit { found: format!("node key {}", setup.keys.node.keyid()), expected })
        }
    }
}

pub(crate) fn head_of(note: &Note) -> Option<Head> {
    let checkpoint = Checkpoint::parse(&note.text).ok()?;
    Some(Head { origin: checkpoint.origin, size: checkpoint.size, root: checkpoint.root })
}

/// What the agreement does not let through, in the record's words.
pub(crate) fn refused(misfit: Misfit) -> Refusal {
    let reason = Reason::ALL.into_iter().find(|r| r.name() == misfit.reason).unwrap_or(Reason::BadField);
    let within = if misfit.field == "signatures" { "" } else { "predicate." };
    Refusal::new(reason, format!("{within}{}", misfit.field), misfit.found, misfit.allowed).hint(misfit.hint)
}

/// What a node of the founding is to the agreement.
pub fn member_role(founding: &Founding, name: &str) -> Option<hamsaya_agreement::MemberRole> {
    Some(match founding.member(name)?.role {
        MemberRole::Party => hamsaya_agreement::MemberRole::Party,
        MemberRole::Guarantor => hamsaya_agreement::MemberRole::Guarantor,
        MemberRole::Witness => hamsaya_agreement::MemberRole::Witness,
    })
}

/// Asked at the door of one's own node, as rights are: what stands in a log stays as it was signed.
fn digits_say_something(statement: &Statement) -> Result<(), Refusal> {
    let Some(place) = statement.place.as_ref().filter(|place| place.has_idle_digits()) else { return Ok(()) };
    let found = format!("stated digits finer than precision_m, {} m", place.precision_m);
    let allowed = format!("digits of a hundredth of it or more: whole multiples of {}", place.digit_e7());
    Err(Refusal::new(Reason::BadPlace, "predicate.place", found, allowed)
        .hint("round the coordinates, or say how precise they are: the marking decides how finely they are shown"))
}
