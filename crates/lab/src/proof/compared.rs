//! Two costs, measured in turn, and what follows from them. Pure.
//!
//! What disturbs a round disturbs both, so the ratio is taken within each round. A verdict needs both: nearly all
//! rounds on the same side of the bound (8 of 9 by chance: 1 in 50), and both the middle ratio and the middles' ratio
//! clearly beyond it. Otherwise the figures do not decide.

use std::collections::BTreeMap;

use anyhow::Context;

use crate::spread::Spread;

/// The ratios must lie so far beyond the bound.
const MARGIN: f64 = 1.05;
/// Of ten rounds, so many must agree.
const AGREE_OF_TEN: usize = 8;

/// The cost of `one` held against that of `other`, in CPU seconds per GB or whatever both were measured in.
#[derive(Debug, Clone)]
pub(super) struct Compared {
    one: Spread,
    other: Spread,
    /// `one` over `other`, a ratio for each round.
    ratios: Vec<f64>,
    /// Of these.
    ratio: Spread,
}

impl Compared {
    /// Of samples in the order of the rounds.
    pub(super) fn of(one: &[f64], other: &[f64]) -> anyhow::Result<Self> {
        let ratios: Vec<f64> = one.iter().zip(other).map(|(one, other)| one / other).collect();
        let ratios: Vec<f64> = ratios.into_iter().filter(|ratio| ratio.is_finite()).collect();
        let ratio = Spread::of(&ratios).context("no round used CPU that could be measured")?;
        let of = |samples| Spread::of(samples).context("nothing was measured");
        Ok(Self { one: of(one)?, other: of(other)?, ratios, ratio })
    }

    /// The middle of the rounds' ratios.
    pub(super) fn middle(&self) -> f64 {
        self.ratio.median
    }

    /// The middle of the second.
    pub(super) fn other(&self) -> f64 {
        self.other.median
    }

    /// Whether `one` costs less than `bound` times `other`; `None`: the figures do not decide.
    pub(super) fn is_below(&self, bound: f64) -> Option<bool> {
        let most = (self.ratios.len() * AGREE_OF_TEN).div_ceil(10);
        let below = self.ratios.iter().filter(|ratio| **ratio < bound).count();
        let of_middles = self.one.median / self.other.median;
        let (least, largest) = (self.ratio.median.min(of_middles), self.ratio.median.max(of_middles));
        if below >= most && largest * MARGIN <= bound {
            Some(true)
        } else if self.ratios.len() - below >= most && least >= bound * MARGIN {
            Some(false)
        } else {
            None
        }
    }

    /// Both costs and how they relate: `sendfile 0.110 CPU s/GB (0.105 to 0.131), read and write 0.215 (...): 0.51
    /// times (0.48 to 0.62 in 9 rounds)`.
    pub(super) fn told(&self, one: &str, other: &str, unit: &str, digits: usize) -> String {
        let spread = |Spread { min, median, max }| {
            format!("{median:.digits$} {unit} ({min:.digits$} to {max:.digits$})")
        };
        let Spread { min, median, max } = self.ratio;
        format!(
            "{one} {}, {other} {}: {median:.2} times ({min:.2} to {max:.2} in {} rounds)",
            spread(self.one),
            spread(self.other),
            self.ratios.len()
        )
    }

    /// The same for programs.
    pub(super) fn figures(&self, one: &str, other: &str) -> BTreeMap<String, f64> {
        figures([
            (one, self.one.median),
            (other, self.other.median),
            ("ratio_min", self.ratio.min),
            ("ratio", self.ratio.median),
            ("ratio_max", self.ratio.max),
        ])
    }
}

/// Figures by name.
pub(super) fn figures<const N: usize>(named: [(&str, f64); N]) -> BTreeMap<String, f64> {
    named.into_iter().map(|(name, figure)| (name.to_owned(), figure)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(one: [f64; 9], bound: f64) -> Option<bool> {
        Compared::of(&one, &[1.0; 9]).unwrap().is_below(bound)
    }

    #[test]
    fn a_verdict_needs_rounds_that_agree_and_a_clear_middle() {
        assert_eq!(verdict([0.5; 9], 1.0), Some(true));
        assert_eq!(verdict([2.0; 9], 1.0), Some(false));
        let mut rounds = [0.7; 9];
        rounds[4] = 1.6;
        assert_eq!(verdict(rounds, 1.0), Some(true), "one round that was disturbed");
        rounds[5] = 1.6;
        assert_eq!(verdict(rounds, 1.0), None, "two are no accident any more");
        assert_eq!(verdict([0.97; 9], 1.0), None, "all agree, on next to nothing");
        assert_eq!(verdict([1.0; 9], 1.0), None);
        assert_eq!(verdict([1.06; 9], 1.1), None);
        assert_eq!(verdict([1.0; 9], 1.1), Some(true));
    }

    #[test]
    fn middles_that_say_the_opposite_of_the_rounds_leave_it_open() {
        // Four of five rounds say that the first is cheaper, the middles that it is dearer.
        let (one, other) = ([1.0, 2.0, 5.0, 9.0, 9.1], [1.2, 2.4, 4.0, 10.0, 10.1]);
        let compared = Compared::of(&one, &other).unwrap();
        assert_eq!(compared.is_below(1.0), None);
    }

    #[test]
    fn the_ratio_is_the_first_over_the_second_and_reads_so() {
        let compared = Compared::of(&[0.2, 0.4, 0.3], &[0.1, 0.1, 0.1]).unwrap();
        let said = compared.told("ours", "theirs", "us", 1);
        assert_eq!(
            said,
            "ours 0.3 us (0.2 to 0.4), theirs 0.1 us (0.1 to 0.1): 3.00 times (2.00 to 4.00 in 3 rounds)"
        );
        let figures = compared.figures("ours_us", "theirs_us");
        assert!((figures["ratio"] - 3.0).abs() < 1e-9 && (figures["theirs_us"] - 0.1).abs() < 1e-9);
    }

    #[test]
    fn without_a_cost_there_is_no_ratio() {
        assert!(Compared::of(&[1.0], &[0.0]).is_err() && Compared::of(&[], &[]).is_err());
    }
}
