//! `hamsaya verify`: whether a folder, an exhibit or a proof fits, without network and without a node.
use super::Outcome;
use crate::complaint::Complaint;
use crate::faults;
use crate::verdicts::{hex, known};
use anyhow::{Context, Result};
use clap::Args;
use hamsaya_record::exhibit::{self, ExhibitReport};
use hamsaya_record::merkle::leaf_hash;
use hamsaya_record::policy::Policy;
use hamsaya_record::proof::Proof;
use hamsaya_record::verify;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Check every byte of a node's folder, an exhibit or a proof, without network and without a node
///
/// A folder: every tile, bundle, checkpoint, lock and signature of its own log, of the copies of the others and of its
/// states as a witness. An exhibit (x.exhibit.zip): that its statement is in the log that it names, since when, and by whose
/// word. Exit codes: 0 it fits, 1 it does not, 2 it cannot be read.
#[derive(Args)]
pub struct Verify {
    /// Folder of a node, an exhibit, or a proof (x.tlog-proof)
    path: PathBuf,
    /// For a proof: the entry that it proves
    #[arg(long, value_name = "FILE")]
    statement: Option<PathBuf>,
    /// For a proof: the policy that says whose cosignatures count
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

impl Verify {
    pub fn run(&self, out: &mut dyn Write) -> Result<Outcome> {
        if self.path.is_dir() {
            return folder(&self.path, out);
        }
        let bytes = read(&self.path)?;
        if bytes.starts_with(b"c2sp.org/tlog-proof@v1") { self.proof(&bytes, out) } else { exhibit(&bytes, out) }
    }

    fn proof(&self, bytes: &[u8], out: &mut dyn Write) -> Result<Outcome> {
        let (Some(statement), Some(policy)) = (&self.statement, &self.policy) else {
            return Err(Complaint::new("a proof alone proves nothing: the entry and the policy are missing")
                .at(self.path.display())
                .hint("give --statement and --policy, or an exhibit, which holds both")
                .into());
        };
        let proof = Proof::parse(bytes)?;
        let policy = Policy::parse(&read(policy)?)?;
        match proof.verify(&leaf_hash(&read(statement)?), &policy) {
            Ok(checkpoint) => {
                writeln!(out, "entry {} of {}, size {}: proven", proof.index, checkpoint.origin, checkpoint.size)?;
                Ok(Outcome::NoBreach)
            }
            Err(error) => {
                writeln!(out, "does not fit: {error}")?;
                Ok(Outcome::Found)
            }
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("{} cannot be read", path.display()))
}

fn folder(path: &Path, out: &mut dyn Write) -> Result<Outcome> {
    if !path.join("founding.json").exists() {
        return Err(Complaint::new("the folder holds no record: `founding.json` is missing")
            .at(path.display())
            .hint("give the folder of a node, as `hamsaya demo` leaves five")
            .into());
    }
    match verify::node_folder(path) {
        Ok(verified) => {
            for log in &verified.logs {
                let head =
                    log.head.as_ref().map(|h| format!("{}, published {} with root {}", h.origin, h.size, hex(&h.root)));
                let head = head.unwrap_or_else(|| "nothing is published yet".into());
                writeln!(out, "{}: {} entries, {head}", log.place, log.size)?;
                for (index, refusal) in &log.replay.refused {
                    writeln!(out, "  entry {index} counts for nothing: {refusal}")?;
                }
            }
            for (origin, size) in &verified.witnessed {
                writeln!(out, "witness: {origin} cosigned at size {size}")?;
            }
            writeln!(out, "{}: every byte fits", path.display())?;
            Ok(Outcome::NoBreach)
        }
        Err(found) => {
            write!(out, "{}", faults::lines(&found))?;
            let places = if found.len() == 1 { "1 place".into() } else { format!("{} places", found.len()) };
            writeln!(out, "{}: does not fit in {places}", path.display())?;
            Ok(Outcome::Found)
        }
    }
}

fn exhibit(bytes: &[u8], out: &mut dyn Write) -> Result<Outcome> {
    match exhibit::verify(bytes) {
        Ok(report) => {
            write!(out, "{}", as_text(&report))?;
            Ok(Outcome::NoBreach)
        }
        Err(error) if error.is_unreadable() => Err(error.into()),
        Err(error) => {
            writeln!(out, "does not fit: {error}")?;
            Ok(Outcome::Found)
        }
    }
}

fn as_text(report: &ExhibitReport) -> String {
    let statement = &report.statement;
    let signers: Vec<String> = report.signers.iter().map(|s| format!("{} ({}, {})", s.node, s.role, s.keyid)).collect();
    let before = known(report.logged_at.lo).map(|lo| format!(", not before {lo}")).unwrap_or_default();
    let mut text = format!(
        "statement  {}\nsaid       {} {} by {}, stated {}\nsigned     {}\nlogged     {} #{} of {}{before}, by {}\n\
         witnesses  {}\nagreement  {}\nfounding   {}\n",
        report.statement_id,
        statement.act.name(),
        statement.kind,
        statement.party,
        statement.stated_at,
        signers.join(", "),
        report.origin,
        report.index,
        report.size,
        report.logged_at.hi,
        report.cosigned_by.join(", "),
        hex(&statement.agreement),
        report.founding_id,
    );
    for (name, value) in &report.disclosed {
        text.push_str(&format!("disclosed  {name}: {value}\n"));
    }
    text.push_str("proven: compare agreement and founding with those that you signed\n");
    text
}
