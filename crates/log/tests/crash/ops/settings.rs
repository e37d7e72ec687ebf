//! Settings of topics that change while their logs are open. The metadata knows first, as in the broker.

use pagewire_log::{Log, LogConfig};

use crate::disks::Place;
use crate::world::World;

/// While a disk is sick no log begins to be compacted: that cannot be written down there, and in one that no checkpoint
/// names a power cut's hole would be taken for compaction's. For the same reason nothing has changed if the process
/// died meanwhile, nor while a log is away of which a segment may be gone.
pub(super) fn change(world: &mut World, _at: usize, _log: &Log) {
    let before = world.config.clone();
    let is_sick = world.places.iter().any(Place::is_ill)
        || world.partitions.iter().any(|one| one.aside.is_some() && one.harm.is_hidden());
    let chance = &mut world.chance;
    let (cleanup_compact, cleanup_delete) =
        chance.pick(&[(false, true), (true, false), (true, true), (false, false)]);
    world.config = LogConfig {
        segment_bytes: chance.pick(&[6_000, 8_000, 20_000]),
        retention_ms: chance.pick(&[-1, 2_000, 60_000]),
        retention_bytes: chance.pick(&[-1, 9_000, 40_000]),
        file_delete_delay_ms: chance.pick(&[0, 500]),
        delete_retention_ms: chance.pick(&[0, 500, 5_000]),
        min_compaction_lag_ms: chance.pick(&[0, 0, 300]),
        cleanup_compact: cleanup_compact && (before.cleanup_compact || !is_sick),
        cleanup_delete,
        ..before.clone()
    };
    for partition in &world.partitions {
        if let Some(id) = partition.id {
            world.dirs().set_settings(partition.topic, &world.settings(id));
        }
    }
    if world.is_dead() {
        world.config = before;
    }
    world.holes |= world.config.cleanup_compact;
}
