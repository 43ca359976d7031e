//! Policies (C2SP tlog-policy): which witnesses must have cosigned a checkpoint.
//!
//! ```text
//! log p1.example/hamsaya/1+1a2b3c4d+AZ…
//! witness P2 p2.example/witness+…
//! witness G1 g1.example/witness+…
//! witness G2 g2.example/witness+…
//! witness O1 o1.example/witness+… https://o1.example
//! group all-others 3 P2 G1 G2 O1
//! quorum all-others
//! ```
//! Items are parted by spaces and tabs; names are octets, defined before they are used, and member of one group at most,
//! so no witness counts twice.
use crate::key::{Algorithm, KeyError, Vkey};
use std::collections::BTreeMap;

/// No policy is longer, in bytes.
pub const POLICY_BYTES_MAX: usize = 64 * 1024;
/// No policy has more logs, more witnesses or more groups (C2SP asks for 32 of each).
pub const LINES_MAX: usize = 256;

/// A log or witness of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name in the policy: of a log, the key's name.
    pub name: Vec<u8>,
    /// Its key.
    pub vkey: Vkey,
    /// Where to reach it.
    pub url: Option<Vec<u8>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Witness(usize),
    Group { k: usize, members: Vec<usize> },
}

/// A policy, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<Member>,
    witnesses: Vec<Member>,
    nodes: Vec<Node>,
    /// `None`: no cosignature is asked for.
    quorum: Option<usize>,
}

/// The numbers of a policy whose quorum is `q` of one plain group of `n` witnesses (or one witness).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// Witnesses.
    pub n: usize,
    /// Liars tolerated.
    pub f: usize,
    /// Cosignatures that make a quorum: floor((n+f)/2)+1.
    pub q: usize,
    /// Answers that meet every quorum in an honest witness: n-q+f+1.
    pub v: usize,
}

impl Numbers {
    /// The numbers for `q` of `n`. Two values of f give the same q; the larger is taken only where n > 3f.
    pub fn of(n: usize, q: usize) -> Numbers {
        let larger = (2 * q).saturating_sub(n + 1);
        let f = if 3 * larger < n { larger } else { larger.saturating_sub(1) };
        Numbers { n, f, q, v: n - q + f + 1 }
    }
}

/// Why a text is not a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Too long.
    #[error("found a policy of {0} bytes, allowed are {POLICY_BYTES_MAX}")]
    TooLarge(usize),
    /// A byte that is neither printable, tab nor newline, or a last line without newline.
    #[error("policy line {line}: found byte {byte:#04x}, allowed are printable bytes, tab and newline")]
    Octet {
        /// Which line, from 1.
        line: usize,
        /// The byte.
        byte: u8,
    },
    /// A line that is not one of the four.
    #[error("policy line {line}: found {found:?}, allowed is {allowed}")]
    Line {
        /// Which line, from 1.
        line: usize,
        /// What was found.
        found: String,
        /// What would fit.
        allowed: &'static str,
    },
    /// A key that is none.
    #[error("policy line {line}: {error}")]
    Key {
        /// Which line, from 1.
        line: usize,
        /// Why.
        error: KeyError,
    },
    /// No quorum line.
    #[error("policy: found no quorum line, allowed is exactly one")]
    NoQuorum,
}

impl Policy {
    /// Reads a policy.
    pub fn parse(bytes: &[u8]) -> Result<Policy, PolicyError> {
        if bytes.len() > POLICY_BYTES_MAX {
            return Err(PolicyError::TooLarge(bytes.len()));
        }
        let mut reading = Reading::default();
        let mut lines: Vec<&[u8]> = bytes.split(|b| *b == b'\n').collect();
        // Every line ends in a newline; what follows the last is not a line.
        if let Some(rest) = lines.pop().filter(|rest| !rest.is_empty()) {
            return Err(PolicyError::Line {
                line: lines.len() + 1,
                found: lossy(rest),
                allowed: "lines that end in a newline",
            });
        }
        for (i, line) in lines.into_iter().enumerate() {
            reading.line(i + 1, line)?;
        }
        let Reading { logs, witnesses, nodes, quorum, .. } = reading;
        Ok(Policy { logs, witnesses, nodes, quorum: quorum.ok_or(PolicyError::NoQuorum)? })
    }

