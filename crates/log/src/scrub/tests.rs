//! Rounds over a log directory in memory.

mod believed;
mod rotten;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use pagewire_disk::{DamageCheckpoint, Disk, MemoryDisk, OpenMode};
use pagewire_record::{BatchBuilder, Codec};
use uuid::Uuid;

use super::{ScrubCounts, ScrubLimits, Scrubbed};
use crate::{
    AppendContext, Handles, Log, LogConfig, LogDir, LogDirOptions, Origin, PartitionSettings, ReadError,
    ReadUpTo,
};

const ALL: ScrubLimits = ScrubLimits { interval_ms: 1000, bytes: u64::MAX };

fn settings() -> PartitionSettings {
    let log = LogConfig {
        segment_bytes: 1000,
        index_interval_bytes: 100,
        retention_ms: -1,
        ..LogConfig::default()
    };
    PartitionSettings {
        topic_id: Uuid::from_u128(7),
        leader_epoch: 0,
        log,
        flush_ms: None,
        behind: Vec::new(),
    }
}

struct World {
    disk: Arc<dyn Disk>,
    dir: LogDir,
}

impl World {
    fn new() -> Self {
        Self::open(Arc::new(MemoryDisk::new()))
    }

    fn open(disk: Arc<dyn Disk>) -> Self {
        let options = LogDirOptions {
            cluster_id: "cluster".to_owned(),
            node_id: 1,
            threads: 1,
            handles: Handles::new(64),
            now_ms: 0,
        };
        let known = |_: &str, _| Some(settings());
        let (dir, _) =
            LogDir::open(Arc::clone(&disk), Path::new("/data"), &options, &known, &|_| {}).expect("opens");
        Self { disk, dir }
    }

    fn restarted(self, now_ms: i64) -> Self {
        assert!(self.dir.close_clean(now_ms).clean);
        let disk = self.disk;
        drop(self.dir);
        Self::open(disk)
    }

    /// A log of batches of ten records each.
    fn log(&self, partition: i32, batches: i64) -> Arc<Log> {
        let log = self.dir.create("t", partition, &settings(), 0).expect("made");
        for _ in 0..batches {
            let context = AppendContext { leader_epoch: 0, origin: Origin::Client, now_ms: 0 };
            log.append(batch(), context).expect("appended");
        }
        log
    }

    fn damage(&self, partition: i32, base: i64, position: u64) {
        let path = format!("/data/t-{partition}/{base:020}.log");
        let file = self.disk.open(Path::new(&path), OpenMode::ReadWrite).expect("a segment");
        let mut byte = [0];
        file.read_exact_at(position, &mut byte).expect("read");
        file.write_at(position, &[byte[0] ^ 0x10]).expect("written");
    }

    fn scrub(&self, now_ms: i64) -> Scrubbed {
        self.dir.scrub(ALL, now_ms)
    }
}

fn batch() -> Bytes {
    let mut builder = BatchBuilder::new(Codec::None);
    for n in 0..10 {
        builder.append(n, Some(b"key"), Some(b"value"), &[]).expect("a record");
    }
    builder.build().expect("a batch")
}

fn size() -> u64 {
    batch().len() as u64
}

/// First and last offset that a read answers with.
fn read(log: &Log, offset: i64) -> Result<(i64, i64), ReadError> {
    let slice = log.read(offset, 10_000, ReadUpTo::LogEnd, true)?;
    let bytes = slice.range.expect("records").read_to_vec().expect("read");
    let headers: Vec<_> =
        pagewire_record::batches(&bytes).map_while(Result::ok).map(|batch| batch.header).collect();
    Ok((headers.first().expect("a batch").base_offset, headers.last().expect("a batch").last_offset()))
}

/// Batches in the first segment.
fn in_first(log: &Log) -> i64 {
    log.segments().get(1).expect("a second segment").base_offset / 10
}

