//! Measuring a matrix, round by round: in each round everything is measured once, so that whatever disturbs the machine
//! for a while disturbs all ways alike.

use std::collections::HashMap;
use std::path::Path;

use anyhow::ensure;

use super::cell::cell;
use super::matrix::{Matrix, Setting};
use crate::machine;
use crate::measure::way::Way;
use crate::measure::worker::Program;
use crate::measure::worker::protocol::Load;
use crate::measure::{Pair, Run, Sample};
use crate::record::{Link, Machine, Residency, RouteCell};
use crate::size;
use crate::watch::Watch;

/// Bytes of the aliasing test that says whether a way copies on a link: queued whole while nobody reads.
const ALIASING_BYTES: u64 = 64 << 10;

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
    let mut samples = Samples::new();
    let mut given_up = Vec::new();
    'rounds: for round in 0..matrix.rounds {
        for pair in &mut pairs {
            for setting in matrix.settings(pair.link) {
                if watch.is_stopped() {
                    break 'rounds;
                }
                watch.step(&told(setting, round, matrix.rounds));
                if given_up.contains(&(setting.way, setting.link)) {
                    continue;
                }
                match measure(pair, of(matrix, setting)) {
                    Ok(sample) => samples.entry(setting).or_default().push(sample),
                    Err(why) => {
                        watch.note(&format!(
                            "{} over {}: {why}; left out",
                            setting.way.name(),
                            pair.link.name()
                        ));
                        given_up.push((setting.way, setting.link));
                    }
                }
            }
        }
    }
    ensure!(!samples.is_empty() || watch.is_stopped(), "nothing could be measured");
    Ok(cells(matrix, &mut pairs, &samples, &machine))
}

/// One sample, or why this way is not measured any more: another that stands in for it would only be measured twice.
fn measure(pair: &mut Pair, run: Run) -> Result<Sample, String> {
    let sample = pair.run(run).map_err(|error| format!("{error:#}"))?;
    if sample.sent.by_way == 0 {
        let refusal = sample.sent.refusal.clone();
        return Err(refusal.unwrap_or_else(|| "nothing went this way".to_owned()));
    }
    Ok(sample)
}

/// The links that can be had. One that cannot is told, and left out.
fn start(program: &Program, matrix: &Matrix, dir: &Path, watch: &mut dyn Watch) -> anyhow::Result<Vec<Pair>> {
    let mut pairs = Vec::new();
    let mut last = None;
    for &link in &matrix.links {
        match Pair::start(program, link, dir, matrix.file_bytes()) {
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

/// The cells of everything measured at least once, with the copies as this link has them.
fn cells(matrix: &Matrix, pairs: &mut [Pair], samples: &Samples, machine: &Machine) -> Vec<RouteCell> {
    let mut cells = Vec::new();
    for pair in pairs {
        let machine =
            machine.clone().with_network(&pair.congestion, &pair.congestion_default, &pair.offloads);
        let mut copies = HashMap::new();
        for setting in matrix.settings(pair.link) {
            let Some(of_cell) = samples.get(&setting) else { continue };
            let bare = samples.get(&setting.by(Way::FLOOR));
            let bytes = aliasing_bytes(setting);
            let aliased = *copies
                .entry((setting.way, bytes))
                .or_insert_with(|| pair.alias(setting.way, bytes).ok().map(|test| test.aliased));
            let counted = pair.syscalls_counted;
            cells.extend(cell(setting, of_cell, bare.map(Vec::as_slice), aliased, counted, &machine));
        }
    }
    cells
}

/// What the aliasing test of a cell sends. A way does the same at each length, but for the one that chooses by it.
fn aliasing_bytes(setting: Setting) -> u64 {
    match setting.way {
        Way::Auto => setting.bytes.min(ALIASING_BYTES),
        _ => ALIASING_BYTES,
    }
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
