//! Bringing the files of a backup to where they shall be.

use std::path::{Path, PathBuf};

use pagewire_disk::checkpoint::META_PROPERTIES_FILE;
use pagewire_disk::{DamageEntry, MetaProperties, OffsetCheckpoint, OpenMode};
use pagewire_log::backup::preserve_time;
use pagewire_log::{LENGTHS_FILE, Stretch, UNDECIDED_FILE, doubt_aborted, doubt_decided};
use tokio::runtime::Handle;

use super::anew;
use super::homes::{CHECKPOINTS, Home, Homes};
use crate::backup::BackupFailed;
use crate::backup::damage::{Damage, Outcome};
use crate::backup::manifest::{FileRecord, LogRecord, Manifest};
use crate::backup::metadata;
use crate::backup::reading::{Found, Reading};

/// A restore under way.
pub(super) struct Restoring<'a> {
    pub(super) from: &'a Path,
    pub(super) manifest: &'a Manifest,
    pub(super) links: bool,
    /// What is not what was copied is taken, written anew or left out, and told; else it ends the restore.
    pub(super) accept_damage: bool,
    pub(super) reading: &'a Reading<'a>,
    pub(super) runtime: &'a Handle,
    pub(super) linked_bytes: u64,
    pub(super) damage: Damage,
}

/// Where a file is, and where it shall be.
type Way<'a> = (&'a Path, &'a Path);

