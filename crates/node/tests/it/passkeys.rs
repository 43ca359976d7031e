//! What is taken of a passkey, and what is not. `passkeys.json` is what Chromium 148 gave for one of each algorithm, on a page at
//! http://localhost:7411 with a device that verifies its holder; the challenges are 00 01 … 1f and ff fe … e0.
use crate::openapi::fits;
use crate::rights::{Maker, item, problem};
use crate::town::{START, Said, Town, key, origin};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use hamsaya_node::accounts;
use hamsaya_node::passkeys::{
    Algorithm, Asked, Bytes, CHALLENGE_LIFE, Challenges, Making, Passkey, Refused, Site, Using,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

fn recorded() -> Vec<(Making, Using)> {
    let recorded: Vec<Value> = serde_json::from_str(include_str!("passkeys.json")).unwrap();
    let read = |it: &Value| {
        let made = serde_json::from_value(it["made"].clone()).unwrap();
        (made, serde_json::from_value(it["used"].clone()).unwrap())
    };
    recorded.iter().map(read).collect()
}

fn site() -> Site {
    Site { origin: "http://localhost:7411".into(), rp_id: "localhost".into() }
}

fn asked(challenge: impl Fn(u8) -> u8) -> Asked {
    Asked { challenge: std::array::from_fn(|n| challenge(n as u8)), site: site(), office: None }
}

fn to_make() -> Asked {
    asked(|n| n)
}

fn to_use() -> Asked {
    asked(|n| 255 - n)
}

#[test]
fn what_a_browser_gives_is_taken() {
    for ((made, used), algorithm) in recorded().iter().zip([Algorithm::ES256, Algorithm::EdDSA, Algorithm::RS256]) {
        let passkey = Passkey::made(&to_make(), made).unwrap();
        assert_eq!((passkey.algorithm, &passkey.id, passkey.counter), (algorithm, &used.id, 1));
        assert_eq!(passkey.used(&to_use(), used), Ok(2));
    }
}

#[test]
fn what_does_not_answer_the_question_is_refused() {
    let elsewhere = Site { origin: "http://localhost:7412".into(), rp_id: "localhost".into() };
    let other_name = Site { origin: "http://localhost:7411".into(), rp_id: "p1.example".into() };
    let all = recorded();
    for (n, (made, used)) in all.iter().enumerate() {
        let passkey = Passkey::made(&to_make(), made).unwrap();
        let uses = |asked: Asked| passkey.used(&asked, used).unwrap_err();
        let makes = |asked: Asked| Passkey::made(&asked, made).unwrap_err();
        assert_eq!((uses(to_make()), makes(to_use())), (Refused::Challenge, Refused::Challenge));
        assert_eq!(
            uses(Asked { site: elsewhere.clone(), ..to_use() }),
            Refused::Origin { found: "http://localhost:7411".into(), allowed: "http://localhost:7412".into() }
        );
        assert!(matches!(makes(Asked { site: elsewhere.clone(), ..to_make() }), Refused::Origin { .. }));
        assert_eq!(uses(Asked { site: other_name.clone(), ..to_use() }), Refused::RpId("p1.example".into()));
        assert_eq!(makes(Asked { site: other_name.clone(), ..to_make() }), Refused::RpId("p1.example".into()));
        // One is not the other.
        let as_use = Using { client_data: made.client_data.clone(), ..used.clone() };
        assert!(matches!(passkey.used(&to_make(), &as_use), Err(Refused::Type { allowed: "webauthn.get", .. })));
        let as_made = Making { client_data: used.client_data.clone(), ..made.clone() };
        assert!(matches!(Passkey::made(&to_use(), &as_made), Err(Refused::Type { allowed: "webauthn.create", .. })));
        // Present, verified, with a key in it.
        let flagged = |data: &Bytes, flags: u8| {
            let mut data = data.clone();
            data.0[32] = flags;
            data
        };
        for (flags, expected) in [(0x04, Refused::Absent), (0x01, Refused::Unverified), (0x00, Refused::Absent)] {
            let used = Using { authenticator_data: flagged(&used.authenticator_data, flags), ..used.clone() };
            assert_eq!(passkey.used(&to_use(), &used), Err(expected.clone()));
            let made = Making { authenticator_data: flagged(&made.authenticator_data, flags | 0x40), ..made.clone() };
            assert_eq!(Passkey::made(&to_make(), &made), Err(expected));
        }
        let keyless = Making { authenticator_data: flagged(&made.authenticator_data, 0x05), ..made.clone() };
        assert_eq!(Passkey::made(&to_make(), &keyless), Err(Refused::Keyless));
        // A counter that did not rise, or fell.
        for kept in [2, 3, u32::MAX] {
            let later = Passkey { counter: kept, ..passkey.clone() };
            assert_eq!(later.used(&to_use(), used), Err(Refused::Counter { found: 2, kept }));
        }
        // Another's key, of its algorithm and of another; an algorithm that was not asked for.
        let other = &all[(n + 1) % all.len()].0;
        let foreign = Making { public_key: other.public_key.clone(), ..made.clone() };
        assert_eq!(Passkey::made(&to_make(), &foreign), Err(Refused::Key(passkey.algorithm)));
        assert_eq!(Passkey::made(&to_make(), &Making { algorithm: -37, ..made.clone() }), Err(Refused::Algorithm(-37)));
    }
    let (made, used) = &all[0];
    let passkey = Passkey::made(&to_make(), made).unwrap();
    let framed = String::from_utf8(used.client_data.0.clone()).unwrap().replace(":false", ":true");
    let framed = Using { client_data: Bytes(framed.into_bytes()), ..used.clone() };
    assert_eq!(passkey.used(&to_use(), &framed), Err(Refused::Framed));
}

#[test]
fn no_bit_can_be_changed_and_no_byte_left_out() {
    for (made, used) in recorded() {
        let passkey = Passkey::made(&to_make(), &made).unwrap();
        type Field = fn(&mut Using) -> &mut Vec<u8>;
        let fields: [Field; 3] = [|u| &mut u.client_data.0, |u| &mut u.authenticator_data.0, |u| &mut u.signature.0];
        for field in fields {
            let length = field(&mut used.clone()).len();
            for n in 0..length {
                let mut cut = used.clone();
                field(&mut cut).truncate(n);
                assert!(passkey.used(&to_use(), &cut).is_err(), "cut at {n}");
                let mut changed = used.clone();
                field(&mut changed)[n] ^= 1 << (n % 8);
                assert!(passkey.used(&to_use(), &changed).is_err(), "changed at {n}");
            }
        }
        // Nothing proves what is said of a new one; it must read.
        for n in 0..made.public_key.0.len() {
            let mut cut = made.clone();
            cut.public_key.0.truncate(n);
            assert_eq!(Passkey::made(&to_make(), &cut), Err(Refused::Key(passkey.algorithm)), "cut at {n}");
        }
        let id_ends = 37 + 18 + passkey.id.0.len();
        for n in 0..=id_ends {
            let mut cut = made.clone();
            cut.authenticator_data.0.truncate(n);
            assert!(Passkey::made(&to_make(), &cut).is_err(), "cut at {n}");
        }
        for (length, expected) in [(0_u16, Refused::Id(0)), (1_024, Refused::Id(1_024))] {
            let mut wrong = made.clone();
            wrong.authenticator_data.0[53..55].copy_from_slice(&length.to_be_bytes());
            assert_eq!(Passkey::made(&to_make(), &wrong), Err(expected));
        }
    }
}

#[test]
fn a_challenge_is_answered_once_and_in_time() {
    let challenges = Challenges::default();
    let start = Instant::now();
    let client_data = |asked: &Asked| {
        let challenge = Bytes(asked.challenge.to_vec());
        let text = json!({"type": "webauthn.get", "challenge": challenge, "origin": asked.site.origin});
        Bytes(text.to_string().into_bytes())
    };
    let ask = || challenges.ask(site(), Some("chair".into()), start).unwrap();
    let (first, second, third) = (ask(), ask(), ask());
    assert!(first.challenge != second.challenge && second.challenge != third.challenge);
    assert_eq!(challenges.take(&client_data(&first), start), Ok(first.clone()));
    assert_eq!(challenges.take(&client_data(&first), start), Err(Refused::Challenge), "once");
    let last = start + CHALLENGE_LIFE - Duration::from_millis(1);
    assert_eq!(challenges.take(&client_data(&second), last), Ok(second));
    assert_eq!(challenges.take(&client_data(&third), start + CHALLENGE_LIFE), Err(Refused::Challenge), "in time");
    assert_eq!(challenges.take(&client_data(&to_use()), start), Err(Refused::Challenge), "one of its own");
    assert!(matches!(challenges.take(&Bytes(b"{}".to_vec()), start), Err(Refused::ClientData(_))));
    // Who asks without end is forgotten first to last.
    let oldest = challenges.ask(site(), None, start).unwrap();
    for _ in 0..10_000 {
        challenges.ask(site(), None, start + Duration::from_secs(1)).unwrap();
    }
    assert_eq!(challenges.take(&client_data(&oldest), start), Err(Refused::Challenge));
}

#[test]
fn a_site_is_a_name_over_https_or_localhost() {
    let own: Vec<String> =
        ["p1.example:7411", "p1.example", "10.0.0.7:7411", "127.0.0.1:7411", "localhost:7411", "[::1]:7411"]
            .map(String::from)
            .to_vec();
    let check = |origin: &str, expected: Option<&str>| {
        assert_eq!(Site::of(origin, &own).map(|site| site.rp_id).as_deref(), expected, "{origin}");
    };
    check("https://p1.example", Some("p1.example"));
    check("https://p1.example:7411", Some("p1.example"));
    check("http://localhost:7411", Some("localhost"));
    check("https://localhost:7411", Some("localhost"));
    // Not in the clear, not by number, not another's.
    check("http://p1.example:7411", None);
    check("http://127.0.0.1:7411", None);
    check("https://10.0.0.7:7411", None);
    check("https://[::1]:7411", None);
    check("https://p2.example", None);
    check("https://p1.example:7412", None);
    check("https://evil.p1.example", None);
    check("http://localhost", None);
    for foreign in ["", "null", "https://", "https://:443", "file:///etc", "https://p1.example/", "://localhost:7411"] {
        check(foreign, None);
    }
}

proptest! {
    #[test]
    fn foreign_bytes_are_refused_and_nothing_more(
        client_data in proptest::collection::vec(any::<u8>(), 0..200),
        authenticator_data in proptest::collection::vec(any::<u8>(), 0..200),
        key in proptest::collection::vec(any::<u8>(), 0..300),
        which in 0_usize..3,
        flags in any::<u8>(),
    ) {
        let (made, used) = recorded().swap_remove(which);
        let passkey = Passkey::made(&to_make(), &made).unwrap();
        let [client, data, key] = [client_data, authenticator_data, key].map(Bytes);
        let signed = Using { signature: key.clone(), ..used.clone() };
        prop_assert_eq!(passkey.used(&to_use(), &signed), Err(Refused::Signature));
        let said = Using { client_data: client.clone(), ..used.clone() };
        prop_assert!(passkey.used(&to_use(), &said).is_err());
        prop_assert!(Challenges::default().take(&client, Instant::now()).is_err());
        // Behind the right name anything may follow.
        let mut named = made.authenticator_data.clone();
        named.0.truncate(32);
        named.0.push(flags | 0x45);
        named.0.extend_from_slice(&data.0);
        if let Ok(made) = Passkey::made(&to_make(), &Making { authenticator_data: named.clone(), ..made.clone() }) {
            prop_assert!(named.0.windows(made.id.0.len()).any(|part| part == made.id.0));
        }
        let named = Using { authenticator_data: named, ..used };
        prop_assert!(passkey.used(&to_use(), &named).is_err());
        let keyed = Making { public_key: key.clone(), ..made };
        prop_assert_eq!(Passkey::made(&to_make(), &keyed), Err(Refused::Key(passkey.algorithm)));
        let _ = serde_json::from_slice::<Using>(&key.0);
        let _ = serde_json::from_slice::<Making>(&client.0);
    }
}

/// A device with one passkey.
struct Device {
    key: EcdsaKeyPair,
    id: Vec<u8>,
    user: String,
    flags: u8,
    counter: u32,
}

impl Device {
    fn new(id: u8) -> Device {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        Device { key, id: vec![id; 32], user: String::new(), flags: 0x05, counter: 0 }
    }

    fn data(&self, rp_id: &str, flags: u8) -> Vec<u8> {
        [Sha256::digest(rp_id).as_slice(), &[flags], &self.counter.to_be_bytes()].concat()
    }

    fn client_data(what: &str, challenge: &Value, origin: &str) -> Bytes {
        Bytes(json!({"type": what, "challenge": challenge, "origin": origin}).to_string().into_bytes())
    }

    fn makes(&mut self, asked: &Value, origin: &str) -> Value {
        self.user = asked["making"]["user"].as_str().unwrap().to_string();
        let rp_id = asked["rp_id"].as_str().unwrap();
        let id = [&[7; 16], &(self.id.len() as u16).to_be_bytes()[..], &self.id, &[0xa0]].concat();
        let der: PublicKeyX509Der<'_> = self.key.public_key().as_der().unwrap();
        json!({
            "client_data": Device::client_data("webauthn.create", &asked["challenge"], origin),
            "authenticator_data": Bytes([self.data(rp_id, self.flags | 0x40), id].concat()),
            "public_key": Bytes(der.as_ref().to_vec()),
            "algorithm": -7,
        })
    }

    fn signs(&self, asked: &Value, what: &str, origin: &str, rp_id: &str) -> Value {
        let client_data = Device::client_data(what, &asked["challenge"], origin);
        let data = self.data(rp_id, self.flags);
        let signed = [data.as_slice(), &Sha256::digest(&client_data.0)].concat();
        let signature = self.key.sign(&aws_lc_rs::rand::SystemRandom::new(), &signed).unwrap();
        json!({
            "id": Bytes(self.id.clone()),
            "user": self.user,
            "client_data": client_data,
            "authenticator_data": Bytes(data),
            "signature": Bytes(signature.as_ref().to_vec()),
        })
    }
}

/// A browser at P1, by name.
struct Browser<'t> {
    town: &'t Town,
    origin: String,
    home: PathBuf,
}

