//! Files beside the log: which are named and held, reading one, and sending one in as many pieces as the line allows.
//!
//! ```text
//! GET   /api/files/5d41402a…                   the bytes, by the right to read an entry that names them; 410: erased
//! GET   /api/files/5d41402a…/upload            upload-offset: 65536   so many bytes came
//! PATCH /api/files/5d41402a…/upload            upload-offset: 65536   upload-complete: ?1   and the rest
//! ```
//! Sending follows the IETF's resumable uploads (draft-ietf-httpbis-resumable-upload), less their first step: a file has a place
//! as soon as an entry of this node's own log names it. So nothing can be left here that nobody signed for. Only an office of
//! this node's own member sends, which signed such an entry or may read it.
use super::Api;
use super::problem::Problem;
use super::record::exportable;
use super::shapes;
use super::who::{Gone, Office, Who};
use crate::c2pa;
use crate::files::{Arriving, FILE_BYTES_MAX, Files, NotTaken, Sha, Stands, piece};
use crate::media;
use crate::node::Status;
use crate::shell::Shell;
use crate::state::{Named, Names};
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hamsaya_agreement::rights::Denied;
use hamsaya_record::logs::Entry;
use hamsaya_record::statement::{FileRef, hex, unhex};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;

/// Longest page, in entries.
const LIMIT_MAX: usize = 1_000;
/// Bytes that are gathered before they are written.
const WRITE_BYTES: usize = 256 << 10;
/// A line that brings nothing for so long is let go; what came is kept.
const SILENCE: Duration = Duration::from_secs(60);
/// Pieces that are read ahead of a slow line.
const AHEAD: usize = 2;

const OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const COMPLETE: HeaderName = HeaderName::from_static("upload-complete");
const LIMIT: HeaderName = HeaderName::from_static("upload-limit");
const PARTIAL: &str = "application/partial-upload";

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct From {
    from: Option<u64>,
    limit: Option<usize>,
}

/// `GET /api/files`: files that entries of the own log name, and how far each is here.
pub(super) async fn list(State(api): State<Api>, who: Who, Query(asked): Query<From>) -> Result<Json<Value>, Problem> {
    let (from, limit) = (asked.from.unwrap_or(0), asked.limit.unwrap_or(100).clamp(1, LIMIT_MAX));
    let (reader, agreement) = (who.clone(), api.agreement().cloned());
    let page = api.shell.ask(move |node| {
        let rights = agreement.as_ref().map(|agreement| agreement.rights());
        node.named_files(from, limit, |statement| reader.may_read(rights, statement).is_ok())
    });
    let (page, next) = page.await?;
    who.reads(&api, page.iter().map(|named| named.entry.as_ref()))?;
    let mut all = Vec::new();
    for Named { entry, files } in page {
        for (file, erasure) in files {
            all.push((entry.clone(), file, who.told(&api, erasure).await?));
        }
    }
    let files = api.files.clone();
    let rows = blocking(move || {
        all.iter().map(|(entry, file, gone)| row(&files, entry, file, gone.as_ref())).collect::<io::Result<Vec<_>>>()
    });
    Ok(Json(json!({"files": rows.await?, "next": next, "bytes_max": FILE_BYTES_MAX})))
}

fn row(files: &Files, entry: &Entry, file: &FileRef, gone: Option<&Gone>) -> io::Result<Value> {
    let mut row = shapes::file(file);
    let (state, received) = match (gone, files.stands(&file.sha256)?) {
        (Some(_), _) => ("erased", 0),
        (None, Stands::Held(bytes)) => ("held", bytes),
        (None, Stands::Arriving(bytes)) => ("arriving", bytes),
        (None, Stands::Missing) => ("missing", 0),
    };
    row["origin"] = json!(&*entry.origin);
    row["index"] = json!(entry.index);
    row["state"] = json!(state);
    row["received"] = json!(received);
    row["erased"] = gone.map_or(Value::Null, Gone::shown);
    row["c2pa"] = match files.open(&file.sha256)? {
        // A file that cannot be looked through is a file all the same.
        Some((mut held, _)) if state == "held" => json!(c2pa::has_manifest(&mut held).ok()),
        _ => Value::Null,
    };
    Ok(row)
}

