//! Foreign bytes: whatever they are, they are read or refused, and delta histories are their last sets of facts.
//!
//! The targets of cargo-fuzz (`fuzz/fuzz_targets/monitor_*.rs`) take these very functions; here they run on seeds.
use hamsaya_monitor::*;
use std::collections::{BTreeMap, BTreeSet};

/// A signature is read or refused.
pub fn signature(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = parse_signature(text);
    }
}

/// A formula is read or refused, by the monitor too; what is shown of it reads back.
pub fn formula(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(formula) = parse_formula(text) else { return };
    let shown = formula.to_string();
    match parse_formula(&shown) {
        Ok(back) => assert_eq!(back, formula, "{shown}"),
        // Parentheses that were not written are levels too.
        Err(error) => assert!(error.expected.starts_with("at most"), "{error} in {shown}"),
    }
    let _ = Points::new(&formula, &parse_signature(SIGNATURE).expect("a signature"));
}

/// A log is read or refused at the same place, in however many pieces it comes.
pub fn log(bytes: &[u8]) {
    let Some((&first, bytes)) = bytes.split_first() else { return };
    let told = |pieces: &[&[u8]]| -> Result<String, String> {
        let formula = parse_formula("(ONCE[0,9] p(x)) AND NOT EVENTUALLY[0,3] r(x, _)").expect("a formula");
        let mut points = Points::new(&formula, &parse_signature(SIGNATURE).expect("a signature")).expect("safe");
        points.stream(Some(0));
        let (mut reader, mut held, mut out) = (LogReader::default(), Vec::new(), Vec::new());
        for (i, piece) in pieces.iter().enumerate() {
            held.extend_from_slice(piece);
            let last = i + 1 == pieces.len();
            let taken = points.feed(&mut reader, &held, last).map_err(|bad| bad.error.to_string())?;
            held.drain(..taken);
            points.write_final(&mut out).map_err(|error| error.to_string())?;
        }
        points.finish().and_then(|()| points.write_final(&mut out)).map_err(|error| error.to_string())?;
        Ok(String::from_utf8(out).expect("UTF-8"))
    };
    let (head, tail) = bytes.split_at(usize::from(first).min(bytes.len()));
    assert_eq!(told(&[head, tail]), told(&[bytes]));
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = parse_log(text, &parse_signature(SIGNATURE).expect("a signature"));
    }
}

const SIGNATURE: &str = "p(int) q(int) r(int,int) s(string) d(float) e()";

const FORMULAS: [&str; 16] = [
    "p(x) AND NOT EVENTUALLY[0,2] q(x)",
    "(ONCE[1,3] p(x)) AND NOT q(x)",
    "EVENTUALLY[0,0] (q(x) OR ONCE[0,0] p(x))",
    "ALWAYS[0,0] ((NOT p(_)) SINCE[1,*) TRUE)",
    "(NOT p(x)) UNTIL[0,2] q(x)",
    "p(x) SINCE[2,4] r(x, y)",
    "n <- SUM y; x (r(x, y) AND ONCE[0,2] p(x))",
    "EVENTUALLY[0,1] (EXISTS n. (n <- MIN x p(x)))",
    "NEXT[0,1] PREVIOUS (p(x) OR q(x))",
    "p(x) AND y = 6 / x",
    "(HISTORICALLY[1,3] p(x)) AND q(x)",
    "p(x) AND ALWAYS[1,2] NOT q(x)",
    "r(x, y) AND (q(y) OR NOT ONCE[0,1] p(x))",
    "r(x, _) AND NOT ((NOT p(x)) UNTIL[1,3] (q(x) OR r(x, x)))",
    "LET t(x) = p(x) AND NOT PREVIOUS p(x) IN EVENTUALLY[1,2] t(x) AND ONCE q(x)",
    "n <- CNT x (p(x) AND NOT PREVIOUS[0,0] NOT (EXISTS y. q(y)))",
];

