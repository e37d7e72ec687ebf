//! Directories that Kafka set aside, or was still filling: never taken in place of a partition's own, but where that is
//! missing they may be what is left of it.

use std::fmt::Write;

use uuid::Uuid;

use crate::kraft::Placement;
use crate::source::{PartitionDir, Source};

/// A topic with its id, and a number.
type Wanted<'a> = (&'a str, Uuid, i32);

/// The copy that was being moved to the directory where Kafka's metadata says the partition is by now: a move that was
/// interrupted between its last two renames, which Kafka ends at its next start.
pub(super) fn unfinished<'s>(
    sources: &'s [Source],
    wanted: Wanted<'_>,
    placement: &Placement,
) -> Option<(usize, &'s PartitionDir)> {
    let is_there = |source: &Source| {
        let assigned = placement.directory_of(source.meta.node_id);
        assigned.is_some() && assigned == source.meta.directory_id
    };
    let there = sources.iter().enumerate().filter(|(_, source)| is_there(source));
    there
        .flat_map(|(at, source)| of(source, wanted).map(move |dir| (at, dir)))
        .find(|(_, dir)| is_future(dir))
}

/// What to say of a partition that is not here: where something is that may be it.
pub(super) fn told(sources: &[Source], wanted: Wanted<'_>) -> String {
    let mut text = String::new();
    for dir in sources.iter().flat_map(|source| of(source, wanted)) {
        let (path, (topic, _, index)) = (dir.path.display(), wanted);
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "; {path} was set aside and may be what is wanted: if so, rename it to {topic}-{index}"
        );
    }
    text
}

fn of<'s>(source: &'s Source, (topic, id, index): Wanted<'_>) -> impl Iterator<Item = &'s PartitionDir> {
    let topic = topic.to_owned();
    source
        .aside
        .iter()
        .filter(move |dir| dir.topic == topic && dir.index == index && dir.topic_id == Some(id))
}

fn is_future(dir: &PartitionDir) -> bool {
    dir.path.to_str().is_some_and(|path| path.ends_with("-future"))
}
