//! A disk that rots and a log that is carried by hand, with the built command on running nodes; the commands of
//! docs/guide/node.md.
use crate::command::{commands_of, copy, hamsaya, scratch};
use crate::keys::{Town, ran, text, until};
use std::fs;
use std::path::{Path, PathBuf};

const P1: &str = "p1.example/hamsaya/1";

fn says(town: &Town, node: &str) {
    let home = town.home(node);
    ran(&["record", "append", text(&home), "--kind", "outage_notice", "--field", "sensor=S1"]);
}

/// Size in the second line of a checkpoint.
fn size(checkpoint: &Path) -> u64 {
    let text = fs::read_to_string(checkpoint).unwrap_or_default();
    text.lines().nth(1).and_then(|line| line.parse().ok()).unwrap_or(0)
}

/// P2's copy of P1's log.
fn copy_at(town: &Town, node: &str) -> PathBuf {
    let hash = hamsaya_record::witness::origin_hash(P1);
    town.home(node).join("peers").join(hash)
}

/// P1 stops when P2 holds all of its log, and its tiles are in their places.
fn stops_in_step(town: &mut Town) -> u64 {
    let log = town.home("p1").join("log");
    loop {
        let copy = copy_at(town, "p2");
        let newest = until("a copy as long as the log, all in its place", || {
            let (own, held) = (size(&log.join("lock")), size(&copy.join("lock")));
            let at = |folder: &Path| folder.join(format!("tile/entries/000.p/{own}")).exists();
            if own == held && at(&log) && at(&copy) { Ok(own) } else { Err(format!("{own} and {held}")) }
        });
        town.stop("p1");
        if size(&log.join("lock")) == newest {
            return newest;
        }
        town.serve("p1");
    }
}

fn flip(path: &Path) {
    let mut bytes = fs::read(path).expect("a tile");
    let at = bytes.len() / 2;
    bytes[at] ^= 0x10;
    fs::write(path, bytes).expect("a tile");
}

#[test]
fn what_rots_is_taken_from_another_copy() {
    let mut town = Town::start("fsck");
    (0..3).for_each(|_| says(&town, "p1"));
    let newest = stops_in_step(&mut town);
    let (p1, p2) = (town.home("p1"), town.home("p2"));
    let (dir, other) = (text(&p1), text(&p2));
    let tiles = [format!("log/tile/entries/000.p/{newest}"), format!("log/tile/0/000.p/{newest}")];
    let sound: Vec<Vec<u8>> = tiles.iter().map(|tile| fs::read(p1.join(tile)).expect("a tile")).collect();
    tiles.iter().for_each(|tile| flip(&p1.join(tile)));

    let found = hamsaya(&["record", "fsck", dir]);
    assert_eq!(found.code, 1, "{}{}", found.out, found.err);
    assert!(found.out.contains("log/tile/entries/000.p/"), "{}", found.out);
    // A command that needs the record says how to mend it.
    let listed = hamsaya(&["record", "list", dir]);
    assert!(listed.code == 2 && listed.err.contains("record fsck DIR --from"), "{}", listed.err);

    // A copy that does not fit itself mends nothing.
    let rotten = copy_at(&town, "p2").join(format!("tile/0/000.p/{newest}"));
    flip(&rotten);
    let refused = hamsaya(&["record", "fsck", dir, "--from", other]);
    assert!(refused.code == 2 && refused.err.contains("tile/0/000.p/"), "{}{}", refused.out, refused.err);
    // P2 runs, and holds its folder.
    let held = hamsaya(&["record", "fsck", other, "--from", text(&town.home("g1"))]);
    assert!(held.code == 2 && held.err.contains("another process"), "{}{}", held.out, held.err);
    assert!(held.err.contains("stop the node first"), "{}", held.err);
    flip(&rotten);

    let mended = ran(&["record", "fsck", dir, "--from", other]);
    assert!(mended.out.contains("taken from") && mended.out.contains("every byte fits"), "{}", mended.out);
    for (tile, sound) in tiles.iter().zip(&sound) {
        assert_eq!(&fs::read(p1.join(tile)).expect("a tile"), sound, "{tile}");
    }
    // A checkpoint is nobody else's to give.
    let checkpoint = p1.join("log/checkpoint");
    let before = fs::read(&checkpoint).expect("a checkpoint");
    flip(&checkpoint);
    let named = hamsaya(&["record", "fsck", dir, "--from", other]);
    assert!(named.code == 1 && named.out.contains("log/checkpoint"), "{}{}", named.out, named.err);
    fs::write(&checkpoint, before).expect("a checkpoint");
    town.serve("p1");
    says(&town, "p1");
}

