//! The shared conformance vectors: two reference monitors agreed on each verdict.
//!
//! They lie beside the repository and are no part of it; where they are not at hand the tests say so and pass.
use crate::points::naive::{Held, Moment, Naive, columns, moments};
use hamsaya_monitor::*;
use serde_json::Value as Json;

/// One file of cases.
fn cases(file: &str) -> Option<Vec<Json>> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors/monitor").join(file);
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: {} is not there", path.display());
        return None;
    };
    Some(text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect())
}

fn text<'a>(case: &'a Json, field: &str) -> &'a str {
    case[field].as_str().unwrap_or_else(|| panic!("{field} in {case}"))
}

/// Whether a value is what a monitor printed; floats came from a print with six digits.
fn same(value: &Value, printed: &Json) -> bool {
    match value {
        Value::Int(number) => printed.as_i64() == Some(*number),
        Value::Text(text) => printed.as_str() == Some(text),
        Value::Decimal(ratio) => {
            let (exact, printed) = (ratio.over() as f64 / ratio.under() as f64, printed.as_f64().unwrap());
            (exact - printed).abs() <= 1e-5 * exact.abs()
        }
    }
}

/// What differs between what was found and what the vectors say, if anything does.
fn difference(found: &Held, expected: &Json) -> Option<String> {
    let mut left = found.clone();
    for verdict in expected.as_array().unwrap() {
        let at = verdict["time_point"].as_u64().unwrap() as u32;
        let tuples = left.remove(&at).unwrap_or_default();
        let wanted = verdict["tuples"].as_array().unwrap();
        let fits = |tuple: &Vec<Value>, wanted: &Json| {
            let wanted = wanted.as_array().unwrap();
            tuple.len() == wanted.len() && tuple.iter().zip(wanted).all(|(value, printed)| same(value, printed))
        };
        if tuples.len() != wanted.len() || wanted.iter().any(|w| !tuples.iter().any(|tuple| fits(tuple, w))) {
            return Some(format!("time-point {at}\n  found    {tuples:?}\n  expected {wanted:?}"));
        }
    }
    left.into_iter().next().map(|(at, tuples)| format!("time-point {at}\n  found    {tuples:?}\n  expected nothing"))
}

/// A case's formula and signature.
fn parsed(case: &Json) -> (Formula, Signature) {
    let signature = parse_signature(text(case, "signature")).expect("a signature");
    (parse_formula(text(case, "formula")).expect("a formula"), signature)
}

fn log(case: &Json, field: &str, signature: &Signature) -> Vec<Moment> {
    moments(text(case, field), signature)
}

/// A log with the changes of a revision case made to it.
fn revised(case: &Json, mut log: Vec<Moment>, signature: &Signature) -> Vec<Moment> {
    for change in case["changes"].as_array().unwrap() {
        let event = moments(&format!("@0 {};", text(change, "event")), signature).remove(0).events.pop_first().unwrap();
        let events = &mut log[change["time_point"].as_u64().unwrap() as usize].events;
        match text(change, "op") {
            "insert" => assert!(events.insert(event), "{change}"),
            _ => assert!(events.remove(&event), "{change}"),
        }
    }
    log
}

/// Checks one log of each case, and says which cases differ.
fn check(cases: &[Json], mut differs: impl FnMut(&Json) -> Option<String>) {
    let said: Vec<String> = cases
        .iter()
        .filter_map(|case| differs(case).map(|said| format!("{} {}\n{said}", text(case, "id"), text(case, "formula"))))
        .collect();
    println!("{} of {} cases agree", cases.len() - said.len(), cases.len());
    assert!(said.is_empty(), "{} differ\n{}", said.len(), said.join("\n"));
}

#[test]
fn the_naive_evaluator_gives_the_accepted_verdicts() {
    let Some(cases) = cases("monitor-accepted.jsonl") else { return };
    assert_eq!(cases.len(), 600);
    let mut guessed = 0;
    check(&cases, |case| {
        let (formula, signature) = parsed(case);
        let names: Vec<&str> = case["free_variables"].as_array().unwrap().iter().map(|n| n.as_str().unwrap()).collect();
        let order = columns(&formula);
        if order.iter().map(|name| &**name).ne(names.iter().copied()) {
            return Some(format!("columns {order:?}, expected {names:?}"));
        }
        let naive = Naive::new(&formula, &signature, &log(case, "log", &signature));
        let held = naive.held().expect("no division by zero");
        guessed += usize::from(naive.guessed());
        difference(&held, &case["verdicts"])
    });
    assert_eq!(guessed, 0, "every variable is listed");
}

