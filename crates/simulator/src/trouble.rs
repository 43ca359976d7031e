//! What breaks, what lies, and how all of it ends.
//!
//! ```text
//! Rots ──► a tile of a copy has another bit ──► served, refused by who reads it ──► the next start refuses the copy
//!                                                                               ──► the operator has it taken anew
//! ```
//! The operators of the world do what a manual would say: start again what stopped, put back from another's copy what does
//! not fit, wait where a person must look.
use crate::Rule;
use crate::chance::Chance;
use crate::plan::{Deed, HEALING_MS, Lie, Planned, others};
use crate::reading::checkpoint_in;
use crate::town::{KEEPERS, NAMES, QUORUM, SKEW_S, has_log, origin, twin, who};
use crate::world::{CALM_MS, Happening, Home, Posted, QUORUM_MS, REST_MS, Rot, World};
use hamsaya_node::node::Event;
use hamsaya_record::checkpoint::Checkpoint;
use hamsaya_record::store::{Crash, Memory, Store};
use std::collections::BTreeMap;

/// Statements that no one would log, sent at once.
const FLOOD: u64 = 40;

/// A party with two trees says so much more.
const TOLD_TO_TREES: u64 = 8;

impl World {
    pub(crate) fn does(&mut self, planned: Planned) {
        self.events.insert(planned.number);
        let mut chance = Chance::new(planned.salt);
        let Some(name) = chance.pick(&NAMES).copied() else { return };
        match planned.deed {
            Deed::Speaks => self.speaks(None),
            Deed::Looks => {
                self.compare(false);
            }
            Deed::Cuts => {
                let all: Vec<&'static str> = others(name).collect();
                let Some(other) = chance.pick(&all).copied() else { return };
                self.cut(name, other, &mut chance);
            }
            Deed::Isolates => others(name).for_each(|other| self.cut(name, other, &mut chance)),
            Deed::Splits => {
                let side: Vec<bool> = NAMES.iter().map(|_| chance.one_in(2)).collect();
                let sides = || NAMES.iter().zip(&side);
                for (a, _) in sides().filter(|(_, side)| **side) {
                    sides().filter(|(_, side)| !**side).for_each(|(b, _)| self.cut(a, b, &mut chance));
                }
            }
            Deed::Dies => self.dies(name, "loses power"),
            Deed::Crashes => self.will_crash(name, &mut chance),
            Deed::Rots => self.rots(name, &mut chance),
            Deed::Jumps => {
                let skew_s = i64::try_from(chance.below(2 * SKEW_S.unsigned_abs() + 1)).unwrap_or(SKEW_S) - SKEW_S;
                self.sets_clock(name, skew_s);
            }
            Deed::LosesTime => {
                let Some(liar) = self.plan.liars.witness else { return };
                let honest_s = self.homes.get(liar).map_or(0, |home| home.skew_s);
                let off_s = if chance.one_in(2) { 3600 } else { -3600 };
                self.sets_clock(liar, off_s);
                let until = chance.between(30_000, 120_000);
                self.after(until, Happening::FindsTime { node: liar, skew_s: honest_s });
            }
            Deed::Restores => self.restores(name),
            Deed::Floods => self.floods(&mut chance),
            Deed::Lies(lie) => self.begins_to_lie(lie, &mut chance),
            Deed::Rotates | Deed::Steals | Deed::FindsOut => {
                let Some(by) = chance.pick(&["P1", "P2", "G1"]).copied() else { return };
                match planned.deed {
                    Deed::Rotates => self.rotates(by),
                    Deed::Steals => self.steals(by, planned, &mut chance),
                    _ => self.finds_out(by),
                }
            }
        }
    }

    fn cut(&mut self, a: &'static str, b: &'static str, chance: &mut Chance) {
        let cut = crate::network::pair(a, b);
        if self.cuts.insert(cut) {
            self.counts.partitions += 1;
            self.tell(format!("{} and {} are cut off from each other", cut.0, cut.1));
        }
        let wait = chance.between(5_000, 90_000);
        self.after(wait, Happening::Mends { cut });
    }

