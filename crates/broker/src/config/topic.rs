//! A topic's settings as the log and the record checks use them.

use std::collections::BTreeMap;

use pagewire_log::{LogConfig, Share};
use pagewire_record::{Codec, Compression, DecompressLimits, ProduceRules, TimestampType, TopicCompression};

use super::broker::BrokerConfig;
use super::table::{TOPIC, TopicSetting, topic_row};
use super::value::{self, Value};

/// All settings of a topic in force: its own over the broker's. Times are milliseconds, sizes bytes; field names are
/// the settings' own.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicConfig {
    /// `cleanup.policy` contains `delete`.
    pub cleanup_delete: bool,
    /// `cleanup.policy` contains `compact`.
    pub cleanup_compact: bool,
    /// `min.cleanable.dirty.ratio`.
    pub min_cleanable_dirty_ratio: Share,
    /// `min.compaction.lag.ms`.
    pub min_compaction_lag_ms: i64,
    /// `max.compaction.lag.ms`; `i64::MAX` is never.
    pub max_compaction_lag_ms: i64,
    /// `delete.retention.ms`.
    pub delete_retention_ms: i64,
    /// `compression.type` with its level.
    pub compression: TopicCompression,
    /// `file.delete.delay.ms`.
    pub file_delete_delay_ms: i64,
    /// `flush.messages`; `i64::MAX` is never.
    pub flush_messages: i64,
    /// `flush.ms`; `i64::MAX` is never.
    pub flush_ms: i64,
    /// `index.interval.bytes`.
    pub index_interval_bytes: u32,
    /// `max.message.bytes`.
    pub max_message_bytes: u32,
    /// `message.timestamp.type`.
    pub message_timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`.
    pub message_timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`.
    pub message_timestamp_after_max_ms: i64,
    /// `preallocate`.
    pub preallocate: bool,
    /// `retention.bytes`; negative is no limit.
    pub retention_bytes: i64,
    /// `retention.ms`; negative keeps for ever.
    pub retention_ms: i64,
    /// `segment.bytes`, or `internal.segment.bytes` where that is set.
    pub segment_bytes: u32,
    /// `segment.index.bytes`.
    pub segment_index_bytes: u32,
    /// `segment.jitter.ms`.
    pub segment_jitter_ms: i64,
    /// `segment.ms`.
    pub segment_ms: i64,
    /// `producer.id.expiration.ms` of the broker.
    pub producer_id_expiration_ms: i64,
    /// `pagewire.log.pace.bytes` of the broker.
    pub pace_bytes: u32,
    /// `pagewire.log.producers.max` of the broker.
    pub producers_max: usize,
}

/// One setting's value in force; none is Kafka's null. A stored value that does not parse counts as not set.
pub(super) fn effective(
    row: &TopicSetting,
    own: &BTreeMap<String, String>,
    broker: &BrokerConfig,
) -> Option<Value> {
    own.get(row.setting.name)
        .and_then(|text| value::parse(&row.setting, text).ok())
        .or_else(|| broker.layers.for_topics(row).map(|(value, ..)| value))
        .or_else(|| row.setting.default.and_then(|text| value::parse(&row.setting, text).ok()))
}

struct Values<'v> {
    own: &'v BTreeMap<String, String>,
    broker: &'v BrokerConfig,
}

impl Values<'_> {
    fn value(&self, name: &str) -> Option<Value> {
        topic_row(name).and_then(|row| effective(row, self.own, self.broker))
    }

    fn number(&self, name: &str) -> i64 {
        match self.value(name) {
            Some(Value::Number(number)) => number,
            _ => 0,
        }
    }

    fn size(&self, name: &str) -> u32 {
        u32::try_from(self.number(name)).unwrap_or(0)
    }

    fn share(&self, name: &str) -> Share {
        match self.value(name) {
            Some(Value::Double(value)) => Share::new(value),
            _ => Share::NONE,
        }
    }

    fn text(&self, name: &str) -> String {
        self.value(name).map(|value| value.to_text()).unwrap_or_default()
    }

    fn compression(&self) -> TopicCompression {
        let fixed = |codec, level: Option<&str>| {
            let level = level.and_then(|name| i32::try_from(self.number(name)).ok());
            // -1 leaves gzip to its own default.
            let level = level.filter(|level| codec != Codec::Gzip || *level != -1);
            TopicCompression::Fixed(Compression { codec, level })
        };
        match self.text("compression.type").as_str() {
            "uncompressed" => fixed(Codec::None, None),
            "gzip" => fixed(Codec::Gzip, Some("compression.gzip.level")),
            "snappy" => fixed(Codec::Snappy, None),
            "lz4" => fixed(Codec::Lz4, Some("compression.lz4.level")),
            "zstd" => fixed(Codec::Zstd, Some("compression.zstd.level")),
            _ => TopicCompression::Producer,
        }
    }
}

