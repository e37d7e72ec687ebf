//! The Kafka protocol without I/O: frames, headers, and all messages of Apache Kafka 4.3.1 that clients use.
//!
//! The messages are generated when the crate is built, by `build.rs` from the files in `schema/` (their notation is
//! described in `schema/README.md`). **To read the generated code**, run `cargo doc -p pagewire-wire --open` and look
//! at [`messages`], or open `target/debug/build/pagewire-wire-*/out/messages/<message>.rs`.
//!
//! What a handler needs:
//!
//! ```
//! use pagewire_wire::messages::metadata_request::MetadataRequest;
//! use pagewire_wire::messages::metadata_response::MetadataResponse;
//! use pagewire_wire::{Message, Reader, RequestHeader, Str, encode_request, encode_response};
//!
//! // a client's side: a request frame
//! let request = MetadataRequest { topics: None, ..MetadataRequest::default() };
//! let frame = encode_request(&request, 12, 7, Some(Str::from("me")))?.into_bytes().unwrap_or_default();
//!
//! // the broker's side: without the size prefix, header first, then the body
//! let mut r = Reader::new(frame.slice(4..));
//! let header = RequestHeader::decode(&mut r)?;
//! assert_eq!(MetadataRequest::decode(&mut r, header.api_version)?, request);
//!
//! let answer = MetadataResponse { cluster_id: Some("c".into()), ..MetadataResponse::default() };
//! let frame = encode_response(&answer, header.api_version, header.correlation_id)?;
//! assert_eq!(frame.total_len(), frame.head.len());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Invariants: strings and bytes of a decoded message are slices of its frame; every length and count is checked
//! against the bytes left before memory is taken, and what a frame unfolds into is bounded ([`Reader::MEMORY_MAX`]);
//! nothing recurses; the exact size is known before the first byte is written.

mod api_key;
mod element;
mod error;
mod error_code;
mod frame;
mod header;
mod message;
mod reader;
mod records;
mod text;
mod uuid;
mod writer;

#[cfg(feature = "testing")]
pub mod testing;

#[expect(
    clippy::all,
    clippy::pedantic,
    reason = "generated: repetitive on purpose, and read as data rather than as prose"
)]
#[allow(
    unused_imports,
    unused_mut,
    unused_parens,
    unused_variables,
    reason = "generated: not every structure has conditions, tags or fields of every type"
)]
pub mod messages {
    //! One module per message, named after it; each holds the message and the structures nested in it.
    //!
    //! Field names are Kafka's in snake case, field docs give versions, nullability and default.
    include!(concat!(env!("OUT_DIR"), "/messages.rs"));
}

pub use api_key::ApiKey;
pub use element::Element;
pub use error::{DecodeError, EncodeError};
pub use error_code::ErrorCode;
pub use frame::{Frame, Part, SIZE_LEN, decode_response, encode_request, encode_response};
pub use header::{RequestHeader, RequestPrefix, ResponseHeader};
pub use message::{Message, Request, Response};
pub use reader::Reader;
pub use records::Records;
pub use text::Str;
pub use uuid::{BadUuid, Uuid};
pub use writer::{Size, Writer};
