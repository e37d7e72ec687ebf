//! Least, middle and largest of some samples: how every figure of the lab is given.

use serde::{Deserialize, Serialize};

/// The spread of a figure over the rounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The least.
    pub min: f64,
    /// The middle one; of an even number the mean of the two in the middle.
    pub median: f64,
    /// The largest.
    pub max: f64,
}

impl Spread {
    /// Of these samples; `None` of none.
    pub fn of(samples: &[f64]) -> Option<Self> {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (&min, &max) = (sorted.first()?, sorted.last()?);
        let (below, above) = (sorted.get((sorted.len() - 1) / 2)?, sorted.get(sorted.len() / 2)?);
        let median = f64::midpoint(*below, *above);
        Some(Self { min, median, max })
    }

    /// Of the ratios of one to the other within each round: what disturbed a round disturbed both. `None` without any
    /// that is a number.
    pub fn of_ratios(one: &[f64], other: &[f64]) -> Option<Self> {
        let ratios = one.iter().zip(other).map(|(one, other)| one / other);
        Self::of(&ratios.filter(|ratio| ratio.is_finite()).collect::<Vec<f64>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_an_even_number_lies_between_two_and_nothing_has_no_spread() {
        assert_eq!(Spread::of(&[]), None);
        assert_eq!(Spread::of(&[3.0, 1.0, 2.0]), Some(Spread { min: 1.0, median: 2.0, max: 3.0 }));
        assert_eq!(Spread::of(&[4.0, 1.0, 2.0, 3.0]).map(|spread| spread.median), Some(2.5));
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        let ratios = Spread::of_ratios(&[1.0, 20.0, 3.0], &[2.0, 40.0, 0.0]);
        assert_eq!(ratios, Some(Spread { min: 0.5, median: 0.5, max: 0.5 }));
        assert_eq!(Spread::of_ratios(&[1.0], &[0.0]), None);
    }
}
