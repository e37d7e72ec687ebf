//! Putting a cleaned segment in the place of those it was made of, so that a crash at any step leaves the old segments
//! or the new one, and readers never see anything between.
//!
//! ```text
//!                 on the disk, each line made durable before the next begins          a crash there leaves
//!   written       b.log.cleaned, indexes .cleaned, synced                             the old ones
//!   committed  1  indexes .cleaned ──▶ .swap                                          the old ones
//!              2  b.log.cleaned ──▶ b.log.swap     ◀── from here on the new one counts
//!                 (in memory: the list of segments changes)
//!   placed     3  old logs ──▶ .deleted                                               the new one, put in place when
//!              4  old indexes ──▶ .deleted, new ones .swap ──▶ their names            the log is opened (listing.rs)
//!              5  b.log.swap ──▶ b.log
//! ```
//!
//! Logs go before their indexes and come after them: a log without its index of aborted transactions would show aborted
//! records.
//!
//! Of the old segments those that lie at or past the end of the new one (nothing in them stayed) may be found again
//! after a crash between 2 and 3. All that is in them is superseded by what came later, or a deletion of what is gone
//! already: a log that was cleaned up to there and no further.
//!
//! Steps 3 to 5 that fail are tried again by the next clean or retention round; until then the new segment is read
//! under its `.swap` name.

use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::Arc;

use super::error::CleanError;
use crate::log::Log;
use crate::rewritten::Telling;
use crate::segment::stage::Stage;
use crate::segment::{Segment, names};

/// A segment's files that are derived from its log.
pub(super) const DERIVED: [&str; 3] = [names::INDEX, names::TIME_INDEX, names::TXN_INDEX];

/// What is under way in a log's directory: held while names change in it.
#[derive(Debug, Default)]
pub(crate) struct Placing(Option<Unplaced>);

/// A replacement that counts, but whose files do not all have their names yet.
#[derive(Debug)]
struct Unplaced {
    old: Vec<Arc<Segment>>,
    new: Arc<Segment>,
    due_ms: i64,
}

/// What one clean carries from one replacement to the next: what would cost as much as there are segments is done for the first.
#[derive(Debug, Default)]
pub(super) struct Pass {
    /// What is written down of the segments.
    pub(super) telling: Telling,
    /// Nothing of another clean is left in the directory.
    is_clear: bool,
}

impl Log {
    /// Makes files in the log's directory, unless the log has left it or takes no writes. A replacement that counts has
    /// its place first: the names of another's files would speak against it.
    pub(super) fn in_place<R>(&self, make: impl FnOnce() -> R) -> Result<R, CleanError> {
        let mut placing = self.placing.lock();
        self.online()?;
        self.place(&mut placing).map_err(CleanError::at(&self.home.dir))?;
        Ok(make())
    }

    /// Puts `new`, written and synced, in the place of `old`.
    pub(super) fn replace(
        &self,
        old: &[Arc<Segment>],
        new: Arc<Segment>,
        pass: &mut Pass,
        now_ms: i64,
    ) -> Result<(), CleanError> {
        let mut placing = self.placing.lock();
        let base_offset = new.base_offset;
        if let Err(error) = self.may_replace(old, &mut placing) {
            // Files with the other suffix would be those of an earlier replacement.
            self.remove_files(base_offset, Stage::Cleaned);
            return Err(error);
        }
        if let Err(error) = self.tell_of(old, &new, pass).and_then(|()| self.commit(&new, pass)) {
            self.remove_files(base_offset, Stage::Swap);
            self.remove_files(base_offset, Stage::Cleaned);
            return Err(CleanError::at(new.path())(error));
        }
        self.change_list(old, &new);
        let due_ms = now_ms.saturating_add(self.config.load().file_delete_delay_ms);
        placing.0 = Some(Unplaced { old: old.to_vec(), new, due_ms });
        self.place(&mut placing).map_err(CleanError::at(&self.home.dir))
    }

    fn may_replace(&self, old: &[Arc<Segment>], placing: &mut Placing) -> Result<(), CleanError> {
        self.online()?;
        self.place(placing).map_err(CleanError::at(&self.home.dir))?;
        if !self.config.load().cleanup_compact {
            return Err(CleanError::GivenUp("the topic is compacted no more"));
        }
        if position_of(&self.segments.load(), old).is_none() {
            return Err(CleanError::GivenUp("retention was faster"));
        }
        Ok(())
    }

    /// How long the new one is. Of segments with aborted transactions something was written down besides that does not
    /// fit it.
    fn tell_of(&self, old: &[Arc<Segment>], new: &Segment, pass: &mut Pass) -> io::Result<()> {
        if old.iter().any(|segment| segment.txns.len() > 0) {
            self.witness_aborted(Some(new))?;
        }
        self.tell_length(&mut pass.telling, old, new)
    }

    /// Steps 1 and 2. After an error nothing counts.
    fn commit(&self, new: &Segment, pass: &mut Pass) -> io::Result<()> {
        let (disk, dir) = (&*self.home.disk, &*self.home.dir);
        if !pass.is_clear {
            self.clear_foreign(new.base_offset)?;
            pass.is_clear = true;
        }
        for suffix in DERIVED {
            self.rename_stage(new, suffix, Stage::Cleaned, Stage::Swap)?;
        }
        disk.sync_dir(dir)?;
        self.rename_stage(new, names::LOG, Stage::Cleaned, Stage::Swap)?;
        new.stage.set(Stage::Swap);
        Ok(())
    }

