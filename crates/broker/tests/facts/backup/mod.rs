//! Backups of a broker that is busy, and what comes of them.

mod altered;
mod busy;
mod compacted;
mod damaged;
mod lacking;
mod refused;
mod restored;
mod transactions;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use pagewire_broker::backup::{
    Altered, BackupFailed, BackupSummary, Limits, RestoreOptions, Restored, restore, verify,
};
use serde_json::json;
use tempfile::TempDir;

use crate::control::Control;
use crate::harness::{Broker, runtime};

/// Ends the threads that look at the flag, also when the test fails.
struct EndsOthers<'f>(&'f AtomicBool);

impl Drop for EndsOthers<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Where backups go, and what is made of them.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Has the broker make a backup.
    fn back_up(&self, broker: &Broker, name: &str) -> BackupSummary {
        self.try_back_up(broker, name).unwrap()
    }

    fn try_back_up(&self, broker: &Broker, name: &str) -> Result<BackupSummary, String> {
        let request = json!({"verb": "backup", "to": self.path(name)});
        Control::of(broker.dir()).ask(&request).map(|summary| serde_json::from_value(summary).unwrap())
    }

    /// Makes a data directory of a backup.
    fn restore(&self, from: &str, to: &str) -> Restored {
        self.try_restore(from, to, false).unwrap()
    }

    fn try_restore(&self, from: &str, to: &str, links: bool) -> Result<Restored, BackupFailed> {
        let verified = verify(&self.path(from), &Limits::default(), &|_| {})?;
        if let Some(Altered { file, reason, .. }) = verified.damage.altered.into_iter().next() {
            return Err(BackupFailed::Altered { path: file.into(), reason });
        }
        self.restore_with(from, &[to], links, false)
    }

    fn restore_with(
        &self,
        from: &str,
        to: &[&str],
        links: bool,
        accept_damage: bool,
    ) -> Result<Restored, BackupFailed> {
        let to = to.iter().map(|name| self.path(name)).collect();
        let options = RestoreOptions { from: self.path(from), to, links, accept_damage };
        restore(&options, runtime().handle(), &Limits::default(), &|_| {})
    }
}

/// The records of a partition's segments in a directory, one after the other.
fn bytes_in(dir: &Path, partition: &str) -> Vec<u8> {
    let names = std::fs::read_dir(dir.join(partition)).unwrap().map(|entry| entry.unwrap().path());
    let mut logs: Vec<PathBuf> =
        names.filter(|path| path.extension().is_some_and(|extension| extension == "log")).collect();
    logs.sort();
    logs.into_iter().flat_map(|path| std::fs::read(path).unwrap()).collect()
}
