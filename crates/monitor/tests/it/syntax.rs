//! MonPoly's syntax, and where formulas by themselves hold.
use crate::random::Chance;
use hamsaya_monitor::*;

fn held(signature: &str, formula: &str, log: &str) -> String {
    let signature = parse_signature(signature).unwrap();
    let formula = match parse_formula(formula) {
        Ok(formula) => formula,
        Err(error) => return error.to_string(),
    };
    let facts: Vec<Fact> = match parse_log(log, &signature) {
        Ok(points) => points.iter().flat_map(LogPoint::facts).collect(),
        Err(error) => return error.to_string(),
    };
    match evaluate(&formula, &signature, &facts) {
        Ok(table) => format!("{}\n{table}", table.columns.join(",")).trim_end().to_string(),
        Err(diagnostics) => diagnostics.0[0].found.clone(),
    }
}

#[test]
fn formulas_by_themselves() {
    let check = |formula: &str, expected: &str| {
        let log = "@0 p(1,\"a\") (2,b);\n@3 q(1)\n@10 p(1, \"a\") ; @12 q(2);";
        assert_eq!(held("p(int,string) q(x:int)", formula, log), expected, "{formula}");
    };
    check("p(x, y)", "x,y\n(1,\"a\"): [0,0] [10,10]\n(2,\"b\"): [0,0]");
    check("q(x) AND ONCE[0,5] p(x, _)", "x\n(1): [3,3]");
    check("p(x,_) AND NOT EVENTUALLY(0,2m) q(x)", "x\n(1): [10,10]");
    check("EXISTS x. q(x)", "\n(): [3,3] [12,12]");
    check("NOT (EXISTS x. q(x))", "\n(): (*,2] [4,11] [13,*)");
    check("(NOT p(x,\"a\")) UNTIL[0,2] q(x)", "x\n(1): [1,3]\n(2): [10,12]");
    check("p(x,_) SINCE q(x)", "x\n(1): [3,3]\n(2): [12,12]");
    check("q(x) AND x > 1", "x\n(2): [12,12]");
    check("(q(x) AND y = (x + 1) * 2) AND NOT y < 5", "x,y\n(2,6): [12,12]");
    check("FORALL x. (q(x) IMPLIES x = 1)", "\n(): (*,11] [13,*)");
    check("TRUE", "\n(): (*,*)");
    check("FALSE", "");
    check("q(d) AND ONCE[0,d] (EXISTS x. q(x))", "d\n(1): [3,3]\n(2): [12,12]");
    check("DUR[0,100] (EXISTS x. q(x)) >= 2", "\n(): [12,103]");
    check("q(x) AND ts(t)", "x,t\n(1,3): [3,3]\n(2,12): [12,12]");
    check("NOT q(x)", "variable `x` is not bound in `NOT q(x)`");
    check("ONCE q(x) AND", "line 1, column 14: found the end, expected a formula");
    check("PREVIOUS q(x)", "`PREVIOUS[0,*) q(x)` belongs to the points domain");
    check("c <- CNT x q(x)", "`(c <- CNT x q(x))` belongs to the points domain");
    check("LET r(x) = q(x) IN r(x)", "`(LET r(x) = q(x) IN r(x))` belongs to the points domain");
    check("q(x) AND\n  x / 2 = 1", "`(x / 2)` belongs to the points domain");
    check("q(x) AND i2f(x) = 1.5", "`i2f(x)` belongs to the points domain");
    check("q(x) AND x = 1.5", "`1.5` belongs to the points domain");
    check(
        "LETPAST r(x) = q(x) IN r(x)",
        "line 1, column 1: found `LETPAST`, expected LET: recursive definitions are not read",
    );
    check("c <- TOP x q(x)", "line 1, column 6: found `TOP`, expected CNT, SUM, MIN, MAX, AVG or MED");
    let empty = "which is empty, expected an end that is not before its beginning";
    check("ONCE[3,2] q(x)", &format!("line 1, column 5: found the window `[3,2]`, {empty}"));
    check("ONCE (5,6) q(x)", &format!("line 1, column 6: found the window `(5,6)`, {empty}"));
    check("", "line 1, column 1: found the end, expected a formula");
    check("q(x", "line 1, column 4: found the end, expected `,` or `)`");
    check("AVG q(x)", "line 1, column 1: found `AVG`, expected a result and `<-` before it, e.g. `m <- AVG x p(x)`");
    check(
        "m <- AVG q(x)",
        "line 1, column 13: found `)`, expected a comparison: = != < <= > >=, or the variable that is aggregated \
         before the formula: `m <- AVG x p(x)`",
    );
}

