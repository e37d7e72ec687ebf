//! Latencies of something alone, and of the same while something else goes on.
//!
//! ```text
//!   round 1: alone, beside     round 2: beside, rest, alone     round 3: alone, beside     ...
//! ```
//!
//! The two halves of a round follow each other, so what is compared is those two: a goal is judged on the middle of the rounds'
//! ratios, and not on a ratio of middles that may be of two different rounds.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow};
use pagewire_lab::drive::{Busy, Latencies, WasBusy};

use crate::report::Name;

/// What comes of it; the last two are how much of the other work was done meanwhile, which the cores and calls are for too.
pub(super) const fn columns([one, other]: [Name; 2]) -> [Name; 20] {
    [
        "p50 / alone p50",
        P99_TO_ALONE,
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

/// Of which a ratio is told: those two come first.
const RATIOS: [f64; 2] = [50.0, 99.0];
const PERCENTILES: [f64; 4] = [50.0, 99.0, 99.9, 100.0];
/// What the other work left to be done, such as to write what is dirty, is not to be beside what is alone.
const REST: Duration = Duration::from_secs(3);

/// Which half of a round comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    AloneFirst,
    AloneLast,
}

/// Whom to measure, and in which order.
pub(super) struct Way {
    pid: u32,
    /// Brokers whose CPU is not the machine's for it.
    others: Vec<u32>,
    order: Order,
    rest: Duration,
}

impl Way {
    pub(super) fn new(pid: u32, others: Vec<u32>, order: Order) -> Self {
        Self { pid, others, order, rest: REST }
    }

    /// Measures a broker alone, and while `other` works until it is told to end.
    pub(super) fn run(
        &self,
        mut measure: impl FnMut() -> Result<Latencies>,
        other: impl FnOnce(&Until) -> Result<[f64; 2]> + Send,
    ) -> Result<Vec<f64>> {
        let mut measure = || {
            let busy = Busy::start(self.pid, &self.others)?;
            Ok::<_, anyhow::Error>((measure()?, busy.stop()?))
        };
        let (alone, (busy, amounts)) = match self.order {
            Order::AloneFirst => (measure()?, beside(&mut measure, other)?),
            Order::AloneLast => {
                let beside = beside(&mut measure, other)?;
                thread::sleep(self.rest);
                (measure()?, beside)
            }
        };
        Ok(values(&alone, &busy).into_iter().chain(amounts).collect())
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
fn values((alone, alone_took): &(Latencies, WasBusy), (busy, took): &(Latencies, WasBusy)) -> Vec<f64> {
    let ms = |latencies: &Latencies, percentile| latencies.percentile_us(percentile) / 1e3;
    let ratios = RATIOS.into_iter().map(|at| ms(busy, at) / ms(alone, at));
    let both = PERCENTILES.into_iter().flat_map(|at| [ms(alone, at), ms(busy, at)]);
    let costs = costs(alone_took).into_iter().zip(costs(took)).flat_map(|(alone, busy)| [alone, busy]);
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

    /// A figure by its name, of a round in which what is alone takes 10 ms and what is not takes 30 ms.
    fn round(order: Order) -> impl Fn(&str) -> f64 {
        let (works, begins) = mpsc::channel();
        let (ends, told) = mpsc::channel::<()>();
        let way = Way { rest: Duration::ZERO, ..Way::new(std::process::id(), Vec::new(), order) };
        let nth = std::cell::Cell::new(0);
        let measure = || {
            let is_first = nth.replace(nth.get() + 1) == 0;
            let is_alone = is_first == (order == Order::AloneFirst);
            if !is_alone {
                begins.recv()?;
            }
            assert_eq!(
                told.try_recv().is_ok(),
                is_alone && !is_first,
                "nothing goes on beside what is alone"
            );
            let mut latencies = Latencies::default();
            latencies.record(Duration::from_millis(if is_alone { 10 } else { 30 }));
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
        assert_eq!(named.len(), 20);
        move |name| named.iter().find(|(one, _)| *one == name).unwrap().1
    }

    #[test]
    fn the_ratio_is_of_one_round_whichever_half_comes_first() {
        for order in [Order::AloneFirst, Order::AloneLast] {
            let of = round(order);
            for (name, expected) in
                [(P99_TO_ALONE, 3.0), ("alone p99 ms", 10.0), ("p99 ms", 30.0), ("one", 5.0), ("other", 7.0)]
            {
                assert!((of(name) / expected - 1.0).abs() < 0.02, "{order:?}: {name} is {}", of(name));
            }
        }
    }
}
