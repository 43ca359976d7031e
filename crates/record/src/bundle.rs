//! A public bundle: all that anybody may see of the logs, with proof that nothing else was left out or changed.
//!
//! ```text
//! bundle.zip                             one spelling: the same logs are the same bytes
//!   founding.dsse.json                   entry 0 of every log: members, keys, policies
//!   logs/00/checkpoint                   the largest tree that a quorum of witnesses cosigned
//!   logs/00/hashes                       the hash of every entry under it, one a line
//!   logs/00/entries/000000000012.dsse.json    an entry that is shown
//!   logs/00/disclosures/000000000012.txt      salted fields of it that its author chose to show, one a line
//!   redactions.json                      [{"origin":"p1.example/hamsaya/1","index":1,"field":"*","rule":"marking"},…
//! ```
//! The hashes make the root that the witnesses cosigned. So every entry that is shown is the log's own, and every entry
//! that is not shown has its line in `redactions.json`, with the rule under which it is withheld: an index that is missing
//! in both, or stands in both, does not pass. A withheld entry can be shown later, by itself, and be held against its hash.
//!
//! [`verify`] needs no network, no node and no clock. As with an exhibit the reader compares founding and agreement with
//! what both sides signed. It cannot tell whether what is withheld is rightly withheld: it tells which rule was named.
use crate::archive;
use crate::checkpoint::Checkpoint;
use crate::disclosure::{self, Disclosure};
use crate::envelope::Envelope;
use crate::exhibit::{Claim, ExhibitError, Step, check_signers, claims, least, read_cosigned};
use crate::founding::Founding;
use crate::instant::Instant;
use crate::keyring::Keyring;
use crate::logs::Signer;
use crate::merkle::{Edge, Hash, Roots, leaf_hash};
use crate::note::Note;
use crate::policy::{Numbers, Policy};
use crate::statement::{Statement, StatementId};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// No bundle is longer, in bytes.
pub const BUNDLE_BYTES_MAX: usize = 1024 * 1024 * 1024;

/// What the public may see of a place is no finer, in metres.
pub const PUBLIC_PRECISION_M: i64 = 5_000;

const FOUNDING: &str = "founding.dsse.json";
const REDACTIONS: &str = "redactions.json";

/// Why something is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Its marking is above `TLP:CLEAR`.
    Marking,
    /// Its field `pap` lets nobody forward it (`PAP:RED`, `PAP:AMBER`, or none: that is `PAP:AMBER`).
    Handling,
    /// Its place is finer than [`PUBLIC_PRECISION_M`]; it is signed, so it cannot be made coarser.
    Place,
    /// The log itself holds only a salted digest; the words are with whom they were given to.
    Salted,
    /// It is no statement of this log under this agreement, or not signed by who speaks in it: nobody vouches for its marking.
    Unreadable,
}

impl Rule {
    /// All rules.
    pub const ALL: [Rule; 5] = [Rule::Marking, Rule::Handling, Rule::Place, Rule::Salted, Rule::Unreadable];

    /// The word in `redactions.json`.
    pub fn name(self) -> &'static str {
        match self {
            Rule::Marking => "marking",
            Rule::Handling => "handling",
            Rule::Place => "place",
            Rule::Salted => "salted",
            Rule::Unreadable => "unreadable",
        }
    }
}

/// One thing that is not shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Redaction {
    /// Log.
    pub origin: String,
    /// Entry.
    pub index: u64,
    /// `*` for the whole entry, `fields._sd[0]` for the first of its salted fields.
    pub field: String,
    /// Why.
    pub rule: Rule,
}

/// Why a bundle cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The founding, or a log that it does not name.
    #[error("founding: {0}")]
    Founding(String),
    /// No log has a checkpoint that a quorum cosigned.
    #[error("no log has a checkpoint that a quorum cosigned\nhint: wait until witnesses have cosigned")]
    NotCosigned,
    /// What was made does not verify.
    #[error("{0}")]
    Parts(BundleError),
}

