//! Who may state, read, verify and publish what: `roles.toml`, signed with the agreement.
//!
//! ```toml
//! [role.sector_liaison]
//! of = ["party"]
//! circle = "sector"            # whom a marking means by it
//! keys = ["liaison"]           # last part of the names of keys that hold this role
//! incident = "S R"             # state, read
//! allegation = "S2 R"          # 2: with a second person
//! [column.incident]
//! state = ["fire", "alert"]    # every kind stands in one column
//! ```
//!
//! A node asks [`Rights::may_state`] before it takes a statement in, and [`Rights::may_read`] before it shows one: first
//! the column, then the marking (TLP 2.0). What binds others, signatures of both parties on a consent or of offices on a
//! finding, the record demands of every node; this table is what a member demands of its own people. No verdict hangs on
//! it.
use crate::annex::Kinds;
use crate::source::{Diagnostic, MemberRole, Misfit};
use hamsaya_record::logs::Signer;
use hamsaya_record::statement::{FieldValue, Statement};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use toml::Spanned;

/// The file, in the agreement's folder.
pub const ROLES: &str = "roles.toml";

/// All PAP words: what may be done with what one reads (FIRST's Permissible Actions Protocol 2.0).
pub const HANDLINGS: [&str; 4] = ["PAP:CLEAR", "PAP:GREEN", "PAP:AMBER", "PAP:RED"];

/// Columns of the table.
pub const COLUMNS: [&str; 11] = [
    "incident",
    "allegation",
    "access",
    "finding",
    "gate",
    "siting",
    "training",
    "readiness",
    "agreement",
    "bundle",
    "read_log",
];
/// Columns of the file that are no column of the table: the node's own, and what everybody may state.
const BESIDE: [&str; 2] = [MECHANISM, ANY];
const MECHANISM: &str = "mechanism";
const ANY: &str = "any";

fn is_column(name: &str) -> bool {
    COLUMNS.contains(&name) || BESIDE.contains(&name)
}
/// The role of who is not signed in.
const PUBLIC: &str = "public";

/// What one does with statements of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// `S`
    State,
    /// `R`
    Read,
    /// `V`
    Verify,
    /// `P`
    Publish,
}

impl Verb {
    /// All.
    pub const ALL: [Verb; 4] = [Verb::State, Verb::Read, Verb::Verify, Verb::Publish];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Verb::State => "state",
            Verb::Read => "read",
            Verb::Verify => "verify",
            Verb::Publish => "publish",
        }
    }

    fn of_letter(letter: char) -> Option<Verb> {
        Some(match letter.to_ascii_uppercase() {
            'S' => Verb::State,
            'R' => Verb::Read,
            'V' => Verb::Verify,
            'P' => Verb::Publish,
            _ => return None,
        })
    }
}

/// How far a right goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// Only in what its own party says or is told.
    pub own: bool,
    /// It takes a second person.
    pub two: bool,
}

/// Whom a marking means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Circle {
    /// Officers of a party.
    Sector,
    /// The Commission: both parties' chairs, secretaries, advisers.
    Commission,
    /// Guarantors' observers.
    Guarantor,
    /// Mediators and analysts.
    Mediator,
    /// Everybody.
    Public,
}

/// A role and what it may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// `sector_liaison`.
    pub name: String,
    /// Kinds of members that have it; none: it belongs to no member.
    pub of: Vec<MemberRole>,
    /// Whom a marking means by it; `None`: it is no reader.
    pub circle: Option<Circle>,
    keys: Vec<String>,
    grants: BTreeMap<(String, Verb), Grant>,
}

impl Role {
    /// What it may do in a column; `None`: nothing.
    pub fn grant(&self, column: &str, verb: Verb) -> Option<Grant> {
        if column == ANY {
            // What is withdrawn takes what it took to say it; by itself nothing is stated here.
            if verb != Verb::Read {
                return None;
            }
            return self.grants.iter().find(|((_, v), _)| *v == verb).map(|_| Grant { own: false, two: false });
        }
        let column = if column == MECHANISM && verb == Verb::Read { "agreement" } else { column };
        self.grants.get(&(column.to_owned(), verb)).copied()
    }

    /// Last parts of the names of its keys; a `*` at the end stands for anything.
    pub fn keys(&self) -> &[String] {
        &self.keys
    }

    fn holds(&self, member: MemberRole, key: &str) -> bool {
        let last = key.rsplit('/').next().unwrap_or(key);
        let fits = |pattern: &String| match pattern.strip_suffix('*') {
            Some(start) => last.starts_with(start),
            None => last == pattern,
        };
        self.of.contains(&member) && self.keys.iter().any(fits)
    }
}

/// Who wants to read.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    /// By what right.
    pub role: &'a Role,
    /// Of which member; empty for the public.
    pub member: &'a str,
}

