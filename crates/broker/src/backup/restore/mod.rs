//! Making data directories of a backup: one, or several over which its logs are spread.
//!
//! Every byte is checked while it is copied, and nothing can be served before all of it was: `serve` refuses a
//! directory that is marked as being restored. Only closed segments may be linked to the backup's files instead,
//! because nothing is ever written to them: compaction makes new files, retention removes names. Records that were
//! damaged when the backup was made are taken over as they are, and noted where a start looks: their reads are refused
//! from the first one on. What changed in the backup itself ends a restore, unless it shall be accepted: then a segment
//! is taken up to where it can be read, and what the records or the manifest know is made anew. Only the manifest
//! cannot be done without. A restore that fails, or is ended, takes away what it made.
//!
//! The restored broker goes on under the same ids. Its records may be older than what clients have seen, and the
//! original may have given out ids since: it leads by an epoch far above, so that clients look where their records end
//! (KIP-320, decisions/0012), and gives out producer ids from far above.

mod anew;
mod homes;
mod logs;

use std::path::PathBuf;

use pagewire_disk::OsDisk;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

use super::damage::Damage;
use super::pacer::Pacer;
use super::reading::Reading;
use super::verify::{all_are_as_long, open};
use super::{BackupFailed, Lacks, Limits, Progress};
use homes::Homes;
use logs::Restoring;

/// How a backup is restored.
#[derive(Debug, Clone)]
pub struct RestoreOptions {
    /// The backup.
    pub from: PathBuf,
    /// The data directories to be, the one with the metadata first: they do not exist, or are empty.
    pub to: Vec<PathBuf>,
    /// Closed segments may be links to the backup's files.
    pub links: bool,
    /// Files that are not what was copied are taken as they are, with what is damaged in them noted, or are made anew
    /// where they can be.
    pub accept_damage: bool,
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
    /// Records that are damaged.
    pub damage: Damage,
    /// What the backup lacks: its partitions begin anew, without a record.
    #[serde(default)]
    pub lacks: Lacks,
}

/// Makes data directories of a backup. Blocks; must not run on a thread of the runtime.
pub fn restore(
    options: &RestoreOptions,
    runtime: &Handle,
    limits: &Limits,
    tell: &dyn Fn(&Progress),
) -> Result<Restored, BackupFailed> {
    let disk = OsDisk::with_writeback(pagewire_zcopy::start_writeback);
    let from = &options.from;
    let manifest = open(&disk, from)?;
    if !options.accept_damage {
        all_are_as_long(&disk, from, &manifest)?;
    }
    let mut homes = Homes::begin(&disk, from, &options.to)?;
    let pacer = Pacer::new(limits, tell);
    pacer.expect(manifest.logs.len(), manifest.bytes());
    let reading = Reading { disk: &disk, pacer: &pacer };
    let mut restoring = Restoring {
        from,
        manifest: &manifest,
        links: options.links,
        accept_damage: options.accept_damage,
        reading: &reading,
        runtime,
        linked_bytes: 0,
        damage: Damage::default(),
    };
    let filled = restoring.all(&mut homes).and_then(|()| homes.succeed(runtime, &manifest));
    let (linked_bytes, damage) = (restoring.linked_bytes, restoring.damage);
    if let Err(error) = filled {
        homes.abandon(&disk);
        return Err(error);
    }
    homes.finish(&disk)?;
    Ok(Restored {
        lacks: Lacks::of(&manifest),
        logs: manifest.logs.len(),
        bytes: manifest.bytes(),
        linked_bytes,
        cluster_id: manifest.head.cluster_id,
        node_id: manifest.head.node_id,
        started_ms: manifest.head.started_ms,
        damage,
    })
}
