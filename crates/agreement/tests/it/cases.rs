//! Every case under `agreements/cases/good` says what the judge says. `HAMSAYA_BLESS=1` writes down what it says.
use crate::{accord, agreements};
use hamsaya_agreement::case::Case;

#[test]
fn good_cases() {
    let accord = accord();
    let mut wrong = String::new();
    let mut paths: Vec<_> = std::fs::read_dir(agreements().join("cases/good"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "md"))
        .collect();
    paths.sort();
    assert!(!paths.is_empty());
    for path in paths {
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
