//! `hamsaya state DIR|URL`: how a node stands.
use super::{Format, Outcome};
use crate::agreements;
use crate::client::{NodeClient, is_url};
use crate::copies::Copies;
use crate::folder::Folder;
use crate::verdicts::{columns, hex};
use anyhow::Result;
use clap::Args;
use hamsaya_record::logs::Head;
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;

/// Show how a node stands: its clock, its heads, who witnessed them, what it refused
#[derive(Args)]
pub struct State {
    /// URL of a running node, or a node's folder, read offline
    #[arg(value_name = "DIR|URL")]
    node: String,
    /// For people or for scripts
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl State {
    pub fn run(&self, out: &mut dyn Write) -> Result<Outcome> {
        let state = if is_url(&self.node) {
            NodeClient::new(&self.node).get("/api/state")?
        } else {
            offline(self.node.as_ref())?
        };
        match self.format {
            Format::Json => writeln!(out, "{state:#}")?,
            Format::Text => out.write_all(as_text(&state).as_bytes())?,
        }
        Ok(Outcome::NoBreach)
    }
}

/// What the folder itself tells, in the form of `GET /api/state`.
fn offline(dir: &Path) -> Result<Value> {
    let folder = Folder::at(dir);
    let copies = Copies::open(dir)?;
    let head = |h: &Head| {
        json!({"node": copies.keeper(&h.origin), "origin": h.origin, "size": h.size, "published_size": h.size,
            "root": hex(&h.root)})
    };
    Ok(json!({
        "node": folder.setting("name")?, "role": folder.setting("role")?, "status": "offline",
        "agreement": {"digest": hex(&agreements::read(&folder.path("agreement"))?.digest())},
        "heads": copies.logs().heads().iter().map(head).collect::<Vec<_>>(),
    }))
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
