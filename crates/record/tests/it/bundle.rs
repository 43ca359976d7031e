//! Public bundles: what they show, what they say of the rest, and that nothing in one can be changed.
use crate::keys::{self, CHAIR};
use crate::world::{P1, START, Writer};
use hamsaya_record::bundle::{self, Rule};
use hamsaya_record::disclosure::{self, Disclosure};
use hamsaya_record::envelope::Envelope;
use hamsaya_record::instant::Instant;
use hamsaya_record::note::Note;
use hamsaya_record::statement::{Act, FieldValue, Place, Statement};
use hamsaya_record::store::Memory;
use std::collections::BTreeMap;

fn note() -> Disclosure {
    let seen = FieldValue::Text("seen from the tower".to_owned());
    Disclosure::make(*b"saltsaltsaltsalt", "note", &seen).expect("it fits")
}

fn exact() -> Disclosure {
    let place = [("lat_e7", 341_234_567), ("lon_e7", 710_987_654), ("precision_m", 10)];
    let place = place.map(|(name, number)| (name.to_owned(), FieldValue::Int(number)));
    Disclosure::make(*b"pepperpepperpepp", disclosure::PLACE, &FieldValue::Map(place.into())).expect("it fits")
}

struct Case {
    writer: Writer<Memory>,
    notes: Vec<Note>,
}

fn pap(statement: &mut Statement, word: &str) {
    statement.fields.insert("pap".to_owned(), FieldValue::Text(word.to_owned()));
}

/// Entries 1 to 7 under a checkpoint that a quorum cosigned, and entry 8 under one that two did.
fn case() -> Case {
    let mut writer = Writer::new(Memory::new());
    let mut say = |change: &dyn Fn(&mut Statement)| {
        let mut said = writer.statement(Act::Notify, "op_notice");
        said.marking = "TLP:CLEAR".to_owned();
        pap(&mut said, "PAP:CLEAR");
        change(&mut said);
        writer.say(&said, START);
    };
    let at = |precision_m| {
        let e7 = 341_200_000;
        move |s: &mut Statement| {
            s.place = Some(Place { s_e7: e7, w_e7: e7, n_e7: e7, e_e7: e7, precision_m, gazetteer_id: None });
        }
    };
    say(&|_| ());
    say(&|s| s.marking = "TLP:AMBER".to_owned());
    say(&at(4_999));
    say(&at(5_000));
    say(&|s| s.salted = disclosure::sorted([note().digest(), exact().digest()]));
    say(&|s| pap(s, "PAP:AMBER"));
    // Who says nothing of it says the same.
    say(&|s| drop(s.fields.remove("pap")));
    let quorum = writer.cosigned(&[("p2", START + 10), ("g1", START + 11), ("g2", START + 12)]);
    writer.notice(START + 20);
    let two = writer.cosigned(&[("p2", START + 30), ("g1", START + 31)]);
    Case { writer, notes: vec![two, quorum] }
}

impl Case {
    fn write(&self, notes: &[Note]) -> Result<Vec<u8>, bundle::WriteError> {
        self.write_with(notes, &[])
    }

    fn write_with(&self, notes: &[Note], chosen: &[(u64, &[&Disclosure])]) -> Result<Vec<u8>, bundle::WriteError> {
        let tiles = self.writer.log.tiles();
        let leaves = tiles.entries(0, tiles.size()).expect("they are there");
        let lines = |all: &[&Disclosure]| all.iter().map(|d| d.line().to_owned()).collect();
        let chosen = chosen.iter().map(|(index, all)| ((P1.to_owned(), *index), lines(all))).collect();
        bundle::write(&self.writer.world.founding_leaf, &BTreeMap::from([(P1.to_owned(), leaves)]), notes, &chosen)
    }
}

