//! A year that never was: a seeded record of the Hamsaya Accord, for measures and for asking what another text would say.
//!
//! ```text
//! Year { seed: 7, days: 365, per_day: 330 }.logs(&accord)      120,450 entries of P1, P2, G1 and G2
//! ```
//!
//! Each day has its sector reports, gate hours and counts, calls, alerts, patrols and readings; every other day an allegation
//! with its answers, early and late. Some of it comes late, is seen by one side only, or is withdrawn. The same seed gives
//! the same bytes on every machine. Nothing here is a forecast.
use crate::case::origins;
use crate::source::{Agreement, act_named};
use hamsaya_record::instant::Instant;
use hamsaya_record::logs::{Entry, LoggedAt, Logs, Signer};
use hamsaya_record::statement::{FieldValue, Occurred, Precision, Reference, Rel, Statement, StatementId};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;

const DAY_S: i64 = 86_400;

/// A made-up record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Year {
    /// Another seed, another year.
    pub seed: u64,
    /// How many days from the entry into force.
    pub days: i64,
    /// Statements a day.
    pub per_day: usize,
}

/// SplitMix64: small, seeded, the same everywhere.
#[derive(Clone, Debug)]
pub struct Chance(pub u64);

impl Chance {
    /// The next number below `end`, which is more than 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end.max(1)
    }
    fn between(&mut self, from: i64, to: i64) -> i64 {
        from + self.below((to - from).max(1) as u64) as i64
    }
}

/// What is stated, before it is an entry.
struct Said<'s> {
    by: &'s str,
    kind: &'s str,
    logged: i64,
    occurred: Option<i64>,
    fields: Vec<(&'s str, FieldValue)>,
    refs: Vec<(Rel, StatementId)>,
    signers: &'s [&'s str],
}

/// The record as it grows.
struct Maker<'a> {
    agreement: &'a Agreement,
    origins: BTreeMap<String, String>,
    from: Instant,
    entries: Vec<(Entry, LoggedAt)>,
}

fn text(value: impl Into<String>) -> FieldValue {
    FieldValue::Text(value.into())
}

impl Year {
    /// The record as a judge takes it.
    pub fn logs(&self, agreement: &Agreement) -> Logs {
        Logs::with_times(self.entries(agreement))
    }

    /// The last instant of it.
    pub fn end(&self, agreement: &Agreement) -> Instant {
        start(agreement).plus(self.days * DAY_S)
    }

    /// Its entries in the order in which they were logged. Those that do not fit the agreement's annexes are left out.
    pub fn entries(&self, agreement: &Agreement) -> Vec<(Entry, LoggedAt)> {
        let mut chance = Chance(self.seed);
        let mut maker = Maker { agreement, origins: origins(agreement), from: start(agreement), entries: Vec::new() };
        maker.say(said("P1", "in_force", 60, &[]).signed(&["P1", "P2"]));
        let from = maker.from;
        let instant = move |at: i64| text(from.plus(at).to_string());
        for day in 0..self.days {
            let begin = day * DAY_S;
            let before = maker.entries.len();
            for (sector, by) in [("P1-north", "P1"), ("P1-south", "P1"), ("P2-north", "P2"), ("P2-south", "P2")] {
                // One in fifty comes late, one in a hundred never.
                let at = match chance.below(100) {
                    0 => continue,
                    1 | 2 => begin + chance.between(6 * 3_600 + 1, 20 * 3_600),
                    _ => begin + chance.between(3_600, 6 * 3_600),
                };
                let report = maker.say(said(by, "sitrep", at, &[("sector_of", text(sector)), ("day", instant(begin))]));
                if chance.below(200) == 0 {
                    let reason = [("what", text(format!("{sector} {day}"))), ("reason", text("misread"))];
                    maker.say(said(by, "withdraw", at + chance.between(60, 40 * DAY_S), &reason).taking_back(report));
                }
            }
            for crossing in ["torkham", "chaman-spin-boldak", "ghulam-khan", "angur-ada", "kharlachi"] {
                for by in ["P1", "P2"] {
                    let open = begin + chance.between(4 * 3_600, 7 * 3_600);
                    let shut = begin + chance.between(16 * 3_600, 20 * 3_600);
                    for (at, state) in [(open, "open"), (shut, "closed")] {
                        let fields = [("authority", text(by)), ("crossing", text(crossing)), ("state", text(state))];
                        maker.say(said(by, "gate_status", at, &fields).seen(at));
                    }
                    let count = |n: u64| FieldValue::Int(100 + n as i64);
                    let fields = [
                        ("authority", text(by)),
                        ("crossing", text(crossing)),
                        ("day", instant(begin)),
                        ("inbound", count(chance.below(20))),
                        ("outbound", count(chance.below(20))),
                    ];
                    let late = if chance.below(60) == 0 { 9 * 3_600 } else { 0 };
                    let at = begin + chance.between(3_600, 6 * 3_600) + late;
                    maker.say(said(by, "gate_count", at, &fields).seen(begin));
                }
            }
            for n in 0..2 {
                let (by, to) = if chance.below(2) == 0 { ("P1", "P2") } else { ("P2", "P1") };
                let at = begin + chance.between(0, DAY_S);
                let id = format!("AL{day}-{n}");
                maker.say(said(by, "alert", at, &[("alert", text(&*id)), ("warned", text(to))]));
                for (kind, soonest, latest) in [
                    ("alert_ack", 60, 1_000),
                    ("alert_action", 3_600, 6 * 3_600 + 900),
                    ("alert_close", DAY_S, 3 * DAY_S + 900),
                ] {
                    let mut fields = vec![("alert", text(&*id))];
                    if kind == "alert_action" {
                        fields.push(("action", text("patrol")));
                    }
                    maker.say(said(to, kind, at + chance.between(soonest, latest), &fields));
                }
                let call = format!("H{day}-{n}");
                let fields = [("call", text(&*call)), ("caller", text(by)), ("called", text(to))];
                maker.say(said(by, "hotline_call", at, &fields).seen(at));
                let answered = at + chance.between(30, 1_000);
                let fields = [("call", text(&*call)), ("answerer", text(to))];
                for witness in [by, to] {
                    maker.say(said(witness, "answered", answered, &fields).seen(answered));
                }
            }
            if day % 2 == 0 {
                let (by, to) = if chance.below(2) == 0 { ("P1", "P2") } else { ("P2", "P1") };
                let at = begin + chance.between(0, DAY_S);
                let id = format!("A{day}");
                let commitment = if chance.below(4) == 0 { "C12" } else { "C10" };
                let mut fields = vec![
                    ("allegation", text(&*id)),
                    ("against", text(to)),
                    ("commitment", text(commitment)),
                    ("known_at", instant(at - 3_600)),
                    ("event", text("raid")),
                ];
                if chance.below(10) == 0 {
                    fields.push(("urgency", text("flash")));
                }
                maker.say(said(by, "lodged", at, &fields));
                // To the second, so that a due instant of three or six hours divides them.
                let answer = at + chance.between(600, 7 * 3_600);
                maker.say(said(to, "ack", answer, &[("allegation", text(&*id))]));
                let fields = [("allegation", text(&*id)), ("answer", text("denied"))];
                maker.say(said(to, "answered_first", answer + chance.between(3_600, 25 * 3_600), &fields));
                if chance.below(3) == 0 {
                    let seen = at - chance.between(600, 3_600);
                    let fields = [("fire", text(format!("F{day}"))), ("firer", text(to))];
                    maker.say(said(by, "fire", at, &fields).seen(seen));
                }
            }
            let mut n = 0;
            while maker.entries.len() - before < self.per_day {
                let by = ["P1", "P2", "G1", "G2"][chance.below(4) as usize];
                let at = begin + chance.between(0, DAY_S);
                let seen = at - chance.between(0, 3_600);
                if n % 6 == 0 && by.starts_with('P') {
                    let fields = [("patroller", text(by)), ("patrol", text(format!("{by}-{day}-{n}")))];
                    maker.say(said(by, "patrol", at, &fields).seen(seen));
                } else {
                    let fields = [("reading", text(format!("R{day}-{n}"))), ("what", text("motion"))];
                    maker.say(said(by, "reading", at, &fields).seen(seen));
                }
                n += 1;
                // An annex without these kinds has no such days.
                if n > 4 * self.per_day {
                    break;
                }
            }
        }
        maker
            .entries
            .sort_by(|(a, at), (b, bt)| (at.hi, &a.origin, a.statement_id).cmp(&(bt.hi, &b.origin, b.statement_id)));
        let mut sizes: BTreeMap<Arc<str>, u64> = BTreeMap::new();
        for (entry, _) in &mut maker.entries {
            let size = sizes.entry(entry.origin.clone()).or_default();
            entry.index = *size;
            *size += 1;
        }
        maker.entries
    }
}

