//! Times of small synced writes, in a file that has no name: whatever ends the process, nothing stays in the directory.
//!
//! Most file systems sync such a file as any other. Those that never write in place (btrfs, zfs) spare it the log,
//! since nobody could find it after a power cut: there a time is a lower bound and says nothing of the drive.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// Writes that are synced, one by one.
const SYNCS_MAX: usize = 64;
/// No more is begun after this time.
const LIMIT: Duration = Duration::from_millis(1500);
/// Bytes of each: a small batch.
const BYTES: usize = 4096;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) count: usize,
    pub(super) p50: Duration,
    /// One in ten takes longer. So few times have no hundredth of their own.
    pub(super) p90: Duration,
    pub(super) max: Duration,
}

/// Appends to a file of `dir` and syncs each time.
pub(super) fn measure(dir: &Path) -> io::Result<Times> {
    sync_each(&nameless(dir)?)
}

/// A file that never had a name, or loses it before anything is written.
fn nameless(dir: &Path) -> io::Result<File> {
    // What the file would have been called says nothing to anybody.
    tempfile::tempfile_in(dir).map_err(|error| io::Error::from(error.kind()))
}

fn sync_each(file: &File) -> io::Result<Times> {
    let end = Instant::now() + LIMIT;
    let mut times = Vec::with_capacity(SYNCS_MAX);
    while times.len() < SYNCS_MAX && Instant::now() < end {
        file.write_all_at(&[0x5a; BYTES], (times.len() * BYTES) as u64)?;
        let begin = Instant::now();
        file.sync_data()?;
        times.push(begin.elapsed());
    }
    summary(times).ok_or_else(|| io::ErrorKind::TimedOut.into())
}

fn summary(mut times: Vec<Duration>) -> Option<Times> {
    times.sort_unstable();
    let at =
        |hundredths: usize| times.get((times.len() * hundredths).div_ceil(100).saturating_sub(1)).copied();
    Some(Times { count: times.len(), p50: at(50)?, p90: at(90)?, max: *times.last()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_the_tenth_and_the_longest_are_of_the_sorted_times_and_differ() {
        let summary =
            summary((1..=SYNCS_MAX as u64).rev().map(Duration::from_micros).collect()).expect("times");
        let [p50, p90, max] = [32, 58, 64].map(Duration::from_micros);
        assert_eq!(summary, Times { count: SYNCS_MAX, p50, p90, max });
        assert_eq!(super::summary(Vec::new()), None);
    }

    #[test]
    fn the_file_that_is_synced_has_no_name_while_it_is_synced() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = nameless(dir.path()).expect("a file");
        assert_eq!(std::fs::read_dir(dir.path()).expect("listed").count(), 0);
        assert!(sync_each(&file).expect("synced").count > 0);
        assert!(file.metadata().expect("there").len() >= BYTES as u64);
    }
}
