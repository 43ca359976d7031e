//! The console: pages that `make console` built, carried in the binary; without them one page that says how to build them.
use super::problem::Problem;
use axum::extract::Request;
use axum::http::{Method, header};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "../../console/dist/"]
#[allow_missing = true]
struct Console;

/// The interface's typeface, `arabic` or `latin`, as WOFF2, for pages that are made elsewhere; `None`: the console was not
/// built in.
pub fn typeface(subset: &str) -> Option<Vec<u8>> {
    let is_it = |path: &str| path.contains(&format!("vazirmatn-{subset}-wght")) && path.ends_with(".woff2");
    let path = Console::iter().find(|path| is_it(path))?;
    Some(Console::get(&path)?.data.into_owned())
}

const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Hamsaya</title>\
    <body><h1>Hamsaya</h1><p>This node works; its console was not built into it.</p>\
    <p>Build it with <code>make console</code>, then build the command again.</p>\
    <p><a href=\"/api/state\">/api/state</a> · <a href=\"/api/openapi.json\">/api/openapi.json</a></p></body></html>";

/// What no other route answers: a file of the console, or its first page, which finds its own way by the address.
pub(super) async fn page(request: Request) -> Response {
    let path = request.uri().path().trim_start_matches('/');
    let of_programs = ["api", "log", "peer", "witness"].iter().any(|p| path.split('/').next() == Some(p));
    if of_programs || !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Problem::not_found(format!("{} /{path}", request.method()))
            .hint("GET /api/openapi.json lists all paths")
            .into_response();
    }
    if let Some(file) = Console::get(path).filter(|_| !path.is_empty()) {
        // Names under assets/ carry a hash of what they hold.
        let cache = if path.starts_with("assets/") { "max-age=31536000, immutable" } else { "no-cache" };
        return ([(header::CONTENT_TYPE, media_type(path)), (header::CACHE_CONTROL, cache)], file.data).into_response();
    }
    if path.rsplit('/').next().is_some_and(|name| name.contains('.')) {
        return Problem::not_found(format!("the console has no /{path}")).into_response();
    }
    let html = [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
    match Console::get("index.html") {
        Some(file) => (html, file.data).into_response(),
        None => (html, NOT_BUILT).into_response(),
    }
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or("") {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" | "ftl" => "text/plain; charset=utf-8",
        "wasm" => "application/wasm",
        _ => "application/octet-stream",
    }
}
