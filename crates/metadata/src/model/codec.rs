//! Records to JSON and back, with the version in front.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A kind of record.
pub trait Record: Serialize + DeserializeOwned {
    /// Its name in error messages.
    const WHAT: &'static str;
    /// The newest version this program writes and reads.
    const VERSION: u32;

    /// The version that this one is written in: an older one where it has nothing that a program which reads up to that would lose.
    fn version(&self) -> u32 {
        Self::VERSION
    }
}

/// A record could not be read or written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ModelError {
    /// A newer program wrote it: start that one, or restore a backup.
    #[error(
        "a {what} record has version {found}, this program knows up to {known}: a newer pagewire wrote it"
    )]
    Newer {
        /// The kind of record.
        what: &'static str,
        /// The version found.
        found: u32,
        /// The newest version known here.
        known: u32,
    },
    /// It is not a record of this kind at all.
    #[error("a {what} record cannot be read: {detail}")]
    Unreadable {
        /// The kind of record.
        what: &'static str,
        /// What was wrong.
        detail: String,
    },
}

#[derive(Serialize)]
struct Versioned<'r, R> {
    v: u32,
    #[serde(flatten)]
    record: &'r R,
}

#[derive(Deserialize)]
struct Version {
    v: u32,
}

/// The record's JSON.
pub fn encode<R: Record>(record: &R) -> Result<Bytes, ModelError> {
    serde_json::to_vec(&Versioned { v: record.version(), record })
        .map(Bytes::from)
        .map_err(|error| ModelError::Unreadable { what: R::WHAT, detail: error.to_string() })
}

/// Reads a record of a known version. Fields it does not know are ignored.
pub fn decode<R: Record>(bytes: &[u8]) -> Result<R, ModelError> {
    let unreadable =
        |error: serde_json::Error| ModelError::Unreadable { what: R::WHAT, detail: error.to_string() };
    let Version { v } = serde_json::from_slice(bytes).map_err(unreadable)?;
    if v > R::VERSION {
        return Err(ModelError::Newer { what: R::WHAT, found: v, known: R::VERSION });
    }
    serde_json::from_slice(bytes).map_err(unreadable)
}
