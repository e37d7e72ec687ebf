//! What may happen to a shard: the requests that can change it, stripped of protocol versions. Where versions of a
//! request mean different things, the broker says so in a flag here.

use std::sync::Arc;

use bytes::Bytes;

use crate::records::TopicPartitions;

/// Names a request so that its answer finds the way back. The caller chooses it and never reuses it while it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// A topic id, [`ANY_ID`] when unknown.
pub type TopicId = [u8; 16];

/// Stands for every id.
pub const ANY_ID: TopicId = [0; 16];

/// One event.
#[derive(Clone, Debug)]
pub enum Input {
    /// JoinGroup
    Join(Join),
    /// SyncGroup
    Sync(Sync),
    /// Heartbeat
    Heartbeat(Heartbeat),
    /// LeaveGroup
    Leave(Leave),
    /// OffsetCommit, TxnOffsetCommit
    Commit(Commit),
    /// OffsetDelete
    DeleteOffsets(DeleteOffsets),
    /// DeleteGroups, the groups of this shard
    DeleteGroups(DeleteGroups),
    /// ConsumerGroupHeartbeat
    ConsumerHeartbeat(Box<ConsumerHeartbeat>),
}

/// A protocol that a member offers, in its order of preference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// For consumers the name of an assignor.
    pub name: Arc<str>,
    /// Opaque, but for protocol type `consumer`: then a ConsumerProtocolSubscription.
    pub metadata: Bytes,
}

/// JoinGroup.
#[derive(Clone, Debug)]
pub struct Join {
    /// Where the answer goes.
    pub token: Token,
    /// The group.
    pub group_id: String,
    /// Empty for a new member.
    pub member_id: String,
    /// `group.instance.id` of a static member.
    pub instance_id: Option<String>,
    /// Client id of the request header, empty if null.
    pub client_id: String,
    /// As Kafka records it, for instance `/127.0.0.1`.
    pub client_host: String,
    /// Session timeout in milliseconds.
    pub session_timeout_ms: i32,
    /// Rebalance timeout in milliseconds, in no range; version 0 has none and uses the session timeout.
    pub rebalance_timeout_ms: i32,
    /// `consumer`, `connect`, ...
    pub protocol_type: String,
    /// In order of preference.
    pub protocols: Vec<Protocol>,
    /// Version 4 and later: a new dynamic member is sent away once to come back with its id (KIP-394).
    pub require_known_member_id: bool,
    /// Version 9 and later: a static leader that returns may be told to skip the assignment (KIP-814).
    pub supports_skip_assignment: bool,
    /// A fresh random UUID as text: the tail of a new member id. Chance comes from outside, like time.
    pub fresh_id: String,
    /// KIP-800; for logs only.
    pub reason: Option<String>,
    /// `consumer.assignment.interval.ms` of the group, should it be one of consumers.
    pub assignment_interval_ms: i32,
}

/// SyncGroup.
#[derive(Clone, Debug)]
pub struct Sync {
    /// Where the answer goes.
    pub token: Token,
    /// The group.
    pub group_id: String,
    /// The generation of the join answer.
    pub generation: i32,
    /// The member.
    pub member_id: String,
    /// `group.instance.id`
    pub instance_id: Option<String>,
    /// Checked against the group's if present (version 5).
    pub protocol_type: Option<String>,
    /// Checked against the group's if present (version 5).
    pub protocol: Option<String>,
    /// Member id and assignment; from the leader only.
    pub assignments: Vec<(String, Bytes)>,
}

/// Heartbeat.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    /// Where the answer goes.
    pub token: Token,
    /// The group.
    pub group_id: String,
    /// The member's generation.
    pub generation: i32,
    /// The member.
    pub member_id: String,
    /// `group.instance.id`
    pub instance_id: Option<String>,
}

/// One member of a LeaveGroup request.
#[derive(Clone, Debug)]
pub struct Leaver {
    /// Empty when an administrator removes by instance id.
    pub member_id: String,
    /// `group.instance.id`
    pub instance_id: Option<String>,
    /// KIP-800; for logs only.
    pub reason: Option<String>,
}

/// LeaveGroup.
#[derive(Clone, Debug)]
pub struct Leave {
    /// Where the answer goes.
    pub token: Token,
    /// The group.
    pub group_id: String,
    /// One before version 3.
    pub members: Vec<Leaver>,
}

