//! Reading again, from the bytes, everything that a node's folder claims.
//!
//! ```text
//! founding.json        entry 0 of every log, signed by all members
//! log/                 own log: every entry hashed, every tile compared, every signature checked
//! peers/<hash>/        copies of the others, alike
//! witness/<hash>/      checkpoints that this node cosigned
//! mirror/<hash>/       checkpoints that its mirror signed, and what it was told of last
//! ```
//! [`node_folder`] names every file that does not fit. [`load`] reads any number of folders, in any order, and gives the
//! largest consistent copy of each log, under its published head. Both only read: what a crash left is replayed in memory.
use crate::accept::{Acceptance, Accepted, Refusal};
use crate::checkpoint::Checkpoint;
use crate::founding::Founding;
use crate::key::Role;
use crate::logs::{Entry, Head, Logs, VerifiedLog};
use crate::merkle::{Hash, Roots, leaf_hash};
use crate::note::Note;
use crate::statement::hex;
use crate::store::{Folder, Overlay, Store};
use crate::tiles::{self, Fault, Tiles, TilesError};
use crate::timing::Sighting;
use crate::witness::origin_hash;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Takes a log's leaves in order and keeps what a judgment and the next acceptance need.
///
/// ```text
/// let mut replay = Replay::new(origin);
/// Log::open(store, key, |index, leaf| replay.leaf(index, leaf))?;
/// ```
#[derive(Clone, Debug)]
pub struct Replay {
    origin: Arc<str>,
    /// State after the leaves so far; `None` before the founding.
    pub acceptance: Option<Acceptance>,
    /// Entries that count.
    pub entries: Vec<Arc<Entry>>,
    /// Cosignatures that they carry.
    pub sightings: Vec<Sighting>,
    /// Entries that stay as bytes and count for nothing, with the reason.
    pub refused: Vec<(u64, Refusal)>,
    /// The tree of all leaves.
    pub roots: Roots,
}

impl Replay {
    /// Before entry 0.
    pub fn new(origin: &str) -> Replay {
        Replay {
            origin: origin.into(),
            acceptance: None,
            entries: Vec::new(),
            sightings: Vec::new(),
            refused: Vec::new(),
            roots: Roots::default(),
        }
    }

    /// The next leaf.
    pub fn leaf(&mut self, index: u64, leaf: &[u8]) {
        self.roots.push(leaf_hash(leaf));
        let accepted = match &mut self.acceptance {
            Some(acceptance) => acceptance.replay(leaf),
            None => match Acceptance::found(&self.origin, leaf) {
                Ok(acceptance) => {
                    self.acceptance = Some(acceptance);
                    return;
                }
                Err(refusal) => Err(refusal),
            },
        };
        match accepted {
            Ok(accepted) => self.accepted(accepted),
            Err(refusal) => self.refused.push((index, refusal)),
        }
    }

    /// An entry that was just applied to [`Replay::acceptance`].
    pub fn accepted(&mut self, mut accepted: Accepted) {
        if accepted.already.is_some() {
            return; // The first copy counts.
        }
        self.sightings.append(&mut accepted.sightings);
        self.entries.push(Arc::new(accepted.into_entry(self.origin.clone())));
    }

    /// What a judgment reads of it under a head that is not beyond it.
    pub fn under(&self, head: Head) -> VerifiedLog {
        let size = head.size;
        VerifiedLog {
            entries: self.entries.iter().filter(|e| e.index < size).cloned().collect(),
            sightings: self.sightings.iter().filter(|s| s.logged_index < size).cloned().collect(),
            roots: self.roots.clone(),
            head,
        }
    }
}

/// A log that was read and fits.
#[derive(Debug)]
pub struct VerifiedCopy {
    /// Its folder, as seen from the one that was asked for.
    pub place: String,
    /// Its published head; `None` if nothing was published yet.
    pub head: Option<Head>,
    /// The checkpoint that says so, as it was when the log was read: a node at work goes on publishing.
    pub published: Option<Note>,
    /// Entries in it, published or not.
    pub size: u64,
    /// Its leaves, read.
    pub replay: Replay,
    tiles: Tiles<Overlay<Folder>>,
}

