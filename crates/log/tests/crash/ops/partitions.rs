//! Partitions that come and go. The metadata knows first, as in the broker.

use crate::model::Partition;
use crate::world::World;

/// Makes the partitions that are known and have no log, and now and then one that was deleted.
pub(crate) fn make_some(world: &mut World) {
    for at in 0..world.partitions.len() {
        if world.partitions[at].id.is_none() {
            world.partitions[at].id = Some(world.new_id());
        }
        if world.log(at).is_none() && !make(world, at) {
            return;
        }
    }
}

/// Makes one; `false` if the process died.
pub(crate) fn make(world: &mut World, at: usize) -> bool {
    let (topic, number) = (world.partitions[at].topic, world.partitions[at].number);
    let Some(id) = world.partitions[at].id else { return true };
    let made = world.dir().create(topic, number, &world.settings(id), world.now_ms);
    let Some(log) = super::or_dead(world, "making a partition", made) else { return false };
    world.partitions[at].settle(log.marks());
    world.partitions[at].made = true;
    // What making it does besides may be what the process died in.
    !world.disk.is_dead()
}

pub(super) fn delete(world: &mut World, at: usize) {
    let (topic, number) = (world.partitions[at].topic, world.partitions[at].number);
    let forgotten = std::mem::replace(&mut world.partitions[at], Partition::new(topic, number));
    world.deleted.extend(forgotten.id);
    let deleted = world.dir().delete(topic, number, world.now_ms);
    super::or_dead(world, "deleting a partition", deleted);
}
