//! Settings of a topic, each with the broker-level names it falls back to.

use crate::config::definition::Kind::{Boolean, Double, Int, List, Long, Text};
use crate::config::definition::Rule::{Any, Between, Fraction, GzipLevel, Min, OneOf, ThrottledReplicas};
use crate::config::definition::Setting as S;

/// One topic setting.
#[derive(Debug, Clone, Copy)]
pub struct TopicSetting {
    /// The row.
    pub setting: S,
    /// The broker settings that give its default, the strongest first, each with the milliseconds in its unit
    /// (1 when the unit is the same).
    pub broker: &'static [(&'static str, i64)],
}

const fn row(setting: S, broker: &'static [(&'static str, i64)]) -> TopicSetting {
    TopicSetting { setting: setting.dynamic(), broker }
}

const HOUR: i64 = 3_600_000;
const MINUTE: i64 = 60_000;

/// Every topic setting, in name order.
pub static TOPIC: &[TopicSetting] = &[
    row(
        S::new("cleanup.policy", List, Some("delete"), OneOf(&["compact", "delete"]))
            .doc("What happens to old segments: `delete`, `compact`, both, or nothing."),
        &[("log.cleanup.policy", 1)],
    ),
    row(
        S::new("compression.gzip.level", Int, Some("-1"), GzipLevel)
            .doc("The level when batches are stored as gzip."),
        &[("compression.gzip.level", 1)],
    ),
    row(
        S::new("compression.lz4.level", Int, Some("9"), Between(1, 17))
            .not_yet()
            .doc("The level when batches are stored as lz4; the encoder here has one level, whose batches may be a quarter larger than Kafka's."),
        &[("compression.lz4.level", 1)],
    ),
    row(
        S::new("compression.type", Text, Some("producer"), OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]))
            .doc("The codec batches are stored with; `producer` keeps what the producer chose. A batch that passes `max.message.bytes` in that codec is refused, as in Kafka."),
        &[("compression.type", 1)],
    ),
    row(
        S::new("compression.zstd.level", Int, Some("3"), Between(-131_072, 22))
            .doc("The level when batches are stored as zstd."),
        &[("compression.zstd.level", 1)],
    ),
    row(
        S::new("delete.retention.ms", Long, Some("86400000"), Min(0))
            .doc("Milliseconds a compacted topic keeps tombstones and transaction markers after the first compaction that could have dropped them, for consumers that read from the start."),
        &[("log.cleaner.delete.retention.ms", 1)],
    ),
    row(
        S::new("file.delete.delay.ms", Long, Some("60000"), Min(0))
            .doc("Milliseconds between taking a file out of use and deleting it, at least; it is looked at every ten seconds."),
        &[("log.segment.delete.delay.ms", 1)],
    ),
    row(
        S::new("flush.messages", Long, Some("9223372036854775807"), Min(1))
            .doc("Records after which the partition is forced to stable storage. acks=all is stable without it."),
        &[("log.flush.interval.messages", 1)],
    ),
    row(
        S::new("flush.ms", Long, Some("9223372036854775807"), Min(0))
            .doc("Milliseconds after which a record is forced to stable storage. Looked at every second, or every `log.flush.scheduler.interval.ms` if that is shorter."),
        &[("log.flush.interval.ms", 1), ("log.flush.scheduler.interval.ms", 1)],
    ),
    row(
        S::new("follower.replication.throttled.replicas", List, Some(""), ThrottledReplicas).not_yet()
            .doc("Copies whose catching-up is slowed, as `partition:broker` between commas, or `*`."),
        &[],
    ),
    row(
        S::new("index.interval.bytes", Int, Some("4096"), Min(0))
            .doc("Bytes of records between two index entries."),
        &[("log.index.interval.bytes", 1)],
    ),
    row(
        S::new("internal.segment.bytes", Int, None, Any).internal()
            .doc("Segment size in bytes below the bound of `segment.bytes`, for tests."),
        &[],
    ),
    row(
        S::new("leader.replication.throttled.replicas", List, Some(""), ThrottledReplicas).not_yet()
            .doc("Copies whose serving is slowed, as `partition:broker` between commas, or `*`."),
        &[],
    ),
    row(
        S::new("local.retention.bytes", Long, Some("-2"), Min(-2)).not_yet()
            .doc("Bytes kept on local disk when the rest is tiered; -2 is `retention.bytes`."),
        &[("log.local.retention.bytes", 1)],
    ),
    row(
        S::new("local.retention.ms", Long, Some("-2"), Min(-2)).not_yet()
            .doc("Milliseconds kept on local disk when the rest is tiered; -2 is `retention.ms`."),
        &[("log.local.retention.ms", 1)],
    ),
    row(
        S::new("max.compaction.lag.ms", Long, Some("9223372036854775807"), Min(1))
            .doc("Milliseconds after which a record is compacted whatever the share is."),
        &[("log.cleaner.max.compaction.lag.ms", 1)],
    ),
    row(
        S::new("max.message.bytes", Int, Some("1048588"), Min(0))
            .doc("The largest record batch in bytes, after compression. What compaction leaves of one is compressed anew, and may be larger if the producer's encoder was better."),
        &[("message.max.bytes", 1)],
    ),
    row(
        S::new("message.timestamp.after.max.ms", Long, Some("3600000"), Min(0))
            .doc("Milliseconds a producer's timestamp may lie in the future."),
        &[("log.message.timestamp.after.max.ms", 1)],
    ),
    row(
        S::new("message.timestamp.before.max.ms", Long, Some("9223372036854775807"), Min(0))
            .doc("Milliseconds a producer's timestamp may lie in the past."),
        &[("log.message.timestamp.before.max.ms", 1)],
    ),
    row(
        S::new("message.timestamp.type", Text, Some("CreateTime"), OneOf(&["CreateTime", "LogAppendTime"]))
            .doc("Whose time a record carries: the producer's `CreateTime` or the broker's `LogAppendTime`."),
        &[("log.message.timestamp.type", 1)],
    ),
    row(
        S::new("min.cleanable.dirty.ratio", Double, Some("0.5"), Fraction(0.0, 1.0))
            .doc("Compaction begins when more than this share of the log is not compacted yet."),
        &[("log.cleaner.min.cleanable.ratio", 1)],
    ),
    row(
        S::new("min.compaction.lag.ms", Long, Some("0"), Min(0))
            .doc("Milliseconds a record stays out of compaction at least."),
        &[("log.cleaner.min.compaction.lag.ms", 1)],
    ),
    row(
        S::new("min.insync.replicas", Int, Some("1"), Min(1))
            .doc("Copies that must have a record before acks=all is answered. As in Kafka, a partition that has fewer copies needs those it has: here one."),
        &[("min.insync.replicas", 1)],
    ),
    row(
        S::new("preallocate", Boolean, Some("false"), Any)
            .doc("Reserve as much disk space ahead of the writes as a segment has, at most 16 MiB; otherwise it is a quarter. All logs of a directory reserve a sixteenth of what is free at most, and those that rest give it back. It never shows in the length of a file."),
        &[("log.preallocate", 1)],
    ),
    row(
        S::new("remote.log.copy.disable", Boolean, Some("false"), Any).not_yet()
            .doc("Make the tiered part of the topic read-only."),
        &[],
    ),
    row(
        S::new("remote.log.delete.on.disable", Boolean, Some("false"), Any).not_yet()
            .doc("Delete the tiered part when tiering is switched off."),
        &[],
    ),
    row(
        S::new("remote.storage.enable", Boolean, Some("false"), Any).not_yet()
            .doc("Tier closed segments to object storage."),
        &[],
    ),
    row(
        S::new("retention.bytes", Long, Some("-1"), Any)
            .doc("Size in bytes of a partition above which its oldest segments are deleted; -1 is no limit."),
        &[("log.retention.bytes", 1)],
    ),
    row(
        S::new("retention.ms", Long, Some("604800000"), Min(-1))
            .doc("Age in milliseconds after which a closed segment is deleted; -1 keeps it for ever."),
        &[("log.retention.ms", 1), ("log.retention.minutes", MINUTE), ("log.retention.hours", HOUR)],
    ),
    row(
        S::new("segment.bytes", Int, Some("1073741824"), Min(1_048_576))
            .doc("Size in bytes at which a segment is closed and a new one begun."),
        &[("log.segment.bytes", 1)],
    ),
    row(
        S::new("segment.index.bytes", Int, Some("10485760"), Min(4))
            .doc("Size in bytes at which an index is full and its segment closed."),
        &[("log.index.size.max.bytes", 1)],
    ),
    row(
        S::new("segment.jitter.ms", Long, Some("0"), Min(0))
            .doc("At most this many milliseconds are taken off `segment.ms`, different for each segment."),
        &[("log.roll.jitter.ms", 1), ("log.roll.jitter.hours", HOUR)],
    ),
    row(
        S::new("segment.ms", Long, Some("604800000"), Min(1))
            .doc("Age in milliseconds at which a segment is closed whatever its size."),
        &[("log.roll.ms", 1), ("log.roll.hours", HOUR)],
    ),
    row(
        S::new("unclean.leader.election.enable", Boolean, Some("false"), Any).not_yet()
            .doc("Whether a copy that lags may lead."),
        &[("unclean.leader.election.enable", 1)],
    ),
];
