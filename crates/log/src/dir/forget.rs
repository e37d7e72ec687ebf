//! Letting the checkpoints forget partitions, before their directories lose their names.
//!
//! What a checkpoint names and has no directory is taken for [lost](super::gone), also by the next topic of that name:
//! a checkpoint does not say whose an offset is. So a partition is forgotten for good first, and only then renamed or
//! made.

use std::io;

use super::LogDir;
use crate::sick::is_full;

impl LogDir {
    /// Makes sure that no checkpoint speaks of these partitions, none of which is open.
    pub(super) fn forget(&self, partitions: &[(&str, i32)]) -> io::Result<()> {
        for &(topic, partition) in partitions {
            self.carried.lock().forget(topic, partition);
            self.forget_cleaning(topic, partition);
        }
        if !self.may_mention(partitions) {
            return Ok(());
        }
        let written = self.write_checkpoints();
        // Another log may be what could not be made stable.
        if self.may_mention(partitions) { written.map(drop) } else { Ok(()) }
    }

    /// The same before their directories lose their names. A full disk does not keep them from that, for it is what
    /// makes room: should the process die before the next checkpoint, a later topic of the name is said to be lost, and
    /// is not.
    pub(super) fn forget_or_be_full(&self, partitions: &[(&str, i32)]) -> io::Result<()> {
        self.forget(partitions).or_else(|error| if is_full(error.kind()) { Ok(()) } else { Err(error) })
    }

    /// Whether a checkpoint names a partition, as far as that is known.
    pub(super) fn names(&self, topic: &str, partition: i32) -> bool {
        self.written.lock().mention(topic, partition)
    }

    fn may_mention(&self, partitions: &[(&str, i32)]) -> bool {
        let written = self.written.lock();
        partitions.iter().any(|(topic, partition)| written.may_mention(topic, *partition))
    }
}
