//! `agreement.toml`, `annexes/kinds.toml` and the tables of other annexes.
//!
//! ```toml
//! [enum.level]
//! order = ["refuted", "not_established", "possible", "probable", "established"]
//! also = ["unverifiable/access_denied"]
//! [kind.closure]
//! act = "observe"          # act of the record
//! speech = "seen"          # or "said", "background", "mechanism"
//! article = 9
//! guarantor_admits = true  # †
//! harms = true             # stating it of oneself admits what opens or breaks one's own duty
//! actor = "closer"         # field that names whose act it is; default: the party that states it
//! id = ["closure"]         # identifying fields
//! [kind.closure.fields]
//! closure = "id"
//! closer = "party"
//! expected_end = "instant?" # ?: may be absent
//! ```
//!
//! Another annex says which of its columns rules may read; its rows are facts that always hold, `sector(id: s, of: x)`:
//!
//! ```toml
//! [columns.sector]
//! id = "id"
//! of = "party"
//! [[sector]]
//! id = "P1-north"
//! of = "P1"
//! ```
use crate::calendar::{self, Seasons};
use crate::lower::{self, Column, nothing};
use crate::places::Named;
use crate::source::{Diagnostic, Kind, Member, MemberRole, Speech};
use hamsaya_monitor as monitor;
use hamsaya_record::instant::Instant;
use std::collections::{BTreeMap, BTreeSet};
use toml::Spanned;
use toml::de::{DeArray, DeString, DeTable, DeValue};

/// Acts of the record that a kind may name.
const ACTS: &[&str] = &[
    "observe",
    "allege",
    "request",
    "answer",
    "notify",
    "alert",
    "undertake",
    "verify",
    "find",
    "consent",
    "withdraw",
    "estimate",
    "record",
];

/// Type of a field.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Type {
    Id,
    Party,
    Instant,
    Duration,
    Count,
    Place,
    Enum(String),
    Text,
    Truth,
    /// The id of a statement, which no kind's field has: it is the record's.
    Entry,
}

impl Type {
    fn parse(text: &str) -> Option<Type> {
        Some(match text {
            "id" => Type::Id,
            "party" => Type::Party,
            "instant" => Type::Instant,
            "duration" => Type::Duration,
            "count" => Type::Count,
            "place" => Type::Place,
            "text" => Type::Text,
            "bool" => Type::Truth,
            other => Type::Enum(other.strip_prefix("enum:")?.to_string()),
        })
    }
    /// Whether the monitor holds it as a number.
    pub(crate) fn is_int(&self) -> bool {
        matches!(self, Type::Instant | Type::Duration | Type::Count | Type::Truth)
    }
    pub(crate) fn name(&self) -> String {
        match self {
            Type::Id => "id".into(),
            Type::Party => "party".into(),
            Type::Instant => "instant".into(),
            Type::Duration => "duration".into(),
            Type::Count => "count".into(),
            Type::Place => "place".into(),
            Type::Enum(e) => format!("enum:{e}"),
            Type::Text => "text".into(),
            Type::Truth => "bool".into(),
            Type::Entry => "entry".into(),
        }
    }
}

/// An enumeration: the ordered values from lowest to highest, and others that stand in no order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Enumeration {
    pub order: Vec<String>,
    pub also: Vec<String>,
}

impl Enumeration {
    pub(crate) fn has(&self, value: &str) -> bool {
        self.order.iter().chain(&self.also).any(|v| v == value)
    }
    pub(crate) fn listed(&self) -> String {
        self.order.iter().chain(&self.also).map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}

/// A kind as rules see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KindRule {
    pub name: String,
    pub act: String,
    pub speech: Speech,
    pub guarantor_admits: bool,
    pub harms: bool,
    pub actor: Option<String>,
    pub id: Vec<String>,
    /// Name, type, may be absent.
    pub fields: Vec<(String, Type, bool)>,
    /// Name of an extra fact, and the field that holds its instant.
    pub also: Vec<(String, String)>,
}

/// `annexes/kinds.toml`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kinds {
    pub enums: BTreeMap<String, Enumeration>,
    pub kinds: BTreeMap<String, KindRule>,
}

