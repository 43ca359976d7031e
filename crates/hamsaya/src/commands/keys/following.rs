//! `hamsaya keys next|rotate|revoke|confirm`: keys that follow one another, as statements and as files.
//!
//! ```text
//! keys/chair.key                    signs
//! keys/next/chair.key               the one after it, of which the record knows the hash; best kept elsewhere until then
//! keys/after/chair.key              the one after that, while a change is under way
//! keys/under-way/chair.rotate       what is to be logged, signed: an envelope a line, the own log's first
//! keys/old/chair-1a2b3c4d.key       gave way
//! ```
//! A key is on the disk before its hash is signed, what is signed is on the disk before it is sent, and files change places
//! only when every log has it. A crash leaves `under-way`: the same command then sends the same bytes again, which are the
//! same entries, and puts the files in their places from wherever they are.
use crate::author::{Author, uuid_v7};
use crate::client::{NodeClient, Receipt};
use crate::clock;
use crate::complaint::Complaint;
use crate::folder::{Folder, sync_folder, write_durably};
use crate::founding::role_of;
use anyhow::{Context, Result};
use clap::Args;
use hamsaya_node::config::Config;
use hamsaya_record::envelope::Envelope;
use hamsaya_record::founding::Founding;
use hamsaya_record::key::{Role, SecretKey};
use hamsaya_record::keyring::{Following, KeyChange};
use hamsaya_record::statement::{Act, Reference, Rel, Statement};
use std::fs;
use std::io::Write;
use std::path::PathBuf;

/// Which key, and the logs in which it changes.
#[derive(Args)]
pub struct Which {
    /// Folder of the node
    dir: PathBuf,
    /// The key's file in `keys/`, without `.key`
    key: String,
    /// URL of the node; default: where its settings say it listens
    #[arg(long, value_name = "URL")]
    node: Option<String>,
    /// Another node in whose log the key signs, too, e.g. P2; give it again for more
    #[arg(long, value_name = "NAME")]
    also: Vec<String>,
}

/// A change of each sort has its file while it is under way.
const WORDS: [&str; 3] = ["next", "rotate", "revoke"];

/// What is done to a key.
pub enum Change {
    /// The one after it is made, and named by its hash.
    Next,
    /// The one after it takes its place.
    Rotate,
    /// It was stolen when so many entries of this log were good.
    Revoke {
        /// Number of entries.
        good_size: u64,
        /// Beside the key that takes its place the recovery key signs.
        recovery: bool,
    },
}

impl Change {
    fn word(&self) -> &'static str {
        match self {
            Change::Next => "next",
            Change::Rotate => "rotate",
            Change::Revoke { .. } => "revoke",
        }
    }
}

/// A log to state it in: its origin, and the node that keeps it.
struct Home {
    origin: String,
    url: String,
}

struct Desk {
    folder: Folder,
    founding: Founding,
    party: String,
    homes: Vec<Home>,
}

impl Desk {
    fn open(folder: Folder, node: Option<&String>, also: &[String]) -> Result<Desk> {
        let (path, file) = (folder.path("node.toml"), folder.path("founding.json"));
        let text = fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        let config = Config::parse(&text).map_err(|e| Complaint::new(e).at(path.display()))?;
        let leaf = fs::read(&file).with_context(|| format!("{} cannot be read", file.display()))?;
        let founding = Founding::from_leaf(leaf.strip_suffix(b"\n").unwrap_or(&leaf))?;
        let home = |name: &str, url: String| {
            let origin = founding.member(name).and_then(|member| member.origin.clone());
            let origin = origin.ok_or_else(|| Complaint::new(format!("{name} keeps no log")).at("--also"))?;
            Ok::<_, Complaint>(Home { origin, url })
        };
        let own = match node {
            Some(url) => url.clone(),
            None => folder.url()?,
        };
        let mut homes = vec![home(&config.name, own)?];
        for name in also {
            let known = || config.peers.iter().map(|p| p.name.as_str()).collect::<Vec<_>>().join(" ");
            let peer = config.peers.iter().find(|peer| peer.name == *name);
            let peer =
                peer.ok_or_else(|| Complaint::new(format!("`{name}` is no peer, found are {}", known())).at("--also"))?;
            homes.push(home(name, peer.url.clone())?);
        }
        Ok(Desk { folder, founding, party: config.name, homes })
    }

    /// What a key of this name is for; the name stays, so the founding says it.
    fn role(&self, key: &SecretKey, file: &str) -> Role {
        let of_name = |k: &&hamsaya_record::founding::MemberKey| k.vkey.name() == key.vkey().name();
        self.founding.keys().iter().find(of_name).map_or_else(|| role_of(file), |k| k.role)
    }

