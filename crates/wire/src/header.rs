//! Request and response headers: which version of them a request or response carries, and the one exception.
//!
//! ```text
//! request  v1: api_key i16 | api_version i16 | correlation_id i32 | client_id i16-string or null
//! request  v2: v1, then tagged fields; client_id keeps its plain form
//! response v0: correlation_id i32
//! response v1: v0, then tagged fields
//! ```
//!
//! Flexible versions of an API use request v2 and response v1. ApiVersions always answers with response v0, because a
//! client that asks does not know yet what the broker speaks (KIP-511).

use crate::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::reader::Reader;
use crate::text::Str;
use crate::writer::{Size, Writer};

/// The first eight bytes of every request, whatever its header version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestPrefix {
    /// Which API, perhaps one that nobody knows.
    pub api_key: i16,
    /// Which version of it.
    pub api_version: i16,
    /// Chosen by the client; the response repeats it.
    pub correlation_id: i32,
}

impl RequestPrefix {
    /// Looks at the front of a frame (without its size prefix).
    pub fn peek(frame: &[u8]) -> Option<Self> {
        let bytes = frame.first_chunk::<8>()?;
        let [k0, k1, v0, v1, c0, c1, c2, c3] = *bytes;
        Some(Self {
            api_key: i16::from_be_bytes([k0, k1]),
            api_version: i16::from_be_bytes([v0, v1]),
            correlation_id: i32::from_be_bytes([c0, c1, c2, c3]),
        })
    }
}

/// A request header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestHeader {
    /// Which API.
    pub api_key: ApiKey,
    /// Which version of it; not checked against what the API has, so that the broker can answer as it must.
    pub api_version: i16,
    /// Chosen by the client; the response repeats it.
    pub correlation_id: i32,
    /// The client's name for itself.
    pub client_id: Option<Str>,
}

impl RequestHeader {
    /// Reads a header; the body follows in `r`. An unknown key is an error: without it not even the form of the
    /// header is known, and Kafka closes the connection.
    pub fn decode(r: &mut Reader) -> Result<Self, DecodeError> {
        let key = r.i16("RequestHeader.api_key")?;
        let api_version = r.i16("RequestHeader.api_version")?;
        let correlation_id = r.i32("RequestHeader.correlation_id")?;
        let api_key = ApiKey::from_code(key).ok_or(DecodeError::UnknownKey { key })?;
        let client_id = r.nullable_string("RequestHeader.client_id", false, true)?;
        if api_key.is_flexible(api_version) {
            r.skip_tags("RequestHeader.tags")?;
        }
        Ok(Self { api_key, api_version, correlation_id, client_id })
    }

    /// Writes a header, as clients do.
    pub fn encode(&self, w: &mut Writer) -> Result<(), EncodeError> {
        w.i16(self.api_key.code());
        w.i16(self.api_version);
        w.i32(self.correlation_id);
        w.nullable_string(self.client_id.as_ref(), "RequestHeader.client_id", false, true)?;
        if self.api_key.is_flexible(self.api_version) {
            w.uvarint(0);
        }
        Ok(())
    }

    /// The exact length of the header in bytes.
    pub fn encoded_len(&self) -> usize {
        let mut size = Size { head: 8, holes: 0 };
        size.nullable_string(self.client_id.as_ref(), false);
        size.head + usize::from(self.api_key.is_flexible(self.api_version))
    }
}

/// True if responses of this API and version carry response header v1.
fn response_header_is_flexible(key: ApiKey, version: i16) -> bool {
    key != ApiKey::ApiVersions && key.is_flexible(version)
}

/// A response header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResponseHeader {
    /// The request's.
    pub correlation_id: i32,
}

impl ResponseHeader {
    /// Reads the header of a response to `key` in `version`; the body follows in `r`.
    pub fn decode(r: &mut Reader, key: ApiKey, version: i16) -> Result<Self, DecodeError> {
        let correlation_id = r.i32("ResponseHeader.correlation_id")?;
        if response_header_is_flexible(key, version) {
            r.skip_tags("ResponseHeader.tags")?;
        }
        Ok(Self { correlation_id })
    }

    /// Writes the header of a response to `key` in `version`.
    pub fn encode(self, w: &mut Writer, key: ApiKey, version: i16) {
        w.i32(self.correlation_id);
        if response_header_is_flexible(key, version) {
            w.uvarint(0);
        }
    }

    /// Its length in bytes.
    pub fn encoded_len(key: ApiKey, version: i16) -> usize {
        4 + usize::from(response_header_is_flexible(key, version))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn header(key: ApiKey, version: i16, client_id: Option<&'static str>) -> RequestHeader {
        RequestHeader {
            api_key: key,
            api_version: version,
            correlation_id: 7,
            client_id: client_id.map(Str::from),
        }
    }

    fn bytes_of(header: &RequestHeader) -> Bytes {
        let mut w = Writer::with_capacity(header.encoded_len());
        header.encode(&mut w).unwrap();
        let (bytes, _) = w.finish();
        assert_eq!(bytes.len(), header.encoded_len());
        bytes
    }

    #[test]
    fn client_id_stays_plain_in_flexible_headers() {
        let bytes = bytes_of(&header(ApiKey::Metadata, 9, Some("ab")));
        assert_eq!(&bytes[..], [0, 3, 0, 9, 0, 0, 0, 7, 0, 2, b'a', b'b', 0]);
    }

    #[test]
    fn headers_read_back() {
        for (version, client) in [(8, None), (8, Some("me")), (9, None), (13, Some(""))] {
            let written = header(ApiKey::Metadata, version, client);
            let mut r = Reader::new(bytes_of(&written));
            assert_eq!(RequestHeader::decode(&mut r), Ok(written));
            assert_eq!(r.remaining(), 0);
        }
    }

    #[test]
    fn api_versions_always_answers_with_the_first_response_header() {
        for version in 0..=4 {
            assert_eq!(ResponseHeader::encoded_len(ApiKey::ApiVersions, version), 4);
        }
        assert_eq!(ResponseHeader::encoded_len(ApiKey::Metadata, 9), 5);
        assert_eq!(ResponseHeader::encoded_len(ApiKey::Metadata, 8), 4);
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_it() {
        let mut r = Reader::new(Bytes::from_static(&[0x7f, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff]));
        assert_eq!(RequestHeader::decode(&mut r), Err(DecodeError::UnknownKey { key: 0x7f00 }));
    }

    #[test]
    fn peek_wants_eight_bytes() {
        assert_eq!(RequestPrefix::peek(&[0; 7]), None);
        let seen = RequestPrefix::peek(&[0, 1, 0, 2, 0, 0, 0, 3, 9]);
        assert_eq!(seen, Some(RequestPrefix { api_key: 1, api_version: 2, correlation_id: 3 }));
    }
}
