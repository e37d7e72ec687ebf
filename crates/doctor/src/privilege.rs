//! Who asks. No check takes another way for root; but the kernel opens and allows root what it refuses to others, so
//! the same checks can answer differently.

use rustix::process::geteuid;

use crate::Plan;
use crate::finding::Finding;

/// What the same checks answer otherwise for root.
const AS_ROOT: &str = "no check needs root. To root they answer differently where the kernel does: a data directory that \
                       is closed to this user is open, io_uring is allowed while kernel.io_uring_disabled is 1, and \
                       every congestion control may be chosen";
/// Root is not who the broker should run as.
const NOT_ROOT: &str = "run it as the broker's user too: a directory that is closed to that user, an io_uring that it is \
                        refused (kernel.io_uring_disabled=1), a congestion control that it may not choose are open to \
                        root";

pub(crate) fn look(_: &Plan) -> Vec<Finding> {
    vec![judge(geteuid().as_raw())]
}

fn judge(user: u32) -> Finding {
    if user == 0 {
        return Finding::ok("privilege", "running as root").advise(NOT_ROOT);
    }
    Finding::ok("privilege", format!("running as user {user}")).advise(AS_ROOT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_is_told_what_the_same_checks_answer_to_the_other_and_nothing_that_no_check_does() {
        for advice in [judge(1000).advice, judge(0).advice] {
            assert!(advice.contains("io_uring_disabled") && advice.contains("directory"), "{advice}");
            assert!(!["adjtimex", "hdparm", "dmesg", "modprobe"].iter().any(|tool| advice.contains(tool)));
        }
        assert!(judge(0).advice.contains("as the broker's user"));
    }
}
