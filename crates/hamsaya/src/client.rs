//! A node's HTTP interface, as the command calls it.
//!
//! ```text
//! NodeClient::new("http://127.0.0.1:7411").get("/api/state")   -> JSON
//! ```
//!
//! Whoever holds the key of an office signs what it asks, and sees what the office may: `--as p1/keys/liaison.key`. Without
//! a key one is the public.
//! A node at https:// is believed if the system's roots vouch for it, or the certificates in the file that `SSL_CERT_FILE`
//! names.
//!
//! What a node refuses comes back as a [`Complaint`] with its reason.
use crate::complaint::Complaint;
use crate::folder;
use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use hamsaya_node::signed;
use hamsaya_node::tls;
use hamsaya_record::envelope::Envelope;
use hamsaya_record::key::SecretKey;
use hamsaya_record::statement::{Statement, StatementId, unhex};
use serde_json::Value;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;
use ureq::tls::TlsConfig;
use ureq::{Agent, SendBody};

/// Talks to one node.
#[derive(Clone, Debug)]
pub struct NodeClient {
    agent: Agent,
    /// For what may take long.
    sending: Agent,
    base: String,
    office: Option<Box<(SecretKey, String)>>,
}

/// As whom a node is asked.
#[derive(Args, Clone, Debug, Default)]
pub struct As {
    /// Of a running node: the key file of the office that asks, e.g. p1/keys/liaison.key; without it, the public asks
    #[arg(long = "as", value_name = "FILE")]
    key: Option<PathBuf>,
    /// Of a running node: why it is read; the agreement's roles.toml lists the words
    #[arg(long, value_name = "WORD", default_value = "duty")]
    purpose: String,
}

impl As {
    /// The key file, if one was named.
    pub fn key(&self) -> Option<&Path> {
        self.key.as_deref()
    }

    /// The same with this key where none was named.
    pub fn or(self, key: PathBuf) -> As {
        As { key: self.key.or(Some(key)), ..self }
    }

    /// The node at a URL, asked so.
    pub fn client(&self, url: &str) -> Result<NodeClient> {
        let client = NodeClient::new(url);
        Ok(match &self.key {
            Some(path) => client.acting_as(folder::read_key(path)?, &self.purpose),
            None => client,
        })
    }
}

/// An answer: status and body.
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Body.
    pub body: Vec<u8>,
}

/// Where an accepted statement stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Log.
    pub origin: String,
    /// Place in it.
    pub index: u64,
    /// SHA-256 of the payload, hex.
    pub statement_id: String,
    /// It was there before.
    pub already: bool,
}

impl Receipt {
    fn of(value: &Value) -> Receipt {
        Receipt {
            origin: value["origin"].as_str().unwrap_or_default().into(),
            index: value["index"].as_u64().unwrap_or_default(),
            statement_id: value["statement_id"].as_str().unwrap_or_default().into(),
            already: value["already"].as_bool().unwrap_or_default(),
        }
    }
}

impl NodeClient {
    /// For the node at `url`.
    pub fn new(url: &str) -> NodeClient {
        let config = || Agent::config_builder().http_status_as_error(false).proxy(None).tls_config(tls_config(url));
        let agent = config().timeout_global(Some(Duration::from_secs(120))).build().new_agent();
        // Over a slow line a film takes a day; at its end the node reads all of it once more before it answers.
        let connect = Some(Duration::from_secs(30));
        let answer = Some(Duration::from_secs(900));
        let sending = config().timeout_connect(connect).timeout_recv_response(answer).build().new_agent();
        NodeClient { agent, sending, base: url.trim_end_matches('/').to_string(), office: None }
    }

    /// The same, asked by the office that holds this key.
    pub fn acting_as(self, key: SecretKey, purpose: &str) -> NodeClient {
        NodeClient { office: Some(Box::new((key, purpose.to_string()))), ..self }
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
        let url = format!("{}{path}", self.base);
        let request = self.agent.post(&url).header("content-type", media_type);
        let request =
            self.signed("POST", &url).into_iter().fold(request, |request, (name, value)| request.header(name, value));
        self.answer(request.send(body))
    }

