//! Which route the broker takes for which length, and whether that was measured, here or elsewhere.

use pagewire_zcopy::{MeasuredOn, Route, Step, Thresholds};

use super::measured::{changes, day, here};
use crate::finding::Finding;
use crate::plan::{Origin, Plan};

pub(crate) fn look(plan: &Plan) -> Vec<Finding> {
    vec![match plan.route {
        Some(route) => forced(route),
        None => judge(&said(&plan.thresholds), &plan.thresholds_from, &here()),
    }]
}

/// One route for all, which no length changes.
fn forced(route: Route) -> Finding {
    Finding::ok(
        "thresholds",
        format!("not asked: everything goes by {route}, as pagewire.transfer.route says"),
    )
    .advise("pagewire.transfer.route=auto goes by the length of what is sent")
}

/// `up to 8 KiB by copy, above by sendfile`.
fn said(thresholds: &Thresholds) -> String {
    let length = |bytes: u64| match bytes {
        bytes if bytes.is_multiple_of(1024) => format!("{} KiB", bytes / 1024),
        bytes => format!("{bytes} bytes"),
    };
    let step = |step: &Step| match step.up_to_bytes {
        u64::MAX if thresholds.steps().len() == 1 => format!("everything by {}", step.route),
        u64::MAX => format!("above by {}", step.route),
        bytes => format!("up to {} by {}", length(bytes), step.route),
    };
    thresholds.steps().iter().map(step).collect::<Vec<_>>().join(", ")
}

const MEASURE: &str =
    "pagewire lab calibrate measures them on this machine and leaves them in the data directory";

fn judge(thresholds: &str, from: &Origin, here: &MeasuredOn) -> Finding {
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
            "pagewire lab calibrate measures them on this machine and writes the file anew; where only this user may not \
             read it, ask as the broker's user",
        ),
    }
}

/// A file says of itself where it is from, or it does not.
fn judge_measured(thresholds: &str, text: &str, here: &MeasuredOn) -> Finding {
    let told = MeasuredOn::told_by(text);
    let day = day(&told).map(|day| format!(" ({day})")).unwrap_or_default();
    let found = format!("{thresholds}, as measured{day}");
    if told.kernel.is_none() && told.cpu.is_none() {
        let found = format!("{found}; whether on this machine and kernel the file does not say");
        return Finding::ok("thresholds", found).advise(MEASURE);
    }
    let changes = changes(&told, here);
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
    fn a_ladder_is_told_in_words_to_the_byte() {
        assert_eq!(said(&Thresholds::default()), "up to 8 KiB by copy, above by sendfile");
        assert_eq!(said(&Thresholds::copy_up_to(1025)), "up to 1025 bytes by copy, above by sendfile");
        assert_eq!(said(&Thresholds::copy_up_to(u64::MAX)), "everything by copy");
    }

    #[test]
    fn a_route_that_is_forced_leaves_nothing_to_thresholds() {
        let finding = look(&Plan { route: Some(Route::Splice), ..Plan::default() }).remove(0);
        assert!(
            finding.state == State::Ok && finding.found.contains("everything goes by splice"),
            "{finding:?}"
        );
    }

    #[test]
    fn the_defaults_are_ok_and_it_is_said_how_to_have_better_ones() {
        let default = judge("8192 copy, max sendfile", &Origin::Default, &here());
        assert!(default.state == State::Ok && default.advice.contains("lab calibrate"), "{default:?}");
    }

    #[test]
    fn thresholds_of_another_kernel_or_processor_could_be_better_and_silent_ones_are_said_to_be() {
        let on = |kernel: &str, cpu: &str| MeasuredOn {
            kernel: Some(kernel.to_owned()),
            cpu: Some(cpu.to_owned()),
            date: Some("2026-01-02T03:04:05Z".to_owned()),
        };
        let of = |place: &MeasuredOn| {
            let from = Origin::Measured(format!("# a word before\n{place}max copy\n"));
            judge("max copy", &from, &MeasuredOn { date: None, ..on("6.12.0", "A") })
        };
        let same = of(&on("6.12.0", "A"));
        assert!(same.state == State::Ok && same.found.contains("(2026-01-02)"), "{same:?}");
        assert!(same.advice.is_empty(), "{same:?}");
        for place in [on("6.13.0", "A"), on("6.12.0", "B")] {
            let other = of(&place);
            assert!(other.state == State::CouldBeBetter && other.found.contains("elsewhere: "), "{other:?}");
            assert!(other.advice.contains("lab calibrate"), "{other:?}");
        }
        let silent = of(&MeasuredOn::default());
        assert!(silent.state == State::Ok && silent.found.contains("does not say"), "{silent:?}");
    }

    #[test]
    fn what_was_measured_and_cannot_be_used_could_be_better() {
        let finding = judge("max copy", &Origin::Unusable("pigeon".to_owned()), &here());
        assert!(finding.state == State::CouldBeBetter && finding.found.contains("pigeon"), "{finding:?}");
    }
}
