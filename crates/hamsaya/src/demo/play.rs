//! Playing a script on running nodes, through their HTTP interface.
//!
//! The clock stands still at each step until the entry is witnessed by a quorum, the cosignatures are logged, and all
//! judging nodes reach the same digest at the same heads; so the entry's `logged_at` ends exactly at the step's instant.
use super::processes::{Process, text, until};
use super::script::{Said, Step};
use crate::author::{Author, uuid_v7};
use crate::client::{NodeClient, Receipt, escaped};
use crate::commands::init::DemoNode;
use crate::complaint::Complaint;
use crate::folder::Folder;
use crate::verdicts::Row;
use anyhow::Result;
use hamsaya_agreement::Kind;
use hamsaya_record::Instant;
use hamsaya_record::key::SecretKey;
use hamsaya_record::statement::{Act, Reference, Statement, StatementId};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Long enough for a slow machine under load; a condition, not a pause.
const PATIENCE: Duration = Duration::from_secs(120);

/// The five nodes and what was said so far.
pub struct Town {
    /// All nodes; those that keep no log come last.
    pub processes: Vec<Process>,
    /// Statement id in hex to the script's label.
    pub labels: BTreeMap<String, String>,
    /// Every answer that a node gave to a statement.
    pub acknowledged: Vec<Receipt>,
    folders: BTreeMap<String, Folder>,
    judging: Vec<String>,
    authors: BTreeMap<String, Author>,
    ids: BTreeMap<String, StatementId>,
    kinds: BTreeMap<String, Act>,
    agreement: [u8; 32],
}

impl Town {
    /// Starts a process for each node.
    pub fn start(nodes: &[DemoNode], agreement: [u8; 32], kinds: &[Kind]) -> Result<Town> {
        let mut town = Town {
            processes: Vec::new(),
            labels: BTreeMap::new(),
            acknowledged: Vec::new(),
            folders: nodes.iter().map(|n| (n.name.clone(), n.folder.clone())).collect(),
            judging: nodes.iter().filter(|n| n.keeps_a_log()).map(|n| n.name.clone()).collect(),
            authors: BTreeMap::new(),
            ids: BTreeMap::new(),
            kinds: kinds.iter().filter_map(|k| Some((k.name.clone(), Act::from_name(&k.act)?))).collect(),
            agreement,
        };
        for node in nodes {
            town.processes.push(Process::start(&node.name, node.folder.dir(), &node.url)?);
        }
        Ok(town)
    }

    /// The node of this name.
    pub fn node(&self, name: &str) -> Result<&NodeClient> {
        let process = self.processes.iter().find(|p| p.name == name);
        Ok(&process.ok_or_else(|| Complaint::new(format!("there is no node {name}")))?.client)
    }

    /// Names of the nodes that judge.
    pub fn judging(&self) -> &[String] {
        &self.judging
    }

    /// Sets the clock of every node.
    pub fn set_clock(&self, now: Instant) -> Result<()> {
        let body = json!({ "now": now.to_string() }).to_string();
        for process in &self.processes {
            process.client.post_json("/api/clock", body.as_bytes())?;
        }
        Ok(())
    }

    /// Signs what a step says and posts it to the log's node.
    pub fn say(&mut self, said: &Said, at: Instant) -> Result<Receipt> {
        let act = *self
            .kinds
            .get(&said.kind)
            .ok_or_else(|| Complaint::new(format!("the agreement has no kind `{}`", said.kind)).at(&said.label))?;
        let file = self.key_file(&said.log, act)?;
        let home = self.folders[&said.log].setting("origin")?;
        let id = uuid_v7(at.0.max(0).unsigned_abs() * 1000, format!("{}/{}", said.label, said.kind).as_bytes());
        let draft = Statement {
            source: format!("{}/{file}", said.log.to_lowercase()),
            to: said.to.clone(),
            occurred_at: said.occurred_at.clone(),
            place: said.place.clone(),
            refs: self.refs(said)?,
            drill: said.drill,
            fields: said.fields.clone(),
            ..Statement::new(self.agreement, act, &said.kind, &id, &said.party, &home, at)
        };
        let keys =
            said.by.iter().map(|by| self.folders[by].key(&self.key_file(by, act)?)).collect::<Result<Vec<_>>>()?;
        let agreement = self.agreement;
        let author = self.authors.entry(said.log.clone()).or_insert_with(|| Author::new(agreement, &home));
        let signed = author.sign(draft, &keys.iter().collect::<Vec<&SecretKey>>());
        let receipt = self.node(&said.log)?.post_statement(&signed.leaf)?;
        self.ids.insert(said.label.clone(), signed.id);
        self.labels.insert(signed.id.to_string(), said.label.clone());
        self.acknowledged.push(receipt.clone());
        Ok(receipt)
    }

