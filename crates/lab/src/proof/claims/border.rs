//! Crossings of the border between program and kernel, and what they cost.

use super::{Bench, Tried, figures, is_copied};
use crate::measure::Sample;
use crate::measure::gauge::Usage;

/// Calls to count switches over.
const CALLS: u64 = 20_000;
/// A library that is as cheap as the bare call, but for noise between rounds.
const AS_CHEAP: f64 = 1.1;
/// Crossings per response may be off by the few calls that a stream begins and ends with.
const ABOUT: f64 = 0.5;
/// What mapping is said to keep.
const CALLS_OF_READ_AND_WRITE: f64 = 2.0;
const UNIT: &str = "CPU s/GB";

/// Crossings per response: in and out for each call, and faults.
fn crossings(sample: &Sample) -> f64 {
    (2 * sample.syscalls() + sample.sent.usage.faults) as f64 / sample.load.responses as f64
}

/// Whether they are these, for each response.
fn are(crossings: f64, expected: f64) -> bool {
    (crossings - expected).abs() < ABOUT
}

pub(super) fn read_and_send(bench: &mut Bench<'_>) -> anyhow::Result<Tried> {
    let sample = bench.stream("read-write-1m")?;
    let (aliased, allocated) = (bench.aliased("copy")?, bench.route("copy")?.allocated);
    let crossings = crossings(&sample);
    let pages = allocated.map_or(String::new(), |share| {
        format!(", the socket allocated {share:.2} bytes of pages for each byte")
    });
    let mut figures = figures([("crossings_per_response", crossings), ("aliased_share", aliased)]);
    figures.extend(allocated.map(|share| ("allocated_per_byte".to_owned(), share)));
    Ok(Tried {
        holds: is_copied(aliased).map(|copied| copied && are(crossings, 4.0)),
        evidence: format!(
            "{crossings:.1} crossings for each response of 1 MiB through a buffer of 1 MiB; read(2) fills the buffer (the \
             first copy), and {:.0} % of what was sent out of it changed with the file (what does not was copied into the \
             socket, the second){pages}",
            aliased * 100.0
        ),
        figures,
    })
}

pub(super) fn sendfile(bench: &mut Bench<'_>) -> anyhow::Result<Tried> {
    let sample = bench.stream("sendfile-bare")?;
    let aliased = bench.aliased("sendfile")?;
    let crossings = crossings(&sample);
    Ok(Tried {
        holds: is_copied(aliased).map(|copied| !copied && are(crossings, 2.0)),
        evidence: format!(
            "{crossings:.1} crossings for each response of 1 MiB; {:.0} % of what was sent changed with the file \
             afterwards, and what changes was not copied",
            aliased * 100.0
        ),
        figures: figures([("crossings_per_response", crossings), ("aliased_share", aliased)]),
    })
}

pub(super) fn sendfile_cost(bench: &mut Bench<'_>) -> anyhow::Result<Tried> {
    let rounds = bench.streams("sendfile-bare", "read-write-1m")?;
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

pub(super) fn mapped(bench: &mut Bench<'_>) -> anyhow::Result<Tried> {
    let sample = bench.stream("mmap")?;
    let aliased = bench.aliased("mmap")?;
    let calls = sample.syscalls() as f64 / sample.load.responses as f64;
    let faults = sample.sent.usage.faults as f64 / sample.load.responses as f64;
    Ok(Tried {
        holds: is_copied(aliased).map(|copied| copied && calls >= CALLS_OF_READ_AND_WRITE),
        evidence: format!(
            "no read(2), and so no copy out of the page cache; {:.0} % of what was sent changed with the file, and what \
             does not was copied into the socket; {calls:.1} calls and {faults:.1} page faults for each response of 1 MiB that is mapped anew",
            aliased * 100.0
        ),
        figures: figures([
            ("calls_per_response", calls),
            ("faults_per_response", faults),
            ("aliased_share", aliased),
        ]),
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

pub(super) fn transfer_to(bench: &mut Bench<'_>) -> anyhow::Result<Tried> {
    let compared = bench.compare("auto", "sendfile-bare")?;
    let told = compared.told("pieces of 1 MiB: this library, left to choose,", "the bare loop", UNIT, 3);
    Ok(Tried {
        holds: compared.is_below(AS_CHEAP),
        evidence: format!("{told}; up to {AS_CHEAP} times counts as no more"),
        figures: compared.figures("auto_cpu_s_per_gb", "bare_cpu_s_per_gb"),
    })
}

pub(super) fn switches(_: &mut Bench<'_>) -> anyhow::Result<Tried> {
    let before = Usage::now()?;
    for _ in 0..CALLS {
        // Asked of the kernel each time, and nothing to wait for.
        let _ = rustix::process::getppid();
    }
    let used = Usage::now()?.since(before);
    let switches = (used.waits + used.preemptions) as f64;
    let each_us = used.cpu_ns as f64 / 1e3 / CALLS as f64;
    Ok(Tried {
        holds: Some(switches >= CALLS as f64),
        evidence: format!(
            "{CALLS} calls, {switches:.0} context switches; a call costs {each_us:.2} us of CPU"
        ),
        figures: figures([("calls", CALLS as f64), ("switches", switches), ("cpu_us_per_call", each_us)]),
    })
}
