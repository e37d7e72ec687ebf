//! Towards stable storage: syncs, paced writeback, and the orderly end.
//!
//! A sync covers everything that was appended when it began. It holds no lock that appends or reads need. After a
//! failed sync the kernel may have dropped the pages it could not write (fsync(2)), so nothing is acknowledged again:
//! the log goes offline, and who opens it again finds out what is really there. A sync that could not begin, for want of a
//! descriptor, is no failed one. What is derived from records does not take the log with it: index entries are written again
//! before they are synced again, and a snapshot of producers that could not be synced goes.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::errors::Offline;
use crate::log::Log;
use crate::segment::flow::SyncError;
use crate::segment::{Segment, names};
use crate::sick::is_shortage;
use crate::txns::witness::Witness;

impl Log {
    /// fdatasync of all that was appended before the call; returns the offset below which everything is stable (the
    /// new recovery point). One at a time; a caller that waited for another's sync does its own.
    pub fn sync(&self) -> io::Result<i64> {
        if self.is_moved() {
            // All of it was stable before it moved.
            return Ok(self.marks.load().recovery_point);
        }
        self.online()?;
        let _one_at_a_time = self.syncs.lock();
        self.online()?;
        let target = self.marks.load().log_end;
        self.sync_segments(&self.segments.load_full(), target)
    }

    /// What closed segments hold becomes stable without anybody asking, so that recovery never has more to check than
    /// the active segment and what was written since the last [`Log::pace`].
    pub(crate) fn sync_closed(&self) -> io::Result<()> {
        let _one_at_a_time = self.syncs.lock();
        self.online()?;
        let segments = self.segments.load_full();
        let Some((active, closed)) = segments.split_last() else { return Ok(()) };
        self.sync_segments(closed, active.base_offset).map(drop)
    }

    /// Syncs what is dirty of `segments`, which hold everything below `target`. The caller holds `syncs`.
    fn sync_segments(&self, segments: &[Arc<Segment>], target: i64) -> io::Result<i64> {
        match self.sync_dirty(segments) {
            Ok(()) => {
                self.marks.synced_to(target);
                self.tell_unnoted();
                Ok(self.marks.load().recovery_point)
            }
            Err(SyncError::NotBegun(error)) => {
                self.fail(&error, "sync not begun");
                Err(error)
            }
            Err(SyncError::Failed(error)) => {
                self.poison(&error, "sync failed");
                Err(error)
            }
        }
    }

    fn sync_dirty(&self, segments: &[Arc<Segment>]) -> Result<(), SyncError> {
        // Oldest first, so that stable bytes have no hole before them.
        let clean = segments.iter().rposition(|segment| segment.is_closed() && !segment.is_dirty());
        let first = clean.map_or(0, |clean| clean + 1);
        let mut is_news = false;
        for segment in segments.iter().skip(first).filter(|segment| segment.is_dirty()) {
            self.sync_segment(segment)?;
            if let Err(error) = segment.settle() {
                self.fail(&error, "a closed segment's indexes are not synced");
            }
            is_news |= segment.txns.len() > 0 && (segment.is_closed() || !segment.txns.is_named());
        }
        let is_behind = self.aborted_behind.swap(false, Ordering::AcqRel);
        if (is_news || is_behind)
            && let Err(error) = self.witness_aborted(None)
        {
            self.aborted_behind.store(true, Ordering::Release);
            self.fail(&error, "what was aborted is not written down");
        }
        // A start does without.
        let _ = self.sync_snapshots();
        if self.dir_dirty.swap(false, Ordering::AcqRel)
            && let Err(error) = self.home.disk.sync_dir(&self.home.dir)
        {
            self.dir_dirty.store(true, Ordering::Release);
            // A directory is opened for its sync.
            return Err(if is_shortage(&error) { SyncError::NotBegun } else { SyncError::Failed }(error));
        }
        Ok(())
    }

    /// Nothing is stable in a file that somebody removed.
    fn sync_segment(&self, segment: &Arc<Segment>) -> Result<(), SyncError> {
        let away = segment.sync()?.and_then(|file| self.told_away(segment, &*file));
        away.map_or(Ok(()), |error| Err(SyncError::Failed(error)))
    }

    /// Writes down what was aborted in closed segments and in one that may take the place of others, and that something was in
    /// the active one.
    pub(crate) fn witness_aborted(&self, coming: Option<&Segment>) -> io::Result<()> {
        let _one_at_a_time = self.witness.lock();
        let segments = self.segments.load_full();
        let mut witness = Witness::of(segments.iter().map(|one| &**one));
        if let Some(segment) = coming {
            witness = witness.or(segment.base_offset, segment.txns.sum(segment.base_offset));
        }
        if self.has_left() {
            return Ok(());
        }
        witness.write(&*self.home.disk, &self.home.dir)?;
        for named in segments.iter().filter(|one| witness.names(one.base_offset)) {
            named.txns.note_named();
        }
        Ok(())
    }

