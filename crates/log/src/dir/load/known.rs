//! What a directory's own files say of its logs: read before any of them is opened, and from then on ours to keep.

use std::path::{Path, PathBuf};

use pagewire_disk::checkpoint::{CLEAN_MARK_FILE, CLEANER_FILE, RECOVERY_POINT_FILE};
use pagewire_disk::{CleanMark, Disk, OffsetCheckpoint};

use super::scan::Found;
use crate::dir::checkpoints::{Checkpoints, Written};
use crate::dir::clean::Cleaning;
use crate::dir::errors::LogDirError;
use crate::dir::evidence::Evidence;
use crate::dir::notice::Notice;
use crate::dir::restored::{self, Unmarked};
use crate::dir::sums::Sums;
use crate::dir::suspicion::Suspicion;
use crate::dir::{parallel, vouched};
use crate::rewritten;
use crate::scrub::Noted;
use crate::sick::is_full;

/// What was known of the logs.
pub(super) struct Known {
    /// By what they are opened.
    pub(super) evidence: Evidence,
    /// How far each was compacted.
    pub(super) cleaning: Cleaning,
    /// What the checkpoint files hold.
    pub(super) written: Written,
    /// Their checksums.
    pub(super) sums: Sums,
    /// Where logs were found damaged is no longer known.
    pub(super) notes_are_lost: bool,
}

impl Known {
    /// Reads all of it. Nothing is changed; whether the last stop was an orderly one is not asked yet.
    pub(super) fn read(disk: &dyn Disk, dir: &Path, notices: &mut Vec<Notice>) -> Result<Self, LogDirError> {
        let mut sums = Sums::read(disk, dir, notices)?;
        let mark = || dir.join(CLEAN_MARK_FILE);
        if sums.lost_mark() {
            notices.push(Notice::MarkLost { path: mark() });
        }
        if let Some(damage) = sums.damaged_mark() {
            notices.push(Notice::MarkDamaged { path: mark(), damage: damage.clone() });
        }
        let (checkpoints, written) = Checkpoints::read(disk, dir, &mut sums, notices)?;
        let cleaning = Cleaning::read(disk, dir, &mut sums, notices)?;
        let vouched = vouched::read(disk, dir, notices)?;
        let (noted, useless) = Noted::read(disk, dir);
        let notes_are_lost = useless.is_some();
        notices.extend(useless.map(Notice::Damaged));
        let others_wrote = sums.others_wrote().is_some();
        let evidence = Evidence { checkpoints, vouched, noted, clean: false, others_wrote };
        Ok(Self { evidence, cleaning, written, sums, notes_are_lost })
    }

    /// Why there was no mark of an orderly stop, where that is no sign of a kill.
    pub(super) fn unmarked(&self, disk: &dyn Disk, dir: &Path) -> Option<Unmarked> {
        let noted = restored::take(disk, dir);
        let lost_mark = self.sums.lost_mark() || self.sums.damaged_mark().is_some();
        let unmarked = noted.or_else(|| lost_mark.then_some(Unmarked::MarkLost));
        unmarked.filter(|_| !self.evidence.clean)
    }

    /// Takes the mark of the last stop away, for the directory is about to be written; `evidence` says whether there
    /// was one that vouches for it. What holds no longer where somebody else had the directory goes before it.
    pub(super) fn take_over(
        &mut self,
        disk: &dyn Disk,
        dir: &Path,
        found: &[Found],
        threads: usize,
        notices: &mut Vec<Notice>,
    ) -> Result<(), LogDirError> {
        if let Some(why) = self.sums.others_wrote() {
            // Before the sums go that tell it.
            forget_compaction(disk, found, why, threads, notices);
        }
        let take_mark = || CleanMark::take(disk, dir).map_err(LogDirError::at(dir));
        if self.sums.damaged_mark().is_some() && self.sums.others_wrote().is_none() {
            // First: beside sums that say nothing of a mark it would be another program's. Gone before them it is lost, as it is.
            take_mark()?;
            return self.sums.settle(disk, dir);
        }
        self.sums.settle(disk, dir)?;
        self.evidence.clean = take_mark()? && self.sums.damaged_mark().is_none();
        Ok(())
    }

    /// Makes checkpoints that are missing where there is no log yet: from now on they are missing only where they were
    /// lost. Where there are logs, those are doubted whose checkpoint is.
    pub(super) fn make_up_for_lost(
        &mut self,
        disk: &dyn Disk,
        dir: &Path,
        found: &[Found],
    ) -> Result<(), LogDirError> {
        if !found.is_empty() {
            if self.cleaning.is_lost() {
                self.cleaning.doubt(found.iter().map(Found::name));
            }
            return Ok(());
        }
        let needed = [
            (RECOVERY_POINT_FILE, !self.evidence.checkpoints.legible),
            (CLEANER_FILE, self.cleaning.is_lost()),
        ];
        let empty = OffsetCheckpoint::new();
        let missing: Vec<_> =
            needed.iter().filter(|(_, missing)| *missing).map(|(file, _)| (*file, &empty)).collect();
        match self.sums.write(disk, dir, &missing) {
            // There is no log yet of which they would not speak; whoever makes one needs room as well.
            Err((_, error)) if !is_full(error.kind()) => Err(LogDirError::at(dir)(error)),
            _ => Ok(()),
        }
    }
}

/// Somebody else may have compacted the logs: what is known of that goes. Where it cannot, that is said by the attempt
/// to open the log.
fn forget_compaction(
    disk: &dyn Disk,
    found: &[Found],
    why: &Suspicion,
    threads: usize,
    notices: &mut Vec<Notice>,
) {
    let forgotten = parallel::map(found, threads, |Found { path, .. }| {
        rewritten::forget(disk, path).unwrap_or(false).then(|| path.clone())
    });
    let dirs: Vec<PathBuf> = forgotten.into_iter().flatten().collect();
    if !dirs.is_empty() {
        notices.push(Notice::Forgotten { dirs, why: why.clone() });
    }
}
