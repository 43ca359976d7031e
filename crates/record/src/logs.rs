//! The verified entries of every log under given heads: all that a judgment reads.
//!
//! ```text
//! let logs = Logs::verified(&founding, vec![p1, p2, g1, g2]);
//! logs.heads()                          (origin, size, root) of each, sorted
//! logs.logged(n, known_by)              when the n-th entry is proven to have been logged, or what is known instead
//! logs.cosigned(known_by)               which node cosigned which log at which size, and when
//! logs.cut(&heads)                      the same, as it was at earlier heads
//! ```
//! A log whose key signed two trees is judged as the tree that a quorum cosigned; what lies beyond the last head before the
//! other tree's is disputed, from when anybody's log shows it. So is what a stolen key signed, from when its owner and f+1
//! other nodes have said so, each in its own log.
use crate::checkpoint::Checkpoint;
use crate::founding::Founding;
use crate::instant::Instant;
use crate::keyring::KeyChange;
use crate::merkle::Roots;
use crate::statement::{FieldValue, Statement, StatementId};
use crate::timing::{self, Gap, Sighting, Times};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One log under judgment: the sorted `(origin, size, root)` of a judgment's header.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Head {
    /// Origin of the log.
    pub origin: String,
    /// Number of entries.
    pub size: u64,
    /// Root hash of the tree over them (RFC 6962).
    pub root: [u8; 32],
}

/// When the witnesses' cosignatures prove that an entry was logged: not before `lo`, by `hi`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LoggedAt {
    /// Before this instant it was not in the log. [`i64::MIN`] if no cosignature says so.
    pub lo: Instant,
    /// By this instant it was.
    pub hi: Instant,
}

/// What cosignatures say about when an entry was logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Logged {
    /// Fewer witnesses than a quorum prove it by then, so nobody is held to know the entry.
    Unproven,
    /// It was, between these instants.
    Within(LoggedAt),
    /// A quorum had it by `by`, and at `not_before`, which is later, too many had not: more witnesses lie than the policy
    /// bears. The entry is there; when it came nobody can say.
    Disputed {
        /// What a quorum says.
        by: Instant,
        /// What the others say.
        not_before: Instant,
    },
    /// It was, between these instants; but the log's key signed another tree too, and this entry lies beyond the last head
    /// that a quorum cosigned before that one. It stands here, and what its keeper says of it counts for nobody else.
    Equivocated(LoggedAt),
    /// It was, between these instants; but somebody else had a key that signed it, as the key's owner says and enough other
    /// nodes bear out. It stands here, and what it says counts as nobody's word.
    Stolen(LoggedAt),
}

impl Logged {
    /// From what was found: bounds that cross are no interval.
    #[inline]
    pub fn of(found: LoggedAt) -> Logged {
        let LoggedAt { lo, hi } = found;
        if lo <= hi { Logged::Within(found) } else { Logged::Disputed { by: hi, not_before: lo } }
    }

    /// The interval, if there is one.
    pub fn within(self) -> Option<LoggedAt> {
        match self {
            Logged::Within(at) | Logged::Equivocated(at) | Logged::Stolen(at) => Some(at),
            Logged::Unproven | Logged::Disputed { .. } => None,
        }
    }
}

/// Whose key signed an entry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Signer {
    /// `<key name>+<hex8>`.
    pub keyid: String,
    /// The node (party, guarantor, institution) that the key belongs to, e.g. `P1`.
    pub node: String,
    /// `log witness mirror node office device recovery`.
    pub role: String,
}

/// One verified entry that carries a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Origin of the log that holds it.
    pub origin: Arc<str>,
    /// Its place there.
    pub index: u64,
    /// SHA-256 of its payload.
    pub statement_id: StatementId,
    /// What it says.
    pub statement: Statement,
    /// Who signed it, verified; sorted.
    pub signers: Vec<Signer>,
}

/// One log, verified: its head, the entries that acceptance lets count, and the cosignatures that its `checkpoints`
/// entries carry (see [`crate::timing::sightings`]).
#[derive(Clone, Debug)]
pub struct VerifiedLog {
    /// Its head.
    pub head: Head,
    /// Accepted entries in order; an entry that was refused is missing here.
    pub entries: Vec<Arc<Entry>>,
    /// Cosignatures of any log that its entries carry.
    pub sightings: Vec<Sighting>,
    /// Its tree, of all entries: which cosignatures are of this log as it stands here.
    pub roots: Roots,
}

