//! Facts about logs that move to another directory while they are served.

use std::collections::BTreeMap;
use std::io;

use pagewire_disk::ForgettingDisk;
use pagewire_record::{BatchHeader, ControlType, EndTxnMarker, control_batch};

use super::*;
use crate::backup::note;
use crate::{AppendError, Cleaner, CleanerLimits, FutureLog, MoveError, Moving, ReadUpTo, Stretch, Throttle};

const DIRS: [&str; 2] = ["/a", "/b"];

/// Segments of a few records.
pub(super) fn small() -> PartitionSettings {
    PartitionSettings { log: LogConfig { segment_bytes: 220, ..LogConfig::default() }, ..settings() }
}

pub(super) fn future() -> FutureLog {
    FutureLog { topic: "t".to_owned(), topic_id: TOPIC, partition: 0 }
}

#[expect(clippy::unnecessary_wraps, reason = "whoever paces may end the work")]
pub(super) fn nothing(_: u64) -> io::Result<()> {
    Ok(())
}

/// What a start finds, of an owner who has stored where the partition is.
#[expect(clippy::option_option, reason = "as directories are named: none is home")]
pub(super) fn started(disk: &Arc<dyn Disk>, placed: Option<Uuid>) -> (LogDirs, Option<Option<Uuid>>) {
    try_start(disk, placed).expect("opens")
}

/// The same of a process that may die in it.
#[expect(clippy::option_option, reason = "as directories are named: none is home")]
pub(super) fn try_start(
    disk: &Arc<dyn Disk>,
    placed: Option<Uuid>,
) -> Result<(LogDirs, Option<Option<Uuid>>), String> {
    let lock = |dir: &&str| (PathBuf::from(dir), LockedDir::lock(Arc::clone(disk), Path::new(dir)));
    let locked = DIRS.iter().map(lock).collect();
    let known = |topic: &str, _| (topic == "t").then(small);
    let loaded = LogDirs::load(locked, &options(), &known, &|_| {});
    let (dirs, _) = loaded.map_err(|error| error.to_string())?;
    let (adopted, _) = dirs.adopt_futures(&|_| Some((small(), placed)), 0);
    for one in adopted {
        one.opened.map_err(|error| error.to_string())?;
    }
    let found = dirs.directory_of("t", 0);
    Ok((dirs, found))
}

/// Two directories, the first of which has a log of six records, all stable.
pub(super) fn with_a_log(disk: &Arc<dyn Disk>) -> LogDirs {
    let (dirs, _) = started(disk, None);
    dirs.create_all("t", &[(0, None)], &small(), 0).expect("made");
    (0..6).for_each(|_| append(&dirs, 0));
    dirs.get("t", 0).expect("served").sync().expect("synced");
    dirs
}

pub(super) fn id_of(dirs: &LogDirs, dir: &str) -> Option<Uuid> {
    dirs.here().find(|one| one.path() == Path::new(dir)).expect("here").directory_id()
}

fn moved_to(dirs: &LogDirs, dir: &str) {
    let mut moving = dirs.begin_move(&future(), Path::new(dir)).expect("begun");
    moving.halt(&moving.last_round(), u64::MAX, &nothing).expect("halted");
    assert!(moving.end_round());
    moving.switch(&small(), 0).expect("switched");
}

pub(super) fn begun(dirs: &LogDirs) -> Moving {
    dirs.begin_move(&future(), Path::new("/b")).expect("begun")
}

pub(super) fn moved(dirs: &LogDirs) {
    let mut moving = begun(dirs);
    moving.catch_up(&nothing).expect("copied");
    moving.halt(&moving.last_round(), u64::MAX, &nothing).expect("halted");
    assert!(moving.end_round());
    moving.switch(&small(), 0).expect("switched");
}

/// The names in a directory that are about the partition.
pub(super) fn names(disk: &dyn Disk, dir: &str) -> Vec<String> {
    let entries = disk.read_dir(Path::new(dir)).expect("listed");
    let about = |name: &str| match name.rsplit_once('-') {
        Some((_, suffix)) if name.starts_with("t-0.") => Some(format!("…-{suffix}")),
        _ => (name == "t-0").then(|| name.to_owned()),
    };
    entries.iter().filter_map(|entry| about(&entry.name)).collect()
}

pub(super) fn end(dirs: &LogDirs) -> i64 {
    dirs.get("t", 0).expect("served").marks().log_end
}

