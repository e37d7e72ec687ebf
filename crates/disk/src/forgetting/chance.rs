//! A seeded stream of decisions (SplitMix64): the same seed decides the same way on every machine.

/// The stream.
#[derive(Debug, Clone)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A stream of its own for one of many things, whatever the order in which they are asked.
    pub(super) fn of(seed: u64, which: u64) -> Self {
        let mut mixed = Self(seed ^ which.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        Self(mixed.next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 if there is none.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next().checked_rem(bound).unwrap_or(0)
    }

    /// `true` in `of_256` of 256 cases.
    pub(super) fn hits(&mut self, of_256: u64) -> bool {
        self.below(256) < of_256
    }

    /// Some bytes of no meaning.
    pub(super) fn junk(&mut self, bytes: &mut [u8]) {
        for part in bytes.chunks_mut(8) {
            let word = self.next().to_le_bytes();
            part.iter_mut().zip(word).for_each(|(byte, junk)| *byte = junk);
        }
    }
}
