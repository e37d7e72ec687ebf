//! Settings: described with where they come from, changed while running, and in force at once.

use pagewire_wire::messages::{
    alter_configs_request::{self, AlterConfigsRequest},
    describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource},
    describe_configs_response::{DescribeConfigsResourceResult, DescribeConfigsResult},
    incremental_alter_configs_request::{
        AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
    },
    list_config_resources_request::ListConfigResourcesRequest,
    list_config_resources_response::ConfigResource,
};

use crate::harness::{Broker, Client, FetchAt, Fetched, batch, records_of};

pub(crate) const TOPIC: i8 = 2;
pub(crate) const BROKER: i8 = 4;
const LOGGER: i8 = 8;
pub(crate) const GROUP: i8 = 32;
pub(crate) const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

fn describe_all(client: &mut Client, kind: i8, name: &'static str) -> DescribeConfigsResult {
    let resource = DescribeConfigsResource {
        resource_type: kind,
        resource_name: name.into(),
        configuration_keys: None,
        ..Default::default()
    };
    let request = DescribeConfigsRequest {
        resources: vec![resource],
        include_synonyms: true,
        include_documentation: true,
        ..Default::default()
    };
    client.call(&request, 4).results.remove(0)
}

pub(crate) fn describe(
    client: &mut Client,
    kind: i8,
    name: &'static str,
    key: &str,
) -> DescribeConfigsResourceResult {
    let result = describe_all(client, kind, name);
    assert_eq!(result.error_code, 0, "{:?}", result.error_message);
    result.configs.into_iter().find(|config| config.name == key).unwrap()
}

/// Value, source, and the synonyms as name, value and source.
type Facts = (String, i8, Vec<(String, String, i8)>);

fn facts(client: &mut Client, kind: i8, name: &'static str, key: &str) -> Facts {
    let config = describe(client, kind, name, key);
    let text = |value: Option<pagewire_wire::Str>| value.map(String::from).unwrap_or_default();
    let synonyms = config.synonyms.into_iter().map(|s| (s.name.to_string(), text(s.value), s.source));
    (text(config.value), config.config_source, synonyms.collect())
}

pub(crate) fn change(
    client: &mut Client,
    (kind, name): (i8, &'static str),
    changes: &[(&'static str, i8, Option<&'static str>)],
    validate_only: bool,
) -> (i16, String) {
    let entry =
        |(name, config_operation, value): &(&'static str, i8, Option<&'static str>)| AlterableConfig {
            name: (*name).into(),
            config_operation: *config_operation,
            value: value.map(Into::into),
            ..Default::default()
        };
    let resource = AlterConfigsResource {
        resource_type: kind,
        resource_name: name.into(),
        configs: changes.iter().map(entry).collect(),
        ..Default::default()
    };
    let resources = vec![resource];
    let request = IncrementalAlterConfigsRequest { resources, validate_only, ..Default::default() };
    let result = client.call(&request, 1).responses.remove(0);
    (result.error_code, result.error_message.unwrap_or_default().to_string())
}

#[test]
fn a_topics_setting_tells_its_sources_under_their_own_names() {
    let broker = Broker::with(&[("message.max.bytes", "2000000")]);
    let mut client = broker.client();
    client.create_topic_with("t", 1, &[("max.message.bytes", "500")]);
    let expected = [
        ("max.message.bytes".to_owned(), "500".to_owned(), 1),
        ("message.max.bytes".to_owned(), "2000000".to_owned(), 4),
        ("message.max.bytes".to_owned(), "1048588".to_owned(), 5),
    ];
    assert_eq!(facts(&mut client, TOPIC, "t", "max.message.bytes"), ("500".into(), 1, expected.to_vec()));
    let (value, source, _) = facts(&mut client, TOPIC, "t", "segment.bytes");
    assert_eq!((value.as_str(), source), ("1073741824", 5));
    assert!(
        describe(&mut client, TOPIC, "t", "segment.bytes").documentation.is_some_and(|doc| !doc.is_empty())
    );
}

#[test]
fn a_changed_setting_of_a_topic_acts_at_once() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    let large = batch(&[&"x".repeat(1000)]);
    client.produce("t", 0, large.clone());
    assert_eq!(change(&mut client, (TOPIC, "t"), &[("max.message.bytes", SET, Some("500"))], true).0, 0);
    client.produce("t", 0, large.clone());
    assert_eq!(change(&mut client, (TOPIC, "t"), &[("max.message.bytes", SET, Some("500"))], false).0, 0);
    assert_eq!(client.try_produce("t", 0, large.clone(), 9).error_code, 10);
    assert_eq!(change(&mut client, (TOPIC, "t"), &[("max.message.bytes", DELETE, None)], false).0, 0);
    client.produce("t", 0, large);
    let append_time = [("message.timestamp.type", SET, Some("LogAppendTime"))];
    assert_eq!(change(&mut client, (TOPIC, "t"), &append_time, false).0, 0);
    let answer = client.try_produce("t", 0, batch(&["now"]), 9);
    assert!(answer.log_append_time_ms > 0);
}

