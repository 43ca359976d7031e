//! Who may state and read what, over HTTP: every cell of the table of roles, every cell of the table of markings.
use crate::town::{OFFICES, START, Said, Town, key, origin};
use hamsaya_agreement::rights::{COLUMNS, Grant, Verb};
use hamsaya_agreement::{Agreement, MemberRole};
use hamsaya_node::reads::READS;
use hamsaya_node::{accounts, api, readers};
use hamsaya_record::envelope::Envelope;
use hamsaya_record::key::SecretKey;
use hamsaya_record::statement::{Act, FieldValue, MARKINGS, Occurred, Place, Precision, Reference, Rel, Statement};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

/// The table as people agreed on it: S state, R read, V verify, P publish; small letters: own party's matter only; 2: two
/// persons. The first name is the office that plays the role here, with the member that has it.
const TABLE: &str = "
office           member | incident | allegation | access | finding | gate  | siting | training | readiness | agreement | bundle | read_log
post-07          P1     | S r      | -          | -      | -       | r     | -      | -        | -         | R         | R      | -
liaison          P1     | S R      | S2 R       | S R    | R       | R     | -      | -        | -         | R         | R      | -
hotline          P1     | S R      | R          | -      | R       | R     | -      | -        | -         | R         | R      | -
team             P1     | R        | R          | S R V  | R V     | -     | -      | -        | -         | R         | R      | -
chair            P1     | R        | R          | R      | S2 R V  | R     | S2 R   | R        | R         | S2 R      | R P2   | -
secretary        P1     | R        | R          | R      | R       | R     | R      | R        | R         | R         | R      | -
observer         G1     | S R V    | S R V      | S R V  | S R V   | S R V | R V    | R V      | R V       | S2 R V    | R P2 V | -
legal            P1     | R        | R          | R      | R       | R     | R      | R        | -         | S R       | R      | -
siting           P1     | -        | -          | -      | -       | R     | S R V  | -        | -         | R         | R      | -
gate             P1     | s        | -          | -      | -       | S R   | -      | -        | -         | R         | R      | -
training         P1     | -        | -          | -      | -       | -     | -      | S R      | s         | R         | R      | -
analyst          P1     | R        | -          | -      | R       | R     | R      | R        | -         | R         | R      | -
data-protection  P1     | r        | r          | r      | r       | r     | r      | r        | r         | R         | R      | S R V
public           -      | -        | -          | -      | -       | R     | -      | -        | -         | R         | R V    | -
";

/// A row of the table: office, member, and what each column says.
fn table() -> Vec<(&'static str, &'static str, Vec<&'static str>)> {
    let rows = TABLE.lines().filter(|line| !line.is_empty()).skip(1);
    rows.map(|line| {
        let mut cells = line.split('|').map(str::trim);
        let (office, member) = cells.next().unwrap().split_once(' ').unwrap();
        (office, member.trim(), cells.collect())
    })
    .collect()
}

fn grants(cell: &str) -> BTreeMap<Verb, Grant> {
    let words = cell.split_whitespace().filter(|word| *word != "-");
    words
        .map(|word| {
            let verb = match word.chars().next().unwrap().to_ascii_uppercase() {
                'S' => Verb::State,
                'R' => Verb::Read,
                'V' => Verb::Verify,
                _ => Verb::Publish,
            };
            (verb, Grant { own: word.starts_with(|c: char| c.is_ascii_lowercase()), two: word.ends_with('2') })
        })
        .collect()
}

#[test]
fn roles_toml_is_the_table() {
    let (_, agreement) = crate::town::accord();
    let rights = agreement.rights();
    for (office, member, cells) in table() {
        let role = match member {
            "P1" => rights.role_of_key(MemberRole::Party, &format!("p1.example/{office}")).unwrap(),
            "G1" => rights.role_of_key(MemberRole::Guarantor, &format!("g1.example/{office}")).unwrap(),
            _ => rights.public().unwrap(),
        };
        for (column, cell) in COLUMNS.iter().zip(cells) {
            let found: BTreeMap<Verb, Grant> =
                Verb::ALL.into_iter().filter_map(|verb| Some((verb, role.grant(column, verb)?))).collect();
            assert_eq!(found, grants(cell), "{} {column}", role.name);
        }
    }
    // Nobody holds chair and observer: a key has one role, and no kind of member has both.
    let chair = |member| rights.role_of_key(member, "chair").map(|r| r.name.as_str());
    assert_eq!((chair(MemberRole::Party), chair(MemberRole::Guarantor)), (Some("commission_chair"), None));
    assert!(rights.role_of_key(MemberRole::Party, "observer").is_none());
}

/// Makes statements that fit their kinds.
pub struct Maker<'t> {
    pub town: &'t Town,
    pub made: u64,
}

