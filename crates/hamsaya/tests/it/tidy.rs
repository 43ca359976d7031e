//! Tidiness is a test: the arrows between crates, exactness of the verdict path, the closed set of statements, no dead
//! files, no word for a person, licences.
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("crates/hamsaya lies two levels down").to_path_buf()
}

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .other_options(["--locked".into()])
        .exec()
        .expect("cargo metadata")
}

/// Files that git would commit, as paths from the root with `/`.
fn files() -> Vec<String> {
    fn walk(dir: &Path, root: &Path, into: &mut Vec<String>) {
        for entry in fs::read_dir(dir).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            let name = path.file_name().and_then(|n| n.to_str()).expect("a UTF-8 name").to_string();
            if path.is_dir() {
                let skipped =
                    ["target", "node_modules", ".git", "dist", "book", "shots", "__pycache__", "corpus", "artifacts"];
                if !skipped.contains(&name.as_str()) {
                    walk(&path, root, into);
                }
            } else if name != ".git" {
                into.push(path.strip_prefix(root).expect("under the root").to_str().expect("UTF-8").replace('\\', "/"));
            }
        }
    }
    let mut all = Vec::new();
    walk(&root(), &root(), &mut all);
    all.sort();
    all
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Rust source without comments and string literals, roughly: enough to look for words of code.
fn code(source: &str) -> String {
    source.lines().map(|line| line.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n")
}

/// ARCHITECTURE.md, "The house": what may use what.
fn arrows() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    BTreeMap::from([
        ("hamsaya-record", BTreeSet::new()),
        ("hamsaya-monitor", BTreeSet::new()),
        ("hamsaya-agreement", BTreeSet::from(["hamsaya-monitor", "hamsaya-record"])),
        ("hamsaya-picture", BTreeSet::from(["hamsaya-record"])),
        ("hamsaya-plan", BTreeSet::from(["hamsaya-picture"])),
        ("hamsaya-forecast", BTreeSet::new()),
        // A root may name any library, and hamsaya -> simulator -> node.
        (
            "hamsaya-node",
            BTreeSet::from([
                "hamsaya-agreement",
                "hamsaya-monitor",
                "hamsaya-record",
                "hamsaya-picture",
                "hamsaya-plan",
                "hamsaya-forecast",
            ]),
        ),
        (
            "hamsaya-simulator",
            BTreeSet::from([
                "hamsaya-agreement",
                "hamsaya-monitor",
                "hamsaya-node",
                "hamsaya-record",
                "hamsaya-picture",
                "hamsaya-plan",
                "hamsaya-forecast",
            ]),
        ),
        (
            "hamsaya",
            BTreeSet::from([
                "hamsaya-agreement",
                "hamsaya-monitor",
                "hamsaya-node",
                "hamsaya-record",
                "hamsaya-simulator",
                "hamsaya-picture",
                "hamsaya-plan",
                "hamsaya-forecast",
            ]),
        ),
    ])
}

#[test]
fn arrows_between_crates_point_down() {
    let allowed = arrows();
    let metadata = metadata();
    for package in metadata.workspace_packages() {
        let may = allowed.get(package.name.as_str()).unwrap_or_else(|| {
            panic!(
                "crate {} is not in ARCHITECTURE.md\nhint: a new crate needs a decision in docs/decisions",
                package.name
            )
        });
        for dependency in
            package.dependencies.iter().filter(|d| d.path.is_some() && d.kind != DependencyKind::Development)
        {
            assert!(
                may.contains(dependency.name.as_str()),
                "{} uses {}, which no arrow allows\nhint: see ARCHITECTURE.md, \"The house\"",
                package.name,
                dependency.name
            );
        }
    }
}

