//! Compaction: the dirtiest log first, as long as one is due.

use pagewire_log::{CleanError, Cleaner, CleanerLimits, Log, LogDir, Throttle};

use super::{or_excused, produce, rounds, txns};
use crate::world::World;

/// A map of few keys, so that it is full now and then, and a buffer shorter than some batches.
const LIMITS: [usize; 3] = [24 * 8, 24 * 64, 1 << 20];

pub(super) fn clean(world: &mut World, _at: usize, _log: &Log) {
    if world.config.cleanup_compact && !world.chance.one_in(3) {
        make_dirty(world);
    }
    if world.config.cleanup_compact && !world.is_dead() && world.chance.one_in(2) {
        // What takes the place of something else is renamed step by step.
        let calls = world.chance.pick(&[15, 30, 60]);
        if world.chance.one_in(3) {
            world.die_within(calls);
        } else {
            world.die_naming_within(calls / 3);
        }
    }
    clean_all(world);
}

/// After a start that has finished what another process began: with nothing between, and to its death among names.
pub(crate) fn again(world: &mut World) {
    world.die_naming_within(8);
    clean_all(world);
}

fn clean_all(world: &mut World) {
    let limits = CleanerLimits {
        map_bytes: world.chance.pick(&LIMITS),
        buffer_bytes: world.chance.pick(&[512, 64 << 10]),
        ..CleanerLimits::default()
    };
    let (mut cleaner, throttle) = (Cleaner::new(limits), Throttle::new(u64::MAX));
    for (place, dir) in world.each_dir() {
        clean_one(world, (place, &dir), &mut cleaner, &throttle);
    }
}

/// There is something to compact, and all that there is may be. Mostly a checkpoint says that it is stable: then a start looks at none
/// of it, and believes what lies beside it.
fn make_dirty(world: &mut World) {
    for (at, log) in world.open_logs() {
        for _ in 0..world.chance.below(4) {
            let plain = (produce::plain as fn(&mut World, usize, &Log), 3);
            let kinds = if world.partitions[at].harm.is_none() {
                [plain, (txns::inside, 2), (txns::end, 1)]
            } else {
                [plain; 3]
            };
            let all: Vec<_> =
                kinds.into_iter().flat_map(|(kind, times)| std::iter::repeat_n(kind, times)).collect();
            world.chance.pick(&all)(world, at, &log);
            if world.is_dead() {
                return;
            }
        }
        rounds::roll(world, at, &log);
        if world.is_dead() {
            return;
        }
        rounds::sync(world, at, &log);
    }
    world.now_ms += world.config.min_compaction_lag_ms;
    if !world.chance.one_in(4) {
        rounds::write_checkpoints(world);
    }
}

fn clean_one(world: &mut World, (place, dir): (usize, &LogDir), cleaner: &mut Cleaner, throttle: &Throttle) {
    // One that had too many keys for the map is due again at once.
    for _ in 0..3 * world.partitions.len() {
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