impl Restoring<'_> {
    pub(super) fn log(&mut self, log: &LogRecord, home: &mut Home) -> Result<(), BackupFailed> {
        let (within, dir) = (self.from.join(log.dir()), home.path().join(log.dir()));
        self.reading.pacer.begin(&log.dir());
        let disk = self.reading.disk;
        disk.create_dir_all(&dir).map_err(BackupFailed::at(&dir))?;
        let mut left_out = Vec::new();
        for (file, bounds) in log.bounded() {
            let (from, to) = (within.join(&file.name), dir.join(&file.name));
            let found = match self.link((&from, &to), file, bounds)? {
                Some(found) => found,
                None => self.copy((&from, &to), file, bounds)?,
            };
            let bytes = found.bytes;
            for stretch in found.damage {
                self.damage.note(log, file, stretch);
                home.damage.entries.extend(note(log, file, bytes, stretch));
            }
            if let Some(reason) = found.altered {
                let outcome = match &*file.name {
                    _ if bounds.is_some() => Outcome::AsItIs,
                    LENGTHS_FILE => Outcome::WrittenAnew,
                    _ => Outcome::LeftOut,
                };
                self.accept(from, &log.path_of(file), reason, outcome)?;
                if outcome != Outcome::AsItIs {
                    disk.remove_file(&to).map_err(BackupFailed::at(&to))?;
                }
                if outcome == Outcome::LeftOut {
                    left_out.push(&*file.name);
                }
                if outcome == Outcome::WrittenAnew {
                    anew::lengths(disk, &dir, log).map_err(BackupFailed::at(&to))?;
                }
            }
        }
        if !left_out.is_empty() {
            // Of aborted transactions a missing index looks like none.
            doubt_aborted(disk, &dir).map_err(BackupFailed::at(&dir))?;
        }
        if left_out.contains(&UNDECIDED_FILE) {
            doubt_decided(disk, &dir).map_err(BackupFailed::at(&dir))?;
        }
        disk.sync_dir(&dir).map_err(BackupFailed::at(&dir))?;
        self.reading.pacer.done();
        Ok(())
    }

    /// What lies beside the logs: of several directories each gets what is about its own.
    pub(super) fn beside(&mut self, file: &FileRecord, homes: &mut Homes) -> Result<(), BackupFailed> {
        let from = self.from.join(&file.name);
        if CHECKPOINTS.contains(&&*file.name) {
            let Some(all) = self.checkpoint(from, file)? else { return Ok(()) };
            return homes.each(|home| home.write_checkpoint(self.reading.disk, &file.name, &all));
        }
        if file.name == META_PROPERTIES_FILE {
            let meta = self.identity(from, file)?;
            return homes.each(|home| home.write_identity(self.reading.disk, &meta));
        }
        let to = homes.first().join(&file.name);
        let Some(reason) = self.copy((&from, &to), file, None)?.altered else { return Ok(()) };
        if file.name != pagewire_metadata::FILE_NAME || self.manifest.rows.is_empty() {
            return self.accept(from, &file.name, reason, Outcome::AsItIs);
        }
        self.accept(from, &file.name, reason, Outcome::WrittenAnew)?;
        self.reading.disk.remove_file(&to).map_err(BackupFailed::at(&to))?;
        self.runtime.block_on(metadata::write(&to, metadata::of(self.manifest)))
    }

    /// All logs, and what else there is.
    pub(super) fn all(&mut self, homes: &mut Homes) -> Result<(), BackupFailed> {
        let manifest = self.manifest;
        manifest.logs.iter().try_for_each(|log| self.log(log, homes.for_log(log)))?;
        manifest.files.iter().try_for_each(|file| self.beside(file, homes))
    }

    /// What a checkpoint says; none where it is lost.
    fn checkpoint(
        &mut self,
        from: PathBuf,
        file: &FileRecord,
    ) -> Result<Option<OffsetCheckpoint>, BackupFailed> {
        let Some(reason) = self.reading.read(&from, file, None, None)?.altered else {
            let read = OffsetCheckpoint::read(self.reading.disk, &from);
            let read = read.map_err(|error| BackupFailed::damaged(from, error.to_string()))?;
            return Ok(Some(read.unwrap_or_default()));
        };
        let anew = anew::checkpoint(self.manifest, &file.name);
        let outcome = if anew.is_some() { Outcome::WrittenAnew } else { Outcome::LeftOut };
        self.accept(from, &file.name, reason, outcome)?;
        Ok(anew)
    }

    fn identity(&mut self, from: PathBuf, file: &FileRecord) -> Result<MetaProperties, BackupFailed> {
        if let Some(reason) = self.reading.read(&from, file, None, None)?.altered {
            self.accept(from, &file.name, reason, Outcome::WrittenAnew)?;
            return Ok(anew::identity(self.manifest));
        }
        match MetaProperties::read(self.reading.disk, &from) {
            Ok(Some(meta)) => Ok(meta),
            Ok(None) => Err(BackupFailed::damaged(from, "it is empty".to_owned())),
            Err(error) => Err(BackupFailed::damaged(from, error.to_string())),
        }
    }

    /// A file is not what was copied: notes what is done with it, where that is wished.
    fn accept(
        &mut self,
        path: PathBuf,
        file: &str,
        reason: String,
        outcome: Outcome,
    ) -> Result<(), BackupFailed> {
        if !self.accept_damage {
            return Err(BackupFailed::altered(path, reason));
        }
        self.damage.note_altered(file, Some(reason), Some(outcome));
        Ok(())
    }

    /// Of a closed segment, where that is wished and possible, and all of it can be read.
    fn link(
        &mut self,
        (from, to): Way<'_>,
        record: &FileRecord,
        bounds: Option<(i64, i64)>,
    ) -> Result<Option<Found>, BackupFailed> {
        if !self.links || record.source.is_none() {
            return Ok(None);
        }
        let disk = self.reading.disk;
        let file = disk.open(from, OpenMode::Read).and_then(|file| Ok((file.len()?, file)));
        let Some((_, file)) = file.ok().filter(|(len, _)| *len == record.bytes) else { return Ok(None) };
        if file.hard_link(to).is_err() {
            return Ok(None);
        }
        let found = self.reading.read(from, record, None, bounds)?;
        if found.bytes < record.bytes {
            disk.remove_file(to).map_err(BackupFailed::at(to))?;
            return Ok(None);
        }
        self.linked_bytes += record.bytes;
        Ok(Some(found))
    }

    /// As much of it as can be read.
    fn copy(
        &self,
        (from, to): Way<'_>,
        record: &FileRecord,
        bounds: Option<(i64, i64)>,
    ) -> Result<Found, BackupFailed> {
        let disk = self.reading.disk;
        let target = disk.open(to, OpenMode::CreateNew).map_err(BackupFailed::at(to))?;
        let found = self.reading.read(from, record, Some((to, &*target)), bounds)?;
        if let Ok(source) = disk.open(from, OpenMode::Read) {
            preserve_time(&*source, &*target);
        }
        target.sync_data().map_err(BackupFailed::at(to))?;
        Ok(found)
    }
}

/// Where a start shall look, in a segment of so many bytes.
fn note(log: &LogRecord, file: &FileRecord, bytes: u64, stretch: Stretch) -> Option<DamageEntry> {
    Some(DamageEntry {
        topic: log.topic.clone(),
        partition: log.partition,
        segment: file.base_offset()?,
        size: bytes,
        from: stretch.begin(),
        to: stretch.end(),
        offset: stretch.offset,
    })
}
