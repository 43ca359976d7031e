//! The monitor, from outside.
#![allow(clippy::unwrap_used)] // Helpers of tests stand outside #[test].
mod accord;
mod cases;
mod checked;
mod feed;
mod foreign;
mod oracle;
mod points;
mod random;
mod refusals;
mod speed;
mod syntax;
