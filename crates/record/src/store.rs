//! Where bytes lie: a small set of operations that a folder and an object store both have.
//!
//! ```text
//! checkpoint                  the published checkpoint, cosigned by a quorum          swap
//! lock                        the newest signed checkpoint: the commit point          swap
//! staging/<size>-<root hex>   tiles about to be created                              create, delete
//! tile/0/000                  a full tile                                            create
//! tile/0/001.p/7              one that still grows                                   create, delete
//! ```
//! A key never changes its bytes, except by `swap`, which compares first. Durable when the call returns are `swap` and
//! `create` under `staging/`; a tile is durable once a later `delete` has returned, and until then a crash leaves it whole
//! or absent. After an error other than `NotWritten` nothing is known: the caller stops and reads everything again.
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What lies below this may be deleted.
const STAGING: &str = "staging/";

/// Also a partial tile: a wider one begins with it.
fn may_be_deleted(key: &str) -> bool {
    key.starts_with(STAGING) || key.contains(".p/")
}

/// What a key held when it was read: SHA-256 of its bytes in a folder and in memory.
pub type Version = [u8; 32];

/// What [`Store::create`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// The key was free.
    New,
    /// The same bytes were there.
    Same,
}

/// Why a store did not do as asked. Except for `Held` and `NotWritten`, the state is unknown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another process works on it.
    #[error("another process holds this log ({0})\nhint: stop it first; a lock is never removed by hand")]
    Held(String),
    /// Reading or writing failed.
    #[error("{key}: {what}")]
    Io {
        /// Which key.
        key: String,
        /// What went wrong.
        what: String,
    },
    /// Nothing was changed, for instance because the disk is full.
    #[error("{key}: nothing was written: {what}")]
    NotWritten {
        /// Which key.
        key: String,
        /// What went wrong.
        what: String,
    },
    /// Other bytes stand under a key that never changes.
    #[error("{0}: other bytes are there already; a tile never changes")]
    Differs(String),
    /// The key changed since it was read.
    #[error("{0}: it changed since it was read; somebody else writes to this log")]
    Moved(String),
}

/// Bytes by key. Keys are paths of ASCII letters, digits, `-`, `.` and `/`.
pub trait Store {
    /// Bytes and version; `None` if the key is free.
    fn read(&self, key: &str) -> Result<Option<(Vec<u8>, Version)>, StoreError>;
    /// All keys that begin so, sorted.
    fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError>;
    /// Writes a key that never changes; durable when it returns, if it is under `staging/`, and else after a `delete`.
    fn create(&mut self, key: &str, bytes: &[u8]) -> Result<Created, StoreError>;
    /// Replaces a key that holds `old` (`None`: that is free); durable when it returns.
    fn swap(&mut self, key: &str, old: Option<Version>, bytes: &[u8]) -> Result<Version, StoreError>;
    /// Deletes a key under `staging/` or a partial tile, after everything that was created before is durable.
    fn delete(&mut self, key: &str) -> Result<(), StoreError>;
}

/// The version of some bytes.
pub fn version(bytes: &[u8]) -> Version {
    Sha256::digest(bytes).into()
}

/// A local folder, held by one process for its life. Network file systems are not for this: their locks and renames
/// promise too little.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    /// Held, not read: dropping it lets the next process in.
    _held: Option<File>,
    /// Folders with names that are not durable yet, each by a handle that was open before the name was made.
    unsynced: BTreeMap<PathBuf, File>,
    /// A sync failed. The kernel then counts the pages as clean, so reading them back would prove nothing.
    broken: bool,
    syncs: u64,
}

