//! Record batches to produce, and what comes back.

use bytes::Bytes;
use pagewire_record::{BatchBuilder, Codec, DecompressLimits, complete_batches};

/// The time all records carry unless a fact is about time: recent enough for every default bound.
pub(crate) fn now_ms() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(now.as_millis()).unwrap()
}

/// A batch of values without keys.
pub(crate) fn batch(values: &[&str]) -> Bytes {
    batch_of(BatchBuilder::new(Codec::None), values)
}

/// A batch of values by a builder that is set up already.
pub(crate) fn batch_of(mut builder: BatchBuilder, values: &[&str]) -> Bytes {
    for value in values {
        builder.append(now_ms(), None, Some(value.as_bytes()), &[]).unwrap();
    }
    builder.build().unwrap()
}

/// A batch of records with times, keys and values.
pub(crate) fn keyed(codec: Codec, records: &[(i64, Option<&str>, Option<&str>)]) -> Bytes {
    let mut builder = BatchBuilder::new(codec);
    for (time_ms, key, value) in records {
        let header: (&[u8], Option<&[u8]>) = (b"h", Some(b"1"));
        builder.append(*time_ms, key.map(str::as_bytes), value.map(str::as_bytes), &[header]).unwrap();
    }
    builder.build().unwrap()
}

/// A record as a consumer sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) offset: i64,
    pub(crate) timestamp: i64,
    pub(crate) key: Option<Bytes>,
    pub(crate) value: Option<Bytes>,
}

/// All records in the whole batches of `bytes`, checked by their CRC.
pub(crate) fn records_of(bytes: &Bytes) -> Vec<Read> {
    let mut records = Vec::new();
    for batch in complete_batches(bytes) {
        let batch = batch.unwrap();
        batch.verify_crc().unwrap();
        for record in batch.records(&DecompressLimits::default()).unwrap() {
            let record = record.unwrap();
            let (offset, timestamp) = (record.offset, record.timestamp);
            records.push(Read { offset, timestamp, key: record.key, value: record.value });
        }
    }
    records
}

/// Offsets and values as text, which is all that most facts look at.
pub(crate) fn values_of(bytes: &Bytes) -> Vec<(i64, String)> {
    let text = |value: Option<Bytes>| String::from_utf8(value.unwrap_or_default().to_vec()).unwrap();
    records_of(bytes).into_iter().map(|record| (record.offset, text(record.value))).collect()
}
