//! Producer ids, handed out from blocks: one write to the metadata store gives a thousand of them, and an id is never
//! given twice, whatever happens between two starts (the rest of a block is lost with the process).

use pagewire_metadata::{Catalog, CatalogError};
use tokio::sync::Mutex;

#[derive(Default)]
pub(super) struct ProducerIds {
    left: Mutex<std::ops::Range<i64>>,
}

impl ProducerIds {
    pub(super) async fn next(&self, catalog: &Catalog) -> Result<i64, CatalogError> {
        let mut left = self.left.lock().await;
        if left.is_empty() {
            let block = catalog.allocate_producer_ids().await?;
            *left = block.first..block.first + block.len;
        }
        let id = left.start;
        left.start += 1;
        Ok(id)
    }
}
