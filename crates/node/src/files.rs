//! Files beside the log: photographs, video and documents that statements name by their SHA-256, on their owner's node alone.
//!
//! ```text
//! files/5d41402a…          the bytes, whole; they had this SHA-256 when they came
//! files/7d793037….part     what came so far of another
//! ```
//! A file arrives in one piece or in many. It is told to be here only after its bytes, hashed from the disk, are those that were
//! named, are synced and have their place; so a process that is killed at any moment leaves a part to go on from, or the file.
//! Bytes that are not the named ones are deleted. An arriving file leaves so much room on the disk as the log is to have.
//! Nothing here knows who may send or see a file.
use hamsaya_record::statement::{hex, unhex};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// No file is longer, in bytes: 2 GiB.
pub const FILE_BYTES_MAX: u64 = 2 << 30;
/// The folder, within a node's.
pub const FILES: &str = "files";
/// Bytes that are read at once.
const PIECE_BYTES: usize = 256 << 10;
const PART: &str = ".part";

/// SHA-256 of a file's bytes.
pub type Sha = [u8; 32];

/// How far a file is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    /// Nothing of it is.
    Missing,
    /// So many bytes of it came.
    Arriving(u64),
    /// All of it, so many bytes.
    Held(u64),
}

/// Why bytes are not taken.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// It is here already.
    #[error("it is here already")]
    Held,
    /// Somebody else sends it at this moment.
    #[error("it arrives by another request at this moment")]
    Busy,
    /// They do not follow what came before.
    #[error("found bytes from {found} on, allowed are those from {allowed} on")]
    Offset {
        /// Where they begin.
        found: u64,
        /// How many came before.
        allowed: u64,
    },
    /// There are more than were named.
    #[error("found more bytes than {0}")]
    TooLong(u64),
    /// The disk has no room, or the log needs what it has.
    #[error("no room for more: {0}")]
    NoRoom(String),
    /// The whole is not what was named; it is deleted.
    #[error("found bytes whose SHA-256 is {}", hex(.0))]
    WrongDigest(Sha),
    /// The disk.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The files of one node.
#[derive(Debug)]
pub struct Files {
    dir: PathBuf,
    keep_free_bytes: u64,
    arriving: Mutex<BTreeSet<Sha>>,
}

impl Files {
    /// Those in a node's folder; the folder of files is made when the first arrives. So many bytes of the disk are left free.
    pub fn of(node: &Path, keep_free_bytes: u64) -> Files {
        Files { dir: node.join(FILES), keep_free_bytes, arriving: Mutex::default() }
    }

    fn path(&self, sha: &Sha) -> PathBuf {
        self.dir.join(hex(sha))
    }

    fn part(&self, sha: &Sha) -> PathBuf {
        self.dir.join(hex(sha) + PART)
    }

    /// How far a file is here.
    pub fn stands(&self, sha: &Sha) -> io::Result<Stands> {
        Ok(match (length(&self.path(sha))?, length(&self.part(sha))?) {
            (Some(bytes), _) => Stands::Held(bytes),
            (None, Some(bytes)) => Stands::Arriving(bytes),
            (None, None) => Stands::Missing,
        })
    }

