//! `Uuid`: sixteen bytes, written as Kafka writes topic ids: base64 of the URL alphabet, without padding.

use std::fmt;
use std::str::FromStr;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const TEXT_LEN: usize = 22;

/// A 128-bit id in network order: topic ids, log directory ids, member and subscription ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Uuid(pub [u8; 16]);

impl Uuid {
    /// All zero: "no id".
    pub const NIL: Self = Self([0; 16]);

    /// True for [`Uuid::NIL`].
    pub fn is_nil(&self) -> bool {
        self.0 == [0; 16]
    }
}

impl From<[u8; 16]> for Uuid {
    fn from(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl From<Uuid> for [u8; 16] {
    fn from(id: Uuid) -> Self {
        id.0
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = u128::from_be_bytes(self.0);
        let mut text = String::with_capacity(TEXT_LEN);
        for place in 0..TEXT_LEN {
            // 21 characters of six bits, then the last two bits padded with zeros.
            let six = if place < 21 { (value >> (122 - 6 * place)) & 63 } else { (value & 3) << 4 };
            text.push(ALPHABET.get(six as usize).map_or('A', |c| char::from(*c)));
        }
        f.pad(&text)
    }
}

/// The text is not 22 characters of the URL base64 alphabet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id of 22 characters of base64")]
pub struct BadUuid;

impl FromStr for Uuid {
    type Err = BadUuid;

    fn from_str(text: &str) -> Result<Self, BadUuid> {
        let (mut value, mut places) = (0u128, 0usize);
        for c in text.bytes() {
            let six = ALPHABET.iter().position(|a| *a == c).ok_or(BadUuid)? as u128;
            value = match places {
                0..21 => value << 6 | six,
                21 if six.is_multiple_of(16) => value << 2 | six >> 4,
                _ => return Err(BadUuid),
            };
            places += 1;
        }
        if places == TEXT_LEN { Ok(Self(value.to_be_bytes())) } else { Err(BadUuid) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_url_base64_without_padding() {
        assert_eq!(Uuid::NIL.to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(Uuid([0xff; 16]).to_string(), "_____________________w");
        let one: [u8; 16] = std::array::from_fn(|i| i as u8);
        assert_eq!(Uuid(one).to_string(), "AAECAwQFBgcICQoLDA0ODw");
    }

    #[test]
    fn text_reads_back() {
        let id = Uuid(std::array::from_fn(|i| (i * 37) as u8));
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in ["", "AAAA", "AAAAAAAAAAAAAAAAAAAAAB", "AAAAAAAAAAAAAAAAAAAAAA=", "AAAAAAAAAAAAAAAAAAAAA+"]
        {
            assert_eq!(bad.parse::<Uuid>(), Err(BadUuid), "{bad}");
        }
    }
}
