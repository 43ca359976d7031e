//! `hamsaya report` on the record that the demo left: the same numbers in every language and format.
use crate::command::{Ran, hamsaya, root, scratch};
use crate::demo::played;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

const LANGUAGES: [&str; 4] = ["en", "fa-AF", "ps", "ur"];

fn report(record: &str, out: &Path, more: &[&str]) -> Ran {
    let agreement = root().join("agreements/hamsaya-accord");
    let record = played().place.join(record);
    let text = |path: &Path| path.to_str().expect("UTF-8").to_string();
    let mut arguments = vec!["report".to_string(), "--agreement".into(), text(&agreement), "--record".into()];
    arguments.extend([text(&record), "--out".into(), text(out)]);
    arguments.extend(more.iter().map(|argument| argument.to_string()));
    hamsaya(&arguments)
}

/// December, known by H 620, in four languages.
fn december() -> &'static PathBuf {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let out = scratch("report");
        let mut more = vec!["--month", "2026-12", "--known-by", "2026-12-20T16:00:00Z"];
        more.extend(["--format", "html", "--format", "csv"]);
        LANGUAGES.iter().for_each(|lang| more.extend(["--lang", lang]));
        let ran = report("p1", &out, &more);
        assert_eq!(ran.code, 1, "something was breached in December: {}{}", ran.out, ran.err);
        out
    })
}

fn page(lang: &str) -> String {
    fs::read_to_string(december().join(format!("2026-12.{lang}.html"))).expect("the page")
}

fn csv(name: &str) -> Vec<BTreeMap<String, String>> {
    let text = fs::read(december().join(name)).expect("the table");
    let mut reader = csv::Reader::from_reader(text.as_slice());
    reader.deserialize().collect::<Result<_, _>>().expect("rows")
}

/// What stands between two marks, each time.
fn between<'t>(text: &'t str, from: &str, to: &str) -> Vec<&'t str> {
    text.split(from).skip(1).filter_map(|rest| rest.split(to).next()).collect()
}

fn latin(text: &str) -> String {
    let digit = |c: char| match c as u32 {
        n @ 0x6f0..=0x6f9 => char::from_digit(n - 0x6f0, 10).unwrap_or(c),
        _ => c,
    };
    text.chars().map(digit).filter(|c| !matches!(c, '\u{2068}' | '\u{2069}')).collect()
}

/// Text of a page without tags, styles and what is set from left to right.
fn prose(page: &str) -> String {
    let body = page.split("<body>").nth(1).expect("a body");
    let mut text = String::new();
    let mut rest = body;
    while let Some(start) = rest.find('<') {
        text.push_str(&rest[..start]);
        let skip = ["<bdi class=\"code\" dir=\"ltr\">", "<bdi dir=\"ltr\">", "<pre dir=\"ltr\">"];
        let tag = skip.iter().find(|tag| rest[start..].starts_with(*tag));
        let end = match tag {
            Some(tag) if tag.starts_with("<pre") => rest[start..].find("</pre>").expect("closed") + start,
            Some(_) => rest[start..].find("</bdi>").expect("closed") + start,
            None => start,
        };
        let close = rest[end..].find('>').expect("a tag ends") + end + 1;
        rest = &rest[close..];
    }
    text.push_str(rest);
    text
}

#[test]
fn all_languages_say_the_same_numbers() {
    let numbers = |lang: &str| -> Vec<String> {
        let page = page(lang);
        let cells = between(&page, "<td class=\"number\">", "</td>");
        cells
            .into_iter()
            .map(|cell| latin(&prose(&format!("<body>{cell}"))).replace(['%', '٪'], "").trim().to_string())
            .collect()
    };
    let english = numbers("en");
    assert!(english.len() > 100, "only {} numbers", english.len());
    for lang in ["fa-AF", "ps", "ur"] {
        assert_eq!(numbers(lang), english, "{lang} says other numbers");
    }
    let codes = |lang: &str| -> Vec<String> {
        between(&page(lang), "<bdi class=\"code\" dir=\"ltr\">", "</bdi>").into_iter().map(str::to_string).collect()
    };
    // Kinds without a name in a language would show here as codes that others do not have.
    for lang in ["fa-AF", "ps", "ur"] {
        assert_eq!(codes(lang), codes("en"), "{lang} cites other things");
    }
}

#[test]
fn every_number_leads_to_what_is_behind_it() {
    for lang in LANGUAGES {
        let page = page(lang);
        let ids: Vec<&str> = between(&page, " id=\"", "\"");
        let unique: BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(ids.len(), unique.len(), "{lang}: an id stands twice");
        let links = between(&page, "href=\"#", "\"");
        assert!(links.len() > 50, "{lang}: only {} links", links.len());
        for link in links {
            assert!(unique.contains(link), "{lang}: #{link} leads nowhere");
        }
    }
}

