//! Judgments made lately, each made once.
//!
//! ```text
//! let judgment = docket.judge(&case, &Explain::None)?;
//! let (judgment, changes) = docket.changed(&case)?;      only what changed is explained, before and after
//! ```
//! Two questions for the same heads and instants are one judgment, whoever asks. And if nothing came but entries that no
//! rule reads, such as refusals or incidents from open sources, the verdicts are those of before under new heads.
//!
//! What changes is judged as the record grows: one judgment is kept standing for what is, and one, a step behind, for what
//! was. Both only go forward, so each entry costs what it touches. Other questions are judged by themselves.
use crate::node::{Case, Explain};
use hamsaya_agreement::{Agreement, Change, JudgeError, Judgment, Speech, Standing};
use hamsaya_record::Instant;
use hamsaya_record::logs::{Cosigned, Head, Logged};
use hamsaya_record::statement::StatementId;
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// So many are kept: the instants that people look at again.
const KEPT_MAX: usize = 24;

#[derive(Clone, Debug)]
struct Kept {
    heads: Vec<Head>,
    as_of: Instant,
    known_by: Instant,
    /// Not asked of what was judged as it grew.
    evidence: Option<StatementId>,
    explained: Explain,
    judgment: Arc<Judgment>,
}

/// All judgments of a process.
#[derive(Debug, Default)]
pub struct Docket {
    kept: Mutex<VecDeque<Kept>>,
    /// Held while one is made.
    bench: Mutex<Growing>,
}

/// Judgments that grow.
#[derive(Debug, Default)]
struct Growing {
    is: Option<Grown>,
    was: Option<Grown>,
}

#[derive(Debug)]
struct Grown {
    agreement: Arc<Agreement>,
    as_of: Instant,
    known_by: Instant,
    standing: Standing<Arc<Agreement>>,
}

impl Grown {
    /// Judges a case from where the last one ended; anew if that would be to go back.
    fn judge(grown: &mut Option<Grown>, case: &Case, explain: &Explain) -> Result<Judgment, JudgeError> {
        let (as_of, known_by) = (case.as_of, case.known_by);
        let forward =
            |g: &Grown| Arc::ptr_eq(&g.agreement, &case.agreement) && (g.as_of <= as_of) && (g.known_by <= known_by);
        let mut next = grown.take().filter(forward).unwrap_or_else(|| {
            let agreement = case.agreement.clone();
            Grown { standing: Standing::new(agreement.clone()), agreement, as_of, known_by }
        });
        (next.as_of, next.known_by) = (as_of, known_by);
        let judgment = next.standing.judge(&case.logs, as_of, known_by, |verdict| explain.wants(verdict));
        *grown = Some(next);
        judgment
    }
}

impl Docket {
    /// The judgment of a case, with at least these verdicts explained. Takes as long as judging takes; not for threads
    /// that answer.
    pub fn judge(&self, case: &Case, explain: &Explain) -> Result<Arc<Judgment>, JudgeError> {
        if let Some(found) = self.find(case, explain, |kept| kept.heads == case.logs.heads()) {
            return Ok(found);
        }
        let _bench = lock(&self.bench);
        if let Some(found) = self.find(case, explain, |kept| kept.heads == case.logs.heads()) {
            return Ok(found);
        }
        let evidence = evidence(case);
        let judgment = match self.find(case, explain, |kept| kept.evidence == Some(evidence)) {
            Some(same) => {
                let mut judgment = Judgment::clone(&same);
                judgment.heads = case.logs.heads().to_vec();
                judgment
            }
            None => case.judge(explain)?,
        };
        Ok(self.keep(case, explain, Some(evidence), judgment))
    }

