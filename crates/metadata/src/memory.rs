//! A store that lives as long as the process: for tests and throw-away brokers.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::clock::{Clock, SystemClock};
use crate::engine::{self, Lease, Row, Tables};
use crate::feed::Feed;
use crate::store::{Batch, Entry, LeaseId, Listing, PutError, Revision, Store, StoreError, Versioned, Watch};

#[derive(Debug, Default)]
struct Maps {
    rows: BTreeMap<String, Row>,
    leases: BTreeMap<LeaseId, Lease>,
    last_lease: LeaseId,
    revision: Revision,
}

impl Tables for Maps {
    fn row(&self, key: &str) -> Result<Option<Row>, StoreError> {
        Ok(self.rows.get(key).cloned())
    }

    fn set_row(&mut self, key: &str, row: &Row) -> Result<(), StoreError> {
        self.rows.insert(key.to_owned(), row.clone());
        Ok(())
    }

    fn remove_row(&mut self, key: &str) -> Result<(), StoreError> {
        self.rows.remove(key);
        Ok(())
    }

    fn keys_of(&self, lease: LeaseId) -> Result<Vec<String>, StoreError> {
        Ok(self.rows.iter().filter(|(_, row)| row.lease == lease).map(|(key, _)| key.clone()).collect())
    }

    fn lease(&self, id: LeaseId) -> Result<Option<Lease>, StoreError> {
        Ok(self.leases.get(&id).copied())
    }

    fn set_lease(&mut self, id: LeaseId, lease: Option<Lease>) -> Result<(), StoreError> {
        match lease {
            Some(lease) => self.leases.insert(id, lease),
            None => self.leases.remove(&id),
        };
        Ok(())
    }

    fn take_lease_id(&mut self) -> Result<LeaseId, StoreError> {
        self.last_lease += 1;
        Ok(self.last_lease)
    }

    fn revision(&self) -> Result<Revision, StoreError> {
        Ok(self.revision)
    }

    fn set_revision(&mut self, revision: Revision) -> Result<(), StoreError> {
        self.revision = revision;
        Ok(())
    }
}

/// See the module. It has no thread: leases end when the store is next used, or by [`MemoryStore::expire_leases`].
#[derive(Debug)]
pub struct MemoryStore {
    maps: Mutex<Maps>,
    feed: Feed,
    clock: Arc<dyn Clock>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new(Arc::new(SystemClock))
    }
}

impl MemoryStore {
    /// An empty store that takes its time from `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { maps: Mutex::new(Maps::default()), feed: Feed::new(0), clock }
    }

    /// Ends what has run out and tells the watchers.
    pub fn expire_leases(&self) {
        self.with(|_, _| ());
    }

    /// Runs `work` under the lock after ending overdue leases. Publishing under the lock keeps revisions in order.
    fn with<T>(&self, work: impl FnOnce(&mut Maps, i64) -> T) -> T {
        let now_ms = self.clock.now_ms();
        let mut maps = self.maps.lock();
        let due: Vec<LeaseId> =
            maps.leases.iter().filter(|(_, lease)| lease.expires_ms <= now_ms).map(|(id, _)| *id).collect();
        for id in due {
            if let Ok(applied) = engine::end_lease(&mut *maps, id) {
                self.feed.publish(applied);
            }
        }
        work(&mut maps, now_ms)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn get(&self, key: &str) -> Result<Option<Versioned>, StoreError> {
        let row = self.with(|maps, _| maps.row(key))?;
        Ok(row.map(|row| Versioned { value: row.value, version: row.version }))
    }

    async fn list(&self, prefix: &str) -> Result<Listing, StoreError> {
        Ok(self.with(|maps, _| {
            let from =
                maps.rows.range::<str, _>((std::ops::Bound::Included(prefix), std::ops::Bound::Unbounded));
            let entries = from
                .take_while(|(key, _)| key.starts_with(prefix))
                .map(|(key, row)| Entry {
                    key: key.clone(),
                    value: Versioned { value: row.value.clone(), version: row.version },
                })
                .collect();
            Listing { revision: maps.revision, entries }
        }))
    }

    async fn commit(&self, batch: Batch) -> Result<Revision, PutError> {
        batch.validate()?;
        self.with(|maps, now_ms| {
            let applied = engine::commit(maps, batch, now_ms)?;
            let revision = applied.revision;
            self.feed.publish(applied);
            Ok(revision)
        })
    }

    async fn watch(&self, prefix: &str, after: Revision) -> Result<Watch, StoreError> {
        Ok(Watch::new(self.feed.watch(prefix, after)))
    }

    async fn grant(&self, ttl_ms: i64) -> Result<LeaseId, StoreError> {
        self.with(|maps, now_ms| engine::grant(maps, ttl_ms, now_ms)).map(|(id, _)| id)
    }

    async fn keep_alive(&self, lease: LeaseId) -> Result<(), PutError> {
        self.with(|maps, now_ms| engine::keep_alive(maps, lease, now_ms)).map(drop)
    }

    async fn revoke(&self, lease: LeaseId) -> Result<(), StoreError> {
        self.with(|maps, _| {
            let applied = engine::end_lease(maps, lease)?;
            self.feed.publish(applied);
            Ok(())
        })
    }
}
