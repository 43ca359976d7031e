//! Hints over server-sent events: something changed, fetch it again.
//!
//! ```text
//! event: verdict
//! id: 41
//! data: {"labels":["C14(A1, P1)"]}
//! ```
//! A listener that comes back says which hint it saw last; if what followed is not kept any more it is told `gap`.
use super::Api;
use super::who::Who;
use crate::node::Hint;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use hamsaya_agreement::rights::Verb;
use serde_json::json;
use std::convert::Infallible;
use std::time::Duration;
use tokio_stream::wrappers::ReceiverStream;

type Sent = Result<Event, Infallible>;

/// `GET /api/events`
///
/// Which verdicts changed is told to whoever may see all of them; others are told that something did.
pub(super) async fn events(State(api): State<Api>, who: Who, headers: HeaderMap) -> impl IntoResponse {
    let reads = who.needs(&api, "finding", Verb::Read).is_ok();
    let last = headers.get("last-event-id").and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok());
    let last = last.unwrap_or_else(|| api.shell.last_hint());
    let (send, receive) = tokio::sync::mpsc::channel(64);
    tokio::spawn(tell(api, who, reads, last, send));
    let ping = KeepAlive::new().interval(Duration::from_secs(15)).text("ping");
    Sse::new(ReceiverStream::new(receive)).keep_alive(ping)
}

/// Tells one listener until it leaves or the node stops.
async fn tell(api: Api, who: Who, reads: bool, mut last: u64, listener: tokio::sync::mpsc::Sender<Sent>) {
    let shell = &api.shell;
    let (mut hints, mut stopping) = (shell.hints(), shell.stopping());
    loop {
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
