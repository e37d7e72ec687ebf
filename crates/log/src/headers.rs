//! The batches of a segment, header by header, for whoever opens a log.

use std::io;

use pagewire_disk::DiskFile;
use pagewire_record::BatchHeader;

use crate::answers::RecoveryReport;
use crate::errors::{LogError, ReadError};
use crate::patience::Patience;
use crate::scan::{Found, Scanner, WINDOW_WALK};
use crate::segment::Segment;

/// Shows the headers from the batch that holds `offset` on, until told to stop. A bad batch ends the segment and is
/// noted: it must not keep the rest of the log from being served.
pub(crate) fn walk_headers(
    segment: &Segment,
    offset: i64,
    report: &mut RecoveryReport,
    mut show: impl FnMut(&BatchHeader) -> bool,
) -> Result<(), LogError> {
    walk_batches(segment, offset, report, |_, found| Ok(show(&found.header))).map(drop)
}

/// The same with where each batch is, for those who want to read it. `false`: a bad batch was met.
pub(crate) fn walk_batches(
    segment: &Segment,
    offset: i64,
    report: &mut RecoveryReport,
    mut show: impl FnMut(&dyn DiskFile, &Found) -> io::Result<bool>,
) -> Result<bool, LogError> {
    let mut walk = || -> Result<(), ReadError> {
        let Some(first) = segment.locate(offset, Patience::Endless)? else { return Ok(()) };
        let (file, size) = (segment.file()?, segment.end().size);
        let mut scanner = Scanner::new(&*file, first.position, size, first.header.base_offset, WINDOW_WALK);
        while let Some(batch) = segment.readable(scanner.next())? {
            if !show(&*file, &batch)? {
                break;
            }
        }
        Ok(())
    };
    match walk() {
        Ok(()) => Ok(true),
        Err(ReadError::Io(error)) => Err(LogError::at(segment.path())(error)),
        Err(bad) => {
            let note = bad.to_string();
            if !report.notes.contains(&note) {
                report.notes.push(note);
            }
            Ok(false)
        }
    }
}
