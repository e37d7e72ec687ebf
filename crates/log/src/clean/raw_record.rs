//! Records as compaction sees them: key, whether there is a value, place and time. The rest is bytes that stay as they
//! are.
//!
//! ```text
//!   record = length varint | attributes i8 | time delta varlong | offset delta varint | tail
//!   tail   = key length, key | value length, value | headers          written again byte for byte
//! ```

use pagewire_record::varint::{self, len_i32, len_i64};
use pagewire_record::{BatchHeader, TimestampType};

/// One record in a batch's decompressed payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RawRecord<'a> {
    pub(super) attributes: u8,
    pub(super) timestamp_delta: i64,
    pub(super) offset_delta: i32,
    /// `None` for null.
    pub(super) key: Option<&'a [u8]>,
    /// The value is null.
    pub(super) tombstone: bool,
    tail: &'a [u8],
}

impl<'a> RawRecord<'a> {
    /// Takes the record at the start of `bytes`.
    pub(super) fn take(bytes: &mut &'a [u8]) -> Result<Self, &'static str> {
        let length = usize::try_from(take_i32(bytes)?).map_err(|_| "a record of negative length")?;
        let (mut body, rest) = bytes.split_at_checked(length).ok_or("a record past the end of its batch")?;
        *bytes = rest;
        let (&attributes, after) = body.split_first().ok_or("a record without attributes")?;
        body = after;
        let timestamp_delta = take_i64(&mut body)?;
        let offset_delta = take_i32(&mut body)?;
        let tail = body;
        let key = take_nullable(&mut body)?;
        let tombstone = take_nullable(&mut body)?.is_none();
        Ok(Self { attributes, timestamp_delta, offset_delta, key, tombstone, tail })
    }

    /// Its time in the batch of `header`.
    pub(super) fn timestamp(&self, header: &BatchHeader) -> i64 {
        match header.timestamp_type() {
            TimestampType::CreateTime => header.base_timestamp.wrapping_add(self.timestamp_delta),
            TimestampType::LogAppendTime => header.max_timestamp,
        }
    }

    /// Writes it with another time delta.
    pub(super) fn write(&self, timestamp_delta: i64, out: &mut Vec<u8>) {
        let length = 1 + len_i64(timestamp_delta) + len_i32(self.offset_delta) + self.tail.len();
        varint::write_i64(out, length as i64);
        out.push(self.attributes);
        varint::write_i64(out, timestamp_delta);
        varint::write_i32(out, self.offset_delta);
        out.extend_from_slice(self.tail);
    }
}

fn take_nullable<'a>(bytes: &mut &'a [u8]) -> Result<Option<&'a [u8]>, &'static str> {
    let Ok(length) = usize::try_from(take_i32(bytes)?) else { return Ok(None) };
    let (field, rest) = bytes.split_at_checked(length).ok_or("a field past the end of its record")?;
    *bytes = rest;
    Ok(Some(field))
}

fn take_i32(bytes: &mut &[u8]) -> Result<i32, &'static str> {
    let (value, taken) = varint::read_i32(bytes).map_err(|_| "a record's number is cut or too long")?;
    *bytes = bytes.get(taken..).unwrap_or_default();
    Ok(value)
}

fn take_i64(bytes: &mut &[u8]) -> Result<i64, &'static str> {
    let (value, taken) = varint::read_i64(bytes).map_err(|_| "a record's number is cut or too long")?;
    *bytes = bytes.get(taken..).unwrap_or_default();
    Ok(value)
}

#[cfg(test)]
mod tests {
    use pagewire_record::{BatchBuilder, Codec, HEADER_LEN};

    use super::*;

    fn batch() -> (BatchHeader, Vec<u8>) {
        let mut builder = BatchBuilder::new(Codec::None).base_offset(100);
        builder
            .append(1000, Some(b"k"), Some(b"value"), &[(b"h", None), (b"i", Some(b"x"))])
            .expect("record");
        builder.append(900, None, None, &[]).expect("record");
        let bytes = builder.build().expect("batch");
        (BatchHeader::parse(&bytes).expect("header"), bytes.to_vec())
    }

    #[test]
    fn records_are_seen_and_written_as_they_were() {
        let (header, bytes) = batch();
        let mut rest = &bytes[HEADER_LEN..];
        let (first, second) =
            (RawRecord::take(&mut rest).expect("one"), RawRecord::take(&mut rest).expect("two"));
        assert!(rest.is_empty());
        assert_eq!((first.key, first.tombstone, first.timestamp(&header)), (Some(&b"k"[..]), false, 1000));
        assert_eq!((second.key, second.tombstone, second.timestamp(&header)), (None, true, 900));
        let mut out = Vec::new();
        first.write(first.timestamp_delta, &mut out);
        second.write(second.timestamp_delta, &mut out);
        assert_eq!(out, &bytes[HEADER_LEN..]);
    }

    #[test]
    fn cut_records_are_refused() {
        let (_, bytes) = batch();
        let whole = &bytes[HEADER_LEN..];
        for cut in 0..whole.len() {
            let mut rest = &whole[..cut];
            let both = RawRecord::take(&mut rest).and_then(|_| RawRecord::take(&mut rest));
            assert!(both.is_err(), "{cut}");
        }
    }
}
