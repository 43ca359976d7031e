//! Judging a record by an agreement.
//!
//! ```text
//! C16.access(Q1, P1)   kept   margin 19:00
//!   opened by  #6 access_req by P2
//!   because    #8 access_refused by P1, #9 re_offer by P1
//! ```
//!
//! [`judge`] turns the record into facts (`facts`), asks the monitor how every clock stands, and names what it answers:
//! which paragraph, which entries, what is missing. Explanations are data; words come from `locales/`.
use crate::annex::Type;
use crate::facts::{Facts, Known, reader_name, shown};
use crate::lower::{Bearer, Clock, nothing};
use crate::source::Agreement;
use crate::standing::Standing;
use hamsaya_monitor::{Absence, Instance, NEVER, Proof, SINCE_EVER, State as Settled, Value};
use hamsaya_record::instant::Instant;
use hamsaya_record::logs::{Head, LoggedAt, Logs};
use hamsaya_record::statement::StatementId;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// How an instance stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum State {
    Kept,
    Breached,
    Pending,
    Disputed,
}

/// Why it stands so, in one code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// What was owed was done, or what was barred was not.
    Performed,
    /// The ground of the duty fell before it was settled (R9).
    Discharged,
    /// The due instant passed without the act.
    NotPerformed,
    /// What was barred was done.
    Contravened,
    /// Time is left.
    Open,
    /// It hangs on facts that nobody has admitted.
    OnDisputedFacts,
}

/// An entry that a verdict cites.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cite {
    /// Origin of its log.
    pub origin: String,
    /// Index there.
    pub index: u64,
    /// Its statement.
    pub statement_id: StatementId,
    /// Kind of statement.
    pub kind: String,
    /// Who said it.
    pub party: String,
    /// When it is proven to have been logged.
    pub logged_at: LoggedAt,
}

/// An entry that is not there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Missing {
    /// Kind of statement (or the agreement's own word).
    pub kind: String,
    /// Field and value, where a certain value was looked for.
    pub fields: Vec<(String, String)>,
    /// From when; `None`: from the beginning.
    pub from: Option<Instant>,
    /// Until when; `None`: for ever.
    pub to: Option<Instant>,
}

/// Explanation as data; words come from `locales/`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reasons {
    /// Entries that opened the instance.
    pub opened_by: Vec<Cite>,
    /// Entries that settle it.
    pub because: Vec<Cite>,
    /// What was looked for and is not there.
    pub missing: Vec<Missing>,
    /// Entries, only asserted, on which a disputed state hangs.
    pub disputed: Vec<Cite>,
    /// A smallest set of entries whose removal would change the state.
    pub flip: Vec<Cite>,
    /// The proof, a line a node, indented by two spaces a level.
    pub proof: Vec<String>,
}

/// One opening of one part of one commitment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// As people write it: `C16.access(Q1, P1)`: ids and ticks of the calendar, then the bearer.
    pub label: String,
    /// `C16`.
    pub commitment: String,
    /// `access`.
    pub part: Option<String>,
    /// `art_4__para_16`.
    pub address: String,
    /// Variable and value.
    pub valuation: Vec<(String, String)>,
    /// Who owes it.
    pub bearer: String,
    /// From when on acts count.
    pub since: Instant,
    /// When its clock opened.
    pub opened: Instant,
    /// When silence breaches it.
    pub due: Option<Instant>,
    /// When silence keeps it.
    pub until: Option<Instant>,
    /// How it stands.
    pub state: State,
    /// Why, in one code.
    pub reason: Reason,
    /// Since when it is breached.
    pub breached_since: Option<Instant>,
    /// When it was settled as kept.
    pub kept_at: Option<Instant>,
    /// Seconds between the act and the due instant.
    pub margin_s: Option<i64>,
    /// Why, in full.
    pub reasons: Reasons,
}

/// All verdicts on a record.
#[derive(Clone, Debug)]
pub struct Judgment {
    /// SHA-256 of the agreement.
    pub agreement: [u8; 32],
    /// Sorted heads of the logs that were judged.
    pub heads: Vec<Head>,
    /// Judged as of.
    pub as_of: Instant,
    /// By what was known by.
    pub known_by: Instant,
    /// Sorted as in the digest.
    pub verdicts: Vec<Verdict>,
    /// The first tick of the calendar after `as_of` that can open a duty.
    pub next_tick: Option<Instant>,
    /// Which statements were taken back, and by which entry.
    withdrawn: BTreeMap<StatementId, Cite>,
}

/// What moved a verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Because {
    /// Only time passed.
    Clock,
    /// These entries came, were timed or were withdrawn.
    Entries(Vec<Cite>),
}

/// A verdict that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// As it was.
    pub before: Option<Verdict>,
    /// As it is.
    pub after: Option<Verdict>,
    /// What moved it.
    pub because: Because,
}

