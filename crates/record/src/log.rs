//! One's own log: accepted entries in, signed checkpoints out.
//!
//! ```text
//! let mut log = Log::open(store, key, |index, leaf| …)?;      // reads and checks every byte
//! let sequenced = log.append(&leaves, now)?;                  // durable and signed when it returns
//! log.publish(&cosigned)?;                                    // once a quorum of witnesses has cosigned
//! ```
//! A log never signs two checkpoints that no proof joins, whatever crashes: what it signs is fixed by `lock`, and `lock`
//! is swapped before anybody sees the signature. Which entries are accepted is not decided here.
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::instant::Instant;
use crate::key::SecretKey;
use crate::merkle::Hash;
use crate::note::Note;
use crate::statement::hex;
use crate::store::Store;
use crate::tiles::{Tiles, TilesError};

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
    /// A checkpoint to publish that is not this log's.
    #[error("not a checkpoint of this log: {0}")]
    Foreign(String),
}

/// A log that its owner writes.
#[derive(Debug)]
pub struct Log<S> {
    tiles: Tiles<S>,
    key: SecretKey,
    published: Option<Note>,
    latest: Option<Instant>,
}

impl<S: Store> Log<S> {
    /// Opens the log; `visit` sees every entry in order. Heals what a crash left, or refuses with the key that does not
    /// fit.
    pub fn open(store: S, key: SecretKey, visit: impl FnMut(u64, &[u8])) -> Result<Log<S>, TilesError> {
        let tiles = Tiles::open(store, key.vkey(), visit)?;
        let published = match tiles.store().read("checkpoint")? {
            // Its form and place were checked when the tiles were opened.
            Some((bytes, _)) => Note::parse(&bytes).ok(),
            None => None,
        };
        Ok(Log { tiles, key, published, latest: None })
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

    /// The checkpoint that others may rest on, with its cosignatures.
    pub fn published(&self) -> Option<&Note> {
        self.published.as_ref()
    }

    /// Appends accepted entries. When this returns they are durable and under a signed checkpoint; if it fails other than
    /// by `ClockBack`, open the log again before anything else.
    pub fn append(&mut self, leaves: &[impl AsRef<[u8]>], now: Instant) -> Result<Sequenced, LogError> {
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
        self.tiles.publish(&note)?;
        self.published = Some(note);
        Ok(())
    }
}
