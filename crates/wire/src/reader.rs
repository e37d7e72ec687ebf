//! `Reader`: a cursor over one frame. It gives out numbers, slices of the frame and arrays, and takes no memory
//! that the bytes left could not account for.
//!
//! Invariants: `position <= end <= frame.len()`. A count is compared with the bytes left (each element has a least
//! size) before anything is reserved. What arrays unfold into is counted against `memory_left`, because a two-byte
//! element can become a hundred bytes of structure. Nothing here recurses; nesting is bounded by the schema.

use bytes::Bytes;

use crate::element::Element;
use crate::error::DecodeError;
use crate::records::Records;
use crate::text::Str;
use crate::uuid::Uuid;

/// Longest string of the protocol, in bytes.
pub(crate) const STRING_BYTES_MAX: usize = i16::MAX as usize;
/// Elements reserved at once; larger arrays grow as their elements really arrive.
const RESERVE_MAX: usize = 1024;

/// Reads fields of one frame in order.
#[derive(Debug)]
pub struct Reader {
    frame: Bytes,
    position: usize,
    end: usize,
    memory_max: usize,
    memory_left: usize,
}

impl Reader {
    /// What all arrays of one message may unfold into, in bytes, unless said otherwise.
    pub const MEMORY_MAX: usize = 64 << 20;

    /// Reads `frame` (without its size prefix) with [`Reader::MEMORY_MAX`].
    pub fn new(frame: Bytes) -> Self {
        Self::with_memory_max(frame, Self::MEMORY_MAX)
    }

    /// Reads `frame`; its arrays may unfold into `memory_max` bytes.
    pub fn with_memory_max(frame: Bytes, memory_max: usize) -> Self {
        let end = frame.len();
        Self { frame, position: 0, end, memory_max, memory_left: memory_max }
    }

    /// Bytes not yet read.
    pub fn remaining(&self) -> usize {
        self.end.saturating_sub(self.position)
    }

    /// Bytes of memory that the arrays read so far have unfolded into.
    pub fn unfolded_bytes(&self) -> usize {
        self.memory_max.saturating_sub(self.memory_left)
    }

    /// Where the next byte is read, counted from the start of the frame.
    pub fn position(&self) -> usize {
        self.position
    }

    #[inline]
    fn take<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecodeError> {
        match self.frame.get(self.position..self.end).and_then(|rest| rest.first_chunk::<N>()) {
            Some(bytes) => {
                self.position += N;
                Ok(*bytes)
            }
            None => Err(self.truncated(field, N)),
        }
    }

    #[cold]
    fn truncated(&self, field: &'static str, needed: usize) -> DecodeError {
        DecodeError::Truncated { field, needed, left: self.remaining() }
    }

    /// Reads an `int8`.
    #[inline]
    pub fn i8(&mut self, field: &'static str) -> Result<i8, DecodeError> {
        self.take(field).map(i8::from_be_bytes)
    }

    /// Reads an `int16`.
    #[inline]
    pub fn i16(&mut self, field: &'static str) -> Result<i16, DecodeError> {
        self.take(field).map(i16::from_be_bytes)
    }

    /// Reads an `int32`.
    #[inline]
    pub fn i32(&mut self, field: &'static str) -> Result<i32, DecodeError> {
        self.take(field).map(i32::from_be_bytes)
    }

    /// Reads an `int64`.
    #[inline]
    pub fn i64(&mut self, field: &'static str) -> Result<i64, DecodeError> {
        self.take(field).map(i64::from_be_bytes)
    }

    /// Reads a `uint16`.
    #[inline]
    pub fn u16(&mut self, field: &'static str) -> Result<u16, DecodeError> {
        self.take(field).map(u16::from_be_bytes)
    }

    /// Reads a `uint32`.
    #[inline]
    pub fn u32(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        self.take(field).map(u32::from_be_bytes)
    }

    /// Reads a `float64`.
    #[inline]
    pub fn f64(&mut self, field: &'static str) -> Result<f64, DecodeError> {
        self.take(field).map(f64::from_be_bytes)
    }

    /// Reads a `bool`: anything but zero is true.
    #[inline]
    pub fn bool(&mut self, field: &'static str) -> Result<bool, DecodeError> {
        self.take(field).map(|[byte]| byte != 0)
    }

    /// Reads a `uuid`.
    #[inline]
    pub fn uuid(&mut self, field: &'static str) -> Result<Uuid, DecodeError> {
        self.take(field).map(Uuid)
    }

    /// Reads an unsigned variable-length integer of up to 32 bits.
    #[inline]
    pub fn uvarint(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        let [first] = self.take(field)?;
        if first < 0x80 { Ok(u32::from(first)) } else { self.long_uvarint(first, field) }
    }

