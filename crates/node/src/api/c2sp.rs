//! C2SP paths: tiles and checkpoints of the own log and of copies (tlog-tiles), the witness (tlog-witness), and
//! the mirror (tlog-mirror).
//!
//! ```text
//! GET  /log/checkpoint              text/plain; charset=utf-8   cached 5 s at most, ETag; held if asked with `prefer: wait=20`
//! GET  /log/tile/0/000.p/7          application/octet-stream    immutable
//! POST /witness/add-checkpoint      200 400 403 404 409 422
//! POST /mirror/add-checkpoint       the same, and nothing is signed
//! POST /mirror/add-entries          200 202 400 404 409 422
//! ```
//! A checkpoint is shown with one line of each key, its latest: readers elsewhere refuse two. Holding a question for news (RFC 7240) is ours; who does not ask for it never meets it.
use super::Api;
use super::problem::Problem;
use super::who::{Bringing, Who};
use crate::node::{Answer, Brought};
use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flate2::read::GzDecoder;
use hamsaya_record::founding::Founding;
use hamsaya_record::mirror::{MirrorAnswer, WAITING_BYTES_MAX};
use hamsaya_record::note::NOTE_BYTES_MAX;
use hamsaya_record::statement::{StatementId, hex};
use hamsaya_record::store::Store as _;
use hamsaya_record::tile::{Level, Tile};
use hamsaya_record::tiles::Place;
use hamsaya_record::witness::{WitnessAnswer, origin_hash};
use std::collections::BTreeMap;
use std::io::Read as _;
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_stream::StreamExt as _;

const TEXT: &str = "text/plain; charset=utf-8";
const OCTETS: &str = "application/octet-stream";
/// So often is a tile looked for that moves.
const TRIES: usize = 4;
/// News of further cosignatures alone waits so long for more of them: a heartbeat brings one from each witness.
const GATHER: Duration = Duration::from_secs(5);
/// So much of one `add-entries` is read.
const UPLOAD_BYTES_MAX: usize = WAITING_BYTES_MAX;
/// So long may it take; the whole packages that came count.
const UPLOAD_PATIENCE: Duration = Duration::from_secs(60);
/// So many who are not known bring entries at once.
const OTHERS_MAX: usize = 2;
/// So long a member's request waits for the one before it.
const LINE_PATIENCE: Duration = Duration::from_secs(20);
const NO_MIRROR: &str = "this node mirrors no log: it has no key for it";
/// No question is held longer.
const HOLD_S_MAX: u64 = 60;

/// `GET /log/checkpoint`
pub(super) async fn own_checkpoint(State(api): State<Api>, headers: HeaderMap) -> Result<Response, Problem> {
    let origin = api.folder.config.origin.clone().ok_or_else(Problem::no_log)?;
    checkpoint(&api, origin, &headers).await
}

/// `GET /peer/<hash>/checkpoint`
pub(super) async fn copy_checkpoint(
    State(api): State<Api>,
    Path(hash): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let origin = origin_of(&api, &hash).await?;
    checkpoint(&api, origin, &headers).await
}

/// `GET /log/tile/…`
pub(super) async fn own_tile(
    State(api): State<Api>,
    Path(tile): Path<String>,
    who: Who,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let origin = api.folder.config.origin.clone().ok_or_else(Problem::no_log)?;
    self::tile(&api, &who, &origin, &tile, &headers).await
}

/// `GET /peer/<hash>/tile/…`
pub(super) async fn copy_tile(
    State(api): State<Api>,
    Path((hash, tile)): Path<(String, String)>,
    who: Who,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let origin = origin_of(&api, &hash).await?;
    self::tile(&api, &who, &origin, &tile, &headers).await
}

/// The log of this hash, if this node serves it.
async fn origin_of(api: &Api, hash: &str) -> Result<String, Problem> {
    let wanted = hash.to_string();
    let found =
        api.shell.ask(move |node| node.founding().origins().find(|o| origin_hash(o) == wanted).map(str::to_string));
    found.await?.ok_or_else(|| Problem::not_found(format!("no log of the founding has the hash {hash}")))
}

