//! `hamsaya accounts set|remove|list`: offices that sign in to a node's console with a password.
use super::Outcome;
use crate::complaint::Complaint;
use crate::folder::Folder;
use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::{Args, Subcommand};
use hamsaya_agreement::MemberRole;
use hamsaya_node::readers;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};

/// Say which offices sign in to a node's console, and their passwords
///
/// An account is an office's, never a person's; what it may see is the right of its role in the agreement's roles.toml. A node
/// that runs takes a change up at the next sign-in; who is signed in stays so until the session ends.
#[derive(Args)]
pub struct Accounts {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Give an office a password, read from standard input
    Set {
        /// Folder of the node
        dir: PathBuf,
        /// Office, the last part of its key's name, e.g. liaison
        #[arg(long)]
        office: String,
        /// Make a password and print it, instead of reading one
        #[arg(long)]
        generate: bool,
    },
    /// Take an office's account away
    Remove {
        /// Folder of the node
        dir: PathBuf,
        /// Office
        #[arg(long)]
        office: String,
    },
    /// List offices that have an account, with their roles
    List {
        /// Folder of the node
        dir: PathBuf,
    },
}

impl Accounts {
    pub fn run(&self, out: &mut dyn Write) -> Result<Outcome> {
        match &self.verb {
            Verb::Set { dir, office, generate } => {
                let role = role(dir, office)?;
                let password = if *generate { password()? } else { asked()? };
                readers::set(dir, office, Some(&password))?;
                writeln!(out, "{office} ({role}) may sign in")?;
                if *generate {
                    writeln!(out, "password {password}")?;
                }
            }
            Verb::Remove { dir, office } => {
                readers::set(dir, office, None)?;
                writeln!(out, "{office} has no account any more")?;
            }
            Verb::List { dir } => {
                for office in readers::offices(dir)? {
                    let role = role(dir, &office).unwrap_or_else(|_| "no role".to_string());
                    writeln!(out, "{office}  {role}")?;
                }
            }
        }
        Ok(Outcome::NoBreach)
    }
}

/// The role that the agreement in a node's folder gives an office.
fn role(dir: &Path, office: &str) -> Result<String> {
    let folder = Folder::at(dir);
    let agreement = crate::agreements::read(&folder.path("agreement"))?;
    let member = match folder.setting("role")?.as_str() {
        "party" => Some(MemberRole::Party),
        "guarantor" => Some(MemberRole::Guarantor),
        _ => None,
    };
    let rights = agreement.rights();
    let role = member.and_then(|member| rights.role_of_key(member, office)).filter(|role| role.circle.is_some());
    let complaint = || {
        let of = |role: &&hamsaya_agreement::rights::Role| member.is_some_and(|m| role.of.contains(&m));
        let known: Vec<&str> = rights.roles().iter().filter(of).flat_map(|r| r.keys()).map(String::as_str).collect();
        Complaint::new(format!("no role is held by `{office}`, allowed are {}", known.join(" ")))
            .at("--office")
            .hint("roles.toml of the agreement gives offices their roles")
    };
    Ok(role.ok_or_else(complaint)?.name.clone())
}

/// Hard to guess, and can be read out: 20 letters and digits in groups of five.
pub fn password() -> Result<String> {
    let mut bytes = [0; 15];
    getrandom::fill(&mut bytes).map_err(|e| Complaint::new(format!("the system gives no randomness: {e}")))?;
    let text = URL_SAFE_NO_PAD.encode(bytes);
    Ok([&text[..5], &text[5..10], &text[10..15], &text[15..]].join("."))
}

/// The first line of standard input.
fn asked() -> Result<String> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).context("standard input cannot be read")?;
    Ok(line.trim_end_matches(['\r', '\n']).to_string())
}