    fn long_uvarint(&mut self, first: u8, field: &'static str) -> Result<u32, DecodeError> {
        let mut value = u32::from(first & 0x7f);
        for shift in [7, 14, 21, 28] {
            let [byte] = self.take(field)?;
            if shift == 28 && byte > 0x0f {
                break;
            }
            value |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(DecodeError::BadVarint { field })
    }

    /// A length that may be -1 (null): `uvarint - 1` in flexible versions, else what `plain` read.
    #[inline]
    fn length(&mut self, field: &'static str, flex: bool, wide: bool) -> Result<Option<usize>, DecodeError> {
        if flex {
            return Ok((self.uvarint(field)? as usize).checked_sub(1));
        }
        let length = if wide { self.i32(field)? } else { i32::from(self.i16(field)?) };
        match length {
            -1 => Ok(None),
            0.. => Ok(Some(length as usize)),
            _ => Err(DecodeError::NegativeLength { field, length }),
        }
    }

    #[inline]
    fn slice(&mut self, field: &'static str, len: usize) -> Result<Bytes, DecodeError> {
        if len > self.remaining() {
            return Err(self.truncated(field, len));
        }
        let start = self.position;
        self.position += len;
        Ok(if len == 0 { Bytes::new() } else { self.frame.slice(start..start + len) })
    }

    /// Reads a string that may be null if `allowed`. `flex` chooses the compact form.
    pub fn nullable_string(
        &mut self,
        field: &'static str,
        flex: bool,
        allowed: bool,
    ) -> Result<Option<Str>, DecodeError> {
        let Some(length) = self.length(field, flex, false)? else {
            return if allowed { Ok(None) } else { Err(DecodeError::UnexpectedNull { field }) };
        };
        if length > STRING_BYTES_MAX {
            return Err(DecodeError::StringTooLong { field, length });
        }
        let bytes = self.slice(field, length)?;
        Ok(Some(Str::from_bytes(bytes)))
    }

    /// Reads a string.
    pub fn string(&mut self, field: &'static str, flex: bool) -> Result<Str, DecodeError> {
        self.nullable_string(field, flex, false)?.ok_or(DecodeError::UnexpectedNull { field })
    }

    /// Reads bytes that may be null if `allowed`.
    pub fn nullable_bytes(
        &mut self,
        field: &'static str,
        flex: bool,
        allowed: bool,
    ) -> Result<Option<Bytes>, DecodeError> {
        match self.length(field, flex, true)? {
            Some(length) => self.slice(field, length).map(Some),
            None if allowed => Ok(None),
            None => Err(DecodeError::UnexpectedNull { field }),
        }
    }

    /// Reads bytes.
    pub fn bytes(&mut self, field: &'static str, flex: bool) -> Result<Bytes, DecodeError> {
        self.nullable_bytes(field, flex, false)?.ok_or(DecodeError::UnexpectedNull { field })
    }

    /// Reads records, null if `allowed`; never a hole.
    pub fn records(
        &mut self,
        field: &'static str,
        flex: bool,
        allowed: bool,
    ) -> Result<Records, DecodeError> {
        Ok(self.nullable_bytes(field, flex, allowed)?.map_or(Records::Null, Records::Bytes))
    }

    /// Reads an array that may be null if `allowed`; `version` and `flex` are for its elements.
    pub fn nullable_array<T: Element>(
        &mut self,
        field: &'static str,
        version: i16,
        flex: bool,
        allowed: bool,
    ) -> Result<Option<Vec<T>>, DecodeError> {
        let Some(count) = self.length(field, flex, true)? else {
            return if allowed { Ok(None) } else { Err(DecodeError::UnexpectedNull { field }) };
        };
        let left = self.remaining();
        if count > left / T::least(version, flex).max(1) {
            return Err(DecodeError::CountTooLarge { field, count, left });
        }
        let unfolded = count.saturating_mul(size_of::<T>());
        self.memory_left =
            self.memory_left.checked_sub(unfolded).ok_or(DecodeError::MemoryExceeded { field })?;
        let mut list = Vec::with_capacity(count.min(RESERVE_MAX));
        for _ in 0..count {
            list.push(T::get(self, field, version, flex)?);
        }
        Ok(Some(list))
    }

    /// Reads an array.
    pub fn array<T: Element>(
        &mut self,
        field: &'static str,
        version: i16,
        flex: bool,
    ) -> Result<Vec<T>, DecodeError> {
        self.nullable_array(field, version, flex, false)?.ok_or(DecodeError::UnexpectedNull { field })
    }

    /// Reads a structure that may be null if `allowed`: one byte, below zero for null, then the structure.
    pub fn nullable_struct<T: Element>(
        &mut self,
        field: &'static str,
        version: i16,
        flex: bool,
        allowed: bool,
    ) -> Result<Option<T>, DecodeError> {
        if self.i8(field)? >= 0 {
            T::get(self, field, version, flex).map(Some)
        } else if allowed {
            Ok(None)
        } else {
            Err(DecodeError::UnexpectedNull { field })
        }
    }

    /// Enters the next tagged field: its tag, and what [`Reader::close_tag`] needs to leave it. Reads inside cannot
    /// pass its announced end.
    pub(crate) fn open_tag(&mut self, field: &'static str) -> Result<(u32, usize), DecodeError> {
        let tag = self.uvarint(field)?;
        let size = self.uvarint(field)? as usize;
        if size > self.remaining() {
            return Err(self.truncated(field, size));
        }
        let outer = self.end;
        self.end = self.position + size;
        Ok((tag, outer))
    }

    /// Leaves a tagged field; what was not read of it is skipped.
    pub(crate) fn close_tag(&mut self, outer: usize) {
        self.position = self.end;
        self.end = outer;
    }

    /// Skips all tagged fields of a structure that knows none.
    pub fn skip_tags(&mut self, field: &'static str) -> Result<(), DecodeError> {
        for _ in 0..self.uvarint(field)? {
            let (_, outer) = self.open_tag(field)?;
            self.close_tag(outer);
        }
        Ok(())
    }
}
