//! Why a statement was not accepted.
//!
//! ```text
//! bad_time at predicate.occurred_at.to: found "2026-11-24T25:00:00Z", allowed is an instant like `2026-11-24T20:00:00Z`
//! ```
//! The list of reasons is closed; a refusal is itself recorded (kind `refusal`) with its reason.
use std::borrow::Cow;
use std::fmt;

/// All reasons for which the record or the agreement refuses a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// An entry, payload or list over its limit.
    TooLarge,
    /// Bytes that are not UTF-8.
    NotUtf8,
    /// Base64 that is not canonical.
    BadBase64,
    /// Not strict JSON of the asked form.
    BadJson,
    /// A key that does not exist here; for data about persons none ever will.
    UnknownField,
    /// An act outside the closed set.
    UnknownAct,
    /// A kind outside the closed set, or not of its act.
    UnknownKind,
    /// A value that does not fit its field.
    BadField,
    /// Made for another agreement.
    WrongAgreement,
    /// Made for another log.
    WrongHome,
    /// No signature by a key that the record knows.
    UnknownKey,
    /// A key that is known, but not at this index or not for statements.
    KeyNotInForce,
    /// A known key's signature that fails.
    BadSignature,
    /// A signature that the act needs is not there.
    MissingSignature,
    /// A time that is none, or an interval that ends before it begins.
    BadTime,
    /// A place off the earth.
    BadPlace,
    /// A reference that the act needs is missing, or leads nowhere.
    BadRef,
    /// Not by the party that may say this.
    NotAuthor,
    /// The source names another statement before or after this one than the one logged.
    SourceEquivocates,
    /// Marked `TLP:RED` with clear text that should have been salted.
    RedInClear,
    /// The agreement asks for a second person's signature, and there is none.
    SecondSignatureRequired,
}

impl Reason {
    /// All, in the order of record.md.
    pub const ALL: [Reason; 21] = [
        Reason::TooLarge,
        Reason::NotUtf8,
        Reason::BadBase64,
        Reason::BadJson,
        Reason::UnknownField,
        Reason::UnknownAct,
        Reason::UnknownKind,
        Reason::BadField,
        Reason::WrongAgreement,
        Reason::WrongHome,
        Reason::UnknownKey,
        Reason::KeyNotInForce,
        Reason::BadSignature,
        Reason::MissingSignature,
        Reason::BadTime,
        Reason::BadPlace,
        Reason::BadRef,
        Reason::NotAuthor,
        Reason::SourceEquivocates,
        Reason::RedInClear,
        Reason::SecondSignatureRequired,
    ];

    /// The word for it in statements, problem documents and messages.
    pub fn name(self) -> &'static str {
        match self {
            Reason::TooLarge => "too_large",
            Reason::NotUtf8 => "not_utf8",
            Reason::BadBase64 => "bad_base64",
            Reason::BadJson => "bad_json",
            Reason::UnknownField => "unknown_field",
            Reason::UnknownAct => "unknown_act",
            Reason::UnknownKind => "unknown_kind",
            Reason::BadField => "bad_field",
            Reason::WrongAgreement => "wrong_agreement",
            Reason::WrongHome => "wrong_home",
            Reason::UnknownKey => "unknown_key",
            Reason::KeyNotInForce => "key_not_in_force",
            Reason::BadSignature => "bad_signature",
            Reason::MissingSignature => "missing_signature",
            Reason::BadTime => "bad_time",
            Reason::BadPlace => "bad_place",
            Reason::BadRef => "bad_ref",
            Reason::NotAuthor => "not_author",
            Reason::SourceEquivocates => "source_equivocates",
            Reason::RedInClear => "red_in_clear",
            Reason::SecondSignatureRequired => "second_signature_required",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A refusal: for which reason, where, what was found there, what is allowed, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// For which reason.
    pub reason: Reason,
    /// Where, as a path such as `predicate.place.lat_e7`; empty if it is about the whole.
    pub field: String,
    /// What was found, at most 80 characters of it.
    pub found: String,
    /// What is allowed.
    pub allowed: Cow<'static, str>,
    /// What to do; may be empty.
    pub hint: Cow<'static, str>,
}

impl Refusal {
    /// A refusal without hint. `found` is clipped.
    pub fn new(
        reason: Reason,
        field: impl Into<String>,
        found: impl fmt::Display,
        allowed: impl Into<Cow<'static, str>>,
    ) -> Refusal {
        let found = found.to_string();
        let found =
            if found.chars().nth(80).is_some() { found.chars().take(79).chain(['…']).collect() } else { found };
        Refusal { reason, field: field.into(), found, allowed: allowed.into(), hint: Cow::Borrowed("") }
    }

    /// The same with a hint.
    pub fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Refusal {
        self.hint = hint.into();
        self
    }

    /// The same, found inside `outer`.
    pub(crate) fn within(mut self, outer: &str) -> Refusal {
        self.field = match self.field.as_str() {
            "" => outer.to_owned(),
            inner if inner.starts_with('[') => format!("{outer}{inner}"),
            inner => format!("{outer}.{inner}"),
        };
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.reason)?;
        if !self.field.is_empty() {
            write!(f, " at {}", self.field)?;
        }
        write!(f, ": found {}, allowed is {}", self.found, self.allowed)?;
        if !self.hint.is_empty() {
            write!(f, "\nhint: {}", self.hint)?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}
