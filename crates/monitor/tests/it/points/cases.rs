//! Small worlds with the expected verdicts in sight; above all what the shared vectors do not hold.
use crate::points::naive::{Held, Moment, Naive, moments};
use hamsaya_monitor::*;

const SIGNATURE: &str = "p(int) q(int) r(int,int) s(string) d(float) e()";

/// `0: (1,"a") (2,"b"); 3: ()`
fn text(held: &Held) -> String {
    let tuple = |tuple: &Vec<Value>| format!("({})", tuple.iter().map(Value::to_string).collect::<Vec<_>>().join(","));
    let point = |(at, tuples): (&u32, _)| {
        let tuples: &std::collections::BTreeSet<Vec<Value>> = tuples;
        format!("{at}: {}", tuples.iter().map(tuple).collect::<Vec<_>>().join(" "))
    };
    held.iter().map(point).collect::<Vec<_>>().join("; ")
}

fn check(formula: &str, log: &str, expected: &str) {
    let signature = parse_signature(SIGNATURE).unwrap();
    let parsed = parse_formula(formula).unwrap_or_else(|error| panic!("{formula}: {error}"));
    let log = moments(log, &signature);
    let naive = Naive::new(&parsed, &signature, &log);
    let found = naive.held().map_or_else(|said| said, |held| text(&held));
    assert_eq!(found, expected, "{formula}");
    for asked in [false, true] {
        let mut points = Points::new(&parsed, &signature).unwrap_or_else(|refusal| panic!("{formula}: {refusal}"));
        let found = match told(&mut points, &log, asked) {
            Ok(verdicts) => text(&verdicts.into_iter().map(|v| (v.point, v.tuples.into_iter().collect())).collect()),
            Err(error) => error.found,
        };
        assert_eq!(found, expected, "{formula}, the engine, asked after each step: {asked}");
    }
}

/// Point by point and fact by fact.
fn told(points: &mut Points, log: &[Moment], asked: bool) -> Result<Vec<PointVerdict>, PointsError> {
    for moment in log {
        let point = points.begin(moment.stamp)?;
        for (name, args) in &moment.events {
            if asked {
                points.changes()?;
            }
            points.insert(point, name, args)?;
        }
        if asked {
            points.changes()?;
        }
    }
    points.finish()?;
    points.relation()
}

#[test]
fn the_ends_of_the_log() {
    let log = "@0 p(1); @0 p(2); @5;";
    check("PREVIOUS p(x)", log, "1: (1); 2: (2)");
    check("PREVIOUS[0,0] p(x)", log, "1: (1)");
    check("NOT PREVIOUS TRUE", log, "0: ()");
    check("NEXT TRUE", log, "0: (); 1: (); 2: ()");
    check("NEXT[0,9] TRUE", log, "0: (); 1: ()");
    check("NEXT NEXT NEXT TRUE", log, "0: (); 1: (); 2: ()");
    check("NEXT NEXT[0,9] TRUE", log, "0: ()");
    check("NEXT ONCE p(x)", log, "0: (1) (2); 1: (1) (2); 2: (1) (2)");
    check("NEXT ONCE[0,9] p(x)", log, "0: (1) (2); 1: (1) (2)");
    check("NOT EVENTUALLY[0,5] (EXISTS x. p(x))", log, "2: ()");
    check("ALWAYS[0,5] (EXISTS x. p(x))", log, "");
    check("ALWAYS[0,4] (EXISTS x. p(x))", log, "0: (); 1: ()");
    check("ALWAYS[6,7] FALSE", log, "0: (); 1: (); 2: ()");
    check("HISTORICALLY[6,*] FALSE", log, "0: (); 1: (); 2: ()");
    check("HISTORICALLY[1,*] FALSE", log, "0: (); 1: ()");
    check("TRUE", "", "");
}

#[test]
fn points_with_one_stamp_are_in_order() {
    let log = "@3 p(1); @3 q(1); @3 p(1);";
    check("ONCE[0,0] p(x)", log, "0: (1); 1: (1); 2: (1)");
    check("p(x) SINCE[0,0] q(x)", log, "1: (1); 2: (1)");
    check("p(x) UNTIL[0,0] q(x)", log, "0: (1); 1: (1)");
    check("(NOT p(x)) SINCE[0,0] q(x)", log, "1: (1)");
    check("(NOT p(x)) UNTIL[0,0] q(x)", log, "1: (1)");
    check("q(x) AND EVENTUALLY(0,5] p(x)", log, "");
}