    /// Another unfinished replacement, left by an earlier attempt, would speak against this one at the next start. The
    /// sync that follows is for its names too.
    fn clear_foreign(&self, base_offset: i64) -> io::Result<()> {
        let (disk, dir) = (&*self.home.disk, &*self.home.dir);
        let log = Stage::Cleaned.file(names::LOG);
        for entry in disk.read_dir(dir)? {
            if names::offset(&entry.name, &log).is_some_and(|other| other != base_offset) {
                disk.remove_file(&dir.join(&entry.name))?;
            }
        }
        Ok(())
    }

    /// Removes the files of a segment that will not be. What cannot be removed now is at the next start.
    pub(super) fn discard(&self, base_offset: i64) {
        let _placing = self.placing.lock();
        self.remove_files(base_offset, Stage::Cleaned);
    }

    /// The same after a panic, when nobody knows which segment that was.
    pub(crate) fn discard_unfinished(&self) {
        let _placing = self.placing.lock();
        let names = self.home.disk.read_dir(&self.home.dir).unwrap_or_default();
        let bases =
            names.iter().filter_map(|entry| names::offset(&entry.name, &Stage::Cleaned.file(names::LOG)));
        bases.for_each(|base| self.remove_files(base, Stage::Cleaned));
    }

    /// The caller holds `placing`: as long as the log is here, so is its directory. The log goes first, without it the
    /// others mean nothing.
    fn remove_files(&self, base_offset: i64, stage: Stage) {
        if self.has_left() {
            return;
        }
        for suffix in [names::LOG].into_iter().chain(DERIVED) {
            let path = self.home.path(base_offset, &stage.file(suffix));
            match self.home.disk.remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    tracing::debug!(path = %path.display(), %error, "left over from a compaction");
                }
                _ => {}
            }
        }
    }

    /// In memory. Retention waits while names change, so the segments are still there.
    fn change_list(&self, old: &[Arc<Segment>], new: &Arc<Segment>) {
        let _writer = self.writer.lock();
        let mut segments = Vec::clone(&self.segments.load());
        if let Some(at) = position_of(&segments, old) {
            segments.splice(at..at + old.len(), [Arc::clone(new)]);
            self.segments.store(Arc::new(segments));
        }
    }

    /// Steps 3 to 5 of what is committed, if anything is. The caller holds `placing`.
    pub(crate) fn place(&self, placing: &mut Placing) -> io::Result<()> {
        let Some(unplaced) = &placing.0 else { return Ok(()) };
        let placed = self.try_place(unplaced);
        placed.inspect_err(|error| self.fail(error, "a compacted segment is not in its place yet"))?;
        let bases = unplaced.old.iter().map(|segment| segment.base_offset);
        self.doomed.lock().add_renamed(bases, unplaced.due_ms);
        placing.0 = None;
        Ok(())
    }

    fn try_place(&self, unplaced: &Unplaced) -> io::Result<()> {
        let (disk, dir, new) = (&*self.home.disk, &*self.home.dir, &unplaced.new);
        // Step 2 for good.
        disk.sync_dir(dir)?;
        for old in &unplaced.old {
            // A rebuild under way ends first, and none begins any more.
            let _building = old.building.lock();
            old.stage.set(Stage::Replaced);
        }
        // In a directory that was partly placed before, the name may be the new one's already.
        if new.stage.get() == Stage::Swap && disk.exists(&self.stage_path(new, names::LOG, Stage::Swap))? {
            let bases = || unplaced.old.iter().map(|segment| segment.base_offset);
            for base in bases() {
                self.rename_deleted(base, &[names::LOG])?;
            }
            // One of which nothing stays may come back after a power cut. It has no entry that is needed, for these stay with their
            // markers; only a start would miss its index, and replay it.
            disk.sync_dir(dir)?;
            for base in bases().filter(|base| *base != new.base_offset) {
                self.rename_deleted(base, &DERIVED)?;
            }
            // Those of the first base are replaced by their successors.
            let _building = new.building.lock();
            for suffix in DERIVED {
                self.rename_stage(new, suffix, Stage::Swap, Stage::Named)?;
            }
            disk.sync_dir(dir)?;
            self.rename_stage(new, names::LOG, Stage::Swap, Stage::Named)?;
        }
        new.stage.set(Stage::Named);
        disk.sync_dir(dir)?;
        self.drop_empty_txn_index(new)
    }

    /// A segment without aborted transactions needs no index of them. It had one to take the place of its
    /// predecessor's.
    fn drop_empty_txn_index(&self, new: &Segment) -> io::Result<()> {
        if new.txns.len() > 0 {
            return Ok(());
        }
        match self.home.disk.remove_file(&self.home.path(new.base_offset, names::TXN_INDEX)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn rename_stage(&self, segment: &Segment, suffix: &str, from: Stage, to: Stage) -> io::Result<()> {
        let (from, to) = (self.stage_path(segment, suffix, from), self.stage_path(segment, suffix, to));
        match self.home.disk.rename(&from, &to) {
            // An earlier attempt came so far.
            Err(error) if error.kind() == ErrorKind::NotFound && suffix != names::LOG => Ok(()),
            renamed => renamed,
        }
    }

    fn stage_path(&self, segment: &Segment, suffix: &str, stage: Stage) -> PathBuf {
        self.home.path(segment.base_offset, &stage.file(suffix))
    }
}

/// Where `old` stands in the list, whole and in one piece.
fn position_of(segments: &[Arc<Segment>], old: &[Arc<Segment>]) -> Option<usize> {
    let first = old.first()?;
    let at = segments.iter().position(|segment| Arc::ptr_eq(segment, first))?;
    let there = segments.get(at..at + old.len())?;
    there.iter().zip(old).all(|(a, b)| Arc::ptr_eq(a, b)).then_some(at)
}
