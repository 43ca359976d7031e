//! The statement: what one entry says.
//!
//! ```json
//! {"_type":"https://in-toto.io/Statement/v1","predicateType":"hamsaya:statement:v1",
//!  "subject":[{"name":"agreement","digest":{"sha256":"9f86…"}}],
//!  "predicate":{"act":"answer","kind":"ack","id":"0193…","party":"P1","source":"p1/chair","seq":4,"prev":"2c26…",
//!   "home":"p1.example/hamsaya/1","to":["P2"],"stated_at":"2026-11-24T20:48:00Z","marking":"TLP:AMBER",
//!   "refs":[{"rel":"answers","id":"fcde…"}],"fields":{"allegation":"A1"}}}
//! ```
//! is an in-toto Statement whose predicate has a closed set of fields; there is none for a person, and [`Statement::parse`]
//! refuses what is not in the set. `logged_at` is never a field: the witnesses prove it. Which fields a kind has is the
//! agreement's; what an act needs is checked here.
use crate::instant::Instant;
use crate::json::{self, Fields, Json};
use crate::logs::Head;
use crate::refusal::{Reason, Refusal};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// Most references, files, addressees, seen heads or salted digests.
pub const ITEMS_MAX: usize = 64;
/// The `_type` of every payload.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// The `predicateType` of every payload.
pub const PREDICATE_TYPE: &str = "hamsaya:statement:v1";
/// Kinds of act `record`: the mechanism's own.
pub const RECORD_KINDS: [&str; 9] =
    ["founding", "policy", "key", "checkpoints", "attempt", "equivocation", "erasure", "refusal", "verdict"];
/// All markings of the Traffic Light Protocol 2.0.
pub const MARKINGS: [&str; 5] = ["TLP:CLEAR", "TLP:GREEN", "TLP:AMBER", "TLP:AMBER+STRICT", "TLP:RED"];

/// SHA-256 of the payload bytes; prints as hex.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StatementId(pub [u8; 32]);

impl Ord for StatementId {
    /// By bytes; a hash is told from another by its first eight.
    #[inline]
    fn cmp(&self, other: &StatementId) -> Ordering {
        let first = |id: &StatementId| id.0.first_chunk().map(|first| u64::from_be_bytes(*first));
        first(self).cmp(&first(other)).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for StatementId {
    #[inline]
    fn partial_cmp(&self, other: &StatementId) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl StatementId {
    /// Of these payload bytes.
    pub fn of(payload: &[u8]) -> StatementId {
        StatementId(Sha256::digest(payload).into())
    }
}

impl fmt::Display for StatementId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl FromStr for StatementId {
    type Err = Refusal;
    fn from_str(text: &str) -> Result<StatementId, Refusal> {
        unhex(text).map(StatementId)
    }
}

/// 64 lowercase hex digits of 32 bytes.
pub fn hex(bytes: &[u8; 32]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|b| [b >> 4, b & 15]).map(|n| char::from(DIGITS[usize::from(n)])).collect()
}

/// Reads 64 lowercase hex digits.
pub fn unhex(text: &str) -> Result<[u8; 32], Refusal> {
    let refuse = || Refusal::new(Reason::BadField, "", format!("{text:?}"), "64 lowercase hex digits");
    let digit = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        _ => None,
    };
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return Err(refuse()) };
    let mut out = [0; 32];
    if pairs.len() != out.len() {
        return Err(refuse());
    }
    for (byte, [high, low]) in out.iter_mut().zip(pairs) {
        *byte = digit(*high).zip(digit(*low)).map(|(h, l)| h << 4 | l).ok_or_else(refuse)?;
    }
    Ok(out)
}

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

impl Act {
    /// All, in the order of record.md.
    pub const ALL: [Act; 13] = [
        Act::Observe,
        Act::Allege,
        Act::Request,
        Act::Answer,
        Act::Notify,
        Act::Alert,
        Act::Undertake,
        Act::Verify,
        Act::Find,
        Act::Consent,
        Act::Withdraw,
        Act::Estimate,
        Act::Record,
    ];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
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

    /// The act of that name.
    pub fn from_name(name: &str) -> Option<Act> {
        Act::ALL.into_iter().find(|a| a.name() == name)
    }
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

impl Precision {
    /// All, finest first.
    pub const ALL: [Precision; 5] =
        [Precision::Second, Precision::Minute, Precision::Hour, Precision::Day, Precision::Week];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Precision::Second => "second",
            Precision::Minute => "minute",
            Precision::Hour => "hour",
            Precision::Day => "day",
            Precision::Week => "week",
        }
    }

    /// The precision of that name.
    pub fn from_name(name: &str) -> Option<Precision> {
        Precision::ALL.into_iter().find(|p| p.name() == name)
    }
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

/// Nanometres of 1e-7 degree of latitude; of longitude it is as much at the equator, and less elsewhere.
const NM_PER_E7: i128 = 11_119_508;

impl Place {
    /// Whether a coordinate has digits that stand for less than a hundredth of the precision: they say nothing of the place, and
    /// tell whoever gets the signed bytes where it is more finely than the precision does.
    pub fn has_idle_digits(&self) -> bool {
        self.coordinates().iter().any(|e7| e7 % self.digit_e7() != 0)
    }

    /// The same place without them, each coordinate rounded to the nearest.
    pub fn without_idle_digits(&self) -> Place {
        let digit = self.digit_e7();
        let [s_e7, w_e7, n_e7, e_e7] = self.coordinates().map(|e7| (e7 + digit / 2).div_euclid(digit) * digit);
        Place { s_e7, w_e7, n_e7, e_e7, ..self.clone() }
    }

    fn coordinates(&self) -> [i64; 4] {
        [self.s_e7, self.w_e7, self.n_e7, self.e_e7]
    }

    /// What the last digit that says something stands for, in 1e-7 degree: a power of ten, ten degrees at most.
    pub fn digit_e7(&self) -> i64 {
        let hundredth_nm = i128::from(self.precision_m) * 10_000_000;
        let mut digits = (0..8).map(|n| 10_i64.pow(n));
        digits.find(|digit| i128::from(*digit) * NM_PER_E7 >= hundredth_nm).unwrap_or(100_000_000)
    }
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

impl Rel {
    /// All.
    pub const ALL: [Rel; 6] =
        [Rel::Supersedes, Rel::Withdraws, Rel::Answers, Rel::Confirms, Rel::SameIncidentAs, Rel::Cites];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Rel::Supersedes => "supersedes",
            Rel::Withdraws => "withdraws",
            Rel::Answers => "answers",
            Rel::Confirms => "confirms",
            Rel::SameIncidentAs => "same_incident_as",
            Rel::Cites => "cites",
        }
    }

    /// The relation of that name.
    pub fn from_name(name: &str) -> Option<Rel> {
        Rel::ALL.into_iter().find(|r| r.name() == name)
    }
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
    /// How it came to be, e.g. `device`.
    pub capture: Option<String>,
    /// When, as the author says.
    pub captured_at: Option<Instant>,
    /// With what instrument or program.
    pub tool: Option<String>,
    /// A copy made to work with; the original is kept elsewhere.
    pub working_copy: bool,
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
    /// Last quorum checkpoints of other logs that the author had seen.
    pub seen: Vec<Head>,
    /// An exercise: judged by nothing.
    pub drill: bool,
    /// Fields of the kind.
    pub fields: BTreeMap<String, FieldValue>,
    /// Digests of salted fields (`fields._sd`), sorted as their base64url text.
    pub salted: Vec<[u8; 32]>,
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