/// Why something is not shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Denied {
    /// The role does not read this column.
    Right {
        /// Column.
        column: String,
    },
    /// The marking does not mean the reader.
    Marking {
        /// `TLP:AMBER+STRICT`.
        marking: String,
    },
    /// It is `TLP:RED` and does not name the reader's role: not even that it is there is told.
    Hidden,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Denied::Right { column } => write!(f, "column {column}"),
            Denied::Marking { marking } => f.write_str(marking),
            Denied::Hidden => f.write_str("nothing"),
        }
    }
}

/// `roles.toml`, read and checked against the kinds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    roles: Vec<Role>,
    kinds: BTreeMap<String, (String, Verb)>,
    /// Kinds that take a second person, whoever states them.
    two: BTreeSet<String>,
    purposes: Vec<String>,
}

impl Rights {
    /// All roles, sorted by name.
    pub fn roles(&self) -> &[Role] {
        &self.roles
    }

    /// The role of this name.
    pub fn role(&self, name: &str) -> Option<&Role> {
        self.roles.iter().find(|r| r.name == name)
    }

    /// The role of who is not signed in; `None`: the table has none, and shows nothing to the public.
    pub fn public(&self) -> Option<&Role> {
        self.role(PUBLIC)
    }

    /// The role that a key of a member holds, by its name, `p1.example/liaison`.
    pub fn role_of_key(&self, member: MemberRole, key: &str) -> Option<&Role> {
        self.roles.iter().find(|role| role.holds(member, key))
    }

    /// Why somebody may say that he reads.
    pub fn purposes(&self) -> &[String] {
        &self.purposes
    }

    /// Column of a kind, and what stating it takes.
    pub fn column(&self, kind: &str) -> Option<(&str, Verb)> {
        self.kinds.get(kind).map(|(column, verb)| (column.as_str(), *verb))
    }

    /// Whether a statement may be made by those who signed it. `of_kind`: its own kind, or that of what it withdraws or
    /// replaces, which takes what it took to say it. `member`: what a node is to the agreement.
    pub fn may_state(
        &self,
        statement: &Statement,
        of_kind: &str,
        signers: &[Signer],
        member: impl Fn(&str) -> Option<MemberRole>,
    ) -> Result<(), Misfit> {
        let roles = signers.iter().filter_map(|signer| {
            let key = signer.keyid.rsplit_once('+').map_or(signer.keyid.as_str(), |(name, _)| name);
            Some((signer, self.role_of_key(member(&signer.node)?, key)?))
        });
        let roles: Vec<(&Signer, &Role)> = roles.collect();
        let of_body = member(&statement.party).is_none();
        let speaks = |signer: &Signer| of_body || signer.node == statement.party;
        let Some((column, verb)) = self.column(of_kind) else { return Ok(()) };
        let entitled = roles.iter().filter(|(signer, _)| speaks(signer));
        let entitled: Vec<_> = entitled.filter_map(|(s, role)| Some((s, role.grant(column, verb)?))).collect();
        let Some((first, _)) = entitled.first() else {
            let found: BTreeSet<&str> = roles.iter().map(|(_, role)| role.name.as_str()).collect();
            let may = self.roles.iter().filter(|r| r.grant(column, verb).is_some()).map(|r| r.name.as_str());
            return Err(Misfit {
                reason: "not_author",
                field: "signatures".into(),
                found: format!("`{}` signed by {}", statement.kind, listed(found, "no role")),
                allowed: listed(may, "nobody"),
                hint: "roles.toml of the agreement says who may state what".into(),
            });
        };
        // Of whichever member; with a right that is not only about one's own party's matters.
        let whole = |grant: Option<Grant>| grant.is_some_and(|grant| !grant.own);
        let is_second = |(signer, role): &&(&Signer, &Role)| {
            signer.keyid != first.keyid
                && role.circle.is_some()
                && (whole(role.grant(column, verb)) || whole(role.grant(column, Verb::Read)))
        };
        let takes_two = self.two.contains(of_kind) || entitled.iter().all(|(_, grant)| grant.two);
        if takes_two && !roles.iter().any(|second| is_second(&second)) {
            return Err(Misfit {
                reason: "second_signature_required",
                field: "signatures".into(),
                found: format!("`{}` signed by {} alone", statement.kind, first.keyid),
                allowed: "two signatures, by different keys of two persons".into(),
                hint: "the second signs the same bytes; with a key whose role may state or read this".into(),
            });
        }
        Ok(())
    }

