//! The HTTP interface of a node: JSON for people's programs, C2SP paths for logs and witnesses, the console.
//!
//! ```text
//! POST /api/statements      one envelope, or one a line as application/x-ndjson
//! GET  /api/judgment        how every commitment stands
//! GET  /log/checkpoint      what others may rest on
//! POST /witness/add-checkpoint
//! ```
//! docs/reference/openapi.json describes every path; a test holds the two together. Only here and in `wire` are there
//! status codes.
mod agreement;
mod c2sp;
mod console;
mod disclosures;

mod events;
mod files;
mod judgments;
mod openapi;
mod passkeys;
mod problem;
mod record;
mod session;
pub mod shapes;
mod statements;
mod who;

pub use console::typeface;

use crate::disclosures::Disclosures;
use crate::files::Files;
use crate::folder::Folder;
use crate::passkeys::Challenges;
use crate::readers::Sessions;
use crate::reads::Reads;
use crate::receipts::Receipts;
use crate::shell::Shell;
use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{MethodRouter, delete, get, patch, post};
use hamsaya_agreement::Agreement;
use hamsaya_record::founding::Founding;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

pub use openapi::OPENAPI;

/// Passwords that are hashed at once.
const HASHING_MAX: usize = 2;

/// What every answer is made from.
#[derive(Clone)]
pub(crate) struct Api {
    shell: Shell,
    folder: Arc<Folder>,
    founding: Arc<Founding>,
    sessions: Arc<Sessions>,
    challenges: Arc<Challenges>,
    disclosures: Arc<Disclosures>,
    files: Arc<Files>,
    reads: Arc<Mutex<Reads>>,
    receipts: Arc<Receipts>,
    /// Hashing a password takes 19 MiB: so many at once.
    hashing: Arc<tokio::sync::Semaphore>,
    uploads: Arc<c2sp::Uploads>,
    /// Host and port by which this node is asked.
    authorities: Arc<[String]>,
    /// Whether a browser reaches this node over TLS only.
    is_tls: bool,
}

impl Api {
    fn agreement(&self) -> Option<&Arc<Agreement>> {
        self.folder.agreement.as_ref()
    }
}

/// All routes, once: the router and the description are both made from this list.
fn routes() -> Vec<(&'static str, &'static str, MethodRouter<Api>)> {
    vec![
        ("POST", "/api/statements", post(statements::submit)),
        ("GET", "/api/state", get(record::state)),
        ("GET", "/api/judgment", get(judgments::judgment)),
        ("GET", "/api/digest", get(judgments::digest)),
        ("GET", "/api/digest/node", get(judgments::branch)),
        ("GET", "/api/digest/compare", get(judgments::compare)),
        ("GET", "/api/changes", get(judgments::changes)),
        ("GET", "/api/events", get(events::events)),
        ("GET", "/api/session", get(session::session)),
        ("POST", "/api/session", post(session::sign_in)),
        ("DELETE", "/api/session", delete(session::sign_out)),
        ("GET", "/api/passkeys", get(passkeys::list)),
        ("POST", "/api/passkeys", post(passkeys::add)),
        ("DELETE", "/api/passkeys/{label}", delete(passkeys::remove)),
        ("POST", "/api/passkeys/challenge", post(passkeys::challenge)),
        ("GET", "/api/reads", get(session::reads)),
        ("GET", "/api/agreement", get(agreement::agreement)),
        ("GET", "/api/entries", get(record::entries)),
        ("GET", "/api/entries/item", get(record::item)),
        ("GET", "/api/disclosures", get(disclosures::lines)),
        ("POST", "/api/disclosures", post(disclosures::disclose)),
        ("GET", "/api/files", get(files::list)),
        ("GET", "/api/files/{sha256}", get(files::read)),
        ("GET", "/api/files/{sha256}/upload", get(files::stands)),
        ("PATCH", "/api/files/{sha256}/upload", patch(files::send)),
        ("GET", "/api/exhibit", get(record::exhibit)),
        ("GET", "/api/bundle", get(record::bundle)),
        ("GET", "/api/source", get(record::source)),
        ("GET", "/api/lines", get(agreement::lines)),
        ("GET", "/api/crossings", get(agreement::crossings)),
        ("GET", "/api/refusals", get(record::refusals)),
        ("GET", "/api/openapi.json", get(openapi::document)),
        ("POST", "/api/clock", post(statements::clock)),
        ("GET", "/log/checkpoint", get(c2sp::own_checkpoint)),
        ("GET", "/log/tile/{*tile}", get(c2sp::own_tile)),
        ("GET", "/peer/{log}/checkpoint", get(c2sp::copy_checkpoint)),
        ("GET", "/peer/{log}/tile/{*tile}", get(c2sp::copy_tile)),
        ("POST", "/witness/add-checkpoint", post(c2sp::add_checkpoint)),
        ("GET", "/witness/{log}/checkpoint", get(c2sp::witnessed)),
        ("POST", "/mirror/add-checkpoint", post(c2sp::mirror_checkpoint)),
        ("POST", "/mirror/add-entries", post(c2sp::mirror_entries)),
        ("GET", "/mirror/{log}/checkpoint", get(c2sp::mirrored)),
        ("GET", "/mirror/{log}/tile/{*tile}", get(c2sp::copy_tile)),
    ]
}