/// A table of an annex that rules read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    pub name: String,
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<monitor::Value>>,
    /// Rows that have `lat_e7` and `lon_e7`.
    pub places: Named,
}

/// `agreement.toml`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Charter {
    pub title: BTreeMap<String, String>,
    pub languages: BTreeSet<String>,
    pub members: Vec<Member>,
    pub roles: BTreeMap<String, String>,
    pub in_force: Option<Instant>,
    pub seasons: Seasons,
    /// Files of the lines that distances are measured from.
    pub lines: Vec<String>,
}

/// One TOML file and what is wrong with it.
struct Reader<'a> {
    file: &'a str,
    source: &'a str,
    problems: &'a mut Vec<Diagnostic>,
}

type Value<'i> = Spanned<DeValue<'i>>;

impl Reader<'_> {
    fn problem(&mut self, byte: usize, message: impl Into<String>, hint: impl Into<String>) {
        let before = self.source.get(..byte.min(self.source.len())).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let hint = hint.into();
        self.problems.push(Diagnostic {
            file: self.file.into(),
            line,
            column,
            message: message.into(),
            hint: (!hint.is_empty()).then_some(hint),
        });
    }

    fn text(&mut self, what: &str, value: &Value<'_>) -> Option<String> {
        match value.get_ref() {
            DeValue::String(s) => Some(s.to_string()),
            other => {
                self.problem(value.span().start, format!("{what}: found {}, allowed is a text", shape(other)), "");
                None
            }
        }
    }

    fn truth(&mut self, what: &str, value: &Value<'_>) -> bool {
        match value.get_ref() {
            DeValue::Boolean(b) => *b,
            other => {
                self.problem(
                    value.span().start,
                    format!("{what}: found {}, allowed is true or false", shape(other)),
                    "",
                );
                false
            }
        }
    }

    fn texts(&mut self, what: &str, value: &Value<'_>) -> Vec<String> {
        match value.get_ref() {
            DeValue::Array(all) => {
                let all: &DeArray<'_> = all;
                all.iter().filter_map(|v| self.text(what, v)).collect()
            }
            other => {
                self.problem(
                    value.span().start,
                    format!("{what}: found {}, allowed is a list of texts", shape(other)),
                    "",
                );
                Vec::new()
            }
        }
    }

    fn table<'v, 'i>(&mut self, what: &str, value: &'v Value<'i>) -> Option<&'v DeTable<'i>> {
        match value.get_ref() {
            DeValue::Table(table) => Some(table),
            other => {
                self.problem(value.span().start, format!("{what}: found {}, allowed is a table", shape(other)), "");
                None
            }
        }
    }

    fn unknown(&mut self, what: &str, key: &Spanned<DeString<'_>>, allowed: &str) {
        self.problem(key.span().start, format!("{what}: found `{}`, allowed is {allowed}", key.get_ref()), "");
    }
}

fn shape(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(s) => format!("the text \"{s}\""),
        DeValue::Integer(n) => format!("the number {n}"),
        DeValue::Float(_) => "a decimal number".into(),
        DeValue::Boolean(b) => b.to_string(),
        DeValue::Datetime(d) => format!("the time {d}"),
        DeValue::Array(_) => "a list".into(),
        DeValue::Table(_) => "a table".into(),
    }
}

fn document<'i>(file: &str, source: &'i str, problems: &mut Vec<Diagnostic>) -> Spanned<DeTable<'i>> {
    let (table, errors) = DeTable::parse_recoverable(source);
    for error in errors {
        let byte = error.span().map_or(0, |s| s.start);
        Reader { file, source, problems }.problem(
            byte,
            error.message().to_string(),
            "see https://toml.io for the format",
        );
    }
    table
}

