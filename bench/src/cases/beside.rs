//! Latencies of something alone, and of the same while something else goes on.
//!
//! ```text
//!   a round: alone, beside, rest, alone
//! ```
//!
//! What is beside other work is compared with what was alone right before and right after it, so a goal is judged on the middle
//! of the rounds' ratios, and not on a ratio of middles that may be of two different rounds. The same alone is compared with
//! itself too: what differs there is the machine's, and no ratio tells more than that.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow};
use pagewire_lab::drive::{Busy, Latencies, WasBusy};

use crate::report::Name;

/// What comes of it; the last two are how much of the other work was done meanwhile, which the cores and calls are for too.
pub(super) const fn columns([one, other]: [Name; 2]) -> [Name; 21] {
    [
        "p50 / alone p50",
        P99_TO_ALONE,
        "alone again / alone p99",
        "alone p50 ms",
        "p50 ms",
        "alone p99 ms",
        "p99 ms",
        "alone p99.9 ms",
        "p99.9 ms",
        "alone max ms",
        "max ms",
        "alone cores busy",
        "cores busy",
        "alone machine's cores busy",
        "machine's cores busy",
        "alone system calls/s",
        "system calls/s",
        "alone peak memory MiB",
        "peak memory MiB",
        one,
        other,
    ]
}

/// Of one round; the middle of the rounds is the middle of these ratios, and no ratio of two middles.
pub(super) const P99_TO_ALONE: Name = "p99 / alone p99";

const P99: f64 = 99.0;
/// Of which a ratio is told: those two come first.
const RATIOS: [f64; 2] = [50.0, P99];
const PERCENTILES: [f64; 4] = [50.0, P99, 99.9, 100.0];
/// What the other work left to be done, such as to write what is dirty, is not to be beside what is alone.
const REST: Duration = Duration::from_secs(3);

/// Whom to measure.
pub(super) struct Way {
    pid: u32,
    /// Brokers whose CPU is not the machine's for it.
    others: Vec<u32>,
    rest: Duration,
}

impl Way {
    pub(super) fn new(pid: u32, others: Vec<u32>) -> Self {
        Self { pid, others, rest: REST }
    }

    /// Measures a broker alone, while `other` works until it is told to end, and alone again.
    pub(super) fn run(
        &self,
        mut measure: impl FnMut() -> Result<Latencies>,
        other: impl FnOnce(&Until) -> Result<[f64; 2]> + Send,
    ) -> Result<Vec<f64>> {
        let mut measure = || {
            let busy = Busy::start(self.pid, &self.others)?;
            Ok::<_, anyhow::Error>(Seen { latencies: measure()?, costs: costs(&busy.stop()?) })
        };
        let alone = measure()?;
        let (busy, amounts) = beside(&mut measure, other)?;
        thread::sleep(self.rest);
        let again = measure()?;
        Ok(values(alone, &again, &busy).into_iter().chain(amounts).collect())
    }
}

/// What came of one part of a round.
struct Seen {
    latencies: Latencies,
    costs: [f64; 4],
}

impl Seen {
    fn ms(&self, percentile: f64) -> f64 {
        self.latencies.percentile_us(percentile) / 1e3
    }

    /// Both as one, as long as both together; of memory the one that had more.
    fn and(mut self, other: &Self) -> Self {
        self.latencies.add(&other.latencies);
        let ([cores, machine, calls, peak], with) = (self.costs, other.costs);
        let mean = |one: f64, other: f64| f64::midpoint(one, other);
        self.costs = [mean(cores, with[0]), mean(machine, with[1]), mean(calls, with[2]), peak.max(with[3])];
        self
    }
}

/// Measures while `other` works, and what that came to.
fn beside<M>(
    mut measure: impl FnMut() -> Result<M>,
    other: impl FnOnce(&Until) -> Result<[f64; 2]> + Send,
) -> Result<(M, [f64; 2])> {
    let until = Until::default();
    thread::scope(|scope| {
        let other = scope.spawn(|| other(&until));
        let busy = measure();
        until.0.store(true, Relaxed);
        let amounts = other.join().map_err(|_| anyhow!("the thread beside it died"))?;
        Ok((busy?, amounts?))
    })
}

/// All but the amounts, in the order of the columns.
fn values(alone: Seen, again: &Seen, busy: &Seen) -> Vec<f64> {
    let itself = again.ms(P99) / alone.ms(P99);
    let alone = alone.and(again);
    let ratios = RATIOS.into_iter().map(|at| busy.ms(at) / alone.ms(at)).chain([itself]);
    let both = PERCENTILES.into_iter().flat_map(|at| [alone.ms(at), busy.ms(at)]);
    let costs = alone.costs.into_iter().zip(busy.costs).flat_map(|(alone, busy)| [alone, busy]);
    ratios.chain(both).chain(costs).collect()
}

/// As figures; no number is none.
fn costs(took: &WasBusy) -> [f64; 4] {
    let or_none = |value: Option<f64>| value.unwrap_or(f64::NAN);
    [took.cores, or_none(took.machine_cores), or_none(took.calls_per_s), or_none(took.peak_mib)]
}

/// Until it was measured.
#[derive(Default)]
pub(super) struct Until(AtomicBool);

impl Until {
    pub(super) fn is_over(&self) -> bool {
        self.0.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// A figure by its name, of a round in which what is alone takes 10 ms, then 20 ms, and what is not takes 40 ms.
    fn round() -> impl Fn(&str) -> f64 {
        let (works, begins) = mpsc::channel();
        let (ends, told) = mpsc::channel::<()>();
        let way = Way { rest: Duration::ZERO, ..Way::new(std::process::id(), Vec::new()) };
        let mut takes = [10, 40, 20].into_iter().enumerate();
        let measure = || {
            let (nth, ms) = takes.next().unwrap();
            if nth == 1 {
                begins.recv()?;
            }
            assert_eq!(told.try_recv().is_ok(), nth == 2, "nothing goes on beside what is alone");
            let mut latencies = Latencies::default();
            latencies.record(Duration::from_millis(ms));
            Ok(latencies)
        };
        let values = way.run(measure, |until| {
            works.send(())?;
            while !until.is_over() {
                thread::yield_now();
            }
            ends.send(())?;
            Ok([5.0, 7.0])
        });
        let named: Vec<_> = columns(["one", "other"]).into_iter().zip(values.unwrap()).collect();
        assert_eq!(named.len(), 21);
        move |name| named.iter().find(|(one, _)| *one == name).unwrap().1
    }

    #[test]
    fn the_ratio_is_to_what_was_alone_before_and_after_of_the_same_round() {
        let of = round();
        for (name, expected) in [
            (P99_TO_ALONE, 2.0),
            ("alone again / alone p99", 2.0),
            ("p50 / alone p50", 4.0),
            ("alone p99 ms", 20.0),
            ("p99 ms", 40.0),
            ("one", 5.0),
            ("other", 7.0),
        ] {
            assert!((of(name) / expected - 1.0).abs() < 0.02, "{name} is {}", of(name));
        }
    }

    #[test]
    fn two_parts_cost_what_they_cost_in_the_middle_and_the_most_memory_of_both() {
        let seen = |costs| Seen { latencies: Latencies::default(), costs };
        let both = seen([1.0, 2.0, f64::NAN, 9.0]).and(&seen([3.0, 4.0, 5.0, 7.0])).costs;
        assert!(both[2].is_nan(), "one that is not known has no middle");
        for (seen, expected) in [both[0], both[1], both[3]].into_iter().zip([2.0, 3.0, 9.0]) {
            assert!((seen - expected).abs() < 1e-9, "{seen} is not {expected}");
        }
    }
}