/// That a node cosigned a log at a size, as a `checkpoints` entry shows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cosigned {
    /// The member that keeps the log, e.g. `P1`.
    pub log: String,
    /// The node whose key cosigned, e.g. `G1`.
    pub by: String,
    /// When, by its clock.
    pub time: Instant,
    /// Size that it cosigned.
    pub size: u64,
}

/// That a log's key signed another tree than the one that is judged.
#[derive(Clone, Debug)]
struct Fork {
    /// Whose.
    log: String,
    /// Size at which it signed another root.
    size: u64,
    /// Two roots of this size stand side by side, which needs no tree to compare with.
    alone: bool,
    logged_in: String,
    logged_index: u64,
    /// Time of the witness that cosigned it; `None`: it is known as soon as its entry is.
    time: Option<Instant>,
}

/// That a key was stolen, as its owner says in the log in which it was used.
#[derive(Clone, Debug)]
struct Theft {
    log: String,
    keyid: String,
    /// What it signed from this index on is not its owner's.
    from: u64,
    /// Index of the entry that says so.
    said_at: u64,
    /// The first entry of each other node that bears it out: its log, and the index there.
    borne_out: Vec<(String, u64)>,
    /// So many of them must, for at least one to be honest.
    needed: usize,
}

/// Verified logs, given to `judge`.
#[derive(Clone, Debug, Default)]
pub struct Logs {
    heads: Vec<Head>,
    entries: Vec<Arc<Entry>>,
    times: Clocks,
}

#[derive(Clone, Debug)]
enum Clocks {
    /// By origin, from cosignatures; and, by origin, which entries lie beyond a fork, each fork with the first of them, and
    /// which keys were stolen.
    Witnessed {
        founding: Arc<Founding>,
        sightings: Vec<Sighting>,
        times: BTreeMap<String, Times>,
        forks: BTreeMap<String, Vec<(u64, Fork)>>,
        thefts: BTreeMap<String, Vec<Theft>>,
    },
    /// Given beforehand, an interval an entry.
    Fixed(Vec<LoggedAt>, Vec<Cosigned>),
}

impl Default for Clocks {
    fn default() -> Clocks {
        Clocks::Fixed(Vec::new(), Vec::new())
    }
}

impl Logs {
    /// Logs under their heads. The order in which they are given does not matter; of two with one origin the longer
    /// counts. A cosignature counts if it is of the tree under its log's head, at that size or a smaller one: of what lies
    /// beyond, nobody who holds these logs can say whether it is the same tree.
    pub fn verified(founding: &Arc<Founding>, logs: Vec<VerifiedLog>) -> Logs {
        let mut by_origin: BTreeMap<String, VerifiedLog> = BTreeMap::new();
        for log in logs {
            match by_origin.get(&log.head.origin) {
                Some(held) if held.head.size >= log.head.size => (),
                _ => {
                    by_origin.insert(log.head.origin.clone(), log);
                }
            }
        }
        let is_of_tree = |s: &Sighting| {
            let log = by_origin.get(&s.log).filter(|log| s.size <= log.head.size);
            log.is_some_and(|log| log.roots.at(s.size) == Some(s.root))
        };
        let all = by_origin.values().flat_map(|log| &log.sightings);
        let sightings = all.filter(|s| is_of_tree(s)).cloned().collect();
        let (forks, thefts) = (forks(founding, &by_origin), thefts(founding, &by_origin));
        let (mut heads, mut entries) = (Vec::new(), Vec::new());
        for log in by_origin.into_values() {
            heads.push(log.head);
            entries.extend(log.entries);
        }
        Logs { heads, entries, times: Clocks::witnessed(founding, sightings, forks, thefts) }
    }

    /// Entries with the interval of each given beforehand, for literate cases and tests; the heads are empty.
    pub fn with_times(timed: Vec<(Entry, LoggedAt)>) -> Logs {
        let mut timed = timed;
        timed.sort_by(|(a, _), (b, _)| (&a.origin, a.index).cmp(&(&b.origin, b.index)));
        let (entries, times) = timed.into_iter().map(|(entry, at)| (Arc::new(entry), at)).unzip();
        Logs { heads: Vec::new(), entries, times: Clocks::Fixed(times, Vec::new()) }
    }

