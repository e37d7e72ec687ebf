//! What a setting costs the system, not only the two processes. Pure.
//!
//! A CPU's busy time is counted in ticks of 10 ms, a measurement takes less than ten of them: so it is told from blocks
//! of rounds that are long enough together, and where the rounds are too few for one, from the processes' own clocks.
//! The two are not the same thing, so each is shown under its own name: [`RouteCell::whole_cpu`],
//! [`RouteCell::both_ends`].

use crate::measure::Sample;
use crate::record::RouteCell;
use crate::spread::Spread;

/// 20 ticks: one more or less is 5 %, and the more blocks there are the better is the middle one.
const BLOCK_SECONDS: f64 = 0.2;

/// Names of the two, as [`RouteCell::system_how`] has them.
const CPU_BUSY: &str = "cpu-busy";
const PROCESSES: &str = "processes";

/// CPU seconds per GB, and how they are known: see [`RouteCell::system_how`].
pub(super) fn cost(samples: &[Sample], processes: Spread) -> (Spread, &'static str) {
    match busy(samples) {
        Some(busy) => (busy, CPU_BUSY),
        None => (processes, PROCESSES),
    }
}

impl RouteCell {
    /// CPU seconds per GB of all that the processes' CPU did, the kernel's own work included; `None` where that was not
    /// measured.
    pub fn whole_cpu(&self) -> Option<Spread> {
        (self.system_how == CPU_BUSY).then_some(self.system_cpu_s_per_gb)
    }

    /// CPU seconds per GB of sender and receiver together; `None` where a record does not say.
    pub fn both_ends(&self) -> Option<Spread> {
        let alone = || (self.system_how == PROCESSES).then_some(self.system_cpu_s_per_gb);
        self.processes_cpu_s_per_gb.or_else(alone)
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

    const BOTH: Spread = Spread { min: 1.0, median: 2.0, max: 3.0 };

    /// A sixteenth of a second in which a GB was sent.
    fn sixteenth(busy_ns: Option<u64>) -> Sample {
        let mut sample = sample(1_000_000_000);
        sample.received.ended_ns = sample.sent.began_ns + 62_500_000;
        sample.sent.busy_ns = busy_ns;
        sample
    }

    #[test]
    fn rounds_that_are_long_enough_together_tell_what_the_cpu_did() {
        let busy = [100, 250, 250, 400, 500, 500, 500, 500].map(|ms| sixteenth(Some(ms * 1_000_000)));
        let whole = cost(&busy, BOTH);
        assert_eq!(whole, (Spread { min: 0.25, median: 0.375, max: 0.5 }, CPU_BUSY));
        assert_eq!(cost(&busy[..7], BOTH).0, Spread { min: 0.25, median: 0.25, max: 0.25 });
    }

    #[test]
    fn short_rounds_and_an_unknown_cpu_are_told_from_the_processes() {
        assert_eq!(cost(&[sixteenth(Some(1)), sixteenth(Some(1))], BOTH), (BOTH, PROCESSES));
        let one_unknown = [Some(1), Some(1), None, Some(1)].map(sixteenth);
        assert_eq!(cost(&one_unknown, BOTH), (BOTH, PROCESSES));
    }

    #[test]
    fn neither_figure_stands_under_the_name_of_the_other() {
        let cell = crate::report::testing::route("copy", 1024, 1.0);
        let busy =
            RouteCell { system_how: CPU_BUSY.into(), processes_cpu_s_per_gb: Some(BOTH), ..cell.clone() };
        assert_eq!((busy.whole_cpu(), busy.both_ends()), (Some(cell.system_cpu_s_per_gb), Some(BOTH)));
        let processes = RouteCell { system_how: PROCESSES.into(), ..cell.clone() };
        assert_eq!((processes.whole_cpu(), processes.both_ends()), (None, Some(cell.system_cpu_s_per_gb)));
        let unknown = RouteCell { system_how: String::new(), ..cell };
        assert_eq!((unknown.whole_cpu(), unknown.both_ends()), (None, None));
    }
}
