//! Files beside the log, over HTTP: how they come, who reads them, and how they go.
use crate::rights::{CIRCLES, Maker, item, problem};
use crate::town::{START, Said, Town, key, origin, until};
use hamsaya_node::api::OPENAPI;
use hamsaya_record::envelope::Envelope;
use hamsaya_record::exhibit;
use hamsaya_record::key::SecretKey;
use hamsaya_record::statement::{FieldValue, FileRef, MARKINGS, Statement, hex};
use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::net::TcpStream;

/// What a statement says of a file with these bytes.
pub fn named(handle: &str, bytes: &[u8]) -> FileRef {
    FileRef {
        name: handle.into(),
        sha256: hamsaya_record::store::version(bytes),
        bytes: bytes.len() as u64,
        media_type: "image/jpeg".into(),
        capture: Some("device".into()),
        captured_at: Some(START),
        tool: None,
        working_copy: true,
    }
}

/// Name of a file with these bytes.
pub fn sha(bytes: &[u8]) -> String {
    hex(&hamsaya_record::store::version(bytes))
}

pub fn path(bytes: &[u8]) -> String {
    format!("/api/files/{}", sha(bytes))
}

/// Sends a file to P1 in one piece.
pub fn sent(town: &Town, key: &SecretKey, bytes: &[u8]) -> Said {
    put(town, key, &sha(bytes), 0, bytes, true)
}

fn put(town: &Town, key: &SecretKey, sha: &str, offset: usize, bytes: &[u8], is_last: bool) -> Said {
    let (offset, complete) = (offset.to_string(), if is_last { "?1" } else { "?0" });
    let headers = [("upload-offset", offset.as_str()), ("upload-complete", complete)];
    town.patch_as("P1", &format!("/api/files/{sha}/upload"), Some(key), &headers, bytes)
}

const DUTY: [(&str, &str); 1] = [("hamsaya-purpose", "duty")];

/// Bytes that look like nothing, the same ones each time.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 7_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..length).map(|_| next()).collect()
}

/// An outage that P1 tells of, with a file.
fn with_file(maker: &mut Maker<'_>, marking: &str, bytes: &[u8]) -> Statement {
    let mut statement = maker.statement("outage_notice", "P1", "with-file");
    statement.marking = marking.into();
    statement.files = vec![named("f1", bytes)];
    statement
}

fn shown(said: &Said) -> String {
    format!("{} {}", said.status, String::from_utf8_lossy(&said.body[..said.body.len().min(400)]))
}