    /// The same with more entries, each with its interval; what stands is shared, not copied. Logs that were verified have no
    /// intervals given beforehand and stay as they are.
    pub fn with_more(&self, more: Vec<(Entry, LoggedAt)>) -> Logs {
        let Clocks::Fixed(times, cosigned) = &self.times else { return self.clone() };
        let (mut entries, mut times) = (self.entries.clone(), times.clone());
        for (entry, at) in more {
            let n = entries.partition_point(|held| (&held.origin, held.index) <= (&entry.origin, entry.index));
            entries.insert(n, Arc::new(entry));
            times.insert(n, at);
        }
        Logs { heads: self.heads.clone(), entries, times: Clocks::Fixed(times, cosigned.clone()) }
    }

    /// The same with cosignatures given beforehand, too. Logs that were verified keep those of their own.
    pub fn with_cosigned(mut self, cosigned: Vec<Cosigned>) -> Logs {
        if let Clocks::Fixed(_, held) = &mut self.times {
            *held = cosigned;
            held.sort();
        }
        self
    }

    /// Heads of all logs, sorted by origin.
    pub fn heads(&self) -> &[Head] {
        &self.heads
    }

    /// All entries that count, sorted by origin, then index; `checkpoints` entries are among them, the founding is not.
    pub fn entries(&self) -> &[Arc<Entry>] {
        &self.entries
    }

    /// When the `n`-th of [`Logs::entries`] is proven to have been logged by cosignatures with times up to `known_by`.
    #[inline]
    pub fn logged(&self, n: usize, known_by: Instant) -> Logged {
        let found = match &self.times {
            Clocks::Fixed(times, _) => times.get(n).filter(|t| t.hi.max(t.lo) <= known_by).map(|t| Logged::of(*t)),
            Clocks::Witnessed { times, forks, thefts, .. } => self.entries.get(n).and_then(|entry| {
                let logged = |log: &str, index| Some(times.get(log)?.logged(index, known_by));
                let is_logged = |log: &str, index| logged(log, index).is_some_and(|at| at != Logged::Unproven);
                let is_known = |fork: &Fork| match fork.time {
                    Some(time) => time <= known_by,
                    None => is_logged(&fork.logged_in, fork.logged_index),
                };
                let mut beyond =
                    forks.get(&*entry.origin).into_iter().flatten().filter(|(from, _)| entry.index >= *from);
                let is_borne_out = |theft: &Theft| {
                    let borne_out = theft.borne_out.iter().filter(|(log, index)| is_logged(log, *index)).count();
                    is_logged(&theft.log, theft.said_at) && borne_out >= theft.needed
                };
                let mut stolen = thefts.get(&*entry.origin).into_iter().flatten().filter(|theft| theft.covers(entry));
                Some(match logged(&entry.origin, entry.index)? {
                    Logged::Within(at) if beyond.any(|(_, fork)| is_known(fork)) => Logged::Equivocated(at),
                    Logged::Within(at) if stolen.any(is_borne_out) => Logged::Stolen(at),
                    logged => logged,
                })
            }),
        };
        found.unwrap_or(Logged::Unproven)
    }

    /// How many entries from the `n`-th on are proven to have been logged as these were.
    pub fn logged_alike(&self, n: usize, before: &[Logged], known_by: Instant) -> usize {
        match &self.times {
            Clocks::Fixed(times, _) => {
                let times = times.get(n..).unwrap_or(&[]);
                let now = |t: &LoggedAt| if t.hi.max(t.lo) <= known_by { Logged::of(*t) } else { Logged::Unproven };
                times.iter().zip(before).take_while(|(t, before)| now(t) == **before).count()
            }
            Clocks::Witnessed { .. } => {
                before.iter().enumerate().take_while(|(i, before)| self.logged(n + i, known_by) == **before).count()
            }
        }
    }

    /// The interval of [`Logs::logged`]; `None`: not proven by then, or disputed.
    pub fn logged_at(&self, n: usize, known_by: Instant) -> Option<LoggedAt> {
        self.logged(n, known_by).within()
    }

    /// All cosignatures with times up to `known_by` that `checkpoints` entries carry, each once, sorted.
    pub fn cosigned(&self, known_by: Instant) -> Vec<Cosigned> {
        let mut all: Vec<Cosigned> = match &self.times {
            Clocks::Fixed(_, cosigned) => cosigned.clone(),
            Clocks::Witnessed { founding, sightings, .. } => {
                let nodes: BTreeMap<String, &str> =
                    founding.keys().iter().map(|k| (k.vkey.keyid(), k.node.as_str())).collect();
                let by_node = |s: &Sighting| {
                    let (log, by) = (founding.keeper(&s.log)?.name.clone(), nodes.get(&s.witness)?.to_string());
                    Some(Cosigned { log, by, time: s.time, size: s.size })
                };
                sightings.iter().filter_map(by_node).collect()
            }
        };
        all.retain(|c| c.time <= known_by);
        all.sort();
        all.dedup();
        all
    }