impl Statement {
    /// What it lets one do with it (FIRST's Permissible Actions Protocol): its field `pap`, `PAP:AMBER` where it says nothing.
    pub fn handling(&self) -> &str {
        match self.fields.get("pap") {
            Some(FieldValue::Text(word)) => word,
            _ => "PAP:AMBER",
        }
    }

    /// A statement with what every one needs; the rest is empty, `seq` 0 and the marking `TLP:AMBER`.
    pub fn new(
        agreement: [u8; 32],
        act: Act,
        kind: &str,
        id: &str,
        party: &str,
        home: &str,
        stated_at: Instant,
    ) -> Statement {
        Statement {
            agreement,
            act,
            kind: kind.to_owned(),
            id: id.to_owned(),
            party: party.to_owned(),
            source: party.to_lowercase(),
            seq: 0,
            prev: None,
            home: home.to_owned(),
            to: Vec::new(),
            stated_at,
            occurred_at: None,
            sector: None,
            place: None,
            marking: "TLP:AMBER".to_owned(),
            source_grade: None,
            info_grade: None,
            files: Vec::new(),
            refs: Vec::new(),
            seen: Vec::new(),
            drill: false,
            fields: BTreeMap::new(),
            salted: Vec::new(),
        }
    }

    /// Reads a payload and enforces what its act needs of the statement alone.
    pub fn parse(payload: &[u8]) -> Result<Statement, Refusal> {
        let mut outer = Fields::of(json::parse(payload)?)?;
        fixed(&mut outer, "_type", STATEMENT_TYPE)?;
        fixed(&mut outer, "predicateType", PREDICATE_TYPE)?;
        let mut subjects = outer.list("subject", ITEMS_MAX + 1)?.into_iter().enumerate();
        let predicate = Fields::of(outer.need("predicate", "the predicate")?).map_err(|r| r.within("predicate"))?;
        outer.end("_type, predicateType, subject, predicate")?;
        let mut subject = |allowed| match subjects.next() {
            None => Err(Refusal::new(Reason::BadField, "subject", "nothing more", allowed)),
            Some((i, item)) => read_subject(item).map_err(|r| r.within(&format!("subject[{i}]"))),
        };
        let (name, agreement) = subject("the agreement, then the files")?;
        if name != "agreement" {
            return Err(Refusal::new(Reason::BadField, "subject[0].name", format!("{name:?}"), "\"agreement\""));
        }
        let mut statement = read_predicate(predicate, agreement).map_err(|r| r.within("predicate"))?;
        for file in &mut statement.files {
            let (name, sha256) = subject("one subject for each of the files")?;
            if name != file.name {
                let allowed = format!("{:?}, the files in their order", file.name);
                return Err(Refusal::new(Reason::BadField, "subject", format!("{name:?}"), allowed));
            }
            file.sha256 = sha256;
        }
        if let Some((i, _)) = subjects.next() {
            let found = format!("subject {i}");
            return Err(Refusal::new(Reason::BadField, "subject", found, "one subject for each of the files"));
        }
        statement.check_act().map_err(|r| r.within("predicate"))?;
        Ok(statement)
    }

    /// The payload: compact JSON, in the order of record.md. Reading it gives the same statement.
    pub fn to_payload(&self) -> Vec<u8> {
        let mut out = Writer { out: String::with_capacity(1024), first: true };
        out.open('{');
        out.text("_type", STATEMENT_TYPE);
        out.text("predicateType", PREDICATE_TYPE);
        out.key("subject");
        out.open('[');
        out.subject("agreement", &self.agreement);
        for file in &self.files {
            out.subject(&file.name, &file.sha256);
        }
        out.close(']');
        out.key("predicate");
        self.write_predicate(&mut out);
        out.close('}');
        out.out.into_bytes()
    }

    fn write_predicate(&self, out: &mut Writer) {
        out.open('{');
        out.text("act", self.act.name());
        out.text("kind", &self.kind);
        out.text("id", &self.id);
        out.text("party", &self.party);
        out.text("source", &self.source);
        out.number("seq", self.seq);
        if let Some(prev) = self.prev {
            out.text("prev", &prev.to_string());
        }
        out.text("home", &self.home);
        out.texts("to", &self.to);
        out.text("stated_at", &self.stated_at.to_string());
        if let Some(occurred) = &self.occurred_at {
            out.key("occurred_at");
            out.open('{');
            out.text("from", &occurred.from.to_string());
            out.text("to", &occurred.to.to_string());
            out.text("precision", occurred.precision.name());
            out.text_if("edtf", &occurred.edtf);
            out.close('}');
        }
        out.text_if("sector", &self.sector);
        if let Some(place) = &self.place {
            out.key("place");
            out.open('{');
            if (place.s_e7, place.w_e7) == (place.n_e7, place.e_e7) {
                out.number("lat_e7", place.s_e7);
                out.number("lon_e7", place.w_e7);
            } else {
                out.number("s_e7", place.s_e7);
                out.number("w_e7", place.w_e7);
                out.number("n_e7", place.n_e7);
                out.number("e_e7", place.e_e7);
            }
            out.number("precision_m", place.precision_m);
            out.text_if("gazetteer_id", &place.gazetteer_id);
            out.close('}');
        }
        out.text("marking", &self.marking);
        out.text_if("source_grade", &self.source_grade);
        if let Some(grade) = self.info_grade {
            out.number("info_grade", grade);
        }
        out.list("files", &self.files, |out, file| {
            out.open('{');
            out.text("name", &file.name);
            out.number("bytes", file.bytes);
            out.text("media_type", &file.media_type);
            out.text_if("capture", &file.capture);
            out.text_if("captured_at", &file.captured_at.map(|t| t.to_string()));
            out.text_if("tool", &file.tool);
            if file.working_copy {
                out.flag("working_copy");
            }
            out.close('}');
        });
        out.list("refs", &self.refs, |out, reference| {
            out.open('{');
            out.text("rel", reference.rel.name());
            out.text("id", &reference.id.to_string());
            out.close('}');
        });
        out.list("seen", &self.seen, |out, head| {
            out.open('{');
            out.text("origin", &head.origin);
            out.number("size", head.size);
            out.text("root", &STANDARD.encode(head.root));
            out.close('}');
        });
        if self.drill {
            out.flag("drill");
        }
        if !self.fields.is_empty() || !self.salted.is_empty() {
            out.key("fields");
            out.open('{');
            for (name, value) in &self.fields {
                out.key(name);
                out.value(value);
            }
            out.list("_sd", &self.salted, |out, digest| out.item_text(&URL_SAFE_NO_PAD.encode(digest)));
            out.close('}');
        }
        out.close('}');
    }

