//! P1, P2, G1, G2 and the witness O1, with keys made from their names: as folders with nodes that listen, or in memory.
use hamsaya_agreement::Agreement;
use hamsaya_agreement::case::origins;
use hamsaya_node::config::Pacing;
use hamsaya_node::folder::{Files, agreement_files};
use hamsaya_node::node::{Keys, Setup};
use hamsaya_node::signed;
use hamsaya_node::{Options, Running, serve};
use hamsaya_record::Instant;
use hamsaya_record::envelope::Envelope;
use hamsaya_record::founding::{Founding, Member, MemberKey, MemberRole};
use hamsaya_record::key::{Role, SecretKey};
use hamsaya_record::policy;
use hamsaya_record::statement::{Act, FieldValue, Statement};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant as Monotonic};

pub const NAMES: [&str; 5] = ["P1", "P2", "G1", "G2", "O1"];
/// Hour 0 of the golden scenario.
pub const START: Instant = Instant(1_795_550_400);

pub fn origin(name: &str) -> String {
    format!("{}.example/hamsaya/1", name.to_lowercase())
}

fn seed(name: &str) -> [u8; 32] {
    hamsaya_record::store::version(name.as_bytes())
}

pub fn key(node: &str, what: &str) -> SecretKey {
    let host = format!("{}.example", node.to_lowercase());
    let name = if what == "log" { origin(node) } else { format!("{host}/{what}") };
    match what {
        "witness" | "mirror" => SecretKey::cosigner_from_seed(&name, seed(&name)),
        _ => SecretKey::from_seed(&name, seed(&name)),
    }
    .unwrap()
}

pub fn accord() -> (Files, Arc<Agreement>) {
    let files = agreement_files(Path::new("../../agreements/hamsaya-accord")).unwrap();
    let agreement = Arc::new(Agreement::parse(&files).unwrap());
    (files, agreement)
}

pub fn founding_leaf(agreement: &Agreement) -> Vec<u8> {
    let (mut members, mut keys) = (vec![], vec![]);
    for name in NAMES {
        let role = match &name[..1] {
            "P" => MemberRole::Party,
            "G" => MemberRole::Guarantor,
            _ => MemberRole::Witness,
        };
        let has_log = role != MemberRole::Witness;
        members.push(Member { name: name.into(), role, origin: has_log.then(|| origin(name)) });
        let mut all = vec![(Role::Witness, "witness"), (Role::Node, "node")];
        if has_log {
            all.extend([(Role::Log, "log"), (Role::Mirror, "mirror"), (Role::Device, "post-07")]);
            all.extend(OFFICES.map(|office| (Role::Office, office)));
        }
        for (role, what) in all {
            keys.push(MemberKey { node: name.into(), role, vkey: key(name, what).vkey().clone() });
        }
    }
    let with_log = NAMES.iter().filter(|n| **n != "O1");
    let policies = with_log.clone().map(|name| {
        let others = keys.iter().filter(|k| k.role == Role::Witness && k.node != *name);
        let others = others.map(|k| (k.node.as_str(), &k.vkey));
        (origin(name), policy::write(key(name, "log").vkey(), others, 3))
    });
    let policies = policies.collect();
    let founding = Founding::new(agreement.digest(), members, keys, policies, BTreeMap::new()).unwrap();
    let statement =
        founding.to_statement("0193a1b2-c3d4-7e5f-8a9b-f00000000000", "P1", "p1/node", START.plus(-200 * 3600));
    let signers: Vec<SecretKey> = with_log.map(|n| key(n, "node")).collect();
    Envelope::sign(statement.to_payload(), &signers.iter().collect::<Vec<_>>()).to_leaf()
}

/// Offices of every member that keeps a log; what of them a party's or a guarantor's agreement does not know has no role.
pub const OFFICES: [&str; 15] = [
    "chair",
    "secretary",
    "liaison",
    "hotline",
    "legal",
    "siting",
    "gate",
    "training",
    "maintenance",
    "analyst",
    "team",
    "data-protection",
    "observer",
    "observer-2",
    "driver",
];

/// Short waits.
pub fn pacing() -> Pacing {
    Pacing { batch_ms: 5, checkpoints_s: 0, heartbeat_s: 5, judge_ms: 400, refusals_s: 0, ..Pacing::default() }
}

