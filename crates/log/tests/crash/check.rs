//! What must hold after every start.

use std::collections::BTreeMap;

use pagewire_log::{AppendContext, Log, Origin, ProducerInfo, ReadUpTo};
use pagewire_record::{HEADER_LEN, SharedBatch, batches, complete_batches};

use crate::model::{Known, Partition, Sent};
use crate::world::World;
use crate::{committed, compacted, harmed};

/// Everything about one log.
pub(crate) fn partition(world: &mut World, at: usize, log: &Log) {
    if !world.partitions[at].harm.is_none() {
        return harmed::partition(world, &world.partitions[at], log);
    }
    let records = read_through(world, at, log);
    point_reads(world, at, log, &records);
    committed::view(world, at, log);
    times(world, log, &records);
    producers(world, at, log);
}

/// Every batch from the start to the end, in order, none twice, none missing, as it was sent. Returns offset and time of
/// every record that can be read.
fn read_through(world: &mut World, at: usize, log: &Log) -> Vec<(i64, i64)> {
    let max_bytes = world.chance.pick(&[1, 300, 2_000, 100_000]);
    let partition = &world.partitions[at];
    let (mut offset, mut read) = (partition.start, Vec::new());
    while offset < partition.end {
        let slice = log.read(offset, max_bytes, ReadUpTo::LogEnd, true).expect("a read");
        let Some(range) = slice.range else {
            assert!(world.holes, "{}: nothing at {offset}", partition.topic);
            break;
        };
        let bytes = bytes::Bytes::from(range.read_to_vec().expect("a range"));
        for batch in complete_batches(&bytes).map_while(Result::ok) {
            batch.verify_crc().expect("a checksum");
            offset = batch.header.next_offset();
            read.push(batch);
        }
    }
    let records = if world.holes {
        compacted::compare(partition, &read)
    } else {
        let expected = partition.readable();
        expected.iter().zip(&read).for_each(|(sent, batch)| same(sent, batch));
        assert_eq!(expected.len(), read.len(), "{}: batches from {}", partition.topic, partition.start);
        expected.iter().flat_map(Sent::times).collect()
    };
    records.into_iter().filter(|(offset, _)| *offset >= partition.start).collect()
}

fn same(sent: &Sent, batch: &SharedBatch) {
    assert_eq!(batch.header, sent.expected_header());
    assert_eq!(batch.bytes[HEADER_LEN..], *sent.payload());
}

/// Offsets asked for out of turn lead to the batches that hold them.
fn point_reads(world: &mut World, at: usize, log: &Log, records: &[(i64, i64)]) {
    for _ in 0..4 {
        let partition = &world.partitions[at];
        if partition.start >= partition.end {
            return;
        }
        let offset = world.chance.between(partition.start, partition.end);
        let slice = log.read(offset, 1, ReadUpTo::HighWatermark, true).expect("a read");
        let Some(range) = slice.range else {
            assert!(world.holes && records.iter().all(|(at, _)| *at < offset), "{offset}");
            continue;
        };
        let bytes = range.read_to_vec().expect("a range");
        let header = batches(&bytes).next().expect("a batch").expect("a good one").header;
        // After a hole that compaction left, the next one.
        let holds = (header.base_offset..=header.last_offset()).contains(&offset);
        let next = world.holes && header.base_offset > offset;
        assert!(holds || next, "{}: {offset} is not in {header:?}", log.topic());
    }
}

fn times(world: &mut World, log: &Log, records: &[(i64, i64)]) {
    for _ in 0..3 {
        let wanted = world.now_ms - world.chance.between(0, 2_000);
        let found =
            log.offset_for_time(wanted).expect("a lookup").map(|found| (found.offset, found.timestamp));
        let expected = records.iter().find(|(_, time)| *time >= wanted).copied();
        assert_eq!(found, expected, "{}: the first at {wanted}", log.topic());
    }
    let largest = log.max_timestamp_offset().expect("a lookup").map(|found| found.timestamp);
    assert_eq!(largest, records.iter().map(|(_, time)| *time).max(), "{}: the largest time", log.topic());
}

