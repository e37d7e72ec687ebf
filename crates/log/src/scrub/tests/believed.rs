//! What nobody has verified is believed by no read: neither served, nor gone by on the way to something else.

use std::sync::atomic::Ordering;

use pagewire_disk::{Call, Errno, FailingDisk, Fault, When};

use super::*;
use crate::segment::Segment;

fn one(offset: i64, time: i64, value: &[u8]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Codec::None).base_offset(offset);
    builder.append(time, None, Some(value), &[]).expect("a record");
    builder.build().expect("a batch").to_vec()
}

/// A log with these batches in segments of some 4,000 bytes, and no entry of the index but the first segments' last.
fn log_of(world: &World, batches: impl IntoIterator<Item = Vec<u8>>) -> Arc<Log> {
    let mut settings = settings();
    (settings.log.segment_bytes, settings.log.index_interval_bytes) = (4000, 100_000);
    let log = world.dir.create("t", 0, &settings, 0).expect("made");
    for batch in batches {
        let context = AppendContext { leader_epoch: 0, origin: Origin::Client, now_ms: 0 };
        log.append(batch.into(), context).expect("appended");
    }
    assert!(log.segments().len() > 1);
    log
}

fn first(log: &Log) -> Arc<Segment> {
    Arc::clone(&log.segments.load()[0])
}

#[test]
fn what_the_scrub_could_not_read_of_the_active_segment_stays_unverified() {
    let failing = FailingDisk::new(Arc::new(MemoryDisk::new()));
    let world = World::open(Arc::new(failing.clone()));
    world.log(0, 3);
    let world = world.restarted(10);
    world.damage(0, 0, size() + 100);
    let log = world.dir.get("t", 0).expect("loaded");
    let due = first(&log).due_below();
    failing.fail_on(".log", Call::Read, When::Nth(1), Fault::Error(Errno::IO));
    let done = world.scrub(5000);
    failing.heal();
    assert!(done.idle && world.dir.scrub_counts().unreadable == 1, "it is not tried over and over: {done:?}");
    assert!(due > size() + 100 && first(&log).due_below() == due);
    assert!(matches!(read(&log, 10), Err(ReadError::Damaged { .. })));
}

#[test]
fn an_active_segment_that_could_not_be_read_is_verified_when_its_log_is_due_again() {
    let failing = FailingDisk::new(Arc::new(MemoryDisk::new()));
    let world = World::open(Arc::new(failing.clone()));
    world.log(0, 3);
    let world = world.restarted(10);
    failing.fail_on(".log", Call::Read, When::Nth(1), Fault::Error(Errno::IO));
    world.scrub(5000);
    failing.heal();
    world.damage(0, 0, size() + 100);
    assert_eq!(world.scrub(5000 + 20_000).damaged, 1);
    assert_eq!(first(&world.dir.get("t", 0).expect("loaded")).due_below(), 0);
}

#[test]
fn damage_that_has_the_last_stable_offset_is_no_matter_of_those_who_read_before_it() {
    let world = World::new();
    let log = world.dir.create("t", 0, &settings(), 0).expect("made");
    let context = AppendContext { leader_epoch: 0, origin: Origin::Client, now_ms: 0 };
    log.append(batch(), context).expect("appended");
    let mut open = BatchBuilder::new(Codec::None).producer(7, 0, 0).transactional();
    for n in 0..10 {
        open.append(n, Some(b"key"), Some(b"value"), &[]).expect("a record");
    }
    log.append(open.build().expect("a batch"), context).expect("appended");
    for _ in 0..20 {
        log.append(batch(), context).expect("appended");
    }
    assert_eq!(log.marks().last_stable, 10);
    world.damage(0, 0, size() + 100);
    assert_eq!(world.scrub(5000).damaged, 1);
    let committed = log.read(0, 10_000, ReadUpTo::LastStable, true).expect("served");
    assert_eq!(committed.range.map(|range| (range.offset(), range.len())), Some((0, size())));
    assert!(matches!(read(&log, 10), Err(ReadError::Damaged { .. })));
}

