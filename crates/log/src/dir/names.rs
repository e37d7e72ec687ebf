//! The names of directories in a log directory.
//!
//! Topic names may hold dashes and dots, so everything is read from the right: a suffix, then a unique id after the
//! last dot, then the partition after the last dash.

use uuid::Uuid;

/// A directory that waits for its unlink.
pub(crate) const DELETE: &str = "-delete";
/// A replica being moved here.
pub(crate) const FUTURE: &str = "-future";
/// Data whose topic is not the one that has the name now.
pub(crate) const STRAY: &str = "-stray";

/// File systems take no longer name.
const NAME_BYTES_MAX: usize = 255;
/// Kafka's limit.
const TOPIC_BYTES_MAX: usize = 249;

/// What a directory's name says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DirName<'a> {
    /// `<topic>-<partition>`
    Partition {
        /// A legal name.
        topic: &'a str,
        /// 0 or above.
        partition: i32,
    },
    /// `<topic>-<partition>.<id>-delete`
    Delete,
    /// `<topic>-<partition>.<id>-future`
    Future,
    /// `<topic>-<partition>.<id>-stray`
    Stray,
    /// Nothing of a log's.
    Other,
}

impl<'a> DirName<'a> {
    /// Reads a name.
    pub fn parse(name: &'a str) -> Self {
        for (suffix, kind) in [(DELETE, Self::Delete), (FUTURE, Self::Future), (STRAY, Self::Stray)] {
            let marked = name.strip_suffix(suffix).and_then(|rest| rest.rsplit_once('.'));
            // Kafka shortens the topic where the whole would be too long, down to nothing.
            if let Some((partition, id)) = marked
                && is_id(id)
                && split(partition).is_some()
            {
                return kind;
            }
        }
        match split(name) {
            Some((topic, partition)) if is_topic(topic) => Self::Partition { topic, partition },
            _ => Self::Other,
        }
    }
}

fn split(name: &str) -> Option<(&str, i32)> {
    let (topic, digits) = name.rsplit_once('-')?;
    let plain = digits == "0" || digits.starts_with(|first: char| matches!(first, '1'..='9'));
    let partition =
        digits.parse().ok().filter(|_| plain && digits.bytes().all(|digit| digit.is_ascii_digit()))?;
    Some((topic, partition))
}

fn is_topic(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !matches!(name, "" | "." | "..") && name.len() <= TOPIC_BYTES_MAX && name.bytes().all(legal)
}

fn is_id(id: &str) -> bool {
    id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// `<topic>-<partition>`
pub(crate) fn partition_dir(topic: &str, partition: i32) -> String {
    format!("{topic}-{partition}")
}

/// `<topic>-<partition>.<id><suffix>`, the topic cut so that the whole fits a file name.
pub(crate) fn marked_dir(topic: &str, partition: i32, id: Uuid, suffix: &str) -> String {
    let tail = format!("-{partition}.{}{suffix}", id.simple());
    let kept: String = topic.chars().take(NAME_BYTES_MAX - tail.len()).collect();
    kept + &tail
}

/// Whose future log a directory of this name is: topic, partition, and the topic's id.
pub(crate) fn future_of(name: &str) -> Option<(&str, i32, Uuid)> {
    let (partition, id) = name.strip_suffix(FUTURE)?.rsplit_once('.')?;
    let (topic, partition) = split(partition).filter(|(topic, partition)| is_legal(topic, *partition))?;
    Some((topic, partition, Uuid::try_parse(id).ok().filter(|_| is_id(id))?))
}

/// Whether a partition of this topic has a directory of its own name.
pub(crate) fn is_legal(topic: &str, partition: i32) -> bool {
    partition >= 0 && is_topic(topic)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn the_partition_follows_the_last_dash() {
        let partition = |topic, partition| DirName::Partition { topic, partition };
        assert_eq!(DirName::parse("orders-0"), partition("orders", 0));
        assert_eq!(DirName::parse("a-b.c-12"), partition("a-b.c", 12));
        assert_eq!(DirName::parse("a--1"), partition("a-", 1));
        assert_eq!(DirName::parse("x-delete-3"), partition("x-delete", 3));
        assert_eq!(DirName::parse("__consumer_offsets-49"), partition("__consumer_offsets", 49));
    }

    #[test]
    fn marks_are_told_from_topics() {
        assert_eq!(DirName::parse(&format!("a-b.c-0.{ID}-delete")), DirName::Delete);
        assert_eq!(DirName::parse(&format!("a-0.{ID}-future")), DirName::Future);
        assert_eq!(DirName::parse(&format!("a-0.{ID}-stray")), DirName::Stray);
        assert_eq!(DirName::parse(&format!("-0.{ID}-stray")), DirName::Stray, "the topic was cut to nothing");
    }

    #[test]
    fn a_future_log_is_known_by_the_name_of_its_directory() {
        let id = Uuid::from_u128(7);
        let name = marked_dir("a-b.c", 3, id, FUTURE);
        assert_eq!(future_of(&name), Some(("a-b.c", 3, id)));
        assert_eq!(future_of(&marked_dir("a", 3, id, STRAY)), None);
        assert_eq!(future_of("a-3-future"), None);
    }

    #[test]
    fn other_directories_are_nobodys() {
        let long = format!("{}-0", "x".repeat(250));
        for name in [
            "",
            "-",
            "-0",
            "a",
            "a-",
            "a-x",
            "a-01",
            "a-+1",
            "a--",
            "a-2147483648",
            "a b-0",
            ".-0",
            "..-0",
            "lost+found",
            "a-delete",
            "a-0.1234-delete",
            "a-0-delete",
            long.as_str(),
        ] {
            assert_eq!(DirName::parse(name), DirName::Other, "{name}");
        }
    }

    #[test]
    fn a_marked_name_fits_a_file_name() {
        let id = Uuid::from_u128(7);
        let long = "x".repeat(249);
        for topic in ["a", long.as_str()] {
            let name = marked_dir(topic, i32::MAX, id, DELETE);
            assert!(name.len() <= 255);
            assert_eq!(DirName::parse(&name), DirName::Delete);
        }
        assert_eq!(marked_dir("a-b.c", 3, id, STRAY), "a-b.c-3.00000000000000000000000000000007-stray");
    }
}