#[test]
fn a_log_is_carried_by_hand() {
    let mut town = Town::start("carry");
    says(&town, "p1");
    let out = scratch("carry-out");
    let (p1, p2) = (town.home("p1"), town.home("p2"));
    // P2 misses what comes now.
    town.stop("p2");
    let missed = size(&copy_at(&town, "p2").join("lock"));
    says(&town, "p1");
    let published = until("a quorum without P2", || {
        let published = size(&p1.join("log/checkpoint"));
        if published > missed + 1 { Ok(published) } else { Err(published.to_string()) }
    });
    stop_others(&mut town);
    // It comes back, and nobody else is there.
    town.serve("p2");
    let run = |line: &str| {
        let line = line.replace("$P1", text(&p1)).replace("$P2", text(&p2)).replace("$OUT", text(&out));
        let line = line.replace("http://127.0.0.1:7411", &town.url("p2"));
        ran(&line.split_whitespace().skip(1).collect::<Vec<_>>()).out
    };
    let commands = commands_of("node.md", "A disk that rots, and a log carried by hand");
    assert_eq!(commands.len(), 7, "{commands:?}");
    let said: Vec<String> = commands.iter().map(|line| run(line)).collect();
    assert!(said[3].contains("entry 1 of p1.example/hamsaya/1") && said[3].contains("proven"), "{}", said[3]);
    assert!(said[4].contains("of them new"), "{}", said[4]);
    let held = &said[6];
    assert!(held.contains("P2 holds") && held.contains("— p2.example/mirror"), "{held}");
    let there = size(&copy_at(&town, "p2").join("lock"));
    assert!(there >= published, "{there} of {published}");
    let rest = |arguments: &[&str]| hamsaya(arguments);
    let again = rest(&["record", "import", text(&out.join("stick")), &town.url("p2")]);
    assert_eq!((again.code, again.out.as_str()), (0, held.as_str()), "what was signed stays signed: {}", again.err);

    // What is new is added to the folder; an older one has nothing to bring.
    let older = out.join("older");
    copy(&out.join("stick"), &older);
    for node in ["p1", "g1", "g2", "o1"] {
        town.serve(node);
    }
    says(&town, "p1");
    until("more to be published", || {
        let now = size(&p1.join("log/checkpoint"));
        if now > there && size(&copy_at(&town, "p2").join("lock")) > there { Ok(()) } else { Err(now.to_string()) }
    });
    let added = ran(&["record", "export", text(&p1), "P1", text(&out.join("stick"))]).out;
    assert!(!added.contains(" 0 of them new"), "{added}");
    ran(&["verify", text(&out.join("stick"))]);
    let behind = rest(&["record", "import", text(&older), &town.url("p2")]);
    assert!(behind.code == 2 && behind.err.contains("already"), "{}{}", behind.out, behind.err);
    // A byte that was changed on the way is found before anything is sent.
    let tile = fs::read_dir(older.join("tile/entries/000.p")).expect("tiles").next().expect("a tile").expect("a tile");
    flip(&tile.path());
    let changed = rest(&["record", "import", text(&older), &town.url("p2")]);
    assert!(changed.code == 2 && changed.err.contains("tile/entries/000.p/"), "{}{}", changed.out, changed.err);
    let nothing = rest(&["record", "import", text(&out.join("nowhere")), &town.url("p2")]);
    assert!(nothing.code == 2 && nothing.err.contains("holds no log"), "{}{}", nothing.out, nothing.err);
    let two = rest(&["record", "import", text(&p1), &town.url("p2")]);
    assert!(two.code == 2 && two.err.contains("one log"), "{}{}", two.out, two.err);
}

fn stop_others(town: &mut Town) {
    ["p1", "g1", "g2", "o1"].into_iter().for_each(|node| town.stop(node));
}