type Facts = BTreeSet<(&'static str, Vec<i64>)>;

fn put(points: &mut Points, at: u32, (name, args): &(&'static str, Vec<i64>), comes: bool) -> bool {
    let args: Vec<Value> = args.iter().map(|&value| Value::Int(value)).collect();
    let done = if comes { points.insert(at, name, &args) } else { points.withdraw(at, name, &args) };
    done.expect("a fact that fits")
}

fn held(points: &mut Points) -> Result<BTreeMap<u32, BTreeSet<Vec<Value>>>, PointsError> {
    Ok(points.relation()?.into_iter().map(|v| (v.point, v.tuples.into_iter().collect())).collect())
}

/// Points, facts and withdrawals in any order, with questions between them: the last answer is that of the facts alone.
pub fn history(bytes: &[u8]) {
    let Some((&first, steps)) = bytes.split_first() else { return };
    let formula = parse_formula(FORMULAS[usize::from(first) % FORMULAS.len()]).expect("a formula");
    let new = || Points::new(&formula, &parse_signature(SIGNATURE).expect("a signature")).expect("safe");
    let mut points = new();
    let mut log: Vec<(i64, Facts)> = Vec::new();
    let mut replayed: BTreeMap<u32, BTreeSet<Vec<Value>>> = BTreeMap::new();
    let mut ended = false;
    for step in steps.iter().take(200).map(|&step| usize::from(step)).chain([255, 254]) {
        match step {
            0..64 => {
                let stamp = log.last().map_or(0, |last| last.0) + [0, 0, 1, 1, 2, 3, 5, 40][step % 8];
                if !ended {
                    assert_eq!(points.begin(stamp), Ok(log.len() as u32));
                    log.push((stamp, Facts::new()));
                }
            }
            64..240 => {
                let step = step - 64;
                let back = [0, 0, 1, 3][step / 2 % 4];
                let Some(at) = log.len().checked_sub(1 + back) else { continue };
                let value = (step / 24 % 3) as i64;
                let fact =
                    [("p", vec![value]), ("q", vec![value]), ("r", vec![value, 1 - value])][step / 8 % 3].clone();
                let comes = step % 2 == 0;
                let changes = log[at].1.contains(&fact) != comes;
                // Of what the formula does not read nothing is known.
                let done = put(&mut points, at as u32, &fact, comes);
                assert!(done || !changes, "a change is told of");
                if comes {
                    log[at].1.insert(fact)
                } else {
                    log[at].1.remove(&fact)
                };
            }
            255 => {
                points.finish().expect("an end");
                ended = true;
            }
            _ => {
                let Ok(changes) = points.changes() else { continue };
                for change in changes {
                    let tuples = replayed.entry(change.point).or_default();
                    change.gone.iter().for_each(|tuple| assert!(tuples.remove(tuple), "{tuple:?} goes"));
                    change.come.into_iter().for_each(|tuple| assert!(tuples.insert(tuple), "what was there comes"));
                }
                replayed.retain(|_, tuples| !tuples.is_empty());
                assert_eq!(held(&mut points).as_ref(), Ok(&replayed));
            }
        }
    }
    let mut alone = new();
    for (at, (stamp, facts)) in log.iter().enumerate() {
        alone.begin(*stamp).expect("a point");
        facts.iter().for_each(|fact| assert!(put(&mut alone, at as u32, fact, true)));
    }
    alone.finish().expect("an end");
    assert_eq!(held(&mut points), held(&mut alone), "{formula}");
}

fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let next = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z >> 56) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// Pieces of what is meant, and bytes that are not, in any order.
fn mixture(seed: u64, pieces: &[&str]) -> Vec<u8> {
    let chosen = bytes(seed, 1 + (seed % 40) as usize);
    let piece = |&byte: &u8| match usize::from(byte) {
        byte if byte < 250 => pieces[byte % pieces.len()].as_bytes().to_vec(),
        _ => vec![byte],
    };
    chosen.iter().flat_map(piece).collect()
}

fn cases() -> u64 {
    std::env::var("HAMSAYA_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000)
}

#[test]
fn histories_of_any_bytes() {
    (0..cases()).for_each(|seed| history(&bytes(seed, 5 + (seed % 60) as usize)));
}

#[test]
fn texts_of_any_bytes() {
    const OF_FORMULAS: [&str; 46] = [
        "p(x)",
        "q(x)",
        "r(x, y)",
        "s(t)",
        "e()",
        " AND ",
        " OR ",
        " IMPLIES ",
        " EQUIV ",
        "NOT ",
        "(",
        ")",
        " SINCE",
        " UNTIL[0,3] ",
        " TRIGGER ",
        "ONCE ",
        "ONCE[0,0) ",
        "EVENTUALLY(1,2] ",
        "ALWAYS[0,9] ",
        "HISTORICALLY[2,*) ",
        "PREVIOUS ",
        "NEXT ",
        "EXISTS x. ",
        "FORALL y. ",
        "LET t(x) = ",
        " IN ",
        "t(x)",
        "n <- SUM y; x ",
        "x = ",
        "y",
        " < ",
        "3",
        "2.50",
        "-",
        " + ",
        " * ",
        " / ",
        "MOD",
        "\"چمن\"",
        "i2f(x)",
        "_",
        "9223372036854775808",
        "6h",
        "DUR[0,5] ",
        " >= 3",
        "(* c *)",
    ];
    const OF_LOGS: [&str; 16] = [
        "@1 ",
        "@2",
        "@2 ",
        "@70 ",
        ";",
        "\n",
        "p(1)",
        "p(2)(0)",
        "r(1,2)",
        "s(\"a b\")",
        "s(x)",
        "d(2.5)",
        "e()",
        "# c\n",
        " ",
        "q (7 )",
    ];
    for seed in 0..cases() {
        formula(&mixture(seed, &OF_FORMULAS));
        log(&mixture(seed, &OF_LOGS));
        signature(&mixture(seed, &["p", "(", ")", "int", "string", ",", ":", "float", " ", "q(int)"]));
        formula(&bytes(seed, 12));
        log(&bytes(seed, 12));
    }
}
