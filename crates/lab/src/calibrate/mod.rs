//! `lab calibrate`: from which length on is which route cheapest, on this machine? Measures the routes that may be
//! chosen by themselves, in turn, hot, over loopback, with a header in front as a server has it; [`decide()`] turns the
//! figures into thresholds.

mod decide;
mod store;

use std::path::Path;

use anyhow::Context;
use pagewire_zcopy::{Route, Thresholds};
use serde::Serialize;

pub use decide::{MARGIN, decide};
pub use store::store;

use crate::measure::way::Way;
use crate::measure::worker::Program;
use crate::measure::worker::protocol::Load;
use crate::measure::{Pair, Run};
use crate::record::{Link, Receiver, Residency};
use crate::routes::HEADER_BYTES;
use crate::size;
use crate::spread::Spread;
use crate::watch::Watch;

/// Routes that may be chosen by themselves: `copy` always goes, the others send by reference and fall back to it.
const CANDIDATES: [Route; 3] = [Route::Copy, Route::Sendfile, Route::Splice];
/// Lengths that are measured, as exponents of two: 1 KiB to 1 MiB.
const SHIFTS: std::ops::RangeInclusive<u32> = 10..=20;
/// Rounds; the middle of so many is steady.
const ROUNDS: usize = 15;
/// Bytes of one measurement; and responses, whatever their size.
const RUN_BYTES: u64 = 8 << 20;
const RESPONSES_MAX: u64 = 1024;

/// What one route costs at one length.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cost {
    /// Bytes of a piece.
    pub bytes: u64,
    /// The route's name.
    pub route: String,
    /// Microseconds of the sender's CPU for each.
    pub cpu_us: Spread,
}

/// What was found.
#[derive(Debug, Clone)]
pub struct Calibration {
    /// The figures.
    pub costs: Vec<Cost>,
    /// What follows from them. `None` if the work was stopped before there was enough.
    pub thresholds: Option<Thresholds>,
}

/// Measures with a file in `dir`, and decides.
///
/// # Errors
/// Where not even copying can be measured.
pub fn run(program: &Program, dir: &Path, watch: &mut dyn Watch) -> anyhow::Result<Calibration> {
    let mut pair = Pair::start(program, Link::Loopback, dir, RUN_BYTES)?;
    let sizes: Vec<u64> = SHIFTS.map(|shift| 1 << shift).collect();
    let mut routes = CANDIDATES.to_vec();
    watch.begin((ROUNDS * sizes.len() * routes.len()) as u64);
    let mut samples: Vec<(u64, Route, Vec<f64>)> = Vec::new();
    for _ in 0..ROUNDS {
        for &bytes in &sizes {
            for route in CANDIDATES {
                if watch.is_stopped() {
                    return Ok(Calibration { costs: costs(&samples), thresholds: None });
                }
                watch.step(&format!("{route} {}", size::text(bytes)));
                if !routes.contains(&route) {
                    continue;
                }
                let gone = match sample(&mut pair, route, bytes) {
                    Ok(Some(cpu_us)) => {
                        note(&mut samples, bytes, route, cpu_us);
                        continue;
                    }
                    Ok(None) => "refused by the kernel".to_owned(),
                    // What the others are measured against, and without which nothing can be.
                    Err(error) if route == Route::Copy => return Err(error),
                    Err(error) => {
                        // The two may be waiting for each other's answers.
                        pair = Pair::start(program, Link::Loopback, dir, RUN_BYTES)?;
                        format!("{error:#}")
                    }
                };
                watch.note(&format!("{route}: {gone}; left out"));
                routes.retain(|&other| other != route);
            }
        }
    }
    samples.retain(|(_, route, _)| routes.contains(route));
    let costs = costs(&samples);
    let thresholds = decide(&costs, &Thresholds::default()).context("the figures make no thresholds")?;
    Ok(Calibration { costs, thresholds: Some(thresholds) })
}

/// Microseconds for each piece; `None` if the kernel refused the route.
fn sample(pair: &mut Pair, route: Route, bytes: u64) -> anyhow::Result<Option<f64>> {
    let responses = (RUN_BYTES / bytes).clamp(1, RESPONSES_MAX);
    let load = Load { bytes, header_bytes: HEADER_BYTES, responses };
    let (residency, receiver) = (Residency::Hot, Receiver::Drain);
    let sample = pair.run(Run { way: Way::Library(route), load, residency, receiver, trace_pages: false })?;
    Ok((sample.by_way() >= 1.0).then(|| sample.cpu_us_per_response()))
}

fn note(samples: &mut Vec<(u64, Route, Vec<f64>)>, bytes: u64, route: Route, cpu_us: f64) {
    match samples.iter_mut().find(|(at, by, _)| (*at, *by) == (bytes, route)) {
        Some((_, _, of_route)) => of_route.push(cpu_us),
        None => samples.push((bytes, route, vec![cpu_us])),
    }
}

fn costs(samples: &[(u64, Route, Vec<f64>)]) -> Vec<Cost> {
    let cost = |(bytes, route, samples): &(u64, Route, Vec<f64>)| {
        let cpu_us = Spread::of(samples)?;
        Some(Cost { bytes: *bytes, route: route.name().to_owned(), cpu_us })
    };
    samples.iter().filter_map(cost).collect()
}
