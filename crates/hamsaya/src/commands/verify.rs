//! `hamsaya verify`: whether a folder, an exhibit, a bundle or a proof fits, without network and without a node.
use super::Outcome;
use crate::complaint::Complaint;
use crate::faults;
use crate::files;
use crate::verdicts::{columns, hex, known};
use anyhow::{Context, Result};
use clap::Args;
use hamsaya_record::bundle::{self, PUBLIC_PRECISION_M, Redaction, Rule, Shown};
use hamsaya_record::exhibit::{self, EquivocationReport, Exhibit, ExhibitReport, Holder};
use hamsaya_record::merkle::leaf_hash;
use hamsaya_record::policy::Policy;
use hamsaya_record::proof::Proof;
use hamsaya_record::tiles::Fault;
use hamsaya_record::verify;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Check every byte of a node's folder, an exhibit, a public bundle or a proof, without network and without a node
///
/// A folder: every tile, bundle, checkpoint, lock and signature of its own log, of the copies of the others and of its
/// states as a witness, and every file beside the log. An exhibit (x.exhibit.zip): that its statement is in the log that it names, since when, and by whose
/// word. A bundle (bundle.zip): that what it shows is the logs' own and that it lists all else. Exit codes: 0 it fits, 1 it does not, 2 it cannot be read.
#[derive(Args)]
pub struct Verify {
    /// Folder of a node, an exhibit, a bundle, or a proof (x.tlog-proof)
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
        if bytes.starts_with(b"c2sp.org/tlog-proof@v1") {
            self.proof(&bytes, out)
        } else if bundle::is_bundle(&bytes) {
            public_bundle(&bytes, out)
        } else {
            exhibit(&bytes, out)
        }
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

/// Checks a node's folder and says what it holds, or what does not fit.
pub fn folder(path: &Path, out: &mut dyn Write) -> Result<Outcome> {
    if !path.join("founding.json").exists() {
        return Err(Complaint::new("the folder holds no record: `founding.json` is missing")
            .at(path.display())
            .hint("give the folder of a node, as `hamsaya demo` leaves five")
            .into());
    }
    match verify::node_folder(faults::record_is_in(path)?) {
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
            let (held, faults) = files::checked(path, &verified)?;
            if held > 0 {
                writeln!(out, "files: {held} held, each with the SHA-256 that it is named by")?;
            }
            if !faults.is_empty() {
                return unfit(path, &faults, out);
            }
            for (origin, size) in &verified.witnessed {
                writeln!(out, "witness: {origin} cosigned at size {size}")?;
            }
            writeln!(out, "{}: every byte fits", path.display())?;
            Ok(Outcome::NoBreach)
        }
        Err(found) => unfit(path, &found, out),
    }
}

fn unfit(path: &Path, found: &[Fault], out: &mut dyn Write) -> Result<Outcome> {
    write!(out, "{}", faults::lines(found))?;
    let places = if found.len() == 1 { "1 place".into() } else { format!("{} places", found.len()) };
    writeln!(out, "{}: does not fit in {places}", path.display())?;
    Ok(Outcome::Found)
}

fn exhibit(bytes: &[u8], out: &mut dyn Write) -> Result<Outcome> {
    match exhibit::read(bytes) {
        Ok(Exhibit::Statement(report)) => {
            write!(out, "{}", as_text(&report))?;
            Ok(Outcome::NoBreach)
        }
        Ok(Exhibit::Equivocation(report)) => {
            write!(out, "{}", equivocation_as_text(&report))?;
            Ok(Outcome::NoBreach)
        }
        Err(error) if error.is_unreadable() => Err(error.into()),
        Err(error) => {
            writeln!(out, "does not fit: {error}")?;
            Ok(Outcome::Found)
        }
    }
}

