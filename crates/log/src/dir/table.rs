//! The open logs by topic and partition.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use parking_lot::Mutex;
use uuid::Uuid;

use super::options::PartitionSettings;
use crate::Log;

/// One open log and what the directory keeps of it.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) log: Arc<Log>,
    pub(crate) topic_id: Uuid,
    /// `flush.ms`; `i64::MAX` for never.
    flush_ms: AtomicI64,
    flushed_ms: AtomicI64,
    /// Its last round of retention failed.
    retention_fails: AtomicBool,
    /// Held by a round that works in the log's directory; `true` once that was renamed away.
    deleted: Mutex<bool>,
}

impl Entry {
    pub(super) fn new(log: Arc<Log>, settings: &PartitionSettings, now_ms: i64) -> Self {
        Self {
            log,
            topic_id: settings.topic_id,
            flush_ms: AtomicI64::new(settings.flush_ms.unwrap_or(i64::MAX)),
            flushed_ms: AtomicI64::new(now_ms),
            retention_fails: AtomicBool::new(false),
            deleted: Mutex::new(false),
        }
    }

    /// Does something in the log's directory, unless the log was deleted: its paths may be another topic's by now.
    pub(crate) fn round<R>(&self, work: impl FnOnce(&Log) -> R) -> Option<R> {
        let deleted = self.deleted.lock();
        (!*deleted).then(|| work(&self.log))
    }

    /// Ends all work on the log: refuses what comes, waits for what is under way.
    pub(super) fn end(&self) {
        self.log.retire();
        *self.deleted.lock() = true;
        self.wait_for_all();
    }

    /// Gives its directory another name by `rename`, with all work on the log ended. Where that fails, the log is what it was: what
    /// would be passed over in the directory of one that has left waits until it is known whether it has.
    pub(super) fn leave(&self, rename: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let log = &self.log;
        let mut deleted = self.deleted.lock();
        let _waiting = (log.placing.lock(), log.pacing.lock(), log.syncs.lock());
        log.home.leave();
        // Whoever has these now has ended then. They are not kept: some who take them are to wait for no disk.
        drop(log.writer.lock());
        drop(log.epoch_file.lock());
        rename().inspect_err(|_| {
            log.home.come_back();
            // Who wanted to write them meanwhile has not.
            log.epochs_behind.store(true, Ordering::Release);
        })?;
        log.retire();
        *deleted = true;
        Ok(())
    }

    /// Whoever is at it now has ended then; each checks after taking its lock whether the log has left.
    fn wait_for_all(&self) {
        drop(self.log.writer.lock());
        drop(self.log.syncs.lock());
        drop(self.log.pacing.lock());
        drop(self.log.epoch_file.lock());
        drop(self.log.placing.lock());
    }

    pub(super) fn set(&self, settings: &PartitionSettings) {
        self.flush_ms.store(settings.flush_ms.unwrap_or(i64::MAX), Ordering::Relaxed);
        self.log.set_config(settings.log.clone());
    }

    /// A round of retention failed, or did not. Whether that is a failure, and news.
    pub(super) fn note_retention(&self, fails: bool) -> bool {
        fails != self.retention_fails.swap(fails, Ordering::Relaxed) && fails
    }

    pub(super) fn flush_ms(&self) -> i64 {
        self.flush_ms.load(Ordering::Relaxed)
    }

    pub(super) fn flushed_ms(&self) -> i64 {
        self.flushed_ms.load(Ordering::Relaxed)
    }

    pub(super) fn note_flush(&self, now_ms: i64) {
        self.flushed_ms.store(now_ms, Ordering::Relaxed);
    }
}

#[derive(Debug, Default)]
pub(super) struct Table {
    topics: BTreeMap<String, BTreeMap<i32, Arc<Entry>>>,
}

impl Table {
    pub(super) fn get(&self, topic: &str, partition: i32) -> Option<&Arc<Entry>> {
        self.topics.get(topic)?.get(&partition)
    }

    pub(super) fn insert(&mut self, topic: &str, partition: i32, entry: Arc<Entry>) {
        self.topics.entry(topic.to_owned()).or_default().insert(partition, entry);
    }

    pub(super) fn remove(&mut self, topic: &str, partition: i32) -> Option<Arc<Entry>> {
        let partitions = self.topics.get_mut(topic)?;
        let entry = partitions.remove(&partition);
        if partitions.is_empty() {
            self.topics.remove(topic);
        }
        entry
    }

    pub(super) fn of_topic(&self, topic: &str) -> impl Iterator<Item = &Arc<Entry>> {
        self.topics.get(topic).into_iter().flat_map(BTreeMap::values)
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.topics.values().flat_map(BTreeMap::values)
    }
}