    fn state(&self, home: &Home, source: &str, change: &KeyChange, keys: &[&SecretKey]) -> Vec<u8> {
        let now = clock::now();
        let id = uuid_v7(now.0.max(0).unsigned_abs() * 1000, format!("{source} in {}", home.origin).as_bytes());
        let agreement = self.founding.agreement();
        let mut said = Statement::new(agreement, Act::Record, "key", &id, &self.party, &home.origin, now);
        said.source = source.to_owned();
        // Whoever checks a signature must know the key, and who may see the record of a public bundle is anybody.
        said.marking = "TLP:CLEAR".to_owned();
        said.fields = change.to_fields();
        if let KeyChange::Confirmed { revocation, .. } = change {
            said.refs = vec![Reference { rel: Rel::Confirms, id: *revocation }];
        }
        Author::new(agreement, &home.origin).sign(said, keys)
    }

    /// What the node of its log says to it; an error if it says nothing.
    fn send(&self, leaf: &[u8]) -> Result<Result<Receipt, Complaint>> {
        let envelope = Envelope::parse_leaf(leaf)?;
        let said = Statement::parse(&envelope.payload)?;
        let home = self.homes.iter().find(|home| home.origin == said.home).ok_or_else(|| {
            Complaint::new(format!("what is under way goes to {}, too", said.home)).hint("name its node with --also")
        })?;
        let answers = NodeClient::new(&home.url).post_statements(&[leaf])?;
        Ok(answers.into_iter().next().ok_or_else(|| Complaint::new("the node says nothing").at(&home.url))?)
    }
}

/// Carries a change out, or takes up where it was left.
pub fn change(which: &Which, change: &Change, out: &mut dyn Write) -> Result<()> {
    let desk = Desk::open(Folder::at(&which.dir), which.node.as_ref(), &which.also)?;
    let (folder, file) = (&desk.folder, which.key.as_str());
    let under_way = |word: &str| folder.path("keys/under-way").join(format!("{}.{word}", file.replace('/', "-")));
    if let Some(other) = WORDS.into_iter().find(|word| *word != change.word() && under_way(word).exists()) {
        return Err(Complaint::new(format!("a change of `{file}` is under way"))
            .at(under_way(other).display())
            .hint(format!("`hamsaya keys {other} {} {file}` ends it", folder.dir().display()))
            .into());
    }
    let under_way = under_way(change.word());
    if !under_way.exists() {
        let leaves = signed(&desk, file, change)?;
        write_durably(&under_way, &[leaves.join(&b'\n'), b"\n".to_vec()].concat())?;
    }
    let text = fs::read(&under_way).with_context(|| format!("{} cannot be read", under_way.display()))?;
    let mut refused = None;
    for (n, leaf) in text.split(|b| *b == b'\n').filter(|line| !line.is_empty()).enumerate() {
        match desk.send(leaf)? {
            Ok(receipt) => {
                writeln!(out, "{} #{}  statement {}", receipt.origin, receipt.index, receipt.statement_id)?;
            }
            // Nothing has come of it, and nothing will.
            Err(complaint) if n == 0 => {
                fs::remove_file(&under_way)?;
                return Err(complaint.into());
            }
            // The own log has it, so it is done; what another log thinks of it is to be settled there.
            Err(complaint) => refused = Some(complaint),
        }
    }
    let first = text.split(|b| *b == b'\n').next().unwrap_or_default();
    settle(folder, file, &KeyChange::of(&Statement::parse(&Envelope::parse_leaf(first)?.payload)?)?)?;
    fs::remove_file(&under_way)?;
    if let Some(complaint) = refused {
        return Err(complaint.into());
    }
    for place in [format!("keys/{file}.key"), format!("keys/next/{file}.key")] {
        if let Ok(text) = fs::read_to_string(folder.path(&place)) {
            writeln!(out, "{place}  {}", SecretKey::parse(&text)?.vkey())?;
        }
    }
    match (file, change) {
        ("node", Change::Next) => writeln!(out, "hint: start the node again, so that it has the next key at hand")?,
        (_, Change::Next) => writeln!(out, "hint: keep keys/next/{file}.key elsewhere until it is needed")?,
        _ => (),
    }
    Ok(())
}