#[test]
fn a_changed_setting_of_the_broker_acts_at_once_on_topics_without_their_own() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("plain", 1);
    client.create_topic_with("own", 1, &[("max.message.bytes", "5000")]);
    let large = batch(&[&"x".repeat(1000)]);
    for resource in ["1", ""] {
        let set = [("message.max.bytes", SET, Some("600"))];
        assert_eq!(change(&mut client, (BROKER, resource), &set, false), (0, String::new()));
        assert_eq!(client.try_produce("plain", 0, large.clone(), 9).error_code, 10);
        client.produce("own", 0, large.clone());
        let source = if resource == "1" { 2 } else { 3 };
        let (value, of, synonyms) = facts(&mut client, BROKER, "1", "message.max.bytes");
        assert_eq!((value.as_str(), of), ("600", source));
        assert_eq!(synonyms.iter().map(|s| s.2).collect::<Vec<_>>(), [source, 5]);
        let (value, of, _) = facts(&mut client, TOPIC, "plain", "max.message.bytes");
        assert_eq!((value.as_str(), of), ("600", source));
        assert_eq!(
            change(&mut client, (BROKER, resource), &[("message.max.bytes", DELETE, None)], false).0,
            0
        );
        client.produce("plain", 0, large.clone());
    }
}

#[test]
fn lists_are_added_to_and_taken_from() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    let append = [("cleanup.policy", APPEND, Some("compact"))];
    assert_eq!(change(&mut client, (TOPIC, "t"), &append, false).0, 0);
    assert_eq!(facts(&mut client, TOPIC, "t", "cleanup.policy").0, "delete,compact");
    let subtract = [("cleanup.policy", SUBTRACT, Some("delete"))];
    assert_eq!(change(&mut client, (TOPIC, "t"), &subtract, false).0, 0);
    assert_eq!(facts(&mut client, TOPIC, "t", "cleanup.policy").0, "compact");
    assert_ne!(change(&mut client, (TOPIC, "t"), &[("retention.ms", APPEND, Some("1"))], false).0, 0);
}

#[test]
fn changes_that_cannot_be_are_refused_and_change_nothing() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    let before = describe_all(&mut client, TOPIC, "t");
    let mut refused =
        |resource, name, value| change(&mut client, resource, &[(name, SET, Some(value))], false);
    assert_eq!(refused((TOPIC, "t"), "nosuch", "1"), (40, "Unknown topic config name: nosuch".into()));
    assert_eq!(refused((TOPIC, "t"), "segment.bytes", "7").0, 40);
    assert_eq!(refused((TOPIC, "nowhere"), "retention.ms", "1").0, 3);
    assert_eq!(refused((BROKER, "9"), "message.max.bytes", "1000").0, 42);
    assert_ne!(refused((BROKER, "1"), "log.dirs", "/elsewhere").0, 0, "not while running");
    assert_ne!(refused((BROKER, "1"), "message.max.bytes", "many").0, 0);
    assert_eq!(refused((77, "t"), "retention.ms", "1").0, 42);
    let twice = [("retention.ms", SET, Some("1")), ("retention.ms", SET, Some("2"))];
    assert_eq!(change(&mut client, (TOPIC, "t"), &twice, false).0, 42);
    let half = [("retention.ms", SET, Some("1")), ("nosuch", SET, Some("2"))];
    assert_eq!(change(&mut client, (TOPIC, "t"), &half, false).0, 40);
    assert_eq!(describe_all(&mut client, TOPIC, "t"), before);
}

#[test]
fn a_list_does_not_grow_beyond_what_an_answer_can_carry() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    let replicas: Vec<String> = (0..4000).map(|n| format!("{n}:1")).collect();
    let list: &'static str = replicas.join(",").leak();
    let more: &'static str = list.replace(":1", ":2").leak();
    let name = "leader.replication.throttled.replicas";
    assert_eq!(change(&mut client, (TOPIC, "t"), &[(name, APPEND, Some(list))], false), (0, String::new()));
    let (code, message) = change(&mut client, (TOPIC, "t"), &[(name, APPEND, Some(more))], false);
    assert_eq!(code, 40, "{message}");
    assert!(message.len() < 5000);
    assert_eq!(facts(&mut client, TOPIC, "t", name).0, list);
}

