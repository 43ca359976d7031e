//! Reading logs in pieces and reading what is no log: nothing panics, and pieces make no difference.
use hamsaya_monitor::*;

/// SplitMix64.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

const SIGNATURE: &str = "p(int,string) q(float) r()";
const FORMULA: &str = "(ONCE[0,9] p(x, t)) AND NOT (EVENTUALLY[0,3s] (q(2.50) OR r()))";
const LOG: &str = "# a log\n@1 p(1,\"چمن\")(2, gate) q(2.5);\n@1;\n@3 r() p ( -7 , \"a b\" ) ;@4 q(1e2)\n  q(3)\n\
                   @20 p(123456789012345678901234567890,\"x\") r ();\n@30 p(5,y)\n";

/// Formulas of which what holds at a point hangs on all of it.
const OF_A_WHOLE_POINT: [&str; 3] =
    ["(ONCE[0,9] p(x, t)) AND NOT r()", "n <- CNT t; x p(x, t)", "p(x, t) AND NOT (q(3.0) OR r())"];

fn monitor(formula: &str) -> Points {
    let formula = parse_formula(formula).expect("a formula");
    Points::new(&formula, &parse_signature(SIGNATURE).expect("a signature")).expect("a safe formula")
}

/// Verdict lines, or the first complaint.
fn told(log: &[u8], next: impl FnMut(usize) -> usize) -> Result<String, SyntaxError> {
    told_of(FORMULA, log, next).1
}

/// Verdict lines before a complaint, and what [`told`] gives.
fn told_of(formula: &str, log: &[u8], next: impl FnMut(usize) -> usize) -> (String, Result<String, SyntaxError>) {
    let mut out = Vec::new();
    let ended = read(formula, log, next, &mut out);
    let out = String::from_utf8(out).expect("UTF-8");
    (out.clone(), ended.map(|()| out))
}

fn read(formula: &str, log: &[u8], mut next: impl FnMut(usize) -> usize, out: &mut Vec<u8>) -> Result<(), SyntaxError> {
    let mut points = monitor(formula);
    points.stream(Some(0));
    let (mut reader, mut held) = (LogReader::default(), Vec::new());
    let mut at = 0;
    while at < log.len() {
        let count = next(log.len() - at).clamp(1, log.len() - at);
        held.extend_from_slice(&log[at..at + count]);
        at += count;
        let taken = points.feed(&mut reader, &held, false);
        points.write_final(out).expect("no fault");
        held.drain(..taken.map_err(|bad| bad.error)?);
    }
    let taken = points.feed(&mut reader, &held, true);
    points.write_final(out).expect("no fault");
    taken.map_err(|bad| bad.error)?;
    points.finish().expect("no fault");
    points.write_final(out).expect("no fault");
    Ok(())
}

#[test]
fn pieces_make_no_difference() {
    let whole = told(LOG.as_bytes(), |rest| rest).expect("a log");
    let wanted = "@20 (time point 4): (123456789012345678901234567890,\"x\")\n";
    assert!(!whole.contains(wanted) && whole.contains("@30 (time point 5): (5,\"y\")"), "{whole}");
    let mut chance = Chance(1);
    for _ in 0..300 {
        assert_eq!(told(LOG.as_bytes(), |_| 1 + chance.below(9)).as_ref(), Ok(&whole));
    }
    for formula in OF_A_WHOLE_POINT {
        let (whole, _) = told_of(formula, LOG.as_bytes(), |rest| rest);
        assert!(whole.lines().count() >= 2, "{formula}: {whole}");
        for _ in 0..300 {
            assert_eq!(told_of(formula, LOG.as_bytes(), |_| 1 + chance.below(9)).0, whole, "{formula}");
        }
    }
}

/// What is said of a time-point before it is whole may be false: of one that breaks off nothing is said.
#[test]
fn a_point_that_breaks_off_has_no_verdict() {
    let log = "@0 p(1,a);\n@1 p(1,a)\n@2 p(1,b) r(;\n@3 p(1,c);\n";
    for piece in [1, 2, 5, 100] {
        let (out, ended) = told_of("p(x, t) AND NOT r()", log.as_bytes(), |_| piece);
        assert_eq!(out, "@0 (time point 0): (1,\"a\")\n@1 (time point 1): (1,\"a\")\n");
        assert!(ended.is_err_and(|error| error.to_string().starts_with("line 3, column 13: found `;`, expected `)`")));
    }
}

