//! `hamsaya record disclose`: salted fields, in clear, to whom their author chooses.
//!
//! ```text
//! hamsaya record disclose p1 P1#12 --field note --to P2      P2's people read the note at P2
//! hamsaya record disclose p1 P1#12 --to note.txt             the lines, to be carried
//! ```
//! The author's node keeps the disclosures; the receiver's node takes them from an office of the author's member, each if
//! its digest stands in the statement.
use super::{Source, place_of, split_entry};
use crate::agreements;
use crate::client::{As, NodeClient, is_url, refused};
use crate::complaint::Complaint;
use crate::copies::{Copies, chosen};
use crate::folder::Folder;
use anyhow::{Context, Result};
use clap::Args;
use hamsaya_agreement::rights::Reader;
use hamsaya_node::config::Config;
use hamsaya_record::disclosure::{Disclosure, to_text};
use hamsaya_record::statement::{Statement, StatementId};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A node that does not have the entry yet is asked so often, once a second.
const TRIES: u32 = 20;

/// Give salted fields of a statement, in clear, to a node or into a file
///
/// Its author gives them, from the folder where the statement was made or from the author's running node; who signed for the
/// member decides when, and for whom. At the receiver's node they are read by the offices of its member that may read the entry. The
/// same again changes nothing.
#[derive(Args)]
pub struct Disclose {
    /// Folder or URL of the author's node
    #[arg(value_name = "DIR|URL")]
    node: String,
    /// The statement: its id, or log and index, e.g. P1#12
    statement: String,
    /// Only this field, e.g. note; give it again for more
    #[arg(long, value_name = "NAME")]
    field: Vec<String>,
    /// Name of a node such as P2, its URL, or a file to write, with a `.` in its name
    #[arg(long, value_name = "NODE|URL|FILE")]
    to: String,
    #[command(flatten)]
    office: As,
}

/// What there is to give.
struct Given {
    id: StatementId,
    lines: Vec<String>,
    /// URLs of nodes by name.
    nodes: BTreeMap<String, String>,
    office: As,
}

impl Disclose {
    pub fn run(&self, out: &mut dyn Write) -> Result<()> {
        let given = if is_url(&self.node) { self.of_node()? } else { self.of_folder()? };
        let disclosed: Vec<Disclosure> =
            given.lines.iter().map(|line| Disclosure::parse(line)).collect::<Result<_, _>>()?;
        if disclosed.is_empty() {
            return Err(Complaint::new(format!("nothing is kept here of what is salted in statement {}", given.id))
                .at(&self.node)
                .hint("disclosures lie where the statement was made; what was erased is nowhere")
                .into());
        }
        let mut names: Vec<&str> = disclosed.iter().map(Disclosure::name).collect();
        names.sort_unstable();
        let names = names.join(" ");
        let url = match given.nodes.get(&self.to) {
            Some(url) => url.clone(),
            None if is_url(&self.to) => self.to.clone(),
            None if self.to.contains(['.', '/']) => {
                write(Path::new(&self.to), &to_text(given.lines.iter().map(String::as_str)))?;
                return Ok(writeln!(out, "{}  {names}  of statement {}", self.to, given.id)?);
            }
            None => {
                let known = given.nodes.keys().cloned().collect::<Vec<_>>().join(" ");
                return Err(Complaint::new(format!("`{}` is no node, found are {known}", self.to))
                    .at("--to")
                    .hint("a file has a `.` in its name, e.g. note.txt")
                    .into());
            }
        };
        let answer = give(&given.office.client(&url)?, &given.id, &given.lines)?;
        let (new, withheld) = (&answer["new"], &answer["withheld"]);
        Ok(writeln!(out, "{}  {names}  {new} new, {withheld} withheld there, of statement {}", self.to, given.id)?)
    }

