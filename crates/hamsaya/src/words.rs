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
use hamsaya_record::Instant;
use icu_calendar::cal::{Iso, Persian};
use icu_calendar::types::RataDie;
use icu_calendar::{Calendar, Date};
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "../../locales/"]
struct Locales;

/// 1 January 1970 as a fixed date of Reingold and Dershowitz, "Calendrical Calculations": days since 1 January 1 is 1.
const UNIX_EPOCH_RD: i64 = 719_163;

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

    /// Whether its lines run from right to left.
    pub fn is_right_to_left(self) -> bool {
        self != Language::En
    }

    /// Digits and calendar as CLDR gives them for Afghanistan: ۰-۹ in prose, the Solar Hijri year before the Gregorian.
    fn is_afghan(self) -> bool {
        matches!(self, Language::FaAf | Language::Ps)
    }
}

/// All messages of one language.
pub struct Words {
    bundle: FluentBundle<FluentResource>,
    language: Language,
    /// For print: numbers in prose have the language's digits. On a terminal they may be copied, so they are Latin.
    is_print: bool,
}

impl Words {
    /// Reads the messages of a language.
    pub fn of(language: Language) -> Result<Words, Complaint> {
        Words::read(language, false)
    }

    /// The same for print, with the words of the screens too: kinds, months.
    pub fn for_print(language: Language) -> Result<Words, Complaint> {
        Words::read(language, true)
    }

    fn read(language: Language, is_print: bool) -> Result<Words, Complaint> {
        let tag = language.tag();
        let broken = |what: String| Complaint::new(what).at(format!("locales/{tag}"));
        let locale = tag.parse().map_err(|e| broken(format!("`{tag}` is no language tag: {e}")))?;
        let mut bundle = FluentBundle::new(vec![locale]);
        bundle.set_use_isolating(language.is_right_to_left());
        // Screens and command name some things alike; print needs the screens' words, and none of the command's.
        let other = if is_print { "/command.ftl" } else { "/console.ftl" };
        let ours = |path: &str| path.split('/').next() == Some(tag) && !path.ends_with(other);
        for path in Locales::iter().filter(|p| ours(p)) {
            let bytes = Locales::get(&path).map(|file| file.data.into_owned()).unwrap_or_default();
            let source = String::from_utf8(bytes).map_err(|_| broken(format!("{path} is not UTF-8")))?;
            let resource = FluentResource::try_new(source)
                .map_err(|(_, errors)| broken(format!("{path} is not Fluent: {errors:?}")))?;
            bundle.add_resource(resource).map_err(|errors| broken(format!("{path}: {errors:?}")))?;
        }
        Ok(Words { bundle, language, is_print })
    }

    /// The language.
    pub fn language(&self) -> Language {
        self.language
    }

    /// Whether there is such a message.
    pub fn has(&self, id: &str) -> bool {
        self.bundle.has_message(id)
    }

    /// A number in prose.
    pub fn number(&self, number: impl ToString) -> String {
        let text = number.to_string();
        if !(self.is_print && self.language.is_afghan()) {
            return text;
        }
        let digit = |c: char| match c.to_digit(10) {
            Some(value) => char::from_u32('۰' as u32 + value).unwrap_or(c),
            None => c,
        };
        text.chars().map(digit).collect()
    }

    /// The day of an instant in UTC, in the reader's calendars: `25 Nov 2026`, `۴ قوس ۱۴۰۵ (۲۵ نومبر ۲۰۲۶)`.
    pub fn day(&self, instant: Instant) -> String {
        let date = Date::from_rata_die(RataDie::new(instant.0.div_euclid(86_400) + UNIX_EPOCH_RD), Iso);
        let gregorian = self.date("gregorian", &date);
        if !self.language.is_afghan() {
            return gregorian;
        }
        format!("{} ({gregorian})", self.date("solar", &date.to_calendar(Persian::new())))
    }

    fn date<C: Calendar>(&self, calendar: &str, date: &Date<C>) -> String {
        let month = self.say(&format!("month-{calendar}-{}", date.month().ordinal), &[]);
        let year = self.number(date.year().extended_year());
        let day = self.number(date.day_of_month().0);
        let said = self.say("date", &[("day", &day), ("month", &month), ("year", &year)]);
        // A date is one phrase of one script.
        said.replace(['\u{2068}', '\u{2069}'], "")
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
            .map(|(_, (unit, n))| self.say(unit, &[("n", &self.number(*n))]))
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

    /// The example of every language: the same instant, checked against the browser's calendars.
    #[test]
    fn days_stand_in_the_calendars_of_the_reader() {
        let at: Instant = "2026-11-25T00:00:00Z".parse().unwrap();
        for (language, text) in [
            (Language::En, "25 Nov 2026"),
            (Language::FaAf, "۴ قوس ۱۴۰۵ (۲۵ نومبر ۲۰۲۶)"),
            (Language::Ps, "۴ لیندۍ ۱۴۰۵ (۲۵ نومبر ۲۰۲۶)"),
            (Language::Ur, "25 نومبر 2026"),
        ] {
            assert_eq!(Words::for_print(language).unwrap().day(at), text);
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