    /// A file that is here, to be read, and its length.
    pub fn open(&self, sha: &Sha) -> io::Result<Option<(File, u64)>> {
        match File::open(self.path(sha)) {
            Ok(file) => file.metadata().map(|about| Some((file, about.len()))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All that are here whole, in order, and names in the folder that are of no file.
    pub fn all(&self) -> io::Result<(Vec<Sha>, Vec<String>)> {
        let (mut held, mut strange) = (Vec::new(), Vec::new());
        let names = match fs::read_dir(&self.dir) {
            Ok(names) => names,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok((held, strange)),
            Err(error) => return Err(error),
        };
        for name in names {
            let name = name?.file_name().to_string_lossy().into_owned();
            match (unhex(&name), name.strip_suffix(PART).map(unhex)) {
                (Ok(sha), _) => held.push(sha),
                (_, Some(Ok(_))) => (),
                _ => strange.push(name),
            }
        }
        held.sort_unstable();
        strange.sort_unstable();
        Ok((held, strange))
    }

    /// SHA-256 of what is here under this name, read through; `None`: nothing is.
    pub fn digest(&self, sha: &Sha) -> io::Result<Option<Sha>> {
        self.open(sha)?.map(|(mut file, _)| digest(&mut file)).transpose()
    }

    /// Bytes of a file from `offset` on, of which there are `bytes_max` at most.
    pub fn arrive(self: &Arc<Self>, sha: &Sha, offset: u64, bytes_max: u64) -> Result<Arriving, NotTaken> {
        if !self.arriving().insert(*sha) {
            return Err(NotTaken::Busy);
        }
        // From here on it is let go of when it is dropped.
        let turn = Turn { files: self.clone(), sha: *sha };
        let held = match self.stands(sha)? {
            Stands::Held(_) => return Err(NotTaken::Held),
            Stands::Arriving(bytes) => bytes,
            Stands::Missing => 0,
        };
        if offset != held {
            return Err(NotTaken::Offset { found: offset, allowed: held });
        }
        self.room(bytes_max.saturating_sub(held))?;
        self.make_folder()?;
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(self.part(sha))?;
        Ok(Arriving { turn, file, bytes: held, bytes_max })
    }

    fn make_folder(&self) -> io::Result<()> {
        if self.dir.is_dir() {
            return Ok(());
        }
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        match builder.create(&self.dir) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => (),
        }
        self.dir.parent().map_or(Ok(()), sync)
    }

    /// Whether so many more bytes leave the room that is kept free.
    fn room(&self, bytes: u64) -> Result<(), NotTaken> {
        let at = if self.dir.is_dir() { Some(self.dir.as_path()) } else { self.dir.parent() };
        let Some(free) = at.and_then(free_bytes) else { return Ok(()) };
        match free.checked_sub(self.keep_free_bytes).is_some_and(|free| free >= bytes) {
            true => Ok(()),
            false => Err(NotTaken::NoRoom(format!(
                "the disk has {free} bytes, of which {} stay free, and {bytes} would come",
                self.keep_free_bytes
            ))),
        }
    }

    /// Deletes a file and what came of it. False: nothing was here.
    pub fn erase(&self, sha: &Sha) -> io::Result<bool> {
        let mut erased = false;
        for path in [self.path(sha), self.part(sha)] {
            match fs::remove_file(path) {
                Ok(()) => erased = true,
                Err(error) if error.kind() == ErrorKind::NotFound => (),
                Err(error) => return Err(error),
            }
        }
        if erased {
            sync(&self.dir)?;
        }
        Ok(erased)
    }

    fn arriving(&self) -> MutexGuard<'_, BTreeSet<Sha>> {
        self.arriving.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One at a time writes a file.
#[derive(Debug)]
struct Turn {
    files: Arc<Files>,
    sha: Sha,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.files.arriving().remove(&self.sha);
    }
}

/// A file that arrives.
#[derive(Debug)]
pub struct Arriving {
    turn: Turn,
    file: File,
    bytes: u64,
    bytes_max: u64,
}

impl Arriving {
    /// Takes the next bytes.
    pub fn write(&mut self, piece: &[u8]) -> Result<(), NotTaken> {
        if self.bytes + piece.len() as u64 > self.bytes_max {
            return Err(NotTaken::TooLong(self.bytes_max));
        }
        self.turn.files.room(piece.len() as u64)?;
        let written = self.file.write_all(piece);
        if let Err(error) = written {
            // What may be half a piece is as good as a whole one: whoever goes on asks how many bytes came.
            return Err(match error.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => NotTaken::NoRoom(error.to_string()),
                _ => NotTaken::Io(error),
            });
        }
        self.bytes += piece.len() as u64;
        Ok(())
    }

    /// Ends for now; how many bytes are here, durably.
    pub fn pause(self) -> Result<u64, NotTaken> {
        self.file.sync_all()?;
        sync(&self.turn.files.dir)?;
        Ok(self.bytes)
    }

    /// Ends for good: what the disk holds is hashed, and put in its place if it is what was named. It is durable when this
    /// returns; its length.
    pub fn finish(mut self) -> Result<u64, NotTaken> {
        let (files, sha) = (&self.turn.files, &self.turn.sha);
        self.file.sync_all()?;
        self.file.seek(SeekFrom::Start(0))?;
        let found = digest(&mut self.file)?;
        if found != *sha {
            fs::remove_file(files.part(sha))?;
            sync(&files.dir)?;
            return Err(NotTaken::WrongDigest(found));
        }
        fs::rename(files.part(sha), files.path(sha))?;
        sync(&files.dir)?;
        Ok(self.bytes)
    }
}

/// SHA-256 of all that is read, in constant memory.
pub fn digest(from: &mut impl io::Read) -> io::Result<Sha> {
    let (mut hasher, mut piece) = (Sha256::new(), vec![0; PIECE_BYTES]);
    loop {
        match from.read(&mut piece) {
            Ok(0) => return Ok(hasher.finalize().into()),
            Ok(read) => hasher.update(&piece[..read]),
            Err(error) if error.kind() == ErrorKind::Interrupted => (),
            Err(error) => return Err(error),
        }
    }
}

/// The next piece of a file, `left` bytes at most; empty at its end.
pub(crate) fn piece(file: &mut File, left: u64) -> io::Result<Vec<u8>> {
    let mut piece = Vec::with_capacity(PIECE_BYTES);
    file.take(left.min(PIECE_BYTES as u64)).read_to_end(&mut piece)?;
    Ok(piece)
}

fn length(path: &Path) -> io::Result<Option<u64>> {
    match fs::metadata(path) {
        Ok(about) => Ok(Some(about.len())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// What was made, renamed or removed in a folder stays so whatever happens.
fn sync(dir: &Path) -> io::Result<()> {
    // Elsewhere a folder cannot be opened to be synced.
    if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
}

/// Bytes of a disk that are free for us; `None`: the system does not say.
#[cfg(unix)]
fn free_bytes(at: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(at).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(not(unix))]
fn free_bytes(_at: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("hamsaya-files-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    fn sha(bytes: &[u8]) -> Sha {
        Sha256::digest(bytes).into()
    }

    #[test]
    fn a_file_comes_in_pieces_and_goes_on_after_a_start() {
        let dir = folder("pieces");
        let (photo, sha) = (b"a photograph", sha(b"a photograph"));
        for cut in 0..=photo.len() {
            let before = Arc::new(Files::of(&dir, 0));
            let mut arriving = before.arrive(&sha, 0, 12).unwrap();
            assert!(matches!(before.arrive(&sha, 0, 12), Err(NotTaken::Busy)));
            arriving.write(&photo[..cut]).unwrap();
            // A process that is killed says nothing to anybody.
            drop((arriving, before));
            let files = Arc::new(Files::of(&dir, 0));
            assert_eq!(files.stands(&sha).unwrap(), Stands::Arriving(cut as u64));
            let wrong = files.arrive(&sha, cut as u64 + 1, 12).unwrap_err();
            assert!(matches!(wrong, NotTaken::Offset { allowed, .. } if allowed == cut as u64), "{wrong}");
            let mut arriving = files.arrive(&sha, cut as u64, 12).unwrap();
            arriving.write(&photo[cut..]).unwrap();
            assert!(matches!(arriving.write(b"!"), Err(NotTaken::TooLong(12))));
            assert_eq!(arriving.finish().unwrap(), 12);
            assert_eq!(files.stands(&sha).unwrap(), Stands::Held(12));
            assert!(matches!(files.arrive(&sha, 0, 12), Err(NotTaken::Held)));
            assert_eq!(files.digest(&sha).unwrap(), Some(sha));
            assert_eq!(files.all().unwrap(), (vec![sha], vec![]));
            assert!(files.erase(&sha).unwrap() && !files.erase(&sha).unwrap());
            assert_eq!(files.stands(&sha).unwrap(), Stands::Missing);
        }
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn other_bytes_are_deleted() {
        let dir = folder("other");
        let files = Arc::new(Files::of(&dir, 0));
        let mut arriving = files.arrive(&sha(b"a photograph"), 0, 100).unwrap();
        arriving.write(b"another one").unwrap();
        let error = arriving.finish().unwrap_err();
        assert!(matches!(error, NotTaken::WrongDigest(found) if found == sha(b"another one")), "{error}");
        assert_eq!(files.stands(&sha(b"a photograph")).unwrap(), Stands::Missing);
        fs::remove_dir_all(dir).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn without_room_it_waits() {
        let dir = folder("room");
        let sha = sha(b"a photograph");
        let error = Arc::new(Files::of(&dir, u64::MAX)).arrive(&sha, 0, 12).unwrap_err();
        assert!(matches!(error, NotTaken::NoRoom(_)), "{error}");
        // A disk that is full whatever was said before.
        let files = Arc::new(Files::of(&dir, 0));
        files.make_folder().unwrap();
        std::os::unix::fs::symlink("/dev/full", files.part(&sha)).unwrap();
        let mut arriving = files.arrive(&sha, 0, 12).unwrap();
        let error = arriving.write(b"a photo").unwrap_err();
        assert!(matches!(error, NotTaken::NoRoom(_)), "{error}");
        fs::remove_dir_all(dir).unwrap();
    }
}