#[test]
fn verdict_path_is_exact() {
    let banned = [
        "f32",
        "f64",
        "SystemTime",
        "std::time::Instant",
        "std::thread",
        "HashMap",
        "HashSet",
        "std::net",
        "rand::",
        "getrandom",
    ];
    for path in files() {
        let verdict_path =
            ["crates/record/src/", "crates/monitor/src/", "crates/agreement/src/"].iter().any(|p| path.starts_with(p));
        if !verdict_path || !path.ends_with(".rs") {
            continue;
        }
        let code = code(&text(&path));
        // Tests beside the code may compare with floats or randomness; the path itself may not.
        let code = code.split("#[cfg(test)]\nmod ").next().unwrap_or("");
        for word in banned {
            // Acceptance looks up by hash and never iterates: no order can be seen.
            let looked_up = path == "crates/record/src/accept.rs" && word == "HashMap";
            assert!(
                looked_up || !code.contains(word),
                "{path} names {word}: the verdict path has no floats, clocks, threads, network or hash order"
            );
        }
    }
    for name in ["record", "monitor", "agreement"] {
        let lib = text(&format!("crates/{name}/src/lib.rs"));
        assert!(lib.contains("#![deny(clippy::float_arithmetic)]"), "crates/{name}/src/lib.rs allows float arithmetic");
    }
}

/// accord.md, Annex A, as committed in the statements' reference.
fn annex_kinds() -> BTreeSet<String> {
    let reference = text("docs/reference/statements.md");
    let table =
        reference.lines().filter(|l| l.starts_with("| `")).filter_map(|l| l.split('`').nth(1)).map(str::to_string);
    table.collect()
}

#[test]
fn statement_kinds_are_a_closed_set() {
    let toml = text("agreements/hamsaya-accord/annexes/kinds.toml");
    let kinds: BTreeSet<String> = toml
        .lines()
        .filter_map(|l| l.trim().strip_prefix("[kind.")?.strip_suffix(']'))
        .filter(|k| !k.ends_with(".fields"))
        .map(str::to_string)
        .collect();
    let documented = annex_kinds();
    let extra: Vec<_> = kinds.difference(&documented).collect();
    let gone: Vec<_> = documented.difference(&kinds).collect();
    assert!(
        extra.is_empty() && gone.is_empty(),
        "kinds.toml and docs/reference/statements.md differ: only in kinds.toml {extra:?}, only in the reference {gone:?}"
    );
    assert!(kinds.len() > 100, "only {} kinds were found", kinds.len());
}

#[test]
fn acts_are_a_closed_set() {
    let source = text("crates/record/src/statement.rs");
    let body = source.split("pub enum Act {").nth(1).and_then(|s| s.split('}').next()).expect("the enum Act");
    let acts: BTreeSet<String> = code(body)
        .split(|c: char| !c.is_alphanumeric())
        .filter(|w| w.chars().next().is_some_and(char::is_uppercase))
        .map(str::to_string)
        .collect();
    let expected = [
        "Observe",
        "Allege",
        "Request",
        "Answer",
        "Notify",
        "Alert",
        "Undertake",
        "Verify",
        "Find",
        "Consent",
        "Withdraw",
        "Estimate",
        "Record",
    ];
    assert_eq!(acts, expected.iter().map(|s| s.to_string()).collect(), "the acts of a statement are a closed set");
}

#[test]
fn no_field_for_a_person() {
    let deny = [
        "person",
        "surname",
        "first_name",
        "last_name",
        "full_name",
        "ethnicity",
        "ethnic",
        "tribe",
        "clan",
        "caste",
        "religion",
        "faith",
        "sect",
        "biometric",
        "fingerprint",
        "face",
        "phone",
        "passport",
        "licence_plate",
        "email",
        "national_id",
        "tazkira",
        "cnic",
    ];
    let kinds = text("agreements/hamsaya-accord/annexes/kinds.toml");
    let api = text("docs/reference/openapi.json");
    for (what, lines) in [("kinds.toml", &kinds), ("openapi.json", &api)] {
        for line in lines.lines() {
            let key = line
                .trim_start()
                .trim_start_matches('"')
                .split(['=', '"', ' ', ':'])
                .next()
                .unwrap_or("")
                .to_lowercase();
            let words: BTreeSet<&str> = key.split(['_', '-', '.', '[', ']']).collect();
            for word in deny {
                assert!(key != word && !words.contains(word), "{what}: `{line}` has a field for a person or people");
            }
        }
    }
}

