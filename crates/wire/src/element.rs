//! `Element`: what can stand in an array or be a message: the structures, and the plain types of the protocol.

use crate::error::{DecodeError, EncodeError};
use crate::reader::Reader;
use crate::text::Str;
use crate::uuid::Uuid;
use crate::writer::{Size, Writer, uvarint_len};

/// A value with a place on the wire in some versions. `flex` says whether the version is a flexible one (KIP-482):
/// compact lengths and tagged fields. `field` names the value in errors.
pub trait Element: Sized {
    /// Reads one.
    fn get(r: &mut Reader, field: &'static str, version: i16, flex: bool) -> Result<Self, DecodeError>;

    /// Writes one.
    fn put(&self, w: &mut Writer, field: &'static str, version: i16, flex: bool) -> Result<(), EncodeError>;

    /// Adds its exact size.
    fn measure(&self, size: &mut Size, version: i16, flex: bool);

    /// Adds the exact size of all in `list`.
    fn measure_all(list: &[Self], size: &mut Size, version: i16, flex: bool) {
        for item in list {
            item.measure(size, version, flex);
        }
    }

    /// The fewest bytes one can take.
    fn least(version: i16, flex: bool) -> usize;
}

/// Types of fixed size: how they are read and written, and their size.
macro_rules! fixed {
    ($($kind:ty: $name:ident $size:literal),*) => {$(
        impl Element for $kind {
            #[inline]
            fn get(r: &mut Reader, field: &'static str, _: i16, _: bool) -> Result<Self, DecodeError> {
                r.$name(field)
            }

            #[inline]
            fn put(&self, w: &mut Writer, _: &'static str, _: i16, _: bool) -> Result<(), EncodeError> {
                w.$name(*self);
                Ok(())
            }

            #[inline]
            fn measure(&self, size: &mut Size, _: i16, _: bool) {
                size.head += $size;
            }

            #[inline]
            fn measure_all(list: &[Self], size: &mut Size, _: i16, _: bool) {
                size.head += $size * list.len();
            }

            #[inline]
            fn least(_: i16, _: bool) -> usize {
                $size
            }
        }
    )*};
}

fixed!(i8: i8 1, i16: i16 2, i32: i32 4, i64: i64 8, u16: u16 2, u32: u32 4, f64: f64 8, bool: bool 1, Uuid: uuid 16);

impl Element for Str {
    fn get(r: &mut Reader, field: &'static str, _: i16, flex: bool) -> Result<Self, DecodeError> {
        r.string(field, flex)
    }

    fn put(&self, w: &mut Writer, field: &'static str, _: i16, flex: bool) -> Result<(), EncodeError> {
        w.string(self, field, flex)
    }

    fn measure(&self, size: &mut Size, _: i16, flex: bool) {
        size.string(self, flex);
    }

    fn least(_: i16, flex: bool) -> usize {
        if flex { uvarint_len(1) } else { 2 }
    }
}
