//! A budget of open files for all logs of a process.
//!
//! A partition's files are opened when they are first needed. When more than the budget are open, those not used
//! since the last look are closed (second-chance order). A file with unsynced writes is never closed, because a failed
//! writeback that nobody has seen yet could be forgotten with it; while there are too many of those the budget is
//! exceeded, and [`LogDir::close_files`](crate::LogDir::close_files) syncs them. A range that was handed out keeps its
//! own descriptor, outside the budget.

use std::collections::VecDeque;
use std::io;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use arc_swap::ArcSwapOption;
use pagewire_disk::DiskFile;
use parking_lot::Mutex;

/// Files looked at, at most, for one that can be closed.
const LOOKS_MAX: usize = 1024;

/// The budget and who holds a part of it.
#[derive(Debug)]
pub struct Handles {
    max: usize,
    open: Mutex<VecDeque<Weak<Slot>>>,
    exceeded: AtomicBool,
}

/// Place for one file's handle.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    handle: ArcSwapOption<Handle>,
    used: AtomicBool,
    /// Counts beginnings and ends of writes.
    writes: AtomicU64,
    /// What it counted when a sync that succeeded began.
    synced: AtomicU64,
}

/// A slot that is made when it is first used: of a million segments most are never read.
#[derive(Debug, Default)]
pub(crate) struct LazySlot(OnceLock<Arc<Slot>>);

impl LazySlot {
    /// The file, if it is open. Says nothing about its use.
    pub(crate) fn opened(&self) -> Option<Arc<dyn DiskFile>> {
        self.0.get()?.handle.load().as_ref().map(|handle| Arc::clone(&handle.0))
    }
}

impl Deref for LazySlot {
    type Target = Arc<Slot>;

    fn deref(&self) -> &Arc<Slot> {
        self.0.get_or_init(Arc::default)
    }
}

#[derive(Debug)]
struct Handle(Arc<dyn DiskFile>);

impl Handles {
    /// A budget of `max` descriptors.
    pub fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max: max.max(1), open: Mutex::default(), exceeded: AtomicBool::default() })
    }

    /// Files open through the budget at the moment.
    pub fn open_files(&self) -> usize {
        self.open
            .lock()
            .iter()
            .filter(|slot| slot.upgrade().is_some_and(|slot| slot.handle.load().is_some()))
            .count()
    }

    /// The handle in `slot`, opened with `open` if there is none.
    pub(crate) fn get(
        &self,
        slot: &Arc<Slot>,
        open: impl FnOnce() -> io::Result<Arc<dyn DiskFile>>,
    ) -> io::Result<Arc<dyn DiskFile>> {
        if let Some(handle) = &*slot.handle.load() {
            slot.used.store(true, Ordering::Relaxed);
            return Ok(Arc::clone(&handle.0));
        }
        let file = open()?;
        self.put(slot, &file);
        Ok(file)
    }

    /// Puts an open file into `slot`, closing others if the budget is spent.
    pub(crate) fn put(&self, slot: &Arc<Slot>, file: &Arc<dyn DiskFile>) {
        slot.used.store(true, Ordering::Relaxed);
        let before = slot.handle.swap(Some(Arc::new(Handle(Arc::clone(file)))));
        let mut open = self.open.lock();
        if before.is_none() {
            open.push_back(Arc::downgrade(slot));
        }
        self.close_surplus(&mut open, Some(slot));
    }

    /// Closes what can be closed beyond the budget.
    pub(crate) fn shrink(&self) {
        self.close_surplus(&mut self.open.lock(), None);
    }

    fn close_surplus(&self, open: &mut VecDeque<Weak<Slot>>, kept: Option<&Arc<Slot>>) {
        // Twice around: the first time may find all in use. A bound, because all may be dirty.
        let mut looks = open.len().saturating_mul(2).min(LOOKS_MAX);
        while open.len() > self.max && looks > 0 {
            looks -= 1;
            let Some(next) = open.pop_front() else { break };
            let Some(candidate) = next.upgrade() else { continue };
            let used = candidate.used.swap(false, Ordering::Relaxed);
            let is_kept = kept.is_some_and(|kept| Arc::ptr_eq(&candidate, kept));
            if used || candidate.is_dirty() || is_kept || candidate.is_last_of_its_file() {
                open.push_back(next);
            } else {
                candidate.handle.store(None);
            }
        }
        self.exceeded.store(open.len() > self.max, Ordering::Relaxed);
    }

    /// More files are open than the budget has: some have to be synced before they can be closed.
    pub(crate) fn is_exceeded(&self) -> bool {
        self.exceeded.load(Ordering::Relaxed)
    }
}

