//! Derived files are what a rebuild from the records alone makes of them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use pagewire_disk::{Disk, EpochCheckpoint, MemoryDisk, OpenMode, read_small};
use pagewire_log::{Log, LogConfig, OpenOptions};

use crate::aborts;
use crate::model::Partition;
use crate::world::World;

pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// Entries of an index that wait in memory.
const WAITING_MAX: usize = 64;
const EPOCHS: &str = "leader-epoch-checkpoint";

/// After an orderly stop of the directory at `place`: deletes everything but the records from a copy, opens it, closes it,
/// and compares.
pub(crate) fn equal_to_a_rebuild(world: &mut World, place: usize) {
    let (disk, mut lacking) = (&world.places[place].disk, 0);
    let whole = |partition: &&Partition| partition.aside.is_none() && partition.harm.is_none();
    let made = world.partitions.iter().filter(|partition| partition.made && partition.place == place);
    for partition in made.filter(whole) {
        let path = world.path(partition);
        // What retention could not remove from a sick disk goes with the next start, and may lack what went first.
        let log = world.dirs().get(partition.topic, partition.number);
        let first = log.and_then(|log| Some(log.segments().first()?.base_offset));
        let first = first.filter(|_| world.places[place].was_ill).unwrap_or(0);
        let files = files(disk, &path);
        let rebuilt = rebuilt(world, partition, &path, &files);
        for (name, bytes) in &rebuilt {
            let is_ours =
                base_of(name).is_some_and(|base| base >= first && !partition.others.contains(&base));
            if is_ours && [".index", ".timeindex"].iter().any(|suffix| name.ends_with(suffix)) {
                let found = files.get(name);
                // One without entries, of a segment whose deletion a power cut undid by half, is made again when somebody looks an offset up.
                if found.is_none() && bytes.is_empty() {
                    lacking += 1;
                    continue;
                }
                if found != Some(bytes) && world.places[place].was_ill && may_lack_entries(name, found, bytes)
                {
                    lacking += 1;
                    continue;
                }
                assert_eq!(found, Some(bytes), "{}: {name}", path.display());
            }
        }
        aborts::equal(world, partition, &files, &rebuilt);
        if world.holes {
            // An epoch may have begun with a batch that is gone.
            continue;
        }
        let written = |files: &Files| epochs_with_batches(partition, files);
        assert_eq!(written(&files), written(&rebuilt), "{}: epochs", path.display());
    }
    world.tally.add("index files that lack entries a disk refused, or have none and are not there", lacking);
    world.tally.count("derived files compared with a rebuild");
}

/// The files of a directory of partitions, those that count.
fn files(disk: &dyn Disk, dir: &Path) -> Files {
    let names = disk.read_dir(dir).expect("a directory").into_iter().map(|entry| entry.name);
    let counts = |name: &String| !name.ends_with(".deleted");
    let read = |name: String| {
        let bytes = read_small(disk, &dir.join(&name), 1 << 24).expect("a read").expect("a file");
        (name, bytes)
    };
    names.filter(counts).map(read).collect()
}

/// Whether all that is wrong with an index file is that it lacks entries which the disk did not take while as many waited as are
/// kept in memory: then they are left out (decision 0008).
fn may_lack_entries(name: &str, found: Option<&Vec<u8>>, rebuilt: &[u8]) -> bool {
    let entry_len = if name.ends_with(".timeindex") { 12 } else { 8 };
    let mut all = rebuilt.chunks(entry_len);
    let Some(found) = found.filter(|found| found.len() >= WAITING_MAX * entry_len) else { return false };
    found.len() < rebuilt.len() && found.chunks(entry_len).all(|entry| all.any(|one| one == entry))
}

/// The base offset in a file's name.
fn base_of(name: &str) -> Option<i64> {
    name.split('.').next()?.parse().ok()
}

fn rebuilt(world: &World, partition: &Partition, dir: &Path, from: &Files) -> Files {
    let disk = MemoryDisk::new();
    disk.create_dir_all(dir).expect("a directory");
    for (name, bytes) in from.iter().filter(|(name, _)| name.strip_suffix(".log").is_some()) {
        let file = disk.open(&dir.join(name), OpenMode::Create).expect("a file");
        file.write_at(0, bytes).expect("a write");
    }
    let options = OpenOptions {
        // The copy has no checkpoint that says that there may be holes.
        config: LogConfig { cleanup_compact: world.holes, ..world.config.clone() },
        recovery_point: 0,
        log_start_offset: partition.start,
        clean: false,
        leader_epoch: world.leader_epoch,
        now_ms: world.now_ms,
    };
    let disk: Arc<dyn Disk> = Arc::new(disk);
    let (log, report) =
        Log::open(Arc::clone(&disk), dir, partition.topic, partition.number, options).expect("opens");
    assert!(report.cuts.is_empty(), "a log that was closed in order is cut: {report:?}");
    log.close(world.now_ms).expect("closes");
    files(&*disk, dir)
}

/// The epochs that wrote something: which others there were, no batch says.
fn epochs_with_batches(partition: &Partition, files: &Files) -> Vec<(i32, i64)> {
    let text = String::from_utf8(files[EPOCHS].clone()).expect("text");
    let entries = EpochCheckpoint::parse(&text).expect("epochs").entries;
    let wrote = |epoch: i32| partition.readable().iter().any(|sent| sent.leader_epoch == epoch);
    entries.iter().filter(|entry| wrote(entry.epoch)).map(|entry| (entry.epoch, entry.start_offset)).collect()
}
