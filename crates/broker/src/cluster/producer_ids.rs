//! Producer ids, handed out from blocks: one write to the metadata store gives a thousand of them, and an id is never
//! given twice, whatever happens between two starts (the rest of a block is lost with the process).

use std::{ops::Range, sync::Arc};

use pagewire_metadata::{Catalog, CatalogError, StoreError};
use tokio::sync::Mutex;

#[derive(Default)]
pub(super) struct ProducerIds {
    left: parking_lot::Mutex<Range<i64>>,
    /// Held while a block is fetched, by tasks of their own only: whoever asks may not be polled for long.
    refilling: Mutex<()>,
}

/// An id no producer ever had.
pub(super) async fn next(ids: &Arc<ProducerIds>, catalog: &Catalog) -> Result<i64, CatalogError> {
    if let Some(id) = ids.take() {
        return Ok(id);
    }
    let (ids, catalog) = (Arc::clone(ids), catalog.clone());
    let refilled = tokio::spawn(async move { ids.refill(&catalog).await });
    refilled.await.unwrap_or_else(|error| Err(StoreError::Unavailable(error.to_string()).into()))
}

impl ProducerIds {
    fn take(&self) -> Option<i64> {
        self.left.lock().next()
    }

    /// Fetches a block, unless somebody else just did, and takes an id.
    async fn refill(&self, catalog: &Catalog) -> Result<i64, CatalogError> {
        let _refilling = self.refilling.lock().await;
        if let Some(id) = self.take() {
            return Ok(id);
        }
        let block = catalog.allocate_producer_ids().await?;
        *self.left.lock() = block.first + 1..block.first + block.len;
        Ok(block.first)
    }
}
