//! Who asks: requests signed by a key of the founding (RFC 9421, HTTP Message Signatures).
//!
//! ```text
//! GET /api/entries?limit=10
//! hamsaya-purpose: duty
//! signature-input: hamsaya=("@method" "@authority" "@path" "@query" "hamsaya-purpose");created=1795550400;keyid="p1.example/liaison+1a2b3c4d";alg="ed25519"
//! signature: hamsaya=:<base64, 64 bytes>:
//! ```
//! So a node proves to another that it may have entries, and a program acts for an office whose key it holds, without
//! accounts, certificates or a second list of who is who: the founding has the keys. The body is not covered: what is
//! posted is signed itself. It is good at the node that is
//! meant alone, which knows its own addresses, and for [`FRESH_S`] seconds around its clock; taken off the wire it
//! gives within that time the one answer that was asked for, which whoever took it could read as well.
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hamsaya_record::key::{SecretKey, Vkey};
use std::time::SystemTime;

/// How far `created` may be from the clock, in seconds.
pub const FRESH_S: u64 = 300;

/// The headers' names.
pub const INPUT: &str = "signature-input";
/// Why somebody reads; empty for a node.
pub const PURPOSE: &str = "hamsaya-purpose";
/// The signature itself.
pub const SIGNATURE: &str = "signature";

const LABEL: &str = "hamsaya=";
const COVERED: &str = "(\"@method\" \"@authority\" \"@path\" \"@query\" \"hamsaya-purpose\")";
/// A request that says more than that is refused unread.
const INPUT_BYTES_MAX: usize = 1024;

/// What is signed of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// `GET`.
    pub method: &'a str,
    /// Host and port, as the header `host` has it.
    pub authority: &'a str,
    /// `/api/entries`.
    pub path: &'a str,
    /// Without its `?`; empty if there is none.
    pub query: &'a str,
    /// Why it is asked; empty if nobody says so.
    pub purpose: &'a str,
}

impl<'a> Request<'a> {
    /// Of a URL, `http://127.0.0.1:7411/api/entries?limit=10`.
    pub fn to(method: &'a str, url: &'a str, purpose: &'a str) -> Request<'a> {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let (authority, target) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Request { method, authority, path: if path.is_empty() { "/" } else { path }, query, purpose }
    }

    /// The signature base (RFC 9421, section 2.5).
    fn base(&self, parameters: &str) -> String {
        let (authority, path) = (self.authority.to_ascii_lowercase(), self.path);
        format!(
            "\"@method\": {}\n\"@authority\": {authority}\n\"@path\": {path}\n\"@query\": ?{}\n\"hamsaya-purpose\": {}\n\"@signature-params\": {parameters}",
            self.method, self.query, self.purpose
        )
    }
}

/// Names and values of the three headers.
pub fn sign(request: Request<'_>, key: &SecretKey, now_s: u64) -> [(&'static str, String); 3] {
    let parameters = format!("{COVERED};created={now_s};keyid=\"{}\";alg=\"ed25519\"", key.keyid());
    let signature = key.sign(request.base(&parameters).as_bytes());
    let signature = format!("{LABEL}:{}:", STANDARD.encode(signature));
    [(INPUT, format!("{LABEL}{parameters}")), (SIGNATURE, signature), (PURPOSE, request.purpose.to_string())]
}

/// Seconds since 1970 by the system's clock.
pub fn now_s() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

/// Why a signature does not say who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsigned {
    /// Headers of another form.
    #[error(
        "the headers do not read: allowed is one signature over @method, @authority, @path, @query and hamsaya-purpose"
    )]
    Form,
    /// Nobody's key.
    #[error("no key of the founding has this id")]
    Key,
    /// Too old, or from a clock that is ahead.
    #[error("it was made more than {FRESH_S} s from this node's clock")]
    Stale,
    /// It does not fit.
    #[error("it does not fit the request")]
    Signature,
}

/// Id of the key that a request names.
pub fn keyid(input: &str) -> Option<&str> {
    let (_, rest) = input.split_once(";keyid=\"")?;
    Some(rest.split_once('"')?.0)
}

