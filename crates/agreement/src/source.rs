//! The agreement folder, parsed.
//!
//! ```text
//! agreement.toml                title, members, roles, languages
//! 01-terms.md … 10-life.md      articles: text in several languages, a rule block under each paragraph
//! annexes/kinds.toml            kinds of statement with their act and typed fields, said or seen
//! ```
//!
//! [`Agreement::parse`] takes the bytes of these files and gives either an agreement that can judge or every reason why it
//! cannot. Reading folders is left to others.
use crate::annex::{self, Charter, KindRule, Kinds, Table, Type};
use crate::article::{self, RuleBlock};
use crate::block::{self, Item};
use crate::calendar::Seasons;
use crate::facts;
use crate::keywords;
use crate::lower::{self, Program};
use crate::places::Named;
use crate::rights::{self, Rights};
use hamsaya_monitor::Value;
use hamsaya_record::instant::Instant;
use hamsaya_record::statement::{Act, FieldValue, Statement};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A parsed, checked and compiled agreement.
#[derive(Clone, Debug)]
pub struct Agreement {
    digest: [u8; 32],
    charter: Charter,
    articles: Vec<Article>,
    commitments: Vec<Commitment>,
    kinds: Vec<Kind>,
    rules: Kinds,
    tables: Vec<Table>,
    items: Vec<lower::Source>,
    program: Program,
    rights: Rights,
}

/// A node that the agreement names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// `P1`, `G1`, `O1`.
    pub name: String,
    /// What it is to the agreement.
    pub role: MemberRole,
    /// Origin of its log, as `agreement.toml` proposes it; founding settles it.
    pub origin: Option<String>,
}

/// What a member is to the agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum MemberRole {
    Party,
    Guarantor,
    Witness,
}

impl MemberRole {
    /// As `agreement.toml` writes it.
    pub fn word(self) -> &'static str {
        match self {
            MemberRole::Party => "party",
            MemberRole::Guarantor => "guarantor",
            MemberRole::Witness => "witness",
        }
    }
}

/// An article as people read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Article {
    /// `art_4`.
    pub address: String,
    /// Title by language.
    pub title: BTreeMap<String, String>,
    /// Text that stands under the article's own heading, by language.
    pub text: BTreeMap<String, String>,
    /// Languages in which its title or text says of itself that it is a draft (`review=needed`).
    pub drafts: BTreeSet<String>,
    /// Its paragraphs, in order.
    pub paragraphs: Vec<Paragraph>,
    /// File within the folder.
    pub file: String,
}

/// A paragraph of an article.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paragraph {
    /// `art_4__para_14`.
    pub address: String,
    /// `14`, as the heading counts it; empty if it does not begin with a number.
    pub number: String,
    /// Title by language.
    pub title: BTreeMap<String, String>,
    /// Text by language.
    pub text: BTreeMap<String, String>,
    /// Languages in which its title or text says of itself that it is a draft (`review=needed`).
    pub drafts: BTreeSet<String>,
    /// Rule blocks that stand under it, with English keywords; empty if there is none.
    pub rule: String,
    /// Line of its heading.
    pub line: usize,
}

/// One commitment, or one named part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commitment {
    /// `C16`.
    pub id: String,
    /// `access`.
    pub part: Option<String>,
    /// `art_4__para_16`.
    pub address: String,
    /// Title, by language (`en`, `fa-AF`, `ps`, `ur`), from the paragraph's heading and title blocks.
    pub title: BTreeMap<String, String>,
    /// Text of the paragraph, by language.
    pub text: BTreeMap<String, String>,
    /// The commitment's rule, all parts, with English keywords.
    pub rule: String,
    /// `conduct`, `result`, `prohibition`, `power`, `permission`.
    pub nature: String,
    /// `A`, `B` or `C`.
    pub severity: String,
    /// Remedies, as written.
    pub remedies: Vec<String>,
    /// Who looks, if no rule can.
    pub audited: Option<String>,
}

impl Commitment {
    /// Its rule with the keywords of a language (`en`, `fa-AF`, `ps`, `ur`): the same rule, and it may be written so. In any
    /// other language it stays English.
    pub fn rule_in(&self, language: &str) -> String {
        keywords::translated(&self.rule, "en", language)
    }
}

