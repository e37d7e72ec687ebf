//! Reads the fields of a record, as its groups keep them.

use std::sync::Arc;

use bytes::Bytes;
use pagewire_record::fields::{FieldError, Fields, Width};

/// Why bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// They are not the fields of one.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// A value of a version that is not known.
    #[error("value version {0} is not known")]
    Version(i16),
}

/// Strings and byte strings that are kept. `flexible`: in the compact form.
pub(super) trait Kept {
    fn string(&mut self) -> Result<Arc<str>, FieldError>;
    fn string_of(&mut self, flexible: bool) -> Result<Arc<str>, FieldError>;
    fn nullable_string_of(&mut self, flexible: bool) -> Result<Option<Arc<str>>, FieldError>;
    fn bytes_of(&mut self, flexible: bool) -> Result<Bytes, FieldError>;
    /// The count of an array whose elements take at least one byte each.
    fn count_of(&mut self, flexible: bool) -> Result<usize, FieldError>;
}

impl Kept for Fields<'_> {
    fn string(&mut self) -> Result<Arc<str>, FieldError> {
        self.string_of(false)
    }

    fn string_of(&mut self, flexible: bool) -> Result<Arc<str>, FieldError> {
        self.nullable_string_of(flexible)?.ok_or(FieldError::Length)
    }

    fn nullable_string_of(&mut self, flexible: bool) -> Result<Option<Arc<str>>, FieldError> {
        Ok(self.text(if flexible { Width::Compact } else { Width::Short })?.map(Arc::from))
    }

    fn bytes_of(&mut self, flexible: bool) -> Result<Bytes, FieldError> {
        let len = self.count_of(flexible)?;
        Ok(Bytes::copy_from_slice(self.take(len)?))
    }

    fn count_of(&mut self, flexible: bool) -> Result<usize, FieldError> {
        self.length(if flexible { Width::Compact } else { Width::Int })?.ok_or(FieldError::Length)
    }
}
