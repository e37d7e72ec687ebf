//! Apache Kafka in one of the directories between two of our starts, as 4.3.1 leaves it; `witness` and `takeover` see the real one
//! do so.
//!
//! ```text
//!   starts    takes the mark of an orderly stop; without one it cuts what is torn at the end of the last segment
//!   leads     an epoch of its own in leader-epoch-checkpoint, records behind ours, perhaps in a new segment
//!   writes    the checkpoints of recovery points and high watermarks, whatever sums we keep of them
//!   stops     every recovery point at its log's end, a mark that names its broker's epoch
//!   or dies   no mark, checkpoints as they were some time ago, index files longer than what is in them
//! ```
//!
//! It knows nothing of our own files. It leaves them where they are; who moves its directory may not.

use std::path::Path;

use pagewire_disk::checkpoint::{
    CLEAN_MARK_FILE, CLEANER_FILE, EPOCH_CHECKPOINT_FILE, EpochEntry, HIGH_WATERMARK_FILE,
    RECOVERY_POINT_FILE,
};
use pagewire_disk::{
    Disk, DiskFile, EpochCheckpoint, ForgettingDisk, OffsetCheckpoint, OpenMode, read_small,
};
use pagewire_record::patch_header;

use crate::harm;
use crate::model::{Sent, Shape};
use crate::world::World;

const MARK: &[u8] = br#"{"version":0,"brokerEpoch":22}"#;
/// Files of a compaction that was interrupted, which Kafka would bring to its end.
const HALF_DONE: [&str; 2] = [".swap", ".cleaned"];
const OURS: &str = "pagewire-";
/// An index file is this much longer than what is in it, while a Kafka has it open.
const AHEAD_BYTES: u64 = 480;

/// The last segment of a partition, and the whole batches in it.
struct Tail {
    base: i64,
    bytes: u64,
    end: i64,
    /// There is nothing else.
    is_all: bool,
}

/// A Kafka has the directory at `place` for a while. Not where somebody took something from it, or the power was cut: what it
/// makes of that is its own.
pub(crate) fn befall(world: &mut World, place: usize) {
    let here: Vec<usize> =
        (0..world.partitions.len()).filter(|at| world.partitions[*at].place == place).collect();
    let is_whole = |at: &usize| {
        let partition = &world.partitions[*at];
        partition.made && partition.aside.is_none() && partition.harm.is_none()
    };
    if world.places[place].id.is_none() || !here.iter().all(is_whole) {
        return;
    }
    let disk = world.places[place].disk.clone();
    let Some(tails) = here.iter().map(|at| tail(world, *at, &disk)).collect::<Option<Vec<_>>>() else {
        return;
    };
    let dies = world.chance.one_in(2);
    world.leader_epoch += 1;
    for (at, tail) in here.iter().zip(&tails) {
        lead(world, *at, tail, &disk, dies);
    }
    write_checkpoints(world, &here, place, dies);
    if world.chance.one_in(2) {
        forget_ours(world, &here, place);
        world.tally.count("kafka: and our own files were lost");
    }
    sync_names(world, &here, place);
    world.tally.count(if dies { "kafka: was there, and killed" } else { "kafka: was there, and stopped" });
    if world.kept.as_ref().is_some_and(|kept| here.contains(&kept.at)) {
        // It goes on in files that the copy may share.
        world.kept = None;
    }
}

/// What is whole in the last segment. `None` where Kafka would have to finish or begin something that is not modelled.
fn tail(world: &World, at: usize, disk: &ForgettingDisk) -> Option<Tail> {
    let dir = world.path(&world.partitions[at]);
    let names: Vec<String> =
        disk.read_dir(&dir).expect("a directory").into_iter().map(|entry| entry.name).collect();
    if names.iter().any(|name| HALF_DONE.iter().any(|end| name.ends_with(end))) {
        return None;
    }
    let bases: Vec<i64> = names.iter().filter_map(|name| name.strip_suffix(".log")?.parse().ok()).collect();
    let (mut tail, mut follows) = (None::<Tail>, true);
    for base in bases {
        sync(disk, &log(&dir, base));
        let last = tail.replace(whole(disk, &dir, base));
        // It does not compare them, and would go on behind a gap.
        follows &=
            last.is_none_or(|last| last.is_all && (last.end == base || world.holes && last.end < base));
    }
    let tail = tail.filter(|_| follows)?;
    let partition = &world.partitions[at];
    (tail.end >= partition.start_seen.max(partition.floor)).then_some(tail)
}

/// The batches of a segment, up to the first that is none.
fn whole(disk: &ForgettingDisk, dir: &Path, base: i64) -> Tail {
    let bytes = read(disk, &log(dir, base));
    let (len, end) = harm::whole(&bytes, base);
    Tail { base, bytes: len, end, is_all: len == bytes.len() as u64 }
}

fn log(dir: &Path, base: i64) -> std::path::PathBuf {
    dir.join(format!("{base:020}.log"))
}

/// It syncs what it finds as it stops, and the kernel does of one that dies, in time.
fn sync(disk: &ForgettingDisk, path: &Path) {
    disk.open(path, OpenMode::ReadWrite).and_then(|file| file.sync_all()).expect("synced");
}

