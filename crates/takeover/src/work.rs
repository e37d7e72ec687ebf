//! All partitions, on several threads: what each came to, and what stands against the whole.

use std::sync::atomic::{AtomicU64, Ordering};

use pagewire_disk::OffsetCheckpoint;

use crate::error::ImportError;
use crate::homes::Homes;
use crate::options::{Depth, How, Options, Progress};
use crate::plan::{Plan, PlannedPartition};
use crate::report::Refusal;
use crate::source::Source;
use crate::take::{Care, Taken, Target, take};
use crate::threads;
use crate::verdict::Marks;
use crate::verify::Unfit;

/// What the partitions of a plan come to, in its order. `into` are the new directories; without
/// them partitions are only looked at.
pub(crate) fn work(
    options: &Options,
    plan: &Plan,
    sources: &[Source],
    into: Option<&Homes>,
    progress: &(dyn Fn(Progress<'_>) + Sync),
) -> Result<Vec<Taken>, ImportError> {
    let (done, total) = (AtomicU64::new(0), total(options, plan, into.is_some()));
    let answers = threads::map(&plan.partitions, options.threads, |partition| {
        let what = format!("{}-{}", plan.name_of(partition), partition.index);
        let tell = |bytes: u64| {
            let done = done.fetch_add(bytes, Ordering::Relaxed) + bytes;
            progress(Progress { done: done.min(total), total, what: &what });
        };
        let marks = marks(plan, partition, sources);
        let care = Care { depth: options.verify, marks, accept_damage: options.accept_damage };
        let target = into.and_then(|homes| {
            let (topic_id, (dir, way)) = (plan.topics.get(partition.topic)?.id, homes.of(partition)?);
            Some(Target { dir: dir.join(&what), topic_id, way })
        });
        take((plan, partition), care, target.as_ref(), &tell)
    });
    sort(plan, answers)
}

/// Bytes to look at, to bring and to read back.
fn total(options: &Options, plan: &Plan, is_placed: bool) -> u64 {
    let looks = u64::from(options.verify != Depth::None);
    let of = |partition: &PlannedPartition| {
        let files = &partition.files;
        let again = if options.how == How::Link { files.open_bytes() } else { files.log_bytes() };
        looks * files.log_bytes() + if is_placed { files.bytes() + looks * again } else { 0 }
    };
    plan.partitions.iter().map(of).sum()
}

/// What Kafka knew of a partition's log. After an orderly stop all of it was on the disk.
fn marks(plan: &Plan, partition: &PlannedPartition, sources: &[Source]) -> Marks {
    let Some(source) = sources.get(partition.source) else {
        return Marks { stable: 0, synced_end: 0, acknowledged: 0, cleaned_to: 0 };
    };
    let (topic, index) = (plan.name_of(partition), partition.index);
    let of = |checkpoint: &OffsetCheckpoint| checkpoint.get(topic, index).unwrap_or(0);
    let (recovery, acknowledged) = (of(&source.checkpoints.recovery), of(&source.checkpoints.high_watermark));
    let cleaned_to = of(&source.checkpoints.cleaner);
    if source.clean {
        Marks { stable: i64::MAX, synced_end: recovery.max(acknowledged), acknowledged, cleaned_to }
    } else {
        Marks { stable: recovery, synced_end: recovery, acknowledged, cleaned_to }
    }
}

/// All taken, or why not: the disk's word comes before what is refused.
fn sort(plan: &Plan, answers: Vec<Result<Taken, Unfit>>) -> Result<Vec<Taken>, ImportError> {
    let (mut all, mut refused) = (Vec::new(), Vec::new());
    for (partition, answer) in plan.partitions.iter().zip(answers) {
        match answer {
            Ok(taken) => all.push(taken),
            Err(Unfit::Failed(error)) => return Err(error),
            Err(Unfit::Refused(why)) => {
                let topic = plan.name_of(partition).to_owned();
                refused.push(Refusal { topic, partition: Some(partition.index), why });
            }
        }
    }
    if refused.is_empty() {
        return Ok(all);
    }
    refused.sort();
    Err(ImportError::Refused(refused))
}
