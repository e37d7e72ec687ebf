//! Topics and settings through the protocol: what tools rely on, and what a restart must not lose.
//!
//! Error texts are those of Apache Kafka 4.3.1.

mod support;

use pagewire_wire::messages::{
    alter_configs_request::{self, AlterConfigsRequest},
    create_topics_request::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest},
    delete_topics_request::{DeleteTopicState, DeleteTopicsRequest},
    describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource},
    incremental_alter_configs_request::{
        AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
    },
    metadata_request::{MetadataRequest, MetadataRequestTopic},
};
use pagewire_wire::{ErrorCode, Uuid};
use support::{Broker, Client};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const GROUP: i8 = 32;
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;

/// Names and values.
type Configs = &'static [(&'static str, &'static str)];

/// A code and its message, as one line.
fn outcome(code: i16, message: Option<&str>) -> String {
    let name = ErrorCode::from_code(code).map_or("?", ErrorCode::name);
    format!("{name} {}", message.unwrap_or_default()).trim_end().to_owned()
}

async fn create(
    client: &mut Client,
    name: &str,
    configs: &[(&str, &str)],
    validate_only: bool,
) -> (String, Uuid) {
    let configs = configs.iter().map(|(name, value)| CreatableTopicConfig {
        name: (*name).to_owned().into(),
        value: Some((*value).to_owned().into()),
    });
    let topic = CreatableTopic {
        name: name.to_owned().into(),
        num_partitions: 2,
        replication_factor: 1,
        configs: configs.collect(),
        ..CreatableTopic::default()
    };
    let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 1000, validate_only };
    let answer = client.call(&request, 7).await.topics.remove(0);
    (outcome(answer.error_code, answer.error_message.as_deref()), answer.topic_id)
}

async fn delete(client: &mut Client, name: &str) -> String {
    let topic = DeleteTopicState { name: Some(name.to_owned().into()), ..DeleteTopicState::default() };
    let request =
        DeleteTopicsRequest { topics: vec![topic], timeout_ms: 1000, ..DeleteTopicsRequest::default() };
    let answer = client.call(&request, 6).await.responses.remove(0);
    outcome(answer.error_code, answer.error_message.as_deref())
}

/// Error, id and number of partitions as Metadata shows them.
async fn look_up(client: &mut Client, name: &str, may_create: bool) -> (String, Uuid, usize) {
    let topic =
        MetadataRequestTopic { name: Some(name.to_owned().into()), ..MetadataRequestTopic::default() };
    let request = MetadataRequest {
        topics: Some(vec![topic]),
        allow_auto_topic_creation: may_create,
        ..MetadataRequest::default()
    };
    let answer = client.call(&request, 13).await.topics.remove(0);
    (outcome(answer.error_code, None), answer.topic_id, answer.partitions.len())
}

async fn alter(
    client: &mut Client,
    kind: i8,
    resource: &str,
    change: (i8, &str, &str),
    validate_only: bool,
) -> String {
    let (config_operation, name, value) = change;
    let config = AlterableConfig {
        name: name.to_owned().into(),
        config_operation,
        value: Some(value.to_owned().into()),
    };
    let resource = AlterConfigsResource {
        resource_type: kind,
        resource_name: resource.to_owned().into(),
        configs: vec![config],
    };
    let request = IncrementalAlterConfigsRequest { resources: vec![resource], validate_only };
    let answer = client.call(&request, 1).await.responses.remove(0);
    outcome(answer.error_code, answer.error_message.as_deref())
}

