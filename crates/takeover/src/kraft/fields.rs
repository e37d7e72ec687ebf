//! The fields of metadata records. All are of the flexible kind: compact strings and arrays, tagged fields at the end.

use pagewire_record::fields::{FieldError, Width};
use uuid::Uuid;

pub(super) use pagewire_record::fields::Fields;

/// Why bytes are not a record of Kafka's metadata.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// They are not the fields of one.
    #[error(transparent)]
    Field(#[from] FieldError),
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

/// What fields of the flexible kind hold.
pub(super) trait Flexible<'a> {
    fn uuid(&mut self) -> Result<Uuid, FieldError>;
    fn nullable_string(&mut self) -> Result<Option<String>, FieldError>;
    fn string(&mut self) -> Result<String, FieldError>;
    /// An array, each element read by `one`; none for null. Elements take a byte each at least, so no more are read
    /// than there are bytes.
    fn nullable_list<T>(
        &mut self,
        one: impl FnMut(&mut Fields<'a>) -> Result<T, FieldError>,
    ) -> Result<Option<Vec<T>>, FieldError>;
    fn list<T>(
        &mut self,
        one: impl FnMut(&mut Fields<'a>) -> Result<T, FieldError>,
    ) -> Result<Vec<T>, FieldError>;
}

impl<'a> Flexible<'a> for Fields<'a> {
    fn uuid(&mut self) -> Result<Uuid, FieldError> {
        self.array().map(Uuid::from_bytes)
    }

    fn nullable_string(&mut self) -> Result<Option<String>, FieldError> {
        Ok(self.text(Width::Compact)?.map(str::to_owned))
    }

    fn string(&mut self) -> Result<String, FieldError> {
        self.nullable_string()?.ok_or(FieldError::Length)
    }

    fn nullable_list<T>(
        &mut self,
        mut one: impl FnMut(&mut Self) -> Result<T, FieldError>,
    ) -> Result<Option<Vec<T>>, FieldError> {
        let Some(count) = self.length(Width::Compact)? else { return Ok(None) };
        let mut list = Vec::new();
        for _ in 0..count {
            list.push(one(self)?);
        }
        Ok(Some(list))
    }

    fn list<T>(&mut self, one: impl FnMut(&mut Self) -> Result<T, FieldError>) -> Result<Vec<T>, FieldError> {
        self.nullable_list(one)?.ok_or(FieldError::Length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claimed_count_takes_no_memory() {
        for claim in [&[0xff, 0xff, 0xff, 0xff, 0x0f][..], &[0xff, 0xff, 0xff, 0xff, 0x07, 0]] {
            assert_eq!(Fields::new(claim).list(Fields::i8), Err(FieldError::Short));
        }
        assert_eq!(Fields::new(&[0]).string(), Err(FieldError::Length), "null");
    }
}
