//! The grid on which places are shown that a marking lets nobody see as they were stated.
//!
//! ```text
//! TLP:AMBER, 1 km     34.1234567 N 71.0987654 E   ──►   34.12 N 71.1 E      a grid of 0.01 by 0.02 degrees
//! ```
//! No cell is narrower than the marking allows, at any latitude: meridians come closer towards the poles, so a cell is as many
//! times wider there, in degrees, as it takes. How many is told by the latitude that is shown, never by the one that was
//! stated. In integers, so that a place is shown the same on every machine.
use hamsaya_agreement::distance::parallel_nm;
use hamsaya_record::statement::Place;

/// All the way round, in 1e-7 degree.
const TURN_E7: i64 = 3_600_000_000;
/// Farthest from the equator, and from Greenwich.
const LAT_E7_MAX: i64 = TURN_E7 / 4;
const LON_E7_MAX: i64 = TURN_E7 / 2;

/// A place on a grid of so many metres; 0: as it was stated. Its precision and its name are left.
pub(crate) fn on_grid(place: &Place, finest_m: i64) -> Place {
    if finest_m <= 0 {
        return place.clone();
    }
    // 100 m are a thousandth of a degree of latitude, and a little less.
    let north_e7 = (finest_m * 100).min(TURN_E7);
    let (s_e7, n_e7) = stretch(place.s_e7, place.n_e7, north_e7, LAT_E7_MAX);
    // A cell is narrowest at its edge towards the pole.
    let edge_e7 = s_e7.abs().max(n_e7.abs()) + north_e7;
    let (w_e7, e_e7) = stretch(place.w_e7, place.e_e7, east_e7(north_e7, finest_m, edge_e7), LON_E7_MAX);
    Place { s_e7, w_e7, n_e7, e_e7, ..place.clone() }
}

/// How far apart the grid's meridians are: the fewest steps of its parallels that are wide enough at this latitude.
fn east_e7(north_e7: i64, finest_m: i64, lat_e7: i64) -> i64 {
    let wanted_nm = i128::from(finest_m) * 1_000_000_000;
    let step_nm = parallel_nm(north_e7, lat_e7).max(1);
    let steps = i64::try_from((wanted_nm + step_nm - 1) / step_nm).unwrap_or(i64::MAX);
    north_e7.saturating_mul(steps).min(TURN_E7)
}

/// A stretch between two coordinates: of a point the nearest line, of a stretch the lines around it, so that it is never
/// narrower than the grid.
fn stretch(low: i64, high: i64, step: i64, most: i64) -> (i64, i64) {
    if low == high {
        // The last cell before the end takes what is left beyond it.
        let last = (most - step / 2).max(0) / step * step;
        let nearest = ((low + step / 2).div_euclid(step) * step).clamp(-last, last);
        return (nearest, nearest);
    }
    let (low, high) = (low.div_euclid(step) * step, (high + step - 1).div_euclid(step) * step);
    (low.max(-most), high.min(most))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn point(lat_e7: i64, lon_e7: i64) -> Place {
        Place { s_e7: lat_e7, w_e7: lon_e7, n_e7: lat_e7, e_e7: lon_e7, precision_m: 10, gazetteer_id: None }
    }

    fn shown(lat_e7: i64, lon_e7: i64, finest_m: i64) -> (i64, i64) {
        let place = on_grid(&point(lat_e7, lon_e7), finest_m);
        assert_eq!((place.s_e7, place.w_e7), (place.n_e7, place.e_e7));
        (place.s_e7, place.w_e7)
    }

    #[test]
    fn places_by_latitude() {
        let check = |(lat, lon): (i64, i64), finest_m: i64, expected: (i64, i64)| {
            assert_eq!(shown(lat, lon, finest_m), expected, "{lat} {lon} {finest_m}");
        };
        let torkham = (341_234_567, 710_987_654);
        check(torkham, 0, torkham);
        check(torkham, 100, (341_230_000, 710_980_000));
        check(torkham, 1_000, (341_200_000, 711_000_000));
        check(torkham, 5_000, (341_000_000, 711_000_000));
        check((-1, -1), 1_000, (0, 0));
        // At a pole every meridian is the same.
        check((900_000_000, 710_987_654), 1_000, (899_900_000, 0));
        check((-900_000_000, -1_800_000_000), 100, (-899_990_000, 0));
        let wide = Place { s_e7: 341_234_567, w_e7: 710_987_654, n_e7: 341_234_568, e_e7: 710_987_654, ..point(0, 0) };
        let wide = on_grid(&wide, 1_000);
        assert_eq!((wide.s_e7, wide.n_e7, wide.w_e7, wide.e_e7), (341_200_000, 341_300_000, 711_000_000, 711_000_000));
    }

    /// Metres between two points of one parallel, and of one meridian.
    fn metres(lat_e7: i64, from_e7: i64, to_e7: i64) -> (f64, f64) {
        let degrees = (to_e7 - from_e7).abs() as f64 * 1e-7;
        let north = degrees.to_radians() * 6_371_009.0;
        (north * (lat_e7 as f64 * 1e-7).to_radians().cos(), north)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]
        /// Whoever is shown a line of the grid cannot tell apart what is less than a marking's metres around it: the edges of
        /// its cell, found by bisection, are as far from each other.
        #[test]
        fn no_cell_is_narrower_than_the_marking_allows(
            lat_e7 in -899_000_000i64..=899_000_000,
            lon_e7 in -1_800_000_000i64..=1_800_000_000,
            finest_m in prop::sample::select(vec![100i64, 1_000, 5_000]),
        ) {
            let (lat, lon) = shown(lat_e7, lon_e7, finest_m);
            // The first coordinate, towards an end, that is shown elsewhere.
            let edge = |from: i64, to: i64, same: &dyn Fn(i64) -> bool| {
                let (mut inside, mut outside) = (from, to);
                if same(to) {
                    return to;
                }
                while (outside - inside).abs() > 1 {
                    let middle = inside + (outside - inside) / 2;
                    match same(middle) {
                        true => inside = middle,
                        false => outside = middle,
                    }
                }
                inside
            };
            let same_lon = |lon_e7: i64| shown(lat_e7, lon_e7, finest_m).1 == lon;
            let (west, east) = (edge(lon_e7, -LON_E7_MAX, &same_lon), edge(lon_e7, LON_E7_MAX, &same_lon));
            let same_lat = |lat_e7: i64| shown(lat_e7, lon_e7, finest_m).0 == lat;
            let (south, north) = (edge(lat_e7, -LAT_E7_MAX, &same_lat), edge(lat_e7, LAT_E7_MAX, &same_lat));
            // An edge is known to 1e-7 degree on either side.
            let (across, _) = metres(lat_e7, west - 1, east + 1);
            let (_, along) = metres(0, south - 1, north + 1);
            let whole_circle = east - west == TURN_E7;
            prop_assert!(across >= finest_m as f64 || whole_circle, "{across} m across at {lat_e7}");
            prop_assert!(along >= finest_m as f64, "{along} m along");
            // Nor is it much wider, or a map would show nothing; the last cell before the end has what is left beyond it, too.
            let is_last = lon_e7.abs() > 1_780_000_000;
            let most = if is_last { 4.6 } else { 2.3 } * finest_m as f64;
            prop_assert!(across <= most || lat_e7.abs() > 850_000_000 || whole_circle, "{across} m across at {lat_e7}");
        }
    }
}
