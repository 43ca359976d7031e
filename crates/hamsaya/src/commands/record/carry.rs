//! `hamsaya record fsck|prove|export|import`: a log checked and mended, one entry proven, a log carried by hand.
//!
//! ```text
//! hamsaya record fsck p1 --from p2               what does not fit is taken from another's copy, and all is read again
//! hamsaya record prove p1 P1#12                  <id12>.tlog-proof, with the entry and the policy that it asks for
//! hamsaya record export p1 P1 /media/stick/p1    as C2SP tlog-tiles lays a log out; again: what is new is added
//! hamsaya record import /media/stick/p1 http://p2.example:7411     to the node's mirror, which signs that it holds it
//! ```
//! Where a line is down for days, somebody can still carry a log across. Whoever carries it need not be trusted: the node
//! that takes it checks every entry against the log's own checkpoint, and its mirror's signature comes back.
use super::{Source, note_of};
use crate::client::{Answer, As, NodeClient};
use crate::commands::{Outcome, verify as checked};
use crate::complaint::Complaint;
use crate::copies::Copies;
use crate::faults;
use anyhow::{Context, Result};
use clap::Args;
use hamsaya_node::bringing::{Next, Refused, Sending};
use hamsaya_record::Instant;
use hamsaya_record::checkpoint::Checkpoint;
use hamsaya_record::cosignature;
use hamsaya_record::exhibit;
use hamsaya_record::follower::Follower;
use hamsaya_record::founding::Founding;
use hamsaya_record::key::Role;
use hamsaya_record::mirror::upload;
use hamsaya_record::note::{Note, NoteSignature};
use hamsaya_record::store::Folder;
use hamsaya_record::tile::Tile;
use hamsaya_record::tiles::Fault;
use hamsaya_record::verify::{self, VerifiedCopy, VerifiedFolder};
use hamsaya_record::witness;
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Check every byte of a node's folder, and mend from another copy what does not fit
///
/// As `hamsaya verify DIR`: every tile, entry, checkpoint and signature. With `--from`, tiles that do not fit are taken from
/// another node's copy of the same log, if that fits; then everything is read again. Nothing else is changed, and the node must not run. Exit
/// codes: 0 all fits, 1 something does not, 2 the folder cannot be read.
#[derive(Args)]
pub struct Fsck {
    /// Folder of the node
    dir: PathBuf,
    /// Folder with another copy: of another node, or one that `hamsaya record export` made; give it again for more
    #[arg(long, value_name = "DIR")]
    from: Vec<PathBuf>,
}

impl Fsck {
    pub fn run(&self, out: &mut dyn Write) -> Result<Outcome> {
        if self.from.is_empty() {
            return checked::folder(&self.dir, out);
        }
        faults::record_is_in(&self.dir)?;
        let mut others = Vec::new();
        for dir in &self.from {
            others.push((dir, verify::node_folder(dir).map_err(faults::complaint)?));
        }
        // Whoever holds a log, holds it until all of this is done.
        let (mut held, mut replaced) = (BTreeMap::new(), BTreeMap::new());
        // Hashes are looked at once the entries fit: what is mended may bring up more.
        let still = loop {
            let Err(found) = verify::node_folder(&self.dir) else { break Vec::new() };
            let before = replaced.len();
            for fault in &found {
                let Some((place, tile)) = tile_of(fault).filter(|_| !replaced.contains_key(&fault.key)) else {
                    continue;
                };
                if !held.contains_key(place) {
                    let folder = Folder::open(&self.dir.join(place)).map_err(|error| {
                        Complaint::new(error.to_string()).at(self.dir.display()).hint("stop the node first")
                    })?;
                    held.insert(place.to_string(), folder);
                }
                let lock = note_of(&self.dir.join(place).join("lock"))?;
                let sound = others.iter().find_map(|(dir, other)| Some((dir, sound_tile(other, &lock, tile)?)));
                let Some((from, bytes)) = sound else { continue };
                let path = self.dir.join(&fault.key);
                replaced.insert(fault.key.clone(), fs::read(&path).ok());
                write(&self.dir.join(place), &path, &bytes)?;
                writeln!(out, "taken from {}: {}", from.display(), path.display())?;
            }
            if replaced.len() == before {
                break found;
            }
        };
        // What did not help is as it was: somebody may want to look at it.
        for (key, before) in replaced {
            if let (true, Some(before)) = (still.iter().any(|fault| fault.key == key), before) {
                let path = self.dir.join(&key);
                write(&self.dir, &path, &before)?;
                writeln!(out, "put back, what was taken does not fit either: {}", path.display())?;
            }
        }
        checked::folder(&self.dir, out)
    }
}

/// The log's folder and the tile that a fault is about; `None`: another file.
fn tile_of(fault: &Fault) -> Option<(&str, Tile)> {
    let at = fault.key.find("tile/")?;
    Some((&fault.key[..at], Tile::parse(&fault.key[at..]).ok()?))
}

