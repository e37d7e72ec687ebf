//! What a setting costs the system, not only the two processes. Pure.
//!
//! A CPU's busy time is counted in ticks of 10 ms, a measurement takes tens of milliseconds: so it is told from blocks of
//! rounds that are long enough together, and where the rounds are too few for one, from the processes' own clocks.

use crate::measure::Sample;
use crate::spread::Spread;

/// A hundred ticks: one more or less is a hundredth.
const BLOCK_SECONDS: f64 = 1.0;

/// CPU seconds per GB, and how they are known: see [`RouteCell::system_how`](crate::record::RouteCell::system_how).
pub(super) fn cost(samples: &[Sample], processes: Spread) -> (Spread, &'static str) {
    match busy(samples) {
        Some(busy) => (busy, "cpu-busy"),
        None => (processes, "processes"),
    }
}

/// Busy time of the CPU per byte, over blocks; a rest that is shorter than a block is left out.
fn busy(samples: &[Sample]) -> Option<Spread> {
    let mut blocks = Vec::new();
    let (mut busy_ns, mut bytes, mut seconds) = (0, 0.0, 0.0);
    for sample in samples {
        busy_ns += sample.sent.busy_ns?;
        bytes += sample.bytes();
        seconds += sample.seconds();
        if seconds >= BLOCK_SECONDS {
            blocks.push(busy_ns as f64 / bytes);
            (busy_ns, bytes, seconds) = (0, 0.0, 0.0);
        }
    }
    Spread::of(&blocks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::testing::sample;

    const PROCESSES: Spread = Spread { min: 1.0, median: 2.0, max: 3.0 };

    /// A quarter of a second in which a GB was sent.
    fn quarter(busy_ns: Option<u64>) -> Sample {
        let mut sample = sample(1_000_000_000);
        sample.received.ended_ns = sample.sent.began_ns + 250_000_000;
        sample.sent.busy_ns = busy_ns;
        sample
    }

    #[test]
    fn rounds_that_are_long_enough_together_tell_what_the_cpu_did() {
        let busy = [100, 250, 250, 400, 500, 500, 500, 500].map(|ms| quarter(Some(ms * 1_000_000)));
        let whole = cost(&busy, PROCESSES);
        assert_eq!(whole, (Spread { min: 0.25, median: 0.375, max: 0.5 }, "cpu-busy"));
        assert_eq!(cost(&busy[..7], PROCESSES).0, Spread { min: 0.25, median: 0.25, max: 0.25 });
    }

    #[test]
    fn short_rounds_and_an_unknown_cpu_are_told_from_the_processes() {
        assert_eq!(cost(&[quarter(Some(1)), quarter(Some(1))], PROCESSES), (PROCESSES, "processes"));
        let one_unknown = [Some(1), Some(1), None, Some(1)].map(quarter);
        assert_eq!(cost(&one_unknown, PROCESSES), (PROCESSES, "processes"));
    }
}