impl Browser<'_> {
    fn posts(&self, path: &str, cookie: &str, body: &Value) -> Said {
        let headers = [("origin", self.origin.as_str()), ("cookie", cookie)];
        self.town.post_with("P1", path, &headers, body.to_string().as_bytes())
    }

    fn asks(&self, cookie: &str) -> Value {
        let headers = [("origin", self.origin.as_str()), ("cookie", cookie)];
        let asked = self.town.post_with("P1", "/api/passkeys/challenge", &headers, b"");
        assert_eq!(asked.status, 200, "{}", asked.text());
        fits("post", "/api/passkeys/challenge", "200", &asked.json());
        asked.json()
    }

    fn passes(&self, office: &str, password: &str) -> Said {
        self.posts("/api/session", "", &json!({"office": office, "password": password, "purpose": "duty"}))
    }

    fn uses(&self, passkey: &Value) -> Said {
        self.posts("/api/session", "", &json!({"passkey": passkey, "purpose": "verification"}))
    }

    /// Signs in with a device, as one does.
    fn touches(&self, device: &mut Device) -> Said {
        device.counter += 1;
        self.uses(&device.signs(&self.asks(""), "webauthn.get", &self.origin, "localhost"))
    }

    fn adds(&self, cookie: &str, device: &mut Device) -> Said {
        let making = device.makes(&self.asks(cookie), &self.origin);
        self.posts("/api/passkeys", cookie, &making)
    }

    fn office(&self, cookie: &str) -> Value {
        self.town.get_as("P1", "/api/session", None, &[("cookie", cookie)]).json()["office"].clone()
    }

    fn enrols(&self, office: &str, ago_s: u64) -> String {
        accounts::enrol(&self.home, office, hamsaya_node::signed::now_s() - ago_s).unwrap()
    }
}