#[test]
fn a_complaint_names_its_place_whatever_the_pieces() {
    for (log, wanted) in [
        ("@1 p(1,a);\n@2 p(x,a);\n", "line 2, column 6: found `x`, expected a whole number"),
        ("@1 p(1,\"چمن\") s(1);\n", "line 1, column 15: found `s`, expected a predicate of the signature"),
        ("@5;\n@4;\n", "line 2, column 1: found stamp 4 after stamp 5"),
        ("@1 p(1\n,a,b);\n", "line 2, column 3: found one more value, expected `)`: the columns of `p` are 2"),
        ("@1 p(1,\"a\n", "line 1, column 8: found a text that does not end, expected a closing `\"`"),
        ("p(1,a)", "line 1, column 1: found `p`, expected `@` and a stamp"),
    ] {
        let whole = told(log.as_bytes(), |rest| rest).expect_err("a complaint");
        assert!(whole.to_string().starts_with(wanted), "{whole}");
        for piece in 1..6 {
            assert_eq!(told(log.as_bytes(), |_| piece), Err(whole.clone()), "{log}");
        }
    }
}

/// Foreign bytes: mended texts of every kind, cut, doubled and mixed.
#[test]
fn no_bytes_make_it_panic() {
    let cases = std::env::var("HAMSAYA_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(2_000);
    let mut chance = Chance(2);
    let signature = parse_signature(SIGNATURE).expect("a signature");
    let parts = [
        "(", ")", "[0,", "*", "NOT ", "AND ", "x", "\"", "@", ";", "LET ", "1e999", "MOD", "<-", ".", "\u{0}", "چ", "-",
    ];
    for _ in 0..cases {
        for text in [SIGNATURE, FORMULA, LOG] {
            let mut bytes = text.as_bytes().to_vec();
            for _ in 0..1 + chance.below(6) {
                let at = chance.below(bytes.len());
                match chance.below(4) {
                    0 => drop(bytes.drain(at..(at + chance.below(9)).min(bytes.len()))),
                    1 => {
                        let part = parts[chance.below(parts.len())];
                        drop(bytes.splice(at..at, part.bytes()));
                    }
                    2 if at < bytes.len() => bytes[at] = chance.next() as u8,
                    _ => {
                        let piece = bytes[at..(at + chance.below(20)).min(bytes.len())].to_vec();
                        drop(bytes.splice(at..at, piece));
                    }
                }
            }
            let _ = told(&bytes, |_| 7);
            if let Ok(text) = std::str::from_utf8(&bytes) {
                let _ = parse_signature(text);
                let _ = parse_log(text, &signature);
                if let Ok(formula) = parse_formula(text) {
                    let _ = Points::new(&formula, &signature);
                    let _ = evaluate(&formula, &signature, &[]);
                }
            }
        }
    }
}

/// Deep and huge formulas are refused or read, never fatal.
#[test]
fn depth_is_bounded() {
    let signature = parse_signature(SIGNATURE).expect("a signature");
    for text in [
        format!("{}r(){}", "(".repeat(100_000), ")".repeat(100_000)),
        format!("{}r()", "NOT ".repeat(100_000)),
        format!("{}r()", "ONCE[0,1] ".repeat(100_000)),
        format!("r() {}", "AND r() ".repeat(20_000)),
        format!("r() {}", "SINCE r() ".repeat(20_000)),
        format!("q(x) AND x = 1.0 {}", "+ 1.0 ".repeat(20_000)),
        format!("{}r()", "LET s() = r() IN ".repeat(2_000)),
        format!("{}r() {}", "(q(x) OR x > 1.0 AND ".repeat(150), ")".repeat(150)),
    ] {
        if let Ok(formula) = parse_formula(&text) {
            let _ = Points::new(&formula, &signature);
        }
    }
}
