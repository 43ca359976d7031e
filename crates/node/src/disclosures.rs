//! Disclosures that a node keeps: what was said in salted fields, beside the log.
//!
//! ```text
//! disclosures/5d41402a….txt      of the statement with this id: one disclosure a line, sorted, mode 0600
//! ```
//! At its author's node they are kept before the statement is sent, so that a crash leaves a disclosure without a statement
//! and never the reverse. At a receiver's node they are what its author handed over. A file is there whole or not at all,
//! and durable when [`Disclosures::keep`] returns; each line fits a digest in the statement, or nothing is kept. No judgment
//! reads them.
use hamsaya_record::disclosure::{self, Disclosure, DisclosureError, Unfit};
use hamsaya_record::statement::{Statement, StatementId};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The folder's name.
pub const DISCLOSURES: &str = "disclosures";
/// Ending of a file that is being written.
const HALF: &str = "half";

/// The disclosures in a node's folder.
#[derive(Debug)]
pub struct Disclosures {
    dir: PathBuf,
    /// Files are read, added to and written by one at a time.
    turn: Mutex<()>,
}

/// Why disclosures are not kept.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// One that is none of this statement's.
    #[error(transparent)]
    Unfit(#[from] DisclosureError),
    /// What is kept already does not read.
    #[error("{DISCLOSURES}/{file}: {error}\nhint: put back the file as it was; only its author has another copy")]
    Kept {
        /// Which file.
        file: String,
        /// Why.
        error: DisclosureError,
    },
    /// The file.
    #[error("{DISCLOSURES}: {0}")]
    Io(#[from] io::Error),
}

impl Disclosures {
    /// Of the node in this folder; nothing is read yet.
    pub fn at(node: &Path) -> Disclosures {
        Disclosures { dir: node.join(DISCLOSURES), turn: Mutex::new(()) }
    }

    /// What is kept of a statement.
    pub fn of(&self, id: &StatementId, statement: &Statement) -> Result<Vec<Disclosure>, KeepError> {
        let bytes = match fs::read(self.path(id, "txt")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            read => read?,
        };
        disclosure::read(statement, &bytes).map_err(|error| KeepError::Kept { file: format!("{id}.txt"), error })
    }

    /// Adds disclosures of a statement; how many were new. All of them fit, or none is kept.
    pub fn keep(&self, id: &StatementId, statement: &Statement, lines: &[String]) -> Result<usize, KeepError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let added = disclosure::check(statement, lines.iter().map(String::as_str))?;
        let kept = self.of(id, statement)?;
        // Its author salted two values under one name: whoever is shown both believes neither.
        let twice = |new: &Disclosure| kept.iter().any(|old| old.name() == new.name() && old.line() != new.line());
        if let Some(n) = added.iter().position(twice) {
            return Err(DisclosureError { line: n + 1, unfit: Unfit::Twice }.into());
        }
        let new = added.iter().filter(|new| !kept.contains(new)).count();
        if new > 0 {
            self.write(id, &disclosure::to_text(kept.iter().chain(&added).map(Disclosure::line)))?;
        }
        Ok(new)
    }

    /// Destroys what is kept of a statement; true if there was anything. It is gone from the disk's folder when this returns.
    pub fn erase(&self, id: &StatementId) -> io::Result<bool> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut erased = false;
        for ending in [HALF, "txt"] {
            match fs::remove_file(self.path(id, ending)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                removed => removed?,
            }
            erased = true;
        }
        if erased {
            sync(&self.dir)?;
        }
        Ok(erased)
    }

    /// Takes away what a process that died left half written: nobody was told that it is kept.
    pub fn clear_halves(&self) -> io::Result<()> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let files = self.files()?;
        files.iter().filter(|path| path.extension().is_some_and(|e| e == HALF)).try_for_each(fs::remove_file)
    }

    /// Ids of the statements of which something is kept.
    pub fn statements(&self) -> io::Result<Vec<StatementId>> {
        let files = self.files()?;
        let names = files.iter().filter(|path| path.extension().is_some_and(|e| e == "txt"));
        Ok(names.filter_map(|path| path.file_stem()?.to_str()?.parse().ok()).collect())
    }

    fn files(&self) -> io::Result<Vec<PathBuf>> {
        match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            entries => {
                let mut files = entries?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
                files.sort();
                Ok(files)
            }
        }
    }

    fn path(&self, id: &StatementId, ending: &str) -> PathBuf {
        self.dir.join(format!("{id}.{ending}"))
    }

    fn write(&self, id: &StatementId, text: &str) -> io::Result<()> {
        let mut folder = DirBuilder::new();
        folder.recursive(true);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        {
            std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        }
        if !self.dir.is_dir() {
            folder.create(&self.dir)?;
            self.dir.parent().map_or(Ok(()), sync)?;
        }
        let half = self.path(id, HALF);
        let mut file = options.open(&half)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(half, self.path(id, "txt"))?;
        sync(&self.dir)
    }
}