fn cookie(said: &Said) -> String {
    assert_eq!(said.status, 200, "{}", said.text());
    said.cookie.as_ref().unwrap().split(';').next().unwrap().to_string()
}

#[test]
fn an_office_enrols_adds_passkeys_signs_in_with_them_and_takes_them_away() {
    let town = Town::start("passkeys");
    town.set_clock(START);
    let (at, home) = (town.urls["P1"].replace("127.0.0.1", "localhost"), town.home("P1"));
    let browser = Browser { town: &town, origin: at, home: home.clone() };
    let offices = |home: &PathBuf| accounts::list(home).unwrap().iter().map(|a| a.office.clone()).collect::<Vec<_>>();

    // A code signs in once, within its day, and there is no password.
    let late = browser.enrols("liaison", accounts::ENROLMENT_LIFE_S);
    assert_eq!(problem(&browser.passes("liaison", &late)), "sign_in", "a day is over");
    let replaced = browser.enrols("liaison", 0);
    let code = browser.enrols("liaison", accounts::ENROLMENT_LIFE_S - 60);
    assert_eq!(problem(&browser.passes("liaison", &replaced)), "sign_in", "another was made since");
    assert_eq!(problem(&browser.passes("chair", &code)), "sign_in", "it is another office's");
    let enrolled = cookie(&browser.passes("liaison", &code));
    assert_eq!(problem(&browser.passes("liaison", &code)), "sign_in", "it was used");
    assert_eq!(browser.office(&enrolled), "liaison");

    // Two officers of one office have a passkey each; the labels say nothing of them.
    let (mut first, mut second) = (Device::new(1), Device::new(2));
    let added = browser.adds(&enrolled, &mut first);
    assert_eq!(added.status, 201, "{}", added.text());
    fits("post", "/api/passkeys", "201", &added.json());
    assert_eq!((&added.json()["label"], &added.json()["rp_id"]), (&json!("key-1"), &json!("localhost")));
    let again = browser.adds(&enrolled, &mut first);
    assert_eq!((again.status, problem(&again).as_str()), (409, "known_passkey"));
    assert_eq!(browser.adds(&enrolled, &mut second).json()["label"], "key-2");
    assert_eq!(first.user, second.user);
    assert_eq!(Bytes(vec![0; 32]).to_string().len(), first.user.len(), "32 random bytes, and no name");
    let listed = town.get_as("P1", "/api/passkeys", None, &[("cookie", enrolled.as_str())]).json();
    fits("get", "/api/passkeys", "200", &listed);
    assert_eq!(listed["passkeys"].as_array().unwrap().len(), 2);
    let asked = browser.asks(&enrolled);
    assert_eq!(asked["making"]["has"].as_array().unwrap().len(), 2, "no device gets a second one");
    let file = fs::read_to_string(home.join(accounts::ACCOUNTS)).unwrap();
    assert!(!file.contains("password =") && !file.contains(&code), "{file}");
    #[cfg(unix)]
    for name in [accounts::ACCOUNTS, "accounts.lock"] {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(home.join(name)).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }

    // Each signs in, as the office, with a role, a purpose and a session as after a password.
    let signed_in = browser.touches(&mut first);
    fits("post", "/api/session", "200", &signed_in.json());
    assert_eq!(signed_in.json(), json!({"office": "liaison", "role": "sector_liaison"}));
    let (by_first, by_second) = (cookie(&signed_in), cookie(&browser.touches(&mut second)));
    assert_eq!(browser.office(&by_first), "liaison");
    let curious = json!({"passkey": first.signs(&browser.asks(""), "webauthn.get", &browser.origin, "localhost"), "purpose": "curiosity"});
    assert_eq!(problem(&browser.posts("/api/session", "", &curious)), "bad_parameter");

    // What is read in such a session is written down, with office and purpose.
    let mut maker = Maker { town: &town, made: 0 };
    let restricted = maker.statement("outage_notice", "P1", "by-passkey");
    let at = maker.logged(&restricted);
    town.holds_in_own_log("P1", at);
    let read = item(&origin("P1"), at);
    assert_eq!(town.get_as("P1", &read, None, &[]).status, 403);
    assert_eq!(town.get_as("P1", &read, None, &[("cookie", by_first.as_str())]).status, 200);
    let auditor = key("P2", "data-protection");
    let audit = town.get_as("P1", "/api/reads", Some(&auditor), &[("hamsaya-purpose", "audit")]).json();
    let line = &audit["reads"][0];
    assert_eq!(
        (audit["total"].as_u64(), line["entries"][0].as_str()),
        (Some(1), Some(&*format!("{}#{at}", origin("P1"))))
    );
    assert_eq!((&line["office"], &line["purpose"]), (&json!("liaison"), &json!("verification")));

    // One that is removed opens nothing, and ends what it had opened; the other goes on.
    let gone = town.delete("P1", "/api/passkeys/key-1", &[("cookie", by_second.as_str())]);
    assert_eq!(gone.status, 204);
    let twice = town.delete("P1", "/api/passkeys/key-1", &[("cookie", by_second.as_str())]);
    assert_eq!((twice.status, problem(&twice).as_str()), (404, "not_found"));
    assert_eq!((browser.office(&by_first), browser.office(&by_second)), (Value::Null, json!("liaison")));
    let removed = browser.touches(&mut first);
    assert_eq!((removed.status, problem(&removed).as_str()), (401, "passkey"));
    // The command takes away as well, while the node runs.
    accounts::remove_passkey(&home, "liaison", "key-2").unwrap();
    assert_eq!(browser.office(&by_second), Value::Null);
    assert_eq!(browser.office(&enrolled), "liaison", "a code's session rests on the account");
    accounts::remove(&home, "liaison").unwrap();
    assert_eq!((browser.office(&enrolled), offices(&home)), (Value::Null, vec![]));
}

