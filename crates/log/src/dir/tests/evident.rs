//! What a checkpoint calls stable has its index entries beside it, so that one lost sector costs what lay in it.

use pagewire_disk::checkpoint::RECOVERY_POINT_FILE;
use pagewire_disk::{Call, Errno, Fault, ForgettingDisk, When};

use super::*;

const BATCHES: usize = 60;

/// With an entry for every batch but the first, and no segment that is ever full.
fn indexed(disk: Arc<dyn Disk>) -> World {
    let world = World::on(disk).knows("a", A);
    let config = LogConfig { segment_bytes: 1 << 20, index_interval_bytes: 100, ..world.config.clone() };
    World { config, ..world }
}

/// With segments that are full after so many batches.
fn closed_at(batches: u32) -> LogConfig {
    let config = indexed(Arc::new(MemoryDisk::new())).config;
    LogConfig { segment_bytes: batches * batch(1).len() as u32, ..config }
}

/// A log of which everything is stable, and a checkpoint says so.
fn lived(world: &World) {
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    append(&log, BATCHES);
    log.sync().expect("synced");
    dir.write_checkpoints().expect("written");
}

/// A header is gone, and the beginning of the records.
fn destroy(world: &World, offset: i64) {
    let file = world.disk.open(&path("a-0/00000000000000000000.log"), OpenMode::ReadWrite).expect("there");
    file.write_at(offset as u64 * batch(1).len() as u64, &[0; 110]).expect("destroyed");
    file.sync_data().expect("synced");
}

/// An index is not believed any more.
fn append_junk(world: &World, suffix: &str) {
    let path = path(&format!("a-0/00000000000000000000.{suffix}"));
    let index = world.disk.open(&path, OpenMode::ReadWrite).expect("there");
    index.write_at(index.len().expect("long"), b"junk").expect("written");
    index.sync_data().expect("synced");
}

fn refused(dir: &LogDir) -> Vec<i64> {
    let log = dir.get("a", 0).expect("open");
    let marks = log.marks();
    assert_eq!(marks.log_end, BATCHES as i64);
    (0..marks.log_end).filter(|offset| log.read(*offset, 1, ReadUpTo::LogEnd, true).is_err()).collect()
}

#[test]
fn behind_a_batch_that_lost_its_header_a_killed_log_goes_on() {
    let world = indexed(Arc::new(MemoryDisk::new()));
    lived(&world);
    destroy(&world, 9);
    for start in 0..3 {
        let (dir, report) = world.open();
        assert_eq!(refused(&dir), [9], "start {start}: {report:?}");
    }
}

#[test]
fn an_index_that_was_rebuilt_is_on_the_disk_before_anybody_is_killed_again() {
    let world = indexed(Arc::new(MemoryDisk::new()));
    lived(&world);
    destroy(&world, 9);
    // Without its times it is not believed any more.
    world.put("a-0/00000000000000000000.timeindex", b"garbage");
    for start in 0..3 {
        let (dir, report) = world.open();
        assert_eq!(refused(&dir), [9], "start {start}: {report:?}");
    }
}

/// Does something on disks whose process dies in its first change, in its second, and so on, and says what is refused by whoever
/// comes after it. `power`: that goes too.
fn refused_after_deaths(
    world: &World,
    disk: &ForgettingDisk,
    power: bool,
    act: &dyn Fn(&World),
) -> Vec<Vec<i64>> {
    let mut all = Vec::new();
    for changes in 1..500 {
        let dying = disk.killed();
        dying.die_in(changes, changes);
        act(&world.moved_to(Arc::new(dying.clone())));
        let is_over = !dying.is_dead();
        let left = if power { dying.crash(changes).expect("a crash") } else { dying.killed() };
        let (dir, _) = world.moved_to(Arc::new(left)).open();
        all.push(refused(&dir));
        if is_over {
            return all;
        }
    }
    panic!("it does not end");
}

#[test]
fn a_start_that_is_killed_while_it_writes_an_index_anew_takes_no_entry_from_the_next() {
    for (power, destroyed) in [(false, 9), (true, 9), (true, 40)] {
        let disk = ForgettingDisk::new();
        let world = indexed(Arc::new(disk.clone()));
        lived(&world);
        destroy(&world, destroyed);
        append_junk(&world, "timeindex");
        let refused = refused_after_deaths(&world, &disk, power, &|world| drop(world.try_open()));
        assert!(
            refused.len() > 5 && refused.iter().all(|refused| *refused == [destroyed]),
            "{power}: {refused:?}"
        );
    }
}

