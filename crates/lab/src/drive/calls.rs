//! The broker's system calls, in rounds of their own. The tracepoint that tells of them is on for every program of the machine
//! meanwhile, not for the one that is counted alone: CPU and latencies of such a round are those of a slower machine.

use super::load::race::Lap;
use super::meter::{Figures, insert};
use crate::measure::gauge::OthersSyscalls;

/// What was counted in a round, or why nothing was.
pub(super) type Counted = Result<Figures, String>;

/// A count that has begun.
#[derive(Debug)]
pub(super) struct Calls(OthersSyscalls);

impl Calls {
    /// Begins, with those of this process.
    pub(super) fn start(pid: u32) -> Result<Self, String> {
        OthersSyscalls::start(pid).map(Self).map_err(|error| format!("{error:#}"))
    }

    /// Ends: for each of what was done meanwhile.
    pub(super) fn stop(mut self, lap: &Lap) -> Counted {
        let calls = self.0.read().map_err(|error| format!("{error:#}"))? as f64;
        let mut figures = Figures::new();
        insert(&mut figures, "syscalls_per_record", calls / lap.records as f64);
        insert(&mut figures, "syscalls_per_request", calls / lap.requests as f64);
        Ok(figures)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_cannot_be_counted_says_why() {
        assert!(!Calls::start(u32::MAX).unwrap_err().is_empty());
    }
}
