//! Checkpoints that say something else than was written, though they can be read.

use pagewire_disk::checkpoint::{CLEAN_MARK_FILE, LOG_START_FILE, RECOVERY_POINT_FILE};
use pagewire_disk::{Call, Errno, Fault, ForgettingDisk, OffsetCheckpoint, When};

use super::super::sums::{FILE, Sums};
use super::*;
use crate::verify::{Event, Severity, VerifyOptions, verify};

const OTHER_STARTS: &str = "0\n1\na 0 500\n";

/// A directory in which the first record of 20 was deleted, left in order.
fn left() -> World {
    let world = World::new().knows("a", A);
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    append(&log, 20);
    log.delete_records_before(1).expect("delete records");
    assert!(dir.close_clean(0).clean);
    assert_eq!(world.get(LOG_START_FILE), "0\n1\na 0 1\n");
    world
}

/// Where the log starts and ends now, and what the start had to say.
fn opened(world: &World) -> (i64, i64, Vec<String>) {
    let (dir, report) = world.open();
    let marks = dir.get("a", 0).expect("a log").marks();
    let notes = report.loaded.iter().flat_map(|log| log.report.notes.iter().cloned());
    (marks.log_start, marks.log_end, notices(&report).into_iter().chain(notes).collect())
}

#[test]
fn a_log_start_that_nobody_wrote_hides_nothing_and_takes_nothing() {
    for other in [OTHER_STARTS, "0\n1\na 0 9\n"] {
        let world = left();
        world.put(LOG_START_FILE, other.as_bytes());
        let (start, end, said) = opened(&world);
        assert_eq!((start, end, said.len()), (0, 20, 1), "{said:?}");
        assert!(said[0].contains("not what was written last"), "{said:?}");
    }
}

/// What `log check` has to say, by the file.
fn checked(world: &World) -> Vec<(String, String)> {
    let mut found = Vec::new();
    verify(&world.disk, root(), VerifyOptions::default(), &mut |event| {
        if let Event::Found(finding) = event
            && finding.severity > Severity::Note
        {
            let name = finding.path.file_name().expect("a file").to_string_lossy().into_owned();
            found.push((name, finding.what));
        }
    })
    .expect("checked");
    found
}

#[test]
fn a_check_finds_what_a_start_does_not_believe() {
    let world = left();
    assert_eq!(checked(&world), []);
    world.put(LOG_START_FILE, b"0\n1\na 0 9\n");
    // The leader epochs begin where the log did, so they may be doubted with it.
    let found = checked(&world);
    let start = found.iter().find(|(file, _)| file == LOG_START_FILE);
    assert!(start.is_some_and(|(_, what)| what.contains("not what was written last")), "{found:?}");

    let world = left();
    world.put(FILE, world.get(FILE).replacen("0 1", "0 2", 1).as_bytes());
    let damaged: Vec<_> = checked(&world).into_iter().map(|(file, _)| file).collect();
    assert_eq!(damaged, [FILE]);
}

#[test]
fn a_log_start_past_the_end_is_believed_only_of_a_file_that_is_certain() {
    let world = left();
    world.disk.remove_file(&path(FILE)).expect("remove");
    world.put(LOG_START_FILE, OTHER_STARTS.as_bytes());
    let (start, end, said) = opened(&world);
    assert_eq!((start, end, said.len()), (0, 20, 1), "{said:?}");
    assert!(said[0].contains("not believed"), "{said:?}");

    let world = World::new().knows("a", A);
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    append(&log, 20);
    log.delete_records_before(20).expect("delete records");
    dir.write_checkpoints().expect("write");
    let last = log.segments().last().expect("a segment").base_offset;
    drop((dir, log));
    world.put(format!("a-0/{last:020}.log"), b"");
    let (start, end, _) = opened(&world);
    assert_eq!((start, end), (20, 20), "offsets that were deleted are not given again");
}

