//! Latencies: recorded in nanoseconds with three digits, told in microseconds.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Digits that are kept.
const DIGITS: u8 = 3;
/// What is told, by name and percentile.
pub(super) const TOLD: [(&str, f64); 4] = [("p50", 50.0), ("p99", 99.0), ("p99.9", 99.9), ("max", 100.0)];
/// Steps of the distribution for each halving of the distance to 100 %.
const STEPS: u32 = 4;

/// A distribution of latencies.
#[derive(Debug, Clone)]
pub struct Latencies {
    histogram: Histogram<u64>,
}

impl Default for Latencies {
    fn default() -> Self {
        // Digits from 0 to 5 are taken; it grows with the values.
        let histogram = Histogram::new(DIGITS).unwrap_or_else(|_| unreachable!("three digits are allowed"));
        Self { histogram }
    }
}

impl Latencies {
    /// One more.
    pub fn record(&mut self, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX).max(1);
        // It grows to whatever comes; without memory for that the drive cannot go on anyway.
        let _ = self.histogram.record(nanos);
    }

    /// All of `other` too.
    pub fn add(&mut self, other: &Self) {
        // Fails only where the other holds values that this one could not grow to; both grow without limit.
        let _ = self.histogram.add(&other.histogram);
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.histogram.is_empty()
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// Microseconds that so many percent do not exceed.
    pub fn percentile_us(&self, percentile: f64) -> f64 {
        self.histogram.value_at_percentile(percentile) as f64 / 1e3
    }

    /// Percentile and microseconds, closer together towards the end.
    pub fn distribution(&self) -> Vec<(f64, f64)> {
        let points = self.histogram.iter_quantiles(STEPS);
        points.map(|at| (at.quantile_iterated_to() * 100.0, at.value_iterated_to() as f64 / 1e3)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_values_to_three_digits() {
        let mut all = Latencies::default();
        (1..=1000).for_each(|us| all.record(Duration::from_micros(us)));
        for (percentile, us) in [(50.0, 500.0), (99.0, 990.0), (99.9, 999.0), (100.0, 1000.0)] {
            let told = all.percentile_us(percentile);
            assert!((told - us).abs() <= us / 500.0, "p{percentile}: {told}");
        }
        let distribution = all.distribution();
        assert!(distribution.is_sorted_by(|a, b| a.0 <= b.0 && a.1 <= b.1), "{distribution:?}");
        assert!(distribution.last().is_some_and(|last| last.0 >= 100.0), "{distribution:?}");
    }

    #[test]
    fn an_hour_beside_a_nanosecond_is_kept_and_sums_hold_both() {
        let (mut one, mut other) = (Latencies::default(), Latencies::default());
        assert!(one.is_empty());
        one.record(Duration::from_nanos(1));
        other.record(Duration::from_hours(1));
        one.add(&other);
        assert!(one.percentile_us(100.0) >= 3.59e9 && one.percentile_us(50.0) < 0.01);
    }
}
