//! One segment: a `.log` file with its two indexes.
//!
//! The active (last) segment grows; closed ones never change. Where it ends is one atomic number (offset and size
//! together), published after the bytes are written, so a reader never sees an end whose bytes are not there.
//! Files are opened when needed and may be closed again by the descriptor budget.

pub(crate) mod ages;
pub(crate) mod beside;
pub(crate) mod flow;
pub(crate) mod gaps;
pub(crate) mod named;
pub(crate) mod names;
pub(crate) mod packed;
pub(crate) mod stage;
pub(crate) mod steps;
pub(crate) mod unshare;
pub(crate) mod unverified;
pub(crate) mod writeback;
pub(crate) mod youth;

use std::io::{self, IoSlice};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use pagewire_disk::{DiskFile, OpenMode};
use pagewire_record::BatchHeader;
use parking_lot::Mutex;

use crate::handles::LazySlot;
use crate::home::Home;
use crate::index::offset::{Entry, OffsetIndex};
use crate::index::time::{TimeEntry, TimeIndex};
use crate::later::Later;
use crate::patience::Patience;
use crate::scrub::KnownDamage;
use crate::segment::ages::Ages;
use crate::segment::flow::Flow;
use crate::segment::gaps::{Gaps, GapsCell};
use crate::segment::packed::Packed;
use crate::segment::stage::{Stage, StageCell};
use crate::segment::steps::Steps;
use crate::segment::unverified::Unverified;
use crate::txns::index::TxnIndex;

/// As far as it fits: what is missing then are offsets that compaction emptied, before the next segment begins.
fn relative_end(next_offset: i64, base_offset: i64) -> u64 {
    (next_offset - base_offset).clamp(0, i64::from(u32::MAX)) as u64
}

/// Where a segment ends at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct End {
    /// The offset after the last record.
    pub(crate) next_offset: i64,
    /// Bytes.
    pub(crate) size: u64,
}

/// One segment. Methods that write are the writer's alone.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) base_offset: i64,
    pub(crate) home: Arc<Home>,
    pub(crate) index: OffsetIndex,
    pub(crate) times: TimeIndex,
    pub(crate) txns: TxnIndex,
    /// Taken while the derived files are rebuilt.
    pub(crate) building: Mutex<()>,
    /// How often that was done.
    pub(crate) rebuilt: AtomicU32,
    /// It was, and failed.
    pub(crate) rebuild_later: Later,
    /// Taken while the end of damage is looked for: that may take seconds, and is done once.
    pub(crate) searching: Mutex<()>,
    pub(crate) log_slot: LazySlot,
    index_slot: LazySlot,
    /// The offset index is being written anew, beside its file.
    index_beside: AtomicBool,
    end: Packed,
    /// Base offset and position of the newest batch: what a consumer at the tail asks for.
    newest: Packed,
    /// Where readers go on behind a batch they took.
    pub(crate) steps: Steps,
    closed: AtomicBool,
    /// Under which names its files are found.
    pub(crate) stage: StageCell,
    pub(crate) flow: Flow,
    pub(crate) ages: Ages,
    /// Where offsets may be missing that are no losses.
    pub(crate) gaps: GapsCell,
    /// What of it must not be served.
    pub(crate) damage: KnownDamage,
    /// Places of it were told since the scrub was through with it.
    pub(crate) damage_told: AtomicBool,
    /// That its file is gone was told.
    pub(crate) told_lost: AtomicBool,
    /// A read came to bytes that are no batch: the scrub looks at it before anything else.
    pub(crate) suspect: AtomicBool,
    /// Recovery is at it: where it ends is not known yet, and what is damaged in it is not learned by the way.
    pub(crate) unsettled: AtomicBool,
    /// What was taken over at the start without being read, and nobody has verified since.
    pub(crate) unverified: Unverified,
}