#[test]
fn every_source_file_is_reached() {
    let all: BTreeSet<String> = files().into_iter().collect();
    for path in all
        .iter()
        .filter(|p| p.starts_with("crates/") && p.ends_with(".rs") && (p.contains("/src/") || p.contains("/tests/it/")))
    {
        let (folder, file) = path.rsplit_once('/').expect("a file in a folder");
        let name = file.trim_end_matches(".rs");
        if ["lib", "main"].contains(&name) || folder.ends_with("/bin") {
            continue;
        }
        // `mod x;` stands in the parent module's file: beside it, one level up under the folder's name, or mod.rs.
        let (module, parent_folder) = if name == "mod" {
            (folder.rsplit('/').next().unwrap_or(""), folder.rsplit_once('/').map_or("", |p| p.0))
        } else {
            (name, folder)
        };
        let up = format!("{parent_folder}.rs");
        let parents = [
            format!("{parent_folder}/lib.rs"),
            format!("{parent_folder}/main.rs"),
            format!("{parent_folder}/mod.rs"),
            up,
        ];
        let reached = parents.iter().filter(|p| all.contains(*p)).any(|p| {
            let source = text(p);
            source.lines().any(|l| {
                l.trim_start().trim_start_matches("pub ").trim_start_matches("pub(crate) ") == format!("mod {module};")
            })
        });
        assert!(reached, "{path} is reached by no `mod {module};`");
    }
}

#[test]
fn no_junk_drawers() {
    let drawers = ["utils", "util", "common", "core", "types", "helpers", "helper", "manager", "misc"];
    for path in files().iter().filter(|p| p.starts_with("crates/") || p.starts_with("console/src/")) {
        for part in path.split('/') {
            let stem = part.split('.').next().unwrap_or("");
            assert!(!drawers.contains(&stem), "{path}: give the function to the noun it serves");
        }
    }
}

