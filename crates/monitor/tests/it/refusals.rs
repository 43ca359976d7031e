//! What is refused, and in which words.
use crate::cases::*;
use hamsaya_monitor::*;

fn refused(rules: Rules) -> String {
    let signature = signature(&[("p", 1), ("q", 1), ("r", 2), ("n_n", 1)]);
    match Monitor::new(&rules, &signature) {
        Ok(_) => "taken".to_string(),
        Err(diagnostics) => {
            diagnostics.0.iter().map(|d| format!("{}: {}", d.place, d.found)).collect::<Vec<_>>().join("; ")
        }
    }
}

fn one(opens: Formula, key: &str, must: Formula) -> String {
    refused(Rules { definitions: vec![], rules: vec![rule("C1", opens, key, must)] })
}

fn breached(rule: &str) -> Formula {
    Formula::Breached { rule: rule.into(), args: vec![] }
}

#[test]
fn each_reason_is_named() {
    let p = || atom("p(x)");
    let check = |found: String, expected: &str| assert_eq!(found, expected);
    check(one(p(), "x", atom("q(x)")), "taken");
    check(
        one(p(), "x", atom("q(y)")),
        "C1: variable `y` is free but not in the key of the rule; C1: taken".split(';').next().unwrap(),
    );
    check(one(not(p()), "x", atom("q(x)")), "C1: variable `x` is not bound in `NOT p(x)`");
    check(one(p(), "x", atom("qq(x)")), "C1: `qq` is neither a predicate nor a definition");
    check(one(p(), "x", atom("r(x)")), "C1: `r(x)` has 1 columns");
    check(one(p(), "x", atom("n_n(x)")), "C1: `x` in `n_n(x)` is a text");
    check(one(p(), "x", atom("q(3)")), "C1: `3` in `q(3)` is a int");
    check(one(p(), "x", eventually(-1, atom("q(x)"))), "C1: the window [0,0) of `EVENTUALLY[0,0) q(x)` is empty");
    check(one(eventually(3, p()), "x", atom("q(x)")), "C1: `EVENTUALLY[0,3] p(x)` looks ahead");
    check(one(p(), "x", once(eventually(3, p()))), "C1: `EVENTUALLY[0,3] p(x)` looks ahead");
    check(
        one(p(), "x", exists("z", eventually(3, not(atom("q(z)"))))),
        "C1: variable `z` is not bound in `(EXISTS z. EVENTUALLY[0,3] NOT q(z))`",
    );
    check(one(breached("C1"), "", atom("q(_)")), "C1: reads itself: `C1` -> `C1`");
    check(
        one(atom("r(x, y)"), "x", atom("q(x)")),
        "C1: variable `y` is free but not in the key (project it with EXISTS)",
    );
    check(one(p(), "x y", atom("q(x)")), "C1: variable `y` does not occur in the formula");
    let a = Definition { name: "a".into(), params: vec!["x".into()], body: and([p(), not(atom("b(x)"))]) };
    let b = Definition { name: "b".into(), params: vec!["x".into()], body: and([p(), atom("a(x)")]) };
    check(refused(Rules { definitions: vec![a, b], rules: vec![] }), "a: reads itself: `a` -> `b` -> `a`");
}

#[test]
fn deep_formulas_are_refused_or_evaluated() {
    let deep =
        |n: usize| (0..n).fold(atom("p(x)"), |f, _| Formula::Once(Window::new(0, 1), Box::new(and([atom("p(x)"), f]))));
    assert_eq!(one(atom("p(x)"), "x", deep(120)), "C1: the formula nests deeper than 200");
    let must = deep(95);
    let rules = Rules { definitions: vec![], rules: vec![rule("C1", must.clone(), "x", eventually(5, must))] };
    let mut monitor = Monitor::new(&rules, &signature(&[("p", 1)])).unwrap();
    for t in 0..10 {
        monitor.insert(FactId::new(format!("{t}")), event("p(A)", t)).unwrap();
    }
    monitor.advance(20);
    let key = monitor.relation()[0].key.clone();
    assert!(monitor.explain(&key).is_some());
    // A formula that nobody should write is dropped without recursion being asked for: it is never compiled.
    let endless = (0..3_000).fold(atom("p(x)"), |f, _| not(f));
    assert!(one(atom("p(x)"), "x", endless).contains("nests deeper"));
    // Definitions that stand on each other count together.
    let chain = (0..210)
        .map(|i| Definition {
            name: format!("d{i:03}").into(),
            params: vec!["x".into()],
            body: if i == 0 { atom("p(x)") } else { atom(&format!("d{:03}(x)", i - 1)) },
        })
        .collect();
    assert_eq!(
        refused(Rules { definitions: chain, rules: vec![] }),
        "d200: with the definitions it reads it nests deeper than 200"
    );
}

