//! Accounts of offices, with what opens them: a password, passkeys, a code that is good once.
//!
//! ```toml
//! # accounts.toml, in the node's folder, mode 0600; `hamsaya accounts` and the node write it
//! [[account]]
//! office = "liaison"
//! password = "$argon2id$v=19$m=19456,t=2,p=1$…"
//! user = "kZ3…"                                       # random: what a device keeps in place of a name
//! enrolment = { code = "Vx0…", until_s = 1796515200 }  # SHA-256 of the code, and when it ends
//!
//! [[account.passkey]]
//! label = "key-1"                                     # given by the node: there is no room for a person's name
//! rp_id = "p1.example"
//! added_s = 1796428800
//! id = "un1…"
//! algorithm = "ES256"
//! key = "MFk…"
//! counter = 7
//! ```
//! An account is an office's, never a person's; its role is the one that roles.toml gives to the office's key. Several
//! officers of one office have a passkey each. The file is replaced whole; who writes it holds `accounts.lock`, so that
//! neither the command nor the node undoes what the other wrote.
use crate::passkeys::{Bytes, Passkey};
use argon2::Argon2;
use argon2::password_hash::PasswordHasher as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// The file's name.
pub const ACCOUNTS: &str = "accounts.toml";
/// Shortest password, in characters.
pub const PASSWORD_CHARS_MIN: usize = 12;
/// Longest, in bytes: hashing more would be a way to keep the node busy.
pub(crate) const PASSWORD_BYTES_MAX: usize = 256;
/// An enrolment code ends after so long, in seconds.
pub const ENROLMENT_LIFE_S: u64 = 24 * 3600;
/// Passkeys of one office.
pub const PASSKEYS_MAX: usize = 20;

/// An office that may sign in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// `liaison`
    pub office: String,
    /// Argon2 hash of its password, if it has one.
    pub password: Option<String>,
    /// What devices keep in place of its name.
    pub user: Option<Bytes>,
    /// A code that signs in once.
    pub enrolment: Option<Enrolment>,
    /// Passkeys.
    #[serde(default, rename = "passkey")]
    pub passkeys: Vec<Kept>,
}

/// A code that signs in once.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolment {
    code: Bytes,
    /// When it ends, in seconds since 1970.
    pub until_s: u64,
}

/// A passkey of an office.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Kept {
    /// `key-1`
    pub label: String,
    /// For which name of the node it was made.
    pub rp_id: String,
    /// When, in seconds since 1970.
    pub added_s: u64,
    /// What it is verified by.
    #[serde(flatten)]
    pub passkey: Passkey,
}

#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Accounts {
    #[serde(default, rename = "account")]
    accounts: Vec<Account>,
}

/// Why an account cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The file.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It does not read.
    #[error("{path}: {error}")]
    Form {
        /// Which.
        path: PathBuf,
        /// Why.
        error: String,
    },
    /// A password that is too easy to guess.
    #[error(
        "the password has {0} characters, allowed are {PASSWORD_CHARS_MIN} or more, and {PASSWORD_BYTES_MAX} bytes at most"
    )]
    Password(usize),
    /// There is no such passkey.
    #[error("{office} has no passkey `{label}`, it has: {known}")]
    NoPasskey {
        /// Whose.
        office: String,
        /// Which.
        label: String,
        /// Its passkeys.
        known: String,
    },
    /// There is no such account any more.
    #[error("{0} has no account")]
    NoAccount(String),
    /// No room for another.
    #[error("{0} has {PASSKEYS_MAX} passkeys, allowed are {PASSKEYS_MAX}; remove one")]
    TooMany(String),
    /// The same passkey again.
    #[error("this passkey is here already, as {0}")]
    Known(String),
    /// The system.
    #[error("the system gives no randomness: {0}")]
    Randomness(getrandom::Error),
    /// Hashing.
    #[error("the password cannot be hashed: {0}")]
    Hash(String),
}

