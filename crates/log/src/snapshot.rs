//! Producer state on disk, in Kafka's format, one file per moment: `%020d.snapshot` holds the state before that offset.
//!
//! ```text
//! | version i16 = 1 | crc32c of what follows u32 | count i32 | count x
//!     { producer id i64 | epoch i16 | last sequence i32 | last offset i64 | offset delta i32 | timestamp i64
//!     | coordinator epoch i32 | first offset of the open transaction i64 (-1: none) } |       46 bytes each
//! ```
//!
//! Only the last batch of each producer is in it. Written at every roll (synced with the next sync) and when the log
//! is closed. A damaged one is skipped for an older one and a longer replay.
//!
//! A power cut may take all of the log past the recovery point, and a start after it replays transactions from the
//! beginning of the segment that holds the recovery point of the checkpoint. The newest snapshots that are old enough for
//! either stay, and the newest [`KEPT`]: [`surplus`].

use std::io;
use std::path::Path;

use pagewire_disk::{Disk, read_small};
use pagewire_record::NO_SEQUENCE;

use crate::names;
use crate::producers::{BatchMeta, Producer, ProducerTable};

const VERSION: i16 = 1;
const HEAD_LEN: usize = 10;
const ENTRY_LEN: usize = 46;
/// More than a table of the largest allowed size needs.
const FILE_MAX: u64 = 256 << 20;
/// Snapshots kept for being new. Few are past the recovery point, as closed segments are synced soon.
pub(crate) const KEPT: usize = 8;

/// Which of these, oldest first, are needed no more. The newest [`KEPT`] are, and the newest at or below each floor.
pub(crate) fn surplus(offsets: &[i64], floors: [i64; 2]) -> Vec<i64> {
    let old_enough = |floor| offsets.partition_point(|offset| *offset <= floor).checked_sub(1);
    let needed = floors.map(old_enough);
    let newest = offsets.len().saturating_sub(KEPT);
    let surplus = offsets.iter().take(newest).enumerate().filter(|(at, _)| !needed.contains(&Some(*at)));
    surplus.map(|(_, offset)| *offset).collect()
}

/// The file's bytes, the same for the same state.
pub(crate) fn encode(table: &ProducerTable) -> Vec<u8> {
    let mut body = Vec::with_capacity(4 + table.len() * ENTRY_LEN);
    body.extend_from_slice(&(table.len() as i32).to_be_bytes());
    let mut producers: Vec<_> = table.iter().collect();
    producers.sort_unstable_by_key(|(id, _)| *id);
    for (id, producer) in producers {
        let last = producer.last();
        body.extend_from_slice(&id.to_be_bytes());
        body.extend_from_slice(&producer.epoch.to_be_bytes());
        body.extend_from_slice(&last.map_or(NO_SEQUENCE, |batch| batch.last_sequence).to_be_bytes());
        body.extend_from_slice(&last.map_or(-1, |batch| batch.last_offset).to_be_bytes());
        body.extend_from_slice(&last.map_or(0, |batch| batch.offset_delta).to_be_bytes());
        body.extend_from_slice(&producer.last_timestamp.to_be_bytes());
        body.extend_from_slice(&producer.coordinator_epoch.to_be_bytes());
        body.extend_from_slice(&producer.txn_first_offset.unwrap_or(-1).to_be_bytes());
    }
    let mut bytes = VERSION.to_be_bytes().to_vec();
    bytes.extend_from_slice(&crc32c::crc32c(&body).to_be_bytes());
    bytes.extend_from_slice(&body);
    bytes
}

