//! Whole batches among bytes that are not believed: what goes with them, and how far the log had come when it wrote them.
//!
//! ```text
//!   [ good ][ destroyed │ ... value [ whole batch ] ... ][ whole ][ whole ][ torn
//!           ▲ from here on nothing is shown to be the log's own; but these were written by somebody
//! ```
//!
//! A record may hold whole batches of any offsets, and nobody may know which of those here are the log's own. An offset that
//! was given out must not be given out again, so the largest that may be one of its own counts; but no more than so many
//! bytes can have been given out for, so a record does not move a log's end out of reach.

use std::io;

use pagewire_disk::DiskFile;
use pagewire_record::{BatchError, BatchHeader};

use crate::cuts::GoodBatches;
use crate::files::{BadBytes, BatchWalk, Step};
use crate::scrub::ends_in_its_records;

/// Offsets that one byte stands for at most. A record takes seven bytes before it is compressed, and differs from the one
/// before it in one at least.
const OFFSETS_PER_BYTE_MAX: u64 = 64;

/// Bytes of a segment behind which nothing is known to be the log's own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unknown {
    pub(crate) from: u64,
    pub(crate) size: u64,
    /// What should begin there has this offset.
    pub(crate) offset: i64,
    /// The log is known to have come to this one.
    pub(crate) reached: i64,
    /// No batch of the segment reaches past this one.
    pub(crate) upto: i64,
}

/// Behind which offset a log ends at most of which so many bytes begin with a batch of `offset`.
pub(crate) fn most_behind(offset: i64, bytes: u64) -> i64 {
    offset.saturating_add_unsigned(bytes.saturating_mul(OFFSETS_PER_BYTE_MAX))
}

/// The whole batches that begin at or behind `from`, where `offset` should. No checksum covers an offset, and a torn write may
/// have left all of a batch but that: those that the log cannot have come to there are not believed.
pub(crate) fn good_in(
    file: &dyn DiskFile,
    from: u64,
    size: u64,
    offset: i64,
) -> io::Result<Option<GoodBatches>> {
    let mut good = None;
    each_whole(file, from..size, i64::MIN, |header, end| {
        let (first, next) = (header.base_offset, header.next_offset());
        let is_possible = first >= offset && next <= most_behind(offset, end - from);
        good = Some(match good {
            Some(GoodBatches::Offsets { first: least, next: most }) if is_possible => {
                GoodBatches::Offsets { first: first.min(least), next: next.max(most) }
            }
            Some(known @ GoodBatches::Offsets { .. }) => known,
            _ if is_possible => GoodBatches::Offsets { first, next },
            _ => GoodBatches::Unplaced,
        });
    })?;
    Ok(good)
}

/// Behind which offset the whole batches end that may be the log's own; `None` if there is none. The first one is whole as well
/// if all that is wrong is its length, and it ends with the file.
pub(crate) fn last_end_in(file: &dyn DiskFile, unknown: Unknown) -> io::Result<Option<i64>> {
    let Unknown { from, size, offset, reached, upto } = unknown;
    let known = reached.max(offset);
    let mut last = None;
    let mut meet = |header: &BatchHeader, end: u64| {
        let possible = most_behind(known, end - from).min(upto);
        last = last.max(Some(header.next_offset()).filter(|next| *next <= possible));
    };
    if let Some(header) = only_with_another_length(file, from, size, offset)? {
        meet(&header, size);
    }
    each_whole(file, from..size, offset, meet)?;
    Ok(last)
}

/// The batch of this offset at `from`, if its checksum says that it ends with the file.
fn only_with_another_length(
    file: &dyn DiskFile,
    from: u64,
    size: u64,
    offset: i64,
) -> io::Result<Option<BatchHeader>> {
    let mut walk = BatchWalk::new(file, from, size);
    let Some(header) = walk.raw_header(from)?.filter(|header| header.base_offset == offset) else {
        return Ok(None);
    };
    let end = walk.end_by_checksum(from, &header, &(offset + 1..=i64::MAX - 1))?;
    Ok(end.filter(|end| *end == size && header.last_offset_delta >= 0).map(|_| header))
}

/// Whether a batch of this offset begins at `from` that would end behind the file, and what follows its header are its records.
pub(crate) fn is_unfinished(file: &dyn DiskFile, from: u64, size: u64, offset: i64) -> io::Result<bool> {
    let mut walk = BatchWalk::new(file, from, size);
    let truncated =
        matches!(walk.step()?, Some(Step::Bad(BadBytes { error: BatchError::Truncated { .. }, .. })));
    match walk.raw_header(from)? {
        Some(header) if truncated => {
            Ok(header.base_offset == offset && ends_in_its_records(&mut walk, from, &header)?)
        }
        _ => Ok(truncated),
    }
}

