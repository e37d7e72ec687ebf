//! Whether one route copies.

use super::bench::{Bench, Tested, allocated_per_byte};
use crate::copies::{self, Copies, Seen};
use crate::measure::way::Way;
use crate::record::{KernelWord, ProofLine};

const NO_REASON: &str = "could not be tried: another way stood in for it, and the kernel did not say why";

/// The line of `way`. A route that the kernel refuses is a line, not an error.
pub(super) fn line(bench: &mut Bench<'_>, way: Way) -> anyhow::Result<ProofLine> {
    let Tested { test, control } = bench.test(way)?;
    if test.queued.by_way < test.bytes {
        return Ok(match test.queued.refusal {
            Some(why) => missing(way, why),
            None => untold(way, NO_REASON.to_owned()),
        });
    }
    let traced = bench.traced(way);
    bench.go_on()?;
    let allocated = traced.as_ref().ok().and_then(allocated_per_byte);
    let word = traced.ok().and_then(|sample| sample.sent.word).filter(|word| word.completions > 0);
    let reported = word.and_then(KernelWord::copied_share);
    Ok(told(way, Seen { aliased: Some(test.aliased), control: Some(control), reported, allocated }, word))
}

fn told(way: Way, seen: Seen, kernel_word: Option<KernelWord>) -> ProofLine {
    let Copies { count, how, doubt, .. } = copies::of(way, seen);
    let Seen { aliased, control, reported, allocated } = seen;
    ProofLine {
        available: true,
        aliased,
        control,
        cpu_copies: Some(count),
        how: Some(how),
        allocated,
        reported_copied: reported,
        kernel_word,
        why: doubt,
        ..bare(way)
    }
}

/// The kernel does not have it.
fn missing(way: Way, why: String) -> ProofLine {
    ProofLine { why: Some(why), ..bare(way) }
}

/// It may be there, and nothing came of trying it.
pub(super) fn untold(way: Way, why: String) -> ProofLine {
    ProofLine { available: true, ..missing(way, why) }
}

fn bare(way: Way) -> ProofLine {
    ProofLine {
        route: way.name().to_owned(),
        available: false,
        why: None,
        aliased: None,
        control: None,
        cpu_copies: None,
        how: None,
        allocated: None,
        reported_copied: None,
        kernel_word: None,
        machine: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_what_was_seen_beside_what_follows_from_it() {
        let word = KernelWord { sends: 4, completions: 3, copied: 3 };
        let seen = Seen { aliased: Some(0.0), control: Some(0.0), reported: Some(1.0), allocated: Some(0.4) };
        let line = told(Way::from_name("zerocopy").unwrap(), seen, Some(word));
        assert_eq!((line.cpu_copies, line.how.as_deref()), (Some(1), Some("aliasing+kernel-report")));
        assert_eq!((line.aliased, line.control, line.allocated), (Some(0.0), Some(0.0), Some(0.4)));
        assert_eq!((line.reported_copied, line.kernel_word, line.why), (Some(1.0), Some(word), None));
    }

    #[test]
    fn a_control_that_changed_is_said_and_nothing_is_claimed_by_aliasing() {
        let seen = Seen { aliased: Some(1.0), control: Some(1.0), reported: None, allocated: None };
        let line = told(Way::FLOOR, seen, None);
        assert_eq!(line.how.as_deref(), Some(copies::BY_PATH));
        assert!(!line.is_measured() && line.why.unwrap().contains("control"));
    }

    #[test]
    fn the_two_of_copy_are_not_measured_by_pages_that_see_one() {
        let seen = Seen { aliased: Some(0.0), control: Some(0.0), reported: None, allocated: Some(1.0) };
        let line = told(Way::from_name("copy").unwrap(), seen, None);
        assert_eq!((line.cpu_copies, line.is_measured()), (Some(2), false));
        assert_eq!(line.how.as_deref(), Some("path+page-allocations"));
    }

    #[test]
    fn a_missing_route_says_why_and_nothing_else() {
        let line = serde_json::to_value(missing(Way::FLOOR, "no".into())).unwrap();
        assert_eq!(line, serde_json::json!({"route": "sendfile-bare", "available": false, "why": "no"}));
    }

    #[test]
    fn a_route_that_could_not_be_tried_is_not_said_to_be_missing() {
        let line = serde_json::to_value(untold(Way::FLOOR, "disk full".into())).unwrap();
        assert_eq!(
            line,
            serde_json::json!({"route": "sendfile-bare", "available": true, "why": "disk full"})
        );
    }
}
