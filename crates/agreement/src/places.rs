//! Places that the annexes name, and how far a statement's place is from them.
//!
//! ```text
//! distance_m(p, line)       to the nearest point of the lines of agreement.toml
//! distance_m(p, crossing)   to the nearest row of the annex table `crossing` that has lat_e7 and lon_e7
//! extent_m(p)               from corner to corner of the place as it may be
//! ```
//!
//! A place counts by its nearest possible point: a box by its edge, and its precision is taken off. The annexed geometry
//! counts as it is drawn. Integers only, on the plane of [`crate::distance`] at the place's own latitude, in millimetres,
//! so that every machine finds the same metre.
use crate::distance::{self, east_nm, north_nm};
use crate::source::Diagnostic;
use hamsaya_record::statement::Place;
use serde_json::Value;

/// The name under which rules measure to the agreement's lines.
pub(crate) const LINE: &str = "line";

/// Degrees in 1e-7: latitude, longitude.
type Point = (i64, i64);

/// What one name stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Named {
    points: Vec<Point>,
    lines: Vec<Vec<Point>>,
}

impl Named {
    pub(crate) fn is_empty(&self) -> bool {
        self.points.is_empty() && self.lines.is_empty()
    }

    /// Some point of it, in degrees of 1e-7.
    pub(crate) fn first_point(&self) -> Option<(i64, i64)> {
        self.lines.iter().flatten().chain(&self.points).next().copied()
    }

    pub(crate) fn add_point(&mut self, lat_e7: i64, lon_e7: i64) {
        self.points.push((lat_e7, lon_e7));
    }

    /// Whole metres from a place to the nearest of what is named here.
    pub(crate) fn distance_m(&self, from: &Place) -> i64 {
        let segments = self.lines.iter().flat_map(|line| line.windows(2).map(|w| (w[0], w[1])));
        let all = segments.chain(self.points.iter().map(|p| (*p, *p)));
        let nearest = all.map(|(a, b)| to_segment_m(from, a, b)).min().unwrap_or(i64::MAX);
        nearest.saturating_sub(from.precision_m).max(0)
    }

    /// Adds the lines of a GeoJSON file.
    pub(crate) fn add_lines(&mut self, file: &str, bytes: &[u8], problems: &mut Vec<Diagnostic>) {
        let mut problem = |message: String| {
            let hint = "a line is a LineString or MultiLineString in degrees of WGS 84, at most 7 decimals";
            problems.push(Diagnostic { file: file.into(), line: 1, column: 1, message, hint: Some(hint.into()) });
        };
        let value: Value = match serde_json::from_slice(bytes) {
            Ok(value) => value,
            Err(e) => return problem(format!("found no GeoJSON: {e}")),
        };
        let features = value.get("features").and_then(Value::as_array).cloned().unwrap_or(vec![value]);
        for feature in &features {
            let geometry = feature.get("geometry").unwrap_or(feature);
            let coordinates = geometry.get("coordinates").and_then(Value::as_array);
            let kind = geometry.get("type").and_then(Value::as_str).unwrap_or("nothing");
            let lines: Vec<&Value> = match (kind, coordinates) {
                ("LineString", Some(_)) => geometry.get("coordinates").into_iter().collect(),
                ("MultiLineString", Some(all)) => all.iter().collect(),
                _ => {
                    problem(format!("found a geometry `{kind}`"));
                    continue;
                }
            };
            for line in lines {
                let points: Option<Vec<Point>> = line.as_array().into_iter().flatten().map(point).collect();
                match points.filter(|p| p.len() > 1) {
                    Some(points) => self.lines.push(points),
                    None => problem("found a line that is no list of positions".into()),
                }
            }
        }
    }
}

/// `[longitude, latitude]`, exactly.
fn point(position: &Value) -> Option<Point> {
    let degrees = |n: usize, most: i64| {
        let number = position.get(n)?.as_number()?.to_string();
        e7(&number).filter(|d| d.abs() <= most * 10_000_000)
    };
    Some((degrees(1, 90)?, degrees(0, 180)?))
}