/// `GET /api/files/<sha256>`: by the right to read an entry that names it, and as far as that entry may leave the node.
pub(super) async fn read(
    State(api): State<Api>,
    who: Who,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let sha = sha_of(&name)?;
    // What comes after this may erase it while it is read.
    let hints = api.shell.hints();
    let (mut names, is_starting) =
        api.shell.ask(move |node| (node.naming(&sha), *node.status() == Status::Starting)).await?;
    let erasure = names.erasure.take();
    let mut readable = allowed(&who, &name, &names, |entry| who.may_read(api.rights(), &entry.statement))?;
    if let Some(gone) = who.told(&api, erasure).await? {
        return Err(Problem::erased(gone.0.as_ref()));
    }
    if is_starting {
        // An old disk does not know yet what was erased.
        return Err(Problem::paused("the node asks what its log came to before it gives files away"));
    }
    // Of several entries that one counts under which it may leave.
    let first = readable[0];
    let entry = readable.drain(..).find(|entry| leaves(&api, &who, entry, &sha).is_ok()).unwrap_or(first);
    leaves(&api, &who, entry, &sha)?;
    let files = api.files.clone();
    let Some((file, bytes)) = blocking(move || files.open(&sha)).await? else {
        return Err(not_held(entry));
    };
    who.reads(&api, std::iter::once(entry))?;
    let named = entry.statement.files.iter().find(|file| file.sha256 == sha);
    let media_type = named.map_or(media::UNKNOWN, |file| &file.media_type);
    let erasures = Erasures { shell: api.shell.clone(), hints, sha };
    Ok(bytes_of(file, bytes, erasures, media_type, &headers))
}

/// Says of an entry that is shown how far each of its files is here, and whether it leaves with who asks.
pub(super) async fn show(api: &Api, who: &Who, entry: &Arc<Entry>, answer: &mut Value) -> Result<(), Problem> {
    if entry.statement.files.is_empty() {
        return Ok(());
    }
    // Of files that are elsewhere nothing more is known than what was stated.
    if Some(&*entry.origin) != api.folder.config.origin.as_deref() {
        return Ok(());
    }
    // Nor of those that this entry names and does not open.
    let of = entry.clone();
    let mut opened = Vec::new();
    for (file, erasure) in api.shell.ask(move |node| node.opened_by(&of)).await? {
        opened.push((file, who.told(api, erasure).await?));
    }
    let (files, of) = (api.files.clone(), entry.clone());
    let rows = blocking(move || {
        let rows = opened.iter().map(|(file, gone)| Ok((file.sha256, row(&files, &of, file, gone.as_ref())?)));
        rows.collect::<io::Result<BTreeMap<Sha, Value>>>()
    });
    let rows = rows.await?;
    for (shown, file) in answer["files"].as_array_mut().into_iter().flatten().zip(&entry.statement.files) {
        let Some(row) = rows.get(&file.sha256) else { continue };
        for what in ["state", "received", "erased", "c2pa"] {
            shown[what] = row[what].clone();
        }
        shown["leaves"] = json!(leaves(api, who, entry, &file.sha256).is_ok());
    }
    Ok(())
}

/// SHA-256 as a path has it. Anything else is the name of nothing.
fn sha_of(name: &str) -> Result<Sha, Problem> {
    unhex(name).map_err(|_| nothing(name))
}

/// What is said of a file that nobody names, and of one that only entries name which are hidden from who asks.
fn nothing(name: &str) -> Problem {
    Problem::not_found(format!("no entry of this node's log names a file {name}"))
        .hint("a file is sent after the statement that names it; files are on their owner's node alone")
}

/// What is said of a file that did not come.
fn not_held(entry: &Entry) -> Problem {
    Problem::not_held(format!("{} #{} names it", entry.origin, entry.index))
}

/// Entries by which it is allowed, one at least; else why not, as far as that may be told.
fn allowed<'e>(
    who: &Who,
    name: &str,
    names: &'e Names,
    may: impl Fn(&Entry) -> Result<(), Denied>,
) -> Result<Vec<&'e Entry>, Problem> {
    let (mut yes, mut no) = (Vec::new(), None);
    for entry in &names.opening {
        match may(entry) {
            Ok(()) => yes.push(entry.as_ref()),
            Err(Denied::Hidden) => (),
            Err(denied) => no = no.or(Some(denied)),
        }
    }
    match no {
        _ if !yes.is_empty() => Ok(yes),
        Some(denied) => Err(who.denied(denied, || nothing(name))),
        // Whoever reads an entry that opens nothing is not told that a hidden one named the file before.
        None => Err(names.idle.iter().find(|entry| may(entry).is_ok()).map_or_else(|| nothing(name), |e| not_held(e))),
    }
}