pub(crate) fn charter(file: &str, source: &str, problems: &mut Vec<Diagnostic>) -> Charter {
    let table = document(file, source, problems);
    let mut r = Reader { file, source, problems };
    let mut charter = Charter::default();
    for (key, value) in table.get_ref() {
        match key.get_ref().as_ref() {
            "title" => {
                for (lang, title) in r.table("title", value).into_iter().flatten() {
                    if let Some(title) = r.text("title", title) {
                        charter.title.insert(lang.get_ref().to_string(), title);
                    }
                }
            }
            "languages" => charter.languages = r.texts("languages", value).into_iter().collect(),
            "in_force" => {
                let text = match value.get_ref() {
                    DeValue::Datetime(d) => d.to_string(),
                    _ => r.text("in_force", value).unwrap_or_default(),
                };
                match text.parse() {
                    Ok(instant) => charter.in_force = Some(instant),
                    Err(e) => r.problem(value.span().start, format!("in_force: {e}"), ""),
                }
            }
            "member" => {
                let DeValue::Array(members) = value.get_ref() else {
                    r.problem(value.span().start, "member: allowed is a list of tables", "write [[member]] for each");
                    continue;
                };
                for member in members.iter() {
                    member_of(&mut r, member, &mut charter.members);
                }
            }
            "role" => {
                for (role, name) in r.table("role", value).into_iter().flatten() {
                    if let Some(name) = r.text("role", name) {
                        charter.roles.insert(role.get_ref().to_string(), name);
                    }
                }
            }
            "season" => {
                for (name, value) in r.table("season", value).into_iter().flatten() {
                    season_of(&mut r, name, value, &mut charter.seasons);
                }
            }
            "line" => {
                let DeValue::Array(lines) = value.get_ref() else {
                    r.problem(value.span().start, "line: allowed is a list of tables", "write [[line]] for each");
                    continue;
                };
                for line in lines.iter() {
                    let file = r.table("line", line).and_then(|t| t.get("file"));
                    charter.lines.extend(file.and_then(|f| r.text("line: file", f)));
                }
            }
            // The quorum policy and what parties want to add are for other readers.
            _ => {}
        }
    }
    if charter.languages.is_empty() {
        charter.languages.insert("en".into());
    }
    if !charter.members.iter().any(|m| m.role == MemberRole::Party) {
        r.problem(0, "found no party, allowed is at least one", "write [[member]] with name and role = \"party\"");
    }
    charter
}

/// `[season.siting]` with the month and the day on which it begins each year.
fn season_of(r: &mut Reader<'_>, name: &Spanned<DeString<'_>>, value: &Value<'_>, seasons: &mut Seasons) {
    let what = format!("season {}", name.get_ref());
    let Some(table) = r.table(&what, value) else { return };
    let number = |key: &str| match table.get(key).map(Spanned::get_ref) {
        Some(DeValue::Integer(n)) => n.to_string().parse::<i64>().ok(),
        _ => None,
    };
    match (number("month"), number("day")) {
        (Some(month), Some(day)) if calendar::is_date(month, day) => {
            seasons.insert(name.get_ref().to_string(), (month, day));
        }
        _ => r.problem(
            name.span().start,
            format!("{what}: allowed is a month and a day that every year has"),
            "e.g. month = 10, day = 1",
        ),
    }
}

fn member_of(r: &mut Reader<'_>, value: &Value<'_>, members: &mut Vec<Member>) {
    let Some(table) = r.table("member", value) else { return };
    let (mut name, mut role, mut origin) = (None, None, None);
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "name" => name = r.text("member: name", value),
            "origin" => origin = r.text("member: origin", value),
            "role" => {
                role = match r.text("member: role", value).as_deref() {
                    Some("party") => Some(MemberRole::Party),
                    Some("guarantor") => Some(MemberRole::Guarantor),
                    Some("witness") => Some(MemberRole::Witness),
                    Some(other) => {
                        r.problem(
                            value.span().start,
                            format!("member: found the role `{other}`, allowed is party, guarantor or witness"),
                            "",
                        );
                        continue;
                    }
                    None => continue,
                }
            }
            _ => {}
        }
    }
    match (name, role) {
        (Some(name), Some(role)) => {
            if members.iter().any(|m| m.name == name) {
                r.problem(value.span().start, format!("found a second member `{name}`"), "names are unique");
            } else {
                members.push(Member { name, role, origin });
            }
        }
        _ => r.problem(value.span().start, "a member needs a name and a role", "e.g. name = \"P1\", role = \"party\""),
    }
}

