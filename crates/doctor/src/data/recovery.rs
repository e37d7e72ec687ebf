//! Whether the next start has to look for torn tails: it has not if the last broker left its mark when it stopped.

use std::io;
use std::path::Path;

use pagewire_disk::{LockLook, OsDisk, look_at_lock};
use pagewire_log::{is_marked_in_order, survey};

use crate::Plan;
use crate::finding::Finding;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Facts {
    /// A broker has the directory; it took the mark away when it started.
    InUse,
    /// The mark is there.
    Clean,
    /// It is not; so many partitions.
    Unclean { partitions: usize },
}

pub(crate) fn look(plan: &Plan) -> Vec<Finding> {
    match probe(&plan.data_dir) {
        Ok(facts) => vec![judge(facts)],
        // The line about the directory says so.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Vec::new()
        }
        Err(error) => vec![Finding::unseen("recovery", &error)],
    }
}

fn probe(dir: &Path) -> io::Result<Facts> {
    if matches!(look_at_lock(dir)?, LockLook::Held { .. }) {
        return Ok(Facts::InUse);
    }
    let disk = OsDisk::new();
    if is_marked_in_order(&disk, dir)? {
        return Ok(Facts::Clean);
    }
    Ok(Facts::Unclean { partitions: survey(&disk, dir)?.partitions })
}

fn judge(facts: Facts) -> Finding {
    match facts {
        Facts::InUse => {
            Finding::ok("recovery", "a broker is running; it did what was needed when it started")
        }
        Facts::Clean => Finding::ok("recovery", "none needed: the last broker stopped cleanly"),
        Facts::Unclean { partitions: 0 } => Finding::ok("recovery", "none needed: there is nothing yet"),
        Facts::Unclean { partitions } => Finding::better(
            "recovery",
            format!("needed: the last broker did not stop cleanly; {partitions} partitions"),
            "nothing to do: the next start scans what was written since the last checkpoint, cuts torn tails, says what \
             it cut and why, and takes longer for it",
        ),
    }
}

#[cfg(test)]
mod tests {
    use pagewire_disk::CleanMark;
    use pagewire_disk::checkpoint::CLEAN_MARK_FILE;

    use super::*;
    use crate::State;

    #[test]
    fn a_directory_with_partitions_and_no_mark_needs_recovery() {
        let dir = tempfile::tempdir().expect("a directory");
        assert_eq!(probe(dir.path()).expect("looked"), Facts::Unclean { partitions: 0 });
        std::fs::create_dir(dir.path().join("orders-0")).expect("made");
        let facts = probe(dir.path()).expect("looked");
        assert_eq!((facts, judge(facts).state), (Facts::Unclean { partitions: 1 }, State::CouldBeBetter));
        CleanMark::write(&OsDisk::new(), dir.path()).expect("written");
        assert_eq!(probe(dir.path()).expect("looked"), Facts::Clean);
        assert!(CleanMark::exists(&OsDisk::new(), dir.path()).expect("looked"), "the mark is still there");
    }

    #[test]
    fn an_empty_mark_is_that_of_an_older_kafka() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(dir.path().join("orders-0")).expect("made");
        std::fs::write(dir.path().join(CLEAN_MARK_FILE), "").expect("written");
        assert_eq!(probe(dir.path()).expect("looked"), Facts::Clean);
        std::fs::write(dir.path().join(CLEAN_MARK_FILE), "nobody's").expect("written");
        assert_eq!(probe(dir.path()).expect("looked"), Facts::Unclean { partitions: 1 });
    }

    #[test]
    fn what_needs_no_recovery_is_ok() {
        for facts in [Facts::InUse, Facts::Clean, Facts::Unclean { partitions: 0 }] {
            assert_eq!(judge(facts).state, State::Ok);
        }
    }
}
