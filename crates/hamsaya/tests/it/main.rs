//! The command's tests, in one binary.
mod command;
mod messages;
mod monitor;
mod reference;
mod tidy;
