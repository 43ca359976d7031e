//! People who sign in: accounts of offices, passwords, sessions.
//!
//! ```toml
//! # accounts.toml, in the node's folder, mode 0600; `hamsaya accounts set DIR --office liaison` writes it
//! [[account]]
//! office = "liaison"
//! password = "$argon2id$v=19$m=19456,t=2,p=1$…"
//! ```
//! An account is an office's, never a person's; its role is the one that roles.toml gives to the office's key. Who is signed
//! in is held in memory only: a node that starts again knows nobody. Wrong passwords are counted for each office, and after
//! [`TRIES`] of them it waits; an office that has no account takes as long to be refused as one that has.
use argon2::Argon2;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The file's name.
pub const ACCOUNTS: &str = "accounts.toml";
/// Shortest password, in characters.
pub const PASSWORD_CHARS_MIN: usize = 12;
/// Longest, in bytes: hashing more would be a way to keep the node busy.
const PASSWORD_BYTES_MAX: usize = 256;
/// Wrong passwords of an office before it waits.
pub const TRIES: u32 = 5;
/// How long it waits then.
const WAIT: Duration = Duration::from_secs(15 * 60);
/// A session ends when nothing was asked for so long.
const IDLE: Duration = Duration::from_secs(30 * 60);
/// And at the latest after so long: a watch.
pub const LIFE: Duration = Duration::from_secs(12 * 3600);
/// So many are signed in at once for one office.
const SESSIONS_MAX: usize = 20;

/// An office that may sign in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Account {
    office: String,
    password: String,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Accounts {
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
    /// The system.
    #[error("the system gives no randomness: {0}")]
    Randomness(getrandom::Error),
    /// Hashing.
    #[error("the password cannot be hashed: {0}")]
    Hash(String),
}

fn load(dir: &Path) -> Result<Accounts, AccountError> {
    let path = dir.join(ACCOUNTS);
    match fs::read_to_string(&path) {
        Ok(text) => toml::from_str(&text).map_err(|e| AccountError::Form { path, error: e.message().to_string() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Accounts::default()),
        Err(error) => Err(AccountError::File { path, error }),
    }
}

/// Offices that have an account, sorted.
pub fn offices(dir: &Path) -> Result<Vec<String>, AccountError> {
    Ok(load(dir)?.accounts.into_iter().map(|a| a.office).collect())
}

/// Gives an office a password, in place of any it had; `None`: takes its account away. The file is replaced whole.
pub fn set(dir: &Path, office: &str, password: Option<&str>) -> Result<(), AccountError> {
    let mut accounts = load(dir)?;
    accounts.accounts.retain(|a| a.office != office);
    if let Some(password) = password {
        let chars = password.chars().count();
        if chars < PASSWORD_CHARS_MIN || password.len() > PASSWORD_BYTES_MAX {
            return Err(AccountError::Password(chars));
        }
        let salt: [u8; 16] = random()?;
        let hash = Argon2::default()
            .hash_password_with_salt(password.as_bytes(), &salt)
            .map_err(|e| AccountError::Hash(e.to_string()))?;
        accounts.accounts.push(Account { office: office.into(), password: hash.to_string() });
    }
    accounts.accounts.sort_by(|a, b| a.office.cmp(&b.office));
    let mut text = String::from("# Offices that may sign in; `hamsaya accounts` writes this file.\n");
    for account in &accounts.accounts {
        text.push_str(&format!("\n[[account]]\noffice = {:?}\npassword = {:?}\n", account.office, account.password));
    }
    let (path, next) = (dir.join(ACCOUNTS), dir.join("accounts.next"));
    let failed = |path: &Path| {
        let path = path.to_path_buf();
        move |error| AccountError::File { path, error }
    };
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&next).map_err(failed(&next))?;
    io::Write::write_all(&mut file, text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed(&next))?;
    fs::rename(&next, &path).map_err(failed(&path))
}

fn random<const N: usize>() -> Result<[u8; N], AccountError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(AccountError::Randomness)?;
    Ok(bytes)
}

/// Who is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SignedIn {
    pub(crate) office: String,
    pub(crate) purpose: String,
}

