//! The mark a clean stop leaves: every log was closed and synced, so the next start need not look for torn tails.
//!
//! It is a hint about effort, never evidence: a start that finds it still checks each log's tail cheaply. It is
//! removed before anything is written again. Kafka does the same, and names its broker's epoch in it (4.3.1:
//! `{"version":0,"brokerEpoch":22}`; older ones leave it empty). Only the file's existence says that the stop was
//! clean.

use std::io;
use std::path::Path;

use crate::disk::Disk;
use crate::small::{parent, read_small, write_atomically};

/// Name of the mark in a log directory.
pub const CLEAN_MARK_FILE: &str = ".kafka_cleanshutdown";

/// Kafka's form without a broker epoch: a Kafka that has registered has one.
const CONTENT: &[u8] = br#"{"version":0,"brokerEpoch":-1}"#;

/// More than any mark holds.
const MAX_BYTES: u64 = 4096;

/// The mark in one log directory.
#[derive(Debug, Clone, Copy)]
pub struct CleanMark;

impl CleanMark {
    /// Leaves the mark, durably. Everything it vouches for must be synced before.
    pub fn write(disk: &dyn Disk, dir: &Path) -> io::Result<()> {
        write_atomically(disk, &dir.join(CLEAN_MARK_FILE), CONTENT)
    }

    /// Takes the mark away, durably, and says whether there was one. Nothing may be written before this returns.
    pub fn take(disk: &dyn Disk, dir: &Path) -> io::Result<bool> {
        let path = dir.join(CLEAN_MARK_FILE);
        match disk.remove_file(&path) {
            Ok(()) => disk.sync_dir(parent(&path)).map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether the mark is there and another program left it. Kafka names the epoch of its broker in it.
    pub fn is_anothers(disk: &dyn Disk, dir: &Path) -> io::Result<bool> {
        match read_small(disk, &dir.join(CLEAN_MARK_FILE), MAX_BYTES) {
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Ok(true),
            read => Ok(read?.is_some_and(|content| content != CONTENT)),
        }
    }

    /// Whether the mark is there.
    pub fn exists(disk: &dyn Disk, dir: &Path) -> io::Result<bool> {
        disk.exists(&dir.join(CLEAN_MARK_FILE))
    }
}