/// The headers of all batches that a reader gets.
pub(super) fn headers(dirs: &LogDirs) -> Vec<BatchHeader> {
    let log = dirs.get("t", 0).expect("served");
    let (mut headers, mut offset) = (Vec::new(), log.marks().log_start);
    while offset < log.marks().log_end {
        let slice = log.read(offset, 1 << 20, ReadUpTo::HighWatermark, true).expect("read");
        let range = slice.range.expect("records");
        let mut bytes = vec![0; usize::try_from(range.len()).expect("small")];
        std::os::unix::fs::FileExt::read_exact_at(&**range.file(), &mut bytes, range.offset()).expect("read");
        for batch in pagewire_record::batches(&bytes) {
            let header = batch.expect("whole").header;
            offset = header.last_offset() + 1;
            headers.push(header);
        }
    }
    headers
}

#[test]
fn a_log_moves_while_it_is_appended_to_and_is_the_same_there() {
    let disk: Arc<dyn Disk> = Arc::new(ForgettingDisk::new());
    let dirs = with_a_log(&disk);
    let old = dirs.get("t", 0).expect("served");
    let mut moving = begun(&dirs);
    moving.catch_up(&nothing).expect("copied");
    assert_eq!((moving.so_far().1, names(&*disk, "/b")), (6, vec!["…-future".to_owned()]));
    (0..3).for_each(|_| append(&dirs, 0));
    moving.catch_up(&nothing).expect("copied");
    append(&dirs, 0);
    let before = headers(&dirs);
    moving.halt(&moving.last_round(), u64::MAX, &nothing).expect("halted");
    assert!(moving.end_round());
    let late = append_to(&old);
    assert!(matches!(late, Err(AppendError::Moving)), "{late:?}");
    assert_eq!(headers(&dirs), before, "reads go on");
    moving.switch(&small(), 0).expect("switched");
    assert_eq!(dirs.directory_of("t", 0), Some(id_of(&dirs, "/b")));
    assert_eq!(
        (names(&*disk, "/a"), names(&*disk, "/b")),
        (vec!["…-delete".to_owned()], vec!["t-0".to_owned()])
    );
    assert_eq!((headers(&dirs), end(&dirs)), (before, 10));
    // Whoever has the old one is sent on; what was acknowledged there is stable.
    assert!(old.is_moved() && !old.is_deleted());
    assert!(matches!(append_to(&old), Err(AppendError::Moving)));
    assert_eq!(old.sync().expect("stable"), 10);
    append(&dirs, 0);
    assert_eq!(end(&dirs), 11);
    dirs.here().for_each(|dir| drop(dir.unlink_due(i64::MAX)));
    assert_eq!(names(&*disk, "/a"), Vec::<String>::new());
}

pub(super) fn append_to(log: &crate::Log) -> Result<crate::Appended, AppendError> {
    let mut builder = BatchBuilder::new(Codec::None);
    builder.append(1, Some(b"key"), Some(b"value"), &[]).expect("record");
    let context = AppendContext { leader_epoch: 0, origin: Origin::Client, now_ms: 1 };
    log.append(builder.build().expect("batch"), context)
}

#[test]
fn after_a_power_cut_at_any_step_the_log_is_in_one_directory_and_whole() {
    let (mut steps, mut found_in) = (0, BTreeMap::new());
    for stop in 0.. {
        let forgetting = ForgettingDisk::new();
        let disk: Arc<dyn Disk> = Arc::new(forgetting.clone());
        let dirs = with_a_log(&disk);
        let target = id_of(&dirs, "/b");
        forgetting.die_in(stop, stop);
        let (mut placed, mut done) = (None, false);
        if let Ok(mut moving) = dirs.begin_move(&future(), Path::new("/b"))
            && moving.catch_up(&nothing).is_ok()
            && moving.halt(&moving.last_round(), u64::MAX, &nothing).is_ok()
            && moving.end_round()
        {
            placed = target;
            done = moving.switch(&small(), 0).is_ok() && !forgetting.is_dead();
        }
        if done {
            break;
        }
        steps = stop;
        drop(dirs);
        for seed in [0, stop + 1] {
            let crashed = forgetting.crash(seed).expect("crash");
            let disk: Arc<dyn Disk> = Arc::new(crashed.clone());
            let (dirs, found) = started(&disk, placed);
            let told = format!(
                "step {stop}, seed {seed}, placed {placed:?}: {:?} {:?}",
                names(&*disk, "/a"),
                names(&*disk, "/b")
            );
            let found = found.unwrap_or_else(|| panic!("served nowhere: {told}"));
            assert!(placed.is_some() || found.is_none(), "a copy is served: {told}");
            *found_in.entry((placed.is_some(), found.is_some())).or_insert(0) += 1;
            assert_eq!((end(&dirs), headers(&dirs).len()), (6, 6), "{told}");
            // It goes on there, and the next start knows as much.
            append(&dirs, 0);
            dirs.get("t", 0).expect("served").sync().expect("synced");
            drop(dirs);
            let disk: Arc<dyn Disk> = Arc::new(crashed.crash(seed).expect("crash"));
            let (dirs, again) = started(&disk, found);
            assert_eq!((again, end(&dirs)), (Some(found), 7), "{told}");
            if found.is_none() {
                moved(&dirs);
                assert_eq!(end(&dirs), 7, "{told}");
            }
        }
    }
    assert!(steps > 40, "{steps}");
    let ways = [(false, false), (true, false), (true, true)];
    assert!(ways.iter().all(|way| found_in.contains_key(way)), "{found_in:?}");
}

