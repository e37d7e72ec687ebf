//! Copies of logs that change while they are copied. Whoever paces a copy is called after each piece of bytes, so what
//! happens in between happens at a known place.

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pagewire_disk::{Disk, OpenMode, OsDisk};

use super::*;
use crate::backup::{BackupError, CopiedLog, CopyOptions, Refused, Way, note};
use crate::segment::names;
use crate::share::Share;
use crate::{Cleaner, CleanerLimits, ReadError, ReadUpTo, Stretch, Throttle};

const COPY: &str = "/copy/t-0";

#[expect(clippy::unnecessary_wraps, reason = "others do not always go on")]
pub(super) fn nothing(_: u64) -> io::Result<()> {
    Ok(())
}

pub(super) fn options(pace: &dyn Fn(u64) -> io::Result<()>) -> CopyOptions<'_> {
    CopyOptions { links: true, verify: true, earlier: &|_| None, pace, refused: Refused::default() }
}

pub(super) fn copy_to(
    dir: &LogDir,
    to: &Path,
    options: &CopyOptions<'_>,
) -> Result<Option<CopiedLog>, BackupError> {
    let mut noted = note([dir], Duration::ZERO).expect("nobody appends");
    noted.take(A, 0).expect("there").copy(to, options)
}

pub(super) fn copy(dir: &LogDir, pace: &dyn Fn(u64) -> io::Result<()>) -> CopiedLog {
    copy_to(dir, Path::new(COPY), &options(pace)).expect("copied").expect("not deleted")
}

/// A world with one log of so many segments of two batches each.
pub(super) fn of_segments(world: &World, count: usize) -> (LogDir, Arc<Log>) {
    let (dir, _) = world.open();
    let log = world.create(&dir, "t", 0);
    while log.segments().len() < count {
        append(&log, 1);
    }
    (dir, log)
}

/// The records of all segments in a directory, one after the other.
pub(super) fn bytes_in(disk: &dyn Disk, dir: &Path) -> Vec<u8> {
    let names = disk.read_dir(dir).expect("listed").into_iter().map(|entry| entry.name);
    let logs = names.filter(|name| name.strip_suffix(".log").is_some());
    let read = |name: String| pagewire_disk::read_small(disk, &dir.join(name), 1 << 24).expect("read");
    logs.flat_map(|name| read(name).expect("there")).collect()
}

fn original(world: &World) -> Vec<u8> {
    bytes_in(&*world.disk, &path("t-0"))
}

fn copied(world: &World) -> Vec<u8> {
    bytes_in(&*world.disk, Path::new(COPY))
}

/// Opens what was copied, as a restored directory would be.
pub(super) fn reopened(world: &World, log: &CopiedLog) -> (LogDir, Arc<Log>) {
    let disk = &*world.disk;
    disk.create_dir_all(Path::new("/again")).expect("made");
    disk.rename(Path::new("/copy/t-0"), Path::new("/again/t-0")).expect("moved");
    let mut ends = pagewire_disk::OffsetCheckpoint::new();
    ends.set("t", 0, log.end);
    ends.write(disk, Path::new("/again/recovery-point-offset-checkpoint")).expect("written");
    let mut starts = pagewire_disk::OffsetCheckpoint::new();
    starts.set("t", 0, log.log_start);
    starts.write(disk, Path::new("/again/log-start-offset-checkpoint")).expect("written");
    let settings = |topic: &str, _| world.settings(topic);
    let options = super::options();
    let (dir, report) =
        LogDir::open(Arc::clone(&world.disk), Path::new("/again"), &options, &settings, &|_| {})
            .expect("opened");
    assert!(report.failed.is_empty() && report.loaded.iter().all(|log| log.report.cuts.is_empty()));
    let log = dir.get("t", 0).expect("served");
    (dir, log)
}

