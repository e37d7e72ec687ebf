//! Measuring for `lab calibrate`: each length by each route, round by round. A route that is refused or fails is left
//! out; only without copying there is nothing to measure against.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use pagewire_zcopy::Route;

use super::Rounds;
use crate::measure::way::Way;
use crate::measure::worker::Program;
use crate::measure::worker::protocol::Load;
use crate::measure::{Pair, Run, Sample, sizing};
use crate::record::{Link, Receiver, Residency};
use crate::routes::HEADER_BYTES;
use crate::size;
use crate::watch::Watch;

/// Routes that may be chosen by themselves: `copy` always goes, the others send by reference and fall back to it.
const CANDIDATES: [Route; 3] = [Route::Copy, Route::Sendfile, Route::Splice];
/// Lengths that are measured, as exponents of two: 1 KiB to 1 MiB.
const SHIFTS: std::ops::RangeInclusive<u32> = 10..=20;
/// The sender's CPU that each measurement takes; its rounds are many.
const CPU_EACH: Duration = Duration::from_millis(20);
/// The file, which is sent several times over.
const FILE_BYTES: u64 = 64 << 20;

/// The figures of all rounds, until `watch` says stop.
pub(super) fn all(
    program: &Program,
    dir: &Path,
    rounds: usize,
    watch: &mut dyn Watch,
) -> anyhow::Result<Vec<Rounds>> {
    let of_a_round = SHIFTS.count() * CANDIDATES.len();
    // One more round, which finds how much the others send; and the file.
    watch.begin(of_a_round.saturating_mul(rounds.saturating_add(1)) as u64 + 1);
    watch.step(&format!("a file of {}", size::text(FILE_BYTES)));
    let pair = match start(program, dir, &*watch) {
        // What was given up has failed for no other reason.
        Err(_) if watch.is_stopped() => return Ok(Vec::new()),
        started => started?,
    };
    let routes = CANDIDATES.to_vec();
    let mut bench = Bench { program, dir, pair, routes, loads: HashMap::new(), samples: Vec::new() };
    for number in 0..=rounds {
        match bench.round(number, rounds, watch) {
            Err(_) if watch.is_stopped() => break,
            done => done?,
        }
    }
    let Bench { mut samples, routes, .. } = bench;
    samples.retain(|of| routes.contains(&of.route));
    Ok(samples)
}

fn start(program: &Program, dir: &Path, watch: &dyn Watch) -> anyhow::Result<Pair> {
    Pair::start(program, Link::Loopback, dir, FILE_BYTES, watch)
}

/// What is measured with.
struct Bench<'b> {
    program: &'b Program,
    dir: &'b Path,
    pair: Pair,
    /// Those that are not left out.
    routes: Vec<Route>,
    /// How much to send, once that is known.
    loads: HashMap<(u64, Route), Load>,
    samples: Vec<Rounds>,
}

impl Bench<'_> {
    /// Everything once. In round zero it is found how much to send.
    fn round(&mut self, number: usize, rounds: usize, watch: &mut dyn Watch) -> anyhow::Result<()> {
        // Each begins with another route, so that none always comes after the same one.
        let (before, from) = CANDIDATES.split_at(number % CANDIDATES.len());
        for bytes in SHIFTS.map(|shift| 1 << shift) {
            for &route in from.iter().chain(before) {
                if watch.is_stopped() {
                    return Ok(());
                }
                let told =
                    if number == 0 { "how much to send" } else { &format!("round {number} of {rounds}") };
                watch.step(&format!("{told}: {route} {}", size::text(bytes)));
                if self.routes.contains(&route) {
                    self.measure(bytes, route, watch)?;
                }
            }
        }
        Ok(())
    }

    /// One sample, or one route less.
    fn measure(&mut self, bytes: u64, route: Route, watch: &mut dyn Watch) -> anyhow::Result<()> {
        let sized = self.loads.get(&(bytes, route)).copied();
        let load = sized.unwrap_or_else(|| sizing::probe(bytes, HEADER_BYTES, None));
        let (residency, receiver) = (Residency::Hot, Receiver::Drain);
        let run = Run { way: Way::Library(route), load, residency, receiver, trace_pages: false };
        let gone = match self.pair.run(run, &*watch) {
            Ok(sample) if sample.by_way() < 1.0 => "refused by the kernel".to_owned(),
            Ok(sample) if sized.is_none() => {
                self.loads.insert((bytes, route), sizing::sized(&sample, CPU_EACH, None));
                return Ok(());
            }
            Ok(sample) => {
                self.note(bytes, route, &sample);
                return Ok(());
            }
            // What the others are measured against, and without which nothing can be; or somebody has had enough.
            Err(error) if route == Route::Copy || watch.is_stopped() => return Err(error),
            Err(error) => {
                // The two may be waiting for each other's answers.
                self.pair = start(self.program, self.dir, &*watch)?;
                format!("{error:#}")
            }
        };
        watch.note(&format!("{route}: {gone}; left out"));
        self.routes.retain(|&other| other != route);
        Ok(())
    }

    fn note(&mut self, bytes: u64, route: Route, sample: &Sample) {
        let cpu_us = sample.cpu_us_per_response();
        match self.samples.iter_mut().find(|of| (of.bytes, of.route) == (bytes, route)) {
            Some(of) => of.cpu_us.push(cpu_us),
            None => self.samples.push(Rounds { bytes, route, cpu_us: vec![cpu_us] }),
        }
    }
}
