//! Reading a backup through: every length, checksum and batch.

use std::path::{Path, PathBuf};

use pagewire_disk::{Disk, OpenMode, OsDisk};
use serde::{Deserialize, Serialize};

use super::damage::Damage;
use super::manifest::{FileRecord, Manifest};
use super::pacer::Pacer;
use super::reading::Reading;
use super::target::finished;
use super::{BackupFailed, Lacks, Limits, Progress};

/// What a backup is, all of which was read.
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
    /// Files that are not what was copied. Records in it that are damaged: in other files since before it was made, if
    /// it was verified then.
    pub damage: Damage,
    /// What the backup lacks.
    #[serde(default)]
    pub lacks: Lacks,
}

/// Checks the backup in `dir`, every byte of it, whatever is wrong with some. Blocks.
pub fn verify(dir: &Path, limits: &Limits, tell: &dyn Fn(&Progress)) -> Result<Verified, BackupFailed> {
    let disk = OsDisk::new();
    let manifest = open(&disk, dir)?;
    let pacer = Pacer::new(limits, tell);
    pacer.expect(manifest.logs.len(), manifest.bytes());
    let reading = Reading { disk: &disk, pacer: &pacer };
    let mut damage = Damage::default();
    for file in &manifest.files {
        let found = reading.read(&dir.join(&file.name), file, None, None)?;
        damage.note_altered(&file.name, found.altered, None);
    }
    for log in &manifest.logs {
        pacer.begin(&log.dir());
        let within = dir.join(log.dir());
        for (file, bounds) in log.bounded() {
            let found = reading.read(&within.join(&file.name), file, None, bounds)?;
            damage.note_altered(&log.path_of(file), found.altered, None);
            for stretch in found.damage {
                damage.note(log, file, stretch);
            }
        }
        pacer.done();
    }
    Ok(Verified {
        lacks: Lacks::of(&manifest),
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

/// The manifest of a finished backup.
pub(super) fn open(disk: &dyn Disk, dir: &Path) -> Result<Manifest, BackupFailed> {
    finished(disk, dir)?;
    Manifest::read(dir)
}

/// An error unless all files are there and as long as they should be: what is easily seen is said before anything is
/// done.
pub(super) fn all_are_as_long(disk: &dyn Disk, dir: &Path, of: &Manifest) -> Result<(), BackupFailed> {
    let as_long = |path: PathBuf, file: &FileRecord| {
        let found = disk.open(&path, OpenMode::Read).and_then(|file| file.len());
        match found {
            Ok(found) if found == file.bytes => Ok(()),
            Ok(found) => {
                Err(BackupFailed::altered(path, format!("it has {found} bytes, not {}", file.bytes)))
            }
            Err(error) => Err(BackupFailed::altered(path, error.to_string())),
        }
    };
    of.files.iter().try_for_each(|file| as_long(dir.join(&file.name), file))?;
    for log in &of.logs {
        log.files.iter().try_for_each(|file| as_long(dir.join(log.path_of(file)), file))?;
    }
    Ok(())
}