/// A batch of two records, the last bytes of which are a whole batch of the offset and time that no batch of the log has. Its length
/// has a bit that leads there when it is lost, which is this one.
fn trap(inner: &[u8]) -> (Vec<u8>, u32) {
    (0..200)
        .find_map(|filled| {
            let mut builder = BatchBuilder::new(Codec::None).base_offset(1);
            builder.append(6, None, Some(b"x"), &[]).expect("a record");
            let headers = [(&b"h"[..], Some(inner))];
            builder.append(6, None, Some(&vec![7; filled]), &headers).expect("a record");
            let outer = builder.build().expect("a batch").to_vec();
            let len = u32::from_be_bytes(outer[8..12].try_into().expect("four bytes"));
            let bit = inner.len() as u32;
            (outer.ends_with(inner) && len & bit != 0).then_some((outer, len & !bit))
        })
        .expect("some length has it")
}

#[test]
fn no_lookup_by_time_answers_from_a_record() {
    let inner = (0..128).map(|filled| one(2, 500, &vec![b'f'; filled])).find(|inner| inner.len() == 128);
    let (trap, misled) = trap(&inner.expect("a batch of 128 bytes"));
    let world = World::new();
    let good = |time| one(0, time, b"good");
    let begins = good(5).len() as u64;
    log_of(&world, [good(5), trap].into_iter().chain((1000..1200).map(good)));
    let world = world.restarted(100);
    let path = Path::new("/data/t-0/00000000000000000000.log");
    let file = world.disk.open(path, OpenMode::ReadWrite).expect("a segment");
    // Its length, and the last offset that it states.
    file.write_at(begins + 8, &misled.to_be_bytes()).expect("written");
    file.write_at(begins + 23, &0_i32.to_be_bytes()).expect("written");
    let log = world.dir.get("t", 0).expect("loaded");
    let found = log.offset_for_time(400).expect("answered").expect("a record");
    assert!(found.timestamp == 1000 && found.offset >= 3, "{found:?}");
    assert!(log.known_damage() == 1 && matches!(read(&log, 1), Err(ReadError::Damaged { .. })));
    assert!(matches!(read(&log, 2), Err(ReadError::Damaged { .. })), "nor does a fetch");
}

#[test]
fn the_largest_timestamp_is_found_where_the_log_begins_in_damage() {
    let world = World::new();
    // The largest time comes first, and is deleted.
    let times = std::iter::once(9000).chain((1..200).map(|n| 1000 + n % 50));
    let log = log_of(&world, times.map(|time| one(0, time, b"good")));
    let len = one(0, 1, b"good").len() as u64;
    world.damage(0, 0, 5 * len + 63);
    assert_eq!(world.scrub(5000).damaged, 1);
    log.delete_records_before(5).expect("deleted");
    let found = log.max_timestamp_offset().expect("answered").expect("a record");
    assert_eq!((found.timestamp, found.offset), (1049, 49));
}

#[test]
fn the_largest_timestamp_that_can_be_read_is_answered_where_the_largest_went_bad() {
    let world = World::new();
    let time = |n: i64| if n == 70 { 9000 } else { 1000 + n };
    let log = log_of(&world, (0..200).map(|n| one(0, time(n), b"good")));
    let max = || log.max_timestamp_offset().expect("answered").map(|found| (found.timestamp, found.offset));
    assert_eq!(max(), Some((9000, 70)));
    let (base, len) = (log.segments()[1].base_offset, one(0, 1, b"good").len() as u64);
    world.damage(0, base, (70 - base) as u64 * len + 63);
    world.scrub(5000);
    assert_eq!(max(), Some((1199, 199)));
    // Of the active one the largest is kept in memory.
    world.damage(0, log.segments()[3].base_offset, (199 - log.segments()[3].base_offset) as u64 * len + 63);
    log.segments.load()[3].suspected();
    assert_eq!(max(), Some((1198, 198)));
}

#[test]
fn a_walk_from_an_offset_in_damage_begins_with_the_damage() {
    let world = World::new();
    let log = world.log(0, 20);
    world.damage(0, 0, size() + 100);
    assert_eq!(world.scrub(5000).damaged, 1);
    let segment = first(&log);
    assert_eq!(segment.position_of(15).expect("known"), size());
    assert_eq!(segment.position_of(25).expect("known"), 2 * size());
    assert_eq!(segment.position_of(segment.end().next_offset).expect("known"), segment.end().size);
    segment.unsettled.store(true, Ordering::Relaxed);
    world.damage(0, 0, 2 * size() + 16);
    assert!(segment.position_of(29).is_err(), "where nothing is known an error is one");
}
