//! What the command prints when it cannot do what was asked:
//!
//! ```text
//! error: `P9` is no node of this place, allowed are P1 P2 G1 G2 O1
//!   --kill
//! hint: name one of them
//! ```
use hamsaya_agreement::Diagnostics;
use serde_json::Value;
use std::fmt;

/// What was found and allowed, where, and what to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    what: String,
    place: Option<String>,
    hint: Option<String>,
    /// With which a node refused.
    status: Option<u16>,
}

impl Complaint {
    /// What was found, and what is allowed.
    pub fn new(what: impl fmt::Display) -> Complaint {
        Complaint { what: what.to_string(), place: None, hint: None, status: None }
    }

    /// What was found, without place and hint.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// The HTTP status with which a node refused; `None`: no node did.
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// The file, line, flag or address that it is about.
    pub fn at(self, place: impl fmt::Display) -> Complaint {
        Complaint { place: Some(place.to_string()), ..self }
    }

    /// A step that can be taken.
    pub fn hint(self, hint: impl fmt::Display) -> Complaint {
        Complaint { hint: Some(hint.to_string()), ..self }
    }

    /// From the problem document (RFC 9457) with which a node refuses.
    pub fn from_problem(status: u16, body: &str) -> Complaint {
        let problem: Value = serde_json::from_str(body).unwrap_or(Value::Null);
        let text = |key: &str| problem[key].as_str().map(str::trim).filter(|t| !t.is_empty());
        let reason = text("type").map(|t| t.rsplit(':').next().unwrap_or(t).to_string());
        let said = text("detail").or(text("title")).unwrap_or(if body.is_empty() { "no words" } else { body.trim() });
        let what = match &reason {
            Some(reason) => format!("the node refuses ({reason}): {said}"),
            None => format!("the node answers {status}: {said}"),
        };
        let mut complaint = Complaint { status: Some(status), ..Complaint::new(what) };
        if let Some(field) = text("field") {
            let found = text("found").map(|f| format!(": found `{f}`")).unwrap_or_default();
            let allowed = text("allowed").map(|a| format!(", allowed is {a}")).unwrap_or_default();
            complaint = complaint.at(format!("{field}{found}{allowed}"));
        }
        match text("hint") {
            Some(hint) => complaint.hint(hint),
            None => complaint,
        }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.what)?;
        if let Some(place) = &self.place {
            write!(f, "\n  {place}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Complaint {}

/// Any error as people read it, causes below. Complaints and diagnostics already are in that form.
pub fn spell_out(error: &anyhow::Error) -> String {
    if let Some(complaint) = error.downcast_ref::<Complaint>() {
        return complaint.to_string();
    }
    if let Some(diagnostics) = error.downcast_ref::<Diagnostics>() {
        return diagnostics.to_string().trim_end().to_string();
    }
    let mut text = format!("error: {error}");
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        text.push_str("\n  ");
        text.push_str(cause.strip_prefix("error: ").unwrap_or(&cause));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_document_says_found_allowed_where_and_what_next() {
        let body = r#"{"type":"urn:hamsaya:problem:bad_field","title":"A field does not fit","status":400,
            "detail":"`fields.bursts` does not fit","field":"fields.bursts","found":"\"three\"","allowed":"a whole number",
            "hint":"write 3"}"#;
        assert_eq!(
            Complaint::from_problem(400, body).to_string(),
            "error: the node refuses (bad_field): `fields.bursts` does not fit\n  fields.bursts: found `\"three\"`, allowed is a whole number\nhint: write 3"
        );
        assert_eq!(Complaint::from_problem(502, "Bad Gateway").to_string(), "error: the node answers 502: Bad Gateway");
    }

    #[test]
    fn causes_stand_below() {
        let error = anyhow::anyhow!("No such file").context("p1/node.toml cannot be read");
        assert_eq!(spell_out(&error), "error: p1/node.toml cannot be read\n  No such file");
    }
}
