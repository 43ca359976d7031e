//! Playing a script on running nodes, through their HTTP interface.
//!
//! The clock stands still at each step until the entry is witnessed by a quorum, the cosignatures are logged, and all
//! judging nodes reach the same digest at the same heads; so the entry's `logged_at` ends exactly at the step's instant.
use super::processes::{Process, text, until};
use crate::client::{NodeClient, Receipt, escaped};
use crate::commands::init::DemoNode;
use crate::complaint::Complaint;
use crate::demo::narrate::Moved;
use crate::folder::Folder;
use crate::verdicts::Row;
use anyhow::Result;
use hamsaya_agreement::Agreement;
use hamsaya_agreement::case::{Author, Row as Step, origins};
use hamsaya_record::Instant;
use hamsaya_record::envelope::Envelope;
use hamsaya_record::statement::Rel;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Long enough for a slow machine under load; a condition, not a pause.
const PATIENCE: Duration = Duration::from_secs(120);

/// The five nodes and what was said so far.
pub struct Town<'a> {
    /// All nodes; those that keep no log come last.
    pub processes: Vec<Process>,
    /// Statement id in hex to the script's label.
    pub labels: BTreeMap<String, String>,
    /// Every answer that a node gave to a statement.
    pub acknowledged: Vec<Receipt>,
    folders: BTreeMap<String, Folder>,
    judging: Vec<String>,
    agreement: &'a Agreement,
    /// Kind of what was said under each label of the script.
    kinds: BTreeMap<String, String>,
    author: Author<'a>,
}