#[derive(Debug)]
struct Session {
    who: SignedIn,
    /// Hash of the password that opened it: another password, or none, ends it.
    password: String,
    since: Instant,
    last: Instant,
}

/// Why somebody is not signed in.
#[derive(Debug)]
pub(crate) enum NotSignedIn {
    /// No such office, or another password: which of the two is not said.
    Wrong,
    /// Too often wrong.
    Wait(Duration),
    Failed(AccountError),
}

/// All sessions of a process.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    /// By SHA-256 of the token.
    open: Mutex<BTreeMap<[u8; 32], Session>>,
    /// By office and address: nobody is locked out by who is elsewhere.
    wrong: Mutex<BTreeMap<(String, IpAddr), (u32, Instant)>>,
}

impl Sessions {
    /// Checks a password and opens a session: its token. Takes as long as hashing takes, some 20 ms; not for threads that
    /// answer.
    pub(crate) fn sign_in(
        &self,
        dir: &Path,
        who: SignedIn,
        password: &str,
        from: IpAddr,
    ) -> Result<String, NotSignedIn> {
        let now = Instant::now();
        let tried = (who.office.clone(), from);
        if let Some((tries, last)) = lock(&self.wrong).get(&tried)
            && *tries >= TRIES
            && now < *last + WAIT
        {
            return Err(NotSignedIn::Wait(*last + WAIT - now));
        }
        let accounts = load(dir).map_err(NotSignedIn::Failed)?.accounts;
        let account = accounts.iter().find(|a| a.office == who.office);
        // Where there is none, the same work is done on a hash that nothing fits.
        const NOBODY: &str =
            "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let hash = account.map_or(NOBODY, |a| a.password.as_str());
        let short = &password.as_bytes()[..password.len().min(PASSWORD_BYTES_MAX + 1)];
        let fits = PasswordHash::new(hash).is_ok_and(|hash| Argon2::default().verify_password(short, &hash).is_ok());
        // An office without an account is never let in: its tries need no counting, and would fill the memory.
        let Some(account) = account else { return Err(NotSignedIn::Wrong) };
        if !fits {
            let mut wrong = lock(&self.wrong);
            wrong.retain(|_, (_, last)| now < *last + WAIT);
            let (tries, last) = wrong.entry(tried).or_insert((0, now));
            (*tries, *last) = (*tries + 1, now);
            return Err(NotSignedIn::Wrong);
        }
        lock(&self.wrong).remove(&tried);
        let token: [u8; 32] = random().map_err(NotSignedIn::Failed)?;
        let token = URL_SAFE_NO_PAD.encode(token);
        let mut open = lock(&self.open);
        open.retain(|_, session| session.is_alive(now));
        // Of an office so many; the one that was asked least lately gives way.
        let same = open.iter().filter(|(_, session)| session.who.office == who.office);
        if same.clone().count() >= SESSIONS_MAX
            && let Some(oldest) = same.min_by_key(|(_, session)| session.last).map(|(hash, _)| *hash)
        {
            open.remove(&oldest);
        }
        let password = account.password.clone();
        open.insert(Sha256::digest(&token).into(), Session { who, password, since: now, last: now });
        Ok(token)
    }

    /// Who holds this token; being asked keeps a session alive, a change of the account ends it.
    pub(crate) fn of(&self, dir: &Path, token: &str) -> Option<SignedIn> {
        let now = Instant::now();
        let mut open = lock(&self.open);
        let session = open.get_mut(&<[u8; 32]>::from(Sha256::digest(token)))?;
        let accounts = load(dir).ok()?.accounts;
        let same = |a: &Account| a.office == session.who.office && a.password == session.password;
        if !session.is_alive(now) || !accounts.iter().any(same) {
            return None;
        }
        session.last = now;
        Some(session.who.clone())
    }

    /// Ends a session.
    pub(crate) fn sign_out(&self, token: &str) {
        lock(&self.open).remove(&<[u8; 32]>::from(Sha256::digest(token)));
    }
}

impl Session {
    fn is_alive(&self, now: Instant) -> bool {
        now < self.last + IDLE && now < self.since + LIFE
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
