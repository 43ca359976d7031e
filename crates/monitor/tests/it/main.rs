//! The monitor, from outside.
mod accord;
mod cases;