pub(crate) fn kinds(file: &str, source: &str, problems: &mut Vec<Diagnostic>) -> Kinds {
    let table = document(file, source, problems);
    let mut r = Reader { file, source, problems };
    let mut kinds = Kinds::default();
    // Enumerations first: fields name them.
    for (key, value) in table.get_ref() {
        match key.get_ref().as_ref() {
            "enum" => {
                for (name, value) in r.table("enum", value).into_iter().flatten() {
                    let what = format!("enum.{}", name.get_ref());
                    let mut enumeration = Enumeration::default();
                    for (key, value) in r.table(&what, value).into_iter().flatten() {
                        match key.get_ref().as_ref() {
                            "order" => enumeration.order = r.texts(&what, value),
                            "values" | "also" => enumeration.also.extend(r.texts(&what, value)),
                            _ => r.unknown(&what, key, "order, values or also"),
                        }
                    }
                    if enumeration.order.is_empty() && enumeration.also.is_empty() {
                        r.problem(name.span().start, format!("{what}: found no value"), "write values = [\"…\"]");
                    }
                    kinds.enums.insert(name.get_ref().to_string(), enumeration);
                }
            }
            "kind" => {}
            _ => r.unknown("annexes/kinds.toml", key, "enum or kind"),
        }
    }
    let Some(table) = table.get_ref().get("kind") else {
        r.problem(0, "found no kind", "write [kind.NAME] for each kind of statement");
        return kinds;
    };
    for (name, value) in r.table("kind", table).into_iter().flatten() {
        if let Some(kind) = kind(&mut r, name, value, &kinds.enums) {
            kinds.kinds.insert(kind.name.clone(), kind);
        }
    }
    kinds
}

/// Tables of an annex that say what their columns are; an annex without such tables is for people.
pub(crate) fn tables(
    file: &str,
    source: &str,
    charter: &Charter,
    kinds: &Kinds,
    problems: &mut Vec<Diagnostic>,
) -> Vec<Table> {
    let document = document(file, source, problems);
    let mut r = Reader { file, source, problems };
    let Some(declared) = document.get_ref().get("columns") else { return Vec::new() };
    let mut tables = Vec::new();
    for (name, columns) in r.table("columns", declared).into_iter().flatten() {
        let mut table = Table { name: name.get_ref().to_string(), ..Table::default() };
        let what = format!("columns.{}", table.name);
        if kinds.kinds.contains_key(&table.name) || lower::is_of_record(&table.name) {
            let message = format!("{what}: `{}` is a kind of the annex or a word of the record", table.name);
            r.problem(name.span().start, message, "name it otherwise");
            continue;
        }
        for (column, kind) in r.table(&what, columns).into_iter().flatten() {
            let Some(text) = r.text(&what, kind) else { continue };
            let (bare, optional) = text.strip_suffix('?').map_or((text.as_str(), false), |t| (t, true));
            let known = Type::parse(bare).filter(|t| match t {
                Type::Enum(e) => kinds.enums.contains_key(e),
                Type::Place => false,
                _ => true,
            });
            match known {
                Some(kind) => table.columns.push(Column { name: column.get_ref().to_string(), kind, optional }),
                None => {
                    let message = format!(
                        "{what}: column `{}`: found the type `{text}`, allowed is id, party, instant, duration, count, enum:<name>, text or bool",
                        column.get_ref()
                    );
                    r.problem(kind.span().start, message, "a row with lat_e7 and lon_e7 is a place without saying so");
                }
            }
        }
        let rows = document.get_ref().get(table.name.as_str()).map(Spanned::get_ref);
        match rows {
            Some(DeValue::Array(rows)) => {
                for row in rows.iter() {
                    row_of(&mut r, row, charter, kinds, &mut table);
                }
            }
            Some(_) => r.problem(
                name.span().start,
                format!("{what}: allowed is a list of tables"),
                "write [[NAME]] for each row",
            ),
            // A table that the parties have not filled yet.
            None => {}
        }
        tables.push(table);
    }
    tables
}

