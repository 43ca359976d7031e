//! The statement: what one entry says.
use crate::instant::Instant;
use std::collections::BTreeMap;

/// SHA-256 of the payload bytes; prints as hex.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatementId(pub [u8; 32]);

/// What is done by saying it; a closed set, whose rules the record enforces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // Described in docs/reference/statements.md.
pub enum Act {
    Observe,
    Allege,
    Request,
    Answer,
    Notify,
    Alert,
    Undertake,
    Verify,
    Find,
    Consent,
    Withdraw,
    Estimate,
    Record,
}

/// When it happened: a closed interval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurred {
    /// First instant at which it may have happened.
    pub from: Instant,
    /// Last instant at which it may have happened.
    pub to: Instant,
    /// How finely the author knows it.
    pub precision: Precision,
    /// Display only (EDTF level 1).
    pub edtf: Option<String>,
}

/// How finely a time is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Precision {
    Second,
    Minute,
    Hour,
    Day,
    Week,
}

/// Where: a point or a box in WGS 84, degrees times 10^7, with the radius within which it is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// South edge.
    pub s_e7: i64,
    /// West edge.
    pub w_e7: i64,
    /// North edge; equals the south edge for a point.
    pub n_e7: i64,
    /// East edge; equals the west edge for a point.
    pub e_e7: i64,
    /// Metres by which the place may be off.
    pub precision_m: i64,
    /// Id in a gazetteer.
    pub gazetteer_id: Option<String>,
}

/// How a statement stands to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Rel {
    Supersedes,
    Withdraws,
    Answers,
    Confirms,
    SameIncidentAs,
    Cites,
}

/// A reference to another statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// How.
    pub rel: Rel,
    /// To which.
    pub id: StatementId,
}

/// A file outside the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRef {
    /// Its name among the subjects.
    pub name: String,
    /// SHA-256 of its bytes.
    pub sha256: [u8; 32],
    /// Its length.
    pub bytes: u64,
    /// Its media type.
    pub media_type: String,
}

/// The predicate of the in-toto statement, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// SHA-256 that names the agreement (`subject[0]`).
    pub agreement: [u8; 32],
    /// What is done by saying it.
    pub act: Act,
    /// What it says, as Annex A names it.
    pub kind: String,
    /// UUIDv7 of the author's.
    pub id: String,
    /// The party (or guarantor) that speaks.
    pub party: String,
    /// The post, device or office, e.g. `p1/post-07`; never a person.
    pub source: String,
    /// Number among the statements of this source, from 0.
    pub seq: u64,
    /// Statement before it from this source; absent iff `seq` is 0.
    pub prev: Option<StatementId>,
    /// Origin of the only log that may hold it.
    pub home: String,
    /// To whom.
    pub to: Vec<String>,
    /// When the author says he said it.
    pub stated_at: Instant,
    /// When it happened, for what happened.
    pub occurred_at: Option<Occurred>,
    /// Sector of Annex L.
    pub sector: Option<String>,
    /// Where.
    pub place: Option<Place>,
    /// TLP marking.
    pub marking: String,
    /// A to F.
    pub source_grade: Option<String>,
    /// 1 to 6.
    pub info_grade: Option<u8>,
    /// Files outside the log.
    pub files: Vec<FileRef>,
    /// References to other statements.
    pub refs: Vec<Reference>,
    /// An exercise: judged by nothing.
    pub drill: bool,
    /// Fields of the kind.
    pub fields: BTreeMap<String, FieldValue>,
}

/// Value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldValue {
    /// true or false.
    Bool(bool),
    /// A whole number within ±(2^53-1).
    Int(i64),
    /// Text without NUL and bidi controls.
    Text(String),
    /// Values in order.
    List(Vec<FieldValue>),
    /// Values by name.
    Map(BTreeMap<String, FieldValue>),
}
