//! Exhibits: what they prove, and that nothing in one can be changed.
use crate::keys::{self, CHAIR};
use crate::world::{P1, START, World, Writer, cosign};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hamsaya_record::checkpoint::Checkpoint;
use hamsaya_record::cosignature;
use hamsaya_record::envelope::Envelope;
use hamsaya_record::equivocation::Equivocation;
use hamsaya_record::exhibit::{self, Exhibit, Parts, Step, WriteError};
use hamsaya_record::instant::Instant;
use hamsaya_record::log::Log;
use hamsaya_record::logs::Entry;
use hamsaya_record::note::Note;
use hamsaya_record::statement::{Act, FileRef, Statement, StatementId};
use hamsaya_record::store::Memory;
use sha2::{Digest as _, Sha256};
use std::io::{Cursor, Read as _, Write as _};
use zip::write::SimpleFileOptions;

struct Case {
    writer: Writer<Memory>,
    notes: Vec<Note>,
    said: Statement,
    index: u64,
    disclosures: Vec<String>,
}

/// Entry 3, between a checkpoint of size 3 and one of size 5.
fn case() -> Case {
    let mut writer = Writer::new(Memory::new());
    writer.notice(START);
    writer.notice(START);
    let early = writer.cosigned(&[("p2", START + 10), ("g1", START + 11), ("g2", START + 12), ("o1", START + 13)]);
    let mut said = writer.statement(Act::Notify, "op_notice");
    let disclosure =
        |salt: &str, name: &str| URL_SAFE_NO_PAD.encode(format!(r#"["{salt}","{name}","near the old mill"]"#));
    let disclosures = vec![disclosure("c2FsdHNhbHRzYWx0c2FsdA", "words"), disclosure("cGVwcGVycGVwcGVycGVwcA", "more")];
    said.salted = disclosures.iter().map(|line| Sha256::digest(line).into()).collect();
    said.salted.sort_by_key(|digest: &[u8; 32]| URL_SAFE_NO_PAD.encode(digest));
    let index = writer.say(&said, START + 20);
    writer.notice(START + 20);
    let times = [("p2", START + 30), ("g1", START + 31), ("g2", START + 32)];
    let late = writer.cosigned(&times);
    writer.notice(START + 40);
    let later = writer.cosigned(&[("p2", START + 50), ("g1", START + 51), ("g2", START + 52), ("o1", START + 53)]);
    Case { writer, notes: vec![later, early, late], said, index, disclosures }
}

impl Case {
    fn write(&self, notes: &[Note], index: u64, disclosures: &[String]) -> Result<Vec<u8>, WriteError> {
        self.write_held(notes, index, disclosures, &[])
    }

    fn write_held(
        &self,
        notes: &[Note],
        index: u64,
        disclosures: &[String],
        held: &[Note],
    ) -> Result<Vec<u8>, WriteError> {
        let tiles = self.writer.log.tiles();
        let leaf = tiles.entry(index).unwrap().unwrap();
        let founding_leaf = &self.writer.world.founding_leaf;
        let parts = Parts { origin: P1, index, leaf: &leaf, founding_leaf, notes, keys: &[], disclosures, held };
        exhibit::write(&parts, |level, n| tiles.hash(level, n))
    }
}

#[test]
fn proves_who_said_it_and_when_it_was_logged() {
    let case = case();
    let bytes = case.write(&case.notes, case.index, &case.disclosures).unwrap();
    let report = exhibit::verify(&bytes).unwrap();
    assert_eq!((report.origin.as_str(), report.index, report.size), (P1, 3, 5));
    assert_eq!(report.statement, case.said);
    assert_eq!(report.signers.iter().map(|s| (s.node.as_str(), s.role.as_str())).collect::<Vec<_>>(), [("P1", "node")]);
    assert_eq!((report.logged_at.lo.0, report.logged_at.hi.0), (START + 11, START + 32));
    assert_eq!(report.cosigned_by.len(), 3);
    let names: Vec<&str> = report.disclosed.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((names.len(), names.contains(&"words"), names.contains(&"more")), (2, true, true));
    // The same exhibit is the same bytes, in whatever order its parts came.
    let (mut notes, mut disclosures) = (case.notes.clone(), case.disclosures.clone());
    notes.reverse();
    disclosures.reverse();
    assert_eq!(case.write(&notes, case.index, &disclosures), Ok(bytes));
}

#[test]
fn without_an_earlier_checkpoint_there_is_no_lower_bound() {
    let case = case();
    for (index, notes) in [(0, &case.notes[..]), (3, &case.notes[2..])] {
        let report = exhibit::verify(&case.write(notes, index, &[]).unwrap()).unwrap();
        assert_eq!(report.logged_at.lo.0, i64::MIN, "entry {index}");
    }
}

#[test]
fn what_no_quorum_cosigned_is_no_exhibit() {
    let mut case = case();
    let index = case.writer.notice(START + 60);
    assert!(matches!(case.write(&case.notes, index, &[]), Err(WriteError::NotCosigned { index: 6, .. })));
    let two = case.writer.cosigned(&[("p2", START + 70), ("g1", START + 71)]);
    assert!(matches!(case.write(std::slice::from_ref(&two), index, &[]), Err(WriteError::NotCosigned { .. })));
    // Cosignatures on one checkpoint add up, whichever note brought them.
    let third = case.writer.cosigned(&[("o1", START + 72)]);
    let report = exhibit::verify(&case.write(&[two, third], index, &[]).unwrap()).unwrap();
    assert_eq!(report.logged_at.hi.0, START + 72);
    // Lines that do not verify, and notes of another tree, are passed over.
    let mut forged = case.writer.cosigned(&[("p2", START + 1), ("g1", START + 1), ("g2", START + 1)]);
    forged.signatures[1].bytes[20] ^= 1;
    let other = Checkpoint { origin: P1.to_owned(), size: 7, root: [7; 32] }.sign(case.writer.world.key(P1));
    let other = cosign(&case.writer.world, &other, &[("p2", START + 2), ("g1", START + 2), ("g2", START + 2)]);
    let larger = Checkpoint { origin: P1.to_owned(), size: 700, root: [7; 32] }.sign(case.writer.world.key(P1));
    let larger = cosign(&case.writer.world, &larger, &[("p2", START + 2), ("g1", START + 2), ("g2", START + 2)]);
    let true_ones = case.writer.cosigned(&[("p2", START + 80), ("g1", START + 81), ("g2", START + 82)]);
    let notes = [forged.clone(), other.clone(), larger.clone(), true_ones];
    let report = exhibit::verify(&case.write(&notes, index, &[]).unwrap()).unwrap();
    assert_eq!(report.logged_at.hi.0, START + 82);
    assert!(matches!(case.write(&[forged, other], index, &[]), Err(WriteError::NotCosigned { .. })));
    assert!(matches!(case.write(&[larger], index, &[]), Err(WriteError::Hashes(_))));
    // A witness whom the policy does not name counts for nothing.
    let own = case.writer.cosigned(&[("p1", START + 70), ("p2", START + 70), ("g1", START + 71)]);
    assert!(matches!(case.write(&[own], index, &[]), Err(WriteError::NotCosigned { .. })));
}

#[test]
fn notes_are_taken_from_the_entries_that_carry_them() {
    let mut case = case();
    let notes: Vec<Note> = case.notes.clone();
    let at = case.writer.carry(&notes.iter().collect::<Vec<_>>(), START + 60);
    let leaf = case.writer.log.tiles().entry(at).unwrap().unwrap();
    let payload = Envelope::parse_leaf(&leaf).unwrap().payload;
    let entry = Entry {
        origin: P1.into(),
        index: at,
        statement_id: StatementId::of(&payload),
        statement: Statement::parse(&payload).unwrap(),
        signers: Vec::new(),
    };
    assert_eq!(exhibit::notes([&entry]), notes);
    assert_eq!(case.writer.world.founding.agreement(), entry.statement.agreement);
}

#[test]
fn a_disclosure_of_something_else_is_refused() {
    let case = case();
    let other = [URL_SAFE_NO_PAD.encode(r#"["c2FsdHNhbHRzYWx0c2FsdA","words","at the bridge"]"#)];
    let Err(WriteError::Parts(error)) = case.write(&case.notes, case.index, &other) else { panic!("it was shown") };
    assert_eq!(error.step, Step::Disclosures);
}

#[test]
fn any_changed_byte_fails() {
    let case = case();
    let bytes = case.write(&case.notes, case.index, &case.disclosures).unwrap();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= if at % 2 == 0 { 0x01 } else { 0x20 };
        assert!(exhibit::verify(&changed).is_err(), "byte {at} of {} changed", bytes.len());
    }
    for cut in [0, 1, bytes.len() / 2, bytes.len() - 1] {
        assert!(exhibit::verify(&bytes[..cut]).is_err(), "cut to {cut}");
    }
    assert!(exhibit::verify(&[&bytes[..], b"\n"].concat()).unwrap_err().is_unreadable());
    assert!(exhibit::verify(&[b"PK", &bytes[..]].concat()).is_err());
}

fn unpack(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let count = archive.len();
    let file = |i: usize| {
        let mut file = archive.by_index(i).unwrap();
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        (file.name().unwrap().into_owned(), content)
    };
    (0..count).map(file).collect()
}

fn pack(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut out = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Stored)
        .last_modified_time(zip::DateTime::DEFAULT)
        .system(zip::System::Unix)
        .unix_permissions(0o644);
    for (name, content) in files {
        out.start_file(name.as_str(), options).unwrap();
        out.write_all(content).unwrap();
    }
    out.finish().unwrap().into_inner()
}

/// A checkpoint under which a member's mirror signed, with the log's line or without.
fn mirrored(case: &Case, note: &Note, by: &str, time: i64, with_log: bool) -> Note {
    let mut note = note.clone();
    note.signatures.retain(|line| with_log && line.names(case.writer.world.key(P1).vkey()));
    let key = case.writer.world.key(&format!("{by}.example/mirror"));
    note.add(cosignature::sign(&note.text, time as u64, key).unwrap());
    note
}

#[test]
fn whose_mirrors_hold_an_entry_since_when() {
    let case = case();
    let [later, early, late] = &case.notes[..] else { panic!() };
    let held = [
        mirrored(&case, later, "p2", START + 60, true),
        mirrored(&case, late, "p2", START + 40, true),
        mirrored(&case, late, "g1", START + 41, false),
        mirrored(&case, later, "g2", START + 59, false),
        // Not with the entry, of another tree, signed by somebody else: all passed over.
        mirrored(&case, early, "p2", START + 20, true),
        mirrored(
            &case,
            &Checkpoint { origin: P1.to_owned(), size: 5, root: [7; 32] }.sign(case.writer.world.key(P1)),
            "p2",
            START + 1,
            true,
        ),
        case.writer.cosigned(&[("p2", START + 2)]),
    ];
    let bytes = case.write_held(&case.notes, case.index, &[], &held).unwrap();
    let report = exhibit::verify(&bytes).unwrap();
    let found: Vec<_> = report.held.iter().map(|h| (h.node.as_str(), h.at.0 - START, h.size)).collect();
    assert_eq!(found, [("G1", 41, 5), ("G2", 59, 6), ("P2", 40, 5)]);
    let keyid = case.writer.world.key("p2.example/mirror").keyid();
    assert_eq!(report.held[2].keyid, keyid, "the key of the founding");
    let mut turned = held.to_vec();
    turned.reverse();
    assert_eq!(case.write_held(&case.notes, case.index, &[], &turned), Ok(bytes.clone()));
    assert_eq!(exhibit::verify(&case.write(&case.notes, case.index, &[]).unwrap()).unwrap().held, []);

    // What is forged, missing or somebody else's is told.
    let files = unpack(&bytes);
    let at_five = files.iter().position(|(name, _)| name == "held/000000000005.tlog-proof").unwrap();
    let text = String::from_utf8(files[at_five].1.clone()).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with('—')).collect();
    assert_eq!(lines.len(), 3, "{text}");
    let with = |text: String| {
        let mut changed = files.clone();
        changed[at_five].1 = text.into_bytes();
        exhibit::verify(&pack(&changed)).unwrap_err()
    };
    let forged = lines[1].replace(&lines[1][lines[1].len() - 12..lines[1].len() - 8], "AAAA");
    let mut only_log = text.clone();
    lines[1..].iter().for_each(|line| only_log = only_log.replace(&format!("{line}\n"), ""));
    let witness = late.signatures.iter().find(|s| s.name == "o1.example/witness" || s.name == "p2.example/witness");
    let witness = witness.unwrap().to_line();
    for (changed, expected) in [
        (text.replace(lines[1], &forged), "or one that fails"),
        (only_log, "no line of a mirror"),
        (format!("{text}{witness}"), "a line by nobody"),
        (text.replace("index 3\n", "index 2\n"), "entry 2"),
    ] {
        let error = with(changed);
        assert_eq!(error.step, Step::Held, "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
    let mut renamed = files.clone();
    renamed[at_five].0 = "held/000000000004.tlog-proof".to_owned();
    assert_eq!(exhibit::verify(&pack(&renamed)).unwrap_err().step, Step::Held);
    // Without one of them the others still hold; what is left out nobody can see.
    let mut fewer = files.clone();
    fewer.remove(at_five);
    assert_eq!(exhibit::verify(&pack(&fewer)).unwrap().held.len(), 1);
}

/// A changed file in an archive that is otherwise right: the contents themselves vouch for each other.
#[test]
fn every_file_is_vouched_for() {
    let case = case();
    let held = [mirrored(&case, &case.notes[2], "p2", START + 40, true)];
    let bytes = case.write_held(&case.notes, case.index, &case.disclosures, &held).unwrap();
    let mut files = unpack(&bytes);
    assert_eq!(pack(&files), bytes);
    assert_eq!(files.len(), 9);
    for n in 0..files.len() {
        // Every byte would take minutes: every seventh, and the last ones.
        let length = files[n].1.len();
        for at in (0..length).step_by(7).chain(length.saturating_sub(3)..length) {
            files[n].1[at] ^= 0x01;
            let error = exhibit::verify(&pack(&files)).expect_err("a changed byte");
            assert_ne!(error.step, Step::Archive, "byte {at} of {}", files[n].0);
            files[n].1[at] ^= 0x01;
        }
        let mut fewer = files.clone();
        let removed = fewer.remove(n);
        let found = exhibit::verify(&pack(&fewer));
        assert_eq!(
            found.is_ok(),
            ["disclosures.txt", "held/000000000005.tlog-proof"].contains(&&*removed.0),
            "without {}",
            removed.0
        );
    }
}

/// A log of P1 that goes on from the founding with these.
fn log_with(world: &World, entries: &[&[u8]]) -> Log<Memory> {
    let mut log = Log::open(Memory::new(), world.key(P1).clone(), |_, _| ()).unwrap();
    log.append(&[&world.founding_leaf], Instant(START)).unwrap();
    log.append(entries, Instant(START)).unwrap();
    log
}

#[test]
fn two_heads_of_one_log_are_an_exhibit() {
    let world = World::new();
    let (one, other) = (log_with(&world, &[b"shown to P2"]), log_with(&world, &[b"shown to G1"]));
    let longer = log_with(&world, &[b"shown to G1", b"and more"]);
    let key = world.key(P1).vkey();
    let seen = cosign(&world, one.signed().unwrap(), &[("p2", START + 1)]);
    let of_one_size = Equivocation::of_one_size(&seen, other.signed().unwrap(), key).unwrap();
    let of_two_sizes = longer.tiles().contradiction(&seen).unwrap().unwrap();
    for (found, sizes) in [(of_one_size, (2, 2)), (of_two_sizes, (2, 3))] {
        let bytes = exhibit::write_equivocation(&found, &world.founding_leaf).unwrap();
        let Ok(Exhibit::Equivocation(report)) = exhibit::read(&bytes) else { panic!("{:?}", exhibit::read(&bytes)) };
        assert_eq!((report.origin.as_str(), report.keeper.as_str()), (P1, "P1"));
        assert_eq!((report.keyid.clone(), (report.first.0.size, report.second.0.size)), (key.keyid(), sizes));
        assert_eq!((report.first.1.len(), report.second.1.len()), (1, 0), "P2 cosigned what it was shown");
        assert!(exhibit::verify(&bytes).is_err(), "it is no statement");
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x01;
            assert!(exhibit::read(&flipped).is_err(), "byte {at} of {}", bytes.len());
        }
    }
    // Two checkpoints of one tree prove nothing, whatever is said of them.
    let (shorter, proof) = (other.signed().unwrap(), longer.tiles().prove_consistency(2, 3).unwrap().unwrap());
    let second = longer.signed().unwrap().clone();
    for root in [other.tiles().root(), one.tiles().root()] {
        let accused = Equivocation { first: shorter.clone(), second: second.clone(), root, proof: proof.clone() };
        let refused = exhibit::write_equivocation(&accused, &world.founding_leaf);
        let Err(WriteError::Parts(error)) = refused else { panic!("{refused:?}") };
        assert_eq!(error.step, Step::Equivocation);
    }
}

/// What a key says that took another's place comes with the entries that put it there, each proven to be where it says.
#[test]
fn keys_that_followed_come_with_what_says_so() {
    let mut writer = Writer::new(Memory::new());
    let [k0, k1, k2] = [0, 1, 2].map(|n| keys::nth(&writer.world, CHAIR, n));
    let node = writer.world.key("p1.example/node").clone();
    let mut entries = Vec::new();
    let changes = [
        (keys::naming(&writer.world, CHAIR), vec![&k0, &node]),
        (keys::replaced(&writer.world, CHAIR, 1), vec![&k0, &k1, &node]),
        (keys::revoked(&writer.world, CHAIR, 1, 1), vec![&k2, &node]),
    ];
    let mut said = Vec::new();
    for (change, signers) in changes {
        let change = Statement { fields: change.to_fields(), ..writer.statement(Act::Record, "key") };
        let envelope = Envelope::sign(change.to_payload(), &signers);
        entries.push((writer.take(&envelope, START), envelope.to_leaf()));
        let by = signers.iter().find(|key| key.keyid() != node.keyid()).unwrap();
        let by = if entries.len() == 2 { &k1 } else { *by };
        let notice = Statement { source: "p1/chair".to_owned(), ..writer.statement(Act::Notify, "op_notice") };
        let (seq, prev) = writer.acceptance.next_of("P1", "p1/chair");
        let notice = Envelope::sign(Statement { seq, prev, ..notice }.to_payload(), &[by]);
        said.push((writer.take(&notice, START), by.keyid()));
    }
    let note = writer.cosigned(&[("p2", START + 10), ("g1", START + 11), ("g2", START + 12)]);
    let tiles = writer.log.tiles();
    let write = |index: u64, keys: &[(u64, Vec<u8>)]| {
        let leaf = tiles.entry(index).unwrap().unwrap();
        let (founding_leaf, notes) = (&writer.world.founding_leaf, std::slice::from_ref(&note));
        let parts = Parts { origin: P1, index, leaf: &leaf, founding_leaf, notes, keys, disclosures: &[], held: &[] };
        exhibit::write(&parts, |level, n| tiles.hash(level, n))
    };
    let step = |written: Result<Vec<u8>, WriteError>| match written {
        Err(WriteError::Parts(error)) => error.step,
        other => panic!("{other:?}"),
    };
    for (index, keyid) in &said {
        let bytes = write(*index, &entries).unwrap();
        let report = exhibit::verify(&bytes).unwrap();
        assert_eq!(report.signers.iter().map(|s| &s.keyid).collect::<Vec<_>>(), [keyid]);
        for at in (0..bytes.len()).step_by(bytes.len() / 60) {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(exhibit::verify(&changed).is_err(), "byte {at}");
        }
    }
    // The entries that change keys have exhibits, too.
    for (index, _) in &entries {
        assert_eq!(exhibit::verify(&write(*index, &entries).unwrap()).unwrap().index, *index);
    }
    // Without one of them, with another in its place, or with one that is no such entry, nothing is proven.
    let last = said[2].0;
    for n in 0..entries.len() {
        let mut without = entries.clone();
        without.remove(n);
        assert_eq!(step(write(last, &without)), Step::Signatures, "{n}");
        let mut forged = entries.clone();
        forged[n].1 = forged[(n + 1) % 3].1.clone();
        assert_eq!(step(write(last, &forged)), Step::Proof, "{n}");
    }
    let notice = (said[0].0, tiles.entry(said[0].0).unwrap().unwrap());
    assert_eq!(step(write(last, &[&entries[..], &[notice]].concat())), Step::Signatures);
}

/// The case with a statement that names two files.
fn with_files(photos: [&[u8]; 2]) -> Case {
    let mut case = case();
    let mut said = case.writer.statement(Act::Notify, "op_notice");
    let named = |(n, bytes): (usize, &[u8])| FileRef {
        name: format!("f{n}"),
        sha256: Sha256::digest(bytes).into(),
        bytes: bytes.len() as u64,
        media_type: "image/jpeg".into(),
        capture: None,
        captured_at: None,
        tool: None,
        working_copy: false,
    };
    said.files = photos.into_iter().enumerate().map(named).collect();
    case.index = case.writer.say(&said, START + 60);
    let times = [("p2", START + 70), ("g1", START + 71), ("g2", START + 72)];
    case.notes.push(case.writer.cosigned(&times));
    case.said = said;
    case
}

#[test]
fn files_are_those_that_the_statement_names() {
    let (first, second): (&[u8], &[u8]) = (b"a photograph", b"another");
    let case = with_files([first, second]);
    let bare = case.write(&case.notes, case.index, &[]).unwrap();
    assert_eq!(exhibit::verify(&bare).unwrap().files, Vec::<[u8; 32]>::new(), "the statement proves without them");
    let with = exhibit::with_files(&bare, [first.to_vec()]).unwrap();
    assert_eq!(exhibit::verify(&with).unwrap().files, [<[u8; 32]>::from(Sha256::digest(first))]);
    assert_eq!(exhibit::with_files(&with, [first.to_vec()]).unwrap(), with, "the same exhibit is the same bytes");
    let both = exhibit::with_files(&with, [second.to_vec()]).unwrap();
    assert_eq!(exhibit::verify(&both).unwrap().files.len(), 2);
    match exhibit::with_files(&bare, [b"a photograph of something else".to_vec()]) {
        Err(WriteError::Parts(error)) => assert_eq!(error.step, Step::Files, "{error}"),
        other => panic!("{other:?}"),
    }
    // A byte of the photograph is another: the archive, or the file's own hash, says so.
    let at = with.windows(first.len()).position(|window| window == first).unwrap();
    let mut changed = with.clone();
    changed[at] ^= 1;
    assert!(exhibit::verify(&changed).is_err());
}
