//! Agreement folders: from a path, or the ones that this binary carries, so that the demo runs anywhere.
use crate::complaint::Complaint;
use crate::faults;
use crate::verdicts::hex;
use anyhow::{Context, Result};
use hamsaya_agreement::{Agreement, JudgeError};
use hamsaya_record::logs::Logs;
use hamsaya_record::verify;
use rust_embed::RustEmbed;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

#[derive(RustEmbed)]
#[folder = "../../agreements/"]
struct Shipped;

/// Files of a folder: path within it, with `/`, and bytes.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Reads and compiles the agreement in a folder.
pub fn read(dir: &Path) -> Result<Agreement> {
    Ok(Agreement::parse(&files(dir)?)?)
}

/// An agreement, and the record that was founded on it: every log checked, the largest consistent copy of each.
pub fn read_with_record(agreement: &Path, record: &[PathBuf]) -> Result<(Agreement, Logs)> {
    let agreement = read(agreement)?;
    let logs = record_of(&agreement, record)?;
    Ok((agreement, logs))
}

/// The record that was founded on an agreement.
pub fn record_of(agreement: &Agreement, record: &[PathBuf]) -> Result<Logs> {
    for dir in record {
        faults::record_is_in(dir)?;
    }
    let (founding, logs) = verify::load(record).map_err(faults::complaint)?;
    if founding.agreement() != agreement.digest() {
        let (found, allowed) = (hex(&founding.agreement()), hex(&agreement.digest()));
        return Err(JudgeError::OtherAgreement { found, allowed }.into());
    }
    Ok(logs)
}

/// All files of an agreement folder.
pub fn files(dir: &Path) -> Result<Files> {
    if !dir.join("agreement.toml").is_file() {
        return Err(Complaint::new("the folder holds no agreement: `agreement.toml` is missing")
            .at(dir.display())
            .hint("give a folder like `agreements/hamsaya-accord`")
            .into());
    }
    let mut files = Files::new();
    walk(dir, "", &mut files)?;
    Ok(files)
}

fn walk(dir: &Path, prefix: &str, files: &mut Files) -> Result<()> {
    for entry in fs::read_dir(dir).with_context(|| format!("{} cannot be read", dir.display()))? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), &format!("{name}/"), files)?;
        } else {
            let bytes = fs::read(entry.path()).with_context(|| format!("{} cannot be read", entry.path().display()))?;
            files.insert(name, bytes);
        }
    }
    Ok(())
}

/// A file below `agreements/` that this binary carries.
pub fn shipped_text(path: &str) -> Result<String> {
    let file =
        Shipped::get(path).ok_or_else(|| Complaint::new(format!("this binary carries no `agreements/{path}`")))?;
    String::from_utf8(file.data.into_owned()).with_context(|| format!("agreements/{path} is not UTF-8"))
}

/// The shipped agreement of this name.
pub fn shipped(name: &str) -> Result<Files> {
    let prefix = format!("{name}/");
    let named = Shipped::iter().filter_map(|path| {
        let within = path.strip_prefix(&prefix)?.to_string();
        Some((within, Shipped::get(&path)?.data.into_owned()))
    });
    let files: Files = named.collect();
    if files.is_empty() {
        return Err(Complaint::new(format!("this binary carries no agreement `{name}`")).into());
    }
    Ok(files)
}

/// Writes an agreement's files into a new folder.
pub fn write(files: &Files, dir: &Path) -> Result<()> {
    for (name, bytes) in files {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap_or(dir))?;
        fs::write(path, bytes)?;
    }
    Ok(())
}
