//! `hamsaya agreement …`, and docs/guide/agreement.md as it is written.
use crate::command::{Ran, copy, hamsaya, root, scratch};
use crate::demo::played;
use std::fs;
use std::path::Path;

fn accord() -> String {
    root().join("agreements/hamsaya-accord").to_str().expect("UTF-8").to_string()
}

/// Whether the lines of an answer stand in what was printed, in order; `…` is anything, also at the end of a line.
fn answers(printed: &str, answer: &str) -> Result<(), String> {
    let mut lines = printed.lines();
    for wanted in answer.lines().filter(|l| *l != "…" && !l.trim().is_empty()) {
        let fits = |line: &str| match wanted.strip_suffix(" …") {
            Some(begin) => line.starts_with(begin),
            None => line == wanted,
        };
        if !lines.any(fits) {
            return Err(format!("`{wanted}` is not printed, or not there:\n{printed}"));
        }
    }
    Ok(())
}

#[test]
fn the_guide_to_agreements_runs_as_it_is_written() {
    let guide = fs::read_to_string(root().join("docs/guide/agreement.md")).expect("the guide");
    let dir = scratch("agreement-guide");
    copy(&root().join("agreements"), &dir.join("agreements"));
    let mut open: Option<(usize, String, String)> = None;
    let (mut ran, mut answered): (Option<Ran>, usize) = (None, 0);
    for line in guide.lines() {
        let ticks = line.len() - line.trim_start_matches('`').len();
        match &mut open {
            None if ticks >= 3 => open = Some((ticks, line.trim_matches('`').to_string(), String::new())),
            Some((fence, ..)) if ticks == *fence && line.len() == ticks => {
                let Some((_, kind, text)) = open.take() else { continue };
                if let Some(name) = kind.strip_prefix("text file=") {
                    fs::write(dir.join(name), text).expect("a file of the guide");
                } else if let Some(name) = kind.strip_prefix("text append=") {
                    let before = fs::read_to_string(dir.join(name)).expect("a file of the guide");
                    fs::write(dir.join(name), before + &text).expect("a file of the guide");
                } else if let Some(rest) = kind.strip_prefix("sh") {
                    let code = rest.trim().strip_prefix("exit=").map_or(0, |c| c.parse().expect("an exit code"));
                    let arguments: Vec<&str> = text.split_whitespace().skip(1).collect();
                    let output = std::process::Command::new(env!("CARGO_BIN_EXE_hamsaya"))
                        .args(arguments)
                        .current_dir(&dir)
                        .output()
                        .expect("the built command");
                    let found = Ran {
                        code: output.status.code().unwrap_or(-1),
                        out: String::from_utf8(output.stdout).expect("UTF-8"),
                        err: String::from_utf8(output.stderr).expect("UTF-8"),
                    };
                    assert_eq!(found.code, code, "{text}{}{}", found.out, found.err);
                    ran = Some(found);
                } else if let Some(found) = ran.take().filter(|_| kind == "text") {
                    answers(&found.out, &text).unwrap_or_else(|e| panic!("{e}"));
                    answered += 1;
                }
            }
            Some((.., text)) => *text += &format!("{line}\n"),
            None => {}
        }
    }
    assert!(answered >= 5, "only {answered} answers were compared");
}

