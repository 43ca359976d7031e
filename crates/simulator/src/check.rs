//! What must hold: meanwhile for what nodes hold in common, at rest for everything.
//!
//! ```text
//! P1 at (P1 12, P2 9), P2 at (P1 10, P2 9)  ──►  both judge (P1 10, P2 9): the same roots, times, bytes of verdicts
//! ```
use crate::town::{SKEW_S, START};
use crate::world::{SILENCE_MS, World};
use crate::{Rule, Sabotage};
use hamsaya_node::node::{Case, Explain, Node};
use hamsaya_record::Instant;
use hamsaya_record::logs::{Head, Logged, LoggedAt, Logs};
use hamsaya_record::statement::{StatementId, hex};
use hamsaya_record::store::Memory;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Long after, so that most deadlines have run out.
const LATER_S: i64 = 20 * 24 * 3600;

/// Each entry and when it is proven to have been logged.
type Timed = Vec<(String, u64, StatementId, Logged)>;

/// Whose, at which heads, what it holds, what it concludes if it was asked to.
type Reading = (&'static str, Vec<Head>, Timed, Option<[u8; 32]>);

fn timed(logs: &Logs, known_by: Instant) -> Timed {
    let entries = logs.entries().iter().enumerate();
    entries.map(|(n, e)| (e.origin.to_string(), e.index, e.statement_id, logs.logged(n, known_by))).collect()
}

impl World {
    /// All running keepers judge at the heads that they share; the digest, if there is one.
    pub(crate) fn compare(&mut self, at_rest: bool) -> Option<[u8; 32]> {
        let keepers = self.keepers();
        let mut common: BTreeMap<String, u64> = BTreeMap::new();
        let all: Vec<Vec<Head>> = keepers.iter().map(|(_, node)| node.heads()).collect();
        for head in all.iter().flatten() {
            let everywhere = all.iter().all(|heads| heads.iter().any(|h| h.origin == head.origin));
            if everywhere {
                let size = common.entry(head.origin.clone()).or_insert(head.size);
                *size = (*size).min(head.size);
            }
        }
        let later = self.now().plus(LATER_S);
        let mut first: Option<Reading> = None;
        let mut verdicts = 0;
        let mut differs = None;
        for (name, node) in &keepers {
            let heads: Vec<Head> = common.iter().filter_map(|(origin, size)| node.head_at(origin, *size)).collect();
            let logs = self.read(name, node, &heads);
            let times = timed(&logs, later);
            let case = Case {
                agreement: self.options.agreement.clone(),
                logs: Arc::new(logs),
                as_of: later,
                known_by: later,
                before: None,
            };
            // Verdicts are a function of what was just compared. All judge at rest; meanwhile two are enough, since
            // judging takes most of the time of a story.
            let judges = at_rest || first.is_none() || keepers.last().is_some_and(|(last, _)| last == name);
            let judged = if judges { Some(case.judge(&Explain::None)) } else { None };
            let digest = match judged {
                Some(Ok(judgment)) => {
                    verdicts = judgment.verdicts.len();
                    Some(judgment.digest())
                }
                Some(Err(error)) => {
                    differs = Some(format!("{name} cannot judge: {error}"));
                    break;
                }
                None => None,
            };
            match &first {
                None => first = Some((name, heads, times, digest)),
                Some((other, their_heads, ..)) if *their_heads != heads => {
                    differs = Some(format!("{name} and {other} hold other trees: {heads:?}, {their_heads:?}"));
                }
                Some((other, _, their_times, _)) if *their_times != times => {
                    let at = times.iter().zip(their_times).position(|(a, b)| a != b).unwrap_or(times.len());
                    differs = Some(format!(
                        "{name} and {other} have other times: {:?}, {:?}",
                        times.get(at),
                        their_times.get(at)
                    ));
                }
                Some((other, .., theirs)) if digest.is_some() && *theirs != digest => {
                    let [mine, theirs] = [digest, *theirs].map(|d| d.as_ref().map(hex).unwrap_or_default());
                    differs = Some(format!("{name} and {other} reach other verdicts: {mine}, {theirs}"));
                }
                Some(_) => (),
            }
        }
        let names: Vec<&str> = keepers.iter().map(|(name, _)| *name).collect();
        let digest = first.as_ref().and_then(|(.., digest)| *digest);
        let told = first.as_ref().zip(digest).map(|((.., times, _), digest)| {
            let short = &hex(&digest)[..16];
            let when = if at_rest { "at rest" } else { "meanwhile" };
            format!("{when} {} judge {} entries alike: {verdicts} verdicts, {short}", names.join(" "), times.len())
        });
        self.counts.verdicts = verdicts as u64;
        match (differs, told) {
            (Some(what), _) => self.fail(Rule::SameVerdicts, what),
            (None, Some(told)) => self.tell(told),
            (None, None) => (),
        }
        digest
    }

    /// What a node holds at these heads, as it would read it.
    fn read(&self, name: &str, node: &Node<Memory>, heads: &[Head]) -> Logs {
        let logs = node.logs_at(heads);
        if self.options.sabotage != Some(Sabotage::Overlooks(name.into())) {
            return logs;
        }
        let shorter = heads.iter().filter(|h| h.size > 1).map(|h| Head { size: h.size - 1, ..h.clone() });
        logs.cut(&shorter.collect::<Vec<_>>())
    }

    /// At rest: nothing that was acknowledged is gone, every log is one tree, all times are true.
    pub(crate) fn check_end(&mut self) {
        let mut found = Vec::new();
        let later = self.now().plus(LATER_S);
        for (name, node) in self.keepers() {
            let logs = node.logs_at(&node.heads());
            let times = timed(&logs, later);
            let held: BTreeMap<(&str, u64), StatementId> =
                times.iter().map(|(origin, index, id, _)| ((origin.as_str(), *index), *id)).collect();
            for posted in &self.posted {
                let Some(receipt) = &posted.receipt else { continue };
                if held.get(&(receipt.origin.as_str(), receipt.index)) != Some(&posted.said.id) {
                    let what = format!(
                        "{name} lacks entry {} of {}, a {} that {} had acknowledged",
                        receipt.index, receipt.origin, posted.said.statement.kind, posted.said.by
                    );
                    found.push((Rule::AcknowledgedEntriesSurvive, what));
                }
            }
            for (origin, sizes) in &self.signed {
                for (size, root) in sizes {
                    if node.head_at(origin, *size).is_none_or(|head| head.root != *root) {
                        let what =
                            format!("{origin} signed a tree of size {size} that {name} does not find in its log");
                        found.push((Rule::OneTree, what));
                    }
                }
            }
            for (origin, index, _, at) in &times {
                found.extend(self.check_time(name, origin, *index, *at));
            }
        }
        for (rule, what) in found {
            self.fail(rule, what);
        }
    }

    /// The interval contains the instant at which the entry became durable, as far as honest clocks can say. A question
    /// about a smaller size may be on its way while the log grows: then a witness honestly says a little later that it had
    /// seen no more.
    fn check_time(&self, name: &str, log: &str, index: u64, logged: Logged) -> Option<(Rule, String)> {
        let appended = self.appended_ms.get(log)?.get(usize::try_from(index).ok()?)?;
        let truth = START.plus(i64::try_from(appended / 1000).ok()?);
        let LoggedAt { lo, hi } = match logged {
            // Entries about checkpoints need no proof of their own.
            Logged::Unproven => return None,
            Logged::Within(at) => at,
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
