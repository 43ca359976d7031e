//! Taking statements in, and moving a scenario's clock.
use super::Api;
use super::problem::Problem;
use super::shapes;
use crate::clock::ClockError;
use crate::node::Answer;
use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use hamsaya_record::Instant;
use hamsaya_record::envelope::INTAKE_BYTES_MAX;
use serde_json::{Value, json};
use std::net::SocketAddr;

/// Many statements in one body: so many bytes.
const MANY_BYTES_MAX: usize = 64 << 20;
const MANY: &str = "application/x-ndjson";

/// `POST /api/statements`: answers once the statement is durable, never before.
pub(super) async fn submit(State(api): State<Api>, headers: HeaderMap, body: Body) -> Result<Response, Problem> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("");
    if content_type.starts_with(MANY) {
        return many(&api, body).await;
    }
    let answer = match to_bytes(body, INTAKE_BYTES_MAX + 1).await {
        Ok(bytes) => api.shell.submit(bytes.to_vec()).await?,
        Err(_) => api.shell.overlong().await?,
    };
    answered(answer).map(|receipt| Json(receipt).into_response())
}

/// One statement a line; each is taken or refused for itself, in order, and the answers come in the same order.
async fn many(api: &Api, body: Body) -> Result<Response, Problem> {
    let bytes = to_bytes(body, MANY_BYTES_MAX)
        .await
        .map_err(|_| Problem::bad_parameter("body", "a longer one", "64 MiB in one request"))?;
    let lines = bytes.split(|b| *b == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect();
    let mut out = String::new();
    for answer in api.shell.submit_all(lines).await? {
        let value = answered(answer).unwrap_or_else(|problem| problem.to_json());
        out.push_str(&value.to_string());
        out.push('\n');
    }
    Ok(([(header::CONTENT_TYPE, MANY)], out).into_response())
}

fn answered(answer: Answer) -> Result<Value, Problem> {
    match answer {
        Answer::Logged(receipt) => Ok(shapes::receipt(&receipt)),
        Answer::Refused(refusal) => Err(Problem::refused(&refusal)),
        Answer::NoLog => Err(Problem::no_log()),
        Answer::Paused(why) => Err(Problem::paused(why)),
        Answer::Witness(_) | Answer::NoMirror | Answer::Noted | Answer::Mirror(_) => {
            Err(Problem::internal("a witness or a mirror answered for a log"))
        }
    }
}

/// `POST /api/clock`: moves a scenario's clock, from this machine only.
pub(super) async fn clock(
    State(api): State<Api>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    Json(body): Json<Value>,
) -> Result<Json<Value>, Problem> {
    if !from.ip().is_loopback() {
        return Err(Problem::forbidden("a scenario's clock is moved from this machine only"));
    }
    let text = body["now"].as_str().unwrap_or_default();
    let allowed = "an instant like `2026-11-24T20:00:00Z`";
    let to: Instant = text.parse().map_err(|_| Problem::bad_parameter("now", text, allowed))?;
    match api.shell.set_clock(to) {
        Ok(()) => {
            // Answered once the node has seen it: what is sent next is stamped with it.
            api.shell.ask(|_| ()).await?;
            Ok(Json(json!({"now": to.to_string()})))
        }
        Err(ClockError::System) => {
            Err(Problem::forbidden(ClockError::System.to_string()).hint("start it with --scenario-clock"))
        }
        Err(back) => Err(Problem::conflict("clock_back", "A clock never goes back", back.to_string())),
    }
}
