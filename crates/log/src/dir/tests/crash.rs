//! What a power cut leaves of a whole directory.

use pagewire_disk::checkpoint::RECOVERY_POINT_FILE;
use pagewire_disk::{Call, Errno, Fault, ForgettingDisk, When};

use super::*;
use crate::Marks;

const SEEDS: u64 = 24;

/// Crashes the disk in many ways and opens what is left.
fn after_every_crash(disk: &ForgettingDisk, world: &World, check: impl Fn(&LogDir, &LoadReport, u64)) {
    for seed in 0..SEEDS {
        let world = world.moved_to(Arc::new(disk.crash(seed).expect("crash")));
        let (dir, report) = world.open();
        check(&dir, &report, seed);
    }
}

fn forgetting() -> (ForgettingDisk, World) {
    let disk = ForgettingDisk::new();
    (disk.clone(), World::on(Arc::new(disk)).knows("a", A))
}

#[test]
fn a_created_log_survives_a_power_cut() {
    let (disk, world) = forgetting();
    let (dir, _) = world.open();
    world.create(&dir, "a", 0);
    after_every_crash(&disk, &world, |dir, report, seed| {
        assert_eq!(dir.topic_id("a", 0), Some(A), "seed {seed}: {:?}", notices(report));
        assert!(report.notices.is_empty() && report.failed.is_empty(), "seed {seed}: {:?}", notices(report));
    });
}

#[test]
fn synced_records_survive_a_power_cut_and_the_rest_is_whole_or_gone() {
    let (disk, world) = forgetting();
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    append(&log, 8);
    log.sync().expect("sync");
    dir.write_checkpoints().expect("checkpoints");
    append(&log, 8);
    after_every_crash(&disk, &world, |dir, report, seed| {
        let log = dir.get("a", 0).unwrap_or_else(|| panic!("seed {seed}: {report:?}"));
        let end = log.marks().log_end;
        assert!((8..=16).contains(&end), "seed {seed}: ends at {end}: {report:?}");
        assert!(reads_all(&log), "seed {seed}");
        append(&log, 3);
        log.sync().expect("sync");
        assert!(reads_all(&log), "seed {seed}");
    });
}

/// One record in a transaction that nothing ends.
fn append_in_a_transaction(log: &Log) {
    let mut builder = BatchBuilder::new(Codec::None).producer(7, 0, 0).transactional();
    builder.append(1, None, Some(b"undecided"), &[]).expect("record");
    let context = AppendContext { leader_epoch: 0, origin: Origin::Client, now_ms: 1 };
    log.append(builder.build().expect("batch"), context).expect("append");
}

/// Kafka's log start may lie past what is stable; the log begins anew there then, and forgets who was in a transaction.
#[test]
fn a_log_whose_records_were_deleted_survives_a_power_cut_with_its_open_transactions() {
    let (disk, world) = forgetting();
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    append_in_a_transaction(&log);
    append(&log, 2);
    log.delete_records_before(3).expect("delete records");
    dir.write_checkpoints().expect("checkpoints");
    append(&log, 2);
    after_every_crash(&disk, &world, |dir, report, seed| {
        let log = dir.get("a", 0).unwrap_or_else(|| panic!("seed {seed}: {report:?}"));
        let marks = log.marks();
        assert_eq!((marks.log_start, marks.last_stable), (3, 3), "seed {seed}: {report:?}");
        assert_eq!(log.producers()[0].current_txn_start_offset, 0, "seed {seed}: {report:?}");
    });
}

/// Also if it moves while what lies below the one before is made stable.
#[test]
fn a_log_start_that_is_written_lies_in_what_was_stable_then() {
    let disk = ForgettingDisk::new();
    let failing = FailingDisk::new(Arc::new(disk.clone()));
    let world = World::on(Arc::new(failing.clone())).knows("a", A);
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    append_in_a_transaction(&log);
    log.roll(&mut log.writer.lock(), 1).expect("a name that the sync makes stable last");
    append(&log, 2);
    log.delete_records_before(1).expect("delete records");
    let held = failing.hold("a-0", Call::SyncDir);
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| dir.write_checkpoints());
        let is_reached = held.is_reached();
        append(&log, 2);
        log.delete_records_before(-1).expect("delete records");
        drop(held);
        assert!(is_reached && writing.join().expect("no panic").is_ok());
    });
    let Marks { log_start, recovery_point, .. } = log.marks();
    assert_eq!((log_start, recovery_point < log_start), (5, true), "{recovery_point}");
    after_every_crash(&disk, &world, |dir, report, seed| {
        let log = dir.get("a", 0).unwrap_or_else(|| panic!("seed {seed}: {report:?}"));
        assert_eq!(log.marks().log_start, recovery_point, "seed {seed}: {report:?}");
        let open: Vec<i64> = log.producers().iter().map(|one| one.current_txn_start_offset).collect();
        assert_eq!(open, [0], "seed {seed}: {report:?}");
    });
}

