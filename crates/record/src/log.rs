//! One's own log: accepted entries in, signed checkpoints out.
//!
//! ```text
//! let mut log = Log::open(store, key, |index, leaf| …)?;      // reads and checks every byte
//! let sequenced = log.append(&leaves, now)?;                  // durable and signed when it returns
//! log.publish(&cosigned)?;                                    // once a quorum of witnesses has cosigned
//! ```
//! A log never signs two checkpoints that no proof joins, whatever crashes: what it signs is fixed by `lock`, and `lock`
//! is swapped before anybody sees the signature. A disk restored from an old copy is found out by its witnesses, who
//! remember: a node asks them before it signs ([`Log::ask_first`], [`Log::confirm`]). Which entries are accepted is not
//! decided here.
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::cosignature;
use crate::equivocation::Equivocation;
use crate::instant::Instant;
use crate::key::{SecretKey, Vkey};
use crate::merkle::Hash;
use crate::note::Note;
use crate::statement::hex;
use crate::store::Store;
use crate::tiles::{Tiles, TilesError};
use crate::witness::SKEW_S_MAX;
use std::collections::BTreeSet;

/// What a batch became.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequenced {
    /// Index of its first entry.
    pub first_index: u64,
    /// Entries in the log after it.
    pub size: u64,
    /// Root over them.
    pub root: Hash,
    /// The signed checkpoint, not cosigned yet.
    pub checkpoint: Note,
}

/// Why a log refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// See there.
    #[error(transparent)]
    Tiles(#[from] TilesError),
    /// The clock went back: stamps would lie. Stop and look at the clock.
    #[error("the clock went back from {before} to {now}; nothing is signed")]
    ClockBack {
        /// Latest instant seen.
        before: Instant,
        /// Instant given.
        now: Instant,
    },
    /// Too few witnesses were heard since the start: this disk might be an old one.
    #[error("{found} witnesses know of no newer checkpoint of this log, {needed} must before it signs")]
    Unconfirmed {
        /// Answers so far.
        found: usize,
        /// Answers that meet every quorum in an honest witness.
        needed: usize,
    },
    /// A witness holds a checkpoint signed by this log that is not of this tree. Nothing more is signed.
    #[error(
        "a checkpoint signed by this log is not of this tree; nothing more is signed\nhint: two copies of the log were written to; a person must look"
    )]
    Contradicted,
    /// A checkpoint to publish that is not this log's.
    #[error("not a checkpoint of this log: {0}")]
    Foreign(String),
}

/// What a witness's answer says about this disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Confirmation {
    /// It knows of nothing newer.
    Counted {
        /// Answers so far.
        answers: usize,
        /// Answers needed.
        needed: usize,
    },
    /// It cosigned a larger checkpoint of this log: the disk is old. Fetch the entries, then [`Log::restore`].
    Ahead(Box<Note>),
    /// It holds a checkpoint that is not of this tree: the log has stopped.
    Contradicted(Box<Equivocation>),
    /// The note is not this log's.
    Foreign(String),
}

/// A log that its owner writes.
#[derive(Debug)]
pub struct Log<S> {
    tiles: Tiles<S>,
    key: SecretKey,
    published: Option<Note>,
    latest: Option<Instant>,
    /// Witnesses heard since the start, and how many must be.
    answers: BTreeSet<String>,
    needed: usize,
    contradicted: bool,
}

impl<S: Store> Log<S> {
    /// Opens the log; `visit` sees every entry in order. Heals what a crash left, or refuses with the key that does not
    /// fit.
    pub fn open(store: S, key: SecretKey, visit: impl FnMut(u64, &[u8])) -> Result<Log<S>, TilesError> {
        Log::over(Tiles::open(store, key.vkey(), visit)?, key)
    }

    /// Opens the log at its right edge, however long it is; see [`Tiles::resume`] for what is checked. Acceptance needs to
    /// have seen the entries: this is for who keeps that elsewhere, or only reads.
    pub fn resume(store: S, key: SecretKey) -> Result<Log<S>, TilesError> {
        Log::over(Tiles::resume(store, key.vkey())?, key)
    }

    fn over(mut tiles: Tiles<S>, key: SecretKey) -> Result<Log<S>, TilesError> {
        // Its form and place were checked when the tiles were opened.
        let read = |key: &str| -> Result<Option<Note>, TilesError> {
            Ok(tiles.store().read(key)?.and_then(|(bytes, _)| Note::parse(&bytes).ok()))
        };
        let mut published = read("checkpoint")?;
        if let (Some(note), Some(kept)) = (&mut published, read("cosigned")?)
            && kept.text == note.text
        {
            let shown = note.clone();
            kept.signatures.into_iter().for_each(|line| note.add(line));
            note.thin();
            // A crash between the two leaves readers without the latest lines.
            if note.newest() != shown {
                tiles.publish(note)?;
            }
        }
        // A clock behind what witnesses cosigned lies, whoever set it.
        let times = published.iter().flat_map(|note| &note.signatures).filter_map(cosignature::time);
        let latest = times.filter_map(|time| i64::try_from(time).ok()).max().map(|t| Instant(t).plus(-SKEW_S_MAX));
        Ok(Log { tiles, key, published, latest, answers: BTreeSet::new(), needed: 0, contradicted: false })
    }

    /// Its name.
    pub fn origin(&self) -> &str {
        self.key.vkey().name()
    }

