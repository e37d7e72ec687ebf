//! Reads the fields of a record. Every length is checked against the bytes that are left before anything is taken.

use std::sync::Arc;

use bytes::Bytes;

/// Why bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A field needs more bytes than are left.
    #[error("the record ends inside a field")]
    Short,
    /// A length or count is negative where null is not allowed, or does not fit.
    #[error("a length is out of range")]
    Length,
    /// A string is not UTF-8.
    #[error("a string is not UTF-8")]
    Utf8,
    /// A value of a version that is not known.
    #[error("value version {0} is not known")]
    Version(i16),
}

/// A cursor over one key or value.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    left: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { left: bytes }
    }

    pub(super) const fn remaining(&self) -> usize {
        self.left.len()
    }

    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (head, tail) = self.left.split_at_checked(len).ok_or(DecodeError::Short)?;
        self.left = tail;
        Ok(head)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, tail) = self.left.split_first_chunk::<N>().ok_or(DecodeError::Short)?;
        self.left = tail;
        Ok(*head)
    }

    pub(super) fn i16(&mut self) -> Result<i16, DecodeError> {
        self.array().map(i16::from_be_bytes)
    }

    pub(super) fn i32(&mut self) -> Result<i32, DecodeError> {
        self.array().map(i32::from_be_bytes)
    }

    pub(super) fn i64(&mut self) -> Result<i64, DecodeError> {
        self.array().map(i64::from_be_bytes)
    }

    /// An unsigned variable-length integer of at most 32 bits.
    pub(super) fn varint(&mut self) -> Result<u32, DecodeError> {
        let mut value = 0u32;
        for shift in (0..35).step_by(7) {
            let [byte] = self.array::<1>()?;
            let bits = u32::from(byte & 0x7f);
            if shift == 28 && bits > 0x0f {
                return Err(DecodeError::Length);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::Length)
    }

    /// A length before a string, array or byte string: none for null.
    fn length(&mut self, width: Width) -> Result<Option<usize>, DecodeError> {
        let signed = match width {
            Width::Short => i64::from(self.i16()?),
            Width::Int => i64::from(self.i32()?),
            Width::Compact => i64::from(self.varint()?) - 1,
        };
        match signed {
            -1 => Ok(None),
            len => {
                let len = usize::try_from(len).map_err(|_| DecodeError::Length)?;
                if len > self.remaining() { Err(DecodeError::Short) } else { Ok(Some(len)) }
            }
        }
    }

    fn text(&mut self, width: Width) -> Result<Option<Arc<str>>, DecodeError> {
        let Some(len) = self.length(width)? else { return Ok(None) };
        let text = std::str::from_utf8(self.take(len)?).map_err(|_| DecodeError::Utf8)?;
        Ok(Some(Arc::from(text)))
    }

    pub(super) fn string(&mut self) -> Result<Arc<str>, DecodeError> {
        self.text(Width::Short)?.ok_or(DecodeError::Length)
    }

    pub(super) fn string_of(&mut self, flexible: bool) -> Result<Arc<str>, DecodeError> {
        self.nullable_string_of(flexible)?.ok_or(DecodeError::Length)
    }

    pub(super) fn nullable_string_of(&mut self, flexible: bool) -> Result<Option<Arc<str>>, DecodeError> {
        self.text(if flexible { Width::Compact } else { Width::Short })
    }

    pub(super) fn bytes_of(&mut self, flexible: bool) -> Result<Bytes, DecodeError> {
        let width = if flexible { Width::Compact } else { Width::Int };
        let len = self.length(width)?.ok_or(DecodeError::Length)?;
        Ok(Bytes::copy_from_slice(self.take(len)?))
    }

    /// The count of an array whose elements take at least one byte each.
    pub(super) fn count_of(&mut self, flexible: bool) -> Result<usize, DecodeError> {
        self.length(if flexible { Width::Compact } else { Width::Int })?.ok_or(DecodeError::Length)
    }

    /// Tagged fields: each is offered to `known` with its tag and bytes; unknown ones are passed over.
    pub(super) fn tagged(
        &mut self,
        mut known: impl FnMut(u32, &'a [u8]) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        let count = self.varint()?;
        for _ in 0..count {
            let tag = self.varint()?;
            let len = self.varint()? as usize;
            known(tag, self.take(len)?)?;
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Width {
    Short,
    Int,
    Compact,
}
