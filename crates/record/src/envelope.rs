//! The envelope: what is signed and by whom, as it lies in the log (DSSE v1).
//!
//! ```text
//! {"payload":"eyJf…","payloadType":"application/vnd.in-toto+json","signatures":[{"keyid":"p1.example/node+1a2b3c4d","sig":"…"}]}
//! ```
//! This is the leaf: compact, keys in this order, padded standard base64, signatures sorted by keyid, none twice. Every
//! other spelling of the same envelope is rewritten so at intake and refused in a log. Signed is not the JSON but
//! `DSSEv1 <len> <type> <len> <body>`, so nothing needs canonical JSON.
use crate::json::{self, Fields, Json};
use crate::key::SecretKey;
use crate::refusal::{Reason, Refusal};
use crate::statement::StatementId;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Longest entry in a log, in bytes.
pub const LEAF_BYTES_MAX: usize = 65_535;
/// Longest payload, in bytes.
pub const PAYLOAD_BYTES_MAX: usize = 47_104;
/// Longest envelope that intake reads, in bytes: room for white space and `\/`.
pub const INTAKE_BYTES_MAX: usize = 2 * LEAF_BYTES_MAX;
/// Most signatures.
pub const SIGNATURES_MAX: usize = 8;
/// The only payload type.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

const PADDING_EITHER: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const INTAKE_STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, PADDING_EITHER);
const INTAKE_URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, PADDING_EITHER);

/// One signature of an envelope.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EnvelopeSignature {
    /// `<key name>+<hex8>`.
    pub keyid: String,
    /// The signature over [`pae`] of the payload; 64 bytes if it is by a key of ours.
    pub sig: Vec<u8>,
}

/// A signed payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The statement's bytes.
    pub payload: Vec<u8>,
    /// Sorted by keyid, none twice.
    pub signatures: Vec<EnvelopeSignature>,
}

/// The bytes that are signed for a payload.
pub fn pae(payload: &[u8]) -> Vec<u8> {
    let mut out = format!("DSSEv1 {} {PAYLOAD_TYPE} {} ", PAYLOAD_TYPE.len(), payload.len()).into_bytes();
    out.extend_from_slice(payload);
    out
}

impl Envelope {
    /// Signs a payload with these keys.
    pub fn sign(payload: Vec<u8>, keys: &[&SecretKey]) -> Envelope {
        let message = pae(&payload);
        let mut signatures: Vec<EnvelopeSignature> =
            keys.iter().map(|key| EnvelopeSignature { keyid: key.keyid(), sig: key.sign(&message).to_vec() }).collect();
        signatures.sort();
        signatures.dedup();
        Envelope { payload, signatures }
    }

    /// Reads any DSSE JSON that says the same as a leaf: keys in any order, white space, url-safe or unpadded base64,
    /// signatures in any order.
    pub fn parse_intake(bytes: &[u8]) -> Result<Envelope, Refusal> {
        if bytes.len() > INTAKE_BYTES_MAX {
            return Err(too_large("", bytes.len(), LEAF_BYTES_MAX));
        }
        let mut envelope = read(bytes, intake_base64)?;
        envelope.signatures.sort();
        envelope.check()?;
        Ok(envelope)
    }

    /// Reads an entry of a log: only the one spelling that [`Envelope::to_leaf`] writes.
    pub fn parse_leaf(bytes: &[u8]) -> Result<Envelope, Refusal> {
        if bytes.len() > LEAF_BYTES_MAX {
            return Err(too_large("", bytes.len(), LEAF_BYTES_MAX));
        }
        let envelope = read(bytes, |text| STANDARD.decode(text).ok())?;
        envelope.check()?;
        if envelope.to_leaf() != bytes {
            return Err(Refusal::new(
                Reason::BadJson,
                "",
                "another spelling",
                "compact JSON: payload, payloadType, signatures",
            ));
        }
        Ok(envelope)
    }

    /// The bytes for the log.
    pub fn to_leaf(&self) -> Vec<u8> {
        let mut out = String::with_capacity(128 + self.payload.len() * 4 / 3 + self.signatures.len() * 160);
        out.push_str("{\"payload\":\"");
        STANDARD.encode_string(&self.payload, &mut out);
        out.push_str("\",\"payloadType\":\"");
        out.push_str(PAYLOAD_TYPE);
        out.push_str("\",\"signatures\":[");
        for (i, signature) in self.signatures.iter().enumerate() {
            out.push_str(if i == 0 { "{\"keyid\":" } else { ",{\"keyid\":" });
            json::write_text(&mut out, &signature.keyid);
            out.push_str(",\"sig\":\"");
            STANDARD.encode_string(&signature.sig, &mut out);
            out.push_str("\"}");
        }
        out.push_str("]}");
        out.into_bytes()
    }

