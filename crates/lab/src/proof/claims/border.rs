//! Crossings of the border between program and kernel, and the copies on its two sides.

use super::{Bench, Tried, figures};
use crate::copies::{by_allocations, is_copied};
use crate::measure::Sample;
use crate::measure::gauge::Usage;
use crate::measure::way::Way;
use crate::proof::bench::allocated_per_byte;

/// Calls to count switches over.
const CALLS: u64 = 20_000;
/// Crossings per response may be off by the few calls that a stream begins and ends with.
const ABOUT: f64 = 0.5;
/// What mapping is said to keep.
const CALLS_OF_READ_AND_WRITE: f64 = 2.0;
/// What reads into a buffer that takes a whole response, and writes it.
const READ_AND_WRITE: Way = Way::ReadWrite(1 << 20);

/// Crossings per response: in and out for each call and for each fault.
fn crossings(sample: &Sample) -> f64 {
    (2 * (sample.syscalls() + sample.sent.usage.faults)) as f64 / sample.load.responses as f64
}

/// Whether they are these, for each response.
fn are(crossings: f64, expected: f64) -> bool {
    (crossings - expected).abs() < ABOUT
}

/// `read(2)` is the first copy, by what it is. The second is seen by the pages that the socket takes for it, of this
/// very loop; without a look at them it only follows from the path.
pub(super) fn read_and_send(bench: &mut Bench<'_>) -> anyhow::Result<Tried> {
    let crossings = crossings(&bench.stream(READ_AND_WRITE.name())?);
    let allocated = allocated_per_byte(&bench.traced(READ_AND_WRITE)?);
    let mut figures = figures([("crossings_per_response", crossings)]);
    figures.extend(allocated.map(|share| ("allocated_per_byte".to_owned(), share)));
    let second = match allocated {
        Some(share) => format!(
            "the socket took {share:.2} bytes of pages for each byte (1: the second copy; 0: none)"
        ),
        None => "the second copy, into the socket, follows from the path: which pages it takes may be seen by root only"
            .to_owned(),
    };
    Ok(Tried {
        holds: copies_twice(crossings, allocated),
        evidence: format!(
            "{crossings:.1} crossings for each response of 1 MiB through a buffer of 1 MiB; read(2) fills the buffer, the \
             first copy; {second}"
        ),
        figures,
    })
}

/// Wrong crossings are enough against it; for it the second copy must have been seen.
fn copies_twice(crossings: f64, allocated: Option<f64>) -> Option<bool> {
    if !are(crossings, 4.0) {
        return Some(false);
    }
    by_allocations(allocated?)
}

pub(super) fn sendfile(bench: &mut Bench<'_>) -> anyhow::Result<Tried> {
    let way = Way::FLOOR.name();
    let crossings = crossings(&bench.stream(way)?);
    let aliased = bench.aliased(way)?;
    Ok(Tried {
        holds: is_copied(aliased).map(|copied| !copied && are(crossings, 2.0)),
        evidence: format!(
            "{crossings:.1} crossings for each response of 1 MiB; {:.0} % of what the same loop had sent changed with the \
             file afterwards, and what changes was not copied",
            aliased * 100.0
        ),
        figures: figures([("crossings_per_response", crossings), ("aliased_share", aliased)]),
    })
}

pub(super) fn splice(bench: &mut Bench<'_>) -> anyhow::Result<Tried> {
    let by_sendfile = crossings(&bench.stream(Way::FLOOR.name())?);
    let by_splice = crossings(&bench.stream("splice")?);
    let aliased = bench.aliased("splice")?;
    Ok(Tried {
        holds: is_copied(aliased).map(|copied| !copied && by_splice > by_sendfile + ABOUT),
        evidence: format!(
            "{by_splice:.1} crossings for each response of 1 MiB, into a pipe and out of it, where sendfile has \
             {by_sendfile:.1}; {:.0} % of what was sent changed with the file afterwards, and what changes was not copied",
            aliased * 100.0
        ),
        figures: figures([
            ("crossings_per_response", by_splice),
            ("crossings_per_response_of_sendfile", by_sendfile),
            ("aliased_share", aliased),
        ]),
    })
}

pub(super) fn mapped(bench: &mut Bench<'_>) -> anyhow::Result<Tried> {
    let sample = bench.stream("mmap")?;
    let aliased = bench.aliased("mmap")?;
    let calls = sample.syscalls() as f64 / sample.load.responses as f64;
    let faults = sample.sent.usage.faults as f64 / sample.load.responses as f64;
    let is_counted = sample.sent.syscalls.is_some();
    let counted =
        if is_counted { "calls" } else { "calls that sent (those that map are counted for root only)" };
    Ok(Tried {
        holds: saves_and_keeps(aliased, calls, is_counted),
        evidence: format!(
            "no read(2), and so no copy out of the page cache; {:.0} % of what was sent changed with the file, and what \
             does not was copied into the socket; {calls:.1} {counted} and {faults:.1} page faults for each response of \
             1 MiB that is mapped anew",
            aliased * 100.0
        ),
        figures: figures([
            ("calls_per_response", calls),
            ("faults_per_response", faults),
            ("aliased_share", aliased),
        ]),
    })
}

/// A way that counts its own calls leaves those out that only map: then few of them say nothing.
fn saves_and_keeps(aliased: f64, calls: f64, is_counted: bool) -> Option<bool> {
    let keeps = if calls >= CALLS_OF_READ_AND_WRITE { Some(true) } else { is_counted.then_some(false) };
    if is_copied(aliased)? { keeps } else { Some(false) }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::testing::sample;

    #[test]
    fn a_second_copy_that_nobody_saw_leaves_the_claim_open() {
        assert_eq!(copies_twice(4.1, Some(0.98)), Some(true));
        assert_eq!(copies_twice(4.1, Some(0.01)), Some(false));
        assert_eq!((copies_twice(4.0, None), copies_twice(4.0, Some(0.4))), (None, None));
        assert_eq!(copies_twice(2.0, None), Some(false), "too few crossings are enough against it");
    }

    #[test]
    fn calls_that_nobody_counted_do_not_speak_against_the_map() {
        assert_eq!(saves_and_keeps(0.0, 6.0, true), Some(true));
        assert_eq!(saves_and_keeps(0.0, 1.0, true), Some(false));
        assert_eq!(saves_and_keeps(0.0, 1.0, false), None);
        assert_eq!(
            saves_and_keeps(1.0, 1.0, false),
            Some(false),
            "what changes with the file was not copied at all"
        );
        assert_eq!(saves_and_keeps(0.5, 6.0, true), None);
    }

    #[test]
    fn a_fault_crosses_the_border_as_a_call_does() {
        let mut one = sample(1 << 20);
        (one.sent.calls, one.sent.usage.faults) = (2, 3);
        assert!((crossings(&one) - 10.0).abs() < 1e-9);
    }
}
