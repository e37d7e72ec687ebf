//! Where records are kept, how files are cut, and what is thrown away. Most are defaults that topics override.

use crate::config::definition::Kind::{Boolean, Double, Int, List, Long, Text};
use crate::config::definition::Rule::{Any, Between, Fraction, GzipLevel, Min, NotEmpty, OneOf};
use crate::config::definition::Setting as S;

/// Log directories, segments, retention, timestamps, codecs.
pub(super) static LOG: &[S] = &[
    S::new("log.dirs", List, None, NotEmpty)
        .doc("The log directories, each on a disk of its own, most likely. New partitions go to the one with the fewest; the metadata is in the first. Unset: the value of `log.dir`."),
    S::new("log.dir", List, Some("./pagewire-data"), NotEmpty)
        .doc("The log directories when `log.dirs` is not set."),
    S::new("log.segment.bytes", Int, Some("1073741824"), Min(1_048_576)).dynamic()
        .doc("Size in bytes at which a segment is closed and a new one begun."),
    S::new("log.roll.ms", Long, None, Any).dynamic()
        .doc("Age in milliseconds at which a segment is closed whatever its size. Unset: `log.roll.hours`."),
    S::new("log.roll.hours", Int, Some("168"), Min(1))
        .doc("The same in hours."),
    S::new("log.roll.jitter.ms", Long, None, Any).dynamic()
        .doc("At most this many milliseconds are taken off that age, different for each segment. Unset: `log.roll.jitter.hours`."),
    S::new("log.roll.jitter.hours", Int, Some("0"), Min(0))
        .doc("The same in hours."),
    S::new("log.index.size.max.bytes", Int, Some("10485760"), Min(4)).dynamic()
        .doc("Size in bytes at which an index is full and its segment closed."),
    S::new("log.index.interval.bytes", Int, Some("4096"), Min(0)).dynamic()
        .doc("Bytes of records between two index entries."),
    S::new("log.retention.ms", Long, None, Any).dynamic()
        .doc("Age in milliseconds after which a closed segment is deleted; -1 keeps it for ever. Unset: `log.retention.minutes`."),
    S::new("log.retention.minutes", Int, None, Any)
        .doc("The same in minutes. Unset: `log.retention.hours`."),
    S::new("log.retention.hours", Int, Some("168"), Any)
        .doc("The same in hours."),
    S::new("log.retention.bytes", Long, Some("-1"), Any).dynamic()
        .doc("Size in bytes of a partition above which its oldest segments are deleted; -1 is no limit."),
    S::new("log.retention.check.interval.ms", Long, Some("300000"), Min(1))
        .doc("Milliseconds between two looks for segments to delete."),
    S::new("log.cleanup.policy", List, Some("delete"), OneOf(&["compact", "delete"])).dynamic()
        .doc("What happens to old segments: `delete`, `compact`, both, or nothing."),
    S::new("log.segment.delete.delay.ms", Long, Some("60000"), Min(0)).dynamic()
        .doc("Milliseconds between taking a file out of use and deleting it, at least; it is looked at every ten seconds."),
    S::new("log.preallocate", Boolean, Some("false"), Any).dynamic()
        .doc("Reserve as much disk space ahead of the writes as a segment has, at most 16 MiB; otherwise it is a quarter. All logs of a directory reserve a sixteenth of what is free at most, and those that rest give it back. It never shows in the length of a file."),
    S::new("log.flush.interval.messages", Long, Some("9223372036854775807"), Min(1)).dynamic()
        .doc("Records after which a partition is forced to stable storage. acks=all is stable without it."),
    S::new("log.flush.interval.ms", Long, None, Any).dynamic()
        .doc("Milliseconds after which a record is forced to stable storage. Looked at every second, or every `log.flush.scheduler.interval.ms` if that is shorter. Unset: that one."),
    S::new("log.flush.scheduler.interval.ms", Long, Some("9223372036854775807"), Any)
        .doc("Milliseconds between two looks for logs to be forced to stable storage; a second where it is longer. No look is taken while no topic has `flush.ms`."),
    S::new("log.flush.offset.checkpoint.interval.ms", Int, Some("60000"), Min(0))
        .doc("Milliseconds between two writes of the recovery points. Recovery after a crash scans what lies past them."),
    S::new("log.flush.start.offset.checkpoint.interval.ms", Int, Some("60000"), Min(0)).not_yet()
        .doc("Milliseconds between two writes of the log start offsets."),
    S::new("log.message.timestamp.type", Text, Some("CreateTime"), OneOf(&["CreateTime", "LogAppendTime"])).dynamic()
        .doc("Whose time a record carries: the producer's `CreateTime` or the broker's `LogAppendTime`."),
    S::new("log.message.timestamp.before.max.ms", Long, Some("9223372036854775807"), Min(0)).dynamic()
        .doc("Milliseconds a producer's timestamp may lie in the past."),
    S::new("log.message.timestamp.after.max.ms", Long, Some("3600000"), Min(0)).dynamic()
        .doc("Milliseconds a producer's timestamp may lie in the future."),
    S::new("message.max.bytes", Int, Some("1048588"), Min(0)).dynamic()
        .doc("The largest record batch in bytes, after compression. What compaction leaves of one may be larger."),
    S::new("compression.type", Text, Some("producer"), OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"])).dynamic()
        .doc("The codec batches are stored with; `producer` keeps what the producer chose. A batch that passes `max.message.bytes` in that codec is refused, as in Kafka."),
    S::new("compression.gzip.level", Int, Some("-1"), GzipLevel).dynamic()
        .doc("The level when batches are stored as gzip."),
    S::new("compression.lz4.level", Int, Some("9"), Between(1, 17)).dynamic().not_yet()
        .doc("The level when batches are stored as lz4; the encoder here has one level, whose batches may be a quarter larger than Kafka's."),
    S::new("compression.zstd.level", Int, Some("3"), Between(-131_072, 22)).dynamic()
        .doc("The level when batches are stored as zstd."),
    S::new("producer.id.expiration.ms", Int, Some("86400000"), Min(1)).dynamic()
        .doc("Milliseconds after which a silent idempotent producer is forgotten by a partition."),
    S::new("producer.id.expiration.check.interval.ms", Int, Some("600000"), Min(1)).internal()
        .doc("Milliseconds between two looks for producers that have been silent for too long."),
    S::new("cordoned.log.dirs", List, Some(""), Any).per_broker()
        .doc("Those of `log.dirs` that get no new partitions, `*` for all: before a disk is taken away. What they have is served, and may be moved."),
    S::new("num.recovery.threads.per.data.dir", Int, Some("2"), Min(1)).dynamic()
        .doc("Threads that open and recover logs at the start."),
    S::new("replica.alter.log.dirs.io.max.bytes.per.second", Long, Some("9223372036854775807"), Min(0)).dynamic()
        .doc("Bytes a second that partitions moving to another log directory may be copied with, each directory they go to by itself."),
    S::new("log.cleaner.delete.retention.ms", Long, Some("86400000"), Min(0)).dynamic()
        .doc("Milliseconds a compacted log keeps tombstones and transaction markers after the first compaction that could have dropped them."),
    S::new("log.cleaner.min.cleanable.ratio", Double, Some("0.5"), Fraction(0.0, 1.0)).dynamic()
        .doc("Compaction begins when more than this share of a log is not compacted yet."),
    S::new("log.cleaner.min.compaction.lag.ms", Long, Some("0"), Min(0)).dynamic()
        .doc("Milliseconds a record stays out of compaction at least."),
    S::new("log.cleaner.max.compaction.lag.ms", Long, Some("9223372036854775807"), Min(1)).dynamic()
        .doc("Milliseconds after which a record is compacted whatever the share is."),
    S::new("log.cleaner.enable", Boolean, Some("true"), Any)
        .doc("Whether compaction runs at all."),
    S::new("log.cleaner.threads", Int, Some("1"), Min(0)).dynamic()
        .doc("Most threads that compact, each a log at a time. At rest there is one."),
    S::new("log.cleaner.backoff.ms", Long, Some("15000"), Min(0)).dynamic()
        .doc("Milliseconds until compaction looks again when it found nothing to do."),
    S::new("log.cleaner.dedupe.buffer.size", Long, Some("134217728"), Any).dynamic()
        .doc("Most bytes of memory for the keys of all compactions under way, 24 for each key. It is taken as far as there are keys, and only while something is compacted. A log with more keys takes several rounds. Besides it each compaction takes its buffers, the batch it is at, up to 4 MiB for aborted transactions that it is about to meet, and some 200 bytes for each that is open at the place where it is."),
    S::new("log.cleaner.io.max.bytes.per.second", Double, Some("1.7976931348623157E308"), Any).dynamic()
        .doc("Bytes a second that compaction may read and write, all threads together."),
    S::new("log.cleaner.io.buffer.size", Int, Some("524288"), Min(0)).dynamic()
        .doc("Bytes that compaction reads or writes at once, all threads together. A batch that is longer takes its length."),
    S::new("log.cleaner.io.buffer.load.factor", Double, Some("0.9"), Any).dynamic()
        .doc("How full the memory for keys may become, as a share. The fuller, the more keys at once and the slower each."),
];
