//! Words in the reader's language, from `locales/<language>/*.ftl`.
//!
//! ```text
//! words.say("state-breached", &[])                     -> breached
//! words.duration(-5_400)                               -> 1 h 30 min
//! words.say("when-since", &[("instant", "2026-…Z")])   -> since 2026-…Z
//! ```
//!
//! In Dari, Pashto and Urdu what stands inside a sentence is isolated (U+2068 … U+2069), so that labels and instants keep
//! their direction. The engines give data; only here it becomes prose.
use crate::complaint::Complaint;
use clap::ValueEnum;
use fluent_bundle::{FluentArgs, FluentBundle, FluentResource, FluentValue};
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "../../locales/"]
struct Locales;

/// A language that the project speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// English
    #[default]
    En,
    /// Dari
    #[value(name = "fa-AF")]
    FaAf,
    /// Pashto
    Ps,
    /// Urdu
    Ur,
}

impl Language {
    /// As BCP 47 writes it.
    pub fn tag(self) -> &'static str {
        match self {
            Language::En => "en",
            Language::FaAf => "fa-AF",
            Language::Ps => "ps",
            Language::Ur => "ur",
        }
    }

    fn is_right_to_left(self) -> bool {
        self != Language::En
    }
}

/// All messages of one language.
pub struct Words {
    bundle: FluentBundle<FluentResource>,
}

impl Words {
    /// Reads the messages of a language.
    pub fn of(language: Language) -> Result<Words, Complaint> {
        let tag = language.tag();
        let broken = |what: String| Complaint::new(what).at(format!("locales/{tag}"));
        let locale = tag.parse().map_err(|e| broken(format!("`{tag}` is no language tag: {e}")))?;
        let mut bundle = FluentBundle::new(vec![locale]);
        bundle.set_use_isolating(language.is_right_to_left());
        let ours = |path: &str| path.split('/').next() == Some(tag) && !path.ends_with("/console.ftl");
        for path in Locales::iter().filter(|p| ours(p)) {
            let bytes = Locales::get(&path).map(|file| file.data.into_owned()).unwrap_or_default();
            let source = String::from_utf8(bytes).map_err(|_| broken(format!("{path} is not UTF-8")))?;
            let resource = FluentResource::try_new(source)
                .map_err(|(_, errors)| broken(format!("{path} is not Fluent: {errors:?}")))?;
            bundle.add_resource(resource).map_err(|errors| broken(format!("{path}: {errors:?}")))?;
        }
        Ok(Words { bundle })
    }

    /// A message with its arguments. An id that no file has is said as it is: a reader can still ask about it.
    pub fn say(&self, id: &str, arguments: &[(&str, &str)]) -> String {
        let Some(pattern) = self.bundle.get_message(id).and_then(|message| message.value()) else {
            return id.to_string();
        };
        let arguments: FluentArgs = arguments.iter().map(|(k, v)| (*k, FluentValue::from(*v))).collect();
        self.bundle.format_pattern(pattern, Some(&arguments), &mut Vec::new()).into_owned()
    }

    /// A length of time in its two largest units: `10 d 1 h`, `12 min`. The sign is dropped.
    pub fn duration(&self, seconds: i64) -> String {
        let s = seconds.unsigned_abs();
        let units = [
            ("unit-days", s / 86_400),
            ("unit-hours", s / 3_600 % 24),
            ("unit-minutes", s / 60 % 60),
            ("unit-seconds", s % 60),
        ];
        let first = units.iter().position(|(_, n)| *n > 0).unwrap_or(3);
        let said: Vec<String> = units[first..]
            .iter()
            .take(2)
            .enumerate()
            .filter(|(place, (_, n))| *place == 0 || *n > 0)
            .map(|(_, (unit, n))| self.say(unit, &[("n", &n.to_string())]))
            .collect();
        said.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_the_words_of_the_verdicts() {
        let ids = ["kept", "breached", "pending", "disputed"].map(|s| format!("state-{s}")).into_iter().chain(
            ["performed", "discharged", "not_performed", "contravened", "open", "on_disputed_facts"]
                .map(|r| format!("reason-{r}")),
        );
        let ids: Vec<String> = ids.collect();
        for language in Language::value_variants() {
            let words = Words::of(*language).unwrap();
            for id in &ids {
                assert!(words.say(id, &[]) != *id, "{} lacks {id}", language.tag());
            }
        }
    }

    #[test]
    fn durations_name_two_units() {
        let words = Words::of(Language::En).unwrap();
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (720, "12 min"),
            (5_400, "1 h 30 min"),
            (-5_400, "1 h 30 min"),
            (86_400, "1 d"),
            (867_600, "10 d 1 h"),
            (86_460, "1 d"),
        ] {
            assert_eq!(words.duration(seconds), text, "{seconds}");
        }
    }

    #[test]
    fn right_to_left_sentences_isolate_what_they_quote() {
        let instant = [("instant", "2026-12-01T14:00:00Z")];
        assert_eq!(Words::of(Language::En).unwrap().say("when-since", &instant), "since 2026-12-01T14:00:00Z");
        assert_eq!(
            Words::of(Language::Ur).unwrap().say("when-since", &instant),
            "\u{2068}2026-12-01T14:00:00Z\u{2069} سے"
        );
    }
}
