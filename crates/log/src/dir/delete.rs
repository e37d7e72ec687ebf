//! Deleting a partition: its directory loses its name at once and its bytes later, so that fetches in flight end well.

use std::io::{self, ErrorKind};
use std::path::PathBuf;

use super::LogDir;
use super::names::DELETE;
use super::stray::marked;

/// A renamed directory and when it goes.
#[derive(Debug)]
pub(super) struct Doomed {
    pub(super) path: PathBuf,
    pub(super) due_ms: i64,
}

impl LogDir {
    /// Takes the partition's log away: it refuses writes, its directory is renamed to `…-delete` durably, and unlinked
    /// by [`unlink_due`](Self::unlink_due) after `file.delete.delay.ms`. `false` if there is no such log.
    ///
    /// Before that the checkpoints forget it, or a later topic of the same name would be missed after a crash.
    ///
    /// One that is being opened at the moment, which may take long, is left to whoever opens it: the owner looks afterwards
    /// whether it still has a topic.
    ///
    /// On an error the log is gone from here, but its directory may still have its old name; the topic's id in it keeps
    /// a later topic of the same name from adopting it.
    pub fn delete(&self, topic: &str, partition: i32, now_ms: i64) -> io::Result<bool> {
        self.delete_all(topic, &[partition], now_ms).map(|deleted| deleted == 1)
    }

    /// [`delete`](Self::delete) of several partitions of a topic with one sync; answers how many there were.
    pub fn delete_all(&self, topic: &str, partitions: &[i32], now_ms: i64) -> io::Result<usize> {
        let change = self.changing.of_others();
        let free = partitions.iter().copied().filter(|&partition| !change.is_being_opened(topic, partition));
        let partitions = free.collect::<Vec<i32>>();
        self.may_change()?;
        self.keep_gone(|name, partition| name != topic || !partitions.contains(&partition));
        self.stop_waiting_for_removed(topic, &partitions);
        self.copies.lock().retain(|(name, partition), _| name != topic || !partitions.contains(partition));
        let take = |&partition| Some((partition, self.table.write().remove(topic, partition)?));
        let taken: Vec<_> = partitions.iter().filter_map(take).collect();
        for (_, entry) in &taken {
            entry.end();
        }
        // Of what is nothing to this directory it may not be known whether a checkpoint that failed half-way names it.
        let is_here = |partition: &i32| taken.iter().any(|(one, _)| one == partition);
        let ours = partitions.iter().filter(|&partition| is_here(partition) || self.names(topic, *partition));
        let names: Vec<_> = ours.map(|&partition| (topic, partition)).collect();
        self.forget_or_be_full(&names)?;
        let (deleted, mut first_error) = (taken.len(), None);
        for (partition, entry) in taken {
            let from = entry.log.dir().to_path_buf();
            let path = marked(&*self.disk, &from, (topic, partition), Some(entry.topic_id), DELETE);
            if let Err(error) = self.disk.rename(&from, &path) {
                self.note(&from, &error);
                first_error = first_error.or(Some(error));
                continue;
            }
            let due_ms = now_ms.saturating_add(entry.log.config().file_delete_delay_ms);
            self.doomed.lock().push(Doomed { path, due_ms });
        }
        if deleted > 0 {
            self.disk.sync_dir(&self.path).inspect_err(|error| self.note(&self.path, error))?;
        }
        first_error.map_or(Ok(deleted), Err)
    }

    /// [`delete_all`](Self::delete_all) of a topic that is no more. Says whether none of its directories has its name here any
    /// more; that of a log that could not be opened, is being opened, or was put back, has it.
    pub fn take_away(&self, topic: &str, partitions: &[i32], now_ms: i64) -> io::Result<bool> {
        let is_one = |(name, partition): &(String, i32)| name == topic && partitions.contains(partition);
        // One that was gone and was put back is nobody's log yet.
        let is_back = |name: &(String, i32)| is_one(name) && !self.is_absent(&name.0, name.1);
        let some_are_back = self.gone_names().iter().any(is_back);
        let is_being_opened = |&partition: &i32| self.is_being_opened(topic, partition);
        let some_are_being_opened = partitions.iter().any(is_being_opened);
        self.delete_all(topic, partitions, now_ms)?;
        Ok(!some_are_back && !some_are_being_opened && !self.unopened().iter().any(is_one))
    }

    /// Whether any of these is or should be here, as far as that is known without looking at the disk.
    pub fn knows_any(&self, topic: &str, partitions: &[i32]) -> bool {
        let is_one = |(name, partition): &(String, i32)| name == topic && partitions.contains(partition);
        self.gone_names().iter().any(is_one)
            || self.unopened().iter().any(is_one)
            || partitions
                .iter()
                .any(|&one| self.topic_id(topic, one).is_some() || self.is_being_opened(topic, one))
    }

    /// Unlinks what is due: deleted partitions, and files that retention renamed. Answers how many names went.
    ///
    /// What cannot be unlinked is tried again at the next call; the first error is returned after all were tried.
    pub fn unlink_due(&self, now_ms: i64) -> io::Result<usize> {
        self.may_change()?;
        let mut unlinked = 0;
        let mut first_error = None;
        for entry in self.entries() {
            match entry.round(|log| log.unlink_due(now_ms)) {
                Some(Ok(files)) => unlinked += files,
                Some(Err(error)) => first_error = first_error.or(Some(error)),
                None => {}
            }
        }
        let (due, later): (Vec<Doomed>, Vec<Doomed>) =
            std::mem::take(&mut *self.doomed.lock()).into_iter().partition(|doomed| doomed.due_ms <= now_ms);
        let mut kept = later;
        for doomed in due {
            match self.disk.remove_dir_all(&doomed.path) {
                Ok(()) => unlinked += 1,
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => {
                    first_error = first_error.or(Some(error));
                    kept.push(doomed);
                }
            }
        }
        self.doomed.lock().extend(kept);
        first_error.map_or(Ok(unlinked), Err)
    }
}
