//! The `leader-epoch-checkpoint` of a log beside the walk over its batches.

use std::path::{Path, PathBuf};

use pagewire_disk::checkpoint::EPOCH_CHECKPOINT_FILE;
use pagewire_disk::{Disk, EpochCheckpoint, EpochEntry};
use pagewire_record::BatchHeader;

use super::finding::{Fate, Finding, Severity};
use super::job::Kept;

/// A batch that no leader has numbered. Below it there is none.
const NO_EPOCH: i32 = -1;

/// What the file says, and where the walk stands in it.
#[derive(Debug, Default)]
pub(super) struct EpochsCheck {
    path: PathBuf,
    /// `None`: there is no file, or a useless one.
    entries: Option<Vec<EpochEntry>>,
    missing: bool,
    at: usize,
    wrong: Option<(i64, i32, i32)>,
    wrongs: u64,
    live: bool,
}

impl EpochsCheck {
    /// Reads the file in `dir`.
    pub(super) fn read(disk: &dyn Disk, dir: &Path, live: bool, kept: &mut Kept) -> Self {
        let path = dir.join(EPOCH_CHECKPOINT_FILE);
        let (mut entries, mut missing) = (None, false);
        match EpochCheckpoint::read(disk, &path) {
            Ok(Some(checkpoint)) => entries = Some(checkpoint.entries),
            Ok(None) => missing = true,
            Err(error) => {
                let what = super::small_file_trouble(&error);
                kept.push(Finding::new(Severity::Damage, &path, what, Fate::Rebuilt));
            }
        }
        Self { path, entries, missing, at: 0, wrong: None, wrongs: 0, live }
    }

    /// Where the first epoch begins.
    pub(super) fn first_offset(&self) -> Option<i64> {
        self.entries.as_ref()?.first().map(|entry| entry.start_offset)
    }

    /// The walk came to a batch.
    pub(super) fn meet(&mut self, header: &BatchHeader) {
        let Some(entries) = &self.entries else { return };
        if header.partition_leader_epoch == NO_EPOCH {
            return;
        }
        while entries.get(self.at + 1).is_some_and(|next| next.start_offset <= header.base_offset) {
            self.at += 1;
        }
        let said = match entries.get(self.at) {
            // What was deleted with the beginning of the log is in no entry.
            Some(entry) if header.last_offset() < entry.start_offset => return,
            Some(entry) => entry.epoch,
            None => NO_EPOCH,
        };
        let (found, newer) = (header.partition_leader_epoch, header.partition_leader_epoch > said);
        let grown = self.live && newer && self.at + 1 >= entries.len();
        if found != said && !grown {
            self.wrongs += 1;
            self.wrong.get_or_insert((header.base_offset, found, said));
        }
    }

    /// The walk came to the end of a log that begins and ends here.
    pub(super) fn end(self, log_start: i64, log_end: i64, kept: &mut Kept) {
        let Self { path, entries, missing, wrong, wrongs, live, .. } = self;
        if missing && log_end > log_start {
            let what = "it is missing; every batch names its epoch";
            kept.push(Finding::new(Severity::Doubt, &path, what, Fate::Rebuilt));
        }
        if let Some((offset, found, said)) = wrong {
            let said = if said < 0 { "no epoch".to_owned() } else { format!("epoch {said}") };
            let what =
                format!("the batch here is of epoch {found}, the file says {said} ({wrongs} such batches)");
            kept.push(Finding::new(Severity::Damage, &path, what, Fate::Rebuilt).offset(offset));
        }
        let last = entries.as_ref().and_then(|entries| entries.last());
        if let Some(last) = last.filter(|last| last.start_offset > log_end && !live) {
            let what = format!(
                "epoch {} begins at {}, behind the log's end {log_end}",
                last.epoch, last.start_offset
            );
            kept.push(Finding::new(Severity::Doubt, &path, what, Fate::Rebuilt));
        }
    }
}