impl<'a> Town<'a> {
    /// Starts a process for each node.
    pub fn start(nodes: &[DemoNode], agreement: &'a Agreement) -> Result<Town<'a>> {
        let mut town = Town {
            processes: Vec::new(),
            labels: BTreeMap::new(),
            acknowledged: Vec::new(),
            folders: nodes.iter().map(|n| (n.name.clone(), n.folder.clone())).collect(),
            judging: nodes.iter().filter(|n| n.keeps_a_log()).map(|n| n.name.clone()).collect(),
            agreement,
            kinds: BTreeMap::new(),
            author: Author::new(agreement, &origins(agreement)),
        };
        for node in nodes {
            town.processes.push(Process::start(&node.name, node.folder.dir(), reader(node)?)?);
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
    pub fn say(&mut self, step: &Step) -> Result<Option<Receipt>> {
        let Some(said) = &step.said else { return Ok(None) };
        let place = || format!("golden-scenario.md:{}", step.line);
        let statement = self.author.statement(step).map_err(|what| Complaint::new(what).at(place()))?;
        let mut keys = Vec::new();
        for name in &said.by {
            let kind = self.kind_said(step, &statement.kind);
            let files = self.folder(name)?.signers(self.agreement, name, &kind)?;
            // Several members sign for each other: one person of each is enough.
            let many = if said.by.len() > 1 { 1 } else { files.len() };
            for file in &files[..many] {
                keys.push(self.folder(name)?.key(file)?);
            }
        }
        let envelope = Envelope::sign(statement.to_payload(), &keys.iter().collect::<Vec<_>>());
        let receipt = self.node(&said.log)?.post_statement(&envelope.to_leaf())?;
        let id = envelope.statement_id();
        self.author.logged(step, &statement, id);
        self.kinds.insert(step.label.clone().unwrap_or_default(), statement.kind.clone());
        self.labels.insert(id.to_string(), step.label.clone().unwrap_or_default());
        self.acknowledged.push(receipt.clone());
        Ok(Some(receipt))
    }

    fn folder(&self, name: &str) -> Result<&Folder> {
        Ok(self.folders.get(name).ok_or_else(|| Complaint::new(format!("there is no node {name}")))?)
    }

    /// The kind of what a step says, or of what it takes back.
    fn kind_said(&self, step: &Step, kind: &str) -> String {
        let back = step.said.iter().flat_map(|said| &said.refs).find(|(rel, _)| *rel == Rel::Withdraws);
        back.and_then(|(_, label)| self.kinds.get(label)).map_or(kind.to_string(), String::clone)
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

    /// Waits until all judging nodes stand at the same heads and reach one digest, and gives it.
    pub fn agree(&self, as_of: Instant, known_by: Instant) -> Result<String> {
        let path = format!("/api/digest?as_of={as_of}&known_by={known_by}");
        until("all nodes to reach one digest", PATIENCE, || {
            // Judging costs more than looking: nobody is asked to judge while the heads still move.
            let heads = self.of_each("/api/state", published)?;
            let Some(heads) = same(&heads) else { return Ok(Err(format!("the heads differ: {}", heads.join(" | ")))) };
            if heads.contains("null") {
                return Ok(Err(format!("not all is published: {heads}")));
            }
            let digests = self.of_each(&path, |answer| text(answer, "digest").to_string())?;
            Ok(same(&digests).filter(|d| !d.is_empty()).ok_or_else(|| digests.join(" ")))
        })
    }

    fn of_each(&self, path: &str, read: impl Fn(&Value) -> String) -> Result<Vec<String>> {
        self.judging.iter().map(|name| Ok(read(&self.node(name)?.get(path)?))).collect()
    }

    /// A node's verdicts.
    pub fn verdicts(&self, name: &str, as_of: Instant, known_by: Instant) -> Result<Vec<Row>> {
        let judgment =
            self.node(name)?.get(&format!("/api/judgment?as_of={as_of}&known_by={known_by}&explain=none"))?;
        Ok(judgment["verdicts"].as_array().into_iter().flatten().map(Row::of_json).collect())
    }

    /// What a node tells of recent changes, once it tells of all that moved after `since`; after `patience`, what it tells by
    /// then. A node finds out why a verdict changed only after it has found that it did.
    pub fn changes(&self, name: &str, moved: &[Moved], since: Instant, patience: Duration) -> Value {
        let (mut last, since) = (Value::Null, since.to_string());
        let told = until("reasons", patience, || {
            last = self.node(name)?.get("/api/changes")?;
            let tells = |m: &Moved| {
                let after = m.after.as_ref().map_or(Value::Null, |row| Value::from(row.state.as_str()));
                let mut changes = last.as_array().into_iter().flatten();
                changes.any(|c| c["label"] == m.label.as_str() && c["after"] == after && text(c, "at") > since.as_str())
            };
            Ok(if moved.iter().all(tells) { Ok(()) } else { Err(last.to_string()) })
        });
        drop(told);
        last
    }

    /// Acknowledged statements that a judging node does not hold where it was acknowledged.
    pub fn lost(&self) -> Result<Vec<String>> {
        let mut lost = Vec::new();
        for name in &self.judging {
            let node = self.node(name)?;
            for receipt in &self.acknowledged {
                let id = node.statement_id(&receipt.origin, receipt.index);
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

/// A member's node is read by its chair or observer.
fn reader(node: &DemoNode) -> Result<NodeClient> {
    let client = NodeClient::new(&node.url);
    let held = node.folder.keys()?;
    let office = held.into_iter().find(|h| ["chair", "observer"].contains(&h.file.as_str()));
    Ok(match office {
        Some(office) => client.acting_as(office.key, "review"),
        None => client,
    })
}

/// Log and published size of every log that a node holds, as `GET /api/state` says it.
fn published(state: &Value) -> String {
    let heads = state["heads"].as_array().into_iter().flatten();
    let mut sizes: Vec<String> =
        heads.map(|h| format!("{} {}/{}", text(h, "node"), h["published_size"], h["size"])).collect();
    sizes.sort();
    sizes.join(" ")
}

/// The one value, if all are the same.
fn same(values: &[String]) -> Option<String> {
    values.first().filter(|first| values.iter().all(|v| v == *first)).cloned()
}

/// Whether a step takes evidence back.
pub fn withdraws(step: &Step) -> bool {
    step.said.as_ref().is_some_and(|said| said.refs.iter().any(|(rel, _)| *rel == Rel::Withdraws))
}