#[test]
fn a_log_is_named_before_it_counts_as_compacted() {
    let (failing, world) = World::failing();
    let world = world.knows("a", A);
    let (dir, _) = world.open();
    failing.fail_on("offset-checkpoint", Call::Write, When::Always, Fault::Error(Errno::NOSPC));
    let mut settings = world.settings("a").expect("known");
    dir.create("a", 0, &settings, 0).expect_err("made, and not named");
    assert_eq!(world.get(RECOVERY_POINT_FILE), "0\n0\n");
    failing.heal();
    settings.log.cleanup_compact = true;
    dir.set_settings("a", &settings);
    assert_eq!(world.get(RECOVERY_POINT_FILE), "0\n1\na 0 0\n");
}

/// A log that is to be compacted and never was has no holes, also if whoever made it died before a checkpoint named it.
#[test]
fn a_compacted_log_that_no_checkpoint_names_is_named_before_it_is_written() {
    let (_, mut world) = forgetting();
    (world.config.cleanup_compact, world.config.cleanup_delete) = (true, false);
    let (dir, _) = world.open();
    world.create(&dir, "a", 0);
    drop(dir);
    world.put(RECOVERY_POINT_FILE, b"0\n0\n");
    let (dir, _) = world.open();
    assert_eq!(world.get(RECOVERY_POINT_FILE), "0\n1\na 0 0\n");
    append(&dir.get("a", 0).expect("open"), 9);
    drop(dir);
    let first = path("a-0/00000000000000000000.log");
    let file = world.disk.open(&first, pagewire_disk::OpenMode::ReadWrite).expect("opens");
    file.set_len(batch(1).len() as u64).expect("cut");
    let (dir, report) = world.open();
    assert_eq!(log_end(&dir, "a", 0), 1, "what lies behind the hole was never stable: {report:?}");
}

#[test]
fn a_clean_stop_survives_a_power_cut_as_clean() {
    let (disk, world) = forgetting();
    let (dir, _) = world.open();
    append(&world.create(&dir, "a", 0), 8);
    assert!(dir.close_clean(0).clean);
    after_every_crash(&disk, &world, |dir, report, seed| {
        assert!(report.clean && report.notices.is_empty(), "seed {seed}: {:?}", notices(report));
        assert_eq!(log_end(dir, "a", 0), 8, "seed {seed}");
    });
}

#[test]
fn a_start_after_a_clean_stop_is_not_clean_any_more() {
    let (disk, world) = forgetting();
    let (dir, _) = world.open();
    append(&world.create(&dir, "a", 0), 8);
    dir.close_clean(0);
    let (dir, _) = world.open();
    append(&dir.get("a", 0).expect("open"), 8);
    after_every_crash(&disk, &world, |dir, report, seed| {
        assert!(!report.clean, "seed {seed}");
        let log = dir.get("a", 0).expect("open");
        assert!(log.marks().log_end >= 8 && reads_all(&log), "seed {seed}: {report:?}");
    });
}

#[test]
fn a_deleted_partition_never_comes_back() {
    let (disk, world) = forgetting();
    let (dir, _) = world.open();
    append(&world.create(&dir, "a", 0), 8);
    dir.delete("a", 0, 0).expect("delete");
    world.learns("a", Some(B));
    let log = world.create(&dir, "a", 0);
    append(&log, 2);
    log.sync().expect("sync");
    after_every_crash(&disk, &world, |dir, report, seed| {
        let log = dir.get("a", 0).unwrap_or_else(|| panic!("seed {seed}: {report:?}"));
        assert_eq!(
            (log.marks().log_start, log.marks().log_end),
            (0, 2),
            "seed {seed}: {:?}",
            notices(report)
        );
        assert_eq!(dir.topic_id("a", 0), Some(B));
    });
}
