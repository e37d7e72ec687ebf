//! A file that somebody copied among a log's segments: what the log has is read, and the stray is told and kept.

use super::*;
use crate::{GoodBatches, RecoveryReport};

/// Batches of a segment.
const SEGMENT: usize = 20;
/// Two whole segments and half of one.
const END: usize = 50;

#[derive(Debug, Clone, Copy)]
enum Stop {
    InOrder,
    /// With checkpoints of all there is.
    Killed,
    /// Before there was any checkpoint.
    KilledYoung,
}

const STOPS: [Stop; 3] = [Stop::InOrder, Stop::Killed, Stop::KilledYoung];

fn left_by(stop: Stop) -> World {
    let world = World::new().knows("a", A);
    let segment_bytes = u32::try_from(SEGMENT * batch(1).len()).expect("few");
    let config = LogConfig { segment_bytes, index_interval_bytes: 300, ..world.config.clone() };
    let world = World { config, ..world };
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    append(&log, END);
    match stop {
        Stop::InOrder => assert!(dir.close_clean(1).clean),
        Stop::Killed => {
            log.sync().expect("synced");
            dir.write_checkpoints().expect("written");
        }
        Stop::KilledYoung => {}
    }
    drop((dir, log));
    world
}

fn of(base: usize, suffix: &str) -> PathBuf {
    path(&format!("a-0/{base:020}.{suffix}"))
}

fn bytes_of(world: &World, base: usize) -> Vec<u8> {
    pagewire_disk::read_small(&*world.disk, &of(base, "log"), 1 << 20).expect("read").expect("there")
}

/// Whole batches of one record, of other values than the log's.
fn of_another_log(from: usize, upto: usize) -> Vec<u8> {
    let batch = |offset| {
        let mut builder = BatchBuilder::new(Codec::None).base_offset(offset);
        builder.append(1, None, Some(b"of another log"), &[]).expect("a record");
        builder.build().expect("a batch").to_vec()
    };
    (from..upto).map(|offset| batch(i64::try_from(offset).expect("small"))).collect::<Vec<_>>().concat()
}

/// What may be copied in at `base`, within the segment at `within`.
fn strays(world: &World, within: usize, base: usize) -> Vec<(&'static str, Vec<u8>)> {
    let whole = bytes_of(world, within);
    let tail = whole.get((base - within) * batch(1).len()..).expect("in it").to_vec();
    vec![
        ("empty", Vec::new()),
        ("junk", vec![0x5A; 700]),
        ("zeros", vec![0; 700]),
        ("a copy of the segment", whole),
        ("the end of the segment", tail),
        ("less than that", of_another_log(base, base + 2)),
        ("of another log, longer than all", of_another_log(base, END + 100)),
    ]
}

fn opened(world: &World) -> (LogDir, RecoveryReport) {
    let (dir, mut report) = world.open();
    assert!(report.failed.is_empty(), "{report:?}");
    let loaded = report.loaded.pop().expect("loaded").report;
    (dir, loaded)
}

fn has_all(dir: &LogDir) {
    let log = dir.get("a", 0).expect("open");
    assert_eq!(log.marks().log_end, i64::try_from(END).expect("small"));
    assert!(reads_all(&log));
    let records = log.read(0, 1 << 20, ReadUpTo::LogEnd, true).expect("read").range.expect("records");
    assert!(!records.read_to_vec().expect("bytes").windows(14).any(|bytes| bytes == b"of another log"));
}

#[test]
fn a_stray_within_a_segment_takes_no_record_away_whatever_it_holds() {
    for stop in STOPS {
        for (within, base) in [(0, 10), (20, 25), (40, 45), (40, 49)] {
            for at in 0..strays(&left_by(stop), within, base).len() {
                let world = left_by(stop);
                let (what, bytes) = strays(&world, within, base).swap_remove(at);
                world.put(of(base, "log"), &bytes);
                let (dir, report) = opened(&world);
                has_all(&dir);
                let told = format!("{stop:?}, {what} at {base}: {report:?}");
                let [cut] = report.cuts.as_slice() else { panic!("{told}") };
                assert!(cut.file == of(base, "log") && cut.reason.contains("not this log's"), "{told}");
                let kept = cut.set_aside.as_ref().map(|path| {
                    pagewire_disk::read_small(&*world.disk, path, 1 << 20).expect("read").expect("there")
                });
                assert_eq!(kept.unwrap_or_default(), bytes, "{told}");
                append(&dir.get("a", 0).expect("open"), 1);
                assert!(dir.close_clean(1).clean);
                drop(dir);
                assert!(opened(&world).1.cuts.is_empty(), "said once");
            }
        }
    }
}

