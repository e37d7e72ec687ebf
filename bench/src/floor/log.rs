//! Topics: a file for each partition, and where its batches begin.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
#[cfg(test)]
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use anyhow::Result;

/// All topics, by name.
pub(super) struct Topics {
    dir: PathBuf,
    pub(super) address: SocketAddr,
    by_name: RwLock<HashMap<String, Logs>>,
    /// Whether what is acknowledged with acks=all is on the disk before.
    is_flushed: AtomicBool,
}

/// A topic: its partitions in order.
pub(super) type Logs = Arc<[Arc<Log>]>;

impl Topics {
    pub(super) fn new(dir: &Path, address: SocketAddr) -> Self {
        Self {
            dir: dir.to_path_buf(),
            address,
            by_name: RwLock::default(),
            is_flushed: AtomicBool::new(false),
        }
    }

    /// Makes a topic; one that is there stays as it is, and is said to be.
    pub(super) fn create(&self, name: &str, partitions: usize) -> Result<bool> {
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        if by_name.contains_key(name) {
            return Ok(false);
        }
        let logs = (0..partitions).map(|index| Log::create(&self.dir.join(format!("{name}-{index}.log"))));
        by_name.insert(name.to_owned(), logs.collect::<Result<_>>()?);
        Ok(true)
    }

    /// Takes a topic away, and its files.
    pub(super) fn delete(&self, name: &str) -> bool {
        let taken = self.by_name.write().unwrap_or_else(PoisonError::into_inner).remove(name);
        for log in taken.iter().flat_map(|logs| logs.iter()) {
            let _ = fs::remove_file(&log.path);
        }
        taken.is_some()
    }

    /// How many partitions a topic has, if it is there.
    pub(super) fn partitions(&self, name: &str) -> Option<usize> {
        Some(self.by_name.read().unwrap_or_else(PoisonError::into_inner).get(name)?.len())
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.by_name.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// A topic's partitions, if it is there.
    pub(super) fn logs(&self, name: &[u8]) -> Option<Logs> {
        let by_name = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        by_name.get(std::str::from_utf8(name).ok()?).cloned()
    }

    /// From now on what is acknowledged with acks=all is on the disk before, or only in the page cache.
    pub(super) fn flush(&self, is_flushed: bool) {
        self.is_flushed.store(is_flushed, Relaxed);
    }

    pub(super) fn is_flushed(&self) -> bool {
        self.is_flushed.load(Relaxed)
    }
}

/// A partition.
pub(super) struct Log {
    path: PathBuf,
    pub(super) file: File,
    state: Mutex<State>,
    grown: Condvar,
    #[cfg(test)]
    pub(super) syncs: AtomicUsize,
}

/// What is in the file.
#[derive(Default)]
struct State {
    end: Place,
    /// Where each batch begins.
    batches: Vec<Place>,
}

/// An offset, and the byte that it is at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Place {
    offset: i64,
    byte: u64,
}

/// What a fetch is answered with: bytes of the file, and where the log ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) from: u64,
    pub(super) bytes: usize,
    pub(super) end: i64,
}

impl Log {
    fn create(path: &Path) -> Result<Arc<Self>> {
        let file = OpenOptions::new().create(true).truncate(true).read(true).write(true).open(path)?;
        Ok(Arc::new(Self {
            path: path.to_path_buf(),
            file,
            state: Mutex::default(),
            grown: Condvar::new(),
            #[cfg(test)]
            syncs: AtomicUsize::new(0),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a batch of so many records behind the others; the offset of its first one.
    pub(super) fn append(&self, batch: &mut [u8], records: i64) -> Result<i64> {
        let mut state = self.state();
        let at = state.end;
        if let Some(base) = batch.first_chunk_mut::<8>() {
            *base = at.offset.to_be_bytes();
        }
        self.file.write_all_at(batch, at.byte)?;
        state.batches.push(at);
        state.end = Place { offset: at.offset + records, byte: at.byte + batch.len() as u64 };
        drop(state);
        self.grown.notify_all();
        Ok(at.offset)
    }

    /// Has on the disk what was written so far.
    pub(super) fn sync(&self) -> Result<()> {
        #[cfg(test)]
        self.syncs.fetch_add(1, Relaxed);
        Ok(self.file.sync_data()?)
    }

    /// What lies at `offset`: at most so many bytes and at least a batch. Waits for it, but no longer than that.
    pub(super) fn find(&self, offset: i64, bytes_max: u64, wait: Duration) -> Found {
        let mut state = self.state();
        if state.end.offset <= offset && !wait.is_zero() {
            let until = Instant::now() + wait;
            while state.end.offset <= offset {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                state = self.grown.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
            }
        }
        state.find(offset, bytes_max)
    }
}

impl State {
    fn find(&self, offset: i64, bytes_max: u64) -> Found {
        // The last batch that begins at the offset or before it.
        let next = self.batches.partition_point(|batch| batch.offset <= offset);
        let begin = if self.end.offset <= offset { None } else { self.batches.get(next.wrapping_sub(1)) };
        let Some(begin) = begin else {
            return Found { from: self.end.byte, bytes: 0, end: self.end.offset };
        };
        let first_ends = self.batches.get(next).map_or(self.end.byte, |batch| batch.byte);
        let upto = self.end.byte.min((begin.byte + bytes_max).max(first_ends));
        Found { from: begin.byte, bytes: (upto - begin.byte) as usize, end: self.end.offset }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fetch_begins_with_the_batch_of_its_offset_and_has_all_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::create(&dir.path().join("t-0")).unwrap();
        for records in [3, 1, 2] {
            log.append(&mut [7; 100], records).unwrap();
        }
        let find = |offset, bytes_max| {
            let found = log.find(offset, bytes_max, Duration::ZERO);
            (found.from, found.bytes)
        };
        assert_eq!(find(0, 1), (0, 100));
        assert_eq!(find(2, 150), (0, 150));
        assert_eq!(find(3, 1000), (100, 200));
        assert_eq!(find(5, 1), (200, 100));
        assert_eq!(find(6, 1000), (300, 0));
        assert_eq!(log.find(6, 1, Duration::from_millis(1)).end, 6);
    }
}
