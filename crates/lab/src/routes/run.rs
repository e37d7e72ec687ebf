//! Measuring a matrix, round by round: in each round everything is measured once, so that whatever disturbs the machine
//! for a while disturbs all ways alike.

use std::collections::HashMap;
use std::path::Path;

use anyhow::ensure;

use super::aliased::Aliased;
use super::cell::{Around, cell};
use super::matrix::{Amount, Matrix, SIZINGS, Setting};
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
type Samples = HashMap<Setting, Vec<Sample>>;
/// How much each measurement sends.
type Loads = HashMap<Setting, Load>;

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
    let matrix = &matrix.clone().within(machine.memory_mib << 20);
    watch.begin(steps_of_link(matrix).saturating_mul(matrix.links.len() as u64));
    let mut pairs = start(program, matrix, dir, watch)?;
    let mut skipped = without_cold(&mut pairs, matrix, watch);
    let tests: Vec<Aliased> =
        pairs.iter_mut().map(|pair| Aliased::of(pair, matrix, &skipped, watch)).collect();
    let loads = loads(&mut pairs, matrix, &mut skipped, watch);
    let samples = rounds(&mut pairs, matrix, &loads, &mut skipped, watch);
    ensure!(!samples.is_empty() || watch.is_stopped(), "nothing could be measured");
    let of_links = pairs.iter().zip(&tests);
    Ok(of_links.flat_map(|(pair, aliased)| cells(matrix, pair, aliased, &samples, &machine)).collect())
}

/// Its file, its tests of aliasing, its measurements.
fn steps_of_link(matrix: &Matrix) -> u64 {
    (1 + Aliased::steps(matrix)).saturating_add(matrix.steps())
}

/// How much each setting is to send: found by short measurements, where time decides.
fn loads(pairs: &mut [Pair], matrix: &Matrix, skipped: &mut Skipped, watch: &mut dyn Watch) -> Loads {
    let all = pairs.iter().flat_map(|pair| matrix.settings(pair.link));
    let mut loads: Loads = all.map(|setting| (setting, matrix.first_load(setting))).collect();
    if let Amount::Bytes(_) = matrix.amount {
        return loads;
    }
    for (number, part) in SIZINGS.into_iter().enumerate() {
        let round = Round { matrix, number, told: "how much to send" };
        let mut next = Loads::new();
        let load = |setting| loads.get(&setting).copied();
        round.measure(pairs, load, skipped, watch, |setting, sample| {
            next.insert(setting, matrix.load(setting, &sample, part));
        });
        loads = next;
    }
    loads
}

/// All rounds, until `watch` says stop.
fn rounds(
    pairs: &mut [Pair],
    matrix: &Matrix,
    loads: &Loads,
    skipped: &mut Skipped,
    watch: &mut dyn Watch,
) -> Samples {
    let mut samples = Samples::new();
    for number in 0..matrix.rounds {
        let told = &format!("round {} of {}", number + 1, matrix.rounds);
        let load = |setting| loads.get(&setting).copied();
        Round { matrix, number, told }.measure(pairs, load, skipped, watch, |setting, sample| {
            samples.entry(setting).or_default().push(sample);
        });
    }
    samples
}

/// One measurement of everything.
struct Round<'r> {
    matrix: &'r Matrix,
    /// From zero: each begins with another way.
    number: usize,
    /// What it is, in words.
    told: &'r str,
}

impl Round<'_> {
    /// Measures each setting that is not skipped and has a load, until `watch` says stop.
    fn measure(
        &self,
        pairs: &mut [Pair],
        load: impl Fn(Setting) -> Option<Load>,
        skipped: &mut Skipped,
        watch: &mut dyn Watch,
        mut keep: impl FnMut(Setting, Sample),
    ) {
        for pair in pairs {
            for setting in self.matrix.settings_of_round(pair.link, self.number) {
                if watch.is_stopped() {
                    return;
                }
                watch.step(&format!("{}: {}", self.told, named(setting)));
                let Some(load) = load(setting).filter(|_| !skipped.has(setting)) else { continue };
                match measure(pair, of(setting, load), &*watch) {
                    Ok(sample) => keep(setting, sample),
                    // Given up by whoever looks on, and nobody's fault.
                    Err(_) if watch.is_stopped() => return,
                    Err(missing) => skipped.give_up(setting, &missing, watch),
                }
            }
        }
    }
}