#[test]
fn what_kafka_wrote_after_us_is_believed() {
    let world = left();
    world.put(LOG_START_FILE, b"0\n1\na 0 9\n");
    world.put(CLEAN_MARK_FILE, br#"{"version":0,"brokerEpoch":7}"#);
    assert_eq!(opened(&world), (9, 20, vec![]));
    let (dir, _) = world.open();
    dir.write_checkpoints().expect("write");
    drop(dir);
    assert_eq!(opened(&world), (9, 20, vec![]), "the sums are those of what is there");
}

#[test]
fn what_a_kafka_wrote_that_was_killed_after_our_orderly_stop_is_believed() {
    let world = left();
    world.put(LOG_START_FILE, b"0\n1\na 0 9\n");
    world.disk.remove_file(&path(CLEAN_MARK_FILE)).expect("Kafka takes it when it starts");
    assert_eq!(checked(&world), []);
    assert_eq!(opened(&world), (9, 20, vec![]));
}

#[test]
fn checkpoints_that_all_say_something_else_are_anothers_and_one_of_them_is_damaged() {
    for anothers in [true, false] {
        let world = World::new().knows("a", A);
        let (dir, _) = world.open();
        let log = world.create(&dir, "a", 0);
        append(&log, 20);
        log.sync().expect("sync");
        log.delete_records_before(1).expect("delete records");
        dir.write_checkpoints().expect("write");
        drop((dir, log));
        world.put(LOG_START_FILE, b"0\n1\na 0 9\n");
        if anothers {
            world.put(RECOVERY_POINT_FILE, b"0\n1\na 0 18\n");
        }
        let (start, end, said) = opened(&world);
        let expected = if anothers { (9, 20, 0) } else { (0, 20, 1) };
        assert_eq!((start, end, said.len()), expected, "{said:?}");
    }
}

#[test]
fn a_crash_right_after_a_start_leaves_the_sums_in_force() {
    let world = left();
    drop(world.open());
    world.put(LOG_START_FILE, b"0\n1\na 0 9\n");
    let (start, end, said) = opened(&world);
    assert_eq!((start, end, said.len()), (0, 20, 1), "{said:?}");
}

#[test]
fn a_crash_between_the_sums_and_their_checkpoint_leaves_the_one_before() {
    let world = World::new().knows("a", A);
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    append(&log, 20);
    log.sync().expect("sync");
    dir.write_checkpoints().expect("write");
    let before = world.get(RECOVERY_POINT_FILE);
    append(&log, 5);
    log.sync().expect("sync");
    dir.write_checkpoints().expect("write");
    drop((dir, log));
    world.put(RECOVERY_POINT_FILE, before.as_bytes());
    assert_eq!(opened(&world), (0, 25, vec![]));
}

#[test]
fn sums_forget_no_checkpoint_that_a_power_cut_brings_back() {
    for seed in 0..32 {
        let forgetting = ForgettingDisk::new();
        pagewire_disk::create_dir_durably(&forgetting, root()).expect("a directory");
        let disk = FailingDisk::new(Arc::new(forgetting.clone()));
        let mut sums = Sums::read(&disk, root(), &mut Vec::new()).expect("none");
        let mut write = |offset| {
            let mut points = OffsetCheckpoint::new();
            points.set("a", 0, offset);
            sums.write(&disk, root(), &[(RECOVERY_POINT_FILE, &points)])
        };
        write(10).expect("written");
        // The sums are stable. The name of what they are of is not, and neither are those that come next.
        disk.fail_on("", Call::SyncDir, When::From(2), Fault::Error(Errno::IO));
        write(20).expect_err("not stable");
        write(30).expect_err("not stable");
        let (left, mut notices) = (forgetting.crash(seed).expect("a crash"), Vec::new());
        let mut sums = Sums::read(&left, root(), &mut notices).expect("read");
        let read = sums.checkpoint(&left, root(), RECOVERY_POINT_FILE, &mut notices).expect("read");
        assert!(read.certain && notices.is_empty(), "seed {seed}: {notices:?}");
    }
}

#[test]
fn damaged_sums_speak_against_nothing_and_are_made_anew() {
    let world = left();
    let sums = world.get(FILE);
    for at in 0..sums.len() {
        let mut bytes = sums.clone().into_bytes();
        bytes[at] ^= 1;
        world.put(FILE, &bytes);
        let (start, end, said) = opened(&world);
        assert_eq!((start, end, said.len()), (1, 20, 1), "byte {at}: {said:?}");
    }
    let (dir, _) = world.open();
    dir.write_checkpoints().expect("write");
    drop(dir);
    assert_eq!(opened(&world), (1, 20, vec![]));
}
