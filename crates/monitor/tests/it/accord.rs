//! The rules of the golden scenario as formulas, with the instants its table gives.
use crate::cases::*;
use hamsaya_monitor::*;

const MINUTE: i64 = 60;
const H: i64 = 3600;
const DAY: i64 = 24 * H;

fn found(instance: &Instance) -> (State, Option<i64>, Option<i64>) {
    (instance.state, instance.due, instance.until)
}

fn rules() -> Rules {
    let until = |left, right| Formula::Until(Window::unbounded(0), Box::new(left), Box::new(right));
    let objection = || {
        and([
            atom("objected(w, y)"),
            not(Formula::Once(Window::unbounded(15 * DAY + 1), Box::new(atom("works_filed(x, w)")))),
            once(atom("works_filed(x, w)")),
        ])
    };
    let closure = || {
        and([
            atom("closure(x, k)"),
            not(Formula::Once(Window::unbounded(72 * H), Box::new(atom("closure_notice(x, k)")))),
        ])
    };
    let within = |name: &str, opens: Formula, key: &str, seconds: i64, f: Formula| {
        rule(name, opens, key, eventually(seconds, f))
    };
    let mut c18 = within("C18.plan", atom("origin(a, x)"), "a x", 7 * DAY, atom("plan(a, x)"));
    c18.lapses = Some(atom("reopened(a)"));
    let mut publish = within("C19.publish", exists("l", atom("found(a, l)")), "a", 8 * DAY, atom("published(a)"));
    publish.lapses = Some(atom("reopened(a)"));
    let mut lodge = within("C13.lodge", and([atom("known(a, x)")]), "a x", 7 * DAY, atom("lodged(a, x, _)"));
    lodge.lapses = None;
    let access = or([atom("access_ok(q)"), and([atom("access_refused(q)"), eventually(72 * H, atom("re_offer(q)"))])]);
    Rules {
        definitions: vec![Definition {
            name: "embargo_lifted".into(),
            params: vec!["a".into()],
            body: or([
                Formula::Breached { rule: "C14".into(), args: vec![("a".into(), term("a"))] },
                exists("y", atom("public_claim(y, a)")).and_accused(),
            ]),
        }],
        rules: vec![
            lodge,
            within("C14", atom("lodged(a, x, y)"), "a x y", 6 * H, atom("ack(a, y)")),
            within(
                "C15",
                or([
                    exists("x", and([atom("ack(a, y)"), once(atom("lodged(a, x, y)"))])),
                    Formula::Breached {
                        rule: "C14".into(),
                        args: vec![("a".into(), term("a")), ("y".into(), term("y"))],
                    },
                ]),
                "a y",
                24 * H,
                atom("answered_first(a, y)"),
            ),
            within("C16.access", atom("access_req(q)"), "q", 24 * H, access),
            {
                let mut embargo = rule(
                    "C13.embargo",
                    atom("lodged(a, x, y)"),
                    "a x y",
                    not(eventually(72 * H, atom("public_claim(x, a)"))),
                );
                embargo.lapses = Some(atom("embargo_lifted(a)"));
                embargo
            },
            rule("C12", atom("lodged(a, x, y)"), "a x y", until(not(atom("backed(a, y)")), atom("judged(a)"))),
            rule("C24.standstill", objection(), "w x y", until(not(atom("works(x, w)")), atom("reviewed(w)"))),
            within("C24.review", objection(), "w x y", 15 * DAY, atom("reviewed(w)")),
            rule(
                "C23",
                atom("works(x, w)"),
                "x w",
                Formula::Once(Window::unbounded(30 * DAY), Box::new(atom("works_filed(x, w)"))),
            ),
            within("C32.reason", closure(), "x k", H, exists("r", atom("reason(k, r)"))),
            within("C32.lane", closure(), "x k", 12 * H, atom("lane_open(k)")),
            within("C32.reopen", closure(), "x k", 72 * H, or([atom("gate_reopened(k)"), atom("consent(k)")])),
            rule("C04.stay", atom("withdraw_notice(g)"), "g", not(eventually(90 * DAY, atom("left(g)")))),
            c18,
            publish,
        ],
    }
}

/// Test only: a claim by the accused lifts the embargo.
trait Accused {
    fn and_accused(self) -> Formula;
}

impl Accused for Formula {
    fn and_accused(self) -> Formula {
        exists("y", and([atom("public_claim(y, a)"), once(exists("x", atom("lodged(a, x, y)")))]))
    }
}

fn predicates() -> Signature {
    signature(&[
        ("known", 2),
        ("lodged", 3),
        ("ack", 2),
        ("answered_first", 2),
        ("access_req", 1),
        ("access_ok", 1),
        ("access_refused", 1),
        ("re_offer", 1),
        ("public_claim", 2),
        ("backed", 2),
        ("judged", 1),
        ("objected", 2),
        ("works_filed", 2),
        ("works", 2),
        ("reviewed", 1),
        ("closure", 2),
        ("closure_notice", 2),
        ("reason", 2),
        ("lane_open", 1),
        ("gate_reopened", 1),
        ("consent", 1),
        ("withdraw_notice", 1),
        ("left", 1),
        ("origin", 2),
        ("plan", 2),
        ("reopened", 1),
        ("found", 2),
        ("published", 1),
    ])
}

