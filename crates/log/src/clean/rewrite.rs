//! The second pass: one group of segments read, filtered and written as one segment.

use std::sync::Arc;
use std::time::SystemTime;

use super::ahead::Ahead;
use super::error::CleanError;
use super::filter::{Filter, Filtered};
use super::group::{Piece, first_group};
use super::replace::Pass;
use super::source::Source;
use super::stats::CleanStats;
use super::target::Target;
use super::work::Work;
use crate::segment::Segment;

/// Buffers that are used again.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    pub(super) read: Vec<u8>,
    pub(super) write: Vec<u8>,
}

/// What a clean has come to so far.
#[derive(Debug)]
pub(super) struct Written<'s> {
    pub(super) stats: &'s mut CleanStats,
    pub(super) pass: Pass,
    /// Of the transactions that were aborted, those it knows of.
    pub(super) ahead: Ahead,
}

/// Writes what stays of a group of `pieces`, the first of which is segment number `first` of the work, and puts it in
/// its place. Answers how many are in the group: one at least.
pub(super) fn rewrite(
    work: &Work<'_>,
    first: usize,
    pieces: &[Piece],
    filter: &mut Filter<'_>,
    buffers: &mut Buffers,
    written: &mut Written<'_>,
) -> Result<usize, CleanError> {
    let group = work.closed().get(first..).unwrap_or_default();
    let group = group.get(..first_group(pieces, &work.config)).unwrap_or(group);
    let (Some(begin), Some(last)) = (group.first(), group.last()) else { return Ok(pieces.len()) };
    let mut target = Target::create(work, begin.base_offset, std::mem::take(&mut buffers.write))?;
    let mut write = || {
        for (segment, at) in group.iter().zip(first..) {
            copy(work, (at, segment), filter, &mut target, &mut buffers.read, written)?;
        }
        target.finish(work, last.end().next_offset, modified(last))
    };
    if let Err(error) = write() {
        buffers.write = target.discard(work);
        return Err(error);
    }
    let Written { stats, pass, .. } = written;
    stats.segments_read += group.len() as u64;
    let (replacement, buffer) = target.into_segment(stats);
    buffers.write = buffer;
    pass.telling.left = pieces.len();
    work.log.replace(group, replacement, pass, work.now_ms)?;
    Ok(group.len())
}

fn copy(
    work: &Work<'_>,
    (at, segment): (usize, &Arc<Segment>),
    filter: &mut Filter<'_>,
    target: &mut Target,
    buffer: &mut Vec<u8>,
    written: &mut Written<'_>,
) -> Result<(), CleanError> {
    let Written { stats, ahead, .. } = written;
    let file = work.file(segment)?;
    let mut source = Source::new(segment, &*file, 0, buffer, work.chunk);
    loop {
        work.go_on()?;
        let position = source.position();
        let Some(batch) = source.next()? else { return Ok(()) };
        ahead.reach(work, at, batch.header.last_offset(), |aborted| filter.txns.add(aborted))?;
        // Looked up afterwards: what was open at a backup's moment was aborted when the log was held already.
        filter.held = work.log.held.limit(i64::MAX);
        let filtered = filter.batch(&batch, &mut target.buffer, stats);
        match filtered.map_err(|unfit| unfit.at(segment, position))? {
            Filtered::Kept(header, entry) => {
                if !target.note_batch(work, &header, entry)? {
                    return Err(CleanError::TooLarge { file: segment.path() });
                }
            }
            Filtered::Gone => {}
        }
        let read = source.take_read();
        stats.bytes_read += read;
        work.spend(read);
    }
}

/// When a segment was last written: the age of records without timestamps.
fn modified(segment: &Segment) -> Option<SystemTime> {
    segment.file().ok()?.file().metadata().ok()?.modified().ok()
}
