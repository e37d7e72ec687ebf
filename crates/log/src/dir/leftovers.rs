//! What is left of deleted topics: directories that a stop, or a disk that said no, kept from losing their names.
//!
//! Only ids that the owner names are touched; a directory that is served never is.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use pagewire_disk::checkpoint::PARTITION_METADATA_FILE;
use pagewire_disk::{DirEntry, PartitionMetadata};
use uuid::Uuid;

use super::LogDir;
use super::changing::Change;
use super::delete::Doomed;
use super::names::{DELETE, DirName, STRAY};
use super::stray::marked;

impl LogDir {
    /// Renames the directories of topics with these ids to `…-delete`, those that were set aside as strays too; they
    /// are unlinked at the next [`unlink_due`](Self::unlink_due). Answers the names they had.
    ///
    /// The first error is returned after all were tried.
    pub fn delete_leftovers(&self, deleted: &HashSet<Uuid>, now_ms: i64) -> io::Result<Vec<PathBuf>> {
        let change = self.changing.of_others();
        self.may_change()?;
        let leftover = |entry: DirEntry| {
            let path = self.path.join(&entry.name);
            let to = self.name_of_leftover(&path, &entry.name, deleted, &change)?;
            Some((entry.name, path, to))
        };
        let leftovers: Vec<_> = self.disk.read_dir(&self.path)?.into_iter().filter_map(leftover).collect();
        let partition = |name| match DirName::parse(name) {
            DirName::Partition { topic, partition } => Some((topic, partition)),
            _ => None,
        };
        let partitions: Vec<_> = leftovers.iter().filter_map(|(name, ..)| partition(name)).collect();
        self.forget_or_be_full(&partitions)?;
        let (mut renamed, mut first_error) = (Vec::new(), None);
        for (name, path, to) in &leftovers {
            if let Err(error) = self.disk.rename(path, to) {
                self.note(path, &error);
                first_error = first_error.or(Some(error));
                continue;
            }
            if let Some((topic, partition)) = partition(name) {
                self.unopened.lock().remove(topic, partition);
            }
            self.doomed.lock().push(Doomed { path: to.clone(), due_ms: now_ms });
            renamed.push(path.clone());
        }
        if !renamed.is_empty() {
            self.disk.sync_dir(&self.path).inspect_err(|error| self.note(&self.path, error))?;
        }
        first_error.map_or(Ok(renamed), Err)
    }

    /// Under what name a directory waits for its unlink, if it is a leftover of one of these topics.
    fn name_of_leftover(
        &self,
        dir: &Path,
        name: &str,
        deleted: &HashSet<Uuid>,
        change: &Change<'_>,
    ) -> Option<PathBuf> {
        match DirName::parse(name) {
            DirName::Partition { topic, partition }
                if self.get(topic, partition).is_none() && !change.is_being_opened(topic, partition) =>
            {
                let id = self.topic_of(dir, deleted)?;
                Some(marked(&*self.disk, dir, (topic, partition), Some(id), DELETE))
            }
            DirName::Stray => {
                self.topic_of(dir, deleted)?;
                Some(dir.with_file_name(format!("{}{DELETE}", name.strip_suffix(STRAY)?)))
            }
            _ => None,
        }
    }

    /// The id that a directory names as its topic's, if it is one of these.
    fn topic_of(&self, dir: &Path, ids: &HashSet<Uuid>) -> Option<Uuid> {
        let named = PartitionMetadata::read(self.disk.as_ref(), &dir.join(PARTITION_METADATA_FILE));
        named.ok().flatten().map(|metadata| metadata.topic_id).filter(|id| ids.contains(id))
    }
}
