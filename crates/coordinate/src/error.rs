//! The errors a group coordinator answers, one narrow list. The numbers are Kafka's protocol error codes, so that the
//! broker copies them into a response without a second table.

/// An error in an answer. The discriminant is the code of the Kafka protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[repr(i16)]
pub enum Error {
    /// Something failed that the client cannot mend, such as a group too large for one record.
    #[error("UNKNOWN_SERVER_ERROR")]
    UnknownServerError = -1,
    /// The metadata string of a commit is longer than `offset.metadata.max.bytes`.
    #[error("OFFSET_METADATA_TOO_LARGE")]
    OffsetMetadataTooLarge = 12,
    /// The groups of this partition are still being read; ask again.
    #[error("COORDINATOR_LOAD_IN_PROGRESS")]
    CoordinatorLoadInProgress = 14,
    /// The coordinator cannot persist its state at the moment; ask again.
    #[error("COORDINATOR_NOT_AVAILABLE")]
    CoordinatorNotAvailable = 15,
    /// Another broker coordinates this group.
    #[error("NOT_COORDINATOR")]
    NotCoordinator = 16,
    /// The generation is not the group's current one.
    #[error("ILLEGAL_GENERATION")]
    IllegalGeneration = 22,
    /// Protocol type or protocols do not fit those of the members already there.
    #[error("INCONSISTENT_GROUP_PROTOCOL")]
    InconsistentGroupProtocol = 23,
    /// The group id is empty or too long.
    #[error("INVALID_GROUP_ID")]
    InvalidGroupId = 24,
    /// The group does not know this member.
    #[error("UNKNOWN_MEMBER_ID")]
    UnknownMemberId = 25,
    /// The session timeout lies outside `group.min.session.timeout.ms` and `group.max.session.timeout.ms`.
    #[error("INVALID_SESSION_TIMEOUT")]
    InvalidSessionTimeout = 26,
    /// The group is rebalancing: join again.
    #[error("REBALANCE_IN_PROGRESS")]
    RebalanceInProgress = 27,
    /// The shard already holds as many committed offsets as its limit allows.
    #[error("INVALID_COMMIT_OFFSET_SIZE")]
    InvalidCommitOffsetSize = 28,
    /// Members of consumer groups must use a later version of this request.
    #[error("UNSUPPORTED_VERSION")]
    UnsupportedVersion = 35,
    /// A field is longer than a record can hold.
    #[error("INVALID_REQUEST")]
    InvalidRequest = 42,
    /// The producer was fenced by a newer epoch.
    #[error("INVALID_PRODUCER_EPOCH")]
    InvalidProducerEpoch = 47,
    /// The producer's transaction is over, or does not know of this group.
    #[error("INVALID_TXN_STATE")]
    InvalidTxnState = 48,
    /// The log that keeps the groups cannot be written.
    #[error("KAFKA_STORAGE_ERROR")]
    KafkaStorageError = 56,
    /// Only an empty group can be deleted.
    #[error("NON_EMPTY_GROUP")]
    NonEmptyGroup = 68,
    /// There is no such group.
    #[error("GROUP_ID_NOT_FOUND")]
    GroupIdNotFound = 69,
    /// Join again with the member id of this answer (KIP-394).
    #[error("MEMBER_ID_REQUIRED")]
    MemberIdRequired = 79,
    /// The group has `group.max.size` members, or a limit of the coordinator is reached.
    #[error("GROUP_MAX_SIZE_REACHED")]
    GroupMaxSizeReached = 81,
    /// A newer member took over this `group.instance.id` (KIP-345).
    #[error("FENCED_INSTANCE_ID")]
    FencedInstanceId = 82,
    /// Offsets of a topic that members still subscribe to cannot be deleted.
    #[error("GROUP_SUBSCRIBED_TO_TOPIC")]
    GroupSubscribedToTopic = 86,
    /// A transaction that is under way may change the offset: ask again.
    #[error("UNSTABLE_OFFSET_COMMIT")]
    UnstableOffsetCommit = 88,
    /// The member epoch is not the one the member has: it must give up its partitions and join again.
    #[error("FENCED_MEMBER_EPOCH")]
    FencedMemberEpoch = 110,
    /// Another member holds this `group.instance.id`, and has not gone away.
    #[error("UNRELEASED_INSTANCE_ID")]
    UnreleasedInstanceId = 111,
    /// There is no such assignor, or it is not enabled in `group.consumer.assignors`.
    #[error("UNSUPPORTED_ASSIGNOR")]
    UnsupportedAssignor = 112,
    /// The member has another epoch by now: ask again with that one.
    #[error("STALE_MEMBER_EPOCH")]
    StaleMemberEpoch = 113,
    /// A subscription is no regular expression.
    #[error("INVALID_REGULAR_EXPRESSION")]
    InvalidRegularExpression = 128,
}

impl Error {
    /// The error code of the Kafka protocol.
    pub const fn code(self) -> i16 {
        self as i16
    }
}

/// `0` for no error, else the code: how responses carry it.
pub fn code_of(error: Option<Error>) -> i16 {
    error.map_or(0, Error::code)
}
