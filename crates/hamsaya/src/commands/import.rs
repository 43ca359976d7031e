//! `hamsaya import ged FILE`: open data as background, said by an open-source desk.
use super::record::list;
use super::{Format, Outcome};
use crate::author::{Author, uuid_v7};
use crate::client::NodeClient;
use crate::complaint::Complaint;
use crate::folder::Folder;
use crate::ged::{Incident, Refused, Rows};
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use hamsaya_record::Instant;
use hamsaya_record::key::SecretKey;
use hamsaya_record::statement::{Act, FieldValue, Statement, unhex};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::PathBuf;
use std::time::Instant as Stopwatch;

/// Statements in one request. The node takes a request as a whole batch, so that `seq` and `prev` keep their order.
const BATCH: usize = 512;

/// Import open data as background that no rule reads
#[derive(Args)]
pub struct Import {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Ged(Ged),
}

/// Import events of the UCDP Georeferenced Event Dataset as `incident` statements
///
/// Reads the release, the export of the Humanitarian Data Exchange, or any extract with their column names. Each row becomes
/// one statement: kind of violence, place with its precision, dates with theirs, counts, source grade; never the names of
/// groups or people. Importing a file again adds nothing; an import that was interrupted goes on where it stopped.
#[derive(Args)]
pub struct Ged {
    /// CSV file
    file: PathBuf,
    /// Folder of the node whose open-source desk speaks; holds the desk's key
    #[arg(long, value_name = "DIR")]
    record: PathBuf,
    /// URL of that node; default: where its settings say it listens
    #[arg(long, value_name = "URL")]
    node: Option<String>,
    /// Key that signs, a file in `keys/`
    #[arg(long, default_value = "open-source-desk")]
    key: String,
    /// Name of the data set, as it will stand in each statement
    #[arg(long, default_value = "UCDP GED")]
    dataset: String,
    /// For people or for scripts
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Import {
    pub fn run(&self, out: &mut dyn Write) -> Result<Outcome> {
        match &self.verb {
            Verb::Ged(ged) => ged.run(out),
        }
    }
}

impl Ged {
    fn run(&self, out: &mut dyn Write) -> Result<Outcome> {
        let folder = Folder::at(&self.record);
        let key = folder.key(&self.key)?;
        let url = match &self.node {
            Some(url) => url.clone(),
            None => folder.url()?,
        };
        let file = File::open(&self.file).with_context(|| format!("{} cannot be read", self.file.display()))?;
        let bar =
            ProgressBar::new_spinner().with_style(ProgressStyle::default_spinner().template("{pos} rows  {per_sec}")?);
        let tally =
            Desk::open(NodeClient::new(&url), key, &self.key, &self.dataset)?.import(BufReader::new(file), &bar)?;
        bar.finish_and_clear();
        match self.format {
            Format::Text => write!(out, "{}", tally.as_text())?,
            Format::Json => writeln!(out, "{:#}", tally.as_json())?,
        }
        Ok(if tally.refused.is_empty() { Outcome::NoBreach } else { Outcome::Found })
    }
}

/// What became of the rows.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Added to the log.
    pub accepted: u64,
    /// In the log before.
    pub already: u64,
    /// Refused, with line and reason.
    pub refused: Vec<Refused>,
    /// How long it took.
    pub milliseconds: u64,
}

impl Tally {
    fn per_second(&self) -> u64 {
        (self.accepted * 1000).checked_div(self.milliseconds).unwrap_or(0)
    }

    /// For people.
    pub fn as_text(&self) -> String {
        let refused: String = self.refused.iter().map(|r| format!("refused {r}\n")).collect();
        format!(
            "{refused}{} accepted, {} already there, {} refused, {}.{:01} s, {} statements/s\n",
            self.accepted,
            self.already,
            self.refused.len(),
            self.milliseconds / 1000,
            self.milliseconds % 1000 / 100,
            self.per_second(),
        )
    }

    fn as_json(&self) -> Value {
        let refused: Vec<Value> = self.refused.iter().map(|r| json!({"line": r.line, "reason": r.reason})).collect();
        json!({"accepted": self.accepted, "already": self.already, "refused": refused,
            "milliseconds": self.milliseconds, "per_second": self.per_second()})
    }
}

/// The open-source desk of a guarantor: its key, and what its log already holds.
pub struct Desk {
    node: NodeClient,
    key: SecretKey,
    author: Author,
    agreement: [u8; 32],
    party: String,
    home: String,
    source: String,
    dataset: String,
    now: Instant,
    known: BTreeSet<String>,
}