/// Decimal degrees, exactly, in 1e-7.
pub(crate) fn e7(text: &str) -> Option<i64> {
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |t| (-1, t));
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(decimals) || whole.len() > 3 || decimals.len() > 7 {
        return None;
    }
    let number: i64 = format!("{whole}{decimals:0<7}").parse().ok()?;
    Some(sign * number)
}

/// How wide a place may be, corner to corner, in whole metres.
pub(crate) fn extent_m(place: &Place) -> i64 {
    let corner = |lat_e7: i64, lon_e7: i64| Place {
        s_e7: lat_e7,
        n_e7: lat_e7,
        w_e7: lon_e7,
        e_e7: lon_e7,
        precision_m: 0,
        gazetteer_id: None,
    };
    let across = distance::distance_m(&corner(place.s_e7, place.w_e7), &corner(place.n_e7, place.e_e7));
    across.saturating_add(place.precision_m.saturating_mul(2))
}

/// A place as rules see it: two statements of one place are equal.
pub(crate) fn text(place: &Place) -> String {
    let degrees = |d: i64| {
        let sign = if d < 0 { "-" } else { "" };
        format!("{sign}{}.{:07}", d.unsigned_abs() / 10_000_000, d.unsigned_abs() % 10_000_000)
    };
    let south_west = format!("{},{}", degrees(place.s_e7), degrees(place.w_e7));
    if (place.s_e7, place.w_e7) == (place.n_e7, place.e_e7) {
        return format!("{south_west} +- {} m", place.precision_m);
    }
    format!("{south_west}..{},{} +- {} m", degrees(place.n_e7), degrees(place.e_e7), place.precision_m)
}

/// Millimetres north and east of the place's south-west corner.
type Flat = (i128, i128);

fn to_segment_m(from: &Place, a: Point, b: Point) -> i64 {
    // The record refuses a latitude beyond a pole; clamping keeps the arithmetic total all the same.
    let pole = |lat_e7: i64| lat_e7.clamp(-900_000_000, 900_000_000);
    let (south, north) = (pole(from.s_e7), pole(from.n_e7));
    let flat = |(lat, lon): Point| -> Flat {
        (north_nm(pole(lat), south) / 1_000_000, east_nm(lon, from.w_e7, (south + north) / 2) / 1_000_000)
    };
    let (a, b) = (flat(a), flat(b));
    let high = flat((north, from.e_e7));
    let high = (high.0.max(0), high.1.max(0));
    let corners = [(0, 0), (0, high.1), high, (high.0, 0)];
    let inside = |p: Flat| (0..=high.0).contains(&p.0) && (0..=high.1).contains(&p.1);
    let edges = || (0..4).map(|i| (corners[i], corners[(i + 1) % 4]));
    if inside(a) || inside(b) || edges().any(|(c, d)| cross(a, b, c, d)) {
        return 0;
    }
    let to_segment = corners.iter().map(|c| square_to_segment(*c, a, b));
    let to_box = [a, b].map(|p| {
        let beyond = |x: i128, most: i128| x - x.clamp(0, most);
        let (north, east) = (beyond(p.0, high.0), beyond(p.1, high.1));
        north * north + east * east
    });
    let square = to_segment.chain(to_box).min().unwrap_or(0);
    i64::try_from(square.unsigned_abs().isqrt() / 1_000).unwrap_or(i64::MAX)
}

fn square_to_segment(p: Flat, a: Flat, b: Flat) -> i128 {
    let (d, e) = ((b.0 - a.0, b.1 - a.1), (p.0 - a.0, p.1 - a.1));
    let length = d.0 * d.0 + d.1 * d.1;
    let along = if length == 0 { 0 } else { (d.0 * e.0 + d.1 * e.1).clamp(0, length) };
    let foot = if length == 0 { (0, 0) } else { (d.0 * along / length, d.1 * along / length) };
    let (north, east) = (e.0 - foot.0, e.1 - foot.1);
    north * north + east * east
}