/// Where a bundle does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: found {found}, allowed is {allowed}")]
pub struct BundleError {
    /// File in the bundle; `archive` if it is none of them.
    pub file: String,
    /// What was found.
    pub found: String,
    /// What would hold.
    pub allowed: String,
}

fn fail(file: &str, found: impl fmt::Display, allowed: impl fmt::Display) -> BundleError {
    BundleError { file: file.to_owned(), found: found.to_string(), allowed: allowed.to_string() }
}

/// An entry that is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Place in its log.
    pub index: u64,
    /// What it says.
    pub statement: Statement,
    /// Whose keys signed it.
    pub signers: Vec<Signer>,
    /// Salted fields that are shown in clear.
    pub disclosed: Vec<Disclosure>,
}

/// One log of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicLog {
    /// Its origin.
    pub origin: String,
    /// Entries under the cosigned checkpoint, with the founding.
    pub size: u64,
    /// Witnesses that cosigned it.
    pub cosigned_by: Vec<String>,
    /// By this instant a quorum had.
    pub cosigned_at: Instant,
    /// Entries that are shown, beside the founding.
    pub shown: Vec<Shown>,
}

/// What a bundle proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleReport {
    /// Id of the founding that all this rests on.
    pub founding_id: StatementId,
    /// Digest of the agreement.
    pub agreement: [u8; 32],
    /// Its logs, sorted by origin.
    pub logs: Vec<PublicLog>,
    /// Logs of the founding that are not in it.
    pub absent: Vec<String>,
    /// All that is not shown, sorted.
    pub redactions: Vec<Redaction>,
}

/// Whether bytes claim to be a bundle, whole or not.
pub fn is_bundle(bytes: &[u8]) -> bool {
    bytes.windows(REDACTIONS.len()).any(|window| window == REDACTIONS.as_bytes())
}

/// An entry as the public sees it, or the rule under which it does not. One rule for who makes a bundle and who reads it.
/// `keyring` takes up what entries that are shown say of keys; what a withheld one says, no reader can follow.
fn public(leaf: &[u8], founding: &Founding, keyring: &mut Keyring, origin: &str, index: u64) -> Result<Shown, Rule> {
    let envelope = Envelope::parse_leaf(leaf).map_err(|_| Rule::Unreadable)?;
    let statement = Statement::parse(&envelope.payload).map_err(|_| Rule::Unreadable)?;
    if statement.agreement != founding.agreement() || statement.home != origin {
        return Err(Rule::Unreadable);
    }
    if statement.marking != "TLP:CLEAR" {
        return Err(Rule::Marking);
    }
    // Who says nothing says PAP:AMBER, here as everywhere: that all may see it is not that it may be passed on. What is said of
    // keys has no field for it, and without it nobody could check signatures.
    if statement.kind != "key" && !["PAP:CLEAR", "PAP:GREEN"].contains(&statement.handling()) {
        return Err(Rule::Handling);
    }
    if statement.place.as_ref().is_some_and(|place| place.precision_m < PUBLIC_PRECISION_M) {
        return Err(Rule::Place);
    }
    let signers = check_signers(&envelope, &statement, founding, keyring, index).map_err(|_| Rule::Unreadable)?;
    if statement.kind == "key" {
        keyring.follow(&statement, &signers, index).map_err(|_| Rule::Unreadable)?;
    }
    Ok(Shown { index, statement, signers, disclosed: Vec::new() })
}

/// What is withheld of an entry that is shown.
fn salted<'s>(origin: &'s str, shown: &'s Shown) -> impl Iterator<Item = Redaction> + use<'s> {
    let digests: BTreeSet<[u8; 32]> = shown.disclosed.iter().map(Disclosure::digest).collect();
    let withheld = shown.statement.salted.iter().enumerate().filter(move |(_, digest)| !digests.contains(*digest));
    withheld.map(|(n, _)| Redaction {
        origin: origin.to_owned(),
        index: shown.index,
        field: format!("fields._sd[{n}]"),
        rule: Rule::Salted,
    })
}

