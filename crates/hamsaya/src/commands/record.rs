//! `hamsaya record list|show|append|disclose|files|send|exhibit|prove|bundle|equivocation|fsck|export|import|fetch|check-store`.
mod carry;
mod disclose;
mod files;

use super::{Format, Outcome};
use crate::agreements;
use crate::author::{Author, uuid_v7};
use crate::client::{As, NodeClient, escaped, is_url};
use crate::clock;
use crate::complaint::Complaint;
use crate::copies::Copies;
use crate::draft::{self, Draft};
use crate::faults;
use crate::files::Named;
use crate::folder::Folder;
use crate::verdicts::columns;
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use disclose::Disclose;
use hamsaya_node::bucket::{Bucket, Raced, race};
use hamsaya_node::disclosures::Disclosures;
use hamsaya_node::folder;
use hamsaya_record::envelope::Envelope;
use hamsaya_record::exhibit;
use hamsaya_record::key::SecretKey;
use hamsaya_record::note::Note;
use hamsaya_record::statement::Statement;
use hamsaya_record::store::Store as _;
use hamsaya_record::verify;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// List, show and append statements; export what proves one
///
/// Where a folder or a URL can be given: a folder is read offline, after every byte was checked; a URL asks a running node.
#[derive(Args)]
pub struct Record {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// List entries of all logs that a node holds
    List {
        /// Folder or URL of the node
        #[arg(value_name = "DIR|URL")]
        node: String,
        #[command(flatten)]
        office: As,
        /// Only of this log, e.g. p1.example/hamsaya/1
        #[arg(long)]
        origin: Option<String>,
        /// Only statements of this kind
        #[arg(long)]
        kind: Option<String>,
        /// For people or for scripts
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Show one entry: what it says, who signed it, when it was logged
    Show {
        /// Folder or URL of the node
        #[arg(value_name = "DIR|URL")]
        node: String,
        #[command(flatten)]
        office: As,
        /// Log and index, e.g. p1.example/hamsaya/1#12, or P1#12
        entry: String,
    },
    Append(Box<Append>),
    Disclose(Disclose),
    Files(files::Listed),
    Send(files::Send),
    /// Export one entry with all that proves it, to be checked by `hamsaya verify` without network and node
    Exhibit {
        /// Folder or URL of the node
        #[arg(value_name = "DIR|URL")]
        node: String,
        #[command(flatten)]
        office: As,
        /// Log and index, e.g. P1#12
        entry: String,
        /// A salted field that it is to show in clear, e.g. note; give it again for more
        #[arg(long, value_name = "NAME")]
        disclose: Vec<String>,
        /// File to write; default: named after the statement
        #[arg(long, short)]
        output: Option<PathBuf>,
        /// With the files that the statement names, as far as they are held and may leave: 60 MiB at most
        #[arg(long)]
        with_files: bool,
    },
    Prove(carry::Prove),
    /// Export all that the public may see of every log, and a line with the rule for all that it may not
    ///
    /// Each log is taken as far as a quorum of witnesses cosigned it. `hamsaya verify` checks the bundle without network and
    /// node: that what is shown is the logs' own, and that nothing is missing but what it lists.
    Bundle {
        /// Folder or URL of the node
        #[arg(value_name = "DIR|URL")]
        node: String,
        #[command(flatten)]
        office: As,
        /// A salted field of an entry that everybody is to see in clear, from the folder where it is kept, e.g. P1#12:note; give it again for more
        #[arg(long, value_name = "ENTRY:NAME")]
        disclose: Vec<String>,
        /// File to write
        #[arg(long, short, default_value = "bundle.zip")]
        output: PathBuf,
    },
    /// Export two checkpoints that one log signed and that cannot both be true, to be checked by `hamsaya verify`
    Equivocation {
        /// Folder of a node; of two sizes, one whose copy is of the larger checkpoint's tree
        dir: PathBuf,
        /// A checkpoint as a node served it, or as an `equivocation` entry holds it
        first: PathBuf,
        /// Another one of the same log
        second: PathBuf,
        /// File to write
        #[arg(long, short, default_value = "equivocation.exhibit.zip")]
        output: PathBuf,
    },
    Fsck(carry::Fsck),
    Export(carry::Export),
    Import(carry::Import),
    /// Copy a record that lies in a bucket (`[store]` in node.toml) into a folder, and check every byte of the copy
    Fetch {
        /// Folder of the node
        dir: PathBuf,
        /// Folder to make
        copy: PathBuf,
    },
    /// Let writers race on the bucket of a node: a service that loses a write must not keep a log
    ///
    /// Each adds one to a counter, by compare and swap, below `race/`. Exit code 1: some were lost, and two nodes on this bucket
    /// could both commit.
    CheckStore {
        /// Folder of the node
        dir: PathBuf,
        /// Writers at once
        #[arg(long, default_value_t = 8)]
        writers: u64,
        /// Swaps of each
        #[arg(long, default_value_t = 1_000)]
        swaps: u64,
    },
}

/// Build, sign and append one statement
#[derive(Args)]
pub struct Append {
    /// Folder of the node: its keys and its agreement
    dir: PathBuf,
    /// URL of the node; default: where its settings say it listens
    #[arg(long, value_name = "URL")]
    node: Option<String>,
    /// Key that signs, a file in `keys/`; give it again for more. Default: the first that may state this kind by the
    /// agreement's roles.toml, and a second one where it takes two persons
    #[arg(long)]
    key: Vec<String>,
    /// A file with one field a key, in JSON, as in docs/reference/statements.md; flags go before it
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Print the envelope, and disclosures after it; keep and send nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    draft: Draft,
    #[command(flatten)]
    named: Named,
}

impl Record {
    pub fn run(&self, out: &mut dyn Write) -> Result<Outcome> {
        match &self.verb {
            Verb::List { node, office, origin, kind, format } => {
                let entries = Source::of(node, office)?.list(origin.as_deref(), kind.as_deref())?;
                match format {
                    Format::Json => writeln!(out, "{:#}", json!(entries))?,
                    Format::Text => out.write_all(columns(entries.iter().map(line).collect()).as_bytes())?,
                }
            }
            Verb::Show { node, office, entry } => writeln!(out, "{:#}", Source::of(node, office)?.item(entry)?)?,
            Verb::Append(append) => append.run(out)?,
            Verb::Disclose(disclose) => disclose.run(out)?,
            Verb::Files(listed) => listed.run(out)?,
            Verb::Send(send) => send.run(out)?,
            Verb::Prove(prove) => prove.run(out)?,
            Verb::Fsck(fsck) => return fsck.run(out),
            Verb::Export(export) => export.run(out)?,
            Verb::Import(import) => import.run(out)?,
            Verb::Fetch { dir, copy } => return fetch(dir, copy, out),
            Verb::CheckStore { dir, writers, swaps } => return check_store(dir, *writers, *swaps, out),
            Verb::Exhibit { node, office, entry, disclose, output, with_files } => {
                let source = Source::of(node, office)?;
                let mut bytes = source.exhibit(entry, disclose)?;
                // What a node shows it writes down: once for one exhibit.
                let item = match (*with_files, output) {
                    (false, Some(_)) => Value::Null,
                    _ => source.item(entry)?,
                };
                if *with_files {
                    let (with, without) = source.files_of(&item);
                    bytes = exhibit::with_files(&bytes, with)?;
                    for (name, why) in without {
                        writeln!(out, "not in it: {name}, {why}")?;
                    }
                }
                let path = match output {
                    Some(path) => path.clone(),
                    None => {
                        let id = item["statement_id"].as_str().unwrap_or_default();
                        format!("{}.exhibit.zip", id.get(..12).unwrap_or("entry")).into()
                    }
                };
                exported(&path, &bytes, entry, out)?;
            }
            Verb::Equivocation { dir, first, second, output } => {
                let bytes = Copies::open(dir)?.equivocation([note_of(first)?, note_of(second)?])?;
                exported(output, &bytes, "two heads of one log", out)?;
            }
            Verb::Bundle { node, office, disclose, output } => {
                let bytes = Source::of(node, office)?.bundle(disclose)?;
                fs::write(output, &bytes).with_context(|| format!("{} cannot be written", output.display()))?;
                writeln!(out, "{}  {} bytes", output.display(), bytes.len())?;
                writeln!(out, "hint: `hamsaya verify {}` needs no network and no node", output.display())?;
            }
        }
        Ok(Outcome::NoBreach)
    }
}

fn bucket_of(dir: &Path) -> Result<Bucket> {
    Ok(folder::bucket(dir)?.ok_or_else(|| {
        Complaint::new("the record lies in the folder, which its process locks; no bucket is named")
            .at(dir.join("node.toml").display())
            .hint("a bucket is named by `[store]`, as docs/guide/node.md shows")
    })?)
}

/// A node at work may commit between two of our reads; then we read again.
const FETCHES: u32 = 3;

fn fetch(dir: &Path, copy: &Path, out: &mut dyn Write) -> Result<Outcome> {
    let bucket = bucket_of(dir)?;
    if copy.exists() {
        return Err(Complaint::new("it exists already")
            .at(copy.display())
            .hint("name a folder that is not there yet")
            .into());
    }
    for nth in 1..=FETCHES {
        let keys = bucket.list("")?;
        let bar = ProgressBar::new(keys.len() as u64);
        bar.set_style(ProgressStyle::default_bar().template("{wide_bar} {pos}/{len} objects")?);
        for key in keys.iter().filter(|key| ["log/", "peers/", "witness/"].iter().any(|place| key.starts_with(place))) {
            bar.inc(1);
            let Some((bytes, _)) = bucket.read(key)? else { continue };
            let path = copy.join(key);
            fs::create_dir_all(path.parent().unwrap_or(copy))?;
            fs::write(&path, bytes).with_context(|| format!("{} cannot be written", path.display()))?;
        }
        bar.finish_and_clear();
        fs::create_dir_all(copy)?;
        fs::copy(dir.join("founding.json"), copy.join("founding.json"))?;
        match verify::node_folder(copy) {
            Ok(verified) => {
                let entries: u64 = verified.logs.iter().map(|log| log.size).sum();
                writeln!(out, "{}: {} logs, {entries} entries, every byte fits", copy.display(), verified.logs.len())?;
                return Ok(Outcome::NoBreach);
            }
            Err(faults) if nth == FETCHES => return Err(faults::complaint(faults).into()),
            Err(_) => fs::remove_dir_all(copy)?,
        }
    }
    Ok(Outcome::NoBreach)
}

fn check_store(dir: &Path, writers: u64, swaps: u64, out: &mut dyn Write) -> Result<Outcome> {
    let bucket = bucket_of(dir)?;
    let bar = ProgressBar::new(writers * swaps);
    bar.set_style(ProgressStyle::default_bar().template("{wide_bar} {pos}/{len} swaps  {per_sec}")?);
    let Raced { done, refused, lost } = race(&bucket, writers, swaps, || bar.inc(1))?;
    bar.finish_and_clear();
    let said = match lost {
        0 => "the service holds its conditions",
        _ => "the service must not keep a log: two nodes on this bucket could both commit",
    };
    writeln!(out, "{writers} writers, {done} swaps done, {refused} refused, {lost} lost: {said}")?;
    Ok(if lost == 0 { Outcome::NoBreach } else { Outcome::Found })
}

impl Append {
    fn run(&self, out: &mut dyn Write) -> Result<()> {
        let folder = Folder::at(&self.dir);
        let agreement = agreements::read(&folder.path("agreement"))?;
        let party = folder.setting("name")?;
        let home = folder.setting("origin")?;
        let mut seed = [0; 16];
        getrandom::fill(&mut seed).map_err(|e| Complaint::new(format!("the system gives no randomness: {e}")))?;
        let now = clock::now();
        let id = uuid_v7(now.0.max(0).unsigned_abs() * 1000, &seed);
        let document = match &self.from {
            Some(path) => fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?,
            None => b"{}".to_vec(),
        };
        let document: Value = serde_json::from_slice(&document).context("--from: the file is no JSON")?;
        let files = match self.key.is_empty() {
            true => folder.signers(&agreement, &party, self.draft.kind(&document))?,
            false => self.key.clone(),
        };
        let keys = files.iter().map(|k| folder.key(k)).collect::<Result<Vec<SecretKey>>>()?;
        let source = format!("{}/{}", party.to_lowercase(), files.first().map(String::as_str).unwrap_or_default());
        let author = draft::By { agreement: agreement.digest(), party: &party, home: &home, source: &source, id: &id };
        let mut statement = self.draft.statement(&document, &author, agreement.kinds(), now)?;
        let lines = self.draft.salt(&document, &agreement, &mut statement, |salt| {
            getrandom::fill(salt).map_err(|e| Complaint::new(format!("the system gives no randomness: {e}")).into())
        })?;
        let named = self.named.read()?;
        statement.files = named.iter().map(|(_, file)| file.clone()).collect();
        let url = match &self.node {
            Some(url) => url.clone(),
            None => folder.url()?,
        };
        let node = NodeClient::new(&url);
        let mut author = Author::new(agreement.digest(), &home);
        if let (false, Some(key)) = (self.dry_run, keys.first()) {
            author.goes_on(&source, node.clone().acting_as(key.clone(), "duty").next_of(&source)?);
        }
        let leaf = author.sign(statement, &keys.iter().collect::<Vec<_>>());
        if self.dry_run {
            writeln!(out, "{}", String::from_utf8_lossy(&leaf))?;
            return Ok(lines.iter().try_for_each(|line| writeln!(out, "{line}"))?);
        }
        if !lines.is_empty() {
            // Kept before it is sent: a digest in the log whose words were lost can never be shown again.
            let envelope = Envelope::parse_leaf(&leaf)?;
            let said = Statement::parse(&envelope.payload)?;
            Disclosures::at(&self.dir).keep(&envelope.statement_id(), &said, &lines)?;
        }
        let receipt = node.post_statement(&leaf);
        // What was refused is in no log, and nobody will ever be shown its words.
        if receipt.as_ref().is_err_and(is_refused) && !lines.is_empty() {
            Disclosures::at(&self.dir).erase(&Envelope::parse_leaf(&leaf)?.statement_id())?;
        }
        let receipt = receipt?;
        writeln!(out, "{} #{}  statement {}", receipt.origin, receipt.index, receipt.statement_id)?;
        // First the word, then the file: a node takes none that nobody signed for.
        let office = files.iter().zip(&keys).find(|(file, _)| *file != "node").map(|(_, key)| key.clone());
        for (path, file) in &named {
            let sender = office.clone().map_or(node.clone(), |key| node.clone().acting_as(key, ""));
            files::sent(&sender, &file.sha256, path, out).map_err(|error| {
                let (dir, at) = (self.dir.display(), path.display());
                Complaint::new(format!("the statement is logged, its file was not sent whole: {}", why(&error)))
                    .at(&at)
                    .hint(format!("`hamsaya record send {dir} {at}` sends the rest"))
            })?;
        }
        Ok(())
    }
}

/// Whether a node said no, and not that it could not answer.
fn is_refused(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Complaint>().and_then(Complaint::status).is_some_and(|status| (400..500).contains(&status))
}

fn exported(path: &Path, bytes: &[u8], what: &str, out: &mut dyn Write) -> Result<()> {
    fs::write(path, bytes).with_context(|| format!("{} cannot be written", path.display()))?;
    writeln!(out, "{}  {} bytes  {what}", path.display(), bytes.len())?;
    Ok(writeln!(out, "hint: `hamsaya verify {}` needs no network and no node", path.display())?)
}

fn note_of(path: &Path) -> Result<Note> {
    let bytes = fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    Ok(Note::parse(&bytes).map_err(|error| Complaint::new(error.to_string()).at(path.display()))?)
}

/// Files go into an exhibit up to so many bytes, so that whoever gets it can read it at once.
const FILES_BYTES_MAX: u64 = 60 << 20;

/// Bytes of files; names of others, and why they are not among them.
type FilesOf = (Vec<Vec<u8>>, Vec<(String, String)>);

/// What an error says, within another sentence.
fn why(error: &anyhow::Error) -> String {
    let said = error.to_string();
    said.lines().next().unwrap_or_default().trim_start_matches("error: ").to_string()
}

/// Where entries are read from.
enum Source {
    Node(NodeClient),
    Folder(Copies),
}

impl Source {
    fn of(text: &str, office: &As) -> Result<Source> {
        if is_url(text) {
            return Ok(Source::Node(office.client(text)?));
        }
        Ok(Source::Folder(Copies::open(text.as_ref())?))
    }

