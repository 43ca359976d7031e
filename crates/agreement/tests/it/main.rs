//! The agreement crate from outside.
#![allow(clippy::unwrap_used)]
mod cases;
mod check;
mod digest;
mod fits;
mod golden;
mod histories;
mod interchange;
mod keywords;
mod language;
mod random;
mod small;

use hamsaya_agreement::Agreement;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The folder `agreements` of this repository.
pub fn agreements() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../agreements")
}

/// All files under a folder, by path within it.
pub fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(folder: &Path, root: &Path, into: &mut BTreeMap<String, Vec<u8>>) {
        for entry in std::fs::read_dir(folder).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            if path.is_dir() {
                walk(&path, root, into);
            } else {
                let name = path.strip_prefix(root).expect("under the root").to_str().expect("UTF-8").replace('\\', "/");
                into.insert(name, std::fs::read(&path).expect("a readable file"));
            }
        }
    }
    let mut all = BTreeMap::new();
    walk(folder, folder, &mut all);
    all
}

/// The Hamsaya Accord.
pub fn accord() -> Agreement {
    Agreement::parse(&files(&agreements().join("hamsaya-accord"))).unwrap_or_else(|e| panic!("{e}"))
}