#[test]
fn a_refusal_of_something_long_is_answered_and_short() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    let long: &'static str = "ä".repeat(16_370).leak();
    for (name, value) in [("retention.ms", long), (long, "1")] {
        let (code, message) = change(&mut client, (TOPIC, "t"), &[(name, SET, Some(value))], false);
        assert_eq!(code, 40);
        assert!(message.len() < 5000);
    }
}

/// The topic `t`, with `retention.bytes` alone.
fn few_bytes() -> alter_configs_request::AlterConfigsResource {
    let entry = alter_configs_request::AlterableConfig {
        name: "retention.bytes".into(),
        value: Some("77".into()),
        ..Default::default()
    };
    alter_configs_request::AlterConfigsResource {
        resource_type: TOPIC,
        resource_name: "t".into(),
        configs: vec![entry],
        ..Default::default()
    }
}

#[test]
fn alter_configs_replaces_all_own_settings() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic_with("t", 1, &[("retention.ms", "5000"), ("max.message.bytes", "500")]);
    let request = AlterConfigsRequest { resources: vec![few_bytes()], ..Default::default() };
    assert_eq!(client.call(&request, 2).responses[0].error_code, 0);
    assert_eq!(facts(&mut client, TOPIC, "t", "retention.bytes").1, 1);
    assert_eq!(facts(&mut client, TOPIC, "t", "retention.ms").1, 5);
    client.produce("t", 0, batch(&[&"x".repeat(1000)]));
}

#[test]
fn a_resource_named_twice_is_refused_each_time_and_not_changed() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    let before = describe_all(&mut client, TOPIC, "t");
    let request = AlterConfigsRequest { resources: vec![few_bytes(); 2], ..Default::default() };
    let codes: Vec<i16> = client.call(&request, 2).responses.iter().map(|r| r.error_code).collect();
    assert_eq!(codes, [42, 42]);
    let resource = AlterConfigsResource {
        resource_type: TOPIC,
        resource_name: "t".into(),
        configs: vec![AlterableConfig {
            name: "retention.bytes".into(),
            config_operation: SET,
            value: Some("77".into()),
            ..Default::default()
        }],
        ..Default::default()
    };
    let request = IncrementalAlterConfigsRequest { resources: vec![resource; 2], ..Default::default() };
    let codes: Vec<i16> = client.call(&request, 1).responses.iter().map(|r| r.error_code).collect();
    assert_eq!(codes, [42, 42]);
    assert_eq!(describe_all(&mut client, TOPIC, "t"), before);
}

#[test]
fn settings_of_very_many_groups_cost_their_asker_the_connection() {
    let broker = Broker::start();
    let group = |n: i32| DescribeConfigsResource {
        resource_type: GROUP,
        resource_name: n.to_string().into(),
        ..Default::default()
    };
    let resources = (0..100_001).map(group).collect();
    let mut client = broker.client();
    client.send(&DescribeConfigsRequest { resources, ..Default::default() }, 4);
    assert!(client.is_closed());
    assert_eq!(describe_all(&mut broker.client(), GROUP, "g").error_code, 0);
}

#[test]
fn only_the_keys_asked_for_are_described() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    let resource = DescribeConfigsResource {
        resource_type: TOPIC,
        resource_name: "t".into(),
        configuration_keys: Some(vec!["retention.ms".into(), "nosuch".into()]),
        ..Default::default()
    };
    let answer = client.call(&DescribeConfigsRequest { resources: vec![resource], ..Default::default() }, 1);
    let configs = &answer.results[0].configs;
    assert_eq!(configs.iter().map(|config| config.name.as_str()).collect::<Vec<_>>(), ["retention.ms"]);
    assert_eq!(configs[0].synonyms, [], "not asked for");
}

#[test]
fn settings_of_what_does_not_exist_are_errors() {
    let broker = Broker::start();
    let mut client = broker.client();
    for (kind, name, code) in
        [(TOPIC, "nowhere", 3), (TOPIC, "a b", 17), (BROKER, "9", 42), (BROKER, "x", 42), (77, "", 42)]
    {
        let result = describe_all(&mut client, kind, name);
        assert_eq!((result.error_code, result.configs.len()), (code, 0), "{kind} {name}");
        assert!(result.error_message.is_some());
    }
}

