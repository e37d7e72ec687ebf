//! Producer state on disk, in Kafka's format, one file per moment: `%020d.snapshot` holds the state before that offset.
//!
//! The format is [`ProducerSnapshot`]'s.
//!
//! Only the last batch of each producer is in it. Written at every roll (synced with the next sync) and when the log
//! is closed. A damaged one is skipped for an older one and a longer replay.
//!
//! A power cut may take all of the log past the recovery point, and a start after it replays transactions from the
//! beginning of the segment that holds the recovery point of the checkpoint. The newest snapshots that are old enough
//! for either stay, and the newest [`KEPT`]: [`surplus`].

use std::io;
use std::path::Path;

use pagewire_disk::Disk;
use pagewire_record::NO_SEQUENCE;

use crate::files::{ProducerSnapshot, SnapshotDamage, SnapshotProducer};
use crate::producers::ProducerTable;
use crate::producers::producer::{BatchMeta, Producer};
use crate::segment::names;

/// Snapshots kept for being new. Few are past the recovery point, as closed segments are synced soon.
pub(crate) const KEPT: usize = 8;

/// Which of these, oldest first, are needed no more. The newest [`KEPT`] are, and the newest at or below each floor.
pub(crate) fn surplus(offsets: &[i64], floors: &[i64]) -> Vec<i64> {
    let old_enough = |floor: &i64| offsets.partition_point(|offset| offset <= floor).checked_sub(1);
    let needed: Vec<Option<usize>> = floors.iter().map(old_enough).collect();
    let newest = offsets.len().saturating_sub(KEPT);
    let surplus = offsets.iter().take(newest).enumerate().filter(|(at, _)| !needed.contains(&Some(*at)));
    surplus.map(|(_, offset)| *offset).collect()
}

/// The file's bytes, the same for the same state.
pub(crate) fn encode(table: &ProducerTable) -> Vec<u8> {
    let mut producers: Vec<_> = table.iter().map(|(id, producer)| on_disk(id, producer)).collect();
    producers.sort_unstable_by_key(|producer| producer.producer_id);
    ProducerSnapshot { producers }.to_bytes()
}

fn on_disk(producer_id: i64, producer: &Producer) -> SnapshotProducer {
    let last = producer.last();
    SnapshotProducer {
        producer_id,
        producer_epoch: producer.epoch,
        last_sequence: last.map_or(NO_SEQUENCE, |batch| batch.last_sequence),
        last_offset: last.map_or(-1, |batch| batch.last_offset),
        offset_delta: last.map_or(0, |batch| batch.offset_delta),
        timestamp: producer.last_timestamp,
        coordinator_epoch: producer.coordinator_epoch,
        current_txn_first_offset: producer.txn_first_offset.unwrap_or(-1),
    }
}

fn fill(snapshot: &ProducerSnapshot, table: &mut ProducerTable, now_ms: i64) {
    table.clear();
    for producer in &snapshot.producers {
        table.restore(producer.producer_id, in_memory(producer), now_ms);
    }
}

fn in_memory(producer: &SnapshotProducer) -> Producer {
    let SnapshotProducer { last_sequence, last_offset, offset_delta, timestamp, .. } = *producer;
    // What the broker wrote for a producer has an offset, and no sequence.
    let last =
        (last_offset >= 0).then_some(BatchMeta { last_sequence, last_offset, offset_delta, timestamp });
    let txn = Some(producer.current_txn_first_offset).filter(|offset| *offset >= 0);
    Producer::restored(producer.producer_epoch, last, producer.coordinator_epoch, txn, timestamp)
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
        match ProducerSnapshot::read(disk, &names::path(dir, offset, names::SNAPSHOT)) {
            Ok(Some(snapshot)) => {
                fill(&snapshot, table, now_ms);
                return Ok(Some(offset));
            }
            Ok(None) => {}
            Err(SnapshotDamage::Io(error)) if error.kind() != io::ErrorKind::FileTooLarge => {
                return Err(error);
            }
            Err(_) => useless.push(offset),
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

    fn decode(bytes: &[u8], table: &mut ProducerTable, now_ms: i64) -> Result<(), SnapshotDamage> {
        ProducerSnapshot::parse(bytes).map(|snapshot| fill(&snapshot, table, now_ms))
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
            let surplus = surplus(&offsets, &floors);
            offsets.iter().copied().filter(|offset| !surplus.contains(offset)).collect()
        };
        let newest = &offsets[offsets.len() - KEPT..];
        assert_eq!(kept([400, 400]), newest);
        assert_eq!(kept([-1, 400]), newest);
        assert_eq!(kept([25, 89]), [&[20, 80], newest].concat());
        assert_eq!(kept([20, 29]), [&[20], newest].concat());
        assert_eq!(surplus(&[3], &[7, 7]), [0; 0]);
    }

    #[test]
    fn the_last_batch_of_each_producer_survives() {
        let bytes = encode(&table());
        assert_eq!(bytes.len(), 10 + 3 * 46);
        let mut again = ProducerTable::default();
        decode(&bytes, &mut again, 7).expect("whole");
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
