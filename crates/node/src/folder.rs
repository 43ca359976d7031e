//! The folder of a node, as a running node reads it.
//!
//! ```text
//! node.toml  keys/log.key  keys/witness.key  keys/node.key  keys/next/node.key  keys/old/node-….key  founding.json  agreement/  log/  peers/<hash>/  witness/
//! ```
//! Opening it reads and checks every byte of every log; nothing is repaired by guessing, and what does not fit is named
//! with its path.
use crate::bucket::{Access, Bucket, Place};
use crate::config::{Config, ConfigError};
use crate::node::{Keys, Node, OpenError, Setup, Stores};
use hamsaya_agreement::{Agreement, Diagnostics};
use hamsaya_record::founding::{Founding, MemberRole};
use hamsaya_record::key::{KeyError, SecretKey};
use hamsaya_record::store::{Folder as Store, StoreError};
use hamsaya_record::tiles::Fault;
use hamsaya_record::verify;
use hamsaya_record::witness::{SKEW_S_MAX, origin_hash};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Files of an agreement folder: path within it, with `/`, and bytes.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Why a folder is not a node's.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A file cannot be read.
    #[error("{path}: {error}\nhint: `hamsaya init node` and `hamsaya init founding` make what a node needs")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// `node.toml` does not read.
    #[error("{path}: {error}")]
    Config {
        /// Where.
        path: PathBuf,
        /// Why.
        error: ConfigError,
    },
    /// A key does not read.
    #[error("{path}: {error}")]
    Key {
        /// Where.
        path: PathBuf,
        /// Why.
        error: KeyError,
    },
    /// The access key of the bucket does not read.
    #[error("{0}: found something else, allowed are two lines: the id of an access key, and its secret")]
    Access(PathBuf),
    /// What TLS needs is not there, or is something else.
    #[error(
        "{path}: found {found}, allowed is {allowed}\nhint: docs/guide/node.md says how to make a certificate and its key"
    )]
    Tls {
        /// Where.
        path: PathBuf,
        /// What was found.
        found: String,
        /// What is allowed.
        allowed: String,
    },
    /// Others can read a secret key.
    #[error("{path}: found mode {mode:o}, allowed is 600\nhint: chmod 600 {path}")]
    Mode {
        /// Where.
        path: PathBuf,
        /// What was found.
        mode: u32,
    },
    /// Bytes that do not fit: the state is unknown, and nothing is built on it.
    #[error("state unknown: {} of the folder's files do not fit\n{}", .0.len(), listed(.0))]
    Faults(Vec<Fault>),
    /// The agreement does not compile.
    #[error("{0}")]
    Agreement(Diagnostics),
    /// A store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The stores, keys or founding do not fit each other.
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// A node's folder, read as far as it can be without its logs.
#[derive(Debug)]
pub struct Folder {
    /// Where it is.
    pub dir: PathBuf,
    /// Its settings.
    pub config: Config,
    /// Entry 0 of every log.
    pub founding_leaf: Vec<u8>,
    /// Files of the agreement; none for a witness that has none.
    pub files: Files,
    /// The agreement; a witness may do without.
    pub agreement: Option<Arc<Agreement>>,
    keys: Keys,
    /// Where the logs lie, if not here; from when it was opened.
    bucket: Option<Bucket>,
}

impl Folder {
    /// Reads settings, keys, founding and agreement.
    pub fn read(dir: &Path) -> Result<Folder, FolderError> {
        let config = read_config(dir)?;
        let is_witness = config.member_role().is_ok_and(|role| role == MemberRole::Witness);
        let key = |file: &str| read_key(&dir.join("keys").join(format!("{file}.key")));
        let log = if is_witness { None } else { Some(key("log")?) };
        // Founded before there were mirrors, a node has no key for one.
        let has_mirror = dir.join("keys/mirror.key").exists();
        let keys = Keys {
            log,
            witness: key("witness")?,
            mirror: if has_mirror { Some(key("mirror")?) } else { None },
            node: key("node")?,
            other_nodes: other_nodes(&dir.join("keys"))?,
        };
        let mut founding_leaf = read(&dir.join("founding.json"))?;
        if founding_leaf.ends_with(b"\n") {
            founding_leaf.pop();
        }
        let at = dir.join(&config.agreement);
        let files = if at.is_dir() || !is_witness { agreement_files(&at)? } else { Files::new() };
        let agreement = match files.is_empty() {
            true => None,
            false => Some(Arc::new(Agreement::parse(&files).map_err(FolderError::Agreement)?)),
        };
        Ok(Folder { dir: dir.to_path_buf(), config, founding_leaf, files, agreement, keys, bucket: None })
    }

    /// Reads every byte of every log, tile, checkpoint and signature, and names all that do not fit. What lies in a bucket is
    /// read when it is opened.
    pub fn verify(&self) -> Result<(), FolderError> {
        if self.config.store.is_some() {
            return Ok(());
        }
        verify::node_folder(&self.dir).map(|_| ()).map_err(FolderError::Faults)
    }

