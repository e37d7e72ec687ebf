//! `Message`, `Request` and `Response`: what the generated structures have in common.

use std::fmt;

use crate::ApiKey;
use crate::element::Element;
use crate::error::{DecodeError, EncodeError};
use crate::reader::Reader;
use crate::writer::{Size, Writer};

/// A whole message body. `Default` gives every field its schema default.
///
/// Fields that a version does not have are left at their default by `decode`. `encode` drops them silently if the
/// schema calls them ignorable or they hold their default, and fails otherwise.
pub trait Message: Element + Default + Clone + fmt::Debug + PartialEq {
    /// Kafka's name for it.
    const NAME: &'static str;
    /// First version.
    const VERSION_MIN: i16;
    /// Last version.
    const VERSION_MAX: i16;
    /// First flexible version (KIP-482); `i16::MAX` if there is none.
    const FLEXIBLE_FROM: i16;

    /// Reads the body. Bytes after it are left to the caller: Kafka ignores them after a request, and so do we,
    /// because nothing that follows could change what the request means.
    fn decode(r: &mut Reader, version: i16) -> Result<Self, DecodeError> {
        if version < Self::VERSION_MIN || version > Self::VERSION_MAX {
            return Err(DecodeError::UnsupportedVersion { message: Self::NAME, version });
        }
        Self::get(r, Self::NAME, version, version >= Self::FLEXIBLE_FROM)
    }

    /// Writes the body.
    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        if version < Self::VERSION_MIN || version > Self::VERSION_MAX {
            return Err(EncodeError::UnsupportedVersion { message: Self::NAME, version });
        }
        self.put(w, Self::NAME, version, version >= Self::FLEXIBLE_FROM)
    }

    /// The exact size of the body, split into what is written and what stays in holes.
    fn size(&self, version: i16) -> Size {
        let mut size = Size::default();
        self.measure(&mut size, version, version >= Self::FLEXIBLE_FROM);
        size
    }

    /// The exact length of the body in bytes, holes included.
    fn encoded_len(&self, version: i16) -> usize {
        self.size(version).total()
    }
}

/// A request body.
pub trait Request: Message {
    /// Its API.
    const KEY: ApiKey;
    /// What answers it, in the same version.
    type Response: Response;
}

/// A response body.
pub trait Response: Message {
    /// Its API.
    const KEY: ApiKey;
}
