//! What a shard answers, and how an answer turns into a refusal when its records could not be kept.

use std::sync::Arc;

use bytes::Bytes;

use crate::error::Error;
use crate::input::{Token, TopicId};
use crate::records::TopicPartitions;

/// An answer and the request it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The request.
    pub token: Token,
    /// Its answer.
    pub answer: Answer,
}

/// One kind per request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// JoinGroup
    Join(JoinAnswer),
    /// SyncGroup
    Sync(SyncAnswer),
    /// Heartbeat
    Heartbeat(Option<Error>),
    /// LeaveGroup
    Leave(LeaveAnswer),
    /// OffsetCommit
    Commit(CommitAnswer),
    /// OffsetDelete
    DeleteOffsets(DeleteOffsetsAnswer),
    /// DeleteGroups: an error or none for each group, in the order asked
    DeleteGroups(Vec<(String, Option<Error>)>),
    /// ConsumerGroupHeartbeat
    ConsumerHeartbeat(ConsumerHeartbeatAnswer),
}

/// JoinGroup's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinAnswer {
    /// None when the member is in.
    pub error: Option<Error>,
    /// -1 with an error.
    pub generation: i32,
    /// The group's protocol type.
    pub protocol_type: Option<Arc<str>>,
    /// The protocol the members' votes chose.
    pub protocol: Option<Arc<str>>,
    /// Member id of the leader, empty with an error.
    pub leader: Arc<str>,
    /// KIP-814: the leader has the members but must not assign anew.
    pub skip_assignment: bool,
    /// The member's own id.
    pub member_id: Arc<str>,
    /// Everyone, for the leader only.
    pub members: Vec<JoinMember>,
}

impl JoinAnswer {
    pub(crate) fn refused(member_id: impl Into<Arc<str>>, error: Error) -> Self {
        Self {
            error: Some(error),
            generation: -1,
            protocol_type: None,
            protocol: None,
            leader: Arc::from(""),
            skip_assignment: false,
            member_id: member_id.into(),
            members: Vec::new(),
        }
    }
}

/// A member as the leader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinMember {
    /// Its id.
    pub member_id: Arc<str>,
    /// `group.instance.id`
    pub instance_id: Option<Arc<str>>,
    /// Its metadata for the chosen protocol.
    pub metadata: Bytes,
}

/// SyncGroup's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncAnswer {
    /// None with an assignment.
    pub error: Option<Error>,
    /// The group's protocol type.
    pub protocol_type: Option<Arc<str>>,
    /// The chosen protocol.
    pub protocol: Option<Arc<str>>,
    /// What the leader assigned; empty if nothing.
    pub assignment: Bytes,
}

impl SyncAnswer {
    pub(crate) const fn refused(error: Error) -> Self {
        Self { error: Some(error), protocol_type: None, protocol: None, assignment: Bytes::new() }
    }
}

/// LeaveGroup's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaveAnswer {
    /// An error of the whole request; then `members` is empty.
    pub error: Option<Error>,
    /// Each member as asked, and what became of it.
    pub members: Vec<LeftMember>,
}

/// One member of a LeaveGroup answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftMember {
    /// As asked.
    pub member_id: String,
    /// As asked.
    pub instance_id: Option<String>,
    /// None if it left.
    pub error: Option<Error>,
}

/// ConsumerGroupHeartbeat's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerHeartbeatAnswer {
    /// None if the member is in, or has left as it wished.
    pub error: Option<Error>,
    /// Why not.
    pub message: Option<String>,
    /// None with an error.
    pub member_id: Option<Arc<str>>,
    /// Its epoch; 0 with an error.
    pub member_epoch: i32,
    /// When to send the next heartbeat; 0 with an error, and when the member leaves.
    pub heartbeat_interval_ms: i32,
    /// What it may have now; none if it knows already.
    pub assignment: Option<Vec<TopicPartitions>>,
}

impl ConsumerHeartbeatAnswer {
    pub(crate) const fn refused(error: Error, message: Option<String>) -> Self {
        Self {
            error: Some(error),
            message,
            member_id: None,
            member_epoch: 0,
            heartbeat_interval_ms: 0,
            assignment: None,
        }
    }
}

/// OffsetCommit's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitAnswer {
    /// Every topic and partition as asked.
    pub topics: Vec<CommittedTopic>,
}

/// One topic of an OffsetCommit answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedTopic {
    /// As asked.
    pub name: Arc<str>,
    /// As asked.
    pub id: TopicId,
    /// Partition and its error or none.
    pub partitions: Vec<(i32, Option<Error>)>,
}

/// OffsetDelete's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteOffsetsAnswer {
    /// An error of the whole request; then `topics` is empty.
    pub error: Option<Error>,
    /// Every topic and partition as asked.
    pub topics: Vec<DeletedOffsets>,
}

/// One topic of an OffsetDelete answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedOffsets {
    /// As asked.
    pub name: Arc<str>,
    /// Partition and its error or none.
    pub partitions: Vec<(i32, Option<Error>)>,
}

impl Answer {
    /// It gives partitions to whoever hears it: they must still be that member's after a crash, so it waits until all that
    /// was written before it is durable, even if nothing is written for it.
    pub const fn gives_partitions(&self) -> bool {
        match self {
            Self::ConsumerHeartbeat(answer) => answer.assignment.is_some(),
            Self::Sync(answer) => answer.error.is_none(),
            _ => false,
        }
    }

    /// The same answer when its records could not be kept: whatever had succeeded now carries `error`.
    #[must_use]
    pub fn refuse(self, error: Error) -> Self {
        let worse = |old: Option<Error>| Some(old.unwrap_or(error));
        match self {
            Self::Join(answer) => Self::Join(JoinAnswer::refused(answer.member_id, error)),
            Self::Sync(_) => Self::Sync(SyncAnswer::refused(error)),
            Self::Heartbeat(_) => Self::Heartbeat(Some(error)),
            Self::Leave(_) => Self::Leave(LeaveAnswer { error: Some(error), members: Vec::new() }),
            Self::Commit(mut answer) => {
                for (_, slot) in answer.topics.iter_mut().flat_map(|topic| topic.partitions.iter_mut()) {
                    *slot = worse(*slot);
                }
                Self::Commit(answer)
            }
            Self::DeleteOffsets(_) => {
                Self::DeleteOffsets(DeleteOffsetsAnswer { error: Some(error), topics: Vec::new() })
            }
            Self::ConsumerHeartbeat(_) => {
                Self::ConsumerHeartbeat(ConsumerHeartbeatAnswer::refused(error, None))
            }
            Self::DeleteGroups(groups) => {
                Self::DeleteGroups(groups.into_iter().map(|(id, old)| (id, worse(old))).collect())
            }
        }
    }
}
