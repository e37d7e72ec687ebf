//! Facts about the moment in which a log's copy takes its place, on disks that fail or do not answer then.

use std::thread;

use pagewire_disk::ForgettingDisk;

use super::moving::{
    append_to, begun, end, future, headers, id_of, moved, names, nothing, small, started, with_a_log,
};
use super::*;
use crate::{Adopted, LogError, MoveError, Moving, PlacedIn, SettingsOf, Unswitched};

pub(super) fn failing() -> (FailingDisk, Arc<dyn Disk>) {
    let failing = FailingDisk::new(Arc::new(MemoryDisk::new()));
    (failing.clone(), Arc::new(failing))
}

/// What becomes a log when the directory at `back` has come back.
pub(super) fn adopted_of(
    dirs: &LogDirs,
    back: &str,
    placed: &PlacedIn<'_>,
    now_ms: i64,
) -> (Vec<Adopted>, usize) {
    let (mut adopted, mut wished) = (Vec::new(), 0);
    for (to, future) in dirs.futures_due(Some(Path::new(back))) {
        match dirs.adopt_future(&to, future, Some(Path::new(back)), placed, now_ms) {
            Ok(one) => adopted.push(one),
            Err(_) => wished += 1,
        }
    }
    (adopted, wished)
}

pub(super) fn at(dirs: &LogDirs, dir: &str) -> Arc<crate::LogDir> {
    dirs.here().find(|one| one.path() == Path::new(dir)).expect("here")
}

/// The copy is complete, and nothing is appended to the log.
pub(super) fn halted(moving: &mut Moving) {
    moving.halt(&moving.last_round(), u64::MAX, &nothing).expect("halted");
    assert!(moving.end_round());
}

/// The directory at `path` is opened anew, or has come back.
pub(super) fn open_anew(
    dirs: &LogDirs,
    disk: &Arc<dyn Disk>,
    path: &str,
    id: Option<Uuid>,
    known: &SettingsOf<'_>,
) -> LoadReport {
    let taken = dirs.take_in(Path::new(path), disk, Coming::Back(id), options(), known, &|_| {});
    dirs.serve(taken.expect("well")).expect("served").1
}

pub(super) fn known_small(topic: &str, _: i32) -> Option<PartitionSettings> {
    (topic == "t").then(small)
}

#[test]
fn a_last_round_that_is_called_off_leaves_the_log_where_it_is_and_the_copy_to_another_round() {
    let (failing, disk) = failing();
    let dirs = with_a_log(&disk);
    let (log, mut moving) = (dirs.get("t", 0).expect("served"), begun(&dirs));
    moving.catch_up(&nothing).expect("copied");
    for call in [Call::SyncDir, Call::SyncData, Call::Open] {
        let held = failing.hold("/b", call);
        let round = moving.last_round();
        let on_thread = round.clone();
        let halting = thread::spawn(move || {
            let halted = moving.halt(&on_thread, u64::MAX, &nothing);
            (moving, halted)
        });
        assert!(held.is_reached(), "{call:?}");
        assert!(matches!(append_to(&log), Err(AppendError::Moving)), "{call:?}");
        assert!(round.call_off(), "{call:?}");
        append_to(&log).expect("it goes on before the disk answers");
        drop(held);
        let halted;
        (moving, halted) = halting.join().expect("no panic");
        assert!(matches!(halted, Err(MoveError::CalledOff)), "{call:?}: {halted:?}");
        append_to(&log).expect("it goes on");
        let other = moving.halt(&round, u64::MAX, &nothing).expect_err("not that round any more");
        assert!(matches!(other, MoveError::CalledOff), "{other:?}");
        append_to(&log).expect("it goes on");
        moving.catch_up(&nothing).expect("copied");
    }
    let round = moving.last_round();
    moving.halt(&round, u64::MAX, &nothing).expect("halted");
    assert!(moving.end_round());
    assert!(!round.call_off(), "it is complete");
    assert!(matches!(append_to(&log), Err(AppendError::Moving)));
    let before = headers(&dirs);
    moving.switch(&small(), 0).expect("switched");
    assert_eq!((headers(&dirs), end(&dirs)), (before, 15));
    let target = id_of(&dirs, "/b");
    drop((dirs, log));
    let (dirs, found) = started(&disk, target);
    assert_eq!((found, end(&dirs), headers(&dirs).len()), (Some(target), 15, 15));
}

