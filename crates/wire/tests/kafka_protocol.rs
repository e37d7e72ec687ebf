//! An independent codec reads what we write and writes the same bytes again, for every message and version that both
//! know. Only our own well-formed bytes go into it: hostile ones abort it.
//!
//! It lacks what came after Kafka 4.1 (streams groups, some last versions); `java_classes.rs` covers those.

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Decodable, Encodable, Message};
use pagewire_wire::testing::{ALL, Rng};

const ROUNDS: u64 = 30;

fn compare<M: Message + Decodable + Encodable>(name: &str, compared: &mut usize) {
    let entry = ALL.iter().find(|entry| entry.name == name).expect("a message of that name");
    for version in entry.min.max(M::VERSIONS.min)..=entry.max.min(M::VERSIONS.max) {
        for round in 0..ROUNDS {
            let ours: Bytes = (entry.random)(&mut Rng::new(round), version).expect("encodes");
            let mut left = ours.clone();
            let message =
                M::decode(&mut left, version).unwrap_or_else(|e| panic!("{name} v{version}: {e:#}"));
            assert_eq!(left.remaining(), 0, "{name} v{version}: bytes left over");
            let mut theirs = BytesMut::new();
            message.encode(&mut theirs, version).unwrap_or_else(|e| panic!("{name} v{version}: {e:#}"));
            assert_eq!(theirs.freeze(), ours, "{name} v{version}, round {round}");
            *compared += 1;
        }
    }
}

/// Writes random messages of one kind, and counts those that the other codec wrote back the same.
type Compare = fn(&str, &mut usize);

macro_rules! both_know {
    ($($name:ident)*) => {
        /// What both codecs have.
        const COMPARED: &[(&str, Compare)] = &[$((stringify!($name), compare::<$name>)),*];
    };
}

