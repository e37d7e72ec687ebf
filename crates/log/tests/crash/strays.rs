//! Somebody puts the file of a segment among a log's own, named with an offset that another one holds. It is set aside, and every
//! record of the log is where it was.
//!
//! Not among those of a compacted log, which may rightly lack what would tell.

use pagewire_disk::{Disk, ForgettingDisk, OpenMode, read_small};

use crate::harm::whole;
use crate::world::World;

/// More than a header.
const ZEROS: usize = 300;

pub(crate) fn befall(world: &mut World) {
    let at = world.chance.below(world.partitions.len() as u64) as usize;
    let partition = &world.partitions[at];
    if !partition.made || partition.aside.is_some() || !partition.harm.is_none() || world.holes {
        return;
    }
    let (disk, dir) = (world.place_of(at).disk.clone(), world.path(partition));
    let names = disk.read_dir(&dir).expect("a directory").into_iter().map(|entry| entry.name);
    let bases: Vec<i64> = names.filter_map(|name| name.strip_suffix(".log")?.parse().ok()).collect();
    let bytes_of = |base: i64| {
        let path = dir.join(format!("{base:020}.log"));
        read_small(&disk, &path, 1 << 24).expect("a read").expect("a file")
    };
    if bases.is_empty() {
        return;
    }
    let among = world.chance.pick(&bases);
    let (_, end) = whole(&bytes_of(among), among);
    if end - among < 2 {
        return;
    }
    let name = world.chance.between(among + 1, end);
    let content = match world.chance.below(3) {
        0 => Vec::new(),
        1 => vec![0; ZEROS],
        _ => bytes_of(world.chance.pick(&bases)),
    };
    if bases.contains(&name) {
        return;
    }
    put(&disk, &dir.join(format!("{name:020}.log")), &content);
    disk.sync_dir(&dir).expect("for good");
    world.partitions[at].has_stray = true;
    world.tally.count("strays put among segments");
}

fn put(disk: &ForgettingDisk, path: &std::path::Path, content: &[u8]) {
    let file = disk.open(path, OpenMode::Create).expect("a file");
    file.write_at(0, content).and_then(|()| file.sync_all()).expect("written");
}
