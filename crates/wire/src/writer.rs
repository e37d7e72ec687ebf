//! `Size` measures a message before its first byte is written; `Writer` writes it and remembers the holes.
//!
//! Both walk the fields in the same order with the same rules, so that a measured size is exact: tests compare them
//! for every message and version.

use bytes::Bytes;

use crate::element::Element;
use crate::error::EncodeError;
use crate::reader::STRING_BYTES_MAX;
use crate::records::Records;
use crate::text::Str;
use crate::uuid::Uuid;

/// How many bytes a message takes: in the encoder's own memory, and in holes filled by someone else.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Size {
    /// Bytes the writer will write.
    pub head: usize,
    /// Bytes of records that stay where they are.
    pub holes: usize,
}

/// Bytes of an unsigned variable-length integer.
#[inline]
pub(crate) fn uvarint_len(value: u32) -> usize {
    match value {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        0x20_0000..0x1000_0000 => 4,
        _ => 5,
    }
}

/// A length or count as it goes onto the wire in flexible versions: one more than it is, zero for null.
#[inline]
fn compact(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX).saturating_add(1)
}

impl Size {
    /// Both parts together.
    pub fn total(&self) -> usize {
        self.head + self.holes
    }

    /// Counts a string.
    #[inline]
    pub fn string(&mut self, value: &Str, flex: bool) {
        self.head += value.len() + if flex { uvarint_len(compact(value.len())) } else { 2 };
    }

    /// Counts a string or null.
    #[inline]
    pub fn nullable_string(&mut self, value: Option<&Str>, flex: bool) {
        match value {
            Some(value) => self.string(value, flex),
            None => self.head += if flex { 1 } else { 2 },
        }
    }

    #[inline]
    fn length(&mut self, length: usize, flex: bool) {
        self.head += if flex { uvarint_len(compact(length)) } else { 4 };
    }

    /// Counts bytes.
    #[inline]
    pub fn bytes(&mut self, value: &Bytes, flex: bool) {
        self.length(value.len(), flex);
        self.head += value.len();
    }

    /// Counts bytes or null.
    #[inline]
    pub fn nullable_bytes(&mut self, value: Option<&Bytes>, flex: bool) {
        match value {
            Some(value) => self.bytes(value, flex),
            None => self.head += if flex { 1 } else { 4 },
        }
    }

    /// Counts records; a hole counts apart.
    #[inline]
    pub fn records(&mut self, value: &Records, flex: bool) {
        match value {
            Records::Null => self.nullable_bytes(None, flex),
            Records::Bytes(bytes) => self.bytes(bytes, flex),
            Records::Hole(len) => {
                self.length(*len as usize, flex);
                self.holes += *len as usize;
            }
        }
    }

    /// Counts an array.
    pub fn array<T: Element>(&mut self, list: &[T], version: i16, flex: bool) {
        self.length(list.len(), flex);
        T::measure_all(list, self, version, flex);
    }

    /// Counts an array or null.
    pub fn nullable_array<T: Element>(&mut self, list: Option<&[T]>, version: i16, flex: bool) {
        match list {
            Some(list) => self.array(list, version, flex),
            None => self.head += if flex { 1 } else { 4 },
        }
    }

    /// Counts a structure that may be null.
    pub fn nullable_struct<T: Element>(&mut self, value: Option<&T>, version: i16, flex: bool) {
        self.head += 1;
        if let Some(value) = value {
            value.measure(self, version, flex);
        }
    }

    /// Counts a tagged field whose value measures `inner`.
    pub(crate) fn tagged(&mut self, tag: u32, inner: Size) {
        self.head += uvarint_len(tag) + uvarint_len(inner.total() as u32) + inner.head;
        self.holes += inner.holes;
    }
}

/// Writes fields in order into memory of its own.
#[derive(Debug, Default)]
pub struct Writer {
    head: Vec<u8>,
    holes: Vec<(usize, u32)>,
}

