//! From samples to a cell. Pure.

use std::collections::BTreeMap;

use pagewire_zcopy::Route;

use super::matrix::Setting;
use super::system;
use crate::copies::{self, Seen};
use crate::measure::way::Way;
use crate::measure::worker::low_water;
use crate::measure::{Sample, Terms};
use crate::record::{KernelWord, Machine, Residency, RouteCell};
use crate::spread::Spread;

/// What this share of the bytes did, all of them did.
const DECIDED: f64 = 0.99;
/// Crossings of the border for each call and each fault: in and out.
const CROSSINGS_EACH: f64 = 2.0;
const MIB: f64 = 1_048_576.0;

/// What a cell is made of beside its own samples.
pub(super) struct Around<'s> {
    /// Samples of the bare loop in the same setting.
    pub(super) bare: Option<&'s [Sample]>,
    /// What the aliasing test of this way, size and residency gave on this link.
    pub(super) aliased: Option<f64>,
    /// Bytes of the response that it was made on.
    pub(super) tested_bytes: Option<u64>,
    pub(super) terms: Terms,
    pub(super) machine: &'s Machine,
}

/// The cell of `setting`; `None` without samples.
pub(super) fn cell(setting: Setting, samples: &[Sample], around: &Around<'_>) -> Option<RouteCell> {
    let spread = |figure: fn(&Sample) -> f64| Spread::of(&samples.iter().map(figure).collect::<Vec<f64>>());
    let middle = |figure: fn(&Sample) -> f64| spread(figure).map(|spread| spread.median);
    let load = samples.first()?.load;
    let syscalls = middle(|sample| sample.syscalls() as f64 * MIB / sample.bytes())?;
    let faults = middle(|sample| sample.sent.usage.faults as f64 * MIB / sample.bytes())?;
    let by_route = middle(Sample::by_way)?;
    let took = if setting.way == Way::Auto { took(samples) } else { BTreeMap::new() };
    let word: KernelWord = samples.iter().filter_map(|sample| sample.sent.word).sum();
    // The test was held against its control before it came here.
    let (aliased, control) = (around.aliased, around.aliased.map(|_| 0.0));
    let seen = Seen { aliased, control, reported: word.copied_share(), allocated: None };
    let copies = copies::of(taken(setting.way, &took), seen);
    let processes = spread(Sample::processes_cpu_s_per_gb)?;
    let (system_cpu_s_per_gb, system_how) = system::cost(samples, processes);
    Some(RouteCell {
        route: setting.way.name().to_owned(),
        bytes: setting.bytes,
        residency: setting.residency,
        receiver: setting.receiver,
        link: setting.link,
        cpu_s_per_gb: spread(Sample::cpu_s_per_gb)?,
        system_cpu_s_per_gb,
        system_how: system_how.to_owned(),
        processes_cpu_s_per_gb: Some(processes),
        mb_per_s: spread(|sample| sample.bytes() / 1e6 / sample.seconds())?,
        cpu_us_per_response: spread(Sample::cpu_us_per_response)?,
        syscalls_per_mib: syscalls,
        crossings_per_mib: (syscalls + faults) * CROSSINGS_EACH,
        faults_per_mib: faults,
        cpu_copies: copies.count,
        // What others carried says nothing of this way.
        measured: copies.decided && by_route >= DECIDED,
        dma_copies: setting.way.dma_by_path(setting.residency == Residency::Cold),
        by_route,
        took,
        why: samples.iter().find_map(|sample| sample.sent.refusal.clone()),
        x_bare: around.bare.and_then(|bare| ratio(samples, bare)),
        header_bytes: load.header_bytes,
        syscalls_how: if around.terms.syscalls_counted { "counted" } else { "reported" }.to_owned(),
        measured_bytes: tested(samples, around.tested_bytes),
        cold_how: samples.iter().find_map(|sample| sample.sent.cold_how),
        pages_from: (setting.residency == Residency::Hot).then_some(around.terms.pages_from),
        pinned_cpu: around.terms.pinned_cpu,
        scheduling: Some(around.terms.scheduling),
        receive_low_water_bytes: Some(low_water(load.total())),
        rounds: samples.len(),
        responses_per_round: load.responses,
        machine: around.machine.clone(),
    })
}

/// Bytes of the response that the aliasing test was made on, unless the kernel has reported on the very sends.
fn tested(samples: &[Sample], bytes: Option<u64>) -> Option<u64> {
    let is_reported = samples.iter().any(|sample| sample.sent.word.is_some_and(|word| word.completions > 0));
    bytes.filter(|_| !is_reported)
}

/// The share of the file's bytes that each route took, over all samples.
fn took(samples: &[Sample]) -> BTreeMap<String, f64> {
    let all: f64 = samples.iter().map(Sample::bytes).sum();
    let by = |route: Route| {
        let bytes = samples.iter().filter_map(|sample| sample.sent.took.get(route.index())).sum::<u64>();
        (bytes > 0).then(|| (route.name().to_owned(), bytes as f64 / all))
    };
    Route::ALL.into_iter().filter_map(by).collect()
}

