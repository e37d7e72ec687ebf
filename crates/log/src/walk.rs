//! Checking the batches of a segment one by one, CRC and all, and writing its indexes on the way.

use std::io;
use std::sync::atomic::Ordering;

use crate::answers::RecoveryReport;
use crate::derive::Sparse;
use crate::recovery::Depth;
use crate::scan::{ScanError, Scanner, WINDOW_WALK};
use crate::segment::{End, Segment};
use crate::sick::is_sick;

/// Bytes checked between two words to whoever watches.
const TELL_EVERY: u64 = 1 << 20;

/// Where a walk may begin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Start {
    pub(crate) position: u64,
    pub(crate) offset: i64,
}

/// How far a walk came.
pub(crate) struct Walked {
    /// The offset it began at.
    pub(crate) from: i64,
    pub(crate) end: End,
    pub(crate) sparse: Sparse,
    /// Why it ended early.
    pub(crate) bad: Option<String>,
}

/// Checks every batch from `start` to the end of the file and notes it in the indexes.
pub(crate) fn walk(
    segment: &Segment,
    start: Start,
    size: u64,
    depth: &Depth,
    report: &mut RecoveryReport,
) -> io::Result<Walked> {
    let interval = segment.home.index_interval();
    let (mut sparse, mut next_offset) = (Sparse::default(), start.offset);
    let file = segment.file()?;
    let scanner = Scanner::new(&*file, start.position, size, start.offset, WINDOW_WALK);
    let mut scanner = scanner.verifying().contiguous_from(depth.whole_from);
    let mut told = start.position;
    let bad = loop {
        match scanner.next() {
            Ok(None) => break None,
            Ok(Some(found)) if found.header.last_offset() - segment.base_offset > i64::from(i32::MAX) => {
                break Some((found.position, "an offset too far above the segment's base".to_owned()));
            }
            Ok(Some(found)) => {
                let due = sparse.next(interval, found.header.size_in_bytes());
                // Entries may be missing; a full disk must not keep a log from being opened.
                if let Err(error) = segment.note_batch(&found.header, found.position, due)
                    && is_sick(&error)
                {
                    return Err(error);
                }
                next_offset = found.header.next_offset();
                if found.end() - told >= TELL_EVERY {
                    segment.home.checked.fetch_add(found.end() - told, Ordering::Relaxed);
                    told = found.end();
                }
            }
            Err(ScanError::Io(error)) => return Err(error),
            Err(ScanError::Bad { position, reason }) => break Some((position, reason)),
        }
    };
    let position = bad.as_ref().map_or(scanner.position(), |(position, _)| *position);
    report.scanned_bytes += position.saturating_sub(start.position);
    segment.home.checked.fetch_add(position.saturating_sub(told), Ordering::Relaxed);
    let (end, bad) = (End { next_offset, size: position }, bad.map(|(_, reason)| reason));
    Ok(Walked { from: start.offset, end, sparse, bad })
}