async fn checkpoint(api: &Api, origin: String, headers: &HeaderMap) -> Result<Response, Problem> {
    let known = headers.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok()).map(str::to_string);
    let wait_s = hold_s(headers);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(wait_s);
    let (mut hints, mut stopping) = (api.shell.hints(), api.shell.stopping());
    let (mut size_known, mut gathered_at) = (None, None);
    loop {
        hints.borrow_and_update();
        let wanted = origin.clone();
        let note = api.shell.ask(move |node| node.published(&wanted).map(|n| n.newest().to_text())).await?;
        let size = note.as_deref().and_then(|note| note.lines().nth(1)).map(str::to_string);
        let etag = note.as_ref().map(|note| format!("\"{}\"", hex(&StatementId::of(note.as_bytes()).0)));
        let is_news = etag.is_some() && etag != known;
        let news = async {
            // A node that stops lets go of whoever waits.
            tokio::select! {
                _ = hints.changed() => true,
                _ = stopping.wait_for(|stop| *stop) => false,
            }
        };
        let waits = !is_news || (size.is_some() && size == size_known);
        let until = match is_news {
            true => deadline.min(*gathered_at.get_or_insert(tokio::time::Instant::now() + GATHER)),
            false => deadline,
        };
        if !waits || wait_s == 0 || !matches!(tokio::time::timeout_at(until, news).await, Ok(true)) {
            return Ok(told(note, etag, is_news, wait_s));
        }
        if !is_news {
            size_known = size;
        }
    }
}

/// `prefer: wait=20`
fn hold_s(headers: &HeaderMap) -> u64 {
    let prefer = headers.get("prefer").and_then(|v| v.to_str().ok()).unwrap_or("");
    let wait = prefer.split(',').find_map(|part| part.trim().strip_prefix("wait=")?.parse().ok());
    wait.unwrap_or(0).min(HOLD_S_MAX)
}

fn told(note: Option<String>, etag: Option<String>, is_news: bool, wait_s: u64) -> Response {
    let mut response = match note {
        None => Problem::not_found("nothing is published of this log yet").into_response(),
        Some(_) if !is_news => StatusCode::NOT_MODIFIED.into_response(),
        Some(note) => ([(header::CONTENT_TYPE, TEXT)], note).into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=5, must-revalidate"));
    if let Some(etag) = etag.and_then(|etag| HeaderValue::from_str(&etag).ok()) {
        headers.insert(header::ETAG, etag);
    }
    if let (false, true, Ok(applied)) = (is_news, wait_s > 0, HeaderValue::from_str(&format!("wait={wait_s}"))) {
        headers.insert("preference-applied", applied);
    }
    response
}

async fn tile(api: &Api, who: &Who, origin: &str, path: &str, headers: &HeaderMap) -> Result<Response, Problem> {
    let name = format!("tile/{path}");
    let tile = Tile::parse(&name).map_err(|e| Problem::not_found(format!("{name}: {e}")))?;
    // Hashes are for everybody; a bundle holds entries of every marking, and only those who mirror the log need it whole.
    if tile.level == Level::Entries && *who != Who::Node {
        return Err(Problem::right("bundles of entries are for nodes of the founding, which sign their requests")
            .hint("GET /api/entries shows the entries that may be read, GET /api/bundle what is public, with proof"));
    }
    let bytes = tile_bytes(api, origin, tile).await?;
    let bytes = bytes.ok_or_else(|| Problem::not_found(format!("{origin} has no {name}")))?;
    let cache = "max-age=31536000, immutable";
    // An entries bundle may be compressed on the way; ours is not.
    let kind = match tile.level {
        Level::Hashes(_) | Level::Entries => OCTETS,
    };
    let about = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, cache), (header::ACCEPT_RANGES, "bytes")];
    // Whoever holds the beginning of a bundle, which is a narrower one, asks for the rest.
    Ok(match rest_from(headers).filter(|from| (1..bytes.len()).contains(from)) {
        None => (about, bytes).into_response(),
        Some(from) => {
            let range = format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
            (StatusCode::PARTIAL_CONTENT, about, [(header::CONTENT_RANGE, range)], bytes[from..].to_vec())
                .into_response()
        }
    })
}

/// `range: bytes=4213-`; any other range is answered with the whole, as it may be.
fn rest_from(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::RANGE)?.to_str().ok()?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
}

/// Tiles are read beside whoever writes. One that grows may have moved meanwhile; then it is looked for again.
async fn tile_bytes(api: &Api, origin: &str, tile: Tile) -> Result<Option<Vec<u8>>, Problem> {
    for _ in 0..TRIES {
        let wanted = origin.to_string();
        let newest = match api.shell.ask(move |node| node.locate(&wanted, tile)).await? {
            None => return Ok(None),
            Some(Place::Here(bytes)) => return Ok(Some(bytes)),
            Some(Place::Stored(newest)) => newest,
        };
        let place = api.folder.reader(origin);
        let read = tokio::task::spawn_blocking(move || place.read(&newest.to_string()));
        let read = read.await.map_err(|e| Problem::internal(e.to_string()))?;
        if let Some((bytes, _)) = read.map_err(|e| Problem::internal(e.to_string()))? {
            return Ok(tile.cut(&bytes).map(<[u8]>::to_vec));
        }
    }
    Err(Problem::paused("the log grows faster than its tiles can be read"))
}

