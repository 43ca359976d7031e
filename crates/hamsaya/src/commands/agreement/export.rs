//! `hamsaya agreement export`: the agreement in one document, for machines and for other people's tools.
//!
//! ```text
//! export DIR                                       JSON: everything that the folder says
//! export DIR --akn --lang ps --out accord.xml      Akoma Ntoso: the text in one language
//! export DIR --akn --out accord.xml                the same for every language: accord.en.xml, accord.ps.xml …
//! export DIR --legalruleml --out accord.lrml       LegalRuleML: the rules, with the addresses of the text
//! export DIR --html --out accord.html              a page to read, with all languages; with --lang, with one
//! export DIR --pdf --lang ur --out accord.pdf      the same page on paper
//! ```
//!
//! The same folder gives the same bytes.
use super::{page, show};
use crate::agreements::{self, Files};
use crate::complaint::Complaint;
use crate::sheet::pdf;
use crate::verdicts::hex;
use anyhow::{Context, Result};
use clap::Args;
use hamsaya_agreement::{Agreement, Speech, interchange};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// In which form; at most one.
#[derive(Args)]
#[group(multiple = false)]
pub struct Form {
    /// Akoma Ntoso 3.0 (OASIS LegalDocML): the text, one document per language
    #[arg(long)]
    akn: bool,
    /// LegalRuleML 1.0 (OASIS): the rules, which name the paragraphs of the text that they render
    #[arg(long)]
    legalruleml: bool,
    /// One page to read: text, what the rules demand in words, and the rules; all languages beside each other, or one
    #[arg(long)]
    html: bool,
    /// The same page on paper, printed by a browser on this machine
    #[arg(long)]
    pdf: bool,
}

/// Documents to write: language, if it is of one alone, and bytes.
type Documents = Vec<(Option<String>, Vec<u8>)>;

pub fn export(dir: &Path, form: &Form, lang: Option<&str>, file: Option<&Path>, out: &mut dyn Write) -> Result<()> {
    let files = agreements::files(dir)?;
    let agreement = Agreement::parse(&files)?;
    let languages: Vec<&str> = agreement.languages().collect();
    if let Some(lang) = lang.filter(|l| !languages.contains(l)) {
        return Err(Complaint::new(format!(
            "the agreement has no text in `{lang}`, allowed is {}",
            languages.join(", ")
        ))
        .at("--lang")
        .hint("languages stand in agreement.toml")
        .into());
    }
    let documents = if form.akn {
        per_language(lang, &languages, |language| interchange::akoma_ntoso(&agreement, language))
    } else if form.legalruleml {
        vec![(None, interchange::legalruleml(&agreement).into_bytes())]
    } else if form.html || form.pdf {
        let wanted = lang.map_or_else(|| languages.clone(), |lang| vec![lang]);
        let page = page::page(&agreement, &wanted)?;
        let bytes = if form.pdf { print(&page)? } else { page.into_bytes() };
        vec![(lang.map(String::from), bytes)]
    } else {
        vec![(None, as_json(&files, &agreement).into_bytes())]
    };
    if lang.is_some() && documents.iter().all(|(language, _)| language.is_none()) {
        return Err(Complaint::new("`--lang` picks one language, and this form holds all that there are")
            .at("--lang")
            .hint("leave it out, or give --akn, --html or --pdf")
            .into());
    }
    write(documents, file, &agreement, out)
}

fn print(page: &str) -> Result<Vec<u8>, Complaint> {
    let browser = pdf::browser().ok_or_else(|| pdf::no_browser("--pdf", "--html needs none"))?;
    pdf::pdf(&browser, page)
}

/// One document for the language that was asked for, or one for each.
fn per_language(lang: Option<&str>, languages: &[&str], document: impl Fn(&str) -> String) -> Documents {
    let wanted = languages.iter().filter(|l| lang.is_none_or(|lang| lang == **l));
    wanted.map(|l| (Some(l.to_string()), document(l).into_bytes())).collect()
}

/// Writes one document where it was asked for; several each beside it, with the language in the name.
fn write(documents: Documents, file: Option<&Path>, agreement: &Agreement, out: &mut dyn Write) -> Result<()> {
    let is_one = documents.len() == 1;
    let Some(path) = file else {
        if !is_one {
            let languages: Vec<&str> = agreement.languages().collect();
            return Err(Complaint::new(format!("a document is in one language, found are {}", languages.join(", ")))
                .at("--akn")
                .hint("name one with --lang, or give --out: a file is written for each")
                .into());
        }
        documents.iter().try_for_each(|(_, bytes)| out.write_all(bytes))?;
        return Ok(());
    };
    for (language, bytes) in documents {
        let path = match language {
            Some(language) if !is_one => beside(path, &language),
            _ => path.to_path_buf(),
        };
        fs::write(&path, bytes).with_context(|| format!("{} cannot be written", path.display()))?;
        writeln!(out, "{}: digest {}", path.display(), hex(&agreement.digest()))?;
    }
    Ok(())
}

/// `accord.ps.xml` for `accord.xml`.
fn beside(path: &Path, language: &str) -> PathBuf {
    let extension = path.extension().map(|e| format!(".{}", e.to_string_lossy())).unwrap_or_default();
    path.with_extension(format!("{language}{extension}"))
}

/// Everything that the folder says, the digest that names it, and of each file its SHA-256, from which the digest can be
/// computed again.
fn as_json(files: &Files, agreement: &Agreement) -> String {
    let hashes: serde_json::Map<String, Value> =
        files.iter().map(|(name, bytes)| (name.clone(), json!(hex(&Sha256::digest(bytes))))).collect();
    let members =
        agreement.members().iter().map(|m| json!({ "name": m.name, "role": m.role.word(), "origin": m.origin }));
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
        "commitments": agreement.commitments().iter().map(|c| show::as_json(agreement, c, true)).collect::<Vec<_>>(),
        "kinds": kinds.collect::<Vec<_>>(),
        "files": hashes,
    });
    format!("{document:#}\n")
}
