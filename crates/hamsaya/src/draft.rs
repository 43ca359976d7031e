//! A statement from flags or from a JSON file.
//!
//! ```text
//! hamsaya record append p1 --kind ack --field allegation=A1 --ref answers=5d41…
//! {"kind":"fire","fields":{"bursts":3},"occurred_at":{"from":"2026-11-24T18:00:00Z","to":"2026-11-24T18:59:59Z","precision":"hour"}}
//! ```
//!
//! The agreement's kinds decide the act and the type of each field. What no rule judges is salted (`--salted note=…`, or
//! `"salted":{"note":"…"}`): the statement holds its digest, and the words are kept beside the log.
use crate::complaint::Complaint;
use crate::scan;
use anyhow::Result;
use clap::Args;
use hamsaya_agreement::{Agreement, Kind};
use hamsaya_record::Instant;
use hamsaya_record::disclosure::{self, Disclosure, PLACE, SALT_BYTES};
use hamsaya_record::statement::{
    Act, FieldValue, ITEMS_MAX, Occurred, Place, Precision, Reference, Rel, Statement, StatementId, unhex,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// What a statement says.
#[derive(Args, Clone, Debug, Default)]
pub struct Draft {
    /// Kind of statement, e.g. ack
    #[arg(long)]
    kind: Option<String>,
    /// A field of the kind; give it again for more
    #[arg(long, value_name = "NAME=VALUE")]
    field: Vec<String>,
    /// A salted field, such as note: the log holds only its digest, and the words are kept in the folder, to be handed to
    /// whom one chooses; give it again for more. `place_exact` is LAT,LON,METRES
    #[arg(long, value_name = "NAME=VALUE")]
    salted: Vec<String>,
    /// So many digests more that stand for nothing, so that their number says less
    #[arg(long, value_name = "N", default_value_t = 0)]
    decoys: usize,
    /// Why something that was found in free text has to stand there: a telephone number, a number plate, an address of e-mail,
    /// the number of an identity paper, a title with a name. It is said in the statement, salted, as `unmasked_because`
    #[arg(long, value_name = "WHY")]
    unmasked: Option<String>,
    /// When it happened: FROM or FROM..TO
    #[arg(long, value_name = "T..T")]
    occurred: Option<String>,
    /// How finely that is known: second, minute, hour, day or week
    #[arg(long)]
    precision: Option<String>,
    /// Where: LAT,LON,PRECISION in degrees and metres
    #[arg(long, value_name = "LAT,LON,M")]
    place: Option<String>,
    /// To whom; give it again for more
    #[arg(long, value_name = "NAME")]
    to: Vec<String>,
    /// A reference: answers, withdraws, confirms, supersedes, same_incident_as or cites
    #[arg(long = "ref", value_name = "REL=ID")]
    refs: Vec<String>,
    /// Who may read it (TLP)
    #[arg(long)]
    marking: Option<String>,
    /// An exercise: judged by nothing
    #[arg(long)]
    drill: bool,
    /// When the author says it; default: now
    #[arg(long, value_name = "T")]
    stated_at: Option<Instant>,
}

/// Who speaks.
pub struct By<'a> {
    /// Digest of the agreement.
    pub agreement: [u8; 32],
    /// `P1`.
    pub party: &'a str,
    /// Origin of the log.
    pub home: &'a str,
    /// `p1/chair`.
    pub source: &'a str,
    /// UUIDv7.
    pub id: &'a str,
}

impl Draft {
    /// The kind, from the flag or the document.
    pub fn kind<'a>(&'a self, document: &'a Value) -> &'a str {
        self.kind.as_deref().or(document["kind"].as_str()).unwrap_or_default()
    }

