//! Reads the fields of a metadata record. Every length is checked against the bytes that are left before anything is
//! taken. All metadata records are of the flexible kind: compact strings and arrays, tagged fields at the end.

use uuid::Uuid;

/// Why bytes are not a record of Kafka's metadata.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
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
    /// A frame or a record of a version that Kafka 4.3 does not write.
    #[error("a {what} of version {found}, this program knows up to {known}: a newer Kafka wrote it")]
    Newer {
        /// The kind of record.
        what: &'static str,
        /// Its version.
        found: u32,
        /// The newest known one.
        known: u32,
    },
    /// It speaks of something that no record before it has made.
    #[error("a {what} of a topic that is not there")]
    Unknown {
        /// The kind of record.
        what: &'static str,
    },
    /// It begins or ends what cannot begin or end there.
    #[error("a {what} where none can be")]
    Misplaced {
        /// The kind of record.
        what: &'static str,
    },
}

/// A cursor over one record.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    left: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { left: bytes }
    }

    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (head, tail) = self.left.split_at_checked(len).ok_or(DecodeError::Short)?;
        self.left = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, tail) = self.left.split_first_chunk::<N>().ok_or(DecodeError::Short)?;
        self.left = tail;
        Ok(*head)
    }

    pub(super) fn i8(&mut self) -> Result<i8, DecodeError> {
        self.array().map(i8::from_be_bytes)
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

    pub(super) fn flag(&mut self) -> Result<bool, DecodeError> {
        self.i8().map(|byte| byte != 0)
    }

    pub(super) fn uuid(&mut self) -> Result<Uuid, DecodeError> {
        self.array().map(Uuid::from_bytes)
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

    /// The length before a compact field, at most as many as there are bytes left; none for null.
    fn length(&mut self) -> Result<Option<usize>, DecodeError> {
        let Some(len) = self.varint()?.checked_sub(1) else { return Ok(None) };
        let len = usize::try_from(len).map_err(|_| DecodeError::Length)?;
        if len > self.left.len() { Err(DecodeError::Short) } else { Ok(Some(len)) }
    }

    pub(super) fn nullable_string(&mut self) -> Result<Option<String>, DecodeError> {
        let Some(len) = self.length()? else { return Ok(None) };
        let text = std::str::from_utf8(self.take(len)?).map_err(|_| DecodeError::Utf8)?;
        Ok(Some(text.to_owned()))
    }

    pub(super) fn string(&mut self) -> Result<String, DecodeError> {
        self.nullable_string()?.ok_or(DecodeError::Length)
    }

    /// An array, each element read by `one`; none for null. Elements take a byte each at least, so no more are read than
    /// there are bytes.
    pub(super) fn nullable_list<T>(
        &mut self,
        mut one: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Option<Vec<T>>, DecodeError> {
        let Some(count) = self.length()? else { return Ok(None) };
        let mut list = Vec::new();
        for _ in 0..count {
            list.push(one(self)?);
        }
        Ok(Some(list))
    }

    pub(super) fn list<T>(
        &mut self,
        one: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        self.nullable_list(one)?.ok_or(DecodeError::Length)
    }

    /// Tagged fields: each is offered to `known` with its tag and its own bytes; unknown ones are passed over.
    pub(super) fn tagged(
        &mut self,
        mut known: impl FnMut(u32, &mut Fields<'a>) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        let count = self.varint()?;
        for _ in 0..count {
            let tag = self.varint()?;
            let len = self.varint()? as usize;
            known(tag, &mut Fields::new(self.take(len)?))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claimed_length_takes_no_memory() {
        for claim in [&[0xff, 0xff, 0xff, 0xff, 0x0f][..], &[0xff, 0xff, 0xff, 0xff, 0x07, 0]] {
            assert_eq!(Fields::new(claim).string(), Err(DecodeError::Short));
            assert_eq!(Fields::new(claim).list(Fields::i8), Err(DecodeError::Short));
        }
        assert_eq!(Fields::new(&[0x80; 6]).varint(), Err(DecodeError::Length));
        assert_eq!(Fields::new(&[0xff, 0xff, 0xff, 0xff, 0x1f]).varint(), Err(DecodeError::Length));
    }

    #[test]
    fn null_is_not_empty() {
        assert_eq!(Fields::new(&[0]).nullable_string(), Ok(None));
        assert_eq!(Fields::new(&[1]).nullable_string(), Ok(Some(String::new())));
        assert_eq!(Fields::new(&[0]).string(), Err(DecodeError::Length));
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