/// `POST /witness/add-checkpoint`: statuses exactly as the specification gives them.
pub(super) async fn add_checkpoint(State(api): State<Api>, body: Body) -> Result<Response, Problem> {
    let Some(bytes) = of_checkpoint(body).await else { return Ok(overlong()) };
    match api.shell.witness(bytes).await? {
        Answer::Witness(answer) => said_of_checkpoint(answer),
        Answer::Paused(why) => Err(Problem::paused(why)),
        _ => Err(Problem::internal("a log answered for a witness")),
    }
}

/// Lines on which entries are brought to the mirror: what comes on one is read whole, up to 64 MiB. Each node of the founding has
/// its own, so that nobody else's slow ones keep it from bringing.
#[derive(Debug)]
pub(super) struct Uploads {
    members: BTreeMap<String, Semaphore>,
    others: Semaphore,
}

impl Uploads {
    pub(super) fn new(founding: &Founding) -> Uploads {
        let keepers = founding.members().iter().filter(|member| member.origin.is_some());
        Uploads {
            members: keepers.map(|member| (member.name.clone(), Semaphore::new(1))).collect(),
            others: Semaphore::new(OTHERS_MAX),
        }
    }

    /// A line for who brings something; `None`: all that he may have are taken. A member's requests wait for each other.
    async fn line(&self, by: Option<&str>) -> Option<SemaphorePermit<'_>> {
        match by.and_then(|by| self.members.get(by)) {
            Some(line) => tokio::time::timeout(LINE_PATIENCE, line.acquire()).await.ok()?.ok(),
            None => self.others.try_acquire().ok(),
        }
    }
}

/// `POST /mirror/add-checkpoint`: as a witness, but nothing is signed: 200 has no body.
pub(super) async fn mirror_checkpoint(State(api): State<Api>, body: Body) -> Result<Response, Problem> {
    let Some(bytes) = of_checkpoint(body).await else { return Ok(overlong()) };
    match api.shell.mirror(Brought::Checkpoint, bytes).await? {
        Answer::Noted => Ok(StatusCode::OK.into_response()),
        Answer::Witness(answer) => said_of_checkpoint(answer),
        Answer::NoMirror => Err(Problem::not_found(NO_MIRROR)),
        Answer::Paused(why) => Err(Problem::paused(why)),
        _ => Err(Problem::internal("a log answered for a mirror")),
    }
}

async fn of_checkpoint(body: Body) -> Option<Vec<u8>> {
    Some(to_bytes(body, NOTE_BYTES_MAX + 8 * 1024).await.ok()?.to_vec())
}

fn overlong() -> Response {
    (StatusCode::BAD_REQUEST, "found a longer request than 256 KiB\n").into_response()
}

fn said_of_checkpoint(answer: WitnessAnswer) -> Result<Response, Problem> {
    Ok(match answer {
        WitnessAnswer::Cosigned(line) => ([(header::CONTENT_TYPE, TEXT)], line.to_line()).into_response(),
        WitnessAnswer::UnknownOrigin => (StatusCode::NOT_FOUND, "no such log is known here\n").into_response(),
        WitnessAnswer::NotTrusted(why) => (StatusCode::FORBIDDEN, format!("{why}\n")).into_response(),
        WitnessAnswer::Malformed(why) => (StatusCode::BAD_REQUEST, format!("{why}\n")).into_response(),
        WitnessAnswer::Conflict { size } => {
            (StatusCode::CONFLICT, [(header::CONTENT_TYPE, "text/x.tlog.size")], format!("{size}\n")).into_response()
        }
        WitnessAnswer::ClockBack { before, now } => {
            return Err(Problem::paused(format!(
                "this witness last signed at {before}, its clock says {now}: it waits"
            )));
        }
        WitnessAnswer::Unproven(why) => (StatusCode::UNPROCESSABLE_ENTITY, format!("{why}\n")).into_response(),
    })
}

