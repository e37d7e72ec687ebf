//! What an error of the operating system says about the disk.

use std::io::{self, ErrorKind};

use pagewire_disk::Errno;

/// The errors of a device or file system that is sick, or gone: what one file lost, others may have lost too.
///
/// Not among them are those that are about one name or one request. A file that is missing (ENOENT) or that may not be
/// opened (EACCES, EPERM, ELOOP) is that log's trouble, unless nothing can be written in the directory at all, which whoever
/// was refused [looks for](crate::probe). Where the log directory itself is missing, ENOENT and ENOTDIR
/// become ESTALE: [`Anchored`](pagewire_disk::Anchored) looks. ENOSPC and EDQUOT are [full](is_full); EMFILE, ENFILE
/// and ENOMEM a [shortage](is_shortage).
const SICK: &[Errno] = &[
    // A device that could not read or write, and what file systems make of most errors below them.
    Errno::IO,
    // ext4 and XFS remount themselves so after an error of their own.
    Errno::ROFS,
    // A structure of the file system's that does not agree with its checksum: EFSCORRUPTED, EFSBADCRC.
    Errno::UCLEAN,
    Errno::BADMSG,
    // The device, its driver or its medium is not there any more.
    Errno::NODEV,
    Errno::NXIO,
    Errno::NOMEDIUM,
    // What block devices answer where that is not made EIO: no answer in time, a path or a target that is lost, a place
    // of the medium that cannot be read, a checksum of the link or the device that does not agree, a reservation lost.
    Errno::TIMEDOUT,
    Errno::TIME,
    Errno::NOLINK,
    Errno::REMOTEIO,
    Errno::NODATA,
    Errno::ILSEQ,
    Errno::BADE,
    // A server that knows the file no more, cannot be reached, or has gone; the process behind a FUSE mount has ended.
    Errno::STALE,
    Errno::SHUTDOWN,
    Errno::HOSTDOWN,
    Errno::HOSTUNREACH,
    Errno::NETUNREACH,
    Errno::CONNREFUSED,
    Errno::CONNABORTED,
    Errno::NOTCONN,
    // The key of an encrypted file system was taken away.
    Errno::NOKEY,
    Errno::KEYEXPIRED,
    Errno::KEYREVOKED,
];

/// The device or its file system is sick, rather than full, busy or asked for nonsense.
pub(crate) fn is_sick(error: &io::Error) -> bool {
    SICK.iter().any(|errno| is(error, *errno))
}

/// What was opened is not what the name leads to any more.
fn is_stale(error: &io::Error) -> bool {
    is(error, Errno::STALE)
}

/// In words where the error says little of the way back.
pub(crate) fn told(error: &io::Error) -> String {
    if is_stale(error) {
        return "the directory is not the one that was opened: it was moved, unmounted, or another file system is mounted in \
                its place"
            .to_owned();
    }
    if error.kind() == ErrorKind::ReadOnlyFilesystem {
        return format!("{error}; {REMOUNT}");
    }
    error.to_string()
}

/// Nothing that is open for writing lets a file system be made read-only, but its own error does. What the broker has open keeps it
/// mounted.
const REMOUNT: &str = "one that became so by an error of its own must be checked, unmounted and mounted again, for which the broker \
                       has to be stopped";

/// The process or the kernel has no descriptor or memory left. Said before anything was done, so it can be tried again.
pub(crate) fn is_shortage(error: &io::Error) -> bool {
    [Errno::MFILE, Errno::NFILE, Errno::NOMEM].iter().any(|errno| is(error, *errno))
}

/// Nothing says that it will pass by itself: neither [full](is_full) nor a [shortage](is_shortage), nor a call that was
/// interrupted.
pub(crate) fn is_lasting(error: &io::Error) -> bool {
    let passes =
        matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::ResourceBusy);
    !passes && !is_full(error.kind()) && !is_shortage(error)
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
        for errno in [
            Errno::NOSPC,
            Errno::DQUOT,
            Errno::MFILE,
            Errno::NOMEM,
            Errno::NOENT,
            Errno::NOTDIR,
            Errno::ACCESS,
        ] {
            assert!(!is_sick(&errno.into()), "{errno}");
        }
        for errno in SICK {
            let error = io::Error::from(*errno);
            assert!(is_sick(&error) && !is_shortage(&error) && !is_full(error.kind()), "{errno}");
        }
    }

    #[test]
    fn what_passes_by_itself_does_not_last() {
        for errno in
            [Errno::NOSPC, Errno::DQUOT, Errno::MFILE, Errno::NOMEM, Errno::INTR, Errno::AGAIN, Errno::BUSY]
        {
            assert!(!is_lasting(&errno.into()), "{errno}");
        }
        for errno in [Errno::ACCESS, Errno::PERM, Errno::NOENT, Errno::IO] {
            assert!(is_lasting(&errno.into()), "{errno}");
        }
    }

    #[test]
    fn a_spent_quota_is_a_full_disk() {
        for errno in [Errno::NOSPC, Errno::DQUOT] {
            assert!(is_full(io::Error::from(errno).kind()), "{errno}");
        }
    }
}
