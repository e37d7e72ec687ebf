//! The transactions of one partition that have records but no marker yet, by first offset.
//!
//! Pure. The earliest of them is where `read_committed` readers stop.

use std::collections::BTreeMap;

/// First offset to producer id.
#[derive(Debug, Clone, Default)]
pub(crate) struct OpenTxns(BTreeMap<i64, i64>);

impl OpenTxns {
    pub(crate) fn begin(&mut self, first_offset: i64, producer_id: i64) {
        self.0.insert(first_offset, producer_id);
    }

    pub(crate) fn end(&mut self, first_offset: i64) {
        self.0.remove(&first_offset);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// First offset and producer of each, the earliest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (i64, i64)> {
        self.0.iter().map(|(first_offset, id)| (*first_offset, *id))
    }

    /// First offset of the earliest.
    pub(crate) fn first(&self) -> Option<i64> {
        self.0.first_key_value().map(|(first_offset, _)| *first_offset)
    }

    /// The same, of all producers but one.
    pub(crate) fn first_but(&self, producer_id: i64) -> Option<i64> {
        self.0.iter().find(|(_, id)| **id != producer_id).map(|(first_offset, _)| *first_offset)
    }
}
