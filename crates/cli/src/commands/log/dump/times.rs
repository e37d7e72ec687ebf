//! The entries of a `.timeindex`, each compared with the batch it names.

use std::path::Path;

use bytes::Bytes;
use pagewire_disk::{Disk, DiskFile};
use pagewire_log::files::{BatchWalk, Entry, Step, TimeStamped, WalkedBatch};
use pagewire_record::{DecompressLimits, NO_TIMESTAMP, SharedBatch};
use serde::Serialize;

use super::page::Page;
use super::sparse;
use crate::args::log::DumpArgs;

const MISMATCH: &str = "Found timestamp mismatch in :";
const OUT_OF_ORDER: &str = "Found out of order timestamp in :";
const NOT_FOUND: &str = "The following indexed offsets are not found in :";

#[derive(Debug, Serialize)]
struct Line {
    timestamp: i64,
    offset: i64,
}

/// Prints them.
pub(super) fn dump(
    disk: &dyn Disk,
    path: &Path,
    base: i64,
    args: &DumpArgs,
    page: &mut Page<'_>,
) -> anyhow::Result<()> {
    let (file, len) = super::open(disk, path)?;
    if args.index_sanity_check {
        return sanity(&*file, len, path, page);
    }
    let (log, size) = super::log_beside(disk, path)?;
    let mut batches = Batches::new(&*log, size);
    let mut before = NO_TIMESTAMP;
    sparse::each(&*file, len, |_, entry: TimeStamped| {
        let (offset, timestamp) = (base + i64::from(entry.relative_offset), entry.timestamp);
        match batches.holding(offset)? {
            Some(batch) if batch.last_offset == offset => {
                if batch.newest != timestamp {
                    let line = format!("  Index timestamp: {timestamp}, log timestamp: {}", batch.newest);
                    page.disagrees(MISMATCH, line);
                }
                if before >= timestamp {
                    let line =
                        format!("  Index timestamp: {timestamp}, Previously indexed timestamp: {before}");
                    page.disagrees(OUT_OF_ORDER, line);
                }
            }
            other => {
                let found = other.map_or(-1, |batch| batch.last_offset);
                page.disagrees(NOT_FOUND, format!("Indexed offset: {offset}, found log offset: {found}"));
            }
        }
        if !args.verify_index_only {
            page.line("time_index", &Line { timestamp, offset }, |line| {
                format!("timestamp: {} offset: {}", line.timestamp, line.offset)
            })?;
        }
        before = timestamp;
        Ok(())
    })?;
    sparse::rest::<TimeStamped>(len, page)
}

/// What is compared of a batch.
#[derive(Debug, Clone, Copy)]
struct Seen {
    last_offset: i64,
    newest: i64,
}

/// The batches of the log, looked up in rising order for the most part.
struct Batches<'f> {
    log: &'f dyn DiskFile,
    size: u64,
    walk: BatchWalk<'f>,
    here: Option<Seen>,
    asked: i64,
}

impl<'f> Batches<'f> {
    fn new(log: &'f dyn DiskFile, size: u64) -> Self {
        Self { log, size, walk: BatchWalk::new(log, 0, size), here: None, asked: i64::MIN }
    }

    /// The first batch that ends at or above `offset`.
    fn holding(&mut self, offset: i64) -> anyhow::Result<Option<Seen>> {
        if offset < self.asked {
            *self = Self::new(self.log, self.size);
        }
        self.asked = offset;
        while self.here.is_none_or(|here| here.last_offset < offset) {
            match self.walk.step()? {
                Some(Step::Batch(batch)) if batch.header.last_offset() >= offset => {
                    self.here =
                        Some(Seen { last_offset: batch.header.last_offset(), newest: newest(&batch) });
                }
                Some(Step::Batch(_)) => {}
                Some(Step::Bad(_)) | None => return Ok(None),
            }
        }
        Ok(self.here)
    }
}

/// The largest time of the records; that of the header where they cannot be read.
fn newest(batch: &WalkedBatch<'_>) -> i64 {
    let read = || {
        let whole = SharedBatch::first(&Bytes::copy_from_slice(batch.bytes?)).ok()?;
        let records = whole.records(&DecompressLimits::default()).ok()?;
        records
            .map(|record| record.ok().map(|record| record.timestamp))
            .try_fold(NO_TIMESTAMP, |newest, time| Some(newest.max(time?)))
    };
    read().unwrap_or(batch.header.max_timestamp)
}

/// What Kafka looks at when it starts, and that times do not fall.
fn sanity(file: &dyn DiskFile, len: u64, path: &Path, page: &mut Page<'_>) -> anyhow::Result<()> {
    let count = len / TimeStamped::LEN as u64;
    let time = |number| -> anyhow::Result<_> {
        Ok(sparse::entry::<TimeStamped>(file, number)?.map(|entry| entry.timestamp))
    };
    let wrong = match sparse::wrong_end::<TimeStamped>(file, len)? {
        None if count > 0 && time(count - 1)? < time(0)? => {
            Some("the last timestamp is below the first".to_owned())
        }
        wrong => wrong,
    };
    match wrong {
        Some(what) => page.damage(None, &what),
        None => page.text(|| format!("{} passed sanity check.", path.display())),
    }
}
