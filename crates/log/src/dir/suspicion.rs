//! Why another program may have had a directory, in words: a start says so, and so does a check before it.

use std::fmt;

/// Why another program may have had the directory: what was noted of compaction says nothing then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Suspicion {
    /// The mark of an orderly stop is another's.
    Mark,
    /// The mark of our orderly stop is gone or damaged, and not all checkpoints are as it left them.
    MarkTaken,
    /// These checkpoints are not what was written last. No disk does that to more than one and leaves them legible; but it may be
    /// their sums that are older.
    Altered(Vec<String>),
    /// This checkpoint is damaged, or not what was written last, after a stop that was not in order.
    Damaged(String),
}

impl fmt::Display for Suspicion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mark => f.write_str("another program has had this directory since: it left its mark of an orderly stop"),
            Self::MarkTaken => f.write_str(
                "another program may have had this directory since: the mark of the last orderly stop is gone or \
                 damaged, and checkpoints are not as that left them",
            ),
            Self::Altered(files) => write!(
                f,
                "{} are not what was written last: damaged, or written by another program, which may have compacted the logs",
                files.join(" and ")
            ),
            Self::Damaged(file) => write!(
                f,
                "{file} is damaged, or another program wrote it, which may have compacted the logs"
            ),
        }
    }
}