    /// The times in which a log was dark, as the others tell (see [`timing::gaps`]); none where intervals were given
    /// beforehand.
    pub fn gaps(&self, log: &str, dark_s: i64) -> Vec<Gap> {
        match &self.times {
            Clocks::Fixed(..) => Vec::new(),
            Clocks::Witnessed { founding, sightings, .. } => {
                let numbers = founding.policy(log).and_then(|policy| policy.numbers());
                numbers.map(|numbers| timing::gaps(log, numbers, sightings, dark_s)).unwrap_or_default()
            }
        }
    }

    /// The same logs as they were at earlier heads: what two nodes compare at. Logs without a head here are left out, and
    /// so are cosignatures that were logged later. The caller vouches for the roots.
    pub fn cut(&self, heads: &[Head]) -> Logs {
        let sizes: BTreeMap<&str, u64> = heads.iter().map(|h| (h.origin.as_str(), h.size)).collect();
        let kept = |origin: &str, index: u64| sizes.get(origin).is_some_and(|size| index < *size);
        let reached = |s: &&Sighting| sizes.get(s.log.as_str()).is_some_and(|size| s.size <= *size);
        let mut cut_heads: Vec<Head> = heads
            .iter()
            .filter(|h| self.heads.iter().any(|own| own.origin == h.origin && own.size >= h.size))
            .cloned()
            .collect();
        cut_heads.sort();
        let entries = self.entries.iter().filter(|e| kept(&e.origin, e.index)).cloned().collect();
        let times = match &self.times {
            Clocks::Fixed(times, cosigned) => {
                let timed = self.entries.iter().zip(times).filter(|(e, _)| kept(&e.origin, e.index));
                Clocks::Fixed(timed.map(|(_, t)| *t).collect(), cosigned.clone())
            }
            Clocks::Witnessed { founding, sightings, forks, thefts, .. } => {
                let earlier = sightings.iter().filter(|s| kept(&s.logged_in, s.logged_index)).filter(reached);
                let earlier = earlier.cloned().collect();
                let reached = |fork: &Fork| sizes.get(fork.log.as_str()).is_some_and(|size| fork.size <= *size);
                let forks = forks.values().flatten().map(|(_, fork)| fork).cloned();
                let forks = forks.filter(|f| kept(&f.logged_in, f.logged_index) && (f.alone || reached(f))).collect();
                let said = |theft: &&Theft| kept(&theft.log, theft.said_at);
                let as_it_was = |theft: &Theft| {
                    let borne_out = theft.borne_out.iter().filter(|(log, index)| kept(log, *index));
                    Theft { borne_out: borne_out.cloned().collect(), ..theft.clone() }
                };
                let thefts = thefts.values().flatten().filter(said).map(as_it_was).collect();
                Clocks::witnessed(founding, earlier, forks, thefts)
            }
        };
        Logs { heads: cut_heads, entries, times }
    }
}

impl Clocks {
    fn witnessed(founding: &Arc<Founding>, sightings: Vec<Sighting>, forks: Vec<Fork>, thefts: Vec<Theft>) -> Clocks {
        let mut times = BTreeMap::new();
        let mut forked: BTreeMap<String, Vec<(u64, Fork)>> = BTreeMap::new();
        for origin in founding.origins() {
            if let Some(numbers) = founding.policy(origin).and_then(|p| p.numbers()) {
                let of_log = || sightings.iter().filter(|s| s.log == origin);
                times.insert(origin.to_string(), Times::new(numbers, of_log()));
                for fork in forks.iter().filter(|fork| fork.log == origin) {
                    let beyond = last_common(of_log(), fork.size, numbers.q);
                    forked.entry(origin.to_string()).or_default().push((beyond, fork.clone()));
                }
            }
        }
        let mut stolen: BTreeMap<String, Vec<Theft>> = BTreeMap::new();
        for theft in thefts {
            stolen.entry(theft.log.clone()).or_default().push(theft);
        }
        Clocks::Witnessed { founding: founding.clone(), sightings, times, forks: forked, thefts: stolen }
    }
}

impl Theft {
    fn covers(&self, entry: &Entry) -> bool {
        (self.from..self.said_at).contains(&entry.index) && entry.signers.iter().any(|s| s.keyid == self.keyid)
    }
}

