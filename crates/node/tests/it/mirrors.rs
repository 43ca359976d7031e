//! Mirrors over HTTP: what is published is brought to them, and what they sign comes home as receipts.
use crate::town::{NAMES, START, Town, key, notice, origin, until};
use flate2::Compression;
use flate2::read::GzEncoder;
use hamsaya_record::checkpoint::Checkpoint;
use hamsaya_record::cosignature;
use hamsaya_record::envelope::Envelope;
use hamsaya_record::exhibit;
use hamsaya_record::mirror::{self, Holding};
use hamsaya_record::note::{Note, NoteSignature};
use hamsaya_record::store::Folder;
use hamsaya_record::tiles::Tiles;
use hamsaya_record::witness::{self, origin_hash};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

const OCTETS: &str = "application/octet-stream";
const TEXT: &str = "text/plain; charset=utf-8";

/// P1 says something; its index.
fn say(town: &Town) -> u64 {
    let envelope = Envelope::sign(notice(town).to_payload(), &[&key("P1", "liaison")]);
    let said = town.state_statement("P1", &envelope);
    assert_eq!(said.status, 200, "{}", said.text());
    said.json()["index"].as_u64().expect("an index")
}

/// Who had an entry of P1's, by P1's account, once so many have.
fn had(town: &Town, index: u64, count: usize) -> Vec<(String, NoteSignature, u64)> {
    let path = format!("/api/entries/item?origin={}&index={index}", origin("P1"));
    let mut found = Vec::new();
    until("receipts of the entry", || {
        let item = town.get_as("P1", &path, Some(&key("P1", "chair")), &[("hamsaya-purpose", "duty")]);
        let item = item.json();
        let list = item["had"].as_array().ok_or_else(|| format!("{item}"))?;
        if list.len() < count { Err(format!("{list:?}")) } else { Ok(()) }
    });
    let item = town.get_as("P1", &path, Some(&key("P1", "chair")), &[("hamsaya-purpose", "duty")]).json();
    for one in item["had"].as_array().expect("a list") {
        let line = NoteSignature::parse_line(one["line"].as_str().expect("a line")).expect("a signature");
        found.push((one["by"].as_str().expect("a name").to_string(), line, one["size"].as_u64().expect("a size")));
    }
    found
}

/// The checkpoint's text that a mirror of this node signed at this size.
fn text_at(town: &Town, size: u64) -> String {
    let tiles: Tiles<Folder> =
        Tiles::open(Folder::read_only(&town.home("P1").join("log")), key("P1", "log").vkey(), |_, _| ())
            .expect("tiles");
    Checkpoint { origin: origin("P1"), size, root: tiles.root_at(size).expect("a root") }.to_text()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("listed") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &to),
            false => fs::copy(entry.path(), &to).map(drop).expect("copied"),
        }
    }
}

#[test]
fn what_is_published_is_held_by_every_mirror_and_each_signs_for_it() {
    let mut town = Town::start("mirrors");
    town.set_clock(START);
    let index = say(&town);
    let receipts = had(&town, index, 3);
    assert_eq!(receipts.iter().map(|(by, ..)| by.as_str()).collect::<Vec<_>>(), ["G1", "G2", "P2"]);
    for name in ["P2", "G1", "G2"] {
        let shown = town.get(name, &format!("/mirror/{}/checkpoint", origin_hash(&origin("P1"))));
        assert_eq!(shown.status, 200, "{}", shown.text());
        let note = Note::parse(&shown.body).expect("a note");
        let (log, mirror) = (key("P1", "log"), key(name, "mirror"));
        let verified = note.verify([log.vkey(), mirror.vkey()]).expect("both signatures");
        assert_eq!(verified.len(), 2, "the log's and the mirror's");
        let tile = town.get(name, &format!("/mirror/{}/tile/0/000.p/1", origin_hash(&origin("P1"))));
        assert_eq!((tile.status, tile.body.len()), (200, 32));
    }
    // An exhibit of the entry says so to anybody.
    let made = town.get("P1", &format!("/api/exhibit?origin={}&index={index}", origin("P1")));
    assert_eq!(made.status, 200, "{}", made.text());
    let report = exhibit::verify(&made.body).expect("an exhibit");
    let held: Vec<(&str, u64, String)> =
        report.held.iter().map(|h| (h.node.as_str(), h.size, h.keyid.clone())).collect();
    let expected: Vec<(&str, u64, String)> =
        receipts.iter().map(|(by, _, size)| (by.as_str(), *size, key(by, "mirror").keyid())).collect();
    assert_eq!(held, expected);
    // A witness keeps no copies, so it mirrors nothing.
    assert_eq!(town.post("O1", "/mirror/add-entries", OCTETS, b"").status, 404);
    town.stop_node("P1");
    for (by, line, size) in &receipts {
        let text = text_at(&town, *size);
        assert!(cosignature::verify(&text, line, key(by, "mirror").vkey()).is_some(), "{by} signed it");
    }
    // What came home is there after a start.
    town.start_node("P1");
    town.set_clock(START);
    assert_eq!(had(&town, index, 3), receipts);
}