#[test]
fn shows_what_is_public_and_says_what_is_not() {
    let case = case();
    let bytes = case.write(&case.notes).unwrap();
    assert!(bundle::is_bundle(&bytes) && bytes == case.write(&case.notes).unwrap());
    let report = bundle::verify(&bytes).unwrap();
    let [log] = &report.logs[..] else { panic!("{report:?}") };
    assert_eq!((log.origin.as_str(), log.size, log.cosigned_by.len()), (P1, 8, 3));
    assert_eq!(log.cosigned_at, Instant(START + 12));
    assert_eq!(log.shown.iter().map(|s| s.index).collect::<Vec<_>>(), [1, 4, 5]);
    assert!(log.shown.iter().all(|s| s.signers[0].node == "P1" && s.statement.marking == "TLP:CLEAR"));
    let hidden: Vec<(u64, &str, Rule)> =
        report.redactions.iter().map(|r| (r.index, r.field.as_str(), r.rule)).collect();
    assert_eq!(
        hidden,
        [
            (2, "*", Rule::Marking),
            (3, "*", Rule::Place),
            (5, "fields._sd[0]", Rule::Salted),
            (5, "fields._sd[1]", Rule::Salted),
            (6, "*", Rule::Handling),
            (7, "*", Rule::Handling),
        ]
    );
    assert_eq!(report.absent.len(), 3, "{:?}", report.absent);
    // Nothing of what is withheld is in the file.
    let amber = case.writer.log.tiles().entry(2).unwrap().unwrap();
    let part = &amber[amber.len() - 60..];
    assert!(!bytes.windows(part.len()).any(|window| window == part));
}

/// Salted fields that their author chose: of entries that are shown, and no finer than everybody may see.
#[test]
fn chosen_disclosures_are_shown_and_the_rest_is_listed() {
    let case = case();
    let (note, exact) = (note(), exact());
    let bytes = case.write_with(&case.notes, &[(5, &[&note])]).unwrap();
    let report = bundle::verify(&bytes).unwrap();
    let shown = report.logs[0].shown.iter().find(|s| s.index == 5).unwrap();
    assert_eq!(shown.disclosed, std::slice::from_ref(&note));
    let salted: Vec<_> = report.redactions.iter().filter(|r| r.rule == Rule::Salted).collect();
    let at = shown.statement.salted.iter().position(|digest| *digest == exact.digest()).unwrap();
    assert_eq!(salted.iter().map(|r| r.field.clone()).collect::<Vec<_>>(), [format!("fields._sd[{at}]")]);
    assert!(!bytes.windows(exact.line().len()).any(|window| window == exact.line().as_bytes()));
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x01;
        assert!(bundle::verify(&changed).is_err(), "byte {at} of {}", bytes.len());
    }
    for chosen in [(5, &[&exact][..]), (4, &[&note]), (2, &[&note]), (7, &[&note]), (99, &[&note])] {
        let refused = case.write_with(&case.notes, &[chosen]);
        assert!(matches!(refused, Err(bundle::WriteError::Parts(_))), "{}: {refused:?}", chosen.0);
    }
}

/// Who keeps a log can write anything into it. It counts for nothing, and it must not keep others from publishing the rest.
#[test]
fn what_no_party_signed_is_not_shown_and_stops_nobody() {
    let mut case = case();
    let mut said = case.writer.statement(Act::Notify, "op_notice");
    said.marking = "TLP:CLEAR".to_owned();
    pap(&mut said, "PAP:CLEAR");
    let mut other = said.clone();
    other.party = "P2".to_owned();
    let mut elsewhere = said.clone();
    elsewhere.home = "p2.example/hamsaya/1".to_owned();
    let world = &case.writer.world;
    let sign = |said: &Statement, key: &str| Envelope::sign(said.to_payload(), &[world.key(key)]).to_leaf();
    let mut forged = Envelope::sign(said.to_payload(), &[world.key("p1.example/node")]);
    forged.signatures[0].sig[3] ^= 1;
    let leaves = [
        b"junk".to_vec(),
        forged.to_leaf(),
        sign(&other, "p1.example/node"),
        sign(&elsewhere, "p1.example/node"),
        sign(&said, "p1.example/witness"),
    ];
    case.writer.log.append(&leaves, Instant(START + 40)).expect("a log takes bytes");
    let note = case.writer.cosigned(&[("p2", START + 50), ("g1", START + 51), ("g2", START + 52)]);
    let report = bundle::verify(&case.write(&[note]).unwrap()).unwrap();
    assert_eq!(report.logs[0].shown.len(), 3);
    let unread: Vec<u64> = report.redactions.iter().filter(|r| r.rule == Rule::Unreadable).map(|r| r.index).collect();
    assert_eq!(unread, [9, 10, 11, 12, 13]);
}

#[test]
fn a_tree_that_no_quorum_cosigned_is_not_published() {
    let case = case();
    assert_eq!(case.write(&case.notes[..1]), Err(bundle::WriteError::NotCosigned));
    assert_eq!(case.write(&[]), Err(bundle::WriteError::NotCosigned));
}