#[test]
fn one_json_document_that_names_the_agreement() {
    let ran = hamsaya(&["agreement", "export", &accord()]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let document: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    // The digest follows from the files' hashes, as README.md of the agreements says.
    let files = document["files"].as_object().expect("files");
    let lines: String =
        files.iter().map(|(name, hash)| format!("{}  {name}\n", hash.as_str().unwrap_or_default())).collect();
    use sha2::Digest as _;
    let digest: String = sha2::Sha256::digest(lines.as_bytes()).iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(document["digest"].as_str(), Some(digest.as_str()));
    assert_eq!(document["articles"].as_array().map(Vec::len), Some(10));
    let c14 = document["commitments"].as_array().expect("commitments").iter().find(|c| c["id"] == "C14").expect("C14");
    assert!(c14["text"]["ps"].as_str().is_some_and(|t| t.contains("شپږو")), "{c14}");
    assert!(c14["formulas"][0].as_str().is_some_and(|f| f.contains("must")), "{c14}");
}

/// One document of the text for each language, one of the rules; what is asked in vain is said.
#[test]
fn text_and_rules_for_other_peoples_tools() {
    let dir = scratch("agreement-export");
    fs::create_dir_all(&dir).expect("a folder");
    let out = dir.join("accord.xml");
    let ran = hamsaya(&["agreement", "export", &accord(), "--akn", "--out", out.to_str().expect("UTF-8")]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    for lang in ["en", "fa-AF", "ps", "ur"] {
        let written = fs::read_to_string(dir.join(format!("accord.{lang}.xml"))).expect("a document");
        let shown = hamsaya(&["agreement", "export", &accord(), "--akn", "--lang", lang]).out;
        assert_eq!(written, shown, "the same bytes, wherever they go");
        assert!(shown.contains("<paragraph eId=\"art_4__para_14\">"), "{lang}");
    }
    let rules = hamsaya(&["agreement", "export", &accord(), "--legalruleml"]).out;
    assert!(rules.contains("<lrml:PrescriptiveStatement key=\"C14\">"), "{}", rules.len());
    for (asked, said) in [
        (&["--akn"][..], "error: a document is in one language, found are en, fa-AF, ps, ur\n  --akn\nhint: "),
        (
            &["--akn", "--lang", "fr"],
            "error: the agreement has no text in `fr`, allowed is en, fa-AF, ps, ur\n  --lang\nhint: ",
        ),
        (&["--html", "--lang", "fr"], "error: the agreement has no text in `fr`"),
        (&["--legalruleml", "--lang", "ps"], "error: `--lang` picks one language, and this form "),
    ] {
        let ran = hamsaya(&[&["agreement", "export", &accord()], asked].concat());
        assert_eq!(ran.code, 2, "{asked:?}");
        assert!(ran.err.starts_with(said), "{}", ran.err);
    }
}

/// Every text of every language, from its own side; every rule; nothing that runs or is fetched.
#[test]
fn one_page_to_read() {
    let json = hamsaya(&["agreement", "export", &accord()]).out;
    let agreement: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let html = hamsaya(&["agreement", "export", &accord(), "--html"]).out;
    let pashto = hamsaya(&["agreement", "export", &accord(), "--html", "--lang", "ps"]).out;
    for (page, languages) in [(&html, &["en", "fa-AF", "ps", "ur"][..]), (&pashto, &["ps"])] {
        assert!(!page.contains("<script") && page.contains("default-src 'none'"), "nothing runs");
        let mut ids: Vec<&str> =
            page.split(" id=\"").skip(1).map(|after| after.split('"').next().unwrap_or_default()).collect();
        let all = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), all, "an address stands twice");
        for article in agreement["articles"].as_array().expect("articles") {
            let paragraphs = article["paragraphs"].as_array().expect("paragraphs");
            for part in [article].into_iter().chain(paragraphs) {
                assert!(ids.contains(&part["address"].as_str().expect("an address")), "{}", part["address"]);
                for language in languages {
                    let texts = [&part["title"][language], &part["text"][language]];
                    let pieces = texts.iter().filter_map(|t| t.as_str()).flat_map(|t| t.split(['`', '\n']));
                    for piece in pieces.map(|p| p.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")) {
                        assert!(page.contains(piece.trim_end()), "{language} {}: {piece}", part["address"]);
                    }
                }
            }
        }
        for commitment in agreement["commitments"].as_array().expect("commitments") {
            assert!(page.contains(commitment["id"].as_str().expect("an id")), "{}", commitment["id"]);
        }
    }
    assert!(html.contains("<html lang=\"en\" dir=\"ltr\">") && html.contains("<div lang=\"ur\" dir=\"rtl\">"));
    assert!(pashto.contains("<html lang=\"ps\" dir=\"rtl\">") && pashto.contains("<pre class=\"rule\" dir=\"rtl\">"));
    assert!(html.contains("within 6 h") && pashto.contains("ژمنه"), "what a rule demands, in words");
    assert!(html.contains("Looked at by people"), "what no rule can look at");
    assert!(!html.contains("reading-") && !html.contains("nature-") && !html.contains("clock-"), "a word is missing");
    // A draft says that it is one.
    assert!(!html.contains("lang=\"en\" dir=\"ltr\"><div class=\"text draft\""));
    assert!(html.contains("lang=\"ps\" dir=\"rtl\"><div class=\"text draft\""));
}

/// The same folder gives the same paper. Without a browser that prints, nothing is printed and the test says so.
#[test]
fn the_same_page_on_paper() {
    let river = root().join("agreements/river-ceasefire");
    let dir = scratch("agreement-paper");
    fs::create_dir_all(&dir).expect("a folder");
    let print = |name: &str| {
        let out = dir.join(name);
        let arguments = ["agreement", "export", river.to_str().expect("UTF-8"), "--pdf", "--out"];
        let ran = hamsaya(&[&arguments[..], &[out.to_str().expect("UTF-8")]].concat());
        (ran, fs::read(out).unwrap_or_default())
    };
    let (ran, first) = print("first.pdf");
    if ran.code != 0 {
        assert!(ran.err.starts_with("error: no browser that prints was found"), "{}", ran.err);
        eprintln!("skipped: {}", ran.err);
        return;
    }
    assert!(first.starts_with(b"%PDF-"));
    assert!(first == print("second.pdf").1, "two prints differ");
}