/// How a kind becomes a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Speech {
    /// By being logged.
    Said,
    /// When it occurred, asserted by whoever states it.
    Seen,
    /// Never: it is background.
    Background,
    /// Never: it is the mechanism's own.
    Mechanism,
}

/// One kind of statement from `annexes/kinds.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Its name.
    pub name: String,
    /// The act by which it is stated, as in record.
    pub act: String,
    /// Said (true) or not (false).
    pub said: bool,
    /// Said, seen, or neither.
    pub speech: Speech,
    /// Field name and type, sorted by name; a trailing `?` on the type: may be absent.
    pub fields: Vec<(String, String)>,
}

/// Something wrong in the agreement folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// File within the folder.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, in characters.
    pub column: usize,
    /// What was found and what is allowed.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

/// All that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for d in &self.0 {
            writeln!(f, "error: {}\n  {}:{}:{}", d.message, d.file, d.line, d.column)?;
            if let Some(hint) = &d.hint {
                writeln!(f, "hint: {hint}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

/// Why a statement does not fit the annexes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// `unknown_kind`, `bad_field`, `unknown_field`, `bad_time` or `unknown_act`, as record.md names refusals.
    pub reason: &'static str,
    /// Which field.
    pub field: String,
    /// What was found.
    pub found: String,
    /// What is allowed.
    pub allowed: String,
    /// What to do.
    pub hint: String,
}

impl Agreement {
    /// Reads an agreement from its files (path within the folder, bytes).
    pub fn parse(files: &BTreeMap<String, Vec<u8>>) -> Result<Agreement, Diagnostics> {
        let mut problems = Vec::new();
        let charter = text_of(files, "agreement.toml", &mut problems)
            .map(|text| annex::charter("agreement.toml", text, &mut problems))
            .unwrap_or_default();
        let rules = text_of(files, "annexes/kinds.toml", &mut problems)
            .map(|text| annex::kinds("annexes/kinds.toml", text, &mut problems))
            .unwrap_or_default();
        let (tables, lines) = read_annexes(files, &charter, &rules, &mut problems);
        let rights = match files.get(rights::ROLES) {
            None => Rights::default(),
            Some(_) => text_of(files, rights::ROLES, &mut problems)
                .map(|text| rights::read(text, &rules, &mut problems))
                .unwrap_or_default(),
        };
        let (articles, blocks) = read_articles(files, &charter, &mut problems);
        let mut commitments = Vec::new();
        let mut items = Vec::new();
        for (article, block) in &blocks {
            for item in block::read(&block.file, block.first_line, &block.language, &block.text, &mut problems) {
                let first = commitments.len();
                if let Item::Commitment(c) = &item {
                    describe(&articles[*article], block, c, &mut commitments, &mut problems);
                }
                items.push(lower::Source { file: block.file.clone(), first_commitment: first, item });
            }
        }
        // Without members and kinds, what follows would only repeat what was said above in other words.
        let annexed = |d: &Diagnostic| !d.file.ends_with(".md");
        let program = if problems.iter().any(annexed) {
            Program::default()
        } else {
            lower::compile(&charter, &rules, &tables, &lines, &items, &mut problems)
        };
        if !problems.is_empty() {
            problems.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
            problems.dedup();
            return Err(Diagnostics(problems));
        }
        let kinds = rules.kinds.values().map(KindRule::public).collect();
        Ok(Agreement {
            digest: digest(files),
            charter,
            articles,
            commitments,
            kinds,
            rules,
            tables,
            items,
            program,
            rights,
        })
    }
    /// SHA-256 over the lines `<hex sha256>  <path>\n` of all files, sorted by path: names the agreement.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }
    /// Title by language.
    pub fn title(&self) -> &BTreeMap<String, String> {
        &self.charter.title
    }
    /// Languages in which its text may stand, sorted.
    pub fn languages(&self) -> impl Iterator<Item = &str> {
        self.charter.languages.iter().map(String::as_str)
    }
    /// From when it binds, if it says so.
    pub fn in_force(&self) -> Option<Instant> {
        self.charter.in_force
    }
    /// Parties, guarantors and witness-only institutions.
    pub fn members(&self) -> &[Member] {
        &self.charter.members
    }
    /// All articles, in order, as people read them.
    pub fn articles(&self) -> &[Article] {
        &self.articles
    }
    /// All commitments and their parts, in the order of the text.
    pub fn commitments(&self) -> &[Commitment] {
        &self.commitments
    }
    /// All kinds, sorted by name.
    pub fn kinds(&self) -> &[Kind] {
        &self.kinds
    }
    /// Rows of an annex's table that rules read, each by column; `None`: there is no such table.
    pub fn rows(&self, table: &str) -> Option<Vec<BTreeMap<String, String>>> {
        let table = self.tables.iter().find(|t| t.name == table)?;
        let row = |values: &Vec<Value>| {
            let cells = table.columns.iter().zip(values);
            cells.map(|(column, value)| (column.name.clone(), facts::shown(&column.kind, value))).collect()
        };
        Some(table.rows.iter().map(row).collect())
    }
    /// What nodes run: definitions, rules and clocks as text, the same for two texts that say the same in other words.
    pub fn lowering(&self) -> String {
        self.program.to_string()
    }
    /// The formulas that nodes run for a commitment or one part of it, as the monitor writes them: one for each exception,
    /// bearer and moved clock.
    pub fn formulas(&self, commitment: &Commitment) -> Vec<String> {
        let of = self.commitments.iter().position(|c| c == commitment);
        let rules = self.program.upper.rules.rules.iter();
        let ours = rules.filter(|r| self.program.clocks.get(&r.name).is_some_and(|c| Some(c.commitment) == of));
        ours.map(|r| {
            let lapses = r.lapses.as_ref().map(|f| format!("\n  lapses {f}")).unwrap_or_default();
            format!("{}({})\n  opens {}\n  must {}{lapses}", r.name, r.key.join(", "), r.opens, r.must)
        })
        .collect()
    }
    /// This text in the place of another: it judges the other's record as if that had been made under it. For asking what
    /// would be otherwise; no record is ever judged so.
    pub fn in_place_of(&self, other: &Agreement) -> Agreement {
        Agreement { digest: other.digest, ..self.clone() }
    }
    /// Who may state and read what; without roles.toml nobody reads anything, and whoever may sign may state.
    pub fn rights(&self) -> &Rights {
        &self.rights
    }
    /// Whether a statement's kind, act and fields fit the annexes. Asked at intake and again when judging.
    pub fn fits(&self, statement: &Statement) -> Result<(), Misfit> {
        let misfit = |reason, field: &str, found: String, allowed: String, hint: &str| {
            Err(Misfit { reason, field: field.into(), found, allowed, hint: hint.into() })
        };
        let Some(kind) = self.rules.kinds.get(&statement.kind) else {
            let near = lower::nearest(&statement.kind, self.rules.kinds.keys().map(String::as_str));
            let hint = near.map_or("kinds stand in annexes/kinds.toml".into(), |n| format!("did you mean `{n}`?"));
            return misfit(
                "unknown_kind",
                "kind",
                statement.kind.clone(),
                "a kind of the agreement's annex".into(),
                &hint,
            );
        };
        if act_name(statement.act) != kind.act {
            let found = act_name(statement.act).to_string();
            return misfit("bad_field", "act", found, kind.act.clone(), "annexes/kinds.toml gives the act of a kind");
        }
        if kind.speech == Speech::Seen && statement.occurred_at.is_none() {
            let allowed = "an interval from its first to its last possible instant".into();
            return misfit("bad_time", "occurred_at", "nothing".into(), allowed, "say when it happened");
        }
        if statement.act == Act::Record && !statement.salted.is_empty() {
            let found = format!("{} salted fields", statement.salted.len());
            return misfit(
                "bad_field",
                "fields._sd",
                found,
                "none".into(),
                "what the mechanism itself says is in clear",
            );
        }
        // The mechanism's own statements are the record's to check: their fields are not simple values.
        if kind.speech == Speech::Mechanism && kind.fields.is_empty() {
            return Ok(());
        }
        for (name, value) in &statement.fields {
            let path = format!("fields.{name}");
            let Some((_, wanted, _)) = kind.fields.iter().find(|(f, ..)| f == name) else {
                match rights::common_field(name, value) {
                    Some(Ok(())) => continue,
                    Some(Err(allowed)) => {
                        return misfit("bad_field", &path, shown(value), allowed, "a field that every kind may have");
                    }
                    None => {}
                }
                let allowed = kind.fields.iter().map(|(f, ..)| f.as_str()).collect::<Vec<_>>().join(", ");
                return misfit(
                    "unknown_field",
                    &path,
                    shown(value),
                    allowed,
                    "the closed list stands in annexes/kinds.toml; what is beside it, such as free text, is salted",
                );
            };
            if let Err(allowed) = self.typed(wanted, value) {
                return misfit(
                    "bad_field",
                    &path,
                    shown(value),
                    allowed,
                    "annexes/kinds.toml gives the type of a field",
                );
            }
        }
        for (name, wanted, optional) in &kind.fields {
            if !optional && !statement.fields.contains_key(name) {
                let path = format!("fields.{name}");
                let hint = match statement.salted.is_empty() {
                    true => "a field without `?` in annexes/kinds.toml is always there",
                    false => {
                        "it is there in clear: rules judge it, and a salted field is read by some and not by others"
                    }
                };
                return misfit("bad_field", &path, "nothing".into(), self.allowed(wanted), hint);
            }
        }
        Ok(())
    }

    /// Whether a statement of this kind may have a salted field of this name: what rules judge, and what says who may read,
    /// stands in clear, or who does not have the disclosure would judge differently. In the log a salted field has no name,
    /// so this is asked before one is signed, and of every disclosure.
    pub fn may_salt(&self, kind: &str, name: &str) -> Result<(), Misfit> {
        let known = self.rules.kinds.get(kind);
        let judged = known.is_none_or(|kind| {
            kind.act == act_name(Act::Record) || kind.fields.iter().any(|(field, ..)| field == name)
        });
        if !judged && !rights::is_common_field(name) {
            return Ok(());
        }
        Err(Misfit {
            reason: "bad_field",
            field: format!("fields.{name}"),
            found: format!("`{name}` of kind `{kind}`, salted"),
            allowed: "names that annexes/kinds.toml does not give to the kind".into(),
            hint: "what rules judge is stated in clear, or readers would judge differently".into(),
        })
    }

    fn typed(&self, wanted: &Type, value: &FieldValue) -> Result<(), String> {
        let fits = match (wanted, value) {
            (Type::Id | Type::Text | Type::Entry, FieldValue::Text(t)) => !t.is_empty(),
            (Type::Party, FieldValue::Text(t)) => self.charter.is_party(t),
            (Type::Instant, FieldValue::Text(t)) => t.parse::<Instant>().is_ok(),
            (Type::Duration | Type::Count, FieldValue::Int(n)) => *n >= 0,
            (Type::Truth, FieldValue::Bool(_)) => true,
            (Type::Enum(e), FieldValue::Text(t)) => self.rules.enums.get(e).is_some_and(|e| e.has(t)),
            (Type::Place, FieldValue::Map(_)) => true,
            _ => false,
        };
        if fits { Ok(()) } else { Err(self.allowed(wanted)) }
    }

    fn allowed(&self, wanted: &Type) -> String {
        match wanted {
            Type::Id | Type::Text | Type::Entry => "a text that is not empty".into(),
            Type::Party => {
                let members = self.charter.members.iter().map(|m| m.name.as_str());
                members.collect::<Vec<_>>().join(", ")
            }
            Type::Instant => "an instant like 2026-11-24T20:00:00Z".into(),
            Type::Duration => "whole seconds, 0 or more".into(),
            Type::Count => "a whole number, 0 or more".into(),
            Type::Truth => "true or false".into(),
            Type::Enum(e) => self.rules.enums.get(e).map(annex::Enumeration::listed).unwrap_or_default(),
            Type::Place => "a place".into(),
        }
    }

    pub(crate) fn seasons(&self) -> &Seasons {
        &self.charter.seasons
    }
    pub(crate) fn rules(&self) -> &Kinds {
        &self.rules
    }
    pub(crate) fn charter(&self) -> &Charter {
        &self.charter
    }
    /// The same agreement with the rules of some parts only, and of those whose breach they name. It judges these parts as
    /// the whole does.
    pub(crate) fn only(&self, parts: &BTreeSet<String>) -> Agreement {
        Agreement { program: self.program.only(parts), articles: Vec::new(), items: Vec::new(), ..self.clone() }
    }
    /// All definitions and commitments, as they were read.
    pub(crate) fn items(&self) -> &[lower::Source] {
        &self.items
    }
    pub(crate) fn program(&self) -> &Program {
        &self.program
    }
}

fn shown(value: &FieldValue) -> String {
    match value {
        FieldValue::Bool(b) => b.to_string(),
        FieldValue::Int(n) => n.to_string(),
        FieldValue::Text(t) => t.chars().take(60).collect(),
        FieldValue::List(_) => "a list".into(),
        FieldValue::Map(_) => "an object".into(),
    }
}

/// The act's word in statements and in `annexes/kinds.toml`.
pub(crate) fn act_name(act: Act) -> &'static str {
    match act {
        Act::Observe => "observe",
        Act::Allege => "allege",
        Act::Request => "request",
        Act::Answer => "answer",
        Act::Notify => "notify",
        Act::Alert => "alert",
        Act::Undertake => "undertake",
        Act::Verify => "verify",
        Act::Find => "find",
        Act::Consent => "consent",
        Act::Withdraw => "withdraw",
        Act::Estimate => "estimate",
        Act::Record => "record",
    }
}

