//! What settled a transaction in doubt and may be taken back by a power cut: the note of the doubt is there as long as that.

use std::ops::Range;

use pagewire_disk::ForgettingDisk;
use pagewire_record::{ControlType, EndTxnMarker, control_batch};

use super::*;
use crate::ReadError;
use crate::txns::undecided::FILE;

const PRODUCER: i64 = 7;
const SEEDS: u64 = 64;
/// A transaction of one record, and one that is lost behind it.
const IN_DOUBT: Range<i64> = 0..2;
/// Where the log has been closed behind that, and a snapshot says that the producer has no open transaction.
const ROLLED: i64 = 6;

fn context() -> AppendContext {
    AppendContext { leader_epoch: 0, origin: Origin::Coordinator, now_ms: 1 }
}

fn commit(log: &Log) -> i64 {
    let marker = EndTxnMarker { control_type: ControlType::Commit, coordinator_epoch: 1 };
    let marker = control_batch(marker, PRODUCER, 0, 1).expect("marker");
    log.append(marker, context()).expect("appended").base_offset
}

/// A log that is served, stable and damaged, which nobody has found out.
fn damaged() -> (ForgettingDisk, World, LogDir, Arc<Log>) {
    let disk = ForgettingDisk::new();
    let mut world = World::on(Arc::new(disk.clone())).knows("a", A);
    world.config.segment_bytes = 1 << 16;
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    let mut inside = BatchBuilder::new(Codec::None).producer(PRODUCER, 0, 0).transactional();
    inside.append(1, None, Some(b"in a transaction"), &[]).expect("record");
    log.append(inside.build().expect("batch"), context()).expect("append");
    append(&log, 3);
    log.sync().expect("synced");
    dir.write_checkpoints().expect("written");
    let lost = log.read(1, 1, ReadUpTo::LogEnd, true).expect("served").range.expect("a batch");
    let file = disk.open(&path("a-0/00000000000000000000.log"), OpenMode::ReadWrite).expect("there");
    file.write_at(lost.offset() + 61, b"\xff\xff").and_then(|()| file.sync_data()).expect("hurt");
    (disk, world, dir, log)
}

/// One that was killed: it was found in doubt before, and all of it is stable.
fn in_doubt() -> (ForgettingDisk, World) {
    let (disk, world, dir, log) = damaged();
    drop((log, dir));
    let (dir, report) = world.open();
    assert_eq!(report.loaded[0].report.undecided, [IN_DOUBT]);
    let log = dir.get("a", 0).expect("open");
    append(&log, 2);
    log.roll(&mut log.writer.lock(), 1).expect("rolled");
    append(&log, 2);
    log.sync().expect("synced");
    dir.write_checkpoints().expect("written");
    drop((log, dir));
    assert!(world.has(format!("a-0/{ROLLED:020}.snapshot")));
    (disk, world)
}

/// What a start finds of the transaction.
fn said(world: &World) -> (Vec<Range<i64>>, Arc<Log>) {
    let (dir, report) = world.open();
    let log = dir.get("a", 0).unwrap_or_else(|| panic!("{report:?}"));
    (report.loaded[0].report.undecided.clone(), log)
}

fn is_refused(log: &Log) -> bool {
    matches!(log.read(0, 1, ReadUpTo::LastStable, true), Err(ReadError::Undecided { .. }))
}

/// Two starts after a kill find it settled by the COMMIT at `marker`, and one after a power cut does if that is there.
fn is_settled_as_long_as_it_is_there(disk: &ForgettingDisk, world: &World, marker: i64) {
    for start in 0..2 {
        let (undecided, log) = said(world);
        assert_eq!((undecided.len(), is_refused(&log)), (0, false), "start {start}, after a kill");
    }
    let mut taken = 0;
    for seed in 0..SEEDS {
        let world = world.moved_to(Arc::new(disk.crash(seed).expect("crash")));
        let (undecided, log) = said(&world);
        let is_taken = log.marks().log_end <= marker;
        taken += u64::from(is_taken);
        let expected = if is_taken { vec![IN_DOUBT] } else { Vec::new() };
        assert_eq!((undecided, is_refused(&log)), (expected, is_taken), "seed {seed}");
    }
    assert!((1..SEEDS).contains(&taken), "{taken}");
}

#[test]
fn a_commit_that_a_power_cut_takes_back_has_settled_nothing() {
    let (disk, world) = in_doubt();
    let marker = commit(&said(&world).1);
    is_settled_as_long_as_it_is_there(&disk, &world, marker);
}

#[test]
fn nor_has_one_that_came_before_the_loss_was_found() {
    let (disk, world, dir, log) = damaged();
    let marker = commit(&log);
    drop((log, dir));
    is_settled_as_long_as_it_is_there(&disk, &world, marker);
    assert!(!world.has(Path::new("a-0").join(FILE)), "the next start needs none");
}

#[test]
fn a_note_goes_with_the_first_start_that_finds_it_settled_by_what_is_stable() {
    let (_, world) = in_doubt();
    commit(&said(&world).1);
    let (dir, _) = world.open();
    assert!(world.has(Path::new("a-0").join(FILE)));
    dir.get("a", 0).expect("open").sync().expect("synced");
    dir.write_checkpoints().expect("written");
    drop(dir);
    assert_eq!(said(&world).0, []);
    assert!(!world.has(Path::new("a-0").join(FILE)));
}

/// Retention takes the segment and dies before that is for good, and so does the start that finds no segment.
#[test]
fn a_note_outlives_the_name_of_the_segment_that_it_is_of() {
    let mut back = 0;
    for (first, second) in (3..7).flat_map(|first| (1..4).map(move |second| (first, second))) {
        let (disk, world) = in_doubt();
        let (dir, _) = world.open();
        let log = dir.get("a", 0).expect("open");
        disk.die_before_dir_sync(first);
        log.delete_records_before(ROLLED).expect("moved");
        let _ = log.apply_retention(1);
        drop((log, dir));
        let disk = disk.killed();
        disk.die_before_dir_sync(second);
        drop(world.moved_to(Arc::new(disk.clone())).try_open());
        for seed in 0..SEEDS {
            let world = world.moved_to(Arc::new(disk.crash(seed).expect("crash")));
            let (undecided, log) = said(&world);
            let is_back = log.marks().log_start == 0;
            back += u64::from(is_back);
            let expected = if is_back { vec![IN_DOUBT] } else { Vec::new() };
            let dead = disk.is_dead();
            assert_eq!(undecided, expected, "{first}, {second} {dead}, seed {seed}: {:?}", log.marks());
        }
    }
    assert!(back > 0);
}
