//! Which route the broker takes for which length, and whether that was measured, here or elsewhere.

use super::measured::{Place, date};
use crate::finding::Finding;
use crate::plan::{Origin, Plan};

pub(crate) fn look(plan: &Plan) -> Vec<Finding> {
    // Written, each step has a line of its own.
    let thresholds = plan.thresholds.to_string().lines().collect::<Vec<_>>().join(", ");
    vec![judge(&thresholds, &plan.thresholds_from, &Place::here())]
}

const MEASURE: &str =
    "pagewire lab calibrate measures them on this machine and leaves them in the data directory";

fn judge(thresholds: &str, from: &Origin, here: &Place) -> Finding {
    match from {
        Origin::Setting => Finding::ok("thresholds", format!("{thresholds}, as set")),
        Origin::Measured(text) => judge_measured(thresholds, text, here),
        Origin::Default => {
            Finding::ok("thresholds", format!("{thresholds}, which serve well on most machines"))
                .advise(MEASURE)
        }
        Origin::Unusable(why) => Finding::better(
            "thresholds",
            format!("{thresholds}, since those measured cannot be used: {why}"),
            MEASURE,
        ),
    }
}

/// A file says of itself where it is from, or it does not.
fn judge_measured(thresholds: &str, text: &str, here: &Place) -> Finding {
    let told = Place::told(text);
    let day = date(text).map(|day| format!(" ({day})")).unwrap_or_default();
    let found = format!("{thresholds}, as measured{day}");
    if told == Place::default() {
        let found = format!("{found}; whether on this machine and kernel the file does not say");
        return Finding::ok("thresholds", found).advise(MEASURE);
    }
    let changes = told.changes(here);
    if changes.is_empty() {
        return Finding::ok(
            "thresholds",
            format!("{found} with this kernel and processor, as far as the file says"),
        );
    }
    Finding::better("thresholds", format!("{found} elsewhere: {}", changes.join("; ")), MEASURE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    #[test]
    fn the_defaults_are_ok_and_it_is_said_how_to_have_better_ones() {
        let default = judge("8192 copy, max sendfile", &Origin::Default, &Place::here());
        assert!(default.state == State::Ok && default.advice.contains("lab calibrate"), "{default:?}");
    }

    #[test]
    fn thresholds_of_another_kernel_or_processor_could_be_better_and_silent_ones_are_said_to_be() {
        let here = Place { kernel: Some("6.12.0".to_owned()), cpu: Some("A".to_owned()) };
        let of = |text: &str| judge("max copy", &Origin::Measured(text.to_owned()), &here);
        let same = of("# kernel 6.12.0\n# cpu A\n# date 2026-01-02\nmax copy");
        assert!(
            same.state == State::Ok && same.found.contains("2026-01-02") && same.advice.is_empty(),
            "{same:?}"
        );
        for text in ["# kernel 6.13.0\n# cpu A", "# kernel 6.12.0\n# cpu B"] {
            let other = of(text);
            assert!(other.state == State::CouldBeBetter && other.found.contains("elsewhere: "), "{other:?}");
            assert!(other.advice.contains("lab calibrate"), "{other:?}");
        }
        let silent = of("max copy");
        assert!(silent.state == State::Ok && silent.found.contains("does not say"), "{silent:?}");
    }

    #[test]
    fn what_was_measured_and_cannot_be_used_could_be_better() {
        let finding = judge("max copy", &Origin::Unusable("pigeon".to_owned()), &Place::here());
        assert!(finding.state == State::CouldBeBetter && finding.found.contains("pigeon"), "{finding:?}");
    }
}