    /// SHA-256 of the payload.
    pub fn statement_id(&self) -> StatementId {
        StatementId::of(&self.payload)
    }

    /// Limits and order, whatever the spelling was.
    fn check(&self) -> Result<(), Refusal> {
        if self.payload.len() > PAYLOAD_BYTES_MAX {
            return Err(too_large("payload", self.payload.len(), PAYLOAD_BYTES_MAX));
        }
        let count = self.signatures.len();
        if count == 0 {
            return Err(Refusal::new(Reason::MissingSignature, "signatures", "none", "1 to 8 signatures"));
        }
        if count > SIGNATURES_MAX {
            return Err(Refusal::new(
                Reason::TooLarge,
                "signatures",
                format!("{count} signatures"),
                "1 to 8 signatures",
            ));
        }
        if let Some(pair) = self.signatures.windows(2).find(|pair| pair[0].keyid >= pair[1].keyid) {
            let found = format!("{:?} before {:?}", pair[0].keyid, pair[1].keyid);
            return Err(Refusal::new(Reason::BadField, "signatures", found, "signatures sorted by keyid, none twice"));
        }
        let leaf_length = self.to_leaf_length();
        if leaf_length > LEAF_BYTES_MAX {
            return Err(too_large("", leaf_length, LEAF_BYTES_MAX));
        }
        Ok(())
    }

    fn to_leaf_length(&self) -> usize {
        // Cheap bound first: nearly all envelopes are far below the limit, escapes or not.
        let bound = |n: usize| n.div_ceil(3) * 4;
        let upper: usize = self.signatures.iter().map(|s| 64 + 6 * s.keyid.len() + bound(s.sig.len())).sum::<usize>()
            + bound(self.payload.len())
            + 128;
        if upper <= LEAF_BYTES_MAX { upper } else { self.to_leaf().len() }
    }
}

fn too_large(field: &str, found: usize, allowed: usize) -> Refusal {
    Refusal::new(Reason::TooLarge, field, format!("{found} bytes"), format!("at most {allowed} bytes"))
        .hint("files stay outside the log: name them by digest")
}

fn intake_base64(text: &str) -> Option<Vec<u8>> {
    INTAKE_STANDARD.decode(text).or_else(|_| INTAKE_URL_SAFE.decode(text)).ok()
}

fn read(bytes: &[u8], base64: impl Fn(&str) -> Option<Vec<u8>>) -> Result<Envelope, Refusal> {
    let decode = |field: &'static str, text: &str| {
        base64(text)
            .ok_or_else(|| Refusal::new(Reason::BadBase64, field, format!("{text:?}"), "base64 with zero tail bits"))
    };
    let form = |refusal: Refusal| match refusal.reason {
        Reason::BadField => Refusal { reason: Reason::BadJson, ..refusal },
        _ => refusal,
    };
    let mut fields = Fields::of(json::parse(bytes)?).map_err(form)?;
    let payload = decode("payload", &fields.text("payload").map_err(form)?)?;
    let payload_type = fields.text("payloadType").map_err(form)?;
    if payload_type != PAYLOAD_TYPE {
        return Err(Refusal::new(Reason::BadField, "payloadType", format!("{payload_type:?}"), PAYLOAD_TYPE));
    }
    let mut signatures = Vec::new();
    for item in fields.list("signatures", usize::MAX).map_err(form)? {
        signatures.push(read_signature(item, &decode).map_err(|r| form(r).within("signatures"))?);
    }
    fields.end("payload, payloadType, signatures")?;
    Ok(Envelope { payload, signatures })
}

fn read_signature(
    item: Json<'_>,
    decode: &impl Fn(&'static str, &str) -> Result<Vec<u8>, Refusal>,
) -> Result<EnvelopeSignature, Refusal> {
    let mut fields = Fields::of(item)?;
    let keyid = fields.text("keyid")?.into_owned();
    let sig = decode("sig", &fields.text("sig")?)?;
    fields.end("keyid, sig")?;
    Ok(EnvelopeSignature { keyid, sig })
}
