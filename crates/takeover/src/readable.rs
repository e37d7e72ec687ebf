//! Whether all records of a batch can be read, and lie where its header says.

use pagewire_record::{DecompressLimits, InflateError, RecordsError, SharedBatch};

/// What a batch is that can be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readable {
    /// All of its records were read.
    Whole,
    /// They come to more bytes than are taken into memory at once. The bytes are Kafka's, and that they are many is no fault.
    TooMuch,
}

/// In words, if not.
pub(crate) fn readable(batch: &SharedBatch, limits: DecompressLimits) -> Result<Readable, String> {
    batch.verify_crc().map_err(|error| error.to_string())?;
    let records = match batch.records(&limits) {
        Ok(records) => records,
        Err(RecordsError::Inflate(InflateError::TooLarge { .. })) => return Ok(Readable::TooMuch),
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
    Ok(Readable::Whole)
}
