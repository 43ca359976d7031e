//! Disclosures: what a statement says in salted fields, outside the log.
//!
//! ```text
//! ["c2FsdHNhbHRzYWx0c2FsdA","note","seen from the tower"]     salt, name, value
//! WyJjMkZzZEhOaGJIUnpZV3gwYzJGc2RBIiwibm90ZSIsInNlZW4gZnJvbSB0aGUgdG93ZXIiXQ     its base64url is the disclosure, one a line
//! "fields":{"sensor":"T4","_sd":["R1cR…"]}                     the log has the base64url of the SHA-256 of that line
//! ```
//! The form is that of RFC 9901 (SD-JWT), so that other programs read it. The digest is over the line and not over what it
//! says: two spellings of one value are two disclosures. A salt has 16 random bytes or more, or whoever guesses the value
//! could prove that he did; a digest that nobody discloses may stand for nothing (a decoy).
//!
//! What [`check`] lets through is a field of this statement, and none that stands beside it in clear. Which names an
//! agreement's rules judge, and which are therefore never salted, is the agreement's to say. No error here repeats what a
//! line says: errors are written down, and read by others.
use crate::json::{self, Json};
use crate::statement::{FieldValue, ITEMS_MAX, Statement, field_value, is_about_a_person, is_id_char, write_value};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;

/// No disclosure is longer, in bytes.
pub const LINE_BYTES_MAX: usize = 16 * 1024;
/// Bytes of a salt that is made here, and the fewest of any.
pub const SALT_BYTES: usize = 16;
/// Most bytes of a salt.
const SALT_BYTES_MAX: usize = 64;
/// The salted field that is a place finer than the one in clear: a point in degrees times 10^7, and metres.
pub const PLACE: &str = "place_exact";

/// One salted field, in clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disclosure {
    line: String,
    name: String,
    value: FieldValue,
}

/// What is wrong with a disclosure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Longer than [`LINE_BYTES_MAX`], or more of them than a statement has digests.
    #[error("found a longer one, allowed are {LINE_BYTES_MAX} bytes a line and {ITEMS_MAX} lines")]
    Long,
    /// Not of the form.
    #[error("found something else, allowed is the base64url of [salt,name,value] in strict JSON")]
    Form,
    /// A salt behind which the value could be guessed.
    #[error("found another salt, allowed are {SALT_BYTES} random bytes or more, in base64url")]
    Salt,
    /// A name that no field has.
    #[error("found another name, allowed are lowercase letters, digits and `_`, and no field about a person")]
    Name,
    /// [`PLACE`] with something else than a place.
    #[error("found another value, allowed in `{PLACE}` are lat_e7, lon_e7 and precision_m")]
    Place,
    /// Not of this statement.
    #[error("found another field, allowed are those whose digest the statement holds")]
    Foreign,
    /// A field that is there in clear, or another disclosure of the same name.
    #[error("found a name that is there already, allowed is every name once")]
    Twice,
    /// Lines that are not sorted, or stand there twice.
    #[error("found a line out of its order, allowed are sorted lines, none twice")]
    Order,
}

/// Which line is unfit, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("disclosure {line}: {unfit}")]
pub struct DisclosureError {
    /// Which line, from 1.
    pub line: usize,
    /// Why.
    pub unfit: Unfit,
}

impl Disclosure {
    /// Salts a field; `salt` is of the caller's random bytes, fresh for each.
    pub fn make(salt: [u8; SALT_BYTES], name: &str, value: &FieldValue) -> Result<Disclosure, Unfit> {
        let mut text = String::from("[");
        json::write_text(&mut text, &URL_SAFE_NO_PAD.encode(salt));
        text.push(',');
        json::write_text(&mut text, name);
        text.push(',');
        write_value(&mut text, value);
        text.push(']');
        // What leaves is read once more, as its readers will.
        Disclosure::parse(&URL_SAFE_NO_PAD.encode(text))
    }

