//! `ApiKey`: every API of Kafka 4.3.1, with the versions it has. The list is generated from `schema/`.
//!
//! What Pagewire advertises is the broker's table, not this one: here are the facts of the protocol.

use std::fmt;
use std::ops::RangeInclusive;

include!(concat!(env!("OUT_DIR"), "/api_key.rs"));

/// What the protocol says about an API.
struct Facts {
    key: ApiKey,
    code: i16,
    name: &'static str,
    min: i16,
    max: i16,
    stable_max: i16,
    flexible_from: i16,
}

impl ApiKey {
    fn facts(self) -> &'static Facts {
        // The table has one row per key, in the order of the enum.
        FACTS.get(self as usize).unwrap_or(&FACTS[0])
    }

    /// The key with this number.
    pub fn from_code(code: i16) -> Option<Self> {
        FACTS
            .binary_search_by_key(&code, |facts| facts.code)
            .ok()
            .and_then(|at| FACTS.get(at))
            .map(|facts| facts.key)
    }

    /// The key with Kafka's name for it, such as `ListOffsets`.
    pub fn from_name(name: &str) -> Option<Self> {
        FACTS.iter().find(|facts| facts.name == name).map(|facts| facts.key)
    }

    /// Its number on the wire.
    pub fn code(self) -> i16 {
        self.facts().code
    }

    /// Kafka's name for it.
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// All versions Kafka 4.3.1 has, unstable ones included.
    pub fn valid_versions(self) -> RangeInclusive<i16> {
        self.facts().min..=self.facts().max
    }

    /// The versions that are not marked unstable.
    pub fn stable_versions(self) -> RangeInclusive<i16> {
        self.facts().min..=self.facts().stable_max
    }

    /// First flexible version (KIP-482); `None` if there is none.
    pub fn flexible_from(self) -> Option<i16> {
        Some(self.facts().flexible_from).filter(|from| *from != i16::MAX)
    }

    /// True if `version` is a flexible one, known or not.
    pub fn is_flexible(self, version: i16) -> bool {
        version >= self.facts().flexible_from
    }

    /// All keys, in the order of their numbers.
    pub fn all() -> impl Iterator<Item = Self> {
        FACTS.iter().map(|facts| facts.key)
    }
}

impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found_by_its_key_number_and_name() {
        for key in ApiKey::all() {
            assert_eq!(key.facts().key, key);
            assert_eq!(ApiKey::from_code(key.code()), Some(key));
            assert_eq!(ApiKey::from_name(key.name()), Some(key));
            assert!(key.stable_versions().end() <= key.valid_versions().end());
        }
        assert_eq!(ApiKey::all().count(), 89);
        assert_eq!(ApiKey::from_code(4), None);
        assert_eq!(ApiKey::from_code(-1), None);
    }

    #[test]
    fn facts_are_kafkas() {
        assert_eq!(ApiKey::Fetch.valid_versions(), 4..=18);
        assert_eq!(ApiKey::Fetch.flexible_from(), Some(12));
        assert_eq!(ApiKey::SaslHandshake.flexible_from(), None);
        assert_eq!(ApiKey::InitProducerId.valid_versions(), 0..=6);
        assert_eq!(ApiKey::InitProducerId.stable_versions(), 0..=5);
    }
}
