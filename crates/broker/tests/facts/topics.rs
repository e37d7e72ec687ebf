//! Topics: made, grown, refused and deleted, in the words that Kafka's tools print.

use pagewire_wire::{
    Uuid,
    messages::{
        create_partitions_request::{
            CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsTopic,
        },
        create_topics_request::{
            CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
        },
        delete_topics_request::{DeleteTopicState, DeleteTopicsRequest},
        metadata_request::{MetadataRequest, MetadataRequestTopic},
    },
};

use crate::harness::{Broker, Client, FetchAt, Fetched, batch, values_of};

/// Deletes a topic, which must succeed.
pub(crate) fn delete(client: &mut Client, name: &'static str) {
    assert_eq!(try_delete(client, Some(name), Uuid::NIL), 0);
}

fn try_delete(client: &mut Client, name: Option<&'static str>, topic_id: Uuid) -> i16 {
    let topic = DeleteTopicState { name: name.map(Into::into), topic_id, ..Default::default() };
    let request = DeleteTopicsRequest { topics: vec![topic], timeout_ms: 60_000, ..Default::default() };
    client.call(&request, 6).responses[0].error_code
}

/// Error code and message.
type Verdict = (i16, Option<String>);

fn refused(code: i16, message: &str) -> Verdict {
    (code, Some(message.to_owned()))
}

fn create(client: &mut Client, topic: CreatableTopic, validate_only: bool) -> Verdict {
    let request = CreateTopicsRequest { topics: vec![topic], validate_only, ..Default::default() };
    let result = client.call(&request, 7).topics.remove(0);
    (result.error_code, result.error_message.map(|message| message.to_string()))
}

fn topic(name: &'static str, num_partitions: i32, replication_factor: i16) -> CreatableTopic {
    CreatableTopic { name: name.into(), num_partitions, replication_factor, ..Default::default() }
}

#[test]
fn a_topic_takes_records_as_soon_as_its_creation_is_answered() {
    let broker = Broker::start();
    let mut client = broker.client();
    for name in ["a", "b", "c", "d"] {
        let created = client.try_create_topic(name, 3, 1, &[]);
        assert_eq!((created.num_partitions, created.replication_factor), (3, 1));
        assert!(!created.topic_id.is_nil());
        assert_eq!([0, 1, 2].map(|partition| client.produce(name, partition, batch(&["x"]))), [0; 3]);
    }
}

#[test]
fn the_answer_to_a_creation_tells_the_settings_in_force() {
    let broker = Broker::start();
    let created = broker.client().try_create_topic("t", 1, 1, &[("retention.ms", "5000")]);
    let configs = created.configs.unwrap();
    let one = |name: &str| configs.iter().find(|config| config.name == name).unwrap().clone();
    let retention = one("retention.ms");
    assert_eq!((retention.value.as_deref(), retention.config_source), (Some("5000"), 1));
    let segment = one("segment.bytes");
    assert_eq!((segment.value.as_deref(), segment.config_source), (Some("1073741824"), 5));
}

#[test]
fn minus_1_means_the_brokers_defaults() {
    let broker = Broker::with(&[("num.partitions", "4")]);
    let mut client = broker.client();
    let created = client.try_create_topic("t", -1, -1, &[]);
    assert_eq!((created.error_code, created.num_partitions, created.replication_factor), (0, 4, 1));
    assert_eq!(client.describe_topic("t").partitions.len(), 4);
}

#[test]
fn each_impossible_topic_is_refused_in_kafkas_words() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    client.create_topic("a.b", 1);
    for validate_only in [true, false] {
        let mut create = |topic| create(&mut client, topic, validate_only);
        assert_eq!(create(topic("t", 1, 1)), refused(36, "Topic 't' already exists."));
        assert_eq!(create(topic("x", 0, 1)).0, 37);
        assert_eq!(create(topic("x", -2, 3)).0, 37);
        assert_eq!(create(topic("x", 1, 0)).0, 38);
        assert_eq!(create(topic("x", 1, 2)).0, 38);
        assert_eq!(create(topic("x", 100_000, 1)).0, 44);
        assert_eq!(create(topic("t", 1, 3)).0, 36, "the name is looked at first");
        let twin = "Topic 'a_b' collides with existing topic: a.b";
        assert_eq!(create(topic("a_b", 1, 1)), refused(17, twin), "metrics could not tell them apart");
        for name in ["", ".", "..", "a b", "a/b", "ä"] {
            assert_eq!(create(topic(name, 1, 1)).0, 17, "{name}");
        }
    }
    assert_eq!(client.describe_topic("x").error_code, 3);
}