    /// Entries, hashes and proofs.
    pub fn tiles(&self) -> &Tiles<S> {
        &self.tiles
    }

    /// Number of entries, published or not.
    pub fn size(&self) -> u64 {
        self.tiles.size()
    }

    /// The newest signed checkpoint; `None` for an empty log.
    pub fn signed(&self) -> Option<&Note> {
        self.tiles.lock()
    }

    /// The checkpoint that others may rest on, with each witness's earliest and latest cosignature. `checkpoint` shows one
    /// line of each key, see [`Note::newest`]; `cosigned` keeps all while there are more.
    pub fn published(&self) -> Option<&Note> {
        self.published.as_ref()
    }

    /// Signs nothing until so many witnesses have been heard: v of the policy (n - q + f + 1), which meets every quorum in
    /// an honest witness. A log of the founding alone need not ask: entry 0 is the same in every copy.
    pub fn ask_first(&mut self, needed: usize) {
        self.needed = needed;
    }

    /// Answers still missing before the log signs.
    pub fn unconfirmed(&self) -> usize {
        self.needed.saturating_sub(self.answers.len())
    }

    /// Takes the answer of a witness of the policy to the question for our newest checkpoint; `None`: it has none.
    pub fn confirm(&mut self, witness: &Vkey, answer: Option<&[u8]>) -> Result<Confirmation, LogError> {
        if let Some(answer) = answer {
            let (theirs, note) = match Checkpoint::open(answer, self.key.vkey()) {
                Ok(opened) => opened,
                Err(error) => return Ok(Confirmation::Foreign(error.to_string())),
            };
            if theirs.size > self.size() {
                return Ok(Confirmation::Ahead(Box::new(note)));
            }
            if let Some(evidence) = self.tiles.contradiction(&note)? {
                self.contradicted = true;
                return Ok(Confirmation::Contradicted(Box::new(evidence)));
            }
        }
        self.answers.insert(witness.keyid());
        Ok(Confirmation::Counted { answers: self.answers.len(), needed: self.needed })
    }

    /// Takes over entries, from [`Log::size`] on, that this log signed for before its disk grew old, under the note that
    /// says so. Nothing new is signed.
    pub fn restore(&mut self, note: &[u8], leaves: &[impl AsRef<[u8]>]) -> Result<(), LogError> {
        let foreign = |e: CheckpointError| LogError::Foreign(e.to_string());
        let (checkpoint, mut note) = Checkpoint::open(note, self.key.vkey()).map_err(foreign)?;
        note.signatures.retain(|line| line.names(self.key.vkey()));
        self.tiles.grow(leaves, |size, root| match (size, root) == (checkpoint.size, checkpoint.root) {
            true => Ok(note),
            false => Err(TilesError::OtherRoot { found: hex(&root), expected: hex(&checkpoint.root) }),
        })?;
        Ok(())
    }

    /// Appends accepted entries. When this returns they are durable and under a signed checkpoint. After an error of the
    /// tiles that says *state unknown*, open the log again before anything else.
    pub fn append(&mut self, leaves: &[impl AsRef<[u8]>], now: Instant) -> Result<Sequenced, LogError> {
        if self.contradicted {
            return Err(LogError::Contradicted);
        }
        if self.unconfirmed() > 0 && self.size() > 0 {
            return Err(LogError::Unconfirmed { found: self.answers.len(), needed: self.needed });
        }
        if let Some(before) = self.latest.filter(|before| *before > now) {
            return Err(LogError::ClockBack { before, now });
        }
        self.latest = Some(now);
        let first_index = self.size();
        let (key, origin) = (&self.key, self.key.vkey().name().to_string());
        self.tiles.grow(leaves, |size, root| Ok::<_, TilesError>(Checkpoint { origin, size, root }.sign(key)))?;
        let checkpoint = self.tiles.lock().cloned().ok_or(TilesError::Unknown)?;
        Ok(Sequenced { first_index, size: self.size(), root: self.tiles.root(), checkpoint })
    }

    /// See [`Tiles::settle`].
    pub fn settle(&mut self) -> Result<(), TilesError> {
        self.tiles.settle()
    }

    /// Publishes a checkpoint of this log, or adds cosignatures to the one that is published. An older one is left alone.
    pub fn publish(&mut self, note: &Note) -> Result<(), LogError> {
        let foreign = |e: CheckpointError| LogError::Foreign(e.to_string());
        let (checkpoint, _) = Checkpoint::open(note.to_text().as_bytes(), self.key.vkey()).map_err(foreign)?;
        if checkpoint.size > self.size() || self.tiles.root_at(checkpoint.size)? != checkpoint.root {
            let found = format!("size {} root {}", checkpoint.size, hex(&checkpoint.root));
            return Err(LogError::Foreign(format!("{found} is not on the way to size {}", self.size())));
        }
        let mut note = note.clone();
        if let Some(published) = &self.published {
            if published.text == note.text {
                for signature in &published.signatures {
                    note.add(signature.clone());
                }
            } else if Checkpoint::parse(&published.text).is_ok_and(|p| p.size > checkpoint.size) {
                return Ok(());
            }
        }
        note.thin();
        if self.published.as_ref() != Some(&note) {
            if note.newest() != note {
                self.tiles.keep_cosigned(&note)?;
            }
            self.tiles.publish(&note)?;
            self.published = Some(note);
        }
        Ok(())
    }
}
