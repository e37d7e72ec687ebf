//! What a check says of a log that was killed is what the start does then.

use pagewire_disk::checkpoint::RECOVERY_POINT_FILE;

use super::*;
use crate::verify::Fate;
use crate::{GoodBatches, RecoveryReport};

const LOG: &str = "a-0/00000000000000000000.log";

/// A log of batches of one record, in one segment without an entry in its index.
fn world() -> World {
    let world = World::new().knows("a", A);
    let config = LogConfig { segment_bytes: 1 << 20, ..world.config.clone() };
    World { config, ..world }
}

/// So many batches that a checkpoint calls stable, if there is one, and those behind it.
fn killed(stable: usize, behind: usize) -> World {
    let world = world();
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    append(&log, stable);
    if stable > 0 {
        log.sync().expect("synced");
        dir.write_checkpoints().expect("written");
    }
    append(&log, behind);
    drop(dir);
    world
}

/// Zeros from the beginning of the batch at an offset on.
fn zero(world: &World, offset: usize, bytes: usize) {
    let file = world.disk.open(&path(LOG), OpenMode::ReadWrite).expect("there");
    file.write_at(offset as u64 * len(1), &vec![0; bytes]).expect("written");
}

fn len(batches: u64) -> u64 {
    batches * batch(1).len() as u64
}

/// Of the log's records.
fn of_the_log(world: &World) -> Vec<(Severity, Fate)> {
    let found = found(world, None).into_iter().filter(|finding| finding.path.ends_with(LOG));
    found.map(|finding| (finding.severity, finding.fate)).collect()
}

fn opened(world: &World) -> (LogDir, RecoveryReport) {
    let (dir, report) = world.open();
    let report = report.loaded.first().expect("loaded").report.clone();
    (dir, report)
}

#[test]
fn a_check_of_a_log_of_which_nothing_was_stable_foretells_what_is_cut_and_of_one_that_no_checkpoint_names_what_is_not()
 {
    // The log is named, the file is there without entries, or is not there.
    for (checkpoint, end) in [(Some(&b"0\n1\na 0 0\n"[..]), 10), (Some(&b"0\n0\n"[..]), 30), (None, 30)] {
        let world = killed(0, 30);
        world.disk.remove_file(&path(crate::dir::SUMS_FILE)).expect("no sum speaks against it");
        match checkpoint {
            Some(bytes) => world.put(RECOVERY_POINT_FILE, bytes),
            None => drop(world.disk.remove_file(&path(RECOVERY_POINT_FILE))),
        }
        let file = world.disk.open(&path(LOG), OpenMode::ReadWrite).expect("there");
        file.write_at(len(10) + 66, &[0xff]).expect("damaged");
        let is_cut = end == 10;
        let fate = if is_cut { Fate::Cut { offset: 10 } } else { Fate::Refused };
        assert_eq!(of_the_log(&world), [(Severity::Damage, fate)]);
        let (dir, report) = opened(&world);
        assert_eq!(log_end(&dir, "a", 0), end, "{report:?}");
        assert_eq!(report.cuts.len(), usize::from(is_cut), "{report:?}");
    }
}

#[test]
fn zeros_with_good_batches_behind_them_are_damage_and_it_is_said_that_those_are_cut() {
    let world = killed(10, 10);
    zero(&world, 10, len(3) as usize);
    assert_eq!(of_the_log(&world), [(Severity::Damage, Fate::Cut { offset: 10 })]);
    let (dir, report) = opened(&world);
    assert_eq!(log_end(&dir, "a", 0), 10);
    assert_eq!(
        report.cuts.first().and_then(|cut| cut.good),
        Some(GoodBatches::Offsets { first: 13, next: 20 }),
        "{report:?}"
    );
}

#[test]
fn zeros_up_to_the_end_are_what_was_never_written() {
    let world = killed(10, 10);
    zero(&world, 13, len(7) as usize);
    assert_eq!(of_the_log(&world), [(Severity::Doubt, Fate::Cut { offset: 13 })]);
    let (dir, report) = opened(&world);
    assert_eq!(log_end(&dir, "a", 0), 13);
    assert_eq!(report.cuts.first().map(|cut| cut.good), Some(None), "{report:?}");
}

/// The log after a kill that left no recovery points, and after what `harm` did.
fn without_a_recovery_point(harm: impl FnOnce(&World)) -> World {
    let world = killed(10, 10);
    world.disk.remove_file(&path(RECOVERY_POINT_FILE)).expect("removed");
    harm(&world);
    world
}

#[test]
fn without_a_recovery_point_good_batches_behind_a_destroyed_header_stay_and_their_offsets_are_not_given_out()
{
    let world = without_a_recovery_point(|world| zero(world, 12, 110));
    assert_eq!(of_the_log(&world), [(Severity::Damage, Fate::Refused)]);
    let (dir, report) = opened(&world);
    assert!(report.cuts.is_empty(), "{report:?}");
    let log = dir.get("a", 0).expect("open");
    let is_refused = |offset: &i64| log.read(*offset, 1, ReadUpTo::LogEnd, true).is_err();
    assert_eq!((0..20).filter(is_refused).collect::<Vec<_>>(), (12..20).collect::<Vec<_>>());
    assert_eq!(try_append(&log, 1).expect("appended").base_offset, 20);
}

#[test]
fn without_a_recovery_point_a_torn_end_is_cut_whatever_its_records_hold() {
    let inner = {
        let mut builder = BatchBuilder::new(Codec::None).base_offset(21);
        builder.append(1, None, Some(b"inside"), &[]).expect("record");
        builder.build().expect("batch")
    };
    for harm in [true, false] {
        let world = without_a_recovery_point(|world| {
            let mut builder = BatchBuilder::new(Codec::None).base_offset(20);
            builder.append(1, None, Some(&inner), &[]).expect("record");
            builder.append(1, None, Some(&[7; 100]), &[]).expect("record");
            let torn = builder.build().expect("batch");
            let torn = if harm { &torn[..torn.len() - 40] } else { &[0xaa; 300][..] };
            let file = world.disk.open(&path(LOG), OpenMode::ReadWrite).expect("there");
            file.write_at(len(20), torn).expect("written");
        });
        let (dir, report) = opened(&world);
        assert_eq!((log_end(&dir, "a", 0), report.cuts.len()), (20, 1), "{report:?}");
    }
}
