//! `node.toml`: who a node is, where it listens, whom it talks to, how fast.
//!
//! ```toml
//! name = "P1"
//! role = "party"
//! origin = "p1.example/hamsaya/1"
//! listen = "127.0.0.1:7411"
//! agreement = "agreement"
//!
//! [pacing]
//! batch_ms = 100
//!
//! [[peer]]
//! name = "P2"
//! role = "party"
//! url = "http://127.0.0.1:7412"
//! ```
//! Paths are within the node's folder; `[tls]` is told of in `tls`. What a member is, its origin and its keys stand in the founding; if the two do not
//! agree the node does not start.
use crate::bucket::Settings;
use crate::tls;
use hamsaya_record::founding::MemberRole;
use hamsaya_record::timing::DARK_S;
use serde::Deserialize;
use std::net::SocketAddr;

/// Settings of one node.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Its name in the founding, e.g. `P1`.
    pub name: String,
    /// `party`, `guarantor` or `witness`.
    pub role: String,
    /// Name of its log; absent for a witness.
    pub origin: Option<String>,
    /// Address and port to listen on; port 0: any that is free.
    #[serde(default = "loopback")]
    pub listen: SocketAddr,
    /// Host and port by which others ask this node, beside the address that it listens on, e.g. `p1.example:7411`.
    #[serde(default)]
    pub authorities: Vec<String>,
    /// Folder of the agreement.
    #[serde(default = "agreement")]
    pub agreement: String,
    /// How fast it goes.
    #[serde(default)]
    pub pacing: Pacing,
    /// Where its logs lie, if not in its folder.
    pub store: Option<Settings>,
    /// Files beside the log.
    #[serde(default)]
    pub files: Files,
    /// How it shows itself, and whom it believes.
    pub tls: Option<tls::Settings>,
    /// The other nodes.
    #[serde(default, rename = "peer")]
    pub peers: Vec<Peer>,
}

/// Another node.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// Its name in the founding.
    pub name: String,
    /// What it is, for people.
    #[serde(default)]
    pub role: String,
    /// Name of its log, for people; the founding settles it.
    pub origin: Option<String>,
    /// Where it answers, e.g. `http://127.0.0.1:7412`.
    pub url: String,
    /// Its certificate, in PEM: then it is believed and nobody else is.
    pub certificate: Option<String>,
}

/// Files beside the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Files {
    /// An arriving file leaves so much of the disk free, for the log.
    pub keep_free_mib: u64,
}

impl Default for Files {
    fn default() -> Files {
        Files { keep_free_mib: 256 }
    }
}

/// How fast a node goes. None of this changes what is logged or judged, only when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pacing {
    /// A batch closes so long after its first entry.
    pub batch_ms: u64,
    /// At most one `checkpoints` entry in this time.
    pub checkpoints_s: u64,
    /// Witnesses are asked again, at the same size, this often.
    pub heartbeat_s: u64,
    /// A peer that does not hold a question until it has news is asked this often.
    pub pull_ms: u64,
    /// A question for news is held this long at most.
    pub hold_ms: u64,
    /// Judging waits until nothing came for so long.
    pub judge_ms: u64,
    /// At most one `refusal` entry in this time.
    pub refusals_s: u64,
    /// First wait after a peer failed; doubles up to `back_off_max_s`.
    pub back_off_ms: u64,
    /// Longest wait after a peer failed.
    pub back_off_max_s: u64,
    /// Cosignatures of another log, seen but not logged by its owner for so long, are logged here.
    pub vouch_s: u64,
    /// What is published is brought to the others' mirrors so long after.
    pub mirror_ms: u64,
    /// A guarantor leaves an entry so long to its author, before it asks whether whoever it is addressed to has it.
    pub attempt_ms: u64,
    /// Another log without a fresh checkpoint of a quorum for so long is dark, and this is logged.
    pub dark_s: u64,
    /// Every byte of the record is read again this often.
    pub scrub_s: u64,
}

impl Default for Pacing {
    fn default() -> Pacing {
        Pacing {
            batch_ms: 100,
            checkpoints_s: 10,
            heartbeat_s: 60,
            pull_ms: 1_000,
            hold_ms: 20_000,
            judge_ms: 50,
            refusals_s: 60,
            back_off_ms: 250,
            back_off_max_s: 60,
            vouch_s: 60,
            mirror_ms: 10_000,
            attempt_ms: 900_000,
            dark_s: DARK_S.unsigned_abs(),
            scrub_s: 24 * 3600,
        }
    }
}

/// Why `node.toml` cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Not TOML, or not these keys.
    #[error("{0}")]
    Form(String),
    /// A role that is none.
    #[error("found role {0:?}, allowed are party, guarantor, witness")]
    Role(String),
}

impl Config {
    /// Reads the text of `node.toml`.
    pub fn parse(text: &str) -> Result<Config, ConfigError> {
        let config: Config = toml::from_str(text).map_err(|e| ConfigError::Form(e.to_string()))?;
        config.member_role()?;
        Ok(config)
    }

    /// What it is to the agreement.
    pub fn member_role(&self) -> Result<MemberRole, ConfigError> {
        MemberRole::from_name(&self.role).ok_or_else(|| ConfigError::Role(self.role.clone()))
    }
}

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn agreement() -> String {
    "agreement".to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_init_writes() {
        let text = "name = \"P1\"\nrole = \"party\"\norigin = \"p1.example/hamsaya/1\"\nlisten = \"127.0.0.1:7411\"\n\
            agreement = \"agreement\"\n\n[pacing]\nbatch_ms = 10\ncheckpoints_s = 0\n\n[[peer]]\nname = \"P2\"\n\
            role = \"party\"\nurl = \"http://127.0.0.1:7412\"\norigin = \"p2.example/hamsaya/1\"\n";
        let config = Config::parse(text).unwrap();
        assert_eq!((config.pacing.batch_ms, config.pacing.heartbeat_s), (10, 60));
        assert_eq!((config.peers.len(), config.peers[0].url.as_str()), (1, "http://127.0.0.1:7412"));
        assert_eq!(config.member_role(), Ok(MemberRole::Party));
    }

    #[test]
    fn says_what_is_wrong() {
        let check = |text: &str, expected: &str| {
            let found = Config::parse(text).map_or_else(|e| e.to_string(), |_| "accepted".to_string());
            assert!(found.contains(expected), "{text:?}: {found}");
        };
        check("name = \"P1\"\nrole = \"king\"\n", "allowed are party, guarantor, witness");
        check("name = \"P1\"\nrole = \"party\"\nspeed = 3\n", "unknown field `speed`");
        check("role = \"party\"\n", "missing field `name`");
        check("name = \"P1\"\nrole = \"party\"\nlisten = \"here\"\n", "invalid socket address");
    }
}
