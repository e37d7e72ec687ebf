//! One partition: looked at, then brought to its place.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use pagewire_disk::checkpoint::PARTITION_METADATA_FILE;
use pagewire_disk::{Disk, OsDisk, PartitionMetadata};
use uuid::Uuid;

use crate::beginning;
use crate::error::ImportError;
use crate::options::Depth;
use crate::place::Way;
use crate::plan::{Plan, PlannedPartition};
use crate::read_back::read_back;
use crate::report::Placed;
use crate::uncleanable::Uncleanable;
use crate::verdict::Marks;
use crate::verify::{Look, Unfit, Verified};

/// What a partition came to.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) verified: Verified,
    pub(crate) placed: Placed,
}

/// Where it goes and how.
#[derive(Debug)]
pub(crate) struct Target {
    /// The partition's directory.
    pub(crate) dir: PathBuf,
    pub(crate) topic_id: Uuid,
    pub(crate) way: Way,
}

/// How it is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Care {
    pub(crate) depth: Depth,
    pub(crate) marks: Marks,
    pub(crate) accept_damage: bool,
}

/// Looks at a partition and, if it has a target, brings it there.
pub(crate) fn take(
    (plan, partition): (&Plan, &PlannedPartition),
    care: Care,
    target: Option<&Target>,
    progress: &dyn Fn(u64),
) -> Result<Taken, Unfit> {
    let Care { depth, marks, accept_damage } = care;
    let (topic, index, dir) = (plan.name_of(partition), partition.index, partition.dir.as_path());
    let limits = plan.decompress(partition);
    let look = Look { topic, index, dir, depth, limits, marks, accept_damage, read: progress };
    let verified = look.at(&partition.files)?;
    let placed = match target {
        Some(target) => place(partition, &verified, target, depth, progress).map_err(Unfit::Failed)?,
        None => Placed::default(),
    };
    Ok(Taken { verified, placed })
}

impl Taken {
    /// Whether offsets may be missing that Kafka's cleaner says nothing of: it writes down what it did when it is done.
    pub(crate) fn may_lack_offsets(&self, plan: &Plan, partition: &PlannedPartition) -> bool {
        self.verified.holes.any() || plan.is_compacted(partition)
    }

    /// Batches that compaction will not take.
    pub(crate) fn uncleanable(&self, plan: &Plan, partition: &PlannedPartition) -> Option<Uncleanable> {
        let name = (plan.name_of(partition), partition.index);
        let told = || self.verified.too_much.told(name, plan.decompress(partition).max_bytes);
        plan.is_compacted(partition).then(told).flatten()
    }

    /// What people should know of offsets that are not there.
    pub(crate) fn lost(&self, plan: &Plan, partition: &PlannedPartition) -> impl Iterator<Item = String> {
        let (topic, index) = (plan.name_of(partition), partition.index);
        let first = partition.files.segments.first().map(|first| first.base);
        let before = first.and_then(|first| beginning::told(&partition.dir, (topic, index), first));
        let within =
            (!plan.is_compacted(partition)).then(|| self.verified.holes.told(topic, index)).flatten();
        before.into_iter().chain(within)
    }
}

fn place(
    partition: &PlannedPartition,
    verified: &Verified,
    target: &Target,
    depth: Depth,
    progress: &dyn Fn(u64),
) -> Result<Placed, ImportError> {
    let disk = OsDisk::new();
    disk.create_dir_all(&target.dir).map_err(ImportError::at(&target.dir))?;
    let placed = RefCell::new(Placed::default());
    let bring = |way: Way, name: &str, len: u64, is_closed: bool| -> Result<Placed, ImportError> {
        let (from, to) = (partition.dir.join(name), target.dir.join(name));
        let brought = way.place(&from, &to, len, is_closed, progress)?;
        placed.borrow_mut().add(brought);
        Ok(brought)
    };
    let segments = &partition.files.segments;
    for (at, (segment, len)) in segments.iter().zip(&verified.keep).enumerate() {
        let (is_last, is_cut) = (at + 1 == segments.len(), *len < segment.len);
        if bring(target.way, &segment.log(), *len, !is_last)?.linked == 0 {
            read_back(&target.dir.join(segment.log()), (segment.base, *len), depth, progress)?;
        }
        for (suffix, len) in segment.derived.iter().filter(|_| !is_cut) {
            // Derived files are written anew in place where they do not agree with the records: never the same file.
            bring(copy_of(target.way), &segment.file(suffix), *len, false)?;
        }
    }
    for (name, len) in &partition.files.small {
        bring(Way::Copy, name, *len, false)?;
    }
    name(&disk, &target.dir, target.topic_id)?;
    if verified.log_end.is_none() || verified.producer_id_max >= 0 {
        // Nothing says that its indexes of aborted transactions are all there, or whole.
        pagewire_log::doubt_aborted(&disk, &target.dir).map_err(ImportError::at(&target.dir))?;
    }
    disk.sync_dir(&target.dir).map_err(ImportError::at(&target.dir))?;
    Ok(placed.into_inner())
}

/// The way for files that both sides may write to.
fn copy_of(way: Way) -> Way {
    if way == Way::Link { Way::Copy } else { way }
}

fn name(disk: &dyn Disk, dir: &Path, topic_id: Uuid) -> Result<(), ImportError> {
    let file = dir.join(PARTITION_METADATA_FILE);
    PartitionMetadata { topic_id }.write(disk, &file).map_err(ImportError::at(&file))
}