impl Folder {
    /// Opens a folder to write to it, and makes it if it is not there.
    pub fn open(root: &Path) -> Result<Folder, StoreError> {
        let io = |e: io::Error| StoreError::Io { key: root.display().to_string(), what: e.to_string() };
        if !root.is_dir() {
            fs::create_dir_all(root).map_err(io)?;
            // A new folder is durable once its parents are.
            for parent in root.ancestors().skip(1).filter(|p| !p.as_os_str().is_empty()) {
                File::open(parent).and_then(|handle| handle.sync_all()).map_err(io)?;
            }
        }
        let held = File::options().create(true).truncate(false).write(true).open(root.join("held")).map_err(io)?;
        match held.try_lock() {
            Ok(()) => Ok(Folder { _held: Some(held), ..Folder::read_only(root) }),
            Err(fs::TryLockError::WouldBlock) => Err(StoreError::Held(root.display().to_string())),
            Err(fs::TryLockError::Error(e)) => Err(io(e)),
        }
    }

    /// Opens a folder to read it; every write fails. Does not disturb the process that holds it.
    pub fn read_only(root: &Path) -> Folder {
        Folder { root: root.to_path_buf(), _held: None, unsynced: BTreeMap::new(), broken: false, syncs: 0 }
    }

    /// How often it has made the disk sync, since it was opened: what a batch costs.
    pub fn syncs(&self) -> u64 {
        self.syncs
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn path(&self, key: &str) -> Result<PathBuf, StoreError> {
        let plain = |part: &str| {
            !part.is_empty()
                && part != "."
                && part != ".."
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
        };
        match key.split('/').all(plain) {
            true => Ok(self.root.join(key)),
            false => Err(StoreError::Io { key: key.to_string(), what: "not a key".to_string() }),
        }
    }

    fn writable(&self, key: &str) -> Result<PathBuf, StoreError> {
        let refuse = |what: &str| Err(StoreError::Io { key: key.to_string(), what: what.to_string() });
        match self._held {
            Some(_) if self.broken => refuse("an earlier sync failed"),
            Some(_) => self.path(key),
            None => refuse("the folder is open for reading only"),
        }
    }

    /// Makes a folder and notes that its name, and names in it, are to be synced.
    fn prepare(&mut self, folder: &Path) -> io::Result<()> {
        if self.unsynced.contains_key(folder) {
            return Ok(());
        }
        if folder != self.root && !folder.is_dir() {
            self.prepare(folder.parent().unwrap_or(&self.root.clone()))?;
            fs::create_dir(folder)?;
        }
        self.unsynced.insert(folder.to_path_buf(), File::open(folder)?);
        Ok(())
    }

    /// Writes and syncs a temporary file beside `path`. A crash here leaves a `.tmp` that nothing reads.
    fn write_temporary(&mut self, key: &str, path: &Path, bytes: &[u8]) -> Result<PathBuf, StoreError> {
        let not_written = |e: io::Error| StoreError::NotWritten { key: key.to_string(), what: e.to_string() };
        let root = self.root.clone();
        self.prepare(path.parent().unwrap_or(&root)).map_err(not_written)?;
        let mut name = path.file_name().unwrap_or_default().to_os_string();
        name.push(".tmp");
        let temporary = path.with_file_name(name);
        let written = File::create(&temporary).and_then(|mut file| file.write_all(bytes).map(|()| file));
        let file = written.map_err(|e| {
            // Room for the next try; if this fails too, the next write of this key begins anew.
            let _ = fs::remove_file(&temporary);
            not_written(e)
        })?;
        self.synced(key, file.sync_all())?;
        Ok(temporary)
    }

    fn synced(&mut self, key: &str, result: io::Result<()>) -> Result<(), StoreError> {
        self.syncs += 1;
        result.map_err(|e| {
            self.broken = true;
            StoreError::Io { key: key.to_string(), what: e.to_string() }
        })
    }

    /// Makes all names durable.
    fn sync(&mut self, key: &str) -> Result<(), StoreError> {
        for handle in std::mem::take(&mut self.unsynced).into_values() {
            self.synced(key, handle.sync_all())?;
        }
        Ok(())
    }
}

impl Store for Folder {
    fn read(&self, key: &str) -> Result<Option<(Vec<u8>, Version)>, StoreError> {
        match fs::read(self.path(key)?) {
            Ok(bytes) => {
                let version = version(&bytes);
                Ok(Some((bytes, version)))
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(StoreError::Io { key: key.to_string(), what: e.to_string() }),
        }
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        fn walk(dir: &Path, key: &str, into: &mut Vec<String>) -> io::Result<()> {
            for entry in fs::read_dir(dir)? {
                let entry = entry?;
                let name = entry.file_name();
                let Some(name) = name.to_str() else { continue };
                let key = if key.is_empty() { name.to_string() } else { format!("{key}/{name}") };
                if entry.file_type()?.is_dir() {
                    walk(&entry.path(), &key, into)?;
                } else if !name.ends_with(".tmp") && key != "held" {
                    into.push(key);
                }
            }
            Ok(())
        }
        // Only the folder that all such keys share is walked.
        let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut keys = Vec::new();
        match walk(&self.root.join(folder), folder, &mut keys) {
            Ok(()) => (),
            Err(e) if e.kind() == io::ErrorKind::NotFound => (),
            Err(e) => return Err(StoreError::Io { key: prefix.to_string(), what: e.to_string() }),
        }
        keys.retain(|k| k.starts_with(prefix));
        keys.sort();
        Ok(keys)
    }

    fn create(&mut self, key: &str, bytes: &[u8]) -> Result<Created, StoreError> {
        let path = self.writable(key)?;
        let io = |e: io::Error| StoreError::Io { key: key.to_string(), what: e.to_string() };
        let temporary = self.write_temporary(key, &path, bytes)?;
        // A hard link fails if the name is taken, where a rename would replace it.
        let linked = fs::hard_link(&temporary, &path);
        fs::remove_file(&temporary).map_err(io)?;
        let created = match linked {
            Ok(()) => Created::New,
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => match fs::read(&path).map_err(io)? == bytes {
                true => Created::Same,
                false => return Err(StoreError::Differs(key.to_string())),
            },
            Err(e) if matches!(e.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
                // No room for one more name.
                return Err(StoreError::NotWritten { key: key.to_string(), what: e.to_string() });
            }
            Err(e) => return Err(io(e)),
        };
        if key.starts_with(STAGING) {
            self.sync(key)?;
        }
        Ok(created)
    }

    fn swap(&mut self, key: &str, old: Option<Version>, bytes: &[u8]) -> Result<Version, StoreError> {
        let path = self.writable(key)?;
        let found = self.read(key)?.map(|(_, version)| version);
        if found != old {
            return Err(StoreError::Moved(key.to_string()));
        }
        let temporary = self.write_temporary(key, &path, bytes)?;
        fs::rename(&temporary, &path).map_err(|e| StoreError::Io { key: key.to_string(), what: e.to_string() })?;
        self.sync(key)?;
        Ok(version(bytes))
    }

    fn delete(&mut self, key: &str) -> Result<(), StoreError> {
        let path = self.writable(key)?;
        let io = |what: String| StoreError::Io { key: key.to_string(), what };
        if !may_be_deleted(key) {
            return Err(io("only staging and partial tiles may be deleted".to_string()));
        }
        self.sync(key)?;
        match fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(io(e.to_string())),
            _ => Ok(()),
        }
    }
}

/// What a crash leaves of the call that it interrupts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// Nothing of it.
    Before,
    /// All of it, though nobody was told.
    After,
    /// Half of the bytes, where a crash can leave that: under `staging/`, which nothing names yet. Elsewhere nothing.
    Torn,
}

