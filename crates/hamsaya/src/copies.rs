//! The logs in a node's folder, read offline: every byte is checked before anything is said.
use crate::complaint::Complaint;
use crate::faults;
use crate::files;
use crate::folder::Folder;
use anyhow::Result;
use hamsaya_node::api::shapes;
use hamsaya_node::disclosures::Disclosures;
use hamsaya_node::erased::{Erased, Erasure};
use hamsaya_node::receipts;
use hamsaya_record::Instant;
use hamsaya_record::bundle;
use hamsaya_record::checkpoint::Checkpoint;
use hamsaya_record::disclosure::Disclosure;
use hamsaya_record::equivocation::Equivocation;
use hamsaya_record::exhibit::{self, Parts};
use hamsaya_record::founding::Founding;
use hamsaya_record::logs::{Entry, Logs};
use hamsaya_record::merkle;
use hamsaya_record::note::Note;
use hamsaya_record::statement::{StatementId, unhex};
use hamsaya_record::verify::{self, VerifiedCopy, VerifiedFolder};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The lines of the fields with these names; all of them, if none is named.
pub fn chosen(kept: &[Disclosure], names: &[String]) -> Result<Vec<String>> {
    if let Some(name) = names.iter().find(|name| !kept.iter().any(|d| d.name() == name.as_str())) {
        // Lines are sorted by their salts; people read names.
        let mut found: Vec<&str> = kept.iter().map(Disclosure::name).collect();
        found.sort_unstable();
        let found = if found.is_empty() { "none".to_string() } else { found.join(" ") };
        return Err(Complaint::new(format!("no disclosure of `{name}` is kept here, found are {found}"))
            .hint("disclosures lie where the statement was made, and where its author handed them over")
            .into());
    }
    let wanted = kept.iter().filter(|d| names.is_empty() || names.iter().any(|name| name == d.name()));
    Ok(wanted.map(|d| d.line().to_string()).collect())
}

/// After every other instant: all that the logs prove, whenever they proved it.
const EVER: Instant = Instant(i64::MAX);

/// The logs of one folder.
pub struct Copies {
    dir: PathBuf,
    folder: VerifiedFolder,
    logs: Logs,
}

impl Copies {
    /// Reads and checks a folder.
    pub fn open(dir: &Path) -> Result<Copies> {
        if !dir.join("founding.json").exists() {
            return Err(Complaint::new("the folder holds no record: `founding.json` is missing")
                .at(dir.display())
                .hint("give the folder or the URL of a node")
                .into());
        }
        let folder = verify::node_folder(faults::record_is_in(dir)?).map_err(faults::complaint)?;
        let (_, logs) = verify::load(&[dir.to_path_buf()]).map_err(faults::complaint)?;
        Ok(Copies { dir: dir.to_path_buf(), folder, logs })
    }

    /// Heads, entries and times.
    pub fn logs(&self) -> &Logs {
        &self.logs
    }

    /// Name of the member that keeps a log.
    pub fn keeper(&self, origin: &str) -> String {
        self.folder.founding.keeper(origin).map(|m| m.name.clone()).unwrap_or_default()
    }

    /// The origin of the log that a member keeps, or the origin itself.
    pub fn origin_of(&self, log: &str) -> Result<String> {
        let founding = &self.folder.founding;
        let of_member = founding.member(log).and_then(|m| m.origin.clone());
        let found = of_member.or_else(|| founding.origins().find(|o| *o == log).map(str::to_string));
        let known = || founding.origins().collect::<Vec<_>>().join(" ");
        Ok(found.ok_or_else(|| Complaint::new(format!("there is no log `{log}`, found are {}", known())))?)
    }

    /// Entries as `GET /api/entries` gives them.
    pub fn list(&self, origin: Option<&str>, kind: Option<&str>) -> Vec<Value> {
        let wanted = |e: &Entry| origin.is_none_or(|o| *e.origin == *o) && kind.is_none_or(|k| e.statement.kind == k);
        let entries = self.logs.entries().iter().enumerate().filter(|(_, e)| wanted(e));
        entries.map(|(n, e)| shapes::entry(e, self.logs.logged(n, EVER), 0)).collect()
    }

