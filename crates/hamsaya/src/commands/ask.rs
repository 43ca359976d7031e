//! `hamsaya ask URL`: one question to a running node, asked as an office; for scripts.
use super::Outcome;
use crate::client::{As, is_url};
use crate::complaint::Complaint;
use anyhow::Result;
use clap::Args;
use std::io::Write;

/// Ask a running node anything of its HTTP interface, and print the answer as it came
///
/// docs/reference/openapi.json lists all paths. With `--as` the request is signed by an office's key (RFC 9421), and the answer is
/// what that office may see.
#[derive(Args)]
pub struct Ask {
    /// Whole URL, e.g. http://127.0.0.1:7411/api/entries?kind=ack
    url: String,
    #[command(flatten)]
    office: As,
}

impl Ask {
    pub fn run(&self, out: &mut dyn Write) -> Result<Outcome> {
        let host = self.url.find("://").map_or(0, |at| at + 3);
        if !is_url(&self.url) {
            return Err(Complaint::new(format!("`{}` is no URL", self.url))
                .hint("give one like http://127.0.0.1:7411/api/state")
                .into());
        }
        let (base, path) = self.url.split_at(self.url[host..].find('/').map_or(self.url.len(), |at| host + at));
        let path = if path.is_empty() { "/api/state" } else { path };
        out.write_all(&self.office.client(base)?.bytes(path)?)?;
        Ok(Outcome::NoBreach)
    }
}
