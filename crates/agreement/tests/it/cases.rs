//! Every case under `agreements/cases` says what the judge or the compiler says. `HAMSAYA_BLESS=1` writes it down.
use crate::{accord, agreements, files};
use hamsaya_agreement::case::{BadCase, Case};
use std::path::{Path, PathBuf};

/// All pages under a folder, sorted. `HAMSAYA_CASE=C14` keeps to those with this in their path.
pub fn pages(folder: &str) -> Vec<PathBuf> {
    fn walk(folder: &Path, into: &mut Vec<PathBuf>) {
        for path in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
            if path.is_dir() {
                walk(&path, into);
            } else if path.extension().is_some_and(|e| e == "md") {
                into.push(path);
            }
        }
    }
    let mut pages = Vec::new();
    walk(&agreements().join(folder), &mut pages);
    pages.sort();
    assert!(!pages.is_empty(), "{folder}");
    let only = std::env::var("HAMSAYA_CASE").unwrap_or_default();
    pages.retain(|p| p.to_string_lossy().contains(&only));
    pages
}

#[test]
fn good_cases() {
    let accord = accord();
    let mut wrong = String::new();
    for path in pages("cases/good") {
        let name = path.file_name().unwrap().to_str().unwrap();
        let source = std::fs::read_to_string(&path).unwrap();
        let case = match Case::parse(name, &source) {
            Ok(case) => case,
            Err(e) => {
                wrong += &format!("{e}");
                continue;
            }
        };
        let logs = match case.play(name, &accord) {
            Ok(logs) => logs,
            Err(e) => {
                wrong += &format!("{e}");
                continue;
            }
        };
        if std::env::var_os("HAMSAYA_BLESS").is_some() {
            std::fs::write(&path, case.blessed(&source, &accord, &logs).unwrap()).unwrap();
            continue;
        }
        for m in case.check(&accord, &logs).unwrap() {
            wrong += &format!("{name}:{}\n", m.line);
            m.expected.iter().for_each(|l| wrong += &format!("  - {l}\n"));
            m.found.iter().for_each(|l| wrong += &format!("  + {l}\n"));
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn bad_cases() {
    let files = files(&agreements().join("hamsaya-accord"));
    for path in pages("cases/bad") {
        let name = path.file_name().unwrap().to_str().unwrap();
        let source = std::fs::read_to_string(&path).unwrap();
        let case = BadCase::parse(&source).unwrap_or_else(|| panic!("{name} has no diagnostics"));
        let found = BadCase::found(name, &source, &files);
        assert!(!found.is_empty(), "{name} is accepted");
        if std::env::var_os("HAMSAYA_BLESS").is_some() {
            std::fs::write(&path, case.blessed(&source, &found)).unwrap();
        } else {
            assert_eq!(case.expected, found, "{name}");
        }
    }
}
