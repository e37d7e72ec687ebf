//! All partitions, on several threads: what each came to, and what stands against the whole.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::ImportError;
use crate::options::{Depth, Options, Progress};
use crate::place::Way;
use crate::plan::{Plan, PlannedPartition};
use crate::report::Refusal;
use crate::source::Source;
use crate::take::{Care, Taken, Target, take};
use crate::threads;
use crate::verify::Unfit;

/// What the partitions of a plan come to, in its order. `into` is the new directory with the way for each source; without
/// it partitions are only looked at.
pub(crate) fn work(
    options: &Options,
    plan: &Plan,
    sources: &[Source],
    into: Option<(&Path, &[Way])>,
    progress: &(dyn Fn(Progress<'_>) + Sync),
) -> Result<Vec<Taken>, ImportError> {
    let (done, total) = (AtomicU64::new(0), total(options, plan, into.is_some()));
    let answers = threads::map(&plan.partitions, options.threads, |partition| {
        let what = format!("{}-{}", plan.name_of(partition), partition.index);
        let tell = |bytes: u64| {
            let done = done.fetch_add(bytes, Ordering::Relaxed) + bytes;
            progress(Progress { done: done.min(total), total, what: &what });
        };
        let care = Care { depth: options.verify, stable: stable(plan, partition, sources) };
        let target = into.and_then(|(dir, ways)| {
            let topic_id = plan.topics.get(partition.topic)?.id;
            Some(Target { dir: dir.join(&what), topic_id, way: *ways.get(partition.source)? })
        });
        take(partition, care, target.as_ref(), &tell)
    });
    sort(plan, answers)
}

fn total(options: &Options, plan: &Plan, is_placed: bool) -> u64 {
    let looked_at = |partition: &PlannedPartition| match options.verify {
        Depth::Deep | Depth::Headers => partition.files.log_bytes(),
        Depth::None => 0,
    };
    let placed = |partition: &PlannedPartition| if is_placed { partition.files.bytes() } else { 0 };
    plan.partitions.iter().map(|partition| looked_at(partition) + placed(partition)).sum()
}

/// The offset below which everything was on the disk when Kafka stopped.
fn stable(plan: &Plan, partition: &PlannedPartition, sources: &[Source]) -> i64 {
    match sources.get(partition.source) {
        Some(source) if source.clean => i64::MAX,
        Some(source) => {
            source.checkpoints.recovery.get(plan.name_of(partition), partition.index).unwrap_or(0)
        }
        None => 0,
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