    fn keep(&self, case: &Case, explain: &Explain, evidence: Option<StatementId>, judgment: Judgment) -> Arc<Judgment> {
        let judgment = Arc::new(judgment);
        let made = Kept {
            heads: case.logs.heads().to_vec(),
            as_of: case.as_of,
            known_by: case.known_by,
            evidence,
            explained: explain.clone(),
            judgment: judgment.clone(),
        };
        let mut kept = lock(&self.kept);
        // What says less of the same is not asked for again.
        kept.retain(|k| {
            let same = (&k.heads, k.as_of, k.known_by) == (&made.heads, made.as_of, made.known_by);
            !(same && made.explained.covers(&k.explained))
        });
        kept.push_back(made);
        if kept.len() > KEPT_MAX {
            kept.pop_front();
        }
        judgment
    }

    /// The judgment of a case that follows the last one.
    fn grow(
        &self,
        case: &Case,
        explain: &Explain,
        which: impl Fn(&mut Growing) -> &mut Option<Grown>,
    ) -> Result<Arc<Judgment>, JudgeError> {
        let mut growing = lock(&self.bench);
        if let Some(found) = self.find(case, explain, |kept| kept.heads == case.logs.heads()) {
            return Ok(found);
        }
        let judgment = Grown::judge(which(&mut growing), case, explain)?;
        Ok(self.keep(case, explain, None, judgment))
    }

    /// The judgment of a case, and what changed since the one before it. Why it changed is read from the reasons on both
    /// sides, so those of the changed verdicts are found, and no others.
    pub fn changed(&self, case: &Case) -> Result<(Arc<Judgment>, Vec<Change>), JudgeError> {
        let judgment = self.grow(case, &Explain::None, |growing| &mut growing.is)?;
        let (Some(before), Some(earlier)) = (&case.before, case.earlier()) else { return Ok((judgment, Vec::new())) };
        let changes = judgment.changes_since(&before.judgment);
        let verdicts = changes.iter().filter_map(|change| change.after.as_ref().or(change.before.as_ref()));
        let labels: BTreeSet<String> = verdicts.map(|verdict| verdict.label.clone()).collect();
        if labels.is_empty() {
            return Ok((judgment, changes));
        }
        let explain = Explain::Only(labels);
        let was = self.grow(&earlier, &explain, |growing| &mut growing.was)?;
        let is = self.grow(case, &explain, |growing| &mut growing.is)?;
        Ok((judgment, is.changes_since(&was)))
    }

    fn find(&self, case: &Case, explain: &Explain, fits: impl Fn(&Kept) -> bool) -> Option<Arc<Judgment>> {
        let kept = lock(&self.kept);
        let asked = |k: &&Kept| (k.as_of, k.known_by) == (case.as_of, case.known_by) && k.explained.covers(explain);
        kept.iter().filter(asked).find(|k| fits(k)).map(|k| k.judgment.clone())
    }
}

