//! A copy of one log that follows it, round by round, until it is the log's equal.
//!
//! ```text
//!   catch_up   what was appended since, segments that were closed or replaced since: while the log is appended to
//!   complete   the same once nothing is appended any more, and the small files as of that end
//! ```
//!
//! A round takes what a segment has more than in the round before, so rounds become short, and the last one, for which appends
//! wait, is. Nothing of a copy counts before the last round: compaction and retention need not be held meanwhile, for a round
//! drops what is not the log's any more. Nor does it count where its files are not those that were written: somebody else may have
//! been there.
//!
//! Bytes are copied as they are, damaged ones too: that they are is known to the log, or found by the scrub.

use std::path::Path;
use std::sync::Arc;

use pagewire_disk::{Disk, OpenMode};

use super::carry::{Pace, carry_range};
use super::left::{Altered, Left, Unlike};
use super::moment::Moment;
use super::pin::{Active, Named, Pinned, PinnedActive, pin, pin_active};
use super::place::Placing;
use super::run::small_files;
use super::{BackupError, CopyOptions, Refused, preserve_time};
use crate::dir::Entry;
use crate::segment::{Segment, names};

/// How often a round begins anew because segments were replaced or removed meanwhile.
const TRIES_MAX: usize = 8;

/// Files that a segment may have, of which a closed one has all that it will.
const FILES: [&str; 4] = [names::LOG, names::INDEX, names::TIME_INDEX, names::TXN_INDEX];

/// Why a round came to nothing.
#[derive(Debug)]
pub(crate) enum Unfollowed {
    /// The partition was deleted.
    Deleted,
    /// Somebody opened its log anew: it is another one by now.
    Reopened,
    /// The copy is not what was written to it.
    Altered(Altered),
    /// Bytes could not be read or written, or nobody wants them any more.
    Failed(BackupError),
}

impl From<Unlike> for Unfollowed {
    fn from(why: Unlike) -> Self {
        match why {
            Unlike::Altered(altered) => Self::Altered(altered),
            Unlike::Failed(error) => Self::Failed(error),
        }
    }
}

impl From<BackupError> for Unfollowed {
    fn from(error: BackupError) -> Self {
        Self::Failed(error)
    }
}

/// What a copy has so far.
#[derive(Debug, Default)]
pub(crate) struct Follow {
    /// In the order of their offsets.
    copied: Vec<Copied>,
    /// The files of that, as they were written.
    left: Left,
    /// A last round was begun before.
    had_last_round: bool,
}

/// One segment in it.
#[derive(Debug)]
struct Copied {
    segment: Arc<Segment>,
    /// Of its `.log`.
    bytes: u64,
    /// It is closed, and all its files are there.
    is_whole: bool,
}

/// The end of a complete copy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Complete {
    /// First offset that could be read.
    pub(crate) log_start: i64,
    /// First offset of the oldest segment.
    pub(crate) first_base: i64,
    /// The offset after the last record.
    pub(crate) end: i64,
}

impl Follow {
    /// Bytes of records in the copy.
    pub(crate) fn bytes(&self) -> u64 {
        self.copied.iter().map(|one| one.bytes).sum()
    }

    /// Bytes of records that a round would copy now.
    pub(crate) fn left_bytes(&self, entry: &Entry) -> u64 {
        let segments = entry.log.segments.load();
        let left = |segment: &Arc<Segment>| {
            let copied = self.copied.iter().find(|one| Arc::ptr_eq(&one.segment, segment));
            segment.end().size.saturating_sub(copied.map_or(0, |one| one.bytes))
        };
        segments.iter().map(left).sum()
    }

    /// A round, into the directory `to` of `disk`, after which the copy reaches the offset that is answered. Blocks.
    pub(crate) fn catch_up(
        &mut self,
        entry: &Entry,
        (disk, to): (&dyn Disk, &Path),
        pace: Pace<'_>,
    ) -> Result<i64, Unfollowed> {
        let options = options(pace);
        let placing = Placing { disk, to, options: &options };
        self.round(entry, &placing).map(|(moment, _)| moment.end)
    }

    /// The last round, of a log to which nothing is appended. The copy and the names in it are on the disk then.
    pub(crate) fn complete(
        &mut self,
        entry: &Entry,
        (disk, to): (&dyn Disk, &Path),
        pace: Pace<'_>,
    ) -> Result<Complete, Unfollowed> {
        let options = options(pace);
        let placing = Placing { disk, to, options: &options };
        let (moment, active) = self.round(entry, &placing)?;
        if std::mem::replace(&mut self.had_last_round, true) {
            self.remove_small_files(&placing)?;
        }
        let mut written = Vec::new();
        if let (Some(segment), Some(aborted)) = (moment.segments.last(), &active.aborted) {
            self.remove(&placing, segment.base_offset, &[names::TXN_INDEX])?;
            written.push(placing.written(names::file(segment.base_offset, names::TXN_INDEX), aborted)?);
        }
        small_files(entry, &moment, &placing, &mut written)?;
        written.iter().try_for_each(|file| self.left.note_at(disk, to, &file.name))?;
        disk.sync_dir(to).map_err(BackupError::at(to))?;
        self.left.look_at_all(disk, to)?;
        if entry.log.is_given_up() {
            return Err(Unfollowed::Reopened);
        }
        let first_base = moment.segments.first().map_or(moment.end, |first| first.base_offset);
        Ok(Complete { log_start: moment.log_start, first_base, end: moment.end })
    }

