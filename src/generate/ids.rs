//! Identifiers that cannot repeat: a counter inside a numbered block, scrambled so that they look drawn.

/// Hands out identifiers of one block; blocks never share one.
pub struct Ids {
    block: u64,
    next: u64,
    shift: u64,
}

/// Bits of a serial number: nine base-32 letters.
const BITS: u32 = 45;
/// Bits of the counter inside a block.
const COUNTER_BITS: u32 = 22;
const MASK: u64 = (1 << BITS) - 1;

impl Ids {
    /// The identifiers of `block`; `seed` only changes how they look.
    pub fn new(seed: u64, block: u64) -> Ids {
        Ids { block, next: 0, shift: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) }
    }

    /// The block these identifiers belong to.
    pub fn block(&self) -> u64 {
        self.block
    }

    /// Nine letters no other call returns for this seed. An odd factor and a constant permute the
    /// serial numbers, so distinct serials stay distinct.
    fn letters(&mut self) -> String {
        let serial = (self.block << COUNTER_BITS) | self.next;
        self.next += 1;
        let mut bits = serial.wrapping_mul(0x15_4a35_5d1f).wrapping_add(self.shift) & MASK;
        bits ^= bits >> 23;
        bits = bits.wrapping_mul(0x0b_c6a7_3b4d) & MASK;
        let mut text = String::with_capacity(9);
        for _ in 0..9 {
            text.push(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[(bits & 31) as usize] as char);
            bits >>= 5;
        }
        text
    }

    /// A temporary access key.
    pub fn temporary_key(&mut self) -> String {
        format!("ASIAEXAMPLE{}", self.letters())
    }

    /// A long-term access key.
    pub fn long_term_key(&mut self) -> String {
        format!("AKIAEXAMPLE{}", self.letters())
    }

    /// The unique id of a user.
    pub fn user(&mut self) -> String {
        format!("AIDAEXAMPLE{}Q", self.letters())
    }

    /// The unique id of a role.
    pub fn role(&mut self) -> String {
        format!("AROAEXAMPLE{}Q", self.letters())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn keys_are_twenty_long_and_distinct_over_blocks() {
        let mut seen = HashSet::new();
        for block in 0..50 {
            let mut ids = Ids::new(7, block);
            for _ in 0..1000 {
                let key = ids.temporary_key();
                assert_eq!(key.len(), 20);
                assert!(seen.insert(key));
            }
        }
        assert_eq!(Ids::new(7, 1).role().len(), 21);
    }
}