impl Segment {
    /// A segment whose files exist. `synced`: up to which size they are on stable storage.
    pub(crate) fn existing(home: Arc<Home>, base_offset: i64, end: End, synced: u64, closed: bool) -> Self {
        let relative = relative_end(end.next_offset, base_offset);
        let flow = Flow::of_existing(end.size, synced, closed);
        let gaps = GapsCell::default();
        gaps.set(if home.was_compacted() { Gaps::Anywhere } else { Gaps::None });
        let unread = closed && home.whole_to(base_offset) < end.size;
        Self {
            base_offset,
            home,
            index: OffsetIndex::default(),
            times: TimeIndex::default(),
            txns: TxnIndex::default(),
            building: Mutex::default(),
            rebuilt: AtomicU32::default(),
            rebuild_later: Later::default(),
            searching: Mutex::default(),
            log_slot: LazySlot::default(),
            index_slot: LazySlot::default(),
            index_beside: AtomicBool::new(false),
            end: Packed::new(relative, end.size),
            newest: Packed::new(u64::from(u32::MAX), 0),
            steps: Steps::default(),
            closed: AtomicBool::new(closed),
            stage: StageCell::default(),
            flow,
            ages: Ages::default(),
            gaps,
            damage: KnownDamage::default(),
            damage_told: AtomicBool::new(false),
            told_lost: AtomicBool::new(false),
            suspect: AtomicBool::new(false),
            unsettled: AtomicBool::new(false),
            unverified: Unverified::new(if unread { u64::MAX } else { 0 }),
        }
    }

    /// Makes the files of a segment that shall replace others, under names of their own. Leftovers of an earlier
    /// attempt are emptied.
    pub(crate) fn create_cleaned(home: Arc<Home>, base_offset: i64) -> io::Result<Self> {
        let segment = Self::existing(home, base_offset, End { next_offset: base_offset, size: 0 }, 0, false);
        segment.stage.set(Stage::Cleaned);
        segment.gaps.set(Gaps::Anywhere);
        segment.empty_index_files()?;
        segment.open(names::TXN_INDEX, OpenMode::Create)?.set_len(0)?;
        let log = segment.open(names::LOG, OpenMode::Create)?;
        log.set_len(0)?;
        segment.home.handles.put(&segment.log_slot, &log);
        segment.index.start_empty();
        segment.times.start_empty();
        Ok(segment)
    }

