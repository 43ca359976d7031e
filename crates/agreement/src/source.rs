//! The agreement folder, parsed.
use hamsaya_record::statement::Statement;
use std::collections::BTreeMap;
use std::fmt;

/// A parsed, checked and compiled agreement.
#[derive(Clone, Debug)]
pub struct Agreement {}

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

/// One commitment, or one named part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commitment {
    /// `C16`.
    pub id: String,
    /// `access`.
    pub part: Option<String>,
    /// `art_4__para_16`.
    pub address: String,
    /// Title, by language (`en`, `fa-AF`, `ps`, `ur`), from the paragraph's heading and title lines.
    pub title: BTreeMap<String, String>,
    /// Text of the paragraph, by language.
    pub text: BTreeMap<String, String>,
    /// The rule block as written.
    pub rule: String,
    /// `conduct`, `result`, `prohibition`, `power`, `permission`.
    pub nature: String,
    /// `A`, `B` or `C`.
    pub severity: String,
    /// Remedies, as written.
    pub remedies: Vec<String>,
}

/// One kind of statement from `annexes/kinds.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Its name.
    pub name: String,
    /// The act by which it is stated, as in record.
    pub act: String,
    /// Said (true) or seen (false).
    pub said: bool,
    /// Field name and type, in order; a trailing `?` on the type: may be absent.
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
    /// `unknown_kind`, `bad_field`, `unknown_field` or `missing_signature`, as record.md names refusals.
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
    pub fn parse(_files: &BTreeMap<String, Vec<u8>>) -> Result<Agreement, Diagnostics> {
        unimplemented!()
    }
    /// SHA-256 over the sorted list of (path, SHA-256 of bytes): names the agreement.
    pub fn digest(&self) -> [u8; 32] {
        unimplemented!()
    }
    /// Title by language.
    pub fn title(&self) -> &BTreeMap<String, String> {
        unimplemented!()
    }
    /// Parties, guarantors and witness-only institutions.
    pub fn members(&self) -> &[Member] {
        unimplemented!()
    }
    /// All commitments and their parts, in the order of the text.
    pub fn commitments(&self) -> &[Commitment] {
        unimplemented!()
    }
    /// All kinds, sorted by name.
    pub fn kinds(&self) -> &[Kind] {
        unimplemented!()
    }
    /// Whether a statement's kind, act and fields fit the annexes. Asked at intake and again when judging.
    pub fn fits(&self, _statement: &Statement) -> Result<(), Misfit> {
        unimplemented!()
    }
}
