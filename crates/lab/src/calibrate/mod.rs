//! `lab calibrate`: from which length on is which route cheapest, on this machine? The routes that may be chosen by
//! themselves are measured in turn, hot, over loopback, with a header in front as a server has it; [`decide()`] turns
//! the figures into thresholds.

mod decide;
mod measure;
mod store;

use std::path::Path;

use anyhow::Context;
use pagewire_zcopy::Thresholds;
use serde::Serialize;

pub use decide::{MARGIN, Rounds, decide};
pub use store::store;

use crate::measure::worker::Program;
use crate::spread::Spread;
use crate::watch::Watch;

/// Rounds where nothing else is asked for; the middle of so many is steady.
pub const ROUNDS: usize = 15;

/// What one route costs at one length.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cost {
    /// Bytes of a piece.
    pub bytes: u64,
    /// The route's name.
    pub route: String,
    /// Microseconds of the sender's CPU for each.
    pub cpu_us: Spread,
    /// In relation to the route that the defaults have for this length: the middle of the ratios within the rounds, by
    /// which it is decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub x_default: Option<f64>,
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Calibration {
    /// The figures, as far as the work came.
    pub costs: Vec<Cost>,
    /// What follows from them. `None` if the work was stopped before there was enough.
    pub thresholds: Option<Thresholds>,
}

/// Measures with a file in `dir`, so many rounds, and decides. When `watch` says stop, what there is is the answer.
///
/// # Errors
/// Where not even copying can be measured.
pub fn run(
    program: &Program,
    dir: &Path,
    rounds: usize,
    watch: &mut dyn Watch,
) -> anyhow::Result<Calibration> {
    let samples = measure::all(program, dir, rounds, watch)?;
    let default = Thresholds::default();
    let costs = costs(&samples, &default);
    if watch.is_stopped() {
        return Ok(Calibration { costs, thresholds: None });
    }
    let thresholds = decide(&samples, &default).context("the figures make no thresholds")?;
    Ok(Calibration { costs, thresholds: Some(thresholds) })
}

fn costs(samples: &[Rounds], default: &Thresholds) -> Vec<Cost> {
    let cost = |of: &Rounds| {
        let x_default = decide::ratio(samples, of, default.route_for(of.bytes));
        let cpu_us = Spread::of(&of.cpu_us)?;
        Some(Cost { bytes: of.bytes, route: of.route.name().to_owned(), cpu_us, x_default })
    };
    samples.iter().filter_map(cost).collect()
}

#[cfg(test)]
mod tests {
    use pagewire_zcopy::Route;

    use super::*;

    #[test]
    fn a_cost_stands_beside_that_of_the_route_that_is_the_default() {
        let of = |route, cpu_us: [f64; 3]| Rounds { bytes: 1 << 20, route, cpu_us: cpu_us.into() };
        let samples = [of(Route::Sendfile, [1.0, 2.0, 9.0]), of(Route::Copy, [2.0, 6.0, 18.0])];
        let costs = costs(&samples, &Thresholds::default());
        assert_eq!(costs.iter().map(|cost| cost.x_default).collect::<Vec<_>>(), [Some(1.0), Some(2.0)]);
        assert_eq!(costs[1].cpu_us, Spread { min: 2.0, median: 6.0, max: 18.0 });
        assert!(super::costs(&samples[1..], &Thresholds::default())[0].x_default.is_none());
    }
}
