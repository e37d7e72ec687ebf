//! Where a segment whose batches did not pass is damaged.

use std::path::Path;

use pagewire_disk::{Disk, DiskFile, OpenMode};

use super::{BackupError, Expected, Pace};
use crate::Stretch;
use crate::scrub::{Evidence, Places, stretch_at};
use crate::segment::{End, names};

/// Bytes between two looks at whether to go on.
const SLICE: u64 = 1 << 20;

/// The damaged stretches among the first `bytes` of a `.log`, and what is lost between and behind its batches. `name` is the
/// file's, for errors; the offset index beside it shows where the log goes on behind a damaged batch. Without one, or with one
/// that cannot be read, less of it can be told from what records hold.
pub fn damage_in(
    disk: &dyn Disk,
    (name, file): (&Path, &dyn DiskFile),
    bytes: u64,
    expected: &Expected,
    pace: Pace<'_>,
) -> Result<Vec<Stretch>, BackupError> {
    let mut search = expected.search();
    let index = disk.open(&name.with_extension(names::INDEX.trim_start_matches('.')), OpenMode::Read);
    let places = index.and_then(|index| Places::read(&*index, expected.base_offset)).unwrap_or_default();
    let end = End { next_offset: expected.bound, size: bytes };
    let how_far = |from, offsets, found| {
        stretch_at(file, from, bytes, offsets, Evidence::of(&|at| places.from(at), found))
    };
    loop {
        let slice = search.advance(file, end, SLICE, &|_| {}, &how_far).map_err(BackupError::at(name))?;
        pace(slice.bytes).map_err(BackupError::at(name))?;
        if slice.done {
            return Ok(search.into_found().into_vec());
        }
    }
}
