//! How the node stands, and what the logs hold.
use super::Api;
use super::disclosures;
use super::files;
use super::problem::Problem;
use super::shapes;
use super::who::{Office, Who};
use crate::receipts;
use crate::state::Timed;
use axum::Json;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hamsaya_agreement::rights::Verb;
use hamsaya_record::attempt::Delivered;
use hamsaya_record::bundle;
use hamsaya_record::exhibit::WriteError;
use hamsaya_record::logs::Entry;
use hamsaya_record::note::Note;
use hamsaya_record::statement::hex;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Longest page.
const LIMIT_MAX: usize = 1_000;

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Asked {
    origin: Option<String>,
    kind: Option<String>,
    from: Option<u64>,
    limit: Option<usize>,
    index: Option<u64>,
    /// Salted fields that an exhibit is to show, with commas between them.
    disclose: Option<String>,
}

impl Asked {
    fn place(self) -> Result<(String, u64), Problem> {
        let missing = |field: &str| Problem::bad_parameter(field, "nothing", "an origin and an index");
        Ok((self.origin.ok_or_else(|| missing("origin"))?, self.index.ok_or_else(|| missing("index"))?))
    }
}

/// `GET /api/state`
pub(super) async fn state(State(api): State<Api>, who: Who) -> Result<Json<Value>, Problem> {
    let state = api.shell.ask(|node| node.state()).await?;
    let mut answer = shapes::state(&state);
    answer["clock"] = json!(api.shell.clock().name());
    if let Some(now) = api.shell.clock().now() {
        answer["now"] = json!(now.to_string());
    }
    answer["agreement"] = match api.agreement() {
        Some(agreement) => json!({
            "title": agreement.title(),
            "digest": hex(&agreement.digest()),
            "languages": agreement.languages().collect::<Vec<_>>(),
        }),
        None => Value::Null,
    };
    let peers = api.folder.config.peers.iter().map(|peer| {
        let seen_at = shapes::instant(state.seen_at.get(&peer.name).copied());
        // Where other nodes are reached is nobody's matter who is not of them.
        let url = (who != Who::Public).then_some(&peer.url);
        json!({"name": peer.name, "url": url, "role": peer.role, "seen_at": seen_at})
    });
    answer["peers"] = peers.collect();
    Ok(Json(answer))
}

/// `GET /api/entries`
pub(super) async fn entries(
    State(api): State<Api>,
    who: Who,
    Query(asked): Query<Asked>,
) -> Result<Json<Value>, Problem> {
    let limit = asked.limit.unwrap_or(100).clamp(1, LIMIT_MAX);
    let (reader, agreement, by_kind) = (who.clone(), api.agreement().cloned(), asked.kind.is_some());
    let page = api.shell.ask(move |node| {
        let (origin, kind) = (asked.origin.as_deref(), asked.kind.as_deref());
        let rights = agreement.as_ref().map(|agreement| agreement.rights());
        node.entries(origin, kind, asked.from.unwrap_or(0), limit, |statement| reader.may_read(rights, statement))
    });
    let mut page = page.await?;
    if who == Who::Public && by_kind {
        // How many of a kind are marked beyond the public would tell which entries they are.
        page.withheld.retain(|why, _| !why.starts_with("TLP:"));
    }
    who.reads(&api, page.entries.iter().map(|timed| timed.entry.as_ref()))?;
    Ok(Json(shapes::page(&page, api.rights())))
}

/// `GET /api/entries/item`
pub(super) async fn item(State(api): State<Api>, who: Who, Query(asked): Query<Asked>) -> Result<Json<Value>, Problem> {
    let (timed, leaf, delivered) = read_item(&api, &who, asked).await?;
    let mut answer = shapes::entry(&timed.entry, timed.logged, shapes::finest_m(&timed.entry.statement, api.rights()));
    // The bytes are signed and cannot be made coarser: they are given where they may leave, as an exhibit is.
    let leaf = exportable(&api, &timed.entry).is_ok().then(|| STANDARD.encode(leaf));
    answer["leaf"] = json!(leaf);
    disclosures::show(&api, &who, &timed.entry, &mut answer).await?;
    files::show(&api, &who, &timed.entry, &mut answer).await?;
    if api.folder.config.origin.as_deref() == Some(&*timed.entry.origin) {
        answer["had"] = receipts::shown(&api.receipts.of(timed.entry.index));
    }
    if !delivered.is_empty() {
        answer["delivered"] = delivered.iter().map(|(to, delivered)| shapes::delivered(to, delivered)).collect();
    }
    Ok(Json(answer))
}

/// An entry, its bytes, and to whom it is delivered by attempts.
type Item = (Timed, Vec<u8>, Vec<(String, Delivered)>);

/// An entry that may be read, written down as read. What is hidden is answered as what is not there.
async fn read_item(api: &Api, who: &Who, asked: Asked) -> Result<Item, Problem> {
    let (origin, index) = asked.place()?;
    let nothing = Problem::not_found(format!("this node holds no entry {origin} #{index}"));
    let item = api.shell.ask(move |node| node.item(&origin, index)).await?;
    let Some((timed, leaf, delivered)) = item else { return Err(nothing) };
    who.may_read(api.rights(), &timed.entry.statement).map_err(|denied| who.denied(denied, || nothing))?;
    who.reads(api, std::iter::once(timed.entry.as_ref()))?;
    Ok((timed, leaf, delivered))
}

