//! A log that something happened to below its recovery point: what was hit is refused once it was looked at, never served, never
//! passed over; everything else is served.

use std::collections::{BTreeMap, BTreeSet};

use pagewire_disk::Disk;
use pagewire_log::{LoadReport, Log, LogDir, ReadError, ReadUpTo, ScrubLimits};
use pagewire_record::{DecompressLimits, HEADER_LEN, SharedBatch};

use crate::model::{Fate, Partition, Sent};
use crate::undecided;
use crate::world::World;

/// More rounds no directory needs.
const ROUNDS_MAX: usize = 1_000;

/// What a reader finds, asking for one offset after the other.
#[derive(Debug, Default)]
struct Found {
    /// Batches by base offset.
    served: BTreeMap<i64, SharedBatch>,
    refused: BTreeSet<i64>,
}

/// Looks at a log in which something was hit. What was noted is known from the first read on; what was not is found before it
/// would be served.
pub(crate) fn partition(world: &World, partition: &Partition, log: &Log) {
    what_was_noted_is_known(world, partition, log);
    let found = read(world, partition, log);
    nothing_hit_is_served(partition, log, &found);
    if world.holes {
        a_reader_ends_with_the_latest(partition, &found);
    } else {
        let missing: Vec<_> = (partition.readable().iter())
            .filter(|sent| !is_refused(partition, sent, &found) && !found.served.contains_key(&sent.base))
            .map(|sent| sent.base..sent.end())
            .collect();
        assert!(missing.is_empty(), "{}: {missing:?} are passed over", told(partition, log));
    }
    undecided::view(world, partition, log);
}

/// What an orderly stop wrote down is known before anybody reads there.
fn what_was_noted_is_known(world: &World, partition: &Partition, log: &Log) {
    if world.places[partition.place].was_ill {
        return;
    }
    let (known, there) = (log.damage(), partition.start..partition.end);
    let is_known =
        |offset: i64| known.iter().any(|known| (known.offset..known.next_offset).contains(&offset));
    for hit in partition.harm.hits.iter().filter(|hit| hit.is_noted) {
        let forgotten: Vec<_> =
            hit.offsets.clone().filter(|offset| there.contains(offset) && !is_known(*offset)).collect();
        assert!(forgotten.is_empty(), "{}: {forgotten:?} of {hit:?} are forgotten", told(partition, log));
    }
}

/// Everything is verified, the active segments too, which are closed for it.
pub(crate) fn look(world: &mut World, dir: &LogDir, place: usize) {
    // The logs are looked through now and then only.
    world.now_ms += 20_000;
    verify(dir, world.now_ms);
    for partition in world.partitions.iter_mut().filter(|partition| partition.place == place) {
        partition.harm.find();
    }
    world.tally.count("directories looked through after harm");
}

/// Closes all active segments, and lets the scrub come to its end.
pub(crate) fn verify(dir: &LogDir, now_ms: i64) {
    for log in dir.logs() {
        log.roll_if_due(i64::MAX / 2).expect("rolled");
    }
    let limits = ScrubLimits { interval_ms: 0, bytes: 1 << 20 };
    let idle = (0..ROUNDS_MAX).any(|_| dir.scrub(limits, now_ms).idle);
    assert!(idle, "{}: the scrub has no end", dir.path().display());
}

/// After a power cut an index may be left of a segment that is gone, with entries of records that were never promised, and so may a
/// number beside a newest one that is: the log goes on behind them, and says that they are lost.
pub(crate) fn lose_the_end(world: &mut World, at: usize, log: &Log, report: &LoadReport) {
    let (disk, dir) = (world.place_of(at).disk.clone(), world.path(&world.partitions[at]));
    let has_index = |base: i64| {
        let index = disk.file_len(&dir.join(format!("{base:020}.index")));
        index.is_ok_and(|len| len > 0) && log.segments().iter().all(|segment| segment.base_offset != base)
    };
    let partition = &mut world.partitions[at];
    let loaded = report.loaded.iter().find(|loaded| loaded.topic == partition.topic);
    for lost in loaded.into_iter().flat_map(|loaded| &loaded.report.damage).filter(|lost| lost.bytes == 0) {
        // What lies below was hit, or is missing.
        let from = lost.from.max(partition.floor);
        if from < lost.upto && (Some(lost.upto) == log.active_base_offset() || has_index(lost.from)) {
            partition.harm.lose(from..lost.upto);
            world.places[partition.place].was_harmed = true;
        }
    }
}

