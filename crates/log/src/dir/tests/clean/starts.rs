//! Records that were deleted from the front of a log, and what else goes with them.

use pagewire_disk::ForgettingDisk;

use super::*;
use crate::clean::tests::fill;

fn append_one(log: &Log, builder: BatchBuilder, key: &str, value: Option<&str>) {
    let context = AppendContext { leader_epoch: 0, origin: Origin::Coordinator, now_ms: 1 };
    log.append(fill(builder, &[(Some(key), value)]), context).expect("appended");
}

/// A log of which the value of a key and its tombstone lie below the start, in the segment where it is.
fn deleted_in_a_segment(world: &World) -> (LogDir, Arc<Log>) {
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    let plain = || BatchBuilder::new(Codec::None);
    append_one(&log, plain(), "gone", Some("value"));
    append_one(&log, plain(), "gone", None);
    append(&log, 30);
    log.sync().expect("synced");
    dir.write_checkpoints().expect("written");
    assert_eq!(log.delete_records_before(2).expect("deleted"), 2);
    (dir, log)
}

fn keeping_no_tombstones(mut world: World) -> World {
    world.config.delete_retention_ms = 0;
    compacting(world.knows("a", A))
}

/// What lies below the start is not looked at: a tombstone there would go, and what it deleted would be there again.
#[test]
fn what_a_clean_takes_for_deleted_is_deleted_for_good() {
    let disk = ForgettingDisk::new();
    let world = keeping_no_tombstones(World::on(Arc::new(disk.clone())));
    let (dir, log) = deleted_in_a_segment(&world);
    clean(&dir, 0).expect("due").expect("cleaned");
    drop((dir, log));
    let crashed = world.moved_to(Arc::new(disk.crash(0).expect("a crash")));
    let (again, _) = crashed.open();
    assert_eq!(again.get("a", 0).expect("a").marks().log_start, 2);
}

/// Nor does that count as clean which was not cleaned, though how far others are clean is written down meanwhile.
#[test]
fn what_lies_below_a_start_that_may_go_back_does_not_count_as_clean() {
    let disk = ForgettingDisk::new();
    let world = compacting(World::on(Arc::new(disk.clone())).knows("a", A));
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    append(&log, 10);
    let clean_to = clean(&dir, 0).expect("due").expect("cleaned");
    append(&log, 10);
    log.delete_records_before(clean_to + 3).expect("deleted");
    drop(dir.dirtiest(0).expect("due"));
    dir.write_clean_offsets().expect("written");
    drop((dir, log));
    let (again, _) = world.moved_to(Arc::new(disk.crash(0).expect("a crash"))).open();
    assert!(again.get("a", 0).expect("a").marks().log_start < clean_to);
    assert_eq!(again.cleaned_to("a", 0), Some(clean_to));
}

/// A transaction that is open since the start leaves nothing to clean, however often somebody looks.
#[test]
fn a_segment_with_an_open_transaction_at_the_start_is_not_written_anew_for_nothing() {
    let mut world = compacting(World::new().knows("a", A));
    world.config.min_cleanable_dirty_ratio = crate::Share::NONE;
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    append(&log, 1);
    append_one(&log, BatchBuilder::new(Codec::None).producer(7, 0, 0).transactional(), "k", Some("v"));
    append(&log, 30);
    log.delete_records_before(1).expect("deleted");
    assert_eq!(log.marks().last_stable, 1);
    assert!(clean(&dir, 0).is_none());
}