/// Whether this key signed a request.
pub fn verify(
    request: Request<'_>,
    input: &str,
    signature: &str,
    now_s: u64,
    key: Option<&Vkey>,
) -> Result<(), Unsigned> {
    if input.len() > INPUT_BYTES_MAX {
        return Err(Unsigned::Form);
    }
    let parameters = input.strip_prefix(LABEL).ok_or(Unsigned::Form)?;
    let mut rest = parameters.strip_prefix(COVERED).ok_or(Unsigned::Form)?.split(';').skip(1);
    let (mut created, mut keyid) = (None, None);
    for parameter in rest.by_ref() {
        match parameter.split_once('=').ok_or(Unsigned::Form)? {
            ("created", value) => created = value.parse::<u64>().ok(),
            ("keyid", value) => keyid = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')),
            ("alg", "\"ed25519\"") => {}
            _ => return Err(Unsigned::Form),
        }
    }
    let (created, keyid) = created.zip(keyid).ok_or(Unsigned::Form)?;
    let encoded = signature.strip_prefix(LABEL).and_then(|s| s.strip_prefix(':')?.strip_suffix(':'));
    let bytes = encoded.and_then(|s| STANDARD.decode(s).ok()).ok_or(Unsigned::Form)?;
    let bytes: [u8; 64] = bytes.try_into().map_err(|_| Unsigned::Form)?;
    if created.abs_diff(now_s) > FRESH_S {
        return Err(Unsigned::Stale);
    }
    let vkey = key.filter(|key| key.keyid() == keyid).ok_or(Unsigned::Key)?;
    if vkey.verify(request.base(parameters).as_bytes(), &bytes) { Ok(()) } else { Err(Unsigned::Signature) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "http://p1.example:7411/api/entries?limit=10";

    fn key() -> SecretKey {
        SecretKey::from_seed("p1.example/liaison", [7; 32]).unwrap()
    }

    #[test]
    fn only_the_request_that_was_signed_passes() {
        let (key, other) = (key(), SecretKey::from_seed("p1.example/liaison", [8; 32]).unwrap());
        let [(_, input), (_, signature), _] = sign(Request::to("GET", URL, "duty"), &key, 1_000);
        let ask = |request: Request<'_>, input: &str, now_s: u64, vkey: &Vkey| {
            verify(request, input, &signature, now_s, Some(vkey))
        };
        let asked = Request::to("GET", URL, "duty");
        assert_eq!(ask(asked, &input, 1_000, key.vkey()), Ok(()));
        assert_eq!(ask(Request { authority: "P1.example:7411", ..asked }, &input, 1_300, key.vkey()), Ok(()));
        for changed in [
            Request { method: "POST", ..asked },
            Request { authority: "p2.example:7411", ..asked },
            Request { path: "/api/reads", ..asked },
            Request { query: "limit=11", ..asked },
            Request { purpose: "audit", ..asked },
        ] {
            assert_eq!(ask(changed, &input, 1_000, key.vkey()), Err(Unsigned::Signature), "{changed:?}");
        }
        assert_eq!(ask(asked, &input, 1_000, other.vkey()), Err(Unsigned::Key));
        assert_eq!(keyid(&input), Some(key.keyid().as_str()));
        assert_eq!(ask(asked, &input, 1_301, key.vkey()), Err(Unsigned::Stale));
        assert_eq!(ask(asked, &input, 699, key.vkey()), Err(Unsigned::Stale));
        let later = input.replace("created=1000", "created=1200");
        assert_eq!(ask(asked, &later, 1_200, key.vkey()), Err(Unsigned::Signature));
        assert_eq!(ask(asked, &input.replace("\"@query\"", ""), 1_000, key.vkey()), Err(Unsigned::Form));
        assert_eq!(ask(asked, &input.replace("liaison", "chair"), 1_000, key.vkey()), Err(Unsigned::Key));
        assert_eq!(ask(asked, &format!("{input};nonce"), 1_000, key.vkey()), Err(Unsigned::Form));
    }

    #[test]
    fn a_url_is_taken_apart() {
        let whole = Request { method: "GET", authority: "h:1", path: "/a/b", query: "x=/?", purpose: "" };
        assert_eq!(Request::to("GET", "https://h:1/a/b?x=/?", ""), whole);
        let short = Request { method: "GET", authority: "h", path: "/", query: "", purpose: "" };
        assert_eq!(Request::to("GET", "http://h", ""), short);
    }
}