/// Why a record cannot be judged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JudgeError {
    /// The logs belong to another agreement.
    #[error(
        "the record belongs to agreement {found}, this is agreement {allowed}\nhint: give the agreement that the founding entry names"
    )]
    OtherAgreement {
        /// Hex of what the founding entries name.
        found: String,
        /// Hex of the agreement given.
        allowed: String,
    },
}

/// Judges `logs` by `agreement`: what is owed, kept, late and disputed at `as_of`, by what the witnesses prove to have
/// been logged by `known_by`. Pure; see agreement.md, "The judgment".
pub fn judge(agreement: &Agreement, logs: &Logs, as_of: Instant, known_by: Instant) -> Result<Judgment, JudgeError> {
    judge_explaining(agreement, logs, as_of, known_by, |_| true)
}

/// Judges like [`judge`], with the same digest, and explains only the verdicts that are `wanted`: the reasons of all
/// others name disputed facts and nothing else. Finding reasons costs far more than judging.
pub fn judge_explaining(
    agreement: &Agreement,
    logs: &Logs,
    as_of: Instant,
    known_by: Instant,
    wanted: impl Fn(&Verdict) -> bool,
) -> Result<Judgment, JudgeError> {
    Standing::new(agreement).judge(logs, as_of, known_by, wanted)
}

/// What stands on the table while verdicts are written.
pub(crate) struct Bench<'a> {
    pub agreement: &'a Agreement,
    pub facts: &'a Facts,
}

