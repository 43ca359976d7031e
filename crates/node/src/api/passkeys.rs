//! Passkeys of the office that is signed in, and the questions that browsers answer with one.
use super::Api;
use super::problem::Problem;
use super::session::form;
use super::who::token;
use crate::accounts::{self, Account, AccountError, Kept};
use crate::passkeys::{Algorithm, Bytes, CHALLENGE_LIFE, Making, Passkey, Site};
use crate::readers::SignedIn;
use crate::signed::now_s;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use hamsaya_record::Instant;
use serde_json::{Value, json};

/// `POST /api/passkeys/challenge`: a question for a browser. Who is signed in may add a passkey with the answer, anybody may
/// sign in with it.
pub(super) async fn challenge(State(api): State<Api>, headers: HeaderMap) -> Result<Json<Value>, Problem> {
    let origin = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok()).unwrap_or_default();
    let site = Site::of(origin, &api.authorities).ok_or_else(|| Problem::no_passkeys(origin, &api.authorities))?;
    let office = signed_in(&api, &headers).ok().map(|who| who.office);
    let making = match office.clone() {
        Some(office) => Some(on_disk(&api, move |dir| accounts::user(dir, &office)).await?),
        None => None,
    };
    let asked = api.challenges.ask(site, office, std::time::Instant::now());
    let asked = asked.map_err(|e| Problem::internal(format!("the system gives no randomness: {e}")))?;
    Ok(Json(json!({
        "challenge": Bytes(asked.challenge.to_vec()),
        "rp_id": asked.site.rp_id,
        "timeout_ms": CHALLENGE_LIFE.as_millis() as u64,
        "making": making.map(|account| making_of(&account)),
    })))
}

/// What a browser needs to make one: for whom, how, and which devices have one already.
fn making_of(account: &Account) -> Value {
    let has: Vec<&Bytes> = account.passkeys.iter().map(|kept| &kept.passkey.id).collect();
    json!({
        "office": account.office,
        "user": account.user,
        "algorithms": Algorithm::ALL.map(|(_, number)| number),
        "has": has,
    })
}

/// `GET /api/passkeys`: those of the office that is signed in.
pub(super) async fn list(State(api): State<Api>, headers: HeaderMap) -> Result<Json<Value>, Problem> {
    let office = signed_in(&api, &headers)?.office;
    let accounts = on_disk(&api, accounts::list).await?;
    let own = accounts.iter().find(|account| account.office == office);
    let passkeys: Vec<Value> = own.into_iter().flat_map(|account| &account.passkeys).map(said).collect();
    Ok(Json(json!({"passkeys": passkeys})))
}

fn said(kept: &Kept) -> Value {
    let added_at = Instant(i64::try_from(kept.added_s).unwrap_or(i64::MAX)).to_string();
    json!({"label": kept.label, "rp_id": kept.rp_id, "added_at": added_at})
}

/// `POST /api/passkeys`: adds one to the office that is signed in.
pub(super) async fn add(
    State(api): State<Api>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<Value>), Problem> {
    const WANTED: &str = "client_data, authenticator_data, public_key and algorithm";
    let making: Making = form(&headers, body, WANTED).await?;
    let office = signed_in(&api, &headers)?.office;
    let refused = |error: crate::passkeys::Refused| Problem::passkey(StatusCode::BAD_REQUEST, error.to_string());
    let asked = api.challenges.take(&making.client_data, std::time::Instant::now()).map_err(refused)?;
    // A question that another office was asked is not answered by this one.
    if asked.office.as_ref() != Some(&office) {
        return Err(refused(crate::passkeys::Refused::Challenge));
    }
    let passkey = Passkey::made(&asked, &making).map_err(refused)?;
    let kept = on_disk(&api, move |dir| accounts::add(dir, &office, &asked.site.rp_id, passkey, now_s())).await?;
    Ok((StatusCode::CREATED, Json(said(&kept))))
}

/// `DELETE /api/passkeys/{label}`: takes one away; sessions that it opened end.
pub(super) async fn remove(
    State(api): State<Api>,
    headers: HeaderMap,
    Path(label): Path<String>,
) -> Result<StatusCode, Problem> {
    let office = signed_in(&api, &headers)?.office;
    on_disk(&api, move |dir| accounts::remove_passkey(dir, &office, &label)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The office whose session this is: a key that signs requests adds no passkey, and no office of another node does.
fn signed_in(api: &Api, headers: &HeaderMap) -> Result<SignedIn, Problem> {
    let who = token(headers).and_then(|token| api.sessions.of(&api.folder.dir, token));
    who.ok_or_else(|| Problem::right("only the office that is signed in at this node has its passkeys here"))
}

async fn on_disk<T: Send + 'static>(
    api: &Api,
    work: impl FnOnce(&std::path::Path) -> Result<T, AccountError> + Send + 'static,
) -> Result<T, Problem> {
    let dir = api.folder.dir.clone();
    let done = tokio::task::spawn_blocking(move || work(&dir)).await;
    done.map_err(|e| Problem::internal(e.to_string()))?.map_err(|error| match error {
        AccountError::NoPasskey { .. } => Problem::not_found(error.to_string()),
        AccountError::TooMany(_) => {
            Problem::conflict("too_many_passkeys", "No room for another passkey", error.to_string())
        }
        AccountError::Known(_) => Problem::conflict("known_passkey", "This passkey is here already", error.to_string()),
        _ => Problem::internal(error.to_string()),
    })
}