/// The tile as another folder's copy of this log has it, if that is of the tree that the lock stands for.
fn sound_tile(other: &VerifiedFolder, lock: &Note, tile: Tile) -> Option<Vec<u8>> {
    let ours = Checkpoint::parse(&lock.text).ok()?;
    let named = |copy: &&VerifiedCopy| copy.origin() == Some(ours.origin.as_str());
    let tiles = other.logs.iter().find(named)?.tiles();
    // A copy that ends before our last entries may still hold what we lack: then the reading afterwards decides.
    let is_other_tree = tiles.size() >= ours.size && tiles.root_at(ours.size).ok()? != ours.root;
    if is_other_tree { None } else { tiles.tile(tile).ok()? }
}

/// In one step: whoever reads sees the old file or the new one. `desk`: a folder on the same disk, where a crash may leave
/// the new one under a name that nobody reads.
fn write(desk: &Path, path: &Path, bytes: &[u8]) -> Result<()> {
    let beside = desk.join("mended");
    let written = || -> std::io::Result<()> {
        fs::create_dir_all(path.parent().unwrap_or(path))?;
        let mut file = fs::File::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        fs::File::open(path.parent().unwrap_or(path))?.sync_all()
    };
    written().with_context(|| format!("{} cannot be written", path.display()))
}

/// Write the proof that one entry is in its log, with the entry and the policy by which it is checked
///
/// Three files: NAME.tlog-proof (C2SP tlog-proof), NAME.dsse.json, the entry as the log holds it, and NAME.policy.txt, whose witnesses
/// count. `hamsaya record exhibit` puts more into one file: since when, by whose keys, and what it says.
#[derive(Args)]
pub struct Prove {
    /// Folder or URL of the node
    #[arg(value_name = "DIR|URL")]
    node: String,
    #[command(flatten)]
    office: As,
    /// Log and index, e.g. P1#12
    entry: String,
    /// Name of the files; default: the beginning of the statement's id
    #[arg(long, short, value_name = "NAME")]
    output: Option<PathBuf>,
}

impl Prove {
    pub fn run(&self, out: &mut dyn Write) -> Result<()> {
        let bytes = Source::of(&self.node, &self.office)?.exhibit(&self.entry, &[])?;
        let report = exhibit::verify(&bytes)?;
        let name = match &self.output {
            Some(name) => name.display().to_string(),
            None => report.statement_id.to_string().chars().take(12).collect(),
        };
        let proven = exhibit::proven(&bytes)?;
        let [proof, entry, policy] = ["tlog-proof", "dsse.json", "policy.txt"].map(|end| format!("{name}.{end}"));
        for (path, bytes) in [(&proof, &proven.proof), (&entry, &proven.entry), (&policy, &proven.policy)] {
            fs::write(path, bytes).with_context(|| format!("{path} cannot be written"))?;
            writeln!(out, "{path}  {} bytes", bytes.len())?;
        }
        Ok(writeln!(out, "hint: `hamsaya verify {proof} --statement {entry} --policy {policy}` checks it")?)
    }
}

/// Copy one log into a folder, to be carried or served: tiles, entries and the published checkpoint
///
/// The folder is as C2SP tlog-tiles has it, and `hamsaya verify` reads it. Given again, what is new is added. It holds every entry whatever
/// its marking, so give it to nodes of the agreement only; `hamsaya record bundle` is what the public may have.
#[derive(Args)]
pub struct Export {
    /// Folder of a node that holds the log or a copy of it; the node may run
    dir: PathBuf,
    /// The log, e.g. P1 or p1.example/hamsaya/1
    log: String,
    /// Folder to write
    folder: PathBuf,
}

impl Export {
    pub fn run(&self, out: &mut dyn Write) -> Result<()> {
        let copies = Copies::open(&self.dir)?;
        let origin = copies.origin_of(&self.log)?;
        let copy = copies.copy(&origin)?;
        let (founding, leaf) = copies.founding();
        let missing = || Complaint::new(format!("nothing of {origin} is published yet")).at(self.dir.display());
        let key = founding.log_key(&origin).ok_or_else(missing)?;
        let size = copy.head.as_ref().ok_or_else(missing)?.size;
        let note = copy.published.as_ref().ok_or_else(missing)?.to_text();
        let mut there = Follower::open(Folder::open(&self.folder)?, key.clone(), |_, _| ())?;
        let before = there.size();
        let lacking = copy.tiles().entries(before, size)?;
        there.advance(note.as_bytes(), &lacking)?;
        there.settle()?;
        let founding = self.folder.join("founding.json");
        if fs::read(&founding).ok().as_deref() != Some(leaf) {
            write(&self.folder, &founding, leaf)?;
        }
        let new = size.saturating_sub(before);
        writeln!(out, "{}: {origin}, {size} entries, {new} of them new", self.folder.display())?;
        writeln!(
            out,
            "hint: `hamsaya verify {0}` checks it, `hamsaya record import {0} URL` brings it to a node",
            self.folder.display()
        )?;
        Ok(())
    }
}

