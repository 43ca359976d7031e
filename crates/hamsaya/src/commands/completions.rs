//! `hamsaya completions SHELL`.
use super::{Hamsaya, Outcome};
use anyhow::Result;
use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};
use std::io::Write;

/// Print completions for a shell, to be sourced by it
#[derive(Args)]
pub struct Completions {
    /// Which shell
    shell: Shell,
}

impl Completions {
    pub fn run(&self, out: &mut dyn Write) -> Result<Outcome> {
        let mut script = Vec::new();
        generate(self.shell, &mut Hamsaya::command(), "hamsaya", &mut script);
        out.write_all(&script)?;
        Ok(Outcome::NoBreach)
    }
}
