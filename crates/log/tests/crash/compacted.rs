//! What must be left of a log that is, or was, compacted.

use std::collections::{BTreeMap, BTreeSet};

use pagewire_record::{DecompressLimits, SharedBatch};

use crate::model::{Fate, Partition, Sent};

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
        let kind = |header: &pagewire_record::BatchHeader| (header.is_control(), header.is_transactional());
        assert_eq!(kind(header), kind(&sent.header), "{}", partition.topic);
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
    let offsets: BTreeSet<i64> =
        there.iter().map(|(offset, _)| *offset).filter(|at| *at >= partition.start).collect();
    nothing_is_missing(partition, &offsets);
    a_reader_ends_with_the_latest(partition, &offsets);
    there
}

/// Everything is there that no clean can have reached.
fn nothing_is_missing(partition: &Partition, there: &BTreeSet<i64>) {
    let untouched = partition.clean_to.max(partition.start);
    for sent in partition.readable() {
        for (offset, _) in sent.times().filter(|(offset, _)| *offset >= untouched) {
            let (clean_to, end) = (partition.clean_to, partition.end);
            let is_there = there.contains(&offset);
            assert!(is_there, "{}: {offset} of {end} is gone, clean to {clean_to}", partition.topic);
        }
    }
}

/// Whoever reads all of what is left knows the latest value of every key, and of none that was deleted.
fn a_reader_ends_with_the_latest(partition: &Partition, there: &BTreeSet<i64>) {
    let fates = partition.fates();
    let counts =
        |sent: &&Sent| sent.marker.is_none() && matches!(fates[&sent.base], Fate::None | Fate::Committed);
    let (mut latest, mut read) = (BTreeMap::new(), BTreeMap::new());
    for sent in partition.readable().iter().filter(counts) {
        for (offset, (key, value, _)) in (sent.base..).zip(&sent.records) {
            let value = value.is_some().then_some(offset);
            if offset >= partition.start {
                latest.insert(key, value);
            }
            if there.contains(&offset) {
                read.insert(key, value);
            }
        }
    }
    for (key, value) in latest {
        let found = read.get(key).copied().flatten();
        let key = String::from_utf8_lossy(key);
        assert_eq!(found, value, "{}: where the latest value of {key:?} is", partition.topic);
    }
}
