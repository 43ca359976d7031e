//! What a node asks of others, over HTTP.
//!
//! ```text
//! POST <peer>/witness/add-checkpoint                200 lines · 409 size · 422 other tree
//! GET  <peer>/witness/<hex>/checkpoint              200 note · 404 never seen
//! GET  <peer>/peer/<hex>/checkpoint                 200 note · 304 nothing new · 404 nothing published
//!        if-none-match: "…"   prefer: wait=20       preference-applied: wait=20   if the peer held the question
//! GET  <peer>/peer/<hex>/tile/entries/000.p/7       200 bundle · 404: the full one stands for it
//!        range: bytes=4213-                         206 what came after 000.p/5, which this lane fetched before
//! ```
//! A bundle that grows begins with what it was: over a slow line only the new entries come, and what broke off on its way
//! goes on from there. Whether the parts fit is seen where the copy is hashed; if they do not, the log is asked for anew,
//! without an etag, and nothing is kept from before.
//!
//! Mirrors are brought things outside of the lanes ([`crate::bringing`]): nothing of the node waits for it.
//!
//! Each witness and each log has a lane of its own, so that a silent peer holds up nobody else. At most one question is in
//! flight in a lane: the node asks no sooner.
use crate::node::{Action, Cosigning, Event, News, Silence};
use crate::shell::{Message, in_thread};
use crate::signed;
use flate2::Compression;
use flate2::read::GzEncoder;
use hamsaya_record::key::SecretKey;
use hamsaya_record::tile::Tile;
use hamsaya_record::witness::origin_hash;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use ureq::http::Response;
use ureq::tls::TlsConfig;
use ureq::typestate::WithoutBody;
use ureq::{Agent, RequestBuilder};

/// No answer is longer, in bytes: a bundle holds 256 entries of 64 KiB.
const ANSWER_BYTES_MAX: u64 = 20 << 20;
/// How long an answer may take, beyond the time for which a question is held.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a bundle may be on its way before the rest is asked for anew: a line of 2G carries a full one in a minute.
const BUNDLE_PATIENCE: Duration = Duration::from_secs(60);
/// Less than this in that time, and somebody else is asked.
const BUNDLE_BYTES_MIN: usize = 4096;
/// So often is the rest of one bundle asked for.
const BUNDLE_TRIES: usize = 8;
/// What is shorter goes as it is.
const PACKED_BYTES_MIN: usize = 512;
/// A connection at rest is kept for the next heartbeat: a new one takes a slow line two more round trips.
const IDLE: Duration = Duration::from_secs(90);

/// Lanes to the other nodes.
pub(crate) struct Wire {
    peers: BTreeMap<String, Peer>,
    inbox: Sender<Message>,
    lanes: Mutex<BTreeMap<String, Sender<Asked>>>,
}

/// Another node, as it is reached.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) name: String,
    pub(crate) url: String,
    /// What it has to show; `None`: it speaks without TLS.
    pub(crate) tls: Option<TlsConfig>,
}

impl Wire {
    /// To these peers.
    pub(crate) fn new(peers: &[Peer], inbox: Sender<Message>) -> Wire {
        let peers = peers.iter().map(|peer| (peer.name.clone(), peer.clone())).collect();
        Wire { peers, inbox, lanes: Mutex::new(BTreeMap::new()) }
    }

    /// Asks, signed by the node's key of the moment; the answer comes back as an event.
    pub(crate) fn send(&self, action: Action, key: &Arc<SecretKey>) {
        let (lane, peer) = match &action {
            Action::AskWitness { peer, .. } | Action::AskNewest { peer, .. } => (format!("witness {peer}"), peer),
            Action::FetchCheckpoint { origin, peer, .. } | Action::FetchEntries { origin, peer, .. } => {
                (format!("log {origin}"), peer)
            }
            Action::Reply { .. } | Action::Judge(_) | Action::Announce(_) => return,
        };
        let Some(peer) = self.peers.get(peer) else { return };
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = lanes.entry(lane.clone()).or_insert_with(|| open_lane(&lane, self.inbox.clone()));
        // A lane ends only when the node has.
        let _ = sender.send(Asked { action, peer: peer.clone(), key: key.clone() });
    }
}

fn open_lane(name: &str, inbox: Sender<Message>) -> Sender<Asked> {
    let (send, receive) = channel::<Asked>();
    in_thread(name, move || {
        let mut clients: BTreeMap<String, Client> = BTreeMap::new();
        for Asked { action, peer, key } in receive {
            let client = clients.entry(peer.name).or_insert_with(|| Client::new(peer.tls, key.clone()));
            client.key = key;
            let Some(event) = client.perform(action, &peer.url) else { continue };
            if inbox.send(Message::Event(event)).is_err() {
                return;
            }
        }
    });
    send
}

/// One question, where it goes, and whose key says who asks.
struct Asked {
    action: Action,
    peer: Peer,
    key: Arc<SecretKey>,
}

/// Asks one thing after the other.
pub(crate) struct Client {
    agent: Agent,
    key: Arc<SecretKey>,
    /// The last bundle that was fetched before it was full.
    begun: Option<Begun>,
}