impl Desk {
    /// Asks the node who it is and which incidents it holds.
    pub fn open(node: NodeClient, key: SecretKey, office: &str, dataset: &str) -> Result<Desk> {
        let node = node.acting_as(key.clone(), "duty");
        let state = node.get("/api/state")?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
        let (party, home) = (text(&state["node"]), text(&state["origin"]));
        if home.is_empty() {
            return Err(Complaint::new(format!("{party} keeps no log, it only witnesses"))
                .at(node.url())
                .hint("give the node of a guarantor")
                .into());
        }
        let agreement = unhex(&text(&state["agreement"]["digest"]))?;
        let now = text(&state["now"]).parse()?;
        let source = format!("{}/{office}", party.to_lowercase());
        let author = Author::new(agreement, &home);
        let dataset = dataset.to_string();
        let known = BTreeSet::new();
        let mut desk = Desk { node, key, author, agreement, party, home, source, dataset, now, known };
        desk.learn()?;
        Ok(desk)
    }

    /// Reads which rows the log holds, and where the chain of this source stands.
    fn learn(&mut self) -> Result<()> {
        let entries = list(&self.node, Some(&self.home), Some("incident"))?;
        for fields in entries.iter().map(|e| &e["fields"]).filter(|f| f["source"] == self.dataset.as_str()) {
            self.known.extend(fields["source_id"].as_str().map(str::to_string));
        }
        self.author.goes_on(&self.source, self.node.next_of(&self.source)?);
        Ok(())
    }

    /// Sends every row that the log does not hold yet.
    pub fn import(mut self, input: impl Read, bar: &ProgressBar) -> Result<Tally> {
        let watch = Stopwatch::now();
        let mut tally = Tally::default();
        let mut batch: Vec<(u64, Vec<u8>)> = Vec::with_capacity(BATCH);
        let mut rows = Rows::new(input)?;
        while let Some(row) = rows.next() {
            bar.inc(1);
            match row {
                Err(refused) => tally.refused.push(refused),
                Ok(incident) if !self.known.insert(incident.number.clone()) => tally.already += 1,
                Ok(incident) => {
                    let statement = self.statement(incident);
                    batch.push((rows.line(), self.author.sign(statement, &[&self.key])));
                }
            }
            if batch.len() == BATCH {
                self.send(&mut batch, &mut tally)?;
            }
        }
        self.send(&mut batch, &mut tally)?;
        tally.milliseconds = u64::try_from(watch.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok(tally)
    }

    fn send(&self, batch: &mut Vec<(u64, Vec<u8>)>, tally: &mut Tally) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        let leaves: Vec<&[u8]> = batch.iter().map(|(_, leaf)| leaf.as_slice()).collect();
        for ((line, _), answer) in batch.iter().zip(self.node.post_statements(&leaves)?) {
            match answer {
                Ok(receipt) if receipt.already => tally.already += 1,
                Ok(_) => tally.accepted += 1,
                Err(complaint) => tally.refused.push(Refused { line: *line, reason: complaint.what().to_string() }),
            }
        }
        batch.clear();
        Ok(())
    }

    fn statement(&self, incident: Incident) -> Statement {
        let seed = format!("{}/{}", self.dataset, incident.number);
        let at_ms = incident.occurred_at.from.0.max(0).unsigned_abs() * 1000;
        let id = uuid_v7(at_ms, seed.as_bytes());
        let text = |value: &str| FieldValue::Text(value.into());
        let [best, low, high] = incident.counts.map(FieldValue::Int);
        let fields = [
            ("event", text(incident.event)),
            ("count", best),
            ("count_low", low),
            ("count_high", high),
            ("source", text(&self.dataset)),
            ("source_id", text(&incident.number)),
            ("place_precision", text(incident.place_precision)),
            ("date_precision", text(incident.date_precision)),
            // Published by others for everybody: what is public goes into public bundles only where its author says so.
            ("pap", text("PAP:CLEAR")),
        ];
        Statement {
            source: self.source.clone(),
            occurred_at: Some(incident.occurred_at),
            place: Some(incident.place.without_idle_digits()),
            marking: "TLP:CLEAR".into(),
            source_grade: Some("B".into()),
            info_grade: Some(incident.info_grade),
            fields: fields.into_iter().map(|(k, v)| (k.to_string(), v)).collect::<BTreeMap<_, _>>(),
            ..Statement::new(self.agreement, Act::Observe, "incident", &id, &self.party, &self.home, self.now)
        }
    }
}