/// Whether a file may leave with who asks: where its entry may, and to the public only what is handled without limit. An
/// original stays with its owner (people.md, S5): others are given copies made to be given.
fn leaves(api: &Api, who: &Who, entry: &Entry, sha: &Sha) -> Result<(), Problem> {
    exportable(api, entry)?;
    let is_owner = matches!(who, Who::Office(office) if office.node == api.folder.config.name);
    if !is_owner && !entry.statement.files.iter().any(|file| file.sha256 == *sha && file.working_copy) {
        return Err(Problem::handling(
            "an original stays with its owner; others are given what is stated as a working copy",
        ));
    }
    match who {
        Who::Office(_) => Ok(()),
        Who::Public | Who::Node if entry.statement.handling() == "PAP:CLEAR" => Ok(()),
        Who::Public | Who::Node => {
            Err(Problem::handling("the public is given a file that is marked TLP:CLEAR and PAP:CLEAR, and no other"))
        }
    }
}

/// The whole, or one range of it, read as fast as the line takes it.
fn bytes_of(file: File, bytes: u64, erasures: Erasures, media_type: &str, headers: &HeaderMap) -> Response {
    let sha = &erasures.sha;
    let kind = HeaderValue::from_str(media_type).unwrap_or(HeaderValue::from_static(media::UNKNOWN));
    let name = format!("attachment; filename=\"{}.{}\"", &hex(sha)[..12], media::ending(media_type));
    let about = [
        (header::CONTENT_DISPOSITION, name),
        (header::CACHE_CONTROL, "private, no-store".to_string()),
        (header::ACCEPT_RANGES, "bytes".to_string()),
        (header::ETAG, format!("\"{}\"", hex(sha))),
        (HeaderName::from_static("repr-digest"), format!("sha-256=:{}:", STANDARD.encode(sha))),
    ];
    let (status, from, length, range) = match range(headers, bytes) {
        Ok(None) => (StatusCode::OK, 0, bytes, None),
        Ok(Some((from, to))) => {
            (StatusCode::PARTIAL_CONTENT, from, to - from + 1, Some(format!("bytes {from}-{to}/{bytes}")))
        }
        Err(()) => {
            let beyond = format!("bytes */{bytes}");
            return (StatusCode::RANGE_NOT_SATISFIABLE, [(header::CONTENT_RANGE, beyond)]).into_response();
        }
    };
    let (send, receive) = tokio::sync::mpsc::channel(AHEAD);
    tokio::spawn(read_on(file, from, length, erasures, send));
    let mut response = (status, about, Body::from_stream(ReceiverStream::new(receive))).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    if let Some(range) = range.and_then(|range| HeaderValue::from_str(&range).ok()) {
        response.headers_mut().insert(header::CONTENT_RANGE, range);
    }
    response
}

/// `range: bytes=0-99`, `bytes=100-`, `bytes=-100`: first and last byte. What is none of these is answered with the whole, as it
/// may be; `Err`: it begins beyond the end.
fn range(headers: &HeaderMap, bytes: u64) -> Result<Option<(u64, u64)>, ()> {
    let Some(range) = headers.get(header::RANGE).and_then(|v| v.to_str().ok()) else { return Ok(None) };
    let Some((from, to)) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Ok(None);
    };
    let last = bytes.checked_sub(1).ok_or(())?;
    Ok(match (from.parse::<u64>(), to.parse::<u64>()) {
        (Ok(from), _) if from > last => return Err(()),
        (Ok(from), Ok(to)) if from <= to => Some((from, to.min(last))),
        (Ok(from), Err(_)) if to.is_empty() => Some((from, last)),
        (Err(_), Ok(0)) if from.is_empty() => return Err(()),
        (Err(_), Ok(most)) if from.is_empty() => Some((bytes.saturating_sub(most), last)),
        _ => None,
    })
}

