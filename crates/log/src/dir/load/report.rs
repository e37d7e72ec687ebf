//! What loading says while it goes on, and what it found.

use crate::dir::notice::Notice;
use crate::{LogError, RecoveryReport};

/// How far loading has come. Said after each partition's directory.
#[derive(Debug)]
pub struct Progress<'a> {
    /// Directories done, this one included.
    pub done: usize,
    /// Directories found.
    pub total: usize,
    /// The topic.
    pub topic: &'a str,
    /// The partition.
    pub partition: i32,
    /// What opening it found; `None` if it was not opened.
    pub report: Option<&'a RecoveryReport>,
}

/// What loading found.
#[derive(Debug, Default)]
pub struct LoadReport {
    /// The last stop was clean.
    pub clean: bool,
    /// Logs opened, sorted by directory name.
    pub loaded: Vec<LoadedLog>,
    /// Logs that could not be opened, and those that had records and are gone. Their directories were not changed; they can
    /// be made again by [`LogDir::create`](crate::LogDir::create) once the cause is gone.
    pub failed: Vec<FailedLog>,
    /// Everything else worth telling.
    pub notices: Vec<Notice>,
}

/// A log that was opened.
#[derive(Debug)]
pub struct LoadedLog {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// What recovery did.
    pub report: RecoveryReport,
}

/// A log that was not.
#[derive(Debug)]
pub struct FailedLog {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Why.
    pub error: LogError,
}