    /// References of this kind.
    pub fn refs(&self, rel: Rel) -> impl Iterator<Item = StatementId> {
        self.refs.iter().filter(move |r| r.rel == rel).map(|r| r.id)
    }

    /// What the act needs of the statement alone; what it needs of signatures and earlier entries is
    /// [`crate::accept`]'s.
    fn check_act(&self) -> Result<(), Refusal> {
        let needs_ref = |rel: Rel| match self.refs(rel).next() {
            Some(_) => Ok(()),
            None => Err(Refusal::new(
                Reason::BadRef,
                "refs",
                format!("no ref `{}`", rel.name()),
                format!("at least one, for act `{}`", self.act.name()),
            )),
        };
        let own = RECORD_KINDS.contains(&self.kind.as_str());
        if own != (self.act == Act::Record) {
            let found = format!("{:?} as act `{}`", self.kind, self.act.name());
            let allowed = format!("for act `record` one of {}, and these for no other", RECORD_KINDS.join(", "));
            return Err(Refusal::new(Reason::UnknownKind, "kind", found, allowed));
        }
        match self.act {
            Act::Observe if self.occurred_at.is_none() => Err(Refusal::new(
                Reason::BadTime,
                "occurred_at",
                "nothing",
                "the interval in which it happened, for act `observe`",
            )),
            Act::Allege | Act::Request if self.to.is_empty() => Err(Refusal::new(
                Reason::BadField,
                "to",
                "nobody",
                format!("at least one addressee, for act `{}`", self.act.name()),
            )),
            Act::Answer => needs_ref(Rel::Answers),
            Act::Withdraw => needs_ref(Rel::Withdraws),
            _ => Ok(()),
        }
    }
}

fn fixed(fields: &mut Fields<'_>, key: &'static str, value: &'static str) -> Result<(), Refusal> {
    let found = fields.text(key)?;
    if found != value {
        return Err(Refusal::new(Reason::BadField, key, format!("{found:?}"), value));
    }
    Ok(())
}

fn read_subject(item: Json<'_>) -> Result<(Cow<'_, str>, [u8; 32]), Refusal> {
    let mut fields = Fields::of(item)?;
    let name = fields.text("name")?;
    let mut digest = Fields::of(fields.need("digest", "an object with sha256")?).map_err(|r| r.within("digest"))?;
    let sha256 = digest.text("sha256").and_then(|t| unhex(&t).map_err(|r| r.within("sha256")));
    let sha256 = sha256.and_then(|d| digest.end("sha256").map(|()| d)).map_err(|r| r.within("digest"))?;
    fields.end("name, digest")?;
    Ok((name, sha256))
}

/// A text of 1 to `max` bytes whose characters all pass.
fn word(
    fields: &mut Fields<'_>,
    key: &'static str,
    max: usize,
    pass: fn(char) -> bool,
    allowed: &'static str,
) -> Result<String, Refusal> {
    checked_word(key, fields.text(key)?, max, pass, allowed)
}

fn word_if(
    fields: &mut Fields<'_>,
    key: &'static str,
    max: usize,
    pass: fn(char) -> bool,
    allowed: &'static str,
) -> Result<Option<String>, Refusal> {
    fields.text_if(key)?.map(|text| checked_word(key, text, max, pass, allowed)).transpose()
}

fn checked_word(
    key: &'static str,
    text: Cow<'_, str>,
    max: usize,
    pass: fn(char) -> bool,
    allowed: &'static str,
) -> Result<String, Refusal> {
    if text.is_empty() || text.len() > max || !text.chars().all(pass) {
        return Err(Refusal::new(Reason::BadField, key, format!("{text:?}"), allowed));
    }
    Ok(text.into_owned())
}

pub(crate) fn is_id_char(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'
}

fn is_path_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '/' | '-' | ':')
}

fn is_name_char(c: char) -> bool {
    !c.is_whitespace() && !c.is_control()
}

fn is_line_char(c: char) -> bool {
    !c.is_control()
}

fn read_predicate(mut fields: Fields<'_>, agreement: [u8; 32]) -> Result<Statement, Refusal> {
    let act = fields.text("act")?;
    let act = Act::from_name(&act).ok_or_else(|| {
        let names = Act::ALL.map(Act::name).join(", ");
        Refusal::new(Reason::UnknownAct, "act", format!("{act:?}"), names)
    })?;
    let kind = word(&mut fields, "kind", 64, is_id_char, "a kind of Annex A: lowercase letters, digits, `_`")?;
    let id = fields.text("id")?;
    if !is_uuid_v7(&id) {
        return Err(Refusal::new(Reason::BadField, "id", format!("{id:?}"), "a UUID of version 7 in lowercase"));
    }
    let id = id.into_owned();
    let party = word(&mut fields, "party", 64, is_name_char, "the name of a node or body, without spaces")?;
    let source = word(
        &mut fields,
        "source",
        128,
        is_path_char,
        "a post, device or office such as `p1/post-07`: a-z 0-9 . _ / - :",
    )?;
    let seq = natural(&mut fields, "seq")?;
    let prev = fields.text_if("prev")?.map(|t| t.parse()).transpose().map_err(|r: Refusal| r.within("prev"))?;
    if prev.is_some() != (seq > 0) {
        let found = if seq == 0 { "a statement before number 0" } else { "nothing" };
        return Err(Refusal::new(Reason::BadRef, "prev", found, "the statement before, absent only if `seq` is 0"));
    }
    let home = word(&mut fields, "home", 255, is_name_char, "the origin of a log")?;
    if home == "*" && !(act == Act::Record && matches!(kind.as_str(), "founding" | "policy")) {
        return Err(Refusal::new(Reason::WrongHome, "home", "\"*\"", "the origin of the only log that may hold it"));
    }
    let mut to = Vec::new();
    for item in fields.list("to", ITEMS_MAX)? {
        let name = json::as_text(item).map_err(|r| r.within("to"))?;
        let name = checked_word("to", name, 64, is_name_char, "names of nodes or bodies, without spaces")?;
        if to.contains(&name) {
            return Err(Refusal::new(Reason::BadField, "to", format!("{name:?} twice"), "every addressee once"));
        }
        to.push(name);
    }
    let stated_at = instant("stated_at", &fields.text("stated_at")?)?;
    let occurred_at = fields.take("occurred_at").map(read_occurred).transpose().map_err(|r| r.within("occurred_at"))?;
    let sector = word_if(&mut fields, "sector", 64, is_name_char, "a sector of Annex L")?;
    let place = fields.take("place").map(read_place).transpose().map_err(|r| r.within("place"))?;
    let marking = fields.text("marking")?.into_owned();
    if !MARKINGS.contains(&marking.as_str()) {
        return Err(Refusal::new(Reason::BadField, "marking", format!("{marking:?}"), MARKINGS.join(", ")));
    }
    let source_grade = word_if(&mut fields, "source_grade", 1, |c| ('A'..='F').contains(&c), "A to F")?;
    let info_grade = match fields.take("info_grade") {
        None => None,
        Some(Json::Int(n @ 1..=6)) => Some(n as u8),
        Some(other) => return Err(Refusal::new(Reason::BadField, "info_grade", other.describe(), "1 to 6")),
    };
    let files = read_items(&mut fields, "files", read_file)?;
    let refs = read_items(&mut fields, "refs", read_ref)?;
    let seen = read_items(&mut fields, "seen", read_seen)?;
    let drill = fields.bool_or_false("drill")?;
    let (values, salted) = match fields.take("fields") {
        None => Default::default(),
        Some(value) => read_fields(value, act).map_err(|r| r.within("fields"))?,
    };
    if let Some(key) = fields.rest() {
        return Err(unknown_field(key));
    }
    let statement = Statement {
        agreement,
        act,
        kind,
        id,
        party,
        source,
        seq,
        prev,
        home,
        to,
        stated_at,
        occurred_at,
        sector,
        place,
        marking,
        source_grade,
        info_grade,
        files,
        refs,
        seen,
        drill,
        fields: values,
        salted,
    };
    statement.check_red()?;
    Ok(statement)
}