/// `POST /mirror/add-entries`: statuses exactly as the specification gives them. Of a request that is longer than is read,
/// or that breaks off, the whole packages count.
pub(super) async fn mirror_entries(
    State(api): State<Api>,
    Bringing(by): Bringing,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let is_packed = match headers.get(header::CONTENT_ENCODING).map(|v| v.as_bytes()) {
        None | Some(b"identity") => false,
        Some(b"gzip") => true,
        Some(_) => {
            let accepted = [(header::ACCEPT_ENCODING, "gzip")];
            return Ok(
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, accepted, "allowed encodings are gzip and none\n").into_response()
            );
        }
    };
    // Whoever is sent away tries again; the copy is pulled meanwhile.
    let Some(_line) = api.uploads.line(by.as_deref()).await else {
        return Err(Problem::paused("entries are being brought by as many as this mirror hears at once"));
    };
    let came = beginning(body, UPLOAD_BYTES_MAX).await;
    let bytes = match is_packed {
        false => came,
        true => unpacked(came).await?,
    };
    let answer = match api.shell.mirror(Brought::Entries, bytes).await? {
        Answer::Mirror(answer) => answer,
        Answer::NoMirror => return Err(Problem::not_found(NO_MIRROR)),
        Answer::Paused(why) => return Err(Problem::paused(why)),
        _ => return Err(Problem::internal("a log answered for a mirror")),
    };
    let info = [(header::CONTENT_TYPE, "text/x.tlog.mirror-info")];
    let mut response = match answer {
        MirrorAnswer::Cosigned(line) => ([(header::CONTENT_TYPE, TEXT)], line.to_line()).into_response(),
        MirrorAnswer::Partial(held) => (StatusCode::ACCEPTED, info, held.to_text()).into_response(),
        MirrorAnswer::Conflict(held) => (StatusCode::CONFLICT, info, held.to_text()).into_response(),
        MirrorAnswer::UnknownOrigin => (StatusCode::NOT_FOUND, "no such log is known here\n").into_response(),
        MirrorAnswer::Malformed(why) => (StatusCode::BAD_REQUEST, format!("{why}\n")).into_response(),
        MirrorAnswer::Unproven(why) => (StatusCode::UNPROCESSABLE_ENTITY, format!("{why}\n")).into_response(),
        MirrorAnswer::Busy(why) => return Err(Problem::paused(why)),
    };
    response.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    Ok(response)
}

/// As much of a body as came in time, up to so many bytes.
async fn beginning(body: Body, max: usize) -> Vec<u8> {
    let mut stream = body.into_data_stream();
    let mut came = Vec::new();
    let deadline = tokio::time::Instant::now() + UPLOAD_PATIENCE;
    while let Ok(Some(Ok(piece))) = tokio::time::timeout_at(deadline, stream.next()).await {
        let room = max.saturating_sub(came.len()).min(piece.len());
        came.extend_from_slice(&piece[..room]);
        if room < piece.len() {
            break;
        }
    }
    came
}

/// As much of a gzip stream as can be read, up to so many bytes; beside the threads that serve.
async fn unpacked(packed: Vec<u8>) -> Result<Vec<u8>, Problem> {
    let unpack = move || {
        let mut bytes = Vec::new();
        // What broke off is used as far as it goes.
        let _ = GzDecoder::new(&packed[..]).take(UPLOAD_BYTES_MAX as u64).read_to_end(&mut bytes);
        bytes
    };
    tokio::task::spawn_blocking(unpack).await.map_err(|e| Problem::internal(e.to_string()))
}

/// `GET /mirror/<hash>/checkpoint`: with the mirror's own cosignature.
pub(super) async fn mirrored(State(api): State<Api>, Path(hash): Path<String>) -> Result<Response, Problem> {
    let wanted = hash.clone();
    let note = api.shell.ask(move |node| node.mirrored_checkpoint(&wanted).map(|n| n.to_text())).await?;
    let note =
        note.ok_or_else(|| Problem::not_found(format!("this mirror has signed nothing of a log of the hash {hash}")))?;
    let cache = "max-age=5, must-revalidate";
    Ok(([(header::CONTENT_TYPE, TEXT), (header::CACHE_CONTROL, cache)], note).into_response())
}

/// `GET /witness/<hash>/checkpoint`
pub(super) async fn witnessed(State(api): State<Api>, Path(hash): Path<String>) -> Result<Response, Problem> {
    let wanted = hash.clone();
    let note = api.shell.ask(move |node| node.witnessed(&wanted).map(|n| n.to_text())).await?;
    let note =
        note.ok_or_else(|| Problem::not_found(format!("this witness has cosigned no log of the hash {hash}")))?;
    Ok(([(header::CONTENT_TYPE, TEXT), (header::CACHE_CONTROL, "no-store")], note).into_response())
}
