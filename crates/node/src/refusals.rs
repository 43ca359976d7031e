//! What was refused at intake: counted at once, and told to the record at most once a minute.
//!
//! ```text
//! {"kind":"refusal","fields":{"refusals":[{"count":3,"reason":"bad_signature","sha256":"…"}]}}
//! ```
//! The hash is that of the last bytes refused for the reason: whoever sent them can show that they were.
use crate::config::Pacing;
use crate::held::Held;
use crate::node::{At, Node, Status};
use hamsaya_record::Instant;
use hamsaya_record::accept::Refusal;
use hamsaya_record::statement::{FieldValue, StatementId};
use hamsaya_record::store::Store;
use std::collections::{BTreeMap, VecDeque};

/// So many refusals are kept for readers.
const RECENT_MAX: usize = 200;

/// One refusal.
#[derive(Clone, Debug)]
pub struct Refused {
    /// When, by the node's clock.
    pub at: Option<Instant>,
    /// SHA-256 of the bytes, hex.
    pub sha256: String,
    /// Why.
    pub refusal: Refusal,
}

/// All refusals of one node.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    /// Since the log began.
    pub(crate) total: u64,
    pub(crate) recent: VecDeque<Refused>,
    /// By reason: how many, and the last hash.
    unlogged: BTreeMap<&'static str, (i64, String)>,
    logged_at_ms: Option<u64>,
}

impl Refusals {
    /// As many as the log tells of.
    pub(crate) fn counted(held: &Held) -> Refusals {
        let told = held.entries().iter().filter(|e| e.statement.kind == "refusal");
        let lists = told.filter_map(|e| match e.statement.fields.get("refusals") {
            Some(FieldValue::List(list)) => Some(list),
            _ => None,
        });
        let count = |item: &FieldValue| match item {
            FieldValue::Map(map) => match map.get("count") {
                Some(FieldValue::Int(n)) => n.unsigned_abs(),
                _ => 0,
            },
            _ => 0,
        };
        Refusals { total: lists.flatten().map(count).sum(), ..Refusals::default() }
    }

    pub(crate) fn count(&mut self, at: At, bytes: &[u8], refusal: &Refusal) {
        let sha256 = StatementId::of(bytes).to_string();
        self.total += 1;
        let unlogged = self.unlogged.entry(refusal.reason.name()).or_default();
        *unlogged = (unlogged.0 + 1, sha256.clone());
        self.recent.push_back(Refused { at: at.now, sha256, refusal: refusal.clone() });
        if self.recent.len() > RECENT_MAX {
            self.recent.pop_front();
        }
    }

    pub(crate) fn wake_at(&self, pacing: &Pacing) -> Option<u64> {
        (!self.unlogged.is_empty()).then(|| self.logged_at_ms.map_or(0, |at| at + pacing.refusals_s * 1000))
    }
}

impl<S: Store> Node<S> {
    /// Tells the record what was refused since it was last told.
    pub(crate) fn log_refusals(&mut self) {
        let due = self.refusals.wake_at(&self.setup.pacing).is_some_and(|due| due <= self.at.elapsed_ms);
        if !due || self.at.now.is_none() || self.own.is_none() || self.status != Status::Running {
            return;
        }
        let unlogged = std::mem::take(&mut self.refusals.unlogged).into_iter();
        let refusals = unlogged.map(|(reason, (count, sha256))| {
            let fields = [
                ("count", FieldValue::Int(count)),
                ("reason", FieldValue::Text(reason.to_string())),
                ("sha256", FieldValue::Text(sha256)),
            ];
            FieldValue::Map(fields.into_iter().map(|(k, v)| (k.to_string(), v)).collect())
        });
        let fields = BTreeMap::from([("refusals".to_string(), FieldValue::List(refusals.collect()))]);
        self.say("refusal", fields);
        self.refusals.logged_at_ms = Some(self.at.elapsed_ms);
    }

    /// Recent refusals, newest last, and how many there were in all.
    pub fn refusals(&self) -> (u64, impl Iterator<Item = &Refused>) {
        (self.refusals.total, self.refusals.recent.iter())
    }
}
