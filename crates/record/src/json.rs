//! Strict JSON: the subset in which two readers cannot differ.
//!
//! ```text
//! yes   {"seq":812,"to":["P2"],"drill":false}
//! no    {"a":1,"a":2}   1.0   1e3   9007199254740992   null   "\u0000"   "\u202e"   a depth of 17
//! ```
//! UTF-8, no key twice, whole numbers within ±(2^53-1), no null, no NUL and none of the controls that turn the reading
//! direction (U+202A to U+202E): what a person sees is what was signed.
use crate::refusal::{Reason, Refusal};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;

/// Objects and lists within each other, the outermost counted.
pub(crate) const DEPTH_MAX: usize = 16;
/// Largest whole number, and its negative the smallest.
pub(crate) const INT_MAX: i64 = (1 << 53) - 1;

/// A value; texts without escapes are borrowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Json<'b> {
    Bool(bool),
    Int(i64),
    Text(Cow<'b, str>),
    List(Vec<Json<'b>>),
    Object(Vec<(Cow<'b, str>, Json<'b>)>),
}

impl Json<'_> {
    /// What it is, for messages.
    pub(crate) fn describe(&self) -> String {
        match self {
            Json::Bool(b) => b.to_string(),
            Json::Int(n) => n.to_string(),
            Json::Text(text) => format!("{text:?}"),
            Json::List(_) => "a list".to_owned(),
            Json::Object(_) => "an object".to_owned(),
        }
    }
}

/// Reads one value and nothing after it.
pub(crate) fn parse(bytes: &[u8]) -> Result<Json<'_>, Refusal> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        Refusal::new(Reason::NotUtf8, "", format!("a bad byte at {}", error.valid_up_to()), "UTF-8")
    })?;
    let refusal = RefCell::new(None);
    let mut reader = serde_json::Deserializer::from_str(text);
    let read = Value { refusal: &refusal, depth: 0 }.deserialize(&mut reader);
    match read.and_then(|value| reader.end().map(|()| value)) {
        Ok(value) => Ok(value),
        Err(error) => {
            Err(refusal.into_inner().unwrap_or_else(|| Refusal::new(Reason::BadJson, "", error, "strict JSON")))
        }
    }
}

/// True if the text holds none of the characters that hide what it says.
pub(crate) fn is_plain(text: &str) -> bool {
    // U+202A to U+202E are E2 80 AA to E2 80 AE. Nearly all text is ASCII, which is seen at a glance.
    let hides = |w: &[u8]| matches!(w, [0xE2, 0x80, 0xAA..=0xAE]);
    !text.as_bytes().contains(&0) && (text.is_ascii() || !text.as_bytes().windows(3).any(hides))
}

#[derive(Clone, Copy)]
struct Value<'r> {
    refusal: &'r RefCell<Option<Refusal>>,
    depth: usize,
}