#[test]
fn a_right_log_is_read_once_in_the_interval_and_its_active_segment_never() {
    let world = World::new();
    let log = world.log(0, 20);
    let closed: u64 = log.segments().iter().rev().skip(1).map(|segment| segment.size_bytes).sum();
    let first = world.scrub(5000);
    assert_eq!(first, Scrubbed { bytes: closed, damaged: 0, idle: true });
    assert_eq!(world.scrub(5999).bytes, 0);
    assert_eq!(world.scrub(5000 + 20_000).bytes, closed);
    let counts = world.dir.describe().scrub;
    assert_eq!((counts.bytes, counts.logs, counts.damaged), (2 * closed, 2, 0));
}

#[test]
fn damage_of_any_kind_is_refused_and_what_lies_around_it_is_served() {
    // The second batch: its records, its length made longer and shorter, its magic, its base offset.
    for at in [100, 10, 11, 16, 7, 6] {
        let world = World::new();
        let log = world.log(0, 20);
        let batches = in_first(&log);
        assert!(batches >= 4);
        world.damage(0, 0, size() + at);
        assert_eq!(world.scrub(5000).damaged, 1, "byte {at}");
        assert_eq!(read(&log, 0).expect("served"), (0, 9), "byte {at}");
        for offset in [10, 15, 19] {
            let refused = read(&log, offset);
            assert!(
                matches!(refused, Err(ReadError::Damaged { position, .. }) if position == size()),
                "byte {at}: {refused:?}"
            );
        }
        for offset in [20, 25, 30] {
            let (first, last) = read(&log, offset).expect("served");
            assert_eq!((first, last), (offset / 10 * 10, batches * 10 - 1), "byte {at}");
        }
    }
}

/// Offsets are not covered by the CRC, and a batch that follows the one before has the right one.
#[test]
fn a_batch_that_goes_back_is_damaged_and_the_one_before_it_is_not() {
    let world = World::new();
    let log = world.log(0, 20);
    let first = Path::new("/data/t-0/00000000000000000000.log");
    world.disk.open(first, OpenMode::ReadWrite).expect("open").write_at(size(), &[0; 8]).expect("written");
    assert_eq!(world.scrub(5000).damaged, 1);
    assert_eq!(read(&log, 0).expect("served"), (0, 9));
    assert!(matches!(read(&log, 10), Err(ReadError::Damaged { offset: 10, next_offset: 20, .. })));
}

#[test]
fn damage_at_the_end_of_a_segment_ends_there() {
    let world = World::new();
    let log = world.log(0, 20);
    let batches = in_first(&log);
    let last = (batches - 1) as u64 * size();
    world.damage(0, 0, last + 16);
    assert_eq!(world.scrub(5000).damaged, 1);
    let offset = (batches - 1) * 10;
    assert!(matches!(read(&log, offset + 9), Err(ReadError::Damaged { .. })));
    assert_eq!(read(&log, offset + 10).expect("served").0, offset + 10);
}

#[test]
fn small_slices_find_the_same() {
    let world = World::new();
    let log = world.log(0, 20);
    world.damage(0, 0, size() + 100);
    let (mut rounds, mut damaged) = (0, 0);
    loop {
        let done = world.dir.scrub(ScrubLimits { bytes: 1, ..ALL }, 5000);
        damaged += done.damaged;
        if done.idle {
            break;
        }
        assert!(done.bytes <= size() || done.damaged > 0, "a batch at a time");
        rounds += 1;
    }
    assert!(rounds > 10);
    assert_eq!((damaged, read(&log, 0).expect("served").1), (1, 9));
}

#[test]
fn what_is_put_right_is_served_again_after_the_next_time() {
    let world = World::new();
    let log = world.log(0, 20);
    world.damage(0, 0, size() + 100);
    world.scrub(5000);
    assert!(read(&log, 10).is_err());
    world.damage(0, 0, size() + 100);
    assert!(read(&log, 10).is_err(), "until somebody looks");
    world.scrub(5000 + 20_000);
    assert_eq!(read(&log, 10).expect("served").0, 10);
}

#[test]
fn a_read_that_comes_to_damage_learns_how_far_it_reaches() {
    let world = World::new();
    let log = world.log(0, 20);
    world.scrub(5000);
    world.damage(0, 0, size() + 16);
    let refused = read(&log, 10);
    assert!(matches!(refused, Err(ReadError::Damaged { next_offset: 20, .. })), "{refused:?}");
    assert_eq!(read(&log, 0).expect("served"), (0, 9));
    assert_eq!(read(&log, 20).expect("served").0, 20);
}