#[test]
fn annex_b() {
    use State::*;
    let mut monitor = Monitor::new(&rules(), &predicates()).unwrap();
    let mut next = 0;
    let mut tell = |monitor: &mut Monitor, fact: Fact| {
        next += 1;
        monitor.insert(FactId::new(format!("{next:03}")), fact).unwrap();
    };
    let get = |monitor: &Monitor, name: &str| -> Instance {
        let all: Vec<&Instance> = monitor.relation().iter().filter(|i| &*i.key.rule == name).collect();
        assert_eq!(all.len(), 1, "{name}");
        all[0].clone()
    };
    tell(&mut monitor, event("works_filed(P1, W1)", -148 * H));
    tell(&mut monitor, event("known(A1, P2)", -5400));
    tell(&mut monitor, event("lodged(A1, P2, P1)", 0));
    // The allegation asserts that P1 backed it, at all instants.
    monitor.insert(FactId::new("backed"), fact("backed(A1, P1)", SINCE_EVER, NEVER, false)).unwrap();
    tell(&mut monitor, event("ack(A1, P1)", 48 * MINUTE));
    tell(&mut monitor, event("public_claim(P2, A1)", 5 * H));
    tell(&mut monitor, event("answered_first(A1, P1)", 20 * H));
    tell(&mut monitor, event("access_req(Q1)", 24 * H));
    tell(&mut monitor, event("access_refused(Q1)", 47 * H));
    monitor.advance(48 * H);
    assert_eq!(found(&get(&monitor, "C13.lodge")), (Kept, Some(166 * H + H / 2), None));
    let c14 = get(&monitor, "C14");
    assert_eq!(found(&c14), (Kept, Some(6 * H), None));
    assert_eq!(c14.due.zip(c14.kept_at).map(|(due, kept)| due - kept), Some(5 * H + H / 5));
    assert_eq!(found(&get(&monitor, "C15")), (Kept, Some(24 * H + 48 * MINUTE), None));
    assert_eq!(found(&get(&monitor, "C16.access")), (Pending, Some(119 * H), None));
    let c12 = get(&monitor, "C12");
    assert_eq!((c12.state, c12.until, &c12.disputed[..]), (Disputed, None, &[FactId::new("backed")][..]));
    let embargo = get(&monitor, "C13.embargo");
    assert_eq!((embargo.state, embargo.breached_since), (Breached, Some(5 * H)));
    assert_eq!(monitor.relation().len(), 6);

    tell(&mut monitor, event("re_offer(Q1)", 100 * H));
    tell(&mut monitor, event("works(P1, W1)", 140 * H));
    tell(&mut monitor, event("objected(W1, P2)", 145 * H));
    tell(&mut monitor, event("closure(P2, K1)", 150 * H));
    tell(&mut monitor, event("reason(K1, works)", 150 * H + H / 2));
    monitor.advance(230 * H);
    assert_eq!(found(&get(&monitor, "C16.access")), (Kept, Some(119 * H), None));
    assert_eq!(get(&monitor, "C23").breached_since, Some(140 * H));
    assert_eq!(found(&get(&monitor, "C24.standstill")), (Pending, None, None));
    assert_eq!(found(&get(&monitor, "C24.review")), (Pending, Some(505 * H), None));
    assert_eq!(found(&get(&monitor, "C32.reason")), (Kept, Some(151 * H), None));
    let lane = get(&monitor, "C32.lane");
    assert_eq!((found(&lane), lane.breached_since), ((Breached, Some(162 * H), None), Some(162 * H)));
    assert_eq!(get(&monitor, "C32.reopen").breached_since, Some(222 * H));

    monitor.insert(FactId::new("own"), event("lane_open(K1)", 240 * H)).unwrap();
    monitor.advance(241 * H);
    assert_eq!(get(&monitor, "C32.lane").state, Breached);
    monitor.insert(FactId::new("late"), event("lane_open(K1)", 160 * H)).unwrap();
    let deltas = monitor.advance(260 * H);
    assert_eq!(deltas.len(), 1);
    assert_eq!(found(&get(&monitor, "C32.lane")), (Kept, Some(162 * H), None));
    // The finding: the allegation's word goes, and the origin is P1's side.
    monitor.withdraw(FactId::new("backed"));
    tell(&mut monitor, event("judged(A1)", 420 * H));
    tell(&mut monitor, event("found(A1, probable)", 420 * H));
    tell(&mut monitor, event("origin(A1, P1)", 420 * H));
    monitor.advance(430 * H);
    let c12 = get(&monitor, "C12");
    assert_eq!((c12.state, c12.kept_at), (Kept, Some(420 * H)));
    assert_eq!(found(&get(&monitor, "C18.plan")), (Pending, Some(588 * H), None));
    tell(&mut monitor, event("reopened(A1)", 501 * H));
    tell(&mut monitor, event("withdraw_notice(G1)", 610 * H));
    monitor.withdraw(FactId::new("late"));
    monitor.advance(620 * H);
    let plan = get(&monitor, "C18.plan");
    assert_eq!((found(&plan), plan.lapsed, plan.kept_at), ((Kept, Some(588 * H), None), true, Some(501 * H)));
    assert_eq!(found(&get(&monitor, "C19.publish")), (Kept, Some(612 * H), None));
    assert_eq!(found(&get(&monitor, "C04.stay")), (Pending, None, Some(2770 * H)));
    assert_eq!(get(&monitor, "C24.review").breached_since, Some(505 * H));
    assert_eq!(get(&monitor, "C32.lane").breached_since, Some(162 * H));
    assert_eq!(monitor.next_change(620 * H), Some(2770 * H));
}