impl Maker<'_> {
    /// A statement of this kind by a member's source, with every field that it must have.
    pub fn statement(&mut self, kind: &str, member: &str, source: &str) -> Statement {
        self.made += 1;
        let agreement: &Agreement = &self.town.agreement;
        let known = agreement.kinds().iter().find(|k| k.name == kind).unwrap();
        let id = format!("0193a1b2-c3d4-7e5f-8a9b-00000a{:06x}", self.made);
        let act = Act::from_name(&known.act).unwrap();
        let mut statement = Statement::new(agreement.digest(), act, kind, &id, member, &origin(member), START);
        // A source of its own: numbers are not what is tested here.
        statement.source = format!("{}/{source}-{}", member.to_lowercase(), self.made);
        for (name, wanted) in known.fields.iter().filter(|(_, wanted)| !wanted.ends_with('?')) {
            let value = match wanted.as_str() {
                "party" => FieldValue::Text("P1".into()),
                "instant" => FieldValue::Text(START.to_string()),
                "count" | "duration" => FieldValue::Int(1),
                "bool" => FieldValue::Bool(true),
                "enum:works" => FieldValue::Text("tower".into()),
                "enum:inquiry" => FieldValue::Text("confirmed".into()),
                _ => FieldValue::Text(format!("n{}", self.made)),
            };
            statement.fields.insert(name.clone(), value);
        }
        if act == Act::Observe {
            let at = START.plus(-3600);
            statement.occurred_at = Some(Occurred { from: at, to: at, precision: Precision::Minute, edtf: None });
        }
        statement
    }

    pub fn send(&self, statement: &Statement, keys: &[&SecretKey]) -> Said {
        self.town.state_statement(&statement.party, &Envelope::sign(statement.to_payload(), keys))
    }

    /// States it by the keys that may, and gives its index.
    pub fn logged(&self, statement: &Statement) -> u64 {
        let member = if statement.party.starts_with('P') { MemberRole::Party } else { MemberRole::Guarantor };
        let offices: Vec<&str> = OFFICES.into_iter().chain(["post-07"]).collect();
        let files = self.town.agreement.rights().signers(&statement.kind, member, &offices).unwrap();
        let keys: Vec<SecretKey> = files.iter().map(|file| key(&statement.party, file)).collect();
        let said = self.send(statement, &keys.iter().collect::<Vec<_>>());
        assert_eq!(said.status, 200, "{}: {}", statement.kind, String::from_utf8_lossy(&said.body));
        said.json()["index"].as_u64().unwrap()
    }
}

/// One kind of each column, to be stated, verified or published.
const KINDS: [(&str, Verb, &str); 13] = [
    ("incident", Verb::State, "outage_notice"),
    ("incident", Verb::Verify, "inquiry_result"),
    ("allegation", Verb::State, "preservation"),
    ("access", Verb::State, "safe_conduct"),
    ("finding", Verb::State, "plan"),
    ("finding", Verb::Verify, "field_note"),
    ("gate", Verb::State, "closure_notice"),
    ("siting", Verb::State, "works_filed"),
    ("training", Verb::State, "programme"),
    ("readiness", Verb::State, "derogation"),
    ("agreement", Verb::State, "position"),
    ("bundle", Verb::Publish, "public_report"),
    ("read_log", Verb::Verify, "audit"),
];

pub fn problem(said: &Said) -> String {
    said.json()["type"].as_str().unwrap_or_default().trim_start_matches("urn:hamsaya:problem:").to_string()
}

pub fn item(origin: &str, index: u64) -> String {
    format!("/api/entries/item?origin={origin}&index={index}")
}

#[test]
fn every_role_states_and_reads_what_the_table_says_and_nothing_else() {
    let town = Town::start("rights");
    town.set_clock(START);
    let mut maker = Maker { town: &town, made: 0 };
    let (mut allowed, mut refused) = (BTreeMap::<&str, u32>::new(), BTreeMap::<&str, u32>::new());

    // S, V, P: each kind signed by each role alone, then with a second person where the table says 2.
    for (office, member, cells) in table().into_iter().filter(|(_, member, _)| *member != "-") {
        let own = key(member, office);
        for (column, verb, kind) in KINDS {
            let cell = cells[COLUMNS.iter().position(|c| *c == column).unwrap()];
            let statement = maker.statement(kind, member, office);
            let alone = maker.send(&statement, &[&own]);
            let what = format!("{office} {} {kind}: {}", verb.word(), String::from_utf8_lossy(&alone.body));
            match grants(cell).get(&verb) {
                None => {
                    assert_eq!((alone.status, problem(&alone).as_str()), (403, "not_author"), "{what}");
                    *refused.entry(office).or_default() += 1;
                }
                Some(grant) if grant.two => {
                    assert_eq!((alone.status, problem(&alone).as_str()), (403, "second_signature_required"), "{what}");
                    let stranger = maker.send(&statement, &[&own, &key(member, "driver")]);
                    assert_eq!(problem(&stranger), "second_signature_required", "a key without a role is nobody");
                    let second = key(member, if member == "G1" { "observer-2" } else { "secretary" });
                    let both = maker.send(&statement, &[&own, &second]);
                    assert_eq!(both.status, 200, "{what} {}", String::from_utf8_lossy(&both.body));
                    *allowed.entry(office).or_default() += 1;
                }
                Some(_) => {
                    assert_eq!(alone.status, 200, "{what}");
                    *allowed.entry(office).or_default() += 1;
                }
            }
        }
    }
    // Who holds no role states nothing, and nobody states for another member.
    let statement = maker.statement("outage_notice", "P1", "driver");
    assert_eq!(problem(&maker.send(&statement, &[&key("P1", "driver")])), "not_author");
    let both = maker.send(&statement, &[&key("P1", "driver"), &key("P2", "liaison")]);
    assert_eq!(problem(&both), "not_author", "the other party's officer does not speak for this one");

    // What is withdrawn takes what it took to say it: the role, and the second person.
    for (kind, by, both) in [("outage_notice", "hotline", false), ("preservation", "liaison", true)] {
        let said = maker.statement(kind, "P1", "taken-back");
        let at = maker.logged(&said);
        town.holds(&origin("P1"), at, START);
        let id = hamsaya_record::statement::StatementId::of(&said.to_payload());
        let mut back = maker.statement("withdraw", "P1", "taken-back");
        back.refs = vec![Reference { rel: Rel::Withdraws, id }];
        for office in ["data-protection", "gate", "siting", "training"] {
            // A gate manager states incidents, and may take one back.
            if (office, kind) == ("gate", "outage_notice") {
                continue;
            }
            let refused = maker.send(&back, &[&key("P1", office), &key("P1", "secretary")]);
            assert_eq!(problem(&refused), "not_author", "{office} takes back {kind}");
        }
        let alone = maker.send(&back, &[&key("P1", by)]);
        assert_eq!(alone.status, if both { 403 } else { 200 }, "{}", String::from_utf8_lossy(&alone.body));
        if both {
            let own = maker.send(&back, &[&key("P1", by), &key("P1", "data-protection")]);
            assert_eq!(
                problem(&own),
                "second_signature_required",
                "who reads only what concerns the own party is no second"
            );
            assert_eq!(maker.send(&back, &[&key("P1", by), &key("P1", "secretary")]).status, 200);
        }
    }

    // R: one entry of each column by either party, and one of the other party's that is addressed to P1.
    for (column, _, kind) in KINDS.into_iter().filter(|(_, verb, _)| *verb != Verb::Verify) {
        let index = COLUMNS.iter().position(|c| *c == column).unwrap();
        let mut places = Vec::new();
        for (party, to) in [("P1", None), ("P2", None), ("P2", Some("P1"))] {
            let mut statement = maker.statement(kind, party, "reading");
            statement.marking = "TLP:GREEN".into();
            statement.to = to.into_iter().map(str::to_string).collect();
            let at = maker.logged(&statement);
            places.push((origin(party), at, party == "P1" || to.is_some()));
        }
        for (origin, at, _) in &places {
            town.holds(origin, *at, START);
        }
        for (office, member, cells) in table() {
            // The public does not read what is green, whatever the column.
            let grant = grants(cells[index]).get(&Verb::Read).copied().filter(|_| member != "-");
            for (origin, at, concerns) in &places {
                let concerns = *concerns && member == "P1";
                let said = match member {
                    "-" => town.get_as("P1", &item(origin, *at), None, &[]),
                    // A member's officer asks the node of either.
                    _ => town.get_as("P1", &item(origin, *at), Some(&key(member, office)), &[]),
                };
                let what = format!("{office} reads {kind} {origin} #{at}: {}", String::from_utf8_lossy(&said.body));
                if grant.is_some_and(|grant| !grant.own || concerns) {
                    assert_eq!(said.status, 200, "{what}");
                    *allowed.entry(office).or_default() += 1;
                } else {
                    assert_eq!(said.status, 403, "{what}");
                    let expected = if member == "-" { "marking" } else { "right" };
                    assert_eq!(problem(&said), expected, "{what}");
                    *refused.entry(office).or_default() += 1;
                }
            }
        }
    }
    // Bundle and agreement are for everybody; the read log for one role.
    for (office, member, cells) in table() {
        let as_key = (member != "-").then(|| key(member, office));
        let ask = |path: &str| town.get_as("P1", path, as_key.as_ref(), &[("hamsaya-purpose", "audit")]).status;
        assert_eq!((ask("/api/bundle"), ask("/api/agreement?lang=en")), (200, 200), "{office}");
        let audits = cells[10].contains('R');
        assert_eq!(ask("/api/reads"), if audits { 200 } else { 403 }, "{office}");
        let finds = cells[3].contains('R');
        assert_eq!(ask("/api/judgment?explain=none"), if finds { 200 } else { 403 }, "{office}");
        *allowed.entry(office).or_default() += 2 + u32::from(audits) + u32::from(finds);
        *refused.entry(office).or_default() += u32::from(!audits) + u32::from(!finds);
    }
    for (office, ..) in table() {
        let (yes, no) = (allowed[office], refused[office]);
        println!("{office:16} {yes:3} allowed {no:3} refused");
        assert!(yes > 0 && no > 0, "{office}");
    }
}

