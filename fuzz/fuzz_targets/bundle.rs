//! A bundle that reads is written back byte for byte; so is a path. The first line is the path.
#![no_main]
use hamsaya_record::tile::{Tile, push_entry};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let at = bytes.iter().position(|b| *b == b'\n').unwrap_or(bytes.len());
    let (path, rest) = (String::from_utf8_lossy(&bytes[..at]), bytes.get(at + 1..).unwrap_or_default());
    let Ok(tile) = Tile::parse(&path) else { return };
    assert_eq!(tile.to_string(), path);
    if let Ok(hashes) = tile.hashes(rest) {
        assert_eq!(hashes.as_flattened(), rest);
    }
    if let Ok(entries) = tile.entries(rest) {
        let mut bundle = Vec::new();
        assert!(entries.iter().all(|entry| push_entry(&mut bundle, entry)));
        assert_eq!(bundle, rest);
    }
});