both_know! {
    AddOffsetsToTxnRequest
    AddOffsetsToTxnResponse
    AddPartitionsToTxnRequest
    AddPartitionsToTxnResponse
    AddRaftVoterRequest
    AddRaftVoterResponse
    AlterClientQuotasRequest
    AlterClientQuotasResponse
    AlterConfigsRequest
    AlterConfigsResponse
    AlterPartitionReassignmentsRequest
    AlterPartitionReassignmentsResponse
    AlterReplicaLogDirsRequest
    AlterReplicaLogDirsResponse
    AlterShareGroupOffsetsRequest
    AlterShareGroupOffsetsResponse
    AlterUserScramCredentialsRequest
    AlterUserScramCredentialsResponse
    ApiVersionsRequest
    ApiVersionsResponse
    ConsumerGroupDescribeRequest
    ConsumerGroupDescribeResponse
    ConsumerGroupHeartbeatRequest
    ConsumerGroupHeartbeatResponse
    ConsumerProtocolAssignment
    ConsumerProtocolSubscription
    CreateAclsRequest
    CreateAclsResponse
    CreateDelegationTokenRequest
    CreateDelegationTokenResponse
    CreatePartitionsRequest
    CreatePartitionsResponse
    CreateTopicsRequest
    CreateTopicsResponse
    DeleteAclsRequest
    DeleteAclsResponse
    DeleteGroupsRequest
    DeleteGroupsResponse
    DeleteRecordsRequest
    DeleteRecordsResponse
    DeleteShareGroupOffsetsRequest
    DeleteShareGroupOffsetsResponse
    DeleteTopicsRequest
    DeleteTopicsResponse
    DescribeAclsRequest
    DescribeAclsResponse
    DescribeClientQuotasRequest
    DescribeClientQuotasResponse
    DescribeClusterRequest
    DescribeClusterResponse
    DescribeConfigsRequest
    DescribeConfigsResponse
    DescribeDelegationTokenRequest
    DescribeDelegationTokenResponse
    DescribeGroupsRequest
    DescribeGroupsResponse
    DescribeLogDirsRequest
    DescribeLogDirsResponse
    DescribeProducersRequest
    DescribeProducersResponse
    DescribeQuorumRequest
    DescribeQuorumResponse
    DescribeShareGroupOffsetsRequest
    DescribeShareGroupOffsetsResponse
    DescribeTopicPartitionsRequest
    DescribeTopicPartitionsResponse
    DescribeTransactionsRequest
    DescribeTransactionsResponse
    DescribeUserScramCredentialsRequest
    DescribeUserScramCredentialsResponse
    ElectLeadersRequest
    ElectLeadersResponse
    EndTxnRequest
    EndTxnResponse
    ExpireDelegationTokenRequest
    ExpireDelegationTokenResponse
    FetchRequest
    FetchResponse
    FindCoordinatorRequest
    FindCoordinatorResponse
    GetTelemetrySubscriptionsRequest
    GetTelemetrySubscriptionsResponse
    HeartbeatRequest
    HeartbeatResponse
    IncrementalAlterConfigsRequest
    IncrementalAlterConfigsResponse
    InitProducerIdRequest
    InitProducerIdResponse
    JoinGroupRequest
    JoinGroupResponse
    LeaveGroupRequest
    LeaveGroupResponse
    ListConfigResourcesRequest
    ListConfigResourcesResponse
    ListGroupsRequest
    ListGroupsResponse
    ListOffsetsRequest
    ListOffsetsResponse
    ListPartitionReassignmentsRequest
    ListPartitionReassignmentsResponse
    ListTransactionsRequest
    ListTransactionsResponse
    MetadataRequest
    MetadataResponse
    OffsetCommitRequest
    OffsetCommitResponse
    OffsetDeleteRequest
    OffsetDeleteResponse
    OffsetFetchRequest
    OffsetFetchResponse
    OffsetForLeaderEpochRequest
    OffsetForLeaderEpochResponse
    ProduceRequest
    ProduceResponse
    PushTelemetryRequest
    PushTelemetryResponse
    RemoveRaftVoterRequest
    RemoveRaftVoterResponse
    RenewDelegationTokenRequest
    RenewDelegationTokenResponse
    SaslAuthenticateRequest
    SaslAuthenticateResponse
    SaslHandshakeRequest
    SaslHandshakeResponse
    ShareAcknowledgeRequest
    ShareAcknowledgeResponse
    ShareFetchRequest
    ShareFetchResponse
    ShareGroupDescribeRequest
    ShareGroupDescribeResponse
    ShareGroupHeartbeatRequest
    ShareGroupHeartbeatResponse
    SyncGroupRequest
    SyncGroupResponse
    TxnOffsetCommitRequest
    TxnOffsetCommitResponse
    UnregisterBrokerRequest
    UnregisterBrokerResponse
    UpdateFeaturesRequest
    UpdateFeaturesResponse
    WriteTxnMarkersRequest
    WriteTxnMarkersResponse
}

/// What the other codec does not have; `java_classes.rs` compares it alone.
const LACKS: &[&str] = &[
    "StreamsGroupDescribeRequest",
    "StreamsGroupDescribeResponse",
    "StreamsGroupHeartbeatRequest",
    "StreamsGroupHeartbeatResponse",
];

#[test]
fn another_codec_agrees_on_every_message_and_version_it_knows() {
    let mut compared = 0;
    for (name, compare) in COMPARED {
        compare(name, &mut compared);
    }
    assert!(compared > 10_000, "only {compared} messages were compared");
}

#[test]
fn every_message_is_compared_or_known_to_be_lacking() {
    let listed = |name: &str| {
        COMPARED.iter().filter(|(compared, _)| *compared == name).count()
            + LACKS.iter().filter(|lacks| **lacks == name).count()
    };
    let wrong: Vec<&str> = ALL.iter().map(|entry| entry.name).filter(|name| listed(name) != 1).collect();
    assert!(wrong.is_empty(), "listed neither among COMPARED nor LACKS, or twice: {wrong:?}");
    let unknown = LACKS.iter().filter(|lacks| ALL.iter().all(|entry| entry.name != **lacks));
    assert_eq!(unknown.count(), 0, "LACKS names what is no message");
}