/// Who asks, and which of the markings mean it, of P1's statements: CLEAR, GREEN, AMBER, AMBER+STRICT.
pub const CIRCLES: [(&str, &str, [bool; 4]); 8] = [
    ("P1", "liaison", [true, true, true, true]),
    ("P2", "liaison", [true, true, true, false]),
    ("P1", "chair", [true, true, true, true]),
    ("P2", "chair", [true, true, true, true]),
    ("G1", "observer", [true, true, true, true]),
    ("P1", "analyst", [true, true, true, false]),
    ("P2", "analyst", [true, true, true, false]),
    ("-", "public", [true, false, false, false]),
];

#[test]
fn every_marking_is_read_by_whom_it_means_and_no_finer_than_it_allows() {
    let town = Town::start("markings");
    town.set_clock(START);
    let mut maker = Maker { town: &town, made: 0 };
    let purpose = [("hamsaya-purpose", "duty")];
    // The gate's column is open to all roles here, the incident's is where places are coarse.
    let mut logged = Vec::new();
    for marking in ["TLP:CLEAR", "TLP:GREEN", "TLP:AMBER", "TLP:AMBER+STRICT", "TLP:RED"] {
        for kind in ["closure_notice", "outage_notice"] {
            let mut statement = maker.statement(kind, "P1", "marked");
            statement.marking = marking.into();
            let at = (341_234_567, 710_987_654);
            statement.place = Some(Place {
                s_e7: at.0,
                w_e7: at.1,
                n_e7: at.0,
                e_e7: at.1,
                precision_m: 1,
                gazetteer_id: Some("exact-spot".into()),
            });
            if marking == "TLP:RED" {
                let named = vec![FieldValue::Text("sector_liaison".into())];
                statement.fields.insert("readers".into(), FieldValue::List(named));
            }
            logged.push((marking, kind, maker.logged(&statement)));
        }
    }
    for (_, _, at) in &logged {
        town.holds_in_own_log("P1", *at);
    }
    // Digits that its precision has no use for are not stated here: they would leave with the signed bytes.
    for (precision_m, status) in [(2, 400), (1, 200)] {
        let mut statement = maker.statement("outage_notice", "P1", "digits");
        let (s_e7, w_e7) = (341_234_567, 710_987_654);
        statement.place = Some(Place { s_e7, w_e7, n_e7: s_e7, e_e7: w_e7, precision_m, gazetteer_id: None });
        let said = maker.send(&statement, &[&key("P1", "liaison")]);
        assert_eq!(said.status, status, "{}", String::from_utf8_lossy(&said.body));
        if status == 400 {
            assert_eq!(problem(&said), "bad_place");
            assert_eq!(said.json()["found"], "stated digits finer than precision_m, 2 m");
        }
    }
    for (member, office, means) in CIRCLES {
        let as_key = (member != "-").then(|| key(member, office));
        for (marking, kind, at) in &logged {
            if member == "-" && *kind == "outage_notice" {
                continue;
            }
            let said = town.get_as("P1", &item(&origin("P1"), *at), as_key.as_ref(), &purpose);
            let body = String::from_utf8_lossy(&said.body).into_owned();
            let what = format!("{member} {office}: {marking} {kind}: {body}");
            match MARKINGS.iter().position(|m| m == marking).unwrap() {
                4 if office == "liaison" => assert_eq!(said.status, 200, "{what}"),
                4 => {
                    let nothing = town.get_as("P1", &item(&origin("P1"), 9_999), as_key.as_ref(), &purpose);
                    assert_eq!(said.status, 404, "{what}");
                    assert_eq!(body.replace(&at.to_string(), "9999"), String::from_utf8_lossy(&nothing.body), "{what}");
                }
                n if means[n] => {
                    assert_eq!(said.status, 200, "{what}");
                    let entry = said.json();
                    let finest = match (*kind, n) {
                        ("closure_notice", _) => 0,
                        (_, 0) => 5_000,
                        (_, 3) => 100,
                        _ => 1_000,
                    };
                    let place = &entry["place"];
                    let shown = (place["s_e7"].as_i64().unwrap(), place["w_e7"].as_i64().unwrap());
                    match finest {
                        0 => assert_eq!(shown, (341_234_567, 710_987_654), "{what}"),
                        finest => {
                            assert_eq!((shown.0 % (finest * 100), shown.1 % (finest * 100)), (0, 0), "{what}");
                            assert!((shown.0 - 341_234_567).abs() <= finest * 50, "{what}");
                            assert_eq!(place["precision_m"], finest);
                            assert!(place["gazetteer_id"].is_null() && entry["leaf"].is_null(), "{what}");
                            let path = format!("/api/exhibit?origin={}&index={at}", origin("P1"));
                            let exhibit = town.get_as("P1", &path, as_key.as_ref(), &purpose);
                            assert_eq!((exhibit.status, problem(&exhibit).as_str()), (403, "handling"));
                        }
                    }
                }
                _ => {
                    assert_eq!((said.status, problem(&said).as_str()), (403, "marking"), "{what}");
                    assert_eq!(said.json()["allowed"], *marking);
                    assert!(!body.contains("closure") && !body.contains("sensor"), "{what}");
                }
            }
        }
    }
}

