//! Files beside the log, with the built command on running nodes; the commands of docs/guide/node.md.
use crate::command::{commands_of, hamsaya, scratch};
use crate::keys::{Town, ran, text, until};
use serde_json::Value;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// A small photograph with a C2PA box, as far as anybody looks: its end is noise of so many bytes.
fn photograph(bytes: usize) -> Vec<u8> {
    let mut photo = b"\xff\xd8\xff\xeb\0\x40JP\0\x01\0\0\0\x01\0\0\0\x40jumb\0\0\0\x1ejumdc2pa".to_vec();
    photo.resize(2 + 2 + 64, 0);
    photo.extend(b"\xff\xda");
    let mut state = 1_u32;
    while photo.len() < bytes {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        photo.push((state >> 24) as u8);
    }
    photo
}

/// A line to a node that breaks after so many bytes, for good.
fn breaking_line(to: &str, after: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let to = to.trim_start_matches("http://").to_string();
    let left = Arc::new(AtomicUsize::new(after));
    thread::spawn(move || {
        for line in listener.incoming() {
            let (Ok(from), Ok(there)) = (line, TcpStream::connect(&to)) else { return };
            let left = left.clone();
            thread::spawn(move || carry(from, there, &left));
        }
    });
    format!("http://{address}")
}

fn carry(mut from: TcpStream, mut there: TcpStream, left: &AtomicUsize) {
    let (mut back, mut answers) = (from.try_clone().expect("a line"), there.try_clone().expect("a line"));
    thread::spawn(move || {
        let _ = std::io::copy(&mut answers, &mut back);
    });
    let mut piece = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut piece) {
        let goes_on = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(read)).is_ok();
        if !goes_on || there.write_all(&piece[..read]).is_err() {
            break;
        }
    }
    // Both ends see it.
    let _ = (from.shutdown(std::net::Shutdown::Both), there.shutdown(std::net::Shutdown::Both));
}

fn rows(town: &Town, of: &str) -> Vec<Value> {
    let reader = town.reader("p1");
    let listed = ran(&["record", "files", of, "--as", text(&reader), "--format", "json"]);
    serde_json::from_str::<Value>(&listed.out).expect("JSON").as_array().cloned().unwrap_or_default()
}

fn state<'r>(rows: &'r [Value], name: &str) -> &'r str {
    rows.iter().find(|row| row["sha256"] == name).and_then(|row| row["state"].as_str()).unwrap_or("not named")
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