#[test]
fn a_copy_that_is_behind_is_never_taken_for_the_log() {
    let disk: Arc<dyn Disk> = Arc::new(ForgettingDisk::new());
    let dirs = with_a_log(&disk);
    let mut moving = begun(&dirs);
    moving.halt(&moving.last_round(), u64::MAX, &nothing).expect("halted");
    assert!(moving.end_round());
    // The owner could not store it.
    moving.take_back().expect("taken back");
    append(&dirs, 0);
    assert_eq!((end(&dirs), names(&*disk, "/b")), (7, vec!["…-delete".to_owned()]));
    let target = id_of(&dirs, "/b");
    drop(dirs);
    let (dirs, found) = started(&disk, target);
    assert_eq!((found, end(&dirs)), (Some(None), 7), "it was not stored after all");
}

#[test]
fn a_move_that_is_broken_off_begins_anew_after_a_start() {
    let disk: Arc<dyn Disk> = Arc::new(ForgettingDisk::new());
    let dirs = with_a_log(&disk);
    let mut moving = begun(&dirs);
    let stopped = moving.catch_up(&|_| Err(io::ErrorKind::Interrupted.into()));
    assert!(stopped.is_err_and(|error| error.is_stopped()));
    assert!(dirs.close_clean(0).clean);
    drop((moving, dirs));
    let lock = |dir: &&str| (PathBuf::from(dir), LockedDir::lock(Arc::clone(&disk), Path::new(dir)));
    let known = |topic: &str, _| (topic == "t").then(small);
    let locked = DIRS.iter().map(lock).collect();
    let (dirs, report) = LogDirs::load(locked, &options(), &known, &|_| {}).expect("opens");
    assert!(report.clean && report.failed.is_empty());
    let (adopted, wished) = dirs.adopt_futures(&|_| Some((small(), None)), 0);
    assert_eq!((adopted.len(), wished), (0, vec![(PathBuf::from("/b"), future())]));
    moved(&dirs);
    assert_eq!((end(&dirs), headers(&dirs).len()), (6, 6));
}

#[test]
fn what_retention_does_meanwhile_is_done_in_the_copy() {
    let disk: Arc<dyn Disk> = Arc::new(ForgettingDisk::new());
    let dirs = with_a_log(&disk);
    let mut moving = begun(&dirs);
    moving.catch_up(&nothing).expect("copied");
    let log = dirs.get("t", 0).expect("served");
    let second = log.segments()[1].base_offset;
    log.delete_records_before(second + 1).expect("deleted");
    log.apply_retention(0).expect("retained");
    assert_eq!(log.segments()[0].base_offset, second);
    moving.catch_up(&nothing).expect("copied");
    moving.halt(&moving.last_round(), u64::MAX, &nothing).expect("halted");
    assert!(moving.end_round());
    // Records may be deleted while nothing is appended.
    log.delete_records_before(5).expect("deleted");
    moving.switch(&small(), 0).expect("switched");
    let now = dirs.get("t", 0).expect("served");
    assert_eq!((now.marks().log_start, now.marks().log_end), (5, 6));
    assert_eq!(now.segments()[0].base_offset, second);
}