/// `pagewire log online`, before the copy and at each of its pieces of bytes.
#[test]
fn a_log_that_is_opened_anew_after_the_moment_is_not_copied_for_what_it_was() {
    for at in 0..20 {
        let world = World::new().knows("t", A);
        let (dir, _) = of_segments(&world, 4);
        let (dir, anew, seen) = (Cell::new(Some(dir)), Cell::new(None), Cell::new(0));
        let open_anew = || {
            if let Some(dir) = dir.take() {
                dir.give_up();
                let (again, _) = world.open();
                append(&again.get("t", 0).expect("open"), 5);
                anew.set(Some((dir, again)));
            }
        };
        let pace = |_| {
            seen.set(seen.get() + 1);
            if seen.get() == at {
                open_anew();
            }
            Ok(())
        };
        let noted = dir.take().map(|open| {
            let noted = note([&open], Duration::ZERO).expect("nobody appends").take(A, 0).expect("there");
            dir.set(Some(open));
            noted
        });
        if at == 0 {
            open_anew();
        }
        let copied =
            noted.expect("noted").copy(Path::new(COPY), &CopyOptions { links: false, ..options(&pace) });
        if anew.take().is_none() {
            assert!(copied.is_ok() && at > 4, "nobody opened it: {at}, {copied:?}");
            return;
        }
        assert!(matches!(&copied, Err(BackupError::Reopened(of)) if *of == path("t-0")), "{at}: {copied:?}");
    }
    panic!("it does not end");
}

#[test]
fn a_copy_opens_as_the_log_was() {
    let world = World::new().knows("t", A);
    let (dir, log) = of_segments(&world, 3);
    for sequence in 0..3 {
        let mut builder = BatchBuilder::new(Codec::None).producer(77, 1, sequence);
        builder.append(5, None, Some(b"v"), &[]).expect("record");
        let context = AppendContext { leader_epoch: 4, origin: Origin::Client, now_ms: 5 };
        log.append(builder.build().expect("batch"), context).expect("append");
    }
    log.delete_records_before(2).expect("deleted");
    let (marks, before) = (log.marks(), original(&world));
    let copy = copy(&dir, &nothing);
    assert_eq!((copy.log_start, copy.end), (marks.log_start, marks.log_end));
    assert_eq!(copied(&world), before);
    let (_dir, again) = reopened(&world, &copy);
    assert_eq!(again.producers(), log.producers());
    assert_eq!(again.end_offset_for_epoch(0), log.end_offset_for_epoch(0));
    assert!(again.leader_epoch() == Some(4) && again.marks().log_end == marks.log_end && reads_all(&again));
}

#[test]
fn what_is_appended_and_rolled_meanwhile_is_not_in_it() {
    let world = World::new().knows("t", A);
    let (dir, log) = of_segments(&world, 5);
    let before = original(&world);
    let copy = copy(&dir, &|_| {
        append(&log, 3);
        Ok(())
    });
    assert_eq!(copied(&world), before);
    assert_eq!(reopened(&world, &copy).1.marks().log_end, copy.end);
}

/// What is not opened yet when it goes is missing: the copy begins later, and ends where it was to end.
#[test]
fn retention_that_is_faster_than_the_copy_moves_its_start() {
    let world = World::new().knows("t", A);
    let (dir, log) = of_segments(&world, 80);
    let calls = Cell::new(0);
    let copy = copy(&dir, &|_| {
        calls.set(calls.get() + 1);
        if calls.get() == 1 {
            log.delete_records_before(100).expect("deleted");
            dir.retain(1);
            dir.unlink_due(100).expect("unlinked");
        }
        Ok(())
    });
    assert_eq!(copy.log_start, 100);
    assert_eq!(copied(&world), original(&world));
    assert!(reads_all(&reopened(&world, &copy).1));
}

