//! RWF_NOWAIT: reads that answer "not in memory" instead of waiting for the disk.

use std::fs::File;
use std::io::{self, IoSliceMut};

use rustix::io::{ReadWriteFlags, preadv2};

use super::bench;
use crate::Plan;
use crate::finding::Finding;

pub(crate) fn look(plan: &Plan) -> Vec<Finding> {
    vec![match bench::sample(&plan.data_dir) {
        Ok(sample) => judge(&probe(&sample.file)).note(sample.elsewhere.as_deref()),
        Err(error) => Finding::unseen("RWF_NOWAIT", &error),
    }]
}

fn probe(file: &File) -> io::Result<()> {
    match preadv2(file, &mut [IoSliceMut::new(&mut [0])], 0, ReadWriteFlags::NOWAIT) {
        // Its page may have been written out and dropped meanwhile: to say so is what the flag is for.
        Ok(_) | Err(rustix::io::Errno::AGAIN) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

fn judge(outcome: &io::Result<()>) -> Finding {
    match outcome {
        Ok(()) => Finding::ok("RWF_NOWAIT", "works"),
        Err(error) => Finding::better(
            "RWF_NOWAIT",
            format!("refused: {error}"),
            "small reads are handed to a thread of their own, which costs a wake-up each: ext4 and xfs have it",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    #[test]
    fn a_file_system_without_it_could_be_better() {
        assert_eq!(judge(&Ok(())).state, State::Ok);
        assert_eq!(judge(&Err(io::ErrorKind::Unsupported.into())).state, State::CouldBeBetter);
    }
}
