//! Blocks that a log reserves ahead of its writes, on a real disk.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use pagewire_disk::OsDisk;
use pagewire_log::{Log, LogConfig, OpenOptions};
use pagewire_record::{BatchBuilder, Codec};
use tempfile::TempDir;

use crate::support::{context, name, options};

/// Of each batch.
const RECORD_BYTES: usize = 512 << 10;
/// An index or a header more or less is not reserved.
const ABOUT_BYTES: u64 = 64 << 10;

/// A log, and its first file.
struct Reserving {
    log: Log,
    file: PathBuf,
    batch: Bytes,
    _dir: TempDir,
}

impl Reserving {
    fn with(config: LogConfig) -> Self {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("t-0");
        let options = OpenOptions { config, ..options() };
        let (log, _) = Log::open(Arc::new(OsDisk::new()), &path, "t", 0, options).expect("open");
        let mut batch = BatchBuilder::new(Codec::None);
        batch.append(1, None, Some(&vec![7; RECORD_BYTES]), &[]).expect("record");
        Self { log, file: path.join(name(0, "log")), batch: batch.build().expect("batch"), _dir: dir }
    }

    fn of(segment_bytes: u32) -> Self {
        Self::with(LogConfig { segment_bytes, ..LogConfig::default() })
    }

    fn append(&self, batches: usize) {
        for _ in 0..batches {
            self.log.append(self.batch.clone(), context()).expect("append");
        }
    }

    fn len(&self) -> u64 {
        fs::metadata(&self.file).expect("file").len()
    }

    /// Blocks that the file has on the disk beyond its length, in bytes.
    fn ahead(&self) -> u64 {
        self.log.sync().expect("sync");
        let file = fs::metadata(&self.file).expect("file");
        (file.blocks() * 512).saturating_sub(file.len())
    }
}

#[test]
fn they_never_show_in_the_length_and_are_given_back() {
    let reserving = Reserving::of(8 << 20);
    for n in 1..=4 {
        reserving.append(1);
        reserving.log.pace().expect("pace");
        assert_eq!(reserving.len(), n * reserving.batch.len() as u64);
    }
    assert!(reserving.ahead() > ABOUT_BYTES);
    reserving.log.close(0).expect("close");
    let file = fs::metadata(&reserving.file).expect("file");
    assert!(file.blocks() * 512 < file.len() + ABOUT_BYTES);
}

/// Else a reader of what was cut off would be sent zeros.
#[test]
fn a_file_that_somebody_has_cut_does_not_grow_as_they_are_given_back() {
    let reserving = Reserving::of(4 << 20);
    reserving.append(7);
    reserving.log.pace().expect("pace");
    let file = fs::OpenOptions::new().write(true).open(&reserving.file).expect("file");
    file.set_len(1 << 20).expect("cut");
    reserving.append(1);
    assert_eq!(reserving.log.segments().len(), 2);
    let _ = reserving.log.pace();
    assert_eq!(reserving.len(), 1 << 20);
}

#[test]
fn they_are_a_quarter_more_or_as_much_again() {
    for (preallocate, share) in [(false, 4), (true, 1)] {
        let config = LogConfig { segment_bytes: 64 << 20, preallocate, ..LogConfig::default() };
        let reserving = Reserving::with(config);
        reserving.append(8);
        reserving.log.pace().expect("pace");
        let (ahead, wanted) = (reserving.ahead(), reserving.log.size_bytes() / share);
        assert!(ahead.abs_diff(wanted) < ABOUT_BYTES, "{ahead} of {wanted}");
    }
}

#[test]
fn a_log_that_is_not_written_to_any_more_gives_them_back_and_has_them_again_when_it_is() {
    let reserving = Reserving::of(64 << 20);
    reserving.append(8);
    reserving.log.pace().expect("pace");
    reserving.log.give_back_idle().expect("looked");
    assert!(reserving.ahead() > ABOUT_BYTES, "it was written to a moment ago");
    reserving.append(1);
    reserving.log.give_back_idle().expect("looked");
    assert!(reserving.ahead() > ABOUT_BYTES, "and again");
    reserving.log.give_back_idle().expect("given back");
    assert!(reserving.ahead() < ABOUT_BYTES, "{}", reserving.ahead());
    assert_eq!(reserving.len(), 9 * reserving.batch.len() as u64);
    reserving.append(1);
    reserving.log.pace().expect("pace");
    assert!(reserving.ahead() > ABOUT_BYTES);
}
