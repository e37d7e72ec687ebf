//! Whether a system-call filter (seccomp) stands between this process and the kernel: containers bring one, and its
//! refusals look like those of an old kernel.

use std::io;

use crate::finding::Finding;
use crate::{Plan, read};

/// `Seccomp:` of `/proc/self/status`: a filter decides about each call.
const FILTER: u32 = 2;

pub(crate) fn look(_: &Plan) -> Vec<Finding> {
    vec![probe().map_or_else(|error| Finding::unseen("sandbox", &error), judge)]
}

/// The mode of seccomp; 0 where the kernel was built without it.
pub(crate) fn probe() -> io::Result<u32> {
    let status = read::text("/proc/self/status")?;
    Ok(read::field(&status, "Seccomp").and_then(|mode| mode.parse().ok()).unwrap_or(0))
}

fn judge(mode: u32) -> Finding {
    if mode == FILTER {
        return Finding::ok(
            "sandbox",
            "a seccomp filter is in force: what is refused below may be its doing",
        );
    }
    Finding::ok(
        "sandbox",
        "no seccomp filter: what is refused below is refused by the kernel or a security module (SELinux, AppArmor)",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_named_as_a_possible_cause() {
        assert!(judge(FILTER).found.contains("its doing"));
        assert!(judge(0).found.contains("by the kernel or a security module"));
    }
}