fn read_items<'b, T>(
    fields: &mut Fields<'b>,
    key: &'static str,
    read: fn(Json<'b>) -> Result<T, Refusal>,
) -> Result<Vec<T>, Refusal> {
    let items = fields.list(key, ITEMS_MAX)?;
    let numbered = items.into_iter().enumerate();
    numbered.map(|(i, item)| read(item).map_err(|r| r.within(&format!("{key}[{i}]")))).collect()
}

fn natural(fields: &mut Fields<'_>, key: &'static str) -> Result<u64, Refusal> {
    let n = fields.int(key)?;
    u64::try_from(n).map_err(|_| Refusal::new(Reason::BadField, key, n, "a whole number from 0"))
}

fn instant(key: &'static str, text: &str) -> Result<Instant, Refusal> {
    text.parse().map_err(|_| {
        let allowed = "an instant like `2026-11-24T20:00:00Z`: UTC, whole seconds";
        Refusal::new(Reason::BadTime, key, format!("{text:?}"), allowed)
    })
}

fn is_uuid_v7(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => b == b'-',
            14 => b == b'7',
            19 => matches!(b, b'8' | b'9' | b'a' | b'b'),
            _ => matches!(b, b'0'..=b'9' | b'a'..=b'f'),
        })
}

fn read_occurred(value: Json<'_>) -> Result<Occurred, Refusal> {
    let mut fields = Fields::of(value)?;
    let from = instant("from", &fields.text("from")?)?;
    let to = instant("to", &fields.text("to")?)?;
    let precision = fields.text("precision")?;
    let precision = Precision::from_name(&precision).ok_or_else(|| {
        let names = Precision::ALL.map(Precision::name).join(", ");
        Refusal::new(Reason::BadTime, "precision", format!("{precision:?}"), names)
    })?;
    let is_edtf = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | ':' | '/' | '.' | '?' | '~' | '%' | '+');
    let edtf = word_if(&mut fields, "edtf", 64, is_edtf, "an EDTF text of up to 64 characters")?;
    fields.end("from, to, precision, edtf")?;
    if to < from {
        let found = format!("{to}, before `from` {from}");
        return Err(Refusal::new(Reason::BadTime, "to", found, "an interval that ends when or after it begins"));
    }
    Ok(Occurred { from, to, precision, edtf })
}

fn read_place(value: Json<'_>) -> Result<Place, Refusal> {
    const LAT_E7: i64 = 900_000_000;
    const LON_E7: i64 = 1_800_000_000;
    /// Half the earth's circumference: no place is off by more.
    const OFF_M: i64 = 20_037_509;
    let mut fields = Fields::of(value)?;
    let mut within = |key: &'static str, limit: i64, allowed: &'static str| {
        let n = fields.int(key).map_err(|r| Refusal { reason: Reason::BadPlace, ..r })?;
        if n.abs() <= limit { Ok(n) } else { Err(Refusal::new(Reason::BadPlace, key, n, allowed)) }
    };
    let (lat, lon) = ("latitude in 1e-7 degrees: ±900000000", "longitude in 1e-7 degrees: ±1800000000");
    let is_point =
        within("lat_e7", LAT_E7, lat).map(Some).or_else(|r| if r.found == "nothing" { Ok(None) } else { Err(r) })?;
    let (s_e7, w_e7, n_e7, e_e7) = match is_point {
        Some(at) => {
            let lon = within("lon_e7", LON_E7, lon)?;
            (at, lon, at, lon)
        }
        None => (
            within("s_e7", LAT_E7, "a point `lat_e7 lon_e7` or a box `s_e7 w_e7 n_e7 e_e7`")?,
            within("w_e7", LON_E7, lon)?,
            within("n_e7", LAT_E7, lat)?,
            within("e_e7", LON_E7, lon)?,
        ),
    };
    let precision_m = within("precision_m", OFF_M, "metres from 0 to 20037509")?;
    if n_e7 < s_e7 || e_e7 < w_e7 || precision_m < 0 {
        let found = format!("s {s_e7}, w {w_e7}, n {n_e7}, e {e_e7}, precision_m {precision_m}");
        return Err(Refusal::new(Reason::BadPlace, "", found, "s <= n, w <= e, precision_m from 0"));
    }
    let gazetteer_id = word_if(&mut fields, "gazetteer_id", 128, is_name_char, "an id without spaces")?;
    fields.end("a point `lat_e7 lon_e7` or a box `s_e7 w_e7 n_e7 e_e7`, then precision_m, gazetteer_id")?;
    Ok(Place { s_e7, w_e7, n_e7, e_e7, precision_m, gazetteer_id })
}

fn read_file(value: Json<'_>) -> Result<FileRef, Refusal> {
    let mut fields = Fields::of(value)?;
    let file = FileRef {
        name: word(&mut fields, "name", 64, is_path_char, "a handle such as `f1`; the file's own name is salted")?,
        sha256: [0; 32], // Stands among the subjects.
        bytes: natural(&mut fields, "bytes")?,
        media_type: word(&mut fields, "media_type", 128, is_name_char, "a media type")?,
        capture: word_if(&mut fields, "capture", 64, is_id_char, "a word such as `device`")?,
        captured_at: fields.text_if("captured_at")?.map(|t| instant("captured_at", &t)).transpose()?,
        tool: word_if(&mut fields, "tool", 128, is_line_char, "one line of up to 128 bytes")?,
        working_copy: fields.bool_or_false("working_copy")?,
    };
    fields.end("name, bytes, media_type, capture, captured_at, tool, working_copy")?;
    Ok(file)
}

fn read_ref(value: Json<'_>) -> Result<Reference, Refusal> {
    let mut fields = Fields::of(value)?;
    let rel = fields.text("rel")?;
    let rel = Rel::from_name(&rel).ok_or_else(|| {
        let names = Rel::ALL.map(Rel::name).join(", ");
        Refusal::new(Reason::BadRef, "rel", format!("{rel:?}"), names)
    })?;
    let id = fields.text("id")?.parse().map_err(|r: Refusal| Refusal { reason: Reason::BadRef, ..r.within("id") })?;
    fields.end("rel, id")?;
    Ok(Reference { rel, id })
}