pub fn setup(name: &str, agreement: &Arc<Agreement>, founding_leaf: &[u8]) -> Setup {
    Setup {
        name: name.into(),
        keys: Keys {
            log: (name != "O1").then(|| key(name, "log")),
            witness: key(name, "witness"),
            mirror: None,
            node: key(name, "node"),
            other_nodes: Vec::new(),
        },
        founding_leaf: founding_leaf.to_vec(),
        agreement: (name != "O1").then(|| agreement.clone()),
        pacing: pacing(),
        peers: NAMES.iter().filter(|n| **n != name).map(|n| n.to_string()).collect(),
        skew_s_max: None,
        rights: false,
    }
}

/// How fast the nodes of the tests go.
pub const FAST: &str =
    "batch_ms = 5\ncheckpoints_s = 0\nheartbeat_s = 1\nrefusals_s = 0\njudge_ms = 200\nmirror_ms = 20\n";

/// Nodes that listen on loopback, each with a folder.
pub struct Town {
    pub agreement: Arc<Agreement>,
    pub dir: PathBuf,
    pub urls: BTreeMap<String, String>,
    running: BTreeMap<String, Running>,
    runtime: tokio::runtime::Runtime,
    agent: ureq::Agent,
}

pub struct Said {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub content_type: String,
    pub body: Vec<u8>,
    pub cookie: Option<String>,
}

impl Said {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&self.body)))
    }
}

impl Town {
    /// Makes the folders under a fresh place and starts all nodes.
    pub fn start(name: &str) -> Town {
        let mut town = Town::make(name, FAST);
        for name in NAMES {
            town.start_node(name);
        }
        town
    }