/// Method and path of every route.
pub fn paths() -> Vec<(&'static str, &'static str)> {
    routes().into_iter().map(|(method, path, _)| (method, path)).collect()
}

/// The router of one node.
pub(crate) fn router(
    shell: Shell,
    folder: Folder,
    founding: Arc<Founding>,
    reads: Reads,
    receipts: Arc<Receipts>,
    address: SocketAddr,
    is_tls: bool,
) -> Router {
    let authorities = authorities(address, &folder);
    let disclosures = Disclosures::at(&folder.dir);
    let files = Files::of(&folder.dir, folder.config.files.keep_free_mib << 20);
    let uploads = Arc::new(c2sp::Uploads::new(&founding));
    let api = Api {
        shell,
        folder: Arc::new(folder),
        founding,
        sessions: Arc::default(),
        challenges: Arc::default(),
        disclosures: Arc::new(disclosures),
        files: Arc::new(files),
        reads: Arc::new(Mutex::new(reads)),
        receipts,
        hashing: Arc::new(tokio::sync::Semaphore::new(HASHING_MAX)),
        uploads,
        authorities,
        is_tls,
    };
    tokio::spawn(session::state_days(api.clone()));
    tokio::spawn(disclosures::sweep(api.clone()));
    tokio::spawn(files::erase(api.clone()));
    let router = routes().into_iter().fold(Router::new(), |router, (_, path, handler)| router.route(path, handler));
    router.fallback(console::page).layer(from_fn(guard)).with_state(api)
}

/// Host and port by which this node is asked: where it listens, and what its settings say beside that.
fn authorities(address: SocketAddr, folder: &Folder) -> Arc<[String]> {
    let mut own = folder.config.authorities.clone();
    own.push(address.to_string());
    if address.ip().is_loopback() {
        own.push(format!("localhost:{}", address.port()));
    }
    own.into()
}

/// Headers of every answer. The console's rules are here too, so that no page can be served without them.
async fn guard(request: Request, next: Next) -> Response {
    const CONTENT_SECURITY: &str = "default-src 'self'; worker-src 'self'; img-src 'self' blob: data:; \
        style-src 'self' 'unsafe-inline'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";
    // What nodes and witnesses ask of each other is no page, and each byte of it may go over a slow line.
    let between_nodes =
        ["/log/", "/peer/", "/witness/", "/mirror/"].iter().any(|path| request.uri().path().starts_with(path));
    let mut response = next.run(request).await;
    if between_nodes {
        response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        return response;
    }
    let mut add = |name: HeaderName, value: &'static str| {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    };
    add(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY);
    add(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    add(header::REFERRER_POLICY, "no-referrer");
    add(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    response
}