/// C14 changed from 6 hours to 3: what changes in words, and which verdicts of a made-up year would be otherwise.
#[test]
fn a_shorter_deadline_over_a_made_up_year() {
    let dir = scratch("agreement-diff");
    copy(Path::new(&accord()), &dir.join("new"));
    let article = dir.join("new/04-territory.md");
    let text = fs::read_to_string(&article).expect("article 4");
    fs::write(&article, text.replace("ack(allegation: a, by: y)  within 6 h", "ack(allegation: a, by: y)  within 3 h"))
        .expect("article 4");
    let new = dir.join("new");
    let new = new.to_str().expect("UTF-8");
    let ran = hamsaya(&["agreement", "diff", &accord(), new, "--year", "7", "--per-day", "60", "--days", "30"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let becomes =
        "  must ack(allegation: a, by: y) within 6 h\n    becomes  must ack(allegation: a, by: y) within 3 h\n";
    assert!(ran.out.contains(becomes), "{}", ran.out);
    let flips: Vec<&str> = ran.out.lines().filter(|l| l.contains(", would be ")).collect();
    let c14: Vec<&&str> = flips.iter().filter(|l| l.trim_start().starts_with("C14(")).collect();
    assert!(c14.len() > 5, "{}", ran.out);
    // Acknowledged between 3 and 6 hours: kept by less than 180 minutes, and by nobody else.
    for line in &c14 {
        let margin = line.split("kept, ").nth(1).and_then(|l| l.split(' ').next()).and_then(|m| m.parse::<i64>().ok());
        assert!(margin.is_some_and(|m| m < 180) && line.contains("would be breached since"), "{line}");
    }
    // The breach of C14 ends the complainant's silence, and opens paragraph 15 at another hour: nothing else hangs on it.
    for line in &flips {
        let label = line.trim_start().split('(').next().unwrap_or_default();
        assert!(["C14", "C15", "C13.embargo"].contains(&label), "{line}");
    }
    let json = hamsaya(&["agreement", "diff", &accord(), new, "--format", "json"]);
    let value: serde_json::Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!(value["changed"][0]["id"], "C14");
    assert_eq!(hamsaya(&["agreement", "diff", &accord(), &accord()]).code, 0);
    // A record is compared under the text that it was founded on, and no other.
    let record = played().place.join("g1");
    let record = record.to_str().expect("UTF-8");
    let ran = hamsaya(&["agreement", "diff", new, &accord(), "--record", record]);
    assert_eq!(ran.code, 2, "{}", ran.out);
    assert!(ran.err.contains("the record belongs to agreement"), "{}", ran.err);
    assert_eq!(hamsaya(&["agreement", "diff", &accord(), new, "--record", record]).code, 1);
}

/// One breached, one disputed and one pending verdict, explained in four languages.
#[test]
fn explained_in_four_languages() {
    let record = played().place.join("g1");
    let record = record.to_str().expect("UTF-8");
    let at = |as_of: &str, label: &str, lang: &str| {
        let fixed = ["judge", "--agreement", &accord(), "--record", record, "--as-of", as_of];
        hamsaya(&[&fixed[..], &["--explain", label, "--lang", lang]].concat())
    };
    let (h48, h620) = ("2026-11-26T20:00:00Z", "2026-12-20T16:00:00Z");
    // Whatever is pending at that hour.
    let table = hamsaya(&["judge", "--agreement", &accord(), "--record", record, "--as-of", h48]);
    let pending = table.out.lines().find(|l| l.contains("  pending ")).and_then(|l| l.split(')').next());
    let pending = format!("{})", pending.expect("a pending verdict"));
    let asked = [
        ("state-breached", h620, "C32.lane(K1, P2)"),
        ("state-disputed", h48, "C12(A1, P1)"),
        ("state-pending", h48, &pending),
    ];
    for lang in ["en", "fa-AF", "ps", "ur"] {
        let words = fs::read_to_string(root().join(format!("locales/{lang}/verdicts.ftl"))).expect("the locale");
        let word = |id: &str| {
            let line = words.lines().find_map(|l| l.strip_prefix(&format!("{id} = "))).expect("a word");
            line.split('{').next().unwrap_or_default().trim().to_string()
        };
        for (state, as_of, label) in asked {
            let ran = at(as_of, label, lang);
            assert!(ran.code < 2, "{}", ran.err);
            assert!(
                ran.out.contains(&word(state)) && ran.out.contains(&word("explain-opened-by")),
                "{lang} {state}: {}",
                ran.out
            );
            let english =
                ["opened by", "because of", "breached since", "acts count"].iter().any(|w| ran.out.contains(w));
            assert_eq!(english, lang == "en", "{lang} {state}: {}", ran.out);
        }
    }
}
