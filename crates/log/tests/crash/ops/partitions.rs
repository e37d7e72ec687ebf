//! Partitions that come and go. The metadata knows first, as in the broker.

use pagewire_log::CreateError;

use crate::disks::Illness;
use crate::gone;
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

/// Makes one in its directory; `false` if it could not be.
pub(crate) fn make(world: &mut World, at: usize) -> bool {
    let Partition { topic, place, id, .. } = world.partitions[at];
    if id.is_none() {
        return true;
    }
    if world.partitions[at].aside.is_some() {
        gone::is_refused(world, at);
        return !world.is_dead();
    }
    let made = try_make(world, at);
    if super::or_excused(world, place, "making a partition", made).is_none() {
        return false;
    }
    let Some(log) = world.log(at) else {
        assert!(world.may_fail(place), "{topic} is made and not there");
        return false;
    };
    world.partitions[at].settle(log.marks());
    world.partitions[at].made = true;
    // What making it does besides may be what the process died in.
    !world.is_dead()
}

/// Asks for it.
pub(crate) fn try_make(world: &World, at: usize) -> Result<(), CreateError> {
    let Partition { topic, number, place, id, .. } = world.partitions[at];
    let settings = world.settings(id.expect("an id"));
    // Home needs no name.
    let directory = world.places[place].id.filter(|_| place > 0);
    world.dirs().create_all(topic, &[(number, directory)], &settings, world.now_ms)
}

pub(crate) fn delete(world: &mut World, at: usize) {
    let Partition { topic, number, place, .. } = world.partitions[at];
    if world.places[place].illness == Some(Illness::Full) {
        // What makes room need not be forgotten first; then its records are missed after a crash.
        return;
    }
    let forgotten = std::mem::replace(&mut world.partitions[at], Partition::new(topic, number, place));
    world.deleted.extend(forgotten.id);
    let deleted = world.dirs().delete_all(topic, &[number], world.now_ms);
    super::or_excused(world, place, "deleting a partition", deleted);
}
