//! docs/reference/openapi.json and the router say the same, and answers are what it says.
use hamsaya_node::api::{OPENAPI, paths};
use serde_json::Value;
use std::collections::BTreeSet;

pub fn document() -> Value {
    serde_json::from_str(OPENAPI).unwrap()
}

/// Panics, with the place, unless an answer to `GET path` fits the description.
#[track_caller]
pub fn fits(method: &str, path: &str, status: &str, answer: &Value) {
    let document = document();
    let content = &document["paths"][path][method]["responses"][status]["content"];
    let content = content.as_object().unwrap_or_else(|| panic!("{method} {path} {status} is not described"));
    let schema = &content.iter().find(|(kind, _)| kind.ends_with("json")).unwrap().1["schema"];
    if let Err(wrong) = check(&document, schema, answer, "$") {
        panic!("{method} {path} {status}: {wrong}");
    }
}

/// The part of JSON Schema that the description uses.
fn check(document: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    if let Some(name) = schema["$ref"].as_str() {
        let target = document.pointer(name.trim_start_matches('#')).ok_or(format!("{name} is not described"))?;
        return check(document, target, value, at);
    }
    if let Some(any) = schema["anyOf"].as_array() {
        let tried: Vec<String> = any.iter().map_while(|s| check(document, s, value, at).err()).collect();
        return if tried.len() < any.len() { Ok(()) } else { Err(tried.join("; ")) };
    }
    if schema.get("const").is_some_and(|c| c != value) {
        return Err(format!("{at}: {value} is not {}", schema["const"]));
    }
    if schema["enum"].as_array().is_some_and(|all| !all.contains(value)) {
        return Err(format!("{at}: {value} is not one of {}", schema["enum"]));
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
        _ => vec![],
    };
    let is = |kind: &str| match kind {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => false,
    };
    if !types.is_empty() && !types.into_iter().any(is) {
        return Err(format!("{at}: {value} is not {}", schema["type"]));
    }
    if let (Some(pattern), Some(text)) = (schema["pattern"].as_str(), value.as_str()) {
        let plain = if pattern.contains("T[0-9]") { text.len() == 20 } else { text.len() == 64 };
        if !plain {
            return Err(format!("{at}: {text} does not match {pattern}"));
        }
    }
    for (n, item) in value.as_array().into_iter().flatten().enumerate() {
        check(document, &schema["items"], item, &format!("{at}[{n}]"))?;
    }
    let Some(object) = value.as_object() else { return Ok(()) };
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        object.get(name).ok_or(format!("{at}: {name} is missing"))?;
    }
    for (name, item) in object {
        let at = format!("{at}.{name}");
        match schema["properties"].get(name) {
            Some(property) => check(document, property, item, &at)?,
            None if schema["additionalProperties"] == false => return Err(format!("{at} is not described")),
            None if schema["additionalProperties"].is_object() => {
                check(document, &schema["additionalProperties"], item, &at)?
            }
            None => (),
        }
    }
    Ok(())
}

#[test]
fn every_route_is_described_and_nothing_else_is() {
    let document = document();
    let described: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| methods.as_object().unwrap().keys().map(|m| (m.to_uppercase(), path.clone())))
        .collect();
    let routed: BTreeSet<(String, String)> =
        paths().into_iter().map(|(method, path)| (method.to_string(), path.replace("{*", "{"))).collect();
    assert_eq!(described, routed);
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_used() {
    let document = document();
    let used: BTreeSet<&str> = OPENAPI.split('"').filter_map(|t| t.strip_prefix("#/components/schemas/")).collect();
    let defined: BTreeSet<&str> =
        document["components"]["schemas"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(used, defined);
}

#[test]
fn a_misfit_is_seen() {
    let document = document();
    let schema = serde_json::json!({"$ref": "#/components/schemas/Head"});
    let head = serde_json::json!({"origin": "a", "size": 1, "root": "0".repeat(64)});
    assert_eq!(check(&document, &schema, &head, "$"), Ok(()));
    for (name, value) in
        [("size", serde_json::json!("1")), ("root", serde_json::json!("00")), ("x", serde_json::json!(1))]
    {
        let mut wrong = head.clone();
        wrong[name] = value;
        assert!(check(&document, &schema, &wrong, "$").is_err(), "{wrong}");
    }
}