/// What is planted, in fields that different readers do not see.
const PLANTED: [(&str, &str, &str); 4] = [
    ("planted-red-7f3a", "TLP:RED", "PAP:RED"),
    ("planted-strict-91cc", "TLP:AMBER+STRICT", "PAP:AMBER"),
    ("planted-amber-e04d", "TLP:AMBER", "PAP:GREEN"),
    ("planted-pap-55b8", "TLP:AMBER", "PAP:RED"),
];

#[test]
fn planted_secrets_leave_through_no_path() {
    let town = Town::start("planted");
    town.set_clock(START);
    let mut maker = Maker { town: &town, made: 0 };
    let mut places = Vec::new();
    for (secret, marking, pap) in PLANTED {
        // As an id that rules follow, and as a word.
        let mut lodged = maker.statement("lodged", "P1", "planted");
        for (name, value) in [
            ("allegation", secret),
            ("against", "P2"),
            ("commitment", "C12"),
            ("urgency", "routine"),
            ("event", "raid"),
            ("relief", "information"),
        ] {
            lodged.fields.insert(name.into(), FieldValue::Text(value.into()));
        }
        let mut outage = maker.statement("outage_notice", "P1", "planted");
        outage.fields.insert("sensor".into(), FieldValue::Text(secret.into()));
        // A file of its own, whose handle and bytes tell it, too.
        let bytes = format!("photograph {secret}");
        outage.files = vec![crate::files::named(&format!("{secret}.jpg"), bytes.as_bytes())];
        for mut statement in [lodged, outage] {
            statement.marking = marking.into();
            statement.to = vec!["P2".into()];
            statement.fields.insert("pap".into(), FieldValue::Text(pap.into()));
            places.push(maker.logged(&statement));
        }
        assert_eq!(crate::files::sent(&town, &key("P1", "liaison"), bytes.as_bytes()).status, 201, "{secret}");
    }
    // A statement that is refused carries one, too.
    let mut refused = maker.statement("outage_notice", "P1", "planted");
    refused.fields.insert("cause".into(), FieldValue::Text("planted-refused-c2d1".into()));
    assert_eq!(maker.send(&refused, &[&key("P1", "liaison")]).status, 400);
    for at in &places {
        for node in ["P1", "P2", "G1", "G2"] {
            town.holds_as(node, &origin("P1"), *at);
        }
    }
    town.agree(&format!("as_of={START}&known_by={START}"));

    // Who must not see which. The chair of P2 is of the Commission, the liaison is not; whoever may read may not export.
    let strangers: [(Option<(&str, &str)>, &[&str]); 6] = [
        (None, &["red", "strict", "amber", "pap"]),
        (Some(("P1", "driver")), &["red", "strict", "amber", "pap"]),
        (Some(("P1", "siting")), &["red", "strict", "amber", "pap"]),
        (Some(("P2", "analyst")), &["red", "strict"]),
        (Some(("P2", "liaison")), &["red", "strict"]),
        (Some(("P2", "chair")), &["red"]),
    ];
    let mut looked = 0;
    for node in ["P1", "P2", "G1"] {
        for (who, hidden) in strangers {
            let as_key = who.map(|(member, office)| key(member, office));
            for path in everything(node, &places) {
                let said = town.get_as(node, &path, as_key.as_ref(), &[("hamsaya-purpose", "duty")]);
                looked += 1;
                for word in hidden.iter().chain(&["refused"]) {
                    let secret = format!("planted-{word}");
                    let holds = said.body.windows(secret.len()).any(|window| window == secret.as_bytes());
                    let base64 = holds_encoded(&said.body, &secret);
                    let at =
                        said.body.windows(secret.len()).position(|window| window == secret.as_bytes()).unwrap_or(0);
                    let near =
                        String::from_utf8_lossy(&said.body[at.saturating_sub(300)..said.body.len().min(at + 300)]);
                    assert!(!holds && !base64, "{node} {path} tells {who:?} of {secret} ({}): {near}", said.status);
                }
            }
        }
    }
    // Verdicts are read for a reason, too, also without what they rest on; and who sees a part sees the digest of the whole.
    let liaison = key("P1", "liaison");
    let blind = town.get_as("P1", "/api/judgment?explain=none", Some(&liaison), &[]);
    assert_eq!((blind.status, problem(&blind).as_str()), (400, "purpose"));
    let seen = town.get_as("P1", "/api/judgment?explain=none", Some(&liaison), &[("hamsaya-purpose", "duty")]).json();
    assert_eq!(seen["digest"].as_str(), Some(town.digest("P1", "explain=none").as_str()));
    // Exports: what may be read under PAP:RED is not taken away, by nobody.
    let chair = key("P1", "chair");
    for (n, at) in places.iter().enumerate() {
        let (secret, marking, pap) = PLANTED[n / 2];
        let path = format!("/api/exhibit?origin={}&index={at}", origin("P1"));
        let said = town.get_as("P1", &path, Some(&chair), &[("hamsaya-purpose", "duty")]);
        let expected = if marking == "TLP:RED" {
            404
        } else if pap == "PAP:RED" {
            403
        } else {
            200
        };
        assert_eq!(said.status, expected, "{secret}");
        let file = crate::files::path(format!("photograph {secret}").as_bytes());
        let said = town.get_as("P1", &file, Some(&chair), &[("hamsaya-purpose", "duty")]);
        assert_eq!((said.status, holds(&said.body, secret)), (expected, expected == 200), "{secret}");
    }
    for (who, hidden) in strangers {
        let as_key = who.map(|(member, office)| key(member, office));
        let told = town.events_as("P1", as_key.as_ref());
        let has_a_role = who.is_none_or(|(_, office)| office != "driver");
        assert!(told.contains("event: verdict") == has_a_role, "{told}");
        looked += 1;
        assert!(hidden.iter().all(|word| !told.contains(&format!("planted-{word}"))), "{who:?}: {told}");
    }
    println!("{looked} answers looked through");
    assert!(looked > 500);
    // The grep would find them: who may read them does.
    let seen = town.get("P1", "/api/entries?limit=1000");
    assert!(holds(&seen.body, "planted-strict-91cc") && holds(&seen.body, "planted-amber-e04d"));
}

