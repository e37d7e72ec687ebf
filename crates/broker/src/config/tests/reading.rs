//! Facts about what is read: names, values, and which source wins.

use super::*;

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
    let data = std::env::current_dir().expect("a directory").join("pagewire-data");
    assert_eq!((config.node_id, config.data_dir()), (1, data.as_path()), "from the root on");
}

#[test]
fn a_mark_before_utf_8_is_passed_over_and_a_file_in_utf_16_is_refused_in_words() {
    let read = |bytes: &[u8]| {
        let mut sources = Sources::new();
        sources.add_file("server.properties", bytes);
        sources.finish()
    };
    let given = read(b"\xef\xbb\xbfnode.id=7\n").expect("read");
    assert_eq!(given["node.id"].value, "7");
    // Each ends inside of a character.
    for text in [&b"\xff\xfen\0o\0\xf1"[..], b"\xfe\xff\0n\0o\xd8", b"\xef\xbb\xbf\xff\xfen\0\xf1"] {
        let refused = read(text).expect_err("no text of ours").to_string();
        assert!(
            refused.contains("server.properties") && refused.contains("save it as plain text"),
            "{refused}"
        );
    }
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
    assert_eq!(config.data_dir().to_str(), Some("/tmp/kraft-combined-logs"));
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

#[test]
fn the_page_names_every_setting() {
    let page = markdown();
    for setting in broker_settings().filter(|setting| !setting.internal) {
        assert!(page.contains(&format!("`{}`", setting.name)), "{}", setting.name);
    }
}

#[test]
fn the_page_has_each_heading_once() {
    let page = markdown();
    let mut headings: Vec<_> = page.lines().filter(|line| line.starts_with("## ")).collect();
    let all = headings.len();
    headings.sort_unstable();
    headings.dedup();
    assert_eq!(headings.len(), all, "{headings:?}");
}

#[test]
fn thresholds_are_a_ladder_or_an_error_that_says_what_one_is() {
    let load = |text: &str| {
        let mut sources = Sources::new();
        sources.add_flag(&format!("pagewire.transfer.thresholds={text}"));
        BrokerConfig::load(sources)
    };
    let (config, _) = load("4096 copy, max splice").expect("a ladder");
    assert_eq!(config.transfer_thresholds, Some("4096 copy\nmax splice".parse().expect("a ladder")));
    assert_eq!(load("auto").expect("auto").0.transfer_thresholds, None);
    let error = load("much copy").expect_err("no ladder").to_string();
    assert!(error.contains("pagewire.transfer.thresholds") && error.contains("8192 copy"), "{error}");
}
