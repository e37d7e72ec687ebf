//! The markers of aborted transactions, seen before anything goes because of them.
//!
//! An entry in an index of aborted transactions makes compaction take records away. The entry is a few numbers without a
//! checksum, made once when the marker was appended, or at a start: so the marker itself is read, and its checksum compared,
//! wherever it lies, in the active segment too. What contradicts its entry, or cannot be read, sets the partition aside.

use std::io::ErrorKind;

use pagewire_record::ControlType;

use super::error::{CleanError, corrupt};
use crate::errors::ReadError;
use crate::patience::Patience;
use crate::segment::Segment;
use crate::txns::index::AbortedTxn;
use crate::txns::marker;

/// Whether the marker of an entry of `segment` is there, and aborts the entry's transaction: an error else.
pub(super) fn see(segment: &Segment, txn: &AbortedTxn) -> Result<(), CleanError> {
    let AbortedTxn { producer_id, last_offset, .. } = *txn;
    let reading = || CleanError::reading(segment.path());
    let not_there = |position| {
        let what =
            format!("no marker at offset {last_offset} aborts the transaction of producer {producer_id}");
        corrupt(segment, position, &what)
    };
    let found = match segment.locate_verified(last_offset, Patience::Endless) {
        Ok(Some(found)) => found,
        Ok(None) => return Err(not_there(segment.end().size)),
        Err(ReadError::Io(error)) => return Err(reading()(error)),
        Err(ReadError::Damaged { position, .. } | ReadError::Corrupt { position, .. }) => {
            return Err(not_there(position));
        }
        Err(error) => return Err(reading()(std::io::Error::new(ErrorKind::InvalidData, error))),
    };
    let file = segment.file().map_err(reading())?;
    let marker = marker::whole_in_file(&*file, &found).map_err(reading())?;
    let is_its = (found.header.base_offset, found.header.producer_id) == (last_offset, producer_id);
    match marker {
        Some(marker) if is_its && marker.control_type == ControlType::Abort => Ok(()),
        _ => Err(not_there(found.position)),
    }
}
