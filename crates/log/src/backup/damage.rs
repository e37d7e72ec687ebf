//! Where a segment whose batches did not pass is damaged.

use std::path::Path;

use pagewire_disk::DiskFile;

use super::{BackupError, Pace};
use crate::Stretch;
use crate::scrub::Search;
use crate::segment::End;

/// Bytes between two looks at whether to go on.
const SLICE: u64 = 1 << 20;

/// The damaged stretches among the first `bytes` of a `.log`, whose batches lie between the two offsets of `bounds`.
/// `name` is the file's, for errors.
pub fn damage_in(
    (name, file): (&Path, &dyn DiskFile),
    bytes: u64,
    (base_offset, bound): (i64, i64),
    pace: Pace<'_>,
) -> Result<Vec<Stretch>, BackupError> {
    let mut search = Search::new(base_offset);
    let end = End { next_offset: bound, size: bytes };
    loop {
        let slice = search.advance(file, end, SLICE, &|_| {}, None).map_err(BackupError::at(name))?;
        pace(slice.bytes).map_err(BackupError::at(name))?;
        if slice.done {
            return Ok(search.into_found().into_vec());
        }
    }
}
