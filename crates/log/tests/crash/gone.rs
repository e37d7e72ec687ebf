//! A partition's directory that somebody takes away while no process has it, and perhaps puts back. It is missed at every start,
//! and never made anew before its loss is accepted.

use std::ops::Range;
use std::path::{Path, PathBuf};

use pagewire_disk::checkpoint::RECOVERY_POINT_FILE;
use pagewire_disk::{Disk, ForgettingDisk};
use pagewire_log::{CreateError, FailedLog, LogError};

use crate::harm::said;
use crate::model::Partition;
use crate::ops::{or_excused, partitions};
use crate::world::World;
use crate::{harmed, life};

/// Takes one away, or puts one back.
pub(crate) fn befall(world: &mut World) {
    let at = world.chance.below(world.partitions.len() as u64) as usize;
    if let Some(at) = world.partitions.iter().position(|partition| partition.aside.is_some()) {
        put_back(world, at);
    } else if world.partitions[at].made {
        let to = PathBuf::from(format!("/aside {}", world.new_id().simple()));
        let from = world.path(&world.partitions[at]);
        let had_records = has_records(world, at);
        move_for_good(&world.place_of(at).disk, &from, &to);
        world.partitions[at].aside = Some(to);
        world.partitions[at].is_known_to_be_aside = had_records;
        world.tally.count("directories taken away");
    }
}

/// Whether the recovery points say so. The high watermarks alone may be those of a Kafka that was killed, which count for nothing.
fn has_records(world: &World, at: usize) -> bool {
    let (place, partition) = (world.place_of(at), &world.partitions[at]);
    said(&place.disk, &place.path().join(RECOVERY_POINT_FILE), partition).is_some_and(|point| point > 0)
}

fn put_back(world: &mut World, at: usize) {
    let to = world.path(&world.partitions[at]);
    let from = world.partitions[at].aside.take().expect("it is aside");
    move_for_good(&world.place_of(at).disk, &from, &to);
    world.partitions[at].was_aside = true;
    world.tally.count("directories put back");
}

fn move_for_good(disk: &ForgettingDisk, from: &Path, to: &Path) {
    disk.rename(from, to).expect("moved");
    for dir in [from, to] {
        disk.sync_dir(dir.parent().expect("a directory above")).expect("for good");
    }
}

/// As the broker after a start: of what was made and is not there, everybody hears.
pub(crate) fn miss(world: &World) {
    let made = world.partitions.iter().filter(|partition| partition.made);
    let placed = made.map(|partition| {
        let directory = world.places[partition.place].id.filter(|_| partition.place > 0);
        (partition.topic, partition.number, directory)
    });
    let missing = world.dirs().without_log(placed);
    world.dirs().miss(&missing);
    for (topic, ..) in missing {
        let partition = world.partitions.iter().find(|partition| partition.topic == topic);
        let is_aside = partition.is_some_and(|partition| partition.aside.is_some());
        assert!(is_aside || world.is_dead(), "{topic} is missed");
    }
}

/// What a start could not open is what was taken away.
pub(crate) fn are_these(world: &World, failed: &[FailedLog]) {
    for one in failed {
        let partition = world.partitions.iter().find(|partition| partition.topic == one.topic);
        let is_aside = partition.is_some_and(|partition| partition.aside.is_some());
        let is_gone = matches!(one.error, LogError::Gone { .. });
        assert!(is_aside && is_gone, "a log that cannot be opened: {one:?}");
    }
}

/// Of what had records the checkpoints tell that it is gone, before the owner says anything.
pub(crate) fn are_missed(world: &World, failed: &[FailedLog], places: &Range<usize>) {
    let here: Vec<usize> = world.each_dir().into_iter().map(|(place, _)| place).collect();
    let is_told = |topic: &str| failed.iter().any(|one| one.topic == topic);
    for one in world.partitions.iter().filter(|one| one.aside.is_some() && one.is_known_to_be_aside) {
        let is_looked_for = places.contains(&one.place) && here.contains(&one.place);
        assert!(!is_looked_for || is_told(one.topic), "{}: nobody misses it", one.topic);
    }
}

/// Nobody makes it anew.
pub(crate) fn is_refused(world: &World, at: usize) {
    let Partition { topic, place, .. } = world.partitions[at];
    let made = partitions::try_make(world, at);
    let is_refused = matches!(made, Err(CreateError::Log(LogError::Gone { .. })));
    assert!(is_refused || world.may_fail(place) && made.is_err(), "{topic} is gone, and made: {made:?}");
    let is_there = world.place_of(at).disk.exists(&world.path(&world.partitions[at]));
    assert!(!is_there.unwrap_or(false), "{topic}: a directory was made");
}

/// It is put back under the running process, its loss is accepted, or its topic deleted.
pub(crate) fn go_on(world: &mut World) {
    let Some(at) = world.partitions.iter().position(|partition| partition.aside.is_some()) else { return };
    let Partition { topic, number, place, .. } = world.partitions[at];
    let is_here = world.each_dir().iter().any(|(here, _)| *here == place);
    if !is_here || world.may_fail(place) {
        return;
    }
    // Whoever moves directories is another process.
    world.live_on();
    match world.chance.below(3) {
        0 => {
            put_back(world, at);
            let known = world.known();
            let settings = |topic: &str, number| known.settings(topic, number);
            let path = world.places[place].path();
            let report = world.dirs().reopen(path, &settings, world.now_ms);
            assert!(
                report.loaded.len() == 1 && report.failed.is_empty(),
                "{topic} is back: {:?}",
                report.failed
            );
            let log = world.log(at).expect("it is back");
            if world.partitions[at].floor < world.partitions[at].end {
                // It was away since the power went.
                harmed::lose_the_end(world, at, &log, &report);
            }
            world.partitions[at].settle(log.marks());
            life::look_at(world, at, &log);
        }
        1 => {
            let path = world.places[place].path();
            world.dirs().accept_gone(path, true);
            for at in 0..world.partitions.len() {
                let Partition { topic, number, id, .. } = world.partitions[at];
                if world.partitions[at].place == place && world.partitions[at].aside.is_some() {
                    world.partitions[at] = Partition { id, ..Partition::new(topic, number, place) };
                    assert!(partitions::make(world, at), "{topic} is made anew");
                }
            }
            world.dirs().accept_gone(path, false);
            world.tally.count("directories whose loss was accepted");
        }
        _ => {
            let forgotten =
                std::mem::replace(&mut world.partitions[at], Partition::new(topic, number, place));
            world.deleted.extend(forgotten.id);
            let deleted = world.dirs().delete_all(topic, &[number], world.now_ms);
            or_excused(world, place, "deleting a partition that is gone", deleted);
        }
    }
}
