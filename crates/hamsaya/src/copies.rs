//! The logs in a node's folder, read offline: every byte is checked before anything is said.
use crate::complaint::Complaint;
use crate::faults;
use crate::verdicts::known;
use anyhow::Result;
use hamsaya_record::Instant;
use hamsaya_record::exhibit::{self, Parts};
use hamsaya_record::logs::{Entry, LoggedAt, Logs};
use hamsaya_record::note::Note;
use hamsaya_record::statement::{FieldValue, Statement};
use hamsaya_record::verify::{self, VerifiedCopy, VerifiedFolder};
use serde_json::{Map, Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// After every other instant: all that the logs prove, whenever they proved it.
const EVER: Instant = Instant(i64::MAX);

/// The logs of one folder.
pub struct Copies {
    dir: PathBuf,
    folder: VerifiedFolder,
    logs: Logs,
}

impl Copies {
    /// Reads and checks a folder.
    pub fn open(dir: &Path) -> Result<Copies> {
        if !dir.join("founding.json").exists() {
            return Err(Complaint::new("the folder holds no record: `founding.json` is missing")
                .at(dir.display())
                .hint("give the folder or the URL of a node")
                .into());
        }
        let folder = verify::node_folder(dir).map_err(faults::complaint)?;
        let (_, logs) = verify::load(&[dir.to_path_buf()]).map_err(faults::complaint)?;
        Ok(Copies { dir: dir.to_path_buf(), folder, logs })
    }

    /// Heads, entries and times.
    pub fn logs(&self) -> &Logs {
        &self.logs
    }

    /// Name of the member that keeps a log.
    pub fn keeper(&self, origin: &str) -> String {
        self.folder.founding.keeper(origin).map(|m| m.name.clone()).unwrap_or_default()
    }

    /// The origin of the log that a member keeps, or the origin itself.
    pub fn origin_of(&self, log: &str) -> Result<String> {
        let founding = &self.folder.founding;
        let of_member = founding.member(log).and_then(|m| m.origin.clone());
        let found = of_member.or_else(|| founding.origins().find(|o| *o == log).map(str::to_string));
        let known = || founding.origins().collect::<Vec<_>>().join(" ");
        Ok(found.ok_or_else(|| Complaint::new(format!("there is no log `{log}`, found are {}", known())))?)
    }

    /// Entries as `GET /api/entries` gives them.
    pub fn list(&self, origin: Option<&str>, kind: Option<&str>) -> Vec<Value> {
        let wanted = |e: &Entry| origin.is_none_or(|o| *e.origin == *o) && kind.is_none_or(|k| e.statement.kind == k);
        let entries = self.logs.entries().iter().enumerate().filter(|(_, e)| wanted(e));
        entries.map(|(n, e)| entry_json(e, self.logs.logged_at(n, EVER))).collect()
    }

    /// One entry.
    pub fn item(&self, origin: &str, index: u64) -> Result<Value> {
        let found = self.list(Some(origin), None).into_iter().find(|e| e["index"] == index);
        Ok(found.ok_or_else(|| {
            Complaint::new(format!("{origin} has no entry {index} that counts")).at(self.dir.display())
        })?)
    }

    /// One entry with all that proves it.
    pub fn exhibit(&self, origin: &str, index: u64) -> Result<Vec<u8>> {
        let copy = self.copy(origin)?;
        let missing = || Complaint::new(format!("{origin} has no entry {index}")).at(self.dir.display());
        let leaf = copy.leaf(index)?.ok_or_else(missing)?;
        let mut notes = exhibit::notes(self.logs.entries().iter().map(|e| &**e));
        // What was published last may not be logged yet.
        let published = fs::read(self.dir.join(&copy.place).join("checkpoint")).ok();
        notes.extend(published.and_then(|bytes| Note::parse(&bytes).ok()));
        let parts = Parts {
            origin,
            index,
            leaf: &leaf,
            founding_leaf: &self.folder.founding_leaf,
            notes: &notes,
            disclosures: &[],
        };
        Ok(exhibit::write(&parts, |level, n| copy.hash(level, n))?)
    }

    fn copy(&self, origin: &str) -> Result<&VerifiedCopy> {
        let found = self.folder.logs.iter().find(|c| c.head.as_ref().is_some_and(|h| h.origin == origin));
        Ok(found.ok_or_else(|| {
            Complaint::new(format!("the folder holds no published copy of {origin}")).at(self.dir.display())
        })?)
    }
}

fn entry_json(entry: &Entry, logged_at: Option<LoggedAt>) -> Value {
    let statement: &Statement = &entry.statement;
    let refs: Vec<Value> =
        statement.refs.iter().map(|r| json!({"rel": r.rel.name(), "id": r.id.to_string()})).collect();
    let occurred = statement.occurred_at.as_ref().map(|o| {
        json!({"from": o.from.to_string(), "to": o.to.to_string(), "precision": o.precision.name(), "edtf": o.edtf})
    });
    let place = statement
        .place
        .as_ref()
        .map(|p| json!({"s_e7": p.s_e7, "w_e7": p.w_e7, "n_e7": p.n_e7, "e_e7": p.e_e7, "precision_m": p.precision_m}));
    let fields: Map<String, Value> = statement.fields.iter().map(|(k, v)| (k.clone(), field_json(v))).collect();
    json!({
        "origin": *entry.origin, "index": entry.index, "statement_id": entry.statement_id.to_string(),
        "act": statement.act.name(), "kind": statement.kind, "party": statement.party, "source": statement.source,
        "stated_at": statement.stated_at.to_string(), "occurred_at": occurred,
        "logged_at": logged_at.map(|l| json!({"lo": known(l.lo).map(|i| i.to_string()), "hi": l.hi.to_string()})),
        "marking": statement.marking, "place": place, "fields": fields, "refs": refs, "drill": statement.drill,
        "signers": entry.signers.iter().map(|s| json!({"keyid": s.keyid, "node": s.node, "role": s.role})).collect::<Vec<_>>(),
    })
}

fn field_json(value: &FieldValue) -> Value {
    match value {
        FieldValue::Bool(b) => json!(b),
        FieldValue::Int(n) => json!(n),
        FieldValue::Text(text) => json!(text),
        FieldValue::List(items) => items.iter().map(field_json).collect(),
        FieldValue::Map(map) => Value::Object(map.iter().map(|(k, v)| (k.clone(), field_json(v))).collect()),
    }
}
