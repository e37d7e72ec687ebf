//! Requests that name much, and the same thing many times: they cost what they name, and an answer says a thing once.

use pagewire_wire::{
    Str,
    messages::{
        create_partitions_request::{CreatePartitionsRequest, CreatePartitionsTopic},
        create_topics_request::{CreatableTopic, CreateTopicsRequest},
        describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource},
        describe_producers_request::{DescribeProducersRequest, TopicRequest},
        list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic},
        metadata_request::{MetadataRequest, MetadataRequestTopic},
    },
};

use crate::harness::Broker;

/// Comparing each of so many with each other takes minutes.
const MANY: i32 = 100_000;

#[test]
fn a_hundred_thousand_topics_in_one_creation() {
    let broker = Broker::start();
    let topic = |n: i32| CreatableTopic {
        name: Str::from(format!("t{}", n / 2)),
        num_partitions: 1,
        replication_factor: 1,
        ..Default::default()
    };
    let topics = (0..MANY).map(topic).collect();
    let answer = broker.client().call(&CreateTopicsRequest { topics, ..Default::default() }, 7);
    assert_eq!(answer.topics.len(), MANY as usize / 2);
    assert!(answer.topics.iter().all(|topic| topic.error_code == 42));
}

#[test]
fn a_hundred_thousand_topics_that_shall_grow() {
    let broker = Broker::start();
    let topic = |n: i32| CreatePartitionsTopic {
        name: Str::from(format!("t{}", n / 2)),
        count: 3,
        ..Default::default()
    };
    let topics = (0..MANY).map(topic).collect();
    let answer = broker.client().call(&CreatePartitionsRequest { topics, ..Default::default() }, 3);
    assert_eq!(answer.results.len(), MANY as usize / 2);
    assert!(answer.results.iter().all(|topic| topic.error_code == 42));
}

#[test]
fn offsets_of_a_hundred_thousand_partitions() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 2);
    let partition =
        |partition_index| ListOffsetsPartition { partition_index, timestamp: -1, ..Default::default() };
    let mut partitions: Vec<_> = (1..MANY).map(partition).collect();
    partitions.extend([partition(7), partition(0)]);
    let topics = vec![ListOffsetsTopic { name: "t".into(), partitions, ..Default::default() }];
    let answer = client.call(&ListOffsetsRequest { replica_id: -1, topics, ..Default::default() }, 7);
    let answered = &answer.topics[0].partitions;
    let code = |index| answered.iter().find(|p| p.partition_index == index).map(|p| p.error_code);
    assert_eq!([0, 1, 2, 7].map(code), [Some(0), Some(0), Some(3), Some(42)]);
}

#[test]
fn a_topic_named_many_times_is_described_once() {
    let broker = Broker::start();
    let mut client = broker.client();
    let id = client.create_topic("t", 50);
    let by_name = || MetadataRequestTopic { name: Some("t".into()), ..Default::default() };
    let by_id = || MetadataRequestTopic { topic_id: id, name: None, ..Default::default() };
    for asked in [&by_name as &dyn Fn() -> MetadataRequestTopic, &by_id] {
        let topics = Some((0..20_000).map(|_| asked()).collect());
        let answer = client.call(&MetadataRequest { topics, ..Default::default() }, 12);
        assert_eq!(answer.topics.len(), 1);
        assert_eq!((answer.topics[0].error_code, answer.topics[0].partitions.len()), (0, 50));
    }

    let resource = || DescribeConfigsResource {
        resource_type: 2,
        resource_name: "t".into(),
        configuration_keys: None,
        ..Default::default()
    };
    let resources = (0..20_000).map(|_| resource()).collect();
    let answer = client.call(&DescribeConfigsRequest { resources, ..Default::default() }, 4);
    assert_eq!((answer.results.len(), answer.results[0].error_code), (1, 0));

    let topic = |indexes: &[i32]| TopicRequest {
        name: "t".into(),
        partition_indexes: indexes.repeat(10_000),
        ..Default::default()
    };
    let topics = vec![topic(&[0, 1]), topic(&[1]), topic(&[2])];
    let answer = client.call(&DescribeProducersRequest { topics, ..Default::default() }, 0);
    let indexes: Vec<_> =
        answer.topics.iter().flat_map(|topic| &topic.partitions).map(|p| p.partition_index).collect();
    assert_eq!(indexes, [0, 1, 2]);
}

#[test]
fn asking_for_a_topic_does_not_create_more_than_a_creation_may() {
    let broker = Broker::with(&[("num.partitions", "10001")]);
    let mut client = broker.client();
    let topic = MetadataRequestTopic { name: Some("t".into()), ..Default::default() };
    let request =
        MetadataRequest { topics: Some(vec![topic]), allow_auto_topic_creation: true, ..Default::default() };
    assert_eq!(client.call(&request, 12).topics[0].error_code, 3);
    assert_eq!(client.describe_topic("t").error_code, 3);
}
