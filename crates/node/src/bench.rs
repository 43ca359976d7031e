//! When to judge, and what the judgments said.
//!
//! ```text
//! record changed ──► quiet for judge_ms, or changing for five times as long ──► Judge ──► Judged ──► changes
//! clock moved    ──► past the next instant at which an open clock runs out     ──┘
//! ```
//! Judging itself is done elsewhere; one judgment at a time. Thousands of entries that come together are judged once.
use crate::config::Pacing;
use crate::node::{Action, At, Case, Earlier, Hint, Node};
use hamsaya_agreement::{Agreement, Change, JudgeError, Judgment, State, Verdict};
use hamsaya_record::Instant;
use hamsaya_record::store::Store;
use std::collections::VecDeque;
use std::sync::Arc;

/// So many changes are kept for readers.
const CHANGES_MAX: usize = 1_000;

/// A verdict that changed, and as of when that was found.
#[derive(Clone, Debug)]
pub struct Changed {
    /// As of the judgment that found it.
    pub at: Instant,
    /// What changed.
    pub change: Change,
}

impl Changed {
    /// Label of the instance.
    pub fn label(&self) -> &str {
        let verdict: Option<&Verdict> = self.change.after.as_ref().or(self.change.before.as_ref());
        verdict.map_or("", |v| v.label.as_str())
    }
}

#[derive(Clone, Copy, Debug)]
struct Stir {
    first_ms: u64,
    last_ms: u64,
}

/// Judgments of one node.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) agreement: Option<Arc<Agreement>>,
    /// The last judgment, alone, and what it was made from.
    last: Option<(Case, Arc<Judgment>)>,
    pub(crate) changes: VecDeque<Changed>,
    stir: Option<Stir>,
    /// What is being judged.
    judging: Option<Case>,
    /// The next instant at which an open clock of the last judgment runs out.
    next_change: Option<Instant>,
}

impl Bench {
    pub(crate) fn new(agreement: Option<Arc<Agreement>>) -> Bench {
        Bench { agreement, last: None, changes: VecDeque::new(), stir: None, judging: None, next_change: None }
    }

    pub(crate) fn record_changed(&mut self, at: At) {
        let first_ms = self.stir.map_or(at.elapsed_ms, |stir| stir.first_ms);
        self.stir = Some(Stir { first_ms, last_ms: at.elapsed_ms });
    }

    /// An open clock of the last judgment has run out.
    fn run_out(&mut self, at: At) {
        if self.next_change.zip(at.now).is_some_and(|(next, now)| now >= next) {
            self.next_change = None;
            self.record_changed(at);
        }
    }

    fn due_at(&self, pacing: &Pacing) -> Option<u64> {
        let stir = self.stir.filter(|_| self.judging.is_none() && self.agreement.is_some())?;
        Some((stir.last_ms + pacing.judge_ms).min(stir.first_ms + 5 * pacing.judge_ms))
    }

    pub(crate) fn wake_at(&self, at: At, pacing: &Pacing) -> Option<u64> {
        let runs_out = self.next_change.zip(at.now).map(|(next, now)| {
            let seconds = next.0.saturating_sub(now.0).max(0).unsigned_abs();
            at.elapsed_ms.saturating_add(seconds.saturating_mul(1000))
        });
        let due = self.due_at(pacing).filter(|_| at.now.is_some());
        [due, runs_out.filter(|_| self.judging.is_none())].into_iter().flatten().min()
    }

    /// Whether the last judgment still says what a judgment at this instant would.
    fn current(&self, now: Instant) -> Option<&(Case, Arc<Judgment>)> {
        let quiet = self.stir.is_none() && self.judging.is_none() && self.next_change.is_none_or(|next| now < next);
        self.last.as_ref().filter(|_| quiet)
    }
}

impl<S: Store> Node<S> {
    /// Asks for a judgment if one is due.
    pub(crate) fn judge(&mut self) {
        let Some(now) = self.at.now else { return };
        self.bench.run_out(self.at);
        if self.bench.due_at(&self.setup.pacing).is_none_or(|due| due > self.at.elapsed_ms) {
            return;
        }
        let Some(mut case) = self.case(now, now) else { return };
        self.bench.stir = None;
        self.bench.judging = Some(case.clone());
        let earlier = self.bench.last.as_ref();
        case.before = earlier.map(|(case, judgment)| Earlier { logs: case.logs.clone(), judgment: judgment.clone() });
        self.out.push(Action::Judge(case));
    }

    pub(crate) fn judged(&mut self, judged: Result<(Arc<Judgment>, Vec<Change>), JudgeError>) {
        let Some(case) = self.bench.judging.take() else { return };
        let (judgment, changes) = match judged {
            Ok(judged) => judged,
            Err(error) => return self.alarm(error.to_string()),
        };
        self.bench.next_change = next_change(&judgment);
        let first = self.bench.last.is_none();
        let labels: Vec<String> = changes
            .iter()
            .filter_map(|c| c.after.as_ref().or(c.before.as_ref()))
            .map(|verdict| verdict.label.clone())
            .collect();
        let at = judgment.as_of;
        self.bench.last = Some((case, judgment));
        self.bench.changes.extend(changes.into_iter().map(|change| Changed { at, change }));
        let surplus = self.bench.changes.len().saturating_sub(CHANGES_MAX);
        self.bench.changes.drain(..surplus);
        if first || !labels.is_empty() {
            self.out.push(Action::Announce(Hint::Verdict { labels }));
        }
    }

    /// The last judgment and its case, if a judgment at `now` would say the same.
    pub fn current_judgment(&self, now: Instant) -> Option<(Case, Arc<Judgment>)> {
        self.bench.current(now).cloned()
    }

    /// Recent changes of verdicts, newest last.
    pub fn changes(&self) -> impl Iterator<Item = &Changed> {
        self.bench.changes.iter()
    }
}

/// The next instant at which time alone can change a verdict.
fn next_change(judgment: &Judgment) -> Option<Instant> {
    let open = judgment.verdicts.iter().filter(|v| matches!(v.state, State::Pending | State::Disputed));
    let runs_out = open.flat_map(|v| [v.due, v.until]).flatten().filter(|t| *t >= judgment.as_of).map(|t| t.plus(1));
    runs_out.chain(judgment.next_tick).min()
}
