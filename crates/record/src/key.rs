//! Keys as the Go checksum database writes them.
//!
//! ```text
//! p1.example/hamsaya/1+1a2b3c4d+AZ…                  a public key (vkey): name, id, base64(type ‖ key)
//! PRIVATE+KEY+p1.example/hamsaya/1+1a2b3c4d+AZ…      its secret: base64(type ‖ seed)
//! p1.example/hamsaya/1+1a2b3c4d                      its keyid in an envelope
//! ```
//! The id is the start of SHA-256(name ‖ 0x0A ‖ type ‖ key). Type 0x01 signs bytes; type 0x04 cosigns checkpoints with a
//! time. A key that is not the one encoding of a point of large order never becomes a [`Vkey`], and every check is
//! `verify_strict`: two honest nodes cannot differ on a signature.
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::str::FromStr;

/// What a key is for; one key has one role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Signs the checkpoints of one log.
    Log,
    /// Cosigns checkpoints of the other logs.
    Witness,
    /// Cosigns checkpoints whose entries it holds.
    Mirror,
    /// Signs what a node says for itself.
    Node,
    /// Signs what an office (chair, commission, desk) says.
    Office,
    /// Signs what a post or instrument says.
    Device,
    /// Named in advance, for the day another key is stolen.
    Recovery,
}

impl Role {
    /// All roles, in the order of record.md.
    pub const ALL: [Role; 7] =
        [Role::Log, Role::Witness, Role::Mirror, Role::Node, Role::Office, Role::Device, Role::Recovery];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Role::Log => "log",
            Role::Witness => "witness",
            Role::Mirror => "mirror",
            Role::Node => "node",
            Role::Office => "office",
            Role::Device => "device",
            Role::Recovery => "recovery",
        }
    }

    /// The type its keys have.
    pub fn algorithm(self) -> Algorithm {
        match self {
            Role::Witness | Role::Mirror => Algorithm::Cosignature,
            _ => Algorithm::Ed25519,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Role, KeyError> {
        Role::ALL.into_iter().find(|r| r.name() == text).ok_or_else(|| KeyError::Role(clip(text)))
    }
}

/// Signature types of C2SP signed-note that we sign and verify with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Algorithm {
    /// Ed25519 over the text.
    Ed25519 = 0x01,
    /// Ed25519 cosignature with a time (`cosignature/v1`).
    Cosignature = 0x04,
}

impl Algorithm {
    fn from_byte(byte: u8) -> Result<Algorithm, KeyError> {
        match byte {
            0x01 => Ok(Algorithm::Ed25519),
            0x04 => Ok(Algorithm::Cosignature),
            other => Err(KeyError::Algorithm(other)),
        }
    }
}

/// A text or bytes that are not a key we use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not `name+hex8+base64` (or `PRIVATE+KEY+name+hex8+base64`).
    #[error("found {found}, allowed is {allowed}")]
    Form {
        /// What does not fit; never a secret.
        found: String,
        /// The form.
        allowed: &'static str,
    },
    /// The name is empty or holds a space, a control character or `+`.
    #[error("found key name {0:?}, allowed are names without spaces, control characters and `+`, up to 255 bytes")]
    Name(String),
    /// The id does not belong to the name and key.
    #[error("key {name:?}: found id {found:08x}, the key's own is {allowed:08x}")]
    Id {
        /// Name of the key.
        name: String,
        /// Id in the text.
        found: u32,
        /// Id computed.
        allowed: u32,
    },
    /// A signature type we do not use.
    #[error("found signature type {0:#04x}, allowed are 0x01 (Ed25519) and 0x04 (cosignature)")]
    Algorithm(u8),
    /// Not the one encoding of a point, or a point of small order.
    #[error("key {0:?}: the bytes are not the one encoding of a curve point of large order")]
    Point(String),
    /// Not a role.
    #[error("found role {0:?}, allowed are log, witness, mirror, node, office, device, recovery")]
    Role(String),
}

fn clip(text: &str) -> String {
    text.chars().take(80).collect()
}

/// True for what C2SP and we allow as the name of a key.
pub fn is_key_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 255 && !name.chars().any(|c| c == '+' || c.is_whitespace() || c.is_control())
}

fn key_id(name: &str, algorithm: Algorithm, public: &[u8; 32]) -> u32 {
    let hash: [u8; 32] =
        Sha256::new().chain_update(name).chain_update([0x0A, algorithm as u8]).chain_update(public).finalize().into();
    u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]])
}

/// A public key with its name; only keys that verification can rest on exist as this type.
#[derive(Clone, PartialEq, Eq)]
pub struct Vkey {
    name: String,
    id: u32,
    algorithm: Algorithm,
    key: VerifyingKey,
}

impl Vkey {
    /// A key of this name. Refused unless the bytes are the one encoding of a point that is not of small order.
    pub fn new(name: &str, algorithm: Algorithm, public: &[u8; 32]) -> Result<Vkey, KeyError> {
        if !is_key_name(name) {
            return Err(KeyError::Name(clip(name)));
        }
        let key = VerifyingKey::from_bytes(public).map_err(|_| KeyError::Point(name.to_owned()))?;
        if key.is_weak() || key.to_edwards().compress().as_bytes() != public {
            return Err(KeyError::Point(name.to_owned()));
        }
        Ok(Vkey { name: name.to_owned(), id: key_id(name, algorithm, public), algorithm, key })
    }

