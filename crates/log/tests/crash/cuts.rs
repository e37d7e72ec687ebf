//! What a start takes away is told byte by byte. Where whole batches were in it, its bytes are kept beside the log from then on,
//! whatever happens next.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pagewire_disk::{Disk, read_small};
use pagewire_log::{Cut, LoadReport, LoadedLog, RecoveryReport};

use crate::harm::whole;
use crate::model::Partition;
use crate::world::World;

/// More no file has here.
const FILE_MAX: u64 = 1 << 24;

/// The `.log` files of all partitions, and what is in them.
pub(crate) type Files = BTreeMap<PathBuf, Vec<u8>>;

/// As they are now.
pub(crate) fn log_files(world: &World) -> Files {
    let of = |partition: &Partition| files_in(&world.places[partition.place].disk, &world.path(partition));
    world.partitions.iter().flat_map(of).collect()
}

fn files_in(disk: &dyn Disk, dir: &Path) -> Files {
    let names = disk.read_dir(dir).unwrap_or_default().into_iter().map(|entry| entry.name);
    let logs = names.filter(|name| name.strip_suffix(".log").is_some()).map(|name| dir.join(name));
    logs.map(|path| read_small(disk, &path, FILE_MAX).map(|bytes| (path, bytes.unwrap_or_default())))
        .map(|read| read.expect("a read"))
        .collect()
}

/// What a start took away is in its report. `before`: the files that it found.
pub(crate) fn are_told(world: &mut World, report: &LoadReport, before: &Files) {
    for loaded in &report.loaded {
        let at = world.partitions.iter().position(|at| at.topic == loaded.topic).expect("one of ours");
        let partition = &world.partitions[at];
        let path = world.path(partition);
        let log = world.dirs().get(&loaded.topic, loaded.partition).expect("loaded");
        let cut: u64 = loaded.report.cuts.iter().map(|cut| cut.bytes).sum();
        // A replacement that takes its place while the log is opened is another matter.
        let replaced = loaded.report.notes.iter().any(|note| note.contains("put in place"));
        let anew = replaced || begun_anew(&loaded.report);
        let in_it = before.iter().filter(|(file, _)| file.parent() == Some(&path));
        let (before_it, after) = (in_it.map(|(_, bytes)| bytes.len() as u64).sum::<u64>(), log.size_bytes());
        assert!(
            anew || before_it == after + cut,
            "{before_it} became {after}, {cut} said to be cut: {loaded:?}"
        );
        // One that was away then was not closed with the others.
        let was_closed = report.clean && !partition.was_aside && !partition.has_stray;
        assert!(!was_closed || cut == 0, "a cut after an orderly stop: {loaded:?}");
        world.tally.add("cuts", loaded.report.cuts.len() as u64);
        if !replaced {
            set_aside(world, at, loaded, before);
        }
    }
}

/// The records ended below the log start.
pub(crate) fn begun_anew(report: &RecoveryReport) -> bool {
    report.notes.iter().any(|note| note.contains("starts again"))
}

/// What held whole batches is beside the log now, byte by byte.
fn set_aside(world: &mut World, at: usize, loaded: &LoadedLog, before: &Files) {
    for cut in &loaded.report.cuts {
        let was = taken(cut, before);
        let (good, _) = whole(was, cut.offset);
        // For want of room it is not, if none of it was stable.
        let is_excused = loaded.report.notes.iter().any(|note| note.contains("cannot be set aside"));
        let is_kept = cut.set_aside.is_some() || is_excused;
        assert!(is_kept || good == 0 && cut.good.is_none(), "batches were thrown away: {loaded:?}");
        if let Some(path) = &cut.set_aside {
            world.partitions[at].set_aside.insert(path.clone(), was.to_vec());
            world.tally.count("ends set aside");
        }
    }
}

/// The bytes that were cut.
fn taken<'f>(cut: &Cut, before: &'f Files) -> &'f [u8] {
    let file = before.get(&cut.file).unwrap_or_else(|| panic!("there was no such file: {cut:?}"));
    let taken = file.get(cut.position as usize..).filter(|taken| taken.len() as u64 == cut.bytes);
    taken.unwrap_or_else(|| panic!("{} bytes there were, not those: {cut:?}", file.len()))
}

/// Whatever was ever set aside is there, unless its partition was deleted.
pub(crate) fn are_kept(world: &World, partition: &Partition) {
    let disk = &world.places[partition.place].disk;
    for (path, bytes) in &partition.set_aside {
        let found = read_small(disk, path, FILE_MAX).expect("a read");
        assert!(found.as_ref() == Some(bytes), "{}: {:?} bytes", path.display(), found.map(|of| of.len()));
    }
}