#[test]
fn changed_settings_are_the_same_after_a_restart() {
    let mut broker = Broker::start();
    let mut client = broker.client();
    client.create_topic_with("t", 1, &[("retention.ms", "5000")]);
    change(&mut client, (TOPIC, "t"), &[("compression.type", SET, Some("gzip"))], false);
    change(&mut client, (BROKER, ""), &[("message.max.bytes", SET, Some("600"))], false);
    let before = describe_all(&mut client, TOPIC, "t");
    broker.restart();
    let mut client = broker.client();
    assert_eq!(describe_all(&mut client, TOPIC, "t"), before);
    assert_eq!(client.try_produce("t", 0, batch(&[&"x".repeat(1000)]), 9).error_code, 10);
    client.produce("t", 0, batch(&["short"]));
    let fetched = client.fetch(&FetchAt::now("t", &[(0, 0)]), 12).records();
    assert_eq!(records_of(&fetched).len(), 1);
    assert_eq!(fetched[22] & 7, 1, "gzip");
}

/// As Apache Kafka 4.3.1 takes them.
#[test]
fn a_policy_may_be_empty_and_names_nothing_twice() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic_with("none", 1, &[("cleanup.policy", "")]);
    assert_eq!(facts(&mut client, TOPIC, "none", "cleanup.policy").0, "");
    client.create_topic("t", 1);
    for (value, shown) in [("", ""), ("compact, delete", "compact,delete"), ("compact,compact", "compact")] {
        assert_eq!(change(&mut client, (TOPIC, "t"), &[("cleanup.policy", SET, Some(value))], false).0, 0);
        assert_eq!(facts(&mut client, TOPIC, "t", "cleanup.policy").0, shown);
        assert_eq!(
            change(&mut client, (BROKER, "1"), &[("log.cleanup.policy", SET, Some(value))], false).0,
            0
        );
        assert_eq!(facts(&mut client, BROKER, "1", "log.cleanup.policy").0, shown);
    }
    for value in ["[]", "[compact]", "delete,", ",", "COMPACT"] {
        assert_eq!(change(&mut client, (TOPIC, "t"), &[("cleanup.policy", SET, Some(value))], false).0, 40);
    }
}

#[test]
fn what_has_settings_is_listed_by_type() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("b", 1);
    client.create_topic("a", 1);
    let time = "consumer.heartbeat.interval.ms";
    for group in ["readers", "writers"] {
        assert_eq!(change(&mut client, (GROUP, group), &[(time, SET, Some("6000"))], false).0, 0);
    }
    assert_eq!(change(&mut client, (GROUP, "writers"), &[(time, DELETE, None)], false).0, 0);
    let mut list = |resource_types: &[i8], version| {
        let request =
            ListConfigResourcesRequest { resource_types: resource_types.to_vec(), ..Default::default() };
        let answer = client.call(&request, version);
        let one = |found: ConfigResource| (found.resource_type, found.resource_name.to_string());
        (answer.error_code, answer.config_resources.into_iter().map(one).collect::<Vec<_>>())
    };
    let named = |kind, names: &[&str]| names.iter().map(|name| (kind, (*name).to_owned())).collect();
    assert_eq!(list(&[TOPIC], 1), (0, named(TOPIC, &["a", "b"])));
    assert_eq!(list(&[BROKER], 1), (0, named(BROKER, &["1"])));
    assert_eq!(list(&[GROUP], 1), (0, named(GROUP, &["readers"])));
    assert_eq!(list(&[16], 1), (0, vec![]), "no client metrics");
    assert_eq!(list(&[], 1).1.len(), 5);
    assert_eq!(list(&[], 0), (0, vec![]), "of client metrics alone");
    assert_eq!(list(&[TOPIC, 3], 1), (35, vec![]));
}

#[test]
fn a_level_of_what_is_logged_is_shown_and_cannot_be_asked_for_nonsense() {
    let broker = Broker::start();
    let mut client = broker.client();
    let root = describe(&mut client, LOGGER, "1", "root");
    assert_eq!((root.config_source, root.is_sensitive), (6, false));
    assert!(root.value.is_some());
    for (name, kind, value, code) in [
        ("root", SET, Some("LOUD"), 40),
        ("nosuch", SET, Some("INFO"), 40),
        ("root", DELETE, None, 42),
        ("root", APPEND, Some("INFO"), 42),
        ("root", SUBTRACT, Some("INFO"), 42),
        // Nobody but the program around this broker changes what it logs.
        ("root", SET, Some("INFO"), 42),
    ] {
        assert_eq!(
            change(&mut client, (LOGGER, "1"), &[(name, kind, value)], false).0,
            code,
            "{name} {kind}"
        );
    }
    let set = [("root", SET, Some("INFO"))];
    assert_eq!(change(&mut client, (LOGGER, "9"), &set, false).0, 42);
    assert_eq!(change(&mut client, (LOGGER, ""), &set, false).0, 42);
}