impl Writer {
    /// A writer with room for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { head: Vec::with_capacity(capacity), holes: Vec::new() }
    }

    /// Bytes written so far.
    pub fn len(&self) -> usize {
        self.head.len()
    }

    /// True if nothing was written.
    pub fn is_empty(&self) -> bool {
        self.head.is_empty()
    }

    /// What was written, and the holes: each a position in it and a length.
    pub fn finish(self) -> (Bytes, Vec<(usize, u32)>) {
        (Bytes::from(self.head), self.holes)
    }

    /// Writes an `int8`.
    #[inline]
    pub fn i8(&mut self, value: i8) {
        self.head.extend_from_slice(&value.to_be_bytes());
    }

    /// Writes an `int16`.
    #[inline]
    pub fn i16(&mut self, value: i16) {
        self.head.extend_from_slice(&value.to_be_bytes());
    }

    /// Writes an `int32`.
    #[inline]
    pub fn i32(&mut self, value: i32) {
        self.head.extend_from_slice(&value.to_be_bytes());
    }

    /// Writes an `int64`.
    #[inline]
    pub fn i64(&mut self, value: i64) {
        self.head.extend_from_slice(&value.to_be_bytes());
    }

    /// Writes a `uint16`.
    #[inline]
    pub fn u16(&mut self, value: u16) {
        self.head.extend_from_slice(&value.to_be_bytes());
    }

    /// Writes a `uint32`.
    #[inline]
    pub fn u32(&mut self, value: u32) {
        self.head.extend_from_slice(&value.to_be_bytes());
    }

    /// Writes a `float64`.
    #[inline]
    pub fn f64(&mut self, value: f64) {
        self.head.extend_from_slice(&value.to_be_bytes());
    }

    /// Writes a `bool`.
    #[inline]
    pub fn bool(&mut self, value: bool) {
        self.head.push(u8::from(value));
    }

    /// Writes a `uuid`.
    #[inline]
    pub fn uuid(&mut self, value: Uuid) {
        self.head.extend_from_slice(&value.0);
    }

    /// Writes an unsigned variable-length integer.
    #[inline]
    pub fn uvarint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.head.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.head.push(value as u8);
    }

    /// Writes a string.
    #[inline]
    pub fn string(&mut self, value: &Str, field: &'static str, flex: bool) -> Result<(), EncodeError> {
        let length = value.len();
        if length > STRING_BYTES_MAX {
            return Err(EncodeError::TooLong { field, length });
        }
        if flex {
            self.uvarint(compact(length));
        } else {
            self.i16(length as i16);
        }
        self.head.extend_from_slice(value.as_bytes());
        Ok(())
    }

    /// Writes a string, or null if `allowed`.
    #[inline]
    pub fn nullable_string(
        &mut self,
        value: Option<&Str>,
        field: &'static str,
        flex: bool,
        allowed: bool,
    ) -> Result<(), EncodeError> {
        match value {
            Some(value) => return self.string(value, field, flex),
            None if !allowed => return Err(EncodeError::UnexpectedNull { field }),
            None if flex => self.uvarint(0),
            None => self.i16(-1),
        }
        Ok(())
    }

    #[inline]
    fn length(&mut self, length: usize, field: &'static str, flex: bool) -> Result<(), EncodeError> {
        let Ok(plain) = i32::try_from(length) else { return Err(EncodeError::TooLong { field, length }) };
        if flex {
            self.uvarint(compact(length));
        } else {
            self.i32(plain);
        }
        Ok(())
    }

    #[inline]
    fn null(&mut self, field: &'static str, flex: bool, allowed: bool) -> Result<(), EncodeError> {
        if !allowed {
            return Err(EncodeError::UnexpectedNull { field });
        }
        if flex {
            self.uvarint(0);
        } else {
            self.i32(-1);
        }
        Ok(())
    }

    /// Writes bytes.
    pub fn bytes(&mut self, value: &Bytes, field: &'static str, flex: bool) -> Result<(), EncodeError> {
        self.length(value.len(), field, flex)?;
        self.head.extend_from_slice(value);
        Ok(())
    }

    /// Writes bytes, or null if `allowed`.
    pub fn nullable_bytes(
        &mut self,
        value: Option<&Bytes>,
        field: &'static str,
        flex: bool,
        allowed: bool,
    ) -> Result<(), EncodeError> {
        match value {
            Some(value) => self.bytes(value, field, flex),
            None => self.null(field, flex, allowed),
        }
    }

    /// Writes records: their bytes, or their length and a hole.
    pub fn records(
        &mut self,
        value: &Records,
        field: &'static str,
        flex: bool,
        allowed: bool,
    ) -> Result<(), EncodeError> {
        match value {
            Records::Null => self.null(field, flex, allowed),
            Records::Bytes(bytes) => self.bytes(bytes, field, flex),
            Records::Hole(len) => {
                self.length(*len as usize, field, flex)?;
                if *len > 0 {
                    self.holes.push((self.head.len(), *len));
                }
                Ok(())
            }
        }
    }

    /// Writes an array.
    pub fn array<T: Element>(
        &mut self,
        list: &[T],
        field: &'static str,
        version: i16,
        flex: bool,
    ) -> Result<(), EncodeError> {
        self.length(list.len(), field, flex)?;
        for item in list {
            item.put(self, field, version, flex)?;
        }
        Ok(())
    }

    /// Writes an array, or null if `allowed`.
    pub fn nullable_array<T: Element>(
        &mut self,
        list: Option<&[T]>,
        field: &'static str,
        version: i16,
        flex: bool,
        allowed: bool,
    ) -> Result<(), EncodeError> {
        match list {
            Some(list) => self.array(list, field, version, flex),
            None => self.null(field, flex, allowed),
        }
    }

    /// Writes a structure, or null if `allowed`.
    pub fn nullable_struct<T: Element>(
        &mut self,
        value: Option<&T>,
        field: &'static str,
        version: i16,
        flex: bool,
        allowed: bool,
    ) -> Result<(), EncodeError> {
        match value {
            Some(value) => {
                self.i8(1);
                value.put(self, field, version, flex)
            }
            None if allowed => {
                self.i8(-1);
                Ok(())
            }
            None => Err(EncodeError::UnexpectedNull { field }),
        }
    }

    /// Opens a tagged field whose value measures `inner`; the value follows.
    pub(crate) fn tag(&mut self, tag: u32, inner: Size) {
        self.uvarint(tag);
        self.uvarint(inner.total() as u32);
    }
}
