//! What was said, by whom, when; and proof that nothing was removed.
//!
//! No network, no clock, no threads: `now` and random bytes are arguments, files sit behind [`store::Store`].
#![deny(clippy::float_arithmetic)]

pub mod instant;
pub mod logs;
pub mod statement;

pub use instant::Instant;
