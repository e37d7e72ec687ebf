//! A log leaves its directory, because it is served from another one from now on: it loses its name here, or stays what it was.
//!
//! Unlike a [deletion](super::delete), which nothing undoes: a log that keeps its name goes on, for it is the only one.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::LogDir;
use super::delete::Doomed;
use super::names::{DELETE, STRAY};
use super::stray::marked;
use super::table::Entry;

/// Why a log has not left for certain.
#[derive(Debug)]
pub(crate) enum Unleft {
    /// It is here as before.
    Stays(io::Error),
    /// Its directory has lost its name, and may have it again after a power cut.
    Unsure(io::Error),
}

impl LogDir {
    /// The directory of the log is renamed to `…-delete`, durably, which is answered. Nothing is appended to the log any more.
    /// What was not renamed durably, and what nobody [dooms](Self::doom), is left to the next who opens this directory.
    pub(crate) fn leave(&self, entry: &Arc<Entry>) -> Result<PathBuf, Unleft> {
        let _change = self.changing.of_others();
        self.may_change().map_err(Unleft::Stays)?;
        let (topic, partition) = (&**entry.log.topic(), entry.log.partition());
        if !self.entry(topic, partition).is_some_and(|here| Arc::ptr_eq(&here, entry)) {
            return Err(Unleft::Stays(io::ErrorKind::NotFound.into()));
        }
        let cleaned_to = self.cleaned_to(topic, partition);
        self.table.write().remove(topic, partition);
        let from = entry.log.dir();
        let path = marked(&*self.disk, from, (topic, partition), Some(entry.topic_id), DELETE);
        let forgotten = self.forget_or_be_full(&[(topic, partition)]);
        if let Err(error) = forgotten.and_then(|()| entry.leave(|| self.disk.rename(from, &path))) {
            self.note(from, &error);
            self.put_back(entry, cleaned_to);
            return Err(Unleft::Stays(error));
        }
        self.disk
            .sync_dir(&self.path)
            .inspect_err(|error| self.note(&self.path, error))
            .map_err(Unleft::Unsure)?;
        Ok(path)
    }

    /// What has left is unlinked after `file.delete.delay.ms`.
    pub(crate) fn doom(&self, path: PathBuf, entry: &Entry, now_ms: i64) {
        let due_ms = now_ms.saturating_add(entry.log.config().file_delete_delay_ms);
        self.doomed.lock().push(Doomed { path, due_ms });
    }

    /// What has left may be whole where its copy is not: it is kept, by the name that is answered.
    pub(crate) fn keep(&self, path: &Path, entry: &Entry) -> io::Result<PathBuf> {
        let (topic, partition) = (&**entry.log.topic(), entry.log.partition());
        let to = marked(&*self.disk, path, (topic, partition), Some(entry.topic_id), STRAY);
        let renamed = self.disk.rename(path, &to).and_then(|()| self.disk.sync_dir(&self.path));
        renamed.inspect_err(|error| self.note(path, error))?;
        Ok(to)
    }

    /// It is here as before. The checkpoints may have forgotten it, so it takes no record before one names it again.
    fn put_back(&self, entry: &Arc<Entry>, cleaned_to: Option<i64>) {
        let (topic, partition) = (&**entry.log.topic(), entry.log.partition());
        // Where it cannot be written, the next cleaning does.
        self.set_cleaned(topic, partition, cleaned_to);
        let _ = self.write_clean_offsets();
        self.await_names([entry]);
        self.table.write().insert(topic, partition, Arc::clone(entry));
        entry.log.tell_unnoted();
        // Or with the next note, every second.
        let _ = self.name_made();
    }
}
