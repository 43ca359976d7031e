//! Equivocation: two checkpoints signed by one log that cannot both be true.
//!
//! ```text
//! size 912 root R1        one size, two roots; or
//! size 912 root R2        sizes a < b, and a proof that b has another root over its first a entries
//! ```
//! It verifies itself: whoever holds it can show it to anybody, and the log cannot answer. Two checkpoints that nobody has
//! joined by a proof yet are not evidence; whose entries are missing must be asked first.
use crate::checkpoint::Checkpoint;
use crate::key::Vkey;
use crate::merkle::{Hash, verify_consistency};
use crate::note::Note;

/// Both notes, the smaller first, and what joins them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Equivocation {
    /// The smaller, or one of the same size.
    pub first: Note,
    /// The larger, or the other.
    pub second: Note,
    /// Root that the tree of the second has over the size of the first.
    pub root: Hash,
    /// Consistency proof from there to the second; empty for one size.
    pub proof: Vec<Hash>,
}

impl Equivocation {
    /// Two notes of one size, if the log signed both and their roots differ.
    pub fn of_one_size(first: &Note, second: &Note, log: &Vkey) -> Option<Equivocation> {
        let root = Checkpoint::parse(&second.text).ok()?.root;
        let found = Equivocation { first: first.clone(), second: second.clone(), root, proof: Vec::new() };
        found.is_proven(log).then_some(found)
    }

    /// True if this proves that the holder of the log's key signed two heads.
    pub fn is_proven(&self, log: &Vkey) -> bool {
        let open = |note: &Note| Checkpoint::open(note.to_text().as_bytes(), log).map(|(checkpoint, _)| checkpoint);
        let (Ok(first), Ok(second)) = (open(&self.first), open(&self.second)) else { return false };
        // A proof from size 0 would say nothing, and is none.
        first.size > 0
            && self.root != first.root
            && verify_consistency(first.size, &self.root, second.size, &second.root, &self.proof)
    }
}
