//! Whether a node's verdicts are those that the scenario expects.
//!
//! ```text
//! C14(A1, P1)           kept      margin 0:12
//! C16.access(Q1, P1)    pending   due +119:00
//! ```
use super::narrate::hours;
use crate::verdicts::Row;
use hamsaya_record::Instant;

/// One line of a `verdicts` block, for a row as a node gives it.
pub fn line(row: &Row, start: Instant) -> String {
    let at = |instant: Instant| hours(instant, start);
    let detail = match row.state.as_str() {
        "kept" if row.reason == "discharged" => "discharged".to_string(),
        "kept" => row.margin_s.map(margin).unwrap_or_default(),
        "breached" => row.breached_since.map(|i| format!("since {}", at(i))).unwrap_or_default(),
        "pending" => match (row.due, row.until) {
            (Some(due), _) => format!("due {}", at(due)),
            (None, Some(until)) => format!("until {}", at(until)),
            (None, None) => String::new(),
        },
        _ => String::new(),
    };
    format!("{} {} {detail}", row.label, row.state).trim_end().to_string()
}

fn margin(seconds: i64) -> String {
    format!("margin {}", hours(Instant(seconds), Instant(0)).trim_start_matches('+'))
}

/// The first line in which found and expected differ, both sorted by label: `(expected, found)`.
pub fn first_difference(expected: &[String], found: &[String]) -> Option<(String, String)> {
    let plain = |lines: &[String]| -> Vec<String> {
        let mut plain: Vec<String> = lines.iter().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        plain.sort();
        plain
    };
    let (expected, found) = (plain(expected), plain(found));
    let nothing = || "nothing".to_string();
    let lacking = expected.iter().find(|e| !found.contains(e));
    let extra = found.iter().find(|f| !expected.contains(f));
    let same_label = |line: &String, lines: &[String]| {
        let label = line.split(')').next().unwrap_or_default().to_string();
        lines.iter().find(|l| l.split(')').next() == Some(label.as_str())).cloned()
    };
    match (lacking, extra) {
        (Some(e), _) => Some((e.clone(), same_label(e, &found).unwrap_or_else(nothing))),
        (None, Some(f)) => Some((nothing(), f.clone())),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_names_the_instance() {
        let lines = |text: &str| -> Vec<String> { text.lines().map(str::to_string).collect() };
        let expected = lines("C12(A1, P1)   disputed\nC14(A1, P1)  kept   margin 0:12");
        assert_eq!(first_difference(&expected, &lines("C14(A1, P1) kept margin 0:12\nC12(A1, P1) disputed")), None);
        assert_eq!(
            first_difference(&expected, &lines("C14(A1, P1) breached since +6:00\nC12(A1, P1) disputed")),
            Some(("C14(A1, P1) kept margin 0:12".into(), "C14(A1, P1) breached since +6:00".into()))
        );
        assert_eq!(
            first_difference(&expected[..1], &lines("C12(A1, P1) disputed\nC99(X) kept")),
            Some(("nothing".into(), "C99(X) kept".into()))
        );
    }
}