    /// Opens the logs and gives the node. `scenario`: its clock is not the system's, so neither are the others'.
    pub fn open(&mut self, scenario: bool) -> Result<Node<Place>, FolderError> {
        self.bucket = bucket_of(&self.dir, &self.config)?;
        let place = |name: &str| match &self.bucket {
            Some(bucket) => Ok::<_, StoreError>(Place::Bucket(bucket.within(name))),
            None => Ok(Place::Folder(Store::open(&self.dir.join(name))?)),
        };
        let founding = Founding::from_leaf(&self.founding_leaf).map_err(OpenError::Founding)?;
        let own = founding.member(&self.config.name).and_then(|m| m.origin.clone());
        let witness = Some(place("witness")?);
        let mirror = self.keys.mirror.as_ref().map(|_| place("mirror")).transpose()?;
        let mut stores = Stores { log: None, witness, mirror, copies: BTreeMap::new() };
        if let Some(own) = &own {
            stores.log = Some(place("log")?);
            for origin in founding.origins().filter(|o| o != own) {
                stores.copies.insert(origin.to_string(), place(&format!("peers/{}", origin_hash(origin)))?);
            }
        }
        let setup = Setup {
            name: self.config.name.clone(),
            keys: self.keys.clone(),
            founding_leaf: self.founding_leaf.clone(),
            agreement: self.agreement.clone(),
            pacing: self.config.pacing,
            peers: self.config.peers.iter().map(|p| p.name.clone()).collect(),
            skew_s_max: (!scenario).then_some(SKEW_S_MAX),
            rights: true,
        };
        Ok(Node::open(setup, stores)?)
    }

    /// A log's tiles, the own one's or a copy's, for readers beside the node.
    pub fn reader(&self, origin: &str) -> Place {
        let name = match self.config.origin.as_deref() == Some(origin) {
            true => "log".to_string(),
            false => format!("peers/{}", origin_hash(origin)),
        };
        match &self.bucket {
            Some(bucket) => Place::Bucket(bucket.within(&name)),
            None => Place::Folder(Store::read_only(&self.dir.join(name))),
        }
    }
}

fn listed(faults: &[Fault]) -> String {
    faults.iter().map(|fault| fault.to_string()).collect::<Vec<_>>().join("\n")
}

/// All files of an agreement folder.
pub fn agreement_files(dir: &Path) -> Result<Files, FolderError> {
    let mut files = Files::new();
    walk(dir, "", &mut files)?;
    Ok(files)
}

fn walk(dir: &Path, prefix: &str, files: &mut Files) -> Result<(), FolderError> {
    let failed = |error| FolderError::Read { path: dir.to_path_buf(), error };
    for entry in fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        match entry.file_type().map_err(failed)?.is_dir() {
            true => walk(&entry.path(), &format!("{name}/"), files)?,
            false => {
                files.insert(name, read(&entry.path())?);
            }
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>, FolderError> {
    fs::read(path).map_err(|error| FolderError::Read { path: path.to_path_buf(), error })
}

fn read_key(path: &Path) -> Result<SecretKey, FolderError> {
    let text = String::from_utf8_lossy(&read(path)?).into_owned();
    check_mode(path)?;
    SecretKey::parse(&text).map_err(|error| FolderError::Key { path: path.to_path_buf(), error })
}

/// The node key that comes next, if it lies here, and those that gave way.
fn other_nodes(keys: &Path) -> Result<Vec<SecretKey>, FolderError> {
    let old = fs::read_dir(keys.join("old")).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_node = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("node-"));
    let mut paths: Vec<PathBuf> = old.filter(is_node).collect();
    paths.sort();
    paths.insert(0, keys.join("next/node.key"));
    paths.iter().filter(|path| path.exists()).map(|path| read_key(path)).collect()
}

/// The bucket in which a node keeps its record; `None` if that is its folder.
pub fn bucket(dir: &Path) -> Result<Option<Bucket>, FolderError> {
    bucket_of(dir, &read_config(dir)?)
}

fn read_config(dir: &Path) -> Result<Config, FolderError> {
    let path = dir.join("node.toml");
    let text = String::from_utf8_lossy(&read(&path)?).into_owned();
    Config::parse(&text).map_err(|error| FolderError::Config { path, error })
}

fn bucket_of(dir: &Path, config: &Config) -> Result<Option<Bucket>, FolderError> {
    let Some(settings) = &config.store else { return Ok(None) };
    Ok(Some(Bucket::open(settings, &read_access(&dir.join("keys").join("store.key"))?)?))
}

fn read_access(path: &Path) -> Result<Access, FolderError> {
    let text = String::from_utf8_lossy(&read(path)?).into_owned();
    check_mode(path)?;
    Access::parse(&text).ok_or_else(|| FolderError::Access(path.to_path_buf()))
}

#[cfg(unix)]
pub(crate) fn check_mode(path: &Path) -> Result<(), FolderError> {
    use std::os::unix::fs::PermissionsExt as _;
    let read = fs::metadata(path).map_err(|error| FolderError::Read { path: path.to_path_buf(), error })?;
    match read.permissions().mode() & 0o777 {
        mode if mode & 0o077 != 0 => Err(FolderError::Mode { path: path.to_path_buf(), mode }),
        _ => Ok(()),
    }
}

#[cfg(not(unix))]
pub(crate) fn check_mode(_path: &Path) -> Result<(), FolderError> {
    Ok(())
}