/// The way whose path the bytes took: for what chooses by itself the route that it chose, if that was one for all.
fn taken(way: Way, took: &BTreeMap<String, f64>) -> Way {
    let for_all = took.iter().find(|(_, share)| **share >= DECIDED);
    for_all.and_then(|(name, _)| Way::from_name(name)).unwrap_or(way)
}

/// The middle of the ratios within each round.
fn ratio(samples: &[Sample], bare: &[Sample]) -> Option<f64> {
    let costs = |samples: &[Sample]| samples.iter().map(Sample::cpu_s_per_gb).collect::<Vec<f64>>();
    Spread::of_ratios(&costs(samples), &costs(bare)).map(|spread| spread.median)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::testing::sample;
    use crate::record::{Link, PagesFrom, Receiver, Scheduling};

    /// The cell of one sample, whose bytes went by reference.
    fn cell_of(way: &str, sample: Sample) -> RouteCell {
        cell_of_all(way, &[sample], Some(1.0))
    }

    fn cell_of_all(way: &str, samples: &[Sample], aliased: Option<f64>) -> RouteCell {
        let way = Way::from_name(way).unwrap();
        let (residency, receiver, link) = (Residency::Hot, Receiver::Drain, Link::Loopback);
        let setting = Setting { way, bytes: samples[0].load.bytes, residency, receiver, link };
        let terms = Terms {
            syscalls_counted: true,
            pages_from: PagesFrom::ReadAhead,
            pinned_cpu: Some(3),
            scheduling: Scheduling::Batch,
        };
        let machine = crate::machine::here(std::path::Path::new("."));
        cell(setting, samples, &Around { bare: None, aliased, tested_bytes: None, terms, machine: &machine })
            .unwrap()
    }

    #[test]
    fn figures_are_about_the_files_bytes_and_a_fault_crosses_the_border_as_a_call_does() {
        let mut one = sample(1 << 20);
        one.load.header_bytes = 1 << 20;
        one.sent.usage.cpu_ns = 1 << 20;
        one.sent.usage.faults = 3;
        one.sent.calls = 4;
        let cell = cell_of("sendfile", one);
        assert_eq!((cell.cpu_s_per_gb.median, cell.syscalls_per_mib, cell.faults_per_mib), (1.0, 4.0, 3.0));
        assert!((cell.crossings_per_mib - 14.0).abs() < 1e-9);
        assert_eq!((cell.pages_from, cell.pinned_cpu), (Some(PagesFrom::ReadAhead), Some(3)));
    }

    #[test]
    fn copies_of_what_another_way_half_carried_are_not_measured() {
        assert!(cell_of("sendfile", sample(100)).measured);
        let mut half = sample(100);
        half.sent.by_way = 50;
        assert!(!cell_of("sendfile", half).measured);
    }

    #[test]
    fn what_chooses_by_itself_says_what_it_chose() {
        let mut one = sample(100);
        one.sent.took[Route::Copy.index()] = 25;
        one.sent.took[Route::Sendfile.index()] = 75;
        let shares = [("copy", 0.25), ("sendfile", 0.75)].map(|(name, share)| (name.to_owned(), share));
        assert_eq!(cell_of("auto", one.clone()).took, BTreeMap::from(shares));
        assert!(cell_of("sendfile", one).took.is_empty());
    }

    #[test]
    fn what_chooses_by_itself_is_judged_by_what_it_chose() {
        let took =
            |shares: &[(&str, f64)]| shares.iter().map(|&(name, share)| (name.into(), share)).collect();
        assert_eq!(taken(Way::Auto, &took(&[("copy", 1.0)])).name(), "copy");
        assert_eq!(taken(Way::Auto, &took(&[("sendfile", 0.995), ("copy", 0.005)])).name(), "sendfile");
        assert_eq!(taken(Way::Auto, &took(&[("copy", 0.5), ("sendfile", 0.5)])), Way::Auto);
        assert_eq!(taken(Way::FLOOR, &BTreeMap::new()), Way::FLOOR);
    }

    #[test]
    fn the_kernels_word_is_that_of_all_samples_together() {
        let said = |copied| KernelWord { sends: 1, completions: 1, copied };
        let cell = |words: &[KernelWord]| {
            let samples = words.iter().map(|word| {
                let mut one = sample(100);
                one.sent.word = Some(*word);
                one
            });
            cell_of_all("zerocopy", &samples.collect::<Vec<Sample>>(), None)
        };
        let all = cell(&[said(1), said(1)]);
        assert_eq!((all.cpu_copies, all.measured), (1, true));
        // One round without a copy is not all of them.
        assert!(!cell(&[said(1), said(0), said(1)]).measured);
    }
    #[test]
    fn a_test_of_another_length_is_not_spoken_of_where_the_kernel_reported_on_the_sends_themselves() {
        let silent = sample(100);
        assert_eq!(tested(std::slice::from_ref(&silent), Some(64)), Some(64));
        assert_eq!(tested(std::slice::from_ref(&silent), None), None);
        let mut told = silent.clone();
        told.sent.word = Some(crate::record::KernelWord { sends: 1, completions: 1, copied: 0 });
        assert_eq!(tested(&[silent, told], Some(64)), None);
    }
}
