//! How far a copy of a partition goes, by the headers of its last segment: enough to choose among several.

use std::fs::File;
use std::path::Path;

use crate::batches::{Batches, Stop};
use crate::error::ImportError;
use crate::source::PartitionFiles;

/// The offset after the last batch that looks like one.
pub(super) fn log_end(dir: &Path) -> Result<i64, ImportError> {
    let files = PartitionFiles::read(dir)?;
    let Some(last) = files.segments.last() else { return Ok(0) };
    let path = dir.join(last.log());
    let failed = ImportError::at(&path);
    let file = File::open(&path).map_err(&failed)?;
    let mut batches = Batches::headers(&file, last.len, last.base);
    loop {
        match batches.next() {
            Ok(Some(_)) => {}
            Err(Stop::Io(error)) => return Err(failed(error)),
            // What is wrong with it is said when it is looked at.
            Ok(None) | Err(_) => return Ok(batches.expected()),
        }
    }
}
