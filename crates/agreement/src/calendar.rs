//! Ticks of the calendar, which open recurring duties.
//!
//! ```text
//! each day d          00:00 UTC            d   the instant itself               2026-12-02
//! each week w         Monday 00:00         w   ISO number of the week that ended      2026-W49
//! each month m        first day, 00:00     m   of the month that ended                2026-12
//! each quarter q      1 Jan, Apr, Jul, Oct q   of the quarter that ended              2026-Q4
//! each year y         1 January            y   of the year that ended                 2026
//! each siting y       a season of agreement.toml: the year in which it begins         2026
//! every 12 h from …   elapsed seconds      the instant itself                         2026-12-02T12:00Z
//! ```
//!
//! Ticks begin when the agreement enters into force and end at the instant judged. All of it is arithmetic in UTC, as
//! paragraph R1 has it; another calendar is a matter of display.
use hamsaya_record::instant::Instant;
use std::collections::BTreeMap;

/// More ticks of one sort than this are not generated, however far ahead one asks: 273 years of days.
const TICKS_MAX: usize = 100_000;

const DAY_S: i64 = 86_400;

/// Month and day on which a declared season begins each year.
pub(crate) type Seasons = BTreeMap<String, (i64, i64)>;

/// What recurs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tick {
    Day,
    Week,
    Month,
    Quarter,
    Year,
    /// Declared in `agreement.toml`.
    Season(String),
    Every {
        seconds: i64,
        from: i64,
    },
}

/// One tick: when, and the value that tells it from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Beat {
    pub at: Instant,
    pub value: i64,
}

impl Tick {
    /// The word that names it.
    pub(crate) fn word(&self) -> &str {
        match self {
            Tick::Day => "day",
            Tick::Week => "week",
            Tick::Month => "month",
            Tick::Quarter => "quarter",
            Tick::Year => "year",
            Tick::Season(season) => season,
            Tick::Every { .. } => "every",
        }
    }

    /// The tick that a word names; a word that is no part of the calendar is a season.
    pub(crate) fn named(word: &str) -> Tick {
        match word {
            "day" => Tick::Day,
            "week" => Tick::Week,
            "month" => Tick::Month,
            "quarter" => Tick::Quarter,
            "year" => Tick::Year,
            season => Tick::Season(season.into()),
        }
    }

    /// Name of its predicate.
    pub(crate) fn predicate(&self) -> String {
        match self {
            Tick::Day => "each day".into(),
            Tick::Week => "each week".into(),
            Tick::Month => "each month".into(),
            Tick::Quarter => "each quarter".into(),
            Tick::Year => "each year".into(),
            Tick::Season(name) => format!("each {name}"),
            Tick::Every { seconds, from } => format!("every {seconds} s from {}", Instant(*from)),
        }
    }

    /// Whether its value is the instant itself; else it is a number.
    pub(crate) fn is_instant(&self) -> bool {
        matches!(self, Tick::Day | Tick::Every { .. })
    }

    /// All ticks of an interval, both ends included, in order.
    pub(crate) fn between(&self, seasons: &Seasons, from: Instant, to: Instant) -> Vec<Beat> {
        self.from(seasons, from).take_while(|b| b.at <= to).take(TICKS_MAX).collect()
    }

    /// The first tick at or after an instant, if there is one.
    pub(crate) fn first_from(&self, seasons: &Seasons, from: Instant) -> Option<Beat> {
        self.from(seasons, from).next()
    }

    fn from<'t>(&'t self, seasons: &'t Seasons, from: Instant) -> impl Iterator<Item = Beat> + 't {
        let day = from.0.div_euclid(DAY_S);
        let (year, month, _) = date(day);
        let near = match self {
            Tick::Day => day,
            Tick::Week => (day + 3).div_euclid(7),
            Tick::Month => year * 12 + month - 1,
            Tick::Quarter => year * 4 + (month - 1) / 3,
            Tick::Year | Tick::Season(_) => year,
            Tick::Every { seconds, from: start } => (from.0 - start).div_euclid(*seconds).max(0),
        };
        (near..).map_while(|n| self.nth(seasons, n)).skip_while(move |b| b.at < from)
    }

    /// The n-th tick since the calendar's own beginning.
    fn nth(&self, seasons: &Seasons, n: i64) -> Option<Beat> {
        let midnight = |day: i64| Instant(day.saturating_mul(DAY_S));
        let (at, value) = match self {
            Tick::Day => (midnight(n), midnight(n).0),
            Tick::Week => (midnight(7 * n - 3), week(7 * n - 4)),
            Tick::Month => {
                let ended = n - 1;
                (
                    midnight(day(n.div_euclid(12), n.rem_euclid(12) + 1, 1)),
                    ended.div_euclid(12) * 100 + ended.rem_euclid(12) + 1,
                )
            }
            Tick::Quarter => {
                let ended = n - 1;
                (
                    midnight(day(n.div_euclid(4), n.rem_euclid(4) * 3 + 1, 1)),
                    ended.div_euclid(4) * 10 + ended.rem_euclid(4) + 1,
                )
            }
            Tick::Year => (midnight(day(n, 1, 1)), n - 1),
            Tick::Season(name) => {
                let (month, first) = seasons.get(name)?;
                (midnight(day(n, *month, *first)), n)
            }
            Tick::Every { seconds, from } => {
                let at = n.checked_mul(*seconds)?.checked_add(*from)?;
                (Instant(at), at)
            }
        };
        Some(Beat { at, value })
    }

