//! A metadata store that refuses changes, or the next but so many.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use pagewire_metadata::{
    Batch, LeaseId, Listing, MemoryStore, PutError, Revision, Store, StoreError, Versioned, Watch,
};

/// Takes so many changes more.
#[derive(Debug)]
pub(super) struct Refusing {
    store: MemoryStore,
    takes: AtomicUsize,
}

impl Default for Refusing {
    fn default() -> Self {
        Self { store: MemoryStore::default(), takes: AtomicUsize::new(usize::MAX) }
    }
}

impl Refusing {
    /// Refuses every change after the next so many.
    pub(super) fn refuse_after(&self, changes: usize) {
        self.takes.store(changes, Ordering::SeqCst);
    }

    pub(super) fn refuse_nothing(&self) {
        self.takes.store(usize::MAX, Ordering::SeqCst);
    }
}

#[async_trait]
impl Store for Refusing {
    async fn get(&self, key: &str) -> Result<Option<Versioned>, StoreError> {
        self.store.get(key).await
    }

    async fn list(&self, prefix: &str) -> Result<Listing, StoreError> {
        self.store.list(prefix).await
    }

    async fn commit(&self, batch: Batch) -> Result<Revision, PutError> {
        let taken = self.takes.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        taken.map_err(|_| StoreError::Unavailable("it refuses".to_owned()))?;
        self.store.commit(batch).await
    }

    async fn watch(&self, prefix: &str, after: Revision) -> Result<Watch, StoreError> {
        self.store.watch(prefix, after).await
    }

    async fn grant(&self, ttl_ms: i64) -> Result<LeaseId, StoreError> {
        self.store.grant(ttl_ms).await
    }

    async fn keep_alive(&self, lease: LeaseId) -> Result<(), PutError> {
        self.store.keep_alive(lease).await
    }

    async fn revoke(&self, lease: LeaseId) -> Result<(), StoreError> {
        self.store.revoke(lease).await
    }
}
