//! Signed statements: what a desk, an officer or a post says, made ready for the log.
//!
//! ```text
//! let mut author = Author::new(agreement, home);
//! node.post_statement(&author.sign(draft, &[&chair]))?;      // fills seq and prev
//! ```
//!
//! `seq` and `prev` chain the statements of one source. An author that goes on from an earlier day is told where the
//! chain stands with [`Author::goes_on`].
use hamsaya_record::envelope::Envelope;
use hamsaya_record::key::SecretKey;
use hamsaya_record::statement::{Statement, StatementId};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Makes the statements of one log.
#[derive(Clone, Debug)]
pub struct Author {
    agreement: [u8; 32],
    home: String,
    chains: BTreeMap<String, (u64, StatementId)>,
}

impl Author {
    /// For the log `home` under an agreement.
    pub fn new(agreement: [u8; 32], home: &str) -> Author {
        Author { agreement, home: home.into(), chains: BTreeMap::new() }
    }

    /// Where the chain of a source stands: the next number, and the id of the last statement that the log holds.
    pub fn goes_on(&mut self, source: &str, (next, last): (u64, Option<StatementId>)) {
        if let Some(last) = last {
            self.chains.insert(source.into(), (next.saturating_sub(1), last));
        }
    }

    /// Fills agreement, home, `seq` and `prev`, and signs: the envelope as it will lie in the log.
    pub fn sign(&mut self, draft: Statement, keys: &[&SecretKey]) -> Vec<u8> {
        let last = self.chains.get(&draft.source).copied();
        let statement = Statement {
            agreement: self.agreement,
            home: self.home.clone(),
            seq: last.map_or(0, |(seq, _)| seq + 1),
            prev: last.map(|(_, id)| id),
            ..draft
        };
        let envelope = Envelope::sign(statement.to_payload(), keys);
        self.chains.insert(statement.source, (statement.seq, envelope.statement_id()));
        envelope.to_leaf()
    }
}

/// A UUIDv7 (RFC 9562) of an instant; what is random in one is here the start of SHA-256(`seed`), so the same seed gives
/// the same id.
pub fn uuid_v7(at_ms: u64, seed: &[u8]) -> String {
    let hash = Sha256::digest(seed);
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&at_ms.to_be_bytes()[2..]);
    bytes[6..].copy_from_slice(&hash[..10]);
    bytes[6] = 0x70 | (bytes[6] & 0x0F);
    bytes[8] = 0x80 | (bytes[8] & 0x3F);
    let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_uuid_of_version_7_and_its_seed_decides_it() {
        let id = uuid_v7(1_795_550_400_000, b"ucdp-ged/54936");
        assert_eq!(&id[..13], "01a20f24-ce00");
        assert_eq!((&id[14..15], id.len()), ("7", 36));
        assert!("89ab".contains(&id[19..20]));
        assert_eq!(id, uuid_v7(1_795_550_400_000, b"ucdp-ged/54936"));
        assert_ne!(id, uuid_v7(1_795_550_400_000, b"ucdp-ged/54937"));
    }
}
