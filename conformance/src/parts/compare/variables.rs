//! What a case names: ids and epochs that a broker gave, under a name that is the same on both sides.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};

/// Strings shorter than this are what they are, wherever they stand; longer ones are ids that a broker made up.
pub(super) const ID_LEN_MIN: usize = 8;

/// Values by name. A later value takes the place of the one before.
#[derive(Debug, Clone, Default)]
pub(super) struct Variables(BTreeMap<String, String>);

impl Variables {
    pub(super) fn set(&mut self, name: &str, value: String) {
        self.0.insert(name.to_owned(), value);
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The text with every `$name` replaced.
    pub(super) fn fill(&self, text: &str) -> Result<String> {
        let mut parts = text.split('$');
        let mut filled = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let end = part.find(|sign: char| !sign.is_ascii_alphanumeric()).unwrap_or(part.len());
            let (name, rest) = part.split_at(end);
            filled += self.get(name).with_context(|| format!("nothing is named ${name}"))?;
            filled += rest;
        }
        Ok(filled)
    }

    /// The name of what a broker made up, if a case gave it one.
    pub(super) fn name_of_id(&self, value: &str) -> Option<String> {
        if value.len() < ID_LEN_MIN {
            return None;
        }
        self.0.iter().find(|(_, known)| *known == value).map(|(name, _)| format!("${name}"))
    }

    /// The name of a producer id, if a case gave it one.
    pub(super) fn name_of_producer(&self, id: i64) -> Option<String> {
        let id = id.to_string();
        let named = |(name, known): (&String, &String)| name.starts_with("pid") && *known == id;
        self.0.iter().find(|&entry| named(entry)).map(|(name, _)| format!("${name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_replaced_and_ids_are_recognised() {
        let mut variables = Variables::default();
        variables.set("member", "member-of-a-group".to_owned());
        variables.set("epoch", "3".to_owned());
        variables.set("pid", "0".to_owned());
        assert_eq!(variables.fill("g-$epoch-$member").expect("known"), "g-3-member-of-a-group");
        assert!(variables.fill("$nobody").is_err());
        assert_eq!(variables.name_of_id("member-of-a-group").as_deref(), Some("$member"));
        assert_eq!(variables.name_of_id("3"), None);
        assert_eq!(variables.name_of_producer(0).as_deref(), Some("$pid"));
        assert_eq!(variables.name_of_producer(3), None);
    }
}
