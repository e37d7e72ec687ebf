//! Bringing one file into the backup, the cheapest way that there is.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use pagewire_disk::{Disk, DiskFile, OpenMode};

use super::pin::{Named, Pinned};
use super::{
    BackupError, BatchCheck, CopiedFile, CopyOptions, Expected, SegmentOf, SourceId, Way, carry, damage_in,
    preserve_time,
};
use crate::segment::Segment;

/// Copies of a file that is written anew while it is copied. Nobody does that for long: an index is, once, when it turns out to be
/// none.
const COPIES_MAX: usize = 16;

/// Where copies go, and how.
pub(super) struct Placing<'a> {
    pub(super) disk: &'a dyn Disk,
    /// The partition's directory in the backup.
    pub(super) to: &'a Path,
    pub(super) options: &'a CopyOptions<'a>,
}

impl Placing<'_> {
    /// The `.log` of a closed segment.
    pub(super) fn closed(&self, one: &Pinned, of: SegmentOf) -> Result<CopiedFile, BackupError> {
        let source = source_id(&*one.log.file).map_err(BackupError::at(&one.log.path))?;
        let expected = Expected::of(&one.segment, one.bound);
        let copied = match self.by_earlier(one, of, source, &expected)? {
            Some(copied) => copied,
            None => self.by_log(one, &expected)?.knowing(&expected),
        };
        Ok(CopiedFile { source: Some(source), ..copied })
    }

    /// The first `bytes` of a `.log` that grows, with the batches below `end`.
    pub(super) fn active(&self, segment: &Segment, log: &Named, end: i64) -> Result<CopiedFile, BackupError> {
        let expected = Expected::of(segment, end);
        let copied = match self.shared(log)? {
            Some(target) => {
                target.set_len(log.bytes).map_err(BackupError::at(&self.to.join(&log.name)))?;
                self.placed(log, &*target, Way::Shared, &expected)
            }
            None => self.copied(log, Some(&expected)),
        };
        copied.map(|copied| copied.knowing(&expected))
    }

    /// A file that is copied whatever the file system offers. A reader may write it anew meanwhile: what is there is copied, until
    /// it is still the same afterwards.
    pub(super) fn beside(&self, file: &Named) -> Result<CopiedFile, BackupError> {
        for _ in 0..COPIES_MAX {
            let bytes = file.file.len().map_err(BackupError::at(&file.path))?;
            let (name, path) = (file.name.clone(), file.path.clone());
            let now = Named { name, path, file: Arc::clone(&file.file), bytes };
            match self.copied(&now, None) {
                Ok(copied) if self.is_still(&now, &copied)? => return Ok(copied),
                Err(error) if !error.ended_early(&now.path) => return Err(error),
                _ => {}
            }
            let target = self.to.join(&now.name);
            self.disk.remove_file(&target).map_err(BackupError::at(&target))?;
        }
        Err(BackupError::Changing(file.path.clone()))
    }

    /// Whether a file holds what was copied of it.
    fn is_still(&self, from: &Named, copied: &CopiedFile) -> Result<bool, BackupError> {
        let len = || from.file.len().map_err(BackupError::at(&from.path));
        if len()? != copied.bytes {
            return Ok(false);
        }
        match carry((&from.path, &*from.file), copied.bytes, None, None, self.options.pace) {
            Ok(crc32c) => Ok(copied.crc32c == Some(crc32c) && len()? == copied.bytes),
            Err(error) if error.ended_early(&from.path) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A file made of `bytes`.
    pub(super) fn written(&self, name: String, bytes: &[u8]) -> Result<CopiedFile, BackupError> {
        let path = self.to.join(&name);
        let write = || {
            let file = self.disk.open(&path, OpenMode::CreateNew)?;
            file.write_at(0, bytes)?;
            file.sync_data()
        };
        write().map_err(BackupError::at(&path))?;
        let crc32c = Some(crc32c::crc32c(bytes));
        Ok(CopiedFile {
            name,
            bytes: bytes.len() as u64,
            crc32c,
            way: Way::Copied,
            source: None,
            damage: Vec::new(),
        })
    }

    /// From the log's own file.
    fn by_log(&self, one: &Pinned, expected: &Expected) -> Result<CopiedFile, BackupError> {
        if let Some(target) = self.shared(&one.log)? {
            return self.placed(&one.log, &*target, Way::Shared, expected);
        }
        if self.is_linked(&one.log) {
            return self.placed(&one.log, &*one.log.file, Way::Linked, expected);
        }
        self.copied(&one.log, Some(expected))
    }

    /// A file that shares the blocks of the log's.
    fn shared(&self, log: &Named) -> Result<Option<Arc<dyn DiskFile>>, BackupError> {
        if !self.options.links || self.options.refused.shared.get() {
            return Ok(None);
        }
        let path = self.to.join(&log.name);
        let target = self.disk.open(&path, OpenMode::CreateNew).map_err(BackupError::at(&path))?;
        if target.share_blocks_of(&*log.file).is_ok() {
            preserve_time(&*log.file, &*target);
            return Ok(Some(target));
        }
        self.options.refused.shared.set(true);
        self.disk.remove_file(&path).map_err(BackupError::at(&path))?;
        Ok(None)
    }

    fn is_linked(&self, log: &Named) -> bool {
        if !self.options.links || self.options.refused.linked.get() {
            return false;
        }
        match log.file.hard_link(&self.to.join(&log.name)) {
            Ok(()) => true,
            Err(error) => {
                // A file that lost its name says nothing about the next one.
                self.options.refused.linked.set(error.kind() != io::ErrorKind::NotFound);
                false
            }
        }
    }

    /// By its bytes; a `.log` is checked on the way.
    fn copied(&self, from: &Named, expected: Option<&Expected>) -> Result<CopiedFile, BackupError> {
        let path = self.to.join(&from.name);
        let target = self.disk.open(&path, OpenMode::CreateNew).map_err(BackupError::at(&path))?;
        let expected = expected.filter(|_| self.options.verify);
        let mut check = expected.map(BatchCheck::new);
        let to = Some((path.as_path(), &*target));
        let crc = carry((&from.path, &*from.file), from.bytes, to, check.as_mut(), self.options.pace)?;
        preserve_time(&*from.file, &*target);
        let copied = self.finish(from, &*target, Way::Copied, Some(crc))?;
        self.with_damage(copied, from, &*target, check.zip(expected))
    }

    /// A `.log` that is in its place without its bytes having been read.
    fn placed(
        &self,
        from: &Named,
        file: &dyn DiskFile,
        way: Way,
        expected: &Expected,
    ) -> Result<CopiedFile, BackupError> {
        let mut check = BatchCheck::new(expected);
        let crc32c = self.examined(from, file, &mut check)?;
        let placed = self.finish(from, file, way, crc32c)?;
        self.with_damage(placed, from, file, crc32c.map(|_| (check, expected)))
    }

    /// Says of a copy what of it is damaged, if its check found that something is.
    fn with_damage(
        &self,
        copied: CopiedFile,
        from: &Named,
        file: &dyn DiskFile,
        check: Option<(BatchCheck, &Expected)>,
    ) -> Result<CopiedFile, BackupError> {
        let Some((check, expected)) = check else { return Ok(copied) };
        let Err(bad) = check.end() else { return Ok(copied) };
        let damage = damage_in(self.disk, (&from.path, file), from.bytes, expected, self.options.pace)?;
        if damage.is_empty() {
            // Read once more it is good: what has been copied may not be.
            return Err(BackupError::damaged(&from.path)(bad));
        }
        Ok(CopiedFile { damage, ..copied })
    }

    /// The checksum of a file that was not copied, if it is to be read at all.
    fn examined(
        &self,
        from: &Named,
        file: &dyn DiskFile,
        check: &mut BatchCheck,
    ) -> Result<Option<u32>, BackupError> {
        if !self.options.verify {
            return Ok(None);
        }
        carry((&from.path, file), from.bytes, None, Some(check), self.options.pace).map(Some)
    }

    /// What is in the backup survives a power cut.
    pub(super) fn finish(
        &self,
        from: &Named,
        target: &dyn DiskFile,
        way: Way,
        crc32c: Option<u32>,
    ) -> Result<CopiedFile, BackupError> {
        target.sync_data().map_err(BackupError::at(&self.to.join(&from.name)))?;
        let (name, bytes) = (from.name.clone(), from.bytes);
        Ok(CopiedFile { name, bytes, crc32c, way, source: None, damage: Vec::new() })
    }
}

impl CopiedFile {
    /// What was known of the log is known of its copy. Where more was found, that was among it.
    pub(super) fn knowing(self, expected: &Expected) -> Self {
        if !self.damage.is_empty() {
            return self;
        }
        Self { damage: expected.known_within(self.bytes).collect(), ..self }
    }
}

fn source_id(file: &dyn DiskFile) -> io::Result<SourceId> {
    let metadata = file.file().metadata()?;
    let modified_ns = metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec());
    let changed_ns = metadata.ctime().saturating_mul(1_000_000_000).saturating_add(metadata.ctime_nsec());
    Ok(SourceId { inode: metadata.ino(), modified_ns, changed_ns: Some(changed_ns) })
}