#[test]
fn a_suspect_comes_before_its_time() {
    let world = World::new();
    let log = world.log(0, 20);
    world.scrub(5000);
    world.damage(0, 0, size() + 16);
    assert!(read(&log, 10).is_err(), "seen on the way of a read");
    let done = world.dir.scrub(ScrubLimits { interval_ms: i64::MAX, ..ALL }, 5000 + 20_000);
    assert_eq!((done.damaged, log.known_damage()), (1, 1));
}

#[test]
fn a_segment_that_ends_between_two_batches_before_the_next_one_begins_is_damaged() {
    let world = World::new();
    let batches = in_first(&world.log(0, 20)) - 1;
    world.scrub(5000);
    let World { disk, dir } = world;
    assert!(dir.close_clean(6000).clean);
    drop(dir);
    let path = Path::new("/data/t-0/00000000000000000000.log");
    let file = disk.open(path, OpenMode::ReadWrite).expect("a segment");
    file.set_len(batches as u64 * size()).expect("cut");
    let world = World::open(disk);
    let log = world.dir.get("t", 0).expect("loaded");
    let (from, next) = (batches * 10, batches * 10 + 10);
    let missing = read(&log, from + 3);
    assert!(
        matches!(missing, Err(ReadError::Damaged { next_offset, .. }) if next_offset == next),
        "{missing:?}"
    );
    assert_eq!((read(&log, 0).expect("served").1, read(&log, next).expect("served").0), (from - 1, next));
    let done = world.dir.scrub(ScrubLimits { interval_ms: i64::MAX, ..ALL }, 7000);
    assert_eq!((done.damaged, log.known_damage()), (1, 1), "before its time, since a read came to it");
    assert!(read(&log, from).is_err());
}

#[test]
fn the_active_segment_of_a_stopped_broker_is_verified_once() {
    let world = World::new();
    world.log(0, 3);
    let world = world.restarted(10);
    world.damage(0, 0, size() + 100);
    assert_eq!(world.scrub(5000).damaged, 1);
    let log = world.dir.get("t", 0).expect("loaded");
    assert!(matches!(read(&log, 10), Err(ReadError::Damaged { .. })));
    assert_eq!((read(&log, 0).expect("served").1, read(&log, 20).expect("served").0), (9, 20));
    assert_eq!(world.scrub(25_000).bytes, 0, "what is written from now on is checked once it is closed");
}

#[test]
fn after_a_restart_the_log_that_was_not_verified_for_longest_comes_first() {
    let world = World::new();
    world.log(0, 20);
    world.scrub(5000);
    world.log(1, 20);
    world.scrub(5000 + 20_000);
    // Partition 0 was verified at 25,000 as well, being due; 1 for the first time.
    let world = world.restarted(30_000);
    let nothing = ScrubLimits { interval_ms: 10_000, ..ALL };
    assert_eq!(world.dir.scrub(nothing, 30_000), Scrubbed { bytes: 0, damaged: 0, idle: true });
    let due = world.dir.scrub(ScrubLimits { bytes: 1, ..nothing }, 45_000);
    assert!(due.bytes > 0 && !due.idle);
}

#[test]
fn a_read_that_waits_for_the_disk_checks_what_nobody_has_verified_since_the_start() {
    let world = World::new();
    world.log(0, 20);
    let world = world.restarted(10);
    world.damage(0, 0, size() + 100);
    let log = world.dir.get("t", 0).expect("loaded");
    assert_eq!(read(&log, 0).expect("served").1, 9, "ends before the damage");
    assert!(matches!(read(&log, 10), Err(ReadError::Damaged { .. })));
    assert_eq!(read(&log, 20).expect("served").0, 20);
}

#[test]
fn damage_is_looked_for_again_after_a_restart() {
    let world = World::new();
    let log = world.log(0, 100);
    world.damage(0, 0, size() + 70);
    assert_eq!(world.scrub(10_000).damaged, 1);
    assert_eq!(world.scrub(10_100).bytes, 0, "known, and verified within the interval");
    drop(log);
    let world = world.restarted(10_200);
    assert_eq!(world.scrub(10_300).damaged, 2, "it is looked at again, as a suspect and with its whole log");
    let log = world.dir.get("t", 0).expect("open");
    assert!(matches!(read(&log, 10), Err(ReadError::Damaged { .. })));
}