/// A setting's value and the code of its source.
async fn shown(client: &mut Client, kind: i8, resource: &str, name: &str) -> String {
    let resource = DescribeConfigsResource {
        resource_type: kind,
        resource_name: resource.to_owned().into(),
        configuration_keys: Some(vec![name.to_owned().into()]),
    };
    let request = DescribeConfigsRequest {
        resources: vec![resource],
        include_synonyms: true,
        include_documentation: true,
    };
    let mut result = client.call(&request, 4).await.results.remove(0);
    if result.error_code != 0 {
        return outcome(result.error_code, result.error_message.as_deref());
    }
    let entry = result.configs.remove(0);
    assert!(entry.documentation.is_some_and(|text| !text.is_empty()));
    format!("{} {}", entry.value.as_deref().unwrap_or("null"), entry.config_source)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_ids_and_settings_survive_a_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    let broker = Broker::start(dir.path(), &[]).await;
    let mut client = broker.client().await;
    let (created, id) = create(&mut client, "orders", &[("retention.ms", "1000")], false).await;
    assert_eq!(created, "NONE");
    assert_ne!(id, Uuid::default());
    assert_eq!(alter(&mut client, TOPIC, "orders", (SET, "segment.bytes", "2000000"), false).await, "NONE");
    assert_eq!(alter(&mut client, BROKER, "", (SET, "message.max.bytes", "2000000"), false).await, "NONE");
    assert_eq!(alter(&mut client, BROKER, "1", (SET, "log.retention.bytes", "77"), false).await, "NONE");
    assert_eq!(
        alter(&mut client, GROUP, "g", (SET, "consumer.session.timeout.ms", "50000"), false).await,
        "NONE"
    );
    broker.stop().await;

    let broker = Broker::start(dir.path(), &[("log.index.interval.bytes", "100")]).await;
    let mut client = broker.client().await;
    assert_eq!(look_up(&mut client, "orders", false).await, ("NONE".to_owned(), id, 2));
    for (kind, resource, name, expected) in [
        (TOPIC, "orders", "retention.ms", "1000 1"),
        (TOPIC, "orders", "segment.bytes", "2000000 1"),
        (TOPIC, "orders", "max.message.bytes", "2000000 3"),
        (TOPIC, "orders", "retention.bytes", "77 2"),
        (TOPIC, "orders", "index.interval.bytes", "100 4"),
        (TOPIC, "orders", "flush.messages", "9223372036854775807 5"),
        (BROKER, "1", "log.retention.bytes", "77 2"),
        (BROKER, "", "message.max.bytes", "2000000 3"),
        (GROUP, "g", "consumer.session.timeout.ms", "50000 8"),
    ] {
        assert_eq!(shown(&mut client, kind, resource, name).await, expected, "{name}");
    }
    broker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_re_created_topic_is_another_topic() {
    let dir = tempfile::tempdir().expect("a directory");
    let broker = Broker::start(dir.path(), &[]).await;
    let mut client = broker.client().await;
    let (_, first) = create(&mut client, "orders", &[], false).await;
    assert_eq!(delete(&mut client, "orders").await, "NONE");
    assert_eq!(look_up(&mut client, "orders", false).await.0, "UNKNOWN_TOPIC_OR_PARTITION");
    let (created, second) = create(&mut client, "orders", &[], false).await;
    assert_eq!(created, "NONE");
    assert_ne!(first, second);
    assert_eq!(look_up(&mut client, "orders", false).await, ("NONE".to_owned(), second, 2));
    broker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_a_topic_is_said_in_kafkas_words() {
    let dir = tempfile::tempdir().expect("a directory");
    let broker = Broker::start(dir.path(), &[]).await;
    let mut client = broker.client().await;
    assert_eq!(create(&mut client, "a.b", &[], false).await.0, "NONE");
    let cases: &[(&str, Configs, &str)] = &[
        ("a.b", &[], "TOPIC_ALREADY_EXISTS Topic 'a.b' already exists."),
        ("a_b", &[], "INVALID_TOPIC_EXCEPTION Topic 'a_b' collides with existing topic: a.b"),
        ("..", &[], "INVALID_TOPIC_EXCEPTION Topic name is invalid: '..' is not allowed"),
        ("x", &[("nosuch", "1")], "INVALID_CONFIG Unknown topic config name: nosuch"),
        (
            "x",
            &[("segment.bytes", "1")],
            "INVALID_CONFIG Invalid value 1 for configuration segment.bytes: Value must be at least 1048576",
        ),
    ];
    for (name, configs, expected) in cases {
        let (refused, _) = create(&mut client, name, configs, false).await;
        assert!(refused.starts_with(expected), "{refused}");
        assert_eq!(
            create(&mut client, name, configs, true).await.0,
            refused,
            "the same when only validating"
        );
    }
    assert_eq!(create(&mut client, "x", &[], true).await.0, "NONE");
    assert_eq!(
        look_up(&mut client, "x", false).await.0,
        "UNKNOWN_TOPIC_OR_PARTITION",
        "it was only validated"
    );
    assert_eq!(look_up(&mut client, "bad name", true).await.0, "INVALID_TOPIC_EXCEPTION");
    assert_eq!(
        delete(&mut client, "nosuch").await,
        "UNKNOWN_TOPIC_OR_PARTITION This server does not host this topic-partition."
    );
    broker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_creates_a_topic_only_where_broker_and_client_allow_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let broker = Broker::start(dir.path(), &[("num.partitions", "3")]).await;
    let mut client = broker.client().await;
    assert_eq!(look_up(&mut client, "wished", false).await.0, "UNKNOWN_TOPIC_OR_PARTITION");
    look_up(&mut client, "wished", true).await;
    assert_eq!(look_up(&mut client, "wished", false).await.2, 3);
    broker.stop().await;
    let broker = Broker::start(dir.path(), &[("auto.create.topics.enable", "false")]).await;
    let mut client = broker.client().await;
    assert_eq!(look_up(&mut client, "refused", true).await.0, "UNKNOWN_TOPIC_OR_PARTITION");
    broker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_changes_of_settings_change_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let broker = Broker::start(dir.path(), &[]).await;
    let mut client = broker.client().await;
    create(&mut client, "orders", &[], false).await;
    for (kind, resource, change, expected) in [
        (
            TOPIC,
            "nosuch",
            (SET, "retention.ms", "1"),
            "UNKNOWN_TOPIC_OR_PARTITION The topic 'nosuch' does not exist.",
        ),
        (TOPIC, "", (SET, "retention.ms", "1"), "INVALID_REQUEST Default topic resources are not allowed."),
        (TOPIC, "orders", (SET, "nosuch", "1"), "INVALID_CONFIG Unknown topic config name: nosuch"),
        (
            TOPIC,
            "orders",
            (APPEND, "retention.ms", "1"),
            "INVALID_CONFIG Can't APPEND to key retention.ms because its type is not LIST.",
        ),
        (
            BROKER,
            "1",
            (SET, "num.partitions", "2"),
            "INVALID_REQUEST Cannot update these configs dynamically: [num.partitions]",
        ),
        (
            BROKER,
            "1",
            (SET, "log.segment.bytes", "1"),
            "INVALID_REQUEST Invalid value 1 for configuration log.segment.bytes: Value must be at least 1048576",
        ),
        (
            BROKER,
            "9",
            (SET, "log.retention.ms", "2"),
            "INVALID_REQUEST Unexpected broker id, expected 1, but received 9",
        ),
        (GROUP, "g", (SET, "nosuch", "2"), "INVALID_CONFIG Unknown group config name: nosuch"),
        (GROUP, "", (SET, "x", "2"), "INVALID_REQUEST Default group resources are not allowed."),
        (0, "1", (SET, "x", "2"), "INVALID_REQUEST Unknown resource type 0"),
    ] {
        assert_eq!(alter(&mut client, kind, resource, change, false).await, expected);
        assert_eq!(
            alter(&mut client, kind, resource, change, true).await,
            expected,
            "the same when only validating"
        );
    }
    assert_eq!(alter(&mut client, TOPIC, "orders", (SET, "retention.ms", "5"), true).await, "NONE");
    assert_eq!(
        shown(&mut client, TOPIC, "orders", "retention.ms").await,
        "604800000 5",
        "it was only validated"
    );
    broker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_add_up_and_a_replacement_forgets_the_rest() {
    let dir = tempfile::tempdir().expect("a directory");
    let broker = Broker::start(dir.path(), &[]).await;
    let mut client = broker.client().await;
    create(&mut client, "orders", &[("retention.ms", "1000")], false).await;
    assert_eq!(
        alter(&mut client, TOPIC, "orders", (APPEND, "cleanup.policy", "compact"), false).await,
        "NONE"
    );
    assert_eq!(shown(&mut client, TOPIC, "orders", "cleanup.policy").await, "delete,compact 1");
    assert_eq!(alter(&mut client, TOPIC, "orders", (DELETE, "retention.ms", ""), false).await, "NONE");
    assert_eq!(shown(&mut client, TOPIC, "orders", "retention.ms").await, "604800000 5");

    let config =
        alter_configs_request::AlterableConfig { name: "retention.bytes".into(), value: Some("9".into()) };
    let resource = alter_configs_request::AlterConfigsResource {
        resource_type: TOPIC,
        resource_name: "orders".into(),
        configs: vec![config],
    };
    let request = AlterConfigsRequest { resources: vec![resource], validate_only: false };
    assert_eq!(client.call(&request, 2).await.responses.remove(0).error_code, 0);
    assert_eq!(shown(&mut client, TOPIC, "orders", "retention.bytes").await, "9 1");
    assert_eq!(shown(&mut client, TOPIC, "orders", "cleanup.policy").await, "delete 5");
    broker.stop().await;
}
