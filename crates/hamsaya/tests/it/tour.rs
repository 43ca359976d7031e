//! The commands of docs/guide/tour.md and report.md, run on the folders that the demo left.
use crate::command::{hamsaya, root, scratch};
use crate::demo::played;
use std::fs;

/// `a "b c" d` as a shell would part it.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (n, part) in line.split('"').enumerate() {
        match n % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_string)),
            _ => words.push(part.to_string()),
        }
    }
    words
}

/// Runs what stands in the blocks `sh` (exit code 0) and `sh exit=1` of a page, and says how many commands that were.
#[track_caller]
fn run(page: &str) -> usize {
    let guide = fs::read_to_string(root().join("docs/guide").join(page)).expect("the page");
    let place = played().place.to_str().expect("UTF-8");
    let out = scratch(page);
    let agreements = root().join("agreements");
    let (mut ran, mut expected) = (0, None);
    for line in guide.lines() {
        match line.strip_prefix("```") {
            Some("sh") => expected = Some(0),
            Some("sh exit=1") => expected = Some(1),
            Some(_) => expected = None,
            None => {
                let Some(code) = expected else { continue };
                let filled = line.replace("$DEMO", place).replace("$OUT", out.to_str().expect("UTF-8"));
                let arguments: Vec<String> = words(&filled)
                    .into_iter()
                    .skip(1)
                    .map(|word| match word.strip_prefix("agreements") {
                        Some(rest) => format!("{}{rest}", agreements.display()),
                        None => word,
                    })
                    .collect();
                let found = hamsaya(&arguments);
                assert_eq!(found.code, code, "{line}\n{}\n{}", found.out, found.err);
                ran += 1;
            }
        }
    }
    ran
}

#[test]
fn the_tour_runs_as_it_is_written() {
    let ran = run("tour.md");
    assert!(ran > 9, "only {ran} commands were found");
}

#[test]
fn the_guide_to_reports_runs_as_it_is_written() {
    let ran = run("report.md");
    assert!(ran > 1, "only {ran} commands were found");
}
