//! Partitions that have no directory, though a checkpoint or the metadata knows them: what a start would say of them (`dir/gone`).

use std::collections::BTreeSet;
use std::path::Path;

use pagewire_disk::MetaProperties;
use pagewire_disk::checkpoint::META_PROPERTIES_FILE;

use super::checkpoints::Checkpoints;
use super::finding::{Fate, Finding, Severity};
use super::job::{Job, KnownTopic};
use crate::dir::partition_dir;

/// A file that only the first of several log directories has.
const METADATA: &str = "metadata.redb";

/// Names those that had records, and those that the metadata places here.
pub(super) fn tell(
    job: &mut Job<'_>,
    dir: &Path,
    checkpoints: &Checkpoints,
    seen: &BTreeSet<(String, i32)>,
    clean: bool,
    live: bool,
) {
    let gone: Vec<_> = checkpoints
        .partitions()
        .into_iter()
        .filter(|((topic, partition), _)| !seen.contains(&((*topic).to_owned(), *partition)))
        .collect();
    for &((topic, partition), reached) in gone.iter().filter(|(_, reached)| *reached > 0) {
        let (severity, why) = judge(job, topic, clean, live);
        let what =
            format!("there is no such directory, and the partition had reached offset {reached}: {why}");
        let path = dir.join(partition_dir(topic, partition));
        job.found(Finding::new(severity, path, what, Fate::Stays).offset(reached));
    }
    let had_records = |topic: &str, partition| {
        gone.iter().any(|((name, number), reached)| *name == topic && *number == partition && *reached > 0)
    };
    for (topic, partition) in placed_here(job, dir) {
        if !seen.contains(&(topic.clone(), partition)) && !had_records(&topic, partition) {
            let what = "the metadata places a partition here, and there is no such directory: an empty one is made, for no \
                        checkpoint says that it had records";
            // What an orderly stop left names every partition that was served.
            let severity = if clean || live { Severity::Note } else { Severity::Doubt };
            job.found(Finding::new(
                severity,
                dir.join(partition_dir(&topic, partition)),
                what,
                Fate::Renewed,
            ));
        }
    }
}

/// What it means that a partition with records is not there.
fn judge(job: &Job<'_>, topic: &str, clean: bool, live: bool) -> (Severity, &'static str) {
    const LOST: &str = "its records are lost unless the directory is put back; it is not served before that, or before \
                        `pagewire log online --empty` says that it may begin anew";
    let known = job.options.topics.filter(|topics| !topics.is_empty());
    match known.map(|topics| topics.contains_key(topic)) {
        _ if live => (Severity::Doubt, "deleted or moved a moment ago, or lost"),
        Some(false) => (Severity::Note, "the metadata knows no such topic, so it was deleted"),
        Some(true) => (Severity::Damage, LOST),
        // An orderly stop names what is there, and nothing else.
        None if clean => (Severity::Damage, LOST),
        None => (Severity::Doubt, "deleted, or lost: there is no metadata here that could tell"),
    }
}

/// Partitions of which the metadata says that they are in this directory.
fn placed_here(job: &Job<'_>, dir: &Path) -> Vec<(String, i32)> {
    let Some(topics) = job.options.topics else { return Vec::new() };
    let is_first = job.disk.exists(&dir.join(METADATA)).unwrap_or(false);
    let meta = MetaProperties::read(&**job.disk, &dir.join(META_PROPERTIES_FILE)).ok().flatten();
    let id = meta.and_then(|meta| meta.directory_id);
    let of = |(name, topic): (&String, &KnownTopic)| {
        let here = topic.homes.iter().zip(0_i32..).filter(|(home, _)| match home {
            None => is_first,
            home => **home == id,
        });
        here.map(|(_, partition)| (name.clone(), partition)).collect::<Vec<_>>()
    };
    topics.iter().flat_map(of).collect()
}
