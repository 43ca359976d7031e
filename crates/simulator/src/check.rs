//! What must hold: at every step what a step can break, and at rest everything.
//!
//! ```text
//! acknowledged        at every reply: the lock on the disk reaches beyond the entry; at every start: it is there
//! witness cosigned    at every cosignature: no smaller size, no second tree
//! head moved          at every step of a copy: the same tree as the others' copies
//! P1 at (P1 12, P2 9), P2 at (P1 10, P2 9)  ──►  both at (P1 10, P2 9): the same roots, times, bytes of verdicts
//! ```
//! Verdicts are a function of entries and times, which are compared at every node; judging takes most of the time of a
//! story, so at rest two nodes judge.
use crate::network::SILENCE_MS;
use crate::town::{SKEW_S, START, has_log, origin};
use crate::world::World;
use crate::{Plant, Rule};
use hamsaya_node::node::{Case, Explain, Receipt};
use hamsaya_record::Instant;
use hamsaya_record::checkpoint::Checkpoint;
use hamsaya_record::logs::{Head, Logged, LoggedAt, Logs};
use hamsaya_record::merkle::Hash;
use hamsaya_record::statement::{FieldValue, StatementId, hex};
use hamsaya_record::store::Store;
use hamsaya_record::witness::WitnessAnswer;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Long after, so that most deadlines have run out.
const LATER_S: i64 = 20 * 24 * 3600;

/// Each entry and when it is proven to have been logged.
type Timed = Vec<(String, u64, StatementId, Logged)>;