#[test]
fn what_runs_from_right_to_left_holds_no_bare_code() {
    for lang in ["fa-AF", "ps", "ur"] {
        let page = page(lang);
        assert!(page.contains(&format!("<html lang=\"{lang}\" dir=\"rtl\">")), "{lang}");
        // Inside a sentence, isolates part a code from what runs the other way.
        let mut bare = String::new();
        let mut depth = 0;
        for c in prose(&page).chars() {
            match c {
                '\u{2068}' => depth += 1,
                '\u{2069}' => depth -= 1,
                c if depth == 0 => bare.push(c),
                _ => {}
            }
        }
        assert_eq!(depth, 0, "{lang}: isolates do not balance");
        let latin: String = bare.chars().filter(char::is_ascii_alphabetic).collect();
        assert_eq!(latin, "", "{lang}: Latin letters stand bare in\n{bare}");
    }
    let (dari, urdu) = (prose(&page("fa-AF")), prose(&page("ur")));
    assert!(dari.contains("۱۰ قوس ۱۴۰۵ (۱ دسمبر ۲۰۲۶)"), "Dari says days in both calendars:\n{dari}");
    assert!(urdu.contains("1 دسمبر 2026"), "{urdu}");
}

#[test]
fn the_tables_count_what_the_judgment_says() {
    let rows = csv("2026-12.csv");
    let agreement = root().join("agreements/hamsaya-accord");
    let judged = hamsaya(&[
        "judge",
        "--agreement",
        agreement.to_str().expect("UTF-8"),
        "--record",
        played().place.join("p1").to_str().expect("UTF-8"),
        "--as-of",
        "2026-12-20T16:00:00Z",
        "--format",
        "json",
    ]);
    let judgment: serde_json::Value = serde_json::from_str(&judged.out).expect("JSON");
    let verdicts = judgment["verdicts"].as_array().expect("verdicts");
    let from = "2026-12-01T00:00:00Z";
    let settled = |v: &serde_json::Value| {
        let key = if v["state"] == "kept" { "kept_at" } else { "breached_since" };
        v[key].as_str().map(str::to_string)
    };
    for state in ["kept", "breached", "pending", "disputed"] {
        let counted = rows.iter().filter(|row| row["state"] == state && row["fate"] != "before").count();
        let expected = verdicts.iter().filter(|v| v["state"] == state && settled(v).is_none_or(|at| *at >= *from));
        assert_eq!(counted, expected.count(), "{state}");
    }
    let digest = judgment["digest"].as_str().expect("a digest");
    assert!(page("en").contains(digest), "the page names the digest of `hamsaya judge`");
    let number = |text: &str| text.parse::<usize>().expect("a number");
    for line in csv("2026-12-commitments.csv") {
        let of = |fate: &str| {
            let same = |row: &&BTreeMap<String, String>| {
                row["commitment"] == line["commitment"] && row["part"] == line["part"] && row["fate"] == fate
            };
            rows.iter().filter(same).count()
        };
        for fate in ["kept", "breached", "pending", "disputed", "discharged"] {
            assert_eq!(number(&line[fate]), of(fate), "{fate} of {line:?}");
        }
        let score = match (of("kept"), of("kept") + of("breached")) {
            (_, 0) => String::new(),
            (0, _) => "0".into(),
            (kept, settled) if kept == settled => "3".into(),
            (kept, settled) => if 2 * kept < settled { "1" } else { "2" }.into(),
        };
        assert_eq!(line["score"], score, "{line:?}");
    }
    // In the golden scenario nobody says where he looked: silence is no report.
    let coverage = csv("2026-12-coverage.csv");
    assert_eq!(coverage.len(), 4);
    assert!(coverage.iter().all(|row| row["days_not_looked"] == "19"), "{coverage:?}");
}

#[test]
fn every_node_reports_the_same_and_says_where_the_record_ends() {
    let out = scratch("report-g2");
    let more = ["--month", "2026-12", "--known-by", "2026-12-20T16:00:00Z", "--lang", "ur"];
    let ran = report("g2", &out, &[&more[..], &["--format", "html", "--format", "csv"]].concat());
    assert_eq!(ran.code, 1, "{}", ran.err);
    for name in ["2026-12.ur.html", "2026-12.csv", "2026-12-commitments.csv", "2026-12-coverage.csv"] {
        let (one, other) = (fs::read(december().join(name)).expect("P1's"), fs::read(out.join(name)).expect("G2's"));
        assert!(one == other, "{name} differs between P1 and G2");
    }
    assert!(page("en").contains("The record ends before the period does."));
}

#[test]
fn a_browser_prints_the_same_page() {
    let out = scratch("report-pdf");
    let more = ["--month", "2026-12", "--known-by", "2026-12-20T16:00:00Z", "--lang", "ps", "--format", "pdf"];
    let ran = report("p1", &out, &more);
    if ran.err.contains("no browser that prints was found") {
        println!("skipped: no browser is installed; hint: apt-get install chromium");
        assert!(ran.err.contains("HAMSAYA_BROWSER"), "{}", ran.err);
        return;
    }
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    let pdf = fs::read(out.join("2026-12.ps.pdf")).expect("the PDF");
    assert!(pdf.starts_with(b"%PDF-") && pdf.len() > 50_000, "{} bytes", pdf.len());
}
