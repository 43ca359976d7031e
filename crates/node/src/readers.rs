//! People who sign in, and their sessions.
//!
//! Who is signed in is held in memory only: a node that starts again knows nobody. Wrong tries are counted for each office,
//! and after [`TRIES`] of them it waits, whether they were passwords, codes or passkeys; an office that has no account takes
//! as long to be refused as one that has. Which office a passkey is of is found by the passkey: nobody is told which
//! offices there are.
use crate::accounts::{self, Account, AccountError, PASSWORD_BYTES_MAX, random};
use crate::passkeys::{Asked, Bytes, Refused, Using};
use argon2::Argon2;
use argon2::password_hash::{PasswordVerifier as _, phc::PasswordHash};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Wrong tries of an office before it waits.
pub const TRIES: u32 = 5;
/// How long it waits then.
const WAIT: Duration = Duration::from_secs(15 * 60);
/// A session ends when nothing was asked for so long.
const IDLE: Duration = Duration::from_secs(30 * 60);
/// And at the latest after so long: a watch.
pub const LIFE: Duration = Duration::from_secs(12 * 3600);
/// So many are signed in at once for one office.
const SESSIONS_MAX: usize = 20;

/// Who is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SignedIn {
    pub(crate) office: String,
    pub(crate) purpose: String,
}

/// What a session rests on: it ends with it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum By {
    /// Hash of the password: another password, or none, ends it.
    Password(String),
    /// Id of the passkey.
    Passkey(Bytes),
    /// A code was good once; what stays is the account that it was made for.
    Code(Option<Bytes>),
}

impl By {
    fn stands(&self, account: &Account) -> bool {
        match self {
            By::Password(hash) => account.password.as_ref() == Some(hash),
            By::Passkey(id) => account.passkeys.iter().any(|kept| kept.passkey.id == *id),
            By::Code(user) => account.user == *user,
        }
    }
}

#[derive(Debug)]
struct Session {
    who: SignedIn,
    by: By,
    since: Instant,
    last: Instant,
}

/// Why somebody is not signed in.
#[derive(Debug)]
pub(crate) enum NotSignedIn {
    /// No such office, or another password: which of the two is not said.
    Wrong,
    /// What came of a passkey is not taken.
    Refused(Refused),
    /// Too often wrong.
    Wait(Duration),
    Failed(AccountError),
}

impl From<AccountError> for NotSignedIn {
    fn from(error: AccountError) -> NotSignedIn {
        NotSignedIn::Failed(error)
    }
}

/// All sessions of a process.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    /// By SHA-256 of the token.
    open: Mutex<BTreeMap<[u8; 32], Session>>,
    /// By office and address: nobody is locked out by who is elsewhere.
    wrong: Mutex<BTreeMap<(String, IpAddr), (u32, Instant)>>,
    /// Turns whenever somebody signs out.
    signed_out: watch::Sender<()>,
}

impl Sessions {
    /// Checks a password, or a code that is good once, and opens a session: its token. Takes as long as hashing takes, some
    /// 20 ms; not for threads that answer.
    pub(crate) fn sign_in(
        &self,
        dir: &Path,
        who: SignedIn,
        password: &str,
        from: IpAddr,
        now_s: u64,
    ) -> Result<String, NotSignedIn> {
        let tried = (who.office.clone(), from);
        self.may_try(&tried)?;
        let accounts = accounts::list(dir)?;
        let account = accounts.into_iter().find(|a| a.office == who.office);
        // Where there is none, the same work is done on a hash that nothing fits.
        const NOBODY: &str =
            "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let hash = account.as_ref().and_then(|a| a.password.clone()).unwrap_or_else(|| NOBODY.to_string());
        let short = &password.as_bytes()[..password.len().min(PASSWORD_BYTES_MAX + 1)];
        let fits = PasswordHash::new(&hash).is_ok_and(|hash| Argon2::default().verify_password(short, &hash).is_ok());
        // An office without an account is never let in: its tries need no counting, and would fill the memory.
        let Some(account) = account else { return Err(NotSignedIn::Wrong) };
        let by = if fits {
            By::Password(hash)
        } else if account.takes(password, now_s) && self.spend(dir, &who.office, password, now_s)? {
            By::Code(account.user)
        } else {
            self.was_wrong(tried);
            return Err(NotSignedIn::Wrong);
        };
        lock(&self.wrong).remove(&tried);
        self.open(who, by)
    }

    /// Takes a code away; false: somebody else was faster.
    fn spend(&self, dir: &Path, office: &str, code: &str, now_s: u64) -> Result<bool, AccountError> {
        accounts::update(dir, |accounts| {
            let account = accounts.of(office)?;
            let takes = account.takes(code, now_s);
            if takes {
                account.enrolment = None;
            }
            Ok(takes)
        })
    }