    /// One entry, with what is kept here of its salted fields.
    pub fn item(&self, origin: &str, index: u64) -> Result<Value> {
        let (n, entry) = self.entry(origin, index)?;
        let mut item = shapes::entry(entry, self.logs.logged(n, EVER), 0);
        let kept = self.disclosures(entry)?;
        let disclosed = kept.iter().map(|d| (d.name().to_string(), shapes::disclosed(d, 0)));
        item["disclosed"] = disclosed.collect::<Map<_, _>>().into();
        item["withheld"] = json!(entry.statement.salted.len() - kept.len());
        let erased = self.erased(entry);
        item["erased"] = json!(erased.map(|e| json!({"ground": e.ground, "origin": e.origin, "index": e.index})));
        Ok(item)
    }

    fn entry(&self, origin: &str, index: u64) -> Result<(usize, &Entry)> {
        let mut entries = self.logs.entries().iter().enumerate();
        let found = entries.find(|(_, e)| *e.origin == *origin && e.index == index).map(|(n, e)| (n, &**e));
        Ok(found.ok_or_else(|| {
            Complaint::new(format!("{origin} has no entry {index} that counts")).at(self.dir.display())
        })?)
    }

    /// The statement with this id, and where it stands.
    pub fn place_of(&self, id: &StatementId) -> Result<(String, u64)> {
        let found = self.logs.entries().iter().find(|e| e.statement_id == *id);
        let place = found.map(|e| (e.origin.to_string(), e.index));
        Ok(place.ok_or_else(|| Complaint::new(format!("no log here has statement {id}")).at(self.dir.display()))?)
    }

    /// Entry and what is kept of its salted fields.
    pub fn disclosed(&self, origin: &str, index: u64) -> Result<(&Entry, Vec<Disclosure>)> {
        let (_, entry) = self.entry(origin, index)?;
        Ok((entry, self.disclosures(entry)?))
    }

    /// Why what is salted in an entry is gone; `None`: it is not.
    fn erased(&self, entry: &Entry) -> Option<Erasure> {
        let of_log = self.logs.entries().iter().filter(|e| e.origin == entry.origin).map(|e| &**e);
        Erased::of(&self.folder.founding, of_log).get(&entry.statement_id.0).cloned()
    }

    /// What the log says is erased is not shown, though nobody may have started the node since to delete it.
    fn disclosures(&self, entry: &Entry) -> Result<Vec<Disclosure>> {
        if entry.statement.salted.is_empty() || self.erased(entry).is_some() {
            return Ok(Vec::new());
        }
        Ok(Disclosures::at(&self.dir).of(&entry.statement_id, &entry.statement)?)
    }

    /// One entry with all that proves it, and these of its salted fields.
    pub fn exhibit(&self, origin: &str, index: u64, names: &[String]) -> Result<Vec<u8>> {
        let disclosures = match names.is_empty() {
            true => Vec::new(),
            false => chosen(&self.disclosed(origin, index)?.1, names)?,
        };
        let copy = self.copy(origin)?;
        let missing = || Complaint::new(format!("{origin} has no entry {index}")).at(self.dir.display());
        let leaf = copy.leaf(index)?.ok_or_else(missing)?;
        let notes = self.notes([copy]);
        let mut keys = Vec::new();
        for entry in copy.replay.entries.iter().filter(|e| e.statement.kind == "key" && e.index < index) {
            keys.extend(copy.leaf(entry.index)?.map(|leaf| (entry.index, leaf)));
        }
        // Receipts are of the node's own log.
        let is_own = Folder::at(&self.dir).setting("origin").is_ok_and(|own| own == origin);
        let held = if is_own { receipts::notes(&self.dir, origin, index)? } else { Vec::new() };
        let parts = Parts {
            origin,
            index,
            leaf: &leaf,
            founding_leaf: &self.folder.founding_leaf,
            notes: &notes,
            keys: &keys,
            disclosures: &disclosures,
            held: &held,
        };
        Ok(exhibit::write(&parts, |level, n| copy.hash(level, n))?)
    }

    /// Files that entries of the node's own log name.
    pub fn files(&self) -> Result<Vec<Value>> {
        let (entries, erased) = self.own();
        files::rows(&self.dir, entries, &erased)
    }

    /// Entries of the node's own log, and what its keeper erased.
    fn own(&self) -> (Vec<&Entry>, Erased) {
        let entries = files::own_entries(&self.folder);
        let erased = Erased::of(&self.folder.founding, entries.iter().copied());
        (entries, erased)
    }