#[test]
fn files_come_stay_and_go_as_the_page_says() {
    let mut town = Town::start("files");
    let p1 = town.home("p1");
    let dir = text(&p1).to_string();
    let out = scratch("files-out");
    let photo = photograph(2_000_000);
    let path = out.join("IMG_0412.JPG");
    fs::write(&path, &photo).expect("a file");
    let name = sha256(&photo);

    // The page's own commands, up to where it is erased.
    let commands = commands_of("node.md", "Files beside the log");
    assert!(commands.len() >= 7, "{commands:?}");
    let (index, url) = (std::cell::Cell::new(0), town.url("p1"));
    let run = |line: &str| {
        let number = index.get().to_string();
        let line =
            line.replace("$P1", &dir).replace("$OUT", text(&out)).replace("$SHA256", &name).replace("$INDEX", &number);
        let line = line.replace("http://127.0.0.1:7411", &url);
        let words: Vec<&str> = line.split_whitespace().skip(1).collect();
        let done = if words.get(1) == Some(&"exhibit") {
            // Witnesses take a moment.
            until("a quorum", || {
                let done = hamsaya(&words);
                if done.code == 0 { Ok(done) } else { Err(done.err) }
            })
        } else {
            ran(&words)
        };
        if let Some((_, number)) = done.out.split_once('#').filter(|_| words[1] == "append") {
            index.set(number.split(' ').next().and_then(|n| n.parse::<u64>().ok()).expect("an index"));
        }
        (line, done.out)
    };
    let erases = commands.iter().position(|line| line.contains("erasure")).expect("an erasure");
    let said: Vec<(String, String)> = commands[..erases].iter().map(|line| run(line)).collect();
    let of = |word: &str| said.iter().find(|(line, _)| line.contains(word)).map(|(_, out)| out.as_str()).expect(word);
    assert!(of("append").contains("2000000 bytes sent"), "{}", of("append"));
    assert!(of("send").contains("it was there"), "{}", of("send"));
    let listed = of("record files");
    assert!(listed.contains("image/jpeg") && listed.contains("held") && listed.contains("c2pa"), "{listed}");
    assert!(!listed.contains("IMG_0412"), "its own name is not said: {listed}");
    assert!(of("verify $OUT".replace("$OUT", text(&out)).as_str()).contains("here, and it is the one named"));
    assert_eq!(fs::read(p1.join("files").join(&name)).expect("the file"), photo);
    for log in ["p1/log", "p2/peers"] {
        assert!(!holds(&town.dir.join(log), &photo[1_000..1_100]), "no file bytes in any log");
    }

    // Read from the folder, which is checked byte by byte.
    assert_eq!(state(&rows(&town, &dir), &name), "held");
    let verified = ran(&["verify", &dir]);
    assert!(verified.out.contains("files: 1 held"), "{}", verified.out);
    let held = p1.join("files").join(&name);
    let mut rotten = photo.clone();
    rotten[1_500_000] ^= 1;
    fs::write(&held, &rotten).expect("a rotten file");
    let found = hamsaya(&["verify", &dir]);
    assert_eq!(found.code, 1);
    assert!(found.out.contains(&format!("files/{name}")) && found.out.contains(&sha256(&rotten)), "{}", found.out);
    fs::write(&held, &photo).expect("the file again");

    // The line breaks, and breaks, and the node is killed; the statement stands and the rest comes later.
    let film = photograph(30_000_000);
    let path = out.join("film.bin");
    fs::write(&path, &film).expect("a file");
    let line = breaking_line(&url, 9_000_000);
    // What is signed is good at the addresses by which a node is known.
    town.stop("p1");
    let settings = fs::read_to_string(p1.join("node.toml")).expect("settings");
    let settings = format!("authorities = [\"{}\"]\n{settings}", line.trim_start_matches("http://"));
    fs::write(p1.join("node.toml"), settings).expect("settings");
    town.serve("p1");
    let broken = hamsaya(&[
        "record",
        "append",
        &dir,
        "--kind",
        "outage_notice",
        "--field",
        "sensor=S1",
        "--file",
        text(&path),
        "--node",
        &line,
    ]);
    assert_eq!(broken.code, 2, "{}{}", broken.out, broken.err);
    assert!(broken.out.contains("statement") && broken.err.contains("record send"), "{}{}", broken.out, broken.err);
    town.kill("p1");
    let name_of_film = sha256(&film);
    let part = fs::metadata(p1.join(format!("files/{name_of_film}.part"))).map_or(0, |about| about.len());
    assert!(part > 1_000_000 && part < 30_000_000, "{part}");
    town.serve("p1");
    until("the node to take what is sent", || {
        let rows = rows(&town, &url);
        if state(&rows, &name_of_film) == "arriving" { Ok(()) } else { Err(format!("{rows:?}")) }
    });
    // A disk without room for it is told as such.
    let settings = fs::read_to_string(p1.join("node.toml")).expect("settings");
    town.stop("p1");
    fs::write(p1.join("node.toml"), format!("{settings}\n[files]\nkeep_free_mib = 1000000000\n")).expect("settings");
    town.serve("p1");
    let full = hamsaya(&["record", "send", &dir, text(&path)]);
    assert!(full.code == 2 && full.err.contains("no_room"), "{}{}", full.out, full.err);
    town.stop("p1");
    fs::write(p1.join("node.toml"), settings).expect("settings");
    town.serve("p1");
    let sent = ran(&["record", "send", &dir, text(&path)]);
    assert!(sent.out.contains(&format!("after {part} that were there")), "{}", sent.out);
    assert_eq!(state(&rows(&town, &url), &name_of_film), "held");
    // What no statement names is not taken, and what is too long is not stated.
    let stray = out.join("stray.txt");
    fs::write(&stray, "of nothing").expect("a file");
    let refused = hamsaya(&["record", "send", &dir, text(&stray)]);
    assert!(refused.code == 2 && refused.err.contains("no entry of this node's log names"), "{}", refused.err);
    let long = fs::File::create(&stray).expect("a file");
    long.set_len((2 << 30) + 1).expect("a long file without bytes");
    let refused = hamsaya(&["record", "append", &dir, "--kind", "outage_notice", "--file", text(&stray)]);
    assert!(refused.code == 2 && refused.err.contains("2 GiB"), "{}", refused.err);

    // Erased: the bytes go, all else stays.
    for line in &commands[erases..] {
        run(line);
    }
    until("the bytes to be deleted", || match held.exists() {
        true => Err("still there".to_string()),
        false => Ok(()),
    });
    let listed = ran(&["record", "files", &url, "--as", text(&town.reader("p1"))]).out;
    assert!(listed.contains("erased (rights, #"), "{listed}");
    assert_eq!(state(&rows(&town, &dir), &name), "erased");
    let verified = ran(&["verify", &dir]);
    assert!(verified.out.contains("every byte fits"), "{}", verified.out);
}

/// Whether any file below a folder holds these bytes.
fn holds(dir: &Path, bytes: &[u8]) -> bool {
    fs::read_dir(dir).into_iter().flatten().flatten().any(|entry| match entry.path() {
        path if path.is_dir() => holds(&path, bytes),
        path => fs::read(path).is_ok_and(|found| found.windows(bytes.len()).any(|window| window == bytes)),
    })
}
