//! Rows of the UCDP Georeferenced Event Dataset as incidents.
//!
//! ```text
//! id,relid,date_start,date_end,date_prec,where_prec,…,type_of_violence,…,latitude,longitude,…,best,high,low
//! 54936.0,PAK-1992-2-X3773-1,1992-09-15,1992-09-18,2.0,3.0,…,2.0,…,33.710172,70.340096,…,50,50.0,50.0
//! ```
//!
//! Columns are found by name, so the release's 49 columns, the export of the Humanitarian Data Exchange (which has a row
//! of `#tags` under its header) and shorter extracts all read. What is *not* read: the names of groups, of sides and of
//! people, headlines and descriptions. They have no place in the record.
//!
//! | `where_prec` | meaning | `precision_m` | `place_precision` |
//! |---|---|---|---|
//! | 1 | the place itself | 5,000 | exact |
//! | 2 | within about 25 km of it | 25,000 | near |
//! | 3 | the district | 50,000 | district |
//! | 4 | the province | 150,000 | province |
//! | 5 | a line or an area | 100,000 | province |
//! | 6, 7 | the country, or abroad | 600,000 | country |
//!
//! | `date_prec` | meaning | `precision`, `edtf` | `date_precision` |
//! |---|---|---|---|
//! | 1 | the day | day, `1992-09-26` | day |
//! | 2 | two to six days | day, `1992-09-15/1992-09-18` | week |
//! | 3 | the week | week, `1992-09-14/1992-09-20` | week |
//! | 4 | the month | week, `1992-09~` or an interval | month |
//! | 5 | longer | week, `1992-02-01~/1992-09-05~` | year |
//!
//! Dates are local. A local day is taken between the whole-hour zones on either side of the event's longitude, so the
//! interval in UTC surely holds it.
use crate::complaint::Complaint;
use csv::{Reader, ReaderBuilder, StringRecord};
use hamsaya_record::Instant;
use hamsaya_record::statement::{Occurred, Place, Precision};
use std::fmt;
use std::io::Read;

/// The sample that ships, for a demo without the data set: data/README.md says where it comes from.
pub const SAMPLE: &str = include_str!("../../../data/incidents-sample.csv");

/// One event, without anybody's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    /// Its number in the data set: `54936`.
    pub number: String,
    /// `state_based`, `non_state` or `one_sided`, as UCDP names types of violence.
    pub event: &'static str,
    /// When.
    pub occurred_at: Occurred,
    /// `day`, `week`, `month` or `year`.
    pub date_precision: &'static str,
    /// Where.
    pub place: Place,
    /// `exact`, `near`, `district`, `province` or `country`.
    pub place_precision: &'static str,
    /// Deaths: best estimate, lowest, highest.
    pub counts: [i64; 3],
    /// 2 if UCDP calls the event clear, 3 if not.
    pub info_grade: u8,
}

/// A row that is no incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Line in the file, from 1.
    pub line: u64,
    /// What was found and what is allowed.
    pub reason: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

/// The columns that are read; the last may be absent.
const COLUMNS: [&str; 12] = [
    "id",
    "date_start",
    "date_end",
    "date_prec",
    "where_prec",
    "type_of_violence",
    "latitude",
    "longitude",
    "best",
    "low",
    "high",
    "event_clarity",
];

/// Incidents of a file, row by row.
pub struct Rows<R> {
    reader: Reader<R>,
    columns: [Option<usize>; 12],
    record: StringRecord,
}

impl<R: Read> Rows<R> {
    /// Finds the columns in the header.
    pub fn new(input: R) -> Result<Rows<R>, Complaint> {
        let mut reader = ReaderBuilder::new().flexible(true).from_reader(input);
        let header = reader.headers().map_err(|e| Complaint::new(format!("the file is no CSV: {e}")))?;
        let plain = |name: &str| name.trim_start_matches('\u{feff}').trim().to_ascii_lowercase();
        let columns = COLUMNS.map(|name| header.iter().position(|found| plain(found) == name));
        let missing: Vec<&str> = COLUMNS
            .iter()
            .zip(columns)
            .filter(|(n, c)| c.is_none() && **n != "event_clarity")
            .map(|(n, _)| *n)
            .collect();
        if missing.is_empty() {
            return Ok(Rows { reader, columns, record: StringRecord::new() });
        }
        Err(Complaint::new(format!(
            "the header has no column {}, found are {}",
            missing.iter().map(|m| format!("`{m}`")).collect::<Vec<_>>().join(", "),
            header.iter().take(12).collect::<Vec<_>>().join(",")
        ))
        .at("line 1")
        .hint("give a file of the UCDP Georeferenced Event Dataset: the release, or the export for one country"))
    }
}

