//! A backup that is served: it is the log that it was made of, as that was then, however much later that is.

use std::mem;
use std::path::Path;
use std::sync::Arc;

use pagewire_disk::checkpoint::{CLEANER_FILE, HIGH_WATERMARK_FILE, LOG_START_FILE, RECOVERY_POINT_FILE};
use pagewire_disk::{DamageCheckpoint, DamageEntry, Disk, ForgettingDisk, OffsetCheckpoint};
use pagewire_log::backup::{CopiedFile, CopiedLog};
use pagewire_log::{LogDir, Stretch};

use crate::model::Partition;
use crate::world::World;
use crate::{check, harmed};

/// The copy of one log.
#[derive(Debug, Clone)]
pub(crate) struct Backup {
    /// The directory of the backup; the partition's is in it.
    pub(crate) root: String,
    pub(crate) log: CopiedLog,
    /// What the backup says of compaction.
    pub(crate) cleaned_to: Option<i64>,
    /// Which partition it is of, and what that was then.
    pub(crate) at: usize,
    pub(crate) then: Partition,
}

/// Opens what was synced of the copy on a disk of its own, and compares it with what the partition was.
pub(crate) fn compare(world: &mut World, copy: &Backup) {
    let (at, disk) = (copy.at, world.place_of(copy.at).disk.crash(0).expect("a crash"));
    let Partition { topic, number, id, .. } = copy.then;
    write_checkpoints(&disk, (topic, number), copy);
    write_damage(&disk, (topic, number), copy);
    let settings = id.map(|id| world.settings(id));
    let known = |_: &str, _: i32| settings.clone();
    let (dir, report) =
        LogDir::open(Arc::new(disk), Path::new(&copy.root), &world.options(), &known, &|_| {})
            .expect("opens");
    let [loaded] = report.loaded.as_slice() else { panic!("one log was copied: {report:?}") };
    let is_whole = copy.then.harm.is_none();
    assert!(loaded.report.cuts.is_empty(), "{loaded:?}");
    assert!(!is_whole || loaded.report.damage.is_empty(), "{loaded:?}");
    let log = dir.get(topic, number).expect("loaded");
    let (start, end) = (copy.log.log_start, copy.log.end);
    let marks = log.marks();
    // No index goes along of the segment that was written to, so nothing shows where it goes on behind damage.
    let is_open_end = copy
        .log
        .files
        .iter()
        .rfind(|file| file.name.strip_suffix(".log").is_some())
        .is_some_and(|file| !file.damage.is_empty());
    let ends_there = marks.log_end == end || is_open_end && marks.log_end > end;
    assert!(marks.log_start == start && ends_there, "{topic}: {marks:?}, not {start} to {end}: {loaded:?}");
    let now = mem::replace(&mut world.partitions[at], copy.then.clone());
    if is_open_end {
        world.partitions[at].harm.forget_entries();
    }
    if !is_whole {
        harmed::verify(&dir, world.now_ms);
        world.partitions[at].harm.find();
    }
    check::partition(world, at, &log);
    world.partitions[at] = now;
}

/// The backup that was kept is what it was, whatever happened to the log meanwhile, with which it may share files.
pub(crate) fn compare_kept(world: &mut World) {
    if let Some(kept) = world.kept.take() {
        compare(world, &kept);
        world.tally.count("backups compared once more");
        world.kept = Some(kept);
    }
}

/// As a restore writes down where the copy is damaged, from what the backup says.
fn write_damage(disk: &ForgettingDisk, (topic, partition): (&str, i32), copy: &Backup) {
    let of_file = |file: &CopiedFile| {
        let base = file.name.strip_suffix(".log").and_then(|base| base.parse().ok());
        let (size, segment) = (file.bytes, base.unwrap_or(0));
        let entry = move |stretch: &Stretch| DamageEntry {
            topic: topic.to_owned(),
            partition,
            segment,
            size,
            from: stretch.begin(),
            to: stretch.end(),
            offset: stretch.offset,
        };
        file.damage.iter().map(entry).collect::<Vec<_>>()
    };
    let entries = copy.log.files.iter().flat_map(of_file).collect();
    DamageCheckpoint { entries }.write(disk, Path::new(&copy.root)).expect("written");
}

/// As a restore writes them, from what the backup says.
fn write_checkpoints(disk: &ForgettingDisk, (topic, number): (&str, i32), copy: &Backup) {
    let CopiedLog { log_start, first_base, end, .. } = copy.log;
    let start = (log_start > first_base).then_some(log_start);
    for (file, offset) in [
        (RECOVERY_POINT_FILE, Some(end)),
        (HIGH_WATERMARK_FILE, Some(end)),
        (LOG_START_FILE, start),
        (CLEANER_FILE, copy.cleaned_to),
    ] {
        let mut checkpoint = OffsetCheckpoint::new();
        if let Some(offset) = offset {
            checkpoint.set(topic, number, offset);
        }
        checkpoint.write(disk as &dyn Disk, &Path::new(&copy.root).join(file)).expect("written");
    }
}