#[test]
fn what_compaction_does_meanwhile_is_done_in_the_copy_and_known_there() {
    let disk: Arc<dyn Disk> = Arc::new(ForgettingDisk::new());
    let dirs = with_a_log(&disk);
    let compacted = LogConfig { cleanup_compact: true, cleanup_delete: false, ..small().log };
    let compacted = PartitionSettings { log: compacted, ..small() };
    dirs.set_settings("t", &compacted);
    let mut moving = begun(&dirs);
    moving.catch_up(&nothing).expect("copied");
    let home = dirs.here().next().expect("home");
    let dirty = home.dirtiest(0).expect("one key, six times");
    let cleaned = dirty.clean(&mut Cleaner::new(CleanerLimits::default()), 0, &Throttle::new(u64::MAX));
    cleaned.expect("cleaned");
    let (left, cleaned_to) = (headers(&dirs), home.cleaned_to("t", 0));
    assert!(left.len() < 6 && cleaned_to.is_some(), "{cleaned_to:?}");
    moving.halt(&moving.last_round(), u64::MAX, &nothing).expect("halted");
    assert!(moving.end_round());
    moving.switch(&compacted, 0).expect("switched");
    assert_eq!(headers(&dirs), left);
    assert_eq!(home.cleaned_to("t", 0), None);
    let target = dirs.here().nth(1).expect("here");
    assert_eq!(target.cleaned_to("t", 0), cleaned_to);
    // Holes are no losses, whatever the settings say by then.
    drop((dirs, home));
    let id = target.directory_id();
    drop(target);
    let (dirs, found) = started(&disk, id);
    assert_eq!((found, headers(&dirs)), (Some(id), left));
}

#[test]
fn an_open_transaction_moves_along_and_is_ended_there() {
    let disk: Arc<dyn Disk> = Arc::new(ForgettingDisk::new());
    let dirs = with_a_log(&disk);
    let log = dirs.get("t", 0).expect("served");
    let mut builder = BatchBuilder::new(Codec::None).producer(7, 0, 0).transactional();
    builder.append(1, Some(b"key"), Some(b"value"), &[]).expect("record");
    let context = AppendContext { leader_epoch: 0, origin: Origin::Coordinator, now_ms: 1 };
    log.append(builder.build().expect("batch"), context).expect("appended");
    let (producers, marks) = (log.producers(), log.marks());
    assert_eq!((marks.last_stable, marks.log_end), (6, 7));
    moved(&dirs);
    let log = dirs.get("t", 0).expect("served");
    assert_eq!((log.producers(), log.marks().last_stable), (producers, 6));
    let abort = EndTxnMarker { control_type: ControlType::Abort, coordinator_epoch: 0 };
    let context = AppendContext { leader_epoch: 0, origin: Origin::Coordinator, now_ms: 2 };
    log.append(control_batch(abort, 7, 0, 2).expect("marker"), context).expect("appended");
    // And so does what is aborted.
    moved_to(&dirs, "/a");
    let log = dirs.get("t", 0).expect("served");
    let slice = log.read(6, 1 << 20, ReadUpTo::LastStable, true).expect("read");
    let aborted: Vec<_> = slice.aborted.iter().map(|txn| (txn.producer_id, txn.first_offset)).collect();
    assert_eq!((log.marks().last_stable, aborted), (8, vec![(7, 6)]));
}

#[test]
fn damage_that_is_known_is_known_there() {
    let disk: Arc<dyn Disk> = Arc::new(ForgettingDisk::new());
    let dirs = with_a_log(&disk);
    let log = dirs.get("t", 0).expect("served");
    let file = disk.open(&log.dir().join("00000000000000000000.log"), OpenMode::ReadWrite).expect("there");
    file.write_at(65, &[9]).expect("written");
    for dir in dirs.here() {
        dir.scrub(crate::ScrubLimits { bytes: 1 << 20, interval_ms: 1 }, i64::MAX);
    }
    let known: Vec<Stretch> = log.damage();
    assert_eq!(known.len(), 1);
    moved(&dirs);
    assert_eq!(dirs.get("t", 0).expect("served").damage(), known);
}