    /// Logs it is about.
    pub fn logs(&self) -> &[Member] {
        &self.logs
    }

    /// Witnesses it names.
    pub fn witnesses(&self) -> &[Member] {
        &self.witnesses
    }

    /// True if cosignatures by these witnesses, given by key, make a quorum.
    pub fn is_quorum<'k>(&self, cosigners: impl IntoIterator<Item = &'k Vkey>) -> bool {
        let Some(quorum) = self.quorum else { return true };
        let mut met = vec![false; self.nodes.len()];
        let cosigners: Vec<&Vkey> = cosigners.into_iter().collect();
        // Members stand before their groups.
        for (i, node) in self.nodes.iter().enumerate() {
            met[i] = match node {
                Node::Witness(w) => cosigners.contains(&&self.witnesses[*w].vkey),
                Node::Group { k, members } => members.iter().filter(|m| met[**m]).count() >= *k,
            };
        }
        met[quorum]
    }

    /// n, f, q, v, if the quorum is one witness or one group of witnesses only.
    pub fn numbers(&self) -> Option<Numbers> {
        match &self.nodes[self.quorum?] {
            Node::Witness(_) => Some(Numbers::of(1, 1)),
            Node::Group { k, members } => members
                .iter()
                .all(|m| matches!(self.nodes[*m], Node::Witness(_)))
                .then(|| Numbers::of(members.len(), *k)),
        }
    }

    /// Witnesses that can count toward the quorum, in the order of the policy.
    pub fn counted(&self) -> Vec<&Member> {
        let mut counted = vec![false; self.nodes.len()];
        if let Some(quorum) = self.quorum {
            counted[quorum] = true;
        }
        for i in (0..self.nodes.len()).rev() {
            if let (true, Node::Group { members, .. }) = (counted[i], &self.nodes[i]) {
                members.iter().for_each(|m| counted[*m] = true);
            }
        }
        let node = |i: usize| if let Node::Witness(w) = self.nodes[i] { Some(&self.witnesses[w]) } else { None };
        (0..self.nodes.len()).filter(|i| counted[*i]).filter_map(node).collect()
    }
}

/// The text of a policy of `q` of these witnesses for one log.
pub fn write<'k>(log: &Vkey, witnesses: impl IntoIterator<Item = (&'k str, &'k Vkey)>, q: usize) -> String {
    let mut text = format!("log {log}\n");
    let mut names = String::new();
    for (name, vkey) in witnesses {
        text.push_str(&format!("witness {name} {vkey}\n"));
        names.push(' ');
        names.push_str(name);
    }
    text.push_str(&format!("group witnesses {q}{names}\nquorum witnesses\n"));
    text
}

#[derive(Default)]
struct Reading {
    logs: Vec<Member>,
    witnesses: Vec<Member>,
    nodes: Vec<Node>,
    names: BTreeMap<Vec<u8>, usize>,
    taken: Vec<bool>,
    quorum: Option<Option<usize>>,
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().take(80).collect()
}

