//! The agreement's text and annexes, as the folder holds them.
use super::Api;
use super::problem::Problem;
use axum::Json;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use hamsaya_record::statement::hex;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Asked {
    lang: Option<String>,
}

/// `GET /api/agreement`: articles, paragraphs and commitments; in one language, or by language.
pub(super) async fn agreement(State(api): State<Api>, Query(asked): Query<Asked>) -> Result<Json<Value>, Problem> {
    let agreement = api.agreement().ok_or_else(|| Problem::not_found("this node holds no agreement"))?;
    let languages: Vec<&str> = agreement.languages().collect();
    if let Some(lang) = asked.lang.as_deref().filter(|lang| !languages.contains(lang)) {
        return Err(Problem::bad_parameter("lang", lang, &languages.join(", ")));
    }
    let lang = asked.lang.as_deref();
    let said = |texts: &BTreeMap<String, String>| match lang {
        None => json!(texts),
        // What is not translated yet is shown as it is.
        Some(lang) => json!(texts.get(lang).or_else(|| texts.get("en"))),
    };
    let commitments = |address: &str| -> Vec<Value> {
        let here = agreement.commitments().iter().filter(|c| c.address == address);
        here.map(|c| {
            json!({"id": c.id, "part": c.part, "address": c.address, "title": said(&c.title), "rule": c.rule,
                "nature": c.nature, "severity": c.severity, "remedies": c.remedies, "audited": c.audited})
        })
        .collect()
    };
    let articles = agreement.articles().iter().map(|article| {
        let paragraphs = article.paragraphs.iter().map(|p| {
            json!({"address": p.address, "number": p.number, "title": said(&p.title), "text": said(&p.text),
                "commitments": commitments(&p.address)})
        });
        json!({"address": article.address, "title": said(&article.title), "text": said(&article.text),
            "file": article.file, "paragraphs": paragraphs.collect::<Vec<_>>()})
    });
    let articles: Vec<Value> = articles.collect();
    Ok(Json(json!({
        "title": said(agreement.title()),
        "digest": hex(&agreement.digest()),
        "languages": languages,
        "lang": lang,
        "in_force": agreement.in_force().map(|i| i.to_string()),
        "articles": articles,
    })))
}

/// `GET /api/lines`: lines as somebody asserts them, GeoJSON as it stands in the annex.
pub(super) async fn lines(State(api): State<Api>) -> Result<Response, Problem> {
    let lines = api.folder.files.get("annexes/lines.geojson").cloned();
    let lines = lines.ok_or_else(|| Problem::not_found("the agreement has no annexes/lines.geojson"))?;
    Ok(([(header::CONTENT_TYPE, "application/geo+json")], lines).into_response())
}

/// `GET /api/crossings`: the annex's crossings, as JSON.
pub(super) async fn crossings(State(api): State<Api>) -> Result<Json<Value>, Problem> {
    let bytes = api.folder.files.get("annexes/crossings.toml");
    let bytes = bytes.ok_or_else(|| Problem::not_found("the agreement has no annexes/crossings.toml"))?;
    let value: Value = toml::from_str(&String::from_utf8_lossy(bytes)).map_err(|e| Problem::internal(e.to_string()))?;
    Ok(Json(json!({"crossings": value.get("crossing").cloned().unwrap_or_else(|| json!([]))})))
}