/// What owners say of their stolen keys, and who bears it out. That they may say it, acceptance has seen to.
fn thefts(founding: &Founding, logs: &BTreeMap<String, VerifiedLog>) -> Vec<Theft> {
    let entries = logs.values().flat_map(|log| &log.entries).filter(|entry| entry.statement.kind == "key");
    let said: Vec<(&Entry, KeyChange)> =
        entries.filter_map(|entry| Some((&**entry, KeyChange::of(&entry.statement).ok()?))).collect();
    let mut thefts = Vec::new();
    for (entry, change) in &said {
        let KeyChange::Revoked { old, good_size, .. } = change else { continue };
        let Some(numbers) = founding.policy(&entry.origin).and_then(|policy| policy.numbers()) else { continue };
        let mut borne_out = BTreeMap::new();
        for (other, change) in said.iter().filter(|(other, _)| other.statement.party != entry.statement.party) {
            let KeyChange::Confirmed { log, old: key, good_size: size, revocation } = change else { continue };
            if *revocation == entry.statement_id && *log == *entry.origin && (key, size) == (old, good_size) {
                // Entries come in their order, so this keeps the first of each log.
                borne_out.entry(other.origin.to_string()).or_insert(other.index);
            }
        }
        thefts.push(Theft {
            log: entry.origin.to_string(),
            keyid: old.keyid(),
            from: *good_size,
            said_at: entry.index,
            borne_out: borne_out.into_iter().collect(),
            needed: numbers.f + 1,
        });
    }
    thefts
}

/// Largest size below a fork that a quorum cosigned: no tree without it can ever have a quorum. The founding, which is
/// entry 0 of every log, is common without that.
fn last_common<'s>(sightings: impl Iterator<Item = &'s Sighting>, fork: u64, q: usize) -> u64 {
    let mut by_size: BTreeMap<u64, BTreeSet<&str>> = BTreeMap::new();
    for sighting in sightings.filter(|s| s.size < fork) {
        by_size.entry(sighting.size).or_default().insert(&sighting.witness);
    }
    let common = by_size.iter().rev().find(|(_, witnesses)| witnesses.len() >= q).map(|(size, _)| *size);
    common.unwrap_or_default().max(u64::from(fork > 1))
}

/// What these logs show of other trees: notes of a log's key in `equivocation` entries, and cosigned ones in `checkpoints`
/// entries, with another root than the log's own tree has at that size, or two of one size with two roots.
fn forks(founding: &Founding, logs: &BTreeMap<String, VerifiedLog>) -> Vec<Fork> {
    let differs = |origin: &str, size: u64, root: &[u8; 32]| {
        let log = logs.get(origin).filter(|log| size <= log.head.size);
        log.is_some_and(|log| log.roots.at(size).is_some_and(|own| own != *root))
    };
    let mut forks = Vec::new();
    for log in logs.values() {
        for entry in log.entries.iter().filter(|e| e.statement.kind == "equivocation" && !e.statement.drill) {
            let (Some(FieldValue::Text(of)), Some(FieldValue::List(notes))) =
                (entry.statement.fields.get("origin"), entry.statement.fields.get("notes"))
            else {
                continue;
            };
            let Some(key) = founding.log_key(of) else { continue };
            // Two are enough, and a liar's thousand would have to be verified in every judgment.
            let signed = notes.iter().take(2).filter_map(|note| match note {
                FieldValue::Text(text) => Some(Checkpoint::open(text.as_bytes(), key).ok()?.0),
                _ => None,
            });
            let signed: Vec<Checkpoint> = signed.filter(|c| c.origin == *of && c.size > 0).collect();
            let fork = |size, alone| Fork {
                log: of.clone(),
                size,
                alone,
                logged_in: entry.origin.to_string(),
                logged_index: entry.index,
                time: None,
            };
            for (n, one) in signed.iter().enumerate() {
                let alone = signed[..n].iter().any(|other| other.size == one.size && other.root != one.root);
                if alone || differs(of, one.size, &one.root) {
                    forks.push(fork(one.size, alone));
                }
            }
        }
        forks.extend(log.sightings.iter().filter(|s| differs(&s.log, s.size, &s.root)).map(|s| Fork {
            log: s.log.clone(),
            size: s.size,
            alone: false,
            logged_in: s.logged_in.clone(),
            logged_index: s.logged_index,
            time: Some(s.time),
        }));
    }
    forks
}
