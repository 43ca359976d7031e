//! Exact fractions, for decimals and averages.
//!
//! `2.50` is 5/2; a third is 1/3 until it is printed, with six significant digits as C's `%g` would.
use std::cmp::Ordering;
use std::fmt;

/// A fraction in lowest terms. Whole numbers beyond `i64` are fractions over 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ratio {
    over: i128,
    under: i128,
}

fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

impl Ratio {
    /// `over / under` in lowest terms; `None` if `under` is zero or does not fit.
    pub fn new(over: i128, under: i128) -> Option<Ratio> {
        if under == 0 {
            return None;
        }
        if under == 1 {
            return Some(Ratio { over, under });
        }
        let common = i128::try_from(gcd(over.unsigned_abs(), under.unsigned_abs())).ok()?;
        let (over, under) = (over.checked_div(common)?, under.checked_div(common)?);
        if under < 0 {
            return Some(Ratio { over: over.checked_neg()?, under: under.checked_neg()? });
        }
        Some(Ratio { over, under })
    }
    /// A whole number.
    pub fn whole(number: i128) -> Ratio {
        Ratio { over: number, under: 1 }
    }
    /// Numerator; it has the sign.
    pub fn over(&self) -> i128 {
        self.over
    }
    /// Denominator, at least 1.
    pub fn under(&self) -> i128 {
        self.under
    }
    /// The sum; `None` if it does not fit.
    pub fn plus(self, other: Ratio) -> Option<Ratio> {
        if (self.under, other.under) == (1, 1) {
            return self.over.checked_add(other.over).map(Ratio::whole);
        }
        let left = self.over.checked_mul(other.under)?;
        Ratio::new(left.checked_add(other.over.checked_mul(self.under)?)?, self.under.checked_mul(other.under)?)
    }
    /// The difference; `None` if it does not fit.
    pub fn minus(self, other: Ratio) -> Option<Ratio> {
        self.plus(Ratio { over: other.over.checked_neg()?, under: other.under })
    }
    /// The product; `None` if it does not fit.
    pub fn times(self, other: Ratio) -> Option<Ratio> {
        Ratio::new(self.over.checked_mul(other.over)?, self.under.checked_mul(other.under)?)
    }
    /// The quotient; `None` if `other` is zero or it does not fit.
    pub fn divide(self, other: Ratio) -> Option<Ratio> {
        Ratio::new(self.over.checked_mul(other.under)?, self.under.checked_mul(other.over)?)
    }
    /// Without its fraction.
    pub fn truncated(self) -> i128 {
        self.over / self.under
    }
    /// Reads `-12.50`, `3` or `2e3` exactly; `None` if it is no decimal or does not fit.
    pub fn parse(text: &str) -> Option<Ratio> {
        let (text, exponent) = match text.split_once(['e', 'E']) {
            Some((head, tail)) => (head, tail.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() && fraction.is_empty() || !digits(whole) || !digits(fraction) {
            return None;
        }
        let number = format!("{}{whole}{fraction}", if negative { "-" } else { "" }).parse::<i128>().ok()?;
        let exponent = exponent.checked_sub(i32::try_from(fraction.len()).ok()?)?;
        let power = 10i128.checked_pow(exponent.unsigned_abs())?;
        if exponent < 0 { Ratio::new(number, power) } else { Ratio::new(number.checked_mul(power)?, 1) }
    }
}

impl Ord for Ratio {
    fn cmp(&self, other: &Ratio) -> Ordering {
        // As continued fractions, so that nothing overflows.
        let (mut a, mut b, mut turned) = (*self, *other, false);
        loop {
            let (whole_a, whole_b) = (a.over.div_euclid(a.under), b.over.div_euclid(b.under));
            let (rest_a, rest_b) = (a.over.rem_euclid(a.under), b.over.rem_euclid(b.under));
            let order = whole_a.cmp(&whole_b).then_with(|| (rest_a != 0).cmp(&(rest_b != 0)));
            let order = if turned { order.reverse() } else { order };
            if order != Ordering::Equal || rest_a == 0 {
                return order;
            }
            (a, b) = (Ratio { over: a.under, under: rest_a }, Ratio { over: b.under, under: rest_b });
            turned = !turned;
        }
    }
}

impl PartialOrd for Ratio {
    fn partial_cmp(&self, other: &Ratio) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Six significant digits, rounded half to even, as C's `%g` prints the nearest double (exact halves apart, the same).
impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: i32 = 6;
        if self.over == 0 {
            return f.write_str("0");
        }
        let (over, under) = (self.over.unsigned_abs(), self.under.unsigned_abs());
        // The decimal exponent, then the digits by long division.
        let mut digits: Vec<u8> = (over / under).to_string().bytes().map(|b| b - b'0').collect();
        let mut exponent = i32::try_from(digits.len()).unwrap_or(0) - 1;
        let mut rest = over % under;
        if digits == [0] {
            digits.clear();
        }
        let wanted = DIGITS as usize;
        while digits.len() <= wanted && rest != 0 {
            // A remainder so large that ten of it do not fit is halved with its divisor: beyond all printed digits.
            let (digit, left) = match rest.checked_mul(10) {
                Some(ten) => (ten / under, ten % under),
                None => ((rest / 16 * 10) / (under / 16).max(1), 0),
            };
            rest = left;
            if digits.is_empty() {
                exponent -= 1;
            }
            if !digits.is_empty() || digit != 0 {
                digits.push(u8::try_from(digit.min(9)).unwrap_or(9));
            }
        }
        if digits.len() > wanted {
            let tail = digits.split_off(wanted);
            let beyond = rest != 0 || tail[1..].iter().any(|&d| d != 0);
            let odd = digits[wanted - 1] % 2 == 1;
            if tail[0] > 5 || tail[0] == 5 && (beyond || odd) {
                let mut i = wanted;
                loop {
                    if i == 0 {
                        digits.insert(0, 1);
                        digits.pop();
                        exponent += 1;
                        break;
                    }
                    i -= 1;
                    if digits[i] == 9 {
                        digits[i] = 0;
                    } else {
                        digits[i] += 1;
                        break;
                    }
                }
            }
        }
        while digits.len() > 1 && digits.last() == Some(&0) {
            digits.pop();
        }
        if self.over < 0 {
            f.write_str("-")?;
        }
        let text: String = digits.iter().map(|d| char::from(b'0' + d)).collect();
        if !(-4..DIGITS).contains(&exponent) {
            let (first, rest) = text.split_at(1);
            let sign = if exponent < 0 { '-' } else { '+' };
            let dot = if rest.is_empty() { "" } else { "." };
            return write!(f, "{first}{dot}{rest}e{sign}{:02}", exponent.abs());
        }
        if exponent < 0 {
            let zeros = usize::try_from(-exponent - 1).unwrap_or(0);
            return write!(f, "0.{}{text}", "0".repeat(zeros));
        }
        let whole = usize::try_from(exponent + 1).unwrap_or(1);
        if text.len() <= whole {
            return write!(f, "{text}{}", "0".repeat(whole - text.len()));
        }
        write!(f, "{}.{}", &text[..whole], &text[whole..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_percent_g() {
        for (over, under, wanted) in [
            (0, 1, "0"),
            (5, 2, "2.5"),
            (1, 3, "0.333333"),
            (-2, 3, "-0.666667"),
            (1_234_567, 1, "1.23457e+06"),
            (9_999_995, 10, "1e+06"),
            (123_456, 1, "123456"),
            (1, 100_000, "1e-05"),
            (1, 10_000, "0.0001"),
            (100, 1, "100"),
            (1_000_000, 7, "142857"),
        ] {
            assert_eq!(Ratio::new(over, under).map(|r| r.to_string()).as_deref(), Some(wanted), "{over}/{under}");
        }
    }

    #[test]
    fn reads_decimals_and_orders_them() {
        let read = |t: &str| Ratio::parse(t);
        assert_eq!(read("-12.50"), Ratio::new(-25, 2));
        assert_eq!(read("2e3"), Some(Ratio::whole(2000)));
        assert_eq!(read("."), None);
        assert!(read("0.3333333") < Ratio::new(1, 3));
        assert!(read("-1.5") < read("-1.4"));
        assert!(Ratio::new(i128::MAX, 2) < Some(Ratio::whole(i128::MAX)));
    }
}