    fn list(&self, origin: Option<&str>, kind: Option<&str>) -> Result<Vec<Value>> {
        match self {
            Source::Node(node) => list(node, origin, kind),
            Source::Folder(copies) => Ok(copies.list(origin, kind)),
        }
    }

    fn item(&self, entry: &str) -> Result<Value> {
        match self {
            Source::Node(node) => {
                let (origin, index) = place_of(node, entry)?;
                node.get(&format!("/api/entries/item?origin={}&index={index}", escaped(&origin)))
            }
            Source::Folder(copies) => copies.item(&copies.origin_of(split_entry(entry)?.0)?, split_entry(entry)?.1),
        }
    }

    fn exhibit(&self, entry: &str, disclose: &[String]) -> Result<Vec<u8>> {
        match self {
            Source::Node(node) => {
                let (origin, index) = place_of(node, entry)?;
                let mut path = format!("/api/exhibit?origin={}&index={index}", escaped(&origin));
                if !disclose.is_empty() {
                    path += &format!("&disclose={}", escaped(&disclose.join(",")));
                }
                node.bytes(&path)
            }
            Source::Folder(copies) => {
                let (log, index) = split_entry(entry)?;
                copies.exhibit(&copies.origin_of(log)?, index, disclose)
            }
        }
    }

