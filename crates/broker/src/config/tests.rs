//! Facts about settings as a whole.

use std::collections::BTreeMap;

use super::*;

fn sources(file: &str) -> Sources {
    let mut sources = Sources::new();
    sources.add_file("server.properties", file.as_bytes());
    sources
}

fn load(file: &str) -> BrokerConfig {
    BrokerConfig::load(sources(file)).expect("good settings").0
}

fn refusal(file: &str) -> String {
    BrokerConfig::load(sources(file)).expect_err("it must be refused").to_string()
}

fn own(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// `server.properties` as Kafka 4.3.1 ships it, without its comments.
const SHIPPED: &str = "\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=localhost:9093
listeners=PLAINTEXT://:9092,CONTROLLER://:9093
inter.broker.listener.name=PLAINTEXT
advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL
num.network.threads=3
num.io.threads=8
socket.send.buffer.bytes=102400
socket.receive.buffer.bytes=102400
socket.request.max.bytes=104857600
log.dirs=/tmp/kraft-combined-logs
num.partitions=1
num.recovery.threads.per.data.dir=2
offsets.topic.replication.factor=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
log.retention.hours=168
log.segment.bytes=1073741824
log.retention.check.interval.ms=300000
";

#[test]
fn every_default_is_a_good_value_and_they_fit_together() {
    let rows = broker_settings().chain(TOPIC.iter().map(|row| &row.setting)).chain(GROUP);
    for setting in rows {
        if let Some(default) = setting.default {
            let value = parse(setting, default).expect(setting.name);
            assert_eq!(value.to_text(), default, "{} in its own words", setting.name);
        }
        assert!(!setting.documentation().is_empty(), "{}", setting.name);
    }
    let config = BrokerConfig::defaults();
    assert_eq!(config.listeners[0].address, "127.0.0.1:9092".parse().expect("an address"));
    assert_eq!((config.node_id, config.log_dir.to_str()), (1, Some("./pagewire-data")));
}

#[test]
fn every_name_stands_in_its_table_once() {
    let mut names: Vec<&str> = broker_settings().map(|setting| setting.name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    for row in TOPIC {
        for (name, _) in row.broker {
            assert!(broker_setting(name).is_some(), "{name}");
        }
    }
}

#[test]
fn the_file_that_kafka_ships_is_accepted_as_it_is() {
    let (config, notices) = BrokerConfig::load(sources(SHIPPED)).expect("good settings");
    assert_eq!(config.listeners[0].address, "[::]:9092".parse().expect("an address"));
    assert_eq!(config.advertised, BTreeMap::from([("PLAINTEXT".to_owned(), ("localhost".to_owned(), 9092))]));
    assert_eq!(config.log_dir.to_str(), Some("/tmp/kraft-combined-logs"));
    let text = notices.join("\n");
    for name in ["num.io.threads", "controller.quorum.bootstrap.servers", "offsets.topic.replication.factor"]
    {
        assert_eq!(text.matches(name).count(), 1, "{name} is named once in {text}");
    }
    assert!(!text.contains("log.segment.bytes"));
}

#[test]
fn every_key_of_kafka_is_accepted_with_its_default() {
    for setting in broker_settings() {
        if let Some(default) = setting.default {
            let mut sources = Sources::new();
            sources.add(setting.name, default, Origin::Flag);
            assert!(sources.finish().is_ok(), "{}", setting.name);
        }
    }
    let plugin =
        "listener.name.sasl_ssl.plain.sasl.jaas.config=x\nrsm.config.bucket=b\nzookeeper.connect=h:2181\n";
    let (_, notices) = BrokerConfig::load(sources(plugin)).expect("accepted");
    assert!(notices.join("\n").contains("zookeeper.connect"));
}

#[test]
fn a_misspelt_key_is_an_error_with_place_and_nearest_name() {
    let error = refusal("# a comment\nnum.partitions=3\nlog.segmnt.bytes=1\nentirely.different=1\n");
    assert_eq!(
        error,
        "server.properties, line 3: unknown setting log.segmnt.bytes; did you mean log.segment.bytes?\n\
         server.properties, line 4: unknown setting entirely.different"
    );
}

#[test]
fn a_bad_value_says_key_value_expectation_and_place() {
    let mut bad = sources("num.partitions=0\n");
    bad.add_environment([("PAGEWIRE_LOG_SEGMENT_BYTES".to_owned(), "1".to_owned())]);
    bad.add_flag("log.retention.ms=soon");
    bad.add_flag("nonsense");
    assert_eq!(
        BrokerConfig::load(bad).expect_err("refused").to_string(),
        "server.properties, line 1: Invalid value 0 for configuration num.partitions: Value must be at least 1\n\
         environment variable PAGEWIRE_LOG_SEGMENT_BYTES: Invalid value 1 for configuration log.segment.bytes: Value \
         must be at least 1048576\n\
         command line: Invalid value soon for configuration log.retention.ms: Not a number of type LONG\n\
         command line: \"nonsense\" is not KEY=VALUE"
    );
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let mut layered = sources("num.partitions=2\nlog.segment.bytes=2000000\nmessage.max.bytes=5\n");
    layered.add_environment([
        ("PAGEWIRE_NUM_PARTITIONS".to_owned(), "3".to_owned()),
        ("PAGEWIRE_LOG_SEGMENT_BYTES".to_owned(), "3000000".to_owned()),
        ("PAGEWIRE_TRANSFER_ROUTE".to_owned(), "copy".to_owned()),
        ("PAGEWIRE_BOOTSTRAP".to_owned(), "elsewhere:9092".to_owned()),
        ("PAGEWIRE_PORT".to_owned(), "tcp://10.0.0.1:9092".to_owned()),
        ("PAGEWIRE_OF_SOMEBODY_ELSE".to_owned(), "1".to_owned()),
        ("HOME".to_owned(), "/root".to_owned()),
    ]);
    layered.add_flag("num.partitions=4");
    let (config, notices) = BrokerConfig::load(layered).expect("good settings");
    let topic = TopicConfig::resolve(&BTreeMap::new(), &config);
    assert_eq!((config.num_partitions, topic.segment_bytes, topic.max_message_bytes), (4, 3_000_000, 5));
    assert_eq!(config.transfer_route, Some(pagewire_zcopy::Route::Copy));
    assert_eq!(notices, ["environment variables that are no settings: PAGEWIRE_OF_SOMEBODY_ELSE"]);
}

#[test]
fn a_misspelt_variable_is_an_error_as_a_misspelt_key_is() {
    for (variable, meant) in [
        ("PAGEWIRE_LOG_SEGMENT_BYTE", "PAGEWIRE_LOG_SEGMENT_BYTES"),
        ("PAGEWIRE_DATADIR", "PAGEWIRE_DATA_DIR"),
        ("PAGEWIRE_NUM_PARTITION", "PAGEWIRE_NUM_PARTITIONS"),
    ] {
        let mut sources = Sources::new();
        sources.add_environment([(variable.to_owned(), "1".to_owned())]);
        let error = BrokerConfig::load(sources).expect_err("refused").to_string();
        assert_eq!(error, format!("environment variable {variable} is no setting; did you mean {meant}?"));
    }
}

/// The sentences are Apache Kafka 4.3.1's.
#[test]
fn a_time_that_keeps_or_rolls_nothing_is_refused_at_the_start_and_while_running() {
    let roll = "log.roll.ms must be greater than or equal to 1";
    let jitter = "log.roll.jitter.ms must be greater than or equal to 0";
    let retention = "log.retention.ms must be unlimited (-1) or, greater than or equal to 1";
    for (file, sentence) in [
        ("log.roll.ms=0", roll),
        ("log.roll.ms=-5", roll),
        ("log.roll.jitter.ms=-5", jitter),
        ("log.retention.ms=0", retention),
        ("log.retention.minutes=0", retention),
        ("log.retention.hours=0", retention),
    ] {
        assert_eq!(refusal(file), format!("server.properties, line 1: {sentence}"));
    }
    load("log.retention.ms=5\nlog.retention.hours=0");
    load("log.retention.hours=-1\nlog.roll.ms=1\nlog.roll.jitter.ms=0");
    for (name, value, sentence) in [
        ("log.roll.ms", "0", roll),
        ("log.roll.jitter.ms", "-5", jitter),
        ("log.retention.ms", "0", retention),
    ] {
        let changed = own(&[(name, value)]);
        let started = load("log.retention.ms=5\nlog.roll.ms=5\nlog.roll.jitter.ms=5");
        for (all, this) in [(changed.clone(), own(&[])), (own(&[]), changed)] {
            let error = started.with_dynamic(all, this).expect_err("refused").to_string();
            assert_eq!(error, sentence);
        }
    }
}

#[test]
fn nobody_is_locked_out_for_good() {
    let sentence =
        "max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides property is set.";
    assert!(refusal("max.connections.per.ip=0").ends_with(sentence));
    let started = load("max.connections.per.ip.overrides=127.0.0.1:5\n");
    let with = |changes: &[(&str, &str)]| {
        started.with_dynamic(own(&[]), own(changes)).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(with(&[("max.connections.per.ip", "0")]), Ok(()));
    let both = [("max.connections.per.ip", "0"), ("max.connections.per.ip.overrides", "")];
    assert_eq!(with(&both), Err(sentence.to_owned()));
    assert_eq!(with(&[("max.connections", "0")]), Err("Invalid max.connections 0".to_owned()));
    assert_eq!(with(&[("max.connections", "1")]), Ok(()));
}

#[test]
fn a_name_among_the_overrides_is_looked_up_once_and_one_that_is_unknown_is_only_told() {
    let file = "max.connections.per.ip.overrides=localhost:5,no-such-host.invalid:6,10.0.0.1:7";
    let (config, notices) = BrokerConfig::load(sources(file)).expect("good settings");
    let limit = |config: &BrokerConfig, address: &str| {
        let address = address.parse().expect("an address");
        config.max_connections_per_ip_overrides.get(&address).copied()
    };
    assert_eq!((limit(&config, "127.0.0.1"), limit(&config, "10.0.0.1")), (Some(5), Some(7)));
    assert_eq!(
        notices,
        [
            "max.connections.per.ip.overrides: no-such-host.invalid has no address, so its limit is of no effect"
        ]
    );
    let change =
        |overrides| config.with_dynamic(own(&[]), own(&[("max.connections.per.ip.overrides", overrides)]));
    let changed = change("localhost:8").expect("a name that was looked up");
    assert_eq!(limit(&changed, "127.0.0.1"), Some(8));
    let error = change("elsewhere.invalid:8").expect_err("a name nobody looked up").to_string();
    assert!(error.contains("write its address"), "{error}");
    let stored = own(&[("max.connections.per.ip.overrides", "elsewhere.invalid:8")]);
    let (_, notices) = config.with_stored(own(&[]), stored).expect("a start looks it up");
    assert!(notices.len() == 1 && notices[0].contains("elsewhere.invalid"), "{notices:?}");
}

#[test]
fn each_listener_advertises_its_own_address() {
    let config = load(
        "listeners=INSIDE://:29092,OUTSIDE://:9092,LOCAL://127.0.0.1:9093\n\
         listener.security.protocol.map=INSIDE:PLAINTEXT,OUTSIDE:PLAINTEXT,LOCAL:PLAINTEXT\n\
         advertised.listeners=INSIDE://broker:29092,OUTSIDE://localhost:9092\n",
    );
    let names: Vec<&str> = config.listeners.iter().map(|endpoint| &*endpoint.name).collect();
    assert_eq!(names, ["INSIDE", "OUTSIDE", "LOCAL"]);
    assert_eq!(config.listeners[0].address, "[::]:29092".parse().expect("every interface"));
    let advertised = |name| config.advertised.get(name).map(|(host, port)| format!("{host}:{port}"));
    assert_eq!(advertised("INSIDE").as_deref(), Some("broker:29092"));
    assert_eq!(advertised("OUTSIDE").as_deref(), Some("localhost:9092"));
    assert_eq!(advertised("LOCAL"), None);
}

#[test]
fn a_flag_that_says_where_to_listen_wins_over_a_file_that_advertises_loopback() {
    let moved = |advertised: &str, listeners: &str| {
        let mut sources = sources(&format!("advertised.listeners={advertised}\n"));
        sources.add("listeners", listeners, Origin::Flag);
        let (config, notices) = BrokerConfig::load(sources).expect("good settings");
        let told = config.advertised.get("PLAINTEXT").map(|(host, port)| format!("{host}:{port}"));
        (told.unwrap_or_default(), notices.join("\n"))
    };
    let (told, notices) = moved("PLAINTEXT://localhost:9092", "PLAINTEXT://127.0.0.1:19092");
    assert_eq!(told, "");
    assert_eq!(
        notices,
        "server.properties, line 1: PLAINTEXT://localhost:9092 is not told to clients, because the listeners were \
         chosen over the file's"
    );
    let (told, notices) = moved("PLAINTEXT://kafka.example:9092", "PLAINTEXT://0.0.0.0:19092");
    assert_eq!(told, "kafka.example:9092");
    assert!(notices.contains("clients are told to come to PLAINTEXT://kafka.example:9092"), "{notices}");
    assert_eq!(moved("PLAINTEXT://localhost:9092", "PLAINTEXT://0.0.0.0:9092").0, "localhost:9092");
    assert_eq!(moved("INSIDE://kafka.example:9092", "PLAINTEXT://0.0.0.0:9092").0, "");
}

#[test]
fn the_finest_unit_of_retention_wins() {
    let retention_ms = |file: &str| TopicConfig::resolve(&BTreeMap::new(), &load(file)).retention_ms;
    assert_eq!(retention_ms(""), 604_800_000);
    assert_eq!(retention_ms("log.retention.hours=1"), 3_600_000);
    assert_eq!(retention_ms("log.retention.hours=1\nlog.retention.minutes=2"), 120_000);
    assert_eq!(retention_ms("log.retention.hours=1\nlog.retention.minutes=2\nlog.retention.ms=3"), 3);
    assert_eq!(retention_ms("log.retention.hours=-1"), -1);
    let segment_ms = |file: &str| TopicConfig::resolve(&BTreeMap::new(), &load(file)).segment_ms;
    assert_eq!(segment_ms("log.roll.hours=2"), 7_200_000);
    assert_eq!(segment_ms("log.roll.hours=2\nlog.roll.ms=5"), 5);
    let flush_ms = |file: &str| TopicConfig::resolve(&BTreeMap::new(), &load(file)).flush_every_ms();
    assert_eq!(flush_ms(""), None);
    assert_eq!(flush_ms("log.flush.interval.ms=1000"), Some(1000));
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    for (file, word) in [
        ("node.id=1\nbroker.id=2", "node.id"),
        ("listeners=PLAINTEXT://:9092,PLAINTEXT://:9093", "different name"),
        ("listeners=SSL://:9093", "only PLAINTEXT"),
        ("listeners=INSIDE://:9093", "no security protocol"),
        ("listeners=CONTROLLER://:1\ncontroller.listener.names=CONTROLLER", "no listener for clients"),
        ("advertised.listeners=PLAINTEXT://0.0.0.0:9092", "no address"),
        ("advertised.listeners=OTHER://host:9092", "not among"),
        ("log.dirs=/a,/b", "2 directories"),
        ("max.connections.per.ip.overrides=127.0.0.1", "HOST:COUNT"),
        ("group.min.session.timeout.ms=10\ngroup.max.session.timeout.ms=5", "group.max.session.timeout.ms"),
    ] {
        let error = refusal(file);
        assert!(error.contains(word) && error.contains("server.properties, line"), "{file}: {error}");
    }
    assert_eq!(load("broker.id=7").node_id, 7);
    assert_eq!(load("node.id=0").node_id, 0);
    let overrides =
        load("max.connections.per.ip.overrides=127.0.0.1:5,[::1]:6").max_connections_per_ip_overrides;
    assert_eq!(overrides.get(&"::1".parse().expect("an address")), Some(&6));
}

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
fn only_dynamic_broker_settings_change_while_running() {
    let none = BTreeMap::new();
    let check = |target, after: &[(&str, &str)]| {
        validate_broker(target, &none, &own(after)).map_err(|error| error.to_string())
    };
    assert_eq!(check(Target::Broker, &[("log.retention.ms", "7000")]), Ok(()));
    for (name, value, expected) in [
        ("num.partitions", "3", "Cannot update these configs dynamically: [num.partitions]"),
        ("log.retention.hours", "1", "Cannot update these configs dynamically: [log.retention.hours]"),
        ("node.id", "4", "Cannot update these configs dynamically: [node.id]"),
        (
            "log.segment.bytes",
            "1",
            "Invalid value 1 for configuration log.segment.bytes: Value must be at least 1048576",
        ),
        (
            "ssl.key.password",
            "x",
            "These security configs can be dynamically updated only per-listener using the listener prefix: \
             [ssl.key.password]",
        ),
        (
            "log.retension.ms",
            "1",
            "Unknown broker config name: log.retension.ms; did you mean log.retention.ms?",
        ),
    ] {
        assert_eq!(check(Target::Broker, &[(name, value)]), Err(expected.to_owned()));
    }
    assert_eq!(
        check(Target::BrokerDefault, &[("principal.builder.class", "x")]),
        Err("Cannot update these configs at default cluster level, broker id must be specified: \
             [principal.builder.class]"
            .to_owned())
    );
    let config = BrokerConfig::defaults();
    for (name, value, expected) in [
        ("nosuch", "5", "Unknown group config name: nosuch"),
        (
            "consumer.session.timeout.ms",
            "1",
            "consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms",
        ),
    ] {
        let refused = validate_group(&own(&[(name, value)]), &config).map_err(|error| error.to_string());
        assert_eq!(refused, Err(expected.to_owned()));
    }
}

#[test]
fn the_page_names_every_setting() {
    let page = markdown();
    for setting in broker_settings().filter(|setting| !setting.internal) {
        assert!(page.contains(&format!("`{}`", setting.name)), "{}", setting.name);
    }
}
