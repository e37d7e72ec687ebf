//! Whether an open segment file has its name still. Somebody may have removed or moved it, or put another one in its place.

use std::io::{self, ErrorKind};
use std::sync::atomic::Ordering;

use pagewire_disk::DiskFile;

use crate::segment::Segment;

/// Where a name leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LedTo {
    It,
    /// To another file, or to none.
    Elsewhere,
    Unknown,
}

impl Segment {
    /// Where the name of the `.log` leads by now, which is open as `file`.
    pub(crate) fn led_to(&self, file: &dyn DiskFile) -> LedTo {
        match (self.home.disk.identity(&self.path()), file.identity()) {
            (Ok(Some(named)), Ok(Some(open))) if named == open => LedTo::It,
            (Ok(Some(_)), Ok(Some(_))) => LedTo::Elsewhere,
            (Err(error), _) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                LedTo::Elsewhere
            }
            _ => LedTo::Unknown,
        }
    }

    /// Whether the `.log`, which was synced as `file`, has lost its name: all that it had, or, if there are fewer than when it
    /// was last certain to have that, the one under which it is looked for.
    pub(crate) fn has_lost_its_name(&self, file: &dyn DiskFile) -> io::Result<bool> {
        let names = file.names()?;
        // It is none also where files have no such number.
        if names == 0 && file.is_nameless()? {
            return Ok(true);
        }
        if names < self.flow.names.load(Ordering::Relaxed) {
            match self.led_to(file) {
                LedTo::It => {}
                LedTo::Elsewhere => return Ok(true),
                // The next sync looks again.
                LedTo::Unknown => return Ok(false),
            }
        }
        self.flow.names.store(names, Ordering::Relaxed);
        Ok(false)
    }
}
