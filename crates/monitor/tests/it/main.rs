//! The monitor, from outside.
mod accord;
mod cases;
mod oracle;
mod random;