    /// Bytes of a file that the folder holds.
    pub fn file(&self, sha256: &str) -> Result<Vec<u8>> {
        let sha = unhex(sha256)?;
        if let Some(erasure) = self.own().1.get(&sha) {
            return Err(Complaint::new(format!("it was erased ({})", erasure.ground)).into());
        }
        let held = files::in_folder(&self.dir).open(&sha)?;
        let (mut file, _) = held.ok_or_else(|| Complaint::new("its bytes are not in this folder"))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// All of it that anybody may see, with these salted fields of these entries.
    pub fn bundle(&self, chosen: &BTreeMap<(String, u64), Vec<String>>) -> Result<Vec<u8>> {
        let lines = chosen.iter().map(|((origin, index), names)| {
            let (_, kept) = self.disclosed(origin, *index)?;
            Ok(((origin.clone(), *index), self::chosen(&kept, names)?))
        });
        let lines = lines.collect::<Result<BTreeMap<_, _>>>()?;
        let mut logs = BTreeMap::new();
        for copy in &self.folder.logs {
            let Some(head) = &copy.head else { continue };
            logs.insert(head.origin.clone(), copy.leaves(head.size)?);
        }
        Ok(bundle::write(&self.folder.founding_leaf, &logs, &self.notes(&self.folder.logs), &lines)?)
    }

    /// Cosigned checkpoints. What was published last may not be logged yet: a copy keeps all its lines in `lock`, the own
    /// log in `cosigned`.
    fn notes<'c>(&self, copies: impl IntoIterator<Item = &'c VerifiedCopy>) -> Vec<Note> {
        let mut notes = exhibit::notes(self.logs.entries().iter().map(|e| &**e));
        for copy in copies {
            let files = ["checkpoint", "cosigned", "lock"].map(|name| fs::read(self.dir.join(&copy.place).join(name)));
            notes.extend(files.into_iter().filter_map(|bytes| Note::parse(&bytes.ok()?).ok()));
        }
        notes
    }

    /// Two checkpoints that one log signed and that cannot both be true, to be shown to anybody. Of two sizes the larger must
    /// be of the copy in this folder: its hashes join the two.
    pub fn equivocation(&self, notes: [Note; 2]) -> Result<Vec<u8>> {
        let head = |note: &Note| Checkpoint::parse(&note.text).map_err(|e| Complaint::new(e.to_string()));
        let [one, other] = notes;
        let (one_size, other_size) = (head(&one)?.size, head(&other)?.size);
        let (first, second) = if one_size <= other_size { (one, other) } else { (other, one) };
        let (smaller, larger) = (head(&first)?, head(&second)?);
        let origin = &larger.origin;
        let log = self.folder.founding.log_key(origin);
        let log = log.ok_or_else(|| Complaint::new(format!("the founding names no log `{origin}`")))?;
        let found = if smaller.size == larger.size {
            Equivocation::of_one_size(&first, &second, log).ok_or_else(|| {
                Complaint::new("the two checkpoints are one, of two logs, or not signed by the log: they prove nothing")
            })?
        } else {
            let copy = self.copy(origin)?;
            if copy.size < larger.size || merkle::root(larger.size, |level, n| copy.hash(level, n))? != larger.root {
                let what = format!("the copy of {origin} is not of the tree of size {}", larger.size);
                return Err(Complaint::new(what)
                    .at(self.dir.display())
                    .hint("give the folder of a node that followed the larger checkpoint: its hashes join the two")
                    .into());
            }
            let root = merkle::root(smaller.size, |level, n| copy.hash(level, n))?;
            let proof = merkle::prove_consistency(smaller.size, larger.size, |level, n| copy.hash(level, n))?;
            Equivocation { first, second, root, proof: proof.unwrap_or_default() }
        };
        Ok(exhibit::write_equivocation(&found, &self.folder.founding_leaf)?)
    }

    /// The founding, and its bytes.
    pub fn founding(&self) -> (&Founding, &[u8]) {
        (&self.folder.founding, &self.folder.founding_leaf)
    }

    /// The copy of a log, as far as it is published.
    pub fn copy(&self, origin: &str) -> Result<&VerifiedCopy> {
        let found = self.folder.logs.iter().find(|c| c.head.as_ref().is_some_and(|h| h.origin == origin));
        Ok(found.ok_or_else(|| {
            Complaint::new(format!("the folder holds no published copy of {origin}")).at(self.dir.display())
        })?)
    }
}