/// Of a closed segment below the recovery point.
#[test]
fn a_reader_that_is_killed_while_it_writes_an_index_anew_takes_no_entry_from_the_next() {
    for power in [false, true] {
        let disk = ForgettingDisk::new();
        let world = World { config: closed_at(BATCHES as u32 - 10), ..indexed(Arc::new(disk.clone())) };
        lived(&world);
        destroy(&world, 9);
        append_junk(&world, "index");
        let refused = refused_after_deaths(&world, &disk, power, &|world| {
            if let Ok((dir, _)) = world.try_open() {
                let _ = dir.get("a", 0).expect("open").read(20, 1, ReadUpTo::LogEnd, true);
            }
        });
        assert!(refused.len() > 5 && refused.iter().all(|refused| *refused == [9]), "{power}: {refused:?}");
    }
}

/// Where the disk has no room for both, the old index has to make some.
#[test]
fn an_index_is_written_anew_where_there_is_no_room_beside_it() {
    let (failing, world) = World::failing();
    let world = World { config: indexed(Arc::new(MemoryDisk::new())).config, ..world.knows("a", A) };
    lived(&world);
    destroy(&world, 9);
    world.put("a-0/00000000000000000000.timeindex", b"garbage");
    for call in [Call::Open, Call::Write, Call::SyncData, Call::Rename] {
        failing.fail_on(".index.tmp", call, When::Always, Fault::Error(Errno::NOSPC));
    }
    for start in 0..3 {
        let (dir, report) = world.open();
        assert_eq!(refused(&dir), [9], "start {start}: {report:?}");
        assert!(!world.has("a-0/00000000000000000000.index.tmp"));
        let log = world.disk.file_len(&path("a-0/00000000000000000000.log")).expect("there");
        let scanned = report.loaded[0].report.scanned_bytes;
        assert!(scanned <= log, "what is checked twice counts once: {scanned} of {log}");
        failing.heal();
    }
}

/// The first segment is closed, and its index is not believed. Its entries on the disk, and what is read of it.
fn distrusted(world: &World) -> impl Fn(&LogDir) -> u64 {
    lived(world);
    append_junk(world, "index");
    let disk = Arc::clone(&world.disk);
    move |dir| {
        let log = dir.get("a", 0).expect("open");
        assert!((0..20).all(|offset| log.read(offset, 1, ReadUpTo::LogEnd, true).is_ok()));
        disk.file_len(&path("a-0/00000000000000000000.index")).expect("there") / 8
    }
}

#[test]
fn a_reader_writes_an_index_anew_where_there_is_no_room_beside_it() {
    for call in [Call::Open, Call::Write, Call::SyncData, Call::Rename] {
        let (failing, world) = World::failing();
        let world = World { config: closed_at(BATCHES as u32 - 10), ..world.knows("a", A) };
        let entries_once_read = distrusted(&world);
        let (dir, _) = world.open();
        failing.fail_on(".index.tmp", call, When::Always, Fault::Error(Errno::NOSPC));
        assert_eq!(entries_once_read(&dir), BATCHES as u64 - 11, "{call:?}: every batch but the first");
        assert!(!world.has("a-0/00000000000000000000.index.tmp"), "{call:?}");
    }
}

#[test]
fn an_index_that_could_not_be_written_is_written_by_a_later_reader() {
    let (failing, world) = World::failing();
    let world = World { config: closed_at(BATCHES as u32 - 10), ..world.knows("a", A) };
    let entries_once_read = distrusted(&world);
    let (dir, _) = world.open();
    failing.fail_on(".index", Call::Write, When::Always, Fault::Error(Errno::NOSPC));
    assert!(entries_once_read(&dir) < BATCHES as u64 - 11, "there is no room at all");
    failing.heal();
    assert_eq!(entries_once_read(&dir), BATCHES as u64 - 11);
}

#[test]
fn a_power_cut_takes_no_entry_of_what_a_checkpoint_calls_stable() {
    let disk = ForgettingDisk::new();
    let world = indexed(Arc::new(disk.clone()));
    lived(&world);
    for seed in 0..16 {
        let world = world.moved_to(Arc::new(disk.crash(seed).expect("a crash")));
        destroy(&world, 9);
        let (dir, report) = world.open();
        assert_eq!(refused(&dir), [9], "seed {seed}: {report:?}");
    }
}

#[test]
fn what_is_not_stable_has_no_entry_on_the_disk() {
    let world = indexed(Arc::new(MemoryDisk::new()));
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    let entries = || world.disk.file_len(&path("a-0/00000000000000000000.index")).expect("there") / 8;
    append(&log, 10);
    dir.write_checkpoints().expect("written");
    assert_eq!(entries(), 0);
    log.sync().expect("synced");
    append(&log, 10);
    dir.write_checkpoints().expect("written");
    assert_eq!(entries(), 9, "every batch but the first");
    log.sync().expect("synced");
    dir.write_checkpoints().expect("written");
    assert_eq!(entries(), 19);
}

