//! The command's tests, in one binary.
mod command;
mod messages;
mod reference;
mod tidy;
