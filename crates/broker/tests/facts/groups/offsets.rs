//! Committed offsets, and what administrators see of groups.

use pagewire_wire::{
    Str, Uuid,
    messages::{
        delete_groups_request::DeleteGroupsRequest,
        describe_groups_request::DescribeGroupsRequest,
        list_groups_request::ListGroupsRequest,
        offset_commit_request::{
            OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
        },
        offset_delete_request::{
            OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
        },
        offset_fetch_request::{
            OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
        },
    },
};

use super::{coordinator, describe, heartbeat, join, leave, once_loaded, sync};
use crate::harness::{Broker, Client};

fn commit(
    client: &mut Client,
    topic: (&'static str, Uuid),
    partition_index: i32,
    offset: i64,
    version: i16,
) -> i16 {
    let partition = OffsetCommitRequestPartition {
        partition_index,
        committed_offset: offset,
        committed_metadata: Some("note".into()),
        ..Default::default()
    };
    let topic = OffsetCommitRequestTopic {
        name: topic.0.into(),
        topic_id: topic.1,
        partitions: vec![partition],
        ..Default::default()
    };
    let request = OffsetCommitRequest { group_id: "g".into(), topics: vec![topic], ..Default::default() };
    client.call(&request, version).topics[0].partitions[0].error_code
}

/// Partition error, offset and metadata by one group lookup; the group's error comes first.
fn committed(
    client: &mut Client,
    topic: (&'static str, Uuid),
    partition: i32,
    version: i16,
) -> (i16, (i64, String)) {
    let indexes = vec![partition];
    if version < 8 {
        let topic = OffsetFetchRequestTopic {
            name: topic.0.into(),
            partition_indexes: indexes,
            ..Default::default()
        };
        let request =
            OffsetFetchRequest { group_id: "g".into(), topics: Some(vec![topic]), ..Default::default() };
        let answer = client.call(&request, version);
        if answer.error_code != 0 {
            return (answer.error_code, (-1, String::new()));
        }
        let found = &answer.topics[0].partitions[0];
        return (
            found.error_code,
            (found.committed_offset, found.metadata.clone().unwrap_or_default().to_string()),
        );
    }
    let topic = OffsetFetchRequestTopics {
        name: topic.0.into(),
        topic_id: topic.1,
        partition_indexes: indexes,
        ..Default::default()
    };
    let group =
        OffsetFetchRequestGroup { group_id: "g".into(), topics: Some(vec![topic]), ..Default::default() };
    let answer = client.call(&OffsetFetchRequest { groups: vec![group], ..Default::default() }, version);
    if answer.groups[0].error_code != 0 {
        return (answer.groups[0].error_code, (-1, String::new()));
    }
    let found = &answer.groups[0].topics[0].partitions[0];
    (found.error_code, (found.committed_offset, found.metadata.clone().unwrap_or_default().to_string()))
}

#[test]
fn offsets_are_committed_and_fetched_in_every_version() {
    let broker = Broker::start();
    let mut client = broker.client();
    let topic = ("t", client.create_topic("t", 2));
    coordinator(&mut client);
    once_loaded(|| committed(&mut client, topic, 0, 7));
    for version in 1..=10 {
        assert_eq!(committed(&mut client, topic, 0, version), (0, (-1, String::new())), "v{version}");
    }
    for (version, offset) in (2..=10).zip(100..) {
        assert_eq!(commit(&mut client, topic, 1, offset, version), 0, "v{version}");
        for version in 1..=10 {
            assert_eq!(committed(&mut client, topic, 1, version), (0, (offset, "note".into())), "v{version}");
        }
    }
}

#[test]
fn commits_that_cannot_be_are_errors_of_their_partition() {
    let broker = Broker::start();
    let mut client = broker.client();
    let topic = ("t", client.create_topic("t", 1));
    coordinator(&mut client);
    once_loaded(|| committed(&mut client, topic, 0, 7));
    assert_eq!(commit(&mut client, topic, 9, 1, 9), 3);
    assert_eq!(commit(&mut client, ("nowhere", Uuid([5; 16])), 0, 1, 9), 3);
    assert_eq!(commit(&mut client, ("", Uuid([5; 16])), 0, 1, 10), 100);
    let joined = join(&mut client, &Str::new(), None, 9);
    assert_eq!(sync(&mut client, &joined, &[(&joined.member_id, b"all")], 5).0, 0);
    assert_eq!(commit(&mut client, topic, 0, 1, 9), 25, "a group with members is not for strangers");
}

#[test]
fn groups_and_offsets_are_the_same_after_a_restart() {
    let mut broker = Broker::start();
    let mut client = broker.client();
    let topic = ("t", client.create_topic("t", 1));
    coordinator(&mut client);
    let joined = once_loaded(|| {
        let joined = join(&mut client, &Str::new(), None, 9);
        (joined.error_code, joined)
    });
    assert_eq!(sync(&mut client, &joined, &[(&joined.member_id, b"all")], 5).0, 0);
    let partition =
        OffsetCommitRequestPartition { committed_offset: 42, committed_metadata: None, ..Default::default() };
    let request = OffsetCommitRequest {
        group_id: "g".into(),
        generation_id_or_member_epoch: joined.generation_id,
        member_id: joined.member_id.clone(),
        topics: vec![OffsetCommitRequestTopic {
            name: "t".into(),
            partitions: vec![partition],
            ..Default::default()
        }],
        ..Default::default()
    };
    assert_eq!(client.call(&request, 9).topics[0].partitions[0].error_code, 0);
    for _ in 0..2 {
        broker.restart();
        let mut client = broker.client();
        let (offset, _) = once_loaded(|| committed(&mut client, topic, 0, 9));
        assert_eq!(offset, 42);
        assert_eq!(describe(&mut client), ("Stable".into(), 1));
        assert_eq!(heartbeat(&mut client, joined.generation_id, &joined.member_id, 4), 0, "still a member");
    }
}

#[test]
fn groups_are_listed_described_and_deleted() {
    let broker = Broker::start();
    let mut client = broker.client();
    let topic = ("t", client.create_topic("t", 1));
    coordinator(&mut client);
    once_loaded(|| committed(&mut client, topic, 0, 7));
    assert_eq!(commit(&mut client, topic, 0, 5, 9), 0);
    let mut listed = |states: &[&'static str], types: &[&'static str]| {
        let texts = |texts: &[&'static str]| texts.iter().copied().map(Str::from).collect();
        let request = ListGroupsRequest {
            states_filter: texts(states),
            types_filter: texts(types),
            ..Default::default()
        };
        let answer = client.call(&request, 5);
        assert_eq!(answer.error_code, 0);
        answer
            .groups
            .iter()
            .map(|group| (group.group_id.to_string(), group.group_state.to_string()))
            .collect::<Vec<_>>()
    };
    let empty = [("g".to_owned(), "Empty".to_owned())];
    assert_eq!(listed(&[], &[]), empty);
    assert_eq!(listed(&["Empty"], &["classic"]), empty);
    assert_eq!(listed(&["Stable"], &[]), []);
    assert_eq!(listed(&[], &["consumer"]), []);

    let request = DescribeGroupsRequest { groups: vec!["nosuch".into()], ..Default::default() };
    let unknown = client.call(&request, 6).groups.remove(0);
    assert_eq!((unknown.error_code, &*unknown.group_state), (69, "Dead"));
    assert_eq!(unknown.error_message.as_deref(), Some("Group nosuch not found."));
    let unknown = client.call(&request, 5).groups.remove(0);
    assert_eq!((unknown.error_code, &*unknown.group_state), (0, "Dead"));

    let joined = join(&mut client, &Str::new(), None, 9);
    let mut delete = || {
        let groups_names = vec!["g".into(), "nosuch".into()];
        let answer = client.call(&DeleteGroupsRequest { groups_names, ..Default::default() }, 2);
        let mut codes: Vec<_> =
            answer.results.iter().map(|r| (r.group_id.to_string(), r.error_code)).collect();
        codes.sort();
        codes
    };
    assert_eq!(delete(), [("g".to_owned(), 68), ("nosuch".to_owned(), 69)]);
    assert_eq!(leave(&mut broker.client(), &joined.member_id, 5), 0);
    assert_eq!(delete(), [("g".to_owned(), 0), ("nosuch".to_owned(), 69)]);
    assert_eq!(committed(&mut client, topic, 0, 9).1.0, -1);
}

#[test]
fn offsets_are_deleted_one_by_one_and_with_their_topic() {
    let broker = Broker::start();
    let mut client = broker.client();
    let topic = ("t", client.create_topic("t", 2));
    coordinator(&mut client);
    once_loaded(|| committed(&mut client, topic, 0, 7));
    for partition in [0, 1] {
        assert_eq!(commit(&mut client, topic, partition, 5, 9), 0);
    }
    let partition = |partition_index| OffsetDeleteRequestPartition { partition_index, ..Default::default() };
    let request = OffsetDeleteRequest {
        group_id: "g".into(),
        topics: vec![OffsetDeleteRequestTopic {
            name: "t".into(),
            partitions: vec![partition(0), partition(9)],
            ..Default::default()
        }],
        ..Default::default()
    };
    let answer = client.call(&request, 0);
    let codes: Vec<i16> = answer.topics[0].partitions.iter().map(|p| p.error_code).collect();
    assert_eq!((answer.error_code, codes), (0, vec![0, 3]));
    assert_eq!(committed(&mut client, topic, 0, 9).1.0, -1);
    assert_eq!(committed(&mut client, topic, 1, 9).1.0, 5);
    crate::topics::delete(&mut client, "t");
    let again = ("t", client.create_topic("t", 2));
    assert_eq!(committed(&mut client, again, 1, 9).1.0, -1, "the offsets of a topic go with it");
}