#[derive(Debug, Default)]
struct Bytes {
    keys: BTreeMap<String, Vec<u8>>,
    /// Created, but not durable yet.
    unsynced: BTreeSet<String>,
    /// Deleted, but not durably yet: they may be back after a power cut.
    deleted: BTreeMap<String, Vec<u8>>,
    writes: u64,
    crash: Option<(u64, Crash)>,
    crashed: bool,
    full: Option<u64>,
}

/// A store in memory, for tests and the simulator. Clones are handles to the same bytes, as two runs of a process are to
/// one disk. It can crash at a given write; then every call fails until [`Memory::restart`]. It can run full at a given
/// write; then nothing is written until [`Memory::make_room`].
#[derive(Clone, Debug, Default)]
pub struct Memory {
    bytes: Arc<Mutex<Bytes>>,
}

impl Memory {
    /// An empty store.
    pub fn new() -> Memory {
        Memory::default()
    }

    fn bytes(&self) -> MutexGuard<'_, Bytes> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Crashes at the `n`-th write from now, counted from 0.
    pub fn crash_at(&self, n: u64, crash: Crash) {
        let mut bytes = self.bytes();
        bytes.crash = Some((bytes.writes + n, crash));
    }

    /// Is full from the `n`-th write from now, counted from 0. Deleting takes no room.
    pub fn full_at(&self, n: u64) {
        let mut bytes = self.bytes();
        bytes.full = Some(bytes.writes + n);
    }