#[test]
fn a_round_that_comes_back_after_another_one_has_begun_does_not_end_that() {
    let (_, disk) = failing();
    let dirs = with_a_log(&disk);
    let log = dirs.get("t", 0).expect("served");
    let mut moving = begun(&dirs);
    let (late, now) = (moving.last_round(), moving.last_round());
    let halted = late.begin().expect("begun");
    assert!(now.begin().is_none(), "one at a time");
    assert!(late.call_off());
    moving.halt(&now, u64::MAX, &nothing).expect("halted");
    assert!(moving.end_round());
    assert!(!halted.completed());
    drop(halted);
    assert!(matches!(append_to(&log), Err(AppendError::Moving)), "it is the other's");
    moving.switch(&small(), 0).expect("switched");
    assert_eq!(end(&dirs), 6);
}

#[test]
fn a_log_that_keeps_its_name_stays_and_goes_on() {
    for errno in [Errno::ACCESS, Errno::IO] {
        let (failing, disk) = failing();
        let dirs = with_a_log(&disk);
        let (target, log) = (id_of(&dirs, "/b"), dirs.get("t", 0).expect("served"));
        let mut moving = begun(&dirs);
        halted(&mut moving);
        failing.fail_on("/a/t-0", Call::Rename, When::Always, Fault::Error(errno));
        let Err(Unswitched::Stays(moving, _)) = moving.switch(&small(), 0) else {
            panic!("{errno:?}: it stays")
        };
        assert!(matches!(append_to(&log), Err(AppendError::Moving)), "{errno:?}: not before that is stored");
        assert!(!at(&dirs, "/b").awaits_copy_of("t", 0), "{errno:?}");
        moving.stay().expect("stays");
        assert_eq!(
            (dirs.directory_of("t", 0), headers(&dirs).len()),
            (Some(None), 6),
            "{errno:?}: it is read"
        );
        let is_sick = at(&dirs, "/a").offline().is_some();
        assert_eq!((append_to(&log).is_err(), is_sick), (errno == Errno::IO, errno == Errno::IO));
        failing.heal();
        if errno == Errno::ACCESS {
            moved(&dirs);
            assert_eq!((dirs.directory_of("t", 0), end(&dirs)), (Some(target), 7));
            continue;
        }
        drop((dirs, log));
        let (dirs, found) = started(&disk, None);
        assert_eq!((found, end(&dirs)), (Some(None), 6));
    }
}

#[test]
fn whichever_sync_or_rename_in_the_source_fails_at_the_switch_the_log_is_whole_after_it_and_after_a_power_cut()
 {
    let (mut stayed, mut apart) = (0, 0);
    for call in [Call::SyncDir, Call::Rename, Call::SyncData] {
        for nth in 1.. {
            let forgetting = ForgettingDisk::new();
            let failing = FailingDisk::new(Arc::new(forgetting.clone()));
            let disk: Arc<dyn Disk> = Arc::new(failing.clone());
            let dirs = with_a_log(&disk);
            let target = id_of(&dirs, "/b");
            let mut moving = begun(&dirs);
            halted(&mut moving);
            failing.fail_on("/a", call, When::Nth(nth), Fault::Error(Errno::IO));
            let told = format!("{call:?} {nth}");
            // By what the owner stores.
            let placed = match moving.switch(&small(), 0) {
                Ok(_) => break,
                Err(Unswitched::Stays(moving, _)) => {
                    stayed += 1;
                    moving.stay().expect("stays");
                    assert_eq!((dirs.directory_of("t", 0), headers(&dirs).len()), (Some(None), 6), "{told}");
                    None
                }
                Err(Unswitched::Apart(why)) => {
                    apart += 1;
                    assert!(why.to_string().contains("pagewire log online /a"), "{why}");
                    let made = dirs.create_all("t", &[(0, target)], &small(), 0);
                    assert!(
                        matches!(made, Err(CreateError::Log(LogError::Copied { .. }))),
                        "{told}: {made:?}"
                    );
                    at(&dirs, "/a").unlink_due(i64::MAX).expect("unlinked");
                    assert_eq!(names(&*disk, "/a"), ["…-delete"], "{told}: it may be needed");
                    target
                }
            };
            drop(dirs);
            for seed in [0, nth] {
                let crashed: Arc<dyn Disk> = Arc::new(forgetting.crash(seed).expect("crash"));
                let (dirs, found) = started(&crashed, placed);
                assert_eq!((found.is_some(), end(&dirs), headers(&dirs).len()), (true, 6, 6), "{told}");
                assert!(placed.is_some() || found == Some(None), "{told}: a copy is served");
                append(&dirs, 0);
            }
        }
    }
    assert!(stayed > 2 && apart == 1, "{stayed} {apart}");
}