impl Bench<'_> {
    /// A judgment of these verdicts, in order.
    pub(crate) fn judgment(&self, logs: &Logs, as_of: Instant, known_by: Instant, verdicts: Vec<Verdict>) -> Judgment {
        let agreement = self.agreement;
        let withdrawn = self.facts.withdrawals.iter().map(|(target, by)| (*target, self.cite(*by))).collect();
        let ticks = agreement.program().ticks.values();
        let after = as_of.plus(1).max(agreement.in_force().unwrap_or(as_of));
        let next_tick = ticks.filter_map(|t| t.first_from(agreement.seasons(), after)).map(|b| b.at).min();
        let (agreement, heads) = (agreement.digest(), logs.heads().to_vec());
        Judgment { agreement, heads, as_of, known_by, verdicts, next_tick, withdrawn }
    }

    pub(crate) fn verdict(&self, instance: &Instance, clock: &Clock, bearer: String) -> Verdict {
        let commitment = &self.agreement.commitments()[clock.commitment];
        let values = &instance.key.valuation;
        let valuation: Vec<(String, String)> = clock
            .visible
            .iter()
            .filter_map(|(n, name, kind)| Some((name.clone(), shown(kind, values.get(*n)?))))
            .collect();
        let inner = clock.about(values).into_iter().chain([bearer.clone()]).collect::<Vec<String>>();
        let part = commitment.part.as_ref().map(|p| format!(".{p}")).unwrap_or_default();
        let state = match instance.state {
            Settled::Kept => State::Kept,
            Settled::Breached => State::Breached,
            Settled::Pending => State::Pending,
            Settled::Disputed => State::Disputed,
        };
        let reason = match state {
            State::Kept if instance.lapsed => Reason::Discharged,
            State::Kept => Reason::Performed,
            State::Breached if clock.prohibition => Reason::Contravened,
            State::Breached => Reason::NotPerformed,
            State::Pending => Reason::Open,
            State::Disputed => Reason::OnDisputedFacts,
        };
        // A prohibition has no instant by which to act, a duty that is read at its opening no time to.
        let due = instance.due.filter(|_| !clock.immediate && !clock.prohibition).map(Instant);
        let kept_at = instance.kept_at.map(Instant).filter(|_| state == State::Kept);
        let margin_s = match (reason, due, kept_at) {
            (Reason::Performed, Some(due), Some(kept_at)) => Some(due.0.saturating_sub(kept_at.0)),
            _ => None,
        };
        Verdict {
            label: format!("{}{part}({})", commitment.id, inner.join(", ")),
            commitment: commitment.id.clone(),
            part: commitment.part.clone(),
            address: commitment.address.clone(),
            valuation,
            bearer,
            since: Instant(instance.since),
            opened: Instant(instance.key.opened),
            due,
            until: instance.until.filter(|_| !clock.immediate).map(Instant),
            state,
            reason,
            breached_since: instance.breached_since.map(Instant).filter(|_| state == State::Breached),
            kept_at,
            margin_s,
            reasons: Reasons { disputed: self.cites(&self.behind(&instance.disputed)), ..Reasons::default() },
        }
    }

    /// Log and index of an entry.
    fn named(&self, known: usize) -> (&str, u64) {
        let Known { entry, .. } = &self.facts.known[known];
        (&entry.origin, entry.index)
    }

    fn cite(&self, known: usize) -> Cite {
        let k = &self.facts.known[known];
        Cite {
            origin: k.entry.origin.to_string(),
            index: k.entry.index,
            statement_id: k.entry.statement_id,
            kind: k.entry.statement.kind.clone(),
            party: k.entry.statement.party.clone(),
            logged_at: k.at,
        }
    }

    fn cites(&self, entries: &BTreeSet<usize>) -> Vec<Cite> {
        let mut cites: Vec<Cite> = entries.iter().map(|n| self.cite(*n)).collect();
        cites.sort();
        cites
    }

    fn behind(&self, facts: &[hamsaya_monitor::FactId]) -> BTreeSet<usize> {
        facts.iter().flat_map(|f| self.facts.entries_behind(f)).collect()
    }

    pub(crate) fn explain(&self, instance: &Instance, reasons: &mut Reasons) {
        let Some(explanation) = self.facts.monitor().explain(&instance.key) else { return };
        let opened_by = self.behind(&explanation.opened_by);
        // What opened the clock is said once; who states the same thing is cited beside whoever settles it.
        let settles: Vec<_> =
            explanation.present.iter().filter(|f| !explanation.opened_by.contains(f)).cloned().collect();
        let mut because = self.behind(&settles);
        if instance.state == Settled::Pending {
            // Nothing settles it yet; what has been done about it may still have moved its due instant.
            let Some(clock) = self.agreement.program().clocks.get(&instance.key.rule) else { return };
            for (kind, given) in &clock.reads {
                let given: Vec<(&str, &Value)> = given
                    .iter()
                    .filter_map(|(field, n)| Some((field.as_str(), instance.key.valuation.get(*n)?)))
                    .collect();
                because.extend(self.facts.stated(kind, &given));
            }
            because.retain(|n| !opened_by.contains(n) && self.facts.known[*n].at.hi >= Instant(instance.since));
        } else if because.is_empty() && explanation.absent.is_empty() {
            because = self.behind(&explanation.present);
        }
        let corroborating: Vec<usize> = because.iter().flat_map(|n| self.facts.corroborating(*n)).collect();
        because.extend(corroborating);
        reasons.opened_by = self.cites(&opened_by);
        reasons.because = self.cites(&because);
        reasons.missing = self.missing(&explanation.absent);
        if let Some(flip) = self.facts.monitor().flip(&instance.key) {
            reasons.flip = self.cites(&self.smallest(&flip));
        }
        self.proof(&explanation.proof, 0, &mut reasons.proof);
    }

    /// The fewest entries that take all these facts with them: one entry may stand behind several.
    fn smallest(&self, facts: &[hamsaya_monitor::FactId]) -> BTreeSet<usize> {
        let mut left: Vec<Vec<usize>> =
            facts.iter().map(|f| self.facts.entries_behind(f)).filter(|e| !e.is_empty()).collect();
        let mut chosen = BTreeSet::new();
        while !left.is_empty() {
            let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
            for entry in left.iter().flatten() {
                *counts.entry(*entry).or_default() += 1;
            }
            // Of those that stand behind most, the first by log and index.
            let best = counts.iter().max_by_key(|(n, count)| (**count, Reverse(self.named(**n))));
            let Some(best) = best.map(|(n, _)| *n) else { break };
            chosen.insert(best);
            left.retain(|entries| !entries.contains(&best));
        }
        chosen
    }

    fn missing(&self, absences: &[Absence]) -> Vec<Missing> {
        let mut all = BTreeSet::new();
        for absence in absences {
            let Some((kind, placed)) = reader_name(&absence.predicate) else { continue };
            let Some(columns) = self.agreement.program().columns.get(kind) else { continue };
            let fields = columns
                .iter()
                .zip(&absence.args)
                .filter(|(column, _)| !(column.name.starts_with('$') || placed && column.name == "by"))
                .filter_map(|(column, value)| {
                    let value = value.as_ref().filter(|v| **v != nothing(&column.kind))?;
                    Some((column.name.clone(), shown(&column.kind, value)))
                })
                .collect();
            all.insert(Missing {
                kind: kind.to_string(),
                fields,
                from: (absence.from != SINCE_EVER).then_some(Instant(absence.from)),
                to: (absence.to != NEVER).then_some(Instant(absence.to)),
            });
        }
        all.into_iter().collect()
    }

    fn proof(&self, proof: &Proof, depth: usize, into: &mut Vec<String>) {
        let at = |t: i64| match t {
            NEVER => "never".to_string(),
            SINCE_EVER => "always".to_string(),
            t => Instant(t).to_string(),
        };
        let cited = proof.facts.iter().flat_map(|f| self.facts.entries_behind(f)).map(|n| self.named(n));
        let cited: BTreeSet<(&str, u64)> = cited.collect();
        let cited: Vec<String> = cited.iter().map(|(origin, index)| format!(" [{origin} {index}]")).collect();
        into.push(format!(
            "{}{} @ {}: {}, settled {}{}",
            "  ".repeat(depth),
            proof.node,
            at(proof.at),
            proof.holds,
            at(proof.settled),
            cited.concat()
        ));
        for child in &proof.children {
            self.proof(child, depth + 1, into);
        }
    }
}

