//! The settings a partition's leader checks by.

use crate::check::reject::{RejectKind, Rejected};
use crate::compress::{Codec, Compression, DecompressLimits};
use crate::header::{NO_TIMESTAMP, TimestampType};

/// The topic setting `compression.type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TopicCompression {
    /// `producer`: batches stay as they come.
    #[default]
    Producer,
    /// A codec, or `uncompressed`: batches in another codec are compressed again.
    Fixed(Compression),
}

impl TopicCompression {
    /// What a batch in `source` has to be stored in. The level plays no part in the comparison: a batch that has the
    /// right codec stays as it is, as in Kafka.
    pub(super) fn target(self, source: Codec) -> Option<Compression> {
        match self {
            Self::Producer => None,
            Self::Fixed(compression) => (compression.codec != source).then_some(compression),
        }
    }
}

/// What one partition demands of a batch. Topic settings by their Kafka names; times in ms, sizes in bytes.
#[derive(Debug, Clone)]
pub struct ProduceRules {
    /// Version of the Produce request.
    pub produce_version: i16,
    /// `max.message.bytes`: most bytes of a batch as it came, and as it is stored.
    pub max_message_bytes: u32,
    /// `segment.bytes`: most bytes of a batch as it is stored.
    pub segment_bytes: u32,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`; `i64::MAX` for no bound.
    pub before_max_ms: i64,
    /// `message.timestamp.after.max.ms`.
    pub after_max_ms: i64,
    /// `compression.type` with the level of its codec.
    pub compression: TopicCompression,
    /// Whether `cleanup.policy` contains `compact`, so every record needs a key.
    pub compacted: bool,
    /// The time now.
    pub now_ms: i64,
    /// How far a batch may decompress.
    pub limits: DecompressLimits,
}

impl ProduceRules {
    /// Kafka's defaults for a topic without settings of its own, for a request of this version at this time.
    pub fn defaults(produce_version: i16, now_ms: i64) -> Self {
        Self {
            produce_version,
            max_message_bytes: 1_048_588,
            segment_bytes: 1 << 30,
            timestamp_type: TimestampType::CreateTime,
            before_max_ms: i64::MAX,
            after_max_ms: 3_600_000,
            compression: TopicCompression::Producer,
            compacted: false,
            now_ms,
            limits: DecompressLimits::default(),
        }
    }

    pub(super) fn check_size(&self, size: usize) -> Result<(), Rejected> {
        if size as u64 <= u64::from(self.max_message_bytes) {
            return Ok(());
        }
        Err(self.too_large(&format!("{size} bytes")))
    }

    pub(super) fn too_large(&self, size: &str) -> Rejected {
        Rejected::new(
            RejectKind::MessageTooLarge,
            format!(
                "The record batch has {size}, more than the {} that max.message.bytes allows",
                self.max_message_bytes
            ),
        )
    }

    /// Whether a record's own time is too far from now; having none is not. Wraps on overflow as Kafka's arithmetic
    /// does, so that the same times pass.
    pub(super) fn is_out_of_bounds(&self, timestamp: i64) -> bool {
        let age = self.now_ms.wrapping_sub(timestamp);
        timestamp != NO_TIMESTAMP && (age > self.before_max_ms || age.wrapping_neg() > self.after_max_ms)
    }
}
