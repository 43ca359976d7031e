//! Who asks, what that lets them see, and the read log that it is written to.
//!
//! ```text
//! cookie: hamsaya=<token>                      an office that signed in (POST /api/session)
//! signature-input: …  signature: …             a key of the founding: an office's, or another node's
//! hamsaya-purpose: duty                        why, where no session says it
//! ```
//! Neither: the public. Whoever asks is seen here once, so that every path asks the same table.
use super::Api;
use super::problem::Problem;
use crate::erased::Erasure;
use crate::node::member_role;
use crate::readers::SignedIn;
use crate::reads::Read;
use crate::sight::Sight;
use crate::signed::{self, Request};
use axum::extract::FromRequestParts;
use axum::http::header::{COOKIE, HOST};
use axum::http::request::Parts;
use hamsaya_agreement::rights::{Denied, Reader, Rights, Role, Verb, is_restricted};
use hamsaya_record::Instant;
use hamsaya_record::founding::{MemberKey, MemberRole};
use hamsaya_record::key;
use hamsaya_record::logs::Entry;
use hamsaya_record::statement::Statement;
use serde_json::{Value, json};
use std::convert::Infallible;

/// Name of the session's cookie.
pub(super) const COOKIE_NAME: &str = "hamsaya";
/// Header of what a page asks by itself, because something may have changed.
const REFRESH: &str = "hamsaya-refresh";
use signed::PURPOSE;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// Nobody that is known.
    Public,
    /// Another node that keeps a log.
    Node,
    /// An office.
    Office(Office),
}

/// An office that asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Office {
    /// Its member.
    pub(super) node: String,
    /// `liaison`.
    pub(super) office: String,
    /// `sector_liaison`.
    pub(super) role: String,
    purpose: Option<String>,
    asked: String,
    /// A page asks again by itself; nobody may sit before it.
    is_auto: bool,
}

/// That something was erased, with as much of it as the reader is told.
#[derive(Clone, Debug)]
pub(super) struct Gone(pub(super) Option<Erasure>);

impl Gone {
    /// Ground and place; null where they are not told.
    pub(super) fn shown(&self) -> Value {
        json!(self.0.as_ref().map(|e| json!({"ground": e.ground, "origin": e.origin, "index": e.index})))
    }
}

impl FromRequestParts<Api> for Who {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Who, Problem> {
        let text = |name: &str| parts.headers.get(name).map(|v| v.to_str().unwrap_or("?"));
        let asked = parts.uri.path().to_string();
        if let Some(key) = signed_by(parts, api).await? {
            let keeps_a_log = api.founding.member(&key.node).is_some_and(|m| m.role != MemberRole::Witness);
            return match key.role {
                key::Role::Node if keeps_a_log => Ok(Who::Node),
                key::Role::Office | key::Role::Device => {
                    let office = key.vkey.name().rsplit('/').next().unwrap_or_default();
                    api.office(&key.node, office, text(PURPOSE).filter(|p| !p.is_empty()), asked, false)
                }
                _ => Ok(Who::Public),
            };
        }
        match token(&parts.headers).and_then(|token| api.sessions.of(&api.folder.dir, token)) {
            Some(SignedIn { office, purpose }) => {
                let purpose = text(PURPOSE).unwrap_or(&purpose);
                let is_auto = text(REFRESH) == Some("auto");
                api.office(&api.folder.config.name, &office, Some(purpose), asked, is_auto)
            }
            None => Ok(Who::Public),
        }
    }
}