#[test]
fn a_stray_behind_the_end_is_set_aside_whatever_offsets_its_batches_have() {
    for stop in [Stop::Killed, Stop::KilledYoung] {
        let world = left_by(stop);
        let stray = bytes_of(&world, 0);
        world.put(of(END + 1, "log"), &stray);
        let (dir, report) = opened(&world);
        has_all(&dir);
        let [cut] = report.cuts.as_slice() else { panic!("{stop:?}: {report:?}") };
        let kept = cut.set_aside.as_ref().expect("kept");
        let kept = pagewire_disk::read_small(&*world.disk, kept, 1 << 20).expect("read").expect("there");
        assert!(kept == stray && cut.good == Some(GoodBatches::Unplaced), "{stop:?}: {cut}");
    }
}

#[test]
fn several_strays_go_one_after_the_other() {
    for stop in STOPS {
        let world = left_by(stop);
        for (base, bytes) in
            [(5, vec![0x5A; 100]), (10, of_another_log(10, 30)), (41, Vec::new()), (45, vec![1; 9])]
        {
            world.put(of(base, "log"), &bytes);
        }
        let (dir, report) = opened(&world);
        assert_eq!(report.cuts.len(), 4, "{report:?}");
        has_all(&dir);
    }
}

fn copy_with_its_indexes(world: &World, from: usize, to: usize) {
    for suffix in ["log", "index", "timeindex"] {
        let copied = pagewire_disk::read_small(&*world.disk, &of(from, suffix), 1 << 20).expect("read");
        world.put(of(to, suffix), &copied.expect("there"));
    }
}

#[test]
fn a_stray_that_came_with_its_index_is_set_aside_where_a_crash_throws_doubt_on_it() {
    let world = left_by(Stop::KilledYoung);
    copy_with_its_indexes(&world, 20, 45);
    let (dir, report) = opened(&world);
    assert_eq!(report.cuts.len(), 1, "{report:?}");
    has_all(&dir);
    assert!(!world.disk.exists(&of(45, "index")).expect("seen"));
}

#[test]
fn a_last_file_that_does_not_begin_with_its_own_offset_is_a_stray_after_an_orderly_stop_too() {
    let world = left_by(Stop::InOrder);
    copy_with_its_indexes(&world, 20, 45);
    let (dir, report) = opened(&world);
    assert_eq!(report.cuts.len(), 1, "{report:?}");
    has_all(&dir);
}

#[test]
fn a_segment_that_lost_its_index_is_none() {
    for stop in STOPS {
        for base in [20, 40] {
            let world = left_by(stop);
            for suffix in ["index", "timeindex"] {
                world.disk.remove_file(&of(base, suffix)).expect("removed");
            }
            let (dir, report) = opened(&world);
            assert!(report.cuts.is_empty(), "{stop:?}, {base}: {report:?}");
            has_all(&dir);
        }
    }
}

/// The first segment is another one's, which is longer.
#[test]
fn where_the_second_of_two_files_goes_further_it_counts_and_both_are_told() {
    let world = left_by(Stop::KilledYoung);
    let longer = [bytes_of(&world, 0), of_another_log(20, 30)].concat();
    world.put(of(0, "log"), &longer);
    let (dir, report) = opened(&world);
    assert!(report.notes.iter().any(|note| note.contains("One of them is not this log's")), "{report:?}");
    has_all(&dir);
}

/// The segment before ends early, though more was stable: what goes on there is no stray, also without an index.
#[test]
fn what_alone_has_records_that_were_stable_is_none() {
    let world = left_by(Stop::Killed);
    let whole = bytes_of(&world, 40);
    let (short, rest) = whole.split_at(7 * batch(1).len());
    world.put(of(45, "log"), whole.get(5 * batch(1).len()..).expect("more"));
    world.put(of(40, "log"), short);
    for suffix in ["index", "timeindex"] {
        world.disk.remove_file(&of(40, suffix)).expect("removed");
    }
    assert_eq!(rest.len(), 3 * batch(1).len());
    let (dir, _) = opened(&world);
    has_all(&dir);
}

/// Nothing of it is looked at by a start: a check does, and nothing of the log is changed meanwhile.
#[test]
fn one_that_came_with_its_index_below_the_recovery_point_is_told_by_a_check_and_takes_nothing_for_good() {
    for stop in [Stop::InOrder, Stop::Killed] {
        let world = left_by(stop);
        for suffix in ["log", "index", "timeindex"] {
            let copied = pagewire_disk::read_small(&*world.disk, &of(20, suffix), 1 << 20).expect("read");
            world.put(of(10, suffix), &copied.expect("there"));
        }
        let told = found(&world, None);
        assert!(
            told.iter().any(|one| one.severity == Severity::Damage && one.path == of(10, "log")),
            "{told:?}"
        );
        let (dir, _) = opened(&world);
        assert!(dir.close_clean(1).clean);
        drop(dir);
        for suffix in ["log", "index", "timeindex"] {
            world.disk.remove_file(&of(10, suffix)).expect("removed");
        }
        has_all(&opened(&world).0);
    }
}
