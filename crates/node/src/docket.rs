//! Judgments made lately, each made once.
//!
//! ```text
//! let judgment = docket.judge(&case)?;
//! ```
//! Two questions for the same heads and instants are one judgment, whoever asks. And if nothing came but entries that no
//! rule reads, such as cosignatures or incidents from open sources, the verdicts are those of before under new heads.
use crate::node::Case;
use hamsaya_agreement::{JudgeError, Judgment, Speech};
use hamsaya_record::Instant;
use hamsaya_record::logs::Head;
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
    evidence: StatementId,
    judgment: Arc<Judgment>,
}

/// All judgments of a process.
#[derive(Debug, Default)]
pub struct Docket {
    kept: Mutex<VecDeque<Kept>>,
    /// Held while one is made.
    bench: Mutex<()>,
}

impl Docket {
    /// The judgment of a case. Takes as long as judging takes; not for threads that answer.
    pub fn judge(&self, case: &Case) -> Result<Arc<Judgment>, JudgeError> {
        if let Some(found) = self.find(case, |kept| kept.heads == case.logs.heads()) {
            return Ok(found);
        }
        let _bench = lock(&self.bench);
        if let Some(found) = self.find(case, |kept| kept.heads == case.logs.heads()) {
            return Ok(found);
        }
        let evidence = evidence(case);
        let judgment = match self.find(case, |kept| kept.evidence == evidence) {
            Some(same) => {
                let mut judgment = Judgment::clone(&same);
                judgment.heads = case.logs.heads().to_vec();
                judgment
            }
            None => hamsaya_agreement::judge(&case.agreement, &case.logs, case.as_of, case.known_by)?,
        };
        let judgment = Arc::new(judgment);
        let mut kept = lock(&self.kept);
        kept.push_back(Kept {
            heads: case.logs.heads().to_vec(),
            as_of: case.as_of,
            known_by: case.known_by,
            evidence,
            judgment: judgment.clone(),
        });
        if kept.len() > KEPT_MAX {
            kept.pop_front();
        }
        Ok(judgment)
    }

    fn find(&self, case: &Case, fits: impl Fn(&Kept) -> bool) -> Option<Arc<Judgment>> {
        let kept = lock(&self.kept);
        let same = kept.iter().find(|k| k.as_of == case.as_of && k.known_by == case.known_by && fits(k));
        same.map(|k| k.judgment.clone())
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
        let Some(at) = case.logs.logged_at(n, case.known_by) else { continue };
        bytes.extend_from_slice(entry.origin.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(&entry.index.to_be_bytes());
        bytes.extend_from_slice(&entry.statement_id.0);
        bytes.extend_from_slice(&at.lo.0.to_be_bytes());
        bytes.extend_from_slice(&at.hi.0.to_be_bytes());
    }
    StatementId::of(&bytes)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
