//! Group commit of a partition's log: which offsets are stable, and what a failed sync of it means.
//!
//! The sharing of syncs is [`GroupCommit`]'s; its marks are log end offsets here. After a failed sync the kernel may
//! have dropped the pages (see fsync(2) and the log's offline mark): nothing is acknowledged from then on. A sync that
//! could not begin, because the process has no descriptor left, is tried again.

use std::{fmt, io, sync::Arc};

use pagewire_log::Log;
pub(crate) use pagewire_zcopy::CommitError;
use pagewire_zcopy::{GroupCommit, GroupCommitOptions, SyncFailure, SyncTarget};

use crate::lanes::Lane;

/// The commit of `log`. How many may wait is bounded where requests are.
pub(super) fn group_commit(log: &Arc<Log>, lane: &Arc<Lane>) -> GroupCommit {
    let options = GroupCommitOptions { waiters_max: usize::MAX, ..GroupCommitOptions::default() };
    GroupCommit::new(LogTarget(Arc::clone(log), Arc::clone(lane)), mark(log.marks().recovery_point), options)
}

/// The mark of everything below `offset`.
pub(super) fn mark(offset: i64) -> u64 {
    u64::try_from(offset).unwrap_or_default()
}

struct LogTarget(Arc<Log>, Arc<Lane>);

impl SyncTarget for LogTarget {
    fn written(&self) -> u64 {
        mark(self.0.marks().log_end)
    }

    fn sync(&self) -> Result<u64, SyncFailure> {
        let _until_done = self.1.begin_sync();
        self.0.sync().map(mark).map_err(|error| {
            let failed = self.0.offline().is_some() || error.kind() == io::ErrorKind::Other;
            if failed { SyncFailure::Failed(error) } else { SyncFailure::NotBegun(error) }
        })
    }
}

impl fmt::Debug for LogTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogTarget")
            .field("topic", &self.0.topic())
            .field("partition", &self.0.partition())
            .field("dir", &self.1.path())
            .finish()
    }
}

#[cfg(test)]
#[path = "commit_tests.rs"]
mod tests;