#[test]
fn a_file_comes_over_any_line_and_through_any_end_of_the_process() {
    let mut town = Town::start("files-come");
    town.set_clock(START);
    let mut maker = Maker { town: &town, made: 0 };
    let photo = noise(3_000_000);
    let (liaison, name) = (key("P1", "liaison"), sha(&photo));
    let upload = format!("/api/files/{name}/upload");
    // Nobody leaves here what no entry names.
    let early = put(&town, &liaison, &name, 0, &photo[..10], false);
    assert_eq!((early.status, problem(&early).as_str()), (404, "not_found"), "{}", shown(&early));
    let at = {
        let statement = with_file(&mut maker, "TLP:AMBER", &photo);
        maker.logged(&statement)
    };
    let missing = town.get_as("P1", &path(&photo), Some(&liaison), &DUTY);
    assert_eq!((missing.status, problem(&missing).as_str()), (404, "not_held"), "{}", shown(&missing));
    // Only this member's offices send.
    for stranger in [key("P2", "liaison"), key("G1", "observer"), key("P2", "node"), key("P1", "driver")] {
        let refused = put(&town, &stranger, &name, 0, &photo[..10], false);
        assert_eq!((refused.status, problem(&refused).as_str()), (403, "right"), "{}", shown(&refused));
    }
    let public = town.patch_as("P1", &upload, None, &[("upload-offset", "0"), ("upload-complete", "?1")], b"");
    assert_eq!((public.status, problem(&public).as_str()), (403, "right"));
    let unread = town.patch_as("P1", &upload, Some(&liaison), &[("upload-offset", "0")], b"");
    assert_eq!((unread.status, problem(&unread).as_str()), (400, "bad_parameter"));

    // A piece, then one that does not follow.
    let first = put(&town, &liaison, &name, 0, &photo[..1_000_000], false);
    assert_eq!((first.status, first.headers["upload-offset"].as_str()), (204, "1000000"), "{}", shown(&first));
    let gap = put(&town, &liaison, &name, 1_000_001, b"", true);
    assert_eq!((gap.status, problem(&gap).as_str()), (409, "upload_offset"));
    assert_eq!(gap.json()["allowed"], "1000000");
    // A line that breaks off within the next piece: what came is kept.
    broken_off(&town, &liaison, &upload, &photo[1_000_000..2_500_000]);
    let part = town.home("P1").join(format!("files/{name}.part"));
    until("the line's end", || {
        let said = town.get_as("P1", &upload, Some(&liaison), &[]);
        let free = put(&town, &liaison, &name, 1_000_000, b"", false);
        (free.status == 409 && problem(&free) == "upload_offset").then_some(()).ok_or(shown(&said) + &shown(&free))
    });
    let kept = town.get_as("P1", &upload, Some(&liaison), &[]);
    assert_eq!(headed(&town, &liaison, &upload), (200, kept.headers["upload-offset"].clone()));
    crate::openapi::fits("get", "/api/files/{sha256}/upload", "200", &kept.json());
    let came: usize = kept.headers["upload-offset"].parse().unwrap();
    assert!((1_000_001..=2_500_000).contains(&came), "{came}");
    assert_eq!(fs::read(&part).unwrap(), photo[..came]);

    // The node ends, and goes on from there.
    town.stop_node("P1");
    town.start_node("P1");
    town.set_clock(START);
    let again = town.get_as("P1", &upload, Some(&liaison), &[]);
    assert_eq!(
        (again.json()["received"].as_u64(), &again.json()["complete"]),
        (Some(came as u64), &Value::Bool(false))
    );
    // Whoever signed the entry sends, and whoever may read it: the hotline's officer did the first.
    let last = put(&town, &key("P1", "hotline"), &name, came, &photo[came..], true);
    assert_eq!(last.status, 201, "{}", shown(&last));
    crate::openapi::fits("patch", "/api/files/{sha256}/upload", "201", &last.json());
    assert!(!part.exists());
    // What is here is answered at once.
    let twice = put(&town, &liaison, &name, 0, b"", true);
    assert_eq!((twice.status, twice.headers["upload-complete"].as_str()), (200, "?1"));

    // Read, whole and in part; each time it is written down for which entry.
    let reads = |town: &Town| {
        let dpo = key("P2", "data-protection");
        town.get_as("P1", "/api/reads?limit=1000", Some(&dpo), &[("hamsaya-purpose", "audit")]).json()
    };
    let before = reads(&town)["total"].as_u64().unwrap();
    let without = town.get_as("P1", &path(&photo), Some(&liaison), &[]);
    assert_eq!((without.status, problem(&without).as_str()), (400, "purpose"));
    let whole = town.get_as("P1", &path(&photo), Some(&liaison), &DUTY);
    assert_eq!((whole.status, whole.body == photo), (200, true));
    let header = |name: &str| whole.headers[name].as_str();
    assert_eq!((header("content-type"), header("x-content-type-options")), ("image/jpeg", "nosniff"));
    assert_eq!(header("content-disposition"), format!("attachment; filename=\"{}.jpg\"", &name[..12]));
    assert_eq!(header("content-length"), "3000000");
    let range = [DUTY[0], ("range", "bytes=2999990-")];
    let tail = town.get_as("P1", &path(&photo), Some(&liaison), &range);
    assert_eq!((tail.status, &tail.body[..]), (206, &photo[2_999_990..]));
    assert_eq!(tail.headers["content-range"], "bytes 2999990-2999999/3000000");
    let log = reads(&town);
    assert_eq!(log["total"].as_u64(), Some(before + 2));
    let line = &log["reads"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(line["entries"], serde_json::json!([format!("{}#{at}", origin("P1"))]));
    assert_eq!(line["asked"], path(&photo));

    // The list says how each stands.
    let list = town.get_as("P1", "/api/files", Some(&liaison), &DUTY).json();
    crate::openapi::fits("get", "/api/files", "200", &list);
    let row = &list["files"][0];
    assert_eq!(
        (row["state"].as_str(), row["index"].as_u64(), row["c2pa"].as_bool()),
        (Some("held"), Some(at), Some(false))
    );
    assert_eq!(town.get_as("P1", "/api/files", None, &[]).json()["files"], serde_json::json!([]));
    // So does the entry, at home; elsewhere it says what was stated.
    let shown = |node: &str| {
        let said = town.get_as(node, &item(&origin("P1"), at), Some(&liaison), &DUTY).json();
        crate::openapi::fits("get", "/api/entries/item", "200", &said);
        said["files"][0].clone()
    };
    assert_eq!((shown("P1")["state"].as_str(), shown("P1")["leaves"].as_bool()), (Some("held"), Some(true)));
    town.holds_as("P2", &origin("P1"), at);
    assert_eq!((shown("P2")["state"].as_str(), shown("P2")["bytes"].as_u64()), (None, Some(3_000_000)));
    assert_eq!(town.get_as("P2", &path(&photo), Some(&liaison), &DUTY).status, 404, "originals stay with their owner");
    assert!(OPENAPI.contains("/api/files/{sha256}/upload"));
}

/// Status and offset, as `HEAD` gives them.
fn headed(town: &Town, key: &SecretKey, path: &str) -> (u16, String) {
    use hamsaya_node::signed::{Request, now_s, sign};
    let url = format!("{}{path}", town.urls["P1"]);
    let signed = sign(Request::to("HEAD", &url, ""), key, now_s());
    let request = signed.into_iter().fold(ureq::head(&url), |request, (name, value)| request.header(name, value));
    let said = request.call().unwrap();
    (said.status().as_u16(), said.headers()["upload-offset"].to_str().unwrap().to_string())
}

/// Says that more comes than then does.
fn broken_off(town: &Town, key: &SecretKey, path: &str, bytes: &[u8]) {
    use hamsaya_node::signed::{Request, now_s, sign};
    let url = format!("{}{path}", town.urls["P1"]);
    let host = url.split('/').nth(2).unwrap();
    let mut line = TcpStream::connect(host).unwrap();
    let signed = sign(Request::to("PATCH", &url, ""), key, now_s());
    let signed: String = signed.into_iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = bytes.len() + 1_000_000;
    write!(
        line,
        "PATCH {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/partial-upload\r\nupload-offset: 1000000\r\n\
         upload-complete: ?1\r\ncontent-length: {length}\r\n{signed}\r\n"
    )
    .unwrap();
    line.write_all(bytes).unwrap();
    // Some of it is on the disk before the line ends.
    let name = path.split('/').nth(3).unwrap();
    let part = town.home("P1").join(format!("files/{name}.part"));
    until("bytes on the disk", || {
        let bytes = fs::metadata(&part).map_or(0, |about| about.len());
        (bytes > 1_000_000).then_some(()).ok_or(bytes.to_string())
    });
}

#[test]
fn other_bytes_too_many_bytes_and_a_full_disk_are_refused() {
    let mut town = Town::start("files-refused");
    town.set_clock(START);
    let mut maker = Maker { town: &town, made: 0 };
    let liaison = key("P1", "liaison");
    let photo = noise(500_000);
    let mut huge = with_file(&mut maker, "TLP:AMBER", b"of a film");
    huge.files[0].bytes = (2 << 30) + 1;
    huge.files.push(named("f2", &photo));
    maker.logged(&huge);
    // Longer than 2 GiB: said before a byte of it is sent.
    let film = sha(b"of a film");
    let said = town.get_as("P1", &format!("/api/files/{film}/upload"), Some(&liaison), &[]);
    assert_eq!((said.status, problem(&said).as_str()), (413, "file_too_large"), "{}", shown(&said));
    assert_eq!(said.json()["allowed"], (2_u64 << 30).to_string());
    assert_eq!(put(&town, &liaison, &film, 0, b"of a film", true).status, 413);
    // Other bytes than were named are not kept.
    let mut other = photo.clone();
    other[499_999] ^= 1;
    let name = sha(&photo);
    let wrong = put(&town, &liaison, &name, 0, &other, true);
    assert_eq!((wrong.status, problem(&wrong).as_str()), (422, "wrong_digest"), "{}", shown(&wrong));
    assert_eq!((wrong.json()["found"].as_str(), wrong.json()["allowed"].as_str()), (Some(&*sha(&other)), Some(&*name)));
    assert_eq!(fs::read_dir(town.home("P1").join("files")).unwrap().count(), 0);
    // Nor more than were named.
    let more = put(&town, &liaison, &name, 0, &[&photo[..], b"!"].concat(), true);
    assert_eq!((more.status, problem(&more).as_str()), (413, "file_too_large"), "{}", shown(&more));

    // The disk is full where the next byte goes; what came stays.
    let part = town.home("P1").join(format!("files/{name}.part"));
    let _ = fs::remove_file(&part);
    if cfg!(target_os = "linux") {
        #[cfg(unix)]
        std::os::unix::fs::symlink("/dev/full", &part).unwrap();
        let full = put(&town, &liaison, &name, 0, &photo[..1_000], false);
        assert_eq!((full.status, problem(&full).as_str()), (503, "no_room"), "{}", shown(&full));
        fs::remove_file(&part).unwrap();
    }
    // The log's own room is left to it.
    town.stop_node("P1");
    let settings = town.home("P1").join("node.toml");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, text.replace("[pacing]", "[files]\nkeep_free_mib = 1000000000\n[pacing]")).unwrap();
    town.start_node("P1");
    town.set_clock(START);
    let kept = put(&town, &liaison, &name, 0, b"", false);
    assert_eq!((kept.status, problem(&kept).as_str()), (503, "no_room"), "{}", shown(&kept));
    town.stop_node("P1");
    fs::write(&settings, text).unwrap();
    town.start_node("P1");
    town.set_clock(START);
    assert_eq!(put(&town, &liaison, &name, 0, &photo, true).status, 201);
}

