//! A log on a disk of one's choice, with tiny limits.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use pagewire_disk::{Disk, DiskFile, MemoryDisk, OpenMode};
use pagewire_log::{
    AppendContext, AppendError, Appended, Log, LogConfig, OpenOptions, Origin, ReadUpTo, RecoveryReport,
};
use pagewire_record::{BatchBuilder, BatchHeader, Codec, batches};

pub(crate) const DIR: &str = "/data/t-0";

/// 1 KiB segments, an index entry per 100 bytes.
pub(crate) fn config() -> LogConfig {
    LogConfig {
        segment_bytes: 1024,
        index_interval_bytes: 100,
        retention_ms: -1,
        file_delete_delay_ms: 1000,
        pace_bytes: 512,
        ..LogConfig::default()
    }
}

pub(crate) fn options() -> OpenOptions {
    OpenOptions {
        config: config(),
        recovery_point: 0,
        log_start_offset: 0,
        clean: false,
        leader_epoch: 0,
        now_ms: 0,
    }
}

/// A batch of `records` records of timestamps `timestamp`, +1, ...
pub(crate) fn batch(records: i64, timestamp: i64) -> Bytes {
    fill(BatchBuilder::new(Codec::None), records, timestamp)
}

/// A batch of an idempotent producer.
pub(crate) fn sequenced(id: i64, epoch: i16, sequence: i32, records: i64) -> Bytes {
    fill(BatchBuilder::new(Codec::None).producer(id, epoch, sequence), records, 1000 + i64::from(sequence))
}

pub(crate) fn fill(mut builder: BatchBuilder, records: i64, timestamp: i64) -> Bytes {
    for n in 0..records {
        let value = format!("value {timestamp}+{n}");
        builder.append(timestamp + n, Some(b"key"), Some(value.as_bytes()), &[]).expect("record");
    }
    builder.build().expect("batch")
}

pub(crate) fn context() -> AppendContext {
    AppendContext { leader_epoch: 0, origin: Origin::Client, now_ms: 0 }
}

/// A log and the disk below it.
pub(crate) struct Bench {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) log: Log,
    pub(crate) report: RecoveryReport,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::on(Arc::new(MemoryDisk::new()), options())
    }

    pub(crate) fn with(config: LogConfig) -> Self {
        Self::on(Arc::new(MemoryDisk::new()), OpenOptions { config, ..options() })
    }

    pub(crate) fn on(disk: Arc<dyn Disk>, options: OpenOptions) -> Self {
        let (log, report) = Log::open(Arc::clone(&disk), Path::new(DIR), "t", 0, options).expect("open");
        Self { disk, log, report }
    }

    /// Dropped without a word and opened again.
    pub(crate) fn killed(self) -> Self {
        let options = OpenOptions { config: (*self.log.config()).clone(), ..options() };
        self.reopened(options)
    }

    pub(crate) fn reopened(self, options: OpenOptions) -> Self {
        let Self { disk, log, .. } = self;
        drop(log);
        Self::on(disk, options)
    }

    /// Closed and opened again with the clean mark.
    pub(crate) fn restarted(self) -> Self {
        self.log.close(0).expect("close");
        let marks = self.log.marks();
        let options = OpenOptions {
            config: (*self.log.config()).clone(),
            recovery_point: marks.recovery_point,
            log_start_offset: marks.log_start,
            clean: true,
            ..options()
        };
        self.reopened(options)
    }

    pub(crate) fn append(&self, bytes: Bytes) -> Appended {
        self.try_append(bytes).expect("append")
    }

    pub(crate) fn try_append(&self, bytes: Bytes) -> Result<Appended, AppendError> {
        self.log.append(bytes, context())
    }

    /// Appends `count` batches of three records, timestamps 1000, 1010, ...
    pub(crate) fn fill(&self, count: i64) {
        for n in 0..count {
            self.append(batch(3, 1000 + n * 10));
        }
    }

    /// Headers of the whole batches in what a read returns.
    pub(crate) fn read(&self, offset: i64, max_bytes: u32, at_least_one: bool) -> Vec<BatchHeader> {
        let slice = self.log.read(offset, max_bytes, ReadUpTo::HighWatermark, at_least_one).expect("read");
        let Some(range) = slice.range else { return Vec::new() };
        let bytes = range.read_to_vec().expect("range");
        batches(&bytes).map_while(Result::ok).map(|batch| batch.header).collect()
    }

    /// All batches from `offset` to the end, slice after slice, CRC checked.
    pub(crate) fn read_all(&self, mut offset: i64) -> Vec<BatchHeader> {
        let mut all = Vec::new();
        while offset < self.log.marks().high_watermark {
            let slice = self.log.read(offset, 300, ReadUpTo::HighWatermark, true).expect("read");
            let bytes = slice.range.expect("records").read_to_vec().expect("range");
            let before = offset;
            for batch in batches(&bytes).map_while(Result::ok) {
                batch.verify_crc().expect("crc");
                offset = batch.header.next_offset();
                all.push(batch.header);
            }
            assert!(offset > before, "progress");
        }
        all
    }

    pub(crate) fn names(&self) -> Vec<String> {
        names(&*self.disk)
    }

    pub(crate) fn file(&self, name: &str) -> Arc<dyn DiskFile> {
        self.disk.open(&path(name), OpenMode::ReadWrite).expect(name)
    }

    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        let file = self.file(name);
        let mut bytes = vec![0; file.len().expect("len") as usize];
        file.read_exact_at(0, &mut bytes).expect("read");
        bytes
    }
}

pub(crate) fn names(disk: &dyn Disk) -> Vec<String> {
    disk.read_dir(Path::new(DIR)).expect("dir").into_iter().map(|entry| entry.name).collect()
}

pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(DIR).join(name)
}

pub(crate) fn name(offset: i64, suffix: &str) -> String {
    format!("{offset:020}.{suffix}")
}

/// The base offset of the last segment.
pub(crate) fn active(log: &Log) -> i64 {
    log.segments().last().expect("segment").base_offset
}