/// What may erase a file while it is read.
struct Erasures {
    shell: Shell,
    hints: watch::Receiver<u64>,
    sha: Sha,
}

impl Erasures {
    /// Whether it was erased since this was last asked; a log that did not grow erased nothing.
    async fn came(&mut self) -> bool {
        if !self.hints.has_changed().unwrap_or(true) {
            return false;
        }
        self.hints.borrow_and_update();
        let sha = self.sha;
        self.shell.ask(move |node| node.erasure_of_file(&sha).is_some()).await.unwrap_or(true)
    }
}

async fn read_on(
    file: File,
    from: u64,
    mut left: u64,
    mut erasures: Erasures,
    line: tokio::sync::mpsc::Sender<io::Result<Bytes>>,
) {
    use std::io::{Seek as _, SeekFrom};
    let mut file = Some(file);
    let mut begins = Some(SeekFrom::Start(from));
    while let (Some(mut held), true) = (file.take(), left > 0) {
        if erasures.came().await {
            // Whoever reads sees that it broke off: less came than was announced.
            let _ = line.send(Err(io::Error::other("it was erased"))).await;
            return;
        }
        let seek = begins.take();
        let read = tokio::task::spawn_blocking(move || {
            if let Some(seek) = seek {
                held.seek(seek)?;
            }
            let read = piece(&mut held, left)?;
            Ok((held, read))
        });
        let said = match read.await.map_err(io::Error::other).and_then(|read: io::Result<_>| read) {
            Ok((_, read)) if read.is_empty() => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
            Ok((held, read)) => {
                left -= read.len() as u64;
                file = Some(held);
                Ok(Bytes::from(read))
            }
            Err(error) => Err(error),
        };
        // Whoever listened may have gone.
        if line.send(said).await.is_err() {
            return;
        }
    }
}

/// A file that an office of our own may send: how far it is here, and how many bytes it may have.
struct Expected {
    sha: Sha,
    stands: Stands,
    bytes_max: u64,
}

impl Expected {
    async fn of(api: &Api, who: &Who, name: &str) -> Result<Expected, Problem> {
        let own = &api.folder.config.name;
        let office = match who {
            Who::Office(office) if office.node == *own => office,
            _ => return Err(Problem::right(format!("only an office of {own} sends files to its node"))),
        };
        let sha = sha_of(name)?;
        let names = api.shell.ask(move |node| node.naming(&sha)).await?;
        let may = |entry: &Entry| match signed(office, entry) {
            true => Ok(()),
            false => who.may_read(api.rights(), &entry.statement),
        };
        let entries = allowed(who, name, &names, may)?;
        if let Some(gone) = who.told(api, names.erasure.clone()).await? {
            return Err(Problem::erased(gone.0.as_ref()));
        }
        let named = entries.iter().flat_map(|entry| &entry.statement.files).filter(|file| file.sha256 == sha);
        let bytes = named.map(|file| file.bytes).max().unwrap_or_default();
        if bytes > FILE_BYTES_MAX {
            return Err(Problem::file_too_large(bytes, FILE_BYTES_MAX)
                .hint("a node keeps files of up to 2 GiB; keep it elsewhere, its hash proves it all the same"));
        }
        let files = api.files.clone();
        let stands = blocking(move || files.stands(&sha)).await?;
        Ok(Expected { sha, stands, bytes_max: bytes })
    }

    /// How far it is, in headers and in words.
    fn told(&self) -> Response {
        let (bytes, complete) = match self.stands {
            Stands::Held(bytes) => (bytes, true),
            Stands::Arriving(bytes) => (bytes, false),
            Stands::Missing => (0, false),
        };
        let said =
            json!({"sha256": hex(&self.sha), "received": bytes, "complete": complete, "bytes_max": self.bytes_max});
        let mut response = (held_headers(bytes, complete), Json(said)).into_response();
        if let Ok(limit) = HeaderValue::from_str(&format!("max-size={}", self.bytes_max)) {
            response.headers_mut().insert(LIMIT, limit);
        }
        response
    }
}

/// Whether an office's key is one that signed an entry.
fn signed(office: &Office, entry: &Entry) -> bool {
    entry.signers.iter().any(|signer| {
        let name = signer.keyid.rsplit_once('+').map_or("", |(name, _)| name);
        signer.node == office.node && name.rsplit('/').next() == Some(&office.office)
    })
}