    /// Makes the folders.
    pub fn make(name: &str, pacing: &str) -> Town {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&dir);
        let (files, agreement) = accord();
        let leaf = founding_leaf(&agreement);
        assert_eq!(origins(&agreement)["P1"], origin("P1"));
        // Held until all are found, so that no two nodes get one port.
        let held: Vec<TcpListener> = NAMES.iter().map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let ports: Vec<u16> = held.iter().map(|l| l.local_addr().unwrap().port()).collect();
        let url = |n: usize| format!("http://127.0.0.1:{}", ports[n]);
        for (n, name) in NAMES.iter().enumerate() {
            let home = dir.join(name.to_lowercase());
            let role = match &name[..1] {
                "P" => "party",
                "G" => "guarantor",
                _ => "witness",
            };
            let mut toml = format!("name = \"{name}\"\nrole = \"{role}\"\nlisten = \"127.0.0.1:{}\"\n", ports[n]);
            if role != "witness" {
                toml += &format!("origin = \"{}\"\n", origin(name));
            }
            toml += &format!("[pacing]\n{pacing}");
            for (m, peer) in NAMES.iter().enumerate().filter(|(m, _)| *m != n) {
                toml += &format!("[[peer]]\nname = \"{peer}\"\nurl = \"{}\"\n", url(m));
            }
            fs::create_dir_all(home.join("keys")).unwrap();
            fs::write(home.join("node.toml"), toml).unwrap();
            fs::write(home.join("founding.json"), &leaf).unwrap();
            let mut keys = vec!["witness", "node"];
            if role != "witness" {
                keys.extend(["log", "mirror"]);
            }
            for what in keys {
                let path = home.join("keys").join(format!("{what}.key"));
                fs::write(&path, key(name, what).to_text()).unwrap();
                #[cfg(unix)]
                fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
            }
            for (path, bytes) in &files {
                let path = home.join("agreement").join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, bytes).unwrap();
            }
        }
        drop(held);
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .proxy(None);
        Town {
            agreement,
            dir,
            urls: NAMES.iter().enumerate().map(|(n, name)| (name.to_string(), url(n))).collect(),
            running: BTreeMap::new(),
            runtime: tokio::runtime::Runtime::new().unwrap(),
            agent: config.build().new_agent(),
        }
    }

    /// Asks who has to show this.
    pub fn trust(&mut self, tls: ureq::tls::TlsConfig) {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .proxy(None)
            .tls_config(tls);
        self.agent = config.build().new_agent();
    }

    pub fn home(&self, name: &str) -> PathBuf {
        self.dir.join(name.to_lowercase())
    }

    pub fn start_node(&mut self, name: &str) {
        self.try_start_node(name).unwrap();
    }

    pub fn try_start_node(&mut self, name: &str) -> Result<(), String> {
        let options = Options { scenario_clock: true, ..Options::default() };
        let running = self.runtime.block_on(serve(&self.home(name), options)).map_err(|e| e.to_string())?;
        self.running.insert(name.into(), running);
        Ok(())
    }

    pub fn stop_node(&mut self, name: &str) {
        let running = self.running.remove(name).unwrap();
        self.runtime.block_on(running.stop());
    }

    /// Asks as the member's own chair or observer; for tiles as another node; a witness is asked by nobody in particular.
    pub fn get(&self, name: &str, path: &str) -> Said {
        let office = match &name[..1] {
            _ if path.contains("/tile/") => return self.get_as(name, path, Some(&key("G2", "node")), &[]),
            "P" => "chair",
            "G" => "observer",
            _ => return self.get_as(name, path, None, &[]),
        };
        self.get_as(name, path, Some(&key(name, office)), &[("hamsaya-purpose", "review")])
    }

    /// The rest from this byte on, as another node asks.
    pub fn get_rest(&self, name: &str, path: &str, from: usize) -> Said {
        self.get_as(name, path, Some(&key("G2", "node")), &[("range", &format!("bytes={from}-"))])
    }

    /// Asks as whoever holds a key.
    pub fn get_as(&self, name: &str, path: &str, key: Option<&SecretKey>, headers: &[(&str, &str)]) -> Said {
        let url = format!("{}{path}", self.urls[name]);
        let mut request = self.agent.get(&url);
        let is_purpose = |name: &str| key.is_some() && name == signed::PURPOSE;
        for (name, value) in headers.iter().filter(|(name, _)| !is_purpose(name)) {
            request = request.header(*name, *value);
        }
        if let Some(key) = key {
            let purpose = headers.iter().find(|(name, _)| *name == signed::PURPOSE).map_or("", |(_, purpose)| *purpose);
            let signed = signed::sign(signed::Request::to("GET", &url, purpose), key, signed::now_s());
            request = signed.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        }
        self.read(request.call())
    }

    pub fn post(&self, name: &str, path: &str, content_type: &str, body: &[u8]) -> Said {
        let request = self.agent.post(format!("{}{path}", self.urls[name])).content_type(content_type);
        self.read(request.send(body))
    }

    /// Posts JSON as a browser does.
    pub fn post_with(&self, name: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Said {
        let request = self.agent.post(format!("{}{path}", self.urls[name])).content_type("application/json");
        self.read(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).send(body))
    }

    /// Posts JSON as whoever holds a key.
    pub fn post_as(&self, name: &str, path: &str, key: &SecretKey, body: &[u8]) -> Said {
        let url = format!("{}{path}", self.urls[name]);
        let signed = signed::sign(signed::Request::to("POST", &url, ""), key, signed::now_s());
        let request = self.agent.post(&url).content_type("application/json");
        self.read(signed.into_iter().fold(request, |request, (name, value)| request.header(name, value)).send(body))
    }

    /// Sends bytes of a file as whoever holds a key.
    pub fn patch_as(
        &self,
        name: &str,
        path: &str,
        key: Option<&SecretKey>,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Said {
        let url = format!("{}{path}", self.urls[name]);
        let mut request = self.agent.patch(&url).content_type("application/partial-upload");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(key) = key {
            let signed = signed::sign(signed::Request::to("PATCH", &url, ""), key, signed::now_s());
            request = signed.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        }
        self.read(request.send(body))
    }

    pub fn post_encoded(&self, name: &str, path: &str, content_type: &str, encoding: &str, body: &[u8]) -> Said {
        let request = self.agent.post(format!("{}{path}", self.urls[name])).content_type(content_type);
        self.read(request.header("content-encoding", encoding).send(body))
    }

    pub fn delete(&self, name: &str, path: &str, headers: &[(&str, &str)]) -> Said {
        let request = self.agent.delete(format!("{}{path}", self.urls[name]));
        self.read(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).call())
    }

    /// What the events since the node began tell, up to and with the first news of verdicts.
    pub fn events_as(&self, name: &str, key: Option<&SecretKey>) -> String {
        use std::io::BufRead;
        let url = format!("{}/api/events", self.urls[name]);
        let mut request = self.agent.get(&url).header("last-event-id", "0");
        if let Some(key) = key {
            let signed = signed::sign(signed::Request::to("GET", &url, ""), key, signed::now_s());
            request = signed.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        }
        let body = request.call().unwrap().into_body().into_reader();
        let (mut told, mut ends) = (String::new(), false);
        for line in std::io::BufReader::new(body).lines() {
            let line = line.unwrap();
            // An event ends with an empty line.
            if line.is_empty() && ends {
                break;
            }
            ends |= line == "event: verdict";
            told.push_str(&line);
            told.push('\n');
        }
        told
    }

    /// Waits until a node's copy of a log reaches beyond an index: whether it shows that entry or not.
    pub fn holds_as(&self, name: &str, origin: &str, index: u64) {
        until(&format!("{name} to hold {origin} #{index}"), || {
            let state = self.get(name, "/api/state").json();
            let mut heads = state["heads"].as_array().into_iter().flatten();
            let held = heads.any(|h| h["origin"] == origin && h["published_size"].as_u64() > Some(index));
            held.then_some(()).ok_or(state.to_string())
        });
    }

    /// The same of a node's own log.
    pub fn holds_in_own_log(&self, name: &str, index: u64) {
        self.holds_as(name, &origin(name), index);
    }

    pub fn state_statement(&self, name: &str, envelope: &Envelope) -> Said {
        self.post(name, "/api/statements", "application/json", &envelope.to_leaf())
    }

    fn read(&self, answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Said {
        let mut answer = answer.unwrap();
        let content_type = answer.headers().get("content-type").map(|v| v.to_str().unwrap().to_string());
        let cookie = answer.headers().get("set-cookie").map(|v| v.to_str().unwrap().to_string());
        let text = |v: &ureq::http::HeaderValue| v.to_str().unwrap().to_string();
        let headers = answer.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        Said {
            headers,
            cookie,
            status: answer.status().as_u16(),
            content_type: content_type.unwrap_or_default(),
            body: answer.body_mut().read_to_vec().unwrap(),
        }
    }

    pub fn set_clock(&self, now: Instant) {
        for name in self.running.keys() {
            let said = self.post(name, "/api/clock", "application/json", format!("{{\"now\":\"{now}\"}}").as_bytes());
            assert_eq!(said.status, 200, "{name} {}", String::from_utf8_lossy(&said.body));
        }
    }

    pub fn digest(&self, name: &str, at: &str) -> String {
        self.get(name, &format!("/api/digest?{at}")).json()["digest"].as_str().unwrap_or_default().to_string()
    }

    fn judging(&self) -> Vec<&String> {
        self.running.keys().filter(|n| *n != "O1").collect()
    }

    /// Waits until the running nodes hold an entry whose time ends at `now`.
    pub fn holds(&self, origin: &str, index: u64, now: Instant) {
        for name in self.judging() {
            until(&format!("{name} to hold {origin} #{index} with its time"), || {
                let item = self.get(name, &format!("/api/entries/item?origin={origin}&index={index}")).json();
                (item["logged_at"]["hi"] == now.to_string()).then_some(()).ok_or(item["logged_at"].to_string())
            });
        }
    }

    /// Waits until the running nodes give one digest, and gives it.
    pub fn agree(&self, at: &str) -> String {
        until("one digest", || {
            let digests: Vec<String> = self.judging().iter().map(|name| self.digest(name, at)).collect();
            let same = !digests[0].is_empty() && digests.iter().all(|d| *d == digests[0]);
            same.then_some(()).ok_or(digests.join(" "))
        });
        self.digest("P1", at)
    }
}