impl Value<'_> {
    /// Keeps the refusal beside the reader's own error, which has no room for it.
    fn refuse<E: serde::de::Error>(&self, found: impl fmt::Display, allowed: &'static str) -> E {
        *self.refusal.borrow_mut() = Some(Refusal::new(Reason::BadJson, "", found, allowed));
        E::custom("refused")
    }

    /// Notes on the way out where the reader stopped, for its own complaints too.
    fn within(&self, outer: &str, error: &impl fmt::Display) {
        let mut refusal = self.refusal.borrow_mut();
        let inner = refusal.take().unwrap_or_else(|| Refusal::new(Reason::BadJson, "", error, "strict JSON"));
        *refusal = Some(inner.within(outer));
    }

    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == DEPTH_MAX {
            return Err(self.refuse("a depth of 17", "a depth of 16"));
        }
        Ok(Value { depth: self.depth + 1, ..self })
    }

    fn check_text<E: serde::de::Error>(&self, text: &str) -> Result<(), E> {
        if is_plain(text) {
            return Ok(());
        }
        Err(self.refuse(format!("{text:?}"), "text without NUL and U+202A to U+202E"))
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = Json<'de>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object, list, text, whole number, true or false")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Json<'de>, E> {
        if (-INT_MAX..=INT_MAX).contains(&value) {
            return Ok(Json::Int(value));
        }
        Err(self.refuse(value, "a whole number within ±(2^53-1)"))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Json<'de>, E> {
        match i64::try_from(value) {
            Ok(value) => self.visit_i64(value),
            Err(_) => Err(self.refuse(value, "a whole number within ±(2^53-1)")),
        }
    }

    fn visit_borrowed_str<E: serde::de::Error>(self, value: &'de str) -> Result<Json<'de>, E> {
        self.check_text(value)?;
        Ok(Json::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Json<'de>, E> {
        self.check_text(value)?;
        Ok(Json::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Json<'de>, A::Error> {
        let inner = self.deeper()?;
        let mut list = Vec::new();
        loop {
            match access.next_element_seed(inner) {
                Ok(Some(value)) => list.push(value),
                Ok(None) => return Ok(Json::List(list)),
                Err(error) => {
                    self.within(&format!("[{}]", list.len()), &error);
                    return Err(error);
                }
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Json<'de>, A::Error> {
        let inner = self.deeper()?;
        let mut members: Vec<(Cow<'de, str>, Json<'de>)> = Vec::new();
        while let Some(key) = access.next_key_seed(inner)? {
            let Json::Text(key) = key else { return Err(A::Error::custom("a key that is no text")) };
            match access.next_value_seed(inner) {
                Ok(value) => members.push((key, value)),
                Err(error) => {
                    self.within(&key, &error);
                    return Err(error);
                }
            }
        }
        let mut keys: Vec<&str> = members.iter().map(|(key, _)| key.as_ref()).collect();
        keys.sort_unstable();
        if let Some(twice) = keys.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(self.refuse(format!("key {:?} twice", twice[0]), "every key once"));
        }
        Ok(Json::Object(members))
    }
}

/// The members of an object, taken one by one; what is left at the end is refused.
pub(crate) struct Fields<'b> {
    members: Vec<(Cow<'b, str>, Json<'b>)>,
}

impl<'b> Fields<'b> {
    pub(crate) fn of(value: Json<'b>) -> Result<Fields<'b>, Refusal> {
        match value {
            Json::Object(members) => Ok(Fields { members }),
            other => Err(Refusal::new(Reason::BadField, "", other.describe(), "an object")),
        }
    }

    /// Takes a member out.
    pub(crate) fn take(&mut self, key: &str) -> Option<Json<'b>> {
        // The common order is ours, so the first is mostly the one.
        let at = self.members.iter().position(|(k, _)| k == key)?;
        Some(self.members.remove(at).1)
    }

    pub(crate) fn need(&mut self, key: &'static str, allowed: &'static str) -> Result<Json<'b>, Refusal> {
        self.take(key).ok_or_else(|| Refusal::new(Reason::BadField, key, "nothing", allowed))
    }

    pub(crate) fn text(&mut self, key: &'static str) -> Result<Cow<'b, str>, Refusal> {
        as_text(self.need(key, "a text")?).map_err(|r| r.within(key))
    }

    pub(crate) fn text_if(&mut self, key: &'static str) -> Result<Option<Cow<'b, str>>, Refusal> {
        self.take(key).map(as_text).transpose().map_err(|r| r.within(key))
    }

    pub(crate) fn int(&mut self, key: &'static str) -> Result<i64, Refusal> {
        as_int(self.need(key, "a whole number")?).map_err(|r| r.within(key))
    }

    pub(crate) fn bool_or_false(&mut self, key: &'static str) -> Result<bool, Refusal> {
        match self.take(key) {
            None => Ok(false),
            Some(Json::Bool(b)) => Ok(b),
            Some(other) => Err(Refusal::new(Reason::BadField, key, other.describe(), "true or false")),
        }
    }

    /// The items of a list of at most `max`; none if the key is absent.
    pub(crate) fn list(&mut self, key: &'static str, max: usize) -> Result<Vec<Json<'b>>, Refusal> {
        match self.take(key) {
            None => Ok(Vec::new()),
            Some(Json::List(items)) if items.len() <= max => Ok(items),
            Some(Json::List(items)) => Err(Refusal::new(
                Reason::TooLarge,
                key,
                format!("{} items", items.len()),
                format!("at most {max} items"),
            )),
            Some(other) => Err(Refusal::new(Reason::BadField, key, other.describe(), "a list")),
        }
    }

    /// The first member not taken.
    pub(crate) fn rest(&self) -> Option<&str> {
        self.members.first().map(|(key, _)| key.as_ref())
    }

    /// All members not taken.
    pub(crate) fn into_members(self) -> impl Iterator<Item = (Cow<'b, str>, Json<'b>)> {
        self.members.into_iter()
    }

    /// Refuses what was not taken.
    pub(crate) fn end(self, allowed: &'static str) -> Result<(), Refusal> {
        match self.rest() {
            None => Ok(()),
            Some(key) => Err(Refusal::new(Reason::UnknownField, key, format!("field {key:?}"), allowed)),
        }
    }
}

pub(crate) fn as_text(value: Json<'_>) -> Result<Cow<'_, str>, Refusal> {
    match value {
        Json::Text(text) => Ok(text),
        other => Err(Refusal::new(Reason::BadField, "", other.describe(), "a text")),
    }
}

pub(crate) fn as_int(value: Json<'_>) -> Result<i64, Refusal> {
    match value {
        Json::Int(n) => Ok(n),
        other => Err(Refusal::new(Reason::BadField, "", other.describe(), "a whole number")),
    }
}

/// Writes a text as JSON does, with its quotes.
pub(crate) fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let found = match parse(text.as_bytes()) {
            Ok(value) => format!("{value:?}"),
            Err(refusal) => format!("{} {}: {}", refusal.reason, refusal.field, refusal.found),
        };
        assert!(found.starts_with(expected), "{text}: {found}");
    }

    #[test]
    fn accepts_the_plain() {
        check("{\"a\":[1,-2,true,\"x\\n\"]}", "Object([(\"a\", List([Int(1), Int(-2), Bool(true), Text(\"x\\n\")]))])");
        check(" {} \n", "Object([])");
        check("9007199254740991", "Int(9007199254740991)");
        check("-9007199254740991", "Int(-9007199254740991)");
        check("\"\\ud83d\\ude00\"", "Text(\"😀\")");
        check("\"\u{2067}الف\u{2069}\"", "Text(");
    }

    #[test]
    fn refuses_what_readers_may_read_differently() {
        check("{\"a\":1,\"b\":2,\"a\":1}", "bad_json : key \"a\" twice");
        check("{\"x\":{\"a\":1,\"\\u0061\":1}}", "bad_json x: key \"a\" twice");
        check("9007199254740992", "bad_json : 9007199254740992");
        check("{\"a\":[0,-9007199254740992]}", "bad_json a[1]: -9007199254740992");
        check("18446744073709551616", "bad_json");
        check("1.0", "bad_json");
        check("1e3", "bad_json");
        check("-0", "bad_json");
        check("01", "bad_json");
        check("null", "bad_json");
        check("{\"a\":null}", "bad_json");
        check("{} {}", "bad_json");
        check("{\"a\":1,}", "bad_json");
        check("", "bad_json");
        check("\u{feff}{}", "bad_json");
        check("\"\\ud800\"", "bad_json");
        check("[\"a\\u0000\"]", "bad_json [0]: \"a\\0\"");
        check("{\"a\\u202eb\":1}", "bad_json");
        check("\"\u{202a}\"", "bad_json");
    }

    #[test]
    fn depth() {
        check(&format!("{}{}", "[".repeat(16), "]".repeat(16)), "List");
        check(&format!("{}{}", "[".repeat(17), "]".repeat(17)), "bad_json");
        check(&"[".repeat(60_000), "bad_json");
        check(&"{\"a\":".repeat(60_000), "bad_json");
    }

    #[test]
    fn not_utf8() {
        assert_eq!(parse(b"\"\xff\"").unwrap_err().reason, Reason::NotUtf8);
    }
}