    /// Reads a line.
    pub fn parse(line: &str) -> Result<Disclosure, Unfit> {
        if line.len() > LINE_BYTES_MAX {
            return Err(Unfit::Long);
        }
        let bytes = URL_SAFE_NO_PAD.decode(line).map_err(|_| Unfit::Form)?;
        let (salt, name, value) = opened(&bytes).ok_or(Unfit::Form)?;
        let salt_bytes = URL_SAFE_NO_PAD.decode(&salt).map(|salt| salt.len()).unwrap_or_default();
        if !(SALT_BYTES..=SALT_BYTES_MAX).contains(&salt_bytes) {
            return Err(Unfit::Salt);
        }
        if !is_name(&name) {
            return Err(Unfit::Name);
        }
        let value = field_value(value, true).map_err(|_| Unfit::Name)?;
        if name == PLACE && place(&value).is_none() {
            return Err(Unfit::Place);
        }
        Ok(Disclosure { line: line.to_owned(), name, value })
    }

    /// The line, as it is kept and handed on.
    pub fn line(&self) -> &str {
        &self.line
    }

    /// Name of the field.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it says.
    pub fn value(&self) -> &FieldValue {
        &self.value
    }

    /// What it says, as compact JSON.
    pub fn value_text(&self) -> String {
        let mut text = String::new();
        write_value(&mut text, &self.value);
        text
    }

    /// The digest in the statement.
    pub fn digest(&self) -> [u8; 32] {
        digest(&self.line)
    }
}

/// The digest of a disclosure: SHA-256 of its line as it stands. Of 32 random bytes in base64url: a decoy.
pub fn digest(line: &str) -> [u8; 32] {
    Sha256::digest(line).into()
}

/// Digests as `_sd` has them: sorted as text, so that their order says nothing of the fields'.
pub fn sorted(digests: impl IntoIterator<Item = [u8; 32]>) -> Vec<[u8; 32]> {
    let by_text: BTreeSet<(String, [u8; 32])> =
        digests.into_iter().map(|digest| (URL_SAFE_NO_PAD.encode(digest), digest)).collect();
    by_text.into_iter().map(|(_, digest)| digest).collect()
}

/// Reads lines that are to be salted fields of this statement; all of them are, or none is taken.
pub fn check<'l>(
    statement: &Statement,
    lines: impl IntoIterator<Item = &'l str>,
) -> Result<Vec<Disclosure>, DisclosureError> {
    let mut disclosures = Vec::new();
    let mut names: BTreeSet<String> = BTreeSet::new();
    for (n, line) in lines.into_iter().enumerate() {
        let refuse = |unfit| DisclosureError { line: n + 1, unfit };
        if n == ITEMS_MAX {
            return Err(refuse(Unfit::Long));
        }
        let disclosure = Disclosure::parse(line).map_err(refuse)?;
        if !statement.salted.contains(&disclosure.digest()) {
            return Err(refuse(Unfit::Foreign));
        }
        if statement.fields.contains_key(disclosure.name()) || !names.insert(disclosure.name.clone()) {
            return Err(refuse(Unfit::Twice));
        }
        disclosures.push(disclosure);
    }
    Ok(disclosures)
}

/// A file of disclosures: one a line, sorted, none twice. The same disclosures are the same bytes.
pub fn to_text<'l>(lines: impl IntoIterator<Item = &'l str>) -> String {
    let lines: BTreeSet<&str> = lines.into_iter().collect();
    lines.into_iter().flat_map(|line| [line, "\n"]).collect()
}

/// Reads a file of disclosures of this statement, in its one spelling.
pub fn read(statement: &Statement, bytes: &[u8]) -> Result<Vec<Disclosure>, DisclosureError> {
    let refuse = |line, unfit| DisclosureError { line, unfit };
    let text = std::str::from_utf8(bytes).ok().and_then(|text| text.strip_suffix('\n'));
    let lines: Vec<&str> = text.ok_or(refuse(1, Unfit::Form))?.split('\n').take(ITEMS_MAX + 1).collect();
    if let Some(n) = lines.windows(2).position(|pair| pair[0] >= pair[1]) {
        return Err(refuse(n + 2, Unfit::Order));
    }
    check(statement, lines)
}