    /// A value as people write it.
    pub(crate) fn label(&self, value: i64) -> String {
        match self {
            Tick::Day => Instant(value).to_string().chars().take(10).collect(),
            Tick::Week => format!("{}-W{:02}", value / 100, value % 100),
            Tick::Month => format!("{}-{:02}", value / 100, value % 100),
            Tick::Quarter => format!("{}-Q{}", value / 10, value % 10),
            Tick::Year | Tick::Season(_) => value.to_string(),
            Tick::Every { .. } => {
                let text = Instant(value).to_string();
                match text.strip_suffix(":00Z") {
                    Some(minutes) => format!("{minutes}Z"),
                    None => text,
                }
            }
        }
    }
}

/// Whether a day exists in every year.
pub(crate) fn is_date(month: i64, day: i64) -> bool {
    let days = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    usize::try_from(month - 1).ok().and_then(|m| days.get(m)).is_some_and(|most| (1..=*most).contains(&day))
}

/// Days from 1970-01-01 to a date. The year begins in March here, so that leap days come last.
fn day(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Year, month and day of a number of days from 1970-01-01.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let year = era * 400 + year_of_era;
    if month < 10 { (year, month + 3, day) } else { (year + 1, month - 9, day) }
}

/// ISO 8601 year and week of a day: a week belongs to the year of its Thursday.
fn week(days: i64) -> i64 {
    let thursday = days - (days + 3).rem_euclid(7) + 3;
    let year = date(thursday).0;
    year * 100 + (thursday - day(year, 1, 1)) / 7 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Instant {
        text.parse().unwrap_or(Instant(0))
    }

    /// Every day of 800 years, against a calendar that is counted day by day.
    #[test]
    fn dates_are_those_of_a_counted_calendar() {
        let (mut year, mut month, mut d) = (1600, 1, 1);
        let mut n = day(1600, 1, 1);
        while year < 2400 {
            assert_eq!((date(n), day(year, month, d)), ((year, month, d), n));
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let last = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month as usize - 1];
            (year, month, d) = match (month, d) {
                (12, 31) => (year + 1, 1, 1),
                (m, l) if l == last => (year, m + 1, 1),
                (m, l) => (year, m, l + 1),
            };
            n += 1;
        }
    }

    #[test]
    fn ticks() {
        let seasons = Seasons::from([("siting".to_string(), (10, 1))]);
        let check = |tick: Tick, from: &str, to: &str, expected: &[&str]| {
            let beats = tick.between(&seasons, at(from), at(to));
            let found: Vec<String> = beats.iter().map(|b| format!("{} {}", b.at, tick.label(b.value))).collect();
            assert_eq!(found, expected, "{tick:?}");
        };
        check(
            Tick::Day,
            "2026-12-01T00:00:00Z",
            "2026-12-02T23:59:59Z",
            &["2026-12-01T00:00:00Z 2026-12-01", "2026-12-02T00:00:00Z 2026-12-02"],
        );
        check(Tick::Day, "2026-12-01T00:00:01Z", "2026-12-02T00:00:00Z", &["2026-12-02T00:00:00Z 2026-12-02"]);
        // 2026 has 53 weeks; the last one ends on Monday, 4 January 2027.
        check(
            Tick::Week,
            "2026-12-28T00:00:00Z",
            "2027-01-11T00:00:00Z",
            &["2026-12-28T00:00:00Z 2026-W52", "2027-01-04T00:00:00Z 2026-W53", "2027-01-11T00:00:00Z 2027-W01"],
        );
        check(Tick::Month, "2026-12-15T00:00:00Z", "2027-01-01T00:00:00Z", &["2027-01-01T00:00:00Z 2026-12"]);
        check(
            Tick::Quarter,
            "2026-10-01T00:00:00Z",
            "2027-01-01T00:00:00Z",
            &["2026-10-01T00:00:00Z 2026-Q3", "2027-01-01T00:00:00Z 2026-Q4"],
        );
        check(Tick::Year, "2026-06-01T00:00:00Z", "2027-06-01T00:00:00Z", &["2027-01-01T00:00:00Z 2026"]);
        check(
            Tick::Season("siting".into()),
            "2026-10-01T00:00:01Z",
            "2028-01-01T00:00:00Z",
            &["2027-10-01T00:00:00Z 2027"],
        );
        check(Tick::Season("none".into()), "2026-10-01T00:00:00Z", "2028-01-01T00:00:00Z", &[]);
        check(
            Tick::Every { seconds: 43_200, from: at("2026-11-01T00:00:00Z").0 },
            "2026-12-01T06:00:00Z",
            "2026-12-02T00:00:00Z",
            &["2026-12-01T12:00:00Z 2026-12-01T12:00Z", "2026-12-02T00:00:00Z 2026-12-02T00:00Z"],
        );
    }

    #[test]
    fn never_without_end() {
        let seasons = Seasons::new();
        let tick = Tick::Every { seconds: 60, from: 0 };
        assert_eq!(tick.between(&seasons, Instant(0), Instant(i64::MAX)).len(), TICKS_MAX);
    }
}