#[test]
fn of_a_log_that_is_not_due_only_the_suspect_segment_is_read_again() {
    let world = World::new();
    let log = world.log(0, 40);
    let whole = world.scrub(5000);
    assert!(log.segments().len() > 4 && whole.idle);
    let segment = log.segments()[1];
    world.damage(0, segment.base_offset, 20);
    log.segments.load()[1].suspect.store(true, std::sync::atomic::Ordering::Relaxed);
    // Slice by slice: one that was begun is finished.
    let before = world.dir.scrub_counts();
    for step in 0..40 {
        world.dir.scrub(ScrubLimits { interval_ms: 1 << 40, bytes: 100 }, 15_000 + step);
    }
    let counts = world.dir.scrub_counts();
    assert_eq!((counts.bytes - before.bytes, counts.damaged), (segment.size_bytes, 1));
    assert!(matches!(read(&log, segment.base_offset), Err(ReadError::Damaged { .. })));
    // It is not forgotten at the next start, which knows nothing of the damage.
    let world = world.restarted(16_000);
    assert_eq!(world.dir.scrub(ScrubLimits { interval_ms: 1 << 40, bytes: u64::MAX }, 16_000).damaged, 1);
}

#[test]
fn a_suspect_does_not_wait_for_the_rest_of_a_log_that_was_begun() {
    let world = World::new();
    let (long, other) = (world.log(0, 200), world.log(1, 20));
    let verified = world.scrub(5000).bytes;
    let slice = |now_ms| world.dir.scrub(ScrubLimits { bytes: size(), ..ALL }, now_ms);
    assert!(slice(50_000).bytes > 0, "partition 0 is begun");
    world.damage(1, 0, size() + 16);
    assert!(read(&other, 10).is_err(), "seen on the way of a read");
    // The next look at all logs is due.
    let mut slices = 0;
    while world.dir.scrub_counts().damaged == 0 {
        slices += 1;
        slice(61_000);
        assert_eq!(world.dir.scrub_counts().logs, 2, "neither is verified once more yet");
    }
    assert!(slices < 10, "{slices} slices");
    while !slice(61_000).idle {}
    let (counts, suspect) = (world.dir.scrub_counts(), other.segments()[0].size_bytes);
    assert_eq!((counts.logs, counts.bytes), (4, 2 * verified + suspect), "what was begun is gone on with");
    assert_eq!((long.known_damage(), other.known_damage()), (0, 1));
}

#[test]
fn where_no_log_ever_comes_due_suspects_are_looked_at_all_the_same() {
    let world = World::new();
    let log = world.log(0, 20);
    let never = ScrubLimits { interval_ms: i64::MAX, bytes: u64::MAX };
    assert_eq!(world.dir.scrub(never, 5000), Scrubbed { bytes: 0, damaged: 0, idle: true });
    world.damage(0, 0, size() + 16);
    assert!(read(&log, 10).is_err(), "seen on the way of a read");
    let is_suspect = || log.segments.load()[0].suspect.load(std::sync::atomic::Ordering::Relaxed);
    assert!(is_suspect(), "all of the segment is doubted");
    assert_eq!(world.dir.scrub(never, 16_000).damaged, 1);
    assert!(!is_suspect(), "no read waits for an I/O thread any more");
}

#[test]
fn known_damage_is_refused_from_the_first_read_after_a_restart() {
    let world = World::new();
    world.log(0, 100);
    world.damage(0, 0, size() + 70);
    world.scrub(10_000);
    let world = world.restarted(10_200).restarted(10_300);
    let log = world.dir.get("t", 0).expect("open");
    assert!(matches!(log.try_read(10, 1000, ReadUpTo::LogEnd, true), Err(ReadError::Damaged { .. })));
    assert_eq!((log.known_damage(), read(&log, 0).ok()), (1, Some((0, 9))));
}