    fn round(&mut self, entry: &Entry, placing: &Placing<'_>) -> Result<(Moment, Active), Unfollowed> {
        let mut last = None;
        for _ in 0..TRIES_MAX {
            if entry.log.is_given_up() {
                return Err(Unfollowed::Reopened);
            }
            let attempted = self.attempt(entry, placing);
            if entry.log.is_given_up() {
                return Err(Unfollowed::Reopened);
            }
            match attempted {
                Ok(Some(taken)) => return Ok(taken),
                Ok(None) => last = None,
                Err(Unfollowed::Failed(error @ BackupError::Missing(_))) => last = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(last.unwrap_or_else(|| BackupError::Changing(entry.log.dir().to_path_buf())).into())
    }

    /// `None`: the log's segments are others by now.
    fn attempt(
        &mut self,
        entry: &Entry,
        placing: &Placing<'_>,
    ) -> Result<Option<(Moment, Active)>, Unfollowed> {
        let moment = entry.round(|log| Moment::of(log, &log.writer.lock())).ok_or(Unfollowed::Deleted)?;
        let Some(moment) = moment else { return Ok(None) };
        self.drop_stale(&moment, placing)?;
        let pinned = entry.round(|log| pin_active(log, &moment)).transpose()?;
        let active = match pinned.ok_or(Unfollowed::Deleted)? {
            PinnedActive::Open(active) => active,
            PinnedActive::Taken | PinnedActive::Changed => return Ok(None),
        };
        for (at, segment) in moment.closed().iter().enumerate() {
            if self.copied.iter().any(|one| one.is_whole && Arc::ptr_eq(&one.segment, segment)) {
                continue;
            }
            let pinned = entry.round(|log| pin(log, &moment.segments, at, 1)).transpose()?;
            let Some(pinned) = pinned.ok_or(Unfollowed::Deleted)? else { return Ok(None) };
            for one in &pinned {
                self.closed(one, placing)?;
            }
        }
        if let Some(segment) = moment.segments.last() {
            self.log_of(segment, &active.log, placing)?;
        }
        Ok(Some((moment, active)))
    }

    /// Takes out of the copy what the log does not have any more.
    fn drop_stale(&mut self, moment: &Moment, placing: &Placing<'_>) -> Result<(), BackupError> {
        let is_there = |one: &Copied| moment.segments.iter().any(|now| Arc::ptr_eq(now, &one.segment));
        let (kept, stale): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.copied).into_iter().partition(is_there);
        self.copied = kept;
        stale.iter().try_for_each(|one| self.remove(placing, one.segment.base_offset, &FILES))
    }

    /// A segment to which nothing is appended any more.
    fn closed(&mut self, one: &Pinned, placing: &Placing<'_>) -> Result<(), Unlike> {
        self.log_of(&one.segment, &one.log, placing)?;
        self.remove(placing, one.base_offset, &[names::INDEX, names::TIME_INDEX, names::TXN_INDEX])?;
        for file in &one.beside {
            placing.beside(file)?;
            self.left.note_at(placing.disk, placing.to, &file.name)?;
        }
        if let Some(copied) = self.copied.iter_mut().find(|other| Arc::ptr_eq(&other.segment, &one.segment)) {
            copied.is_whole = true;
        }
        Ok(())
    }

    /// What a segment's `.log` has more than its copy.
    fn log_of(&mut self, segment: &Arc<Segment>, log: &Named, placing: &Placing<'_>) -> Result<(), Unlike> {
        let known = self.copied.iter().position(|one| Arc::ptr_eq(&one.segment, segment));
        let at = known.unwrap_or(self.copied.len());
        if known.is_none() {
            self.copied.push(Copied { segment: Arc::clone(segment), bytes: 0, is_whole: false });
        }
        let Some(copied) = self.copied.get_mut(at) else { return Ok(()) };
        let path = placing.to.join(&log.name);
        let file = placing.disk.open(&path, OpenMode::Create).map_err(BackupError::at(&path))?;
        if copied.bytes == 0 {
            file.set_len(0).map_err(BackupError::at(&path))?;
        } else {
            self.left.look(&path, &log.name, &*file)?;
        }
        if copied.bytes < log.bytes {
            let range = copied.bytes..log.bytes;
            let to = Some((path.as_path(), &*file));
            carry_range((&log.path, &*log.file), range, to, None, placing.options.pace)?;
            copied.bytes = log.bytes;
        }
        preserve_time(&*log.file, &*file);
        let synced = file.sync_data().and_then(|()| self.left.note(&log.name, &*file));
        Ok(synced.map_err(BackupError::at(&path))?)
    }

    /// Removes what an earlier last round left: it is as of another end.
    fn remove_small_files(&mut self, placing: &Placing<'_>) -> Result<(), BackupError> {
        let entries = placing.disk.read_dir(placing.to).map_err(BackupError::at(placing.to))?;
        let is_small = |name: &str| !FILES.iter().any(|suffix| name.ends_with(suffix));
        for entry in entries.iter().filter(|entry| !entry.is_dir && is_small(&entry.name)) {
            let path = placing.to.join(&entry.name);
            placing.disk.remove_file(&path).map_err(BackupError::at(&path))?;
            self.left.forget(&entry.name);
        }
        Ok(())
    }

    /// Removes files of a segment from the copy that may be there.
    fn remove(
        &mut self,
        placing: &Placing<'_>,
        base_offset: i64,
        suffixes: &[&str],
    ) -> Result<(), BackupError> {
        for suffix in suffixes {
            let name = names::file(base_offset, suffix);
            let path = placing.to.join(&name);
            match placing.disk.remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(BackupError::Io { path, error });
                }
                _ => self.left.forget(&name),
            }
        }
        Ok(())
    }
}

fn options(pace: Pace<'_>) -> CopyOptions<'_> {
    CopyOptions { links: false, verify: false, earlier: &|_| None, pace, refused: Refused::default() }
}
