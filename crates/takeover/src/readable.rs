//! Whether all records of a batch can be read, and lie where its header says.

use pagewire_record::{DecompressLimits, InflateError, RecordsError, SharedBatch};

/// In words, if not.
pub(crate) fn readable(batch: &SharedBatch) -> Result<(), String> {
    batch.verify_crc().map_err(|error| error.to_string())?;
    let records = match batch.records(&DecompressLimits::default()) {
        Ok(records) => records,
        // The bytes are Kafka's. That they are many is no fault.
        Err(RecordsError::Inflate(InflateError::TooLarge { .. })) => return Ok(()),
        Err(error) => return Err(error.to_string()),
    };
    let (mut next, last) = (batch.header.base_offset, batch.header.last_offset());
    for record in records {
        let offset = record.map_err(|error| error.to_string())?.offset;
        if offset < next || offset > last {
            return Err(format!("a record of offset {offset} where {next} to {last} can be"));
        }
        next = offset + 1;
    }
    Ok(())
}