#[test]
fn safeguard_05_originals_stay_at_home_and_are_read_by_whom_their_entry_means() {
    let town = Town::start("files-read");
    town.set_clock(START);
    let mut maker = Maker { town: &town, made: 0 };
    let mut all = Vec::new();
    for marking in MARKINGS {
        for pap in ["PAP:CLEAR", "PAP:AMBER", "PAP:RED"] {
            let bytes = format!("{marking} {pap}").into_bytes();
            // A column that the public reads.
            let mut statement = maker.statement("closure_notice", "P1", "marked");
            statement.marking = marking.into();
            statement.files = vec![named("f1", &bytes)];
            statement.fields.insert("pap".into(), FieldValue::Text(pap.into()));
            if marking == "TLP:RED" {
                let readers = vec![FieldValue::Text("sector_liaison".into())];
                statement.fields.insert("readers".into(), FieldValue::List(readers));
            }
            let at = maker.logged(&statement);
            town.holds_in_own_log("P1", at);
            // The office that states it sends it, whether it may read it or not.
            let said = sent(&town, &key("P1", "gate"), &bytes);
            assert_eq!(said.status, 201, "{marking} {pap}: {}", shown(&said));
            all.push((marking, pap, bytes));
        }
    }
    let mut given = 0;
    for (member, office, means) in CIRCLES {
        let as_key = (member != "-").then(|| key(member, office));
        for (marking, pap, bytes) in &all {
            let said = town.get_as("P1", &path(bytes), as_key.as_ref(), &DUTY);
            let what = format!("{member} {office} reads {marking} {pap}: {}", shown(&said));
            let nothing = town.get_as("P1", &path(b"nothing"), as_key.as_ref(), &DUTY);
            let is_public = member == "-";
            match MARKINGS.iter().position(|m| m == marking).unwrap() {
                // Who is named reads it on the node and takes nothing away; to others it is not there.
                4 if office == "liaison" => assert_eq!(problem(&said), "handling", "{what}"),
                4 => {
                    assert_eq!(said.status, 404, "{what}");
                    let body = String::from_utf8_lossy(&said.body).replace(&sha(bytes), &sha(b"nothing"));
                    assert_eq!(body.as_bytes(), nothing.body, "{what}");
                }
                n if !means[n] => assert_eq!((said.status, problem(&said).as_str()), (403, "marking"), "{what}"),
                _ if *pap == "PAP:RED" || (is_public && *pap != "PAP:CLEAR") => {
                    assert_eq!((said.status, problem(&said).as_str()), (403, "handling"), "{what}");
                }
                _ => {
                    assert_eq!((said.status, &said.body), (200, bytes), "{what}");
                    given += 1;
                }
            }
            if said.status != 200 {
                assert!(!said.body.windows(bytes.len()).any(|window| window == bytes), "{what}");
            }
            // The list names what may be read, and nothing else.
            let list = town.get_as("P1", "/api/files?limit=1000", as_key.as_ref(), &DUTY);
            let lists = String::from_utf8_lossy(&list.body).contains(&sha(bytes));
            assert_eq!(lists, said.status == 200 || problem(&said) == "handling", "{what}");
        }
        // An office of the other member learns nothing of what is to be sent.
        let (_, _, red) = all.last().unwrap();
        let asked = town.get_as("P1", &format!("{}/upload", path(red)), as_key.as_ref(), &[]);
        assert_eq!(
            asked.status,
            if (member, office) == ("P1", "liaison") {
                200
            } else if member == "P1" {
                404
            } else {
                403
            }
        );
    }
    // CLEAR to seven offices twice and to the public once, GREEN and AMBER to seven, AMBER+STRICT to the four whom it means.
    assert_eq!(given, 7 * 2 + 1 + 7 * 2 + 7 * 2 + 4 * 2);
}