/// Each time before the copy comes to the segments that it could not open at once: the copy is what is left in the end.
#[test]
fn retention_that_is_faster_every_time_leaves_a_copy_without_a_hole() {
    // Of what was there at the moment, none but the active segment, or some.
    for kept in [0, 30] {
        let world = World::new().knows("t", A);
        let (dir, log) = of_segments(&world, 200);
        let (end, disturbed, calls) = (log.marks().log_end, Cell::new(0), Cell::new(0));
        let copy = copy(&dir, &|_| {
            calls.set(calls.get() + 1);
            // In the middle of what was opened at once, in which nothing is lost.
            if calls.get() % 20 == 0 && disturbed.get() < 8 {
                disturbed.set(disturbed.get() + 1);
                append(&log, 10);
                let first = log.segments()[0].base_offset;
                log.delete_records_before((first + 120).min(end - kept)).expect("deleted");
                dir.retain(1);
                dir.unlink_due(100).expect("unlinked");
            }
            Ok(())
        });
        assert!(disturbed.get() > 1, "{disturbed:?}");
        assert!(copy.first_base > 100 && copy.end == end && end - copy.first_base >= kept.max(1), "{copy:?}");
        let (_dir, again) = reopened(&world, &copy);
        assert_eq!((again.marks().log_start, again.marks().log_end), (copy.log_start, copy.end));
        assert!(reads_all(&again));
    }
}

/// As after retention that took everything: there is no record, and the next one gets the offset that it would have got.
#[test]
fn a_log_of_which_retention_took_everything_before_its_turn_goes_on_at_its_end() {
    let world = World::new().knows("t", A);
    let (dir, log) = of_segments(&world, 5);
    let (end, mut noted) = (log.marks().log_end, note([&dir], Duration::ZERO).expect("nobody appends"));
    append(&log, 9);
    log.delete_records_before(-1).expect("deleted");
    dir.retain(1);
    dir.unlink_due(100).expect("unlinked");
    let noted = noted.take(A, 0).expect("there");
    let copy = noted.copy(Path::new(COPY), &options(&nothing)).expect("copied").expect("there");
    assert_eq!((copy.log_start, copy.first_base, copy.end), (end, end, end));
    let (_dir, again) = reopened(&world, &copy);
    assert_eq!((again.marks().log_start, again.marks().log_end), (end, end));
    append(&again, 1);
    assert!(reads_all(&again));
}

/// A log that is compacted whenever there is anything to compact.
fn always_compacted() -> World {
    let mut world = World::new().knows("t", A);
    world.config.cleanup_delete = false;
    world.config.cleanup_compact = true;
    world.config.min_cleanable_dirty_ratio = Share::NONE;
    world
}

fn clean_all(dir: &LogDir) {
    while let Some(dirty) = dir.dirtiest(1) {
        let limits = CleanerLimits { map_bytes: 1 << 20, ..CleanerLimits::default() };
        dirty.clean(&mut Cleaner::new(limits), 1, &Throttle::new(u64::MAX)).expect("cleaned");
    }
}

/// Of a key that is written again behind the end that was noted, the record before it is in the copy: else it had none.
#[test]
fn what_is_written_after_the_moment_has_nothing_cleaned_away_that_belongs_to_it() {
    let world = always_compacted();
    let (dir, _) = world.open();
    let log = world.create(&dir, "t", 0);
    let write = |value: &str| {
        let builder = BatchBuilder::new(Codec::None);
        let batch = crate::clean::tests::fill(builder, &[(Some("k"), Some(value))]);
        let context = AppendContext { leader_epoch: 0, origin: Origin::Client, now_ms: 1 };
        log.append(batch, context).expect("appended");
    };
    (0..7).for_each(|_| write("before"));
    let mut noted = note([&dir], Duration::ZERO).expect("nobody appends");
    let last = log.marks().log_end - 1;
    (0..20).for_each(|_| write("after"));
    clean_all(&dir);
    let noted = noted.take(A, 0).expect("there");
    let copy = noted.copy(Path::new(COPY), &options(&nothing)).expect("copied").expect("there");
    let (_again_dir, again) = reopened(&world, &copy);
    let found = crate::clean::tests::life_txns::committed_records(&again);
    assert_eq!(found.get("k"), Some(&(last, Some("before".to_owned()))));
    // It is cleaned to its end again when it is copied.
    let held = log.size_bytes();
    clean_all(&dir);
    assert!(log.size_bytes() < held, "{:?}", log.segments());
}