    /// True if a write was refused for want of room.
    pub fn is_full(&self) -> bool {
        let bytes = self.bytes();
        bytes.full.is_some_and(|at| at < bytes.writes)
    }

    /// There is room again.
    pub fn make_room(&self) {
        self.bytes().full = None;
    }

    /// True once the crash has come.
    pub fn has_crashed(&self) -> bool {
        self.bytes().crashed
    }

    /// Lets a new run read and write again, and forgets a crash that did not come. The process went down, not the machine:
    /// all that was written is there.
    pub fn restart(&self) {
        self.restart_without(|_| false);
    }

    /// The machine went down: of what was not durable yet, `lost` says what is gone, and which deleted keys are back.
    pub fn restart_without(&self, mut lost: impl FnMut(&str) -> bool) {
        let mut bytes = self.bytes();
        for key in std::mem::take(&mut bytes.unsynced) {
            if lost(&key) {
                bytes.keys.remove(&key);
            }
        }
        for (key, old) in std::mem::take(&mut bytes.deleted) {
            if lost(&key) {
                bytes.keys.insert(key, old);
            }
        }
        bytes.crashed = false;
        bytes.crash = None;
    }

    /// A copy of all bytes as they are now: a backup, or a disk restored from one.
    pub fn copy(&self) -> Memory {
        let bytes = self.bytes();
        Memory { bytes: Arc::new(Mutex::new(Bytes { keys: bytes.keys.clone(), ..Bytes::default() })) }
    }

    /// Replaces a key's bytes whatever the rules: the adversary, or a failing disk.
    pub fn tamper(&self, key: &str, bytes: Vec<u8>) {
        self.bytes().keys.insert(key.to_string(), bytes);
    }

    /// One write: decides whether the crash comes now, and what is left of the write.
    fn write(&self, key: &str, takes_room: bool, apply: impl FnOnce(&mut Bytes)) -> Result<(), StoreError> {
        let failed = || StoreError::Io { key: key.to_string(), what: "crashed".to_string() };
        let mut bytes = self.bytes();
        if bytes.crashed {
            return Err(failed());
        }
        let now = bytes.writes;
        bytes.writes += 1;
        if takes_room && bytes.full.is_some_and(|at| at <= now) {
            return Err(StoreError::NotWritten { key: key.to_string(), what: "no room".to_string() });
        }
        match bytes.crash {
            Some((at, crash)) if at == now => {
                let torn = crash == Crash::Torn && key.starts_with(STAGING);
                if crash == Crash::After || torn {
                    apply(&mut bytes);
                }
                if let Some(half) = bytes.keys.get_mut(key).filter(|_| torn) {
                    half.truncate(half.len() / 2);
                }
                bytes.crashed = true;
                Err(failed())
            }
            _ => {
                apply(&mut bytes);
                Ok(())
            }
        }
    }
}

