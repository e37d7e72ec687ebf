//! Facts about compaction, on disks that fail and forget.

mod bare;
mod crash;
mod facts;
mod faults;
pub(crate) mod life;
pub(crate) mod life_txns;
mod names;
mod readers;
mod stopping;
mod telling;
mod transactions;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use pagewire_disk::{Disk, MemoryDisk};
use pagewire_record::{
    BatchBuilder, BatchHeader, Codec, ControlType, DecompressLimits, EndTxnMarker, Record, complete_batches,
    control_batch,
};

use super::{CleanError, Cleaned, Cleaner, CleanerLimits, Throttle};
use crate::config::LogConfig;
use crate::log::Log;
use crate::share::Share;
use crate::{AppendContext, OpenOptions, Origin, ReadUpTo, RecoveryReport};

const DIR: &str = "/data/t-0";
const RETENTION_MS: i64 = 1000;

/// Small segments, an index entry per 100 bytes.
pub(crate) fn config() -> LogConfig {
    LogConfig {
        segment_bytes: 600,
        index_interval_bytes: 100,
        cleanup_delete: false,
        cleanup_compact: true,
        min_cleanable_dirty_ratio: Share::NONE,
        delete_retention_ms: RETENTION_MS,
        file_delete_delay_ms: 50,
        retention_ms: -1,
        preallocate: false,
        ..LogConfig::default()
    }
}

fn options(config: LogConfig) -> OpenOptions {
    OpenOptions { config, recovery_point: 0, log_start_offset: 0, clean: false, leader_epoch: 0, now_ms: 0 }
}

/// A compacted log, its cleaner, and how far it is clean.
pub(crate) struct Bench {
    disk: Arc<dyn Disk>,
    pub(crate) log: Log,
    report: RecoveryReport,
    cleaner: Cleaner,
    clean_to: Option<i64>,
}

impl Bench {
    fn new() -> Self {
        Self::with(config())
    }

    pub(crate) fn with(config: LogConfig) -> Self {
        Self::on(Arc::new(MemoryDisk::new()), options(config))
    }

    fn on(disk: Arc<dyn Disk>, options: OpenOptions) -> Self {
        let (log, report) = Log::open(Arc::clone(&disk), Path::new(DIR), "t", 0, options).expect("open");
        Self { disk, log, report, cleaner: cleaner(1 << 20), clean_to: None }
    }

    /// Killed and opened again, with what a checkpoint would have said.
    fn killed(self) -> Self {
        let marks = self.log.marks();
        let options = OpenOptions {
            recovery_point: marks.recovery_point,
            log_start_offset: marks.log_start,
            ..options((*self.log.config()).clone())
        };
        let again = Self::on(Arc::clone(&self.disk), options);
        Self { clean_to: self.clean_to, ..again }
    }

    pub(crate) fn append(&self, bytes: Bytes) -> i64 {
        self.append_at(bytes, 0)
    }

    fn append_at(&self, bytes: Bytes, now_ms: i64) -> i64 {
        let context = AppendContext { leader_epoch: 0, origin: Origin::Coordinator, now_ms };
        self.log.append(bytes, context).expect("append").base_offset
    }

    /// One batch per value; equal letters are equal keys, no value a tombstone.
    fn put(&self, records: &[(&str, Option<&str>)]) {
        for &(key, value) in records {
            self.append(batch(Codec::None, &[(Some(key), value)]));
        }
    }

    /// Closes the active segment.
    pub(crate) fn roll(&self) {
        self.log.roll(&mut self.log.writer.lock(), 0).expect("roll");
    }

    fn try_clean(&mut self, now_ms: i64) -> Result<Cleaned, CleanError> {
        let range = self.log.cleanable(self.clean_to, now_ms).expect("look");
        let cleaned = self.log.clean(&mut self.cleaner, range, now_ms, &Throttle::new(u64::MAX))?;
        self.clean_to = Some(cleaned.clean_to);
        Ok(cleaned)
    }

    fn clean(&mut self, now_ms: i64) -> Cleaned {
        self.try_clean(now_ms).expect("clean")
    }

    /// Rolls and cleans everything.
    fn roll_and_clean(&mut self, now_ms: i64) -> Cleaned {
        self.roll();
        self.clean(now_ms)
    }

    fn batches(&self) -> Vec<(BatchHeader, Vec<Record>)> {
        batches_from(&self.log, self.log.marks().log_start)
    }

    /// Keys and values in their order, `-` for a tombstone: `a1 b-`.
    fn text(&self) -> String {
        let data = self.batches().into_iter().filter(|(header, _)| !header.is_control());
        let word = |record: Record| format!("{}{}", word(record.key, ""), word(record.value, "-"));
        data.flat_map(|(_, records)| records.into_iter().map(word)).collect::<Vec<_>>().join(" ")
    }

    fn names(&self) -> Vec<String> {
        names(&*self.disk)
    }

    /// The bytes of every file, by name.
    fn files(&self) -> Vec<(String, Vec<u8>)> {
        let read = |name: String| {
            let bytes = pagewire_disk::read_small(&*self.disk, &Path::new(DIR).join(&name), 1 << 30);
            (name, bytes.expect("read").expect("there"))
        };
        self.names().into_iter().map(read).collect()
    }
}

fn word(bytes: Option<Bytes>, none: &str) -> String {
    bytes.map_or_else(|| none.to_owned(), |bytes| String::from_utf8(bytes.to_vec()).expect("text"))
}

fn names(disk: &dyn Disk) -> Vec<String> {
    disk.read_dir(Path::new(DIR)).expect("dir").into_iter().map(|entry| entry.name).collect()
}

fn cleaner(map_bytes: usize) -> Cleaner {
    Cleaner::new(CleanerLimits { map_bytes, map_load: Share::new(0.9), buffer_bytes: 256 })
}

fn batch(codec: Codec, records: &[(Option<&str>, Option<&str>)]) -> Bytes {
    fill(BatchBuilder::new(codec), records)
}

/// Timestamps 1, 2, ...
pub(crate) fn fill(mut builder: BatchBuilder, records: &[(Option<&str>, Option<&str>)]) -> Bytes {
    for (time, (key, value)) in (1..).zip(records) {
        let (key, value) = (key.map(str::as_bytes), value.map(str::as_bytes));
        builder.append(time, key, value, &[]).expect("record");
    }
    builder.build().expect("batch")
}

pub(crate) fn marker(control_type: ControlType, producer_id: i64) -> Bytes {
    control_batch(EndTxnMarker { control_type, coordinator_epoch: 1 }, producer_id, 0, 1).expect("marker")
}

/// Everything from `offset` on, slice after slice, checked.
fn batches_from(log: &Log, mut offset: i64) -> Vec<(BatchHeader, Vec<Record>)> {
    let mut all = Vec::new();
    while offset < log.marks().high_watermark {
        let slice = log.read(offset, 300, ReadUpTo::HighWatermark, true).expect("read");
        let Some(range) = slice.range else {
            // What was there has given way to what was appended since: that is read next.
            if log.marks().high_watermark > slice.marks.high_watermark {
                continue;
            }
            break;
        };
        let bytes = Bytes::from(range.read_to_vec().expect("range"));
        let before = offset;
        for batch in complete_batches(&bytes) {
            let batch = batch.expect("batch");
            batch.verify_crc().expect("crc");
            let records = batch.records(&DecompressLimits::default()).expect("records");
            offset = batch.header.next_offset();
            all.push((batch.header, records.map(|record| record.expect("record")).collect()));
        }
        assert!(offset > before, "no progress at {offset}");
    }
    all
}
