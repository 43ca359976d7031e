//! `hamsaya state DIR|URL`: how a node stands.
use super::{Format, Outcome};
use crate::agreements;
use crate::client::{As, is_url};
use crate::copies::Copies;
use crate::folder::Folder;
use crate::verdicts::{columns, hex};
use anyhow::Result;
use clap::Args;
use hamsaya_record::logs::Head;
use hamsaya_record::timing::{DARK_S, Gap};
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;

/// Show how a node stands: its clock, its heads, who witnessed them, what it refused
#[derive(Args)]
pub struct State {
    /// URL of a running node, or a node's folder, read offline
    #[arg(value_name = "DIR|URL")]
    node: String,
    #[command(flatten)]
    office: As,
    /// For people or for scripts
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl State {
    pub fn run(&self, out: &mut dyn Write) -> Result<Outcome> {
        let state = if is_url(&self.node) {
            self.office.client(&self.node)?.get("/api/state")?
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
    let logs = copies.logs();
    let head = |h: &Head| {
        json!({"node": copies.keeper(&h.origin), "origin": h.origin, "size": h.size, "published_size": h.size,
            "root": hex(&h.root)})
    };
    // What the logs tell of darkness.
    let gaps = logs.heads().iter().flat_map(|h| logs.gaps(&h.origin, DARK_S).into_iter().map(move |gap| (h, gap)));
    let gap = |(h, gap): (&Head, Gap)| {
        let told = gap.told.iter().map(|(origin, index, _)| format!("{}#{index}", copies.keeper(origin)));
        json!({"node": copies.keeper(&h.origin), "dark_from": gap.from.to_string(),
            "dark_to": gap.to.map(|to| to.to_string()), "told_by": told.collect::<Vec<_>>().join(" ")})
    };
    Ok(json!({
        "node": folder.setting("name")?, "role": folder.setting("role")?, "status": "offline",
        "agreement": {"digest": hex(&agreements::read(&folder.path("agreement"))?.digest())},
        "heads": logs.heads().iter().map(head).collect::<Vec<_>>(),
        "gaps": gaps.map(gap).collect::<Vec<_>>(),
    }))
}

fn as_text(state: &Value) -> String {
    let mut text = format!("{} ({})  {}", shown(&state["node"]), shown(&state["role"]), shown(&state["status"]));
    if state["clock"].is_string() {
        text.push_str(&format!("  {} clock {}", shown(&state["clock"]), shown(&state["now"])));
    }
    if state["refused"].is_u64() {
        text.push_str(&format!("  refused {}", shown(&state["refused"])));
    }
    text.push_str(&format!("\nagreement {}\n", shown(&state["agreement"]["digest"])));
    text.push_str(&table(
        &state["heads"],
        &["node", "origin", "size", "published_size", "published_at", "dark_since", "cosignatures", "quorum"],
    ));
    text.push_str(&table(&state["gaps"], &["node", "dark_from", "dark_to", "told_by"]));
    text.push_str(&table(&state["peers"], &["name", "role", "url", "seen_at"]));
    text
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".into(),
        other => other.to_string(),
    }
}

/// A list of objects as a table of these keys; nothing for an empty list.
fn table(list: &Value, keys: &[&str]) -> String {
    let rows = list.as_array().map(Vec::as_slice).unwrap_or_default();
    // A column in which nothing stands is left out.
    let keys: Vec<&str> = keys.iter().copied().filter(|k| rows.iter().any(|r| !r[k].is_null())).collect();
    if keys.is_empty() {
        return String::new();
    }
    let head = keys.iter().map(|k| k.replace('_', " ")).collect();
    let cells = rows.iter().map(|row| keys.iter().map(|k| shown(&row[k])).collect());
    format!("\n{}", columns(std::iter::once(head).chain(cells).collect()))
}