/// What is said in salted fields: who reads it at which node, and nothing of it anywhere else, whatever is asked.
#[test]
fn planted_disclosures_leave_through_no_path() {
    use hamsaya_node::disclosures::{DISCLOSURES, Disclosures};
    use hamsaya_record::disclosure::Disclosure;
    use hamsaya_record::statement::StatementId;
    let town = Town::start("planted-disclosures");
    town.set_clock(START);
    let mut maker = Maker { town: &town, made: 0 };
    // The entry itself is for everybody, or for few; the third note is given to nobody.
    let planted = [
        ("planted-clear-40f1", "closure_notice", "TLP:CLEAR", "PAP:CLEAR", true),
        ("planted-strict-9b2e", "outage_notice", "TLP:AMBER+STRICT", "PAP:GREEN", true),
        ("planted-home-c07d", "closure_notice", "TLP:CLEAR", "PAP:CLEAR", false),
    ];
    let kept = Disclosures::at(&town.home("P1"));
    let (mut places, mut lines) = (Vec::new(), Vec::new());
    for (n, (secret, kind, marking, pap, _)) in planted.iter().enumerate() {
        let mut statement = maker.statement(kind, "P1", "salted");
        statement.marking = marking.to_string();
        statement.fields.insert("pap".into(), FieldValue::Text(pap.to_string()));
        let note = Disclosure::make([n as u8; 16], "note", &FieldValue::Text(secret.to_string())).unwrap();
        statement.salted = vec![note.digest()];
        let id = StatementId::of(&statement.to_payload());
        kept.keep(&id, &statement, &[note.line().to_string()]).unwrap();
        places.push(maker.logged(&statement));
        lines.push((id, note.line().to_string()));
    }
    for node in ["P1", "P2", "G1"] {
        town.holds_as(node, &origin("P1"), *places.last().unwrap());
    }
    for ((id, line), (.., given)) in lines.iter().zip(&planted) {
        let body = json!({"disclosures": [line]}).to_string();
        let path = format!("/api/disclosures?statement={id}");
        for (node, by, status) in
            [("P2", ("P1", "chair"), 200), ("G1", ("P2", "chair"), 403), ("P2", ("P1", "node"), 403)]
        {
            if status == 200 && !given {
                continue;
            }
            let said = town.post_as(node, &path, &key(by.0, by.1), body.as_bytes());
            assert_eq!(said.status, status, "{by:?} at {node}: {}", String::from_utf8_lossy(&said.body));
            assert!(!holds(&said.body, "planted") && !holds(&said.body, line));
        }
    }
    town.agree(&format!("as_of={START}&known_by={START}"));

    // At which node which office reads which notes.
    let (clear, strict, home) = (0, 1, 2);
    let readers: [(&str, Option<(&str, &str)>, &[usize]); 10] = [
        ("P1", Some(("P1", "chair")), &[clear, strict, home]),
        ("P1", Some(("P1", "siting")), &[clear, home]),
        ("P1", Some(("P1", "driver")), &[]),
        ("P1", Some(("P2", "chair")), &[]),
        ("P1", None, &[]),
        ("P2", Some(("P2", "chair")), &[clear, strict]),
        ("P2", Some(("P2", "analyst")), &[clear]),
        ("P2", Some(("P1", "chair")), &[]),
        ("P2", None, &[]),
        ("G1", Some(("G1", "observer")), &[]),
    ];
    let mut looked = 0;
    for (node, who, reads) in readers {
        let as_key = who.map(|(member, office)| key(member, office));
        let of = |n: usize| format!("origin={}&index={}", origin("P1"), places[n]);
        let mut all = everything(node, &places);
        all.extend((0..3).map(|n| format!("/api/exhibit?{}&disclose=note", of(n))));
        all.extend(lines.iter().map(|(id, _)| format!("/api/disclosures?statement={id}")));
        let mut read = std::collections::BTreeSet::new();
        for path in all {
            let said = town.get_as(node, &path, as_key.as_ref(), &[("hamsaya-purpose", "duty")]);
            looked += 1;
            for (n, (secret, ..)) in planted.iter().enumerate() {
                let line = &lines[n].1;
                if holds(&said.body, secret) || holds(&said.body, line) || holds_encoded(&said.body, secret) {
                    assert!(reads.contains(&n), "{node} {path} tells {who:?} of {secret} ({})", said.status);
                    read.insert(n);
                }
            }
        }
        assert!(read.iter().eq(reads), "{who:?} reads {read:?} at {node}");
    }
    println!("{looked} answers looked through");
    assert!(looked > 300);
    // On the disk it is where it was kept, and in no log, read log or anything else beside that.
    let mut files = 0;
    let mut folders = vec![town.dir.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()) {
            if entry.path().is_dir() && entry.file_name() != DISCLOSURES {
                folders.push(entry.path());
            } else if entry.path().is_file() {
                let bytes = fs::read(entry.path()).unwrap();
                files += 1;
                let found = |(n, secret): (usize, &str)| holds(&bytes, secret) || holds(&bytes, &lines[n].1);
                let secrets = planted.iter().map(|(secret, ..)| *secret).enumerate();
                assert!(!secrets.into_iter().any(found), "{}", entry.path().display());
            }
        }
    }
    assert!(files > 100, "{files}");
}