#[test]
fn the_naive_evaluator_gives_the_revised_verdicts() {
    let Some(cases) = cases("monitor-revision.jsonl") else { return };
    assert_eq!(cases.len(), 40);
    check(&cases, |case| {
        let (formula, signature) = parsed(case);
        let before = log(case, "log_before", &signature);
        let after = revised(case, before.clone(), &signature);
        assert_eq!(after, log(case, "log", &signature));
        let held = |log: &[Moment]| Naive::new(&formula, &signature, log).held().expect("no division by zero");
        difference(&held(&before), &case["verdicts_before"]).or_else(|| difference(&held(&after), &case["verdicts"]))
    });
}

/// An engine that was told a log, and what it says holds.
fn engine(case: &Json, log: &[Moment]) -> Result<Points, String> {
    let (formula, signature) = parsed(case);
    let mut points = Points::new(&formula, &signature).map_err(|refusal| refusal.to_string())?;
    for moment in log {
        let point = points.begin(moment.stamp).expect("a point");
        moment.events.iter().for_each(|(name, args)| assert!(points.insert(point, name, args).expect("a fact")));
    }
    points.finish().expect("an end");
    Ok(points)
}

fn held(verdicts: Vec<PointVerdict>) -> Held {
    verdicts.into_iter().map(|verdict| (verdict.point, verdict.tuples.into_iter().collect())).collect()
}

#[test]
fn the_engine_gives_the_accepted_verdicts() {
    let Some(cases) = cases("monitor-accepted.jsonl") else { return };
    check(&cases, |case| {
        let (_, signature) = parsed(case);
        let mut points = match engine(case, &log(case, "log", &signature)) {
            Ok(points) => points,
            Err(refusal) => return Some(refusal),
        };
        let names: Vec<Json> = points.columns().iter().map(|name| Json::from(&**name)).collect();
        let types: Vec<Json> = points.types().iter().map(|kind| Json::from(kind.to_string())).collect();
        if (&Json::from(names.clone()), &Json::from(types.clone()))
            != (&case["free_variables"], &case["free_variable_types"])
        {
            return Some(format!("columns {names:?} of types {types:?}"));
        }
        difference(&held(points.relation().expect("no division by zero")), &case["verdicts"])
    });
}

#[test]
fn the_engine_gives_the_revised_verdicts() {
    let Some(cases) = cases("monitor-revision.jsonl") else { return };
    check(&cases, |case| {
        let (_, signature) = parsed(case);
        let mut points = engine(case, &log(case, "log_before", &signature)).expect("a formula that is taken");
        let before = held(points.relation().expect("no division by zero"));
        points.changes().expect("no division by zero");
        for change in case["changes"].as_array().unwrap() {
            let event = format!("@0 {};", text(change, "event"));
            let (name, args) = moments(&event, &signature).remove(0).events.pop_first().unwrap();
            let point = change["time_point"].as_u64().unwrap() as u32;
            let done = match text(change, "op") {
                "insert" => points.insert(point, &name, &args),
                _ => points.withdraw(point, &name, &args),
            };
            assert!(done.expect("a fact"), "{change}");
        }
        let mut now = before.clone();
        for delta in points.changes().expect("no division by zero") {
            let tuples = now.entry(delta.point).or_default();
            assert!(delta.gone.iter().all(|tuple| tuples.remove(tuple)));
            assert!(delta.come.into_iter().all(|tuple| tuples.insert(tuple)));
        }
        now.retain(|_, tuples| !tuples.is_empty());
        let after = held(points.relation().expect("no division by zero"));
        assert_eq!(now, after);
        difference(&before, &case["verdicts_before"]).or_else(|| difference(&after, &case["verdicts"]))
    });
}

#[test]
fn the_engine_refuses_what_must_be() {
    let Some(cases) = cases("monitor-refused.jsonl") else { return };
    assert_eq!(cases.len(), 60);
    check(&cases, |case| {
        let (formula, signature) = parsed(case);
        let refused = Points::new(&formula, &signature).err();
        let said = refused.map(|refusal| refusal.0.into_iter().map(|one| one.found).collect::<Vec<_>>().join("; "));
        let words = match text(case, "refused") {
            "unsafe" => "is not bound",
            "unbounded_future" => "without end",
            "type_error" => "on one side",
            "unknown_predicate" => "no predicate",
            _ => "columns",
        };
        match said {
            Some(said) if said.contains(words) => None,
            said => Some(format!("{}: {}", text(case, "refused"), said.as_deref().unwrap_or("taken"))),
        }
    });
}
