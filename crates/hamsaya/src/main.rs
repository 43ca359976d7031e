//! `hamsaya`: the command.
//!
//! ```text
//! hamsaya demo --once                  five nodes on loopback play the golden scenario
//! hamsaya judge --agreement agreements/hamsaya-accord --record p1 --as-of 2026-12-20T16:00:00Z
//! ```
//!
//! Exit codes: 0 no breach, 1 a breach or a fault was found, 2 error. Only this crate prints.
mod agreements;
mod author;
mod client;
mod clock;
mod commands;
mod complaint;
mod copies;
mod demo;
mod draft;
mod faults;
mod files;
mod folder;
mod founding;
mod ged;
mod report;
mod scan;
mod sheet;
mod verdicts;
mod words;

use clap::Parser;
use commands::{Hamsaya, Outcome};
use std::ffi::OsString;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    let command = Hamsaya::parse_from(monpoly(std::env::args_os()));
    let mut out = io::stdout().lock();
    let outcome = command.run(&mut out).and_then(|outcome| Ok(out.flush().map(|()| outcome)?));
    match outcome {
        Ok(Outcome::NoBreach) => ExitCode::SUCCESS,
        Ok(Outcome::Found) => ExitCode::from(1),
        Err(error) if was_reader_gone(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // Where nobody listens the exit code says it.
            let _ = writeln!(io::stderr(), "{}", complaint::spell_out(&error));
            ExitCode::from(2)
        }
    }
}

/// `hamsaya monitor -sig s -formula f -log l`: MonPoly's own spelling of the three.
fn monpoly(args: impl Iterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    let mut monitor = false;
    args.map(move |arg| {
        monitor |= arg == "monitor";
        match arg.to_str() {
            Some(short @ ("-sig" | "-formula" | "-log")) if monitor => OsString::from(format!("-{short}")),
            _ => arg,
        }
    })
}

/// `hamsaya judge … | head` is no error: whoever read has read enough.
fn was_reader_gone(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == ErrorKind::BrokenPipe)
}
