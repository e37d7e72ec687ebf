//! Compaction: the dirtiest log first, as long as one is due.

use pagewire_log::{Cleaner, CleanerLimits, Log, Throttle};

use super::or_dead;
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
    for _ in 0..world.partitions.len() {
        let Some(dirty) = world.dir().dirtiest(world.now_ms) else { return };
        let topic = dirty.topic().clone();
        let cleaned = dirty.clean(&mut cleaner, world.now_ms, &throttle);
        let Some(cleaned) = or_dead(world, "compaction", cleaned) else { return };
        let (read, kept) = (cleaned.stats.records_read, cleaned.stats.records_kept);
        world.tally.add("records removed by compaction", read - kept);
        world.tally.add("segments written by compaction", cleaned.stats.segments_written);
        if let Some(partition) = world.partitions.iter_mut().find(|partition| *partition.topic == *topic) {
            partition.clean_to = partition.clean_to.max(cleaned.clean_to);
        }
    }
}
