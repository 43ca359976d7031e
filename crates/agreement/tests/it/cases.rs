//! Every case under `agreements/cases` says what the judge or the compiler says. `HAMSAYA_BLESS=1` writes it down.
use crate::{accord, agreements, files};
use hamsaya_agreement::Agreement;
use hamsaya_agreement::case::{BadCase, Case};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// All pages under a folder, sorted; `cases/good/C` is all folders that begin so. `HAMSAYA_CASE=C14` keeps to pages with
/// this in their path.
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
    let (within, begins) = folder.split_at(folder.rfind('/').map_or(0, |at| at + 1));
    let mut pages = Vec::new();
    walk(&agreements().join(within), &mut pages);
    let start = agreements().join(within).join(begins).to_string_lossy().into_owned();
    pages.retain(|p| p.to_string_lossy().starts_with(&start));
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

/// A page each: kept, breached, with late evidence, disputed, and to the second.
#[test]
fn every_commitment_has_its_cases() {
    let ids: BTreeSet<String> = accord().commitments().iter().map(|c| c.id.clone()).collect();
    let mut pages = 0;
    for id in &ids {
        for name in ["kept", "breached", "late", "disputed", "second"] {
            let path = agreements().join(format!("cases/good/{id}/{name}.md"));
            let source = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            let case = Case::parse(name, &source).unwrap_or_else(|e| panic!("{e}"));
            let about = |e: &hamsaya_agreement::case::Expected| e.lines.iter().all(|l| l.starts_with(id.as_str()));
            assert!(!case.expected.is_empty() && case.expected.iter().all(about), "{id}/{name}");
            pages += 1;
        }
    }
    assert_eq!((ids.len(), pages), (35, 175));
}

/// What a page quotes stands in the agreement.
#[test]
fn the_law_that_a_case_quotes_is_the_law() {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let accord = accord();
    let law: Vec<String> = accord.articles().iter().flat_map(|a| &a.paragraphs).map(|p| words(&p.text["en"])).collect();
    for path in pages("cases/good/C") {
        let source = std::fs::read_to_string(&path).unwrap();
        let quoted: Vec<&str> = source.lines().filter_map(|l| l.strip_prefix('>')).collect();
        assert!(!quoted.is_empty(), "{} quotes nothing", path.display());
        for quote in quoted.split(|l| l.trim().is_empty()).map(|lines| words(&lines.join(" "))) {
            assert!(law.iter().any(|text| text.contains(&quote)), "{}: {quote}", path.display());
        }
    }
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

/// The second agreement and its cases: nothing is tied to the Accord.
#[test]
fn the_river_ceasefire() {
    let river = Agreement::parse(&files(&agreements().join("river-ceasefire"))).unwrap_or_else(|e| panic!("{e}"));
    let mut judged = 0;
    for path in pages("cases/river/") {
        let name = path.file_name().unwrap().to_str().unwrap();
        let source = std::fs::read_to_string(&path).unwrap();
        let case = Case::parse(name, &source).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(case.agreement, "river-ceasefire");
        let logs = case.play(name, &river).unwrap_or_else(|e| panic!("{e}"));
        if std::env::var_os("HAMSAYA_BLESS").is_some() {
            std::fs::write(&path, case.blessed(&source, &river, &logs).unwrap()).unwrap();
            continue;
        }
        assert_eq!(case.check(&river, &logs).unwrap(), [], "{name}");
        judged += case.expected.iter().map(|e| e.lines.len()).sum::<usize>();
    }
    assert!(judged >= 15 || std::env::var_os("HAMSAYA_BLESS").is_some(), "{judged}");
}