/// The act that a word of `annexes/kinds.toml` names; that file's reader lets no other word through.
pub(crate) fn act_named(word: &str) -> Act {
    match word {
        "observe" => Act::Observe,
        "allege" => Act::Allege,
        "request" => Act::Request,
        "answer" => Act::Answer,
        "notify" => Act::Notify,
        "alert" => Act::Alert,
        "undertake" => Act::Undertake,
        "verify" => Act::Verify,
        "find" => Act::Find,
        "consent" => Act::Consent,
        "withdraw" => Act::Withdraw,
        "estimate" => Act::Estimate,
        _ => Act::Record,
    }
}

fn digest(files: &BTreeMap<String, Vec<u8>>) -> [u8; 32] {
    let mut all = Sha256::new();
    for (path, bytes) in files {
        all.update(format!("{}  {path}\n", hex(&Sha256::digest(bytes))).as_bytes());
    }
    all.finalize().into()
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |n: u8| char::from_digit(u32::from(n), 16).unwrap_or('0');
    bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect()
}

fn text_of<'f>(files: &'f BTreeMap<String, Vec<u8>>, path: &str, problems: &mut Vec<Diagnostic>) -> Option<&'f str> {
    let mut problem = |line: usize, message: String, hint: &str| {
        problems.push(Diagnostic { file: path.into(), line, column: 1, message, hint: Some(hint.into()) });
    };
    let Some(bytes) = files.get(path) else {
        problem(
            1,
            format!("found no file `{path}`"),
            "an agreement folder holds agreement.toml, articles and annexes/kinds.toml",
        );
        return None;
    };
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(e) => {
            let line = bytes[..e.valid_up_to()].iter().filter(|b| **b == b'\n').count() + 1;
            problem(line, "found bytes that are not UTF-8".into(), "save the file as UTF-8");
            None
        }
    }
}

