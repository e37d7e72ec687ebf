//! `ErrorCode`: what a response says went wrong. One table: number, Kafka's name, whether trying again can help
//! (as Kafka's own clients see it), and a message in our words for fields like `error_message`.
//!
//! Codes up to 133 are those of Kafka 4.3.1; 134 and 136 come with its successor. 135 is not named here.

use std::fmt;

struct Facts {
    error: ErrorCode,
    code: i16,
    name: &'static str,
    retriable: bool,
    message: &'static str,
}

macro_rules! errors {
    ($($code:literal $variant:ident $name:ident $again:ident $message:literal)*) => {
        /// An error code of the Kafka protocol.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $(#[doc = concat!(stringify!($code), ": ", $message)] $variant,)*
        }

        /// One row per error, in the order of the enum and of the codes.
        const FACTS: &[Facts] = &[$(Facts {
            error: ErrorCode::$variant,
            code: $code,
            name: stringify!($name),
            retriable: errors!(@$again),
            message: $message,
        },)*];
    };
    (@retriable) => { true };
    (@final) => { false };
}

errors! {
    -1 UnknownServerError UNKNOWN_SERVER_ERROR final "The broker failed in a way it did not expect; its log says more."
    0 None NONE final "No error."
    1 OffsetOutOfRange OFFSET_OUT_OF_RANGE final "The offset lies outside what the partition holds."
    2 CorruptMessage CORRUPT_MESSAGE retriable "The records are damaged: wrong checksum or size, or no key where compaction needs one."
    3 UnknownTopicOrPartition UNKNOWN_TOPIC_OR_PARTITION retriable "This broker has no such topic or partition."
    4 InvalidFetchSize INVALID_FETCH_SIZE final "The fetch size is not valid."
    5 LeaderNotAvailable LEADER_NOT_AVAILABLE retriable "The partition has no leader at the moment."
    6 NotLeaderOrFollower NOT_LEADER_OR_FOLLOWER retriable "This broker does not lead the partition, or holds no replica of it."
    7 RequestTimedOut REQUEST_TIMED_OUT retriable "The request took longer than its timeout."
    8 BrokerNotAvailable BROKER_NOT_AVAILABLE final "The broker is not available."
    9 ReplicaNotAvailable REPLICA_NOT_AVAILABLE retriable "The replica is not available."
    10 MessageTooLarge MESSAGE_TOO_LARGE final "A record batch is larger than the topic allows."
    11 StaleControllerEpoch STALE_CONTROLLER_EPOCH final "The controller has moved to another broker."
    12 OffsetMetadataTooLarge OFFSET_METADATA_TOO_LARGE final "The metadata of a committed offset is too long."
    13 NetworkException NETWORK_EXCEPTION retriable "The connection ended before the response arrived."
    14 CoordinatorLoadInProgress COORDINATOR_LOAD_IN_PROGRESS retriable "The coordinator is still reading its state."
    15 CoordinatorNotAvailable COORDINATOR_NOT_AVAILABLE retriable "There is no coordinator at the moment."
    16 NotCoordinator NOT_COORDINATOR retriable "This broker is not the coordinator."
    17 InvalidTopicException INVALID_TOPIC_EXCEPTION final "The topic name is not valid, or the topic may not be used this way."
    18 RecordListTooLarge RECORD_LIST_TOO_LARGE final "The batch is larger than a log segment."
    19 NotEnoughReplicas NOT_ENOUGH_REPLICAS retriable "Fewer replicas are in sync than the topic demands."
    20 NotEnoughReplicasAfterAppend NOT_ENOUGH_REPLICAS_AFTER_APPEND retriable "The records are written, but on fewer replicas than the topic demands."
    21 InvalidRequiredAcks INVALID_REQUIRED_ACKS final "acks must be -1, 0 or 1."
    22 IllegalGeneration ILLEGAL_GENERATION final "The group has moved on to another generation."
    23 InconsistentGroupProtocol INCONSISTENT_GROUP_PROTOCOL final "The member shares no protocol with the group, or named none."
    24 InvalidGroupId INVALID_GROUP_ID final "The group id is not valid."
    25 UnknownMemberId UNKNOWN_MEMBER_ID final "The group does not know this member."
    26 InvalidSessionTimeout INVALID_SESSION_TIMEOUT final "The session timeout is shorter or longer than the broker allows."
    27 RebalanceInProgress REBALANCE_IN_PROGRESS final "The group is rebalancing; the member must join again."
    28 InvalidCommitOffsetSize INVALID_COMMIT_OFFSET_SIZE final "The committed offset is too large to store."
    29 TopicAuthorizationFailed TOPIC_AUTHORIZATION_FAILED final "Not allowed on this topic."
    30 GroupAuthorizationFailed GROUP_AUTHORIZATION_FAILED final "Not allowed on this group."
    31 ClusterAuthorizationFailed CLUSTER_AUTHORIZATION_FAILED final "Not allowed on this cluster."
    32 InvalidTimestamp INVALID_TIMESTAMP final "A record's timestamp is outside the range the topic accepts."
    33 UnsupportedSaslMechanism UNSUPPORTED_SASL_MECHANISM final "The broker does not offer this SASL mechanism."
    34 IllegalSaslState ILLEGAL_SASL_STATE final "The request does not fit the state of the SASL exchange."
    35 UnsupportedVersion UNSUPPORTED_VERSION final "The broker does not support this version of the request."
    36 TopicAlreadyExists TOPIC_ALREADY_EXISTS final "A topic of this name exists already."
    37 InvalidPartitions INVALID_PARTITIONS final "The number of partitions is not valid."
    38 InvalidReplicationFactor INVALID_REPLICATION_FACTOR final "The replication factor is below 1 or above the number of brokers."
    39 InvalidReplicaAssignment INVALID_REPLICA_ASSIGNMENT final "The assignment of replicas is not valid."
    40 InvalidConfig INVALID_CONFIG final "A setting is unknown or its value is not valid."
    41 NotController NOT_CONTROLLER retriable "This broker is not the controller."
    42 InvalidRequest INVALID_REQUEST final "The request contradicts itself or the protocol."
    43 UnsupportedForMessageFormat UNSUPPORTED_FOR_MESSAGE_FORMAT final "The record format does not support this request."
    44 PolicyViolation POLICY_VIOLATION final "The request is against the configured policy."
    45 OutOfOrderSequenceNumber OUT_OF_ORDER_SEQUENCE_NUMBER final "A batch of this producer is missing before this one."
    46 DuplicateSequenceNumber DUPLICATE_SEQUENCE_NUMBER final "This batch was written before."
    47 InvalidProducerEpoch INVALID_PRODUCER_EPOCH final "A newer instance of this producer has taken over."
    48 InvalidTxnState INVALID_TXN_STATE final "The transaction is not in a state that allows this."
    49 InvalidProducerIdMapping INVALID_PRODUCER_ID_MAPPING final "The transactional id belongs to another producer id."
    50 InvalidTransactionTimeout INVALID_TRANSACTION_TIMEOUT final "The transaction timeout is longer than the broker allows."
    51 ConcurrentTransactions CONCURRENT_TRANSACTIONS retriable "Another operation on the same transaction is still under way."
    52 TransactionCoordinatorFenced TRANSACTION_COORDINATOR_FENCED final "The transaction coordinator that sent this is no longer in charge."
    53 TransactionalIdAuthorizationFailed TRANSACTIONAL_ID_AUTHORIZATION_FAILED final "Not allowed to use this transactional id."
    54 SecurityDisabled SECURITY_DISABLED final "Security is switched off."
    55 OperationNotAttempted OPERATION_NOT_ATTEMPTED final "Not attempted, because another part of the request failed."
    56 KafkaStorageError KAFKA_STORAGE_ERROR retriable "The log directory has failed."
    57 LogDirNotFound LOG_DIR_NOT_FOUND final "The broker has no such log directory."
    58 SaslAuthenticationFailed SASL_AUTHENTICATION_FAILED final "Authentication failed."
    59 UnknownProducerId UNKNOWN_PRODUCER_ID final "The partition no longer remembers this producer."
    60 ReassignmentInProgress REASSIGNMENT_IN_PROGRESS final "The partition is being moved."
    61 DelegationTokenAuthDisabled DELEGATION_TOKEN_AUTH_DISABLED final "Delegation tokens are switched off."
    62 DelegationTokenNotFound DELEGATION_TOKEN_NOT_FOUND final "There is no such delegation token."
    63 DelegationTokenOwnerMismatch DELEGATION_TOKEN_OWNER_MISMATCH final "The principal is neither owner nor renewer of the token."
    64 DelegationTokenRequestNotAllowed DELEGATION_TOKEN_REQUEST_NOT_ALLOWED final "Delegation tokens may not be asked for on this kind of connection."
    65 DelegationTokenAuthorizationFailed DELEGATION_TOKEN_AUTHORIZATION_FAILED final "Not allowed on this delegation token."
    66 DelegationTokenExpired DELEGATION_TOKEN_EXPIRED final "The delegation token has expired."
    67 InvalidPrincipalType INVALID_PRINCIPAL_TYPE final "Principals of this type are not supported."
    68 NonEmptyGroup NON_EMPTY_GROUP final "The group still has members."
    69 GroupIdNotFound GROUP_ID_NOT_FOUND final "There is no such group."
    70 FetchSessionIdNotFound FETCH_SESSION_ID_NOT_FOUND retriable "There is no such fetch session."
    71 InvalidFetchSessionEpoch INVALID_FETCH_SESSION_EPOCH retriable "The fetch session expected another epoch."
    72 ListenerNotFound LISTENER_NOT_FOUND retriable "The leader has no listener of the kind this request came in on."
    73 TopicDeletionDisabled TOPIC_DELETION_DISABLED final "Deleting topics is switched off."
    74 FencedLeaderEpoch FENCED_LEADER_EPOCH retriable "The leader epoch is older than the partition's."
    75 UnknownLeaderEpoch UNKNOWN_LEADER_EPOCH retriable "The leader epoch is newer than the partition's."
    76 UnsupportedCompressionType UNSUPPORTED_COMPRESSION_TYPE final "This version of the request cannot carry the partition's compression."
    77 StaleBrokerEpoch STALE_BROKER_EPOCH final "The broker has registered anew since."
    78 OffsetNotAvailable OFFSET_NOT_AVAILABLE retriable "The new leader does not know yet how far the partition is committed."
    79 MemberIdRequired MEMBER_ID_REQUIRED final "Join again with the member id given here."
    80 PreferredLeaderNotAvailable PREFERRED_LEADER_NOT_AVAILABLE retriable "The preferred leader is not available."
    81 GroupMaxSizeReached GROUP_MAX_SIZE_REACHED final "The group has as many members as it may have."
    82 FencedInstanceId FENCED_INSTANCE_ID final "Another member has taken over this group instance id."
    83 EligibleLeadersNotAvailable ELIGIBLE_LEADERS_NOT_AVAILABLE retriable "No replica that may lead is available."
    84 ElectionNotNeeded ELECTION_NOT_NEEDED retriable "The partition has the leader it should have."
    85 NoReassignmentInProgress NO_REASSIGNMENT_IN_PROGRESS final "The partition is not being moved."
    86 GroupSubscribedToTopic GROUP_SUBSCRIBED_TO_TOPIC final "The group still consumes this topic."
    87 InvalidRecord INVALID_RECORD final "A record breaks the rules of the topic."
    88 UnstableOffsetCommit UNSTABLE_OFFSET_COMMIT retriable "A transaction that commits offsets of this partition is still open."
    89 ThrottlingQuotaExceeded THROTTLING_QUOTA_EXCEEDED retriable "The quota is used up; try again later."
    90 ProducerFenced PRODUCER_FENCED final "A newer producer with this transactional id has taken over."
    91 ResourceNotFound RESOURCE_NOT_FOUND final "The request names something that does not exist."
    92 DuplicateResource DUPLICATE_RESOURCE final "The request names the same thing twice."
    93 UnacceptableCredential UNACCEPTABLE_CREDENTIAL final "The credential is not good enough."
    94 InconsistentVoterSet INCONSISTENT_VOTER_SET final "Sender or receiver is not one of the expected voters."
    95 InvalidUpdateVersion INVALID_UPDATE_VERSION final "The version of the update is not valid."
    96 FeatureUpdateFailed FEATURE_UPDATE_FAILED final "The features could not be updated."
    97 PrincipalDeserializationFailure PRINCIPAL_DESERIALIZATION_FAILURE final "A forwarded principal could not be read."
    98 SnapshotNotFound SNAPSHOT_NOT_FOUND final "There is no such snapshot."
    99 PositionOutOfRange POSITION_OUT_OF_RANGE final "The position lies outside the snapshot."
    100 UnknownTopicId UNKNOWN_TOPIC_ID retriable "This broker has no topic of this id."
    101 DuplicateBrokerRegistration DUPLICATE_BROKER_REGISTRATION final "The broker id is in use."
    102 BrokerIdNotRegistered BROKER_ID_NOT_REGISTERED final "The broker id is not registered."
    103 InconsistentTopicId INCONSISTENT_TOPIC_ID retriable "The log belongs to another topic id."
    104 InconsistentClusterId INCONSISTENT_CLUSTER_ID final "The request is for another cluster."
    105 TransactionalIdNotFound TRANSACTIONAL_ID_NOT_FOUND final "There is no such transactional id."
    106 FetchSessionTopicIdError FETCH_SESSION_TOPIC_ID_ERROR retriable "The fetch session mixes topic names and topic ids."
    107 IneligibleReplica INELIGIBLE_REPLICA final "A replica may not be in sync."
    108 NewLeaderElected NEW_LEADER_ELECTED final "The change was made and the leader is another one now."
    109 OffsetMovedToTieredStorage OFFSET_MOVED_TO_TIERED_STORAGE final "The offset has moved to tiered storage."
    110 FencedMemberEpoch FENCED_MEMBER_EPOCH final "The member's epoch is outdated; it must give up its partitions and join again."
    111 UnreleasedInstanceId UNRELEASED_INSTANCE_ID final "Another member still uses this group instance id."
    112 UnsupportedAssignor UNSUPPORTED_ASSIGNOR final "The group does not support this assignor."
    113 StaleMemberEpoch STALE_MEMBER_EPOCH final "The member must first learn its new epoch by a heartbeat."
    114 MismatchedEndpointType MISMATCHED_ENDPOINT_TYPE final "The request went to the wrong kind of endpoint."
    115 UnsupportedEndpointType UNSUPPORTED_ENDPOINT_TYPE final "Endpoints of this type are not supported."
    116 UnknownControllerId UNKNOWN_CONTROLLER_ID final "There is no such controller."
    117 UnknownSubscriptionId UNKNOWN_SUBSCRIPTION_ID final "The telemetry subscription is unknown or outdated."
    118 TelemetryTooLarge TELEMETRY_TOO_LARGE final "The telemetry is larger than the broker accepts."
    119 InvalidRegistration INVALID_REGISTRATION final "The registration is not valid."
    120 TransactionAbortable TRANSACTION_ABORTABLE final "The transaction failed; abort it and go on with the same transactional id."
    121 InvalidRecordState INVALID_RECORD_STATE final "The record is not in a state that can be acknowledged."
    122 ShareSessionNotFound SHARE_SESSION_NOT_FOUND retriable "There is no such share session."
    123 InvalidShareSessionEpoch INVALID_SHARE_SESSION_EPOCH retriable "The share session expected another epoch."
    124 FencedStateEpoch FENCED_STATE_EPOCH final "The epoch of the share group's state is outdated."
    125 InvalidVoterKey INVALID_VOTER_KEY final "The voter's key is not the replica's."
    126 DuplicateVoter DUPLICATE_VOTER final "The voter is in the set already."
    127 VoterNotFound VOTER_NOT_FOUND final "The voter is not in the set."
    128 InvalidRegularExpression INVALID_REGULAR_EXPRESSION final "The regular expression is not valid."
    129 RebootstrapRequired REBOOTSTRAP_REQUIRED final "The client must start over from its bootstrap servers."
    130 StreamsInvalidTopology STREAMS_INVALID_TOPOLOGY final "The topology is not valid."
    131 StreamsInvalidTopologyEpoch STREAMS_INVALID_TOPOLOGY_EPOCH final "The epoch of the topology is not valid."
    132 StreamsTopologyFenced STREAMS_TOPOLOGY_FENCED final "The epoch of the topology is outdated."
    133 ShareSessionLimitReached SHARE_SESSION_LIMIT_REACHED retriable "There are as many share sessions as there may be."
    134 GroupDeletionFailed GROUP_DELETION_FAILED final "The group could not be deleted."
    136 ControllerIdNotRegistered CONTROLLER_ID_NOT_REGISTERED final "The controller id is not registered."
}

