//! Writes the fields of a record.

use bytes::{BufMut, Bytes, BytesMut};

/// Why a record cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// A string is longer than 32767 bytes, or a byte string longer than 2 GiB.
    #[error("a field of {0} bytes does not fit into a record")]
    TooLong(usize),
}

#[derive(Debug, Default)]
pub(crate) struct Writer {
    out: BytesMut,
}

impl Writer {
    pub(crate) fn done(self) -> Bytes {
        self.out.freeze()
    }

    pub(crate) fn i16(&mut self, value: i16) {
        self.out.put_i16(value);
    }

    pub(crate) fn i32(&mut self, value: i32) {
        self.out.put_i32(value);
    }

    pub(crate) fn i64(&mut self, value: i64) {
        self.out.put_i64(value);
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.out.put_slice(bytes);
    }

    pub(crate) fn varint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.out.put_u8(value as u8 | 0x80);
            value >>= 7;
        }
        self.out.put_u8(value as u8);
    }

    pub(crate) fn string(&mut self, text: &str) -> Result<(), EncodeError> {
        let len = i16::try_from(text.len()).map_err(|_| EncodeError::TooLong(text.len()))?;
        self.i16(len);
        self.raw(text.as_bytes());
        Ok(())
    }

    pub(crate) fn nullable_string(&mut self, text: Option<&str>) -> Result<(), EncodeError> {
        if let Some(text) = text {
            return self.string(text);
        }
        self.i16(-1);
        Ok(())
    }

    pub(super) fn i8(&mut self, value: i8) {
        self.out.put_i8(value);
    }

    /// The count of an array in the compact form.
    pub(super) fn compact_count(&mut self, count: usize) -> Result<(), EncodeError> {
        let count = i32::try_from(count).map_err(|_| EncodeError::TooLong(count))?;
        self.varint(count as u32 + 1);
        Ok(())
    }

    pub(super) fn compact_nullable_string(&mut self, text: Option<&str>) -> Result<(), EncodeError> {
        if let Some(text) = text {
            self.compact_string(text)
        } else {
            self.varint(0);
            Ok(())
        }
    }

    pub(super) fn compact_bytes(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.compact_count(bytes.len())?;
        self.raw(bytes);
        Ok(())
    }

    /// The one tagged field of a struct that has a value; none if `field` is none.
    pub(super) fn tagged(&mut self, field: Option<(u32, Self)>) {
        let Some((tag, field)) = field else { return self.varint(0) };
        self.varint(1);
        self.varint(tag);
        self.varint(field.out.len() as u32);
        self.out.unsplit(field.out);
    }

    pub(crate) fn compact_string(&mut self, text: &str) -> Result<(), EncodeError> {
        if i16::try_from(text.len()).is_err() {
            return Err(EncodeError::TooLong(text.len()));
        }
        self.varint(text.len() as u32 + 1);
        self.raw(text.as_bytes());
        Ok(())
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        let len = i32::try_from(bytes.len()).map_err(|_| EncodeError::TooLong(bytes.len()))?;
        self.i32(len);
        self.raw(bytes);
        Ok(())
    }
}
