//! Passkeys: what a browser says for one (WebAuthn level 3), verified. Attestation is neither asked for nor looked at.
//!
//! ```text
//! client_data         {"type":"webauthn.get","challenge":"9q0…","origin":"https://p1.example","crossOrigin":false}
//! authenticator_data  SHA-256 of the rp id (32), flags (1), counter (4); of a new one also AAGUID (16), length (2), id, key
//! signature           over authenticator_data and SHA-256(client_data), by the key that the browser gave when it was made
//! ```
//! A new key is taken as SubjectPublicKeyInfo, as the browser gives it beside the CBOR of the authenticator
//! (`getPublicKey()`): without attestation neither is proven by anything but the session that brings it, so no CBOR is
//! read here. PIN and fingerprint stay on the officer's device; of them one bit arrives.
//!
//! Who keeps passkeys, and who may add one, is the matter of `accounts` and `readers`. Signatures are verified by the
//! library that TLS brings along (docs/decisions/0020); the record does not know of them.
use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A challenge is answered in this time, once.
pub const CHALLENGE_LIFE: Duration = Duration::from_secs(5 * 60);
/// So many wait for an answer; then the oldest is forgotten.
const CHALLENGES_MAX: usize = 10_000;
/// Longest id of a passkey, as the standard has it.
const ID_BYTES_MAX: usize = 1_023;
/// Rp id, flags, counter.
const FIXED_BYTES: usize = 37;

const PRESENT: u8 = 0x01;
const VERIFIED: u8 = 0x04;
const HOLDS_A_KEY: u8 = 0x40;

/// Bytes; base64url without padding in JSON and TOML.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_string())
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        let text = String::deserialize(deserializer)?;
        URL_SAFE_NO_PAD.decode(text).map(Bytes).map_err(de::Error::custom)
    }
}

impl std::fmt::Display for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(&self.0))
    }
}

/// How a passkey signs: what browsers must be able to give as SubjectPublicKeyInfo, and no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256: nearly all of them.
    ES256,
    /// Ed25519.
    EdDSA,
    /// RSA PKCS #1 with SHA-256: machines with an older TPM.
    RS256,
}

impl Algorithm {
    /// In the order in which a browser is asked for them, with their numbers at IANA.
    pub const ALL: [(Algorithm, i64); 3] = [(Algorithm::EdDSA, -8), (Algorithm::ES256, -7), (Algorithm::RS256, -257)];

    /// `ES256`.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::ES256 => "ES256",
            Algorithm::EdDSA => "EdDSA",
            Algorithm::RS256 => "RS256",
        }
    }

    fn key(self, spki: &[u8]) -> Option<ParsedPublicKey> {
        let by: &'static dyn VerificationAlgorithm = match self {
            Algorithm::ES256 => &ECDSA_P256_SHA256_ASN1,
            Algorithm::EdDSA => &ED25519,
            Algorithm::RS256 => &RSA_PKCS1_2048_8192_SHA256,
        };
        ParsedPublicKey::new(by, spki).ok()
    }
}

/// By what name people reach a node: passkeys are made for it and are good there only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// `https://p1.example:7411`
    pub origin: String,
    /// `p1.example`
    pub rp_id: String,
}

impl Site {
    /// The site that a browser's `origin` header names; `None` where it is no address of the node, or none for which
    /// browsers have passkeys: those are names reached over https, and localhost.
    pub fn of(origin: &str, authorities: &[String]) -> Option<Site> {
        let (authority, port) = match origin.split_once("://")? {
            ("https", rest) => (rest, "443"),
            ("http", rest) => (rest, "80"),
            _ => return None,
        };
        let host = authority.split_once(':').map_or(authority, |(host, _)| host);
        let is_local = host == "localhost" || host.ends_with(".localhost");
        if host.is_empty() || host.starts_with('[') || host.parse::<IpAddr>().is_ok() || !(port == "443" || is_local) {
            return None;
        }
        let with_port = format!("{authority}:{port}");
        let is_own = |own: &String| own.eq_ignore_ascii_case(authority) || own.eq_ignore_ascii_case(&with_port);
        let known = authorities.iter().any(is_own);
        known.then(|| Site { origin: origin.to_string(), rp_id: host.to_string() })
    }
}

/// A question to a browser that was not answered yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// 32 random bytes.
    pub challenge: [u8; 32],
    /// Where the browser was.
    pub site: Site,
    /// Who was signed in there; it may add a passkey with the answer.
    pub office: Option<String>,
}

/// What a browser gives for a new passkey.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Making {
    /// `response.clientDataJSON`
    pub client_data: Bytes,
    /// `response.getAuthenticatorData()`
    pub authenticator_data: Bytes,
    /// `response.getPublicKey()`
    pub public_key: Bytes,
    /// `response.getPublicKeyAlgorithm()`
    pub algorithm: i64,
}

