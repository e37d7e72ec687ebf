//! Bytes as Java's `new String(bytes, UTF_8)` has them, which is how DumpLogSegments prints keys and payloads.
//!
//! Both take the longest piece that could have been a character for one mistake. They differ over surrogates, which UTF-8 must not
//! have: what is otherwise formed well is one mistake to Java, and here each of its bytes one.

use std::borrow::Cow;

pub(super) fn text(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let (mut text, mut rest) = (String::with_capacity(bytes.len()), bytes);
    while let Some(chunk) = rest.utf8_chunks().next() {
        text.push_str(chunk.valid());
        let Some(bad) = rest.get(chunk.valid().len()..).filter(|bad| !bad.is_empty()) else { break };
        text.push(char::REPLACEMENT_CHARACTER);
        rest = bad.get(mistaken(bad, chunk.invalid().len())..).unwrap_or_default();
    }
    Cow::Owned(text)
}

/// How many of these bytes are one mistake, where Rust takes so many for one.
fn mistaken(bad: &[u8], invalid: usize) -> usize {
    match bad {
        [0xed, 0xa0..=0xbf, 0x80..=0xbf, ..] => 3,
        [0xed, 0xa0..=0xbf, ..] => 2,
        _ => invalid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As OpenJDK 17 has them.
    #[test]
    fn what_is_no_character_is_replaced_as_java_does() {
        for (bytes, said) in [
            (&b"plain"[..], "plain"),
            ("ä€😀".as_bytes(), "ä€😀"),
            (b"\xed\xa0\x80x", "\u{fffd}x"),
            (b"\xed\xbf\xbf\xed\xa0\x80", "\u{fffd}\u{fffd}"),
            (b"\xed\xa0x", "\u{fffd}x"),
            (b"\xed\xa0", "\u{fffd}"),
            (b"\xed\x80", "\u{fffd}"),
            (b"\xed", "\u{fffd}"),
            (b"\xe0\x80\x80", "\u{fffd}\u{fffd}\u{fffd}"),
            (b"\xf0\x90\x80", "\u{fffd}"),
            (b"\xf4\x90\x80\x80", "\u{fffd}\u{fffd}\u{fffd}\u{fffd}"),
            (b"\xc0\x80\xff\x80", "\u{fffd}\u{fffd}\u{fffd}\u{fffd}"),
            (b"a\xe2\x82b", "a\u{fffd}b"),
        ] {
            assert_eq!(text(bytes), said, "{bytes:x?}");
        }
    }
}