#[test]
fn any_changed_byte_does_not_fit_and_its_file_is_named() {
    let case = case();
    let whole = case.write(&case.notes).unwrap();
    let directory = whole.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        let error = bundle::verify(&changed).unwrap_err();
        // The directory at the end names all files; a byte before it belongs to one.
        assert!(at >= directory || error.file != "archive" || at < 4, "byte {at}: {error}");
    }
    for length in 0..whole.len() {
        assert!(bundle::verify(&whole[..length]).is_err(), "the first {length} bytes");
    }
}

#[test]
fn a_redaction_that_is_missing_or_too_many_does_not_pass() {
    let case = case();
    let whole = case.write(&case.notes).unwrap();
    // A bundle made by somebody else, with a list of his own.
    let with = |change: &dyn Fn(&str) -> String| {
        let mut archive = zip::ZipArchive::new(std::io::Cursor::new(&whole)).unwrap();
        let mut out = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored)
            .last_modified_time(zip::DateTime::DEFAULT)
            .system(zip::System::Unix)
            .unix_permissions(0o644);
        for i in 0..archive.len() {
            let mut file = archive.by_index(i).unwrap();
            let name = file.name().unwrap().into_owned();
            let mut content = Vec::new();
            std::io::Read::read_to_end(&mut file, &mut content).unwrap();
            if name == "redactions.json" {
                content = change(&String::from_utf8(content).unwrap()).into_bytes();
            }
            out.start_file(name, options).unwrap();
            std::io::Write::write_all(&mut out, &content).unwrap();
        }
        out.finish().unwrap().into_inner()
    };
    assert!(bundle::verify(&with(&str::to_owned)).is_ok());
    let fails = |change: &dyn Fn(&str) -> String| {
        let error = bundle::verify(&with(change)).unwrap_err();
        assert_eq!(error.file, "redactions.json", "{error}");
    };
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    fails(&|text| lines(text)[1..].join("\n").replacen('{', "[{", 1) + "\n");
    fails(&|text| text.replacen("\"index\":2", "\"index\":1", 1));
    fails(&|text| text.replacen("marking", "salted", 1));
    fails(&|text| text.replacen("marking", "because", 1));
    fails(&|text| text.replacen("[{", "[ {", 1));
    fails(&|text| text.replacen("fields._sd[1]", "*", 1));
    fails(&|_| "[]\n".to_owned());
    fails(&|_| "no".to_owned());
}

/// The public can follow keys as far as it is shown how they follow; what rests on a withheld entry is withheld.
#[test]
fn keys_that_followed_are_known_where_it_is_shown() {
    for (marking, shown) in [("TLP:CLEAR", vec![1, 2, 3]), ("TLP:AMBER", vec![1])] {
        let mut writer = Writer::new(Memory::new());
        let [k0, k1] = [0, 1].map(|n| keys::nth(&writer.world, CHAIR, n));
        let node = writer.world.key("p1.example/node").clone();
        let naming = (keys::naming(&writer.world, CHAIR), vec![&k0, &node], "TLP:CLEAR");
        let replaced = (keys::replaced(&writer.world, CHAIR, 1), vec![&k0, &k1, &node], marking);
        for (change, signers, marking) in [naming, replaced] {
            let said = writer.statement(Act::Record, "key");
            let said = Statement { fields: change.to_fields(), marking: marking.to_owned(), ..said };
            writer.take(&Envelope::sign(said.to_payload(), &signers), START);
        }
        let notice = writer.statement(Act::Notify, "op_notice");
        let mut notice = Statement { marking: "TLP:CLEAR".to_owned(), ..notice };
        pap(&mut notice, "PAP:GREEN");
        writer.take(&Envelope::sign(notice.to_payload(), &[&k1]), START);
        let note = writer.cosigned(&[("p2", START + 10), ("g1", START + 11), ("g2", START + 12)]);
        let case = Case { writer, notes: vec![note] };
        let report = bundle::verify(&case.write(&case.notes).unwrap()).unwrap();
        assert_eq!(report.logs[0].shown.iter().map(|s| s.index).collect::<Vec<_>>(), shown, "{marking}");
        assert_eq!(report.redactions.len(), 3 - shown.len());
    }
}