/// A point in degrees times 10^7 and the metres by which it may be off, out of the value of [`PLACE`].
pub fn place(value: &FieldValue) -> Option<(i64, i64, i64)> {
    let FieldValue::Map(members) = value else { return None };
    let number = |name: &str| match members.get(name) {
        Some(FieldValue::Int(number)) => Some(*number),
        _ => None,
    };
    let place = (number("lat_e7")?, number("lon_e7")?, number("precision_m")?);
    let on_earth = place.0.abs() <= 900_000_000 && place.1.abs() <= 1_800_000_000 && place.2 >= 0;
    (on_earth && members.len() == 3).then_some(place)
}

/// Salt, name and value of what a line holds.
fn opened(bytes: &[u8]) -> Option<(String, String, Json<'_>)> {
    let Json::List(items) = json::parse(bytes).ok()? else { return None };
    match <[Json<'_>; 3]>::try_from(items).ok()? {
        [Json::Text(salt), Json::Text(name), value] => Some((salt.into_owned(), name.into_owned(), value)),
        _ => None,
    }
}

fn is_name(name: &str) -> bool {
    let is_word = !name.is_empty() && name.len() <= 64 && name.chars().all(is_id_char);
    is_word && !name.starts_with("_sd") && !is_about_a_person(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instant::Instant;
    use crate::statement::Act;
    use crate::statement::tests::value;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn text(text: &str) -> FieldValue {
        FieldValue::Text(text.to_owned())
    }

    fn spelled(json: &str) -> String {
        URL_SAFE_NO_PAD.encode(json)
    }

    fn statement(lines: &[&str]) -> Statement {
        let (id, home) = ("0193a1b2-c3d4-7e5f-8a9b-0123456789ab", "p1.example/hamsaya/1");
        let mut s = Statement::new([0x9f; 32], Act::Notify, "outage_notice", id, "P1", home, Instant(1_795_550_400));
        s.salted = sorted(lines.iter().map(|line| digest(line)));
        s
    }

    /// RFC 9901, 4.2.1 and 4.2.3: one value in several spellings, each with a digest of its own.
    #[test]
    fn the_vectors_of_rfc_9901() {
        let line = "WyJfMjZiYzRMVC1hYzZxMktJNmNCVzVlcyIsICJmYW1pbHlfbmFtZSIsICJNw7ZiaXVzIl0";
        assert_eq!(URL_SAFE_NO_PAD.encode(digest(line)), "X9yH0Ajrdm1Oij4tWso9UzzKJvPoDxwmuEcO3XAdRC0");
        let short = "WyI2cU1RdlJMNWhhaiIsICJmYW1pbHlfbmFtZSIsICJNw7ZiaXVzIl0";
        assert_eq!(URL_SAFE_NO_PAD.encode(digest(short)), "uutlBuYeMDyjLLTpf6Jxi7yNkEF35jdyWMn9U7b_RYY");
        let compact = spelled(r#"["_26bc4LT-ac6q2KI6cBW5es","family_name","Möbius"]"#);
        let escaped = spelled(r#"["_26bc4LT-ac6q2KI6cBW5es", "family_name", "M\u00f6bius"]"#);
        let broken = spelled("[\n\"_26bc4LT-ac6q2KI6cBW5es\",\n\"family_name\",\n\"Möbius\"\n]");
        assert!(
            compact != line
                && escaped == "WyJfMjZiYzRMVC1hYzZxMktJNmNCVzVlcyIsICJmYW1pbHlfbmFtZSIsICJNXHUwMGY2Yml1cyJd"
        );
        for line in [line, &compact, &escaped, &broken] {
            let bytes = URL_SAFE_NO_PAD.decode(line).unwrap();
            let (salt, name, value) = opened(&bytes).unwrap();
            assert_eq!((salt.as_str(), name.as_str()), ("_26bc4LT-ac6q2KI6cBW5es", "family_name"));
            assert_eq!(value, Json::Text("Möbius".into()));
            // The form is read; a field of this name there is not.
            assert_eq!(Disclosure::parse(line), Err(Unfit::Name));
        }
        assert_eq!(Disclosure::parse(short), Err(Unfit::Salt));
    }

    /// Made by `sd-jwt` 0.10.4 for Python, which the authors of RFC 9901 wrote: line, digest, then what it says.
    #[test]
    fn reads_what_the_reference_implementation_made() {
        let vectors = include_str!("../tests/it/disclosures.txt").lines().filter(|line| !line.starts_with('#'));
        let mut count = 0;
        for vector in vectors {
            let [line, expected, said] = vector.split('\t').collect::<Vec<_>>()[..] else { panic!("{vector}") };
            assert_eq!(URL_SAFE_NO_PAD.encode(digest(line)), expected, "{vector}");
            let disclosure = Disclosure::parse(line).unwrap_or_else(|unfit| panic!("{vector}: {unfit}"));
            assert_eq!(format!("{}={}", disclosure.name(), disclosure.value_text()), said);
            assert_eq!(check(&statement(&[line]), [line]), Ok(vec![disclosure]));
            count += 1;
        }
        assert_eq!(count, 12);
    }

    #[test]
    fn reads_what_it_makes() {
        let made = Disclosure::make(*b"saltsaltsaltsalt", "note", &text("seen from the tower")).unwrap();
        assert_eq!(made.line(), "WyJjMkZzZEhOaGJIUnpZV3gwYzJGc2RBIiwibm90ZSIsInNlZW4gZnJvbSB0aGUgdG93ZXIiXQ");
        assert_eq!(Disclosure::parse(made.line()), Ok(made.clone()));
        let other = Disclosure::make(*b"pepperpepperpepp", "note", &text("seen from the tower")).unwrap();
        assert_ne!(made.digest(), other.digest());
    }

    #[test]
    fn what_is_no_disclosure() {
        let line = |salt: &str, name: &str, value: &str| spelled(&format!("[\"{salt}\",\"{name}\",{value}]"));
        let salt = "c2FsdHNhbHRzYWx0c2FsdA";
        let check = |line: &str, expected| assert_eq!(Disclosure::parse(line).map(drop), expected, "{line}");
        check(&line(salt, "note", "\"x\""), Ok(()));
        check(&(line(salt, "note", "\"x\"") + "=="), Err(Unfit::Form));
        check(&spelled(&format!("[\"{salt}\",\"x\"]")), Err(Unfit::Form));
        check(&spelled(&format!("[\"{salt}\",\"note\",\"x\",1]")), Err(Unfit::Form));
        check(&spelled("{}"), Err(Unfit::Form));
        for value in ["1.5", "null", "{\"a\":1,\"a\":2}", "\"\\u202e\"", "9007199254740992"] {
            check(&line(salt, "note", value), Err(Unfit::Form));
        }
        check(&line("c2FsdHNhbHRzYWx0c2Fs", "note", "1"), Err(Unfit::Salt));
        check(&line(&"A".repeat(88), "note", "1"), Err(Unfit::Salt));
        for name in ["", "Note", "_sd", "_sd_alg", "...", "two words", "phone", "driver_passport", &"n".repeat(65)] {
            check(&line(salt, name, "1"), Err(Unfit::Name));
        }
        check(&line(salt, "note", "{\"tribe\":\"x\"}"), Err(Unfit::Name));
        check(&line(salt, "note", "[{\"_sd\":[]}]"), Err(Unfit::Name));
        check(&line(salt, PLACE, "{\"lat_e7\":341234567,\"lon_e7\":710987654,\"precision_m\":10}"), Ok(()));
        for place in
            ["\"34.1, 71.0\"", "{\"lat_e7\":1,\"lon_e7\":2}", "{\"lat_e7\":900000001,\"lon_e7\":2,\"precision_m\":1}"]
        {
            check(&line(salt, PLACE, place), Err(Unfit::Place));
        }
        check(&line(salt, "note", &format!("\"{}\"", "x".repeat(LINE_BYTES_MAX))), Err(Unfit::Long));
    }

    #[test]
    fn all_are_of_the_statement_or_none_is_taken() {
        let make = |salt: &[u8; 16], name: &str, value: &str| Disclosure::make(*salt, name, &text(value)).unwrap();
        let note = make(b"saltsaltsaltsalt", "note", "a");
        let again = make(b"pepperpepperpepp", "note", "b");
        let clear = make(b"cuminecumincumin", "sensor", "c");
        let foreign = make(b"thymethymethymet", "more", "d");
        let mut s = statement(&[note.line(), again.line(), clear.line()]);
        s.fields = BTreeMap::from([("sensor".to_owned(), text("T4"))]);
        assert_eq!(check(&s, [note.line()]), Ok(vec![note.clone()]));
        assert_eq!(check(&s, []), Ok(vec![]));
        let unfit = |lines: &[&str]| check(&s, lines.iter().copied()).unwrap_err();
        assert_eq!(unfit(&[note.line(), again.line()]), DisclosureError { line: 2, unfit: Unfit::Twice });
        assert_eq!(unfit(&[clear.line()]), DisclosureError { line: 1, unfit: Unfit::Twice });
        assert_eq!(unfit(&[note.line(), foreign.line()]), DisclosureError { line: 2, unfit: Unfit::Foreign });
        assert_eq!(unfit(&[note.line(); 2]), DisclosureError { line: 2, unfit: Unfit::Twice });
        // What is refused is not repeated.
        assert!(!unfit(&[foreign.line()]).to_string().contains(foreign.line()));
        // A file has one spelling.
        let file = to_text([note.line()]);
        assert_eq!(read(&s, file.as_bytes()), Ok(vec![note.clone()]));
        for wrong in ["", "\n", note.line(), &format!("{file}{file}"), &format!("\n{file}")] {
            assert!(read(&s, wrong.as_bytes()).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn digests_are_sorted_as_text_and_a_statement_holds_them() {
        let lines: Vec<String> = (0..64).map(|n: u32| n.to_string()).collect();
        let s = statement(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(s.salted.len(), 64);
        assert_eq!(Statement::parse(&s.to_payload()), Ok(s));
    }

    proptest! {
        #[test]
        fn any_value_is_read_back(salt: [u8; 16], name in "x[a-z0-9_]{0,8}", value in value()) {
            let made = Disclosure::make(salt, &name, &value).unwrap();
            prop_assert_eq!((made.name(), made.value()), (name.as_str(), &value));
            prop_assert_eq!(Disclosure::parse(made.line()), Ok(made));
        }

        #[test]
        fn never_panics(bytes: Vec<u8>, line: String, json: String, at in 0usize..80, noise in "[\\[\\]\",:{}a-z0-9_-]{0,9}") {
            let mut near = "WyJjMkZzZEhOaGJIUnpZV3gwYzJGc2RBIiwibm90ZSIsInNlZW4gZnJvbSB0aGUgdG93ZXIiXQ".to_owned();
            near.insert_str(at.min(near.len()), &noise);
            let s = statement(&[]);
            for line in [&line, &URL_SAFE_NO_PAD.encode(&bytes), &URL_SAFE_NO_PAD.encode(&json), &near] {
                if let Ok(disclosure) = Disclosure::parse(line) {
                    prop_assert_eq!(disclosure.line(), line.as_str());
                }
                prop_assert!(check(&s, [line.as_str()]).is_err());
            }
            prop_assert!(read(&s, &bytes).is_err());
        }
    }
}