/// Who asks nobody for anything cannot say that he had nothing.
#[test]
fn withholding_oneself_does_not_help_what_is_not_pulled_is_brought() {
    let mut town = Town::make("mirrors-deaf", crate::town::FAST);
    let settings = town.home("P2").join("node.toml");
    let text = fs::read_to_string(&settings).expect("settings");
    let alone = text.split("[[peer]]").next().expect("a beginning");
    fs::write(&settings, alone).expect("written");
    NAMES.iter().for_each(|name| town.start_node(name));
    town.set_clock(START);
    let index = say(&town);
    let receipts = had(&town, index, 3);
    let (_, line, size) = receipts.iter().find(|(by, ..)| by == "P2").expect("P2's receipt").clone();
    assert!(size > index);
    town.stop_node("P1");
    assert!(cosignature::verify(&text_at(&town, size), &line, key("P2", "mirror").vkey()).is_some());
    // And it does hold it: its copy shows it.
    let path = format!("/api/entries/item?origin={}&index={index}", origin("P1"));
    let item = town.get_as("P2", &path, Some(&key("P2", "chair")), &[("hamsaya-purpose", "duty")]);
    assert_eq!(item.status, 200, "{}", item.text());
}

/// Strangers who hold their lines for uploads, byte by byte, keep no node of the founding from bringing.
#[test]
fn slow_strangers_keep_no_node_from_bringing() {
    let town = Town::start("mirrors-slow");
    town.set_clock(START);
    let authority = town.urls["P2"].trim_start_matches("http://").to_string();
    let head = format!(
        "POST /mirror/add-entries HTTP/1.1\r\nhost: {authority}\r\ncontent-type: {OCTETS}\r\ncontent-length: 1000\r\n\r\n\0"
    );
    let slow: Vec<TcpStream> = (0..2)
        .map(|_| {
            let mut stream = TcpStream::connect(&authority).expect("a connection");
            stream.write_all(head.as_bytes()).expect("a beginning");
            stream
        })
        .collect();
    let another = || town.post("P2", "/mirror/add-entries", OCTETS, b"").status;
    until("the strangers' lines to be taken", || match another() {
        503 => Ok(()),
        status => Err(status.to_string()),
    });
    let index = say(&town);
    assert_eq!(had(&town, index, 3).len(), 3);
    assert_eq!(another(), 503, "they still hold them");
    drop(slow);
    until("a stranger to be heard", || match another() {
        400 => Ok(()),
        status => Err(status.to_string()),
    });
}

/// A client that is none of ours, by the letter of the specification.
#[test]
fn every_status_of_the_specification() {
    let mut town = Town::make("mirrors-statuses", &crate::town::FAST.replace("mirror_ms = 20", "mirror_ms = 3600000"));
    NAMES.iter().for_each(|name| town.start_node(name));
    town.set_clock(START);
    let index = say(&town);
    town.holds(&origin("P1"), index, START);
    let published = town.get("P1", "/log/checkpoint");
    let note = Note::parse(&published.body).expect("a checkpoint");
    let size = Checkpoint::parse(&note.text).expect("a checkpoint").size;
    // What G1 copied, without disturbing G1.
    let copied = town.home("G1").join("peers").join(origin_hash(&origin("P1")));
    let apart = town.home("G1").join("apart");
    copy(&copied, &apart);
    let tiles: Tiles<Folder> =
        Tiles::open(Folder::open(&apart).expect("a folder"), key("P1", "log").vkey(), |_, _| ()).expect("a copy");
    let upload = |origin: &str, start, end| mirror::upload(&tiles, origin, start, end, b"").expect("entries");
    let entries = |body: &[u8]| town.post("P2", "/mirror/add-entries", OCTETS, body);
    let announce = |body: &[u8]| town.post("P2", "/mirror/add-checkpoint", TEXT, body);

    // What it holds it has pulled; nothing was announced yet.
    let asked = entries(&upload(&origin("P1"), 0, 0));
    assert_eq!((asked.status, Holding::parse(&asked.text()).map(|h| h.size)), (409, Some(0)), "{}", asked.text());
    let held = Holding::parse(&asked.text()).expect("three lines").next;
    assert!(held > index, "{held}");
    assert_eq!(entries(&upload("p9.example/hamsaya/1", 0, 0)).status, 404);
    assert_eq!(entries(b"").status, 400);

    let proof = |old: u64| tiles.prove_consistency(old, size).expect("hashes").unwrap_or_default();
    let unknown = witness::request(
        0,
        &[],
        &Note::new("p9.example\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n".into()).expect("a note"),
    );
    assert_eq!(announce(&unknown).status, 404);
    assert_eq!(announce(b"old").status, 400);
    let mut lonely = note.clone();
    lonely.signatures.retain(|s| s.names(key("P1", "log").vkey()));
    let told = announce(&witness::request(held, &proof(held), &lonely));
    assert_eq!(told.status, 403, "no quorum: {}", told.text());
    let told = announce(&witness::request(held + 1, &[], &note));
    assert!([400, 409].contains(&told.status), "{}", told.text());
    let told = announce(&witness::request(held, &[[7; 32]], &note));
    assert_eq!(told.status, 422, "{}", told.text());
    let told = announce(&witness::request(held, &proof(held), &note));
    assert_eq!((told.status, told.body.len()), (200, 0), "{}", told.text());

    let mut wrong = upload(&origin("P1"), 0, size);
    wrong[60] ^= 1;
    assert_eq!(entries(&wrong).status, 422);
    let whole = upload(&origin("P1"), 0, size);
    let mut packed = Vec::new();
    GzEncoder::new(&whole[..], Compression::default()).read_to_end(&mut packed).expect("packed");
    let packed = town.post_encoded("P2", "/mirror/add-entries", OCTETS, "gzip", &packed);
    assert_eq!(packed.status, 200, "{}", packed.text());
    let line = NoteSignature::parse_line(packed.text().trim_end()).expect("a line");
    assert!(cosignature::verify(&note.text, &line, key("P2", "mirror").vkey()).is_some());
    assert_eq!(town.post_encoded("P2", "/mirror/add-entries", OCTETS, "br", &whole).status, 415);
    assert_eq!(entries(&whole).status, 200, "sent again it is signed again");
}