/// What was renamed or removed in a folder stays so, whatever happens.
fn sync(dir: &Path) -> io::Result<()> {
    // Elsewhere a folder cannot be opened to be synced.
    if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hamsaya_record::Instant;
    use hamsaya_record::statement::{Act, FieldValue};

    fn make(salt: &[u8; 16], name: &str) -> Disclosure {
        Disclosure::make(*salt, name, &FieldValue::Text("seen".into())).unwrap()
    }

    #[test]
    fn what_fits_is_kept_once_and_what_is_erased_is_gone() {
        let node = std::env::temp_dir().join(format!("hamsaya-disclosures-{}", std::process::id()));
        let _ = fs::remove_dir_all(&node);
        fs::create_dir_all(&node).unwrap();
        let kept = Disclosures::at(&node);
        let (note, more, other) = (make(b"saltsaltsaltsalt", "note"), make(b"saltsaltsaltsalt", "more"), {
            make(b"pepperpepperpepp", "note")
        });
        let mut s = Statement::new([1; 32], Act::Notify, "outage_notice", "", "P1", "p1.example/hamsaya/1", Instant(0));
        s.salted = disclosure::sorted([&note, &more, &other].map(Disclosure::digest));
        let id = StatementId([7; 32]);
        let keep =
            |all: &[&Disclosure]| kept.keep(&id, &s, &all.iter().map(|d| d.line().to_string()).collect::<Vec<_>>());
        assert_eq!((kept.of(&id, &s).unwrap(), kept.statements().unwrap()), (vec![], vec![]));
        assert_eq!(keep(&[&note]).unwrap(), 1);
        assert_eq!(keep(&[&note, &more]).unwrap(), 1);
        assert_eq!(keep(&[&note, &more]).unwrap(), 0);
        let twice = keep(&[&more, &other]).unwrap_err().to_string();
        assert!(twice.starts_with("disclosure 2: found a name that is there already"), "{twice}");
        assert!(keep(&[&make(b"saltsaltsaltsalt", "foreign")]).is_err());
        assert_eq!((kept.of(&id, &s).unwrap().len(), kept.statements().unwrap()), (2, vec![id]));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(kept.path(&id, "txt")), mode(node.join(DISCLOSURES))), (0o600, 0o700));
        }
        // A process that died while it wrote.
        fs::write(kept.path(&id, HALF), "half").unwrap();
        kept.clear_halves().unwrap();
        assert!(!kept.path(&id, HALF).exists());
        // A file that somebody changed is not read as something else.
        let text = fs::read_to_string(kept.path(&id, "txt")).unwrap();
        fs::write(kept.path(&id, "txt"), text.to_uppercase()).unwrap();
        assert!(matches!(kept.of(&id, &s), Err(KeepError::Kept { .. })) && keep(&[&note]).is_err());
        assert!(kept.erase(&id).unwrap() && !kept.erase(&id).unwrap());
        assert_eq!((kept.of(&id, &s).unwrap(), kept.statements().unwrap()), (vec![], vec![]));
        fs::remove_dir_all(node).unwrap();
    }
}
