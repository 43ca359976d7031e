//! An article file: what people read, with a rule block under each paragraph.
//!
//! `````text
//! # Article 4 - Territory denied to armed groups            {#art_4}
//! ## 14 Acknowledge                                          {#art_4__para_14}
//! ::: title {lang=ps}
//! …
//! :::
//! ::: text {lang=en}
//! The accused side acknowledges an allegation within six hours, or within one hour when it is marked flash.
//! :::
//! ```accord
//! commitment C14 : result, severity C
//! ```
//! `````
//!
//! It knows Markdown's headings and fences, nothing of rules.
use crate::keywords;
use crate::source::{Article, Diagnostic, Paragraph};
use std::collections::{BTreeMap, BTreeSet};

/// A rule block: under which paragraph, from which line of the file, and its text.
#[derive(Clone, Debug)]
pub(crate) struct RuleBlock {
    pub file: String,
    /// Number of the paragraph among those of its article; `None`: under the article's own heading.
    pub paragraph: Option<usize>,
    pub first_line: usize,
    /// Language of its keywords.
    pub language: String,
    pub text: String,
}

/// What a `:::` block is being read into.
struct Open {
    what: String,
    lang: String,
    /// It says so itself: `review=needed`.
    is_draft: bool,
    line: usize,
    text: Vec<String>,
}

