//! Keys that follow one another, with the built command on five running nodes; the commands of docs/guide/node.md first.
use crate::command::{Ran, copy, hamsaya, root, scratch};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Five nodes on loopback, each a process; they end with it.
pub struct Town {
    pub dir: PathBuf,
    running: BTreeMap<&'static str, Child>,
}

impl Town {
    pub fn start(name: &str) -> Town {
        let dir = scratch(name);
        ran(&["init", "demo", text(&dir)]);
        let mut town = Town { dir, running: BTreeMap::new() };
        ["p1", "p2", "g1", "g2", "o1"].into_iter().for_each(|node| town.serve(node));
        town
    }

    pub fn home(&self, node: &str) -> PathBuf {
        self.dir.join(node)
    }

    /// Starts a node, and waits until it listens.
    pub fn serve(&mut self, node: &'static str) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hamsaya"));
        command.args(["serve", text(&self.home(node)), "--stop-with-stdin"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the built command");
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().expect("a pipe")).read_line(&mut line).expect("a line");
        assert!(line.contains("http://"), "{node}: {line}");
        self.running.insert(node, child);
    }

    pub fn stop(&mut self, node: &str) {
        let mut child = self.running.remove(node).expect("a running node");
        drop(child.stdin.take());
        child.wait().expect("an end");
    }

    /// The node's machine loses its power, as far as its process can tell.
    pub fn kill(&mut self, node: &str) {
        let mut child = self.running.remove(node).expect("a running node");
        child.kill().and_then(|()| child.wait()).expect("an end");
    }

    /// An entry as a node shows it.
    pub fn item(&self, node: &str, entry: &str) -> Result<Value, String> {
        let shown = hamsaya(&["record", "show", &self.url(node), entry, "--as", text(&self.reader(node))]);
        serde_json::from_str(&shown.out).map_err(|_| shown.err)
    }

    /// The key of who reads at a node.
    pub fn reader(&self, node: &str) -> PathBuf {
        let office = if node.starts_with('p') { "chair" } else { "observer" };
        self.home(node).join(format!("keys/{office}.key"))
    }

    pub fn url(&self, node: &str) -> String {
        let settings = fs::read_to_string(self.home(node).join("node.toml")).expect("settings");
        let listen = settings.lines().find_map(|line| line.strip_prefix("listen = ")).expect("an address");
        format!("http://{}", listen.trim_matches('"'))
    }
}

impl Drop for Town {
    fn drop(&mut self) {
        let nodes: Vec<&str> = self.running.keys().copied().collect();
        nodes.into_iter().for_each(|node| self.stop(node));
    }
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// Runs a command that must do what it was asked.
#[track_caller]
pub fn ran(arguments: &[&str]) -> Ran {
    let ran = hamsaya(arguments);
    assert_eq!(ran.code, 0, "{arguments:?}\n{}{}", ran.out, ran.err);
    ran
}

/// `#12` in what a command printed.
pub fn index(ran: &Ran) -> u64 {
    let number = ran.out.split('#').nth(1).and_then(|rest| rest.split(' ').next());
    number.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{}{}", ran.out, ran.err))
}

/// Looks at a condition until it holds.
#[track_caller]
pub fn until<T>(what: &str, look: impl Fn() -> Result<T, String>) -> T {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        match look() {
            Ok(found) => return found,
            Err(seen) if Instant::now() > deadline => panic!("waited for {what}; last seen: {seen}"),
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

fn key(home: &Path, file: &str) -> String {
    ran(&["keys", "show", text(home), file]).out
}

#[test]
fn keys_follow_one_another_whatever_is_interrupted() {
    let mut town = Town::start("keys");
    let p1 = town.home("p1");
    let dir = text(&p1);
    let refused = hamsaya(&["keys", "rotate", dir, "liaison"]);
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("no key follows `liaison` yet"), "{}", refused.err);

    // The page's own commands.
    let guide = fs::read_to_string(root().join("docs/guide/node.md")).expect("the page");
    let block = guide.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a block of commands");
    let first = key(&p1, "liaison");
    let mut commands = 0;
    for line in block.lines() {
        let words: Vec<String> = line.split_whitespace().skip(1).map(|word| word.replace("$P1", dir)).collect();
        ran(&words.iter().map(String::as_str).collect::<Vec<_>>());
        commands += 1;
    }
    assert_eq!(commands, 2, "{block}");
    let second = key(&p1, "liaison");
    assert_ne!(first, second);
    let named = key(&p1, "next/liaison");

    // Nobody answers: what is signed lies there, and nothing else has changed.
    let nobody = hamsaya(&["keys", "rotate", dir, "liaison", "--node", "http://127.0.0.1:9"]);
    assert_eq!((nobody.code, key(&p1, "liaison")), (2, second.clone()), "{}", nobody.err);
    let other = hamsaya(&["keys", "revoke", dir, "liaison", "--good-size", "1"]);
    assert!(other.err.contains("is under way") && other.err.contains("keys rotate"), "{}", other.err);
    let interrupted = scratch("keys-interrupted");
    copy(&p1.join("keys"), &interrupted);
    let logged = index(&ran(&["keys", "rotate", dir, "liaison"]));
    assert_eq!(key(&p1, "liaison"), named);
    let settled = key(&p1, "next/liaison");
    // The answer was lost; or so was the power, when some of the files had their new places.
    let moves: [&[(&str, &str)]; 3] = [
        &[],
        &[("liaison.key", "old/liaison-x.key")],
        &[("liaison.key", "old/liaison-x.key"), ("next/liaison.key", "liaison.key")],
    ];
    for moved in moves {
        fs::remove_dir_all(p1.join("keys")).expect("a folder");
        copy(&interrupted, &p1.join("keys"));
        for (from, to) in moved {
            fs::rename(p1.join("keys").join(from), p1.join("keys").join(to)).expect("a move");
        }
        assert_eq!(index(&ran(&["keys", "rotate", dir, "liaison"])), logged, "the same bytes are the same entry");
        assert_eq!((key(&p1, "liaison"), key(&p1, "next/liaison")), (named.clone(), settled.clone()));
        assert!(!p1.join("keys/under-way/liaison.rotate").exists() && !p1.join("keys/after/liaison.key").exists());
    }

    // The node's own key, too. It goes on with the next one, which it has at hand from its next start.
    ran(&["keys", "next", dir, "node"]);
    town.stop("p1");
    town.serve("p1");
    let entry = format!("P1#{}", index(&ran(&["keys", "rotate", dir, "node"])));
    until("the node's own word on when that was", || match &town.item("g1", &entry)?["logged_at"]["hi"] {
        Value::String(_) => Ok(()),
        other => Err(other.to_string()),
    });
    town.stop("p1");
    town.serve("p1");

    // The liaison's key is stolen. What the thief said is there and settles nothing, once two others bear it out.
    let thief = ["record", "append", dir, "--kind", "outage_notice", "--field", "sensor=S1", "--key", "liaison"];
    let stolen = index(&ran(&thief));
    until("a quorum to have seen it", || match &town.item("g1", &format!("P1#{stolen}"))?["logged_at"]["hi"] {
        Value::String(_) => Ok(()),
        other => Err(other.to_string()),
    });
    let too_much = hamsaya(&["keys", "revoke", dir, "liaison", "--good-size", "9999"]);
    assert!(too_much.err.contains("good_size"), "{}", too_much.err);
    let revoke = ["keys", "revoke", dir, "liaison", "--good-size", &stolen.to_string()];
    let entry = format!("P1#{}", index(&ran(&revoke)));
    // The desk has the new key; and whoever holds the exhibit can follow from the founding's to it.
    let later = format!("P1#{}", index(&ran(&thief)));
    let exhibit = scratch("keys-exhibit").join("later.exhibit.zip");
    for node in ["p1", "g2"] {
        until("an exhibit", || {
            match hamsaya(&[
                "record",
                "exhibit",
                &town.url(node),
                &later,
                "-o",
                text(&exhibit),
                "--as",
                text(&town.reader(node)),
            ]) {
                Ran { code: 0, .. } => Ok(()),
                Ran { err, .. } => Err(err),
            }
        });
        let keyid = ran(&["keys", "show", dir, "liaison"]).out.splitn(3, '+').take(2).collect::<Vec<_>>().join("+");
        let verified = ran(&["verify", text(&exhibit)]).out;
        assert!(verified.contains(&keyid), "{verified}");
    }
    for node in ["g1", "g2"] {
        let home = town.home(node);
        until("the entry to be there", || match hamsaya(&["keys", "confirm", text(&home), &entry]) {
            Ran { code: 0, .. } => Ok(()),
            Ran { err, .. } => Err(err),
        });
    }
    until("it to be disputed", || match &town.item("p2", &format!("P1#{stolen}"))?["disputed"]["why"] {
        Value::String(why) if why == "stolen_key" => Ok(()),
        other => Err(other.to_string()),
    });
}
