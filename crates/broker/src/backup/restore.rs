//! Making a data directory of a backup.
//!
//! Every byte is checked while it is copied, and nothing can be served before all of it was: `serve` refuses a directory
//! that is marked as being restored. Only closed segments may be linked to the backup's files instead, because nothing is
//! ever written to them: compaction makes new files, retention removes names.
//!
//! The restored broker goes on under the same ids. Its records may be older than what clients have seen, and the original
//! may have given out ids since: it leads by an epoch far above, so that clients look where their records end (KIP-320,
//! decisions/0012), and gives out producer ids from far above.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pagewire_disk::{DirLock, Disk, OpenMode, OsDisk};
use pagewire_log::backup::{BatchCheck, preserve_time};
use pagewire_metadata::{Catalog, EmbeddedStore, SystemClock};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

use super::manifest::{FileRecord, LogRecord};
use super::pacer::Pacer;
use super::target::{RESTORE_UNFINISHED, Target};
use super::verify::{open, read};
use super::{BackupFailed, Limits, Progress};

/// Unclean starts that the original may have had since the backup.
const LEADER_EPOCHS: i32 = 1000;
/// Producers that it may have had.
const PRODUCER_IDS: i64 = 1 << 32;

/// How a backup is restored.
#[derive(Debug, Clone)]
pub struct RestoreOptions {
    /// The backup.
    pub from: PathBuf,
    /// The data directory to be: it does not exist, or is empty.
    pub to: PathBuf,
    /// Closed segments may be links to the backup's files.
    pub links: bool,
}

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// Whose data it is.
    pub cluster_id: String,
    /// Which node's.
    pub node_id: i32,
    /// When the backup was begun, in milliseconds since the Unix epoch.
    pub started_ms: i64,
    /// Logs.
    pub logs: usize,
    /// Bytes of all files.
    pub bytes: u64,
    /// Of these, shared with the backup's files.
    pub linked_bytes: u64,
}

/// Makes a data directory of a backup. Blocks; must not run on a thread of the runtime.
pub fn restore(
    options: &RestoreOptions,
    runtime: &Handle,
    limits: &Limits,
    tell: &dyn Fn(&Progress),
) -> Result<Restored, BackupFailed> {
    let disk = OsDisk::with_writeback(pagewire_zcopy::start_writeback);
    let from = &options.from;
    super::target::refuse_inside(&options.to, std::slice::from_ref(from))?;
    let manifest = open(&disk, from)?;
    let target = Target::begin(&disk, &options.to, RESTORE_UNFINISHED)?;
    let lock = DirLock::acquire(&disk, &target.path)?;
    let pacer = Pacer::new(limits, tell);
    pacer.expect(manifest.logs.len(), manifest.bytes());
    let mut restoring = Restoring {
        disk: &disk,
        from,
        to: &target.path,
        links: options.links,
        pacer: &pacer,
        linked_bytes: 0,
    };
    for log in &manifest.logs {
        restoring.log(log)?;
    }
    for file in &manifest.files {
        restoring.copy(Path::new(""), file, None)?;
    }
    let linked_bytes = restoring.linked_bytes;
    runtime.block_on(leap(&target.path.join(pagewire_metadata::FILE_NAME)))?;
    target.finish(&disk)?;
    drop(lock);
    Ok(Restored {
        logs: manifest.logs.len(),
        bytes: manifest.bytes(),
        linked_bytes,
        cluster_id: manifest.head.cluster_id,
        node_id: manifest.head.node_id,
        started_ms: manifest.head.started_ms,
    })
}

async fn leap(metadata: &Path) -> Result<(), BackupFailed> {
    let catalog = Catalog::new(Arc::new(EmbeddedStore::open(metadata, Arc::new(SystemClock))?));
    // An empty directory where the original had one is nothing that is missing here.
    catalog.forget_log_dirs().await?;
    Ok(catalog.leap(LEADER_EPOCHS, PRODUCER_IDS).await?)
}

struct Restoring<'a> {
    disk: &'a dyn Disk,
    from: &'a Path,
    to: &'a Path,
    links: bool,
    pacer: &'a Pacer<'a>,
    linked_bytes: u64,
}

impl Restoring<'_> {
    fn log(&mut self, log: &LogRecord) -> Result<(), BackupFailed> {
        let within = PathBuf::from(log.dir());
        let dir = self.to.join(&within);
        self.pacer.begin(&log.dir());
        self.disk.create_dir_all(&dir).map_err(BackupFailed::at(&dir))?;
        for (file, bounds) in log.bounded() {
            let check = || bounds.map(|(base, bound)| BatchCheck::new(base, bound));
            if !self.link(&within, file, check())? {
                self.copy(&within, file, check())?;
            }
        }
        self.disk.sync_dir(&dir).map_err(BackupFailed::at(&dir))?;
        self.pacer.done();
        Ok(())
    }

    /// Of a closed segment, where that is wished and possible.
    fn link(
        &mut self,
        within: &Path,
        record: &FileRecord,
        check: Option<BatchCheck>,
    ) -> Result<bool, BackupFailed> {
        if !self.links || record.source.is_none() {
            return Ok(false);
        }
        let (from, to) = (self.from.join(within).join(&record.name), self.to.join(within).join(&record.name));
        let file = self.disk.open(&from, OpenMode::Read).map_err(BackupFailed::at(&from))?;
        if file.hard_link(&to).is_err() {
            return Ok(false);
        }
        read(self.disk, &from, record, None, check, self.pacer)?;
        self.linked_bytes += record.bytes;
        Ok(true)
    }

    fn copy(
        &mut self,
        within: &Path,
        record: &FileRecord,
        check: Option<BatchCheck>,
    ) -> Result<(), BackupFailed> {
        let (from, to) = (self.from.join(within).join(&record.name), self.to.join(within).join(&record.name));
        let target = self.disk.open(&to, OpenMode::CreateNew).map_err(BackupFailed::at(&to))?;
        read(self.disk, &from, record, Some((&to, &*target)), check, self.pacer)?;
        let source = self.disk.open(&from, OpenMode::Read).map_err(BackupFailed::at(&from))?;
        preserve_time(&*source, &*target);
        target.sync_data().map_err(BackupFailed::at(&to))
    }
}