#[test]
fn a_log_that_has_perhaps_not_left_is_served_where_it_is_found_when_its_directory_is_opened_anew() {
    let (failing, disk) = failing();
    let dirs = with_a_log(&disk);
    // The source is not the first one, which is always here.
    moved(&dirs);
    let back = |dirs: &LogDirs, nth| {
        let mut moving = dirs.begin_move(&future(), Path::new("/a")).expect("begun");
        halted(&mut moving);
        failing.fail_on("/b", Call::SyncDir, When::Nth(nth), Fault::Error(Errno::IO));
        let switched = moving.switch(&small(), 0);
        failing.heal();
        switched
    };
    let mut nth = 0;
    loop {
        nth += 1;
        match back(&dirs, nth) {
            Err(Unswitched::Stays(moving, _)) => moving.stay().expect("stays"),
            Err(Unswitched::Apart(_)) => break,
            Ok(_) => panic!("not without the sync"),
        }
        open_anew(&dirs, &disk, "/b", id_of(&dirs, "/b"), &known_small);
        assert_eq!(dirs.directory_of("t", 0), Some(id_of(&dirs, "/b")));
    }
    assert_eq!(dirs.directory_of("t", 0), None);
    open_anew(&dirs, &disk, "/b", id_of(&dirs, "/b"), &known_small);
    let (adopted, _) = adopted_of(&dirs, "/b", &|_| Some((small(), None)), 0);
    assert_eq!((adopted.len(), dirs.directory_of("t", 0), end(&dirs)), (1, Some(None), 6));
    append(&dirs, 0);
    // The other is from when it left.
    assert_eq!(names(&*disk, "/a"), ["t-0", "…-delete"]);
}

#[test]
fn a_copy_that_cannot_be_opened_is_when_that_is_tried_again_and_nothing_is_made_in_its_place() {
    let (failing, disk) = failing();
    let dirs = with_a_log(&disk);
    let target = id_of(&dirs, "/b");
    let mut moving = begun(&dirs);
    halted(&mut moving);
    failing.fail_on("/b/t-0", Call::Rename, When::Always, Fault::Error(Errno::ACCESS));
    let switched = moving.switch(&small(), 0);
    assert!(
        matches!(&switched, Err(Unswitched::Apart(why)) if why.to_string().contains("online /b")),
        "{switched:?}"
    );
    failing.heal();
    let made = dirs.create_all("t", &[(0, target)], &small(), 0);
    assert!(matches!(made, Err(CreateError::Log(LogError::Copied { .. }))), "{made:?}");
    assert!(dirs.without_log([("t", 0, target)].into_iter()).is_empty(), "it is not lost");
    assert_eq!(dirs.closed_in(Path::new("/b")), 1);
    let report = dirs.reopen(Path::new("/b"), &known_small, 0);
    assert_eq!((report.loaded.len(), report.failed.len(), end(&dirs)), (1, 0, 6));
    assert_eq!((dirs.directory_of("t", 0), dirs.closed_in(Path::new("/b"))), (Some(target), 0));
    append(&dirs, 0);
}

#[test]
fn a_log_that_is_opened_anew_in_its_last_round_is_not_said_to_have_failed() {
    let (failing, disk) = failing();
    let dirs = with_a_log(&disk);
    let mut moving = begun(&dirs);
    moving.catch_up(&nothing).expect("copied");
    append(&dirs, 0);
    let held = failing.hold("/a/t-0", Call::SyncData);
    let halting = thread::spawn(move || moving.halt(&moving.last_round(), u64::MAX, &nothing));
    assert!(held.is_reached());
    // Waits for the sync that is held up.
    let source = at(&dirs, "/a");
    let giving_up = thread::spawn(move || source.give_up());
    while !dirs.get("t", 0).is_some_and(|log| log.is_given_up()) {
        thread::yield_now();
    }
    drop(held);
    giving_up.join().expect("no panic");
    let halted = halting.join().expect("no panic");
    assert!(matches!(halted, Err(MoveError::Reopened)), "{halted:?}");
}

