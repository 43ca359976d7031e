//! One rule, four ways to write it.
use crate::{agreements, files};
use hamsaya_agreement::{Agreement, translated};
use std::collections::BTreeMap;

/// The Accord with every rule block written in another language.
fn accord_in(language: &str) -> BTreeMap<String, Vec<u8>> {
    let mut files = files(&agreements().join("hamsaya-accord"));
    let mut blocks = 0;
    for (_, bytes) in files.iter_mut().filter(|(name, _)| name.ends_with(".md") && !name.contains('/')) {
        let text = String::from_utf8(bytes.clone()).unwrap();
        let mut written = String::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once("```accord\n") {
            let (block, after) = after.split_once("\n```").unwrap();
            written += &format!("{before}```accord {{lang={language}}}\n{}\n```", translated(block, "en", language));
            rest = after;
            blocks += 1;
        }
        *bytes = (written + rest).into_bytes();
    }
    assert!(blocks > 30, "{blocks}");
    files
}

#[test]
fn the_accord_lowers_to_one_formula_in_four_languages() {
    let english = Agreement::parse(&files(&agreements().join("hamsaya-accord"))).unwrap();
    for language in ["en", "fa-AF", "ps", "ur"] {
        let files = accord_in(language);
        let written = Agreement::parse(&files).unwrap_or_else(|e| panic!("{language}\n{e}"));
        assert!(written.lowering() == english.lowering(), "{language}: another formula");
        assert_eq!(written.commitments(), english.commitments(), "{language}");
        let article = String::from_utf8(files["04-territory.md"].clone()).unwrap();
        assert_eq!(article.contains("must       ack("), language == "en", "{language}");
    }
}

#[test]
fn an_unknown_keyword() {
    let found = |fence: &str, line: &str| {
        let mut files = files(&agreements().join("hamsaya-accord"));
        let article = files.get_mut("04-territory.md").unwrap();
        let text = String::from_utf8(article.clone()).unwrap();
        let block = text[..text.find("define flash").unwrap()].rfind("```accord").unwrap();
        let (before, after) = (&text[..block], text[block..].trim_start_matches("```accord"));
        let after = after.replacen("  must       ack(allegation: a, by: y)  within 6 h", line, 1);
        *article = format!("{before}```accord{fence}{after}").into_bytes();
        let problems = Agreement::parse(&files).unwrap_err().0;
        let first = problems.into_iter().next().unwrap();
        (first.file, first.column, first.message, first.hint.unwrap())
    };
    let (file, column, message, hint) = found(" {lang=ps}", "  بایدد       ack(allegation: a, by: y)  within 6 h");
    assert_eq!((file.as_str(), column), ("04-territory.md", 3));
    assert_eq!(message, "found `بایدد`, which is no keyword in `ps`");
    assert_eq!(hint, "did you mean `باید`, which is `must`?");
    let (.., message, hint) = found("", "  باید       ack(allegation: a, by: y)  within 6 h");
    assert_eq!(message, "found `باید`, which is no keyword in `en`");
    assert_eq!(hint, "it is `must` in `fa-AF`: begin the block with ```accord {lang=fa-AF}");
    let (.., message, _) = found(" {lang=fr}", "  must       ack(allegation: a, by: y)  within 6 h");
    assert_eq!(message, "found a rule block in `fr`, allowed is en, fa-AF, ps, ur");
}
