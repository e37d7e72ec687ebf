//! Who asks, and what root would see besides. Every check works without privilege; a few would see more with it.

use rustix::process::geteuid;

use crate::Plan;
use crate::finding::Finding;

/// What is closed to an ordinary user.
const MORE: &str = "nothing here needs root. Root would add: whether the kernel's clock is kept in step (adjtimex), \
                    what the drive itself says of its cache (hdparm -W, nvme id-ctrl), kernel messages about disks and \
                    memory (dmesg), and whether a missing kernel module can be loaded (modprobe tls)";

pub(crate) fn look(_: &Plan) -> Vec<Finding> {
    vec![judge(geteuid().as_raw())]
}

fn judge(user: u32) -> Finding {
    if user == 0 {
        let advice = "limits and permissions are those of whoever asks: run it as the broker's user too";
        return Finding::ok("privilege", "running as root").advise(advice);
    }
    Finding::ok("privilege", format!("running as user {user}")).advise(MORE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordinary_user_is_told_what_root_would_add() {
        assert!(judge(1000).advice.contains("Root would add"));
        assert!(judge(0).advice.contains("as the broker's user"));
    }
}
