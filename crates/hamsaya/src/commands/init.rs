//! `hamsaya init node|founding|demo`: folders, keys and the founding of a federation.
use super::Outcome;
use crate::complaint::Complaint;
use crate::folder::Folder;
use crate::founding::{self, role_of};
use crate::{agreements, clock};
use anyhow::Result;
use clap::{Args, Subcommand, ValueEnum};
use hamsaya_agreement::{Agreement, MemberRole};
use hamsaya_record::Instant;
use hamsaya_record::founding::Founding;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Make folders for nodes: keys, settings, and the founding that all sign
#[derive(Args)]
pub struct Init {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Make the folder of one node, with keys of its own
    Node {
        /// Folder to make
        dir: PathBuf,
        /// Name in the agreement, e.g. P1
        #[arg(long)]
        name: String,
        /// What it is to the agreement
        #[arg(long, value_enum)]
        role: NodeRole,
        /// Name of its log; default: NAME.example/hamsaya/1
        #[arg(long)]
        origin: Option<String>,
        /// Address and port to listen on
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: String,
        /// Folder of the agreement, to be copied
        #[arg(long, value_name = "DIR")]
        agreement: PathBuf,
        /// Another node, as NAME=ROLE=URL; give it again for more
        #[arg(long, value_name = "NAME=ROLE=URL")]
        peer: Vec<String>,
    },
    /// Write the founding for these folders, signed by every node that keeps a log, into all of them
    Founding {
        /// Folders of all nodes
        #[arg(required = true)]
        dirs: Vec<PathBuf>,
        /// When; default: now
        #[arg(long, value_name = "T")]
        at: Option<Instant>,
    },
    /// Make the five folders of the demo: P1, P2, G1, G2 and the witness O1
    Demo {
        /// Folder to make them in
        dir: PathBuf,
        /// First of five ports on loopback; 0: any that are free
        #[arg(long, default_value_t = 0)]
        port: u16,
    },
}

/// What a node is to the agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum NodeRole {
    /// Signed the agreement
    Party,
    /// Watches and helps
    Guarantor,
    /// Only cosigns; sees sizes and hashes, no entries
    Witness,
}

impl NodeRole {
    /// As `node.toml` says it.
    pub fn word(self) -> &'static str {
        match self {
            NodeRole::Party => "party",
            NodeRole::Guarantor => "guarantor",
            NodeRole::Witness => "witness",
        }
    }

    /// Files of the keys that such a node holds: its own, and one for each office that the agreement's roles name.
    fn keys(self, agreement: &Agreement) -> Vec<String> {
        let (own, member): (&[&str], _) = match self {
            NodeRole::Party => (&["log", "witness", "mirror", "node"], MemberRole::Party),
            NodeRole::Guarantor => (&["log", "witness", "mirror", "node"], MemberRole::Guarantor),
            NodeRole::Witness => (&["witness", "node"], MemberRole::Witness),
        };
        let mut keys: Vec<String> = own.iter().map(|key| key.to_string()).collect();
        let roles = agreement.rights().roles().iter().filter(|r| r.of.contains(&member) && r.circle.is_some());
        for role in roles {
            let named: Vec<&String> = role.keys().iter().filter(|k| !k.ends_with('*')).collect();
            match named.is_empty() {
                // Of posts there are many: this is the first.
                true => keys.extend(role.keys().iter().map(|k| k.replace('*', "07"))),
                false => keys.extend(named.into_iter().cloned()),
            }
        }
        if agreement.rights().roles().is_empty() && self != NodeRole::Witness {
            keys.push("chair".to_string());
        }
        keys
    }
}

/// Another node, as `node.toml` names it.
#[derive(Clone, Debug)]
pub struct Peer {
    /// `P2`.
    pub name: String,
    /// What it is.
    pub role: String,
    /// Its log, if it keeps one.
    pub origin: Option<String>,
    /// Where it listens.
    pub url: String,
}

