//! The commands of docs/guide/tour.md, run on the folders that the demo left.
use crate::command::{hamsaya, root};
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

#[test]
fn the_tour_runs_as_it_is_written() {
    let tour = fs::read_to_string(root().join("docs/guide/tour.md")).expect("the tour");
    let place = played().place.to_str().expect("UTF-8");
    let agreements = root().join("agreements");
    let (mut ran, mut expected) = (0, None);
    for line in tour.lines() {
        match line.strip_prefix("```") {
            Some("sh") => expected = Some(0),
            Some("sh exit=1") => expected = Some(1),
            Some(_) => expected = None,
            None => {
                let Some(code) = expected else { continue };
                let filled = line.replace("$DEMO", place);
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
    assert!(ran > 9, "only {ran} commands were found");
}
