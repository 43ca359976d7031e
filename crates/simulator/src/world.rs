//! The world: a row of happenings in order of time, and the processes that they happen to.
//!
//! ```text
//! (0:01:12.418, 977) Arrives(letter) ──► handle ──► actions ──► network ──► (0:01:12.530, 981) Hears(event)
//! ```
use crate::author::{Authors, Heard, Said};
use crate::chance::Chance;
use crate::keys::{Chair, Theft};
use crate::network::Letter;
use crate::plan::{HEALING_MS, Lie, Plan, Planned};
use crate::shelf::Shelf;
use crate::town::{Disk, KEEPERS, NAMES, QUORUM, SKEW_S, START, founding_leaf, setup, twin, who};
use crate::{Counts, Failure, Options, Outcome, Plant, Rule};
use hamsaya_node::node::{Answer, Event, Node, Receipt, Status, Ticket};
use hamsaya_record::Instant;
use hamsaya_record::accept::Refusal;
use hamsaya_record::logs::Head;
use hamsaya_record::merkle::Hash;
use hamsaya_record::store::{Memory, Store, Version};
use std::collections::{BTreeMap, BTreeSet};

/// After healing, newest checkpoints have a quorum by then.
pub(crate) const QUORUM_MS: u64 = 120_000;
/// After healing, all is at rest by then.
pub(crate) const REST_MS: u64 = 300_000;
/// Nothing changed for so long: that is rest.
pub(crate) const CALM_MS: u64 = 30_000;
/// Copies of all disks are made then.
const BACKUP_MS: u64 = HEALING_MS / 3;
/// A second sequencer starts then, if one is planted.
const SECOND_MS: u64 = 60_000;

