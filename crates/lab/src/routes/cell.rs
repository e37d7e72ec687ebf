//! From samples to a cell. Pure.

use super::matrix::Setting;
use crate::measure::Sample;
use crate::measure::way::Way;
use crate::record::{Machine, Residency, RouteCell};
use crate::spread::Spread;

/// More than this share of new bytes means that all went by reference, less than the rest that all were copied. What
/// lies between would be neither, and is not taken for a measurement.
const DECIDED: f64 = 0.99;
/// Crossings of the border per call: in and out.
const CROSSINGS_PER_CALL: f64 = 2.0;
const MIB: f64 = 1_048_576.0;

/// The cell of `setting`; `None` without samples. `aliased` is what the aliasing test gave on this link.
pub(super) fn cell(
    setting: Setting,
    samples: &[Sample],
    bare: Option<&[Sample]>,
    aliased: Option<f64>,
    syscalls_counted: bool,
    machine: &Machine,
) -> Option<RouteCell> {
    let spread = |figure: fn(&Sample) -> f64| Spread::of(&samples.iter().map(figure).collect::<Vec<f64>>());
    let middle = |figure: fn(&Sample) -> f64| spread(figure).map(|spread| spread.median);
    let syscalls = middle(|sample| sample.syscalls() as f64 * MIB / sample.bytes())?;
    let faults = middle(|sample| sample.sent.usage.faults as f64 * MIB / sample.bytes())?;
    let cpu_s_per_gb = spread(Sample::cpu_s_per_gb)?;
    let copied = samples.iter().filter_map(|sample| sample.sent.word?.copied_share()).reduce(f64::min);
    let (cpu_copies, measured) = copies(setting.way, aliased, copied);
    Some(RouteCell {
        route: setting.way.name().to_owned(),
        bytes: setting.bytes,
        residency: setting.residency,
        receiver: setting.receiver,
        link: setting.link,
        cpu_s_per_gb,
        system_cpu_s_per_gb: spread(Sample::system_cpu_s_per_gb)?,
        mb_per_s: spread(|sample| sample.bytes() / 1e6 / sample.seconds())?,
        cpu_us_per_response: spread(Sample::cpu_us_per_response)?,
        syscalls_per_mib: syscalls,
        crossings_per_mib: syscalls * CROSSINGS_PER_CALL + faults,
        faults_per_mib: faults,
        cpu_copies,
        measured,
        dma_copies: setting.way.dma_by_path(setting.residency == Residency::Cold),
        by_route: middle(Sample::by_way)?,
        why: samples.iter().find_map(|sample| sample.sent.refusal.clone()),
        x_bare: bare.and_then(|bare| ratio(samples, bare)),
        header_bytes: samples.first()?.load.header_bytes,
        syscalls_how: if syscalls_counted { "counted" } else { "reported" }.to_owned(),
        rounds: samples.len(),
        machine: machine.clone(),
    })
}

/// The middle of the ratios within each round: what disturbed a round disturbed both.
fn ratio(samples: &[Sample], bare: &[Sample]) -> Option<f64> {
    let pairs = samples.iter().zip(bare);
    let ratios: Vec<f64> = pairs.map(|(one, floor)| one.cpu_s_per_gb() / floor.cpu_s_per_gb()).collect();
    Spread::of(&ratios).map(|spread| spread.median).filter(|ratio| ratio.is_finite())
}

/// Copies by the CPU, and whether they were measured. Where the kernel says of what it was to send without a copy that
/// it copied after all (`reported`), that is one more than the path has. Bytes that changed after they were sent had not
/// been copied; of a path that copies at most once, bytes that did not change were copied once. How often the rest were
/// copied follows from the path: once more than it says where a link undid what the path avoids.
pub(crate) fn copies(way: Way, aliased: Option<f64>, reported: Option<f64>) -> (u8, bool) {
    let by_path = way.copies_by_path();
    if reported.is_some_and(|share| share >= DECIDED) {
        return (by_path + 1, by_path == 0);
    }
    match aliased.filter(|_| way.starts_in_page_cache()) {
        Some(share) if share >= DECIDED => (0, true),
        Some(share) if share <= 1.0 - DECIDED => (by_path.max(1), by_path <= 1),
        _ => (by_path, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(way: &str, aliased: Option<f64>, reported: Option<f64>) -> (u8, bool) {
        copies(Way::from_name(way).unwrap(), aliased, reported)
    }

    #[test]
    fn what_aliases_was_not_copied_and_what_does_not_was() {
        assert_eq!(of("sendfile", Some(1.0), None), (0, true));
        assert_eq!(of("sendfile", Some(0.0), None), (1, true), "a link that cannot gather copies after all");
        assert_eq!(of("mmap", Some(0.0), None), (1, true));
        assert_eq!(of("copy", Some(0.0), None), (2, false), "twice follows from the path");
        assert_eq!(of("auto", Some(1.0), None), (0, true), "what chooses by itself may have chosen so");
        assert_eq!(of("sendfile", Some(0.5), None), (0, false));
        assert_eq!(of("copy", None, None), (2, false));
        assert_eq!(of("direct", Some(0.0), None), (1, false), "what a disk put into a buffer never changes");
    }

    #[test]
    fn a_copy_that_the_kernel_reports_is_one_more_than_the_path_has() {
        assert_eq!(of("zerocopy", Some(0.0), Some(1.0)), (1, true));
        assert_eq!(of("uring", Some(0.0), Some(1.0)), (2, false));
        assert_eq!(of("uring", Some(0.0), Some(0.0)), (1, true));
        assert_eq!(of("zerocopy", Some(1.0), Some(0.0)), (0, true));
    }
}