#[test]
fn no_unfinished_marks() {
    let marks =
        [["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["unimple", "mented!("].concat(), ["to", "do!("].concat()];
    for path in files()
        .iter()
        .filter(|p| p.ends_with(".rs") || p.ends_with(".svelte") || p.ends_with(".ts") || p.ends_with(".mjs"))
    {
        for (n, line) in text(path).lines().enumerate() {
            for mark in &marks {
                assert!(!line.contains(mark.as_str()), "{path}:{}: {mark} without an issue", n + 1);
            }
        }
    }
}

#[test]
fn the_project_speaks_of_itself_alone() {
    // Machine paths and registry hosts: what a file must not tell about where it was written.
    let words = [
        ["/ro", "ot/"].concat(),
        ["/wo", "rk/"].concat(),
        ["registry.npm", "js.org"].concat(),
        ["static.crates", ".io"].concat(),
    ];
    for path in files() {
        let Ok(text) = fs::read_to_string(root().join(&path)) else { continue };
        for word in &words {
            assert!(!text.contains(word.as_str()), "{path} names {word}");
        }
    }
}

/// Whether an SPDX expression can be met with allowed licences: one side of an OR is enough, every side of an AND is needed.
fn is_allowed(expression: &str, allowed: &BTreeSet<&str>) -> bool {
    /// Cuts at a word that stands outside brackets.
    fn cut<'a>(text: &'a str, word: &str) -> Option<(&'a str, &'a str)> {
        let depth = |n: usize| text[..n].matches('(').count() as i64 - text[..n].matches(')').count() as i64;
        text.match_indices(word).find(|(n, _)| depth(*n) == 0).map(|(n, _)| (&text[..n], &text[n + word.len()..]))
    }
    let text = expression.trim();
    if let Some((left, right)) = cut(text, " OR ") {
        return is_allowed(left, allowed) || is_allowed(right, allowed);
    }
    if let Some((left, right)) = cut(text, " AND ") {
        return is_allowed(left, allowed) && is_allowed(right, allowed);
    }
    match text.strip_prefix('(').and_then(|t| t.strip_suffix(')')) {
        Some(inner) => is_allowed(inner, allowed),
        None => allowed.contains(text),
    }
}

#[test]
fn licence_expressions_are_read_as_spdx() {
    let allowed = BTreeSet::from(["MIT", "Unicode-3.0", "Apache-2.0 WITH LLVM-exception"]);
    for (expression, expected) in [
        ("MIT", true),
        ("GPL-2.0 OR MIT", true),
        ("MIT AND GPL-2.0", false),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
        ("(GPL-2.0 OR Apache-2.0) AND Unicode-3.0", false),
        ("Apache-2.0 WITH LLVM-exception OR GPL-2.0", true),
        ("", false),
    ] {
        assert_eq!(is_allowed(expression, &allowed), expected, "{expression}");
    }
}

#[test]
fn licences_are_permissive() {
    let deny = text("deny.toml");
    let allowed: BTreeSet<&str> = deny
        .split("allow = [")
        .nth(1)
        .and_then(|s| s.split(']').next())
        .expect("deny.toml lists licences")
        .split('"')
        .skip(1)
        .step_by(2)
        .collect();
    let metadata = metadata();
    for package in &metadata.packages {
        let expression = package.license.clone().unwrap_or_default().replace('/', " OR ");
        let fine = is_allowed(&expression, &allowed);
        assert!(fine, "{} {} is under `{expression}`, which deny.toml does not allow", package.name, package.version);
        assert!(
            package.source.as_ref().is_none_or(|s| s.is_crates_io()),
            "{} comes from {:?}, only crates.io is allowed",
            package.name,
            package.source
        );
    }
}

#[test]
fn html_is_left_to_right_and_css_is_logical() {
    for path in files().iter().filter(|p| {
        p.starts_with("console/") && (p.ends_with(".svelte") || p.ends_with(".html") || p.ends_with(".css"))
    }) {
        let text = text(path);
        assert!(!text.contains("<html dir=\"rtl\""), "{path}: direction lives on body; html is always ltr");
        for (n, line) in text.lines().enumerate() {
            for word in [
                "margin-left",
                "margin-right",
                "padding-left",
                "padding-right",
                "text-align: left",
                "text-align: right",
                "float: left",
                "float: right",
            ] {
                assert!(!line.contains(word), "{path}:{}: {word} is not logical", n + 1);
            }
        }
    }
}

#[test]
fn locales_hold_the_same_keys() {
    let keys = |path: &str| -> BTreeSet<String> {
        let text = text(path);
        let ids = text.lines().filter(|l| l.chars().next().is_some_and(|c| c.is_ascii_lowercase()));
        ids.filter_map(|l| l.split_once(" =")).map(|(k, _)| k.to_string()).collect()
    };
    let english: Vec<String> = files().into_iter().filter(|p| p.starts_with("locales/en/")).collect();
    assert!(!english.is_empty(), "locales/en holds no file");
    for path in english {
        let wanted = keys(&path);
        for language in ["fa-AF", "ps", "ur"] {
            let other = path.replace("locales/en/", &format!("locales/{language}/"));
            let found = keys(&other);
            let missing: Vec<_> = wanted.difference(&found).collect();
            let extra: Vec<_> = found.difference(&wanted).collect();
            assert!(missing.is_empty() && extra.is_empty(), "{other}: missing {missing:?}, not in English {extra:?}");
        }
    }
}

#[test]
fn readme_commands_exist() {
    let makefile = text("Makefile");
    let readme = text("README.md");
    for line in readme.lines().map(str::trim).filter(|l| l.starts_with("make ")) {
        let target = line.split_whitespace().nth(1).unwrap_or("");
        assert!(makefile.contains(&format!("\n{target}:")), "README.md says `{line}`, the Makefile has no `{target}`");
    }
}
