//! `hamsaya keys new|show|list|next|rotate|revoke|confirm`.
mod following;

use super::Outcome;
use crate::folder::{Folder, Held};
use crate::verdicts::columns;
use anyhow::Result;
use clap::{Args, Subcommand};
use following::{Change, Which};
use hamsaya_record::key::{Algorithm, Role};
use std::io::Write;
use std::path::PathBuf;

/// Make keys, show the public half of those a node holds, and let one follow another
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
    /// Make the key after one, and state its hash in the record
    ///
    /// Only the key whose hash the record knows can take the place of the other: a thief cannot put his own there. The next key lies
    /// in `keys/next`; keep it elsewhere until it is needed.
    Next(Which),
    /// Let the next key take the place of one, and state the hash of the one after that
    ///
    /// Both sign. The old key's file is kept until the record has it, then it lies in `keys/old`. If the command is interrupted, give it
    /// again: it goes on.
    Rotate(Which),
    /// Say that a key was stolen; the next one takes its place
    ///
    /// What it signed in the node's own log from `--good-size` on is disputed once enough other nodes bear it out, with
    /// `hamsaya keys confirm`. A key that gave way already is named by its file, e.g. `old/chair-1a2b3c4d`.
    Revoke {
        #[command(flatten)]
        which: Which,
        /// So many entries of the log are good; no more than a quorum of witnesses cosigned
        #[arg(long, value_name = "N")]
        good_size: u64,
        /// The recovery key signs, too: for a key whose hash the record did not know
        #[arg(long)]
        recovery: bool,
    },
    /// Bear out, in the node's own log, what another node says of a stolen key
    Confirm {
        /// Folder of the node
        dir: PathBuf,
        /// The entry that says so, e.g. P1#97
        entry: String,
        /// URL of the node; default: where its settings say it listens
        #[arg(long, value_name = "URL")]
        node: Option<String>,
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
            Verb::Next(which) => following::change(which, &Change::Next, out)?,
            Verb::Rotate(which) => following::change(which, &Change::Rotate, out)?,
            Verb::Revoke { which, good_size, recovery } => {
                following::change(which, &Change::Revoke { good_size: *good_size, recovery: *recovery }, out)?;
            }
            Verb::Confirm { dir, entry, node } => following::confirm(dir, node.as_ref(), entry, out)?,
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
