//! Compaction: the dirtiest log first, as long as one is due.

use pagewire_log::{CleanError, Cleaner, CleanerLimits, Log, LogDir, Throttle};

use super::{or_excused, rounds};
use crate::world::World;

/// A map of few keys, so that it is full now and then, and a buffer shorter than some batches.
const LIMITS: [usize; 3] = [24 * 8, 24 * 64, 1 << 20];

pub(super) fn clean(world: &mut World, _at: usize, _log: &Log) {
    let limits = CleanerLimits {
        map_bytes: world.chance.pick(&LIMITS),
        buffer_bytes: world.chance.pick(&[512, 64 << 10]),
        ..CleanerLimits::default()
    };
    let (mut cleaner, throttle) = (Cleaner::new(limits), Throttle::new(u64::MAX));
    if world.holes && !world.chance.one_in(3) {
        close_and_sync(world);
    }
    if world.holes && world.chance.one_in(3) {
        // What takes the place of something else is renamed step by step.
        let calls = world.chance.pick(&[15, 30, 60]);
        world.die_within(calls);
    }
    for (place, dir) in world.each_dir() {
        clean_one(world, (place, &dir), &mut cleaner, &throttle);
    }
}

/// All that there is may be compacted, but for what is as young as the lag.
fn close_and_sync(world: &mut World) {
    for (at, log) in world.open_logs() {
        rounds::roll(world, at, &log);
        if world.is_dead() {
            return;
        }
        rounds::sync(world, at, &log);
    }
}

fn clean_one(world: &mut World, (place, dir): (usize, &LogDir), cleaner: &mut Cleaner, throttle: &Throttle) {
    for _ in 0..world.partitions.len() {
        let Some(dirty) = dir.dirtiest(world.now_ms) else { return };
        let topic = dirty.topic().clone();
        let cleaned = dirty.clean(cleaner, world.now_ms, throttle);
        if let Err(CleanError::Corrupt { .. }) = cleaned
            && world.partitions.iter().any(|one| *one.topic == *topic && !one.harm.is_none())
        {
            // It is set aside.
            world.tally.count("cleans that came to harm");
            continue;
        }
        let Some(cleaned) = or_excused(world, place, "compaction", cleaned) else { return };
        let (read, kept) = (cleaned.stats.records_read, cleaned.stats.records_kept);
        world.tally.add("records removed by compaction", read - kept);
        world.tally.add("segments written by compaction", cleaned.stats.segments_written);
        if let Some(partition) = world.partitions.iter_mut().find(|partition| *partition.topic == *topic) {
            partition.clean_to = partition.clean_to.max(cleaned.clean_to);
        }
    }
}