    /// `PATCH path` with the last `length` bytes of a file, after the first `offset`; however long that takes.
    pub fn patch(&self, path: &str, offset: u64, length: u64, mut bytes: &mut dyn Read) -> Result<Answer> {
        let url = format!("{}{path}", self.base);
        let request = self.sending.patch(&url);
        let request = self.signed("PATCH", &url).into_iter().fold(request, |r, (name, value)| r.header(name, value));
        let sent = request
            // Who is refused hears it before he sends anything.
            .header("expect", "100-continue")
            .header("content-type", "application/partial-upload")
            .header("content-length", length)
            .header("upload-offset", offset)
            .header("upload-complete", "?1")
            .send(SendBody::from_reader(&mut bytes));
        self.answer(sent)
    }

    /// `POST path` with a JSON body; JSON back.
    pub fn post_json(&self, path: &str, body: &[u8]) -> Result<Value> {
        self.json(self.post(path, "application/json", body)?)
    }

    /// Appends one statement.
    pub fn post_statement(&self, leaf: &[u8]) -> Result<Receipt> {
        Ok(Receipt::of(&self.post_json("/api/statements", leaf)?))
    }

    /// Appends statements in this order, in one request; each is accepted or refused for itself.
    pub fn post_statements(&self, leaves: &[&[u8]]) -> Result<Vec<Result<Receipt, Complaint>>> {
        let body = leaves.join(&b'\n');
        let answer = self.post("/api/statements", "application/x-ndjson", &body)?;
        if answer.status >= 300 {
            return Err(refused(&answer).into());
        }
        let text = String::from_utf8_lossy(&answer.body);
        let each = text.lines().map(|line| match serde_json::from_str::<Value>(line) {
            Ok(value) if value["index"].is_u64() => Ok(Receipt::of(&value)),
            _ => Err(Complaint::from_problem(answer.status, line)),
        });
        Ok(each.collect())
    }

    /// The statement at a place, with its id; of one whose bytes may leave the node.
    pub fn statement(&self, origin: &str, index: u64) -> Result<(StatementId, Statement)> {
        let item = self.get(&format!("/api/entries/item?origin={}&index={index}", escaped(origin)))?;
        let leaf = STANDARD.decode(item["leaf"].as_str().unwrap_or_default())?;
        let envelope = Envelope::parse_leaf(&leaf)?;
        Ok((envelope.statement_id(), Statement::parse(&envelope.payload)?))
    }

    /// Id of the statement at a place, in hex.
    pub fn statement_id(&self, origin: &str, index: u64) -> Result<String> {
        let item = self.get(&format!("/api/entries/item?origin={}&index={index}", escaped(origin)))?;
        Ok(item["statement_id"].as_str().unwrap_or_default().to_string())
    }

    /// Number of the next statement of a source of this node's member, and id of its last.
    pub fn next_of(&self, source: &str) -> Result<(u64, Option<StatementId>)> {
        let next = self.get(&format!("/api/source?source={}", escaped(source)))?;
        let prev = next["prev"].as_str().map(|id| unhex(id).map(StatementId)).transpose()?;
        Ok((next["seq"].as_u64().unwrap_or_default(), prev))
    }

    fn ask(&self, path: &str) -> Result<Answer> {
        let url = format!("{}{path}", self.base);
        let headers = self.signed("GET", &url).into_iter();
        self.answer(headers.fold(self.agent.get(&url), |request, (name, value)| request.header(name, value)).call())
    }

    /// Headers that say which office asks; none: the public does.
    fn signed(&self, method: &str, url: &str) -> Vec<(&'static str, String)> {
        let sign = |(key, purpose): &(SecretKey, String)| {
            signed::sign(signed::Request::to(method, url, purpose), key, signed::now_s()).into()
        };
        self.office.as_deref().map(sign).unwrap_or_default()
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

/// Without any root nobody at https:// is believed.
fn tls_config(url: &str) -> TlsConfig {
    match url.starts_with("https://") {
        true => tls::trusting(&tls::system_roots()).unwrap_or_else(|_| tls::trusting_nobody()),
        false => TlsConfig::default(),
    }
}

/// What a node refused.
pub fn refused(answer: &Answer) -> Complaint {
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
