//! Measuring a matrix, round by round: in each round everything is measured once, so that whatever disturbs the machine
//! for a while disturbs all ways alike.

use std::collections::HashMap;
use std::path::Path;

use anyhow::ensure;

use super::aliased::Aliased;
use super::cell::{Around, cell};
use super::matrix::{Matrix, Setting};
use super::skipped::{Missing, Skipped};
use crate::machine;
use crate::measure::way::Way;
use crate::measure::worker::Program;
use crate::measure::worker::protocol::Load;
use crate::measure::{Pair, Run, Sample};
use crate::record::{Link, Machine, Residency, RouteCell};
use crate::size;
use crate::watch::Watch;

/// What was measured.
pub(super) type Samples = HashMap<Setting, Vec<Sample>>;

/// Measures `matrix` with a file in `dir`. When `watch` says stop, what there is is the answer.
///
/// # Errors
/// Where nothing at all can be measured: no worker, no file, no link.
pub fn run(
    program: &Program,
    matrix: &Matrix,
    dir: &Path,
    watch: &mut dyn Watch,
) -> anyhow::Result<Vec<RouteCell>> {
    let machine = machine::here(dir);
    let mut pairs = start(program, matrix, dir, watch)?;
    watch.begin(matrix.steps(pairs.len()));
    let tests: Vec<Aliased> = pairs.iter_mut().map(|pair| Aliased::of(pair, matrix, &*watch)).collect();
    let mut skipped = without_cold(&mut pairs, matrix, watch);
    let samples = rounds(&mut pairs, matrix, &mut skipped, watch);
    ensure!(!samples.is_empty() || watch.is_stopped(), "nothing could be measured");
    let of_links = pairs.iter().zip(&tests);
    Ok(of_links.flat_map(|(pair, aliased)| cells(matrix, pair, aliased, &samples, &machine)).collect())
}

/// All rounds, until `watch` says stop.
fn rounds(pairs: &mut [Pair], matrix: &Matrix, skipped: &mut Skipped, watch: &mut dyn Watch) -> Samples {
    let mut samples = Samples::new();
    for round in 0..matrix.rounds {
        for pair in &mut *pairs {
            for setting in matrix.settings_of_round(pair.link, round) {
                if watch.is_stopped() {
                    return samples;
                }
                watch.step(&told(setting, round, matrix.rounds));
                if skipped.has(setting) {
                    continue;
                }
                match measure(pair, of(matrix, setting), &*watch) {
                    Ok(sample) => samples.entry(setting).or_default().push(sample),
                    // Given up by whoever looks on, and nobody's fault.
                    Err(_) if watch.is_stopped() => return samples,
                    Err(missing) => skipped.give_up(setting, &missing, watch),
                }
            }
        }
    }
    samples
}

/// One sample, or why there is none.
fn measure(pair: &mut Pair, run: Run, watch: &dyn Watch) -> Result<Sample, Missing> {
    let sample = pair.run_watched(run, watch).map_err(|error| Missing::Failed(format!("{error:#}")))?;
    if sample.sent.by_way == 0 {
        let refusal = sample.sent.refusal.clone();
        return Err(Missing::Refused(refusal.unwrap_or_else(|| "nothing went this way".to_owned())));
    }
    Ok(sample)
}

/// Tries once on each link whether the file can be cold at all, where that is asked for.
fn without_cold(pairs: &mut [Pair], matrix: &Matrix, watch: &mut dyn Watch) -> Skipped {
    let mut skipped = Skipped::default();
    if matrix.residencies.contains(&Residency::Cold) {
        for pair in pairs {
            match pair.chill(&*watch) {
                Err(error) if !watch.is_stopped() => {
                    skipped.give_up_all(pair.link, Residency::Cold, &format!("{error:#}"), watch);
                }
                _ => {}
            }
        }
    }
    skipped
}

/// The links that can be had. One that cannot is told, and left out.
fn start(program: &Program, matrix: &Matrix, dir: &Path, watch: &mut dyn Watch) -> anyhow::Result<Vec<Pair>> {
    let mut pairs = Vec::new();
    let mut last = None;
    for &link in &matrix.links {
        match Pair::start_watched(program, link, dir, matrix.file_bytes(), &*watch) {
            Ok(pair) => pairs.push(pair),
            Err(error) if matrix.links.len() > 1 => {
                watch.note(&format!("{}: {error:#}; left out", link.name()));
                last = Some(error);
            }
            Err(error) => last = Some(error),
        }
    }
    match last {
        Some(error) if pairs.is_empty() => Err(error),
        _ => Ok(pairs),
    }
}

fn of(matrix: &Matrix, setting: Setting) -> Run {
    let load = Load {
        bytes: setting.bytes,
        header_bytes: matrix.header_bytes,
        responses: matrix.responses(setting.bytes),
    };
    Run {
        way: setting.way,
        load,
        residency: setting.residency,
        receiver: setting.receiver,
        trace_pages: false,
    }
}

fn told(setting: Setting, round: usize, rounds: usize) -> String {
    format!("round {} of {rounds}: {}", round + 1, named(setting))
}

fn named(setting: Setting) -> String {
    let Setting { way, bytes, residency, receiver, link } = setting;
    let names = [link.name(), residency.name(), receiver.name()].join(", ");
    format!("{} {} ({names})", way.name(), size::text(bytes))
}

/// The cells of everything measured at least once over one link, with the copies as it has them.
fn cells(
    matrix: &Matrix,
    pair: &Pair,
    aliased: &Aliased,
    samples: &Samples,
    machine: &Machine,
) -> Vec<RouteCell> {
    let machine = machine.clone().with_network(&pair.congestion, &pair.congestion_default, &pair.offloads);
    let of = |setting: Setting| {
        let around = Around {
            bare: samples.get(&setting.by(Way::FLOOR)).map(Vec::as_slice),
            aliased: aliased.share(setting.way, setting.bytes),
            terms: pair.terms,
            machine: &machine,
        };
        cell(setting, samples.get(&setting)?, &around)
    };
    matrix.settings(pair.link).into_iter().filter_map(of).collect()
}

impl Link {
    /// As the command line has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Veth => "veth",
            Self::VethNosg => "veth-nosg",
        }
    }
}

impl Residency {
    /// As the command line has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hot => "hot",
            Self::Cold => "cold",
        }
    }
}

impl crate::record::Receiver {
    /// As the command line has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Drain => "drain",
            Self::Read => "read",
        }
    }
}
