//! Whether a log begins where Kafka had it begin. A first segment that is gone leaves no hole between others; what tells are the
//! leader epochs, which Kafka cuts with the log's start before it removes a segment.

use std::path::Path;

use pagewire_disk::checkpoint::EPOCH_CHECKPOINT_FILE;
use pagewire_disk::{EpochCheckpoint, OsDisk};

/// What people should know of a log in `dir` whose first segment begins at `first`. Epochs that cannot be read say nothing.
pub(crate) fn told(dir: &Path, (topic, index): (&str, i32), first: i64) -> Option<String> {
    let epochs = EpochCheckpoint::read(&OsDisk::new(), &dir.join(EPOCH_CHECKPOINT_FILE)).ok()??;
    let said = epochs.entries.first()?.start_offset;
    (said < first).then(|| {
        format!(
            "{topic}-{index} begins at offset {first} here, and at {said} by its leader epochs: segments before it were lost, \
             unless Kafka's retention took them just before it was killed"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_segment_that_is_gone_is_told_by_the_leader_epochs() {
        let dir = tempfile::tempdir().expect("a directory");
        let told = |first| told(dir.path(), ("orders", 0), first);
        assert_eq!(told(724), None, "nothing says where it began");
        std::fs::write(dir.path().join(EPOCH_CHECKPOINT_FILE), "0\n1\n0 0\n").expect("written");
        assert_eq!(told(0), None);
        let said = told(724).expect("offsets 0 to 723 are not here");
        assert!(
            said.starts_with("orders-0 begins at offset 724 here, and at 0 by its leader epochs"),
            "{said}"
        );
    }
}
