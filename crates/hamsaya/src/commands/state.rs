//! `hamsaya state URL`: how a node stands.
use super::{Format, Outcome};
use crate::client::NodeClient;
use crate::verdicts::columns;
use anyhow::Result;
use clap::Args;
use serde_json::Value;
use std::io::Write;

/// Show how a node stands: its clock, its heads, who witnessed them, what it refused
#[derive(Args)]
pub struct State {
    /// URL of a running node
    #[arg(value_name = "URL")]
    node: String,
    /// For people or for scripts
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl State {
    pub fn run(&self, out: &mut dyn Write) -> Result<Outcome> {
        let state = NodeClient::new(&self.node).get("/api/state")?;
        match self.format {
            Format::Json => writeln!(out, "{state:#}")?,
            Format::Text => out.write_all(as_text(&state).as_bytes())?,
        }
        Ok(Outcome::NoBreach)
    }
}

fn as_text(state: &Value) -> String {
    let text = |v: &Value| match v {
        Value::String(s) => s.clone(),
        Value::Null => "-".into(),
        other => other.to_string(),
    };
    let mut lines = format!(
        "{} ({})  {}  {} clock {}  agreement {}  refused {}\n\n",
        text(&state["node"]),
        text(&state["role"]),
        text(&state["status"]),
        text(&state["clock"]),
        text(&state["now"]),
        text(&state["agreement"]["digest"]).chars().take(12).collect::<String>(),
        text(&state["refused"]),
    );
    let heads = state["heads"].as_array().map(Vec::as_slice).unwrap_or_default();
    let head = |h: &Value| {
        let witnessed = format!("{} of {} needed", text(&h["cosignatures"]), text(&h["quorum"]));
        vec![
            text(&h["node"]),
            text(&h["origin"]),
            text(&h["size"]),
            text(&h["published_size"]),
            text(&h["published_at"]),
            witnessed,
        ]
    };
    let names = ["node", "origin", "size", "witnessed", "at", "cosignatures"].map(String::from).to_vec();
    lines.push_str(&columns(std::iter::once(names).chain(heads.iter().map(head)).collect()));
    let peers = state["peers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let peer = |p: &Value| vec![text(&p["name"]), text(&p["role"]), text(&p["url"]), text(&p["seen_at"])];
    let names = ["peer", "role", "url", "seen"].map(String::from).to_vec();
    lines.push('\n');
    lines.push_str(&columns(std::iter::once(names).chain(peers.iter().map(peer)).collect()));
    lines
}
