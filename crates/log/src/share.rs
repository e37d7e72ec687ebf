//! A share of a whole, for settings that Kafka writes as a number between 0 and 1.

use std::fmt;

/// A number between 0 and 1, both included.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Share(f64);

// There is no NaN among them.
impl Eq for Share {}

impl Share {
    /// Nothing of it.
    pub const NONE: Self = Self(0.0);
    /// Half of it.
    pub const HALF: Self = Self(0.5);

    /// The nearest share; 0 for what is no number.
    pub fn new(value: f64) -> Self {
        if value.is_nan() { Self::NONE } else { Self(value.clamp(0.0, 1.0)) }
    }

    /// `part` of `whole`; 0 of nothing.
    #[expect(clippy::cast_precision_loss, reason = "a share is a rough number")]
    pub fn of(part: u64, whole: u64) -> Self {
        if whole == 0 { Self::NONE } else { Self::new(part as f64 / whole as f64) }
    }

    /// So many of `count`, rounded down.
    #[expect(clippy::cast_precision_loss, reason = "a share is a rough number")]
    pub fn part_of(self, count: usize) -> usize {
        (count as f64 * self.0) as usize
    }

    /// The number.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_number_between_nothing_and_all() {
        assert_eq!(Share::new(f64::NAN), Share::NONE);
        assert_eq!(Share::new(-3.0), Share::NONE);
        assert_eq!(Share::new(7.0), Share::of(3, 3));
        assert_eq!(Share::of(1, 2), Share::HALF);
        assert_eq!(Share::of(1, 0), Share::NONE);
        assert!(Share::of(2, 3) > Share::HALF);
    }
}