#[test]
fn safeguard_06_an_erased_file_is_gone_and_everything_else_stays() {
    let mut town = Town::start("files-erased");
    town.set_clock(START);
    let mut maker = Maker { town: &town, made: 0 };
    let (photo, later) = (noise(100_000), b"not sent yet".to_vec());
    let mut statement = with_file(&mut maker, "TLP:AMBER", &photo);
    statement.files.push(named("f2", &later));
    let at = maker.logged(&statement);
    town.holds(&origin("P1"), at, START);
    let liaison = key("P1", "liaison");
    assert_eq!(sent(&town, &liaison, &photo).status, 201);
    let half = put(&town, &liaison, &sha(&later), 0, &later[..3], false);
    assert_eq!(half.status, 204);
    let now = format!("as_of={START}&known_by={START}");
    town.agree(&now);
    let judged = |at: &str| town.get("P1", &format!("/api/judgment?{at}")).json();
    let before = judged(&now);
    let heads = before["heads"].as_array().unwrap().iter();
    let heads: Vec<String> = heads.map(|h| format!("{}={}", h["origin"].as_str().unwrap(), h["size"])).collect();
    let then = format!("{now}&heads={}", heads.join(","));
    assert_eq!(judged(&then)["digest"], before["digest"]);
    assert_eq!(town.get_as("P1", &path(&photo), Some(&liaison), &DUTY).status, 200);

    // It takes the node's key, and two persons.
    let erase = |maker: &mut Maker<'_>, what: &[u8], keys: &[&str]| {
        let mut erasure = maker.statement("erasure", "P1", "erased");
        erasure.fields.insert("what".into(), FieldValue::Text(sha(what)));
        erasure.fields.insert("ground".into(), FieldValue::Text("rights".into()));
        let keys: Vec<SecretKey> = keys.iter().map(|what| key("P1", what)).collect();
        town.state_statement("P1", &Envelope::sign(erasure.to_payload(), &keys.iter().collect::<Vec<_>>()))
    };
    for too_few in [&["node"][..], &["legal", "chair"], &["node", "legal"], &["node", "liaison", "gate"]] {
        let refused = erase(&mut maker, &photo, too_few);
        assert_eq!(refused.status, 403, "{too_few:?}: {}", shown(&refused));
    }
    assert_eq!(town.get_as("P1", &path(&photo), Some(&liaison), &DUTY).status, 200);
    for what in [&photo, &later] {
        let erased = erase(&mut maker, what, &["node", "legal", "chair"]);
        assert_eq!(erased.status, 200, "{}", shown(&erased));
        let index = erased.json()["index"].as_u64().unwrap();
        // At once, wherever the deletion is.
        let gone = town.get_as("P1", &path(what), Some(&liaison), &DUTY);
        assert_eq!((gone.status, problem(&gone).as_str()), (410, "erased"), "{}", shown(&gone));
        assert_eq!(gone.json()["found"], "rights");
        assert!(gone.json()["detail"].as_str().unwrap().contains(&format!("{} #{index}", origin("P1"))));
        town.holds(&origin("P1"), index, START);
    }
    let folder = town.home("P1").join("files");
    let is_empty = || {
        let names: Vec<_> = fs::read_dir(&folder).unwrap().map(|name| name.unwrap().file_name()).collect();
        names.is_empty().then_some(()).ok_or(format!("{names:?}"))
    };
    until("the bytes to be deleted", is_empty);
    // Whom the entry does not mean is told no more than before; and nothing brings it back.
    assert_eq!(problem(&town.get_as("P1", &path(&photo), None, &[])), "marking");
    assert_eq!(put(&town, &liaison, &sha(&photo), 0, b"", true).status, 410);
    let list = town.get_as("P1", "/api/files", Some(&liaison), &DUTY).json();
    assert_eq!(
        (list["files"][0]["state"].as_str(), &list["files"][0]["erased"]["ground"]),
        (Some("erased"), &"rights".into())
    );

    // No verdict changes, every proof stays, the hash and the ground are in the log of everybody.
    town.agree(&now);
    assert_eq!(judged(&now)["verdicts"], before["verdicts"]);
    assert_eq!(judged(&then)["digest"], before["digest"]);
    let proven = town.get("P1", &format!("/api/exhibit?origin={}&index={at}", origin("P1")));
    let report = exhibit::verify(&proven.body).unwrap();
    assert_eq!(hex(&report.statement.files[0].sha256), sha(&photo));

    // A process that died before it deleted does so when it starts again; so does one that somebody gave a copy back.
    town.stop_node("P1");
    fs::write(folder.join(sha(&photo)), &photo).unwrap();
    town.start_node("P1");
    until("the bytes to be deleted again", is_empty);
    town.set_clock(START);
    assert_eq!(town.get_as("P1", &path(&photo), Some(&liaison), &DUTY).status, 410);
}

