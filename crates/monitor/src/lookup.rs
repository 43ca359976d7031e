//! Tables that are asked and never walked.
//!
//! ```text
//! answers.get(&asked)     answers.insert(asked, answer)
//! ```
//! What is found hangs on the key alone, so no order of a table can be seen. Hashes have a fixed key: two runs do the same
//! work. Whoever chooses texts so that they collide makes a search longer, not another's result. Texts come from outside, so
//! their hash is a strong one, and is kept; what stands inside for them is a number, and that of numbers is quick.
use hashbrown::HashTable;
use std::hash::{DefaultHasher, Hash, Hasher};

/// The hash of numbers, by a fold of products.
#[derive(Clone, Copy)]
pub(crate) struct Folding(u64);

impl Folding {
    pub(crate) fn new() -> Folding {
        Folding(0x9e37_79b9_7f4a_7c15)
    }
}

impl Hasher for Folding {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, n: u8) {
        self.write_u64(u64::from(n));
    }

    fn write_u64(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * 0xd6e8_feb8_6659_fd93;
        self.0 = (product as u64 ^ (product >> 64) as u64).rotate_left(23);
    }

    fn write_usize(&mut self, n: usize) {
        self.write_u64(n as u64);
    }

    fn finish(&self) -> u64 {
        let product = u128::from(self.0) * 0x9e37_79b9_7f4a_7c15;
        product as u64 ^ (product >> 64) as u64
    }
}

pub(crate) fn hash(key: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = Folding::new();
    key.hash(&mut hasher);
    hasher.finish()
}

/// The hash of a text, so short that it can be kept beside what the text names.
pub(crate) fn hash_of_text(text: &str) -> u32 {
    let mut hasher = DefaultHasher::new();
    hasher.write(text.as_bytes());
    hasher.finish() as u32
}

/// A kept hash as a table takes it.
pub(crate) fn spread(kept: u32) -> u64 {
    u64::from(kept).wrapping_mul(0x9e37_79b9_7f4a_7c15)
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
