//! Whether a partition's directory may be served: decided from what it says of itself and what the metadata says.

use uuid::Uuid;

/// What to do with a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judgement {
    /// Serve it.
    Open,
    /// Serve it, after writing the topic's id into it.
    NameAndOpen,
    /// It is another topic's: set it aside.
    Stray {
        /// The id it names.
        found: Uuid,
    },
}

/// `found` is the id in `partition.metadata`, if that can be read; `expected` the id the metadata has for the topic.
///
/// A directory that names no id is taken as the topic's: the file is written and synced before the first record, so
/// losing it means a damaged disk or a Kafka before 2.8, and an empty partition in place of the data would be worse.
pub(super) fn judge(found: Option<Uuid>, expected: Uuid) -> Judgement {
    match found {
        None => Judgement::NameAndOpen,
        Some(found) if found == expected => Judgement::Open,
        Some(found) => Judgement::Stray { found },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Uuid = Uuid::from_u128(1);
    const B: Uuid = Uuid::from_u128(2);

    #[test]
    fn a_directory_is_served_only_under_its_own_topic() {
        assert_eq!(judge(Some(A), A), Judgement::Open);
        assert_eq!(judge(Some(A), B), Judgement::Stray { found: A });
    }

    #[test]
    fn a_directory_without_an_id_is_the_topics() {
        assert_eq!(judge(None, A), Judgement::NameAndOpen);
    }
}
