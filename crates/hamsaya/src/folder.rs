//! The folder of a node, as far as the command makes and reads it: `node.toml`, `keys/`, `agreement/`, `founding.json`.
//!
//! ```text
//! keys/log.key       PRIVATE+KEY+p1.example/hamsaya/1+1a2b3c4d+AZ…     mode 0600
//! keys/chair.key     PRIVATE+KEY+p1.example/chair+…
//! ```
//!
//! A key's name says where it belongs: the log's key bears the origin, the others `<host>/<what it is for>`.
use crate::complaint::Complaint;
use anyhow::{Context, Result};
use hamsaya_agreement::Agreement;
use hamsaya_record::key::{Role, SecretKey};
use hamsaya_record::statement::Act;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// A node's folder.
#[derive(Clone, Debug)]
pub struct Folder {
    dir: PathBuf,
}

/// A secret key and the file's name it stands in, without `.key`.
#[derive(Clone, Debug)]
pub struct Held {
    /// `chair`.
    pub file: String,
    /// The key.
    pub key: SecretKey,
}

impl Folder {
    /// The folder at `dir`; nothing is read yet.
    pub fn at(dir: impl Into<PathBuf>) -> Folder {
        Folder { dir: dir.into() }
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A file or folder within it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// A top-level text of `node.toml`, e.g. `name`.
    pub fn setting(&self, key: &str) -> Result<String> {
        let path = self.path("node.toml");
        let text = fs::read_to_string(&path).map_err(|e| {
            Complaint::new(format!("the folder holds no node: {e}"))
                .at(path.display())
                .hint("make it with `hamsaya init node DIR`")
        })?;
        let table: toml::Table = text.parse().map_err(|e| Complaint::new(e).at(path.display()))?;
        let value = table.get(key).and_then(toml::Value::as_str);
        Ok(value.ok_or_else(|| Complaint::new(format!("`{key}` is missing")).at(path.display()))?.to_string())
    }

    /// Where the node listens, by its settings.
    pub fn url(&self) -> Result<String> {
        let scheme = if self.speaks_tls()? { "https" } else { "http" };
        Ok(format!("{scheme}://{}", self.setting("listen")?))
    }

    fn speaks_tls(&self) -> Result<bool> {
        let text = fs::read_to_string(self.path("node.toml"))?;
        let table: toml::Table = text.parse()?;
        Ok(table.get("tls").is_some_and(|tls| tls.get("certificate").is_some()))
    }

    /// All keys, sorted by file name.
    pub fn keys(&self) -> Result<Vec<Held>> {
        let dir = self.path("keys");
        let complaint = || {
            Complaint::new("the folder holds no keys").at(dir.display()).hint("make them with `hamsaya init node DIR`")
        };
        let mut held = Vec::new();
        for entry in fs::read_dir(&dir).map_err(|_| complaint())? {
            let path = entry?.path();
            // What opens the node's bucket lies here too, and signs nothing.
            if path.file_name().is_some_and(|name| name == "store.key") {
                continue;
            }
            if path.extension().is_some_and(|e| e == "key") {
                let file = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
                held.push(Held { file, key: read_key(&path)? });
            }
        }
        held.sort_by(|a, b| a.file.cmp(&b.file));
        Ok(held)
    }

    /// Files of the keys here by which a member may state a kind, by the agreement's roles: one, or two where it takes two persons.
    pub fn signers(&self, agreement: &Agreement, member: &str, kind: &str) -> Result<Vec<String>> {
        let held = self.keys()?;
        let files: Vec<&str> = held.iter().map(|h| h.file.as_str()).collect();
        let role = agreement.members().iter().find(|m| m.name == member).map(|m| m.role);
        let signers = role.and_then(|role| agreement.rights().signers(kind, role, &files));
        let signers = signers.ok_or_else(|| {
            Complaint::new(format!("no key of {member} here may state `{kind}`"))
                .at(self.path("keys").display())
                .hint("roles.toml of the agreement says who may; --key names a key")
        })?;
        let mut signers: Vec<String> = signers.into_iter().map(str::to_string).collect();
        // What the mechanism itself says takes the node's own key, whoever else has to sign.
        if agreement.kinds().iter().any(|k| k.name == kind && k.act == Act::Record.name()) {
            signers.push("node".to_string());
        }
        Ok(signers)
    }

    /// The key in `keys/<file>.key`.
    pub fn key(&self, file: &str) -> Result<SecretKey> {
        let path = self.path("keys").join(format!("{file}.key"));
        if path.exists() {
            return read_key(&path);
        }
        let held = self.keys()?;
        let names: Vec<&str> = held.iter().map(|h| h.file.as_str()).collect();
        Err(Complaint::new(format!("there is no key `{file}`, found are {}", names.join(" ")))
            .at(self.path("keys").display())
            .hint(format!("make it with `hamsaya keys new {} --key {file}`", self.dir.display()))
            .into())
    }

    /// Makes a key from the randomness of the operating system; a file that is there is not touched.
    pub fn make_key(&self, file: &str, name: &str, role: Role) -> Result<SecretKey> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|e| Complaint::new(format!("the system gives no randomness: {e}")))?;
        let key = match role {
            Role::Witness | Role::Mirror => SecretKey::cosigner_from_seed(name, seed),
            _ => SecretKey::from_seed(name, seed),
        }?;
        write_secret(&self.path("keys").join(format!("{file}.key")), &format!("{}\n", key.to_text()))?;
        Ok(key)
    }
}

/// The key in a file.
pub fn read_key(path: &Path) -> Result<SecretKey> {
    let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    SecretKey::parse(&text).with_context(|| format!("{} holds no key", path.display()))
}

/// Writes a file that is there whole or not at all, whatever happens.
pub fn write_durably(path: &Path, bytes: &[u8]) -> Result<()> {
    let parent = path.parent().context("a file lies in a folder")?;
    fs::create_dir_all(parent)?;
    let half = path.with_extension("half");
    let mut file = fs::File::create(&half)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(half, path)?;
    sync_folder(parent)
}

/// What was renamed in a folder stays so whatever happens.
pub fn sync_folder(path: &Path) -> Result<()> {
    // Elsewhere a folder cannot be opened to be synced.
    if cfg!(unix) && path.exists() {
        fs::File::open(path)?.sync_all()?;
    }
    Ok(())
}

/// Only its owner may read it. It is on the disk when this returns: what names it may leave.
fn write_secret(path: &Path, text: &str) -> Result<()> {
    let parent = path.parent().context("a key lies in a folder")?;
    fs::create_dir_all(parent)?;
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(|e| {
        Complaint::new(format!("the key cannot be written: {e}"))
            .at(path.display())
            .hint("a key is never written over another: move the old one away first")
    })?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    sync_folder(parent)
}