fn read(disk: &ForgettingDisk, path: &Path) -> Vec<u8> {
    read_small(disk, path, 1 << 24).expect("a read").unwrap_or_default()
}

/// Cuts what is torn, begins an epoch, and writes some batches.
fn lead(world: &mut World, at: usize, tail: &Tail, disk: &ForgettingDisk, dies: bool) {
    let (dir, epoch) = (world.path(&world.partitions[at]), world.leader_epoch);
    let marks_end = tail.end;
    world.partitions[at].is_cut_at(marks_end);
    let mut file = disk.open(&log(&dir, tail.base), OpenMode::ReadWrite).expect("a file");
    file.set_len(tail.bytes).expect("cut");
    begin_epoch(disk, &dir, epoch, tail.end);
    let (mut base, mut bytes, mut end) = (tail.base, tail.bytes, tail.end);
    for _ in 0..world.chance.below(4) {
        if bytes > 0 && world.chance.one_in(4) {
            file.sync_all().expect("synced");
            (base, bytes) = (end, 0);
            file = disk.open(&log(&dir, base), OpenMode::Create).expect("a new segment");
        }
        let shape = Shape { producer: (-1, -1, -1), transactional: false, now_ms: world.now_ms };
        let sent = Sent::new(&mut world.chance, shape).placed(end, epoch);
        let mut batch = sent.bytes.to_vec();
        patch_header(batch.first_chunk_mut().expect("a header"), end, epoch);
        file.write_at(bytes, &batch).expect("written");
        (bytes, end) = (bytes + batch.len() as u64, sent.end());
        world.partitions[at].is_written(sent);
        world.partitions[at].others.insert(base);
    }
    world.partitions[at].others.insert(tail.base);
    file.sync_all().expect("synced");
    if dies {
        for suffix in ["index", "timeindex"] {
            grow(&*disk.open(&dir.join(format!("{base:020}.{suffix}")), OpenMode::Create).expect("an index"));
        }
    }
}

fn grow(index: &dyn DiskFile) {
    let len = index.len().expect("a length");
    index.set_len(len + AHEAD_BYTES).and_then(|()| index.sync_all()).expect("grown");
}

fn begin_epoch(disk: &ForgettingDisk, dir: &Path, epoch: i32, start_offset: i64) {
    let path = dir.join(EPOCH_CHECKPOINT_FILE);
    let read = EpochCheckpoint::read(disk, &path).expect("epochs");
    let mut checkpoint = read.unwrap_or_default();
    checkpoint.entries.retain(|entry| entry.start_offset < start_offset);
    checkpoint.entries.push(EpochEntry { epoch, start_offset });
    checkpoint.write(disk, &path).expect("written");
}

/// Of one that was killed the recovery points are those from before, and the high watermarks somewhat behind.
fn write_checkpoints(world: &mut World, here: &[usize], place: usize, dies: bool) {
    let (disk, root) = (world.places[place].disk.clone(), world.places[place].path());
    let read =
        // It begins at 0 without one that it can read.
        |name: &str| OffsetCheckpoint::read(&disk, &root.join(name)).ok().flatten().unwrap_or_default();
    let (mut points, mut watermarks) = (read(RECOVERY_POINT_FILE), read(HIGH_WATERMARK_FILE));
    for &at in here {
        let partition = &world.partitions[at];
        let (topic, number, end) = (partition.topic, partition.number, partition.end);
        let behind = world.chance.below(3) as usize;
        // Readers see batches whole.
        let seen = partition.batches.iter().rev().nth(behind).map_or(partition.start, Sent::end);
        if !dies {
            points.set(topic, number, end);
        }
        watermarks.set(topic, number, if dies { seen.clamp(partition.start, end) } else { end });
    }
    points.write(&disk, &root.join(RECOVERY_POINT_FILE)).expect("written");
    watermarks.write(&disk, &root.join(HIGH_WATERMARK_FILE)).expect("written");
    // It makes one when it starts.
    let cleaner = disk.open(&root.join(CLEANER_FILE), OpenMode::Create).expect("a checkpoint");
    cleaner.sync_all().expect("written");
    let mark = root.join(CLEAN_MARK_FILE);
    if disk.exists(&mark).expect("looked for") {
        disk.remove_file(&mark).expect("taken");
    }
    if !dies {
        let file = disk.open(&mark, OpenMode::Create).expect("a mark");
        file.write_at(0, MARK).and_then(|()| file.sync_all()).expect("written");
    }
}

fn forget_ours(world: &World, here: &[usize], place: usize) {
    let disk = &world.places[place].disk;
    let dirs = here.iter().map(|at| world.path(&world.partitions[*at]));
    for dir in dirs.chain([world.places[place].path().to_path_buf()]) {
        for entry in disk.read_dir(&dir).expect("a directory") {
            if entry.name.starts_with(OURS) && !entry.is_dir {
                disk.remove_file(&dir.join(entry.name)).expect("removed");
            }
        }
    }
}

fn sync_names(world: &World, here: &[usize], place: usize) {
    let disk = &world.places[place].disk;
    for at in here {
        disk.sync_dir(&world.path(&world.partitions[*at])).expect("synced");
    }
    disk.sync_dir(world.places[place].path()).expect("synced");
}
