//! The mark a clean stop leaves: every log was closed and synced, so the next start need not look for torn tails.
//!
//! It is a hint about effort, never evidence: a start that finds it still checks each log's tail cheaply. It is
//! removed before anything is written again. Kafka does the same, and names its broker's epoch in it (4.3.1:
//! `{"version":0,"brokerEpoch":22}`; older ones leave it empty). One that says neither is damaged, and vouches for nothing.

use std::io;
use std::path::Path;

use super::error::{CheckpointError, Damage, load};
use crate::disk::Disk;
use crate::small::{parent, write_atomically};

/// Name of the mark in a log directory.
pub const CLEAN_MARK_FILE: &str = ".kafka_cleanshutdown";

/// Kafka's form without a broker epoch: a Kafka that has registered has one.
const CONTENT: &[u8] = br#"{"version":0,"brokerEpoch":-1}"#;

/// More than any mark holds.
const MAX_BYTES: u64 = 4096;

/// Who left a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftBy {
    /// This program.
    Us,
    /// A Kafka, which names the epoch of its broker.
    Kafka,
}

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

    /// Who left the mark, if there is one. [`Damage::Empty`]: an older Kafka, or what was in it is lost.
    pub fn read(disk: &dyn Disk, dir: &Path) -> Result<Option<LeftBy>, CheckpointError> {
        load(disk, &dir.join(CLEAN_MARK_FILE), MAX_BYTES, left_by)
    }

    /// Whether the mark is there and another program left it, as far as the mark alone can tell.
    pub fn is_anothers(disk: &dyn Disk, dir: &Path) -> io::Result<bool> {
        match Self::read(disk, dir) {
            Ok(left_by) => Ok(left_by == Some(LeftBy::Kafka)),
            Err(CheckpointError::Damaged { damage, .. }) => Ok(damage == Damage::Empty),
            Err(CheckpointError::Io { error, .. }) => Err(error),
        }
    }

    /// Whether the mark is there, whatever it says.
    pub fn exists(disk: &dyn Disk, dir: &Path) -> io::Result<bool> {
        disk.exists(&dir.join(CLEAN_MARK_FILE))
    }
}

/// Each writes its form and no other.
fn left_by(text: &str) -> Result<LeftBy, Damage> {
    if text.as_bytes() == CONTENT {
        return Ok(LeftBy::Us);
    }
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let numbers = text.strip_prefix(r#"{"version":"#).and_then(|rest| rest.strip_suffix('}'));
    let numbers = numbers.and_then(|numbers| numbers.split_once(r#","brokerEpoch":"#));
    let is_kafkas = numbers.is_some_and(|(version, epoch)| is_number(version) && is_number(epoch));
    let expected = "the mark of an orderly stop, this program's or Kafka's";
    is_kafkas.then_some(LeftBy::Kafka).ok_or(Damage::Line { line: 1, expected })
}
