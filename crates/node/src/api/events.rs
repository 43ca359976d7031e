//! Hints over server-sent events: something changed, fetch it again.
//!
//! ```text
//! event: verdict
//! id: 41
//! data: {"labels":["C14(A1, P1)"]}
//! ```
//! A listener that comes back says which hint it saw last; if what followed is not kept any more it is told `gap`.
use super::Api;
use crate::node::Hint;
use crate::shell::Shell;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use serde_json::json;
use std::convert::Infallible;
use std::time::Duration;
use tokio_stream::wrappers::ReceiverStream;

type Sent = Result<Event, Infallible>;

/// `GET /api/events`
pub(super) async fn events(State(api): State<Api>, headers: HeaderMap) -> impl IntoResponse {
    let last = headers.get("last-event-id").and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok());
    let last = last.unwrap_or_else(|| api.shell.last_hint());
    let (send, receive) = tokio::sync::mpsc::channel(64);
    tokio::spawn(tell(api.shell.clone(), last, send));
    let ping = KeepAlive::new().interval(Duration::from_secs(15)).text("ping");
    Sse::new(ReceiverStream::new(receive)).keep_alive(ping)
}

/// Tells one listener until it leaves or the node stops.
async fn tell(shell: Shell, mut last: u64, listener: tokio::sync::mpsc::Sender<Sent>) {
    let (mut hints, mut stopping) = (shell.hints(), shell.stopping());
    loop {
        hints.borrow_and_update();
        let news = match shell.hints_after(last) {
            Some(news) => news.into_iter().map(|(number, hint)| (number, event(number, &hint))).collect(),
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

fn event(number: u64, hint: &Hint) -> Event {
    let (kind, data) = match hint {
        Hint::Head { origin, size } => ("head", json!({"origin": origin, "size": size})),
        Hint::Verdict { labels } => ("verdict", json!({"labels": labels})),
        Hint::Clock { now } => ("clock", json!({"now": now.to_string()})),
    };
    Event::default().event(kind).id(number.to_string()).data(data.to_string())
}
