//! Counters of the running broker. Every one is a relaxed atomic: reading them costs the hot path nothing.
//!
//! Bytes by route, refusals and cold offloads are counted where they happen, in `zcopy::Stats`.

mod export;
mod offline_since;
mod table;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::api::APIS;
pub(crate) use export::{export, exposition};
use offline_since::OfflineSince;
pub(crate) use table::Seen;

/// All counters, by name.
#[derive(Debug)]
pub(crate) struct Metrics {
    requests: Box<[AtomicU64]>,
    connections_opened: AtomicU64,
    connections_closed: AtomicU64,
    pub(crate) bytes_in: AtomicU64,
    pub(crate) bytes_out: AtomicU64,
    pub(crate) records_in: AtomicU64,
    pub(crate) produce_failed: AtomicU64,
    pub(crate) fetch_failed: AtomicU64,
    /// Partitions of produce requests that a disk did not take, full or sick (KAFKA_STORAGE_ERROR).
    pub(crate) produce_storage_errors: AtomicU64,
    /// Partitions of fetches that a disk did not give out.
    pub(crate) fetch_storage_errors: AtomicU64,
    pub(crate) fetch_parked: AtomicU64,
    /// Fetch rounds that had to wait for an index page, a batch header or a file to be opened.
    pub(crate) fetch_cold_lookups: AtomicU64,
    /// Bytes of pages that lagging consumers brought into the page cache and that were dropped behind them.
    pub(crate) fetch_dropped_bytes: AtomicU64,
    /// Partitions of `__transaction_state` that cannot be loaded.
    pub(crate) transactions_not_loaded: AtomicU64,
    /// Since when log directories are offline.
    pub(crate) offline_since: OfflineSince,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            requests: APIS.iter().map(|_| AtomicU64::new(0)).collect(),
            connections_opened: AtomicU64::new(0),
            connections_closed: AtomicU64::new(0),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            records_in: AtomicU64::new(0),
            produce_failed: AtomicU64::new(0),
            fetch_failed: AtomicU64::new(0),
            produce_storage_errors: AtomicU64::new(0),
            fetch_storage_errors: AtomicU64::new(0),
            fetch_parked: AtomicU64::new(0),
            fetch_cold_lookups: AtomicU64::new(0),
            fetch_dropped_bytes: AtomicU64::new(0),
            transactions_not_loaded: AtomicU64::new(0),
            offline_since: OfflineSince::default(),
        }
    }
}

/// One more in a number, as long as this lives.
pub(crate) struct Counted<'m>(&'m AtomicU64);

impl<'m> Counted<'m> {
    pub(crate) fn more(number: &'m AtomicU64) -> Self {
        add(number, 1);
        Self(number)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// Adds `n` to a counter.
pub(crate) fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Relaxed);
}

impl Metrics {
    /// Counts a request of the API at `index` in the table.
    pub(crate) fn request(&self, index: usize) {
        if let Some(counter) = self.requests.get(index) {
            counter.fetch_add(1, Relaxed);
        }
    }

    pub(crate) fn connection_opened(&self) {
        add(&self.connections_opened, 1);
    }

    pub(crate) fn connection_closed(&self) {
        add(&self.connections_closed, 1);
    }

    /// Requests of every kind since the start.
    pub(crate) fn requests_total(&self) -> u64 {
        self.requests.iter().map(|counter| counter.load(Relaxed)).sum()
    }

    /// Connections that are open.
    pub(crate) fn connections(&self) -> u64 {
        let closed = self.connections_closed.load(Relaxed);
        self.connections_total().saturating_sub(closed)
    }

    /// Connections accepted since the start.
    pub(crate) fn connections_total(&self) -> u64 {
        self.connections_opened.load(Relaxed)
    }
}
