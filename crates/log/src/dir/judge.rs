//! Whether a partition's directory may be served: decided from what it says of itself and what the metadata says.

use uuid::Uuid;

use super::identity::is_one_bit_off;

/// What to do with a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judgement {
    /// Serve it.
    Open,
    /// Serve it, after writing the topic's id into it.
    NameAndOpen,
    /// The id it names is the topic's with a flipped bit: serve it, after writing the topic's id into it.
    MendAndOpen {
        /// The id it names.
        found: Uuid,
    },
    /// It is another topic's: set it aside.
    Stray {
        /// The id it names.
        found: Uuid,
    },
}

/// `found` is the id in `partition.metadata`, if that can be read; `expected` the id the metadata has for the topic.
///
/// A directory that names no id is taken as the topic's: the file is written and synced before the first record, so
/// losing it means a damaged disk or a Kafka before 2.8, and an empty partition in place of the data would be worse. One whose
/// id is a flipped bit away from the topic's is the topic's as well: a topic that was deleted and made anew has a random one.
pub(super) fn judge(found: Option<Uuid>, expected: Uuid) -> Judgement {
    match found {
        None => Judgement::NameAndOpen,
        Some(found) if found == expected => Judgement::Open,
        Some(found) if is_one_bit_off(found, expected) => Judgement::MendAndOpen { found },
        Some(found) => Judgement::Stray { found },
    }
}

#[cfg(test)]
mod tests {
    use pagewire_disk::checkpoint::parse_id;

    use super::*;

    const A: Uuid = Uuid::from_u128(1);
    const B: Uuid = Uuid::from_u128(0xB0B);

    #[test]
    fn a_directory_is_served_only_under_its_own_topic() {
        assert_eq!(judge(Some(A), A), Judgement::Open);
        assert_eq!(judge(Some(A), B), Judgement::Stray { found: A });
    }

    #[test]
    fn a_directory_whose_id_has_a_flipped_bit_is_the_topics() {
        let known = parse_id("lV1zqLZTQ8OQ3Fq7TtR1xQ").expect("an id");
        // In the last character four bits say nothing.
        for text in ["lV1zqLZTQ8OQ3Fq7TtR1wQ", "lV1zqLZTQ8OQ3Fq7TtR0xA", "kV1zqLZTQ8OQ3Fq7TtR1xQ"] {
            let found = parse_id(text).expect("an id");
            assert_eq!(judge(Some(found), known), Judgement::Stray { found }, "{text}: more than a bit");
        }
        for text in ["lV1zqLZTQ8OQ3Fq7TtR1pQ", "lV1zqLZTQ8OQ3Fq7TtR1xq", "dV1zqLZTQ8OQ3Fq7TtR1xQ"] {
            let found = parse_id(text).expect("an id");
            assert_eq!(judge(Some(found), known), Judgement::MendAndOpen { found }, "{text}");
        }
    }

    #[test]
    fn a_directory_without_an_id_is_the_topics() {
        assert_eq!(judge(None, A), Judgement::NameAndOpen);
    }
}