/// The key that signed a request; `None`: it is not signed.
async fn signed_by(parts: &Parts, api: &Api) -> Result<Option<MemberKey>, Problem> {
    let text = |name: &str| parts.headers.get(name).map(|v| v.to_str().unwrap_or("?"));
    let Some(input) = text(signed::INPUT) else { return Ok(None) };
    let request = Request {
        method: parts.method.as_str(),
        authority: text(HOST.as_str()).or(parts.uri.authority().map(|a| a.as_str())).unwrap_or_default(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        purpose: text(PURPOSE).unwrap_or_default(),
    };
    // What was signed for another node is good there only.
    if !api.authorities.iter().any(|own| own.eq_ignore_ascii_case(request.authority)) {
        return Err(Problem::other_authority(request.authority, &api.authorities));
    }
    let keyid = signed::keyid(input).unwrap_or_default().to_string();
    let key = api.shell.ask(move |node| node.key_in_force(&keyid)).await?;
    let signature = text(signed::SIGNATURE).unwrap_or_default();
    let vkey = key.as_ref().map(|key| &key.vkey);
    let unsigned = |error: signed::Unsigned| Problem::unsigned(error.to_string());
    signed::verify(request, input, signature, signed::now_s(), vkey).map_err(unsigned)?;
    key.map(Some).ok_or_else(|| unsigned(signed::Unsigned::Key))
}

/// The member whose node brings something; `None`: nobody who is known. What is brought proves itself, so a signature that
/// does not fit is no reason to send it away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bringing(pub(super) Option<String>);

impl FromRequestParts<Api> for Bringing {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Bringing, Infallible> {
        let key = signed_by(parts, api).await.ok().flatten();
        Ok(Bringing(key.filter(|key| key.role == key::Role::Node).map(|key| key.node)))
    }
}

/// The token in a request's cookie.
pub(super) fn token(headers: &axum::http::HeaderMap) -> Option<&str> {
    let cookies = headers.get(COOKIE)?.to_str().ok()?.split("; ");
    cookies.filter_map(|c| c.split_once('=')).find(|(name, _)| *name == COOKIE_NAME).map(|(_, token)| token)
}

impl Api {
    /// An office of a member, with the role that the agreement gives it.
    fn office(
        &self,
        node: &str,
        office: &str,
        purpose: Option<&str>,
        asked: String,
        is_auto: bool,
    ) -> Result<Who, Problem> {
        let role = self.role_of(node, office).ok_or_else(|| {
            Problem::right(format!("roles.toml of the agreement gives the office `{office}` of {node} no role"))
        })?;
        if let Some(purpose) = purpose {
            self.check_purpose(purpose)?;
        }
        let (node, office, role) = (node.to_string(), office.to_string(), role.name.clone());
        Ok(Who::Office(Office { node, office, role, purpose: purpose.map(str::to_string), asked, is_auto }))
    }

    /// The role of an office, if it is one that reads.
    pub(super) fn role_of(&self, node: &str, office: &str) -> Option<&Role> {
        let member = member_role(&self.founding, node)?;
        self.rights()?.role_of_key(member, office).filter(|role| role.circle.is_some())
    }

    pub(super) fn check_purpose(&self, purpose: &str) -> Result<(), Problem> {
        let purposes = self.rights().map(Rights::purposes).unwrap_or_default();
        if purposes.iter().any(|p| p == purpose) {
            return Ok(());
        }
        Err(Problem::bad_parameter("purpose", purpose, &purposes.join(", ")))
    }

    pub(super) fn rights(&self) -> Option<&Rights> {
        self.agreement().map(|agreement| agreement.rights())
    }
}

impl Who {
    /// The reader that the table knows; `None`: it shows nothing.
    fn reader<'a>(&'a self, rights: &'a Rights) -> Option<Reader<'a>> {
        match self {
            Who::Office(office) => Some(Reader { role: rights.role(&office.role)?, member: &office.node }),
            Who::Public | Who::Node => Some(Reader { role: rights.public()?, member: "" }),
        }
    }

    /// Whether a statement is shown.
    pub(super) fn may_read(&self, rights: Option<&Rights>, statement: &Statement) -> Result<(), Denied> {
        match rights.and_then(|rights| Some((rights, self.reader(rights)?))) {
            Some((rights, reader)) => rights.may_read(reader, statement),
            None => Err(Denied::Right { column: "any".to_string() }),
        }
    }

    /// What is seen of all that the node holds.
    pub(super) async fn sight(&self, api: &Api) -> Result<Sight, Problem> {
        let (who, agreement) = (self.clone(), api.agreement().cloned());
        let agreement = agreement.ok_or_else(|| Problem::forbidden("this node only witnesses, it shows no entries"))?;
        let sight = api.shell.ask(move |node| {
            let reader = who.reader(agreement.rights())?;
            Some(Sight::of(node, agreement.rights(), reader))
        });
        sight.await?.ok_or_else(|| Problem::right("the agreement has no roles.toml: nobody reads here".to_string()))
    }

    /// Refused unless the role may do this in the whole column: what is derived is no single party's matter.
    pub(super) fn needs(&self, api: &Api, column: &str, verb: Verb) -> Result<(), Problem> {
        let grant = api.rights().and_then(|rights| self.reader(rights)?.role.grant(column, verb));
        match grant {
            Some(grant) if !grant.own => Ok(()),
            _ => Err(self.lacks(column, verb)),
        }
    }

    /// What whoever reads findings sees of all that the node holds.
    pub(super) async fn findings(&self, api: &Api) -> Result<Sight, Problem> {
        self.needs(api, "finding", Verb::Read)?;
        self.sight(api).await
    }

    fn lacks(&self, column: &str, verb: Verb) -> Problem {
        let who = match self {
            Who::Office(office) => format!("role {}", office.role),
            Who::Public | Who::Node => "who is not signed in".to_string(),
        };
        Problem::right(format!("{who} may not {} the column `{column}`", verb.word()))
    }

    /// The answer to somebody who may not see something; `nothing`: what is said where there is nothing.
    pub(super) fn denied(&self, denied: Denied, nothing: impl FnOnce() -> Problem) -> Problem {
        match denied {
            Denied::Right { column } => self.lacks(&column, Verb::Read),
            Denied::Marking { marking } => Problem::marking(&marking),
            Denied::Hidden => nothing(),
        }
    }

    /// What this reader is told of an erasure: where and why, if he may read the entry that erased; else that it is one.
    pub(super) async fn told(&self, api: &Api, erasure: Option<Erasure>) -> Result<Option<Gone>, Problem> {
        let Some(erasure) = erasure else { return Ok(None) };
        let (origin, index) = (erasure.origin.clone(), erasure.index);
        let entry = api.shell.ask(move |node| node.entry_at(&origin, index)).await?;
        let may = entry.is_some_and(|entry| self.may_read(api.rights(), &entry.statement).is_ok());
        Ok(Some(Gone(may.then_some(erasure))))
    }

    /// Writes down that restricted entries are read; refused where nobody says why. It is durable when this returns.
    pub(super) fn reads<'e>(&self, api: &Api, shown: impl Iterator<Item = &'e Entry>) -> Result<(), Problem> {
        let restricted = shown.filter(|entry| is_restricted(&entry.statement.marking));
        self.reads_places(api, restricted.map(|e| format!("{}#{}", e.origin, e.index)).collect())
    }

    /// The same for something derived, which names what it rests on.
    pub(super) fn reads_places(&self, api: &Api, entries: Vec<String>) -> Result<(), Problem> {
        let Who::Office(office) = self else { return Ok(()) };
        if entries.is_empty() {
            return Ok(());
        }
        let purposes = api.rights().map(|r| r.purposes().join(", ")).unwrap_or_default();
        let purpose = office.purpose.as_deref().ok_or_else(|| Problem::purpose(&purposes))?;
        let at = api.shell.clock().now().unwrap_or_else(|| Instant(i64::try_from(signed::now_s()).unwrap_or(i64::MAX)));
        let read = Read {
            at,
            node: &office.node,
            office: &office.office,
            role: &office.role,
            purpose,
            asked: &office.asked,
            is_auto: office.is_auto,
            entries: &entries,
        };
        let mut reads = api.reads.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        reads.write(&read).map_err(|e| Problem::paused(format!("the read cannot be written down: {e}")))
    }
}