    /// From the folder: lines, peers, and the first key in it that may read the statement.
    fn of_folder(&self) -> Result<Given> {
        let mut tries = 0;
        // What was said just now is in the folder, and counts there once its checkpoint is published.
        let copies = loop {
            tries += 1;
            let opened = Copies::open(Path::new(&self.node));
            match opened.and_then(|copies| self.place(&copies).map(|_| copies)) {
                Err(_) if tries < TRIES => std::thread::sleep(Duration::from_secs(1)),
                copies => break copies?,
            }
        };
        let (origin, index) = self.place(&copies)?;
        let (entry, kept) = copies.disclosed(&origin, index)?;
        let folder = Folder::at(&self.node);
        let text = fs::read_to_string(folder.path("node.toml"))?;
        let config =
            Config::parse(&text).map_err(|error| Complaint::new(error).at(folder.path("node.toml").display()))?;
        let office = match self.office.key() {
            Some(_) => self.office.clone(),
            None => self.office.clone().or(key_for(&folder, &config.name, &entry.statement)?),
        };
        let own = (config.name.clone(), folder.url()?);
        let peers = config.peers.iter().map(|peer| (peer.name.clone(), peer.url.clone()));
        Ok(Given {
            id: entry.statement_id,
            lines: chosen(&kept, &self.field)?,
            nodes: peers.chain([own]).collect(),
            office,
        })
    }

    fn place(&self, copies: &Copies) -> Result<(String, u64)> {
        let place = match self.statement.parse::<StatementId>() {
            Ok(id) => copies.place_of(&id)?,
            Err(_) => {
                let (log, index) = split_entry(&self.statement)?;
                (copies.origin_of(log)?, index)
            }
        };
        copies.disclosed(&place.0, place.1)?;
        Ok(place)
    }

    fn of_node(&self) -> Result<Given> {
        let Source::Node(node) = Source::of(&self.node, &self.office)? else { unreachable!("it is a URL") };
        let id = match self.statement.parse::<StatementId>() {
            Ok(id) => id,
            Err(_) => {
                let (origin, index) = place_of(&node, &self.statement)?;
                node.statement_id(&origin, index)?.parse()?
            }
        };
        let said = node.get(&format!("/api/disclosures?statement={id}"))?;
        let lines = said["disclosures"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let kept: Vec<Disclosure> = lines.map(Disclosure::parse).collect::<Result<_, _>>()?;
        let state = node.get("/api/state")?;
        let peers = state["peers"].as_array().into_iter().flatten();
        let nodes = peers.filter_map(|p| Some((p["name"].as_str()?.to_string(), p["url"].as_str()?.to_string())));
        Ok(Given { id, lines: chosen(&kept, &self.field)?, nodes: nodes.collect(), office: self.office.clone() })
    }
}

/// Hands lines over. An entry reaches other nodes after it was logged: until then they do not know it.
fn give(node: &NodeClient, id: &StatementId, lines: &[String]) -> Result<Value> {
    let body = json!({"disclosures": lines}).to_string();
    let mut tries = 0;
    loop {
        let answer = node.post(&format!("/api/disclosures?statement={id}"), "application/json", body.as_bytes())?;
        tries += 1;
        match answer.status {
            200 => return Ok(serde_json::from_slice(&answer.body)?),
            404 if tries < TRIES => std::thread::sleep(Duration::from_secs(1)),
            _ => return Err(refused(&answer).into()),
        }
    }
}

/// The first key here whose role reads such a statement.
fn key_for(folder: &Folder, member: &str, statement: &Statement) -> Result<PathBuf> {
    let agreement = agreements::read(&folder.path("agreement"))?;
    let rights = agreement.rights();
    let role_of = agreement.members().iter().find(|m| m.name == member).map(|m| m.role);
    let reads = |file: &str| {
        let role = role_of.and_then(|of| rights.role_of_key(of, file));
        role.is_some_and(|role| role.circle.is_some() && rights.may_read(Reader { role, member }, statement).is_ok())
    };
    let held = folder.keys()?;
    let found = held.iter().find(|held| reads(&held.file));
    let found = found.ok_or_else(|| {
        Complaint::new(format!("no key here is of an office of {member} that reads this statement"))
            .at(folder.path("keys").display())
            .hint("--as names a key file")
    })?;
    Ok(folder.path("keys").join(format!("{}.key", found.file)))
}

/// Only its owner may read it.
fn write(path: &Path, text: &str) -> Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).with_context(|| format!("{} cannot be written", path.display()))?;
    file.write_all(text.as_bytes())?;
    Ok(file.sync_all()?)
}