/// Salted fields that go to everybody: of the statement, and no place finer than everybody may see.
fn read_disclosed(file: &str, statement: &Statement, bytes: &[u8]) -> Result<Vec<Disclosure>, BundleError> {
    let disclosed = disclosure::read(statement, bytes)
        .map_err(|error| fail(file, error, "salted fields of the entry, sorted, none twice"))?;
    let place = |d: &Disclosure| disclosure::place(d.value()).is_some_and(|(.., metres)| metres < PUBLIC_PRECISION_M);
    match disclosed.iter().find(|d| place(d)) {
        None => Ok(disclosed),
        Some(fine) => {
            Err(fail(file, format!("`{}`, a place", fine.name()), format!("one of {PUBLIC_PRECISION_M} m or more")))
        }
    }
}

fn numbers<'f>(founding: &'f Founding, origin: &str) -> Result<(&'f Policy, Numbers), String> {
    let policy = founding.policy(origin).ok_or_else(|| format!("log {origin:?}, which has no policy"))?;
    let numbers = policy.numbers().ok_or("a policy of groups of groups")?;
    Ok((policy, numbers))
}

fn disclosures_path(log: usize, index: u64) -> String {
    format!("logs/{log:02}/disclosures/{index:012}.txt")
}

fn entry_path(log: usize, index: u64) -> String {
    format!("logs/{log:02}/entries/{index:012}.dsse.json")
}

/// Makes the bundle of logs, each as far as a quorum cosigned it: the leaves of each origin, and cosigned checkpoints of
/// any of them in any order. `chosen`: disclosures, by log and entry, of entries that the public sees.
pub fn write(
    founding_leaf: &[u8],
    logs: &BTreeMap<String, Vec<Vec<u8>>>,
    notes: &[Note],
    chosen: &BTreeMap<(String, u64), Vec<String>>,
) -> Result<Vec<u8>, WriteError> {
    let founding = Founding::from_leaf(founding_leaf).map_err(|error| WriteError::Founding(error.to_string()))?;
    let mut files = BTreeMap::from([(FOUNDING.to_owned(), founding_leaf.to_vec())]);
    let (mut redactions, mut count, mut shown) = (Vec::new(), 0, BTreeSet::new());
    for (origin, leaves) in logs {
        let (policy, numbers) = numbers(&founding, origin).map_err(WriteError::Founding)?;
        let key = founding.log_key(origin).ok_or_else(|| WriteError::Founding("found no log key".to_owned()))?;
        let mut roots = Roots::default();
        leaves.iter().for_each(|leaf| roots.push(leaf_hash(leaf)));
        let claims = claims(notes, key, policy);
        let of_this_tree = |claim: &Claim<'_>| {
            let Checkpoint { size, root, .. } = claim.claimed.checkpoint;
            (roots.at(size) == Some(root)).then(|| claim.verify(&founding))
        };
        let largest = least(&claims, |c| c.hi(numbers).map(|_| Reverse(c.checkpoint.size)), of_this_tree);
        let Some(cosigned) = largest else { continue };
        let note = cosigned.note(|lines| Some(lines.first_key_value()?.1));
        files.insert(format!("logs/{count:02}/checkpoint"), note.to_text().into_bytes());
        let (mut hashes, mut keyring) = (String::new(), Keyring::founded(&founding));
        for (index, leaf) in (0..cosigned.checkpoint.size).zip(leaves) {
            hashes += &(STANDARD.encode(leaf_hash(leaf)) + "\n");
            if leaf == founding_leaf {
                continue;
            }
            match public(leaf, &founding, &mut keyring, origin, index) {
                Ok(mut entry) => {
                    if let Some(lines) = chosen.get(&(origin.clone(), index)) {
                        let (file, text) =
                            (disclosures_path(count, index), disclosure::to_text(lines.iter().map(String::as_str)));
                        let read = read_disclosed(&file, &entry.statement, text.as_bytes());
                        entry.disclosed = read.map_err(WriteError::Parts)?;
                        files.insert(file, text.into_bytes());
                        shown.insert((origin.clone(), index));
                    }
                    redactions.extend(salted(origin, &entry));
                    files.insert(entry_path(count, index), leaf.clone());
                }
                Err(rule) => {
                    redactions.push(Redaction { origin: origin.clone(), index, field: "*".to_owned(), rule });
                }
            }
        }
        files.insert(format!("logs/{count:02}/hashes"), hashes.into_bytes());
        count += 1;
    }
    if count == 0 {
        return Err(WriteError::NotCosigned);
    }
    if let Some((origin, index)) = chosen.keys().find(|place| !shown.contains(*place)) {
        let found = format!("disclosures of {origin}#{index}, which the public does not see");
        return Err(WriteError::Parts(fail("disclosures", found, "those of entries that are shown")));
    }
    files.insert(REDACTIONS.to_owned(), list(&redactions));
    let bytes =
        archive::write(&files).map_err(|error| WriteError::Parts(fail("archive", error, "files to archive")))?;
    // What leaves for good is read once more, as its readers will.
    verify(&bytes).map_err(WriteError::Parts)?;
    Ok(bytes)
}

