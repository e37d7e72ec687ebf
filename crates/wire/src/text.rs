//! `Str`: a string that is a slice of the frame it came in.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

use bytes::Bytes;

/// A UTF-8 string that shares its bytes with the frame it was read from; cloning counts a reference.
///
/// Invariant: the bytes are valid UTF-8, checked once on the way in. Reading it as `&str` checks again, because the
/// unchecked way is `unsafe`; use [`Str::as_bytes`] where bytes are enough. A retained `Str` keeps its whole frame
/// alive: what outlives a request should be copied with `to_string()` or [`Str::detach`].
#[derive(Clone, Default)]
pub struct Str(Bytes);

impl Str {
    /// The empty string; no allocation.
    pub const fn new() -> Self {
        Self(Bytes::new())
    }

    /// A string that lives forever.
    pub const fn from_static(text: &'static str) -> Self {
        Self(Bytes::from_static(text.as_bytes()))
    }

    /// Takes bytes that are UTF-8; gives them back otherwise.
    pub fn from_utf8(bytes: Bytes) -> Result<Self, Bytes> {
        if std::str::from_utf8(&bytes).is_ok() { Ok(Self(bytes)) } else { Err(bytes) }
    }

    /// Takes bytes as a client sent them. What is not UTF-8 is copied with a question mark for each wrong byte, so that
    /// nothing grows; Kafka puts a replacement character there.
    pub fn from_bytes(bytes: Bytes) -> Self {
        Self::from_utf8(bytes).unwrap_or_else(|bytes| {
            let mut text = String::with_capacity(bytes.len());
            for chunk in bytes.utf8_chunks() {
                text.push_str(chunk.valid());
                text.extend(std::iter::repeat_n('?', chunk.invalid().len()));
            }
            Self::from(text)
        })
    }

    /// The string.
    pub fn as_str(&self) -> &str {
        // Never the default: only UTF-8 gets in.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Its bytes, without the check that [`Str::as_str`] repeats.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if there is no byte in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A copy that does not hold the frame it came from.
    #[must_use]
    pub fn detach(&self) -> Self {
        Self(Bytes::copy_from_slice(&self.0))
    }

    /// The bytes, shared.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }
}

impl Deref for Str {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Str {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<str> for Str {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl From<String> for Str {
    fn from(text: String) -> Self {
        Self(Bytes::from(text.into_bytes()))
    }
}

impl From<&'static str> for Str {
    fn from(text: &'static str) -> Self {
        Self::from_static(text)
    }
}

impl From<Str> for String {
    fn from(text: Str) -> Self {
        text.as_str().to_owned()
    }
}

impl PartialEq for Str {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Str {}

impl PartialOrd for Str {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Str {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

impl PartialEq<str> for Str {
    fn eq(&self, other: &str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl PartialEq<&str> for Str {
    fn eq(&self, other: &&str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl PartialEq<String> for Str {
    fn eq(&self, other: &String) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

/// As `str` hashes, so that a map keyed by `Str` is searched by `&str`.
impl Hash for Str {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for Str {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Str {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn a_map_keyed_by_str_is_searched_by_plain_text() {
        let map = HashMap::from([(Str::from("orders"), 1)]);
        assert_eq!(map.get("orders"), Some(&1));
    }

    #[test]
    fn bytes_that_are_not_utf8_are_given_back() {
        let bytes = Bytes::from_static(&[0xff, 0xfe]);
        assert_eq!(Str::from_utf8(bytes.clone()), Err(bytes));
    }

    #[test]
    fn bytes_of_a_client_become_text_of_the_same_length() {
        for (bytes, text) in [
            (&b"plain"[..], "plain"),
            ("\u{e4}".as_bytes(), "\u{e4}"),
            (b"J\xfcrgen", "J?rgen"),
            (b"\xff\xfe\xc3", "???"),
            (b"a\xe2\x82b", "a??b"),
        ] {
            assert_eq!(Str::from_bytes(Bytes::copy_from_slice(bytes)), text);
        }
    }

    #[test]
    fn an_optional_string_is_no_larger_than_a_string() {
        assert_eq!(size_of::<Option<Str>>(), size_of::<Str>());
    }
}
