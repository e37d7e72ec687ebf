//! Idempotent and transactional producers by the rules of KIP-98, from the batches alone.

use std::collections::BTreeMap;

use super::Sent;

/// What is known of one producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) epoch: i16,
    /// -1 if it wrote nothing in this epoch.
    pub(crate) last_sequence: i32,
    pub(crate) last_timestamp: i64,
    /// -1 if no marker ended a transaction of it.
    pub(crate) coordinator_epoch: i32,
    /// First offset of its open transaction.
    pub(crate) txn_start: Option<i64>,
}

impl Known {
    fn new(epoch: i16) -> Self {
        Self { epoch, last_sequence: -1, last_timestamp: -1, coordinator_epoch: -1, txn_start: None }
    }

    /// The sequence that follows.
    pub(crate) fn next_sequence(&self) -> i32 {
        self.last_sequence.wrapping_add(1) & i32::MAX
    }
}

/// The producers after these batches.
pub(crate) fn replay(batches: &[Sent]) -> BTreeMap<i64, Known> {
    let mut all = BTreeMap::new();
    for sent in batches.iter().filter(|sent| sent.header.producer_id >= 0) {
        let header = &sent.header;
        let known = all.entry(header.producer_id).or_insert_with(|| Known::new(header.producer_epoch));
        if known.epoch != header.producer_epoch {
            (known.epoch, known.last_sequence) = (header.producer_epoch, -1);
        }
        known.last_timestamp = header.max_timestamp;
        if let Some(marker) = sent.marker {
            (known.coordinator_epoch, known.txn_start) = (marker.coordinator_epoch, None);
            continue;
        }
        known.last_sequence = header.base_sequence.wrapping_add(header.last_offset_delta) & i32::MAX;
        if header.is_transactional() {
            known.txn_start = known.txn_start.or(Some(sent.base));
        }
    }
    all
}
