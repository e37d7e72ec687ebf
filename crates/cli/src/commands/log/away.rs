//! Log directories of which the metadata says that partitions are in them, and that are not there: not mounted, most likely. A
//! check that was not told of them would be silent about all that is in them.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use pagewire_disk::checkpoint::{META_PROPERTIES_FILE, format_id};
use pagewire_disk::{MetaProperties, OsDisk};
use pagewire_log::DirName;
use pagewire_log::verify::{Fate, Finding, KnownTopic, Severity, Topics};
use uuid::Uuid;

use super::whose::Known;
use crate::output::units::several;

/// One for each directory that has partitions, by the `topics`, and is neither among the `checked` ones nor where any node served
/// it. Which node's they are is asked of none of their own files: one that is damaged says nothing of the others.
pub(super) fn findings(topics: &Topics, known: &Known, checked: &[PathBuf]) -> Vec<Finding> {
    let here: HashSet<Uuid> = checked.iter().filter_map(|dir| id_of(dir)).collect();
    let mut partitions: BTreeMap<Uuid, u64> = BTreeMap::new();
    for KnownTopic { homes, .. } in topics.values().filter(|topic| !topic.unmade) {
        for id in homes.iter().flatten().filter(|id| !here.contains(id)) {
            *partitions.entry(*id).or_default() += 1;
        }
    }
    let away = |(id, count): (Uuid, u64)| {
        let paths: Vec<&Path> = known.paths_of(id).collect();
        let is_away = !paths.iter().any(|path| is_there(path, id));
        is_away.then(|| finding(id, paths.first().copied(), count))
    };
    partitions.into_iter().filter_map(away).collect()
}

fn finding(id: Uuid, path: Option<&Path>, partitions: u64) -> Finding {
    let known_as =
        path.map_or_else(|| PathBuf::from(format!("directory.id={}", format_id(id))), Path::to_path_buf);
    let where_it_is = if path.is_some() { "it is not there" } else { "where it was served is not known" };
    let what = format!(
        "the metadata places {} in this log directory, of id {}, and {where_it_is}: most likely its disk is not mounted. \
         Nothing of it was checked, and nothing of it is served before it is back; if it is elsewhere now, name that as well",
        several(partitions, "partition"),
        format_id(id),
    );
    Finding::new(Severity::Damage, known_as, what, Fate::Stays)
}

/// Whether the directory of this id is at `path`, or one that has lost its identity and may be it.
fn is_there(path: &Path, id: Uuid) -> bool {
    match MetaProperties::read(&OsDisk::new(), &path.join(META_PROPERTIES_FILE)) {
        Ok(Some(MetaProperties { directory_id: Some(found), .. })) => found == id,
        Ok(Some(_)) => true,
        Ok(None) | Err(_) => has_partitions(path),
    }
}

fn has_partitions(path: &Path) -> bool {
    let Ok(entries) = path.read_dir() else { return false };
    entries.flatten().any(|entry| {
        entry
            .file_name()
            .to_str()
            .is_some_and(|name| matches!(DirName::parse(name), DirName::Partition { .. }))
    })
}

fn id_of(dir: &Path) -> Option<Uuid> {
    MetaProperties::read(&OsDisk::new(), &dir.join(META_PROPERTIES_FILE)).ok()??.directory_id
}