/// OffsetCommit.
#[derive(Clone, Debug)]
pub struct Commit {
    /// Where the answer goes.
    pub token: Token,
    /// The group; may be empty, as in Kafka.
    pub group_id: String,
    /// Empty for a commit outside membership.
    pub member_id: String,
    /// `group.instance.id`
    pub instance_id: Option<String>,
    /// -1 for a commit outside membership.
    pub generation: i32,
    /// `RetentionTimeMs` of versions 2 to 4, unless -1.
    pub retention_ms: Option<i64>,
    /// Version 9 and later, which members of consumer groups must use: an unknown group answers GROUP_ID_NOT_FOUND, before
    /// that ILLEGAL_GENERATION.
    pub knows_member_epochs: bool,
    /// TxnOffsetCommit: what is committed counts once this producer's transaction is.
    pub in_txn: Option<TxnProducer>,
    /// What to commit.
    pub topics: Vec<CommitTopic>,
}

/// A producer in a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TxnProducer {
    /// Its id.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i16,
}

/// A topic of an OffsetCommit.
#[derive(Clone, Debug)]
pub struct CommitTopic {
    /// Its name.
    pub name: Arc<str>,
    /// Its id, kept with the offset.
    pub id: TopicId,
    /// Its partitions.
    pub partitions: Vec<CommitPartition>,
}

/// A partition of an OffsetCommit.
#[derive(Clone, Debug)]
pub struct CommitPartition {
    /// Its number.
    pub partition: i32,
    /// The next offset to consume.
    pub offset: i64,
    /// -1 when unknown.
    pub leader_epoch: i32,
    /// Free text of the client.
    pub metadata: Option<String>,
}

/// OffsetDelete.
#[derive(Clone, Debug)]
pub struct DeleteOffsets {
    /// Where the answer goes.
    pub token: Token,
    /// The group.
    pub group_id: String,
    /// Topic and partitions.
    pub topics: Vec<(Arc<str>, Vec<i32>)>,
}

/// DeleteGroups.
#[derive(Clone, Debug)]
pub struct DeleteGroups {
    /// Where the answer goes.
    pub token: Token,
    /// Group ids without repetition.
    pub group_ids: Vec<String>,
}

/// ConsumerGroupHeartbeat. What a member does not say (none) is as it said last.
#[derive(Clone, Debug)]
pub struct ConsumerHeartbeat {
    /// Where the answer goes.
    pub token: Token,
    /// The group.
    pub group_id: String,
    /// Chosen by the member; empty before version 1 if it is new.
    pub member_id: String,
    /// 0 to be let in, -1 to leave, -2 to go away for a while as a static member.
    pub member_epoch: i32,
    /// `group.instance.id`
    pub instance_id: Option<String>,
    /// `client.rack`
    pub rack_id: Option<String>,
    /// -1 if it does not say.
    pub rebalance_timeout_ms: i32,
    /// Topics it subscribes to by name.
    pub topics: Option<Vec<String>>,
    /// Topics it subscribes to by a regular expression.
    pub regex: Option<String>,
    /// The assignor it asks for.
    pub assignor: Option<String>,
    /// What it has.
    pub owned: Option<Vec<TopicPartitions>>,
    /// Client id of the request header, empty if null.
    pub client_id: String,
    /// As Kafka records it, for instance `/127.0.0.1`.
    pub client_host: String,
    /// Version 1 and later: members choose their ids themselves.
    pub names_itself: bool,
    /// A fresh random id, for a member that has none.
    pub fresh_id: String,
    /// What is set for this group.
    pub timing: GroupTiming,
}

/// Times of a consumer group in milliseconds: its own settings over those of the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupTiming {
    /// `consumer.session.timeout.ms`
    pub session_timeout_ms: i32,
    /// `consumer.heartbeat.interval.ms`
    pub heartbeat_interval_ms: i32,
    /// `consumer.assignment.interval.ms`
    pub assignment_interval_ms: i32,
}

/// A topic that is gone.
#[derive(Clone, Debug)]
pub struct DeletedTopic {
    /// Its name.
    pub name: Arc<str>,
    /// Its id: offsets kept with another id belong to a namesake and stay. [`ANY_ID`] spares none.
    pub id: TopicId,
}
