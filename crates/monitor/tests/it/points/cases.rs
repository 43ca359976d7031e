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
fn a_row_that_leaves_the_default_was_told_of_its_changes() {
    // What the default became and the row's leaving it came in one round, so that nobody was told of the row.
    check("(x = 5) AND ALWAYS[1,1] ((x = 5) AND (ALWAYS[1,1] (x = 6)))", "@0;", "0: (5)");
    check("(x = 5) AND ALWAYS[1,2] ((x = 5) AND (ALWAYS[1,2] (x = 6)))", "@0;", "0: (5)");
    check("p(x) AND ALWAYS[1,1] (p(x) AND (ALWAYS[1,1] q(x)))", "@0 p(5); @9;", "0: (5)");
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
fn a_term_without_a_value_goes_with_the_facts_that_cause_it() {
    let signature = parse_signature("p(int)").unwrap();
    let mut points = Points::new(&parse_formula("p(x) AND y = 6 / x").unwrap(), &signature).unwrap();
    let insert = |points: &mut Points, point, x| points.insert(point, "p", &[Value::Int(x)]).unwrap();
    let shown = |points: &mut Points| match points.changes() {
        Ok(changes) => changes.iter().map(|c| format!("{}: -{:?} +{:?}", c.point, c.gone, c.come)).collect::<String>(),
        Err(error) => error.to_string(),
    };
    assert_eq!(points.begin(5), Ok(0));
    assert!(insert(&mut points, 0, 3) && !insert(&mut points, 0, 3) && insert(&mut points, 0, 0));
    let fault = "division by zero in `(6 / x)` at stamp 5 (time point 0); the formula has no value there";
    assert_eq!(shown(&mut points), fault);
    assert_eq!(points.begin(7), Ok(1));
    insert(&mut points, 1, 2);
    assert_eq!(shown(&mut points), fault);
    assert_eq!(points.withdraw(0, "p", &[Value::Int(0)]), Ok(true));
    assert_eq!(points.withdraw(0, "p", &[Value::Int(0)]), Ok(false));
    assert_eq!(shown(&mut points), "0: -[] +[[Int(3), Int(2)]]1: -[] +[[Int(2), Int(3)]]");
    points.finish().unwrap();
    insert(&mut points, 1, 0);
    assert!(shown(&mut points).contains("at stamp 7 (time point 1)"));
    points.withdraw(1, "p", &[Value::Int(0)]).unwrap();
    assert_eq!(shown(&mut points), "");
    // The sum is what it is, not what it was on the way; and it is back as soon as it fits.
    let mut points =
        Points::new(&parse_formula("n <- SUM x; y r(x, y)").unwrap(), &parse_signature("r(int,int)").unwrap());
    let points = points.as_mut().unwrap();
    let mut log = LogReader::default();
    let large = i128::MAX - 1;
    let text = format!("@1 r({large},1) r(1,1) r(2,1) r(-7,1); @2 r({large},1) r(5,1); @3 r(5,1);");
    points.feed(&mut log, text.as_bytes(), true).unwrap();
    assert!(shown(points).starts_with("a sum of more than 127 bits at stamp 2 (time point 1)"), "{}", shown(points));
    points.withdraw(1, "r", &[Value::Int(5), Value::Int(1)]).unwrap();
    let ends: Vec<String> = points.relation().unwrap().iter().map(|v| v.tuples[0][0].to_string()).collect();
    assert_eq!(ends.len(), 3);
}

#[test]
fn a_stream_says_what_is_final_before_a_term_without_a_value() {
    let signature = parse_signature("p(int) q(int)").unwrap();
    let formula = parse_formula("q(x) OR (EXISTS y. (EVENTUALLY[0,2] p(y)) AND x = 6 / y)").unwrap();
    let mut points = Points::new(&formula, &signature).unwrap();
    points.stream(Some(0));
    let mut log = LogReader::default();
    points.feed(&mut log, b"@1 q(1);\n\n@4 q(2);\n@5 q(3);\n@7 p(0);\n@20 q(4);\n", true).unwrap();
    points.finish().unwrap();
    let mut out = Vec::new();
    points.write_final(&mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), "@1 (time point 0): (1)\n", "the second looks at the third");
    let fault = points.final_verdicts().unwrap_err();
    assert_eq!((fault.place, log.line_of(2)), (Some((2, 5)), Some(4)));
    assert_eq!(points.write_final(&mut Vec::new()), Err(fault));
}

#[test]
fn whole_numbers_of_64_bits_stay_whole() {
    let signature = parse_signature("p(int)").unwrap();
    let formula = parse_formula("p(x) AND NOT x = -9223372036854775808 AND y = x + 1").unwrap();
    let mut points = Points::new(&formula, &signature).unwrap();
    points.begin(0).unwrap();
    for x in [i64::MIN, i64::MAX, 1 << 62, (1 << 62) - 1] {
        points.insert(0, "p", &[Value::Int(x)]).unwrap();
    }
    let rows = points.relation().unwrap().remove(0).tuples;
    let large = Value::Decimal(Ratio::whole(i128::from(i64::MAX) + 1));
    let row = |x: i64, y: Value| vec![Value::Int(x), y];
    let half: i64 = 1 << 62;
    assert_eq!(rows, [row(half - 1, half.into()), row(half, (half + 1).into()), row(i64::MAX, large)]);
}

