//! What a producer was told, and whether the log holds to it.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use pagewire_record::{DecompressLimits, complete_batches};

/// Acknowledged records of one partition: number -> offset.
#[derive(Debug, Clone, Default)]
pub(super) struct Ledger {
    acknowledged: BTreeMap<u64, i64>,
    sent: u64,
}

/// How strictly the log must agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Promise {
    /// Everything acknowledged is there once, in order; what was never acknowledged may be there as well.
    NoneLost,
    /// As above, and everything sent is there exactly once: the producer resends until it is acknowledged.
    ExactlyOnce,
}

impl Ledger {
    /// Notes that these numbers have been sent, acknowledged or not.
    pub(super) fn sent(&mut self, upto: u64) {
        self.sent = self.sent.max(upto);
    }

    /// Notes an acknowledgement.
    pub(super) fn acknowledge(&mut self, number: u64, offset: i64) -> Result<()> {
        if let Some(before) = self.acknowledged.insert(number, offset)
            && before != offset
        {
            bail!("record {number} was acknowledged at offset {before} and again at {offset}");
        }
        Ok(())
    }

    /// How many records were acknowledged.
    pub(super) fn len(&self) -> usize {
        self.acknowledged.len()
    }

    /// Compares with the partition's bytes. Values are the numbers in big-endian, padded behind.
    pub(super) fn check(&self, log: &Bytes, promise: Promise) -> Result<()> {
        let mut found: HashMap<u64, i64> = HashMap::new();
        let (mut last, mut next_offset) = (None, None);
        for batch in complete_batches(log) {
            let batch = batch?;
            for record in batch.records(&DecompressLimits::default())? {
                let record = record?;
                let value = record.value.context("a record without a value")?;
                let number =
                    u64::from_be_bytes(*value.first_chunk().context("a value too short for a number")?);
                if let Some(before) = found.insert(number, record.offset) {
                    bail!("record {number} stands at offset {before} and again at {}", record.offset);
                }
                ensure!(last.is_none_or(|last| number > last), "record {number} stands after {last:?}");
                ensure!(
                    next_offset.is_none_or(|next| record.offset == next),
                    "a gap before offset {}",
                    record.offset
                );
                last = Some(number);
                next_offset = Some(record.offset + 1);
            }
        }
        for (number, offset) in &self.acknowledged {
            match found.get(number) {
                None => bail!("record {number}, acknowledged at offset {offset}, is lost"),
                Some(place) => ensure!(
                    place == offset,
                    "record {number} was acknowledged at {offset} and stands at {place}"
                ),
            }
        }
        if promise == Promise::ExactlyOnce {
            ensure!(
                found.len() as u64 == self.sent,
                "{} records were sent, {} are there",
                self.sent,
                found.len()
            );
            ensure!(
                self.acknowledged.len() as u64 == self.sent,
                "{} of {} were acknowledged",
                self.acknowledged.len(),
                self.sent
            );
        }
        Ok(())
    }
}

/// The value of record `number`: eight bytes of it, then padding.
pub(super) fn value(number: u64, size: usize) -> Vec<u8> {
    let mut bytes = number.to_be_bytes().to_vec();
    bytes.resize(size.max(8), b'.');
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::raw;

    fn log(numbers: &[u64]) -> Bytes {
        let mut all = Vec::new();
        for (offset, number) in numbers.iter().enumerate() {
            let mut batch = raw::batch(&[&value(*number, 20)], None).expect("a batch").to_vec();
            batch[..8].copy_from_slice(&(offset as i64).to_be_bytes());
            all.extend(batch);
        }
        all.into()
    }

    fn ledger(acknowledged: &[(u64, i64)], sent: u64) -> Ledger {
        let mut ledger = Ledger::default();
        for (number, offset) in acknowledged {
            ledger.acknowledge(*number, *offset).expect("not yet acknowledged");
        }
        ledger.sent(sent);
        ledger
    }

    #[test]
    fn a_log_that_kept_its_promise_passes() {
        let ledger = ledger(&[(0, 0), (2, 1)], 4);
        ledger.check(&log(&[0, 2, 3]), Promise::NoneLost).expect("nothing acknowledged is lost");
        assert!(ledger.check(&log(&[0, 2, 3]), Promise::ExactlyOnce).is_err());
    }

    #[test]
    fn lost_doubled_moved_and_disordered_records_are_found() {
        let ledger = ledger(&[(0, 0), (1, 1)], 2);
        for wrong in [&[0][..], &[0, 1, 1], &[1, 0], &[0, 5, 1]] {
            assert!(ledger.check(&log(wrong), Promise::NoneLost).is_err(), "{wrong:?}");
        }
    }
}
