//! Facts about the settings of topics, and how settings are shown and changed.

use super::*;

#[test]
fn a_topic_overrides_its_broker() {
    let broker = load("compression.type=gzip\ncompression.gzip.level=7\nlog.cleanup.policy=compact\n");
    let plain = TopicConfig::resolve(&BTreeMap::new(), &broker);
    let compression = pagewire_record::Compression { codec: pagewire_record::Codec::Gzip, level: Some(7) };
    assert_eq!(plain.compression, pagewire_record::TopicCompression::Fixed(compression));
    assert!(plain.cleanup_compact && !plain.cleanup_delete);
    let topic = TopicConfig::resolve(
        &own(&[("compression.type", "producer"), ("cleanup.policy", ""), ("internal.segment.bytes", "100")]),
        &broker,
    );
    assert_eq!(topic.compression, pagewire_record::TopicCompression::Producer);
    assert!(!topic.cleanup_compact && !topic.cleanup_delete);
    assert_eq!((topic.segment_bytes, topic.log_config().segment_bytes), (100, 100));
    assert_eq!(topic.produce_rules(9, 5).now_ms, 5);
    let decompressed = |max_message_bytes| {
        let topic = TopicConfig { max_message_bytes, ..topic.clone() };
        assert_eq!(topic.log_config().decompress, topic.produce_rules(9, 5).limits);
        topic.produce_rules(9, 5).limits.max_bytes
    };
    assert_eq!([1 << 20, 128 << 20, 500 << 20].map(decompressed), [128 << 20, 128 << 20, 500 << 20]);
}

#[test]
fn a_topics_settings_are_refused_in_kafkas_words() {
    let broker = BrokerConfig::defaults();
    let cases: &[(&[(&str, &str)], &str)] = &[
        (&[("nosuch", "1")], "Unknown topic config name: nosuch"),
        (
            &[("segment.bytes", "1")],
            "Invalid value 1 for configuration segment.bytes: Value must be at least 1048576",
        ),
        (
            &[("min.compaction.lag.ms", "100"), ("max.compaction.lag.ms", "10")],
            "conflict topic config setting min.compaction.lag.ms (100) > max.compaction.lag.ms (10)",
        ),
        (
            &[("remote.storage.enable", "true")],
            "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.",
        ),
    ];
    for (settings, expected) in cases {
        assert_eq!(validate_topic(&own(settings), &broker), Err((*expected).to_owned()));
    }
    assert_eq!(validate_topic(&own(&[("retention.ms", "-1"), ("cleanup.policy", "")]), &broker), Ok(()));
}

/// A described setting in the form the oracle's answers were written down in.
fn line(described: &[Described], name: &str) -> String {
    let entry = described.iter().find(|entry| entry.name == name).expect("a described setting");
    let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "null".to_owned());
    let synonyms: Vec<String> = entry
        .synonyms
        .iter()
        .map(|synonym| format!("{}={}:{}", synonym.name, shown(&synonym.value), synonym.source.code()))
        .collect();
    format!("{} {} [{}]", shown(&entry.value), entry.source.code(), synonyms.join(" "))
}

/// The expectations are what Apache Kafka 4.3.1 answered to the same settings.
#[test]
fn values_are_described_with_kafkas_sources_and_synonyms() {
    let started = load("log.retention.hours=100\nlog.segment.bytes=2097152\nlog.roll.ms=777777\n");
    let topic = describe_topic(&own(&[("retention.bytes", "5")]), &started);
    for (name, expected) in [
        ("cleanup.policy", "delete 5 [log.cleanup.policy=delete:5]"),
        ("retention.bytes", "5 1 [retention.bytes=5:1 log.retention.bytes=-1:5]"),
        ("retention.ms", "360000000 5 []"),
        ("segment.bytes", "2097152 4 [log.segment.bytes=2097152:4 log.segment.bytes=1073741824:5]"),
        ("segment.ms", "777777 4 [log.roll.ms=777777:4 log.roll.hours=168:5]"),
        ("segment.jitter.ms", "0 5 []"),
        ("flush.ms", "9223372036854775807 5 []"),
        ("file.delete.delay.ms", "60000 5 [log.segment.delete.delay.ms=60000:5]"),
        ("max.message.bytes", "1048588 5 [message.max.bytes=1048588:5]"),
        ("leader.replication.throttled.replicas", " 5 []"),
        ("min.cleanable.dirty.ratio", "0.5 5 [log.cleaner.min.cleanable.ratio=0.5:5]"),
    ] {
        assert_eq!(line(&topic, name), expected, "{name}");
    }
    assert_eq!(topic.len(), 33);

    let changed = started
        .with_dynamic(
            own(&[("log.retention.ms", "8000"), ("message.max.bytes", "2000000")]),
            own(&[("log.retention.ms", "7000"), ("log.cleanup.policy", "delete,compact")]),
        )
        .expect("good settings");
    let retention =
        "log.retention.ms=7000:2 log.retention.ms=8000:3 log.retention.hours=100:4 log.retention.hours=168:5";
    let topic = describe_topic(&own(&[("retention.ms", "1000")]), &changed);
    assert_eq!(line(&topic, "retention.ms"), format!("1000 1 [retention.ms=1000:1 {retention}]"));
    assert_eq!(
        line(&topic, "cleanup.policy"),
        "delete,compact 2 [log.cleanup.policy=delete,compact:2 log.cleanup.policy=delete:5]"
    );
    let topic = describe_topic(&BTreeMap::new(), &changed);
    assert_eq!(line(&topic, "retention.ms"), format!("7000 2 [{retention}]"));
    assert_eq!(
        line(&topic, "max.message.bytes"),
        "2000000 3 [message.max.bytes=2000000:3 message.max.bytes=1048588:5]"
    );
    let broker = describe_broker(&changed);
    assert_eq!(line(&broker, "log.retention.ms"), format!("7000 2 [{retention}]"));
    assert_eq!(line(&broker, "log.retention.minutes"), "null 5 []");
    assert_eq!(
        line(&broker, "log.retention.hours"),
        "100 4 [log.retention.hours=100:4 log.retention.hours=168:5]"
    );
    assert_eq!(
        line(&describe_broker_default(&changed), "log.retention.ms"),
        "8000 3 [log.retention.ms=8000:3]"
    );
    let group = describe_group(&own(&[("consumer.session.timeout.ms", "50000")]), &changed);
    assert_eq!(
        line(&group, "consumer.session.timeout.ms"),
        "50000 8 [consumer.session.timeout.ms=50000:8 group.consumer.session.timeout.ms=45000:5]"
    );
}