#[test]
fn a_passkey_opens_its_own_office_at_its_own_node_and_nothing_else() {
    let mut town = Town::make("passkeys-refused", crate::town::FAST);
    town.start_node("P1");
    let (origin, home) = (town.urls["P1"].replace("127.0.0.1", "localhost"), town.home("P1"));
    let browser = Browser { town: &town, origin: origin.clone(), home };
    let (mut own, mut others) = (Device::new(1), Device::new(2));
    let liaison = cookie(&browser.passes("liaison", &browser.enrols("liaison", 0)));
    let chair = cookie(&browser.passes("chair", &browser.enrols("chair", 0)));
    assert_eq!(browser.adds(&liaison, &mut own).status, 201);
    assert_eq!(browser.adds(&chair, &mut others).status, 201);
    assert_ne!(own.user, others.user);
    cookie(&browser.touches(&mut own));

    // A stranger is told no office, and adds nothing; nor does a key that signs requests, or who is not asked.
    let stranger = browser.asks("");
    assert_eq!(stranger["making"], Value::Null);
    let making = Device::new(3).makes(&browser.asks(&liaison), &origin);
    for (who, said) in [
        ("nobody", browser.posts("/api/passkeys", "", &making)),
        ("a key", town.post_as("P1", "/api/passkeys", &key("P1", "liaison"), making.to_string().as_bytes())),
        ("nobody", town.get("P1", "/api/passkeys")),
        ("nobody", town.delete("P1", "/api/passkeys/key-1", &[])),
    ] {
        assert_eq!((said.status, problem(&said).as_str()), (403, "right"), "{who}");
    }
    let mut third = Device::new(3);
    let to_chair = third.makes(&browser.asks(&chair), &origin);
    let crossed = browser.posts("/api/passkeys", &liaison, &to_chair);
    assert_eq!((crossed.status, problem(&crossed).as_str()), (400, "passkey"), "another office was asked");
    assert!(crossed.json()["detail"].as_str().unwrap().contains("challenge"), "{}", crossed.text());
    let form = town.post("P1", "/api/passkeys", "text/plain", making.to_string().as_bytes());
    assert_eq!(problem(&form), "bad_parameter", "from another site's form");

    // At an address that is no name, in the clear, or not the node's, there is no question to answer.
    let by_number = town.urls["P1"].clone();
    for foreign in [by_number.as_str(), "https://p2.example", "http://p1.example", "null", ""] {
        let said = town.post_with("P1", "/api/passkeys/challenge", &[("origin", foreign)], b"");
        assert_eq!((said.status, problem(&said).as_str()), (403, "no_passkeys"), "{foreign}");
    }

    // Wrong name, origin, type, flag, question, key, office: signed all the same.
    let refused = |passkey: &Value, why: &str| {
        let said = browser.uses(passkey);
        assert_eq!((said.status, problem(&said).as_str()), (401, "passkey"), "{why}");
        let detail = said.json()["detail"].as_str().unwrap().to_string();
        assert!(detail.contains(why), "{detail} does not say {why}");
    };
    own.counter = 10;
    let get = "webauthn.get";
    refused(&own.signs(&browser.asks(""), get, &origin, "p2.example"), "the hash of another name");
    refused(&own.signs(&browser.asks(""), get, "https://p2.example", "localhost"), "found origin `https://p2.example`");
    refused(&own.signs(&browser.asks(""), "webauthn.create", &origin, "localhost"), "found type `webauthn.create`");
    refused(&Device { flags: 0x01, ..Device::new(1) }.signs(&browser.asks(""), get, &origin, "localhost"), "here has");
    // So many wrong ones and the office waits, here, as after wrong passwords; the others do not.
    let waits = browser.touches(&mut own);
    assert_eq!(waits.status, 200, "three wrong tries are not five: {}", waits.text());
    own.flags = 0x01;
    refused(&own.signs(&browser.asks(""), get, &origin, "localhost"), "did not verify");
    own.flags = 0x05;
    let asked = browser.asks("");
    own.counter += 1;
    let once = own.signs(&asked, get, &origin, "localhost");
    cookie(&browser.uses(&once));
    refused(&once, "a challenge that is not open");
    let own_time = json!({"challenge": Bytes(vec![9; 32])});
    refused(&own.signs(&own_time, get, &origin, "localhost"), "a challenge that is not open");
    refused(&own.signs(&browser.asks(""), get, &origin, "localhost"), "found counter 12, allowed is more than 12");
    own.counter = 3;
    refused(&own.signs(&browser.asks(""), get, &origin, "localhost"), "the passkey may have been copied");
    own.counter = 20;
    let mut as_chair = own.signs(&browser.asks(""), get, &origin, "localhost");
    as_chair["user"] = json!(others.user);
    refused(&as_chair, "no office here has this passkey");
    let mut with_others_key = own.signs(&browser.asks(""), get, &origin, "localhost");
    with_others_key["id"] = json!(Bytes(others.id.clone()));
    with_others_key["user"] = json!(others.user);
    refused(&with_others_key, "signature: it does not fit");
    cookie(&browser.touches(&mut own));
    for _ in 0..5 {
        let mut wrong = own.signs(&browser.asks(""), get, &origin, "localhost");
        wrong["signature"] = json!(Bytes(vec![0; 70]));
        refused(&wrong, "signature: it does not fit");
    }
    let waits = browser.touches(&mut own);
    assert_eq!((waits.status, problem(&waits).as_str()), (429, "too_many_tries"));
    assert_eq!(problem(&browser.passes("liaison", "not-the-password")), "too_many_tries", "password or not");
    cookie(&browser.touches(&mut others));
}