/// Accounts, sorted by office.
pub fn list(dir: &Path) -> Result<Vec<Account>, AccountError> {
    Ok(load(dir)?.accounts)
}

/// Gives an office a password, in place of any it had.
pub fn set(dir: &Path, office: &str, password: &str) -> Result<(), AccountError> {
    let chars = password.chars().count();
    if chars < PASSWORD_CHARS_MIN || password.len() > PASSWORD_BYTES_MAX {
        return Err(AccountError::Password(chars));
    }
    let salt: [u8; 16] = random()?;
    let hash = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt);
    let hash = hash.map_err(|e| AccountError::Hash(e.to_string()))?.to_string();
    update(dir, |accounts| {
        accounts.of_or_new(office).password = Some(hash);
        Ok(())
    })
}

/// Takes an office's account away, with its passkeys.
pub fn remove(dir: &Path, office: &str) -> Result<(), AccountError> {
    update(dir, |accounts| {
        accounts.accounts.retain(|a| a.office != office);
        Ok(())
    })
}

/// Makes a code with which an office signs in once, within [`ENROLMENT_LIFE_S`], in place of any it had.
pub fn enrol(dir: &Path, office: &str, now_s: u64) -> Result<String, AccountError> {
    let code = password()?;
    let user = Bytes(random::<32>()?.to_vec());
    update(dir, |accounts| {
        let account = accounts.of_or_new(office);
        account.user.get_or_insert(user);
        account.enrolment = Some(Enrolment { code: Bytes(hash(&code)), until_s: now_s + ENROLMENT_LIFE_S });
        Ok(())
    })?;
    Ok(code)
}

/// Takes a passkey of an office away.
pub fn remove_passkey(dir: &Path, office: &str, label: &str) -> Result<(), AccountError> {
    update(dir, |accounts| {
        let passkeys = &mut accounts.of(office)?.passkeys;
        let known: Vec<&str> = passkeys.iter().map(|kept| kept.label.as_str()).collect();
        let known = if known.is_empty() { "none".to_string() } else { known.join(" ") };
        let at = passkeys.iter().position(|kept| kept.label == label);
        let (office, label) = (office.to_string(), label.to_string());
        passkeys.remove(at.ok_or(AccountError::NoPasskey { office, label, known })?);
        Ok(())
    })
}

/// Hard to guess, and can be read out: 20 letters and digits in groups of five.
pub fn password() -> Result<String, AccountError> {
    let text = URL_SAFE_NO_PAD.encode(random::<15>()?);
    Ok([&text[..5], &text[5..10], &text[10..15], &text[15..]].join("."))
}

/// What a device keeps in place of an office's name; made where there is none yet.
pub(crate) fn user(dir: &Path, office: &str) -> Result<Account, AccountError> {
    let user = Bytes(random::<32>()?.to_vec());
    update(dir, |accounts| {
        let account = accounts.of(office)?;
        account.user.get_or_insert(user);
        Ok(account.clone())
    })
}

/// Adds a passkey, under a label of its own.
pub(crate) fn add(dir: &Path, office: &str, rp_id: &str, passkey: Passkey, added_s: u64) -> Result<Kept, AccountError> {
    update(dir, |accounts| {
        let known = accounts.accounts.iter().flat_map(|a| &a.passkeys).find(|kept| kept.passkey.id == passkey.id);
        if let Some(known) = known {
            return Err(AccountError::Known(known.label.clone()));
        }
        let passkeys = &mut accounts.of(office)?.passkeys;
        if passkeys.len() >= PASSKEYS_MAX {
            return Err(AccountError::TooMany(office.to_string()));
        }
        let number = |kept: &Kept| kept.label.trim_start_matches("key-").parse::<u32>().unwrap_or(0);
        let next = passkeys.iter().map(number).max().unwrap_or(0).saturating_add(1);
        let kept = Kept { label: format!("key-{next}"), rp_id: rp_id.to_string(), added_s, passkey };
        passkeys.push(kept.clone());
        Ok(kept)
    })
}

