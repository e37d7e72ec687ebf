//! Where a segment whose batches did not pass is damaged.

use std::path::Path;

use pagewire_disk::DiskFile;

use super::{BackupError, Expected, Pace};
use crate::Stretch;
use crate::segment::End;

/// Bytes between two looks at whether to go on.
const SLICE: u64 = 1 << 20;

/// The damaged stretches among the first `bytes` of a `.log`, and what is lost between and behind its batches. `name` is the
/// file's, for errors.
pub fn damage_in(
    (name, file): (&Path, &dyn DiskFile),
    bytes: u64,
    expected: &Expected,
    pace: Pace<'_>,
) -> Result<Vec<Stretch>, BackupError> {
    let mut search = expected.search();
    let end = End { next_offset: expected.bound, size: bytes };
    loop {
        let slice = search.advance(file, end, SLICE, &|_| {}, None).map_err(BackupError::at(name))?;
        pace(slice.bytes).map_err(BackupError::at(name))?;
        if slice.done {
            return Ok(search.into_found().into_vec());
        }
    }
}
