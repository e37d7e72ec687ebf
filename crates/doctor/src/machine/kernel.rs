//! Which kernel runs. Said, not judged: what it can do is tried.

use rustix::system::uname;

use crate::Plan;
use crate::finding::Finding;

pub(crate) fn look(_: &Plan) -> Vec<Finding> {
    let name = uname();
    let word = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
    vec![judge(&word(name.sysname()), &word(name.release()), &word(name.machine()))]
}

fn judge(system: &str, release: &str, machine: &str) -> Finding {
    let found = format!("{system} {release} on {machine}");
    if system == "Linux" {
        Finding::ok("kernel", format!("{found}; what it can do is tried below, not read from its version"))
    } else {
        Finding::better(
            "kernel",
            found,
            "on Linux the transfer routes that do not copy are to be had as well",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    #[test]
    fn no_version_is_too_old_to_be_tried() {
        assert_eq!(judge("Linux", "4.4.0", "x86_64").state, State::Ok);
        assert_eq!(judge("FreeBSD", "15.0", "amd64").state, State::CouldBeBetter);
    }
}