/// An original is given to no other member, and what another member says in this log opens nothing.
#[test]
fn originals_stay_with_their_owner_whatever_others_say_of_them() {
    let town = Town::start("files-originals");
    town.set_clock(START);
    let mut maker = Maker { town: &town, made: 0 };
    let reads = |bytes: &[u8], member: &str| {
        town.get_as("P1", &path(bytes), Some(&key(member, "liaison")), &[("hamsaya-purpose", "duty")])
    };
    let clear = |statement: &mut Statement| {
        statement.marking = "TLP:CLEAR".into();
        statement.fields.insert("pap".into(), FieldValue::Text("PAP:CLEAR".into()));
    };
    let (original, strict) = (b"as the camera made it".as_slice(), b"for P1 alone".as_slice());
    let mut statement = with_file(&mut maker, "TLP:CLEAR", original);
    clear(&mut statement);
    statement.files[0].working_copy = false;
    town.holds_in_own_log("P1", maker.logged(&statement));
    let statement = with_file(&mut maker, "TLP:AMBER+STRICT", strict);
    town.holds_in_own_log("P1", maker.logged(&statement));
    for bytes in [original, strict] {
        let key = key("P1", "liaison");
        let said = sent(&town, &key, bytes);
        assert_eq!(said.status, 201, "{}", shown(&said));
        assert_eq!(reads(bytes, "P1").body, bytes);
    }
    let refused = reads(original, "P2");
    assert_eq!((refused.status, problem(&refused).as_str()), (403, "handling"), "{}", shown(&refused));
    assert_eq!(town.get_as("P1", &path(original), None, &[]).status, 403, "nor to the public");
    // P2 says in P1's log that the file is clear to everybody; P2's key, P2's word.
    let mut theirs = maker.statement("outage_notice", "P2", "names-it");
    theirs.home = crate::town::origin("P1");
    theirs.files = vec![named("f1", strict)];
    clear(&mut theirs);
    let envelope = Envelope::sign(theirs.to_payload(), &[&key("P2", "liaison")]);
    let said = town.state_statement("P1", &envelope);
    assert_eq!(said.status, 200, "{}", shown(&said));
    let refused = reads(strict, "P2");
    assert_eq!((refused.status, problem(&refused).as_str()), (403, "marking"), "{}", shown(&refused));
    assert!(
        !String::from_utf8_lossy(&town.get_as("P1", "/api/files", Some(&key("P2", "liaison")), &DUTY).body)
            .contains(&sha(strict))
    );
}