fn with_nulls(client: &mut Client) -> (i16, String) {
    let null =
        |name: &'static str| CreatableTopicConfig { name: name.into(), value: None, ..Default::default() };
    let configs = vec![null("a"), null("b")];
    let (code, message) = create(client, CreatableTopic { configs, ..topic("t", 1, 1) }, false);
    (code, message.unwrap_or_default())
}

#[test]
fn settings_of_a_new_topic_are_checked_before_its_partitions() {
    let broker = Broker::start();
    let mut client = broker.client();
    let (code, message) = with_nulls(&mut client);
    assert_eq!((code, message.as_str()), (40, "Null value not supported for topic configs: a,b"));
    let mut with = |name, value| {
        let result = client.try_create_topic("t", 0, 3, &[(name, value)]);
        (result.error_code, result.error_message.unwrap_or_default().to_string())
    };
    assert_eq!(with("nosuch", "1"), (40, "Unknown topic config name: nosuch".into()));
    let (code, message) = with("segment.bytes", "1000");
    assert_eq!(code, 40);
    assert!(message.contains("Value must be at least 1048576"), "{message}");
    assert_eq!(with("retention.ms", "soon").0, 40);
    assert_eq!(with("cleanup.policy", "shred").0, 40);
    assert_eq!(client.describe_topic("t").error_code, 3);
}

#[test]
fn a_manual_assignment_may_name_this_broker_only() {
    let broker = Broker::start();
    let mut client = broker.client();
    let assigned = |name, parts: &[(i32, &[i32])]| CreatableTopic {
        assignments: parts
            .iter()
            .map(|(partition_index, ids)| CreatableReplicaAssignment {
                partition_index: *partition_index,
                broker_ids: ids.to_vec(),
                ..Default::default()
            })
            .collect(),
        ..topic(name, -1, -1)
    };
    assert_eq!(create(&mut client, assigned("t", &[(0, &[1]), (1, &[1])]), false), (0, None));
    assert_eq!(client.describe_topic("t").partitions.len(), 2);
    for parts in [
        &[(0, &[7][..])][..],
        &[(1, &[1][..])],
        &[(0, &[][..])],
        &[(0, &[1][..]), (0, &[1])],
        &[(0, &[1, 1][..])],
    ] {
        assert_eq!(create(&mut client, assigned("u", parts), false).0, 39, "{parts:?}");
    }
    let twice = create(&mut client, assigned("u", &[(0, &[1]), (0, &[1])]), false);
    assert_eq!(twice, refused(39, "Found multiple manual partition assignments for partition 0"));
    let both = CreatableTopic { num_partitions: 2, ..assigned("u", &[(0, &[1])]) };
    let message = "A manual partition assignment was specified, but numPartitions was not set to -1.";
    assert_eq!(create(&mut client, both.clone(), false), refused(42, message));
    let all = CreatableTopic { replication_factor: 1, ..both };
    let message = "A manual partition assignment was specified, but replication factor was not set to -1.";
    assert_eq!(create(&mut client, all, false), refused(42, message));
}

#[test]
fn a_name_that_stands_twice_is_refused_and_answered_once() {
    let broker = Broker::start();
    let mut client = broker.client();
    let topics = vec![topic("t", 1, 1), topic("u", 1, 1), topic("t", 1, 1)];
    let answer = client.call(&CreateTopicsRequest { topics, ..Default::default() }, 7);
    let mut codes: Vec<_> =
        answer.topics.iter().map(|topic| (topic.name.as_str(), topic.error_code)).collect();
    codes.sort_unstable();
    assert_eq!(codes, [("t", 42), ("u", 0)]);
}

#[test]
fn too_many_partitions_in_one_request_create_no_topic() {
    let broker = Broker::start();
    let mut client = broker.client();
    let topics = vec![topic("t", 1, 1), topic("u", 10_000, 1)];
    let answer = client.call(&CreateTopicsRequest { topics, ..Default::default() }, 7);
    for topic in &answer.topics {
        let message = "Excessively large number of partitions per request.";
        assert_eq!((topic.error_code, topic.error_message.as_deref()), (44, Some(message)));
    }
    assert_eq!(answer.topics.len(), 2);
    assert_eq!(client.describe_topic("t").error_code, 3);
}

#[test]
fn a_default_of_more_copies_than_brokers_is_refused_as_if_it_were_asked_for() {
    let broker = Broker::with(&[("default.replication.factor", "3")]);
    let mut client = broker.client();
    assert_eq!(create(&mut client, topic("t", 1, -1), false).0, 38);
    assert_eq!(ask(&mut client, "t", 9, true), 3);
    assert_eq!(create(&mut client, topic("t", 1, 1), false), (0, None));
}

#[test]
fn validate_only_creates_nothing() {
    let broker = Broker::start();
    let mut client = broker.client();
    assert_eq!(create(&mut client, topic("t", 3, 1), true), (0, None));
    assert_eq!(client.describe_topic("t").error_code, 3);
}

