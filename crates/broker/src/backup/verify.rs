//! Reading a backup through, or copying it while it is read: every length, checksum and batch.

use std::path::{Path, PathBuf};

use pagewire_disk::{Disk, DiskFile, OpenMode, OsDisk};
use pagewire_log::backup::{BackupError, BatchCheck, carry};
use serde::{Deserialize, Serialize};

use super::manifest::{FileRecord, Manifest};
use super::pacer::Pacer;
use super::target::finished;
use super::{BackupFailed, Limits, Progress};

/// A backup that is good.
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
}

/// Checks the backup in `dir`, every byte of it. Blocks.
pub fn verify(dir: &Path, limits: &Limits, tell: &dyn Fn(&Progress)) -> Result<Verified, BackupFailed> {
    let disk = OsDisk::new();
    let manifest = open(&disk, dir)?;
    let pacer = Pacer::new(limits, tell);
    pacer.expect(manifest.logs.len(), manifest.bytes());
    for file in &manifest.files {
        read(&disk, &dir.join(&file.name), file, None, None, &pacer)?;
    }
    for log in &manifest.logs {
        pacer.begin(&log.dir());
        let within = dir.join(log.dir());
        for (file, bounds) in log.bounded() {
            let check = bounds.map(|(base, bound)| BatchCheck::new(base, bound));
            read(&disk, &within.join(&file.name), file, None, check, &pacer)?;
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

/// Reads a file of a backup, and writes it to `to` if there is one; an error unless it is what the manifest says.
pub(super) fn read(
    disk: &dyn Disk,
    path: &Path,
    record: &FileRecord,
    to: Option<(&Path, &dyn DiskFile)>,
    mut check: Option<BatchCheck>,
    pacer: &Pacer<'_>,
) -> Result<(), BackupFailed> {
    let file = disk.open(path, OpenMode::Read).map_err(BackupFailed::at(path))?;
    let crc = carry((path, &*file), record.bytes, to, check.as_mut(), &|bytes| pacer.moved(bytes))?;
    if let Some(check) = check {
        let damaged =
            |(position, reason)| BackupError::Damaged { path: path.to_path_buf(), position, reason };
        check.end().map_err(damaged)?;
    }
    match record.crc32c {
        Some(known) if known != crc => {
            let reason = format!("its CRC-32C is {crc:08x}, not {known:08x}");
            Err(BackupFailed::damaged(path.to_path_buf(), reason))
        }
        _ => Ok(()),
    }
}
