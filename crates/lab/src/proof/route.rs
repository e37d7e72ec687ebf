//! Whether one route copies.

use crate::measure::way::Way;
use crate::measure::worker::protocol::Load;
use crate::measure::{Aliasing, Pair, Run, Sample};
use crate::record::{KernelWord, ProofLine, Receiver, Residency};
use crate::routes::cell::{by_aliasing, by_report, copies};

/// Queued whole while nobody reads.
const ALIASING_BYTES: u64 = 64 << 10;
/// The control must keep its old bytes, or the test proves nothing.
const CONTROL: &str = "copy";
/// A stream long enough that pages for its copies stand out from those for everything else.
const TRACED: Load = Load { bytes: 1 << 20, header_bytes: 0, responses: 16 };
/// Fewer bytes of pages than this per byte sent: nothing was copied. More than the other: everything was.
pub(super) const NONE_COPIED: f64 = 0.05;
pub(super) const ALL_COPIED: f64 = 0.8;

/// The line of `way`. A route that the kernel refuses is a line, not an error.
pub(super) fn line(pair: &mut Pair, way: Way) -> anyhow::Result<ProofLine> {
    let control = pair.alias(Way::from_name(CONTROL).unwrap_or(way), ALIASING_BYTES)?;
    let test = match pair.alias(way, ALIASING_BYTES) {
        Ok(test) if test.queued.by_way == test.bytes => test,
        Ok(test) => return Ok(missing(way, test.queued.refusal.unwrap_or_else(|| NO_REASON.to_owned()))),
        Err(error) => return Ok(missing(way, format!("{error:#}"))),
    };
    let traced = traced(pair, way);
    let allocated = traced.as_ref().and_then(|sample| sample.sent.allocated.clone()?.ok());
    let allocated = allocated.map(|bytes| bytes as f64 / TRACED.total() as f64);
    let word = traced.and_then(|sample| sample.sent.word).filter(|word| word.completions > 0);
    Ok(told(way, &test, control.aliased, allocated, word))
}

const NO_REASON: &str = "another way stood in for it, and the kernel did not say why";

/// A stream, with the pages that the kernel allocated for it where it lets us see them.
fn traced(pair: &mut Pair, way: Way) -> Option<Sample> {
    let run =
        Run { way, load: TRACED, residency: Residency::Hot, receiver: Receiver::Drain, trace_pages: true };
    pair.run(run).ok()
}

fn told(
    way: Way,
    test: &Aliasing,
    control: f64,
    allocated: Option<f64>,
    kernel_word: Option<KernelWord>,
) -> ProofLine {
    let reported_copied = kernel_word.and_then(KernelWord::copied_share);
    let (cpu_copies, _) = copies(way, Some(test.aliased), reported_copied);
    let witnesses = [
        (by_aliasing(way, Some(test.aliased)).is_some(), "aliasing"),
        (by_report(way, reported_copied).is_some(), "kernel-report"),
        (allocated.is_some_and(|share| !(NONE_COPIED..=ALL_COPIED).contains(&share)), "page-allocations"),
    ];
    let how: Vec<&str> = witnesses.into_iter().filter(|(told, _)| *told).map(|(_, name)| name).collect();
    ProofLine {
        route: way.name().to_owned(),
        available: true,
        why: None,
        aliased: Some(test.aliased),
        control: Some(control),
        cpu_copies: Some(cpu_copies),
        how: Some(if how.is_empty() { ProofLine::BY_PATH.to_owned() } else { how.join("+") }),
        allocated,
        reported_copied,
        kernel_word,
    }
}

fn missing(way: Way, why: String) -> ProofLine {
    ProofLine {
        route: way.name().to_owned(),
        available: false,
        why: Some(why),
        aliased: None,
        control: None,
        cpu_copies: None,
        how: None,
        allocated: None,
        reported_copied: None,
        kernel_word: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::worker::protocol::Queued;

    fn test(aliased: f64) -> Aliasing {
        Aliasing { aliased, bytes: 1, queued: Queued { by_way: 1, refusal: None } }
    }

    #[test]
    fn every_witness_that_decides_is_named() {
        let way = Way::from_name("sendfile").unwrap();
        let line = told(way, &test(1.0), 0.0, Some(0.001), None);
        assert_eq!((line.cpu_copies, line.how.as_deref()), (Some(0), Some("aliasing+page-allocations")));
        let copied = KernelWord { sends: 4, completions: 3, copied: 3 };
        let way = Way::from_name("zerocopy").unwrap();
        let line = told(way, &test(0.0), 0.0, Some(0.4), Some(copied));
        assert_eq!((line.cpu_copies, line.how.as_deref()), (Some(1), Some("aliasing+kernel-report")));
        assert_eq!((line.reported_copied, line.kernel_word), (Some(1.0), Some(copied)));
    }

    #[test]
    fn what_passed_through_a_buffer_of_its_own_is_not_proved_by_aliasing() {
        for way in ["direct", "uring", "copy"] {
            let way = Way::from_name(way).unwrap();
            let how = |allocated| told(way, &test(0.0), 0.0, allocated, None).how.unwrap();
            assert_eq!(
                (how(Some(1.0)), how(None)),
                ("page-allocations".to_owned(), ProofLine::BY_PATH.to_owned())
            );
        }
    }

    #[test]
    fn a_missing_route_says_why_and_nothing_else() {
        let line = serde_json::to_value(missing(Way::FLOOR, "no".into())).unwrap();
        assert_eq!(line, serde_json::json!({"route": "sendfile-bare", "available": false, "why": "no"}));
    }
}
