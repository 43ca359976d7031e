//! A year of cases: `cargo test --release -p hamsaya-monitor --test it speed -- --ignored --nocapture`.
use crate::cases::*;
use hamsaya_monitor::*;
use std::time::Instant as Clock;

const H: i64 = 3600;

fn year(cases: i64, heartbeats: i64) -> Monitor {
    let ack = eventually(6 * H, atom("ack(a, y)"));
    let access =
        eventually(24 * H, or([atom("ok(a)"), and([atom("refused(a)"), eventually(72 * H, atom("offer(a)"))])]));
    let quiet = not(eventually(72 * H, and([atom("claim(x, a)"), not(once(atom("lifted(a)")))])));
    let rules = Rules {
        definitions: vec![Definition {
            name: "lifted".into(),
            params: vec!["a".into()],
            body: or([
                Formula::Breached { rule: "ack".into(), args: vec![("a".into(), term("a"))] },
                and([atom("ok(a)"), not(atom("refused(a)"))]),
            ]),
        }],
        rules: vec![
            rule("ack", atom("lodged(a, x, y)"), "a x y", ack),
            rule("access", atom("lodged(a, x, y)"), "a", access).with_key_only(),
            rule("quiet", atom("lodged(a, x, y)"), "a x y", quiet),
            rule(
                "answer",
                or([
                    exists("y", atom("ack(a, y)")),
                    Formula::Breached { rule: "ack".into(), args: vec![("a".into(), term("a"))] },
                ]),
                "a",
                eventually(24 * H, atom("answered(a)")),
            ),
            rule(
                "alive",
                exists("x", exists("y", atom("lodged(a, x, y)"))),
                "a",
                Formula::Once(Window::new(0, H), Box::new(atom("beat(_)"))),
            ),
        ],
    };
    let predicates = [
        ("lodged", 3),
        ("ack", 2),
        ("ok", 1),
        ("refused", 1),
        ("offer", 1),
        ("claim", 2),
        ("answered", 1),
        ("beat", 1),
    ];
    let mut monitor = Monitor::new(&rules, &signature(&predicates)).unwrap();
    let mut next = 0;
    let mut tell = |text: String, at: i64, admitted: bool| {
        next += 1;
        monitor.insert(FactId::new(format!("{next:07}")), fact(&text, at, at, admitted)).unwrap();
    };
    for i in 0..cases {
        let (x, y, t) = (["P1", "P2"][i as usize % 2], ["P2", "P1"][i as usize % 2], i * 9_000);
        tell(format!("lodged(A{i}, {x}, {y})"), t, true);
        if i % 7 > 0 {
            tell(format!("ack(A{i}, {y})"), t + H * (1 + i % 8), i % 5 > 0);
        }
        if i % 3 > 0 {
            tell(format!("refused(A{i})"), t + 10 * H, true);
            tell(format!("offer(A{i})"), t + (50 + i % 60) * H, true);
        }
        if i % 11 == 0 {
            tell(format!("claim({x}, A{i})"), t + 5 * H, true);
        }
        tell(format!("answered(A{i})"), t + (2 + i % 40) * H, true);
    }
    for i in 0..heartbeats {
        tell(format!("beat(S{})", i % 40), i * 700, true);
    }
    monitor
}

/// Test only: a rule that keeps its first key variable alone.
trait Narrow {
    fn with_key_only(self) -> Rule;
}

impl Narrow for Rule {
    fn with_key_only(mut self) -> Rule {
        self.opens = exists("x", exists("y", self.opens));
        self
    }
}

#[test]
fn a_small_year() {
    let mut monitor = year(200, 2_000);
    monitor.advance(200 * 9_000 + 200 * H);
    // Five for each case, and one more answer for each acknowledgement that is only asserted: it may not count.
    assert_eq!(monitor.relation().len(), 1_021);
    for key in monitor.relation().iter().step_by(97).map(|i| i.key.clone()).collect::<Vec<_>>() {
        assert!(monitor.explain(&key).is_some());
    }
}

#[test]
#[ignore = "a measurement"]
fn a_year() {
    let start = Clock::now();
    let mut monitor = year(3_500, 100_000);
    println!("insert  {:?}", start.elapsed());
    for _ in 0..2 {
        let start = Clock::now();
        monitor.advance(3_500 * 9_000 + 200 * H);
        println!("advance {:?}, {} instances", start.elapsed(), monitor.relation().len());
    }
    let start = Clock::now();
    let next = monitor.next_change(0);
    println!("next    {:?} {next:?}", start.elapsed());
    let keys: Vec<_> = monitor.relation().iter().step_by(1_750).map(|i| i.key.clone()).collect();
    let start = Clock::now();
    for key in &keys {
        assert!(monitor.explain(key).is_some());
    }
    println!("explain {:?} each", start.elapsed() / keys.len() as u32);
}
