//! Tells a failure again without the events that it does not need.
//!
//! ```text
//! 61 events ──► without 31..61: still fails ──► without 16..31: does not ──► … ──► 4 events, none of which can go
//! ```
use crate::{Options, Outcome, run};
use std::collections::BTreeSet;

/// So many stories are told at most.
const RUNS_MAX: usize = 300;

/// The shortest story found that breaks the same rule. `outcome` is one that failed under these options.
pub fn shrink(outcome: Outcome, options: &Options) -> Outcome {
    let Some(rule) = outcome.failure.as_ref().map(|failure| failure.rule) else { return outcome };
    let mut best = outcome;
    fewest(best.events.clone(), |only| {
        let again = run(best.seed, &Options { only: Some(only.clone()), ..options.clone() });
        let fails = again.failure.as_ref().is_some_and(|failure| failure.rule == rule);
        if fails {
            best = again;
        }
        fails
    });
    best
}

/// Leaves out ever smaller pieces while what is left still fails.
fn fewest(mut events: BTreeSet<usize>, mut fails: impl FnMut(&BTreeSet<usize>) -> bool) -> BTreeSet<usize> {
    let mut runs = 0;
    let mut piece = events.len().div_ceil(2);
    while piece > 0 {
        let all: Vec<usize> = events.iter().copied().collect();
        for left_out in all.rchunks(piece) {
            if runs == RUNS_MAX {
                return events;
            }
            runs += 1;
            let fewer = events.iter().copied().filter(|n| !left_out.contains(n)).collect();
            if fails(&fewer) {
                events = fewer;
            }
        }
        piece = if piece == 1 { 0 } else { piece.div_ceil(2) };
    }
    events
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_needed_is_left() {
        let needed = BTreeSet::from([3, 17, 40]);
        let mut runs = 0;
        let found = fewest((0..61).collect(), |only| {
            runs += 1;
            needed.is_subset(only)
        });
        assert_eq!(found, needed);
        assert!(runs < 120, "{runs}");
    }
}
