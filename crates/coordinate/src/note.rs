//! What happens in groups, for whoever reads the log of the broker: who came, who went and why, which generation began.
//! Deciding does not depend on it. Whatever clients say is quoted, so that it cannot look like a line of its own.

use std::fmt;
use std::sync::Arc;

use crate::error::Error;

/// Reasons that clients give are cut to so many characters, as in Kafka.
const REASON_CHARS: usize = 255;

/// Something that happened in a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The group.
    pub group_id: Arc<str>,
    /// What happened.
    pub event: Event,
}

/// What may happen in a group. Causes of a rebalance come before it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what they are called")]
pub enum Event {
    /// A member was let in.
    Joined { member_id: Arc<str>, client_id: Arc<str>, client_host: Arc<str>, reason: Option<String> },
    /// A member wants a rebalance: it leads, or offers something else.
    Rejoined { member_id: Arc<str>, reason: Option<String> },
    /// A member went, or was taken out by an administrator.
    Left { member_id: Arc<str>, reason: Option<String> },
    /// A member is out.
    Expelled { member_id: Arc<str>, cause: Cause },
    /// A static member came back under a new id.
    Replaced { instance_id: Arc<str>, old_id: Arc<str>, new_id: Arc<str> },
    /// The leader's assignment could not be written.
    AssignmentLost { error: Error },
    /// Members are asked to join again.
    Rebalancing { generation: i32, members: usize },
    /// A generation began.
    Generation { generation: i32, members: usize, leader: Option<Arc<str>> },
    /// Everybody went.
    Emptied { generation: i32 },
    /// The leader's assignment is kept: members work.
    Assigned { generation: i32 },
    /// A consumer group came to a new epoch.
    Epoch { epoch: i32 },
    /// What a regular expression stands for is too much to be kept: it stands for what it stood for before.
    LeftOut { expression: Arc<str>, topics: usize },
    /// The group is one of this kind from now on.
    Converted { group_type: &'static str },
}

/// Why a member is out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// No sign of life during its session timeout.
    Silent,
    /// It did not join again within the rebalance timeout.
    NotRejoined,
    /// It did not give partitions back within the rebalance timeout.
    NotRevoked,
    /// It did not ask for its assignment within the rebalance timeout.
    NotSynced,
    /// The group has as many members as it may.
    NoRoom,
}

impl Cause {
    const fn text(self) -> &'static str {
        match self {
            Self::Silent => "its session ended without a heartbeat",
            Self::NotRejoined => "it did not join again in time",
            Self::NotRevoked => "it did not give its partitions back in time",
            Self::NotSynced => "it did not ask for its assignment in time",
            Self::NoRoom => "the group has as many members as it may",
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Joined { member_id, client_id, client_host, reason } => {
                write!(out, "member {member_id:?} of client {client_id:?} at {client_host} joined")?;
                because(out, reason.as_deref())
            }
            Self::Rejoined { member_id, reason } => {
                write!(out, "member {member_id:?} joined again")?;
                because(out, reason.as_deref())
            }
            Self::Left { member_id, reason } => {
                write!(out, "member {member_id:?} left")?;
                because(out, reason.as_deref())
            }
            Self::Expelled { member_id, cause } => {
                write!(out, "member {member_id:?} is out: {}", cause.text())
            }
            Self::Replaced { instance_id, old_id, new_id } => {
                write!(out, "static member {instance_id:?} is {new_id:?} now; {old_id:?} is fenced")
            }
            Self::AssignmentLost { error } => write!(out, "the assignment could not be kept: {error}"),
            Self::Rebalancing { generation, members } => {
                write!(out, "rebalancing after generation {generation}, {members} members")
            }
            Self::Generation { generation, members, leader } => {
                write!(out, "generation {generation} began, {members} members")?;
                leader.as_ref().map_or(Ok(()), |leader| write!(out, ", led by {leader:?}"))
            }
            Self::Emptied { generation } => write!(out, "empty with generation {generation}"),
            Self::Epoch { epoch } => write!(out, "epoch {epoch} began"),
            Self::LeftOut { expression, topics } => write!(
                out,
                "the regular expression {expression:?} matches {topics} topics, more than a record or the memory of groups \
                 takes: it stands for what it stood for before; raise max.message.bytes of __consumer_offsets, or \
                 subscribe to fewer topics"
            ),
            Self::Converted { group_type } => write!(out, "it is a {group_type} group now"),
            Self::Assigned { generation } => write!(out, "generation {generation} has its assignment"),
        }
    }
}

fn because(out: &mut fmt::Formatter<'_>, reason: Option<&str>) -> fmt::Result {
    let Some(reason) = reason.filter(|reason| !reason.is_empty()) else { return Ok(()) };
    write!(out, ": {:?}", reason.chars().take(REASON_CHARS).collect::<String>())
}
