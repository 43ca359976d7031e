//! A verified copy of another's log.
//!
//! ```text
//! let mut copy = Follower::open(store, key, |index, leaf| …)?;
//! copy.advance(&checkpoint, &leaves)?;        // leaves from copy.size() on, up to the checkpoint's size
//! ```
//! The copy grows only to checkpoints that the log signed and that its entries lead to, so what it holds is a prefix of
//! what the log promised. Two checkpoints that cannot both be true are returned: together they prove themselves.
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::key::Vkey;
use crate::note::Note;
use crate::statement::hex;
use crate::store::Store;
use crate::tiles::{Tiles, TilesError};

/// What a checkpoint did to a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    /// The copy grew.
    Grown {
        /// Size before.
        from: u64,
        /// Size now.
        to: u64,
    },
    /// It brought cosignatures, or nothing new.
    Same,
    /// The copy is ahead of it.
    Older,
}

/// Why a copy did not follow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FollowError {
    /// Not a checkpoint of this log.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Too few or too many entries came with it.
    #[error("{found} entries came with the checkpoint, {expected} are between it and this copy")]
    Count {
        /// How many came.
        found: u64,
        /// How many lie between.
        expected: u64,
    },
    /// The log signed two checkpoints that cannot both be true; see [`Tiles::contradiction`] for the evidence.
    #[error("{origin} signed two checkpoints that no proof joins: it shows different logs to different readers", origin = ours.text.lines().next().unwrap_or(""))]
    Inconsistent {
        /// What this copy rests on.
        ours: Box<Note>,
        /// What came.
        theirs: Box<Note>,
    },
    /// See there.
    #[error(transparent)]
    Tiles(#[from] TilesError),
}

/// A copy of a log whose key its owner holds.
#[derive(Debug)]
pub struct Follower<S> {
    tiles: Tiles<S>,
    key: Vkey,
}

impl<S: Store> Follower<S> {
    /// Opens the copy; `visit` sees every entry in order.
    pub fn open(store: S, key: Vkey, visit: impl FnMut(u64, &[u8])) -> Result<Follower<S>, TilesError> {
        let mut tiles = Tiles::open(store, &key, visit)?;
        // A crash between the two leaves the copy longer than the checkpoint that readers get.
        if let Some(lock) = tiles.lock().cloned()
            && tiles.public("checkpoint")? != Some(lock.newest().to_text().into_bytes())
        {
            tiles.publish(&lock)?;
        }
        Ok(Follower { tiles, key })
    }

    /// Name of the log.
    pub fn origin(&self) -> &str {
        self.key.name()
    }

    /// Entries, hashes and proofs.
    pub fn tiles(&self) -> &Tiles<S> {
        &self.tiles
    }

    /// Number of entries it holds.
    pub fn size(&self) -> u64 {
        self.tiles.size()
    }

    /// The checkpoint it rests on.
    pub fn checkpoint(&self) -> Option<&Note> {
        self.tiles.lock()
    }

    /// Follows the log to a checkpoint with the entries from [`Follower::size`] on.
    pub fn advance(&mut self, note: &[u8], leaves: &[impl AsRef<[u8]>]) -> Result<Follow, FollowError> {
        let (checkpoint, note) = Checkpoint::open(note, &self.key)?;
        let from = self.size();
        if checkpoint.size <= from {
            if self.tiles.root_at(checkpoint.size)? != checkpoint.root {
                let ours = self.tiles.lock().cloned().unwrap_or_else(|| note.clone());
                return Err(FollowError::Inconsistent { ours: Box::new(ours), theirs: Box::new(note) });
            }
            if checkpoint.size < from {
                return Ok(Follow::Older);
            }
            return self.merge(note);
        }
        let expected = checkpoint.size - from;
        if leaves.len() as u64 != expected {
            return Err(FollowError::Count { found: leaves.len() as u64, expected });
        }
        // Entries that lead elsewhere prove nothing against the log: anybody can send wrong entries.
        self.tiles.grow(leaves, |_, root| match root == checkpoint.root {
            true => Ok(note.clone()),
            false => Err(TilesError::OtherRoot { found: hex(&root), expected: hex(&checkpoint.root) }),
        })?;
        // The lock holds the same note. If there is no room to show it to readers of the folder, the next one is shown.
        match self.tiles.publish(&note) {
            Err(error) if !error.is_not_written() => Err(error.into()),
            _ => Ok(Follow::Grown { from, to: checkpoint.size }),
        }
    }

    /// See [`Tiles::settle`].
    pub fn settle(&mut self) -> Result<(), TilesError> {
        self.tiles.settle()
    }

    fn merge(&mut self, note: Note) -> Result<Follow, FollowError> {
        let Some(held) = self.tiles.lock() else { return Ok(Follow::Same) };
        let mut merged = held.clone();
        for signature in note.signatures {
            merged.add(signature);
        }
        merged.thin();
        if merged != *held {
            self.tiles.relock(merged.clone())?;
            self.tiles.publish(&merged)?;
        }
        Ok(Follow::Same)
    }
}