    fn will_crash(&mut self, name: &'static str, chance: &mut Chance) {
        let how = chance.pick(&[Crash::Before, Crash::After, Crash::Torn]).copied().unwrap_or(Crash::Before);
        let write = chance.below(8);
        let Some(home) = self.homes.get(name) else { return };
        let copies: Vec<&Memory> = home.disk.copies.values().collect();
        // The own log is where most can go wrong.
        let store = match (chance.below(4), chance.pick(&copies)) {
            (0, _) => &home.disk.witness,
            (1, Some(copy)) => copy,
            _ if has_log(name) => &home.disk.log,
            _ => &home.disk.witness,
        };
        store.crash_at(write, how);
    }

    /// A bit changes in a tile: mostly of a copy, else of the log itself.
    fn rots(&mut self, name: &'static str, chance: &mut Chance) {
        let Some(home) = self.homes.get_mut(name) else { return };
        let of = match chance.pick(&home.disk.copies.keys().cloned().collect::<Vec<_>>()) {
            Some(copy) if !chance.one_in(4) => copy.clone(),
            _ => origin(name),
        };
        let Some(store) = home.disk.held(name, &of) else { return };
        let Some(key) = chance.pick(&store.list("tile/").unwrap_or_default()).cloned() else { return };
        let Ok(Some((sound, _))) = store.read(&key) else { return };
        let mut rotten = sound.clone();
        chance.flip(&mut rotten);
        store.tamper(&key, rotten.clone());
        home.rotten.push(Rot { of: of.clone(), key: key.clone(), sound, rotten });
        self.counts.rotten += 1;
        self.tell(format!("a bit rots at {name}, in {key} of {of}"));
    }

    pub(crate) fn sets_clock(&mut self, name: &'static str, skew_s: i64) {
        for process in [name, twin(name)] {
            if let Some(home) = self.homes.get_mut(process) {
                home.skew_s = skew_s;
                home.jumped = true;
            }
        }
        self.tell(format!("{name}'s clock jumps to {skew_s:+} s off"));
    }

    /// The disk of a log is replaced by the copy that was made of it. What was published since can be had from others; what
    /// was not is lost with the disk, and then a person must look.
    fn restores(&mut self, name: &'static str) {
        if self.has_two_trees(name) || self.homes.contains_key(twin(name)) {
            return;
        }
        let honest = KEEPERS.iter().filter(|other| !self.plan.liars.include(other));
        let others_hold = honest.filter_map(|other| {
            let disk = &self.homes.get(other).filter(|home| home.node.is_some() && *other != name)?.disk;
            size_in(disk.held(other, &origin(name))?, "lock")
        });
        let others_hold = others_hold.max().unwrap_or(0);
        let Some(home) = self.homes.get_mut(name) else { return };
        let Some(backup) = home.backup.take().filter(|_| has_log(name) && !home.given_up) else { return };
        let [signed, published] = ["lock", "checkpoint"].map(|key| size_in(&home.disk.log, key).unwrap_or(0));
        let kept = size_in(&backup, "lock").unwrap_or(0);
        if kept == signed {
            return;
        }
        home.disk.log = backup;
        home.rotten.retain(|rot| rot.of != origin(name));
        self.counts.restored += 1;
        self.tell(format!("{name} has its disk replaced by an older one, of size {kept} where it was {signed}"));
        self.dies(name, "is stopped for it");
        if published < signed || others_hold < published {
            self.tell(format!("what {name} had after {} is lost", published.min(others_hold)));
            self.excused.insert(name);
            let lost_from = published.min(others_hold);
            for posted in self.posted.iter_mut().filter(|p| p.by == name) {
                posted.forgiven |= posted.receipt.as_ref().is_none_or(|receipt| receipt.index >= lost_from);
            }
            if let Some(sizes) = self.signed.get_mut(&origin(name)) {
                sizes.retain(|size, _| *size <= lost_from);
            }
            if let Some(times) = self.appended_ms.get_mut(name) {
                times.truncate(usize::try_from(lost_from).unwrap_or(usize::MAX));
            }
        }
    }

