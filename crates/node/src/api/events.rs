//! Hints over server-sent events: something changed, fetch it again.
//!
//! ```text
//! event: verdict
//! id: 41
//! data: {"labels":["C14(A1, P1)"]}
//! ```
//! A listener that comes back says which hint it saw last; if what followed is not kept any more it is told `gap`. One that is
//! signed in is told as long as its session is open; then the stream ends, and whoever comes back is who he is then.
use super::Api;
use super::who::{Who, token};
use crate::node::Hint;
use crate::signed;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use hamsaya_agreement::rights::Verb;
use serde_json::json;
use std::convert::Infallible;
use std::time::Duration;
use tokio_stream::wrappers::ReceiverStream;

/// Without any hint an open session is looked at this often.
const LOOK: Duration = Duration::from_secs(5);

type Sent = Result<Event, Infallible>;

/// `GET /api/events`
///
/// Which verdicts changed is told to whoever may see all of them; others are told that something did.
pub(super) async fn events(State(api): State<Api>, who: Who, headers: HeaderMap) -> impl IntoResponse {
    let reads = who.needs(&api, "finding", Verb::Read).is_ok();
    let last = headers.get("last-event-id").and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok());
    let last = last.unwrap_or_else(|| api.shell.last_hint());
    let (send, receive) = tokio::sync::mpsc::channel(64);
    // Who signs his request has no session.
    let is_signed = headers.contains_key(signed::INPUT);
    let session = token(&headers).filter(|_| !is_signed && matches!(who, Who::Office(_))).map(str::to_string);
    tokio::spawn(tell(api, who, session, reads, last, send));
    let ping = KeepAlive::new().interval(Duration::from_secs(15)).text("ping");
    Sse::new(ReceiverStream::new(receive)).keep_alive(ping)
}

/// Tells one listener until it leaves, its session ends or the node stops.
async fn tell(
    api: Api,
    who: Who,
    session: Option<String>,
    reads: bool,
    mut last: u64,
    listener: tokio::sync::mpsc::Sender<Sent>,
) {
    let shell = &api.shell;
    let (mut hints, mut stopping, mut signed_out) = (shell.hints(), shell.stopping(), api.sessions.signed_out());
    loop {
        if session.as_ref().is_some_and(|token| !api.sessions.is_open(&api.folder.dir, token)) {
            return;
        }
        hints.borrow_and_update();
        let news: Vec<(u64, Event)> = match shell.hints_after(last) {
            Some(news) => {
                let names = news.iter().any(|(_, hint)| matches!(hint, Hint::Verdict { .. }));
                let all = reads && names && who.sight(&api).await.is_ok_and(|sight| !sight.hides());
                news.into_iter().map(|(number, hint)| (number, event(number, &hint, all))).collect()
            }
            None => {
                let newest = shell.last_hint();
                vec![(newest, Event::default().event("gap").id(newest.to_string()).data("{}"))]
            }
        };
        for (number, event) in news {
            last = number;
            if listener.send(Ok(event)).await.is_err() {
                return;
            }
        }
        let goes_on = tokio::select! {
            changed = hints.changed() => changed.is_ok(),
            changed = signed_out.changed() => changed.is_ok(),
            // A session ends by time, too, and an account by a file.
            () = tokio::time::sleep(LOOK), if session.is_some() => true,
            _ = stopping.wait_for(|stop| *stop) => false,
            () = listener.closed() => false,
        };
        if !goes_on {
            return;
        }
    }
}

fn event(number: u64, hint: &Hint, all: bool) -> Event {
    let (kind, data) = match hint {
        Hint::Head { origin, size } => ("head", json!({"origin": origin, "size": size})),
        Hint::Verdict { labels } => ("verdict", json!({"labels": if all { labels.as_slice() } else { &[] }})),
        Hint::Clock { now } => ("clock", json!({"now": now.to_string()})),
    };
    Event::default().event(kind).id(number.to_string()).data(data.to_string())
}
