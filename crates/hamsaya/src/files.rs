//! Files that statements name: what is said of one, sending it to its node, and those that lie in a folder.
//!
//! ```text
//! hamsaya record append p1 --kind fire … --file IMG_0412.jpg --capture device
//! {"name":"f1","bytes":48211,"media_type":"image/jpeg","capture":"device"}        beside its SHA-256 among the subjects
//! ```
//! A file is read piece by piece and never held whole. Its own name is not said: it may tell more than its picture.
use crate::client::NodeClient;
use crate::complaint::Complaint;
use anyhow::{Context, Result};
use clap::Args;
use hamsaya_node::erased::Erased;
use hamsaya_node::files::{FILE_BYTES_MAX, FILES, Files, Sha, Stands, digest};
use hamsaya_node::{c2pa, media};
use hamsaya_record::Instant;
use hamsaya_record::logs::Entry;
use hamsaya_record::statement::{FileRef, hex};
use hamsaya_record::tiles::Fault;
use hamsaya_record::verify::VerifiedFolder;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// So often a line may break without that anything more came.
const TRIES: u32 = 5;

/// Files that a statement names.
#[derive(Args, Clone, Debug, Default)]
pub struct Named {
    /// A file that it names by its SHA-256, which goes to the node and lies beside the log; give it again for more
    #[arg(long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How the files came to be, e.g. device
    #[arg(long, requires = "files", value_name = "WORD")]
    capture: Option<String>,
    /// When they were taken, as far as that is known
    #[arg(long, requires = "files", value_name = "T")]
    captured_at: Option<Instant>,
    /// With what instrument or program they were made
    #[arg(long, requires = "files", value_name = "LINE")]
    tool: Option<String>,
    /// They are copies made to work with, e.g. with faces masked; the originals are kept elsewhere
    #[arg(long, requires = "files")]
    working_copy: bool,
    /// Their media type; default: by their bytes, then by their names
    #[arg(long, requires = "files", value_name = "TYPE")]
    media_type: Option<String>,
}

impl Named {
    /// What is said of each, with where it lies.
    pub fn read(&self) -> Result<Vec<(PathBuf, FileRef)>> {
        self.files.iter().enumerate().map(|(n, path)| Ok((path.clone(), self.one(n, path)?))).collect()
    }

    fn one(&self, n: usize, path: &Path) -> Result<FileRef> {
        let (mut file, bytes) = open(path)?;
        let mut beginning = Vec::new();
        Read::by_ref(&mut file).take(media::BEGINNING_BYTES as u64).read_to_end(&mut beginning)?;
        file.rewind()?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let found = media::media_type(&beginning, &name);
        Ok(FileRef {
            name: format!("f{}", n + 1),
            sha256: digest(&mut file).with_context(|| format!("{} cannot be read", path.display()))?,
            bytes,
            media_type: self.media_type.clone().unwrap_or_else(|| found.to_string()),
            capture: self.capture.clone(),
            captured_at: self.captured_at,
            tool: self.tool.clone(),
            working_copy: self.working_copy,
        })
    }
}

/// SHA-256 of a file.
pub fn digest_of(path: &Path) -> Result<Sha> {
    digest(&mut open(path)?.0).with_context(|| format!("{} cannot be read", path.display()))
}

fn open(path: &Path) -> Result<(File, u64)> {
    let file = File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(Complaint::new("found something else, allowed is a file").at(path.display()).into());
    }
    match about.len() {
        bytes if bytes > FILE_BYTES_MAX => {
            Err(Complaint::new(format!("found {bytes} bytes, allowed are {FILE_BYTES_MAX} (2 GiB)"))
                .at(path.display())
                .hint("cut a film into parts, or name a working copy; a statement names up to 64 files")
                .into())
        }
        bytes => Ok((file, bytes)),
    }
}

/// How a file was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// So many bytes, after so many that were there.
    Now(u64, u64),
    /// It was there.
    Already,
}

