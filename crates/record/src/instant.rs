//! Instants as statements write them: `2026-11-24T20:00:00Z`, whole seconds, UTC, no leap second.
use std::fmt;
use std::str::FromStr;

/// Seconds since 1970-01-01T00:00:00Z. Every calendar is display only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub i64);

/// A text that is not an instant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("found `{0}`, allowed is an instant like `2026-11-24T20:00:00Z`: UTC, whole seconds, years 0001 to 9999")]
pub struct BadInstant(pub String);

impl Instant {
    /// So many seconds later.
    pub fn plus(self, seconds: i64) -> Instant {
        Instant(self.0.saturating_add(seconds))
    }
}

/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar (Howard Hinnant, "chrono-Compatible Low-Level
/// Date Algorithms").
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let doy = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    era * 146_097 + doe - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i64::from(month <= 2), month, day)
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_from_days(self.0.div_euclid(86_400));
        let s = self.0.rem_euclid(86_400);
        write!(f, "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", s / 3600, s / 60 % 60, s % 60)
    }
}

impl FromStr for Instant {
    type Err = BadInstant;
    fn from_str(text: &str) -> Result<Instant, BadInstant> {
        let bad = || BadInstant(text.chars().take(40).collect());
        let b = text.as_bytes();
        let shape = b"0000-00-00T00:00:00Z";
        if b.len() != shape.len()
            || b.iter().zip(shape).any(|(c, s)| if *s == b'0' { !c.is_ascii_digit() } else { c != s })
        {
            return Err(bad());
        }
        let n = |from: usize, to: usize| b[from..to].iter().fold(0i64, |n, c| n * 10 + i64::from(c - b'0'));
        let (year, month, day) = (n(0, 4), n(5, 7), n(8, 10));
        let (hour, minute, second) = (n(11, 13), n(14, 16), n(17, 19));
        let days = days_from_civil(year, month, day);
        if year < 1
            || !(1..=12).contains(&month)
            || civil_from_days(days) != (year, month, day)
            || hour > 23
            || minute > 59
            || second > 59
        {
            return Err(bad());
        }
        Ok(Instant(days * 86_400 + hour * 3600 + minute * 60 + second))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_it_prints() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-11-24T20:00:00Z", 1_795_550_400),
            ("2000-02-29T23:59:59Z", 951_868_799),
            ("1969-12-31T23:59:59Z", -1),
        ] {
            assert_eq!(text.parse(), Ok(Instant(seconds)), "{text}");
            assert_eq!(Instant(seconds).to_string(), text);
        }
    }

    #[test]
    fn refuses_what_is_not_an_instant() {
        for text in [
            "",
            "2026-11-24T20:00:00",
            "2026-11-24T20:00:60Z",
            "2026-02-30T00:00:00Z",
            "2026-11-24 20:00:00Z",
            "2026-11-24T20:00:00.5Z",
            "0000-01-01T00:00:00Z",
            "2026-11-24T24:00:00Z",
            "۲۰۲۶-11-24T20:00:00Z",
        ] {
            assert!(text.parse::<Instant>().is_err(), "{text}");
        }
    }
}
