//! The batches of a partition that come along, once more, where what is in their records counts.

use std::fs::File;

use pagewire_record::SharedBatch;

use crate::batches::{Batches, Stop};
use crate::error::ImportError;
use crate::plan::PlannedPartition;
use crate::take::Taken;

/// Shows each to `look`, which answers none for one that it cannot understand. Whether all could be read and understood: the
/// first that could not be ends it.
pub(crate) fn each_batch(
    partition: &PlannedPartition,
    taken: &Taken,
    look: &mut dyn FnMut(&SharedBatch) -> Option<()>,
) -> Result<bool, ImportError> {
    for (segment, keep) in partition.files.segments.iter().zip(&taken.verified.keep) {
        let path = partition.dir.join(segment.log());
        let failed = ImportError::at(&path);
        let file = File::open(&path).map_err(&failed)?;
        let mut batches = Batches::whole(&file, *keep, segment.base);
        loop {
            match batches.next() {
                Ok(None) => break,
                Ok(Some(batch)) if look(&batch).is_some() => {}
                Err(Stop::Io(error)) => return Err(failed(error)),
                Ok(Some(_)) | Err(_) => return Ok(false),
            }
        }
    }
    Ok(true)
}
