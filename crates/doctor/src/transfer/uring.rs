//! io_uring: whether this process may have a ring, what refuses it if not, and which operations the kernel knows.

use std::io;

use io_uring::{IoUring, Probe, opcode};
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

use crate::finding::Finding;
use crate::machine::sandbox;
use crate::{Plan, read, words};

/// Entries of the ring that is tried.
const ENTRIES: u32 = 4;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Facts {
    ring: Ring,
    /// `kernel.io_uring_disabled`: 0 for all, 1 for the privileged and one group, 2 for nobody. Absent before Linux
    /// 6.6.
    disabled: Option<u64>,
    /// Mode of seccomp; 2 is a filter.
    seccomp: u32,
    /// Bytes that may be locked.
    locked: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ring {
    Made { sends: bool, splices: bool },
    Refused(Errno),
}

pub(crate) fn look(_: &Plan) -> Vec<Finding> {
    let facts = Facts {
        ring: probe()
            .unwrap_or_else(|error| Ring::Refused(Errno::from_io_error(&error).unwrap_or(Errno::IO))),
        disabled: read::number("/proc/sys/kernel/io_uring_disabled").ok(),
        seccomp: sandbox::probe().unwrap_or(0),
        locked: getrlimit(Resource::Memlock).current,
    };
    vec![judge(&facts)]
}

fn probe() -> io::Result<Ring> {
    let ring = IoUring::new(ENTRIES)?;
    let mut probe = Probe::new();
    let knows = ring.submitter().register_probe(&mut probe).is_ok();
    Ok(Ring::Made {
        sends: knows && probe.is_supported(opcode::SendZc::CODE),
        splices: knows && probe.is_supported(opcode::Splice::CODE),
    })
}

fn judge(facts: &Facts) -> Finding {
    match facts.ring {
        Ring::Made { sends, splices } => {
            let has = |has| if has { "yes" } else { "no" };
            Finding::ok("io_uring", format!("allowed; send_zc {}, splice {}", has(sends), has(splices)))
        }
        Ring::Refused(errno) => {
            let (why, advice) = refusal(errno, facts);
            let found = format!("refused: {why} ({})", io::Error::from(errno));
            Finding::better(
                "io_uring",
                found,
                format!("not missed where sendfile works; to have it: {advice}"),
            )
        }
    }
}

/// Who refuses, and what changes that.
fn refusal(errno: Errno, facts: &Facts) -> (String, &'static str) {
    match (errno, facts.disabled) {
        (Errno::PERM, Some(2)) => {
            ("kernel.io_uring_disabled is 2, for nobody".to_owned(), "sysctl -w kernel.io_uring_disabled=0")
        }
        (Errno::PERM, Some(1)) => (
            "kernel.io_uring_disabled is 1, for the privileged and one group".to_owned(),
            "sysctl -w kernel.io_uring_disabled=0, or put the broker's user into the group of \
             kernel.io_uring_group",
        ),
        (Errno::PERM | Errno::ACCESS | Errno::NOSYS, _) if facts.seccomp == 2 => (
            "by the sandbox's seccomp filter".to_owned(),
            "allow io_uring_setup, io_uring_enter and io_uring_register in the filter (container runtimes leave them out \
             by default)",
        ),
        (Errno::PERM | Errno::ACCESS, _) => {
            ("by a security module".to_owned(), "look for a denial in the audit log (SELinux, AppArmor)")
        }
        (Errno::NOSYS, _) => ("this kernel has none".to_owned(), "a kernel built with CONFIG_IO_URING"),
        (Errno::NOMEM, _) => (
            format!("{} may be locked", facts.locked.map_or_else(|| "any memory".to_owned(), words::bytes)),
            "raise the limit of locked memory (ulimit -l, LimitMEMLOCK=)",
        ),
        _ => ("for a reason of its own".to_owned(), "see io_uring_setup(2) for that error"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    fn refused(errno: Errno, disabled: Option<u64>, seccomp: u32) -> Finding {
        judge(&Facts { ring: Ring::Refused(errno), disabled, seccomp, locked: Some(65_536) })
    }

    #[test]
    fn each_kind_of_refusal_has_its_own_remedy() {
        for (errno, disabled, seccomp, found, advice) in [
            (Errno::PERM, Some(2), 0, "for nobody", "io_uring_disabled=0"),
            (Errno::PERM, Some(1), 2, "one group", "io_uring_group"),
            (Errno::PERM, Some(0), 2, "seccomp", "filter"),
            (Errno::NOSYS, None, 2, "seccomp", "filter"),
            (Errno::PERM, None, 0, "security module", "audit log"),
            (Errno::NOSYS, None, 0, "this kernel has none", "CONFIG_IO_URING"),
            (Errno::NOMEM, Some(0), 0, "64.0 KiB", "ulimit -l"),
            (Errno::IO, Some(0), 0, "of its own", "io_uring_setup(2)"),
        ] {
            let finding = refused(errno, disabled, seccomp);
            assert_eq!(finding.state, State::CouldBeBetter);
            assert!(finding.found.contains(found), "{finding:?}");
            assert!(finding.advice.contains(advice), "{finding:?}");
        }
    }

    #[test]
    fn a_ring_that_could_be_made_is_ok_with_what_it_can() {
        let ring = Ring::Made { sends: true, splices: false };
        let finding = judge(&Facts { ring, disabled: Some(0), seccomp: 2, locked: None });
        assert_eq!(finding, Finding::ok("io_uring", "allowed; send_zc yes, splice no"));
    }
}