impl Reading {
    fn line(&mut self, number: usize, line: &[u8]) -> Result<(), PolicyError> {
        if let Some(byte) = line.iter().find(|b| (**b < 0x20 && **b != b'\t') || **b == 0x7F) {
            return Err(PolicyError::Octet { line: number, byte: *byte });
        }
        let words: Vec<&[u8]> = line.split(|b| matches!(b, b' ' | b'\t')).filter(|w| !w.is_empty()).collect();
        if words.first().is_none_or(|w| w.starts_with(b"#")) {
            return Ok(());
        }
        let refuse = |found: &[u8], allowed| Err(PolicyError::Line { line: number, found: lossy(found), allowed });
        match words[..] {
            [b"log", vkey, ref url @ ..] if url.len() <= 1 => {
                let vkey = read_key(number, vkey)?;
                if vkey.algorithm() != Algorithm::Ed25519 {
                    return refuse(line, "a log key of type 0x01");
                }
                if self.has_key(&vkey) || self.logs.len() == LINES_MAX {
                    return refuse(line, "each log key once, up to 256");
                }
                let name = vkey.name().as_bytes().to_vec();
                self.logs.push(Member { name, vkey, url: url.first().map(|u| u.to_vec()) });
            }
            [b"witness", name, vkey, ref url @ ..] if url.len() <= 1 => {
                let vkey = read_key(number, vkey)?;
                if vkey.algorithm() != Algorithm::Cosignature {
                    return refuse(line, "a witness key of type 0x04");
                }
                if self.has_key(&vkey) || self.witnesses.len() == LINES_MAX {
                    return refuse(line, "each witness key once, up to 256");
                }
                if !self.define(name, Node::Witness(self.witnesses.len())) {
                    return refuse(name, "a name that is not yet defined");
                }
                self.witnesses.push(Member { name: name.to_vec(), vkey, url: url.first().map(|u| u.to_vec()) });
            }
            [b"group", name, k, ref members @ ..] if !members.is_empty() => {
                let mut indexes = Vec::with_capacity(members.len());
                for member in members {
                    match self.names.get(*member) {
                        Some(i) if !self.taken[*i] => {
                            self.taken[*i] = true;
                            indexes.push(*i);
                        }
                        _ => return refuse(member, "a member defined earlier and in no group yet"),
                    }
                }
                let k = match k {
                    b"any" => 1,
                    b"all" => members.len(),
                    digits => match std::str::from_utf8(digits).ok().and_then(crate::checkpoint::decimal) {
                        Some(k) if (1..=members.len() as u64).contains(&k) => k as usize,
                        _ => return refuse(digits, "any, all, or a number from 1 to the number of members"),
                    },
                };
                if self.nodes.len() - self.witnesses.len() == LINES_MAX {
                    return refuse(line, "up to 256 groups");
                }
                if !self.define(name, Node::Group { k, members: indexes }) {
                    return refuse(name, "a name that is not yet defined");
                }
            }
            [b"quorum", name] => {
                if self.quorum.is_some() {
                    return refuse(line, "one quorum line");
                }
                self.quorum = match (name, self.names.get(name)) {
                    (b"none", _) => Some(None),
                    (_, Some(i)) => Some(Some(*i)),
                    _ => return refuse(name, "`none` or a name defined earlier"),
                };
            }
            _ => {
                return refuse(
                    line,
                    "log <vkey> [url], witness <name> <vkey> [url], group <name> <k|any|all> <names>, quorum <name|none>",
                );
            }
        }
        Ok(())
    }

    /// Two keys are the same if their 32 bytes are, whatever they are called.
    fn has_key(&self, vkey: &Vkey) -> bool {
        self.logs.iter().chain(&self.witnesses).any(|m| m.vkey.public() == vkey.public())
    }

    fn define(&mut self, name: &[u8], node: Node) -> bool {
        if name == b"none" || self.names.contains_key(name) {
            return false;
        }
        self.names.insert(name.to_vec(), self.nodes.len());
        self.nodes.push(node);
        self.taken.push(false);
        true
    }
}