/// Texts that nothing holds any more are let go with the rows that held them.
#[test]
fn a_stream_of_new_texts_stays_small() {
    let signature = parse_signature("s(string, int) t(string)").unwrap();
    let formula = parse_formula("n <- CNT x; y (s(x, y) AND NOT ONCE[1,5] s(x, y))").unwrap();
    let mut points = Points::new(&formula, &signature).unwrap();
    points.stream(Some(0));
    let mut log = LogReader::default();
    let mut bytes = Vec::new();
    for stamp in 0..60_000 {
        let line = format!("@{stamp} s(\"the {stamp}th\",{}) t(\"of {stamp}\");\n", stamp % 7);
        points.feed(&mut log, line.as_bytes(), false).unwrap();
        if stamp % 100 == 99 {
            points.write_final(&mut Vec::new()).unwrap();
            bytes.push(points.bytes());
        }
    }
    let (early, late) = (bytes[..300].iter().max().unwrap(), bytes[300..].iter().max().unwrap());
    assert!(late < &(early + early / 4), "{early} bytes, later {late}");
}

/// Rows that are keys for each other do not hold each other for ever.
#[test]
fn a_stream_of_new_keys_stays_small() {
    let signature = parse_signature("p(int,int) q(int,int)").unwrap();
    for formula in [
        "p(x,y) AND NOT ONCE[1,5] p(y,x)",
        "(p(x,y) AND NOT ONCE[1,5] q(x,y)) OR (q(x,y) AND NOT EVENTUALLY[1,5] p(y,x))",
        "(NOT p(x,y)) SINCE[0,5] q(y,x)",
    ] {
        let mut points = Points::new(&parse_formula(formula).unwrap(), &signature).unwrap();
        points.stream(Some(0));
        let mut log = LogReader::default();
        let mut bytes = Vec::new();
        for stamp in 0..40_000 {
            let line = format!("@{stamp} p({stamp},7) p(7,{stamp}) q({stamp},7);\n");
            points.feed(&mut log, line.as_bytes(), false).unwrap();
            if stamp % 100 == 99 {
                points.write_final(&mut Vec::new()).unwrap();
                bytes.push(points.bytes());
            }
        }
        let (early, late) = (bytes[..200].iter().max().unwrap(), bytes[200..].iter().max().unwrap());
        assert!(late < &(early + early / 4), "{formula}: {early} bytes, later {late}");
    }
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

/// The right side of SINCE and UNTIL may be open-ended where something beside it binds its variables.
#[test]
fn open_ended_right_sides() {
    let log = "@0 p(1); @1 q(1) p(1) p(2); @2 p(1) q(2); @5 p(1) p(2) q(1); @9 p(2) q(2);";
    check("p(x) AND (p(x) SINCE[1,2] NOT q(x))", log, "1: (1) (2); 2: (1)");
    check("p(x) AND (p(x) UNTIL[1,4] NOT q(x))", log, "0: (1); 1: (1); 3: (1)");
    check("p(x) AND NOT (TRUE SINCE[0,0] NOT q(x))", log, "1: (1); 3: (1); 4: (2)");
    let refused = |formula: &str| {
        let found = Points::new(&parse_formula(formula).unwrap(), &parse_signature(SIGNATURE).unwrap());
        found.err().map(|refusal| refusal.0[0].found.clone())
    };
    assert_eq!(
        refused("p(x) AND (p(x) SINCE NOT q(y))").as_deref(),
        Some("variable `y` is not bound in `(p(x) SINCE[0,*) NOT q(y))`")
    );
    // Any later point might ask for it.
    assert_eq!(
        refused("p(x) AND (p(x) SINCE NOT q(x))").as_deref(),
        Some("variable `x` is not bound in `(p(x) SINCE[0,*) NOT q(x))`")
    );
    let formulas = [
        "p(x) AND (p(x) SINCE[0,3] NOT q(x))",
        "p(x) AND ((NOT q(x)) SINCE[1,4] NOT p(x))",
        "r(x, y) AND (p(x) UNTIL[0,3] NOT r(x, y))",
        "r(x, y) AND ((NOT p(y)) UNTIL[2,5] (NOT q(x) OR NOT p(y)))",
        "r(x, y) AND NOT (q(y) SINCE[0,4] NOT p(x))",
        "EXISTS y. (r(x, y) AND ((ONCE[0,2] p(x)) SINCE[0,5] (NOT ONCE[0,1] q(y))))",
        "p(x) AND (q(x) OR (q(x) UNTIL[0,6] NOT p(x)))",
        "q(x) AND (TRUE SINCE[0,9] (p(x) UNTIL[0,2] NOT q(x)))",
    ];
    let signature = parse_signature(SIGNATURE).unwrap();
    let (mut compared, mut held) = (0, 0);
    for formula in formulas {
        let parsed = parse_formula(formula).unwrap();
        for seed in 0..150 {
            let mut chance = crate::random::Chance::mixed(seed);
            let mut stamp = 0;
            let log: Vec<Moment> = (0..10)
                .map(|_| {
                    stamp += chance.of(&[0, 1, 1, 2, 4]);
                    let mut one = || Value::Int(chance.between(1, 2));
                    let mut events = std::collections::BTreeSet::from([("r".into(), vec![one(), one()])]);
                    events.extend(["p", "q"].map(|name| (name.into(), vec![one()])));
                    Moment { stamp, events: events.into_iter().filter(|_| chance.below(3) > 0).collect() }
                })
                .collect();
            let expected = Naive::new(&parsed, &signature, &log).held().unwrap();
            for asked in [false, true] {
                let mut points =
                    Points::new(&parsed, &signature).unwrap_or_else(|refusal| panic!("{formula}: {refusal}"));
                let verdicts = told(&mut points, &log, asked).unwrap();
                let found: Held = verdicts.into_iter().map(|v| (v.point, v.tuples.into_iter().collect())).collect();
                assert_eq!(text(&found), text(&expected), "{formula} {log:?}");
            }
            (compared, held) = (compared + 1, held + usize::from(!expected.is_empty()));
        }
    }
    println!("{compared} logs, {held} with verdicts");
}
