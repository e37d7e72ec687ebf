//! Reads a partition of `__transaction_state` from its start into a fresh machine. Blocks; runs on the I/O pool.
//!
//! What cannot be understood is named as an error and passed over, as with groups.

use pagewire_coordinate::txn;
use pagewire_log::Log;
use pagewire_record::{DecompressLimits, SharedBatch};
use tracing::{debug, error};

use super::super::load::{LoadError, Unreadable, each_batch};

/// The machine with everything the log says.
pub(super) fn load(
    log: &Log,
    settings: txn::Settings,
    coordinator_epoch: i32,
) -> Result<txn::Shard, LoadError> {
    let mut machine = txn::Shard::new(settings, coordinator_epoch);
    let records = each_batch(log, |batch| replay(&mut machine, batch))?;
    if records > 0 {
        let (topic, partition) = (&**log.topic(), log.partition());
        debug!(topic, partition, transactional_ids = machine.id_count(), records, "transactions loaded");
    }
    Ok(machine)
}

/// Takes over one batch, as far as it can be read.
fn replay(machine: &mut txn::Shard, batch: &SharedBatch) -> Result<(), Unreadable> {
    batch.verify_crc()?;
    if batch.header.is_control() {
        return Ok(());
    }
    for record in batch.records(&DecompressLimits::default())? {
        let record = record?;
        let Some(key) = record.key else { continue };
        if let Err(error) = machine.replay(&key, record.value.as_deref()) {
            let offset = record.offset;
            error!(offset, %error, "a record of a transaction cannot be understood and is passed over");
        }
    }
    Ok(())
}