impl Init {
    pub fn run(&self, out: &mut dyn Write) -> Result<Outcome> {
        match &self.verb {
            Verb::Node { dir, name, role, origin, listen, agreement, peer } => {
                let peers = peer.iter().map(|p| parse_peer(p)).collect::<Result<Vec<_>>>()?;
                let files = agreements::files(agreement)?;
                let settings =
                    Settings { name, role: *role, origin: origin.as_deref(), listen, peers: &peers, pacing: "" };
                let folder = make(dir, &settings, &files)?;
                writeln!(out, "{}", dir.display())?;
                for held in folder.keys()? {
                    writeln!(out, "  {}", held.key.vkey())?;
                }
                writeln!(
                    out,
                    "next: `hamsaya init founding` with the folders of all nodes, then `hamsaya serve {}`",
                    dir.display()
                )?;
            }
            Verb::Founding { dirs, at } => {
                let folders: Vec<Folder> = dirs.iter().map(Folder::at).collect();
                found(&folders, at.unwrap_or_else(clock::now))?;
                writeln!(out, "founding.json written into {} folders", folders.len())?;
            }
            Verb::Demo { dir, port } => {
                let place = demo_place(dir, *port, clock::now())?;
                for node in &place {
                    writeln!(out, "{:3} {}  {}", node.name, node.url, node.folder.dir().display())?;
                }
            }
        }
        Ok(Outcome::NoBreach)
    }
}

fn parse_peer(text: &str) -> Result<Peer> {
    let parts: Vec<&str> = text.splitn(3, '=').collect();
    let [name, role, url] = parts[..] else {
        return Err(Complaint::new(format!("`{text}` is no peer, allowed is NAME=ROLE=URL"))
            .at("--peer")
            .hint("for example P2=party=http://p2.example:7411")
            .into());
    };
    let origin = (role != "witness").then(|| default_origin(name));
    Ok(Peer { name: name.into(), role: role.into(), origin, url: url.into() })
}

fn default_origin(name: &str) -> String {
    format!("{}.example/hamsaya/1", name.to_lowercase())
}

/// What stands in `node.toml`.
struct Settings<'a> {
    name: &'a str,
    role: NodeRole,
    origin: Option<&'a str>,
    listen: &'a str,
    peers: &'a [Peer],
    pacing: &'a str,
}

impl Settings<'_> {
    fn origin(&self) -> String {
        self.origin.map_or_else(|| default_origin(self.name), str::to_string)
    }

    fn to_toml(&self) -> String {
        let mut text = format!("name = {:?}\nrole = {:?}\n", self.name, self.role.word());
        if self.role != NodeRole::Witness {
            text.push_str(&format!("origin = {:?}\n", self.origin()));
        }
        text.push_str(&format!("listen = {:?}\nagreement = \"agreement\"\n", self.listen));
        text.push_str(self.pacing);
        for peer in self.peers {
            text.push_str(&format!(
                "\n[[peer]]\nname = {:?}\nrole = {:?}\nurl = {:?}\n",
                peer.name, peer.role, peer.url
            ));
            if let Some(origin) = &peer.origin {
                text.push_str(&format!("origin = {origin:?}\n"));
            }
        }
        text
    }
}

/// Makes one folder: settings, keys, a copy of the agreement.
fn make(dir: &Path, settings: &Settings, agreement: &agreements::Files) -> Result<Folder> {
    if dir.join("node.toml").exists() {
        return Err(Complaint::new("the folder already holds a node")
            .at(dir.join("node.toml").display())
            .hint("give a folder that is empty or not there")
            .into());
    }
    fs::create_dir_all(dir)?;
    let folder = Folder::at(dir);
    let origin = settings.origin();
    let host = origin.split('/').next().unwrap_or_default().to_string();
    let parsed = Agreement::parse(agreement)?;
    for file in &settings.role.keys(&parsed) {
        let name = if file == "log" { origin.clone() } else { format!("{host}/{file}") };
        folder.make_key(file, &name, role_of(file))?;
    }
    agreements::write(agreement, &folder.path("agreement"))?;
    fs::write(folder.path("node.toml"), settings.to_toml())?;
    Ok(folder)
}

