//! Which route the broker takes for which length, and whether that was measured here.

use crate::finding::Finding;
use crate::plan::{Origin, Plan};

pub(crate) fn look(plan: &Plan) -> Vec<Finding> {
    // Written, each step has a line of its own.
    let thresholds = plan.thresholds.to_string().lines().collect::<Vec<_>>().join(", ");
    vec![judge(&thresholds, &plan.thresholds_from)]
}

fn judge(thresholds: &str, from: &Origin) -> Finding {
    const MEASURE: &str =
        "pagewire lab calibrate measures them on this machine and leaves them in the data directory";
    match from {
        Origin::Setting => Finding::ok("thresholds", format!("{thresholds}, as set")),
        Origin::Measured => Finding::ok("thresholds", format!("{thresholds}, as measured here")),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    #[test]
    fn the_defaults_are_ok_and_it_is_said_how_to_have_better_ones() {
        let default = judge("8192 copy, max sendfile", &Origin::Default);
        assert!(default.state == State::Ok && default.advice.contains("lab calibrate"), "{default:?}");
        assert_eq!(judge("max copy", &Origin::Measured).advice, "");
    }

    #[test]
    fn what_was_measured_and_cannot_be_used_could_be_better() {
        let finding = judge("max copy", &Origin::Unusable("pigeon".to_owned()));
        assert!(finding.state == State::CouldBeBetter && finding.found.contains("pigeon"), "{finding:?}");
    }
}