/// A power cut took the segment behind it, which nobody had written to. What was known is written down by every start.
#[test]
fn damage_in_what_is_the_active_segment_again_stays_known() {
    let world = World::new();
    let log = world.log(0, 3);
    log.sync().expect("synced");
    world.damage(0, 0, size() + 70);
    log.roll_if_due(i64::MAX / 2).expect("rolled");
    world.scrub(10_000);
    world.dir.end_scrub(10_000);
    world.dir.write_checkpoints().expect("written");
    assert_eq!(log.known_damage(), 1);
    drop(log);
    let World { disk, dir } = world;
    drop(dir);
    disk.remove_file(Path::new("/data/t-0/00000000000000000030.log")).expect("the empty one");
    let world = World::open(disk);
    let log = world.dir.get("t", 0).expect("open");
    assert_eq!((log.segments().len(), log.known_damage()), (1, 1));
    log.append(batch(), AppendContext { leader_epoch: 0, origin: Origin::Client, now_ms: 0 })
        .expect("appended");
    drop(log);
    let World { disk, dir } = world;
    drop(dir);
    assert_eq!(World::open(disk).dir.get("t", 0).expect("open").known_damage(), 1);
}

/// A note is no evidence.
#[test]
fn what_was_put_right_while_the_broker_was_stopped_is_served_at_once() {
    let world = World::new();
    world.log(0, 100);
    world.damage(0, 0, size() + 70);
    world.scrub(10_000);
    assert!(world.dir.close_clean(10_100).clean);
    world.damage(0, 0, size() + 70);
    let World { disk, dir } = world;
    drop(dir);
    let world = World::open(disk);
    let log = world.dir.get("t", 0).expect("open");
    assert_eq!((log.known_damage(), read(&log, 10).is_ok()), (0, true));
    assert!(
        world
            .restarted(10_200)
            .disk
            .open(Path::new("/data/pagewire-damage-checkpoint"), OpenMode::Read)
            .is_err()
    );
}

/// Whoever opens it anew reads the files, and writes down what was found.
#[test]
fn a_directory_that_was_given_up_is_not_scrubbed_any_more() {
    let world = World::new();
    world.log(0, 20);
    world.damage(0, 0, size() + 16);
    world.dir.give_up();
    assert_eq!(world.scrub(5000), Scrubbed { bytes: 0, damaged: 0, idle: true });
    assert_eq!(
        (world.dir.scrub_counts(), world.dir.get("t", 0).expect("open").known_damage()),
        (ScrubCounts::default(), 0)
    );
    assert!(!world.disk.exists(Path::new("/data/pagewire-scrub-checkpoint")).expect("looked"));
}

#[test]
fn what_a_reader_finds_behind_the_scrub_stays_known_when_that_is_done() {
    let (mut found_by_readers, mut looked_at_again) = (0, 0);
    for slices in 1..14 {
        let world = World::new();
        world.log(0, 20);
        let world = world.restarted(100);
        let log = world.dir.get("t", 0).expect("open");
        let some = ScrubLimits { bytes: size(), ..ALL };
        if (0..slices).any(|_| world.dir.scrub(some, 5000).idle) {
            break;
        }
        world.damage(0, 0, size() + 100);
        let is_found = read(&log, 10).is_err();
        while !world.dir.scrub(some, 5000).idle {}
        assert!(!is_found || read(&log, 10).is_err(), "after {slices} slices");
        found_by_readers += u32::from(is_found);
        // What else went bad there is found before its time.
        if log.segments.load()[0].suspect.load(std::sync::atomic::Ordering::Relaxed) {
            looked_at_again += 1;
            world.damage(0, 0, 70);
            world.dir.scrub(ScrubLimits { interval_ms: i64::MAX, ..ALL }, 5000 + 20_000);
            assert!(read(&log, 0).is_err(), "after {slices} slices");
        }
    }
    assert!(found_by_readers > 2 && looked_at_again > 1, "{found_by_readers}, {looked_at_again}");
}