impl ErrorCode {
    fn facts(self) -> &'static Facts {
        FACTS.get(self as usize).unwrap_or(&FACTS[0])
    }

    /// The error with this number.
    pub fn from_code(code: i16) -> Option<Self> {
        FACTS
            .binary_search_by_key(&code, |facts| facts.code)
            .ok()
            .and_then(|at| FACTS.get(at))
            .map(|f| f.error)
    }

    /// Its number on the wire.
    pub fn code(self) -> i16 {
        self.facts().code
    }

    /// Kafka's name for it, such as `NOT_COORDINATOR`.
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// True if a client may send the same request again and succeed.
    pub fn is_retriable(self) -> bool {
        self.facts().retriable
    }

    /// A sentence for people.
    pub fn message(self) -> &'static str {
        self.facts().message
    }

    /// True for anything but [`ErrorCode::None`].
    pub fn is_error(self) -> bool {
        self != Self::None
    }

    /// All errors, in the order of their codes.
    pub fn all() -> impl Iterator<Item = Self> {
        FACTS.iter().map(|facts| facts.error)
    }
}

impl From<ErrorCode> for i16 {
    fn from(error: ErrorCode) -> Self {
        error.code()
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found_by_its_code() {
        for error in ErrorCode::all() {
            assert_eq!(error.facts().error, error);
            assert_eq!(ErrorCode::from_code(error.code()), Some(error));
        }
        assert_eq!(ErrorCode::from_code(0), Some(ErrorCode::None));
        assert_eq!(ErrorCode::from_code(133), Some(ErrorCode::ShareSessionLimitReached));
        assert_eq!(ErrorCode::from_code(1000), None);
    }

    #[test]
    fn only_some_errors_are_worth_another_try() {
        assert!(ErrorCode::NotCoordinator.is_retriable());
        assert!(!ErrorCode::OffsetOutOfRange.is_retriable());
        assert!(!ErrorCode::None.is_error());
    }
}