fn grow(client: &mut Client, count: i32, brokers: Option<&[i32]>, validate_only: bool) -> Verdict {
    let assignment = |id: &i32| CreatePartitionsAssignment { broker_ids: vec![*id], ..Default::default() };
    let assignments = brokers.map(|brokers| brokers.iter().map(assignment).collect());
    let topic = CreatePartitionsTopic { name: "t".into(), count, assignments, ..Default::default() };
    let request = CreatePartitionsRequest { topics: vec![topic], validate_only, timeout_ms: 60_000 };
    let result = client.call(&request, 3).results.remove(0);
    (result.error_code, result.error_message.map(|message| message.to_string()))
}

#[test]
fn topics_grow_and_never_shrink() {
    let broker = Broker::start();
    let mut client = broker.client();
    assert_eq!(grow(&mut client, 2, None, false).0, 3);
    client.create_topic("t", 5);
    let message = "The topic t currently has 5 partition(s); 2 would not be an increase.";
    assert_eq!(grow(&mut client, 2, None, false), refused(37, message));
    assert_eq!(grow(&mut client, 5, None, false).0, 37);
    assert_eq!(grow(&mut client, -1, None, false).0, 37);
    assert_eq!(grow(&mut client, 6, Some(&[9]), false).0, 39);
    assert_eq!(grow(&mut client, 7, Some(&[1]), false).0, 39);
    assert_eq!(grow(&mut client, 6, None, true), (0, None));
    assert_eq!(client.describe_topic("t").partitions.len(), 5, "only asked whether it could");
    client.produce("t", 4, batch(&["old"]));
    assert_eq!(grow(&mut client, 7, Some(&[1, 1]), false), (0, None));
    assert_eq!(client.describe_topic("t").partitions.len(), 7);
    assert_eq!(client.produce("t", 6, batch(&["new"])), 0);
    assert_eq!(client.end_of("t", 4), 1);
}

#[test]
fn a_topic_made_again_has_a_new_id_and_no_records() {
    let broker = Broker::start();
    let mut client = broker.client();
    let first = client.create_topic("t", 2);
    client.produce("t", 0, batch(&["old"]));
    delete(&mut client, "t");
    assert_eq!(client.describe_topic("t").error_code, 3);
    assert_eq!(client.try_produce("t", 0, batch(&["x"]), 9).error_code, 3);
    let second = client.create_topic("t", 1);
    assert_ne!(first, second);
    assert_eq!(client.end_of("t", 0), 0);
    assert_eq!(client.try_produce("t", 1, batch(&["x"]), 9).error_code, 3);
    client.produce("t", 0, batch(&["new"]));
    let by_old_id = client.fetch(&FetchAt::now("t", &[(0, 0)]).by_id(first), 13);
    assert_eq!(by_old_id.errors(), [(0, 100)]);
    let by_new_id = client.fetch(&FetchAt::now("t", &[(0, 0)]).by_id(second), 13);
    assert_eq!(values_of(&by_new_id.records()), [(0, "new".into())]);
}

#[test]
fn topics_are_deleted_by_name_or_by_id() {
    let broker = Broker::start();
    let mut client = broker.client();
    let id = client.create_topic("t", 1);
    assert_eq!(try_delete(&mut client, Some("nowhere"), Uuid::NIL), 3);
    assert_eq!(try_delete(&mut client, None, Uuid([1; 16])), 100);
    assert_eq!(try_delete(&mut client, None, Uuid::NIL), 42);
    assert_eq!(try_delete(&mut client, Some("t"), id), 42, "one of the two, not both");
    assert_eq!(try_delete(&mut client, None, id), 0);
    assert_eq!(try_delete(&mut client, None, id), 100);
}

