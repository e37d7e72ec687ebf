//! What an error of the operating system says about the disk.

use std::io::{self, ErrorKind};

use pagewire_disk::Errno;

/// The device or its file system is sick, rather than full, busy or asked for nonsense: what one file lost, others may
/// have lost too.
pub(crate) fn is_sick(error: &io::Error) -> bool {
    [
        Errno::IO,
        Errno::ROFS,
        Errno::UCLEAN,
        Errno::BADMSG,
        Errno::NODEV,
        Errno::NXIO,
        Errno::REMOTEIO,
        Errno::STALE,
        Errno::TIMEDOUT,
        Errno::SHUTDOWN,
    ]
    .iter()
    .any(|errno| is(error, *errno))
}

/// The process or the kernel has no descriptor or memory left. Said before anything was done, so it can be tried again.
pub(crate) fn is_shortage(error: &io::Error) -> bool {
    [Errno::MFILE, Errno::NFILE, Errno::NOMEM].iter().any(|errno| is(error, *errno))
}

/// No more can be written. What is there is as it was, and can be removed.
pub(crate) fn is_full(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

fn is(error: &io::Error, errno: Errno) -> bool {
    error.raw_os_error() == Some(errno.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_or_busy_disk_is_not_a_sick_one() {
        for errno in [Errno::NOSPC, Errno::DQUOT, Errno::MFILE, Errno::NOMEM, Errno::NOENT, Errno::NOTDIR] {
            assert!(!is_sick(&errno.into()), "{errno}");
        }
        for errno in [Errno::IO, Errno::ROFS, Errno::UCLEAN] {
            assert!(is_sick(&errno.into()) && !is_shortage(&errno.into()), "{errno}");
        }
    }

    #[test]
    fn a_spent_quota_is_a_full_disk() {
        for errno in [Errno::NOSPC, Errno::DQUOT] {
            assert!(is_full(io::Error::from(errno).kind()), "{errno}");
        }
    }
}