/// Whoever names a file again, lower, opens nothing by it; its author does, with a second person.
#[test]
fn naming_a_file_again_lower_opens_nothing() {
    let town = Town::start("files-lowered");
    town.set_clock(START);
    let mut maker = Maker { town: &town, made: 0 };
    let (photo, red, unsent) = (b"of one side".as_slice(), b"of one office".as_slice(), b"never sent".as_slice());
    // The liaison officer signs for the first entry that names it.
    let statement = with_file(&mut maker, "TLP:AMBER+STRICT", photo);
    town.holds_in_own_log("P1", maker.logged(&statement));
    let mut statement = with_file(&mut maker, "TLP:RED", red);
    let readers = vec![FieldValue::Text("sector_liaison".into())];
    statement.fields.insert("readers".into(), FieldValue::List(readers));
    town.holds_in_own_log("P1", maker.logged(&statement));
    for bytes in [photo, red] {
        assert_eq!(sent(&town, &key("P1", "liaison"), bytes).status, 201);
    }
    let again = |maker: &mut Maker<'_>, bytes: &[u8], offices: &[&str]| {
        let statement = with_file(maker, "TLP:GREEN", bytes);
        let keys: Vec<SecretKey> = offices.iter().map(|office| key("P1", office)).collect();
        let said = maker.send(&statement, &keys.iter().collect::<Vec<_>>());
        assert_eq!(said.status, 200, "{offices:?}: {}", shown(&said));
        let at = said.json()["index"].as_u64().unwrap();
        town.holds_in_own_log("P1", at);
        at
    };
    let theirs = key("P2", "liaison");
    let read = |bytes: &[u8]| town.get_as("P1", &path(bytes), Some(&theirs), &DUTY);
    let named = |at: u64| {
        let said = town.get_as("P1", &item(&origin("P1"), at), Some(&theirs), &DUTY).json();
        crate::openapi::fits("get", "/api/entries/item", "200", &said);
        said["files"][0].clone()
    };
    // Another office, one person, two others: the entry stands, and says nothing of what lies here.
    for offices in [&["hotline"][..], &["liaison"], &["hotline", "chair"]] {
        let at = again(&mut maker, photo, offices);
        let refused = read(photo);
        assert_eq!((refused.status, problem(&refused).as_str()), (403, "marking"), "{offices:?}: {}", shown(&refused));
        assert_eq!(named(at)["name"], "f1");
        assert!(named(at)["state"].is_null() && named(at)["leaves"].is_null(), "{}", named(at));
        let list = town.get_as("P1", "/api/files", Some(&theirs), &DUTY);
        assert!(!String::from_utf8_lossy(&list.body).contains(&sha(photo)), "{offices:?}");
    }
    let lowered = again(&mut maker, photo, &["liaison", "chair"]);
    assert_eq!((read(photo).status, read(photo).body.as_slice()), (200, photo), "{}", shown(&read(photo)));
    assert_eq!((named(lowered)["state"].as_str(), named(lowered)["leaves"].as_bool()), (Some("held"), Some(true)));
    // Of a file that was hidden before nothing is told but what is told of one that never came.
    let hidden = again(&mut maker, red, &["hotline"]);
    let missing = again(&mut maker, unsent, &["hotline"]);
    let read = |bytes: &[u8]| town.get_as("P1", &path(bytes), Some(&key("P2", "chair")), &DUTY);
    let (hidden, missing) = ((read(red), hidden), (read(unsent), missing));
    assert_eq!((hidden.0.status, problem(&hidden.0).as_str()), (404, "not_held"), "{}", shown(&hidden.0));
    assert_eq!(hidden.0.text().replace(&format!("#{}", hidden.1), &format!("#{}", missing.1)), missing.0.text());
}

