//! Signing in and out, who is signed in, and the read log for those who audit it.
use super::Api;
use super::problem::Problem;
use super::who::{COOKIE_NAME, Office, Who, token};
use crate::passkeys::{Refused, Using};
use crate::readers::{LIFE, NotSignedIn, SignedIn};
use crate::reads::Day;
use crate::signed::now_s;
use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hamsaya_agreement::rights::{COLUMNS, Verb};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::PoisonError;
use std::time::Instant;

/// What a form may hold, in bytes.
const FORM_BYTES_MAX: usize = 4_096;
/// Lines of the read log in one answer.
const LINES_MAX: usize = 1_000;

/// Office and password, or a passkey.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    office: Option<String>,
    password: Option<String>,
    passkey: Option<Using>,
    purpose: String,
}

/// `GET /api/session`: who asks, and what signing in takes.
pub(super) async fn session(State(api): State<Api>, who: Who) -> Json<Value> {
    Json(said(&api, &who))
}

fn said(api: &Api, who: &Who) -> Value {
    let purposes = api.rights().map(|rights| rights.purposes().to_vec()).unwrap_or_default();
    let reads = |role: &str| -> Vec<String> {
        let role = api.rights().and_then(|rights| rights.role(role));
        let reads = |column: &&str| role.is_some_and(|r| r.grant(column, Verb::Read).is_some());
        COLUMNS.into_iter().filter(reads).map(str::to_string).collect()
    };
    let (office, role) = match who {
        Who::Office(Office { office, role, .. }) => (Some(office), role.as_str()),
        Who::Node => (None, "node"),
        Who::Public => (None, "public"),
    };
    json!({"office": office, "role": role, "reads": reads(role), "purposes": purposes})
}

/// A form's JSON. A page of another site cannot send that here without being asked first, and is not.
pub(super) async fn form<T: DeserializeOwned>(headers: &HeaderMap, body: Body, wanted: &str) -> Result<T, Problem> {
    // Read before anything is answered: a connection on which a body is left over is closed.
    let bytes = to_bytes(body, FORM_BYTES_MAX).await;
    let is_json = headers.get(header::CONTENT_TYPE).is_some_and(|t| t.as_bytes().starts_with(b"application/json"));
    if !is_json {
        return Err(Problem::bad_parameter("content-type", "another", "application/json"));
    }
    let form = bytes.ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    form.ok_or_else(|| Problem::bad_parameter("body", "something else", wanted))
}

/// `POST /api/session`: an office signs in, with its password or a passkey, and why it reads.
pub(super) async fn sign_in(
    State(api): State<Api>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    const WANTED: &str = "purpose, and office with password, or passkey";
    let form: Form = form(&headers, body, WANTED).await?;
    api.check_purpose(&form.purpose)?;
    let (sessions, dir, from) = (api.sessions.clone(), api.folder.dir.clone(), from.ip());
    let turn = api.hashing.acquire().await.map_err(|e| Problem::internal(e.to_string()))?;
    let signed = match (form.office, form.password, form.passkey) {
        (Some(office), Some(password), None) => {
            let who = SignedIn { office: office.clone(), purpose: form.purpose };
            let sign_in = move || Ok((sessions.sign_in(&dir, who, &password, from, now_s())?, office));
            tokio::task::spawn_blocking(sign_in).await
        }
        (None, None, Some(using)) => {
            let refused = |e: Refused| Problem::passkey(StatusCode::UNAUTHORIZED, e.to_string());
            let asked = api.challenges.take(&using.client_data, Instant::now()).map_err(refused)?;
            let sign_in = move || sessions.sign_in_by_passkey(&dir, &asked, &using, form.purpose, from);
            let signed = tokio::task::spawn_blocking(sign_in).await;
            let unknown = "no office here has this passkey; it may have been removed";
            match signed {
                Ok(Err(NotSignedIn::Wrong)) => return Err(Problem::passkey(StatusCode::UNAUTHORIZED, unknown)),
                signed => signed,
            }
        }
        _ => return Err(Problem::bad_parameter("body", "another choice of these", WANTED)),
    };
    drop(turn);
    let (token, office) = signed.map_err(|e| Problem::internal(e.to_string()))?.map_err(|error| match error {
        NotSignedIn::Wrong => Problem::sign_in(),
        NotSignedIn::Refused(error) => Problem::passkey(StatusCode::UNAUTHORIZED, error.to_string()),
        NotSignedIn::Wait(wait) => Problem::too_many(wait.as_secs() + 1),
        NotSignedIn::Failed(error) => Problem::internal(error.to_string()),
    })?;
    // An office that lost its role since has an account and no right.
    let role = api.role_of(&api.folder.config.name, &office).map(|role| role.name.clone());
    let Some(role) = role else {
        api.sessions.sign_out(&token);
        return Err(Problem::right(format!("roles.toml of the agreement gives the office `{office}` no role")));
    };
    let cookie = cookie(&token, LIFE.as_secs(), api.is_tls);
    Ok(([(header::SET_COOKIE, cookie)], Json(json!({"office": office, "role": role}))).into_response())
}

/// `DELETE /api/session`
pub(super) async fn sign_out(State(api): State<Api>, headers: HeaderMap) -> impl IntoResponse {
    if let Some(token) = token(&headers) {
        api.sessions.sign_out(token);
    }
    (StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie("", 0, api.is_tls))])
}

fn cookie(token: &str, seconds: u64, is_tls: bool) -> String {
    let secure = if is_tls { "; Secure" } else { "" };
    format!("{COOKIE_NAME}={token}; HttpOnly; SameSite=Strict; Path=/; Max-Age={seconds}{secure}")
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct From {
    from: Option<u64>,
    limit: Option<usize>,
}

/// `GET /api/reads`: the read log, for whoever audits it.
pub(super) async fn reads(State(api): State<Api>, who: Who, Query(asked): Query<From>) -> Result<Json<Value>, Problem> {
    who.needs(&api, "read_log", Verb::Read)?;
    let limit = asked.limit.unwrap_or(100).clamp(1, LINES_MAX);
    let mut reads = api.reads.lock().unwrap_or_else(PoisonError::into_inner);
    let lines = reads.lines(asked.from.unwrap_or(0), limit).map_err(|e| Problem::internal(e.to_string()))?;
    let (total, head) = reads.head();
    Ok(Json(json!({"total": total, "head": head, "reads": lines})))
}

/// States the head of each day that is over, once.
pub(super) async fn state_days(api: Api) {
    let mut hints = api.shell.hints();
    loop {
        if let Some(now) = api.shell.clock().now() {
            let days = api.reads.lock().unwrap_or_else(PoisonError::into_inner).days(now);
            for day in days {
                if !state_day(&api, &day).await {
                    break;
                }
                api.reads.lock().unwrap_or_else(PoisonError::into_inner).stated(&day);
            }
        }
        if !api.shell.hint_or_minute(&mut hints).await {
            return;
        }
    }
}

/// True once the day stands in the log; else it is tried again.
async fn state_day(api: &Api, day: &Day) -> bool {
    let wanted = day.clone();
    let statement = api.shell.ask(move |node| node.read_digest(&wanted)).await;
    match statement {
        Ok(crate::own::Digested::Stated) => true,
        Ok(crate::own::Digested::NotYet) | Err(_) => false,
        Ok(crate::own::Digested::Make(envelope)) => {
            matches!(api.shell.submit(envelope.to_leaf()).await, Ok(crate::node::Answer::Logged(_)))
        }
    }
}