/// Whether a log that begins later than it did says so. After a kill it may not know: retention may have been there, as it may
/// where Kafka was.
pub(crate) fn is_told(partition: &Partition, log: &Log, report: &LoadReport) -> bool {
    if partition.harm.start_before.is_none_or(|before| log.marks().log_start <= before) {
        return true;
    }
    let loaded = report.loaded.iter().find(|loaded| loaded.topic == partition.topic).expect("loaded");
    let said = &loaded.report;
    let is_told = said.cuts.len() + said.holes.len() + said.damage.len() + said.notes.len() > 0;
    let may_not_know = !report.clean || !partition.others.is_empty();
    assert!(is_told || may_not_know, "{}: nothing is said: {said:?}", told(partition, log));
    is_told
}

fn told(partition: &Partition, log: &Log) -> String {
    let (topic, marks, segments) = (partition.topic, log.marks(), log.segments());
    format!("{topic}: hit {:?}, {marks:?}, {segments:?}, known {:?}", partition.harm, log.damage())
}

fn is_hit(partition: &Partition, sent: &Sent) -> bool {
    (sent.base..sent.end()).any(|offset| partition.harm.hits(offset))
}

/// Hit, or refused with what was. Nobody asked for what lies below the log start.
fn is_refused(partition: &Partition, sent: &Sent, found: &Found) -> bool {
    let mut asked = sent.base.max(partition.start)..sent.end();
    is_hit(partition, sent) || asked.all(|offset| found.refused.contains(&offset))
}

/// Whether the next record that there is was hit: compaction may have removed what lay before it since.
fn is_before_harm(world: &World, partition: &Partition, asked: i64, error: &ReadError) -> bool {
    let ReadError::Damaged { offset, .. } = *error else { return false };
    world.holes && asked < offset.min(partition.clean_to) && partition.harm.is_near(offset)
}

/// Whether it is refused with something that was hit: behind a header that is gone, what is not shown to be the log's own may
/// be a record's, up to the next entry of the index or the segment's end.
fn is_behind_harm(world: &World, partition: &Partition, log: &Log, asked: i64) -> bool {
    // Compaction writes indexes anew, and a disk that was ill may not have taken all entries.
    let has_entries = !world.holes && !world.places[partition.place].was_ill;
    let damage = log.damage();
    damage.iter().any(|known| {
        (known.offset..known.next_offset).contains(&asked)
            && partition.harm.is_near(known.offset)
            && !(has_entries && is_shown(partition, log, known.offset, asked))
    })
}

/// Whether an entry of the index must show that a batch behind damage is the log's own, or one before it: enough lies between
/// it and the last one before it that was hit, and a checkpoint said that it is stable.
fn is_shown(partition: &Partition, log: &Log, damaged: i64, asked: i64) -> bool {
    let upto: Vec<&Sent> = (partition.readable().iter()).filter(|sent| sent.base <= asked).collect();
    let is_stable = upto.last().is_some_and(|last| last.end() <= partition.harm.evident_behind(damaged));
    let good: Vec<u64> = (upto.iter().rev())
        .take_while(|sent| !is_hit(partition, sent))
        .map(|sent| sent.bytes.len() as u64)
        .collect();
    let longest = good.iter().max().copied().unwrap_or(0);
    // The first behind the one that was hit may have the entry itself.
    is_stable && good.iter().sum::<u64>() > u64::from(log.config().index_interval_bytes) + 2 * longest
}