impl VerifiedCopy {
    /// Name of the log.
    pub fn origin(&self) -> Option<&str> {
        self.tiles.lock().and_then(|lock| lock.text.lines().next())
    }

    /// Entries, hashes and proofs.
    pub fn tiles(&self) -> &Tiles<Overlay<Folder>> {
        &self.tiles
    }

    /// Bytes of one entry.
    pub fn leaf(&self, index: u64) -> Result<Option<Vec<u8>>, TilesError> {
        self.tiles.entry(index)
    }

    /// Bytes of the first `size` entries.
    pub fn leaves(&self, size: u64) -> Result<Vec<Vec<u8>>, TilesError> {
        self.tiles.entries(0, size)
    }

    /// The complete hash at (tree level, n).
    pub fn hash(&self, level: u8, n: u64) -> Result<Hash, TilesError> {
        self.tiles.hash(level, n)
    }
}

/// A node's folder that fits.
#[derive(Debug)]
pub struct VerifiedFolder {
    /// Who founded it.
    pub founding: Arc<Founding>,
    /// Entry 0 of every log.
    pub founding_leaf: Vec<u8>,
    /// Own log first, then copies by origin.
    pub logs: Vec<VerifiedCopy>,
    /// Checkpoints that this node cosigned: origin and size.
    pub witnessed: Vec<(String, u64)>,
}

/// So often is a fault looked at again under a node at work before it is believed.
const LOOKS: u32 = 5;

/// Reads a node's folder, or the folder of one log, and names everything that does not fit, by its path in the folder.
pub fn node_folder(root: &Path) -> Result<VerifiedFolder, Vec<Fault>> {
    // A node at work may commit or clear staging between two of our reads; then we read again.
    let states = || {
        let peers = folders(&root.join("peers")).into_iter().map(|peer| format!("peers/{peer}"));
        let places = [String::new(), "log".to_string()].into_iter().chain(peers);
        let state = |place: String| {
            let place = root.join(place);
            let staged = Folder::read_only(&place).list("staging/").unwrap_or_default();
            (fs::read(place.join("lock")).ok(), staged)
        };
        places.map(state).collect::<Vec<_>>()
    };
    let mut before = states();
    let mut lasting: Vec<Fault> = Vec::new();
    let mut looks = 0;
    loop {
        let read = read_folder(root);
        let after = states();
        let Err(found) = read else { return read };
        if before == after {
            return Err(found);
        }
        // What stays while everything else goes on is no commit that was half seen.
        lasting.retain(|fault| found.contains(fault));
        if looks >= LOOKS && !lasting.is_empty() {
            return Err(lasting);
        }
        if lasting.is_empty() {
            (lasting, looks) = (found, 0);
        }
        (before, looks) = (after, looks + 1);
    }
}

