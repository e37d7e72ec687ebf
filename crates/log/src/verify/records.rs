//! The records of a batch against what its header says of them.

use bytes::Bytes;
use pagewire_record::{BatchHeader, DecompressLimits, SharedBatch, TimestampType};

/// Reads every record; what is wrong, in words.
pub(super) fn check(header: &BatchHeader, bytes: &[u8], limits: DecompressLimits) -> Result<(), String> {
    let whole = SharedBatch::first(&Bytes::copy_from_slice(bytes)).map_err(|error| error.to_string())?;
    let (mut before, mut newest) = (None, None);
    for record in whole.records(&limits).map_err(|error| error.to_string())? {
        let record = record.map_err(|error| error.to_string())?;
        let (offset, base, last) = (record.offset, header.base_offset, header.last_offset());
        if !(base..=last).contains(&offset) {
            return Err(format!("a record of offset {offset} in a batch of {base} to {last}"));
        }
        if before.is_some_and(|before| offset <= before) {
            return Err(format!("offset {offset} does not rise above that of the record before it"));
        }
        before = Some(offset);
        newest = newest.max(Some(record.timestamp));
    }
    let stated = header.max_timestamp;
    match newest {
        Some(newest) if header.timestamp_type() == TimestampType::CreateTime && newest != stated => {
            Err(format!("its newest record is of time {newest}, the header says {stated}"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use pagewire_record::{BatchBuilder, Codec};

    use super::*;

    fn checked(change: impl FnOnce(&mut BatchHeader)) -> Result<(), String> {
        let mut builder = BatchBuilder::new(Codec::Lz4);
        for at in 0..3 {
            builder.append(100 + at, Some(b"k"), Some(b"v"), &[]).expect("a record");
        }
        let batch = builder.build().expect("a batch");
        let mut header = BatchHeader::parse(&batch).expect("a header");
        change(&mut header);
        let bytes = [&header.encode()[..], batch.get(61..).unwrap_or_default()].concat();
        check(&header, &bytes, DecompressLimits::default())
    }

    #[test]
    fn a_header_that_lies_about_its_records_is_found_out() {
        assert_eq!(checked(|_| {}), Ok(()));
        assert!(checked(|header| header.records_count = 2).is_err_and(|what| what.contains("remain")));
        assert!(checked(|header| header.records_count = 4).is_err_and(|what| what.contains("record 3")));
        assert!(checked(|header| header.last_offset_delta = 1).is_err_and(|what| what.contains("0 to 1")));
        assert!(checked(|header| header.max_timestamp = 9).is_err_and(|what| what.contains("newest")));
    }
}