fn holds(body: &[u8], secret: &str) -> bool {
    body.windows(secret.len()).any(|window| window == secret.as_bytes())
}

/// Whether base64 within a body holds it: leaves, payloads within leaves, tiles.
fn holds_encoded(body: &[u8], secret: &str) -> bool {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let is_base64 = |b: &u8| b.is_ascii_alphanumeric() || b"+/=".contains(b);
    let runs = body.split(|b| !is_base64(b)).filter(|run| run.len() >= 64);
    runs.filter_map(|run| STANDARD.decode(run).ok()).any(|bytes| holds(&bytes, secret) || holds_encoded(&bytes, secret))
}

/// Every path that is asked with GET, with parameters under which it has something to say.
fn everything(node: &str, places: &[u64]) -> Vec<String> {
    let hash = hamsaya_record::witness::origin_hash(&origin("P1"));
    let size = places.iter().max().unwrap() + 1;
    let mut all = Vec::new();
    for (method, path) in api::paths() {
        if method != "GET" || path == "/api/events" || path == "/api/openapi.json" {
            continue;
        }
        let of = format!("origin={}", origin("P1"));
        match path {
            "/api/entries" => all.extend([path.to_string() + "?limit=1000", format!("{path}?{of}&limit=1000")]),
            "/api/files" => all.extend([path.to_string(), format!("{path}?limit=1000")]),
            _ if path.contains("{sha256}") => {
                let names = PLANTED.map(|(secret, ..)| crate::files::sha(format!("photograph {secret}").as_bytes()));
                all.extend(names.map(|name| path.replace("{sha256}", &name)));
            }
            "/api/entries/item" | "/api/exhibit" => {
                all.extend(places.iter().map(|at| format!("{path}?{of}&index={at}")));
            }
            "/api/judgment" | "/api/digest" => {
                all.extend([format!("{path}?explain=all"), format!("{path}?explain=none"), path.to_string()]);
            }
            "/api/digest/node" => {
                all.extend(["", "art_4", "art_4/C14", "art_4/C15"].map(|branch| format!("{path}?path={branch}")));
            }
            "/api/digest/compare" => {
                let other = if node == "P2" { "P1" } else { "P2" };
                all.push(format!("{path}?peer={other}"));
            }
            "/api/disclosures" => all.push(format!("{path}?statement={}", "0".repeat(64))),
            "/api/source" => all.push(format!("{path}?source=p1/planted-1")),
            _ if path.contains("{*tile}") => {
                let base = path.replace("{log}", &hash).replace("/{*tile}", "");
                all.extend((1..=size).map(|n| format!("{base}/entries/000.p/{n}")));
                all.push(format!("{base}/0/000.p/{size}"));
            }
            _ => all.push(path.replace("{log}", &hash)),
        }
    }
    all
}

