//! What a log needs to know of its topic's settings, already resolved and typed.
//!
//! Bounds such as the 1 MiB minimum of `segment.bytes` belong to the settings tables; here tiny values are fine.

use pagewire_record::DecompressLimits;

use crate::share::Share;

/// Settings of one log. Names are the topic settings' own unless said otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// `segment.bytes`: a segment never grows past this (at most `i32::MAX`).
    pub segment_bytes: u32,
    /// `segment.ms`: a segment whose first record is older than this is closed.
    pub segment_ms: i64,
    /// `segment.jitter.ms`: at most this much earlier, different for every segment.
    pub segment_jitter_ms: i64,
    /// `segment.index.bytes`: a full index closes its segment.
    pub segment_index_bytes: u32,
    /// `index.interval.bytes`: at most one index entry per this many bytes of log.
    pub index_interval_bytes: u32,
    /// `cleanup.policy` contains `delete`: retention by time and size applies.
    pub cleanup_delete: bool,
    /// `cleanup.policy` contains `compact`.
    pub cleanup_compact: bool,
    /// `min.cleanable.dirty.ratio`: compaction begins when more than this share of the bytes is dirty.
    pub min_cleanable_dirty_ratio: Share,
    /// `min.compaction.lag.ms`: a record younger than this is not compacted.
    pub min_compaction_lag_ms: i64,
    /// `max.compaction.lag.ms`: a record older than this is compacted whatever the share of dirty bytes is.
    pub max_compaction_lag_ms: i64,
    /// `delete.retention.ms`: how long a compacted log keeps tombstones and markers for readers under way.
    pub delete_retention_ms: i64,
    /// `retention.ms`; negative keeps for ever.
    pub retention_ms: i64,
    /// `retention.bytes`; negative keeps everything.
    pub retention_bytes: i64,
    /// `file.delete.delay.ms`: between the rename to `.deleted` and the unlink.
    pub file_delete_delay_ms: i64,
    /// `producer.id.expiration.ms` of the broker.
    pub producer_id_expiration_ms: i64,
    /// Most producers remembered; past it the ones silent for longest are forgotten.
    pub producers_max: usize,
    /// Dirty bytes after which [`Appended::pace_due`](crate::Appended::pace_due) asks for
    /// [`Log::pace`](crate::Log::pace).
    pub pace_bytes: u32,
    /// Reserve blocks ahead of the writer (never visible in a file's length).
    pub preallocate: bool,
    /// Bounds when a single compressed batch is opened for a timestamp lookup.
    pub decompress: DecompressLimits,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            segment_bytes: 1 << 30,
            segment_ms: 604_800_000,
            segment_jitter_ms: 0,
            segment_index_bytes: 10 << 20,
            index_interval_bytes: 4096,
            cleanup_delete: true,
            cleanup_compact: false,
            min_cleanable_dirty_ratio: Share::HALF,
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: i64::MAX,
            delete_retention_ms: 86_400_000,
            retention_ms: 604_800_000,
            retention_bytes: -1,
            file_delete_delay_ms: 60_000,
            producer_id_expiration_ms: 86_400_000,
            producers_max: 65_536,
            pace_bytes: 4 << 20,
            preallocate: true,
            decompress: DecompressLimits::default(),
        }
    }
}

impl LogConfig {
    /// How long a segment may be filled: what has to be compacted by a certain age must have been closed by then.
    pub(crate) fn segment_age_limit_ms(&self) -> i64 {
        if self.cleanup_compact && self.max_compaction_lag_ms > 0 {
            self.segment_ms.min(self.max_compaction_lag_ms)
        } else {
            self.segment_ms
        }
    }

    /// Largest size of a segment in bytes: positions are 31 bits in the index.
    pub(crate) fn segment_limit(&self) -> u64 {
        u64::from(self.segment_bytes.min(i32::MAX as u32))
    }
}
