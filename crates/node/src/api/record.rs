//! How the node stands, and what the logs hold.
use super::Api;
use super::problem::Problem;
use super::shapes;
use axum::Json;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hamsaya_record::bundle;
use hamsaya_record::exhibit::WriteError;
use hamsaya_record::statement::hex;
use serde::Deserialize;
use serde_json::{Value, json};

/// Longest page.
const LIMIT_MAX: usize = 1_000;

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Asked {
    origin: Option<String>,
    kind: Option<String>,
    from: Option<u64>,
    limit: Option<usize>,
    index: Option<u64>,
}

impl Asked {
    fn place(self) -> Result<(String, u64), Problem> {
        let missing = |field: &str| Problem::bad_parameter(field, "nothing", "an origin and an index");
        Ok((self.origin.ok_or_else(|| missing("origin"))?, self.index.ok_or_else(|| missing("index"))?))
    }
}

/// `GET /api/state`
pub(super) async fn state(State(api): State<Api>) -> Result<Json<Value>, Problem> {
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
        json!({"name": peer.name, "url": peer.url, "role": peer.role, "seen_at": seen_at})
    });
    answer["peers"] = peers.collect();
    Ok(Json(answer))
}

/// `GET /api/entries`
pub(super) async fn entries(State(api): State<Api>, Query(asked): Query<Asked>) -> Result<Json<Value>, Problem> {
    let limit = asked.limit.unwrap_or(100).clamp(1, LIMIT_MAX);
    let page = api.shell.ask(move |node| {
        let (origin, kind) = (asked.origin.as_deref(), asked.kind.as_deref());
        node.entries(origin, kind, asked.from.unwrap_or(0), limit)
    });
    Ok(Json(shapes::page(&page.await?)))
}

/// `GET /api/entries/item`
pub(super) async fn item(State(api): State<Api>, Query(asked): Query<Asked>) -> Result<Json<Value>, Problem> {
    let (origin, index) = asked.place()?;
    let place = format!("{origin} #{index}");
    let item = api.shell.ask(move |node| node.item(&origin, index)).await?;
    let (timed, leaf) = item.ok_or_else(|| Problem::not_found(format!("this node holds no entry {place}")))?;
    let mut answer = shapes::entry(&timed.entry, timed.logged);
    answer["leaf"] = json!(STANDARD.encode(leaf));
    Ok(Json(answer))
}

/// `GET /api/exhibit`
pub(super) async fn exhibit(State(api): State<Api>, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    let (origin, index) = asked.place()?;
    let place = format!("{origin} #{index}");
    let made = api.shell.ask(move |node| {
        let id = node.item(&origin, index).map(|(timed, _)| timed.entry.statement_id.to_string());
        id.zip(node.exhibit(&origin, index))
    });
    let (id, made) = made.await?.ok_or_else(|| Problem::not_found(format!("this node holds no entry {place}")))?;
    let bytes = made.map_err(|error| match error {
        WriteError::NotCosigned { .. } => {
            Problem::conflict("not_cosigned", "Too few witnesses have cosigned this entry yet", error.to_string())
        }
        error => Problem::internal(error.to_string()),
    })?;
    let name = format!("attachment; filename=\"{}.exhibit.zip\"", &id[..12]);
    Ok(([(header::CONTENT_TYPE, "application/zip".to_string()), (header::CONTENT_DISPOSITION, name)], bytes)
        .into_response())
}

/// `GET /api/bundle`
pub(super) async fn bundle(State(api): State<Api>) -> Result<Response, Problem> {
    let leaves = api.shell.ask(|node| node.leaves()).await?.map_err(|error| Problem::internal(error.to_string()))?;
    // Every signature in it is checked, which the node's own thread should not wait for.
    let made = tokio::task::spawn_blocking(move || bundle::write(&leaves.founding_leaf, &leaves.logs, &leaves.notes));
    let bytes = made.await.map_err(|error| Problem::internal(error.to_string()))?.map_err(|error| match error {
        bundle::WriteError::NotCosigned => {
            Problem::conflict("not_cosigned", "Too few witnesses have cosigned any log yet", error.to_string())
        }
        error => Problem::internal(error.to_string()),
    })?;
    let name = "attachment; filename=\"bundle.zip\"";
    Ok(([(header::CONTENT_TYPE, "application/zip"), (header::CONTENT_DISPOSITION, name)], bytes).into_response())
}

/// `GET /api/refusals`: what was refused lately, newest last.
pub(super) async fn refusals(State(api): State<Api>) -> Result<Json<Value>, Problem> {
    let (total, recent) = api
        .shell
        .ask(|node| {
            let (total, recent) = node.refusals();
            (total, recent.map(shapes::refused).collect::<Vec<_>>())
        })
        .await?;
    Ok(Json(json!({"total": total, "refusals": recent})))
}
