//! Salted fields in clear: taken from who stated them, shown to those whom the entry means.
//!
//! ```text
//! POST /api/disclosures?statement=5d41402a…      {"disclosures":["WyJj…"]}
//! GET  /api/disclosures?statement=5d41402a…      the same lines, for the offices of this node's member
//! ```
//! An office of a member whose key signed a statement hands its disclosures to a node. Each node shows what it was given to
//! the offices of its own member, and of them to those who may read the entry: what P1 gave to P2 is read at P2, and not by
//! P2's people at P1. The id of the statement stands in the query, which a signed request covers; the lines vouch for
//! themselves by their digests. No answer repeats a line that was refused.
use super::Api;
use super::problem::Problem;
use super::shapes;
use super::who::{Office, Who};
use crate::disclosures::KeepError;
use crate::erased::Erasure;
use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, header};
use hamsaya_record::disclosure::{self, Disclosure};
use hamsaya_record::logs::Entry;
use hamsaya_record::statement::{ITEMS_MAX, StatementId};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::io::ErrorKind;
use std::sync::Arc;

/// All lines that a statement can have, and what is around them.
const BODY_BYTES_MAX: usize = ITEMS_MAX * (disclosure::LINE_BYTES_MAX + 4) + 64;

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Asked {
    statement: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    disclosures: Vec<String>,
}

/// An entry that may be read, and why what is salted in it is gone, if it is.
struct Found {
    entry: Arc<Entry>,
    erased: Option<Erasure>,
}

async fn find(api: &Api, who: &Who, asked: &Asked) -> Result<Found, Problem> {
    let text = asked.statement.as_deref().unwrap_or_default();
    let allowed = "the id of a statement, 64 hex digits";
    let id: StatementId = text.parse().map_err(|_| Problem::bad_parameter("statement", text, allowed))?;
    let nothing = || Problem::not_found(format!("this node holds no statement {id}"));
    let found = api.shell.ask(move |node| {
        let entry = node.entry_of(&id)?;
        let erased = node.erasure_of(&entry);
        Some(Found { entry, erased })
    });
    let found = found.await?.ok_or_else(nothing)?;
    who.may_read(api.rights(), &found.entry.statement).map_err(|denied| who.denied(denied, nothing))?;
    Ok(found)
}

/// `POST /api/disclosures`: keeps what fits a digest in the statement; the same again changes nothing.
pub(super) async fn disclose(
    State(api): State<Api>,
    who: Who,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Problem> {
    // A page of another site cannot send JSON here without being asked first, and is not.
    let is_json = headers.get(header::CONTENT_TYPE).is_some_and(|t| t.as_bytes().starts_with(b"application/json"));
    if !is_json {
        return Err(Problem::bad_parameter("content-type", "another", "application/json"));
    }
    let Who::Office(Office { node: member, .. }) = &who else {
        return Err(Problem::right("only an office hands disclosures over"));
    };
    let Found { entry, erased } = find(&api, &who, &asked).await?;
    if !entry.signers.iter().any(|signer| signer.node == *member) {
        return Err(Problem::right(format!("{member} did not sign it: only who stated it says what is salted in it")));
    }
    let bytes = to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| Problem::too_large(BODY_BYTES_MAX))?;
    let form: Form = serde_json::from_slice(&bytes)
        .map_err(|_| Problem::bad_parameter("body", "something else", "{\"disclosures\":[…]}"))?;
    if let Some(erasure) = erased {
        return Err(Problem::erased(&erasure));
    }
    let (agreement, kept, keeping) = (api.agreement().cloned(), api.disclosures.clone(), entry.clone());
    let new = tokio::task::spawn_blocking(move || {
        let Entry { statement, statement_id, .. } = keeping.as_ref();
        let read = disclosure::check(statement, form.disclosures.iter().map(String::as_str)).map_err(KeepError::from);
        for disclosure in read.map_err(problem)? {
            let may = agreement.as_ref().map_or(Ok(()), |a| a.may_salt(&statement.kind, disclosure.name()));
            may.map_err(|misfit| Problem::refused(&crate::node::refused(misfit)))?;
        }
        kept.keep(statement_id, statement, &form.disclosures).map_err(problem)
    });
    let new = new.await.map_err(|error| Problem::internal(error.to_string()))??;
    // Between the question and the file an erasure may have come, and the sweep have found nothing.
    let asked_again = entry.clone();
    if let Some(erasure) = api.shell.ask(move |node| node.erasure_of(&asked_again)).await? {
        api.disclosures.erase(&entry.statement_id).map_err(|error| Problem::internal(error.to_string()))?;
        return Err(Problem::erased(&erasure));
    }
    let shown = of(&api, &entry)?.len();
    Ok(Json(json!({
        "statement_id": entry.statement_id.to_string(),
        "origin": &*entry.origin,
        "index": entry.index,
        "new": new,
        "kept": shown,
        "withheld": entry.statement.salted.len() - shown,
    })))
}