/// `redactions.json`: one a line, in order.
fn list(redactions: &[Redaction]) -> Vec<u8> {
    let lines: Vec<String> = redactions
        .iter()
        .map(|r| json!({"field": r.field, "index": r.index, "origin": r.origin, "rule": r.rule.name()}).to_string())
        .collect();
    format!("[{}]\n", lines.join(",\n")).into_bytes()
}

fn read_list(bytes: &[u8]) -> Result<Vec<Redaction>, BundleError> {
    let refuse = |found: String| fail(REDACTIONS, found, "lines as this project writes them, sorted");
    let values: Vec<Value> = serde_json::from_slice(bytes).map_err(|error| refuse(error.to_string()))?;
    let read = |value: &Value| {
        let text = |name: &str| value[name].as_str().map(str::to_owned);
        let rule = Rule::ALL.into_iter().find(|rule| value["rule"] == rule.name())?;
        Some(Redaction { origin: text("origin")?, index: value["index"].as_u64()?, field: text("field")?, rule })
    };
    let redactions: Option<Vec<Redaction>> = values.iter().map(read).collect();
    redactions.filter(|all| list(all) == bytes).ok_or_else(|| refuse("another spelling".to_owned()))
}

/// Verifies a bundle, all of it.
pub fn verify(bytes: &[u8]) -> Result<BundleReport, BundleError> {
    let mut files =
        archive::read(bytes, BUNDLE_BYTES_MAX).map_err(|broken| fail(&broken.file, broken.found, broken.allowed))?;
    let mut take = |name: &str| files.remove(name).ok_or_else(|| fail(name, "nothing", "all files of a bundle"));
    let founding_leaf = take(FOUNDING)?;
    let redactions = read_list(&take(REDACTIONS)?)?;
    let founding = Founding::from_leaf(&founding_leaf).map_err(|error| fail(FOUNDING, error, "a founding"))?;
    let mut expected = BTreeSet::new();
    let mut logs: Vec<PublicLog> = Vec::new();
    for count in 0.. {
        let name = format!("logs/{count:02}/checkpoint");
        let Some(note) = files.remove(&name) else { break };
        let (log, withheld) = read_log(&founding, &founding_leaf, (count, &name, &note), &mut files)?;
        if logs.last().is_some_and(|last| last.origin >= log.origin) {
            return Err(fail(&name, &log.origin, "logs sorted by origin, none twice"));
        }
        expected.extend(withheld.into_iter().map(|index| (log.origin.clone(), index, "*".to_owned())));
        let shown = log.shown.iter().flat_map(|shown| salted(&log.origin, shown));
        expected.extend(shown.map(|r| (r.origin, r.index, r.field)));
        logs.push(log);
    }
    if let Some((name, _)) = files.first_key_value() {
        return Err(fail(name, "a file that nothing vouches for", "the files of a bundle"));
    }
    if logs.is_empty() {
        return Err(fail("logs/00/checkpoint", "nothing", "at least one log"));
    }
    for redaction in &redactions {
        let place = (redaction.origin.clone(), redaction.index, redaction.field.clone());
        let whole = redaction.field == "*";
        if whole == (redaction.rule == Rule::Salted) || !expected.remove(&place) {
            let found = format!("{}#{} {} under {}", place.0, place.1, place.2, redaction.rule.name());
            return Err(fail(REDACTIONS, found, "one line for all that is not shown"));
        }
    }
    if let Some((origin, index, field)) = expected.first() {
        let found = format!("nothing about {origin}#{index} {field}");
        return Err(fail(REDACTIONS, found, "one line for all that is not shown"));
    }
    let in_it: BTreeSet<&str> = logs.iter().map(|log| log.origin.as_str()).collect();
    let absent = founding.origins().filter(|origin| !in_it.contains(origin)).map(str::to_owned).collect();
    let founding_id = StatementId::of(&Envelope::parse_leaf(&founding_leaf).map_or(Vec::new(), |e| e.payload));
    Ok(BundleReport { founding_id, agreement: founding.agreement(), logs, absent, redactions })
}