/// Signs one founding for all folders and puts it into each.
fn found(folders: &[Folder], at: Instant) -> Result<()> {
    let first = folders.first().ok_or_else(|| Complaint::new("no folder was given"))?;
    let agreement = agreements::read(&first.path("agreement"))?;
    let leaf = founding::found(agreement.digest(), folders, at)?.to_leaf();
    Founding::from_leaf(&leaf)?;
    for folder in folders {
        fs::write(folder.path("founding.json"), &leaf)?;
    }
    Ok(())
}

/// A node of the demo's place.
#[derive(Clone, Debug)]
pub struct DemoNode {
    /// `P1`.
    pub name: String,
    /// What it is.
    pub role: NodeRole,
    /// Where it listens.
    pub url: String,
    /// Its folder.
    pub folder: Folder,
}

impl DemoNode {
    /// A witness keeps none, and judges nothing.
    pub fn keeps_a_log(&self) -> bool {
        self.role != NodeRole::Witness
    }
}

/// The five nodes of the demo.
const DEMO: [(&str, NodeRole); 5] = [
    ("P1", NodeRole::Party),
    ("P2", NodeRole::Party),
    ("G1", NodeRole::Guarantor),
    ("G2", NodeRole::Guarantor),
    ("O1", NodeRole::Witness),
];

/// Short waits, so that the demo is over in a minute.
const DEMO_PACING: &str = "\n[pacing]\nbatch_ms = 5\ncheckpoints_s = 0\nheartbeat_s = 5\npull_ms = 50\njudge_ms = 10\nback_off_ms = 20\nback_off_max_s = 1\n";

/// Makes the five folders of the demo, each with keys of its own, and the founding that four sign.
pub fn demo_place(dir: &Path, port: u16, at: Instant) -> Result<Vec<DemoNode>> {
    let ports = free_ports(port, DEMO.len())?;
    let url = |n: usize| format!("http://127.0.0.1:{}", ports[n]);
    let agreement = agreements::shipped("hamsaya-accord")?;
    let mut nodes = Vec::new();
    for (n, (name, role)) in DEMO.iter().enumerate() {
        let peer = |(m, (name, role)): (usize, &(&str, NodeRole))| Peer {
            name: name.to_string(),
            role: role.word().into(),
            origin: (*role != NodeRole::Witness).then(|| default_origin(name)),
            url: url(m),
        };
        let peers: Vec<Peer> = DEMO.iter().enumerate().filter(|(m, _)| *m != n).map(peer).collect();
        let listen = format!("127.0.0.1:{}", ports[n]);
        let settings =
            Settings { name, role: *role, origin: None, listen: &listen, peers: &peers, pacing: DEMO_PACING };
        let folder = make(&dir.join(name.to_lowercase()), &settings, &agreement)?;
        nodes.push(DemoNode { name: name.to_string(), role: *role, url: url(n), folder });
    }
    let folders: Vec<Folder> = nodes.iter().map(|n| n.folder.clone()).collect();
    found(&folders, at)?;
    Ok(nodes)
}

/// `count` ports on loopback: from `first` on, or any that are free. All are held until all are found.
fn free_ports(first: u16, count: usize) -> Result<Vec<u16>> {
    let mut held = Vec::new();
    for n in 0..count {
        let port = if first == 0 { 0 } else { first + n as u16 };
        let listener = std::net::TcpListener::bind(("127.0.0.1", port)).map_err(|e| {
            Complaint::new(format!("port {port} cannot be had: {e}"))
                .at("--port")
                .hint("give another first port, or 0 for any that are free")
        })?;
        held.push(listener);
    }
    Ok(held.iter().map(|l| l.local_addr().map(|a| a.port())).collect::<Result<_, _>>()?)
}
