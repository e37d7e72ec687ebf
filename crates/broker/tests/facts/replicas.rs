//! Leaders and replicas where there is one broker: who leads already, what cannot be moved, and who keeps the metadata.
//!
//! Codes are those of Apache Kafka 4.3.1.

use pagewire_wire::{
    ErrorCode, Str,
    messages::{
        alter_partition_reassignments_request::{
            AlterPartitionReassignmentsRequest, ReassignablePartition, ReassignableTopic,
        },
        describe_quorum_request::{DescribeQuorumRequest, PartitionData, TopicData},
        elect_leaders_request::{ElectLeadersRequest, TopicPartitions},
        elect_leaders_response::ElectLeadersResponse,
    },
};

use crate::{
    disks::with_records,
    harness::{Broker, Client},
};

const PREFERRED: i8 = 0;
const UNCLEAN: i8 = 1;

fn named(topic: &'static str, partitions: &[i32]) -> TopicPartitions {
    TopicPartitions { topic: topic.into(), partitions: partitions.to_vec(), ..Default::default() }
}

fn elect(
    client: &mut Client,
    election_type: i8,
    topic_partitions: Option<Vec<TopicPartitions>>,
) -> ElectLeadersResponse {
    client.call(&ElectLeadersRequest { election_type, topic_partitions, ..Default::default() }, 2)
}

/// Topic, partition and error of each result.
fn outcomes(answer: &ElectLeadersResponse) -> Vec<(&str, i32, Option<ErrorCode>)> {
    let topics = answer.replica_election_results.iter();
    let each = topics.flat_map(|topic| topic.partition_result.iter().map(move |one| (&*topic.topic, one)));
    each.map(|(topic, one)| (topic, one.partition_id, ErrorCode::from_code(one.error_code))).collect()
}

#[test]
fn a_partition_that_is_led_needs_no_election() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 2);
    for election in [PREFERRED, UNCLEAN] {
        let answer = elect(&mut client, election, Some(vec![named("t", &[1, 7]), named("nowhere", &[0])]));
        assert_eq!(answer.error_code, 0);
        let unknown = Some(ErrorCode::UnknownTopicOrPartition);
        let expected =
            [("t", 1, Some(ErrorCode::ElectionNotNeeded)), ("t", 7, unknown), ("nowhere", 0, unknown)];
        assert_eq!(outcomes(&answer), expected);
        // Of all partitions only those that need one are told of.
        let all = elect(&mut client, election, None);
        assert_eq!((all.replica_election_results.len(), outcomes(&all).len()), (1, 0));
    }
}

#[test]
fn a_partition_whose_disk_is_away_gets_no_leader_by_an_election() {
    let mut two = with_records();
    let lost = two.of(1, "t");
    two.broker.stop();
    std::fs::rename(&two.dirs[1], two.aside()).unwrap();
    std::fs::write(&two.dirs[1], "not a directory").unwrap();
    two.broker.restart();
    let mut client = two.broker.client();
    let all = [0, 1, 2, 3];
    for (election, code) in [
        (PREFERRED, ErrorCode::PreferredLeaderNotAvailable),
        (UNCLEAN, ErrorCode::EligibleLeadersNotAvailable),
    ] {
        let expected = all.map(|partition| {
            let code = if lost.contains(&partition) { code } else { ErrorCode::ElectionNotNeeded };
            ("t", partition, Some(code))
        });
        assert_eq!(outcomes(&elect(&mut client, election, Some(vec![named("t", &all)]))), expected);
        let away: Vec<_> = lost.iter().map(|partition| ("t", *partition, Some(code))).collect();
        assert_eq!(outcomes(&elect(&mut client, election, None)), away);
    }
}

#[test]
fn an_election_of_no_known_kind_is_an_invalid_request() {
    let broker = Broker::start();
    let answer = elect(&mut broker.client(), 7, Some(vec![named("t", &[0])]));
    assert_eq!(answer.error_code, ErrorCode::InvalidRequest.code());
    assert_eq!(outcomes(&answer), [("t", 0, Some(ErrorCode::InvalidRequest))]);
}

/// Code and message of a wish for the replicas of one partition.
fn reassign(
    client: &mut Client,
    topic: &'static str,
    partition_index: i32,
    replicas: Option<&[i32]>,
) -> (Option<ErrorCode>, String) {
    let partition = ReassignablePartition {
        partition_index,
        replicas: replicas.map(<[i32]>::to_vec),
        ..Default::default()
    };
    let topic = ReassignableTopic { name: topic.into(), partitions: vec![partition], ..Default::default() };
    let request = AlterPartitionReassignmentsRequest { topics: vec![topic], ..Default::default() };
    let answer = client.call(&request, 1);
    assert_eq!((answer.error_code, answer.allow_replication_factor_change), (0, true));
    let one = &answer.responses[0].partitions[0];
    assert_eq!(one.partition_index, partition_index);
    let message = one.error_message.as_ref().map(ToString::to_string).unwrap_or_default();
    (ErrorCode::from_code(one.error_code), message)
}

