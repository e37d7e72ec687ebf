//! Moving a file's bytes, or only reading them, with their checksum.
//!
//! Kind to whoever else uses the machine: what was not in the page cache before is not left there, no more than
//! [`DIRTY_MAX`] bytes wait for the disk at a time, and the caller is asked after each piece whether to go on.

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use pagewire_disk::DiskFile;
use pagewire_zcopy::{FileRange, Residency, drop_pages_blocking, residency};

use super::{BackupError, BatchCheck};

/// Bytes of a piece.
const PIECE: usize = 1 << 20;
/// Bytes that may wait for the disk: more of them would make the kernel hold other writers.
const DIRTY_MAX: u64 = 32 << 20;

/// Called after each piece with the bytes that were read. May wait; `Interrupted` ends the work.
pub type Pace<'a> = &'a dyn Fn(u64) -> io::Result<()>;

/// Reads `len` bytes of `from`, writes them to `to` if there is one, shows them to `check` if there is one; their
/// CRC-32C. The last bytes are not synced yet. `name` is that of `from`, for errors.
pub fn carry(
    from: (&Path, &dyn DiskFile),
    len: u64,
    to: Option<(&Path, &dyn DiskFile)>,
    check: Option<&mut BatchCheck>,
    pace: Pace<'_>,
) -> Result<u32, BackupError> {
    carry_range(from, 0..len, to, check, pace)
}

/// [`carry`] of a part of the file, to the same place in the other one.
pub(super) fn carry_range(
    (name, from): (&Path, &dyn DiskFile),
    range: Range<u64>,
    to: Option<(&Path, &dyn DiskFile)>,
    mut check: Option<&mut BatchCheck>,
    pace: Pace<'_>,
) -> Result<u32, BackupError> {
    let Range { start: mut at, end } = range;
    let mut piece = vec![0; PIECE.min(usize::try_from(end.saturating_sub(at)).unwrap_or(PIECE))];
    let (mut crc, mut dirty) = (0, 0);
    while at < end {
        let wanted = usize::try_from(end - at).map_or(piece.len(), |left| left.min(piece.len()));
        let bytes = piece.get_mut(..wanted).unwrap_or_default();
        let was_cold = residency(from.file(), at, bytes.len() as u64) == Residency::Cold;
        from.read_exact_at(at, bytes).map_err(BackupError::at(name))?;
        if was_cold {
            let range = FileRange::new(Arc::clone(from.file()), at, bytes.len() as u64);
            // Only advice.
            let _ = drop_pages_blocking(&range);
        }
        crc = crc32c::crc32c_append(crc, bytes);
        if let Some(check) = &mut check {
            check.feed(bytes);
        }
        if let Some((path, to)) = to {
            to.write_at(at, bytes).map_err(BackupError::at(path))?;
            dirty += bytes.len() as u64;
            if dirty >= DIRTY_MAX {
                to.sync_data().map_err(BackupError::at(path))?;
                dirty = 0;
            }
        }
        at += bytes.len() as u64;
        pace(bytes.len() as u64).map_err(BackupError::at(name))?;
    }
    Ok(crc)
}

/// Gives a copy the time of its original: it is the age of records without timestamps. Where that cannot be, they only
/// live longer.
pub fn preserve_time(from: &dyn DiskFile, to: &dyn DiskFile) {
    if let Ok(modified) = from.file().metadata().and_then(|metadata| metadata.modified()) {
        let _ = to.file().set_modified(modified);
    }
}
