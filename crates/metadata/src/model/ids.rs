//! Random ids as Kafka writes them: 16 bytes in URL-safe base64 without padding, 22 characters.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

/// A fresh id: never zero, and never starting with `-`, which command lines would take for an option.
pub fn random() -> Uuid {
    loop {
        let id = Uuid::new_v4();
        if !id.is_nil() && !to_text(id).starts_with('-') {
            return id;
        }
    }
}

/// The 22 characters of an id.
pub fn to_text(id: Uuid) -> String {
    URL_SAFE_NO_PAD.encode(id.as_bytes())
}

/// Reads the 22 characters back; none when they are not an id.
pub fn from_text(text: &str) -> Option<Uuid> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    Uuid::from_slice(&bytes).ok()
}

/// For `#[serde(with = "ids::text")]`.
pub mod text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use uuid::Uuid;

    /// As 22 characters.
    pub fn serialize<S: Serializer>(id: &Uuid, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::to_text(*id))
    }

    /// From 22 characters.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Uuid, D::Error> {
        let text = String::deserialize(deserializer)?;
        super::from_text(&text)
            .ok_or_else(|| D::Error::custom(format!("{text} is not an id of 22 characters")))
    }
}

/// For `#[serde(default, skip_serializing_if = "Option::is_none", with = "ids::text_or_none")]`.
pub(super) mod text_or_none {
    use serde::{Deserializer, Serializer};
    use uuid::Uuid;

    #[expect(clippy::ref_option, reason = "serde passes references")]
    pub(in super::super) fn serialize<S: Serializer>(
        id: &Option<Uuid>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match id {
            Some(id) => super::text::serialize(id, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Uuid>, D::Error> {
        super::text::deserialize(deserializer).map(Some)
    }
}

/// For `#[serde(default, skip_serializing_if = "Vec::is_empty", with = "ids::texts")]`.
pub(super) mod texts {
    use serde::{Deserialize, Deserializer, Serializer};
    use uuid::Uuid;

    #[derive(Deserialize)]
    struct One(#[serde(with = "super::text")] Uuid);

    pub(in super::super) fn serialize<S: Serializer>(ids: &[Uuid], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(ids.iter().map(|id| super::to_text(*id)))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Uuid>, D::Error> {
        Ok(Vec::<One>::deserialize(deserializer)?.into_iter().map(|One(id)| id).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_from_its_22_characters() {
        for _ in 0..100 {
            let id = random();
            let text = to_text(id);
            assert_eq!(text.len(), 22);
            assert!(!text.starts_with('-'));
            assert_eq!(from_text(&text), Some(id));
        }
    }

    #[test]
    fn other_texts_are_no_ids() {
        for text in ["", "abc", "AAAAAAAAAAAAAAAAAAAAAAA", "!!!!!!!!!!!!!!!!!!!!!!"] {
            assert_eq!(from_text(text), None, "{text}");
        }
    }
}