/// Whether an entry's signed bytes may leave the node with whoever reads it.
pub(super) fn exportable(api: &Api, entry: &Entry) -> Result<(), Problem> {
    let statement = &entry.statement;
    if statement.marking == "TLP:RED" || statement.handling() == "PAP:RED" {
        return Err(Problem::handling("TLP:RED and PAP:RED are read on the node and not taken away"));
    }
    let finest_m = shapes::finest_m(statement, api.rights());
    if statement.place.as_ref().is_some_and(|place| place.precision_m < finest_m) {
        return Err(Problem::handling(format!(
            "it names a place more finely than {} allows: {finest_m} m",
            statement.marking
        )));
    }
    Ok(())
}

/// `GET /api/exhibit`
pub(super) async fn exhibit(State(api): State<Api>, who: Who, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    let (timed, ..) = read_item(&api, &who, asked.clone()).await?;
    exportable(&api, &timed.entry)?;
    let names = asked.disclose.iter().flat_map(|names| names.split(',')).filter(|name| !name.is_empty());
    let names: Vec<String> = names.map(str::to_string).collect();
    let disclosed = disclosures::chosen(&api, &who, &timed.entry, &names).await?;
    let (origin, index) = asked.place()?;
    let place = format!("{origin} #{index}");
    let is_own = api.folder.config.origin.as_deref() == Some(&*origin);
    let receipts = if is_own { api.receipts.of(index) } else { Vec::new() };
    let held: Vec<Note> = receipts.iter().filter_map(|receipt| receipt.note(&origin)).collect();
    let made = api.shell.ask(move |node| node.exhibit(&origin, index, &disclosed, &held));
    let made = made.await?.ok_or_else(|| Problem::not_found(format!("this node holds no entry {place}")))?;
    let bytes = made.map_err(|error| match error {
        WriteError::NotCosigned { .. } => {
            Problem::conflict("not_cosigned", "Too few witnesses have cosigned this entry yet", error.to_string())
        }
        error => Problem::internal(error.to_string()),
    })?;
    let id = timed.entry.statement_id.to_string();
    let name = format!("attachment; filename=\"{}.exhibit.zip\"", &id[..12]);
    Ok(([(header::CONTENT_TYPE, "application/zip".to_string()), (header::CONTENT_DISPOSITION, name)], bytes)
        .into_response())
}

/// `GET /api/bundle`
pub(super) async fn bundle(State(api): State<Api>) -> Result<Response, Problem> {
    let leaves = api.shell.ask(|node| node.leaves()).await?.map_err(|error| Problem::internal(error.to_string()))?;
    // Every signature in it is checked, which the node's own thread should not wait for.
    let made = tokio::task::spawn_blocking(move || {
        bundle::write(&leaves.founding_leaf, &leaves.logs, &leaves.notes, &BTreeMap::new())
    });
    let bytes = made.await.map_err(|error| Problem::internal(error.to_string()))?.map_err(|error| match error {
        bundle::WriteError::NotCosigned => {
            Problem::conflict("not_cosigned", "Too few witnesses have cosigned any log yet", error.to_string())
        }
        error => Problem::internal(error.to_string()),
    })?;
    let name = "attachment; filename=\"bundle.zip\"";
    Ok(([(header::CONTENT_TYPE, "application/zip"), (header::CONTENT_DISPOSITION, name)], bytes).into_response())
}

/// `GET /api/source`: what the next statement of a source is numbered, for the offices of this node's member.
pub(super) async fn source(
    State(api): State<Api>,
    who: Who,
    Query(asked): Query<BTreeMap<String, String>>,
) -> Result<Json<Value>, Problem> {
    let source = asked.get("source").cloned().unwrap_or_default();
    let own = |office: &Office| {
        office.node == api.folder.config.name && source == format!("{}/{}", office.node.to_lowercase(), office.office)
    };
    if !matches!(&who, Who::Office(office) if own(office)) {
        return Err(Problem::right("only an office of this node's member asks where its own chain stands"));
    }
    let wanted = source.clone();
    let next = api.shell.ask(move |node| node.next_of(&wanted)).await?;
    let (seq, prev) = next.ok_or_else(Problem::no_log)?;
    Ok(Json(json!({"source": source, "seq": seq, "prev": prev.map(|id| id.to_string())})))
}

/// `GET /api/refusals`: what was refused lately, newest last.
pub(super) async fn refusals(State(api): State<Api>, who: Who) -> Result<Json<Value>, Problem> {
    // What was refused was never marked; what was found in it is told to the sender alone.
    who.needs(&api, "incident", Verb::Read)?;
    let (total, recent) = api
        .shell
        .ask(|node| {
            let (total, recent) = node.refusals();
            (total, recent.map(shapes::refused).collect::<Vec<_>>())
        })
        .await?;
    Ok(Json(json!({"total": total, "refusals": recent})))
}
