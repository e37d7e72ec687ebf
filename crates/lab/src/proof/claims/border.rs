//! Crossings of the border between program and kernel, and what they cost.

use anyhow::ensure;

use super::{Bench, Tried, figures};
use crate::measure::Sample;
use crate::measure::gauge::Usage;

/// Calls to count switches over.
const CALLS: u64 = 20_000;
/// A library that is as cheap as the bare call, but for noise between rounds.
const AS_CHEAP: f64 = 1.1;
/// Crossings per response may be off by the few calls that a stream begins and ends with.
const ABOUT: f64 = 0.5;

/// Crossings per response: in and out for each call, and faults.
fn crossings(sample: &Sample) -> f64 {
    (2 * sample.syscalls() + sample.sent.usage.faults) as f64 / sample.load.responses as f64
}

pub(super) fn read_and_send(bench: &mut Bench<'_>) -> anyhow::Result<Tried> {
    let sample = bench.stream("read-write-1m")?;
    let copy = bench.route("copy").cloned();
    let aliased = copy.as_ref().and_then(|line| line.aliased).unwrap_or(0.0);
    let allocated = copy.and_then(|line| line.allocated);
    let crossings = crossings(&sample);
    let pages = allocated.map_or(String::new(), |share| {
        format!(", the socket allocated {share:.2} bytes of pages for each byte")
    });
    let mut figures = figures([("crossings_per_response", crossings), ("aliased_share", aliased)]);
    figures.extend(allocated.map(|share| ("allocated_per_byte".to_owned(), share)));
    Ok(Tried {
        holds: (crossings - 4.0).abs() < ABOUT && aliased < 0.01,
        evidence: format!(
            "{crossings:.1} crossings for each response of 1 MiB through a buffer of 1 MiB; read(2) fills the buffer (the \
             first copy), and none of what was sent changed with the file (the second){pages}"
        ),
        figures,
    })
}

pub(super) fn sendfile(bench: &mut Bench<'_>) -> anyhow::Result<Tried> {
    let sample = bench.stream("sendfile-bare")?;
    let aliased = bench.route("sendfile").and_then(|line| line.aliased).unwrap_or(0.0);
    let crossings = crossings(&sample);
    let [bare, read_write] = bench.compare(["sendfile-bare", "read-write-1m"])?;
    Ok(Tried {
        holds: (crossings - 2.0).abs() < ABOUT && aliased > 0.99,
        evidence: format!(
            "{crossings:.1} crossings for each response of 1 MiB; {:.0} % of what was sent changed with the file, so it \
             was never copied; {bare:.3} CPU s/GB against {read_write:.3} by read and write, {:.1} times as much",
            aliased * 100.0,
            read_write / bare
        ),
        figures: figures([
            ("crossings_per_response", crossings),
            ("aliased_share", aliased),
            ("sendfile_cpu_s_per_gb", bare),
            ("read_write_cpu_s_per_gb", read_write),
        ]),
    })
}

pub(super) fn mapped(bench: &mut Bench<'_>) -> anyhow::Result<Tried> {
    let sample = bench.stream("mmap")?;
    let aliased = bench.route("mmap").and_then(|line| line.aliased).unwrap_or(0.0);
    let calls = sample.syscalls() as f64 / sample.load.responses as f64;
    let faults = sample.sent.usage.faults as f64 / sample.load.responses as f64;
    Ok(Tried {
        holds: aliased < 0.01 && calls >= 1.0,
        evidence: format!(
            "no read(2), and so no copy out of the page cache; none of what was sent changed with the file, so the socket \
             got one copy; {calls:.1} calls and {faults:.1} page faults for each response of 1 MiB"
        ),
        figures: figures([
            ("calls_per_response", calls),
            ("faults_per_response", faults),
            ("aliased_share", aliased),
        ]),
    })
}

pub(super) fn mapped_or_read(bench: &mut Bench<'_>) -> anyhow::Result<Tried> {
    let [mapped, read] = bench.compare(["mmap", "read-write-1m"])?;
    Ok(Tried {
        holds: mapped < read,
        evidence: format!(
            "mapped {mapped:.3} CPU s/GB, read and written {read:.3}: {:.2} times",
            mapped / read
        ),
        figures: figures([("mmap_cpu_s_per_gb", mapped), ("read_write_cpu_s_per_gb", read)]),
    })
}

pub(super) fn transfer_to(bench: &mut Bench<'_>) -> anyhow::Result<Tried> {
    let [auto, bare] = bench.compare(["auto", "sendfile-bare"])?;
    ensure!(bare > 0.0, "the bare call used no CPU that could be measured");
    let ratio = auto / bare;
    Ok(Tried {
        holds: ratio <= AS_CHEAP,
        evidence: format!(
            "this library, left to choose: {auto:.3} CPU s/GB in pieces of 1 MiB; the bare loop {bare:.3}: {ratio:.2} times"
        ),
        figures: figures([("auto_cpu_s_per_gb", auto), ("bare_cpu_s_per_gb", bare), ("ratio", ratio)]),
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
        holds: switches >= CALLS as f64,
        evidence: format!(
            "{CALLS} calls, {switches:.0} context switches; a call costs {each_us:.2} us of CPU"
        ),
        figures: figures([("calls", CALLS as f64), ("switches", switches), ("cpu_us_per_call", each_us)]),
    })
}