impl Slot {
    /// Whether its file was removed: closed, what is in it would be gone.
    fn is_last_of_its_file(&self) -> bool {
        self.handle.load().as_ref().is_some_and(|handle| handle.0.is_nameless().unwrap_or(false))
    }

    /// A write begins, or has ended.
    pub(crate) fn note_write(&self) {
        self.writes.fetch_add(1, Ordering::AcqRel);
    }

    /// What a sync that begins now covers, for [`note_sync`](Self::note_sync).
    pub(crate) fn writes(&self) -> u64 {
        self.writes.load(Ordering::Acquire)
    }

    /// A sync that began at `writes` has succeeded.
    pub(crate) fn note_sync(&self, writes: u64) {
        self.synced.fetch_max(writes, Ordering::AcqRel);
    }

    /// The file has writes that no sync has covered for certain.
    fn is_dirty(&self) -> bool {
        self.synced.load(Ordering::Acquire) < self.writes()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use pagewire_disk::{Disk, MemoryDisk, OpenMode};

    use super::*;

    fn open(disk: &MemoryDisk, name: usize) -> io::Result<Arc<dyn DiskFile>> {
        disk.open(Path::new(&format!("/{name}")), OpenMode::Create)
    }

    #[test]
    fn files_beyond_the_budget_are_closed_and_opened_again() {
        let (disk, handles) = (MemoryDisk::new(), Handles::new(3));
        let slots: Vec<Arc<Slot>> = (0..10).map(|_| Arc::default()).collect();
        for round in 0..3 {
            for (name, slot) in slots.iter().enumerate() {
                assert!(handles.get(slot, || open(&disk, name)).is_ok(), "round {round}");
                assert!(handles.open_files() <= 3);
            }
        }
    }

    #[test]
    fn a_file_that_was_removed_is_not_closed() {
        let (place, handles) = (tempfile::tempdir().expect("a directory"), Handles::new(2));
        let disk = pagewire_disk::OsDisk::new();
        let path = |name: usize| place.path().join(name.to_string());
        let slots: Vec<Arc<Slot>> = (0..8).map(|_| Arc::default()).collect();
        for (name, slot) in slots.iter().enumerate() {
            assert!(handles.get(slot, || disk.open(&path(name), OpenMode::Create)).is_ok());
            std::fs::remove_file(path(0)).ok();
        }
        let again = handles.get(&slots[0], || Err(io::ErrorKind::Other.into()));
        assert!(again.is_ok() && handles.open_files() <= 2, "still open, and the others are not");
    }

    #[test]
    fn a_file_with_unsynced_writes_is_not_closed() {
        let (disk, handles) = (MemoryDisk::new(), Handles::new(2));
        let slots: Vec<Arc<Slot>> = (0..4).map(|_| Arc::default()).collect();
        let dirty = &slots[0];
        dirty.note_write();
        for (name, slot) in slots.iter().enumerate() {
            assert!(handles.get(slot, || open(&disk, name)).is_ok());
        }
        let again = handles.get(dirty, || Err(io::ErrorKind::Other.into()));
        assert!(again.is_ok(), "still open");
        for slot in &slots {
            slot.note_write();
        }
        for (name, slot) in slots.iter().enumerate() {
            assert!(handles.get(slot, || open(&disk, name)).is_ok());
        }
        assert!(handles.open_files() == 4 && handles.is_exceeded(), "rather more than lost errors");
        for slot in &slots {
            slot.note_sync(slot.writes());
        }
        handles.shrink();
        assert!(handles.open_files() == 2 && !handles.is_exceeded());
    }

    #[test]
    fn a_sync_covers_no_write_that_ended_after_it_began() {
        let slot = Slot::default();
        slot.note_write();
        let before = slot.writes();
        slot.note_write();
        slot.note_sync(before);
        assert!(slot.is_dirty(), "the bytes came after the sync");
        slot.note_sync(slot.writes());
        assert!(!slot.is_dirty());
        slot.note_sync(before);
        assert!(!slot.is_dirty(), "a slower one");
    }

    #[test]
    fn a_dropped_slot_gives_its_place_back() {
        let (disk, handles) = (MemoryDisk::new(), Handles::new(1));
        for name in 0..5 {
            let slot = Arc::new(Slot::default());
            assert!(handles.get(&slot, || open(&disk, name)).is_ok());
        }
        assert_eq!(handles.open_files(), 0);
        assert!(handles.open.lock().len() <= 2, "dead entries do not pile up");
    }
}