#[test]
fn where_damage_ends_is_looked_for_once_and_others_come_again() {
    let world = World::new();
    let log = world.log(0, 20);
    world.scrub(5000);
    world.damage(0, 0, size() + 16);
    let segment = Arc::clone(&log.segments.load()[0]);
    let searching = segment.searching.lock();
    let busy = read(&log, 10);
    assert!(
        matches!(&busy, Err(ReadError::Io(error)) if error.kind() == std::io::ErrorKind::TimedOut),
        "{busy:?}"
    );
    let last = in_first(&log) * 10 - 1;
    let slice = log.read(last, 1, ReadUpTo::LogEnd, true).expect("elsewhere no search is needed");
    assert_eq!(slice.range.map(|range| range.offset()), Some((in_first(&log) - 1) as u64 * size()));
    drop(searching);
    assert!(matches!(read(&log, 10), Err(ReadError::Damaged { next_offset: 20, .. })));
}

#[test]
fn an_index_that_several_readers_distrust_is_rebuilt_once() {
    let world = World::new();
    let log = world.log(0, 20);
    let segment = Arc::clone(&log.segments.load()[0]);
    let rebuilt = || segment.rebuilt.load(std::sync::atomic::Ordering::Relaxed);
    let seen = rebuilt();
    let building = segment.building.lock();
    assert!(segment.distrust_index(seen).is_err(), "somebody is at it");
    drop(building);
    segment.distrust_index(seen).expect("rebuilt");
    segment.distrust_index(seen).expect("it was");
    assert_eq!(rebuilt(), seen + 1);
    assert_eq!(read(&log, 10).expect("served").0, 10);
}

#[test]
fn what_a_search_for_the_end_of_damage_reads_counts_for_the_pace() {
    let world = World::new();
    world.log(0, 20);
    world.damage(0, 0, size() + 16);
    let done = world.scrub(5000);
    assert!(done.damaged == 1 && done.bytes > world.dir.scrub_counts().bytes, "{done:?}");
}

#[test]
fn a_read_verifies_its_part_of_a_segment_and_those_of_others_are_left_to_others() {
    let world = World::new();
    let mut settings = settings();
    settings.log.segment_bytes = 20_000;
    let log = world.dir.create("t", 0, &settings, 0).expect("made");
    let batches = 150;
    for _ in 0..batches {
        let context = AppendContext { leader_epoch: 0, origin: Origin::Client, now_ms: 0 };
        log.append(batch(), context).expect("appended");
    }
    drop(log);
    let world = world.restarted(100);
    let log = world.dir.get("t", 0).expect("open");
    let segment = Arc::clone(&log.segments.load()[0]);
    let due = |position| segment.unverified.due(position, 1).is_some();
    let (at, in_segment) = (30 * size(), segment.end().size);
    assert!(segment.is_closed() && in_segment > 60 * size() && (0..in_segment).all(due));
    let one = |offset| log.read(offset, 1, ReadUpTo::LogEnd, true).expect("served").range.expect("records");
    assert_eq!(one(300).offset(), at);
    assert!(!due(at) && due(0) && due(at + 10 * size()), "its own part alone");
    // One after the other: no part is left out, and damage in any of them is found.
    world.damage(0, 0, 45 * size() + 100);
    for batch in (0..in_segment / size()).filter(|batch| *batch != 45) {
        assert_eq!(one(batch as i64 * 10).offset(), batch * size());
    }
    assert!(!(0..in_segment).any(due));
    assert!(matches!(read(&log, 450), Err(ReadError::Damaged { next_offset: 460, .. })));
}

#[test]
fn what_this_process_made_is_verified_when_it_is_old_enough() {
    let world = World::new();
    let log = world.dir.create("t", 0, &settings(), 500).expect("made");
    for _ in 0..30 {
        let context = AppendContext { leader_epoch: 0, origin: Origin::Client, now_ms: 500 };
        log.append(batch(), context).expect("appended");
    }
    assert_eq!(world.scrub(1499).bytes, 0, "a second has not passed");
    // It is known after a restart too, and what was found there by a start counts by that.
    let world = world.restarted(1499);
    assert_eq!(world.scrub(1499).bytes, 0);
    assert!(world.scrub(1500 + 10_000).bytes > 0, "all are looked through every ten seconds");
    assert_eq!(world.dir.scrub_counts().logs, 1);
}