/// Reads one file. `None` if it holds no article (then that was reported).
pub(crate) fn read(
    file: &str,
    source: &str,
    languages: &BTreeSet<String>,
    problems: &mut Vec<Diagnostic>,
) -> Option<(Article, Vec<RuleBlock>)> {
    let mut article: Option<Article> = None;
    let mut blocks = Vec::new();
    let mut open: Option<Open> = None;
    let mut fence: Option<(String, Option<String>, usize, Vec<&str>)> = None;
    let mut problem = |line: usize, column: usize, message: String, hint: &str| {
        problems.push(Diagnostic { file: file.into(), line, column, message, hint: Some(hint.into()) });
    };
    let lines: Vec<&str> = source.split('\n').map(|l| l.strip_suffix('\r').unwrap_or(l)).collect();
    for (n, line) in lines.iter().enumerate() {
        let number = n + 1;
        let trimmed = line.trim();
        if let Some((mark, rule, from, text)) = &mut fence {
            if trimmed == mark {
                if let Some(language) = rule {
                    blocks.push(RuleBlock {
                        file: file.into(),
                        paragraph: article.as_ref().and_then(|a| a.paragraphs.len().checked_sub(1)),
                        first_line: *from + 1,
                        language: language.clone(),
                        text: text.join("\n"),
                    });
                }
                fence = None;
            } else {
                text.push(line);
            }
            continue;
        }
        if let Some(ticks) = fence_of(trimmed) {
            let rule = rule_language(trimmed[ticks..].trim());
            if open.is_some() && rule.is_some() {
                problem(number, 1, "found a rule block within a text".into(), "close the text by `:::` first");
            }
            if let Some(language) = rule.as_ref().filter(|l| !keywords::LANGUAGES.contains(&l.as_str())) {
                let known = keywords::LANGUAGES.join(", ");
                problem(
                    number,
                    1,
                    format!("found a rule block in `{language}`, allowed is {known}"),
                    "keywords exist in these languages; names are the same in all",
                );
            }
            fence = Some(("`".repeat(ticks), rule, number, Vec::new()));
            continue;
        }
        if let Some(block) = &mut open {
            if trimmed == ":::" {
                let text = block.text.join("\n").trim().to_string();
                if let Some(article) = &mut article {
                    let (titles, texts, drafts) = match article.paragraphs.last_mut() {
                        Some(p) => (&mut p.title, &mut p.text, &mut p.drafts),
                        None => (&mut article.title, &mut article.text, &mut article.drafts),
                    };
                    if block.is_draft {
                        drafts.insert(block.lang.clone());
                    }
                    let into = if block.what == "title" { titles } else { texts };
                    if block.what == "title" && block.lang == "en" {
                        into.insert(block.lang.clone(), text);
                    } else if into.insert(block.lang.clone(), text).is_some() {
                        problem(
                            block.line,
                            1,
                            format!("found a second {} in `{}` under one heading", block.what, block.lang),
                            "join them, or give the second a heading of its own",
                        );
                    }
                }
                open = None;
            } else {
                block.text.push(line.to_string());
            }
            continue;
        }
        if let Some(rest) = trimmed.strip_prefix(":::") {
            let rest = rest.trim();
            let (what, attributes) = rest.split_once('{').unwrap_or((rest, ""));
            let what = what.trim();
            // Other attributes are for people.
            let mut attributes = attributes.trim_end_matches('}').split_whitespace();
            let is_draft = attributes.clone().any(|a| a == "review=needed");
            let lang = attributes.find_map(|a| a.strip_prefix("lang=")).map(|l| l.trim_matches('"'));
            const LIKE: &str = "texts are written `::: text {lang=en}`, titles `::: title {lang=ps}`";
            match lang {
                Some(lang) if (what == "text" || what == "title") && languages.contains(lang) => {
                    if article.is_none() {
                        problem(
                            number,
                            1,
                            "found a text before the article's heading".into(),
                            "an article begins `# Article 4 - Title {#art_4}`",
                        );
                    }
                    open =
                        Some(Open { what: what.into(), lang: lang.into(), is_draft, line: number, text: Vec::new() });
                }
                Some(lang) if what == "text" || what == "title" => {
                    let known = languages.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
                    problem(
                        number,
                        1,
                        format!("found the language `{lang}`, allowed is one of {known}"),
                        "languages stand in agreement.toml",
                    );
                    open =
                        Some(Open { what: what.into(), lang: lang.into(), is_draft, line: number, text: Vec::new() });
                }
                _ => {
                    problem(number, 1, format!("found `::: {rest}`, allowed is a text or a title in a language"), LIKE);
                    open =
                        Some(Open { what: "text".into(), lang: "?".into(), is_draft, line: number, text: Vec::new() });
                }
            }
            continue;
        }
        if let Some(heading) = trimmed.strip_prefix("## ") {
            const LIKE: &str = "a paragraph begins `## 14 Acknowledge {#art_4__para_14}`";
            let (title, anchor) = split_anchor(heading);
            let Some(article) = &mut article else {
                problem(number, 1, "found a paragraph before the article's heading".into(), LIKE);
                continue;
            };
            let digits: String = title.chars().take_while(char::is_ascii_digit).collect();
            let name = title[digits.len()..].trim().trim_start_matches(['.', '-', '–', '—']).trim();
            let wanted = format!("{}__para_", article.address);
            let address = match anchor {
                Some(a) if a.starts_with(&wanted) && a[wanted.len()..].chars().all(|c| c.is_ascii_alphanumeric()) => a,
                found => {
                    let found = found.map_or("no anchor".into(), |a| format!("the anchor `{a}`"));
                    problem(number, 1, format!("found {found}, allowed is `{{#{wanted}…}}`"), LIKE);
                    format!("{wanted}{}", if digits.is_empty() { number.to_string() } else { digits.clone() })
                }
            };
            if article.paragraphs.iter().any(|p| p.address == address) {
                problem(
                    number,
                    1,
                    format!("found a second paragraph `{address}`"),
                    "every paragraph has an address of its own",
                );
            }
            article.paragraphs.push(Paragraph {
                address,
                number: digits,
                title: BTreeMap::from([("en".to_string(), name.to_string())]),
                text: BTreeMap::new(),
                drafts: BTreeSet::new(),
                rule: String::new(),
                line: number,
            });
            continue;
        }
        if let Some(heading) = trimmed.strip_prefix("# ") {
            const LIKE: &str = "an article begins `# Article 4 - Title {#art_4}`";
            let (title, anchor) = split_anchor(heading);
            if article.is_some() {
                problem(number, 1, "found a second article in one file".into(), "a file holds one article");
                continue;
            }
            let address = match anchor {
                Some(a)
                    if a.strip_prefix("art_")
                        .is_some_and(|n| !n.is_empty() && n.chars().all(|c| c.is_ascii_digit())) =>
                {
                    a
                }
                found => {
                    let found = found.map_or("no anchor".into(), |a| format!("the anchor `{a}`"));
                    problem(number, 1, format!("found {found}, allowed is `{{#art_N}}`"), LIKE);
                    "art_0".into()
                }
            };
            article = Some(Article {
                address,
                title: BTreeMap::from([("en".to_string(), title.to_string())]),
                text: BTreeMap::new(),
                drafts: BTreeSet::new(),
                paragraphs: Vec::new(),
                file: file.into(),
            });
        }
    }
    if let Some((_, Some(_), from, _)) = fence {
        problem(
            from,
            1,
            "found a rule block without end".into(),
            "close it with three backticks on a line of their own",
        );
    }
    if let Some(block) = open {
        problem(
            block.line,
            1,
            format!("found a {} without end", block.what),
            "close it with `:::` on a line of its own",
        );
    }
    if article.is_none() {
        problem(1, 1, "found no article in this file".into(), "an article begins `# Article 4 - Title {#art_4}`");
    }
    article.map(|a| (a, blocks))
}

/// The language of a rule block's keywords: `accord`, `accord {lang=ps}`. `None`: another sort of block.
fn rule_language(word: &str) -> Option<String> {
    let rest = word.strip_prefix("accord")?.trim();
    if rest.is_empty() {
        return Some("en".into());
    }
    Some(rest.strip_prefix("{lang=")?.strip_suffix('}')?.trim().trim_matches('"').to_string())
}

/// How many backticks open a fence here.
fn fence_of(line: &str) -> Option<usize> {
    let ticks = line.len() - line.trim_start_matches('`').len();
    (ticks >= 3 && !line[ticks..].contains('`')).then_some(ticks)
}

/// A heading's text, and its anchor if it has one.
fn split_anchor(heading: &str) -> (&str, Option<String>) {
    match heading.rsplit_once("{#") {
        Some((title, anchor)) => match anchor.trim_end().strip_suffix('}') {
            Some(anchor) => (title.trim(), Some(anchor.to_string())),
            None => (heading.trim(), None),
        },
        None => (heading.trim(), None),
    }
}