#[test]
fn offices_sign_in_say_why_and_every_read_is_written_down() {
    let mut town = Town::start("sign-in");
    town.set_clock(START);
    let home = town.home("P1");
    let mut maker = Maker { town: &town, made: 0 };
    let restricted = maker.statement("outage_notice", "P1", "signed");
    let at = maker.logged(&restricted);
    let clear = {
        let mut statement = maker.statement("closure_notice", "P1", "open");
        statement.marking = "TLP:CLEAR".into();
        maker.logged(&statement)
    };
    town.holds_in_own_log("P1", at);
    let password = "correct-horse-battery";
    assert!(accounts::set(&home, "liaison", "short").is_err());
    accounts::set(&home, "liaison", password).unwrap();
    accounts::set(&home, "data-protection", password).unwrap();
    assert!(!fs::read_to_string(home.join(accounts::ACCOUNTS)).unwrap().contains(password));

    let sign_in = |office: &str, password: &str, purpose: &str| {
        let form = json!({"office": office, "password": password, "purpose": purpose}).to_string();
        town.post("P1", "/api/session", "application/json", form.as_bytes())
    };
    // Not with another password, as another office, for no reason, or from another site's form.
    assert_eq!(problem(&sign_in("liaison", "correct-horse-batterz", "duty")), "sign_in");
    assert_eq!(problem(&sign_in("chair", password, "duty")), "sign_in");
    assert_eq!(problem(&sign_in("liaison", password, "curiosity")), "bad_parameter");
    let form = town.post("P1", "/api/session", "text/plain", b"{}");
    assert_eq!((form.status, problem(&form).as_str()), (400, "bad_parameter"));
    let signed_in = sign_in("liaison", password, "duty");
    assert_eq!(signed_in.status, 200, "{}", String::from_utf8_lossy(&signed_in.body));
    let cookie = signed_in.cookie.clone().unwrap();
    for flag in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(flag), "{cookie}");
    }
    let cookie = cookie.split(';').next().unwrap().to_string();
    let ask = |path: &str| town.get_as("P1", path, None, &[("cookie", cookie.as_str())]);
    assert_eq!(ask("/api/session").json()["role"], "sector_liaison");
    assert_eq!(ask(&item(&origin("P1"), at)).status, 200);
    // What the page asks again by itself is written down as that.
    let by_itself = [("cookie", cookie.as_str()), ("hamsaya-refresh", "auto")];
    assert_eq!(town.get_as("P1", &item(&origin("P1"), at), None, &by_itself).status, 200);
    assert_eq!(ask(&item(&origin("P1"), clear)).status, 200);
    assert_eq!(ask("/api/reads").status, 403);
    // A program that signs says why, too.
    let liaison = key("P1", "liaison");
    let without = town.get_as("P1", &item(&origin("P1"), at), Some(&liaison), &[]);
    assert_eq!((without.status, problem(&without).as_str()), (400, "purpose"));
    let with = town.get_as("P1", &item(&origin("P1"), at), Some(&liaison), &[("hamsaya-purpose", "report")]);
    assert_eq!(with.status, 200);
    // The other side's data-protection officer audits; three restricted reads were made, and one that is clear was not logged.
    let audit = town.get_as("P1", "/api/reads", Some(&key("P2", "data-protection")), &[("hamsaya-purpose", "audit")]);
    let audit = audit.json();
    assert_eq!((audit["total"].as_u64(), audit["reads"].as_array().unwrap().len()), (Some(3), 3), "{audit}");
    crate::openapi::fits("get", "/api/reads", "200", &audit);
    assert_eq!([0, 1, 2].map(|n| audit["reads"][n]["auto"].as_bool()), [None, Some(true), None]);
    let read = &audit["reads"][0];
    assert_eq!((read["office"].as_str(), read["role"].as_str()), (Some("liaison"), Some("sector_liaison")));
    assert_eq!((read["purpose"].as_str(), &audit["reads"][2]["purpose"]), (Some("duty"), &json!("report")));
    assert_eq!(read["entries"], json!([format!("{}#{at}", origin("P1"))]));
    // Signed out, the cookie opens nothing.
    let out = town.delete("P1", "/api/session", &[("cookie", cookie.as_str())]);
    assert_eq!(out.status, 204);
    assert_eq!(ask(&item(&origin("P1"), at)).status, 403);
    assert_eq!(ask("/api/session").json()["office"], Value::Null);
    // An account that is taken away, or another password, ends what was opened with it.
    let again = sign_in("liaison", password, "duty").cookie.unwrap();
    let again = again.split(';').next().unwrap().to_string();
    let office = || town.get_as("P1", "/api/session", None, &[("cookie", again.as_str())]).json()["office"].clone();
    assert_eq!(office(), "liaison");
    accounts::set(&home, "liaison", "another-long-password").unwrap();
    assert_eq!(office(), Value::Null);
    accounts::set(&home, "liaison", password).unwrap();
    assert_eq!(office(), Value::Null, "the same password again is another account");
    // Guessing waits, for this office only, however many names are tried beside it; the right password waits with it.
    for n in 0..40 {
        sign_in(&format!("nobody-{n}"), "not-the-password", "audit");
    }
    for _ in 0..readers::TRIES {
        sign_in("data-protection", "not-the-password", "audit");
    }
    let waits = sign_in("data-protection", password, "audit");
    assert_eq!((waits.status, problem(&waits).as_str()), (429, "too_many_tries"));
    assert_eq!(sign_in("liaison", password, "duty").status, 200);

    // The day ends: its head is stated once, by the node, and a node that starts again states it no second time.
    let head = audit["head"].as_str().unwrap().to_string();
    let tomorrow = START.plus(86_400);
    town.set_clock(tomorrow);
    let digests = |town: &Town| {
        let page = town.get("P1", &format!("/api/entries?origin={}&kind=read_digest", origin("P1"))).json();
        page["entries"].as_array().cloned().unwrap_or_default()
    };
    crate::town::until("the day's read digest", || {
        let found = digests(&town);
        (found.len() == 1).then_some(()).ok_or(format!("{found:?}"))
    });
    let fields = &digests(&town)[0]["fields"];
    assert_eq!((fields["head"].as_str(), fields["reads"].as_i64()), (Some(head.as_str()), Some(3)));
    town.stop_node("P1");
    // A line that is taken out of the read log is found at the next start.
    let text = fs::read_to_string(home.join(READS)).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    fs::write(home.join(READS), [&lines[1..]].concat().join("\n") + "\n").unwrap();
    assert!(town.try_start_node("P1").unwrap_err().contains(READS));
    // So is an end that is missing, and a log that begins anew: the node stated what was in it.
    for cut in [lines[..1].join("\n") + "\n", String::new()] {
        fs::write(home.join(READS), cut).unwrap();
        let refused = town.try_start_node("P1").unwrap_err();
        assert!(refused.contains("than the node stated in its log"), "{refused}");
    }
    fs::write(home.join(READS), text).unwrap();
    town.start_node("P1");
    town.set_clock(tomorrow);
    crate::town::until("P1 to hold what it held", || {
        let found = digests(&town);
        (found.len() == 1).then_some(()).ok_or(format!("{found:?}"))
    });
}