    /// Files that entries of the node's own log name.
    fn files(&self) -> Result<Vec<Value>> {
        let node = match self {
            Source::Node(node) => node,
            Source::Folder(copies) => return copies.files(),
        };
        let (mut from, mut rows) = (0, Vec::new());
        loop {
            let page = node.get(&format!("/api/files?from={from}&limit=1000"))?;
            rows.extend(page["files"].as_array().into_iter().flatten().cloned());
            match page["next"].as_u64() {
                Some(next) => from = next,
                None => return Ok(rows),
            }
        }
    }

    /// The files of one entry that are to be had, and why the others are not.
    fn files_of(&self, item: &Value) -> FilesOf {
        let (mut with, mut without, mut room) = (Vec::new(), Vec::new(), FILES_BYTES_MAX);
        for file in item["files"].as_array().into_iter().flatten() {
            let (name, sha) = (&file["name"], file["sha256"].as_str().unwrap_or_default());
            let name = format!("{} {sha}", name.as_str().unwrap_or_default());
            match file["bytes"].as_u64().and_then(|bytes| room.checked_sub(bytes)) {
                Some(left) => room = left,
                None => {
                    without.push((
                        name,
                        format!("too long: send it beside the exhibit, {} MiB go into it", FILES_BYTES_MAX >> 20),
                    ));
                    continue;
                }
            }
            let bytes = match self {
                Source::Node(node) => node.bytes(&format!("/api/files/{sha}")),
                Source::Folder(copies) => copies.file(sha),
            };
            match bytes {
                Ok(bytes) => with.push(bytes),
                Err(error) => without.push((name, why(&error))),
            }
        }
        (with, without)
    }