/// Calls `meet` for each whole batch of offsets from `offset` on, with where it ends. Behind one that is not whole the next is
/// where it leads to, or the next there is.
fn each_whole(
    file: &dyn DiskFile,
    bytes: std::ops::Range<u64>,
    offset: i64,
    mut meet: impl FnMut(&BatchHeader, u64),
) -> io::Result<()> {
    let offsets = offset..=i64::MAX - 1;
    let mut walk = BatchWalk::new(file, bytes.start, bytes.end);
    while let Some(step) = walk.step()? {
        let (at, stated) = match step {
            Step::Batch(batch) if batch.is_whole() && offsets.contains(&batch.header.base_offset) => {
                meet(&batch.header, batch.end());
                continue;
            }
            Step::Batch(batch) => (batch.position, Some(batch.end())),
            Step::Bad(bad) => (bad.position, bad.next),
        };
        let Some(next) = walk.next_behind(at, stated, &offsets)? else { break };
        walk.resume_at(next);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use pagewire_disk::{Disk, MemoryDisk, OpenMode};
    use pagewire_record::{BatchBuilder, Codec};

    use super::*;

    fn batch(offset: i64, value: &[u8]) -> Vec<u8> {
        let mut builder = BatchBuilder::new(Codec::None).base_offset(offset);
        builder.append(5, None, Some(value), &[]).expect("a record");
        builder.build().expect("a batch").to_vec()
    }

    fn file(bytes: &[u8]) -> Arc<dyn DiskFile> {
        let file = MemoryDisk::new().open(Path::new("f"), OpenMode::Create).expect("a file");
        file.write_at(0, bytes).expect("written");
        file
    }

    fn last_end(bytes: &[u8]) -> Option<i64> {
        let unknown =
            Unknown { from: 0, size: bytes.len() as u64, offset: 9, reached: 10, upto: i64::from(i32::MAX) };
        last_end_in(&*file(bytes), unknown).expect("read")
    }

    #[test]
    fn the_largest_end_counts_wherever_it_is_in_the_file() {
        let lost = vec![0; 150];
        let own: Vec<u8> = (10..19).flat_map(|offset| batch(offset, b"own")).collect();
        let of_a_record = [vec![0; 100], batch(11, b"inside"), vec![0; 40]].concat();
        assert_eq!(last_end(&[&lost[..], &own, &of_a_record].concat()), Some(19));
        assert_eq!(last_end(&[&of_a_record[..], &own].concat()), Some(19));
        assert_eq!(last_end(&lost), None);
    }

    #[test]
    fn offsets_are_known_of_batches_that_the_log_may_have_come_to_there() {
        let good = |bytes: &[u8]| good_in(&*file(bytes), 0, bytes.len() as u64, 9).expect("read");
        let of = |first, next| Some(GoodBatches::Offsets { first, next });
        let (lost, far, before) = (vec![0; 100], batch(4_886_718_345, b"torn"), batch(3, b"torn"));
        assert_eq!(good(&lost), None);
        assert_eq!(good(&[&lost[..], &batch(11, b"own"), &batch(12, b"own")].concat()), of(11, 13));
        for torn in [&far, &before] {
            assert_eq!(good(&[&torn[..], &lost].concat()), Some(GoodBatches::Unplaced));
            assert_eq!(good(&[&torn[..], &batch(12, b"own")].concat()), of(12, 13));
            assert_eq!(good(&[&batch(12, b"own"), &torn[..]].concat()), of(12, 13));
        }
    }

    #[test]
    fn a_batch_in_a_record_moves_no_end_out_of_reach() {
        for far in [(1 << 31) - 30, 1 << 20, i64::MAX - 5] {
            let bytes = [vec![0; 200], batch(far, b"inside"), vec![0; 40]].concat();
            assert_eq!(last_end(&bytes), None, "{far}");
            assert_eq!(last_end(&[bytes, batch(12, b"own")].concat()), Some(13), "{far}");
        }
    }

    #[test]
    fn what_is_unfinished_says_so_itself() {
        let whole = batch(9, &[7; 300]);
        let len = whole.len() as u64;
        for (size, offset, unfinished) in
            [(len, 9, false), (len - 1, 9, true), (100, 9, true), (100, 10, false)]
        {
            assert_eq!(is_unfinished(&*file(&whole), 0, size, offset).expect("read"), unfinished, "{size}");
        }
    }
}
