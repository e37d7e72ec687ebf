//! How long something lasts, for people: the two largest units that it has.

use std::fmt;

/// Units, largest first, each with its seconds.
const UNITS: [(u64, &str); 4] = [(24 * 60 * 60, "d"), (60 * 60, "h"), (60, "min"), (1, "s")];

/// So many ms.
#[derive(Clone, Copy, Debug)]
pub struct Lasting(u64);

impl Lasting {
    /// Of a difference of times. A clock that was set back makes none below zero.
    #[must_use]
    pub fn of_ms(ms: i64) -> Self {
        Self(u64::try_from(ms).unwrap_or(0))
    }
}

impl fmt::Display for Lasting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = self.0 / 1000;
        if left == 0 {
            return write!(f, "{} ms", self.0);
        }
        let mut told = 0;
        for (seconds, unit) in UNITS {
            let count = left / seconds;
            left %= seconds;
            if told == 1 && count > 0 {
                return write!(f, " {count} {unit}");
            }
            if told == 1 {
                return Ok(());
            }
            if count > 0 {
                write!(f, "{count} {unit}")?;
                told = 1;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_in_its_two_largest_units() {
        for (ms, told) in [
            (-5, "0 ms"),
            (999, "999 ms"),
            (1000, "1 s"),
            (61_500, "1 min 1 s"),
            (3_600_000, "1 h"),
            (3_605_000, "1 h"),
            (90_061_000, "1 d 1 h"),
        ] {
            assert_eq!(Lasting::of_ms(ms).to_string(), told);
        }
    }
}
