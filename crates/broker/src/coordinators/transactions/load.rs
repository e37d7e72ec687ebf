//! Reads a partition of `__transaction_state` from its start into a fresh machine. Blocks; runs on the I/O pool.
//!
//! What cannot be understood is not passed over, unlike with groups: it may be the decision about a transaction, and whoever
//! goes on without it may decide the other way, and leave half of it committed. A record that cannot be understood does no harm
//! once a later one of the same transactional id can be. Where records are damaged or missing it is not known whose they were.

use std::collections::BTreeMap;

use bytes::Bytes;
use pagewire_coordinate::txn;
use pagewire_log::Log;
use pagewire_record::{DecompressLimits, SharedBatch};
use tracing::debug;

use super::super::load::{Harm, LoadError, Unreadable, each_batch};

/// What is not known of transactional ids, by the keys of their records: where, and why.
type Unknown = BTreeMap<Bytes, (i64, txn::TxnDecodeError)>;

/// The machine with everything the log says.
pub(super) fn load(
    log: &Log,
    settings: txn::Settings,
    coordinator_epoch: i32,
) -> Result<txn::Shard, LoadError> {
    let (mut machine, mut unknown) = (txn::Shard::new(settings, coordinator_epoch), Unknown::new());
    let records = each_batch(log, Harm::EndsIt, |batch| replay(&mut machine, &mut unknown, batch))?;
    if let Some((offset, error)) = unknown.into_values().min_by_key(|(offset, _)| *offset) {
        return Err(LoadError::Transaction { offset, error });
    }
    if records > 0 {
        let (topic, partition) = (&**log.topic(), log.partition());
        debug!(topic, partition, transactional_ids = machine.id_count(), records, "transactions loaded");
    }
    Ok(machine)
}

/// Takes over one batch.
fn replay(machine: &mut txn::Shard, unknown: &mut Unknown, batch: &SharedBatch) -> Result<(), Unreadable> {
    batch.verify_crc()?;
    if batch.header.is_control() {
        return Ok(());
    }
    for record in batch.records(&DecompressLimits::default())? {
        let record = record?;
        let Some(key) = record.key else { continue };
        match machine.replay(&key, record.value.as_deref()) {
            Ok(()) => unknown.remove(&key),
            Err(error) => unknown.insert(key, (record.offset, error)),
        };
    }
    Ok(())
}

/// The highest producer id that its records name: one that somebody has, had, or will have. Where a log cannot be read only
/// what comes before counts; whoever loads it says so.
pub(crate) fn highest_producer_id(log: &Log) -> Option<i64> {
    let mut highest = None;
    let _ = each_batch(log, Harm::EndsIt, |batch| {
        batch.verify_crc()?;
        if !batch.header.is_control() {
            for record in batch.records(&DecompressLimits::default())? {
                let record = record?;
                let Some(key) = record.key else { continue };
                if let Ok(txn::TxnDecoded::Record(said)) =
                    txn::TxnRecord::decode(&key, record.value.as_deref())
                {
                    highest = highest.max(said.value.map(|value| value.highest_producer_id()));
                }
            }
        }
        Ok(())
    });
    highest
}
