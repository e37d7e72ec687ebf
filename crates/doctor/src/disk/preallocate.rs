//! Preallocation: segments reserve blocks ahead of the writer without growing (`fallocate`, `KEEP_SIZE`), which makes
//! appends cheaper and keeps segments in one piece.

use std::io;

use rustix::fs::{FallocateFlags, fallocate};

use crate::finding::Finding;
use crate::{Plan, place};

/// Bytes that are reserved and given back.
const BYTES: u64 = 1 << 20;

pub(crate) fn look(plan: &Plan) -> Vec<Finding> {
    vec![judge(&probe(plan))]
}

fn probe(plan: &Plan) -> io::Result<()> {
    let file = tempfile::tempfile_in(place::nearest(&plan.data_dir))?;
    fallocate(&file, FallocateFlags::KEEP_SIZE, 0, BYTES)?;
    Ok(())
}

fn judge(outcome: &io::Result<()>) -> Finding {
    let Err(error) = outcome else { return Finding::ok("preallocation", "works (fallocate KEEP_SIZE)") };
    if error.kind() != io::ErrorKind::Unsupported {
        return Finding::unseen("preallocation", error);
    }
    Finding::better(
        "preallocation",
        format!("this file system does not have it: {error}"),
        "appends cost about a fifth more, and segments may lie in pieces: ext4 and xfs have it",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    #[test]
    fn a_file_system_without_it_could_be_better() {
        assert_eq!(judge(&Ok(())).state, State::Ok);
        for kind in [io::ErrorKind::Unsupported, io::ErrorKind::StorageFull, io::ErrorKind::Other] {
            assert_eq!(judge(&Err(kind.into())).state, State::CouldBeBetter);
        }
    }
}