/// What a browser gives when a passkey is used.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Using {
    /// `rawId`
    pub id: Bytes,
    /// `response.userHandle`
    pub user: Bytes,
    /// `response.clientDataJSON`
    pub client_data: Bytes,
    /// `response.authenticatorData`
    pub authenticator_data: Bytes,
    /// `response.signature`
    pub signature: Bytes,
}

/// A passkey, as far as it is verified by.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Passkey {
    /// By which the browser finds it again.
    pub id: Bytes,
    /// How it signs.
    pub algorithm: Algorithm,
    /// SubjectPublicKeyInfo.
    pub key: Bytes,
    /// How often it had signed when it was last seen; 0 in one that does not count.
    pub counter: u32,
}

/// Why what a browser gave is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No client data.
    #[error("client_data: found something else, allowed is what a browser writes: {0}")]
    ClientData(String),
    /// Made where one was to be used, or the other way round.
    #[error("client_data: found type `{found}`, allowed is `{allowed}`")]
    Type {
        /// In the client data.
        found: String,
        /// What was asked.
        allowed: &'static str,
    },
    /// Not asked, asked too long ago, or answered before.
    #[error("client_data: found a challenge that is not open, allowed is one of the last five minutes, once")]
    Challenge,
    /// Signed on another site's page.
    #[error("client_data: found origin `{found}`, allowed is `{allowed}`")]
    Origin {
        /// In the client data.
        found: String,
        /// Where the challenge was asked for.
        allowed: String,
    },
    /// Signed in a frame of another site.
    #[error("client_data: found a page in another's frame, allowed is a page of its own")]
    Framed,
    /// Ends too early.
    #[error("authenticator_data: found {found} bytes, allowed are {allowed} or more")]
    Short {
        /// Bytes.
        found: usize,
        /// Bytes.
        allowed: usize,
    },
    /// Made for another name.
    #[error("authenticator_data: found the hash of another name, allowed is that of `{0}`")]
    RpId(String),
    /// Nobody touched it.
    #[error("authenticator_data: nobody was present at the device")]
    Absent,
    /// Without PIN or the like.
    #[error(
        "authenticator_data: the device did not verify who holds it; allowed is with its PIN, or what stands for it"
    )]
    Unverified,
    /// A new one without a key.
    #[error("authenticator_data: found no passkey in it")]
    Keyless,
    /// Id without length, or too long.
    #[error("authenticator_data: found an id of {0} bytes, allowed are 1 to {ID_BYTES_MAX}")]
    Id(usize),
    /// Another algorithm.
    #[error("algorithm: found {0}, allowed are -8, -7, -257")]
    Algorithm(i64),
    /// Not a key of its algorithm.
    #[error("public_key: found no {} key", .0.name())]
    Key(Algorithm),
    /// Signed by another key, or over something else.
    #[error("signature: it does not fit")]
    Signature,
    /// It has signed less often than it had before: two devices hold one key.
    #[error(
        "authenticator_data: found counter {found}, allowed is more than {kept}: the passkey may have been copied; remove it"
    )]
    Counter {
        /// In the authenticator data.
        found: u32,
        /// When it was last used.
        kept: u32,
    },
}

#[derive(Deserialize)]
struct ClientData {
    r#type: String,
    challenge: Bytes,
    origin: String,
    #[serde(default, rename = "crossOrigin")]
    cross_origin: bool,
}

impl ClientData {
    fn parse(bytes: &Bytes) -> Result<ClientData, Refused> {
        serde_json::from_slice(&bytes.0).map_err(|e| Refused::ClientData(e.to_string()))
    }
}

struct AuthenticatorData<'a> {
    rp_id_hash: &'a [u8],
    flags: u8,
    counter: u32,
    rest: &'a [u8],
}

impl AuthenticatorData<'_> {
    fn parse(bytes: &Bytes) -> Result<AuthenticatorData<'_>, Refused> {
        let short = Refused::Short { found: bytes.0.len(), allowed: FIXED_BYTES };
        let (rp_id_hash, rest) = bytes.0.split_at_checked(32).ok_or(short.clone())?;
        let ([flags, a, b, c, d], rest) = rest.split_first_chunk().ok_or(short)?;
        Ok(AuthenticatorData { rp_id_hash, flags: *flags, counter: u32::from_be_bytes([*a, *b, *c, *d]), rest })
    }

    /// The id of a new passkey. Its key in CBOR follows, and is not read.
    fn id(&self) -> Result<Bytes, Refused> {
        let rest = (self.flags & HOLDS_A_KEY != 0).then_some(self.rest).ok_or(Refused::Keyless)?;
        let short = Refused::Short { found: FIXED_BYTES + rest.len(), allowed: FIXED_BYTES + 18 };
        let ([_aaguid @ .., a, b], rest) = rest.split_first_chunk::<18>().ok_or(short)?;
        let length = usize::from(u16::from_be_bytes([*a, *b]));
        if length == 0 || length > ID_BYTES_MAX {
            return Err(Refused::Id(length));
        }
        let short = Refused::Short { found: FIXED_BYTES + 18 + rest.len(), allowed: FIXED_BYTES + 18 + length + 1 };
        match rest.split_at_checked(length) {
            Some((id, [_, ..])) => Ok(Bytes(id.to_vec())),
            _ => Err(short),
        }
    }
}

