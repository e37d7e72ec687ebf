//! What a control batch says: the end of a producer's transaction.
//!
//! A batch that compaction emptied, or one of the cluster metadata log, says nothing of that kind.

use std::io;

use bytes::Bytes;
use pagewire_disk::DiskFile;
use pagewire_record::batch::Batch;
use pagewire_record::{BatchHeader, DecompressLimits, EndTxnMarker, HEADER_LEN, Records};

use crate::scan::Found;

/// A marker's record takes 17 bytes; later versions may add to it, but nothing of another order.
const PAYLOAD_MAX: usize = 4096;

/// Whether the batch is of the kind that ends a transaction.
pub(crate) fn may_end_txn(header: &BatchHeader) -> bool {
    header.is_control() && header.has_producer_id() && header.records_count > 0
}

/// The marker in a batch.
pub(crate) fn of_batch(header: &BatchHeader, payload: &[u8]) -> Option<EndTxnMarker> {
    if !may_end_txn(header) || payload.len() > PAYLOAD_MAX {
        return None;
    }
    let limits = DecompressLimits { max_bytes: PAYLOAD_MAX };
    let mut records = Records::new(header, Bytes::copy_from_slice(payload), &limits).ok()?;
    let record = records.next()?.ok()?;
    EndTxnMarker::from_record(&record.key?, &record.value?)
}

/// The marker in a batch of a file.
pub(crate) fn in_file(file: &dyn DiskFile, found: &Found) -> io::Result<Option<EndTxnMarker>> {
    let len = found.header.size_in_bytes().saturating_sub(HEADER_LEN as u64);
    if !may_end_txn(&found.header) || len > PAYLOAD_MAX as u64 {
        return Ok(None);
    }
    let mut payload = vec![0; len as usize];
    file.read_exact_at(found.position + HEADER_LEN as u64, &mut payload)?;
    Ok(of_batch(&found.header, &payload))
}

/// The same, if the batch is as it was written: nobody has compared its checksum yet.
pub(crate) fn whole_in_file(file: &dyn DiskFile, found: &Found) -> io::Result<Option<EndTxnMarker>> {
    let size = found.header.size_in_bytes();
    if size > (HEADER_LEN + PAYLOAD_MAX) as u64 {
        return Ok(None);
    }
    let mut bytes = vec![0; size as usize];
    file.read_exact_at(found.position, &mut bytes)?;
    let batch = Batch::first(&bytes).ok().filter(|batch| batch.verify_crc().is_ok());
    Ok(batch.and_then(|batch| of_batch(&batch.header, batch.payload())))
}

#[cfg(test)]
mod tests {
    use pagewire_record::{BatchBuilder, Codec, ControlType, batches, control_batch};

    use super::*;

    fn read(bytes: &Bytes) -> Option<EndTxnMarker> {
        let batch = batches(bytes).next().expect("a batch").expect("good");
        of_batch(&batch.header, batch.payload())
    }

    #[test]
    fn only_a_control_batch_of_a_producer_ends_a_transaction() {
        let marker = EndTxnMarker { control_type: ControlType::Abort, coordinator_epoch: 7 };
        assert_eq!(read(&control_batch(marker, 9, 0, 5).expect("marker")), Some(marker));
        let mut data = BatchBuilder::new(Codec::None).producer(9, 0, 0).transactional();
        data.append(5, Some(&[0, 0, 0, 0]), Some(&[0; 6]), &[]).expect("record");
        assert_eq!(read(&data.build().expect("batch")), None);
        let nobodys = EndTxnMarker { control_type: ControlType::Other(3), coordinator_epoch: 0 };
        assert_eq!(read(&control_batch(nobodys, -1, -1, 5).expect("marker")), None);
        assert_eq!(read(&control_batch(nobodys, 9, 0, 5).expect("marker")), None, "of another type");
    }

    #[test]
    fn an_emptied_or_damaged_control_batch_says_nothing() {
        let marker = EndTxnMarker { control_type: ControlType::Commit, coordinator_epoch: 7 };
        let bytes = control_batch(marker, 9, 0, 5).expect("marker");
        let batch = batches(&bytes).next().expect("a batch").expect("good");
        let emptied = BatchHeader { records_count: 0, ..batch.header };
        assert_eq!(of_batch(&emptied, &[]), None);
        for len in 0..batch.payload().len() {
            assert_eq!(of_batch(&batch.header, &batch.payload()[..len]), None, "cut at {len}");
        }
    }
}
