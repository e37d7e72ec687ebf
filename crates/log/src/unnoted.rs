//! Which logs of a directory have stable records in the segment they write to, and no checkpoint says that of any of them.
//!
//! They say so themselves, after the sync that made it so. So while there are none nobody looks at any log, however many there
//! are, and a checkpoint of theirs looks at no others. Never more names than there are logs.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::log::Log;

/// A topic's partition.
type Name = (Arc<str>, i32);

/// Shared by a log directory and all its logs.
#[derive(Debug, Default)]
pub(crate) struct Unnoted(Mutex<BTreeSet<Name>>);

impl Unnoted {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }

    pub(crate) fn names(&self) -> Vec<Name> {
        self.0.lock().iter().cloned().collect()
    }

    /// Forgets those that have nothing to note any more.
    pub(crate) fn keep(&self, has_something: impl Fn(&str, i32) -> bool) {
        self.0.lock().retain(|(topic, partition)| has_something(topic, *partition));
    }

    fn add(&self, log: &Log) {
        self.0.lock().insert((Arc::clone(&log.topic), log.partition));
    }
}

impl Log {
    /// After a sync: says so if it is the first of records in its segment.
    pub(crate) fn tell_unnoted(&self) {
        if self.is_unnoted() {
            self.home.unnoted.add(self);
        }
    }
}
