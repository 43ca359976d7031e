//! A literate case as steps that can be signed and posted.
use crate::complaint::Complaint;
use anyhow::Result;
use hamsaya_record::Instant;
use hamsaya_record::statement::{FieldValue, Occurred, Place, Rel};
use std::collections::BTreeMap;

/// A scenario: when it starts, what is said, what is expected.
#[derive(Clone, Debug)]
pub struct Script {
    /// H 0.
    pub start: Instant,
    /// Steps in order of time.
    pub steps: Vec<Step>,
    /// Verdicts expected at instants.
    pub blocks: Vec<Block>,
}

/// One row.
#[derive(Clone, Debug)]
pub struct Step {
    /// When.
    pub at: Instant,
    /// What is said then; `None`: only the clock moves.
    pub entry: Option<Said>,
    /// In one sentence.
    pub narration: String,
}

/// What one node says.
#[derive(Clone, Debug)]
pub struct Said {
    /// `#18`.
    pub label: String,
    /// Whose log, e.g. `G2`.
    pub log: String,
    /// Who speaks.
    pub party: String,
    /// Whose keys sign.
    pub by: Vec<String>,
    /// `lane_open`.
    pub kind: String,
    /// Fields of the kind.
    pub fields: BTreeMap<String, FieldValue>,
    /// References to earlier rows.
    pub refs: Vec<(Rel, String)>,
    /// To whom.
    pub to: Vec<String>,
    /// When it happened.
    pub occurred_at: Option<Occurred>,
    /// Where.
    pub place: Option<Place>,
    /// An exercise.
    pub drill: bool,
}

/// What is expected at one instant.
#[derive(Clone, Debug)]
pub struct Block {
    /// Judged as of.
    pub as_of: Instant,
    /// By what was known by.
    pub known_by: Instant,
    /// Lines as printed.
    pub lines: Vec<String>,
}

impl Script {
    /// A case that this binary carries, by the name of its file.
    pub fn shipped(name: &str) -> Result<Script> {
        let path = format!("cases/good/{name}.md");
        let text = crate::agreements::shipped_text(&path)?;
        Err(Complaint::new(format!("{path}: {} bytes", text.len())).into())
    }

    /// The last instant of the scenario.
    pub fn end(&self) -> Instant {
        let steps = self.steps.iter().map(|s| s.at);
        let blocks = self.blocks.iter().map(|b| b.as_of);
        steps.chain(blocks).max().unwrap_or(self.start)
    }
}