/// A bundle that may have grown since it was fetched.
struct Begun {
    base: String,
    tile: Tile,
    bytes: Vec<u8>,
}

/// Status, headers and body of an answer.
struct Said {
    status: u16,
    held: bool,
    etag: Option<String>,
    /// First byte of a part.
    from: Option<usize>,
    body: Vec<u8>,
    /// The body ends before its end.
    broke_off: Option<Silence>,
}

impl Client {
    /// `tls`: what whoever is asked has to show; `key`: who asks.
    pub(crate) fn new(tls: Option<TlsConfig>, key: Arc<SecretKey>) -> Client {
        Client { agent: agent(tls), key, begun: None }
    }

    fn perform(&mut self, action: Action, url: &str) -> Option<Event> {
        Some(match action {
            Action::AskWitness { peer, size, body } => {
                let answer = self.add_checkpoint(url, &body);
                Event::WitnessAnswered { peer, size, answer }
            }
            Action::AskNewest { peer, origin } => {
                let answer = self.newest(url, &origin);
                Event::NewestSeen { peer, answer }
            }
            Action::FetchCheckpoint { origin, peer, etag, hold_ms } => {
                let base = log_base(url, &origin);
                if etag.is_none() {
                    self.begun = None;
                }
                let answer = self.checkpoint(&base, etag, hold_ms);
                Event::PeerCheckpoint { origin, peer, answer }
            }
            Action::FetchEntries { origin, peer, tiles } => {
                let base = log_base(url, &origin);
                let answer = tiles.into_iter().map(|tile| self.bundle(&base, tile)).collect();
                Event::PeerEntries { origin, peer, answer }
            }
            Action::Reply { .. } | Action::Judge(_) | Action::Announce(_) => return None,
        })
    }

    fn add_checkpoint(&self, url: &str, body: &[u8]) -> Result<Cosigning, Silence> {
        let request = self.agent.post(format!("{url}/witness/add-checkpoint"));
        let request = request.config().timeout_global(Some(PATIENCE)).build();
        let said = read(request.content_type("text/plain; charset=utf-8").send(body))?;
        let text = String::from_utf8_lossy(&said.body).trim().to_string();
        match said.status {
            200 => Ok(Cosigning::Lines(said.body)),
            409 => text.parse().map(Cosigning::Conflict).map_err(|_| Silence(format!("409 without a size: {text}"))),
            422 => Ok(Cosigning::Unproven(text)),
            status @ 400..500 => Ok(Cosigning::Refused(format!("{status}: {text}"))),
            status => Err(Silence(format!("{status}: {text}"))),
        }
    }

    fn newest(&self, url: &str, origin: &str) -> Result<Option<Vec<u8>>, Silence> {
        let said = self.get(&format!("{url}/witness/{}/checkpoint", origin_hash(origin)))?;
        match said.status {
            200 => Ok(Some(said.body)),
            404 => Ok(None),
            status => Err(Silence(format!("status {status}"))),
        }
    }

    fn checkpoint(&self, base: &str, etag: Option<String>, hold_ms: u64) -> Result<News, Silence> {
        let mut request = self.agent.get(format!("{base}/checkpoint"));
        if let Some(etag) = etag {
            request = request.header("if-none-match", etag);
        }
        if hold_ms >= 1000 {
            request = request.header("prefer", format!("wait={}", hold_ms / 1000));
        }
        let patience = PATIENCE + Duration::from_millis(hold_ms);
        let said = read(request.config().timeout_global(Some(patience)).build().call())?;
        match said.status {
            200 => Ok(News::Checkpoint { note: said.body, etag: said.etag }),
            304 => Ok(News::Same { held: said.held }),
            404 => Ok(News::Nothing { held: said.held }),
            status => Err(Silence(format!("status {status}"))),
        }
    }

    fn bundle(&mut self, base: &str, tile: Tile) -> Result<Vec<u8>, Silence> {
        let grew = |begun: &Begun| begun.base == base && begun.tile.n == tile.n && begun.tile.width < tile.width;
        let mut bytes = self.begun.take().filter(grew).map_or(Vec::new(), |begun| begun.bytes);
        let mut url = format!("{base}/{tile}");
        for tries in 1.. {
            let mut said = self.rest(&url, bytes.len())?;
            if said.status == 404 && !tile.is_full() {
                url = format!("{base}/{}", tile.full());
                said = self.rest(&url, bytes.len())?;
            }
            let came = said.body.len();
            match said.status {
                200 => bytes = said.body,
                206 if said.from == Some(bytes.len()) => bytes.extend(said.body),
                status => return Err(Silence(format!("status {status}"))),
            }
            match said.broke_off {
                None => break,
                Some(silence) if came < BUNDLE_BYTES_MIN || tries == BUNDLE_TRIES => return Err(silence),
                Some(_) => (),
            }
        }
        if !tile.is_full() {
            self.begun = Some(Begun { base: base.to_string(), tile, bytes: bytes.clone() });
        }
        Ok(bytes)
    }

