//! The batches that producers may still have in flight, found again in the log.
//!
//! A snapshot keeps the last batch of each producer, as Kafka's does; a producer that sends its five unanswered batches
//! again after a restart must find all of them. Their headers lie in the log before the snapshot, mostly at its very
//! end, so ever longer tails of it are looked at until every producer that wrote there has its five, within bounds:
//!
//! ```text
//!   log  ──────────────────[──── 16 MiB ────[── 2 MiB ──[ 256 KiB ] snapshot ── replayed ──▶
//! ```
//!
//! The longest tail only where batches are so large that there are few headers in it. What is not found is not
//! remembered: the producer then goes on from its last batch, as with Kafka. Headers say which batches these are; each
//! that is remembered is read whole, and has the checksum that it states.

use std::sync::Arc;

use crate::answers::RecoveryReport;
use crate::errors::{LogError, ReadError};
use crate::patience::Patience;
use crate::producers::ProducerTable;
use crate::producers::producer::BatchMeta;
use crate::scan::headers::walk_headers;
use crate::scan::{Found, ScanError, Scanner, WINDOW_WALK};
use crate::segment::Segment;

/// Bytes of log before the snapshot, looked at in turn.
const TAILS: [u64; 4] = [256 << 10, 2 << 20, ALWAYS, TAIL_GROWTH * ALWAYS];
/// Each is so many times the one before.
const TAIL_GROWTH: u64 = 8;
/// A tail that is looked at whatever is in it.
const ALWAYS: u64 = 16 << 20;
/// A longer one must not hold more headers than this, by what the one before it held.
const HEADERS_MAX: u64 = 16 << 10;

/// A part of a segment: from a batch on.
struct Part<'s> {
    segment: &'s Arc<Segment>,
    offset: i64,
}

/// Completes the producers of a snapshot taken at offset `before`.
pub(crate) fn refill(
    table: &mut ProducerTable,
    segments: &[Arc<Segment>],
    before: i64,
    report: &mut RecoveryReport,
) -> Result<(), LogError> {
    let mut headers = None;
    for bytes in TAILS {
        if table.len() == 0 || !may_look(bytes, headers) {
            break;
        }
        let parts = tail(segments, before, bytes)?;
        let Some(first) = parts.first() else { break };
        if !table.is_incomplete_from(first.offset) {
            continue;
        }
        let (mut found, mut seen) = (ProducerTable::default(), 0);
        for part in &parts {
            walk_headers(part.segment, part.offset, report, |header| {
                let older = header.base_offset < before;
                if older {
                    seen += 1;
                    table.note_known(header, &mut found);
                }
                older
            })?;
        }
        table.complete_from(&found, &mut |producer, batch| is_as_written(segments, producer, batch))?;
        headers = Some(seen);
    }
    Ok(())
}

/// Whether the log has this batch, of a producer's id and epoch, and its checksum says so.
fn is_as_written(
    segments: &[Arc<Segment>],
    producer: (i64, i16),
    batch: &BatchMeta,
) -> Result<bool, LogError> {
    let at = segments.partition_point(|segment| segment.base_offset <= batch.last_offset);
    let Some(segment) = at.checked_sub(1).and_then(|at| segments.get(at)) else { return Ok(false) };
    let failed = || LogError::at(segment.path());
    let place = match segment.locate(batch.last_offset, Patience::Endless) {
        Ok(Some(found)) => found,
        Err(ReadError::Io(error)) => return Err(failed()(error)),
        _ => return Ok(false),
    };
    let file = segment.file().map_err(failed())?;
    let scanner = Scanner::new(&*file, place.position, place.end(), segment.base_offset, WINDOW_WALK);
    match scanner.verifying_from(0).next() {
        Ok(found) => Ok(found.is_some_and(|Found { header, .. }| {
            (header.producer_id, header.producer_epoch) == producer
                && (header.last_sequence(), header.last_offset()) == (batch.last_sequence, batch.last_offset)
                && header.last_offset_delta == batch.offset_delta
        })),
        Err(ScanError::Io(error)) => Err(failed()(error)),
        Err(ScanError::Bad { .. }) => {
            // Its readers, and the scrub, know of it from here on.
            segment.verify_once(place.position, 1, Patience::Endless).map_err(failed())?;
            Ok(false)
        }
    }
}

fn may_look(bytes: u64, headers: Option<u64>) -> bool {
    bytes <= ALWAYS || headers.is_some_and(|headers| headers * TAIL_GROWTH <= HEADERS_MAX)
}

/// The last `bytes` of what lies below offset `before`, oldest first; rather a little more, up to an index entry.
fn tail(segments: &[Arc<Segment>], before: i64, bytes: u64) -> Result<Vec<Part<'_>>, LogError> {
    let (mut parts, mut left) = (Vec::new(), bytes);
    for segment in segments.iter().rev().filter(|segment| segment.base_offset < before) {
        let failed = || LogError::at(segment.path());
        let end = segment.position_of(before).map_err(failed())?;
        let offset = match end.checked_sub(left) {
            Some(position) if position > 0 => segment.offset_near(position).map_err(failed())?,
            _ => segment.base_offset,
        };
        parts.push(Part { segment, offset });
        left = left.saturating_sub(end);
        if left == 0 {
            break;
        }
    }
    parts.reverse();
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_grow_evenly() {
        assert!(TAILS.windows(2).all(|pair| pair[1] == pair[0] * TAIL_GROWTH));
    }

    #[test]
    fn the_longest_tail_is_for_large_batches() {
        let longest = TAILS[TAILS.len() - 1];
        assert!(TAILS.iter().rev().skip(1).all(|bytes| may_look(*bytes, Some(1 << 20))));
        assert!(may_look(longest, Some(16)));
        assert!(!may_look(longest, Some(16 << 10)));
        assert!(!may_look(longest, None), "nobody wrote near the end");
    }
}
