//! Files that somebody removes while records are written to them. They go on being written and synced for as long as they are
//! open, and are gone with the last one who has them open. Their number of names tells, without a look at any path.

use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::sync::Arc;

use pagewire_disk::{DiskFile, Pasted};

use crate::log::Log;
use crate::segment::Segment;

impl Log {
    /// Looks whether the active segment's file, if it is open, is still there. A log whose file is not takes no writes.
    pub(crate) fn look_for_its_file(&self) {
        if let Some(active) = self.active()
            && self.online().is_ok()
            && let Some(file) = active.open_file()
            && file.is_nameless().is_ok_and(|nameless| nameless)
            && let Some(error) = self.told_removed(&active, &*file)
        {
            self.poison(&error, "the active segment");
        }
    }

    /// What is told of a segment whose file has no name any more, unless one of the log's own took that away.
    pub(crate) fn told_removed(&self, segment: &Arc<Segment>, file: &dyn DiskFile) -> Option<io::Error> {
        // Retention and whoever deletes the partition remove files too, and say so first.
        let is_listed = self.segments.load().iter().any(|listed| Arc::ptr_eq(listed, segment));
        if !is_listed || self.has_left() || self.is_given_up() {
            return None;
        }
        let (path, process, number) = (segment.path(), std::process::id(), file.file().as_raw_fd());
        let what = format!(
            "{} was removed or replaced. Its records go when the log is opened again or this broker ends: before that, \
             `install -D -m 644 /proc/{process}/fd/{number} {}` brings them back",
            path.display(),
            Pasted(&path)
        );
        Some(io::Error::new(ErrorKind::NotFound, what))
    }
}
