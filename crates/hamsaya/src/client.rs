//! A node's HTTP interface, as the command calls it.
//!
//! ```text
//! NodeClient::new("http://127.0.0.1:7411").get("/api/state")   -> JSON
//! ```
//!
//! What a node refuses comes back as a [`Complaint`] with its reason.
use crate::complaint::Complaint;
use anyhow::Result;
use serde_json::Value;
use std::time::Duration;
use ureq::Agent;

/// Talks to one node.
#[derive(Clone, Debug)]
pub struct NodeClient {
    agent: Agent,
    base: String,
}

/// An answer: status and body.
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Body.
    pub body: Vec<u8>,
}

impl NodeClient {
    /// For the node at `url`.
    pub fn new(url: &str) -> NodeClient {
        let config = Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(120)))
            .http_status_as_error(false)
            .proxy(None)
            .build();
        NodeClient { agent: config.new_agent(), base: url.trim_end_matches('/').to_string() }
    }

    /// Where the node is.
    pub fn url(&self) -> &str {
        &self.base
    }

    /// `GET path`, JSON.
    pub fn get(&self, path: &str) -> Result<Value> {
        self.json(self.ask(path)?)
    }

    /// `GET path`, bytes.
    pub fn bytes(&self, path: &str) -> Result<Vec<u8>> {
        let answer = self.ask(path)?;
        if answer.status < 300 { Ok(answer.body) } else { Err(refused(&answer).into()) }
    }

    /// `POST path` with a body, whatever the answer's status.
    pub fn post(&self, path: &str, media_type: &str, body: &[u8]) -> Result<Answer> {
        let sent = self.agent.post(format!("{}{path}", self.base)).header("content-type", media_type).send(body);
        self.answer(sent)
    }

    /// `POST path` with a JSON body; JSON back.
    pub fn post_json(&self, path: &str, body: &[u8]) -> Result<Value> {
        self.json(self.post(path, "application/json", body)?)
    }

    fn ask(&self, path: &str) -> Result<Answer> {
        self.answer(self.agent.get(format!("{}{path}", self.base)).call())
    }

    fn answer(&self, sent: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<Answer> {
        let mut response = sent.map_err(|e| self.silent(e))?;
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(256 << 20).read_to_vec().map_err(|e| self.silent(e))?;
        Ok(Answer { status, body })
    }

    fn json(&self, answer: Answer) -> Result<Value> {
        if answer.status >= 300 {
            return Err(refused(&answer).into());
        }
        Ok(serde_json::from_slice(&answer.body)
            .map_err(|e| Complaint::new(format!("the node's answer is no JSON: {e}")).at(&self.base))?)
    }

    fn silent(&self, error: ureq::Error) -> Complaint {
        Complaint::new(format!("no node answers: {error}"))
            .at(&self.base)
            .hint("start it with `hamsaya serve DIR`, or give the URL that it printed")
    }
}

fn refused(answer: &Answer) -> Complaint {
    Complaint::from_problem(answer.status, &String::from_utf8_lossy(&answer.body))
}

/// Whether a `DIR|URL` argument is a URL.
pub fn is_url(text: &str) -> bool {
    text.starts_with("http://") || text.starts_with("https://")
}

/// A value inside a query string, escaped.
pub fn escaped(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