/// What is to be said, in each log, signed; the keys that it needs are made and on the disk.
fn signed(desk: &Desk, file: &str, change: &Change) -> Result<Vec<Vec<u8>>> {
    let folder = &desk.folder;
    let old = folder.key(file)?;
    let (name, role) = (old.vkey().name(), desk.role(&old, file));
    let made = |place: String| match folder.path("keys").join(format!("{place}.key")).exists() {
        true => folder.key(&place),
        false => folder.make_key(&place, name, role),
    };
    let node = folder.key("node")?;
    // `old/chair-1a2b3c4d` gave way to `chair` already: nothing takes its place.
    let retired = file.strip_prefix("old/").and_then(|rest| rest.rsplit_once('-')).map(|(base, _)| base);
    let newest = retired.map(|base| folder.key(base)).transpose()?;
    let mut keys = Vec::new();
    let role_and = |old: &SecretKey| (role, old.vkey().clone());
    let mut following = || -> Result<Following> {
        let next = folder.path("keys/next").join(format!("{file}.key"));
        if !next.exists() {
            return Err(Complaint::new(format!("no key follows `{file}` yet"))
                .at(next.display())
                .hint(format!(
                    "`hamsaya keys next {} {file}` makes it and states its hash; or put it back",
                    folder.dir().display()
                ))
                .into());
        }
        let new = folder.key(&format!("next/{file}"))?;
        let next = made(format!("after/{file}"))?.vkey().hash();
        let following = Following { new: new.vkey().clone(), next };
        keys.push(new);
        Ok(following)
    };
    let said = match change {
        Change::Next => {
            let next = made(format!("next/{file}"))?.vkey().hash();
            let (role, old) = role_and(&old);
            KeyChange::Named { role, old, next }
        }
        Change::Rotate => {
            let following = following()?;
            let (role, old) = role_and(&old);
            KeyChange::Replaced { role, old, following }
        }
        Change::Revoke { good_size, .. } => {
            let following = if newest.is_some() { None } else { Some(following()?) };
            let (role, old) = role_and(&old);
            KeyChange::Revoked { role, old, good_size: *good_size, following }
        }
    };
    match change {
        Change::Next | Change::Rotate => keys.push(old.clone()),
        Change::Revoke { recovery: true, .. } => keys.push(folder.key("recovery")?),
        Change::Revoke { .. } => keys.extend(newest),
    }
    // One key may stand in for the node's own: the one that takes its place when it was stolen.
    let speaks_for_itself = matches!(change, Change::Revoke { .. }) && node.vkey() == old.vkey();
    if !speaks_for_itself && keys.iter().all(|key| key.vkey() != node.vkey()) {
        keys.push(node);
    }
    let hex = old.keyid().rsplit('+').next().unwrap_or_default().to_owned();
    let source = format!("{}/keys/{}-{hex}", desk.party.to_lowercase(), change.word());
    let keys: Vec<&SecretKey> = keys.iter().collect();
    Ok(desk.homes.iter().map(|home| desk.state(home, &source, &said, &keys)).collect())
}

/// Puts the files where they belong; each step is left out if it was done before.
fn settle(folder: &Folder, file: &str, said: &KeyChange) -> Result<()> {
    if said.following().is_none() {
        return Ok(());
    }
    let place = |kind: &str| folder.path("keys").join(kind).join(format!("{file}.key"));
    let current = folder.path("keys").join(format!("{file}.key"));
    if current.exists() && folder.key(file)?.vkey() == said.old() {
        let hex = said.old().keyid().rsplit('+').next().unwrap_or_default().to_owned();
        fs::create_dir_all(folder.path("keys/old"))?;
        fs::rename(&current, folder.path("keys/old").join(format!("{file}-{hex}.key")))?;
    }
    for (from, to) in [(place("next"), current), (place("after"), place("next"))] {
        if from.exists() && !to.exists() {
            fs::rename(from, to)?;
        }
    }
    ["keys/old", "keys/next", "keys/after", "keys"].into_iter().try_for_each(|name| sync_folder(&folder.path(name)))
}

/// Bears out, in the node's own log, that another's key was stolen.
pub fn confirm(dir: &PathBuf, node: Option<&String>, entry: &str, out: &mut dyn Write) -> Result<()> {
    let desk = Desk::open(Folder::at(dir), node, &[])?;
    let wrong = || Complaint::new(format!("`{entry}` is no entry of this federation")).hint("for example P1#97");
    let (log, index) = entry.split_once('#').ok_or_else(wrong)?;
    let origin = desk.founding.member(log).and_then(|m| m.origin.as_deref()).unwrap_or(log).to_owned();
    let (id, said) = NodeClient::new(&desk.homes[0].url).statement(&origin, index.parse().map_err(|_| wrong())?)?;
    let revoked = if said.kind == "key" { KeyChange::of(&said).ok() } else { None };
    let Some(KeyChange::Revoked { old, good_size, .. }) = revoked else {
        return Err(Complaint::new(format!("{entry} says of no key that it was stolen")).into());
    };
    let change = KeyChange::Confirmed { log: origin, old: old.clone(), good_size, revocation: id };
    let source = format!("{}/keys/confirm-{}", desk.party.to_lowercase(), &id.to_string()[..16]);
    let leaf = desk.state(&desk.homes[0], &source, &change, &[&desk.folder.key("node")?]);
    let receipt = desk.send(&leaf)??;
    writeln!(out, "{} #{}  statement {}", receipt.origin, receipt.index, receipt.statement_id)?;
    Ok(writeln!(out, "{} says that {} was stolen after entry {}", said.party, old.keyid(), good_size - 1)?)
}
