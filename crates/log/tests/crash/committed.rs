//! What a reader of committed records is given: everything up to the earliest open transaction, and of what was aborted
//! enough to leave it out, by the algorithm of Kafka's consumer.

use std::collections::{BTreeMap, BTreeSet};

use pagewire_log::{AbortedTxn, Log, Marks, ReadUpTo};
use pagewire_record::{ControlType, SharedBatch, complete_batches};

use crate::model::{Fate, Partition};
use crate::world::World;

/// Compares a reader's view with the model, from some offset on, in slices of some length.
pub(crate) fn view(world: &mut World, at: usize, log: &Log) {
    let partition = &world.partitions[at];
    let (marks, fates) = (log.marks(), partition.fates());
    last_stable(partition, &fates, marks);
    if marks.log_start >= marks.last_stable {
        return;
    }
    let from = world
        .chance
        .pick(&[marks.log_start, world.chance.clone().between(marks.log_start, marks.last_stable)]);
    let max_bytes = world.chance.pick(&[1, 500, 3_000, 100_000]);
    let partition = &world.partitions[at];
    let (mut offset, mut seen) = (from, BTreeMap::new());
    while offset < marks.last_stable {
        let slice = log.read(offset, max_bytes, ReadUpTo::LastStable, true).expect("a read");
        let Some(range) = slice.range else {
            assert!(world.holes, "{}: nothing committed at {offset}: {marks:?}", partition.topic);
            break;
        };
        let bytes = bytes::Bytes::from(range.read_to_vec().expect("a range"));
        let batches: Vec<_> = complete_batches(&bytes).map_while(Result::ok).collect();
        let last = batches.last().expect("a batch").header;
        assert!(last.base_offset < marks.last_stable, "{}: above {marks:?}: {last:?}", partition.topic);
        offset = last.next_offset();
        seen.extend(shown(&batches, slice.aborted));
    }
    for (base, is_shown) in &seen {
        let fate =
            fates.get(base).copied().unwrap_or_else(|| panic!("{}: nobody sent {base}", partition.topic));
        assert_ne!(fate, Fate::Open, "{}: {base} is not decided: {marks:?}", partition.topic);
        let expected = fate != Fate::Aborted;
        assert_eq!(*is_shown, expected, "{}: {base}, {fate:?}, is shown from {from} on", partition.topic);
        if fate == Fate::Aborted {
            world.tally.count("aborted batches left out");
        }
    }
    let first = partition.batches.partition_point(|sent| sent.end() <= from);
    let expected = partition.batches[first..].iter().filter(|sent| sent.base < marks.last_stable);
    let missing: Vec<_> = expected.map(|sent| sent.base).filter(|base| !seen.contains_key(base)).collect();
    assert!(world.holes || missing.is_empty(), "{}: {missing:?} are not there", partition.topic);
}

/// Data batches and markers by base offset, and whether a consumer shows its records (markers it never does: `true`).
pub(crate) fn shown(batches: &[SharedBatch], mut aborted: Vec<AbortedTxn>) -> Vec<(i64, bool)> {
    aborted.sort_by_key(|txn| txn.first_offset);
    let (mut ahead, mut inside) = (aborted.into_iter().peekable(), BTreeSet::new());
    let mut shown = Vec::new();
    // A batch without records has nothing to show, whatever became of it.
    for batch in batches {
        let header = &batch.header;
        while let Some(txn) = ahead.next_if(|txn| txn.first_offset <= header.last_offset()) {
            inside.insert(txn.producer_id);
        }
        if header.is_control() {
            if is_abort(batch) {
                inside.remove(&header.producer_id);
            }
            shown.push((header.base_offset, true));
        } else if header.records_count > 0 {
            let left_out = header.is_transactional() && inside.contains(&header.producer_id);
            shown.push((header.base_offset, !left_out));
        }
    }
    shown
}

fn is_abort(batch: &SharedBatch) -> bool {
    let records = batch.records(&pagewire_record::DecompressLimits::default()).expect("records");
    let mut keys = records.map(|record| record.expect("a record").key.expect("a kind"));
    keys.next().is_some_and(|key| ControlType::from_key(&key) == Some(ControlType::Abort))
}

/// The last stable offset is the first of the earliest open transaction. Where the log starts inside of that one, and
/// its beginning is gone, it may be that of the first batch left.
fn last_stable(partition: &Partition, fates: &BTreeMap<i64, Fate>, marks: Marks) {
    let first_open = fates.iter().find(|(_, fate)| **fate == Fate::Open).map(|(base, _)| *base);
    let expected = first_open.unwrap_or(partition.end).clamp(partition.start, partition.end);
    if marks.last_stable == expected {
        return;
    }
    let left = |base: &&i64| partition.readable().first().is_some_and(|first| **base >= first.base);
    let open = fates.iter().filter(|(_, fate)| **fate == Fate::Open).map(|(base, _)| base);
    let first_left = open.filter(left).min().copied().unwrap_or(partition.end);
    let is_cut = first_open.is_some_and(|first| first < partition.start);
    assert!(
        is_cut && (expected..=first_left).contains(&marks.last_stable),
        "{}: {marks:?}, the earliest open transaction begins at {first_open:?}",
        partition.topic,
    );
}