#[test]
fn a_password_is_never_shown() {
    let config = load("ssl.key.password=hush\nsasl.jaas.config=hush hush\n");
    let described = describe_broker(&config);
    let entry = described.iter().find(|entry| entry.name == "ssl.key.password").expect("described");
    assert!(entry.sensitive && entry.value.is_none() && entry.synonyms.iter().all(|s| s.value.is_none()));
    assert!(!format!("{described:?}").contains("hush"));
}

#[test]
fn operations_change_lists_as_kafka_does() {
    let broker = BrokerConfig::defaults();
    let step = |before: &BTreeMap<String, String>, kind, value| {
        let change = Change { name: "cleanup.policy", kind, value: Some(value) };
        apply(Target::Topic, before, &[change], &broker).expect("a good change")
    };
    let none = BTreeMap::new();
    let both = step(&none, ChangeKind::Append, "compact");
    assert_eq!(both, own(&[("cleanup.policy", "delete,compact")]));
    assert_eq!(step(&both, ChangeKind::Append, "compact"), both);
    let one = step(&both, ChangeKind::Subtract, "delete");
    assert_eq!(one, own(&[("cleanup.policy", "compact")]));
    assert_eq!(step(&one, ChangeKind::Subtract, "nosuch"), one);
    assert_eq!(step(&one, ChangeKind::Subtract, "compact"), own(&[("cleanup.policy", "")]));
    assert_eq!(step(&one, ChangeKind::Delete, ""), none);
    assert_eq!(step(&one, ChangeKind::Set, "delete"), own(&[("cleanup.policy", "delete")]));

    let refused = |changes: &[Change<'_>]| {
        apply(Target::Topic, &none, changes, &broker).expect_err("it must be refused").to_string()
    };
    let set = |value| Change { name: "retention.ms", kind: ChangeKind::Set, value };
    assert_eq!(refused(&[set(None)]), "Null value not supported for : retention.ms");
    assert_eq!(refused(&[set(Some("1")), set(Some("2"))]), "Error due to duplicate config keys");
    let append = Change { name: "retention.ms", kind: ChangeKind::Append, value: Some("5") };
    assert_eq!(refused(&[append]), "Can't APPEND to key retention.ms because its type is not LIST.");
}

#[test]
fn what_no_logger_can_take_is_refused_as_kafka_refuses_it() {
    let broker = BrokerConfig::defaults();
    let refused = |name, kind, value| {
        let changes = [Change { name, kind, value }];
        apply(Target::Loggers, &BTreeMap::new(), &changes, &broker).expect_err("refused")
    };
    for name in ["nosuch", ""] {
        let message = format!("Logger {name} does not exist!");
        assert_eq!(refused(name, ChangeKind::Set, Some("DEBUG")), AlterError::InvalidConfig(message));
    }
    for level in ["debug", "OFF", "LOUD", ""] {
        let AlterError::InvalidConfig(message) = refused("root", ChangeKind::Set, Some(level)) else {
            panic!("another error")
        };
        assert!(message.ends_with("Valid log levels are DEBUG, ERROR, FATAL, INFO, TRACE, WARN"));
    }
    for (kind, word) in [(ChangeKind::Append, "APPEND"), (ChangeKind::Subtract, "SUBTRACT")] {
        let message = format!("{word} operation is not allowed for the BROKER_LOGGER resource");
        assert_eq!(refused("root", kind, Some("DEBUG")), AlterError::InvalidRequest(message));
    }
    let message = "Removing the log level of the root logger is not allowed".to_owned();
    assert_eq!(refused("root", ChangeKind::Delete, None), AlterError::InvalidRequest(message));
    let set = [Change { name: "pagewire_log", kind: ChangeKind::Set, value: Some("TRACE") }];
    let next = apply(Target::Loggers, &BTreeMap::new(), &set, &broker).expect("a level");
    assert_eq!(next, own(&[("pagewire_log", "TRACE")]));
}