/// Every producer that the log's batches name is known as their replay has it; one whose batches are gone may be
/// forgotten, but not be known differently.
fn producers(world: &mut World, at: usize, log: &Log) {
    let partition = &world.partitions[at];
    let expected = partition.producers();
    let found: BTreeMap<_, _> = log.producers().into_iter().map(|known| (known.producer_id, known)).collect();
    for (id, info) in &found {
        let known = expected.get(id).unwrap_or_else(|| panic!("{}: who is {info:?}?", partition.topic));
        if world.holes && known.last_sequence < 0 {
            // Its epoch is known from a marker alone, which goes when nobody needs it.
            continue;
        }
        let is_its_own = |sent: &&Sent| sent.header.producer_id == *id && sent.marker.is_none();
        if info.last_sequence < 0 && !partition.readable().iter().any(|sent| is_its_own(&sent)) {
            // Forgotten with its records, and known again by a marker.
            continue;
        }
        let said = (info.producer_epoch, info.last_sequence);
        assert_eq!(said, (known.epoch, known.last_sequence), "{}: producer {id}", partition.topic);
        let marked =
            partition.readable().iter().any(|sent| sent.header.producer_id == *id && sent.marker.is_some());
        transaction(partition, *info, *known, world.holes || !marked);
        // A batch that compaction wrote anew has the largest time of what is left in it.
        let rewritten = world.holes && info.last_timestamp <= known.last_timestamp;
        assert!(rewritten || info.last_timestamp == known.last_timestamp, "{info:?} {known:?}");
    }
    for sent in partition.readable().iter().filter(|sent| sent.header.producer_id >= 0) {
        let (id, compacted) = (sent.header.producer_id, world.holes);
        if compacted && expected[&id].last_sequence < 0 {
            continue;
        }
        assert!(
            found.contains_key(&id),
            "{}: {id} of {}..{} is forgotten (compacted: {compacted}, clean to {}): {:?} {:?}",
            partition.topic,
            sent.base,
            sent.end(),
            partition.clean_to,
            log.marks(),
            log.segments(),
        );
    }
    for id in 0..6 {
        all_of_the_last_five_are_duplicates(world, at, log, id);
    }
}

/// A producer's transaction begins where its records do, and was ended by the coordinator of this epoch. Where the log was
/// cut inside of it, it may begin with what is left.
fn transaction(partition: &Partition, info: ProducerInfo, known: Known, marker_may_be_gone: bool) {
    let topic = partition.topic;
    let begun = (info.current_txn_start_offset >= 0).then_some(info.current_txn_start_offset);
    let cut = known.txn_start.is_some_and(|start| start < partition.start);
    let may = cut && begun.is_none_or(|begun| known.txn_start.is_some_and(|start| start <= begun));
    assert!(begun == known.txn_start || may, "{topic}: the open transaction of {info:?} {known:?}");
    let older = marker_may_be_gone && info.coordinator_epoch <= known.coordinator_epoch;
    assert!(older || info.coordinator_epoch == known.coordinator_epoch, "{topic}: {info:?} {known:?}");
}

/// A client may send what it had in flight again, whatever happened meanwhile.
fn all_of_the_last_five_are_duplicates(world: &World, at: usize, log: &Log, id: i64) {
    let partition = &world.partitions[at];
    for sent in partition.known_again(id, world.holes) {
        let context =
            AppendContext { leader_epoch: world.leader_epoch, origin: Origin::Client, now_ms: world.now_ms };
        match log.append(sent.bytes.clone(), context) {
            Ok(appended) => {
                assert!(appended.duplicate, "{}: producer {id} sent {sent:?} again", partition.topic);
                assert_eq!(appended.base_offset, sent.base);
            }
            Err(error) => assert!(
                world.may_fail(partition.place),
                "{}: {}..{} of {id} sent again: {error:?}, {:?}, holes {}",
                partition.topic,
                sent.base,
                sent.end(),
                log.producers(),
                world.holes,
            ),
        }
    }
}