impl TopicConfig {
    /// The topic's own settings over the broker's.
    pub fn resolve(own: &BTreeMap<String, String>, broker: &BrokerConfig) -> Self {
        let values = Values { own, broker };
        let policy = match values.value("cleanup.policy") {
            Some(Value::List(items)) => items,
            _ => Vec::new(),
        };
        let segment_bytes = match values.value("internal.segment.bytes") {
            Some(Value::Number(bytes)) => u32::try_from(bytes).unwrap_or(0).max(1),
            _ => values.size("segment.bytes"),
        };
        Self {
            cleanup_delete: policy.iter().any(|item| item == "delete"),
            cleanup_compact: policy.iter().any(|item| item == "compact"),
            min_cleanable_dirty_ratio: values.share("min.cleanable.dirty.ratio"),
            min_compaction_lag_ms: values.number("min.compaction.lag.ms"),
            max_compaction_lag_ms: values.number("max.compaction.lag.ms"),
            delete_retention_ms: values.number("delete.retention.ms"),
            compression: values.compression(),
            file_delete_delay_ms: values.number("file.delete.delay.ms"),
            flush_messages: values.number("flush.messages"),
            flush_ms: values.number("flush.ms"),
            index_interval_bytes: values.size("index.interval.bytes"),
            max_message_bytes: values.size("max.message.bytes"),
            message_timestamp_type: if values.text("message.timestamp.type") == "LogAppendTime" {
                TimestampType::LogAppendTime
            } else {
                TimestampType::CreateTime
            },
            message_timestamp_before_max_ms: values.number("message.timestamp.before.max.ms"),
            message_timestamp_after_max_ms: values.number("message.timestamp.after.max.ms"),
            preallocate: values.value("preallocate") == Some(Value::Boolean(true)),
            retention_bytes: values.number("retention.bytes"),
            retention_ms: values.number("retention.ms"),
            segment_bytes,
            segment_index_bytes: values.size("segment.index.bytes"),
            segment_jitter_ms: values.number("segment.jitter.ms"),
            segment_ms: values.number("segment.ms"),
            producer_id_expiration_ms: broker.producer_id_expiration_ms,
            pace_bytes: broker.log_pace_bytes,
            producers_max: broker.log_producers_max,
        }
    }

    /// `flush.ms` as the log wants it: none is never.
    pub fn flush_every_ms(&self) -> Option<i64> {
        (self.flush_ms != i64::MAX).then_some(self.flush_ms)
    }

    /// What the log needs of it.
    pub fn log_config(&self) -> LogConfig {
        LogConfig {
            segment_bytes: self.segment_bytes,
            segment_ms: self.segment_ms,
            segment_jitter_ms: self.segment_jitter_ms,
            segment_index_bytes: self.segment_index_bytes,
            index_interval_bytes: self.index_interval_bytes,
            cleanup_delete: self.cleanup_delete,
            cleanup_compact: self.cleanup_compact,
            min_cleanable_dirty_ratio: self.min_cleanable_dirty_ratio,
            min_compaction_lag_ms: self.min_compaction_lag_ms,
            max_compaction_lag_ms: self.max_compaction_lag_ms,
            delete_retention_ms: self.delete_retention_ms,
            retention_ms: self.retention_ms,
            retention_bytes: self.retention_bytes,
            file_delete_delay_ms: self.file_delete_delay_ms,
            producer_id_expiration_ms: self.producer_id_expiration_ms,
            producers_max: self.producers_max,
            pace_bytes: self.pace_bytes,
            preallocate: self.preallocate,
            decompress: self.decompress_limits(),
        }
    }

    /// A batch may be as long decompressed as it may be without compression, at least.
    fn decompress_limits(&self) -> DecompressLimits {
        let max_message_bytes = usize::try_from(self.max_message_bytes).unwrap_or(usize::MAX);
        DecompressLimits { max_bytes: DecompressLimits::DEFAULT_MAX_BYTES.max(max_message_bytes) }
    }

    /// What the record checks need of it, for one request.
    pub fn produce_rules(&self, produce_version: i16, now_ms: i64) -> ProduceRules {
        ProduceRules {
            produce_version,
            max_message_bytes: self.max_message_bytes,
            segment_bytes: self.segment_bytes,
            timestamp_type: self.message_timestamp_type,
            before_max_ms: self.message_timestamp_before_max_ms,
            after_max_ms: self.message_timestamp_after_max_ms,
            compression: self.compression,
            compacted: self.cleanup_compact,
            now_ms,
            limits: self.decompress_limits(),
        }
    }
}

/// Checks a topic's own settings as a whole; the error is the sentence Kafka's tools show.
pub fn validate_topic(own: &BTreeMap<String, String>, broker: &BrokerConfig) -> Result<(), String> {
    for name in own.keys() {
        if topic_row(name).is_none() {
            return Err(format!("Unknown topic config name: {name}"));
        }
    }
    for row in TOPIC {
        if let Some(text) = own.get(row.setting.name) {
            value::parse(&row.setting, text)?;
        }
    }
    let values = Values { own, broker };
    let (min, max) = (values.number("min.compaction.lag.ms"), values.number("max.compaction.lag.ms"));
    if min > max {
        return Err(format!(
            "conflict topic config setting min.compaction.lag.ms ({min}) > max.compaction.lag.ms ({max})"
        ));
    }
    if values.value("remote.storage.enable") == Some(Value::Boolean(true)) {
        return Err(
            "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote \
                    log storage."
                .to_owned(),
        );
    }
    Ok(())
}
