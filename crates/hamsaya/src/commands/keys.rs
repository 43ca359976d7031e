//! `hamsaya keys new|show|list`.
use super::Outcome;
use crate::folder::{Folder, Held};
use crate::verdicts::columns;
use anyhow::Result;
use clap::{Args, Subcommand};
use hamsaya_record::key::{Algorithm, Role};
use std::io::Write;
use std::path::PathBuf;

/// Make keys, and show the public half of those a node holds
#[derive(Args)]
pub struct Keys {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Make a key from the randomness of the operating system
    New {
        /// Folder of the node
        dir: PathBuf,
        /// File to keep it in, without `.key`
        #[arg(long, value_name = "NAME")]
        key: String,
        /// What it is for: log, witness, mirror, node, office, device or recovery
        #[arg(long, default_value = "office")]
        role: Role,
        /// Name within the key; default: the host of the node's log, then the file's name
        #[arg(long)]
        name: Option<String>,
    },
    /// Show the public half of one key
    Show {
        /// Folder of the node
        dir: PathBuf,
        /// Its file, without `.key`
        key: String,
    },
    /// List the public halves of all keys
    List {
        /// Folder of the node
        dir: PathBuf,
    },
}

impl Keys {
    pub fn run(&self, out: &mut dyn Write) -> Result<Outcome> {
        match &self.verb {
            Verb::New { dir, key, role, name } => {
                let folder = Folder::at(dir);
                let name = match name {
                    Some(name) => name.clone(),
                    None => format!("{}/{key}", host(&folder)?),
                };
                let made = folder.make_key(key, &name, *role)?;
                writeln!(out, "{}", made.vkey())?;
            }
            Verb::Show { dir, key } => writeln!(out, "{}", Folder::at(dir).key(key)?.vkey())?,
            Verb::List { dir } => {
                let line = |h: &Held| vec![h.file.clone(), used_for(h).into(), h.key.vkey().to_string()];
                let lines = Folder::at(dir).keys()?.iter().map(line).collect();
                out.write_all(columns(lines).as_bytes())?;
            }
        }
        Ok(Outcome::NoBreach)
    }
}

/// `p1.example` of `p1.example/hamsaya/1`.
fn host(folder: &Folder) -> Result<String> {
    let held = folder.keys()?;
    let first = held.iter().find(|h| h.file == "log").or(held.first());
    Ok(first.map(|h| h.key.vkey().name().split('/').next().unwrap_or_default().to_string()).unwrap_or_default())
}

fn used_for(held: &Held) -> &'static str {
    match held.key.vkey().algorithm() {
        Algorithm::Cosignature => "cosigns",
        Algorithm::Ed25519 => "signs",
    }
}
