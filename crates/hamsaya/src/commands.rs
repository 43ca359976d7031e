//! What can be asked of the command; a module each.
pub mod accounts;
mod agreement;
mod ask;
mod completions;
mod demo;
mod import;
pub mod init;
mod judge;
mod keys;
mod monitor;
mod record;
mod reference;
mod report;
mod serve;
mod simulate;
mod state;
mod verify;

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};
use std::io::Write;

/// A joint border mechanism as software: one record, one agreement, one verdict.
///
/// Each side records what it saw and did, both check it against the text they signed, and both reach the same verdict from
/// the same evidence, without trusting each other. Exit codes: 0 no breach, 1 a breach or a fault was found, 2 error.
#[derive(Parser)]
#[command(name = "hamsaya", version, max_term_width = 100, subcommand_required = true, arg_required_else_help = true)]
pub struct Hamsaya {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Demo(demo::Demo),
    Init(init::Init),
    Keys(keys::Keys),
    Accounts(accounts::Accounts),
    Serve(serve::Serve),
    Agreement(agreement::Agreement),
    Record(record::Record),
    Import(import::Import),
    Monitor(monitor::Monitor),
    State(state::State),
    Ask(ask::Ask),
    Judge(judge::Judge),
    Report(report::Report),
    Verify(verify::Verify),
    Simulate(simulate::Simulate),
    Completions(completions::Completions),
    Reference(reference::Reference),
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing is breached, nothing is wrong: exit code 0.
    NoBreach,
    /// Something is breached, differs or does not fit: exit code 1.
    Found,
}

/// For people or for scripts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Text,
    /// For scripts
    Json,
}

impl Hamsaya {
    /// Does what was asked.
    pub fn run(&self, out: &mut dyn Write) -> Result<Outcome> {
        match &self.command {
            Command::Demo(c) => c.run(out),
            Command::Init(c) => c.run(out),
            Command::Keys(c) => c.run(out),
            Command::Accounts(c) => c.run(out),
            Command::Serve(c) => c.run(out),
            Command::Agreement(c) => c.run(out),
            Command::Record(c) => c.run(out),
            Command::Import(c) => c.run(out),
            Command::Monitor(c) => c.run(out),
            Command::State(c) => c.run(out),
            Command::Ask(c) => c.run(out),
            Command::Judge(c) => c.run(out),
            Command::Report(c) => c.run(out),
            Command::Verify(c) => c.run(out),
            Command::Simulate(c) => c.run(out),
            Command::Completions(c) => c.run(out),
            Command::Reference(c) => c.run(out),
        }
    }
}
