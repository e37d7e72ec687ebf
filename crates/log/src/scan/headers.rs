//! The batches of a segment, header by header, for whoever opens a log.

use std::io;

use pagewire_disk::DiskFile;
use pagewire_record::BatchHeader;

use crate::answers::RecoveryReport;
use crate::errors::{LogError, ReadError};
use crate::patience::Patience;
use crate::scan::{Found, ScanError, Scanner, WINDOW_WALK};
use crate::segment::Segment;

/// Shows the headers from the batch that holds `offset` on, until told to stop. A bad batch is noted and
/// passed by: it must not keep the rest of the log from being served.
pub(crate) fn walk_headers(
    segment: &Segment,
    offset: i64,
    report: &mut RecoveryReport,
    mut show: impl FnMut(&BatchHeader) -> bool,
) -> Result<(), LogError> {
    walk_batches(segment, offset, report, |_, found| Ok(show(&found.header))).map(drop)
}

/// The same with where each batch is, for those who want to read it. `false`: damage lay on the
/// way, and was passed by.
pub(crate) fn walk_batches(
    segment: &Segment,
    offset: i64,
    report: &mut RecoveryReport,
    mut show: impl FnMut(&dyn DiskFile, &Found) -> io::Result<bool>,
) -> Result<bool, LogError> {
    let failed = || LogError::at(segment.path());
    let mut note = |damage: String| {
        if !report.notes.contains(&damage) {
            report.notes.push(damage);
        }
    };
    // What is known to be damaged is passed by without a word.
    let (mut from, mut whole) = (offset, !segment.damage.reaches_past(offset));
    let first = loop {
        match segment.locate(from, Patience::Endless) {
            Ok(Some(first)) => break first,
            Ok(None) => return Ok(whole),
            Err(ReadError::Io(error)) => return Err(failed()(error)),
            Err(bad) => {
                note(bad.to_string());
                whole = false;
                match bad {
                    ReadError::Damaged { next_offset, .. } if next_offset > from => from = next_offset,
                    _ => return Ok(false),
                }
            }
        }
    };
    let (file, end) = (segment.file().map_err(failed())?, segment.end());
    let scanner = Scanner::new(&*file, first.position, end.size, first.header.base_offset, WINDOW_WALK);
    let mut scanner = scanner.around(&segment.damage).upto(end.next_offset);
    let anchors = segment.anchors();
    if !show(&*file, &first).map_err(failed())? {
        return Ok(whole);
    }
    scanner.pass(&first);
    loop {
        match scanner.next() {
            Ok(None) => return Ok(whole),
            Ok(Some(batch)) => {
                if !show(&*file, &batch).map_err(failed())? {
                    return Ok(whole);
                }
            }
            Err(ScanError::Io(error)) => return Err(failed()(error)),
            Err(ScanError::Bad { position, .. }) => {
                let stretch = segment.learn_on_the_way(&scanner, position, &anchors).map_err(failed())?;
                note(stretch.of(segment.path()).to_string());
                whole = false;
                scanner.resume(stretch.end(), stretch.next_offset);
            }
        }
    }
}
