//! What was said, by whom, when; and proof that nothing was removed.
//!
//! No network, no clock, no threads: `now` and random bytes are arguments, files sit behind [`store::Store`].
#![deny(clippy::float_arithmetic)]

pub mod accept;
mod archive;
pub mod attempt;
pub mod bundle;
pub mod checkpoint;
pub mod cosignature;
pub mod disclosure;
pub mod envelope;
pub mod equivocation;
pub mod exhibit;
#[cfg(test)]
mod fixture;
pub mod follower;
pub mod founding;
pub mod instant;
mod json;
pub mod key;
pub mod keyring;
pub mod log;
pub mod logs;
pub mod merkle;
pub mod mirror;
pub mod note;
pub mod policy;
pub mod proof;
pub mod refusal;
pub mod statement;
pub mod store;
pub mod tile;
pub mod tiles;
pub mod timing;
pub mod verify;
pub mod witness;

pub use instant::Instant;