/// An erasure of P1's, so marked.
fn erased(maker: &mut Maker<'_>, bytes: &[u8], marking: &str) -> u64 {
    let mut erasure = maker.statement("erasure", "P1", "erased");
    erasure.marking = marking.into();
    erasure.fields.insert("what".into(), FieldValue::Text(sha(bytes)));
    erasure.fields.insert("ground".into(), FieldValue::Text("safety".into()));
    let keys = ["node", "legal", "chair"].map(|what| key("P1", what));
    let said = maker.send(&erasure, &keys.each_ref());
    assert_eq!(said.status, 200, "{}", shown(&said));
    said.json()["index"].as_u64().unwrap()
}

#[test]
fn why_a_file_was_erased_is_told_to_whom_the_erasure_means() {
    let town = Town::start("files-ground");
    town.set_clock(START);
    let mut maker = Maker { town: &town, made: 0 };
    let photo = b"of both sides".as_slice();
    let statement = with_file(&mut maker, "TLP:AMBER", photo);
    let at = maker.logged(&statement);
    town.holds_in_own_log("P1", at);
    assert_eq!(sent(&town, &key("P1", "liaison"), photo).status, 201);
    let gone_at = erased(&mut maker, photo, "TLP:AMBER+STRICT");
    let place = format!("{} #{gone_at}", origin("P1"));
    for (member, is_told) in [("P1", true), ("P2", false)] {
        let office = key(member, "liaison");
        let gone = town.get_as("P1", &path(photo), Some(&office), &DUTY);
        assert_eq!((gone.status, problem(&gone).as_str()), (410, "erased"), "{member}: {}", shown(&gone));
        assert_eq!((gone.text().contains("safety"), gone.text().contains(&place)), (is_told, is_told), "{member}");
        let list = town.get_as("P1", "/api/files", Some(&office), &DUTY).json();
        crate::openapi::fits("get", "/api/files", "200", &list);
        let item = town.get_as("P1", &item(&origin("P1"), at), Some(&office), &DUTY).json();
        crate::openapi::fits("get", "/api/entries/item", "200", &item);
        for row in [&list["files"][0], &item["files"][0]] {
            assert_eq!((row["state"].as_str(), row["erased"].is_null()), (Some("erased"), !is_told), "{member}: {row}");
        }
    }
}