impl Store for Memory {
    fn read(&self, key: &str) -> Result<Option<(Vec<u8>, Version)>, StoreError> {
        let bytes = self.bytes();
        match bytes.crashed {
            true => Err(StoreError::Io { key: key.to_string(), what: "crashed".to_string() }),
            false => Ok(bytes.keys.get(key).map(|b| (b.clone(), version(b)))),
        }
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let bytes = self.bytes();
        match bytes.crashed {
            true => Err(StoreError::Io { key: prefix.to_string(), what: "crashed".to_string() }),
            false => Ok(bytes.keys.keys().filter(|k| k.starts_with(prefix)).cloned().collect()),
        }
    }

    fn create(&mut self, key: &str, bytes: &[u8]) -> Result<Created, StoreError> {
        if let Some((found, _)) = self.read(key)? {
            return if found == bytes { Ok(Created::Same) } else { Err(StoreError::Differs(key.to_string())) };
        }
        self.write(key, true, |held| {
            held.keys.insert(key.to_string(), bytes.to_vec());
            match key.starts_with(STAGING) {
                true => held.deleted.retain(|key, _| !key.starts_with(STAGING)),
                false => drop(held.unsynced.insert(key.to_string())),
            }
        })?;
        Ok(Created::New)
    }

    fn swap(&mut self, key: &str, old: Option<Version>, bytes: &[u8]) -> Result<Version, StoreError> {
        if self.read(key)?.map(|(_, version)| version) != old {
            return Err(StoreError::Moved(key.to_string()));
        }
        self.write(key, true, |held| {
            held.keys.insert(key.to_string(), bytes.to_vec());
        })?;
        Ok(version(bytes))
    }

    fn delete(&mut self, key: &str) -> Result<(), StoreError> {
        self.write(key, false, |held| {
            held.unsynced.clear();
            let old = held.keys.remove(key);
            held.deleted.extend(old.map(|old| (key.to_string(), old)));
        })
    }
}

/// Reads a store and keeps what is written to itself: verification replays what a crash left, and touches nothing.
#[derive(Debug)]
pub struct Overlay<S> {
    store: S,
    written: BTreeMap<String, Option<Vec<u8>>>,
}

impl<S: Store> Overlay<S> {
    /// Nothing written yet.
    pub fn new(store: S) -> Overlay<S> {
        Overlay { store, written: BTreeMap::new() }
    }
}

impl<S: Store> Store for Overlay<S> {
    fn read(&self, key: &str) -> Result<Option<(Vec<u8>, Version)>, StoreError> {
        match self.written.get(key) {
            Some(bytes) => Ok(bytes.as_ref().map(|b| (b.clone(), version(b)))),
            None => self.store.read(key),
        }
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let mut keys = self.store.list(prefix)?;
        keys.retain(|k| !self.written.contains_key(k));
        keys.extend(self.written.iter().filter(|(k, b)| k.starts_with(prefix) && b.is_some()).map(|(k, _)| k.clone()));
        keys.sort();
        Ok(keys)
    }

    fn create(&mut self, key: &str, bytes: &[u8]) -> Result<Created, StoreError> {
        match self.read(key)? {
            None => {
                self.written.insert(key.to_string(), Some(bytes.to_vec()));
                Ok(Created::New)
            }
            Some((found, _)) if found == bytes => Ok(Created::Same),
            Some(_) => Err(StoreError::Differs(key.to_string())),
        }
    }

    fn swap(&mut self, key: &str, old: Option<Version>, bytes: &[u8]) -> Result<Version, StoreError> {
        if self.read(key)?.map(|(_, version)| version) != old {
            return Err(StoreError::Moved(key.to_string()));
        }
        self.written.insert(key.to_string(), Some(bytes.to_vec()));
        Ok(version(bytes))
    }

    fn delete(&mut self, key: &str) -> Result<(), StoreError> {
        self.written.insert(key.to_string(), None);
        Ok(())
    }
}
