//! What must be left of a log that is compacted.

use std::collections::{BTreeMap, BTreeSet};

use pagewire_record::{DecompressLimits, SharedBatch};

use crate::model::Partition;

/// Compares the batches read with those that were sent: what is there is as it was sent, what is missing was superseded
/// or deleted by its key. Returns offset and time of the records that are there.
pub(crate) fn compare(partition: &Partition, read: &[SharedBatch]) -> Vec<(i64, i64)> {
    let sent: BTreeMap<i64, _> = partition.readable().iter().map(|sent| (sent.base, sent)).collect();
    let (mut there, mut last_base) = (Vec::new(), -1);
    for batch in read {
        let header = &batch.header;
        assert!(header.base_offset > last_base, "{}: batches do not rise at {last_base}", partition.topic);
        last_base = header.base_offset;
        let Some(sent) = sent.get(&header.base_offset) else {
            panic!("{}: nobody sent {header:?}", partition.topic)
        };
        let who = |header: &pagewire_record::BatchHeader| {
            (header.producer_id, header.producer_epoch, header.base_sequence, header.last_offset_delta)
        };
        assert_eq!(who(header), who(&sent.header), "{}", partition.topic);
        assert_eq!(header.partition_leader_epoch, sent.leader_epoch);
        for record in batch.records(&DecompressLimits::default()).expect("records") {
            let record = record.expect("a record");
            let (key, value, time) = &sent.records[(record.offset - sent.base) as usize];
            assert_eq!(record.key.as_deref(), Some(key.as_slice()));
            assert_eq!((record.value.as_deref(), record.timestamp), (value.as_deref(), *time));
            there.push((record.offset, *time));
        }
    }
    assert!(there.is_sorted_by(|one, next| one.0 < next.0), "{}: offsets rise", partition.topic);
    nothing_is_missing(partition, &there.iter().map(|(offset, _)| *offset).collect());
    there
}

/// The latest value of each key is there, and everything that no clean can have reached.
fn nothing_is_missing(partition: &Partition, there: &BTreeSet<i64>) {
    let mut latest = BTreeMap::new();
    for sent in partition.readable() {
        for (offset, (key, value, _)) in (sent.base..).zip(&sent.records) {
            if offset >= partition.start {
                latest.insert(key, (offset, value.is_some()));
                let untouched = offset >= partition.clean_to;
                assert!(!untouched || there.contains(&offset), "{}: {offset} is gone", partition.topic);
            }
        }
    }
    for (key, (offset, has_value)) in latest {
        let key = String::from_utf8_lossy(key);
        assert!(!has_value || there.contains(&offset), "{}: {key:?} at {offset} is gone", partition.topic);
    }
}
