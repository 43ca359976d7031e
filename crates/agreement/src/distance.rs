//! How far apart two places are, in whole metres, the same on every machine.
//!
//! ```text
//! 34.1217000 N 71.0936000 E  to  34.1300000 N 71.0936000 E   922 m
//! ```
//!
//! Equirectangular on a sphere of 6,371,009 m, in integers only: the mean latitude is truncated to 0.01 degree; north is
//! the difference of latitude in 1e-7 degrees times 11,119,508 nanometres, east likewise times the cosine of that latitude
//! in 1e-9; the distance is the floor of the integer square root. Near enough at the distances that an agreement speaks
//! of; it is a rule of reading, not geodesy. A box counts by its nearest point.
use hamsaya_record::statement::Place;
use std::sync::LazyLock;

/// Nanometres of 1e-7 degree along a meridian.
const NM_PER_E7: i128 = 11_119_508;

/// cos(n / 100 degrees) in 1e-9, rounded to nearest, for n from 0 to 9,000.
static COSINE_E9: LazyLock<Vec<i64>> = LazyLock::new(|| (0..=9_000).map(cosine_e9).collect());

/// The table's generator: the Taylor series in integers of 1e-18, summed until a term is 0.
fn cosine_e9(hundredths: i64) -> i64 {
    const ONE: i128 = 1_000_000_000_000_000_000;
    const PI: i128 = 3_141_592_653_589_793_238;
    let x = PI * i128::from(hundredths) / 18_000;
    let square = x * x / ONE;
    let (mut term, mut sum, mut n) = (ONE, 0i128, 0i128);
    while term != 0 {
        sum += term;
        term = -(term * square / ONE) / ((n + 1) * (n + 2));
        n += 2;
    }
    ((sum + 500_000_000).div_euclid(1_000_000_000)) as i64
}

/// Nearest pair of coordinates of two ranges on one axis.
fn nearest(a: (i64, i64), b: (i64, i64)) -> (i64, i64) {
    if a.1 < b.0 {
        (a.1, b.0)
    } else if b.1 < a.0 {
        (a.0, b.1)
    } else {
        let both = a.0.max(b.0);
        (both, both)
    }
}

/// Metres between the nearest points of two places, whatever their precision.
pub fn distance_m(a: &Place, b: &Place) -> i64 {
    // The record refuses a latitude beyond a pole; clamping keeps the arithmetic total all the same.
    let pole = |lat_e7: i64| lat_e7.clamp(-900_000_000, 900_000_000);
    let (lat_a, lat_b) = nearest((pole(a.s_e7), pole(a.n_e7)), (pole(b.s_e7), pole(b.n_e7)));
    let (lon_a, lon_b) = nearest((a.w_e7, a.e_e7), (b.w_e7, b.e_e7));
    let mean = i64::try_from((i128::from(lat_a) + i128::from(lat_b)) / 2).unwrap_or(0);
    let (north, east) = (north_nm(lat_a, lat_b), east_nm(lon_a, lon_b, mean));
    let nm = (north * north + east * east).unsigned_abs().isqrt();
    i64::try_from(nm / 1_000_000_000).unwrap_or(i64::MAX)
}

/// Nanometres by which one latitude lies north of another.
pub(crate) fn north_nm(lat_e7: i64, of_e7: i64) -> i128 {
    (i128::from(lat_e7) - i128::from(of_e7)) * NM_PER_E7
}

/// Nanometres by which one longitude lies east of another, the shorter way round, at a latitude.
pub(crate) fn east_nm(lon_e7: i64, of_e7: i64, lat_e7: i64) -> i128 {
    let turn = 3_600_000_000i128;
    let apart = (i128::from(lon_e7) - i128::from(of_e7)).rem_euclid(turn);
    let east_e7 = if apart > turn / 2 { apart - turn } else { apart };
    let hundredths = (lat_e7 / 100_000).unsigned_abs().min(9_000) as usize;
    east_e7 * NM_PER_E7 * i128::from(COSINE_E9[hundredths]) / 1_000_000_000
}

/// Nanometres of a stretch along the parallel at a latitude, which is taken to the next 0.01 degree towards the pole: it is
/// at least so long.
pub fn parallel_nm(stretch_e7: i64, lat_e7: i64) -> i128 {
    let hundredths = (lat_e7.unsigned_abs() / 100_000 + 1).min(9_000) as usize;
    i128::from(stretch_e7) * NM_PER_E7 * i128::from(COSINE_E9[hundredths].max(0)) / 1_000_000_000
}

/// Whether two places may be one: they are no farther apart than both precisions together.
pub fn overlap(a: &Place, b: &Place) -> bool {
    distance_m(a, b) <= a.precision_m.saturating_add(b.precision_m)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    fn point(lat_e7: i64, lon_e7: i64, precision_m: i64) -> Place {
        Place { s_e7: lat_e7, w_e7: lon_e7, n_e7: lat_e7, e_e7: lon_e7, precision_m, gazetteer_id: None }
    }

    /// Made once by this generator and, apart from it, by Python's `decimal` at 50 digits.
    #[test]
    fn cosine_table_is_pinned() {
        assert_eq!(
            (COSINE_E9.len(), COSINE_E9[0], COSINE_E9[3_412], COSINE_E9[6_000], COSINE_E9[9_000]),
            (9_001, 1_000_000_000, 827_864_584, 500_000_000, 0)
        );
        let lines: String = COSINE_E9.iter().map(|c| format!("{c}\n")).collect();
        let hash: String = Sha256::digest(lines.as_bytes()).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hash, "8a5013ecbbc61a1d2c6eb71e95b1582b676c39fe98837e191078aec6988e38ac");
    }

    #[test]
    fn distances() {
        let torkham = point(341_217_000, 710_936_000, 300);
        for (other, expected) in [
            (torkham.clone(), 0),
            (point(341_300_000, 710_936_000, 0), 922),
            (point(341_217_000, 711_036_000, 0), 920),
            (point(309_217_000, 664_514_000, 500), 0),
            (point(-341_217_000, 710_936_000, 0), 7_588_330),
        ] {
            let found = distance_m(&torkham, &other);
            assert_eq!(found, distance_m(&other, &torkham), "the way back is as long");
            if expected > 0 || other == torkham {
                assert_eq!(found, expected, "{other:?}");
            }
        }
    }

    #[test]
    fn a_box_counts_by_its_nearest_point() {
        let sector = Place {
            s_e7: 340_000_000,
            w_e7: 710_000_000,
            n_e7: 342_000_000,
            e_e7: 712_000_000,
            precision_m: 0,
            gazetteer_id: None,
        };
        assert_eq!(distance_m(&sector, &point(341_000_000, 711_000_000, 0)), 0, "inside");
        assert_eq!(distance_m(&sector, &point(342_010_000, 711_000_000, 0)), 111, "north of its edge");
        assert!(overlap(&sector, &point(342_010_000, 711_000_000, 111)));
        assert!(!overlap(&sector, &point(342_010_000, 711_000_000, 110)));
    }

    #[test]
    fn across_the_antimeridian() {
        assert_eq!(distance_m(&point(0, 1_799_995_000, 0), &point(0, -1_799_995_000, 0)), 111);
    }

    #[test]
    fn extremes_do_not_overflow() {
        let far = point(i64::MAX, i64::MIN, i64::MAX);
        assert!(overlap(&far, &point(i64::MIN, i64::MAX, i64::MAX)) || distance_m(&far, &point(0, 0, 0)) > 0);
    }
}
