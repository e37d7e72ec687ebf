//! Rows of one store, written into another one.
//!
//! Versions are the new store's own: they only tell one write from the next, and nobody has read the new store yet. A
//! row that hung on a lease is there without it.

use crate::store::{Batch, Entry, Expect, MAX_BATCH_BYTES, MAX_BATCH_OPS, PutError, Store};

/// Writes `entries` into an empty store, as many at a time as fit a batch.
pub async fn fill(store: &dyn Store, entries: impl IntoIterator<Item = Entry>) -> Result<(), PutError> {
    let (mut batch, mut bytes) = (Batch::new(), 0);
    for entry in entries {
        let more = 2 * entry.key.len() + entry.value.value.len();
        if batch.ops.len() == MAX_BATCH_OPS || bytes + more > MAX_BATCH_BYTES {
            store.commit(std::mem::take(&mut batch)).await?;
            bytes = 0;
        }
        bytes += more;
        batch = batch.put(entry.key, entry.value.value, Expect::Absent);
    }
    store.commit(batch).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryStore;

    #[tokio::test]
    async fn rows_of_any_number_and_size_arrive() {
        let (from, to) = (MemoryStore::default(), MemoryStore::default());
        for at in 0..300 {
            let value = vec![7; if at < 3 { 1 << 20 } else { 10 }];
            from.put_if(&format!("k/{at:03}"), value.into(), Expect::Absent).await.expect("written");
        }
        let rows = from.list("").await.expect("listed").entries;
        fill(&to, rows.clone()).await.expect("filled");
        let copied = to.list("").await.expect("listed").entries;
        let plain = |rows: &[Entry]| -> Vec<_> {
            rows.iter().map(|row| (row.key.clone(), row.value.value.clone())).collect()
        };
        assert_eq!(plain(&copied), plain(&rows));
        fill(&MemoryStore::default(), Vec::new()).await.expect("nothing to do");
    }
}
