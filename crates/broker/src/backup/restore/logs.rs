//! Bringing the files of a backup to where they shall be.

use std::path::Path;

use pagewire_disk::checkpoint::META_PROPERTIES_FILE;
use pagewire_disk::{DamageEntry, MetaProperties, OffsetCheckpoint, OpenMode};
use pagewire_log::Stretch;
use pagewire_log::backup::preserve_time;

use super::homes::{CHECKPOINTS, Home, Homes};
use crate::backup::BackupFailed;
use crate::backup::damage::Damage;
use crate::backup::manifest::{FileRecord, LogRecord};
use crate::backup::verify::Reading;

/// A restore under way.
pub(super) struct Restoring<'a> {
    from: &'a Path,
    links: bool,
    reading: &'a Reading<'a>,
    pub(super) linked_bytes: u64,
    pub(super) damage: Damage,
}

impl<'a> Restoring<'a> {
    pub(super) fn new(from: &'a Path, links: bool, reading: &'a Reading<'a>) -> Self {
        Self { from, links, reading, linked_bytes: 0, damage: Damage::default() }
    }

    pub(super) fn log(&mut self, log: &LogRecord, home: &mut Home) -> Result<(), BackupFailed> {
        let (from, to) = (self.from.join(log.dir()), home.path().join(log.dir()));
        self.reading.pacer.begin(&log.dir());
        self.reading.disk.create_dir_all(&to).map_err(BackupFailed::at(&to))?;
        for (file, bounds) in log.bounded() {
            let (from, to) = (from.join(&file.name), to.join(&file.name));
            let found = match self.link(&from, &to, file, bounds)? {
                Some(found) => found,
                None => self.copy(&from, &to, file, bounds)?,
            };
            for stretch in found {
                self.damage.note(log, file, stretch);
                home.damage.entries.extend(note(log, file, stretch));
            }
        }
        self.reading.disk.sync_dir(&to).map_err(BackupFailed::at(&to))?;
        self.reading.pacer.done();
        Ok(())
    }

    /// What lies beside the logs: of several directories each gets what is about its own.
    pub(super) fn beside(&self, file: &FileRecord, homes: &mut Homes) -> Result<(), BackupFailed> {
        let (disk, from) = (self.reading.disk, self.from.join(&file.name));
        let broken =
            |error: pagewire_disk::CheckpointError| BackupFailed::damaged(from.clone(), error.to_string());
        if CHECKPOINTS.contains(&&*file.name) {
            self.reading.read(&from, file, None, None)?;
            let all = OffsetCheckpoint::read(disk, &from).map_err(broken)?.unwrap_or_default();
            return homes.each(|home| home.write_checkpoint(disk, &file.name, &all));
        }
        if file.name == META_PROPERTIES_FILE {
            self.reading.read(&from, file, None, None)?;
            let missing = || BackupFailed::damaged(from.clone(), "it is empty".to_owned());
            let meta = MetaProperties::read(disk, &from).map_err(broken)?.ok_or_else(missing)?;
            return homes.each(|home| home.write_identity(disk, &meta));
        }
        let to = homes.first().join(&file.name);
        self.copy(&from, &to, file, None).map(drop)
    }

    /// Of a closed segment, where that is wished and possible.
    fn link(
        &mut self,
        from: &Path,
        to: &Path,
        record: &FileRecord,
        bounds: Option<(i64, i64)>,
    ) -> Result<Option<Vec<Stretch>>, BackupFailed> {
        if !self.links || record.source.is_none() {
            return Ok(None);
        }
        let file = self.reading.disk.open(from, OpenMode::Read).map_err(BackupFailed::at(from))?;
        if file.hard_link(to).is_err() {
            return Ok(None);
        }
        let found = self.reading.read(from, record, None, bounds)?;
        self.linked_bytes += record.bytes;
        Ok(Some(found))
    }

    fn copy(
        &self,
        from: &Path,
        to: &Path,
        record: &FileRecord,
        bounds: Option<(i64, i64)>,
    ) -> Result<Vec<Stretch>, BackupFailed> {
        let disk = self.reading.disk;
        let target = disk.open(to, OpenMode::CreateNew).map_err(BackupFailed::at(to))?;
        let found = self.reading.read(from, record, Some((to, &*target)), bounds)?;
        let source = disk.open(from, OpenMode::Read).map_err(BackupFailed::at(from))?;
        preserve_time(&*source, &*target);
        target.sync_data().map_err(BackupFailed::at(to))?;
        Ok(found)
    }
}

/// Where a start shall look.
fn note(log: &LogRecord, file: &FileRecord, stretch: Stretch) -> Option<DamageEntry> {
    Some(DamageEntry {
        topic: log.topic.clone(),
        partition: log.partition,
        segment: file.base_offset()?,
        size: file.bytes,
        from: stretch.from,
        to: stretch.to,
        offset: stretch.offset,
    })
}