    /// Verifies what came of a passkey and opens a session for the office whose it is: its token.
    pub(crate) fn sign_in_by_passkey(
        &self,
        dir: &Path,
        asked: &Asked,
        using: &Using,
        purpose: String,
        from: IpAddr,
    ) -> Result<(String, String), NotSignedIn> {
        let accounts = accounts::list(dir)?;
        let has = |a: &&Account| a.passkeys.iter().any(|kept| kept.passkey.id == using.id);
        let office = accounts.iter().find(has).map(|a| a.office.clone()).ok_or(NotSignedIn::Wrong)?;
        let tried = (office.clone(), from);
        self.may_try(&tried)?;
        // The counter is kept before anybody is let in: a copy of the passkey finds it risen.
        let verified = accounts::update(dir, |accounts| {
            let account = accounts.of(&office)?;
            let kept = account.passkeys.iter_mut().find(|kept| kept.passkey.id == using.id);
            let kept = kept.ok_or(NotSignedIn::Wrong)?;
            if account.user.as_ref() != Some(&using.user) || kept.rp_id != asked.site.rp_id {
                return Err(NotSignedIn::Wrong);
            }
            kept.passkey.counter = kept.passkey.used(asked, using).map_err(NotSignedIn::Refused)?;
            Ok(())
        });
        if let Err(error) = verified {
            if matches!(error, NotSignedIn::Wrong | NotSignedIn::Refused(_)) {
                self.was_wrong(tried);
            }
            return Err(error);
        }
        lock(&self.wrong).remove(&tried);
        let token = self.open(SignedIn { office: office.clone(), purpose }, By::Passkey(using.id.clone()))?;
        Ok((token, office))
    }

    fn may_try(&self, tried: &(String, IpAddr)) -> Result<(), NotSignedIn> {
        let now = Instant::now();
        match lock(&self.wrong).get(tried) {
            Some((tries, last)) if *tries >= TRIES && now < *last + WAIT => Err(NotSignedIn::Wait(*last + WAIT - now)),
            _ => Ok(()),
        }
    }

    fn was_wrong(&self, tried: (String, IpAddr)) {
        let now = Instant::now();
        let mut wrong = lock(&self.wrong);
        wrong.retain(|_, (_, last)| now < *last + WAIT);
        let (tries, last) = wrong.entry(tried).or_insert((0, now));
        (*tries, *last) = (*tries + 1, now);
    }

    fn open(&self, who: SignedIn, by: By) -> Result<String, NotSignedIn> {
        let now = Instant::now();
        let token = URL_SAFE_NO_PAD.encode(random::<32>()?);
        let mut open = lock(&self.open);
        open.retain(|_, session| session.is_alive(now));
        // Of an office so many; the one that was asked least lately gives way.
        let same = open.iter().filter(|(_, session)| session.who.office == who.office);
        if same.clone().count() >= SESSIONS_MAX
            && let Some(oldest) = same.min_by_key(|(_, session)| session.last).map(|(hash, _)| *hash)
        {
            open.remove(&oldest);
        }
        open.insert(Sha256::digest(&token).into(), Session { who, by, since: now, last: now });
        Ok(token)
    }

    /// Who holds this token; being asked keeps a session alive, a change of what it rests on ends it.
    pub(crate) fn of(&self, dir: &Path, token: &str) -> Option<SignedIn> {
        self.session(dir, token, |session| {
            session.last = Instant::now();
            session.who.clone()
        })
    }

    /// Whether somebody holds this token still. To be told something is not to ask: it keeps no session alive.
    pub(crate) fn is_open(&self, dir: &Path, token: &str) -> bool {
        self.session(dir, token, |_| ()).is_some()
    }

    fn session<T>(&self, dir: &Path, token: &str, with: impl FnOnce(&mut Session) -> T) -> Option<T> {
        let mut open = lock(&self.open);
        let session = open.get_mut(&<[u8; 32]>::from(Sha256::digest(token)))?;
        let accounts = accounts::list(dir).ok()?;
        let same = |a: &Account| a.office == session.who.office && session.by.stands(a);
        let is_open = session.is_alive(Instant::now()) && accounts.iter().any(same);
        is_open.then(|| with(session))
    }

    /// Wakes when somebody signs out.
    pub(crate) fn signed_out(&self) -> watch::Receiver<()> {
        self.signed_out.subscribe()
    }

    /// Ends a session.
    pub(crate) fn sign_out(&self, token: &str) {
        lock(&self.open).remove(&<[u8; 32]>::from(Sha256::digest(token)));
        self.signed_out.send_replace(());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_by_itself_and_being_told_keeps_none_alive() {
        let dir = std::env::temp_dir().join(format!("hamsaya-sessions-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        accounts::set(&dir, "liaison", "correct-horse-battery").unwrap();
        let sessions = Sessions::default();
        let who = SignedIn { office: "liaison".into(), purpose: "duty".into() };
        let from = IpAddr::from([127, 0, 0, 1]);
        let token = sessions.sign_in(&dir, who, "correct-horse-battery", from, 0).unwrap();
        let hash: [u8; 32] = Sha256::digest(&token).into();
        // As if the last question was so long ago.
        let asked_ago = |ago: Duration| lock(&sessions.open).get_mut(&hash).unwrap().last = Instant::now() - ago;
        let almost = IDLE - Duration::from_secs(5);
        asked_ago(almost);
        assert!(sessions.is_open(&dir, &token));
        assert!(lock(&sessions.open)[&hash].last.elapsed() >= almost, "being told is not asking");
        assert!(sessions.of(&dir, &token).is_some() && lock(&sessions.open)[&hash].last.elapsed() < almost);
        asked_ago(IDLE);
        assert!(!sessions.is_open(&dir, &token) && sessions.of(&dir, &token).is_none());
        std::fs::remove_dir_all(dir).unwrap();
    }
}
