//! Topics that belong to the broker do so by their name, whoever makes them.

use pagewire_wire::messages::{
    create_partitions_request::{CreatePartitionsRequest, CreatePartitionsTopic},
    create_topics_response::CreatableTopicResult,
    describe_topic_partitions_request::{DescribeTopicPartitionsRequest, TopicRequest},
    metadata_request::{MetadataRequest, MetadataRequestTopic},
    metadata_response::MetadataResponseTopic,
};

use crate::harness::{Broker, Client, batch};

/// Asks about a topic in the way that creates those that may be.
fn ask(client: &mut Client, name: &'static str) -> MetadataResponseTopic {
    let topic = MetadataRequestTopic { name: Some(name.into()), ..Default::default() };
    let request =
        MetadataRequest { topics: Some(vec![topic]), allow_auto_topic_creation: true, ..Default::default() };
    client.call(&request, 12).topics.remove(0)
}

#[test]
fn an_internal_topic_that_a_client_creates_is_internal() {
    let broker = Broker::start();
    let mut client = broker.client();
    for name in ["__consumer_offsets", "__transaction_state", "__share_group_state"] {
        assert_eq!(client.try_create_topic(name, 2, 1, &[]).error_code, 0);
        assert!(ask(&mut client, name).is_internal, "{name}");
        assert_eq!(client.try_produce(name, 0, batch(&["x"]), 9).error_code, 17, "{name}");
        let topics = vec![TopicRequest { name: name.into(), ..Default::default() }];
        let request = DescribeTopicPartitionsRequest {
            topics,
            response_partition_limit: 10,
            cursor: None,
            ..Default::default()
        };
        assert!(client.call(&request, 0).topics[0].is_internal, "{name}");
    }
    client.create_topic("__mine", 1);
    assert!(!ask(&mut client, "__mine").is_internal);
}

#[test]
fn a_client_that_creates_the_offsets_topic_gets_what_groups_need() {
    let broker = Broker::start();
    let created =
        broker.client().try_create_topic("__consumer_offsets", 3, 1, &[("segment.bytes", "2097152")]);
    assert_eq!((created.error_code, created.num_partitions), (0, 3));
    assert_eq!(setting(&created, "cleanup.policy"), "compact");
    assert_eq!(setting(&created, "segment.bytes"), "2097152", "what is said explicitly counts");
}

fn setting(created: &CreatableTopicResult, name: &str) -> String {
    let configs = created.configs.as_ref().unwrap();
    let config = configs.iter().find(|config| config.name == name).unwrap();
    config.value.clone().unwrap().to_string()
}

#[test]
fn the_topics_of_coordinators_forget_nothing_that_counts() {
    let broker = Broker::start();
    let mut client = broker.client();
    let transactions = client.try_create_topic("__transaction_state", 1, 1, &[]);
    assert_eq!(setting(&transactions, "cleanup.policy"), "compact");
    let shares = client.try_create_topic("__share_group_state", 1, 1, &[]);
    assert_eq!(
        (setting(&shares, "cleanup.policy"), setting(&shares, "retention.ms")),
        ("delete".into(), "-1".into())
    );
}

#[test]
fn topics_of_coordinators_that_are_not_served_do_not_come_by_asking() {
    let broker = Broker::start();
    let mut client = broker.client();
    for name in ["__transaction_state", "__share_group_state", "__cluster_metadata"] {
        let answer = ask(&mut client, name);
        assert_eq!((answer.error_code, answer.is_internal), (3, name != "__cluster_metadata"), "{name}");
        assert_eq!(client.describe_topic(name).error_code, 3, "{name}");
    }
    assert_eq!(ask(&mut client, "__consumer_offsets").error_code, 3, "the answer that creates it");
    assert_eq!(client.describe_topic("__consumer_offsets").error_code, 0);
}

#[test]
fn nobody_creates_the_topic_of_the_cluster() {
    let broker = Broker::start();
    let refused = broker.client().try_create_topic("__cluster_metadata", 1, 1, &[]);
    let message = "Creation of internal topic __cluster_metadata is prohibited.";
    assert_eq!((refused.error_code, refused.error_message.as_deref()), (42, Some(message)));
}

#[test]
fn the_offsets_topic_keeps_its_partitions() {
    let broker = Broker::start();
    let mut client = broker.client();
    ask(&mut client, "__consumer_offsets");
    let topic = CreatePartitionsTopic {
        name: "__consumer_offsets".into(),
        count: 3,
        assignments: None,
        ..Default::default()
    };
    let request = CreatePartitionsRequest { topics: vec![topic], ..Default::default() };
    let refused = client.call(&request, 3).results.remove(0);
    assert_eq!(refused.error_code, 42);
    assert!(refused.error_message.unwrap().contains("__consumer_offsets"));
    assert_eq!(client.describe_topic("__consumer_offsets").partitions.len(), 2);
}
