//! The recovery points of a directory are lost between two lives: the checkpoint is removed, or cannot be read. Nobody knows then
//! how far a log was stable, and everything in it is kept: nothing that was answered is missing.
//!
//! No power cut comes before a start has come to its end, nor came just before: which bytes at a log's end were stable would be
//! known to nobody.

use std::path::Path;

use pagewire_disk::checkpoint::{HIGH_WATERMARK_FILE, RECOVERY_POINT_FILE};
use pagewire_disk::{Disk, ForgettingDisk, OpenMode};

use crate::harm::said;
use crate::world::World;

/// No checkpoint.
const USELESS: &[u8] = b"0\n1\nx";

pub(crate) fn befall(world: &mut World) {
    let place = world.chance.below(world.places.len() as u64) as usize;
    let (disk, root) = (&world.places[place].disk, world.places[place].path());
    let path = root.join(RECOVERY_POINT_FILE);
    let is_whole = world.partitions.iter().filter(|one| one.place == place).all(|one| {
        // What is missing from the end of a log is told by its recovery point. Without it a high watermark counts that
        // was written before the power took more.
        let watermark = said(disk, &root.join(HIGH_WATERMARK_FILE), one);
        // One whose directory was away has not been opened since the power went.
        let was_here = one.floor == one.end;
        one.harm.is_none()
            && one.aside.is_none()
            && was_here
            && watermark.is_none_or(|watermark| watermark <= one.end)
    });
    if !is_whole || !disk.exists(&path).expect("looked for") {
        return;
    }
    if world.chance.one_in(2) {
        disk.remove_file(&path).and_then(|()| disk.sync_dir(root)).expect("removed");
        world.tally.count("recovery points removed");
    } else {
        destroy(disk, &path);
        world.tally.count("recovery points that cannot be read");
    }
    world.places[place].lost_points = true;
}

fn destroy(disk: &ForgettingDisk, path: &Path) {
    let file = disk.open(path, OpenMode::ReadWrite).expect("a file");
    let written = file.set_len(0).and_then(|()| file.write_at(0, USELESS)).and_then(|()| file.sync_all());
    written.expect("written");
}