/// Whose, at which heads, what it holds, what it concludes if it was asked to.
type Reading = (&'static str, Vec<Head>, Timed, Option<[u8; 32]>);

fn timed(logs: &Logs, known_by: Instant) -> Timed {
    let entries = logs.entries().iter().enumerate().filter(|(_, e)| e.statement.kind != "founding");
    entries.map(|(n, e)| (e.origin.to_string(), e.index, e.statement_id, logs.logged(n, known_by))).collect()
}

impl World {
    // --- At every step

    /// Looks at what a log committed: when its entries came, and what its key signed.
    pub(crate) fn watch(&mut self, process: &'static str, at_ms: u64) {
        let name = crate::town::who(process);
        let Some(home) = self.homes.get_mut(process).filter(|_| has_log(name)) else { return };
        let Ok(Some((_, version))) = home.disk.log.read("lock") else { return };
        if home.lock_seen.replace(version) == Some(version) {
            return;
        }
        if self.options.plant == Some(Plant::LosesDurableWrite) {
            (home.before_last, home.last) = (home.last.take(), Some(home.disk.log.copy()));
        }
        let Some(checkpoint) = self.lock_of(process) else { return };
        if self.has_two_trees(name) {
            self.branches.entry(process).or_default().insert(checkpoint.size, checkpoint.root);
            return;
        }
        let times = self.appended_ms.entry(name).or_default();
        let size = usize::try_from(checkpoint.size).unwrap_or(usize::MAX);
        if size > times.len() {
            times.resize(size, at_ms);
        }
        let sizes = self.signed.entry(checkpoint.origin.clone()).or_default();
        if *sizes.entry(checkpoint.size).or_insert(checkpoint.root) != checkpoint.root {
            self.fail(Rule::OneTree, format!("{name} signed two trees of size {}", checkpoint.size));
        }
    }

    /// A reply leaves: what it promises is durable.
    pub(crate) fn check_acknowledged(&mut self, process: &'static str, receipt: &Receipt) {
        let durable = self.lock_of(process).map_or(0, |checkpoint| checkpoint.size);
        if durable <= receipt.index && self.plan.liars.party != Some(crate::town::who(process)) {
            let what = format!("{process} acknowledges entry {}, durable are {durable}", receipt.index);
            self.fail(Rule::AcknowledgedEntriesSurvive, what);
        }
    }

    /// A node has read its disk: what it acknowledged is there.
    pub(crate) fn check_survived(&mut self, name: &'static str) {
        let Some(node) = self.homes.get(name).and_then(|home| home.node.as_ref()) else { return };
        let Some(acceptance) = node.acceptance().filter(|_| self.plan.liars.party != Some(name)) else { return };
        let lost = self.posted.iter().filter(|p| p.by == name && !p.forgiven).find_map(|posted| {
            let index = posted.receipt.as_ref()?.index;
            (acceptance.index_of(&posted.said.id) != Some(index)).then_some((index, &posted.said.statement.kind))
        });
        // What is lost on a disk that was replaced can be had from others, and the end will tell.
        if let Some((index, kind)) = lost.filter(|_| self.counts.restored == 0) {
            let what = format!("{name} starts without entry {index}, a {kind} that it had acknowledged");
            self.fail(Rule::AcknowledgedEntriesSurvive, what);
        }
    }

    /// What an honest witness answered.
    pub(crate) fn check_witness(&mut self, name: &'static str, of: &Checkpoint, answer: &WitnessAnswer) {
        let liar = self.plan.liars.party.filter(|liar| origin(liar) == of.origin && self.has_two_trees(liar));
        // A tree may hold the other's root at a size at which it signed nothing itself.
        let sides = || -> BTreeSet<&'static str> {
            let node = |process| self.homes.get(process).and_then(|home| home.node.as_ref());
            let holds = |process| node(process).and_then(|node| node.head_at(&of.origin, of.size));
            let on = |(process, sizes): &(&&'static str, &BTreeMap<u64, Hash>)| {
                sizes.get(&of.size) == Some(&of.root) || holds(**process).is_some_and(|head| head.root == of.root)
            };
            self.branches.iter().filter(on).map(|(process, _)| *process).collect()
        };
        match answer {
            WitnessAnswer::Cosigned(_) => {
                let mut faults = Vec::new();
                let last = self.cosigned.insert((name, of.origin.clone()), (of.size, of.root));
                if let Some((size, root)) = last.filter(|(s, r)| of.size < *s || (of.size == *s && of.root != *r)) {
                    faults.push(format!("size {} after size {size} (root {})", of.size, &hex(&root)[..8]));
                }
                // The tree that it cosigns now holds what it cosigned last; two trees may begin alike.
                if let (Some(_), Some((size, root))) = (liar, last.filter(|(size, _)| *size <= of.size)) {
                    let node = |process| {
                        let home = self.homes.get(process).filter(|home| !home.is_rotten(crate::town::who(process)))?;
                        home.node.as_ref()
                    };
                    let held = sides().into_iter().filter_map(|process| node(process)?.head_at(&of.origin, size));
                    let held: Vec<Head> = held.collect();
                    if !held.is_empty() && held.iter().all(|head| head.root != root) {
                        faults.push(format!("two trees, of sizes {size} and {}", of.size));
                    }
                }
                if let Some(fault) = faults.pop() {
                    self.fail(Rule::WitnessesRemember, format!("{name} cosigns of {} {fault}", of.origin));
                }
            }
            WitnessAnswer::Unproven(_) if liar.is_some() && !sides().is_empty() => {
                let run = self.homes.get(name).map_or(0, |home| home.run);
                if self.forks.insert((name, run, of.size, of.root)) {
                    self.counts.forks += 1;
                    self.tell(format!("{name} is asked to cosign another tree of {}", of.origin));
                }
            }
            _ => (),
        }
    }

    /// A node's heads moved: no honest node holds another tree.
    pub(crate) fn check_heads(&mut self, name: &'static str) {
        let sound = |name: &'static str| {
            let home = self.homes.get(name).filter(|home| !home.is_rotten(name) && has_log(name))?;
            home.node.as_ref().filter(|_| !self.has_two_trees(name))
        };
        let Some(node) = sound(name) else { return };
        let mut differs = None;
        let mut moved = Vec::new();
        for head in node.heads() {
            if self.held.get(&(name, head.origin.clone())) == Some(&head) {
                continue;
            }
            for ((other, of), theirs) in self.held.iter().filter(|((n, of), _)| *n != name && *of == head.origin) {
                let Some(their_node) = sound(other) else { continue };
                let (longer, shorter) = if theirs.size <= head.size { (node, theirs) } else { (their_node, &head) };
                if longer.head_at(of, shorter.size).is_some_and(|at| at.root != shorter.root) {
                    differs = Some(format!("{name} and {other} hold two trees of {of} at size {}", shorter.size));
                }
            }
            moved.push(head);
        }
        self.held.extend(moved.into_iter().map(|head| ((name, head.origin.clone()), head)));
        if let Some(what) = differs {
            self.fail(Rule::OneTree, what);
        }
    }

    // --- Now and then

    /// All running honest keepers read what they share, and at rest judge it; the digest, if there is one.
    pub(crate) fn compare(&mut self, at_rest: bool) -> Option<[u8; 32]> {
        let keepers: Vec<&'static str> = self.keepers().into_iter().map(|(name, _)| name).collect();
        let keepers: Vec<&'static str> = keepers.into_iter().filter(|name| !self.has_two_trees(name)).collect();
        let rotten = |name: &&&str| self.homes.get(**name).is_some_and(|home| home.is_rotten(name));
        if keepers.iter().any(|name| rotten(&name)) {
            return None;
        }
        // Each judges sometimes, and who may be mistaken always.
        let second = keepers.get(1..).and_then(|rest| self.chance.pick(rest)).copied();
        let judges = [keepers.first().copied(), second, Some(self.planted)];
        let node = |name: &str| self.homes.get(name).and_then(|home| home.node.as_ref());
        let mut common: BTreeMap<String, u64> = BTreeMap::new();
        let all: Vec<Vec<Head>> = keepers.iter().filter_map(|name| Some(node(name)?.heads())).collect();
        for head in all.iter().flatten() {
            if all.iter().all(|heads| heads.iter().any(|h| h.origin == head.origin)) {
                let size = common.entry(head.origin.clone()).or_insert(head.size);
                *size = (*size).min(head.size);
            }
        }
        let later = self.now().plus(LATER_S);
        let mut first: Option<Reading> = None;
        let (mut verdicts, mut differs, mut found) = (0, None, Vec::new());
        for name in &keepers {
            let heads = common.iter().filter_map(|(origin, size)| node(name)?.head_at(origin, *size));
            let heads: Vec<Head> = heads.collect();
            let logs = self.read(name, &heads);
            let times = timed(&logs, later);
            if first.is_none() {
                found.extend(
                    times.iter().filter_map(|(origin, index, _, at)| self.check_time(name, origin, *index, *at)),
                );
            }
            if at_rest && second == Some(*name) && timed(&self.reread(name, &heads, None), later) != times {
                differs = Some(format!("{name} has in memory what a stranger does not read on its disk"));
            }
            let mut digest = None;
            if at_rest && judges.contains(&Some(*name)) {
                let agreement = self.options.agreement.clone();
                let case = Case { agreement, logs: Arc::new(logs), as_of: later, known_by: later, before: None };
                match case.judge(&Explain::None) {
                    Ok(judgment) => {
                        verdicts = judgment.verdicts.len();
                        digest = Some(judgment.digest());
                    }
                    Err(error) => differs = Some(format!("{name} cannot judge: {error}")),
                }
            }
            match &first {
                None => first = Some((name, heads, times, digest)),
                Some((other, their_heads, ..)) if *their_heads != heads => {
                    differs = Some(format!("{name} and {other} hold other trees: {heads:?}, {their_heads:?}"));
                }
                Some((other, _, their_times, _)) if *their_times != times => {
                    let at = times.iter().zip(their_times).position(|(a, b)| a != b).unwrap_or(times.len());
                    let (mine, theirs) = (times.get(at), their_times.get(at));
                    differs = Some(format!("{name} and {other} have other entries or times: {mine:?}, {theirs:?}"));
                }
                Some((other, .., theirs)) if digest.is_some() && *theirs != digest => {
                    let [mine, theirs] = [digest, *theirs].map(|d| d.as_ref().map(hex).unwrap_or_default());
                    differs = Some(format!("{name} and {other} reach other verdicts: {mine}, {theirs}"));
                }
                Some(_) => (),
            }
        }
        let digest = first.as_ref().and_then(|(.., digest)| *digest);
        let entries = first.as_ref().map_or(0, |(_, _, times, _)| times.len());
        self.counts.verdicts = verdicts as u64;
        match (differs, digest) {
            (Some(what), _) => self.fail(Rule::SameVerdicts, what),
            (None, Some(digest)) => {
                let short = &hex(&digest)[..16];
                self.tell(format!("{} hold {entries} entries alike: {verdicts} verdicts, {short}", keepers.join(" ")));
            }
            (None, None) => self.tell(format!("{} hold {entries} entries alike", keepers.join(" "))),
        }
        for (rule, what) in found {
            self.fail(rule, what);
        }
        digest
    }

    /// At rest: nothing that was acknowledged is gone, every log is one tree, liars and nobody else are exposed.
    pub(crate) fn check_end(&mut self) {
        let mut found = Vec::new();
        let later = self.now().plus(LATER_S);
        for (name, node) in self.keepers() {
            if self.plan.liars.include(name) || self.excused.contains(name) {
                continue;
            }
            let logs = node.logs_at(&node.heads());
            let times = timed(&logs, later);
            let held: BTreeMap<(&str, u64), StatementId> =
                times.iter().map(|(origin, index, id, _)| ((origin.as_str(), *index), *id)).collect();
            // What no quorum can cosign is published nowhere.
            let shared = |keeper: &str| self.can_have_quorum(keeper);
            let owed = self.posted.iter().filter(|p| !p.forgiven && !self.plan.liars.include(p.by) && shared(p.by));
            for posted in owed {
                let Some(receipt) = &posted.receipt else { continue };
                if held.get(&(receipt.origin.as_str(), receipt.index)) != Some(&posted.said.id) {
                    let what = format!(
                        "{name} lacks entry {} of {}, a {} that {} had acknowledged",
                        receipt.index, receipt.origin, posted.said.statement.kind, posted.by
                    );
                    found.push((Rule::AcknowledgedEntriesSurvive, what));
                }
            }
            let is_shared =
                |log: &str| crate::town::KEEPERS.iter().any(|keeper| origin(keeper) == log && shared(keeper));
            for (origin, sizes) in self.signed.iter().filter(|(origin, _)| self.is_honest(origin) && is_shared(origin))
            {
                for (size, root) in sizes {
                    if node.head_at(origin, *size).is_none_or(|head| head.root != *root) {
                        let what =
                            format!("{origin} signed a tree of size {size} that {name} does not find in its log");
                        found.push((Rule::OneTree, what));
                    }
                }
            }
            let accused = |e: &Arc<hamsaya_record::logs::Entry>| match e.statement.fields.get("origin") {
                Some(FieldValue::Text(origin)) if e.statement.kind == "equivocation" => Some(origin.clone()),
                _ => None,
            };
            let accused: BTreeSet<String> = logs.entries().iter().filter_map(accused).collect();
            for origin in accused.iter().filter(|origin| self.must_be_one(origin)) {
                found.push((Rule::NobodyIsAccusedFalsely, format!("{name} holds that {origin} shows two trees")));
            }
            found.extend(self.check_exposed(name, &accused));
            found.extend(self.check_stolen(name, &logs, later));
        }
        for (rule, what) in found {
            self.fail(rule, what);
        }
    }

    /// Who was asked to cosign a tree that is not the one it now holds has said so.
    fn check_exposed(&self, name: &'static str, accused: &BTreeSet<String>) -> Option<(Rule, String)> {
        let home = self.homes.get(name)?;
        let liar = origin(self.plan.liars.party?);
        let is_other = |(asked, run, size, root): &&(&str, u64, u64, Hash)| {
            let held = || home.node.as_ref()?.head_at(&liar, *size);
            *asked == name && *run == home.run && held().is_some_and(|head| head.root != *root)
        };
        let (_, _, size, _) = self.forks.iter().find(is_other)?;
        (!accused.contains(&liar)).then(|| {
            let what = format!("{name} was asked to cosign another tree of {liar}, of size {size}; no record says so");
            (Rule::SplitViewsAreExposed, what)
        })
    }

    /// Whether this is the log of somebody who never lies, and whose disk was not lost.
    fn is_honest(&self, log: &str) -> bool {
        let lies = |name: &&str| origin(name) == log && self.plan.liars.include(name);
        self.must_be_one(log) && !crate::town::KEEPERS.iter().any(lies)
    }

    /// Whether this log has one tree: nobody forked it, and its disk was not lost.
    fn must_be_one(&self, log: &str) -> bool {
        let not = |name: &&str| origin(name) == log && (self.has_two_trees(name) || self.excused.contains(*name));
        !crate::town::KEEPERS.iter().any(not)
    }

    /// The interval contains the instant at which the entry became durable, as far as honest clocks can say. A question
    /// about a smaller size may be on its way while the log grows: then a witness honestly says a little later that it had
    /// seen no more.
    fn check_time(&self, name: &str, log: &str, index: u64, logged: Logged) -> Option<(Rule, String)> {
        if !self.must_be_one(log) {
            return None;
        }
        let keeper = crate::town::KEEPERS.iter().find(|keeper| origin(keeper) == log)?;
        let appended = self.appended_ms.get(keeper)?.get(usize::try_from(index).ok()?)?;
        let truth = START.plus(i64::try_from(appended / 1000).ok()?);
        let LoggedAt { lo, hi } = match logged {
            // Entries about checkpoints need no proof of their own.
            Logged::Unproven => return None,
            Logged::Within(at) => at,
            Logged::Stolen(at) if self.has_theft(log) => at,
            Logged::Equivocated(_) | Logged::Stolen(_) => {
                let what =
                    format!("{name} disputes entry {index} of {log}, which signed one tree with keys of its own");
                return Some((Rule::NobodyIsAccusedFalsely, what));
            }
            Logged::Disputed { by, not_before } => LoggedAt { lo: not_before, hi: by },
        };
        let late = i64::try_from(SILENCE_MS / 1000).ok()?;
        let fault = match () {
            () if lo > hi => "begins after its end",
            () if hi < truth.plus(-SKEW_S) => "ends before it was there",
            () if lo > truth.plus(SKEW_S + late) => "begins long after it was there",
            () => return None,
        };
        let what = format!("by {name}, the time of entry {index} of {log} {fault}: {lo} to {hi}, in truth {truth}");
        Some((Rule::TimesAreTrue, what))
    }
}
