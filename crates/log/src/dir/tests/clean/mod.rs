//! Compaction of a directory's logs.

mod holes;
mod losses;
mod remembered;
mod starts;
mod trouble;
mod turns;

use pagewire_disk::{FailingDisk, OffsetCheckpoint};

use super::*;
use crate::{CleanError, Cleaner, CleanerLimits, Throttle};

const CHECKPOINT: &str = "cleaner-offset-checkpoint";

fn compacting(world: World) -> World {
    let config = LogConfig { cleanup_compact: true, cleanup_delete: false, ..world.config.clone() };
    World { config, ..world }
}

fn cleaner() -> Cleaner {
    Cleaner::new(CleanerLimits::default())
}

fn throttle() -> Throttle {
    Throttle::new(u64::MAX)
}

fn clean(dir: &LogDir, now_ms: i64) -> Option<Result<i64, CleanError>> {
    let dirty = dir.dirtiest(now_ms)?;
    Some(dirty.clean(&mut cleaner(), now_ms, &throttle()).map(|cleaned| cleaned.clean_to))
}

fn checkpointed(world: &World, topic: &str, partition: i32) -> Option<i64> {
    let read = OffsetCheckpoint::read(&*world.disk, &path(CHECKPOINT)).expect("checkpoint");
    read.unwrap_or_default().get(topic, partition)
}

/// Two dirty logs, `a` and `b`, on a disk that can fail.
fn two_dirty(change: impl Fn(&mut LogConfig)) -> (FailingDisk, World, LogDir) {
    let (failing, world) = World::failing();
    let mut world = compacting(world.knows("a", A).knows("b", B));
    change(&mut world.config);
    let (dir, _) = world.open();
    append(&world.create(&dir, "a", 0), 10);
    append(&world.create(&dir, "b", 0), 10);
    (failing, world, dir)
}