    fn floods(&mut self, chance: &mut Chance) {
        let Some(liar) = self.plan.liars.party else { return };
        self.counts.lies += 1;
        self.tell(format!("{liar} floods everybody"));
        let heard: Vec<Vec<u8>> = self.posted.iter().map(|posted| posted.said.leaf.clone()).collect();
        for name in KEEPERS {
            for _ in 0..FLOOD {
                self.next_ticket += 1;
                let ticket = self.next_ticket;
                let mut bytes = chance.pick(&heard).cloned().unwrap_or_default();
                let event = match chance.below(4) {
                    0 => Event::Overlong { ticket },
                    // Another's statement, one that was sent before, or one with another bit.
                    1 => Event::Submitted { ticket, bytes },
                    2 => {
                        chance.flip(&mut bytes);
                        Event::Submitted { ticket, bytes }
                    }
                    _ => Event::WitnessAsked { ticket, body: bytes },
                };
                self.handle(name, event);
            }
        }
    }

    fn begins_to_lie(&mut self, lie: Lie, chance: &mut Chance) {
        let Some(party) = self.plan.liars.party else { return };
        if lie == Lie::TwoTrees {
            let Some(home) = self.homes.get(party).filter(|home| home.node.is_some() && !home.given_up) else { return };
            // A second process goes on from the same disk, and each has its readers.
            let (disk, rotten) = (home.disk.copy(), home.rotten.clone());
            let second = Home { disk, rotten, skew_s: home.skew_s, ..Home::default() };
            self.homes.insert(twin(party), second);
            self.shown_twin = others(party).filter(|_| chance.one_in(2)).collect();
            self.after(0, Happening::Starts { node: twin(party) });
            // Two trees take twice as much to grow.
            for _ in 0..TOLD_TO_TREES {
                let wait = chance.below(120_000);
                self.after(wait, Happening::Speaks { by: party });
            }
        }
        self.counts.lies += 1;
        self.lies.insert(lie);
        let witness = self.plan.liars.witness.unwrap_or(party);
        self.tell(match lie {
            Lie::TwoTrees => format!("{party} begins to show another tree to {:?}", self.shown_twin),
            Lie::WithholdsLog => format!("{party} begins to withhold its log from all but G2"),
            Lie::WithholdsCosignatures => format!("{witness} begins to withhold cosignatures"),
            Lie::FalseTimes => format!("{witness} begins to cosign at false times"),
            Lie::SignsAll => format!("{witness} begins to cosign whatever it is shown"),
            Lie::ForgesTiles => format!("{party} and {witness} begin to forge what they serve"),
        });
    }

    // --- Operators

    /// Puts right what rotted, when a start or a check of the disk finds it: a copy is taken anew, a tile of the own log is
    /// put back from another's copy.
    pub(crate) fn mends_disk(&mut self, process: &'static str) {
        let Some(home) = self.homes.get_mut(process) else { return };
        let name = who(process);
        let mut done = Vec::new();
        // The last first: a tile may have rotted twice.
        for rot in std::mem::take(&mut home.rotten).into_iter().rev() {
            let Some(store) = home.disk.held(name, &rot.of) else { continue };
            let found = store.read(&rot.key).ok().flatten().map(|(bytes, _)| bytes);
            if found.as_ref() != Some(&rot.rotten) {
                // A tile that is gone may be back after a power cut.
                home.rotten.extend(found.is_none().then_some(rot));
                continue;
            }
            if rot.of == origin(name) {
                store.tamper(&rot.key, rot.sound);
                done.push(format!("{process} has {} put back from another's copy", rot.key));
            } else {
                home.disk.copies.insert(rot.of.clone(), Memory::new());
                done.push(format!("{process} takes its copy of {} anew", rot.of));
            }
        }
        done.into_iter().for_each(|line| self.tell(line));
    }

    /// A node stopped: its operator starts it again if that helps.
    pub(crate) fn stopped(&mut self, process: &'static str, why: &str) {
        let name = who(process);
        let Some(home) = self.homes.get(process) else { return };
        if self.excused.contains(name) && !why.contains("clock") {
            self.tell(format!("{process} waits for a person: {why}"));
            if let Some(home) = self.homes.get_mut(process) {
                home.node = None;
                home.given_up = true;
            }
            return;
        }
        if home.jumped || !home.rotten.is_empty() || self.plan.liars.include(name) || self.excused.contains(name) {
            return self.dies(process, &format!("stopped: {why}"));
        }
        self.fail(Rule::NodesRun, format!("{process} stopped: {why}"));
    }