impl<R: Read> Rows<R> {
    /// Line of the row that was read last.
    pub fn line(&self) -> u64 {
        self.record.position().map_or(0, csv::Position::line)
    }
}

impl<R: Read> Iterator for Rows<R> {
    type Item = Result<Incident, Refused>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.reader.read_record(&mut self.record) {
                Ok(false) => return None,
                // The Humanitarian Data Exchange puts `#event+code,…` under the header.
                Ok(true) if self.record.get(0).is_some_and(|cell| cell.starts_with('#')) => continue,
                Ok(true) => {
                    let line = self.line();
                    let cell = |n: usize| self.columns[n].and_then(|c| self.record.get(c)).unwrap_or("").trim();
                    return Some(incident(cell).map_err(|reason| Refused { line, reason }));
                }
                Err(error) => {
                    let line = error.position().map_or(0, csv::Position::line);
                    return Some(Err(Refused { line, reason: format!("the row is no CSV: {error}") }));
                }
            }
        }
    }
}

/// Reads one row; `cell(n)` is the text under the n-th of [`COLUMNS`].
fn incident<'a>(cell: impl Fn(usize) -> &'a str) -> Result<Incident, String> {
    let whole = |n: usize| whole_number(cell(n)).ok_or(format!("{} `{}` is no whole number", COLUMNS[n], cell(n)));
    let degrees = |n: usize, limit: i64| {
        degrees_e7(cell(n)).filter(|d| d.abs() <= limit * 10_000_000).ok_or(format!(
            "{} `{}` is not within {limit} degrees",
            COLUMNS[n],
            cell(n)
        ))
    };
    let number = whole(0)?;
    let (lat, lon) = (degrees(6, 90)?, degrees(7, 180)?);
    let (precision_m, place_precision) = match whole(4)? {
        1 => (5_000, "exact"),
        2 => (25_000, "near"),
        3 => (50_000, "district"),
        4 => (150_000, "province"),
        5 => (100_000, "province"),
        6 | 7 => (600_000, "country"),
        other => return Err(format!("where_prec `{other}` is not 1 to 7")),
    };
    let event = match whole(5)? {
        1 => "state_based",
        2 => "non_state",
        3 => "one_sided",
        other => return Err(format!("type_of_violence `{other}` is not 1 to 3")),
    };
    let info_grade = match cell(11) {
        "" => 2,
        _ if whole(11)? == 1 => 2,
        _ => 3,
    };
    let counts = [whole(8)?, whole(9)?, whole(10)?];
    if counts.iter().any(|c| *c < 0) {
        return Err(format!("best `{}`, low `{}`, high `{}`: a count is at least 0", cell(8), cell(9), cell(10)));
    }
    Ok(Incident {
        number: number.to_string(),
        event,
        occurred_at: occurred(cell(1), cell(2), whole(3)?, lon)?,
        date_precision: match whole(3)? {
            1 => "day",
            2 | 3 => "week",
            4 => "month",
            _ => "year",
        },
        place: Place { s_e7: lat, w_e7: lon, n_e7: lat, e_e7: lon, precision_m, gazetteer_id: None },
        place_precision,
        counts,
        info_grade,
    })
}

/// From the first to the last local day; see the table above.
fn occurred(start: &str, end: &str, date_prec: i64, lon_e7: i64) -> Result<Occurred, String> {
    let (first, first_date) = day(start).ok_or(format!("date_start `{start}` is no date like `1992-09-15`"))?;
    let (last, last_date) = day(end).ok_or(format!("date_end `{end}` is no date like `1992-09-15`"))?;
    if last < first {
        return Err(format!("date_end `{end}` is before date_start `{start}`"));
    }
    let interval = format!("{first_date}/{last_date}");
    let is_month =
        first_date.ends_with("-01") && first_date[..7] == last_date[..7] && (last.0 - first.0) >= 27 * 86_400;
    let (precision, edtf) = match date_prec {
        1 if first == last => (Precision::Day, first_date),
        1 | 2 => (Precision::Day, interval),
        3 => (Precision::Week, interval),
        4 if is_month => (Precision::Week, format!("{}~", &first_date[..7])),
        4 | 5 => (Precision::Week, format!("{first_date}~/{last_date}~")),
        other => return Err(format!("date_prec `{other}` is not 1 to 5")),
    };
    let zone_west_s = lon_e7.div_euclid(150_000_000) * 3600;
    let from = first.plus(-(zone_west_s + 3600));
    let to = last.plus(86_399 - zone_west_s);
    Ok(Occurred { from, to, precision, edtf: Some(edtf) })
}