    /// Makes the files of a new segment, the `.log` last: without it there is no segment, whatever failed. An earlier
    /// file of that name must be empty.
    pub(crate) fn create(home: Arc<Home>, base_offset: i64) -> io::Result<Self> {
        let segment = Self::existing(home, base_offset, End { next_offset: base_offset, size: 0 }, 0, false);
        segment.gaps.set(Gaps::None);
        segment.empty_index_files()?;
        let log = match segment.open(names::LOG, OpenMode::CreateNew) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let log = segment.open(names::LOG, OpenMode::ReadWrite)?;
                if !log.is_empty()? {
                    return Err(error);
                }
                log
            }
            made => made?,
        };
        segment.home.handles.put(&segment.log_slot, &log);
        segment.index.start_empty();
        segment.times.start_empty();
        Ok(segment)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.home.path(self.base_offset, &self.stage.get().file(names::LOG))
    }

    /// Opens one of its files. `NotFound` once it was replaced: what has the name then is another's.
    pub(crate) fn open(&self, suffix: &str, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        self.open_called(suffix, "", mode)
    }

    /// The same of one that has this `ending` behind its name.
    fn open_called(&self, suffix: &str, ending: &str, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        loop {
            let stage = self.stage.get();
            let open = |suffix: &str| self.home.open(self.base_offset, &format!("{suffix}{ending}"), mode);
            let opened = match stage {
                Stage::Replaced => return Err(io::ErrorKind::NotFound.into()),
                _ => open(&stage.file(suffix)),
            };
            // Files lose one name and get the next before the stage says so.
            let opened = match opened {
                Err(error) if error.kind() == io::ErrorKind::NotFound && stage == Stage::Swap => open(suffix),
                opened => opened,
            };
            if self.stage.get() == stage {
                return opened;
            }
        }
    }

    /// A read came to something that is not what was written: all of it is looked at, and soon.
    pub(crate) fn suspected(&self) {
        self.suspect.store(true, Ordering::Relaxed);
        self.unverified_below(u64::MAX);
    }

    /// The same where it came to bytes at `position`, unless they are known to be damaged.
    pub(crate) fn suspected_at(&self, position: u64) {
        if self.damage.at(position).is_none() {
            self.suspected();
        }
    }

    /// Of what begins below `position` nobody has looked at more than headers.
    pub(crate) fn unverified_below(&self, position: u64) {
        self.unverified.set_below(position);
    }

    pub(crate) fn due_below(&self) -> u64 {
        self.unverified.below()
    }

    /// A segment took its place.
    pub(crate) fn is_replaced(&self) -> bool {
        self.stage.get() == Stage::Replaced
    }

    pub(crate) fn end(&self) -> End {
        let (relative, size) = self.end.load();
        End { next_offset: self.base_offset + relative as i64, size }
    }

    /// Base offset and position of the newest batch, if one was appended since the segment was opened.
    pub(crate) fn newest(&self) -> Option<(i64, u64)> {
        let (relative, position) = self.newest.load();
        (relative != u64::from(u32::MAX)).then_some((self.base_offset + relative as i64, position))
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// The `.log`, opened if it is not.
    pub(crate) fn file(&self) -> io::Result<Arc<dyn DiskFile>> {
        self.file_with(Patience::Endless)
    }

    /// The `.log`, if it is open.
    pub(crate) fn open_file(&self) -> Option<Arc<dyn DiskFile>> {
        self.log_slot.opened()
    }

    /// Another file has the `.log`'s name now.
    pub(crate) fn put_file(&self, file: &Arc<dyn DiskFile>) {
        self.home.handles.put(&self.log_slot, file);
    }

    /// As [`file`](Self::file), but opens only for those who may wait.
    pub(crate) fn file_with(&self, patience: Patience) -> io::Result<Arc<dyn DiskFile>> {
        self.home.handles.get(&self.log_slot, || {
            patience.or_would_block()?;
            self.open(names::LOG, OpenMode::ReadWrite)
        })
    }

    /// As [`index_file`](Self::index_file), but opens only for those who may wait.
    pub(crate) fn index_file_with(&self, patience: Patience) -> io::Result<Arc<dyn DiskFile>> {
        self.home.handles.get(&self.index_slot, || {
            patience.or_would_block()?;
            self.open_index(OpenMode::ReadWrite)
        })
    }

    /// The `.index`, opened if it is not.
    pub(crate) fn index_file(&self) -> io::Result<Arc<dyn DiskFile>> {
        self.index_file_with(Patience::Endless)
    }

    /// Bytes of one of its files, without opening it.
    pub(crate) fn len_of(&self, suffix: &str) -> io::Result<u64> {
        self.home.disk.file_len(&self.home.path(self.base_offset, suffix))
    }

    /// The `.timeindex`, opened anew: it is rarely needed.
    pub(crate) fn time_file(&self) -> io::Result<Arc<dyn DiskFile>> {
        self.open(names::TIME_INDEX, OpenMode::ReadWrite)
    }

    /// Makes both index files, or empties them. Nothing else does: a file that is missing is noticed where it is read.
    pub(crate) fn empty_index_files(&self) -> io::Result<()> {
        let index = self.open(names::INDEX, OpenMode::Create)?;
        self.empty(&*index)?;
        self.home.handles.put(&self.index_slot, &index);
        self.empty(&*self.open(names::TIME_INDEX, OpenMode::Create)?)
    }

    /// A new file has nothing that could get lost.
    fn empty(&self, index: &dyn DiskFile) -> io::Result<()> {
        if index.is_empty()? {
            return Ok(());
        }
        self.flow.note_indexes_young();
        index.set_len(0)
    }

    /// Writes `slices` at the end of its file, without publishing them. On error nothing was published; the caller cuts
    /// back.
    pub(crate) fn write(&self, file: &dyn DiskFile, slices: &[IoSlice<'_>]) -> io::Result<()> {
        // Once for whoever would close the file meanwhile, once for a sync that began before the bytes were there.
        self.log_slot.note_write();
        let written = file.write_all_at(self.end().size, slices);
        self.log_slot.note_write();
        written
    }

    /// Undoes a write that failed half way. What was written may be on the disk by now, so the next sync is for that too.
    pub(crate) fn cut_back(&self, file: &dyn DiskFile) -> io::Result<()> {
        let size = self.end().size;
        self.flow.reserved.store(0, Ordering::Relaxed);
        self.flow.cut_back.store(true, Ordering::Release);
        file.set_len(size)
    }

    /// Makes written batches visible, the last of which begins at `newest`.
    pub(crate) fn publish(&self, end: End, newest: (i64, u64)) {
        self.end.store((end.next_offset - self.base_offset) as u64, end.size);
        self.newest.store((newest.0 - self.base_offset) as u64, newest.1);
    }

    /// Sets the end found by recovery, before anybody reads.
    pub(crate) fn set_end(&self, end: End) {
        self.end.store(relative_end(end.next_offset, self.base_offset), end.size);
    }

    /// An offset as index entries have it; `None` of one that no batch of the segment has, whatever a header says.
    pub(crate) fn relative(&self, offset: i64) -> Option<u32> {
        u32::try_from(offset.checked_sub(self.base_offset)?).ok()
    }

    /// Counts a batch for the largest timestamp. One without records has none to find.
    pub(crate) fn observe(&self, header: &BatchHeader) {
        if header.records_count == 0 {
            return;
        }
        if let Some(relative) = self.relative(header.last_offset()) {
            self.times.observe(TimeEntry { timestamp: header.max_timestamp, relative });
        }
    }

    /// Adds a batch at `position` to the indexes: an entry if `entry_due`. After an error entries may be missing, which
    /// is legal; the next one tries again.
    pub(crate) fn note_batch(&self, header: &BatchHeader, position: u64, entry_due: bool) -> io::Result<()> {
        self.observe(header);
        if !entry_due {
            return Ok(());
        }
        let place = self.relative(header.last_offset()).zip(u32::try_from(position).ok());
        let Some((relative, position)) = place else { return Ok(()) };
        let index_due = self.index.push(Entry { relative, position });
        // The times are never behind the offsets for long: recovery looks at the batches in between.
        let times_due = self.times.push() || index_due && self.times.is_dirty();
        let times = if times_due { self.write_times() } else { Ok(()) };
        let index = if index_due { self.write_index() } else { Ok(()) };
        times.and(index)
    }

    /// Writes what the indexes still keep in memory, and the time index' last entry, which counts only once the segment
    /// is closed.
    pub(crate) fn write_indexes(&self) -> io::Result<()> {
        if self.index.is_dirty() {
            self.write_index()?;
        }
        if !self.times.lacks_last() {
            return Ok(());
        }
        let file = self.time_file()?;
        self.flow.times.note();
        self.times.write_last(&*file)
    }

    fn write_index(&self) -> io::Result<()> {
        let file = self.index_file()?;
        self.flow.entries.note();
        self.index.write(&*file)
    }

    pub(crate) fn write_times(&self) -> io::Result<()> {
        let file = self.time_file()?;
        self.flow.times.note();
        self.times.write(&*file)
    }

    /// No more appends; the indexes [were written](Self::write_indexes). Trimming and syncing are left to
    /// [`Segment::sync`] and [`Segment::settle`].
    pub(crate) fn close(&self) {
        self.index.close();
        self.times.close();
        self.closed.store(true, Ordering::Release);
    }
}