#[test]
fn a_round_that_is_called_off_when_its_copy_is_complete_writes_nothing_of_it_down_and_can_be_made_again() {
    let (failing, disk) = failing();
    let dirs = with_a_log(&disk);
    let log = dirs.get("t", 0).expect("served");
    let mut moving = begun(&dirs);
    let round = moving.last_round();
    moving.halt(&round, u64::MAX, &nothing).expect("halted");
    assert!(matches!(append_to(&log), Err(AppendError::Moving)));
    assert!(round.call_off(), "it has not ended");
    append_to(&log).expect("it goes on");
    assert!(!moving.end_round());
    assert!(matches!(moving.give_way(), MoveError::CalledOff));
    let is_expected = || {
        let file = Path::new("/b/recovery-point-offset-checkpoint");
        let read = disk.read_whole(file, 1 << 20).unwrap_or_default();
        String::from_utf8_lossy(&read).contains("t 0 ")
    };
    assert!(!is_expected());
    let (round, held) = (moving.last_round(), failing.hold("/b", Call::SyncDir));
    let on_thread = round.clone();
    let halting = thread::spawn(move || {
        let halted = moving.halt(&on_thread, u64::MAX, &nothing);
        (moving, halted)
    });
    assert!(held.is_reached());
    assert!(round.call_off());
    drop(held);
    let (mut moving, halted) = halting.join().expect("no panic");
    assert!(matches!(halted, Err(MoveError::CalledOff)), "{halted:?}");
    assert!(!is_expected(), "it may be another topic's by then");
    moving.halt(&moving.last_round(), u64::MAX, &nothing).expect("halted");
    assert!(moving.end_round() && is_expected());
    moving.switch(&small(), 0).expect("switched");
    assert_eq!(end(&dirs), 7);
}

#[test]
fn what_is_to_be_written_in_the_directory_of_a_log_that_keeps_its_name_is_not_passed_over() {
    let (failing, disk) = failing();
    let dirs = with_a_log(&disk);
    let log = dirs.get("t", 0).expect("served");
    let mut moving = begun(&dirs);
    halted(&mut moving);
    failing.fail_on("/a/t-0", Call::Rename, When::Always, Fault::Error(Errno::ACCESS));
    let held = failing.hold("/a/t-0", Call::Rename);
    let switching = thread::spawn(move || moving.switch(&small(), 0));
    assert!(held.is_reached());
    assert!(log.placing.try_lock().is_none(), "compaction waits until it is known where the log is");
    assert!(log.syncs.try_lock().is_none());
    assert!(log.writer.try_lock().is_some(), "who only looks does not");
    log.write_epochs().expect("passed over");
    drop(held);
    let Err(Unswitched::Stays(moving, _)) = switching.join().expect("no panic") else { panic!("it stays") };
    moving.stay().expect("stays");
    assert!(log.epochs_behind.load(std::sync::atomic::Ordering::Acquire), "they are written yet");
}

#[test]
fn nobody_takes_a_copy_for_the_log_or_for_lost_while_the_log_leaves() {
    let (failing, disk) = failing();
    let dirs = Arc::new(with_a_log(&disk));
    let target = id_of(&dirs, "/b");
    let mut moving = begun(&dirs);
    halted(&mut moving);
    let held = failing.hold("/a/t-0", Call::Rename);
    let switching = thread::spawn(move || moving.switch(&small(), 0));
    assert!(held.is_reached());
    assert!(dirs.without_log([("t", 0, target)].into_iter()).is_empty(), "it is not lost");
    assert_eq!(dirs.reopen(Path::new("/b"), &known_small, 0).loaded.len(), 0);
    assert!(adopted_of(&dirs, "/b", &|_| Some((small(), target)), 0).0.is_empty());
    drop(held);
    switching.join().expect("no panic").expect("switched");
    assert_eq!((dirs.directory_of("t", 0), end(&dirs)), (Some(target), 6));
}
