//! The first pass: the latest offset of each key in the dirty part, as far as the map holds them.

use std::borrow::Cow;
use std::ops::Range;

use pagewire_record::batch::Batch;
use pagewire_record::compress::inflate;
use pagewire_record::{Codec, ControlType, DecompressLimits};

use super::ahead::Ahead;
use super::error::{CleanError, Unfit};
use super::offset_map::{OffsetMap, Put};
use super::raw_record::RawRecord;
use super::source::Source;
use super::stats::CleanStats;
use super::txns::Txns;
use super::work::Work;
use crate::segment::Segment;

/// Learns the keys of the records at these offsets. Returns the offset below which all are known: the end, or that of
/// the first record whose key did not fit.
pub(super) fn learn(
    work: &Work<'_>,
    offsets: Range<i64>,
    map: &mut OffsetMap,
    buffer: &mut Vec<u8>,
    stats: &mut CleanStats,
) -> Result<i64, CleanError> {
    map.clear();
    let (mut txns, mut ahead) = (Txns::default(), Ahead::of(offsets.start));
    let dirty =
        |segment: &Segment| segment.end().next_offset > offsets.start && segment.base_offset < offsets.end;
    for (at, segment) in work.closed().iter().enumerate().filter(|(_, segment)| dirty(segment)) {
        let file = work.file(segment)?;
        let start = segment.position_of(offsets.start).map_err(CleanError::reading(segment.path()));
        let start = start.map_err(|error| work.overtaken(segment, error))?;
        let mut source = Source::new(segment, &*file, start, buffer, work.chunk);
        loop {
            work.go_on()?;
            let position = source.position();
            let Some(batch) = source.next()? else { break };
            if batch.header.base_offset >= offsets.end {
                break;
            }
            ahead.reach(work, at, batch.header.last_offset(), |aborted| txns.add(aborted))?;
            let put = learn_batch(&batch, &offsets, &mut txns, map, work.config.decompress);
            stats.map_records_read += u64::try_from(batch.header.records_count).unwrap_or(0);
            let full = put.map_err(|unfit| unfit.at(segment, position))?;
            let read = source.take_read();
            stats.map_bytes_read += read;
            work.spend(read);
            if let Some(full) = full {
                return Ok(full);
            }
        }
    }
    Ok(offsets.end)
}

/// The offset of the first record whose key does not fit.
fn learn_batch(
    batch: &Batch<'_>,
    offsets: &Range<i64>,
    txns: &mut Txns,
    map: &mut OffsetMap,
    limits: DecompressLimits,
) -> Result<Option<i64>, Unfit> {
    let header = &batch.header;
    if header.is_control() {
        txns.pass_marker(header, control_type(batch)?);
        return Ok(None);
    }
    if txns.pass_data(header) || header.last_offset() < offsets.start {
        return Ok(None);
    }
    let plain = plain(batch, limits)?;
    let mut rest = &*plain;
    for _ in 0..header.records_count {
        let record = RawRecord::take(&mut rest)?;
        let offset = header.base_offset.wrapping_add(i64::from(record.offset_delta));
        let Some(key) = record.key.filter(|_| offsets.contains(&offset)) else { continue };
        if map.put(key, offset) == Put::Full {
            return Ok(Some(offset));
        }
    }
    Ok(None)
}

/// The records of a batch as they are when nothing compresses them.
pub(super) fn plain<'b>(batch: &Batch<'b>, limits: DecompressLimits) -> Result<Cow<'b, [u8]>, Unfit> {
    let header = &batch.header;
    match header.codec() {
        None => Err(format!("unknown codec {}", header.codec_id()).into()),
        // A batch that was emptied has nothing to inflate.
        _ if header.records_count <= 0 => Ok(Cow::Borrowed(&[])),
        Some(Codec::None) => Ok(Cow::Borrowed(batch.payload())),
        Some(codec) => Ok(Cow::Owned(inflate(codec, batch.payload(), &limits)?)),
    }
}

/// What the first control record of a batch says; `None` if there is no record.
pub(super) fn control_type(batch: &Batch<'_>) -> Result<Option<ControlType>, String> {
    if batch.header.records_count <= 0 {
        return Ok(None);
    }
    let record = RawRecord::take(&mut batch.payload())?;
    let kind = record.key.and_then(ControlType::from_key);
    kind.map(Some).ok_or_else(|| "a control record without a type".to_owned())
}
