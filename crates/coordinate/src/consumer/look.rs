//! What is known of the looks for topics of a group's regular expressions besides what they found.

/// How it stands with the looks for topics of a group's expressions. Not in the log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Look {
    /// One is under way.
    pub(crate) under_way: bool,
    /// When the last one ended, by the steady clock.
    pub(crate) at_steady_ms: Option<i64>,
    /// What it found could not be kept, or it was given up.
    pub(crate) failed: bool,
    /// Expressions that have no record because theirs would be too large.
    pub(crate) left_out: usize,
    /// The version of the topics that expressions are resolved against.
    pub(crate) topics_version: Option<u64>,
}
