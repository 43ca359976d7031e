//! Seeds that pass, and worlds that must not.
#![allow(clippy::unwrap_used)]
use hamsaya_agreement::Agreement;
use hamsaya_node::folder::agreement_files;
use hamsaya_simulator::{Options, Outcome, Rule, Sabotage, run};
use std::path::Path;
use std::sync::{Arc, LazyLock};

static ACCORD: LazyLock<Arc<Agreement>> = LazyLock::new(|| {
    let files = agreement_files(Path::new("../../agreements/hamsaya-accord")).unwrap();
    Arc::new(Agreement::parse(&files).unwrap())
});

fn options() -> Options {
    Options { statements: 30, ..Options::new(ACCORD.clone()) }
}

fn sabotaged(seed: u64, sabotage: Sabotage) -> Outcome {
    run(seed, &Options { sabotage: Some(sabotage), ..options() })
}

fn tale(outcome: &Outcome) -> String {
    format!("hamsaya simulate --seed {}\n{}", outcome.seed, outcome.story.join("\n"))
}

#[track_caller]
fn is_caught(outcome: &Outcome, rule: Rule) {
    assert_eq!(outcome.failure.as_ref().map(|f| f.rule), Some(rule), "{}", tale(outcome));
    assert!(outcome.story.last().unwrap().contains(rule.name()), "the story ends with the failure");
}

#[test]
fn ten_seeds_hold() {
    let mut total = hamsaya_simulator::Counts::default();
    for seed in 0..10 {
        let outcome = run(seed, &options());
        assert_eq!(outcome.failure, None, "{}", tale(&outcome));
        assert!(outcome.digest.is_some() && outcome.counts.logged > 10, "{}", tale(&outcome));
        total.crashes += outcome.counts.crashes;
        total.partitions += outcome.counts.partitions;
        total.lost += outcome.counts.lost;
        total.refused += outcome.counts.refused;
        total.verdicts += outcome.counts.verdicts;
    }
    // A world in which nothing goes wrong shows nothing.
    assert!(total.crashes > 20 && total.partitions > 20 && total.lost > 1_000, "{total:?}");
    assert!(total.refused > 5 && total.verdicts > 50, "{total:?}");
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let short = Options { statements: 15, ..options() };
    let once = run(3, &short);
    assert_eq!(once, run(3, &short));
    assert_ne!(once.story, run(4, &short).story);
}

#[test]
fn a_node_that_forgets_what_it_acknowledged_is_caught() {
    is_caught(&sabotaged(1, Sabotage::Forgets("P2".into())), Rule::AcknowledgedEntriesSurvive);
}

#[test]
fn a_log_that_shows_two_trees_is_caught() {
    is_caught(&sabotaged(1, Sabotage::ShowsTwoTrees("P1".into())), Rule::OneTree);
}

#[test]
fn a_node_that_overlooks_entries_is_caught() {
    is_caught(&sabotaged(1, Sabotage::Overlooks("G2".into())), Rule::SameVerdicts);
}
