//! The description of the interface, committed as docs/reference/openapi.json.
use axum::http::header;
use axum::response::IntoResponse;

/// OpenAPI 3.1.
pub const OPENAPI: &str = include_str!("../../../../docs/reference/openapi.json");

/// `GET /api/openapi.json`
pub(super) async fn document() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI)
}