fn read_seen(value: Json<'_>) -> Result<Head, Refusal> {
    let mut fields = Fields::of(value)?;
    let origin = word(&mut fields, "origin", 255, is_name_char, "the origin of a log")?;
    let size = natural(&mut fields, "size")?;
    let root = fields.text("root")?;
    let root = crate::checkpoint::hash(&root)
        .ok_or_else(|| Refusal::new(Reason::BadBase64, "root", format!("{root:?}"), "the base64 of 32 bytes"))?;
    fields.end("origin, size, root")?;
    Ok(Head { origin, size, root })
}

type FieldsAndSalted = (BTreeMap<String, FieldValue>, Vec<[u8; 32]>);

fn read_fields(value: Json<'_>, act: Act) -> Result<FieldsAndSalted, Refusal> {
    let mut fields = Fields::of(value)?;
    let mut salted = Vec::new();
    let mut before: Option<Cow<'_, str>> = None;
    for item in fields.list("_sd", ITEMS_MAX)? {
        let text = json::as_text(item).map_err(|r| r.within("_sd"))?;
        let digest = URL_SAFE_NO_PAD.decode(text.as_bytes()).ok().and_then(|d| d.try_into().ok());
        let refuse = |reason, allowed| Refusal::new(reason, "_sd", format!("{text:?}"), allowed);
        salted.push(digest.ok_or_else(|| refuse(Reason::BadBase64, "the base64url of 32 bytes"))?);
        if before.is_some_and(|b| b >= text) {
            return Err(refuse(Reason::BadField, "digests sorted, none twice"));
        }
        before = Some(text);
    }
    let mut values = BTreeMap::new();
    for (key, value) in fields.into_members() {
        if !key.chars().all(is_id_char) || key.is_empty() || key.len() > 64 || key == "_sd_alg" {
            let allowed = "lowercase letters, digits, `_`";
            return Err(Refusal::new(Reason::UnknownField, key.clone(), format!("field {key:?}"), allowed));
        }
        // The mechanism's own kinds name nodes and keys; everywhere else a name is somebody's.
        let value = field_value(value, act != Act::Record).map_err(|r| r.within(&key))?;
        if act != Act::Record && is_about_a_person(&key) {
            return Err(unknown_field(&key));
        }
        values.insert(key.into_owned(), value);
    }
    Ok((values, salted))
}

pub(crate) fn field_value(value: Json<'_>, guard: bool) -> Result<FieldValue, Refusal> {
    Ok(match value {
        Json::Bool(b) => FieldValue::Bool(b),
        Json::Int(n) => FieldValue::Int(n),
        Json::Text(text) => FieldValue::Text(text.into_owned()),
        Json::List(items) => {
            FieldValue::List(items.into_iter().map(|i| field_value(i, guard)).collect::<Result<_, _>>()?)
        }
        Json::Object(members) => {
            let mut map = BTreeMap::new();
            for (key, value) in members {
                if key == "_sd" || key == "..." || (guard && is_about_a_person(&key)) {
                    return Err(unknown_field(&key));
                }
                let value = field_value(value, guard).map_err(|r| r.within(&key))?;
                map.insert(key.into_owned(), value);
            }
            FieldValue::Map(map)
        }
    })
}

fn unknown_field(key: &str) -> Refusal {
    let refusal = Refusal::new(Reason::UnknownField, key, format!("field {key:?}"), "the fields of a statement");
    if is_about_a_person(key) {
        return refusal.hint("Hamsaya has no field for persons: it watches commitments of states");
    }
    refusal.hint("what a kind has of its own stands in `fields`")
}

/// True for names of fields that would hold data about a person. A safeguard behind the agreement's closed kinds, not
/// instead of them.
pub(crate) fn is_about_a_person(key: &str) -> bool {
    const WHOLE: [&str; 24] = [
        "name",
        "names",
        "first_name",
        "last_name",
        "full_name",
        "given_name",
        "family_name",
        "father_name",
        "nickname",
        "surname",
        "person",
        "persons",
        "people",
        "person_name",
        "suspect",
        "date_of_birth",
        "birth_date",
        "birthdate",
        "dob",
        "home_address",
        "national_id",
        "id_card",
        "face",
        "voice",
    ];
    const PART: [&str; 30] = [
        "ethnicity",
        "ethnic",
        "tribe",
        "tribal",
        "clan",
        "caste",
        "faith",
        "religion",
        "religious",
        "sect",
        "politics",
        "political",
        "biometric",
        "biometrics",
        "fingerprint",
        "fingerprints",
        "iris",
        "dna",
        "phone",
        "mobile",
        "imei",
        "imsi",
        "msisdn",
        "email",
        "plate",
        "plates",
        "passport",
        "passports",
        "tazkira",
        "cnic",
    ];
    let key = key.to_ascii_lowercase().replace('-', "_");
    WHOLE.contains(&key.as_str()) || key.split('_').any(|part| PART.contains(&part))
}

impl Statement {
    /// Under `TLP:RED` only fields that rules judge may stand in clear: ids, words, numbers. Running text is salted.
    fn check_red(&self) -> Result<(), Refusal> {
        fn running(value: &FieldValue) -> bool {
            match value {
                FieldValue::Text(text) => text.len() > 128 || text.contains(char::is_whitespace),
                FieldValue::List(items) => items.iter().any(running),
                FieldValue::Map(map) => map.values().any(running),
                FieldValue::Bool(_) | FieldValue::Int(_) => false,
            }
        }
        if self.marking != "TLP:RED" {
            return Ok(());
        }
        let refuse = |field: String| {
            Err(Refusal::new(
                Reason::RedInClear,
                field,
                "running text in clear",
                "ids, words and numbers under TLP:RED",
            )
            .hint("give its salted digest in `fields._sd` and the text to chosen readers"))
        };
        if self.files.iter().any(|f| f.tool.is_some()) {
            return refuse("files".to_owned());
        }
        match self.fields.iter().find(|(_, value)| running(value)) {
            Some((key, _)) => refuse(format!("fields.{key}")),
            None => Ok(()),
        }
    }
}

/// Adds a value as compact JSON.
pub(crate) fn write_value(out: &mut String, value: &FieldValue) {
    let mut writer = Writer { out: std::mem::take(out), first: true };
    writer.value(value);
    *out = writer.out;
}

/// Compact JSON, written member by member.
struct Writer {
    out: String,
    first: bool,
}

impl Writer {
    fn comma(&mut self) {
        if !self.first {
            self.out.push(',');
        }
        self.first = false;
    }

    /// Opens an object or list where a value may stand.
    fn open(&mut self, bracket: char) {
        self.out.push(bracket);
        self.first = true;
    }

    fn close(&mut self, bracket: char) {
        self.out.push(bracket);
        self.first = false;
    }

    fn key(&mut self, key: &str) {
        self.comma();
        json::write_text(&mut self.out, key);
        self.out.push(':');
    }

    fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        json::write_text(&mut self.out, value);
    }

    fn text_if(&mut self, key: &str, value: &Option<String>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    fn number(&mut self, key: &str, value: impl fmt::Display) {
        self.key(key);
        self.out.push_str(&value.to_string());
    }

    fn flag(&mut self, key: &str) {
        self.key(key);
        self.out.push_str("true");
    }

    /// An item of a list.
    fn item_text(&mut self, value: &str) {
        json::write_text(&mut self.out, value);
    }

    /// A list under a key, left out if empty.
    fn list<T>(&mut self, key: &str, items: &[T], mut write: impl FnMut(&mut Writer, &T)) {
        if items.is_empty() {
            return;
        }
        self.key(key);
        self.open('[');
        for item in items {
            self.comma();
            write(self, item);
        }
        self.close(']');
    }

    fn texts(&mut self, key: &str, items: &[String]) {
        self.list(key, items, |out, item| out.item_text(item));
    }

    fn subject(&mut self, name: &str, sha256: &[u8; 32]) {
        self.comma();
        self.open('{');
        self.text("name", name);
        self.key("digest");
        self.open('{');
        self.text("sha256", &hex(sha256));
        self.close('}');
        self.close('}');
    }

    fn value(&mut self, value: &FieldValue) {
        match value {
            FieldValue::Bool(b) => self.out.push_str(if *b { "true" } else { "false" }),
            FieldValue::Int(n) => self.out.push_str(&n.to_string()),
            FieldValue::Text(text) => json::write_text(&mut self.out, text),
            FieldValue::List(items) => {
                self.open('[');
                for item in items {
                    self.comma();
                    self.value(item);
                }
                self.close(']');
            }
            FieldValue::Map(map) => {
                self.open('{');
                for (key, value) in map {
                    self.key(key);
                    self.value(value);
                }
                self.close('}');
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: &str = "0193a1b2-c3d4-7e5f-8a9b-0123456789ab";

    fn full() -> Statement {
        let mut s =
            Statement::new([0x9f; 32], Act::Observe, "fire", ID, "P1", "p1.example/hamsaya/1", Instant(1_795_550_400));
        s.source = "p1/post-07".to_owned();
        s.seq = 812;
        s.prev = Some(StatementId([7; 32]));
        s.to = vec!["P2".to_owned()];
        s.occurred_at = Some(Occurred {
            from: Instant(1_795_543_200),
            to: Instant(1_795_546_799),
            precision: Precision::Hour,
            edtf: Some("2026-11-24T18~".to_owned()),
        });
        s.sector = Some("S3".to_owned());
        s.place = Some(Place {
            s_e7: 341_200_000,
            w_e7: 711_500_000,
            n_e7: 341_200_000,
            e_e7: 711_500_000,
            precision_m: 3000,
            gazetteer_id: None,
        });
        s.source_grade = Some("B".to_owned());
        s.info_grade = Some(2);
        s.files = vec![FileRef {
            name: "f1".to_owned(),
            sha256: [1; 32],
            bytes: 48_211,
            media_type: "image/jpeg".to_owned(),
            capture: Some("device".to_owned()),
            captured_at: Some(Instant(1_795_546_000)),
            tool: Some("camera 3".to_owned()),
            working_copy: true,
        }];
        s.refs = vec![Reference { rel: Rel::SameIncidentAs, id: StatementId([3; 32]) }];
        s.seen = vec![Head { origin: "p2.example/hamsaya/1".to_owned(), size: 912, root: [4; 32] }];
        s.fields.insert("bursts".to_owned(), FieldValue::Int(3));
        s.salted = vec![[0; 32], [0x80; 32]];
        s
    }

    #[test]
    fn reads_what_it_writes() {
        let s = full();
        let payload = s.to_payload();
        assert_eq!(Statement::parse(&payload), Ok(s), "{}", String::from_utf8_lossy(&payload));
        let text = String::from_utf8(payload).unwrap();
        assert!(
            text.starts_with(
                r#"{"_type":"https://in-toto.io/Statement/v1","predicateType":"hamsaya:statement:v1","subject":[{"name":"agreement","digest":{"sha256":"9f9f"#
            ),
            "{text}"
        );
        assert!(text.contains(r#""place":{"lat_e7":341200000,"lon_e7":711500000,"precision_m":3000}"#), "{text}");
    }

    /// Replaces text in the payload of [`full`]; what comes out is read.
    fn spoiled(changes: &[(&str, &str)]) -> Result<Statement, Refusal> {
        let mut text = String::from_utf8(full().to_payload()).unwrap();
        for (from, to) in changes {
            assert!(text.contains(from), "{from} in {text}");
            text = text.replacen(from, to, 1);
        }
        Statement::parse(text.as_bytes())
    }

    #[track_caller]
    fn check(from: &str, to: &str, expected: Result<(), (Reason, &str)>) {
        let found = spoiled(&[(from, to)]);
        match (&found, expected) {
            (Ok(_), Ok(())) => {}
            (Err(r), Err((reason, field))) if (r.reason, r.field.as_str()) == (reason, field) => {}
            _ => panic!("{from} as {to}: expected {expected:?}, found {found:?}"),
        }
    }

    #[test]
    fn the_form_of_a_payload() {
        check("statement:v1", "statement:v2", Err((Reason::BadField, "predicateType")));
        check("Statement/v1", "Statement/v0.1", Err((Reason::BadField, "_type")));
        check("{\"_type\"", "{\"x\":1,\"_type\"", Err((Reason::UnknownField, "x")));
        check("\"name\":\"agreement\"", "\"name\":\"accord\"", Err((Reason::BadField, "subject[0].name")));
        check(
            "\"digest\":{\"sha256\":\"9f",
            "\"digest\":{\"sha256\":\"9F",
            Err((Reason::BadField, "subject[0].digest.sha256")),
        );
        check(
            "\"digest\":{\"sha256\":\"9f",
            "\"digest\":{\"sha512\":\"9f",
            Err((Reason::BadField, "subject[0].digest.sha256")),
        );
        check("\"digest\":{", "\"uri\":\"x\",\"digest\":{", Err((Reason::UnknownField, "subject[0].uri")));
        // One subject for each file, in their order.
        check("{\"name\":\"f1\",\"digest\"", "{\"name\":\"f2\",\"digest\"", Err((Reason::BadField, "subject")));
        check("{\"name\":\"f1\",\"bytes\"", "{\"name\":\"f2\",\"bytes\"", Err((Reason::BadField, "subject")));
        let mut s = full();
        s.files.clear();
        let text = String::from_utf8(s.to_payload()).unwrap();
        let two = text.replacen(
            "}],\"predicate\"",
            &format!("}},{{\"name\":\"f1\",\"digest\":{{\"sha256\":\"{}\"}}}}],\"predicate\"", hex(&[1; 32])),
            1,
        );
        assert_eq!(Statement::parse(two.as_bytes()).unwrap_err().field, "subject");
        assert_eq!(Statement::parse(b"[]").unwrap_err().reason, Reason::BadField);
    }

    #[test]
    fn members_of_the_predicate() {
        let p = |field: &'static str| format!("predicate.{field}");
        let bad = |from: &str, to: &str, reason, field: &'static str| check(from, to, Err((reason, &p(field))));
        bad("\"act\":\"observe\"", "\"act\":\"saw\"", Reason::UnknownAct, "act");
        bad("\"act\":\"observe\",", "", Reason::BadField, "act");
        bad("\"kind\":\"fire\"", "\"kind\":\"Fire\"", Reason::BadField, "kind");
        bad("\"kind\":\"fire\"", "\"kind\":\"verdict\"", Reason::UnknownKind, "kind");
        bad("-7e5f-", "-4e5f-", Reason::BadField, "id");
        bad("-8a9b-", "-ca9b-", Reason::BadField, "id");
        bad("0193a1b2", "0193A1B2", Reason::BadField, "id");
        bad("\"party\":\"P1\"", "\"party\":\"P 1\"", Reason::BadField, "party");
        bad("\"party\":\"P1\"", "\"party\":\"\"", Reason::BadField, "party");
        bad("p1/post-07", "p1/post 07", Reason::BadField, "source");
        bad("\"seq\":812", "\"seq\":-1", Reason::BadField, "seq");
        bad("\"seq\":812", "\"seq\":\"812\"", Reason::BadField, "seq");
        bad("\"seq\":812", "\"seq\":0", Reason::BadRef, "prev");
        bad("\"prev\":\"", "\"prev\":\"0", Reason::BadField, "prev");
        bad("\"home\":\"p1.example/hamsaya/1\"", "\"home\":\"*\"", Reason::WrongHome, "home");
        bad("[\"P2\"]", "[\"P2\",\"P2\"]", Reason::BadField, "to");
        bad("[\"P2\"]", "\"P2\"", Reason::BadField, "to");
        bad("2026-11-24T20:00:00Z", "2026-11-24T20:00:60Z", Reason::BadTime, "stated_at");
        bad("2026-11-24T20:00:00Z", "2026-11-24T20:00:00.0Z", Reason::BadTime, "stated_at");
        bad(
            "\"stated_at\":",
            "\"logged_at\":\"2026-11-24T20:00:00Z\",\"stated_at\":",
            Reason::UnknownField,
            "logged_at",
        );
        bad("T18:59:59Z", "T17:59:59Z", Reason::BadTime, "occurred_at.to");
        bad("\"precision\":\"hour\"", "\"precision\":\"month\"", Reason::BadTime, "occurred_at.precision");
        bad("2026-11-24T18~", "<b>", Reason::BadField, "occurred_at.edtf");
        bad("\"lat_e7\":341200000", "\"lat_e7\":900000001", Reason::BadPlace, "place.lat_e7");
        bad("\"lon_e7\":711500000", "\"lon_e7\":-1800000001", Reason::BadPlace, "place.lon_e7");
        bad("\"lat_e7\":341200000,", "", Reason::BadPlace, "place.s_e7");
        bad("\"lat_e7\":341200000", "\"lat_e7\":34.12", Reason::BadJson, "place.lat_e7");
        bad("\"precision_m\":3000", "\"precision_m\":-1", Reason::BadPlace, "place");
        bad("\"precision_m\":3000", "\"precision_m\":30000000", Reason::BadPlace, "place.precision_m");
        bad("TLP:AMBER", "TLP:WHITE", Reason::BadField, "marking");
        bad("\"source_grade\":\"B\"", "\"source_grade\":\"G\"", Reason::BadField, "source_grade");
        bad("\"info_grade\":2", "\"info_grade\":7", Reason::BadField, "info_grade");
        bad("\"rel\":\"same_incident_as\"", "\"rel\":\"like\"", Reason::BadRef, "refs[0].rel");
        bad("\"working_copy\":true", "\"working_copy\":1", Reason::BadField, "files[0].working_copy");
        bad("\"bytes\":48211", "\"bytes\":-1", Reason::BadField, "files[0].bytes");
        bad("\"size\":912", "\"size\":9.12", Reason::BadJson, "seen[0].size");
        bad("\"marking\"", "\"drill\":0,\"marking\"", Reason::BadField, "drill");
        for marking in MARKINGS.into_iter().filter(|m| *m != "TLP:RED") {
            check("\"TLP:AMBER\"", &format!("\"{marking}\""), Ok(()));
        }
    }

    #[test]
    fn boxes() {
        let (from, rest) = ("\"lat_e7\":341200000,\"lon_e7\":711500000", "\"n_e7\":3,\"e_e7\":4");
        check(from, &format!("\"s_e7\":1,\"w_e7\":2,{rest}"), Ok(()));
        check(from, &format!("\"s_e7\":4,\"w_e7\":2,{rest}"), Err((Reason::BadPlace, "predicate.place")));
        check(from, &format!("\"s_e7\":1,\"w_e7\":5,{rest}"), Err((Reason::BadPlace, "predicate.place")));
        check(from, &format!("\"w_e7\":2,{rest}"), Err((Reason::BadPlace, "predicate.place.s_e7")));
        check(from, &format!("{from},{rest}"), Err((Reason::UnknownField, "predicate.place.n_e7")));
        let read = spoiled(&[(from, &format!("\"s_e7\":1,\"w_e7\":2,{rest}"))]).unwrap();
        assert_eq!(Statement::parse(&read.to_payload()), Ok(read));
    }

    /// Commitments of states, never persons.
    #[test]
    fn no_field_for_a_person() {
        for name in
            ["name", "ethnicity", "tribe", "faith", "religion", "politics", "biometric", "phone", "plate", "passport"]
        {
            let member = format!("\"{name}\":\"x\",");
            for (at, field) in
                [("\"act\":", format!("predicate.{name}")), ("\"bursts\":", format!("predicate.fields.{name}"))]
            {
                let refusal = spoiled(&[(at, &format!("{member}{at}"))]).unwrap_err();
                assert_eq!((refusal.reason, &refusal.field), (Reason::UnknownField, &field));
                assert!(refusal.hint.contains("no field for persons"), "{refusal}");
            }
            let inner = format!("{{\"{name}\":\"x\"}}");
            assert_eq!(
                spoiled(&[("\"bursts\":3", &format!("\"bursts\":[{inner}]"))]).unwrap_err().reason,
                Reason::UnknownField
            );
        }
        for name in ["commander_phone", "driver_passport", "Tribe", "fingerprint_hash", "national_id", "person"] {
            assert_eq!(
                spoiled(&[("\"bursts\":", &format!("\"{name}\":1,\"bursts\":"))]).unwrap_err().reason,
                Reason::UnknownField
            );
        }
        for name in ["sector", "crossing", "team", "politely", "plateau", "phonetic"] {
            check("\"bursts\":", &format!("\"{name}\":1,\"bursts\":"), Ok(()));
        }
    }

    #[test]
    fn fields_of_a_kind() {
        check("\"bursts\":3", "\"bursts\":{\"a\":[1,{\"b\":false}],\"c\":\"د\"}", Ok(()));
        check("\"bursts\":3", "\"bursts\":null", Err((Reason::BadJson, "predicate.fields.bursts")));
        check("\"bursts\":3", "\"bursts\":9007199254740992", Err((Reason::BadJson, "predicate.fields.bursts")));
        check("\"bursts\":3", "\"bursts\":\"a\\u0000\"", Err((Reason::BadJson, "predicate.fields.bursts")));
        check("\"bursts\":3", "\"bursts\":\"a\\u202E\"", Err((Reason::BadJson, "predicate.fields.bursts")));
        check("\"bursts\":3", "\"bursts\":3,\"bursts\":3", Err((Reason::BadJson, "predicate.fields")));
        check("\"bursts\":3", "\"Bursts\":3", Err((Reason::UnknownField, "predicate.fields.Bursts")));
        check("\"bursts\":3", "\"_sd_alg\":\"sha-256\"", Err((Reason::UnknownField, "predicate.fields._sd_alg")));
        check("\"bursts\":3", "\"a\":{\"_sd\":[]}", Err((Reason::UnknownField, "predicate.fields.a._sd")));
    }

    #[test]
    fn salted_digests() {
        let (a, b) = (URL_SAFE_NO_PAD.encode([0; 32]), URL_SAFE_NO_PAD.encode([0x80; 32]));
        let pair = format!("[\"{a}\",\"{b}\"]");
        check(&pair, &format!("[\"{b}\",\"{a}\"]"), Err((Reason::BadField, "predicate.fields._sd")));
        check(&pair, &format!("[\"{a}\",\"{a}\"]"), Err((Reason::BadField, "predicate.fields._sd")));
        check(&pair, &format!("[\"{a}=\"]"), Err((Reason::BadBase64, "predicate.fields._sd")));
        check(&pair, "[\"AAAA\"]", Err((Reason::BadBase64, "predicate.fields._sd")));
        check(&pair, "[]", Ok(()));
    }

    #[test]
    fn limits() {
        let mut s = full();
        s.refs = vec![Reference { rel: Rel::Cites, id: StatementId([1; 32]) }; 64];
        assert!(Statement::parse(&s.to_payload()).is_ok());
        s.refs.push(s.refs[0].clone());
        assert_eq!(Statement::parse(&s.to_payload()).unwrap_err().reason, Reason::TooLarge);
        let mut s = full();
        s.files = vec![s.files[0].clone(); 64];
        assert!(Statement::parse(&s.to_payload()).is_ok());
        s.files.push(s.files[0].clone());
        assert_eq!(Statement::parse(&s.to_payload()).unwrap_err().reason, Reason::TooLarge);
        let mut s = full();
        s.salted = (0..65u8).map(|n| [n; 32]).collect();
        s.salted.sort_by_key(|d| URL_SAFE_NO_PAD.encode(d));
        assert_eq!(Statement::parse(&s.to_payload()).unwrap_err().reason, Reason::TooLarge);
        s.salted.pop();
        assert!(Statement::parse(&s.to_payload()).is_ok());
        let nested = |n: usize| (0..n).fold(FieldValue::Int(1), |inner, _| FieldValue::List(vec![inner]));
        // Payload, predicate and fields are three levels.
        s.fields.insert("deep".to_owned(), nested(13));
        assert!(Statement::parse(&s.to_payload()).is_ok());
        s.fields.insert("deep".to_owned(), nested(14));
        assert_eq!(Statement::parse(&s.to_payload()).unwrap_err().reason, Reason::BadJson);
    }

    #[test]
    fn red_is_salted() {
        let red = |to: &str| {
            let tool = ",\"tool\":\"camera 3\"";
            spoiled(&[("TLP:AMBER", "TLP:RED"), (tool, ""), ("\"bursts\":3", to)]).map_err(|r| (r.reason, r.field))
        };
        assert!(red("\"bursts\":3,\"allegation\":\"A1\"").is_ok());
        let refused = |field: &str| Err((Reason::RedInClear, format!("predicate.fields.{field}")));
        assert_eq!(red("\"note\":\"seen from the tower\"").map(drop), refused("note"));
        assert_eq!(red("\"notes\":[{\"a\":\"two words\"}]").map(drop), refused("notes"));
        let tool = spoiled(&[("TLP:AMBER", "TLP:RED")]).unwrap_err();
        assert_eq!((tool.reason, tool.field.as_str()), (Reason::RedInClear, "predicate.files"));
    }

    #[test]
    fn digits_finer_than_a_hundredth_of_the_precision_are_idle() {
        let check = |lat_e7: i64, precision_m: i64, expected: Option<i64>| {
            let place = Place { s_e7: lat_e7, w_e7: 0, n_e7: lat_e7, e_e7: 0, precision_m, gazetteer_id: None };
            let rounded = place.without_idle_digits();
            assert_eq!(place.has_idle_digits().then_some(rounded.s_e7), expected, "{lat_e7} +- {precision_m} m");
            assert!(!rounded.has_idle_digits() && (rounded.s_e7 - lat_e7).abs() * 2 <= place.digit_e7());
        };
        check(341_234_567, 0, None);
        check(341_234_567, 1, None);
        check(341_234_567, 2, Some(341_234_570));
        check(341_234_560, 10, None);
        check(341_234_567, 10, Some(341_234_570));
        check(341_234_000, 1_000, None);
        check(341_234_500, 1_000, Some(341_235_000));
        check(-341_234_500, 1_000, Some(-341_234_000));
        check(341_230_000, 1_200, None);
        check(341_234_000, 1_200, Some(341_230_000));
        check(899_999_999, 20_037_509, Some(900_000_000));
    }

    #[test]
    fn closed_sets_keep_their_names() {
        for act in Act::ALL {
            assert_eq!(Act::from_name(act.name()), Some(act));
        }
        for rel in Rel::ALL {
            assert_eq!(Rel::from_name(rel.name()), Some(rel));
        }
        for precision in Precision::ALL {
            assert_eq!(Precision::from_name(precision.name()), Some(precision));
        }
        assert_eq!(hex(&[0x0f; 32]).parse(), Ok(StatementId([0x0f; 32])));
        for text in ["", "0f", &"0F".repeat(32), &"0f".repeat(33), &"0g".repeat(32)] {
            assert!(text.parse::<StatementId>().is_err());
        }
    }

    /// Any value of a field.
    pub(crate) fn value() -> impl Strategy<Value = FieldValue> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(FieldValue::Bool),
            (-json::INT_MAX..=json::INT_MAX).prop_map(FieldValue::Int),
            "[^\u{0}\u{202a}-\u{202e}]{0,12}".prop_map(FieldValue::Text),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(FieldValue::List),
                prop::collection::btree_map("x[a-z]{0,3}", inner, 0..4).prop_map(FieldValue::Map),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_fields_are_read_back(fields in prop::collection::btree_map("x[a-z0-9_]{0,8}", value(), 0..6)) {
            let s = Statement { fields, ..full() };
            prop_assert_eq!(Statement::parse(&s.to_payload()), Ok(s));
        }

        #[test]
        fn never_panics(bytes: Vec<u8>, at in 0usize..1600, cut in 0usize..9, noise in "[{}\\[\\]\",:a-z0-9]{0,9}") {
            let _ = Statement::parse(&bytes);
            let mut payload = full().to_payload();
            let at = at.min(payload.len());
            payload.splice(at..(at + cut).min(payload.len()), noise.bytes());
            if let Ok(s) = Statement::parse(&payload) {
                prop_assert_eq!(Statement::parse(&s.to_payload()), Ok(s));
            }
        }
    }
}
