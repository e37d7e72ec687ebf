//! The group coordinator, for classic and for consumer groups, as a pure state machine: who is a member, who leads, who
//! consumes what, and which offsets are committed. No clock, no socket, no lock, no log: inputs and the time go in,
//! [`Effects`] come out, and the broker acts on them. The transaction coordinator is another of its kind: [`txn`].
//!
//! ```text
//!               Input, Now ─►┌─────────┐─► replies      ─► connections
//!                            │  Shard  │─► appends      ─► a partition of __consumer_offsets ─┐
//!          next_deadline() ◄─└─────────┘◄─ appended / append_failed ◄───────────────────────┘
//!                                 ▲
//!                                 ├── end_transaction (a marker is in the log)
//!                                 └── replay, replay_in_txn (at start, every record of the partition)
//! ```
//!
//! A [`Shard`] is one partition of `__consumer_offsets`; [`partition_for`] tells which one a group belongs to. Errors and
//! answers are Kafka's, record formats too, so a partition written by Kafka 4.3 can be taken over and read back by its
//! tools. Leaves to the broker: protocol versions, authorisation, topic names and ids, durability.
//!
//! Sources: KIP-62, 98, 134, 345, 394, 447, 496, 518, 559, 699, 709, 800, 814, 848 (topic ids of offsets), 1043.

mod admin;
mod answer;
mod any_group;
mod consumer;
mod dispatch;
mod effects;
mod error;
mod group;
mod input;
mod memory;
mod note;
mod now;
mod offsets;
mod placement;
mod records;
mod settings;
mod shard;
mod timers;
mod topics;
pub mod txn;

pub use admin::{DescribedGroup, DescribedMember, GroupFilter, ListedGroup};
pub use answer::{
    Answer, CommitAnswer, CommittedTopic, ConsumerHeartbeatAnswer, DeleteOffsetsAnswer, DeletedOffsets,
    JoinAnswer, JoinMember, LeaveAnswer, LeftMember, Reply, SyncAnswer,
};
pub use consumer::{
    Assignor, ConsumerGroupState, DescribedConsumer, DescribedConsumerGroup, Found, Lookup, NamedPartitions,
};
pub use effects::{Append, Effects, KeyValue};
pub use error::{Error, code_of};
pub use group::GroupState;
pub use input::{
    ANY_ID, Commit, CommitPartition, CommitTopic, ConsumerHeartbeat, DeleteGroups, DeleteOffsets,
    DeletedTopic, GroupTiming, Heartbeat, Input, Join, Leave, Leaver, Protocol, Sync, Token, TopicId,
    TxnProducer,
};
pub use note::{Cause, Event, Note};
pub use now::Now;
pub use offsets::{DeletedTopics, FetchedOffset, FetchedTopic};
pub use placement::partition_for;
pub use records::{
    ClassicMember, ConsumerRecord, CurrentAssignment, DecodeError, Decoded, EncodeError, EpochPartitions,
    GroupEpoch, GroupMember, GroupMetadata, MemberMetadata, MemberState, OffsetKey, OffsetValue,
    PartitionMetadata, PartitionRacks, Record, RegularExpression, TargetAssignment, TargetEpoch,
    TopicMetadata, TopicPartitions,
};
pub use settings::{ConsumerSettings, Limits, Migration, Settings};
pub use shard::Shard;
pub use topics::{Topic, TopicTable, Topics};
