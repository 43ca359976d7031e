//! JSON shapes, in one place: what the interface says of a judgment, an entry, a head.
use crate::bench::Changed;
use crate::grid;
use crate::node::{Receipt, Status};
use crate::refusals::Refused;
use crate::state::{HeadState, NodeState, Page};
use hamsaya_agreement::rights::{self, Rights};
use hamsaya_agreement::{Because, Cite, Commitment, Judgment, Reason, State, Verdict};
use hamsaya_record::Instant;
use hamsaya_record::attempt::Delivered;
use hamsaya_record::disclosure::{self, Disclosure};
use hamsaya_record::logs::{Entry, Head, Logged, LoggedAt};
use hamsaya_record::statement::{FieldValue, FileRef, Place, Statement, hex};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

pub(super) fn instant(instant: Option<Instant>) -> Value {
    instant.map_or(Value::Null, |i| json!(i.to_string()))
}

pub(super) fn receipt(receipt: &Receipt) -> Value {
    json!({
        "origin": receipt.origin,
        "index": receipt.index,
        "leaf_hash": hex(&receipt.leaf_hash),
        "statement_id": receipt.statement_id.to_string(),
        "already": receipt.already,
    })
}

/// `lo` is absent where no cosignature says that the entry was not there yet.
fn logged_at(at: Option<LoggedAt>) -> Value {
    match at {
        None => Value::Null,
        Some(at) => json!({"lo": instant(Some(at.lo).filter(|lo| lo.0 != i64::MIN)), "hi": at.hi.to_string()}),
    }
}

/// Why nothing is settled that rests on an entry; absent where that is not so.
fn disputed(logged: Logged) -> Value {
    match logged {
        Logged::Disputed { by, not_before } => {
            json!({"why": "witness_clocks", "by": by.to_string(), "not_before": not_before.to_string()})
        }
        Logged::Equivocated(_) => json!({"why": "equivocation"}),
        Logged::Stolen(_) => json!({"why": "stolen_key"}),
        Logged::Unproven | Logged::Within(_) => Value::Null,
    }
}

pub(super) fn heads(heads: &[Head]) -> Vec<Value> {
    heads.iter().map(|h| json!({"origin": h.origin, "size": h.size, "root": hex(&h.root)})).collect()
}

pub(super) fn state(state: &NodeState) -> Value {
    let status = match &state.status {
        Status::Running => "running",
        Status::Starting => "starting",
        Status::Stopped(_) => "stopped",
    };
    json!({
        "node": state.name,
        "role": state.role,
        "origin": state.origin,
        "now": instant(state.now),
        "status": status,
        "heads": state.heads.iter().map(head).collect::<Vec<_>>(),
        "refused": state.refused,
        "alarms": state.alarms,
        "version": env!("CARGO_PKG_VERSION"),
    })
}

fn head(head: &HeadState) -> Value {
    let witnesses: Vec<Value> =
        head.witnesses.iter().map(|(name, time)| json!({"name": name, "time": instant(*time)})).collect();
    json!({
        "node": head.node,
        "origin": head.origin,
        "size": head.size,
        "root": hex(&head.root),
        "published_size": head.published_size,
        "published_at": instant(head.published_at),
        "dark_since": instant(head.dark_since),
        "witnesses": witnesses,
        "quorum": head.quorum,
        "cosignatures": head.witnesses.iter().filter(|(_, time)| time.is_some()).count(),
    })
}

/// To whom an entry is delivered by attempts, by when, and which entries say so.
pub(super) fn delivered(to: &str, delivered: &Delivered) -> Value {
    let attempt = |(origin, index): &(String, u64)| json!({"origin": origin, "index": index});
    json!({"to": to, "at": delivered.at.to_string(), "attempts": delivered.told.iter().map(attempt).collect::<Vec<_>>()})
}

/// Title by language, of the commitment or its part.
type Titles<'a> = BTreeMap<(&'a str, Option<&'a str>), &'a Commitment>;