    /// Puts flags before the document's fields, and checks both against the kinds.
    pub fn statement(&self, document: &Value, by: &By, kinds: &[Kind], now: Instant) -> Result<Statement> {
        let kind = self.kind(document);
        let known = kinds.iter().find(|k| k.name == kind).ok_or_else(|| {
            Complaint::new(format!("the agreement has no kind `{kind}`"))
                .at("--kind")
                .hint("docs/reference/statements.md and annexes/kinds.toml list them")
        })?;
        let act = Act::from_name(&known.act).ok_or_else(|| Complaint::new(format!("`{}` is no act", known.act)))?;
        let mut fields = BTreeMap::new();
        for (name, value) in document["fields"].as_object().into_iter().flatten() {
            fields.insert(name.clone(), field_value(value)?);
        }
        for pair in &self.field {
            let (name, value) = split(pair, '=', "--field", "NAME=VALUE")?;
            let typed = known.fields.iter().find(|(n, _)| n == name).map(|(_, t)| t.trim_end_matches('?'));
            fields.insert(name.to_string(), typed_value(name, value, typed.unwrap_or("text"))?);
        }
        let mut refs: Vec<Reference> = self.refs.iter().map(|r| reference(r)).collect::<Result<_>>()?;
        for value in document["refs"].as_array().into_iter().flatten() {
            let pair = format!("{}={}", value["rel"].as_str().unwrap_or(""), value["id"].as_str().unwrap_or(""));
            refs.push(reference(&pair)?);
        }
        let mut to = self.to.clone();
        to.extend(document["to"].as_array().into_iter().flatten().filter_map(|v| v.as_str().map(str::to_string)));
        let mut statement = Statement {
            source: by.source.into(),
            occurred_at: self.occurred(document)?,
            place: self.place.as_deref().map(place).transpose()?,
            refs,
            to,
            drill: self.drill || document["drill"].as_bool().unwrap_or_default(),
            fields,
            ..Statement::new(by.agreement, act, kind, by.id, by.party, by.home, self.stated_at.unwrap_or(now))
        };
        if let Some(marking) = self.marking.as_deref().or(document["marking"].as_str()) {
            statement.marking = marking.into();
        }
        Ok(statement)
    }

    /// Looks through what is said in free text, and salts what is to be salted, in a statement that has everything else: its
    /// lines, to be kept before it is sent. `random` fills a salt.
    pub fn salt(
        &self,
        document: &Value,
        agreement: &Agreement,
        statement: &mut Statement,
        mut random: impl FnMut(&mut [u8]) -> Result<()>,
    ) -> Result<Vec<String>> {
        let mut fields = Vec::new();
        for (name, value) in document["salted"].as_object().into_iter().flatten() {
            fields.push((name.clone(), field_value(value)?));
        }
        for pair in &self.salted {
            let (name, value) = split(pair, '=', "--salted", "NAME=VALUE")?;
            fields.push((name.to_string(), if name == PLACE { exact(value)? } else { FieldValue::Text(value.into()) }));
        }
        let kind = agreement.kinds().iter().find(|kind| kind.name == statement.kind);
        let is_free = |name: &str| {
            let typed = kind.and_then(|kind| kind.fields.iter().find(|(field, _)| field == name));
            typed.is_some_and(|(_, typed)| typed.trim_end_matches('?') == "text")
        };
        let clear = statement.fields.iter().filter(|(name, _)| is_free(name));
        let free = clear.chain(fields.iter().map(|(name, value)| (name, value)));
        let found: Vec<String> = free.flat_map(|(name, value)| looked_through(name, value)).collect();
        match self.unmasked.as_deref().or(document["unmasked"].as_str()) {
            _ if found.is_empty() => {}
            Some(why) => fields.push(("unmasked_because".into(), FieldValue::Text(why.into()))),
            None => {
                return Err(Complaint::new(format!("found {}", found.join(", ")))
                    .at("free text")
                    .hint("take it out, or say with --unmasked why it has to stand there")
                    .into());
            }
        }
        let mut lines = Vec::new();
        let mut digests = Vec::new();
        for (name, value) in fields {
            agreement.may_salt(&statement.kind, &name).map_err(|misfit| {
                Complaint::new(format!("found {}, allowed are {}", misfit.found, misfit.allowed))
                    .at("--salted")
                    .hint(misfit.hint)
            })?;
            let mut salt = [0; SALT_BYTES];
            random(&mut salt)?;
            let made = Disclosure::make(salt, &name, &value);
            let made = made.map_err(|unfit| Complaint::new(format!("{name}: {unfit}")).at("--salted"))?;
            digests.push(made.digest());
            lines.push(made.line().to_string());
        }
        for _ in 0..self.decoys.min(ITEMS_MAX) {
            let mut decoy = [0; 32];
            random(&mut decoy)?;
            digests.push(decoy);
        }
        statement.salted = disclosure::sorted(digests);
        disclosure::check(statement, lines.iter().map(String::as_str))
            .map_err(|error| Complaint::new(error.to_string()).at("--salted"))?;
        Ok(lines)
    }