/// One log, its files taken from the others; and the indexes of entries that are not shown.
fn read_log(
    founding: &Founding,
    founding_leaf: &[u8],
    (count, name, note): (usize, &str, &[u8]),
    files: &mut BTreeMap<String, Vec<u8>>,
) -> Result<(PublicLog, Vec<u64>), BundleError> {
    let at = |file: &str, error: ExhibitError| fail(file, error.found, error.allowed);
    let origin = note.split(|byte| *byte == b'\n').next().and_then(|line| std::str::from_utf8(line).ok());
    let origin = origin.unwrap_or_default();
    let (policy, numbers) =
        numbers(founding, origin).map_err(|found| fail(name, found, "a log that the founding names"))?;
    let cosigned = read_cosigned(Step::Proof, note, origin, founding, policy).map_err(|error| at(name, error))?;
    let cosigned_at = cosigned.hi(numbers).ok_or_else(|| fail(name, "too few witnesses", "a quorum"))?;
    let Checkpoint { size, root, .. } = &cosigned.checkpoint;

    let hashes_name = format!("logs/{count:02}/hashes");
    let lines = files.remove(&hashes_name).ok_or_else(|| fail(&hashes_name, "nothing", "all files of a bundle"))?;
    let hashes = std::str::from_utf8(&lines).ok().and_then(|text| text.lines().map(crate::checkpoint::hash).collect());
    let hashes: Vec<Hash> = hashes.ok_or_else(|| fail(&hashes_name, "other lines", "base64 of 32 bytes a line"))?;
    let again: String = hashes.iter().map(|hash| STANDARD.encode(hash) + "\n").collect();
    let mut edge = Edge::new();
    hashes.iter().for_each(|hash| edge.push(*hash, |_, _, _| ()));
    if again.as_bytes() != lines || hashes.len() as u64 != *size || edge.root() != *root {
        let found = format!("{} hashes with another root", hashes.len());
        return Err(fail(&hashes_name, found, format!("the {size} hashes of the cosigned tree")));
    }
    let (mut shown, mut withheld) = (Vec::new(), Vec::new());
    let mut keyring = Keyring::founded(founding);
    for (index, hash) in (0..).zip(&hashes) {
        let name = entry_path(count, index);
        match files.remove(&name) {
            None if *hash == leaf_hash(founding_leaf) => (),
            None => withheld.push(index),
            Some(leaf) => {
                if leaf_hash(&leaf) != *hash {
                    return Err(fail(&name, "other bytes", "the entry of this hash"));
                }
                let mut entry = public(&leaf, founding, &mut keyring, origin, index).map_err(|rule| {
                    fail(&name, format!("an entry that is withheld under {}", rule.name()), "public entries")
                })?;
                let name = disclosures_path(count, index);
                if let Some(bytes) = files.remove(&name) {
                    entry.disclosed = read_disclosed(&name, &entry.statement, &bytes)?;
                }
                shown.push(entry);
            }
        }
    }
    let cosigned_by = cosigned.lines.into_keys().collect();
    Ok((PublicLog { origin: origin.to_owned(), size: *size, cosigned_by, cosigned_at, shown }, withheld))
}
