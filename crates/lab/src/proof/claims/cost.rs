//! What two ways cost the sender, held against each other in turn.

use super::{Bench, Tried, words};
use crate::measure::Sample;
use crate::measure::way::Way;

/// A library that is as cheap as the bare call, but for noise between rounds.
const AS_CHEAP: f64 = 1.1;
const UNIT: &str = "CPU s/GB";

pub(super) fn sendfile_or_read(bench: &mut Bench<'_>) -> anyhow::Result<Tried> {
    let rounds = bench.streams(Way::FLOOR.name(), "read-write-1m")?;
    let sender = rounds.by(Sample::cpu_s_per_gb)?;
    let both = rounds.by(Sample::processes_cpu_s_per_gb)?;
    let mut figures = sender.figures("sendfile_cpu_s_per_gb", "read_write_cpu_s_per_gb");
    figures.insert("ratio_both_ends".to_owned(), both.middle());
    Ok(Tried {
        holds: sender.is_below(1.0),
        evidence: format!(
            "{}; sender and receiver together {:.2} times",
            sender.told("responses of 1 MiB: sendfile", "read and write", UNIT, 3),
            both.middle()
        ),
        figures,
    })
}

pub(super) fn mapped_or_read(bench: &mut Bench<'_>) -> anyhow::Result<Tried> {
    let compared = bench.compare("mmap", "read-write-1m")?;
    Ok(Tried {
        holds: compared.is_below(1.0),
        evidence: compared.told("responses of 1 MiB: mapped anew each time", "read and written", UNIT, 3),
        figures: compared.figures("mmap_cpu_s_per_gb", "read_write_cpu_s_per_gb"),
    })
}

/// Both as the library does it, so that they differ in nothing else.
pub(super) fn mapped_or_sendfile(bench: &mut Bench<'_>) -> anyhow::Result<Tried> {
    let compared = bench.compare("mmap", "sendfile")?;
    let holds = compared.is_below(1.0);
    let told = compared.told("responses of 1 MiB: mapped anew each time", "by sendfile", UNIT, 3);
    let follows = words(holds, "the map is the cheaper one", "sendfile is the cheaper one");
    Ok(Tried {
        holds,
        evidence: format!("{told}: {follows}"),
        figures: compared.figures("mmap_cpu_s_per_gb", "sendfile_cpu_s_per_gb"),
    })
}

pub(super) fn transfer_to(bench: &mut Bench<'_>) -> anyhow::Result<Tried> {
    let compared = bench.compare(Way::TransferTo.name(), Way::FLOOR.name())?;
    let told = compared.told("responses of 1 MiB: transfer_to of this library", "the bare loop", UNIT, 3);
    Ok(Tried {
        holds: compared.is_below(AS_CHEAP),
        evidence: format!("{told}; up to {AS_CHEAP} times counts as no more"),
        figures: compared.figures("transfer_to_cpu_s_per_gb", "bare_cpu_s_per_gb"),
    })
}