/// Names all that a rule can read of the record: statements said or seen, with their times.
fn evidence(case: &Case) -> StatementId {
    let read = case.agreement.kinds().iter().filter(|k| matches!(k.speech, Speech::Said | Speech::Seen));
    let read: BTreeSet<&str> = read.map(|k| k.name.as_str()).collect();
    let mut bytes = Vec::new();
    for (n, entry) in case.logs.entries().iter().enumerate() {
        if !read.contains(entry.statement.kind.as_str()) {
            continue;
        }
        let (disputed, lo, hi) = match case.logs.logged(n, case.known_by) {
            Logged::Unproven => continue,
            Logged::Within(at) => (0, at.lo, at.hi),
            Logged::Disputed { by, not_before } => (1, by, not_before),
            Logged::Equivocated(at) => (2, at.lo, at.hi),
            Logged::Stolen(at) => (3, at.lo, at.hi),
        };
        bytes.extend_from_slice(entry.origin.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(&entry.index.to_be_bytes());
        bytes.extend_from_slice(&entry.statement_id.0);
        bytes.push(disputed);
        bytes.extend_from_slice(&lo.0.to_be_bytes());
        bytes.extend_from_slice(&hi.0.to_be_bytes());
    }
    // Rules read who witnessed late, too.
    for Cosigned { log, by, time, size } in case.logs.cosigned(case.known_by) {
        bytes.extend_from_slice(format!("{log}\0{by}\0{} {size}\n", time.0).as_bytes());
    }
    StatementId::of(&bytes)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::agreement_files;
    use crate::node::Earlier;
    use hamsaya_agreement::{Agreement, State, case};
    use hamsaya_record::logs::Logs;
    use std::path::Path;

    fn golden() -> (Arc<Agreement>, case::Case, Logs) {
        let files = agreement_files(Path::new("../../agreements/hamsaya-accord")).unwrap();
        let agreement = Arc::new(Agreement::parse(&files).unwrap());
        let source = std::fs::read_to_string("../../agreements/cases/good/golden-scenario.md").unwrap();
        let golden = case::Case::parse("golden-scenario.md", &source).unwrap();
        let logs = golden.play("golden-scenario.md", &agreement).unwrap();
        (agreement, golden, logs)
    }

    /// P1 acknowledged in time; if more witnesses lie about when than the policy bears, that is neither kept nor breached.
    #[test]
    fn a_verdict_that_rests_on_a_disputed_time_is_disputed() {
        let (agreement, golden, logs) = golden();
        let as_of = golden.start.plus(10 * 3600);
        let ack = logs.entries().iter().position(|e| e.statement.kind == "ack").unwrap();
        let states = [(0, State::Kept), (2 * 3600, State::Disputed)].map(|(crossing, expected)| {
            let entries = logs.entries().iter().enumerate().filter_map(|(n, entry)| {
                let mut at = logs.logged_at(n, as_of)?;
                at.lo = at.lo.plus(if n == ack { crossing } else { 0 });
                Some((hamsaya_record::logs::Entry::clone(entry), at))
            });
            let logs = Arc::new(Logs::with_times(entries.collect()));
            let case = Case { agreement: agreement.clone(), logs, as_of, known_by: as_of, before: None };
            let judgment = case.judge(&Explain::None).unwrap();
            let verdict = judgment.verdicts.iter().find(|v| v.label == "C14(A1, P1)").unwrap().clone();
            assert_eq!(verdict.state, expected);
            (evidence(&case), verdict)
        });
        assert_ne!(states[0].0, states[1].0, "a docket does not take one for the other");
        let cited: Vec<&str> = states[1].1.reasons.disputed.iter().map(|cite| cite.kind.as_str()).collect();
        assert_eq!(cited, ["ack"]);
    }

    /// From each block of the golden scenario to the next, what changed and why is what it would be if all were explained.
    #[test]
    fn reasons_are_found_for_what_changed_and_say_the_same() {
        let (agreement, golden, logs) = golden();
        let logs = Arc::new(logs);
        let docket = Docket::default();
        let (mut before, mut before_in_full): (Option<Earlier>, Option<Judgment>) = (None, None);
        let mut found = 0;
        for block in golden.expected.iter().filter(|block| block.as_of == block.known_by) {
            let (as_of, known_by) = (block.as_of, block.known_by);
            let case = Case { agreement: agreement.clone(), logs: logs.clone(), as_of, known_by, before };
            let (judgment, changes) = docket.changed(&case).unwrap();
            assert!(judgment.verdicts.iter().all(|v| v.reasons.proof.is_empty()), "judgment alone, as of {as_of}");
            let in_full = case.judge(&Explain::All).unwrap();
            assert_eq!(judgment.digest(), in_full.digest());
            let expected = before_in_full.map(|before| in_full.changes_since(&before)).unwrap_or_default();
            assert_eq!(changes, expected, "as of {as_of}");
            found += changes.len();
            (before, before_in_full) = (Some(Earlier { logs: logs.clone(), judgment }), Some(in_full));
        }
        assert!(found > 10, "{found} changes");
    }
}
