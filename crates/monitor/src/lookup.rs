//! Tables that are asked and never walked.
//!
//! ```text
//! answers.get(&asked)     answers.insert(asked, answer)
//! ```
//! What is found hangs on the key alone, so no order of a table can be seen. Hashes have a fixed key: two runs do the same
//! work. Whoever chooses texts so that they collide makes a search longer, not another's result.
use hashbrown::HashTable;
use std::hash::{DefaultHasher, Hash, Hasher};

pub(crate) fn hash(key: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

/// Answers by what was asked.
#[derive(Clone, Debug)]
pub(crate) struct Answers<K, T> {
    table: HashTable<(K, T)>,
}

impl<K, T> Default for Answers<K, T> {
    fn default() -> Answers<K, T> {
        Answers { table: HashTable::new() }
    }
}

impl<K: Hash + Eq, T> Answers<K, T> {
    pub(crate) fn get(&self, key: &K) -> Option<&T> {
        self.table.find(hash(key), |(held, _)| held == key).map(|(_, answer)| answer)
    }

    /// The answer for a key, made if there is none.
    pub(crate) fn entry(&mut self, key: K, make: impl FnOnce() -> T) -> &mut T {
        let entry = self.table.entry(hash(&key), |(held, _)| *held == key, |(held, _)| hash(held));
        &mut entry.or_insert_with(|| (key, make())).into_mut().1
    }

    /// For a key that has no answer yet.
    pub(crate) fn insert(&mut self, key: K, answer: T) {
        self.table.insert_unique(hash(&key), (key, answer), |(held, _)| hash(held));
    }
}
