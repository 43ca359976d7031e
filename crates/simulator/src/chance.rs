//! Chance from one number: splitmix64, by Sebastiano Vigna (public domain).
//!
//! ```text
//! Chance::new(7): 7191089600892374487, 309689372594955804, …    the same on every machine
//! ```
//! Not for secrets.

/// A row of numbers that a seed fixes.
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Chance {
        Chance(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 up to, not including, `end`; 0 if that is 0. The bias for ends far below 2^64 does not matter here.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    pub(crate) fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to - from + 1)
    }

    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// One of these; `None` if there are none.
    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let at = self.below(from.len() as u64);
        from.get(usize::try_from(at).ok()?)
    }

    /// Changes one bit.
    pub(crate) fn flip(&mut self, bytes: &mut [u8]) {
        let at = self.below(bytes.len() as u64);
        let bit = 1 << self.below(8);
        if let Some(byte) = usize::try_from(at).ok().and_then(|at| bytes.get_mut(at)) {
            *byte ^= bit;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of the reference implementation in C.
    #[test]
    fn it_is_splitmix64() {
        let mut chance = Chance::new(1_234_567);
        let row: Vec<u64> = (0..3).map(|_| chance.next()).collect();
        assert_eq!(row, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }
}