/// A judgment, as `GET /api/judgment` gives it; titles are those of the commitments.
pub fn judgment(judgment: &Judgment, commitments: &[Commitment]) -> Value {
    let titles: Titles<'_> = commitments.iter().map(|c| ((c.id.as_str(), c.part.as_deref()), c)).collect();
    let count = |state: State| judgment.verdicts.iter().filter(|v| v.state == state).count();
    json!({
        "as_of": judgment.as_of.to_string(),
        "known_by": judgment.known_by.to_string(),
        "digest": hex(&judgment.digest()),
        "agreement": hex(&judgment.agreement),
        "heads": heads(&judgment.heads),
        "counts": {
            "kept": count(State::Kept),
            "breached": count(State::Breached),
            "pending": count(State::Pending),
            "disputed": count(State::Disputed),
        },
        "verdicts": judgment.verdicts.iter().map(|v| verdict(v, &titles)).collect::<Vec<_>>(),
    })
}

fn verdict(v: &Verdict, titles: &Titles<'_>) -> Value {
    let titled = titles.get(&(v.commitment.as_str(), v.part.as_deref()));
    let titled = titled.or_else(|| titles.get(&(v.commitment.as_str(), None)));
    let missing: Vec<Value> = v
        .reasons
        .missing
        .iter()
        .map(|m| json!({"kind": m.kind, "fields": named(&m.fields), "from": instant(m.from), "to": instant(m.to)}))
        .collect();
    json!({
        "label": v.label,
        "commitment": v.commitment,
        "part": v.part,
        "address": v.address,
        "title": titled.map(|c| &c.title),
        "valuation": named(&v.valuation),
        "bearer": v.bearer,
        "state": state_word(v.state),
        "reason": reason_word(v.reason),
        "since": v.since.to_string(),
        "opened": v.opened.to_string(),
        "due": instant(v.due),
        "until": instant(v.until),
        "breached_since": instant(v.breached_since),
        "kept_at": instant(v.kept_at),
        "margin_s": v.margin_s,
        "reasons": {
            "opened_by": cites(&v.reasons.opened_by),
            "because": cites(&v.reasons.because),
            "missing": missing,
            "disputed": cites(&v.reasons.disputed),
            "flip": cites(&v.reasons.flip),
            "proof": v.reasons.proof,
        },
    })
}

pub(super) fn state_word(state: State) -> &'static str {
    match state {
        State::Kept => "kept",
        State::Breached => "breached",
        State::Pending => "pending",
        State::Disputed => "disputed",
    }
}

fn reason_word(reason: Reason) -> &'static str {
    match reason {
        Reason::Performed => "performed",
        Reason::Discharged => "discharged",
        Reason::NotPerformed => "not_performed",
        Reason::Contravened => "contravened",
        Reason::Open => "open",
        Reason::OnDisputedFacts => "on_disputed_facts",
    }
}

fn named(pairs: &[(String, String)]) -> Vec<Value> {
    pairs.iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
}

pub(super) fn cites(cites: &[Cite]) -> Vec<Value> {
    cites
        .iter()
        .map(|c| {
            json!({
                "origin": c.origin,
                "index": c.index,
                "statement_id": c.statement_id.to_string(),
                "kind": c.kind,
                "party": c.party,
                "logged_at": logged_at(Some(c.logged_at)),
            })
        })
        .collect()
}

pub(super) fn change(changed: &Changed, sees: impl Fn(&Cite) -> bool) -> Value {
    let word = |v: &Option<Verdict>| v.as_ref().map(|v| state_word(v.state));
    let because = match &changed.change.because {
        Because::Clock => json!("clock"),
        Because::Entries(entries) => {
            let seen: Vec<Cite> = entries.iter().filter(|cite| sees(cite)).cloned().collect();
            json!(cites(&seen))
        }
    };
    json!({
        "at": changed.at.to_string(),
        "label": changed.label(),
        "before": word(&changed.change.before),
        "after": word(&changed.change.after),
        "because": because,
    })
}

pub(super) fn page(page: &Page, rights: Option<&Rights>) -> Value {
    let entries =
        page.entries.iter().map(|timed| entry(&timed.entry, timed.logged, finest_m(&timed.entry.statement, rights)));
    json!({"entries": entries.collect::<Vec<_>>(), "next": page.next, "withheld": page.withheld})
}

/// How finely a statement's place is shown, in metres; 0: as it was stated.
pub(super) fn finest_m(statement: &Statement, rights: Option<&Rights>) -> i64 {
    // What happens at a crossing happens where everybody knows that the crossing is.
    let is_crossing = rights.and_then(|r| r.column(&statement.kind)).is_some_and(|(column, _)| column == "gate");
    if is_crossing { 0 } else { rights::finest_m(&statement.marking) }
}