#[derive(Clone, Debug)]
pub(crate) enum Happening {
    Wake { node: &'static str, run: u64 },
    Arrives(Letter),
    Hears { node: &'static str, run: u64, event: Box<Event> },
    Speaks { by: &'static str },
    Sends { said: usize },
    Reaches { said: usize },
    Answered { said: usize, answer: Answer },
    Does(Planned),
    Mends { cut: (&'static str, &'static str) },
    FindsTime { node: &'static str, skew_s: i64 },
    Starts { node: &'static str },
    BacksUp,
    Heals,
    Rests,
}

/// A bit that changed on a disk, until somebody finds it.
#[derive(Clone, Debug)]
pub(crate) struct Rot {
    /// In the log or copy of which origin.
    pub(crate) of: String,
    pub(crate) key: String,
    pub(crate) sound: Vec<u8>,
    pub(crate) rotten: Vec<u8>,
}

/// One process's place in the world.
#[derive(Default)]
pub(crate) struct Home {
    pub(crate) disk: Disk,
    pub(crate) node: Option<Node<Shelf>>,
    /// Counts its processes.
    pub(crate) run: u64,
    pub(crate) started_ms: u64,
    pub(crate) died_ms: u64,
    /// Seconds that its clock is ahead.
    pub(crate) skew_s: i64,
    /// Its clock was set, so that it may have to stop.
    pub(crate) jumped: bool,
    pub(crate) rotten: Vec<Rot>,
    /// An older copy of its log.
    pub(crate) backup: Option<Memory>,
    /// Its log after the last batch and the one before, where a planted disk forgets.
    pub(crate) last: Option<Memory>,
    pub(crate) before_last: Option<Memory>,
    pub(crate) lock_seen: Option<Version>,
    /// It stopped and a person must look; its witness goes on.
    pub(crate) given_up: bool,
    pub(crate) wake_ms: Option<u64>,
}

impl Home {
    /// Whether a bit that changed is there to be read; a tile may have been replaced meanwhile, and may come back.
    pub(crate) fn is_rotten(&self, name: &str) -> bool {
        let is_there = |rot: &Rot| {
            let found = self.disk.held(name, &rot.of).and_then(|store| store.read(&rot.key).ok()?);
            found.is_some_and(|(bytes, _)| bytes == rot.rotten)
        };
        self.rotten.iter().any(is_there)
    }
}

/// A statement on its way into a log.
pub(crate) struct Posted {
    pub(crate) said: Said,
    pub(crate) by: &'static str,
    pub(crate) receipt: Option<Receipt>,
    pub(crate) refusal: Option<Refusal>,
    /// It was lost with a disk before anybody else had it.
    pub(crate) forgiven: bool,
}

/// All that there is.
pub(crate) struct World {
    seed: u64,
    pub(crate) options: Options,
    pub(crate) plan: Plan,
    /// Who makes the planted mistake, if there is one.
    pub(crate) planted: &'static str,
    pub(crate) chance: Chance,
    leaf: Vec<u8>,
    pub(crate) now_ms: u64,
    queue: BTreeMap<(u64, u64), Happening>,
    queued: u64,
    pub(crate) homes: BTreeMap<&'static str, Home>,
    /// Who is cut off from whom.
    pub(crate) cuts: BTreeSet<(&'static str, &'static str)>,
    /// What is lied about by now.
    pub(crate) lies: BTreeSet<Lie>,
    /// To whom the liar shows its second tree.
    pub(crate) shown_twin: BTreeSet<&'static str>,
    /// Logs that were lost with their disk.
    pub(crate) excused: BTreeSet<&'static str>,
    pub(crate) authors: Authors,
    pub(crate) posted: Vec<Posted>,
    pub(crate) heard: Vec<Heard>,
    /// By keeper.
    pub(crate) chairs: BTreeMap<&'static str, Chair>,
    pub(crate) thefts: Vec<Theft>,
    pub(crate) tickets: BTreeMap<Ticket, usize>,
    pub(crate) next_ticket: Ticket,
    /// By origin and size: roots that an honest log's key signed.
    pub(crate) signed: BTreeMap<String, BTreeMap<u64, Hash>>,
    /// The same for the processes of a log with two trees.
    pub(crate) branches: BTreeMap<&'static str, BTreeMap<u64, Hash>>,
    /// By keeper: when each entry became durable, in milliseconds.
    pub(crate) appended_ms: BTreeMap<&'static str, Vec<u64>>,
    /// What an honest witness cosigned last.
    pub(crate) cosigned: BTreeMap<(&'static str, String), (u64, Hash)>,
    /// Who, in which run, was asked to cosign another tree than before: size and root.
    pub(crate) forks: BTreeSet<(&'static str, u64, u64, Hash)>,
    /// Heads that keepers held when last looked at.
    pub(crate) held: BTreeMap<(&'static str, String), Head>,
    /// Entries as they came over the network, where a planted node reads them so.
    pub(crate) received: BTreeMap<(String, u64), Vec<u8>>,
    pub(crate) healed: bool,
    /// Sizes of the logs when trouble ended.
    pub(crate) at_healing: BTreeMap<String, u64>,
    pub(crate) quorum_reached: bool,
    pub(crate) calm: Option<(u64, Vec<u64>)>,
    pub(crate) done: bool,
    pub(crate) events: BTreeSet<usize>,
    story: Vec<String>,
    pub(crate) failure: Option<Failure>,
    pub(crate) counts: Counts,
    pub(crate) digest: Option<[u8; 32]>,
}

impl World {
    pub(crate) fn new(seed: u64, options: &Options) -> World {
        let mut chance = Chance::new(seed);
        let plan = Plan::of(options, &mut chance);
        let honest = |names: [&'static str; 2]| names.into_iter().find(|n| !plan.liars.include(n)).unwrap_or("O1");
        let planted = match options.plant {
            Some(Plant::WitnessSkipsProof | Plant::WitnessSignsSmaller) => "O1",
            Some(
                Plant::LosesDurableWrite
                | Plant::AcknowledgesBeforeDurable
                | Plant::AcknowledgesWithoutLogging
                | Plant::TwoSequencers,
            ) => honest(["P2", "P1"]),
            _ => honest(["G2", "G1"]),
        };
        let mut world = World {
            seed,
            options: options.clone(),
            plan,
            planted,
            chance,
            leaf: founding_leaf(&options.agreement, QUORUM),
            now_ms: 0,
            queue: BTreeMap::new(),
            queued: 0,
            homes: BTreeMap::new(),
            cuts: BTreeSet::new(),
            lies: BTreeSet::new(),
            shown_twin: BTreeSet::new(),
            excused: BTreeSet::new(),
            authors: Authors::default(),
            posted: Vec::new(),
            heard: Vec::new(),
            chairs: BTreeMap::new(),
            thefts: Vec::new(),
            tickets: BTreeMap::new(),
            next_ticket: 0,
            signed: BTreeMap::new(),
            branches: BTreeMap::new(),
            appended_ms: BTreeMap::new(),
            cosigned: BTreeMap::new(),
            forks: BTreeSet::new(),
            held: BTreeMap::new(),
            received: BTreeMap::new(),
            healed: false,
            at_healing: BTreeMap::new(),
            quorum_reached: false,
            calm: None,
            done: false,
            events: BTreeSet::new(),
            story: Vec::new(),
            failure: None,
            counts: Counts::default(),
            digest: None,
        };
        for name in NAMES {
            let ahead = i64::try_from(world.chance.below(2 * SKEW_S.unsigned_abs() + 1)).unwrap_or(SKEW_S);
            let home = Home { disk: Disk::of(name), skew_s: ahead - SKEW_S, ..Home::default() };
            world.tell(format!("{name} has a clock that is {:+} s off", home.skew_s));
            world.homes.insert(name, home);
            world.at(0, Happening::Starts { node: name });
        }
        for planned in world.plan.events.clone() {
            world.at(planned.at_ms, Happening::Does(planned));
        }
        if options.plant == Some(Plant::TwoSequencers) {
            world.at(SECOND_MS, Happening::Starts { node: twin(planted) });
        }
        world.at(BACKUP_MS, Happening::BacksUp);
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
        Outcome {
            seed: self.seed,
            story: self.story,
            events: self.events,
            failure: self.failure,
            counts: self.counts,
            digest: self.digest,
        }
    }

    pub(crate) fn at(&mut self, ms: u64, happening: Happening) {
        self.queued += 1;
        self.queue.insert((ms.max(self.now_ms), self.queued), happening);
    }

    pub(crate) fn after(&mut self, ms: u64, happening: Happening) {
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
    pub(crate) fn keepers(&self) -> Vec<(&'static str, &Node<Shelf>)> {
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
            Happening::Speaks { by } => self.speaks(Some(by)),
            Happening::Sends { said } => self.sends(said),
            Happening::Reaches { said } => self.reaches(said),
            Happening::Answered { said, answer } => self.answered(said, answer),
            Happening::Does(planned) => self.does(planned),
            Happening::Mends { cut } => {
                if self.cuts.remove(&cut) {
                    self.tell(format!("{} and {} reach each other again", cut.0, cut.1));
                }
            }
            Happening::FindsTime { node, skew_s } => self.sets_clock(node, skew_s),
            Happening::Starts { node } => self.starts(node),
            Happening::BacksUp => {
                for name in KEEPERS {
                    // A backup is read back before it counts.
                    if let Some(home) = self.homes.get_mut(name).filter(|home| !home.is_rotten(name)) {
                        home.backup = Some(home.disk.log.copy());
                    }
                }
            }
            Happening::Heals => self.heals(),
            Happening::Rests => self.rests(),
        }
    }

    pub(crate) fn starts(&mut self, process: &'static str) {
        let now_ms = self.now_ms;
        let name = who(process);
        if self.options.plant == Some(Plant::TwoSequencers) && name == self.planted && process != name {
            // Both work on one disk.
            let Some(first) = self.homes.get(name) else { return };
            let second = Home { disk: first.disk.clone(), skew_s: first.skew_s, ..Home::default() };
            self.homes.entry(process).or_insert(second);
        }
        let Some(home) = self.homes.get_mut(process).filter(|home| home.node.is_none() && !home.given_up) else {
            return;
        };
        // Whether the machine went down or the process only; what was not durable is then gone or not.
        let machine = self.chance.one_in(2);
        let chance = &mut self.chance;
        for (_, store) in home.disk.all() {
            store.restart_without(|_| machine && chance.one_in(2));
        }
        if machine && self.options.plant == Some(Plant::LosesDurableWrite) && name == self.planted {
            home.disk.log = home.before_last.as_ref().map_or_else(|| home.disk.log.clone(), Memory::copy);
        }
        home.run += 1;
        home.started_ms = now_ms;
        home.wake_ms = None;
        let (first, died_ms) = (home.run == 1, home.died_ms);
        let careless = self.options.plant == Some(Plant::TwoSequencers) && name == self.planted;
        let mut setup = setup(name, &self.options.agreement, &self.leaf);
        if self.plan.liars.party == Some(name) {
            // It takes whatever times its friends cosign at.
            setup.skew_s_max = Some(i64::MAX);
        }
        let mut opened = Node::open(setup.clone(), home.disk.stores(name, careless));
        if opened.is_err() && !home.rotten.is_empty() {
            self.mends_disk(process);
            let Some(home) = self.homes.get(process) else { return };
            opened = Node::open(setup, home.disk.stores(name, careless));
        }
        let Some(home) = self.homes.get_mut(process) else { return };
        match opened {
            Ok(node) => home.node = Some(node),
            Err(error) => return self.fail(Rule::NodesRun, format!("{process} cannot start: {error}")),
        }
        if !first || process != name {
            self.tell(format!("{process} starts{}", if first { "" } else { " again" }));
        }
        // A write that was durable when the process died shows only now.
        self.watch(process, died_ms);
        self.check_survived(process);
        self.handle(process, Event::Tick);
    }

    pub(crate) fn dies(&mut self, process: &'static str, why: &str) {
        let now_ms = self.now_ms;
        let Some(home) = self.homes.get_mut(process).filter(|home| home.node.is_some()) else { return };
        home.node = None;
        home.died_ms = now_ms;
        self.counts.crashes += 1;
        self.tell(format!("{process} {why}"));
        let pause = if self.healed { 1_000 } else { self.chance.between(500, 45_000) };
        self.after(pause, Happening::Starts { node: process });
    }

    /// Gives a node an event, and carries out what it wants done.
    pub(crate) fn handle(&mut self, process: &'static str, event: Event) {
        let now_ms = self.now_ms;
        let Some(at) = self.clock_at(process) else { return };
        let Some(home) = self.homes.get_mut(process) else { return };
        let Some(node) = home.node.as_mut() else { return };
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
                self.carry_all(process, actions);
            }
            return self.dies(process, &why);
        }
        self.watch(process, now_ms);
        if let Some(why) = stopped {
            return self.stopped(process, &why);
        }
        self.carry_all(process, actions);
        self.schedule(process);
    }

    pub(crate) fn schedule(&mut self, process: &'static str) {
        let now_ms = self.now_ms;
        let Some(home) = self.homes.get_mut(process) else { return };
        let Some(wake) = home.node.as_ref().and_then(Node::wake_at) else { return };
        let wake = wake.saturating_add(home.started_ms).max(now_ms + 1);
        if home.wake_ms.is_none_or(|set| wake < set) && wake < u64::MAX / 2 {
            home.wake_ms = Some(wake);
            let run = home.run;
            self.at(wake, Happening::Wake { node: process, run });
        }
    }
}

pub(crate) fn instant(ms: u64) -> Instant {
    START.plus(i64::try_from(ms / 1000).unwrap_or(i64::MAX))
}

/// `0:01:12.418`
fn clock(ms: u64) -> String {
    let s = ms / 1000;
    format!("{}:{:02}:{:02}.{:03}", s / 3600, s / 60 % 60, s % 60, ms % 1000)
}

/// The checkpoint of an `add-checkpoint` body.
pub(crate) fn note_in(body: &[u8]) -> Option<&[u8]> {
    let at = body.windows(2).position(|w| w == b"\n\n")?;
    body.get(at + 2..)
}