/// Puts the producers of a file into `table`; the reason if it is damaged (the table is then unchanged).
pub(crate) fn decode(bytes: &[u8], table: &mut ProducerTable, now_ms: i64) -> Result<(), &'static str> {
    let mut fields = Fields(bytes);
    if fields.take().map(i16::from_be_bytes) != Some(VERSION) {
        return Err("unknown version");
    }
    let crc = fields.take().map(u32::from_be_bytes);
    if crc != Some(crc32c::crc32c(fields.0)) {
        return Err("checksum does not match");
    }
    let count = fields.take().map_or(-1, i32::from_be_bytes);
    if i64::from(count) * ENTRY_LEN as i64 != (bytes.len() - HEAD_LEN) as i64 {
        return Err("length does not match the count");
    }
    table.clear();
    while let Some((id, producer)) = fields.producer() {
        table.restore(id, producer, now_ms);
    }
    Ok(())
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (value, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*value)
    }

    fn producer(&mut self) -> Option<(i64, Producer)> {
        let id = i64::from_be_bytes(self.take()?);
        let epoch = i16::from_be_bytes(self.take()?);
        let last_sequence = i32::from_be_bytes(self.take()?);
        let last_offset = i64::from_be_bytes(self.take()?);
        let offset_delta = i32::from_be_bytes(self.take()?);
        let timestamp = i64::from_be_bytes(self.take()?);
        let coordinator_epoch = i32::from_be_bytes(self.take()?);
        let txn = i64::from_be_bytes(self.take()?);
        // What the broker wrote for a producer has an offset, and no sequence.
        let last =
            (last_offset >= 0).then_some(BatchMeta { last_sequence, last_offset, offset_delta, timestamp });
        let txn = (txn >= 0).then_some(txn);
        Some((id, Producer::restored(epoch, last, coordinator_epoch, txn, timestamp)))
    }
}

/// Loads the newest good snapshot of `offsets` into `table`: its offset, or `None`. Those of bad ones are pushed to
/// `useless`.
pub(crate) fn load_newest(
    disk: &dyn Disk,
    dir: &Path,
    offsets: &[i64],
    table: &mut ProducerTable,
    now_ms: i64,
    useless: &mut Vec<i64>,
) -> io::Result<Option<i64>> {
    let mut offsets = offsets.to_vec();
    offsets.sort_unstable_by(|a, b| b.cmp(a));
    for offset in offsets {
        let read = match read_small(disk, &names::path(dir, offset, names::SNAPSHOT), FILE_MAX) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Some(Vec::new()),
            Err(error) => return Err(error),
        };
        match read.map(|bytes| decode(&bytes, table, now_ms)) {
            Some(Ok(())) => return Ok(Some(offset)),
            Some(Err(_)) => useless.push(offset),
            None => {}
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answers::Origin;
    use crate::producers::{Entry, Verdict};

    fn header(id: i64) -> pagewire_record::BatchHeader {
        let mut header = pagewire_record::BatchHeader::decode(&[0; 61]);
        header.producer_id = id;
        header.producer_epoch = 2;
        header.base_offset = 100 + id;
        header.last_offset_delta = 4;
        header.max_timestamp = 1000 + id;
        header
    }

    fn table() -> ProducerTable {
        let mut table = ProducerTable::default();
        for id in 0..3 {
            table.record(Entry { header: &header(id), marker: None }, 0, 10);
        }
        table
    }

    #[test]
    fn the_newest_stay_and_those_that_are_old_enough() {
        let offsets: Vec<i64> = (0..40).map(|n| n * 10).collect();
        let kept = |floors: [i64; 2]| -> Vec<i64> {
            let surplus = surplus(&offsets, floors);
            offsets.iter().copied().filter(|offset| !surplus.contains(offset)).collect()
        };
        let newest = &offsets[offsets.len() - KEPT..];
        assert_eq!(kept([400, 400]), newest);
        assert_eq!(kept([-1, 400]), newest);
        assert_eq!(kept([25, 89]), [&[20, 80], newest].concat());
        assert_eq!(kept([20, 29]), [&[20], newest].concat());
        assert_eq!(surplus(&[3], [7, 7]), [0; 0]);
    }

    #[test]
    fn the_last_batch_of_each_producer_survives() {
        let bytes = encode(&table());
        assert_eq!(bytes.len(), 10 + 3 * 46);
        let mut again = ProducerTable::default();
        assert_eq!(decode(&bytes, &mut again, 7), Ok(()));
        assert_eq!(again.describe(), table().describe());
        let Ok(Verdict::Duplicate(meta)) =
            again.check(Entry { header: &header(2), marker: None }, Origin::Client, 10)
        else {
            panic!("duplicate")
        };
        assert_eq!((meta.first_offset(), meta.timestamp), (102, 1002));
    }

    #[test]
    fn every_flipped_byte_and_every_cut_is_noticed() {
        let bytes = encode(&table());
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x40;
            let mut again = ProducerTable::default();
            assert!(decode(&flipped, &mut again, 0).is_err(), "byte {at}");
            assert!(decode(&bytes[..at], &mut again, 0).is_err(), "cut at {at}");
            assert_eq!(again.len(), 0);
        }
    }
}
