//! A file that has a second name is not this log's alone: a backup may have linked it, or an import. Nothing is written
//! to it any more. Before it would be, because recovery cuts it or it becomes the active segment, its bytes move into a
//! file of the log's own.

use std::io;
use std::ops::Range;

use pagewire_disk::{DiskFile, OpenMode};

use crate::segment::{Segment, names};

/// Bytes copied at once.
const PIECE: usize = 256 << 10;

impl Segment {
    /// Makes the `.log` a file with one name, of the first `len` bytes if it has to be copied. Durable when it returns.
    /// Nobody reads or writes the segment yet.
    pub(crate) fn unshare(&self, len: u64) -> io::Result<()> {
        let shared = self.file()?;
        if self.home.is_rehearsed() {
            return Ok(());
        }
        if shared.names()? <= 1 {
            return Ok(());
        }
        let (home, own_name) = (&self.home, format!("{}{}", names::LOG, names::TEMPORARY));
        let own = home.open(self.base_offset, &own_name, OpenMode::Create)?;
        own.set_len(0)?;
        copy(&*shared, &*own, 0..len)?;
        own.sync_data()?;
        home.disk.rename(&home.path(self.base_offset, &own_name), &self.path())?;
        home.disk.sync_dir(&home.dir)?;
        self.put_file(&own);
        Ok(())
    }
}

/// Copies these bytes of a file to the beginning of another.
pub(crate) fn copy(from: &dyn DiskFile, to: &dyn DiskFile, bytes: Range<u64>) -> io::Result<()> {
    let (mut at, mut piece) = (bytes.start, vec![0; PIECE]);
    while at < bytes.end {
        let wanted = usize::try_from(bytes.end - at).unwrap_or(PIECE).min(PIECE);
        let piece = piece.get_mut(..wanted).unwrap_or_default();
        from.read_exact_at(at, piece)?;
        to.write_at(at - bytes.start, piece)?;
        at += wanted as u64;
    }
    Ok(())
}