#[test]
fn a_target_that_fails_leaves_the_log_where_it_is() {
    for call in [Call::Write, Call::SyncData, Call::SyncDir, Call::Rename] {
        let failing = FailingDisk::new(Arc::new(MemoryDisk::new()));
        let disk: Arc<dyn Disk> = Arc::new(failing.clone());
        let dirs = with_a_log(&disk);
        let Ok(mut moving) = dirs.begin_move(&future(), Path::new("/b")) else { panic!("healthy") };
        failing.fail_on("/b", call, When::Always, Fault::Error(Errno::IO));
        let copied =
            moving.catch_up(&nothing).and_then(|()| moving.halt(&moving.last_round(), u64::MAX, &nothing));
        assert!(copied.is_err(), "{call:?}");
        append(&dirs, 0);
        assert_eq!((end(&dirs), dirs.directory_of("t", 0)), (7, Some(None)), "{call:?}");
        let sick = dirs.here().find(|dir| dir.path() == Path::new("/b")).expect("here").offline();
        assert!(sick.is_some(), "{call:?}: the directory takes no more logs");
        let again = dirs.begin_move(&future(), Path::new("/b"));
        assert!(matches!(again, Err(MoveError::Target(_))), "{call:?}");
    }
}

#[test]
fn a_full_target_leaves_the_log_where_it_is_and_takes_it_when_there_is_room() {
    let failing = FailingDisk::new(Arc::new(MemoryDisk::new()));
    let disk: Arc<dyn Disk> = Arc::new(failing.clone());
    let dirs = with_a_log(&disk);
    let mut moving = begun(&dirs);
    failing.fail_on("/b", Call::Write, When::Always, Fault::Error(Errno::NOSPC));
    let full = moving.catch_up(&nothing).expect_err("it does not fit");
    assert!(full.to_string().contains("the copy does not fit there"), "{full}");
    assert!(dirs.here().all(|dir| !dir.is_full()), "what is not a move fits");
    append(&dirs, 0);
    failing.heal();
    moved(&dirs);
    assert_eq!((end(&dirs), dirs.directory_of("t", 0)), (7, Some(id_of(&dirs, "/b"))));
}

#[test]
fn a_log_that_has_much_more_than_its_copy_is_not_kept_waiting_for_that() {
    let disk: Arc<dyn Disk> = Arc::new(ForgettingDisk::new());
    let dirs = with_a_log(&disk);
    let mut moving = begun(&dirs);
    let all = dirs.get("t", 0).expect("served").size_bytes();
    assert_eq!(moving.left_bytes(), all);
    let refused = moving.halt(&moving.last_round(), all - 1, &nothing);
    assert!(matches!(refused, Err(MoveError::Behind(left)) if left == all), "{refused:?}");
    append(&dirs, 0);
    moving.catch_up(&nothing).expect("copied");
    assert_eq!((moving.left_bytes(), moving.so_far().1), (0, 7));
    append(&dirs, 0);
    let left = moving.left_bytes();
    assert!(left > 0 && left < all, "{left}");
    moving.halt(&moving.last_round(), left, &nothing).expect("halted");
    assert!(moving.end_round());
    moving.switch(&small(), 0).expect("switched");
    assert_eq!(end(&dirs), 8);
}

#[test]
fn segments_that_compaction_wrote_anew_are_left_to_be_copied() {
    let disk: Arc<dyn Disk> = Arc::new(ForgettingDisk::new());
    let dirs = with_a_log(&disk);
    let compacted = LogConfig { cleanup_compact: true, cleanup_delete: false, ..small().log };
    dirs.set_settings("t", &PartitionSettings { log: compacted, ..small() });
    let mut moving = begun(&dirs);
    moving.catch_up(&nothing).expect("copied");
    let home = dirs.here().next().expect("home");
    let dirty = home.dirtiest(0).expect("one key, six times");
    let cleaned = dirty.clean(&mut Cleaner::new(CleanerLimits::default()), 0, &Throttle::new(u64::MAX));
    cleaned.expect("cleaned");
    let log = dirs.get("t", 0).expect("served");
    assert!(log.size_bytes() < moving.so_far().0);
    assert!(moving.left_bytes() > 0);
}

