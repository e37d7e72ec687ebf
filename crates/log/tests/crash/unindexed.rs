//! The index of aborted transactions of a segment whose records are stable is gone between two lives. A segment without such
//! transactions has none, so nothing in the directory but what was written down beside shows that one is missing; and whatever was
//! aborted is left out all the same.

use std::path::{Path, PathBuf};

use pagewire_disk::checkpoint::RECOVERY_POINT_FILE;
use pagewire_disk::{Disk, ForgettingDisk, read_small};
use pagewire_log::decode_txn_index;

use crate::harm::said;
use crate::world::World;

pub(crate) fn befall(world: &mut World) {
    let all: Vec<PathBuf> = (0..world.partitions.len()).flat_map(|at| missed(world, at)).collect();
    if all.is_empty() {
        return;
    }
    let path = world.chance.among(&all);
    let dir = path.parent().expect("a directory");
    let place = world.places.iter().find(|place| dir.starts_with(place.path())).expect("a place");
    place.disk.remove_file(path).and_then(|()| place.disk.sync_dir(dir)).expect("removed for good");
    world.tally.count("indexes of aborted transactions gone");
}

/// Those of a partition that a start must miss.
fn missed(world: &World, at: usize) -> Vec<PathBuf> {
    let (place, partition) = (world.place_of(at), &world.partitions[at]);
    // What became of a transaction among lost records an index alone may know, what a Kafka left was never written down, and a disk
    // that was ill may not have taken it.
    let is_whole =
        partition.harm.is_none() && partition.others.is_empty() && !partition.has_stray && !place.was_ill;
    if !partition.made || partition.aside.is_some() || !is_whole {
        return Vec::new();
    }
    let file = place.path().join(RECOVERY_POINT_FILE);
    let durable = place.disk.crash(0).expect("a crash");
    let points = [said(&place.disk, &file, partition), said(&durable, &file, partition)];
    let point = points.into_iter().min().flatten();
    point.map_or_else(Vec::new, |point| stable_indexes(&place.disk, &world.path(partition), point))
}

/// Those of which every transaction had ended below `point`, of a log in which nothing is about to take the place of anything.
fn stable_indexes(disk: &ForgettingDisk, dir: &Path, point: i64) -> Vec<PathBuf> {
    let names: Vec<String> =
        disk.read_dir(dir).expect("a directory").into_iter().map(|entry| entry.name).collect();
    if names.iter().any(|name| name.strip_suffix(".swap").is_some() || name.ends_with(".cleaned")) {
        return Vec::new();
    }
    let paths = names.iter().filter(|name| name.ends_with(".txnindex")).map(|name| dir.join(name));
    let is_stable = |path: &PathBuf| {
        let bytes = read_small(disk, path, 1 << 24).expect("a read").expect("a file");
        let entries = decode_txn_index(&bytes).unwrap_or_default();
        !entries.is_empty() && entries.iter().all(|entry| entry.last_offset < point)
    };
    paths.filter(is_stable).collect()
}