/// Sends a file that an entry of the node's log names, from where it broke off; a line that breaks is tried again.
pub fn send(node: &NodeClient, sha: &Sha, path: &Path) -> Result<Sent> {
    let at = format!("/api/files/{}/upload", hex(sha));
    let (mut file, bytes) = open(path)?;
    let (mut tries, mut before, mut first) = (0, 0, None);
    loop {
        let stands = node.get(&at)?;
        let received = stands["received"].as_u64().unwrap_or_default();
        if stands["complete"] == true {
            return Ok(first.map_or(Sent::Already, |first| Sent::Now(bytes - first, first)));
        }
        if received > bytes {
            return Err(Complaint::new(format!("the node has {received} bytes of it, the file has {bytes}"))
                .at(path.display())
                .into());
        }
        tries = if received > before { 0 } else { tries + 1 };
        before = received;
        let first = *first.get_or_insert(received);
        file.seek(SeekFrom::Start(received))?;
        let bar = ProgressBar::new(bytes).with_position(received);
        bar.set_style(ProgressStyle::default_bar().template("{wide_bar} {bytes}/{total_bytes}  {bytes_per_sec}")?);
        let left = bytes - received;
        let answer = node.patch(&at, received, left, &mut bar.wrap_read(Read::by_ref(&mut file).take(left)));
        bar.finish_and_clear();
        match answer {
            Ok(answer) if answer.status < 300 => return Ok(Sent::Now(bytes - first, first)),
            // Somebody else's line, or our own that broke, may still hold it.
            Ok(answer) if answer.status == 409 && tries < TRIES => {
                std::thread::sleep(std::time::Duration::from_secs(1))
            }
            Ok(answer) => {
                return Err(Complaint::from_problem(answer.status, &String::from_utf8_lossy(&answer.body)).into());
            }
            Err(_) if tries < TRIES => std::thread::sleep(std::time::Duration::from_millis(200)),
            Err(silent) => return Err(silent),
        }
    }
}

/// The files in a node's folder.
pub fn in_folder(dir: &Path) -> Arc<Files> {
    Arc::new(Files::of(dir, 0))
}

/// Files that these entries name, as `GET /api/files` lists them.
pub fn rows<'e>(dir: &Path, entries: impl IntoIterator<Item = &'e Entry>, erased: &Erased) -> Result<Vec<Value>> {
    let files = in_folder(dir);
    let mut rows = Vec::new();
    for entry in entries {
        for file in &entry.statement.files {
            let gone = erased.get(&file.sha256);
            let (state, received) = match (gone, files.stands(&file.sha256)?) {
                (Some(_), _) => ("erased", 0),
                (None, Stands::Held(bytes)) => ("held", bytes),
                (None, Stands::Arriving(bytes)) => ("arriving", bytes),
                (None, Stands::Missing) => ("missing", 0),
            };
            let manifest = match files.open(&file.sha256)? {
                Some((mut held, _)) if state == "held" => Some(c2pa::has_manifest(&mut held)?),
                _ => None,
            };
            rows.push(json!({
                "origin": &*entry.origin, "index": entry.index, "name": file.name, "sha256": hex(&file.sha256),
                "bytes": file.bytes, "media_type": file.media_type, "capture": file.capture,
                "captured_at": file.captured_at.map(|at| at.to_string()), "tool": file.tool,
                "working_copy": file.working_copy, "state": state, "received": received,
                "erased": gone.map(|e| json!({"ground": e.ground, "origin": e.origin, "index": e.index})), "c2pa": manifest,
            }));
        }
    }
    Ok(rows)
}

/// Entries of the log that is the folder's own: those that name the files in it.
pub fn own_entries(folder: &VerifiedFolder) -> Vec<&Entry> {
    let own = folder.logs.iter().find(|copy| !copy.place.starts_with("peers/"));
    own.into_iter().flat_map(|copy| &copy.replay.entries).map(|entry| &**entry).collect()
}

/// How many files of a folder have the SHA-256 that they are named by, and what does not fit.
pub fn checked(dir: &Path, folder: &VerifiedFolder) -> Result<(usize, Vec<Fault>)> {
    let erased = Erased::of(&folder.founding, own_entries(folder));
    let files = in_folder(dir);
    let (all, strange) = files.all()?;
    let fault = |name: &str, what: &str, found: String, expected: String| Fault {
        key: format!("{FILES}/{name}"),
        what: what.into(),
        found,
        expected,
    };
    let mut faults = Vec::new();
    for sha in &all {
        let name = hex(sha);
        if let Some(gone) = erased.get(sha) {
            let said = format!("nothing: {} #{} erased it ({})", gone.origin, gone.index, gone.ground);
            faults.push(fault(&name, "a file that was erased", "its bytes".into(), said));
        } else if let Some(found) = files.digest(sha)?.filter(|found| found != sha) {
            faults.push(fault(&name, "bytes of a file", hex(&found), name.clone()));
        }
    }
    let held = all.len() - faults.len();
    faults.extend(strange.iter().map(|name| fault(name, "a name", name.clone(), "SHA-256 in hex".into())));
    Ok((held, faults))
}