/// Whether two segments cross; where they only touch, an end of one is measured anyway.
fn cross(a: Flat, b: Flat, c: Flat, d: Flat) -> bool {
    let side = |p: Flat, q: Flat, r: Flat| ((q.0 - p.0) * (r.1 - p.1) - (q.1 - p.1) * (r.0 - p.0)).signum();
    side(a, b, c) * side(a, b, d) < 0 && side(c, d, a) * side(c, d, b) < 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(s: i64, w: i64, n: i64, e: i64, precision_m: i64) -> Place {
        Place { s_e7: s, w_e7: w, n_e7: n, e_e7: e, precision_m, gazetteer_id: None }
    }

    fn named(json: &str) -> Result<Named, String> {
        let (mut named, mut problems) = (Named::default(), Vec::new());
        named.add_lines("lines.geojson", json.as_bytes(), &mut problems);
        match problems.first() {
            Some(p) => Err(p.message.clone()),
            None => Ok(named),
        }
    }

    /// A degree of latitude is 111,195.08 m here; at 60 degrees north one of longitude is half as long.
    #[test]
    fn to_a_line() {
        let line = named(r#"{"type":"LineString","coordinates":[[10.0,60.0],[12.0,60.0]]}"#).unwrap_or_default();
        for (p, expected) in [
            (place(600_000_000, 110_000_000, 600_000_000, 110_000_000, 0), 0),
            (place(600_100_000, 110_000_000, 600_100_000, 110_000_000, 0), 1_111),
            (place(600_100_000, 110_000_000, 600_100_000, 110_000_000, 111), 1_000),
            (place(600_100_000, 110_000_000, 600_100_000, 110_000_000, 5_000), 0),
            // West of its end, at the same latitude: 0.02 degrees of longitude.
            (place(600_000_000, 99_800_000, 600_000_000, 99_800_000, 0), 1_111),
            // A box that lies across it, and one that stands north of it.
            (place(599_000_000, 110_000_000, 601_000_000, 111_000_000, 0), 0),
            (place(600_100_000, 110_000_000, 601_000_000, 111_000_000, 0), 1_111),
        ] {
            assert_eq!(line.distance_m(&p), expected, "{}", text(&p));
        }
    }

    #[test]
    fn to_points() {
        let mut crossing = Named::default();
        assert!(crossing.is_empty());
        crossing.add_point(341_217_000, 710_936_000);
        crossing.add_point(309_217_000, 664_514_000);
        assert_eq!(crossing.distance_m(&place(341_300_000, 710_936_000, 341_300_000, 710_936_000, 0)), 922);
    }

    #[test]
    fn extents() {
        assert_eq!(extent_m(&place(341_217_000, 710_936_000, 341_217_000, 710_936_000, 300)), 600);
        assert_eq!(extent_m(&place(341_217_000, 710_936_000, 341_300_000, 710_936_000, 0)), 922);
    }

    #[test]
    fn what_is_no_line() {
        for (json, found) in [
            ("{", "found no GeoJSON: EOF while parsing an object at line 1 column 1"),
            (r#"{"type":"Point","coordinates":[1,2]}"#, "found a geometry `Point`"),
            (r#"{"type":"LineString","coordinates":[[1,2]]}"#, "found a line that is no list of positions"),
            (
                r#"{"type":"LineString","coordinates":[[1,2],[1.12345678,2]]}"#,
                "found a line that is no list of positions",
            ),
            (r#"{"type":"LineString","coordinates":[[1,2],[1,95]]}"#, "found a line that is no list of positions"),
        ] {
            assert_eq!(named(json).err().as_deref(), Some(found));
        }
    }

    #[test]
    fn extremes_do_not_overflow() {
        let mut far = Named::default();
        far.add_point(-900_000_000, -1_800_000_000);
        assert!(far.distance_m(&place(i64::MIN, i64::MIN, i64::MAX, i64::MAX, 0)) >= 0);
        assert!(far.distance_m(&place(900_000_000, 1_800_000_000, 900_000_000, 1_800_000_000, i64::MAX)) == 0);
    }
}
