//! Seeded chance: the same seed and stream give the same throws on every machine.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A source of chance that depends on nothing but its seed and stream.
pub struct Dice(ChaCha8Rng);

impl Dice {
    /// Streams of one seed are independent of each other.
    pub fn new(seed: u64, stream: u64) -> Dice {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Dice(rng)
    }

    /// A number from 0 up to, not including, `n`; 0 when `n` is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.0.next_u64()) * u128::from(n)) >> 64) as u64
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low + 1).max(1) as u64) as i64
    }

    /// True in `per_mille` of a thousand throws.
    pub fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    /// One of `items`, which must not be empty.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u64) as usize]
    }

    /// An index, drawn by weight.
    pub fn weighted(&mut self, weights: impl Iterator<Item = u64> + Clone) -> usize {
        let mut left = self.below(weights.clone().sum());
        for (index, weight) in weights.enumerate() {
            if left < weight {
                return index;
            }
            left -= weight;
        }
        0
    }

    fn letters(&mut self, count: usize, alphabet: &[u8]) -> String {
        let mut text = String::with_capacity(count);
        let mut bits = 0;
        for i in 0..count {
            if i % 8 == 0 {
                bits = self.0.next_u64();
            }
            text.push(alphabet[(bits & 0xff) as usize % alphabet.len()] as char);
            bits >>= 8;
        }
        text
    }

    /// Lower-case hexadecimal digits.
    pub fn hex(&mut self, count: usize) -> String {
        self.letters(count, b"0123456789abcdef")
    }

    /// Decimal digits.
    pub fn digits(&mut self, count: usize) -> String {
        self.letters(count, b"0123456789")
    }

    /// Letters and digits, as in the random part of a file name.
    pub fn mixed(&mut self, count: usize) -> String {
        self.letters(count, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
    }

    /// A version 4 GUID.
    pub fn guid(&mut self) -> String {
        let (high, low) = (self.0.next_u64(), self.0.next_u64());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            0x8000 | (low >> 48) & 0x3fff,
            low & 0xffff_ffff_ffff
        )
    }

    /// An address from the ranges reserved for documentation.
    pub fn address(&mut self) -> String {
        let range = *self.pick(&["192.0.2", "198.51.100", "203.0.113"]);
        format!("{range}.{}", self.between(1, 254))
    }

    /// A session token: long as real ones are, and plainly invented.
    pub fn session_token(&mut self) -> String {
        format!("INVENTEDSESSIONTOKEN//////////{}==", self.mixed(200))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_same_throws_and_ranges_hold() {
        let (mut a, mut b, mut c) = (Dice::new(1, 2), Dice::new(1, 2), Dice::new(1, 3));
        assert_eq!(a.guid(), b.guid());
        assert_ne!(a.guid(), c.guid());
        assert!((0..1000).all(|_| (3..=5).contains(&a.between(3, 5))));
        assert_eq!(a.guid().len(), 36);
        assert_eq!(a.weighted([0, 5, 0].into_iter()), 1);
    }
}