/// An append that hangs keeps a backup from its moment, and nobody else from appending.
#[test]
fn where_an_append_hangs_there_is_no_moment_and_nobody_waits_for_it() {
    let world = World::new().knows("t", A).knows("u", B);
    let (dir, _) = world.open();
    let (hangs, other) = (world.create(&dir, "t", 0), world.create(&dir, "u", 0));
    let appends = hangs.writer.lock();
    for patience in [0, 5] {
        let busy = note([&dir], Duration::from_millis(patience)).expect_err("an append is under way");
        assert_eq!((&**busy.topic(), busy.partition()), ("t", 0));
        append(&other, 1);
    }
    drop(appends);
    let mut noted = note([&dir], Duration::ZERO).expect("nobody appends");
    assert!(noted.take(A, 0).is_some() && noted.take(B, 0).is_some());
}

/// Records in one log that say how far the other is: none says more than the other has.
#[test]
fn logs_that_are_noted_while_they_are_written_to_agree() {
    let world = World::new().knows("t", A).knows("u", B);
    let (dir, _) = world.open();
    let (cause, effect) = (world.create(&dir, "t", 0), world.create(&dir, "u", 0));
    let stop = AtomicBool::new(false);
    let noted: Vec<(i64, i64)> = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                append(&cause, 1);
                append(&effect, 1);
            }
        });
        let end = |noted: Option<crate::backup::NotedLog>| noted.expect("there").end();
        let note = || {
            let mut tries = (0..1000).filter_map(|_| note([&dir], Duration::from_millis(50)).ok());
            let mut noted = tries.next().expect("appends are short");
            (end(noted.take(A, 0)), end(noted.take(B, 0)))
        };
        let noted = (0..200).map(|_| note()).collect();
        stop.store(true, Ordering::Relaxed);
        noted
    });
    assert!(noted.iter().all(|(cause, effect)| (0..=1).contains(&(cause - effect))), "{noted:?}");
}

#[test]
fn retention_of_what_was_copied_already_changes_nothing() {
    let world = World::new().knows("t", A);
    let (dir, log) = of_segments(&world, 80);
    let (before, start, read) = (original(&world), log.marks().log_start, Cell::new(0));
    let copy = copy(&dir, &|bytes| {
        read.set(read.get() + bytes);
        // More than the segments that were opened first.
        if read.get() > 33 * 400 {
            log.delete_records_before(20).expect("deleted");
            dir.retain(1);
            dir.unlink_due(100).expect("unlinked");
        }
        Ok(())
    });
    assert_eq!(copy.log_start, start);
    assert_eq!(copied(&world), before);
}

/// A mixture of segments from before and after a clean could bring back what a tombstone had taken.
#[test]
fn compaction_of_what_is_copied_makes_the_copy_begin_anew() {
    let world = always_compacted();
    let (dir, log) = of_segments(&world, 80);
    let (read, before) = (Cell::new(0), log.size_bytes());
    let copy = copy(&dir, &|bytes| {
        read.set(read.get() + bytes);
        // More than the segments that were opened first.
        if read.get() > 33 * 400
            && let Some(dirty) = dir.dirtiest(1)
        {
            let limits = CleanerLimits { map_bytes: 1 << 20, ..CleanerLimits::default() };
            dirty.clean(&mut Cleaner::new(limits), 1, &Throttle::new(u64::MAX)).expect("cleaned");
        }
        Ok(())
    });
    assert!(log.size_bytes() < before, "it was cleaned");
    assert_eq!(copied(&world), original(&world), "all of it as it is after the clean");
    let (_dir, again) = reopened(&world, &copy);
    assert_eq!(again.marks().log_end, log.marks().log_end);
}

#[test]
fn a_topic_deleted_meanwhile_leaves_nothing() {
    let world = World::new().knows("t", A);
    let (dir, _log) = of_segments(&world, 80);
    let found = copy_to(
        &dir,
        Path::new(COPY),
        &options(&|_| {
            dir.delete("t", 0, 0).expect("deleted");
            Ok(())
        }),
    );
    assert_eq!(found.expect("no error"), None);
    assert!(!world.disk.exists(Path::new(COPY)).expect("asked"));
    assert!(note([&dir], Duration::ZERO).expect("nobody appends").take(A, 0).is_none());
}