fn start(agreement: &Agreement) -> Instant {
    agreement.in_force().unwrap_or(Instant(1_767_225_600))
}

fn said<'s>(by: &'s str, kind: &'s str, logged: i64, fields: &[(&'s str, FieldValue)]) -> Said<'s> {
    Said { by, kind, logged, occurred: None, fields: fields.to_vec(), refs: Vec::new(), signers: &[] }
}

impl<'s> Said<'s> {
    fn seen(self, at: i64) -> Self {
        Said { occurred: Some(at), ..self }
    }
    fn signed(self, signers: &'s [&'s str]) -> Self {
        Said { signers, ..self }
    }
    fn taking_back(mut self, id: Option<StatementId>) -> Self {
        self.refs.extend(id.map(|id| (Rel::Withdraws, id)));
        self
    }
}

impl Maker<'_> {
    fn say(&mut self, said: Said<'_>) -> Option<StatementId> {
        let kind = self.agreement.kinds().iter().find(|k| k.name == said.kind)?;
        let home = self.origins.get(said.by)?;
        let at = self.from.plus(said.logged);
        let n = self.entries.len() as u64;
        let id = format!("00000000-0000-7000-8000-{n:012x}");
        let act = act_named(&kind.act);
        let mut statement = Statement::new(self.agreement.digest(), act, said.kind, &id, said.by, home, at);
        statement.occurred_at = said.occurred.map(|occurred| {
            let occurred = self.from.plus(occurred);
            Occurred { from: occurred, to: occurred, precision: Precision::Second, edtf: None }
        });
        statement.fields = said.fields.into_iter().map(|(field, value)| (field.to_string(), value)).collect();
        statement.refs = said.refs.into_iter().map(|(rel, id)| Reference { rel, id }).collect();
        self.agreement.fits(&statement).ok()?;
        let statement_id = StatementId(Sha256::digest(statement.to_payload()).into());
        let own = [said.by];
        let names = if said.signers.is_empty() { &own[..] } else { said.signers };
        let signers = names.iter().map(|name| Signer {
            keyid: format!("{}.example/node+00000000", name.to_lowercase()),
            node: name.to_string(),
            role: "node".into(),
        });
        let signers = signers.collect();
        let entry = Entry { origin: Arc::from(home.as_str()), index: 0, statement_id, statement, signers };
        self.entries.push((entry, LoggedAt { lo: at, hi: at }));
        Some(statement_id)
    }
}