fn row_of(r: &mut Reader<'_>, row: &Value<'_>, charter: &Charter, kinds: &Kinds, table: &mut Table) {
    let what = table.name.clone();
    let Some(fields) = r.table(&what, row) else { return };
    let mut values = Vec::new();
    for column in &table.columns {
        let Some(value) = fields.get(column.name.as_str()) else {
            if !column.optional {
                r.problem(
                    row.span().start,
                    format!("{what}: found no `{}`", column.name),
                    "a column without `?` is always there",
                );
            }
            values.push(nothing(&column.kind));
            continue;
        };
        let text = match value.get_ref() {
            DeValue::String(s) => s.to_string(),
            DeValue::Integer(n) => n.to_string(),
            DeValue::Boolean(b) => b.to_string(),
            DeValue::Datetime(d) => d.to_string(),
            _ => String::new(),
        };
        let read = match &column.kind {
            Type::Instant => text.parse::<Instant>().ok().map(|i| monitor::Value::Int(i.0)),
            Type::Truth => text.parse::<bool>().ok().map(|b| monitor::Value::Int(i64::from(b))),
            Type::Duration | Type::Count => text.parse().ok().filter(|n| *n >= 0).map(monitor::Value::Int),
            Type::Party => charter.is_party(&text).then(|| monitor::Value::text(&text)),
            Type::Enum(e) => kinds.enums.get(e).filter(|e| e.has(&text)).map(|_| monitor::Value::text(&text)),
            _ => (!text.is_empty()).then(|| monitor::Value::text(&text)),
        };
        match read {
            Some(read) => values.push(read),
            None => {
                let message = format!(
                    "{what}: `{}`: found {}, allowed is {}",
                    column.name,
                    shape(value.get_ref()),
                    column.kind.name()
                );
                r.problem(value.span().start, message, "instants are written 2026-11-01T00:00:00Z");
                values.push(nothing(&column.kind));
            }
        }
    }
    let degrees = |key: &str| match fields.get(key).map(Spanned::get_ref) {
        Some(DeValue::Integer(n)) => n.to_string().parse::<i64>().ok(),
        _ => None,
    };
    if let (Some(lat_e7), Some(lon_e7)) = (degrees("lat_e7"), degrees("lon_e7")) {
        table.places.add_point(lat_e7, lon_e7);
    }
    table.rows.push(values);
}

impl Charter {
    /// Whether a name is a member's or an office's.
    pub(crate) fn is_party(&self, name: &str) -> bool {
        self.members.iter().any(|m| m.name == name) || self.roles.values().any(|r| r == name)
    }
}

