//! `log.cleaner.*`: what compaction may take, and how often it looks.

use std::time::Duration;

use pagewire_log::{CleanerLimits, Share};

use super::layers::Layers;
use super::value::Value;

/// Settings of compaction. Those of all threads together, as they are written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CleanerConfig {
    /// `log.cleaner.enable`.
    pub enable: bool,
    /// `log.cleaner.threads`, at least one.
    pub threads: usize,
    /// `log.cleaner.dedupe.buffer.size`.
    pub dedupe_buffer_bytes: usize,
    /// `log.cleaner.io.buffer.size`.
    pub io_buffer_bytes: usize,
    /// `log.cleaner.io.buffer.load.factor`.
    pub io_buffer_load: Share,
    /// `log.cleaner.io.max.bytes.per.second`; `u64::MAX` is no limit.
    pub io_max_bytes_per_second: u64,
    /// `log.cleaner.backoff.ms`.
    pub backoff: Duration,
}

impl CleanerConfig {
    pub(super) fn of(layers: &Layers) -> Self {
        let size = |name| usize::try_from(layers.int(name)).unwrap_or(0);
        let double = |name| match layers.value(name) {
            Some((Value::Double(value), _)) => value,
            _ => 0.0,
        };
        let backoff_ms = u64::try_from(layers.int("log.cleaner.backoff.ms")).unwrap_or(0);
        Self {
            enable: layers.flag("log.cleaner.enable"),
            threads: size("log.cleaner.threads").max(1),
            dedupe_buffer_bytes: size("log.cleaner.dedupe.buffer.size"),
            io_buffer_bytes: size("log.cleaner.io.buffer.size"),
            io_buffer_load: Share::new(double("log.cleaner.io.buffer.load.factor")),
            // What is more than all is all, less than nothing nothing.
            io_max_bytes_per_second: double("log.cleaner.io.max.bytes.per.second") as u64,
            backoff: Duration::from_millis(backoff_ms.max(1)),
        }
    }

    /// What one thread may take.
    pub fn limits(&self) -> CleanerLimits {
        CleanerLimits {
            map_bytes: self.dedupe_buffer_bytes / self.threads,
            map_load: self.io_buffer_load,
            buffer_bytes: self.io_buffer_bytes / self.threads,
        }
    }
}