    /// Which of these keys of a member are enough to state a kind, fewest first; `None`: they are not. The names as
    /// `role_of_key` takes them.
    pub fn signers<'k>(&self, kind: &str, member: MemberRole, keys: &[&'k str]) -> Option<Vec<&'k str>> {
        let (column, verb) = self.column(kind).filter(|(column, _)| *column != ANY)?;
        let held: Vec<(&'k str, &Role)> =
            keys.iter().filter_map(|key| Some((*key, self.role_of_key(member, key)?))).collect();
        let may = |two: bool| held.iter().find(|(_, role)| role.grant(column, verb).is_some_and(|g| g.two == two));
        let alone = may(false);
        if let (Some((one, _)), false) = (alone, self.two.contains(kind)) {
            return Some(vec![one]);
        }
        let (first, _) = may(true).or(alone)?;
        let second = held.iter().find(|(key, role)| {
            let whole = |verb| role.grant(column, verb).is_some_and(|grant| !grant.own);
            let reads = whole(Verb::Read) || whole(verb);
            key != first && role.circle.is_some() && reads
        })?;
        Some(vec![first, second.0])
    }

    /// Whether somebody may read a statement.
    pub fn may_read(&self, reader: Reader<'_>, statement: &Statement) -> Result<(), Denied> {
        let (column, _) = self.column(&statement.kind).unwrap_or(("agreement", Verb::State));
        let own = statement.party == reader.member;
        let concerned = own || statement.to.iter().any(|to| to == reader.member);
        let grant = reader.role.grant(column, Verb::Read);
        // The marking is looked at first: what it forbids is forbidden to what is derived, too, whatever the column; and where
        // it hides, a refusal by column would tell that there is something.
        marked_for(reader, statement, own)?;
        if !grant.is_some_and(|grant| !grant.own || concerned) {
            return Err(Denied::Right { column: column.to_owned() });
        }
        Ok(())
    }
}

/// The marking's word on a reader (TLP 2.0): `own`, the statement is of the reader's own party.
fn marked_for(reader: Reader<'_>, statement: &Statement, own: bool) -> Result<(), Denied> {
    let circle = reader.role.circle;
    let means = match statement.marking.as_str() {
        "TLP:CLEAR" => circle.is_some(),
        "TLP:GREEN" | "TLP:AMBER" => circle.is_some_and(|c| c != Circle::Public),
        "TLP:AMBER+STRICT" => match circle {
            Some(Circle::Sector) => own,
            Some(Circle::Commission | Circle::Guarantor) => true,
            _ => false,
        },
        _ => {
            let named = match statement.fields.get("readers") {
                Some(FieldValue::List(roles)) => {
                    roles.iter().any(|r| matches!(r, FieldValue::Text(role) if *role == reader.role.name))
                }
                _ => false,
            };
            // Mediator and public never; named roles else.
            return match circle {
                Some(Circle::Sector | Circle::Commission | Circle::Guarantor) if named => Ok(()),
                _ => Err(Denied::Hidden),
            };
        }
    };
    if means { Ok(()) } else { Err(Denied::Marking { marking: statement.marking.clone() }) }
}

/// Whether reading something so marked needs a purpose and is written down.
pub fn is_restricted(marking: &str) -> bool {
    !matches!(marking, "TLP:CLEAR" | "TLP:GREEN")
}

/// A place under a marking is shown no finer, in metres; 0: as it was stated.
pub fn finest_m(marking: &str) -> i64 {
    match marking {
        "TLP:RED" => 0,
        "TLP:AMBER+STRICT" => 100,
        "TLP:CLEAR" => 5_000,
        _ => 1_000,
    }
}

/// Whether a field is one that a statement of any kind may have.
pub(crate) fn is_common_field(name: &str) -> bool {
    matches!(name, "pap" | "readers")
}

/// Fields that a statement of any kind may have: how it is to be handled, and under `TLP:RED` who may read it.
pub(crate) fn common_field(name: &str, value: &FieldValue) -> Option<Result<(), String>> {
    let checked = match (name, value) {
        ("pap", FieldValue::Text(word)) => HANDLINGS.contains(&word.as_str()),
        ("pap", _) => false,
        ("readers", FieldValue::List(roles)) => roles.iter().all(|role| matches!(role, FieldValue::Text(_))),
        ("readers", _) => false,
        _ => return None,
    };
    let allowed = if name == "pap" { HANDLINGS.join(", ") } else { "a list of roles of roles.toml".into() };
    Some(if checked { Ok(()) } else { Err(allowed) })
}

fn listed<'a>(names: impl IntoIterator<Item = &'a str>, none: &str) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    if names.is_empty() { none.into() } else { names.join(", ") }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    #[serde(default)]
    purposes: Vec<Spanned<String>>,
    #[serde(default)]
    role: BTreeMap<Spanned<String>, RoleSource>,
    #[serde(default)]
    column: BTreeMap<Spanned<String>, ColumnSource>,
}

