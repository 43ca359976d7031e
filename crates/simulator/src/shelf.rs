//! A disk that may do what a store must not.
//!
//! ```text
//! Shelf::of(memory)             does what the memory does
//! Shelf::of(memory).careless()  swaps without comparing: what a process does that holds no lock
//! ```
use hamsaya_record::store::{Created, Memory, Store, StoreError, Version};

/// A store in memory behind a process that may be broken.
#[derive(Clone, Debug)]
pub(crate) struct Shelf {
    memory: Memory,
    careless: bool,
}

impl Shelf {
    pub(crate) fn of(memory: &Memory) -> Shelf {
        Shelf { memory: memory.clone(), careless: false }
    }

    pub(crate) fn careless(self, careless: bool) -> Shelf {
        Shelf { careless, ..self }
    }
}

impl Store for Shelf {
    fn read(&self, key: &str) -> Result<Option<(Vec<u8>, Version)>, StoreError> {
        self.memory.read(key)
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        self.memory.list(prefix)
    }

    fn create(&mut self, key: &str, bytes: &[u8]) -> Result<Created, StoreError> {
        self.memory.create(key, bytes)
    }

    fn swap(&mut self, key: &str, old: Option<Version>, bytes: &[u8]) -> Result<Version, StoreError> {
        let old = if self.careless { self.memory.read(key)?.map(|(_, found)| found) } else { old };
        self.memory.swap(key, old, bytes)
    }

    fn delete(&mut self, key: &str) -> Result<(), StoreError> {
        self.memory.delete(key)
    }
}
