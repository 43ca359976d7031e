//! Small formulas and facts, written by hand.
use hamsaya_monitor::*;

/// Variables are single words; text in quotes is a value.
pub fn term(text: &str) -> Term {
    let text = text.trim();
    if text == "_" {
        Term::Any
    } else if let Ok(number) = text.parse::<i64>() {
        Term::Const(Value::Int(number))
    } else if let Some(quoted) = text.strip_prefix('"') {
        Term::Const(Value::text(quoted.trim_end_matches('"')))
    } else {
        Term::Var(text.into())
    }
}

/// `name(x, y)`.
pub fn atom(text: &str) -> Formula {
    let (name, args) = text.split_once('(').expect("name(args)");
    let args = args.trim_end_matches(')');
    let args = if args.trim().is_empty() { Vec::new() } else { args.split(',').map(term).collect() };
    Formula::Atom { name: name.into(), args }
}

pub fn and<const N: usize>(parts: [Formula; N]) -> Formula {
    Formula::And(parts.to_vec())
}

pub fn or<const N: usize>(parts: [Formula; N]) -> Formula {
    Formula::Or(parts.to_vec())
}

pub fn not(f: Formula) -> Formula {
    Formula::Not(Box::new(f))
}

pub fn eventually(to: i64, f: Formula) -> Formula {
    Formula::Eventually(Window::new(0, to), Box::new(f))
}

pub fn once(f: Formula) -> Formula {
    Formula::Once(Window::unbounded(0), Box::new(f))
}

pub fn exists(name: &str, f: Formula) -> Formula {
    Formula::Exists(vec![name.into()], Box::new(f))
}

pub fn rule(name: &str, opens: Formula, key: &str, must: Formula) -> Rule {
    let key = key.split(' ').filter(|k| !k.is_empty()).map(Into::into).collect();
    Rule { name: name.into(), opens, key, since: None, must, lapses: None }
}

/// All columns are text, unless the name of the predicate ends in `_n`: then the last is an int.
pub fn signature(list: &[(&str, usize)]) -> Signature {
    list.iter()
        .map(|(name, width)| {
            let mut types = vec![Type::Text; *width];
            if name.ends_with("_n") {
                types[width - 1] = Type::Int;
            }
            ((*name).into(), types)
        })
        .collect()
}

/// A fact from `name(values)`.
pub fn fact(text: &str, from: i64, to: i64, admitted: bool) -> Fact {
    let (name, args) = text.split_once('(').expect("name(args)");
    let args = args.trim_end_matches(')');
    let value = |text: &str| match text.trim().parse::<i64>() {
        Ok(number) => Value::Int(number),
        Err(_) => Value::text(text.trim()),
    };
    let args = if args.trim().is_empty() { Vec::new() } else { args.split(',').map(value).collect() };
    Fact { predicate: name.into(), args, from, to, admitted }
}

pub fn event(text: &str, at: i64) -> Fact {
    fact(text, at, at, true)
}

#[test]
fn the_example_of_the_design() {
    let h = 3600;
    let must = eventually(24 * h, or([atom("ok(q)"), and([atom("refused(q)"), eventually(72 * h, atom("offer(q)"))])]));
    let rules = Rules { definitions: vec![], rules: vec![rule("access", atom("req(q)"), "q", must)] };
    let signature = signature(&[("req", 1), ("ok", 1), ("refused", 1), ("offer", 1)]);
    let mut monitor = Monitor::new(&rules, &signature).unwrap();
    monitor.insert(FactId::new("1"), event("req(Q)", 24 * h)).unwrap();
    monitor.advance(30 * h);
    assert_eq!(monitor.relation()[0].due, Some(48 * h));
    monitor.insert(FactId::new("2"), event("refused(Q)", 47 * h)).unwrap();
    monitor.advance(47 * h);
    assert_eq!((monitor.relation()[0].state, monitor.relation()[0].due), (State::Pending, Some(119 * h)));
    assert_eq!(monitor.next_change(47 * h), Some(119 * h));
    monitor.insert(FactId::new("3"), event("offer(Q)", 100 * h)).unwrap();
    let deltas = monitor.advance(200 * h);
    assert_eq!(deltas.len(), 1);
    let now = &monitor.relation()[0];
    assert_eq!((now.state, now.due, now.kept_at), (State::Kept, Some(119 * h), Some(100 * h)));
    monitor.withdraw(FactId::new("3"));
    monitor.advance(200 * h);
    let now = &monitor.relation()[0];
    assert_eq!((now.state, now.due, now.breached_since), (State::Breached, Some(119 * h), Some(119 * h)));
}
