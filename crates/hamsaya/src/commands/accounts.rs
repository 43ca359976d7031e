//! `hamsaya accounts set|enrol|remove|list`: offices that sign in to a node's console, with a password or passkeys.
use super::Outcome;
use crate::complaint::Complaint;
use crate::folder::Folder;
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use hamsaya_agreement::MemberRole;
use hamsaya_node::accounts::{self, Account};
use hamsaya_node::signed::now_s;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};

/// Say which offices sign in to a node's console, and by what
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
    /// Make a code with which an office signs in once, within a day, to add a passkey
    Enrol {
        /// Folder of the node
        dir: PathBuf,
        /// Office, the last part of its key's name, e.g. liaison
        #[arg(long)]
        office: String,
    },
    /// Take an office's account away, or one of its passkeys
    Remove {
        /// Folder of the node
        dir: PathBuf,
        /// Office
        #[arg(long)]
        office: String,
        /// Only this passkey, e.g. key-2
        #[arg(long, value_name = "LABEL")]
        passkey: Option<String>,
    },
    /// List offices that have an account, with their roles and by what they sign in
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
                let password = if *generate { accounts::password()? } else { asked()? };
                accounts::set(dir, office, &password)?;
                writeln!(out, "{office} ({role}) may sign in")?;
                if *generate {
                    writeln!(out, "password {password}")?;
                }
            }
            Verb::Enrol { dir, office } => {
                let role = role(dir, office)?;
                let code = accounts::enrol(dir, office, now_s())?;
                writeln!(
                    out,
                    "{office} ({role}) may sign in once, within {} hours",
                    accounts::ENROLMENT_LIFE_S / 3_600
                )?;
                writeln!(out, "code {code}")?;
            }
            Verb::Remove { dir, office, passkey: None } => {
                accounts::remove(dir, office)?;
                writeln!(out, "{office} has no account any more")?;
            }
            Verb::Remove { dir, office, passkey: Some(label) } => {
                accounts::remove_passkey(dir, office, label)?;
                writeln!(out, "{office} has no passkey {label} any more")?;
            }
            Verb::List { dir } => {
                for account in accounts::list(dir)? {
                    let role = role(dir, &account.office).unwrap_or_else(|_| "no role".to_string());
                    writeln!(out, "{}  {role}  {}", account.office, ways(&account))?;
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

/// `password, key-1 (p1.example)`
fn ways(account: &Account) -> String {
    let password = account.password.iter().map(|_| "password".to_string());
    let code = account.enrolment.iter().filter(|code| now_s() < code.until_s).map(|_| "code".to_string());
    let passkeys = account.passkeys.iter().map(|kept| format!("{} ({})", kept.label, kept.rp_id));
    let ways: Vec<String> = password.chain(code).chain(passkeys).collect();
    if ways.is_empty() { "nothing to sign in with".to_string() } else { ways.join(", ") }
}

/// The first line of standard input.
fn asked() -> Result<String> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).context("standard input cannot be read")?;
    Ok(line.trim_end_matches(['\r', '\n']).to_string())
}