impl Clock {
    /// What an instance is about, as its label says it: ids and ticks.
    pub(crate) fn about(&self, values: &[Value]) -> Vec<String> {
        let shown_in_label = self.visible.iter().filter_map(|(n, _, kind)| {
            let value = values.get(*n)?;
            match (self.ticks.iter().find(|(at, _)| at == n), value) {
                (Some((_, tick)), Value::Int(v)) => Some(tick.label(*v)),
                _ => (*kind == Type::Id).then(|| shown(kind, value)),
            }
        });
        shown_in_label.collect()
    }
}

pub(crate) fn bearer(bearer: &Bearer, values: &[Value]) -> String {
    match bearer {
        Bearer::Named(name) => name.clone(),
        Bearer::Key(n) => values.get(*n).map(|v| shown(&Type::Party, v)).unwrap_or_default(),
        Bearer::Jointly(all) => all.iter().map(|b| self::bearer(b, values)).collect::<Vec<_>>().join(" & "),
    }
}

impl Judgment {
    /// What differs from an earlier judgment, and why, in the order of the digest.
    pub fn changes_since(&self, before: &Judgment) -> Vec<Change> {
        type Key<'v> = (&'v str, &'v [(String, String)], Instant);
        fn key(v: &Verdict) -> Key<'_> {
            (&v.label, &v.valuation, v.opened)
        }
        let was: BTreeMap<Key<'_>, &Verdict> = before.verdicts.iter().map(|v| (key(v), v)).collect();
        let is: BTreeSet<Key<'_>> = self.verdicts.iter().map(key).collect();
        let mut changes = Vec::new();
        for verdict in &self.verdicts {
            let earlier = was.get(&key(verdict)).copied();
            if earlier.is_none_or(|e| differs(e, verdict)) {
                let because = self.because(before, earlier, Some(verdict));
                changes.push(Change { before: earlier.cloned(), after: Some(verdict.clone()), because });
            }
        }
        for verdict in before.verdicts.iter().filter(|v| !is.contains(&key(v))) {
            let because = self.because(before, Some(verdict), None);
            changes.push(Change { before: Some(verdict.clone()), after: None, because });
        }
        changes
    }

    /// If the later verdict rests on an entry that is newly known, all entries that settle it; else the withdrawals of
    /// those on which the earlier one rested; else only time passed.
    fn because(&self, before: &Judgment, was: Option<&Verdict>, is: Option<&Verdict>) -> Because {
        let cited = |v: Option<&Verdict>| -> BTreeSet<Cite> {
            let Some(Reasons { opened_by, because, disputed, .. }) = v.map(|v| &v.reasons) else {
                return BTreeSet::new();
            };
            opened_by.iter().chain(because).chain(disputed).cloned().collect()
        };
        let (old, new) = (cited(was), cited(is));
        let (earlier, later) = (before.known_by.min(self.known_by), before.known_by.max(self.known_by));
        let newly = |c: &Cite| c.logged_at.hi > earlier && c.logged_at.hi <= later || self.heads != before.heads;
        let fresh: BTreeSet<Cite> = new.difference(&old).filter(|c| newly(c)).cloned().collect();
        let withdrawn = old.iter().filter_map(|c| {
            let by = self.withdrawn.get(&c.statement_id)?;
            (before.withdrawn.get(&c.statement_id) != Some(by)).then(|| by.clone())
        });
        let withdrawn: BTreeSet<Cite> = withdrawn.collect();
        // The earlier judgment knew more, as when it is asked what was known before.
        let forgotten = old.difference(&new).filter(|c| c.logged_at.hi > self.known_by).cloned();
        let mut entries: BTreeSet<Cite> = forgotten.chain(withdrawn).collect();
        if !fresh.is_empty() {
            let settling = is.map(|v| v.reasons.because.iter().cloned().collect()).unwrap_or_default();
            entries = entries.into_iter().chain(fresh).chain::<BTreeSet<Cite>>(settling).collect();
        }
        if entries.is_empty() { Because::Clock } else { Because::Entries(entries.into_iter().collect()) }
    }
}

/// Whether people would see another verdict; reasons aside.
fn differs(a: &Verdict, b: &Verdict) -> bool {
    (a.state, a.reason, a.since, a.due, a.until, a.breached_since, a.kept_at)
        != (b.state, b.reason, b.since, b.due, b.until, b.breached_since, b.kept_at)
}