    /// Makes the snapshots of producers stable. One that cannot be is none any more: what is on the disk of it nobody knows, and
    /// another sync would prove nothing. Whoever relies on one is told.
    pub(crate) fn sync_snapshots(&self) -> io::Result<()> {
        let mut all = Ok(());
        // Whoever rolls holds the writer and waits for these: nobody waits for a disk or for the writer meanwhile.
        let due = std::mem::take(&mut *self.small_files.lock());
        for (offset, file) in due {
            if let Err(error) = file.sync_data() {
                self.fail(&error, "a producer snapshot is not synced");
                self.writer.lock().snapshots.retain(|one| *one != offset);
                let _ = self.home.disk.remove_file(&self.home.path(offset, names::SNAPSHOT));
                all = Err(error);
            }
        }
        all
    }

    /// Asks the kernel to write dirty bytes now, before so many pile up that it stops the writer; reserves blocks
    /// ahead of the writer and releases those of closed segments; syncs segments that were closed since. Returns the
    /// bytes handed to the kernel.
    ///
    /// Run it where a stall hurts nobody, when [`Appended::pace_due`](crate::Appended::pace_due) says so. Cheap if there
    /// is nothing to do; does nothing while another call is at it, or offline.
    pub fn pace(&self) -> io::Result<u64> {
        let Some(_one_at_a_time) = self.pacing.try_lock() else { return Ok(0) };
        if self.online().is_err() {
            return Ok(0);
        }
        let config = self.config.load();
        let segments = self.segments.load_full();
        let mut pushed = 0;
        for segment in segments.iter().rev().take_while(|segment| !segment.is_closed() || segment.is_dirty())
        {
            pushed += segment.write_back(u64::from(config.pace_bytes))?;
            if !segment.is_closed() {
                segment.reserve(u64::from(config.segment_bytes), config.preallocate);
            }
        }
        if segments.iter().any(|segment| segment.is_closed() && segment.is_dirty()) {
            self.sync_closed()?;
        }
        Ok(pushed)
    }

    /// Gives back the blocks that were reserved ahead, if nothing was appended since the last call.
    pub fn give_back_idle(&self) -> io::Result<()> {
        let Some(active) = self.active() else { return Ok(()) };
        let size = active.end().size;
        let is_idle = active.flow.seen.swap(size, Ordering::AcqRel) == size;
        if !is_idle || active.flow.reserved.load(Ordering::Acquire) <= size {
            return Ok(());
        }
        // Nothing is reserved meanwhile, and nothing appended.
        let (Some(_pacing), _writer) = (self.pacing.try_lock(), self.writer.lock()) else { return Ok(()) };
        if active.end().size == size { active.trim() } else { Ok(()) }
    }

    /// The orderly end: indexes and producer state written, reservations released, everything synced. The log takes
    /// no writes afterwards; reads go on.
    pub fn close(&self, now_ms: i64) -> io::Result<()> {
        self.wind_up(now_ms)?;
        self.sync_wound_up()
    }

    /// The first half of [`close`](Self::close), after which nothing is written any more. The kernel is asked to write what is
    /// dirty, so that of many logs that end together all are under way when the first is waited for.
    pub(crate) fn wind_up(&self, now_ms: i64) -> io::Result<()> {
        self.expire_producers(now_ms);
        // A sync that fails meanwhile is heard before the log counts as closed; none begins after it.
        let _one_at_a_time = self.syncs.lock();
        let mut writer = self.writer.lock();
        self.online()?;
        let log_end = self.marks.load().log_end;
        self.snapshot_producers(&mut writer, log_end)?;
        if self.epochs_behind.load(Ordering::Acquire) {
            // A start makes them anew.
            let _ = self.write_epochs();
        }
        if let Some(active) = self.active() {
            active.write_indexes()?;
            active.trim()?;
            active.write_back_end()?;
        }
        for (_, file) in &*self.small_files.lock() {
            file.start_writeback(0, file.len()?)?;
        }
        if self.offline.set(closed()).is_err() {
            return Err(self.online().map_or_else(io::Error::from, |()| io::ErrorKind::Other.into()));
        }
        Ok(())
    }

    /// The second half: everything is stable when it returns.
    pub(crate) fn sync_wound_up(&self) -> io::Result<()> {
        let _one_at_a_time = self.syncs.lock();
        if let Some(active) = self.active() {
            active.sync_indexes()?;
        }
        self.sync_segments(&self.segments.load_full(), self.marks.load().log_end).map(drop)
    }

    /// No writes and syncs from now on, and none under way any more. Nothing is written for that.
    pub(crate) fn give_up(&self, reason: &str) {
        self.given_up.store(true, Ordering::Release);
        let _ = self.offline.set(Offline { reason: reason.into(), kind: io::ErrorKind::Other });
        drop(self.writer.lock());
        drop(self.syncs.lock());
        drop(self.placing.lock());
    }

    /// Whether somebody else opens its files anew, or has done so: what is read of them by name is not this log's any more.
    pub(crate) fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Acquire)
    }
}

fn closed() -> Offline {
    Offline { reason: "the log is closed".into(), kind: io::ErrorKind::Other }
}
