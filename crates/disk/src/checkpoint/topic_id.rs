//! Kafka writes 128-bit ids as 22 characters of URL-safe base64 without padding.

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig, general_purpose::NO_PAD};
use uuid::Uuid;

/// Java's decoder ignores the four bits that 22 characters have too many; so does this one.
const ENGINE: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, with_trailing_bits(NO_PAD));

const fn with_trailing_bits(config: GeneralPurposeConfig) -> GeneralPurposeConfig {
    config.with_decode_allow_trailing_bits(true)
}

/// An id as Kafka prints it.
pub fn format_id(id: Uuid) -> String {
    ENGINE.encode(id.as_bytes())
}

/// An id from Kafka's 22 characters.
pub fn parse_id(text: &str) -> Option<Uuid> {
    let mut bytes = [0; 16];
    let len = ENGINE.decode_slice(text, &mut bytes).ok()?;
    (len == bytes.len()).then(|| Uuid::from_bytes(bytes))
}