impl Drop for Town {
    fn drop(&mut self) {
        for name in NAMES {
            if self.running.contains_key(name) {
                self.stop_node(name);
            }
        }
    }
}

/// An outage that P1 tells of, with all that its kind asks for.
pub fn notice(town: &Town) -> Statement {
    let id = "0193a1b2-c3d4-7e5f-8a9b-000000000001";
    let digest = town.agreement.digest();
    let mut statement = Statement::new(digest, Act::Notify, "outage_notice", id, "P1", &origin("P1"), START);
    outage(&town.agreement, &mut statement);
    statement
}

/// All that the kind asks for.
pub fn outage(agreement: &Agreement, statement: &mut Statement) {
    let kind = agreement.kinds().iter().find(|k| k.name == "outage_notice").unwrap();
    statement.act = Act::from_name(&kind.act).unwrap();
    for (name, wanted) in kind.fields.iter().filter(|(_, wanted)| !wanted.ends_with('?')) {
        let value = match wanted.as_str() {
            "party" => FieldValue::Text("P1".into()),
            "instant" => FieldValue::Text(START.to_string()),
            "count" | "duration" => FieldValue::Int(1),
            "bool" => FieldValue::Bool(true),
            _ => FieldValue::Text("x".into()),
        };
        statement.fields.insert(name.clone(), value);
    }
}

/// Looks at a condition until it holds.
#[track_caller]
pub fn until(what: &str, look: impl Fn() -> Result<(), String>) {
    let deadline = Monotonic::now() + Duration::from_secs(120);
    loop {
        match look() {
            Ok(()) => return,
            Err(seen) if Monotonic::now() > deadline => panic!("waited for {what}; last seen: {seen}"),
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}