#[derive(Deserialize)]
struct RoleSource {
    #[serde(default)]
    of: Vec<Spanned<String>>,
    circle: Option<Circle>,
    #[serde(default)]
    keys: Vec<Spanned<String>>,
    #[serde(flatten)]
    grants: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ColumnSource {
    state: Vec<Spanned<String>>,
    verify: Vec<Spanned<String>>,
    publish: Vec<Spanned<String>>,
    two: Vec<Spanned<String>>,
}

/// Reads `roles.toml`; every kind must stand in one column, every key in one role.
pub(crate) fn read(text: &str, kinds: &Kinds, problems: &mut Vec<Diagnostic>) -> Rights {
    let mut problem = |byte: usize, message: String, hint: &str| {
        let before = text.get(..byte.min(text.len())).unwrap_or_default();
        problems.push(Diagnostic {
            file: ROLES.into(),
            line: before.matches('\n').count() + 1,
            column: before.rsplit('\n').next().unwrap_or_default().chars().count() + 1,
            message,
            hint: (!hint.is_empty()).then(|| hint.into()),
        });
    };
    let source: Source = match toml::from_str(text) {
        Ok(source) => source,
        Err(e) => {
            problem(
                e.span().map_or(0, |s| s.start),
                e.message().to_string(),
                "roles are [role.NAME], columns [column.NAME]",
            );
            return Rights::default();
        }
    };
    let mut rights =
        Rights { purposes: source.purposes.iter().map(|p| p.get_ref().clone()).collect(), ..Rights::default() };
    for (name, column) in &source.column {
        if !is_column(name.get_ref()) {
            problem(
                name.span().start,
                format!(
                    "found the column `{}`, allowed are {}",
                    name.get_ref(),
                    [&COLUMNS[..], &BESIDE].concat().join(", ")
                ),
                "",
            );
        }
        let lists = [(&column.state, Verb::State), (&column.verify, Verb::Verify), (&column.publish, Verb::Publish)];
        for (kind, verb) in lists.into_iter().flat_map(|(list, verb)| list.iter().map(move |kind| (kind, verb))) {
            let at = kind.span().start;
            let kind = kind.get_ref();
            if !kinds.kinds.contains_key(kind) {
                problem(at, format!("found the kind `{kind}`, which annexes/kinds.toml does not have"), "");
            }
            if column.two.iter().any(|two| two.get_ref() == kind) {
                rights.two.insert(kind.clone());
            }
            if rights.kinds.insert(kind.clone(), (name.get_ref().clone(), verb)).is_some() {
                problem(at, format!("found the kind `{kind}` a second time"), "a kind stands in one column, once");
            }
        }
    }
    for kind in kinds.kinds.keys().filter(|kind| !rights.kinds.contains_key(*kind)) {
        problem(0, format!("found no column for the kind `{kind}`"), "name it under one of [column.NAME]");
    }
    let mut patterns = BTreeSet::new();
    for (name, role) in source.role {
        let at = name.span().start;
        let name = name.into_inner();
        let mut of = Vec::new();
        for word in &role.of {
            match word.get_ref().as_str() {
                "party" => of.push(MemberRole::Party),
                "guarantor" => of.push(MemberRole::Guarantor),
                other => problem(word.span().start, format!("found `{other}`, allowed are party, guarantor"), ""),
            }
        }
        for key in &role.keys {
            for member in &of {
                if !patterns.insert((*member, key.get_ref().clone())) {
                    problem(
                        key.span().start,
                        format!("found the key `{}` in two roles", key.get_ref()),
                        "a key has one role",
                    );
                }
            }
        }
        let mut grants = BTreeMap::new();
        for (column, words) in &role.grants {
            if !is_column(column) || column == ANY {
                let allowed = COLUMNS.join(", ");
                problem(
                    at,
                    format!("role `{name}`: found `{column}`, allowed are of, circle, keys, {allowed}, {MECHANISM}"),
                    "",
                );
            }
            for word in words.split_whitespace() {
                let letter = word.chars().next().unwrap_or(' ');
                match (Verb::of_letter(letter), &word[letter.len_utf8()..]) {
                    (Some(verb), rest @ ("" | "2")) => {
                        let grant = Grant { own: letter.is_ascii_lowercase(), two: rest == "2" };
                        grants.insert((column.clone(), verb), grant);
                    }
                    _ => problem(
                        at,
                        format!(
                            "role `{name}`: {column}: found `{word}`, allowed are S, R, V, P, small for its own party's, with 2 for two persons"
                        ),
                        "",
                    ),
                }
            }
        }
        let keys = role.keys.iter().map(|k| k.get_ref().clone()).collect();
        rights.roles.push(Role { name, of, circle: role.circle, keys, grants });
    }
    rights
}