    pub(crate) fn heals(&mut self) {
        self.tell("all is mended".into());
        self.healed = true;
        self.cuts.clear();
        let processes: Vec<&'static str> = self.homes.keys().copied().collect();
        for process in processes {
            let Some(home) = self.homes.get_mut(process) else { continue };
            if home.node.is_some() {
                // Crashes that did not come do not come any more.
                home.disk.all().iter().for_each(|(_, store)| store.restart());
            }
            if home.is_rotten(who(process)) {
                home.node = None;
                self.tell(format!("{process} is stopped to look at its disk"));
                self.mends_disk(process);
            }
            self.starts(process);
        }
        self.at_healing = self.sizes();
        self.after(1_000, Happening::Rests);
    }

    /// Entries that each honest log has committed; of one whose disk was lost, up to the last that others held then.
    fn sizes(&self) -> BTreeMap<String, u64> {
        let honest = self.appended_ms.iter().filter(|(name, _)| self.must_rest(name) && self.can_have_quorum(name));
        let mut sizes: BTreeMap<String, u64> = honest.map(|(name, times)| (origin(name), times.len() as u64)).collect();
        let lost = |p: &&Posted| !p.forgiven && self.excused.contains(p.by) && !self.plan.liars.include(p.by);
        for receipt in self.posted.iter().filter(lost).filter_map(|p| p.receipt.as_ref()) {
            let size = sizes.entry(receipt.origin.clone()).or_default();
            *size = (*size).max(receipt.index + 1);
        }
        sizes
    }

    /// Whether a log must come to rest: an honest one whose disk was not lost.
    fn must_rest(&self, name: &str) -> bool {
        !self.plan.liars.include(name) && !self.excused.contains(name)
    }

    /// Whether enough of a log's witnesses are left: neither waiting for a person nor lying about what they cosign.
    pub(crate) fn can_have_quorum(&self, log: &str) -> bool {
        let lies = [Lie::WithholdsCosignatures, Lie::FalseTimes].iter().any(|lie| self.lies.contains(lie));
        let liar = self.plan.liars.witness.or(self.plan.liars.party).filter(|_| lies);
        let waits = |name: &str| self.homes.get(name).is_none_or(|home| home.given_up);
        let cosigns = |name: &&&str| **name != log && liar != Some(**name) && !waits(name);
        NAMES.iter().filter(cosigns).count() >= QUORUM
    }

    /// Looks every second whether all is at rest; then the rules are checked.
    pub(crate) fn rests(&mut self) {
        let since_ms = self.now_ms - HEALING_MS;
        let honest = self.keepers().into_iter().filter(|(name, _)| self.must_rest(name));
        let heads: Vec<BTreeMap<String, u64>> =
            honest.map(|(_, node)| node.heads().into_iter().map(|head| (head.origin, head.size)).collect()).collect();
        let nodes = KEEPERS.iter().filter(|name| self.must_rest(name)).count();
        let everywhere = |wanted: &BTreeMap<String, u64>| {
            heads.len() == nodes
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
        let unanswered =
            |p: &&Posted| p.receipt.is_none() && p.refusal.is_none() && !p.forgiven && self.must_rest(p.by);
        let waiting = self.posted.iter().filter(unanswered).count();
        let state: Vec<u64> = sizes.values().copied().collect();
        if !(everywhere(&sizes) && waiting == 0) {
            self.calm = None;
        } else if self.calm.as_ref().is_none_or(|(_, before)| *before != state) {
            self.calm = Some((self.now_ms, state));
        }
        if self.calm.as_ref().is_some_and(|(since, _)| self.now_ms - since >= CALM_MS) {
            self.counts.rest_s = since_ms / 1000;
            self.tell("all is at rest".into());
            self.counts.entries = self.appended_ms.values().map(|times| times.len() as u64).sum();
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

    /// What the log of a process has committed.
    pub(crate) fn lock_of(&self, process: &str) -> Option<Checkpoint> {
        checkpoint_at(&self.homes.get(process)?.disk.log, "lock")
    }
}

fn size_in(store: &Memory, key: &str) -> Option<u64> {
    Some(checkpoint_at(store, key)?.size)
}

/// What lies on a disk, whether or not the process on it has died.
fn checkpoint_at(store: &Memory, key: &str) -> Option<Checkpoint> {
    let read = if store.has_crashed() { store.copy().read(key) } else { store.read(key) };
    checkpoint_in(&read.ok()??.0)
}