/// Reads through the log, and compares what is served with what was sent.
fn read(world: &World, partition: &Partition, log: &Log) -> Found {
    let (mut found, mut offset) = (Found::default(), partition.start);
    while offset < partition.end {
        let asked = offset;
        offset += 1;
        match log.read(asked, 1, ReadUpTo::LogEnd, true) {
            Ok(slice) => {
                let Some(range) = slice.range else { continue };
                let bytes = bytes::Bytes::from(range.read_to_vec().expect("a range"));
                let batch = SharedBatch::first(&bytes)
                    .unwrap_or_else(|error| panic!("{}: {asked} is no batch: {error}", told(partition, log)));
                let sums = batch.verify_crc();
                assert!(sums.is_ok(), "{}: {asked} is served and is bad", told(partition, log));
                as_it_was_sent(partition, &batch);
                offset = offset.max(batch.header.next_offset());
                found.served.insert(batch.header.base_offset, batch);
            }
            Err(error @ (ReadError::Damaged { .. } | ReadError::Corrupt { .. })) => {
                let is_near = partition.harm.is_near(asked)
                    || is_before_harm(world, partition, asked, &error)
                    || is_behind_harm(world, partition, log, asked);
                assert!(is_near, "{}: {asked} is good, and refused: {error:?}", told(partition, log));
                found.refused.insert(asked);
            }
            Err(error) => panic!("{}: {asked}: {error:?}", told(partition, log)),
        }
    }
    found
}

/// The leader epoch is covered by no checksum.
fn as_it_was_sent(partition: &Partition, batch: &SharedBatch) {
    let header = &batch.header;
    let sent = partition.readable().iter().find(|sent| sent.base == header.base_offset);
    let sent = sent.unwrap_or_else(|| panic!("{}: nobody sent {header:?}", partition.topic));
    let who = |header: &pagewire_record::BatchHeader| {
        (header.producer_id, header.producer_epoch, header.base_sequence, header.last_offset_delta)
    };
    assert_eq!(who(header), who(&sent.header), "{}", partition.topic);
    if batch.bytes[HEADER_LEN..] == *sent.payload() {
        return;
    }
    for record in batch.records(&DecompressLimits::default()).expect("records") {
        let record = record.expect("a record");
        let (key, value, time) = &sent.records[(record.offset - sent.base) as usize];
        assert_eq!(record.key.as_deref(), Some(key.as_slice()));
        assert_eq!((record.value.as_deref(), record.timestamp), (value.as_deref(), *time));
    }
}

/// Each offset that was hit is refused.
fn nothing_hit_is_served(partition: &Partition, log: &Log, found: &Found) {
    let there = partition.start..partition.end;
    for hit in &partition.harm.hits {
        let silent: Vec<_> = (hit.offsets.clone())
            .filter(|offset| there.contains(offset) && !found.refused.contains(offset))
            .collect();
        assert!(silent.is_empty(), "{}: {silent:?} of {hit:?} are passed over", told(partition, log));
    }
}

/// Compaction kept the latest value of every key, but for what was hit.
fn a_reader_ends_with_the_latest(partition: &Partition, found: &Found) {
    let there: BTreeSet<i64> = found.served.values().flat_map(offsets).collect();
    let fates = partition.fates();
    let counts =
        |sent: &&Sent| sent.marker.is_none() && matches!(fates[&sent.base], Fate::None | Fate::Committed);
    let mut latest = BTreeMap::new();
    for sent in partition.readable().iter().filter(counts) {
        for (offset, (key, value, _)) in (sent.base..).zip(&sent.records) {
            latest.insert(key, (offset, value.is_some(), is_refused(partition, sent, found)));
        }
    }
    for (key, (offset, has_value, is_refused)) in latest {
        let is_due = has_value && !is_refused && offset >= partition.start;
        let key = String::from_utf8_lossy(key);
        assert!(
            !is_due || there.contains(&offset),
            "{}: {offset}, the latest of {key}, is gone",
            partition.topic
        );
    }
    let untouched = partition.clean_to.max(partition.start);
    for sent in partition
        .readable()
        .iter()
        .filter(|sent| sent.base >= untouched && !is_refused(partition, sent, found))
    {
        assert!(found.served.contains_key(&sent.base), "{}: {} is gone", partition.topic, sent.base);
    }
}

fn offsets(batch: &SharedBatch) -> Vec<i64> {
    let records = batch.records(&DecompressLimits::default()).expect("records");
    records.map(|record| record.expect("a record").offset).collect()
}