fn held_headers(bytes: u64, complete: bool) -> [(HeaderName, HeaderValue); 3] {
    [
        (OFFSET, HeaderValue::from(bytes)),
        (COMPLETE, HeaderValue::from_static(if complete { "?1" } else { "?0" })),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ]
}

/// `GET /api/files/<sha256>/upload`, and `HEAD`: how many bytes came.
pub(super) async fn stands(State(api): State<Api>, who: Who, Path(name): Path<String>) -> Result<Response, Problem> {
    Ok(Expected::of(&api, &who, &name).await?.told())
}

/// `PATCH /api/files/<sha256>/upload`: the next bytes.
pub(super) async fn send(
    State(api): State<Api>,
    who: Who,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let text = |name: &HeaderName| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or("nothing");
    let bad = |name: &HeaderName, allowed: &str| Problem::bad_parameter(name.as_str(), text(name), allowed);
    if text(&header::CONTENT_TYPE) != PARTIAL {
        return Err(bad(&header::CONTENT_TYPE, PARTIAL));
    }
    let offset: u64 = text(&OFFSET).parse().map_err(|_| bad(&OFFSET, "how many bytes came before"))?;
    let is_last = match text(&COMPLETE) {
        "?1" => true,
        "?0" => false,
        _ => return Err(bad(&COMPLETE, "?1 if these are the last bytes, ?0 if more follow")),
    };
    let expected = Expected::of(&api, &who, &name).await?;
    if matches!(expected.stands, Stands::Held(_)) {
        return Ok(expected.told());
    }
    let (sha, bytes_max) = (expected.sha, expected.bytes_max);
    if let Some(why) = api.shell.ask(|node| node.lacks_room()).await? {
        return Err(Problem::no_room(why));
    }
    let files = api.files.clone();
    let arriving = blocking_taken(move || files.arrive(&sha, offset, bytes_max)).await;
    let taken = match arriving {
        Ok(arriving) => take(&api, arriving, body).await,
        Err(error) => Err(error),
    };
    let (taken, broke_off) = match taken {
        Ok(Taken { arriving, broke_off: None }) if is_last => {
            (blocking_taken(move || arriving.finish()).await.map(|bytes| (bytes, true)), None)
        }
        Ok(Taken { arriving, broke_off }) => {
            (blocking_taken(move || arriving.pause()).await.map(|bytes| (bytes, false)), broke_off)
        }
        Err(error) => (Err(error), None),
    };
    // It may have been erased while it came, before there was anything here to be deleted.
    let erasure = api.shell.ask(move |node| node.erasure_of_file(&sha)).await?;
    if let Some(gone) = who.told(&api, erasure).await? {
        let files = api.files.clone();
        blocking(move || files.erase(&sha)).await?;
        return Err(Problem::erased(gone.0.as_ref()));
    }
    let (bytes, complete) = taken.map_err(|error| refused(error, &sha))?;
    if let Some(why) = broke_off {
        return Err(Problem::paused(why).hint("ask how many bytes came, and send the rest"));
    }
    if !complete {
        return Ok((StatusCode::NO_CONTENT, held_headers(bytes, false)).into_response());
    }
    let said = json!({"sha256": hex(&sha), "received": bytes, "complete": true, "bytes_max": bytes_max});
    Ok((StatusCode::CREATED, held_headers(bytes, true), Json(said)).into_response())
}

/// What came of a body, and why not more.
struct Taken {
    arriving: Arriving,
    broke_off: Option<String>,
}

