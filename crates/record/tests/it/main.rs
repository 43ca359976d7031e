//! The record's integration tests, in one binary.
#[cfg(test)]
mod attacks;
mod bundle;
#[cfg(test)]
mod exhibit;
mod growth;
#[cfg(test)]
mod keys;
mod mirror;
mod sumdb;
#[cfg(test)]
mod world;

// The fixture of the unit tests is used here too; there it finds these in the crate.
use hamsaya_record::{envelope, founding, instant, key, policy};
