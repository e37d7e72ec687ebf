//! Facts about values that are refused, at the start and while the broker runs.

use super::*;
use pagewire_coordinate::Assignor;

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
        ("max.connections.per.ip.overrides=127.0.0.1", "HOST:COUNT"),
        (
            "group.coordinator.rebalance.protocols=consumer",
            "Disabling the 'classic' protocol is not supported.",
        ),
        ("group.min.session.timeout.ms=10\ngroup.max.session.timeout.ms=5", "group.max.session.timeout.ms"),
        (
            "group.consumer.min.session.timeout.ms=15000\ngroup.consumer.session.timeout.ms=15000\n\
             group.consumer.heartbeat.interval.ms=15000",
            "not less than group.consumer.session.timeout.ms",
        ),
        ("group.consumer.assignors=", "group.consumer.assignors must not be empty"),
        (
            "log.dirs=/a,/b\ncordoned.log.dirs=/b,/c",
            "must be present in log.dirs or log.dir. Missing entries : /c",
        ),
    ] {
        let error = refusal(file);
        assert!(error.contains(word) && error.contains("server.properties, line"), "{file}: {error}");
    }
    let classes = "org.apache.kafka.coordinator.group.assignor.RangeAssignor,uniform";
    let groups = load(&format!("group.consumer.assignors={classes}")).consumer_groups;
    assert_eq!(groups.for_machine().assignors, [Assignor::Range, Assignor::Uniform]);
    assert_eq!(load("broker.id=7").node_id, 7);
    assert_eq!(load("node.id=0").node_id, 0);
    let overrides =
        load("max.connections.per.ip.overrides=127.0.0.1:5,[::1]:6").max_connections_per_ip_overrides;
    assert_eq!(overrides.get(&"::1".parse().expect("an address")), Some(&6));
}

#[test]
fn a_cordoned_directory_that_is_taken_away_costs_no_other_setting() {
    let stored =
        own(&[("cordoned.log.dirs", "/a,/b"), ("replica.alter.log.dirs.io.max.bytes.per.second", "7")]);
    let (config, notices) = load("log.dirs=/a").with_stored(BTreeMap::new(), stored).expect("it starts");
    assert_eq!(
        (config.cordoned_log_dirs, config.alter_log_dirs_max_bytes_per_second),
        (vec!["/a".into()], 7)
    );
    assert!(notices.iter().any(|notice| notice.ends_with("Missing entries : /b")), "{notices:?}");
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

/// The sentence about memory is Apache Kafka 4.3.1's; for no thread it says `/ by zero`.
#[test]
fn compaction_has_a_thread_and_each_thread_memory() {
    let memory = "log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.";
    let thread = "log.cleaner.threads must be at least 1 while log.cleaner.enable is true.";
    for (file, sentence) in [
        ("log.cleaner.threads=0", thread),
        ("log.cleaner.dedupe.buffer.size=1048576", memory),
        ("log.cleaner.dedupe.buffer.size=-5", memory),
    ] {
        assert_eq!(refusal(file), format!("server.properties, line 1: {sentence}"));
        load(&format!("{file}\nlog.cleaner.enable=false"));
    }
    load("log.cleaner.dedupe.buffer.size=1048577");
    let started = load("log.cleaner.dedupe.buffer.size=3000000");
    let two = started.with_dynamic(own(&[("log.cleaner.threads", "2")]), own(&[])).expect("enough for two");
    assert_eq!(two.cleaner.limits().map_bytes, 1_500_000);
    let three = started.with_dynamic(own(&[("log.cleaner.threads", "3")]), own(&[]));
    assert!(three.expect_err("not for three").to_string().ends_with(memory));
}

#[test]
fn a_rate_of_compaction_is_a_whole_number_of_bytes_or_none() {
    let rate = |text: &str| {
        load(&format!("log.cleaner.io.max.bytes.per.second={text}")).cleaner.io_max_bytes_per_second
    };
    assert_eq!(load("").cleaner.io_max_bytes_per_second, u64::MAX);
    assert_eq!((rate("1048576.7"), rate("0"), rate("-1"), rate("1e300")), (1_048_576, 0, 0, u64::MAX));
}

/// Those of a group that sets one of them alone, too. The sentences are Apache Kafka 4.3.1's.
#[test]
fn a_session_of_a_group_is_longer_than_its_heartbeat_interval() {
    let config = load(
        "group.consumer.min.session.timeout.ms=1000\ngroup.consumer.min.heartbeat.interval.ms=100\n\
         group.share.min.session.timeout.ms=1000\ngroup.share.min.heartbeat.interval.ms=100",
    );
    let (session, heartbeat) = ("consumer.session.timeout.ms", "consumer.heartbeat.interval.ms");
    let refused = Err(AlterError::InvalidConfig(format!("{session} must be greater than {heartbeat}")));
    for (settings, expected) in [
        (vec![(session, "2000")], refused.clone()),
        (vec![(session, "2000"), (heartbeat, "2000")], refused),
        (vec![(session, "2001"), (heartbeat, "2000")], Ok(())),
        (vec![(session, "5001")], Ok(())),
        (
            vec![("share.session.timeout.ms", "2000")],
            Err(AlterError::InvalidConfig(
                "share.session.timeout.ms must be greater than share.heartbeat.interval.ms".to_owned(),
            )),
        ),
    ] {
        assert_eq!(validate_group(&own(&settings), &config), expected, "{settings:?}");
    }
}