#[test]
fn what_is_shown_reads_back() {
    let check = |text: &str, shown: &str| {
        let formula = parse_formula(text).unwrap();
        assert_eq!(formula.to_string(), shown);
        assert_eq!(parse_formula(shown).as_ref(), Ok(&formula), "{shown}");
    };
    check("(ONCE p(x)) AND q(x)", "((ONCE[0,*) p(x)) AND q(x))");
    check("(NOT ONCE p(x)) OR NEXT q(x)", "((NOT ONCE[0,*) p(x)) OR NEXT[0,*) q(x))");
    check("(LET r(x) = q(x) IN r(x)) AND p(x)", "((LET r(x) = q(x) IN r(x)) AND p(x))");
    check("(ONCE p(x)) SINCE ALWAYS[0,1] q(x)", "(ONCE[0,*) p(x) SINCE[0,*) ALWAYS[0,1] q(x))");
    check("d(x) AND x > -2.50 AND x < 1234567.125", "(d(x) AND x > -2.5 AND x < 1234567.125)");
    check("d(x) AND x = 1.5e20", "(d(x) AND x = 150000000000000000000.0)");
    check("DUR[0,9] ((x + 1) * 2 = y) >= 3", "DUR[0,9] (((x + 1) * 2) = y) >= 3");
    check("x = -9223372036854775808", "x = -9223372036854775808");
    check("(p(_) SINCE[0,*) -1 = 1)", "(p(_) SINCE[0,*) -1 = 1)");
    check("(p(_) UNTIL (3,5] (1 - x) = 1)", "(p(_) UNTIL[4,5] (1 - x) = 1)");
    check("x = y - -z MOD 2", "x = (y - ((0 - z) MOD 2))");
}

#[test]
fn logs() {
    let check = |log: &str, expected: &str| assert_eq!(held("p(int,string) q(int)", "q(x)", log), expected, "{log}");
    check("# nothing\n", "x");
    check("@-5 q(-1)", "x\n(-1): [-5,-5]");
    check("@1 q(1) @2 q(1);", "x\n(1): [1,2]");
    check("q(1)", "line 1, column 1: found `q`, expected `@` and a stamp");
    check("@x q(1)", "line 1, column 1: found `@x`, expected `@` and a stamp in seconds");
    check("@1 r(1)", "line 1, column 4: found `r`, expected a predicate of the signature");
    check("@1 q(1,2)", "line 1, column 8: found one more value, expected 1 columns");
    check("@1\n p(1)", "line 2, column 5: found `)`, expected `,`");
    check("@1 q(\"1\")", "line 1, column 6: found \"1\", expected a whole number");
    check("@1 p(1,\"x", "line 1, column 8: found a text that does not end, expected a closing `\"`");
    check("@1 q", "line 1, column 5: found the end, expected `(`");
}

#[test]
fn no_input_panics() {
    let words = [
        "(",
        ")",
        "[",
        "]",
        ",",
        ".",
        ";",
        "@",
        "\"",
        "NOT ",
        "AND ",
        "OR ",
        "SINCE",
        "UNTIL",
        "ONCE",
        "[0,5]",
        "(1,*)",
        "EXISTS x.",
        "x",
        "p(x)",
        "1",
        "1h",
        "=",
        "<=",
        "-",
        "+",
        "_",
        "EQUIV ",
        "IMPLIES ",
        "FORALL y. ",
        "DUR[0,1] ",
        ">= ",
        "پوسته",
        "int",
        "string",
        "\n",
        "#",
        "(*",
        "*)",
        "9999999999999999999",
        "ALWAYS",
        "@1 ",
        "q(",
        "<-",
        "!",
        "é",
    ];
    let signature = parse_signature("p(int) q(int,string)").unwrap();
    for seed in 0..20_000 {
        let mut chance = Chance::new(seed);
        let text: String = (0..chance.below(25)).map(|_| chance.of(&words)).collect();
        let _ = parse_signature(&text);
        let _ = parse_log(&text, &signature);
        if let Ok(formula) = parse_formula(&text) {
            let _ = evaluate(&formula, &signature, &[]);
        }
    }
    for open in ["(", "NOT ", "ONCE ", "EXISTS x. ", "p(x) SINCE ", "TRUE IMPLIES ", "-", "(x+", "DUR[0,1] "] {
        let deep = open.repeat(100_000);
        assert!(parse_formula(&deep).is_err());
        assert!(parse_formula(&format!("x = {deep}1")).is_err());
    }
    let _ = parse_formula(&"p(x) AND ".repeat(100_000));
}