fn damage(world: &World, name: &str, position: u64) {
    let file = world.disk.open(&path(name), OpenMode::ReadWrite).expect("opened");
    file.write_at(position, b"x").expect("written");
}

/// Closed or active, copied or linked: what is damaged is said, in the copy as it is, and known to readers from then
/// on.
#[test]
fn a_damaged_batch_is_copied_as_it_is_and_told() {
    let world = World::new().knows("t", A);
    let (dir, log) = of_segments(&world, 3);
    let (first, active) = (log.segments()[0], log.segments()[2]);
    let batch = first.size_bytes / 3;
    damage(&world, "t-0/00000000000000000000.log", 100);
    damage(&world, &format!("t-0/{:020}.log", active.base_offset), 100);
    let copy = copy(&dir, &nothing);
    let found: Vec<_> = copy.files.iter().flat_map(|file| &file.damage).copied().collect();
    let stretch = |offset: i64| Stretch::new(0..batch, offset..offset + 1);
    assert_eq!(
        found,
        [stretch(0), Stretch { next_offset: active.base_offset + 1, ..stretch(active.base_offset) }]
    );
    assert_eq!(copied(&world), original(&world));
    let read = |offset| log.read(offset, 1 << 20, ReadUpTo::LogEnd, true);
    assert!(matches!(read(0), Err(ReadError::Damaged { .. })) && read(1).is_ok());
    assert!(matches!(read(active.base_offset), Err(ReadError::Damaged { .. })));
    let trusting = CopyOptions { verify: false, ..options(&nothing) };
    let trusted =
        copy_to(&dir, Path::new("/copy/other"), &trusting).expect("copied as it is").expect("there");
    let known: Vec<_> = trusted.files.iter().flat_map(|file| &file.damage).copied().collect();
    assert_eq!(known, found, "nobody looked, and it was known");
}

#[test]
fn whoever_paces_can_end_it() {
    let world = World::new().knows("t", A);
    let (dir, _log) = of_segments(&world, 3);
    let stop = |_| Err(io::ErrorKind::Interrupted.into());
    let error = copy_to(&dir, Path::new(COPY), &options(&stop)).expect_err("ended");
    assert!(error.is_stopped(), "{error}");
}

/// On the machine's own disk: a place for copies beside a log of three segments.
pub(super) fn on_disk() -> (tempfile::TempDir, LogDir, Arc<Log>) {
    on(Arc::new(OsDisk::new()))
}

/// The same by way of another disk.
pub(super) fn on(disk: Arc<dyn Disk>) -> (tempfile::TempDir, LogDir, Arc<Log>) {
    let place = tempfile::tempdir().expect("a directory");
    let world = World::on(disk).knows("t", A);
    let settings = world.settings("t").expect("known");
    let known = |_: &str, _| Some(settings.clone());
    let data = place.path().join("data");
    let opened = LogDir::open(Arc::clone(&world.disk), &data, &super::options(), &known, &|_| {});
    let (dir, _) = opened.expect("opened");
    let log = dir.create("t", 0, &settings, 0).expect("made");
    append(&log, 7);
    assert_eq!(log.segments().len(), 3);
    (place, dir, log)
}

pub(super) fn ways(copy: &CopiedLog) -> Vec<Way> {
    copy.files.iter().filter(|file| file.name.strip_suffix(".log").is_some()).map(|file| file.way).collect()
}

#[test]
fn closed_segments_are_linked_and_the_active_one_is_a_file_of_its_own() {
    let (place, dir, log) = on_disk();
    let to = place.path().join("copy");
    let copy = copy_to(&dir, &to, &options(&nothing)).expect("copied").expect("there");
    let before = bytes_in(&OsDisk::new(), &to);
    let [first, second, active] = ways(&copy)[..] else { panic!("three segments: {copy:?}") };
    assert!(first == second && [Way::Linked, Way::Shared].contains(&first), "{first:?}");
    assert!([Way::Copied, Way::Shared].contains(&active), "{active:?}");
    append(&log, 20);
    log.delete_records_before(-1).expect("deleted");
    dir.retain(1);
    dir.unlink_due(100).expect("unlinked");
    assert_eq!(bytes_in(&OsDisk::new(), &to), before, "whatever becomes of the log");
}