    /// What is seen is signed by a post's or station's own key, all else by the chair.
    fn key_file(&self, name: &str, act: Act) -> Result<String> {
        let held = self.folders[name].keys()?;
        let device = held.iter().map(|h| h.file.as_str()).find(|f| f.starts_with("post-") || *f == "station");
        Ok(match (act, device) {
            (Act::Observe, Some(device)) => device.to_string(),
            _ => "chair".to_string(),
        })
    }

    fn refs(&self, said: &Said) -> Result<Vec<Reference>> {
        let reference = |(rel, label): &(_, String)| {
            let id = self.ids.get(label).ok_or_else(|| {
                Complaint::new(format!("{} refers to {label}, which was not said before it", said.label))
            })?;
            Ok(Reference { rel: *rel, id: *id })
        };
        said.refs.iter().map(reference).collect()
    }

    /// Waits until every judging node proves the entry's time to be `now` and all reach one digest.
    pub fn settle(&self, entry: Option<&Receipt>, now: Instant) -> Result<()> {
        if let Some(entry) = entry {
            let path = format!("/api/entries/item?origin={}&index={}", escaped(&entry.origin), entry.index);
            for name in &self.judging {
                let node = self.node(name)?;
                let what = format!("{name} to hold {} #{} with its cosignatures", entry.origin, entry.index);
                until(&what, PATIENCE, || {
                    // A node that does not hold the entry yet answers with a problem: look again.
                    let item = node.get(&path).unwrap_or(Value::Null);
                    let hi = text(&item["logged_at"], "hi").to_string();
                    Ok(if hi == now.to_string() { Ok(()) } else { Err(format!("logged_at ends at `{hi}`")) })
                })?;
            }
        }
        self.agree(now, now).map(|_| ())
    }

    /// Waits until all judging nodes reach one digest, and gives it.
    pub fn agree(&self, as_of: Instant, known_by: Instant) -> Result<String> {
        let path = format!("/api/digest?as_of={as_of}&known_by={known_by}");
        until("all nodes to reach one digest", PATIENCE, || {
            let digests = self
                .judging
                .iter()
                .map(|name| Ok(text(&self.node(name)?.get(&path)?, "digest").to_string()))
                .collect::<Result<Vec<String>>>()?;
            let first = digests.first().cloned().unwrap_or_default();
            let same = !first.is_empty() && digests.iter().all(|d| *d == first);
            Ok(if same { Ok(first) } else { Err(digests.join(" ")) })
        })
    }

    /// A node's verdicts.
    pub fn verdicts(&self, name: &str, as_of: Instant, known_by: Instant) -> Result<Vec<Row>> {
        let judgment = self.node(name)?.get(&format!("/api/judgment?as_of={as_of}&known_by={known_by}"))?;
        Ok(judgment["verdicts"].as_array().into_iter().flatten().map(Row::of_json).collect())
    }

    /// Acknowledged statements that a judging node does not hold where it was acknowledged.
    pub fn lost(&self) -> Result<Vec<String>> {
        let mut lost = Vec::new();
        for name in &self.judging {
            let node = self.node(name)?;
            for receipt in &self.acknowledged {
                let id = node.statement(&receipt.origin, receipt.index).map(|(id, _)| id.to_string());
                if id.ok().as_deref() != Some(receipt.statement_id.as_str()) {
                    lost.push(format!("{name} lacks {} #{}", receipt.origin, receipt.index));
                }
            }
        }
        Ok(lost)
    }

    /// Ends one node's process as a power cut would, and starts it again.
    pub fn kill(&mut self, name: &str, now: Instant) -> Result<()> {
        let process = self.processes.iter_mut().find(|p| p.name == name);
        let process = process.ok_or_else(|| Complaint::new(format!("there is no node {name}")))?;
        process.kill()?;
        process.restart()?;
        // A scenario clock is not kept on disk: a node that starts again is told the time again.
        self.set_clock(now)
    }

    /// Stops all nodes.
    pub fn stop(&mut self) -> Result<()> {
        self.processes.iter_mut().try_for_each(Process::stop)
    }
}

/// Whether a step takes evidence back.
pub fn withdraws(step: &Step) -> bool {
    step.entry
        .as_ref()
        .is_some_and(|said| said.refs.iter().any(|(rel, _)| *rel == hamsaya_record::statement::Rel::Withdraws))
}