#[test]
fn a_partition_may_be_moved_to_where_it_is_and_nowhere_else() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    assert_eq!(reassign(&mut client, "t", 0, Some(&[1])), (Some(ErrorCode::None), String::new()));
    for (replicas, why) in [
        (&[][..], "The manual partition assignment includes an empty replica list."),
        (&[2][..], "The manual partition assignment includes broker 2, but no such broker is registered."),
        (&[1, 2][..], "The manual partition assignment includes broker 2, but no such broker is registered."),
        (&[1, 1][..], "The manual partition assignment includes the broker 1 more than once."),
    ] {
        let expected = (Some(ErrorCode::InvalidReplicaAssignment), why.to_owned());
        assert_eq!(reassign(&mut client, "t", 0, Some(replicas)), expected);
    }
    let unknown = Some(ErrorCode::UnknownTopicOrPartition);
    let (code, message) = reassign(&mut client, "t", 5, Some(&[1]));
    assert_eq!((code, message.as_str()), (unknown, "Unable to find partition t:5."));
    let (code, message) = reassign(&mut client, "nowhere", 0, Some(&[1]));
    assert_eq!((code, message.as_str()), (unknown, "Unable to find a topic named nowhere."));
}

#[test]
fn no_move_is_under_way_that_could_be_called_off() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    assert_eq!(reassign(&mut client, "t", 0, None).0, Some(ErrorCode::NoReassignmentInProgress));
    assert_eq!(reassign(&mut client, "t", 1, None).0, Some(ErrorCode::UnknownTopicOrPartition));
}

fn of_quorum(topics: &[(&'static str, &[i32])]) -> DescribeQuorumRequest {
    let partition = |index: &i32| PartitionData { partition_index: *index, ..Default::default() };
    let topic = |(name, partitions): &(&'static str, &[i32])| TopicData {
        topic_name: Str::from_static(name),
        partitions: partitions.iter().map(partition).collect(),
        ..Default::default()
    };
    DescribeQuorumRequest { topics: topics.iter().map(topic).collect(), ..Default::default() }
}

#[test]
fn this_node_is_the_quorum_and_its_high_watermark_rises_with_the_metadata() {
    let broker = Broker::start();
    let mut client = broker.client();
    let mut marks = Vec::new();
    for topic in ["a", "b"] {
        client.create_topic(topic, 1);
        let answer = client.call(&of_quorum(&[("__cluster_metadata", &[0])]), 2);
        assert_eq!((answer.error_code, answer.nodes.len()), (0, 1));
        let (node, listener) = (&answer.nodes[0], &answer.nodes[0].listeners[0]);
        assert_eq!((node.node_id, &*listener.name, listener.port), (1, "PLAINTEXT", broker.address().port()));
        let state = &answer.topics[0].partitions[0];
        assert_eq!((state.error_code, state.leader_id, state.observers.len()), (0, 1, 0));
        let [voter] = state.current_voters.as_slice() else { panic!("{:?}", state.current_voters) };
        assert_eq!((voter.replica_id, voter.log_end_offset), (1, state.high_watermark));
        assert!(!voter.replica_directory_id.is_nil() && voter.last_caught_up_timestamp > 0);
        marks.push(state.high_watermark);
    }
    assert!(marks[0] > 0 && marks[1] > marks[0], "{marks:?}");
}

#[test]
fn no_other_partition_has_a_quorum() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    for topics in [
        &[("t", &[0][..])][..],
        &[("__cluster_metadata", &[1][..])][..],
        &[("__cluster_metadata", &[0, 0][..])][..],
        &[("__cluster_metadata", &[0][..]), ("t", &[0][..])][..],
    ] {
        let answer = client.call(&of_quorum(topics), 2);
        assert_eq!(answer.error_code, 0);
        let codes = answer.topics.iter().flat_map(|topic| &topic.partitions).map(|one| one.error_code);
        let codes: Vec<_> = codes.collect();
        let asked: usize = topics.iter().map(|(_, partitions)| partitions.len()).sum();
        assert_eq!(codes, vec![ErrorCode::UnknownTopicOrPartition.code(); asked]);
    }
}