/// `GET /api/disclosures`: lines to be handed on.
pub(super) async fn lines(
    State(api): State<Api>,
    who: Who,
    Query(asked): Query<Asked>,
) -> Result<Json<Value>, Problem> {
    let Found { entry, erased } = find(&api, &who, &asked).await?;
    if !is_own(&api, &who) {
        return Err(Problem::right("what a node was given is read by the offices of its own member"));
    }
    if let Some(erasure) = erased {
        return Err(Problem::erased(&erasure));
    }
    super::record::exportable(&api, &entry)?;
    who.reads(&api, std::iter::once(entry.as_ref()))?;
    let kept = of(&api, &entry)?;
    let (leave, stay): (Vec<&Disclosure>, _) = kept.iter().partition(|d| may_leave(&api, &entry, d).is_ok());
    Ok(Json(json!({
        "statement_id": entry.statement_id.to_string(),
        "disclosures": leave.into_iter().map(Disclosure::line).collect::<Vec<_>>(),
        "stay": stay.into_iter().map(Disclosure::name).collect::<Vec<_>>(),
    })))
}

/// Whether somebody is of this node's own member: what it was given was given to him.
fn is_own(api: &Api, who: &Who) -> bool {
    matches!(who, Who::Office(office) if office.node == api.folder.config.name)
}

fn of(api: &Api, entry: &Entry) -> Result<Vec<Disclosure>, Problem> {
    if entry.statement.salted.is_empty() {
        return Ok(Vec::new());
    }
    api.disclosures.of(&entry.statement_id, &entry.statement).map_err(problem)
}

/// Adds to an entry what is salted in it, as far as this reader is shown it, and how much is withheld.
pub(super) async fn show(api: &Api, who: &Who, entry: &Arc<Entry>, answer: &mut Value) -> Result<(), Problem> {
    let asked = entry.clone();
    let erased = api.shell.ask(move |node| node.erasure_of(&asked)).await?;
    let kept = if erased.is_none() && is_own(api, who) { of(api, entry)? } else { Vec::new() };
    let finest_m = shapes::finest_m(&entry.statement, api.rights());
    let shown = kept.iter().map(|d| (d.name().to_string(), shapes::disclosed(d, finest_m)));
    answer["disclosed"] = shown.collect::<Map<_, _>>().into();
    answer["withheld"] = json!(entry.statement.salted.len() - kept.len());
    answer["erased"] = erased.map_or(
        Value::Null,
        |erasure| json!({"ground": erasure.ground, "origin": erasure.origin, "index": erasure.index}),
    );
    Ok(())
}

/// The lines of these fields, to be taken away in an exhibit.
pub(super) async fn chosen(api: &Api, who: &Who, entry: &Arc<Entry>, names: &[String]) -> Result<Vec<String>, Problem> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    if !is_own(api, who) {
        return Err(Problem::right("what a node was given is read by the offices of its own member"));
    }
    let asked = entry.clone();
    if let Some(erasure) = api.shell.ask(move |node| node.erasure_of(&asked)).await? {
        return Err(Problem::erased(&erasure));
    }
    let kept = of(api, entry)?;
    let line = |name: &String| {
        let found = kept.iter().find(|disclosure| disclosure.name() == name);
        let found = found.ok_or_else(|| Problem::not_found(format!("no disclosure of `{name}` is kept here")))?;
        may_leave(api, entry, found)?;
        Ok(found.line().to_string())
    };
    names.iter().map(line).collect()
}

/// A line cannot be made coarser: a place leaves only where its marking lets it.
fn may_leave(api: &Api, entry: &Entry, disclosed: &Disclosure) -> Result<(), Problem> {
    let finest_m = shapes::finest_m(&entry.statement, api.rights());
    match disclosure::place(disclosed.value()) {
        Some((_, _, precision_m)) if precision_m < finest_m => Err(Problem::handling(format!(
            "`{}` is a place that is finer than {} allows: {finest_m} m",
            disclosed.name(),
            entry.statement.marking
        ))),
        _ => Ok(()),
    }
}

fn problem(error: KeepError) -> Problem {
    match error {
        KeepError::Unfit(error) => Problem::bad_disclosure(error.to_string()),
        KeepError::Io(error) if error.kind() == ErrorKind::StorageFull => Problem::paused(error.to_string()),
        error => Problem::internal(error.to_string()),
    }
}

/// Destroys what logs say is erased: when the node starts, and whenever a log says so of more.
pub(super) async fn sweep(api: Api) {
    let mut hints = api.shell.hints();
    if let Err(error) = api.disclosures.clear_halves() {
        failed(&api, error.to_string()).await;
    }
    let mut swept = 0;
    loop {
        let gone = api.shell.ask(|node| node.erased_statements()).await.unwrap_or_default();
        // What was erased stays so: as many as before are the same ones.
        if gone.len() > swept {
            match gone.iter().try_for_each(|id| api.disclosures.erase(id).map(drop)) {
                Ok(()) => swept = gone.len(),
                // It is not shown any more in any case, and tried again.
                Err(error) => failed(&api, error.to_string()).await,
            }
        }
        if !api.shell.hint_or_minute(&mut hints).await {
            return;
        }
    }
}

async fn failed(api: &Api, why: String) {
    // A node that is gone raises no alarm.
    let _ = api.shell.ask(move |node| node.alarm(format!("disclosures cannot be erased: {why}"))).await;
}