fn read_key(line: usize, word: &[u8]) -> Result<Vkey, PolicyError> {
    let text = String::from_utf8_lossy(word);
    text.parse().map_err(|error| PolicyError::Key { line, error })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SecretKey;
    use proptest::prelude::*;

    fn log(n: u8) -> Vkey {
        SecretKey::from_seed(&format!("log{n}"), [n; 32]).unwrap().vkey().clone()
    }

    fn witness(n: u8) -> Vkey {
        SecretKey::cosigner_from_seed(&format!("w{n}.example"), [100 + n; 32]).unwrap().vkey().clone()
    }

    fn read(text: &str) -> Result<Policy, PolicyError> {
        // `L1` and `W1` stand for keys.
        let mut text = text.to_owned();
        for n in 1..7 {
            text = text
                .replace(&format!("$L{n}"), &log(n).to_string())
                .replace(&format!("$W{n}"), &witness(n).to_string());
        }
        Policy::parse(text.as_bytes())
    }

    #[track_caller]
    fn refused(text: &str, expected: &str) {
        let found = read(text).map_or_else(|e| e.to_string(), |_| "accepted".to_owned());
        assert!(found.contains(expected), "{text:?}: {found}");
    }

    /// The example of C2SP tlog-policy: two of three and any of three.
    const NESTED: &str = "# two institutions\nlog $L1 https://log.example\n\nwitness X1 $W1\nwitness\tX2  $W2\n  witness X3 $W3 https://x3 \n\
        group X-witnesses 2 X1 X2 X3\nwitness Y1 $W4\nwitness Y2 $W5\nwitness Y3 $W6\ngroup Y-witnesses any Y1 Y2 Y3\n\
        group X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n";

    #[test]
    fn groups_of_groups() {
        let policy = read(NESTED).unwrap();
        assert_eq!((policy.logs().len(), policy.witnesses().len()), (1, 6));
        assert_eq!(policy.logs()[0].url.as_deref(), Some(&b"https://log.example"[..]));
        let quorum = |ns: &[u8]| policy.is_quorum(&ns.iter().map(|n| witness(*n)).collect::<Vec<_>>());
        assert!(quorum(&[1, 2, 4]));
        assert!(quorum(&[1, 3, 4, 6]));
        assert!(!quorum(&[1, 2, 3]));
        assert!(!quorum(&[1, 4, 5, 6]));
        assert!(!quorum(&[1, 1, 4]), "one witness counts once");
        assert!(!quorum(&[]));
        assert_eq!(policy.numbers(), None);
        assert_eq!(policy.counted().len(), 6);
    }

    #[test]
    fn quorums() {
        assert!(read("quorum none\n").unwrap().is_quorum([]));
        assert_eq!(read("quorum none\n").unwrap().numbers(), None);
        let one = read("witness A $W1\nwitness B $W2\nquorum B\n").unwrap();
        assert!(one.is_quorum([&witness(2)]) && !one.is_quorum([&witness(1)]));
        assert_eq!(one.counted().iter().map(|m| m.name.as_slice()).collect::<Vec<_>>(), [b"B"]);
        // Names are octets: the Kelvin sign is not K.
        assert!(read("witness K $W1\nwitness \u{212a} $W2\nquorum \u{212a}\n").unwrap().is_quorum([&witness(2)]));
        let text = b"witness \xff\xfe $\nquorum \xff\xfe\n";
        let mut bytes = text[..11].to_vec();
        bytes.extend_from_slice(witness(1).to_string().as_bytes());
        bytes.extend_from_slice(&text[12..]);
        assert!(Policy::parse(&bytes).unwrap().is_quorum([&witness(1)]));
    }

    #[test]
    fn refusals() {
        refused("", "no quorum line");
        refused("log $L1\n", "no quorum line");
        refused("quorum none\nquorum none\n", "one quorum line");
        refused("quorum none", "end in a newline");
        refused("quorum A\n", "defined earlier");
        refused("quorum A\nwitness A $W1\n", "policy line 1");
        refused("quorum\n", "quorum <name|none>");
        refused("quorum none x\n", "quorum <name|none>");
        refused("log $L1\nlog $L1\nquorum none\n", "each log key once");
        refused("witness A $W1\nwitness B $W1\nquorum A\n", "each witness key once");
        refused("witness A $W1\nwitness A $W2\nquorum A\n", "not yet defined");
        refused("witness none $W1\nquorum none\n", "not yet defined");
        refused("witness A $W1\ngroup A any A\nquorum A\n", "not yet defined");
        refused("log $W1\nquorum none\n", "type 0x01");
        refused("witness A $L1\nquorum A\n", "type 0x04");
        refused("log x\nquorum none\n", "policy line 1");
        refused("log $L1 u v\nquorum none\n", "log <vkey> [url]");
        refused("witness A $W1\ngroup G 0 A\nquorum G\n", "from 1 to");
        refused("witness A $W1\ngroup G 2 A\nquorum G\n", "from 1 to");
        refused("witness A $W1\ngroup G 01 A\nquorum G\n", "from 1 to");
        refused("witness A $W1\ngroup G most A\nquorum G\n", "from 1 to");
        refused("group G any\nquorum G\n", "group <name>");
        refused("group G any A\nwitness A $W1\nquorum G\n", "defined earlier");
        refused("witness A $W1\ngroup G any none A\nquorum G\n", "defined earlier");
        refused("witness A $W1\ngroup G any A A\nquorum G\n", "in no group yet");
        refused("witness A $W1\nwitness B $W2\ngroup G any A\ngroup H any A B\nquorum H\n", "in no group yet");
        refused("quorum none\r\n", "byte 0x0d");
        refused("# \u{7f}\nquorum none\n", "byte 0x7f");
        refused("quorum\u{a0}none\n", "quorum <name|none>");
        refused("mirror x\nquorum none\n", "log <vkey> [url]");
        // A key has one role, whatever it is called.
        let twin = SecretKey::cosigner_from_seed("other", [1; 32]).unwrap();
        refused(&format!("log $L1\nwitness A {}\nquorum A\n", twin.vkey()), "each witness key once");
        assert_eq!(Policy::parse(&vec![b'#'; POLICY_BYTES_MAX + 1]), Err(PolicyError::TooLarge(POLICY_BYTES_MAX + 1)));
    }

    #[test]
    fn at_least_32_of_each() {
        let mut text = String::new();
        for n in 0..32u8 {
            let log = SecretKey::from_seed(&format!("l{n}"), [n; 32]).unwrap();
            let witness = SecretKey::cosigner_from_seed(&format!("w{n}"), [n + 64; 32]).unwrap();
            text += &format!("log {}\nwitness W{n} {}\ngroup G{n} any W{n}\n", log.vkey(), witness.vkey());
        }
        text += "quorum G31\n";
        assert_eq!(Policy::parse(text.as_bytes()).map(|p| (p.logs().len(), p.witnesses().len())), Ok((32, 32)));
    }

    /// record.md, section 4.
    #[test]
    fn numbers() {
        let check = |n, q, f, v| assert_eq!(Numbers::of(n, q), Numbers { n, f, q, v });
        check(4, 3, 1, 3);
        check(5, 4, 1, 3);
        check(7, 5, 2, 5);
        check(3, 2, 0, 2);
        check(3, 3, 1, 2);
        check(2, 2, 0, 1);
        check(1, 1, 0, 1);
        for n in 1..40 {
            for q in 1..=n {
                let Numbers { f, v, .. } = Numbers::of(n, q);
                assert!(v >= 1 && (q <= n / 2 || q == (n + f) / 2 + 1), "{q} of {n}: f {f}");
            }
        }
        let text = write(&log(1), [("A", &witness(1)), ("B", &witness(2)), ("C", &witness(3)), ("D", &witness(4))], 3);
        assert_eq!(Policy::parse(text.as_bytes()).unwrap().numbers(), Some(Numbers { n: 4, f: 1, q: 3, v: 3 }));
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>, words in "((log|witness|group|quorum|none|A|B|2|any|all|x\\+00000000\\+AA| |\t|\n)){0,40}\n") {
            let _ = Policy::parse(&bytes);
            let _ = Policy::parse(words.as_bytes());
        }
    }
}