/// Bring a log that was carried by hand to a node, whose mirror signs that it holds it
///
/// The node checks every entry against the log's checkpoint, as if it had fetched them itself; who brings them is not asked. Interrupted, give
/// it again: it goes on from what the node holds.
#[derive(Args)]
pub struct Import {
    /// Folder that `hamsaya record export` made
    folder: PathBuf,
    /// URL of the node
    #[arg(value_name = "URL")]
    node: String,
}

impl Import {
    pub fn run(&self, out: &mut dyn Write) -> Result<()> {
        if !self.folder.join("founding.json").exists() {
            return Err(Complaint::new("the folder holds no log")
                .at(self.folder.display())
                .hint("give a folder that `hamsaya record export` made")
                .into());
        }
        let folder = verify::node_folder(&self.folder).map_err(faults::complaint)?;
        let [copy] = &folder.logs[..] else {
            let found = format!("found {} logs", folder.logs.len());
            return Err(Complaint::new(found)
                .at(self.folder.display())
                .hint("give a folder with one log, as `hamsaya record export` makes it")
                .into());
        };
        let nothing = || Complaint::new("nothing is published in this log").at(self.folder.display());
        let note = copy.published.as_ref().ok_or_else(nothing)?;
        let held = Bringing { node: NodeClient::new(&self.node), copy, note }.run()?;
        let (by, time) = signed(&folder.founding, note, &held)
            .ok_or_else(|| Complaint::new("the answer is signed by no mirror of this founding").at(&self.node))?;
        let head = Checkpoint::parse(&note.text)?;
        writeln!(out, "{by} holds {} entries of {}, signed {}", head.size, head.origin, Instant(time))?;
        Ok(write!(out, "{held}")?)
    }
}

/// Whose mirror signed this checkpoint, and when.
fn signed(founding: &Founding, note: &Note, lines: &str) -> Option<(String, i64)> {
    lines.lines().filter_map(|line| NoteSignature::parse_line(line).ok()).find_map(|line| {
        let key = founding.keys_of(Role::Mirror).find(|key| line.names(&key.vkey))?;
        let time = i64::try_from(cosignature::verify(&note.text, &line, &key.vkey)?).ok()?;
        Some((key.node.clone(), time))
    })
}

/// One log on its way to a mirror (C2SP tlog-mirror).
struct Bringing<'a> {
    node: NodeClient,
    copy: &'a VerifiedCopy,
    note: &'a Note,
}

impl Bringing<'_> {
    /// Announces the checkpoint, brings what is lacking; the mirror's signature.
    fn run(&self) -> Result<String> {
        let head = Checkpoint::parse(&self.note.text)?;
        let (tiles, end) = (self.copy.tiles(), head.size);
        let bar = ProgressBar::new(end);
        bar.set_style(ProgressStyle::default_bar().template("{wide_bar} {pos}/{len} entries  {per_sec}  {eta}")?);
        let mut sending = Sending::new(0);
        loop {
            let (what, answer) = match sending.next() {
                Next::Checkpoint { old } => {
                    let proof = tiles.prove_consistency(*old, end)?.unwrap_or_default();
                    let body = witness::request(*old, &proof, self.note);
                    ("checkpoint", self.post("add-checkpoint", "text/plain; charset=utf-8", &body)?)
                }
                Next::Entries { start, end, ticket } => {
                    bar.set_position(*start);
                    let body = upload(tiles, &head.origin, *start, *end, ticket)?;
                    ("entries", self.post("add-entries", "application/octet-stream", &body)?)
                }
            };
            match sending.answered(end, answer.status, &text(&answer)) {
                Ok(true) => {
                    bar.finish_and_clear();
                    return Ok(text(&answer));
                }
                Ok(false) if sending.heard() > end => {
                    let what =
                        format!("the node knows of {} entries already, this folder holds {end}", sending.heard());
                    return Err(Complaint::new(what).at(self.node.url()).hint("nothing is to be brought").into());
                }
                Ok(false) => (),
                Err(Refused) => return Err(self.refused(what, &answer)),
            }
        }
    }

    fn post(&self, what: &str, media_type: &str, body: &[u8]) -> Result<Answer> {
        self.node.post(&format!("/mirror/{what}"), media_type, body)
    }

    fn refused(&self, what: &str, answer: &Answer) -> anyhow::Error {
        let said = text(answer);
        let said = said.lines().next().unwrap_or_default();
        Complaint::new(format!("the node took no {what} of this log: {} {said}", answer.status))
            .at(self.node.url())
            .into()
    }
}

fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}
