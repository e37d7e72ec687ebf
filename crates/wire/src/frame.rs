//! `Frame`: an encoded request or response with its size prefix, and holes where record bytes go.
//!
//! ```text
//! head:  [size i32][header][body ... records length]      [more body ...]
//! holes:                                            ^ (position in head, length)
//! wire:  [size i32][header][body ... records length][file bytes][more body ...]
//! ```
//!
//! The size prefix counts the holes. Who sends the frame must deliver exactly the announced bytes in every hole.

use bytes::Bytes;

use crate::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::error_code::ErrorCode;
use crate::header::{RequestHeader, ResponseHeader};
use crate::message::{Message, Request, Response};
use crate::reader::Reader;
use crate::text::Str;
use crate::writer::{Size, Writer};

/// Bytes of the size prefix.
pub const SIZE_LEN: usize = 4;

/// What a decoded response may unfold into, in bytes: the broker is one we chose to speak to.
const RESPONSE_MEMORY_MAX: usize = 1 << 30;

/// An encoded frame, size prefix included.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frame {
    /// All bytes that are not in holes.
    pub head: Bytes,
    /// Where in `head` bytes are missing, and how many; positions ascend, lengths are not zero.
    pub holes: Vec<(usize, u32)>,
}

/// A stretch of a frame, in the order of the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Bytes of the head.
    Bytes(Bytes),
    /// The next hole: this many bytes from elsewhere.
    Hole(u32),
}

impl Frame {
    /// Bytes on the wire, prefix and holes included.
    pub fn total_len(&self) -> usize {
        self.head.len() + self.holes.iter().map(|(_, len)| *len as usize).sum::<usize>()
    }

    /// The frame as alternating stretches of head and holes; empty stretches are left out.
    pub fn parts(&self) -> impl Iterator<Item = Part> + '_ {
        let tail = self.holes.last().map_or(0, |(position, _)| *position);
        let mut start = 0;
        self.holes
            .iter()
            .flat_map(move |(position, len)| {
                let before = self.head.slice(start..*position);
                start = *position;
                [Part::Bytes(before), Part::Hole(*len)]
            })
            .chain([Part::Bytes(self.head.slice(tail..))])
            .filter(|part| !matches!(part, Part::Bytes(bytes) if bytes.is_empty()))
    }

    /// The whole frame in one piece, if it has no holes.
    pub fn into_bytes(self) -> Option<Bytes> {
        self.holes.is_empty().then_some(self.head)
    }
}

fn seal(
    header_len: usize,
    body: &impl Message,
    version: i16,
    write_header: impl FnOnce(&mut Writer) -> Result<(), EncodeError>,
) -> Result<Frame, EncodeError> {
    let size: Size = body.size(version);
    let length = header_len + size.total();
    let Ok(prefix) = i32::try_from(length) else { return Err(EncodeError::FrameTooLong { length }) };
    let mut w = Writer::with_capacity(SIZE_LEN + header_len + size.head);
    w.i32(prefix);
    write_header(&mut w)?;
    body.encode(&mut w, version)?;
    debug_assert_eq!(w.len(), SIZE_LEN + header_len + size.head, "the measured size is exact");
    let (head, holes) = w.finish();
    Ok(Frame { head, holes })
}

/// Encodes the answer to a request of `version`, with size prefix and header.
pub fn encode_response<R: Response>(
    body: &R,
    version: i16,
    correlation_id: i32,
) -> Result<Frame, EncodeError> {
    seal(ResponseHeader::encoded_len(R::KEY, version), body, version, |w| {
        ResponseHeader { correlation_id }.encode(w, R::KEY, version);
        Ok(())
    })
}

/// Encodes a request, with size prefix and header.
pub fn encode_request<R: Request>(
    body: &R,
    version: i16,
    correlation_id: i32,
    client_id: Option<Str>,
) -> Result<Frame, EncodeError> {
    let header = RequestHeader { api_key: R::KEY, api_version: version, correlation_id, client_id };
    seal(header.encoded_len(), body, version, |w| header.encode(w))
}

/// Decodes a response frame (without its size prefix) to a request `R` of `version`: its correlation id and body.
///
/// A broker that does not have the version of an ApiVersions request answers in version 0 with UNSUPPORTED_VERSION
/// (KIP-511); such an answer is read as what it is.
pub fn decode_response<R: Request>(frame: Bytes, version: i16) -> Result<(i32, R::Response), DecodeError> {
    let refused =
        R::KEY == ApiKey::ApiVersions && error_after_header(&frame) == Some(ErrorCode::UnsupportedVersion);
    let version = if refused { 0 } else { version };
    let mut r = Reader::with_memory_max(frame, RESPONSE_MEMORY_MAX);
    let header = ResponseHeader::decode(&mut r, R::KEY, version)?;
    Ok((header.correlation_id, R::Response::decode(&mut r, version)?))
}

/// The error code behind a response header of version 0.
fn error_after_header(frame: &[u8]) -> Option<ErrorCode> {
    let code = frame.get(4..)?.first_chunk::<2>()?;
    ErrorCode::from_code(i16::from_be_bytes(*code))
}