fn kind(
    r: &mut Reader<'_>,
    name: &Spanned<DeString<'_>>,
    value: &Value<'_>,
    enums: &BTreeMap<String, Enumeration>,
) -> Option<KindRule> {
    let what = format!("kind {}", name.get_ref());
    let table = r.table(&what, value)?;
    let mut kind = KindRule {
        name: name.get_ref().to_string(),
        act: String::new(),
        speech: Speech::Said,
        guarantor_admits: false,
        harms: false,
        actor: None,
        id: Vec::new(),
        fields: Vec::new(),
        also: Vec::new(),
    };
    let mut speech = None;
    let (mut actor_at, mut id_at, mut also_at) = (0, 0, 0);
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "act" => {
                kind.act = r.text(&what, value)?;
                if !ACTS.contains(&kind.act.as_str()) {
                    r.problem(
                        value.span().start,
                        format!("{what}: found the act `{}`, allowed is one of {}", kind.act, ACTS.join(", ")),
                        "acts are the record's",
                    );
                }
            }
            "speech" => {
                speech = match r.text(&what, value)?.as_str() {
                    "said" => Some(Speech::Said),
                    "seen" => Some(Speech::Seen),
                    "background" => Some(Speech::Background),
                    "mechanism" | "none" => Some(Speech::Mechanism),
                    other => {
                        r.problem(
                            value.span().start,
                            format!(
                                "{what}: found the speech `{other}`, allowed is said, seen, background or mechanism"
                            ),
                            "said: a fact by being logged; seen: a fact when it occurred",
                        );
                        continue;
                    }
                }
            }
            "guarantor_admits" => kind.guarantor_admits = r.truth(&what, value),
            "harms" => kind.harms = r.truth(&what, value),
            "actor" => {
                actor_at = value.span().start;
                kind.actor = r.text(&what, value);
            }
            "id" => {
                id_at = value.span().start;
                kind.id = match value.get_ref() {
                    DeValue::String(s) => vec![s.to_string()],
                    _ => r.texts(&what, value),
                };
            }
            "also" => {
                also_at = value.span().start;
                for (fact, field) in r.table(&what, value).into_iter().flatten() {
                    if let Some(field) = r.text(&what, field) {
                        kind.also.push((fact.get_ref().to_string(), field));
                    }
                }
            }
            "fields" => {
                for (field, kind_of) in r.table(&what, value).into_iter().flatten() {
                    let Some(text) = r.text(&what, kind_of) else { continue };
                    let (bare, optional) = text.strip_suffix('?').map_or((text.as_str(), false), |t| (t, true));
                    let known = Type::parse(bare).filter(|t| match t {
                        Type::Enum(e) => enums.contains_key(e),
                        _ => true,
                    });
                    let field = field.get_ref().to_string();
                    match known {
                        _ if matches!(field.as_str(), "by" | "entry" | "at") => r.problem(
                            kind_of.span().start,
                            format!("{what}: found a field `{field}`, which every kind has"),
                            "`by` is the party that states it, `entry` its statement, `at` its place",
                        ),
                        Some(known) => kind.fields.push((field, known, optional)),
                        None => r.problem(
                            kind_of.span().start,
                            format!("{what}: field `{field}`: found the type `{text}`, allowed is id, party, instant, duration, count, place, enum:<name>, text or bool"),
                            "enumerations stand above the kinds as [enum.<name>]; `?` marks a field that may be absent",
                        ),
                    }
                }
            }
            "article" | "articles" | "lasts_until" | "title" | "note" | "marking" | "salted" | "to" => {}
            _ => r.unknown(
                &what,
                key,
                "act, speech, article, guarantor_admits, harms, actor, id, lasts_until, also or fields",
            ),
        }
    }
    if kind.act.is_empty() {
        r.problem(name.span().start, format!("{what}: found no act"), "e.g. act = \"observe\"");
    }
    match speech {
        Some(speech) => kind.speech = speech,
        None => r.problem(name.span().start, format!("{what}: found no speech"), "write speech = \"said\" or \"seen\""),
    }
    let has = |f: &str, t: Option<&Type>| kind.fields.iter().any(|(n, ty, _)| n == f && t.is_none_or(|t| t == ty));
    let mut wrong = Vec::new();
    if let Some(actor) = kind.actor.as_deref().filter(|a| *a != "by" && !has(a, Some(&Type::Party))) {
        wrong.push((actor_at, format!("{what}: actor `{actor}` is no field of type party")));
    }
    for field in kind.id.iter().filter(|f| *f != "by" && !has(f, None)) {
        wrong.push((id_at, format!("{what}: identifying field `{field}` is no field of it")));
    }
    for (fact, field) in &kind.also {
        if kind.speech != Speech::Said {
            wrong.push((also_at, format!("{what}: `also` adds a fact to a kind that is said, this one is not")));
        }
        if !has(field, Some(&Type::Instant)) {
            wrong.push((
                also_at,
                format!("{what}: `{fact}` is at the instant in `{field}`, which is no field of type instant"),
            ));
        }
    }
    for (at, message) in wrong {
        r.problem(at, message, "fields stand in [kind.NAME.fields]");
    }
    Some(kind)
}

impl KindRule {
    pub(crate) fn public(&self) -> Kind {
        Kind {
            name: self.name.clone(),
            act: self.act.clone(),
            said: self.speech == Speech::Said,
            speech: self.speech,
            fields: self
                .fields
                .iter()
                .map(|(name, kind, optional)| {
                    (name.clone(), format!("{}{}", kind.name(), if *optional { "?" } else { "" }))
                })
                .collect(),
        }
    }
}
