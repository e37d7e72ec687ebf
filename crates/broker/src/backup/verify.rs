//! Reading a backup through, or copying it while it is read: every length, checksum and batch.

use std::path::{Path, PathBuf};

use pagewire_disk::{Disk, DiskFile, OpenMode, OsDisk};
use pagewire_log::Stretch;
use pagewire_log::backup::{BatchCheck, carry, damage_in};
use serde::{Deserialize, Serialize};

use super::damage::Damage;
use super::manifest::{FileRecord, Manifest};
use super::pacer::Pacer;
use super::target::finished;
use super::{BackupFailed, Limits, Progress};

/// A backup whose bytes are those that were written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// Whose.
    pub cluster_id: String,
    /// Which node's.
    pub node_id: i32,
    /// When it was begun, in milliseconds since the Unix epoch.
    pub started_ms: i64,
    /// When it was finished.
    pub finished_ms: i64,
    /// Logs in it.
    pub logs: usize,
    /// Files in it, but for the manifest.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Records in it that are damaged: since before it was made, if it was verified then.
    pub damage: Damage,
}

/// Checks the backup in `dir`, every byte of it. Blocks.
pub fn verify(dir: &Path, limits: &Limits, tell: &dyn Fn(&Progress)) -> Result<Verified, BackupFailed> {
    let disk = OsDisk::new();
    let manifest = open(&disk, dir)?;
    let pacer = Pacer::new(limits, tell);
    pacer.expect(manifest.logs.len(), manifest.bytes());
    let reading = Reading { disk: &disk, pacer: &pacer, accept_damage: false };
    for file in &manifest.files {
        reading.read(&dir.join(&file.name), file, None, None)?;
    }
    let mut damage = Damage::default();
    for log in &manifest.logs {
        pacer.begin(&log.dir());
        let within = dir.join(log.dir());
        for (file, bounds) in log.bounded() {
            let found = reading.read(&within.join(&file.name), file, None, bounds)?;
            for stretch in found {
                damage.note(log, file, stretch);
            }
        }
        pacer.done();
    }
    Ok(Verified {
        logs: manifest.logs.len(),
        files: manifest.files.len() + manifest.logs.iter().map(|log| log.files.len()).sum::<usize>(),
        bytes: manifest.bytes(),
        cluster_id: manifest.head.cluster_id,
        node_id: manifest.head.node_id,
        started_ms: manifest.head.started_ms,
        finished_ms: manifest.finished_ms,
        damage,
    })
}

/// The manifest of a finished backup, all of whose files are there and as long as they should be.
pub(super) fn open(disk: &dyn Disk, dir: &Path) -> Result<Manifest, BackupFailed> {
    finished(disk, dir)?;
    let manifest = Manifest::read(dir)?;
    let length = |path: PathBuf, file: &FileRecord| {
        let found = disk.open(&path, OpenMode::Read).and_then(|file| file.len());
        match found.map_err(BackupFailed::at(&path))? {
            found if found == file.bytes => Ok(()),
            found => Err(BackupFailed::damaged(path, format!("it has {found} bytes, not {}", file.bytes))),
        }
    };
    manifest.files.iter().try_for_each(|file| length(dir.join(&file.name), file))?;
    for log in &manifest.logs {
        let within = dir.join(log.dir());
        log.files.iter().try_for_each(|file| length(within.join(&file.name), file))?;
    }
    Ok(manifest)
}

/// How files of a backup are read.
pub(super) struct Reading<'a> {
    pub(super) disk: &'a dyn Disk,
    pub(super) pacer: &'a Pacer<'a>,
    /// Segments that went bad in the backup are taken all the same; what is damaged in them is found.
    pub(super) accept_damage: bool,
}

impl Reading<'_> {
    /// Reads a file, and writes it to `to` if there is one. What of a `.log`, whose batches lie between the offsets of
    /// `bounds`, is damaged; an error if the bytes are others than those that the manifest is of.
    pub(super) fn read(
        &self,
        path: &Path,
        record: &FileRecord,
        to: Option<(&Path, &dyn DiskFile)>,
        bounds: Option<(i64, i64)>,
    ) -> Result<Vec<Stretch>, BackupFailed> {
        let file = self.disk.open(path, OpenMode::Read).map_err(BackupFailed::at(path))?;
        let known = || record.damage.iter().copied().map(Stretch::from);
        let mut check = bounds.map(|(base, bound)| BatchCheck::new(base, bound).knowing(known()));
        let pace = |bytes| self.pacer.moved(bytes);
        let crc = carry((path, &*file), record.bytes, to, check.as_mut(), &pace)?;
        let as_it_was = record.crc32c.is_none_or(|known| known == crc);
        let Some((check, bounds)) = check.zip(bounds).filter(|_| as_it_was || self.accept_damage) else {
            let why = |known| format!("its CRC-32C is {crc:08x}, not {known:08x}");
            let wrong = record.crc32c.filter(|_| !as_it_was).map(why);
            return wrong.map_or_else(|| Ok(Vec::new()), |why| Err(BackupFailed::damaged(path.into(), why)));
        };
        if check.end().is_ok() {
            return Ok(known().collect());
        }
        Ok(damage_in((path, &*file), record.bytes, bounds, &pace)?)
    }
}