/// Calls that change the disk, of a checkpoint of so many logs of which the first has new entries, and of one without news.
fn calls(logs: i32) -> (u64, u64) {
    let disk = ForgettingDisk::new();
    let world = indexed(Arc::new(disk.clone()));
    let (dir, _) = world.open();
    for partition in 0..logs {
        append(&world.create(&dir, "a", partition), 9);
    }
    let first = dir.get("a", 0).expect("open");
    let written = || {
        let before = disk.changes();
        dir.write_checkpoints().expect("written");
        disk.changes() - before
    };
    for log in dir.logs() {
        log.sync().expect("synced");
    }
    written();
    append(&first, 9);
    first.sync().expect("synced");
    (written(), written())
}

#[test]
fn a_checkpoint_touches_only_the_indexes_of_logs_with_new_entries() {
    let (one, none) = calls(1);
    assert_eq!(calls(40), (one, none));
    assert_eq!(none, 0);
}

#[test]
fn a_checkpoint_is_due_once_a_segment_has_stable_records_of_which_none_is_noted() {
    let world = World::new().knows("a", A);
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    append(&log, 1);
    assert!(!dir.has_unnoted(), "nothing is stable");
    for segment in 0..3 {
        log.sync().expect("synced");
        assert!(dir.has_unnoted(), "segment {segment}");
        dir.write_checkpoints().expect("written");
        assert!(!dir.has_unnoted(), "segment {segment}");
        let base = log.active_base_offset();
        append(&log, 1);
        log.sync().expect("synced");
        assert!(log.active_base_offset() == base && !dir.has_unnoted(), "one of the segment is noted");
        while log.active_base_offset() == base {
            append(&log, 1);
        }
    }
}

/// With segments that are full after some forty batches.
fn rolling(disk: Arc<dyn Disk>) -> World {
    let world = indexed(disk);
    let config = LogConfig { segment_bytes: 4096, ..world.config.clone() };
    World { config, ..world }
}

fn roll(log: &Log) {
    let base = log.active_base_offset();
    while log.active_base_offset() == base {
        append(log, 1);
    }
}

/// Of the first twenty offsets, of power cuts that each keep other parts of what was not synced.
fn refused_after_power_cuts(disk: &ForgettingDisk, world: &World) {
    for seed in 0..32 {
        let world = world.moved_to(Arc::new(disk.crash(seed).expect("a crash")));
        destroy(&world, 9);
        let (dir, report) = world.open();
        let log = dir.get("a", 0).expect("open");
        let refused: Vec<i64> =
            (0..20).filter(|offset| log.read(*offset, 1, ReadUpTo::LogEnd, true).is_err()).collect();
        assert_eq!(refused, [9], "seed {seed}: {report:?}");
    }
}

/// A log with so many records, all of them stable.
fn synced(world: &World, records: usize) -> (LogDir, Arc<Log>) {
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    append(&log, records);
    log.sync().expect("synced");
    (dir, log)
}

#[test]
fn a_power_cut_takes_no_entry_of_a_segment_that_was_closed_behind_the_sync() {
    for rolls in 1..3 {
        let disk = ForgettingDisk::new();
        let world = rolling(Arc::new(disk.clone()));
        let (dir, log) = synced(&world, 20);
        (0..rolls).for_each(|_| roll(&log));
        dir.write_checkpoints().expect("written");
        refused_after_power_cuts(&disk, &world);
    }
}

#[test]
fn a_power_cut_takes_no_entry_of_a_segment_that_is_closed_behind_the_checkpoint() {
    let disk = ForgettingDisk::new();
    let world = rolling(Arc::new(disk.clone()));
    let (dir, log) = synced(&world, 20);
    dir.write_checkpoints().expect("written");
    roll(&log);
    refused_after_power_cuts(&disk, &world);
}

/// A piece of the index that is full is written when it is, and leaves nothing to write for the checkpoint.
#[test]
fn a_power_cut_takes_no_entry_that_was_written_because_there_were_many() {
    let disk = ForgettingDisk::new();
    let world = indexed(Arc::new(disk.clone()));
    let (dir, _) = synced(&world, crate::index::PIECE + 1);
    dir.write_checkpoints().expect("written");
    refused_after_power_cuts(&disk, &world);
}

/// The checkpoint is not held up by it, and the next one tries again, be there news or not.
#[test]
fn entries_that_could_not_be_synced_are_not_taken_for_stable() {
    let disk = ForgettingDisk::new();
    let failing = FailingDisk::new(Arc::new(disk.clone()));
    let world = indexed(Arc::new(failing.clone()));
    let (dir, _) = synced(&world, BATCHES);
    failing.fail_on(".index", Call::SyncData, When::Always, Fault::Error(Errno::NOSPC));
    dir.write_checkpoints().expect("written");
    assert!(world.get(RECOVERY_POINT_FILE).contains(&format!("a 0 {BATCHES}")));
    failing.heal();
    dir.write_checkpoints().expect("written");
    refused_after_power_cuts(&disk, &world);
}