/// Changes the accounts, if `change` succeeds and changes any; nobody else writes meanwhile.
pub(crate) fn update<T, E: From<AccountError>>(
    dir: &Path,
    change: impl FnOnce(&mut Accounts) -> Result<T, E>,
) -> Result<T, E> {
    let lock = dir.join("accounts.lock");
    let locked = open(&lock).and_then(|file| file.lock().map(|()| file));
    let _locked = locked.map_err(|error| AccountError::File { path: lock, error })?;
    let before = load(dir)?;
    let mut after = before.clone();
    let value = change(&mut after)?;
    if after != before {
        after.accounts.sort_by(|a, b| a.office.cmp(&b.office));
        save(dir, &after)?;
    }
    Ok(value)
}

impl Accounts {
    pub(crate) fn of(&mut self, office: &str) -> Result<&mut Account, AccountError> {
        let found = self.accounts.iter_mut().find(|a| a.office == office);
        found.ok_or_else(|| AccountError::NoAccount(office.to_string()))
    }

    fn text(&self) -> String {
        let mut text = "# Offices that may sign in; `hamsaya accounts` and the node write this file.\n".to_string();
        for Account { office, password, user, enrolment, passkeys } in &self.accounts {
            text.push_str(&format!("\n[[account]]\noffice = {office:?}\n"));
            if let Some(password) = password {
                text.push_str(&format!("password = {password:?}\n"));
            }
            if let Some(user) = user {
                text.push_str(&format!("user = \"{user}\"\n"));
            }
            if let Some(Enrolment { code, until_s }) = enrolment {
                text.push_str(&format!("enrolment = {{ code = \"{code}\", until_s = {until_s} }}\n"));
            }
            for Kept { label, rp_id, added_s, passkey: Passkey { id, algorithm, key, counter } } in passkeys {
                text.push_str(&format!(
                    "\n[[account.passkey]]\nlabel = {label:?}\nrp_id = {rp_id:?}\nadded_s = {added_s}\nid = \"{id}\"\n\
                     algorithm = \"{}\"\nkey = \"{key}\"\ncounter = {counter}\n",
                    algorithm.name()
                ));
            }
        }
        text
    }

    fn of_or_new(&mut self, office: &str) -> &mut Account {
        let at = self.accounts.iter().position(|a| a.office == office).unwrap_or_else(|| {
            self.accounts.push(Account { office: office.to_string(), ..Account::default() });
            self.accounts.len() - 1
        });
        &mut self.accounts[at]
    }
}

impl Account {
    /// Whether this is the code, and in time.
    pub(crate) fn takes(&self, code: &str, now_s: u64) -> bool {
        self.enrolment.as_ref().is_some_and(|e| e.code.0 == hash(code) && now_s < e.until_s)
    }
}

fn hash(code: &str) -> Vec<u8> {
    Sha256::digest(code).to_vec()
}

fn load(dir: &Path) -> Result<Accounts, AccountError> {
    let path = dir.join(ACCOUNTS);
    match fs::read_to_string(&path) {
        Ok(text) => toml::from_str(&text).map_err(|e| AccountError::Form { path, error: e.message().to_string() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Accounts::default()),
        Err(error) => Err(AccountError::File { path, error }),
    }
}

fn save(dir: &Path, accounts: &Accounts) -> Result<(), AccountError> {
    let (path, next) = (dir.join(ACCOUNTS), dir.join("accounts.next"));
    let failed = |path: &Path| {
        let path = path.to_path_buf();
        move |error| AccountError::File { path, error }
    };
    let mut file = open(&next).map_err(failed(&next))?;
    file.write_all(accounts.text().as_bytes()).and_then(|()| file.sync_all()).map_err(failed(&next))?;
    fs::rename(&next, &path).map_err(failed(&path))
}

/// Empty, and its owner's alone.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

pub(crate) fn random<const N: usize>() -> Result<[u8; N], AccountError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(AccountError::Randomness)?;
    Ok(bytes)
}
