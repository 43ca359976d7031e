//! `hamsaya record files|send`: files beside the log.
use super::Source;
use crate::agreements;
use crate::client::{As, NodeClient};
use crate::commands::Format;
use crate::complaint::Complaint;
use crate::files::{self, Sent};
use crate::folder::Folder;
use crate::verdicts::columns;
use anyhow::Result;
use clap::Args;
use hamsaya_record::key::SecretKey;
use hamsaya_record::statement::hex;
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};

/// List files that entries of a node's own log name: held, arriving, missing or erased
///
/// `c2pa`: it carries a C2PA manifest ("content credentials"), which is neither read nor verified here.
#[derive(Args)]
pub struct Listed {
    /// Folder or URL of the node
    #[arg(value_name = "DIR|URL")]
    node: String,
    #[command(flatten)]
    office: As,
    /// For people or for scripts
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Send files that statements name to their node: those that did not come, and the rest of those that broke off
///
/// Which statement names a file is known by its SHA-256. What is there already is not sent again.
#[derive(Args)]
pub struct Send {
    /// Folder of the node: its keys
    dir: PathBuf,
    /// Files to send
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// URL of the node; default: where its settings say it listens
    #[arg(long, value_name = "URL")]
    node: Option<String>,
    /// Key that signs what is sent, a file in `keys/`; default: the first of an office that may
    #[arg(long)]
    key: Option<String>,
}

impl Listed {
    pub fn run(&self, out: &mut dyn Write) -> Result<()> {
        let rows = Source::of(&self.node, &self.office)?.files()?;
        match self.format {
            Format::Json => writeln!(out, "{:#}", json!(rows))?,
            Format::Text => out.write_all(columns(rows.iter().map(line).collect()).as_bytes())?,
        }
        Ok(())
    }
}

fn line(row: &Value) -> Vec<String> {
    let text = |key: &str| row[key].as_str().unwrap_or("-").to_string();
    let state = match row["state"].as_str() {
        Some("arriving") => format!("{} of {} bytes came", row["received"], row["bytes"]),
        Some("erased") => match row["erased"]["ground"].as_str() {
            Some(ground) => format!("erased ({ground}, #{})", row["erased"]["index"]),
            None => "erased".to_string(),
        },
        _ => text("state"),
    };
    let c2pa = if row["c2pa"] == true { "c2pa" } else { "" };
    vec![
        format!("{} #{}", text("origin"), row["index"]),
        text("name"),
        format!("{} bytes", row["bytes"]),
        text("media_type"),
        state,
        c2pa.to_string(),
        text("sha256"),
    ]
}

impl Send {
    pub fn run(&self, out: &mut dyn Write) -> Result<()> {
        let folder = Folder::at(&self.dir);
        let url = match &self.node {
            Some(url) => url.clone(),
            None => folder.url()?,
        };
        let node = NodeClient::new(&url);
        for path in &self.files {
            let sha = files::digest_of(path)?;
            let key = match &self.key {
                Some(file) => folder.key(file)?,
                None => sender(&folder, &node, &hex(&sha))?,
            };
            sent(&node.clone().acting_as(key, ""), &sha, path, out)?;
        }
        Ok(())
    }
}

/// Sends one file, and says how that went.
pub fn sent(node: &NodeClient, sha: &[u8; 32], path: &Path, out: &mut dyn Write) -> Result<()> {
    let name = hex(sha);
    match files::send(node, sha, path)? {
        Sent::Already => writeln!(out, "{}  {name}  it was there", path.display())?,
        Sent::Now(bytes, 0) => writeln!(out, "{}  {name}  {bytes} bytes sent", path.display())?,
        Sent::Now(bytes, before) => {
            writeln!(out, "{}  {name}  {bytes} bytes sent after {before} that were there", path.display())?
        }
    }
    Ok(())
}

/// The first key here of an office that may send this file.
fn sender(folder: &Folder, node: &NodeClient, name: &str) -> Result<SecretKey> {
    let agreement = agreements::read(&folder.path("agreement"))?;
    let member = folder.setting("name")?;
    let role = agreement.members().iter().find(|m| m.name == member).map(|m| m.role);
    let is_office = |file: &str| {
        role.and_then(|role| agreement.rights().role_of_key(role, file)).is_some_and(|role| role.circle.is_some())
    };
    let mut why = None;
    for held in folder.keys()?.into_iter().filter(|held| is_office(&held.file)) {
        match node.clone().acting_as(held.key.clone(), "").get(&format!("/api/files/{name}/upload")) {
            Ok(_) => return Ok(held.key),
            Err(error) => why = Some(error),
        }
    }
    Err(why.unwrap_or_else(|| {
        Complaint::new("there is no key of an office here").at(folder.path("keys").display()).into()
    }))
}