#[test]
fn a_file_that_is_erased_while_it_is_read_breaks_off() {
    use hamsaya_node::signed::{Request, now_s, sign};
    use std::io::Read as _;
    let town = Town::start("files-break-off");
    town.set_clock(START);
    let mut maker = Maker { town: &town, made: 0 };
    // Longer than what a socket takes ahead of a reader who waits.
    let film = vec![7; 32 << 20];
    let statement = with_file(&mut maker, "TLP:AMBER", &film);
    town.holds_in_own_log("P1", maker.logged(&statement));
    assert_eq!(sent(&town, &key("P1", "liaison"), &film).status, 201);
    let url = format!("{}{}", town.urls["P1"], path(&film));
    let host = url.split('/').nth(2).unwrap();
    let signed = sign(Request::to("GET", &url, "duty"), &key("P1", "liaison"), now_s());
    let signed: String = signed.into_iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let mut line = TcpStream::connect(host).unwrap();
    line.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
    write!(line, "GET {} HTTP/1.1\r\nhost: {host}\r\n{signed}\r\n", path(&film)).unwrap();
    let mut begun = vec![0; 1 << 20];
    line.read_exact(&mut begun).unwrap();
    assert!(begun.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&begun[..300]));
    erased(&mut maker, &film, "TLP:AMBER");
    let (mut came, mut piece) = (begun.len(), vec![0; 1 << 20]);
    loop {
        match line.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => came += read,
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
            Err(error) => panic!("{error} after {came} bytes"),
        }
    }
    assert!(came < film.len(), "{came} bytes came");
}