/// One sample, or why there is none.
fn measure(pair: &mut Pair, run: Run, watch: &dyn Watch) -> Result<Sample, Missing> {
    let sample = pair.run(run, watch).map_err(|error| Missing::Failed(format!("{error:#}")))?;
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

/// The links that can be had. One that cannot is told, and left out. None when `watch` says stop before all are there.
fn start(program: &Program, matrix: &Matrix, dir: &Path, watch: &mut dyn Watch) -> anyhow::Result<Vec<Pair>> {
    let mut pairs = Vec::new();
    let mut last = None;
    let bytes = matrix.file_bytes();
    for &link in &matrix.links {
        watch.step(&format!("a file of {} to send over {}", size::text(bytes), link.name()));
        let started = Pair::start(program, link, dir, bytes, &*watch);
        // What was given up has failed for no other reason.
        if watch.is_stopped() {
            return Ok(Vec::new());
        }
        match started {
            Ok(pair) => pairs.push(pair),
            Err(error) => {
                watch.skip(steps_of_link(matrix) - 1);
                if matrix.links.len() > 1 {
                    watch.note(&format!("{}: {error:#}; left out", link.name()));
                }
                last = Some(error);
            }
        }
    }
    match last {
        Some(error) if pairs.is_empty() => Err(error),
        _ => Ok(pairs),
    }
}

fn of(setting: Setting, load: Load) -> Run {
    let Setting { way, residency, receiver, .. } = setting;
    Run { way, load, residency, receiver, trace_pages: false }
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
        let share = aliased.share(setting.way, setting.bytes, setting.residency);
        let around = Around {
            bare: samples.get(&setting.by(Way::FLOOR)).map(Vec::as_slice),
            aliased: share.map(|share| share.aliased),
            tested_bytes: share.map(|share| share.bytes),
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Keeps what it is told.
    #[derive(Default)]
    struct Keeping {
        stopped: bool,
        told: Vec<String>,
        total: u64,
        done: u64,
    }

    impl Watch for Keeping {
        fn begin(&mut self, steps: u64) {
            self.total = steps;
            self.told.push("begin".to_owned());
        }

        fn step(&mut self, what: &str) {
            self.done += 1;
            self.told.push(what.to_owned());
        }

        fn skip(&mut self, steps: u64) {
            self.done += steps;
        }

        fn note(&mut self, line: &str) {
            self.told.push(format!("note: {line}"));
        }

        fn is_stopped(&self) -> bool {
            self.stopped
        }
    }

    #[test]
    fn the_work_begins_before_a_file_is_written_and_a_link_that_is_missing_is_all_its_steps() {
        let mut watch = Keeping::default();
        let links = Matrix { links: vec![Link::Loopback, Link::Veth], ..Matrix::quick() };
        let program = Program::new("/nowhere/at/all", [""; 0]);
        assert!(run(&program, &links, Path::new("."), &mut watch).is_err());
        let first: Vec<&str> = watch.told.iter().take(2).map(String::as_str).collect();
        assert_eq!(first, ["begin", "a file of 64 MiB to send over loopback"]);
        assert_eq!((watch.done, watch.total), (watch.total, 2 * steps_of_link(&links)));
        let notes = watch.told.iter().filter(|line| line.starts_with("note: ")).count();
        assert_eq!(notes, 2, "{:?}", watch.told);
    }

    #[test]
    fn what_is_stopped_before_it_starts_is_neither_an_error_nor_a_note() {
        let mut watch = Keeping { stopped: true, ..Keeping::default() };
        let program = Program::new("/nowhere/at/all", [""; 0]);
        assert_eq!(run(&program, &Matrix::quick(), Path::new("."), &mut watch).unwrap(), []);
        assert!(watch.told.iter().all(|line| !line.starts_with("note: ")), "{:?}", watch.told);
    }
}
