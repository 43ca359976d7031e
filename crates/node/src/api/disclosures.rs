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
use crate::node::{Node, Status};
use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, header};
use hamsaya_record::disclosure::{self, Disclosure};
use hamsaya_record::logs::Entry;
use hamsaya_record::statement::{ITEMS_MAX, StatementId};
use hamsaya_record::store::Store;
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

/// An entry that may be read, and what is known of what is salted in it.
struct Found {
    entry: Arc<Entry>,
    stands: Stands,
}

/// Whether what is salted in an entry is shown at all.
enum Stands {
    Kept,
    /// Why it is gone.
    Erased(Erasure),
    /// An old disk does not know yet what was erased.
    Unknown,
}

impl Stands {
    fn of<S: Store>(node: &Node<S>, entry: &Entry) -> Stands {
        match node.erasure_of(entry) {
            Some(erasure) => Stands::Erased(erasure),
            None if *node.status() == Status::Starting => Stands::Unknown,
            None => Stands::Kept,
        }
    }

    /// Refused if it is gone.
    async fn is_not_erased(&self, api: &Api, who: &Who) -> Result<(), Problem> {
        let Stands::Erased(erasure) = self else { return Ok(()) };
        let gone = who.told(api, Some(erasure.clone())).await?;
        Err(Problem::erased(gone.as_ref().and_then(|gone| gone.0.as_ref())))
    }

    /// Refused unless it is kept, for all that is known.
    async fn is_kept(&self, api: &Api, who: &Who) -> Result<(), Problem> {
        match self {
            Stands::Unknown => Err(Problem::paused("the node asks what its log came to before it shows disclosures")),
            Stands::Kept | Stands::Erased(_) => self.is_not_erased(api, who).await,
        }
    }
}

async fn find(api: &Api, who: &Who, asked: &Asked) -> Result<Found, Problem> {
    let text = asked.statement.as_deref().unwrap_or_default();
    let allowed = "the id of a statement, 64 hex digits";
    let id: StatementId = text.parse().map_err(|_| Problem::bad_parameter("statement", text, allowed))?;
    let nothing = || Problem::not_found(format!("this node holds no statement {id}"));
    let found = api.shell.ask(move |node| {
        let entry = node.entry_of(&id)?;
        let stands = Stands::of(node, &entry);
        Some(Found { entry, stands })
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
    let Found { entry, stands } = find(&api, &who, &asked).await?;
    if !entry.signers.iter().any(|signer| signer.node == *member) {
        return Err(Problem::right(format!("{member} did not sign it: only who stated it says what is salted in it")));
    }
    let bytes = to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| Problem::too_large(BODY_BYTES_MAX))?;
    let form: Form = serde_json::from_slice(&bytes)
        .map_err(|_| Problem::bad_parameter("body", "something else", "{\"disclosures\":[…]}"))?;
    stands.is_not_erased(&api, &who).await?;
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
    let stands = api.shell.ask(move |node| Stands::of(node, &asked_again)).await?;
    if matches!(stands, Stands::Erased(_)) {
        api.disclosures.erase(&entry.statement_id).map_err(|error| Problem::internal(error.to_string()))?;
    }
    stands.is_not_erased(&api, &who).await?;
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
    let Found { entry, stands } = find(&api, &who, &asked).await?;
    if !is_own(&api, &who) {
        return Err(Problem::right("what a node was given is read by the offices of its own member"));
    }
    stands.is_kept(&api, &who).await?;
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
    let stands = api.shell.ask(move |node| Stands::of(node, &asked)).await?;
    let kept = if matches!(stands, Stands::Kept) && is_own(api, who) { of(api, entry)? } else { Vec::new() };
    let finest_m = shapes::finest_m(&entry.statement, api.rights());
    let shown = kept.iter().map(|d| (d.name().to_string(), shapes::disclosed(d, finest_m)));
    answer["disclosed"] = shown.collect::<Map<_, _>>().into();
    answer["withheld"] = json!(entry.statement.salted.len() - kept.len());
    let erasure = match stands {
        Stands::Erased(erasure) => Some(erasure),
        Stands::Kept | Stands::Unknown => None,
    };
    answer["erased"] = who.told(api, erasure).await?.map_or(Value::Null, |gone| gone.shown());
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
    api.shell.ask(move |node| Stands::of(node, &asked)).await?.is_kept(api, who).await?;
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
