//! The command's tests, in one binary.
mod agreement;
mod carry;
mod command;
mod demo;
mod disclose;
mod files;
mod keys;
mod messages;
mod monitor;
mod reference;
mod report;
mod simulate;
mod tidy;
mod tour;