fn public_bundle(bytes: &[u8], out: &mut dyn Write) -> Result<Outcome> {
    let report = match bundle::verify(bytes) {
        Ok(report) => report,
        Err(error) => {
            writeln!(out, "does not fit: {error}")?;
            return Ok(Outcome::Found);
        }
    };
    let mut rows = Vec::new();
    let mut words = String::new();
    for log in &report.logs {
        let shown = log.shown.len() as u64;
        rows.push(vec![
            log.origin.clone(),
            format!("{} entries by {}", log.size, log.cosigned_at),
            format!("{shown} shown"),
            // Entry 0 is the founding, which is beside them.
            format!("{} withheld", log.size - 1 - shown),
            format!("cosigned by {}", log.cosigned_by.join(", ")),
        ]);
        for Shown { index, statement, signers, disclosed } in log.shown.iter().take(SHOWN_MAX) {
            let by: Vec<&str> = signers.iter().map(|s| s.keyid.as_str()).collect();
            let (act, kind, at) = (statement.act.name(), &statement.kind, statement.stated_at);
            words.push_str(&format!(
                "shown      {}#{index}  {act} {kind} stated {at}, signed {}\n",
                log.origin,
                by.join(", ")
            ));
            for disclosed in disclosed {
                let (name, value) = (disclosed.name(), disclosed.value_text());
                words.push_str(&format!("disclosed  {}#{index}  {name}: {value}\n", log.origin));
            }
        }
        if log.shown.len() > SHOWN_MAX {
            words.push_str(&format!("shown      {} and {} more\n", log.origin, log.shown.len() - SHOWN_MAX));
        }
    }
    write!(out, "{}{words}{}", columns(rows), withheld(&report.redactions))?;
    for origin in &report.absent {
        writeln!(
            out,
            "absent     {origin}: no quorum had cosigned it, or the node that made this bundle does not hold it"
        )?;
    }
    writeln!(out, "agreement  {}\nfounding   {}", hex(&report.agreement), report.founding_id)?;
    writeln!(out, "proven: nothing else was in these logs; compare agreement and founding with those that you trust")?;
    Ok(Outcome::NoBreach)
}

/// Most entries of a log that are listed one by one.
const SHOWN_MAX: usize = 20;

/// What is withheld, and under which rule: entries that follow each other are one line.
fn withheld(redactions: &[Redaction]) -> String {
    let mut text = String::new();
    let same = |a: &Redaction, b: &Redaction| {
        (&a.origin, a.rule, &a.field) == (&b.origin, b.rule, &b.field) && a.field == "*" && a.index + 1 == b.index
    };
    for run in redactions.chunk_by(same) {
        let (first, last) = (&run[0], &run[run.len() - 1]);
        let to = if run.len() > 1 { format!("–{}", last.index) } else { String::new() };
        let part = if first.field == "*" { String::new() } else { format!(" {}", first.field) };
        text.push_str(&format!("withheld   {}#{}{to}{part}: {}\n", first.origin, first.index, words(first.rule)));
    }
    text
}

/// A rule in words.
fn words(rule: Rule) -> String {
    match rule {
        Rule::Marking => "marking, which is above TLP:CLEAR".into(),
        Rule::Handling => "handling, PAP:RED or PAP:AMBER: not to be forwarded".into(),
        Rule::Place => format!("place, which is finer than {PUBLIC_PRECISION_M} m"),
        Rule::Salted => "salted, the log itself holds only a digest".into(),
        Rule::Unreadable => "unreadable, no statement that its party signed for this log and agreement".into(),
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
    for file in &statement.files {
        let here = if report.files.contains(&file.sha256) { "here, and it is the one named" } else { "not here" };
        let sha256 = hex(&file.sha256);
        text.push_str(&format!(
            "file       {}: {} bytes, {}, {sha256}: {here}\n",
            file.name, file.bytes, file.media_type
        ));
    }
    for held in &report.held {
        let Holder { node, keyid, at, size } = held;
        text.push_str(&format!("held       by {node} since {at}, as its mirror signed at size {size} ({keyid})\n"));
    }
    text.push_str("proven: compare agreement and founding with those that you signed\n");
    text
}

fn equivocation_as_text(report: &EquivocationReport) -> String {
    let (first, second) = (&report.first, &report.second);
    let by = |cosigners: &[String]| match cosigners.is_empty() {
        true => "no witness of its policy".to_string(),
        false => cosigners.join(", "),
    };
    format!(
        "log        {}, kept by {}\nkey        {}\nsigned     size {} with root {}\n  cosigned {}\nand        size {} with root {}\n  \
         cosigned {}\nbut        the second has root {} at size {}\nagreement  {}\nfounding   {}\n\
         equivocation proven: {} signed two logs; compare agreement and founding with those that you signed\n",
        report.origin,
        report.keeper,
        report.keyid,
        first.0.size,
        hex(&first.0.root),
        by(&first.1),
        second.0.size,
        hex(&second.0.root),
        by(&second.1),
        hex(&report.root),
        first.0.size,
        hex(&report.agreement),
        report.founding_id,
        report.keyid,
    )
}
