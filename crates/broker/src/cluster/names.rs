//! Which names a topic may have. Pure.

/// Longest name: with the longest partition number and suffix it is still a file name.
const LEN_MAX: usize = 249;

/// Groups and committed offsets.
pub(crate) const OFFSETS: &str = "__consumer_offsets";
/// Kafka keeps its own metadata under this name. Nobody may have it.
pub(crate) const CLUSTER_METADATA: &str = "__cluster_metadata";
/// Transactions.
pub(crate) const TRANSACTIONS: &str = "__transaction_state";
/// What share groups have acknowledged.
pub(crate) const SHARE_GROUPS: &str = "__share_group_state";
/// Internal topics of coordinators that are not served yet.
const OF_OTHER_COORDINATORS: [&str; 2] = [TRANSACTIONS, SHARE_GROUPS];

/// Whether a topic of this name belongs to the broker, whoever created it: clients may read it, not write it.
pub(crate) fn is_internal(name: &str) -> bool {
    name == OFFSETS || OF_OTHER_COORDINATORS.contains(&name)
}

/// Whether a topic of this name comes to be because somebody asks about it.
pub(crate) fn may_be_auto_created(name: &str) -> bool {
    name != CLUSTER_METADATA && !OF_OTHER_COORDINATORS.contains(&name)
}

/// Why `name` is not one, in the words people know from Kafka.
pub(crate) fn refusal(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("Topic name is invalid: the empty string is not allowed".into());
    }
    if name == "." || name == ".." {
        return Some(format!("Topic name is invalid: '{name}' is not allowed"));
    }
    if name.len() > LEN_MAX {
        return Some(format!(
            "Topic name is invalid: the length of '{name}' is longer than the max allowed length {LEN_MAX}"
        ));
    }
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (!name.chars().all(legal)).then(|| {
        format!("Topic name is invalid: '{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'")
    })
}

/// Two names that metrics cannot tell apart, because they write both `.` and `_` as `_`.
pub(crate) fn collide(one: &str, other: &str) -> bool {
    one != other
        && one.len() == other.len()
        && one.bytes().zip(other.bytes()).all(|(a, b)| plain(a) == plain(b))
}

/// The same for all names that collide with each other.
pub(crate) fn folded(name: &str) -> String {
    name.replace('.', "_")
}

/// Whether there can be a name that this one collides with.
pub(crate) fn may_collide(name: &str) -> bool {
    name.bytes().any(|byte| plain(byte) == b'_')
}

fn plain(byte: u8) -> u8 {
    if byte == b'.' { b'_' } else { byte }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_letters_digits_dots_dashes_and_underscores_are_legal() {
        for name in ["a", "a.b", "A_b-9", "...", &"x".repeat(249)] {
            assert_eq!(refusal(name), None, "{name}");
        }
        for name in ["", ".", "..", "a b", "a/b", "ä", &"x".repeat(250)] {
            assert!(refusal(name).is_some(), "{name}");
        }
    }

    #[test]
    fn dots_and_underscores_collide() {
        assert!(collide("a.b", "a_b"));
        assert!(!collide("a.b", "a.b"));
        assert!(!collide("a.b", "a-b"));
        assert!(may_collide("a.b") && may_collide("a_b") && !may_collide("a-b"));
    }
}