#[test]
fn a_log_that_is_to_be_opened_anew_is_not_copied_before_it_is() {
    let disk: Arc<dyn Disk> = Arc::new(ForgettingDisk::new());
    let dirs = with_a_log(&disk);
    let mut moving = begun(&dirs);
    moving.catch_up(&nothing).expect("copied");
    dirs.here().next().expect("home").give_up();
    let copied = std::cell::Cell::new(0);
    let pace = |bytes| {
        copied.set(copied.get() + bytes);
        Ok(())
    };
    let again = moving.catch_up(&pace);
    assert!(matches!(again, Err(MoveError::Reopened)), "{again:?}");
    let before = names(&*disk, "/b");
    let anew = dirs.begin_move(&future(), Path::new("/b"));
    assert!(matches!(anew, Err(MoveError::Reopened)), "{anew:?}");
    assert_eq!((copied.get(), names(&*disk, "/b")), (0, before));
    assert!(
        disk.exists(&moving_copy(&dirs).join("00000000000000000000.log")).expect("looked"),
        "the copy stays"
    );
}

fn moving_copy(dirs: &LogDirs) -> PathBuf {
    let to = dirs.here().nth(1).expect("here");
    to.path().join(future().dir_name().expect("short"))
}

#[test]
fn a_log_that_a_backup_has_noted_stays_until_it_is_copied() {
    let disk: Arc<dyn Disk> = Arc::new(ForgettingDisk::new());
    let dirs = with_a_log(&disk);
    let mut moving = begun(&dirs);
    let all: Vec<_> = dirs.here().collect();
    let noted = note(all.iter().map(|dir| &**dir), std::time::Duration::from_mins(1)).expect("noted");
    assert!(matches!(moving.halt(&moving.last_round(), u64::MAX, &nothing), Err(MoveError::Held)));
    append(&dirs, 0);
    drop(noted);
    moving.halt(&moving.last_round(), u64::MAX, &nothing).expect("halted");
    assert!(moving.end_round());
    let now = note(all.iter().map(|dir| &**dir), std::time::Duration::from_mins(1));
    assert!(now.is_err(), "one that may be elsewhere in a moment is not noted where it is");
    moving.switch(&small(), 0).expect("switched");
    assert_eq!(end(&dirs), 7);
}

#[test]
fn a_switch_that_is_neither_made_nor_taken_back_takes_the_log_offline_and_refuses_no_backup() {
    for is_taken_back in [true, false] {
        let failing = FailingDisk::new(Arc::new(MemoryDisk::new()));
        let disk: Arc<dyn Disk> = Arc::new(failing.clone());
        let dirs = with_a_log(&disk);
        let mut moving = begun(&dirs);
        moving.halt(&moving.last_round(), u64::MAX, &nothing).expect("halted");
        assert!(moving.end_round());
        failing.fail_on("/b", Call::Rename, When::Always, Fault::Error(Errno::IO));
        // Or whoever was to store it panicked.
        if is_taken_back {
            moving.take_back().expect_err("the copy keeps its name");
        } else {
            drop(moving);
        }
        let log = dirs.get("t", 0).expect("served");
        let refused = append_to(&log);
        assert!(matches!(refused, Err(AppendError::Offline(_))), "{refused:?}");
        let all: Vec<_> = dirs.here().collect();
        assert_eq!(all[0].offline().map(|why| why.kind), None, "the others of its directory go on");
        note(all.iter().map(|dir| &**dir), std::time::Duration::from_mins(1)).expect("noted");
        assert_eq!(headers(&dirs).len(), 6, "reads go on");
    }
}

#[test]
fn a_log_whose_last_round_panics_goes_on_where_it_is() {
    let disk: Arc<dyn Disk> = Arc::new(ForgettingDisk::new());
    let dirs = with_a_log(&disk);
    let mut moving = begun(&dirs);
    let halted = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        moving.halt(&moving.last_round(), u64::MAX, &|_| panic!("in the last round"))
    }));
    assert!(halted.is_err());
    drop(moving);
    append(&dirs, 0);
    assert_eq!((end(&dirs), dirs.directory_of("t", 0)), (7, Some(None)));
}

#[test]
fn a_partition_that_is_deleted_meanwhile_moves_nowhere() {
    let disk: Arc<dyn Disk> = Arc::new(ForgettingDisk::new());
    let dirs = with_a_log(&disk);
    let mut moving = begun(&dirs);
    dirs.delete_all("t", &[0], 0).expect("deleted");
    assert!(matches!(moving.catch_up(&nothing), Err(MoveError::Nothing)));
    assert!(matches!(dirs.begin_move(&future(), Path::new("/b")), Err(MoveError::Nothing)));
    dirs.here().for_each(|dir| dir.drop_future(&future()).expect("dropped"));
    assert_eq!(names(&*disk, "/b"), ["…-delete"]);
}