/// Reasons at H 230, a line for each instance: opened by | present | absent | flip.
#[test]
fn reasons() {
    let mut monitor = Monitor::new(&rules(), &predicates()).unwrap();
    let facts = [
        event("works_filed(P1, W1)", -148 * H),
        event("known(A1, P2)", -5400),
        event("lodged(A1, P2, P1)", 0),
        fact("backed(A1, P1)", SINCE_EVER, NEVER, false),
        event("ack(A1, P1)", 48 * MINUTE),
        event("public_claim(P2, A1)", 5 * H),
        event("answered_first(A1, P1)", 20 * H),
        event("access_req(Q1)", 24 * H),
        event("access_refused(Q1)", 47 * H),
        event("re_offer(Q1)", 100 * H),
        event("works(P1, W1)", 140 * H),
        event("objected(W1, P2)", 145 * H),
        event("closure(P2, K1)", 150 * H),
        event("reason(K1, works)", 150 * H + H / 2),
        event("lane_open(K1)", 200 * H),
    ];
    for (i, fact) in facts.into_iter().enumerate() {
        monitor.insert(FactId::new(format!("{i:02} {}", fact.predicate)), fact).unwrap();
    }
    monitor.advance(230 * H);
    let ids = |list: &[FactId]| list.iter().map(|id| id.0.to_string()).collect::<Vec<_>>().join(", ");
    let hours = |t: i64| match t {
        SINCE_EVER => "ever".to_string(),
        t => format!("{}:{:02}:{:02}", t.div_euclid(H), t.rem_euclid(H) / 60, t.rem_euclid(60)),
    };
    let mut lines = Vec::new();
    for instance in monitor.relation() {
        let e = monitor.explain(&instance.key).unwrap();
        let absent: Vec<String> =
            e.absent.iter().map(|a| format!("{} {}..{}", a.predicate, hours(a.from), hours(a.to))).collect();
        lines.push(format!(
            "{} | {} | {} | {} | {}",
            instance.key.rule,
            ids(&e.opened_by),
            ids(&e.present),
            absent.join(", "),
            monitor.flip(&instance.key).as_deref().map_or("none".to_string(), ids)
        ));
    }
    let expected = "\
C12 | 02 lodged | 02 lodged, 03 backed | backed 0:00:00..230:00:00, judged 0:00:00..0:00:00 | 03 backed
C13.embargo | 02 lodged | 02 lodged, 05 public_claim | public_claim 0:00:00..4:59:59 | 05 public_claim
C13.lodge | 01 known | 01 known, 02 lodged |  | 02 lodged
C14 | 02 lodged | 02 lodged, 04 ack |  | 04 ack
C15 | 02 lodged, 04 ack | 02 lodged, 04 ack, 06 answered_first |  | 06 answered_first
C16.access | 07 access_req | 07 access_req, 08 access_refused, 09 re_offer |  | 08 access_refused
C23 | 10 works | 10 works | works_filed ever..-580:00:00 | none
C24.review | 00 works_filed, 11 objected | 00 works_filed, 11 objected | reviewed 145:00:00..230:00:00, works_filed ever..-216:59:59 | none
C24.standstill | 00 works_filed, 11 objected | 00 works_filed, 11 objected | reviewed 145:00:00..230:00:00, works 145:00:00..230:00:00, works_filed ever..-216:59:59 | none
C32.lane | 12 closure | 12 closure | closure_notice ever..78:00:00, lane_open 150:00:00..162:00:00 | none
C32.reason | 12 closure | 12 closure, 13 reason | closure_notice ever..78:00:00 | 13 reason
C32.reopen | 12 closure | 12 closure | closure_notice ever..78:00:00, consent 150:00:00..222:00:00, gate_reopened 150:00:00..222:00:00 | none";
    assert_eq!(lines.join("\n"), expected);
    let access = monitor.relation().iter().find(|i| &*i.key.rule == "C16.access").unwrap();
    let root = monitor.explain(&access.key).unwrap().proof;
    let mut proof = &root;
    let mut path = Vec::new();
    loop {
        path.push((proof.at / H, proof.holds, proof.settled / H));
        match proof.children.last() {
            Some(child) => proof = child,
            None => break,
        }
    }
    assert_eq!(path, [(24, true, 100), (47, true, 100), (47, true, 100), (47, true, 100), (100, true, 100)]);
    assert_eq!(proof.facts, [FactId::new("09 re_offer")]);
}