/// Writes a body down as it comes.
async fn take(api: &Api, mut arriving: Arriving, body: Body) -> Result<Taken, NotTaken> {
    let (mut frames, mut stopping) = (body.into_data_stream(), api.shell.stopping());
    let mut gathered = Vec::with_capacity(WRITE_BYTES);
    let mut ends = None;
    while ends.is_none() {
        let frame = tokio::select! {
            frame = tokio::time::timeout(SILENCE, frames.next()) => frame,
            _ = stopping.wait_for(|stop| *stop) => Ok(Some(Err(axum::Error::new("the node is stopping")))),
        };
        match frame {
            Ok(Some(Ok(bytes))) => gathered.extend_from_slice(&bytes),
            Ok(Some(Err(error))) => ends = Some(Some(error.to_string())),
            Ok(None) => ends = Some(None),
            Err(_) => ends = Some(Some(format!("nothing came for {} s", SILENCE.as_secs()))),
        }
        if gathered.len() < WRITE_BYTES && ends.is_none() {
            continue;
        }
        let piece = std::mem::replace(&mut gathered, Vec::with_capacity(WRITE_BYTES));
        // The writer goes along, so that nobody else writes this file before the piece is down, whoever hangs up.
        let written = blocking_taken(move || {
            let written = arriving.write(&piece);
            Ok((arriving, written))
        });
        let (back, written) = written.await?;
        arriving = back;
        if let Err(error) = written {
            // What came before it is kept; whether it is durable, on such a disk, the next to ask is told by its length.
            let _ = blocking_taken(move || arriving.pause()).await;
            return Err(error);
        }
    }
    Ok(Taken { arriving, broke_off: ends.flatten() })
}

fn refused(error: NotTaken, sha: &Sha) -> Problem {
    match error {
        NotTaken::Held => Problem::paused("it came by another request at this moment").hint("ask again"),
        NotTaken::Busy => {
            let detail = "it arrives by another request at this moment";
            Problem::conflict("arriving", "Somebody else sends it now", detail).hint("ask again in a minute")
        }
        NotTaken::Offset { found, allowed } => Problem::upload_offset(found, allowed),
        NotTaken::TooLong(most) => Problem::file_too_large(format!("more than {most}"), most),
        NotTaken::NoRoom(why) => Problem::no_room(why),
        NotTaken::WrongDigest(found) => Problem::wrong_digest(&hex(&found), &hex(sha)),
        NotTaken::Io(error) => Problem::internal(error.to_string()),
    }
}

/// Does what a disk may be slow in, beside the threads that answer.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|e| Problem::internal(e.to_string()))?;
    done.map_err(|e| Problem::internal(e.to_string()))
}

async fn blocking_taken<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, NotTaken> + Send + 'static,
) -> Result<T, NotTaken> {
    tokio::task::spawn_blocking(work).await.map_err(|e| NotTaken::Io(io::Error::other(e)))?
}

/// Deletes what the log says is erased: at the start, and whenever the log grew.
pub(super) async fn erase(api: Api) {
    let mut hints = api.shell.hints();
    let mut gone = BTreeSet::new();
    loop {
        let erased = api.shell.ask(|node| node.erased_files()).await.unwrap_or_default();
        for sha in erased {
            let files = api.files.clone();
            if gone.contains(&sha) {
                continue;
            }
            match blocking(move || files.erase(&sha)).await {
                Ok(_) => drop(gone.insert(sha)),
                Err(_) => {
                    // It is not given any more in any case, and tried again. A node that is gone raises no alarm.
                    let what = format!("{} was erased and cannot be deleted from files/", hex(&sha));
                    let _ = api.shell.ask(move |node| node.alarm(what)).await;
                }
            }
        }
        if !api.shell.hint_or_minute(&mut hints).await {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_read_as_it_is_written() {
        let check = |asked: &str, expected: Result<Option<(u64, u64)>, ()>| {
            let headers = HeaderMap::from_iter([(header::RANGE, HeaderValue::from_str(asked).unwrap())]);
            assert_eq!(range(&headers, 10), expected, "{asked}");
        };
        check("bytes=0-3", Ok(Some((0, 3))));
        check("bytes=4-", Ok(Some((4, 9))));
        check("bytes=4-99", Ok(Some((4, 9))));
        check("bytes=-4", Ok(Some((6, 9))));
        check("bytes=-40", Ok(Some((0, 9))));
        check("bytes=10-", Err(()));
        check("bytes=-0", Err(()));
        check("bytes=4-2", Ok(None));
        check("bytes=0-1,4-5", Ok(None));
        check("lines=1-2", Ok(None));
        let empty = HeaderMap::from_iter([(header::RANGE, HeaderValue::from_static("bytes=0-"))]);
        assert_eq!((range(&empty, 0), range(&HeaderMap::new(), 0)), (Err(()), Ok(None)));
    }
}