    fn bundle(&self, disclose: &[String]) -> Result<Vec<u8>> {
        match self {
            Source::Node(node) if disclose.is_empty() => node.bytes("/api/bundle"),
            Source::Node(node) => Err(Complaint::new("a node publishes no salted fields by itself")
                .at(node.url())
                .hint("give the folder of their author's node")
                .into()),
            Source::Folder(copies) => {
                let mut chosen: BTreeMap<(String, u64), Vec<String>> = BTreeMap::new();
                for pair in disclose {
                    let (entry, name) = pair.rsplit_once(':').ok_or_else(|| {
                        Complaint::new(format!("`{pair}` is not ENTRY:NAME, e.g. P1#12:note")).at("--disclose")
                    })?;
                    let (log, index) = split_entry(entry)?;
                    chosen.entry((copies.origin_of(log)?, index)).or_default().push(name.to_string());
                }
                copies.bundle(&chosen)
            }
        }
    }
}

/// `P1#12`, `p1.example/hamsaya/1 #12`: the log as it was named, and the index.
fn split_entry(entry: &str) -> Result<(&str, u64)> {
    let bad = || {
        Complaint::new(format!("`{entry}` is no entry, allowed is LOG#INDEX"))
            .hint("take one from `hamsaya record list`, e.g. P1#12")
    };
    let (log, index) = entry.rsplit_once('#').ok_or_else(bad)?;
    Ok((log.trim(), index.trim().parse().map_err(|_| bad())?))
}

/// All entries that match, page by page.
pub fn list(node: &NodeClient, origin: Option<&str>, kind: Option<&str>) -> Result<Vec<Value>> {
    let mut filter = String::new();
    for (name, value) in [("origin", origin), ("kind", kind)] {
        filter.extend(value.map(|v| format!("&{name}={}", escaped(v))));
    }
    let (mut from, mut entries) = (0, Vec::new());
    loop {
        let page = node.get(&format!("/api/entries?from={from}&limit=1000{filter}"))?;
        entries.extend(page["entries"].as_array().into_iter().flatten().cloned());
        match page["next"].as_u64() {
            Some(next) => from = next,
            None => return Ok(entries),
        }
    }
}

fn line(entry: &Value) -> Vec<String> {
    let text = |key: &str| entry[key].as_str().unwrap_or("-").to_string();
    let hi = entry["logged_at"]["hi"].as_str().unwrap_or("not yet witnessed").to_string();
    let place = format!("{} #{}", text("origin"), entry["index"]);
    vec![place, hi, text("party"), text("kind"), fields_of(entry)]
}

/// `allegation: A1, urgency: flash`.
fn fields_of(entry: &Value) -> String {
    let pairs = entry["fields"].as_object().into_iter().flatten();
    let plain = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_string);
    let shown: Vec<String> = pairs.map(|(k, v)| format!("{k}: {}", plain(v))).collect();
    shown.join(", ").chars().take(120).collect()
}

/// Origin and index, as the node knows them.
fn place_of(node: &NodeClient, entry: &str) -> Result<(String, u64)> {
    let (log, index) = split_entry(entry)?;
    let state = node.get("/api/state")?;
    let heads = state["heads"].as_array().into_iter().flatten();
    let named = heads.filter(|h| h["node"] == log || h["origin"] == log);
    let origin = named.filter_map(|h| h["origin"].as_str()).next().ok_or_else(|| {
        Complaint::new(format!("the node holds no log `{log}`")).hint("`hamsaya state URL` lists them")
    })?;
    Ok((origin.to_string(), index))
}
