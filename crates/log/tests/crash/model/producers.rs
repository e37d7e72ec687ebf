//! Idempotent producers by the rules of KIP-98, from the batches alone.

use std::collections::BTreeMap;

use super::Sent;

/// What is known of one producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) epoch: i16,
    pub(crate) last_sequence: i32,
    pub(crate) last_timestamp: i64,
    /// First offset of its last batch.
    pub(crate) last_base: i64,
}

/// The producers after these batches.
pub(crate) fn replay(batches: &[Sent]) -> BTreeMap<i64, Known> {
    let mut known = BTreeMap::new();
    for sent in batches.iter().filter(|sent| sent.header.producer_id >= 0) {
        let header = &sent.header;
        let last_sequence = header.base_sequence.wrapping_add(header.last_offset_delta) & i32::MAX;
        known.insert(
            header.producer_id,
            Known {
                epoch: header.producer_epoch,
                last_sequence,
                last_timestamp: header.max_timestamp,
                last_base: sent.base,
            },
        );
    }
    known
}