fn read_folder(root: &Path) -> Result<VerifiedFolder, Vec<Fault>> {
    let founding_leaf = find_founding(root).map_err(|fault| vec![fault])?;
    let founding = Founding::from_leaf(&founding_leaf).map_err(|e| {
        vec![Fault::new("founding.json", "it is not a founding", e, "a founding signed by all members")]
    })?;
    let founding = Arc::new(founding);
    let (mut logs, mut faults, mut witnessed) = (Vec::new(), Vec::new(), Vec::new());
    let mut take = |place: &str, faults: &mut Vec<Fault>| match read_log(root, place, &founding, &founding_leaf) {
        Ok(copy) => logs.extend(copy),
        Err(found) => faults.extend(found),
    };
    if root.join("lock").exists() {
        take("", &mut faults);
    }
    if root.join("log").is_dir() {
        take("log/", &mut faults);
    }
    for place in folders(&root.join("peers")) {
        let known = founding.origins().any(|origin| origin_hash(origin) == place);
        match known {
            true => take(&format!("peers/{place}/"), &mut faults),
            false => faults.push(Fault::new(
                &format!("peers/{place}"),
                "no log of the founding has this hash",
                place,
                "hex SHA-256 of an origin",
            )),
        }
    }
    for place in folders(&root.join("witness")) {
        match read_witnessed(root, &place, &founding) {
            Ok(found) => witnessed.extend(found),
            Err(fault) => faults.push(fault),
        }
    }
    for place in folders(&root.join("mirror")) {
        if let Err(fault) = check_mirrored(root, &place, &founding) {
            faults.push(fault);
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(VerifiedFolder { founding, founding_leaf, logs, witnessed })
}

/// Names of the folders in a folder, sorted.
fn folders(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.filter(|e| e.path().is_dir()).filter_map(|e| e.file_name().to_str().map(str::to_string)).collect();
    names.sort();
    names
}

/// The bytes of entry 0: `founding.json`, or the first entry of the log that lies here.
fn find_founding(root: &Path) -> Result<Vec<u8>, Fault> {
    match fs::read(root.join("founding.json")) {
        Ok(bytes) => Ok(bytes.strip_suffix(b"\n").unwrap_or(&bytes).to_vec()),
        Err(_) => {
            let what = "it is missing, and there is no log here";
            let missing = || Fault::new("founding.json", what, "nothing", "a node's folder or a log's");
            tiles::first_entry(&Folder::read_only(root))?.ok_or_else(missing)
        }
    }
}

/// One log; `None` if nothing was ever committed to it.
fn read_log(
    root: &Path,
    place: &str,
    founding: &Arc<Founding>,
    founding_leaf: &[u8],
) -> Result<Option<VerifiedCopy>, Vec<Fault>> {
    let at = |key: &str| format!("{place}{key}");
    let store = Folder::read_only(&root.join(place));
    let lock = match store.read("lock") {
        Ok(Some((lock, _))) => lock,
        Ok(None) => match store.list("tile/") {
            Ok(tiles) if tiles.is_empty() => return Ok(None),
            _ => {
                return Err(vec![Fault::new(
                    &at("lock"),
                    "it is missing, and there are tiles",
                    "nothing",
                    "a signed checkpoint",
                )]);
            }
        },
        Err(e) => return Err(vec![Fault::new(&at("lock"), "it cannot be read", e, "a signed checkpoint")]),
    };
    let origin = lock.split(|b| *b == b'\n').next().and_then(|l| std::str::from_utf8(l).ok()).unwrap_or("").to_string();
    let allowed = || founding.origins().collect::<Vec<_>>().join(", ");
    let Some(key) = founding.log_key(&origin) else {
        return Err(vec![Fault::new(
            &at("lock"),
            "no log of the founding has this origin",
            format!("{origin:?}"),
            allowed(),
        )]);
    };
    if place.starts_with("peers/") && place != format!("peers/{}/", origin_hash(&origin)) {
        return Err(vec![Fault::new(
            &at("lock"),
            "it lies in another log's folder",
            place,
            format!("peers/{}/", origin_hash(&origin)),
        )]);
    }
    let mut replay = Replay::new(&origin);
    let mut faults = Vec::new();
    let visit = |index: u64, leaf: &[u8]| {
        if index == 0 && leaf != founding_leaf {
            let what = "entry 0 is not the founding that lies beside it";
            faults.push(Fault::new(&at("tile/entries/000"), what, "other bytes", "the same bytes in every log"));
        }
        replay.leaf(index, leaf);
    };
    let tiles = match Tiles::open_or_faults(Overlay::new(store), key, visit) {
        Ok(tiles) => tiles,
        Err((found, error)) => {
            faults.extend(found.into_iter().map(|fault| Fault { key: at(&fault.key), ..fault }));
            faults.extend(error.map(|e| Fault::new(&at("lock"), "the log cannot be read", e, "a log")));
            return Err(faults);
        }
    };
    for name in ["lock", "checkpoint", "cosigned"] {
        if let Err(fault) = check_lines(tiles.store(), name, founding, &origin, name != "lock") {
            faults.push(Fault { key: at(&fault.key), ..fault });
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let published = tiles.store().read("checkpoint").ok().flatten().and_then(|(bytes, _)| Note::parse(&bytes).ok());
    let mut head = None;
    if let Some(published) = published.as_ref().and_then(|note| Checkpoint::parse(&note.text).ok()) {
        match tiles.root_at(published.size) {
            Ok(root) if root == published.root => {
                head = Some(Head { origin: origin.clone(), size: published.size, root })
            }
            Ok(root) => {
                let what = "the published root is not that of the entries";
                return Err(vec![Fault::new(&at("checkpoint"), what, hex(&published.root), hex(&root))]);
            }
            Err(e) => {
                return Err(vec![Fault::new(&at("checkpoint"), "its root cannot be computed", e, "readable tiles")]);
            }
        }
    }
    Ok(Some(VerifiedCopy { place: place.to_string(), head, published, size: tiles.size(), replay, tiles }))
}

/// On the network, lines of unknown keys are ignored. What lies here was written by a node that keeps only lines it could
/// verify, so one that does not verify was changed since.
fn check_lines<S: Store>(store: &S, name: &str, founding: &Founding, origin: &str, quorum: bool) -> Result<(), Fault> {
    let bytes = match store.read(name) {
        Ok(Some((bytes, _))) => bytes,
        Ok(None) => return Ok(()),
        Err(e) => return Err(Fault::new(name, "it cannot be read", e, "a checkpoint")),
    };
    let note = Note::parse(&bytes).map_err(|e| Fault::new(name, "it is not a note", e, "a signed note"))?;
    let trusted = trusted(&note, founding, origin);
    if let Some(line) = note.signatures.iter().find(|line| !trusted.signatures.contains(line)) {
        let what = "a signature line is not by a known key or does not verify";
        return Err(Fault::new(name, what, line.to_line().trim_end(), "lines by the log and its witnesses"));
    }
    let cosigners = trusted
        .signatures
        .iter()
        .filter_map(|line| founding.keys_of(Role::Witness).map(|k| &k.vkey).find(|key| line.names(key)));
    match founding.policy(origin) {
        Some(policy) if quorum && !policy.is_quorum(cosigners) => Err(Fault::new(
            name,
            "it was published without a quorum of witnesses",
            format!("{} lines", note.signatures.len()),
            "a quorum",
        )),
        _ => Ok(()),
    }
}

/// The note with only the lines that verify: by the log, and by the witnesses that its policy counts. What a node keeps.
pub fn trusted(note: &Note, founding: &Founding, origin: &str) -> Note {
    let (Some(log), Some(policy)) = (founding.log_key(origin), founding.policy(origin)) else {
        return Note { text: note.text.clone(), signatures: Vec::new() };
    };
    let witnesses = policy.counted();
    let keys: Vec<_> = witnesses.iter().map(|w| &w.vkey).chain([log]).collect();
    let verifies = |line: &&crate::note::NoteSignature| {
        let alone = Note { text: note.text.clone(), signatures: vec![(*line).clone()] };
        alone.verify(keys.iter().copied()).is_ok()
    };
    Note { text: note.text.clone(), signatures: note.signatures.iter().filter(verifies).cloned().collect() }
}

/// What the mirror signed of a log: by a mirror's key of the founding, beside the log's and its witnesses' lines.
fn check_mirrored(root: &Path, place: &str, founding: &Founding) -> Result<(), Fault> {
    let at = format!("mirror/{place}/checkpoint");
    let bytes = match Folder::read_only(&root.join("mirror").join(place)).read("checkpoint") {
        Ok(Some((bytes, _))) => bytes,
        Ok(None) => return Ok(()),
        Err(e) => return Err(Fault::new(&at, "it cannot be read", e, "a checkpoint")),
    };
    let fault =
        |what: &str, found: String| Fault::new(&at, what, found, "a checkpoint that a mirror signed".to_string());
    let note = Note::parse(&bytes).map_err(|e| fault("it is not a note", e.to_string()))?;
    let mirrors = founding.keys_of(Role::Mirror).map(|key| &key.vkey);
    match note.verify(mirrors) {
        Ok(_) if note.to_text().as_bytes() == bytes => Ok(()),
        Ok(_) => Err(fault("it has more bytes than a note", "other bytes".to_string())),
        Err(e) => Err(fault("no mirror's line verifies", e.to_string())),
    }
}

fn read_witnessed(root: &Path, place: &str, founding: &Founding) -> Result<Option<(String, u64)>, Fault> {
    let at = format!("witness/{place}/checkpoint");
    let store = Folder::read_only(&root.join("witness").join(place));
    let bytes = match store.read("checkpoint") {
        Ok(Some((bytes, _))) => bytes,
        Ok(None) => return Ok(None),
        Err(e) => return Err(Fault::new(&at, "it cannot be read", e, "a checkpoint")),
    };
    let Some(origin) = founding.origins().find(|origin| origin_hash(origin) == place) else {
        return Err(Fault::new(&at, "no log of the founding has this hash", place, "hex SHA-256 of an origin"));
    };
    let fault = |what: &str, found: String| Fault::new(&at, what, found, format!("a checkpoint of {origin}, cosigned"));
    let note = Note::parse(&bytes).map_err(|e| fault("it is not a note", e.to_string()))?;
    let checkpoint = Checkpoint::parse(&note.text).map_err(|e| fault("it is not a checkpoint", e.to_string()))?;
    let trusted = trusted(&note, founding, origin);
    if checkpoint.origin != *origin
        || trusted != note
        || note.signatures.len() < 2
        || note.to_text().as_bytes() != bytes
    {
        return Err(fault("a line does not verify, or one is missing", format!("{} lines", note.signatures.len())));
    }
    Ok(Some((origin.to_string(), checkpoint.size)))
}

/// Logs from any folders, in any order: of each the largest copy, under its published head. Copies of one log that are not
/// beginnings of each other are a fault: the log showed different things to different readers.
pub fn load(paths: &[PathBuf]) -> Result<(Arc<Founding>, Logs), Vec<Fault>> {
    let mut founding: Option<(Arc<Founding>, Vec<u8>)> = None;
    let mut largest: BTreeMap<String, (PathBuf, VerifiedCopy)> = BTreeMap::new();
    let mut faults = Vec::new();
    // The order of the arguments must not show, not even in what a fault says.
    let mut paths = paths.to_vec();
    paths.sort();
    paths.dedup();
    for path in paths {
        let named = |mut fault: Fault| {
            fault.key = path.join(&fault.key).display().to_string();
            fault
        };
        let folder = match node_folder(&path) {
            Ok(folder) => folder,
            Err(found) => {
                faults.extend(found.into_iter().map(named));
                continue;
            }
        };
        let (_, leaf) = founding.get_or_insert_with(|| (folder.founding.clone(), folder.founding_leaf.clone()));
        if *leaf != folder.founding_leaf {
            let fault = Fault::new(
                "founding.json",
                "it is another founding than that of the other folders",
                "another",
                "one founding",
            );
            faults.push(named(fault));
            continue;
        }
        for copy in folder.logs {
            let Some(head) = copy.head.clone() else { continue };
            let Some((held_path, held)) = largest.remove(&head.origin) else {
                largest.insert(head.origin, (path.clone(), copy));
                continue;
            };
            match one_log(&held, &copy) {
                Ok(()) => (),
                Err((size, ours, theirs)) => {
                    let what = format!(
                        "this log and {} differ at size {size}: the log showed two heads",
                        held_path.join(&held.place).display()
                    );
                    faults.push(named(Fault::new(&copy.place, &what, hex(&theirs), hex(&ours))));
                }
            }
            let larger = if held.head.as_ref().is_some_and(|h| h.size >= head.size) {
                (held_path, held)
            } else {
                (path.clone(), copy)
            };
            largest.insert(head.origin, larger);
        }
    }
    let Some((founding, _)) = founding.filter(|_| faults.is_empty()) else { return Err(faults) };
    let logs = largest.into_values().filter_map(|(_, copy)| Some(copy.replay.under(copy.head.clone()?))).collect();
    Ok((founding.clone(), Logs::verified(&founding, logs)))
}

/// Whether two copies agree as far as both go; otherwise the size and both roots.
fn one_log(a: &VerifiedCopy, b: &VerifiedCopy) -> Result<(), (u64, Hash, Hash)> {
    let size = a.size.min(b.size);
    match (a.tiles.root_at(size), b.tiles.root_at(size)) {
        (Ok(ours), Ok(theirs)) if ours != theirs => Err((size, ours, theirs)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::Envelope;
    use crate::fixture::World;
    use crate::follower::Follower;
    use crate::instant::Instant;
    use crate::log::Log;
    use crate::statement::{Act, FieldValue, Statement};
    use crate::witness::{self, Witness, WitnessAnswer};

    const ORIGINS: [&str; 2] = ["p1.example/hamsaya/1", "p2.example/hamsaya/1"];

    fn scratch(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("hamsaya-verify-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        path
    }

    fn statement(world: &World, origin: &str, seq: u64, prev: Option<&Statement>, kind: &str) -> Statement {
        let party = if origin.starts_with("p1") { "P1" } else { "P2" };
        let id = format!("0193a1b2-c3d4-7e5f-8a9b-{}{}{seq:010}", &party[1..], u8::from(kind == "checkpoints"));
        let act = if kind == "checkpoints" { Act::Record } else { Act::Notify };
        let source = if kind == "checkpoints" {
            format!("{}/node", party.to_lowercase())
        } else {
            format!("{}/chair", party.to_lowercase())
        };
        let mut statement =
            Statement::new(world.founding.agreement(), act, kind, &id, party, origin, Instant(1_795_550_400));
        statement.source = source;
        statement.seq = seq;
        statement.prev = prev.map(|s| crate::statement::StatementId::of(&s.to_payload()));
        statement
    }

    fn leaf(world: &World, statement: &Statement) -> Vec<u8> {
        Envelope::sign(statement.to_payload(), &[world.key(&statement.source.replace('/', ".example/"))]).to_leaf()
    }

    /// A node's folder of P1: its own log and a copy of P2's, both published by three witnesses, times and all.
    fn folder(name: &str) -> PathBuf {
        let (world, root) = (World::new(), scratch(name));
        fs::create_dir_all(&root).unwrap();
        fs::write(root.join("founding.json"), &world.founding_leaf).unwrap();
        for origin in ORIGINS {
            let place =
                if origin.starts_with("p1") { "log".to_string() } else { format!("peers/{}", origin_hash(origin)) };
            let store = crate::store::Memory::new();
            let mut log = Log::open(store, world.key(origin).clone(), |_, _| ()).unwrap();
            let one = statement(&world, origin, 0, None, "position");
            let two = statement(&world, origin, 1, Some(&one), "position");
            log.append(&[world.founding_leaf.clone(), leaf(&world, &one)], Instant(100)).unwrap();
            log.append(&[leaf(&world, &two)], Instant(100)).unwrap();
            let mut witnesses: Vec<Witness<Folder>> = ["p1", "p2", "g1", "g2", "o1"]
                .iter()
                .filter(|w| !origin.starts_with(**w))
                .map(|w| {
                    let place = if *w == "p1" {
                        root.join("witness")
                    } else {
                        root.join("elsewhere").join(w).join(origin_hash(origin))
                    };
                    let key = world.key(&format!("{w}.example/witness")).clone();
                    Witness::open(Folder::open(&place).unwrap(), key, [world.key(origin).vkey().clone()]).unwrap()
                })
                .collect();
            let mut published = log.signed().unwrap().clone();
            for witness in &mut witnesses {
                let body = witness::request(0, &[], log.signed().unwrap());
                let WitnessAnswer::Cosigned(line) = witness.add_checkpoint(&body, Instant(200)).unwrap() else {
                    panic!("cosigned")
                };
                published.add(line);
            }
            let mut times = statement(&world, origin, 0, None, "checkpoints");
            times.fields.insert("notes".to_string(), FieldValue::List(vec![FieldValue::Text(published.to_text())]));
            log.append(&[leaf(&world, &times)], Instant(201)).unwrap();
            let mut published = log.signed().unwrap().clone();
            for witness in &mut witnesses {
                let proof = log.tiles().prove_consistency(3, 4).unwrap().unwrap();
                let body = witness::request(3, &proof, log.signed().unwrap());
                let WitnessAnswer::Cosigned(line) = witness.add_checkpoint(&body, Instant(202)).unwrap() else {
                    panic!("cosigned")
                };
                published.add(line);
            }
            log.publish(&published).unwrap();
            let entries = log.tiles().entries(0, 4).unwrap();
            if origin.starts_with("p1") {
                let mut own =
                    Log::open(Folder::open(&root.join(place)).unwrap(), world.key(origin).clone(), |_, _| ()).unwrap();
                own.append(&entries[..2], Instant(100)).unwrap();
                own.settle().unwrap();
                // The tiles of the last batch stay in staging.
                own.append(&entries[2..], Instant(100)).unwrap();
                own.publish(&published).unwrap();
                // A heartbeat later; what the checkpoint shows of it is less than what the log keeps.
                let mut later = own.signed().unwrap().clone();
                for witness in &mut witnesses {
                    let body = witness::request(4, &[], own.signed().unwrap());
                    let WitnessAnswer::Cosigned(line) = witness.add_checkpoint(&body, Instant(262)).unwrap() else {
                        panic!("cosigned")
                    };
                    later.add(line);
                }
                own.publish(&later).unwrap();
                assert!(root.join("log/cosigned").exists());
            } else {
                let mut copy = Follower::open(
                    Folder::open(&root.join(place)).unwrap(),
                    world.key(origin).vkey().clone(),
                    |_, _| (),
                )
                .unwrap();
                copy.advance(published.to_text().as_bytes(), &entries).unwrap();
                copy.settle().unwrap();
            }
        }
        let _ = fs::remove_dir_all(root.join("elsewhere"));
        root
    }

    fn files(root: &Path) -> Vec<PathBuf> {
        let mut all = Vec::new();
        for entry in fs::read_dir(root).unwrap().flatten() {
            match entry.path().is_dir() {
                true => all.extend(files(&entry.path())),
                false => all.push(entry.path()),
            }
        }
        all.sort();
        all
    }

    #[test]
    fn a_folder_that_fits_gives_its_logs_with_times() {
        let root = folder("fits");
        let verified = node_folder(&root).unwrap_or_else(|f| panic!("{f:?}"));
        assert_eq!(
            verified.logs.iter().map(|l| (l.place.starts_with("peers"), l.size)).collect::<Vec<_>>(),
            [(false, 4), (true, 4)]
        );
        assert_eq!(verified.witnessed, [("p2.example/hamsaya/1".to_string(), 4)]);
        assert!(verified.logs.iter().all(|l| l.replay.refused.is_empty()), "{:?}", verified.logs[0].replay.refused);
        let copy = scratch("fits-copy");
        fs::create_dir_all(&copy).unwrap();
        for file in files(&root.join("log")) {
            let to = copy.join(file.strip_prefix(root.join("log")).unwrap());
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(file, to).unwrap();
        }
        let (_, logs) = load(&[root.clone(), copy.clone()]).unwrap_or_else(|f| panic!("{f:?}"));
        let (_, shuffled) = load(&[copy.clone(), root.clone(), copy.clone()]).unwrap_or_else(|f| panic!("{f:?}"));
        assert_eq!((logs.heads(), logs.entries()), (shuffled.heads(), shuffled.entries()));
        assert_eq!(logs.heads().iter().map(|h| h.size).collect::<Vec<_>>(), [4, 4]);
        let at = |n: usize, known_by: i64| logs.logged_at(n, Instant(known_by)).map(|t| t.hi.0);
        assert_eq!(
            (at(0, 300), at(0, 199), at(2, 300)),
            (Some(200), None, None),
            "the entry with the times is not timed itself"
        );
        let earlier = logs.cut(&[Head { origin: ORIGINS[0].to_string(), size: 3, root: [0; 32] }]);
        assert_eq!((earlier.entries().len(), earlier.logged_at(0, Instant(300))), (2, None));
        fs::remove_dir_all(root).unwrap();
        fs::remove_dir_all(copy).unwrap();
    }

    #[test]
    fn a_flipped_byte_in_any_file_is_named() {
        let root = folder("flip");
        let all = files(&root);
        assert!(all.iter().any(|file| file.starts_with(root.join("log/staging"))), "{all:?}");
        for file in all.iter().filter(|f| !f.ends_with("held")) {
            let bytes = fs::read(file).unwrap();
            for at in (0..bytes.len()).step_by(bytes.len() / 15 + 1) {
                let mut flipped = bytes.clone();
                flipped[at] ^= 0x01;
                fs::write(file, flipped).unwrap();
                let Err(faults) = node_folder(&root) else {
                    panic!("byte {at} of {} was flipped and nobody noticed", file.display())
                };
                let name = file.strip_prefix(&root).unwrap().to_str().unwrap();
                // A changed entry shows in its hash; a changed lock or founding shows wherever it is used.
                let named = faults.iter().any(|f| !f.key.is_empty());
                let in_place =
                    name == "founding.json" || faults.iter().any(|f| name.split('/').next() == f.key.split('/').next());
                assert!(named && in_place, "{name}, byte {at}: {faults:?}");
            }
            fs::write(file, bytes).unwrap();
        }
        assert!(node_folder(&root).is_ok(), "all bytes were put back");
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn what_a_crash_left_is_replayed_in_memory_only() {
        let root = folder("crash");
        drop(Log::open(Folder::open(&root.join("log")).unwrap(), World::new().key(ORIGINS[0]).clone(), |_, _| ()));
        let missing = root.join("log/tile/0/000.p/4");
        let tile = fs::read(&missing).unwrap();
        fs::remove_file(&missing).unwrap();
        let faults = node_folder(&root).unwrap_err();
        assert_eq!(faults[0].key, "log/tile/0/000.p/4");
        let head = fs::read_to_string(root.join("log/lock")).unwrap();
        let mut log = Tiles::open(
            Overlay::new(Folder::read_only(&root.join(format!("peers/{}", origin_hash(ORIGINS[1]))))),
            World::new().key(ORIGINS[1]).vkey(),
            |_, _| (),
        );
        assert!(log.as_mut().is_ok_and(|t| t.size() == 4));
        let checkpoint = Checkpoint::parse(&head[..head.find("\n\n").unwrap() + 1]).unwrap();
        let bundle = fs::read(root.join("log/tile/entries/000.p/4")).unwrap();
        let mut staged = format!("tile/entries/000.p/4 {}\n", bundle.len()).into_bytes();
        staged.extend(bundle);
        staged.extend(format!("tile/0/000.p/4 {}\n", tile.len()).bytes());
        staged.extend(tile);
        fs::create_dir_all(root.join("log/staging")).unwrap();
        fs::write(root.join(format!("log/staging/4-{}", hex(&checkpoint.root))), staged).unwrap();
        assert!(node_folder(&root).is_ok(), "the crash lay between the commit point and the tiles");
        assert!(!missing.exists(), "verification writes nothing");
        fs::remove_dir_all(root).unwrap();
    }
}