/// Tables and lines that rules read, of the annexes beside `annexes/kinds.toml`.
fn read_annexes(
    files: &BTreeMap<String, Vec<u8>>,
    charter: &Charter,
    kinds: &Kinds,
    problems: &mut Vec<Diagnostic>,
) -> (Vec<Table>, Named) {
    let mut tables = Vec::<Table>::new();
    let is_annex = |p: &str| p.starts_with("annexes/") && p.ends_with(".toml") && p != "annexes/kinds.toml";
    for path in files.keys().filter(|p| is_annex(p)) {
        let Some(text) = text_of(files, path, problems) else { continue };
        for table in annex::tables(path, text, charter, kinds, problems) {
            if tables.iter().any(|t| t.name == table.name) {
                problems.push(Diagnostic {
                    file: path.clone(),
                    line: 1,
                    column: 1,
                    message: format!("found a second table `{}`", table.name),
                    hint: Some("a table stands in one annex".into()),
                });
            } else {
                tables.push(table);
            }
        }
    }
    let mut lines = Named::default();
    for path in &charter.lines {
        match files.get(path) {
            Some(bytes) => lines.add_lines(path, bytes, problems),
            None => problems.push(Diagnostic {
                file: "agreement.toml".into(),
                line: 1,
                column: 1,
                message: format!("found no file `{path}`, which a [[line]] names"),
                hint: Some("a line is geometry beside its source".into()),
            }),
        }
    }
    (tables, lines)
}