/// An entry, as `GET /api/entries` gives it.
///
/// Its place is no finer than `finest_m` metres; 0: as it was stated.
pub fn entry(e: &Entry, logged: Logged, finest_m: i64) -> Value {
    let s = &e.statement;
    let mut fields: Map<String, Value> = s.fields.iter().map(|(k, v)| (k.clone(), field(v))).collect();
    if !s.salted.is_empty() {
        // That something is withheld is said; what it is, is not known here.
        fields.insert("_sd".to_string(), json!(s.salted.iter().map(hex).collect::<Vec<_>>()));
    }
    let occurred = s.occurred_at.as_ref().map(|o| {
        json!({"from": o.from.to_string(), "to": o.to.to_string(), "precision": o.precision.name(), "edtf": o.edtf})
    });
    let signers: Vec<Value> =
        e.signers.iter().map(|s| json!({"keyid": s.keyid, "node": s.node, "role": s.role})).collect();
    let refs: Vec<Value> = s.refs.iter().map(|r| json!({"rel": r.rel.name(), "id": r.id.to_string()})).collect();
    let files: Vec<Value> = s.files.iter().map(file).collect();
    json!({
        "origin": &*e.origin,
        "index": e.index,
        "statement_id": e.statement_id.to_string(),
        "act": s.act.name(),
        "kind": s.kind,
        "id": s.id,
        "party": s.party,
        "source": s.source,
        "seq": s.seq,
        "prev": s.prev.map(|p| p.to_string()),
        "to": s.to,
        "stated_at": s.stated_at.to_string(),
        "occurred_at": occurred,
        "logged_at": logged_at(logged.within()),
        "disputed": disputed(logged),
        "sector": s.sector,
        "place": s.place.as_ref().map(|p| place(p, finest_m)),
        "marking": s.marking,
        "source_grade": s.source_grade,
        "info_grade": s.info_grade,
        "fields": fields,
        "files": files,
        "refs": refs,
        "signers": signers,
        "drill": s.drill,
    })
}

/// A file, as its statement tells of it.
pub(super) fn file(f: &FileRef) -> Value {
    json!({"name": f.name, "bytes": f.bytes, "media_type": f.media_type, "sha256": hex(&f.sha256), "capture": f.capture,
        "captured_at": instant(f.captured_at), "tool": f.tool, "working_copy": f.working_copy})
}

fn place(place: &Place, finest_m: i64) -> Value {
    let Place { s_e7, w_e7, n_e7, e_e7, .. } = grid::on_grid(place, finest_m);
    let is_coarse = place.precision_m >= finest_m;
    json!({
        "s_e7": s_e7,
        "w_e7": w_e7,
        "n_e7": n_e7,
        "e_e7": e_e7,
        "precision_m": place.precision_m.max(finest_m),
        // A name in a gazetteer is as fine as the place itself.
        "gazetteer_id": place.gazetteer_id.as_ref().filter(|_| is_coarse),
    })
}

/// A salted field in clear; a place is no finer than `finest_m` metres.
pub fn disclosed(disclosed: &Disclosure, finest_m: i64) -> Value {
    match disclosure::place(disclosed.value()) {
        Some((lat_e7, lon_e7, precision_m)) if disclosed.name() == disclosure::PLACE => {
            let (s_e7, w_e7, n_e7, e_e7) = (lat_e7, lon_e7, lat_e7, lon_e7);
            place(&Place { s_e7, w_e7, n_e7, e_e7, precision_m, gazetteer_id: None }, finest_m)
        }
        _ => field(disclosed.value()),
    }
}

fn field(value: &FieldValue) -> Value {
    match value {
        FieldValue::Bool(b) => json!(b),
        FieldValue::Int(n) => json!(n),
        FieldValue::Text(t) => json!(t),
        FieldValue::List(list) => list.iter().map(field).collect(),
        FieldValue::Map(map) => map.iter().map(|(k, v)| (k.clone(), field(v))).collect::<Map<_, _>>().into(),
    }
}

pub(super) fn refused(refused: &Refused) -> Value {
    json!({
        "at": instant(refused.at),
        "reason": refused.refusal.reason.name(),
        "sha256": refused.sha256,
        "field": refused.refusal.field,
        "allowed": refused.refusal.allowed,
        "hint": refused.refusal.hint,
    })
}