#[test]
fn a_stamp_is_open_until_a_later_one_comes() {
    // A point that came with the stamp of the one before, after somebody asked, was forgotten.
    check("EVENTUALLY[0,0] (EXISTS n. (n <- MIN x p(x)))", "@0 p(1); @0;", "0: (); 1: ()");
    let log = "@0; @1; @1 p(5); @1;";
    check("ALWAYS[0,0] (((NOT p(_)) SINCE[1,*) TRUE) AND NOT p(_))", log, "");
    check("ALWAYS[0,0] (q(_) UNTIL[0,0] ONCE[0,0] p(_))", "@0 p(0); @1 q(1); @1;", "0: ()");
    check("EVENTUALLY[0,0] (q(x) OR ONCE[0,0] p(x))", "@2 p(1); @2; @2; @2;", "0: (1); 1: (1); 2: (1); 3: (1)");
    // What begins or ends two points ahead.
    let log = "@3; @3; @3; @3; @4; @4;";
    check("EVENTUALLY[0,0] PREVIOUS PREVIOUS[0,0] NOT PREVIOUS FALSE", log, "0: (); 1: (); 2: (); 3: (); 4: ()");
    check("ONCE[0,0] NOT PREVIOUS PREVIOUS[0,0] TRUE", log, "0: (); 1: (); 2: (); 3: (); 5: ()");
    check("ALWAYS[0,0] NOT PREVIOUS PREVIOUS (NOT ONCE p(_))", log, "");
}

#[test]
fn windows_measure_stamps() {
    // Points at 0 and 100 hold; no point in between can say so of 105 - 10.
    let log = "@0 p(1); @100 p(1); @105; @110; @120;";
    check("ONCE[10,20] p(x)", log, "3: (1); 4: (1)");
    check("ONCE(10,20] p(x)", log, "4: (1)");
    check("ONCE[10,20) p(x)", log, "3: (1)");
    check("EVENTUALLY[1m,2m] p(x)", log, "0: (1)");
}

#[test]
fn aggregations() {
    let log = "@0 r(1,5) r(2,5) r(3,8); @1 s(\"b\") s(\"a\") d(0.5) d(2); @2 p(-3) p(2);";
    check("n <- CNT x; y r(x, y)", log, "0: (1,8) (2,5)");
    check("n <- CNT x r(x, y)", log, "0: (3); 1: (0); 2: (0)");
    check("n <- SUM y r(x, y)", log, "0: (18); 1: (0); 2: (0)");
    check("n <- SUM y (EXISTS x. r(x, y))", log, "0: (13); 1: (0); 2: (0)");
    check("n <- AVG y r(x, y)", log, "0: (6); 1: (0); 2: (0)");
    check("n <- AVG x p(x)", log, "0: (0); 1: (0); 2: (-0.5)");
    check("n <- MED y r(x, y)", log, "0: (5); 1: (0); 2: (0)");
    check("n <- MED x p(x)", log, "0: (0); 1: (0); 2: (-0.5)");
    check("n <- MED x d(x)", log, "0: (0); 1: (1.25); 2: (0)");
    check("n <- MAX x s(x)", log, "0: (\"\"); 1: (\"b\"); 2: (\"\")");
    check("n <- MIN x s(x)", log, "0: (\"\"); 1: (\"a\"); 2: (\"\")");
    check("n <- SUM x d(x)", log, "0: (0); 1: (2.5); 2: (0)");
    check("n <- MIN x p(x)", log, "0: (0); 1: (0); 2: (-3)");
    check("y <- SUM x; x r(x, _)", log, "0: (1,1) (2,2) (3,3)");
    check("x <- MAX x p(x)", log, "0: (0); 1: (0); 2: (2)");
    check("p(n) AND (n <- CNT x p(x))", log, "2: (2)");
}

#[test]
fn terms() {
    let log = "@0 p(-7) d(-2.5);";
    check("p(x) AND y = x / 2", log, "0: (-7,-3)");
    check("p(x) AND y = x MOD 4", log, "0: (-7,-3)");
    check("p(x) AND i2f(x) / 2.0 = y", log, "0: (-7,-3.5)");
    check("d(x) AND f2i(x) = y", log, "0: (-2.5,-2)");
    check("d(x) AND x * x > 6.0", log, "0: (-2.5)");
    check("p(x) AND y = 3 - -x * 2", log, "0: (-7,-11)");
    check("p(x) AND y = x + 9223372036854775807 + 9", log, "0: (-7,9.22337e+18)");
    check("p(x) AND y = 1 / (x + 7)", log, "division by zero in `(1 / (x + 7))`");
}

#[test]
fn names() {
    let log = "@0 r(1,2) q(2); @1 p(3);";
    // What LET names hides the predicate of the signature, and sees what it hides.
    check("LET p(x) = q(x) IN p(x)", log, "0: (2)");
    check("LET p(x) = p(x) OR q(x) IN p(x)", log, "0: (2); 1: (3)");
    check("LET t(y, x) = r(x, y) IN t(2, x)", log, "0: (1)");
    check("LET t(y, x) = r(x, y) IN EXISTS y. t(x, y) AND NOT t(y, x)", log, "0: (2)");
    check("LET t(x) = ONCE p(x) IN LET u(x) = t(x) AND NOT q(x) IN NEXT u(x)", log, "0: (3); 1: (3)");
    check("LET t(x) = p(x) IN LET p(x) = q(x) IN t(x)", log, "1: (3)");
    check("(EXISTS x. p(x)) AND NOT (EXISTS x. q(x))", log, "1: ()");
    check("r(x, _) AND EXISTS x. q(x)", log, "0: (1)");
}
