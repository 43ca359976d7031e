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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(name: &str) -> SecretKey {
        SecretKey::from_seed(name, [name.len() as u8; 32]).unwrap()
    }

    fn text(envelope: &Envelope) -> String {
        String::from_utf8(envelope.to_leaf()).unwrap()
    }

    /// The example of the DSSE protocol.
    #[test]
    fn what_is_signed() {
        assert_eq!(pae(b"hello world"), b"DSSEv1 28 application/vnd.in-toto+json 11 hello world");
        assert_eq!(pae(b""), b"DSSEv1 28 application/vnd.in-toto+json 0 ");
    }

    #[test]
    fn leaf() {
        let envelope = Envelope::sign(b"{}".to_vec(), &[&key("zz"), &key("a"), &key("a")]);
        let leaf = text(&envelope);
        let (a, zz) = (&envelope.signatures[0], &envelope.signatures[1]);
        assert_eq!(
            leaf,
            format!(
                "{{\"payload\":\"e30=\",\"payloadType\":\"application/vnd.in-toto+json\",\"signatures\":[\
                 {{\"keyid\":\"{}\",\"sig\":\"{}\"}},{{\"keyid\":\"{}\",\"sig\":\"{}\"}}]}}",
                a.keyid,
                STANDARD.encode(&a.sig),
                zz.keyid,
                STANDARD.encode(&zz.sig)
            )
        );
        assert_eq!(a.keyid, key("a").keyid());
        assert_eq!(Envelope::parse_leaf(leaf.as_bytes()), Ok(envelope.clone()));
        assert_eq!(Envelope::parse_intake(leaf.as_bytes()), Ok(envelope));
    }

    /// Other spellings are rewritten at intake and refused in a log.
    #[test]
    fn other_spellings() {
        let payload = vec![0xfb, 0xff, 0xfe, b'x'];
        let envelope = Envelope::sign(payload, &[&key("a"), &key("bb")]);
        let leaf = text(&envelope);
        let (a, b) = (&envelope.signatures[0], &envelope.signatures[1]);
        let item =
            |s: &EnvelopeSignature| format!("{{\"keyid\":\"{}\",\"sig\":\"{}\"}}", s.keyid, STANDARD.encode(&s.sig));
        let spellings = [
            format!("{leaf}\n"),
            leaf.replacen(':', " : ", 1),
            leaf.replace("+//+eA==", "-__-eA=="),
            leaf.replace("+//+eA==", "+//+eA"),
            leaf.replace("+//+eA==", "-__-eA"),
            leaf.replace("application/vnd", "application\\/vnd"),
            format!(
                "{{\"payloadType\":\"{PAYLOAD_TYPE}\",\"payload\":\"+//+eA==\",\"signatures\":[{},{}]}}",
                item(a),
                item(b)
            ),
            format!(
                "{{\"payload\":\"+//+eA==\",\"payloadType\":\"{PAYLOAD_TYPE}\",\"signatures\":[{},{}]}}",
                item(b),
                item(a)
            ),
            leaf.replace("\"keyid\"", "\"\\u006beyid\""),
        ];
        for spelling in spellings {
            assert_ne!(spelling, leaf);
            let read = Envelope::parse_intake(spelling.as_bytes()).unwrap();
            assert_eq!(text(&read), leaf, "{spelling}");
            assert!(Envelope::parse_leaf(spelling.as_bytes()).is_err(), "{spelling}");
        }
    }

    #[test]
    fn refusals() {
        let leaf = text(&Envelope::sign(b"{}".to_vec(), &[&key("a")]));
        let check = |from: &str, to: &str, expected: Reason| {
            let spoiled = leaf.replace(from, to);
            assert_ne!(spoiled, leaf);
            for found in [Envelope::parse_intake(spoiled.as_bytes()), Envelope::parse_leaf(spoiled.as_bytes())] {
                assert_eq!(found.map_err(|r| r.reason), Err(expected), "{spoiled}");
            }
        };
        check("e30=", "e31=", Reason::BadBase64); // tail bits
        check("e30=", "e3 0=", Reason::BadBase64);
        check("e30=", "-/A=", Reason::BadBase64); // two alphabets at once
        check("\"e30=\"", "7", Reason::BadJson);
        check("\"payload\":\"e30=\",", "", Reason::BadJson);
        check("\"payload\"", "\"body\"", Reason::BadJson);
        check("in-toto+json", "in-toto", Reason::BadField);
        check("]}", "],\"x\":1}", Reason::UnknownField);
        check("{\"keyid\"", "{\"cert\":\"\",\"keyid\"", Reason::UnknownField);
        check("{\"payload\":\"e30=\"", "{\"payload\":\"e30=\",\"payload\":\"e30=\"", Reason::BadJson);
        check("[{", "[[],{", Reason::BadJson);
        let none = "{\"payload\":\"e30=\",\"payloadType\":\"application/vnd.in-toto+json\",\"signatures\":[]}";
        assert_eq!(Envelope::parse_intake(none.as_bytes()).unwrap_err().reason, Reason::MissingSignature);
        assert_eq!(Envelope::parse_intake(b"\xff").unwrap_err().reason, Reason::NotUtf8);
        assert_eq!(Envelope::parse_intake(b"[]").unwrap_err().reason, Reason::BadJson);
        // The same key twice.
        let mut twice = Envelope::sign(b"{}".to_vec(), &[&key("a")]);
        twice.signatures.push(EnvelopeSignature { sig: vec![1; 64], ..twice.signatures[0].clone() });
        assert_eq!(Envelope::parse_intake(&twice.to_leaf()).unwrap_err().reason, Reason::BadField);
    }

    #[test]
    fn limits() {
        let keys: Vec<SecretKey> = (0..9).map(|n| key(&"k".repeat(n + 1))).collect();
        let sign = |payload: usize, count: usize| {
            Envelope::sign(vec![b' '; payload], &keys[..count].iter().collect::<Vec<_>>()).to_leaf()
        };
        let check = |leaf: &[u8], expected: Option<Reason>| {
            for found in [Envelope::parse_intake(leaf), Envelope::parse_leaf(leaf)] {
                assert_eq!(found.err().map(|r| r.reason), expected, "{} bytes", leaf.len());
            }
        };
        check(&sign(2, 8), None);
        check(&sign(2, 9), Some(Reason::TooLarge));
        check(&sign(PAYLOAD_BYTES_MAX, 8), None);
        check(&sign(PAYLOAD_BYTES_MAX + 1, 1), Some(Reason::TooLarge));
        // A signature of an unknown type may fill the leaf, to the byte.
        let filled = |extra: usize| {
            let mut envelope = Envelope::sign(vec![b' '; PAYLOAD_BYTES_MAX], &[&keys[0]]);
            let room = LEAF_BYTES_MAX - envelope.to_leaf().len() - "{\"keyid\":\"\",\"sig\":\"\"},".len();
            envelope
                .signatures
                .push(EnvelopeSignature { keyid: "z".repeat(room % 4 + extra), sig: vec![7; room / 4 * 3] });
            envelope.to_leaf()
        };
        assert_eq!(filled(0).len(), LEAF_BYTES_MAX);
        check(&filled(0), None);
        check(&filled(1), Some(Reason::TooLarge));
        assert_eq!(Envelope::parse_intake(&[b' '; INTAKE_BYTES_MAX + 1]).unwrap_err().reason, Reason::TooLarge);
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>, noise in "[{}\\[\\]\",:a-z0-9\\\\]{0,60}") {
            let leaf = text(&Envelope::sign(b"{}".to_vec(), &[&key("a")]));
            for bytes in [bytes, noise.clone().into_bytes(), leaf.replacen("e30=", &noise, 1).into_bytes()] {
                if let Ok(envelope) = Envelope::parse_intake(&bytes) {
                    prop_assert_eq!(Envelope::parse_leaf(&envelope.to_leaf()), Ok(envelope));
                }
            }
        }

        #[test]
        fn one_leaf_for_one_envelope(payload: Vec<u8>, names in prop::collection::btree_set("\\PC{1,12}", 1..8), sig: Vec<u8>) {
            let signatures = names.into_iter().map(|keyid| EnvelopeSignature { keyid, sig: sig.clone() }).collect();
            let envelope = Envelope { payload, signatures };
            let leaf = envelope.to_leaf();
            match Envelope::parse_leaf(&leaf) {
                Ok(read) => prop_assert_eq!(read, envelope),
                // Names with controls that turn the reading direction.
                Err(refusal) => prop_assert_eq!(refusal.reason, Reason::BadJson),
            }
        }
    }
}
