//! What the rounds ask of the disk for a directory of many logs to which nothing happens: nothing, however many they are.

use pagewire_disk::{Call, FailingDisk};

use super::*;
use crate::{Cleaner, CleanerLimits, ScrubLimits, Throttle};

/// Later than anything that is waited for, sooner than anything is due again.
const LATER_MS: i64 = 60_000;
const NEVER_MS: i64 = 1 << 40;

/// With a budget of fewer files than there are logs.
fn open(world: &World) -> LogDir {
    let options = LogDirOptions { handles: Handles::new(8), ..options() };
    let settings = |topic: &str, _| world.settings(topic);
    LogDir::open(Arc::clone(&world.disk), root(), &options, &settings, &|_| {}).expect("opens").0
}

/// So many logs: a third without a record, a third with one segment, a third with closed ones.
fn filled(logs: i32, timestamp: i64, change: impl Fn(&mut LogConfig)) -> (FailingDisk, World, LogDir) {
    let (failing, mut world) = World::failing();
    (world.config.retention_ms, world.config.segment_ms) = (NEVER_MS, NEVER_MS);
    change(&mut world.config);
    let world = world.knows("a", A);
    let dir = open(&world);
    let partitions: Vec<i32> = (0..logs).collect();
    dir.create_all("a", &partitions, &world.settings("a").expect("known"), 0).expect("created");
    for log in dir.logs() {
        for _ in 0..log.partition() % 3 * 4 {
            try_append(&log, timestamp).expect("appended");
        }
    }
    (failing, world, dir)
}

/// All of them, as whoever has the clock runs them.
fn rounds(dir: &LogDir, now_ms: i64) {
    assert!(dir.flush_due(now_ms).failed.is_empty());
    assert!(dir.retain(now_ms).failed.is_empty());
    dir.write_checkpoints().expect("written");
    dir.unlink_due(now_ms).expect("unlinked");
    assert!(dir.scrub(ScrubLimits { interval_ms: NEVER_MS, bytes: u64::MAX }, now_ms).idle);
    let mut cleaner = Cleaner::new(CleanerLimits::default());
    while let Some(dirty) = dir.dirtiest(now_ms) {
        dirty.clean(&mut cleaner, now_ms, &Throttle::new(u64::MAX)).expect("cleaned");
    }
    assert!(dir.cleaning(now_ms).uncleanable.is_empty());
}

/// The calls of three times all rounds, after those that still find something to do.
fn calls_when_quiet(failing: &FailingDisk, dir: &LogDir) -> Vec<(Call, u64)> {
    (1..4).for_each(|n| rounds(dir, n * LATER_MS));
    let before = failing.all_calls();
    (4..7).for_each(|n| rounds(dir, n * LATER_MS));
    failing.all_calls().into_iter().filter(|call| !before.contains(call)).collect()
}

/// As they were written, and as a start finds them.
fn assert_quiet(logs: i32, timestamp: i64, change: impl Fn(&mut LogConfig)) {
    let (failing, world, dir) = filled(logs, timestamp, change);
    assert_eq!(calls_when_quiet(&failing, &dir), []);
    assert!(dir.close_clean(7 * LATER_MS).clean);
    drop(dir);
    let dir = open(&world);
    assert_eq!(dir.log_count(), usize::try_from(logs).expect("positive"));
    assert_eq!(calls_when_quiet(&failing, &dir), [], "after a restart");
}

#[test]
fn rounds_over_quiet_logs_ask_nothing_of_the_disk() {
    assert_quiet(60, 1, |_| {});
}

#[test]
fn nor_do_rounds_over_logs_that_are_compacted_or_too_young_for_it() {
    assert_quiet(30, 1, |config| (config.cleanup_compact, config.cleanup_delete) = (true, false));
    assert_quiet(30, 1, |config| {
        (config.cleanup_compact, config.min_compaction_lag_ms) = (true, NEVER_MS);
        config.max_compaction_lag_ms = 2 * NEVER_MS;
    });
}

/// Their age is that of their files.
#[test]
fn nor_do_rounds_over_logs_whose_records_have_no_times() {
    assert_quiet(30, -1, |_| {});
    assert_quiet(30, -1, |config| {
        (config.cleanup_compact, config.min_compaction_lag_ms) = (true, NEVER_MS);
        config.max_compaction_lag_ms = 2 * NEVER_MS;
    });
}