#[test]
fn a_request_is_signed_by_whom_it_says() {
    use hamsaya_node::signed::{INPUT, Request, SIGNATURE, now_s, sign};
    let town = Town::start("signed");
    town.set_clock(START);
    let url = format!("{}/log/tile/entries/000.p/1", town.urls["P1"]);
    let ask = |key: &SecretKey, of: &str, now_s: u64| {
        let [(_, input), (_, signature), _] = sign(Request::to("GET", of, ""), key, now_s);
        let headers = [(INPUT, input.as_str()), (SIGNATURE, signature.as_str())];
        let said = town.get_as("P1", "/log/tile/entries/000.p/1", None, &headers);
        let why = if said.status == 200 { String::new() } else { problem(&said) };
        (said.status, why)
    };
    let (node, witness, chair) = (key("P2", "node"), key("O1", "node"), key("P2", "chair"));
    crate::town::until("P1 to have its founding", || {
        (ask(&node, &url, now_s()).0 == 200).then_some(()).ok_or("not yet".to_string())
    });
    assert_eq!(ask(&witness, &url, now_s()), (403, "right".into()), "a witness sees hashes only");
    assert_eq!(ask(&chair, &url, now_s()), (403, "right".into()), "bundles are no way round the markings");
    assert_eq!(ask(&key("X9", "node"), &url, now_s()), (401, "signed_request".into()));
    assert_eq!(ask(&node, &url, now_s() - 1_000), (401, "signed_request".into()));
    assert_eq!(ask(&node, &url.replace("000.p/1", "000.p/2"), now_s()), (401, "signed_request".into()));
    // What is signed for P2 is nothing to P1, whatever host is named.
    let other = format!("{}/log/tile/entries/000.p/1", town.urls["P2"]);
    assert_eq!(ask(&node, &other, now_s()), (401, "signed_request".into()));
    let [(_, input), (_, signature), _] = sign(Request::to("GET", &other, ""), &node, now_s());
    let host = other.split('/').nth(2).unwrap();
    let headers = [(INPUT, input.as_str()), (SIGNATURE, signature.as_str()), ("host", host)];
    let replayed = town.get_as("P1", "/log/tile/entries/000.p/1", None, &headers);
    assert_eq!((replayed.status, problem(&replayed).as_str()), (401, "signed_request"));
    assert!(replayed.json()["detail"].as_str().unwrap().contains("it was signed for"), "{}", replayed.json());
    assert_eq!(town.get_as("P1", "/log/tile/entries/000.p/1", None, &[]).status, 403);
    assert_eq!(town.get_as("P1", "/log/tile/0/000.p/1", None, &[]).status, 200, "hashes are for everybody");
    assert_eq!(town.get_as("P1", "/log/checkpoint", None, &[("signature-input", "x")]).status, 200);
    let garbled = town.get_as("P1", "/api/session", None, &[("signature-input", "x")]);
    assert_eq!((garbled.status, problem(&garbled).as_str()), (401, "signed_request"));
}

#[test]
fn a_stream_of_hints_ends_with_the_session_that_opened_it() {
    let town = Town::start("streams-end");
    town.set_clock(START);
    let (home, password) = (town.home("P1"), "correct-horse-battery");
    let host = town.urls["P1"].split('/').nth(2).unwrap();
    let sign_in = || {
        let form = json!({"office": "liaison", "password": password, "purpose": "duty"}).to_string();
        let cookie = town.post("P1", "/api/session", "application/json", form.as_bytes()).cookie.unwrap();
        cookie.split(';').next().unwrap().to_string()
    };
    // Reads on until a text has come; `None`: until the stream ends.
    let reads = |line: &mut TcpStream, until: Option<&str>| {
        let (mut came, mut piece, begun) = (Vec::new(), [0; 4_096], std::time::Instant::now());
        loop {
            // A stream that goes on brings a ping every 15 s.
            assert!(begun.elapsed() < std::time::Duration::from_secs(60), "{}", String::from_utf8_lossy(&came));
            match line.read(&mut piece).expect("bytes, or the end") {
                0 => return assert!(until.is_none(), "it ended: {}", String::from_utf8_lossy(&came)),
                read => came.extend_from_slice(&piece[..read]),
            }
            if until.is_some_and(|text| String::from_utf8_lossy(&came).contains(text)) {
                return;
            }
        }
    };
    let listen = |cookie: &str| {
        let mut line = TcpStream::connect(host).unwrap();
        // Far longer than the node takes to look.
        line.set_read_timeout(Some(std::time::Duration::from_secs(120))).unwrap();
        write!(line, "GET /api/events HTTP/1.1\r\nhost: {host}\r\ncookie: {cookie}\r\nconnection: close\r\n\r\n")
            .unwrap();
        reads(&mut line, Some("\r\n\r\n"));
        line
    };
    let ends: [(&str, &dyn Fn(&str)); 3] = [
        ("signed out", &|cookie| assert_eq!(town.delete("P1", "/api/session", &[("cookie", cookie)]).status, 204)),
        ("another password", &|_| accounts::set(&home, "liaison", "another-long-password").unwrap()),
        ("no account", &|_| accounts::remove(&home, "liaison").unwrap()),
    ];
    for (hour, (what, end)) in (1..).zip(ends) {
        accounts::set(&home, "liaison", password).unwrap();
        let (cookie, other) = (sign_in(), sign_in());
        let (mut line, mut public) = (listen(&cookie), listen("nothing=here"));
        let mut beside = listen(&other);
        end(&cookie);
        reads(&mut line, None);
        // Who was not signed in listens on, and so does another session of the office as long as it has an account.
        let hint = "event: clock";
        town.set_clock(START.plus(hour * 3_600));
        reads(&mut public, Some(hint));
        match what {
            "signed out" => reads(&mut beside, Some(hint)),
            _ => reads(&mut beside, None),
        }
    }
}