/// Midnight UTC of a date, and the date; a time of day after it is dropped (`1992-09-15 00:00:00.000`).
fn day(text: &str) -> Option<(Instant, String)> {
    let date = text.get(..10)?;
    let midnight = format!("{date}T00:00:00Z").parse().ok()?;
    Some((midnight, date.to_string()))
}

/// `50`, `50.0`.
fn whole_number(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    whole.parse().ok().filter(|_| fraction.bytes().all(|b| b == b'0'))
}

/// Degrees times 10^7, cut after the seventh place, by digits: a coordinate keeps the value it was given.
pub fn degrees_e7(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() || whole.len() > 3 || !(whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit())) {
        return None;
    }
    let fraction: String = fraction.chars().chain("0000000".chars()).take(7).collect();
    let value = whole.parse::<i64>().ok()? * 10_000_000 + fraction.parse::<i64>().ok()?;
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_date(start: &str, end: &str, date_prec: i64, expected: &str) {
        let said = match occurred(start, end, date_prec, 710_936_000) {
            Ok(o) => format!("{} {} {:?} {}", o.from, o.to, o.precision, o.edtf.unwrap_or_default()),
            Err(reason) => reason,
        };
        assert_eq!(said, expected);
    }

    #[test]
    fn dates_become_intervals_that_hold_the_local_day() {
        check_date("1992-09-26", "1992-09-26", 1, "1992-09-25T19:00:00Z 1992-09-26T19:59:59Z Day 1992-09-26");
        check_date(
            "1992-09-15 00:00:00.000",
            "1992-09-18 00:00:00.000",
            2,
            "1992-09-14T19:00:00Z 1992-09-18T19:59:59Z Day 1992-09-15/1992-09-18",
        );
        check_date("1992-02-01", "1992-02-29", 4, "1992-01-31T19:00:00Z 1992-02-29T19:59:59Z Week 1992-02~");
        check_date(
            "1992-02-03",
            "1992-02-20",
            4,
            "1992-02-02T19:00:00Z 1992-02-20T19:59:59Z Week 1992-02-03~/1992-02-20~",
        );
        check_date("1992-02-30", "1992-03-01", 1, "date_start `1992-02-30` is no date like `1992-09-15`");
        check_date("1992-03-02", "1992-03-01", 2, "date_end `1992-03-01` is before date_start `1992-03-02`");
        check_date("1992-03-01", "1992-03-01", 9, "date_prec `9` is not 1 to 5");
    }

    #[test]
    fn coordinates_keep_their_digits() {
        for (text, value) in [
            ("33.710172", Some(337_101_720)),
            ("-0.5", Some(-5_000_000)),
            ("70", Some(700_000_000)),
            ("34.12345678", Some(341_234_567)),
            ("", None),
            ("1e2", None),
            ("north", None),
            ("34.1.2", None),
        ] {
            assert_eq!(degrees_e7(text), value, "{text}");
        }
    }

    #[test]
    fn a_header_without_coordinates_is_no_header() {
        let Err(complaint) = Rows::new("id,date_start,date_end,date_prec,where_prec,best,high,low\n".as_bytes()) else {
            panic!("accepted");
        };
        let text = complaint.to_string();
        assert!(
            text.starts_with("error: the header has no column `type_of_violence`, `latitude`, `longitude`"),
            "{text}"
        );
    }

    /// The header of the yearly release.
    const RELEASE: &str = "id,relid,year,active_year,code_status,type_of_violence,conflict_dset_id,conflict_new_id,\
        conflict_name,dyad_dset_id,dyad_new_id,dyad_name,side_a_dset_id,side_a_new_id,side_a,side_b_dset_id,side_b_new_id,\
        side_b,number_of_sources,source_article,source_office,source_date,source_headline,source_original,where_prec,\
        where_coordinates,where_description,adm_1,adm_2,latitude,longitude,geom_wkt,priogrid_gid,country,country_id,\
        region,event_clarity,date_prec,date_start,date_end,deaths_a,deaths_b,deaths_civilians,deaths_unknown,best,high,\
        low,gwnoa,gwnob";

    /// A row of made-up values under a header, by column.
    fn row(header: &str, values: &[(&str, &str)]) -> String {
        let find = |column: &str| values.iter().find(|(c, _)| *c == column).map_or("x", |(_, v)| v);
        header.split(',').map(find).collect::<Vec<_>>().join(",")
    }

    const VALUES: [(&str, &str); 12] = [
        ("id", "54936"),
        ("date_start", "1992-09-15 00:00:00.000"),
        ("date_end", "1992-09-18 00:00:00.000"),
        ("date_prec", "2"),
        ("where_prec", "3"),
        ("type_of_violence", "2"),
        ("latitude", "33.710172"),
        ("longitude", "70.340096"),
        ("best", "50"),
        ("low", "40"),
        ("high", "60"),
        ("event_clarity", "1"),
    ];

    #[track_caller]
    fn check_form(text: &str) {
        let read: Vec<_> = Rows::new(text.as_bytes()).unwrap().collect();
        let incident = read[0].as_ref().unwrap();
        assert_eq!(read.len(), 1);
        assert_eq!((incident.number.as_str(), incident.event, incident.counts), ("54936", "non_state", [50, 40, 60]));
        assert_eq!((incident.place.s_e7, incident.place.w_e7), (337_101_720, 703_400_960));
        assert_eq!((incident.place_precision, incident.date_precision, incident.info_grade), ("district", "week", 2));
    }

    #[test]
    fn the_release_has_49_columns() {
        assert_eq!(RELEASE.split(',').count(), 49);
        check_form(&format!("{RELEASE}\n{}\n", row(RELEASE, &VALUES)));
    }

    #[test]
    fn the_export_for_one_country_has_tags_under_its_header() {
        let header = RELEASE.replace("gwnoa,gwnob", "gwnoa");
        let tags = header.split(',').map(|c| format!("#{c}")).collect::<Vec<_>>().join(",");
        check_form(&format!("\u{feff}{header}\r\n{tags}\r\n{}\r\n", row(&header, &VALUES)));
    }

    #[test]
    fn an_extract_may_write_whole_numbers_with_a_point() {
        let header = "id,relid,date_start,date_end,date_prec,where_prec,event_clarity,type_of_violence,side_a,latitude,\
            longitude,best,high,low";
        let values = VALUES.map(|(c, v)| match c {
            "date_start" | "date_end" => (c, v.split(' ').next().unwrap().to_string()),
            "latitude" | "longitude" => (c, v.to_string()),
            _ => (c, format!("{v}.0")),
        });
        let values: Vec<(&str, &str)> = values.iter().map(|(c, v)| (*c, v.as_str())).collect();
        check_form(&format!("{header}\n{}\n", row(header, &values)));
    }

    #[test]
    fn a_row_is_refused_with_its_line_and_reason() {
        let header = "id,date_start,date_end,date_prec,where_prec,type_of_violence,latitude,longitude,best,low,high";
        let rows = "7,1992-09-15,1992-09-15,1,1,4,33,70,1,1,1\n8,1992-09-15,1992-09-15,1,1,1,93,70,1,1,1\n";
        let said: Vec<String> = Rows::new(format!("{header}\n{rows}").as_bytes())
            .unwrap()
            .map(|r| r.map_or_else(|refused| refused.to_string(), |_| "accepted".into()))
            .collect();
        assert_eq!(
            said,
            ["line 2: type_of_violence `4` is not 1 to 3", "line 3: latitude `93` is not within 90 degrees"]
        );
    }

    #[test]
    fn the_sample_that_ships_reads() {
        assert_eq!(Rows::new(SAMPLE.as_bytes()).unwrap().filter(Result::is_ok).count(), SAMPLE.lines().count() - 1);
    }

    /// Third-party data that is not part of the project: read where it is at hand.
    #[test]
    fn every_event_of_the_border_zone_reads() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
        let path = root.join("shared/data/forecast/ucdp_ged_border_zone_1992_2017.csv");
        let Ok(file) = std::fs::File::open(&path) else {
            println!("skipped: {} is not there", path.display());
            return;
        };
        let read: Vec<_> = Rows::new(std::io::BufReader::new(file)).unwrap().collect();
        assert_eq!(read.iter().filter(|r| r.is_ok()).count(), 5_022, "{:?}", read.iter().find(|r| r.is_err()));
    }
}