impl Asked {
    /// What holds of every answer: it is one to this question, on this site, with the holder verified.
    fn answered<'a>(
        &self,
        what: &'static str,
        client_data: &Bytes,
        authenticator_data: &'a Bytes,
    ) -> Result<AuthenticatorData<'a>, Refused> {
        let client = ClientData::parse(client_data)?;
        if client.r#type != what {
            return Err(Refused::Type { found: client.r#type, allowed: what });
        }
        if client.challenge.0 != self.challenge {
            return Err(Refused::Challenge);
        }
        if client.origin != self.site.origin {
            return Err(Refused::Origin { found: client.origin, allowed: self.site.origin.clone() });
        }
        if client.cross_origin {
            return Err(Refused::Framed);
        }
        let data = AuthenticatorData::parse(authenticator_data)?;
        if data.rp_id_hash != Sha256::digest(&self.site.rp_id).as_slice() {
            return Err(Refused::RpId(self.site.rp_id.clone()));
        }
        if data.flags & PRESENT == 0 {
            return Err(Refused::Absent);
        }
        if data.flags & VERIFIED == 0 {
            return Err(Refused::Unverified);
        }
        Ok(data)
    }
}

impl Passkey {
    /// A new one, if it answers what was asked.
    pub fn made(asked: &Asked, making: &Making) -> Result<Passkey, Refused> {
        let data = asked.answered("webauthn.create", &making.client_data, &making.authenticator_data)?;
        let algorithm = Algorithm::ALL.into_iter().find(|(_, number)| *number == making.algorithm);
        let (algorithm, _) = algorithm.ok_or(Refused::Algorithm(making.algorithm))?;
        // The library also reads keys without their envelope; kept is the one spelling that browsers give.
        let key = algorithm.key(&making.public_key.0).ok_or(Refused::Key(algorithm))?;
        let spelt: PublicKeyX509Der<'_> = key.as_der().map_err(|_| Refused::Key(algorithm))?;
        if spelt.as_ref() != making.public_key.0 {
            return Err(Refused::Key(algorithm));
        }
        Ok(Passkey { id: data.id()?, algorithm, key: making.public_key.clone(), counter: data.counter })
    }

    /// The counter to keep from now on, if this is the passkey that answers what was asked.
    pub fn used(&self, asked: &Asked, using: &Using) -> Result<u32, Refused> {
        let data = asked.answered("webauthn.get", &using.client_data, &using.authenticator_data)?;
        let signed = [using.authenticator_data.0.as_slice(), &Sha256::digest(&using.client_data.0)].concat();
        let key = self.algorithm.key(&self.key.0).ok_or(Refused::Key(self.algorithm))?;
        key.verify_sig(&signed, &using.signature.0).map_err(|_| Refused::Signature)?;
        // One that does not count says 0, always.
        if data.counter <= self.counter && (data.counter, self.counter) != (0, 0) {
            return Err(Refused::Counter { found: data.counter, kept: self.counter });
        }
        Ok(data.counter)
    }
}

/// Questions that wait for an answer, in memory.
#[derive(Debug, Default)]
pub struct Challenges {
    open: Mutex<BTreeMap<[u8; 32], (Asked, Instant)>>,
}

impl Challenges {
    /// A new question.
    pub fn ask(&self, site: Site, office: Option<String>, now: Instant) -> Result<Asked, getrandom::Error> {
        let mut challenge = [0; 32];
        getrandom::fill(&mut challenge)?;
        let asked = Asked { challenge, site, office };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, (_, since)| now < *since + CHALLENGE_LIFE);
        if open.len() >= CHALLENGES_MAX
            && let Some(oldest) = open.iter().min_by_key(|(_, (_, since))| *since).map(|(challenge, _)| *challenge)
        {
            open.remove(&oldest);
        }
        open.insert(challenge, (asked.clone(), now));
        Ok(asked)
    }

    /// The question that client data answers. It is taken away: whatever is wrong with the answer, there is no second.
    pub fn take(&self, client_data: &Bytes, now: Instant) -> Result<Asked, Refused> {
        let challenge = ClientData::parse(client_data)?.challenge.0;
        let challenge = <[u8; 32]>::try_from(challenge).map_err(|_| Refused::Challenge)?;
        let taken = self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&challenge);
        let (asked, since) = taken.ok_or(Refused::Challenge)?;
        if now < since + CHALLENGE_LIFE { Ok(asked) } else { Err(Refused::Challenge) }
    }
}