    fn occurred(&self, document: &Value) -> Result<Option<Occurred>> {
        let given = &document["occurred_at"];
        let interval = match (&self.occurred, given["from"].as_str()) {
            (Some(text), _) => text.clone(),
            (None, Some(from)) => format!("{from}..{}", given["to"].as_str().unwrap_or(from)),
            (None, None) => return Ok(None),
        };
        let (from, to) = interval.split_once("..").unwrap_or((&interval, &interval));
        let word = self.precision.as_deref().or(given["precision"].as_str()).unwrap_or("minute");
        let precision = Precision::from_name(word).ok_or_else(|| {
            Complaint::new(format!("`{word}` is no precision, allowed are second minute hour day week"))
                .at("--precision")
        })?;
        let edtf = given["edtf"].as_str().map(str::to_string);
        Ok(Some(Occurred { from: from.parse()?, to: to.parse()?, precision, edtf }))
    }
}

/// What the texts of a value hold that they should not.
fn looked_through(name: &str, value: &FieldValue) -> Vec<String> {
    match value {
        FieldValue::Text(text) => {
            scan::scan(text).iter().map(|found| format!("{}, `{}`, in {name}", found.sort, found.text)).collect()
        }
        FieldValue::List(items) => items.iter().flat_map(|item| looked_through(name, item)).collect(),
        FieldValue::Map(members) => members.values().flat_map(|member| looked_through(name, member)).collect(),
        FieldValue::Bool(_) | FieldValue::Int(_) => Vec::new(),
    }
}

fn split<'t>(text: &'t str, at: char, flag: &str, form: &str) -> Result<(&'t str, &'t str)> {
    Ok(text.split_once(at).ok_or_else(|| Complaint::new(format!("`{text}` is not {form}")).at(flag))?)
}

fn reference(text: &str) -> Result<Reference> {
    let (rel, id) = split(text, '=', "--ref", "REL=ID")?;
    let rel = Rel::from_name(rel).ok_or_else(|| {
        Complaint::new(format!(
            "`{rel}` is no reference, allowed are supersedes withdraws answers confirms same_incident_as cites"
        ))
        .at("--ref")
    })?;
    Ok(Reference { rel, id: StatementId(unhex(id)?) })
}

/// `34.12,71.15,3000`.
fn place(text: &str) -> Result<Place> {
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    let bad = || Complaint::new(format!("`{text}` is no place, allowed is LAT,LON,METRES")).at("--place");
    let [lat, lon, metres] = parts[..] else { return Err(bad().into()) };
    let lat = crate::ged::degrees_e7(lat).ok_or_else(bad)?;
    let lon = crate::ged::degrees_e7(lon).ok_or_else(bad)?;
    let precision_m = metres.parse().map_err(|_| bad())?;
    let place = Place { s_e7: lat, w_e7: lon, n_e7: lat, e_e7: lon, precision_m, gazetteer_id: None };
    if place.has_idle_digits() {
        let rounded = place.without_idle_digits();
        let hint = format!(
            "write {},{},{precision_m}, or say how precise it is",
            rounded.s_e7 as f64 / 1e7,
            rounded.w_e7 as f64 / 1e7
        );
        let found = format!("`{text}` has digits finer than a hundredth of its {precision_m} m");
        return Err(Complaint::new(found).at("--place").hint(hint).into());
    }
    Ok(place)
}

/// The same, as the value of a salted field.
fn exact(text: &str) -> Result<FieldValue> {
    let at = place(text)?;
    let members = [("lat_e7", at.s_e7), ("lon_e7", at.w_e7), ("precision_m", at.precision_m)];
    Ok(FieldValue::Map(members.map(|(name, number)| (name.to_string(), FieldValue::Int(number))).into()))
}

fn typed_value(name: &str, value: &str, typed: &str) -> Result<FieldValue> {
    let bad = |allowed: &str| Complaint::new(format!("{name}: found `{value}`, allowed is {allowed}")).at("--field");
    Ok(match typed {
        "bool" => FieldValue::Bool(value.parse().map_err(|_| bad("true or false"))?),
        "count" | "duration" => FieldValue::Int(value.parse().map_err(|_| bad("a whole number"))?),
        _ => FieldValue::Text(value.into()),
    })
}

fn field_value(value: &Value) -> Result<FieldValue> {
    Ok(match value {
        Value::Bool(b) => FieldValue::Bool(*b),
        Value::String(text) => FieldValue::Text(text.clone()),
        Value::Array(items) => FieldValue::List(items.iter().map(field_value).collect::<Result<_>>()?),
        Value::Object(map) => {
            FieldValue::Map(map.iter().map(|(k, v)| Ok((k.clone(), field_value(v)?))).collect::<Result<_>>()?)
        }
        other => {
            let bad = || Complaint::new(format!("found `{other}`, allowed is a whole number, text, true or false"));
            FieldValue::Int(other.as_i64().ok_or_else(bad)?)
        }
    })
}