/// Articles stand in the folder itself, in files whose names begin with their number.
fn read_articles(
    files: &BTreeMap<String, Vec<u8>>,
    charter: &Charter,
    problems: &mut Vec<Diagnostic>,
) -> (Vec<Article>, Vec<(usize, RuleBlock)>) {
    let (mut articles, mut blocks) = (Vec::<Article>::new(), Vec::new());
    let is_article = |p: &str| !p.contains('/') && p.ends_with(".md") && p.starts_with(|c: char| c.is_ascii_digit());
    for path in files.keys().filter(|p| is_article(p)) {
        let Some(text) = text_of(files, path, problems) else { continue };
        let Some((mut article, rules)) = article::read(path, text, &charter.languages, problems) else { continue };
        if let Some(other) = articles.iter().find(|a| a.address == article.address) {
            problems.push(Diagnostic {
                file: path.clone(),
                line: 1,
                column: 1,
                message: format!("found a second article `{}`; the first stands in {}", article.address, other.file),
                hint: Some("every article has an address of its own".into()),
            });
        }
        for block in &rules {
            if let Some(paragraph) = block.paragraph.and_then(|p| article.paragraphs.get_mut(p)) {
                let text = keywords::translated(&block.text, &block.language, "en");
                paragraph.rule += &format!("{}{text}", if paragraph.rule.is_empty() { "" } else { "\n\n" });
            }
        }
        blocks.extend(rules.into_iter().map(|r| (articles.len(), r)));
        articles.push(article);
    }
    if articles.is_empty() {
        problems.push(Diagnostic {
            file: "agreement.toml".into(),
            line: 1,
            column: 1,
            message: "found no article".into(),
            hint: Some("articles stand beside agreement.toml in files like 04-territory.md".into()),
        });
    }
    (articles, blocks)
}

