//! `hamsaya agreement export`: one JSON document for machines.
use super::show;
use crate::agreements;
use crate::verdicts::hex;
use anyhow::{Context, Result};
use hamsaya_agreement::{Agreement, MemberRole, Speech};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::Write;
use std::path::Path;

/// The document: everything that the folder says, the digest that names it, and of each file its SHA-256, from which the
/// digest can be computed again.
pub fn export(dir: &Path, file: Option<&Path>, out: &mut dyn Write) -> Result<()> {
    let files = agreements::files(dir)?;
    let agreement = Agreement::parse(&files)?;
    let hashes: serde_json::Map<String, Value> =
        files.iter().map(|(name, bytes)| (name.clone(), json!(hex(&Sha256::digest(bytes))))).collect();
    let members = agreement.members().iter().map(|m| {
        let role = match m.role {
            MemberRole::Party => "party",
            MemberRole::Guarantor => "guarantor",
            MemberRole::Witness => "witness",
        };
        json!({ "name": m.name, "role": role, "origin": m.origin })
    });
    let kinds = agreement.kinds().iter().map(|k| {
        let speech = match k.speech {
            Speech::Said => "said",
            Speech::Seen => "seen",
            Speech::Background => "background",
            Speech::Mechanism => "mechanism",
        };
        let fields = k.fields.iter().map(|(name, kind)| json!({ "name": name, "type": kind }));
        json!({ "name": k.name, "act": k.act, "speech": speech, "fields": fields.collect::<Vec<_>>() })
    });
    let articles = agreement.articles().iter().map(|a| {
        let paragraphs = a.paragraphs.iter().map(
            |p| json!({ "address": p.address, "number": p.number, "title": p.title, "text": p.text, "line": p.line }),
        );
        json!({
            "address": a.address, "title": a.title, "text": a.text, "file": a.file,
            "paragraphs": paragraphs.collect::<Vec<_>>(),
        })
    });
    let document = json!({
        "format": "hamsaya/agreement/v1",
        "digest": hex(&agreement.digest()),
        "title": agreement.title(),
        "languages": agreement.languages().collect::<Vec<_>>(),
        "in_force": agreement.in_force().map(|at| at.to_string()),
        "members": members.collect::<Vec<_>>(),
        "articles": articles.collect::<Vec<_>>(),
        "commitments": agreement.commitments().iter().map(|c| show::as_json(&agreement, c, true)).collect::<Vec<_>>(),
        "kinds": kinds.collect::<Vec<_>>(),
        "files": hashes,
    });
    match file {
        Some(path) => {
            fs::write(path, format!("{document:#}\n"))
                .with_context(|| format!("{} cannot be written", path.display()))?;
            writeln!(out, "{}: digest {}", path.display(), hex(&agreement.digest()))?;
        }
        None => writeln!(out, "{document:#}")?,
    }
    Ok(())
}
