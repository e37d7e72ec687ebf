//! Reads the fields of keys and values that brokers write for themselves: groups, offsets, metadata. Every length is
//! checked against the bytes that are left before anything is taken.
//!
//! Strings, byte strings and arrays come in the old form (a length of 16 or 32 bits) and in the compact one (an
//! unsigned varint, one more than the length; KIP-482), with tagged fields behind.

/// Why bytes are not the fields that were asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// A field needs more bytes than are left.
    #[error("the record ends inside a field")]
    Short,
    /// A length or count is negative where null is not allowed, or does not fit.
    #[error("a length is out of range")]
    Length,
    /// A string is not UTF-8.
    #[error("a string is not UTF-8")]
    Utf8,
}

/// How a length is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// 16 bits: strings in old forms.
    Short,
    /// 32 bits: byte strings and arrays in old forms.
    Int,
    /// A varint.
    Compact,
}

/// A cursor over one key or value.
#[derive(Debug)]
pub struct Fields<'a> {
    left: &'a [u8],
}

impl<'a> Fields<'a> {
    /// At the beginning of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { left: bytes }
    }

    /// Bytes not yet read.
    pub const fn remaining(&self) -> usize {
        self.left.len()
    }

    /// So many bytes.
    pub fn take(&mut self, len: usize) -> Result<&'a [u8], FieldError> {
        let (head, tail) = self.left.split_at_checked(len).ok_or(FieldError::Short)?;
        self.left = tail;
        Ok(head)
    }

    /// `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], FieldError> {
        let (head, tail) = self.left.split_first_chunk::<N>().ok_or(FieldError::Short)?;
        self.left = tail;
        Ok(*head)
    }

    /// An `int8`.
    pub fn i8(&mut self) -> Result<i8, FieldError> {
        self.array().map(i8::from_be_bytes)
    }

    /// An `int16`.
    pub fn i16(&mut self) -> Result<i16, FieldError> {
        self.array().map(i16::from_be_bytes)
    }

    /// An `int32`.
    pub fn i32(&mut self) -> Result<i32, FieldError> {
        self.array().map(i32::from_be_bytes)
    }

    /// An `int64`.
    pub fn i64(&mut self) -> Result<i64, FieldError> {
        self.array().map(i64::from_be_bytes)
    }

    /// A `bool`: anything but zero is true.
    pub fn flag(&mut self) -> Result<bool, FieldError> {
        self.i8().map(|byte| byte != 0)
    }

    /// An unsigned variable-length integer of at most 32 bits.
    pub fn uvarint(&mut self) -> Result<u32, FieldError> {
        let mut value = 0u32;
        for shift in (0..35).step_by(7) {
            let [byte] = self.array::<1>()?;
            let bits = u32::from(byte & 0x7f);
            if shift == 28 && bits > 0x0f {
                return Err(FieldError::Length);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(FieldError::Length)
    }

    /// The length of what follows, of which each element takes a byte at least; none for null.
    pub fn length(&mut self, width: Width) -> Result<Option<usize>, FieldError> {
        let signed = match width {
            Width::Short => i64::from(self.i16()?),
            Width::Int => i64::from(self.i32()?),
            Width::Compact => i64::from(self.uvarint()?) - 1,
        };
        if signed == -1 {
            return Ok(None);
        }
        let len = usize::try_from(signed).map_err(|_| FieldError::Length)?;
        if len > self.remaining() { Err(FieldError::Short) } else { Ok(Some(len)) }
    }

    /// A string; none for null.
    pub fn text(&mut self, width: Width) -> Result<Option<&'a str>, FieldError> {
        let Some(len) = self.length(width)? else { return Ok(None) };
        std::str::from_utf8(self.take(len)?).map(Some).map_err(|_| FieldError::Utf8)
    }

    /// Tagged fields: each is offered to `known` with its tag and its own bytes; unknown ones are passed over.
    pub fn tagged(
        &mut self,
        mut known: impl FnMut(u32, &mut Fields<'a>) -> Result<(), FieldError>,
    ) -> Result<(), FieldError> {
        let count = self.uvarint()?;
        for _ in 0..count {
            let tag = self.uvarint()?;
            let len = self.uvarint()? as usize;
            known(tag, &mut Fields::new(self.take(len)?))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claimed_length_is_held_against_the_bytes_that_are_left() {
        for claim in [&[0xff, 0xff, 0xff, 0xff, 0x0f][..], &[0xff, 0xff, 0xff, 0xff, 0x07, 0]] {
            assert_eq!(Fields::new(claim).text(Width::Compact), Err(FieldError::Short));
        }
        assert_eq!(Fields::new(&[0x7f, 0xff]).text(Width::Short), Err(FieldError::Short));
        assert_eq!(Fields::new(&[0x80, 0]).length(Width::Short), Err(FieldError::Length));
        assert_eq!(Fields::new(&[0x80; 6]).uvarint(), Err(FieldError::Length));
        assert_eq!(Fields::new(&[0xff, 0xff, 0xff, 0xff, 0x1f]).uvarint(), Err(FieldError::Length));
    }

    #[test]
    fn null_is_not_empty() {
        assert_eq!(Fields::new(&[0]).text(Width::Compact), Ok(None));
        assert_eq!(Fields::new(&[1]).text(Width::Compact), Ok(Some("")));
        assert_eq!(Fields::new(&[0xff, 0xff]).text(Width::Short), Ok(None));
        assert_eq!(Fields::new(&[0, 0]).text(Width::Short), Ok(Some("")));
    }

    #[test]
    fn unknown_tags_are_passed_over() {
        let mut seen = Vec::new();
        let bytes = [2, 9, 2, 1, 2, 1, 4, 0, 0, 0, 7];
        let read = Fields::new(&bytes).tagged(|tag, field| {
            if tag == 1 {
                seen.push(field.i32()?);
            }
            Ok(())
        });
        assert_eq!((read, seen), (Ok(()), vec![7]));
    }
}