fn delete_all(client: &mut Client, topics: &[(Option<&'static str>, Uuid)]) -> Vec<Verdict> {
    let state = |(name, topic_id): &(Option<&'static str>, Uuid)| DeleteTopicState {
        name: name.map(Into::into),
        topic_id: *topic_id,
        ..Default::default()
    };
    let request = DeleteTopicsRequest { topics: topics.iter().map(state).collect(), ..Default::default() };
    let mut verdicts: Vec<Verdict> = client
        .call(&request, 6)
        .responses
        .into_iter()
        .map(|one| (one.error_code, one.error_message.map(|message| message.to_string())))
        .collect();
    verdicts.sort();
    verdicts
}

#[test]
fn a_topic_that_is_named_twice_is_not_deleted() {
    let broker = Broker::start();
    let mut client = broker.client();
    let id = client.create_topic("t", 1);
    let (by_name, by_id) = ((Some("t"), Uuid::NIL), (None, id));
    let twice = delete_all(&mut client, &[by_name, by_name, by_name]);
    assert_eq!(twice, [refused(42, "Duplicate topic name.")]);
    let twice = delete_all(&mut client, &[by_id, by_id]);
    assert_eq!(twice, [refused(42, "Duplicate topic id.")]);
    let message = "The provided topic name maps to an ID that was already supplied.";
    for asked in [[by_name, by_id], [by_id, by_name]] {
        assert_eq!(delete_all(&mut client, &asked), [refused(42, message)]);
    }
    let neither_nor_both = delete_all(&mut client, &[(None, Uuid::NIL), (Some("t"), id)]);
    assert_eq!(
        neither_nor_both,
        [
            refused(42, "Neither topic name nor id were specified."),
            refused(42, "You may not specify both topic name and topic id."),
        ]
    );
    assert_eq!(client.describe_topic("t").error_code, 0, "it is still there");
    client.create_topic("u", 1);
    let others = delete_all(&mut client, &[by_name, by_name, (Some("u"), Uuid::NIL)]);
    assert_eq!(others, [(0, None), refused(42, "Duplicate topic name.")]);
}

#[test]
fn deletion_can_be_switched_off() {
    let broker = Broker::with(&[("delete.topic.enable", "false")]);
    let mut client = broker.client();
    client.create_topic("t", 1);
    assert_eq!(try_delete(&mut client, Some("t"), Uuid::NIL), 73);
    assert_eq!(try_delete(&mut client, Some("nowhere"), Uuid::NIL), 73, "nothing is looked up");
    for (version, code) in [(1, 42), (2, 42), (3, 73), (5, 73)] {
        let request = DeleteTopicsRequest { topic_names: vec!["t".into(), "x".into()], ..Default::default() };
        let codes: Vec<_> =
            client.call(&request, version).responses.iter().map(|one| one.error_code).collect();
        assert_eq!(codes, [code; 2], "version {version}");
    }
    assert_eq!(client.describe_topic("t").error_code, 0);
}

/// Asks Metadata about `name` in a way that may create it; the error code.
fn ask(client: &mut Client, name: &'static str, version: i16, allow_auto_topic_creation: bool) -> i16 {
    let topic = MetadataRequestTopic { name: Some(name.into()), ..Default::default() };
    let request =
        MetadataRequest { topics: Some(vec![topic]), allow_auto_topic_creation, ..Default::default() };
    client.call(&request, version).topics[0].error_code
}

#[test]
fn asking_for_metadata_creates_a_topic_if_request_and_broker_allow_it() {
    let broker = Broker::with(&[("num.partitions", "3")]);
    let mut client = broker.client();
    assert_eq!(ask(&mut client, "a", 9, false), 3);
    assert_eq!(ask(&mut client, "a", 9, false), 3, "it was not created by asking so");
    for (name, version) in [("a", 9), ("old", 1)] {
        assert_eq!(
            ask(&mut client, name, version, true),
            3,
            "the answer that creates it does not know it yet"
        );
        assert_eq!(ask(&mut client, name, version, version < 4), 0, "versions before 4 always allow it");
    }
    assert_eq!(client.describe_topic("a").partitions.len(), 3);
    assert_eq!(client.produce("a", 2, batch(&["x"])), 0);
    assert_eq!(ask(&mut client, "a b", 9, true), 17);
    client.create_topic("x.y", 1);
    assert_eq!(ask(&mut client, "x_y", 9, true), 3, "whatever keeps it from being created");

    let strict = Broker::with(&[("auto.create.topics.enable", "false")]);
    assert_eq!(ask(&mut strict.client(), "a", 9, true), 3);
}

#[test]
fn metadata_by_id_says_the_name() {
    let broker = Broker::start();
    let mut client = broker.client();
    let id = client.create_topic("t", 1);
    for (topic_id, code, name) in [(id, 0, Some("t")), (Uuid([2; 16]), 100, None)] {
        let topic = MetadataRequestTopic { topic_id, name: None, ..Default::default() };
        let request = MetadataRequest { topics: Some(vec![topic]), ..Default::default() };
        let answer = client.call(&request, 12);
        assert_eq!((answer.topics[0].error_code, answer.topics[0].name.as_deref()), (code, name));
        assert_eq!(answer.topics[0].topic_id, topic_id);
    }
}

#[test]
fn all_topics_none_or_some() {
    let broker = Broker::start();
    let mut client = broker.client();
    for name in ["a", "b"] {
        client.create_topic(name, 1);
    }
    let mut count = |topics, version| {
        client.call(&MetadataRequest { topics, ..Default::default() }, version).topics.len()
    };
    assert_eq!(count(None, 1), 2);
    assert_eq!(count(None, 12), 2);
    assert_eq!(count(Some(Vec::new()), 0), 2, "version 0 has no null");
    assert_eq!(count(Some(Vec::new()), 1), 0);
}