#[test]
fn facts_that_do_not_fit() {
    let opens = and([atom("p(x)"), Formula::Ts(term("t"))]);
    let rules = Rules { definitions: vec![], rules: vec![rule("C1", opens, "x t", atom("q(x)"))] };
    let mut monitor = Monitor::new(&rules, &signature(&[("p", 1), ("q", 1), ("n_n", 1)])).unwrap();
    let mut tell = |id: &str, fact: Fact| match monitor.insert(FactId::new(id), fact) {
        Ok(()) => "taken".to_string(),
        Err(diagnostics) => diagnostics.0[0].found.clone(),
    };
    assert_eq!(tell("1", event("p(A)", 5)), "taken");
    assert_eq!(tell("1", event("p(A)", 5)), "taken");
    assert_eq!(tell("1", event("p(B)", 5)), "id `1` already names another fact");
    assert_eq!(tell("2", event("s(B)", 5)), "fact `2` is of `s`, which is no predicate");
    assert_eq!(tell("3", event("p(7)", 5)), "fact `3` is p(7)");
    assert_eq!(tell("4", event("n_n(A)", 5)), "fact `4` is n_n(\"A\")");
    assert_eq!(tell("5", fact("q(A)", 5, 4, true)), "fact `5` holds from 5 to 4, which is no instant");
    assert_eq!(tell("6", fact("p(A)", 5, 6, true)), "fact `6` holds from 5 to 6");
}

#[test]
fn far_instants_saturate() {
    let until = Formula::Until(Window::unbounded(0), Box::new(not(atom("q(x)"))), Box::new(once(atom("q(x)"))));
    let must = or([
        eventually(i64::MAX, atom("q(x)")),
        until,
        Formula::Always(Window::new(i64::MAX - 1, i64::MAX), Box::new(atom("q(x)"))),
    ]);
    let rules = Rules { definitions: vec![], rules: vec![rule("C1", atom("p(x)"), "x", must)] };
    let mut monitor = Monitor::new(&rules, &signature(&[("p", 1), ("q", 1)])).unwrap();
    for (i, at) in [i64::MIN + 1, -1, 0, i64::MAX - 1].into_iter().enumerate() {
        monitor.insert(FactId::new(format!("{i}")), event("p(A)", at)).unwrap();
        monitor.insert(FactId::new(format!("q{i}")), event("q(A)", at)).unwrap();
    }
    for at in [i64::MIN, i64::MIN + 1, 0, i64::MAX - 1, i64::MAX] {
        monitor.advance(at);
        for key in monitor.relation().iter().map(|i| i.key.clone()).collect::<Vec<_>>() {
            monitor.explain(&key);
        }
        monitor.next_change(at);
    }
}

/// Each refusal over time-points, with the line and column that it is about.
#[test]
fn a_refusal_stands_where_it_is_in_the_formula() {
    let signature = parse_signature("p(int) q(int) r(int, string)").unwrap();
    let check = |text: &str, expected: &str| {
        let formula = parse_formula(text).unwrap();
        let found = Points::new(&formula, &signature).expect_err(text).0[0].found.clone();
        let (line, column) = place_of(text, &found).unwrap_or_else(|| panic!("{text}: {found}"));
        assert_eq!(format!("{line}:{column} {found}"), expected);
    };
    check("p(x)\n  AND NOT q(y)", "2:13 variable `y` is not bound in `NOT q(y)`");
    check("p(x) AND y > x", "1:10 variable `y` is not bound in `y > x`");
    check("p(x) OR\nq(y)", "2:3 variable `y` is not bound in `(p(x) OR q(y))`");
    check("p(x) AND\n qq(x)", "2:2 no predicate `qq`");
    check("LET rr(x) = p(x) AND rr(x) IN rr(x)", "1:22 no predicate `rr`");
    check("p(q) AND EXISTS q. qq(q)", "1:20 no predicate `qq`");
    check("p(x) AND NOT\n\tq(x, x)", "2:2 `q(x, x)` has 2 columns");
    check("p(x) AND r(x, 3)", "1:10 column 2 of `r(x, 3)`: string on one side, int on the other");
    check("p(x) AND x = \"a\"", "1:10 `x = \"a\"`: int on one side, string on the other");
    check("p(x) AND\nNOT EVENTUALLY q(x)", "2:5 `EVENTUALLY[0,*) q(x)` looks ahead without end");
    check("p(x) AND (p(x) UNTIL q(x))", "1:11 `(p(x) UNTIL[0,*) q(x))` looks ahead without end");
    check(
        "p(s) AND\ns <- SUM y; z r(x, y)",
        "2:13 `z` does not occur free in the formula of `(s <- SUM y; z r(x, y))`",
    );
    check("s <- SUM y; x r(x, y)", "1:1 SUM of texts in `(s <- SUM y; x r(x, y))`");
    check("LET a(x) = r(x, y) IN a(x)", "1:17 LET `a` leaves `y` free");
    check("p(x) AND\n ts(x)", "2:2 `ts(x)` belongs to the clock domain");
}
