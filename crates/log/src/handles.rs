//! A budget of open files for all logs of a process.
//!
//! A partition's files are opened when they are first needed. When more than the budget are open, those not used
//! since the last look are closed (second-chance order); files with unsynced writes go last. Closing one of those
//! loses no error: the kernel keeps a failed writeback that nobody has seen for whoever opens the file next. A range
//! that was handed out keeps its own descriptor, outside the budget.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use arc_swap::ArcSwapOption;
use pagewire_disk::DiskFile;
use parking_lot::Mutex;

/// The budget and who holds a part of it.
#[derive(Debug)]
pub struct Handles {
    max: usize,
    open: Mutex<VecDeque<Weak<Slot>>>,
}

/// Place for one file's handle.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    handle: ArcSwapOption<Handle>,
    used: AtomicBool,
    dirty: AtomicBool,
}

#[derive(Debug)]
struct Handle(Arc<dyn DiskFile>);

impl Handles {
    /// A budget of `max` descriptors.
    pub fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max: max.max(1), open: Mutex::default() })
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
        // First those that are neither in use nor dirty, then whatever can be closed.
        for spare_dirty in [true, false] {
            let mut looks = open.len().saturating_mul(2);
            while open.len() > self.max && looks > 0 {
                looks -= 1;
                let Some(next) = open.pop_front() else { break };
                let Some(candidate) = next.upgrade() else { continue };
                let used = candidate.used.swap(false, Ordering::Relaxed);
                let dirty = spare_dirty && candidate.dirty.load(Ordering::Acquire);
                if used || dirty || Arc::ptr_eq(&candidate, slot) {
                    open.push_back(next);
                } else {
                    candidate.handle.store(None);
                }
            }
        }
    }
}

impl Slot {
    /// The file has unsynced writes, or has none any more.
    pub(crate) fn set_dirty(&self, dirty: bool) {
        self.dirty.store(dirty, Ordering::Release);
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
    fn a_file_with_unsynced_writes_is_closed_last() {
        let (disk, handles) = (MemoryDisk::new(), Handles::new(2));
        let slots: Vec<Arc<Slot>> = (0..4).map(|_| Arc::default()).collect();
        let dirty = &slots[0];
        dirty.set_dirty(true);
        for (name, slot) in slots.iter().enumerate() {
            assert!(handles.get(slot, || open(&disk, name)).is_ok());
        }
        let again = handles.get(dirty, || Err(io::ErrorKind::Other.into()));
        assert!(again.is_ok(), "still open");
        for slot in &slots {
            slot.set_dirty(true);
        }
        for (name, slot) in slots.iter().enumerate() {
            assert!(handles.get(slot, || open(&disk, name)).is_ok());
            assert!(handles.open_files() <= 2, "the budget holds even if all are dirty");
        }
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
