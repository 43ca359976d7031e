//! Problem documents (RFC 9457): what was found, what is allowed, where, and a hint.
//!
//! ```json
//! {"type":"urn:hamsaya:problem:bad_signature","title":"A signature does not fit the text it stands under","status":403,
//!  "detail":"…","field":"signatures","found":"…","allowed":"…","hint":"…"}
//! ```
//! The type is stable: programs decide by it, people read the rest.
use crate::erased::Erasure;
use crate::shell::Gone;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hamsaya_record::accept::{Reason, Refusal};
use serde_json::{Value, json};

/// Why a request was not answered as asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    status: StatusCode,
    name: String,
    title: String,
    detail: String,
    field: String,
    found: String,
    allowed: String,
    hint: String,
}

impl Problem {
    fn new(status: StatusCode, name: &str, title: &str, detail: impl Into<String>) -> Problem {
        Problem {
            status,
            name: name.to_string(),
            title: title.to_string(),
            detail: detail.into(),
            field: String::new(),
            found: String::new(),
            allowed: String::new(),
            hint: String::new(),
        }
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "not_found", "There is nothing of this name here", detail)
    }

    pub(crate) fn bad_parameter(field: &str, found: &str, allowed: &str) -> Problem {
        let detail = format!("{field}: found `{found}`, allowed is {allowed}");
        let problem = Problem::new(StatusCode::BAD_REQUEST, "bad_parameter", "A parameter does not read", detail);
        Problem { field: field.to_string(), found: found.to_string(), allowed: allowed.to_string(), ..problem }
    }

    pub(crate) fn forbidden(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::FORBIDDEN, "forbidden", "This node does not do that", detail)
    }

    /// A right that the role lacks.
    pub(crate) fn right(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::FORBIDDEN, "right", "The role does not have this right", detail)
            .hint("roles.toml of the agreement says who may do what; sign in, or ask whose matter it is")
    }

    /// A marking that does not mean the reader.
    pub(crate) fn marking(needed: &str) -> Problem {
        let detail = format!("it is marked {needed}, which does not mean this reader");
        let problem = Problem::new(StatusCode::FORBIDDEN, "marking", "Its marking does not let you read it", detail);
        Problem { allowed: needed.to_string(), ..problem }
    }

    /// What may be read and not be taken away.
    pub(crate) fn handling(why: impl Into<String>) -> Problem {
        Problem::new(StatusCode::FORBIDDEN, "handling", "It may be read here and not be exported", why)
    }

    /// Nobody said why something restricted is read.
    pub(crate) fn purpose(allowed: &str) -> Problem {
        let detail = "what is TLP:AMBER or above is read for a purpose, which is written down";
        let problem = Problem::new(StatusCode::BAD_REQUEST, "purpose", "No purpose was named", detail);
        Problem { field: "hamsaya-purpose".to_string(), allowed: allowed.to_string(), ..problem }
    }

    /// A signature over the request that does not hold.
    pub(crate) fn unsigned(detail: impl Into<String>) -> Problem {
        Problem::new(
            StatusCode::UNAUTHORIZED,
            "signed_request",
            "The request's signature does not say who asks",
            detail,
        )
    }

    /// A request that was signed for another address.
    pub(crate) fn other_authority(found: &str, own: &[String]) -> Problem {
        let problem = Problem::unsigned(format!("it was signed for {found}, this node is {}", own.join(", ")));
        problem.hint("ask it by one of these addresses; `authorities` in node.toml names more")
    }

    /// Office or password is wrong.
    pub(crate) fn sign_in() -> Problem {
        Problem::new(StatusCode::UNAUTHORIZED, "sign_in", "No office with this password", "office or password is wrong")
    }

    /// What a browser gave for a passkey, and is not taken.
    pub(crate) fn passkey(status: StatusCode, detail: impl Into<String>) -> Problem {
        Problem::new(status, "passkey", "This passkey was not taken", detail)
    }

    /// An address for which browsers have no passkeys, or which is not known to be the node's.
    pub(crate) fn no_passkeys(found: &str, own: &[String]) -> Problem {
        let allowed = format!("https, or localhost, at {}", own.join(", "));
        let detail = format!("origin: found `{found}`, allowed is {allowed}, by a name and not by a number");
        let problem = Problem::new(StatusCode::FORBIDDEN, "no_passkeys", "No passkeys at this address", detail)
            .hint("`authorities` in node.toml names the addresses by which people ask this node");
        Problem { field: "origin".into(), found: found.to_string(), allowed, ..problem }
    }

    /// Too often wrong.
    pub(crate) fn too_many(seconds: u64) -> Problem {
        let detail = format!("it was tried too often; try again in {seconds} s");
        let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_tries", "This office waits", detail);
        // Seconds; the header `retry-after` says the same.
        Problem { allowed: seconds.to_string(), ..problem }
    }

    pub(crate) fn conflict(name: &str, title: &str, detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::CONFLICT, name, title, detail)
    }

    pub(crate) fn paused(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "paused", "The node does not take this now", detail)
            .hint("keep the statement and send the same bytes again later: it is logged once")
    }

    pub(crate) fn no_log() -> Problem {
        Problem::new(StatusCode::FORBIDDEN, "no_log", "This node keeps no log, it only witnesses", "")
            .hint("send it to the node of the party or guarantor that states it")
    }

    pub(crate) fn peer(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_GATEWAY, "peer_silent", "The other node did not answer", detail)
    }

    /// Content that was erased: what it was, and where that is said, stays. `None`: the reader is not told where and why.
    pub(crate) fn erased(erasure: Option<&Erasure>) -> Problem {
        let (detail, ground) = match erasure {
            Some(Erasure { ground, origin, index }) => {
                (format!("it was erased on the ground of `{ground}`, as {origin} #{index} says"), ground.clone())
            }
            None => ("it was erased; the entry that says why does not mean this reader".to_string(), String::new()),
        };
        let problem = Problem::new(StatusCode::GONE, "erased", "Its content was erased; its hash stays", detail);
        Problem { found: ground, ..problem }
    }

    /// A disclosure that is none of the statement's; what it says is not repeated.
    pub(crate) fn bad_disclosure(detail: impl Into<String>) -> Problem {
        let title = "A disclosure that is none of this statement's";
        Problem::new(StatusCode::BAD_REQUEST, "bad_disclosure", title, detail).hint("nothing was kept")
    }

    /// A body that is not read to its end.
    pub(crate) fn too_large(allowed: usize) -> Problem {
        let detail = format!("found a longer body, allowed are {allowed} bytes");
        let problem = Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "More bytes than are read", detail);
        Problem { allowed: allowed.to_string(), ..problem }
    }

    /// A file that a statement names, whose bytes did not come yet.
    pub(crate) fn not_held(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "not_held", "It is named, and its bytes did not come yet", detail)
            .hint("whoever stated it sends them with `hamsaya record send`")
    }

    /// More bytes than a file may have.
    pub(crate) fn file_too_large(found: impl ToString, allowed: u64) -> Problem {
        let (found, allowed) = (found.to_string(), allowed.to_string());
        let detail = format!("found {found} bytes, allowed are {allowed}");
        let title = "More bytes than were named, or than a file may have";
        let problem = Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "file_too_large", title, detail);
        Problem { found, allowed, ..problem }
    }

    /// A whole file whose bytes are others than were named.
    pub(crate) fn wrong_digest(found: &str, allowed: &str) -> Problem {
        let detail = format!("found bytes with SHA-256 {found}, allowed are those with {allowed}; they were deleted");
        let title = "The bytes are not those that were named";
        let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "wrong_digest", title, detail);
        Problem { found: found.to_string(), allowed: allowed.to_string(), ..problem }
    }

    /// Bytes that do not go on where the others end.
    pub(crate) fn upload_offset(found: u64, allowed: u64) -> Problem {
        let detail = format!("found bytes from {found} on, allowed are those from {allowed} on");
        let problem = Problem::conflict("upload_offset", "The bytes do not go on where those here end", detail);
        Problem { field: "upload-offset".into(), found: found.to_string(), allowed: allowed.to_string(), ..problem }
            .hint("ask with GET how many bytes are here, and go on from there")
    }

    /// There is no room for a file.
    pub(crate) fn no_room(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no_room", "There is no room for more", detail)
            .hint("what came is kept; make room, then send the rest")
    }

    pub(crate) fn internal(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "The node could not do this", detail)
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Problem {
        Problem { hint: hint.into(), ..self }
    }

    pub(crate) fn refused(refusal: &Refusal) -> Problem {
        let problem = Problem::new(status(refusal.reason), refusal.reason.name(), title(refusal.reason), {
            let place = if refusal.field.is_empty() { String::new() } else { format!("{}: ", refusal.field) };
            format!("{place}found {}, allowed is {}", refusal.found, refusal.allowed)
        });
        Problem {
            field: refusal.field.clone(),
            found: refusal.found.clone(),
            allowed: refusal.allowed.to_string(),
            hint: refusal.hint.to_string(),
            ..problem
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "type": format!("urn:hamsaya:problem:{}", self.name),
            "title": self.title,
            "status": self.status.as_u16(),
            "detail": self.detail,
            "field": self.field,
            "found": self.found,
            "allowed": self.allowed,
            "hint": self.hint,
        })
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.to_json().to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        let retry_after_s = match self.status {
            StatusCode::SERVICE_UNAVAILABLE => Some(2),
            StatusCode::TOO_MANY_REQUESTS => self.allowed.parse::<u64>().ok(),
            _ => None,
        };
        if let Some(seconds) = retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<Gone> for Problem {
    fn from(_: Gone) -> Problem {
        Problem::paused("the node is stopping")
    }
}