#[test]
fn without_links_every_byte_is_copied() {
    let (place, dir, _log) = on_disk();
    let apart = CopyOptions { links: false, ..options(&nothing) };
    let copy = copy_to(&dir, &place.path().join("copy"), &apart).expect("copied").expect("there");
    assert_eq!(ways(&copy), [Way::Copied; 3]);
}

#[test]
fn an_index_that_is_written_anew_while_it_is_copied_is_copied_again() {
    const MEBIBYTE: u64 = 1 << 20;
    let world = World::new().knows("t", A);
    let (dir, _log) = of_segments(&world, 3);
    let index = "t-0/00000000000000000000.index";
    let put = |byte: u8, len: u64| world.put(index, &vec![byte; len as usize]);
    put(1, MEBIBYTE + 100);
    let pieces = Cell::new(0);
    copy(&dir, &|bytes| {
        if bytes == MEBIBYTE {
            match pieces.replace(pieces.get() + 1) {
                // The first copy is half of this and half of that, the second one longer than what is left.
                0 => put(2, MEBIBYTE + 100),
                2 => put(3, 800),
                _ => {}
            }
        }
        Ok(())
    });
    let copied = pagewire_disk::read_small(&*world.disk, &Path::new("/copy").join(index), 1 << 24);
    assert_eq!((copied.expect("read"), pieces.get()), (Some(vec![3; 800]), 3));
}

#[test]
fn a_segment_that_somebody_removed_is_named() {
    for lost in [0, 1, 2] {
        let world = World::new().knows("t", A);
        let (dir, log) = of_segments(&world, 3);
        let missing = names::path(&path("t-0"), log.segments()[lost].base_offset, names::LOG);
        world.disk.remove_file(&missing).expect("removed");
        let copied = copy_to(&dir, Path::new(COPY), &options(&|_| Ok(())));
        let Err(BackupError::Missing(named)) = copied else { panic!("{lost}: {copied:?}") };
        assert_eq!(named, missing);
    }
}

/// Seen before the first byte; of what is removed meanwhile no more than was copied by then.
#[test]
fn a_removed_segment_is_named_before_anything_is_copied_for_nothing() {
    for before in [true, false] {
        let world = World::new().knows("t", A);
        let (dir, log) = of_segments(&world, 80);
        let missing = names::path(&path("t-0"), log.segments()[70].base_offset, names::LOG);
        let (calls, remove) = (Cell::new(0), || world.disk.remove_file(&missing).expect("removed"));
        if before {
            remove();
        }
        let pace = |_| {
            calls.set(calls.get() + 1);
            if !before && calls.get() == 1 {
                remove();
            }
            Ok(())
        };
        let copied = copy_to(&dir, Path::new(COPY), &CopyOptions { links: false, ..options(&pace) });
        let Err(BackupError::Missing(named)) = copied else { panic!("{copied:?}") };
        assert_eq!(named, missing);
        // A segment is read in one piece, its indexes in one each and once more.
        assert!(calls.get() <= if before { 0 } else { 70 * 7 }, "{before}: {calls:?}");
    }
}

#[test]
fn an_index_that_never_comes_to_rest_ends_its_copy() {
    let world = World::new().knows("t", A);
    let (dir, _log) = of_segments(&world, 3);
    let (index, calls) = ("t-0/00000000000000000000.index", Cell::new(0_u64));
    let grow = |_: u64| {
        world.put(index, &vec![1; calls.replace(calls.get() + 1) as usize + 8]);
        Ok(())
    };
    let copied = copy_to(&dir, Path::new(COPY), &options(&grow));
    assert!(matches!(copied, Err(BackupError::Changing(_))), "{copied:?}");
}