    /// Name of the key; of a log key, the origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// First four bytes of the hash over name, type and key.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Its signature type.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The 32 bytes of the key.
    pub fn public(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// `<name>+<hex8>`, as envelopes name it.
    pub fn keyid(&self) -> String {
        format!("{}+{:08x}", self.name, self.id)
    }

    /// True if the 64 bytes are a signature of these bytes by this key: S < L, R and A not of small order, cofactorless.
    pub fn verify(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.key.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }
}

impl fmt::Display for Vkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{:08x}+{}", self.name, self.id, typed(self.algorithm, self.public()))
    }
}

impl fmt::Debug for Vkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vkey({self})")
    }
}

impl FromStr for Vkey {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Vkey, KeyError> {
        const ALLOWED: &str = "a public key `name+hex8+base64`";
        let form = || KeyError::Form { found: format!("{:?}", clip(text)), allowed: ALLOWED };
        let (name, id, algorithm, public) = parts(text).ok_or_else(form)?;
        let key = Vkey::new(name, Algorithm::from_byte(algorithm)?, &public)?;
        if key.id != id {
            return Err(KeyError::Id { name: key.name, found: id, allowed: key.id });
        }
        Ok(key)
    }
}

fn typed(algorithm: Algorithm, bytes: &[u8; 32]) -> String {
    let mut typed = [0; 33];
    typed[0] = algorithm as u8;
    typed[1..].copy_from_slice(bytes);
    STANDARD.encode(typed)
}

/// `name+hex8+base64(type ‖ 32 bytes)`; base64 itself may hold `+`, so only the first two split.
fn parts(text: &str) -> Option<(&str, u32, u8, [u8; 32])> {
    let mut split = text.splitn(3, '+');
    let (name, hex, base64) = (split.next()?, split.next()?, split.next()?);
    if hex.len() != 8 || !hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
        return None;
    }
    let id = u32::from_str_radix(hex, 16).ok()?;
    if base64.len() != 44 {
        return None;
    }
    let bytes = STANDARD.decode(base64).ok()?;
    let (algorithm, key) = bytes.split_first()?;
    Some((name, id, *algorithm, key.try_into().ok()?))
}

/// A secret key with its name. Never printed by `Debug`.
#[derive(Clone)]
pub struct SecretKey {
    key: SigningKey,
    vkey: Vkey,
}

impl SecretKey {
    /// An Ed25519 key (type 0x01) from 32 random bytes. A seed gives a good key except with negligible chance.
    pub fn from_seed(name: &str, seed: [u8; 32]) -> Result<SecretKey, KeyError> {
        SecretKey::typed(name, Algorithm::Ed25519, seed)
    }

    /// A key of a witness or mirror (type 0x04) from 32 random bytes.
    pub fn cosigner_from_seed(name: &str, seed: [u8; 32]) -> Result<SecretKey, KeyError> {
        SecretKey::typed(name, Algorithm::Cosignature, seed)
    }

    fn typed(name: &str, algorithm: Algorithm, seed: [u8; 32]) -> Result<SecretKey, KeyError> {
        let key = SigningKey::from_bytes(&seed);
        let vkey = Vkey::new(name, algorithm, key.verifying_key().as_bytes())?;
        Ok(SecretKey { key, vkey })
    }

    /// Reads `PRIVATE+KEY+name+hex8+base64(type ‖ seed)`; a final newline is allowed.
    pub fn parse(text: &str) -> Result<SecretKey, KeyError> {
        // The text is a secret: the error must not repeat it.
        let form = |found: &str| KeyError::Form {
            found: found.to_owned(),
            allowed: "a secret key `PRIVATE+KEY+name+hex8+base64`",
        };
        let text = text.strip_suffix('\n').unwrap_or(text);
        let rest = text.strip_prefix("PRIVATE+KEY+").ok_or_else(|| form("a text that does not start so"))?;
        let (name, id, algorithm, seed) = parts(rest).ok_or_else(|| form("a text that does not go on so"))?;
        let key = SecretKey::typed(name, Algorithm::from_byte(algorithm)?, seed)?;
        if key.vkey.id != id {
            return Err(KeyError::Id { name: name.to_owned(), found: id, allowed: key.vkey.id });
        }
        Ok(key)
    }

    /// `PRIVATE+KEY+name+hex8+base64(type ‖ seed)`, without a newline.
    pub fn to_text(&self) -> String {
        format!(
            "PRIVATE+KEY+{}+{:08x}+{}",
            self.vkey.name,
            self.vkey.id,
            typed(self.vkey.algorithm, self.key.as_bytes())
        )
    }

    /// Its public half.
    pub fn vkey(&self) -> &Vkey {
        &self.vkey
    }

    /// `<name>+<hex8>`.
    pub fn keyid(&self) -> String {
        self.vkey.keyid()
    }

    /// 64 bytes over the message.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({})", self.keyid())
    }
}