/// What people read of a commitment and its parts.
fn describe(
    article: &Article,
    block: &RuleBlock,
    commitment: &block::CommitmentBlock,
    into: &mut Vec<Commitment>,
    problems: &mut Vec<Diagnostic>,
) {
    let mut problem = |message: String, hint: &str| {
        problems.push(Diagnostic {
            file: block.file.clone(),
            line: commitment.id.at.line,
            column: commitment.id.at.column,
            message,
            hint: Some(hint.into()),
        });
    };
    if into.iter().any(|c| c.id == commitment.id.name) {
        problem(format!("found a second commitment {}", commitment.id.name), "its parts stand in one block");
    }
    let Some(paragraph) = block.paragraph.and_then(|p| article.paragraphs.get(p)) else {
        problem(
            format!("commitment {} stands under no paragraph", commitment.id.name),
            "put it under a heading like `## 14 Acknowledge {#art_4__para_14}`",
        );
        return;
    };
    let rule = block
        .text
        .lines()
        .skip(commitment.lines.0)
        .take(commitment.lines.1.saturating_sub(commitment.lines.0) + 1)
        .collect::<Vec<_>>()
        .join("\n");
    let rule = keywords::translated(&rule, &block.language, "en");
    let part = |part: Option<String>, remedies: Vec<String>| Commitment {
        id: commitment.id.name.clone(),
        part,
        address: paragraph.address.clone(),
        title: paragraph.title.clone(),
        text: paragraph.text.clone(),
        rule: rule.clone(),
        nature: commitment.nature.clone(),
        severity: commitment.severity.clone(),
        remedies,
        audited: commitment.audited.clone(),
    };
    if commitment.parts.is_empty() {
        into.push(part(None, Vec::new()));
    }
    for clauses in &commitment.parts {
        into.push(part(clauses.part.as_ref().map(|p| p.name.clone()), clauses.remedies.clone()));
    }
}