fn status(reason: Reason) -> StatusCode {
    match reason {
        Reason::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Reason::UnknownKey
        | Reason::KeyNotInForce
        | Reason::BadSignature
        | Reason::MissingSignature
        | Reason::NotAuthor
        | Reason::RedInClear
        | Reason::SecondSignatureRequired => StatusCode::FORBIDDEN,
        Reason::WrongHome | Reason::WrongAgreement | Reason::SourceEquivocates => StatusCode::CONFLICT,
        _ => StatusCode::BAD_REQUEST,
    }
}

fn title(reason: Reason) -> &'static str {
    match reason {
        Reason::TooLarge => "More bytes than an entry may have",
        Reason::NotUtf8 => "The bytes are not UTF-8",
        Reason::BadBase64 => "Base64 that does not read",
        Reason::BadJson => "Not the JSON of an envelope or statement",
        Reason::UnknownField => "A field that does not exist here",
        Reason::UnknownAct => "An act that does not exist here",
        Reason::UnknownKind => "A kind of statement that does not exist here",
        Reason::BadField => "A value that does not fit its field",
        Reason::WrongAgreement => "Made for another agreement",
        Reason::WrongHome => "Made for another log",
        Reason::UnknownKey => "No signature by a key that the record knows",
        Reason::KeyNotInForce => "A key that may not sign this now",
        Reason::BadSignature => "A signature that does not fit the text it stands under",
        Reason::MissingSignature => "A signature that the act needs is missing",
        Reason::BadTime => "A time that does not read",
        Reason::BadPlace => "A place that does not read",
        Reason::BadRef => "A reference that leads nowhere",
        Reason::NotAuthor => "Not by the party that may say this",
        Reason::SourceEquivocates => "The source has said something else before or after this",
        Reason::RedInClear => "Marked red, with clear text that should be salted",
        Reason::SecondSignatureRequired => "A second person's signature is missing",
    }
}