    /// What follows these first bytes, or, from a server that knows no ranges, all of it.
    fn rest(&self, url: &str, known: usize) -> Result<Said, Silence> {
        let mut request = self.signed(url);
        if known > 0 {
            request = request.header("range", format!("bytes={known}-"));
        }
        let config = request.config().timeout_recv_response(Some(PATIENCE)).timeout_global(Some(BUNDLE_PATIENCE));
        read_part(config.build().call())
    }

    /// A question that is answered to nodes of the founding only.
    fn signed(&self, url: &str) -> RequestBuilder<WithoutBody> {
        let headers = signed::sign(signed::Request::to("GET", url, ""), &self.key, signed::now_s());
        headers.into_iter().fold(self.agent.get(url), |request, (name, value)| request.header(name, value))
    }

    fn get(&self, url: &str) -> Result<Said, Silence> {
        read(self.agent.get(url).config().timeout_global(Some(PATIENCE)).build().call())
    }

    /// `GET`, JSON; for questions between nodes that are no part of the record.
    pub(crate) fn json(&self, url: &str) -> Result<serde_json::Value, Silence> {
        let request = self.signed(url).config().timeout_global(Some(Duration::from_secs(60))).build();
        let said = read(request.call())?;
        let value = serde_json::from_slice(&said.body).map_err(|e| Silence(format!("{url}: {e}")))?;
        if said.status == 200 { Ok(value) } else { Err(Silence(format!("{url}: status {}: {value}", said.status))) }
    }
}

/// Asks one peer, who has to show this.
fn agent(tls: Option<TlsConfig>) -> Agent {
    let config = Agent::config_builder()
        .https_only(tls.is_some())
        .tls_config(tls.unwrap_or_default())
        .timeout_connect(Some(Duration::from_secs(5)))
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .max_idle_age(IDLE)
        .user_agent("hamsaya")
        .build();
    config.new_agent()
}

/// Brings mirrors what they lack. Entries prove themselves; who brings them is asked only for a line of his own.
pub(crate) struct Carrier(Agent);

impl Carrier {
    /// `tls`: what whoever is asked has to show.
    pub(crate) fn new(tls: Option<TlsConfig>) -> Carrier {
        Carrier(agent(tls))
    }

    /// `GET`: status and text of the answer.
    pub(crate) fn look(&self, url: &str) -> Result<(u16, String), Silence> {
        said(self.0.get(url).config().timeout_global(Some(PATIENCE)).build().call())
    }

    /// `POST` of a checkpoint: status and text of the answer.
    pub(crate) fn announce(&self, url: &str, body: &[u8]) -> Result<(u16, String), Silence> {
        let request = self.0.post(url).config().timeout_global(Some(PATIENCE)).build();
        said(request.content_type("text/plain; charset=utf-8").send(body))
    }

    /// `POST` of entries, signed by who brings them: a mirror keeps a line for each of the founding.
    pub(crate) fn bring(&self, url: &str, body: &[u8], key: &SecretKey) -> Result<(u16, String), Silence> {
        let request = self.0.post(url).config().timeout_global(Some(BUNDLE_PATIENCE)).build();
        let headers = signed::sign(signed::Request::to("POST", url, ""), key, signed::now_s());
        let request = headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        let octets = request.content_type("application/octet-stream");
        said(match body.len() < PACKED_BYTES_MIN {
            true => octets.send(body),
            false => octets.header("content-encoding", "gzip").send(&packed(body)[..]),
        })
    }
}

fn said(answer: Result<Response<ureq::Body>, ureq::Error>) -> Result<(u16, String), Silence> {
    let said = read(answer)?;
    Ok((said.status, String::from_utf8_lossy(&said.body).into_owned()))
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    // Reading from memory does not fail.
    let _ = GzEncoder::new(bytes, Compression::default()).read_to_end(&mut packed);
    packed
}

/// Where a peer serves a log. Its own stands there too, beside `/log`, so that whoever asks need not know who keeps it.
fn log_base(url: &str, origin: &str) -> String {
    format!("{url}/peer/{}", origin_hash(origin))
}

fn read(answer: Result<Response<ureq::Body>, ureq::Error>) -> Result<Said, Silence> {
    let mut said = read_part(answer)?;
    said.broke_off.take().map_or(Ok(said), Err)
}

/// As much of it as came.
fn read_part(answer: Result<Response<ureq::Body>, ureq::Error>) -> Result<Said, Silence> {
    let mut answer = answer.map_err(|e| Silence(e.to_string()))?;
    let header = |name: &str| answer.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_string);
    let (etag, applied) = (header("etag"), header("preference-applied"));
    let from = header("content-range").and_then(|range| range.strip_prefix("bytes ")?.split_once('-')?.0.parse().ok());
    let mut body = Vec::new();
    let read = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).reader().read_to_end(&mut body);
    Ok(Said {
        status: answer.status().as_u16(),
        held: applied.is_some_and(|a| a.starts_with("wait")),
        etag,
        from,
        body,
        broke_off: read.err().map(|e| Silence(e.to_string())),
    })
}
